//! State: what does the registry know now?

use std::{collections::BTreeMap, fmt, ops::Bound, sync::Arc};

use model::{DeviceId, ElderId, OrgUnitCode, Place, ProviderId, ResponderId};
use serde::{Deserialize, Serialize};

use crate::{Binding, Device, Elder, Event, OrgUnit, Provider, ResidentId, Responder};

/// Every record, and the indexes to find it by. Rebuilt from the events alone.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct State {
    org_units: BTreeMap<OrgUnitCode, OrgUnit>,
    providers: BTreeMap<ProviderId, Provider>,
    responders: BTreeMap<ResponderId, Responder>,
    /// Shared, because whoever answers alerts has them at hand too.
    elders: BTreeMap<ElderId, Arc<Elder>>,
    devices: BTreeMap<DeviceId, Device>,
    /// Oldest first; only the last may be live.
    bindings: BTreeMap<DeviceId, Vec<Binding>>,

    providers_by_external_id: BTreeMap<String, ProviderId>,
    responders_by_external_id: BTreeMap<String, ResponderId>,
    elders_by_external_id: BTreeMap<String, ElderId>,
    elders_by_resident_id: BTreeMap<ResidentId, ElderId>,
    /// The live bindings, from the elder's side.
    devices_by_elder: BTreeMap<ElderId, Vec<DeviceId>>,
}

/// How many records of each kind there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Counties, towns and villages.
    pub org_units: usize,
    /// Organisations.
    pub providers: usize,
    /// People who can be sent.
    pub responders: usize,
    /// People cared for.
    pub elders: usize,
    /// Devices, bound or not.
    pub devices: usize,
}

impl State {
    /// Takes in what happened.
    pub fn evolve(&mut self, event: &Event) {
        match event {
            Event::OrgUnitCreated(unit) => {
                self.org_units.insert(unit.code, unit.clone());
            }
            Event::ProviderCreated(provider) => {
                if let Some(external_id) = provider.external_id.as_deref() {
                    self.providers_by_external_id.insert(external_id.to_owned(), provider.id);
                }
                self.providers.insert(provider.id, provider.clone());
            }
            Event::ResponderCreated(responder) => {
                if let Some(external_id) = responder.external_id.as_deref() {
                    self.responders_by_external_id.insert(external_id.to_owned(), responder.id);
                }
                self.responders.insert(responder.id, responder.clone());
            }
            Event::ElderCreated(elder) => {
                if let Some(external_id) = elder.external_id.as_deref() {
                    self.elders_by_external_id.insert(external_id.to_owned(), elder.id);
                }
                if let Some(resident_id) = *elder.resident_id {
                    self.elders_by_resident_id.insert(resident_id, elder.id);
                }
                self.elders.insert(elder.id, Arc::new(elder.clone()));
            }
            Event::DeviceCreated(device) => {
                self.devices.insert(device.id.clone(), device.clone());
            }
            Event::DeviceBound(binding) => {
                let devices = self.devices_by_elder.entry(binding.elder).or_insert_with(one);
                if let Err(place) = devices.binary_search(&binding.device) {
                    devices.insert(place, binding.device.clone());
                }
                self.bindings.entry(binding.device.clone()).or_insert_with(one).push(binding.clone());
            }
            Event::DeviceUnbound { device, elder, until } => {
                if let Some(devices) = self.devices_by_elder.get_mut(elder) {
                    devices.retain(|other| other != device);
                }
                if let Some(binding) = self.bindings.get_mut(device).and_then(|all| all.last_mut()) {
                    binding.until = Some(*until);
                }
            }
        }
    }

    /// The org unit with this code.
    #[must_use]
    pub fn org_unit(&self, code: OrgUnitCode) -> Option<&OrgUnit> {
        self.org_units.get(&code)
    }

    /// The provider with this number.
    #[must_use]
    pub fn provider(&self, id: ProviderId) -> Option<&Provider> {
        self.providers.get(&id)
    }

    /// The responder with this number.
    #[must_use]
    pub fn responder(&self, id: ResponderId) -> Option<&Responder> {
        self.responders.get(&id)
    }

    /// The elder with this number.
    #[must_use]
    pub fn elder(&self, id: ElderId) -> Option<&Elder> {
        self.elders.get(&id).map(Arc::as_ref)
    }

    /// The elder with this number, to be kept.
    #[must_use]
    pub fn shared_elder(&self, id: ElderId) -> Option<Arc<Elder>> {
        self.elders.get(&id).cloned()
    }

    /// The device that goes by this name.
    #[must_use]
    pub fn device(&self, id: &DeviceId) -> Option<&Device> {
        self.devices.get(id)
    }

    /// The provider that has this number elsewhere.
    #[must_use]
    pub fn provider_by_external_id(&self, external_id: &str) -> Option<&Provider> {
        self.provider(*self.providers_by_external_id.get(external_id)?)
    }

    /// The responder who has this number elsewhere.
    #[must_use]
    pub fn responder_by_external_id(&self, external_id: &str) -> Option<&Responder> {
        self.responder(*self.responders_by_external_id.get(external_id)?)
    }

    /// The elder who has this number elsewhere.
    #[must_use]
    pub fn elder_by_external_id(&self, external_id: &str) -> Option<&Elder> {
        self.elder(*self.elders_by_external_id.get(external_id)?)
    }

    /// The elder with this identity card.
    #[must_use]
    pub fn elder_by_resident_id(&self, id: ResidentId) -> Option<&Elder> {
        self.elder(*self.elders_by_resident_id.get(&id)?)
    }

    /// Every binding of the device, oldest first; only the last may be live.
    #[must_use]
    pub fn bindings(&self, device: &DeviceId) -> &[Binding] {
        self.bindings.get(device).map_or(&[], Vec::as_slice)
    }

    /// The live binding of the device.
    #[must_use]
    pub fn binding_of(&self, device: &DeviceId) -> Option<&Binding> {
        self.bindings(device).last().filter(|binding| binding.until.is_none())
    }

    /// The elder the device belongs to now.
    #[must_use]
    pub fn elder_of(&self, device: &DeviceId) -> Option<&Elder> {
        self.elder(self.binding_of(device)?.elder)
    }

    /// The devices that belong to the elder now, by name.
    pub fn devices_of(&self, elder: ElderId) -> impl Iterator<Item = &Device> {
        self.devices_by_elder.get(&elder).into_iter().flatten().filter_map(|id| self.device(id))
    }

    /// Where the responder starts from: their own base, or else their provider's station.
    #[must_use]
    pub fn base_of(&self, responder: ResponderId) -> Option<Place> {
        let responder = self.responder(responder)?;
        responder.base.or_else(|| self.provider(responder.provider?)?.station)
    }

    /// The org units after this one, by code: a page is `.take(size)`, and its last code asks for the next.
    ///
    /// In order of code all counties come first, then all towns, then all villages.
    pub fn org_units(&self, after: Option<OrgUnitCode>) -> impl Iterator<Item = &OrgUnit> {
        page(&self.org_units, after)
    }

    /// The providers after this one, in order of creation.
    pub fn providers(&self, after: Option<ProviderId>) -> impl Iterator<Item = &Provider> {
        page(&self.providers, after)
    }

    /// The responders after this one, in order of creation.
    pub fn responders(&self, after: Option<ResponderId>) -> impl Iterator<Item = &Responder> {
        page(&self.responders, after)
    }

    /// The elders after this one, in order of creation.
    pub fn elders(&self, after: Option<ElderId>) -> impl Iterator<Item = &Elder> {
        page(&self.elders, after).map(Arc::as_ref)
    }

    /// The devices after this one, by name.
    pub fn devices(&self, after: Option<DeviceId>) -> impl Iterator<Item = &Device> {
        page(&self.devices, after)
    }

    /// How many records of each kind there are.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            org_units: self.org_units.len(),
            providers: self.providers.len(),
            responders: self.responders.len(),
            elders: self.elders.len(),
            devices: self.devices.len(),
        }
    }
}

/// Room for one: few elders have two devices, and few devices have belonged to two elders.
fn one<T>() -> Vec<T> {
    Vec::with_capacity(1)
}

/// The values of `map` whose keys come after `after`, in order.
fn page<K: Ord, V>(map: &BTreeMap<K, V>, after: Option<K>) -> impl Iterator<Item = &V> {
    let start = after.map_or(Bound::Unbounded, Bound::Excluded);
    map.range((start, Bound::Unbounded)).map(|(_, value)| value)
}

/// Counts only: a registry of a county would fill a log, and the keys of its indexes are personal.
impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("State").field(&self.counts()).finish()
    }
}
