//! Trouble: what happens between a failure of the disk and the moment when it takes everything again?
//!
//! What was not written waits in a [`Backlog`]. On a thread of its own, so that whatever is appended meanwhile is
//! released at once, a [`FreshStart`](crate::writer::FreshStart) is tried; the pause before it doubles each time.

use crate::backlog::{Backlog, Group};
use crate::writer::{Tail, Writer};
use crate::{Failure, Options};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The longest pause between two tries is this many times the first one.
const LONGEST_PAUSE: u32 = 20;
/// How long the committer waits before it looks whether a try has ended: so much later are records durable again.
const LOOK: Duration = Duration::from_millis(10);

/// The disk refuses, since `failure`.
pub(crate) struct Trouble {
    failure: Failure,
    /// What no try has taken up, in order.
    backlog: Backlog,
    /// The most that may wait, in bytes.
    limit: usize,
    pause: Duration,
    longest_pause: Duration,
    step: Step,
}

enum Step {
    /// The next try is due then.
    Pausing(Instant),
    /// What had waited until then is being written, so many bytes of it.
    Trying(JoinHandle<Tried>, usize),
    /// Records were given up, so there would be a gap: nothing more is written before the next start. A try may still
    /// be under way; what it writes stands, and is read then.
    GivenUp(Option<JoinHandle<Tried>>),
}

/// What became of a try; the backlog comes back.
struct Tried {
    outcome: Result<Tail, Failure>,
    backlog: Backlog,
}

impl Trouble {
    pub(crate) fn new(failure: Failure, backlog: Backlog, options: &Options) -> Trouble {
        let pause = options.retry_after;
        let mut trouble = Trouble {
            failure,
            backlog: Backlog::default(),
            limit: options.backlog_bytes,
            pause,
            longest_pause: pause * LONGEST_PAUSE,
            step: Step::Pausing(Instant::now() + pause),
        };
        trouble.append(backlog);
        trouble
    }

    pub(crate) fn failure(&self) -> &Failure {
        &self.failure
    }

    /// Takes what was appended meanwhile.
    pub(crate) fn keep(&mut self, group: Group) {
        let mut later = Backlog::default();
        later.push(group);
        self.append(later);
    }

    /// Takes what somebody else has kept, all of it after what waits here.
    pub(crate) fn append_all(&mut self, mut later: Trouble) {
        match later.step {
            Step::GivenUp(_) => self.give_up(),
            Step::Pausing(_) | Step::Trying(..) => self.append(std::mem::take(&mut later.backlog)),
        }
    }

    /// Nothing waits, and nothing was given up.
    pub(crate) fn is_settled(&self) -> bool {
        matches!(self.step, Step::Pausing(_)) && self.backlog.bytes() == 0
    }

    fn append(&mut self, later: Backlog) {
        let being_tried = match &self.step {
            Step::Trying(_, bytes) => *bytes,
            Step::Pausing(_) => 0,
            Step::GivenUp(_) => return,
        };
        if being_tried + self.backlog.bytes() + later.bytes() > self.limit {
            self.give_up();
        } else {
            self.backlog.append(later);
        }
    }

    fn give_up(&mut self) {
        let under_way = match std::mem::replace(&mut self.step, Step::GivenUp(None)) {
            Step::Trying(thread, _) => Some(thread),
            Step::Pausing(_) | Step::GivenUp(_) => None,
        };
        self.step = Step::GivenUp(under_way);
        self.failure.given_up = Some(self.limit);
        self.backlog = Backlog::default();
    }

    /// When there is something to do next; never, when records were given up.
    pub(crate) fn due(&self) -> Option<Instant> {
        match &self.step {
            Step::Pausing(until) => Some(*until),
            Step::Trying(..) => Some(Instant::now() + LOOK),
            Step::GivenUp(_) => None,
        }
    }

    /// Does what is due. Nothing is left of the trouble when everything is flushed.
    pub(crate) fn mend(mut self, writer: &mut Writer) -> Option<Trouble> {
        match &self.step {
            Step::Pausing(until) if *until <= Instant::now() => {
                self.begin(writer);
                Some(self)
            }
            Step::Trying(thread, _) if thread.is_finished() => self.finish(writer),
            Step::Pausing(_) | Step::Trying(..) | Step::GivenUp(_) => Some(self),
        }
    }

    /// Tries once more without a pause, waits for the outcome, and is done: this is the end of the journal's thread.
    pub(crate) fn mend_now(mut self, writer: &mut Writer) -> Option<Trouble> {
        if let Step::Pausing(_) = self.step {
            self.begin(writer);
        }
        self.finish(writer)
    }

    fn begin(&mut self, writer: &mut Writer) {
        let start = writer.fresh_start();
        let bytes = self.backlog.bytes();
        // The backlog follows when there is a thread: one that cannot be had must not take it along.
        let (give, given) = sync_channel::<Backlog>(1);
        let tried = thread::Builder::new().name("journal again".into()).spawn(move || {
            let mut backlog = given.recv().unwrap_or_default();
            let outcome = start.write(&mut backlog);
            Tried { outcome, backlog }
        });
        match tried {
            Ok(thread) => {
                let _ = give.send(std::mem::take(&mut self.backlog));
                self.step = Step::Trying(thread, bytes);
            }
            Err(_) => self.pause(),
        }
    }

    fn pause(&mut self) {
        self.pause = (self.pause * 2).min(self.longest_pause);
        self.step = Step::Pausing(Instant::now() + self.pause);
    }

    /// Takes up what a try has come to.
    fn finish(mut self, writer: &mut Writer) -> Option<Trouble> {
        let thread = match std::mem::replace(&mut self.step, Step::GivenUp(None)) {
            Step::Trying(thread, _) => thread,
            other @ (Step::Pausing(_) | Step::GivenUp(_)) => {
                self.step = other;
                return Some(self);
            }
        };
        let Ok(Tried { outcome, mut backlog }) = thread.join() else {
            self.lose(std::io::Error::other("the thread that tried again has panicked"));
            return Some(self);
        };
        let later = std::mem::take(&mut self.backlog);
        let left = match outcome {
            Ok(tail) => {
                writer.go_on(tail);
                match writer.commit_all(later) {
                    Ok(()) => return None,
                    Err((_, left)) => left,
                }
            }
            Err(_) => {
                backlog.append(later);
                backlog
            }
        };
        self.backlog = left;
        self.pause();
        Some(self)
    }

    /// The records of a try are gone with its thread.
    fn lose(&mut self, cause: std::io::Error) {
        self.give_up();
        self.failure.source = Arc::new(cause);
    }
}

impl Drop for Trouble {
    fn drop(&mut self) {
        // A try must not write into a directory that somebody else may lock next.
        if let Step::Trying(thread, _) | Step::GivenUp(Some(thread)) =
            std::mem::replace(&mut self.step, Step::GivenUp(None))
        {
            let _ = thread.join();
        }
    }
}
