//! One case as the reference sees it.

use std::collections::BTreeMap;

use dispatch::{AssignmentState, EscalationStep, Opened, Subject};
use model::{Kind, OfferId, OrgUnitCode, Place, Priority, ResponderId, Timestamp};

use super::{Checked, must, technical};

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    /// Whose it is, and whose went up in it.
    pub subjects: Vec<Subject>,
    /// It began with an elder who is known.
    pub of_elder: bool,
    /// A drill or test.
    pub exercise: bool,
    /// What it is about.
    pub kind: Kind,
    /// How urgent.
    pub priority: Priority,
    /// Where.
    pub place: Option<Place>,
    /// Where it belongs.
    pub org_unit: Option<OrgUnitCode>,
    /// When its last alert came.
    pub last_alert: Timestamp,
    /// How many came.
    pub alerts: u32,
    /// It waits for an operator.
    pub held: bool,
    /// Who has it.
    pub operator: Option<String>,
    /// How far it is.
    pub stage: Stage,
    /// How many must go.
    pub needed: u32,
    /// How many have done what was asked for last.
    pub served: u32,
    /// Whom somebody wants to be asked.
    pub may_search: bool,
    /// An operator has said that operators decide, and nobody has asked for help since.
    pub left_to_operators: bool,
    /// Somebody is looked for until enough have accepted.
    pub searching: bool,
    /// Everybody who was asked.
    pub offers: BTreeMap<OfferId, Offer>,
    /// Everybody who accepted.
    pub going: Vec<Going>,
    /// When which human is called at the latest, as long as nobody has taken it.
    pub call_by: BTreeMap<EscalationStep, Timestamp>,
    /// When somebody is asked at the latest, or a human told that nobody can be.
    pub ask_by: Option<Timestamp>,
    /// When it closes at the latest.
    pub close_by: Option<Timestamp>,
    /// Since when somebody who could go has been free without being asked.
    pub could_since: Option<Timestamp>,
}

/// How far a case is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// No operator has it.
    New,
    /// One has.
    Taken,
    /// Resolved or cancelled.
    Over,
}

/// One offer.
#[derive(Debug, Clone, Copy)]
pub struct Offer {
    /// To whom.
    pub responder: ResponderId,
    /// What they said.
    pub answer: Answer,
    /// An operator named them.
    pub by_operator: bool,
}

/// What became of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Nothing yet.
    None,
    /// "I go."
    Yes,
    /// "I cannot."
    No,
    /// It ran out.
    Silence,
    /// It was taken back.
    Withdrawn,
}

/// Somebody who accepted.
#[derive(Debug, Clone, Copy)]
pub struct Going {
    /// Who.
    pub responder: ResponderId,
    /// How far.
    pub step: AssignmentState,
    /// They do not seem to come.
    pub doubted: bool,
}

impl Case {
    pub(super) fn opened(now: Timestamp, opened: &Opened) -> Self {
        Self {
            subjects: vec![opened.subject.clone()],
            exercise: opened.exercise,
            kind: opened.kind,
            priority: opened.priority,
            place: opened.place,
            org_unit: opened.org_unit,
            last_alert: now,
            alerts: 0,
            of_elder: matches!(opened.subject, Subject::Elder(_)),
            held: opened.hold.is_some(),
            operator: None,
            stage: Stage::New,
            needed: 1,
            served: 0,
            may_search: false,
            left_to_operators: false,
            searching: false,
            offers: BTreeMap::new(),
            going: Vec::new(),
            call_by: BTreeMap::new(),
            ask_by: None,
            close_by: None,
            could_since: None,
        }
    }

    /// How many more must accept; those who do not seem to come do not count, those who are done do.
    #[must_use]
    pub fn missing(&self) -> u32 {
        self.needed.saturating_sub(self.coming() + self.served)
    }

    /// How many are on the way or there.
    #[must_use]
    pub fn coming(&self) -> u32 {
        self.going.iter().filter(|going| going.is_live() && !going.doubted).count() as u32
    }

    /// Whether it is a live call for help, not a technical task and not one that waits for an operator.
    pub(super) fn calls_anew(&self) -> bool {
        !self.held && !technical(self.kind)
    }

    /// Somebody asks for help anew: whoever is done has not done this.
    pub(super) fn asked_anew(&mut self) {
        if self.coming() == 0 {
            self.served = 0;
        }
    }

    /// How many can still answer.
    #[must_use]
    pub fn live(&self) -> usize {
        self.offers.values().filter(|offer| offer.answer == Answer::None).count()
    }

    pub(super) fn binds_anybody(&self) -> bool {
        self.live() > 0 || self.going.iter().any(Going::is_live)
    }

    pub(super) fn is_about(&mut self, priority: Priority, kind: Kind) {
        (self.priority, self.kind) = (priority, kind);
    }

    pub(super) fn needs(&mut self, count: u32) {
        self.needed = count;
        self.enough();
    }

    fn enough(&mut self) {
        if self.missing() == 0 {
            self.searching = false;
            self.ask_by = None;
        }
    }

    pub(super) fn stop(&mut self) {
        self.searching = false;
        self.may_search = false;
        self.ask_by = None;
    }

    pub(super) fn taken(&mut self, operator: &str) {
        self.stage = Stage::Taken;
        self.operator = Some(operator.to_owned());
        self.call_by.clear();
    }

    pub(super) fn over(&mut self, close_by: Timestamp) {
        self.stop();
        self.stage = Stage::Over;
        self.call_by.clear();
        self.close_by = Some(close_by);
    }

    pub(super) fn accepted(&mut self, offer: OfferId, responder: ResponderId) -> Checked {
        let wanted = self.missing() > 0;
        let known = self.offer_ends(offer, Answer::Yes)?;
        must(known.responder == responder, || format!("r{responder} accepts the offer of another"))?;
        must(wanted || known.by_operator, || format!("r{responder} goes although enough go"))?;
        self.going.push(Going { responder, step: AssignmentState::Assigned, doubted: false });
        self.enough();
        Ok(())
    }

    pub(super) fn offer_ends(&mut self, offer: OfferId, answer: Answer) -> Result<Offer, String> {
        let known = self.offers.get_mut(&offer).ok_or_else(|| format!("there is no offer {offer}"))?;
        must(known.answer == Answer::None, || format!("offer {offer} ends twice"))?;
        known.answer = answer;
        Ok(*known)
    }

    pub(super) fn advances(&mut self, responder: ResponderId, step: AssignmentState) -> Checked {
        let going = self.live_going(responder)?;
        // Whoever was doubted may say again how far they are.
        let said_again = going.doubted && step == going.step;
        must(step > going.step || said_again, || format!("r{responder} goes back to {step:?}"))?;
        (going.step, going.doubted) = (step, false);
        self.served += u32::from(step == AssignmentState::Cleared);
        if step != AssignmentState::Aborted {
            self.enough();
        }
        Ok(())
    }

    pub(super) fn doubt(&mut self, responder: ResponderId) -> Checked {
        self.live_going(responder)?.doubted = true;
        Ok(())
    }

    fn live_going(&mut self, responder: ResponderId) -> Result<&mut Going, String> {
        let mut going = self.going.iter_mut();
        going
            .find(|going| going.responder == responder && going.is_live())
            .ok_or_else(|| format!("r{responder} does not go there"))
    }

    /// Takes in `other`, which went up in it.
    pub(super) fn takes_in(&mut self, other: &Self) {
        self.subjects.extend(other.subjects.iter().cloned());
        self.alerts += other.alerts;
        self.last_alert = self.last_alert.max(other.last_alert);
        self.place = self.place.or(other.place);
        if other.calls_anew() || !other.held && technical(self.kind) {
            self.held = false;
            self.asked_anew();
        }
    }
}

impl Going {
    /// Whether they are still bound by it.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.step < AssignmentState::Cleared
    }
}
