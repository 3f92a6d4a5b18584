//! Alerts: open an incident, or join the one that is open.

use model::{DeviceId, IncidentId, Kind, Millis, Priority, Timestamp};

use crate::{
    command::RaiseAlert,
    decide::{Decision, Desk, Draft},
    event::{Alert, EscalationReason, Hold, IncidentEvent, Opened, Subject, Timer},
    incident::{Incident, IncidentState},
    policy::{DispatchMode, Policy},
    state::{Case, Need},
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
        let case = |need| Case { subject: subject.clone(), need, exercise };
        let newest =
            |need: &Need| desk.state.newest(&case(*need)).filter(|incident| incident.state.is_open());
        needs.iter().find_map(newest)
    });
    let Some(incident) = open else { return Decision::default() };
    let mut draft = desk.draft(incident.clone());
    draft.record(IncidentEvent::Restored { device, kind });
    draft.decided()
}

/// A technical alert joins the person's open case too; a call for help never joins a technical task.
fn incident_to_join<'a>(desk: &Desk<'a>, raised: &RaiseAlert, exercise: bool) -> Option<&'a Incident> {
    let case = |need| Case { subject: raised.subject.clone(), need, exercise };
    let window = Millis::from_seconds(desk.policy.join_window_s);
    let care = desk.state.newest(&case(Need::Care)).filter(|open| open.takes_alerts(desk.now, window));
    match Need::of(raised.kind) {
        Need::Care => care,
        Need::Technical => {
            care.or_else(|| desk.state.newest(&case(Need::Technical)).filter(|task| task.state.is_open()))
        }
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
    draft.record(IncidentEvent::AlertRaised(alert));
    draft.ask_for_acknowledgement();
    draft.begin_dispatch();
    draft.decided()
}

fn join(desk: &Desk<'_>, incident: Incident, raised: RaiseAlert, priority: Priority) -> Decision {
    let was_held = incident.hold.is_some();
    let more_urgent = priority < incident.priority;
    let kind = raised.kind;
    let asks_for_help = Need::of(kind) == Need::Care;
    let somebody_goes = incident.live_assignments().next().is_some();
    let under_way = incident.searching || incident.timers.contains_key(&Timer::CallBack);

    let mut draft = desk.draft(incident);
    let alert = alert_of(desk, raised);
    let held = alert.hold;
    draft.record(IncidentEvent::AlertRaised(alert));
    if more_urgent {
        draft.record(IncidentEvent::PriorityRaised { priority, kind });
    }
    if (asks_for_help || more_urgent) && draft.incident.state == IncidentState::New {
        draft.ask_for_acknowledgement();
    }
    // A search that was stopped or had come to an end begins again; one under way only when it became more urgent.
    let begins = more_urgent || was_held || (asks_for_help && !under_way);
    match held {
        Some(hold) if asks_for_help => draft.leave_to_operators(hold),
        Some(_) => {}
        None if begins && !somebody_goes && draft.incident.hold.is_none() => draft.begin_dispatch(),
        None => {}
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
        Some(time) if time - received_at <= Millis::from_seconds(policy.clock_ahead_s) => time,
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
        Subject::Elder(_) | Subject::Call(_) => {}
    }
    if raised.retained {
        return Some(Hold::Retained);
    }
    let age = raised.received_at - occurred_at(policy, raised.device_time, raised.received_at);
    (age > Millis::from_seconds(policy.late_after_s)).then_some(Hold::Late)
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
        let policy = self.policy.of(self.incident.priority);
        match policy.dispatch {
            DispatchMode::AtOnce => self.search(),
            // It became this urgent while somebody is being searched for: that goes on, and humans are called sooner.
            DispatchMode::AfterCallBack if self.incident.searching => {
                self.start_ladder(EscalationReason::NobodyAccepted);
            }
            DispatchMode::AfterCallBack => {
                let due = self.now + Millis::from_seconds(policy.call_back_s);
                self.record(IncidentEvent::TimersArmed { timers: vec![(Timer::CallBack, due)] });
            }
            DispatchMode::OperatorDecides => {
                // A technical task needs no operator at once; its own reminder calls one.
                if Need::of(self.incident.kind) == Need::Care {
                    let reason = EscalationReason::OperatorDecides;
                    self.record(IncidentEvent::Escalated { step: Hold::STEP, reason });
                }
            }
        }
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
