//! Nothing that was acknowledged is lost, whatever ends the server.

use std::collections::BTreeSet;

use tests::{
    anhu::{Anhu, folder, in_tree},
    mosquitto::{self, Mosquitto},
    presses::{press, shown},
    wait, world,
};
use wire::v1;

async fn known_alerts(anhu: &Anhu) -> BTreeSet<String> {
    shown(anhu).await.into_keys().collect()
}

#[tokio::test]
async fn kill_nine_in_the_middle_of_a_thousand_sos_loses_none_that_was_acknowledged() {
    let mut anhu = Anhu::start().await;
    let port = anhu.mqtt_port;
    let pressing = tokio::spawn(press(port, 0, 1000));
    wait::until("some have arrived", async || {
        let opened = anhu.get("/metrics").1;
        let count = opened.lines().find(|line| line.starts_with("anhu_alerts_total{kind=\"sos\"}"))?;
        count.rsplit(' ').next()?.parse::<f64>().ok().filter(|count| *count >= 300.0)
    })
    .await;
    anhu.kill();
    let acked = pressing.await.expect("the devices");
    assert!(!acked.is_empty());

    let anhu = Anhu::start_with("", anhu.folder()).await;
    let lost: Vec<_> = acked.difference(&known_alerts(&anhu).await).cloned().collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    let again = press(anhu.mqtt_port, 0, 1000).await;
    assert_eq!(again.len(), 1000, "all are acknowledged when they are sent again");
    let known = known_alerts(&anhu).await;
    assert_eq!(known.len(), 1000, "all thousand are shown");
    let incidents = anhu.all_incidents().await;
    assert_eq!(incidents.len(), 1000, "and none is doubled");
    assert!(incidents.iter().all(|incident| incident.alert_count == 1));
}

#[tokio::test]
async fn after_a_graceful_stop_everything_is_as_before() {
    let mut anhu = Anhu::start().await;
    let world = world::build(&anhu, &["wrist-1"], 2).await;
    let sent =
        mosquitto::publish(anhu.mqtt_port, "anhu/v1/wrist-1/alert", br#"{"kind":"sos","id":"a"}"#, &[]);
    assert!(sent.status.success());
    let before = anhu.wait_for_incident("it is offered", |incident| incident.first_offer_at.is_some()).await;
    assert!(anhu.stop(), "it ends well:\n{}", anhu.log());

    let anhu = Anhu::start_with("", anhu.folder()).await;
    assert!(anhu.log().contains("replayed=0"), "the checkpoint spares the replay:\n{}", anhu.log());
    let after = anhu.incident(&before.name).await;
    assert_eq!(after.offers.len(), before.offers.len());
    let mut app = anhu.watch_offers(&world.responders[0]).await;
    let accept = v1::AcceptOfferRequest {
        responder: world.responders[0].clone(),
        offer_id: before.offers[0].offer_id,
    };
    anhu.responders().await.accept_offer(accept).await.expect("the offer is still open");
    tests::anhu::next_notice(&mut app).await;
}

#[tokio::test]
async fn a_lost_state_store_is_built_again_from_the_journal() {
    let mut anhu = Anhu::start().await;
    let world = world::build(&anhu, &["wrist-1"], 1).await;
    let sent =
        mosquitto::publish(anhu.mqtt_port, "anhu/v1/wrist-1/alert", br#"{"kind":"sos","id":"a"}"#, &[]);
    assert!(sent.status.success());
    assert!(anhu.stop());
    std::fs::remove_dir_all(anhu.data().join("state")).expect("the state store");

    let anhu = Anhu::start_with("", anhu.folder()).await;
    let elder = v1::GetElderRequest { name: world.elder.clone() };
    let elder = anhu.registry().await.get_elder(elder).await.expect("the elder").into_inner().elder;
    assert_eq!(elder.expect("the elder").display_name, "王桂英");
    let incidents = anhu.all_incidents().await;
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].elder, world.elder);
    let sent =
        mosquitto::publish(anhu.mqtt_port, "anhu/v1/wrist-1/alert", br#"{"kind":"sos","id":"a"}"#, &[]);
    assert!(sent.status.success(), "a resend after the restart is acknowledged");
    assert_eq!(anhu.all_incidents().await[0].alert_count, 1, "and is the same alert");
}

#[tokio::test]
async fn a_damaged_journal_refuses_to_start_and_names_the_place() {
    let mut anhu = Anhu::start().await;
    world::build(&anhu, &["wrist-1"], 1).await;
    for press in 0..5 {
        let payload = format!(r#"{{"kind":"sos","id":"a-{press}"}}"#);
        let sent = mosquitto::publish(anhu.mqtt_port, "anhu/v1/wrist-1/alert", payload.as_bytes(), &[]);
        assert!(sent.status.success());
    }
    assert!(anhu.stop());
    let folder = anhu.data().join("journal/dispatch");
    let segment = folder.join("00000000000000000001.seg");
    let mut bytes = std::fs::read(&segment).expect("its bytes");
    bytes[200] ^= 1;
    std::fs::write(&segment, bytes).expect("damaged");
    std::fs::remove_dir_all(anhu.data().join("state")).expect("the state store");

    let output = std::process::Command::new(tests::anhu::binary())
        .args(["serve", "--insecure-dev", "--http-listen", "127.0.0.1:0", "--mqtt-listen", "127.0.0.1:0"])
        .env("ANHU_DATA_DIR", anhu.data())
        .output()
        .expect("anhu runs");
    assert!(!output.status.success());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains(".seg") && told.contains("restore"), "{told}");
}

#[tokio::test]
async fn a_broker_keeps_what_we_have_not_acknowledged_while_we_are_away() {
    let broker = Mosquitto::start().await;
    let link = format!(
        "[[links]]\nname = \"town\"\nurl = \"mqtt://127.0.0.1:{}\"\nclient_id = \"anhu\"\n\
         filters = [\"anhu/v1/+/alert\"]\n",
        broker.port
    );
    let mut anhu = Anhu::start_with(&link, folder()).await;
    wait::until("the link is up", async || anhu.get("/readyz").1.contains("ok  link town").then_some(()))
        .await;
    anhu.kill();
    let acked = press(broker.port, 0, 200).await;
    assert_eq!(acked.len(), 200);
    let anhu = anhu.kill_and_restart(&link).await;
    wait::until("all have arrived", async || (anhu.all_incidents().await.len() == 200).then_some(())).await;
    assert_eq!(known_alerts(&anhu).await, acked);
}

#[tokio::test]
async fn a_broker_that_restarts_is_linked_to_again() {
    let mut broker = Mosquitto::start().await;
    let link = format!(
        "[[links]]\nname = \"town\"\nurl = \"mqtt://127.0.0.1:{}\"\nclient_id = \"anhu\"\n\
         filters = [\"anhu/v1/+/alert\"]\n",
        broker.port
    );
    let anhu = Anhu::start_with(&link, folder()).await;
    wait::until("the link is up", async || anhu.get("/readyz").1.contains("ok  link town").then_some(()))
        .await;
    broker.stop();
    wait::until("the link is down", async || anhu.get("/readyz").1.contains("RED link town").then_some(()))
        .await;
    broker.restart().await;
    wait::until("the link is up again", async || {
        anhu.get("/readyz").1.contains("ok  link town").then_some(())
    })
    .await;
    let acked = press(broker.port, 0, 20).await;
    assert_eq!(acked.len(), 20);
    wait::until("all have arrived", async || (anhu.all_incidents().await.len() == 20).then_some(())).await;
}

/// Copies what a server of the first form left behind. Its segments were cut behind the last record.
fn first_form(with_state: bool) -> std::sync::Arc<tempfile::TempDir> {
    let (from, folder) = (in_tree("tests/fixtures/first_form"), folder());
    let data = folder.path().join("data");
    for stream in ["dispatch", "registry"] {
        let segment = format!("journal/{stream}/00000000000000000001.seg");
        std::fs::create_dir_all(data.join("journal").join(stream)).expect("a folder");
        std::fs::copy(from.join(&segment), data.join(&segment)).expect("a segment");
        let file = std::fs::OpenOptions::new().write(true).open(data.join(&segment)).expect("the segment");
        file.set_len(16 << 20).expect("its whole length");
    }
    if with_state {
        std::fs::create_dir_all(data.join("state")).expect("a folder");
        for file in ["conf", "db"] {
            std::fs::copy(from.join("state").join(file), data.join("state").join(file)).expect("a file");
        }
    }
    folder
}

#[tokio::test]
async fn what_the_first_form_of_the_journal_and_the_state_store_hold_is_still_known() {
    for with_state in [true, false] {
        let anhu = Anhu::start_with("", first_form(with_state)).await;
        let states: Vec<_> = anhu.all_incidents().await.iter().map(v1::Incident::state).collect();
        let (open, closed) = (v1::IncidentState::New, v1::IncidentState::Closed);
        assert_eq!(states, [open, open, open, closed], "newest first");
        let served = anhu.incident("incidents/1").await;
        assert_eq!((served.disposition(), served.elder.as_str()), (v1::Disposition::Served, "elders/0"));
        assert_eq!(served.decisions[0].chosen.len(), 2);
        let going = anhu.incident("incidents/2").await;
        assert_eq!(going.assignments[0].responder, "responders/1");
        let late = anhu.wait_for_incident("the call-back is long over", |incident| {
            incident.name == "incidents/3" && incident.first_offer_at.is_some()
        });
        assert_eq!(late.await.offers[0].responder, "responders/0", "the other one is on the way");
        let request = v1::GetResponderRequest { name: "responders/0".to_owned() };
        let known = anhu.registry().await.get_responder(request).await.expect("known").into_inner();
        assert_eq!(known.responder.expect("a responder").travels(), v1::TravelMode::EBike);
    }
}
