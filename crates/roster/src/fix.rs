//! Fix: which report of a position is the newest?
//!
//! Many threads may report one responder, and the newest fix must win whatever order they run in. Time and place do not
//! fit into one word, so they are three, and nobody waits: a compare-and-swap on `newest` decides who has the newest fix
//! and gives it a number; the winner then puts latitude and longitude under that number, unless a later number is there
//! already. Whoever reads three different numbers has come in between and uses what was settled before.
//!
//! All accesses are relaxed: equal numbers prove that the words belong together, and the reporter's next step, a
//! read-modify-write of the responder's word, publishes them.

use model::Timestamp;

use crate::{
    point::Point,
    sync::{AtomicU64, Ordering},
};

/// Bits of the number; the time or a coordinate is above. A reporter that sleeps through half a million newer reports
/// of the same responder could win over the last of them.
const NUMBER_BITS: u32 = 20;
const NUMBER: u64 = (1 << NUMBER_BITS) - 1;
/// The largest time that fits, in milliseconds: the year 2527.
const LATEST: i64 = (1 << (64 - NUMBER_BITS)) - 1;

/// The newest fix of one responder.
pub(crate) struct Fix {
    /// Time in milliseconds, from 1 to [`LATEST`], and number. Zero is no fix yet.
    newest: AtomicU64,
    latitude: AtomicU64,
    longitude: AtomicU64,
}

impl Fix {
    pub(crate) fn new() -> Self {
        Self { newest: AtomicU64::new(0), latitude: AtomicU64::new(0), longitude: AtomicU64::new(0) }
    }

    /// Takes note of `point` at `at`, or returns the time of a fix that is as new or newer.
    pub(crate) fn note(&self, point: Point, at: Timestamp) -> Result<(), Timestamp> {
        let time = at.0.clamp(1, LATEST) as u64;
        let mut seen = self.newest.load(Ordering::Relaxed);
        let number = loop {
            if seen >> NUMBER_BITS >= time {
                return Err(Timestamp((seen >> NUMBER_BITS) as i64));
            }
            let number = (seen + 1) & NUMBER;
            let next = time << NUMBER_BITS | number;
            match self.newest.compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => break number,
                Err(now) => seen = now,
            }
        };
        put(&self.latitude, number, point.latitude_e7());
        put(&self.longitude, number, point.longitude_e7());
        Ok(())
    }

    /// The point of the newest fix; `None` before the first one and while one is being noted.
    pub(crate) fn point(&self) -> Option<Point> {
        let newest = self.newest.load(Ordering::Relaxed);
        let latitude = self.latitude.load(Ordering::Relaxed);
        let longitude = self.longitude.load(Ordering::Relaxed);
        let together = (newest ^ latitude) & NUMBER == 0 && (newest ^ longitude) & NUMBER == 0;
        (together && newest != 0).then(|| Point::new((latitude >> 32) as i32, (longitude >> 32) as i32))
    }

    /// The time of the newest fix, if there is one.
    pub(crate) fn at(&self) -> Option<Timestamp> {
        let time = self.newest.load(Ordering::Relaxed) >> NUMBER_BITS;
        (time != 0).then_some(Timestamp(time as i64))
    }
}

/// Stores `degrees` under `number` unless a later number is there.
fn put(word: &AtomicU64, number: u64, degrees: i32) {
    let mut seen = word.load(Ordering::Relaxed);
    // Numbers go round, so later means: less than half a round ahead.
    while number.wrapping_sub(seen) & NUMBER <= NUMBER / 2 {
        let next = u64::from(degrees as u32) << 32 | number;
        match word.compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return,
            Err(now) => seen = now,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_newest_fix_wins_and_equal_times_do_not() {
        let fix = Fix::new();
        assert_eq!((fix.point(), fix.at()), (None, None));
        assert_eq!(fix.note(Point::new(1, -1), Timestamp(5)), Ok(()));
        assert_eq!(fix.note(Point::new(2, -2), Timestamp(5)), Err(Timestamp(5)));
        assert_eq!(fix.note(Point::new(2, -2), Timestamp(4)), Err(Timestamp(5)));
        assert_eq!((fix.point(), fix.at()), (Some(Point::new(1, -1)), Some(Timestamp(5))));
        assert_eq!(fix.note(Point::new(-3, 3), Timestamp(6)), Ok(()));
        assert_eq!((fix.point(), fix.at()), (Some(Point::new(-3, 3)), Some(Timestamp(6))));
    }

    #[test]
    fn times_no_clock_can_mean_are_kept_in_range() {
        let fix = Fix::new();
        assert_eq!(fix.note(Point::new(1, 1), Timestamp(i64::MIN)), Ok(()));
        assert_eq!(fix.at(), Some(Timestamp(1)));
        assert_eq!(fix.note(Point::new(2, 2), Timestamp(i64::MAX)), Ok(()));
        assert_eq!(fix.note(Point::new(3, 3), Timestamp(i64::MAX)), Err(Timestamp(LATEST)));
    }

    #[test]
    fn numbers_go_round() {
        let fix = Fix::new();
        const ROUNDS: i32 = if cfg!(miri) { 1_000 } else { 3_000_000 };
        for time in 1..=ROUNDS {
            assert_eq!(fix.note(Point::new(time, -time), Timestamp(i64::from(time))), Ok(()));
        }
        assert_eq!(fix.point(), Some(Point::new(ROUNDS, -ROUNDS)));
    }
}
