//! Shelf: what is kept of the outbox in the state store, so that a restart goes on where it was.
//!
//! Only what is still waiting is kept, a second after it was made at the earliest: most deliveries are done by then and
//! never touch the disk. The mark says up to which record of the journal everything is either done or kept; a crash
//! repeats what was done since, under the same keys.
//!
//! Receipts are kept all together, seldom, with a mark of their own: many devices never listen, and thousands of presses a
//! second must not mean thousands of writes. A crash repeats the receipts of the last minute.

use std::{collections::BTreeSet, sync::Arc};

use model::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Change, Store, StoreError};

use super::{
    delivery::{Delivery, Key},
    receipts::Receipt,
};

/// The stream's name in the state store.
pub(crate) const STREAM: &str = "outbox";
const NOTIFICATIONS: &str = "outbox/notifications";
/// The snapshot of all receipts that wait.
pub(crate) const RECEIPTS: &str = "outbox/receipts";
/// The version of what is kept; what another one kept is left aside, loudly.
const VERSION: u8 = 1;

/// A delivery that waits, or is dead.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) delivery: Delivery,
    pub(crate) dead: Option<Dead>,
}

/// Why and when a delivery was given up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Dead {
    pub(crate) at: Timestamp,
    pub(crate) tries: u32,
    pub(crate) cause: String,
}

/// What was kept at the last start.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) applied: u64,
    /// Each with the name of its target.
    pub(crate) notifications: Vec<(String, Kept)>,
    /// Up to which record receipts are in `receipts` or done.
    pub(crate) receipts_applied: u64,
    pub(crate) receipts: Vec<(Arc<str>, Receipt)>,
}

/// Reads what was kept.
pub(crate) fn read(store: &Store) -> Result<Found, StoreError> {
    let mut found = Found { applied: store.applied(STREAM)?, ..Found::default() };
    let mut unreadable = 0;
    for record in store.table(NOTIFICATIONS).scan()? {
        let (key, value) = record?;
        let name = key.split(|byte| *byte == 0).next().unwrap_or_default();
        if let (Ok(name), Some(kept)) = (std::str::from_utf8(name), decode(&value)) {
            found.notifications.push((name.to_owned(), kept));
        } else {
            unreadable += 1;
        }
    }
    if let Some((applied, bytes)) = store.snapshot(RECEIPTS)? {
        found.receipts_applied = applied;
        let kept: Option<Vec<(String, Receipt)>> = decode(&bytes);
        unreadable += u64::from(kept.is_none());
        let kept = kept.unwrap_or_default().into_iter();
        found.receipts = kept.map(|(device, receipt)| (device.into(), receipt)).collect();
    }
    if unreadable > 0 {
        tracing::error!(
            unreadable,
            "what another version of the outbox kept is not told; ListIncidents shows what is open"
        );
    }
    Ok(found)
}

/// What is in the state store, so that only what changed is written.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    notifications: BTreeSet<(usize, Key)>,
}

impl Shelf {
    /// Notes what a restart found there.
    pub(crate) fn has(&mut self, target: usize, key: Key) {
        self.notifications.insert((target, key));
    }

    /// What to write so that the store holds `kept` for this key; nothing when it does.
    pub(crate) fn notification(
        &mut self,
        target: (usize, &str),
        key: Key,
        kept: Option<&Kept>,
    ) -> Option<Change> {
        let place = (target.0, key);
        match kept {
            Some(_) => drop(self.notifications.insert(place)),
            None if self.notifications.remove(&place) => {}
            None => return None,
        }
        Some(change(target.1, key, kept.map(encode)))
    }
}

/// All receipts that wait, as they are kept.
pub(crate) fn receipts(waiting: &[(&str, &Receipt)]) -> Vec<u8> {
    encode(waiting)
}

/// Removes what belongs to a target that is not configured any more.
pub(crate) fn forgotten(target: &str, key: Key) -> Change {
    change(target, key, None)
}

fn change(target: &str, key: Key, value: Option<Vec<u8>>) -> Change {
    let Key { sequence, index, place, at } = key;
    let mut bytes = target.as_bytes().to_vec();
    bytes.push(0);
    bytes.extend(sequence.to_be_bytes());
    bytes.extend(index.to_be_bytes());
    bytes.extend(place.to_be_bytes());
    bytes.extend(at.0.to_be_bytes());
    Change { table: NOTIFICATIONS.to_owned(), key: bytes, value }
}

fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    // Plain data of ours always has a form.
    bytes.extend(postcard::to_stdvec(value).unwrap_or_default());
    bytes
}

fn decode<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Option<T> {
    let (version, rest) = bytes.split_first()?;
    if *version != VERSION {
        return None;
    }
    postcard::from_bytes(rest).ok()
}
