//! Consoles and apps that read nothing: nobody else waits for them, and they do not fill the server's memory.

use std::{collections::BTreeMap, ops::Range};

use tests::{
    anhu::{Anhu, Watch, next_notice},
    mqtt::deliver,
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
