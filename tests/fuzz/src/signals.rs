//! What holds for every answer to a device's message?

use devices::Refusal;
use model::{Content, Kind, Signal};

/// Longest id of a message, in bytes, as `devices` promises.
const MAX_ID_BYTES: usize = 128;
/// Longest name of a reading, in bytes.
const MAX_NAME_BYTES: usize = 64;
/// The year 2020 and the year 10000, between which a device's clock may be believed.
const BELIEVABLE: std::ops::Range<i64> = 1_577_836_800_000..253_402_300_800_000;
/// Longest explanation: it is shown on one screen and logged.
const MAX_REFUSAL_BYTES: usize = 1024;

/// Panics when an answer breaks a promise that dispatch, the journal or a screen relies on.
pub(crate) fn check(answer: &Result<Vec<Signal>, Refusal>) {
    match answer {
        Err(refusal) => assert!(refusal.to_string().len() <= MAX_REFUSAL_BYTES, "{refusal}"),
        Ok(signals) => signals.iter().for_each(check_one),
    }
}

fn check_one(signal: &Signal) {
    assert!(signal.battery_percent.is_none_or(|percent| percent <= 100), "{signal:?}");
    let id = signal.source_id.as_ref();
    assert!(id.is_none_or(|id| !id.is_empty() && id.len() <= MAX_ID_BYTES), "the id: {signal:?}");
    assert!(signal.occurred_at.is_none_or(|at| BELIEVABLE.contains(&at.0)), "the time: {signal:?}");
    match &signal.content {
        Content::Alert { kind, detail } => {
            assert_ne!(*kind, Kind::Unreadable);
            assert!(detail.len() <= Content::MAX_DETAIL_BYTES, "too long: {signal:?}");
            assert!(!detail.contains(char::is_control), "it could draw on a terminal: {signal:?}");
        }
        Content::Restore { kind } => assert_ne!(*kind, Kind::Unreadable),
        Content::Telemetry { readings } => {
            assert!((1..=devices::MAX_READINGS).contains(&readings.len()), "{signal:?}");
            for reading in readings {
                assert!(reading.value.is_finite(), "{signal:?}");
                let name = &reading.name;
                assert!(!name.is_empty() && name.len() <= MAX_NAME_BYTES, "the name: {signal:?}");
                assert!(!name.contains(char::is_control), "the name: {signal:?}");
            }
        }
        Content::Cancel | Content::Heartbeat { .. } => {}
    }
}
