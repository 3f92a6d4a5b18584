//! Sound: what of a device's words is kept, in whatever form they come? The same for JSON and for protobuf.

use model::{Content, Timestamp};

/// The earliest time believed, 2020-01-01T00:00:00Z. Before it, a clock was never set or seconds were sent as
/// milliseconds; taking either at its word would make a live call for help look years late.
const EARLIEST: Timestamp = Timestamp(1_577_836_800_000);
/// The latest time that calendars can print, the end of the year 9999.
const LATEST: Timestamp = Timestamp(253_402_300_799_999);
/// Longest id of a message, in bytes. A longer one is dropped, not cut: two cut ids could look alike.
const MAX_ID_BYTES: usize = 128;
/// Longest name of a reading, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// Returns the time if a device's clock may be believed about it.
#[must_use]
pub fn time(time: Timestamp) -> Option<Timestamp> {
    (EARLIEST..=LATEST).contains(&time).then_some(time)
}

/// Returns the id of a message if no other message can have the same one by accident.
///
/// A text with replaced characters may equal another: taken as an id it could make a second call for help look like
/// the first.
#[must_use]
pub fn id(text: String) -> Option<String> {
    let sound = !text.is_empty() && text.len() <= MAX_ID_BYTES && !text.contains('\u{fffd}');
    sound.then_some(text)
}

/// Returns the device's own words as an operator may see them: control characters become spaces, and what is longer
/// than [`Content::MAX_DETAIL_BYTES`] is cut between two characters.
#[must_use]
pub fn detail(words: &str) -> String {
    detail_within(words, Content::MAX_DETAIL_BYTES)
}

pub(crate) fn detail_within(words: &str, max: usize) -> String {
    let words = &words[..words.floor_char_boundary(max)];
    words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Whether this may be the name of a reading: lower case, digits and underscores.
#[must_use]
pub fn is_reading_name(name: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    !name.is_empty() && name.len() <= MAX_NAME_BYTES && name.bytes().all(sound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_character_of_two_bytes_makes_a_detail_shorter_and_never_longer() {
        let words = "\u{85}".repeat(1000);
        assert_eq!(detail(&words), " ".repeat(512));
    }
}
