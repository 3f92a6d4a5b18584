//! How do our packets look in MQTT 5?

use bytes::BytesMut;
use mqtt_proto::{
    Pid, Protocol, QosPid,
    v5::{
        self, ConnackProperties, ConnectReasonCode, DisconnectReasonCode, ErrorV5, Header, Packet,
        PacketType, PubackReasonCode, PubcompReasonCode, PubrecReasonCode, SubscribeReasonCode,
        UnsubscribeReasonCode,
    },
};

use super::{fault, qos, v4::pid};
use crate::{
    Qos,
    packet::{
        Connect, Fault, Grant, Incoming, Outgoing, Publish, Reason, Verdict, Version, Welcome, Will, Wish,
    },
};

/// Reads the body of a CONNECT after its protocol name and level.
pub(super) fn connect(first: u8, body: &[u8], at: &mut usize) -> Result<Connect, Fault> {
    let header = header(first, body)?;
    let connect =
        v5::Connect::decode_buffer_with_protocol(body, at, header, Protocol::V500).map_err(broken)?;
    let told = connect.properties;
    if told.receive_max == Some(0) || told.max_packet_size == Some(0) {
        return Err(Fault::Protocol);
    }
    Ok(Connect {
        version: Version::V5,
        client_id: connect.client_id,
        clean_session: connect.clean_start,
        keep_alive_s: connect.keep_alive,
        username: connect.username,
        password: connect.password,
        will: connect.last_will.map(|will| Will {
            topic: will.topic_name.to_string(),
            payload: will.payload,
            qos: qos(will.qos),
            retain: will.retain,
        }),
        receive_maximum: told.receive_max.unwrap_or(u16::MAX),
        max_packet_bytes: told.max_packet_size.unwrap_or(u32::MAX),
        wants_session: told.session_expiry_interval.is_some_and(|seconds| seconds > 0),
        wants_extended_login: told.auth_method.is_some() || told.auth_data.is_some(),
    })
}

/// Reads a packet after CONNECT.
pub(super) fn decode(first: u8, body: &[u8]) -> Result<Incoming, Fault> {
    let header = header(first, body)?;
    let mut at = 0;
    let packet = read(header, body, &mut at)?;
    if at == body.len() { Ok(packet) } else { Err(Fault::Malformed) }
}

fn header(first: u8, body: &[u8]) -> Result<Header, Fault> {
    let length = u32::try_from(body.len()).map_err(|_| Fault::TooLarge)?;
    Header::new_with(first, length, length).map_err(broken)
}

fn read(header: Header, body: &[u8], at: &mut usize) -> Result<Incoming, Fault> {
    match header.typ {
        PacketType::Publish => publish(v5::Publish::decode(body, at, header).map_err(broken)?),
        PacketType::Puback => {
            let packet = v5::Puback::decode(body, at, header).map_err(broken)?;
            Ok(Incoming::PubAck(packet.pid.value()))
        }
        PacketType::Pubrel => {
            let packet = v5::Pubrel::decode(body, at, header).map_err(broken)?;
            Ok(Incoming::PubRel(packet.pid.value()))
        }
        PacketType::Subscribe => subscribe(&v5::Subscribe::decode(body, at, header).map_err(broken)?),
        PacketType::Unsubscribe => {
            let packet = v5::Unsubscribe::decode(body, at, header).map_err(broken)?;
            if packet.topics.is_empty() {
                return Err(Fault::Protocol);
            }
            let filters = packet.topics.iter().map(|filter| (**filter).into()).collect();
            Ok(Incoming::Unsubscribe { packet_id: packet.pid.value(), filters })
        }
        PacketType::Pingreq => Ok(Incoming::Ping),
        PacketType::Disconnect => {
            let packet = v5::Disconnect::decode(body, at, header).map_err(broken)?;
            let with_will = packet.reason_code != DisconnectReasonCode::NormalDisconnect;
            Ok(Incoming::Disconnect { with_will })
        }
        PacketType::Connect
        | PacketType::Connack
        | PacketType::Pubrec
        | PacketType::Pubcomp
        | PacketType::Suback
        | PacketType::Unsuback
        | PacketType::Pingresp
        | PacketType::Auth => Err(Fault::Protocol),
    }
}

fn publish(packet: v5::Publish) -> Result<Incoming, Fault> {
    if packet.properties.topic_alias.is_some() {
        return Err(Fault::TopicAlias);
    }
    if packet.properties.subscription_id.is_some() {
        return Err(Fault::Protocol);
    }
    Ok(Incoming::Publish(Publish {
        topic: packet.topic_name.to_string(),
        qos: qos(packet.qos_pid.qos()),
        packet_id: packet.qos_pid.pid().map_or(0, Pid::value),
        retain: packet.retain,
        dup: packet.dup,
        payload: packet.payload,
    }))
}

fn subscribe(packet: &v5::Subscribe) -> Result<Incoming, Fault> {
    if packet.properties.subscription_id.is_some() {
        return Err(Fault::SubscriptionId);
    }
    let wish = |(filter, options): &(mqtt_proto::TopicFilter, v5::SubscriptionOptions)| Wish {
        filter: (**filter).into(),
        qos: qos(options.max_qos),
        shared: filter.is_shared(),
    };
    Ok(Incoming::Subscribe {
        packet_id: packet.pid.value(),
        wishes: packet.topics.iter().map(wish).collect(),
    })
}

fn broken(error: ErrorV5) -> Fault {
    match error {
        ErrorV5::Common(error) => fault(&error),
        ErrorV5::InvalidResponseTopic => Fault::TopicName,
        ErrorV5::DuplicatedProperty(_) | ErrorV5::InvalidByteProperty(..) => Fault::Protocol,
        ErrorV5::InvalidReasonCode(..)
        | ErrorV5::InvalidSubscriptionOption(_)
        | ErrorV5::InvalidPayloadFormat
        | ErrorV5::InvalidPropertyId(_)
        | ErrorV5::InvalidPropertyLength(_)
        | ErrorV5::InvalidProperty(..)
        | ErrorV5::InvalidWillProperty(_) => Fault::Malformed,
    }
}

/// Appends `packet` to `out`.
pub(super) fn encode(packet: &Outgoing, out: &mut BytesMut) {
    if let Ok(bytes) = translate(packet).encode() {
        out.extend_from_slice(bytes.as_ref());
    }
}

fn translate(packet: &Outgoing) -> Packet {
    match packet {
        Outgoing::ConnAck(verdict, welcome) => connack(*verdict, welcome),
        Outgoing::PubAck(id) => Packet::Puback(v5::Puback::new(pid(*id), PubackReasonCode::Success)),
        Outgoing::PubRec(id) => Packet::Pubrec(v5::Pubrec::new(pid(*id), PubrecReasonCode::Success)),
        Outgoing::PubComp(id, known) => {
            let code =
                if *known { PubcompReasonCode::Success } else { PubcompReasonCode::PacketIdentifierNotFound };
            Packet::Pubcomp(v5::Pubcomp::new(pid(*id), code))
        }
        Outgoing::Publish { topic, payload, packet_id } => {
            let qos_pid = packet_id.map_or(QosPid::Level0, |id| QosPid::Level1(pid(id)));
            Packet::Publish(v5::Publish::new(qos_pid, topic.clone(), payload.clone()))
        }
        Outgoing::SubAck { packet_id, grants } => {
            let codes = grants.iter().map(|grant| grant_code(*grant)).collect();
            Packet::Suback(v5::Suback::new(pid(*packet_id), codes))
        }
        Outgoing::UnsubAck { packet_id, existed } => {
            let codes = existed.iter().map(|existed| unsubscribe_code(*existed)).collect();
            Packet::Unsuback(v5::Unsuback::new(pid(*packet_id), codes))
        }
        Outgoing::Pong => Packet::Pingresp,
        Outgoing::Disconnect(reason) => Packet::Disconnect(v5::Disconnect::new(disconnect_code(*reason))),
    }
}

fn connack(verdict: Verdict, welcome: &Welcome) -> Packet {
    let properties = if verdict == Verdict::Accepted {
        ConnackProperties {
            session_expiry_interval: welcome.no_session.then_some(0),
            receive_max: Some(welcome.receive_maximum),
            max_packet_size: Some(welcome.max_packet_bytes),
            retain_available: Some(true),
            topic_alias_max: Some(0),
            wildcard_subscription_available: Some(true),
            subscription_id_available: Some(false),
            shared_subscription_available: Some(false),
            assigned_client_id: welcome.assigned_client_id.clone(),
            ..ConnackProperties::default()
        }
    } else {
        ConnackProperties::default()
    };
    Packet::Connack(v5::Connack { session_present: false, reason_code: connect_code(verdict), properties })
}

fn connect_code(verdict: Verdict) -> ConnectReasonCode {
    match verdict {
        Verdict::Accepted => ConnectReasonCode::Success,
        Verdict::Version => ConnectReasonCode::UnsupportedProtocolVersion,
        Verdict::ClientId => ConnectReasonCode::ClientIdentifierNotValid,
        Verdict::Credentials => ConnectReasonCode::BadUserNameOrPassword,
        Verdict::NotAuthorized => ConnectReasonCode::NotAuthorized,
        Verdict::Unavailable => ConnectReasonCode::ServerUnavailable,
        Verdict::Topic => ConnectReasonCode::TopicNameInvalid,
        Verdict::LoginMethod => ConnectReasonCode::BadAuthMethod,
        Verdict::Malformed => ConnectReasonCode::MalformedPacket,
    }
}

fn grant_code(grant: Grant) -> SubscribeReasonCode {
    match grant {
        Grant::Granted(Qos::AtMostOnce) => SubscribeReasonCode::GrantedQoS0,
        Grant::Granted(Qos::AtLeastOnce) => SubscribeReasonCode::GrantedQoS1,
        Grant::Granted(Qos::ExactlyOnce) => SubscribeReasonCode::GrantedQoS2,
        Grant::NotAuthorized => SubscribeReasonCode::NotAuthorized,
        Grant::Filter => SubscribeReasonCode::TopicFilterInvalid,
        Grant::Quota => SubscribeReasonCode::QuotaExceeded,
        Grant::Shared => SubscribeReasonCode::SharedSubscriptionNotSupported,
    }
}

fn unsubscribe_code(existed: bool) -> UnsubscribeReasonCode {
    if existed { UnsubscribeReasonCode::Success } else { UnsubscribeReasonCode::NoSubscriptionExisted }
}

fn disconnect_code(reason: Reason) -> DisconnectReasonCode {
    match reason {
        Reason::Unspecified => DisconnectReasonCode::UnspecifiedError,
        Reason::Malformed => DisconnectReasonCode::MalformedPacket,
        Reason::Protocol => DisconnectReasonCode::ProtocolError,
        Reason::NotAuthorized => DisconnectReasonCode::NotAuthorized,
        Reason::Busy => DisconnectReasonCode::ServerBusy,
        Reason::ShuttingDown => DisconnectReasonCode::ServerShuttingDown,
        Reason::KeepAlive => DisconnectReasonCode::KeepAliveTimeout,
        Reason::TakenOver => DisconnectReasonCode::SessionTakenOver,
        Reason::TopicFilter => DisconnectReasonCode::TopicFilterInvalid,
        Reason::TopicName => DisconnectReasonCode::TopicNameInvalid,
        Reason::ReceiveMaximum => DisconnectReasonCode::ReceiveMaximumExceeded,
        Reason::TopicAlias => DisconnectReasonCode::TopicAliasInvalid,
        Reason::TooLarge => DisconnectReasonCode::PacketTooLarge,
        Reason::SubscriptionId => DisconnectReasonCode::SubscriptionIdentifiersNotSupported,
    }
}
