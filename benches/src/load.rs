//! The load: presses that leave on time, and helpers who watch.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use rumqttc::{AsyncClient, Event, MqttOptions, NetworkOptions, Packet, QoS};
use tokio::sync::mpsc;

/// MQTT connections that share the presses.
const CONNECTIONS: u32 = 4;
/// How long the last offers may take after the last press.
const PATIENCE: Duration = Duration::from_secs(10);

/// What one round has shown.
#[derive(Debug)]
pub struct Round {
    /// From when a press should have left to its first offer, in microseconds.
    pub latencies: Histogram<u64>,
    /// Presses without an offer.
    pub lost: u64,
    /// Presses that were acknowledged.
    pub acked: u64,
}

/// The device of press number `press`.
#[must_use]
pub fn device(press: u32) -> String {
    format!("bench-{press:06}")
}

/// What was pressed: when each press should have left, and which were acknowledged.
#[derive(Debug)]
pub struct Pressed {
    /// By device.
    pub due: HashMap<String, Instant>,
    lanes: Vec<Lane>,
}

/// One connection: what was published on it, and how many of these were acknowledged, which happens in order.
#[derive(Debug)]
struct Lane {
    client: AsyncClient,
    published: Vec<String>,
    acked: Arc<AtomicUsize>,
}

impl Pressed {
    /// The devices whose presses have been acknowledged by now.
    pub fn acked(&self) -> impl Iterator<Item = &String> {
        // The first acknowledgement of each connection was for the message that tried it.
        let acked = |lane: &Lane| lane.acked.load(Ordering::Relaxed).saturating_sub(1);
        self.lanes.iter().flat_map(move |lane| lane.published.iter().take(acked(lane)))
    }
}

impl Lane {
    async fn open(name: &str, port: u16) -> Self {
        let mut options = MqttOptions::new(name, "127.0.0.1", port);
        options.set_inflight(1000);
        let (client, mut events) = AsyncClient::new(options, 1000);
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        events.set_network_options(network);
        let acked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&acked);
        tokio::spawn(async move {
            while let Ok(event) = events.poll().await {
                if matches!(event, Event::Incoming(Packet::PubAck(_))) {
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        // A first message, so that connecting is not part of the first press.
        let sent = client.publish("anhu/v1/bench-000000/status", QoS::AtLeastOnce, false, "online").await;
        sent.expect("a connection");
        while acked.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Self { client, published: Vec::new(), acked }
    }
}

/// Publishes one press of each of these devices at `rate` a second, until all are or the server is gone.
///
/// # Panics
/// As [`ready`].
pub async fn press(port: u16, rate: u32, presses: Range<u32>) -> Pressed {
    let pressed = ready(port, presses.start).await;
    press_from(Instant::now(), pressed, rate, presses).await
}

/// Connected, and nothing pressed yet. `first` makes the names of the connections.
///
/// # Panics
/// When `sync` cannot be run.
pub async fn ready(port: u16, first: u32) -> Pressed {
    let mut lanes = Vec::new();
    for connection in 0..CONNECTIONS {
        lanes.push(Lane::open(&format!("presser-{connection}-{first}"), port).await);
    }
    // What setting up has written goes to the disk now, not into the first presses.
    let synced = tokio::process::Command::new("sync").status().await.expect("sync runs");
    assert!(synced.success());
    Pressed { due: HashMap::new(), lanes }
}

/// When press number `number` after `began` should leave.
#[must_use]
pub fn due(began: Instant, rate: u32, number: u32) -> Instant {
    began + Duration::from_secs_f64(f64::from(number) / f64::from(rate))
}

/// Publishes as [`press`] does; the first press leaves at `began`.
pub async fn press_from(began: Instant, mut pressed: Pressed, rate: u32, presses: Range<u32>) -> Pressed {
    for (number, press) in presses.enumerate() {
        let at = due(began, rate, number as u32);
        tokio::time::sleep_until(at.into()).await;
        let device = device(press);
        let topic = format!("anhu/v1/{device}/alert");
        let lane = &mut pressed.lanes[number % CONNECTIONS as usize];
        if lane.client.publish(topic, QoS::AtLeastOnce, false, r#"{"kind":"sos","id":"1"}"#).await.is_err() {
            break;
        }
        lane.published.push(device.clone());
        pressed.due.insert(device, at);
    }
    pressed
}

/// Collects the first offer of each incident, until `presses` have come or no more do.
pub async fn collect(
    offers: &mut mpsc::UnboundedReceiver<(String, Instant)>,
    presses: u32,
    ends: Instant,
) -> HashMap<String, Instant> {
    let mut first = HashMap::with_capacity(presses as usize);
    while first.len() < presses as usize {
        match tokio::time::timeout_at((ends + PATIENCE).into(), offers.recv()).await {
            Ok(Some((incident, at))) => {
                first.entry(incident).or_insert(at);
            }
            Ok(None) | Err(_) => break,
        }
    }
    first
}

/// Joins presses and offers; `device_of` says which device an incident is of.
#[must_use]
pub fn evaluate(
    pressed: &Pressed,
    offers: &HashMap<String, Instant>,
    device_of: &HashMap<String, String>,
) -> Round {
    let mut latencies = Histogram::new(3).expect("three digits");
    let mut answered = 0;
    for (incident, at) in offers {
        if let Some(due) = device_of.get(incident).and_then(|device| pressed.due.get(device)) {
            let micros = at.saturating_duration_since(*due).as_micros();
            latencies.record(u64::try_from(micros).unwrap_or(u64::MAX)).expect("within range");
            answered += 1;
        }
    }
    Round { latencies, lost: pressed.due.len() as u64 - answered, acked: pressed.acked().count() as u64 }
}
