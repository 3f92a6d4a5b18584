//! The story of an incident: each event in words and times, for people.

use dispatch::{
    Alert, Chosen, Disposition, Doubt, EscalationReason, EscalationStep, IncidentEvent, OfferEnd, Opened,
    Service, Subject, Timer, Wave,
};
use model::{DeviceId, IncidentId, Kind, OfferId, Place, Priority, ResponderId, Timestamp};
use wire::{Name, place_to_wire, time_to_wire, v1};

use crate::Change;

/// Alerts shown of one incident; more are counted, and the journal has them all.
const ALERTS_SHOWN: usize = 50;
/// Raw messages shown of one incident, the latest.
const RAW_SHOWN: usize = 4;
/// Bytes shown of a raw message; the journal has it all.
const RAW_BYTES_SHOWN: usize = 4096;
/// Steps shown of one incident, the latest; the journal has them all.
const STEPS_SHOWN: usize = 300;
/// Offers and decisions shown of one incident, the latest.
const OFFERS_SHOWN: usize = 200;
/// Who does what nobody in particular does.
const ANHU: &str = "anhu";

/// The incident right after it was opened.
pub(crate) fn opened(id: IncidentId, change: Change<'_>, opened: &Opened) -> v1::Incident {
    v1::Incident {
        name: Name::Incident(id).to_string(),
        state: v1::IncidentState::New.into(),
        priority: v1::Priority::from(opened.priority).into(),
        kind: v1::Kind::from(opened.kind).into(),
        elder: match &opened.subject {
            Subject::Elder(elder) => Name::Elder(*elder).to_string(),
            Subject::Device(_) | Subject::Topic(_) | Subject::Call(_) | Subject::Watchdog => String::new(),
        },
        watchdog: opened.subject == Subject::Watchdog,
        place: opened.place.map(place_to_wire),
        org_unit: opened.org_unit.map(|code| code.to_string()).unwrap_or_default(),
        exercise: opened.exercise,
        responders_needed: 1,
        durable_at: change.durable_at.map(time_to_wire),
        ..v1::Incident::default()
    }
}

/// Shows the alerts of an incident that went up in this one here as well, where they belong in time.
pub(crate) fn take_alerts(incident: &mut v1::Incident, absorbed: &v1::Incident) {
    incident.alerts.extend(absorbed.alerts.iter().cloned());
    incident.alerts.sort_by_key(|alert| alert.alert_id);
    tidy_alerts(&mut incident.alerts);
}

/// Writes `event` into the incident.
pub(crate) fn tell(incident: &mut v1::Incident, change: Change<'_>, event: &IncidentEvent) {
    let mut teller = Teller { incident, at: change.at };
    teller.tell(event);
    incident.revision = change.sequence;
    incident.degraded = incident.degraded || change.durable_at.is_none();
    incident.progress = progress(incident).into();
}

struct Teller<'a> {
    incident: &'a mut v1::Incident,
    at: Timestamp,
}

impl Teller<'_> {
    fn tell(&mut self, event: &IncidentEvent) {
        use v1::TimelineAction as Action;
        match event {
            IncidentEvent::Opened(opened) => {
                self.step(ANHU, Action::Opened, format!("{} {}", opened.priority, opened.kind));
            }
            IncidentEvent::AlertRaised(alert) => self.alert(alert),
            IncidentEvent::PriorityRaised { priority, kind } => self.priority_raised(*priority, *kind),
            IncidentEvent::Restored { device, kind } => {
                self.step(&device_or_anhu(Some(device)), Action::Restored, format!("{kind} is over"));
            }
            IncidentEvent::TimersArmed { timers } => self.timers(timers),
            IncidentEvent::WaveSent(wave) => self.wave(wave),
            IncidentEvent::OfferDelivered { offer } => {
                self.offer(*offer, v1::OfferState::Delivered, Action::OfferDelivered, "");
            }
            IncidentEvent::OfferSeen { offer } => {
                self.offer(*offer, v1::OfferState::Seen, Action::OfferSeen, "");
            }
            IncidentEvent::OfferAccepted { offer, responder } => self.offer_accepted(*offer, *responder),
            IncidentEvent::OfferEnded { offer, end, .. } => self.offer_ended(*offer, end),
            IncidentEvent::AssignmentAdvanced { responder, state } => {
                self.assignment(*responder, v1::AssignmentState::from(*state), "");
            }
            IncidentEvent::AssignmentAborted { responder, reason } => {
                self.assignment(*responder, v1::AssignmentState::Aborted, reason);
            }
            IncidentEvent::Escalated { step, reason } => self.escalated(*step, *reason),
            IncidentEvent::Acknowledged { operator } => self.acknowledged(operator),
            IncidentEvent::SearchStopped { operator, reason } => {
                self.operator_step(operator, Action::SearchStopped, reason);
            }
            IncidentEvent::NoteAdded { operator, text } => self.operator_step(operator, Action::Note, text),
            IncidentEvent::Resolved { operator, disposition, note } => {
                self.resolved(operator, *disposition, note);
            }
            IncidentEvent::Closed { operator } => self.closed_by(operator.as_deref()),
            IncidentEvent::TakenOver { operator, from, reason } => self.taken_over(operator, from, reason),
            IncidentEvent::Triaged { operator, priority, kind, reason } => {
                self.triaged(operator, *priority, *kind, reason);
            }
            IncidentEvent::HandedOver { operator, service, note } => {
                self.handed_over(operator, *service, note);
            }
            IncidentEvent::Merged { into, operator, reason } => self.merged(*into, operator, reason),
            IncidentEvent::Absorbed { from, operator, kind, alert_count, place, .. } => {
                self.absorbed(*from, *alert_count, *place);
                self.operator_step(operator, Action::Absorbed, &absorbed_detail(*from, *kind, *alert_count));
            }
            IncidentEvent::Reopened { operator, reason } => self.reopened(operator, reason),
            IncidentEvent::Cancelled { device, .. } => self.cancelled(device),
            IncidentEvent::SaidToBeWell { device, .. } => self.all_is_well(device, Action::SaidToBeWell),
            IncidentEvent::AssignmentDoubted { responder, doubt } => self.doubted(*responder, *doubt),
            IncidentEvent::RespondersNeeded { count } => {
                self.incident.responders_needed = *count;
                self.step(ANHU, Action::RespondersNeeded, format!("{count} must go"));
            }
        }
    }

    fn urgency_is(&mut self, priority: Priority, kind: Kind) {
        self.incident.priority = v1::Priority::from(priority).into();
        self.incident.kind = v1::Kind::from(kind).into();
    }

    fn priority_raised(&mut self, priority: Priority, kind: Kind) {
        self.urgency_is(priority, kind);
        let detail = format!("{priority} because of {kind}");
        self.step(ANHU, v1::TimelineAction::PriorityRaised, detail);
    }

    fn triaged(&mut self, operator: &str, priority: Priority, kind: Kind, reason: &str) {
        self.urgency_is(priority, kind);
        let detail = format!("{priority} {kind}: {reason}");
        self.operator_step(operator, v1::TimelineAction::Triaged, &detail);
    }

    fn acknowledged(&mut self, operator: &str) {
        self.taken_by(operator);
        self.incident.acknowledged_at = Some(time_to_wire(self.at));
        self.operator_step(operator, v1::TimelineAction::Acknowledged, "");
    }

    fn taken_over(&mut self, operator: &str, from: &str, reason: &str) {
        self.taken_by(operator);
        let detail = format!("from operators/{from}: {reason}");
        self.operator_step(operator, v1::TimelineAction::TakenOver, &detail);
    }

    fn reopened(&mut self, operator: &str, reason: &str) {
        self.taken_by(operator);
        self.incident.disposition = v1::Disposition::Unspecified.into();
        (self.incident.resolved_at, self.incident.cancelled_at) = (None, None);
        self.incident.next_deadline = None;
        self.operator_step(operator, v1::TimelineAction::Reopened, reason);
    }

    fn resolved(&mut self, operator: &str, disposition: Disposition, note: &str) {
        self.ended(v1::IncidentState::Resolved, Some(disposition));
        self.incident.resolved_at = Some(time_to_wire(self.at));
        self.operator_step(operator, v1::TimelineAction::Resolved, note);
    }

    fn cancelled(&mut self, device: &DeviceId) {
        self.ended(v1::IncidentState::Cancelled, Some(Disposition::CancelledByElder));
        self.incident.cancelled_at = Some(time_to_wire(self.at));
        self.all_is_well(device, v1::TimelineAction::Cancelled);
    }

    /// The elder said so.
    fn all_is_well(&mut self, device: &DeviceId, action: v1::TimelineAction) {
        let detail = "the elder says that all is well".to_owned();
        self.step(&device_or_anhu(Some(device)), action, detail);
    }

    fn taken_by(&mut self, operator: &str) {
        self.incident.state = v1::IncidentState::Acknowledged.into();
        operator.clone_into(&mut self.incident.operator);
    }

    fn ended(&mut self, state: v1::IncidentState, disposition: Option<Disposition>) {
        self.incident.state = state.into();
        self.incident.next_deadline = None;
        if let Some(disposition) = disposition {
            self.incident.disposition = v1::Disposition::from(disposition).into();
        }
    }

    fn closed(&mut self) {
        self.ended(v1::IncidentState::Closed, None);
        self.incident.closed_at = Some(time_to_wire(self.at));
    }

    fn closed_by(&mut self, operator: Option<&str>) {
        self.closed();
        match operator {
            Some(operator) => self.operator_step(operator, v1::TimelineAction::Closed, ""),
            None => self.step(ANHU, v1::TimelineAction::Closed, String::new()),
        }
    }

    /// A public service was called.
    fn handed_over(&mut self, operator: &str, service: Service, note: &str) {
        self.incident.handed_over.push(v1::HandOver {
            service: v1::PublicService::from(service).into(),
            operator: operator.to_owned(),
            note: note.to_owned(),
            at: Some(time_to_wire(self.at)),
        });
        let detail = format!("{} {note}", service.as_str());
        self.operator_step(operator, v1::TimelineAction::HandedOver, detail.trim_end());
    }

    /// It is history, and another one goes on.
    fn merged(&mut self, into: IncidentId, operator: &str, reason: &str) {
        self.closed();
        self.incident.disposition = v1::Disposition::from(Disposition::Duplicate).into();
        self.incident.merged_into = Name::Incident(into).to_string();
        let detail = format!("into incidents/{into}: {reason}");
        self.operator_step(operator, v1::TimelineAction::Merged, &detail);
    }

    /// Another one went up in it; its alerts were taken before.
    fn absorbed(&mut self, from: IncidentId, alert_count: u32, place: Option<Place>) {
        let incident = &mut *self.incident;
        incident.alert_count = incident.alert_count.saturating_add(alert_count);
        incident.place = incident.place.or(place.map(place_to_wire));
        incident.absorbed.push(Name::Incident(from).to_string());
    }

    fn offer_accepted(&mut self, offer: OfferId, responder: ResponderId) {
        self.offer(offer, v1::OfferState::Accepted, v1::TimelineAction::OfferAccepted, "");
        let now = Some(time_to_wire(self.at));
        self.incident.accepted_at = self.incident.accepted_at.or(now);
        self.incident.assignments.push(v1::Assignment {
            responder: Name::Responder(responder).to_string(),
            state: v1::AssignmentState::Assigned.into(),
            accepted_at: now,
            ..v1::Assignment::default()
        });
    }

    /// Who accepted does not seem to come.
    fn doubted(&mut self, responder: ResponderId, doubt: Doubt) {
        let name = Name::Responder(responder).to_string();
        let words = match doubt {
            Doubt::NotMoving => "is not on the way and has not come nearer; asked again",
            Doubt::Overdue => "should have arrived; asked again",
        };
        let going = self.incident.assignments.iter_mut().rev().find(|going| going.responder == name);
        if let Some(going) = going {
            going.set_doubt(v1::Doubt::from(doubt));
            going.doubted_at = Some(time_to_wire(self.at));
        }
        self.step(ANHU, v1::TimelineAction::AssignmentDoubted, format!("{name} {words}"));
    }

    fn alert(&mut self, alert: &Alert) {
        let device = alert.device.as_ref().map(|id| Name::Device(id.clone()).to_string()).unwrap_or_default();
        let incident = &mut *self.incident;
        if incident.alert_count == 0 {
            incident.device.clone_from(&device);
            incident.occurred_at = Some(time_to_wire(alert.occurred_at));
            incident.received_at = Some(time_to_wire(alert.received_at));
        }
        let late = alert.hold == Some(dispatch::Hold::Late);
        incident.late = if incident.alert_count == 0 { late } else { incident.late && late };
        incident.alert_count += 1;
        // An old message says where somebody was, which is better than nothing and worse than anything newer.
        let old = matches!(alert.hold, Some(dispatch::Hold::Late | dispatch::Hold::Retained));
        if let Some(place) = alert.place.filter(|_| !old || incident.place.is_none()) {
            incident.place = Some(place_to_wire(place));
        }
        incident.alerts.push(v1::Alert {
            alert_id: alert.alert.0,
            kind: v1::Kind::from(alert.kind).into(),
            device: device.clone(),
            source_id: alert.source_id.clone().unwrap_or_default(),
            occurred_at: Some(time_to_wire(alert.occurred_at)),
            received_at: Some(time_to_wire(alert.received_at)),
            device_time: alert.device_time.map(time_to_wire),
            detail: alert.detail.clone(),
            raw: alert
                .raw
                .as_deref()
                .map(|raw| raw[..raw.len().min(RAW_BYTES_SHOWN)].to_vec())
                .unwrap_or_default(),
            topic: alert.topic.clone(),
            retained: alert.retained,
            late,
        });
        tidy_alerts(&mut incident.alerts);
        let actor = if device.is_empty() { "call" } else { device.as_str() };
        self.step(actor, v1::TimelineAction::Alert, format!("{} {}", alert.kind, alert.detail));
    }

    fn timers(&mut self, timers: &[(Timer, Timestamp)]) {
        let next = timers.iter().map(|(_, due)| *due).filter(|due| *due > self.at).min();
        if let Some(next) = next {
            self.incident.next_deadline = Some(time_to_wire(next));
        }
    }

    fn wave(&mut self, wave: &Wave) {
        let chosen = |chosen: &Chosen| v1::Chosen {
            responder: Name::Responder(chosen.responder).to_string(),
            distance_metres: chosen.distance.0,
            eta_seconds: seconds(chosen),
            from_station: chosen.from_station,
            uncovers: chosen.uncovers.map(|town| town.to_string()).unwrap_or_default(),
        };
        let left_out =
            |left: &dispatch::LeftOut| v1::LeftOut { reason: left.reason.clone(), count: left.count };
        let now = Some(time_to_wire(self.at));
        self.incident.decisions.push(v1::WaveDecision {
            wave: wave.wave,
            at: now,
            reach_metres: wave.reach.0,
            considered: wave.considered,
            left_out: wave.left_out.iter().map(left_out).collect(),
            chosen: wave.chosen.iter().map(chosen).collect(),
            operator: wave.operator.as_ref().map(|who| format!("operators/{who}")).unwrap_or_default(),
            instead_of: wave.instead_of.map(|who| Name::Responder(who).to_string()).unwrap_or_default(),
        });
        keep_last(&mut self.incident.decisions, OFFERS_SHOWN);
        let actor = wave.operator.as_ref().map_or_else(|| ANHU.to_owned(), |who| format!("operators/{who}"));
        if wave.chosen.is_empty() {
            self.step(&actor, v1::TimelineAction::NobodyFound, nobody_found(wave));
        }
        for chosen in &wave.chosen {
            let responder = Name::Responder(chosen.responder).to_string();
            let detail = why_chosen(&responder, chosen, wave.instead_of);
            self.incident.offers.push(v1::Offer {
                offer_id: chosen.offer.0,
                responder,
                state: v1::OfferState::Sent.into(),
                wave: wave.wave,
                distance_metres: chosen.distance.0,
                eta_seconds: seconds(chosen),
                sent_at: now,
                expires_at: Some(time_to_wire(wave.expires_at)),
                ..v1::Offer::default()
            });
            self.step(&actor, v1::TimelineAction::OfferSent, detail);
        }
        if !wave.chosen.is_empty() {
            self.incident.first_offer_at = self.incident.first_offer_at.or(now);
            self.incident.next_deadline = Some(time_to_wire(wave.expires_at));
        }
        keep_last(&mut self.incident.offers, OFFERS_SHOWN);
    }

    fn offer(&mut self, offer: OfferId, state: v1::OfferState, action: v1::TimelineAction, reason: &str) {
        let at = self.at;
        let Some(known) = self.incident.offers.iter_mut().rev().find(|known| known.offer_id == offer.0)
        else {
            return;
        };
        known.set_state(state);
        known.reason = reason.to_owned();
        match state {
            v1::OfferState::Unspecified
            | v1::OfferState::Sent
            | v1::OfferState::Delivered
            | v1::OfferState::Seen => {}
            v1::OfferState::Accepted
            | v1::OfferState::Declined
            | v1::OfferState::Expired
            | v1::OfferState::Withdrawn
            | v1::OfferState::Failed => known.ended_at = Some(time_to_wire(at)),
        }
        let responder = known.responder.clone();
        match state {
            v1::OfferState::Accepted | v1::OfferState::Declined | v1::OfferState::Seen => {
                self.step(&responder, action, reason.to_owned());
            }
            v1::OfferState::Unspecified
            | v1::OfferState::Sent
            | v1::OfferState::Delivered
            | v1::OfferState::Expired
            | v1::OfferState::Withdrawn
            | v1::OfferState::Failed => {
                self.step(ANHU, action, format!("{responder} {reason}").trim_end().to_owned());
            }
        }
    }

    fn offer_ended(&mut self, offer: OfferId, end: &OfferEnd) {
        use v1::TimelineAction as Action;
        match end {
            OfferEnd::Declined(reason) => {
                self.offer(offer, v1::OfferState::Declined, Action::OfferDeclined, reason);
            }
            OfferEnd::Expired => self.offer(offer, v1::OfferState::Expired, Action::OfferExpired, ""),
            OfferEnd::Withdrawn(reason) => {
                self.offer(offer, v1::OfferState::Withdrawn, Action::OfferWithdrawn, reason);
            }
            OfferEnd::Failed(reason) => {
                self.offer(offer, v1::OfferState::Failed, Action::OfferFailed, reason);
            }
        }
    }

    fn assignment(&mut self, responder: ResponderId, state: v1::AssignmentState, reason: &str) {
        let now = Some(time_to_wire(self.at));
        let name = Name::Responder(responder).to_string();
        let incident = &mut *self.incident;
        let Some(known) = incident.assignments.iter_mut().rev().find(|known| known.responder == name) else {
            return;
        };
        known.set_state(state);
        // Whoever does something after all is doubted no more.
        known.set_doubt(v1::Doubt::Unspecified);
        match state {
            v1::AssignmentState::Unspecified
            | v1::AssignmentState::Assigned
            | v1::AssignmentState::Transporting => {}
            v1::AssignmentState::EnRoute => {
                known.en_route_at = now;
                incident.en_route_at = incident.en_route_at.or(now);
            }
            v1::AssignmentState::OnScene => {
                known.on_scene_at = now;
                incident.on_scene_at = incident.on_scene_at.or(now);
            }
            v1::AssignmentState::Cleared => {
                known.ended_at = now;
                incident.cleared_at = now;
            }
            v1::AssignmentState::Aborted => {
                known.ended_at = now;
                known.reason = reason.to_owned();
            }
        }
        let word = state.as_str_name().trim_start_matches("ASSIGNMENT_STATE_").to_lowercase();
        let detail = format!("{word} {reason}").trim_end().to_owned();
        self.step(&name, v1::TimelineAction::Assignment, detail);
    }

    fn escalated(&mut self, step: EscalationStep, reason: EscalationReason) {
        let (step, reason) = (v1::EscalationStep::from(step), v1::EscalationReason::from(reason));
        let at = Some(time_to_wire(self.at));
        self.incident.escalations.push(v1::Escalation { step: step.into(), reason: reason.into(), at });
        keep_last(&mut self.incident.escalations, ALERTS_SHOWN);
        let word = |name: &str, prefix: &str| name.trim_start_matches(prefix).to_lowercase();
        let step = word(step.as_str_name(), "ESCALATION_STEP_");
        let reason = word(reason.as_str_name(), "ESCALATION_REASON_");
        self.step(ANHU, v1::TimelineAction::Escalated, format!("{step}: {reason}"));
    }

    fn operator_step(&mut self, operator: &str, action: v1::TimelineAction, detail: &str) {
        self.step(&format!("operators/{operator}"), action, detail.to_owned());
    }

    fn step(&mut self, actor: &str, action: v1::TimelineAction, detail: String) {
        let at = Some(time_to_wire(self.at));
        let entry = v1::TimelineEntry { at, actor: actor.to_owned(), action: action.into(), detail };
        self.incident.timeline.push(entry);
        keep_last(&mut self.incident.timeline, STEPS_SHOWN);
    }
}

/// The first alert says how it began, so of too many the second goes first; and raw bytes are shown of the latest only.
fn tidy_alerts(alerts: &mut Vec<v1::Alert>) {
    if alerts.len() > ALERTS_SHOWN {
        alerts.drain(1..=alerts.len() - ALERTS_SHOWN);
    }
    let with_raw = alerts.iter_mut().rev().filter(|alert| !alert.raw.is_empty());
    for older in with_raw.skip(RAW_SHOWN) {
        older.raw.clear();
    }
}

fn device_or_anhu(device: Option<&DeviceId>) -> String {
    device.map_or_else(|| ANHU.to_owned(), |id| Name::Device(id.clone()).to_string())
}

/// One choice in words: who, how far, how soon, and what else was weighed.
fn why_chosen(responder: &str, chosen: &Chosen, instead_of: Option<ResponderId>) -> String {
    let mut detail = format!("{responder}, {}, {} s", chosen.distance, seconds(chosen));
    if chosen.from_station {
        detail.push_str(", from the station");
    }
    if let Some(town) = chosen.uncovers {
        detail.push_str(&format!(", the last one free of {town}"));
    }
    if let Some(best) = instead_of {
        detail.push_str(&format!(", policy would have asked responders/{best}"));
    }
    detail
}

/// Why nobody was asked, in words.
fn nobody_found(wave: &Wave) -> String {
    let reasons: Vec<_> = wave
        .left_out
        .iter()
        .map(|left| format!("{} {}", left.count, left.reason.replace('_', " ")))
        .collect();
    let mut detail = format!("nobody to ask within {}, {} looked at", wave.reach, wave.considered);
    if !reasons.is_empty() {
        detail.push_str(&format!(": {}", reasons.join(", ")));
    }
    detail
}

fn seconds(chosen: &Chosen) -> u32 {
    u32::try_from(chosen.eta.0 / 1000).unwrap_or(u32::MAX)
}

fn keep_last<T>(list: &mut Vec<T>, at_most: usize) {
    if list.len() > at_most {
        list.remove(0);
    }
}

fn progress(incident: &v1::Incident) -> v1::IncidentProgress {
    let live = |state: v1::AssignmentState| match state {
        v1::AssignmentState::Assigned => v1::IncidentProgress::Assigned,
        v1::AssignmentState::EnRoute => v1::IncidentProgress::EnRoute,
        v1::AssignmentState::OnScene | v1::AssignmentState::Transporting => v1::IncidentProgress::OnScene,
        v1::AssignmentState::Unspecified | v1::AssignmentState::Cleared | v1::AssignmentState::Aborted => {
            v1::IncidentProgress::Unspecified
        }
    };
    let furthest = incident.assignments.iter().map(|going| live(going.state()) as i32).max().unwrap_or(0);
    let asked = incident.offers.iter().any(|offer| {
        matches!(offer.state(), v1::OfferState::Sent | v1::OfferState::Delivered | v1::OfferState::Seen)
    });
    match v1::IncidentProgress::try_from(furthest) {
        Ok(progress) if progress != v1::IncidentProgress::Unspecified => progress,
        Ok(_) | Err(_) if asked => v1::IncidentProgress::Dispatching,
        Ok(_) | Err(_) => v1::IncidentProgress::Unspecified,
    }
}

fn absorbed_detail(from: IncidentId, kind: Kind, alert_count: u32) -> String {
    let alerts = if alert_count == 1 { "alert" } else { "alerts" };
    format!("incidents/{from} ({kind}, {alert_count} {alerts})")
}
