//! Slot: what do we know of one responder?
//!
//! One cache line of atomics, found by the responder's number. The word decides availability; the rest says where the
//! responder is. Three fields, `settled`, `seat` and `counted`, belong to whichever thread holds the busy bit of the
//! word.

use model::{Place, Skills, Timestamp};

use crate::{
    Located,
    availability::Word,
    cells::Seat,
    coverage::{Counted, TownNumber},
    fix::Fix,
    point::Point,
    sync::{AtomicU32, AtomicU64, Ordering},
};

/// Everything about one responder: 64 bytes.
#[repr(align(64))]
pub(crate) struct Slot {
    /// Availability, see [`Word`]. Every change of anything here ends with a read-modify-write of this word.
    pub(crate) word: AtomicU64,
    /// Where the responder's devices say to be.
    pub(crate) fix: Fix,
    /// The place of the newest fix as of the last settlement: what queries use.
    settled: AtomicU64,
    /// The place of the station.
    base: AtomicU64,
    /// The seat in the cells.
    seat: AtomicU64,
    /// The skills in the lower half, the number of the town in the upper.
    skills_and_town: AtomicU32,
    /// What the responder is counted as.
    counted: AtomicU32,
}

const TOWN_SHIFT: u32 = 16;

impl Slot {
    pub(crate) fn new() -> Self {
        Self {
            word: AtomicU64::new(0),
            fix: Fix::new(),
            settled: AtomicU64::new(Point::NOWHERE.0),
            base: AtomicU64::new(Point::NOWHERE.0),
            seat: AtomicU64::new(Seat::to_word(None)),
            skills_and_town: AtomicU32::new(0),
            counted: AtomicU32::new(Counted::Not.to_word()),
        }
    }

    /// The word now. Acquire: what was written before the word is seen after it.
    pub(crate) fn word(&self) -> Word {
        Word(self.word.load(Ordering::Acquire))
    }

    // The fields below are relaxed: they are published by a release of the word and read after an acquire of it.

    pub(crate) fn set_member(&self, skills: Skills, base: Option<Place>, town: TownNumber) {
        let skills_and_town = u32::from(town.0) << TOWN_SHIFT | u32::from(skills.bits());
        self.skills_and_town.store(skills_and_town, Ordering::Relaxed);
        self.base.store(base.map_or(Point::NOWHERE, Point::of).0, Ordering::Relaxed);
    }

    pub(crate) fn skills(&self) -> Skills {
        Skills::from_bits(self.skills_and_town.load(Ordering::Relaxed) as u16)
    }

    pub(crate) fn town(&self) -> TownNumber {
        TownNumber((self.skills_and_town.load(Ordering::Relaxed) >> TOWN_SHIFT) as u16)
    }

    pub(crate) fn base(&self) -> Option<Point> {
        let base = Point(self.base.load(Ordering::Relaxed));
        (base != Point::NOWHERE).then_some(base)
    }

    /// Takes over the newest fix. Only for the holder of the busy bit.
    pub(crate) fn settle_fix(&self) {
        if let Some(point) = self.fix.point() {
            self.settled.store(point.0, Ordering::Relaxed);
        }
    }

    /// Where the responder is: at the newest fix unless it is older than `stale_before`, else at the base.
    pub(crate) fn located(&self, stale_before: Timestamp) -> Option<(Point, Located)> {
        let settled = Point(self.settled.load(Ordering::Relaxed));
        match self.fix.at() {
            Some(at) if at >= stale_before && settled != Point::NOWHERE => Some((settled, Located::Fix(at))),
            Some(_) | None => Some((self.base()?, Located::Base)),
        }
    }

    /// The seat. Only for the holder of the busy bit.
    pub(crate) fn seat(&self) -> Option<Seat> {
        Seat::from_word(self.seat.load(Ordering::Relaxed))
    }

    /// Remembers the seat. Only for the holder of the busy bit.
    pub(crate) fn set_seat(&self, seat: Option<Seat>) {
        self.seat.store(Seat::to_word(seat), Ordering::Relaxed);
    }

    /// What the responder is counted as. Only for the holder of the busy bit.
    pub(crate) fn counted(&self) -> Counted {
        Counted::from_word(self.counted.load(Ordering::Relaxed))
    }

    /// Remembers what the responder is counted as. Only for the holder of the busy bit.
    pub(crate) fn set_counted(&self, counted: Counted) {
        self.counted.store(counted.to_word(), Ordering::Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    #[test]
    fn a_slot_is_one_cache_line() {
        assert_eq!(size_of::<super::Slot>(), 64);
    }
}
