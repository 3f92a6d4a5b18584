//! The floor: a bare grid of atomics in the plane, which does only what nobody can leave out.
//!
//! One thread: loads and stores are relaxed. A claim is one compare-and-swap of the responder's word; who is claimed
//! leaves the entries of the cell, and comes back on release.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    time::Instant,
};

use crate::city::{COMMON, City, REACH, Standing};

/// Cell edges to choose from, in metres.
const EDGES: [f64; 15] = [
    32.0, 48.0, 64.0, 96.0, 128.0, 192.0, 256.0, 384.0, 512.0, 768.0, 1_024.0, 1_536.0, 2_048.0, 4_096.0,
    8_192.0,
];

struct Entry {
    /// Id above, skills below.
    who: AtomicU64,
    /// East above, north below, as `f32`.
    at: AtomicU64,
}

struct Cell {
    first: u32,
    room: u32,
    count: AtomicU32,
}

pub(crate) struct Floor {
    pub(crate) edge: f64,
    side: i64,
    cells: Vec<Cell>,
    entries: Vec<Entry>,
    /// By id: 0 for somebody free, else the incident.
    words: Vec<AtomicU64>,
    /// By id: skills and place.
    people: Vec<Entry>,
}

fn pack(at: [f64; 2]) -> u64 {
    let [east, north] = at.map(|metres| u64::from((metres as f32).to_bits()));
    east << 32 | north
}

fn unpack(at: u64) -> [f64; 2] {
    [(at >> 32) as u32, at as u32].map(|bits| f64::from(f32::from_bits(bits)))
}

impl Floor {
    pub(crate) fn new(city: &City, edge: f64) -> Self {
        let side = (city.spread.edge() / edge) as i64 + 1;
        let person = |one: &Standing| Entry {
            who: AtomicU64::new(u64::from(one.id) << 32 | u64::from(one.skills)),
            at: AtomicU64::new(pack(one.at)),
        };
        let mut floor = Self {
            edge,
            side,
            cells: Vec::new(),
            entries: Vec::new(),
            words: city.busy.iter().map(|busy| AtomicU64::new(u64::from(*busy))).collect(),
            people: city.all.iter().map(person).collect(),
        };
        // Room for three times those who live there and a few who come by.
        let mut room = vec![16_u32; (side * side) as usize];
        city.all.iter().for_each(|one| room[floor.cell_of(one.at)] += 3);
        let mut first = 0;
        for room in room {
            floor.cells.push(Cell { first, room, count: AtomicU32::new(0) });
            first += room;
        }
        let nobody = |_| Entry { who: AtomicU64::new(0), at: AtomicU64::new(0) };
        floor.entries = (0..first).map(nobody).collect();
        city.free().for_each(|one| floor.enter(one.id));
        floor
    }

    /// The one with the cell size that serves alerts fastest.
    pub(crate) fn best(city: &City) -> Self {
        let time = |edge: &f64| {
            let floor = Self::new(city, *edge);
            let mut best = Vec::new();
            let mut serve_all = || {
                let start = Instant::now();
                city.alerts.iter().take(2_000).for_each(|at| floor.serve(*at, COMMON, 1, &mut best));
                start.elapsed()
            };
            (0..5).map(|_| serve_all()).min()
        };
        let fitting = EDGES.into_iter().filter(|edge| (city.spread.edge() / edge).powi(2) < 5e6);
        let best = fitting.min_by_key(|edge| time(edge)).expect("there are edges");
        Self::new(city, best)
    }

    fn cell_of(&self, at: [f64; 2]) -> usize {
        let [column, row] = at.map(|metres| (metres / self.edge) as i64);
        (row * self.side + column) as usize
    }

    fn enter(&self, id: u32) {
        let person = &self.people[id as usize];
        let at = person.at.load(Relaxed);
        let cell = &self.cells[self.cell_of(unpack(at))];
        let count = cell.count.load(Relaxed);
        assert!(count < cell.room, "more have come by than there is room for");
        let entry = &self.entries[(cell.first + count) as usize];
        entry.at.store(at, Relaxed);
        entry.who.store(person.who.load(Relaxed), Relaxed);
        cell.count.store(count + 1, Relaxed);
    }

    fn leave(&self, id: u32) {
        let cell = &self.cells[self.cell_of(unpack(self.people[id as usize].at.load(Relaxed)))];
        let count = cell.count.load(Relaxed) - 1;
        let entries = &self.entries[cell.first as usize..];
        let index = entries.iter().position(|entry| entry.who.load(Relaxed) >> 32 == u64::from(id));
        let (left, last) = (&entries[index.expect("is there")], &entries[count as usize]);
        left.at.store(last.at.load(Relaxed), Relaxed);
        left.who.store(last.who.load(Relaxed), Relaxed);
        cell.count.store(count, Relaxed);
    }

    pub(crate) fn claim(&self, id: u32) {
        self.words[id as usize].compare_exchange(0, 7, Relaxed, Relaxed).expect("nobody else claims");
        self.leave(id);
    }

    pub(crate) fn release(&self, id: u32) {
        self.words[id as usize].compare_exchange(7, 0, Relaxed, Relaxed).expect("we have claimed");
        self.enter(id);
    }

    /// Moves somebody who is free.
    pub(crate) fn report(&self, id: u32, at: [f64; 2]) {
        self.leave(id);
        self.people[id as usize].at.store(pack(at), Relaxed);
        self.enter(id);
    }

    /// Finds, claims and releases.
    pub(crate) fn serve(&self, at: [f64; 2], skills: u16, limit: usize, best: &mut Vec<(f64, u32)>) {
        self.nearest(at, skills, limit, best);
        let Some((_, nearest)) = best.first().copied() else { return };
        self.claim(nearest);
        self.release(nearest);
    }

    /// The `limit` nearest, as (square of the distance, id), the farthest last.
    pub(crate) fn nearest(&self, at: [f64; 2], skills: u16, limit: usize, best: &mut Vec<(f64, u32)>) {
        best.clear();
        let mut within = REACH * REACH;
        let home = at.map(|metres| (metres / self.edge) as i64);
        let into = [0, 1].map(|axis| at[axis] - home[axis] as f64 * self.edge);
        let nearest_edge =
            into.map(|metres| metres.min(self.edge - metres)).into_iter().fold(f64::MAX, f64::min);
        for ring in 0..=self.side {
            let bound = (ring - 1) as f64 * self.edge + nearest_edge;
            if ring > 0 && bound * bound > within {
                return;
            }
            for row in (home[1] - ring).max(0)..=(home[1] + ring).min(self.side - 1) {
                let edge_row = (row - home[1]).abs() == ring;
                let stride = if edge_row || ring == 0 { 1 } else { 2 * ring };
                let mut column = home[0] - ring;
                while column <= home[0] + ring {
                    if (0..self.side).contains(&column) && self.gap(at, column, row) <= within {
                        let cell = &self.cells[(row * self.side + column) as usize];
                        self.look(at, skills, limit, cell, best, &mut within);
                    }
                    column += stride;
                }
            }
        }
    }

    /// Square of the distance from `at` to the nearest point of a cell.
    fn gap(&self, at: [f64; 2], column: i64, row: i64) -> f64 {
        let [east, north] = [(at[0], column), (at[1], row)].map(|(metres, index)| {
            let low = index as f64 * self.edge;
            (low - metres).max(metres - low - self.edge).max(0.0)
        });
        east * east + north * north
    }

    fn look(
        &self,
        at: [f64; 2],
        skills: u16,
        limit: usize,
        cell: &Cell,
        best: &mut Vec<(f64, u32)>,
        within: &mut f64,
    ) {
        let first = cell.first as usize;
        for entry in &self.entries[first..first + cell.count.load(Relaxed) as usize] {
            let who = entry.who.load(Relaxed);
            if who as u16 & skills != skills {
                continue;
            }
            let [east, north] = unpack(entry.at.load(Relaxed));
            let (east, north) = (east - at[0], north - at[1]);
            let squared = east * east + north * north;
            if squared > *within {
                continue;
            }
            if best.len() == limit {
                best.pop();
            }
            let id = (who >> 32) as u32;
            let index = best.partition_point(|other| *other < (squared, id));
            best.insert(index, (squared, id));
            if best.len() == limit {
                *within = best[limit - 1].0;
            }
        }
    }
}
