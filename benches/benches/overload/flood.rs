//! Floods: connections that send as fast as they are taken.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use benches::load;
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, NetworkOptions, Packet, QoS};

/// Connections of a flood, and how much each has under way.
const CONNECTIONS: usize = 200;
const UNDER_WAY: u16 = 64;
/// Devices of the flood of everything; nobody knows them, so each has its case and no helper is bound by it.
pub(crate) const STRANGERS: usize = 5_000;
/// The device that sends a thousand alerts a second; nobody knows it.
const LOUD: &str = "loud";
/// Devices whose presses are sent again and again; nobody knows them either.
const FEW: usize = 8;
/// Elders whose devices send what is old. It waits for an operator, so no helper is bound by it.
pub(crate) const STALE: u32 = 5_000;
/// Cases that are opened before consoles come, and the alerts of each; nobody knows their devices.
pub(crate) const CASES: usize = 10_000;
const ALERTS: usize = 5;
/// How old that is.
const HOURS_AGO: u64 = 3;

/// What is poured.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Flood {
    /// Alerts and telemetry of many devices, many times what comes on a city's worst day.
    Everything,
    /// The same few presses, under the same ids.
    Duplicates,
    /// Alerts that occurred hours ago, each another one, of the elders from this number on.
    Stale(u32),
    /// A thousand alerts and as many readings a second, of one device on one connection.
    Loud,
}

/// One message: topic, how it is sent, and payload.
type Message = (String, QoS, String);

impl Flood {
    /// What a connection sends in this round of its own.
    fn messages(self, connection: usize, round: usize) -> Vec<Message> {
        let telemetry = |device: &str| {
            let reading = r#"{"readings":[{"name":"heart_rate","value":72,"unit":"bpm"}]}"#.to_owned();
            (format!("anhu/v1/{device}/telemetry"), QoS::AtMostOnce, reading)
        };
        let alert = |device: &str, payload| (format!("anhu/v1/{device}/alert"), QoS::AtLeastOnce, payload);
        match self {
            Self::Everything => {
                let device = format!("flood-{}", (connection + round) * 7919 % STRANGERS);
                vec![telemetry(&device), alert(&device, r#"{"kind":"smoke"}"#.to_owned())]
            }
            Self::Duplicates => {
                let device = format!("again-{}", (connection + round) % FEW);
                vec![alert(&device, r#"{"kind":"sos","id":"1"}"#.to_owned())]
            }
            Self::Stale(first) => {
                let device = load::device(first + ((connection + round) * 7919) as u32 % STALE);
                let now =
                    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64;
                let occurred_at = now - HOURS_AGO * 3_600_000;
                let payload =
                    format!(r#"{{"kind":"sos","id":"s-{connection}-{round}","occurred_at":{occurred_at}}}"#);
                vec![alert(&device, payload)]
            }
            Self::Loud => vec![telemetry(LOUD), alert(LOUD, r#"{"kind":"sos"}"#.to_owned())],
        }
    }

    /// Connections, and how long each takes for a round of messages; nothing when it sends as fast as it can.
    fn pace(self) -> (usize, Option<Duration>) {
        match self {
            Self::Everything | Self::Duplicates | Self::Stale(_) => (CONNECTIONS, None),
            Self::Loud => (1, Some(Duration::from_millis(1))),
        }
    }

    /// Pours until it is `over`, and returns how many alerts were acknowledged.
    pub(crate) async fn pour(self, port: u16, over: Arc<AtomicBool>) -> u64 {
        let acked = Arc::new(AtomicU64::new(0));
        let mut flood = tokio::task::JoinSet::new();
        for connection in 0..self.pace().0 {
            flood.spawn(self.connection(port, connection, Arc::clone(&acked)));
        }
        while !over.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        flood.shutdown().await;
        acked.load(Ordering::Relaxed)
    }

    async fn connection(self, port: u16, connection: usize, acked: Arc<AtomicU64>) {
        let (client, mut events) = line(&format!("flood-{connection}"), port);
        let pouring = async {
            let mut pace = self.pace().1.map(tokio::time::interval);
            for round in 0.. {
                if let Some(pace) = &mut pace {
                    pace.tick().await;
                }
                for (topic, qos, payload) in self.messages(connection, round) {
                    let _ = client.publish(topic, qos, false, payload).await;
                }
            }
        };
        let counting = async {
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Packet::PubAck(_))) => {
                        acked.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(_) => {}
                    // Connections that are closed because an acknowledgement is late come again, as devices do.
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        };
        tokio::join!(pouring, counting);
    }
}

fn line(name: &str, port: u16) -> (AsyncClient, EventLoop) {
    let mut options = MqttOptions::new(name, "127.0.0.1", port);
    options.set_inflight(UNDER_WAY);
    let (client, mut events) = AsyncClient::new(options, UNDER_WAY.into());
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    events.set_network_options(network);
    (client, events)
}

/// Opens so many cases of so many alerts, and waits until all are acknowledged.
pub(crate) async fn open_cases(port: u16) {
    let (client, mut events) = line("cases", port);
    let opening = async {
        for message in 0..CASES * ALERTS {
            let topic = format!("anhu/v1/case-{}/alert", message % CASES);
            client.publish(topic, QoS::AtLeastOnce, false, r#"{"kind":"smoke"}"#).await.expect("room");
        }
    };
    let counting = async {
        let mut acked = 0;
        while acked < CASES * ALERTS {
            let event = events.poll().await.expect("a connection");
            acked += usize::from(matches!(event, Event::Incoming(Packet::PubAck(_))));
        }
    };
    tokio::join!(opening, counting);
}
