//! What happened at the front door, in numbers?

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the start; only [`connections_now`](Self::connections_now) goes down again.
#[derive(Debug, Default)]
pub struct Counters {
    /// Open connections, those before login included.
    pub connections_now: AtomicU64,
    /// Connections accepted from the network.
    pub connections_total: AtomicU64,
    /// The operating system would not give us a connection, mostly for want of file descriptors.
    pub accept_errors: AtomicU64,
    /// Devices let in.
    pub logins: AtomicU64,
    /// Closed at once: too many connections.
    pub refused_full: AtomicU64,
    /// No CONNECT in time.
    pub refused_timeout: AtomicU64,
    /// A protocol version or login method we do not speak.
    pub refused_version: AtomicU64,
    /// A client id that is not ours, or none where one is needed.
    pub refused_client_id: AtomicU64,
    /// Wrong user name or password.
    pub refused_credentials: AtomicU64,
    /// May not connect, or may not leave such a last will.
    pub refused_not_authorized: AtomicU64,
    /// The server could not serve the device now.
    pub refused_unavailable: AtomicU64,
    /// Connections closed because the same client connected again.
    pub taken_over: AtomicU64,
    /// Messages handed to the server, last wills not included.
    pub publishes: AtomicU64,
    /// Messages sent again within a connection and not handed over twice (QoS 2).
    pub duplicates: AtomicU64,
    /// PUBACK and PUBREC sent.
    pub acks: AtomicU64,
    /// Connections closed because an acknowledgement was over the deadline.
    pub acks_late: AtomicU64,
    /// Connections closed because the server did not keep a message.
    pub acks_dropped: AtomicU64,
    /// Last wills handed to the server.
    pub wills: AtomicU64,
    /// Last wills the server had no room for within the deadline.
    pub wills_lost: AtomicU64,
    /// Connections closed over bytes that are not MQTT.
    pub malformed: AtomicU64,
    /// Connections closed over a packet that must not come, or not then.
    pub protocol_errors: AtomicU64,
    /// Connections closed over a packet longer than allowed.
    pub oversize: AtomicU64,
    /// Connections closed over a topic name or filter that is none.
    pub invalid_topics: AtomicU64,
    /// Connections closed over a publish to a topic of somebody else.
    pub publishes_refused: AtomicU64,
    /// Topic filters refused.
    pub subscriptions_refused: AtomicU64,
    /// Connections closed because nothing came for one and a half keep-alives.
    pub keep_alive_timeouts: AtomicU64,
    /// Connections cut because the device did not read.
    pub slow_readers: AtomicU64,
    /// Receipts queued, one for each connection.
    pub receipts: AtomicU64,
    /// Receipts dropped: queue full, or too long for the device.
    pub receipts_dropped: AtomicU64,
    /// Receipts the device acknowledged.
    pub receipts_acked: AtomicU64,
}

impl Counters {
    /// Every counter's name and value.
    #[must_use]
    pub fn all(&self) -> [(&'static str, u64); 30] {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            ("connections_now", get(&self.connections_now)),
            ("connections_total", get(&self.connections_total)),
            ("accept_errors", get(&self.accept_errors)),
            ("logins", get(&self.logins)),
            ("refused_full", get(&self.refused_full)),
            ("refused_timeout", get(&self.refused_timeout)),
            ("refused_version", get(&self.refused_version)),
            ("refused_client_id", get(&self.refused_client_id)),
            ("refused_credentials", get(&self.refused_credentials)),
            ("refused_not_authorized", get(&self.refused_not_authorized)),
            ("refused_unavailable", get(&self.refused_unavailable)),
            ("taken_over", get(&self.taken_over)),
            ("publishes", get(&self.publishes)),
            ("duplicates", get(&self.duplicates)),
            ("acks", get(&self.acks)),
            ("acks_late", get(&self.acks_late)),
            ("acks_dropped", get(&self.acks_dropped)),
            ("wills", get(&self.wills)),
            ("wills_lost", get(&self.wills_lost)),
            ("malformed", get(&self.malformed)),
            ("protocol_errors", get(&self.protocol_errors)),
            ("oversize", get(&self.oversize)),
            ("invalid_topics", get(&self.invalid_topics)),
            ("publishes_refused", get(&self.publishes_refused)),
            ("subscriptions_refused", get(&self.subscriptions_refused)),
            ("keep_alive_timeouts", get(&self.keep_alive_timeouts)),
            ("slow_readers", get(&self.slow_readers)),
            ("receipts", get(&self.receipts)),
            ("receipts_dropped", get(&self.receipts_dropped)),
            ("receipts_acked", get(&self.receipts_acked)),
        ]
    }
}

/// One more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
