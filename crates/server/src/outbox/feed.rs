//! Feed: how does the outbox hear of every durable event, without ever holding up the journal?
//!
//! The journal's thread leaves each flushed record in a bounded queue and goes on. When the queue is full, it leaves
//! only a note; the outbox then reads what it missed from the journal itself, as it does after a restart.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use dispatch::Event;
use journal::{ReadError, Records, Sequence};
use model::Timestamp;
use tokio::sync::mpsc;

use crate::metrics;

/// Records that may wait for the outbox. Each may hold a mebibyte; what does not fit is in the journal.
const QUEUE: usize = 256;
/// Records looked at in the journal before others get their turn.
const AT_A_TIME: usize = 64;

/// One record, flushed or known not to be.
#[derive(Debug)]
pub(crate) struct News {
    pub(crate) sequence: u64,
    pub(crate) at: Timestamp,
    pub(crate) durable: bool,
    pub(crate) events: Vec<Event>,
}

/// The outlet's end.
#[derive(Debug, Clone)]
pub(crate) struct Feed {
    queue: mpsc::Sender<News>,
    missed: Arc<AtomicU64>,
}

/// The outbox's end.
#[derive(Debug)]
pub(crate) struct Intake {
    queue: mpsc::Receiver<News>,
    missed: Arc<AtomicU64>,
}

/// A feed and its other end.
pub(crate) fn feed() -> (Feed, Intake) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let missed = Arc::new(AtomicU64::new(0));
    (Feed { queue: sender, missed: Arc::clone(&missed) }, Intake { queue: receiver, missed })
}

impl Feed {
    /// Everything up to `head` is durable after all: what was told from memory, or not at all, can be read.
    pub(crate) fn recovered(&self, head: u64) {
        self.missed.fetch_max(head, Ordering::AcqRel);
    }

    /// Hands over a record; never waits.
    pub(crate) fn tell(&self, news: News) {
        match self.queue.try_send(news) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(news)) if news.durable => {
                self.missed.fetch_max(news.sequence, Ordering::AcqRel);
            }
            // Not in the journal either, so nobody outside will hear of it.
            Err(mpsc::error::TrySendError::Full(news)) => metrics::news_lost(news.events.len()),
            // The outbox has panicked, and the server is stopping.
            Err(mpsc::error::TrySendError::Closed(_)) => {}
        }
    }
}

/// Every record after the mark, in order, each once.
pub(crate) struct Reader {
    intake: Intake,
    journal: PathBuf,
    /// The last durable record that was handed out.
    seen: u64,
    /// What is read from the journal, up to which record.
    behind: Option<(Records, u64)>,
    /// What came meanwhile, after what is read.
    held: Option<News>,
}

impl Reader {
    /// Goes on after `seen`; `head` is the last record of the journal.
    pub(crate) fn new(intake: Intake, journal: &Path, seen: u64, head: u64) -> Self {
        let mut reader = Self { intake, journal: journal.to_owned(), seen, behind: None, held: None };
        reader.fall_behind(head);
        reader
    }

    /// The last durable record that was handed out.
    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }

    /// Whether it reads from the journal what it missed.
    pub(crate) fn is_behind(&self) -> bool {
        self.behind.is_some()
    }

    /// Waits for the next records; `None` when there will be no more.
    pub(crate) async fn next(&mut self) -> Option<Vec<News>> {
        if self.behind.is_none() {
            let news = self.intake.queue.recv().await?;
            if news.durable && news.sequence > self.seen + 1 {
                self.fall_behind(news.sequence - 1);
                self.held = Some(news);
            } else {
                return Some(self.take(news).into_iter().collect());
            }
        }
        // A long way back must not keep tries from going out.
        tokio::task::yield_now().await;
        Some(self.catch_up())
    }

    /// Notices records that were missed when none came after them.
    pub(crate) fn look_back(&mut self) {
        let missed = self.intake.missed.load(Ordering::Acquire);
        if self.behind.is_none() && self.intake.queue.is_empty() {
            self.fall_behind(missed);
        }
    }

    fn fall_behind(&mut self, until: u64) {
        if until > self.seen {
            tracing::info!(from = self.seen + 1, until, "the outbox reads what it missed from the journal");
            self.behind = Some((journal::read_after(&self.journal, Sequence(self.seen)), until));
        }
    }

    fn take(&mut self, news: News) -> Option<News> {
        if !news.durable {
            return Some(news);
        }
        // Read from the journal already.
        if news.sequence <= self.seen {
            return None;
        }
        self.seen = news.sequence;
        Some(news)
    }

    fn catch_up(&mut self) -> Vec<News> {
        let mut read = Vec::new();
        let Some((records, until)) = &mut self.behind else { return read };
        let until = *until;
        for _ in 0..AT_A_TIME {
            if self.seen >= until {
                break;
            }
            match records.next() {
                Some(Ok((sequence, _))) if sequence.0 <= self.seen => {}
                Some(Ok((sequence, bytes))) => {
                    self.seen = sequence.0;
                    match wire::read_dispatch_record(&bytes) {
                        Ok((at, events)) => {
                            read.push(News { sequence: sequence.0, at, durable: true, events });
                        }
                        Err(error) => metrics::news_unreadable(&error.to_string()),
                    }
                }
                // What is older was removed because nobody needs it any more: so it is with what was owed then.
                Some(Err(ReadError::Behind { oldest, .. })) => {
                    self.seen = oldest.0.saturating_sub(1).min(until);
                    *records = journal::read_after(&self.journal, Sequence(self.seen));
                }
                Some(Err(error)) => {
                    metrics::news_unreadable(&error.to_string());
                    self.seen = until;
                }
                None => {
                    metrics::news_unreadable("it ends before the record that was flushed");
                    self.seen = until;
                }
            }
        }
        if self.seen >= until {
            self.behind = None;
            let held = self.held.take();
            read.extend(held.and_then(|news| self.take(news)));
        }
        read
    }
}

#[cfg(test)]
mod tests;
