//! Server: what runs around the pure crates, as the engine does it, on a disk whose tail can be lost.
//!
//! What is decided is appended to the journal; only what was flushed survives a crash for certain. After a crash the
//! state comes from the journal, or from a snapshot and the records after it, and the roster from the registry's list of
//! people and [`dispatch::catch_up`].

use dispatch::{Command, Decision, Event, Rejection, State, catch_up, decide, follow};
use model::{Metres, ResponderId, Timestamp};
use roster::{Roster, Size};

use crate::{
    people::Responder,
    record::{self, Record},
    rules::rules,
};

/// The edge of a cell of the roster: few people, far apart.
const CELL: Metres = Metres(4_096);

/// A server with its journal.
pub struct Server {
    /// Everything open.
    pub state: State,
    /// Who is where.
    pub roster: Roster,
    /// Which of the [`rules`] are in force.
    pub policy: usize,
    slots: u32,
    freed: Vec<ResponderId>,
    journal: Vec<Record>,
    flushed: usize,
    snapshot: Option<(usize, Vec<u8>)>,
}

impl Server {
    /// A server with an empty journal and everybody enrolled, off duty.
    #[must_use]
    pub fn new(responders: &[Responder], policy: usize) -> Self {
        let slots = responders.len() as u32 + 1;
        let roster = Roster::new(Size { responders: slots, cell: CELL });
        let server = Self {
            state: State::default(),
            roster,
            policy,
            slots,
            freed: Vec::new(),
            journal: Vec::new(),
            flushed: 0,
            snapshot: None,
        };
        server.enrol(responders);
        server
    }

    fn enrol(&self, responders: &[Responder]) {
        for responder in responders {
            // There is a slot for each of them.
            let _ = self.roster.enrol(responder.id, responder.member);
            if let Some((place, at)) = responder.known_fix {
                self.roster.report(responder.id, place, at);
            }
        }
    }

    /// Decides `command` and does what follows from it. The events wait for the next flush.
    ///
    /// # Errors
    /// The core's own rejection.
    pub fn decide(&mut self, now: Timestamp, command: Command) -> Result<Decision, Rejection> {
        let decision = decide(&self.state, &self.roster, &rules(self.policy).policy, now, command)?;
        for event in &decision.events {
            self.state.evolve(now, event);
            follow(&self.roster, &self.state, event);
            self.freed.extend(event.frees());
        }
        if !decision.events.is_empty() {
            self.journal.push(record::write(now, &decision.events));
        }
        Ok(decision)
    }

    /// Who became free since this was asked last.
    pub fn take_freed(&mut self) -> Vec<ResponderId> {
        std::mem::take(&mut self.freed)
    }

    /// Records that a crash may lose.
    #[must_use]
    pub fn unflushed(&self) -> usize {
        self.journal.len() - self.flushed
    }

    /// Everything decided so far is on the disk.
    pub fn flush(&mut self) {
        self.flushed = self.journal.len();
    }

    /// Writes a snapshot of the state, which must be on the disk as a whole.
    pub fn keep_snapshot(&mut self) {
        if self.unflushed() == 0 {
            self.snapshot = postcard::to_stdvec(&self.state).ok().map(|bytes| (self.journal.len(), bytes));
        }
    }

    /// Dies, and starts again from what is on the disk, which it returns: of the records not flushed the first `kept` are
    /// there by luck.
    ///
    /// # Errors
    /// What is wrong with what was read back.
    pub fn crash(
        &mut self,
        kept: usize,
        responders: &[Responder],
        from_snapshot: bool,
    ) -> Result<Vec<(Timestamp, Event)>, String> {
        self.journal.truncate(self.flushed + kept);
        self.flush();
        self.freed.clear();
        let events = self.read()?;
        self.state = replay(&events);
        if let (Some((records, bytes)), true) = (&self.snapshot, from_snapshot) {
            let mut state: State = postcard::from_bytes(bytes).map_err(|error| error.to_string())?;
            write_down(&mut state, &read(&self.journal[*records..])?);
            if state != self.state {
                return Err("a snapshot and the records after it give another state".to_owned());
            }
            self.state = state;
        }
        self.roster = Roster::new(Size { responders: self.slots, cell: CELL });
        self.enrol(responders);
        catch_up(&self.roster, &self.state);
        Ok(events)
    }

    /// Everything on the disk and on its way there.
    ///
    /// # Errors
    /// A record that cannot be read.
    pub fn read(&self) -> Result<Vec<(Timestamp, Event)>, String> {
        read(&self.journal)
    }

    /// Tells one journal from another, to the byte.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for record in &self.journal {
            hasher.update(&(record.len() as u64).to_le_bytes()).update(record);
        }
        hasher.finalize().to_hex()[..16].to_owned()
    }
}

/// The state that `events` give.
#[must_use]
pub fn replay(events: &[(Timestamp, Event)]) -> State {
    let mut state = State::default();
    write_down(&mut state, events);
    state
}

fn write_down(state: &mut State, events: &[(Timestamp, Event)]) {
    for (at, event) in events {
        state.evolve(*at, event);
    }
}

fn read(records: &[Record]) -> Result<Vec<(Timestamp, Event)>, String> {
    let mut read = Vec::new();
    for record in records {
        let (at, events) = record::read(record)?;
        read.extend(events.into_iter().map(|event| (at, event)));
    }
    Ok(read)
}
