//! Keeper: the one task that owns everything that is owed to anybody outside.
//!
//! It hears every flushed record, owes what follows from it, hands out what may be tried now, and keeps what waits. It
//! never waits for anybody: tries run beside it, and the state store is written beside it.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use bytes::Bytes;
use dispatch::{Command, Event, Operation};
use frontdoor::FrontDoor;
use model::{IncidentId, Millis, Timestamp};
use store::{Change, Store};
use tokio::{sync::mpsc, task::JoinHandle};
use views::Board;
use wire::v1;

use super::{
    delivery::{Delivery, Happened, Key, Subscription, deliveries},
    feed::{News, Reader},
    receipts::{Receipts, receipts},
    rpc::{Listed, Listing, Request, TargetState},
    shelf::{self, Found, Kept, Shelf},
    target::{Target, Warning},
    waiting::Outcome,
};
use crate::{
    clock::Clock,
    engine::{Engine, Job, Work},
    link::Link,
    metrics,
};

/// How often deadlines are looked at.
const TICK: Duration = Duration::from_millis(50);
/// How often notifications that wait are kept, if there were any: so much is repeated after a crash.
const KEEP: Millis = Millis::from_seconds(1);
/// How often receipts that wait are kept.
const KEEP_RECEIPTS: Millis = Millis::from_seconds(60);
/// How often receipts are looked at that found nobody. A device that subscribes is told at once, and so is a broker that
/// comes back; this is for what lost its reason.
const SWEEP: Millis = Millis::from_seconds(30);
/// Devices looked at together, so that a sweep holds up nothing.
const SWEPT_AT_ONCE: usize = 500;
/// How long after a connection ended without an acknowledgement its device is tried again: it may be back already.
const AGAIN: Millis = Millis::from_seconds(1);
/// News of one kind taken together.
const AT_ONCE: usize = 256;
/// Who writes on the incident that a call does not get through.
const AUTHOR: &str = "anhu";

/// What the keeper works with.
pub(super) struct Parts {
    pub(super) clock: Clock,
    pub(super) board: Arc<Board>,
    pub(super) door: Arc<FrontDoor>,
    pub(super) links: Vec<Link>,
    pub(super) engine: Engine,
    pub(super) store: Arc<Store>,
    pub(super) give_up_after: Millis,
}

/// Everything that comes to the keeper.
pub(super) struct Inbox {
    pub(super) reader: Reader,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) listeners: mpsc::Receiver<Arc<str>>,
    fates: mpsc::UnboundedReceiver<(u64, bool)>,
    outcomes: mpsc::UnboundedReceiver<(usize, Key, Outcome)>,
}

/// The ways by which what was sent reports. Unbounded, for at most as much is on its way as may wait.
struct Reports {
    fates: mpsc::UnboundedSender<(u64, bool)>,
    outcomes: mpsc::UnboundedSender<(usize, Key, Outcome)>,
}

/// Something that came.
enum Input {
    News(Vec<News>),
    /// The journal is closed.
    End,
    Fates(Vec<(u64, bool)>),
    Outcomes(Vec<(usize, Key, Outcome)>),
    Listeners(Vec<Arc<str>>),
    Request(Request),
    Time,
}

/// The owner of all that is owed.
pub(super) struct Keeper {
    parts: Parts,
    subscriptions: Vec<Subscription>,
    targets: Vec<Target>,
    receipts: Receipts,
    reports: Reports,
    shelf: Shelf,
    kept: u64,
    receipts_kept: u64,
    keeping: Option<JoinHandle<()>>,
    keep_at: Timestamp,
    keep_receipts_at: Timestamp,
    /// Up to which records notifications and receipts were done with before the start.
    before: (u64, u64),
    sweep_at: Timestamp,
    /// Old records are being read, so it is not known yet what waits.
    behind: bool,
    /// They will be read in a moment; until then no device is told what may be over.
    keeps_order: bool,
    /// Other brokers that were there a moment ago.
    links_up: usize,
    /// The devices still to be looked at.
    sweep: Vec<Arc<str>>,
    /// Devices to be tried again, and when; the earliest first.
    again: VecDeque<(Timestamp, Arc<str>)>,
    states: Arc<ArcSwap<Vec<TargetState>>>,
}

impl Inbox {
    async fn next(&mut self) -> Input {
        let (mut fates, mut outcomes, mut listeners) = (Vec::new(), Vec::new(), Vec::new());
        tokio::select! {
            biased;
            _ = self.fates.recv_many(&mut fates, AT_ONCE) => Input::Fates(fates),
            _ = self.outcomes.recv_many(&mut outcomes, AT_ONCE) => Input::Outcomes(outcomes),
            Some(request) = self.requests.recv() => Input::Request(request),
            count = self.listeners.recv_many(&mut listeners, AT_ONCE), if !self.listeners.is_closed() => {
                if count == 0 { Input::Time } else { Input::Listeners(listeners) }
            }
            news = self.reader.next() => news.map_or(Input::End, Input::News),
            () = tokio::time::sleep(TICK) => Input::Time,
        }
    }
}

/// The keeper and its inbox, with what the last run left.
pub(super) fn open(
    parts: Parts,
    found: Found,
    targets: Vec<(Target, Subscription)>,
    (reader, requests, listeners): (Reader, mpsc::Receiver<Request>, mpsc::Receiver<Arc<str>>),
    states: Arc<ArcSwap<Vec<TargetState>>>,
) -> (Keeper, Inbox) {
    let (fates_in, fates) = mpsc::unbounded_channel();
    let (outcomes_in, outcomes) = mpsc::unbounded_channel();
    let (targets, subscriptions): (Vec<Target>, Vec<Subscription>) = targets.into_iter().unzip();
    let now = parts.clock.now();
    let mut keeper = Keeper {
        parts,
        subscriptions,
        targets,
        receipts: Receipts::default(),
        reports: Reports { fates: fates_in, outcomes: outcomes_in },
        shelf: Shelf::default(),
        kept: found.applied,
        receipts_kept: found.receipts_applied,
        keeping: None,
        keep_at: now + KEEP,
        keep_receipts_at: now + KEEP_RECEIPTS,
        before: (found.applied, found.receipts_applied),
        sweep_at: now,
        behind: reader.is_behind(),
        keeps_order: reader.keeps_order(),
        links_up: 0,
        sweep: Vec::new(),
        again: VecDeque::new(),
        states,
    };
    keeper.recover(found);
    keeper.show();
    (keeper, Inbox { reader, requests, listeners, fates, outcomes })
}

impl Keeper {
    /// Works until the journal is closed, and keeps what is left.
    pub(super) async fn run(mut self, mut inbox: Inbox) {
        loop {
            match inbox.next().await {
                Input::End => break,
                Input::News(news) => news.iter().for_each(|record| self.hear(record)),
                Input::Fates(fates) => self.fates(&fates),
                Input::Outcomes(outcomes) => self.outcomes(outcomes),
                Input::Listeners(devices) => devices.iter().for_each(|device| self.tell_device(device)),
                Input::Request(request) => self.answer(request),
                Input::Time => inbox.reader.look_back(),
            }
            let now = self.parts.clock.now();
            let was_behind = std::mem::replace(&mut self.behind, inbox.reader.is_behind());
            let kept_order = std::mem::replace(&mut self.keeps_order, inbox.reader.keeps_order());
            if was_behind && !self.behind || kept_order && !self.keeps_order {
                self.sweep_at = now;
            }
            self.look_at_deadlines(now);
            self.try_what_is_due(now);
            if now >= self.keep_at {
                self.keep_at = now + KEEP;
                self.show();
                self.keep(inbox.reader.seen(), now >= self.keep_receipts_at);
            }
            self.tell_again(now);
        }
        if let Some(keeping) = self.keeping.take() {
            let _ = keeping.await;
        }
        self.keep(inbox.reader.seen(), true);
        if let Some(keeping) = self.keeping.take() {
            let _ = keeping.await;
        }
    }

    fn recover(&mut self, found: Found) {
        let mut forgotten = Vec::new();
        for (name, kept) in found.notifications {
            let key = kept.delivery.key;
            let Some(index) = self.targets.iter().position(|target| target.name == name) else {
                forgotten.push(shelf::forgotten(&name, key));
                continue;
            };
            self.shelf.has(index, key);
            let Some(target) = self.targets.get_mut(index) else { continue };
            if kept.dead.is_some() {
                target.dead.insert(key, kept);
            } else {
                target.waiting.push(kept.delivery);
            }
        }
        for (device, receipt) in found.receipts {
            self.receipts.push(&device, receipt);
        }
        if !forgotten.is_empty() {
            let count = forgotten.len();
            tracing::warn!(count, "notifications of webhooks that are not configured any more are dropped");
            // They are found again at the next start when this fails.
            let _ = self.parts.store.commit(shelf::STREAM, self.kept, forgotten);
        }
    }

    /// Owes what follows from a record.
    fn hear(&mut self, news: &News) {
        let now = self.parts.clock.now();
        let mut changed: Vec<Arc<v1::Incident>> = Vec::new();
        let mut last: Option<IncidentId> = None;
        for (index, event) in (0..).zip(&news.events) {
            let Event::Incident { incident: id, .. } = event else { continue };
            if last != Some(*id) {
                // Forgotten by the board means long closed: only a long replay meets one.
                let Some(incident) = self.parts.board.get(*id) else { continue };
                changed.push(incident);
                last = Some(*id);
            }
            // Nobody outside hears of the alerts that the node sends itself.
            let shown = changed.last().filter(|incident| !incident.watchdog);
            let Some(incident) = shown.map(Arc::clone) else { continue };
            let (sequence, at, durable) = (news.sequence, news.at, news.durable);
            if !durable || sequence > self.before.1 {
                self.owe_receipts((event, news), &incident, now);
            }
            if !durable || sequence > self.before.0 {
                let happened = Happened { sequence, at, durable, index, event };
                self.owe_notifications(happened, news.read_back, &incident, now);
            }
        }
        if self.targets.iter().any(|target| target.waiting.len() > 0) {
            for incident in changed {
                let Ok(id) = wire::Name::incident("name", &incident.name) else { continue };
                self.targets
                    .iter_mut()
                    .for_each(|target| target.stop(id, |telling| telling.stands(&incident)));
            }
        }
    }

    fn owe_receipts(&mut self, (event, news): (&Event, &News), incident: &v1::Incident, now: Timestamp) {
        for (device, mut receipt) in receipts(event, news.durable, incident) {
            if !receipt.stands(incident, now) {
                continue;
            }
            if news.read_back {
                receipt.come_to_now(incident);
            }
            let id = receipt.incident;
            let stands =
                |known: &super::receipts::Receipt| known.incident != id || known.stands(incident, now);
            metrics::receipts("stopped", self.receipts.stop(&device, stands));
            metrics::receipts_dropped(self.receipts.push(&device, receipt));
            self.tell_device(&device);
        }
    }

    fn owe_notifications(
        &mut self,
        happened: Happened<'_>,
        read_back: bool,
        incident: &v1::Incident,
        now: Timestamp,
    ) {
        if self.subscriptions.is_empty() {
            return;
        }
        let owed = deliveries(happened, incident, &self.subscriptions, self.parts.give_up_after);
        for (index, delivery) in owed {
            // After a long replay much has lost its reason.
            if delivery.useful_until <= now || !delivery.telling.stands(incident) {
                continue;
            }
            let Some(target) = self.targets.get_mut(index) else { continue };
            let key = delivery.key;
            let warning = target.push(delivery, now);
            if read_back {
                target.waiting.let_new_ones_first(&key, now);
            }
            self.warn(warning);
        }
    }

    /// Publishes what a device has not heard and what is still so.
    fn tell_device(&mut self, device: &Arc<str>) {
        if self.keeps_order {
            return;
        }
        let now = self.parts.clock.now();
        let board = &self.parts.board;
        let stopped = self.receipts.stop(device, |receipt| {
            board.get(receipt.incident).is_some_and(|incident| receipt.stands(&incident, now))
        });
        metrics::receipts("stopped", stopped);
        let topic = format!("anhu/v1/{device}/receipt");
        for (number, receipt) in self.receipts.send(device) {
            let payload = Bytes::from(receipt.payload());
            let linked = self.tell_links(&topic, &payload, receipt.linked);
            if linked != receipt.linked {
                self.receipts.linked(number, linked);
            }
            let fates = self.reports.fates.clone();
            let reached = self.parts.door.publish_tracked(&topic, payload, move |heard| {
                // An error means that the server has stopped.
                let _ = fates.send((number, heard));
            });
            if reached == 0 {
                // It waits until the device subscribes.
                self.receipts.settle(number, false);
            }
        }
    }

    /// Nobody can tell by which way a device listens. Each broker gets a receipt once, as soon as it is there, and keeps
    /// it or not as it is configured; it waits for the front door besides. Returns who has it by now.
    fn tell_links(&self, topic: &str, payload: &Bytes, told: u64) -> u64 {
        let bits = (0..u64::BITS).map(|place| 1 << place);
        let others = self.parts.links.iter().zip(bits).filter(|(_, bit)| told & bit == 0);
        others.fold(
            told,
            |told, (link, bit)| {
                if link.publish(topic, payload.clone()) { told | bit } else { told }
            },
        )
    }

    fn fates(&mut self, fates: &[(u64, bool)]) {
        let due = self.parts.clock.now() + AGAIN;
        for (number, heard) in fates {
            let lost = self.receipts.settle(*number, *heard);
            self.again.extend(lost.map(|device| (due, device)));
            metrics::receipts("heard", usize::from(*heard));
        }
    }

    /// Tells the devices whose connection broke, and some of those that are to be looked at.
    fn tell_again(&mut self, now: Timestamp) {
        while let Some((_, device)) = self.again.pop_front_if(|(due, _)| *due <= now) {
            self.tell_device(&device);
        }
        let links_up = self.parts.links.iter().filter(|link| link.is_up()).count();
        if links_up > std::mem::replace(&mut self.links_up, links_up) {
            self.sweep_at = now;
        }
        if now >= self.sweep_at && self.sweep.is_empty() {
            self.sweep_at = now + SWEEP;
            self.sweep = self.receipts.devices();
        }
        let left = self.sweep.len().saturating_sub(SWEPT_AT_ONCE);
        for device in self.sweep.split_off(left) {
            self.tell_device(&device);
        }
    }

    fn outcomes(&mut self, outcomes: Vec<(usize, Key, Outcome)>) {
        let now = self.parts.clock.now();
        for (index, key, outcome) in outcomes {
            let random = f64::from(getrandom::u32().unwrap_or(u32::MAX / 2)) / f64::from(u32::MAX);
            let Some(target) = self.targets.get_mut(index) else { continue };
            let warnings = target.settle(&key, &outcome, now, random);
            self.warn(warnings);
        }
    }

    fn look_at_deadlines(&mut self, now: Timestamp) {
        let mut warnings = Vec::new();
        for target in &mut self.targets {
            for delivery in target.waiting.alarms(now) {
                let trouble = target.waiting.get(&delivery.key).map(|entry| entry.trouble.clone());
                if stands(&self.parts.board, &delivery) {
                    warnings.extend(target.warn(&delivery, trouble.as_deref().unwrap_or_default()));
                }
            }
            warnings.extend(target.expire(now));
        }
        self.warn(warnings);
    }

    fn try_what_is_due(&mut self, now: Timestamp) {
        for (index, target) in self.targets.iter_mut().enumerate() {
            while let Some(delivery) = target.waiting.next(now) {
                let key = delivery.key;
                if !stands(&self.parts.board, &delivery) {
                    target.withdraw(&key);
                    continue;
                }
                let (sender, outcomes) = (Arc::clone(&target.sender), self.reports.outcomes.clone());
                tokio::spawn(async move {
                    let outcome = sender.send(&delivery).await;
                    // An error means that the server has stopped; the delivery is made again at the next start.
                    let _ = outcomes.send((index, key, outcome));
                });
            }
        }
    }

    /// Writes on the incident what its operators should know.
    fn warn(&self, warnings: impl IntoIterator<Item = Warning>) {
        for Warning { incident, text } in warnings {
            let (operator, operation) = (AUTHOR.to_owned(), Operation::AddNote { text });
            let command = Command::Operate { incident, operator, operation };
            let engine = self.parts.engine.clone();
            tokio::spawn(async move {
                let job = Job { work: Work::Commands(vec![command]), done: Box::new(|_| {}) };
                // An error means that the server is stopping.
                let _ = engine.post(job).await;
            });
        }
    }

    fn answer(&mut self, request: Request) {
        let now = self.parts.clock.now();
        let useful_until = now + self.parts.give_up_after;
        match request {
            // Whoever asked may have gone away.
            Request::List { listing, answer } => drop(answer.send(self.list(&listing))),
            Request::Retry { target, key, answer } => {
                let target = self.targets.iter_mut().find(|known| known.name == target);
                let retried = target.map(|target| {
                    let key = key.map(|text| Key::read(&text, &target.name).unwrap_or(Key::LAST));
                    target.retry(key, now, useful_until)
                });
                self.show();
                let _ = answer.send(retried);
            }
        }
    }

    fn list(&self, listing: &Listing) -> Vec<Listed> {
        let mut listed = Vec::new();
        let wanted = |target: &&Target| listing.target.as_ref().is_none_or(|name| *name == target.name);
        for target in self.targets.iter().filter(wanted) {
            // Dead letters first: somebody has to do something about them.
            let dead = target.dead.values().map(|kept| Listed::dead(&target.name, kept));
            let waiting = target.waiting.after(None).map(|entry| Listed::waiting(&target.name, entry));
            let dead = dead.filter(|_| listing.dead != Some(false));
            let all = dead.chain(waiting.filter(|_| listing.dead != Some(true)));
            let room = listing.skip.saturating_add(listing.limit) - listed.len();
            listed.extend(all.take(room));
        }
        listed.split_off(listing.skip.min(listed.len()))
    }

    /// Says how each target is, for others to read.
    fn show(&self) {
        let mut states: Vec<TargetState> = self.targets.iter().map(TargetState::of).collect();
        states.push(TargetState::devices(self.receipts.len()));
        for state in &states {
            metrics::outbox_level(&state.name, state.waiting, state.dead);
        }
        self.states.store(Arc::new(states));
    }

    /// Keeps what changed, beside this task, unless that is still being done; receipts when it is time for `everything`.
    fn keep(&mut self, seen: u64, everything: bool) {
        if self.keeping.as_ref().is_some_and(|keeping| !keeping.is_finished()) {
            return;
        }
        let busy = self.targets.iter().any(|target| !target.changed.is_empty());
        if !busy && !everything {
            return;
        }
        let changes = self.changes();
        // While old records are read, it is not known yet what waits.
        let receipts = if everything && !self.behind { self.receipts_to_keep(seen) } else { None };
        if changes.is_empty() && receipts.is_none() && seen <= self.kept {
            return;
        }
        // Records that are read again for receipts alone move no mark back.
        self.kept = seen.max(self.kept);
        let (store, kept) = (Arc::clone(&self.parts.store), self.kept);
        self.keeping = Some(tokio::task::spawn_blocking(move || {
            let receipts = receipts.map_or(Ok(()), |bytes| store.put_snapshot(shelf::RECEIPTS, seen, bytes));
            let kept = receipts.and_then(|()| store.commit(shelf::STREAM, kept, changes));
            if let Err(error) = kept.and_then(|()| store.flush()) {
                metrics::outbox_not_kept(&error);
            }
        }));
    }

    /// All receipts that wait, unless they are kept as they are.
    fn receipts_to_keep(&mut self, seen: u64) -> Option<Vec<u8>> {
        self.keep_receipts_at = self.parts.clock.now() + KEEP_RECEIPTS;
        let changed = self.receipts.take_changed();
        if !changed && seen <= self.receipts_kept {
            return None;
        }
        self.receipts_kept = seen;
        Some(shelf::receipts(&self.receipts.all()))
    }

    fn changes(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        for (index, target) in self.targets.iter_mut().enumerate() {
            for key in std::mem::take(&mut target.changed) {
                let waiting = target.waiting.get(&key).filter(|entry| !entry.delivery.degraded);
                let waiting = waiting.map(|entry| Kept { delivery: entry.delivery.clone(), dead: None });
                let kept = target.dead.get(&key).filter(|kept| !kept.delivery.degraded).cloned().or(waiting);
                changes.extend(self.shelf.notification((index, &target.name), key, kept.as_ref()));
            }
        }
        changes
    }
}

/// Whether its reason still stands; without its incident, which is long closed, only what happened does.
fn stands(board: &Board, delivery: &Delivery) -> bool {
    match board.get(delivery.incident) {
        Some(incident) => delivery.telling.stands(&incident),
        None => delivery.telling.calls().is_none(),
    }
}
