//! Ids: who and what a record is about.
//!
//! Numbers are given by Anhu in order of creation and are never used twice; a device brings its own name.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// An elder, the person cared for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ElderId(pub u64);

/// A responder; also the index of the responder's slot in the roster, so numbers are dense from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResponderId(pub u32);

impl ResponderId {
    /// Nobody: the part of a server that answers the alerts which the server sends itself to see whether it works. Counts
    /// among neither the free nor those on duty, and is above every number that a responder can have.
    pub const WATCHDOG: ResponderId = ResponderId((1 << 24) - 1);
}

/// A provider, the organisation a responder belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProviderId(pub u32);

/// An incident, one open case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IncidentId(pub u64);

/// One alert of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AlertId(pub u64);

/// One offer to one responder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OfferId(pub u64);

/// A user: a person who signs in, or a program with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UserId(pub u32);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ElderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ResponderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ProviderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for OfferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name a device goes by in its topics, such as `zb-kitchen-sos` or `0101010101010101`. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeviceId(Arc<str>);

/// Why a text is not a [`DeviceId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceIdError {
    /// Nothing there.
    #[error("a device id is empty: name the device in the topic or the record")]
    Empty,
    /// More bytes than [`DeviceId::MAX_BYTES`].
    #[error("a device id has {0} bytes: shorten it to {max} at most", max = DeviceId::MAX_BYTES)]
    TooLong(usize),
    /// A character that a topic cannot carry or a log cannot show.
    #[error("a device id holds {0:?}: leave out control characters and the topic wildcards + and #")]
    Character(char),
}

impl DeviceId {
    /// Longest id, in bytes of UTF-8.
    pub const MAX_BYTES: usize = 128;

    /// Returns the id that `text` spells.
    ///
    /// # Errors
    /// [`DeviceIdError`] when the text is empty, longer than [`DeviceId::MAX_BYTES`], or holds a control character
    /// or a topic wildcard.
    pub fn new(text: &str) -> Result<Self, DeviceIdError> {
        if text.is_empty() {
            return Err(DeviceIdError::Empty);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(DeviceIdError::TooLong(text.len()));
        }
        match text.chars().find(|c| c.is_control() || matches!(c, '+' | '#')) {
            Some(c) => Err(DeviceIdError::Character(c)),
            None => Ok(Self(text.into())),
        }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for DeviceId {
    type Error = DeviceIdError;
    fn try_from(text: String) -> Result<Self, DeviceIdError> {
        Self::new(&text)
    }
}

impl From<DeviceId> for String {
    fn from(id: DeviceId) -> String {
        id.0.as_ref().to_owned()
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A division code of GB/T 2260: 6 digits for a county, 9 for a town, 12 for a village.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OrgUnitCode(u64);

/// Why a text or number is not an [`OrgUnitCode`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "division code {0:?} is not 6, 9 or 12 digits: use the GB/T 2260 code of the county, town or village"
)]
pub struct OrgUnitCodeError(pub String);

impl OrgUnitCode {
    /// Returns the code that `text` spells.
    ///
    /// # Errors
    /// [`OrgUnitCodeError`] unless `text` is 6, 9 or 12 decimal digits that do not start with 0.
    pub fn new(text: &str) -> Result<Self, OrgUnitCodeError> {
        let digits_only = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        match (text.len(), digits_only) {
            (6 | 9 | 12, true) => text.parse().map(Self).map_err(|_| OrgUnitCodeError(text.to_owned())),
            _ => Err(OrgUnitCodeError(text.to_owned())),
        }
    }

    /// The unit above: a village's town, a town's county; `None` for a county.
    #[must_use]
    pub fn parent(self) -> Option<Self> {
        (self.0 > 999_999).then_some(Self(self.0 / 1000))
    }

    /// The town this unit is or lies in; `None` for a county.
    #[must_use]
    pub fn town(self) -> Option<Self> {
        match self.0 {
            0..=999_999 => None,
            1_000_000..=999_999_999 => Some(self),
            1_000_000_000.. => Some(Self(self.0 / 1000)),
        }
    }

    /// The county this unit is or lies in.
    #[must_use]
    pub fn county(self) -> Self {
        self.parent().map_or(self, Self::county)
    }

    /// The code as a number, for whoever keeps it in a word; never 0.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }

    /// The code of [`OrgUnitCode::number`]; `None` for a number that is none.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        match number {
            100_000..=999_999 | 100_000_000..=999_999_999 | 100_000_000_000..=999_999_999_999 => {
                Some(Self(number))
            }
            _ => None,
        }
    }

    /// Whether this unit is `other` or lies below it.
    #[must_use]
    pub fn is_within(self, other: Self) -> bool {
        self == other || self.parent().is_some_and(|parent| parent.is_within(other))
    }
}

impl fmt::Display for OrgUnitCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_id_is_what_a_topic_can_carry() {
        assert_eq!(DeviceId::new("客厅 SOS").map(String::from), Ok("客厅 SOS".to_owned()));
        assert_eq!(DeviceId::new(""), Err(DeviceIdError::Empty));
        assert_eq!(DeviceId::new("a+b"), Err(DeviceIdError::Character('+')));
        assert_eq!(DeviceId::new(&"x".repeat(129)), Err(DeviceIdError::TooLong(129)));
    }

    #[test]
    fn a_village_lies_within_its_town_and_county() {
        let village = OrgUnitCode::new("341181001002").expect("twelve digits");
        let county = OrgUnitCode::new("341181").expect("six digits");
        assert_eq!(village.parent().and_then(OrgUnitCode::parent), Some(county));
        assert_eq!(village.town().map(|town| town.to_string()).as_deref(), Some("341181001"));
        assert_eq!((village.county(), county.town()), (county, None));
        assert_eq!(OrgUnitCode::from_number(village.number()), Some(village));
        assert_eq!(OrgUnitCode::from_number(7), None);
        assert!(village.is_within(county));
        assert!(!county.is_within(village));
        assert!(OrgUnitCode::new("34118").is_err());
        assert!(OrgUnitCode::new("041181").is_err());
    }
}
