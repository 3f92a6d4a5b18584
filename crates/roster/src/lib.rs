//! Roster: who is where, and free to go?
//!
//! - Nobody is in two places: a responder is claimed for one incident at most, by one compare-and-swap.
//! - Whoever is on duty, free and somewhere is found; whoever is not, is not in the way of those who look.
//! - Nobody waits for anybody. Looking changes nothing; claims, releases, reports and duties from any number of threads
//!   only ever start a step over, and only when somebody else has got one further.
//! - The newest fix wins, whichever order reports arrive in. An old one gives way to the base, the place of the station.
//! - Memory is taken once, at the start: about 64 bytes a slot, 33 for the spill and 136 to 272 for the cells.
//!
//! # How a change reaches the cells
//! Each responder has a slot, and a seat in the cell of the grid they stand in while they can be asked. Every change
//! first writes what is new into the slot and then changes the slot's word (see `availability.rs`), setting its busy
//! bit. Whoever set the bit settles: makes the seat agree with the slot, then clears the bit, provided the word is still
//! the one it settled; if not, it settles again. Whoever finds the bit set has nothing to do: the other will see the
//! change. So one thread at a time moves one responder, no change is forgotten, and nobody waits.
//!
//! # What a query may see
//! A query reads seats, then asks the slots of the best whether they are available. Hence it never returns somebody who
//! was already claimed or off duty when it was called, and a claim still has to be won. Who moves to another cell has
//! the new seat before losing the old one. A query may see both, and then looks again. It may look for the new one too
//! early and for the old one too late, and notices by a count of moves: when that leaves it short of candidates, it looks
//! again, and after a few times goes through all slots, so nobody who is free all the time is missed when few are. When
//! it has enough, the one who slipped between cells in that very tenth of a microsecond is as if the alert had come then.
//!
//! If the system stops the settling thread just then, what others change of that one responder shows up in the cells
//! when it runs again. The word is never late: a claim made meanwhile holds.

mod availability;
mod cells;
mod explain;
mod fix;
mod point;
mod query;
mod slot;
mod sync;
mod torus;

use model::{IncidentId, Metres, Place, ResponderId, Skills, Timestamp};

use crate::{
    availability::Word,
    cells::{Cells, Who},
    point::{Aim, Point},
    slot::Slot,
    sync::{AtomicI64, Ordering},
    torus::Torus,
};
pub use crate::{
    availability::{Availability, Duty},
    explain::{Explained, LeftOut},
    query::{Candidate, Located, Query, Tally},
};

/// How large a roster is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Slots: ids from 0 to one less than this can be enrolled. At most [`Size::MAX_RESPONDERS`].
    pub responders: u32,
    /// The edge of a cell. Best is one with about 8 free responders in the dense centre, see [`Size::DEFAULT_CELL`]:
    /// more than 16 have to sit elsewhere.
    pub cell: Metres,
}

impl Size {
    /// Right for 100,000 responders of a city; for 10,000 take twice this, for a million a third.
    pub const DEFAULT_CELL: Metres = Metres(384);
    /// The most slots a roster has, about 16.8 million.
    pub const MAX_RESPONDERS: u32 = 1 << 24;
}

/// What the registry knows of a responder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// What they have learned.
    pub skills: Skills,
    /// The place of their station, where they are taken to be without a fresh fix.
    pub base: Option<Place>,
}

/// The id is beyond the last slot. Start with a larger [`Size`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RosterFull {
    /// Who was to be enrolled.
    pub responder: ResponderId,
    /// How many slots there are.
    pub responders: u32,
}

impl std::fmt::Display for RosterFull {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { responder, responders } = self;
        write!(f, "responder {responder} does not fit into a roster of {responders}: start with a larger one")
    }
}

impl std::error::Error for RosterFull {}

/// What became of a reported position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reported {
    /// It is the newest.
    Newest,
    /// Ignored: there is one as new or newer, taken at this time.
    Outdated(Timestamp),
    /// Ignored: nobody of that id is enrolled.
    Unknown,
}

/// Everybody who can be sent. Shared by reference between any number of threads.
pub struct Roster {
    slots: Box<[Slot]>,
    cells: Cells,
    /// Fixes before this, in milliseconds, are stale.
    stale_before: AtomicI64,
}

impl Roster {
    /// Returns a roster with nobody in it. Takes all the memory it will ever have.
    #[must_use]
    pub fn new(size: Size) -> Self {
        let responders = size.responders.min(Size::MAX_RESPONDERS);
        Self {
            slots: (0..responders).map(|_| Slot::new()).collect(),
            cells: Cells::new(responders, Torus::new(responders, size.cell)),
            stale_before: AtomicI64::new(i64::MIN),
        }
    }

    /// How many slots there are.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.slots.len() as u32
    }

    /// Enrols a responder, off duty at first; once more changes skills and base and nothing else.
    ///
    /// One thread enrols one responder: two at once may leave the skills of one and the base of the other.
    ///
    /// # Errors
    /// [`RosterFull`] when there is no slot for that id.
    pub fn enrol(&self, responder: ResponderId, member: Member) -> Result<(), RosterFull> {
        let slot = self.slot(responder).ok_or(RosterFull { responder, responders: self.capacity() })?;
        slot.set_member(member.skills, member.base);
        self.change(responder, slot, |word| Some(word.enrolled()));
        Ok(())
    }

    /// Sets the duty and returns what the responder is now: who is claimed stays so, and the duty counts on release.
    pub fn set_duty(&self, responder: ResponderId, duty: Duty) -> Availability {
        let Some(slot) = self.slot(responder) else { return Availability::Unknown };
        let set = |word: Word| (word.availability() != Availability::Unknown).then(|| word.with_duty(duty));
        self.change(responder, slot, set).availability()
    }

    /// Takes note of where a responder was at `fix_at`. The newest fix wins; equal times count as older.
    ///
    /// A fix older than the last [`Roster::sweep`] allows is kept and not used. Times before 1970 and after 2527 are
    /// kept as those years.
    pub fn report(&self, responder: ResponderId, place: Place, fix_at: Timestamp) -> Reported {
        let Some(slot) = self.slot(responder) else { return Reported::Unknown };
        if slot.word().availability() == Availability::Unknown {
            return Reported::Unknown;
        }
        match slot.fix.note(Point::of(place), fix_at) {
            Err(newest) => Reported::Outdated(newest),
            Ok(()) => {
                self.change(responder, slot, Some);
                Reported::Newest
            }
        }
    }

    /// Declares fixes before `stale_before` too old: their owners count as being at their base, or cannot be asked when
    /// they have none. A time before that of an earlier sweep changes nothing.
    ///
    /// Goes through every slot and settles it anew, a few milliseconds for 100,000: for a timer, not for an alert.
    pub fn sweep(&self, stale_before: Timestamp) {
        // Relaxed: the read-modify-write of each word below publishes it to whoever changes that word next, and whoever
        // changed it before is seen by our settling.
        self.stale_before.fetch_max(stale_before.0, Ordering::Relaxed);
        for (responder, slot) in (0..).map(ResponderId).zip(&self.slots) {
            if slot.word().availability() != Availability::Unknown {
                self.change(responder, slot, Some);
            }
        }
    }

    /// Replaces `candidates` by the `limit` nearest that can be asked, by (distance in whole metres, id), and returns
    /// what it looked at.
    ///
    /// Exactly those that sorting all by [`Place::distance`] would give, when nothing changes meanwhile. Takes no lock
    /// and never waits.
    pub fn nearest(&self, query: &Query<'_>, candidates: &mut Vec<Candidate>) -> Tally {
        query::nearest(self, query, candidates)
    }

    /// Replaces `explained` by the `limit` nearest of all who are enrolled, with the reason each one cannot be asked;
    /// those whose place is unknown come last.
    ///
    /// Linear in slots, for people: a few milliseconds for 100,000.
    pub fn explain(&self, query: &Query<'_>, explained: &mut Vec<Explained>) {
        explain::explain(self, query, explained);
    }

    /// Returns one responder in the light of a query, or `None` for somebody who is not enrolled.
    #[must_use]
    pub fn explain_one(&self, responder: ResponderId, query: &Query<'_>) -> Option<Explained> {
        explain::explain_one(self, query, &Aim::new(query.at), responder)
    }

    /// Claims a responder for an incident. Claiming again for the same incident is fine and changes nothing.
    ///
    /// Of an incident's number 40 bits are kept.
    ///
    /// # Errors
    /// What the responder is instead of available.
    pub fn claim(&self, responder: ResponderId, incident: IncidentId) -> Result<(), Availability> {
        let slot = self.slot(responder).ok_or(Availability::Unknown)?;
        let mut refused = Ok(());
        self.change(responder, slot, |word| {
            let claimed = word.claimed(incident);
            refused = claimed.map(|_| ());
            claimed.ok()
        });
        match refused {
            Err(Availability::Claimed(other)) if other == incident => Ok(()),
            Ok(()) | Err(_) => refused,
        }
    }

    /// Frees a responder who is claimed for this incident; says whether that was so.
    pub fn release(&self, responder: ResponderId, incident: IncidentId) -> bool {
        let Some(slot) = self.slot(responder) else { return false };
        let mut released = false;
        self.change(responder, slot, |word| {
            let free = word.released(incident);
            released = free.is_some();
            free
        });
        released
    }

    /// What the responder is now.
    #[must_use]
    pub fn availability(&self, responder: ResponderId) -> Availability {
        self.slot(responder).map_or(Availability::Unknown, |slot| slot.word().availability())
    }

    fn slot(&self, responder: ResponderId) -> Option<&Slot> {
        self.slots.get(responder.0 as usize)
    }

    fn stale_before(&self) -> Timestamp {
        Timestamp(self.stale_before.load(Ordering::Relaxed))
    }

    /// Changes the word of a responder to what `next` makes of it, unless that is `None`, and has it settled. Returns
    /// the word as it is then.
    ///
    /// Lock-free: `next` is asked again only when somebody else has changed the word.
    fn change(
        &self,
        responder: ResponderId,
        slot: &Slot,
        mut next: impl FnMut(Word) -> Option<Word>,
    ) -> Word {
        let mut seen = slot.word();
        loop {
            let Some(wanted) = next(seen).map(Word::changed) else { return seen };
            // Release: whoever settles sees what we wrote into the slot before. Acquire: if that is us, we see what
            // others wrote before they found the busy bit set, and where the last one to settle left the seat.
            match slot.word.compare_exchange_weak(seen.0, wanted.0, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) if seen.busy() => return wanted,
                Ok(_) => {
                    self.settle(responder, slot, wanted);
                    return wanted;
                }
                Err(now) => seen = Word(now),
            }
        }
    }

    /// Makes the seat agree with the slot until the word stays as it was. We hold the busy bit and give it back.
    fn settle(&self, responder: ResponderId, slot: &Slot, mut word: Word) {
        loop {
            self.seat(responder, slot, word);
            // Release: the next to settle sees the seat. Acquire: we see what came with the newer word.
            match slot.word.compare_exchange(word.0, word.settled().0, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(now) => word = Word(now),
            }
        }
    }

    /// Gives the responder the seat that the slot asks for: where they are if they can be asked, none otherwise.
    fn seat(&self, responder: ResponderId, slot: &Slot, word: Word) {
        slot.settle_fix();
        let held = slot.seat();
        let located = if word.available() { slot.located(self.stale_before()) } else { None };
        let Some((point, located)) = located else {
            if let Some(seat) = held {
                self.cells.leave(seat);
                slot.set_seat(None);
            }
            return;
        };
        let cell = self.cells.torus.cell_of(point);
        let who = Who::new(responder, slot.skills(), cell, located == Located::Base, word.epoch());
        match held {
            Some(seat) if seat.cell as usize == cell && self.cells.who(seat).says_the_same(who) => {
                self.cells.shift(seat, point);
            }
            Some(seat) => {
                slot.set_seat(Some(self.cells.enter(cell, who, point)));
                self.cells.moving();
                self.cells.leave(seat);
            }
            None => slot.set_seat(Some(self.cells.enter(cell, who, point))),
        }
    }
}
