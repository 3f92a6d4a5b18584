//! Cells: what does one row say, column by column?
//!
//! A cell nobody understands is a fault with its line; the row goes on without it, so that all its faults are told.

use csv::StringRecord;
use jiff::civil::Date;
use model::{Certificates, CoordinateSystem, DeviceId, OrgUnitCode, Place, PlaceError, Skill, TravelMode};

use super::{Heading, heading_of, mark::unmarked, shown};
use crate::{
    Category, Gender, Private, RejectionKind, ResidentId, Violation, expires_after, rejection::Faults,
};

/// One row.
pub(crate) struct Cells<'a> {
    pub(crate) line: u64,
    /// Which field each cell of the row fills.
    pub(crate) columns: &'a [Heading],
    pub(crate) record: &'a StringRecord,
    /// How to name each field in a fault.
    pub(crate) spellings: &'a [Heading],
    pub(crate) faults: &'a mut Faults,
}

impl<'a> Cells<'a> {
    /// The text of the column, without blanks around it; empty when the file has no such column.
    pub(crate) fn raw(&self, field: &str) -> &'a str {
        let column = self.columns.iter().position(|heading| heading.field == field);
        unmarked(column.and_then(|column| self.record.get(column)).unwrap_or_default())
    }

    pub(crate) fn text(&self, field: &str) -> Private<String> {
        self.raw(field).into()
    }

    /// The number the row has elsewhere. It is what makes a second import of the same file refuse the row.
    pub(crate) fn external_id(&mut self) -> Private<Option<String>> {
        let id = self.reference("external_id");
        if id.is_none() {
            self.refuse(
                "external_id",
                "is empty: give the row a number of its own, so that it is not entered twice",
            );
        }
        id
    }

    /// The number of another record, or nothing.
    pub(crate) fn reference(&self, field: &str) -> Private<Option<String>> {
        let id = self.raw(field);
        (!id.is_empty()).then(|| id.to_owned()).into()
    }

    pub(crate) fn org_unit(&mut self, field: &str) -> Option<OrgUnitCode> {
        let code = OrgUnitCode::new(self.raw(field)).ok();
        if code.is_none() {
            self.refuse(
                field,
                "is not 6, 9 or 12 digits: use the GB/T 2260 code of the county, town or village",
            );
        }
        code
    }

    pub(crate) fn device(&mut self, field: &str) -> Option<DeviceId> {
        match DeviceId::new(self.raw(field)) {
            Ok(id) => Some(id),
            Err(error) => {
                self.refuse(field, &error.to_string());
                None
            }
        }
    }

    pub(crate) fn date(&mut self, field: &str) -> Option<Date> {
        let text = self.raw(field);
        let date = date(text);
        if date.is_none() && !text.is_empty() {
            self.refuse(field, "is not a date: write it like 1941-03-05");
        }
        date
    }

    pub(crate) fn resident_id(&mut self, field: &str) -> Option<ResidentId> {
        match self.raw(field) {
            "" => None,
            text => ResidentId::new(text).map_err(|error| self.refuse(field, &error.to_string())).ok(),
        }
    }

    pub(crate) fn gender(&mut self, field: &str) -> Gender {
        match self.raw(field) {
            "female" | "f" | "女" => Gender::Female,
            "male" | "m" | "男" => Gender::Male,
            "" | "unknown" | "未知" => Gender::Unknown,
            _ => {
                self.refuse(field, "is unknown: write female (女), male (男) or nothing");
                Gender::Unknown
            }
        }
    }

    pub(crate) fn yes(&mut self, field: &str) -> bool {
        match self.raw(field).to_ascii_lowercase().as_str() {
            "yes" | "true" | "1" | "是" | "有" => true,
            "" | "no" | "false" | "0" | "否" | "无" => false,
            _ => {
                self.refuse(field, "is unknown: write yes (是) or no (否)");
                false
            }
        }
    }

    pub(crate) fn skills(&mut self, field: &str) -> Vec<Skill> {
        self.words(field, &Skill::ALL, |skill| [skill.as_str(), chinese(skill)])
    }

    pub(crate) fn travel_mode(&mut self, field: &str) -> TravelMode {
        let word = self.raw(field).to_ascii_lowercase();
        let named = |mode: &TravelMode| word == mode.as_str() || word == chinese_mode(*mode);
        match TravelMode::ALL.into_iter().find(named) {
            Some(mode) => mode,
            None if word.is_empty() => TravelMode::default(),
            None => {
                let known = TravelMode::ALL.map(|mode| format!("{mode} ({})", chinese_mode(mode)));
                self.refuse(field, &format!("is unknown: use {} or nothing", known.join(", ")));
                TravelMode::default()
            }
        }
    }

    /// `nursing:2027-03-31; lift:2026-12-01`: a skill and the last day on which its certificate holds.
    pub(crate) fn certificates(&mut self, field: &str) -> Certificates {
        let mut certificates = Certificates::NONE;
        for one in self.raw(field).split(is_separator).filter(|one| !one.is_empty()) {
            match certificate(one) {
                Some((skill, expires)) => certificates = certificates.with(skill, expires),
                None => {
                    let remedy = "is not a skill and the last day of its certificate: write nursing:2027-03-31, \
                                  several separated by ;";
                    self.refuse(field, remedy);
                }
            }
        }
        certificates
    }

    pub(crate) fn categories(&mut self, field: &str) -> Vec<Category> {
        self.words(field, &Category::ALL, |category| [category.as_str(), category.chinese()])
    }

    /// The place of the columns latitude, longitude and coordinate system; both or neither of the numbers are given.
    pub(crate) fn place(&mut self) -> Option<Place> {
        let system = match self.raw(SYSTEM).to_ascii_lowercase().as_str() {
            "" | "wgs84" | "wgs-84" => CoordinateSystem::Wgs84,
            "gcj02" | "gcj-02" => CoordinateSystem::Gcj02,
            "bd09" | "bd-09" => CoordinateSystem::Bd09,
            _ => {
                self.refuse(SYSTEM, "is unknown: write wgs84, gcj02 or bd09");
                return None;
            }
        };
        match (self.degrees(LATITUDE)?, self.degrees(LONGITUDE)?) {
            (None, None) => None,
            (Some(_), None) => {
                self.no_place(LONGITUDE, "is empty: fill it in, or empty the latitude as well")
            }
            (None, Some(_)) => {
                self.no_place(LATITUDE, "is empty: fill it in, or empty the longitude as well")
            }
            (Some(latitude), Some(longitude)) => match Place::new(latitude, longitude, system) {
                Ok(place) => Some(place),
                Err(PlaceError::Latitude(_)) => {
                    self.no_place(LATITUDE, "is not within ±90°: perhaps it is swapped with the longitude")
                }
                Err(PlaceError::Longitude(_)) => self.no_place(LONGITUDE, "is not within ±180°: correct it"),
                Err(PlaceError::NoFix) => self.no_place(LATITUDE, "and longitude are 0: leave both empty"),
            },
        }
    }

    pub(crate) fn refuse(&mut self, field: &str, reason: &str) {
        let spelling = heading_of(self.spellings, field);
        let (line, value, reason) = (Some(self.line), shown(self.raw(field)), reason.to_owned());
        self.faults.push(RejectionKind::Invalid, Violation { line, field: spelling, value, reason });
    }

    fn no_place(&mut self, field: &str, reason: &str) -> Option<Place> {
        self.refuse(field, reason);
        None
    }

    /// A number of degrees, nothing, or (outer `None`) a fault.
    fn degrees(&mut self, field: &str) -> Option<Option<f64>> {
        match self.raw(field) {
            "" => Some(None),
            text => match text.parse() {
                Ok(degrees) => Some(Some(degrees)),
                Err(_) => {
                    self.refuse(field, "is not a number: write degrees with a point, like 32.6891");
                    None
                }
            },
        }
    }

    /// What the words of a cell name, each once. `names` gives the English and the Chinese word.
    fn words<T: Copy + PartialEq>(
        &mut self,
        field: &str,
        all: &[T],
        names: fn(T) -> [&'static str; 2],
    ) -> Vec<T> {
        let mut found = Vec::new();
        for word in self.raw(field).split(is_separator).filter(|word| !word.is_empty()) {
            let word = word.to_ascii_lowercase();
            match all.iter().find(|item| names(**item).contains(&word.as_str())) {
                Some(item) if found.contains(item) => {}
                Some(item) => found.push(*item),
                None => {
                    let known = all.iter().map(|item| format!("{} ({})", names(*item)[0], names(*item)[1]));
                    let known = known.collect::<Vec<_>>().join(", ");
                    self.refuse(field, &format!("holds an unknown word: use {known}"));
                }
            }
        }
        found
    }
}

pub(crate) const LATITUDE: &str = "place.latitude";
pub(crate) const LONGITUDE: &str = "place.longitude";
pub(crate) const SYSTEM: &str = "place.coordinate_system";

fn is_separator(c: char) -> bool {
    c.is_whitespace() || matches!(c, ';' | '；' | '、' | '|' | ',' | '，')
}

fn chinese(skill: Skill) -> &'static str {
    match skill {
        Skill::FirstAid => "急救",
        Skill::Lift => "搬抬",
        Skill::Nursing => "护理",
        Skill::FireSafety => "消防",
        Skill::HomeRepair => "维修",
        Skill::DementiaCare => "失智照护",
    }
}

fn chinese_mode(mode: TravelMode) -> &'static str {
    match mode {
        TravelMode::OnFoot => "步行",
        TravelMode::Bicycle => "自行车",
        TravelMode::EBike => "电动车",
        TravelMode::Car => "汽车",
    }
}

fn certificate(text: &str) -> Option<(Skill, model::ExpiryDay)> {
    let (word, last) = text.split_once([':', '：'])?;
    let named = |skill: &Skill| word.eq_ignore_ascii_case(skill.as_str()) || word == chinese(*skill);
    let skill = Skill::ALL.into_iter().find(named)?;
    Some((skill, expires_after(date(last)?)?))
}

/// The date written as 1941-03-05, 1941/3/5, 1941.3.5, 1941年3月5日 or 19410305.
fn date(text: &str) -> Option<Date> {
    if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Date::new(text[..4].parse().ok()?, text[4..6].parse().ok()?, text[6..].parse().ok()?).ok();
    }
    let mut parts = text.trim_end_matches('日').split(['-', '/', '.', '年', '月']);
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let complete = parts.next().is_none() && year.len() == 4;
    let date = || Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok();
    if complete { date() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_read_in_each_way_people_write_it() {
        let expected = Date::new(1941, 3, 5).ok();
        for text in ["1941-03-05", "1941/3/5", "1941.3.5", "1941年3月5日", "19410305"] {
            assert_eq!(date(text), expected, "{text}");
        }
        for wrong in ["", "5.3.1941", "1941-02-30", "1941", "41-3-5", "1941-3-5 0:00", "194103055"] {
            assert_eq!(date(wrong), None, "{wrong}");
        }
    }
}
