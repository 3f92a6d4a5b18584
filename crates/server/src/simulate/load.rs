//! Load: alerts at a steady rate, however the server does.

use std::time::Duration;

use fastrand::Rng;
use tokio::time::{Instant, MissedTickBehavior};

use super::{Fleet, Message, wall_clock_ms};

/// Every so many alerts one is sent a second time, as a device does that missed its acknowledgement.
const REPEAT_EVERY: u64 = 50;

/// How much, and for how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Load {
    pub(crate) alerts_per_second: f64,
    pub(crate) length: Duration,
    pub(crate) devices: usize,
    pub(crate) seed: u64,
}

impl Load {
    /// Sends an SOS of one device after the other in a mixed order, each with an id that no other run uses.
    pub(crate) async fn run(self, fleet: &Fleet) {
        let mut order: Vec<usize> = (0..self.devices).collect();
        Rng::with_seed(self.seed).shuffle(&mut order);
        let run = wall_clock_ms();
        let end = Instant::now() + self.length;
        let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / self.alerts_per_second));
        // Ticks that were missed are made up for at once, so that a slow server is not asked less.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for (number, device) in (1u64..).zip(order.into_iter().cycle()) {
            if ticks.tick().await >= end {
                return;
            }
            let message = sos(device, &format!("{run}-{number}"));
            if number % REPEAT_EVERY == 0 {
                fleet.send(message.clone()).await;
            }
            fleet.send(message).await;
        }
    }
}

fn sos(device: usize, id: &str) -> Message {
    let occurred_at = wall_clock_ms();
    Message {
        device,
        channel: "alert",
        payload: format!(r#"{{"kind":"sos","id":"{id}","occurred_at":{occurred_at}}}"#),
        alert: Some(id.to_owned()),
    }
}
