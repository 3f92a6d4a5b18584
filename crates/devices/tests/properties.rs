//! What holds for every message, also for those nobody thought of?

use std::sync::LazyLock;

use devices::{Message, PROFILES, Profile, Refusal, Routes, profile};
use model::{Content, DeviceId, Kind, Signal};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Map, Value, json};

static ROUTES: LazyLock<Routes> =
    LazyLock::new(|| Routes::by_default(PROFILES).expect("the defaults do not collide"));

/// Names that some profile reads, and two that none does.
const NAMES: &[&str] = &[
    "kind",
    "id",
    "occurred_at",
    "place",
    "detail",
    "test",
    "battery",
    "restore",
    "readings",
    "state",
    "sos",
    "SOS",
    "fall",
    "smoke",
    "gas",
    "carbon_monoxide",
    "water_leak",
    "tamper",
    "battery_low",
    "action",
    "contact",
    "button",
    "alarm",
    "event",
    "last_seen",
    "linkquality",
    "temperature",
    "latitude",
    "longitude",
    "object",
    "data",
    "devAddr",
    "fCnt",
    "time",
    "name",
    "value",
    "unit",
    "valid",
    "system",
    "batteryLevel",
    "安",
    "",
];

/// Fields that raise an alarm when they are on.
const ALARMS: &[&str] = &[
    "sos",
    "panic",
    "emergency",
    "fall",
    "fall_detected",
    "smoke",
    "gas",
    "carbon_monoxide",
    "water_leak",
    "bed_exit",
    "battery_low",
    "low_battery",
    "tamper",
    "action",
    "click",
    "button",
    "alarm",
    "event",
];

/// Shapes of topics; `@` is the device.
const TOPICS: &[&str] = &[
    "anhu/v1/@/alert",
    "anhu/v1/@/telemetry",
    "anhu/v1/@/status",
    "anhu/v1/@/receipt",
    "zigbee2mqtt/@",
    "zigbee2mqtt/@/availability",
    "zigbee2mqtt/@/action",
    "home/zigbee2mqtt/@",
    "@/x",
    "application/a/device/@/event/up",
    "application/a/device/@/event/status",
    "application/a/device/@/event/join",
    "application/a/device/@/event/x",
    "@",
];

fn any_topic() -> impl Strategy<Value = String> {
    let device = prop_oneof![any::<String>(), "[a-z0-9]{1,16}", Just("卧室/床头 SOS".to_owned())];
    (device, select(TOPICS)).prop_map(|(device, shape)| shape.replace('@', &device))
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-1..300_i64).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        select(&[
            "sos",
            "emergency",
            "online",
            "off",
            "2026-01-31T08:00:00Z",
            "celsius",
            "wgs84",
            "0102030a",
            ""
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((select(NAMES), inner), 0..8).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
            }),
        ]
    })
}

fn any_payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..200),
        any_json().prop_map(|json| json.to_string().into_bytes()),
        (any_json(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(json, index, byte)| {
            let mut damaged = json.to_string().into_bytes();
            let index = index.index(damaged.len());
            damaged[index] = byte;
            damaged
        }),
    ]
}

fn silent_value() -> impl Strategy<Value = Value> {
    select(vec![json!(false), json!(0), json!(null), json!(""), json!("off"), json!("none"), json!("idle")])
}

fn check_sound(decoded: &Result<Vec<Signal>, Refusal>) {
    match decoded {
        Err(refusal) => assert!(refusal.to_string().len() <= 1024, "{refusal}"),
        Ok(signals) => signals.iter().for_each(check_signal),
    }
}

fn check_signal(signal: &Signal) {
    assert!(signal.battery_percent.is_none_or(|percent| percent <= 100), "{signal:?}");
    assert!(signal.source_id.as_ref().is_none_or(|id| !id.is_empty() && id.len() <= 256), "{signal:?}");
    match &signal.content {
        Content::Alert { kind, detail } => {
            assert_ne!(*kind, Kind::Unreadable);
            assert!(
                detail.len() <= Content::MAX_DETAIL_BYTES && !detail.contains(char::is_control),
                "{signal:?}"
            );
        }
        Content::Restore { kind } => assert_ne!(*kind, Kind::Unreadable),
        Content::Telemetry { readings } => {
            assert!((1..=devices::MAX_READINGS).contains(&readings.len()), "{signal:?}");
            assert!(readings.iter().all(|r| r.value.is_finite() && r.name.len() <= 64), "{signal:?}");
        }
        Content::Cancel | Content::Heartbeat { .. } => {}
    }
}

fn is_alert(signal: &Signal) -> bool {
    matches!(signal.content, Content::Alert { .. })
}

fn named(name: &str) -> &'static Profile {
    profile(name).expect("a known profile")
}

proptest! {
    #[test]
    fn every_message_is_answered_within_bounds(topic in any_topic(), payload in any_payload()) {
        let message = Message { topic: &topic, payload: &payload };
        check_sound(&ROUTES.decode(&message));
        for profile in PROFILES {
            check_sound(&(profile.decode)(&message));
        }
    }

    #[test]
    fn an_unreadable_alert_still_has_a_name(payload in vec(any::<u8>(), 0..60)) {
        for (topic, name) in [
            ("anhu/v1/zb-1/alert", "zb-1"),
            ("zigbee2mqtt/卧室/SOS 1", "卧室/SOS 1"),
            ("application/1/device/0101010101010101/event/up", "0101010101010101"),
        ] {
            if let Err(refusal) = ROUTES.decode(&Message { topic, payload: &payload }) {
                prop_assert_eq!(refusal.device.as_ref().map(DeviceId::as_str), Some(name));
            }
        }
    }

    #[test]
    fn what_is_idle_false_null_or_empty_raises_nothing(
        fields in vec((select(ALARMS), silent_value()), 0..10),
        battery in 0..=100_u8,
    ) {
        let mut object: Map<_, _> = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        object.insert("battery".to_owned(), battery.into());
        let plain = Value::Object(object);
        let uplink = json!({"devAddr": "0102030a", "fCnt": 7, "data": "qg==", "object": plain});
        for (profile, topic, payload) in [
            ("zigbee2mqtt", "zigbee2mqtt/a b", &plain),
            ("chirpstack", "application/1/device/01/event/up", &uplink),
            ("canonical", "anhu/v1/d/telemetry", &plain),
        ] {
            let payload = payload.to_string();
            let decoded = (named(profile).decode)(&Message { topic, payload: payload.as_bytes() });
            let signals = decoded.expect("an idle report is readable");
            prop_assert!(!signals.iter().any(is_alert), "{:?}", signals);
        }
    }

    #[test]
    fn a_restore_is_never_an_alert(kind in select(&Kind::ALL[..17]), detail in any::<String>()) {
        let payload = json!({"kind": kind.as_str(), "restore": true, "detail": detail}).to_string();
        let message = Message { topic: "anhu/v1/d/alert", payload: payload.as_bytes() };
        let contents: Vec<_> = ROUTES.decode(&message).expect("readable").into_iter().map(|s| s.content).collect();
        prop_assert_eq!(contents, vec![Content::Restore { kind }]);
    }

    #[test]
    fn no_optional_field_costs_an_alert(fields in vec((select(NAMES), any_json()), 0..12)) {
        let mut object: Map<_, _> = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        object.insert("kind".to_owned(), "fall".into());
        object.retain(|name, value| name != "restore" || *value != json!(true));
        let payload = Value::Object(object).to_string();
        let signals = ROUTES
            .decode(&Message { topic: "anhu/v1/d/alert", payload: payload.as_bytes() })
            .expect("kind and device are readable");
        prop_assert!(signals.len() == 1 && is_alert(&signals[0]), "{:?}", signals);
    }

    #[test]
    fn a_frame_passed_on_twice_has_one_id_and_the_next_frame_another(
        counter in 0..u32::MAX, address in "[0-9a-f]{8}", other in "[0-9a-f]{8}",
    ) {
        let ids = |address: &str, counter: u32, copy: &str| -> Vec<_> {
            let payload = json!({
                "deduplicationId": copy, "time": copy, "devAddr": address, "fCnt": counter, "data": "qg==",
                "object": {"sos": true, "battery_low": true, "battery": 9},
            });
            let topic = "application/1/device/01/event/up";
            let signals = ROUTES.decode(&Message { topic, payload: payload.to_string().as_bytes() });
            signals.expect("readable").into_iter().map(|signal| signal.source_id.expect("an id")).collect()
        };
        let first = ids(&address, counter, "a");
        prop_assert_eq!(&first, &ids(&address, counter, "b"));
        prop_assert!(first[0] != first[1] && first[1] != first[2], "{:?}", first);
        prop_assert!(!ids(&address, counter + 1, "a").contains(&first[0]));
        prop_assert!(address == other || !ids(&other, counter, "a").contains(&first[0]));
    }
}
