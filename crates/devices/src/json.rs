//! What do these bytes hold? JSON, read with patience and within limits.

use std::borrow::Cow;

use model::Timestamp;
use serde_json::{Map, Value};

use crate::{MAX_PAYLOAD_BYTES, Reason, sound, text};

/// Longest text that is tried as a time, in bytes.
const MAX_TIME_BYTES: usize = 64;
/// The largest integer that a JSON number with a fraction holds exactly, 2⁵³.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Returns the payload as text without what small devices leave around it: white space, NUL bytes, a byte order
/// mark. Bytes that are not UTF-8 become U+FFFD; the second value is the offset of the first of them.
pub(crate) fn payload_text(payload: &[u8]) -> Result<(Cow<'_, str>, Option<usize>), Reason> {
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(Reason::TooLarge(payload.len()));
    }
    Ok(match std::str::from_utf8(payload) {
        Ok(text) => (Cow::Borrowed(trim(text)), None),
        Err(error) => {
            let text = String::from_utf8_lossy(payload);
            (Cow::Owned(trim(&text).to_owned()), Some(error.valid_up_to()))
        }
    })
}

fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\0' | '\u{feff}'))
}

/// Returns the JSON value in `payload`.
///
/// A text in another encoding, such as a Chinese detail in GBK, does not cost the message: only those characters
/// are replaced.
pub(crate) fn parse(payload: &[u8]) -> Result<Value, Reason> {
    let (text, broken) = payload_text(payload)?;
    serde_json::from_str(&text).map_err(|error| match broken {
        Some(position) => Reason::NotUtf8 { position },
        None => not_json(&error),
    })
}

/// Returns the JSON object in `payload`.
pub(crate) fn parse_object(payload: &[u8]) -> Result<Map<String, Value>, Reason> {
    match parse(payload)? {
        Value::Object(object) => Ok(object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(Reason::NotAnObject)
        }
    }
}

fn not_json(error: &serde_json::Error) -> Reason {
    let fault = error.to_string();
    if fault.starts_with("recursion limit") {
        Reason::TooDeep
    } else {
        Reason::NotJson { fault: text::quote(&fault) }
    }
}

/// Returns a time given as RFC 3339 with an offset, or as whole milliseconds since 1970 in UTC.
pub(crate) fn time(value: &Value) -> Option<Timestamp> {
    let time = match value {
        Value::String(text) if text.len() <= MAX_TIME_BYTES => {
            Timestamp(text.parse::<jiff::Timestamp>().ok()?.as_millisecond())
        }
        Value::Number(number) => Timestamp(number.as_i64().or_else(|| {
            let exact = number.as_f64().filter(|n| n.abs() <= MAX_EXACT && n.fract() == 0.0);
            exact.map(|n| n as i64)
        })?),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    sound::time(time)
}

/// Returns a share of a hundred, rounded to a whole per cent.
pub(crate) fn percent(value: &Value) -> Option<u8> {
    let percent = value.as_f64().filter(|percent| (0.0..=100.0).contains(percent))?;
    Some(percent.round() as u8)
}

/// Returns the id of a message, given as a text or as an integer.
///
/// An integer beyond 64 bits has already lost digits: taken as an id it could make a second call for help look like the
/// first, so it is not.
pub(crate) fn id(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => sound::id(text.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        Value::Number(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_small_devices_leave_around_json_is_ignored() {
        assert_eq!(parse(b"\xef\xbb\xbf {\"a\":1}\r\n\0\0"), Ok(json!({"a": 1})));
    }

    #[test]
    fn another_encoding_costs_characters_and_not_the_message() {
        assert_eq!(
            parse(b"{\"kind\":\"sos\",\"detail\":\"\xbf\xcd\xcc\xfc\"}").map(|v| v["kind"].clone()),
            Ok(json!("sos"))
        );
        assert_eq!(parse(b"{\"a\xff"), Err(Reason::NotUtf8 { position: 3 }));
    }

    #[test]
    fn limits_are_told_apart() {
        assert_eq!(parse(&vec![b' '; MAX_PAYLOAD_BYTES + 1]), Err(Reason::TooLarge(MAX_PAYLOAD_BYTES + 1)));
        assert_eq!(parse("[".repeat(10_000).as_bytes()), Err(Reason::TooDeep));
        assert!(matches!(parse(b""), Err(Reason::NotJson { .. })));
        assert!(matches!(parse(b"1e999"), Err(Reason::NotJson { .. })));
    }

    #[test]
    fn a_time_is_believed_only_within_reason() {
        let noon = Some(Timestamp(1_658_136_855_775));
        assert_eq!(time(&json!("2022-07-18T09:34:15.775023242+00:00")), noon);
        assert_eq!(time(&json!("2022-07-18T17:34:15.775+08:00")), noon);
        assert_eq!(time(&json!(1_658_136_855_775_i64)), noon);
        assert_eq!(time(&json!(1_658_136_855_775.0)), noon);
        for odd in [
            json!("2022-07-18T09:34:15"),
            json!(1_658_136_855),
            json!(u64::MAX),
            json!(i64::MIN),
            json!(1e300),
        ] {
            assert_eq!(time(&odd), None, "{odd}");
        }
    }

    #[test]
    fn an_id_that_could_equal_another_is_none() {
        assert_eq!(id(&json!(42)), Some("42".to_owned()));
        assert_eq!(id(&json!(u64::MAX)), Some(u64::MAX.to_string()));
        for odd in [json!(""), json!(1e30), json!("x".repeat(129)), json!("\u{fffd}"), json!(true)] {
            assert_eq!(id(&odd), None, "{odd}");
        }
    }
}
