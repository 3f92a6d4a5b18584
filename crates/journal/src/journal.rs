//! Journal: who appends, who commits, and when is somebody told?

use crate::disk::{Disk, RealDisk};
use crate::queue::{Batch, Queue};
use crate::recover::{ReplayError, Start, recover};
use crate::writer::Writer;
use crate::{AppendError, Failure, OpenError, OpenReport, Options, Sequence};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

/// What became of a record or a barrier.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It, and everything appended before it, is on stable storage.
    Durable,
    /// It may or may not survive: do not acknowledge it. So it is for everything appended after it.
    NotDurable(Failure),
}

/// A record or barrier that the journal is done with.
#[derive(Debug)]
pub struct Released<T> {
    /// The record; for a barrier, the last record appended before it.
    pub sequence: Sequence,
    /// What the caller gave with it.
    pub token: T,
    /// Whether it is durable.
    pub outcome: Outcome,
}

/// Whether the journal still makes records durable.
#[derive(Clone, Debug)]
pub enum Health {
    /// It does.
    Durable,
    /// It does not, since this failure.
    Degraded(Failure),
}

/// A journal open for writing, with a token of type `T` for each record or barrier on its way.
///
/// One thread of its own, the committer, writes and flushes whatever was appended while it flushed before.
/// Dropping it is like [`close`](Journal::close).
pub struct Journal<T> {
    queue: Arc<Queue<T>>,
    standing: Arc<Standing>,
    committer: Option<JoinHandle<()>>,
}

struct Standing {
    /// The last record that was released as durable.
    durable: AtomicU64,
    failure: OnceLock<Failure>,
}

impl<T: Send + 'static> Journal<T> {
    /// Opens the journal in `directory`, makes one if there is none, and calls `replay` with each record after `start`:
    /// a [`Sequence`], or a [`Checkpoint`](crate::checkpoint::Checkpoint) of this journal.
    ///
    /// `sink` is called on the committer's thread, once for each flushed group, with its records and barriers in
    /// order; it may empty the list or leave it. While it runs, nothing is committed.
    ///
    /// # Errors
    ///
    /// - [`OpenError::Locked`]: another journal has this directory.
    /// - [`OpenError::Damaged`]: the files are damaged; they were not changed. Records before the damage may have been
    ///   replayed already: throw away what they built.
    /// - [`OpenError::Ahead`], [`OpenError::Behind`]: the journal ends before `start`, or begins after it.
    /// - [`OpenError::Foreign`]: the checkpoint is of another journal. Nothing was replayed.
    /// - [`OpenError::Replay`]: `replay` failed.
    /// - [`OpenError::Io`]: the system refused something.
    pub fn open(
        directory: &Path,
        options: Options,
        start: impl Into<Start>,
        replay: impl FnMut(Sequence, &[u8]) -> Result<(), ReplayError>,
        sink: impl FnMut(&mut Vec<Released<T>>) + Send + 'static,
    ) -> Result<(Journal<T>, OpenReport), OpenError> {
        Journal::open_on(Arc::new(RealDisk::lock(directory)?), options, start, replay, sink)
    }

    /// Like [`open`](Journal::open), on any disk.
    ///
    /// # Errors
    ///
    /// As [`open`](Journal::open), without [`OpenError::Locked`].
    pub fn open_on(
        disk: Arc<dyn Disk>,
        options: Options,
        start: impl Into<Start>,
        mut replay: impl FnMut(Sequence, &[u8]) -> Result<(), ReplayError>,
        sink: impl FnMut(&mut Vec<Released<T>>) + Send + 'static,
    ) -> Result<(Journal<T>, OpenReport), OpenError> {
        let options = options.within_limits();
        let (writer, report) = recover(disk, &options, start.into(), &mut replay)?;
        let queue = Arc::new(Queue::new(options, report.head.0));
        let standing =
            Arc::new(Standing { durable: AtomicU64::new(report.head.0), failure: OnceLock::new() });
        let committer =
            Committer { queue: Arc::clone(&queue), standing: Arc::clone(&standing), writer, sink };
        let spawned = thread::Builder::new().name("journal".into()).spawn(move || committer.run());
        let thread = spawned.map_err(crate::fault::at("the journal's thread"))?;
        Ok((Journal { queue, standing, committer: Some(thread) }, report))
    }

    /// Appends a record and returns its sequence number; blocks while the queue is full.
    ///
    /// The record is released with `token` once it is durable, or known not to be. After a failure numbers go on being
    /// given out, though the records are not written.
    ///
    /// # Errors
    ///
    /// [`AppendError::TooLong`]; [`AppendError::Stopped`] when the sink panicked. The token is dropped.
    pub fn append(&self, payload: &[u8], token: T) -> Result<Sequence, AppendError> {
        self.queue.push(Some(payload), token)
    }

    /// Has `token` released when everything appended before is durable; writes nothing. Returns the last record
    /// before it.
    ///
    /// # Errors
    ///
    /// [`AppendError::Stopped`] when the sink panicked. The token is dropped.
    pub fn barrier(&self, token: T) -> Result<Sequence, AppendError> {
        self.queue.push(None, token)
    }

    /// Returns the last record known to be durable.
    pub fn durable(&self) -> Sequence {
        Sequence(self.standing.durable.load(Ordering::Acquire))
    }

    /// Says whether this journal still makes records durable.
    pub fn health(&self) -> Health {
        self.standing.failure.get().map_or(Health::Durable, |failure| Health::Degraded(failure.clone()))
    }

    /// Commits what is queued, releases it, ends the committer and returns the last record.
    ///
    /// # Errors
    ///
    /// The failure, if there was one; some records were then released as not durable.
    pub fn close(mut self) -> Result<Sequence, Failure> {
        self.end();
        self.standing.failure.get().map_or_else(|| Ok(self.durable()), |failure| Err(failure.clone()))
    }
}

impl<T> Journal<T> {
    fn end(&mut self) {
        self.queue.close();
        let Some(committer) = self.committer.take() else { return };
        // A sink that owns the journal drops it on the committer's thread, which cannot wait for itself.
        if committer.thread().id() != thread::current().id() {
            // A panic of the sink was reported by its thread; here there is nothing to add.
            let _ = committer.join();
        }
    }
}

impl<T> Drop for Journal<T> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<T> std::fmt::Debug for Journal<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").field("durable", &self.standing.durable).finish_non_exhaustive()
    }
}

/// What runs on the journal's thread.
struct Committer<T, S> {
    queue: Arc<Queue<T>>,
    standing: Arc<Standing>,
    writer: Writer,
    sink: S,
}

impl<T, S: FnMut(&mut Vec<Released<T>>)> Committer<T, S> {
    fn run(mut self) {
        let _stop = StopAtEnd(Arc::clone(&self.queue));
        let mut batch = Batch::new();
        let mut released = Vec::new();
        while self.queue.take(&mut batch) {
            let outcome = self.commit(&mut batch);
            released.extend(batch.entries.drain(..).map(|entry| Released {
                sequence: entry.sequence,
                token: entry.token,
                outcome: outcome.clone(),
            }));
            batch.clear();
            (self.sink)(&mut released);
            released.clear();
        }
        self.mark();
    }

    fn commit(&mut self, batch: &mut Batch<T>) -> Outcome {
        if let Some(failure) = self.standing.failure.get() {
            return Outcome::NotDurable(failure.clone());
        }
        let lengths = batch.entries.iter().filter_map(|entry| entry.length);
        match self.writer.commit(&mut batch.bytes, lengths) {
            Ok(()) => {
                self.standing.durable.store(self.writer.chain().head, Ordering::Release);
                Outcome::Durable
            }
            Err(failure) => {
                let _ = self.standing.failure.set(failure.clone());
                Outcome::NotDurable(failure)
            }
        }
    }

    fn mark(&mut self) {
        if self.standing.failure.get().is_none() {
            // Every record is durable without it; a mark only makes later damage easier to tell.
            let _ = self.writer.mark();
        }
    }
}

/// Lets nobody wait for a committer that has ended, be it by a panic.
struct StopAtEnd<T>(Arc<Queue<T>>);

impl<T> Drop for StopAtEnd<T> {
    fn drop(&mut self) {
        self.0.stop();
    }
}
