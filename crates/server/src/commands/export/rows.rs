//! Rows: what stands in the cells of a record, by the English headings of its kind?

use std::collections::HashMap;

use wire::v1;

/// Contacts a file has columns for.
const CONTACTS: [[&str; 4]; 3] = [
    ["contact1_name", "contact1_phone", "contact1_relation", "contact1_keyholder"],
    ["contact2_name", "contact2_phone", "contact2_relation", "contact2_keyholder"],
    ["contact3_name", "contact3_phone", "contact3_relation", "contact3_keyholder"],
];
/// Between words of one cell.
const BETWEEN: &str = "; ";

/// A record on its way into a file.
pub(super) struct Row {
    /// Its name here, such as `elders/7`.
    pub(super) name: String,
    /// What the file does not hold of it.
    pub(super) lost: Vec<&'static str>,
    cells: Vec<(&'static str, String)>,
}

impl Row {
    fn new(name: String, cells: Vec<(&'static str, String)>) -> Self {
        Self { name, lost: Vec::new(), cells }
    }

    /// As [`Row::new`], of a record that needs a number elsewhere to be imported.
    fn numbered(name: String, external_id: String, cells: Vec<(&'static str, String)>) -> Self {
        let mut row = Self::new(name, cells);
        if external_id.is_empty() {
            row.lost.push("have no external_id: give each one before you import them");
        }
        row.cells.push(("external_id", external_id));
        row
    }

    /// What stands under this heading; nothing when the record does not have it.
    pub(super) fn cell(&self, heading: &str) -> &str {
        self.cells.iter().find(|(known, _)| *known == heading).map_or("", |(_, text)| text)
    }

    /// Puts the numbers elsewhere for names here, because those are others in another server.
    pub(super) fn name_others(&mut self, known: &HashMap<String, String>) {
        for (_, text) in self.cells.iter_mut().filter(|(field, _)| matches!(*field, "provider" | "elder")) {
            if !text.is_empty() {
                *text = known.get(text).cloned().unwrap_or_default();
                if text.is_empty() {
                    self.lost.push("belong to somebody who has no external_id: the cell is empty");
                }
            }
        }
    }

    /// Degrees are WGS-84 whatever they were given in.
    fn with_place(mut self, place: Option<v1::Place>) -> Self {
        if let Some(v1::Place { latitude, longitude, .. }) = place {
            self.cells.push(("latitude", latitude.to_string()));
            self.cells.push(("longitude", longitude.to_string()));
            self.cells.push(("coordinate_system", "wgs84".to_owned()));
        }
        self
    }
}

pub(super) fn org_unit(unit: v1::OrgUnit) -> Row {
    Row::new(String::new(), vec![("code", unit.code), ("name", unit.display_name)])
}

pub(super) fn provider(provider: v1::Provider) -> Row {
    let cells =
        vec![("name", provider.display_name), ("phone", provider.phone), ("org_unit", provider.org_unit)];
    Row::numbered(provider.name, provider.external_id, cells).with_place(provider.station)
}

pub(super) fn responder(responder: v1::Responder) -> Row {
    let skills: Vec<_> = responder.skills().map(skill).collect();
    let certificates = responder.certificates.iter();
    let certificates: Vec<_> =
        certificates.map(|one| format!("{}:{}", skill(one.skill()), one.valid_until)).collect();
    let cells = vec![
        ("travels", word(responder.travels().as_str_name(), "TRAVEL_MODE_")),
        ("name", responder.display_name),
        ("phone", responder.phone),
        ("org_unit", responder.org_unit),
        ("provider", responder.provider),
        ("skills", skills.join(BETWEEN)),
        ("certificates", certificates.join(BETWEEN)),
    ];
    Row::numbered(responder.name, responder.external_id, cells).with_place(responder.base)
}

pub(super) fn elder(elder: v1::Elder) -> Row {
    let cells = vec![
        ("gender", word(elder.gender().as_str_name(), "GENDER_")),
        ("name", elder.display_name),
        ("org_unit", elder.org_unit),
        ("resident_id", elder.resident_id),
        ("birth_date", elder.birth_date),
        ("phone", elder.phone),
        ("address", elder.address),
        ("medical_notes", elder.medical_notes),
        ("entry_notes", elder.entry_notes),
    ];
    let mut row = Row::numbered(elder.name, elder.external_id, cells).with_place(elder.place);
    categories(&mut row, &elder.categories);
    contacts(&mut row, elder.contacts);
    row
}

pub(super) fn device(device: v1::Device) -> Row {
    let cells = vec![
        ("device", device.device_id),
        ("model", device.model),
        ("org_unit", device.org_unit),
        ("elder", device.elder),
    ];
    Row::new(device.name, cells)
}

/// The categories that last, all since the first day of one: a file has one day for them.
fn categories(row: &mut Row, records: &[v1::CategoryRecord]) {
    let lasting: Vec<_> = records.iter().filter(|record| record.until.is_empty()).collect();
    if lasting.len() < records.len() {
        row.lost.push("were in categories that have ended: these are left out");
    }
    let Some(since) = lasting.iter().map(|record| record.since.as_str()).min() else { return };
    if lasting.iter().any(|record| record.since != since) {
        row.lost.push("have categories since several days: the first is written for all");
    }
    let words: Vec<_> =
        lasting.iter().map(|record| word(record.category().as_str_name(), "CATEGORY_")).collect();
    row.cells.push(("categories", words.join(BETWEEN)));
    row.cells.push(("categories_since", since.to_owned()));
}

fn contacts(row: &mut Row, contacts: Vec<v1::Contact>) {
    if contacts.len() > CONTACTS.len() {
        row.lost.push("have more than three contacts: the others are left out");
    }
    for ([name, phone, relation, keyholder], contact) in CONTACTS.into_iter().zip(contacts) {
        let has_key = if contact.keyholder { "yes" } else { "no" };
        row.cells.extend([
            (name, contact.display_name),
            (phone, contact.phone),
            (relation, contact.relation),
            (keyholder, has_key.to_owned()),
        ]);
    }
}

fn skill(skill: v1::Skill) -> String {
    word(skill.as_str_name(), "SKILL_")
}

/// The word a file has for a name of the API: `SKILL_FIRST_AID` is `first_aid`.
fn word(name: &str, prefix: &str) -> String {
    match name.strip_prefix(prefix) {
        Some("UNSPECIFIED") | None => String::new(),
        Some(word) => word.to_ascii_lowercase(),
    }
}
