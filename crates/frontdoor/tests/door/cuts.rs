//! Is every message a device saw acknowledged also taken, wherever the connection is cut?

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use frontdoor::Limits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split},
    net::{TcpListener, TcpStream},
};

use crate::support::{Desk, Habit, Running, connect, publish, publish5, read_packet, soon};

const MESSAGES: u16 = 6;

/// Where a connection is cut: at the n-th packet, counted in both directions, before or after it passed.
#[derive(Debug, Clone, Copy)]
struct Cut {
    packet: usize,
    after: bool,
}

/// A link to `door` that cuts the first connection as `cut` says, and no other. Returns its address.
async fn cutting_proxy(door: SocketAddr, cut: Cut) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("port 0 is free");
    let addr = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let seen = Arc::new(AtomicUsize::new(0));
        let mut cuts = Some(cut);
        while let Ok((device, _)) = listener.accept().await {
            let server = TcpStream::connect(door).await.expect("the door is open");
            let cut = cuts.take();
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                let ((device_read, device_write), (server_read, server_write)) =
                    (split(device), split(server));
                // The first direction that is cut drops all four halves.
                tokio::select! {
                    () = forward(device_read, server_write, cut, &seen) => {}
                    () = forward(server_read, device_write, cut, &seen) => {}
                }
            });
        }
    });
    addr
}

async fn forward(
    mut from: ReadHalf<TcpStream>,
    mut to: WriteHalf<TcpStream>,
    cut: Option<Cut>,
    seen: &AtomicUsize,
) {
    while let Ok(packet) = read_packet(&mut from).await {
        let here = cut.filter(|cut| seen.fetch_add(1, Ordering::SeqCst) + 1 == cut.packet);
        if here.is_some_and(|cut| !cut.after) || to.write_all(&packet).await.is_err() || here.is_some() {
            return;
        }
    }
}

/// A device that sends everything again that was not acknowledged, on a new connection.
struct Device {
    level: u8,
    qos: u8,
    /// Messages not finished; `true`: PUBREC came, so only the release is owed.
    open: BTreeMap<u16, bool>,
}

impl Device {
    /// Publishes all, over as many connections as it takes. `acked` is told of each message when it is acknowledged.
    async fn deliver(&mut self, addr: SocketAddr, acked: &impl Fn(u16)) {
        while !self.open.is_empty() {
            let stream = TcpStream::connect(addr).await.expect("the proxy is there");
            // The link was cut: connect again.
            let _ = self.session(stream, acked).await;
        }
    }

    async fn session(&mut self, mut stream: TcpStream, acked: &impl Fn(u16)) -> std::io::Result<()> {
        stream.write_all(&connect(self.level, 2, 0, b"", "d1")).await?;
        read_packet(&mut stream).await?;
        // No session is kept: a message whose PUBREC came is durable, and its release is of no use any more.
        self.open.retain(|_, received| !*received);
        for packet_id in self.open.keys() {
            let make = if self.level == 5 { publish5 } else { publish };
            let payload = packet_id.to_string();
            stream.write_all(&make(0x30 | self.qos << 1, "t", *packet_id, payload.as_bytes())).await?;
        }
        while !self.open.is_empty() {
            let packet = read_packet(&mut stream).await?;
            let packet_id = u16::from_be_bytes([packet[2], packet[3]]);
            match packet[0] >> 4 {
                4 => {
                    acked(packet_id);
                    self.open.remove(&packet_id);
                }
                5 => {
                    acked(packet_id);
                    self.open.insert(packet_id, true);
                    stream.write_all(&[0x62, 2, packet[2], packet[3]]).await?;
                }
                7 => drop(self.open.remove(&packet_id)),
                other => panic!("unexpected packet {other}"),
            }
        }
        stream.write_all(&[0xe0, 0]).await?;
        let _ = stream.read_u8().await;
        Ok(())
    }
}

async fn every_cut(level: u8, qos: u8) {
    // CONNECT, CONNACK and DISCONNECT, and 2 or 4 packets for each message.
    let packets = 3 + usize::from(MESSAGES) * if qos == 2 { 4 } else { 2 };
    for cut in (1..=packets).flat_map(|packet| [false, true].map(|after| Cut { packet, after })) {
        let desk = Desk::new(Habit::DurableAtOnce);
        let running = Running::start(Limits::default(), &desk).await;
        let proxy = cutting_proxy(running.addr, cut).await;
        let mut device = Device { level, qos, open: (1..=MESSAGES).map(|id| (id, false)).collect() };
        let taken = |packet_id: u16| {
            let payload = packet_id.to_string();
            assert!(
                desk.taken().iter().any(|message| message.payload == payload),
                "{cut:?}: {packet_id} not taken"
            );
        };
        soon("everything to be acknowledged", device.deliver(proxy, &taken)).await;
        (1..=MESSAGES).for_each(taken);
    }
}

#[tokio::test]
async fn acked_means_taken_wherever_a_3_1_1_link_is_cut() {
    every_cut(4, 1).await;
    every_cut(4, 2).await;
}

#[tokio::test]
async fn acked_means_taken_wherever_a_v5_link_is_cut() {
    every_cut(5, 1).await;
    every_cut(5, 2).await;
}
