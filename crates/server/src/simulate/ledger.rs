//! Ledger: what became of each alert, as seen from outside?

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use wire::v1;

use super::report::{Latencies, Summary};

/// Every alert that was sent, and every incident that came of them.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    /// By the id the device gave it.
    alerts: HashMap<String, Alert>,
    /// By name.
    incidents: HashMap<String, Incident>,
    repeated: u64,
    accept_calls: Vec<Duration>,
    /// Alerts acknowledged or seen that were not yet.
    not_acked: usize,
    not_seen: usize,
}

#[derive(Debug)]
struct Alert {
    sent: Instant,
    acked: Option<Instant>,
    incident: Option<String>,
    /// The numbers the server gave it: more than one when it was entered twice.
    entered: Vec<u64>,
}

#[derive(Debug, Default)]
struct Incident {
    /// The alert that opened it, if it is one of ours.
    opened_by: Option<String>,
    offered: Option<Instant>,
    accepted: Option<Instant>,
}

impl Ledger {
    /// A device sends the alert; the second time it is a repetition.
    pub(super) fn sent(&self, id: &str) {
        let mut pages = self.pages();
        if pages.alerts.contains_key(id) {
            pages.repeated += 1;
            return;
        }
        let alert = Alert { sent: Instant::now(), acked: None, incident: None, entered: Vec::new() };
        pages.alerts.insert(id.to_owned(), alert);
        pages.not_acked += 1;
        pages.not_seen += 1;
    }

    /// The front door has acknowledged the alert.
    pub(super) fn acked(&self, id: &str) {
        let mut pages = self.pages();
        let Some(alert) = pages.alerts.get_mut(id).filter(|alert| alert.acked.is_none()) else { return };
        alert.acked = Some(Instant::now());
        pages.not_acked -= 1;
    }

    /// The hotline shows an incident.
    pub(super) fn shown(&self, incident: &v1::Incident) {
        let mut guard = self.pages();
        let pages = &mut *guard;
        for (index, shown) in incident.alerts.iter().enumerate() {
            let Some(alert) = pages.alerts.get_mut(&shown.source_id) else { continue };
            if !alert.entered.contains(&shown.alert_id) {
                alert.entered.push(shown.alert_id);
            }
            if alert.incident.is_none() {
                alert.incident = Some(incident.name.clone());
                pages.not_seen -= 1;
                let known = pages.incidents.entry(incident.name.clone()).or_default();
                if index == 0 {
                    known.opened_by = Some(shown.source_id.clone());
                }
            }
        }
    }

    /// A responder's app shows an offer.
    pub(super) fn offered(&self, incident: &str) {
        let mut pages = self.pages();
        pages.incidents.entry(incident.to_owned()).or_default().offered.get_or_insert_with(Instant::now);
    }

    /// A responder has accepted; `call` is how long the server took to say so.
    pub(super) fn accepted(&self, incident: &str, call: Duration) {
        let mut pages = self.pages();
        pages.incidents.entry(incident.to_owned()).or_default().accepted.get_or_insert_with(Instant::now);
        pages.accept_calls.push(call);
    }

    /// Alerts sent, acknowledged and seen until now.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let pages = self.pages();
        let sent = pages.alerts.len();
        (sent, sent - pages.not_acked, sent - pages.not_seen)
    }

    /// Alerts that were acknowledged and that nobody has seen.
    pub(super) fn lost(&self) -> u64 {
        self.pages().lost()
    }

    /// Every alert was acknowledged and seen.
    pub(super) fn is_received(&self) -> bool {
        let pages = self.pages();
        pages.not_acked == 0 && pages.not_seen == 0
    }

    /// Every alert was offered to somebody.
    pub(super) fn is_offered(&self) -> bool {
        let pages = self.pages();
        let offered = |alert| pages.incident_of(alert).is_some_and(|incident| incident.offered.is_some());
        pages.alerts.values().all(offered)
    }

    /// Everything summed up.
    pub(super) fn summary(&self) -> Summary {
        let pages = self.pages();
        let mut latencies = Latencies::default();
        for alert in pages.alerts.values() {
            latencies
                .publish_to_ack
                .take(alert.acked.map(|acked| acked.saturating_duration_since(alert.sent)));
        }
        for incident in pages.incidents.values() {
            let opened_by = incident.opened_by.as_ref().and_then(|id| pages.alerts.get(id));
            let Some((opened_by, offered)) = opened_by.zip(incident.offered) else { continue };
            latencies.publish_to_offer.take(Some(offered.saturating_duration_since(opened_by.sent)));
            let accepted = incident.accepted.map(|accepted| accepted.saturating_duration_since(offered));
            latencies.offer_to_accepted.take(accepted);
        }
        for call in &pages.accept_calls {
            latencies.accept_call.take(Some(*call));
        }
        let with = |has: fn(&Incident) -> bool| {
            pages.alerts.values().filter(|alert| pages.incident_of(alert).is_some_and(has)).count() as u64
        };
        let entered_twice =
            pages.alerts.values().map(|alert| alert.entered.len().saturating_sub(1) as u64).sum();
        Summary {
            sent: pages.alerts.len() as u64,
            repeated: pages.repeated,
            acked: (pages.alerts.len() - pages.not_acked) as u64,
            received: (pages.alerts.len() - pages.not_seen) as u64,
            offered: with(|incident| incident.offered.is_some()),
            accepted: with(|incident| incident.accepted.is_some()),
            duplicates: entered_twice,
            lost: pages.lost(),
            latencies,
        }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn lost(&self) -> u64 {
        self.alerts.values().filter(|alert| alert.acked.is_some() && alert.incident.is_none()).count() as u64
    }

    fn incident_of(&self, alert: &Alert) -> Option<&Incident> {
        self.incidents.get(alert.incident.as_ref()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incident(name: &str, alerts: &[(u64, &str)]) -> v1::Incident {
        let alert = |(alert_id, id): &(u64, &str)| v1::Alert {
            alert_id: *alert_id,
            source_id: (*id).to_owned(),
            ..v1::Alert::default()
        };
        v1::Incident {
            name: name.to_owned(),
            alerts: alerts.iter().map(alert).collect(),
            ..v1::Incident::default()
        }
    }

    #[test]
    fn an_alert_is_lost_when_it_was_acknowledged_and_nobody_saw_it() {
        let ledger = Ledger::default();
        ["a", "b", "c"].into_iter().for_each(|id| ledger.sent(id));
        ["a", "b"].into_iter().for_each(|id| ledger.acked(id));
        ledger.shown(&incident("incidents/1", &[(1, "a")]));
        let summary = ledger.summary();
        assert_eq!((summary.sent, summary.acked, summary.received, summary.lost), (3, 2, 1, 1));
        ledger.shown(&incident("incidents/1", &[(1, "a"), (2, "b")]));
        assert_eq!(ledger.lost(), 0);
        assert!(!ledger.is_received(), "c was never acknowledged");
    }

    #[test]
    fn a_repetition_is_a_duplicate_only_when_the_server_enters_it_twice() {
        let ledger = Ledger::default();
        ["a", "a", "b", "b"].into_iter().for_each(|id| ledger.sent(id));
        ledger.shown(&incident("incidents/1", &[(1, "a")]));
        ledger.shown(&incident("incidents/1", &[(1, "a")]));
        ledger.shown(&incident("incidents/2", &[(2, "b"), (3, "b")]));
        let summary = ledger.summary();
        assert_eq!((summary.sent, summary.repeated, summary.duplicates), (2, 2, 1));
    }

    #[test]
    fn an_offer_may_be_seen_before_its_incident() {
        let ledger = Ledger::default();
        ledger.sent("a");
        ledger.offered("incidents/1");
        ledger.accepted("incidents/1", Duration::from_millis(3));
        ledger.shown(&incident("incidents/1", &[(1, "a")]));
        ledger.acked("a");
        let summary = ledger.summary();
        assert_eq!((summary.offered, summary.accepted), (1, 1));
        assert_eq!(summary.latencies.publish_to_offer.count(), 1);
        assert!(ledger.is_received() && ledger.is_offered());
    }
}
