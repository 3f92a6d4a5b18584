//! Query: who are the nearest that can go?
//!
//! The search starts in the cell of the incident and goes outwards ring by ring, side by side, until nothing beyond can
//! be nearer than what it has. It reads each cell's head first and passes by where nobody has the skill. After a few
//! rings of cells it goes on in rings of blocks, and passes by a whole block where nobody has the skill, so that those
//! who live where everybody near is taken or few have learned what is needed do not wait longer.

use std::collections::BinaryHeap;

use model::{Metres, Place, ResponderId, Skills, Timestamp};

use crate::{
    Roster,
    cells::{Bench, Who, bits},
    explain::explain_one,
    point::{Aim, Point, units_within},
    sync::Ordering,
    torus::{Axis, View},
};

/// How often a query looks around before it goes through all slots instead: once, and once more each time that somebody
/// moved while it came up short, was seen twice, or could not go after all. To miss somebody takes a whole move, a tenth
/// of a microsecond, between two steps of one look; so many times in a row takes a responder who changes cells without
/// pause.
const LOOKS: usize = 8;
/// So many rings are searched cell by cell, those beyond block by block.
const RINGS_OF_CELLS: i64 = if cfg!(loom) { 0 } else { 3 };
/// Up to so many candidates are compared pair by pair to find one who is there twice; more are sorted.
const COMPARED_BY_PAIRS: usize = 32;

/// Whom an incident needs.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// Where.
    pub at: Place,
    /// No further away than this, inclusive, by [`Place::distance`].
    pub reach: Metres,
    /// With every one of these skills.
    pub skills: Skills,
    /// So many at most.
    pub limit: usize,
    /// Nobody of these, such as those who have declined. A short list: it is searched in order.
    pub excluded: &'a [ResponderId],
}

/// Somebody who can go. Sorted by distance, then by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Candidate {
    /// How far away, by [`Place::distance`].
    pub distance: Metres,
    /// Who.
    pub responder: ResponderId,
    /// How the place is known.
    pub located: Located,
}

/// How the place of a responder is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Located {
    /// By a fix taken at this time.
    Fix(Timestamp),
    /// Assumed to be at the base, because there is no fix or it is too old.
    Base,
}

/// What one query looked at. It stops when it has enough, so these are no totals: [`Roster::explain`] gives those.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Free responders looked at.
    pub considered: u32,
    /// Of these, without a skill that is needed.
    pub lacks_skill: u32,
    /// Of these, beyond the reach.
    pub too_far: u32,
    /// Of these, near enough and excluded by the query.
    pub excluded: u32,
    /// Seen free among the nearest, and claimed or off duty a moment later; others were found in their place.
    pub slipped_away: u32,
}

/// Puts the nearest that can go into `candidates`, see [`Roster::nearest`].
pub(crate) fn nearest(roster: &Roster, query: &Query<'_>, candidates: &mut Vec<Candidate>) -> Tally {
    candidates.clear();
    if query.limit == 0 || roster.coverage.free() == 0 {
        return Tally::default();
    }
    let mut absent = Vec::new();
    let mut tally = Tally::default();
    for _ in 0..LOOKS {
        let moves = roster.cells.moves();
        candidates.clear();
        let mut search = Search::new(roster, query, &absent, std::mem::take(candidates));
        search.run();
        tally = search.tally;
        *candidates = search.best.into_sorted_vec();
        let missed = candidates.len() < query.limit && roster.cells.moves() != moves;
        let twice = drop_those_twice(candidates);
        let slipped = drop_those_absent(roster, candidates, &mut absent);
        tally.slipped_away = absent.len() as u32;
        if !missed && !twice && !slipped {
            return tally;
        }
    }
    ask_everybody(roster, query, candidates);
    tally
}

/// Asks the slots whether the candidates can still go, and since when they are where they are. Says whether somebody
/// cannot: they are put with the absent, whom the next look passes by.
///
/// Only the best are asked: a slot is a cache miss, and a search meets three times as many on its way.
fn drop_those_absent(
    roster: &Roster,
    candidates: &mut Vec<Candidate>,
    absent: &mut Vec<ResponderId>,
) -> bool {
    let before = absent.len();
    candidates.retain_mut(|candidate| {
        // Whoever has a seat has a slot.
        let Some(slot) = roster.slot(candidate.responder) else { return false };
        let available = slot.word().available();
        if !available {
            absent.push(candidate.responder);
        }
        if let Located::Fix(at) = &mut candidate.located {
            *at = slot.fix.at().unwrap_or(*at);
        }
        available
    });
    absent.len() > before
}

/// Goes through the slots, which nobody ever leaves: linear in responders, and certain.
#[cold]
fn ask_everybody(roster: &Roster, query: &Query<'_>, candidates: &mut Vec<Candidate>) {
    let aim = Aim::new(query.at);
    candidates.clear();
    for responder in (0..roster.capacity()).map(ResponderId).chain([ResponderId::WATCHDOG]) {
        let explained = explain_one(roster, query, &aim, responder);
        let can_go = explained.filter(|one| one.left_out.is_none()).and_then(|one| one.whereabouts);
        candidates.extend(can_go.map(|(distance, located)| Candidate { distance, responder, located }));
    }
    candidates.sort_unstable();
    candidates.truncate(query.limit);
}

/// Drops the farther entry of whoever is there twice, because seen before and after a move; says whether it did.
fn drop_those_twice(candidates: &mut Vec<Candidate>) -> bool {
    let before = candidates.len();
    if before <= COMPARED_BY_PAIRS {
        let mut index = 1;
        while index < candidates.len() {
            let responder = candidates[index].responder;
            if candidates[..index].iter().any(|nearer| nearer.responder == responder) {
                candidates.remove(index);
            } else {
                index += 1;
            }
        }
    } else {
        candidates.sort_unstable_by_key(|candidate| (candidate.responder, candidate.distance));
        candidates.dedup_by_key(|candidate| candidate.responder);
        candidates.sort_unstable();
    }
    candidates.len() < before
}

/// One look around.
struct Search<'a> {
    roster: &'a Roster,
    query: &'a Query<'a>,
    /// Those an earlier look took for candidates and their slots did not.
    absent: &'a [ResponderId],
    aim: Aim,
    view: View,
    /// The bits of [`Who`] that a candidate has.
    needed: u64,
    /// The best so far, the worst of them on top. The time of their fixes is not known yet.
    best: BinaryHeap<Candidate>,
    /// Square of the distance, in units, beyond which nobody is of interest any more.
    within: f64,
    /// Square of the distance, in units, beyond which nobody is in reach.
    reach: f64,
    /// How many of those considered have the skills.
    able: u32,
    tally: Tally,
}

impl<'a> Search<'a> {
    /// `room` is empty and lends its memory.
    fn new(
        roster: &'a Roster,
        query: &'a Query<'a>,
        absent: &'a [ResponderId],
        room: Vec<Candidate>,
    ) -> Self {
        let aim = Aim::new(query.at);
        let reach = units_within(query.reach).powi(2);
        let view = roster.cells.torus.view(Point::of(query.at), aim.least_cosine(query.reach));
        Self {
            roster,
            query,
            absent,
            aim,
            view,
            needed: Who::needed(query.skills),
            best: BinaryHeap::from(room),
            within: reach,
            reach,
            able: 0,
            tally: Tally::default(),
        }
    }

    fn run(&mut self) {
        self.search();
        // Somebody who leaves while we look is counted with those who lack a skill: too rare to tell.
        self.tally.lacks_skill = self.tally.considered.saturating_sub(self.able);
    }

    fn search(&mut self) {
        let View { rows, columns, .. } = self.view;
        self.visit(self.view.cell(0, 0));
        for ring in 1..=RINGS_OF_CELLS {
            if !self.ring(&rows, &columns, ring, |search, north, east| {
                search.visit(search.view.cell(north, east));
            }) {
                return;
            }
        }
        let (rows, columns) = (rows.in_blocks(), columns.in_blocks());
        self.visit_block(0, 0);
        let mut ring = 1;
        while self.ring(&rows, &columns, ring, Self::visit_block) {
            ring += 1;
        }
    }

    /// Visits the cells or blocks `ring` steps away; `false` when none of these can be of interest, nor any beyond.
    ///
    /// Going round the torus, what is half-way is met from behind only, so nothing is visited twice.
    #[inline(always)]
    fn ring(
        &mut self,
        rows: &Axis,
        columns: &Axis,
        ring: i64,
        visit: impl Fn(&mut Self, i64, i64) + Copy,
    ) -> bool {
        let north = ring < rows.half && self.of_interest(rows.ahead(ring), 0.0);
        if north {
            self.side(rows.ahead(ring), columns, ring, |search, step| visit(search, ring, step));
        }
        let south = ring <= rows.half && self.of_interest(rows.behind(ring), 0.0);
        if south {
            self.side(rows.behind(ring), columns, ring, |search, step| visit(search, -ring, step));
        }
        let east = ring < columns.half && self.of_interest(columns.ahead(ring), 0.0);
        if east {
            self.side(columns.ahead(ring), rows, ring - 1, |search, step| visit(search, step, ring));
        }
        let west = ring <= columns.half && self.of_interest(columns.behind(ring), 0.0);
        if west {
            self.side(columns.behind(ring), rows, ring - 1, |search, step| visit(search, step, -ring));
        }
        north || south || east || west
    }

    /// Visits one side of a ring, `away` units off, along `axis` from its middle to `longest` steps both ways.
    #[inline(always)]
    fn side(&mut self, away: f64, axis: &Axis, longest: i64, visit: impl Fn(&mut Self, i64)) {
        for step in 0..=longest {
            let ahead = (step == 0 || step < axis.half) && self.of_interest(away, axis.ahead(step));
            if ahead {
                visit(self, step);
            }
            let behind = step > 0 && step <= axis.half && self.of_interest(away, axis.behind(step));
            if behind {
                visit(self, -step);
            }
            if !ahead && !behind {
                return;
            }
        }
    }

    /// Visits the cells of the block so many blocks north and east, unless they were visited ring by ring.
    fn visit_block(&mut self, north: i64, east: i64) {
        let cells = self.view.cells_of(north, east);
        if !self.roster.cells.block(cells.start).may_have(self.query.skills) {
            return;
        }
        for (cell, head) in self.roster.cells.heads(cells) {
            if !head.may_have(self.query.skills) {
                continue;
            }
            let (row, column) = self.view.steps_to(cell, north, east);
            let visited = row.abs() <= RINGS_OF_CELLS && column.abs() <= RINGS_OF_CELLS;
            if !visited && self.of_interest(self.view.rows.gap(row), self.view.columns.gap(column)) {
                self.visit(cell);
            }
        }
    }

    /// Whether somebody `a` units one way and `b` the other could be among the nearest.
    fn of_interest(&self, a: f64, b: f64) -> bool {
        a * a + b * b <= self.within
    }

    /// Looks at everybody in `cell` who may have the skills. Inlined: most cells of a long search are passed by.
    #[inline(always)]
    fn visit(&mut self, cell: usize) {
        let head = self.roster.cells.head(cell);
        let (taken, spilled) = (head.taken(), head.spilled());
        let count = taken.count() + spilled.count();
        if count == 0 {
            return;
        }
        self.tally.considered += count;
        if taken.skills().covers(self.query.skills) {
            self.visit_own(cell, taken.seats());
        }
        if spilled.skills().covers(self.query.skills) {
            self.visit_spill(cell, spilled.depth());
        }
    }

    fn visit_own(&mut self, cell: usize, seats: u32) {
        let bench = self.roster.cells.own(cell);
        self.look_along(bench, bench.matching(seats, self.needed, self.needed));
    }

    #[cold]
    fn visit_spill(&mut self, cell: usize, depth: usize) {
        let cells = &self.roster.cells;
        for step in 0..depth {
            let (bench, taken) = cells.spill(cell, step);
            // Other cells seat people here as well; they are met in their own cell. The tag tells most of them.
            let tagged = bench.matching(taken, self.needed | Who::TAG, self.needed | Who::tag(cell));
            let is_ours = |number: &usize| {
                cells.torus.cell_of(Point(bench.chairs[*number].place.load(Ordering::Acquire))) == cell
            };
            self.look_along(bench, bits(tagged).filter(is_ours).fold(0, |ours, number| ours | 1 << number));
        }
    }

    /// Looks at where those on `seats` of `bench` are, who have the skills.
    fn look_along(&mut self, bench: &Bench, seats: u32) {
        for number in bits(seats) {
            self.able += 1;
            let who = Who(bench.chairs[number].who.load(Ordering::Acquire));
            let point = Point(bench.chairs[number].place.load(Ordering::Acquire));
            let squared = self.aim.squared(point);
            if squared > self.within {
                self.tally.too_far += u32::from(squared > self.reach);
                continue;
            }
            // Read again: only if nothing changed do the two belong together. And it may be somebody else by now.
            let unchanged = bench.chairs[number].who.load(Ordering::Acquire) == who.0;
            if unchanged && who.0 & self.needed == self.needed {
                self.admit(who, point, squared);
            }
        }
    }

    /// Takes somebody near among the best, unless there is a reason not to.
    fn admit(&mut self, who: Who, point: Point, squared: f64) {
        let responder = who.responder();
        let distance = self.aim.metres(squared, point);
        if distance > self.query.reach {
            self.tally.too_far += 1;
            return;
        }
        let full = self.best.len() == self.query.limit;
        if full
            && self
                .best
                .peek()
                .is_some_and(|worst| (worst.distance, worst.responder) <= (distance, responder))
        {
            return;
        }
        if self.query.excluded.contains(&responder) {
            self.tally.excluded += 1;
            return;
        }
        if self.absent.contains(&responder) {
            return;
        }
        let located = if who.at_base() { Located::Base } else { Located::Fix(Timestamp(0)) };
        let candidate = Candidate { distance, responder, located };
        if !full {
            self.best.push(candidate);
        } else if let Some(mut worst) = self.best.peek_mut() {
            *worst = candidate;
        }
        if self.best.len() == self.query.limit
            && let Some(worst) = self.best.peek()
        {
            self.within = units_within(worst.distance).powi(2);
        }
    }
}
