//! Devices that speak protobuf: the canonical topics with bytes instead of JSON, and signals sent by gRPC.

use crate::{
    FromWire as _, time_from_wire,
    v1::{self, device_signal},
};
use devices::{
    Message, Profile, Reason, Refusal,
    canonical::{self, Channel, Topic},
    sound,
};
use model::{Content, CoordinateSystem, DeviceId, Kind, Place, Reading, Signal, Timestamp, Unit};

/// The canonical profile of [`devices`], which reads protobuf as well as JSON.
pub const PROFILE: Profile = Profile {
    about: "Anhu's own JSON or protobuf on anhu/v1/{device}/alert, telemetry and status",
    decode,
    ..canonical::PROFILE
};

/// JSON first, because its first byte says so; what is neither is refused in the words of the JSON profile.
fn decode(message: &Message<'_>) -> Result<Vec<Signal>, Refusal> {
    (canonical::PROFILE.decode)(message).or_else(|refusal| {
        let is_json = message.payload.trim_ascii_start().first() == Some(&b'{');
        if is_json || message.payload.len() > devices::MAX_PAYLOAD_BYTES {
            return Err(refusal);
        }
        decode_protobuf(message).unwrap_or(Err(refusal))
    })
}

/// `None` when the bytes are not the message that belongs on the topic.
fn decode_protobuf(message: &Message<'_>) -> Option<Result<Vec<Signal>, Refusal>> {
    let topic = Topic::read(message.topic).ok()?;
    let content = match topic.channel {
        Channel::Alert => device_signal::Content::Alert(whole(message.payload)?),
        Channel::Telemetry => device_signal::Content::Telemetry(whole(message.payload)?),
        Channel::Status => device_signal::Content::Status(whole(message.payload)?),
        Channel::Receipt => return None,
    };
    Some(read(topic.device, content))
}

/// Decodes bytes that hold this message and nothing else, so that damaged text is not taken for protobuf.
fn whole<M: prost::Message + Default>(bytes: &[u8]) -> Option<M> {
    M::decode(bytes).ok().filter(|message| message.encoded_len() == bytes.len())
}

/// Returns what a signal sent by gRPC says.
///
/// # Errors
/// [`Refusal`] when the device has no possible name, the content is absent, or the kind of an alert is unknown.
pub fn signals_of(signal: v1::DeviceSignal) -> Result<Vec<Signal>, Refusal> {
    let device = DeviceId::new(&signal.device_id)
        .map_err(|error| Refusal { device: None, reason: Reason::Device(error) })?;
    match signal.content {
        Some(content) => read(device, content),
        None => Err(Refusal { device: Some(device), reason: Reason::MissingField("content") }),
    }
}

fn read(device: DeviceId, content: device_signal::Content) -> Result<Vec<Signal>, Refusal> {
    match content {
        device_signal::Content::Alert(alert) => read_alert(device, alert),
        device_signal::Content::Telemetry(telemetry) => read_telemetry(device, telemetry),
        device_signal::Content::Status(status) => read_status(device, status),
    }
}

fn read_alert(device: DeviceId, alert: v1::DeviceAlert) -> Result<Vec<Signal>, Refusal> {
    if alert.cancel {
        return Ok(vec![signal_of(device, alert, Content::Cancel)]);
    }
    let kind = match Kind::read("kind", alert.kind) {
        Ok(kind) if kind != Kind::Unreadable => kind,
        Ok(_) | Err(_) if alert.kind == 0 => {
            return Err(Refusal { device: Some(device), reason: Reason::MissingField("kind") });
        }
        Ok(_) | Err(_) => {
            let reason = Reason::UnknownKind(alert.kind.to_string());
            return Err(Refusal { device: Some(device), reason });
        }
    };
    let detail = sound::detail(&alert.detail);
    let content = if alert.restore { Content::Restore { kind } } else { Content::Alert { kind, detail } };
    Ok(vec![signal_of(device, alert, content)])
}

fn signal_of(device: DeviceId, alert: v1::DeviceAlert, content: Content) -> Signal {
    Signal {
        source_id: sound::id(alert.id),
        occurred_at: alert.occurred_at.as_ref().and_then(given_time),
        place: alert.place.as_ref().and_then(fix),
        battery_percent: alert.battery_percent.and_then(percent),
        test: alert.test,
        ..Signal::new(device, content)
    }
}

fn read_telemetry(device: DeviceId, telemetry: v1::DeviceTelemetry) -> Result<Vec<Signal>, Refusal> {
    let readings: Vec<Reading> = telemetry
        .readings
        .into_iter()
        .filter(|reading| sound::is_reading_name(&reading.name) && reading.value.is_finite())
        .filter_map(|reading| {
            let unit = Unit::read("unit", reading.unit).ok()?;
            Some(Reading { name: reading.name, value: reading.value, unit })
        })
        .take(devices::MAX_READINGS)
        .collect();
    if readings.is_empty() {
        return Err(Refusal { device: Some(device), reason: Reason::NoReadings });
    }
    Ok(vec![Signal {
        source_id: sound::id(telemetry.id),
        occurred_at: telemetry.occurred_at.as_ref().and_then(given_time),
        place: telemetry.place.as_ref().and_then(fix),
        ..Signal::new(device, Content::Telemetry { readings })
    }])
}

fn read_status(device: DeviceId, status: v1::DeviceStatus) -> Result<Vec<Signal>, Refusal> {
    let online = match status.state() {
        v1::DeviceState::Online => true,
        v1::DeviceState::Offline => false,
        v1::DeviceState::Unspecified => {
            return Err(Refusal { device: Some(device), reason: Reason::MissingField("state") });
        }
    };
    let battery_percent = status.battery_percent.and_then(percent);
    Ok(vec![Signal { battery_percent, ..Signal::new(device, Content::Heartbeat { online }) }])
}

/// Nothing when the clock cannot be believed: one that counts from 1970 on must not make a call for help look late.
fn given_time(time: &prost_types::Timestamp) -> Option<Timestamp> {
    sound::time(time_from_wire(time))
}

/// An impossible fix costs the place and never the alert.
fn fix(place: &v1::Place) -> Option<Place> {
    let system = CoordinateSystem::read("place.system", place.system).ok()?;
    Place::new(place.latitude, place.longitude, system).ok()
}

fn percent(value: u32) -> Option<u8> {
    u8::try_from(value).ok().filter(|percent| *percent <= 100)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;

    fn decode_on(channel: &str, payload: &[u8]) -> Result<Vec<Signal>, Refusal> {
        decode(&Message { topic: &format!("anhu/v1/zb-1/{channel}"), payload })
    }

    #[test]
    fn the_same_alert_reads_the_same_from_json_and_from_protobuf() {
        let protobuf = v1::DeviceAlert {
            kind: v1::Kind::Sos.into(),
            id: "a-1".to_owned(),
            occurred_at: Some(prost_types::Timestamp { seconds: 1_800_000_000, nanos: 500_000_000 }),
            place: Some(v1::Place { latitude: 32.7, longitude: 119.0, system: 0 }),
            detail: "厨房".to_owned(),
            battery_percent: Some(80),
            ..v1::DeviceAlert::default()
        };
        let json = r#"{"kind":"sos","id":"a-1","occurred_at":1800000000500,"detail":"厨房","battery":80,
                       "place":{"latitude":32.7,"longitude":119.0}}"#;
        let read = decode_on("alert", &protobuf.encode_to_vec()).expect("an alert");
        assert_eq!(read, decode_on("alert", json.as_bytes()).expect("an alert"));
    }

    #[test]
    fn the_cancel_key_reads_the_same_from_json_and_from_protobuf() {
        let protobuf = v1::DeviceAlert { cancel: true, id: "c-1".to_owned(), ..v1::DeviceAlert::default() };
        let read = decode_on("alert", &protobuf.encode_to_vec()).expect("a cancel");
        assert_eq!(read[0].content, Content::Cancel);
        assert_eq!(read, decode_on("alert", br#"{"kind":"cancel","id":"c-1"}"#).expect("a cancel"));
    }

    #[test]
    fn damaged_text_is_not_taken_for_protobuf() {
        for payload in [&b"hello"[..], b"{\"kind\":", b"\xff\xfe", b"", b"\x08"] {
            assert!(decode_on("alert", payload).is_err(), "{payload:?}");
        }
        assert!(
            decode_on("status", &v1::DeviceStatus { state: 2, battery_percent: None }.encode_to_vec())
                .is_ok()
        );
    }

    #[test]
    fn what_json_would_not_take_at_its_word_protobuf_does_not_either() {
        let unset = v1::DeviceAlert {
            kind: v1::Kind::Sos.into(),
            id: "x".repeat(4096),
            occurred_at: Some(prost_types::Timestamp { seconds: 300, nanos: 0 }),
            detail: "厨房\u{1b}[2J".to_owned(),
            ..v1::DeviceAlert::default()
        };
        let signals = decode_on("alert", &unset.encode_to_vec()).expect("an alert");
        assert_eq!((&signals[0].occurred_at, &signals[0].source_id), (&None, &None));
        let shown = Content::Alert { kind: Kind::Sos, detail: "厨房 [2J".to_owned() };
        assert_eq!(signals[0].content, shown, "nothing draws on the operator's terminal");
        let nameless = v1::DeviceReading { name: "\n".to_owned(), value: 1.0, unit: 1 };
        let telemetry = v1::DeviceTelemetry { readings: vec![nameless], ..v1::DeviceTelemetry::default() };
        assert!(decode_on("telemetry", &telemetry.encode_to_vec()).is_err());
    }

    #[test]
    fn an_impossible_place_costs_the_place_and_not_the_alert() {
        let alert = v1::DeviceAlert {
            kind: v1::Kind::Fall.into(),
            place: Some(v1::Place { latitude: 91.0, longitude: 0.0, system: 0 }),
            ..v1::DeviceAlert::default()
        };
        let signals = decode_on("alert", &alert.encode_to_vec()).expect("an alert");
        assert_eq!(signals[0].place, None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(channel in "alert|telemetry|status|receipt|x", payload: Vec<u8>) {
            let _ = decode_on(&channel, &payload);
        }
    }
}
