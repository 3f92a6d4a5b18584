//! The dispatch journal: one record holds everything that was decided together.

mod from_wire;
#[cfg(test)]
mod tests;
mod to_wire;

use dispatch::Event;
use model::Timestamp;
use prost::{Message as _, encoding};

use crate::{Unreadable, v1};
use from_wire::event_from_wire;
use to_wire::event_to_wire;

/// A record in the making: it grows event by event, so that its length is known before it is too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DispatchRecord {
    bytes: Vec<u8>,
}

impl DispatchRecord {
    /// A record without events, decided at `at`.
    #[must_use]
    pub fn new(at: Timestamp) -> Self {
        Self { bytes: v1::DispatchRecord { at_ms: at.0, events: Vec::new() }.encode_to_vec() }
    }

    /// Adds what was decided next.
    pub fn push(&mut self, event: &Event) {
        // Messages in a row are one message with the fields of all, and lists are joined.
        encoding::message::encode(EVENTS, &event_to_wire(event), &mut self.bytes);
    }

    /// The bytes that stand in the journal.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The number of the field that lists the events.
const EVENTS: u32 = 2;

/// Returns the bytes that stand in the journal for `events`, decided at `at`.
#[must_use]
pub fn dispatch_record(at: Timestamp, events: &[Event]) -> Vec<u8> {
    let mut record = DispatchRecord::new(at);
    events.iter().for_each(|event| record.push(event));
    record.bytes
}

/// Reads the bytes of one record.
///
/// # Errors
/// [`Unreadable`] when they are not a record this program understands completely.
pub fn read_dispatch_record(bytes: &[u8]) -> Result<(Timestamp, Vec<Event>), Unreadable> {
    let record = v1::DispatchRecord::decode(bytes)
        .map_err(|error| Unreadable { what: format!("a dispatch record does not decode ({error})") })?;
    let events = record.events.into_iter().map(event_from_wire).collect::<Option<Vec<_>>>();
    let events = events.ok_or_else(|| Unreadable {
        what: format!("a dispatch record decided at {} holds an unknown event or value", record.at_ms),
    })?;
    Ok((Timestamp(record.at_ms), events))
}
