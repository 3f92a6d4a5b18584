//! Detail: what is known of one responder that no search needs?
//!
//! Kept apart from the slots, so that those stay one cache line each. All accesses are relaxed: the change of the
//! responder's word that follows an enrolment publishes what was written here.

use model::{Certificates, CoordinateSystem, ExpiryDay, OrgUnitCode, Place, Skill, Timestamp, TravelMode};

use crate::{
    Idle, Member,
    sync::{AtomicI64, AtomicU64, Ordering},
};

/// No time at all; a time cannot be this.
const NEVER: i64 = i64::MIN;
/// Bits of an [`OrgUnitCode::number`], which has twelve digits at most.
const ORG_UNIT: u64 = (1 << 40) - 1;
const SOURCE_SHIFT: u32 = 40;
const TRAVELS_SHIFT: u32 = 42;
/// From here on one bit a skill: there is a day on which its certificate expires.
const EXPIRES_SHIFT: u32 = 48;
const SYSTEMS: [CoordinateSystem; 3] =
    [CoordinateSystem::Wgs84, CoordinateSystem::Gcj02, CoordinateSystem::Bd09];
/// Days of 16 bits in a word.
const DAYS_A_WORD: usize = 4;
const DAY_WORDS: usize = Skill::ALL.len().div_ceil(DAYS_A_WORD);
const _: () = assert!(Skill::ALL.len() <= 16, "one bit a skill from EXPIRES_SHIFT on");

/// The rest about one responder: 40 bytes.
pub(crate) struct Detail {
    /// | bits | holds |
    /// |---|---|
    /// | 48–63 | for which skills there is a day of expiry |
    /// | 42–43 | the travel mode, as its position in [`TravelMode::ALL`] |
    /// | 40–41 | the coordinate system the base was given in |
    /// | 0–39 | the organisational unit, 0 for none |
    member: AtomicU64,
    /// The days of expiry, 16 bits a skill.
    days: [AtomicU64; DAY_WORDS],
    idle_since: AtomicI64,
    job_ended_at: AtomicI64,
}

impl Detail {
    pub(crate) fn new() -> Self {
        Self {
            member: AtomicU64::new(0),
            days: std::array::from_fn(|_| AtomicU64::new(0)),
            idle_since: AtomicI64::new(NEVER),
            job_ended_at: AtomicI64::new(NEVER),
        }
    }

    pub(crate) fn set_member(&self, member: &Member) {
        let source = member.base.map_or(CoordinateSystem::Wgs84, Place::source) as u64;
        let travels = member.travels as u64;
        let mut word = member.org_unit.map_or(0, OrgUnitCode::number)
            | source << SOURCE_SHIFT
            | travels << TRAVELS_SHIFT;
        let mut days = [0; DAY_WORDS];
        for (index, skill) in Skill::ALL.into_iter().enumerate() {
            if let Some(ExpiryDay(day)) = member.certificates.expiry(skill) {
                word |= 1 << (EXPIRES_SHIFT as usize + index);
                days[index / DAYS_A_WORD] |= u64::from(day) << (16 * (index % DAYS_A_WORD));
            }
        }
        for (stored, day) in self.days.iter().zip(days) {
            stored.store(day, Ordering::Relaxed);
        }
        self.member.store(word, Ordering::Relaxed);
    }

    /// The unit, the system of the base, the travel mode and the certificates.
    pub(crate) fn member(&self) -> (Option<OrgUnitCode>, CoordinateSystem, TravelMode, Certificates) {
        let word = self.member.load(Ordering::Relaxed);
        let org_unit = OrgUnitCode::from_number(word & ORG_UNIT);
        let source = SYSTEMS[(word >> SOURCE_SHIFT & 0b11) as usize % SYSTEMS.len()];
        let travels = TravelMode::ALL[(word >> TRAVELS_SHIFT & 0b11) as usize];
        let mut certificates = Certificates::NONE;
        for (index, skill) in Skill::ALL.into_iter().enumerate() {
            if word >> (EXPIRES_SHIFT as usize + index) & 1 != 0 {
                let days = self.days[index / DAYS_A_WORD].load(Ordering::Relaxed);
                let day = (days >> (16 * (index % DAYS_A_WORD))) as u16;
                certificates = certificates.with(skill, ExpiryDay(day));
            }
        }
        (org_unit, source, travels, certificates)
    }

    pub(crate) fn set_idle(&self, idle: Idle) {
        let word = |at: Option<Timestamp>| at.map_or(NEVER, |at| at.0);
        self.idle_since.store(word(idle.since), Ordering::Relaxed);
        self.job_ended_at.store(word(idle.job_ended_at), Ordering::Relaxed);
    }

    pub(crate) fn idle(&self) -> Idle {
        let time = |word: &AtomicI64| match word.load(Ordering::Relaxed) {
            NEVER => None,
            at => Some(Timestamp(at)),
        };
        Idle { since: time(&self.idle_since), job_ended_at: time(&self.job_ended_at) }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_detail_is_forty_bytes_and_every_mode_and_system_has_its_number() {
        assert_eq!(size_of::<Detail>(), 40);
        assert!(TravelMode::ALL.into_iter().enumerate().all(|(number, mode)| mode as usize == number));
        assert!(SYSTEMS.into_iter().enumerate().all(|(number, system)| system as usize == number));
    }
}
