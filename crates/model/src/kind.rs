//! Kinds and priorities: what happened, and how urgent that is.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What an alert is about. Which priority a kind has is policy, not written here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Somebody asked for help.
    Sos,
    /// A fall was sensed.
    Fall,
    /// Smoke.
    Smoke,
    /// Combustible gas.
    Gas,
    /// Carbon monoxide.
    CarbonMonoxide,
    /// A vital sign is in the range that kills.
    VitalCritical,
    /// A vital sign is out of its range.
    VitalAbnormal,
    /// Out of bed and not back.
    BedExit,
    /// No sign of life for too long.
    Inactivity,
    /// Left the area agreed on.
    GeofenceExit,
    /// Water on the floor.
    WaterLeak,
    /// Did not report at the agreed time.
    MissedCheckIn,
    /// A door stands open.
    DoorOpen,
    /// The device is not heard of any more.
    DeviceOffline,
    /// The battery must be changed.
    LowBattery,
    /// The device was opened, moved or taken off.
    Tamper,
    /// Somebody tests the line.
    LinkTest,
    /// A message nobody could read. It may be a call for help, so an operator looks at its raw bytes.
    Unreadable,
}

impl Kind {
    /// Every kind, in the order of the domain's table.
    pub const ALL: [Self; 18] = [
        Self::Sos,
        Self::Fall,
        Self::Smoke,
        Self::Gas,
        Self::CarbonMonoxide,
        Self::VitalCritical,
        Self::VitalAbnormal,
        Self::BedExit,
        Self::Inactivity,
        Self::GeofenceExit,
        Self::WaterLeak,
        Self::MissedCheckIn,
        Self::DoorOpen,
        Self::DeviceOffline,
        Self::LowBattery,
        Self::Tamper,
        Self::LinkTest,
        Self::Unreadable,
    ];

    /// The word for this kind on the wire and in configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sos => "sos",
            Self::Fall => "fall",
            Self::Smoke => "smoke",
            Self::Gas => "gas",
            Self::CarbonMonoxide => "carbon_monoxide",
            Self::VitalCritical => "vital_critical",
            Self::VitalAbnormal => "vital_abnormal",
            Self::BedExit => "bed_exit",
            Self::Inactivity => "inactivity",
            Self::GeofenceExit => "geofence_exit",
            Self::WaterLeak => "water_leak",
            Self::MissedCheckIn => "missed_check_in",
            Self::DoorOpen => "door_open",
            Self::DeviceOffline => "device_offline",
            Self::LowBattery => "low_battery",
            Self::Tamper => "tamper",
            Self::LinkTest => "link_test",
            Self::Unreadable => "unreadable",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is none of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {word:?} is unknown: use one of {known}")]
pub struct UnknownWord {
    /// What the word should have named.
    pub what: &'static str,
    /// The word as it came.
    pub word: String,
    /// The words there are.
    pub known: String,
}

impl FromStr for Kind {
    type Err = UnknownWord;
    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or_else(|| UnknownWord {
            what: "kind",
            word: word.to_owned(),
            known: Self::ALL.map(Self::as_str).join(", "),
        })
    }
}

/// How urgent an incident is; [`Priority::P1`] is the most urgent and the smallest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Priority {
    /// Life: dispatch at once.
    P1,
    /// Welfare: dispatch after a call-back window unless an operator acts.
    P2,
    /// An operator decides.
    P3,
    /// Technical task, no dispatch.
    P4,
}

impl Priority {
    /// Every priority, most urgent first.
    pub const ALL: [Self; 4] = [Self::P1, Self::P2, Self::P3, Self::P4];

    /// One step more urgent; P1 stays P1.
    #[must_use]
    pub fn raised(self) -> Self {
        match self {
            Self::P1 | Self::P2 => Self::P1,
            Self::P3 => Self::P2,
            Self::P4 => Self::P3,
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::P1 => "P1",
            Self::P2 => "P2",
            Self::P3 => "P3",
            Self::P4 => "P4",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back_from_its_own_word() {
        for kind in Kind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        let error = "soss".parse::<Kind>().expect_err("no such kind");
        assert!(error.to_string().starts_with("kind \"soss\" is unknown: use one of sos, fall"), "{error}");
    }

    #[test]
    fn the_most_urgent_priority_comes_first() {
        assert!(Priority::P1 < Priority::P4);
        assert_eq!(Priority::P3.raised(), Priority::P2);
        assert_eq!(Priority::P1.raised(), Priority::P1);
    }
}
