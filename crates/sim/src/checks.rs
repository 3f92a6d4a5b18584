//! Checks: what must be so whenever the server has nothing left to do.

use dispatch::{AssignmentState, EscalationReason, Incident, IncidentState, Timer};
use model::ResponderId;
use roster::{Availability, Duty};

use crate::{
    people::People,
    reference::{Case, Going, Reference, Stage},
    server::Server,
};

type Checked = Result<(), String>;

fn must(holds: bool, broken: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(broken()) }
}

/// State, roster and reference say the same, and every open incident has something that will happen next.
pub(crate) fn agree(server: &Server, reference: &Reference, people: &People) -> Checked {
    let state = &server.state;
    must(state.bound().eq(reference.bound.iter().map(|(who, incident)| (*who, *incident))), || {
        let bound: Vec<_> = state.bound().collect();
        format!("the state binds {bound:?}, the reference {:?}", reference.bound)
    })?;
    let mut free = 0;
    for responder in &people.responders {
        let expected = expected_availability(reference, responder.id);
        free += u32::from(expected == Availability::Available);
        let found = server.roster.availability(responder.id);
        must(found == expected, || {
            format!("r{} is {found:?} in the roster and should be {expected:?}", responder.id)
        })?;
    }
    must(server.roster.free() == free, || {
        format!("{free} are free, the roster counts {}", server.roster.free())
    })?;
    let mut waiting = 0;
    let mut earliest = None;
    let mut known = reference.cases.iter();
    for incident in state.incidents() {
        let (id, case) = known.next().ok_or_else(|| format!("#{} should be closed", incident.id))?;
        must(*id == incident.id, || {
            format!("#{id} is open in the reference, #{} in the state", incident.id)
        })?;
        same(incident, case).map_err(|broken| format!("#{id}: {broken}"))?;
        goes_on(incident).map_err(|broken| format!("#{id}: {broken}: {incident:?}"))?;
        waiting += usize::from(incident.waits_for_somebody() && incident.place.is_some());
        earliest = earliest.into_iter().chain(incident.next_deadline()).min();
    }
    must(known.next().is_none(), || "an incident is lost".to_owned())?;
    must(state.waiting() == waiting, || format!("{waiting} wait, the index says {}", state.waiting()))?;
    must(state.next_deadline() == earliest, || {
        format!("the next deadline is {:?} and should be {earliest:?}", state.next_deadline())
    })
}

fn expected_availability(reference: &Reference, who: ResponderId) -> Availability {
    match (reference.bound.get(&who), reference.duty.get(&who)) {
        (Some(incident), _) => Availability::Claimed(*incident),
        (None, Some(Duty::OnDuty)) => Availability::Available,
        (None, Some(Duty::OnBreak)) => Availability::OnBreak,
        (None, Some(Duty::OffDuty) | None) => Availability::OffDuty,
    }
}

fn same(incident: &Incident, case: &Case) -> Checked {
    let stage = match incident.state {
        IncidentState::New => Stage::New,
        IncidentState::Acknowledged => Stage::Taken,
        IncidentState::Resolved | IncidentState::Cancelled | IncidentState::Closed => Stage::Over,
    };
    must(stage == case.stage, || format!("is {stage:?} and should be {:?}", case.stage))?;
    let equal = (incident.priority, incident.kind, incident.exercise, incident.alert_count, incident.needed)
        == (case.priority, case.kind, case.exercise, case.alerts, case.needed);
    must(equal, || format!("{incident:?} and should be {case:?}"))?;
    must(incident.operator == case.operator, || format!("operator should be {:?}", case.operator))?;
    must(incident.hold.is_some() == case.held, || format!("held should be {}", case.held))?;
    must(incident.place == case.place, || format!("place should be {:?}", case.place))?;
    must(incident.live_offers().count() == case.live(), || "other offers are live".to_owned())?;
    let going: Vec<(ResponderId, AssignmentState)> =
        incident.live_assignments().map(|going| (going.responder, going.state)).collect();
    let expected: Vec<(ResponderId, AssignmentState)> = case
        .going
        .iter()
        .filter(|going| Going::is_live(going))
        .map(|going| (going.responder, going.step))
        .collect();
    must(going == expected, || format!("{going:?} go and {expected:?} should"))
}

fn goes_on(incident: &Incident) -> Checked {
    let waits_for = |reason| incident.timers.keys().any(|timer| timer.waits_for(reason));
    let asked = incident.live_offers().next().is_some();
    let looks_again = incident.timers.contains_key(&Timer::SearchAgain);
    match incident.state {
        IncidentState::New => {
            must(waits_for(EscalationReason::NotAcknowledged), || {
                "no human has it and none is called".into()
            })?;
        }
        IncidentState::Acknowledged => {
            must(incident.operator.is_some(), || "nobody knows who has it".into())?;
            must(!waits_for(EscalationReason::NotAcknowledged), || "it rings though taken".into())?;
        }
        IncidentState::Resolved | IncidentState::Cancelled => {
            let only_closing = incident.timers.keys().eq([&Timer::Close]);
            must(only_closing, || "only closing is left to do".into())?;
        }
        IncidentState::Closed => must(false, || "what is closed is forgotten".into())?,
    }
    let open = incident.state.is_open();
    must(!open || !incident.timers.contains_key(&Timer::Close), || "it is open and closes by itself".into())?;
    if incident.searching {
        must(asked || looks_again, || "the search has come to a standstill".into())?;
    } else {
        must(!looks_again, || "it looks again without searching".into())?;
    }
    Ok(())
}
