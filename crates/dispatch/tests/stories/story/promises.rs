//! Promises: what no single state can show, watched event by event and decision by decision.

use std::collections::BTreeMap;

use dispatch::{Decision, Event, IncidentEvent, OfferState, State, Timer};
use model::{AlertId, IncidentId, OfferId};

/// What was promised so far.
#[derive(Debug, Default)]
pub(crate) struct Promises {
    offers: BTreeMap<OfferId, OfferState>,
    last_incident: Option<IncidentId>,
    last_alert: Option<AlertId>,
}

impl Promises {
    /// Numbers are never used twice, nobody is asked while bound, an offer ends once, and priority only rises. `state`
    /// is the one before `event`.
    pub(crate) fn notice(&mut self, state: &State, event: &Event) -> Result<(), String> {
        let Event::Incident { incident, event } = event else { return Ok(()) };
        match event {
            IncidentEvent::Opened(_) => grows(&mut self.last_incident, *incident),
            IncidentEvent::AlertRaised(alert) => grows(&mut self.last_alert, alert.alert),
            IncidentEvent::PriorityRaised { priority, .. } => match state.incident(*incident) {
                Some(known) if *priority >= known.priority => Err("a priority is lowered".to_owned()),
                Some(_) | None => Ok(()),
            },
            IncidentEvent::WaveSent(wave) => {
                for chosen in &wave.chosen {
                    if self.offers.contains_key(&chosen.offer) {
                        return Err(format!("o{} is used twice", chosen.offer));
                    }
                    if state.incident_of(chosen.responder).is_some() {
                        return Err(format!("r{} is asked while bound", chosen.responder));
                    }
                    self.offers.insert(chosen.offer, OfferState::Sent);
                }
                Ok(())
            }
            IncidentEvent::OfferAccepted { offer, .. } => self.ends(*offer, OfferState::Accepted),
            IncidentEvent::OfferEnded { offer, end, .. } => self.ends(*offer, end.state()),
            IncidentEvent::Restored { .. }
            | IncidentEvent::TimersArmed { .. }
            | IncidentEvent::OfferDelivered { .. }
            | IncidentEvent::OfferSeen { .. }
            | IncidentEvent::AssignmentAdvanced { .. }
            | IncidentEvent::AssignmentAborted { .. }
            | IncidentEvent::Escalated { .. }
            | IncidentEvent::Acknowledged { .. }
            | IncidentEvent::SearchStopped { .. }
            | IncidentEvent::NoteAdded { .. }
            | IncidentEvent::TakenOver { .. }
            | IncidentEvent::Triaged { .. }
            | IncidentEvent::HandedOver { .. }
            | IncidentEvent::Merged { .. }
            | IncidentEvent::Absorbed { .. }
            | IncidentEvent::Reopened { .. }
            | IncidentEvent::Cancelled { .. }
            | IncidentEvent::SaidToBeWell { .. }
            | IncidentEvent::AssignmentDoubted { .. }
            | IncidentEvent::RespondersNeeded { .. }
            | IncidentEvent::Resolved { .. }
            | IncidentEvent::Closed { .. } => Ok(()),
        }
    }

    fn ends(&mut self, offer: OfferId, state: OfferState) -> Result<(), String> {
        let before = self.offers.insert(offer, state);
        if before == Some(OfferState::Sent) {
            return Ok(());
        }
        Err(format!("o{offer} becomes {state:?} and was {before:?}"))
    }
}

/// No alert is lost, what is held sends nobody, and whoever accepts first is the only one. `alerts` were raised by the
/// command, and `state` is the one after it.
pub(crate) fn of_decision(state: &State, alerts: usize, decision: &Decision) -> Result<(), String> {
    let events = decision.events.iter().filter_map(|event| match event {
        Event::Incident { incident, event } => Some((*incident, event)),
        Event::DutyChanged { .. } | Event::DrillModeChanged { .. } | Event::PolicyReplaced { .. } => None,
    });
    let heard_before = usize::from(decision.duplicate && alerts > 0);
    let (mut heard, mut held, mut sends) = (heard_before, false, false);
    for (incident, event) in events {
        match event {
            IncidentEvent::AlertRaised(alert) => {
                heard += 1;
                held = held || alert.hold.is_some();
            }
            IncidentEvent::WaveSent(_) => sends = true,
            IncidentEvent::TimersArmed { timers } => {
                let call_back = timers.iter().any(|(timer, _)| *timer == Timer::CallBack);
                sends = sends || call_back;
            }
            IncidentEvent::OfferAccepted { .. } => {
                let enough =
                    |known: &dispatch::Incident| known.missing() == 0 && known.live_offers().next().is_some();
                if state.incident(incident).is_some_and(enough) {
                    return Err(format!("#{incident} was accepted and others are still asked"));
                }
            }
            IncidentEvent::Opened(_)
            | IncidentEvent::PriorityRaised { .. }
            | IncidentEvent::Restored { .. }
            | IncidentEvent::OfferDelivered { .. }
            | IncidentEvent::OfferSeen { .. }
            | IncidentEvent::OfferEnded { .. }
            | IncidentEvent::AssignmentAdvanced { .. }
            | IncidentEvent::AssignmentAborted { .. }
            | IncidentEvent::Escalated { .. }
            | IncidentEvent::Acknowledged { .. }
            | IncidentEvent::SearchStopped { .. }
            | IncidentEvent::NoteAdded { .. }
            | IncidentEvent::TakenOver { .. }
            | IncidentEvent::Triaged { .. }
            | IncidentEvent::HandedOver { .. }
            | IncidentEvent::Merged { .. }
            | IncidentEvent::Absorbed { .. }
            | IncidentEvent::Reopened { .. }
            | IncidentEvent::Cancelled { .. }
            | IncidentEvent::SaidToBeWell { .. }
            | IncidentEvent::AssignmentDoubted { .. }
            | IncidentEvent::RespondersNeeded { .. }
            | IncidentEvent::Resolved { .. }
            | IncidentEvent::Closed { .. } => {}
        }
    }
    if heard != alerts {
        return Err(format!("{alerts} alerts came and {heard} were heard"));
    }
    if held && sends {
        return Err("an alert that waits for an operator sends somebody".to_owned());
    }
    Ok(())
}

fn grows<T: Ord + Copy + std::fmt::Debug>(last: &mut Option<T>, next: T) -> Result<(), String> {
    if last.replace(next).is_some_and(|last| last >= next) {
        return Err(format!("{next:?} is used twice"));
    }
    Ok(())
}
