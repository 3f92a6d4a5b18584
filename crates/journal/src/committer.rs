//! Committer: what runs on the journal's thread?
//!
//! It takes whatever was appended while the last group was flushed, writes and flushes it as one, and tells the sink.
//! When the disk refuses, it tells that instead, keeps the records, and has the disk tried again now and then.

use crate::backlog::Backlog;
use crate::queue::{Batch, Queue, Taken};
use crate::reserve::is_full;
use crate::trouble::Trouble;
use crate::writer::{Writer, unflushed};
use crate::{Failure, Health, Notice, Options, Outcome, Released, Sequence};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the ballast is tried again while there is no room for it.
const BALLAST_AGAIN: Duration = Duration::from_secs(60);

/// How the journal is, for whoever asks.
pub(crate) struct Standing {
    /// The last record that the sink was told to be durable.
    durable: AtomicU64,
    failure: Mutex<Option<Failure>>,
    /// The disk is full and the ballast is gone.
    on_reserve: Arc<AtomicBool>,
}

impl Standing {
    pub(crate) fn new(head: Sequence, on_reserve: Arc<AtomicBool>) -> Standing {
        Standing { durable: AtomicU64::new(head.0), failure: Mutex::new(None), on_reserve }
    }

    pub(crate) fn durable(&self) -> Sequence {
        Sequence(self.durable.load(Ordering::Acquire))
    }

    pub(crate) fn health(&self) -> Health {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match failure {
            Some(failure) => Health::Degraded(failure),
            None if self.on_reserve.load(Ordering::Relaxed) => Health::OnReserve,
            None => Health::Durable,
        }
    }

    fn set_durable(&self, head: u64) {
        self.durable.store(head, Ordering::Release);
    }

    fn set_failure(&self, failure: Option<Failure>) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }
}

/// What runs on the journal's thread.
pub(crate) struct Committer<T, S> {
    queue: Arc<Queue<T>>,
    standing: Arc<Standing>,
    /// Before the writer, so that it ends before: a try of the disk goes on with what the writer has.
    trouble: Option<Trouble>,
    writer: Writer,
    sink: S,
    options: Options,
    /// When the ballast is tried again, if it is missing.
    ballast_due: Instant,
}

impl<T, S: FnMut(Notice<'_, T>)> Committer<T, S> {
    pub(crate) fn new(
        queue: Arc<Queue<T>>,
        standing: Arc<Standing>,
        writer: Writer,
        sink: S,
        options: Options,
    ) -> Self {
        let ballast_due = Instant::now() + BALLAST_AGAIN;
        Committer { queue, standing, trouble: None, writer, sink, options, ballast_due }
    }

    pub(crate) fn run(mut self) {
        let _stop = StopAtEnd(Arc::clone(&self.queue));
        let mut batch = Batch::new();
        let mut released = Vec::new();
        loop {
            match self.queue.take(&mut batch, self.due()) {
                Taken::Batch => self.release(&mut batch, &mut released),
                Taken::Nothing => {}
                Taken::End => break,
            }
            self.mend();
        }
        if let Some(trouble) = self.trouble.take() {
            let left = trouble.mend_now(&mut self.writer);
            self.mended(left);
        }
        if self.trouble.is_none() {
            // Every record is durable without it; a mark only makes later damage easier to tell.
            let _ = self.writer.mark();
        }
    }

    /// Commits a batch and tells the sink what became of it.
    fn release(&mut self, batch: &mut Batch<T>, released: &mut Vec<Released<T>>) {
        let outcome = self.commit(batch);
        released.extend(batch.entries.drain(..).map(|entry| Released {
            sequence: entry.sequence,
            token: entry.token,
            outcome: outcome.clone(),
        }));
        batch.clear();
        (self.sink)(Notice::Released(released));
        released.clear();
    }

    fn commit(&mut self, batch: &mut Batch<T>) -> Outcome {
        let lengths = batch.entries.iter().filter_map(|entry| entry.length);
        if let Some(trouble) = &mut self.trouble {
            trouble.keep(unflushed(&batch.bytes, lengths, 0));
            let failure = trouble.failure().clone();
            self.standing.set_failure(Some(failure.clone()));
            return Outcome::NotDurable(failure);
        }
        let before = self.writer.flushed().head;
        match self.writer.commit(&mut batch.bytes, lengths.clone()) {
            Ok(()) => self.durable(),
            Err(failure) => {
                let mut backlog = Backlog::default();
                backlog.push(unflushed(&batch.bytes, lengths, self.writer.flushed().head - before));
                self.refused(failure, backlog)
            }
        }
    }

    fn durable(&self) -> Outcome {
        self.standing.set_durable(self.writer.flushed().head);
        Outcome::Durable
    }

    /// The disk did not take `backlog`: if it is only full, the ballast makes room at once; otherwise trouble begins.
    fn refused(&mut self, failure: Failure, mut backlog: Backlog) -> Outcome {
        if is_full(&failure.source)
            && self.writer.reserve().is_held()
            && let Ok(tail) = self.writer.fresh_start().write(&mut backlog)
        {
            self.writer.go_on(tail);
            return self.durable();
        }
        let trouble = Trouble::new(failure, backlog, &self.options);
        let failure = trouble.failure().clone();
        self.standing.set_failure(Some(failure.clone()));
        self.trouble = Some(trouble);
        Outcome::NotDurable(failure)
    }

    /// When there is something to do though nothing is appended.
    fn due(&self) -> Option<Instant> {
        let ballast = if self.writer.reserve().is_used() { Some(self.ballast_due) } else { None };
        let trouble = self.trouble.as_ref().and_then(Trouble::due);
        ballast.into_iter().chain(trouble).min()
    }

    fn mend(&mut self) {
        if let Some(trouble) = self.trouble.take() {
            let left = trouble.mend(&mut self.writer);
            self.mended(left);
        }
        if self.writer.reserve().is_used() && self.ballast_due <= Instant::now() {
            self.ballast_due = Instant::now() + BALLAST_AGAIN;
            self.writer.reserve().keep_up();
        }
    }

    /// Takes note of the trouble that is left; when there is none, everything is durable, and the sink is told.
    fn mended(&mut self, left: Option<Trouble>) {
        self.standing.set_failure(left.as_ref().map(|trouble| trouble.failure().clone()));
        self.trouble = left;
        if self.trouble.is_none() {
            let head = self.writer.flushed().head;
            self.standing.set_durable(head);
            (self.sink)(Notice::Recovered { head: Sequence(head) });
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
