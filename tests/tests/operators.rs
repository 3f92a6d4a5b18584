//! What the hotline can do to an incident, and how it hears that somebody else has it.

use tests::{
    anhu::Anhu,
    mosquitto,
    world::{self, HOME, World, place},
};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use wire::v1::{self, incident_service_client::IncidentServiceClient};

type Desk = IncidentServiceClient<tonic::transport::Channel>;

/// A call about `kind`, taken by nobody yet.
async fn call(desk: &mut Desk, id: &str, kind: v1::Kind, place: Option<v1::Place>) -> v1::Incident {
    let request = v1::OpenIncidentRequest {
        request_id: id.to_owned(),
        kind: kind.into(),
        place,
        operator: "li".to_owned(),
        ..v1::OpenIncidentRequest::default()
    };
    desk.open_incident(request).await.expect("opened").into_inner().incident.expect("it")
}

fn home() -> Option<v1::Place> {
    Some(place(HOME.0, HOME.1))
}

async fn acknowledge(desk: &mut Desk, name: &str, operator: &str) {
    let take = v1::AcknowledgeIncidentRequest { name: name.to_owned(), operator: operator.to_owned() };
    desk.acknowledge_incident(take).await.expect("taken");
}

fn field_of(status: &Status) -> String {
    let faults = status.get_details_bad_request().expect("a BadRequest").field_violations;
    faults.first().expect("a field").field.clone()
}

fn actions(incident: &v1::Incident) -> Vec<v1::TimelineAction> {
    incident.timeline.iter().map(v1::TimelineEntry::action).collect()
}

#[tokio::test]
async fn what_somebody_has_is_theirs_until_it_is_taken_over_with_a_reason() {
    let anhu = Anhu::start().await;
    let mut desk = anhu.incidents().await;
    let name = call(&mut desk, "c-1", v1::Kind::DoorOpen, home()).await.name;
    acknowledge(&mut desk, &name, "li").await;

    let ring = v1::EscalateIncidentRequest {
        name: name.clone(),
        operator: "zhao".to_owned(),
        step: v1::EscalationStep::Supervisor.into(),
        note: "无人接听".to_owned(),
    };
    let refused = desk.escalate_incident(ring.clone()).await.expect_err("li has it");
    assert_eq!(refused.code(), Code::Aborted, "{refused:?}");
    let info = refused.get_details_error_info().expect("an ErrorInfo");
    assert_eq!((info.reason.as_str(), info.metadata["operator"].as_str()), ("TAKEN", "operators/li"));
    assert_eq!(info.metadata["incident"], name);

    let take = v1::TakeOverIncidentRequest {
        name: name.clone(),
        operator: "zhao".to_owned(),
        reason: String::new(),
    };
    let refused = desk.take_over_incident(take.clone()).await.expect_err("no reason");
    assert_eq!((refused.code(), field_of(&refused).as_str()), (Code::InvalidArgument, "reason"));
    let take = v1::TakeOverIncidentRequest { reason: "  ".to_owned(), ..take };
    let refused = desk.take_over_incident(take.clone()).await.expect_err("blanks are no reason");
    assert_eq!((refused.code(), field_of(&refused).as_str()), (Code::InvalidArgument, "reason"));
    let take = v1::TakeOverIncidentRequest { reason: "接班".to_owned(), ..take };
    let taken = desk.take_over_incident(take).await.expect("taken").into_inner().incident.expect("it");
    assert_eq!(taken.operator, "zhao");

    let told = desk.escalate_incident(ring).await.expect("told").into_inner().incident.expect("it");
    let last = told.escalations.last().expect("an escalation");
    assert_eq!(
        (last.step(), last.reason()),
        (v1::EscalationStep::Supervisor, v1::EscalationReason::OperatorAsks)
    );
    assert!(actions(&told).ends_with(&[
        v1::TimelineAction::TakenOver,
        v1::TimelineAction::Escalated,
        v1::TimelineAction::Note
    ]));
}

#[tokio::test]
async fn triage_to_the_most_urgent_asks_helpers_at_once() {
    let anhu = Anhu::start().await;
    let world = world::build(&anhu, &[], 2).await;
    let mut desk = anhu.incidents().await;
    let opened = call(&mut desk, "c-1", v1::Kind::WaterLeak, home()).await;
    assert!(opened.offers.is_empty(), "an operator decides about P3");
    let triage = v1::TriageIncidentRequest {
        name: opened.name,
        operator: "li".to_owned(),
        priority: v1::Priority::P1.into(),
        kind: v1::Kind::Fall.into(),
        responders_needed: Some(0),
        reason: "在水里滑倒".to_owned(),
    };
    let refused = desk.triage_incident(triage.clone()).await.expect_err("somebody must go");
    assert_eq!((refused.code(), field_of(&refused).as_str()), (Code::InvalidArgument, "responders_needed"));
    let triage = v1::TriageIncidentRequest { responders_needed: Some(2), ..triage };
    let urgent = desk.triage_incident(triage).await.expect("triaged").into_inner().incident.expect("it");
    assert_eq!((urgent.priority(), urgent.kind()), (v1::Priority::P1, v1::Kind::Fall));
    assert_eq!((urgent.responders_needed, urgent.operator.as_str()), (2, "li"));
    let asked: Vec<_> = urgent.offers.iter().map(|offer| offer.responder.clone()).collect();
    assert_eq!(asked, world.responders, "the offers stand in the same record as the triage");
}

#[tokio::test]
async fn a_recommendation_says_who_would_go_and_why_not_the_others() {
    let anhu = Anhu::start().await;
    let world = world::build(&anhu, &[], 3).await;
    world::set_duty(&anhu, &world.responders[2], v1::Duty::OffDuty).await;
    let mut desk = anhu.incidents().await;
    let opened = call(&mut desk, "c-1", v1::Kind::DoorOpen, home()).await;
    let request = v1::RecommendRespondersRequest { name: opened.name.clone(), page_size: 20 };
    let answer = desk.recommend_responders(request).await.expect("an answer").into_inner();
    let best: Vec<_> = answer.responders.iter().map(|one| one.responder.clone()).collect();
    assert_eq!(best, world.responders[..2]);
    let first = &answer.responders[0];
    assert!((450..550).contains(&first.distance_metres) && first.from_station, "{first:?}");
    assert!(first.eta_seconds > 0 && first.cost_seconds >= first.eta_seconds && first.idle_since.is_some());
    let left_out: Vec<_> =
        answer.left_out.iter().map(|one| (one.responder.as_str(), one.reason.as_str())).collect();
    assert_eq!(left_out, [(world.responders[2].as_str(), "off_duty")]);
    assert!(answer.left_out[0].distance_metres.is_some() && !answer.policy_version.is_empty());

    let named = v1::DispatchIncidentRequest {
        name: opened.name,
        operator: "li".to_owned(),
        responders: vec![world.responders[1].clone()],
    };
    let sent = desk.dispatch_incident(named).await.expect("sent").into_inner().incident.expect("it");
    let decision = sent.decisions.last().expect("a decision");
    assert_eq!((decision.operator.as_str(), &decision.instead_of), ("operators/li", &world.responders[0]));

    let nowhere = call(&mut desk, "c-2", v1::Kind::DoorOpen, None).await;
    let request = v1::RecommendRespondersRequest { name: nowhere.name, page_size: 0 };
    let refused = desk.recommend_responders(request).await.expect_err("no place");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(refused.get_details_error_info().expect("an ErrorInfo").reason, "NO_PLACE");
}

#[tokio::test]
async fn two_calls_about_one_thing_become_one_incident_that_is_handed_over_and_reopened() {
    let anhu = Anhu::start().await;
    let mut desk = anhu.incidents().await;
    let one = call(&mut desk, "c-1", v1::Kind::WaterLeak, home()).await.name;
    let two = call(&mut desk, "c-2", v1::Kind::WaterLeak, None).await.name;
    let merge = v1::MergeIncidentRequest {
        name: one.clone(),
        operator: "li".to_owned(),
        into: one.clone(),
        reason: "同一户".to_owned(),
    };
    let refused = desk.merge_incident(merge.clone()).await.expect_err("in itself");
    assert_eq!((refused.code(), field_of(&refused).as_str()), (Code::FailedPrecondition, "into"));
    let merge = v1::MergeIncidentRequest { into: two.clone(), ..merge };
    let on = desk.merge_incident(merge).await.expect("merged").into_inner().incident.expect("it");
    assert_eq!((on.name.as_str(), on.alert_count, on.absorbed.len()), (two.as_str(), 2, 1));
    assert!(on.place.is_some(), "it takes over the place it did not know");
    let gone = anhu.incident(&one).await;
    assert_eq!((gone.state(), gone.disposition()), (v1::IncidentState::Closed, v1::Disposition::Duplicate));
    assert_eq!(gone.merged_into, two);

    let hand = v1::HandOverIncidentRequest {
        name: two.clone(),
        operator: "li".to_owned(),
        service: v1::PublicService::FireBrigade.into(),
        note: "接警单 7".to_owned(),
    };
    let handed = desk.hand_over_incident(hand).await.expect("handed").into_inner().incident.expect("it");
    assert_eq!(handed.handed_over[0].service(), v1::PublicService::FireBrigade);
    assert_eq!(handed.handed_over[0].note, "接警单 7");

    let end = v1::ResolveIncidentRequest {
        name: two.clone(),
        operator: "li".to_owned(),
        disposition: v1::Disposition::HandedTo119.into(),
        note: String::new(),
    };
    desk.resolve_incident(end).await.expect("resolved");
    let open =
        v1::ReopenIncidentRequest { name: two, operator: "zhao".to_owned(), reason: "又来电".to_owned() };
    let again = desk.reopen_incident(open.clone()).await.expect("open").into_inner().incident.expect("it");
    assert_eq!((again.state(), again.operator.as_str()), (v1::IncidentState::Acknowledged, "zhao"));
    assert!(again.resolved_at.is_none());
    let refused = desk.reopen_incident(open).await.expect_err("it is open");
    assert_eq!(refused.get_details_error_info().expect("an ErrorInfo").reason, "WRONG_STATE");
}

/// A county with somebody who is not at risk, so that P2 waits for the call-back.
async fn with_somebody_younger(devices: &[&str]) -> (Anhu, World) {
    let anhu = Anhu::start().await;
    let mut world = world::build(&anhu, &[], 2).await;
    let mut registry = anhu.registry().await;
    for device in devices {
        let elder = v1::Elder {
            external_id: format!("young-{device}"),
            display_name: "李建国".to_owned(),
            birth_date: "1960-05-01".to_owned(),
            place: home(),
            org_unit: world::COUNTY.to_owned(),
            ..v1::Elder::default()
        };
        let created = registry.create_elder(v1::CreateElderRequest { elder: Some(elder) }).await;
        world.elder = created.expect("an elder").into_inner().elder.expect("an elder").name;
        let record = v1::Device { device_id: (*device).to_owned(), ..v1::Device::default() };
        let created = registry.create_device(v1::CreateDeviceRequest { device: Some(record) }).await;
        let device = created.expect("a device").into_inner().device.expect("a device").name;
        let request = v1::BindDeviceRequest { device, elder: world.elder.clone(), from: None };
        registry.bind_device(request).await.expect("a binding");
    }
    (anhu, world)
}

fn publish(anhu: &Anhu, device: &str, payload: &str, more: &[&str]) {
    let topic = format!("anhu/v1/{device}/alert");
    let sent = mosquitto::publish(anhu.mqtt_port, &topic, payload.as_bytes(), more);
    assert!(sent.status.success(), "{sent:?}");
}

async fn of(anhu: &Anhu, device: &str) -> v1::Incident {
    let device = format!("devices/{device}");
    anhu.wait_for_incident("the incident", |incident| incident.device == device).await
}

#[tokio::test]
async fn the_cancel_key_ends_what_waits_for_the_call_back() {
    let (anhu, _) = with_somebody_younger(&["bed-1"]).await;
    publish(&anhu, "bed-1", r#"{"kind":"bed_exit","id":"b-1"}"#, &[]);
    let waiting = of(&anhu, "bed-1").await;
    assert_eq!((waiting.priority(), waiting.offers.len()), (v1::Priority::P2, 0));

    publish(&anhu, "bed-1", r#"{"kind":"cancel","id":"c-0"}"#, &["-r"]);
    let counted = anhu.get("/metrics").1.contains("anhu_retained_cancels_total 1");
    assert!(counted, "what a broker replays cancels nothing");
    assert_eq!(of(&anhu, "bed-1").await.state(), v1::IncidentState::New);

    publish(&anhu, "bed-1", r#"{"kind":"cancel","id":"c-1"}"#, &[]);
    let cancelled = of(&anhu, "bed-1").await;
    assert_eq!(cancelled.state(), v1::IncidentState::Cancelled, "durable before it was acknowledged");
    assert_eq!(cancelled.disposition(), v1::Disposition::CancelledByElder);
    assert!(cancelled.offers.is_empty() && cancelled.cancelled_at.is_some());
}

#[tokio::test]
async fn an_old_cancel_and_one_by_an_integrator_say_what_they_say() {
    let (anhu, _) = with_somebody_younger(&["bed-1", "bed-2"]).await;
    publish(&anhu, "bed-1", r#"{"kind":"bed_exit","id":"b-1"}"#, &[]);
    publish(&anhu, "bed-1", r#"{"kind":"cancel","occurred_at":"2026-01-01T00:00:00Z"}"#, &[]);
    let open = of(&anhu, "bed-1").await;
    assert_eq!(open.state(), v1::IncidentState::New, "it was about something earlier");
    assert!(open.escalations.iter().any(|one| one.reason() == v1::EscalationReason::SaidToBeWell));

    publish(&anhu, "bed-2", r#"{"kind":"bed_exit","id":"b-2"}"#, &[]);
    let cancel = v1::DeviceAlert { cancel: true, id: "c-2".to_owned(), ..v1::DeviceAlert::default() };
    let content = Some(v1::device_signal::Content::Alert(cancel));
    let signals = vec![v1::DeviceSignal { device_id: "bed-2".to_owned(), content }];
    let answer = anhu.ingest().await.publish_signals(v1::PublishSignalsRequest { signals }).await;
    let results = answer.expect("taken").into_inner().results;
    let cancelled = of(&anhu, "bed-2").await;
    assert_eq!(results[0].incident, cancelled.name);
    assert_eq!(cancelled.state(), v1::IncidentState::Cancelled);
}
