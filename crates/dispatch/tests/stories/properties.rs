//! Properties: what holds in every story anybody could tell. The world watches at each step; see `story/`.

use dispatch::{AssignmentState, EscalationStep, Service, State};
use model::{IncidentId, Kind, Millis, OfferId, Priority, ResponderId, Skill, Timestamp};
use proptest::{prelude::*, sample::select};

use crate::story::*;

const RESPONDERS: u32 = 7;
const ELDERS: u64 = 3;

/// One step of a random story, short enough to read in a failure.
#[derive(Debug, Clone, Copy)]
enum Act {
    Alert(u64, Kind, Flavour),
    Over(u64, Kind),
    Comes(u32),
    Rests(u32),
    Goes(u32),
    /// Whoever has this live offer says so.
    Yes(usize),
    No(usize),
    Delivered(usize),
    Seen(usize),
    /// Whoever is bound by this live assignment says so.
    Reaches(usize, AssignmentState),
    GivesUp(usize),
    /// One of two operators does something to the incident of this number, or to none.
    Operator(bool, u64, Operation),
    /// The elder says that all is well, now or as of a minute ago.
    Cancels(u64, bool),
    /// Two alerts of one moment.
    Two(u64, Kind, u64, Kind),
    Moves(u32, u32),
    /// Another policy: two responders for everything, everybody at once, or as shipped.
    Policy(u8),
    /// Numbers that need not exist.
    Stranger(u32, u64, Wish),
    Drill(bool),
    Wait,
    Restart,
}

#[derive(Debug, Clone, Copy)]
enum Flavour {
    Live,
    AtRisk,
    Late,
    Retained,
    ClockAhead,
    Nowhere,
    Elsewhere,
    Test,
    UnknownDevice,
    Message(u8),
}

#[derive(Debug, Clone, Copy)]
enum Operation {
    Takes,
    SendsNearest,
    Sends(u32, u32),
    Withdraws,
    Notes,
    Resolves,
    Closes,
    TakesOver,
    Triages(Priority, Option<u32>),
    HandsOver,
    Escalates,
    Merges(u64),
    Reopens,
}

#[derive(Debug, Clone, Copy)]
enum Wish {
    Accept,
    Decline,
    Deliver,
    See,
    Step(AssignmentState),
    GiveUp,
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![select(Kind::ALL.to_vec()), select(vec![Kind::Sos, Kind::BedExit, Kind::DoorOpen])]
}

fn flavour() -> impl Strategy<Value = Flavour> {
    prop_oneof![
        4 => Just(Flavour::Live),
        8 => select(vec![
            Flavour::AtRisk,
            Flavour::Late,
            Flavour::Retained,
            Flavour::ClockAhead,
            Flavour::Nowhere,
            Flavour::Elsewhere,
            Flavour::Test,
            Flavour::UnknownDevice,
        ]),
        1 => (0..3_u8).prop_map(Flavour::Message),
    ]
}

fn assignment_state() -> impl Strategy<Value = AssignmentState> {
    use AssignmentState::{Aborted, Assigned, Cleared, EnRoute, OnScene, Transporting};
    select(vec![Assigned, EnRoute, OnScene, Transporting, Cleared, Cleared, Aborted])
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        3 => Just(Operation::Takes),
        2 => Just(Operation::SendsNearest),
        3 => (0..=RESPONDERS, 0..RESPONDERS).prop_map(|(one, other)| Operation::Sends(one, other)),
        1 => Just(Operation::Withdraws),
        1 => Just(Operation::Notes),
        2 => Just(Operation::Resolves),
        1 => Just(Operation::Closes),
        2 => Just(Operation::TakesOver),
        2 => (select(Priority::ALL.to_vec()), select(vec![None, Some(1), Some(2)]))
            .prop_map(|(priority, needed)| Operation::Triages(priority, needed)),
        1 => Just(Operation::HandsOver),
        1 => Just(Operation::Escalates),
        2 => (1..6_u64).prop_map(Operation::Merges),
        2 => Just(Operation::Reopens),
    ]
}

fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        select(vec![Wish::Accept, Wish::Decline, Wish::Deliver, Wish::See, Wish::GiveUp]),
        assignment_state().prop_map(Wish::Step),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..ELDERS, kind(), flavour()).prop_map(|(elder, kind, flavour)| Act::Alert(elder, kind, flavour)),
        1 => (0..ELDERS, kind()).prop_map(|(elder, kind)| Act::Over(elder, kind)),
        3 => (0..RESPONDERS).prop_map(Act::Comes),
        1 => (0..RESPONDERS).prop_map(Act::Rests),
        1 => (0..RESPONDERS).prop_map(Act::Goes),
        3 => (0..4_usize).prop_map(Act::Yes),
        3 => (0..4_usize).prop_map(Act::No),
        1 => (0..4_usize).prop_map(Act::Delivered),
        1 => (0..4_usize).prop_map(Act::Seen),
        3 => (0..3_usize, assignment_state()).prop_map(|(nth, state)| Act::Reaches(nth, state)),
        1 => (0..3_usize).prop_map(Act::GivesUp),
        6 => (any::<bool>(), 1..6_u64, operation())
            .prop_map(|(who, incident, operation)| Act::Operator(who, incident, operation)),
        1 => (0..ELDERS, any::<bool>()).prop_map(|(elder, now)| Act::Cancels(elder, now)),
        2 => (0..ELDERS, kind(), 0..ELDERS, kind()).prop_map(|(a, one, b, other)| Act::Two(a, one, b, other)),
        1 => (0..RESPONDERS, 0..9_000_u32).prop_map(|(responder, metres)| Act::Moves(responder, metres)),
        1 => (0..3_u8).prop_map(Act::Policy),
        1 => (0..=RESPONDERS, 0..12_u64, wish()).prop_map(|(who, what, wish)| Act::Stranger(who, what, wish)),
        1 => any::<bool>().prop_map(Act::Drill),
        3 => Just(Act::Wait),
        1 => Just(Act::Restart),
    ]
}

/// Seconds that mean something to the policy, and those around them.
fn gap() -> impl Strategy<Value = i64> {
    select(vec![0, 0, 0, 1, 1, 2, 5, 15, 19, 20, 21, 30, 60, 90, 300, 601, 1801])
}

fn with_flavour(flavour: Flavour, alert: Step) -> Step {
    match flavour {
        Flavour::Live => alert,
        Flavour::AtRisk => at_risk(alert),
        Flavour::Late => clock_ahead(-700, alert),
        Flavour::Retained => retained(alert),
        Flavour::ClockAhead => clock_ahead(5_000, alert),
        Flavour::Nowhere => nowhere(alert),
        Flavour::Elsewhere => seen_at(3_000, alert),
        Flavour::Test => test(alert),
        Flavour::UnknownDevice => of_unknown_device("x", alert),
        Flavour::Message(number) => message(number, alert),
    }
}

fn by_operator(second: bool, incident: u64, operation: Operation) -> Step {
    let ann = if second { "bob" } else { "ann" };
    match operation {
        Operation::Takes => takes(ann, incident),
        Operation::SendsNearest => sends(ann, incident, &[]),
        Operation::Sends(one, other) => sends(ann, incident, &[one, other]),
        Operation::Withdraws => withdraws(ann, incident),
        Operation::Notes => notes(ann, incident),
        Operation::Resolves => resolves(ann, incident),
        Operation::Closes => closes(ann, incident),
        Operation::TakesOver => takes_over(ann, incident, "busy"),
        Operation::Triages(priority, needed) => triages(ann, incident, priority, needed),
        Operation::HandsOver => hands_over(ann, incident, Service::Ambulance),
        Operation::Escalates => escalates(ann, incident, EscalationStep::Supervisor, ""),
        Operation::Merges(into) => merges(ann, incident, into),
        Operation::Reopens => reopens(ann, incident, "again"),
    }
}

fn by_stranger(who: u32, what: u64, wish: Wish) -> Step {
    match wish {
        Wish::Accept => accepts(who, what),
        Wish::Decline => declines(who, what),
        Wish::Deliver => delivered(what),
        Wish::See => seen(what),
        Wish::Step(state) => reaches(who, what, state),
        Wish::GiveUp => gives_up(who, what),
    }
}

fn live_offer(state: &State, nth: usize) -> Option<(ResponderId, OfferId)> {
    let live = |incident: &dispatch::Incident| {
        incident.live_offers().map(|(id, offer)| (offer.responder, id)).collect::<Vec<_>>()
    };
    state.incidents().flat_map(live).nth(nth)
}

fn live_assignment(state: &State, nth: usize) -> Option<(ResponderId, IncidentId)> {
    let live = |incident: &dispatch::Incident| {
        incident.live_assignments().map(|going| (going.responder, incident.id)).collect::<Vec<_>>()
    };
    state.incidents().flat_map(live).nth(nth)
}

/// The step that `act` is in this state; time passes when there is nobody to do it.
fn step(state: &State, act: Act) -> Step {
    let with_offer = |nth: usize, what: fn(u32, u64) -> Step| {
        live_offer(state, nth).map_or_else(wait, |(who, offer)| what(who.0, offer.0))
    };
    let assigned = |nth: usize| live_assignment(state, nth);
    match act {
        Act::Alert(elder, kind, flavour) => with_flavour(flavour, alert(elder, kind)),
        Act::Over(elder, kind) => over(elder, kind),
        Act::Comes(responder) => comes(responder),
        Act::Rests(responder) => rests(responder),
        Act::Goes(responder) => goes_home(responder),
        Act::Yes(nth) => with_offer(nth, accepts),
        Act::No(nth) => with_offer(nth, declines),
        Act::Delivered(nth) => with_offer(nth, |_, offer| delivered(offer)),
        Act::Seen(nth) => with_offer(nth, |_, offer| seen(offer)),
        Act::Reaches(nth, state) => {
            assigned(nth).map_or_else(wait, |(who, incident)| reaches(who.0, incident.0, state))
        }
        Act::GivesUp(nth) => assigned(nth).map_or_else(wait, |(who, incident)| gives_up(who.0, incident.0)),
        Act::Operator(second, incident, operation) => by_operator(second, incident, operation),
        Act::Cancels(elder, now) => cancels(elder, if now { None } else { Some(0) }),
        Act::Two(a, one, b, other) => at_once(vec![alert(a, one), alert(b, other)]),
        Act::Moves(responder, metres) => is_seen(responder, metres),
        Act::Policy(0) => policy(|file| file.kinds.values_mut().for_each(|kind| kind.responders = 2)),
        Act::Policy(1) => policy(everybody_at_once),
        Act::Policy(_) => policy(|_| {}),
        Act::Stranger(who, what, wish) => by_stranger(who, what, wish),
        Act::Drill(on) => drill(on),
        Act::Wait => wait(),
        Act::Restart => restart(),
    }
}

fn everybody_at_once(file: &mut dispatch::PolicyFile) {
    for priority in file.priorities.values_mut() {
        priority.mode = dispatch::Mode::Broadcast;
        priority.waves.iter_mut().for_each(|wave| wave.size = None);
    }
}

/// Responders 0 to 6, near and far; the even ones are on duty.
fn world_with_responders() -> World {
    let mut world = World::new();
    for responder in 0..RESPONDERS {
        let metres = 1_500 * responder;
        let step = if responder % 2 == 0 { free(responder, metres) } else { at_home(responder, metres) };
        let step = if responder % 3 == 0 { able(&[Skill::Lift], step) } else { step };
        let step = if responder > 3 { of_unit("341181001", step) } else { step };
        world.play(at(0), &step);
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_story_keeps_every_promise(acts in prop::collection::vec((gap(), act()), 1..60)) {
        let mut world = world_with_responders();
        let mut second = 0;
        for (gap, act) in acts {
            second += gap;
            let step = step(&world.state, act);
            world.play(at(second), &step);
        }
        let bytes = postcard::to_stdvec(&world.state).expect("a state can be written down");
        let read: State = postcard::from_bytes(&bytes).expect("and read again");
        prop_assert_eq!(read, world.state, "a snapshot is the state");
    }

    #[test]
    fn whatever_the_clocks_say_nothing_panics_and_nobody_is_bound_twice(
        acts in prop::collection::vec((clock(), clock(), act()), 1..40),
    ) {
        let mut world = world_with_responders();
        for (now, device, act) in acts {
            match step(&world.state, act) {
                Step::Alert { mut raised, .. } => {
                    (raised.received_at, raised.device_time) = (now, Some(device));
                    world.try_at(now, dispatch::Command::RaiseAlert(raised));
                }
                Step::Wish(command) => world.try_at(now, command),
                Step::Enrol { .. }
                | Step::Seen { .. }
                | Step::Policy(_)
                | Step::Batch(_)
                | Step::Wait
                | Step::Restart => {
                    world.try_at(now, dispatch::Command::Tick);
                }
            }
        }
    }
}

/// Any time at all, often the ends of time and the beginning of the story.
fn clock() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        Just(Timestamp(i64::MAX)),
        Just(Timestamp(i64::MIN)),
        any::<i64>().prop_map(Timestamp),
        (0..7_200_i64).prop_map(|second| at(0) + Millis::from_seconds(second)),
    ]
}
