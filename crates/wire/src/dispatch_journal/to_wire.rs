//! Into the journal: what stands there for each event.

use dispatch::{
    Alert, Chosen, Disposition, Event, Hold, IncidentEvent, LeftOut, OfferEnd, Opened, Service, Subject,
    Timer, Wave,
};
use model::{DeviceId, IncidentId, Kind, OfferId, Place, Priority, ResponderId, Timestamp};

use crate::v1::{
    self,
    dispatch_event::{self, Event as W},
    journal_subject, journal_timer,
};

/// What stands in the journal for `event`.
pub(super) fn event_to_wire(event: &Event) -> v1::DispatchEvent {
    let (incident_id, event) = match event {
        Event::DutyChanged { responder, duty } => (
            0,
            dispatch_event::Event::DutyChanged(v1::JournalDutyChanged {
                responder_id: responder.0,
                duty: v1::Duty::from(*duty).into(),
            }),
        ),
        Event::DrillModeChanged { on } => {
            (0, dispatch_event::Event::DrillModeChanged(v1::JournalDrillModeChanged { on: *on }))
        }
        Event::PolicyReplaced { version } => {
            let replaced = v1::JournalPolicyReplaced { version: version.clone() };
            (0, dispatch_event::Event::PolicyReplaced(replaced))
        }
        Event::Incident { incident, event } => (incident.0, incident_event_to_wire(event)),
    };
    v1::DispatchEvent { incident_id, event: Some(event) }
}

fn incident_event_to_wire(event: &IncidentEvent) -> W {
    match event {
        IncidentEvent::Opened(opened) => W::Opened(opened_to_wire(opened)),
        IncidentEvent::AlertRaised(alert) => W::AlertRaised(alert_to_wire(alert)),
        IncidentEvent::PriorityRaised { priority, kind } => {
            let (priority, kind) = (priority_number(*priority), kind_number(*kind));
            W::PriorityRaised(v1::JournalPriorityRaised { priority, kind })
        }
        IncidentEvent::Restored { device, kind } => {
            W::Restored(v1::JournalRestored { device_id: device.to_string(), kind: kind_number(*kind) })
        }
        IncidentEvent::TimersArmed { timers } => W::TimersArmed(timers_to_wire(timers)),
        IncidentEvent::WaveSent(wave) => W::WaveSent(wave_to_wire(wave)),
        IncidentEvent::OfferDelivered { offer } => {
            W::OfferDelivered(v1::JournalOfferDelivered { offer_id: offer.0 })
        }
        IncidentEvent::OfferSeen { offer } => W::OfferSeen(v1::JournalOfferSeen { offer_id: offer.0 }),
        IncidentEvent::OfferAccepted { offer, responder } => {
            W::OfferAccepted(v1::JournalOfferAccepted { offer_id: offer.0, responder_id: responder.0 })
        }
        IncidentEvent::OfferEnded { offer, responder, end } => {
            W::OfferEnded(offer_ended_to_wire(*offer, *responder, end))
        }
        IncidentEvent::AssignmentAdvanced { responder, state } => {
            let state = v1::AssignmentState::from(*state).into();
            W::AssignmentAdvanced(v1::JournalAssignmentAdvanced { responder_id: responder.0, state })
        }
        IncidentEvent::AssignmentAborted { responder, reason } => {
            let reason = reason.clone();
            W::AssignmentAborted(v1::JournalAssignmentAborted { responder_id: responder.0, reason })
        }
        IncidentEvent::AssignmentDoubted { responder, doubt } => {
            let doubt = v1::Doubt::from(*doubt).into();
            W::AssignmentDoubted(v1::JournalAssignmentDoubted { responder_id: responder.0, doubt })
        }
        IncidentEvent::Escalated { step, reason } => W::Escalated(v1::JournalEscalated {
            step: v1::EscalationStep::from(*step).into(),
            reason: v1::EscalationReason::from(*reason).into(),
        }),
        IncidentEvent::RespondersNeeded { count } => {
            W::RespondersNeeded(v1::JournalRespondersNeeded { count: *count })
        }
        IncidentEvent::Cancelled { device, key } => {
            W::Cancelled(v1::JournalCancelled { device_id: device.to_string(), key: key_bytes(*key) })
        }
        IncidentEvent::SaidToBeWell { device, key } => {
            W::SaidToBeWell(v1::JournalSaidToBeWell { device_id: device.to_string(), key: key_bytes(*key) })
        }
        IncidentEvent::Absorbed {
            from,
            operator,
            subject,
            kind,
            alert_count,
            last_alert_at,
            place,
            held,
        } => W::Absorbed(v1::JournalAbsorbed {
            from: from.0,
            subject: Some(subject_to_wire(subject)),
            kind: kind_number(*kind),
            alert_count: *alert_count,
            last_alert_at_ms: last_alert_at.0,
            place: place.map(place_to_wire),
            operator: operator.clone(),
            held: *held,
        }),
        IncidentEvent::Acknowledged { operator } => acknowledged(operator),
        IncidentEvent::SearchStopped { operator, reason } => search_stopped(operator, reason),
        IncidentEvent::NoteAdded { operator, text } => note_added(operator, text),
        IncidentEvent::Resolved { operator, disposition, note } => resolved(operator, *disposition, note),
        IncidentEvent::Closed { operator } => W::Closed(v1::JournalClosed { operator: operator.clone() }),
        IncidentEvent::TakenOver { operator, from, reason } => taken_over(operator, from, reason),
        IncidentEvent::Triaged { operator, priority, kind, reason } => {
            triaged(operator, *priority, *kind, reason)
        }
        IncidentEvent::HandedOver { operator, service, note } => handed_over(operator, *service, note),
        IncidentEvent::Merged { into, operator, reason } => merged(*into, operator, reason),
        IncidentEvent::Reopened { operator, reason } => reopened(operator, reason),
    }
}

fn acknowledged(operator: &str) -> W {
    W::Acknowledged(v1::JournalAcknowledged { operator: operator.to_owned() })
}

fn search_stopped(operator: &str, reason: &str) -> W {
    let (operator, reason) = (operator.to_owned(), reason.to_owned());
    W::SearchStopped(v1::JournalSearchStopped { operator, reason })
}

fn note_added(operator: &str, text: &str) -> W {
    W::NoteAdded(v1::JournalNoteAdded { operator: operator.to_owned(), text: text.to_owned() })
}

fn resolved(operator: &str, disposition: Disposition, note: &str) -> W {
    let disposition = v1::Disposition::from(disposition).into();
    W::Resolved(v1::JournalResolved { operator: operator.to_owned(), disposition, note: note.to_owned() })
}

fn taken_over(operator: &str, from: &str, reason: &str) -> W {
    let (operator, from, reason) = (operator.to_owned(), from.to_owned(), reason.to_owned());
    W::TakenOver(v1::JournalTakenOver { operator, from, reason })
}

fn triaged(operator: &str, priority: Priority, kind: Kind, reason: &str) -> W {
    W::Triaged(v1::JournalTriaged {
        operator: operator.to_owned(),
        priority: priority_number(priority),
        kind: kind_number(kind),
        reason: reason.to_owned(),
    })
}

fn handed_over(operator: &str, service: Service, note: &str) -> W {
    let service = v1::PublicService::from(service).into();
    W::HandedOver(v1::JournalHandedOver { operator: operator.to_owned(), service, note: note.to_owned() })
}

fn merged(into: IncidentId, operator: &str, reason: &str) -> W {
    let (operator, reason) = (operator.to_owned(), reason.to_owned());
    W::Merged(v1::JournalMerged { into: into.0, operator, reason })
}

fn reopened(operator: &str, reason: &str) -> W {
    W::Reopened(v1::JournalReopened { operator: operator.to_owned(), reason: reason.to_owned() })
}

fn offer_ended_to_wire(offer: OfferId, responder: ResponderId, end: &OfferEnd) -> v1::JournalOfferEnded {
    v1::JournalOfferEnded {
        offer_id: offer.0,
        responder_id: responder.0,
        state: v1::OfferState::from(end.state()).into(),
        reason: match end {
            OfferEnd::Declined(reason) | OfferEnd::Withdrawn(reason) | OfferEnd::Failed(reason) => {
                reason.clone()
            }
            OfferEnd::Expired => String::new(),
        },
    }
}

fn timers_to_wire(timers: &[(Timer, Timestamp)]) -> v1::JournalTimersArmed {
    v1::JournalTimersArmed { timers: timers.iter().map(|(timer, due)| timer_to_wire(*timer, *due)).collect() }
}

fn priority_number(priority: Priority) -> i32 {
    v1::Priority::from(priority).into()
}

fn kind_number(kind: Kind) -> i32 {
    v1::Kind::from(kind).into()
}

fn opened_to_wire(opened: &Opened) -> v1::JournalOpened {
    v1::JournalOpened {
        subject: Some(subject_to_wire(&opened.subject)),
        kind: v1::Kind::from(opened.kind).into(),
        priority: v1::Priority::from(opened.priority).into(),
        place: opened.place.map(place_to_wire),
        org_unit: opened.org_unit.map(|code| code.to_string()).unwrap_or_default(),
        exercise: opened.exercise,
        hold: hold_to_wire(opened.hold),
    }
}

fn alert_to_wire(alert: &Alert) -> v1::JournalAlertRaised {
    v1::JournalAlertRaised {
        alert_id: alert.alert.0,
        key: key_bytes(alert.key),
        device_id: alert.device.as_ref().map(DeviceId::to_string).unwrap_or_default(),
        kind: v1::Kind::from(alert.kind).into(),
        source_id: alert.source_id.clone(),
        topic: alert.topic.clone(),
        occurred_at_ms: alert.occurred_at.0,
        device_time_ms: alert.device_time.map(|time| time.0),
        received_at_ms: alert.received_at.0,
        place: alert.place.map(place_to_wire),
        detail: alert.detail.clone(),
        raw: alert.raw.clone(),
        retained: alert.retained,
        hold: hold_to_wire(alert.hold),
    }
}

fn wave_to_wire(wave: &Wave) -> v1::JournalWaveSent {
    let left_out = |left: &LeftOut| v1::LeftOut { reason: left.reason.clone(), count: left.count };
    let chosen = |chosen: &Chosen| v1::JournalChosen {
        offer_id: chosen.offer.0,
        responder_id: chosen.responder.0,
        distance_metres: chosen.distance.0,
        eta_ms: chosen.eta.0,
        from_station: chosen.from_station,
        uncovers: chosen.uncovers.map(|town| town.to_string()).unwrap_or_default(),
    };
    v1::JournalWaveSent {
        wave: wave.wave,
        reach_metres: wave.reach.0,
        considered: wave.considered,
        left_out: wave.left_out.iter().map(left_out).collect(),
        chosen: wave.chosen.iter().map(chosen).collect(),
        expires_at_ms: wave.expires_at.0,
        operator: wave.operator.clone(),
        instead_of: wave.instead_of.map(|responder| responder.0),
    }
}

fn subject_to_wire(subject: &Subject) -> v1::JournalSubject {
    let subject = match subject {
        Subject::Elder(id) => journal_subject::Subject::ElderId(id.0),
        Subject::Device(id) => journal_subject::Subject::DeviceId(id.to_string()),
        Subject::Topic(topic) => journal_subject::Subject::Topic(topic.clone()),
        Subject::Call(request) => journal_subject::Subject::Call(request.clone()),
        Subject::Watchdog => journal_subject::Subject::Watchdog(true),
    };
    v1::JournalSubject { subject: Some(subject) }
}

fn timer_to_wire(timer: Timer, due: Timestamp) -> v1::JournalTimer {
    let timer = match timer {
        Timer::CallBack => journal_timer::Timer::CallBack(v1::JournalCallBackTimer {}),
        Timer::SearchAgain => journal_timer::Timer::SearchAgain(v1::JournalSearchAgainTimer {}),
        Timer::Escalate(step, reason) => journal_timer::Timer::Escalate(v1::JournalEscalateTimer {
            step: v1::EscalationStep::from(step).into(),
            reason: v1::EscalationReason::from(reason).into(),
        }),
        Timer::Close => journal_timer::Timer::Close(v1::JournalCloseTimer {}),
        Timer::Moving(responder) => {
            journal_timer::Timer::Moving(v1::JournalMovingTimer { responder_id: responder.0 })
        }
        Timer::Arrived(responder) => {
            journal_timer::Timer::Arrived(v1::JournalArrivedTimer { responder_id: responder.0 })
        }
    };
    v1::JournalTimer { due_ms: due.0, timer: Some(timer) }
}

fn place_to_wire(place: Place) -> v1::JournalPlace {
    v1::JournalPlace {
        latitude_e7: place.latitude_e7(),
        longitude_e7: place.longitude_e7(),
        source: v1::CoordinateSystem::from(place.source()).into(),
    }
}

fn hold_to_wire(hold: Option<Hold>) -> i32 {
    hold.map_or(v1::JournalHold::Unspecified, v1::JournalHold::from).into()
}

fn key_bytes(key: Option<dispatch::MessageKey>) -> Vec<u8> {
    key.map(|key| key.0.to_vec()).unwrap_or_default()
}
