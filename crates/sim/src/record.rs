//! Record: what one decision leaves in the journal. The one place that knows how.

use dispatch::Event;
use model::Timestamp;

/// One record, as it stands on the disk.
pub(crate) type Record = Vec<u8>;

/// The record of `events`, decided at `at`.
#[must_use]
pub(crate) fn write(at: Timestamp, events: &[Event]) -> Record {
    wire::dispatch_record(at, events)
}

/// What a record says.
///
/// # Errors
/// Why nobody can read it.
pub(crate) fn read(record: &Record) -> Result<(Timestamp, Vec<Event>), String> {
    wire::read_dispatch_record(record).map_err(|error| error.to_string())
}
