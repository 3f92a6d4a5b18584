//! Events: what has happened?

use model::{DeviceId, ElderId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Binding, Device, Elder, OrgUnit, Provider, Responder};

/// A fact, with the complete record, so that nothing has to be decided again when the journal is replayed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// A county, town or village was entered.
    OrgUnitCreated(OrgUnit),
    /// An organisation was entered.
    ProviderCreated(Provider),
    /// Somebody who can be sent was entered.
    ResponderCreated(Responder),
    /// A person to care for was entered.
    ElderCreated(Elder),
    /// A device was entered.
    DeviceCreated(Device),
    /// A device was given to an elder.
    DeviceBound(Binding),
    /// A device was taken back.
    DeviceUnbound {
        /// The device.
        device: DeviceId,
        /// The elder it belonged to.
        elder: ElderId,
        /// Until when.
        until: Timestamp,
    },
}
