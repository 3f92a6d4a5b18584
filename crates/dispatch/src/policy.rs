//! Policy: what is urgent, who is asked when, and when a human is called. Data, checked before it is used.
//!
//! A [`PolicyFile`] is what somebody wrote; a [`Policy`] is one without faults, with a [`Plan`] worked out for each kind at
//! each priority.

use std::collections::BTreeMap;

use model::{Kind, Metres, Millis, Priority, Skill, Skills, TravelMode};
use serde::Deserialize;

use crate::{
    event::{EscalationReason, EscalationStep, Service},
    plan::Plan,
};

/// Everything that may be changed without changing code, as it is written down.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyFile {
    /// With nobody to ask, how long until the next look.
    pub search_again_s: i64,
    /// How long an alert of the same person joins an open incident.
    pub join_window_s: i64,
    /// Older than this when received, an alert is late: an operator decides.
    pub late_after_s: i64,
    /// A device clock further ahead than this is replaced by the receive time.
    pub clock_ahead_s: i64,
    /// How long after being resolved or cancelled an incident closes by itself.
    pub close_after_s: i64,
    /// How often the last reminder to acknowledge repeats.
    pub remind_every_s: i64,
    /// How often one responder is asked for one incident when the offers expire.
    pub asks_per_responder: u32,
    /// How fast responders get nearer along the straight line, in metres per second, until roads are known.
    pub travel_m_per_s: BTreeMap<TravelMode, f64>,
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
    /// How many must go.
    #[serde(default = "one")]
    pub responders: u32,
    /// The public service that `suggest_service` names.
    #[serde(default = "ambulance")]
    pub service: Service,
    /// What is different for this kind at a priority.
    #[serde(default)]
    pub at: BTreeMap<Priority, Instead>,
}

/// What one priority means.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriorityPolicy {
    /// Who is asked together.
    pub mode: Mode,
    /// How long the elder or an operator has before anybody is asked; 0 asks at once.
    #[serde(default)]
    pub call_back_s: i64,
    /// How long an offer lives.
    pub offer_lives_s: i64,
    /// The groups that are asked one after the other; the last one repeats.
    pub waves: Vec<WaveSize>,
    /// How long after a job nobody is asked again.
    #[serde(default)]
    pub rest_after_job_s: i64,
    /// What it costs, in seconds of travel, to ask somebody from further up.
    #[serde(default)]
    pub area_cost_s: AreaCost,
    /// What it costs, in seconds of travel, to take the last free responder of a town; 0 does not care.
    #[serde(default)]
    pub last_of_town_cost_s: i64,
    /// Accepted and not on the way after this long: ask again and look for somebody else. 0 never.
    #[serde(default)]
    pub not_moving_after_s: i64,
    /// Not there this long after the estimated arrival: the same. 0 never.
    #[serde(default)]
    pub overdue_after_s: i64,
    /// When the contacts are told.
    #[serde(default)]
    pub tell_family: TellFamily,
    /// When which human is called.
    #[serde(default)]
    pub escalation: Vec<Escalation>,
}

/// What is different for one kind at one priority; what is not said stays as the priority says.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instead {
    mode: Option<Mode>,
    call_back_s: Option<i64>,
    offer_lives_s: Option<i64>,
    waves: Option<Vec<WaveSize>>,
    rest_after_job_s: Option<i64>,
    area_cost_s: Option<AreaCost>,
    last_of_town_cost_s: Option<i64>,
    not_moving_after_s: Option<i64>,
    overdue_after_s: Option<i64>,
    tell_family: Option<TellFamily>,
    escalation: Option<Vec<Escalation>>,
}

/// Who is asked together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Groups of the sizes given.
    Wave,
    /// The nearest, then the next.
    OneAtATime,
    /// Everybody in reach, up to [`MAX_WAVE`].
    Broadcast,
    /// Nobody until an operator says so; then one at a time.
    OperatorDecides,
}

/// One group that is asked together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaveSize {
    /// How many, at most. Only mode `wave` has a choice.
    #[serde(default)]
    pub size: Option<u32>,
    /// How far away, as travel time.
    pub reach_min: u32,
}

/// Seconds of travel it costs to ask somebody who belongs elsewhere; what is not given is never asked by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AreaCost {
    /// Of the elder's town, not their village.
    pub town: Option<i64>,
    /// Of the county, not the town.
    pub county: Option<i64>,
    /// Of another county.
    pub elsewhere: Option<i64>,
}

/// When the contacts are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TellFamily {
    /// When it opens.
    AtOnce,
    /// When somebody is asked to go.
    OnDispatch,
    /// When it is over.
    OnResolve,
    /// Only when an operator or a step says so.
    #[default]
    Never,
}

/// One step towards a human.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Escalation {
    /// How long after the incident opened or became this urgent; for `nobody_accepted`, after the search began.
    pub after_s: i64,
    /// What must still be so.
    pub when: When,
    /// Whom it calls.
    pub step: Step,
}

/// What a step waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// No operator has taken it.
    NotAcknowledged,
    /// Not enough have accepted.
    NobodyAccepted,
}

/// Whom a step calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The operators' queue, marked.
    Operators,
    /// Every console rings.
    RingAll,
    /// The station of the elder's village or town.
    Station,
    /// The supervisor.
    Supervisor,
    /// The elder's contacts.
    Family,
    /// A person should call the service of the kind.
    SuggestService,
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

/// A policy without faults.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// By which it is known: a digest of its text.
    pub(crate) version: String,
    pub(crate) search_again: Millis,
    pub(crate) join_window: Millis,
    pub(crate) late_after: Millis,
    pub(crate) clock_ahead: Millis,
    pub(crate) close_after: Millis,
    pub(crate) remind_every: Millis,
    pub(crate) asks_per_responder: u32,
    /// By [`TravelMode`], in metres per second.
    speeds: [f64; TravelMode::ALL.len()],
    fastest: f64,
    furthest_reach: Millis,
    kinds: Vec<KindPlans>,
}

#[derive(Debug, Clone, PartialEq)]
struct KindPlans {
    priority: Priority,
    skills: Skills,
    responders: u32,
    service: Service,
    by_priority: [Plan; Priority::ALL.len()],
}

/// Most responders asked at once. More would ring half the county for one fall.
pub(crate) const MAX_WAVE: u32 = 64;
/// Most responders one incident can need. More is a disaster, which has plans of its own.
pub(crate) const MAX_NEEDED: u32 = 16;
/// Most times one responder is asked for one incident. Whoever was silent ten times does not hear it.
const MAX_ASKS: u32 = 10;
/// Longest time any setting may say: a week.
const MAX_SECONDS: i64 = 7 * 24 * 3600;

fn one() -> u32 {
    1
}

fn ambulance() -> Service {
    Service::Ambulance
}

impl Policy {
    /// Returns the policy that `file` describes; `version` is what it will be known by.
    ///
    /// # Errors
    /// Every fault at once.
    pub fn new(file: &PolicyFile, version: &str) -> Result<Self, Vec<PolicyFault>> {
        let faults = file.faults();
        if !faults.is_empty() {
            return Err(faults);
        }
        let speeds = TravelMode::ALL.map(|mode| file.travel_m_per_s[&mode]);
        let seconds = Millis::from_seconds;
        let kinds: Vec<KindPlans> = Kind::ALL.map(|kind| file.kind(kind)).into();
        let plans = kinds.iter().flat_map(|kind| &kind.by_priority);
        let furthest_reach = plans.map(Plan::furthest_reach).max().unwrap_or_default();
        Ok(Self {
            version: version.to_owned(),
            search_again: seconds(file.search_again_s),
            join_window: seconds(file.join_window_s),
            late_after: seconds(file.late_after_s),
            clock_ahead: seconds(file.clock_ahead_s),
            close_after: seconds(file.close_after_s),
            remind_every: seconds(file.remind_every_s),
            asks_per_responder: file.asks_per_responder,
            speeds,
            fastest: speeds.into_iter().fold(0.0, f64::max),
            furthest_reach,
            kinds,
        })
    }

    /// By which it is known.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What `kind` asks for: its priority, one step up when a welfare alert comes from somebody at risk.
    pub(crate) fn priority_of(&self, kind: Kind, at_risk: bool) -> Priority {
        let priority = self.of(kind).priority;
        match priority {
            Priority::P2 | Priority::P3 if at_risk => priority.raised(),
            Priority::P1 | Priority::P2 | Priority::P3 | Priority::P4 => priority,
        }
    }

    /// What a responder must be able to do for `kind`.
    pub(crate) fn skills_for(&self, kind: Kind) -> Skills {
        self.of(kind).skills
    }

    /// How many must go for `kind`.
    pub(crate) fn responders_for(&self, kind: Kind) -> u32 {
        self.of(kind).responders
    }

    /// The public service that would be called about `kind`.
    pub(crate) fn service_for(&self, kind: Kind) -> Service {
        self.of(kind).service
    }

    /// What is done about `kind` at `priority`.
    pub(crate) fn plan(&self, kind: Kind, priority: Priority) -> &Plan {
        &self.of(kind).by_priority[priority as usize]
    }

    /// How long somebody takes for `distance`, rounded up to whole seconds. The one function that road routing will
    /// replace; until then the distance is that of the crow, and so is the speed.
    pub(crate) fn eta(&self, mode: TravelMode, distance: Metres) -> Millis {
        travel_time(distance, self.speeds[mode as usize])
    }

    /// No less than this is the [`Policy::eta`] of anybody at `distance` or beyond.
    pub(crate) fn fastest_eta(&self, distance: Metres) -> Millis {
        travel_time(distance, self.fastest)
    }

    /// Nobody beyond this gets there in `time`.
    pub(crate) fn furthest(&self, time: Millis) -> Metres {
        Metres((time.0 as f64 / 1000.0 * self.fastest) as u32)
    }

    /// How far anybody is ever looked for, as travel time.
    pub(crate) fn furthest_reach(&self) -> Millis {
        self.furthest_reach
    }

    fn of(&self, kind: Kind) -> &KindPlans {
        &self.kinds[kind as usize]
    }
}

fn travel_time(distance: Metres, metres_per_second: f64) -> Millis {
    Millis::from_seconds((f64::from(distance.0) / metres_per_second).ceil() as i64)
}

impl PolicyFile {
    /// What is said of `kind`. Only for a file without faults.
    fn kind(&self, kind: Kind) -> KindPlans {
        let policy = &self.kinds[&kind];
        let plan = |priority| Plan::new(&self.at(policy, priority), policy.service);
        KindPlans {
            priority: policy.priority,
            skills: policy.skills.iter().copied().collect(),
            responders: policy.responders,
            service: policy.service,
            by_priority: Priority::ALL.map(plan),
        }
    }

    /// What is said of a kind at `priority`: what the priority says, unless the kind says otherwise.
    fn at(&self, kind: &KindPolicy, priority: Priority) -> PriorityPolicy {
        let mut policy = self.priorities[&priority].clone();
        if let Some(instead) = kind.at.get(&priority).cloned() {
            instead.put_into(&mut policy);
        }
        policy
    }

    /// Every fault; empty when it can be used.
    fn faults(&self) -> Vec<PolicyFault> {
        let mut faults = Vec::new();
        for (key, seconds) in [
            ("search_again_s", self.search_again_s),
            ("join_window_s", self.join_window_s),
            ("late_after_s", self.late_after_s),
            ("clock_ahead_s", self.clock_ahead_s),
            ("close_after_s", self.close_after_s),
            ("remind_every_s", self.remind_every_s),
        ] {
            check_seconds(&mut faults, key, seconds, 1);
        }
        if !(1..=MAX_ASKS).contains(&self.asks_per_responder) {
            let remedy = "write how often one responder is asked, 1 to 10";
            faults.push(fault("asks_per_responder", &self.asks_per_responder, remedy));
        }
        for mode in TravelMode::ALL {
            let key = format!("travel_m_per_s.{mode}");
            match self.travel_m_per_s.get(&mode) {
                Some(speed) if (0.1..=100.0).contains(speed) => {}
                Some(speed) => faults.push(fault(&key, speed, "write metres per second from 0.1 to 100")),
                None => faults.push(fault(&key, "missing", "say how fast this is, in metres per second")),
            }
        }
        for priority in Priority::ALL {
            let key = format!("priorities.{priority}");
            match self.priorities.get(&priority) {
                Some(policy) => policy.check(&key, priority, &mut faults),
                None => faults.push(fault(&key, "missing", "say what this priority means")),
            }
        }
        for kind in Kind::ALL {
            let key = format!("kinds.{kind}");
            match self.kinds.get(&kind) {
                Some(policy) => self.check_kind(&key, policy, &mut faults),
                None => faults.push(fault(&key, "missing", "give this kind a priority")),
            }
        }
        faults
    }

    fn check_kind(&self, key: &str, policy: &KindPolicy, faults: &mut Vec<PolicyFault>) {
        if !(1..=MAX_NEEDED).contains(&policy.responders) {
            faults.push(fault(&format!("{key}.responders"), &policy.responders, "write 1 to 16"));
        }
        let known = policy.at.keys().filter(|priority| self.priorities.contains_key(priority));
        for priority in known {
            self.at(policy, *priority).check(&format!("{key}.at.{priority}"), *priority, faults);
        }
    }
}

impl Instead {
    fn put_into(self, policy: &mut PriorityPolicy) {
        fn put<T>(instead: Option<T>, value: &mut T) {
            if let Some(instead) = instead {
                *value = instead;
            }
        }
        put(self.mode, &mut policy.mode);
        put(self.call_back_s, &mut policy.call_back_s);
        put(self.offer_lives_s, &mut policy.offer_lives_s);
        put(self.waves, &mut policy.waves);
        put(self.rest_after_job_s, &mut policy.rest_after_job_s);
        put(self.area_cost_s, &mut policy.area_cost_s);
        put(self.last_of_town_cost_s, &mut policy.last_of_town_cost_s);
        put(self.not_moving_after_s, &mut policy.not_moving_after_s);
        put(self.overdue_after_s, &mut policy.overdue_after_s);
        put(self.tell_family, &mut policy.tell_family);
        put(self.escalation, &mut policy.escalation);
    }
}

impl Default for AreaCost {
    /// Everybody is as good as a neighbour.
    fn default() -> Self {
        Self { town: Some(0), county: Some(0), elsewhere: Some(0) }
    }
}

impl PriorityPolicy {
    fn check(&self, at: &str, priority: Priority, faults: &mut Vec<PolicyFault>) {
        let key = |name: &str| format!("{at}.{name}");
        check_seconds(faults, &key("offer_lives_s"), self.offer_lives_s, 1);
        for (name, seconds) in [
            ("call_back_s", self.call_back_s),
            ("rest_after_job_s", self.rest_after_job_s),
            ("last_of_town_cost_s", self.last_of_town_cost_s),
            ("not_moving_after_s", self.not_moving_after_s),
            ("overdue_after_s", self.overdue_after_s),
            ("area_cost_s.town", self.area_cost_s.town.unwrap_or_default()),
            ("area_cost_s.county", self.area_cost_s.county.unwrap_or_default()),
            ("area_cost_s.elsewhere", self.area_cost_s.elsewhere.unwrap_or_default()),
        ] {
            check_seconds(faults, &key(name), seconds, 0);
        }
        let AreaCost { town, county, elsewhere } = self.area_cost_s;
        if priority == Priority::P1 && (town.is_none() || county.is_none() || elsewhere.is_none()) {
            let remedy =
                "give town, county and elsewhere a cost: no border keeps help from somebody in danger";
            faults.push(fault(&key("area_cost_s"), "a wall", remedy));
        }
        self.check_waves(&key("waves"), faults);
        self.check_escalation(&key("escalation"), faults);
    }

    fn check_waves(&self, key: &str, faults: &mut Vec<PolicyFault>) {
        if self.waves.is_empty() {
            faults.push(fault(key, "empty", "name at least one wave: { size = 3, reach_min = 15 }"));
        }
        for (index, wave) in self.waves.iter().enumerate() {
            let at = format!("{key}[{index}]");
            let size = wave.size.map_or_else(|| "missing".to_owned(), |size| size.to_string());
            match (self.mode, wave.size) {
                (Mode::Wave, Some(1..=MAX_WAVE))
                | (Mode::OneAtATime | Mode::OperatorDecides, None | Some(1)) => {}
                (Mode::Broadcast, None) => {}
                (Mode::Wave, _) => faults.push(fault(&format!("{at}.size"), &size, "write 1 to 64")),
                (Mode::OneAtATime | Mode::OperatorDecides | Mode::Broadcast, _) => {
                    faults.push(fault(
                        &format!("{at}.size"),
                        &size,
                        "leave it out: only mode wave has sizes",
                    ));
                }
            }
            if !(1..=24 * 60).contains(&wave.reach_min) {
                faults.push(fault(&format!("{at}.reach_min"), &wave.reach_min, "write 1 to 1440"));
            }
        }
    }

    fn check_escalation(&self, key: &str, faults: &mut Vec<PolicyFault>) {
        for (index, escalation) in self.escalation.iter().enumerate() {
            check_seconds(faults, &format!("{key}[{index}].after_s"), escalation.after_s, 1);
            let same = |other: &Escalation| (other.step, other.when) == (escalation.step, escalation.when);
            if self.escalation[..index].iter().any(same) {
                faults.push(fault(
                    &format!("{key}[{index}].step"),
                    &format!("{:?} for {:?} again", escalation.step, escalation.when),
                    "call each step once for each reason",
                ));
            }
        }
        if !self.escalation.iter().any(|step| step.when == When::NotAcknowledged) {
            faults.push(fault(
                key,
                "without not_acknowledged",
                "add a step for when no operator takes it, or it could be forgotten",
            ));
        }
    }
}

impl When {
    pub(crate) fn reason(self) -> EscalationReason {
        match self {
            Self::NotAcknowledged => EscalationReason::NotAcknowledged,
            Self::NobodyAccepted => EscalationReason::NobodyAccepted,
        }
    }
}

impl Step {
    /// The step that is called, for a kind about which `service` would be called.
    pub(crate) fn called(self, service: Service) -> EscalationStep {
        match self {
            Self::Operators => EscalationStep::Operators,
            Self::RingAll => EscalationStep::RingAll,
            Self::Station => EscalationStep::Station,
            Self::Supervisor => EscalationStep::Supervisor,
            Self::Family => EscalationStep::Family,
            Self::SuggestService => service.suggested(),
        }
    }
}

fn check_seconds(faults: &mut Vec<PolicyFault>, key: &str, seconds: i64, least: i64) {
    if !(least..=MAX_SECONDS).contains(&seconds) {
        let remedy =
            if least == 0 { "write seconds from 0 to 604800" } else { "write seconds from 1 to 604800" };
        faults.push(fault(key, &seconds, remedy));
    }
}

fn fault(key: &str, value: &(impl ToString + ?Sized), remedy: &'static str) -> PolicyFault {
    PolicyFault { key: key.to_owned(), value: value.to_string(), remedy }
}

#[cfg(test)]
mod tests;
