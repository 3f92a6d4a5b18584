//! The outbox: what is told to anybody outside leaves here, until it got through or its reason is gone.
//!
//! - **The journal is the truth.** What is owed follows from durable events; after a crash it is worked out again from
//!   the last record that is known to be done with, so nothing is forgotten, and what is repeated has the same key.
//! - **Nobody waits for anybody.** The journal's thread leaves a record here and goes on; a target that is slow or away
//!   delays neither another target nor the devices.
//! - **A reason that is gone is not told.** Whether it stands is looked at again just before each try.
//! - **What does not get through is seen.** It becomes a dead letter, and if somebody was to come because of it, the
//!   operators read on the incident that they must phone, while there is still time.
//!
//! Module [`telling`] says what is told of an event, [`delivery`] to whom and in which form, [`waiting`] when it is
//! tried, [`receipts`] what devices hear; these are pure. The [`keeper`] does it.

mod delivery;
mod feed;
mod keeper;
mod receipts;
mod rpc;
mod sender;
mod shelf;
mod target;
pub(crate) mod telling;
mod waiting;

use std::{path::Path, sync::Arc, thread, time::Duration};

use anyhow::Context as _;
use model::Millis;
use store::Store;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::{
    feed::Reader,
    keeper::{Inbox, Keeper, Parts},
    target::Target,
    waiting::Pace,
};
pub(crate) use self::{
    feed::{Feed, Intake, News, feed},
    rpc::{DEVICES, Listed, Listing, Outbox, TargetState},
};
use crate::{
    clock::Clock,
    config::{Config, NotificationsConfig},
    engine::{Alarm, Engine},
    link::Link,
};

/// Wishes of people that may wait.
const REQUESTS: usize = 16;
/// Devices that came back and may wait to be told; the others are told at the next sweep.
const LISTENERS: usize = 4096;

/// What tries may take to end when the server stops. They are made again at the next start.
const FAREWELL: Duration = Duration::from_secs(1);

/// Devices that listen from now on.
#[derive(Clone)]
pub(crate) struct Listeners(mpsc::Sender<Arc<str>>);

impl Listeners {
    /// The outbox's ear at the front door, and its other end.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Arc<str>>) {
        let (sender, receiver) = mpsc::channel(LISTENERS);
        (Self(sender), receiver)
    }

    /// `device` has subscribed to its receipts.
    pub(crate) fn heard_of(&self, device: &str) {
        // When too many come at once, the next sweep tells them.
        let _ = self.0.try_send(device.into());
    }
}

/// What the outbox is put together from.
pub(crate) struct Works<'a> {
    pub(crate) config: &'a Config,
    pub(crate) clock: Clock,
    pub(crate) board: Arc<views::Board>,
    pub(crate) door: Arc<frontdoor::FrontDoor>,
    pub(crate) links: Vec<Link>,
    pub(crate) engine: Engine,
    pub(crate) store: Arc<Store>,
    /// The dispatch journal's folder and its last record.
    pub(crate) journal: &'a Path,
    pub(crate) head: u64,
}

/// Starts the outbox's thread, with what the last run left. It ends when the feed does, so that nothing that was flushed
/// is left out.
pub(crate) fn start(
    works: Works<'_>,
    intake: Intake,
    listeners: mpsc::Receiver<Arc<str>>,
    stop: CancellationToken,
) -> anyhow::Result<(Outbox, thread::JoinHandle<()>)> {
    let Works { config, clock, board, door, links, engine, store, journal, head } = works;
    let NotificationsConfig { first_retry_ms, longest_retry_s, give_up_after_s } = config.notifications;
    let millis = |value: u64| Millis(i64::try_from(value).unwrap_or(i64::MAX));
    let pace = Pace { first_retry: millis(first_retry_ms), longest_retry: millis(longest_retry_s * 1000) };
    let targets: Vec<_> =
        config.webhooks.iter().map(|webhook| Target::new(webhook, pace)).collect::<anyhow::Result<_>>()?;
    let found = shelf::read(&store).unwrap_or_else(|error| {
        tracing::warn!(%error, "what the outbox kept cannot be read; the journal is read instead");
        shelf::Found::default()
    });
    anyhow::ensure!(
        found.applied.max(found.receipts_applied) <= head,
        "the dispatch journal ends before what the state store knows: they do not belong together; move the state \
         store's folder away and start again, and it is built anew from the journal"
    );
    let (requests_in, requests) = mpsc::channel(REQUESTS);
    let reader = Reader::new(intake, journal, found.applied.min(found.receipts_applied), head);
    let outbox = Outbox { requests: requests_in, states: Arc::default(), trouble: reader.trouble() };
    let give_up_after = millis(give_up_after_s * 1000);
    let parts = Parts { clock, board, door, links, engine, store, give_up_after };
    let states = Arc::clone(&outbox.states);
    let (keeper, inbox): (Keeper, Inbox) =
        keeper::open(parts, found, targets, (reader, requests, listeners), states);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let thread = thread::Builder::new().name("outbox".to_owned()).spawn(move || {
        let _alarm = Alarm(stop);
        runtime.block_on(keeper.run(inbox));
        // A name that is being looked up cannot be called off.
        runtime.shutdown_timeout(FAREWELL);
    });
    Ok((outbox, thread.context("the outbox's thread cannot be started")?))
}

#[cfg(test)]
mod stories;
