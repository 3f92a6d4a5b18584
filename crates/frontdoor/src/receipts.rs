//! Which receipts wait for a device, and which has it not acknowledged yet?

use std::{
    collections::{BTreeMap, VecDeque, btree_map::Entry},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
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
    pub(crate) tracked: Option<Arc<Tracked>>,
}

/// Whoever wants to know what becomes of one message. The connections that are to send it share it: the first
/// acknowledgement counts, and when the last of them lets go of it without one, nobody has heard it.
pub(crate) struct Tracked {
    told: Box<dyn Fn(bool) + Send + Sync>,
    said: AtomicBool,
}

impl Tracked {
    pub(crate) fn new(told: impl Fn(bool) + Send + Sync + 'static) -> Self {
        Self { told: Box::new(told), said: AtomicBool::new(false) }
    }

    /// A device has it.
    pub(crate) fn heard(&self) {
        self.say(true);
    }

    fn say(&self, heard: bool) {
        if !self.said.swap(true, Ordering::AcqRel) {
            (self.told)(heard);
        }
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.say(false);
    }
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

/// The packet ids of receipts that were sent and not acknowledged, and who wants to know. Nothing is sent twice on one
/// connection, and nothing outlives it, so that is all there is to keep.
pub(crate) struct Unacked {
    ids: BTreeMap<u16, Option<Arc<Tracked>>>,
    last: u16,
    limit: usize,
}

impl Unacked {
    pub(crate) fn new(limit: u16) -> Self {
        Self { ids: BTreeMap::new(), last: 0, limit: usize::from(limit) }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.ids.len() >= self.limit
    }

    /// Takes a free packet id. Not to be called when [full](Self::is_full).
    pub(crate) fn next_id(&mut self, tracked: Option<Arc<Tracked>>) -> u16 {
        loop {
            self.last = self.last.checked_add(1).unwrap_or(1);
            if let Entry::Vacant(free) = self.ids.entry(self.last) {
                free.insert(tracked);
                return self.last;
            }
        }
    }

    /// Returns whether the id was one of ours, and tells whoever wants to know.
    pub(crate) fn acked(&mut self, packet_id: u16) -> bool {
        let Some(tracked) = self.ids.remove(&packet_id) else { return false };
        if let Some(tracked) = tracked {
            tracked.heard();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(text: &'static str) -> Receipt {
        let topic = TopicName::try_from("t").expect("valid");
        Receipt { topic, payload: Bytes::from_static(text.as_bytes()), qos: Qos::AtLeastOnce, tracked: None }
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
    fn whoever_asked_hears_once_whether_any_device_has_it() {
        let (tell, told) = std::sync::mpsc::channel();
        let track = || {
            let tell = tell.clone();
            Arc::new(Tracked::new(move |heard| tell.send(heard).expect("the test listens")))
        };
        let (both, mut unacked) = (track(), Unacked::new(9));
        let (first, second) = (unacked.next_id(Some(Arc::clone(&both))), unacked.next_id(Some(both)));
        assert!(unacked.acked(second) && unacked.acked(first));
        unacked.next_id(Some(track()));
        drop(unacked);
        assert_eq!(told.try_iter().collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn packet_ids_are_never_zero_and_never_in_use() {
        let mut unacked = Unacked::new(u16::MAX);
        unacked.last = u16::MAX - 1;
        assert_eq!(unacked.next_id(None), u16::MAX);
        assert_eq!(unacked.next_id(None), 1);
        unacked.last = u16::MAX - 1;
        assert_eq!(unacked.next_id(None), 2);
        assert!(unacked.acked(1) && !unacked.acked(1));
    }
}
