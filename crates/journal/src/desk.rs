//! Desk: what does the committer share with the one who stands in for it while the disk does not come back?
//!
//! A disk can do worse than refuse: a write or flush may not return for minutes, and whoever called it is stuck. So before
//! the committer goes to the disk it leaves on the desk what it is about to write, and the sink. When it is not back in
//! time, the stand-in takes both up: it releases what is there as not durable, and whatever is appended from then on, and
//! keeps those records. When the committer comes back, it gets them.

use crate::backlog::Backlog;
use crate::committer::Standing;
use crate::queue::{Batch, Entry, Queue, Taken};
use crate::trouble::Trouble;
use crate::writer::unflushed;
use crate::{Failure, Notice, Options, Outcome, Released, Sequence};
use std::io::{Error, ErrorKind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::{Duration, Instant};

/// How often the stand-in looks whether the committer is back.
const LOOK: Duration = Duration::from_millis(10);

/// What the committer and its stand-in share.
pub(crate) struct Desk<T, S> {
    state: Mutex<State<T, S>>,
    changed: Condvar,
}

struct State<T, S> {
    /// `None` after it has panicked: it is not called again.
    sink: Option<S>,
    trip: Trip<T>,
    relief: Relief,
    /// The committer has ended.
    is_over: bool,
    released: Vec<Released<T>>,
}

/// What is on its way to the disk.
struct Trip<T> {
    /// `None` while nothing is.
    since: Option<Instant>,
    place: String,
    entries: Vec<Entry<T>>,
}

/// The sink has panicked while somebody stood in.
#[derive(Debug)]
pub(crate) struct Gone;

enum Relief {
    Off,
    On,
    /// The committer is back, and waits.
    CalledBack,
    /// What the stand-in leaves to it.
    Done(Trouble),
}

impl<T, S: FnMut(Notice<'_, T>)> Desk<T, S> {
    pub(crate) fn new(sink: S) -> Self {
        let trip = Trip { since: None, place: String::new(), entries: Vec::new() };
        let state =
            State { sink: Some(sink), trip, relief: Relief::Off, is_over: false, released: Vec::new() };
        Desk { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State<T, S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The committer goes to the disk, to write `entries` at `place`.
    pub(crate) fn leave(&self, place: &str, entries: &mut Vec<Entry<T>>) {
        let mut state = self.lock();
        state.trip.since = Some(Instant::now());
        state.trip.place.clear();
        state.trip.place.push_str(place);
        std::mem::swap(&mut state.trip.entries, entries);
    }

    /// The committer is back: what it had left is released with this outcome. If somebody stood in for it, that was
    /// done, and what became of the records since is returned.
    ///
    /// # Errors
    ///
    /// [`Gone`]: the sink panicked meanwhile, and records may be missing: nothing may be written any more.
    pub(crate) fn come_back(&self, outcome: &Outcome) -> Result<Option<Trouble>, Gone> {
        let mut state = self.lock();
        if let Relief::Off = state.relief {
            state.release(outcome);
            return if state.sink.is_some() { Ok(None) } else { Err(Gone) };
        }
        state.relief = Relief::CalledBack;
        loop {
            let (held, _) = self.changed.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner);
            state = held;
            match std::mem::replace(&mut state.relief, Relief::Off) {
                Relief::Done(trouble) => return Ok(Some(trouble)),
                _ if state.sink.is_none() => return Err(Gone),
                other @ (Relief::Off | Relief::On | Relief::CalledBack) => state.relief = other,
            }
        }
    }

    pub(crate) fn recovered(&self, head: u64) {
        if let Some(sink) = &mut self.lock().sink {
            sink(Notice::Recovered { head: Sequence(head) });
        }
    }

    /// The sink has panicked on this thread, which stood in: whoever it belongs to is told by dropping it here, and
    /// nobody calls it again.
    fn lose_sink(&self) {
        let sink = self.lock().sink.take();
        self.changed.notify_all();
        drop(sink);
    }

    fn end(&self) {
        self.lock().is_over = true;
        self.changed.notify_all();
    }
}

impl<T, S: FnMut(Notice<'_, T>)> State<T, S> {
    /// Tells the sink what became of whatever is on its way.
    fn release(&mut self, outcome: &Outcome) {
        self.trip.since = None;
        if self.trip.entries.is_empty() {
            return;
        }
        self.released.extend(self.trip.entries.drain(..).map(|entry| Released {
            sequence: entry.sequence,
            token: entry.token,
            outcome: outcome.clone(),
        }));
        if let Some(sink) = &mut self.sink {
            sink(Notice::Released(&mut self.released));
        }
        self.released.clear();
    }
}

/// Who stands in for the committer. Dropped by it at its end.
pub(crate) struct StandIn {
    end: Box<dyn Fn() + Send>,
    thread: Option<JoinHandle<()>>,
}

impl StandIn {
    /// Starts the thread of the stand-in.
    ///
    /// # Errors
    ///
    /// That of the system, when it has no thread left.
    pub(crate) fn start<T: Send + 'static, S: FnMut(Notice<'_, T>) + Send + 'static>(
        desk: &Arc<Desk<T, S>>,
        queue: Arc<Queue<T>>,
        standing: Arc<Standing>,
        options: Options,
    ) -> std::io::Result<StandIn> {
        let duty = Duty { desk: Arc::clone(desk), queue, standing, options };
        let thread = thread::Builder::new().name("journal aside".into()).spawn(move || duty.run())?;
        let desk = Arc::clone(desk);
        Ok(StandIn { end: Box::new(move || desk.end()), thread: Some(thread) })
    }

    pub(crate) fn thread(&self) -> Option<ThreadId> {
        Some(self.thread.as_ref()?.thread().id())
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        (self.end)();
        // A panic of the sink was reported by its thread.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// What a panic of the sink on the thread of the stand-in leads to: the journal ends.
struct Panics<'d, T, S: FnMut(Notice<'_, T>)> {
    desk: &'d Desk<T, S>,
    queue: &'d Queue<T>,
}

impl<T, S: FnMut(Notice<'_, T>)> Drop for Panics<'_, T, S> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.queue.stop();
            self.desk.lose_sink();
        }
    }
}

/// What runs on the thread of the stand-in.
struct Duty<T, S> {
    desk: Arc<Desk<T, S>>,
    queue: Arc<Queue<T>>,
    standing: Arc<Standing>,
    options: Options,
}

impl<T, S: FnMut(Notice<'_, T>)> Duty<T, S> {
    fn run(self) {
        let patience = self.options.patience;
        let _guard = Panics { desk: &self.desk, queue: &self.queue };
        let mut state = self.desk.lock();
        while !state.is_over {
            let is_late = state.trip.since.is_some_and(|since| since.elapsed() >= patience);
            state = if is_late {
                self.relieve(state)
            } else {
                // Waking this thread for each trip would cost more than most trips.
                let waited = self.desk.changed.wait_timeout(state, patience / 4);
                waited.unwrap_or_else(PoisonError::into_inner).0
            };
        }
    }

    /// Does the committer's work, as far as it can be done without a disk, until it is back.
    fn relieve<'d>(&'d self, mut state: MutexGuard<'d, State<T, S>>) -> MutexGuard<'d, State<T, S>> {
        let mut trouble = Trouble::new(self.failure(&state.trip), Backlog::default(), &self.options);
        let mut batch = Batch::new();
        state.relief = Relief::On;
        loop {
            let failure = trouble.failure().clone();
            self.standing.set_failure(Some(failure.clone()));
            state.release(&Outcome::NotDurable(failure));
            if state.is_over || matches!(state.relief, Relief::CalledBack) {
                break;
            }
            drop(state);
            batch.clear();
            if let Taken::End = self.queue.take(&mut batch, Some(Instant::now() + LOOK)) {
                thread::sleep(LOOK);
            }
            trouble.keep(unflushed(&batch.bytes, batch.lengths.iter().copied(), 0));
            state = self.desk.lock();
            std::mem::swap(&mut state.trip.entries, &mut batch.entries);
        }
        state.relief = Relief::Done(trouble);
        self.desk.changed.notify_all();
        state
    }

    fn failure(&self, trip: &Trip<T>) -> Failure {
        let what = format!("nothing has come back for {} ms", self.options.patience.as_millis());
        let source = Arc::new(Error::new(ErrorKind::TimedOut, what));
        Failure { place: trip.place.clone(), what: "write or flush", source, given_up: None }
    }
}
