//! The words every crate shares.
//!
//! A device sends a [`Signal`]. It comes from a [`DeviceId`], says what happened as a [`Kind`], maybe where as a
//! [`Place`], and when as a [`Timestamp`]. How urgent that is, is a [`Priority`]. Who is helped is an [`ElderId`];
//! who goes is a [`ResponderId`] with [`Skills`]. Nothing here decides anything, and nothing here knows a clock, a
//! socket or a disk.

mod certificate;
mod coordinates;
mod ids;
mod kind;
mod place;
mod private;
mod signal;
mod skill;
mod time;
mod travel;

pub use certificate::{Certificates, ExpiryDay};
pub use coordinates::CoordinateSystem;
pub use ids::{
    AlertId, DeviceId, DeviceIdError, ElderId, IncidentId, OfferId, OrgUnitCode, OrgUnitCodeError,
    ProviderId, ResponderId, UserId,
};
pub use kind::{Kind, Priority, UnknownWord};
pub use place::{Metres, Place, PlaceError};
pub use private::Private;
pub use signal::{Content, Reading, Signal, Unit};
pub use skill::{Skill, Skills};
pub use time::{Millis, Timestamp};
pub use travel::TravelMode;
