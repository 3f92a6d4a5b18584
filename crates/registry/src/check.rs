//! Checks: what may stand in a field?
//!
//! Each check says what is wrong and what to do, and never repeats the value: it may be personal.

use jiff::{civil::Date, tz::Offset};
use model::Timestamp;

use crate::{MAX_EXTERNAL_ID_BYTES, MAX_NAME_CHARS, MAX_NOTES_CHARS};

/// The earliest date a record may hold. Nobody alive was born before it; earlier ones are slips of the pen.
const EARLIEST_YEAR: i16 = 1900;

/// All of China keeps one time, eight hours ahead of UTC, without summer time.
const CHINA: Offset = Offset::constant(8);

/// Shortest and longest phone number in characters: 120, or an international one with blanks.
const PHONE_CHARS: std::ops::RangeInclusive<usize> = 3..=20;

/// Returns the date on a Chinese calendar at `now`.
#[must_use]
pub fn date_in_china(now: Timestamp) -> Date {
    let now = jiff::Timestamp::from_millisecond(now.0);
    CHINA.to_datetime(now.unwrap_or(jiff::Timestamp::UNIX_EPOCH)).date()
}

/// A name: something readable, on one line.
pub(crate) fn name(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("is empty: fill it in".to_owned());
    }
    one_line(text, MAX_NAME_CHARS)
}

/// A text on one line, or nothing.
pub(crate) fn one_line(text: &str, max_chars: usize) -> Result<(), String> {
    if text.chars().any(char::is_control) {
        return Err("holds a line break or another control character: write it on one line".to_owned());
    }
    no_longer_than(text, max_chars)
}

/// A text of several lines, or nothing.
pub(crate) fn notes(text: &str) -> Result<(), String> {
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err("holds a control character: leave it out".to_owned());
    }
    no_longer_than(text, MAX_NOTES_CHARS)
}

/// A number from elsewhere, or nothing.
pub(crate) fn external_id(id: Option<&str>) -> Result<(), String> {
    let Some(id) = id else { return Ok(()) };
    match id.len() {
        0 => {
            Err("is empty: give the number the record has in your own system, or leave the field out"
                .to_owned())
        }
        1..=MAX_EXTERNAL_ID_BYTES if id.trim() != id => {
            Err("starts or ends with a blank: remove it".to_owned())
        }
        1..=MAX_EXTERNAL_ID_BYTES => one_line(id, MAX_EXTERNAL_ID_BYTES),
        bytes => Err(format!("has {bytes} bytes: {MAX_EXTERNAL_ID_BYTES} at most")),
    }
}

/// A phone number, or nothing.
pub(crate) fn phone_if_given(text: &str) -> Result<(), String> {
    if text.is_empty() { Ok(()) } else { phone(text) }
}

/// A phone number.
pub(crate) fn phone(text: &str) -> Result<(), String> {
    let after_plus = text.strip_prefix('+').unwrap_or(text);
    if text.is_empty() {
        return Err("is empty: give a number that can be called".to_owned());
    }
    if !after_plus.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | ' ')) {
        return Err("is not a phone number: write digits, with + in front and - or blanks between".to_owned());
    }
    let digits = text.chars().filter(char::is_ascii_digit).count();
    if digits < *PHONE_CHARS.start() || !PHONE_CHARS.contains(&text.len()) {
        let (least, most) = (PHONE_CHARS.start(), PHONE_CHARS.end());
        return Err(format!(
            "is not a phone number: write {least} to {most} characters, most of them digits"
        ));
    }
    Ok(())
}

/// A date that has come and that somebody alive may remember.
pub(crate) fn past_date(date: Date, today: Date) -> Result<(), String> {
    if date.year() < EARLIEST_YEAR {
        return Err(format!("is before {EARLIEST_YEAR}: correct the year"));
    }
    if date > today {
        return Err("is in the future: correct the date".to_owned());
    }
    Ok(())
}

/// A time that has come.
pub(crate) fn past_time(time: Timestamp, now: Timestamp) -> Result<(), String> {
    if time > now { Err("is in the future: give a time up to now".to_owned()) } else { Ok(()) }
}

fn no_longer_than(text: &str, max_chars: usize) -> Result<(), String> {
    match text.chars().count() {
        chars if chars > max_chars => {
            Err(format!("has {chars} characters: shorten it to {max_chars} at most"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn phone_numbers_as_people_write_them_pass() {
        for number in ["120", "0550-3012345", "138 0000 0000", "+86 138-0000-0000"] {
            assert_eq!(phone(number), Ok(()), "{number}");
        }
        for wrong in ["", "12", "---", "1.38E+10", "86+138", "１３８００００", "123456789012345678901"]
        {
            assert!(phone(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_chinese_day_begins_at_sixteen_hours_utc() {
        assert_eq!(date_in_china(Timestamp(16 * 3_600_000 - 1)), date(1970, 1, 1));
        assert_eq!(date_in_china(Timestamp(16 * 3_600_000)), date(1970, 1, 2));
        assert_eq!(date_in_china(Timestamp(i64::MAX)), date(1970, 1, 1));
    }

    #[test]
    fn a_name_is_one_readable_line_of_64_characters() {
        assert_eq!(name(&"王".repeat(64)), Ok(()));
        assert_eq!(name(&"王".repeat(65)), Err("has 65 characters: shorten it to 64 at most".to_owned()));
        assert!(name("  ").is_err());
        assert!(name("王\n花").is_err());
        assert_eq!(notes("第一行\n第二行"), Ok(()));
    }

    #[test]
    fn a_number_from_elsewhere_has_no_blanks_around_it() {
        assert_eq!(external_id(None), Ok(()));
        assert_eq!(external_id(Some("E 1")), Ok(()));
        for wrong in ["", " E1", "E1\u{3000}", "E\t1", &"x".repeat(65)] {
            assert!(external_id(Some(wrong)).is_err(), "{wrong:?}");
        }
    }
}
