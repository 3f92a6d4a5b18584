//! What must the server provide, so that devices can be let in and their messages kept?

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;

use crate::Ack;

/// The server's side of the front door.
///
/// [`admit`](Self::admit), [`may_publish`](Self::may_publish), [`may_subscribe`](Self::may_subscribe) and
/// [`subscribed`](Self::subscribed) run on the threads that serve the sockets: they must not wait.
pub trait Intake: Send + Sync + 'static {
    /// Who a device is, as far as the server wants to know it again; kept as long as the device is connected.
    type Guest: Send + Sync;

    /// Lets a device in, or says why not.
    ///
    /// # Errors
    /// [`Refusal`], which the device is told.
    fn admit(&self, login: Login<'_>) -> Result<Self::Guest, Refusal>;

    /// Whether the device may publish to `topic`. If not, it is disconnected.
    fn may_publish(&self, guest: &Self::Guest, topic: &str) -> bool;

    /// Whether the device may subscribe to `filter`, which may hold the wildcards `+` and `#`.
    fn may_subscribe(&self, guest: &Self::Guest, filter: &str) -> bool;

    /// The device listens to `filter` from now on: what is published to it reaches the device, after the SUBACK.
    fn subscribed(&self, _client_id: &str, _filter: &str) {}

    /// Takes one message; `ack` is to be called when it is durable.
    ///
    /// Called in the order of the device's messages, one at a time for each connection. It waits while there is no
    /// room, and the socket is not read meanwhile. The future may be dropped before it is done, when the connection
    /// ends: then the message counts as not acknowledged, taken or not.
    fn take(&self, guest: &Self::Guest, message: Inbound, ack: Ack) -> impl Future<Output = ()> + Send;
}

/// What a device says of itself when it connects.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    /// Its id. When the device left it empty, the one we gave it.
    pub client_id: &'a str,
    /// The user name, if it sent one.
    pub username: Option<&'a str>,
    /// The password, if it sent one; any bytes.
    pub password: Option<&'a [u8]>,
    /// Where it connects from.
    pub peer: SocketAddr,
}

/// Why a device stays out, as far as it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The client id is not one of ours.
    ClientId,
    /// User name or password is wrong.
    Credentials,
    /// The device is known and may not connect.
    NotAuthorized,
    /// We cannot serve it now: it should try again later.
    Unavailable,
}

/// How surely a message is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Qos {
    /// 0: not acknowledged.
    AtMostOnce,
    /// 1: acknowledged; may come twice.
    AtLeastOnce,
    /// 2: acknowledged in two steps; comes once within a connection.
    ExactlyOnce,
}

/// One message of a device. It may be personal, so it has no `Debug` and cannot slip into a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Inbound {
    /// The connection's client id, which [`Intake::admit`] accepted.
    pub client_id: Arc<str>,
    /// The topic: not empty, without wildcards and NUL, within [`Limits::max_topic_bytes`](crate::Limits).
    pub topic: String,
    /// The bytes as they came.
    pub payload: Bytes,
    /// How surely the device wants it delivered.
    pub qos: Qos,
    /// The device asked to retain it: a state, not a live event.
    pub retain: bool,
    /// The device says that it may have sent this before.
    pub dup: bool,
    /// This is the last will of a connection that ended without a goodbye. Nobody waits for its acknowledgement.
    pub will: bool,
}
