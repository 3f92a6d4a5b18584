//! Consoles and apps that read nothing: nobody else waits for them, they do not fill the server's memory, and those that
//! are not there any more are found out.

use std::{
    collections::BTreeMap,
    ops::Range,
    time::{Duration, Instant},
};

use tests::{
    anhu::{Anhu, Watch, next_notice},
    mqtt::deliver,
    proxy::Proxy,
    wait, world,
};
use tokio::task::JoinSet;
use tonic::transport::Channel;
use wire::v1::{
    self, incident_service_client::IncidentServiceClient, responder_service_client::ResponderServiceClient,
    watch_incidents_response::Change, watch_offers_response::Change as Notice,
};

/// Consoles that read nothing, and apps.
const DEAD: usize = 20;
/// What a client takes from the wire before anybody reads it, in bytes: as little as it can.
const WINDOW: u32 = 16 * 1024;
/// Elders, and how often each of them presses before anybody watches. A case has tens of KiB then, and is sent anew with each
/// press.
const ELDERS: usize = 200;
const PRESSES: usize = 50;
/// Most that memory may grow by. Half of it is what a socket takes; were each case kept as each console has found it, it would
/// be almost twice as much, and grow with every case.
const MAY_GROW_MIB: u64 = 80;

/// How long somebody who is not there any more may count as there.
const FOUND_OUT: Duration = Duration::from_secs(40);

/// A connection of which the client takes as little as it can.
async fn narrow(anhu: &Anhu) -> Channel {
    let endpoint = Channel::from_shared(anhu.http.clone()).expect("a URL").initial_stream_window_size(WINDOW);
    endpoint.connect().await.expect("a connection")
}

async fn dead_console(anhu: &Anhu) -> tonic::Streaming<v1::WatchIncidentsResponse> {
    let mut client = IncidentServiceClient::new(narrow(anhu).await);
    client.watch_incidents(v1::WatchIncidentsRequest::default()).await.expect("a stream").into_inner()
}

async fn dead_app(anhu: &Anhu, responder: &str) -> tonic::Streaming<v1::WatchOffersResponse> {
    let request = v1::WatchOffersRequest { responder: responder.to_owned() };
    let mut client = ResponderServiceClient::new(narrow(anhu).await);
    client.watch_offers(request).await.expect("a stream").into_inner()
}

/// Every elder makes the presses with these numbers; each is acknowledged.
async fn press(anhu: &Anhu, numbers: Range<usize>) {
    let mut all = JoinSet::new();
    for elder in 0..ELDERS {
        let (port, device) = (anhu.mqtt_port, device(elder));
        let press = |number| {
            (format!("anhu/v1/{device}/alert"), format!(r#"{{"kind":"sos","id":"{elder}-{number}"}}"#))
        };
        let presses: Vec<_> = numbers.clone().map(press).collect();
        all.spawn(async move { deliver(port, &device, &presses, PRESSES).await });
    }
    tokio::time::timeout(wait::PATIENCE, all.join_all()).await.expect("everything is acknowledged");
}

fn device(elder: usize) -> String {
    format!("wrist-{elder}")
}

/// Reads until each elder is shown to have pressed so often.
async fn sees(console: &mut Watch, presses: usize) {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    while seen.values().filter(|count| **count >= presses as u32).count() < ELDERS {
        if let Change::Incident(incident) = console.next().await {
            seen.insert(incident.name, incident.alert_count);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn consoles_that_read_nothing_hold_nobody_up_and_do_not_fill_the_memory() {
    let anhu = Anhu::start().await;
    let world = world::build(&anhu, &[], 3).await;
    world::settle(&anhu, (0..ELDERS).map(|elder| (device(elder), world::HOME))).await;
    let mut app = anhu.watch_offers(&world.responders[0]).await;
    press(&anhu, 0..PRESSES).await;
    let Notice::Offer(offer) = next_notice(&mut app).await else { panic!("an offer comes first") };
    assert_eq!(offer.state(), v1::OfferState::Sent);
    let mut console = anhu.watch().await;
    let before = anhu.resident_mib();

    let (mut dead, mut dead_apps) = (Vec::new(), Vec::new());
    for number in 0..DEAD {
        // Each finds every case as no other has found it.
        dead.push(dead_console(&anhu).await);
        dead_apps.push(dead_app(&anhu, &world.responders[number % world.responders.len()]).await);
        let pressed = PRESSES + number;
        tokio::join!(press(&anhu, pressed..pressed + 1), sees(&mut console, pressed + 1));
    }
    let grown = anhu.resident_mib().saturating_sub(before);
    println!("{grown} MiB more");
    assert!(grown < MAY_GROW_MIB, "{before} MiB, and {grown} more");

    let mut late = Watch::of(dead.remove(0));
    sees(&mut late, PRESSES + DEAD).await;
}

/// How many streams of such watchers are open.
fn watching(anhu: &Anhu, who: &str) -> u32 {
    let (_, metrics) = anhu.get("/metrics");
    let name = format!("anhu_watchers{{who=\"{who}\"}} ");
    let count = metrics.lines().find_map(|line| line.strip_prefix(&name)).expect("it is counted");
    count.parse().expect("a number")
}

async fn counted(anhu: &Anhu, consoles: u32, apps: u32) {
    let all = || watching(anhu, "console") == consoles && watching(anhu, "responder") == apps;
    wait::until("those who watch are counted", async || all().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_and_an_app_on_a_dead_line_are_found_out_and_others_stay() {
    let anhu = Anhu::start().await;
    let world = world::build(&anhu, &[], 2).await;
    counted(&anhu, 0, 0).await;
    let port = anhu.http.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let proxy = Proxy::to(port).await;
    let line = Channel::from_shared(format!("http://127.0.0.1:{}", proxy.port)).expect("a URL");
    let line = line.connect().await.expect("a connection");
    let mut console = IncidentServiceClient::new(line.clone());
    let far = console.watch_incidents(v1::WatchIncidentsRequest::default()).await.expect("a stream");
    let request = v1::WatchOffersRequest { responder: world.responders[0].clone() };
    let app = ResponderServiceClient::new(line).watch_offers(request).await.expect("a stream");
    let _near = anhu.watch().await;
    let _near_app = anhu.watch_offers(&world.responders[1]).await;
    counted(&anhu, 2, 2).await;

    proxy.freeze();
    let frozen = Instant::now();
    counted(&anhu, 1, 1).await;
    println!("found out after {:.1} s", frozen.elapsed().as_secs_f64());
    assert!(frozen.elapsed() < FOUND_OUT);
    drop((far, app));
}
