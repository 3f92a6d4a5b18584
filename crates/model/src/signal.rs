//! Signals: one decoded device message.

use serde::{Deserialize, Serialize};

use crate::{DeviceId, Kind, Place, Timestamp};

/// What one device said, in our words. A profile makes it; one message may hold several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Who said it.
    pub device: DeviceId,
    /// The source's own id of this message, unique for the device: the same id again is the same message.
    pub source_id: Option<String>,
    /// When it happened by the device's clock, which may lie.
    pub occurred_at: Option<Timestamp>,
    /// Where, if the device knows. A missing or invalid fix is `None`.
    pub place: Option<Place>,
    /// Remaining battery in percent, 0 to 100.
    pub battery_percent: Option<u8>,
    /// The source marks this as a test or simulation.
    pub test: bool,
    /// What was said.
    pub content: Content,
}

impl Signal {
    /// A signal of which only sender and content are known.
    #[must_use]
    pub fn new(device: DeviceId, content: Content) -> Self {
        Self {
            device,
            source_id: None,
            occurred_at: None,
            place: None,
            battery_percent: None,
            test: false,
            content,
        }
    }
}

/// What a device can say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Content {
    /// Something asks for attention.
    Alert {
        /// What happened.
        kind: Kind,
        /// The device's own words, shown to the operator, at most [`Content::MAX_DETAIL_BYTES`] bytes.
        detail: String,
    },
    /// What was raised before is over. It annotates an incident and never closes it.
    Restore {
        /// What is over.
        kind: Kind,
    },
    /// The wearer says that what was raised is nothing: they pressed the cancel key. Whether that ends anything is for
    /// dispatch to say.
    Cancel,
    /// Measurements.
    Telemetry {
        /// At least one.
        readings: Vec<Reading>,
    },
    /// The device is there, or its connection was lost.
    Heartbeat {
        /// Whether it can be reached.
        online: bool,
    },
}

impl Content {
    /// Longest detail kept of an alert, in bytes of UTF-8.
    pub const MAX_DETAIL_BYTES: usize = 1024;
}

/// One measured value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// What was measured, in lower case with underscores: `heart_rate`, `temperature`.
    pub name: String,
    /// How much, finite.
    pub value: f64,
    /// In which unit.
    pub unit: Unit,
}

/// The units readings come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A count or a ratio without unit.
    One,
    /// Per cent.
    Percent,
    /// Beats or breaths a minute.
    PerMinute,
    /// Degrees Celsius.
    Celsius,
    /// Millimetres of mercury.
    MillimetresOfMercury,
    /// Volts.
    Volts,
    /// Parts per million.
    PartsPerMillion,
    /// Decibels relative to one milliwatt.
    DecibelMilliwatts,
}
