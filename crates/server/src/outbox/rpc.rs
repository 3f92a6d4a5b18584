//! What others may ask of the outbox: how each target is, what waits, and to try again what was given up.

use std::sync::Arc;

use arc_swap::ArcSwap;
use model::{IncidentId, Timestamp};
use tokio::sync::{mpsc, oneshot};

use super::{feed::ReadTrouble, shelf::Kept, target::Target, waiting::Entry};

/// What devices are called among the targets.
pub(crate) const DEVICES: &str = "devices";

/// The way to the outbox.
#[derive(Clone)]
pub(crate) struct Outbox {
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) states: Arc<ArcSwap<Vec<TargetState>>>,
    /// Why the journal cannot be read just now.
    pub(super) trouble: ReadTrouble,
}

/// A wish.
pub(super) enum Request {
    List { listing: Listing, answer: oneshot::Sender<Vec<Listed>> },
    Retry { target: String, key: Option<String>, answer: oneshot::Sender<Option<usize>> },
}

/// Which deliveries to list.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    /// Of all targets when not said.
    pub(crate) target: Option<String>,
    /// Only those that were given up, or only those that were not.
    pub(crate) dead: Option<bool>,
    pub(crate) skip: usize,
    pub(crate) limit: usize,
}

/// One delivery that did not get through yet.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) target: String,
    pub(crate) key: String,
    pub(crate) event: &'static str,
    pub(crate) incident: IncidentId,
    pub(crate) decided_at: Timestamp,
    pub(crate) useful_until: Timestamp,
    pub(crate) tries: u32,
    pub(crate) trouble: String,
    pub(crate) dead_at: Option<Timestamp>,
}

/// How one target is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TargetState {
    pub(crate) name: String,
    pub(crate) waiting: usize,
    pub(crate) dead: usize,
    pub(crate) failing_since: Option<Timestamp>,
    /// So many tries failed that it takes nothing.
    pub(crate) down: bool,
    /// It said that it wants nothing more.
    pub(crate) gone: bool,
}

impl Outbox {
    /// How each webhook is, and after them the devices.
    pub(crate) fn targets(&self) -> Arc<Vec<TargetState>> {
        self.states.load_full()
    }

    /// Lists deliveries; `None` when the outbox has stopped.
    pub(crate) async fn list(&self, listing: Listing) -> Option<Vec<Listed>> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request::List { listing, answer }).await.ok()?;
        answered.await.ok()
    }

    /// Tries dead letters again and returns how many, or that there is no such target; `None` when the outbox has
    /// stopped.
    pub(crate) async fn retry(&self, target: String, key: Option<String>) -> Option<Option<usize>> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request::Retry { target, key, answer }).await.ok()?;
        answered.await.ok()
    }

    /// Whether everything gets through, and in words.
    pub(crate) fn health(&self) -> (bool, String) {
        let unread = self.trouble.load().as_deref().cloned();
        let targets = self.targets();
        let troubles: Vec<String> =
            unread.into_iter().chain(targets.iter().filter_map(TargetState::trouble)).collect();
        if troubles.is_empty() {
            let waiting: usize = targets.iter().map(|target| target.waiting).sum();
            return (true, format!("{waiting} waiting"));
        }
        (false, troubles.join("; "))
    }
}

impl Listed {
    pub(super) fn waiting(target: &str, entry: &Entry) -> Self {
        let delivery = &entry.delivery;
        Self {
            target: target.to_owned(),
            key: delivery.key.text(target),
            event: delivery.telling.event(),
            incident: delivery.incident,
            decided_at: delivery.key.at,
            useful_until: delivery.useful_until,
            tries: entry.tries,
            trouble: entry.trouble.clone(),
            dead_at: None,
        }
    }

    pub(super) fn dead(target: &str, kept: &Kept) -> Self {
        let Kept { delivery, dead } = kept;
        Self {
            target: target.to_owned(),
            key: delivery.key.text(target),
            event: delivery.telling.event(),
            incident: delivery.incident,
            decided_at: delivery.key.at,
            useful_until: delivery.useful_until,
            tries: dead.as_ref().map_or(0, |dead| dead.tries),
            trouble: dead.as_ref().map(|dead| dead.cause.clone()).unwrap_or_default(),
            dead_at: dead.as_ref().map(|dead| dead.at),
        }
    }
}

impl TargetState {
    pub(super) fn of(target: &Target) -> Self {
        Self {
            name: target.name.clone(),
            waiting: target.waiting.len(),
            dead: target.dead.len(),
            failing_since: target.waiting.failing_since(),
            down: target.waiting.is_down(),
            gone: target.gone,
        }
    }

    pub(super) fn devices(waiting: usize) -> Self {
        Self { name: DEVICES.to_owned(), waiting, dead: 0, failing_since: None, down: false, gone: false }
    }

    fn trouble(&self) -> Option<String> {
        let Self { name, waiting, dead, down, gone, .. } = self;
        let mut troubles = Vec::new();
        if *gone {
            troubles.push("answered 410, nothing more is sent".to_owned());
        } else if *down {
            troubles.push(format!("failing, {waiting} waiting"));
        }
        if *dead > 0 {
            troubles.push(format!("{dead} given up: see ListDeliveries, then RetryDeliveries"));
        }
        (!troubles.is_empty()).then(|| format!("{name}: {}", troubles.join(", ")))
    }
}
