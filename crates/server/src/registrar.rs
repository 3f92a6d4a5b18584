//! The registrar: one thread that owns the registry, beside the path of alerts.
//!
//! A wish is decided, flushed to the registry's own journal, and only then seen by anybody: the records, the directory
//! that alerts are looked up in, the roster, and the state store. An import of a whole county runs here and delays no
//! alert.

use std::{
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
    thread,
};

use journal::{Journal, Notice, Outcome, Sequence};
use model::Timestamp;
use registry::{Command, Event, Rejection, State};
use roster::{Member, Roster};
use store::{Change, Store};
use tokio::sync::{Notify, mpsc, oneshot};
use views::{Directory, Finder};

use crate::{
    clock::Clock,
    engine::{Alarm, Stopped},
    metrics,
};

/// Wishes that may wait; then callers wait.
const QUEUE: usize = 64;
/// Events written down before readers get their turn.
const EVENTS_AT_A_TIME: usize = 1000;
/// The stream's name in the state store.
const STREAM: &str = "registry";

/// Why a wish was not granted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// By the rules of the registry.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// It would be one record of the journal, and such a record is bounded.
    #[error(
        "its records take {bytes} bytes, and {limit} can be entered at once: nothing was entered; split the file"
    )]
    TooLong {
        /// How long the record would be.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// The disk refused it, and it waits in memory.
    #[error(
        "the registry's journal cannot write it ({0}). It is entered as soon as the disk takes it, unless the server \
         is restarted before: look before you ask again"
    )]
    NotDurable(String),
    /// An earlier one waits for the disk. What it comes to decides about this one.
    #[error("nothing was entered, because the registry's journal still waits for its disk: ask again later")]
    Waiting,
    /// The server is stopping.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// The way in, and the records to read.
#[derive(Clone)]
pub(crate) struct Registrar {
    wishes: mpsc::Sender<Wish>,
    state: Arc<RwLock<State>>,
    finder: Arc<Finder>,
}

struct Wish {
    command: Command,
    /// Only says what would be entered.
    rehearsal: bool,
    done: oneshot::Sender<Result<Vec<Event>, Refused>>,
}

impl Registrar {
    /// Asks for `command`, and waits until it is flushed and seen everywhere.
    pub(crate) async fn ask(&self, command: Command) -> Result<Vec<Event>, Refused> {
        self.send(command, false).await
    }

    /// Says whether `command` would be granted. Runs on the registrar's thread, so that no writer waits for its reading.
    pub(crate) async fn rehearse(&self, command: Command) -> Result<(), Refused> {
        self.send(command, true).await.map(drop)
    }

    async fn send(&self, command: Command, rehearsal: bool) -> Result<Vec<Event>, Refused> {
        let (done, answer) = oneshot::channel();
        self.wishes.send(Wish { command, rehearsal, done }).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)?
    }

    /// Finds elders by what somebody says.
    pub(crate) fn finder(&self) -> &Finder {
        &self.finder
    }

    /// The records. Hold it briefly, and never across an await.
    pub(crate) fn records(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was decided and refused by the disk. It waits in the journal's memory and may come to be written, so that nothing
/// may be decided as if it were not.
pub(crate) struct Unsettled {
    sequence: Sequence,
    at: Timestamp,
    events: Vec<Event>,
}

/// Everything the registrar's thread works with.
pub(crate) struct Books {
    pub(crate) state: Arc<RwLock<State>>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) finder: Arc<Finder>,
    pub(crate) roster: Arc<Roster>,
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Clock,
    pub(crate) journal: Arc<Journal<Flushed>>,
    /// Told when the journal's disk takes records again.
    pub(crate) recovered: Arc<Notify>,
    pub(crate) unsettled: Option<Unsettled>,
}

/// Takes the news that a record is flushed, or not.
pub(crate) type Flushed = std::sync::mpsc::SyncSender<Outcome>;

/// What the registry's journal does with a flushed group, and with the news that its disk has recovered.
pub(crate) fn take(notice: Notice<'_, Flushed>, recovered: &Notify) {
    match notice {
        Notice::Released(group) => {
            for released in group.drain(..) {
                // The registrar waits for exactly this, unless its thread is gone.
                let _ = released.token.send(released.outcome);
            }
        }
        Notice::Recovered { head } => {
            metrics::recovered("registry", head);
            recovered.notify_one();
        }
    }
}

/// Starts the registrar's thread; it ends when every [`Registrar`] is gone or `stop` is cancelled.
pub(crate) fn start(
    mut books: Books,
    stop: tokio_util::sync::CancellationToken,
) -> std::io::Result<(Registrar, thread::JoinHandle<Books>)> {
    let (wishes, mut waiting) = mpsc::channel::<Wish>(QUEUE);
    let (state, finder) = (Arc::clone(&books.state), Arc::clone(&books.finder));
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let thread = thread::Builder::new().name("registry".to_owned()).spawn(move || {
        let _alarm = Alarm(stop.clone());
        let recovered = Arc::clone(&books.recovered);
        loop {
            let next = runtime.block_on(async {
                tokio::select! {
                    () = stop.cancelled() => Next::End,
                    () = recovered.notified() => Next::Settle,
                    wish = waiting.recv() => wish.map_or(Next::End, |wish| Next::Wish(Box::new(wish))),
                }
            });
            match next {
                Next::Wish(wish) => {
                    let granted = books.grant(wish.command, wish.rehearsal);
                    // The caller may have gone away; what was entered stays entered.
                    let _ = wish.done.send(granted);
                }
                // Whoever asked was told that it would come to this.
                Next::Settle => drop(books.settle()),
                Next::End => break,
            }
        }
        books
    })?;
    Ok((Registrar { wishes, state, finder }, thread))
}

/// What the registrar's thread does next.
enum Next {
    Wish(Box<Wish>),
    Settle,
    End,
}

impl Books {
    /// Enters what had to wait for the disk, if that is written by now.
    fn settle(&mut self) -> Result<(), Refused> {
        let durable = self.journal.durable();
        if self.unsettled.as_ref().is_some_and(|unsettled| unsettled.sequence > durable) {
            return Err(Refused::Waiting);
        }
        if let Some(Unsettled { sequence, at, events }) = self.unsettled.take() {
            self.enter(sequence, at, &events);
        }
        Ok(())
    }

    fn grant(&mut self, command: Command, rehearsal: bool) -> Result<Vec<Event>, Refused> {
        self.settle()?;
        let now = self.clock.now();
        let events = {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            registry::decide(&state, now, command)?
        };
        if events.is_empty() {
            return Ok(events);
        }
        let record = wire::registry_record(now, &events);
        let limit = journal::Options::default().max_record_bytes;
        if record.len() > limit {
            return Err(Refused::TooLong { bytes: record.len(), limit });
        }
        if rehearsal {
            return Ok(events);
        }
        let (flushed, outcome) = std::sync::mpsc::sync_channel(1);
        let refused = |cause: String| Refused::NotDurable(cause);
        let sequence = self.journal.append(&record, flushed).map_err(|error| refused(error.to_string()))?;
        match outcome.recv() {
            Ok(Outcome::Durable) => {}
            Ok(Outcome::NotDurable(failure)) => {
                metrics::not_durable("registry", &failure);
                self.unsettled = Some(Unsettled { sequence, at: now, events });
                return Err(refused(failure.to_string()));
            }
            Err(_) => return Err(Stopped.into()),
        }
        self.enter(sequence, now, &events);
        Ok(events)
    }

    /// Has everybody see what is written in the journal.
    fn enter(&self, sequence: Sequence, at: Timestamp, events: &[Event]) {
        for some in events.chunks(EVENTS_AT_A_TIME) {
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            some.iter().for_each(|event| state.evolve(event));
            drop(state);
            some.iter().for_each(|event| self.spread(event));
        }
        self.remember(sequence.0, at, events);
    }

    /// Tells the directory, the finder and the roster.
    fn spread(&self, event: &Event) {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        self.spread_with(&state, event);
    }

    fn spread_with(&self, state: &State, event: &Event) {
        let shared = match event {
            Event::ElderCreated(elder) => state.shared_elder(elder.id),
            Event::OrgUnitCreated(_)
            | Event::ProviderCreated(_)
            | Event::ResponderCreated(_)
            | Event::DeviceCreated(_)
            | Event::DeviceBound(_)
            | Event::DeviceUnbound { .. } => None,
        };
        match shared {
            Some(elder) => self.directory.enter(elder),
            None => self.directory.fold(event),
        }
        self.finder.fold(event);
        if let Event::ResponderCreated(responder) = event {
            let member = Member {
                skills: responder.skills,
                base: state.base_of(responder.id),
                org_unit: Some(responder.org_unit),
                travels: responder.travels,
                certificates: responder.certificates,
            };
            if let Err(error) = self.roster.enrol(responder.id, member) {
                tracing::error!(%error, "raise max_responders in the configuration and start again");
            }
        }
    }

    /// Tells the directory, the finder and the roster everything, at the start.
    pub(crate) fn spread_all(&self) {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let elders = state.elders(None).cloned().map(Event::ElderCreated);
        let devices = state.devices(None).cloned().map(Event::DeviceCreated);
        let bound = state.devices(None).filter_map(|device| state.binding_of(&device.id)).cloned();
        let responders = state.responders(None).cloned().map(Event::ResponderCreated);
        for event in elders.chain(devices).chain(bound.map(Event::DeviceBound)).chain(responders) {
            self.spread_with(&state, &event);
        }
    }

    /// Writes the records into the state store. It can always be built again, so a failure costs only time at the start.
    pub(crate) fn remember(&self, sequence: u64, at: Timestamp, events: &[Event]) {
        let changes = events.iter().enumerate().map(|(index, event)| change(sequence, index, at, event));
        if let Err(error) = self.store.commit(STREAM, sequence, changes.collect()) {
            tracing::warn!(%error, "the state store does not take records; the next start reads the journal instead");
        }
    }
}

/// Reads the records of the state store, and up to which record of the journal they go.
pub(crate) fn read_records(store: &Store) -> Result<(State, u64), RecordError> {
    let applied = store.applied(STREAM)?;
    let mut state = State::default();
    for table in TABLES {
        for record in store.table(table).scan()? {
            let (key, value) = record?;
            // A long commit may have been cut short: what its mark does not vouch for comes again, from the journal.
            // All other records say the same when they come twice.
            if table == BINDINGS && sequence_in(&key) > Some(applied) {
                continue;
            }
            let (_, events) = wire::read_registry_record(&value)?;
            events.iter().for_each(|event| state.evolve(event));
        }
    }
    Ok((state, applied))
}

/// Why the state store's records cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    /// The store says so.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// A record was written by another version.
    #[error(transparent)]
    Unreadable(#[from] wire::Unreadable),
}

/// The tables, in an order in which no record refers to a later one.
const TABLES: [&str; 6] = ["org_units", "providers", "responders", "elders", "devices", BINDINGS];
/// Changes of what is bound to whom: its keys begin with the record of the journal, and what it says adds up.
const BINDINGS: &str = "bindings";

fn sequence_in(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.get(..8)?.try_into().ok()?))
}

fn change(sequence: u64, index: usize, at: Timestamp, event: &Event) -> Change {
    let (table, key) = match event {
        Event::OrgUnitCreated(unit) => ("org_units", unit.code.to_string().into_bytes()),
        Event::ProviderCreated(provider) => ("providers", provider.id.0.to_be_bytes().to_vec()),
        Event::ResponderCreated(responder) => ("responders", responder.id.0.to_be_bytes().to_vec()),
        Event::ElderCreated(elder) => ("elders", elder.id.0.to_be_bytes().to_vec()),
        Event::DeviceCreated(device) => ("devices", device.id.as_str().as_bytes().to_vec()),
        Event::DeviceBound(_) | Event::DeviceUnbound { .. } => {
            (BINDINGS, [sequence.to_be_bytes(), (index as u64).to_be_bytes()].concat())
        }
    };
    let value = Some(wire::registry_record(at, std::slice::from_ref(event)));
    Change { table: table.to_owned(), key, value }
}

#[cfg(test)]
mod tests;
