//! The engine: one thread that owns a county's incidents, offers and timers.
//!
//! It takes commands from a bounded queue, decides, and hands the events to the journal. It never waits for a flush:
//! while one group is on its way to the disk, the next is decided. Answers leave through the [`Outlet`], after the
//! flush, in the order of the decisions.

use std::{sync::Arc, thread, time::Instant};

use dispatch::{Command, Decision, Event, Policy, Rejection, State};
use journal::Journal;
use model::{IncidentId, Millis, Timestamp};
use roster::Roster;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{clock::Clock, metrics, outlet::Settled};

/// Commands that may wait for the engine; then sockets are not read and callers wait.
const QUEUE: usize = 4096;
/// Commands taken from the queue before deadlines are looked at again.
const BATCH: usize = 256;
/// Without any deadline, how long until the engine looks again.
const LONGEST_NAP: Millis = Millis::from_seconds(3600);
/// Deadlines fired before commands are looked at again, so that a late restart does not shut out new alerts.
const DEADLINES_IN_A_ROW: usize = 256;

/// What somebody wishes, and whom to tell.
pub(crate) struct Job {
    /// One message may hold several alerts; they are decided one after the other.
    pub(crate) commands: Vec<Command>,
    /// Called once, after everything the commands decided is flushed, or known not to be.
    pub(crate) done: Done,
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
}

impl Engine {
    /// Hands over a job; waits while the queue is full.
    pub(crate) async fn post(&self, job: Job) -> Result<(), Stopped> {
        self.queue.send(job).await.map_err(|_| Stopped)
    }

    /// Hands over commands and waits until what they decided is flushed, or known not to be.
    pub(crate) async fn ask(&self, commands: Vec<Command>) -> Result<Answer, Stopped> {
        let (sender, receiver) = oneshot::channel();
        let done: Done = Box::new(move |answer| {
            // Nobody waits any more: the caller went away, and the decision stands.
            let _ = sender.send(answer);
        });
        self.post(Job { commands, done }).await?;
        receiver.await.map_err(|_| Stopped)
    }

    /// Jobs that can still be queued; none when the engine has ended.
    pub(crate) fn room(&self) -> usize {
        if self.queue.is_closed() { 0 } else { self.queue.capacity() }
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
    pub(crate) policy: Policy,
    pub(crate) clock: Clock,
    pub(crate) journal: Arc<Journal<Settled>>,
    /// How many became free since waiting incidents were looked at.
    pub(crate) freed: usize,
}

/// Starts the engine's thread. When `stop` is cancelled it takes nothing new, drains its queue and returns its works.
pub(crate) fn start(
    works: Works,
    stop: CancellationToken,
) -> std::io::Result<(Engine, thread::JoinHandle<Works>)> {
    let (queue, jobs) = mpsc::channel(QUEUE);
    let timers = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let thread = thread::Builder::new().name("dispatch".to_owned()).spawn(move || {
        let _alarm = Alarm(stop.clone());
        timers.block_on(works.run(jobs, &stop))
    })?;
    Ok((Engine { queue }, thread))
}

impl Works {
    async fn run(mut self, mut jobs: mpsc::Receiver<Job>, stop: &CancellationToken) -> Self {
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
            metrics::engine_batch(batch.len());
            for job in batch.drain(..) {
                self.handle(job);
            }
            self.fire_deadlines();
            self.search_waiting();
        }
    }

    /// Whoever became free is asked for those who wait, the most urgent first.
    fn search_waiting(&mut self) {
        while self.freed > 0 {
            self.freed -= 1;
            let now = self.clock.now();
            match self.decide(now, Command::SearchWaiting) {
                Ok(decision) if !decision.events.is_empty() => self.keep(now, decision.events, None),
                Ok(_) | Err(_) => self.freed = 0,
            }
        }
    }

    fn handle(&mut self, job: Job) {
        let now = self.clock.now();
        let mut verdicts = Vec::with_capacity(job.commands.len());
        let mut events = Vec::new();
        for command in job.commands {
            let decided = self.decide(now, command);
            let rejected = decided.is_err();
            verdicts.push(decided.map(|mut decision| {
                events.append(&mut decision.events);
                Verdict { incident: decision.incident, duplicate: decision.duplicate }
            }));
            if rejected {
                break;
            }
        }
        self.keep(now, events, Some((job.done, verdicts)));
    }

    fn fire_deadlines(&mut self) {
        for _ in 0..DEADLINES_IN_A_ROW {
            let now = self.clock.now();
            if self.state.next_deadline().is_none_or(|due| due > now) {
                return;
            }
            match self.decide(now, Command::Tick) {
                Ok(decision) if !decision.events.is_empty() => self.keep(now, decision.events, None),
                Ok(_) | Err(_) => {
                    // A deadline that changes nothing would fire for ever.
                    metrics::broken_invariant("a deadline was due and nothing was decided");
                    return;
                }
            }
        }
    }

    fn decide(&mut self, now: Timestamp, command: Command) -> Result<Decision, Rejection> {
        let decision = dispatch::decide(&self.state, &self.roster, &self.policy, now, command)?;
        for event in &decision.events {
            self.state.evolve(now, event);
            self.freed += usize::from(event.frees_somebody());
            dispatch::follow(&self.roster, event);
        }
        Ok(decision)
    }

    /// Hands the events to the journal; without events the answer waits for what was decided before.
    fn keep(
        &self,
        at: Timestamp,
        events: Vec<Event>,
        reply: Option<(Done, Vec<Result<Verdict, Rejection>>)>,
    ) {
        let record = (!events.is_empty()).then(|| wire::dispatch_record(at, &events));
        let settled = Settled { at, decided: Instant::now(), events, reply };
        let appended = match record {
            Some(record) => self.journal.append(&record, settled),
            None => self.journal.barrier(settled),
        };
        if let Err(error) = appended {
            metrics::not_journaled(&error);
        }
    }
}
