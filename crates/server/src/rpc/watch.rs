//! Watching incidents: what is open, then every change, and where to go on after a break.

use std::{collections::HashMap, time::Duration};

use access::Permission;
use model::IncidentId;
use tokio::sync::{OwnedSemaphorePermit, broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use wire::{
    Name, time_to_wire,
    v1::{self, watch_incidents_response::Change},
};

use super::{App, scope::of_incident};
use crate::{gate::Caller, hub::Hub};

/// Changes waiting for one console's socket.
const STREAM_BUFFER: usize = 16;
/// How often a stream shows that it is alive, and how the disk is. A busy one too: a console must know when it may end its
/// red banner.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Incidents that one console is sent before it is the turn of others who have as much to catch up with.
const TURN: usize = 100;
/// How long a console may leave its turn unused because it does not read.
const TURN_WAITS: Duration = Duration::from_millis(50);

/// One console's stream.
pub(super) struct Watch {
    app: App,
    sender: mpsc::Sender<Result<v1::WatchIncidentsResponse, Status>>,
    sent: Sent,
    /// Everything up to this revision was sent.
    seen: u64,
    /// The node's alerts to itself are wanted too.
    include_watchdog: bool,
    /// Who looks; they are sent what they may see.
    caller: Caller,
}

/// The console went away.
struct Gone;

impl Watch {
    /// A console that has seen everything up to `since`, if that is given.
    pub(super) fn start(
        app: App,
        caller: Caller,
        since: Option<u64>,
        include_watchdog: bool,
    ) -> ReceiverStream<Result<v1::WatchIncidentsResponse, Status>> {
        let (sender, receiver) = mpsc::channel(STREAM_BUFFER);
        let (sent, seen) = (Sent::default(), since.unwrap_or(0));
        let watch = Self { app, sender, sent, seen, include_watchdog, caller };
        tokio::spawn(watch.run(since.is_some()));
        ReceiverStream::new(receiver)
    }

    async fn run(mut self, resume: bool) {
        // Live changes are collected from before the board is read, so that none falls between the two.
        let mut live = self.app.hub.watch_incidents();
        // A token from before the data was replaced says nothing; then everything open is sent.
        let resume = resume && self.seen <= self.app.board.head();
        if !resume {
            self.seen = 0;
        }
        let begun = self.catch_up(resume).await;
        if begun.is_err() || self.send(Change::SnapshotEnd(v1::SnapshotEnd {})).await.is_err() {
            return;
        }
        let mut beats = super::beats(HEARTBEAT);
        loop {
            let changed = tokio::select! {
                () = self.app.stop.cancelled() => {
                    let _ = self.sender.send(Err(super::stopping(crate::engine::Stopped))).await;
                    return;
                }
                () = self.sender.closed() => return,
                _ = beats.tick() => None,
                changed = live.recv() => Some(changed),
            };
            let told = match changed {
                Some(Ok(incident)) => self.tell(&incident).await,
                // Too slow for each step: what is true now is sent instead.
                Some(Err(broadcast::error::RecvError::Lagged(_))) => self.catch_up(true).await,
                Some(Err(broadcast::error::RecvError::Closed)) => return,
                None => {
                    let at = Some(time_to_wire(self.app.clock.now()));
                    let degraded = self.app.is_degraded();
                    self.send(Change::Heartbeat(v1::Heartbeat { at, degraded })).await
                }
            };
            if told.is_err() {
                return;
            }
        }
    }

    /// Sends what the board shows: everything open, or on resuming everything that changed since.
    ///
    /// Each is sent as it is when its turn comes, which for a slow console may be long after it was found, and only its
    /// number waits: what many slow consoles wait for does not fill the memory.
    async fn catch_up(&mut self, resume: bool) -> Result<(), Gone> {
        let since = if resume { self.seen } else { 0 };
        // To look through the board is work as well.
        let mut turn = Turn::of(&self.app.hub).await;
        // Before the board is read: what changes meanwhile comes live as well.
        let head = self.app.board.head();
        self.sent.begin(head);
        for (revision, id) in self.changed_since(resume.then_some(since)) {
            let room = turn.take(&self.sender).await?;
            // Closed long ago, and forgotten meanwhile.
            let Some(incident) = self.app.board.get(id) else { continue };
            self.sent.note(id, &incident);
            // One record may have changed several: a break must resume before it. Of a snapshot, before all.
            let sent_until = if resume { revision.saturating_sub(1).max(since) } else { 0 };
            let response = v1::WatchIncidentsResponse {
                change: Some(Change::Incident(v1::Incident::clone(&incident))),
                resume_token: sent_until.to_string(),
            };
            room.send(Ok(response));
        }
        self.seen = head.max(since);
        Ok(())
    }

    /// What changed after `since`, in that order, so that a break resumes where it was: all that changed until then has been
    /// sent. Without it, everything open, oldest first.
    fn changed_since(&self, since: Option<u64>) -> Vec<(u64, IncidentId)> {
        let board = &self.app.board;
        let incidents = match since {
            Some(since) => board.page(None, usize::MAX, |incident| incident.revision > since),
            None => board.open(),
        };
        let wanted = incidents.iter().filter(|incident| self.wants(incident));
        let numbered = wanted
            .filter_map(|incident| Some((incident.revision, Name::incident("name", &incident.name).ok()?)));
        let mut numbered: Vec<_> = numbered.collect();
        if since.is_some() {
            numbered.sort_unstable();
        }
        numbered
    }

    fn wants(&self, incident: &v1::Incident) -> bool {
        let is_wanted = self.include_watchdog || !incident.watchdog;
        is_wanted && self.caller.may(Permission::IncidentsRead, &of_incident(incident))
    }

    async fn tell(&mut self, incident: &v1::Incident) -> Result<(), Gone> {
        if !self.wants(incident) || self.sent.knows(incident) {
            return Ok(());
        }
        // One record may change several incidents: until a later one comes, a break must resume before it.
        self.seen = self.seen.max(incident.revision.saturating_sub(1));
        self.send(Change::Incident(incident.clone())).await
    }

    async fn send(&self, change: Change) -> Result<(), Gone> {
        let response =
            v1::WatchIncidentsResponse { change: Some(change), resume_token: self.seen.to_string() };
        self.sender.send(Ok(response)).await.map_err(|_| Gone)
    }
}

/// Whose turn it is to be sent what there is.
struct Turn<'a> {
    hub: &'a Hub,
    held: Option<OwnedSemaphorePermit>,
    /// Incidents it may still send in this turn.
    left: usize,
}

impl<'a> Turn<'a> {
    async fn of(hub: &'a Hub) -> Self {
        Self { hub, held: hub.turn().await, left: TURN }
    }

    /// Waits until there is room for one more, and it is this console's turn. Nobody waits for a console that does not read:
    /// it gives its turn away.
    async fn take<'s, T>(&mut self, sender: &'s mpsc::Sender<T>) -> Result<mpsc::Permit<'s, T>, Gone> {
        if self.left == 0 {
            self.held = None;
        }
        let room = match tokio::time::timeout(TURN_WAITS, sender.reserve()).await {
            Ok(room) => room,
            Err(_) => {
                self.held = None;
                sender.reserve().await
            }
        };
        if self.held.is_none() {
            self.held = self.hub.turn().await;
            self.left = TURN;
        }
        self.left -= 1;
        room.map_err(|_| Gone)
    }
}

/// What was sent from the board and still comes live as well.
///
/// Only what changed while it was being sent is remembered by number, and no longer than until the next time: a console that
/// lags for ever does not fill the memory.
#[derive(Debug, Default)]
struct Sent {
    /// Everything before this revision was sent, as it was then or later.
    before: u64,
    /// Revisions sent from this one on, and whether they were marked as degraded.
    after: HashMap<IncidentId, (u64, bool)>,
    /// The highest of them.
    newest: u64,
}

impl Sent {
    /// The board is about to be sent; `head` is the revision it had before it was read.
    fn begin(&mut self, head: u64) {
        self.before = self.before.max(head);
        self.after.retain(|_, (revision, _)| *revision >= self.before);
        self.after.shrink_to_fit();
    }

    fn note(&mut self, id: IncidentId, incident: &v1::Incident) {
        if incident.revision >= self.before {
            self.after.insert(id, (incident.revision, incident.degraded));
            self.newest = self.newest.max(incident.revision);
        }
    }

    /// Whether a live change was sent already, or something later.
    fn knows(&mut self, incident: &v1::Incident) -> bool {
        if incident.revision > self.newest {
            // The live changes have caught up.
            self.after = HashMap::new();
        }
        let known = || self.after.get(&Name::incident("name", &incident.name).ok()?);
        incident.revision < self.before
            // After the disk has recovered an incident comes once more as it was, without its mark.
            || known().is_some_and(|(revision, degraded)| {
                *revision > incident.revision || *revision == incident.revision && *degraded == incident.degraded
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incident(id: u64, revision: u64, degraded: bool) -> v1::Incident {
        v1::Incident { name: format!("incidents/{id}"), revision, degraded, ..Default::default() }
    }

    #[test]
    fn a_console_that_always_lags_holds_little() {
        let mut sent = Sent::default();
        for round in 1..1000 {
            let head = round * 100;
            sent.begin(head);
            // A hundred others each time; the last of them changed while they were being sent.
            for id in head..head + 100 {
                sent.note(
                    IncidentId(id),
                    &incident(id, if id < head + 90 { head - 1 } else { head + 1 }, false),
                );
            }
            assert!(sent.after.len() <= 20, "{} after round {round}", sent.after.len());
        }
    }

    #[test]
    fn a_change_that_was_sent_from_the_board_is_not_sent_again() {
        let mut sent = Sent::default();
        sent.begin(10);
        sent.note(IncidentId(1), &incident(1, 7, false));
        sent.note(IncidentId(2), &incident(2, 12, false));
        sent.note(IncidentId(3), &incident(3, 10, true));
        assert!(sent.knows(&incident(1, 7, false)) && sent.knows(&incident(1, 5, false)));
        assert!(sent.knows(&incident(2, 11, false)) && sent.knows(&incident(2, 12, false)));
        assert!(sent.knows(&incident(3, 10, true)));
        assert!(!sent.knows(&incident(3, 10, false)), "it lost its mark");
        assert!(!sent.knows(&incident(1, 11, false)), "it came while others were being sent");
        assert!(!sent.knows(&incident(2, 13, false)), "it is later than all that was sent");
        assert!(sent.after.is_empty());
    }
}
