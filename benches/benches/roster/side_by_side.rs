//! Side by side: the roster, the floor and the trees in turn, so that whatever else the machine does falls on all.

use std::time::{Duration, Instant};

use roster::Roster;

use crate::{
    city::{COMMON, City, RARE, Spread, place},
    floor::Floor,
    roster_of, serve,
    trees::{Kiddo, Rstar},
};

/// How often each has its turn; the median counts.
const ROUNDS: usize = 7;
/// Alerts a turn.
const ALERTS: usize = 4_096;

/// Prints what finding, claiming and releasing one costs, and how many times that of the floor.
pub(crate) fn print() {
    println!("nearest, claim, release in ns, median of {ROUNDS} interleaved turns of {ALERTS} alerts\n");
    println!(
        "{:>9} {:>9} {:>5} {:>6} {:>6} {:>11} {:>7} {:>7}  {:>9} {:>9} {:>9}",
        "",
        "people",
        "k",
        "skill",
        "cell",
        "floor cell",
        "roster",
        "floor",
        "to floor",
        "kiddo by",
        "rstar by"
    );
    for (spread, responders) in [
        (Spread::City, 10_000),
        (Spread::City, 100_000),
        (Spread::City, 1_000_000),
        (Spread::Town, 100_000),
        (Spread::Province, 100_000),
    ] {
        let city = City::new(spread, responders);
        let mut contestants = Contestants::new(&city);
        for (skills, limit) in [(COMMON, 1), (COMMON, 8), (RARE, 1)] {
            contestants.print(&city, skills, limit);
        }
    }
    println!();
}

struct Contestants {
    roster: Roster,
    floor: Floor,
    kiddo: Kiddo,
    rstar: Rstar,
}

impl Contestants {
    fn new(city: &City) -> Self {
        Self {
            roster: roster_of(city),
            floor: Floor::best(city),
            kiddo: Kiddo::new(city),
            rstar: Rstar::new(city),
        }
    }

    fn print(&mut self, city: &City, skills: u16, limit: usize) {
        let (mut candidates, mut found, mut ids) = (Vec::new(), Vec::new(), Vec::new());
        let mut times: [Vec<Duration>; 4] = Default::default();
        for round in 0..ROUNDS {
            let first = round * ALERTS % city.alerts.len();
            let alerts = &city.alerts[first..first + ALERTS];
            let places: Vec<_> = alerts.iter().map(|at| place(*at)).collect();
            times[0].push(time(&places, |at| {
                serve(&self.roster, at, skills, limit, &mut candidates);
            }));
            times[1].push(time(alerts, |at| self.floor.serve(at, skills, limit, &mut found)));
            times[2].push(time(alerts, |at| self.kiddo.serve(at, skills, limit, &mut ids)));
            times[3].push(time(alerts, |at| self.rstar.serve(at, skills, limit, &mut ids)));
        }
        let [roster, floor, kiddo, rstar] = times.map(median);
        println!(
            "{:>9} {:>9} {limit:>5} {:>6} {:>6} {:>11} {:>7} {:>7}  {:>9.2} {:>9.1} {:>9.1}",
            format!("{:?}", city.spread),
            city.all.len(),
            if skills == RARE { "1 %" } else { "25 %" },
            // What the rule chose, which is what it chooses again.
            self.roster.fitting_size().cell.0,
            self.floor.edge,
            roster.as_nanos(),
            floor.as_nanos(),
            ratio(roster, floor),
            ratio(kiddo, roster),
            ratio(rstar, roster),
        );
    }
}

/// The time of one, on average.
fn time<T: Copy>(all: &[T], mut one: impl FnMut(T)) -> Duration {
    let start = Instant::now();
    all.iter().for_each(|each| one(*each));
    start.elapsed() / all.len() as u32
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}
