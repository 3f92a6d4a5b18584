//! Journal: who appends, who commits, and when is somebody told?

use crate::committer::{Committer, Standing};
use crate::disk::{Disk, RealDisk};
use crate::queue::Queue;
use crate::recover::{ReplayError, Start, recover};
use crate::{AppendError, Failure, OpenError, OpenReport, Options, Sequence};
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle, ThreadId};

/// What became of a record or a barrier.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It, and everything appended before it, is on stable storage.
    Durable,
    /// It may or may not survive: do not acknowledge it. So it is for everything appended after it, until
    /// [`Notice::Recovered`] says that all of that is durable after all.
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

/// What the journal tells its sink.
#[derive(Debug)]
pub enum Notice<'a, T> {
    /// The journal is done with these, in order. The sink may empty the list or leave it.
    Released(&'a mut Vec<Released<T>>),
    /// The disk takes records again. Everything up to `head` is durable now, also what was released as
    /// [`Outcome::NotDurable`]; that is all that was released so far.
    Recovered {
        /// The last record.
        head: Sequence,
    },
}

/// Whether the journal still makes records durable.
#[derive(Clone, Debug)]
pub enum Health {
    /// It does.
    Durable,
    /// It does, but the disk is full: the ballast was given up for it, or there was no room for one. Make room.
    OnReserve,
    /// It does not, since this failure. Unless records were given up, it goes on trying.
    Degraded(Failure),
}

/// A journal open for writing, with a token of type `T` for each record or barrier on its way.
///
/// A thread of its own, the committer, writes and flushes whatever was appended while it flushed before. Another one
/// releases what waits as not durable when the disk does not come back in time.
/// Dropping it is like [`close`](Journal::close).
pub struct Journal<T> {
    queue: Arc<Queue<T>>,
    standing: Arc<Standing>,
    committer: Option<JoinHandle<()>>,
    /// The thread that stands in for it.
    aside: Option<ThreadId>,
}

impl<T: Send + 'static> Journal<T> {
    /// Opens the journal in `directory`, makes one if there is none, and calls `replay` with each record after `start`:
    /// a [`Sequence`], or a [`Checkpoint`](crate::checkpoint::Checkpoint) of this journal.
    ///
    /// `sink` is called on a thread of the journal, once for each flushed group, with its records and barriers in order, and
    /// once when the disk has recovered. While it runs, nothing is committed.
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
        sink: impl FnMut(Notice<'_, T>) + Send + 'static,
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
        sink: impl FnMut(Notice<'_, T>) + Send + 'static,
    ) -> Result<(Journal<T>, OpenReport), OpenError> {
        let options = options.within_limits();
        let (writer, report) = recover(disk, &options, start.into(), &mut replay)?;
        let queue = Arc::new(Queue::new(options.clone(), report.head.0));
        let standing = Arc::new(Standing::new(report.head, writer.reserve().used()));
        let no_thread = || crate::fault::at("the journal's threads");
        let committer = Committer::new(Arc::clone(&queue), Arc::clone(&standing), writer, sink, options);
        let committer = committer.map_err(no_thread())?;
        let aside = committer.aside();
        let spawned = thread::Builder::new().name("journal".into()).spawn(move || committer.run());
        let thread = spawned.map_err(no_thread())?;
        Ok((Journal { queue, standing, committer: Some(thread), aside }, report))
    }

    /// Appends a record and returns its sequence number; blocks while the queue is full.
    ///
    /// The record is released with `token` once it is durable, or known not to be. After a failure numbers go on being
    /// given out, and the records wait in memory until the disk takes them.
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
        self.standing.durable()
    }

    /// Says whether this journal still makes records durable.
    pub fn health(&self) -> Health {
        self.standing.health()
    }

    /// Commits what is queued, releases it, ends the committer and returns the last record. After a failure the disk is
    /// tried once more.
    ///
    /// # Errors
    ///
    /// The failure, if the disk still refuses; some records were then released as not durable and never recovered.
    pub fn close(mut self) -> Result<Sequence, Failure> {
        self.end();
        match self.health() {
            Health::Durable | Health::OnReserve => Ok(self.durable()),
            Health::Degraded(failure) => Err(failure),
        }
    }
}

impl<T> Journal<T> {
    fn end(&mut self) {
        self.queue.close();
        let Some(committer) = self.committer.take() else { return };
        // A sink that owns the journal drops it on one of the journal's own threads, which cannot wait for itself.
        let here = thread::current().id();
        if committer.thread().id() != here && self.aside != Some(here) {
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
        f.debug_struct("Journal").field("durable", &self.standing.durable()).finish_non_exhaustive()
    }
}
