//! Cells: who stands here, free to go?
//!
//! A cell has [`SEATS`] seats of its own. Whoever finds them taken gets a seat in the spill, a common row of benches
//! that a cell enters at a place of its own and walks along as far as it has to. Any number may stand on one spot: the
//! spill has two seats for every responder, and nobody ever has more than two (during a move).
//!
//! # Who may write what
//! A seat is taken by compare-and-swap, so it has one owner. Only the owner writes it, in this order:
//!
//! 1. take the seat: its bit is set, its `who` is still 0;
//! 2. store `place`, then `who`: from here on queries see it;
//! 3. to leave, store 0 in `who`, then clear the bit.
//!
//! A query that reads `who`, `place` and the same `who` again has read them together: `who` carries the epoch of its
//! owner, so the same `who` twice with somebody else in between would take 2¹⁴ changes of one responder.
//!
//! # Ordering
//! Every store and read-modify-write here is a release, every load of a query an acquire, so each step above is seen
//! after the ones before it. Nothing needs a total order over several words, hence no `SeqCst`.

use std::ops::Range;

use model::{ResponderId, Skills};

use crate::{
    blocks::Block,
    point::Point,
    sync::{AtomicU32, AtomicU64, Ordering},
    torus::Torus,
};

/// Seats of a cell, and of a bench of the spill.
pub(crate) const SEATS: usize = if cfg!(loom) { 2 } else { 16 };
const ALL_SEATS: u32 = (1 << SEATS) - 1;

/// Who has a seat. Zero is nobody.
///
/// | bits | holds |
/// |---|---|
/// | 40–63 | id |
/// | 24–39 | skills |
/// | 16–23 | tag: the low bits of the cell, by which most strangers on a bench of the spill are told |
/// | 2–15 | epoch of the change that led here |
/// | 1 | at the base |
/// | 0 | somebody |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Who(pub(crate) u64);

impl Who {
    const LIVE: u64 = 1;
    const AT_BASE: u64 = 1 << 1;
    const EPOCH_SHIFT: u32 = 2;
    const EPOCH: u64 = 0x3FFF << Self::EPOCH_SHIFT;
    const TAG_SHIFT: u32 = 16;
    /// The bits of the tag.
    pub(crate) const TAG: u64 = 0xFF << Self::TAG_SHIFT;
    const SKILLS_SHIFT: u32 = 24;
    const ID_SHIFT: u32 = 40;

    pub(crate) fn new(
        responder: ResponderId,
        skills: Skills,
        cell: usize,
        at_base: bool,
        epoch: u32,
    ) -> Self {
        let epoch = u64::from(epoch) << Self::EPOCH_SHIFT & Self::EPOCH;
        let at_base = if at_base { Self::AT_BASE } else { 0 };
        let id = u64::from(responder.0) << Self::ID_SHIFT;
        Self(id | Self::needed(skills) | Self::tag(cell) | epoch | at_base)
    }

    pub(crate) fn responder(self) -> ResponderId {
        ResponderId((self.0 >> Self::ID_SHIFT) as u32)
    }

    pub(crate) fn skills(self) -> Skills {
        Skills::from_bits((self.0 >> Self::SKILLS_SHIFT) as u16)
    }

    pub(crate) fn at_base(self) -> bool {
        self.0 & Self::AT_BASE != 0
    }

    /// Whether this says the same about the same responder, at whatever epoch.
    pub(crate) fn says_the_same(self, other: Self) -> bool {
        (self.0 ^ other.0) & !Self::EPOCH == 0
    }

    /// The bits that somebody with `skills` has.
    pub(crate) fn needed(skills: Skills) -> u64 {
        u64::from(skills.bits()) << Self::SKILLS_SHIFT | Self::LIVE
    }

    /// The tag of those in `cell`.
    pub(crate) fn tag(cell: usize) -> u64 {
        (cell as u64) << Self::TAG_SHIFT & Self::TAG
    }
}

/// Somebody's seat, in the cells' memory.
pub(crate) struct Chair {
    pub(crate) who: AtomicU64,
    pub(crate) place: AtomicU64,
}

/// Chairs on one cache line.
const ABREAST: usize = if cfg!(loom) { 2 } else { 4 };
const ALL_ABREAST: u32 = (1 << ABREAST) - 1;

/// A row of seats.
#[repr(align(64))]
pub(crate) struct Bench {
    pub(crate) chairs: [Chair; SEATS],
}

impl Bench {
    /// Those of `seats` whose `who`, as far as `mask` goes, is `wanted`. No branch hangs on a `who`, and a cache line
    /// nobody sits on is not touched.
    pub(crate) fn matching(&self, seats: u32, mask: u64, wanted: u64) -> u32 {
        let mut matching = 0;
        for (line, chairs) in self.chairs.chunks_exact(ABREAST).enumerate() {
            let first = line * ABREAST;
            if seats >> first & ALL_ABREAST != 0 {
                for (number, chair) in chairs.iter().enumerate() {
                    let matches = chair.who.load(Ordering::Acquire) & mask == wanted;
                    matching |= u32::from(matches) << (first + number);
                }
            }
        }
        matching & seats
    }

    fn new() -> Self {
        let chair = |_| Chair { who: AtomicU64::new(0), place: AtomicU64::new(0) };
        Self { chairs: std::array::from_fn(chair) }
    }
}

/// What a cell says of its own seats: which are taken, and what those there can do between them.
///
/// | bits | holds |
/// |---|---|
/// | 37–63 | version, counts every change |
/// | 32–36 | how many seats are taken |
/// | 16–31 | skills: every skill somebody here has, perhaps some that nobody has any more |
/// | 0–15 | taken: one bit a seat |
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken(u64);

impl Taken {
    const SKILLS_SHIFT: u32 = 16;
    const COUNT_SHIFT: u32 = 32;
    const VERSION_SHIFT: u32 = 37;

    pub(crate) fn seats(self) -> u32 {
        self.0 as u32 & ALL_SEATS
    }

    /// How many seats are taken, kept because counting bits is slow on the processors we build for.
    pub(crate) fn count(self) -> u32 {
        (self.0 >> Self::COUNT_SHIFT) as u32 & 0b1_1111
    }

    pub(crate) fn skills(self) -> Skills {
        Skills::from_bits((self.0 >> Self::SKILLS_SHIFT) as u16)
    }

    fn next(self, seats: u32, skills: u16) -> Self {
        let version = (self.0 >> Self::VERSION_SHIFT).wrapping_add(1) << Self::VERSION_SHIFT;
        let count = u64::from(seats.count_ones()) << Self::COUNT_SHIFT;
        Self(version | count | u64::from(skills) << Self::SKILLS_SHIFT | u64::from(seats))
    }
}

/// The head of a cell: enough to pass it by without looking at its seats.
pub(crate) struct Head {
    taken: AtomicU64,
    spilled: AtomicU64,
}

impl Head {
    /// What the cell says of its own seats.
    pub(crate) fn taken(&self) -> Taken {
        Taken(self.taken.load(Ordering::Acquire))
    }

    /// What the cell says of those it has in the spill.
    pub(crate) fn spilled(&self) -> Spilled {
        Spilled(self.spilled.load(Ordering::Acquire))
    }

    /// Whether all those seated here have these skills between them.
    pub(crate) fn may_have(&self, skills: Skills) -> bool {
        Skills::from_bits(self.taken().skills().bits() | self.spilled().skills().bits()).covers(skills)
    }
}

/// What a cell says of those it has in the spill. All return to zero together, with the last of them, so a crowd that
/// has moved on leaves nothing behind.
///
/// | bits | holds |
/// |---|---|
/// | 40–63 | depth: how many benches from its entry they may be on |
/// | 24–39 | skills: every skill one of them has or had |
/// | 0–23 | how many |
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spilled(u64);

impl Spilled {
    const ONE: u64 = 1;
    const COUNT: u64 = (1 << 24) - 1;
    const SKILLS_SHIFT: u32 = 24;
    const DEPTH_SHIFT: u32 = 40;

    pub(crate) fn depth(self) -> usize {
        (self.0 >> Self::DEPTH_SHIFT) as usize
    }

    pub(crate) fn skills(self) -> Skills {
        Skills::from_bits((self.0 >> Self::SKILLS_SHIFT) as u16)
    }

    pub(crate) fn count(self) -> u32 {
        (self.0 & Self::COUNT) as u32
    }

    fn with(self, depth: usize, skills: Skills) -> Self {
        let depth = (self.depth().max(depth) as u64) << Self::DEPTH_SHIFT;
        let skills = u64::from(self.skills().bits() | skills.bits()) << Self::SKILLS_SHIFT;
        Self(depth | skills | self.0 & Self::COUNT)
    }
}

/// A seat: the cell and the number in it; from [`SEATS`] on, the seat is in the spill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) cell: u32,
    number: u32,
}

impl Seat {
    /// The seat as a word for the slot of its owner; `u64::MAX` is no seat.
    pub(crate) fn to_word(seat: Option<Self>) -> u64 {
        seat.map_or(u64::MAX, |seat| u64::from(seat.cell) << 32 | u64::from(seat.number))
    }

    pub(crate) fn from_word(word: u64) -> Option<Self> {
        (word != u64::MAX).then_some(Self { cell: (word >> 32) as u32, number: word as u32 })
    }
}

/// All cells.
pub(crate) struct Cells {
    pub(crate) torus: Torus,
    blocks: Box<[Block]>,
    heads: Box<[Head]>,
    own: Box<[Bench]>,
    spill: Box<[Bench]>,
    /// Which seats of each bench of the spill are taken.
    spill_taken: Box<[AtomicU32]>,
    moves: Moves,
}

/// Moves between cells, counted by everybody: on a cache line of its own.
#[repr(align(128))]
struct Moves(AtomicU64);

impl Cells {
    /// Room for `responders`, two seats each in the spill alone.
    pub(crate) fn new(responders: u32, torus: Torus) -> Self {
        let benches = (responders as usize * 2).div_ceil(SEATS).max(1);
        let head = |_| Head { taken: AtomicU64::new(0), spilled: AtomicU64::new(0) };
        Self {
            torus,
            blocks: (0..torus.blocks()).map(|_| Block::new()).collect(),
            heads: (0..torus.cells()).map(head).collect(),
            own: (0..torus.cells()).map(|_| Bench::new()).collect(),
            spill: (0..benches).map(|_| Bench::new()).collect(),
            spill_taken: (0..benches).map(|_| AtomicU32::new(0)).collect(),
            moves: Moves(AtomicU64::new(0)),
        }
    }

    /// What the block that `cell` is in says of those seated in its cells.
    pub(crate) fn block(&self, cell: usize) -> &Block {
        &self.blocks[Torus::block_of(cell)]
    }

    pub(crate) fn head(&self, cell: usize) -> &Head {
        &self.heads[cell]
    }

    /// Each of these cells with its head.
    pub(crate) fn heads(&self, cells: Range<usize>) -> impl Iterator<Item = (usize, &Head)> {
        cells.clone().zip(&self.heads[cells])
    }

    /// The seats of `cell` itself.
    pub(crate) fn own(&self, cell: usize) -> &Bench {
        &self.own[cell]
    }

    /// The `step`-th bench of the spill from where `cell` enters it, and its seats that are taken, by whomever.
    pub(crate) fn spill(&self, cell: usize, step: usize) -> (&Bench, u32) {
        let bench = self.bench(cell, step);
        (&self.spill[bench], self.spill_taken[bench].load(Ordering::Acquire))
    }

    fn bench(&self, cell: usize, step: usize) -> usize {
        // Fibonacci hashing: neighbouring cells enter far apart.
        let entry = (cell as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let entry = ((entry * self.spill.len() as u64) >> 32) as usize;
        (entry + step) % self.spill.len()
    }

    /// Moves between cells that have shown the new seat and not yet left the old one, since the start. A query that
    /// reads the same number before and after missed nobody who was free all the time.
    pub(crate) fn moves(&self) -> u64 {
        self.moves.0.load(Ordering::Acquire)
    }

    /// Seats `who` at `place` in `cell`. Lock-free: it starts over only when somebody else took the seat.
    pub(crate) fn enter(&self, cell: usize, who: Who, place: Point) -> Seat {
        self.block(cell).enter(who.skills());
        self.take(cell, who, place)
    }

    /// Gives up `seat` for one in `cell`, with `who` at `place`; only its owner may. The new seat is shown before the old
    /// one is left.
    pub(crate) fn change(&self, seat: Seat, cell: usize, who: Who, place: Point) -> Seat {
        let before = self.who(seat).skills();
        let (from, to) = (self.block(seat.cell as usize), self.block(cell));
        let counted = std::ptr::eq(from, to) && before == who.skills();
        if !counted {
            to.enter(who.skills());
        }
        let taken = self.take(cell, who, place);
        // Release: whoever sees the number sees the new seat. Whoever sees the old seat empty, or its block, sees the
        // number, because leaving is a release that comes after.
        self.moves.0.fetch_add(1, Ordering::Release);
        self.give_up(seat);
        if !counted {
            from.leave(before);
        }
        taken
    }

    /// Gives `seat` up; only its owner may. Lock-free.
    pub(crate) fn leave(&self, seat: Seat) {
        let skills = self.who(seat).skills();
        self.give_up(seat);
        self.block(seat.cell as usize).leave(skills);
    }

    fn take(&self, cell: usize, who: Who, place: Point) -> Seat {
        match self.take_own(cell, who.skills()) {
            Some(number) => {
                sit(&self.own[cell], number as usize, who, place);
                Seat { cell: cell as u32, number }
            }
            None => self.enter_spill(cell, who, place),
        }
    }

    /// Takes a seat of the cell itself, announcing the skills that come with it; `None` when all are taken.
    fn take_own(&self, cell: usize, skills: Skills) -> Option<u32> {
        let head = &self.heads[cell].taken;
        let mut seen = head.load(Ordering::Acquire);
        loop {
            let taken = Taken(seen);
            let number = (!taken.seats()).trailing_zeros();
            if number as usize >= SEATS {
                return None;
            }
            let next = taken.next(taken.seats() | 1 << number, taken.skills().bits() | skills.bits());
            match head.compare_exchange_weak(seen, next.0, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(number),
                Err(now) => seen = now,
            }
        }
    }

    #[cold]
    fn enter_spill(&self, cell: usize, who: Who, place: Point) -> Seat {
        let spilled = &self.heads[cell].spilled;
        // Counted first: while we count, nobody takes the cell for empty and forgets how deep it is.
        spilled.fetch_add(Spilled::ONE, Ordering::AcqRel);
        let (step, bench, number) = self.take_spilled(cell);
        let mut seen = spilled.load(Ordering::Acquire);
        loop {
            let next = Spilled(seen).with(step + 1, who.skills());
            match spilled.compare_exchange_weak(seen, next.0, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => break,
                Err(now) => seen = now,
            }
        }
        sit(&self.spill[bench], number as usize, who, place);
        Seat { cell: cell as u32, number: (SEATS + bench * SEATS) as u32 + number }
    }

    /// Takes the first free seat of the spill from where `cell` enters it: step, bench and number.
    ///
    /// There are twice as many seats as responders, so going round ends, unless others free seats behind us and take
    /// those ahead for ever.
    fn take_spilled(&self, cell: usize) -> (usize, usize, u32) {
        for step in (0..self.spill.len()).cycle() {
            let bench = self.bench(cell, step);
            let mut seen = self.spill_taken[bench].load(Ordering::Acquire);
            while seen != ALL_SEATS {
                let number = (!seen).trailing_zeros();
                let next = seen | 1 << number;
                match self.spill_taken[bench].compare_exchange_weak(
                    seen,
                    next,
                    Ordering::AcqRel,
                    Ordering::Acquire,
                ) {
                    Ok(_) => return (step, bench, number),
                    Err(now) => seen = now,
                }
            }
        }
        unreachable!("a cycle over at least one bench does not end")
    }

    /// Who has `seat`; only its owner may rely on it.
    pub(crate) fn who(&self, seat: Seat) -> Who {
        let (bench, number) = self.find(seat);
        Who(bench.chairs[number].who.load(Ordering::Relaxed)) // our own store
    }

    /// Changes the place of whoever owns `seat`, within its cell.
    pub(crate) fn shift(&self, seat: Seat, place: Point) {
        let (bench, number) = self.find(seat);
        bench.chairs[number].place.store(place.0, Ordering::Release);
    }

    fn give_up(&self, seat: Seat) {
        let (bench, number) = self.find(seat);
        bench.chairs[number].who.store(0, Ordering::Release);
        let cell = seat.cell as usize;
        if (seat.number as usize) < SEATS {
            self.leave_own(cell, number);
        } else {
            self.leave_spill(cell, seat.number as usize / SEATS - 1, number);
        }
    }

    /// Frees a seat of the cell itself and works out anew which skills are left.
    ///
    /// The compare-and-swap fails if anybody took or freed a seat meanwhile, so each seat still taken has the same
    /// owner throughout. One whose `who` is 0 is being entered or left: its skills are kept to be safe.
    fn leave_own(&self, cell: usize, number: usize) {
        let head = &self.heads[cell].taken;
        let mut seen = head.load(Ordering::Acquire);
        loop {
            let taken = Taken(seen);
            let left = taken.seats() & !(1 << number);
            let skills = self.skills_of(cell, left).unwrap_or(taken.skills().bits());
            let next = taken.next(left, skills);
            match head.compare_exchange_weak(seen, next.0, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// The skills of those on `seats` between them, or `None` when one of them cannot be told yet.
    fn skills_of(&self, cell: usize, seats: u32) -> Option<u16> {
        let bench = &self.own[cell];
        let mut skills = 0;
        for number in bits(seats) {
            let who = Who(bench.chairs[number].who.load(Ordering::Acquire));
            if who.0 == 0 {
                return None;
            }
            skills |= who.skills().bits();
        }
        Some(skills)
    }

    #[cold]
    fn leave_spill(&self, cell: usize, bench: usize, number: usize) {
        self.spill_taken[bench].fetch_and(!(1 << number), Ordering::AcqRel);
        let spilled = &self.heads[cell].spilled;
        let mut seen = spilled.load(Ordering::Acquire);
        loop {
            let next = if Spilled(seen).count() == 1 { 0 } else { seen - Spilled::ONE };
            match spilled.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    fn find(&self, seat: Seat) -> (&Bench, usize) {
        let number = seat.number as usize;
        let bench = match number / SEATS {
            0 => &self.own[seat.cell as usize],
            past_own => &self.spill[past_own - 1],
        };
        (bench, number % SEATS)
    }
}

fn sit(bench: &Bench, number: usize, who: Who, place: Point) {
    bench.chairs[number].place.store(place.0, Ordering::Release);
    bench.chairs[number].who.store(who.0, Ordering::Release);
}

/// The numbers of the bits that are set, lowest first.
pub(crate) fn bits(mut word: u32) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let number = word.trailing_zeros();
        word &= word.wrapping_sub(1);
        (number < u32::BITS).then_some(number as usize)
    })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use model::Metres;

    use super::*;

    fn cells(responders: u32) -> Cells {
        Cells::new(responders, Torus::new(responders, Metres(512)))
    }

    fn who(responder: u32, skills: u16) -> Who {
        Who::new(ResponderId(responder), Skills::from_bits(skills), 5, false, 3)
    }

    #[test]
    fn a_crowd_in_one_cell_finds_seats_and_leaves_nothing_behind() {
        let crowd = if cfg!(miri) { 100 } else { 2_000 };
        let cells = cells(crowd / 2);
        let place = Point::new(1, 2);
        let seats: Vec<Seat> = (0..crowd).map(|id| cells.enter(5, who(id, 1), place)).collect();
        assert!(cells.head(5).spilled().depth() >= (crowd as usize).div_ceil(SEATS) - 1);
        assert_eq!(cells.head(5).taken().seats(), ALL_SEATS);
        for (id, seat) in (0..).zip(&seats) {
            assert_eq!(cells.who(*seat).responder(), ResponderId(id));
        }
        for seat in seats {
            cells.leave(seat);
        }
        assert_eq!(
            (cells.head(5).spilled().0, cells.head(5).taken().seats(), cells.head(5).taken().skills()),
            (0, 0, Skills::NONE)
        );
        assert!(cells.spill_taken.iter().all(|taken| taken.load(Ordering::Relaxed) == 0));
    }

    #[test]
    fn a_cell_knows_the_skills_of_those_who_stay() {
        let cells = cells(10);
        let first = cells.enter(0, who(0, 0b01), Point::new(0, 1));
        let second = cells.enter(0, who(1, 0b10), Point::new(0, 1));
        assert_eq!(cells.head(0).taken().skills(), Skills::from_bits(0b11));
        cells.leave(first);
        assert_eq!(cells.head(0).taken().skills(), Skills::from_bits(0b10));
        cells.leave(second);
        assert_eq!(cells.head(0).taken().skills(), Skills::NONE);
    }

    #[test]
    fn who_keeps_what_it_was_told() {
        let (last, all) = (ResponderId((1 << 24) - 1), Skills::from_bits(u16::MAX));
        let who = Who::new(last, all, 0x1234, true, u32::MAX);
        assert_eq!((who.responder(), who.skills(), who.at_base()), (last, all, true));
        assert_eq!(who.0 & Who::TAG, Who::tag(0x34));
        assert!(who.says_the_same(Who::new(last, all, 0x1234, true, 0)));
        assert!(!who.says_the_same(Who::new(last, all, 0x1234, false, u32::MAX)));
        let nurse = Skills::from_bits(5);
        assert_eq!(who.0 & Who::needed(nurse), Who::needed(nurse));
    }
}
