//! The board: every incident as the hotline sees it.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use dashmap::DashMap;
use dispatch::{Event, IncidentEvent};
use model::{IncidentId, ResponderId, Timestamp};
use wire::v1;

use crate::{
    snapshot::{self, Snapshot},
    story,
};

/// Closed incidents kept for look-up; older ones are in the journal. About 4 KiB each.
const CLOSED_KEPT: usize = 20_000;

/// Every open incident and the latest closed ones. Readers never wait for each other; one writer folds.
#[derive(Debug, Default)]
pub struct Board {
    incidents: DashMap<IncidentId, Arc<v1::Incident>>,
    bound: DashMap<ResponderId, IncidentId>,
    order: Mutex<Order>,
    open: AtomicUsize,
    head: AtomicU64,
}

/// Which incidents there are, oldest first.
#[derive(Debug, Default)]
struct Order {
    open: BTreeSet<IncidentId>,
    /// Those of the open ones that are the server's own.
    own: BTreeSet<IncidentId>,
    closed: BTreeSet<IncidentId>,
    /// In the order they closed.
    closing: VecDeque<IncidentId>,
}

/// Numbers looked at before the writer gets its turn.
const IDS_AT_A_TIME: usize = 1000;

impl Order {
    /// The next numbers below `end`, newest first; empty when there are none.
    fn below(&self, end: IncidentId) -> Vec<IncidentId> {
        let mut ids: Vec<IncidentId> = [&self.open, &self.closed]
            .into_iter()
            .flat_map(|ids| ids.range(..end).rev().take(IDS_AT_A_TIME).copied())
            .collect();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids.truncate(IDS_AT_A_TIME);
        ids
    }
}

/// One decided record and how it reached the disk.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// Its place in the journal, which becomes the revision of the incidents it changes.
    pub sequence: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// When it was flushed; `None` when the disk refused it.
    pub durable_at: Option<Timestamp>,
    /// What was decided.
    pub events: &'a [Event],
}

impl Board {
    /// Writes a record down and returns the incidents it changed, as they are now.
    pub fn fold(&self, change: Change<'_>) -> Vec<Arc<v1::Incident>> {
        let mut changed: Vec<IncidentId> = Vec::new();
        let mut known = BTreeSet::new();
        for event in change.events {
            if let Event::Incident { incident, event } = event {
                self.fold_one(*incident, change, event);
                if known.insert(*incident) {
                    changed.push(*incident);
                }
            }
        }
        // Whoever reads it finds all of them changed.
        self.head.fetch_max(change.sequence, Ordering::Release);
        changed.into_iter().filter_map(|id| self.get(id)).collect()
    }

    /// Everything up to record `head` is durable after all, since `at`. Returns the incidents that had been shown as not
    /// durable, as they are now.
    pub fn recovered(&self, head: u64, at: Timestamp) -> Vec<Arc<v1::Incident>> {
        let mut recovered = Vec::new();
        for mut entry in self.incidents.iter_mut().filter(|incident| incident.degraded) {
            let incident = Arc::make_mut(&mut entry);
            incident.degraded = false;
            incident.durable_at.get_or_insert(wire::time_to_wire(at));
            incident.revision = incident.revision.max(head);
            recovered.push(Arc::clone(&entry));
        }
        self.head.fetch_max(head, Ordering::Release);
        recovered
    }

    /// The incident, open or lately closed.
    #[must_use]
    pub fn get(&self, id: IncidentId) -> Option<Arc<v1::Incident>> {
        self.incidents.get(&id).map(|incident| Arc::clone(&incident))
    }

    /// The incident that binds a responder by an offer or an assignment.
    #[must_use]
    pub fn incident_of(&self, responder: ResponderId) -> Option<Arc<v1::Incident>> {
        let id = self.bound.get(&responder).map(|id| *id)?;
        self.get(id)
    }

    /// Every incident that is not closed, oldest first.
    #[must_use]
    pub fn open(&self) -> Vec<Arc<v1::Incident>> {
        let ids: Vec<IncidentId> = self.order().open.iter().copied().collect();
        ids.into_iter().filter_map(|id| self.get(id)).collect()
    }

    /// How many are not closed, without the server's own.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Up to `limit` incidents below `before` that `keep` keeps, newest first.
    ///
    /// Looks at a thousand numbers at a time, so that a long search does not hold up the writer.
    pub fn page(
        &self,
        before: Option<IncidentId>,
        limit: usize,
        keep: impl Fn(&v1::Incident) -> bool,
    ) -> Vec<Arc<v1::Incident>> {
        let mut page = Vec::new();
        let mut end = before.unwrap_or(IncidentId(u64::MAX));
        loop {
            let ids = self.order().below(end);
            let Some(last) = ids.last().copied() else { return page };
            end = last;
            for incident in ids.into_iter().filter_map(|id| self.get(id)).filter(|incident| keep(incident)) {
                if page.len() == limit {
                    return page;
                }
                page.push(incident);
            }
        }
    }

    /// The server's own incidents that are not closed.
    #[must_use]
    pub fn own(&self) -> Vec<Arc<v1::Incident>> {
        let ids: Vec<IncidentId> = self.order().own.iter().copied().collect();
        ids.into_iter().filter_map(|id| self.get(id)).collect()
    }

    /// Whether it is an open incident of the server's own.
    #[must_use]
    pub fn is_own(&self, id: IncidentId) -> bool {
        self.order().own.contains(&id)
    }

    /// The revision of the latest change; 0 before the first. What is read afterwards is as it was then, or later.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    /// Everything as it is now, to be written down for [`Board::restore`].
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut incidents = self.page(None, usize::MAX, |_| true);
        incidents.reverse();
        // The latest change need not be one of an incident, and whoever watched has its number.
        Snapshot { incidents, head: self.head() }
    }

    /// The board that [`Board::snapshot`] saw; `None` when the bytes are not such a snapshot.
    #[must_use]
    pub fn restore(bytes: &[u8]) -> Option<Self> {
        let board = Self::default();
        let mut pieces = snapshot::Pieces::of(bytes);
        for incident in pieces.by_ref() {
            let incident = incident?;
            let id = wire::Name::incident("name", &incident.name).ok()?;
            let closed = incident.state() == v1::IncidentState::Closed;
            for responder in bound_to(&incident) {
                board.bound.insert(responder, id);
            }
            board.head.fetch_max(incident.revision, Ordering::Relaxed);
            board.incidents.insert(id, Arc::new(incident));
            board.note_order(id, closed);
        }
        board.head.fetch_max(pieces.head, Ordering::Relaxed);
        Some(board)
    }

    fn fold_one(&self, id: IncidentId, change: Change<'_>, event: &IncidentEvent) {
        if let IncidentEvent::Opened(opened) = event {
            self.incidents.insert(id, Arc::new(story::opened(id, change, opened)));
            self.note_order(id, false);
        }
        // Read before this one is held, because two may lie in the same part of the map.
        let absorbed = if let IncidentEvent::Absorbed { from, .. } = event { self.get(*from) } else { None };
        let Some(mut entry) = self.incidents.get_mut(&id) else { return };
        if let Some(absorbed) = absorbed {
            story::take_alerts(Arc::make_mut(&mut entry), &absorbed);
        }
        story::tell(Arc::make_mut(&mut entry), change, event);
        drop(entry);
        self.note_bound(id, event);
        if let IncidentEvent::Closed { .. } | IncidentEvent::Merged { .. } = event {
            self.note_order(id, true);
        }
    }

    fn note_bound(&self, id: IncidentId, event: &IncidentEvent) {
        if let Some(responder) = event.frees() {
            self.bound.remove_if(&responder, |_, bound| *bound == id);
        }
        if let IncidentEvent::WaveSent(wave) = event {
            for chosen in &wave.chosen {
                self.bound.insert(chosen.responder, id);
            }
        }
    }

    fn note_order(&self, id: IncidentId, closed: bool) {
        let own = self.incidents.get(&id).is_some_and(|incident| incident.watchdog);
        let mut order = self.order();
        if closed {
            order.open.remove(&id);
        }
        if own && closed {
            // Nobody looks it up: what was learned from it is in the metrics.
            order.own.remove(&id);
            drop(order);
            self.incidents.remove(&id);
            return;
        }
        if own {
            order.own.insert(id);
        }
        if closed {
            order.closed.insert(id);
            order.closing.push_back(id);
        } else {
            order.open.insert(id);
        }
        self.open.store(order.open.len() - order.own.len(), Ordering::Relaxed);
        let forgotten = if order.closed.len() > CLOSED_KEPT { order.closing.pop_front() } else { None };
        if let Some(oldest) = forgotten {
            order.closed.remove(&oldest);
        }
        drop(order);
        if let Some(oldest) = forgotten {
            self.incidents.remove(&oldest);
        }
    }

    fn order(&self) -> std::sync::MutexGuard<'_, Order> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whom an incident binds.
fn bound_to(incident: &v1::Incident) -> Vec<ResponderId> {
    let offered = incident.offers.iter().filter(|offer| {
        matches!(offer.state(), v1::OfferState::Sent | v1::OfferState::Delivered | v1::OfferState::Seen)
    });
    let going = incident.assignments.iter().filter(|going| {
        !matches!(going.state(), v1::AssignmentState::Cleared | v1::AssignmentState::Aborted)
    });
    let names = offered.map(|offer| &offer.responder).chain(going.map(|going| &going.responder));
    names.filter_map(|name| wire::Name::responder("responder", name).ok()).collect()
}
