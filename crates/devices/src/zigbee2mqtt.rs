//! Profile `zigbee2mqtt`: what does a Zigbee device say through Zigbee2MQTT?
//!
//! State stands at `zigbee2mqtt/<friendly name>` as a JSON object, presence at `…/availability`. A friendly name may
//! hold spaces, slashes and any script. With `output: attribute`, and beside the state with Home Assistant's triggers,
//! single fields come as `…/<field>` with a plain value; a press then comes twice and counts twice, which is better
//! than not at all.
//!
//! The device is called by its friendly name. Where several bridges share a broker, their base topics keep equal names
//! apart: `home7/zigbee2mqtt/sos` is the device `home7/sos`, and `zb7/sos`, routed here, is `zb7/sos`.
//!
//! There is no id of a message. `last_seen`, if switched on, tells when it happened; switch it on.
//!
//! **Silence is right** for `"action":""` and `"action":null`, which follow a press; for any action that names no
//! kind, such as `single`; for an empty payload, with which a retained state is cleared; for what goes *to* a device
//! (`…/set`, `…/get`); and for the bridge's own topics. An alarm field that is false restores. State is no sign of
//! life: the bridge repeats it from memory.

use model::{Content, DeviceId, Signal};
use serde_json::{Map, Value};

use crate::{Message, Profile, Reason, Refusal, fields, json, text, words};

/// Zigbee devices behind Zigbee2MQTT.
pub const PROFILE: Profile = Profile {
    name: "zigbee2mqtt",
    about: "Zigbee buttons and sensors behind Zigbee2MQTT",
    default_filters: &["zigbee2mqtt/#"],
    decode,
};

fn decode(message: &Message<'_>) -> Result<Vec<Signal>, Refusal> {
    let bad = || Refusal {
        device: None,
        reason: Reason::BadTopic {
            topic: text::quote(message.topic),
            expected: "zigbee2mqtt/<friendly name>",
        },
    };
    let (base, name) = split_base(message.topic).ok_or_else(bad)?;
    if name.is_empty() {
        return Err(bad());
    }
    if name == "bridge" || name.starts_with("bridge/") || is_command(name) {
        return Ok(Vec::new());
    }
    match name.strip_suffix("/availability") {
        Some(name) => say(&device(base, name)?, message.payload, availability),
        None => state(base, name, message.payload),
    }
}

/// Returns what stands before the bridge's own level, and what stands after it.
fn split_base(topic: &str) -> Option<(&str, &str)> {
    topic
        .strip_prefix("zigbee2mqtt/")
        .map(|name| ("", name))
        .or_else(|| topic.split_once("/zigbee2mqtt/"))
        .or_else(|| topic.split_once('/'))
}

/// Whether this is a wish sent to a device: `<name>/set`, `<name>/get`, or one of these and an attribute.
fn is_command(name: &str) -> bool {
    name.rsplit('/').take(2).zip(name.rmatch_indices('/')).any(|(level, _)| matches!(level, "set" | "get"))
}

fn device(base: &str, name: &str) -> Result<DeviceId, Refusal> {
    let device = if base.is_empty() { DeviceId::new(name) } else { DeviceId::new(&format!("{base}/{name}")) };
    device.map_err(|error| Refusal { device: None, reason: Reason::Device(error) })
}

fn say(
    device: &DeviceId,
    payload: &[u8],
    read: fn(&DeviceId, &[u8]) -> Result<Vec<Signal>, Reason>,
) -> Result<Vec<Signal>, Refusal> {
    read(device, payload).map_err(|reason| Refusal { device: Some(device.clone()), reason })
}

fn availability(device: &DeviceId, payload: &[u8]) -> Result<Vec<Signal>, Reason> {
    let (plain, _) = json::payload_text(payload)?;
    if plain.is_empty() {
        return Ok(Vec::new());
    }
    let online = match words::presence(&plain) {
        Some(online) => online,
        None => {
            let object = json::parse_object(payload)?;
            let state = object.get("state").ok_or(Reason::MissingField("state"))?;
            let online = state.as_str().and_then(words::presence);
            online.ok_or_else(|| Reason::UnknownState(text::quote_value(state)))?
        }
    };
    Ok(vec![Signal::new(device.clone(), Content::Heartbeat { online })])
}

fn state(base: &str, name: &str, payload: &[u8]) -> Result<Vec<Signal>, Refusal> {
    // A damaged object is still a state, so that it is shown under the right name.
    let is_plain = !payload.trim_ascii_start().starts_with(b"{");
    match name.rsplit_once('/') {
        Some((name, field)) if is_plain && fields::is_common(field) => {
            let device = device(base, name)?;
            let signals = attribute(&device, field, payload);
            signals.map_err(|reason| Refusal { device: Some(device), reason })
        }
        Some(_) | None => say(&device(base, name)?, payload, object),
    }
}

fn object(device: &DeviceId, payload: &[u8]) -> Result<Vec<Signal>, Reason> {
    if json::payload_text(payload)?.0.is_empty() {
        return Ok(Vec::new());
    }
    let object = json::parse_object(payload)?;
    Ok(fields::read(&object, &[fields::COMMON])?.into_signals(device, None, None))
}

/// Reads a single field that was published on a topic of its own.
fn attribute(device: &DeviceId, field: &str, payload: &[u8]) -> Result<Vec<Signal>, Reason> {
    let (plain, _) = json::payload_text(payload)?;
    let value = serde_json::from_str(&plain).unwrap_or_else(|_| Value::String(plain.into_owned()));
    let object = Map::from_iter([(field.to_owned(), value)]);
    Ok(fields::read(&object, &[fields::COMMON])?.into_signals(device, None, None))
}
