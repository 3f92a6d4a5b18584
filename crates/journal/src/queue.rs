//! Queue: what waits for the committer, and who waits when it is full?

use crate::format::{RECORD_HEADER, slot_bytes};
use crate::{AppendError, Options, Sequence};
use std::hint;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long the committer looks for work before it sleeps: waking it costs more than that.
const SPIN: Duration = Duration::from_micros(20);
/// A buffer that grew beyond this many bytes is not kept.
const KEPT_BYTES: usize = 16 << 20;

/// One record or barrier in a [`Batch`].
pub(crate) struct Entry<T> {
    pub(crate) sequence: Sequence,
    pub(crate) token: T,
}

/// What is committed together. The payloads stand in `bytes`, each behind room for its header and padded, so that the
/// group can be written as it is.
pub(crate) struct Batch<T> {
    pub(crate) bytes: Vec<u8>,
    /// The lengths of the payloads; a barrier has none.
    pub(crate) lengths: Vec<usize>,
    pub(crate) entries: Vec<Entry<T>>,
}

impl<T> Batch<T> {
    pub(crate) fn new() -> Self {
        Batch { bytes: Vec::new(), lengths: Vec::new(), entries: Vec::new() }
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.lengths.clear();
        self.bytes.clear();
        if self.bytes.capacity() > KEPT_BYTES {
            self.bytes = Vec::new();
        }
    }
}

/// What the committer got from the queue.
pub(crate) enum Taken {
    Batch,
    /// It is time for something else.
    Nothing,
    /// The queue is closed and empty.
    End,
}

struct Waiting<T> {
    batch: Batch<T>,
    /// The last sequence given out.
    last: u64,
    /// Nothing will be appended any more.
    closed: bool,
    /// The committer is gone.
    stopped: bool,
    committer_sleeps: bool,
    appenders_sleep: usize,
}

/// The bounded queue between those who append and the committer.
pub(crate) struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    /// There is something to commit; so the committer need not take the lock to look.
    ready: AtomicBool,
    work: Condvar,
    room: Condvar,
    limits: Options,
}

impl<T> Queue<T> {
    pub(crate) fn new(limits: Options, last: u64) -> Self {
        let waiting = Waiting {
            batch: Batch::new(),
            last,
            closed: false,
            stopped: false,
            committer_sleeps: false,
            appenders_sleep: 0,
        };
        let (work, room) = (Condvar::new(), Condvar::new());
        Queue { waiting: Mutex::new(waiting), ready: AtomicBool::new(false), work, room, limits }
    }

    /// Queues a record, or a barrier when there is no payload; blocks while the queue is full.
    pub(crate) fn push(&self, payload: Option<&[u8]>, token: T) -> Result<Sequence, AppendError> {
        let limit = self.limits.max_record_bytes;
        if let Some(bytes) = payload.map(<[u8]>::len).filter(|bytes| *bytes > limit) {
            return Err(AppendError::TooLong { bytes, limit });
        }
        let slot = payload.map_or(0, |payload| slot_bytes(payload.len()));
        let mut waiting = self.lock();
        while !waiting.stopped && !self.has_room(&waiting.batch, slot) {
            waiting.appenders_sleep += 1;
            waiting = self.room.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            waiting.appenders_sleep -= 1;
        }
        if waiting.stopped {
            return Err(AppendError::Stopped);
        }
        if let Some(payload) = payload {
            waiting.last += 1;
            let bytes = &mut waiting.batch.bytes;
            let end = bytes.len() + slot;
            bytes.resize(bytes.len() + RECORD_HEADER, 0);
            bytes.extend_from_slice(payload);
            bytes.resize(end, 0);
            waiting.batch.lengths.push(payload.len());
        }
        let sequence = Sequence(waiting.last);
        waiting.batch.entries.push(Entry { sequence, token });
        self.ready.store(true, Ordering::Release);
        let wake = waiting.committer_sleeps;
        drop(waiting);
        if wake {
            self.work.notify_one();
        }
        Ok(sequence)
    }

    fn has_room(&self, batch: &Batch<T>, slot: usize) -> bool {
        let fits = batch.bytes.len() + slot <= self.limits.queue_bytes || batch.bytes.is_empty();
        fits && batch.entries.len() < self.limits.queue_records
    }

    /// Exchanges the empty `batch` for what waits; blocks until there is something, at most until `until`.
    pub(crate) fn take(&self, batch: &mut Batch<T>, until: Option<Instant>) -> Taken {
        self.look_for_work();
        let mut waiting = self.lock();
        while waiting.batch.entries.is_empty() {
            if waiting.closed {
                return Taken::End;
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Taken::Nothing;
            }
            waiting.committer_sleeps = true;
            waiting = match left {
                None => self.work.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                Some(left) => self.work.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0,
            };
            waiting.committer_sleeps = false;
        }
        std::mem::swap(&mut waiting.batch, batch);
        self.ready.store(false, Ordering::Relaxed);
        if waiting.appenders_sleep > 0 {
            self.room.notify_all();
        }
        Taken::Batch
    }

    fn look_for_work(&self) {
        let start = Instant::now();
        while !self.ready.load(Ordering::Acquire) && start.elapsed() < SPIN {
            hint::spin_loop();
        }
    }

    /// Lets the committer end when it has taken everything.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.ready.store(true, Ordering::Release);
        self.work.notify_one();
    }

    /// Says that nobody will take from this queue any more.
    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.room.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
