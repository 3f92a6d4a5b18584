//! State: everything open in one county, and the indexes that keep every look-up short.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use model::{AlertId, IncidentId, Kind, Metres, OfferId, Place, ResponderId, Timestamp};
use roster::{Duty, Idle};
use serde::{Deserialize, Serialize};

use crate::{
    event::{Event, IncidentEvent, MessageKey, Subject},
    incident::Incident,
    recent::Recent,
    waiting::{Waiting, Waits},
    window::Window,
};

/// Everything open in one county. Changed by [`State::evolve`] alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    incidents: Window<Box<Incident>>,
    /// The incidents of each subject that are not closed, oldest first. Looked up by subject only, never listed, so the
    /// order of the hash map cannot reach a decision.
    of_subject: HashMap<Subject, Vec<IncidentId>>,
    offers: Window<IncidentId>,
    bound: BTreeMap<ResponderId, IncidentId>,
    duty: BTreeMap<ResponderId, Duty>,
    turnout: Turnout,
    idle: BTreeMap<ResponderId, Idle>,
    /// What is due next of each incident, but for searches.
    deadlines: BTreeSet<(Timestamp, IncidentId)>,
    /// When somebody is looked for next, for each incident that looks for somebody.
    searches: BTreeSet<(Timestamp, IncidentId)>,
    waiting: Waiting,
    recent: Recent,
    drill: bool,
    policy: String,
    next_incident: u64,
    next_alert: u64,
    next_offer: u64,
}

/// How many responders are at work, and how many are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Turnout {
    /// At work, free or bound.
    pub(crate) on_duty: u32,
    /// At work and resting.
    pub(crate) on_break: u32,
    /// At home after having been on duty once.
    pub(crate) off_duty: u32,
}

impl Turnout {
    fn count(&mut self, duty: Duty) -> &mut u32 {
        match duty {
            Duty::OnDuty => &mut self.on_duty,
            Duty::OnBreak => &mut self.on_break,
            Duty::OffDuty => &mut self.off_duty,
        }
    }
}

/// What somebody needs: a person's help, or a technician's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Need {
    Care,
    Technical,
}

impl Need {
    pub(crate) fn of(kind: Kind) -> Self {
        match kind {
            Kind::DeviceOffline | Kind::LowBattery | Kind::Tamper | Kind::LinkTest => Self::Technical,
            Kind::Sos
            | Kind::Fall
            | Kind::Smoke
            | Kind::Gas
            | Kind::CarbonMonoxide
            | Kind::VitalCritical
            | Kind::VitalAbnormal
            | Kind::BedExit
            | Kind::Inactivity
            | Kind::GeofenceExit
            | Kind::WaterLeak
            | Kind::MissedCheckIn
            | Kind::DoorOpen
            | Kind::Unreadable => Self::Care,
        }
    }
}

impl State {
    /// Writes `event`, decided at `at`, down. Total: an event about something unknown changes nothing.
    pub fn evolve(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::DutyChanged { responder, duty } => self.duty_changed(at, *responder, *duty),
            Event::DrillModeChanged { on } => self.drill = *on,
            Event::PolicyReplaced { version } => self.policy.clone_from(version),
            Event::Incident { incident, event } => self.evolve_incident(*incident, at, event),
        }
    }

    /// When something happens next by itself, in any incident.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let first = [&self.deadlines, &self.searches].map(BTreeSet::first);
        first.into_iter().flatten().map(|(due, _)| *due).min()
    }

    /// The incident, unless it is closed or never was.
    #[must_use]
    pub fn incident(&self, id: IncidentId) -> Option<&Incident> {
        self.incidents.get(id.0).map(Box::as_ref)
    }

    /// Every incident that is not closed, oldest first.
    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.iter().map(Box::as_ref)
    }

    /// The duty of a responder; off duty when never said.
    #[must_use]
    pub fn duty(&self, responder: ResponderId) -> Duty {
        self.duty.get(&responder).copied().unwrap_or(Duty::OffDuty)
    }

    /// Every responder whose duty was ever said.
    pub fn duties(&self) -> impl Iterator<Item = (ResponderId, Duty)> {
        self.duty.iter().map(|(responder, duty)| (*responder, *duty))
    }

    /// Since when a responder has had nothing to do, and when the last job ended.
    #[must_use]
    pub fn idle(&self, responder: ResponderId) -> Idle {
        self.idle.get(&responder).copied().unwrap_or_default()
    }

    /// Who is bound to an incident by an offer or an assignment.
    pub fn bound(&self) -> impl Iterator<Item = (ResponderId, IncidentId)> {
        self.bound.iter().map(|(responder, incident)| (*responder, *incident))
    }

    /// The incident that binds a responder by an offer or an assignment.
    #[must_use]
    pub fn incident_of(&self, responder: ResponderId) -> Option<&Incident> {
        self.bound.get(&responder).and_then(|id| self.incident(*id))
    }

    /// Whether alerts are exercises at the moment.
    #[must_use]
    pub fn drill(&self) -> bool {
        self.drill
    }

    /// The version of the policy in force; empty before the first.
    #[must_use]
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// How many incidents wait for somebody to become free.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many are on duty, on a break and off duty.
    pub(crate) fn turnout(&self) -> Turnout {
        self.turnout
    }

    pub(crate) fn incident_of_offer(&self, offer: OfferId) -> Option<&Incident> {
        self.offers.get(offer.0).and_then(|id| self.incident(*id))
    }

    /// The incidents of `subject` that are not closed and of the same sort: the newest first.
    pub(crate) fn incidents_of<'a>(
        &'a self,
        subject: &Subject,
        need: Need,
        exercise: bool,
    ) -> impl Iterator<Item = &'a Incident> {
        let ids = self.of_subject.get(subject).map_or(&[][..], Vec::as_slice);
        let known = ids.iter().rev().filter_map(|id| self.incident(*id));
        known.filter(move |incident| incident.exercise == exercise && Need::of(incident.kind) == need)
    }

    pub(crate) fn heard(&self, key: MessageKey) -> Option<IncidentId> {
        self.recent.incident_of(key)
    }

    /// What is due first but for searches, and when it was, unless that is after `now`.
    pub(crate) fn first_due(&self, now: Timestamp) -> Option<(Timestamp, &Incident)> {
        let (due, id) = self.deadlines.first().filter(|(due, _)| *due <= now)?;
        self.incident(*id).map(|incident| (*due, incident))
    }

    /// The searches that are due, those due first before the others, and when that was.
    pub(crate) fn due_searches(&self, now: Timestamp) -> impl Iterator<Item = (Timestamp, &Incident)> {
        let due = self.searches.range(..=(now, IncidentId(u64::MAX)));
        due.filter_map(|(due, id)| self.incident(*id).map(|incident| (*due, incident)))
    }

    /// The incidents near `at` that wait for somebody and are of a kind that is `able`, see [`Waiting::near`].
    pub(crate) fn waiting_near(
        &self,
        at: Place,
        reach: Metres,
        able: impl Fn(Kind) -> bool,
    ) -> impl Iterator<Item = &Incident> {
        self.waiting.near(at, reach, able).into_iter().filter_map(|id| self.incident(id))
    }

    pub(crate) fn next_incident(&self) -> IncidentId {
        IncidentId(self.next_incident + 1)
    }

    pub(crate) fn next_alert(&self) -> AlertId {
        AlertId(self.next_alert + 1)
    }

    pub(crate) fn next_offer(&self) -> OfferId {
        OfferId(self.next_offer + 1)
    }

    fn duty_changed(&mut self, at: Timestamp, responder: ResponderId, duty: Duty) {
        let was = self.duty.insert(responder, duty);
        if responder == ResponderId::WATCHDOG {
            return;
        }
        if let Some(was) = was {
            *self.turnout.count(was) -= 1;
        }
        *self.turnout.count(duty) += 1;
        if duty == Duty::OnDuty {
            self.idle.entry(responder).or_default().since = Some(at);
        }
    }

    fn evolve_incident(&mut self, id: IncidentId, at: Timestamp, event: &IncidentEvent) {
        if let IncidentEvent::Opened(opened) = event {
            self.next_incident = self.next_incident.max(id.0);
            if self.incidents.insert(id.0, Box::new(Incident::opened(id, at, opened))) {
                self.is_of(id, &opened.subject);
            }
        }
        let Some(incident) = self.incidents.get_mut(id.0) else { return };
        let before = Standing::of(incident);
        incident.evolve(event);
        let after = Standing::of(incident);
        self.stands(id, before, after);
        self.index(id, at, event);
    }

    /// Puts an incident where it stands now in the queues that show it.
    fn stands(&mut self, id: IncidentId, before: Standing, after: Standing) {
        let move_in = |queue: &mut BTreeSet<(Timestamp, IncidentId)>, from: Option<_>, to: Option<_>| {
            if from != to {
                queue.extend(to.map(|due| (due, id)));
                if let Some(due) = from {
                    queue.remove(&(due, id));
                }
            }
        };
        move_in(&mut self.deadlines, before.deadline, after.deadline);
        move_in(&mut self.searches, before.search, after.search);
        if before.waits != after.waits {
            if let Some(waits) = before.waits {
                self.waiting.remove(waits);
            }
            if let Some(waits) = after.waits {
                self.waiting.insert(waits);
            }
        }
    }

    fn index(&mut self, id: IncidentId, at: Timestamp, event: &IncidentEvent) {
        if let Some(responder) = event.frees() {
            self.bound.remove(&responder);
            if event.ends_job() {
                // Whoever is nobody needs no rest.
                let job_ended_at = (responder != ResponderId::WATCHDOG).then_some(at);
                self.idle.insert(responder, Idle { since: Some(at), job_ended_at });
            }
        }
        if let IncidentEvent::AlertRaised(alert) = event {
            self.next_alert = self.next_alert.max(alert.alert.0);
            if let Some(key) = alert.key {
                self.recent.remember(key, id, at);
            }
        }
        if let IncidentEvent::Cancelled { key: Some(key), .. }
        | IncidentEvent::SaidToBeWell { key: Some(key), .. } = event
        {
            self.recent.remember(*key, id, at);
        }
        if let IncidentEvent::WaveSent(wave) = event {
            for chosen in &wave.chosen {
                self.next_offer = self.next_offer.max(chosen.offer.0);
                self.offers.insert(chosen.offer.0, id);
                self.bound.insert(chosen.responder, id);
            }
        }
        if let IncidentEvent::Merged { into, .. } = event {
            self.joins(id, *into);
        }
        if let IncidentEvent::Closed { .. } | IncidentEvent::Merged { .. } = event {
            self.forget(id);
        }
    }

    /// Whatever could join `merged` may join `into`.
    fn joins(&mut self, merged: IncidentId, into: IncidentId) {
        let Some(known) = self.incident(merged) else { return };
        let mut subjects = known.also.clone();
        subjects.push(known.subject.clone());
        let Some(target) = self.incidents.get_mut(into.0) else { return };
        target.also.extend(subjects.iter().cloned());
        for subject in &subjects {
            self.is_of(into, subject);
        }
    }

    /// What `subject` reports may join `id`.
    fn is_of(&mut self, id: IncidentId, subject: &Subject) {
        let ids = self.of_subject.entry(subject.clone()).or_default();
        if let Err(place) = ids.binary_search(&id) {
            ids.insert(place, id);
        }
    }

    fn forget(&mut self, id: IncidentId) {
        let Some(incident) = self.incidents.remove(id.0) else { return };
        for offer in incident.offers.keys() {
            self.offers.remove(offer.0);
        }
        for subject in incident.also.iter().chain([&incident.subject]) {
            let Some(ids) = self.of_subject.get_mut(subject) else { continue };
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.of_subject.remove(subject);
            }
        }
    }
}

/// Where an incident stands in the queues.
#[derive(Clone, Copy)]
struct Standing {
    deadline: Option<Timestamp>,
    search: Option<Timestamp>,
    waits: Option<Waits>,
}

impl Standing {
    fn of(incident: &Incident) -> Self {
        let waits = incident.place.filter(|_| incident.waits_for_somebody());
        Self {
            deadline: incident.timer_deadline(),
            search: incident.search_deadline(),
            waits: waits.map(|at| Waits::new(at, incident.kind, incident.priority, incident.id)),
        }
    }
}
