//! Committer: what runs on the journal's thread?
//!
//! It takes whatever was appended while the last group was flushed, writes and flushes it as one, and tells the sink.
//! When the disk refuses, it tells that instead, keeps the records, and has the disk tried again now and then. When the
//! disk does not answer at all, somebody [stands in](crate::desk) for it.

use crate::backlog::Backlog;
use crate::desk::{Desk, Gone, StandIn};
use crate::queue::{Batch, Queue, Taken};
use crate::reserve::is_full;
use crate::trouble::Trouble;
use crate::writer::{Writer, unflushed};
use crate::{Failure, Health, Notice, Options, Outcome, Sequence};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::ThreadId;
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

    pub(crate) fn set_failure(&self, failure: Option<Failure>) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }
}

/// What runs on the journal's thread.
pub(crate) struct Committer<T, S> {
    /// Ends before everything else.
    stand_in: StandIn,
    desk: Arc<Desk<T, S>>,
    queue: Arc<Queue<T>>,
    standing: Arc<Standing>,
    /// Before the writer, so that it ends before: a try of the disk goes on with what the writer has.
    trouble: Option<Trouble>,
    writer: Writer,
    options: Options,
    /// When the ballast is tried again, if it is missing.
    ballast_due: Instant,
}

impl<T: Send + 'static, S: FnMut(Notice<'_, T>) + Send + 'static> Committer<T, S> {
    /// # Errors
    ///
    /// That of the system, when it has no thread left.
    pub(crate) fn new(
        queue: Arc<Queue<T>>,
        standing: Arc<Standing>,
        writer: Writer,
        sink: S,
        options: Options,
    ) -> io::Result<Self> {
        let desk = Arc::new(Desk::new(sink));
        let stand_in = StandIn::start(&desk, Arc::clone(&queue), Arc::clone(&standing), options.clone())?;
        let ballast_due = Instant::now() + BALLAST_AGAIN;
        Ok(Committer { stand_in, desk, queue, standing, trouble: None, writer, options, ballast_due })
    }

    /// The thread that stands in for this one.
    pub(crate) fn aside(&self) -> Option<ThreadId> {
        self.stand_in.thread()
    }

    pub(crate) fn run(mut self) {
        let _stop = StopAtEnd(Arc::clone(&self.queue));
        let mut batch = Batch::new();
        loop {
            let done = match self.queue.take(&mut batch, self.due()) {
                Taken::Batch => self.release(&mut batch),
                Taken::Nothing => Ok(()),
                Taken::End => break,
            };
            if done.and_then(|()| self.mend()).is_err() {
                // The numbers of what the sink did not take note of are given out: nothing may be written behind them.
                return;
            }
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
    fn release(&mut self, batch: &mut Batch<T>) -> Result<(), Gone> {
        self.desk.leave(self.writer.place(), &mut batch.entries);
        let outcome = self.commit(batch);
        let later = self.desk.come_back(&outcome)?;
        batch.clear();
        self.take_over(later);
        Ok(())
    }

    /// Takes up what somebody who stood in has kept: all that came after what is written or waits here.
    fn take_over(&mut self, later: Option<Trouble>) {
        let Some(later) = later else { return };
        if let Some(trouble) = &mut self.trouble {
            trouble.append_all(later);
        } else if later.is_settled() {
            return self.mended(None);
        } else {
            self.trouble = Some(later);
        }
        self.standing.set_failure(self.trouble.as_ref().map(|trouble| trouble.failure().clone()));
    }

    fn commit(&mut self, batch: &mut Batch<T>) -> Outcome {
        let lengths = batch.lengths.iter().copied();
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

    fn mend(&mut self) -> Result<(), Gone> {
        if let Some(trouble) = self.trouble.take() {
            self.desk.leave(self.writer.place(), &mut Vec::new());
            let left = trouble.mend(&mut self.writer);
            match self.desk.come_back(&Outcome::Durable)? {
                None => self.mended(left),
                later @ Some(_) => {
                    self.trouble = left;
                    self.take_over(later);
                }
            }
        }
        if self.writer.reserve().is_used() && self.ballast_due <= Instant::now() {
            self.ballast_due = Instant::now() + BALLAST_AGAIN;
            self.writer.reserve().keep_up();
        }
        Ok(())
    }

    /// Takes note of the trouble that is left; when there is none, everything is durable, and the sink is told.
    fn mended(&mut self, left: Option<Trouble>) {
        self.standing.set_failure(left.as_ref().map(|trouble| trouble.failure().clone()));
        self.trouble = left;
        if self.trouble.is_none() {
            let head = self.writer.flushed().head;
            self.standing.set_durable(head);
            self.desk.recovered(head);
        }
    }
}

/// Lets nobody wait for a committer that has ended, be it by a panic.
pub(crate) struct StopAtEnd<T>(pub(crate) Arc<Queue<T>>);

impl<T> Drop for StopAtEnd<T> {
    fn drop(&mut self) {
        self.0.stop();
    }
}
