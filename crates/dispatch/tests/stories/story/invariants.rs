//! Invariants: what must be so after every step of every story.

use std::collections::BTreeMap;

use dispatch::{Duty, EscalationReason, Incident, IncidentState, State, Timer};
use model::{IncidentId, ResponderId};
use roster::{Availability, Roster};

/// Everything that is wrong, in words.
pub(crate) fn faults(
    state: &State,
    roster: &Roster,
    members: impl Iterator<Item = ResponderId>,
) -> Vec<String> {
    let mut faults = Vec::new();
    let bound = bound(state, &mut faults);
    if !state.bound().eq(bound.iter().map(|(responder, incident)| (*responder, *incident))) {
        let by_index: Vec<_> = state.bound().collect();
        faults.push(format!("bound by the index {by_index:?}, by offers and assignments {bound:?}"));
    }
    for responder in members {
        let expected = match (bound.get(&responder), state.duty(responder)) {
            (Some(incident), _) => Availability::Claimed(*incident),
            (None, Duty::OffDuty) => Availability::OffDuty,
            (None, Duty::OnBreak) => Availability::OnBreak,
            (None, Duty::OnDuty) => Availability::Available,
        };
        let found = roster.availability(responder);
        if found != expected {
            faults.push(format!("r{responder} is {found:?} in the roster and should be {expected:?}"));
        }
    }
    for incident in state.incidents() {
        let id = incident.id;
        faults.extend(of_incident(incident).into_iter().map(|fault| format!("#{id} {fault}")));
    }
    let earliest = state.incidents().filter_map(Incident::next_deadline).min();
    if state.next_deadline() != earliest {
        faults.push(format!("next deadline {:?} and should be {earliest:?}", state.next_deadline()));
    }
    faults
}

/// Who is bound, by offers and assignments.
fn bound(state: &State, faults: &mut Vec<String>) -> BTreeMap<ResponderId, IncidentId> {
    let mut bound = BTreeMap::new();
    for incident in state.incidents() {
        let asked = incident.live_offers().map(|(_, offer)| offer.responder);
        let going = incident.live_assignments().map(|going| going.responder);
        for responder in asked.chain(going) {
            if let Some(other) = bound.insert(responder, incident.id) {
                faults.push(format!("r{responder} is bound to #{other} and to #{}", incident.id));
            }
        }
    }
    bound
}

fn of_incident(incident: &Incident) -> Vec<String> {
    let mut faults = Vec::new();
    let mut must = |holds: bool, fault: &str| {
        if !holds {
            faults.push(format!("{fault}: {incident:?}"));
        }
    };
    let waits_for = |reason| incident.timers.keys().any(|timer| timer.waits_for(reason));
    let asked = incident.live_offers().next().is_some();
    let goes = incident.live_assignments().next().is_some();
    let asked_last = incident.live_offers().any(|(_, offer)| offer.wave == incident.wave);
    let looks_again = incident.timers.contains_key(&Timer::SearchAgain);
    match incident.state {
        IncidentState::New => {
            must(waits_for(EscalationReason::NotAcknowledged), "no human has taken it and none is called");
        }
        IncidentState::Acknowledged => {
            must(!waits_for(EscalationReason::NotAcknowledged), "it rings although somebody has taken it");
            must(incident.operator.is_some(), "nobody knows who has taken it");
        }
        IncidentState::Resolved | IncidentState::Cancelled => {
            must(!asked && !goes, "somebody is bound to what is over");
            must(incident.timers.keys().eq([&Timer::Close]), "only closing is left to do");
        }
        IncidentState::Closed => must(false, "what is closed is forgotten"),
    }
    if incident.state.is_open() {
        must(!incident.timers.contains_key(&Timer::Close), "an open incident closes by itself");
    }
    if goes && incident.missing() == 0 {
        let alone = !incident.searching && !looks_again && !waits_for(EscalationReason::NobodyAccepted);
        must(alone && !incident.timers.contains_key(&Timer::CallBack), "somebody goes and it goes on asking");
    }
    if incident.searching {
        must(asked_last || looks_again, "the search has come to a standstill");
        must(!incident.timers.contains_key(&Timer::CallBack), "it searches and waits for the call-back");
    } else {
        must(!looks_again, "it looks again without searching");
    }
    if incident.hold.is_some() {
        must(!incident.searching && !asked, "it is held and somebody is asked");
    }
    faults
}
