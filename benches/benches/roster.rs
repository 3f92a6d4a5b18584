//! Roster: how long does it take to find and claim the nearest responder?
//!
//! A clustered city, a single town or a province of 10,000 to 1,000,000 responders, 30 % busy, the common skill held by
//! 25 %, the rare one by 1 %, reach 20 km; alerts come from where people are. Beside the roster run a bare grid of
//! atomics, which does only the necessary work for one thread, with the best of fifteen cell sizes (the floor), and the
//! trees `kiddo` and `rstar`, all holding the same free responders. They measure in a plane of metres, the roster on the
//! globe. Compare within one run: without arguments of its own it first prints all side by side, and the effect of a
//! stream of updates; `cargo bench -p benches --bench roster -- threads` leaves that out.

#[path = "roster/city.rs"]
mod city;
#[path = "roster/floor.rs"]
mod floor;
#[path = "roster/load.rs"]
mod load;
#[path = "roster/side_by_side.rs"]
mod side_by_side;
#[path = "roster/trees.rs"]
mod trees;

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::{BenchmarkId, Criterion, SamplingMode, criterion_group};
use model::{IncidentId, Metres, Place, ResponderId, Skills, Timestamp};
use roster::{Candidate, Duty, Member, Query, Roster, Size};

use crate::{
    city::{COMMON, City, RARE, REACH, Spread, place},
    floor::Floor,
    trees::{Kiddo, Rstar},
};

const RESPONDERS: u32 = 100_000;
pub(crate) const FIXED_AT: Timestamp = Timestamp(1_790_000_000_000);
const INCIDENT: IncidentId = IncidentId(7);
/// Claims of the mass incident, all from one point: some of those with the skill, and almost a third of them.
const CLAIMS: [u32; 2] = [1_000, 5_000];

/// Everybody of the city, with the cell that the rule chooses for where they are.
pub(crate) fn roster_of(city: &City) -> Roster {
    let places: Vec<Place> = city.all.iter().map(|one| place(one.at)).collect();
    let roster = Roster::new(Size::of(places.len() as u32, &places));
    for (one, place) in city.all.iter().zip(places) {
        let id = ResponderId(one.id);
        let member = Member { skills: Skills::from_bits(one.skills), ..Member::default() };
        roster.enrol(id, member).expect("there is room");
        roster.report(id, place, FIXED_AT);
        if !city.busy[one.id as usize] {
            roster.set_duty(id, Duty::OnDuty);
        }
    }
    roster
}

fn query(at: Place, skills: u16, limit: usize) -> Query<'static> {
    Query { at, reach: Metres(REACH as u32), skills: Skills::from_bits(skills), limit, excluded: &[] }
}

/// Finds the nearest with the skill, claims and releases the first of them.
pub(crate) fn serve(
    roster: &Roster,
    at: Place,
    skills: u16,
    limit: usize,
    candidates: &mut Vec<Candidate>,
) -> bool {
    roster.nearest(&query(at, skills, limit), candidates);
    candidates.first().is_some_and(|nearest| {
        roster.claim(nearest.responder, INCIDENT).is_ok() && roster.release(nearest.responder, INCIDENT)
    })
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
    let city = City::new(Spread::City, RESPONDERS);
    let places: Vec<Place> = city.alerts.iter().map(|at| place(*at)).collect();
    let (roster, floor) = (roster_of(&city), Floor::best(&city));
    let (kiddo, rstar) = (Kiddo::new(&city), Rstar::new(&city));
    let (mut candidates, mut found, mut best) = (Vec::new(), Vec::new(), Vec::new());
    for (name, skills, limit) in
        [("nearest 1", COMMON, 1), ("nearest 8", COMMON, 8), ("nearest 1 with a rare skill", RARE, 1)]
    {
        let mut group = criterion.benchmark_group(name);
        group.bench_function("roster", |bencher| {
            each(&city, bencher, |turn| {
                roster.nearest(&query(places[turn], skills, limit), &mut candidates);
            });
        });
        group.bench_function("floor", |bencher| {
            each(&city, bencher, |turn| floor.nearest(city.alerts[turn], skills, limit, &mut found));
        });
        group.bench_function("kiddo", |bencher| {
            each(&city, bencher, |turn| kiddo.nearest(city.alerts[turn], skills, limit, &mut best));
        });
        group.bench_function("rstar", |bencher| {
            each(&city, bencher, |turn| rstar.nearest(city.alerts[turn], skills, limit, &mut best));
        });
        group.finish();
    }
}

fn claim(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("nearest 1, claim, release");
    for responders in [10_000, RESPONDERS, 1_000_000] {
        let city = City::new(Spread::City, responders);
        let places: Vec<Place> = city.alerts.iter().map(|at| place(*at)).collect();
        let (roster, floor) = (roster_of(&city), Floor::best(&city));
        let (mut candidates, mut found) = (Vec::new(), Vec::new());
        group.bench_function(BenchmarkId::new("roster", responders), |bencher| {
            each(&city, bencher, |turn| serve(&roster, places[turn], COMMON, 1, &mut candidates));
        });
        group.bench_function(BenchmarkId::new("floor", responders), |bencher| {
            each(&city, bencher, |turn| floor.serve(city.alerts[turn], COMMON, 1, &mut found));
        });
    }
    group.finish();
}

fn moves(criterion: &mut Criterion) {
    let city = City::new(Spread::City, RESPONDERS);
    let places: Vec<(ResponderId, Place)> =
        city.moves.iter().map(|(id, at)| (ResponderId(*id), place(*at))).collect();
    let mut group = criterion.benchmark_group("a move of 450 m");
    let mut time = 0;
    let roster = roster_of(&city);
    group.bench_function("roster", |bencher| {
        bencher.iter(|| {
            time += 1;
            let (responder, place) = places[time % places.len()];
            roster.report(responder, place, Timestamp(FIXED_AT.0 + time as i64))
        });
    });
    let mut turn = 0;
    let mut next = move || {
        turn += 1;
        city.moves[turn % city.moves.len()]
    };
    let city = City::new(Spread::City, RESPONDERS);
    let floor = Floor::best(&city);
    group.bench_function("floor", |bencher| {
        bencher.iter(|| {
            let (id, at) = next();
            floor.report(id, at);
        });
    });
    let mut kiddo = Kiddo::new(&city);
    group.bench_function("kiddo", |bencher| {
        bencher.iter(|| {
            let (id, at) = next();
            kiddo.report(id, at);
        });
    });
    let mut rstar = Rstar::new(&city);
    group.bench_function("rstar", |bencher| {
        bencher.iter(|| {
            let (id, at) = next();
            rstar.report(id, at);
        });
    });
    group.finish();
}

/// Claims many from one point, so that those near it are gone; a time is that of one claim, on average.
fn mass_incident(criterion: &mut Criterion) {
    let city = City::new(Spread::City, RESPONDERS);
    let middle = city.alerts[0];
    let (roster, floor) = (roster_of(&city), Floor::best(&city));
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
        group.bench_function("floor", |bencher| {
            bencher.iter_custom(|times| {
                let spent = (0..times).map(|_| {
                    let start = Instant::now();
                    let claim = |_| {
                        floor.nearest(middle, COMMON, 1, &mut found);
                        floor.claim(found[0].1);
                        found[0].1
                    };
                    let claimed: Vec<u32> = (0..claims).map(claim).collect();
                    let spent = start.elapsed();
                    claimed.into_iter().for_each(|taken| floor.release(taken));
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
    let city = City::new(Spread::City, RESPONDERS);
    let places: Vec<Place> = city.alerts.iter().map(|at| place(*at)).collect();
    let roster = roster_of(&city);
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
                        black_box(serve(&roster, at, COMMON, 1, &mut candidates));
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

fn main() {
    // Cargo itself passes `--bench`; `--test` means to run everything once.
    if std::env::args().skip(1).all(|argument| argument == "--bench") {
        side_by_side::print();
        load::print();
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
}
