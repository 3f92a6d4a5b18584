//! Target: one system outside, what waits for it, and what was given up.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use model::{IncidentId, Timestamp};

use super::{
    delivery::{Delivery, Key, Subscription},
    sender::Sender,
    shelf::{Dead, Kept},
    telling::Telling,
    waiting::{Entry, Outcome, Pace, Waiting},
};
use crate::{config::WebhookConfig, metrics};

/// Dead letters kept of one target; then the oldest go.
pub(crate) const MOST_DEAD: usize = 1000;

/// Why a delivery is given up that could still have been told.
const TOO_MANY: &str = "too many waited for it";

/// One webhook.
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) sender: Arc<Sender>,
    pub(crate) waiting: Waiting,
    pub(crate) dead: BTreeMap<Key, Kept>,
    /// It said that it wants nothing more, until somebody retries.
    pub(crate) gone: bool,
    /// What changed since it was last kept.
    pub(crate) changed: BTreeSet<Key>,
    /// Of which calls the operators were told that they did not get through.
    told: HashSet<(IncidentId, String)>,
    down: bool,
}

/// What the operators should know: a call that does not get through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Warning {
    pub(crate) incident: IncidentId,
    pub(crate) text: String,
}

impl Target {
    /// Reads the secret.
    pub(crate) fn new(config: &WebhookConfig, pace: Pace) -> anyhow::Result<(Self, Subscription)> {
        let target = Self {
            name: config.name.clone(),
            sender: Arc::new(Sender::new(config)?),
            waiting: Waiting::new(pace),
            dead: BTreeMap::new(),
            gone: false,
            changed: BTreeSet::new(),
            told: HashSet::new(),
            down: false,
        };
        let org_unit =
            config.unit().map_err(|remedy| anyhow::anyhow!("webhook {}: {remedy}", config.name))?;
        Ok((target, Subscription { events: config.events.clone(), org_unit }))
    }

    /// Owes it a delivery.
    pub(crate) fn push(&mut self, delivery: Delivery, now: Timestamp) -> Option<Warning> {
        if let Some(entry) = self.dead.get_mut(&delivery.key) {
            entry.delivery.degraded &= delivery.degraded;
            self.changed.insert(delivery.key);
            return None;
        }
        metrics::notification(&self.name, "made");
        self.changed.insert(delivery.key);
        let overflow = self.waiting.push(delivery);
        if self.gone {
            return self.bury_all("it said that it wants nothing more", now).pop();
        }
        overflow.and_then(|oldest| self.bury(oldest, TOO_MANY, now))
    }

    /// Notes how a try ended, and returns what the operators should know.
    pub(crate) fn settle(
        &mut self,
        key: &Key,
        outcome: &Outcome,
        now: Timestamp,
        random: f64,
    ) -> Vec<Warning> {
        let over = self.waiting.settle(key, outcome, now, random);
        self.note_health(outcome);
        match outcome {
            Outcome::Taken => {
                metrics::notified(&self.name, now - key.at);
                self.changed.insert(*key);
                Vec::new()
            }
            Outcome::Gone => {
                self.gone = true;
                let cause = "it answered 410: it wants nothing more";
                let this = over.and_then(|entry| self.bury(entry, cause, now));
                this.into_iter().chain(self.bury_all(cause, now)).collect()
            }
            Outcome::Refused(_) | Outcome::Failed(..) => {
                metrics::notification(&self.name, "failed");
                Vec::new()
            }
        }
    }

    /// Drops what does not stand any more of one incident.
    pub(crate) fn stop(&mut self, incident: IncidentId, stands: impl Fn(&Telling) -> bool) {
        for entry in self.waiting.stop(incident, |delivery| stands(&delivery.telling)) {
            metrics::notification(&self.name, "stopped");
            self.changed.insert(entry.delivery.key);
        }
    }

    /// What was next to be tried does not stand any more.
    pub(crate) fn withdraw(&mut self, key: &Key) {
        metrics::notification(&self.name, "stopped");
        self.waiting.withdraw(key);
        self.changed.insert(*key);
    }

    /// Gives up what is of no use any more.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Vec<Warning> {
        let expired = self.waiting.expire(now);
        let mut warnings = Vec::new();
        for entry in expired {
            let cause = match entry.trouble.as_str() {
                "" => "its time was over before it was tried".to_owned(),
                trouble => format!("{trouble} until its time was over"),
            };
            warnings.extend(self.bury(entry, &cause, now));
        }
        warnings
    }

    /// The operators are to know that this call does not get through, unless they were told the like of it.
    pub(crate) fn warn(&mut self, delivery: &Delivery, trouble: &str) -> Option<Warning> {
        let who = delivery.telling.calls()?;
        // Offers once for a whole search: the next wave fares no better.
        let offered = matches!(delivery.telling, Telling::OfferMade { .. });
        let who = if offered { "helpers are asked".to_owned() } else { format!("{who} should be called") };
        if self.waiting.len() == 0 {
            self.told.clear();
        }
        if !self.told.insert((delivery.incident, who.clone())) {
            return None;
        }
        let (name, trouble) = (&self.name, if trouble.is_empty() { "no answer yet" } else { trouble });
        let text = format!("{who}, and the webhook {name} does not get through ({trouble}): phone instead");
        Some(Warning { incident: delivery.incident, text })
    }

    /// Tries dead letters again, all of them or one, with all the time there is for a new one. Returns how many.
    pub(crate) fn retry(&mut self, key: Option<Key>, now: Timestamp, useful_until: Timestamp) -> usize {
        self.gone = false;
        let keys: Vec<Key> = match key {
            Some(key) => vec![key],
            None => self.dead.keys().copied().collect(),
        };
        let raised: Vec<Kept> = keys.iter().filter_map(|key| self.dead.remove(key)).collect();
        for Kept { delivery, .. } in &raised {
            self.changed.insert(delivery.key);
            let again = Delivery { useful_until, alarm_at: None, ..delivery.clone() };
            if let Some(oldest) = self.waiting.push(again) {
                self.bury(oldest, TOO_MANY, now);
            }
        }
        raised.len()
    }

    fn bury_all(&mut self, cause: &str, now: Timestamp) -> Vec<Warning> {
        let entries = self.waiting.drain();
        entries.into_iter().filter_map(|entry| self.bury(entry, cause, now)).collect()
    }

    fn bury(&mut self, entry: Entry, cause: &str, now: Timestamp) -> Option<Warning> {
        let Entry { delivery, tries, .. } = entry;
        let key = delivery.key;
        metrics::notification_dead(&self.name, delivery.telling.event(), cause);
        self.changed.insert(key);
        let warning = self.warn(&delivery, cause);
        let dead = Dead { at: now, tries, cause: cause.to_owned() };
        self.dead.insert(key, Kept { delivery, dead: Some(dead) });
        if self.dead.len() > MOST_DEAD
            && let Some((oldest, _)) = self.dead.pop_first()
        {
            metrics::notification(&self.name, "forgotten");
            self.changed.insert(oldest);
        }
        warning
    }

    fn note_health(&mut self, outcome: &Outcome) {
        let down = self.waiting.is_down();
        if down && !self.down {
            let trouble = if let Outcome::Failed(trouble, _) = outcome { trouble } else { "" };
            metrics::webhook_down(&self.name, trouble);
        } else if self.down && !down {
            metrics::webhook_up(&self.name);
        }
        self.down = down;
    }
}
