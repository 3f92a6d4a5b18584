//! What happens to the one who presses now when far more comes in than anybody can serve, when a census is loaded, or when
//! nobody reads what the server sends?
//!
//! A hundred presses a second go on all the time, and the clock of each runs from the press to the offer on a helper's
//! stream: first with nothing beside them, then beside one load after the other. What the server holds in memory is read ten
//! times a second.
//!
//! | `--beside` | what goes on |
//! |---|---|
//! | `consoles` | 50 consoles and 50 apps read nothing, 50 consoles read ten messages a second; the clock also runs to 50 screens that are read, whose own calm is measured before |
//! | `flood` | 200 connections send alerts and telemetry as fast as they are taken, many times what comes on a city's worst day |
//! | `arrivals` | 50 consoles come at once, when 10,000 cases of 5 alerts each are open |
//! | `loud` | one device sends a thousand alerts and a thousand readings a second on one connection |
//! | `duplicates` | 200 connections send the same eight presses again and again |
//! | `stale` | 200 connections send alerts that occurred three hours ago, each another one |
//! | `census` | a million elders are imported |
//!
//! `cargo build --release -p server && cargo bench -p benches --bench overload -- --seconds 20 --elders 1000000 --beside flood,census`

#[path = "overload/census.rs"]
mod census;
#[path = "overload/consoles.rs"]
mod consoles;
#[path = "overload/flood.rs"]
mod flood;

use std::{
    collections::HashMap,
    env,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use benches::{
    county::{self, County},
    load, usage,
};
use consoles::{DEAD, HEALTHY, Neglected, SLOW, Screens};
use flood::{CASES, Flood, STALE, STRANGERS};
use hdrhistogram::Histogram;
use tokio::sync::mpsc;

/// Presses a second that are measured.
const RATE: u32 = 100;
const RESPONDERS: u32 = 2_000;
const STREAMS: u32 = 200;
/// Rounds at most: the calm one, one for each load, and the calm one of the screens.
const ROUNDS: u32 = 2 + BESIDE.len() as u32;
/// What may go on beside the presses.
const BESIDE: [&str; 7] = ["consoles", "arrivals", "loud", "flood", "duplicates", "stale", "census"];

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = env::args().collect();
    let word = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).map(String::as_str)
    };
    let number = |name: &str, default| word(name).map_or(default, |word| word.parse().expect("a number"));
    let (seconds, elders) = (number("--seconds", 10), number("--elders", 1_000_000));
    let chosen: Vec<&str> =
        word("--beside").map_or_else(|| BESIDE.to_vec(), |word| word.split(',').collect());
    assert!(chosen.iter().all(|one| BESIDE.contains(one)), "--beside takes some of {}", BESIDE.join(","));

    let mut bench = Bench::start(seconds as u32).await;
    let calm = bench.measure("with nothing beside", async |_| 0).await;
    for beside in chosen {
        let (port, stale) = (bench.mqtt, ROUNDS * bench.presses);
        match beside {
            "flood" => bench.flooded("a flood", Flood::Everything, port, &calm).await,
            "loud" => bench.flooded("a loud device", Flood::Loud, port, &calm).await,
            "duplicates" => bench.flooded("duplicates", Flood::Duplicates, port, &calm).await,
            "stale" => bench.flooded("stale alerts", Flood::Stale(stale), port, &calm).await,
            "consoles" => bench.neglected(&calm).await,
            "arrivals" => bench.arriving(&calm).await,
            _ => bench.counted(elders, &calm).await,
        }
    }
}

/// What one round has shown.
struct Round {
    pressed: load::Round,
    /// When each press should have left.
    due: HashMap<String, Instant>,
    /// Whatever the load beside has done.
    done: u64,
}

fn compare(what: &str, calm: &Histogram<u64>, round: &Histogram<u64>) {
    let ratio =
        |quantile| round.value_at_quantile(quantile) as f64 / calm.value_at_quantile(quantile).max(1) as f64;
    println!("{what}: p50 is {:.2} and p99 {:.2} times that with nothing beside\n", ratio(0.5), ratio(0.99));
}

/// A server with a county, helpers who answer, and presses for all rounds.
struct Bench {
    folder: tempfile::TempDir,
    server: county::Process,
    http: String,
    mqtt: u16,
    /// In each round.
    presses: u32,
    /// Rounds so far: each has devices of its own.
    rounds: u32,
    offers: mpsc::UnboundedReceiver<(String, Instant)>,
}

impl Bench {
    async fn start(seconds: u32) -> Self {
        let folder = county::data_folder();
        let presses = RATE * seconds;
        let county = County { responders: RESPONDERS, near: STREAMS, devices: ROUNDS * presses + STALE };
        let (server, http, mqtt) = county::serve(folder.path());
        county.import(&http, folder.path());
        county.on_duty(county::connect(&http).await).await;
        let (sender, offers) = mpsc::unbounded_channel();
        county::watch_all(&http, STREAMS, &sender, Duration::ZERO).await;
        Self { folder, server, http, mqtt, presses, rounds: 0, offers }
    }

    async fn flooded(&mut self, what: &str, flood: Flood, port: u16, calm: &Round) {
        let beside = format!("beside {what}");
        let round = self.measure(&beside, async |over| flood.pour(port, over).await).await;
        let seconds = u64::from(self.presses / RATE);
        println!("{:>10} alerts a second of it were acknowledged", round.done / seconds);
        compare(&beside, &calm.pressed.latencies, &round.pressed.latencies);
    }

    async fn neglected(&mut self, calm: &Round) {
        let mut screens = Screens::open(&self.http).await;
        let alone = self.measure(&format!("beside {HEALTHY} consoles"), async |_| 0).await;
        let shown = screens.latencies(&alone.due).await;
        compare("beside them", &calm.pressed.latencies, &alone.pressed.latencies);
        let neglected = Neglected::open(&self.http).await;
        let what = format!("and {DEAD} dead consoles, {DEAD} dead apps, {SLOW} slow consoles");
        let round = self.measure(&what, async |_| 0).await;
        compare("beside all of them", &calm.pressed.latencies, &round.pressed.latencies);
        let shown_beside = screens.latencies(&round.due).await;
        for (which, screen) in [("without the dead", &shown), ("with the dead", &shown_beside)] {
            let at = |quantile| screen.value_at_quantile(quantile);
            println!(
                "press to screen {which}: p50 {} µs, p99 {} µs, longest {} µs",
                at(0.5),
                at(0.99),
                screen.max()
            );
        }
        compare("on the screens, beside the dead and the slow", &shown, &shown_beside);
        drop((neglected, screens));
    }

    async fn arriving(&mut self, calm: &Round) {
        flood::open_cases(self.mqtt).await;
        let (http, server) = (self.http.clone(), self.server.0.id());
        let worked = usage::worked_seconds(server);
        let what = format!("beside {HEALTHY} consoles that come at once");
        let round = self
            .measure(&what, async |_| {
                // On threads of their own, so that what they read does not hold up the helpers' streams in this program.
                let http = http.clone();
                let arriving = tokio::task::spawn_blocking(move || {
                    let began = Instant::now();
                    let threads = tokio::runtime::Runtime::new().expect("threads");
                    drop(threads.block_on(Screens::open(&http)));
                    began.elapsed().as_millis() as u64
                });
                arriving.await.expect("they came")
            })
            .await;
        let worked = usage::worked_seconds(server) - worked;
        println!(
            "{:>10} ms until each of them shows everything, {worked:.1} s of the server's work",
            round.done
        );
        compare(&what, &calm.pressed.latencies, &round.pressed.latencies);
    }

    async fn counted(&mut self, elders: u64, calm: &Round) {
        let (begun, folder, http) = (Instant::now(), self.folder.path().to_owned(), self.http.clone());
        let round =
            self.measure("beside a census", async |_| census::census(&folder, &http, elders).await).await;
        println!("{:>10} elders were entered in {:.0} s", round.done, begun.elapsed().as_secs_f64());
        compare("beside a census", &calm.pressed.latencies, &round.pressed.latencies);
    }

    /// Presses and measures while `beside` goes on, until the presses are over or `beside` is.
    async fn measure(&mut self, what: &str, beside: impl AsyncFn(Arc<AtomicBool>) -> u64) -> Round {
        let presses: Range<u32> = self.rounds * self.presses..(self.rounds + 1) * self.presses;
        self.rounds += 1;
        let (server, count, mqtt) = (self.server.0.id(), self.presses, self.mqtt);
        let before = usage::resident_mib(server);
        let (over, peak) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(before)));
        let ends = Instant::now() + Duration::from_secs((count / RATE).into());
        let watching = async {
            while !over.load(Ordering::Relaxed) {
                peak.fetch_max(usage::resident_mib(server), Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let pressing = async {
            let collecting = load::collect(&mut self.offers, count, ends);
            let both = tokio::join!(load::press(mqtt, RATE, presses), collecting);
            over.store(true, Ordering::Relaxed);
            both
        };
        let ((pressed, offers), done, ()) = tokio::join!(pressing, beside(Arc::clone(&over)), watching);
        let latest = 2 * offers.len() + 2 * STRANGERS + CASES;
        let device_of = county::devices(county::connect(&self.http).await, latest).await;
        let round = load::evaluate(&pressed, &offers, &device_of);
        let at = |quantile| round.latencies.value_at_quantile(quantile);
        println!(
            "{what}: p50 {} µs, p99 {} µs, p99.9 {} µs, {count} pressed, {} acknowledged, {} without an offer; memory {before} MiB before, {} at most, {} after",
            at(0.5),
            at(0.99),
            at(0.999),
            round.acked,
            round.lost,
            peak.load(Ordering::Relaxed),
            usage::resident_mib(server),
        );
        Round { pressed: round, due: pressed.due, done }
    }
}
