//! The field: what responders answer and do.

use model::{IncidentId, OfferId, ResponderId};
use roster::{Availability, Duty};

use crate::{
    command::{AssignmentStep, Rejection},
    decide::{Decision, Desk},
    event::{EscalationReason, EscalationStep, Event, IncidentEvent, OfferEnd},
    incident::{AssignmentState, Incident, Offer, OfferState},
};

/// A responder comes, rests or goes. Somebody with an open offer who leaves has declined it.
pub(crate) fn set_duty(desk: &Desk<'_>, responder: ResponderId, duty: Duty) -> Result<Decision, Rejection> {
    match desk.roster.availability(responder) {
        Availability::Unknown => return Err(Rejection::NoResponder(responder)),
        Availability::OffDuty
        | Availability::OnBreak
        | Availability::Available
        | Availability::Claimed(_) => {}
    }
    if desk.state.duty(responder) == duty {
        return Ok(Decision::default());
    }
    let mut events = vec![Event::DutyChanged { responder, duty }];
    let leaves = match duty {
        Duty::OffDuty | Duty::OnBreak => true,
        Duty::OnDuty => false,
    };
    let asked = desk.state.incident_of(responder).and_then(|incident| {
        let live = incident.live_offers().find(|(_, offer)| offer.responder == responder);
        live.map(|(offer, _)| (incident, offer))
    });
    if let (true, Some((incident, offer))) = (leaves, asked) {
        let mut draft = desk.draft(incident.clone());
        let end = OfferEnd::Declined("went off duty".to_owned());
        draft.record(IncidentEvent::OfferEnded { offer, responder, end });
        draft.go_on_searching();
        events.append(&mut draft.events);
    }
    Ok(Decision { events, ..Decision::default() })
}

/// The app has the offer. Late news about an offer changes nothing.
pub(crate) fn offer_delivered(desk: &Desk<'_>, offer: OfferId) -> Result<Decision, Rejection> {
    advance_offer(desk, offer, &[OfferState::Sent], IncidentEvent::OfferDelivered { offer })
}

/// The responder has seen the offer.
pub(crate) fn offer_seen(desk: &Desk<'_>, offer: OfferId) -> Result<Decision, Rejection> {
    advance_offer(desk, offer, &[OfferState::Sent, OfferState::Delivered], IncidentEvent::OfferSeen { offer })
}

fn advance_offer(
    desk: &Desk<'_>,
    offer: OfferId,
    from: &[OfferState],
    event: IncidentEvent,
) -> Result<Decision, Rejection> {
    let (incident, known) = find_offer(desk, offer)?;
    if !from.contains(&known.state) {
        return Ok(Decision { incident: Some(incident.id), ..Decision::default() });
    }
    let mut draft = desk.draft(incident.clone());
    draft.record(event);
    Ok(draft.decided())
}

/// "I go." The first acceptance wins, or as many as are needed, and all others who were asked are told at once.
pub(crate) fn accept(desk: &Desk<'_>, responder: ResponderId, offer: OfferId) -> Result<Decision, Rejection> {
    let (incident, known) = own_offer(desk, responder, offer)?;
    match known.state {
        OfferState::Sent | OfferState::Delivered | OfferState::Seen => {}
        OfferState::Accepted => return Ok(Decision { incident: Some(incident.id), ..Decision::default() }),
        OfferState::Declined | OfferState::Expired | OfferState::Withdrawn | OfferState::Failed => {
            return Err(Rejection::OfferOver { offer, state: known.state });
        }
    }
    let mut draft = desk.draft(incident.clone());
    draft.record(IncidentEvent::OfferAccepted { offer, responder });
    draft.watch_arrival(responder, known.eta, AssignmentState::Assigned);
    if draft.incident.missing() == 0 {
        draft.withdraw_offers("somebody else was first");
    } else {
        draft.go_on_searching();
    }
    Ok(draft.decided())
}

/// "I cannot." The next are asked as soon as nobody of this wave is left.
pub(crate) fn decline(
    desk: &Desk<'_>,
    responder: ResponderId,
    offer: OfferId,
    reason: String,
) -> Result<Decision, Rejection> {
    let (incident, known) = own_offer(desk, responder, offer)?;
    match known.state {
        OfferState::Sent | OfferState::Delivered | OfferState::Seen => {}
        OfferState::Declined => return Ok(Decision { incident: Some(incident.id), ..Decision::default() }),
        OfferState::Accepted | OfferState::Expired | OfferState::Withdrawn | OfferState::Failed => {
            return Err(Rejection::OfferOver { offer, state: known.state });
        }
    }
    let mut draft = desk.draft(incident.clone());
    draft.record(IncidentEvent::OfferEnded { offer, responder, end: OfferEnd::Declined(reason) });
    draft.go_on_searching();
    Ok(draft.decided())
}

/// On the way, there, done, or not able to.
pub(crate) fn update_assignment(
    desk: &Desk<'_>,
    responder: ResponderId,
    incident: IncidentId,
    step: AssignmentStep,
) -> Result<Decision, Rejection> {
    let mut draft = desk.draft_of(incident)?;
    let current =
        draft.incident.assignments.iter().rev().find(|assignment| assignment.responder == responder);
    let doubted = current.is_some_and(|going| going.doubt.is_some());
    let from =
        current.map(|assignment| assignment.state).ok_or(Rejection::NoAssignment { responder, incident })?;
    match step {
        AssignmentStep::Reach(to) if to == from && !doubted => {}
        AssignmentStep::Abort { .. } if from == AssignmentState::Aborted => {}
        AssignmentStep::Reach(_) | AssignmentStep::Abort { .. } if !from.is_live() => {
            return Err(Rejection::NoAssignment { responder, incident });
        }
        AssignmentStep::Reach(to) if to < from || to > AssignmentState::Cleared => {
            return Err(Rejection::StepBackwards { from, to });
        }
        AssignmentStep::Reach(state) => {
            draft.record(IncidentEvent::AssignmentAdvanced { responder, state });
            if doubted && state < AssignmentState::OnScene {
                draft.watch_again(responder, state);
            }
            // They come after all, so nobody else is needed in their place.
            if doubted && draft.incident.missing() == 0 {
                draft.withdraw_offers("the first helper comes after all");
            }
        }
        AssignmentStep::Abort { reason } => {
            draft.record(IncidentEvent::AssignmentAborted { responder, reason });
            let (step, reason) = (EscalationStep::Operators, EscalationReason::Aborted);
            draft.record(IncidentEvent::Escalated { step, reason });
            draft.replace_who_is_missing();
        }
    }
    Ok(draft.decided())
}

fn find_offer<'a>(desk: &Desk<'a>, offer: OfferId) -> Result<(&'a Incident, &'a Offer), Rejection> {
    let incident = desk.state.incident_of_offer(offer).ok_or(Rejection::NoOffer(offer))?;
    incident.offers.get(&offer).map(|known| (incident, known)).ok_or(Rejection::NoOffer(offer))
}

fn own_offer<'a>(
    desk: &Desk<'a>,
    responder: ResponderId,
    offer: OfferId,
) -> Result<(&'a Incident, &'a Offer), Rejection> {
    let (incident, known) = find_offer(desk, offer)?;
    if known.responder != responder {
        return Err(Rejection::NotYourOffer { offer, owner: known.responder });
    }
    Ok((incident, known))
}
