//! Telling: what of an event is told outside, and until when does it matter?

use dispatch::{
    AssignmentState, Doubt, EscalationReason, EscalationStep, Event, IncidentEvent, OfferEnd, Service, Wave,
};
use model::{AlertId, IncidentId, OfferId, ResponderId, Timestamp};
use serde::{Deserialize, Serialize};
use wire::{Name, v1};

/// Every event there is to subscribe to.
pub(crate) const EVENTS: [&str; 20] = [
    "incident.opened",
    "incident.alert_raised",
    "incident.priority_raised",
    "incident.escalated",
    "incident.acknowledged",
    "incident.taken_over",
    "incident.triaged",
    "incident.handed_over",
    "incident.merged",
    "incident.reopened",
    "incident.cancelled",
    "incident.said_to_be_well",
    "incident.resolved",
    "incident.closed",
    "offer.made",
    "offer.accepted",
    "offer.ended",
    "assignment.advanced",
    "assignment.aborted",
    "assignment.doubted",
];

/// Whether there is such an event.
pub(crate) fn is_event(name: &str) -> bool {
    EVENTS.contains(&name)
}

/// One thing to tell. It holds no words that people wrote, and nothing of the elder: whoever may know more asks for the
/// incident by its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Telling {
    Opened,
    AlertRaised { alert: AlertId },
    PriorityRaised,
    Escalated { step: EscalationStep, reason: EscalationReason },
    Acknowledged,
    TakenOver,
    Triaged,
    HandedOver { service: Service },
    Merged { into: IncidentId },
    Reopened,
    Cancelled,
    SaidToBeWell,
    Resolved,
    Closed,
    OfferMade { offer: OfferId, responder: ResponderId, wave: u32, expires_at: Timestamp },
    OfferAccepted { offer: OfferId, responder: ResponderId },
    OfferEnded { offer: OfferId, responder: ResponderId, how: Ended },
    AssignmentAdvanced { responder: ResponderId, state: AssignmentState },
    AssignmentAborted { responder: ResponderId },
    AssignmentDoubted { responder: ResponderId, doubt: Doubt },
}

/// How an offer ended. Why, in words, is the incident's story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Ended {
    Declined,
    Expired,
    Withdrawn,
    Failed,
}

impl Ended {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Declined => "declined",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
            Self::Failed => "failed",
        }
    }
}

impl From<&OfferEnd> for Ended {
    fn from(end: &OfferEnd) -> Self {
        match end {
            OfferEnd::Declined(_) => Self::Declined,
            OfferEnd::Expired => Self::Expired,
            OfferEnd::Withdrawn(_) => Self::Withdrawn,
            OfferEnd::Failed(_) => Self::Failed,
        }
    }
}

/// What there is to tell of an event, in order: one for each responder who is asked, otherwise at most one.
pub(crate) fn tellings(event: &Event) -> (Option<IncidentId>, Vec<Telling>) {
    match event {
        Event::Incident { incident, event } => (Some(*incident), of_incident(event)),
        Event::DutyChanged { .. } | Event::DrillModeChanged { .. } | Event::PolicyReplaced { .. } => {
            (None, Vec::new())
        }
    }
}

fn of_incident(event: &IncidentEvent) -> Vec<Telling> {
    let one = match event {
        IncidentEvent::WaveSent(wave) => return offers(wave),
        IncidentEvent::Opened(_) => Telling::Opened,
        IncidentEvent::AlertRaised(alert) => Telling::AlertRaised { alert: alert.alert },
        IncidentEvent::PriorityRaised { .. } => Telling::PriorityRaised,
        IncidentEvent::Escalated { step, reason } => Telling::Escalated { step: *step, reason: *reason },
        IncidentEvent::Acknowledged { .. } => Telling::Acknowledged,
        IncidentEvent::TakenOver { .. } => Telling::TakenOver,
        IncidentEvent::Triaged { .. } => Telling::Triaged,
        IncidentEvent::HandedOver { service, .. } => Telling::HandedOver { service: *service },
        IncidentEvent::Merged { into, .. } => Telling::Merged { into: *into },
        IncidentEvent::Reopened { .. } => Telling::Reopened,
        IncidentEvent::Cancelled { .. } => Telling::Cancelled,
        IncidentEvent::SaidToBeWell { .. } => Telling::SaidToBeWell,
        IncidentEvent::Resolved { .. } => Telling::Resolved,
        IncidentEvent::Closed { .. } => Telling::Closed,
        IncidentEvent::OfferAccepted { offer, responder } => {
            Telling::OfferAccepted { offer: *offer, responder: *responder }
        }
        IncidentEvent::OfferEnded { offer, responder, end } => {
            Telling::OfferEnded { offer: *offer, responder: *responder, how: end.into() }
        }
        IncidentEvent::AssignmentAdvanced { responder, state } => {
            Telling::AssignmentAdvanced { responder: *responder, state: *state }
        }
        IncidentEvent::AssignmentAborted { responder, .. } => {
            Telling::AssignmentAborted { responder: *responder }
        }
        IncidentEvent::AssignmentDoubted { responder, doubt } => {
            Telling::AssignmentDoubted { responder: *responder, doubt: *doubt }
        }
        // What we do among ourselves: timers, notes, an app that shows an offer.
        IncidentEvent::Restored { .. }
        | IncidentEvent::TimersArmed { .. }
        | IncidentEvent::OfferDelivered { .. }
        | IncidentEvent::OfferSeen { .. }
        | IncidentEvent::SearchStopped { .. }
        | IncidentEvent::NoteAdded { .. }
        | IncidentEvent::Absorbed { .. }
        | IncidentEvent::RespondersNeeded { .. } => return Vec::new(),
    };
    vec![one]
}

fn offers(wave: &Wave) -> Vec<Telling> {
    let made = wave.chosen.iter().map(|chosen| Telling::OfferMade {
        offer: chosen.offer,
        responder: chosen.responder,
        wave: wave.wave,
        expires_at: wave.expires_at,
    });
    made.collect()
}

impl Telling {
    /// The event's name, as one subscribes to it.
    pub(crate) fn event(&self) -> &'static str {
        match self {
            Self::Opened => "incident.opened",
            Self::AlertRaised { .. } => "incident.alert_raised",
            Self::PriorityRaised => "incident.priority_raised",
            Self::Escalated { .. } => "incident.escalated",
            Self::Acknowledged => "incident.acknowledged",
            Self::TakenOver => "incident.taken_over",
            Self::Triaged => "incident.triaged",
            Self::HandedOver { .. } => "incident.handed_over",
            Self::Merged { .. } => "incident.merged",
            Self::Reopened => "incident.reopened",
            Self::Cancelled => "incident.cancelled",
            Self::SaidToBeWell => "incident.said_to_be_well",
            Self::Resolved => "incident.resolved",
            Self::Closed => "incident.closed",
            Self::OfferMade { .. } => "offer.made",
            Self::OfferAccepted { .. } => "offer.accepted",
            Self::OfferEnded { .. } => "offer.ended",
            Self::AssignmentAdvanced { .. } => "assignment.advanced",
            Self::AssignmentAborted { .. } => "assignment.aborted",
            Self::AssignmentDoubted { .. } => "assignment.doubted",
        }
    }

    /// Whether it may be told about a drill: everything, but no public service is called to one.
    pub(crate) fn suits_drills(&self) -> bool {
        match self {
            Self::HandedOver { .. } => false,
            Self::Escalated { step, .. } => called_service(*step).is_none(),
            Self::Opened
            | Self::AlertRaised { .. }
            | Self::PriorityRaised
            | Self::Acknowledged
            | Self::TakenOver
            | Self::Triaged
            | Self::Merged { .. }
            | Self::Reopened
            | Self::Cancelled
            | Self::SaidToBeWell
            | Self::Resolved
            | Self::Closed
            | Self::OfferMade { .. }
            | Self::OfferAccepted { .. }
            | Self::OfferEnded { .. }
            | Self::AssignmentAdvanced { .. }
            | Self::AssignmentAborted { .. }
            | Self::AssignmentDoubted { .. } => true,
        }
    }

    /// Whom it calls, when it is a call and no mere news. A call that does not get through is told to the operators, who
    /// phone instead. Calls to the operators themselves are on their consoles anyway.
    pub(crate) fn calls(&self) -> Option<String> {
        match self {
            Self::OfferMade { responder, .. } => Some(Name::Responder(*responder).to_string()),
            Self::Escalated { step, .. } => match step {
                EscalationStep::Operators | EscalationStep::RingAll => None,
                EscalationStep::Supervisor => Some("the supervisor".to_owned()),
                EscalationStep::Suggest120 => Some("somebody who calls 120".to_owned()),
                EscalationStep::Suggest119 => Some("somebody who calls 119".to_owned()),
                EscalationStep::Suggest110 => Some("somebody who calls 110".to_owned()),
                EscalationStep::Station => Some("the station".to_owned()),
                EscalationStep::Family => Some("the family".to_owned()),
            },
            Self::Opened
            | Self::AlertRaised { .. }
            | Self::PriorityRaised
            | Self::Acknowledged
            | Self::TakenOver
            | Self::Triaged
            | Self::HandedOver { .. }
            | Self::Merged { .. }
            | Self::Reopened
            | Self::Cancelled
            | Self::SaidToBeWell
            | Self::Resolved
            | Self::Closed
            | Self::OfferAccepted { .. }
            | Self::OfferEnded { .. }
            | Self::AssignmentAdvanced { .. }
            | Self::AssignmentAborted { .. }
            | Self::AssignmentDoubted { .. } => None,
        }
    }

    /// Whether its reason still stands, with the incident as it is now. What has happened stays true; a call is over as
    /// soon as nobody needs to come because of it.
    pub(crate) fn stands(&self, incident: &v1::Incident) -> bool {
        match self {
            Self::OfferMade { offer, .. } => {
                let made = incident.offers.iter().find(|known| known.offer_id == offer.0);
                made.is_none_or(|offer| is_live(offer.state())) && !is_closed(incident)
            }
            Self::Escalated { step, reason } => escalation_stands(*step, *reason, incident),
            Self::Opened
            | Self::AlertRaised { .. }
            | Self::PriorityRaised
            | Self::Acknowledged
            | Self::TakenOver
            | Self::Triaged
            | Self::HandedOver { .. }
            | Self::Merged { .. }
            | Self::Reopened
            | Self::Cancelled
            | Self::SaidToBeWell
            | Self::Resolved
            | Self::Closed
            | Self::OfferAccepted { .. }
            | Self::OfferEnded { .. }
            | Self::AssignmentAdvanced { .. }
            | Self::AssignmentAborted { .. }
            | Self::AssignmentDoubted { .. } => true,
        }
    }
}

fn escalation_stands(step: EscalationStep, reason: EscalationReason, incident: &v1::Incident) -> bool {
    let is_new = incident.state() == v1::IncidentState::New;
    let service = called_service(step).map(v1::PublicService::from);
    if service.is_some_and(|service| incident.handed_over.iter().any(|called| called.service() == service)) {
        return false;
    }
    match reason {
        // The contacts are told how it ended.
        EscalationReason::Resolved => true,
        EscalationReason::NotAcknowledged
        | EscalationReason::OperatorDecides
        | EscalationReason::NoPlace
        | EscalationReason::UnknownDevice
        | EscalationReason::Unreadable
        | EscalationReason::Late
        | EscalationReason::Retained
        | EscalationReason::SaidToBeWell => is_new,
        EscalationReason::NobodyAccepted | EscalationReason::NoCandidate => {
            is_open(incident) && !somebody_goes(incident)
        }
        EscalationReason::Aborted
        | EscalationReason::Opened
        | EscalationReason::Dispatched
        | EscalationReason::NotMoving
        | EscalationReason::Overdue
        | EscalationReason::OperatorAsks
        | EscalationReason::Corroborated => is_open(incident),
    }
}

/// The public service that a person is to call.
fn called_service(step: EscalationStep) -> Option<Service> {
    [Service::Ambulance, Service::FireBrigade, Service::Police]
        .into_iter()
        .find(|service| service.suggested() == step)
}

fn is_live(state: v1::OfferState) -> bool {
    matches!(state, v1::OfferState::Sent | v1::OfferState::Delivered | v1::OfferState::Seen)
}

/// Whether help may still be needed.
pub(crate) fn is_open(incident: &v1::Incident) -> bool {
    matches!(incident.state(), v1::IncidentState::New | v1::IncidentState::Acknowledged)
}

/// Whether it is history.
pub(crate) fn is_closed(incident: &v1::Incident) -> bool {
    incident.state() == v1::IncidentState::Closed
}

/// Whether somebody is on the way or there.
pub(crate) fn somebody_goes(incident: &v1::Incident) -> bool {
    let ended = |going: &v1::Assignment| {
        matches!(going.state(), v1::AssignmentState::Cleared | v1::AssignmentState::Aborted)
    };
    incident.assignments.iter().any(|going| !ended(going))
}
