//! Presence: when was each device last heard of, and what did it measure?
//!
//! It lives in memory, for signs of life come by the thousand. When each device was last heard is kept in the state store
//! every few minutes and at a stop, so that a restart still knows roughly whose home has been silent. That is a help for
//! people and never the truth: nothing is decided by it, and the next heartbeat mends what was lost.

use std::{sync::Arc, time::Duration};

use dashmap::DashMap;
use model::{Content, DeviceId, Millis, Reading, Signal, Timestamp};
use store::{Store, StoreError};
use views::Directory;

use crate::{metrics, node::Node};

/// The snapshot's name in the state store.
const SNAPSHOT: &str = "presence";
/// The version of what is kept, its first byte; what another one kept is left aside.
const VERSION: u8 = 1;
/// How often it is kept, if anything was heard: a crash forgets so much. Of 200,000 devices it takes about 4 MB.
const KEEP_EVERY: Duration = Duration::from_secs(300);
/// Devices looked up together, so that nobody waits long for the registry's records.
const AT_ONCE: usize = 1000;

/// The last news of every device in the registry.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    devices: DashMap<DeviceId, Seen>,
}

/// The last news of one device.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// When it last spoke for itself: that it is offline is what others say of it.
    pub(crate) heard_at: Option<Timestamp>,
    pub(crate) online: bool,
    pub(crate) battery_percent: Option<u8>,
    pub(crate) readings: Vec<Reading>,
}

/// A device, and the second since 1970 in which it was last heard.
type Kept = (DeviceId, i64);

impl Presence {
    /// Takes in the news. Devices that are not in the registry are not kept, so strangers cannot fill the memory.
    pub(crate) fn heard(&self, signal: &Signal, now: Timestamp, directory: &Directory) {
        if !directory.knows(&signal.device) {
            return;
        }
        let mut seen = self.devices.entry(signal.device.clone()).or_default();
        seen.online = !matches!(signal.content, Content::Heartbeat { online: false });
        if seen.online {
            seen.heard_at = Some(now);
        }
        seen.battery_percent = signal.battery_percent.or(seen.battery_percent);
        if let Content::Telemetry { readings } = &signal.content {
            seen.readings.clone_from(readings);
        }
    }

    /// The last news of `device`; of the time before the start only when it was heard.
    pub(crate) fn of(&self, device: &DeviceId) -> Option<Seen> {
        self.devices.get(device).map(|seen| seen.clone())
    }

    /// When `device` was last heard, if that is known.
    pub(crate) fn last_heard(&self, device: &DeviceId) -> Option<Timestamp> {
        self.devices.get(device).and_then(|seen| seen.heard_at)
    }

    /// How many devices are online.
    pub(crate) fn online(&self) -> usize {
        self.devices.iter().filter(|seen| seen.online).count()
    }

    /// What the last run kept, of the devices that are still in the registry. Without it the node starts all the same.
    pub(crate) fn recall(store: &Store, directory: &Directory, now: Timestamp) -> Self {
        let found = match store.snapshot(SNAPSHOT) {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "it cannot be read when devices were last heard");
                None
            }
        };
        let kept = found.and_then(|(_, bytes)| decode(&bytes)).unwrap_or_default();
        let presence = Self::default();
        for (device, second) in kept.into_iter().filter(|(device, _)| directory.knows(device)) {
            // Nobody was heard in times to come: the clock was set back since.
            let heard_at = (Timestamp(0) + Millis::from_seconds(second)).min(now);
            presence.devices.insert(device, Seen { heard_at: Some(heard_at), ..Seen::default() });
        }
        presence
    }

    fn kept(&self, device: DeviceId) -> Option<Kept> {
        let heard_at = self.last_heard(&device)?;
        Some((device, heard_at.0.div_euclid(1000)))
    }
}

/// Keeps it now and then until the server stops, and then once more.
pub(crate) async fn keep(node: Arc<Node>, store: Arc<Store>) {
    let mut before = None;
    loop {
        let stops = tokio::time::timeout(KEEP_EVERY, node.stop.cancelled()).await.is_ok();
        let (this, store) = (Arc::clone(&node), Arc::clone(&store));
        // Beside the threads of sockets: the store may be busy. A panic was told where it happened.
        let kept = tokio::task::spawn_blocking(move || keep_once(&this, &store, before));
        before = kept.await.unwrap_or_default();
        if stops {
            return;
        }
    }
}

/// Keeps it unless it is as it was `before`, and returns the hash by which that is known the next time.
fn keep_once(node: &Node, store: &Store, before: Option<blake3::Hash>) -> Option<blake3::Hash> {
    // What can wait is not written to a disk that refuses what cannot.
    if node.is_degraded() {
        return before;
    }
    let bytes = encode(&everybody(node));
    let hash = blake3::hash(&bytes);
    if before == Some(hash) {
        return before;
    }
    match write(store, bytes) {
        Ok(()) => Some(hash),
        Err(error) => {
            metrics::presence_not_kept(&error);
            before
        }
    }
}

/// Every device that was heard, by name.
fn everybody(node: &Node) -> Vec<Kept> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let ids: Vec<DeviceId> =
            node.registrar.records().devices(after).take(AT_ONCE).map(|device| device.id.clone()).collect();
        let Some(last) = ids.last() else { return all };
        after = Some(last.clone());
        all.extend(ids.into_iter().filter_map(|device| node.presence.kept(device)));
    }
}

fn write(store: &Store, bytes: Vec<u8>) -> Result<(), StoreError> {
    store.put_snapshot(SNAPSHOT, 0, bytes)?;
    store.flush()
}

fn encode(kept: &[Kept]) -> Vec<u8> {
    let extended = postcard::to_extend(kept, vec![VERSION]);
    // It cannot fail: nothing in it is without a form, and a vector takes all.
    extended.unwrap_or_default()
}

fn decode(bytes: &[u8]) -> Option<Vec<Kept>> {
    let (version, body) = bytes.split_first()?;
    if *version != VERSION {
        return None;
    }
    postcard::from_bytes(body).ok()
}

#[cfg(test)]
mod tests {
    use registry::{Device, Event};

    use super::*;

    const NOON: Timestamp = Timestamp(1_800_000_000_000);

    fn id(text: &str) -> DeviceId {
        DeviceId::new(text).expect("an id")
    }

    fn directory(devices: &[&str]) -> Directory {
        let directory = Directory::default();
        for device in devices {
            let device = Device { id: id(device), model: String::new(), org_unit: None };
            directory.fold(&Event::DeviceCreated(device));
        }
        directory
    }

    fn says(device: &str, online: bool) -> Signal {
        Signal::new(id(device), Content::Heartbeat { online })
    }

    #[test]
    fn that_a_device_is_offline_is_no_sign_of_life() {
        let (presence, directory) = (Presence::default(), directory(&["a", "b"]));
        presence.heard(&says("a", true), NOON, &directory);
        let later = NOON + Millis::from_seconds(60);
        presence.heard(&says("a", false), later, &directory);
        presence.heard(&says("b", false), later, &directory);
        presence.heard(&says("stranger", true), later, &directory);
        let heard = ["a", "b", "stranger"].map(|device| presence.last_heard(&id(device)));
        assert_eq!(heard, [Some(NOON), None, None]);
        assert_eq!(presence.online(), 0);
    }

    #[test]
    fn a_restart_after_a_crash_knows_what_was_kept_of_devices_that_are_still_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let (presence, known) = (Presence::default(), directory(&["a", "b", "gone"]));
        for device in ["a", "b", "gone"] {
            presence.heard(&says(device, true), NOON + Millis(999), &known);
        }
        let store = Store::open(folder.path()).expect("a store");
        let kept: Vec<Kept> =
            ["a", "b", "gone"].into_iter().filter_map(|device| presence.kept(id(device))).collect();
        write(&store, encode(&kept)).expect("kept");
        drop(store);

        let store = Store::open(folder.path()).expect("a store");
        let set_back = NOON + Millis::from_seconds(-60);
        for (now, wanted) in [(NOON + Millis::from_seconds(60), NOON), (set_back, set_back)] {
            let recalled = Presence::recall(&store, &directory(&["a", "b", "new"]), now);
            let heard = ["a", "b", "gone", "new"].map(|device| recalled.last_heard(&id(device)));
            assert_eq!(heard, [Some(wanted), Some(wanted), None, None]);
            assert_eq!(recalled.online(), 0, "nobody has said so since");
        }
    }

    #[test]
    fn what_another_version_kept_is_left_aside() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).expect("a store");
        let mut bytes = encode(&[(id("a"), 1)]);
        bytes[0] = VERSION + 1;
        for bytes in [Vec::new(), bytes, vec![VERSION, 0xff]] {
            write(&store, bytes).expect("kept");
            assert_eq!(Presence::recall(&store, &directory(&["a"]), NOON).last_heard(&id("a")), None);
        }
    }
}
