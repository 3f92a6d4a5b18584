//! Alerts: open an incident, or join the one that is open.

use model::{DeviceId, IncidentId, Kind, Millis, Priority, Timestamp};

use crate::{
    command::RaiseAlert,
    decide::{Decision, Desk, Draft},
    event::{
        Alert, EscalationReason, EscalationStep, Hold, IncidentEvent, MessageKey, Opened, Subject, Timer,
    },
    incident::{Incident, IncidentState},
    policy::{Policy, TellFamily},
    state::Need,
};

/// An alert came in. It is never rejected and never swallowed; only the very same message again changes nothing.
pub(crate) fn raise(desk: &Desk<'_>, raised: RaiseAlert) -> Decision {
    if let Some(incident) = raised.key.and_then(|key| desk.state.heard(key)) {
        return Decision { events: Vec::new(), incident: Some(incident), duplicate: true };
    }
    let exercise = raised.exercise || desk.state.drill();
    let priority = desk.policy.priority_of(raised.kind, raised.at_risk);
    match incident_to_join(desk, &raised, exercise) {
        Some(incident) => join(desk, incident.clone(), raised, priority),
        None => open(desk, raised, priority, exercise),
    }
}

/// A device says that what it raised is over. It is written into the open incident and closes nothing.
pub(crate) fn restore(desk: &Desk<'_>, subject: &Subject, device: DeviceId, kind: Kind) -> Decision {
    // A technical alert may have joined the open case of the person.
    let needs = match Need::of(kind) {
        Need::Care => &[Need::Care][..],
        Need::Technical => &[Need::Technical, Need::Care],
    };
    let open = [false, true].into_iter().find_map(|exercise| {
        let newest = |need: &Need| {
            desk.state.incidents_of(subject, *need, exercise).find(|incident| incident.state.is_open())
        };
        needs.iter().find_map(newest)
    });
    let Some(incident) = open else { return Decision::default() };
    let mut draft = desk.draft(incident.clone());
    draft.record(IncidentEvent::Restored { device, kind });
    draft.decided()
}

/// The elder says that it is nothing. During the call-back that ends it; afterwards, or when it is most urgent, or when the
/// case is also somebody else's, one may be in danger or under pressure, and a human decides. A cancel older than the last
/// alert is about an earlier one.
pub(crate) fn cancel(
    desk: &Desk<'_>,
    subject: &Subject,
    device: DeviceId,
    key: Option<MessageKey>,
    occurred_at: Option<Timestamp>,
) -> Decision {
    if let Some(incident) = key.and_then(|key| desk.state.heard(key)) {
        return Decision { events: Vec::new(), incident: Some(incident), duplicate: true };
    }
    let newest = |exercise| {
        desk.state.incidents_of(subject, Need::Care, exercise).find(|incident| incident.state.is_open())
    };
    let Some(incident) = [false, true].into_iter().find_map(newest) else { return Decision::default() };
    let of_now = occurred_at
        .is_none_or(|time| incident.last_alert_said_before(&device, time, desk.policy.clock_ahead));
    let asked = !incident.offers.is_empty() || incident.searching;
    let calling_back = incident.timers.contains_key(&Timer::CallBack) && !asked;
    let theirs_alone = incident.subject == *subject && incident.also.is_empty();
    let mut draft = desk.draft(incident.clone());
    if of_now && calling_back && theirs_alone && incident.priority > Priority::P1 {
        draft.record(IncidentEvent::Cancelled { device, key });
        draft.close_later();
    } else {
        draft.record(IncidentEvent::SaidToBeWell { device, key });
        let (step, reason) = (Hold::STEP, EscalationReason::SaidToBeWell);
        draft.record(IncidentEvent::Escalated { step, reason });
    }
    draft.decided()
}

/// A technical alert joins the person's open case too; a call for help never joins a technical task.
fn incident_to_join<'a>(desk: &Desk<'a>, raised: &RaiseAlert, exercise: bool) -> Option<&'a Incident> {
    let window = desk.policy.join_window;
    let mut cares = desk.state.incidents_of(&raised.subject, Need::Care, exercise);
    let care = cares.find(|open| open.takes_alerts(desk.now, window));
    match Need::of(raised.kind) {
        Need::Care => care,
        Need::Technical => care.or_else(|| {
            let mut tasks = desk.state.incidents_of(&raised.subject, Need::Technical, exercise);
            tasks.find(|task| task.state.is_open())
        }),
    }
}

fn open(desk: &Desk<'_>, raised: RaiseAlert, priority: Priority, exercise: bool) -> Decision {
    let id = desk.state.next_incident();
    let opened = Opened {
        subject: raised.subject.clone(),
        kind: raised.kind,
        priority,
        place: raised.place.or(raised.home),
        org_unit: raised.org_unit,
        exercise,
        hold: hold_of(desk.policy, &raised),
    };
    let mut draft = desk.draft(Incident::opened(id, desk.now, &opened));
    draft.record(IncidentEvent::Opened(opened));
    let alert = alert_of(desk, raised);
    let kind = alert.kind;
    draft.record(IncidentEvent::AlertRaised(alert));
    draft.need_as_many_as(kind);
    draft.ask_for_acknowledgement();
    draft.tell_family(TellFamily::AtOnce);
    draft.begin_dispatch();
    draft.decided()
}

fn join(desk: &Desk<'_>, incident: Incident, raised: RaiseAlert, priority: Priority) -> Decision {
    let was_held = incident.hold.is_some();
    let more_urgent = priority < incident.priority;
    let kind = raised.kind;
    let asks_for_help = Need::of(kind) == Need::Care;
    let (known_as, was) = (incident.kind, incident.priority);
    let mut draft = desk.draft(incident);
    let alert = alert_of(desk, raised);
    let held = alert.hold;
    draft.record(IncidentEvent::AlertRaised(alert));
    if held.is_none() && kind != known_as && (was, priority) == (Priority::P1, Priority::P1) {
        draft.corroborated_by(kind);
    }
    if more_urgent {
        draft.record(IncidentEvent::PriorityRaised { priority, kind });
    }
    if held.is_none() {
        draft.need_as_many_as(kind);
        draft.tell_family(TellFamily::AtOnce);
    }
    if (asks_for_help || more_urgent) && draft.incident.state == IncidentState::New {
        draft.ask_for_acknowledgement();
    }
    if let Some(hold) = held.filter(|_| asks_for_help) {
        draft.leave_to_operators(hold);
        // It sends nobody by itself, but whoever is looked for is looked for as urgently as it says.
        if more_urgent {
            draft.look_now();
        }
    }
    // A search that was stopped or had come to an end begins again; one under way only when it became more urgent. One
    // that waits for nothing but a place begins with any alert that tells one.
    let asks_again = asks_for_help && !draft.is_under_way();
    let found_place = draft.incident.lacks_place && draft.incident.place.is_some();
    let begins = held.is_none() && (more_urgent || was_held || asks_again) || found_place;
    if begins && draft.incident.missing() > 0 && draft.incident.hold.is_none() {
        draft.begin_dispatch();
    }
    draft.decided()
}

fn alert_of(desk: &Desk<'_>, raised: RaiseAlert) -> Alert {
    let hold = hold_of(desk.policy, &raised);
    Alert {
        alert: desk.state.next_alert(),
        key: raised.key,
        device: raised.device,
        kind: raised.kind,
        source_id: raised.source_id,
        topic: raised.topic,
        occurred_at: occurred_at(desk.policy, raised.device_time, raised.received_at),
        device_time: raised.device_time,
        received_at: raised.received_at,
        place: raised.place,
        detail: raised.detail,
        raw: raised.raw,
        retained: raised.retained,
        hold,
    }
}

/// The device's time, unless its clock is ahead of ours.
fn occurred_at(policy: &Policy, device_time: Option<Timestamp>, received_at: Timestamp) -> Timestamp {
    match device_time {
        Some(time) if time - received_at <= policy.clock_ahead => time,
        Some(_) | None => received_at,
    }
}

/// Why this alert alone would send nobody. Late goes last: the others say more about what an operator must do.
fn hold_of(policy: &Policy, raised: &RaiseAlert) -> Option<Hold> {
    if raised.kind == Kind::Unreadable {
        return Some(Hold::Unreadable);
    }
    match raised.subject {
        Subject::Device(_) | Subject::Topic(_) => return Some(Hold::UnknownDevice),
        Subject::Elder(_) | Subject::Call(_) | Subject::Watchdog => {}
    }
    if raised.retained {
        return Some(Hold::Retained);
    }
    let age = raised.received_at - occurred_at(policy, raised.device_time, raised.received_at);
    (age > policy.late_after).then_some(Hold::Late)
}

impl Draft<'_> {
    /// Starts the clocks that call a human when no operator takes it.
    pub(crate) fn ask_for_acknowledgement(&mut self) {
        self.start_ladder(EscalationReason::NotAcknowledged);
    }

    /// Does what the priority asks for: search, wait for the call-back, or leave it to an operator.
    pub(crate) fn begin_dispatch(&mut self) {
        if let Some(hold) = self.incident.hold {
            self.leave_to_operators(hold);
            return;
        }
        let plan = self.plan();
        if plan.operator_decides {
            // A technical task needs no operator at once; its own reminder calls one.
            if Need::of(self.incident.kind) == Need::Care {
                let reason = EscalationReason::OperatorDecides;
                self.record(IncidentEvent::Escalated { step: Hold::STEP, reason });
            }
        } else if plan.call_back == Millis(0) {
            self.search();
        } else if self.incident.searching {
            // It became this urgent while somebody is being searched for: that goes on, and humans are called sooner.
            self.start_ladder(EscalationReason::NobodyAccepted);
        } else {
            let timers = vec![(Timer::CallBack, self.now + plan.call_back)];
            self.record(IncidentEvent::TimersArmed { timers });
        }
    }

    /// Two different alarms of the most urgent kind, such as smoke and a call for help, are hardly a mistake: a person
    /// is told at once to call the services that both would ask for.
    fn corroborated_by(&mut self, kind: Kind) {
        if self.incident.corroborated {
            return;
        }
        let mut services = vec![self.policy.service_for(self.incident.kind), self.policy.service_for(kind)];
        services.dedup();
        services.retain(|service| !self.incident.handed_to.contains(service));
        for service in services {
            let (step, reason) = (service.suggested(), EscalationReason::Corroborated);
            self.record(IncidentEvent::Escalated { step, reason });
        }
    }

    /// It has taken in another incident, which may have been more urgent. `begins` when somebody must be looked for
    /// anyhow.
    pub(crate) fn raised_to(&mut self, priority: Priority, kind: Kind, begins: bool) {
        let more_urgent = priority < self.incident.priority;
        if more_urgent {
            self.record(IncidentEvent::PriorityRaised { priority, kind });
        }
        self.tell_family(TellFamily::AtOnce);
        if more_urgent && self.incident.state == IncidentState::New {
            self.ask_for_acknowledgement();
        }
        if (more_urgent || begins) && self.incident.missing() > 0 && self.incident.hold.is_none() {
            self.begin_dispatch();
        }
    }

    /// Whether somebody is being looked for, or will be after a call-back that the plan still asks for.
    pub(crate) fn is_under_way(&self) -> bool {
        let calls_back = self.incident.timers.contains_key(&Timer::CallBack);
        self.incident.searching || calls_back && self.plan().call_back > Millis(0)
    }

    /// The kind that needs the most responders decides how many go.
    fn need_as_many_as(&mut self, kind: Kind) {
        self.need(self.policy.responders_for(kind));
    }

    /// At least so many must go.
    pub(crate) fn need(&mut self, count: u32) {
        if count > self.incident.needed {
            self.record(IncidentEvent::RespondersNeeded { count });
        }
    }

    /// Tells the contacts, once, when this is the moment the plan names. A drill frightens no family, and what waits for
    /// an operator may be nothing.
    pub(crate) fn tell_family(&mut self, moment: TellFamily) {
        let known = self.incident.is_of_elder();
        let now = self.plan().tell_family == moment && known && self.incident.hold.is_none();
        let reason = match moment {
            TellFamily::AtOnce => EscalationReason::Opened,
            TellFamily::OnDispatch => EscalationReason::Dispatched,
            TellFamily::OnResolve => EscalationReason::Resolved,
            TellFamily::Never => return,
        };
        if now && !self.incident.family_told && !self.incident.exercise {
            self.record(IncidentEvent::Escalated { step: EscalationStep::Family, reason });
        }
    }

    /// What is over closes by itself after a while, until which it can be reopened.
    pub(crate) fn close_later(&mut self) {
        let due = self.now + self.policy.close_after;
        self.record(IncidentEvent::TimersArmed { timers: vec![(Timer::Close, due)] });
    }

    /// Calls the operators to decide about what sends nobody by itself.
    fn leave_to_operators(&mut self, hold: Hold) {
        self.record(IncidentEvent::Escalated { step: Hold::STEP, reason: hold.reason() });
    }

    /// The number this decision is about.
    pub(crate) fn id(&self) -> IncidentId {
        self.incident.id
    }
}
