//! Travel modes: how does a responder get there?

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::UnknownWord;

/// How a responder usually travels to a job. How fast that is, is policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TravelMode {
    /// Walking.
    OnFoot,
    /// Bicycle.
    Bicycle,
    /// Electric bicycle, what most caregivers in town ride.
    #[default]
    EBike,
    /// Car, van or ambulance.
    Car,
}

impl TravelMode {
    /// Every mode.
    pub const ALL: [Self; 4] = [Self::OnFoot, Self::Bicycle, Self::EBike, Self::Car];

    /// The word for this mode on the wire and in configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OnFoot => "on_foot",
            Self::Bicycle => "bicycle",
            Self::EBike => "e_bike",
            Self::Car => "car",
        }
    }
}

impl fmt::Display for TravelMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TravelMode {
    type Err = UnknownWord;
    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == word).ok_or_else(|| UnknownWord {
            what: "travel mode",
            word: word.to_owned(),
            known: Self::ALL.map(Self::as_str).join(", "),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_is_known_by_its_word() {
        for mode in TravelMode::ALL {
            assert_eq!(mode.as_str().parse(), Ok(mode));
        }
        assert!("horse".parse::<TravelMode>().is_err());
    }
}
