//! Why is a message not read? Value, cause and remedy, for the operator and for the integrator.

use model::{DeviceId, DeviceIdError};

use crate::MAX_PAYLOAD_BYTES;

/// A message nobody could read. It may have been a call for help, so it becomes a case with its raw bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", device.as_ref().map_or("unknown device", DeviceId::as_str))]
pub struct Refusal {
    /// Who sent it, when the topic tells.
    pub device: Option<DeviceId>,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with a message. Foreign texts are cut to 96 bytes; none repeats a whole payload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// No route matches the topic.
    #[error("no profile reads topic {topic:?}: add a route for it, or take it out of the subscription")]
    NotRouted {
        /// The beginning of the topic.
        topic: String,
    },
    /// The topic does not have the levels this profile knows.
    #[error("topic {topic:?} is not {expected}: route it to another profile, or publish there")]
    BadTopic {
        /// The beginning of the topic.
        topic: String,
        /// The shape it should have.
        expected: &'static str,
    },
    /// The topic names a device in a way no device can be called.
    #[error(transparent)]
    Device(#[from] DeviceIdError),
    /// More bytes than [`MAX_PAYLOAD_BYTES`].
    #[error("the payload has {0} bytes: send {MAX_PAYLOAD_BYTES} at most")]
    TooLarge(usize),
    /// Bytes that are no text, and not JSON even with those bytes replaced.
    #[error("byte {position} of the payload is not UTF-8: the message was damaged, or send UTF-8")]
    NotUtf8 {
        /// Offset of the first such byte.
        position: usize,
    },
    /// Text that is not JSON.
    #[error("the payload is not JSON ({fault}): the message was damaged, or send JSON")]
    NotJson {
        /// What the parser found, and where.
        fault: String,
    },
    /// Lists or objects within one another beyond the parser's limit of 128.
    #[error("the JSON is nested more than 128 levels deep: send flat objects")]
    TooDeep,
    /// JSON, but no object with named fields.
    #[error("the payload is JSON but not an object: send named fields in braces")]
    NotAnObject,
    /// A field without which the message says nothing.
    #[error("the field {0:?} is missing: send it")]
    MissingField(&'static str),
    /// The kind of an alert is none of ours.
    #[error("kind {0:?} is unknown: send one of the kinds of Anhu")]
    UnknownKind(String),
    /// Whether the device is there cannot be told.
    #[error("state {0:?} is unknown: send online or offline")]
    UnknownState(String),
    /// A field that may mean an alarm has a value that nobody understands.
    #[error("the alarm field {field:?} is {value}, which is neither on nor off: send true or false")]
    UnknownAlarm {
        /// The field.
        field: &'static str,
        /// The beginning of its value.
        value: String,
    },
    /// Measurements were sent, and none of them has a name, a finite value and a known unit.
    #[error("no reading can be understood: send name, value and unit")]
    NoReadings,
    /// The network server passed on bytes it did not decode.
    #[error("the bytes of the device were not decoded: set up a codec for this device profile in ChirpStack")]
    NoCodec,
}
