//! Elders: who is cared for, where do they live, and whom do we call?

use jiff::{ToSpan, civil::Date};
use model::{ElderId, OrgUnitCode, Place};
use serde::{Deserialize, Serialize};

use crate::{
    Category, CategoryRecord, Event, MAX_ADDRESS_CHARS, MAX_CATEGORIES, MAX_CONTACTS, MAX_NAME_CHARS,
    NewCategory, Private, RejectionKind, ResidentId, check, draft::Draft,
};

/// From this birthday on an elder counts as at risk.
const ADVANCED_AGE_YEARS: i32 = 80;

/// The person cared for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elder {
    /// Their number.
    pub id: ElderId,
    /// Their number elsewhere.
    pub external_id: Private<Option<String>>,
    /// The number of their identity card, when it is known.
    pub resident_id: Private<Option<ResidentId>>,
    /// Their name.
    pub name: Private<String>,
    /// The day they were born, when that is known.
    pub birth_date: Private<Option<Date>>,
    /// Their gender.
    pub gender: Gender,
    /// Their phone; empty when there is none.
    pub phone: Private<String>,
    /// Where they live, in words; empty when not known.
    pub address: Private<String>,
    /// Where they live, on the map.
    pub place: Private<Option<Place>>,
    /// Where they belong.
    pub org_unit: OrgUnitCode,
    /// Why the state cares for them.
    pub categories: Vec<CategoryRecord>,
    /// Whom to call, in this order.
    pub contacts: Vec<Contact>,
    /// What a helper must know about their health; may be empty.
    pub medical_notes: Private<String>,
    /// How to get in; may be empty.
    pub entry_notes: Private<String>,
}

/// An elder to enter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewElder {
    /// Their number elsewhere, up to [`MAX_EXTERNAL_ID_BYTES`](crate::MAX_EXTERNAL_ID_BYTES), not yet taken.
    pub external_id: Private<Option<String>>,
    /// The number of their identity card, when it is known; not yet taken.
    pub resident_id: Private<Option<ResidentId>>,
    /// Their name, up to [`MAX_NAME_CHARS`] characters.
    pub name: Private<String>,
    /// The day they were born, from 1900 to today. Without it that of the resident id; the two must not differ.
    pub birth_date: Private<Option<Date>>,
    /// Their gender. When unknown, that of the resident id.
    pub gender: Gender,
    /// Their phone, or empty.
    pub phone: Private<String>,
    /// Where they live, up to [`MAX_ADDRESS_CHARS`] characters, or empty.
    pub address: Private<String>,
    /// Where they live, on the map.
    pub place: Private<Option<Place>>,
    /// Where they belong; must be known.
    pub org_unit: OrgUnitCode,
    /// Up to [`MAX_CATEGORIES`]; one category at most once a day.
    pub categories: Vec<NewCategory>,
    /// Up to [`MAX_CONTACTS`], in the order they are called.
    pub contacts: Vec<Contact>,
    /// Up to [`MAX_NOTES_CHARS`](crate::MAX_NOTES_CHARS) characters.
    pub medical_notes: Private<String>,
    /// Up to [`MAX_NOTES_CHARS`](crate::MAX_NOTES_CHARS) characters.
    pub entry_notes: Private<String>,
}

/// Somebody to call: family, neighbour, keyholder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Their name, up to [`MAX_NAME_CHARS`] characters.
    pub name: Private<String>,
    /// Their phone.
    pub phone: Private<String>,
    /// What they are to the elder, such as 女儿; may be empty.
    pub relation: String,
    /// Whether they have a key.
    pub keyholder: bool,
}

/// A gender as the census has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gender {
    /// Nobody said.
    #[default]
    Unknown,
    /// 女.
    Female,
    /// 男.
    Male,
}

impl Elder {
    /// Whether a welfare alert of this elder is raised by one step: lives alone, is disabled, or is 80 or older.
    ///
    /// A record of advanced age counts like the birth date, because many elders are entered without one.
    #[must_use]
    pub fn at_risk(&self, on: Date) -> bool {
        let by_category = self.categories.iter().any(|record| record.holds(on) && is_a_risk(record.category));
        by_category || self.birth_date.is_some_and(|birth| is_of_advanced_age(birth, on))
    }
}

fn is_a_risk(category: Category) -> bool {
    match category {
        Category::AdvancedAge | Category::LivesAlone | Category::Disabled => true,
        Category::EmptyNest
        | Category::LeftBehind
        | Category::Dementia
        | Category::MinimumAllowance
        | Category::Destitute
        | Category::OnlyChildLost
        | Category::SeverelyImpaired => false,
    }
}

fn is_of_advanced_age(birth: Date, on: Date) -> bool {
    birth.checked_add(ADVANCED_AGE_YEARS.years()).is_ok_and(|birthday| birthday <= on)
}

pub(crate) fn create(draft: &mut Draft<'_>, wish: NewElder) {
    draft.require("elder.external_id", check::external_id(wish.external_id.as_deref()));
    draft.require("elder.name", check::name(&wish.name));
    let birth_date = birth_date(draft, &wish);
    if let Some(birth_date) = birth_date {
        draft.require("elder.birth_date", check::past_date(birth_date, draft.today));
    }
    draft.require("elder.phone", check::phone_if_given(&wish.phone));
    draft.require("elder.address", check::one_line(&wish.address, MAX_ADDRESS_CHARS));
    draft.require_org_unit("elder.org_unit", wish.org_unit);
    let categories = check_categories(draft, &wish.categories);
    check_contacts(draft, &wish.contacts);
    draft.require("elder.medical_notes", check::notes(&wish.medical_notes));
    draft.require("elder.entry_notes", check::notes(&wish.entry_notes));
    if let Some(known) = wish.external_id.as_deref().and_then(|id| draft.elder_known_as(id)) {
        let in_state = draft.before().elder(known).is_some();
        return draft.refuse_known("elder.external_id", format_args!("elders/{known}"), in_state);
    }
    if let Some(known) = wish.resident_id.and_then(|id| draft.elder_with(id)) {
        let in_state = draft.before().elder(known).is_some();
        return draft.refuse_known("elder.resident_id", format_args!("elders/{known}"), in_state);
    }
    let gender = match (wish.gender, *wish.resident_id) {
        (Gender::Unknown, Some(id)) => id.gender(),
        (given, _) => given,
    };
    draft.make(Event::ElderCreated(Elder {
        id: draft.next_elder(),
        external_id: wish.external_id,
        resident_id: wish.resident_id,
        name: wish.name,
        birth_date: birth_date.into(),
        gender,
        phone: wish.phone,
        address: wish.address,
        place: wish.place,
        org_unit: wish.org_unit,
        categories,
        contacts: wish.contacts,
        medical_notes: wish.medical_notes,
        entry_notes: wish.entry_notes,
    }));
}

/// The day of birth that was given, or else that of the resident id.
fn birth_date(draft: &mut Draft<'_>, wish: &NewElder) -> Option<Date> {
    let by_id = wish.resident_id.map(|id| id.birth_date());
    if let (Some(given), Some(by_id)) = (*wish.birth_date, by_id)
        && given != by_id
    {
        let reason = "is another day than the resident id holds: correct one of the two";
        draft.refuse(RejectionKind::Invalid, "elder.birth_date", reason);
    }
    wish.birth_date.or(by_id)
}

fn check_categories(draft: &mut Draft<'_>, wishes: &[NewCategory]) -> Vec<CategoryRecord> {
    if wishes.len() > MAX_CATEGORIES {
        let reason = format!("has {} records: {MAX_CATEGORIES} at most", wishes.len());
        draft.refuse(RejectionKind::Invalid, "elder.categories", reason);
        return Vec::new();
    }
    let mut records: Vec<CategoryRecord> = Vec::with_capacity(wishes.len());
    for (index, wish) in wishes.iter().enumerate() {
        let NewCategory { category, since, until } = *wish;
        let record = CategoryRecord { category, since: since.unwrap_or(draft.today), until };
        draft.require(
            format_args!("elder.categories[{index}].since"),
            check::past_date(record.since, draft.today),
        );
        if until.is_some_and(|until| until < record.since) {
            let field = format_args!("elder.categories[{index}].until");
            draft.refuse(RejectionKind::Invalid, field, "is before the first day: correct one of the two");
            continue;
        }
        if records.iter().any(|other| other.overlaps(&record)) {
            let reason = format!("{} is given twice for the same days: keep one", category.as_str());
            draft.refuse(RejectionKind::Invalid, format_args!("elder.categories[{index}]"), reason);
        }
        records.push(record);
    }
    records
}

fn check_contacts(draft: &mut Draft<'_>, contacts: &[Contact]) {
    if contacts.len() > MAX_CONTACTS {
        let reason = format!("has {} entries: {MAX_CONTACTS} at most", contacts.len());
        return draft.refuse(RejectionKind::Invalid, "elder.contacts", reason);
    }
    for (index, contact) in contacts.iter().enumerate() {
        let Contact { name, phone, relation, keyholder: _ } = contact;
        draft.require(format_args!("elder.contacts[{index}].name"), check::name(name));
        draft.require(format_args!("elder.contacts[{index}].phone"), check::phone(phone));
        let relation = check::one_line(relation, MAX_NAME_CHARS);
        draft.require(format_args!("elder.contacts[{index}].relation"), relation);
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn the_eightieth_birthday_counts() {
        assert!(!is_of_advanced_age(date(1946, 11, 23), date(2026, 11, 22)));
        assert!(is_of_advanced_age(date(1946, 11, 22), date(2026, 11, 22)));
        assert!(!is_of_advanced_age(date(9990, 1, 1), date(2026, 11, 22)));
    }
}
