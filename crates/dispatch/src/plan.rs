//! Plan: what is done about one kind of incident at one priority.

use model::{Millis, OrgUnitCode, Timestamp};

use crate::{
    event::{EscalationReason, EscalationStep, Service, Timer},
    policy::{AreaCost, MAX_WAVE, Mode, PriorityPolicy, TellFamily},
};

/// What is done about one kind of incident at one priority; see [`PriorityPolicy`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    /// Whether nobody is asked until an operator says so.
    pub(crate) operator_decides: bool,
    pub(crate) call_back: Millis,
    pub(crate) offer_lives: Millis,
    pub(crate) waves: Vec<WavePlan>,
    pub(crate) rest_after_job: Millis,
    area_cost: AreaCost,
    pub(crate) last_of_town_cost: Millis,
    pub(crate) not_moving_after: Option<Millis>,
    pub(crate) overdue_after: Option<Millis>,
    pub(crate) tell_family: TellFamily,
    pub(crate) escalation: Vec<Rung>,
}

/// One group that is asked together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WavePlan {
    pub(crate) size: u32,
    pub(crate) reach: Millis,
}

/// One step towards a human.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rung {
    pub(crate) after: Millis,
    pub(crate) when: EscalationReason,
    pub(crate) step: EscalationStep,
}

impl Plan {
    /// Works out what `policy` says, for a kind about which `service` would be called.
    pub(crate) fn new(policy: &PriorityPolicy, service: Service) -> Self {
        let seconds = Millis::from_seconds;
        let unless_zero = |length: i64| (length > 0).then(|| seconds(length));
        let size = |given: Option<u32>| match policy.mode {
            Mode::Wave => given.unwrap_or(1),
            Mode::OneAtATime | Mode::OperatorDecides => 1,
            Mode::Broadcast => MAX_WAVE,
        };
        Self {
            operator_decides: policy.mode == Mode::OperatorDecides,
            call_back: seconds(policy.call_back_s),
            offer_lives: seconds(policy.offer_lives_s),
            waves: policy
                .waves
                .iter()
                .map(|wave| WavePlan {
                    size: size(wave.size),
                    reach: seconds(i64::from(wave.reach_min) * 60),
                })
                .collect(),
            rest_after_job: seconds(policy.rest_after_job_s),
            area_cost: policy.area_cost_s,
            last_of_town_cost: seconds(policy.last_of_town_cost_s),
            not_moving_after: unless_zero(policy.not_moving_after_s),
            overdue_after: unless_zero(policy.overdue_after_s),
            tell_family: policy.tell_family,
            escalation: policy
                .escalation
                .iter()
                .map(|rung| Rung {
                    after: seconds(rung.after_s),
                    when: rung.when.reason(),
                    step: rung.step.called(service),
                })
                .collect(),
        }
    }

    /// The timers towards a human that start at `now` for one `reason`.
    pub(crate) fn ladder(&self, reason: EscalationReason, now: Timestamp) -> Vec<(Timer, Timestamp)> {
        let rungs = self.escalation.iter().filter(|rung| rung.when == reason);
        rungs.map(|rung| (Timer::Escalate(rung.step, reason), now + rung.after)).collect()
    }

    /// The wave of this number, counted from 0, and those after it; the last one repeats.
    pub(crate) fn waves_from(&self, turn: u32) -> &[WavePlan] {
        let turn = (turn as usize).min(self.waves.len().saturating_sub(1));
        &self.waves[turn..]
    }

    /// How far it ever searches.
    pub(crate) fn furthest_reach(&self) -> Millis {
        self.waves.iter().map(|wave| wave.reach).max().unwrap_or_default()
    }

    /// What it costs, as travel time, that somebody belongs to `home` when the elder belongs to `elder`; `None` when they
    /// are not asked by themselves. Who belongs nowhere in particular costs nothing, and so does an unknown elder.
    pub(crate) fn area_cost(&self, elder: Option<OrgUnitCode>, home: Option<OrgUnitCode>) -> Option<Millis> {
        let (Some(elder), Some(home)) = (elder, home) else { return Some(Millis(0)) };
        let cost = if elder.is_within(home) && home.town().is_some() || home.is_within(elder) {
            // Of the village, or of the whole town or, for an elder of whom we know no more, of the county.
            Some(0)
        } else if elder.town().is_some() && elder.town() == home.town() {
            self.area_cost.town
        } else if elder.county() == home.county() {
            self.area_cost.county
        } else {
            self.area_cost.elsewhere
        };
        cost.map(Millis::from_seconds)
    }
}

#[cfg(test)]
mod tests {
    use model::{Kind, Priority};

    use super::*;
    use crate::policy::{Policy, PolicyFile};

    #[test]
    fn the_own_village_goes_before_the_town_the_town_before_the_county_and_the_county_before_all_others() {
        let file: PolicyFile = toml::from_str(include_str!("../../../config/policy.toml")).expect("a policy");
        let policy = Policy::new(&file, "").expect("without fault");
        let plan = policy.plan(Kind::Sos, Priority::P1);
        let cost = |elder: &str, home: &str| {
            let unit = |code: &str| OrgUnitCode::new(code).ok();
            plan.area_cost(unit(elder), unit(home)).expect("no wall for P1").0
        };
        let village = "341181001002";
        let costs = [village, "341181001003", "341181002001", "341182001001"].map(|home| cost(village, home));
        assert!(
            costs[0] == 0 && costs.is_sorted() && costs[0] < costs[1] && costs[2] < costs[3],
            "{costs:?}"
        );
        // The whole town and the volunteer of nowhere are as good as the village; the county's own people are not.
        assert_eq!(cost(village, "341181001"), 0);
        assert_eq!(cost(village, ""), 0);
        assert_eq!(cost(village, "341181"), costs[2]);
    }
}
