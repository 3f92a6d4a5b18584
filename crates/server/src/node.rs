//! The node: the parts that the services share, and how each of them is.

use std::{
    net::SocketAddr,
    sync::{Arc, Weak},
    time::Duration,
};

use frontdoor::FrontDoor;
use journal::{Health as Flushing, Journal};
use roster::Roster;
use tokio_util::sync::CancellationToken;
use views::{Board, Directory};

use crate::{
    clock::Clock,
    engine::Engine,
    gate::Gate,
    hub::Hub,
    ingest::Ingest,
    link::Link,
    metrics::{self, Levels},
    outbox::Outbox,
    outlet::Settled,
    policies::Policies,
    presence::Presence,
    registrar::{Flushed, Registrar},
    watchdog::Watchdog,
};

/// The parts that the services share.
pub(crate) struct Node {
    pub(crate) clock: Clock,
    pub(crate) gate: Arc<Gate>,
    pub(crate) engine: Engine,
    pub(crate) registrar: Registrar,
    pub(crate) board: Arc<Board>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) roster: Arc<Roster>,
    pub(crate) policies: Policies,
    pub(crate) presence: Arc<Presence>,
    pub(crate) watchdog: Arc<Watchdog>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) ingest: Arc<Ingest>,
    pub(crate) door: Arc<FrontDoor>,
    pub(crate) links: Vec<Link>,
    pub(crate) outbox: Outbox,
    pub(crate) journals: Journals,
    pub(crate) http_addr: SocketAddr,
    /// Cancelled when the server stops: streams end, and nothing new is taken.
    pub(crate) stop: CancellationToken,
}

/// The journals, to ask whether they still make records durable. Their threads own them.
#[derive(Clone)]
pub(crate) struct Journals {
    pub(crate) dispatch: Weak<Journal<Settled>>,
    pub(crate) registry: Weak<Journal<Flushed>>,
}

/// How the node is.
#[derive(Debug, Clone)]
pub(crate) struct Health {
    pub(crate) ready: bool,
    pub(crate) degraded: bool,
    pub(crate) parts: Vec<Part>,
}

/// How one part is.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) healthy: bool,
    pub(crate) detail: String,
}

/// Jobs that wait for so long without one being taken: the engine's thread is stuck.
const STALLED: Duration = Duration::from_secs(2);

fn dispatching(room: usize, stalled: Duration) -> String {
    if stalled < STALLED {
        return format!("room for {room} jobs");
    }
    let ago = stalled.as_secs();
    format!(
        "room for {room} jobs, and none was taken for {ago} s: the engine or the disk hangs; restart the server"
    )
}

impl Node {
    /// How each part is. A broker that is away does not make the node unready: devices at the front door go on.
    pub(crate) fn health(&self) -> Health {
        let part = |name: &str, healthy, detail: String| Part { name: name.to_owned(), healthy, detail };
        let journal = |name: &str, flushing: Option<Flushing>| match flushing {
            Some(Flushing::Durable) => part(name, true, "flushing".to_owned()),
            Some(Flushing::OnReserve) => part(
                name,
                true,
                "flushing, but the disk is full and its reserve is used up: make room".to_owned(),
            ),
            Some(Flushing::Degraded(failure)) => part(name, false, failure.to_string()),
            None => part(name, false, "closed".to_owned()),
        };
        let (room, stalled) = (self.engine.room(), self.engine.stalled());
        let mut parts = vec![
            part("dispatch", room > 0 && stalled < STALLED, dispatching(room, stalled)),
            part(
                "policy",
                true,
                format!("version {} of {}", self.policies.current().version(), self.policies.source()),
            ),
            journal("dispatch journal", self.journals.dispatch.upgrade().map(|journal| journal.health())),
            journal("registry journal", self.journals.registry.upgrade().map(|journal| journal.health())),
            journal("access journal", self.gate.health()),
            part("front door", true, format!("listening on {}", self.door.local_addr())),
        ];
        parts.extend(self.watchdog.part());
        let stopping = self.stop.is_cancelled();
        let degraded = parts.iter().any(|part| part.name.ends_with("journal") && !part.healthy);
        let ready = !stopping && parts.iter().all(|part| part.healthy);
        parts.extend(self.links.iter().map(|link| {
            let detail = match (link.is_up(), degraded) {
                (true, false) => "connected",
                (true, true) => {
                    "connected now and then; the disk refuses, nothing is acknowledged, and the broker keeps it"
                }
                (false, _) => "away; trying again",
            };
            part(&format!("link {}", link.name()), link.is_up() && !degraded, detail.to_owned())
        }));
        // Alerts are judged by the machine's clock all the same.
        parts.extend(self.clock.trouble().map(|told| part("clock", false, told)));
        // Alerts are taken and dispatched all the same.
        let (healthy, detail) = self.outbox.health();
        parts.push(part("notifications", healthy, detail));
        Health { ready, degraded, parts }
    }

    /// Whether alerts are shown and dispatched from memory only, because the disk refuses.
    pub(crate) fn is_degraded(&self) -> bool {
        let journal = self.journals.dispatch.upgrade();
        journal.is_some_and(|journal| matches!(journal.health(), Flushing::Degraded(_)))
    }

    /// Sets the metrics that are read rather than counted.
    pub(crate) fn measure(&self) {
        let (consoles, responders) = self.hub.watchers();
        let levels = Levels {
            incidents_open: self.board.open_count(),
            devices_online: self.presence.online(),
            consoles,
            responders,
            engine_room: self.engine.room(),
            clock_ahead: self.clock.ahead(),
        };
        metrics::levels(&levels, self.door.counters());
    }
}
