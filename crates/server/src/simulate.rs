//! Simulation: people and devices that play with a server, through its public doors only.
//!
//! `anhu simulate` and `anhu demo` use the same players: responders with an app, an operator at the hotline, and the
//! devices of an invented [`County`].

mod gadgets;
mod ledger;
pub(crate) mod life;
pub(crate) mod load;
pub(crate) mod narrator;
mod operator;
mod people;
mod registration;
pub(crate) mod report;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use indicatif::ProgressBar;
use tokio::sync::mpsc;
use tonic::Status;

use crate::{
    client::{Channel, Server},
    county::{County, DEVICE_PREFIX},
};

pub(crate) use gadgets::{Fleet, Message};
pub(crate) use ledger::Ledger;
pub(crate) use registration::register;

use operator::Hotline;
use people::Crowd;
use report::Summary;

/// How long everybody may take to get in.
const GATHERING: Duration = Duration::from_secs(60);
/// How long everything that was sent may take to be acknowledged and seen after the last alert.
const RECEIVING: Duration = Duration::from_secs(15);
/// How long after that everything may take to be offered: when there are more alerts than helpers, it never is.
const OFFERING: Duration = Duration::from_secs(3);
/// How often it is asked whether everything has come in.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Pause before something that failed is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// Where a server is, and what opens it.
#[derive(Debug, Clone)]
pub(crate) struct Doors {
    pub(crate) server: Server,
    /// Host and port of the front door.
    pub(crate) mqtt: (String, u16),
}

/// How many times faster than in life people are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tempo {
    /// Until somebody answers, at the hotline and in the field.
    pub(crate) answers: f64,
    /// On the way and on the scene.
    pub(crate) field: f64,
}

impl Tempo {
    /// Everybody answers and finishes at once, and nobody declines: for load.
    pub(crate) const AT_ONCE: Self = Self { answers: f64::INFINITY, field: f64::INFINITY };

    fn answer(self, seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds / self.answers)
    }

    fn work(self, seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds / self.field)
    }

    fn is_at_once(self) -> bool {
        self.answers.is_infinite()
    }
}

/// Tells once that somebody is at their place, or why they could not be.
type Arrival = mpsc::Sender<Result<(), Status>>;

/// Everybody who plays.
pub(crate) struct Play {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) fleet: Fleet,
    hotline: Hotline,
    crowd: Crowd,
}

impl Play {
    /// Brings everybody to their places: responders on duty, an operator at the hotline, devices connected. The county
    /// must be registered.
    pub(crate) async fn begin(
        doors: &Doors,
        county: &County,
        tempo: Tempo,
        bar: &ProgressBar,
    ) -> anyhow::Result<Self> {
        let ledger = Arc::new(Ledger::default());
        let server = &doors.server;
        let channel = server.connect().await?;
        let people = registration::people(server, channel.clone(), county).await?;
        let (arrival, mut arrived) = mpsc::channel(64);
        bar.set_length(people.len() as u64 + 1);
        bar.set_message("people come on duty");
        let hotline = Hotline::open(channel, tempo, Arc::clone(&ledger), arrival.clone());
        let crowd = Crowd::gather(server, people, tempo, &ledger, &arrival).await?;
        let gathered = async {
            for _ in 0..=crowd.len() {
                // The sender is alive, so there is an answer.
                if let Some(Err(status)) = arrived.recv().await {
                    return Err(server.explain(&status));
                }
                bar.inc(1);
            }
            Ok(())
        };
        tokio::time::timeout(GATHERING, gathered)
            .await
            .context("not everybody could come on duty in time: see the server's log")??;
        let fleet = Fleet::connect(doors, county.homes.len(), &ledger).await?;
        Ok(Self { ledger, fleet, hotline, crowd })
    }

    /// Waits until every alert was acknowledged, seen and offered to somebody, but not for ever.
    pub(crate) async fn settle(&self) {
        until(RECEIVING, || self.ledger.is_received()).await;
        until(OFFERING, || self.ledger.is_offered()).await;
    }

    /// Sends everybody home and sums up. What was acknowledged and not seen is looked for once more.
    pub(crate) async fn end(self) -> Summary {
        let Self { ledger, fleet, hotline, crowd } = self;
        drop(fleet);
        crowd.go_home().await;
        if ledger.lost() > 0 {
            hotline.look_again().await;
        }
        ledger.summary()
    }

    /// What went wrong last at the front door, if anything did.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.fleet.trouble()
    }
}

/// Waits until `is_so`, but no longer than `at_most`.
async fn until(at_most: Duration, is_so: impl Fn() -> bool) {
    let end = Instant::now() + at_most;
    while !is_so() && Instant::now() < end {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// A device of a county: its number there is the end of its name.
pub(crate) fn device_name(number: usize) -> String {
    format!("{DEVICE_PREFIX}{number:06}")
}

/// The milliseconds since 1970 by the system's clock.
fn wall_clock_ms() -> u128 {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since_epoch.map_or(0, |since| since.as_millis())
}
