//! Roster: how long does it take to find and claim the nearest responder?
//!
//! A clustered city: 100,000 responders around twenty centres, 30 % busy, the common skill held by 25 %, the rare one by
//! 1 %, reach 20 km; alerts come from where people are. Beside the roster run a bare grid of plain vectors, which does
//! only the necessary work for one thread (the floor), and the trees `kiddo` and `rstar`, all holding the same free
//! responders. They measure in a plane of metres, the roster on the globe. Compare within one run.

use std::{
    hint::black_box,
    num::NonZero,
    time::{Duration, Instant},
};

use criterion::{BenchmarkId, Criterion, SamplingMode, criterion_group, criterion_main};
use kiddo::{MutableKdTree, SquaredEuclidean};
use model::{CoordinateSystem, IncidentId, Metres, Place, ResponderId, Skills, Timestamp};
use roster::{Candidate, Duty, Member, Query, Roster, Size};
use rstar::{AABB, PointDistance, RTree, RTreeObject};

const RESPONDERS: u32 = 100_000;
const REACH: f64 = 20_000.0;
const CITY: f64 = 60_000.0;
/// Held by 25 %.
const COMMON: u16 = 0b01;
/// Held by 1 %.
const RARE: u16 = 0b10;
const FIXED_AT: Timestamp = Timestamp(1_790_000_000_000);
const INCIDENT: IncidentId = IncidentId(7);
/// Claims of the mass incident, all from one point: some of those with the skill, and almost a third of them.
const CLAIMS: [u32; 2] = [1_000, 5_000];

/// Somebody in the plane, in metres from the south-western corner of the city.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Standing {
    at: [f64; 2],
    skills: u16,
    id: u32,
}

/// A small generator of repeatable numbers (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to 1.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn bell(&mut self) -> f64 {
        (0..12).map(|_| self.fraction()).sum::<f64>() - 6.0
    }
}

struct City {
    /// Everybody, busy ones included, by id.
    all: Vec<Standing>,
    busy: Vec<bool>,
    /// Where alerts come from.
    alerts: Vec<[f64; 2]>,
    /// Where people go next, within 600 m.
    moves: Vec<(u32, [f64; 2])>,
}

impl City {
    fn new() -> Self {
        let mut numbers = Numbers(81);
        let centres: Vec<[f64; 2]> =
            (0..20).map(|_| [0.1, 0.1].map(|edge| (edge + 0.8 * numbers.fraction()) * CITY)).collect();
        let inside = |metres: f64| metres.clamp(0.0, CITY - 1.0);
        let spot = |numbers: &mut Numbers| {
            let centre = centres[numbers.next() as usize % centres.len()];
            if numbers.fraction() < 0.1 {
                [numbers.fraction() * CITY, numbers.fraction() * CITY]
            } else {
                centre.map(|metres| inside(metres + 3_000.0 * numbers.bell()))
            }
        };
        let all: Vec<Standing> = (0..RESPONDERS)
            .map(|id| {
                let common = if numbers.fraction() < 0.25 { COMMON } else { 0 };
                let rare = if numbers.fraction() < 0.01 { RARE } else { 0 };
                Standing { at: spot(&mut numbers), skills: common | rare, id }
            })
            .collect();
        let busy: Vec<bool> = (0..RESPONDERS).map(|_| numbers.fraction() < 0.3).collect();
        let alerts = (0..8_192).map(|_| spot(&mut numbers)).collect();
        let free: Vec<&Standing> = all.iter().filter(|one| !busy[one.id as usize]).collect();
        let moves = (0..65_536)
            .map(|_| {
                let one = free[numbers.next() as usize % free.len()];
                (one.id, one.at.map(|metres| inside(metres + 1_200.0 * (numbers.fraction() - 0.5))))
            })
            .collect();
        Self { all, busy, alerts, moves }
    }

    fn free(&self) -> impl Iterator<Item = Standing> {
        self.all.iter().copied().filter(|one| !self.busy[one.id as usize])
    }
}

fn place([east, north]: [f64; 2]) -> Place {
    let corner = Place::new(33.3, 118.7, CoordinateSystem::Wgs84).expect("on the globe");
    let north_of_corner = corner.offset(north, 0.0);
    north_of_corner.offset(0.0, east)
}

fn roster(city: &City) -> Roster {
    let roster = Roster::new(Size { responders: RESPONDERS, cell: Size::DEFAULT_CELL });
    for one in &city.all {
        let id = ResponderId(one.id);
        roster
            .enrol(id, Member { skills: Skills::from_bits(one.skills), base: None })
            .expect("there is room");
        roster.report(id, place(one.at), FIXED_AT);
        if !city.busy[one.id as usize] {
            roster.set_duty(id, Duty::OnDuty);
        }
    }
    roster
}

fn query(at: Place, skills: u16, limit: usize) -> Query<'static> {
    Query { at, reach: Metres(REACH as u32), skills: Skills::from_bits(skills), limit, excluded: &[] }
}

/// The floor: a grid of plain vectors in the plane, without concurrency, claims by removal.
struct BareGrid {
    cell: f64,
    side: i64,
    cells: Vec<Vec<Standing>>,
    whereabouts: Vec<[f64; 2]>,
}

impl BareGrid {
    fn new(city: &City, cell: f64) -> Self {
        let side = (CITY / cell) as i64 + 1;
        let whereabouts = city.all.iter().map(|one| one.at).collect();
        let mut grid = Self { cell, side, cells: vec![Vec::new(); (side * side) as usize], whereabouts };
        for one in city.free() {
            grid.insert(one);
        }
        grid
    }

    fn cell_of(&self, at: [f64; 2]) -> usize {
        let [column, row] = at.map(|metres| (metres / self.cell) as i64);
        (row * self.side + column) as usize
    }

    fn insert(&mut self, one: Standing) {
        let cell = self.cell_of(one.at);
        self.whereabouts[one.id as usize] = one.at;
        self.cells[cell].push(one);
    }

    fn remove(&mut self, id: u32) -> Standing {
        let cell = self.cell_of(self.whereabouts[id as usize]);
        let people = &mut self.cells[cell];
        let index = people.iter().position(|one| one.id == id).expect("is there");
        people.swap_remove(index)
    }

    /// The `limit` nearest, as (square of the distance, id), the farthest last.
    fn nearest(&self, at: [f64; 2], skills: u16, limit: usize, best: &mut Vec<(f64, u32)>) {
        best.clear();
        let mut within = REACH * REACH;
        let home = at.map(|metres| (metres / self.cell) as i64);
        for ring in 0_i64.. {
            let into = [0, 1].map(|axis| at[axis] - home[axis] as f64 * self.cell);
            let nearest_edge =
                into.map(|metres| metres.min(self.cell - metres)).into_iter().fold(f64::MAX, f64::min);
            let bound = (ring - 1) as f64 * self.cell + nearest_edge;
            if ring > 0 && bound * bound > within {
                return;
            }
            for row in (home[1] - ring).max(0)..=(home[1] + ring).min(self.side - 1) {
                let edge_row = (row - home[1]).abs() == ring;
                let stride = if edge_row || ring == 0 { 1 } else { 2 * ring };
                let mut column = home[0] - ring;
                while column <= home[0] + ring {
                    if (0..self.side).contains(&column) && self.gap(at, column, row) <= within {
                        self.look(at, skills, limit, (row * self.side + column) as usize, best, &mut within);
                    }
                    column += stride;
                }
            }
            if ring > self.side {
                return;
            }
        }
    }

    /// Square of the distance from `at` to the nearest point of a cell.
    fn gap(&self, at: [f64; 2], column: i64, row: i64) -> f64 {
        let [east, north] = [(at[0], column), (at[1], row)].map(|(metres, index)| {
            let low = index as f64 * self.cell;
            (low - metres).max(metres - low - self.cell).max(0.0)
        });
        east * east + north * north
    }

    fn look(
        &self,
        at: [f64; 2],
        skills: u16,
        limit: usize,
        cell: usize,
        best: &mut Vec<(f64, u32)>,
        within: &mut f64,
    ) {
        for one in &self.cells[cell] {
            if one.skills & skills != skills {
                continue;
            }
            let (east, north) = (one.at[0] - at[0], one.at[1] - at[1]);
            let squared = east * east + north * north;
            if squared > *within {
                continue;
            }
            if best.len() == limit {
                best.pop();
            }
            let index = best.partition_point(|other| *other < (squared, one.id));
            best.insert(index, (squared, one.id));
            if best.len() == limit {
                *within = best[limit - 1].0;
            }
        }
    }
}

impl RTreeObject for Standing {
    type Envelope = AABB<[f64; 2]>;
    fn envelope(&self) -> Self::Envelope {
        AABB::from_point(self.at)
    }
}

impl PointDistance for Standing {
    fn distance_2(&self, point: &[f64; 2]) -> f64 {
        let (east, north) = (self.at[0] - point[0], self.at[1] - point[1]);
        east * east + north * north
    }
}

type Kiddo = MutableKdTree<f64, 2>;

fn kiddo(city: &City) -> Kiddo {
    let mut tree = Kiddo::default();
    for one in city.free() {
        tree.add(&one.at, one.id).expect("no two on one spot");
    }
    tree
}

/// Asks for more and more until enough have the skill: the tree knows no filter. Starts with twice what should do.
fn kiddo_nearest(city: &City, tree: &Kiddo, at: [f64; 2], skills: u16, limit: usize, best: &mut Vec<u32>) {
    let mut ask = if skills == RARE { 200 * limit } else { 8 * limit };
    loop {
        let count = NonZero::new(ask).expect("at least one");
        let found = tree.query(&at).nearest_n::<SquaredEuclidean<f64>>(count).within(REACH * REACH).execute();
        best.clear();
        let able =
            found.iter().map(|one| one.item).filter(|id| city.all[*id as usize].skills & skills == skills);
        best.extend(able.take(limit));
        if best.len() == limit || found.len() < ask {
            return;
        }
        ask *= 4;
    }
}

fn rstar_nearest(tree: &RTree<Standing>, at: [f64; 2], skills: u16, limit: usize, best: &mut Vec<u32>) {
    let near =
        tree.nearest_neighbor_iter_with_distance_2(at).take_while(|(_, squared)| *squared <= REACH * REACH);
    best.clear();
    best.extend(near.filter(|(one, _)| one.skills & skills == skills).map(|(one, _)| one.id).take(limit));
}

/// Calls `ask` with one alert after the other, as long as criterion likes.
fn each<T>(city: &City, bencher: &mut criterion::Bencher<'_>, mut ask: impl FnMut(usize) -> T) {
    let mut turn = 0;
    bencher.iter(|| {
        turn = (turn + 1) % city.alerts.len();
        ask(turn)
    });
}

fn nearest(criterion: &mut Criterion) {
    let city = City::new();
    let places: Vec<Place> = city.alerts.iter().map(|at| place(*at)).collect();
    let roster = roster(&city);
    let grids = [256.0, 512.0].map(|cell| BareGrid::new(&city, cell));
    let kiddo = kiddo(&city);
    let rstar = RTree::bulk_load(city.free().collect());
    for (name, skills, limit) in
        [("nearest 1", COMMON, 1), ("nearest 8", COMMON, 8), ("nearest 1 with a rare skill", RARE, 1)]
    {
        let mut group = criterion.benchmark_group(name);
        let mut candidates = Vec::new();
        group.bench_function("roster", |bencher| {
            each(&city, bencher, |turn| {
                roster.nearest(&query(places[turn], skills, limit), &mut candidates);
                candidates.last().copied()
            });
        });
        for grid in &grids {
            let mut best = Vec::new();
            group.bench_function(format!("bare grid of {} m", grid.cell), |bencher| {
                each(&city, bencher, |turn| {
                    grid.nearest(city.alerts[turn], skills, limit, &mut best);
                    best.last().copied()
                });
            });
        }
        let mut best = Vec::new();
        group.bench_function("kiddo", |bencher| {
            each(&city, bencher, |turn| {
                kiddo_nearest(&city, &kiddo, city.alerts[turn], skills, limit, &mut best);
                best.last().copied()
            });
        });
        group.bench_function("rstar", |bencher| {
            each(&city, bencher, |turn| {
                rstar_nearest(&rstar, city.alerts[turn], skills, limit, &mut best);
                best.last().copied()
            });
        });
        group.finish();
    }
}

/// Finds the nearest with the skill, claims and releases them.
fn serve(roster: &Roster, at: Place, candidates: &mut Vec<Candidate>) -> bool {
    roster.nearest(&query(at, COMMON, 1), candidates);
    candidates.first().is_some_and(|nearest| {
        roster.claim(nearest.responder, INCIDENT).is_ok() && roster.release(nearest.responder, INCIDENT)
    })
}

fn claim(criterion: &mut Criterion) {
    let city = City::new();
    let places: Vec<Place> = city.alerts.iter().map(|at| place(*at)).collect();
    let mut group = criterion.benchmark_group("nearest 1, claim, release");
    let roster = roster(&city);
    let mut candidates = Vec::new();
    group.bench_function("roster", |bencher| {
        each(&city, bencher, |turn| serve(&roster, places[turn], &mut candidates));
    });
    let mut grid = BareGrid::new(&city, 512.0);
    let mut found = Vec::new();
    group.bench_function("bare grid of 512 m", |bencher| {
        each(&city, bencher, |turn| {
            grid.nearest(city.alerts[turn], COMMON, 1, &mut found);
            let taken = grid.remove(found[0].1);
            grid.insert(taken);
        });
    });
    let mut tree = kiddo(&city);
    let mut best = Vec::new();
    group.bench_function("kiddo", |bencher| {
        each(&city, bencher, |turn| {
            kiddo_nearest(&city, &tree, city.alerts[turn], COMMON, 1, &mut best);
            let taken = city.all[best[0] as usize];
            tree.remove(&taken.at, taken.id);
            tree.add(&taken.at, taken.id).expect("no two on one spot");
        });
    });
    let mut tree = RTree::bulk_load(city.free().collect());
    group.bench_function("rstar", |bencher| {
        each(&city, bencher, |turn| {
            rstar_nearest(&tree, city.alerts[turn], COMMON, 1, &mut best);
            let taken = tree.remove(&city.all[best[0] as usize]).expect("is there");
            tree.insert(taken);
        });
    });
    group.finish();
}

fn moves(criterion: &mut Criterion) {
    let city = City::new();
    let places: Vec<(ResponderId, Place)> =
        city.moves.iter().map(|(id, at)| (ResponderId(*id), place(*at))).collect();
    let mut group = criterion.benchmark_group("a move of 300 m");
    let mut turn = 0;
    let mut next = move || {
        turn += 1;
        turn
    };
    let roster = roster(&city);
    group.bench_function("roster", |bencher| {
        bencher.iter(|| {
            let time = next();
            let (responder, place) = places[time % places.len()];
            roster.report(responder, place, Timestamp(FIXED_AT.0 + time as i64))
        });
    });
    let mut grid = BareGrid::new(&city, 512.0);
    group.bench_function("bare grid of 512 m", |bencher| {
        bencher.iter(|| {
            let (id, at) = city.moves[next() % places.len()];
            let one = grid.remove(id);
            grid.insert(Standing { at, ..one });
        });
    });
    let mut whereabouts = city.all.clone();
    let mut tree = kiddo(&city);
    group.bench_function("kiddo", |bencher| {
        bencher.iter(|| {
            let (id, at) = city.moves[next() % places.len()];
            tree.remove(&whereabouts[id as usize].at, id);
            tree.add(&at, id).expect("no two on one spot");
            whereabouts[id as usize].at = at;
        });
    });
    let mut whereabouts = city.all.clone();
    let mut tree = RTree::bulk_load(city.free().collect());
    group.bench_function("rstar", |bencher| {
        bencher.iter(|| {
            let (id, at) = city.moves[next() % places.len()];
            let one = tree.remove(&whereabouts[id as usize]).expect("is there");
            tree.insert(Standing { at, ..one });
            whereabouts[id as usize].at = at;
        });
    });
    group.finish();
}

/// Claims many from one point, so that those near it are gone; a time is that of one claim, on average.
fn mass_incident(criterion: &mut Criterion) {
    let city = City::new();
    let middle = city.alerts[0];
    let roster = roster(&city);
    let mut grid = BareGrid::new(&city, 512.0);
    let at = place(middle);
    let (mut candidates, mut found) = (Vec::new(), Vec::new());
    for claims in CLAIMS {
        let mut group = criterion.benchmark_group(format!("mass incident, one of {claims} claims"));
        group.sample_size(20).sampling_mode(SamplingMode::Flat);
        group.bench_function("roster", |bencher| {
            bencher.iter_custom(|times| {
                let spent = (0..times).map(|_| {
                    let start = Instant::now();
                    let claim = |_| {
                        roster.nearest(&query(at, COMMON, 1), &mut candidates);
                        roster.claim(candidates[0].responder, INCIDENT).expect("nobody else claims");
                        candidates[0].responder
                    };
                    let claimed: Vec<ResponderId> = (0..claims).map(claim).collect();
                    let spent = start.elapsed();
                    assert!(claimed.into_iter().all(|responder| roster.release(responder, INCIDENT)));
                    spent
                });
                spent.sum::<Duration>() / claims
            });
        });
        group.bench_function("bare grid of 512 m", |bencher| {
            bencher.iter_custom(|times| {
                let spent = (0..times).map(|_| {
                    let start = Instant::now();
                    let claim = |_| {
                        grid.nearest(middle, COMMON, 1, &mut found);
                        grid.remove(found[0].1)
                    };
                    let claimed: Vec<Standing> = (0..claims).map(claim).collect();
                    let spent = start.elapsed();
                    claimed.into_iter().for_each(|taken| grid.insert(taken));
                    spent
                });
                spent.sum::<Duration>() / claims
            });
        });
        group.finish();
    }
}

/// How long this thread has been on a processor: what others do on the machine does not count.
fn time_on_processor() -> Duration {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").expect("this bench runs on Linux");
    let nanoseconds = times.split_whitespace().next().and_then(|word| word.parse().ok());
    Duration::from_nanos(nanoseconds.expect("the first word is nanoseconds"))
}

/// One and two threads serving different alerts on one roster. A time is what one alert costs one thread on a processor:
/// with two threads it is the same when they scale by two.
fn threads(criterion: &mut Criterion) {
    let city = City::new();
    let places: Vec<Place> = city.alerts.iter().map(|at| place(*at)).collect();
    let roster = roster(&city);
    let mut group = criterion.benchmark_group("threads serving");
    group.sampling_mode(SamplingMode::Flat);
    for threads in [1_u32, 2] {
        group.bench_function(BenchmarkId::from_parameter(threads), |bencher| {
            bencher.iter_custom(|times| {
                let serve_all = |thread: u32| {
                    let mut candidates = Vec::new();
                    let start = time_on_processor();
                    for turn in 0..times as usize {
                        let at = places[(turn + thread as usize * 4_096) % places.len()];
                        black_box(serve(&roster, at, &mut candidates));
                    }
                    time_on_processor() - start
                };
                let spent: Duration = std::thread::scope(|scope| {
                    let running: Vec<_> =
                        (0..threads).map(|thread| scope.spawn(move || serve_all(thread))).collect();
                    running.into_iter().map(|thread| thread.join().expect("no panic")).sum()
                });
                spent / threads
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(40)
        .warm_up_time(Duration::from_millis(400))
        .measurement_time(Duration::from_millis(1_500))
        .without_plots();
    targets = nearest, claim, moves, mass_incident, threads
}
criterion_main!(benches);
