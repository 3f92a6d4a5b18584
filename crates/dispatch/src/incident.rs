//! One incident as it stands: what its events have made of it.

use std::collections::BTreeMap;

use model::{IncidentId, Kind, Millis, OfferId, OrgUnitCode, Place, Priority, ResponderId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    event::{
        Alert, EscalationReason, EscalationStep, Hold, IncidentEvent, OfferEnd, Opened, Subject, Timer, Wave,
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
    /// When its last alert came.
    pub last_alert_at: Timestamp,
    /// Alerts so far.
    pub alert_count: u32,
    /// Waves so far.
    pub wave: u32,
    /// Waves since this search began at this priority: the next is the policy's wave of this number, counted from 0.
    pub turn: u32,
    /// Whether the next wave follows when this one ends without an acceptance.
    pub searching: bool,
    /// Whether the last search found nobody.
    pub nobody_found: bool,
    /// Every offer made for it.
    pub offers: BTreeMap<OfferId, Offer>,
    /// Everybody who accepted.
    pub assignments: Vec<Assignment>,
    /// What will happen by itself.
    pub timers: BTreeMap<Timer, Timestamp>,
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
            Self::Resolved | Self::Closed => false,
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
            last_alert_at: at,
            alert_count: 0,
            wave: 0,
            turn: 0,
            searching: false,
            nobody_found: false,
            offers: BTreeMap::new(),
            assignments: Vec::new(),
            timers: BTreeMap::new(),
        }
    }

    /// Writes `event` down.
    pub fn evolve(&mut self, event: &IncidentEvent) {
        match event {
            IncidentEvent::Opened(_) | IncidentEvent::Restored { .. } | IncidentEvent::NoteAdded { .. } => {}
            IncidentEvent::AlertRaised(alert) => self.alert_raised(alert),
            IncidentEvent::PriorityRaised { priority, kind } => {
                self.priority = *priority;
                self.kind = *kind;
                self.turn = 0;
                self.nobody_found = false;
            }
            IncidentEvent::TimersArmed { timers } => self.timers_armed(timers),
            IncidentEvent::WaveSent(wave) => self.wave_sent(wave),
            IncidentEvent::OfferDelivered { offer } => self.offer_is(*offer, OfferState::Delivered),
            IncidentEvent::OfferSeen { offer } => self.offer_is(*offer, OfferState::Seen),
            IncidentEvent::OfferAccepted { offer, responder } => {
                self.offer_is(*offer, OfferState::Accepted);
                self.assignments.push(Assignment { responder: *responder, state: AssignmentState::Assigned });
                self.stop_searching();
            }
            IncidentEvent::OfferEnded { offer, end, .. } => self.offer_is(*offer, end.state()),
            IncidentEvent::AssignmentAdvanced { responder, state } => self.assignment_is(*responder, *state),
            IncidentEvent::AssignmentAborted { responder, .. } => {
                self.assignment_is(*responder, AssignmentState::Aborted);
            }
            IncidentEvent::Escalated { step, reason } => self.escalated(*step, *reason),
            IncidentEvent::Acknowledged { operator } => {
                self.state = IncidentState::Acknowledged;
                self.operator = Some(operator.clone());
                self.drop_timers(EscalationReason::NotAcknowledged);
            }
            IncidentEvent::SearchStopped { .. } => self.stop_searching(),
            IncidentEvent::Resolved { .. } => {
                self.state = IncidentState::Resolved;
                self.searching = false;
                self.timers.clear();
            }
            IncidentEvent::Closed { .. } => {
                self.state = IncidentState::Closed;
                self.timers.clear();
            }
        }
    }

    /// Whether it searches, has found nobody, and nobody is asked at the moment.
    #[must_use]
    pub fn waits_for_somebody(&self) -> bool {
        self.state.is_open() && self.searching && self.nobody_found && self.live_offers().next().is_none()
    }

    /// When something happens next by itself.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let offers = self.live_offers().map(|(_, offer)| offer.expires_at);
        self.timers.values().copied().chain(offers).min()
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

    fn alert_raised(&mut self, alert: &Alert) {
        self.alert_count = self.alert_count.saturating_add(1);
        self.last_alert_at = self.last_alert_at.max(alert.received_at);
        // A live low battery says nothing about a late call for help.
        let about_this = Need::of(alert.kind) == Need::Care || Need::of(self.kind) == Need::Technical;
        if alert.hold.is_none() && about_this {
            self.hold = None;
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

    fn timers_armed(&mut self, timers: &[(Timer, Timestamp)]) {
        for (timer, due) in timers {
            self.timers.insert(*timer, *due);
            // Who looks again does not wait for the call-back any more.
            if *timer == Timer::SearchAgain {
                self.timers.remove(&Timer::CallBack);
            }
        }
    }

    fn escalated(&mut self, step: EscalationStep, reason: EscalationReason) {
        self.timers.remove(&Timer::Escalate(step, reason));
        // Without a place no search goes on; the clocks that call a human do.
        if reason == EscalationReason::NoPlace {
            self.searching = false;
            self.timers.remove(&Timer::CallBack);
            self.timers.remove(&Timer::SearchAgain);
        }
    }

    fn wave_sent(&mut self, wave: &Wave) {
        self.wave = wave.wave;
        self.hold = None;
        // Whoever is asked in addition to somebody who goes is not searched for when they cannot.
        let nobody_goes = self.live_assignments().next().is_none();
        self.searching = nobody_goes;
        self.nobody_found = wave.chosen.is_empty();
        self.turn = self.turn.saturating_add(u32::from(!self.nobody_found));
        self.timers.remove(&Timer::CallBack);
        self.timers.remove(&Timer::SearchAgain);
        for chosen in &wave.chosen {
            let offer = Offer {
                responder: chosen.responder,
                wave: wave.wave,
                state: OfferState::Sent,
                expires_at: wave.expires_at,
            };
            self.offers.insert(chosen.offer, offer);
        }
    }

    fn stop_searching(&mut self) {
        self.searching = false;
        self.nobody_found = false;
        self.turn = 0;
        self.timers.remove(&Timer::CallBack);
        self.timers.remove(&Timer::SearchAgain);
        self.drop_timers(EscalationReason::NobodyAccepted);
    }

    fn drop_timers(&mut self, why: EscalationReason) {
        self.timers.retain(|timer, _| match timer {
            Timer::Escalate(_, reason) => *reason != why,
            Timer::CallBack | Timer::SearchAgain | Timer::Close => true,
        });
    }

    fn offer_is(&mut self, offer: OfferId, state: OfferState) {
        if let Some(offer) = self.offers.get_mut(&offer) {
            offer.state = state;
        }
    }

    fn assignment_is(&mut self, responder: ResponderId, state: AssignmentState) {
        let live =
            |assignment: &&mut Assignment| assignment.responder == responder && assignment.state.is_live();
        if let Some(assignment) = self.assignments.iter_mut().find(live) {
            assignment.state = state;
        }
    }
}

impl OfferEnd {
    /// The state an offer has after ending like this.
    #[must_use]
    pub fn state(&self) -> OfferState {
        match self {
            Self::Declined(_) => OfferState::Declined,
            Self::Expired => OfferState::Expired,
            Self::Withdrawn(_) => OfferState::Withdrawn,
            Self::Failed(_) => OfferState::Failed,
        }
    }
}

impl Hold {
    /// The reason an operator is given.
    #[must_use]
    pub fn reason(self) -> EscalationReason {
        match self {
            Self::UnknownDevice => EscalationReason::UnknownDevice,
            Self::Unreadable => EscalationReason::Unreadable,
            Self::Late => EscalationReason::Late,
            Self::Retained => EscalationReason::Retained,
        }
    }

    /// Whom it calls: a human who decides.
    pub(crate) const STEP: EscalationStep = EscalationStep::Operators;
}
