//! The load: presses that leave on time, and helpers who watch.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use rumqttc::{AsyncClient, MqttOptions, NetworkOptions, QoS};
use tokio::sync::mpsc;
use wire::v1;

/// MQTT connections that share the presses.
const CONNECTIONS: u32 = 4;
/// How long the last offers may take after the last press.
const PATIENCE: Duration = Duration::from_secs(10);

/// What one round has shown: latencies in microseconds, and presses without an offer.
pub(crate) struct Round {
    pub(crate) latencies: Histogram<u64>,
    pub(crate) lost: u64,
}

/// The device of press number `press`.
pub(crate) fn device(press: u32) -> String {
    format!("bench-{press:06}")
}

/// Publishes one press of each device at `rate` a second and returns when each should have left.
pub(crate) async fn press(port: u16, rate: u32, presses: u32) -> HashMap<String, Instant> {
    let mut clients = Vec::new();
    for connection in 0..CONNECTIONS {
        let mut options = MqttOptions::new(format!("presser-{connection}"), "127.0.0.1", port);
        options.set_inflight(1000);
        let (client, mut events) = AsyncClient::new(options, 1000);
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        events.set_network_options(network);
        tokio::spawn(async move { while events.poll().await.is_ok() {} });
        clients.push(client);
    }
    // A first message on each connection, so that connecting is not part of the first press.
    for client in &clients {
        let sent = client.publish("anhu/v1/bench-000000/status", QoS::AtLeastOnce, false, "online").await;
        sent.expect("a connection");
    }
    // What setting up has written goes to the disk now, not into the first presses.
    let synced = tokio::process::Command::new("sync").status().await.expect("sync runs");
    assert!(synced.success());
    let began = Instant::now();
    let mut due = HashMap::new();
    for press in 0..presses {
        let at = began + Duration::from_secs_f64(f64::from(press) / f64::from(rate));
        tokio::time::sleep_until(at.into()).await;
        let device = device(press);
        let topic = format!("anhu/v1/{device}/alert");
        let client = &clients[(press % CONNECTIONS) as usize];
        let sent = client.publish(topic, QoS::AtLeastOnce, false, r#"{"kind":"sos","id":"1"}"#).await;
        sent.expect("a connection");
        due.insert(device, at);
    }
    tokio::spawn(async move {
        // The connections stay open until the last acknowledgements have come.
        tokio::time::sleep(PATIENCE).await;
        drop(clients);
    });
    due
}

/// Collects the first offer of each incident, until `presses` have come or no more do.
pub(crate) async fn collect(
    mut offers: mpsc::UnboundedReceiver<(v1::OfferNotice, Instant)>,
    presses: u32,
    ends: Instant,
) -> HashMap<String, Instant> {
    let mut first = HashMap::with_capacity(presses as usize);
    while first.len() < presses as usize {
        match tokio::time::timeout_at((ends + PATIENCE).into(), offers.recv()).await {
            Ok(Some((offer, at))) => {
                first.entry(offer.incident).or_insert(at);
            }
            Ok(None) | Err(_) => break,
        }
    }
    first
}

/// Joins presses and offers; `device_of` says which device an incident is of.
pub(crate) fn evaluate(
    due: &HashMap<String, Instant>,
    offers: &HashMap<String, Instant>,
    device_of: &HashMap<String, String>,
) -> Round {
    let mut latencies = Histogram::new(3).expect("three digits");
    let mut answered = 0;
    for (incident, at) in offers {
        if let Some(pressed) = device_of.get(incident).and_then(|device| due.get(device)) {
            let micros = at.saturating_duration_since(*pressed).as_micros();
            latencies.record(u64::try_from(micros).unwrap_or(u64::MAX)).expect("within range");
            answered += 1;
        }
    }
    Round { latencies, lost: due.len() as u64 - answered }
}
