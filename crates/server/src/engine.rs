//! The engine: one thread that owns a county's incidents, offers and timers.
//!
//! It takes whatever commands wait in its bounded queue, decides them at one moment, then does the searches and timers that
//! are due, and hands all of it to the journal as one record: an alert, its incident and the offers made for it stand
//! together and share one flush. It never waits for a flush: while one group is on its way to the disk, the next is
//! decided. Answers leave through the [`Outlet`](crate::outlet::Outlet), after the flush, in the order of the decisions.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use dispatch::{Command, Decision, Event, Policy, Rejection, State};
use journal::Journal;
use model::{IncidentId, Millis, ResponderId, Timestamp};
use roster::Roster;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use wire::DispatchRecord;

use crate::{
    clock::Clock,
    metrics,
    outlet::{Reply, Settled},
    trap,
};

/// Commands that may wait for the engine; then sockets are not read and callers wait.
const QUEUE: usize = 4096;
/// Jobs decided together before searches and deadlines are looked at.
const BATCH: usize = 256;
/// A record this long is handed to the journal before more is decided, so that it stays far below what the journal takes.
const RECORD_BYTES: usize = 1 << 20;
/// Without any deadline, how long until the engine looks again.
const LONGEST_NAP: Millis = Millis::from_seconds(3600);
/// Deadlines fired before commands are looked at again, so that a late restart does not shut out new alerts.
const DEADLINES_IN_A_ROW: usize = 256;

/// What somebody wishes, and whom to tell.
pub(crate) struct Job {
    pub(crate) work: Work,
    /// Called once, after everything that was decided for it is flushed, or known not to be.
    pub(crate) done: Done,
}

/// What there is to do.
pub(crate) enum Work {
    /// One message may hold several alerts; they are decided one after the other.
    Commands(Vec<Command>),
    /// Another policy is in force from here on.
    ReplacePolicy(Arc<Policy>),
}

/// Takes the answer. Runs on the journal's thread: it must be quick and must not wait.
pub(crate) type Done = Box<dyn FnOnce(Answer) + Send>;

/// What became of a job.
#[derive(Debug)]
pub(crate) struct Answer {
    /// One for each command, in order; ends at the first rejection.
    pub(crate) verdicts: Vec<Result<Verdict, Rejection>>,
    /// Whether everything is on stable storage.
    pub(crate) durable: bool,
}

/// What became of one command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verdict {
    pub(crate) incident: Option<IncidentId>,
    pub(crate) duplicate: bool,
}

/// The engine does not run any more.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the server is stopping: try again in a moment")]
pub(crate) struct Stopped;

/// The way in.
#[derive(Clone)]
pub(crate) struct Engine {
    queue: mpsc::Sender<Job>,
    pulse: Arc<Pulse>,
}

impl Engine {
    /// Hands over a job; waits while the queue is full.
    pub(crate) async fn post(&self, job: Job) -> Result<(), Stopped> {
        self.queue.send(job).await.map_err(|_| Stopped)
    }

    /// Hands over commands and waits until what they decided is flushed, or known not to be.
    pub(crate) async fn ask(&self, commands: Vec<Command>) -> Result<Answer, Stopped> {
        self.have_done(Work::Commands(commands)).await
    }

    /// Puts a policy in force and waits until the journal holds that it is.
    pub(crate) async fn replace_policy(&self, policy: Arc<Policy>) -> Result<Answer, Stopped> {
        self.have_done(Work::ReplacePolicy(policy)).await
    }

    async fn have_done(&self, work: Work) -> Result<Answer, Stopped> {
        let (sender, receiver) = oneshot::channel();
        let done: Done = Box::new(move |answer| {
            // Nobody waits any more: the caller went away, and the decision stands.
            let _ = sender.send(answer);
        });
        self.post(Job { work, done }).await?;
        receiver.await.map_err(|_| Stopped)
    }

    /// Jobs that can still be queued; none when the engine has ended.
    pub(crate) fn room(&self) -> usize {
        if self.queue.is_closed() { 0 } else { self.queue.capacity() }
    }

    /// For how long jobs have been waiting without any of them being taken; nothing while none waits.
    pub(crate) fn stalled(&self) -> Duration {
        if self.queue.capacity() == QUEUE {
            self.pulse.nothing_waits();
            return Duration::ZERO;
        }
        self.pulse.since_last()
    }
}

/// When the engine last took what waited.
struct Pulse {
    start: Instant,
    last_ms: AtomicU64,
}

impl Pulse {
    fn new() -> Self {
        Self { start: Instant::now(), last_ms: AtomicU64::new(0) }
    }

    fn beat(&self) {
        // Relaxed: nothing else is read by it.
        self.last_ms.store(self.start.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// So that what comes after an idle hour is not taken for having waited that long.
    fn nothing_waits(&self) {
        self.beat();
    }

    fn since_last(&self) -> Duration {
        self.start.elapsed().saturating_sub(Duration::from_millis(self.last_ms.load(Ordering::Relaxed)))
    }
}

/// Stops the other threads when the one that holds it has panicked: half a server would be worse than a restart.
pub(crate) struct Alarm(pub(crate) CancellationToken);

impl Drop for Alarm {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.cancel();
        }
    }
}

/// Everything the engine's thread works with.
pub(crate) struct Works {
    pub(crate) state: State,
    pub(crate) roster: Arc<Roster>,
    /// The policy in force, for others to read; only the engine replaces it.
    pub(crate) policy: Arc<ArcSwap<Policy>>,
    pub(crate) clock: Clock,
    pub(crate) journal: Arc<Journal<Settled>>,
}

/// Starts the engine's thread. When `stop` is cancelled it takes nothing new, drains its queue and returns its works.
pub(crate) fn start(
    works: Works,
    stop: CancellationToken,
) -> std::io::Result<(Engine, thread::JoinHandle<Works>)> {
    let (queue, jobs) = mpsc::channel(QUEUE);
    let timers = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let pulse = Arc::new(Pulse::new());
    let beating = Arc::clone(&pulse);
    let thread = thread::Builder::new().name("dispatch".to_owned()).spawn(move || {
        let _alarm = Alarm(stop.clone());
        timers.block_on(works.run(jobs, &beating, &stop))
    })?;
    Ok((Engine { queue, pulse }, thread))
}

impl Works {
    async fn run(mut self, mut jobs: mpsc::Receiver<Job>, pulse: &Pulse, stop: &CancellationToken) -> Self {
        // The journal says by which policy each decision was taken, before the first is.
        let mut pass = Pass::begin(self.clock.now());
        let _ = self.decide(Command::ReplacePolicy, &mut pass);
        self.keep(pass);
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            if stop.is_cancelled() {
                jobs.close();
            }
            let due = self.state.next_deadline().map_or(self.clock.now() + LONGEST_NAP, |due| due);
            let open = tokio::select! {
                biased;
                received = jobs.recv_many(&mut batch, BATCH) => received > 0,
                () = tokio::time::sleep_until(self.clock.instant(due).into()) => true,
                () = stop.cancelled(), if !jobs.is_closed() => true,
            };
            if !open {
                return self;
            }
            pulse.beat();
            metrics::engine_batch(batch.len());
            let mut pass = Pass::begin(self.clock.now());
            for job in batch.drain(..) {
                self.handle(job, &mut pass);
            }
            self.search_and_fire(&mut pass);
            self.keep(pass);
            metrics::waiting(self.state.waiting());
        }
    }

    /// Decides one job. Its answer leaves with the record that holds the last of its events.
    fn handle(&mut self, job: Job, pass: &mut Pass) {
        trap::at(trap::Place::Taken);
        let Job { work, done } = job;
        let commands = match work {
            Work::Commands(commands) => commands,
            Work::ReplacePolicy(policy) => {
                self.policy.store(policy);
                vec![Command::ReplacePolicy]
            }
        };
        let mut verdicts = Vec::with_capacity(commands.len());
        for command in commands {
            let decided = self.decide(command, pass);
            let rejected = decided.is_err();
            verdicts.push(
                decided.map(|decided| Verdict { incident: decided.incident, duplicate: decided.duplicate }),
            );
            if rejected {
                break;
            }
        }
        pass.replies.push(Reply { done, verdicts });
    }

    /// Looks for somebody for those who wait wherever somebody became free, and fires what is due, searches among it.
    fn search_and_fire(&mut self, pass: &mut Pass) {
        for _ in 0..DEADLINES_IN_A_ROW {
            self.search_for_the_freed(pass);
            if self.state.next_deadline().is_none_or(|due| due > pass.now) {
                return;
            }
            match self.decide(Command::Tick, pass) {
                Ok(decided) if decided.changed => {}
                Ok(_) | Err(_) => {
                    // A deadline that changes nothing would fire for ever.
                    metrics::broken_invariant("a deadline was due and nothing was decided");
                    return;
                }
            }
        }
        self.search_for_the_freed(pass);
    }

    fn search_for_the_freed(&mut self, pass: &mut Pass) {
        let freed = std::mem::take(&mut pass.freed);
        if !freed.is_empty() {
            // It is never rejected, and when nobody can be helped nothing changes.
            let _ = self.decide(Command::SearchWaiting { freed }, pass);
        }
    }

    /// Decides one command and writes down what follows.
    fn decide(&mut self, command: Command, pass: &mut Pass) -> Result<Decided, Rejection> {
        if pass.record.bytes().len() >= RECORD_BYTES {
            let next = Pass { freed: std::mem::take(&mut pass.freed), ..Pass::begin(pass.now) };
            self.keep(std::mem::replace(pass, next));
        }
        let policy = self.policy.load();
        let decision = dispatch::decide(&self.state, &self.roster, &policy, pass.now, command)?;
        for event in &decision.events {
            self.state.evolve(pass.now, event);
            dispatch::follow(&self.roster, &self.state, event);
            pass.freed.extend(event.frees());
            pass.record.push(event);
        }
        let Decision { events, incident, duplicate } = decision;
        let changed = !events.is_empty();
        pass.events.extend(events);
        Ok(Decided { incident, duplicate, changed })
    }

    /// Hands what was decided to the journal; without events the answers wait for what was decided before.
    fn keep(&self, pass: Pass) {
        let Pass { now, decided, record, events, replies, .. } = pass;
        let nothing = events.is_empty();
        if nothing && replies.is_empty() {
            return;
        }
        trap::at(trap::Place::Decided);
        let settled = Settled { at: now, decided, events, replies };
        let appended = if nothing {
            self.journal.barrier(settled)
        } else {
            self.journal.append(record.bytes(), settled)
        };
        if let Err(error) = appended {
            metrics::not_journaled(&error);
        }
    }
}

/// What is decided together, at one moment: it goes into one record of the journal and leaves after one flush.
struct Pass {
    now: Timestamp,
    /// The same moment, finer.
    decided: Instant,
    record: DispatchRecord,
    events: Vec<Event>,
    replies: Vec<Reply>,
    /// Who became free since those who wait were looked at.
    freed: Vec<ResponderId>,
}

impl Pass {
    fn begin(now: Timestamp) -> Self {
        Self {
            now,
            decided: Instant::now(),
            record: DispatchRecord::new(now),
            events: Vec::new(),
            replies: Vec::new(),
            freed: Vec::new(),
        }
    }
}

/// What became of one command, and whether it changed anything.
struct Decided {
    incident: Option<IncidentId>,
    duplicate: bool,
    changed: bool,
}

#[cfg(test)]
mod tests;
