//! The outlet: what leaves, leaves here, after the flush.
//!
//! Runs on the journal's thread, once for each flushed group: shows the events on the board, tells consoles and
//! responders, hands the record to the outbox, and answers whoever asked. When the disk refused the group, it is shown and
//! dispatched all the same, marked as degraded, and nobody outside is told that we have it. When the disk has recovered, so
//! has all of that.

use std::{sync::Arc, time::Instant};

use dispatch::{Event, Rejection};
use journal::{Notice, Outcome, Released, Sequence};
use model::Timestamp;
use views::{Board, Change, Directory};

use crate::{
    clock::Clock,
    engine::{Answer, Done, Verdict},
    hub::Hub,
    metrics,
    outbox::{Feed, News},
    trap,
};

/// What the engine decided in one go, on its way through the journal.
pub(crate) struct Settled {
    pub(crate) at: Timestamp,
    /// The same moment, finer.
    pub(crate) decided: Instant,
    pub(crate) events: Vec<Event>,
    /// Those who asked, in the order of the decisions.
    pub(crate) replies: Vec<Reply>,
}

/// Whom to tell what became of their wish.
pub(crate) struct Reply {
    pub(crate) done: Done,
    pub(crate) verdicts: Vec<Result<Verdict, Rejection>>,
}

/// Everything that waits for a flush.
pub(crate) struct Outlet {
    pub(crate) clock: Clock,
    pub(crate) board: Arc<Board>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) outbox: Feed,
}

impl Outlet {
    /// Takes whatever the journal has to tell.
    pub(crate) fn take(&self, notice: Notice<'_, Settled>) {
        match notice {
            Notice::Released(group) => self.release(group),
            Notice::Recovered { head } => self.recovered(head),
        }
    }

    /// Everything up to `head` is durable after all, also what was shown as not durable.
    fn recovered(&self, head: Sequence) {
        metrics::recovered("dispatch", head);
        self.outbox.recovered(head.0);
        for incident in self.board.recovered(head.0, self.clock.now()) {
            self.hub.tell_consoles(incident);
        }
    }

    /// Lets out one flushed group.
    fn release(&self, group: &mut Vec<Released<Settled>>) {
        trap::at(trap::Place::Flushed);
        let now = self.clock.now();
        metrics::flushed(group.len());
        for released in group.drain(..) {
            let durable_at = match released.outcome {
                Outcome::Durable => Some(now),
                Outcome::NotDurable(failure) => {
                    metrics::not_durable("dispatch", &failure);
                    None
                }
            };
            let Settled { at, decided, events, replies } = released.token;
            metrics::left(decided.elapsed());
            if !events.is_empty() {
                let change = Change { sequence: released.sequence.0, at, durable_at, events: &events };
                self.show(change);
                let (sequence, durable) = (released.sequence.0, durable_at.is_some());
                self.outbox.tell(News { sequence, at, durable, read_back: false, events });
            }
            trap::at(trap::Place::Told);
            for Reply { done, verdicts } in replies {
                metrics::duplicates(verdicts.iter().flatten().filter(|verdict| verdict.duplicate).count());
                done(Answer { verdicts, durable: durable_at.is_some() });
            }
        }
    }

    fn show(&self, change: Change<'_>) {
        // The board forgets them when they close.
        let own: Vec<&Event> = change.events.iter().filter(|event| self.is_own(event)).collect();
        let changed = self.board.fold(change);
        trap::at(trap::Place::Shown);
        for notice in views::notices(&self.board, &self.directory, change.events) {
            self.hub.tell_responder(&notice);
        }
        for event in change.events {
            if !own.contains(&event) && !self.is_own(event) {
                metrics::event(event);
            }
        }
        for incident in changed {
            self.hub.tell_consoles(incident);
        }
    }

    /// Whether an event is about an alert that the node sent itself.
    fn is_own(&self, event: &Event) -> bool {
        match event {
            Event::Incident { incident, .. } => self.board.is_own(*incident),
            Event::DutyChanged { .. } | Event::DrillModeChanged { .. } | Event::PolicyReplaced { .. } => {
                false
            }
        }
    }
}
