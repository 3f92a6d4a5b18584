//! How much of a foreign text is kept? Enough to recognise it, cut between characters.

use model::Content;
use serde_json::Value;

use crate::sound;

/// Longest piece of a foreign text that an error repeats, in bytes; a topic of ChirpStack fits.
const MAX_QUOTE_BYTES: usize = 96;

/// The fields of one message that could not be read, by name and in order of discovery.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<&'static str>);

impl Faults {
    /// Notes that `field` could not be read.
    pub(crate) fn note(&mut self, field: &'static str) {
        if !self.0.contains(&field) {
            self.0.push(field);
        }
    }

    /// Returns what `read` makes of `value`: nothing when there is none or it is null, and nothing but a note of
    /// `field` when it cannot be read.
    pub(crate) fn read<T>(
        &mut self,
        field: &'static str,
        value: Option<&Value>,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = value.filter(|value| !value.is_null())?;
        let found = read(value);
        if found.is_none() {
            self.note(field);
        }
        found
    }
}

/// Returns the longest beginning of `text` of at most `max` bytes that ends between two characters.
pub(crate) fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

/// Returns the beginning of `text`, short enough for an error.
pub(crate) fn quote(text: &str) -> String {
    cut(text, MAX_QUOTE_BYTES).to_owned()
}

/// Returns the beginning of what `value` says, short enough for an error.
pub(crate) fn quote_value(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => quote(&value.to_string()),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// Returns the detail of an alert: the device's own `words` and, at the end, the names of what could not be read.
///
/// Control characters become spaces. Words are cut before the names are, and all of it to
/// [`Content::MAX_DETAIL_BYTES`].
pub(crate) fn detail(words: &str, faults: &Faults) -> String {
    let max = Content::MAX_DETAIL_BYTES;
    let note = match faults.0.as_slice() {
        [] => String::new(),
        names => format!("(unreadable: {})", names.join(", ")),
    };
    let note = cut(&note, max / 2);
    let room = if note.is_empty() { max } else { max - note.len() - 1 };
    let mut detail = sound::detail_within(words, room);
    if !detail.is_empty() && !note.is_empty() {
        detail.push(' ');
    }
    detail + note
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_detail_is_cut_between_characters_and_keeps_the_note() {
        let mut faults = Faults::default();
        faults.note("battery");
        let long = detail(&"安".repeat(1000), &faults);
        assert!(long.len() <= Content::MAX_DETAIL_BYTES, "{}", long.len());
        assert!(long.ends_with("安 (unreadable: battery)"), "{long}");
        assert_eq!(detail(&long, &Faults::default()), long, "what was cut once is not cut again");
        assert_eq!(detail("", &faults), "(unreadable: battery)");
        assert_eq!(detail("a\nb\0", &Faults::default()), "a b ");
    }
}
