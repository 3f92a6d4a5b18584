//! Waiting: which delivery to one target is tried next, and when?
//!
//! The deliveries of one incident go one after the other, in the order of the journal; incidents do not wait for each
//! other. What a receiver does not take, being otherwise well, is tried again on its own and holds up nothing. A receiver
//! that takes nothing at all is tried with one delivery at a time, and gets all that waits as soon as it takes one; what
//! is new goes before what waited.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use model::{IncidentId, Millis, Timestamp};

use super::delivery::{Delivery, Key};

/// Deliveries that may be on their way to one target at once.
const AT_ONCE: usize = 8;
/// Deliveries that may wait for one target, of a few hundred bytes each; then the oldest become dead letters. They are
/// all in the state store as well.
pub(crate) const MOST_WAITING: usize = 50_000;
/// After so many failures in a row a target is down.
const DOWN_AFTER: u32 = 3;

/// How patient we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    pub(crate) first_retry: Millis,
    pub(crate) longest_retry: Millis,
}

/// How a try ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It has it.
    Taken,
    /// It wants nothing more, ever.
    Gone,
    /// It answers, and does not want this one as it is.
    Refused(String),
    /// It cannot be reached, or is in trouble; when it said so, after how long to come again.
    Failed(String, Option<Duration>),
}

/// What waits for one target.
#[derive(Debug)]
pub(crate) struct Waiting {
    pace: Pace,
    entries: BTreeMap<Key, Entry>,
    lanes: BTreeMap<LaneId, Lane>,
    /// The lanes of which nothing is on its way, by when their first may be tried.
    due: BTreeSet<(Timestamp, LaneId)>,
    ends: BTreeSet<(Timestamp, Key)>,
    alarms: BTreeSet<(Timestamp, Key)>,
    /// What is on its way, and on which lane.
    flights: BTreeMap<Key, LaneId>,
    failures: u32,
    failing_since: Option<Timestamp>,
}

/// One delivery and what became of it so far.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) delivery: Delivery,
    pub(crate) tries: u32,
    /// What the last try said.
    pub(crate) trouble: String,
    lane: LaneId,
}

/// Deliveries that go one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct LaneId {
    incident: IncidentId,
    /// One that was refused, and is on its own.
    alone: Option<Key>,
}

#[derive(Debug)]
struct Lane {
    keys: BTreeSet<Key>,
    /// When it may be tried; [`AT_ONCE_DUE`] until something went wrong.
    due: Timestamp,
    on_the_way: bool,
}

/// Before anything else: nothing has to be waited for.
const AT_ONCE_DUE: Timestamp = Timestamp(0);

impl Waiting {
    pub(crate) fn new(pace: Pace) -> Self {
        Self {
            pace,
            entries: BTreeMap::new(),
            lanes: BTreeMap::new(),
            due: BTreeSet::new(),
            ends: BTreeSet::new(),
            alarms: BTreeSet::new(),
            flights: BTreeMap::new(),
            failures: 0,
            failing_since: None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// Everything after `after`, in the order of the journal.
    pub(crate) fn after(&self, after: Option<Key>) -> impl Iterator<Item = &Entry> {
        let from = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        self.entries.range((from, std::ops::Bound::Unbounded)).map(|(_, entry)| entry)
    }

    /// Whether so many tries failed that it takes nothing, as far as we know.
    pub(crate) fn is_down(&self) -> bool {
        self.failures >= DOWN_AFTER
    }

    /// Since when nothing gets through.
    pub(crate) fn failing_since(&self) -> Option<Timestamp> {
        self.failing_since
    }

    /// Takes a delivery in, unless it waits already. Returns the oldest when that must go for it.
    pub(crate) fn push(&mut self, delivery: Delivery) -> Option<Entry> {
        let key = delivery.key;
        if let Some(known) = self.entries.get_mut(&key) {
            // What was told from memory is durable now, and is kept from here on.
            known.delivery.degraded &= delivery.degraded;
            return None;
        }
        let lane = LaneId { incident: delivery.incident, alone: None };
        self.ends.insert((delivery.useful_until, key));
        self.alarms.extend(delivery.alarm_at.map(|at| (at, key)));
        self.entries.insert(key, Entry { delivery, tries: 0, trouble: String::new(), lane });
        self.join(lane, key);
        if self.entries.len() <= MOST_WAITING {
            return None;
        }
        let oldest = *self.entries.first_key_value()?.0;
        self.remove(&oldest)
    }

    /// A delivery that was found out afterwards is tried after those that are owed since then, unless others of its
    /// incident wait with it.
    pub(crate) fn let_new_ones_first(&mut self, key: &Key, now: Timestamp) {
        let Some(id) = self.entries.get(key).map(|entry| entry.lane) else { return };
        if self.lanes.get(&id).is_some_and(|lane| lane.keys.len() == 1 && lane.due == AT_ONCE_DUE) {
            self.set_due(id, now);
        }
    }

    /// The next to try at `now`, which is on its way from here on, until it is [settled](Self::settle).
    pub(crate) fn next(&mut self, now: Timestamp) -> Option<Delivery> {
        let at_once = if self.is_down() { 1 } else { AT_ONCE };
        if self.flights.len() >= at_once {
            return None;
        }
        let (due, id) = self.due.first().copied().filter(|(due, _)| *due <= now)?;
        self.due.remove(&(due, id));
        let lane = self.lanes.get_mut(&id)?;
        let entry = self.entries.get(lane.keys.first()?)?;
        lane.on_the_way = true;
        self.flights.insert(entry.delivery.key, id);
        Some(entry.delivery.clone())
    }

    /// Notes how a try ended. Returns the delivery when it is over with; otherwise it is tried again after a pause, of
    /// which `random`, from 0 to 1, is a part, so that many do not come back together.
    pub(crate) fn settle(
        &mut self,
        key: &Key,
        outcome: &Outcome,
        now: Timestamp,
        random: f64,
    ) -> Option<Entry> {
        self.note_health(outcome, now);
        let flown = self.flights.remove(key);
        let over = self.judge(key, outcome, now, random);
        if let Some(id) = flown {
            self.land(id);
        }
        over
    }

    /// What the outcome means for the delivery; the lane it came from still counts as on its way.
    fn judge(&mut self, key: &Key, outcome: &Outcome, now: Timestamp, random: f64) -> Option<Entry> {
        // Otherwise it was stopped meanwhile.
        let entry = self.entries.get_mut(key)?;
        entry.tries = entry.tries.saturating_add(1);
        let (pause, id) = (pause(self.pace, entry.tries, random), entry.lane);
        match outcome {
            Outcome::Taken | Outcome::Gone => {
                self.set_due(id, AT_ONCE_DUE);
                return self.remove(key);
            }
            Outcome::Refused(why) => {
                entry.trouble.clone_from(why);
                self.set_apart(key, now + pause);
            }
            Outcome::Failed(why, after) => {
                entry.trouble.clone_from(why);
                let asked = after.and_then(|after| i64::try_from(after.as_millis()).ok()).map(Millis);
                let due = now + pause.max(asked.unwrap_or(Millis(0)).min(self.pace.longest_retry));
                // Others get through, so the trouble is with this one.
                if entry.tries >= DOWN_AFTER && self.failures < DOWN_AFTER {
                    self.set_apart(key, due);
                } else {
                    self.set_due(id, due);
                }
            }
        }
        None
    }

    /// Puts one on a lane of its own, so that the others of its incident go on.
    fn set_apart(&mut self, key: &Key, due: Timestamp) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let (before, apart) = (entry.lane, LaneId { alone: Some(*key), ..entry.lane });
        entry.lane = apart;
        if apart != before {
            self.set_due(before, AT_ONCE_DUE);
            self.leave(before, key);
            self.join(apart, *key);
        }
        self.set_due(apart, due);
    }

    /// What was [next](Self::next) need not be told any more, and is not on its way.
    pub(crate) fn withdraw(&mut self, key: &Key) {
        let flown = self.flights.remove(key);
        self.remove(key);
        if let Some(id) = flown {
            self.land(id);
        }
    }

    /// Removes what does not stand any more of one incident. What is on its way arrives or not.
    pub(crate) fn stop(
        &mut self,
        incident: IncidentId,
        mut stands: impl FnMut(&Delivery) -> bool,
    ) -> Vec<Entry> {
        let first = LaneId { incident, alone: None };
        let lanes = self.lanes.range(first..).take_while(|(id, _)| id.incident == incident);
        let keys: Vec<Key> = lanes.flat_map(|(_, lane)| lane.keys.iter().copied()).collect();
        let over = |key: &Key| self.entries.get(key).is_some_and(|entry| !stands(&entry.delivery));
        let over: Vec<Key> = keys.into_iter().filter(over).collect();
        over.iter().filter_map(|key| self.remove(key)).collect()
    }

    /// Removes what is of no use any more at `now`. What is on its way may still arrive.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Vec<Entry> {
        let over = self.ends.range(..=(now, Key::LAST)).map(|(_, key)| *key);
        let over: Vec<Key> = over.filter(|key| !self.flights.contains_key(key)).collect();
        over.iter().filter_map(|key| self.remove(key)).collect()
    }

    /// What should have got through by `now` and has not; each once.
    pub(crate) fn alarms(&mut self, now: Timestamp) -> Vec<Delivery> {
        let mut late = Vec::new();
        while let Some((at, key)) = self.alarms.first().copied().filter(|(at, _)| *at <= now) {
            self.alarms.remove(&(at, key));
            late.extend(self.entries.get(&key).map(|entry| entry.delivery.clone()));
        }
        late
    }

    /// Removes everything.
    pub(crate) fn drain(&mut self) -> Vec<Entry> {
        let keys: Vec<Key> = self.entries.keys().copied().collect();
        keys.iter().filter_map(|key| self.remove(key)).collect()
    }

    fn remove(&mut self, key: &Key) -> Option<Entry> {
        let entry = self.entries.remove(key)?;
        self.ends.remove(&(entry.delivery.useful_until, *key));
        if let Some(at) = entry.delivery.alarm_at {
            self.alarms.remove(&(at, *key));
        }
        self.leave(entry.lane, key);
        Some(entry)
    }

    fn note_health(&mut self, outcome: &Outcome, now: Timestamp) {
        match outcome {
            Outcome::Failed(..) => {
                self.failures = self.failures.saturating_add(1);
                self.failing_since.get_or_insert(now);
            }
            Outcome::Taken | Outcome::Gone | Outcome::Refused(_) => {
                let was_down = std::mem::take(&mut self.failures) >= DOWN_AFTER;
                self.failing_since = None;
                if was_down {
                    self.wake_all(now);
                }
            }
        }
    }

    /// The target is back: what waited for it goes now.
    fn wake_all(&mut self, now: Timestamp) {
        let sleeping = self.lanes.iter().filter(|(id, lane)| id.alone.is_none() && !lane.on_the_way);
        let ids: Vec<LaneId> = sleeping.map(|(id, _)| *id).collect();
        for id in ids {
            self.set_due(id, now);
        }
    }

    fn join(&mut self, id: LaneId, key: Key) {
        let new = || Lane { keys: BTreeSet::new(), due: AT_ONCE_DUE, on_the_way: false };
        let lane = self.lanes.entry(id).or_insert_with(new);
        lane.keys.insert(key);
        if !lane.on_the_way {
            self.due.insert((lane.due, id));
        }
    }

    fn leave(&mut self, id: LaneId, key: &Key) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        lane.keys.remove(key);
        if lane.keys.is_empty() && !lane.on_the_way {
            self.due.remove(&(lane.due, id));
            self.lanes.remove(&id);
        }
    }

    /// Nothing of the lane is on its way any more, so its next may go.
    fn land(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        lane.on_the_way = false;
        if lane.keys.is_empty() {
            self.lanes.remove(&id);
        } else {
            self.due.insert((lane.due, id));
        }
    }

    fn set_due(&mut self, id: LaneId, due: Timestamp) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        let before = std::mem::replace(&mut lane.due, due);
        if !lane.on_the_way {
            self.due.remove(&(before, id));
            self.due.insert((due, id));
        }
    }
}

/// How long until the next try: doubles, and half of it is random.
fn pause(pace: Pace, tries: u32, random: f64) -> Millis {
    let doubled = pace.first_retry.0.saturating_mul(1 << tries.saturating_sub(1).min(30));
    let longest = doubled.min(pace.longest_retry.0);
    Millis(longest / 2 + (longest as f64 / 2.0 * random) as i64)
}

#[cfg(test)]
mod tests;
