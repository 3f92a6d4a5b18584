//! Files: how does the county come into a registry?
//!
//! As the files that a real county would import, cut into pieces, without what the registry has already.

use std::collections::HashSet;

use model::{OrgUnitCode, Place};
use registry::{ImportKind, NewElder, NewOrgUnit, NewProvider, State};

use super::{County, Helper, Home};

/// Rows of one file: small enough that a progress bar moves.
const ROWS: usize = 1000;

/// A file to import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) kind: ImportKind,
    pub(crate) rows: usize,
    pub(crate) csv: Vec<u8>,
}

/// What a registry has already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) org_units: HashSet<String>,
    /// By their numbers elsewhere, as the next two.
    pub(crate) providers: HashSet<String>,
    pub(crate) responders: HashSet<String>,
    pub(crate) elders: HashSet<String>,
    pub(crate) devices: HashSet<String>,
}

impl Known {
    /// What is known in `state`.
    pub(crate) fn of(state: &State) -> Self {
        Self {
            org_units: state.org_units(None).map(|unit| unit.code.to_string()).collect(),
            providers: state.providers(None).filter_map(|provider| (*provider.external_id).clone()).collect(),
            responders: state
                .responders(None)
                .filter_map(|responder| (*responder.external_id).clone())
                .collect(),
            elders: state.elders(None).filter_map(|elder| (*elder.external_id).clone()).collect(),
            devices: state.devices(None).map(|device| device.id.to_string()).collect(),
        }
    }
}

impl County {
    /// The files to import, in this order, for everything that is not `known`.
    pub(crate) fn files(&self, known: &Known) -> Vec<File> {
        let is_new = |set: &HashSet<String>, id: Option<&str>| id.is_none_or(|id| !set.contains(id));
        let mut files = Vec::new();
        let org_units =
            self.org_units.iter().filter(|unit| !known.org_units.contains(&unit.code.to_string()));
        cut(&mut files, ImportKind::OrgUnits, &["code", "name"], org_units.map(org_unit));

        let headings = ["external_id", "name", "phone", "org_unit", "latitude", "longitude"];
        let providers =
            self.providers.iter().filter(|one| is_new(&known.providers, one.external_id.as_deref()));
        cut(&mut files, ImportKind::Providers, &headings, providers.map(provider));

        let headings = ["external_id", "name", "phone", "provider", "org_unit", "skills"];
        let helpers = self.helpers.iter();
        let helpers = helpers.filter(|one| is_new(&known.responders, one.responder.external_id.as_deref()));
        cut(&mut files, ImportKind::Responders, &headings, helpers.map(responder));

        let elders = self.homes.iter().map(|home| &home.elder);
        let elders = elders.filter(|elder| is_new(&known.elders, elder.external_id.as_deref()));
        cut(&mut files, ImportKind::Elders, &ELDER_HEADINGS, elders.map(elder));

        let headings = ["device", "model", "org_unit", "elder"];
        let homes = self.homes.iter().filter(|home| !known.devices.contains(home.device.id.as_str()));
        cut(&mut files, ImportKind::Devices, &headings, homes.map(device));
        files
    }
}

fn cut(files: &mut Vec<File>, kind: ImportKind, headings: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let rows: Vec<_> = rows.collect();
    for some in rows.chunks(ROWS) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let written = writer.write_record(headings);
        let written = written.and_then(|()| some.iter().try_for_each(|row| writer.write_record(row)));
        written.expect("every row has as many cells as there are headings");
        let csv = writer.into_inner().expect("memory takes every row");
        files.push(File { kind, rows: some.len(), csv });
    }
}

fn org_unit(unit: &NewOrgUnit) -> Vec<String> {
    vec![unit.code.to_string(), unit.name.clone()]
}

fn provider(provider: &NewProvider) -> Vec<String> {
    let [latitude, longitude] = degrees(provider.station);
    let (id, name, phone) =
        (optional(&provider.external_id), provider.name.to_string(), provider.phone.to_string());
    vec![id, name, phone, provider.org_unit.to_string(), latitude, longitude]
}

fn responder(helper: &Helper) -> Vec<String> {
    let responder = &helper.responder;
    vec![
        optional(&responder.external_id),
        responder.name.to_string(),
        responder.phone.to_string(),
        helper.provider.clone(),
        responder.org_unit.to_string(),
        responder.skills.to_string(),
    ]
}

const ELDER_HEADINGS: [&str; 21] = [
    "external_id",
    "name",
    "org_unit",
    "birth_date",
    "gender",
    "phone",
    "address",
    "latitude",
    "longitude",
    "categories",
    "categories_since",
    "medical_notes",
    "entry_notes",
    "contact1_name",
    "contact1_phone",
    "contact1_relation",
    "contact1_keyholder",
    "contact2_name",
    "contact2_phone",
    "contact2_relation",
    "contact2_keyholder",
];

fn elder(elder: &NewElder) -> Vec<String> {
    let [latitude, longitude] = degrees(*elder.place);
    let categories: Vec<_> = elder.categories.iter().map(|held| held.category.as_str()).collect();
    let since = elder.categories.first().and_then(|held| held.since);
    let mut row = vec![
        optional(&elder.external_id),
        elder.name.to_string(),
        elder.org_unit.to_string(),
        elder.birth_date.map(|date| date.to_string()).unwrap_or_default(),
        gender(elder.gender).to_owned(),
        elder.phone.to_string(),
        elder.address.to_string(),
        latitude,
        longitude,
        categories.join(" "),
        since.map(|date| date.to_string()).unwrap_or_default(),
        elder.medical_notes.to_string(),
        elder.entry_notes.to_string(),
    ];
    for contact in elder.contacts.iter().take(2) {
        let keyholder = if contact.keyholder { "yes" } else { "no" };
        row.extend([contact.name.to_string(), contact.phone.to_string()]);
        row.extend([contact.relation.clone(), keyholder.to_owned()]);
    }
    row.resize(ELDER_HEADINGS.len(), String::new());
    row
}

fn device(home: &Home) -> Vec<String> {
    let device = &home.device;
    let org_unit = device.org_unit.as_ref().map(OrgUnitCode::to_string).unwrap_or_default();
    vec![device.id.to_string(), device.model.clone(), org_unit, optional(&home.elder.external_id)]
}

fn optional(text: &Option<String>) -> String {
    text.clone().unwrap_or_default()
}

fn gender(gender: registry::Gender) -> &'static str {
    match gender {
        registry::Gender::Unknown => "unknown",
        registry::Gender::Female => "female",
        registry::Gender::Male => "male",
    }
}

/// Latitude and longitude of WGS-84, as precise as a place is.
fn degrees(place: Option<Place>) -> [String; 2] {
    place.map_or_else(Default::default, |place| {
        [format!("{:.7}", place.latitude()), format!("{:.7}", place.longitude())]
    })
}
