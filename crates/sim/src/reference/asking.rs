//! Asking: which incident an alert belongs to, who may be asked, and who should have been.

use dispatch::{
    Alert, Command, Decision, Duty, Event, Hold, IncidentEvent, Mode, Operation, PolicyFile, RaiseAlert,
    Subject, When,
};
use model::{IncidentId, Kind, Millis, Priority, ResponderId, Skills, Timestamp};

use super::{Answer, Case, Checked, Reference, Stage, must, technical};
use crate::people::People;

/// Cases of one kind that are looked at for whoever becomes free; those further back wait for their own next look.
const LOOKED_AT: usize = 4;
/// No simulated policy calls back for longer, in seconds.
const CALL_BACK_S: i64 = 60;
/// Seconds that a wait may be longer than the policy says.
const SLACK_S: i64 = 2;

/// What must become of an alert.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    /// The very same message was counted there.
    duplicate_of: Option<IncidentId>,
    /// It must join one of these, unless there are none.
    join: Vec<IncidentId>,
    exercise: bool,
    priority: Priority,
    hold: Option<Hold>,
    /// The incidents as they were.
    before: Vec<Before>,
}

/// An incident before an alert.
#[derive(Debug, Clone, Copy)]
struct Before {
    id: IncidentId,
    priority: Priority,
    needed: u32,
    is_new: bool,
    held: bool,
    has_place: bool,
}

/// What must become of an incident that takes in another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Merged {
    priority: Priority,
    needed: u32,
    more_urgent: bool,
    may_ask: bool,
    wants_somebody: bool,
}

impl Reference {
    /// What must become of `raised`.
    pub(super) fn expected(&self, now: Timestamp, raised: &RaiseAlert) -> Expected {
        let file = self.file();
        let exercise = raised.exercise || self.drill;
        let window = Millis::from_seconds(file.join_window_s);
        let own = |case: &Case| {
            let open = case.stage != Stage::Over && case.exercise == exercise;
            open && case.subjects.contains(&raised.subject)
        };
        let ids = |chosen: &dyn Fn(&Case) -> bool| -> Vec<IncidentId> {
            self.cases.iter().filter(|(_, case)| own(case) && chosen(case)).map(|(id, _)| *id).collect()
        };
        let care = ids(&|case| !technical(case.kind) && now - case.last_alert <= window);
        let tasks = if technical(raised.kind) { ids(&|case| technical(case.kind)) } else { Vec::new() };
        Expected {
            duplicate_of: raised.key.and_then(|key| self.heard.get(&key).copied()),
            join: if care.is_empty() { tasks } else { care },
            exercise,
            priority: priority_of(file, raised),
            hold: hold_of(file, raised),
            before: self
                .cases
                .iter()
                .filter(|(_, case)| case.subjects.contains(&raised.subject))
                .map(|(id, case)| Before {
                    id: *id,
                    priority: case.priority,
                    needed: case.needed,
                    is_new: case.stage == Stage::New,
                    held: case.held,
                    has_place: case.place.is_some(),
                })
                .collect(),
        }
    }

    /// Whether that became of it, and what must follow.
    pub(super) fn alert_was_taken(
        &mut self,
        now: Timestamp,
        raised: &RaiseAlert,
        expected: &Expected,
        decision: &Decision,
    ) -> Checked {
        if let Some(where_) = expected.duplicate_of {
            let same = decision.duplicate && decision.events.is_empty();
            return must(same && decision.incident == Some(where_), || {
                format!("heard before in #{where_} and answered {decision:?}")
            });
        }
        let mut alerts = decision.events.iter().filter_map(alert_of);
        let (Some((id, alert)), None) = (alerts.next(), alerts.next()) else {
            return Err(format!("one alert came and was not counted once: {decision:?}"));
        };
        must(alert.hold == expected.hold, || {
            format!("#{id} is held for {:?}, not {:?}", alert.hold, expected.hold)
        })?;
        let file = self.file();
        let before = expected.before.iter().find(|before| before.id == id);
        let opens = before.is_none();
        must(if opens { expected.join.is_empty() } else { expected.join.contains(&id) }, || {
            format!("the alert is in #{id} and belongs to {:?}", expected.join)
        })?;
        let case = self.cases.get_mut(&id).ok_or_else(|| format!("#{id} is gone"))?;
        let needed = file.kinds[&raised.kind].responders;
        let (priority, needed, was_new) = match before {
            None => (expected.priority, needed, true),
            Some(was) => {
                // What waits for an operator sends nobody, so nobody more either.
                let needed = if expected.hold.is_none() { was.needed.max(needed) } else { was.needed };
                (was.priority.min(expected.priority), needed, was.is_new)
            }
        };
        must(case.exercise == expected.exercise, || format!("#{id}: a drill is not told from what is real"))?;
        must(case.priority == priority, || format!("#{id} is {} and should be {priority}", case.priority))?;
        must(case.needed == needed, || format!("#{id} needs {} and should need {needed}", case.needed))?;
        let more_urgent = before.is_none_or(|was| priority < was.priority);
        let help = !technical(raised.kind);
        if was_new && (opens || help || more_urgent) {
            case.call_at_the_latest(now, file);
        }
        let was_held = before.is_some_and(|was| was.held);
        if expected.hold.is_some() && more_urgent && !case.searching && case.ask_by.is_none() {
            case.left_to_operators = true;
        }
        if expected.hold.is_none() && !case.held && (help || more_urgent || was_held) {
            case.should_ask(now, file, more_urgent);
        } else if before.is_some_and(|was| !was.has_place) && case.may_search && !case.held {
            // Now somebody knows where, by an alert that asks for nobody itself: a call-back that runs is not made shorter.
            let by = case.ask_by;
            case.should_ask(now, file, false);
            case.ask_by = by.or(case.ask_by.map(|_| now + Millis::from_seconds(CALL_BACK_S)));
        }
        Ok(())
    }

    /// What must follow from what an operator did.
    pub(super) fn was_operated(
        &mut self,
        now: Timestamp,
        id: IncidentId,
        operation: &Operation,
        merged: Option<Merged>,
    ) -> Checked {
        let file = self.file();
        match operation {
            Operation::Triage { .. } => {
                if let Some(case) = self.cases.get_mut(&id) {
                    let plan = &file.priorities[&case.priority];
                    if plan.mode == Mode::OperatorDecides {
                        case.left_to_operators = true;
                    } else {
                        // The operator has spoken: nobody is called back any more.
                        case.should_ask(now, file, true);
                        case.ask_by = case.ask_by.map(|_| now);
                    }
                }
            }
            Operation::Merge { into, .. } => {
                let (Some(merged), Some(case)) = (merged, self.cases.get_mut(into)) else { return Ok(()) };
                must(case.priority == merged.priority && case.needed == merged.needed, || {
                    format!("#{into} is {} and needs {}, should be {merged:?}", case.priority, case.needed)
                })?;
                if merged.more_urgent && case.stage == Stage::New {
                    case.call_at_the_latest(now, file);
                }
                case.may_search |= merged.may_ask;
                if merged.wants_somebody && !case.held {
                    case.should_ask(now, file, merged.more_urgent);
                }
            }
            Operation::Acknowledge
            | Operation::Dispatch { .. }
            | Operation::Withdraw { .. }
            | Operation::AddNote { .. }
            | Operation::Resolve { .. }
            | Operation::Close
            | Operation::TakeOver { .. }
            | Operation::HandOver { .. }
            | Operation::Escalate { .. }
            | Operation::Reopen { .. } => {}
        }
        Ok(())
    }

    /// How urgent the incident must be that takes in another by `command`.
    pub(super) fn more_urgent_by_merging(&self, command: &Command) -> Option<Merged> {
        let Command::Operate { incident, operation: Operation::Merge { into, .. }, .. } = command else {
            return None;
        };
        let (from, into) = (self.cases.get(incident)?, self.cases.get(into)?);
        let needed = into.needed.max(self.file().kinds[&from.kind].responders).max(from.needed);
        let more_urgent = from.priority < into.priority;
        let found_place = into.place.is_none() && from.place.is_some();
        let was_done = from.calls_anew() && into.coming() == 0 && into.served > 0;
        let needs_more = was_done || needed > into.needed;
        let looked_for = from.searching || from.ask_by.is_some();
        let released = into.held && (from.calls_anew() || !from.held && technical(into.kind));
        let wants_somebody = more_urgent || found_place || needs_more || looked_for || released;
        // Called back without a place it would not have asked anybody yet, and may do so here.
        let may_ask = from.place.is_none() && from.may_search;
        Some(Merged {
            may_ask,
            wants_somebody,
            priority: into.priority.min(from.priority),
            needed,
            more_urgent,
        })
    }

    /// Somebody who was to come does not: another is asked at once, unless that is left to operators.
    pub(super) fn ask_instead(&self, now: Timestamp, case: &mut Case) {
        if self.file().priorities[&case.priority].mode != Mode::OperatorDecides {
            case.may_search = true;
            if case.missing() > 0 && !case.searching && !case.held && case.place.is_some() {
                case.ask_by = Some(now);
            }
        }
    }

    /// Why `who` may not be asked for `case`.
    pub(super) fn may_be_asked(
        &self,
        now: Timestamp,
        people: &People,
        case: &Case,
        who: ResponderId,
        by_operator: bool,
    ) -> Checked {
        must(self.duty.get(&who) == Some(&Duty::OnDuty), || "is asked and not on duty".to_owned())?;
        must(!self.bound.contains_key(&who), || format!("is asked while bound to #{}", self.bound[&who]))?;
        if by_operator { Ok(()) } else { self.could_go(now, people, case, who, 2) }
    }

    /// Why `who`, free, could not go by policy; `slack` seconds of travel do not matter.
    fn could_go(
        &self,
        now: Timestamp,
        people: &People,
        case: &Case,
        who: ResponderId,
        slack: i64,
    ) -> Checked {
        let file = self.file();
        let plan = &file.priorities[&case.priority];
        let responder = people.responder(who).ok_or("is nobody")?;
        let member = responder.member;
        let skills: Skills = file.kinds[&case.kind].skills.iter().copied().collect();
        must(member.skills.covers(skills), || "lacks a skill".to_owned())?;
        must(member.certificates.expired(skills, now) == Skills::NONE, || {
            "has a certificate that has expired".to_owned()
        })?;
        let there = people.whereabouts(who).ok_or("is nowhere")?;
        let place = case.place.ok_or("goes nowhere")?;
        let travel = f64::from(there.distance(place).0) / file.travel_m_per_s[&member.travels];
        let reach = plan.waves.iter().map(|wave| wave.reach_min).max().unwrap_or_default();
        must(travel.ceil() as i64 <= i64::from(reach) * 60 + slack, || "is too far away".to_owned())?;
        if let Some(ended) = self.job_ended.get(&who) {
            let rested = *ended + Millis::from_seconds(plan.rest_after_job_s);
            must(now >= rested, || "rests after a job".to_owned())?;
        }
        if let (Some(elder), Some(home)) = (case.org_unit, member.org_unit) {
            let wall = elder.county() != home.county() && plan.area_cost_s.elsewhere.is_none();
            must(!wall, || "belongs elsewhere".to_owned())?;
        }
        let times = |answer: Answer| {
            case.offers.values().filter(|offer| offer.responder == who && offer.answer == answer).count()
        };
        must(times(Answer::No) == 0, || "has declined".to_owned())?;
        must(times(Answer::Silence) < file.asks_per_responder as usize, || "never answers".to_owned())?;
        let gave_up = |step| step == dispatch::AssignmentState::Aborted;
        let gone = case.going.iter().any(|going| going.responder == who && gave_up(going.step));
        must(!gone, || "has given up".to_owned())
    }

    /// Who is free and could go for `case` now.
    fn free_for(&self, now: Timestamp, people: &People, case: &Case) -> Option<ResponderId> {
        self.duty
            .iter()
            .filter(|(who, duty)| **duty == Duty::OnDuty && !self.bound.contains_key(who))
            .map(|(who, _)| *who)
            .find(|who| self.could_go(now, people, case, *who, -2).is_ok())
    }

    /// Whether `who`, who has just become free, could go for `case` and was never asked for it in vain.
    fn should_be_asked(&self, now: Timestamp, people: &People, case: &Case, who: ResponderId) -> bool {
        let free = self.duty.get(&who) == Some(&Duty::OnDuty) && !self.bound.contains_key(&who);
        let silent = |offer: &super::Offer| offer.responder == who && offer.answer == Answer::Silence;
        let heard = case.offers.values().any(silent);
        free && !heard && self.could_go(now, people, case, who, -2).is_ok()
    }

    /// In one pass the more urgent goes first: nobody is given to a lesser incident whom a more urgent one, which was
    /// looked at in the same pass and got nobody, could have had. To be called before the decision is applied.
    pub(super) fn expect_order(&self, now: Timestamp, people: &People, decision: &Decision) -> Checked {
        let waves: Vec<_> = decision.events.iter().filter_map(wave_of).collect();
        for (winner, chosen) in waves.iter().filter(|(_, chosen)| !chosen.is_empty()) {
            for (loser, _) in waves.iter().filter(|(_, chosen)| chosen.is_empty()) {
                let (Some(won), Some(lost)) = (self.cases.get(winner), self.cases.get(loser)) else {
                    continue;
                };
                let could = |who: &&ResponderId| {
                    let by_policy = waves.len() > 1;
                    by_policy && self.could_go(now, people, lost, **who, -2).is_ok()
                };
                if let (true, Some(who)) = (lost.priority < won.priority, chosen.iter().find(could)) {
                    return Err(format!("r{who} is asked for #{winner} although #{loser} is more urgent"));
                }
            }
        }
        Ok(())
    }

    /// Nobody waits for long while somebody who could go is free.
    ///
    /// # Errors
    /// Who waits, and for whom.
    pub fn nobody_starves(&mut self, now: Timestamp, people: &People) -> Checked {
        let often = Millis::from_seconds(30 + SLACK_S);
        let seldom = Millis::from_seconds(120 + SLACK_S);
        let waiting =
            |case: &Case| case.searching && case.live() == 0 && !case.held && case.stage != Stage::Over;
        let ids: Vec<IncidentId> = self.cases.keys().copied().collect();
        let freed = std::mem::take(&mut self.freed);
        let crowd =
            |kind| self.cases.values().filter(|case| waiting(case) && case.kind == kind).count() > LOOKED_AT;
        let crowds: Vec<Kind> =
            Kind::ALL.into_iter().filter(|kind| !freed.is_empty() && crowd(*kind)).collect();
        for id in ids {
            must(self.cases.get(&id).is_none_or(|case| self.is_cared_for(case)), || {
                format!("#{id} needs somebody, and nobody is asked, looked for or called back")
            })?;
            let found = self.cases.get(&id).filter(|case| waiting(case));
            if let Some(case) = found.filter(|case| !crowds.contains(&case.kind)) {
                let not_asked = freed.iter().find(|who| self.should_be_asked(now, people, case, **who));
                must(not_asked.is_none(), || {
                    format!("#{id} waits, {not_asked:?} became free and is not asked")
                })?;
            }
            let free = found.and_then(|case| self.free_for(now, people, case));
            let Some(case) = self.cases.get_mut(&id) else { continue };
            case.could_since = free.map(|_| case.could_since.unwrap_or(now));
            if let (Some(since), Some(who)) = (case.could_since, free) {
                let longest = if case.priority == Priority::P1 { often } else { seldom };
                must(now - since <= longest, || {
                    format!("#{id} waits since {since:?} though r{who} is free")
                })?;
            }
        }
        Ok(())
    }
}

impl Reference {
    /// Whether somebody is asked or looked for, or will be, when that is wanted and not left to operators. A technical
    /// task that was done and is reported again waits for an operator.
    fn is_cared_for(&self, case: &Case) -> bool {
        let by_itself = self.file().priorities[&case.priority].mode != Mode::OperatorDecides;
        let wanted = by_itself
            && case.may_search
            && !case.left_to_operators
            && case.stage != Stage::Over
            && !case.held;
        let needs = wanted && !technical(case.kind) && case.missing() > 0 && case.place.is_some();
        !needs || case.searching || case.live() > 0 || case.ask_by.is_some()
    }
}

impl Case {
    /// By when which human is called, unless somebody takes it; never later than before.
    fn call_at_the_latest(&mut self, now: Timestamp, file: &PolicyFile) {
        let steps = &file.priorities[&self.priority].escalation;
        for rung in steps.iter().filter(|rung| rung.when == When::NotAcknowledged) {
            let due = now + Millis::from_seconds(rung.after_s);
            let step = crate::reference::answers::called(rung.step, file.kinds[&self.kind].service);
            let by = self.call_by.entry(step).or_insert(due);
            *by = due.min(*by);
        }
    }

    /// Somebody is to be asked by policy, if anybody is missing and nobody is being asked.
    ///
    /// A call-back window that runs already is only made shorter by what is more urgent.
    fn should_ask(&mut self, now: Timestamp, file: &PolicyFile, more_urgent: bool) {
        let plan = &file.priorities[&self.priority];
        if plan.mode == Mode::OperatorDecides {
            return;
        }
        self.may_search = true;
        self.left_to_operators = false;
        if self.missing() > 0 && self.live() == 0 && !self.searching && self.place.is_some() {
            let due = now + Millis::from_seconds(plan.call_back_s);
            let sooner = more_urgent || plan.call_back_s == 0;
            self.ask_by = match self.ask_by {
                Some(by) if !sooner || by < due => Some(by),
                Some(_) | None => Some(due),
            };
        }
    }
}

fn alert_of(event: &Event) -> Option<(IncidentId, &Alert)> {
    let Event::Incident { incident, event: IncidentEvent::AlertRaised(alert) } = event else { return None };
    Some((*incident, alert))
}

fn wave_of(event: &Event) -> Option<(IncidentId, Vec<ResponderId>)> {
    let Event::Incident { incident, event: IncidentEvent::WaveSent(wave) } = event else { return None };
    Some((*incident, wave.chosen.iter().map(|chosen| chosen.responder).collect()))
}

fn priority_of(file: &PolicyFile, raised: &RaiseAlert) -> Priority {
    match (file.kinds[&raised.kind].priority, raised.at_risk) {
        (Priority::P2, true) => Priority::P1,
        (Priority::P3, true) => Priority::P2,
        (priority, _) => priority,
    }
}

/// Why an alert alone sends nobody.
fn hold_of(file: &PolicyFile, raised: &RaiseAlert) -> Option<Hold> {
    if raised.kind == Kind::Unreadable {
        return Some(Hold::Unreadable);
    }
    if matches!(raised.subject, Subject::Device(_) | Subject::Topic(_)) {
        return Some(Hold::UnknownDevice);
    }
    if raised.retained {
        return Some(Hold::Retained);
    }
    let time = raised.device_time.unwrap_or(raised.received_at);
    let ahead = time - raised.received_at > Millis::from_seconds(file.clock_ahead_s);
    let age = if ahead { Millis(0) } else { raised.received_at - time };
    (age > Millis::from_seconds(file.late_after_s)).then_some(Hold::Late)
}
