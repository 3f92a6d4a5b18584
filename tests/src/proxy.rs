//! A line that can be cut: what stands between a server and whatever it is connected to.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Carries bytes from its own port to another one, until it is cut or frozen.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    cuts: watch::Sender<u64>,
    frozen: watch::Sender<bool>,
    carried: Arc<AtomicU64>,
}

impl Proxy {
    /// Starts carrying to `port` of this machine.
    ///
    /// # Panics
    /// When the machine has no free port.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let own = listener.local_addr().expect("its number").port();
        let (cuts, cut) = watch::channel(0);
        let (frozen, still) = watch::channel(false);
        let carried = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&carried);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                let (mut cut, still) = (cut.clone(), still.clone());
                cut.mark_unchanged();
                tokio::spawn(async move {
                    tokio::select! {
                        () = carry(near, port, still) => {}
                        // Both ends are dropped with whatever is on the way between them.
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Self { port: own, cuts, frozen, carried }
    }

    /// Cuts every connection there is; new ones are carried again.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Carries nothing any more and closes nothing: to both ends the other one is there and says nothing.
    pub fn freeze(&self) {
        self.frozen.send_replace(true);
    }

    /// How many connections it has carried.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }
}

async fn carry(mut near: TcpStream, port: u16, mut still: watch::Receiver<bool>) {
    if let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await {
        let _ = near.set_nodelay(true);
        let _ = far.set_nodelay(true);
        tokio::select! {
            _ = copy_bidirectional(&mut near, &mut far) => return,
            _ = still.wait_for(|frozen| *frozen) => {}
        }
        // Both are held open, and nobody reads.
        std::future::pending::<()>().await;
    }
}
