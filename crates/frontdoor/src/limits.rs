//! How much may one device, and all of them together, ask of us?

use std::time::Duration;

/// The limits of the front door. [`Limits::default`] suits one county on one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Most connections at once; a further one is closed before it is read. A device costs a few KiB and one file
    /// descriptor of the process.
    pub max_connections: usize,
    /// A connection that has not finished its CONNECT by then is closed.
    pub connect_timeout: Duration,
    /// Longest CONNECT in bytes, last will included: all that a stranger can make us hold.
    pub max_packet_bytes_before_login: usize,
    /// Longest packet in bytes, header included, of a device that is let in.
    pub max_packet_bytes: usize,
    /// Longest topic name or filter in bytes of UTF-8.
    pub max_topic_bytes: usize,
    /// Most publishes of one connection, QoS 0 among them, that are taken and not yet durable; then its socket is not read. Told to v5
    /// devices as Receive Maximum. At least 1.
    pub in_flight: u16,
    /// When all connections together have at least so many publishes under way, each gets only its share: then a few with
    /// deep windows do not put hundreds of messages before everybody else's next one.
    pub busy_from: usize,
    /// That share; whoever has less under way is read as ever. At least 1.
    pub in_flight_when_busy: u16,
    /// A connection whose oldest acknowledgement is later than this is closed, so that the device sends again. The
    /// same wait bounds a graceful end and the handing over of a last will.
    pub ack_deadline: Duration,
    /// Most topic filters one connection may have.
    pub max_subscriptions: usize,
    /// Most receipts waiting for one connection; then the oldest is dropped and counted.
    pub outgoing_queue: usize,
    /// A connection that accepts no byte from us for so long, while some wait, is cut.
    pub write_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 25_000,
            connect_timeout: Duration::from_secs(10),
            max_packet_bytes_before_login: 4 * 1024,
            max_packet_bytes: 256 * 1024,
            max_topic_bytes: 256,
            in_flight: 64,
            busy_from: 512,
            in_flight_when_busy: 8,
            ack_deadline: Duration::from_secs(5),
            max_subscriptions: 16,
            outgoing_queue: 64,
            write_timeout: Duration::from_secs(10),
        }
    }
}
