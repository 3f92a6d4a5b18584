//! The storm: everybody in a city presses at once. How many alerts a second go through the whole path, and are any lost?
//!
//! 100,000 homes press once each, as fast as they are taken; each press opens an incident, is matched to the nearest of
//! 100,000 free helpers, asked, timed and kept, and acknowledged after the flush. This program shares the machine with the
//! server, so a server alone takes more.
//!
//! `cargo build --release -p server && cargo bench -p benches --bench storm -- --homes 100000 --rounds 3`

use std::{
    env,
    time::{Duration, Instant},
};

use benches::{
    county::{self, County},
    usage,
};
use rumqttc::{AsyncClient, Event, MqttOptions, NetworkOptions, Packet, QoS};
use wire::v1::{self, incident_service_client::IncidentServiceClient};

/// Connections that share the homes: gateways and links of brokers.
const CONNECTIONS: u32 = 16;
const UNDER_WAY: u16 = 1_000;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = env::args().collect();
    let value = |name: &str, default: u32| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(default)
    };
    let (homes, rounds) = (value("--homes", 100_000), value("--rounds", 3));
    for round in 1..=rounds {
        let folder = county::data_folder();
        let county = County { responders: homes, near: homes, devices: homes };
        let (server, http, mqtt) = county::serve(folder.path());
        county.import(&http, folder.path());
        let channel = county::connect(&http).await;
        county.on_duty(channel.clone()).await;
        let (process, began) = (server.0.id(), Instant::now());
        let worked = usage::worked_seconds(process);
        let mut pressing = tokio::task::JoinSet::new();
        for connection in 0..CONNECTIONS {
            pressing.spawn(press(mqtt, connection, homes));
        }
        pressing.join_all().await;
        let took = began.elapsed();
        let worked = usage::worked_seconds(process) - worked;
        let (shown, offered) = found(channel).await;
        println!(
            "round {round}: {homes} alerts in {:.2} s, {:.0} a second; {shown} incidents, {offered} of them offered to \
             somebody; the server worked {:.1} s, {:.0} µs an alert; memory {} MiB",
            took.as_secs_f64(),
            f64::from(homes) / took.as_secs_f64(),
            worked,
            worked * 1e6 / f64::from(homes),
            usage::resident_mib(process)
        );
        assert_eq!((shown, offered), (homes, homes), "each is an incident, and somebody is asked");
    }
}

/// Presses each home of this connection once, and returns when all are acknowledged.
async fn press(port: u16, connection: u32, homes: u32) {
    let mut options = MqttOptions::new(format!("gateway-{connection}"), "127.0.0.1", port);
    options.set_inflight(UNDER_WAY);
    let (client, mut events) = AsyncClient::new(options, UNDER_WAY.into());
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    events.set_network_options(network);
    let mine = (connection..homes).step_by(CONNECTIONS as usize);
    let mut left = mine.len();
    let publishing = async {
        for home in mine {
            let topic = format!("anhu/v1/{}/alert", benches::load::device(home));
            let sent = client.publish(topic, QoS::AtLeastOnce, false, r#"{"kind":"sos","id":"1"}"#).await;
            sent.expect("a connection");
        }
    };
    let counting = async {
        while left > 0 {
            match tokio::time::timeout(Duration::from_secs(60), events.poll()).await.expect("an event") {
                Ok(Event::Incoming(Packet::PubAck(_))) => left -= 1,
                Ok(_) => {}
                Err(error) => panic!("connection {connection}: {error}"),
            }
        }
    };
    tokio::join!(publishing, counting);
}

/// How many incidents there are, and of how many somebody was asked to go.
async fn found(channel: tonic::transport::Channel) -> (u32, u32) {
    let mut client = IncidentServiceClient::new(channel).max_decoding_message_size(64 << 20);
    let (mut shown, mut offered, mut page_token) = (0, 0, String::new());
    loop {
        let request = v1::ListIncidentsRequest { page_size: 1000, page_token, ..Default::default() };
        let page = client.list_incidents(request).await.expect("a page").into_inner();
        shown += page.incidents.len() as u32;
        offered += page.incidents.iter().filter(|one| one.first_offer_at.is_some()).count() as u32;
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return (shown, offered);
        }
    }
}
