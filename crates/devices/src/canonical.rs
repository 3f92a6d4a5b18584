//! Profile `canonical`: what does a device say that speaks Anhu's own JSON?
//!
//! | topic | payload |
//! |---|---|
//! | `anhu/v1/{device}/alert` | `{"kind":"sos","id":"42","occurred_at":"2026-01-31T08:00:00+08:00","place":{…},"detail":"…","test":false,"battery":80}` |
//! | `anhu/v1/{device}/telemetry` | `{"readings":[{"name":"heart_rate","value":72,"unit":"per_minute"}]}` or `{"heart_rate":72}` |
//! | `anhu/v1/{device}/status` | `online`, `offline`, or `{"state":"online","battery":80}` |
//!
//! In an alert only `kind` is required. `id` is a text or an integer, `occurred_at` RFC 3339 with an offset or whole
//! milliseconds in UTC, `place` has `latitude`, `longitude`, `system` (`wgs84`, `gcj02`, `bd09`) and `valid`.
//! `"restore":true` says that what was raised before is over; any other value raises. The kind `cancel` raises nothing:
//! the wearer says that what was raised before is nothing.
//! Null equals absence, and fields nobody knows are ignored.
//!
//! A flat telemetry map is read by the names that [`crate`]'s table of fields gives a unit; in `readings` any name may
//! stand, and the unit of a known name may be left out. An unknown name without a unit is a bare number.
//!
//! **Silence is right** for an empty status, with which a retained one is cleared, and for our own receipts.
//! Telemetry without any reading is a sign of life.

use model::{Content, DeviceId, Reading, Signal, Unit};
use serde_json::{Map, Value};

use crate::{
    MAX_READINGS, Message, Profile, Reason, Refusal, fields, json,
    place::{self, Fix},
    sound,
    text::{self, Faults},
    words,
};

/// Anhu's own topics and JSON.
pub const PROFILE: Profile = Profile {
    name: "canonical",
    about: "Anhu's own JSON on anhu/v1/{device}/alert, telemetry and status",
    default_filters: &["anhu/v1/+/alert", "anhu/v1/+/telemetry", "anhu/v1/+/status"],
    decode,
};

/// What a canonical topic tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Whose topic it is.
    pub device: DeviceId,
    /// What is said there.
    pub channel: Channel,
}

/// The last level of a canonical topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Alerts and restores, from the device.
    Alert,
    /// Measurements, from the device.
    Telemetry,
    /// Whether the device is there.
    Status,
    /// Our answers, to the device.
    Receipt,
}

impl Topic {
    /// Returns what `topic` tells.
    ///
    /// # Errors
    /// [`Refusal`] when the topic is not `anhu/v1/{device}/…` with a known last level, or the device has no
    /// possible name.
    pub fn read(topic: &str) -> Result<Self, Refusal> {
        let bad = |device| Refusal {
            device,
            reason: Reason::BadTopic {
                topic: text::quote(topic),
                expected: "anhu/v1/{device}/alert, telemetry or status",
            },
        };
        let (device, channel) =
            topic.strip_prefix("anhu/v1/").and_then(|rest| rest.split_once('/')).ok_or_else(|| bad(None))?;
        let device =
            DeviceId::new(device).map_err(|error| Refusal { device: None, reason: Reason::Device(error) })?;
        let channel = match channel {
            "alert" => Channel::Alert,
            "telemetry" => Channel::Telemetry,
            "status" => Channel::Status,
            "receipt" => Channel::Receipt,
            _ => return Err(bad(Some(device))),
        };
        Ok(Self { device, channel })
    }
}

fn decode(message: &Message<'_>) -> Result<Vec<Signal>, Refusal> {
    let Topic { device, channel } = Topic::read(message.topic)?;
    let signals = match channel {
        Channel::Alert => alert(&device, message.payload),
        Channel::Telemetry => telemetry(&device, message.payload),
        Channel::Status => status(&device, message.payload),
        Channel::Receipt => Ok(Vec::new()),
    };
    signals.map_err(|reason| Refusal { device: Some(device), reason })
}

fn alert(device: &DeviceId, payload: &[u8]) -> Result<Vec<Signal>, Reason> {
    let object = json::parse_object(payload)?;
    let word = match object.get("kind") {
        None | Some(Value::Null) => return Err(Reason::MissingField("kind")),
        Some(word) => word,
    };
    let mut faults = Faults::default();
    if word.as_str().is_some_and(words::is_cancel) {
        return Ok(vec![Signal { content: Content::Cancel, ..header(device, &object, &mut faults) }]);
    }
    let kind = word
        .as_str()
        .and_then(words::own_kind)
        .ok_or_else(|| Reason::UnknownKind(text::quote_value(word)))?;
    let restore = faults.read("restore", object.get("restore"), Value::as_bool).unwrap_or(false);
    let words = faults.read("detail", object.get("detail"), |detail| detail.as_str().map(str::to_owned));
    let mut signal = header(device, &object, &mut faults);
    signal.place = match object.get("place") {
        None | Some(Value::Null) => None,
        Some(place) => match place::read(place) {
            Fix::Known(place) => Some(place),
            Fix::Absent => None,
            Fix::Unreadable => {
                faults.note("place");
                None
            }
        },
    };
    signal.content = if restore {
        Content::Restore { kind }
    } else {
        Content::Alert { kind, detail: text::detail(words.as_deref().unwrap_or_default(), &faults) }
    };
    Ok(vec![signal])
}

/// The fields that every canonical object may carry. The content is a placeholder that each caller replaces.
fn header(device: &DeviceId, object: &Map<String, Value>, faults: &mut Faults) -> Signal {
    let mut signal = Signal::new(device.clone(), Content::Heartbeat { online: true });
    signal.source_id = faults.read("id", object.get("id"), json::id);
    signal.occurred_at = faults.read("occurred_at", object.get("occurred_at"), json::time);
    signal.battery_percent = faults.read("battery", object.get("battery"), json::percent);
    signal.test = faults.read("test", object.get("test"), Value::as_bool).unwrap_or(false);
    signal
}

fn telemetry(device: &DeviceId, payload: &[u8]) -> Result<Vec<Signal>, Reason> {
    let object = json::parse_object(payload)?;
    let mut signal = header(device, &object, &mut Faults::default());
    let mut readings = fields::readings(&object);
    let listed = match object.get("readings") {
        None | Some(Value::Null) => &[],
        Some(Value::Array(listed)) => listed.as_slice(),
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
            return Err(Reason::NoReadings);
        }
    };
    readings.extend(listed.iter().filter_map(reading).take(MAX_READINGS));
    readings.truncate(MAX_READINGS);
    if readings.is_empty() && !listed.is_empty() {
        return Err(Reason::NoReadings);
    }
    if !readings.is_empty() {
        signal.content = Content::Telemetry { readings };
    }
    Ok(vec![signal])
}

/// Returns one entry of `readings`, or `None` when it lacks a sound name, a number or a known unit.
fn reading(entry: &Value) -> Option<Reading> {
    let name = entry.get("name")?.as_str()?;
    if !sound::is_reading_name(name) {
        return None;
    }
    let value = entry.get("value")?.as_f64().filter(|value| value.is_finite())?;
    let unit = match entry.get("unit") {
        None | Some(Value::Null) => fields::unit(name).unwrap_or(Unit::One),
        Some(unit) => words::unit(unit.as_str()?)?,
    };
    Some(Reading { name: name.to_owned(), value, unit })
}

fn status(device: &DeviceId, payload: &[u8]) -> Result<Vec<Signal>, Reason> {
    let (plain, _) = json::payload_text(payload)?;
    if plain.is_empty() {
        return Ok(Vec::new());
    }
    if let Some(online) = words::presence(&plain) {
        return Ok(vec![Signal::new(device.clone(), Content::Heartbeat { online })]);
    }
    let object = json::parse_object(payload)?;
    let mut signal = header(device, &object, &mut Faults::default());
    let online = match object.get("state") {
        None | Some(Value::Null) => return Err(Reason::MissingField("state")),
        Some(state) => state
            .as_str()
            .and_then(words::presence)
            .ok_or_else(|| Reason::UnknownState(text::quote_value(state)))?,
    };
    signal.content = Content::Heartbeat { online };
    Ok(vec![signal])
}
