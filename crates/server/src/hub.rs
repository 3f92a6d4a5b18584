//! The hub: who is watching, and what are they told?

use std::sync::Arc;

use dashmap::DashMap;
use model::ResponderId;
use tokio::sync::{broadcast, mpsc};
use views::Notice;
use wire::v1::{self, watch_offers_response::Change};

use crate::metrics;

/// Changes a console may fall behind; then it is sent what changed since its last one instead of each step.
const CONSOLE_BACKLOG: usize = 512;
/// Notices an app may fall behind; then its stream is cut, and it watches again.
const RESPONDER_BACKLOG: usize = 64;
/// Streams one responder may have open: a phone, a tablet, and one left over from a lost connection.
const STREAMS_PER_RESPONDER: usize = 4;

/// Everybody who is watching.
pub(crate) struct Hub {
    consoles: broadcast::Sender<Arc<v1::Incident>>,
    responders: DashMap<ResponderId, Vec<mpsc::Sender<Change>>>,
}

impl Hub {
    /// A hub that nobody watches yet.
    pub(crate) fn new() -> Self {
        Self { consoles: broadcast::channel(CONSOLE_BACKLOG).0, responders: DashMap::new() }
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

    /// Consoles and responders watching.
    pub(crate) fn watchers(&self) -> (usize, usize) {
        (self.consoles.receiver_count(), self.responders.len())
    }
}
