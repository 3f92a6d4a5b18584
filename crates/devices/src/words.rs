//! What does this word mean? The vocabulary that makers share; adding a word is one line.

use model::{Kind, Unit};
use serde_json::Value;

/// Words for kinds besides our own.
const SYNONYMS: &[(&str, Kind)] = &[
    ("emergency", Kind::Sos),
    ("panic", Kind::Sos),
    ("help", Kind::Sos),
    ("fall_detected", Kind::Fall),
    ("fall_down", Kind::Fall),
    ("maybe_fall", Kind::Fall),
    ("fire", Kind::Smoke),
    ("co", Kind::CarbonMonoxide),
    ("leak", Kind::WaterLeak),
    ("battery_low", Kind::LowBattery),
];

/// Words that raise an alarm.
const ON: &[&str] = &["true", "on", "1", "yes", "alarm", "active", "triggered", "detected", "pressed"];
/// Words that say the alarm is over or was never there.
const OFF: &[&str] =
    &["false", "off", "0", "no", "none", "normal", "ok", "clear", "inactive", "idle", "released"];

/// Words for units besides the model's own; UCUM's and those that people write.
const UNITS: &[(&str, Unit)] = &[
    ("one", Unit::One),
    ("1", Unit::One),
    ("percent", Unit::Percent),
    ("%", Unit::Percent),
    ("per_minute", Unit::PerMinute),
    ("bpm", Unit::PerMinute),
    ("/min", Unit::PerMinute),
    ("celsius", Unit::Celsius),
    ("cel", Unit::Celsius),
    ("°c", Unit::Celsius),
    ("millimetres_of_mercury", Unit::MillimetresOfMercury),
    ("mmhg", Unit::MillimetresOfMercury),
    ("mm[hg]", Unit::MillimetresOfMercury),
    ("volts", Unit::Volts),
    ("v", Unit::Volts),
    ("parts_per_million", Unit::PartsPerMillion),
    ("ppm", Unit::PartsPerMillion),
    ("decibel_milliwatts", Unit::DecibelMilliwatts),
    ("dbm", Unit::DecibelMilliwatts),
];

/// Where an alarm stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Switch {
    /// Raised.
    On,
    /// Over, or never raised.
    Off,
    /// Nothing was said: null or an empty text.
    Silent,
    /// Nobody knows.
    Unknown,
}

/// Reads the value of an alarm field. A number besides 0 and 1 is a measurement under an alarm's name: unknown.
pub(crate) fn switch(value: &Value) -> Switch {
    match value {
        Value::Null => Switch::Silent,
        Value::Bool(true) => Switch::On,
        Value::Bool(false) => Switch::Off,
        Value::Number(number) if number.as_f64() == Some(1.0) => Switch::On,
        Value::Number(number) if number.as_f64() == Some(0.0) => Switch::Off,
        Value::String(word) if word.trim().is_empty() => Switch::Silent,
        Value::String(word) if listed(ON, word) => Switch::On,
        Value::String(word) if listed(OFF, word) => Switch::Off,
        Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => Switch::Unknown,
    }
}

/// Returns the kind that is called `word` among us, in any case of letters. Nobody but Anhu may call a message
/// unreadable.
pub(crate) fn own_kind(word: &str) -> Option<Kind> {
    let same = |kind: &Kind| kind.as_str().eq_ignore_ascii_case(word.trim());
    Kind::ALL.into_iter().find(same).filter(|kind| *kind != Kind::Unreadable)
}

/// Whether `word` is what we call the wearer's own "it is nothing".
pub(crate) fn is_cancel(word: &str) -> bool {
    word.trim().eq_ignore_ascii_case("cancel")
}

/// Returns the kind that makers call `word`.
pub(crate) fn kind(word: &str) -> Option<Kind> {
    own_kind(word).or_else(|| look_up(SYNONYMS, word))
}

/// Returns the unit called `word`.
pub(crate) fn unit(word: &str) -> Option<Unit> {
    look_up(UNITS, word)
}

/// Returns whether `word` says that a device is there.
pub(crate) fn presence(word: &str) -> Option<bool> {
    look_up(&[("online", true), ("offline", false)], word)
}

fn listed(words: &[&str], word: &str) -> bool {
    words.iter().any(|known| known.eq_ignore_ascii_case(word.trim()))
}

fn look_up<T: Copy>(table: &[(&str, T)], word: &str) -> Option<T> {
    table.iter().find(|(known, _)| known.eq_ignore_ascii_case(word.trim())).map(|(_, meaning)| *meaning)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_alarm_is_on_off_silent_or_unknown() {
        for on in [json!(true), json!(1), json!("ON"), json!(" alarm ")] {
            assert_eq!(switch(&on), Switch::On, "{on}");
        }
        for off in [json!(false), json!(0), json!("normal")] {
            assert_eq!(switch(&off), Switch::Off, "{off}");
        }
        for silent in [json!(null), json!("")] {
            assert_eq!(switch(&silent), Switch::Silent, "{silent}");
        }
        for unknown in [json!(320), json!("perhaps"), json!([true]), json!({})] {
            assert_eq!(switch(&unknown), Switch::Unknown, "{unknown}");
        }
    }

    #[test]
    fn nobody_but_us_calls_a_message_unreadable() {
        assert_eq!(own_kind(" SOS"), Some(Kind::Sos));
        assert_eq!(own_kind("unreadable"), None);
        assert_eq!(own_kind("emergency"), None);
        assert_eq!(kind("emergency"), Some(Kind::Sos));
        assert_eq!(kind("single"), None);
    }
}
