//! A side of the comparison: Anhu, or what one would build otherwise. Pressed, watched, killed and asked the same way.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    time::{Duration, Instant},
};

use benches::{
    county::{self, County, Process, connect, data_folder, devices, serve},
    load::{self, Round},
};
use tokio::sync::mpsc;
use tonic::transport::Channel;

use crate::stack::{self, Script, Stack};

/// How long after a restart everything that was kept must have been worked on.
const SETTLES_WITHIN: Duration = Duration::from_secs(60);
/// Nothing new for so long: it has settled.
const SETTLED: Duration = Duration::from_secs(3);

/// Longest that one press in a hundred may wait for its offer at a rate that is sustained, in microseconds.
pub(crate) const IN_TIME: u64 = 1_000_000;

/// Whether every press was answered, and 99 of 100 within a second.
pub(crate) fn keeps_up(round: &Round) -> bool {
    round.lost == 0 && round.latencies.value_at_quantile(0.99) <= IN_TIME
}

/// One of them, running.
pub(crate) struct Side {
    pub(crate) name: &'static str,
    system: System,
    port: u16,
    offers: mpsc::UnboundedReceiver<(String, Instant)>,
    /// The first device that was not pressed yet: each is pressed once.
    next: u32,
    near: u32,
    /// The last round was too much: what is left of it must be done before the next.
    is_behind: bool,
}

enum System {
    Anhu { process: Option<Process>, folder: tempfile::TempDir, channel: Channel },
    Peer(Stack),
}

impl Side {
    pub(crate) async fn anhu(county: County) -> Self {
        let folder = data_folder();
        let (process, http, port) = serve(folder.path());
        county.import(&http, folder.path());
        let channel = connect(&http).await;
        county.on_duty(channel.clone()).await;
        let (sender, offers) = mpsc::unbounded_channel();
        county::watch_all(&http, county.near, &sender, Duration::ZERO).await;
        let system = System::Anhu { process: Some(process), folder, channel };
        Self { name: "Anhu", system, port, offers, next: 0, near: county.near, is_behind: false }
    }

    pub(crate) async fn peer(script: Script, county: County) -> Self {
        let stack = Stack::new(script, county);
        let (sender, offers) = mpsc::unbounded_channel();
        stack::watch_all(stack.port, &sender).await;
        let name = match script {
            Script::Node => "Mosquitto + Node + PostGIS",
            Script::Python => "Mosquitto + Python + PostGIS",
        };
        let (port, system) = (stack.port, System::Peer(stack));
        Self { name, system, port, offers, next: 0, near: county.near, is_behind: false }
    }

    /// Presses at `rate` for `length` and waits for the offers.
    pub(crate) async fn round(&mut self, rate: u32, length: Duration) -> Round {
        self.catch_up().await;
        while self.offers.try_recv().is_ok() {}
        let presses = self.fresh((f64::from(rate) * length.as_secs_f64()) as u32);
        let count = presses.end - presses.start;
        let collecting = load::collect(&mut self.offers, count, Instant::now() + length);
        let (pressed, offers) = tokio::join!(load::press(self.port, rate, presses), collecting);
        let device_of = match &self.system {
            System::Anhu { channel, .. } => devices(channel.clone(), count as usize + 1000).await,
            System::Peer(_) => offers.keys().map(|device| (device.clone(), device.clone())).collect(),
        };
        let round = load::evaluate(&pressed, &offers, &device_of);
        self.is_behind = !keeps_up(&round);
        round
    }

    async fn catch_up(&mut self) {
        if std::mem::take(&mut self.is_behind) {
            self.settled().await;
        }
    }

    /// Presses at `rate`, kills everything on the server's side after `length`, starts it again on its disk, and
    /// returns how many presses had been acknowledged and how many of these are gone.
    pub(crate) async fn killed(&mut self, rate: u32, length: Duration) -> (usize, usize) {
        self.catch_up().await;
        let presses = self.fresh((f64::from(rate) * length.as_secs_f64() * 2.0) as u32);
        let pressing = tokio::spawn(load::press(self.port, rate, presses));
        // Opening the connections takes a moment as well.
        tokio::time::sleep(length + Duration::from_secs(1)).await;
        match &mut self.system {
            System::Anhu { process, .. } => drop(process.take()),
            System::Peer(stack) => stack.kill(),
        }
        // Acknowledgements that were on their way have come; presses go on in vain.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let pressed = pressing.await.expect("the devices");
        let acked: HashSet<String> = pressed.acked().cloned().collect();
        drop(pressed);
        self.restart().await;
        let kept = self.settled().await;
        (acked.len(), acked.iter().filter(|device| !kept.contains(*device)).count())
    }

    async fn restart(&mut self) {
        let (sender, offers) = mpsc::unbounded_channel();
        match &mut self.system {
            System::Anhu { process, folder, channel } => {
                let (again, http, port) = serve(folder.path());
                (*process, *channel, self.port) = (Some(again), connect(&http).await, port);
                county::watch_all(&http, self.near, &sender, Duration::ZERO).await;
            }
            System::Peer(stack) => {
                stack.restart();
                stack::watch_all(stack.port, &sender).await;
            }
        }
        self.offers = offers;
    }

    /// The devices of which there is an alert, once no more come.
    async fn settled(&self) -> HashSet<String> {
        let (began, mut last, mut since) = (Instant::now(), HashSet::new(), Instant::now());
        while since.elapsed() < SETTLED && began.elapsed() < SETTLES_WITHIN {
            let now: HashSet<String> = match &self.system {
                System::Anhu { channel, .. } => {
                    let found: HashMap<String, String> = devices(channel.clone(), usize::MAX).await;
                    found.into_values().collect()
                }
                System::Peer(stack) => stack.devices().into_iter().collect(),
            };
            if now.len() != last.len() {
                (last, since) = (now, Instant::now());
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        last
    }

    fn fresh(&mut self, count: u32) -> Range<u32> {
        self.next += count;
        self.next - count..self.next
    }
}
