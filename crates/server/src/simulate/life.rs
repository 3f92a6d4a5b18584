//! Life: what do the devices of a county say on an ordinary day, if a day were some minutes?

use std::time::Duration;

use fastrand::Rng;

use super::{Fleet, Message, wall_clock_ms};
use crate::county::{County, Gadget};

/// Until the first SOS.
const FIRST: Duration = Duration::from_secs(2);
/// Between two alarms on average, in seconds.
const EVERY_S: f64 = 10.0;

/// Alarms every ten seconds or so, and between them what devices say besides. Never ends.
pub(crate) async fn run(fleet: &Fleet, county: &County, seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let with_button = |index: &usize| county.homes[*index].gadget == Gadget::SosButton;
    let buttons: Vec<usize> = (0..county.homes.len()).filter(with_button).collect();
    let first = rng.choice(&buttons).copied().unwrap_or(0);
    let run = wall_clock_ms();
    tokio::time::sleep(FIRST).await;
    for number in 1u64.. {
        let device = if number == 1 { first } else { rng.usize(..county.homes.len()) };
        let kind = county.homes[device].gadget.kind();
        let id = format!("{run}-{number}");
        let payload = format!(r#"{{"kind":"{kind}","id":"{id}","battery":{}}}"#, rng.u8(20..=100));
        fleet.send(Message { device, channel: "alert", payload, alert: Some(id) }).await;
        let pause = EVERY_S * (0.7 + 0.6 * rng.f64());
        tokio::time::sleep(Duration::from_secs_f64(pause / 2.0)).await;
        if let Some(message) = between(&mut rng, county.homes.len()) {
            fleet.send(message).await;
        }
        tokio::time::sleep(Duration::from_secs_f64(pause / 2.0)).await;
    }
}

/// What is said between two alarms, if anything.
fn between(rng: &mut Rng, homes: usize) -> Option<Message> {
    let device = rng.usize(..homes);
    let (channel, payload) = match rng.usize(..12) {
        0 => ("alert", r#"{"kind":"low_battery","battery":8}"#.to_owned()),
        1 => ("alert", r#"{"kind":"so"#.to_owned()),
        2 => ("status", "online".to_owned()),
        3..6 => {
            ("telemetry", format!(r#"{{"heart_rate":{},"battery":{}}}"#, rng.u8(55..=95), rng.u8(20..=100)))
        }
        _ => return None,
    };
    Some(Message { device, channel, payload, alert: None })
}
