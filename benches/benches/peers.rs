//! The peers: Anhu beside what one would build of Mosquitto, a script and PostgreSQL with PostGIS.
//!
//! All sides run on this machine at the same time, with 100,000 responders each, and are pressed one after the other by
//! the same load; so whatever else the machine does falls on all. The clock starts when a press should have left, and stops
//! when the offer is received: on the helper's gRPC stream, or from the broker. `benches/peers/README.md` says what is
//! fair about it and what is not. `make peers` installs what is needed and runs it.

#[path = "peers/figure.rs"]
mod figure;
#[path = "peers/side.rs"]
mod side;
#[path = "peers/stack.rs"]
mod stack;

use std::{env, fs, time::Duration};

use benches::county::County;
use hdrhistogram::Histogram;

use side::{IN_TIME, Side, keeps_up};
use stack::Script;

const RESPONDERS: u32 = 100_000;
/// Responders who live among the elders; those of Anhu have a stream each.
const NEAR: u32 = 500;
/// Presses a second: a county's bad day, a storm, and more than any county has.
const RATES: [u32; 3] = [100, 1_000, 2_500];
/// Anhu calls for a supervisor a minute after a press that no operator has taken, and the peers work off what has piled up:
/// nothing of an earlier storm is measured.
const REST: Duration = Duration::from_secs(75);
/// Where the search for the highest sustained rate begins, and by how much it climbs.
const CLIMB: (f64, f64) = (50.0, 1.4);
const CLIMB_LENGTH: Duration = Duration::from_secs(4);
/// More than this is not looked for.
const SUMMIT: u32 = 25_000;
const KILLED_AT_RATE: u32 = 1_000;
const KILLED_AFTER: Duration = Duration::from_secs(3);

/// What one side has shown.
struct Outcome {
    name: &'static str,
    rates: Vec<AtRate>,
    sustained: u32,
    acked: usize,
    lost: usize,
    /// It could not keep up, and is not asked for more.
    is_drowned: bool,
}

struct AtRate {
    rate: u32,
    p50: u64,
    p99: u64,
    unanswered: u64,
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let number = |name: &str, default: u32| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(default)
    };
    let (seconds, rounds, kills) = (number("--seconds", 10), number("--rounds", 3), number("--kills", 3));
    let highest = f64::from(number("--summit", SUMMIT));
    let length = Duration::from_secs(u64::from(seconds));
    let climb: f64 = steps(highest).iter().map(|rate| rate * CLIMB_LENGTH.as_secs_f64()).sum();
    let killed = kills * KILLED_AT_RATE * KILLED_AFTER.as_secs() as u32 * 2;
    let devices = RATES.iter().sum::<u32>() * seconds * rounds + climb as u32 + killed + 1000;
    let county = County { responders: RESPONDERS, near: NEAR, devices };
    eprintln!("{devices} elders, {RESPONDERS} responders: a few minutes to enter them");
    let mut sides = vec![
        Side::anhu(county).await,
        Side::peer(Script::Node, county).await,
        Side::peer(Script::Python, county).await,
    ];
    let mut outcomes = latencies(&mut sides, length, rounds).await;
    tokio::time::sleep(REST).await;
    for (side, outcome) in sides.iter_mut().zip(&mut outcomes) {
        outcome.sustained = sustained(side, highest).await;
        eprintln!("{}: {} alerts a second sustained", side.name, outcome.sustained);
    }
    tokio::time::sleep(REST).await;
    for (side, outcome) in sides.iter_mut().zip(&mut outcomes) {
        for _ in 0..kills {
            let (acked, lost) = side.killed(KILLED_AT_RATE, KILLED_AFTER).await;
            eprintln!("{}: killed, {acked} acknowledged, {lost} lost", side.name);
            (outcome.acked, outcome.lost) = (outcome.acked + acked, outcome.lost + lost);
        }
    }
    print(&outcomes);
    let figure = format!("{}/../docs/peers.svg", env!("CARGO_MANIFEST_DIR"));
    fs::write(&figure, figure::draw(&outcomes, &RATES)).expect("the figure");
    println!("\nThe figure is in docs/peers.svg.");
}

/// All sides at all rates, one after the other in each round. A side that cannot keep up is not asked for more.
async fn latencies(sides: &mut [Side], length: Duration, rounds: u32) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = sides
        .iter()
        .map(|side| Outcome {
            name: side.name,
            rates: Vec::new(),
            sustained: 0,
            acked: 0,
            lost: 0,
            is_drowned: false,
        })
        .collect();
    for rate in RATES {
        let mut tallies: Vec<(Histogram<u64>, u64)> =
            sides.iter().map(|_| (Histogram::new(3).expect("three digits"), 0)).collect();
        for _ in 0..rounds {
            for ((side, outcome), tally) in sides.iter_mut().zip(&outcomes).zip(&mut tallies) {
                if outcome.is_drowned {
                    continue;
                }
                let round = side.round(rate, length).await;
                tally.0.add(round.latencies).expect("the same shape");
                tally.1 += round.lost;
            }
        }
        for (outcome, (latencies, unanswered)) in outcomes.iter_mut().zip(tallies) {
            if !latencies.is_empty() || unanswered > 0 {
                let (p50, p99) = (latencies.value_at_quantile(0.5), latencies.value_at_quantile(0.99));
                eprintln!(
                    "{} at {rate}/s: p50 {p50} µs, p99 {p99} µs, {unanswered} unanswered",
                    outcome.name
                );
                outcome.is_drowned = unanswered > 0 || p99 > IN_TIME;
                outcome.rates.push(AtRate { rate, p50, p99, unanswered });
            }
        }
    }
    outcomes
}

fn steps(highest: f64) -> Vec<f64> {
    std::iter::successors(Some(CLIMB.0), |rate| Some(rate * CLIMB.1))
        .take_while(|rate| *rate <= highest)
        .collect()
}

/// The highest rate at which every press is answered and 99 of 100 within a second.
async fn sustained(side: &mut Side, highest: f64) -> u32 {
    let mut reached = 0;
    for rate in steps(highest) {
        let round = side.round(rate as u32, CLIMB_LENGTH).await;
        eprintln!("{}: {rate:.0}/s, {} acknowledged, {} unanswered", side.name, round.acked, round.lost);
        if !keeps_up(&round) {
            break;
        }
        reached = rate as u32;
    }
    reached
}

fn print(outcomes: &[Outcome]) {
    let mut head = "| | ".to_owned();
    head.extend(RATES.iter().map(|rate| format!("{rate}/s p50 / p99, ms | ")));
    println!("{head}sustained/s | acked, then lost by kill -9 |");
    println!("|---|{}---|---|", "---|".repeat(RATES.len()));
    let ms = |micros: u64| format!("{:.1}", micros as f64 / 1000.0);
    for outcome in outcomes {
        let mut line = format!("| {} | ", outcome.name);
        for rate in RATES {
            line += &match outcome.rates.iter().find(|found| found.rate == rate) {
                None => "– | ".to_owned(),
                Some(found) if found.unanswered > 0 => {
                    format!("{} / {} ({} not in time) | ", ms(found.p50), ms(found.p99), found.unanswered)
                }
                Some(found) => format!("{} / {} | ", ms(found.p50), ms(found.p99)),
            };
        }
        println!("{line}{} | {} of {} |", outcome.sustained, outcome.lost, outcome.acked);
    }
}
