//! Ingest: what a message means for the engine, wherever it came in.

use std::sync::Arc;

use devices::{Message, Refusal, Routes};
use dispatch::{Command, MessageKey, RaiseAlert, Subject};
use model::{Content, DeviceId, Kind, Signal};
use views::Directory;

use crate::{clock::Clock, metrics, presence::Presence, watchdog};

/// Bytes kept of a message nobody can read. What is longer was refused for its length, and its beginning tells enough.
const RAW_KEPT: usize = devices::MAX_PAYLOAD_BYTES;

/// Turns messages into commands.
pub(crate) struct Ingest {
    pub(crate) routes: Routes,
    pub(crate) directory: Arc<Directory>,
    pub(crate) presence: Arc<Presence>,
    pub(crate) clock: Clock,
}

/// One message as it came in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival<'a> {
    pub(crate) topic: &'a str,
    pub(crate) payload: &'a [u8],
    /// Replayed by a broker, or published to be.
    pub(crate) retained: bool,
    /// A broker may send it again as long as it keeps it.
    pub(crate) replayed: bool,
}

/// It was said for a device for which its sender may not speak.
#[derive(Debug)]
pub(crate) struct NotTheirs;

impl Ingest {
    /// Returns the commands that follow from a message; none when it holds telemetry or signs of life only.
    ///
    /// What nobody can read becomes a case for an operator, with its raw bytes.
    ///
    /// # Errors
    /// [`NotTheirs`] when it is said for a device for which, says `may`, its sender may not speak. Nothing of it counts.
    pub(crate) fn read(
        &self,
        arrival: Arrival<'_>,
        may: impl Fn(&DeviceId) -> bool,
    ) -> Result<Vec<Command>, NotTheirs> {
        if is_receipt(arrival.topic) {
            // Ours, come back from a broker whose filter takes everything.
            return Ok(Vec::new());
        }
        let message = Message { topic: arrival.topic, payload: arrival.payload };
        match self.routes.decode(&message) {
            Ok(signals) if !signals.iter().all(|signal| may(&signal.device)) => Err(NotTheirs),
            Ok(signals) => {
                Ok(signals.into_iter().filter_map(|signal| self.command_of(signal, arrival)).collect())
            }
            Err(refusal) if !refusal.device.as_ref().is_none_or(may) => Err(NotTheirs),
            Err(refusal) => Ok(vec![self.unreadable(refusal, arrival)]),
        }
    }

    /// Returns the command that follows from a signal, if any.
    pub(crate) fn command_of(&self, signal: Signal, arrival: Arrival<'_>) -> Option<Command> {
        metrics::signal(&signal.content);
        let now = self.clock.now();
        let occurred_at = signal.occurred_at.map(|theirs| self.clock.on_ours(theirs));
        if !arrival.retained {
            self.presence.heard(&signal, now, &self.directory);
        }
        let home = self.directory.home_of(&signal.device, self.clock.today());
        // Somebody may have named an elder's device so: the elder goes before.
        let own = home.is_none() && watchdog::is_own(&signal.device);
        let subject = match home {
            Some(home) => Subject::Elder(home.elder),
            None if own => Subject::Watchdog,
            None => Subject::Device(signal.device.clone()),
        };
        let (kind, detail) = match &signal.content {
            Content::Alert { kind, detail } => (*kind, detail.clone()),
            Content::Restore { kind } => {
                return Some(Command::Restore { subject, device: signal.device, kind: *kind });
            }
            // It was said about something that was over long ago.
            Content::Cancel if arrival.retained => {
                metrics::retained_cancel();
                return None;
            }
            Content::Cancel => {
                let key = key_of(&signal, "cancel", arrival);
                let (device, occurred_at) = (signal.device, occurred_at);
                return Some(Command::Cancel { subject, device, key, occurred_at });
            }
            Content::Telemetry { .. } | Content::Heartbeat { .. } => return None,
        };
        Some(Command::RaiseAlert(Box::new(RaiseAlert {
            subject,
            home: if own { watchdog::place() } else { home.and_then(|home| home.place) },
            org_unit: home.map(|home| home.org_unit),
            at_risk: home.is_some_and(|home| home.at_risk),
            key: key_of(&signal, kind.as_str(), arrival),
            device: Some(signal.device),
            kind,
            source_id: signal.source_id,
            topic: arrival.topic.to_owned(),
            device_time: occurred_at,
            received_at: now,
            place: signal.place,
            detail,
            raw: None,
            retained: arrival.retained,
            exercise: signal.test || own,
        })))
    }

    /// A message nobody could read may have been a call for help.
    pub(crate) fn unreadable(&self, refusal: Refusal, arrival: Arrival<'_>) -> Command {
        metrics::unreadable(&refusal);
        let home =
            refusal.device.as_ref().and_then(|device| self.directory.home_of(device, self.clock.today()));
        let subject = match (home, &refusal.device) {
            (Some(home), _) => Subject::Elder(home.elder),
            (None, Some(device)) => Subject::Device(device.clone()),
            (None, None) => Subject::Topic(arrival.topic.to_owned()),
        };
        Command::RaiseAlert(Box::new(RaiseAlert {
            subject,
            home: home.and_then(|home| home.place),
            org_unit: home.map(|home| home.org_unit),
            at_risk: false,
            key: None,
            device: refusal.device,
            kind: Kind::Unreadable,
            source_id: None,
            topic: arrival.topic.to_owned(),
            device_time: None,
            received_at: self.clock.now(),
            place: None,
            detail: refusal.reason.to_string(),
            raw: Some(arrival.payload[..arrival.payload.len().min(RAW_KEPT)].to_vec()),
            retained: arrival.retained,
            exercise: false,
        }))
    }
}

/// Whether this is a topic on which we answer devices.
pub(crate) fn is_receipt(topic: &str) -> bool {
    receipt_of(topic).is_some()
}

/// The device that is answered on this topic.
pub(crate) fn receipt_of(topic: &str) -> Option<&str> {
    let device = topic.strip_prefix("anhu/v1/").and_then(|rest| rest.strip_suffix("/receipt"));
    device.filter(|device| !device.is_empty() && !device.contains('/'))
}

/// By which the same message is known when it comes again: the source's own id, or else its bytes and device time.
///
/// A message with neither cannot be told from a second press, so it counts as one. What a broker replays is the same as
/// long as its bytes are, however often it comes.
fn key_of(signal: &Signal, said: &str, arrival: Arrival<'_>) -> Option<MessageKey> {
    let mut hasher = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    part(signal.device.as_str().as_bytes());
    part(said.as_bytes());
    match (&signal.source_id, signal.occurred_at) {
        (Some(id), _) => part(id.as_bytes()),
        (None, Some(time)) => {
            part(&time.0.to_le_bytes());
            part(arrival.payload);
        }
        (None, None) if arrival.replayed => {
            part(b"retained");
            part(arrival.payload);
        }
        (None, None) => return None,
    }
    let mut key = [0; 16];
    key.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    Some(MessageKey(key))
}
