//! Story: steps at seconds in, lines of what happened out. Stories know nothing else of dispatch.

mod invariants;
mod promises;
mod tell;
mod world;

use dispatch::{
    AssignmentState, AssignmentStep, Command, Disposition, Duty, EscalationStep, MessageKey, Operation,
    PolicyFile, RaiseAlert, Service, Subject,
};
use model::{
    DeviceId, ElderId, IncidentId, Kind, Millis, OfferId, OrgUnitCode, Priority, ResponderId, Skill,
    Timestamp, TravelMode,
};
use roster::Member;

pub(crate) use self::world::World;

/// Something that happens in a story.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// The registry knows a responder, so many metres north of the elder; `fresh` when a position is known, and not only
    /// the station's place.
    Enrol { responder: u32, metres: u32, comes: bool, fresh: bool, member: Box<Member> },
    /// A responder is seen so many metres north of the elder.
    Seen { responder: u32, metres: u32 },
    /// The policy is replaced by one that differs so from what is shipped.
    Policy(fn(&mut PolicyFile)),
    /// An alert, received now, whose device's clock is so far from ours.
    Alert { raised: Box<RaiseAlert>, clock: Option<Millis> },
    /// Any other wish.
    Wish(Command),
    /// Several of these, before anybody is looked for.
    Batch(Vec<Step>),
    /// Time passes, and every deadline fires when it is due.
    Wait,
    /// The program was stopped after the step before and starts now from its journal.
    Restart,
}

/// Plays `steps`, each with its second, and compares what happened with `expected`, one line for each event.
///
/// Deadlines between two steps fire when they are due. After every step the invariants hold, and the state that is
/// replayed from the events and the roster that is rebuilt from it equal the live ones.
pub(crate) fn check(steps: &[(i64, Step)], expected: &str) {
    let mut world = World::new();
    for (second, step) in steps {
        world.play(at(*second), step);
    }
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let told = world.told();
    if let Some(line) = (0..told.len().max(expected.len()))
        .find(|line| told.get(*line).map(String::as_str) != expected.get(*line).copied())
    {
        let wanted = expected.get(line).unwrap_or(&"the end");
        let got = told.get(line).map_or("the end", String::as_str);
        panic!("line {}: expected {wanted:?}, told {got:?}. The whole story:\n{}", line + 1, told.join("\n"));
    }
}

/// A responder on duty, so many metres from the elder.
pub(crate) fn free(responder: u32, metres: u32) -> Step {
    enrol(responder, metres, true)
}

fn enrol(responder: u32, metres: u32, comes: bool) -> Step {
    Step::Enrol { responder, metres, comes, fresh: true, member: Box::default() }
}

/// A responder with something else about them.
pub(crate) fn with(step: Step, change: impl FnOnce(&mut Member)) -> Step {
    let Step::Enrol { responder, metres, comes, fresh, mut member } = step else {
        panic!("only a responder can be changed: {step:?}")
    };
    change(&mut member);
    Step::Enrol { responder, metres, comes, fresh, member }
}

/// A responder who belongs to this village, town or county.
pub(crate) fn of_unit(code: &str, step: Step) -> Step {
    let unit = unit(code);
    with(step, |member| member.org_unit = Some(unit))
}

pub(crate) fn able(skills: &[Skill], step: Step) -> Step {
    with(step, |member| member.skills = skills.iter().copied().collect())
}

pub(crate) fn travels(mode: TravelMode, step: Step) -> Step {
    with(step, |member| member.travels = mode)
}

/// A responder whose place is that of the station, because no fix is known.
pub(crate) fn at_station(step: Step) -> Step {
    let Step::Enrol { responder, metres, comes, member, .. } = step else {
        panic!("only a responder has a station: {step:?}")
    };
    Step::Enrol { responder, metres, comes, fresh: false, member }
}

/// A responder is seen so many metres from the elder.
pub(crate) fn is_seen(responder: u32, metres: u32) -> Step {
    Step::Seen { responder, metres }
}

/// The policy changes while everything runs.
pub(crate) fn policy(change: fn(&mut PolicyFile)) -> Step {
    Step::Policy(change)
}

fn unit(code: &str) -> OrgUnitCode {
    OrgUnitCode::new(code).expect("a division code")
}

/// A responder at home, whose place will be so many metres from the elder.
pub(crate) fn at_home(responder: u32, metres: u32) -> Step {
    enrol(responder, metres, false)
}

pub(crate) fn comes(responder: u32) -> Step {
    duty(responder, Duty::OnDuty)
}

pub(crate) fn rests(responder: u32) -> Step {
    duty(responder, Duty::OnBreak)
}

pub(crate) fn goes_home(responder: u32) -> Step {
    duty(responder, Duty::OffDuty)
}

fn duty(responder: u32, duty: Duty) -> Step {
    Step::Wish(Command::SetDuty { responder: ResponderId(responder), duty })
}

pub(crate) fn sos(elder: u64) -> Step {
    alert(elder, Kind::Sos)
}

/// A live alert of an elder whose home is known.
pub(crate) fn alert(elder: u64, kind: Kind) -> Step {
    let raised = RaiseAlert {
        subject: Subject::Elder(ElderId(elder)),
        home: Some(world::home()),
        org_unit: None,
        at_risk: false,
        key: None,
        device: Some(device("button")),
        kind,
        source_id: None,
        topic: "anhu/v1/button/alert".to_owned(),
        device_time: None,
        received_at: world::BEGIN,
        place: None,
        detail: String::new(),
        raw: None,
        retained: false,
        exercise: false,
    };
    Step::Alert { raised: Box::new(raised), clock: None }
}

fn but(step: Step, change: impl FnOnce(&mut RaiseAlert)) -> Step {
    let Step::Alert { mut raised, clock } = step else { panic!("only an alert can be changed: {step:?}") };
    change(&mut raised);
    Step::Alert { raised, clock }
}

/// The same message again has the same number.
pub(crate) fn message(number: u8, alert: Step) -> Step {
    but(alert, |raised| raised.key = Some(MessageKey([number; 16])))
}

/// Another device of the elder raises it.
pub(crate) fn by_device(name: &str, alert: Step) -> Step {
    but(alert, |raised| raised.device = Some(device(name)))
}

pub(crate) fn retained(alert: Step) -> Step {
    but(alert, |raised| raised.retained = true)
}

pub(crate) fn test(alert: Step) -> Step {
    but(alert, |raised| raised.exercise = true)
}

pub(crate) fn at_risk(alert: Step) -> Step {
    but(alert, |raised| raised.at_risk = true)
}

/// The elder belongs to this village, town or county.
pub(crate) fn in_unit(code: &str, alert: Step) -> Step {
    let unit = unit(code);
    but(alert, |raised| raised.org_unit = Some(unit))
}

/// The elder lives so many metres north of where the others do.
pub(crate) fn living_at(metres: u32, alert: Step) -> Step {
    but(alert, |raised| raised.home = Some(world::home().offset(f64::from(metres), 0.0)))
}

/// Several things of the same moment, decided together as a batch of the engine.
pub(crate) fn at_once(steps: Vec<Step>) -> Step {
    Step::Batch(steps)
}

/// Nobody knows where.
pub(crate) fn nowhere(alert: Step) -> Step {
    but(alert, |raised| raised.home = None)
}

/// The device says where: so many metres north of the elder's home.
pub(crate) fn seen_at(metres: u32, alert: Step) -> Step {
    but(alert, |raised| raised.place = Some(world::home().offset(f64::from(metres), 0.0)))
}

/// The device has no elder in the registry.
pub(crate) fn of_unknown_device(name: &str, alert: Step) -> Step {
    but(alert, |raised| {
        raised.subject = Subject::Device(device(name));
        raised.device = Some(device(name));
        raised.home = None;
    })
}

/// Somebody calls whom nobody can identify.
pub(crate) fn of_caller(request: &str, alert: Step) -> Step {
    but(alert, |raised| {
        raised.subject = Subject::Call(request.to_owned());
        raised.device = None;
        raised.home = None;
    })
}

/// As sent by the server to itself.
pub(crate) fn of_watchdog(alert: Step) -> Step {
    but(alert, |raised| {
        raised.subject = Subject::Watchdog;
        raised.device = None;
    })
}

/// The device's clock is so many seconds ahead of ours; behind when negative.
pub(crate) fn clock_ahead(seconds: i64, alert: Step) -> Step {
    let Step::Alert { raised, .. } = alert else { panic!("only an alert has a clock: {alert:?}") };
    Step::Alert { raised, clock: Some(Millis::from_seconds(seconds)) }
}

/// The device says that what it raised is over.
pub(crate) fn over(elder: u64, kind: Kind) -> Step {
    Step::Wish(Command::Restore { subject: Subject::Elder(ElderId(elder)), device: device("button"), kind })
}

pub(crate) fn drill(on: bool) -> Step {
    Step::Wish(Command::SetDrillMode { on })
}

pub(crate) fn delivered(offer: u64) -> Step {
    Step::Wish(Command::OfferDelivered { offer: OfferId(offer) })
}

pub(crate) fn seen(offer: u64) -> Step {
    Step::Wish(Command::OfferSeen { offer: OfferId(offer) })
}

pub(crate) fn accepts(responder: u32, offer: u64) -> Step {
    Step::Wish(Command::AcceptOffer { responder: ResponderId(responder), offer: OfferId(offer) })
}

pub(crate) fn declines(responder: u32, offer: u64) -> Step {
    let (responder, offer) = (ResponderId(responder), OfferId(offer));
    Step::Wish(Command::DeclineOffer { responder, offer, reason: "at lunch".to_owned() })
}

pub(crate) fn reaches(responder: u32, incident: u64, state: AssignmentState) -> Step {
    assignment(responder, incident, AssignmentStep::Reach(state))
}

pub(crate) fn gives_up(responder: u32, incident: u64) -> Step {
    assignment(responder, incident, AssignmentStep::Abort { reason: "flat tyre".to_owned() })
}

fn assignment(responder: u32, incident: u64, step: AssignmentStep) -> Step {
    let (responder, incident) = (ResponderId(responder), IncidentId(incident));
    Step::Wish(Command::UpdateAssignment { responder, incident, step })
}

pub(crate) fn takes(operator: &str, incident: u64) -> Step {
    operates(operator, incident, Operation::Acknowledge)
}

/// The operator names whom to send, or leaves it to policy by naming nobody.
pub(crate) fn sends(operator: &str, incident: u64, responders: &[u32]) -> Step {
    let responders = responders.iter().copied().map(ResponderId).collect();
    operates(operator, incident, Operation::Dispatch { responders })
}

pub(crate) fn withdraws(operator: &str, incident: u64) -> Step {
    operates(operator, incident, Operation::Withdraw { reason: "all is well".to_owned() })
}

pub(crate) fn notes(operator: &str, incident: u64) -> Step {
    operates(operator, incident, Operation::AddNote { text: "speaks Hakka".to_owned() })
}

pub(crate) fn resolves(operator: &str, incident: u64) -> Step {
    operates(operator, incident, Operation::Resolve { disposition: Disposition::Served, note: String::new() })
}

pub(crate) fn takes_over(operator: &str, incident: u64, reason: &str) -> Step {
    operates(operator, incident, Operation::TakeOver { reason: reason.to_owned() })
}

pub(crate) fn triages(operator: &str, incident: u64, priority: Priority, responders: Option<u32>) -> Step {
    let reason = "she fell".to_owned();
    operates(operator, incident, Operation::Triage { priority, kind: None, responders, reason })
}

pub(crate) fn hands_over(operator: &str, incident: u64, service: Service) -> Step {
    operates(operator, incident, Operation::HandOver { service, note: "case 7".to_owned() })
}

pub(crate) fn escalates(operator: &str, incident: u64, step: EscalationStep, note: &str) -> Step {
    operates(operator, incident, Operation::Escalate { step, note: note.to_owned() })
}

pub(crate) fn merges(operator: &str, incident: u64, into: u64) -> Step {
    let reason = "the same fall".to_owned();
    operates(operator, incident, Operation::Merge { into: IncidentId(into), reason })
}

pub(crate) fn reopens(operator: &str, incident: u64, reason: &str) -> Step {
    operates(operator, incident, Operation::Reopen { reason: reason.to_owned() })
}

/// The elder presses the cancel key; the device's clock may be so many seconds off.
pub(crate) fn cancels(elder: u64, occurred: Option<i64>) -> Step {
    let subject = Subject::Elder(ElderId(elder));
    let (device, occurred_at) = (device("button"), occurred.map(at));
    let key = Some(MessageKey([90 + elder as u8; 16]));
    Step::Wish(Command::Cancel { subject, device, key, occurred_at })
}

pub(crate) fn closes(operator: &str, incident: u64) -> Step {
    operates(operator, incident, Operation::Close)
}

fn operates(operator: &str, incident: u64, operation: Operation) -> Step {
    Step::Wish(Command::Operate { incident: IncidentId(incident), operator: operator.to_owned(), operation })
}

pub(crate) fn wait() -> Step {
    Step::Wait
}

pub(crate) fn restart() -> Step {
    Step::Restart
}

fn device(name: &str) -> DeviceId {
    DeviceId::new(name).expect("a good name")
}

/// The second `second` of a story.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp(world::BEGIN.0 + second * 1000)
}
