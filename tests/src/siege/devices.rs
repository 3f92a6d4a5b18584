//! Devices: press, and send again whatever was not acknowledged.
//!
//! They speak just as much MQTT 3.1.1 as it takes, in code of their own, so that no mistake of a library can hide one of
//! the server.

use std::{collections::VecDeque, sync::atomic::Ordering, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::Field;

/// Buttons behind each gateway.
pub(super) const BUTTONS: usize = 40;
/// Presses a gateway has under way at once.
const IN_FLIGHT: usize = 4;
/// Presses of one button at most: so many of one incident are shown to operators.
const MOST: usize = 50;
/// How long a gateway waits before it connects again.
const AGAIN: Duration = Duration::from_millis(20);

/// The id of a button behind a gateway.
pub(super) fn id(gateway: usize, button: usize) -> String {
    format!("siege-{gateway}-{button}")
}

/// Brings presses all the time until nobody wants any more alerts and all are acknowledged.
pub(super) async fn press(field: Field, number: usize) {
    let mut gateway = Gateway { number, pressed: 0, packet_id: 0, waiting: VecDeque::new() };
    while !field.is_over() {
        // An error means that the connection has broken: what waits is sent again on the next one.
        let _ = gateway.connection(&field).await;
        tokio::time::sleep(AGAIN).await;
    }
}

struct Gateway {
    number: usize,
    pressed: usize,
    packet_id: u16,
    /// Presses that nobody has acknowledged, with the packet they were sent in, oldest first.
    waiting: VecDeque<(u16, Press)>,
}

/// One press of one button.
#[derive(Clone)]
struct Press {
    device: String,
    alert: String,
}

impl Gateway {
    async fn connection(&mut self, field: &Field) -> std::io::Result<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", field.mqtt_port)).await?;
        stream.set_nodelay(true)?;
        stream.write_all(&connect(&format!("siege-{}", self.number))).await?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await?;
        assert_eq!((answer[0], answer[3]), (0x20, 0), "the front door lets a device in");
        for (packet_id, press) in &self.waiting {
            field.notes.resent();
            stream.write_all(&publish(press, *packet_id, true)).await?;
        }
        loop {
            while self.waiting.len() < IN_FLIGHT
                && self.pressed < MOST * BUTTONS
                && !field.no_more.load(Ordering::Relaxed)
            {
                let (packet_id, press) = self.press_once(field);
                stream.write_all(&publish(&press, packet_id, false)).await?;
            }
            if self.waiting.is_empty() {
                // Nothing is under way, and nothing more is wanted for now.
                tokio::time::sleep(AGAIN).await;
                if field.is_over() {
                    return Ok(());
                }
                continue;
            }
            stream.read_exact(&mut answer).await?;
            assert_eq!(answer[0], 0x40, "nothing but acknowledgements was asked for");
            let acked = u16::from_be_bytes([answer[2], answer[3]]);
            let (packet_id, press) = self.waiting.pop_front().expect("it answers what was sent");
            assert_eq!(acked, packet_id, "acknowledgements come in the order of the messages");
            field.notes.acknowledged(press.alert);
        }
    }

    fn press_once(&mut self, field: &Field) -> (u16, Press) {
        let device = id(self.number, self.pressed % BUTTONS);
        self.pressed += 1;
        self.packet_id = self.packet_id % 60_000 + 1;
        let press = Press { alert: format!("{device}-{}", self.pressed), device };
        // Counted before it is sent: it is raised from now on, whatever becomes of it.
        field.raised.fetch_add(1, Ordering::Relaxed);
        self.waiting.push_back((self.packet_id, press.clone()));
        (self.packet_id, press)
    }
}

fn connect(client_id: &str) -> Vec<u8> {
    // Protocol name and level, a clean session, sixty seconds of keep-alive, and who it is.
    let mut rest = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60];
    text(&mut rest, client_id);
    packet(0x10, &rest)
}

fn publish(Press { device, alert }: &Press, packet_id: u16, again: bool) -> Vec<u8> {
    let mut rest = Vec::new();
    text(&mut rest, &format!("anhu/v1/{device}/alert"));
    rest.extend(packet_id.to_be_bytes());
    rest.extend(format!(r#"{{"kind":"sos","id":"{alert}"}}"#).into_bytes());
    packet(if again { 0x3A } else { 0x32 }, &rest)
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u16).to_be_bytes());
    bytes.extend(text.as_bytes());
}

fn packet(kind: u8, rest: &[u8]) -> Vec<u8> {
    assert!(rest.len() < 128 * 128, "two bytes tell the length");
    let mut bytes = vec![kind];
    if rest.len() < 128 {
        bytes.push(rest.len() as u8);
    } else {
        bytes.extend([(rest.len() % 128) as u8 | 0x80, (rest.len() / 128) as u8]);
    }
    bytes.extend(rest);
    bytes
}
