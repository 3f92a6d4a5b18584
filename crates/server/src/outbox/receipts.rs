//! Receipts: what is each device to hear that it has not heard yet?
//!
//! A device is told the latest that is true of each of its incidents: that it was heard, that somebody comes, that it is
//! over. A device that is away is told when it comes back, if it is still so. Every receipt may come twice: a device
//! knows it by incident, alert and state.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use dispatch::{Event, IncidentEvent};
use model::{IncidentId, Millis, Timestamp};
use serde::{Deserialize, Serialize};
use wire::{time_from_wire, v1};

use super::telling::{is_closed, is_open, somebody_goes};

/// Receipts that may wait for all devices; then the oldest are dropped and counted: the alarm does not depend on them.
pub(crate) const MOST_WAITING: usize = 50_000;
/// How long after the end of an incident a device may still hear that it is over.
const NEWS_FOR: Millis = Millis::from_seconds(24 * 3600);

/// What a device can hear; later goes before earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Received,
    HelperOnTheWay,
    Closed,
}

/// One thing to tell one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) incident: IncidentId,
    /// The device's own id of its alert, if it gave one.
    pub(crate) alert_id: String,
    pub(crate) state: State,
    /// To which other brokers it went already, a bit for each.
    pub(crate) linked: u64,
    /// Of an event that the disk refused: it lives in memory only.
    pub(crate) degraded: bool,
}

impl Receipt {
    /// As the device reads it.
    pub(crate) fn payload(&self) -> Vec<u8> {
        let Self { incident, alert_id, state, .. } = self;
        serde_json::json!({ "alert_id": alert_id, "incident_id": incident.0, "state": state })
            .to_string()
            .into_bytes()
    }

    /// Says what is true by now rather than what was true then: it was read back, and the device may have heard more.
    pub(crate) fn come_to_now(&mut self, incident: &v1::Incident) {
        if self.state == State::Received && somebody_goes(incident) {
            self.state = State::HelperOnTheWay;
        }
    }

    /// Whether it is still so.
    pub(crate) fn stands(&self, incident: &v1::Incident, now: Timestamp) -> bool {
        match self.state {
            State::Received => is_open(incident),
            State::HelperOnTheWay => is_open(incident) && somebody_goes(incident),
            State::Closed => {
                let closed_at = incident.closed_at.as_ref().map(time_from_wire);
                is_closed(incident) && closed_at.is_some_and(|at| now - at < NEWS_FOR)
            }
        }
    }
}

/// What an event means for devices: who pressed just now hears that, and what follows is for everybody who pressed.
///
/// Nobody hears that we have what is not on stable storage: the device must send it again.
pub(crate) fn receipts(event: &Event, durable: bool, incident: &v1::Incident) -> Vec<(Arc<str>, Receipt)> {
    let Event::Incident { incident: id, event } = event else { return Vec::new() };
    let receipt = |alert_id: &str, state| Receipt {
        incident: *id,
        alert_id: alert_id.to_owned(),
        state,
        linked: 0,
        degraded: !durable,
    };
    let state = match event {
        IncidentEvent::AlertRaised(alert) => {
            let device = alert.device.as_ref().filter(|_| durable);
            let alert_id = alert.source_id.as_deref().unwrap_or_default();
            return device
                .map(|device| (device.as_str().into(), receipt(alert_id, State::Received)))
                .into_iter()
                .collect();
        }
        IncidentEvent::OfferAccepted { .. } => State::HelperOnTheWay,
        IncidentEvent::Closed { .. } => State::Closed,
        IncidentEvent::Opened(_)
        | IncidentEvent::PriorityRaised { .. }
        | IncidentEvent::Restored { .. }
        | IncidentEvent::TimersArmed { .. }
        | IncidentEvent::WaveSent(_)
        | IncidentEvent::OfferDelivered { .. }
        | IncidentEvent::OfferSeen { .. }
        | IncidentEvent::OfferEnded { .. }
        | IncidentEvent::AssignmentAdvanced { .. }
        | IncidentEvent::AssignmentAborted { .. }
        | IncidentEvent::Escalated { .. }
        | IncidentEvent::Acknowledged { .. }
        | IncidentEvent::SearchStopped { .. }
        | IncidentEvent::NoteAdded { .. }
        | IncidentEvent::Resolved { .. }
        | IncidentEvent::TakenOver { .. }
        | IncidentEvent::Triaged { .. }
        | IncidentEvent::HandedOver { .. }
        // The other one goes on, and its receipts go to these devices too.
        | IncidentEvent::Merged { .. }
        | IncidentEvent::Absorbed { .. }
        | IncidentEvent::Reopened { .. }
        // It closes by itself after a while, and until then it can be reopened.
        | IncidentEvent::Cancelled { .. }
        | IncidentEvent::SaidToBeWell { .. }
        | IncidentEvent::AssignmentDoubted { .. }
        | IncidentEvent::RespondersNeeded { .. } => return Vec::new(),
    };
    let mut told: Vec<(Arc<str>, Receipt)> = Vec::new();
    for alert in incident.alerts.iter().rev() {
        let Some(device) = alert.device.strip_prefix("devices/") else { continue };
        if told.iter().all(|(known, _)| **known != *device) {
            told.push((device.into(), receipt(&alert.source_id, state)));
        }
    }
    told
}

/// Everything devices have not acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    devices: HashMap<Arc<str>, Vec<Entry>>,
    /// By number, which rises with time.
    order: BTreeMap<u64, Arc<str>>,
    last: u64,
    /// Whether anything changed since they were last kept.
    changed: bool,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    receipt: Receipt,
    /// It was handed to a connection, of which nothing was heard yet.
    on_the_way: bool,
}

impl Receipts {
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// Notes that a device is to hear something. Of one incident only the latest is kept, and what comes later in an
    /// incident goes before what comes earlier. Returns how many had to go for it.
    pub(crate) fn push(&mut self, device: &Arc<str>, mut receipt: Receipt) -> usize {
        let entries = self.devices.entry(Arc::clone(device)).or_default();
        let before = entries.iter().position(|known| known.receipt.incident == receipt.incident);
        if let Some(place) = before {
            let known = entries.swap_remove(place);
            self.order.remove(&known.number);
            receipt.state = receipt.state.max(known.receipt.state);
        }
        self.last += 1;
        self.order.insert(self.last, Arc::clone(device));
        entries.push(Entry { number: self.last, receipt, on_the_way: false });
        self.changed = true;
        if self.order.len() <= MOST_WAITING {
            return 0;
        }
        let oldest = self.order.first_key_value().map(|(number, _)| *number);
        oldest.map_or(0, |number| usize::from(self.remove(number).is_some()))
    }

    /// Drops what does not stand any more of one device's receipts, and returns how many.
    pub(crate) fn stop(&mut self, device: &str, stands: impl Fn(&Receipt) -> bool) -> usize {
        let Some(entries) = self.devices.get(device) else { return 0 };
        let over = entries.iter().filter(|entry| !stands(&entry.receipt)).map(|entry| entry.number);
        let over: Vec<u64> = over.collect();
        over.into_iter().filter_map(|number| self.remove(number)).count()
    }

    /// What a device is to hear and is not on its way: from here on it is. Each with its number.
    pub(crate) fn send(&mut self, device: &str) -> Vec<(u64, Receipt)> {
        let Some(entries) = self.devices.get_mut(device) else { return Vec::new() };
        let waiting = entries.iter_mut().filter(|entry| !entry.on_the_way);
        let mut sent: Vec<(u64, Receipt)> = waiting
            .map(|entry| {
                entry.on_the_way = true;
                (entry.number, entry.receipt.clone())
            })
            .collect();
        sent.sort_by_key(|(number, _)| *number);
        sent
    }

    /// What became of one: the device has it, or it has not. Returns the device that was thought to be there and is not,
    /// or did not take it.
    pub(crate) fn settle(&mut self, number: u64, heard: bool) -> Option<Arc<str>> {
        if heard {
            self.remove(number);
            return None;
        }
        let entry = self.entry(number).filter(|entry| entry.on_the_way)?;
        entry.on_the_way = false;
        self.order.get(&number).cloned()
    }

    /// It went to these other brokers.
    pub(crate) fn linked(&mut self, number: u64, linked: u64) {
        if let Some(entry) = self.entry(number) {
            entry.receipt.linked = linked;
            self.changed = true;
        }
    }

    /// Every device that is to hear something.
    pub(crate) fn devices(&self) -> Vec<Arc<str>> {
        self.devices.keys().cloned().collect()
    }

    /// Whether anything changed since the last time.
    pub(crate) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Everything that waits and is of a durable event, the oldest first.
    pub(crate) fn all(&self) -> Vec<(&str, &Receipt)> {
        let of = |(number, device): (&u64, &Arc<str>)| {
            let (device, entries) = self.devices.get_key_value(device)?;
            let entry = entries.iter().find(|entry| entry.number == *number && !entry.receipt.degraded)?;
            Some((&**device, &entry.receipt))
        };
        self.order.iter().filter_map(of).collect()
    }

    fn entry(&mut self, number: u64) -> Option<&mut Entry> {
        let entries = self.devices.get_mut(self.order.get(&number)?)?;
        entries.iter_mut().find(|entry| entry.number == number)
    }

    fn remove(&mut self, number: u64) -> Option<Receipt> {
        let device = self.order.remove(&number)?;
        let entries = self.devices.get_mut(&device)?;
        let place = entries.iter().position(|entry| entry.number == number)?;
        let removed = entries.swap_remove(place);
        if entries.is_empty() {
            self.devices.remove(&device);
        }
        self.changed = true;
        Some(removed.receipt)
    }
}
