//! The whole main job, through the front door and through Mosquitto: a press, a helper asked, on the way, there, done.

use tests::{
    anhu::{Anhu, Watch, folder, next_notice},
    mosquitto::{self, Mosquitto},
    world::{self, World},
};
use wire::v1::{self, watch_offers_response::Change};

/// Lines of configuration that link a server to a broker.
fn linked_to(broker: &Mosquitto) -> String {
    format!(
        "[[links]]\nname = \"town\"\nurl = \"mqtt://127.0.0.1:{}\"\nclient_id = \"anhu-test\"\n\
         filters = [\"anhu/v1/+/alert\", \"anhu/v1/+/status\", \"zigbee2mqtt/#\", \"application/#\"]\n",
        broker.port
    )
}

async fn linked() -> (Mosquitto, Anhu) {
    let broker = Mosquitto::start().await;
    let anhu = Anhu::start_with(&linked_to(&broker), folder()).await;
    tests::wait::until("the link is up", async || {
        anhu.get("/readyz").1.contains("ok  link town").then_some(())
    })
    .await;
    (broker, anhu)
}

#[tokio::test]
async fn an_sos_at_the_front_door_brings_a_helper_and_the_hotline_sees_each_step() {
    let anhu = Anhu::start().await;
    let port = anhu.mqtt_port;
    from_press_to_close(&anhu, port).await;
}

#[tokio::test]
async fn an_sos_on_mosquitto_brings_a_helper_and_the_hotline_sees_each_step() {
    let (broker, anhu) = linked().await;
    from_press_to_close(&anhu, broker.port).await;
}

async fn from_press_to_close(anhu: &Anhu, port: u16) {
    let world = world::build(anhu, &["wrist-1"], 4).await;
    let mut hotline = anhu.watch().await;
    let nearest = world.responders[0].clone();
    let mut app = anhu.watch_offers(&nearest).await;

    let pressed = mosquitto::publish(port, "anhu/v1/wrist-1/alert", br#"{"kind":"sos","id":"a-1"}"#, &[]);
    assert!(pressed.status.success(), "{pressed:?}");

    let offered = hotline.until(|incident| !incident.offers.is_empty()).await;
    assert_eq!(offered.elder, world.elder);
    assert_eq!(offered.priority(), v1::Priority::P1);
    assert_eq!(offered.progress(), v1::IncidentProgress::Dispatching);
    assert_eq!(asked(&offered), world.responders[..3], "the three nearest are asked together");
    let Change::Offer(offer) = next_notice(&mut app).await else { panic!("an offer comes first") };
    assert_eq!(offer.incident, offered.name);
    assert!((450..550).contains(&offer.distance_metres), "{offer:?}");
    accept_and_go(anhu, &mut hotline, &world, &offer).await;
    finish(anhu, &mut hotline, &offered.name).await;
}

fn asked(incident: &v1::Incident) -> Vec<String> {
    incident.offers.iter().map(|offer| offer.responder.clone()).collect()
}

async fn accept_and_go(anhu: &Anhu, hotline: &mut Watch, world: &World, offer: &v1::OfferNotice) {
    let mut apps = anhu.responders().await;
    let (nearest, second) = (world.responders[0].clone(), world.responders[1].clone());
    let accept = v1::AcceptOfferRequest { responder: nearest.clone(), offer_id: offer.offer_id };
    let accepted = apps.accept_offer(accept).await.expect("accepted").into_inner();
    let assignment = accepted.assignment.expect("an assignment");
    assert_eq!(assignment.elder_name, "王桂英");
    assert_eq!(assignment.address, "幸福路 1 号 2 单元 301");
    assert_eq!(assignment.medical_notes, "高血压");

    let assigned = hotline.until(|incident| incident.progress() == v1::IncidentProgress::Assigned).await;
    let late = assigned.offers.iter().find(|offer| offer.responder == second).expect("the second was asked");
    assert_eq!(late.state(), v1::OfferState::Withdrawn);
    let too_late = v1::AcceptOfferRequest { responder: second, offer_id: late.offer_id };
    let refused = apps.accept_offer(too_late).await.expect_err("the first acceptance wins");
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition, "{refused:?}");

    for (state, progress) in [
        (v1::AssignmentState::EnRoute, v1::IncidentProgress::EnRoute),
        (v1::AssignmentState::OnScene, v1::IncidentProgress::OnScene),
        (v1::AssignmentState::Cleared, v1::IncidentProgress::Unspecified),
    ] {
        let step = v1::UpdateAssignmentRequest {
            responder: nearest.clone(),
            incident: offer.incident.clone(),
            state: state.into(),
            reason: String::new(),
        };
        let answer = apps.update_assignment(step).await.expect("a step").into_inner();
        let shown = answer.assignment.expect("the assignment");
        let over = state == v1::AssignmentState::Cleared;
        assert_eq!(shown.address.is_empty(), over, "the address is shown until cleared");
        hotline.until(|incident| incident.progress() == progress).await;
    }
}

async fn finish(anhu: &Anhu, hotline: &mut Watch, name: &str) {
    let mut desk = anhu.incidents().await;
    let (name, operator) = (name.to_owned(), "li".to_owned());
    let take = v1::AcknowledgeIncidentRequest { name: name.clone(), operator: operator.clone() };
    desk.acknowledge_incident(take.clone()).await.expect("taken");
    let other = v1::AcknowledgeIncidentRequest { operator: "zhao".to_owned(), ..take };
    let taken = desk.acknowledge_incident(other).await.expect_err("li has it");
    assert_eq!(taken.code(), tonic::Code::Aborted);
    assert!(taken.message().contains("operators/li"), "{taken:?}");
    let end = v1::ResolveIncidentRequest {
        name: name.clone(),
        operator: operator.clone(),
        disposition: v1::Disposition::Served.into(),
        note: "送水送药".to_owned(),
    };
    desk.resolve_incident(end).await.expect("resolved");
    desk.close_incident(v1::CloseIncidentRequest { name: name.clone(), operator }).await.expect("closed");
    let closed = hotline.until(|incident| incident.state() == v1::IncidentState::Closed).await;
    let times = [
        closed.received_at,
        closed.durable_at,
        closed.first_offer_at,
        closed.accepted_at,
        closed.en_route_at,
        closed.on_scene_at,
        closed.cleared_at,
        closed.acknowledged_at,
        closed.resolved_at,
        closed.closed_at,
    ];
    assert!(times.iter().all(Option::is_some), "every time is kept: {times:?}");
    assert_eq!(closed.disposition(), v1::Disposition::Served);
}

/// One message of each vendor, the device it names, and the kind it means.
const VENDORS: [(&str, &str, &str, v1::Kind); 3] = [
    (
        "zigbee2mqtt/客厅按钮",
        r#"{"action":"emergency","battery":80,"linkquality":144}"#,
        "客厅按钮",
        v1::Kind::Sos,
    ),
    (
        "zigbee2mqtt/kitchen",
        r#"{"smoke":true,"battery_low":false,"tamper":false}"#,
        "kitchen",
        v1::Kind::Smoke,
    ),
    (
        "application/7/device/0101010101010101/event/up",
        r#"{"deduplicationId":"d-1","time":"TIME","deviceInfo":{"devEui":"0101010101010101"},"devAddr":"00189440","fCnt":10,"fPort":1,"data":"qg==","object":{"sos":true}}"#,
        "0101010101010101",
        v1::Kind::Sos,
    ),
];

async fn vendors_open_the_right_incident(anhu: &Anhu, port: u16) {
    world::build(anhu, &VENDORS.map(|vendor| vendor.2), 1).await;
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    for (topic, payload, device, kind) in VENDORS {
        let payload = payload.replace("TIME", &rfc3339(now));
        let sent = mosquitto::publish(port, topic, payload.as_bytes(), &[]);
        assert!(sent.status.success(), "{sent:?}");
        let raised = |alert: &v1::Alert| alert.device == format!("devices/{device}") && alert.kind() == kind;
        tests::wait::until(topic, async || {
            let incidents = anhu.all_incidents().await;
            let full = anhu.incident(&incidents.first()?.name).await;
            full.alerts.iter().any(raised).then_some(())
        })
        .await;
    }
    let incidents = anhu.all_incidents().await;
    assert_eq!(incidents.len(), 1, "one elder, one open incident: {incidents:#?}");
    assert_eq!(incidents[0].alert_count, 3);
    assert!(!incidents[0].late);
}

/// Seconds since 1970 as RFC 3339; the tests need no calendar library for this one date.
fn rfc3339(seconds: u64) -> String {
    let output = std::process::Command::new("date")
        .args(["-u", "-d", &format!("@{seconds}"), "+%Y-%m-%dT%H:%M:%S.000+00:00"])
        .output()
        .expect("date runs");
    String::from_utf8(output.stdout).expect("a date").trim().to_owned()
}

#[tokio::test]
async fn each_vendor_opens_the_right_incident_at_the_front_door() {
    let anhu = Anhu::start().await;
    vendors_open_the_right_incident(&anhu, anhu.mqtt_port).await;
}

#[tokio::test]
async fn each_vendor_opens_the_right_incident_through_mosquitto() {
    let (broker, anhu) = linked().await;
    vendors_open_the_right_incident(&anhu, broker.port).await;
}

#[tokio::test]
async fn a_device_hears_that_it_was_heard_and_that_help_is_on_the_way() {
    let anhu = Anhu::start().await;
    let world = world::build(&anhu, &["wrist-1"], 1).await;
    let mut app = anhu.watch_offers(&world.responders[0]).await;
    let port = anhu.mqtt_port.to_string();
    let listening = std::process::Command::new("mosquitto_sub")
        .args([
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-q",
            "1",
            "-t",
            "anhu/v1/wrist-1/receipt",
            "-C",
            "2",
            "-W",
            "50",
        ])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("mosquitto_sub runs");
    tests::wait::until("the device listens", async || {
        anhu.get("/metrics").1.contains("anhu_front_door_connections 1").then_some(())
    })
    .await;
    let mut pressed = 0;
    let Change::Offer(offer) = tests::wait::until("the press is heard", async || {
        pressed += 1;
        let payload = format!(r#"{{"kind":"sos","id":"press-{pressed}"}}"#);
        let sent = mosquitto::publish(anhu.mqtt_port, "anhu/v1/wrist-1/alert", payload.as_bytes(), &[]);
        sent.status.success().then_some(())?;
        Some(next_notice(&mut app).await)
    })
    .await
    else {
        panic!("an offer comes first")
    };
    let accept = v1::AcceptOfferRequest { responder: world.responders[0].clone(), offer_id: offer.offer_id };
    anhu.responders().await.accept_offer(accept).await.expect("accepted");
    let heard = listening.wait_with_output().expect("it ends after two receipts");
    let heard = String::from_utf8(heard.stdout).expect("text");
    let states: Vec<String> = heard
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
        .map(|receipt| receipt["state"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(states, ["received", "helper_on_the_way"], "{heard}");
}
