//! What happens when far more comes in than anybody can serve, or when a census is loaded, to the one who presses now?
//!
//! A hundred presses a second go on all the time, and the clock of each runs from the press to the offer on a helper's
//! stream: first with nothing beside them, then beside a flood (200 connections that send alerts and telemetry as fast as
//! they are taken, many times what comes on a city's worst day), then beside the import of a million elders. What the
//! server holds in memory is read ten times a second.
//!
//! `cargo build --release -p server && cargo bench -p benches --bench overload -- --seconds 20 --elders 1000000`

use std::{
    env, fs,
    ops::Range,
    path::Path,
    process::Command,
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
use rumqttc::{AsyncClient, Event, MqttOptions, NetworkOptions, Packet, QoS};
use tokio::sync::mpsc;

/// Presses a second that are measured.
const RATE: u32 = 100;
const RESPONDERS: u32 = 2_000;
const STREAMS: u32 = 200;
/// Connections of the flood, and how much each has under way.
const FLOOD: usize = 200;
const UNDER_WAY: u16 = 64;
/// Devices of the flood; nobody knows them, so each has its case and no helper is bound by it.
const FLOODING: usize = 5_000;
/// Elders in one file of the census.
const A_FILE: u64 = 50_000;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = env::args().collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse::<u64>().ok()
    };
    let (seconds, elders) = (value("--seconds").unwrap_or(10), value("--elders").unwrap_or(1_000_000));
    let bench = Bench::start(seconds as u32).await;

    let calm = bench.measure("with nothing beside", 0, async |_| 0).await;
    let flooded = bench.measure("beside a flood", 1, async |over| bench.flood(over).await).await;
    println!("{:>10} alerts a second of the flood were acknowledged", flooded.done / seconds);
    let begun = Instant::now();
    let loading = bench.measure("beside a census", 2, async |over| bench.census(over, elders).await).await;
    println!("{:>10} elders were entered in {:.0} s", loading.done, begun.elapsed().as_secs_f64());
    for (beside, round) in [("the flood", &flooded), ("the census", &loading)] {
        let ratio = |quantile| round.at(quantile) as f64 / calm.at(quantile).max(1) as f64;
        println!(
            "beside {beside} p50 is {:.2} and p99 {:.2} times that with nothing beside",
            ratio(0.5),
            ratio(0.99)
        );
    }
}

/// What one round has shown.
struct Round {
    pressed: load::Round,
    /// Whatever the load beside has done.
    done: u64,
}

impl Round {
    fn at(&self, quantile: f64) -> u64 {
        self.pressed.latencies.value_at_quantile(quantile)
    }
}

/// A server with a county, helpers who answer, and presses for three rounds.
struct Bench {
    folder: tempfile::TempDir,
    server: county::Process,
    http: String,
    mqtt: u16,
    presses: u32,
    offers: tokio::sync::Mutex<mpsc::UnboundedReceiver<(String, Instant)>>,
}

impl Bench {
    async fn start(seconds: u32) -> Self {
        let folder = county::data_folder();
        let presses = RATE * seconds;
        let county = County { responders: RESPONDERS, near: STREAMS, devices: 3 * presses };
        let (server, http, mqtt) = county::serve(folder.path());
        county.import(&http, folder.path());
        county.on_duty(county::connect(&http).await).await;
        let (sender, offers) = mpsc::unbounded_channel();
        county::watch_all(&http, STREAMS, &sender, Some(Duration::ZERO)).await;
        Self { folder, server, http, mqtt, presses, offers: tokio::sync::Mutex::new(offers) }
    }

    /// Presses and measures while `beside` goes on, until the presses are over or `beside` is.
    async fn measure(&self, what: &str, round: u32, beside: impl AsyncFn(Arc<AtomicBool>) -> u64) -> Round {
        let presses: Range<u32> = round * self.presses..(round + 1) * self.presses;
        let before = self.resident_mib();
        let (over, peak) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(before)));
        let ends = Instant::now() + Duration::from_secs((self.presses / RATE).into());
        let watching = async {
            while !over.load(Ordering::Relaxed) {
                peak.fetch_max(self.resident_mib(), Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let pressing = async {
            let mut offers = self.offers.lock().await;
            let collecting = load::collect(&mut offers, self.presses, ends);
            let both = tokio::join!(load::press(self.mqtt, RATE, presses), collecting);
            over.store(true, Ordering::Relaxed);
            both
        };
        let ((pressed, offers), done, ()) = tokio::join!(pressing, beside(Arc::clone(&over)), watching);
        let latest = 2 * offers.len() + 2 * FLOODING;
        let device_of = county::devices(county::connect(&self.http).await, latest).await;
        let round = Round { pressed: load::evaluate(&pressed, &offers, &device_of), done };
        println!(
            "{what}: p50 {} µs, p99 {} µs, p99.9 {} µs, {} pressed, {} acknowledged, {} without an offer; memory {before} MiB before, {} at most, {} after",
            round.at(0.5),
            round.at(0.99),
            round.at(0.999),
            self.presses,
            round.pressed.acked,
            round.pressed.lost,
            peak.load(Ordering::Relaxed),
            self.resident_mib(),
        );
        round
    }

    /// Sends as fast as it is taken, and returns how many alerts were acknowledged.
    async fn flood(&self, over: Arc<AtomicBool>) -> u64 {
        let acked = Arc::new(AtomicU64::new(0));
        let mut flood = tokio::task::JoinSet::new();
        for number in 0..FLOOD {
            flood.spawn(pour(self.mqtt, number, Arc::clone(&acked)));
        }
        while !over.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        flood.shutdown().await;
        acked.load(Ordering::Relaxed)
    }

    /// Imports so many elders, however long it takes, and returns how many.
    async fn census(&self, _: Arc<AtomicBool>, elders: u64) -> u64 {
        let (folder, http) = (self.folder.path().to_owned(), self.http.clone());
        let entered = tokio::task::spawn_blocking(move || {
            (0..elders)
                .step_by(A_FILE as usize)
                .map(|first| enter(&folder, &http, first..elders.min(first + A_FILE)))
                .sum()
        });
        entered.await.expect("a census")
    }

    fn resident_mib(&self) -> u64 {
        usage::resident_mib(self.server.0.id())
    }
}

fn enter(folder: &Path, http: &str, elders: Range<u64>) -> u64 {
    let mut text = "external_id,name,org_unit,phone,address,latitude,longitude\n".to_owned();
    for number in elders.clone() {
        let (north, east) = (33.0 + (number % 1000) as f64 * 0.0005, 118.0 + (number / 1000) as f64 * 0.0005);
        text += &format!(
            "C-{number},陈桂英{number},999901,1380000{number:07},永福东路 {number} 号,{north:.5},{east:.5}\n"
        );
    }
    let path = folder.join("census.csv");
    fs::write(&path, text).expect("a file");
    let done =
        Command::new(county::binary()).args(["import", "elders"]).arg(path).args(["--server", http]).output();
    let done = done.expect("anhu runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    elders.end - elders.start
}

/// One connection of the flood: an alert and a reading, again and again.
async fn pour(port: u16, number: usize, acked: Arc<AtomicU64>) {
    let mut options = MqttOptions::new(format!("flood-{number}"), "127.0.0.1", port);
    options.set_inflight(UNDER_WAY);
    let (client, mut events) = AsyncClient::new(options, UNDER_WAY.into());
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    events.set_network_options(network);
    let pouring = async {
        for round in number.. {
            let device = format!("flood-{}", round * 7919 % FLOODING);
            let reading = r#"{"readings":[{"name":"heart_rate","value":72,"unit":"bpm"}]}"#;
            let alert = r#"{"kind":"smoke"}"#;
            let _ =
                client.publish(format!("anhu/v1/{device}/telemetry"), QoS::AtMostOnce, false, reading).await;
            let _ = client.publish(format!("anhu/v1/{device}/alert"), QoS::AtLeastOnce, false, alert).await;
        }
    };
    let counting = async {
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::PubAck(_))) => {
                    acked.fetch_add(1, Ordering::Relaxed);
                }
                Ok(_) => {}
                // Connections that are closed because an acknowledgement is late come again, as devices do.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    };
    tokio::join!(pouring, counting);
}
