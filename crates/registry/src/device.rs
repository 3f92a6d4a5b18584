//! Devices: which device belongs to whom, and since when?

use model::{DeviceId, ElderId, OrgUnitCode, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Event, MAX_NAME_CHARS, RejectionKind, check, draft::Draft};

/// A device that may send signals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// The name it goes by in its topics.
    pub id: DeviceId,
    /// What it is, in the words of whoever entered it; may be empty.
    pub model: String,
    /// Where it belongs, when that is known.
    pub org_unit: Option<OrgUnitCode>,
}

/// A device to enter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDevice {
    /// The name it goes by in its topics, not yet taken.
    pub id: DeviceId,
    /// What it is, up to [`MAX_NAME_CHARS`] characters, or empty.
    pub model: String,
    /// Where it belongs; must be known.
    pub org_unit: Option<OrgUnitCode>,
}

/// The time a device belongs to an elder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The device.
    pub device: DeviceId,
    /// Whose it is.
    pub elder: ElderId,
    /// Since when, this moment included.
    pub from: Timestamp,
    /// Until when, this moment not included; `None` while it lasts.
    pub until: Option<Timestamp>,
}

pub(crate) fn create(draft: &mut Draft<'_>, wish: NewDevice) {
    let NewDevice { id, model, org_unit } = wish;
    draft.require("device.model", check::one_line(&model, MAX_NAME_CHARS));
    if let Some(code) = org_unit {
        draft.require_org_unit("device.org_unit", code);
    }
    if draft.has_device(&id) {
        let in_state = draft.before().device(&id).is_some();
        return draft.refuse_known("device.id", format_args!("devices/{id}"), in_state);
    }
    draft.make(Event::DeviceCreated(Device { id, model, org_unit }));
}

pub(crate) fn bind(draft: &mut Draft<'_>, device: DeviceId, elder: ElderId, from: Timestamp) {
    draft.require("binding.from", check::past_time(from, draft.now));
    require_device(draft, &device);
    if !draft.has_elder(elder) {
        let reason = format!("elders/{elder} is unknown: enter the elder first, or correct the number");
        draft.refuse(RejectionKind::NotFound, "binding.elder", reason);
    }
    match draft.last_binding(&device).map(|last| (last.elder, last.until)) {
        Some((other, None)) => {
            let reason = format!("the device belongs to elders/{other}: unbind it there first");
            draft.refuse(RejectionKind::AlreadyExists, "binding.device", reason);
        }
        Some((other, Some(until))) if from < until => {
            let reason =
                format!("the device belonged to elders/{other} then: give a time after it was unbound");
            draft.refuse(RejectionKind::Invalid, "binding.from", reason);
        }
        Some(_) | None => draft.make(Event::DeviceBound(Binding { device, elder, from, until: None })),
    }
}

pub(crate) fn unbind(draft: &mut Draft<'_>, device: DeviceId, until: Timestamp) {
    draft.require("binding.until", check::past_time(until, draft.now));
    require_device(draft, &device);
    let Some((elder, from)) = draft.before().binding_of(&device).map(|live| (live.elder, live.from)) else {
        let reason = "the device belongs to nobody: there is nothing to unbind";
        return draft.refuse(RejectionKind::NotFound, "binding.device", reason);
    };
    if until < from {
        let reason = "is before the device was bound: give a later time";
        draft.refuse(RejectionKind::Invalid, "binding.until", reason);
    }
    draft.make(Event::DeviceUnbound { device, elder, until });
}

fn require_device(draft: &mut Draft<'_>, device: &DeviceId) {
    if !draft.has_device(device) {
        let reason = format!("devices/{device} is unknown: enter the device first, or correct its id");
        draft.refuse(RejectionKind::NotFound, "binding.device", reason);
    }
}
