//! Certificates: until when may somebody use a skill?

use serde::{Deserialize, Serialize};

use crate::{Millis, Skill, Skills, Timestamp};

const DAY: Millis = Millis::from_seconds(24 * 3600);

/// The first day, counted in UTC from 1970-01-01, on which a certificate does not hold any more; the last is in 2149.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ExpiryDay(pub u16);

impl ExpiryDay {
    /// Whether the certificate holds at `at`.
    #[must_use]
    pub fn is_after(self, at: Timestamp) -> bool {
        at.0 < i64::from(self.0) * DAY.0
    }
}

/// When the certificates for somebody's skills expire. A skill without a day needs no certificate, or has one without
/// end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Certificates([Option<ExpiryDay>; Skill::ALL.len()]);

impl Certificates {
    /// No certificate that expires.
    pub const NONE: Self = Self([None; Skill::ALL.len()]);

    /// These and one for `skill` that does not hold any more from `expires` on.
    #[must_use]
    pub fn with(mut self, skill: Skill, expires: ExpiryDay) -> Self {
        self.0[skill as usize] = Some(expires);
        self
    }

    /// From which day on the certificate for `skill` does not hold any more.
    #[must_use]
    pub fn expiry(self, skill: Skill) -> Option<ExpiryDay> {
        self.0[skill as usize]
    }

    /// Those of `skills` whose certificate has expired by `at`.
    #[must_use]
    pub fn expired(self, skills: Skills, at: Timestamp) -> Skills {
        skills.iter().filter(|skill| self.expiry(*skill).is_some_and(|day| !day.is_after(at))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_holds_until_the_day_it_expires() {
        let certificates = Certificates::NONE.with(Skill::Nursing, ExpiryDay(2));
        let both: Skills = [Skill::Nursing, Skill::Lift].into_iter().collect();
        assert_eq!(certificates.expired(both, Timestamp(2 * DAY.0 - 1)), Skills::NONE);
        assert_eq!(certificates.expired(both, Timestamp(2 * DAY.0)), Skills::NONE.with(Skill::Nursing));
        assert_eq!(certificates.expiry(Skill::Lift), None);
    }
}
