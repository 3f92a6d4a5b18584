//! The outlet: what leaves, leaves here, after the flush.
//!
//! Runs on the journal's thread, once for each flushed group: shows the events on the board, tells consoles and
//! responders, hands the record to the outbox, and answers whoever asked. When the disk refused the group, it is shown and dispatched all the same,
//! marked as degraded, and nobody outside is told that we have it.

use std::{sync::Arc, time::Instant};

use dispatch::{Event, Rejection};
use journal::{Outcome, Released};
use model::Timestamp;
use views::{Board, Change, Directory};

use crate::{
    clock::Clock,
    engine::{Answer, Done, Verdict},
    hub::Hub,
    metrics,
    outbox::{Feed, News},
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
    /// Lets out one flushed group.
    pub(crate) fn release(&self, group: &mut Vec<Released<Settled>>) {
        let now = self.clock.now();
        metrics::flushed(group.len());
        for released in group.drain(..) {
            let durable_at = match released.outcome {
                Outcome::Durable => Some(now),
                Outcome::NotDurable(failure) => {
                    metrics::not_durable(&failure);
                    None
                }
            };
            let Settled { at, decided, events, replies } = released.token;
            metrics::left(decided.elapsed());
            if !events.is_empty() {
                let change = Change { sequence: released.sequence.0, at, durable_at, events: &events };
                self.show(change);
                let (sequence, durable) = (released.sequence.0, durable_at.is_some());
                self.outbox.tell(News { sequence, at, durable, events });
            }
            for Reply { done, verdicts } in replies {
                metrics::duplicates(verdicts.iter().flatten().filter(|verdict| verdict.duplicate).count());
                done(Answer { verdicts, durable: durable_at.is_some() });
            }
        }
    }

    fn show(&self, change: Change<'_>) {
        let changed = self.board.fold(change);
        for notice in views::notices(&self.board, &self.directory, change.events) {
            self.hub.tell_responder(&notice);
        }
        change.events.iter().for_each(metrics::event);
        for incident in changed {
            self.hub.tell_consoles(incident);
        }
    }
}
