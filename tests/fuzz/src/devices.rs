//! Target: a topic and a payload, through every profile.

use devices::{Message, Profile, Routes};
use model::{Content, Signal};
use serde_json::{Value, json};

use crate::{Target, bytes, signals};

pub(crate) const TARGET: Target = Target { name: "devices", run, seeds, max_len: 4096, memory: 4 << 20 };

/// The first line is the topic, the rest is the payload.
fn run(data: &[u8]) {
    let (topic, payload) = match data.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &data[data.len()..]),
    };
    let topic = String::from_utf8_lossy(topic);
    let message = Message { topic: &topic, payload };
    let profiles: Vec<Profile> =
        std::iter::once(wire::PROFILE).chain(devices::PROFILES.iter().copied()).collect();
    for profile in &profiles {
        let answer = (profile.decode)(&message);
        signals::check(&answer);
        assert_eq!(answer, (profile.decode)(&message), "the same bytes say the same");
        answer.into_iter().flatten().for_each(|signal| reads_back(&signal));
    }
    let routes = Routes::by_default(&profiles[1..]).expect("the defaults do not collide");
    signals::check(&routes.decode(&message));
}

/// What any profile understood can be said in our own JSON, and is then understood the same.
fn reads_back(signal: &Signal) {
    let (kind, restore, detail) = match &signal.content {
        Content::Alert { kind, detail } => (kind.as_str(), false, Some(detail)),
        Content::Restore { kind } => (kind.as_str(), true, None),
        Content::Cancel => ("cancel", false, None),
        Content::Telemetry { .. } | Content::Heartbeat { .. } => return,
    };
    let said = json!({
        "kind": kind, "restore": restore, "detail": detail, "id": signal.source_id,
        "occurred_at": signal.occurred_at.map(|at| at.0), "battery": signal.battery_percent, "test": signal.test,
        "place": signal.place.map(|place| json!({
            "latitude": place.latitude(), "longitude": place.longitude(), "system": "wgs84", "valid": true,
        })),
    });
    let topic = format!("anhu/v1/{}/alert", "device");
    let said = said.to_string();
    let again = (devices::canonical::PROFILE.decode)(&Message { topic: &topic, payload: said.as_bytes() });
    let again = again.unwrap_or_else(|refusal| panic!("{refusal}: {said}"));
    let [again] = again.as_slice() else { panic!("{again:?}") };
    let degrees = |signal: &Signal| signal.place.map(|place| (place.latitude(), place.longitude()));
    assert_eq!(degrees(again), degrees(signal), "{said}");
    let rest = |signal: &Signal| Signal { place: None, device: again.device.clone(), ..signal.clone() };
    assert_eq!(rest(again), rest(signal), "{said}");
}

/// The recorded frames of every profile.
fn seeds() -> Vec<Vec<u8>> {
    let frames = bytes::files("crates/devices/frames");
    frames.iter().filter_map(|(_, frame)| seed(&serde_json::from_slice(frame).ok()?)).collect()
}

fn seed(frame: &Value) -> Option<Vec<u8>> {
    let payload = match (frame.get("payload"), frame.get("payload_text"), frame.get("payload_hex")) {
        (Some(payload), _, _) => payload.to_string().into_bytes(),
        (_, Some(text), _) => text.as_str()?.into(),
        (_, _, Some(hex)) => unhex(hex.as_str()?),
        (None, None, None) => return None,
    };
    Some([frame.get("topic")?.as_str()?.as_bytes(), b"\n", &payload].concat())
}

fn unhex(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks_exact(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}
