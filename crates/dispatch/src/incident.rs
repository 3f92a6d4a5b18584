//! One incident as it stands: what its events have made of it.

use std::collections::BTreeMap;

use model::{
    DeviceId, IncidentId, Kind, Metres, Millis, OfferId, OrgUnitCode, Place, Priority, ResponderId, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{
    event::{
        Alert, Doubt, EscalationReason, EscalationStep, Hold, IncidentEvent, Opened, Service, Subject, Timer,
        Wave,
    },
    state::Need,
};

/// One incident, as much of it as deciding needs. Its story is in the journal and in the views.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its number.
    pub id: IncidentId,
    /// Whose it is.
    pub subject: Subject,
    /// The kind that set the priority.
    pub kind: Kind,
    /// How urgent.
    pub priority: Priority,
    /// Where to go, if known.
    pub place: Option<Place>,
    /// Where it belongs.
    pub org_unit: Option<OrgUnitCode>,
    /// A drill or test.
    pub exercise: bool,
    /// Why nobody is sent before an operator has decided.
    pub hold: Option<Hold>,
    /// How far it is.
    pub state: IncidentState,
    /// Who has taken it.
    pub operator: Option<String>,
    /// How many must go.
    pub needed: u32,
    /// How many were there and are done, since help was last asked for.
    pub served: u32,
    /// The public services that were called.
    pub handed_to: Vec<Service>,
    /// Whether the contacts have been told by themselves.
    pub family_told: bool,
    /// Whether two different alarms of the most urgent kind have come.
    pub corroborated: bool,
    /// When its last alert came.
    pub last_alert_at: Timestamp,
    /// Which device raised the last alert, and what counts as its last word by its own clock.
    pub last_alert_by: Option<(DeviceId, Timestamp)>,
    /// Alerts so far.
    pub alert_count: u32,
    /// Waves so far.
    pub wave: u32,
    /// Waves since this search began at this priority: the next is the policy's wave of this number, counted from 0.
    pub turn: u32,
    /// Whether somebody is looked for until enough have accepted.
    pub searching: bool,
    /// Whether somebody would be looked for, if anybody knew where.
    pub lacks_place: bool,
    /// Whether the last search found nobody.
    pub nobody_found: bool,
    /// Looks for somebody that found nobody, since one that did.
    pub looks_in_vain: u32,
    /// Every offer made for it.
    pub offers: BTreeMap<OfferId, Offer>,
    /// Everybody who accepted.
    pub assignments: Vec<Assignment>,
    /// What will happen by itself.
    pub timers: BTreeMap<Timer, Timestamp>,
    /// Whose alerts may join it besides its own subject's, since theirs went up in it.
    pub(crate) also: Vec<Subject>,
}

/// How far an incident is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum IncidentState {
    /// No operator has taken it.
    New,
    /// An operator has.
    Acknowledged,
    /// An operator has said how it ended.
    Resolved,
    /// The elder said that all is well before anybody was asked.
    Cancelled,
    /// History.
    Closed,
}

/// How far help is, derived from offers and assignments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Progress {
    /// Nobody was asked, or all who went are done.
    Idle,
    /// Offers are open.
    Dispatching,
    /// Somebody goes.
    Assigned,
    /// On the way.
    EnRoute,
    /// There.
    OnScene,
}

/// One offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// To whom.
    pub responder: ResponderId,
    /// In which wave.
    pub wave: u32,
    /// How far it is.
    pub state: OfferState,
    /// Until when an answer counts.
    pub expires_at: Timestamp,
    /// How far away the responder was.
    pub distance: Metres,
    /// How long the responder was thought to take.
    pub eta: Millis,
}

/// How far an offer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OfferState {
    /// On its way.
    Sent,
    /// In the app.
    Delivered,
    /// Seen.
    Seen,
    /// "I go."
    Accepted,
    /// "I cannot."
    Declined,
    /// No answer.
    Expired,
    /// Taken back.
    Withdrawn,
    /// Could not be delivered.
    Failed,
}

/// One accepted offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Who goes.
    pub responder: ResponderId,
    /// How far.
    pub state: AssignmentState,
    /// Why they do not seem to come.
    pub doubt: Option<Doubt>,
    /// How far away they were when they were asked.
    pub distance: Metres,
}

/// How far an assignment is; later is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AssignmentState {
    /// Accepted.
    Assigned,
    /// On the way.
    EnRoute,
    /// There.
    OnScene,
    /// Taking the elder somewhere.
    Transporting,
    /// Done.
    Cleared,
    /// Given up.
    Aborted,
}

impl OfferState {
    /// Whether an answer still counts.
    #[must_use]
    pub fn is_live(self) -> bool {
        match self {
            Self::Sent | Self::Delivered | Self::Seen => true,
            Self::Accepted | Self::Declined | Self::Expired | Self::Withdrawn | Self::Failed => false,
        }
    }
}

impl AssignmentState {
    /// Whether the responder is still bound by it.
    #[must_use]
    pub fn is_live(self) -> bool {
        self < Self::Cleared
    }
}

impl IncidentState {
    /// Whether help may still be needed.
    #[must_use]
    pub fn is_open(self) -> bool {
        match self {
            Self::New | Self::Acknowledged => true,
            Self::Resolved | Self::Cancelled | Self::Closed => false,
        }
    }
}

impl Incident {
    /// The incident right after it was opened at `at`.
    #[must_use]
    pub fn opened(id: IncidentId, at: Timestamp, opened: &Opened) -> Self {
        Self {
            id,
            subject: opened.subject.clone(),
            kind: opened.kind,
            priority: opened.priority,
            place: opened.place,
            org_unit: opened.org_unit,
            exercise: opened.exercise,
            hold: opened.hold,
            state: IncidentState::New,
            operator: None,
            needed: 1,
            served: 0,
            handed_to: Vec::new(),
            family_told: false,
            corroborated: false,
            last_alert_at: at,
            last_alert_by: None,
            alert_count: 0,
            wave: 0,
            turn: 0,
            searching: false,
            lacks_place: false,
            nobody_found: false,
            looks_in_vain: 0,
            offers: BTreeMap::new(),
            assignments: Vec::new(),
            timers: BTreeMap::new(),
            also: Vec::new(),
        }
    }

    /// Writes `event` down.
    pub fn evolve(&mut self, event: &IncidentEvent) {
        match event {
            IncidentEvent::Opened(_)
            | IncidentEvent::Restored { .. }
            | IncidentEvent::NoteAdded { .. }
            | IncidentEvent::SaidToBeWell { .. } => {}
            IncidentEvent::AlertRaised(alert) => self.alert_raised(alert),
            IncidentEvent::PriorityRaised { priority, kind } => self.urgency_is(*priority, *kind),
            IncidentEvent::RespondersNeeded { count } => {
                self.needed = *count;
                self.stop_searching_if_enough();
            }
            IncidentEvent::TimersArmed { timers } => self.timers_armed(timers),
            IncidentEvent::WaveSent(wave) => self.wave_sent(wave),
            IncidentEvent::OfferDelivered { offer } => self.offer_is(*offer, OfferState::Delivered),
            IncidentEvent::OfferSeen { offer } => self.offer_is(*offer, OfferState::Seen),
            IncidentEvent::OfferAccepted { offer, responder } => self.offer_accepted(*offer, *responder),
            IncidentEvent::OfferEnded { offer, end, .. } => self.offer_is(*offer, end.state()),
            IncidentEvent::AssignmentAdvanced { responder, state } => self.assignment_is(*responder, *state),
            IncidentEvent::AssignmentAborted { responder, .. } => {
                self.assignment_is(*responder, AssignmentState::Aborted);
            }
            IncidentEvent::AssignmentDoubted { responder, doubt } => {
                if let Some(assignment) = self.live_assignment(*responder) {
                    assignment.doubt = Some(*doubt);
                }
                self.timers.remove(&match doubt {
                    Doubt::NotMoving => Timer::Moving(*responder),
                    Doubt::Overdue => Timer::Arrived(*responder),
                });
            }
            IncidentEvent::Escalated { step, reason } => self.escalated(*step, *reason),
            IncidentEvent::Acknowledged { operator } | IncidentEvent::TakenOver { operator, .. } => {
                self.taken_by(operator);
            }
            IncidentEvent::Triaged { priority, kind, .. } => {
                self.urgency_is(*priority, *kind);
                self.hold = None;
                self.asked_anew();
                self.timers.remove(&Timer::CallBack);
                self.drop_timers(EscalationReason::NobodyAccepted);
            }
            IncidentEvent::HandedOver { service, .. } => {
                self.handed_to.push(*service);
                let suggested = service.suggested();
                self.timers.retain(|timer, _| !timer.calls(suggested));
            }
            IncidentEvent::Absorbed { kind, alert_count, last_alert_at, place, held, .. } => {
                // What was live there is live here.
                if !held {
                    self.called_live(*kind);
                }
                self.alert_count = self.alert_count.saturating_add(*alert_count);
                self.last_alert_at = self.last_alert_at.max(*last_alert_at);
                self.place = self.place.or(*place);
            }
            IncidentEvent::Reopened { operator, .. } => {
                self.timers.remove(&Timer::Close);
                self.asked_anew();
                self.taken_by(operator);
            }
            IncidentEvent::SearchStopped { .. } => self.stop_searching(),
            IncidentEvent::Resolved { .. } => self.is_over(IncidentState::Resolved),
            IncidentEvent::Cancelled { .. } => self.is_over(IncidentState::Cancelled),
            IncidentEvent::Closed { .. } | IncidentEvent::Merged { .. } => {
                self.is_over(IncidentState::Closed);
            }
        }
    }

    /// How many more must accept: those who do not seem to come are not counted, those who are done are.
    #[must_use]
    pub fn missing(&self) -> u32 {
        self.needed.saturating_sub(self.coming()).saturating_sub(self.served)
    }

    /// Whether it is about an elder we know.
    pub(crate) fn is_of_elder(&self) -> bool {
        match self.subject {
            Subject::Elder(_) => true,
            Subject::Device(_) | Subject::Topic(_) | Subject::Call(_) | Subject::Watchdog => false,
        }
    }

    /// How many are on their way or there.
    #[must_use]
    pub fn coming(&self) -> u32 {
        self.live_assignments().filter(|going| going.doubt.is_none()).count() as u32
    }

    /// Whether somebody is looked for and nobody is asked at the moment.
    #[must_use]
    pub fn waits_for_somebody(&self) -> bool {
        self.state.is_open() && self.searching && self.live_offers().next().is_none()
    }

    /// When something happens next by itself.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.timer_deadline().into_iter().chain(self.search_deadline()).min()
    }

    /// When a timer or an offer is due; searches stand in a queue of their own.
    pub(crate) fn timer_deadline(&self) -> Option<Timestamp> {
        let offers = self.live_offers().map(|(_, offer)| offer.expires_at);
        let timers = self.timers.iter().filter(|(timer, _)| **timer != Timer::SearchAgain);
        timers.map(|(_, due)| *due).chain(offers).min()
    }

    /// When somebody is looked for next.
    pub(crate) fn search_deadline(&self) -> Option<Timestamp> {
        self.timers.get(&Timer::SearchAgain).copied()
    }

    /// The offers that can still be answered.
    pub fn live_offers(&self) -> impl Iterator<Item = (OfferId, &Offer)> {
        self.offers.iter().map(|(id, offer)| (*id, offer)).filter(|(_, offer)| offer.state.is_live())
    }

    /// Those who are bound to it.
    pub fn live_assignments(&self) -> impl Iterator<Item = &Assignment> {
        self.assignments.iter().filter(|assignment| assignment.state.is_live())
    }

    /// How far help is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let furthest = self.live_assignments().map(|assignment| assignment.state).max();
        match furthest {
            Some(AssignmentState::Assigned) => Progress::Assigned,
            Some(AssignmentState::EnRoute) => Progress::EnRoute,
            Some(AssignmentState::OnScene | AssignmentState::Transporting) => Progress::OnScene,
            Some(AssignmentState::Cleared | AssignmentState::Aborted) | None => {
                if self.live_offers().next().is_some() { Progress::Dispatching } else { Progress::Idle }
            }
        }
    }

    /// Whether an alert at `now` joins this incident rather than opening another.
    pub(crate) fn takes_alerts(&self, now: Timestamp, window: Millis) -> bool {
        self.state.is_open() && now - self.last_alert_at <= window
    }

    /// Help is asked for anew: those who are done with it have not done this.
    fn asked_anew(&mut self) {
        if self.coming() == 0 {
            self.served = 0;
        }
    }

    /// Something live came. A live low battery says nothing about a late call for help.
    fn called_live(&mut self, kind: Kind) {
        if Need::of(kind) == Need::Care || Need::of(self.kind) == Need::Technical {
            self.hold = None;
            self.asked_anew();
        }
    }

    fn alert_raised(&mut self, alert: &Alert) {
        self.last_alert_by = self.last_said(alert);
        self.last_alert_at = self.last_alert_at.max(alert.received_at);
        self.alert_count = self.alert_count.saturating_add(1);
        if alert.hold.is_none() {
            self.called_live(alert.kind);
        }
        // An old message tells where the person was, not where they are.
        let of_now = match alert.hold {
            None | Some(Hold::UnknownDevice | Hold::Unreadable) => true,
            Some(Hold::Late | Hold::Retained) => false,
        };
        if alert.place.is_some() && (of_now || self.place.is_none()) {
            self.place = alert.place;
        }
    }

    /// Who has said something last, and when by its clock, before `alert` is counted. A delayed message of the same device is
    /// not its last word. What it said before another spoke is not known any more: then it counts as said when that came.
    fn last_said(&self, alert: &Alert) -> Option<(DeviceId, Timestamp)> {
        let (device, said) = alert.device.clone().zip(alert.device_time)?;
        let before = match &self.last_alert_by {
            Some((same, before)) if *same == device => *before,
            Some(_) | None if self.alert_count > 0 => self.last_alert_at,
            Some(_) | None => said,
        };
        Some((device, said.max(before)))
    }

    /// Whether what `device` says at `time` by its clock comes after the last alert. The same device's clock is right about
    /// the order; another's may be off by as much as `clock_off`.
    pub(crate) fn last_alert_said_before(
        &self,
        device: &DeviceId,
        time: Timestamp,
        clock_off: Millis,
    ) -> bool {
        match &self.last_alert_by {
            Some((same, said)) if same == device => *said <= time,
            Some(_) | None => self.last_alert_at <= time + clock_off,
        }
    }

    fn timers_armed(&mut self, timers: &[(Timer, Timestamp)]) {
        for (timer, due) in timers {
            self.timers.insert(*timer, *due);
            if matches!(timer, Timer::CallBack | Timer::SearchAgain) {
                self.lacks_place = false;
            }
            // Who is looked for does not wait for the call-back any more.
            if *timer == Timer::SearchAgain {
                if !self.searching {
                    (self.nobody_found, self.looks_in_vain) = (false, 0);
                }
                self.looks_in_vain = self.looks_in_vain.saturating_add(u32::from(self.nobody_found));
                self.searching = true;
                self.timers.remove(&Timer::CallBack);
            }
        }
    }

    fn urgency_is(&mut self, priority: Priority, kind: Kind) {
        self.priority = priority;
        self.kind = kind;
        self.turn = 0;
        self.nobody_found = false;
        self.looks_in_vain = 0;
    }

    fn taken_by(&mut self, operator: &str) {
        self.state = IncidentState::Acknowledged;
        self.operator = Some(operator.to_owned());
        self.drop_timers(EscalationReason::NotAcknowledged);
    }

    fn is_over(&mut self, state: IncidentState) {
        self.state = state;
        self.searching = false;
        self.lacks_place = false;
        self.timers.clear();
    }

    fn escalated(&mut self, step: EscalationStep, reason: EscalationReason) {
        self.timers.remove(&Timer::Escalate(step, reason));
        match reason {
            // Without a place no search goes on; the clocks that call a human do.
            EscalationReason::NoPlace => {
                self.lacks_place = true;
                self.searching = false;
                self.timers.remove(&Timer::CallBack);
                self.timers.remove(&Timer::SearchAgain);
            }
            EscalationReason::Opened | EscalationReason::Dispatched | EscalationReason::Resolved => {
                self.family_told = true;
            }
            EscalationReason::Corroborated => self.corroborated = true,
            EscalationReason::OperatorDecides
            | EscalationReason::NotAcknowledged
            | EscalationReason::NobodyAccepted
            | EscalationReason::NoCandidate
            | EscalationReason::UnknownDevice
            | EscalationReason::Unreadable
            | EscalationReason::Late
            | EscalationReason::Retained
            | EscalationReason::Aborted
            | EscalationReason::NotMoving
            | EscalationReason::Overdue
            | EscalationReason::SaidToBeWell
            | EscalationReason::OperatorAsks => {}
        }
    }

    fn wave_sent(&mut self, wave: &Wave) {
        self.wave = wave.wave;
        self.hold = None;
        if wave.operator.is_some() {
            self.asked_anew();
        }
        // Whoever is asked in addition to those who are needed is not looked for when they cannot.
        self.searching = self.missing() > 0;
        self.nobody_found = wave.chosen.is_empty();
        if !self.nobody_found {
            self.looks_in_vain = 0;
        }
        self.turn = self.turn.saturating_add(u32::from(!self.nobody_found));
        self.timers.remove(&Timer::CallBack);
        self.timers.remove(&Timer::SearchAgain);
        for chosen in &wave.chosen {
            let offer = Offer {
                responder: chosen.responder,
                wave: wave.wave,
                state: OfferState::Sent,
                expires_at: wave.expires_at,
                distance: chosen.distance,
                eta: chosen.eta,
            };
            self.offers.insert(chosen.offer, offer);
        }
    }

    fn offer_accepted(&mut self, offer: OfferId, responder: ResponderId) {
        self.offer_is(offer, OfferState::Accepted);
        let distance = self.offers.get(&offer).map_or(Metres(0), |offer| offer.distance);
        let state = AssignmentState::Assigned;
        self.assignments.push(Assignment { responder, state, doubt: None, distance });
        self.stop_searching_if_enough();
    }

    fn stop_searching_if_enough(&mut self) {
        if self.missing() == 0 {
            self.stop_searching();
        }
    }

    fn stop_searching(&mut self) {
        self.searching = false;
        self.lacks_place = false;
        self.nobody_found = false;
        self.looks_in_vain = 0;
        self.turn = 0;
        self.timers.remove(&Timer::CallBack);
        self.timers.remove(&Timer::SearchAgain);
        self.drop_timers(EscalationReason::NobodyAccepted);
    }

    fn drop_timers(&mut self, why: EscalationReason) {
        self.timers.retain(|timer, _| !timer.waits_for(why));
    }

    fn offer_is(&mut self, offer: OfferId, state: OfferState) {
        if let Some(offer) = self.offers.get_mut(&offer) {
            offer.state = state;
        }
    }

    fn assignment_is(&mut self, responder: ResponderId, state: AssignmentState) {
        if let Some(assignment) = self.live_assignment(responder) {
            assignment.state = state;
            // Whoever does something after all is doubted no more.
            assignment.doubt = None;
            self.served = self.served.saturating_add(u32::from(state == AssignmentState::Cleared));
        }
        self.timers.remove(&Timer::Moving(responder));
        if state >= AssignmentState::OnScene {
            self.timers.remove(&Timer::Arrived(responder));
        }
        if state != AssignmentState::Aborted {
            self.stop_searching_if_enough();
        }
    }

    fn live_assignment(&mut self, responder: ResponderId) -> Option<&mut Assignment> {
        self.assignments.iter_mut().find(|going| going.responder == responder && going.state.is_live())
    }
}
