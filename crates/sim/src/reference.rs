//! Reference: the rules of the domain once more, naive and slow, to hold against what the core decides.
//!
//! It knows the core's words and nothing of how it works: it never looks at timers, queues or indexes. Commands and the
//! events that answered them go in; the first broken rule comes out.

mod answers;
mod asking;
mod case;

use std::collections::{BTreeMap, BTreeSet};

use dispatch::{
    Alert, AssignmentState, Command, Decision, Duty, EscalationReason, EscalationStep, Event, Hold,
    IncidentEvent, MessageKey, OfferEnd, PolicyFile, Rejection, Wave,
};
use model::{IncidentId, Kind, Millis, Priority, ResponderId, Timestamp};

pub use case::{Answer, Case, Going, Offer, Stage};

use crate::{people::People, rules::rules};

/// What the reference knows.
#[derive(Debug, Clone, Default)]
pub struct Reference {
    /// Everything that is not closed.
    pub cases: BTreeMap<IncidentId, Case>,
    /// What each responder said last.
    pub duty: BTreeMap<ResponderId, Duty>,
    /// Who is asked by, or on the way to, what.
    pub bound: BTreeMap<ResponderId, IncidentId>,
    /// Where each message was counted.
    pub heard: BTreeMap<MessageKey, IncidentId>,
    /// Which of the [`rules`] are in force.
    pub policy: usize,
    /// Who became free since everything was last looked at.
    freed: BTreeSet<ResponderId>,
    job_ended: BTreeMap<ResponderId, Timestamp>,
    drill: bool,
    last_incident: u64,
    last_alert: u64,
    last_offer: u64,
    /// The newest offer before the decision that is looked at.
    first_offer: u64,
}

type Checked = Result<(), String>;

fn must(holds: bool, broken: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(broken()) }
}

/// Whether a kind asks a technician rather than a person for help.
fn technical(kind: Kind) -> bool {
    matches!(kind, Kind::DeviceOffline | Kind::LowBattery | Kind::Tamper | Kind::LinkTest)
}

impl Reference {
    /// Nothing has happened, and this policy is in force.
    #[must_use]
    pub fn new(policy: usize) -> Self {
        Self { policy, ..Self::default() }
    }

    /// Takes note of what was wished and what came of it.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn notice(
        &mut self,
        now: Timestamp,
        people: &People,
        command: &Command,
        outcome: &Result<Decision, Rejection>,
    ) -> Checked {
        let granted = self.must_be_granted(people, command);
        let decision = match outcome {
            Err(rejection) => return must(!granted, || format!("must be granted and is not: {rejection}")),
            Ok(decision) => decision,
        };
        must(granted, || format!("must be refused and is granted: {command:?}"))?;
        self.expect_order(now, people, decision)?;
        let raised = if let Command::RaiseAlert(raised) = command { Some(raised) } else { None };
        let expected = raised.map(|raised| (raised, self.expected(now, raised)));
        let merged = self.more_urgent_by_merging(command);
        self.first_offer = self.last_offer;
        for event in &decision.events {
            self.apply(now, people, event)?;
        }
        if let Some((raised, expected)) = expected {
            self.alert_was_taken(now, raised, &expected, decision)?;
        }
        if let Command::Operate { incident, operation, .. } = command {
            self.was_operated(now, *incident, operation, merged)?;
        }
        let fires = *command == Command::Tick;
        must(!fires || !decision.events.is_empty(), || "a deadline fires for nothing".to_owned())?;
        for incident in decision.events.iter().filter_map(incident_of) {
            if let Some(case) = self.cases.get(&incident) {
                must(case.missing() > 0 || !accepted(decision, incident) || case.live() == 0, || {
                    format!("#{incident} has enough helpers and others are still asked")
                })?;
            }
        }
        Ok(())
    }

    /// What must have happened by `now`, once the server has nothing left to do at this moment. When the clock was put
    /// back, a search that was due at a time that comes once more is done then.
    ///
    /// # Errors
    /// What has not.
    pub fn nothing_is_overdue(&self, now: Timestamp, clock_was_put_back: bool) -> Checked {
        for (id, case) in &self.cases {
            let called = case.call_by.values().min();
            must(called.is_none_or(|due| *due > now), || {
                format!("#{id}: nobody has taken it and no human was called by {:?}", case.call_by)
            })?;
            must(case.stage != Stage::New || called.is_some(), || {
                format!("#{id} has no human and nothing that will call one")
            })?;
            must(clock_was_put_back || case.ask_by.is_none_or(|due| due > now), || {
                format!("#{id}: somebody should have been asked by {:?}", case.ask_by)
            })?;
            must(case.close_by.is_none_or(|due| due > now), || format!("#{id} should have closed"))?;
        }
        Ok(())
    }

    /// The server starts again, with this policy and without anybody's position.
    pub fn starts_again(&mut self, policy: usize) {
        self.policy = policy;
        self.freed.clear();
        for case in self.cases.values_mut() {
            case.could_since = None;
        }
    }

    /// Nobody looks whether those who became free at this moment are asked.
    pub fn forget_who_became_free(&mut self) {
        self.freed.clear();
    }

    /// How many incidents were opened so far.
    #[must_use]
    pub fn opened(&self) -> u64 {
        self.last_incident
    }

    fn file(&self) -> &'static PolicyFile {
        &rules(self.policy).file
    }

    fn apply(&mut self, now: Timestamp, people: &People, event: &Event) -> Checked {
        match event {
            Event::DutyChanged { responder, duty } => {
                self.duty.insert(*responder, *duty);
                self.freed.insert(*responder);
                Ok(())
            }
            Event::DrillModeChanged { on } => {
                self.drill = *on;
                Ok(())
            }
            Event::PolicyReplaced { .. } => Ok(()),
            Event::Incident { incident, event: IncidentEvent::Opened(opened) } => {
                must(incident.0 > self.last_incident, || format!("#{incident} is used twice"))?;
                self.last_incident = incident.0;
                self.cases.insert(*incident, Case::opened(now, opened));
                Ok(())
            }
            Event::Incident { incident, event } => {
                let mut case = self
                    .cases
                    .remove(incident)
                    .ok_or_else(|| format!("#{incident} is not open and has {event:?}"))?;
                let checked = self.apply_to(now, people, *incident, &mut case, event);
                if !matches!(event, IncidentEvent::Closed { .. } | IncidentEvent::Merged { .. }) {
                    self.cases.insert(*incident, case);
                }
                checked.map_err(|broken| format!("#{incident}: {broken}"))
            }
        }
    }

    fn apply_to(
        &mut self,
        now: Timestamp,
        people: &People,
        id: IncidentId,
        case: &mut Case,
        event: &IncidentEvent,
    ) -> Checked {
        match event {
            IncidentEvent::AlertRaised(alert) => self.alert_raised(id, case, alert)?,
            IncidentEvent::PriorityRaised { priority, kind } => {
                must(*priority < case.priority, || "a priority is lowered".to_owned())?;
                case.is_about(*priority, *kind);
            }
            IncidentEvent::RespondersNeeded { count } => case.needs(*count),
            IncidentEvent::WaveSent(wave) => self.wave_sent(now, people, id, case, wave)?,
            IncidentEvent::OfferAccepted { offer, responder } => case.accepted(*offer, *responder)?,
            IncidentEvent::OfferEnded { offer, responder, end } => {
                let answer = match end {
                    OfferEnd::Declined(_) => Answer::No,
                    OfferEnd::Expired | OfferEnd::Failed(_) => Answer::Silence,
                    OfferEnd::Withdrawn(_) => Answer::Withdrawn,
                };
                case.offer_ends(*offer, answer)?;
                self.bound.remove(responder);
                self.freed.insert(*responder);
            }
            IncidentEvent::AssignmentAdvanced { responder, state } => {
                case.advances(*responder, *state)?;
                self.freed_by(now, *responder, *state);
            }
            IncidentEvent::AssignmentAborted { responder, .. } => {
                case.advances(*responder, AssignmentState::Aborted)?;
                self.freed_by(now, *responder, AssignmentState::Aborted);
                if case.stage != Stage::Over {
                    self.ask_instead(now, case);
                }
            }
            IncidentEvent::AssignmentDoubted { responder, .. } => {
                case.doubt(*responder)?;
                self.ask_instead(now, case);
            }
            IncidentEvent::Escalated { step, reason } => self.escalated(now, case, *step, *reason)?,
            IncidentEvent::Acknowledged { operator } => {
                must(case.stage == Stage::New, || format!("{operator} takes what is taken"))?;
                case.taken(operator);
            }
            IncidentEvent::TakenOver { operator, from, .. } => {
                must(case.operator.as_ref() == Some(from), || format!("it was not {from}'s"))?;
                case.taken(operator);
            }
            IncidentEvent::SearchStopped { .. } => case.stop(),
            IncidentEvent::Triaged { priority, kind, .. } => {
                case.is_about(*priority, *kind);
                case.held = false;
                case.ask_by = None;
                case.asked_anew();
            }
            IncidentEvent::Cancelled { .. } => {
                let asked = !case.offers.is_empty();
                must(!asked && case.priority > Priority::P1, || "cancelled too late".to_owned())?;
                self.over(now, case)?;
            }
            IncidentEvent::Resolved { .. } => self.over(now, case)?,
            IncidentEvent::Reopened { operator, .. } => {
                must(case.stage == Stage::Over, || "reopened while open".to_owned())?;
                case.close_by = None;
                case.asked_anew();
                case.taken(operator);
            }
            IncidentEvent::Closed { .. } => {
                must(case.stage == Stage::Over, || "closed without an end".to_owned())?;
            }
            IncidentEvent::Merged { into, .. } => {
                must(!case.binds_anybody(), || "merged with somebody bound to it".to_owned())?;
                let target = self.cases.get_mut(into).ok_or("merged into nothing")?;
                target.takes_in(case);
            }
            // The target has it from the event before, which says who went up in it.
            IncidentEvent::Absorbed { alert_count, .. } => {
                must(case.alerts >= *alert_count, || "alerts are lost in a merge".to_owned())?;
            }
            IncidentEvent::Opened(_)
            | IncidentEvent::Restored { .. }
            | IncidentEvent::TimersArmed { .. }
            | IncidentEvent::OfferDelivered { .. }
            | IncidentEvent::OfferSeen { .. }
            | IncidentEvent::NoteAdded { .. }
            | IncidentEvent::HandedOver { .. }
            | IncidentEvent::SaidToBeWell { .. } => {}
        }
        Ok(())
    }

    fn alert_raised(&mut self, id: IncidentId, case: &mut Case, alert: &Alert) -> Checked {
        must(alert.alert.0 > self.last_alert, || format!("alert {} is used twice", alert.alert))?;
        self.last_alert = alert.alert.0;
        if let Some(key) = alert.key {
            let before = self.heard.insert(key, id);
            must(before.is_none(), || format!("one message is counted twice, here and in {before:?}"))?;
        }
        case.alerts += 1;
        case.last_alert = case.last_alert.max(alert.received_at);
        let live = alert.hold.is_none();
        if live && (!technical(alert.kind) || technical(case.kind)) {
            case.held = false;
            case.asked_anew();
        }
        let of_now = !matches!(alert.hold, Some(Hold::Late | Hold::Retained));
        if of_now || case.place.is_none() {
            case.place = alert.place.or(case.place);
        }
        Ok(())
    }

    fn wave_sent(
        &mut self,
        now: Timestamp,
        people: &People,
        id: IncidentId,
        case: &mut Case,
        wave: &Wave,
    ) -> Checked {
        let by_operator = wave.operator.is_some();
        must(case.stage != Stage::Over, || "somebody is asked for what is over".to_owned())?;
        if !by_operator {
            must(!case.held, || "it waits for an operator and somebody is asked".to_owned())?;
            must(case.may_search, || "somebody is asked whom nobody wanted".to_owned())?;
            must(case.missing() > 0, || "enough go and another is asked".to_owned())?;
        }
        for chosen in &wave.chosen {
            let who = chosen.responder;
            self.may_be_asked(now, people, case, who, by_operator).map_err(|why| format!("r{who} {why}"))?;
            let known = case.offers.contains_key(&chosen.offer) || self.offer(chosen.offer).is_some();
            must(chosen.offer.0 > self.first_offer && !known, || {
                format!("offer {} is used twice", chosen.offer)
            })?;
            self.last_offer = self.last_offer.max(chosen.offer.0);
            self.bound.insert(who, id);
            case.offers.insert(chosen.offer, Offer { responder: who, answer: Answer::None, by_operator });
        }
        if by_operator {
            case.asked_anew();
        }
        case.held = false;
        case.may_search = true;
        case.ask_by = None;
        case.searching = case.missing() > 0;
        Ok(())
    }

    fn freed_by(&mut self, now: Timestamp, responder: ResponderId, step: AssignmentState) {
        if step >= AssignmentState::Cleared {
            self.bound.remove(&responder);
            self.freed.insert(responder);
            self.job_ended.insert(responder, now);
        }
    }

    fn escalated(
        &self,
        now: Timestamp,
        case: &mut Case,
        step: EscalationStep,
        reason: EscalationReason,
    ) -> Checked {
        if reason == EscalationReason::NotAcknowledged {
            case.call_by.remove(&step);
            if case.stage == Stage::New && case.call_by.is_empty() {
                case.call_by.insert(step, now + Millis::from_seconds(self.file().remind_every_s));
            }
        }
        if reason == EscalationReason::NoPlace {
            case.ask_by = None;
            case.searching = false;
        }
        let family = [EscalationReason::Opened, EscalationReason::Dispatched, EscalationReason::Resolved];
        let frightens = case.exercise && family.contains(&reason);
        must(!frightens, || "a drill frightens the family".to_owned())
    }

    fn over(&self, now: Timestamp, case: &mut Case) -> Checked {
        must(!case.binds_anybody(), || "it is over and somebody is bound to it".to_owned())?;
        case.over(now + Millis::from_seconds(self.file().close_after_s));
        Ok(())
    }
}

fn incident_of(event: &Event) -> Option<IncidentId> {
    match event {
        Event::Incident { incident, .. } => Some(*incident),
        Event::DutyChanged { .. } | Event::DrillModeChanged { .. } | Event::PolicyReplaced { .. } => None,
    }
}

fn accepted(decision: &Decision, id: IncidentId) -> bool {
    decision.events.iter().any(|event| {
        matches!(event, Event::Incident { incident, event: IncidentEvent::OfferAccepted { .. } } if *incident == id)
    })
}

#[cfg(test)]
mod tests;
