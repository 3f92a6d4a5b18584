//! Testing: the front door without a socket, so that a test can put any bytes through it, in any pieces.
//!
//! For tests of this crate and of those above it; the server uses nothing of this.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    Intake, Limits,
    codec::{Codec, Decoded},
    door::Door,
    login,
    packet::{Connect, Incoming, Wish},
};

/// Serves one connection from its first byte to its last, as a listener would.
pub async fn serve<I: Intake, S: AsyncRead + AsyncWrite + Unpin + Send>(
    limits: Limits,
    intake: &I,
    stream: S,
) {
    let door = Door::new(limits);
    login::serve(&door, intake, stream, SocketAddr::from((Ipv4Addr::LOCALHOST, 1))).await;
}

/// The packets in bytes that come in pieces, in words, the first of them a CONNECT; and at the end what is wrong with
/// the bytes behind them, or nothing when more may follow.
///
/// The limits before and after the CONNECT hold as on a connection.
///
/// # Panics
///
/// When a packet is said to be incomplete and more than the longest packet is waiting, for then nothing would ever be
/// read again.
#[must_use]
pub fn read<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    limits: &Limits,
) -> (Vec<String>, Option<String>) {
    let mut codec = Codec::new(limits.max_packet_bytes_before_login);
    let (mut bytes, mut packets) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        bytes.extend_from_slice(piece);
        loop {
            match codec.decode(&mut bytes) {
                Ok(Decoded::Packet(packet)) => {
                    codec.allow(limits.max_packet_bytes);
                    packets.push(words(&packet));
                }
                Ok(Decoded::Missing(count)) => {
                    assert!(count > 0 && bytes.len() < limits.max_packet_bytes, "it waits for nothing");
                    break;
                }
                Err(fault) => return (packets, Some(format!("{fault:?}"))),
            }
        }
    }
    (packets, None)
}

fn words(packet: &Incoming) -> String {
    match packet {
        Incoming::Connect(connect) => connect_words(connect),
        Incoming::Publish(publish) => format!(
            "publish {:?} {:?} {:?} {} {} {}",
            publish.topic, publish.payload, publish.qos, publish.packet_id, publish.retain, publish.dup
        ),
        Incoming::PubAck(packet_id) => format!("puback {packet_id}"),
        Incoming::PubRel(packet_id) => format!("pubrel {packet_id}"),
        Incoming::Subscribe { packet_id, wishes } => format!("subscribe {packet_id} {}", wish_words(wishes)),
        Incoming::Unsubscribe { packet_id, filters } => format!("unsubscribe {packet_id} {filters:?}"),
        Incoming::Ping => "ping".to_owned(),
        Incoming::Disconnect { with_will } => format!("disconnect {with_will}"),
    }
}

fn connect_words(connect: &Connect) -> String {
    let will = connect.will.as_ref().map(|will| (&will.topic, &will.payload, will.qos, will.retain));
    format!(
        "connect {:?} {:?} clean {} keep-alive {} user {:?} password {:?} will {will:?} maximum {} {} session {} login {}",
        connect.version,
        connect.client_id,
        connect.clean_session,
        connect.keep_alive_s,
        connect.username,
        connect.password,
        connect.receive_maximum,
        connect.max_packet_bytes,
        connect.wants_session,
        connect.wants_extended_login
    )
}

fn wish_words(wishes: &[Wish]) -> String {
    let filters: Vec<(&Arc<str>, _, _)> =
        wishes.iter().map(|wish| (&wish.filter, wish.qos, wish.shared)).collect();
    format!("{filters:?}")
}
