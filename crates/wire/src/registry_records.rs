//! Registry records: elders, devices, providers, responders and org units, as requests and responses carry them.

use jiff::civil::Date;
use model::{Certificates, OrgUnitCode, Skill, Skills, TravelMode};
use registry::{
    Binding, Category, CategoryRecord, Contact, Device, Elder, Gender, NewCategory, NewDevice, NewElder,
    NewOrgUnit, NewProvider, NewResponder, OrgUnit, Private, Provider, ResidentId, Responder, expires_after,
    last_day,
};

use crate::{FieldFault, FromWire as _, Name, place_from_request, place_to_wire, time_to_wire, v1};

impl From<&OrgUnit> for v1::OrgUnit {
    fn from(unit: &OrgUnit) -> Self {
        Self { code: unit.code.to_string(), display_name: unit.name.clone() }
    }
}

impl From<&Provider> for v1::Provider {
    fn from(provider: &Provider) -> Self {
        Self {
            name: Name::Provider(provider.id).to_string(),
            external_id: external_id(&provider.external_id),
            display_name: provider.name.to_string(),
            phone: provider.phone.to_string(),
            org_unit: provider.org_unit.to_string(),
            station: provider.station.map(place_to_wire),
        }
    }
}

impl From<&Responder> for v1::Responder {
    fn from(responder: &Responder) -> Self {
        Self {
            name: Name::Responder(responder.id).to_string(),
            external_id: external_id(&responder.external_id),
            display_name: responder.name.to_string(),
            phone: responder.phone.to_string(),
            provider: responder.provider.map(|id| Name::Provider(id).to_string()).unwrap_or_default(),
            org_unit: responder.org_unit.to_string(),
            skills: responder.skills.iter().map(|skill| v1::Skill::from(skill).into()).collect(),
            base: responder.base.map(place_to_wire),
            travels: v1::TravelMode::from(responder.travels).into(),
            certificates: certificates_to_wire(responder.certificates),
        }
    }
}

impl From<&Elder> for v1::Elder {
    fn from(elder: &Elder) -> Self {
        Self {
            name: Name::Elder(elder.id).to_string(),
            external_id: external_id(&elder.external_id),
            display_name: elder.name.to_string(),
            birth_date: elder.birth_date.map(|date| date.to_string()).unwrap_or_default(),
            gender: v1::Gender::from(elder.gender).into(),
            phone: elder.phone.to_string(),
            address: elder.address.to_string(),
            place: elder.place.map(place_to_wire),
            org_unit: elder.org_unit.to_string(),
            categories: elder.categories.iter().map(v1::CategoryRecord::from).collect(),
            contacts: elder.contacts.iter().map(v1::Contact::from).collect(),
            medical_notes: elder.medical_notes.to_string(),
            entry_notes: elder.entry_notes.to_string(),
            resident_id: elder.resident_id.map(String::from).unwrap_or_default(),
        }
    }
}

impl From<&CategoryRecord> for v1::CategoryRecord {
    fn from(record: &CategoryRecord) -> Self {
        Self {
            category: v1::Category::from(record.category).into(),
            since: record.since.to_string(),
            until: record.until.map(|date| date.to_string()).unwrap_or_default(),
        }
    }
}

impl From<&Contact> for v1::Contact {
    fn from(contact: &Contact) -> Self {
        Self {
            display_name: contact.name.to_string(),
            phone: contact.phone.to_string(),
            relation: contact.relation.clone(),
            keyholder: contact.keyholder,
        }
    }
}

impl From<&Device> for v1::Device {
    /// Without what only a running server knows: the elder it belongs to now, and when it was last seen.
    fn from(device: &Device) -> Self {
        Self {
            name: Name::Device(device.id.clone()).to_string(),
            device_id: device.id.to_string(),
            model: device.model.clone(),
            org_unit: device.org_unit.map(|code| code.to_string()).unwrap_or_default(),
            ..Self::default()
        }
    }
}

impl From<&Binding> for v1::Binding {
    fn from(binding: &Binding) -> Self {
        Self {
            device: Name::Device(binding.device.clone()).to_string(),
            elder: Name::Elder(binding.elder).to_string(),
            from: Some(time_to_wire(binding.from)),
            until: binding.until.map(time_to_wire),
        }
    }
}

impl TryFrom<v1::OrgUnit> for NewOrgUnit {
    type Error = FieldFault;
    fn try_from(unit: v1::OrgUnit) -> Result<Self, FieldFault> {
        Ok(Self { code: org_unit("org_unit.code", &unit.code)?, name: unit.display_name })
    }
}

impl TryFrom<v1::Provider> for NewProvider {
    type Error = FieldFault;
    fn try_from(provider: v1::Provider) -> Result<Self, FieldFault> {
        Ok(Self {
            external_id: given(provider.external_id),
            name: provider.display_name.into(),
            phone: provider.phone.into(),
            org_unit: org_unit("provider.org_unit", &provider.org_unit)?,
            station: place_from_request("provider.station", provider.station.as_ref())?,
        })
    }
}

impl TryFrom<v1::Responder> for NewResponder {
    type Error = FieldFault;
    fn try_from(responder: v1::Responder) -> Result<Self, FieldFault> {
        let provider = match responder.provider.as_str() {
            "" => None,
            name => Some(Name::provider("responder.provider", name)?),
        };
        Ok(Self {
            external_id: given(responder.external_id),
            name: responder.display_name.into(),
            phone: responder.phone.into(),
            provider,
            org_unit: org_unit("responder.org_unit", &responder.org_unit)?,
            skills: skills("responder.skills", &responder.skills)?,
            base: place_from_request("responder.base", responder.base.as_ref())?.into(),
            travels: TravelMode::read("responder.travels", responder.travels)?,
            certificates: certificates("responder.certificates", &responder.certificates)?,
        })
    }
}

impl TryFrom<v1::Elder> for NewElder {
    type Error = FieldFault;
    fn try_from(elder: v1::Elder) -> Result<Self, FieldFault> {
        Ok(Self {
            external_id: given(elder.external_id),
            resident_id: resident_id_if_given("elder.resident_id", &elder.resident_id)?.into(),
            name: elder.display_name.into(),
            birth_date: date_if_given("elder.birth_date", &elder.birth_date)?.into(),
            gender: Gender::read("elder.gender", elder.gender)?,
            phone: elder.phone.into(),
            address: elder.address.into(),
            place: place_from_request("elder.place", elder.place.as_ref())?.into(),
            org_unit: org_unit("elder.org_unit", &elder.org_unit)?,
            categories: elder.categories.iter().map(new_category).collect::<Result<_, _>>()?,
            contacts: elder.contacts.into_iter().map(Contact::from).collect(),
            medical_notes: elder.medical_notes.into(),
            entry_notes: elder.entry_notes.into(),
        })
    }
}

impl From<v1::Contact> for Contact {
    fn from(contact: v1::Contact) -> Self {
        Self {
            name: contact.display_name.into(),
            phone: contact.phone.into(),
            relation: contact.relation,
            keyholder: contact.keyholder,
        }
    }
}

impl TryFrom<v1::Device> for NewDevice {
    type Error = FieldFault;
    fn try_from(device: v1::Device) -> Result<Self, FieldFault> {
        let id = model::DeviceId::new(&device.device_id)
            .map_err(|error| FieldFault::new("device.device_id", error.to_string()))?;
        let org_unit = match device.org_unit.as_str() {
            "" => None,
            code => Some(org_unit("device.org_unit", code)?),
        };
        Ok(Self { id, model: device.model, org_unit })
    }
}

fn new_category(record: &v1::CategoryRecord) -> Result<NewCategory, FieldFault> {
    Ok(NewCategory {
        category: Category::read("elder.categories.category", record.category)?,
        since: date_if_given("elder.categories.since", &record.since)?,
        until: date_if_given("elder.categories.until", &record.until)?,
    })
}

pub(crate) fn skills(field: &str, numbers: &[i32]) -> Result<Skills, FieldFault> {
    numbers.iter().map(|number| Skill::read(field, *number)).collect()
}

fn certificates_to_wire(certificates: Certificates) -> Vec<v1::Certificate> {
    let held = Skill::ALL.into_iter().filter_map(|skill| Some((skill, certificates.expiry(skill)?)));
    held.map(|(skill, expires)| v1::Certificate {
        skill: v1::Skill::from(skill).into(),
        valid_until: last_day(expires).to_string(),
    })
    .collect()
}

/// Reads certificates; of two for one skill the later holds.
pub(crate) fn certificates(field: &str, held: &[v1::Certificate]) -> Result<Certificates, FieldFault> {
    held.iter().try_fold(Certificates::NONE, |certificates, one| {
        let skill = Skill::read(&format!("{field}.skill"), one.skill)?;
        let field = format!("{field}.valid_until");
        let last = date_if_given(&field, &one.valid_until)?;
        let expires = last.and_then(expires_after).ok_or_else(|| {
            FieldFault::new(&field, "is not a day from 1970 to 2149: write the last day, like 2027-03-31")
        })?;
        Ok(certificates.with(skill, certificates.expiry(skill).map_or(expires, |known| known.max(expires))))
    })
}

pub(crate) fn org_unit(field: &str, code: &str) -> Result<OrgUnitCode, FieldFault> {
    OrgUnitCode::new(code).map_err(|error| FieldFault::new(field, error.to_string()))
}

pub(crate) fn date_if_given(field: &str, text: &str) -> Result<Option<Date>, FieldFault> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|_| FieldFault::new(field, "is not a day of the form 1946-11-22".to_owned()))
}

pub(crate) fn resident_id_if_given(field: &str, text: &str) -> Result<Option<ResidentId>, FieldFault> {
    if text.is_empty() {
        return Ok(None);
    }
    ResidentId::new(text).map(Some).map_err(|error| FieldFault::new(field, error.to_string()))
}

pub(crate) fn given(text: String) -> Private<Option<String>> {
    Some(text).filter(|text| !text.is_empty()).into()
}

fn external_id(id: &Private<Option<String>>) -> String {
    id.as_deref().unwrap_or_default().to_owned()
}
