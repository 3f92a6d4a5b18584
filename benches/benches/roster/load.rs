//! Under load: what does a stream of positions from another thread do to those who wait for an answer?

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use model::{Place, ResponderId, Timestamp};
use roster::Roster;

use crate::{
    FIXED_AT,
    city::{COMMON, City, Spread, place},
    roster_of, serve,
};

const RESPONDERS: u32 = 100_000;
const UPDATES_A_SECOND: u32 = 100_000;
/// So many updates at once, then a pause: a millisecond's worth.
const BATCH: u32 = UPDATES_A_SECOND / 1_000;
/// How often alerts are served without and with updates, in turn; the median counts.
const ROUNDS: usize = 9;
const ALERTS: usize = 40_000;

/// Prints the median and the 99th percentile of nearest, claim and release without and with updates.
pub(crate) fn print() {
    let city = City::new(Spread::City, RESPONDERS);
    let roster = roster_of(&city);
    let alerts: Vec<Place> = city.alerts.iter().map(|at| place(*at)).collect();
    let moves: Vec<(ResponderId, Place)> =
        city.moves.iter().map(|(id, at)| (ResponderId(*id), place(*at))).collect();
    let (flowing, done, updates) = (AtomicBool::new(false), AtomicBool::new(false), AtomicU64::new(0));
    let (mut quiet, mut loaded) = (Vec::new(), Vec::new());
    let mut under_load = Duration::ZERO;
    thread::scope(|scope| {
        scope.spawn(|| update_all_the_time(&roster, &moves, &flowing, &done, &updates));
        for _ in 0..ROUNDS {
            quiet.push(serve_all(&roster, &alerts));
            flowing.store(true, Relaxed);
            let start = Instant::now();
            loaded.push(serve_all(&roster, &alerts));
            under_load += start.elapsed();
            flowing.store(false, Relaxed);
        }
        done.store(true, Relaxed);
    });
    let a_second = updates.load(Relaxed) as f64 / under_load.as_secs_f64();
    println!("nearest, claim, release of {RESPONDERS}: ns, median of {ROUNDS} turns of {ALERTS} alerts");
    for (name, turns) in [("alone", quiet), (&format!("{a_second:.0} updates/s beside"), loaded)] {
        let [p50, p99] = [0.5, 0.99].map(|quantile| {
            let mut all: Vec<u64> = turns.iter().map(|times| times.value_at_quantile(quantile)).collect();
            all.sort_unstable();
            all[all.len() / 2]
        });
        println!("{name:>28}: p50 {p50:>6}  p99 {p99:>6}");
    }
    println!();
}

fn serve_all(roster: &Roster, alerts: &[Place]) -> Histogram<u64> {
    let mut times = Histogram::new(3).expect("three digits are possible");
    let mut candidates = Vec::new();
    for turn in 0..ALERTS {
        let start = Instant::now();
        serve(roster, alerts[turn % alerts.len()], COMMON, 1, &mut candidates);
        times += start.elapsed().as_nanos() as u64;
    }
    times
}

fn update_all_the_time(
    roster: &Roster,
    moves: &[(ResponderId, Place)],
    flowing: &AtomicBool,
    done: &AtomicBool,
    updates: &AtomicU64,
) {
    let mut turn = 0;
    let mut due = Instant::now();
    while !done.load(Relaxed) {
        if flowing.load(Relaxed) {
            for _ in 0..BATCH {
                turn += 1;
                let (responder, place) = moves[turn % moves.len()];
                roster.report(responder, place, Timestamp(FIXED_AT.0 + turn as i64));
            }
            updates.fetch_add(u64::from(BATCH), Relaxed);
        }
        // Late batches are made up for, up to a moment ago.
        due = (due + Duration::from_millis(1)).max(Instant::now() - Duration::from_millis(5));
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}
