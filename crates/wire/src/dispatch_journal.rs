//! The dispatch journal: one record holds everything that one command decided.

use dispatch::{
    Alert, Chosen, Event, Hold, IncidentEvent, LeftOut, MessageKey, OfferEnd, OfferState, Opened, Subject,
    Timer, Wave,
};
use model::{
    AlertId, CoordinateSystem, DeviceId, ElderId, IncidentId, Metres, Millis, OfferId, OrgUnitCode, Place,
    ResponderId, Timestamp,
};
use prost::Message as _;

use crate::{
    Unreadable,
    v1::{self, dispatch_event, journal_subject, journal_timer},
};

/// Returns the bytes that stand in the journal for `events`, decided at `at`.
#[must_use]
pub fn dispatch_record(at: Timestamp, events: &[Event]) -> Vec<u8> {
    v1::DispatchRecord { at_ms: at.0, events: events.iter().map(event_to_wire).collect() }.encode_to_vec()
}

/// Reads the bytes of one record.
///
/// # Errors
/// [`Unreadable`] when they are not a record this program understands completely.
pub fn read_dispatch_record(bytes: &[u8]) -> Result<(Timestamp, Vec<Event>), Unreadable> {
    let record = v1::DispatchRecord::decode(bytes)
        .map_err(|error| Unreadable { what: format!("a dispatch record does not decode ({error})") })?;
    let events = record.events.into_iter().map(event_from_wire).collect::<Option<Vec<_>>>();
    let events = events.ok_or_else(|| Unreadable {
        what: format!("a dispatch record decided at {} holds an unknown event or value", record.at_ms),
    })?;
    Ok((Timestamp(record.at_ms), events))
}

fn event_to_wire(event: &Event) -> v1::DispatchEvent {
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
        Event::Incident { incident, event } => (incident.0, incident_event_to_wire(event)),
    };
    v1::DispatchEvent { incident_id, event: Some(event) }
}

fn incident_event_to_wire(event: &IncidentEvent) -> dispatch_event::Event {
    use dispatch_event::Event as W;
    match event {
        IncidentEvent::Opened(opened) => W::Opened(opened_to_wire(opened)),
        IncidentEvent::AlertRaised(alert) => W::AlertRaised(alert_to_wire(alert)),
        IncidentEvent::PriorityRaised { priority, kind } => W::PriorityRaised(v1::JournalPriorityRaised {
            priority: v1::Priority::from(*priority).into(),
            kind: v1::Kind::from(*kind).into(),
        }),
        IncidentEvent::Restored { device, kind } => W::Restored(v1::JournalRestored {
            device_id: device.to_string(),
            kind: v1::Kind::from(*kind).into(),
        }),
        IncidentEvent::TimersArmed { timers } => W::TimersArmed(v1::JournalTimersArmed {
            timers: timers.iter().map(|(timer, due)| timer_to_wire(*timer, *due)).collect(),
        }),
        IncidentEvent::WaveSent(wave) => W::WaveSent(wave_to_wire(wave)),
        IncidentEvent::OfferDelivered { offer } => {
            W::OfferDelivered(v1::JournalOfferDelivered { offer_id: offer.0 })
        }
        IncidentEvent::OfferSeen { offer } => W::OfferSeen(v1::JournalOfferSeen { offer_id: offer.0 }),
        IncidentEvent::OfferAccepted { offer, responder } => {
            W::OfferAccepted(v1::JournalOfferAccepted { offer_id: offer.0, responder_id: responder.0 })
        }
        IncidentEvent::OfferEnded { offer, responder, end } => W::OfferEnded(v1::JournalOfferEnded {
            offer_id: offer.0,
            responder_id: responder.0,
            state: v1::OfferState::from(end.state()).into(),
            reason: match end {
                OfferEnd::Declined(reason) | OfferEnd::Withdrawn(reason) | OfferEnd::Failed(reason) => {
                    reason.clone()
                }
                OfferEnd::Expired => String::new(),
            },
        }),
        IncidentEvent::AssignmentAdvanced { responder, state } => {
            W::AssignmentAdvanced(v1::JournalAssignmentAdvanced {
                responder_id: responder.0,
                state: v1::AssignmentState::from(*state).into(),
            })
        }
        IncidentEvent::AssignmentAborted { responder, reason } => {
            W::AssignmentAborted(v1::JournalAssignmentAborted {
                responder_id: responder.0,
                reason: reason.clone(),
            })
        }
        IncidentEvent::Escalated { step, reason } => W::Escalated(v1::JournalEscalated {
            step: v1::EscalationStep::from(*step).into(),
            reason: v1::EscalationReason::from(*reason).into(),
        }),
        IncidentEvent::Acknowledged { operator } => {
            W::Acknowledged(v1::JournalAcknowledged { operator: operator.clone() })
        }
        IncidentEvent::SearchStopped { operator, reason } => {
            W::SearchStopped(v1::JournalSearchStopped { operator: operator.clone(), reason: reason.clone() })
        }
        IncidentEvent::NoteAdded { operator, text } => {
            W::NoteAdded(v1::JournalNoteAdded { operator: operator.clone(), text: text.clone() })
        }
        IncidentEvent::Resolved { operator, disposition, note } => W::Resolved(v1::JournalResolved {
            operator: operator.clone(),
            disposition: v1::Disposition::from(*disposition).into(),
            note: note.clone(),
        }),
        IncidentEvent::Closed { operator } => W::Closed(v1::JournalClosed { operator: operator.clone() }),
    }
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
        key: alert.key.map(|key| key.0.to_vec()).unwrap_or_default(),
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
    };
    v1::JournalWaveSent {
        wave: wave.wave,
        reach_metres: wave.reach.0,
        considered: wave.considered,
        left_out: wave.left_out.iter().map(left_out).collect(),
        chosen: wave.chosen.iter().map(chosen).collect(),
        expires_at_ms: wave.expires_at.0,
        operator: wave.operator.clone(),
    }
}

fn subject_to_wire(subject: &Subject) -> v1::JournalSubject {
    let subject = match subject {
        Subject::Elder(id) => journal_subject::Subject::ElderId(id.0),
        Subject::Device(id) => journal_subject::Subject::DeviceId(id.to_string()),
        Subject::Topic(topic) => journal_subject::Subject::Topic(topic.clone()),
        Subject::Call(request) => journal_subject::Subject::Call(request.clone()),
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

fn event_from_wire(event: v1::DispatchEvent) -> Option<Event> {
    use dispatch_event::Event as W;
    let incident = IncidentId(event.incident_id);
    let about = |event| Some(Event::Incident { incident, event });
    match event.event? {
        W::DutyChanged(changed) => Some(Event::DutyChanged {
            responder: ResponderId(changed.responder_id),
            duty: known(changed.duty)?,
        }),
        W::DrillModeChanged(changed) => Some(Event::DrillModeChanged { on: changed.on }),
        W::Opened(opened) => about(IncidentEvent::Opened(opened_from_wire(opened)?)),
        W::AlertRaised(alert) => about(IncidentEvent::AlertRaised(alert_from_wire(alert)?)),
        W::PriorityRaised(raised) => about(IncidentEvent::PriorityRaised {
            priority: known(raised.priority)?,
            kind: known(raised.kind)?,
        }),
        W::Restored(restored) => about(IncidentEvent::Restored {
            device: DeviceId::new(&restored.device_id).ok()?,
            kind: known(restored.kind)?,
        }),
        W::TimersArmed(armed) => {
            let timers = armed.timers.into_iter().map(timer_from_wire).collect::<Option<_>>()?;
            about(IncidentEvent::TimersArmed { timers })
        }
        W::WaveSent(wave) => about(IncidentEvent::WaveSent(wave_from_wire(wave))),
        W::OfferDelivered(offer) => about(IncidentEvent::OfferDelivered { offer: OfferId(offer.offer_id) }),
        W::OfferSeen(offer) => about(IncidentEvent::OfferSeen { offer: OfferId(offer.offer_id) }),
        W::OfferAccepted(accepted) => about(IncidentEvent::OfferAccepted {
            offer: OfferId(accepted.offer_id),
            responder: ResponderId(accepted.responder_id),
        }),
        W::OfferEnded(ended) => about(IncidentEvent::OfferEnded {
            offer: OfferId(ended.offer_id),
            responder: ResponderId(ended.responder_id),
            end: offer_end_from_wire(ended.state, ended.reason)?,
        }),
        W::AssignmentAdvanced(advanced) => about(IncidentEvent::AssignmentAdvanced {
            responder: ResponderId(advanced.responder_id),
            state: known(advanced.state)?,
        }),
        W::AssignmentAborted(aborted) => about(IncidentEvent::AssignmentAborted {
            responder: ResponderId(aborted.responder_id),
            reason: aborted.reason,
        }),
        W::Escalated(escalated) => {
            about(IncidentEvent::Escalated { step: known(escalated.step)?, reason: known(escalated.reason)? })
        }
        W::Acknowledged(taken) => about(IncidentEvent::Acknowledged { operator: taken.operator }),
        W::SearchStopped(stopped) => {
            about(IncidentEvent::SearchStopped { operator: stopped.operator, reason: stopped.reason })
        }
        W::NoteAdded(note) => about(IncidentEvent::NoteAdded { operator: note.operator, text: note.text }),
        W::Resolved(resolved) => about(IncidentEvent::Resolved {
            operator: resolved.operator,
            disposition: known(resolved.disposition)?,
            note: resolved.note,
        }),
        W::Closed(closed) => about(IncidentEvent::Closed { operator: closed.operator }),
    }
}

fn opened_from_wire(opened: v1::JournalOpened) -> Option<Opened> {
    Some(Opened {
        subject: subject_from_wire(opened.subject?)?,
        kind: known(opened.kind)?,
        priority: known(opened.priority)?,
        place: place_if_given(opened.place)?,
        org_unit: match opened.org_unit.as_str() {
            "" => None,
            code => Some(OrgUnitCode::new(code).ok()?),
        },
        exercise: opened.exercise,
        hold: hold_from_wire(opened.hold)?,
    })
}

fn alert_from_wire(alert: v1::JournalAlertRaised) -> Option<Alert> {
    Some(Alert {
        alert: AlertId(alert.alert_id),
        key: match alert.key.as_slice() {
            [] => None,
            key => Some(MessageKey(key.try_into().ok()?)),
        },
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

fn wave_from_wire(wave: v1::JournalWaveSent) -> Wave {
    let chosen = |chosen: v1::JournalChosen| Chosen {
        offer: OfferId(chosen.offer_id),
        responder: ResponderId(chosen.responder_id),
        distance: Metres(chosen.distance_metres),
        eta: Millis(chosen.eta_ms),
        from_station: chosen.from_station,
    };
    let left_out = |left: v1::LeftOut| LeftOut { reason: left.reason, count: left.count };
    Wave {
        wave: wave.wave,
        reach: Metres(wave.reach_metres),
        considered: wave.considered,
        left_out: wave.left_out.into_iter().map(left_out).collect(),
        chosen: wave.chosen.into_iter().map(chosen).collect(),
        expires_at: Timestamp(wave.expires_at_ms),
        operator: wave.operator,
    }
}

fn subject_from_wire(subject: v1::JournalSubject) -> Option<Subject> {
    Some(match subject.subject? {
        journal_subject::Subject::ElderId(id) => Subject::Elder(ElderId(id)),
        journal_subject::Subject::DeviceId(id) => Subject::Device(DeviceId::new(&id).ok()?),
        journal_subject::Subject::Topic(topic) => Subject::Topic(topic),
        journal_subject::Subject::Call(request) => Subject::Call(request),
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

fn known<T: crate::FromWire>(number: i32) -> Option<T> {
    T::read("", number).ok()
}

/// Reads a place that may be absent; `None` is one that is there and wrong.
fn place_if_given(place: Option<v1::JournalPlace>) -> Option<Option<Place>> {
    match place {
        None => Some(None),
        Some(place) => place_from_wire(place).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use dispatch::{AssignmentState, Disposition, Duty, EscalationReason, EscalationStep};
    use model::{Kind, Priority};

    use super::*;

    fn every_event() -> Vec<Event> {
        let place = Place::from_e7(327_000_001, 1_190_000_003, CoordinateSystem::Gcj02);
        let device = DeviceId::new("客厅 SOS").expect("a device id");
        let about = |event| Event::Incident { incident: IncidentId(42), event };
        let (offer, responder) = (OfferId(5), ResponderId(3));
        let ended = |end| about(IncidentEvent::OfferEnded { offer, responder, end });
        let operator = "li".to_owned();
        let reason = "far away".to_owned();
        let opened = Opened {
            subject: Subject::Elder(ElderId(0)),
            kind: Kind::Sos,
            priority: Priority::P1,
            place,
            org_unit: OrgUnitCode::new("341181001").ok(),
            exercise: true,
            hold: Some(Hold::Late),
        };
        let alert = Alert {
            alert: AlertId(9),
            key: Some(MessageKey([7; 16])),
            device: Some(device.clone()),
            kind: Kind::Unreadable,
            source_id: Some(String::new()),
            topic: "t".to_owned(),
            occurred_at: Timestamp(-1),
            device_time: Some(Timestamp(0)),
            received_at: Timestamp(2),
            place: None,
            detail: "d".to_owned(),
            raw: Some(Vec::new()),
            retained: true,
            hold: None,
        };
        let wave = Wave {
            wave: 1,
            reach: Metres(4_500),
            considered: 12,
            left_out: vec![LeftOut { reason: "lacks_skill".to_owned(), count: 2 }],
            chosen: vec![Chosen {
                offer,
                responder,
                distance: Metres(1),
                eta: Millis(2),
                from_station: true,
            }],
            expires_at: Timestamp(20_000),
            operator: Some(operator.clone()),
        };
        let timers = vec![
            (Timer::CallBack, Timestamp(1)),
            (Timer::SearchAgain, Timestamp(2)),
            (Timer::Escalate(EscalationStep::Suggest120, EscalationReason::NobodyAccepted), Timestamp(3)),
            (Timer::Close, Timestamp(4)),
        ];
        let with_subject = |subject| about(IncidentEvent::Opened(Opened { subject, ..opened.clone() }));
        vec![
            Event::DutyChanged { responder, duty: Duty::OnBreak },
            Event::DrillModeChanged { on: true },
            with_subject(Subject::Elder(ElderId(0))),
            with_subject(Subject::Device(device.clone())),
            with_subject(Subject::Topic("x/y".to_owned())),
            with_subject(Subject::Call("r-1".to_owned())),
            about(IncidentEvent::AlertRaised(alert)),
            about(IncidentEvent::PriorityRaised { priority: Priority::P2, kind: Kind::BedExit }),
            about(IncidentEvent::Restored { device, kind: Kind::Smoke }),
            about(IncidentEvent::TimersArmed { timers }),
            about(IncidentEvent::WaveSent(wave)),
            about(IncidentEvent::OfferDelivered { offer }),
            about(IncidentEvent::OfferSeen { offer }),
            about(IncidentEvent::OfferAccepted { offer, responder }),
            ended(OfferEnd::Declined(reason.clone())),
            ended(OfferEnd::Expired),
            ended(OfferEnd::Withdrawn(reason.clone())),
            ended(OfferEnd::Failed(reason.clone())),
            about(IncidentEvent::AssignmentAdvanced { responder, state: AssignmentState::Transporting }),
            about(IncidentEvent::AssignmentAborted { responder, reason: reason.clone() }),
            about(IncidentEvent::Escalated {
                step: EscalationStep::RingAll,
                reason: EscalationReason::Aborted,
            }),
            about(IncidentEvent::Acknowledged { operator: operator.clone() }),
            about(IncidentEvent::SearchStopped { operator: operator.clone(), reason }),
            about(IncidentEvent::NoteAdded { operator: operator.clone(), text: "听到回答".to_owned() }),
            about(IncidentEvent::Resolved {
                operator: operator.clone(),
                disposition: Disposition::HandedTo120,
                note: String::new(),
            }),
            about(IncidentEvent::Closed { operator: None }),
            about(IncidentEvent::Closed { operator: Some(operator) }),
        ]
    }

    #[test]
    fn every_event_reads_back_exactly() {
        let events = every_event();
        let bytes = dispatch_record(Timestamp(1_800_000_000_123), &events);
        assert_eq!(read_dispatch_record(&bytes), Ok((Timestamp(1_800_000_000_123), events)));
    }

    #[test]
    fn an_event_of_a_newer_program_is_refused_and_not_skipped() {
        let unknown = v1::DispatchEvent { incident_id: 1, event: None };
        let record = v1::DispatchRecord { at_ms: 0, events: vec![unknown] };
        assert!(read_dispatch_record(&record.encode_to_vec()).is_err());
        assert!(read_dispatch_record(&[0xff]).is_err());
    }
}
