//! Which receipts wait for a device, and which has it not acknowledged yet?

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use mqtt_proto::TopicName;

use crate::Qos;

/// One message of the server to a device.
#[derive(Clone)]
pub(crate) struct Receipt {
    pub(crate) topic: TopicName,
    pub(crate) payload: Bytes,
    pub(crate) qos: Qos,
}

/// Receipts that wait for one connection: filled by any thread, emptied by the connection's task.
pub(crate) struct Outbox {
    waiting: Mutex<VecDeque<Receipt>>,
    /// Spares the task the lock; set under it.
    filled: AtomicBool,
    capacity: usize,
}

impl Outbox {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { waiting: Mutex::default(), filled: AtomicBool::new(false), capacity: capacity.max(1) }
    }

    /// Queues a receipt. Returns whether the oldest had to go for it.
    pub(crate) fn push(&self, receipt: Receipt) -> bool {
        let mut waiting = self.lock();
        let full = waiting.len() >= self.capacity;
        if full {
            waiting.pop_front();
        }
        waiting.push_back(receipt);
        self.filled.store(true, Ordering::Release);
        full
    }

    pub(crate) fn pop(&self) -> Option<Receipt> {
        if !self.filled.load(Ordering::Acquire) {
            return None;
        }
        let mut waiting = self.lock();
        let receipt = waiting.pop_front();
        self.filled.store(!waiting.is_empty(), Ordering::Release);
        receipt
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Receipt>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The packet ids of receipts that were sent and not acknowledged. Nothing is sent twice on one connection, and
/// nothing outlives it, so the ids are all there is to keep.
#[derive(Debug)]
pub(crate) struct Unacked {
    ids: BTreeSet<u16>,
    last: u16,
    limit: usize,
}

impl Unacked {
    pub(crate) fn new(limit: u16) -> Self {
        Self { ids: BTreeSet::new(), last: 0, limit: usize::from(limit) }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.ids.len() >= self.limit
    }

    /// Takes a free packet id. Not to be called when [full](Self::is_full).
    pub(crate) fn next_id(&mut self) -> u16 {
        loop {
            self.last = self.last.checked_add(1).unwrap_or(1);
            if self.ids.insert(self.last) {
                return self.last;
            }
        }
    }

    /// Returns whether the id was one of ours.
    pub(crate) fn acked(&mut self, packet_id: u16) -> bool {
        self.ids.remove(&packet_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(text: &'static str) -> Receipt {
        let topic = TopicName::try_from("t").expect("valid");
        Receipt { topic, payload: Bytes::from_static(text.as_bytes()), qos: Qos::AtLeastOnce }
    }

    #[test]
    fn a_full_outbox_drops_the_oldest() {
        let outbox = Outbox::new(2);
        assert!(!outbox.push(receipt("a")));
        assert!(!outbox.push(receipt("b")));
        assert!(outbox.push(receipt("c")));
        let left: Vec<_> = std::iter::from_fn(|| outbox.pop()).map(|receipt| receipt.payload).collect();
        assert_eq!(left, ["b", "c"]);
    }

    #[test]
    fn packet_ids_are_never_zero_and_never_in_use() {
        let mut unacked = Unacked::new(u16::MAX);
        unacked.last = u16::MAX - 1;
        assert_eq!(unacked.next_id(), u16::MAX);
        assert_eq!(unacked.next_id(), 1);
        unacked.last = u16::MAX - 1;
        assert_eq!(unacked.next_id(), 2);
        assert!(unacked.acked(1) && !unacked.acked(1));
    }
}
