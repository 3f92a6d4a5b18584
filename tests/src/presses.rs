//! Presses of many buttons, and the count of what became of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};

use crate::anhu::Anhu;

/// Publishes SOS of many devices at the front door and returns the alert ids that were acknowledged, until `count` are
/// or the connection breaks.
pub async fn press(port: u16, first: usize, count: usize) -> BTreeSet<String> {
    let mut options = MqttOptions::new(format!("presser-{first}"), "127.0.0.1", port);
    options.set_keep_alive(Duration::from_secs(30)).set_inflight(50);
    let (client, mut events) = AsyncClient::new(options, 16);
    let sender = tokio::spawn(async move {
        for number in first..first + count {
            let payload = format!(r#"{{"kind":"sos","id":"a-{number}"}}"#);
            let topic = format!("anhu/v1/device-{number}/alert");
            if client.publish(topic, QoS::AtLeastOnce, false, payload).await.is_err() {
                return;
            }
        }
    });
    // rumqttc numbers packets in order and reuses numbers, so the n-th acknowledgement is for the n-th message.
    let mut acked = BTreeSet::new();
    while acked.len() < count {
        match events.poll().await {
            Ok(Event::Incoming(Packet::PubAck(_))) => {
                acked.insert(format!("a-{}", first + acked.len()));
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    sender.abort();
    acked
}

/// How often each alert is shown, by its source's id.
pub async fn shown(anhu: &Anhu) -> BTreeMap<String, usize> {
    let mut shown = BTreeMap::new();
    for incident in anhu.all_incidents().await {
        let full = anhu.incident(&incident.name).await;
        for alert in full.alerts {
            *shown.entry(alert.source_id).or_default() += 1;
        }
    }
    shown
}

/// What is wrong with what is shown. It knows nothing of servers or disks, so anything that acknowledges can be judged.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Acknowledged and not shown.
    pub lost: BTreeSet<String>,
    /// Shown more than once.
    pub doubled: BTreeSet<String>,
}

/// Compares what was acknowledged with what is shown.
#[must_use]
pub fn judge(acked: &BTreeSet<String>, shown: &BTreeMap<String, usize>) -> Judgement {
    let lost = acked.iter().filter(|id| !shown.contains_key(*id)).cloned().collect();
    let doubled = shown.iter().filter(|(_, times)| **times > 1).map(|(id, _)| id.clone()).collect();
    Judgement { lost, doubled }
}

/// How long a press may wait for its acknowledgement.
const ACK_PATIENCE: Duration = Duration::from_secs(3);

/// Publishes one payload on a device's alert topic and says whether it was acknowledged.
pub async fn is_acknowledged(port: u16, device: &str, payload: Vec<u8>) -> bool {
    let mut options = MqttOptions::new(device, "127.0.0.1", port);
    options.set_max_packet_size(1 << 20, 1 << 20);
    let (client, mut events) = AsyncClient::new(options, 1);
    let sent = client.publish(format!("anhu/v1/{device}/alert"), QoS::AtLeastOnce, false, payload).await;
    sent.expect("there is room for one");
    let acknowledged = async {
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::PubAck(_))) => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    };
    tokio::time::timeout(ACK_PATIENCE, acknowledged).await.unwrap_or(false)
}
