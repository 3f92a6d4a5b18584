//! Mark: how does a text that looks like a formula stay a text in a spreadsheet?
//!
//! It gets `'` in front, as a person would type it; reading takes that away again.

use std::borrow::Cow;

/// The text as it stands in a CSV file: nothing a spreadsheet would calculate.
///
/// A negative number keeps its sign and nothing more.
#[must_use]
pub fn marked(text: &str) -> Cow<'_, str> {
    let is_number = text.starts_with('-') && text.parse::<f64>().is_ok();
    if is_formula(text) && !is_number { format!("'{text}").into() } else { text.into() }
}

/// The text that [`marked`] was given.
#[must_use]
pub fn unmarked(text: &str) -> &str {
    text.strip_prefix('\'').filter(|rest| is_formula(rest)).unwrap_or(text)
}

/// Whether a spreadsheet, or [`unmarked`], would take it for something else.
fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\''])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_marked_is_read_as_it_was_and_starts_no_formula() {
        for text in
            ["", "甲", "=1+1", "+86 138", "-2+3", "@sum", "'", "''", "'=1", "'甲", "-33.5", "-", "a=1"]
        {
            let written = marked(text);
            assert_eq!(unmarked(&written), text);
            assert!(!written.starts_with(['=', '+', '@']), "{written}");
        }
        assert_eq!((marked("-33.5").as_ref(), marked("-2+3").as_ref()), ("-33.5", "'-2+3"));
    }
}
