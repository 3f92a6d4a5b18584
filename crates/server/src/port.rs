//! Port: how are HTTP connections taken, and how do we find out that somebody is not there any more?
//!
//! A console whose machine has frozen, or whose line is dead, says no goodbye. Whoever speaks HTTP/2 is asked now and then
//! whether they are there, and is gone when no answer comes. For all others the system looks: whether the other machine
//! answers, and whether it takes what we send.

use std::{io, net::SocketAddr, time::Duration};

use axum::Router;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// Whoever was silent for so long is asked whether they are there.
const ASKED_AFTER: Duration = Duration::from_secs(10);
/// How long the answer may take; on a slow line it comes after whatever is on the way.
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);
/// How often the system asks.
const SYSTEM_ASKS_EVERY: Duration = Duration::from_secs(10);
/// And how often in vain until the connection is gone.
const SYSTEM_ASKS: u32 = 2;
/// Pause after the system refused us a connection, so that we do not spin while it is out of descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Serves `router` until `stop`; then lets open calls end.
pub(crate) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(ASKED_AFTER)
        .keep_alive_timeout(ANSWERED_WITHIN);
    let open = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        // A stream that refuses is served all the same.
        let _ = prepare(&stream);
        let service = router.clone().map_request(move |mut request: http::Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            request
        });
        let service = TowerToHyperService::new(service);
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let served = open.watch(connection);
        tokio::spawn(async move {
            // How it ends is no news: clients come and go.
            let _ = served.await;
        });
    }
    drop(listener);
    open.shutdown().await;
}

/// Small answers leave at once: otherwise they wait 20 to 40 ms for the next one. And a line that is dead is found out.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_tcp_keepidle(stream, SYSTEM_ASKS_EVERY)?;
    sockopt::set_tcp_keepintvl(stream, SYSTEM_ASKS_EVERY)?;
    sockopt::set_tcp_keepcnt(stream, SYSTEM_ASKS)?;
    sockopt::set_socket_keepalive(stream, true)?;
    // While bytes are on the way the system does not ask; it waits that they arrive.
    let patience = ASKED_AFTER + ANSWERED_WITHIN;
    Ok(sockopt::set_tcp_user_timeout(stream, patience.as_millis() as u32)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_that_is_dead_is_found_out_within_half_a_minute() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (_near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (stream, _) = far.expect("a connection");
        prepare(&stream).expect("every option is taken");
        assert!(sockopt::socket_keepalive(&stream).expect("an answer"));
        let idle = sockopt::tcp_keepidle(&stream).expect("an answer");
        let every = sockopt::tcp_keepintvl(&stream).expect("an answer");
        assert_eq!(idle + every * sockopt::tcp_keepcnt(&stream).expect("an answer"), Duration::from_secs(30));
        assert_eq!(sockopt::tcp_user_timeout(&stream).expect("an answer"), 30_000);
    }
}
