//! Who may connect, and how does the front door close?

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    net::{TcpListener, TcpStream, ToSocketAddrs},
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};

use crate::{Counters, Intake, Limits, counters::count, door::Door, login, receipts::Tracked};

/// Pause after the operating system refused us a connection, so that we do not spin while it is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// What a graceful end may take beyond [`Limits::ack_deadline`]: last words and closing.
const FAREWELL: Duration = Duration::from_secs(2);

/// The MQTT listener.
///
/// Bound first and run later, so that the [`Intake`] given to [`run`](Self::run) can itself publish receipts.
pub struct FrontDoor {
    door: Arc<Door>,
    local_addr: SocketAddr,
    listener: Mutex<Option<TcpListener>>,
}

impl FrontDoor {
    /// Listens on `addr`. Devices can connect from now on and are served once it [`run`](Self::run)s.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound, or when [`Limits::in_flight`] is 0.
    pub async fn bind(addr: impl ToSocketAddrs, limits: Limits) -> io::Result<Self> {
        if limits.in_flight == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "in_flight is 0: set it to 1 or more"));
        }
        let listener = TcpListener::bind(addr).await?;
        let local_addr = listener.local_addr()?;
        Ok(Self { door: Arc::new(Door::new(limits)), local_addr, listener: Mutex::new(Some(listener)) })
    }

    /// The bound address.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.door.counters
    }

    /// Sends a message to every connected device whose filters match `topic`, and returns how many these are.
    ///
    /// QoS 1 where the device subscribed with 1 or more. It is sent once and not kept: neither for devices that are
    /// away nor across a connection. Never waits; callable from any thread. A topic with a wildcard or NUL reaches
    /// nobody.
    #[allow(clippy::needless_pass_by_value, reason = "the caller gives the payload away")]
    pub fn publish(&self, topic: &str, payload: Bytes) -> usize {
        self.door.publish(topic, &payload, None)
    }

    /// As [`publish`](Self::publish), and says once what became of the message: `told(true)` when a device has
    /// acknowledged it, or it was written to one that subscribed with QoS 0; `told(false)` when nobody is there, or the
    /// last connection that was to send it has ended without an acknowledgement.
    ///
    /// `told` is called on any thread, maybe before this returns; it must not wait.
    #[allow(clippy::needless_pass_by_value, reason = "the caller gives the payload away")]
    pub fn publish_tracked(
        &self,
        topic: &str,
        payload: Bytes,
        told: impl Fn(bool) + Send + Sync + 'static,
    ) -> usize {
        let tracked = Arc::new(Tracked::new(told));
        self.door.publish(topic, &payload, Some(&tracked))
    }

    /// Serves devices until `shutdown` is done, then ends gracefully.
    ///
    /// The end: no new connections, nothing more is read, acknowledgements that become durable within
    /// [`Limits::ack_deadline`] still leave, v5 devices are told, and everything is closed. Returns at once when called
    /// a second time.
    pub async fn run<I: Intake>(&self, intake: Arc<I>, shutdown: impl Future<Output = ()>) {
        let Some(listener) = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        let mut connections = JoinSet::new();
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => self.receive(stream, peer, &intake, &mut connections),
                    Err(_) => {
                        count(&self.door.counters.accept_errors);
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(listener);
        self.door.shutdown.cancel();
        self.door.clients.close_all();
        let until = Instant::now() + self.door.limits.ack_deadline + FAREWELL;
        while let Ok(Some(_)) = timeout_at(until, connections.join_next()).await {}
        connections.shutdown().await;
    }

    fn receive<I: Intake>(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        intake: &Arc<I>,
        connections: &mut JoinSet<()>,
    ) {
        let counters = &self.door.counters;
        count(&counters.connections_total);
        let open = counters.connections_now.load(Ordering::Relaxed);
        if usize::try_from(open).is_ok_and(|open| open >= self.door.limits.max_connections) {
            count(&counters.refused_full);
            return;
        }
        // Without it small answers wait for the device's delayed ack; a stream that refuses is served all the same.
        let _ = stream.set_nodelay(true);
        counters.connections_now.fetch_add(1, Ordering::Relaxed);
        let open = Open(Arc::clone(&self.door));
        let intake = Arc::clone(intake);
        connections.spawn(async move { login::serve(&open.0, &*intake, stream, peer).await });
    }
}

/// Counts an open connection down, whatever way it ends.
struct Open(Arc<Door>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.counters.connections_now.fetch_sub(1, Ordering::Relaxed);
    }
}
