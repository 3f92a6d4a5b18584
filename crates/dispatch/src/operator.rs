//! Operators: what the hotline does to an incident.

use model::{IncidentId, Metres, Millis, ResponderId, Skills};
use roster::{Availability, Candidate, Located, Query};

use crate::{
    command::{Operation, Rejection},
    decide::{Decision, Desk, Draft},
    event::{Disposition, EscalationReason, Event, IncidentEvent, Timer},
    incident::{AssignmentState, IncidentState},
    policy::MAX_WAVE,
    search::Found,
};

/// Drill mode on or off.
pub(crate) fn set_drill_mode(desk: &Desk<'_>, on: bool) -> Decision {
    let changes = desk.state.drill() != on;
    let events = if changes { vec![Event::DrillModeChanged { on }] } else { Vec::new() };
    Decision { events, ..Decision::default() }
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
        Operation::Acknowledge => draft.acknowledge(operator)?,
        Operation::Dispatch { responders } => draft.dispatch(desk, &operator, &responders)?,
        Operation::Withdraw { reason } => {
            draft.must_be_open("reopen it first")?;
            draft.withdraw_offers(&reason);
            draft.record(IncidentEvent::SearchStopped { operator, reason });
        }
        Operation::AddNote { text } => draft.record(IncidentEvent::NoteAdded { operator, text }),
        Operation::Resolve { disposition, note } => draft.resolve(operator, disposition, note)?,
        Operation::Close => draft.close(operator)?,
    }
    Ok(draft.decided())
}

impl Draft<'_> {
    fn acknowledge(&mut self, operator: String) -> Result<(), Rejection> {
        match (&self.incident.state, &self.incident.operator) {
            (IncidentState::New, _) => {
                self.record(IncidentEvent::Acknowledged { operator });
                Ok(())
            }
            (IncidentState::Acknowledged, Some(taker)) if *taker == operator => Ok(()),
            (IncidentState::Acknowledged, taker) => {
                Err(Rejection::Taken { incident: self.id(), operator: taker.clone().unwrap_or_default() })
            }
            (IncidentState::Resolved | IncidentState::Closed, _) => {
                self.must_be_open("it needs nobody any more")
            }
        }
    }

    /// By policy when nobody is named. An operator who sends somebody has taken the incident.
    fn dispatch(&mut self, desk: &Desk<'_>, operator: &str, named: &[ResponderId]) -> Result<(), Rejection> {
        self.must_be_open("open a new incident to send somebody")?;
        if named.is_empty() {
            self.may_search()?;
        }
        let found = match named {
            [] => None,
            [_, ..] => Some(self.claim_named(desk, named)?),
        };
        if self.incident.state == IncidentState::New {
            self.record(IncidentEvent::Acknowledged { operator: operator.to_owned() });
        }
        if self.incident.live_assignments().next().is_none() {
            self.start_ladder(EscalationReason::NobodyAccepted);
        }
        match found {
            Some(found) => self.ask(found, Some(operator)),
            None => self.next_wave(Some(operator)),
        }
        Ok(())
    }

    fn may_search(&self) -> Result<(), Rejection> {
        if self.incident.place.is_none() {
            return Err(Rejection::NoPlace(self.id()));
        }
        if self.incident.live_assignments().next().is_some() {
            return Err(Rejection::AlreadyAssigned(self.id()));
        }
        Ok(())
    }

    /// Claims those who are free of the named; nobody is claimed when one of them does not exist.
    fn claim_named(&mut self, desk: &Desk<'_>, named: &[ResponderId]) -> Result<Found, Rejection> {
        let mut candidates = Vec::with_capacity(named.len());
        for responder in named {
            candidates.push(self.candidate(desk, *responder)?);
        }
        let mut found = Found::default();
        found.tally.considered = u32::try_from(named.len()).unwrap_or(u32::MAX);
        let claimed = candidates.into_iter().filter_map(|candidate| self.claim(candidate));
        found.chosen = claimed.take(MAX_WAVE as usize).collect();
        found.reach = found.chosen.iter().map(|chosen| chosen.distance).max().unwrap_or_default();
        if found.chosen.is_empty() { Err(Rejection::NobodyFree) } else { Ok(found) }
    }

    /// A named responder as a candidate. Without a place the distance is not known, and the operator's word counts.
    fn candidate(&self, desk: &Desk<'_>, responder: ResponderId) -> Result<Candidate, Rejection> {
        let unknown = Rejection::NoResponder(responder);
        let whereabouts = match self.incident.place {
            Some(at) => {
                let query =
                    Query { at, reach: Metres(u32::MAX), skills: Skills::NONE, limit: 1, excluded: &[] };
                desk.roster.explain_one(responder, &query).ok_or(unknown)?.whereabouts
            }
            None if desk.roster.availability(responder) == Availability::Unknown => return Err(unknown),
            None => None,
        };
        let (distance, located) = whereabouts.unwrap_or((Metres(0), Located::Base));
        Ok(Candidate { distance, responder, located })
    }

    /// Those on the way are told that they are not needed; those on the scene are done.
    fn resolve(&mut self, operator: String, disposition: Disposition, note: String) -> Result<(), Rejection> {
        self.must_be_open("it is resolved already; add a note instead")?;
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
        let due = self.now + Millis::from_seconds(self.policy.close_after_s);
        self.record(IncidentEvent::TimersArmed { timers: vec![(Timer::Close, due)] });
        Ok(())
    }

    fn close(&mut self, operator: String) -> Result<(), Rejection> {
        match self.incident.state {
            IncidentState::Resolved => {
                self.record(IncidentEvent::Closed { operator: Some(operator) });
                Ok(())
            }
            IncidentState::New | IncidentState::Acknowledged | IncidentState::Closed => {
                Err(self.wrong_state("say how it ended first (ResolveIncident)"))
            }
        }
    }

    fn must_be_open(&self, remedy: &'static str) -> Result<(), Rejection> {
        if self.incident.state.is_open() { Ok(()) } else { Err(self.wrong_state(remedy)) }
    }

    fn wrong_state(&self, remedy: &'static str) -> Rejection {
        Rejection::WrongState { incident: self.id(), state: self.incident.state, remedy }
    }
}
