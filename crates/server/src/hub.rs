//! The hub: who is watching, and what are they told?

use std::sync::Arc;

use dashmap::DashMap;
use model::ResponderId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, mpsc};
use views::Notice;
use wire::v1::{self, watch_offers_response::Change};

use crate::metrics;

/// Changes a console may fall behind; then it is sent what changed since its last one instead of each step.
const CONSOLE_BACKLOG: usize = 512;
/// Notices an app may fall behind; then its stream is cut, and it watches again.
const RESPONDER_BACKLOG: usize = 64;
/// Consoles that are sent what there is at the same time; others wait for their turn.
const CATCHING_UP: usize = 2;
/// Streams one responder may have open: a phone, a tablet, and one left over from a lost connection.
const STREAMS_PER_RESPONDER: usize = 4;

/// Everybody who is watching.
pub(crate) struct Hub {
    consoles: broadcast::Sender<Arc<v1::Incident>>,
    responders: DashMap<ResponderId, Vec<mpsc::Sender<Change>>>,
    catching_up: Arc<Semaphore>,
}

impl Hub {
    /// A hub that nobody watches yet.
    pub(crate) fn new() -> Self {
        Self {
            consoles: broadcast::channel(CONSOLE_BACKLOG).0,
            responders: DashMap::new(),
            catching_up: Arc::new(Semaphore::new(CATCHING_UP)),
        }
    }

    /// Tells every console how an incident is now.
    pub(crate) fn tell_consoles(&self, incident: Arc<v1::Incident>) {
        // An error means that no console is watching.
        let _ = self.consoles.send(incident);
    }

    /// Tells one responder. A stream that does not keep up is cut, so that it starts again with what is true.
    pub(crate) fn tell_responder(&self, notice: &Notice) {
        let Some(mut streams) = self.responders.get_mut(&notice.responder) else { return };
        streams.retain(|stream| match stream.try_send(notice.change.clone()) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Closed(_)) => false,
            Err(mpsc::error::TrySendError::Full(_)) => {
                metrics::slow_responder_cut();
                false
            }
        });
    }

    /// Watches all incidents from now on.
    pub(crate) fn watch_incidents(&self) -> broadcast::Receiver<Arc<v1::Incident>> {
        self.consoles.subscribe()
    }

    /// Waits until a console may send some of what it has to catch up with: many that come at once must not take the
    /// processor from whoever presses now. Those who wait get it in the order they came.
    pub(crate) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        Arc::clone(&self.catching_up).acquire_owned().await.ok()
    }

    /// Watches what concerns one responder from now on. The oldest stream is cut when there are too many.
    pub(crate) fn watch_offers(&self, responder: ResponderId) -> mpsc::Receiver<Change> {
        let (sender, receiver) = mpsc::channel(RESPONDER_BACKLOG);
        let mut streams = self.responders.entry(responder).or_default();
        streams.retain(|stream| !stream.is_closed());
        if streams.len() >= STREAMS_PER_RESPONDER {
            streams.remove(0);
        }
        streams.push(sender);
        receiver
    }

    /// Consoles and responders watching. Forgets those whose last stream has ended.
    pub(crate) fn watchers(&self) -> (usize, usize) {
        self.responders.retain(|_, streams| {
            streams.retain(|stream| !stream.is_closed());
            !streams.is_empty()
        });
        (self.consoles.receiver_count(), self.responders.len())
    }
}
