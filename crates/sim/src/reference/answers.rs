//! Answers: which wishes must be granted, and which refused.

use dispatch::{AssignmentState, AssignmentStep, Command, Duty, EscalationStep, Operation, Service, Step};
use model::{IncidentId, OfferId, ResponderId};

use super::{Answer, Case, Reference, Stage};
use crate::people::People;

/// So many responders can be needed at most.
const MOST_NEEDED: u32 = 16;

impl Reference {
    /// Whether `command` must be granted; it must be refused otherwise.
    pub(super) fn must_be_granted(&self, people: &People, command: &Command) -> bool {
        match command {
            Command::RaiseAlert(_)
            | Command::Restore { .. }
            | Command::Cancel { .. }
            | Command::ReplacePolicy
            | Command::SetDrillMode { .. }
            | Command::SearchWaiting { .. }
            | Command::Tick => true,
            Command::SetDuty { responder, .. } => people.responder(*responder).is_some(),
            Command::OfferDelivered { offer } | Command::OfferSeen { offer } => self.offer(*offer).is_some(),
            Command::AcceptOffer { responder, offer } => {
                self.may_answer(*responder, *offer, &[Answer::None, Answer::Yes])
            }
            Command::DeclineOffer { responder, offer, .. } => {
                self.may_answer(*responder, *offer, &[Answer::None, Answer::No])
            }
            Command::UpdateAssignment { responder, incident, step } => {
                self.may_step(*responder, *incident, step)
            }
            Command::Operate { incident, operator, operation } => self
                .cases
                .get(incident)
                .is_some_and(|case| self.may_operate(people, *incident, case, operator, operation)),
        }
    }

    pub(super) fn offer(&self, offer: OfferId) -> Option<(ResponderId, Answer)> {
        let known = self.cases.values().find_map(|case| case.offers.get(&offer));
        known.map(|known| (known.responder, known.answer))
    }

    fn may_answer(&self, responder: ResponderId, offer: OfferId, answers: &[Answer]) -> bool {
        self.offer(offer).is_some_and(|(owner, answer)| owner == responder && answers.contains(&answer))
    }

    fn may_step(&self, responder: ResponderId, incident: IncidentId, step: &AssignmentStep) -> bool {
        let going = self.cases.get(&incident).and_then(|case| {
            let mut going = case.going.iter().rev();
            going.find(|going| going.responder == responder)
        });
        let Some(going) = going else { return false };
        match step {
            AssignmentStep::Reach(to) if *to == going.step => true,
            AssignmentStep::Reach(to) => {
                going.is_live() && *to > going.step && *to <= AssignmentState::Cleared
            }
            AssignmentStep::Abort { .. } => going.is_live() || going.step == AssignmentState::Aborted,
        }
    }

    fn may_operate(
        &self,
        people: &People,
        id: IncidentId,
        case: &Case,
        operator: &str,
        operation: &Operation,
    ) -> bool {
        let open = case.stage != Stage::Over;
        let others = case.stage == Stage::Taken && case.operator.as_deref() != Some(operator);
        let may_act = open && !others;
        let said = |reason: &str| !reason.trim().is_empty();
        match operation {
            Operation::AddNote { .. } => true,
            Operation::Acknowledge
            | Operation::Withdraw { .. }
            | Operation::HandOver { .. }
            | Operation::Escalate { .. }
            | Operation::Resolve { .. } => may_act,
            Operation::TakeOver { reason } => open && said(reason),
            Operation::Triage { responders, reason, .. } => {
                may_act && said(reason) && responders.is_none_or(|count| (1..=MOST_NEEDED).contains(&count))
            }
            Operation::Dispatch { responders } if responders.is_empty() => {
                may_act && case.place.is_some() && (case.missing() > 0 || case.coming() == 0)
            }
            Operation::Dispatch { responders } => {
                let free = |who: &ResponderId| {
                    self.duty.get(who) == Some(&Duty::OnDuty) && !self.bound.contains_key(who)
                };
                let known = responders.iter().all(|who| people.responder(*who).is_some());
                may_act && known && responders.iter().any(free)
            }
            Operation::Merge { into, reason } => {
                let target = self.cases.get(into).is_some_and(|target| {
                    let taken = target.stage == Stage::Taken && target.operator.as_deref() != Some(operator);
                    let known = target.of_elder || !case.of_elder;
                    let open = target.stage != Stage::Over && !taken;
                    open && known && target.exercise == case.exercise && *into != id
                });
                may_act && said(reason) && target && !case.going.iter().any(super::Going::is_live)
            }
            Operation::Reopen { reason } => !open && said(reason),
            Operation::Close => !open,
        }
    }
}

/// Whom a step of a policy calls, for a kind about which `service` would be called.
pub(super) fn called(step: Step, service: Service) -> EscalationStep {
    match step {
        Step::Operators => EscalationStep::Operators,
        Step::RingAll => EscalationStep::RingAll,
        Step::Station => EscalationStep::Station,
        Step::Supervisor => EscalationStep::Supervisor,
        Step::Family => EscalationStep::Family,
        Step::SuggestService => match service {
            Service::Ambulance => EscalationStep::Suggest120,
            Service::FireBrigade => EscalationStep::Suggest119,
            Service::Police => EscalationStep::Suggest110,
        },
    }
}
