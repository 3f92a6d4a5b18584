//! Feed: how does the outbox hear of every durable event, without ever holding up the journal?
//!
//! The journal's thread leaves each flushed record in a bounded queue and goes on. When the queue is full, it leaves
//! only a note; the outbox then reads what it missed from the journal itself, as it does after a restart.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use dispatch::Event;
use journal::{ReadError, Records, Sequence};
use model::Timestamp;
use tokio::sync::mpsc;

use crate::metrics;

/// Records that may wait for the outbox. Each may hold a mebibyte; what does not fit is in the journal.
const QUEUE: usize = 256;
/// Records looked at in the journal before others get their turn.
const AT_A_TIME: usize = 64;
/// For how long what is new waits for what came before it. Longer would keep a helper's phone from ringing.
const IN_ORDER_FOR: Duration = Duration::from_secs(1);
/// How long after a failure the journal is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// One record, flushed or known not to be.
#[derive(Debug)]
pub(crate) struct News {
    pub(crate) sequence: u64,
    pub(crate) at: Timestamp,
    pub(crate) durable: bool,
    /// Read from the journal afterwards, so newer ones may have been handed out before it.
    pub(crate) read_back: bool,
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

/// Every record after the mark, each once.
///
/// They come in order as long as what was missed is read in a moment, which it nearly always is. When that takes longer, or
/// the journal cannot be read just now, what is new does not wait for it.
pub(crate) struct Reader {
    intake: Intake,
    journal: PathBuf,
    /// Every record up to this one was handed out, is held, or stands in a gap.
    top: u64,
    /// What is left to be read from the journal, the oldest first.
    gaps: VecDeque<Gap>,
    /// The journal where the first gap goes on.
    records: Option<Records>,
    /// What came after the first gap, while the order is kept.
    held: Option<News>,
    behind_since: Option<Instant>,
    in_order_for: Duration,
    /// After a failure: when the journal is tried again, and what is told about it.
    again_at: Option<Instant>,
    again_after: Duration,
    trouble: ReadTrouble,
}

/// Why the journal cannot be read just now, for whoever asks.
pub(crate) type ReadTrouble = Arc<ArcSwapOption<String>>;

/// Records that were not handed out.
struct Gap {
    /// The last one before them.
    after: u64,
    until: u64,
}

impl Reader {
    /// Goes on after `seen`; `head` is the last record of the journal.
    pub(crate) fn new(intake: Intake, journal: &Path, seen: u64, head: u64) -> Self {
        let mut reader = Self {
            intake,
            journal: journal.to_owned(),
            top: seen,
            gaps: VecDeque::new(),
            records: None,
            held: None,
            behind_since: None,
            in_order_for: IN_ORDER_FOR,
            again_at: None,
            again_after: AGAIN_AFTER,
            trouble: ReadTrouble::default(),
        };
        reader.fall_behind(head);
        reader
    }

    /// Every durable record up to this one was handed out.
    pub(crate) fn seen(&self) -> u64 {
        self.gaps.front().map_or(self.top, |gap| gap.after)
    }

    /// Whether it reads from the journal what it missed.
    pub(crate) fn is_behind(&self) -> bool {
        !self.gaps.is_empty()
    }

    /// Whether what is new waits until it has read what it missed.
    pub(crate) fn keeps_order(&self) -> bool {
        let just_now = self.behind_since.is_some_and(|since| since.elapsed() < self.in_order_for);
        just_now && self.again_at.is_none()
    }

    /// Why the journal cannot be read just now.
    pub(crate) fn trouble(&self) -> ReadTrouble {
        Arc::clone(&self.trouble)
    }

    /// Waits for the next records; `None` when there will be no more. What is left in a gap then is read after the next
    /// start.
    pub(crate) async fn next(&mut self) -> Option<Vec<News>> {
        if self.gaps.is_empty() {
            let news = self.intake.queue.recv().await?;
            return Some(self.take(news).into_iter().collect());
        }
        if self.keeps_order() {
            // A long way back must not keep tries from going out.
            tokio::task::yield_now().await;
            return Some(self.catch_up());
        }
        if let Some(held) = self.held.take() {
            return Some(vec![held]);
        }
        let pause = self.again_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(Instant::now()));
        tokio::select! {
            biased;
            news = self.intake.queue.recv() => {
                let mut new: Vec<News> = self.take(news?).into_iter().collect();
                new.extend(self.catch_up());
                Some(new)
            }
            () = tokio::time::sleep(pause) => {
                self.look_back();
                Some(self.catch_up())
            }
        }
    }

    /// Notices records that were missed when none came after them.
    pub(crate) fn look_back(&mut self) {
        let missed = self.intake.missed.load(Ordering::Acquire);
        if self.intake.queue.is_empty() {
            self.fall_behind(missed);
        }
    }

    fn fall_behind(&mut self, until: u64) {
        if until > self.top {
            let after = std::mem::replace(&mut self.top, until);
            tracing::info!(from = after + 1, until, "the outbox reads what it missed from the journal");
            self.gaps.push_back(Gap { after, until });
            self.behind_since.get_or_insert_with(Instant::now);
        }
    }

    fn take(&mut self, news: News) -> Option<News> {
        if !news.durable {
            return Some(news);
        }
        // Read from the journal already, or about to be.
        if news.sequence <= self.top {
            return None;
        }
        let missed = news.sequence - 1 > self.top;
        self.fall_behind(news.sequence - 1);
        self.top = news.sequence;
        if missed && self.keeps_order() {
            self.held = Some(news);
            return None;
        }
        Some(news)
    }

    /// Reads on in the first gap, for a while.
    fn catch_up(&mut self) -> Vec<News> {
        let mut read = Vec::new();
        if self.again_at.is_some_and(|at| at > Instant::now()) {
            return read;
        }
        for _ in 0..AT_A_TIME {
            let Some(Gap { after, until }) = self.gaps.front().map(|gap| Gap { ..*gap }) else { break };
            let journal = &self.journal;
            let records = self.records.get_or_insert_with(|| journal::read_after(journal, Sequence(after)));
            let reached = match records.next() {
                // Those before it were removed meanwhile.
                Some(Ok((sequence, _))) if sequence.0 > until => until,
                Some(Ok((sequence, bytes))) => {
                    read.extend(decode(sequence.0, &bytes));
                    sequence.0
                }
                // What is older was removed because nobody needs it any more: so it is with what was owed then.
                Some(Err(ReadError::Behind { oldest, .. })) => {
                    self.records = None;
                    oldest.0.saturating_sub(1).min(until)
                }
                Some(Err(error)) => return self.fail(&error.to_string(), read),
                None => return self.fail("it ends before the record that was flushed", read),
            };
            self.reach(reached);
        }
        if self.gaps.is_empty() {
            self.behind_since = None;
            read.extend(self.held.take());
        }
        read
    }

    /// Everything in the first gap up to `reached` is done with.
    fn reach(&mut self, reached: u64) {
        if self.again_at.take().is_some() {
            self.trouble.store(None);
            metrics::news_readable();
        }
        let Some(gap) = self.gaps.front_mut() else { return };
        gap.after = reached;
        if gap.after >= gap.until {
            self.gaps.pop_front();
            self.records = None;
        }
    }

    /// The journal cannot be read just now. Nothing is left out: it is tried again where it failed.
    fn fail(&mut self, why: &str, read: Vec<News>) -> Vec<News> {
        self.records = None;
        let from = self.seen() + 1;
        if self.again_at.replace(Instant::now() + self.again_after).is_none() {
            let told = format!(
                "the journal cannot be read from record {from} on, what followed from it waits: {why}"
            );
            self.trouble.store(Some(Arc::new(told)));
            metrics::news_waits(from, why);
        }
        read
    }
}

fn decode(sequence: u64, bytes: &[u8]) -> Option<News> {
    match wire::read_dispatch_record(bytes) {
        Ok((at, events)) => Some(News { sequence, at, durable: true, read_back: true, events }),
        Err(error) => {
            metrics::news_unreadable(&error.to_string());
            None
        }
    }
}

#[cfg(test)]
mod tests;
