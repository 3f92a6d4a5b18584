//! The registry: who is cared for, who may be sent, and which device belongs to whom?
//!
//! A wish is a [`Command`]; [`decide`] turns it into [`Event`]s, or into a [`Rejection`] that names every fault at
//! once; [`State::evolve`] keeps what happened. The same events always give the same [`State`].
//!
//! What always holds:
//!
//! - Every elder, provider and responder belongs to a known org unit, and every town and village to the one above it.
//! - Numbers count up from 0 in order of creation, without gaps, and are never used twice.
//! - A number from elsewhere (`external_id`) names at most one record of its kind, and a resident id at most one elder, so
//!   nobody is entered twice.
//! - A device belongs to at most one elder at a time, and whose it was before stays known.
//! - A file is imported whole or not at all; when it is refused, each refused line is named with what to do.
//! - Names, phones, addresses, homes and notes never reach a log by accident: see [`Private`].

mod category;
mod certificate;
mod check;
mod command;
mod decide;
mod device;
mod draft;
mod elder;
mod event;
mod import;
mod limits;
mod org_unit;
mod provider;
mod rejection;
mod resident_id;
mod responder;
mod state;

pub use category::{Category, CategoryRecord, NewCategory};
pub use certificate::{expires_after, last_day};
pub use check::date_in_china;
pub use command::Command;
pub use decide::decide;
pub use device::{Binding, Device, NewDevice};
pub use elder::{Contact, Elder, Gender, NewElder};
pub use event::Event;
pub use import::{
    CsvRows, ERROR_HEADING, Import, ImportKind, MAX_FILE_BYTES, MAX_ROWS, RowOf, marked, read_csv, unmarked,
};
pub use limits::{
    MAX_ADDRESS_CHARS, MAX_CATEGORIES, MAX_CONTACTS, MAX_EXTERNAL_ID_BYTES, MAX_NAME_CHARS, MAX_NOTES_CHARS,
    MAX_RECORDS,
};
pub use model::Private;
pub use org_unit::{NewOrgUnit, OrgUnit};
pub use provider::{NewProvider, Provider};
pub use rejection::{MAX_VIOLATIONS, Rejection, RejectionKind, Violation};
pub use resident_id::{ResidentId, ResidentIdError};
pub use responder::{NewResponder, Responder};
pub use state::{Counts, State};
