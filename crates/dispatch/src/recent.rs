//! Recent messages: was this very message heard before?

use std::collections::{HashMap, VecDeque};

use model::{IncidentId, Millis, Timestamp};
use serde::{Deserialize, Serialize};

use crate::event::MessageKey;

/// How long a message is remembered. After that a resend is late by its own device time, so it sends nobody.
const REMEMBERED_FOR: Millis = Millis::from_seconds(48 * 3600);
/// How many are remembered at most, about 48 bytes each; the oldest go first.
const REMEMBERED_AT_MOST: usize = 4_000_000;

/// The messages heard lately and the incidents they belong to. Looked up by key only, never listed, so the order of the
/// hash map cannot reach a decision.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recent {
    by_key: HashMap<MessageKey, IncidentId>,
    by_age: VecDeque<(Timestamp, MessageKey)>,
}

impl Recent {
    /// The incident that `key` belongs to, if it was heard before.
    pub(crate) fn incident_of(&self, key: MessageKey) -> Option<IncidentId> {
        self.by_key.get(&key).copied()
    }

    /// Remembers `key`, heard at `now`, and forgets what is too old.
    pub(crate) fn remember(&mut self, key: MessageKey, incident: IncidentId, now: Timestamp) {
        if self.by_key.insert(key, incident).is_none() {
            self.by_age.push_back((now, key));
        }
        while let Some((heard, oldest)) = self.by_age.front().copied() {
            let too_many = self.by_age.len() > REMEMBERED_AT_MOST;
            if now - heard <= REMEMBERED_FOR && !too_many {
                break;
            }
            self.by_age.pop_front();
            self.by_key.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_remembered_for_two_days_and_then_forgotten() {
        let mut recent = Recent::default();
        let (first, second) = (MessageKey([1; 16]), MessageKey([2; 16]));
        recent.remember(first, IncidentId(1), Timestamp(0));
        let day = Millis::from_seconds(24 * 3600);
        recent.remember(second, IncidentId(2), Timestamp(0) + day + day);
        assert_eq!(recent.incident_of(first), Some(IncidentId(1)));
        recent.remember(MessageKey([3; 16]), IncidentId(3), Timestamp(1) + day + day);
        assert_eq!(recent.incident_of(first), None);
        assert_eq!(recent.incident_of(second), Some(IncidentId(2)));
    }
}
