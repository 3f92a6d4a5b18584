//! Presence: when was each device last heard of, and what did it measure?

use dashmap::DashMap;
use model::{Content, DeviceId, Reading, Signal, Timestamp};
use views::Directory;

/// The last news of every device in the registry. Kept in memory only: the next heartbeat mends what a restart lost.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    devices: DashMap<DeviceId, Seen>,
}

/// The last news of one device.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) at: Timestamp,
    pub(crate) online: bool,
    pub(crate) battery_percent: Option<u8>,
    pub(crate) readings: Vec<Reading>,
}

impl Presence {
    /// Takes in the news. Devices that are not in the registry are not kept, so strangers cannot fill the memory.
    pub(crate) fn heard(&self, signal: &Signal, now: Timestamp, directory: &Directory) {
        if !directory.knows(&signal.device) {
            return;
        }
        let mut seen = self.devices.entry(signal.device.clone()).or_insert_with(|| Seen {
            at: now,
            online: true,
            battery_percent: None,
            readings: Vec::new(),
        });
        seen.at = now;
        seen.online = true;
        seen.battery_percent = signal.battery_percent.or(seen.battery_percent);
        match &signal.content {
            Content::Heartbeat { online } => seen.online = *online,
            Content::Telemetry { readings } => seen.readings.clone_from(readings),
            Content::Alert { .. } | Content::Restore { .. } | Content::Cancel => {}
        }
    }

    /// The last news of `device` since the start.
    pub(crate) fn of(&self, device: &DeviceId) -> Option<Seen> {
        self.devices.get(device).map(|seen| seen.clone())
    }

    /// How many devices are online.
    pub(crate) fn online(&self) -> usize {
        self.devices.iter().filter(|seen| seen.online).count()
    }
}
