//! Resident ids: is this the number of somebody's identity card (公民身份号码)?
//!
//! GB 11643-1999: six digits of the place where it was first given, eight of the day of birth, three in order of which the last
//! is odd for men, and a check character. Ids of the first generation have fifteen digits; they are brought to the new form.

use std::{fmt, str};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::Gender;

/// GB 11643-1999, the weights of the first seventeen digits and the check characters by remainder.
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CHECKS: [u8; 11] = *b"10X98765432";

/// The first two digits there can be: the provinces of GB/T 2260. The other four are not looked up: they name a place as
/// it was when the id was given, and many of those have been merged or renamed since.
const PROVINCES: [(u8, u8); 8] =
    [(11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65), (71, 71), (81, 83)];

/// A resident id with a check character that is right. Like other personal data it is not printed by `Debug`.
///
/// Where somebody lives does not follow from it, so nothing here says that.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResidentId([u8; 18]);

/// Why a text is not a resident id. It does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResidentIdError {
    /// Neither 18 characters nor 15.
    #[error("is not 18 characters (or 15 of an old card): digits, and X only at the end")]
    Form,
    /// No province begins like this.
    #[error("begins with the digits of no province: correct the first two")]
    Province,
    /// No day of a calendar.
    #[error("holds a day of birth that never was: correct digits 7 to 14")]
    Birth,
    /// Some digit is wrong.
    #[error("has a check character that does not fit: a digit is wrong or two were swapped")]
    Check,
}

impl ResidentId {
    /// Reads an id of 18 characters, or of 15 as of an old card. Blanks around it and a small x do not matter.
    ///
    /// # Errors
    /// [`ResidentIdError`].
    pub fn new(text: &str) -> Result<Self, ResidentIdError> {
        let text = text.trim().as_bytes();
        let id = match text.len() {
            18 => Self(text.to_ascii_uppercase().try_into().map_err(|_| ResidentIdError::Form)?),
            15 => Self::from_old(text),
            _ => return Err(ResidentIdError::Form),
        };
        let (digits, check) = (&id.0[..17], id.0[17]);
        if !digits.iter().all(u8::is_ascii_digit) || !(check.is_ascii_digit() || check == b'X') {
            return Err(ResidentIdError::Form);
        }
        let province = id.number(0..2) as u8;
        if !PROVINCES.iter().any(|(first, last)| (*first..=*last).contains(&province)) {
            return Err(ResidentIdError::Province);
        }
        id.day().ok_or(ResidentIdError::Birth)?;
        if check_of(digits) == check { Ok(id) } else { Err(ResidentIdError::Check) }
    }

    /// Cards of fifteen digits were given until 1999: of everybody born in the twentieth century.
    fn from_old(text: &[u8]) -> Self {
        let mut id = [0; 18];
        id[..6].copy_from_slice(&text[..6]);
        id[6..8].copy_from_slice(b"19");
        id[8..17].copy_from_slice(&text[6..]);
        id[17] = if text.iter().all(u8::is_ascii_digit) { check_of(&id[..17]) } else { 0 };
        Self(id)
    }

    /// All eighteen characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The day of birth it holds.
    #[must_use]
    pub fn birth_date(&self) -> Date {
        self.day().unwrap_or_default()
    }

    /// The gender it holds.
    #[must_use]
    pub fn gender(&self) -> Gender {
        if self.number(16..17) % 2 == 1 { Gender::Male } else { Gender::Female }
    }

    fn day(&self) -> Option<Date> {
        let (year, month, day) = (self.number(6..10), self.number(10..12), self.number(12..14));
        Date::new(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?).ok()
    }

    fn number(&self, digits: std::ops::Range<usize>) -> u16 {
        self.0[digits].iter().fold(0, |number, digit| number * 10 + u16::from(digit.saturating_sub(b'0')))
    }
}

fn check_of(digits: &[u8]) -> u8 {
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    CHECKS[sum as usize % CHECKS.len()]
}

impl TryFrom<String> for ResidentId {
    type Error = ResidentIdError;
    fn try_from(text: String) -> Result<Self, ResidentIdError> {
        Self::new(&text)
    }
}

impl From<ResidentId> for String {
    fn from(id: ResidentId) -> Self {
        id.as_str().to_owned()
    }
}

impl fmt::Debug for ResidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn an_id_of_either_form_says_when_and_as_what_somebody_was_born() {
        // The example of GB 11643-1999, annex A, and one whose check character is X.
        let id = ResidentId::new("11010519491231002X").expect("the standard's own example");
        assert_eq!((id.birth_date(), id.gender()), (date(1949, 12, 31), Gender::Female));
        assert_eq!(ResidentId::new(" 11010519491231002x "), Ok(id));
        let id = ResidentId::new("440524188001010014").expect("the standard's other example");
        assert_eq!((id.birth_date(), id.gender()), (date(1880, 1, 1), Gender::Male));
        let old = ResidentId::new("110105491231002").expect("of an old card");
        assert_eq!(old.as_str(), "11010519491231002X");
        assert_eq!(format!("{old:?}"), "…");
    }

    #[test]
    fn whatever_is_wrong_is_told() {
        use ResidentIdError::{Birth, Check, Form, Province};
        for (text, error) in [
            ("", Form),
            ("1101051949123100", Form),
            ("11010519491231002XX", Form),
            ("1101051949123100X2", Form),
            ("１１０１０５194912", Form),
            ("11010549123100X", Form),
            ("01010519491231002X", Province),
            ("110105194902300021", Birth),
            ("110105194912310021", Check),
        ] {
            assert_eq!(ResidentId::new(text), Err(error), "{text}");
        }
    }

    #[test]
    fn any_one_wrong_digit_and_any_two_swapped_are_noticed() {
        let sound = *b"11010519491231002X";
        for place in 0..17 {
            for digit in b'0'..=b'9' {
                let mut wrong = sound;
                wrong[place] = digit;
                let read = ResidentId::new(str::from_utf8(&wrong).expect("digits"));
                assert_eq!(read.is_ok(), wrong == sound, "{place} {digit}");
            }
        }
        for place in 0..16 {
            let mut swapped = sound;
            swapped.swap(place, place + 1);
            let read = ResidentId::new(str::from_utf8(&swapped).expect("digits"));
            assert_eq!(read.is_ok(), swapped == sound, "{place}");
        }
    }

    #[test]
    fn an_id_that_was_merged_away_long_ago_is_still_one() {
        // 320222, Wuxi county, is a district of the city since 2000.
        let digits = b"32022219300101002";
        let id = [&digits[..], &[check_of(digits)]].concat();
        assert!(ResidentId::new(str::from_utf8(&id).expect("digits")).is_ok());
    }
}
