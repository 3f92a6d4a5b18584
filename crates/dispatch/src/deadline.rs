//! Deadlines: what happens when nobody did anything in time.

use model::{Millis, OfferId, ResponderId, Timestamp};

use crate::{
    decide::{Decision, Desk, Draft},
    event::{EscalationReason, IncidentEvent, OfferEnd, Timer},
    incident::IncidentState,
};

/// Fires what was due first, of one incident; nothing when nothing is due.
///
/// One moment at a time, so that after a long stop everything still comes in the order in which it was due.
pub(crate) fn fire(desk: &Desk<'_>) -> Decision {
    let Some((moment, incident)) = desk.state.first_due(desk.now) else { return Decision::default() };
    let mut draft = desk.draft(incident.clone());
    draft.expire_offers(moment);
    let due: Vec<Timer> =
        draft.incident.timers.iter().filter(|(_, due)| **due <= moment).map(|(timer, _)| *timer).collect();
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

    /// The next wave, once nobody of the last one can still accept.
    pub(crate) fn go_on_searching(&mut self) {
        let wave = self.incident.wave;
        let waiting = self.incident.live_offers().any(|(_, offer)| offer.wave == wave);
        if self.incident.searching && !waiting {
            self.next_wave(None);
        }
    }

    /// Fires one timer, unless an earlier one of the same moment took away its reason.
    fn fire_timer(&mut self, timer: Timer, moment: Timestamp) {
        if self.incident.timers.get(&timer).is_none_or(|due| *due > moment) {
            return;
        }
        match timer {
            Timer::CallBack => self.search(),
            Timer::SearchAgain => self.next_wave(None),
            Timer::Escalate(step, reason) => {
                self.record(IncidentEvent::Escalated { step, reason });
                self.remind_again(timer, reason);
            }
            Timer::Close => self.record(IncidentEvent::Closed { operator: None }),
        }
    }

    /// The last reminder to acknowledge repeats, so that an incident without a human never falls silent.
    fn remind_again(&mut self, timer: Timer, reason: EscalationReason) {
        let unattended =
            reason == EscalationReason::NotAcknowledged && self.incident.state == IncidentState::New;
        let last = !self.incident.timers.keys().any(|timer| match timer {
            Timer::Escalate(_, other) => *other == EscalationReason::NotAcknowledged,
            Timer::CallBack | Timer::SearchAgain | Timer::Close => false,
        });
        if unattended && last {
            let again = self.now + Millis::from_seconds(self.policy.remind_every_s);
            self.record(IncidentEvent::TimersArmed { timers: vec![(timer, again)] });
        }
    }
}
