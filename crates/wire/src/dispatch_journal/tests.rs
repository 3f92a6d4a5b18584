//! Does every event come back from the journal as it went in?

use dispatch::{
    Alert, AssignmentState, Chosen, Disposition, Doubt, Duty, EscalationReason, EscalationStep, Hold,
    IncidentEvent, LeftOut, MessageKey, OfferEnd, Opened, Service, Subject, Timer, Wave,
};
use model::{
    AlertId, CoordinateSystem, DeviceId, ElderId, IncidentId, Kind, Metres, Millis, OfferId, OrgUnitCode,
    Place, Priority, ResponderId,
};

use super::*;

fn every_event() -> Vec<Event> {
    let place = Place::from_e7(327_000_001, 1_190_000_003, CoordinateSystem::Gcj02);
    let device = DeviceId::new("客厅 SOS").expect("a device id");
    let about = |event| Event::Incident { incident: IncidentId(42), event };
    let (offer, responder) = (OfferId(5), ResponderId(3));
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
            uncovers: OrgUnitCode::new("341181001").ok(),
        }],
        expires_at: Timestamp(20_000),
        operator: Some(operator.clone()),
        instead_of: Some(ResponderId(0)),
    };
    let timers = vec![
        (Timer::CallBack, Timestamp(1)),
        (Timer::SearchAgain, Timestamp(2)),
        (Timer::Escalate(EscalationStep::Suggest120, EscalationReason::NobodyAccepted), Timestamp(3)),
        (Timer::Close, Timestamp(4)),
        (Timer::Moving(ResponderId(0)), Timestamp(5)),
        (Timer::Arrived(responder), Timestamp(6)),
    ];
    let with_subject = |subject| about(IncidentEvent::Opened(Opened { subject, ..opened.clone() }));
    let mut events = vec![
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
    ];
    events.extend(what_the_field_adds());
    events.extend(what_operators_elders_and_doubts_add());
    events
}

fn what_the_field_adds() -> Vec<Event> {
    let about = |event| Event::Incident { incident: IncidentId(42), event };
    let (offer, responder) = (OfferId(5), ResponderId(3));
    let ended = |end| about(IncidentEvent::OfferEnded { offer, responder, end });
    let reason = "far away".to_owned();
    vec![
        about(IncidentEvent::OfferDelivered { offer }),
        about(IncidentEvent::OfferSeen { offer }),
        about(IncidentEvent::OfferAccepted { offer, responder }),
        ended(OfferEnd::Declined(reason.clone())),
        ended(OfferEnd::Expired),
        ended(OfferEnd::Withdrawn(reason.clone())),
        ended(OfferEnd::Failed(reason.clone())),
        about(IncidentEvent::AssignmentAdvanced { responder, state: AssignmentState::Transporting }),
        about(IncidentEvent::AssignmentAborted { responder, reason }),
        about(IncidentEvent::Escalated { step: EscalationStep::RingAll, reason: EscalationReason::Aborted }),
    ]
}

fn what_operators_elders_and_doubts_add() -> Vec<Event> {
    let about = |event| Event::Incident { incident: IncidentId(42), event };
    let (operator, reason) = ("li".to_owned(), "李 先说".to_owned());
    let device = DeviceId::new("fall-1").expect("a good name");
    let responder = ResponderId(0);
    let absorbed = |subject, place| IncidentEvent::Absorbed {
        from: IncidentId(41),
        operator: operator.clone(),
        subject,
        kind: Kind::Fall,
        alert_count: 3,
        last_alert_at: Timestamp(-5),
        place,
        held: place.is_none(),
    };
    let place = Place::from_e7(327_000_001, 1_190_000_003, CoordinateSystem::Bd09);
    let handed =
        |service| IncidentEvent::HandedOver { operator: operator.clone(), service, note: reason.clone() };
    let escalated = |step, reason| about(IncidentEvent::Escalated { step, reason });
    let taken = IncidentEvent::TakenOver {
        operator: operator.clone(),
        from: "zhao".to_owned(),
        reason: reason.clone(),
    };
    let triaged = IncidentEvent::Triaged {
        operator: operator.clone(),
        priority: Priority::P1,
        kind: Kind::Sos,
        reason: reason.clone(),
    };
    let merged =
        IncidentEvent::Merged { into: IncidentId(7), operator: operator.clone(), reason: reason.clone() };
    vec![
        Event::PolicyReplaced { version: "0123456789ab".to_owned() },
        about(taken),
        about(triaged),
        about(handed(Service::Ambulance)),
        about(handed(Service::FireBrigade)),
        about(handed(Service::Police)),
        about(merged),
        about(absorbed(Subject::Elder(ElderId(0)), place)),
        about(absorbed(Subject::Call("r".to_owned()), None)),
        about(IncidentEvent::Reopened { operator, reason }),
        about(IncidentEvent::Cancelled { device: device.clone(), key: Some(MessageKey([7; 16])) }),
        about(IncidentEvent::Cancelled { device: device.clone(), key: None }),
        about(IncidentEvent::SaidToBeWell { device, key: Some(MessageKey([9; 16])) }),
        about(IncidentEvent::AssignmentDoubted { responder, doubt: Doubt::NotMoving }),
        about(IncidentEvent::AssignmentDoubted { responder, doubt: Doubt::Overdue }),
        about(IncidentEvent::RespondersNeeded { count: 2 }),
        escalated(EscalationStep::Suggest119, EscalationReason::Opened),
        escalated(EscalationStep::Suggest110, EscalationReason::Dispatched),
        escalated(EscalationStep::Station, EscalationReason::Resolved),
        escalated(EscalationStep::Family, EscalationReason::NotMoving),
        escalated(EscalationStep::Operators, EscalationReason::Overdue),
        escalated(EscalationStep::Supervisor, EscalationReason::SaidToBeWell),
        escalated(EscalationStep::Supervisor, EscalationReason::OperatorAsks),
        escalated(EscalationStep::Suggest120, EscalationReason::Corroborated),
    ]
}

#[test]
fn a_record_that_grows_event_by_event_is_the_record_of_all_its_events() {
    let events = every_event();
    let whole = v1::DispatchRecord { at_ms: 7, events: events.iter().map(event_to_wire).collect() };
    assert_eq!(dispatch_record(Timestamp(7), &events), whole.encode_to_vec());
    assert_eq!(DispatchRecord::new(Timestamp(7)).bytes().len(), 2);
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
