//! Deadlines: what happens when nobody did anything in time.

use model::{Metres, Millis, OfferId, ResponderId, Timestamp};

use crate::{
    decide::{Decision, Desk, Draft},
    event::{Doubt, EscalationReason, EscalationStep, IncidentEvent, OfferEnd, Timer},
    incident::{AssignmentState, IncidentState},
    search,
};

/// Whoever has come this much nearer is on the way, whatever the app says.
const NEARER: Metres = Metres(100);

/// Fires what was due first, of one incident, or every search that is due; nothing when nothing is due.
///
/// One moment at a time, so that after a long stop everything still comes in the order in which it was due.
pub(crate) fn fire(desk: &Desk<'_>) -> Decision {
    let first_search = desk.state.due_searches(desk.now).next().map(|(due, _)| due);
    let Some((moment, incident)) =
        desk.state.first_due(desk.now).filter(|(due, _)| first_search.is_none_or(|search| *due <= search))
    else {
        return search::together(desk, &[]);
    };
    let mut draft = desk.draft(incident.clone());
    draft.expire_offers(moment);
    let due: Vec<Timer> = draft
        .incident
        .timers
        .iter()
        .filter(|(timer, due)| **due <= moment && **timer != Timer::SearchAgain)
        .map(|(timer, _)| *timer)
        .collect();
    for timer in due {
        draft.fire_timer(timer, moment);
    }
    draft.decided()
}

impl Draft<'_> {
    fn expire_offers(&mut self, moment: Timestamp) {
        let due: Vec<(OfferId, ResponderId)> = self
            .incident
            .live_offers()
            .filter(|(_, offer)| offer.expires_at <= moment)
            .map(|(id, offer)| (id, offer.responder))
            .collect();
        if due.is_empty() {
            return;
        }
        for (offer, responder) in due {
            self.record(IncidentEvent::OfferEnded { offer, responder, end: OfferEnd::Expired });
        }
        self.go_on_searching();
    }

    /// Fires one timer, unless an earlier one of the same moment took away its reason.
    fn fire_timer(&mut self, timer: Timer, moment: Timestamp) {
        if self.incident.timers.get(&timer).is_none_or(|due| *due > moment) {
            return;
        }
        match timer {
            Timer::CallBack => self.search(),
            // Searches stand in a queue of their own.
            Timer::SearchAgain => {}
            Timer::Escalate(step, reason) => {
                self.record(IncidentEvent::Escalated { step, reason });
                self.remind_again(timer, reason);
            }
            Timer::Close => self.record(IncidentEvent::Closed { operator: None }),
            Timer::Moving(responder) if self.has_come_nearer(responder) => {
                // A policy that came meanwhile may not ask; who was asked about once is asked about until they arrive.
                let after = self.plan().not_moving_after.unwrap_or(self.policy.remind_every);
                let timers = vec![(timer, self.now + after)];
                self.record(IncidentEvent::TimersArmed { timers });
            }
            Timer::Moving(responder) => self.doubt(responder, Doubt::NotMoving),
            Timer::Arrived(responder) => self.doubt(responder, Doubt::Overdue),
        }
    }

    fn has_come_nearer(&self, responder: ResponderId) -> bool {
        let assignment = self.incident.live_assignments().find(|going| going.responder == responder);
        let now = self.incident.place.and_then(|at| self.outlook().candidate(responder, at));
        let nearer = |now: Metres, before: Metres| now.0.saturating_add(NEARER.0) <= before.0;
        assignment.zip(now).is_some_and(|(going, now)| nearer(now.distance, going.distance))
    }

    /// Who accepted does not seem to come: they are asked again, operators are told, and somebody else is looked for.
    fn doubt(&mut self, responder: ResponderId, doubt: Doubt) {
        self.record(IncidentEvent::AssignmentDoubted { responder, doubt });
        let (step, reason) = (EscalationStep::Operators, doubt.reason());
        self.record(IncidentEvent::Escalated { step, reason });
        self.replace_who_is_missing();
    }

    /// Looks for somebody when fewer go than are needed and nobody is looked for, unless that is left to operators. Those
    /// who were asked in addition may still say yes; whoever is in danger does not wait for it.
    pub(crate) fn replace_who_is_missing(&mut self) {
        let by_itself = !self.plan().operator_decides && self.incident.state.is_open();
        if by_itself && self.incident.missing() > 0 && !self.incident.searching {
            self.search();
        }
    }

    /// The last reminder to acknowledge repeats, so that an incident without a human never falls silent.
    fn remind_again(&mut self, timer: Timer, reason: EscalationReason) {
        let unattended =
            reason == EscalationReason::NotAcknowledged && self.incident.state == IncidentState::New;
        let last =
            !self.incident.timers.keys().any(|timer| timer.waits_for(EscalationReason::NotAcknowledged));
        if unattended && last {
            let again = self.now + self.policy.remind_every;
            self.record(IncidentEvent::TimersArmed { timers: vec![(timer, again)] });
        }
    }

    /// Starts the clocks anew that ask whether somebody who was doubted comes, from where they are now.
    pub(crate) fn watch_again(&mut self, responder: ResponderId, state: AssignmentState) {
        let travels = self.roster.member(responder).map(|member| member.travels).unwrap_or_default();
        let from = self.incident.place.and_then(|at| self.outlook().candidate(responder, at));
        let eta = from.map_or(Millis(0), |from| self.policy.eta(travels, from.distance));
        self.watch_arrival(responder, eta, state);
    }

    /// Starts the clocks that ask whether whoever accepted comes.
    pub(crate) fn watch_arrival(&mut self, responder: ResponderId, eta: Millis, state: AssignmentState) {
        let plan = self.plan();
        let waits_to_move = plan.not_moving_after.filter(|_| state == AssignmentState::Assigned);
        let moving = waits_to_move.map(|after| (Timer::Moving(responder), self.now + after));
        let arrived = plan.overdue_after.map(|after| (Timer::Arrived(responder), self.now + eta + after));
        let timers: Vec<(Timer, Timestamp)> = moving.into_iter().chain(arrived).collect();
        if !timers.is_empty() {
            self.record(IncidentEvent::TimersArmed { timers });
        }
    }
}
