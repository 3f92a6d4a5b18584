//! The soak: a city on an ordinary day, for as long as told, and a picture of what it cost.
//!
//! 200,000 homes with a device, a thousand readings and five hundred positions a second, twenty presses a second (many
//! hundred times what a city of that size has), helpers who accept and are done after four seconds, fifty consoles of which
//! one takes, closes and clocks every incident and one reads nothing for as long as it lasts. The clock of each press runs
//! from when it should have left to the offer on a helper's stream, and to the operator's screen.
//!
//! `cargo build --release -p server && cargo bench -p benches --bench soak -- --minutes 60 --picture docs/soak.svg`

#[path = "soak/picture.rs"]
mod picture;
#[path = "soak/town.rs"]
mod town;

use std::{
    collections::HashMap,
    env, fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use benches::{
    county::{self, County},
    load, usage,
};
use hdrhistogram::Histogram;
use tokio::sync::mpsc;

const RESPONDERS: u32 = 5_000;
/// Those who are near, and watch.
const STREAMS: u32 = 400;
/// How long somebody is with an elder.
const VISIT: Duration = Duration::from_secs(4);
/// How often memory is read and latencies are summed up.
const WINDOW: Duration = Duration::from_secs(10);
/// How long the last offers may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What ten seconds have shown. Latencies in microseconds, from the press.
#[derive(Debug, Clone)]
struct Window {
    /// Since the soak began.
    at: Duration,
    offer: Histogram<u64>,
    screen: Histogram<u64>,
    resident_mib: u64,
    /// Of one core, per cent.
    cpu: f64,
    /// Everything in the data folder.
    disk_mib: u64,
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = env::args().collect();
    let word = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let number =
        |name: &str, default: u32| word(name).map_or(default, |word| word.parse().expect("a number"));
    let length = Duration::from_secs(60 * u64::from(number("--minutes", 60)));
    let (rate, homes) = (number("--presses", 20), number("--homes", 200_000));
    let presses = rate * length.as_secs() as u32;
    assert!(presses <= homes, "each home presses once: --homes {presses} or more");
    let load = town::Load {
        homes,
        readings: number("--readings", 1_000),
        positions: number("--positions", 500),
        responders: RESPONDERS,
    };

    let folder = county::data_folder();
    let county = County { responders: RESPONDERS, near: STREAMS, devices: homes };
    let (server, http, mqtt) = county::serve(folder.path());
    eprintln!("entering {homes} homes");
    county.import(&http, folder.path());
    county.on_duty(county::connect(&http).await).await;
    let (offered, offers) = mpsc::unbounded_channel();
    county::watch_all(&http, STREAMS, &offered, VISIT).await;
    let screen = town::consoles(&http).await;
    town::live(&http, mqtt, load).await;

    let watched = Watched { process: server.0.id(), data: folder.path().join("data") };
    let ready = load::ready(mqtt, 0).await;
    let began = Instant::now();
    let pressing = tokio::spawn(load::press_from(began, ready, rate, 0..presses));
    let windows = observe(&watched, offers, screen, (began, rate, began + length)).await;
    let pressed = pressing.await.expect("presses");
    let picture = word("--picture").map_or_else(|| PathBuf::from("soak.svg"), PathBuf::from);
    picture::draw(&picture, &windows).expect("a picture");
    report(&windows, presses, pressed.acked().count());
    println!("drawn: {}", picture.display());
}

/// The server, seen from outside.
struct Watched {
    process: u32,
    data: PathBuf,
}

fn mib_in(folder: &Path) -> u64 {
    fn bytes_in(folder: &Path) -> u64 {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries
            .map(|entry| match entry.metadata() {
                Ok(found) if found.is_dir() => bytes_in(&entry.path()),
                Ok(found) => found.len(),
                Err(_) => 0,
            })
            .sum()
    }
    bytes_in(folder) >> 20
}

/// Takes down what comes, window by window, until `ends` and the last offers are there. Press number n is of device n.
async fn observe(
    watched: &Watched,
    mut offers: mpsc::UnboundedReceiver<(String, Instant)>,
    mut screen: mpsc::UnboundedReceiver<town::Seen>,
    (began, rate, ends): (Instant, u32, Instant),
) -> Vec<Window> {
    let mut windows: Vec<Window> = Vec::new();
    let mut joined = Joined::new(began, rate);
    let mut worked = usage::worked_seconds(watched.process);
    let mut next = began + WINDOW;
    loop {
        tokio::select! {
            Some((incident, at)) = offers.recv() => joined.offer(incident, at),
            Some(seen) = screen.recv() => joined.see(seen),
            () = tokio::time::sleep_until(next.into()) => {
                let now = usage::worked_seconds(watched.process);
                let (offer, screen) = joined.take();
                let window = Window {
                    at: next - began,
                    offer,
                    screen,
                    resident_mib: usage::resident_mib(watched.process),
                    cpu: (now - worked) / WINDOW.as_secs_f64() * 100.0,
                    disk_mib: mib_in(&watched.data),
                };
                if windows.len() % 6 == 5 {
                    window.tell();
                }
                worked = now;
                windows.push(window);
                next += WINDOW;
                if Instant::now() > ends + PATIENCE {
                    return windows;
                }
            }
        }
    }
}

impl Window {
    fn tell(&self) {
        eprintln!(
            "{:>4} min  p50 {:>6} µs  p99 {:>7} µs  memory {:>5} MiB  processor {:>3.0} %",
            self.at.as_secs() / 60,
            self.offer.value_at_quantile(0.5),
            self.offer.value_at_quantile(0.99),
            self.resident_mib,
            self.cpu
        );
    }
}

/// Presses, offers and the screen, joined by the incident, whichever comes first.
struct Joined {
    began: Instant,
    rate: u32,
    offer: Histogram<u64>,
    screen: Histogram<u64>,
    /// By incident: when its press should have left, and when the first offer came.
    pressed: HashMap<String, Instant>,
    offered: HashMap<String, Instant>,
}

impl Joined {
    fn new(began: Instant, rate: u32) -> Self {
        let (pressed, offered) = (HashMap::new(), HashMap::new());
        Self { began, rate, offer: histogram(), screen: histogram(), pressed, offered }
    }

    fn offer(&mut self, incident: String, at: Instant) {
        match self.pressed.remove(&incident) {
            Some(due) => record(&mut self.offer, due, at),
            None => {
                self.offered.entry(incident).or_insert(at);
            }
        }
    }

    fn see(&mut self, seen: town::Seen) {
        let due = load::due(self.began, self.rate, seen.press);
        record(&mut self.screen, due, seen.at);
        match self.offered.remove(&seen.incident) {
            Some(at) => record(&mut self.offer, due, at),
            None => {
                self.pressed.insert(seen.incident, due);
            }
        }
    }

    /// What was joined since the last time. Offers of incidents whose first was counted are let go.
    fn take(&mut self) -> (Histogram<u64>, Histogram<u64>) {
        let now = Instant::now();
        self.offered.retain(|_, at| now - *at < PATIENCE);
        (std::mem::replace(&mut self.offer, histogram()), std::mem::replace(&mut self.screen, histogram()))
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new(3).expect("three digits")
}

fn record(into: &mut Histogram<u64>, due: Instant, at: Instant) {
    let micros = at.saturating_duration_since(due).as_micros();
    into.record(u64::try_from(micros).unwrap_or(u64::MAX)).expect("within range");
}

/// All windows in a few lines. The first fifth is left out of what memory grew by: caches fill then.
fn report(windows: &[Window], presses: u32, acked: usize) {
    let (mut offer, mut screen) = (histogram(), histogram());
    for window in windows {
        offer.add(&window.offer).expect("the same shape");
        screen.add(&window.screen).expect("the same shape");
    }
    for (what, all) in [("press to offer", &offer), ("press to screen", &screen)] {
        println!(
            "{what}: {} of {presses}, p50 {} µs, p99 {} µs, p99.9 {} µs, longest {} µs",
            all.len(),
            all.value_at_quantile(0.5),
            all.value_at_quantile(0.99),
            all.value_at_quantile(0.999),
            all.max()
        );
    }
    let mean = |part: &[Window]| {
        part.iter().map(|window| window.resident_mib).sum::<u64>() / part.len().max(1) as u64
    };
    let fifth = windows.len() / 5;
    println!(
        "memory: {} MiB in the second fifth, {} MiB in the last; disk {} MiB",
        mean(&windows[fifth..2 * fifth]),
        mean(&windows[windows.len() - fifth..]),
        windows.last().map_or(0, |window| window.disk_mib)
    );
    println!("{acked} of {presses} acknowledged");
    assert_eq!((offer.len(), screen.len()), (presses.into(), presses.into()), "each is offered and shown");
}
