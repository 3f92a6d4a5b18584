//! Private: how does personal data stay out of the logs?

use std::{fmt, ops::Deref};

use serde::{Deserialize, Serialize};

/// A value about a person. It prints as `…`, so a record that holds it may be logged or shown by a failed test.
///
/// Read it like the value itself: `elder.name.chars()`, `*elder.place`. It has no `Display`, so that handing it out
/// as text is always somebody's visible decision.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Private<T>(T);

impl<T> Private<T> {
    /// The value, no longer protected.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Private<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Private<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl<T> From<T> for Private<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl From<&str> for Private<String> {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_name_is_read_but_not_printed() {
        let name = Private::<String>::from("王小花");
        assert_eq!(name.chars().count(), 3);
        assert_eq!(format!("{name:?}"), "…");
    }
}
