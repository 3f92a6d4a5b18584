//! Coverage: how many could go right now, in all and in each town?
//!
//! Each responder is counted once. Whoever settles a responder (see `availability.rs`) makes what is counted for them,
//! kept in their slot, agree with whether they can be claimed; so no count is lost or doubled, however many threads
//! claim and release, and nobody waits. A count may lag by the changes that are being settled at that moment.
//!
//! All accesses are relaxed but for the code of a town, which is written once: a count is one word and says nothing of
//! any other.

use model::OrgUnitCode;

use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// Towns that can be counted, a power of two; a county has twenty to forty. Responders of further towns are counted in
/// all and not by town.
pub(crate) const TOWNS: usize = if cfg!(any(loom, miri)) { 8 } else { 4_096 };

/// Number of a town in the table, from 1; 0 is no town, or one the table has no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TownNumber(pub(crate) u16);

/// What one responder is counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    /// Not at all: cannot be claimed.
    Not,
    /// As free, in this town.
    Free(TownNumber),
}

impl Counted {
    pub(crate) fn to_word(self) -> u32 {
        match self {
            Self::Not => 0,
            Self::Free(town) => 1 + u32::from(town.0),
        }
    }

    pub(crate) fn from_word(word: u32) -> Self {
        word.checked_sub(1).map_or(Self::Not, |town| Self::Free(TownNumber(town as u16)))
    }
}

/// One town, on a cache line of its own so that claims in two towns do not get into each other's way.
#[repr(align(64))]
struct Town {
    /// [`OrgUnitCode::number`]; 0 until the first responder of that town is enrolled.
    code: AtomicU64,
    free: AtomicU32,
}

#[repr(align(128))]
struct Total(AtomicU32);

/// The counts.
pub(crate) struct Coverage {
    free: Total,
    /// Open addressing: a town is at the place its code hashes to, or at the next that was not taken.
    towns: Box<[Town]>,
}

impl Coverage {
    pub(crate) fn new() -> Self {
        let town = |_| Town { code: AtomicU64::new(0), free: AtomicU32::new(0) };
        Self { free: Total(AtomicU32::new(0)), towns: (0..TOWNS).map(town).collect() }
    }

    /// All who are free.
    pub(crate) fn free(&self) -> u32 {
        self.free.0.load(Ordering::Relaxed)
    }

    /// Those who are free in the town that `unit` is or lies in.
    pub(crate) fn free_in(&self, unit: OrgUnitCode) -> u32 {
        let Some(code) = unit.town().map(OrgUnitCode::number) else { return 0 };
        for place in probe(code) {
            match self.towns[place].code.load(Ordering::Acquire) {
                0 => return 0,
                here if here == code => return self.towns[place].free.load(Ordering::Relaxed),
                _other => {}
            }
        }
        0
    }

    /// The number of the town that `unit` is or lies in, given on first use.
    pub(crate) fn number(&self, unit: Option<OrgUnitCode>) -> TownNumber {
        let Some(code) = unit.and_then(OrgUnitCode::town).map(OrgUnitCode::number) else {
            return TownNumber(0);
        };
        let ours = probe(code).find(|place| {
            let taken =
                self.towns[*place].code.compare_exchange(0, code, Ordering::AcqRel, Ordering::Acquire);
            taken.is_ok() || taken == Err(code)
        });
        TownNumber(ours.map_or(0, |place| place as u16 + 1))
    }

    /// Counts somebody as `now` who was counted as `before`.
    pub(crate) fn recount(&self, before: Counted, now: Counted) {
        match (before, now) {
            (Counted::Not, Counted::Not) => {}
            (Counted::Not, Counted::Free(town)) => {
                self.free.0.fetch_add(1, Ordering::Relaxed);
                self.in_town(town, |free| free.fetch_add(1, Ordering::Relaxed));
            }
            (Counted::Free(town), Counted::Not) => {
                self.free.0.fetch_sub(1, Ordering::Relaxed);
                self.in_town(town, |free| free.fetch_sub(1, Ordering::Relaxed));
            }
            (Counted::Free(left), Counted::Free(entered)) => {
                self.in_town(left, |free| free.fetch_sub(1, Ordering::Relaxed));
                self.in_town(entered, |free| free.fetch_add(1, Ordering::Relaxed));
            }
        }
    }

    fn in_town(&self, town: TownNumber, count: impl FnOnce(&AtomicU32) -> u32) {
        if let Some(place) = usize::from(town.0).checked_sub(1) {
            count(&self.towns[place].free);
        }
    }
}

/// Where a town may be in the table, the likeliest place first.
fn probe(code: u64) -> impl Iterator<Item = usize> {
    // Fibonacci hashing: the towns of a county have neighbouring codes and go far apart.
    let first = (code.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize;
    (0..TOWNS).map(move |step| (first + step) % TOWNS)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn town(number: u64) -> OrgUnitCode {
        OrgUnitCode::from_number(341_181_000 + number).expect("nine digits")
    }

    #[test]
    fn more_towns_than_there_is_room_for_are_counted_in_all_only() {
        let coverage = Coverage::new();
        for number in 0..TOWNS as u64 {
            let given = coverage.number(Some(town(number)));
            assert_ne!(given, TownNumber(0));
            assert_eq!(coverage.number(Some(town(number))), given);
            coverage.recount(Counted::Not, Counted::Free(given));
        }
        let beyond = coverage.number(Some(town(TOWNS as u64)));
        assert_eq!(beyond, TownNumber(0));
        coverage.recount(Counted::Not, Counted::Free(beyond));
        assert_eq!(coverage.free(), TOWNS as u32 + 1);
        assert!((0..TOWNS as u64).all(|number| coverage.free_in(town(number)) == 1));
        assert_eq!(coverage.free_in(town(TOWNS as u64)), 0);
    }

    #[test]
    fn what_somebody_is_counted_as_fits_into_a_word() {
        for counted in [Counted::Not, Counted::Free(TownNumber(0)), Counted::Free(TownNumber(u16::MAX))] {
            assert_eq!(Counted::from_word(counted.to_word()), counted);
        }
    }
}
