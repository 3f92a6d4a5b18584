//! The directory: whose device is this, and where do they live?

use std::sync::Arc;

use dashmap::DashMap;
use jiff::civil::Date;
use model::{DeviceId, ElderId, OrgUnitCode, Place};
use registry::{Elder, Event};

/// Every elder and every device, for one look-up on the path of an alert. Readers never wait for an import: each
/// record is written on its own.
#[derive(Debug, Default)]
pub struct Directory {
    elders: DashMap<ElderId, Arc<Elder>>,
    devices: DashMap<DeviceId, Option<ElderId>>,
}

/// What an alert needs to know about the one who sent it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Home {
    /// Who lives there.
    pub elder: ElderId,
    /// Where, if located.
    pub place: Option<Place>,
    /// Where they belong.
    pub org_unit: OrgUnitCode,
    /// Lives alone, disabled, or 80 and over.
    pub at_risk: bool,
}

impl Directory {
    /// Writes down an elder that somebody else keeps as well.
    pub fn enter(&self, elder: Arc<Elder>) {
        self.elders.insert(elder.id, elder);
    }

    /// Writes `event` down.
    pub fn fold(&self, event: &Event) {
        match event {
            Event::ElderCreated(elder) => {
                self.enter(Arc::new(elder.clone()));
            }
            Event::DeviceCreated(device) => {
                self.devices.insert(device.id.clone(), None);
            }
            Event::DeviceBound(binding) => {
                let live = binding.until.is_none().then_some(binding.elder);
                self.devices.insert(binding.device.clone(), live);
            }
            Event::DeviceUnbound { device, .. } => {
                self.devices.insert(device.clone(), None);
            }
            Event::OrgUnitCreated(_) | Event::ProviderCreated(_) | Event::ResponderCreated(_) => {}
        }
    }

    /// Whether the registry has this device, bound or not.
    #[must_use]
    pub fn knows(&self, device: &DeviceId) -> bool {
        self.devices.contains_key(device)
    }

    /// The elder this device belongs to.
    #[must_use]
    pub fn elder_of(&self, device: &DeviceId) -> Option<ElderId> {
        self.devices.get(device).and_then(|elder| *elder)
    }

    /// The elder's whole record.
    #[must_use]
    pub fn elder(&self, id: ElderId) -> Option<Arc<Elder>> {
        self.elders.get(&id).map(|elder| Arc::clone(&elder))
    }

    /// The home of the elder this device belongs to; risk is judged on the day `today`.
    #[must_use]
    pub fn home_of(&self, device: &DeviceId, today: Date) -> Option<Home> {
        self.elder_of(device).and_then(|elder| self.home(elder, today))
    }

    /// The home of this elder; risk is judged on the day `today`.
    #[must_use]
    pub fn home(&self, elder: ElderId, today: Date) -> Option<Home> {
        let elder = self.elder(elder)?;
        Some(Home {
            elder: elder.id,
            place: *elder.place,
            org_unit: elder.org_unit,
            at_risk: elder.at_risk(today),
        })
    }
}
