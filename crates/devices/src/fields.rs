//! What does this field mean? One table of names, shared by every maker whose messages are named fields.
//!
//! Adding a name is one line. Names are compared in any case of letters. `voltage` is left out on purpose: some send
//! volts and some millivolts under it.

use model::{Content, CoordinateSystem, DeviceId, Kind, Place, Reading, Signal, Timestamp, Unit};
use serde_json::{Map, Value};

use crate::{
    MAX_READINGS, Reason, json,
    place::{self, Fix},
    text::{self, Faults},
    words::{self, Switch},
};

/// A name and what stands under it.
#[derive(Debug)]
pub(crate) struct Field {
    name: &'static str,
    meaning: Meaning,
}

/// What stands under a name.
#[derive(Debug, Clone, Copy)]
enum Meaning {
    /// On raises the kind, off restores it. Anything else is refused unless another field raises an alert.
    Alarm(Kind),
    /// On raises an SOS, the word for a kind raises that kind, off is silence: what is over is not said. Anything
    /// else is refused unless another field raises an alert.
    Call,
    /// The word for a kind raises that kind. Every other word is silence: buttons have other uses.
    Event,
    /// A number, or a boolean as 1 and 0.
    Reading(Unit),
    /// Battery in per cent.
    Battery,
    /// When it happened.
    Happened,
    /// True while the device tests itself.
    Test,
    /// Degrees of WGS-84.
    Latitude,
    /// Degrees of WGS-84.
    Longitude,
}

/// Names that every maker uses alike.
pub(crate) const COMMON: &[Field] = &[
    Field { name: "sos", meaning: Meaning::Alarm(Kind::Sos) },
    Field { name: "emergency", meaning: Meaning::Alarm(Kind::Sos) },
    Field { name: "panic", meaning: Meaning::Alarm(Kind::Sos) },
    Field { name: "fall", meaning: Meaning::Alarm(Kind::Fall) },
    Field { name: "fall_detected", meaning: Meaning::Alarm(Kind::Fall) },
    Field { name: "smoke", meaning: Meaning::Alarm(Kind::Smoke) },
    Field { name: "gas", meaning: Meaning::Alarm(Kind::Gas) },
    Field { name: "carbon_monoxide", meaning: Meaning::Alarm(Kind::CarbonMonoxide) },
    Field { name: "water_leak", meaning: Meaning::Alarm(Kind::WaterLeak) },
    Field { name: "bed_exit", meaning: Meaning::Alarm(Kind::BedExit) },
    Field { name: "battery_low", meaning: Meaning::Alarm(Kind::LowBattery) },
    Field { name: "low_battery", meaning: Meaning::Alarm(Kind::LowBattery) },
    Field { name: "tamper", meaning: Meaning::Alarm(Kind::Tamper) },
    Field { name: "action", meaning: Meaning::Event },
    Field { name: "click", meaning: Meaning::Event },
    Field { name: "fall_down_status", meaning: Meaning::Event },
    Field { name: "battery", meaning: Meaning::Battery },
    Field { name: "last_seen", meaning: Meaning::Happened },
    Field { name: "test", meaning: Meaning::Test },
    Field { name: "heart_rate", meaning: Meaning::Reading(Unit::PerMinute) },
    Field { name: "respiratory_rate", meaning: Meaning::Reading(Unit::PerMinute) },
    Field { name: "oxygen_saturation", meaning: Meaning::Reading(Unit::Percent) },
    Field { name: "spo2", meaning: Meaning::Reading(Unit::Percent) },
    Field { name: "systolic_pressure", meaning: Meaning::Reading(Unit::MillimetresOfMercury) },
    Field { name: "diastolic_pressure", meaning: Meaning::Reading(Unit::MillimetresOfMercury) },
    Field { name: "body_temperature", meaning: Meaning::Reading(Unit::Celsius) },
    Field { name: "temperature", meaning: Meaning::Reading(Unit::Celsius) },
    Field { name: "humidity", meaning: Meaning::Reading(Unit::Percent) },
    Field { name: "co2", meaning: Meaning::Reading(Unit::PartsPerMillion) },
    Field { name: "rssi", meaning: Meaning::Reading(Unit::DecibelMilliwatts) },
    Field { name: "linkquality", meaning: Meaning::Reading(Unit::One) },
    Field { name: "steps", meaning: Meaning::Reading(Unit::One) },
    Field { name: "occupancy", meaning: Meaning::Reading(Unit::One) },
    Field { name: "presence", meaning: Meaning::Reading(Unit::One) },
    // False is an open door. Doors are opened all day: whether that is an alert is not for the profile to say.
    Field { name: "contact", meaning: Meaning::Reading(Unit::One) },
];

/// Further names, for fields that an integrator's own codec makes.
pub(crate) const CODEC: &[Field] = &[
    Field { name: "alarm", meaning: Meaning::Call },
    Field { name: "button", meaning: Meaning::Call },
    Field { name: "event", meaning: Meaning::Event },
    Field { name: "waterLeak", meaning: Meaning::Alarm(Kind::WaterLeak) },
    Field { name: "carbonMonoxide", meaning: Meaning::Alarm(Kind::CarbonMonoxide) },
    Field { name: "batteryLow", meaning: Meaning::Alarm(Kind::LowBattery) },
    Field { name: "lowBattery", meaning: Meaning::Alarm(Kind::LowBattery) },
    Field { name: "latitude", meaning: Meaning::Latitude },
    Field { name: "longitude", meaning: Meaning::Longitude },
];

/// Whether `name` is one that every maker uses alike.
pub(crate) fn is_common(name: &str) -> bool {
    COMMON.iter().any(|field| field.name.eq_ignore_ascii_case(name))
}

/// Returns the unit of the reading called `name`.
pub(crate) fn unit(name: &str) -> Option<Unit> {
    COMMON.iter().find(|field| field.name == name).and_then(|field| match field.meaning {
        Meaning::Reading(unit) => Some(unit),
        Meaning::Battery => Some(Unit::Percent),
        Meaning::Alarm(_) | Meaning::Call | Meaning::Event | Meaning::Happened | Meaning::Test => None,
        Meaning::Latitude | Meaning::Longitude => None,
    })
}

/// Returns the readings among the fields of `object`, in the order of the table.
pub(crate) fn readings(object: &Map<String, Value>) -> Vec<Reading> {
    let known = COMMON.iter().filter_map(|field| Some((field.name, unit(field.name)?)));
    known
        .filter_map(|(name, unit)| {
            Some(Reading { name: name.to_owned(), value: number(object.get(name)?)?, unit })
        })
        .collect()
}

/// What the fields of one message say together.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    alerts: Vec<(Kind, String)>,
    restores: Vec<Kind>,
    readings: Vec<Reading>,
    battery: Option<u8>,
    happened: Option<Timestamp>,
    test: bool,
    latitude: Option<Value>,
    longitude: Option<Value>,
    faults: Faults,
    unknown: Option<Reason>,
}

/// Reads the fields of `object` that `tables` name.
///
/// # Errors
/// [`Reason::UnknownAlarm`] when an alarm field has a value nobody understands and no other field raises an alert.
pub(crate) fn read(object: &Map<String, Value>, tables: &[&'static [Field]]) -> Result<Findings, Reason> {
    let mut findings = Findings::default();
    for field in tables.iter().copied().flatten() {
        let same = object.iter().filter(|(name, _)| name.eq_ignore_ascii_case(field.name));
        same.for_each(|(_, value)| findings.take(field, value));
    }
    match findings.unknown.take() {
        Some(unknown) if findings.alerts.is_empty() => Err(unknown),
        Some(_) | None => Ok(findings),
    }
}

impl Findings {
    fn take(&mut self, field: &Field, value: &Value) {
        let name = field.name;
        match field.meaning {
            Meaning::Alarm(kind) => match words::switch(value) {
                Switch::On => self.raise(kind, name, value),
                Switch::Off => self.restores.push(kind),
                Switch::Silent => {}
                Switch::Unknown => self.unknown(name, value),
            },
            Meaning::Call => match (words::switch(value), value.as_str().and_then(words::kind)) {
                (Switch::On, _) => self.raise(Kind::Sos, name, value),
                (Switch::Off | Switch::Silent, _) => {}
                (Switch::Unknown, Some(kind)) => self.raise(kind, name, value),
                (Switch::Unknown, None) => self.unknown(name, value),
            },
            Meaning::Event => {
                if let Some(kind) = value.as_str().and_then(words::kind) {
                    self.raise(kind, name, value);
                }
            }
            Meaning::Reading(unit) => {
                let number = self.faults.read(name, Some(value), number);
                self.measure(name, number, unit);
            }
            Meaning::Battery => {
                self.battery = self.faults.read(name, Some(value), json::percent).or(self.battery);
                self.measure(name, self.battery.map(f64::from), Unit::Percent);
            }
            Meaning::Happened => {
                self.happened = self.faults.read(name, Some(value), json::time).or(self.happened);
            }
            Meaning::Test => {
                self.test |= self.faults.read(name, Some(value), Value::as_bool).unwrap_or(false);
            }
            Meaning::Latitude => self.latitude = Some(value.clone()),
            Meaning::Longitude => self.longitude = Some(value.clone()),
        }
    }

    fn raise(&mut self, kind: Kind, name: &str, value: &Value) {
        let words = format!("{name}: {}", text::quote_value(value));
        match self.alerts.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, detail)) if detail.len() > Content::MAX_DETAIL_BYTES => {}
            Some((_, detail)) => detail.extend([", ", &words]),
            None => self.alerts.push((kind, words)),
        }
    }

    fn unknown(&mut self, field: &'static str, value: &Value) {
        self.faults.note(field);
        self.unknown.get_or_insert_with(|| Reason::UnknownAlarm { field, value: text::quote_value(value) });
    }

    fn measure(&mut self, name: &str, value: Option<f64>, unit: Unit) {
        if let Some(value) = value
            && self.readings.len() < MAX_READINGS
        {
            self.readings.push(Reading { name: name.to_owned(), value, unit });
        }
    }

    fn place(&mut self) -> Option<Place> {
        let known = |degrees: Option<Value>| degrees.filter(|degrees| !degrees.is_null());
        let (latitude, longitude) = (known(self.latitude.take()), known(self.longitude.take()));
        match place::from_degrees(latitude.as_ref(), longitude.as_ref(), CoordinateSystem::Wgs84) {
            Fix::Known(place) => Some(place),
            Fix::Absent => None,
            Fix::Unreadable => {
                self.faults.note("place");
                None
            }
        }
    }

    /// Returns the signals: alerts with the most urgent kind first, restores, and one telemetry.
    ///
    /// One message gives one signal a kind, and an alert silences a restore of the same kind. `message_id` is the id
    /// of the message; each signal adds what it is about, or the second one would look like a copy of the first.
    /// `happened` is used where no field tells a time.
    pub(crate) fn into_signals(
        mut self,
        device: &DeviceId,
        message_id: Option<&str>,
        happened: Option<Timestamp>,
    ) -> Vec<Signal> {
        let mut blank = Signal::new(device.clone(), Content::Heartbeat { online: true });
        blank.place = self.place();
        blank.occurred_at = self.happened.or(happened);
        blank.battery_percent = self.battery;
        blank.test = self.test;
        let signal = |about: &str, content| Signal {
            source_id: message_id.map(|id| format!("{id}/{about}")),
            content,
            ..blank.clone()
        };
        self.alerts.sort_by_key(|(kind, _)| *kind);
        self.restores.sort_unstable();
        self.restores.dedup();
        self.restores.retain(|kind| self.alerts.iter().all(|(raised, _)| raised != kind));

        let mut signals = Vec::new();
        for (kind, words) in &self.alerts {
            let detail = text::detail(words, &self.faults);
            signals.push(signal(kind.as_str(), Content::Alert { kind: *kind, detail }));
        }
        for kind in self.restores {
            signals.push(signal(kind.as_str(), Content::Restore { kind }));
        }
        if !self.readings.is_empty() {
            signals.push(signal("telemetry", Content::Telemetry { readings: self.readings }));
        }
        signals
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(yes) => Some(f64::from(u8::from(*yes))),
        Value::Number(number) => number.as_f64().filter(|number| number.is_finite()),
        Value::Null | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(fields: &Value) -> Result<Vec<Content>, Reason> {
        let object = fields.as_object().expect("an object");
        let device = DeviceId::new("d").expect("a name");
        let signals = read(object, &[COMMON, CODEC])?.into_signals(&device, Some("7"), None);
        Ok(signals.into_iter().map(|signal| signal.content).collect())
    }

    fn alert(kind: Kind, detail: &str) -> Content {
        Content::Alert { kind, detail: detail.to_owned() }
    }

    #[test]
    fn names_are_there_once() {
        let mut names: Vec<_> =
            COMMON.iter().chain(CODEC).map(|field| field.name.to_ascii_lowercase()).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn two_fields_of_one_kind_are_one_alert_and_no_restore() {
        assert_eq!(
            said(&json!({"SOS": true, "action": "emergency", "panic": false})),
            Ok(vec![alert(Kind::Sos, "sos: true, action: emergency")])
        );
    }

    #[test]
    fn the_most_urgent_comes_first() {
        assert_eq!(
            said(&json!({"battery_low": true, "tamper": false, "smoke": 1})),
            Ok(vec![
                alert(Kind::Smoke, "smoke: 1"),
                alert(Kind::LowBattery, "battery_low: true"),
                Content::Restore { kind: Kind::Tamper },
            ])
        );
    }

    #[test]
    fn urgency_and_not_the_table_gives_the_order() {
        assert_eq!(
            said(&json!({"tamper": true, "action": "fall"})),
            Ok(vec![alert(Kind::Fall, "action: fall"), alert(Kind::Tamper, "tamper: true")])
        );
    }

    #[test]
    fn an_alarm_nobody_understands_is_refused_unless_another_is_plain() {
        let unknown = Reason::UnknownAlarm { field: "gas", value: "320".to_owned() };
        assert_eq!(said(&json!({"gas": 320, "smoke": false})), Err(unknown));
        assert_eq!(
            said(&json!({"gas": 320, "smoke": true})),
            Ok(vec![alert(Kind::Smoke, "smoke: true (unreadable: gas)")])
        );
    }

    #[test]
    fn a_call_field_raises_by_word_or_by_truth_and_never_restores() {
        assert_eq!(said(&json!({"button": "emergency"})), Ok(vec![alert(Kind::Sos, "button: emergency")]));
        assert_eq!(said(&json!({"alarm": true})), Ok(vec![alert(Kind::Sos, "alarm: true")]));
        assert_eq!(said(&json!({"alarm": "fall"})), Ok(vec![alert(Kind::Fall, "alarm: fall")]));
        assert_eq!(said(&json!({"alarm": false, "button": "none", "event": "heartbeat"})), Ok(vec![]));
        assert!(said(&json!({"alarm": 2})).is_err());
    }
}
