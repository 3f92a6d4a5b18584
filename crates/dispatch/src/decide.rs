//! Decide: one command in, the events that follow from it out.

use model::{IncidentId, OfferId, Timestamp};
use roster::{Duty, Roster};

use crate::{
    alert,
    candidates::Outlook,
    command::{Command, Rejection},
    deadline,
    event::{Event, IncidentEvent},
    field,
    incident::Incident,
    operator,
    plan::Plan,
    policy::Policy,
    search,
    state::{State, Turnout},
};

/// What follows from a command.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decision {
    /// What happened, in order; empty when the command changes nothing.
    pub events: Vec<Event>,
    /// The incident it is about, if any.
    pub incident: Option<IncidentId>,
    /// The very same message was heard before.
    pub duplicate: bool,
}

/// Returns what follows from `command` at `now`.
///
/// The events must be given to [`State::evolve`] and to [`follow`] before the next call. Responders who are asked have
/// been claimed in `roster` when this returns. Never linear in elders, responders or history.
///
/// # Errors
/// [`Rejection`] says why a wish cannot be granted; then nothing has changed. Alerts are never rejected.
pub fn decide(
    state: &State,
    roster: &Roster,
    policy: &Policy,
    now: Timestamp,
    command: Command,
) -> Result<Decision, Rejection> {
    let desk = Desk { state, roster, policy, now };
    match command {
        Command::RaiseAlert(alert) => Ok(alert::raise(&desk, *alert)),
        Command::Restore { subject, device, kind } => Ok(alert::restore(&desk, &subject, device, kind)),
        Command::Cancel { subject, device, key, occurred_at } => {
            Ok(alert::cancel(&desk, &subject, device, key, occurred_at))
        }
        Command::ReplacePolicy => Ok(operator::replace_policy(&desk)),
        Command::SetDuty { responder, duty } => field::set_duty(&desk, responder, duty),
        Command::SetDrillMode { on } => Ok(operator::set_drill_mode(&desk, on)),
        Command::OfferDelivered { offer } => field::offer_delivered(&desk, offer),
        Command::OfferSeen { offer } => field::offer_seen(&desk, offer),
        Command::AcceptOffer { responder, offer } => field::accept(&desk, responder, offer),
        Command::DeclineOffer { responder, offer, reason } => field::decline(&desk, responder, offer, reason),
        Command::UpdateAssignment { responder, incident, step } => {
            field::update_assignment(&desk, responder, incident, step)
        }
        Command::Operate { incident, operator, operation } => {
            operator::operate(&desk, incident, operator, operation)
        }
        Command::SearchWaiting { freed } => Ok(search::together(&desk, &freed)),
        Command::Tick => Ok(deadline::fire(&desk)),
    }
}

/// Keeps the roster equal to what `event`, written down in `state` before, says: releases who is no longer bound, sets
/// duties, and notes since when somebody has been idle.
///
/// Claims are made by [`decide`], and after a restart by [`catch_up`].
pub fn follow(roster: &Roster, state: &State, event: &Event) {
    match event {
        Event::DutyChanged { responder, duty } => {
            roster.set_idle(*responder, state.idle(*responder));
            roster.set_duty(*responder, *duty);
        }
        Event::DrillModeChanged { .. } | Event::PolicyReplaced { .. } => {}
        Event::Incident { incident, event } => {
            if let Some(responder) = event.frees() {
                roster.set_idle(responder, state.idle(responder));
                roster.release(responder, *incident);
            }
        }
    }
}

/// Makes a roster in which everybody is enrolled and nobody has come yet equal to `state`: duties, claims, and since when
/// each has been idle. For after a restart.
///
/// Whoever went off duty while on the way is still bound, and only somebody on duty can be claimed, so duties go last.
pub fn catch_up(roster: &Roster, state: &State) {
    for (responder, incident) in state.bound() {
        roster.set_duty(responder, Duty::OnDuty);
        // Fails only for somebody who is not enrolled any more, whom nobody can ask.
        let _ = roster.claim(responder, incident);
    }
    for (responder, duty) in state.duties() {
        roster.set_idle(responder, state.idle(responder));
        roster.set_duty(responder, duty);
    }
}

/// What every decision may look at.
pub(crate) struct Desk<'a> {
    pub(crate) state: &'a State,
    pub(crate) roster: &'a Roster,
    pub(crate) policy: &'a Policy,
    pub(crate) now: Timestamp,
}

impl<'a> Desk<'a> {
    pub(crate) fn outlook(&self) -> Outlook<'a> {
        Outlook { roster: self.roster, policy: self.policy, now: self.now }
    }

    /// Begins a decision about `incident` on a copy of it, so that later steps see what earlier ones recorded.
    pub(crate) fn draft(&self, incident: Incident) -> Draft<'a> {
        Draft {
            roster: self.roster,
            policy: self.policy,
            now: self.now,
            next_offer: self.state.next_offer(),
            turnout: self.state.turnout(),
            waiting: self.state.waiting(),
            incident,
            events: Vec::new(),
        }
    }

    /// Begins a decision about the open incident `id`.
    pub(crate) fn draft_of(&self, id: IncidentId) -> Result<Draft<'a>, Rejection> {
        self.state.incident(id).map(|incident| self.draft(incident.clone())).ok_or(Rejection::NoIncident(id))
    }
}

/// A decision in the making: the incident as it will be, and the events so far.
pub(crate) struct Draft<'a> {
    pub(crate) roster: &'a Roster,
    pub(crate) policy: &'a Policy,
    pub(crate) now: Timestamp,
    pub(crate) next_offer: OfferId,
    pub(crate) turnout: Turnout,
    /// How many incidents wait for somebody to become free.
    pub(crate) waiting: usize,
    pub(crate) incident: Incident,
    pub(crate) events: Vec<Event>,
}

impl<'a> Draft<'a> {
    pub(crate) fn outlook(&self) -> Outlook<'a> {
        Outlook { roster: self.roster, policy: self.policy, now: self.now }
    }

    /// What is done about the incident as it is now.
    pub(crate) fn plan(&self) -> &'a Plan {
        self.policy.plan(self.incident.kind, self.incident.priority)
    }

    /// Writes `event` down in the draft.
    pub(crate) fn record(&mut self, event: IncidentEvent) {
        self.incident.evolve(&event);
        self.events.push(Event::Incident { incident: self.incident.id, event });
    }

    /// Ends the draft.
    pub(crate) fn decided(self) -> Decision {
        Decision { events: self.events, incident: Some(self.incident.id), duplicate: false }
    }
}
