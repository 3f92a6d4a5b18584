//! What do all connections share?

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use mqtt_proto::TopicName;
use tokio_util::sync::CancellationToken;

use crate::{
    Limits,
    acks::Everybody,
    clients::Clients,
    counters::{Counters, count},
    receipts::{Receipt, Tracked},
    subscriptions::Subscriptions,
};

/// What all connections share.
pub(crate) struct Door {
    pub(crate) limits: Limits,
    pub(crate) counters: Counters,
    pub(crate) clients: Clients,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) everybody: Arc<Everybody>,
    /// Cancelled when the server stops.
    pub(crate) shutdown: CancellationToken,
    next_id: AtomicU64,
}

impl Door {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            everybody: Arc::new(Everybody::new(&limits)),
            limits,
            counters: Counters::default(),
            clients: Clients::default(),
            subscriptions: Subscriptions::default(),
            shutdown: CancellationToken::new(),
            next_id: AtomicU64::new(1),
        }
    }

    /// A number no other connection has.
    pub(crate) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// A client id for a device that brought none: not to be guessed, and another one each time.
    pub(crate) fn new_client_id(&self) -> String {
        let id = self.next_id();
        format!("anhu-{id}-{:016x}", RandomState::new().hash_one(id))
    }

    /// Queues a message for every connection that subscribed to `topic`, and wakes them.
    pub(crate) fn publish(&self, topic: &str, payload: &Bytes, tracked: Option<&Arc<Tracked>>) -> usize {
        let Ok(name) = TopicName::try_from(topic) else { return 0 };
        let subscribers = self.subscriptions.matching(topic);
        for subscriber in &subscribers {
            let (topic, payload, qos) = (name.clone(), payload.clone(), subscriber.qos);
            let receipt = Receipt { topic, payload, qos, tracked: tracked.cloned() };
            if subscriber.seat.outbox.push(receipt) {
                count(&self.counters.receipts_dropped);
            }
            count(&self.counters.receipts);
            subscriber.seat.line.wake.notify_one();
        }
        subscribers.len()
    }
}
