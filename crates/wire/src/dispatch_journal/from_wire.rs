//! Out of the journal: the event that stands there, or nothing when this program does not understand all of it.

use dispatch::{
    Alert, Chosen, Event, Hold, IncidentEvent as E, LeftOut, MessageKey, OfferEnd, OfferState, Opened,
    Subject, Timer, Wave,
};
use model::{
    AlertId, CoordinateSystem, DeviceId, ElderId, IncidentId, Metres, Millis, OfferId, OrgUnitCode, Place,
    ResponderId, Timestamp,
};

use crate::{
    FromWire,
    v1::{self, dispatch_event::Event as W, journal_subject, journal_timer},
};

/// The event that stands in the journal; `None` when this program does not understand it completely.
pub(super) fn event_from_wire(event: v1::DispatchEvent) -> Option<Event> {
    let incident = IncidentId(event.incident_id);
    let event = match event.event? {
        W::DutyChanged(changed) => {
            let (responder, duty) = (ResponderId(changed.responder_id), known(changed.duty)?);
            return Some(Event::DutyChanged { responder, duty });
        }
        W::DrillModeChanged(changed) => return Some(Event::DrillModeChanged { on: changed.on }),
        W::PolicyReplaced(replaced) => return Some(Event::PolicyReplaced { version: replaced.version }),
        W::Opened(opened) => E::Opened(opened_from_wire(opened)?),
        W::AlertRaised(alert) => E::AlertRaised(alert_from_wire(alert)?),
        W::PriorityRaised(v1::JournalPriorityRaised { priority, kind }) => {
            E::PriorityRaised { priority: known(priority)?, kind: known(kind)? }
        }
        W::Restored(v1::JournalRestored { device_id, kind }) => {
            E::Restored { device: DeviceId::new(&device_id).ok()?, kind: known(kind)? }
        }
        W::TimersArmed(armed) => {
            E::TimersArmed { timers: armed.timers.into_iter().map(timer_from_wire).collect::<Option<_>>()? }
        }
        W::WaveSent(wave) => E::WaveSent(wave_from_wire(wave)?),
        W::OfferDelivered(offer) => E::OfferDelivered { offer: OfferId(offer.offer_id) },
        W::OfferSeen(offer) => E::OfferSeen { offer: OfferId(offer.offer_id) },
        W::OfferAccepted(v1::JournalOfferAccepted { offer_id, responder_id }) => {
            E::OfferAccepted { offer: OfferId(offer_id), responder: ResponderId(responder_id) }
        }
        W::OfferEnded(v1::JournalOfferEnded { offer_id, responder_id, state, reason }) => {
            let (offer, responder) = (OfferId(offer_id), ResponderId(responder_id));
            E::OfferEnded { offer, responder, end: offer_end_from_wire(state, reason)? }
        }
        W::AssignmentAdvanced(v1::JournalAssignmentAdvanced { responder_id, state }) => {
            E::AssignmentAdvanced { responder: ResponderId(responder_id), state: known(state)? }
        }
        W::AssignmentAborted(v1::JournalAssignmentAborted { responder_id, reason }) => {
            E::AssignmentAborted { responder: ResponderId(responder_id), reason }
        }
        W::AssignmentDoubted(v1::JournalAssignmentDoubted { responder_id, doubt }) => {
            E::AssignmentDoubted { responder: ResponderId(responder_id), doubt: known(doubt)? }
        }
        W::Escalated(v1::JournalEscalated { step, reason }) => {
            E::Escalated { step: known(step)?, reason: known(reason)? }
        }
        W::RespondersNeeded(needed) => E::RespondersNeeded { count: needed.count },
        W::Cancelled(v1::JournalCancelled { device_id, key }) => {
            E::Cancelled { device: DeviceId::new(&device_id).ok()?, key: key_if_given(&key)? }
        }
        W::SaidToBeWell(v1::JournalSaidToBeWell { device_id, key }) => {
            E::SaidToBeWell { device: DeviceId::new(&device_id).ok()?, key: key_if_given(&key)? }
        }
        W::Absorbed(absorbed) => absorbed_from_wire(absorbed)?,
        W::Acknowledged(v1::JournalAcknowledged { operator }) => E::Acknowledged { operator },
        W::SearchStopped(v1::JournalSearchStopped { operator, reason }) => {
            E::SearchStopped { operator, reason }
        }
        W::NoteAdded(v1::JournalNoteAdded { operator, text }) => E::NoteAdded { operator, text },
        W::Resolved(v1::JournalResolved { operator, disposition, note }) => {
            E::Resolved { operator, disposition: known(disposition)?, note }
        }
        W::Closed(v1::JournalClosed { operator }) => E::Closed { operator },
        W::TakenOver(v1::JournalTakenOver { operator, from, reason }) => {
            E::TakenOver { operator, from, reason }
        }
        W::Triaged(v1::JournalTriaged { operator, priority, kind, reason }) => {
            E::Triaged { operator, priority: known(priority)?, kind: known(kind)?, reason }
        }
        W::HandedOver(v1::JournalHandedOver { operator, service, note }) => {
            E::HandedOver { operator, service: known(service)?, note }
        }
        W::Merged(v1::JournalMerged { into, operator, reason }) => {
            E::Merged { into: IncidentId(into), operator, reason }
        }
        W::Reopened(v1::JournalReopened { operator, reason }) => E::Reopened { operator, reason },
    };
    Some(Event::Incident { incident, event })
}

fn absorbed_from_wire(absorbed: v1::JournalAbsorbed) -> Option<E> {
    Some(E::Absorbed {
        from: IncidentId(absorbed.from),
        subject: subject_from_wire(absorbed.subject?)?,
        kind: known(absorbed.kind)?,
        alert_count: absorbed.alert_count,
        last_alert_at: Timestamp(absorbed.last_alert_at_ms),
        place: place_if_given(absorbed.place)?,
        operator: absorbed.operator,
        held: absorbed.held,
    })
}

fn opened_from_wire(opened: v1::JournalOpened) -> Option<Opened> {
    Some(Opened {
        subject: subject_from_wire(opened.subject?)?,
        kind: known(opened.kind)?,
        priority: known(opened.priority)?,
        place: place_if_given(opened.place)?,
        org_unit: org_unit_if_given(&opened.org_unit)?,
        exercise: opened.exercise,
        hold: hold_from_wire(opened.hold)?,
    })
}

fn alert_from_wire(alert: v1::JournalAlertRaised) -> Option<Alert> {
    Some(Alert {
        alert: AlertId(alert.alert_id),
        key: key_if_given(&alert.key)?,
        device: match alert.device_id.as_str() {
            "" => None,
            id => Some(DeviceId::new(id).ok()?),
        },
        kind: known(alert.kind)?,
        source_id: alert.source_id,
        topic: alert.topic,
        occurred_at: Timestamp(alert.occurred_at_ms),
        device_time: alert.device_time_ms.map(Timestamp),
        received_at: Timestamp(alert.received_at_ms),
        place: place_if_given(alert.place)?,
        detail: alert.detail,
        raw: alert.raw,
        retained: alert.retained,
        hold: hold_from_wire(alert.hold)?,
    })
}

fn wave_from_wire(wave: v1::JournalWaveSent) -> Option<Wave> {
    let chosen = |chosen: v1::JournalChosen| {
        Some(Chosen {
            offer: OfferId(chosen.offer_id),
            responder: ResponderId(chosen.responder_id),
            distance: Metres(chosen.distance_metres),
            eta: Millis(chosen.eta_ms),
            from_station: chosen.from_station,
            uncovers: org_unit_if_given(&chosen.uncovers)?,
        })
    };
    let left_out = |left: v1::LeftOut| LeftOut { reason: left.reason, count: left.count };
    Some(Wave {
        wave: wave.wave,
        reach: Metres(wave.reach_metres),
        considered: wave.considered,
        left_out: wave.left_out.into_iter().map(left_out).collect(),
        chosen: wave.chosen.into_iter().map(chosen).collect::<Option<_>>()?,
        expires_at: Timestamp(wave.expires_at_ms),
        operator: wave.operator,
        instead_of: wave.instead_of.map(ResponderId),
    })
}

fn subject_from_wire(subject: v1::JournalSubject) -> Option<Subject> {
    Some(match subject.subject? {
        journal_subject::Subject::ElderId(id) => Subject::Elder(ElderId(id)),
        journal_subject::Subject::DeviceId(id) => Subject::Device(DeviceId::new(&id).ok()?),
        journal_subject::Subject::Topic(topic) => Subject::Topic(topic),
        journal_subject::Subject::Call(request) => Subject::Call(request),
        journal_subject::Subject::Watchdog(_) => Subject::Watchdog,
    })
}

fn timer_from_wire(timer: v1::JournalTimer) -> Option<(Timer, Timestamp)> {
    let due = Timestamp(timer.due_ms);
    let timer = match timer.timer? {
        journal_timer::Timer::CallBack(_) => Timer::CallBack,
        journal_timer::Timer::SearchAgain(_) => Timer::SearchAgain,
        journal_timer::Timer::Escalate(escalate) => {
            Timer::Escalate(known(escalate.step)?, known(escalate.reason)?)
        }
        journal_timer::Timer::Close(_) => Timer::Close,
        journal_timer::Timer::Moving(moving) => Timer::Moving(ResponderId(moving.responder_id)),
        journal_timer::Timer::Arrived(arrived) => Timer::Arrived(ResponderId(arrived.responder_id)),
    };
    Some((timer, due))
}

fn place_from_wire(place: v1::JournalPlace) -> Option<Place> {
    Place::from_e7(place.latitude_e7, place.longitude_e7, known::<CoordinateSystem>(place.source)?)
}

fn hold_from_wire(hold: i32) -> Option<Option<Hold>> {
    if hold == 0 { Some(None) } else { known(hold).map(Some) }
}

fn offer_end_from_wire(state: i32, reason: String) -> Option<OfferEnd> {
    match known(state)? {
        OfferState::Declined => Some(OfferEnd::Declined(reason)),
        OfferState::Expired => Some(OfferEnd::Expired),
        OfferState::Withdrawn => Some(OfferEnd::Withdrawn(reason)),
        OfferState::Failed => Some(OfferEnd::Failed(reason)),
        OfferState::Sent | OfferState::Delivered | OfferState::Seen | OfferState::Accepted => None,
    }
}

fn known<T: FromWire>(number: i32) -> Option<T> {
    T::read("", number).ok()
}

/// Reads a code that may be absent; `None` is one that is there and wrong.
fn org_unit_if_given(code: &str) -> Option<Option<OrgUnitCode>> {
    match code {
        "" => Some(None),
        code => OrgUnitCode::new(code).ok().map(Some),
    }
}

/// Reads a key that may be empty; `None` is one that is there and wrong.
fn key_if_given(key: &[u8]) -> Option<Option<MessageKey>> {
    if key.is_empty() { Some(None) } else { Some(Some(MessageKey(key.try_into().ok()?))) }
}

/// Reads a place that may be absent; `None` is one that is there and wrong.
fn place_if_given(place: Option<v1::JournalPlace>) -> Option<Option<Place>> {
    match place {
        None => Some(None),
        Some(place) => place_from_wire(place).map(Some),
    }
}
