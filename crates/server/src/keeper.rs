//! Keeper: how is a start spared what was over long ago?
//!
//! A thread beside the server, with what the processor has left. Now and then it reads the dispatch journal on from the
//! last checkpoint, as a start would, and keeps what came of it as the next one. The dispatch thread is not held up
//! for a moment, and every checkpoint proves by the way that the journal can be read. Then segments that no start reads any
//! more are packed, and what is older than the site wants to keep is removed.

use std::{
    ops::ControlFlow,
    panic::resume_unwind,
    path::{Path, PathBuf},
    sync::Weak,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use journal::{Journal, Sequence};
use model::{Millis, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::{Clock, machine_time},
    config::JournalConfig,
    metrics,
    node::Journals,
    replica::Replica,
};

/// How often the keeper looks whether there is something to do.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After a failure it tries again only after this time: a full disk does not get emptier by trying.
const AFTER_A_FAILURE: Duration = Duration::from_secs(30);
/// How much less of the processor it asks for than the threads of alarms, as `nice` counts.
const NICENESS: i32 = 10;

/// What the keeper's thread works with.
pub(crate) struct Keeper {
    /// The folder of the dispatch journal.
    pub(crate) folder: PathBuf,
    /// That of the registry's.
    pub(crate) registry: PathBuf,
    pub(crate) journals: Journals,
    pub(crate) clock: Clock,
    pub(crate) config: JournalConfig,
    /// The last record of the newest checkpoint.
    pub(crate) kept: Sequence,
}

/// Starts the keeper's thread, which ends soon after `stop` is cancelled.
pub(crate) fn start(keeper: Keeper, stop: CancellationToken) -> std::io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name("keeper".to_owned()).spawn(move || keeper.run(&stop))
}

impl Keeper {
    fn run(mut self, stop: &CancellationToken) {
        // Of this thread alone; without it the keeper only competes more.
        let _ = rustix::process::nice(NICENESS);
        let mut last = Instant::now();
        let mut pause = LOOK_EVERY;
        while !stop.is_cancelled() {
            thread::park_timeout(pause);
            pause = LOOK_EVERY;
            let Some(durable) = durable(&self.journals.dispatch) else { return };
            let tail = durable.0.saturating_sub(self.kept.0);
            metrics::tail(tail);
            let due = tail >= self.config.checkpoint_records
                || tail > 0 && last.elapsed() >= Duration::from_secs(self.config.checkpoint_s);
            if !due || stop.is_cancelled() {
                continue;
            }
            let begun = Instant::now();
            match self.make_apart(durable, stop) {
                Ok(Some(kept)) => {
                    let before = std::mem::replace(&mut self.kept, kept);
                    last = Instant::now();
                    metrics::checkpoint(kept.0, begun.elapsed());
                    self.put_away(before, stop);
                }
                Ok(None) => return,
                Err(error) => {
                    metrics::checkpoint_failed(&error);
                    pause = AFTER_A_FAILURE;
                }
            }
        }
    }

    /// On a thread of its own, that ends with it: then the system gets back the memory it took. What a thread that goes on
    /// has freed is kept for it, as much as it ever had.
    fn make_apart(&self, durable: Sequence, stop: &CancellationToken) -> anyhow::Result<Option<Sequence>> {
        thread::scope(|scope| {
            let maker = thread::Builder::new().name("checkpoint".to_owned());
            let made = maker.spawn_scoped(scope, || self.make(durable, stop)).context("no thread")?;
            made.join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }

    /// Makes the checkpoint that stands for all records up to `durable`; `None` when the server stops meanwhile.
    fn make(&self, durable: Sequence, stop: &CancellationToken) -> anyhow::Result<Option<Sequence>> {
        let (mut replica, start) = Replica::newest(&self.folder);
        let mut records = journal::read_after(&self.folder, start.after);
        let mut hash = start.hash.unwrap_or_default();
        while replica.applied < durable {
            if stop.is_cancelled() {
                return Ok(None);
            }
            let (sequence, record) =
                records.next().context("the journal ends before its last durable record")??;
            replica
                .apply(sequence, &record)
                .map_err(|error| anyhow::anyhow!("record {sequence} cannot be read back: {error}"))?;
            hash = records.hash();
        }
        replica.keep(&self.folder, hash)?;
        Ok(Some(durable))
    }

    /// Packs what no start reads any more, and removes what is too old. `before` is the record of the older checkpoint.
    fn put_away(&self, before: Sequence, stop: &CancellationToken) {
        let on = |_: &journal::Packed| {
            if stop.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let registered = durable(&self.journals.registry).unwrap_or_default();
        for (name, folder, upto) in
            [("dispatch", &self.folder, self.kept), ("registry", &self.registry, registered)]
        {
            match journal::pack(folder, upto, on) {
                Ok(packed) => metrics::packed(name, &packed),
                Err(error) => metrics::not_put_away(name, &error.to_string()),
            }
        }
        if self.config.keep_days == 0 || stop.is_cancelled() {
            return;
        }
        // One start with a clock that is years ahead must not cost all there is, nor must any after it.
        let now = self.clock.now().min(self.clock.at_least()).min(machine_time());
        let oldest = now + Millis::from_seconds(-86_400 * i64::from(self.config.keep_days));
        let outcome = older_than(&self.folder, oldest, before)
            .and_then(|upto| journal::trim(&self.folder, upto).map_err(|error| error.to_string()));
        match outcome {
            Ok(trimmed) => metrics::trimmed(&trimmed),
            Err(error) => metrics::not_put_away("dispatch", &error),
        }
    }
}

/// The last record, at most `limit`, before which all are older than `oldest`.
fn older_than(folder: &Path, oldest: Timestamp, limit: Sequence) -> Result<Sequence, String> {
    let mut upto = Sequence(0);
    for record in journal::read(folder) {
        let (sequence, bytes) = record.map_err(|error| error.to_string())?;
        let (at, _) = wire::read_dispatch_record(&bytes).map_err(|error| error.to_string())?;
        if at >= oldest || sequence > limit {
            break;
        }
        upto = sequence;
    }
    Ok(upto)
}

/// The last durable record of a journal, or nothing when it is closed.
fn durable<T: Send + 'static>(journal: &Weak<Journal<T>>) -> Option<Sequence> {
    journal.upgrade().map(|journal| journal.durable())
}
