//! Devices: press, and send again whatever was not acknowledged.

use std::{collections::VecDeque, sync::atomic::Ordering, time::Duration};

use super::Field;
use crate::mqtt::Line;

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

impl Press {
    async fn send(&self, line: &mut Line, packet_id: u16, again: bool) -> std::io::Result<()> {
        let Self { device, alert } = self;
        let payload = format!(r#"{{"kind":"sos","id":"{alert}"}}"#);
        line.publish(packet_id, &format!("anhu/v1/{device}/alert"), &payload, again).await
    }
}

impl Gateway {
    async fn connection(&mut self, field: &Field) -> std::io::Result<()> {
        let mut line = Line::open(field.mqtt_port, &format!("siege-{}", self.number)).await?;
        for (packet_id, press) in &self.waiting {
            field.notes.resent();
            press.send(&mut line, *packet_id, true).await?;
        }
        loop {
            while self.waiting.len() < IN_FLIGHT
                && self.pressed < MOST * BUTTONS
                && !field.no_more.load(Ordering::Relaxed)
            {
                let (packet_id, press) = self.press_once(field);
                press.send(&mut line, packet_id, false).await?;
            }
            if self.waiting.is_empty() {
                // Nothing is under way, and nothing more is wanted for now.
                tokio::time::sleep(AGAIN).await;
                if field.is_over() {
                    return Ok(());
                }
                continue;
            }
            let acked = line.acknowledged().await?;
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
