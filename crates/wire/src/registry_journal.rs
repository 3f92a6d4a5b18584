//! The registry journal: one record holds everything that one command entered.

use model::{DeviceId, Timestamp, TravelMode};
use prost::Message as _;
use registry::{Binding, CategoryRecord, Device, Elder, Event, Gender, OrgUnit, Provider, Responder};

use crate::{
    FromWire as _, Name, Unreadable,
    fields::place_from_record,
    registry_records::{certificates, date_if_given, given, org_unit, resident_id_if_given, skills},
    time_from_wire, time_to_wire,
    v1::{self, registry_event},
};

/// Returns the bytes that stand in the journal for `events`, decided at `at`.
#[must_use]
pub fn registry_record(at: Timestamp, events: &[Event]) -> Vec<u8> {
    v1::RegistryRecord { at_ms: at.0, events: events.iter().map(event_to_wire).collect() }.encode_to_vec()
}

/// Reads the bytes of one record.
///
/// # Errors
/// [`Unreadable`] when they are not a record this program understands completely.
pub fn read_registry_record(bytes: &[u8]) -> Result<(Timestamp, Vec<Event>), Unreadable> {
    let record = v1::RegistryRecord::decode(bytes)
        .map_err(|error| Unreadable { what: format!("a registry record does not decode ({error})") })?;
    let events = record.events.into_iter().map(event_from_wire).collect::<Option<Vec<_>>>();
    let events = events.ok_or_else(|| Unreadable {
        what: format!("a registry record decided at {} holds an unknown event or value", record.at_ms),
    })?;
    Ok((Timestamp(record.at_ms), events))
}

fn event_to_wire(event: &Event) -> v1::RegistryEvent {
    use registry_event::Event as W;
    let event = match event {
        Event::OrgUnitCreated(unit) => W::OrgUnitCreated(unit.into()),
        Event::ProviderCreated(provider) => W::ProviderCreated(provider.into()),
        Event::ResponderCreated(responder) => W::ResponderCreated(responder.into()),
        Event::ElderCreated(elder) => W::ElderCreated(elder.into()),
        Event::DeviceCreated(device) => W::DeviceCreated(device.into()),
        Event::DeviceBound(binding) => W::DeviceBound(binding.into()),
        Event::DeviceUnbound { device, elder, until } => W::DeviceUnbound(v1::Binding {
            device: Name::Device(device.clone()).to_string(),
            elder: Name::Elder(*elder).to_string(),
            from: None,
            until: Some(time_to_wire(*until)),
        }),
    };
    v1::RegistryEvent { event: Some(event) }
}

fn event_from_wire(event: v1::RegistryEvent) -> Option<Event> {
    use registry_event::Event as W;
    Some(match event.event? {
        W::OrgUnitCreated(unit) => {
            Event::OrgUnitCreated(OrgUnit { code: org_unit("", &unit.code).ok()?, name: unit.display_name })
        }
        W::ProviderCreated(provider) => Event::ProviderCreated(provider_from_record(provider)?),
        W::ResponderCreated(responder) => Event::ResponderCreated(responder_from_record(responder)?),
        W::ElderCreated(elder) => Event::ElderCreated(elder_from_record(elder)?),
        W::DeviceCreated(device) => Event::DeviceCreated(device_from_record(device)?),
        W::DeviceBound(binding) => Event::DeviceBound(Binding {
            device: Name::device("", &binding.device).ok()?,
            elder: Name::elder("", &binding.elder).ok()?,
            from: time_from_wire(&binding.from?),
            until: binding.until.as_ref().map(time_from_wire),
        }),
        W::DeviceUnbound(binding) => Event::DeviceUnbound {
            device: Name::device("", &binding.device).ok()?,
            elder: Name::elder("", &binding.elder).ok()?,
            until: time_from_wire(&binding.until?),
        },
    })
}

fn provider_from_record(provider: v1::Provider) -> Option<Provider> {
    Some(Provider {
        id: Name::provider("", &provider.name).ok()?,
        external_id: given(provider.external_id),
        name: provider.display_name.into(),
        phone: provider.phone.into(),
        org_unit: org_unit("", &provider.org_unit).ok()?,
        station: if_given(provider.station.as_ref(), place_from_record)?,
    })
}

fn responder_from_record(responder: v1::Responder) -> Option<Responder> {
    let provider = match responder.provider.as_str() {
        "" => None,
        name => Some(Name::provider("", name).ok()?),
    };
    Some(Responder {
        id: Name::responder("", &responder.name).ok()?,
        external_id: given(responder.external_id),
        name: responder.display_name.into(),
        phone: responder.phone.into(),
        provider,
        org_unit: org_unit("", &responder.org_unit).ok()?,
        skills: skills("", &responder.skills).ok()?,
        base: if_given(responder.base.as_ref(), place_from_record)?.into(),
        travels: TravelMode::read("", responder.travels).ok()?,
        certificates: certificates("", &responder.certificates).ok()?,
    })
}

fn elder_from_record(elder: v1::Elder) -> Option<Elder> {
    Some(Elder {
        id: Name::elder("", &elder.name).ok()?,
        external_id: given(elder.external_id),
        resident_id: resident_id_if_given("", &elder.resident_id).ok()?.into(),
        name: elder.display_name.into(),
        birth_date: date_if_given("", &elder.birth_date).ok()?.into(),
        gender: Gender::read("", elder.gender).ok()?,
        phone: elder.phone.into(),
        address: elder.address.into(),
        place: if_given(elder.place.as_ref(), place_from_record)?.into(),
        org_unit: org_unit("", &elder.org_unit).ok()?,
        categories: elder.categories.iter().map(category_from_record).collect::<Option<_>>()?,
        contacts: elder.contacts.into_iter().map(Into::into).collect(),
        medical_notes: elder.medical_notes.into(),
        entry_notes: elder.entry_notes.into(),
    })
}

fn category_from_record(record: &v1::CategoryRecord) -> Option<CategoryRecord> {
    Some(CategoryRecord {
        category: registry::Category::read("", record.category).ok()?,
        since: date_if_given("", &record.since).ok()??,
        until: date_if_given("", &record.until).ok()?,
    })
}

fn device_from_record(device: v1::Device) -> Option<Device> {
    let org_unit = match device.org_unit.as_str() {
        "" => None,
        code => Some(org_unit("", code).ok()?),
    };
    Some(Device { id: DeviceId::new(&device.device_id).ok()?, model: device.model, org_unit })
}

/// Reads what may be absent; `None` is something that is there and wrong.
fn if_given<W, T>(wire: Option<&W>, read: impl Fn(&W) -> Option<T>) -> Option<Option<T>> {
    match wire {
        None => Some(None),
        Some(wire) => read(wire).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use model::{
        Certificates, CoordinateSystem, ElderId, ExpiryDay, OrgUnitCode, Place, ProviderId, ResponderId,
        Skill, Skills,
    };
    use registry::{Category, Contact, ResidentId};

    use super::*;

    #[test]
    fn every_event_reads_back_exactly() {
        let place = Place::new(32.7, 119.0, CoordinateSystem::Gcj02).ok();
        let code = OrgUnitCode::new("341181").expect("six digits");
        let device = DeviceId::new("zb-1").expect("a device id");
        let elder = Elder {
            id: ElderId(0),
            external_id: Some("E-1".to_owned()).into(),
            name: "王桂英".to_owned().into(),
            resident_id: Some(ResidentId::new("11010519491231002X").expect("an id")).into(),
            birth_date: Some(date(1940, 2, 29)).into(),
            gender: Gender::Female,
            phone: "0550-7000000".to_owned().into(),
            address: "幸福路 1 号".to_owned().into(),
            place: place.into(),
            org_unit: code,
            categories: vec![CategoryRecord {
                category: Category::LivesAlone,
                since: date(2020, 1, 1),
                until: Some(date(2030, 1, 1)),
            }],
            contacts: vec![Contact {
                name: "王小明".to_owned().into(),
                phone: "13800000000".to_owned().into(),
                relation: "儿子".to_owned(),
                keyholder: true,
            }],
            medical_notes: "高血压".to_owned().into(),
            entry_notes: "钥匙在邻居家".to_owned().into(),
        };
        let events = vec![
            Event::OrgUnitCreated(OrgUnit { code, name: "天长市".to_owned() }),
            Event::ProviderCreated(Provider {
                id: ProviderId(0),
                external_id: None.into(),
                name: "安心".to_owned().into(),
                phone: String::new().into(),
                org_unit: code,
                station: place,
            }),
            Event::ResponderCreated(Responder {
                id: ResponderId(0),
                external_id: None.into(),
                name: "李".to_owned().into(),
                phone: String::new().into(),
                provider: Some(ProviderId(0)),
                org_unit: code,
                skills: Skills::NONE.with(Skill::Lift),
                base: None.into(),
                travels: TravelMode::Car,
                certificates: Certificates::NONE.with(Skill::Lift, ExpiryDay(20_908)),
            }),
            Event::ElderCreated(elder),
            Event::DeviceCreated(Device { id: device.clone(), model: "SOS".to_owned(), org_unit: None }),
            Event::DeviceBound(Binding {
                device: device.clone(),
                elder: ElderId(0),
                from: Timestamp(5),
                until: None,
            }),
            Event::DeviceUnbound { device, elder: ElderId(0), until: Timestamp(9) },
        ];
        let bytes = registry_record(Timestamp(7), &events);
        assert_eq!(read_registry_record(&bytes), Ok((Timestamp(7), events)));
    }
    #[test]
    fn a_responder_entered_before_there_were_travel_modes_rides_an_electric_bicycle() {
        let responder = v1::Responder {
            name: "responders/3".to_owned(),
            org_unit: "341181".to_owned(),
            ..v1::Responder::default()
        };
        let event = v1::RegistryEvent { event: Some(registry_event::Event::ResponderCreated(responder)) };
        let record = v1::RegistryRecord { at_ms: 7, events: vec![event] }.encode_to_vec();
        let (_, events) = read_registry_record(&record).expect("an old record");
        let Event::ResponderCreated(responder) = &events[0] else { panic!("a responder: {events:?}") };
        assert_eq!(responder.travels, TravelMode::EBike);
        assert_eq!(responder.certificates, Certificates::NONE);
    }
}
