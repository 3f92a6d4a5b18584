//! Availability: may this responder be asked to go?
//!
//! Everything that decides it is in one 64-bit word per responder, so that one compare-and-swap claims somebody and
//! no two can succeed:
//!
//! | bits | holds |
//! |---|---|
//! | 62–63 | duty: 0 not enrolled, 1 off duty, 2 on break, 3 on duty |
//! | 61 | claimed |
//! | 60 | busy: a thread is bringing the cells up to date for this responder |
//! | 40–59 | epoch: counts every change, so that a word which was changed and changed back is not taken for the same |
//! | 0–39 | the incident of the claim |

use model::IncidentId;
use serde::{Deserialize, Serialize};

/// What a responder says about being at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Duty {
    /// Not at work.
    OffDuty,
    /// At work and resting: not to be asked.
    OnBreak,
    /// At work.
    OnDuty,
}

/// Whether a responder can be asked, and if not, why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Availability {
    /// Never enrolled.
    Unknown,
    /// Not at work.
    OffDuty,
    /// At work and resting.
    OnBreak,
    /// At work and free: the only state that can be claimed.
    Available,
    /// Offered to or assigned to this incident.
    Claimed(IncidentId),
}

const INCIDENT: u64 = (1 << 40) - 1;
const EPOCH_SHIFT: u32 = 40;
const EPOCH: u64 = ((1 << 20) - 1) << EPOCH_SHIFT;
const BUSY: u64 = 1 << 60;
const CLAIMED: u64 = 1 << 61;
const DUTY_SHIFT: u32 = 62;
const ON_DUTY: u64 = 3;

/// The word of one responder. All zero is somebody who was never enrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word(pub(crate) u64);

impl Word {
    pub(crate) fn availability(self) -> Availability {
        if self.0 & CLAIMED != 0 {
            return Availability::Claimed(IncidentId(self.0 & INCIDENT));
        }
        match self.duty() {
            None => Availability::Unknown,
            Some(Duty::OffDuty) => Availability::OffDuty,
            Some(Duty::OnBreak) => Availability::OnBreak,
            Some(Duty::OnDuty) => Availability::Available,
        }
    }

    /// The duty, which a claim only covers; `None` before enrolment.
    pub(crate) fn duty(self) -> Option<Duty> {
        match self.0 >> DUTY_SHIFT {
            0 => None,
            1 => Some(Duty::OffDuty),
            2 => Some(Duty::OnBreak),
            _ => Some(Duty::OnDuty),
        }
    }

    /// Whether a claim would succeed: on duty and not claimed, in one comparison.
    pub(crate) fn available(self) -> bool {
        self.0 >> 61 == ON_DUTY << 1
    }

    /// Whether a thread is bringing the cells up to date.
    pub(crate) fn busy(self) -> bool {
        self.0 & BUSY != 0
    }

    pub(crate) fn epoch(self) -> u32 {
        ((self.0 & EPOCH) >> EPOCH_SHIFT) as u32
    }

    /// The same, enrolled: off duty unless it already said something else.
    pub(crate) fn enrolled(self) -> Self {
        match self.duty() {
            None => self.with_duty(Duty::OffDuty),
            Some(_) => self,
        }
    }

    /// The same with another duty. A claim stays.
    pub(crate) fn with_duty(self, duty: Duty) -> Self {
        let code = match duty {
            Duty::OffDuty => 1,
            Duty::OnBreak => 2,
            Duty::OnDuty => ON_DUTY,
        };
        Self(self.0 & !(0b11 << DUTY_SHIFT) | code << DUTY_SHIFT)
    }

    /// The same, claimed for `incident`, or what the responder is instead of available.
    pub(crate) fn claimed(self, incident: IncidentId) -> Result<Self, Availability> {
        debug_assert!(
            incident.0 <= INCIDENT,
            "incident {incident} does not fit into the word of a responder"
        );
        match self.availability() {
            Availability::Available => Ok(Self(self.0 & !INCIDENT | CLAIMED | incident.0 & INCIDENT)),
            other @ (Availability::Unknown
            | Availability::OffDuty
            | Availability::OnBreak
            | Availability::Claimed(_)) => Err(other),
        }
    }

    /// The same without its claim, or `None` when it is not claimed for `incident`.
    pub(crate) fn released(self, incident: IncidentId) -> Option<Self> {
        let holds = self.availability() == Availability::Claimed(IncidentId(incident.0 & INCIDENT));
        holds.then_some(Self(self.0 & !(CLAIMED | INCIDENT)))
    }

    /// The same one epoch later, with the cells to be brought up to date.
    pub(crate) fn changed(self) -> Self {
        let epoch = (self.0 & EPOCH).wrapping_add(1 << EPOCH_SHIFT) & EPOCH;
        Self(self.0 & !EPOCH | epoch | BUSY)
    }

    /// The same with the cells up to date.
    pub(crate) fn settled(self) -> Self {
        Self(self.0 & !BUSY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_somebody_on_duty_and_free_can_be_claimed() {
        let nobody = Word(0);
        assert_eq!(nobody.claimed(IncidentId(7)), Err(Availability::Unknown));
        let off = nobody.enrolled();
        assert_eq!(off.claimed(IncidentId(7)), Err(Availability::OffDuty));
        assert_eq!(off.with_duty(Duty::OnBreak).claimed(IncidentId(7)), Err(Availability::OnBreak));
        let on = off.with_duty(Duty::OnDuty);
        assert!(on.available() && on.changed().available());
        let claimed = on.claimed(IncidentId(7)).expect("available");
        assert!(!claimed.available());
        assert_eq!(claimed.claimed(IncidentId(8)), Err(Availability::Claimed(IncidentId(7))));
    }

    #[test]
    fn a_claim_covers_the_duty_until_it_is_released() {
        let word = Word(0).with_duty(Duty::OnDuty).claimed(IncidentId(9)).expect("available");
        let word = word.with_duty(Duty::OnBreak).enrolled();
        assert_eq!(word.availability(), Availability::Claimed(IncidentId(9)));
        assert_eq!(word.released(IncidentId(8)), None);
        assert_eq!(word.released(IncidentId(9)).map(Word::availability), Some(Availability::OnBreak));
    }

    #[test]
    fn the_epoch_wraps_and_spills_into_nothing() {
        let word = Word(0).with_duty(Duty::OnDuty).claimed(IncidentId(INCIDENT)).expect("available");
        assert_eq!(word.epoch(), 0);
        let last = Word(word.0 | EPOCH);
        assert_eq!(last.changed().settled(), word);
        assert_eq!(word.changed().settled().epoch(), 1);
    }
}
