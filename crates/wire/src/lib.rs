//! The wire: generated protobuf, and the conversions between it and the crates below. Nowhere else.
//!
//! What comes from outside is checked here and refused with the field's name; what comes from our own journal must
//! read back exactly, and a record that does not is a [`Unreadable`] that stops the start.

mod access_journal;
mod access_records;
mod device;
mod dispatch_journal;
mod fields;
mod methods;
mod names;
mod registry_journal;
mod registry_records;
mod words;

pub use access_journal::{access_record, read_access_record};
pub use access_records::{etag, grants_from_wire, grants_to_wire, user_to_wire};
pub use device::{PROFILE, signals_of};
pub use dispatch_journal::{DispatchRecord, dispatch_record, read_dispatch_record};
pub use fields::{
    FieldFault, place_from_record, place_from_request, place_to_wire, time_from_wire, time_to_wire,
};
pub use methods::{Method, methods};
pub use names::{Name, NameFault};
pub use registry_journal::{read_registry_record, registry_record};
pub use words::FromWire;

/// What protobuf generates.
#[allow(missing_docs, clippy::all, unreachable_pub, unused_qualifications, clippy::wildcard_enum_match_arm)]
pub mod v1 {
    tonic::include_proto!("anhu.v1");
}

/// The descriptors of every message and service, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/anhu.binpb"));

/// A journal record that this program cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what}: it was written by a newer program, or is damaged; start the newer one, or restore from a backup"
)]
pub struct Unreadable {
    /// What is wrong.
    pub what: String,
}
