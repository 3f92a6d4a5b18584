//! Roster: who is where, and free to go?
//!
//! - Nobody is in two places: a responder is claimed for one incident at most, by one compare-and-swap.
//! - Whoever is on duty, free and somewhere is found; whoever is not, is not in the way of those who look.
//! - Nobody waits for anybody. Looking changes nothing; claims, releases, reports and duties from any number of threads
//!   only ever start a step over, and only when somebody else has got one further.
//! - The newest fix wins, whichever order reports arrive in. An old one gives way to the base, the place of the station.
//! - Everybody who is free is counted once, in all and in their town.
//! - Memory is taken once, at the start: 104 bytes a slot, 33 for the spill and 140 to 280 for the cells.
//!
//! # How a change reaches the cells
//! Each responder has a slot, and a seat in the cell of the grid they stand in while they can be asked. Every change
//! first writes what is new into the slot and then changes the slot's word (see `availability.rs`), setting its busy
//! bit. Whoever set the bit settles: makes the seat and the counts agree with the slot, then clears the bit, provided
//! the word is still the one it settled; if not, it settles again. Whoever finds the bit set has nothing to do: the
//! other will see the change. So one thread at a time moves one responder, no change is forgotten, and nobody waits.
//!
//! # What a query may see
//! A query reads seats, passing by every block of cells that says nobody in it has the skill, then asks the slots of the
//! best whether they are available. Hence it never returns somebody who was already claimed or off duty when it was
//! called, and a claim still has to be won. Who moves to another cell has the new seat before losing the old one. A
//! query may see both, and then looks again. It may look for the new one too early and for the old one too late, and
//! notices by a count of moves: when that leaves it short of candidates, it looks again, and after a few times goes
//! through all slots, so nobody who is free all the time is missed when few are. When it has enough, the one who slipped
//! between cells in that very tenth of a microsecond is as if the alert had come then.
//!
//! If the system stops the settling thread just then, what others change of that one responder shows up in the cells
//! when it runs again. The word is never late: a claim made meanwhile holds.

mod availability;
mod blocks;
mod cells;
mod coverage;
mod detail;
mod explain;
mod fix;
mod point;
mod query;
mod size;
mod slot;
mod sync;
mod torus;

use model::{
    Certificates, IncidentId, Millis, OrgUnitCode, Place, ResponderId, Skills, Timestamp, TravelMode,
};
use serde::{Deserialize, Serialize};

use crate::{
    availability::Word,
    cells::{Cells, Who},
    coverage::{Counted, Coverage},
    detail::Detail,
    point::{Aim, Point},
    slot::Slot,
    sync::{AtomicI64, Ordering},
    torus::Torus,
};
pub use crate::{
    availability::{Availability, Duty},
    explain::{Explained, LeftOut},
    query::{Candidate, Located, Query, Tally},
    size::Size,
};

/// What the registry knows of a responder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Member {
    /// What they have learned.
    pub skills: Skills,
    /// The place of their station, where they are taken to be without a fresh fix.
    pub base: Option<Place>,
    /// The county, town or village they work for. Coverage is counted by town.
    pub org_unit: Option<OrgUnitCode>,
    /// How they get to a job.
    pub travels: TravelMode,
    /// Until when they may use their skills.
    pub certificates: Certificates,
}

/// What the roster was told of a responder's work so far. It is only kept here, for those who choose between candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Idle {
    /// Without a job since.
    pub since: Option<Timestamp>,
    /// When the last job ended.
    pub job_ended_at: Option<Timestamp>,
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
    /// By number; the last is that of [`ResponderId::WATCHDOG`].
    slots: Box<[Slot]>,
    /// As the slots.
    details: Box<[Detail]>,
    cells: Cells,
    coverage: Coverage,
    /// Fixes before this, in milliseconds, are stale.
    stale_before: AtomicI64,
    /// By how much the time of decisions is ahead of the calendar, in milliseconds.
    ahead: AtomicI64,
}

impl Roster {
    /// Returns a roster with nobody in it. Takes all the memory it will ever have.
    #[must_use]
    pub fn new(size: Size) -> Self {
        let responders = size.responders.min(Size::MAX_RESPONDERS);
        Self {
            slots: (0..=responders).map(|_| Slot::new()).collect(),
            details: (0..=responders).map(|_| Detail::new()).collect(),
            cells: Cells::new(responders + 1, Torus::new(responders, size.cell)),
            coverage: Coverage::new(),
            stale_before: AtomicI64::new(i64::MIN),
            ahead: AtomicI64::new(0),
        }
    }

    /// How many slots there are for responders.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.slots.len() as u32 - 1
    }

    /// The size that fits where everybody is now. A roster cannot change its own: keep the cell for the next start when
    /// it differs by more than a step or two.
    ///
    /// Goes through every slot: for a timer, not for an alert.
    #[must_use]
    pub fn fitting_size(&self) -> Size {
        let everybody = (0..self.capacity()).map(ResponderId);
        let places: Vec<Place> =
            everybody.filter_map(|responder| Some(self.whereabouts(responder)?.0)).collect();
        Size::of(self.capacity(), &places)
    }

    /// Enrols a responder, off duty at first; once more changes what a [`Member`] says and nothing else.
    ///
    /// One thread enrols one responder: two at once may leave the skills of one and the base of the other.
    ///
    /// # Errors
    /// [`RosterFull`] when there is no slot for that id.
    pub fn enrol(&self, responder: ResponderId, member: Member) -> Result<(), RosterFull> {
        let full = RosterFull { responder, responders: self.capacity() };
        let (slot, detail) = self.slot(responder).zip(self.detail(responder)).ok_or(full)?;
        detail.set_member(&member);
        slot.set_member(member.skills, member.base, self.coverage.number(member.org_unit));
        self.change(responder, slot, |word| Some(word.enrolled()));
        Ok(())
    }

    /// What the responder was last enrolled with, or `None` for somebody who never was.
    ///
    /// Somebody who is enrolled once more at this very moment may be seen half as before and half as after.
    #[must_use]
    pub fn member(&self, responder: ResponderId) -> Option<Member> {
        let (slot, detail) = self.slot(responder).zip(self.detail(responder))?;
        if slot.word().availability() == Availability::Unknown {
            return None;
        }
        let (org_unit, source, travels, certificates) = detail.member();
        let base =
            slot.base().and_then(|base| Place::from_e7(base.latitude_e7(), base.longitude_e7(), source));
        Some(Member { skills: slot.skills(), base, org_unit, travels, certificates })
    }

    /// Keeps what is known of a responder's work so far; nothing for an id without a slot.
    ///
    /// For one thread: whoever reads meanwhile may see one of the two times as before and the other as after.
    pub fn set_idle(&self, responder: ResponderId, idle: Idle) {
        if let Some(detail) = self.detail(responder) {
            detail.set_idle(idle);
        }
    }

    /// What [`Roster::set_idle`] was told last; nothing known for somebody it never was told of.
    #[must_use]
    pub fn idle(&self, responder: ResponderId) -> Idle {
        self.detail(responder).map_or_else(Idle::default, Detail::idle)
    }

    /// Where a query takes the responder to be, in WGS-84, and how that is known; `None` when it is not.
    #[must_use]
    pub fn whereabouts(&self, responder: ResponderId) -> Option<(Place, Located)> {
        let slot = self.slot(responder)?;
        if slot.word().availability() == Availability::Unknown {
            return None;
        }
        let (point, located) = slot.located(self.stale_before())?;
        Some((point.place()?, located))
    }

    /// How many are available now, wherever they are.
    #[must_use]
    pub fn free(&self) -> u32 {
        let watchdog = self.availability(ResponderId::WATCHDOG) == Availability::Available;
        self.coverage.free().saturating_sub(watchdog.into())
    }

    /// How many of those enrolled for `town`, or for a village of it, are available now; 0 for a county.
    ///
    /// The first 4,096 towns that somebody is enrolled for are counted; any others give 0.
    #[must_use]
    pub fn free_in(&self, town: OrgUnitCode) -> u32 {
        self.coverage.free_in(town)
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

    /// Takes note that the time of decisions is ahead of the calendar by so much, after somebody had set a clock wrong.
    pub fn set_ahead(&self, ahead: Millis) {
        // Relaxed: a certificate that ends a moment later or sooner does no harm.
        self.ahead.store(ahead.0, Ordering::Relaxed);
    }

    /// When it is by the calendar, by which certificates end, at `now` by the time of decisions.
    #[must_use]
    pub fn calendar(&self, now: Timestamp) -> Timestamp {
        now + Millis(self.ahead.load(Ordering::Relaxed).saturating_neg())
    }

    /// Declares fixes before `stale_before` too old: their owners count as being at their base, or cannot be asked when
    /// they have none. A time before that of an earlier sweep changes nothing.
    ///
    /// Goes through every slot and settles it anew, a few milliseconds for 100,000: for a timer, not for an alert.
    pub fn sweep(&self, stale_before: Timestamp) {
        // Relaxed: the read-modify-write of each word below publishes it to whoever changes that word next, and whoever
        // changed it before is seen by our settling.
        self.stale_before.fetch_max(stale_before.0, Ordering::Relaxed);
        let everybody = (0..self.capacity()).map(ResponderId).chain([ResponderId::WATCHDOG]);
        for (responder, slot) in everybody.zip(&self.slots) {
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
        self.slots.get(self.index(responder)?)
    }

    fn detail(&self, responder: ResponderId) -> Option<&Detail> {
        self.details.get(self.index(responder)?)
    }

    /// Where the slot of a responder is, if there is one.
    fn index(&self, responder: ResponderId) -> Option<usize> {
        let watchdog = self.slots.len() - 1;
        let index = responder.0 as usize;
        if responder == ResponderId::WATCHDOG {
            return Some(watchdog);
        }
        (index < watchdog).then_some(index)
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

    /// Makes seat and counts agree with the slot until the word stays as it was. We hold the busy bit and give it back.
    fn settle(&self, responder: ResponderId, slot: &Slot, mut word: Word) {
        loop {
            self.seat(responder, slot, word);
            self.count(slot, word);
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
            Some(seat) => slot.set_seat(Some(self.cells.change(seat, cell, who, point))),
            None => slot.set_seat(Some(self.cells.enter(cell, who, point))),
        }
    }

    /// Counts the responder among the free, or not any more.
    fn count(&self, slot: &Slot, word: Word) {
        let now = if word.available() { Counted::Free(slot.town()) } else { Counted::Not };
        let before = slot.counted();
        if now != before {
            self.coverage.recount(before, now);
            slot.set_counted(now);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use model::{CoordinateSystem, Metres};

    use super::*;

    #[test]
    fn the_watchdog_is_found_and_claimed_like_anybody_and_counts_nowhere() {
        let place = Place::new(30.0, 110.0, CoordinateSystem::Wgs84).expect("on the globe");
        for responders in [0, 1, 1000] {
            let roster = Roster::new(Size { responders, cell: Size::DEFAULT_CELL });
            assert_eq!(roster.capacity(), responders);
            let member = Member { base: Some(place), ..Member::default() };
            roster.enrol(ResponderId::WATCHDOG, member).expect("a slot of its own");
            assert!(roster.enrol(ResponderId(responders), member).is_err(), "which is nobody else's");
            roster.set_duty(ResponderId::WATCHDOG, Duty::OnDuty);
            roster.sweep(Timestamp(0));
            let query =
                Query { at: place, reach: Metres(100), skills: Skills::NONE, limit: 4, excluded: &[] };
            let mut found = Vec::new();
            roster.nearest(&query, &mut found);
            let found: Vec<_> = found.iter().map(|candidate| candidate.responder).collect();
            assert_eq!(found, [ResponderId::WATCHDOG]);
            assert_eq!(roster.free(), 0);
            assert_eq!(roster.claim(ResponderId::WATCHDOG, IncidentId(1)), Ok(()));
            assert!(roster.release(ResponderId::WATCHDOG, IncidentId(1)));
        }
    }
}
