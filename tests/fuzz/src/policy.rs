//! Target: a policy file, and a small county that is run by it when it is without fault.

use dispatch::{Command, Duty, Event, Policy, PolicyFile, RaiseAlert, State, Subject, decide, follow};
use model::{CoordinateSystem, DeviceId, ElderId, Kind, Place, ResponderId, Timestamp};
use roster::{Member, Roster, Size};

use crate::Target;

pub(crate) const TARGET: Target = Target { name: "policy", run, seeds, max_len: 16_384, memory: 32 << 20 };

const SHIPPED: &str = include_str!("../../../config/policy.toml");
const BEGIN: Timestamp = Timestamp(1_790_000_000_000);
const RESPONDERS: u32 = 6;
/// Deadlines that are let pass after the last alert.
const DEADLINES: usize = 60;
/// Deadlines that may fire at one moment; more would never end.
const DEADLINES_AT_ONCE: usize = 200;

fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(file) = toml::from_str::<PolicyFile>(text) else { return };
    match Policy::new(&file, "fuzzed") {
        Err(faults) => assert!(!faults.is_empty(), "a refusal says what to mend"),
        Ok(policy) => drop(play(&policy)),
    }
}

/// What six responders and one alert of each kind lead to, record by record.
fn play(policy: &Policy) -> Vec<(Timestamp, Vec<Event>)> {
    let home = Place::new(33.60, 119.02, CoordinateSystem::Wgs84).expect("on the globe");
    let mut county =
        County { state: State::default(), roster: Roster::new(Size::of(RESPONDERS, &[])), told: Vec::new() };
    for responder in (0..RESPONDERS).map(ResponderId) {
        county.roster.enrol(responder, Member::default()).expect("there is room");
        county.roster.report(responder, home.offset(400.0 * f64::from(responder.0), 0.0), BEGIN);
        county.settle(policy, BEGIN, Command::SetDuty { responder, duty: Duty::OnDuty });
    }
    let mut now = BEGIN;
    for (index, kind) in Kind::ALL.into_iter().enumerate() {
        now = Timestamp(BEGIN.0 + 1000 * index as i64);
        let alert = RaiseAlert {
            subject: Subject::Elder(ElderId(index as u64 / 2)),
            home: Some(home),
            org_unit: None,
            at_risk: index % 3 == 0,
            key: None,
            device: DeviceId::new("zb-1").ok(),
            kind,
            source_id: None,
            topic: "t".to_owned(),
            device_time: None,
            received_at: now,
            place: None,
            detail: String::new(),
            raw: None,
            retained: false,
            exercise: false,
        };
        county.settle(policy, now, Command::RaiseAlert(Box::new(alert)));
        county.settle(policy, now, Command::SearchWaiting { freed: Vec::new() });
    }
    let mut at_once = 0;
    for _ in 0..DEADLINES {
        let Some(due) = county.state.next_deadline() else { break };
        at_once = if due > now { 0 } else { at_once + 1 };
        assert!(at_once < DEADLINES_AT_ONCE, "a deadline fires again and again at the same moment");
        now = due.max(now);
        county.settle(policy, now, Command::Tick);
        county.settle(policy, now, Command::SearchWaiting { freed: Vec::new() });
    }
    county.told
}

struct County {
    state: State,
    roster: Roster,
    told: Vec<(Timestamp, Vec<Event>)>,
}

impl County {
    fn settle(&mut self, policy: &Policy, now: Timestamp, command: Command) {
        let decision =
            decide(&self.state, &self.roster, policy, now, command).expect("nothing here is refused");
        for event in &decision.events {
            self.state.evolve(now, event);
            follow(&self.roster, &self.state, event);
        }
        if !decision.events.is_empty() {
            self.told.push((now, decision.events));
        }
    }
}

/// What the shipped policy leads to, for targets that want events.
pub(crate) fn decided() -> Vec<(Timestamp, Vec<Event>)> {
    let file: PolicyFile = toml::from_str(SHIPPED).expect("it is a policy");
    play(&Policy::new(&file, "shipped").expect("without fault"))
}

/// The state that the shipped policy leads to.
pub(crate) fn state() -> State {
    let mut state = State::default();
    for (at, events) in decided() {
        events.iter().for_each(|event| state.evolve(at, event));
    }
    state
}

fn seeds() -> Vec<Vec<u8>> {
    let without_words: Vec<&str> =
        SHIPPED.lines().filter(|line| !line.trim_start().starts_with('#') && !line.is_empty()).collect();
    let short = without_words.join("\n");
    vec![short.replace("size = 3", "size = 1").into(), short.replace("30", "0").into(), short.into()]
}
