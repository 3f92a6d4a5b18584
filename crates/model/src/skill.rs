//! Skills: what a responder is able to do, and what an incident asks for.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::UnknownWord;

/// One thing a responder has learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Skill {
    /// First aid and resuscitation.
    FirstAid,
    /// Lifting a person safely.
    Lift,
    /// Nursing: medicine, wounds, vital signs.
    Nursing,
    /// Smoke, gas and carbon monoxide.
    FireSafety,
    /// Water, power, doors and locks.
    HomeRepair,
    /// Caring for people with dementia.
    DementiaCare,
}

impl Skill {
    /// Every skill; the position is its bit in [`Skills`] and never changes.
    pub const ALL: [Self; 6] =
        [Self::FirstAid, Self::Lift, Self::Nursing, Self::FireSafety, Self::HomeRepair, Self::DementiaCare];

    /// The word for this skill on the wire and in configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FirstAid => "first_aid",
            Self::Lift => "lift",
            Self::Nursing => "nursing",
            Self::FireSafety => "fire_safety",
            Self::HomeRepair => "home_repair",
            Self::DementiaCare => "dementia_care",
        }
    }
}

impl FromStr for Skill {
    type Err = UnknownWord;
    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|skill| skill.as_str() == word).ok_or_else(|| UnknownWord {
            what: "skill",
            word: word.to_owned(),
            known: Self::ALL.map(Self::as_str).join(", "),
        })
    }
}

/// A set of skills, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Skills(u16);

impl Skills {
    /// No skill at all.
    pub const NONE: Self = Self(0);

    /// The set as bits; bit `n` is `Skill::ALL[n]`.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// The set with these bits.
    #[must_use]
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// This set and `skill`.
    #[must_use]
    pub fn with(self, skill: Skill) -> Self {
        Self(self.0 | 1 << skill as u16)
    }

    /// Whether every skill of `needed` is in this set.
    #[must_use]
    pub const fn covers(self, needed: Self) -> bool {
        self.0 & needed.0 == needed.0
    }

    /// The skills of the set, in the order of [`Skill::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Skill> {
        Skill::ALL.into_iter().filter(move |skill| self.0 & (1 << *skill as u16) != 0)
    }
}

impl FromIterator<Skill> for Skills {
    fn from_iter<I: IntoIterator<Item = Skill>>(skills: I) -> Self {
        skills.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Display for Skills {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, skill) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(skill.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_covers_what_it_holds() {
        let both: Skills = [Skill::Lift, Skill::FirstAid].into_iter().collect();
        assert!(both.covers(Skills::NONE.with(Skill::Lift)));
        assert!(!Skills::NONE.with(Skill::Lift).covers(both));
        assert_eq!(both.to_string(), "first_aid lift");
        assert_eq!(both.iter().collect::<Skills>(), both);
    }
}
