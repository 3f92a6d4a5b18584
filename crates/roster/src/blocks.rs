//! Blocks: is there anybody in this neighbourhood?
//!
//! A block is a square of cells. It counts those who have a seat in one of them, in all and by skill, so that a search
//! passes by a whole neighbourhood where nobody is left with one look. Somebody is counted before they take their seat
//! and until after they have left it: a count may be too high for a moment, and never too low.

use model::Skills;

use crate::sync::{AtomicU32, Ordering};

/// Bits of a [`Skills`].
const SKILLS: usize = u16::BITS as usize;

/// One block, on cache lines of its own.
#[repr(align(128))]
pub(crate) struct Block {
    all: AtomicU32,
    with_skill: [AtomicU32; SKILLS],
}

impl Block {
    pub(crate) fn new() -> Self {
        Self { all: AtomicU32::new(0), with_skill: std::array::from_fn(|_| AtomicU32::new(0)) }
    }

    /// Whether there may be somebody with these skills, or with each of them somebody.
    pub(crate) fn may_have(&self, skills: Skills) -> bool {
        // Acquire: whoever sees that somebody has left sees where they went.
        match skills.bits() {
            0 => self.all.load(Ordering::Acquire) > 0,
            bits => of(bits).all(|skill| self.with_skill[skill].load(Ordering::Acquire) > 0),
        }
    }

    /// Counts somebody who is about to take a seat.
    pub(crate) fn enter(&self, skills: Skills) {
        // Relaxed: showing the seat is a release that comes after.
        self.all.fetch_add(1, Ordering::Relaxed);
        for skill in of(skills.bits()) {
            self.with_skill[skill].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Does not count somebody any more who has left the seat.
    pub(crate) fn leave(&self, skills: Skills) {
        self.all.fetch_sub(1, Ordering::Release);
        for skill in of(skills.bits()) {
            self.with_skill[skill].fetch_sub(1, Ordering::Release);
        }
    }
}

/// The numbers of the bits that are set.
fn of(bits: u16) -> impl Iterator<Item = usize> {
    crate::cells::bits(bits.into())
}
