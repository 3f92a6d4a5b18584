//! Policy: what is urgent, who is asked when, and when a human is called. Data, checked before it is used.

use std::collections::BTreeMap;

use model::{Kind, Metres, Millis, Priority, Skill, Skills, Timestamp};
use serde::Deserialize;

use crate::event::{EscalationReason, EscalationStep, Timer};

/// Everything that may be changed without changing code.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// How fast responders are taken to travel until roads are known, in metres per second.
    pub travel_speed_m_per_s: f64,
    /// With nobody to ask, how long until the next look.
    pub search_again_s: i64,
    /// How long an alert of the same person joins an open incident.
    pub join_window_s: i64,
    /// Older than this when received, an alert is late: an operator decides.
    pub late_after_s: i64,
    /// A device clock further ahead than this is replaced by the receive time.
    pub clock_ahead_s: i64,
    /// How long after being resolved an incident closes by itself.
    pub close_after_s: i64,
    /// How often the last reminder to acknowledge repeats.
    pub remind_every_s: i64,
    /// How often one responder is asked for one incident when the offers expire.
    pub asks_per_responder: u32,
    /// What each kind means.
    pub kinds: BTreeMap<Kind, KindPolicy>,
    /// What each priority means.
    pub priorities: BTreeMap<Priority, PriorityPolicy>,
}

/// What one kind means.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KindPolicy {
    /// How urgent.
    pub priority: Priority,
    /// What a responder must be able to do.
    #[serde(default)]
    pub skills: Vec<Skill>,
}

/// What one priority means.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriorityPolicy {
    /// Who decides that somebody goes.
    pub dispatch: DispatchMode,
    /// How long the elder or an operator has before a dispatch after call-back.
    #[serde(default)]
    pub call_back_s: i64,
    /// How long an offer lives.
    pub offer_lives_s: i64,
    /// The groups that are asked one after the other; the last one repeats.
    pub waves: Vec<WaveSize>,
    /// When which human is called.
    #[serde(default)]
    pub escalation: Vec<Escalation>,
}

/// Who decides that somebody goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DispatchMode {
    /// Nobody: at once.
    AtOnce,
    /// Nobody, unless an operator acts during the call-back window.
    AfterCallBack,
    /// An operator.
    OperatorDecides,
}

/// One group that is asked together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaveSize {
    /// How many, at most.
    pub size: u32,
    /// How far away, as travel time.
    pub reach_min: u32,
}

/// One step towards a human.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Escalation {
    /// How long after the incident opened or became this urgent.
    pub after_s: i64,
    /// What must still be so.
    pub when: EscalationReason,
    /// Whom it calls.
    pub step: EscalationStep,
}

/// One thing wrong with a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} is {value}: {remedy}")]
pub struct PolicyFault {
    /// Where, as in the file: `priorities.P1.offer_lives_s`.
    pub key: String,
    /// What stands there.
    pub value: String,
    /// What to write instead.
    pub remedy: &'static str,
}

/// Most responders asked at once. More would ring half the county for one fall.
pub(crate) const MAX_WAVE: u32 = 64;
/// Most times one responder is asked for one incident. Whoever was silent ten times does not hear it.
const MAX_ASKS: u32 = 10;
/// Longest time any setting may say: a week.
const MAX_SECONDS: i64 = 7 * 24 * 3600;

impl Policy {
    /// Returns every fault of this policy; empty when it can be used.
    #[must_use]
    pub fn faults(&self) -> Vec<PolicyFault> {
        let mut faults = Vec::new();
        if !(0.1..=100.0).contains(&self.travel_speed_m_per_s) {
            faults.push(PolicyFault {
                key: "travel_speed_m_per_s".to_owned(),
                value: self.travel_speed_m_per_s.to_string(),
                remedy: "write metres per second from 0.1 to 100",
            });
        }
        for (key, seconds) in [
            ("search_again_s", self.search_again_s),
            ("join_window_s", self.join_window_s),
            ("late_after_s", self.late_after_s),
            ("clock_ahead_s", self.clock_ahead_s),
            ("close_after_s", self.close_after_s),
            ("remind_every_s", self.remind_every_s),
        ] {
            check_seconds(&mut faults, key.to_owned(), seconds);
        }
        if !(1..=MAX_ASKS).contains(&self.asks_per_responder) {
            let remedy = "write how often one responder is asked, 1 to 10";
            faults.push(fault("asks_per_responder", &self.asks_per_responder, remedy));
        }
        for kind in Kind::ALL.into_iter().filter(|kind| !self.kinds.contains_key(kind)) {
            faults.push(fault(&format!("kinds.{kind}"), "missing", "give this kind a priority"));
        }
        for priority in Priority::ALL {
            match self.priorities.get(&priority) {
                Some(policy) => policy.check(priority, &mut faults),
                None => faults.push(fault(
                    &format!("priorities.{priority}"),
                    "missing",
                    "say what this priority means",
                )),
            }
        }
        faults
    }

    /// What `kind` asks for: its priority, one step up when a welfare alert comes from somebody at risk.
    pub(crate) fn priority_of(&self, kind: Kind, at_risk: bool) -> Priority {
        let priority = self.kinds.get(&kind).map_or(Priority::P2, |policy| policy.priority);
        match priority {
            Priority::P2 | Priority::P3 if at_risk => priority.raised(),
            Priority::P1 | Priority::P2 | Priority::P3 | Priority::P4 => priority,
        }
    }

    /// What a responder must be able to do for `kind`.
    pub(crate) fn skills_for(&self, kind: Kind) -> Skills {
        self.kinds.get(&kind).map_or(Skills::NONE, |policy| policy.skills.iter().copied().collect())
    }

    /// What `priority` means.
    ///
    /// # Panics
    /// When the policy has faults: it must be checked before it is used.
    pub(crate) fn of(&self, priority: Priority) -> &PriorityPolicy {
        &self.priorities[&priority]
    }

    /// How far somebody gets in `minutes`.
    pub(crate) fn reach(&self, minutes: u32) -> Metres {
        Metres((f64::from(minutes) * 60.0 * self.travel_speed_m_per_s) as u32)
    }

    /// How long somebody takes for `distance`. The one function that road routing will replace.
    pub(crate) fn eta(&self, distance: Metres) -> Millis {
        Millis((f64::from(distance.0) / self.travel_speed_m_per_s * 1000.0) as i64)
    }
}

impl PriorityPolicy {
    fn check(&self, priority: Priority, faults: &mut Vec<PolicyFault>) {
        let key = |name: &str| format!("priorities.{priority}.{name}");
        check_seconds(faults, key("offer_lives_s"), self.offer_lives_s);
        match self.dispatch {
            DispatchMode::AfterCallBack => check_seconds(faults, key("call_back_s"), self.call_back_s),
            DispatchMode::AtOnce | DispatchMode::OperatorDecides => {}
        }
        if self.waves.is_empty() {
            faults.push(fault(
                &key("waves"),
                "empty",
                "name at least one wave: { size = 3, reach_min = 15 }",
            ));
        }
        for (index, wave) in self.waves.iter().enumerate() {
            if !(1..=MAX_WAVE).contains(&wave.size) {
                faults.push(fault(&key(&format!("waves[{index}].size")), &wave.size, "write 1 to 64"));
            }
            if !(1..=24 * 60).contains(&wave.reach_min) {
                faults.push(fault(
                    &key(&format!("waves[{index}].reach_min")),
                    &wave.reach_min,
                    "write 1 to 1440",
                ));
            }
        }
        for (index, escalation) in self.escalation.iter().enumerate() {
            check_seconds(faults, key(&format!("escalation[{index}].after_s")), escalation.after_s);
            let same = |other: &Escalation| (other.step, other.when) == (escalation.step, escalation.when);
            if self.escalation[..index].iter().any(same) {
                faults.push(fault(
                    &key(&format!("escalation[{index}].step")),
                    &format!("{:?} for {:?} again", escalation.step, escalation.when),
                    "call each step once for each reason",
                ));
            }
            match escalation.when {
                EscalationReason::NotAcknowledged | EscalationReason::NobodyAccepted => {}
                EscalationReason::OperatorDecides
                | EscalationReason::NoCandidate
                | EscalationReason::NoPlace
                | EscalationReason::UnknownDevice
                | EscalationReason::Unreadable
                | EscalationReason::Late
                | EscalationReason::Retained
                | EscalationReason::Aborted => faults.push(fault(
                    &key(&format!("escalation[{index}].when")),
                    &format!("{:?}", escalation.when),
                    "write not_acknowledged or nobody_accepted",
                )),
            }
        }
        if !self.escalation.iter().any(|step| step.when == EscalationReason::NotAcknowledged) {
            faults.push(fault(
                &key("escalation"),
                "without not_acknowledged",
                "add a step for when no operator takes it, or it could be forgotten",
            ));
        }
    }

    /// The timers towards a human that start at `now` for one `reason`.
    pub(crate) fn ladder(&self, reason: EscalationReason, now: Timestamp) -> Vec<(Timer, Timestamp)> {
        self.escalation
            .iter()
            .filter(|step| step.when == reason)
            .map(|step| (Timer::Escalate(step.step, reason), now + Millis::from_seconds(step.after_s)))
            .collect()
    }
}

fn check_seconds(faults: &mut Vec<PolicyFault>, key: String, seconds: i64) {
    if !(1..=MAX_SECONDS).contains(&seconds) {
        let remedy = "write seconds from 1 to 604800";
        faults.push(PolicyFault { key, value: seconds.to_string(), remedy });
    }
}

fn fault(key: &str, value: &(impl ToString + ?Sized), remedy: &'static str) -> PolicyFault {
    PolicyFault { key: key.to_owned(), value: value.to_string(), remedy }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: &str = include_str!("../../../config/policy.toml");

    #[test]
    fn the_policy_we_ship_has_no_fault() {
        let policy: Policy = toml::from_str(DEFAULT).expect("it is a policy");
        assert_eq!(policy.faults(), []);
        assert_eq!(policy.priority_of(Kind::Sos, false), Priority::P1);
        assert_eq!(policy.priority_of(Kind::Inactivity, false), Priority::P2);
        assert_eq!(policy.priority_of(Kind::Inactivity, true), Priority::P1);
        assert_eq!(policy.priority_of(Kind::LowBattery, true), Priority::P4);
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let mut policy: Policy = toml::from_str(DEFAULT).expect("it is a policy");
        policy.kinds.remove(&Kind::Gas);
        policy.travel_speed_m_per_s = f64::NAN;
        let p1 = policy.priorities.get_mut(&Priority::P1).expect("P1 is there");
        p1.offer_lives_s = 0;
        p1.waves[0].size = 1000;
        p1.escalation.clear();
        policy.asks_per_responder = 11;
        let p2 = policy.priorities.get_mut(&Priority::P2).expect("P2 is there");
        p2.escalation.push(p2.escalation[0]);
        let keys: Vec<String> = policy.faults().into_iter().map(|fault| fault.key).collect();
        assert_eq!(
            keys,
            [
                "travel_speed_m_per_s",
                "asks_per_responder",
                "kinds.gas",
                "priorities.P1.offer_lives_s",
                "priorities.P1.waves[0].size",
                "priorities.P1.escalation",
                "priorities.P2.escalation[2].step"
            ]
        );
    }
}
