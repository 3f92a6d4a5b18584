//! Bad input: each has its rule, each is seen by an operator or counted, and the next message passes.

use tests::{
    anhu::{Anhu, folder},
    mosquitto::{self, Mosquitto},
    world,
};
use wire::v1;

const TOPIC: &str = "anhu/v1/wrist-1/alert";

async fn prepared() -> Anhu {
    let anhu = Anhu::start().await;
    world::build(&anhu, &["wrist-1"], 3).await;
    anhu
}

fn send(anhu: &Anhu, topic: &str, payload: &[u8], more: &[&str]) -> bool {
    mosquitto::publish(anhu.mqtt_port, topic, payload, more).status.success()
}

/// Milliseconds since 1970, moved by `seconds`.
fn millis_from_now(seconds: i64) -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    now.as_millis() as i64 + seconds * 1000
}

fn reasons(incident: &v1::Incident) -> Vec<v1::EscalationReason> {
    incident.escalations.iter().map(v1::Escalation::reason).collect()
}

/// A press after whatever came before is dispatched.
async fn the_next_press_passes(anhu: &Anhu) {
    assert!(send(anhu, TOPIC, br#"{"kind":"sos","id":"next"}"#, &[]));
    anhu.wait_for_incident("the next press is dispatched", |incident| {
        incident.priority() == v1::Priority::P1 && incident.first_offer_at.is_some()
    })
    .await;
}

#[tokio::test]
async fn an_undecodable_payload_is_a_case_with_its_raw_bytes() {
    let anhu = prepared().await;
    assert!(send(&anhu, TOPIC, b"\xff\x00 not json", &[]));
    let case = anhu.wait_for_incident("the case", |incident| incident.kind() == v1::Kind::Unreadable).await;
    assert_eq!(case.alerts[0].raw, b"\xff\x00 not json");
    assert_eq!(case.alerts[0].device, "devices/wrist-1");
    assert_eq!(reasons(&case), [v1::EscalationReason::Unreadable]);
    assert!(case.offers.is_empty(), "nobody is sent before an operator has looked");
    the_next_press_passes(&anhu).await;
}

#[tokio::test]
async fn an_unknown_device_has_its_own_case_and_sends_nobody() {
    let anhu = prepared().await;
    assert!(send(&anhu, "anhu/v1/stranger/alert", br#"{"kind":"sos"}"#, &[]));
    let case = anhu.wait_for_incident("the case", |incident| incident.device == "devices/stranger").await;
    assert_eq!(reasons(&case), [v1::EscalationReason::UnknownDevice]);
    assert!(case.offers.is_empty() && case.elder.is_empty());
    the_next_press_passes(&anhu).await;
}

#[tokio::test]
async fn a_device_without_an_elder_has_its_own_case() {
    let anhu = prepared().await;
    let device = v1::Device { device_id: "spare".to_owned(), ..v1::Device::default() };
    let mut registry = anhu.registry().await;
    registry.create_device(v1::CreateDeviceRequest { device: Some(device) }).await.expect("a device");
    assert!(send(&anhu, "anhu/v1/spare/alert", br#"{"kind":"fall"}"#, &[]));
    let case = anhu.wait_for_incident("the case", |incident| incident.device == "devices/spare").await;
    assert_eq!(reasons(&case), [v1::EscalationReason::UnknownDevice]);
}

#[tokio::test]
async fn a_position_at_zero_zero_is_no_fix_and_the_home_counts() {
    let anhu = prepared().await;
    let payload = br#"{"kind":"sos","place":{"latitude":0,"longitude":0}}"#;
    assert!(send(&anhu, TOPIC, payload, &[]));
    let incident =
        anhu.wait_for_incident("it is dispatched", |incident| incident.first_offer_at.is_some()).await;
    assert!((incident.place.expect("home").latitude - world::HOME.0).abs() < 1e-6);
}

#[tokio::test]
async fn a_late_alert_waits_for_an_operator() {
    let anhu = prepared().await;
    let payload = format!(r#"{{"kind":"sos","id":"old","occurred_at":{}}}"#, millis_from_now(-660));
    assert!(send(&anhu, TOPIC, payload.as_bytes(), &[]));
    let case = anhu.wait_for_incident("the case", |incident| incident.late).await;
    assert_eq!(reasons(&case), [v1::EscalationReason::Late]);
    assert!(case.offers.is_empty());
    the_next_press_passes(&anhu).await;
}

#[tokio::test]
async fn a_clock_that_runs_ahead_is_replaced_and_kept() {
    let anhu = prepared().await;
    let ahead = millis_from_now(3600);
    let payload = format!(r#"{{"kind":"sos","occurred_at":{ahead}}}"#);
    assert!(send(&anhu, TOPIC, payload.as_bytes(), &[]));
    let incident =
        anhu.wait_for_incident("it is dispatched", |incident| incident.first_offer_at.is_some()).await;
    let alert = &incident.alerts[0];
    assert_eq!(alert.occurred_at, alert.received_at);
    assert_eq!(alert.device_time.expect("kept").seconds, ahead / 1000);
}

#[tokio::test]
async fn a_retained_message_is_not_a_live_alert() {
    let anhu = prepared().await;
    assert!(send(&anhu, TOPIC, br#"{"kind":"sos"}"#, &["-r"]));
    let case = anhu.wait_for_incident("the case", |incident| incident.alert_count > 0).await;
    assert_eq!(reasons(&case), [v1::EscalationReason::Retained]);
    assert!(case.offers.is_empty() && case.alerts[0].retained);
    assert!(send(&anhu, TOPIC, br#"{"kind":"sos"}"#, &["-r"]));
    the_next_press_passes(&anhu).await;
    let after = anhu.incident(&case.name).await;
    assert_eq!(after.alert_count, 3, "the front door replays nothing, so each was a press: {after:#?}");
}

#[tokio::test]
async fn a_retained_alert_on_a_broker_is_not_live_either() {
    let broker = Mosquitto::start().await;
    let kept = mosquitto::publish(broker.port, TOPIC, br#"{"kind":"sos"}"#, &["-r"]);
    assert!(kept.status.success());
    let link = format!(
        "[[links]]\nname = \"town\"\nurl = \"mqtt://127.0.0.1:{}\"\nclient_id = \"anhu\"\n\
         filters = [\"anhu/v1/+/alert\"]\n",
        broker.port
    );
    let anhu = Anhu::start_with(&link, folder()).await;
    let case = anhu.wait_for_incident("the case", |incident| incident.device == "devices/wrist-1").await;
    assert!(case.offers.is_empty() && case.alerts[0].retained);
    let anhu = anhu.kill_and_restart(&link).await;
    assert!(
        mosquitto::publish(broker.port, "anhu/v1/other/alert", br#"{"kind":"sos"}"#, &[]).status.success()
    );
    anhu.wait_for_incident("the next passes", |case| case.device == "devices/other").await;
    let after = anhu.incident(&case.name).await;
    assert_eq!(after.alert_count, 1, "what the broker replays is the same alert: {after:#?}");
}

#[tokio::test]
async fn a_payload_of_a_megabyte_is_refused_and_the_next_passes() {
    let anhu = prepared().await;
    let megabyte = vec![b'x'; 1024 * 1024];
    assert!(!send(&anhu, TOPIC, &megabyte, &[]), "it is not acknowledged");
    the_next_press_passes(&anhu).await;
    let metrics = anhu.get("/metrics").1;
    let counted = metrics.lines().find(|line| line.starts_with("anhu_front_door_total{event=\"oversize\"}"));
    assert!(counted.is_some_and(|line| !line.ends_with(" 0")), "{metrics}");
}

#[tokio::test]
async fn a_payload_of_a_megabyte_on_a_broker_is_a_case_and_the_next_passes() {
    let broker = Mosquitto::start().await;
    let link = format!(
        "[[links]]\nname = \"town\"\nurl = \"mqtt://127.0.0.1:{}\"\nclient_id = \"anhu\"\n\
         filters = [\"anhu/v1/+/alert\"]\n",
        broker.port
    );
    let anhu = Anhu::start_with(&link, folder()).await;
    tests::wait::until("the link is up", async || {
        anhu.get("/readyz").1.contains("ok  link town").then_some(())
    })
    .await;
    assert!(mosquitto::publish(broker.port, TOPIC, &vec![b'x'; 1024 * 1024], &[]).status.success());
    assert!(
        mosquitto::publish(broker.port, "anhu/v1/other/alert", br#"{"kind":"sos"}"#, &[]).status.success()
    );
    anhu.wait_for_incident("the large one is a case", |case| case.kind() == v1::Kind::Unreadable).await;
    anhu.wait_for_incident("the next passes", |case| case.device == "devices/other").await;
}

#[tokio::test]
async fn an_oversized_topic_is_counted_and_the_next_passes() {
    let anhu = prepared().await;
    let topic = format!("anhu/v1/{}/alert", "x".repeat(2000));
    assert!(!send(&anhu, &topic, br#"{"kind":"sos"}"#, &[]), "it is not acknowledged");
    the_next_press_passes(&anhu).await;
    let metrics = anhu.get("/metrics").1;
    let counted =
        metrics.lines().find(|line| line.starts_with("anhu_front_door_total{event=\"invalid_topics\"}"));
    assert!(counted.is_some_and(|line| !line.ends_with(" 0")), "{metrics}");
}

#[tokio::test]
async fn a_second_press_joins_counts_and_is_shown() {
    let anhu = prepared().await;
    for press in ["p1", "p2"] {
        let payload = format!(r#"{{"kind":"sos","id":"{press}"}}"#);
        assert!(send(&anhu, TOPIC, payload.as_bytes(), &[]));
    }
    assert!(send(&anhu, TOPIC, br#"{"kind":"sos","id":"p2"}"#, &[]), "the same message again");
    the_next_press_passes(&anhu).await;
    let incidents = anhu.all_incidents().await;
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].alert_count, 3, "two presses and the next; the repeated message is one alert");
}
