//! Operators: what the hotline does to an incident.
//!
//! Whoever acts on an incident that nobody has taken has taken it. Whoever acts on what somebody else has taken is told
//! who that is, and can take it over with a reason: no click wins over another in silence.

use model::{IncidentId, Kind, Metres, Millis, Priority, ResponderId};
use roster::Located;

use crate::{
    candidates::Ranked,
    command::{Operation, Rejection},
    decide::{Decision, Desk, Draft},
    event::{Disposition, EscalationReason, Event, IncidentEvent, Service, Timer},
    incident::{AssignmentState, IncidentState},
    policy::{MAX_NEEDED, MAX_WAVE, TellFamily},
    search::{self, Found, already_asked},
};

/// Drill mode on or off.
pub(crate) fn set_drill_mode(desk: &Desk<'_>, on: bool) -> Decision {
    let changes = desk.state.drill() != on;
    let events = if changes { vec![Event::DrillModeChanged { on }] } else { Vec::new() };
    Decision { events, ..Decision::default() }
}

/// Another policy is in force, which is the one on the desk.
pub(crate) fn replace_policy(desk: &Desk<'_>) -> Decision {
    let version = desk.policy.version();
    let changes = desk.state.policy() != version;
    let replaced = Event::PolicyReplaced { version: version.to_owned() };
    Decision { events: changes.then_some(replaced).into_iter().collect(), ..Decision::default() }
}

/// An operator does something to an incident.
pub(crate) fn operate(
    desk: &Desk<'_>,
    incident: IncidentId,
    operator: String,
    operation: Operation,
) -> Result<Decision, Rejection> {
    let mut draft = desk.draft_of(incident)?;
    match operation {
        Operation::Acknowledge => draft.acknowledge(&operator)?,
        Operation::TakeOver { reason } => draft.take_over(operator, reason)?,
        Operation::Triage { priority, kind, responders, reason } => {
            draft.triage(operator, priority, kind, responders, reason)?;
        }
        Operation::Dispatch { responders } if responders.is_empty() => {
            draft.may_search(&operator)?;
            draft.take(&operator);
            draft.start_ladder(EscalationReason::NobodyAccepted);
            return Ok(search::alone(draft, &operator).decided());
        }
        Operation::Dispatch { responders } => draft.send(desk, &operator, &responders)?,
        Operation::Withdraw { reason } => {
            draft.may_act(&operator, "reopen it first")?;
            draft.take(&operator);
            draft.withdraw_offers(&reason);
            draft.record(IncidentEvent::SearchStopped { operator, reason });
        }
        Operation::HandOver { service, note } => draft.hand_over(operator, service, note)?,
        Operation::Escalate { step, note } => {
            draft.may_act(&operator, "reopen it first")?;
            draft.take(&operator);
            draft.record(IncidentEvent::Escalated { step, reason: EscalationReason::OperatorAsks });
            if !note.is_empty() {
                draft.record(IncidentEvent::NoteAdded { operator, text: note });
            }
        }
        Operation::AddNote { text } => draft.record(IncidentEvent::NoteAdded { operator, text }),
        Operation::Merge { into, reason } => return merge(desk, draft, into, operator, reason),
        Operation::Resolve { disposition, note } => draft.resolve(operator, disposition, note)?,
        Operation::Reopen { reason } => draft.reopen(operator, reason)?,
        Operation::Close => draft.close(operator)?,
    }
    Ok(draft.decided())
}

/// One incident goes up in another. Whoever is on the way to it would lose where they go, so it must not have anybody.
fn merge(
    desk: &Desk<'_>,
    mut draft: Draft<'_>,
    into: IncidentId,
    operator: String,
    reason: String,
) -> Result<Decision, Rejection> {
    must_have_reason(&reason, "merging")?;
    draft.may_act(&operator, "what is over needs no merging")?;
    let mut target = desk.draft_of(into)?;
    target.may_act(&operator, "reopen it first, or merge the other way round")?;
    let refuse = |remedy| Err(Rejection::NotMergeable { incident: draft.id(), into, remedy });
    if draft.id() == into {
        return refuse("name another one");
    }
    if draft.incident.exercise != target.incident.exercise {
        return refuse("one is a drill and the other is not");
    }
    if draft.incident.is_of_elder() && !target.incident.is_of_elder() {
        return refuse("helpers must learn who it is: merge the other way round");
    }
    if draft.incident.live_assignments().next().is_some() {
        return refuse("somebody is on the way to it: merge the other one into it instead");
    }
    let calls_back = draft.incident.timers.contains_key(&Timer::CallBack);
    let looked_for = draft.incident.searching || draft.incident.lacks_place || calls_back;
    draft.withdraw_offers("it is the same as another incident");
    draft.record(IncidentEvent::Merged { into, operator: operator.clone(), reason });
    let merged = &draft.incident;
    let (missing, was_held) = (target.incident.missing(), target.incident.hold.is_some());
    target.record(IncidentEvent::Absorbed {
        from: merged.id,
        operator,
        subject: merged.subject.clone(),
        kind: merged.kind,
        alert_count: merged.alert_count,
        last_alert_at: merged.last_alert_at,
        place: merged.place,
        held: merged.hold.is_some(),
    });
    target.need(merged.needed.max(desk.policy.responders_for(merged.kind)));
    let needs_more = target.incident.missing() > missing;
    let found_place = target.incident.lacks_place && target.incident.place.is_some();
    let released = was_held && target.incident.hold.is_none();
    let begins = found_place || (looked_for || needs_more || released) && !target.is_under_way();
    target.raised_to(merged.priority, merged.kind, begins);
    let mut events = draft.events;
    events.append(&mut target.events);
    Ok(Decision { events, incident: Some(into), duplicate: false })
}

fn must_have_reason(reason: &str, what: &'static str) -> Result<(), Rejection> {
    if reason.trim().is_empty() { Err(Rejection::NoReason(what)) } else { Ok(()) }
}

impl Draft<'_> {
    fn acknowledge(&mut self, operator: &str) -> Result<(), Rejection> {
        self.may_act(operator, "it needs nobody any more")?;
        self.take(operator);
        Ok(())
    }

    /// Takes what nobody has taken.
    fn take(&mut self, operator: &str) {
        if self.incident.state == IncidentState::New {
            self.record(IncidentEvent::Acknowledged { operator: operator.to_owned() });
        }
    }

    fn take_over(&mut self, operator: String, reason: String) -> Result<(), Rejection> {
        must_have_reason(&reason, "taking it over")?;
        self.must_be_open("it needs nobody any more")?;
        match self.incident.operator.clone() {
            None => self.take(&operator),
            Some(from) if from == operator => {}
            Some(from) => self.record(IncidentEvent::TakenOver { operator, from, reason }),
        }
        Ok(())
    }

    /// What an operator says goes before what the devices said. What was held for an operator is held no longer.
    fn triage(
        &mut self,
        operator: String,
        priority: Priority,
        kind: Option<Kind>,
        responders: Option<u32>,
        reason: String,
    ) -> Result<(), Rejection> {
        must_have_reason(&reason, "triage")?;
        self.may_act(&operator, "reopen it first")?;
        if let Some(count) = responders.filter(|count| !(1..=MAX_NEEDED).contains(count)) {
            return Err(Rejection::Needed(count));
        }
        self.take(&operator);
        let rises = priority < self.incident.priority;
        let kind = kind.unwrap_or(self.incident.kind);
        self.record(IncidentEvent::Triaged { operator, priority, kind, reason });
        if let Some(count) = responders.filter(|count| *count != self.incident.needed) {
            self.record(IncidentEvent::RespondersNeeded { count });
        }
        self.tell_family(TellFamily::AtOnce);
        if self.incident.missing() == 0 {
            self.withdraw_offers("enough go");
            return Ok(());
        }
        let plan = self.plan();
        let asked = self.incident.live_offers().next().is_some();
        let at_once = !plan.operator_decides && plan.call_back == Millis(0);
        // The operator has spoken, so nobody is called back any more.
        let nobody_looks = !plan.operator_decides && !self.incident.searching && !asked;
        if nobody_looks || at_once && (rises || !asked) {
            self.search();
        } else if self.incident.searching {
            self.start_ladder(EscalationReason::NobodyAccepted);
            self.go_on_searching();
        }
        Ok(())
    }

    /// Asks those who were named. An operator who sends somebody has taken the incident.
    fn send(&mut self, desk: &Desk<'_>, operator: &str, named: &[ResponderId]) -> Result<(), Rejection> {
        self.may_act(operator, "open a new incident to send somebody")?;
        let found = self.claim_named(desk, named)?;
        self.take(operator);
        // Those who are done do not count once somebody else is sent.
        if self.incident.missing() > 0 || self.incident.coming() == 0 {
            self.start_ladder(EscalationReason::NobodyAccepted);
        }
        self.ask(found, Some(operator));
        Ok(())
    }

    fn may_search(&self, operator: &str) -> Result<(), Rejection> {
        self.may_act(operator, "open a new incident to send somebody")?;
        if self.incident.place.is_none() {
            return Err(Rejection::NoPlace(self.id()));
        }
        if self.incident.missing() == 0 && self.incident.coming() > 0 {
            return Err(Rejection::AlreadyAssigned(self.id()));
        }
        Ok(())
    }

    /// Claims those who are free of the named; nobody is claimed when one of them does not exist.
    fn claim_named(&mut self, desk: &Desk<'_>, named: &[ResponderId]) -> Result<Found, Rejection> {
        let mut candidates = Vec::with_capacity(named.len());
        for responder in named {
            candidates.push(self.ranked(desk, *responder)?);
        }
        let mut found = Found { instead_of: self.best_but(named), ..Found::default() };
        found.looked_at.considered = u32::try_from(named.len()).unwrap_or(u32::MAX);
        let mut next_offer = self.next_offer;
        let claimed = candidates.iter().filter_map(|ranked| self.claim(ranked, &mut next_offer));
        found.chosen = claimed.take(MAX_WAVE as usize).collect();
        self.next_offer = next_offer;
        found.reach = found.chosen.iter().map(|chosen| chosen.distance).max().unwrap_or_default();
        if found.chosen.is_empty() { Err(Rejection::NobodyFree) } else { Ok(found) }
    }

    /// Whom policy would ask first, unless that is one of the named.
    fn best_but(&self, named: &[ResponderId]) -> Option<ResponderId> {
        let excluded = already_asked(&self.incident, 1);
        let wanted = self.outlook().wanted_by(&self.incident, &excluded)?;
        let reach = wanted.plan.furthest_reach();
        let best = self.outlook().rank(&wanted, reach, 1).ranked.first()?.responder;
        (!named.contains(&best)).then_some(best)
    }

    /// A named responder as a candidate. Without a place the distance is not known, and the operator's word counts.
    fn ranked(&self, desk: &Desk<'_>, responder: ResponderId) -> Result<Ranked, Rejection> {
        let member = desk.roster.member(responder).ok_or(Rejection::NoResponder(responder))?;
        let candidate = self.incident.place.and_then(|at| self.outlook().candidate(responder, at));
        let (distance, located) =
            candidate.map_or((Metres(0), Located::Base), |known| (known.distance, known.located));
        let eta = self.policy.eta(member.travels, distance);
        Ok(Ranked {
            responder,
            distance,
            eta,
            cost: eta,
            from_station: located == Located::Base,
            idle_since: None,
        })
    }

    /// The service that was called is not suggested any more. In a drill it is written down all the same; the incident
    /// says that it is an exercise, and whoever tells services must look there.
    fn hand_over(&mut self, operator: String, service: Service, note: String) -> Result<(), Rejection> {
        self.may_act(&operator, "reopen it first")?;
        self.take(&operator);
        if !self.incident.handed_to.contains(&service) {
            self.record(IncidentEvent::HandedOver { operator, service, note });
        }
        Ok(())
    }

    /// Those on the way are told that they are not needed; those on the scene are done.
    fn resolve(&mut self, operator: String, disposition: Disposition, note: String) -> Result<(), Rejection> {
        self.may_act(&operator, "it is over already; add a note instead")?;
        self.take(&operator);
        self.withdraw_offers("the incident is resolved");
        let live: Vec<_> =
            self.incident.live_assignments().map(|going| (going.responder, going.state)).collect();
        for (responder, state) in live {
            self.record(if state >= AssignmentState::OnScene {
                IncidentEvent::AssignmentAdvanced { responder, state: AssignmentState::Cleared }
            } else {
                let reason = "the incident is resolved".to_owned();
                IncidentEvent::AssignmentAborted { responder, reason }
            });
        }
        self.record(IncidentEvent::Resolved { operator, disposition, note });
        self.tell_family(TellFamily::OnResolve);
        self.close_later();
        Ok(())
    }

    /// Whoever reopens it has it.
    fn reopen(&mut self, operator: String, reason: String) -> Result<(), Rejection> {
        must_have_reason(&reason, "reopening")?;
        match self.incident.state {
            IncidentState::Resolved | IncidentState::Cancelled => {
                self.record(IncidentEvent::Reopened { operator, reason });
                Ok(())
            }
            IncidentState::New | IncidentState::Acknowledged | IncidentState::Closed => {
                Err(self.wrong_state("it is open"))
            }
        }
    }

    fn close(&mut self, operator: String) -> Result<(), Rejection> {
        match self.incident.state {
            IncidentState::Resolved | IncidentState::Cancelled => {
                self.record(IncidentEvent::Closed { operator: Some(operator) });
                Ok(())
            }
            IncidentState::New | IncidentState::Acknowledged | IncidentState::Closed => {
                Err(self.wrong_state("say how it ended first (ResolveIncident)"))
            }
        }
    }

    /// Whether `operator` may change it: it is open, and nobody else has taken it.
    fn may_act(&self, operator: &str, remedy: &'static str) -> Result<(), Rejection> {
        self.must_be_open(remedy)?;
        match &self.incident.operator {
            Some(taker) if self.incident.state == IncidentState::Acknowledged && taker != operator => {
                Err(Rejection::Taken { incident: self.id(), operator: taker.clone() })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn must_be_open(&self, remedy: &'static str) -> Result<(), Rejection> {
        if self.incident.state.is_open() { Ok(()) } else { Err(self.wrong_state(remedy)) }
    }

    fn wrong_state(&self, remedy: &'static str) -> Rejection {
        Rejection::WrongState { incident: self.id(), state: self.incident.state, remedy }
    }
}
