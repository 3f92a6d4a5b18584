//! State: everything open in one county, and the indexes that keep every look-up short.

use std::collections::{BTreeMap, BTreeSet};

use model::{AlertId, IncidentId, Kind, OfferId, Priority, ResponderId, Timestamp};
use roster::Duty;
use serde::{Deserialize, Serialize};

use crate::{
    event::{Event, IncidentEvent, MessageKey, Subject},
    incident::Incident,
    recent::Recent,
};

/// Everything open in one county. Changed by [`State::evolve`] alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    incidents: BTreeMap<IncidentId, Incident>,
    newest: BTreeMap<Case, IncidentId>,
    offers: BTreeMap<OfferId, IncidentId>,
    bound: BTreeMap<ResponderId, IncidentId>,
    duty: BTreeMap<ResponderId, Duty>,
    deadlines: BTreeSet<(Timestamp, IncidentId)>,
    waiting: BTreeSet<(Priority, IncidentId)>,
    recent: Recent,
    drill: bool,
    next_incident: u64,
    next_alert: u64,
    next_offer: u64,
}

/// What makes two alerts one case: the same subject, the same need, and both real or both exercise.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) subject: Subject,
    pub(crate) need: Need,
    pub(crate) exercise: bool,
}

/// What somebody needs: a person's help, or a technician's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
            Event::DutyChanged { responder, duty } => {
                self.duty.insert(*responder, *duty);
            }
            Event::DrillModeChanged { on } => self.drill = *on,
            Event::Incident { incident, event } => self.evolve_incident(*incident, at, event),
        }
    }

    /// When something happens next by itself, in any incident.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(due, _)| *due)
    }

    /// The incident, unless it is closed or never was.
    #[must_use]
    pub fn incident(&self, id: IncidentId) -> Option<&Incident> {
        self.incidents.get(&id)
    }

    /// Every incident that is not closed, oldest first.
    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.values()
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

    /// Who is bound to an incident by an offer or an assignment.
    pub fn bound(&self) -> impl Iterator<Item = (ResponderId, IncidentId)> {
        self.bound.iter().map(|(responder, incident)| (*responder, *incident))
    }

    /// The incident that binds a responder by an offer or an assignment.
    #[must_use]
    pub fn incident_of(&self, responder: ResponderId) -> Option<&Incident> {
        self.bound.get(&responder).and_then(|id| self.incidents.get(id))
    }

    /// Whether alerts are exercises at the moment.
    #[must_use]
    pub fn drill(&self) -> bool {
        self.drill
    }

    pub(crate) fn incident_of_offer(&self, offer: OfferId) -> Option<&Incident> {
        self.offers.get(&offer).and_then(|id| self.incidents.get(id))
    }

    pub(crate) fn newest(&self, case: &Case) -> Option<&Incident> {
        self.newest.get(case).and_then(|id| self.incidents.get(id))
    }

    pub(crate) fn heard(&self, key: MessageKey) -> Option<IncidentId> {
        self.recent.incident_of(key)
    }

    /// What is due first, and when it was, unless that is after `now`.
    pub(crate) fn first_due(&self, now: Timestamp) -> Option<(Timestamp, &Incident)> {
        let (due, id) = self.deadlines.first().filter(|(due, _)| *due <= now)?;
        self.incidents.get(id).map(|incident| (*due, incident))
    }

    /// The incidents that wait for somebody to become free: the most urgent first, then the oldest.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Incident> {
        self.waiting.iter().filter_map(|(_, id)| self.incidents.get(id))
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

    fn evolve_incident(&mut self, id: IncidentId, at: Timestamp, event: &IncidentEvent) {
        let before = self.incidents.get(&id).and_then(Incident::next_deadline);
        let waited = self.incidents.get(&id).and_then(waits_as);
        if let IncidentEvent::Opened(opened) = event {
            let case = Case {
                subject: opened.subject.clone(),
                need: Need::of(opened.kind),
                exercise: opened.exercise,
            };
            self.next_incident = self.next_incident.max(id.0);
            self.newest.insert(case, id);
            self.incidents.insert(id, Incident::opened(id, at, opened));
        }
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        incident.evolve(event);
        self.index(id, at, event);
        let after = self.incidents.get(&id).and_then(Incident::next_deadline);
        if before != after {
            self.deadlines.extend(after.map(|due| (due, id)));
            if let Some(due) = before {
                self.deadlines.remove(&(due, id));
            }
        }
        let waits = self.incidents.get(&id).and_then(waits_as);
        if waited != waits {
            self.waiting.extend(waits);
            if let Some(waited) = waited {
                self.waiting.remove(&waited);
            }
        }
    }

    fn index(&mut self, id: IncidentId, at: Timestamp, event: &IncidentEvent) {
        if let Some(responder) = event.frees() {
            self.bound.remove(&responder);
        }
        if let IncidentEvent::AlertRaised(alert) = event {
            self.next_alert = self.next_alert.max(alert.alert.0);
            if let Some(key) = alert.key {
                self.recent.remember(key, id, at);
            }
        }
        if let IncidentEvent::WaveSent(wave) = event {
            for chosen in &wave.chosen {
                self.next_offer = self.next_offer.max(chosen.offer.0);
                self.offers.insert(chosen.offer, id);
                self.bound.insert(chosen.responder, id);
            }
        }
        if let IncidentEvent::Closed { .. } = event {
            self.forget(id);
        }
    }

    fn forget(&mut self, id: IncidentId) {
        let Some(incident) = self.incidents.remove(&id) else { return };
        for offer in incident.offers.keys() {
            self.offers.remove(offer);
        }
        // The kind may have been raised since it was opened, so both needs are looked at.
        for need in [Need::Care, Need::Technical] {
            let case = Case { subject: incident.subject.clone(), need, exercise: incident.exercise };
            if self.newest.get(&case) == Some(&id) {
                self.newest.remove(&case);
            }
        }
    }
}

/// Where an incident stands among those that wait for somebody.
fn waits_as(incident: &Incident) -> Option<(Priority, IncidentId)> {
    incident.waits_for_somebody().then_some((incident.priority, incident.id))
}
