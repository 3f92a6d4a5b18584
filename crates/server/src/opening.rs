//! Opening: what does a node know when it starts?
//!
//! What it decided stands in its journals; the state store and the checkpoints only spare it some of the reading.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, RwLock},
};

use anyhow::Context as _;
use dispatch::State;
use journal::{Journal, Notice, OpenError, OpenReport, Options, RealDisk, Sequence, Start};
use model::{Millis, Place, Timestamp};
use roster::{Roster, Size};
use store::{Store, StoreError};
use tokio::sync::Notify;
use views::Directory;

use crate::{
    clock::Clock,
    engine::Alarm,
    gate::{self, Gate, Mode},
    outlet::{Outlet, Settled},
    registrar::{self, Books, Flushed},
    replica::Replica,
    trap,
};

/// After so long without a decision a start asks whether the machine's clock is right.
const LONG_AWAY: Millis = Millis::from_seconds(24 * 3600);

/// Where the parts of a node lie in its data folder.
pub(crate) struct Folders {
    root: PathBuf,
}

impl Folders {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(crate) fn dispatch_journal(&self) -> PathBuf {
        self.root.join("journal/dispatch")
    }

    pub(crate) fn registry_journal(&self) -> PathBuf {
        self.root.join("journal/registry")
    }

    pub(crate) fn access_journal(&self) -> PathBuf {
        self.root.join("journal/access")
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.root.join("state")
    }
}

/// Opens the state store, and builds an empty one when what is there is damaged.
pub(crate) fn open_store(folders: &Folders) -> anyhow::Result<Store> {
    let folder = folders.store();
    match Store::open(&folder) {
        Ok(store) => Ok(store),
        Err(error @ StoreError::Damaged { .. }) => {
            let (store, rebuilt) = Store::rebuild(&folder)?;
            let aside = rebuilt.moved_to.map(|path| path.display().to_string()).unwrap_or_default();
            tracing::error!(%error, aside, "the state store is damaged: it is built again from the journals");
            Ok(store)
        }
        Err(error) => Err(error).context("the state store cannot be opened"),
    }
}

/// Reads the registry back: from the state store as far as it goes, from the journal after that.
pub(crate) fn open_registry(
    folders: &Folders,
    store: Arc<Store>,
    directory: &Arc<Directory>,
    max_responders: u32,
    clock: Clock,
) -> anyhow::Result<Books> {
    let (mut state, applied) = registrar::read_records(&store).unwrap_or_else(|error| {
        tracing::warn!(%error, "the records in the state store cannot be read; the journal is read instead");
        Default::default()
    });
    let folder = folders.registry_journal();
    let recovered = Arc::new(Notify::new());
    let open = |from: u64, state: &mut registry::State| {
        let mut news = Vec::new();
        let replay = |sequence: Sequence, bytes: &[u8]| {
            let (at, events) = wire::read_registry_record(bytes)?;
            events.iter().for_each(|event| state.evolve(event));
            news.push((sequence.0, at, events));
            Ok(())
        };
        let recovered = Arc::clone(&recovered);
        let sink = move |notice: Notice<'_, Flushed>| registrar::take(notice, &recovered);
        Journal::open(&folder, Options::default(), Sequence(from), replay, sink)
            .map(|(journal, report)| (journal, report, news))
    };
    let (journal, report, news) =
        open(applied, &mut state).map_err(|error| of_another_journal(error, folders))?;
    tell_opened("registry", &report);
    // The roster's cells are as large as suits where people start from.
    let bases: Vec<Place> = state.responders(None).filter_map(|known| state.base_of(known.id)).collect();
    let books = Books {
        roster: Arc::new(Roster::new(Size::of(max_responders, &bases))),
        state: Arc::new(RwLock::new(state)),
        directory: Arc::clone(directory),
        finder: Arc::default(),
        store,
        clock,
        journal: Arc::new(journal),
        recovered,
        unsettled: None,
    };
    for (sequence, at, events) in news {
        books.remember(sequence, at, &events);
    }
    books.spread_all();
    Ok(books)
}

/// The journal of users is small: a few records a day, each shorter than a page.
fn small() -> Options {
    let (segment_bytes, ballast_bytes) = (1 << 20, 2 << 20);
    Options {
        segment_bytes,
        ballast_bytes,
        max_record_bytes: 1 << 20,
        backlog_bytes: 16 << 20,
        ..Options::default()
    }
}

/// Reads back who may come in.
pub(crate) fn open_gate(
    folders: &Folders,
    mode: Mode,
    policy: access::Policy,
    clock: Clock,
) -> anyhow::Result<Gate> {
    let mut state = access::State::default();
    let replay = |_: Sequence, bytes: &[u8]| {
        let (_, events) = wire::read_access_record(bytes)?;
        events.iter().for_each(|event| state.evolve(event));
        Ok(())
    };
    let opened = Journal::open(&folders.access_journal(), small(), Sequence(0), replay, gate::take);
    let (journal, report) = opened.context("the access journal cannot be opened")?;
    tell_opened("access", &report);
    Ok(Gate::new(mode, policy, state, journal, clock))
}

/// Reads the open incidents, offers and timers back.
pub(crate) fn open_dispatch(
    folders: &Folders,
    (mut replica, start): (Replica, Start),
    outlet: Outlet,
    alarm: Alarm,
) -> anyhow::Result<(State, Journal<Settled>)> {
    let clock = outlet.clock.clone();
    let replay = |sequence: Sequence, bytes: &[u8]| replica.apply(sequence, bytes);
    let folder = folders.dispatch_journal();
    let disk = RealDisk::lock(&folder).map(trap::disk);
    let opened = disk.and_then(|disk| {
        Journal::open_on(disk, Options::default(), start, replay, move |notice| {
            let _ = &alarm;
            outlet.take(notice);
        })
    });
    let (journal, report) = opened.map_err(|error| without_a_checkpoint(error, &folder))?;
    tell_opened("dispatch", &report);
    tell_long_away(clock.now(), replica.latest);
    clock.not_before(replica.latest);
    Ok((replica.state, journal))
}

/// A clock that is far ahead looks like a long absence, and nothing but this shows it.
fn tell_long_away(now: Timestamp, latest: Timestamp) {
    let away = now - latest;
    if latest > Timestamp(0) && away > LONG_AWAY {
        let hours = away.0 / 3_600_000;
        tracing::warn!(
            hours,
            "by the clock of this machine nothing was decided for so long: if this server was not off, that clock is ahead. \
             Set it at once: until then alerts with the right time look late, and they wait for an operator"
        );
    }
}

/// Why the dispatch journal cannot be opened. When old records were removed, it can be only from a checkpoint.
fn without_a_checkpoint(error: OpenError, folder: &Path) -> anyhow::Error {
    let OpenError::Behind { oldest, .. } = error else {
        return anyhow::Error::from(error).context("the dispatch journal cannot be opened");
    };
    let remedy = match Replica::unknown(folder) {
        Some((sequence, version)) => format!(
            "the checkpoint of record {sequence} has form {version}, which this version of Anhu cannot read: start the version \
             that wrote it. Before another upgrade see in its notes whether it reads form {version}; if not, it can start \
             only where records were never removed (keep_days = 0)"
        ),
        None => "no checkpoint beside it can be read: restore a backup (anhu restore)".to_owned(),
    };
    anyhow::Error::from(error).context(format!(
        "the dispatch journal cannot be opened: its records before {oldest} were removed (keep_days), and {remedy}"
    ))
}

/// Why the registry journal cannot be opened. A state store that does not belong to it is moved away by hand, so that
/// nobody loses a newer journal by restoring an older one unawares.
fn of_another_journal(error: OpenError, folders: &Folders) -> anyhow::Error {
    let foreign = matches!(error, OpenError::Ahead { .. } | OpenError::Behind { .. });
    let error = anyhow::Error::from(error);
    if foreign {
        let folder = folders.store().display().to_string();
        return error.context(format!(
            "the registry journal and the state store do not belong together: move {folder} away and start again, and \
             it is built anew from the journal"
        ));
    }
    error.context("the registry journal cannot be opened")
}

fn tell_opened(name: &str, report: &OpenReport) {
    let (head, replayed) = (report.head.0, report.replayed);
    tracing::info!(journal = name, head, replayed, "journal read");
    if let Some(cut) = &report.cut {
        tracing::warn!(
            journal = name,
            place = cut.place,
            offset = cut.offset,
            bytes = cut.bytes,
            "the last run ended in the middle of a write; the unfinished end was cut, nothing acknowledged was in it"
        );
    }
}
