//! Target: a whole MQTT connection: what a device is told, whatever it sends.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use frontdoor::{Ack, Inbound, Intake, Limits, Login, Qos, Refusal, testing};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, duplex},
    time::{sleep, timeout},
};

use crate::{Target, bytes::Bytes, mqtt_packets};

pub(crate) const TARGET: Target =
    Target { name: "mqtt_connection", run, seeds, max_len: 4096, memory: 4 << 20 };

/// Longer than every wait of a connection together, in its own time, which does not pass by itself here.
const FOREVER: Duration = Duration::from_secs(1_000_000);

/// The first byte says how the server keeps messages, the second how long the pieces are; the rest is what comes.
fn run(data: &[u8]) {
    let mut data = Bytes(data);
    let keeping = data.byte();
    let step = usize::from(data.byte()).max(1);
    let sent = data.0;
    let limits = Limits {
        max_packet_bytes_before_login: 256,
        max_packet_bytes: 1024,
        max_topic_bytes: 64,
        in_flight: u16::from(keeping >> 4) + 1,
        max_subscriptions: 2,
        outgoing_queue: 2,
        ..Limits::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let store = Store { keeping: keeping & 3, kept: Mutex::default() };
    let answers = runtime.expect("a runtime").block_on(async {
        let (device, server) = duplex(64);
        let (mut reader, mut writer) = tokio::io::split(device);
        let write = async {
            for piece in sent.chunks(step) {
                if writer.write_all(piece).await.is_err() {
                    return;
                }
                tokio::task::yield_now().await;
            }
            let _ = writer.shutdown().await;
        };
        let mut answers = Vec::new();
        let read = async { reader.read_to_end(&mut answers).await.map(drop) };
        let all = async { tokio::join!(testing::serve(limits, &store, server), write, read) };
        let ended = timeout(FOREVER, all).await;
        ended.expect("every connection comes to an end").2.expect("memory does not fail");
        answers
    });
    check(&answers, sent, store.kept.into_inner().unwrap_or_else(PoisonError::into_inner).durable);
}

/// What the server has of the device.
#[derive(Default)]
struct Kept {
    /// Acknowledgements not given yet.
    waiting: Vec<Ack>,
    durable: usize,
}

struct Store {
    /// 0: at once; 1: three at a time, the latest first; 2: after a while; 3: the fifth is dropped.
    keeping: u8,
    kept: Mutex<Kept>,
}

impl Intake for Store {
    type Guest = ();

    fn admit(&self, _: Login<'_>) -> Result<(), Refusal> {
        Ok(())
    }

    fn may_publish(&self, (): &(), topic: &str) -> bool {
        !topic.contains("forbidden")
    }

    fn may_subscribe(&self, (): &(), filter: &str) -> bool {
        !filter.contains("forbidden")
    }

    async fn take(&self, (): &(), message: Inbound, ack: Ack) {
        assert!(!message.topic.is_empty() && message.topic.len() <= 64, "the topic is within its limit");
        assert!(!message.topic.contains(['+', '#', '\0']), "no wildcard is published to");
        assert!(message.payload.len() <= 1024);
        if self.keeping == 2 {
            sleep(Duration::from_secs(1)).await;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if message.qos == Qos::AtMostOnce || message.will {
            return;
        }
        if self.keeping == 3 && kept.durable == 4 {
            return;
        }
        kept.waiting.push(ack);
        if self.keeping != 1 || kept.waiting.len() == 3 {
            kept.durable += kept.waiting.len();
            kept.waiting.drain(..).rev().for_each(Ack::durable);
        }
    }
}

/// What the device was told is well-formed, begins with CONNACK, and acknowledges in order what was made durable.
fn check(answers: &[u8], sent: &[u8], durable: usize) {
    let answers = packets(answers).unwrap_or_else(|| panic!("half a packet is sent: {answers:x?}"));
    let kinds: Vec<u8> = answers.iter().map(|packet| packet[0] >> 4).collect();
    assert!(kinds.first().is_none_or(|first| *first == 2), "CONNACK comes first: {kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| **kind == 2).count(), kinds.len().min(1), "and once");
    let told: Vec<[u8; 2]> =
        answers.iter().filter(|packet| packet[0] == 0x40).map(|packet| [packet[2], packet[3]]).collect();
    let published: Vec<[u8; 2]> =
        packets(sent).unwrap_or_default().into_iter().filter_map(packet_id_at_qos_1).collect();
    if !published.is_empty() || !told.is_empty() {
        assert!(told.len() <= durable, "told before it was durable");
        // Half a packet at the end of what was sent leaves `published` empty: then only the count can be checked.
        assert!(
            packets(sent).is_none() || published.starts_with(&told),
            "out of order: {told:?} {published:?}"
        );
    }
}

/// The packets in `bytes`, by the lengths they say; `None` when the last is not complete.
fn packets(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (mut length, mut header) = (0, 1);
        loop {
            let byte = *bytes.get(header)?;
            length |= usize::from(byte & 0x7f) << (7 * (header - 1));
            header += 1;
            if byte & 0x80 == 0 {
                break;
            }
            if header > 4 {
                return None;
            }
        }
        found.push(bytes.get(..header + length)?);
        bytes = &bytes[header + length..];
    }
    Some(found)
}

fn packet_id_at_qos_1(packet: &[u8]) -> Option<[u8; 2]> {
    if packet[0] & 0xf6 != 0x32 {
        return None;
    }
    let header = 1 + packet[1..].iter().take_while(|byte| **byte & 0x80 != 0).count() + 1;
    let topic = usize::from(u16::from_be_bytes([*packet.get(header)?, *packet.get(header + 1)?]));
    Some([*packet.get(header + 2 + topic)?, *packet.get(header + 3 + topic)?])
}

fn seeds() -> Vec<Vec<u8>> {
    let ways = (0..).map(|way: usize| [(way % 4) as u8 | ((way % 3) as u8) << 4, 5]);
    ways.zip(mqtt_packets::conversations()).map(|(way, talk)| [&way, talk.as_slice()].concat()).collect()
}
