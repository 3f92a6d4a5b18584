//! The whole server is dead: who notices, where do devices go, and whose home has been silent since?

use std::{process::Command, sync::Arc};

use tests::{
    anhu::{Anhu, binary, folder},
    mosquitto::{self, Mosquitto},
    receiver::{Answer, KEY_IN_ADDRESS, Receiver, ping_url, secret_in, webhook},
    wait::{free_port, until},
    world,
};
use wire::v1;

/// A server that tries itself every second and tells a monitor on this port.
async fn watched_by(port: u16) -> Anhu {
    let config = format!(
        "[watchdog]\nevery_s = 1\nlimit_s = 5\nping_url = {:?}\n[log]\nlevel = \"trace\"\n",
        ping_url(port)
    );
    Anhu::start_with(&config, folder()).await
}

fn counted(anhu: &Anhu, metric: &str) -> u64 {
    let metrics = anhu.get("/metrics").1;
    let line = metrics.lines().find(|line| line.starts_with(metric));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
}

async fn rounds(anhu: &Anhu, how: &str, wanted: u64) {
    let metric = format!("anhu_watchdog_rounds_total{{how=\"{how}\"}}");
    until("the watchdog's rounds", async || (counted(anhu, &metric) >= wanted).then_some(())).await;
}

#[tokio::test]
async fn a_monitor_hears_after_each_good_round_and_of_no_other() {
    let monitor = Receiver::start().await;
    let anhu = watched_by(monitor.port).await;
    until("two pings", async || (monitor.calls().len() >= 2).then_some(())).await;
    until("it is seen", async || anhu.get("/readyz").1.contains("; 127.0.0.1 was told").then_some(())).await;
    let well = counted(&anhu, "anhu_watchdog_rounds_total{how=\"well\"}") as usize;
    assert!(monitor.calls().len() <= well + 1, "one a round");

    // Nothing is acknowledged any more, so no round goes well.
    anhu.fill_disk();
    rounds(&anhu, "stuck", 1).await;
    let before = monitor.calls().len();
    rounds(&anhu, "stuck", 3).await;
    assert_eq!(monitor.calls().len(), before, "silence is how the monitor knows");
    assert_eq!(anhu.get("/readyz").0, 503);
    assert!(!anhu.log().contains(KEY_IN_ADDRESS), "the key in the address is not told");
}

#[tokio::test]
async fn a_monitor_that_hangs_holds_up_no_round() {
    let monitor = Receiver::start().await;
    monitor.answer(|_, _| Answer::Never);
    let anhu = watched_by(monitor.port).await;
    rounds(&anhu, "well", 4).await;
    let failed = "anhu_watchdog_pings_total{outcome=\"failed\"}";
    until("two pings failed", async || (counted(&anhu, failed) >= 2).then_some(())).await;
    let (code, ready) = anhu.get("/readyz");
    assert_eq!(code, 200, "alerts go round all the same: {ready}");
    assert!(ready.contains("; 127.0.0.1 could not be told: no answer within 1 s"), "{ready}");
    assert_eq!(counted(&anhu, "anhu_watchdog_rounds_total{how=\"stuck\"}"), 0);
}

#[tokio::test]
async fn a_monitor_that_is_away_is_said_once_and_told_when_it_is_back() {
    let port = free_port();
    let anhu = watched_by(port).await;
    let failed = "anhu_watchdog_pings_total{outcome=\"failed\"}";
    until("three pings failed", async || (counted(&anhu, failed) >= 3).then_some(())).await;
    let said = |what: &str| anhu.log().lines().filter(|line| line.contains(what)).count();
    assert_eq!(said("the monitor cannot be told"), 1, "{}", anhu.log());

    let monitor = Receiver::start_on(port).await;
    until("it is told", async || (monitor.calls().len() >= 2).then_some(())).await;
    assert_eq!(said("the monitor is told again"), 1, "{}", anhu.log());
    monitor.answer(|_, _| Answer::Status(503));
    let detail = "; 127.0.0.1 could not be told: it answered 503";
    until("a refusal is seen", async || anhu.get("/readyz").1.contains(detail).then_some(())).await;
    assert_eq!(said("the monitor cannot be told"), 2, "once per change");
}

/// A root certificate of nobody's.
const ROOT: &str = "-----BEGIN CERTIFICATE-----
MIIBijCCAS+gAwIBAgIUdjnzfSduXrP0PzxTTFz8YywWSVwwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOQW5odSB0ZXN0IHJvb3QwIBcNMjYxMTIyMjMyNzQ3WhgPMjEy
NjEwMjkyMzI3NDdaMBkxFzAVBgNVBAMMDkFuaHUgdGVzdCByb290MFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAE/o9ONk/lK5eiZmC4Q0mh3cFM9St9AGfXr5Gc3878
fYOsDcOXArF+QFU9Fd+ERjAwI9ZnDSJqEdukaCffgciHVqNTMFEwHQYDVR0OBBYE
FNWwfII1foaaQHOfVwAfEO67ZbhzMB8GA1UdIwQYMBaAFNWwfII1foaaQHOfVwAf
EO67ZbhzMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSQAwRgIhAIOVgXsA
yPjlbw+C44VS4/LmVb/NvQOyHybZn9O7cq1GAiEA6RtmFQj3FUj4zqFe1BW3iTWX
EDrneTZETE6EFpp7Npc=
-----END CERTIFICATE-----
";

#[tokio::test]
async fn a_machine_without_root_certificates_serves_alerts_and_says_whom_it_cannot_tell() {
    let folder = folder();
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, "").expect("no certificates");
    let none = [
        ("SSL_CERT_FILE", roots.display().to_string()),
        ("SSL_CERT_DIR", folder.path().join("none").display().to_string()),
    ];
    let port = free_port();
    let hook = webhook("push", port, &["incident.opened"], &secret_in(folder.path()));
    let watchdog = format!("[watchdog]\nevery_s = 1\nlimit_s = 5\nping_url = {:?}\n", ping_url(port));
    let config = format!("{hook}{watchdog}").replace("http:", "https:");
    let anhu = Anhu::start_under(&none, &config, Arc::clone(&folder)).await;
    let shown = async |what: &str| {
        until(what, async || anhu.get("/readyz").1.contains(what).then_some(())).await;
    };
    shown("; 127.0.0.1 could not be told: there is no TLS without root certificates").await;
    assert_eq!(anhu.get("/readyz").0, 200, "alerts go round all the same");
    world::build(&anhu, &["wrist-1"], 1).await;
    says(&anhu, "anhu/v1/wrist-1/alert", r#"{"kind":"sos"}"#);
    anhu.wait_for_incident("it is dispatched", |incident| incident.first_offer_at.is_some()).await;
    let said = |what: &str| anhu.log().lines().filter(|line| line.contains(what)).count();
    until("the webhook is down", async || (said("a webhook is down") == 1).then_some(())).await;
    assert_eq!(said("ERROR"), 2, "one for the monitor, one for the webhook: {}", anhu.log());
    assert_eq!(said("the monitor cannot be told"), 0, "it is said once");

    let checked = || {
        let mut command = Command::new(binary());
        command.args(["check-config", "--config"]).arg(folder.path().join("anhu.toml")).envs(none.clone());
        command.output().expect("it runs")
    };
    let output = checked();
    assert!(!output.status.success());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    for fault in ["webhooks.0.url", "watchdog.ping_url", "install the system's root certificates"] {
        assert!(told.contains(fault), "{fault}: {told}");
    }
    assert!(!format!("{told}{}", anhu.log()).contains(KEY_IN_ADDRESS), "the key in the address is not told");

    std::fs::write(&roots, ROOT).expect("a certificate");
    shown("; 127.0.0.1 could not be told: it cannot be connected to").await;
    assert!(checked().status.success(), "nobody listens there, which only a try can tell");
}

#[tokio::test]
async fn a_press_at_the_second_address_arrives_after_the_outage_and_counts_once() {
    let broker = Mosquitto::start().await;
    let config = format!(
        "[[links]]\nname = \"second\"\nurl = \"mqtt://127.0.0.1:{}\"\nclient_id = \"anhu\"\n\
         filters = [\"anhu/v1/+/alert\"]\n",
        broker.port
    );
    let mut anhu = Anhu::start_with(&config, folder()).await;
    world::build(&anhu, &["wrist-1"], 1).await;
    let up = async || anhu.get("/readyz").1.contains("ok  link second").then_some(());
    until("the link is up", up).await;
    anhu.kill();
    let press = |port: u16, id: &str| {
        let payload = format!(r#"{{"kind":"sos","id":"{id}"}}"#);
        let sent = mosquitto::publish(port, "anhu/v1/wrist-1/alert", payload.as_bytes(), &[]);
        assert!(sent.status.success(), "it is acknowledged");
    };
    press(broker.port, "p-1");

    let anhu = anhu.kill_and_restart(&config).await;
    let case = anhu.wait_for_incident("it is dispatched", |incident| incident.first_offer_at.is_some()).await;
    // The device never saw the answer of its second address, and is back at its first.
    press(anhu.mqtt_port, "p-1");
    press(anhu.mqtt_port, "p-2");
    let case = anhu.incident(&case.name).await;
    let known: Vec<&str> = case.alerts.iter().map(|alert| alert.source_id.as_str()).collect();
    assert_eq!(known, ["p-1", "p-2"]);
    assert_eq!(anhu.all_incidents().await.len(), 1);
}

/// Long before any test, in seconds since 1970.
const BEFORE: i64 = 1_000_000_000;
/// Long after any test.
const AFTER: i64 = 4_000_000_000;

/// Which devices are silent since then, one a page.
async fn silent_since(anhu: &Anhu, seconds: i64) -> Vec<v1::Device> {
    let mut registry = anhu.registry().await;
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let silent_since = Some(prost_types::Timestamp { seconds, nanos: 0 });
        let request = v1::ListDevicesRequest { page_size: 1, page_token, silent_since };
        let page = registry.list_devices(request).await.expect("a page").into_inner();
        assert!(page.devices.len() <= 1);
        all.extend(page.devices);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return all;
        }
    }
}

fn ids(devices: &[v1::Device]) -> Vec<&str> {
    devices.iter().map(|device| device.device_id.as_str()).collect()
}

fn says(anhu: &Anhu, topic: &str, payload: &str) {
    assert!(mosquitto::publish(anhu.mqtt_port, topic, payload.as_bytes(), &[]).status.success());
}

#[tokio::test]
async fn a_home_is_silent_until_its_device_speaks_and_a_restart_remembers_who_did() {
    let folder = folder();
    let mut anhu = Anhu::start_with("", Arc::clone(&folder)).await;
    world::build(&anhu, &["wrist-1", "wrist-2", "wrist-3"], 1).await;
    let spare = v1::Device { device_id: "spare".to_owned(), ..v1::Device::default() };
    let request = v1::CreateDeviceRequest { device: Some(spare) };
    anhu.registry().await.create_device(request).await.expect("a device that belongs to nobody");

    let never = silent_since(&anhu, BEFORE).await;
    assert_eq!(ids(&never), ["wrist-1", "wrist-2", "wrist-3"]);
    assert!(never.iter().all(|device| device.last_seen_at.is_none() && device.elder == "elders/0"));
    says(&anhu, "anhu/v1/wrist-1/status", "online");
    assert_eq!(ids(&silent_since(&anhu, BEFORE).await), ["wrist-2", "wrist-3"], "a heartbeat is heard");
    says(&anhu, "anhu/v1/wrist-2/alert", r#"{"kind":"sos"}"#);
    says(&anhu, "anhu/v1/wrist-3/status", "offline");
    assert_eq!(ids(&silent_since(&anhu, BEFORE).await), ["wrist-3"], "an alert too, what others say is not");

    let all = silent_since(&anhu, AFTER).await;
    assert_eq!(ids(&all), ["wrist-1", "wrist-2", "wrist-3"], "whatever is asked for");
    assert!(anhu.stop(), "{}", anhu.log());
    drop(anhu);
    let anhu = Anhu::start_with("", folder).await;
    let again = silent_since(&anhu, AFTER).await;
    let seconds = |devices: &[v1::Device]| {
        devices.iter().map(|device| device.last_seen_at.map(|at| at.seconds)).collect::<Vec<_>>()
    };
    assert_eq!(seconds(&again), seconds(&all), "to the second");
    assert!(again.iter().all(|device| !device.online), "nobody has said so since");
    assert_eq!(ids(&silent_since(&anhu, BEFORE).await), ["wrist-3"]);
    says(&anhu, "anhu/v1/wrist-3/telemetry", r#"{"heart_rate":70}"#);
    assert!(silent_since(&anhu, BEFORE).await.is_empty(), "now it has spoken");
}

#[tokio::test]
async fn whom_to_call_is_a_list_for_a_spreadsheet() {
    let anhu = Anhu::start().await;
    world::build(&anhu, &["wrist-1", "wrist-2"], 0).await;
    says(&anhu, "anhu/v1/wrist-1/status", "online");
    let list = |since: &str| {
        let arguments = ["devices", "silent", "--since", since, "--server", &anhu.http];
        let output = Command::new(binary()).args(arguments).output().expect("it runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let silent = list("24h");
    let wanted = "device,last_heard,elder,name,phone\nwrist-2,,elders/0,王桂英,0550-7000001\n";
    assert_eq!(silent, wanted);
    assert_eq!(list("2100-01-01T00:00:00Z").lines().count(), 3, "everybody is silent since then");
}
