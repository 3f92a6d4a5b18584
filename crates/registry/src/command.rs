//! Commands: what can be wished for?

use model::{DeviceId, ElderId, Timestamp};

use crate::{Import, NewDevice, NewElder, NewOrgUnit, NewProvider, NewResponder};

/// A wish. [`decide`](crate::decide) grants or refuses it.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Enter a county, town or village.
    CreateOrgUnit(NewOrgUnit),
    /// Enter an organisation.
    CreateProvider(NewProvider),
    /// Enter somebody who can be sent.
    CreateResponder(NewResponder),
    /// Enter a person to care for.
    CreateElder(NewElder),
    /// Enter a device.
    CreateDevice(NewDevice),
    /// Give a device to an elder.
    BindDevice {
        /// The device, which belongs to nobody now.
        device: DeviceId,
        /// The elder it is for.
        elder: ElderId,
        /// Since when, not in the future.
        from: Timestamp,
    },
    /// Take a device back.
    UnbindDevice {
        /// The device, which belongs to somebody now.
        device: DeviceId,
        /// Until when it belonged to them, not in the future.
        until: Timestamp,
    },
    /// Enter every row of a file, or none.
    Import(Import),
}
