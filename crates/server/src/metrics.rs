//! Metrics and the log lines that belong to them: one function writes both, so they never disagree.
//!
//! No name, address, phone or position, and no id as a label.

use std::{
    collections::BTreeSet,
    sync::{Mutex, Once, PoisonError},
    time::Duration,
};

use dispatch::{Event, IncidentEvent};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use model::{Content, Millis, Timestamp};

/// Upper edges of the buckets for waits, in seconds: from a memory access to a patience lost.
pub(crate) const WAITS: [f64; 12] = [5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.05, 0.2, 1.0, 5.0];

/// Says what each metric means, for `/metrics`.
pub(crate) fn describe() {
    describe_counter!("anhu_messages_total", "Messages taken, by the way they came");
    describe_counter!("anhu_signals_total", "Signals decoded, by content");
    describe_counter!("anhu_unreadable_total", "Messages nobody could read; each is a case for an operator");
    describe_counter!("anhu_alerts_total", "Alerts raised, by kind");
    describe_counter!("anhu_duplicates_total", "Messages that had been heard before");
    describe_counter!("anhu_incidents_opened_total", "Incidents opened, by priority");
    describe_counter!("anhu_incidents_closed_total", "Incidents closed");
    describe_counter!("anhu_offers_total", "Offers made");
    describe_counter!("anhu_offers_ended_total", "Offers ended, by how");
    describe_counter!("anhu_escalations_total", "Times a human was called");
    describe_counter!("anhu_incident_changes_total", "What else was done to incidents, by what");
    describe_counter!("anhu_policies_total", "Times another policy was put in force");
    describe_counter!("anhu_retained_cancels_total", "Cancels a broker replayed; they cancel nothing");
    describe_counter!("anhu_not_durable_total", "Records the disk refused");
    describe_counter!(
        "anhu_journal_recoveries_total",
        "Times a disk took all again that it had refused, by journal"
    );
    describe_counter!("anhu_broken_invariants_total", "Things that must never happen");
    describe_counter!("anhu_front_door_total", "What happened at the front door, by event");
    describe_counter!("anhu_link_events_total", "What happened on links to other brokers, by link and event");
    describe_counter!("anhu_positions_total", "Positions reported, by what became of them");
    describe_counter!("anhu_receipts_total", "Receipts to devices, by what became of them");
    describe_counter!("anhu_receipts_dropped_total", "Receipts not sent to devices because too many waited");
    describe_counter!(
        "anhu_notifications_total",
        "Notifications of webhooks, by target and what became of them"
    );
    describe_counter!("anhu_notification_news_lost_total", "Events of which nobody outside was told");
    describe_histogram!("anhu_notification_seconds", "From a decision until a webhook had it");
    describe_gauge!(
        "anhu_notifications_waiting",
        "Notifications that wait, by target; `devices` are receipts"
    );
    describe_gauge!("anhu_notifications_dead", "Notifications that were given up, by target");
    describe_counter!("anhu_notification_read_failures_total", "Times the outbox began to fail at reading");
    describe_gauge!("anhu_notification_read_failing", "1 while the outbox cannot read the journal");
    describe_counter!(
        "anhu_slow_streams_cut_total",
        "Streams of responders cut because they did not keep up"
    );
    describe_histogram!("anhu_decision_to_release_seconds", "From a decision until it left, flushed");
    describe_histogram!("anhu_engine_batch_jobs", "Jobs decided together");
    describe_histogram!("anhu_flushed_records", "Records that shared one flush");
    describe_gauge!("anhu_journal_tail_records", "Records a start would read beyond the last checkpoint");
    describe_histogram!("anhu_checkpoint_seconds", "How long it took to make a checkpoint");
    describe_counter!("anhu_journal_packed_total", "Segments packed, by journal");
    describe_counter!("anhu_journal_trimmed_total", "Packed segments removed because they were too old");
    describe_counter!("anhu_journal_upkeep_failed_total", "Times segments could not be packed or removed");
    describe_counter!("anhu_checkpoints_failed_total", "Checkpoints that could not be made");
    describe_counter!("anhu_watchdog_rounds_total", "Alerts the node sent itself, by how it went");
    describe_histogram!("anhu_watchdog_seconds", "From sending such an alert until each step was reached");
    describe_gauge!(
        "anhu_watchdog_last_success_timestamp_seconds",
        "When the last such alert went all the way"
    );
    describe_counter!("anhu_watchdog_pings_total", "Times the monitor elsewhere was told, by outcome");
    describe_gauge!("anhu_incidents_open", "Incidents that are not closed");
    describe_gauge!("anhu_incidents_waiting", "Incidents for which nobody is free");
    describe_gauge!("anhu_devices_online", "Devices whose last word was that they are online");
    describe_gauge!("anhu_watchers", "Streams open, by who watches");
    describe_gauge!("anhu_engine_room", "Commands that can still be queued");
    describe_gauge!("anhu_clock_ahead_seconds", "By how much time is ahead of the machine's clock");
    describe_gauge!("anhu_front_door_connections", "Devices connected");
}

pub(crate) fn message(way: &'static str) {
    counter!("anhu_messages_total", "way" => way).increment(1);
}

pub(crate) fn signal(content: &Content) {
    let content = match content {
        Content::Alert { .. } => "alert",
        Content::Restore { .. } => "restore",
        Content::Cancel => "cancel",
        Content::Telemetry { .. } => "telemetry",
        Content::Heartbeat { .. } => "heartbeat",
    };
    counter!("anhu_signals_total", "content" => content).increment(1);
}

pub(crate) fn unreadable(refusal: &devices::Refusal) {
    tracing::info!(reason = %refusal.reason, "a message could not be read; an operator sees it");
    counter!("anhu_unreadable_total").increment(1);
}

pub(crate) fn duplicates(count: usize) {
    if count > 0 {
        counter!("anhu_duplicates_total").increment(count as u64);
    }
}

/// A decision leaves, flushed or not, so long after it was taken.
pub(crate) fn left(after: Duration) {
    histogram!("anhu_decision_to_release_seconds").record(after);
}

/// Counts an event that leaves now.
pub(crate) fn event(event: &Event) {
    match event {
        Event::DutyChanged { .. } | Event::DrillModeChanged { .. } => {}
        Event::PolicyReplaced { version } => {
            tracing::info!(version, "this policy is in force");
            counter!("anhu_policies_total").increment(1);
        }
        Event::Incident { event, .. } => incident_event(event),
    }
}

fn incident_event(event: &IncidentEvent) {
    let change = |what: &'static str| counter!("anhu_incident_changes_total", "what" => what).increment(1);
    match event {
        IncidentEvent::Opened(opened) => {
            counter!("anhu_incidents_opened_total", "priority" => opened.priority.to_string()).increment(1);
        }
        IncidentEvent::AlertRaised(alert) => {
            counter!("anhu_alerts_total", "kind" => alert.kind.as_str()).increment(1);
        }
        IncidentEvent::WaveSent(wave) => {
            counter!("anhu_offers_total").increment(wave.chosen.len() as u64);
        }
        IncidentEvent::OfferAccepted { .. } => {
            counter!("anhu_offers_ended_total", "how" => "accepted").increment(1);
        }
        IncidentEvent::OfferEnded { end, .. } => {
            let how = match end {
                dispatch::OfferEnd::Declined(_) => "declined",
                dispatch::OfferEnd::Expired => "expired",
                dispatch::OfferEnd::Withdrawn(_) => "withdrawn",
                dispatch::OfferEnd::Failed(_) => "failed",
            };
            counter!("anhu_offers_ended_total", "how" => how).increment(1);
        }
        IncidentEvent::Escalated { .. } => counter!("anhu_escalations_total").increment(1),
        IncidentEvent::Closed { .. } => counter!("anhu_incidents_closed_total").increment(1),
        IncidentEvent::Merged { .. } => {
            change("merged");
            counter!("anhu_incidents_closed_total").increment(1);
        }
        IncidentEvent::TakenOver { .. } => change("taken_over"),
        IncidentEvent::Triaged { .. } => change("triaged"),
        IncidentEvent::HandedOver { .. } => change("handed_over"),
        IncidentEvent::Reopened { .. } => change("reopened"),
        IncidentEvent::Cancelled { .. } => change("cancelled"),
        IncidentEvent::SaidToBeWell { .. } => change("said_to_be_well"),
        IncidentEvent::AssignmentDoubted { .. } => change("assignment_doubted"),
        IncidentEvent::PriorityRaised { .. }
        | IncidentEvent::Restored { .. }
        | IncidentEvent::TimersArmed { .. }
        | IncidentEvent::OfferDelivered { .. }
        | IncidentEvent::OfferSeen { .. }
        | IncidentEvent::AssignmentAdvanced { .. }
        | IncidentEvent::AssignmentAborted { .. }
        | IncidentEvent::Acknowledged { .. }
        | IncidentEvent::SearchStopped { .. }
        | IncidentEvent::NoteAdded { .. }
        | IncidentEvent::Resolved { .. }
        | IncidentEvent::Absorbed { .. }
        | IncidentEvent::RespondersNeeded { .. } => {}
    }
}

pub(crate) fn engine_batch(jobs: usize) {
    if jobs > 0 {
        histogram!("anhu_engine_batch_jobs").record(jobs as f64);
    }
}

pub(crate) fn waiting(incidents: usize) {
    gauge!("anhu_incidents_waiting").set(incidents as f64);
}

pub(crate) fn retained_cancel() {
    counter!("anhu_retained_cancels_total").increment(1);
}

pub(crate) fn flushed(records: usize) {
    histogram!("anhu_flushed_records").record(records as f64);
}

/// Journals whose disk refuses, and whether what waited for it was given up: said once each, since every record would
/// say it again.
static REFUSED: Mutex<BTreeSet<(&str, bool)>> = Mutex::new(BTreeSet::new());

pub(crate) fn not_durable(journal: &'static str, failure: &journal::Failure) {
    counter!("anhu_not_durable_total").increment(1);
    let mut refused = REFUSED.lock().unwrap_or_else(PoisonError::into_inner);
    if refused.insert((journal, failure.given_up.is_some())) {
        tracing::error!(
            journal,
            %failure,
            "DEGRADED: the disk refuses; alerts are shown and dispatched, and not acknowledged"
        );
    }
}

/// Somebody has tried to sign in.
pub(crate) fn sign_in(succeeded: bool) {
    let outcome = if succeeded { "succeeded" } else { "failed" };
    counter!("anhu_sign_ins_total", "outcome" => outcome).increment(1);
}

/// Somebody has spoken for a device that is not theirs.
pub(crate) fn not_theirs() {
    tracing::warn!("a message for a device that is not its sender's was refused, and the connection ended");
    counter!("anhu_messages_not_theirs_total").increment(1);
}

/// Somebody has called what they may not.
pub(crate) fn refused_at_the_gate() {
    counter!("anhu_calls_refused_total").increment(1);
}

/// The opposite of [`not_durable`].
pub(crate) fn recovered(journal: &'static str, head: journal::Sequence) {
    REFUSED.lock().unwrap_or_else(PoisonError::into_inner).retain(|(refused, _)| *refused != journal);
    tracing::info!(
        journal,
        head = head.0,
        "the disk takes records again: all that waited is written, nothing is missing"
    );
    counter!("anhu_journal_recoveries_total", "journal" => journal).increment(1);
}

pub(crate) fn not_journaled(error: &journal::AppendError) {
    tracing::error!(%error, "DEGRADED: a decision could not be handed to the journal");
    counter!("anhu_not_durable_total").increment(1);
}

pub(crate) fn broken_invariant(what: &'static str) {
    debug_assert!(false, "{what}");
    tracing::error!(what, "a thing that must never happen has happened; please report it");
    counter!("anhu_broken_invariants_total").increment(1);
}

/// So many records stand behind the last checkpoint.
pub(crate) fn tail(records: u64) {
    gauge!("anhu_journal_tail_records").set(records as f64);
}

/// A checkpoint was made.
pub(crate) fn checkpoint(sequence: u64, took: Duration) {
    let took_ms = took.as_millis() as u64;
    tracing::info!(sequence, took_ms, "a checkpoint was kept: the next start reads on from here");
    histogram!("anhu_checkpoint_seconds").record(took);
}

/// A checkpoint could not be made. Nothing is lost by it, only the next start takes longer.
pub(crate) fn checkpoint_failed(error: &anyhow::Error) {
    tracing::warn!(
        error = format!("{error:#}"),
        "no checkpoint could be made; the next start reads more of the journal"
    );
    counter!("anhu_checkpoints_failed_total").increment(1);
}

/// Segments of a journal were packed.
pub(crate) fn packed(journal: &'static str, packed: &journal::Packed) {
    if packed.segments > 0 {
        let (segments, bytes, archive_bytes) = (packed.segments, packed.bytes, packed.archive_bytes);
        tracing::info!(journal, segments, bytes, archive_bytes, "old segments were packed");
        counter!("anhu_journal_packed_total", "journal" => journal).increment(segments as u64);
    }
}

/// Records that were older than the site keeps them were removed.
pub(crate) fn trimmed(trimmed: &journal::Trimmed) {
    if trimmed.archives > 0 {
        let (archives, upto) = (trimmed.archives, trimmed.upto.0);
        tracing::info!(archives, upto, "records older than keep_days were removed");
        counter!("anhu_journal_trimmed_total").increment(archives as u64);
    }
}

/// Old segments stay as they are for now. They only take more room.
pub(crate) fn not_put_away(journal: &'static str, error: &str) {
    tracing::warn!(
        journal,
        error,
        "old segments could not be packed or removed; tried again after the next checkpoint"
    );
    counter!("anhu_journal_upkeep_failed_total", "journal" => journal).increment(1);
}

/// A step of the node's alert to itself was reached, so long after it was sent.
pub(crate) fn watchdog_step(step: &'static str, after: Duration) {
    histogram!("anhu_watchdog_seconds", "step" => step).record(after);
}

/// The node's alert to itself went all the way, or got stuck.
pub(crate) fn watchdog_round(at: Timestamp, outcome: &Result<Duration, String>) {
    match outcome {
        Ok(_) => {
            counter!("anhu_watchdog_rounds_total", "how" => "well").increment(1);
            gauge!("anhu_watchdog_last_success_timestamp_seconds").set(at.0 as f64 / 1000.0);
        }
        Err(why) => {
            tracing::warn!(why, "WATCHDOG: an alert the node sent itself got stuck");
            counter!("anhu_watchdog_rounds_total", "how" => "stuck").increment(1);
        }
    }
}

/// The monitor elsewhere was told that a round went well, or could not be told; `changed` since the time before.
pub(crate) fn watchdog_ping(host: &str, outcome: &Result<(), String>, changed: bool) {
    match outcome {
        Ok(()) => {
            if changed {
                tracing::info!(host, "the monitor is told again that all is well");
            }
            counter!("anhu_watchdog_pings_total", "outcome" => "told").increment(1);
        }
        Err(trouble) => {
            if changed {
                tracing::warn!(
                    host,
                    trouble,
                    "the monitor cannot be told that all is well, and may call somebody"
                );
            }
            counter!("anhu_watchdog_pings_total", "outcome" => "failed").increment(1);
        }
    }
}

/// At the start there is no way to a system outside.
pub(crate) fn no_way(what: &'static str, name: &str, fault: &str) {
    tracing::error!(
        what,
        name,
        fault,
        "cannot be told of anything; alerts are served, and each try looks anew"
    );
}

pub(crate) fn receipts_dropped(count: usize) {
    counter!("anhu_receipts_dropped_total").increment(count as u64);
}

/// What became of a receipt: `heard`, or `stopped` because it was not so any more.
pub(crate) fn receipts(what: &'static str, count: usize) {
    if count > 0 {
        counter!("anhu_receipts_total", "what" => what).increment(count as u64);
    }
}

/// What became of a notification: `made`, `taken`, `failed`, `stopped` or `dead`.
pub(crate) fn notification(target: &str, what: &'static str) {
    counter!("anhu_notifications_total", "target" => target.to_owned(), "what" => what).increment(1);
}

/// A webhook has it, so long after it was decided.
pub(crate) fn notified(target: &str, after: Millis) {
    notification(target, "taken");
    histogram!("anhu_notification_seconds").record(after.0 as f64 / 1000.0);
}

/// A notification is given up.
pub(crate) fn notification_dead(target: &str, event: &'static str, cause: &str) {
    tracing::warn!(target, event, cause, "a notification did not get through and is given up");
    notification(target, "dead");
}

/// A webhook does not take anything any more.
pub(crate) fn webhook_down(target: &str, trouble: &str) {
    tracing::warn!(target, trouble, "a webhook is down; what it should be told waits");
}

/// A webhook takes notifications again.
pub(crate) fn webhook_up(target: &str) {
    tracing::info!(target, "a webhook is up again");
}

/// The disk refused the events, and too many wait to tell them from memory.
pub(crate) fn news_lost(events: usize) {
    counter!("anhu_notification_news_lost_total").increment(events as u64);
}

/// A record of the journal is of a form that the outbox does not know.
pub(crate) fn news_unreadable(why: &str) {
    tracing::error!(
        why,
        "the outbox does not understand a record of the journal; nobody outside is told of it"
    );
    counter!("anhu_notification_news_lost_total").increment(1);
}

/// The outbox has begun to fail at reading the journal from this record on.
pub(crate) fn news_waits(from: u64, why: &str) {
    tracing::error!(
        from,
        why,
        "the outbox cannot read the journal; it tries again, and tells what is new meanwhile"
    );
    counter!("anhu_notification_read_failures_total").increment(1);
    gauge!("anhu_notification_read_failing").set(1.0);
}

/// The outbox can read the journal again.
pub(crate) fn news_readable() {
    tracing::info!("the outbox can read the journal again");
    gauge!("anhu_notification_read_failing").set(0.0);
}

/// Said once, for nothing is kept any more until the next start. It is worked out again from the journal then, so nothing
/// is lost.
pub(crate) fn outbox_not_kept(error: &store::StoreError) {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        tracing::warn!(%error, "the state store does not take the outbox; the next start repeats more notifications");
    });
}

/// Said once, for nothing is kept any more until the next start. The next heartbeats mend it.
pub(crate) fn presence_not_kept(error: &store::StoreError) {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        tracing::warn!(%error, "the state store does not take when devices were last heard; a restart knows less of it");
    });
}

/// How much waits for a target, and how much was given up.
pub(crate) fn outbox_level(target: &str, waiting: usize, dead: usize) {
    gauge!("anhu_notifications_waiting", "target" => target.to_owned()).set(waiting as f64);
    gauge!("anhu_notifications_dead", "target" => target.to_owned()).set(dead as f64);
}

pub(crate) fn slow_responder_cut() {
    counter!("anhu_slow_streams_cut_total").increment(1);
}

pub(crate) fn position(accepted: bool) {
    let what = if accepted { "accepted" } else { "ignored" };
    counter!("anhu_positions_total", "what" => what).increment(1);
}

/// Something happened on a link to another broker.
pub(crate) fn link(name: &str, event: &'static str) {
    counter!("anhu_link_events_total", "link" => name.to_owned(), "event" => event).increment(1);
}

/// Time has come to be far ahead of the machine's clock, or is so no more.
pub(crate) fn clock(trouble: Option<&str>) {
    match trouble {
        Some(trouble) => tracing::error!("time is {trouble}"),
        None => tracing::info!("time is not ahead of this machine's clock any more"),
    }
}

/// What is read rather than counted, just before `/metrics` answers.
pub(crate) struct Levels {
    pub(crate) incidents_open: usize,
    pub(crate) devices_online: usize,
    pub(crate) consoles: usize,
    pub(crate) responders: usize,
    pub(crate) engine_room: usize,
    pub(crate) clock_ahead: Millis,
}

pub(crate) fn levels(levels: &Levels, door: &frontdoor::Counters) {
    gauge!("anhu_incidents_open").set(levels.incidents_open as f64);
    gauge!("anhu_devices_online").set(levels.devices_online as f64);
    gauge!("anhu_watchers", "who" => "console").set(levels.consoles as f64);
    gauge!("anhu_watchers", "who" => "responder").set(levels.responders as f64);
    gauge!("anhu_engine_room").set(levels.engine_room as f64);
    gauge!("anhu_clock_ahead_seconds").set(levels.clock_ahead.0 as f64 / 1000.0);
    for (event, count) in door.all() {
        if event == "connections_now" {
            gauge!("anhu_front_door_connections").set(count as f64);
        } else {
            counter!("anhu_front_door_total", "event" => event).absolute(count);
        }
    }
}
