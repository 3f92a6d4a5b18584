//! Which packets are there, whatever the version of the protocol?
//!
//! Connection logic speaks only these; `codec` translates them from and to 3.1.1 and 5.

use std::sync::Arc;

use bytes::Bytes;
use mqtt_proto::TopicName;

use crate::Qos;

/// The two versions we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// 3.1.1, level 4 on the wire.
    V4,
    /// 5.
    V5,
}

/// What a device may send.
pub(crate) enum Incoming {
    Connect(Box<Connect>),
    Publish(Publish),
    PubAck(u16),
    PubRel(u16),
    Subscribe { packet_id: u16, wishes: Vec<Wish> },
    Unsubscribe { packet_id: u16, filters: Vec<Arc<str>> },
    Ping,
    Disconnect { with_will: bool },
}

pub(crate) struct Connect {
    pub(crate) version: Version,
    pub(crate) client_id: Arc<str>,
    /// v5: Clean Start.
    pub(crate) clean_session: bool,
    pub(crate) keep_alive_s: u16,
    pub(crate) username: Option<Arc<str>>,
    pub(crate) password: Option<Bytes>,
    pub(crate) will: Option<Will>,
    /// Most unacknowledged publishes the device can take from us.
    pub(crate) receive_maximum: u16,
    /// Longest packet in bytes the device can take from us.
    pub(crate) max_packet_bytes: u32,
    /// The device asks that its session outlives the connection.
    pub(crate) wants_session: bool,
    /// The device wants the extended login of v5, which we do not have.
    pub(crate) wants_extended_login: bool,
}

#[derive(Clone)]
pub(crate) struct Will {
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
}

pub(crate) struct Publish {
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
    pub(crate) qos: Qos,
    /// 0 when the QoS is 0, and only then.
    pub(crate) packet_id: u16,
    pub(crate) retain: bool,
    pub(crate) dup: bool,
}

/// One filter of a SUBSCRIBE.
#[derive(Debug)]
pub(crate) struct Wish {
    pub(crate) filter: Arc<str>,
    pub(crate) qos: Qos,
    /// A shared subscription (`$share/…`).
    pub(crate) shared: bool,
}

/// What we may send.
pub(crate) enum Outgoing {
    ConnAck(Verdict, Box<Welcome>),
    PubAck(u16),
    PubRec(u16),
    /// Whether the packet id was one we had.
    PubComp(u16, bool),
    Publish {
        topic: TopicName,
        payload: Bytes,
        /// `None`: QoS 0.
        packet_id: Option<u16>,
    },
    SubAck {
        packet_id: u16,
        grants: Vec<Grant>,
    },
    UnsubAck {
        packet_id: u16,
        existed: Vec<bool>,
    },
    Pong,
    /// Only v5 has it; for 3.1.1 nothing is sent.
    Disconnect(Reason),
}

/// The answer to CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted,
    Version,
    ClientId,
    Credentials,
    NotAuthorized,
    Unavailable,
    Topic,
    LoginMethod,
    Malformed,
}

/// What an accepted v5 device is told of our limits.
#[derive(Debug, Default)]
pub(crate) struct Welcome {
    pub(crate) assigned_client_id: Option<Arc<str>>,
    pub(crate) receive_maximum: u16,
    pub(crate) max_packet_bytes: u32,
    /// Tell the device that its session ends with the connection.
    pub(crate) no_session: bool,
}

/// The answer to one [`Wish`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grant {
    Granted(Qos),
    NotAuthorized,
    Filter,
    Quota,
    Shared,
}

/// Why we close a v5 connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Unspecified,
    Malformed,
    Protocol,
    NotAuthorized,
    Busy,
    ShuttingDown,
    KeepAlive,
    TakenOver,
    TopicFilter,
    TopicName,
    ReceiveMaximum,
    TopicAlias,
    TooLarge,
    SubscriptionId,
}

/// Why bytes are not a packet we accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The bytes break the format.
    Malformed,
    /// A well-formed packet or property which a device must not send, or not now.
    Protocol,
    /// Longer than allowed.
    TooLarge,
    /// A protocol version we do not speak.
    Version,
    /// A topic with a wildcard or NUL, empty or too long.
    TopicName,
    /// A malformed topic filter.
    TopicFilter,
    /// A topic alias: we announced that we take none.
    TopicAlias,
    /// A subscription identifier: we announced that we take none.
    SubscriptionId,
}
