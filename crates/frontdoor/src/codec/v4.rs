//! How do our packets look in MQTT 3.1.1?

use bytes::{BufMut, BytesMut};
use mqtt_proto::{
    Pid, Protocol, QosPid,
    v3::{self, ConnectReturnCode, Header, Packet, PacketType},
};

use super::{fault, qos};
use crate::{
    Qos,
    packet::{Connect, Fault, Grant, Incoming, Outgoing, Publish, Verdict, Version, Will, Wish},
};

/// Reads the body of a CONNECT after its protocol name and level.
pub(super) fn connect(body: &[u8], at: &mut usize) -> Result<Connect, Fault> {
    let connect =
        v3::Connect::decode_buffer_with_protocol(body, at, Protocol::V311).map_err(|error| fault(&error))?;
    Ok(Connect {
        version: Version::V4,
        client_id: connect.client_id,
        clean_session: connect.clean_session,
        keep_alive_s: connect.keep_alive,
        username: connect.username,
        password: connect.password,
        will: connect.last_will.map(|will| Will {
            topic: will.topic_name.to_string(),
            payload: will.message,
            qos: qos(will.qos),
            retain: will.retain,
        }),
        receive_maximum: u16::MAX,
        max_packet_bytes: u32::MAX,
        wants_session: false,
        wants_extended_login: false,
    })
}

/// Reads a packet after CONNECT.
pub(super) fn decode(first: u8, body: &[u8]) -> Result<Incoming, Fault> {
    let length = u32::try_from(body.len()).map_err(|_| Fault::TooLarge)?;
    let header = Header::new_with(first, length, length).map_err(|error| fault(&error))?;
    let mut at = 0;
    let packet = read(header, body, &mut at)?;
    if at == body.len() { Ok(packet) } else { Err(Fault::Malformed) }
}

fn read(header: Header, body: &[u8], at: &mut usize) -> Result<Incoming, Fault> {
    let broken = |error| fault(&error);
    match header.typ {
        PacketType::Publish => v3::Publish::decode(body, at, header).map(publish).map_err(broken),
        PacketType::Puback => packet_id(body, at).map(Incoming::PubAck),
        PacketType::Pubrel => packet_id(body, at).map(Incoming::PubRel),
        PacketType::Subscribe => {
            v3::Subscribe::decode(body, at, header).map(|packet| subscribe(&packet)).map_err(broken)
        }
        PacketType::Unsubscribe => {
            let packet = v3::Unsubscribe::decode(body, at, header).map_err(broken)?;
            if packet.topics.is_empty() {
                return Err(Fault::Protocol);
            }
            let filters = packet.topics.iter().map(|filter| (**filter).into()).collect();
            Ok(Incoming::Unsubscribe { packet_id: packet.pid.value(), filters })
        }
        PacketType::Pingreq => Ok(Incoming::Ping),
        PacketType::Disconnect => Ok(Incoming::Disconnect { with_will: false }),
        PacketType::Connect
        | PacketType::Connack
        | PacketType::Pubrec
        | PacketType::Pubcomp
        | PacketType::Suback
        | PacketType::Unsuback
        | PacketType::Pingresp => Err(Fault::Protocol),
    }
}

fn publish(packet: v3::Publish) -> Incoming {
    Incoming::Publish(Publish {
        topic: packet.topic_name.to_string(),
        qos: qos(packet.qos_pid.qos()),
        packet_id: packet.qos_pid.pid().map_or(0, Pid::value),
        retain: packet.retain,
        dup: packet.dup,
        payload: packet.payload,
    })
}

fn subscribe(packet: &v3::Subscribe) -> Incoming {
    let wish = |(filter, wanted): &(mqtt_proto::TopicFilter, mqtt_proto::QoS)| Wish {
        filter: (**filter).into(),
        qos: qos(*wanted),
        shared: filter.is_shared(),
    };
    Incoming::Subscribe { packet_id: packet.pid.value(), wishes: packet.topics.iter().map(wish).collect() }
}

fn packet_id(body: &[u8], at: &mut usize) -> Result<u16, Fault> {
    let Some(bytes) = body.first_chunk::<2>() else { return Err(Fault::Malformed) };
    *at += bytes.len();
    match u16::from_be_bytes(*bytes) {
        0 => Err(Fault::Malformed),
        packet_id => Ok(packet_id),
    }
}

/// Appends `packet` to `out`.
pub(super) fn encode(packet: &Outgoing, out: &mut BytesMut) {
    if let Outgoing::SubAck { packet_id, grants } = packet {
        sub_ack(*packet_id, grants, out);
    } else if let Some(packet) = translate(packet)
        && let Ok(bytes) = packet.encode()
    {
        out.extend_from_slice(bytes.as_ref());
    }
}

/// Written here because mqtt-proto 0.4.0 sends a refused filter as 3, not as 0x80.
fn sub_ack(packet_id: u16, grants: &[Grant], out: &mut BytesMut) {
    out.put_u8(0x90);
    let mut length = size_of::<u16>() + grants.len();
    while length >= 0x80 {
        out.put_u8((length % 0x80) as u8 | 0x80);
        length /= 0x80;
    }
    out.put_u8(length as u8);
    out.put_u16(packet_id);
    out.extend(grants.iter().map(|grant| grant_code(*grant)));
}

/// `None`: 3.1.1 has no such packet, or it is not written here.
fn translate(packet: &Outgoing) -> Option<Packet> {
    let packet = match packet {
        Outgoing::ConnAck(verdict, _) => {
            Packet::Connack(v3::Connack { session_present: false, code: return_code(*verdict) })
        }
        Outgoing::PubAck(id) => Packet::Puback(pid(*id)),
        Outgoing::PubRec(id) => Packet::Pubrec(pid(*id)),
        Outgoing::PubComp(id, _) => Packet::Pubcomp(pid(*id)),
        Outgoing::Publish { topic, payload, packet_id } => {
            let qos_pid = packet_id.map_or(QosPid::Level0, |id| QosPid::Level1(pid(id)));
            Packet::Publish(v3::Publish::new(qos_pid, topic.clone(), payload.clone()))
        }
        Outgoing::SubAck { .. } | Outgoing::Disconnect(_) => return None,
        Outgoing::UnsubAck { packet_id, .. } => Packet::Unsuback(pid(*packet_id)),
        Outgoing::Pong => Packet::Pingresp,
    };
    Some(packet)
}

/// Packet ids are never 0 here: those of devices are checked, ours start at 1.
pub(super) fn pid(packet_id: u16) -> Pid {
    Pid::try_from(packet_id).unwrap_or_default()
}

fn return_code(verdict: Verdict) -> ConnectReturnCode {
    match verdict {
        Verdict::Accepted => ConnectReturnCode::Accepted,
        Verdict::Version => ConnectReturnCode::UnacceptableProtocolVersion,
        Verdict::ClientId => ConnectReturnCode::IdentifierRejected,
        Verdict::Credentials => ConnectReturnCode::BadUserNameOrPassword,
        Verdict::NotAuthorized | Verdict::Topic | Verdict::LoginMethod | Verdict::Malformed => {
            ConnectReturnCode::NotAuthorized
        }
        Verdict::Unavailable => ConnectReturnCode::ServerUnavailable,
    }
}

fn grant_code(grant: Grant) -> u8 {
    match grant {
        Grant::Granted(Qos::AtMostOnce) => 0,
        Grant::Granted(Qos::AtLeastOnce) => 1,
        Grant::Granted(Qos::ExactlyOnce) => 2,
        Grant::NotAuthorized | Grant::Filter | Grant::Quota | Grant::Shared => 0x80,
    }
}
