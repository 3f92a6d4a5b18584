//! Notes: what everybody outside the server knows, and what follows from it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use wire::v1;

use super::Outcome;

/// After everything is acknowledged, the streams have fallen silent when they show nothing new for so long.
const SILENCE: Duration = Duration::from_secs(2);

/// What devices, helpers and operators wrote down.
#[derive(Debug, Default)]
pub(super) struct Notes(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    acked: HashSet<String>,
    resent: usize,
    /// In which incidents each alert was shown, and under which of the server's own numbers.
    seen_in: HashMap<String, BTreeSet<(String, u64)>>,
    /// The latest that was shown of each incident.
    incidents: BTreeMap<String, v1::Incident>,
    /// Who was sent to each incident, as the helpers say.
    sent: BTreeMap<String, BTreeSet<String>>,
    /// The console has been sent everything that changed while it was away.
    caught_up: bool,
    /// When something was shown last that had not been shown before.
    news: Option<Instant>,
}

impl Notes {
    /// The front door has acknowledged the alert.
    pub(super) fn acknowledged(&self, alert: String) {
        self.pages().acked.insert(alert);
    }

    /// A device sends an alert once more.
    pub(super) fn resent(&self) {
        self.pages().resent += 1;
    }

    /// How many alerts are acknowledged.
    pub(super) fn acked(&self) -> usize {
        self.pages().acked.len()
    }

    /// A helper has an assignment.
    pub(super) fn assigned(&self, incident: &str, responder: &str) {
        self.pages().sent.entry(incident.to_owned()).or_default().insert(responder.to_owned());
    }

    /// An operator's stream shows an incident.
    pub(super) fn shown(&self, incident: v1::Incident) {
        let mut pages = self.pages();
        let mut news = false;
        for alert in &incident.alerts {
            let place = (incident.name.clone(), alert.alert_id);
            news |= pages.seen_in.entry(alert.source_id.clone()).or_default().insert(place);
        }
        let known = pages.incidents.get(&incident.name);
        if known.is_none_or(|known| known.revision <= incident.revision) {
            news |= known.is_none_or(|known| known.revision < incident.revision);
            pages.incidents.insert(incident.name.clone(), incident);
        }
        if news {
            pages.news = Some(Instant::now());
        }
    }

    /// Whether the console knows everything up to now.
    pub(super) fn caught_up(&self, is: bool) {
        let mut pages = self.pages();
        pages.caught_up = is;
        pages.news = Some(Instant::now());
    }

    /// Whether everything acknowledged has been shown and every helper is done, or nothing new is shown any more.
    pub(super) fn is_quiet(&self) -> bool {
        let pages = self.pages();
        let silent = pages.caught_up && pages.news.is_none_or(|news| news.elapsed() > SILENCE);
        silent
            || pages.lost().is_empty()
                && pages.incidents.values().all(|incident| incident.resolved_at.is_some())
    }

    /// What came of it.
    pub(super) fn outcome(&self, kills: usize, back: (Duration, Duration), took: Duration) -> Outcome {
        let pages = self.pages();
        let doubled = pages.seen_in.iter().filter(|(alert, places)| !alert.is_empty() && places.len() > 1);
        Outcome {
            kills,
            alerts: pages.acked.len(),
            resent: pages.resent,
            incidents: pages.incidents.len(),
            assignments: pages.sent.values().map(BTreeSet::len).sum(),
            lost: pages.lost(),
            doubled: doubled.map(|(alert, places)| format!("{alert} stands at {places:?}")).collect(),
            double_dispatched: pages.double_dispatched(),
            back,
            took,
        }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn lost(&self) -> Vec<String> {
        self.acked.iter().filter(|alert| !self.seen_in.contains_key(*alert)).cloned().collect()
    }

    /// Who had two jobs at once, and which incidents had two helpers at once though one was enough. One after the other is
    /// right: who presses again when the first has gone needs somebody again.
    fn double_dispatched(&self) -> Vec<String> {
        let mut of_responder: BTreeMap<&str, Vec<Job<'_>>> = BTreeMap::new();
        let mut of_incident: BTreeMap<&str, Vec<Job<'_>>> = BTreeMap::new();
        for incident in self.incidents.values() {
            for going in &incident.assignments {
                let begun = going.accepted_at.as_ref().map_or(0, milliseconds);
                let ended = going.ended_at.as_ref().map_or(i64::MAX, milliseconds);
                of_responder.entry(&going.responder).or_default().push((begun, ended, &incident.name));
                of_incident.entry(&incident.name).or_default().push((begun, ended, &going.responder));
            }
        }
        let mut found = Vec::new();
        for (whose, mut jobs) in of_responder.into_iter().chain(of_incident) {
            jobs.sort_unstable();
            let overlaps = jobs.windows(2).filter(|pair| pair[1].0 < pair[0].1);
            found.extend(overlaps.map(|pair| format!("{whose} had {} and {} at once", pair[0].2, pair[1].2)));
        }
        let unknown = self.sent.iter().flat_map(|(incident, who)| who.iter().map(move |who| (incident, who)));
        let shown = |incident: &str, who: &str| {
            let shown = self.incidents.get(incident);
            shown.is_some_and(|shown| shown.assignments.iter().any(|going| going.responder == who))
        };
        let unknown = unknown.filter(|(incident, who)| !shown(incident, who));
        found.extend(
            unknown.map(|(incident, who)| format!("{who} went to {incident}, and no stream shows it")),
        );
        found
    }
}

/// From when until when, in milliseconds, and where or who.
type Job<'a> = (i64, i64, &'a str);

fn milliseconds(time: &prost_types::Timestamp) -> i64 {
    time.seconds * 1000 + i64::from(time.nanos) / 1_000_000
}
