//! The whole path: how long from a press to the offer on a helper's phone, beside the least it could take?
//!
//! Both sides run as processes of their own on this machine, one after the other, several times, so that whatever else the
//! machine does falls on both. The load is open: presses leave on time whether or not the one before was answered, and the
//! clock starts when a press should have left. `anhu` is the release binary with full incident logic; the floor does only
//! what nobody can leave out: MQTT in, one flush, a message on a gRPC stream, PUBACK. On both sides whoever is asked accepts
//! and is done at once, in two calls, each answered after a flush.
//!
//! `cargo build --release -p server && cargo bench -p benches --bench path -- --seconds 10`

#[path = "path/floor.rs"]
mod floor;
#[path = "path/sides.rs"]
mod sides;

use std::{env, time::Duration};

use benches::load;
use hdrhistogram::Histogram;

/// Presses a second: a county's bad day, and a storm.
const RATES: [u32; 3] = [100, 1000, 5000];
/// How often both sides are measured at each rate.
const ROUNDS: usize = 3;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "floor") {
        floor::run(arguments.get(1).expect("a folder")).await;
        return;
    }
    let seconds = value_of(&arguments, "--seconds").unwrap_or(5);
    let only = value_of(&arguments, "--rate");
    println!(
        "from a press to the offer on the helper's stream, {ROUNDS} rounds of {seconds} s, interleaved\n"
    );
    println!(
        "{:>9}  {:>5}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}  {:>6}",
        "per s", "", "p50 µs", "p99 µs", "p99.9 µs", "acked", "offers", "lost"
    );
    for rate in RATES.into_iter().filter(|rate| only.is_none_or(|only| only == u64::from(*rate))) {
        let mut anhu = Tally::new();
        let mut floor = Tally::new();
        for _ in 0..ROUNDS {
            anhu.add(sides::anhu(rate, Duration::from_secs(seconds)).await);
            floor.add(sides::floor(rate, Duration::from_secs(seconds)).await);
        }
        anhu.print(rate, "anhu");
        floor.print(rate, "floor");
        let ratio = |quantile| anhu.at(quantile) as f64 / floor.at(quantile).max(1) as f64;
        println!(
            "{:>9}  {:>5}  {:>8.2}  {:>8.2}  {:>8.2}\n",
            "",
            "ratio",
            ratio(0.5),
            ratio(0.99),
            ratio(0.999)
        );
        assert_eq!(anhu.lost + floor.lost, 0, "every press is answered by an offer");
    }
}

fn value_of(arguments: &[String], name: &str) -> Option<u64> {
    let at = arguments.iter().position(|argument| argument == name)?;
    arguments.get(at + 1)?.parse().ok()
}

/// What the rounds of one side at one rate have shown.
struct Tally {
    latencies: Histogram<u64>,
    lost: u64,
    acked: u64,
}

impl Tally {
    fn new() -> Self {
        Self { latencies: Histogram::new(3).expect("three digits"), lost: 0, acked: 0 }
    }

    fn add(&mut self, round: load::Round) {
        self.latencies.add(round.latencies).expect("the same shape");
        self.lost += round.lost;
        self.acked += round.acked;
    }

    fn at(&self, quantile: f64) -> u64 {
        self.latencies.value_at_quantile(quantile)
    }

    fn print(&self, rate: u32, side: &str) {
        let (p50, p99, p999) = (self.at(0.5), self.at(0.99), self.at(0.999));
        let offers = self.latencies.len();
        println!(
            "{rate:>9}  {side:>5}  {p50:>8}  {p99:>8}  {p999:>8}  {:>8}  {offers:>8}  {:>6}",
            self.acked, self.lost
        );
    }
}
