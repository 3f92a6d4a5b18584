//! Notices: what one responder may know about the offers made to them and the assignments they took.

use dispatch::{Event, IncidentEvent};
use model::{CoordinateSystem, Place, ResponderId};
use wire::{
    Name,
    v1::{self, watch_offers_response::Change},
};

use crate::{Board, Directory};

/// One thing to tell one responder.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Whom.
    pub responder: ResponderId,
    /// What.
    pub change: Change,
}

/// Side of the cell that an offer shows instead of the place, in degrees of latitude: about a kilometre.
const ROUGH_CELL_E7: i32 = 100_000;

/// What `events` mean for responders, in order. The board must have folded them.
#[must_use]
pub fn notices(board: &Board, directory: &Directory, events: &[Event]) -> Vec<Notice> {
    let mut notices = Vec::new();
    for event in events {
        let Event::Incident { incident: id, event } = event else { continue };
        let concerned = concerned(event);
        if concerned.is_empty() {
            continue;
        }
        let Some(incident) = board.get(*id) else { continue };
        for (responder, part) in concerned {
            let change = match part {
                Part::Offer => latest_offer(&incident, responder).map(Change::Offer),
                Part::Assignment => {
                    assignment_notice(&incident, responder, directory).map(Change::Assignment)
                }
                Part::Reminder => reminder(&incident, responder, directory).map(Change::Reminder),
            };
            notices.extend(change.map(|change| Notice { responder, change }));
        }
    }
    notices
}

/// Everything alive that concerns `responder` in this incident, for the start of a watch.
#[must_use]
pub fn live_notices(incident: &v1::Incident, responder: ResponderId, directory: &Directory) -> Vec<Change> {
    let offer = latest_offer(incident, responder).filter(|offer| is_live(offer.state()));
    let assignment = assignment_notice(incident, responder, directory).filter(|going| going.place.is_some());
    let reminder = reminder(incident, responder, directory);
    let offer = offer.map(Change::Offer).into_iter();
    offer.chain(assignment.map(Change::Assignment)).chain(reminder.map(Change::Reminder)).collect()
}

/// "Are you on the way?", as long as it is doubted.
fn reminder(
    incident: &v1::Incident,
    responder: ResponderId,
    directory: &Directory,
) -> Option<v1::AssignmentReminder> {
    let assignment = assignment_notice(incident, responder, directory)?;
    let doubt = assignment.doubt;
    (doubt != 0).then_some(v1::AssignmentReminder { assignment: Some(assignment), doubt })
}

/// The latest assignment of `responder` in this incident. Place and person are shown until it has ended.
#[must_use]
pub fn assignment_notice(
    incident: &v1::Incident,
    responder: ResponderId,
    directory: &Directory,
) -> Option<v1::AssignmentNotice> {
    let name = Name::Responder(responder).to_string();
    let going = incident.assignments.iter().rev().find(|going| going.responder == name)?;
    let mut notice = v1::AssignmentNotice {
        incident: incident.name.clone(),
        state: going.state,
        kind: incident.kind,
        priority: incident.priority,
        exercise: incident.exercise,
        ..v1::AssignmentNotice::default()
    };
    let ended = matches!(going.state(), v1::AssignmentState::Cleared | v1::AssignmentState::Aborted);
    if ended {
        return Some(notice);
    }
    notice.doubt = going.doubt;
    notice.place = incident.place;
    notice.elder.clone_from(&incident.elder);
    let elder = Name::elder("elder", &incident.elder).ok().and_then(|id| directory.elder(id));
    if let Some(elder) = elder {
        notice.elder_name = elder.name.to_string();
        notice.address = elder.address.to_string();
        notice.phone = elder.phone.to_string();
        notice.medical_notes = elder.medical_notes.to_string();
        notice.entry_notes = elder.entry_notes.to_string();
    }
    Some(notice)
}

enum Part {
    Offer,
    Assignment,
    Reminder,
}

fn concerned(event: &IncidentEvent) -> Vec<(ResponderId, Part)> {
    match event {
        IncidentEvent::WaveSent(wave) => {
            wave.chosen.iter().map(|chosen| (chosen.responder, Part::Offer)).collect()
        }
        IncidentEvent::OfferEnded { responder, .. } => vec![(*responder, Part::Offer)],
        IncidentEvent::OfferAccepted { responder, .. } => {
            vec![(*responder, Part::Offer), (*responder, Part::Assignment)]
        }
        IncidentEvent::AssignmentAdvanced { responder, .. }
        | IncidentEvent::AssignmentAborted { responder, .. } => {
            vec![(*responder, Part::Assignment)]
        }
        IncidentEvent::AssignmentDoubted { responder, .. } => vec![(*responder, Part::Reminder)],
        IncidentEvent::Opened(_)
        | IncidentEvent::AlertRaised(_)
        | IncidentEvent::PriorityRaised { .. }
        | IncidentEvent::Restored { .. }
        | IncidentEvent::TimersArmed { .. }
        | IncidentEvent::OfferDelivered { .. }
        | IncidentEvent::OfferSeen { .. }
        | IncidentEvent::Escalated { .. }
        | IncidentEvent::Acknowledged { .. }
        | IncidentEvent::SearchStopped { .. }
        | IncidentEvent::NoteAdded { .. }
        | IncidentEvent::Resolved { .. }
        | IncidentEvent::Closed { .. }
        | IncidentEvent::TakenOver { .. }
        | IncidentEvent::Triaged { .. }
        | IncidentEvent::HandedOver { .. }
        | IncidentEvent::Merged { .. }
        | IncidentEvent::Absorbed { .. }
        | IncidentEvent::Reopened { .. }
        | IncidentEvent::Cancelled { .. }
        | IncidentEvent::SaidToBeWell { .. }
        | IncidentEvent::RespondersNeeded { .. } => Vec::new(),
    }
}

fn latest_offer(incident: &v1::Incident, responder: ResponderId) -> Option<v1::OfferNotice> {
    let name = Name::Responder(responder).to_string();
    let offer = incident.offers.iter().rev().find(|offer| offer.responder == name)?;
    Some(v1::OfferNotice {
        offer_id: offer.offer_id,
        incident: incident.name.clone(),
        state: offer.state,
        kind: incident.kind,
        priority: incident.priority,
        distance_metres: offer.distance_metres,
        eta_seconds: offer.eta_seconds,
        rough_place: incident.place.as_ref().and_then(rough),
        sent_at: offer.sent_at,
        expires_at: offer.expires_at,
        exercise: incident.exercise,
    })
}

fn is_live(state: v1::OfferState) -> bool {
    matches!(state, v1::OfferState::Sent | v1::OfferState::Delivered | v1::OfferState::Seen)
}

/// The middle of the cell the place lies in.
fn rough(place: &v1::Place) -> Option<v1::Place> {
    let middle = |degrees: f64| {
        let e7 = (degrees * 1e7).round() as i32;
        e7.div_euclid(ROUGH_CELL_E7) * ROUGH_CELL_E7 + ROUGH_CELL_E7 / 2
    };
    let middle = Place::from_e7(middle(place.latitude), middle(place.longitude), CoordinateSystem::Wgs84)?;
    Some(wire::place_to_wire(middle))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rough_place_is_near_and_hides_the_door() {
        let exact = v1::Place { latitude: 32.712_345_6, longitude: 119.012_345_6, system: 1 };
        let near = v1::Place { latitude: 32.713_345_6, longitude: 119.013_345_6, system: 1 };
        let rough_place = rough(&exact).expect("on the globe");
        assert_eq!(Some(rough_place), rough(&near));
        assert!((rough_place.latitude - exact.latitude).abs() <= 0.005_000_1);
    }
}
