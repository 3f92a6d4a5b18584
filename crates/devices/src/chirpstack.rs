//! Profile `chirpstack`: what does a LoRaWAN device say through ChirpStack v4?
//!
//! Events stand at `application/<id>/device/<devEUI>/event/<event>` as JSON; levels before `application` are allowed.
//! The device is called by its devEUI from the topic, in lower case.
//!
//! An uplink is read from `object`, the fields that a codec made; Anhu knows no maker's bytes, so the codec is set up
//! in ChirpStack's device profile. An uplink whose bytes no codec explained is refused: it may be a call for help.
//!
//! The id of an uplink is made of devAddr and fCnt. Not of `deduplicationId`: the same frame may come again up to 48 s
//! later with another. Not of fCnt alone: a device that joins again counts from 0, with a new devAddr, and its next
//! call for help must not look like an old one. Without a devAddr there is no id. A device activated by personalisation
//! keeps its devAddr, so ChirpStack's check of frame counters must stay switched on for it.
//!
//! `time` is when the network heard the frame. Where the gateway stands (`rxInfo`) is not where the device is.
//! Fields that are zero are left out by ChirpStack: no fCnt is fCnt 0.
//!
//! **Silence is right** for `log`, `ack`, `txack`, `location` and `integration`. `join`, `status`, and an uplink in
//! which nothing has a meaning for us are signs of life.

use model::{Content, DeviceId, Signal};
use serde_json::{Map, Value};

use crate::{Message, Profile, Reason, Refusal, fields, json, text};

/// LoRaWAN devices behind ChirpStack v4.
pub const PROFILE: Profile = Profile {
    name: "chirpstack",
    about: "LoRaWAN devices behind ChirpStack v4, decoded by a codec set up there",
    default_filters: &["application/+/device/+/event/+"],
    decode,
};

fn decode(message: &Message<'_>) -> Result<Vec<Signal>, Refusal> {
    let bad = |device| Refusal {
        device,
        reason: Reason::BadTopic {
            topic: text::quote(message.topic),
            expected: "application/<id>/device/<devEUI>/event/<event>",
        },
    };
    let mut levels = message.topic.rsplit('/');
    let (event, [event_level, eui, device_level, _, application_level]) =
        (levels.next().unwrap_or_default(), std::array::from_fn(|_| levels.next().unwrap_or_default()));
    if (event_level, device_level, application_level) != ("event", "device", "application") {
        return Err(bad(None));
    }
    let device = DeviceId::new(&eui.to_ascii_lowercase())
        .map_err(|error| Refusal { device: None, reason: Reason::Device(error) })?;
    let signals = match event {
        "up" => up(&device, message.payload),
        "status" => status(&device, message.payload),
        "join" => join(&device, message.payload),
        "log" | "ack" | "txack" | "location" | "integration" => Ok(Vec::new()),
        _ => return Err(bad(Some(device))),
    };
    signals.map_err(|reason| Refusal { device: Some(device), reason })
}

fn up(device: &DeviceId, payload: &[u8]) -> Result<Vec<Signal>, Reason> {
    let event = json::parse_object(payload)?;
    let has_bytes = match event.get("data") {
        None | Some(Value::Null) => false,
        Some(Value::String(data)) => !data.is_empty(),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => true,
    };
    let decoded = match event.get("object") {
        None | Some(Value::Null) => None,
        Some(Value::Object(object)) => Some(object).filter(|object| !object.is_empty()),
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            return Err(Reason::NoCodec);
        }
    };
    let Some(object) = decoded else {
        return if has_bytes { Err(Reason::NoCodec) } else { Ok(vec![alive(device, &event)]) };
    };
    let happened = event.get("time").and_then(json::time);
    let findings = fields::read(object, &[fields::COMMON, fields::CODEC])?;
    let signals = findings.into_signals(device, frame_id(&event).as_deref(), happened);
    Ok(if signals.is_empty() { vec![alive(device, &event)] } else { signals })
}

/// Returns what the same frame has in common however often it is passed on, and no other frame of this device.
fn frame_id(event: &Map<String, Value>) -> Option<String> {
    let address = event.get("devAddr")?.as_str().filter(|address| is_hex(address))?.to_ascii_lowercase();
    let counter = match event.get("fCnt") {
        None | Some(Value::Null) => 0,
        Some(counter) => counter.as_u64()?,
    };
    Some(format!("{address}/{counter}"))
}

/// Whether this is the hexadecimal form of 4 bytes.
fn is_hex(address: &str) -> bool {
    address.len() == 8 && address.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn status(device: &DeviceId, payload: &[u8]) -> Result<Vec<Signal>, Reason> {
    let event = json::parse_object(payload)?;
    let is_set = |name| event.get(name).and_then(Value::as_bool) == Some(true);
    let mut signal = alive(device, &event);
    if !is_set("externalPowerSource") && !is_set("batteryLevelUnavailable") {
        // LoRaWAN's 255 is unknown and its 0 is external power; neither is a share of a battery.
        let level = event.get("batteryLevel").and_then(json::percent);
        signal.battery_percent = level.filter(|percent| *percent > 0);
    }
    Ok(vec![signal])
}

fn join(device: &DeviceId, payload: &[u8]) -> Result<Vec<Signal>, Reason> {
    let event = json::parse_object(payload)?;
    Ok(vec![alive(device, &event)])
}

fn alive(device: &DeviceId, event: &Map<String, Value>) -> Signal {
    let mut signal = Signal::new(device.clone(), Content::Heartbeat { online: true });
    signal.occurred_at = event.get("time").and_then(json::time);
    signal
}
