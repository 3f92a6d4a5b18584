//! Watching incidents: what is open, then every change, and where to go on after a break.

use std::{collections::HashMap, time::Duration};

use model::IncidentId;
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use wire::{
    Name, time_to_wire,
    v1::{self, watch_incidents_response::Change},
};

use super::App;

/// Changes waiting for one console's socket.
const STREAM_BUFFER: usize = 16;
/// How often a stream shows that it is alive, and how the disk is. A busy one too: a console must know when it may end its
/// red banner.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// One console's stream.
pub(super) struct Watch {
    app: App,
    sender: mpsc::Sender<Result<v1::WatchIncidentsResponse, Status>>,
    /// Revisions sent from the board, and whether they were marked as degraded, until the live changes have caught up.
    sent: HashMap<String, (u64, bool)>,
    /// The highest of them.
    newest: u64,
    /// Everything up to this revision was sent.
    seen: u64,
    /// The node's alerts to itself are wanted too.
    include_watchdog: bool,
}

/// The console went away.
struct Gone;

impl Watch {
    /// A console that has seen everything up to `since`, if that is given.
    pub(super) fn start(
        app: App,
        since: Option<u64>,
        include_watchdog: bool,
    ) -> ReceiverStream<Result<v1::WatchIncidentsResponse, Status>> {
        let (sender, receiver) = mpsc::channel(STREAM_BUFFER);
        let (sent, seen) = (HashMap::new(), since.unwrap_or(0));
        let watch = Self { app, sender, sent, newest: 0, seen, include_watchdog };
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
        // Before the board is read: what changes meanwhile comes live as well.
        let head = self.app.board.head();
        for (revision, id) in self.changed_since(resume.then_some(since)) {
            // Closed long ago, and forgotten meanwhile.
            let Some(incident) = self.app.board.get(id) else { continue };
            self.sent.insert(incident.name.clone(), (incident.revision, incident.degraded));
            self.newest = self.newest.max(incident.revision);
            // One record may have changed several: a break must resume before it. Of a snapshot, before all.
            let sent_until = if resume { revision.saturating_sub(1).max(since) } else { 0 };
            let response = v1::WatchIncidentsResponse {
                change: Some(Change::Incident(v1::Incident::clone(&incident))),
                resume_token: sent_until.to_string(),
            };
            drop(incident);
            self.sender.send(Ok(response)).await.map_err(|_| Gone)?;
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
        let wanted = incidents.iter().filter(|incident| self.include_watchdog || !incident.watchdog);
        let numbered = wanted
            .filter_map(|incident| Some((incident.revision, Name::incident("name", &incident.name).ok()?)));
        let mut numbered: Vec<_> = numbered.collect();
        if since.is_some() {
            numbered.sort_unstable();
        }
        numbered
    }

    async fn tell(&mut self, incident: &v1::Incident) -> Result<(), Gone> {
        // After the disk has recovered an incident comes once more as it was, without its mark.
        let known = self.sent.get(&incident.name).is_some_and(|(revision, degraded)| {
            *revision > incident.revision || *revision == incident.revision && *degraded == incident.degraded
        });
        let unwanted = incident.watchdog && !self.include_watchdog;
        if unwanted || known {
            return Ok(());
        }
        // One record may change several incidents: until a later one comes, a break must resume before it.
        self.seen = self.seen.max(incident.revision.saturating_sub(1));
        if incident.revision > self.newest {
            // A catch-up may have made it large.
            self.sent = HashMap::new();
        }
        self.send(Change::Incident(incident.clone())).await
    }

    async fn send(&self, change: Change) -> Result<(), Gone> {
        let response =
            v1::WatchIncidentsResponse { change: Some(change), resume_token: self.seen.to_string() };
        self.sender.send(Ok(response)).await.map_err(|_| Gone)
    }
}
