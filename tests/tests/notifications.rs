//! What is told to systems outside and to devices that were away: signed, in order, tried again, never forgotten, and not
//! told any more once its reason is gone.

use std::{process::Child, sync::Arc, time::Duration};

use tests::{
    anhu::{Anhu, folder, next_notice},
    mosquitto::{self, Mosquitto},
    receiver::{Answer, KEY_IN_ADDRESS, Receiver, SECRET, secret_in, webhook},
    wait::{free_port, until},
    world::{self, World},
};
use wire::v1::{self, watch_offers_response::Change};

/// Patience for tests.
const QUICK: &str = "[notifications]\nfirst_retry_ms = 100\nlongest_retry_s = 1\n";

/// A server that tells this receiver of these events, on a data folder with the secret in it.
async fn telling(port: u16, events: &[&str], more: &str) -> (Anhu, String) {
    let folder = folder();
    let config = format!("{more}{}", webhook("push", port, events, &secret_in(folder.path())));
    (Anhu::start_with(&config, folder).await, config)
}

fn press(anhu: &Anhu, device: &str, id: &str) {
    let payload = format!(r#"{{"kind":"sos","id":"{id}"}}"#);
    let topic = format!("anhu/v1/{device}/alert");
    assert!(mosquitto::publish(anhu.mqtt_port, &topic, payload.as_bytes(), &[]).status.success());
}

/// Presses, waits until `ready`, and lets the nearest helper accept; returns the incident's name.
async fn press_and_accept_when(anhu: &Anhu, world: &World, ready: impl AsyncFnOnce()) -> String {
    let nearest = world.responders[0].clone();
    let mut app = anhu.watch_offers(&nearest).await;
    press(anhu, "wrist-1", "a-1");
    let Change::Offer(offer) = next_notice(&mut app).await else { panic!("an offer comes first") };
    ready().await;
    let accept = v1::AcceptOfferRequest { responder: nearest, offer_id: offer.offer_id };
    anhu.responders().await.accept_offer(accept).await.expect("accepted");
    offer.incident
}

/// Presses and lets the nearest helper accept at once.
async fn press_and_accept(anhu: &Anhu, world: &World) -> String {
    press_and_accept_when(anhu, world, async || {}).await
}

async fn call_the_supervisor(anhu: &Anhu, incident: &str) {
    let request = v1::EscalateIncidentRequest {
        name: incident.to_owned(),
        operator: "li".to_owned(),
        step: v1::EscalationStep::Supervisor.into(),
        ..v1::EscalateIncidentRequest::default()
    };
    anhu.incidents().await.escalate_incident(request).await.expect("escalated");
}

async fn target(anhu: &Anhu, name: &str) -> v1::NotificationTarget {
    let request = v1::ListTargetsRequest::default();
    let targets =
        anhu.notifications().await.list_targets(request).await.expect("a list").into_inner().targets;
    let name = format!("targets/{name}");
    targets.into_iter().find(|target| target.name == name).expect("the target")
}

async fn deliveries(anhu: &Anhu, state: v1::DeliveryState) -> Vec<v1::Delivery> {
    let request = v1::ListDeliveriesRequest {
        parent: "targets/push".to_owned(),
        state: state.into(),
        ..v1::ListDeliveriesRequest::default()
    };
    anhu.notifications().await.list_deliveries(request).await.expect("a list").into_inner().deliveries
}

async fn retry(anhu: &Anhu) -> u32 {
    let request = v1::RetryDeliveriesRequest { parent: "targets/push".to_owned(), name: String::new() };
    let answer = anhu.notifications().await.retry_deliveries(request).await.expect("retried");
    answer.into_inner().retried_count
}

/// What a device hears, as `state alert`.
fn heard(listening: Child) -> Vec<String> {
    let output = listening.wait_with_output().expect("it ends");
    let text = String::from_utf8(output.stdout).expect("text");
    let receipts = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    receipts
        .map(|receipt| {
            let word = |key: &str| receipt[key].as_str().unwrap_or_default().to_owned();
            format!("{} {}", word("state"), word("alert_id"))
        })
        .collect()
}

#[tokio::test]
async fn a_webhook_hears_of_each_step_signed_in_order_and_with_nothing_personal() {
    let receiver = Receiver::start().await;
    let (anhu, _) = telling(receiver.port, &["*"], "[log]\nlevel = \"trace\"\n").await;
    let world = world::build(&anhu, &["wrist-1"], 2).await;
    let offered = async || {
        until("both offers are pushed", async || {
            let pushed = receiver.taken().iter().filter(|call| call.event() == "offer.made").count();
            (pushed == 2).then_some(())
        })
        .await;
    };
    let incident = press_and_accept_when(&anhu, &world, offered).await;
    call_the_supervisor(&anhu, &incident).await;
    until("the last step arrives", async || {
        let supervisor = |call: &tests::receiver::Call| call.body["data"]["step"] == "supervisor";
        receiver.taken().iter().any(supervisor).then_some(())
    })
    .await;
    let calls = receiver.calls();
    assert_eq!(calls.len(), receiver.taken().len(), "every one was signed and came once: {calls:#?}");
    let of_it = calls.iter().filter(|call| call.incident() == incident);
    let mut events: Vec<String> = of_it.map(tests::receiver::Call::event).collect();
    events.retain(|event| event != "incident.escalated");
    let steps = [
        "incident.opened",
        "incident.alert_raised",
        "offer.made",
        "offer.made",
        "offer.accepted",
        "offer.ended",
        "incident.acknowledged",
    ];
    assert_eq!(events, steps);
    let escalation = calls.last().expect("it came");
    assert_eq!(escalation.event(), "incident.escalated");
    assert_eq!(escalation.body["data"]["reason"], "operator_asks");
    let told = format!("{calls:?}");
    for personal in ["王桂英", "幸福路", "7000001", "高血压", "119.0", "32.7"] {
        assert!(!told.contains(personal), "{personal}: {told}");
    }
    let log = anhu.log();
    let secret = SECRET.trim_start_matches("whsec_");
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "the log tells much");
    assert!(!log.contains(secret) && !log.contains(KEY_IN_ADDRESS), "and neither secret nor address");
}

#[tokio::test]
async fn a_receiver_that_was_down_hears_everything_once_and_in_order() {
    let port = free_port();
    let (anhu, _) = telling(port, &["*"], QUICK).await;
    let world = world::build(&anhu, &["wrist-1", "wrist-2"], 2).await;
    let incident = press_and_accept(&anhu, &world).await;
    until("it is known to be down", async || anhu.get("/readyz").1.contains("push: failing").then_some(()))
        .await;
    let (code, ready) = anhu.get("/readyz");
    assert_eq!(code, 200, "alerts are taken all the same: {ready}");
    assert!(ready.contains("RED notifications: push: failing"), "{ready}");
    assert_eq!(target(&anhu, "push").await.state(), v1::NotificationTargetState::Failing);
    call_the_supervisor(&anhu, &incident).await;

    let receiver = Receiver::start_on(port).await;
    until("all has arrived", async || (target(&anhu, "push").await.waiting_count == 0).then_some(())).await;
    let taken = receiver.taken();
    let revisions: Vec<u64> = taken
        .iter()
        .filter(|call| call.incident() == incident)
        .map(|call| call.body["data"]["revision"].as_u64().expect("a number"))
        .collect();
    assert!(revisions.is_sorted(), "{revisions:?}");
    assert_eq!(receiver.calls().len(), taken.len(), "nothing came twice");
    let events: Vec<String> = taken.iter().map(tests::receiver::Call::event).collect();
    assert!(events.contains(&"incident.opened".to_owned()), "{events:?}");
    assert!(events.contains(&"incident.escalated".to_owned()), "{events:?}");
    assert!(!events.contains(&"offer.made".to_owned()), "both offers are over: {events:?}");
    assert_eq!(target(&anhu, "push").await.state(), v1::NotificationTargetState::Up);
    until("it is well again", async || anhu.get("/readyz").1.contains("ok  notifications").then_some(()))
        .await;
}

#[tokio::test]
async fn a_receiver_in_trouble_is_tried_again_after_longer_and_longer_pauses() {
    let receiver = Receiver::start().await;
    receiver.answer(|calls, _| Answer::Status(if calls.len() < 4 { 500 } else { 204 }));
    let (anhu, _) = telling(receiver.port, &["incident.opened"], QUICK).await;
    press(&anhu, "wrist-1", "a-1");
    until("it takes it at last", async || (receiver.taken().len() == 1).then_some(())).await;
    let calls = receiver.calls();
    assert_eq!(calls.len(), 5, "{calls:#?}");
    assert!(calls.iter().all(|call| call.id == calls[0].id), "the same key each time");
    let pauses: Vec<Duration> = calls.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    for (pause, least) in pauses.iter().zip([50, 100, 200, 400]) {
        assert!(*pause >= Duration::from_millis(least - 5), "{pauses:?}");
    }
}

#[tokio::test]
async fn a_slow_receiver_delays_neither_another_one_nor_a_device() {
    let (slow, quick) = (Receiver::start().await, Receiver::start().await);
    slow.answer(|_, _| Answer::Never);
    let folder = folder();
    let secret = secret_in(folder.path());
    let config = [("slow", slow.port), ("quick", quick.port)]
        .map(|(name, port)| webhook(name, port, &["*"], &secret) + "timeout_s = 60\n")
        .concat();
    let anhu = Anhu::start_with(&config, folder).await;
    let listening = mosquitto::listen(anhu.mqtt_port, "anhu/v1/wrist-19/receipt", 1);
    for number in 0..20 {
        press(&anhu, &format!("wrist-{number}"), &format!("a-{number}"));
    }
    until("the quick one has all", async || {
        let opened = quick.taken().iter().filter(|call| call.event() == "incident.opened").count();
        (opened == 20).then_some(())
    })
    .await;
    assert_eq!(heard(listening), ["received a-19"]);
    assert!(slow.calls().len() <= 8, "no more than eight at once");
    until("the others wait", async || (target(&anhu, "slow").await.waiting_count >= 20).then_some(())).await;
}

#[tokio::test]
async fn after_a_crash_what_was_sent_and_not_recorded_comes_again_under_the_same_key() {
    let receiver = Receiver::start().await;
    receiver.answer(|_, _| Answer::Never);
    let (anhu, config) = telling(receiver.port, &["incident.opened"], QUICK).await;
    for number in 0..4 {
        press(&anhu, &format!("wrist-{number}"), "a");
    }
    until("they are on their way", async || (receiver.calls().len() == 4).then_some(())).await;
    let anhu = anhu.kill_and_restart(&config).await;
    until("they come again", async || (receiver.calls().len() == 8).then_some(())).await;
    let keys = |calls: &[tests::receiver::Call]| {
        let mut keys: Vec<String> = calls.iter().map(|call| call.id.clone()).collect();
        keys.sort();
        keys
    };
    let calls = receiver.calls();
    assert_eq!(keys(&calls[..4]), keys(&calls[4..]));

    receiver.answer(|_, _| Answer::Status(204));
    let anhu = anhu.kill_and_restart(&config).await;
    until("all is taken", async || (receiver.taken().len() == 4).then_some(())).await;
    until("and known to be", async || (target(&anhu, "push").await.waiting_count == 0).then_some(())).await;
    press(&anhu, "wrist-9", "a");
    until("it goes on", async || (receiver.taken().len() == 5).then_some(())).await;
}

// A connection that is not used any more ends beside the stop.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_graceful_stop_nothing_comes_again_and_what_waited_goes_on_waiting() {
    let port = free_port();
    let (mut anhu, config) = telling(port, &["incident.opened"], QUICK).await;
    press(&anhu, "wrist-1", "a");
    until("it waits", async || (target(&anhu, "push").await.waiting_count == 1).then_some(())).await;
    assert!(anhu.stop(), "{}", anhu.log());
    let receiver = Receiver::start_on(port).await;
    let mut anhu = Anhu::start_with(&config, anhu.folder()).await;
    until("it arrives", async || (receiver.taken().len() == 1).then_some(())).await;
    assert!(anhu.stop(), "{}", anhu.log());
    let anhu = Anhu::start_with(&config, anhu.folder()).await;
    press(&anhu, "wrist-2", "a");
    until("the next arrives", async || (receiver.taken().len() == 2).then_some(())).await;
    assert_eq!(receiver.calls().len(), 2, "the first did not come again");
}

// A connection that is not used any more ends beside the stop.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_get_through_is_seen_in_the_list_at_readyz_and_on_the_incident() {
    let receiver = Receiver::start().await;
    receiver.answer(|_, _| Answer::Status(404));
    let patience = format!("{QUICK}give_up_after_s = 1\n");
    let (mut anhu, config) = telling(receiver.port, &["incident.escalated"], &patience).await;
    world::build(&anhu, &["wrist-1"], 1).await;
    press(&anhu, "wrist-1", "a");
    let incident = anhu.wait_for_incident("it opens", |incident| incident.alert_count == 1).await.name;
    call_the_supervisor(&anhu, &incident).await;
    let note = "the supervisor should be called, and the webhook push does not get through";
    until("the operators read it", async || {
        let timeline = anhu.incident(&incident).await.timeline;
        timeline
            .iter()
            .any(|entry| entry.detail.contains(note) && entry.actor == "operators/anhu")
            .then_some(())
    })
    .await;
    let called = |delivery: &&v1::Delivery| delivery.incident == incident;
    let dead = deliveries(&anhu, v1::DeliveryState::Dead).await;
    let letter = dead.iter().find(called).expect("a dead letter").clone();
    assert_eq!((letter.event.as_str(), letter.state()), ("incident.escalated", v1::DeliveryState::Dead));
    assert!(letter.tries > 1 && letter.trouble.contains("404"), "{letter:?}");
    until("readyz says so", async || anhu.get("/readyz").1.contains("given up").then_some(())).await;
    assert_eq!(anhu.get("/readyz").0, 200);

    assert!(anhu.stop(), "{}", anhu.log());
    let anhu = Anhu::start_with(&config, anhu.folder()).await;
    let kept = deliveries(&anhu, v1::DeliveryState::Dead).await;
    assert!(kept.iter().any(|kept| kept.name == letter.name), "it outlives a restart: {kept:#?}");
    receiver.answer(|_, _| Answer::Status(204));
    assert!(retry(&anhu).await >= 1);
    let key = letter.name.rsplit('/').next().expect("a key").to_owned();
    until("it arrives under its old key", async || {
        receiver.taken().iter().any(|call| call.id == key).then_some(())
    })
    .await;
    until("all is well", async || anhu.get("/readyz").1.contains("ok  notifications").then_some(())).await;
}

#[tokio::test]
async fn a_receiver_that_wants_nothing_more_is_left_alone_until_somebody_retries() {
    let receiver = Receiver::start().await;
    receiver.answer(|_, _| Answer::Status(410));
    let (anhu, _) = telling(receiver.port, &["incident.opened"], QUICK).await;
    press(&anhu, "wrist-1", "a");
    until("it is gone", async || {
        (target(&anhu, "push").await.state() == v1::NotificationTargetState::Gone).then_some(())
    })
    .await;
    press(&anhu, "wrist-2", "a");
    until("both are dead letters", async || (target(&anhu, "push").await.dead_count == 2).then_some(()))
        .await;
    assert_eq!(receiver.calls().len(), 1, "it was not asked again");
    let mut request = v1::ListDeliveriesRequest { page_size: 1, ..v1::ListDeliveriesRequest::default() };
    let mut listed = Vec::new();
    let mut client = anhu.notifications().await;
    for last in [false, true] {
        let page = client.list_deliveries(request.clone()).await.expect("a page").into_inner();
        assert_eq!((page.deliveries.len(), page.next_page_token.is_empty()), (1, last));
        listed.extend(page.deliveries.into_iter().map(|delivery| delivery.incident));
        request.page_token = page.next_page_token;
    }
    assert_eq!(listed, ["incidents/1", "incidents/2"]);
    receiver.answer(|_, _| Answer::Status(204));
    assert_eq!(retry(&anhu).await, 2);
    until("both arrive", async || (receiver.taken().len() == 2).then_some(())).await;
    let unknown = v1::RetryDeliveriesRequest { parent: "targets/nobody".to_owned(), name: String::new() };
    let refused = anhu.notifications().await.retry_deliveries(unknown).await.expect_err("there is none");
    assert_eq!(refused.code(), tonic::Code::NotFound);
}

#[tokio::test]
async fn an_offer_that_is_over_is_not_pushed_any_more() {
    let port = free_port();
    let (anhu, _) = telling(port, &["offer.made", "incident.acknowledged"], QUICK).await;
    let world = world::build(&anhu, &["wrist-1"], 3).await;
    let incident = press_and_accept(&anhu, &world).await;
    call_the_supervisor(&anhu, &incident).await;
    until("only the news waits", async || (target(&anhu, "push").await.waiting_count == 1).then_some(()))
        .await;
    let receiver = Receiver::start_on(port).await;
    until("the news arrives", async || (!receiver.calls().is_empty()).then_some(())).await;
    let events: Vec<String> = receiver.calls().iter().map(tests::receiver::Call::event).collect();
    assert_eq!(events, ["incident.acknowledged"]);
}

// A connection that is not used any more ends beside the stop.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_was_away_hears_when_it_is_back_that_a_helper_is_on_the_way() {
    let anhu = Anhu::start().await;
    let world = world::build(&anhu, &["wrist-1"], 1).await;
    press_and_accept(&anhu, &world).await;
    until("it waits for the device", async || {
        (target(&anhu, "devices").await.waiting_count == 1).then_some(())
    })
    .await;
    let mut anhu = anhu;
    assert!(anhu.stop(), "{}", anhu.log());
    let mut anhu = Anhu::start_with("", anhu.folder()).await;
    let listening = mosquitto::listen(anhu.mqtt_port, "anhu/v1/wrist-1/receipt", 1);
    assert_eq!(heard(listening), ["helper_on_the_way a-1"], "and not that it was received, which is old");
    until("nothing waits any more", async || {
        (target(&anhu, "devices").await.waiting_count == 0).then_some(())
    })
    .await;
    assert!(anhu.stop(), "{}", anhu.log());
    let anhu = Anhu::start_with("", anhu.folder()).await;
    assert_eq!(target(&anhu, "devices").await.waiting_count, 0, "it is not told again");
}

#[tokio::test]
async fn a_device_that_was_away_hears_it_also_when_the_server_was_killed_meanwhile() {
    let anhu = Anhu::start().await;
    let world = world::build(&anhu, &["wrist-1", "wrist-2"], 1).await;
    let incident = press_and_accept(&anhu, &world).await;
    let anhu = anhu.kill_and_restart("").await;
    let listening = mosquitto::listen(anhu.mqtt_port, "anhu/v1/wrist-1/receipt", 1);
    assert_eq!(heard(listening), ["helper_on_the_way a-1"]);

    // It presses and goes away again; the incident is over when it is back.
    press(&anhu, "wrist-1", "a-2");
    let mut desk = anhu.incidents().await;
    let (name, operator) = (incident, "li".to_owned());
    let resolve = v1::ResolveIncidentRequest {
        name: name.clone(),
        operator: operator.clone(),
        disposition: v1::Disposition::Served.into(),
        note: String::new(),
    };
    desk.resolve_incident(resolve).await.expect("resolved");
    desk.close_incident(v1::CloseIncidentRequest { name, operator }).await.expect("closed");
    let anhu = anhu.kill_and_restart("").await;
    let listening = mosquitto::listen(anhu.mqtt_port, "anhu/v1/wrist-1/receipt", 1);
    assert_eq!(heard(listening), ["closed a-2"]);
}

#[tokio::test]
async fn a_device_behind_another_broker_hears_once_that_broker_is_back() {
    let mut broker = Mosquitto::start().await;
    let link = format!(
        "[[links]]\nname = \"town\"\nurl = \"mqtt://127.0.0.1:{}\"\nclient_id = \"anhu\"\n\
         filters = [\"anhu/v1/+/alert\"]\n",
        broker.port
    );
    let anhu = Anhu::start_with(&link, folder()).await;
    let up = async || anhu.get("/readyz").1.contains("ok  link town").then_some(());
    until("the link is up", up).await;
    let world = world::build(&anhu, &["wrist-1"], 1).await;
    // The broker knows the device and keeps for it what comes while it is away.
    let session = ["-c", "-i", "wrist-1", "-q", "1", "-t", "anhu/v1/wrist-1/receipt", "-W", "50"];
    let session = |more: &[&str]| {
        let mut command = std::process::Command::new("mosquitto_sub");
        command.args(["-p", &broker.port.to_string()]).args(session).args(more);
        command.stdout(std::process::Stdio::piped());
        command
    };
    assert!(session(&["-E"]).status().expect("mosquitto_sub runs").success());
    let mut listening = session(&["-C", "1"]);
    broker.stop();
    until("the link is down", async || anhu.get("/readyz").1.contains("RED link town").then_some(())).await;
    press_and_accept(&anhu, &world).await;
    broker.restart().await;
    let listening = listening.spawn().expect("mosquitto_sub runs");
    assert_eq!(heard(listening), ["helper_on_the_way a-1"]);
}

#[tokio::test]
async fn when_the_disk_refuses_people_are_told_with_a_mark_and_no_device_hears_that_we_have_its_alert() {
    let receiver = Receiver::start().await;
    let (anhu, _) = telling(receiver.port, &["incident.opened", "offer.accepted"], QUICK).await;
    let world = world::build(&anhu, &["wrist-1"], 1).await;
    let mut app = anhu.watch_offers(&world.responders[0]).await;
    let listening = mosquitto::listen(anhu.mqtt_port, "anhu/v1/wrist-1/receipt", 1);
    until("the device listens", async || {
        anhu.get("/metrics").1.contains("anhu_front_door_connections 1").then_some(())
    })
    .await;
    anhu.fill_disk();
    // It is never acknowledged, so the device would go on for ever.
    let mut pressing = std::process::Command::new("mosquitto_pub")
        .args([
            "-h",
            "127.0.0.1",
            "-p",
            &anhu.mqtt_port.to_string(),
            "-q",
            "1",
            "-t",
            "anhu/v1/wrist-1/alert",
        ])
        .args(["-m", r#"{"kind":"sos","id":"a-1"}"#])
        .spawn()
        .expect("mosquitto_pub runs");
    let Change::Offer(offer) = next_notice(&mut app).await else { panic!("an offer comes first") };
    let accept = v1::AcceptOfferRequest { responder: world.responders[0].clone(), offer_id: offer.offer_id };
    let refused = anhu.responders().await.accept_offer(accept).await.expect_err("not on stable storage");
    assert_eq!(refused.code(), tonic::Code::Unavailable, "{refused:?}");
    assert_eq!(heard(listening), ["helper_on_the_way a-1"], "the first thing it hears");
    until("the webhook is told", async || (receiver.taken().len() == 2).then_some(())).await;
    let taken = receiver.taken();
    assert!(taken.iter().all(|call| call.body["data"]["degraded"] == true), "{taken:#?}");
    pressing.kill().expect("it presses");
    pressing.wait().expect("it ends");
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_stops_the_start_and_is_told_with_every_other_fault() {
    let folder: Arc<tempfile::TempDir> = folder();
    let file = folder.path().join("anhu.toml");
    let nowhere = folder.path().join("no-such-file");
    std::fs::write(&file, webhook("Push", 1, &["incident.opened", "nothing"], &nowhere)).expect("written");
    let output = std::process::Command::new(tests::anhu::binary())
        .args(["check-config", "--config"])
        .arg(&file)
        .output()
        .expect("anhu runs");
    assert!(!output.status.success());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    for fault in ["webhooks.0.name", "webhooks.0.secret_file", "webhooks.0.events"] {
        assert!(told.contains(fault), "{fault}: {told}");
    }
}
