//! How long does it take to decide that three are asked, and that one of them goes?
//!
//! With one open incident and with many: what is open elsewhere in the county must not slow down a call. Then a power cut:
//! 50,000 alerts at once and not enough responders.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use dispatch::{
    Command, Disposition, Duty, Event, IncidentEvent, MessageKey, Operation, Policy, PolicyFile, RaiseAlert,
    State, Subject, decide, follow,
};
use model::{
    CoordinateSystem, DeviceId, ElderId, IncidentId, Kind, Millis, OfferId, Place, ResponderId, Timestamp,
};
use roster::{Member, Roster, Size};

const RESPONDERS: u32 = 10_000;
/// Edge of the square in which everybody lives, in metres.
const CITY: f64 = 20_000.0;
const BEGIN: Timestamp = Timestamp(1_790_000_000_000);
/// Between two calls, so that messages are forgotten as they are in a county with 1,440 calls a day.
const BETWEEN_CALLS: Millis = Millis::from_seconds(60);
/// Calls before the first that is measured, more than two days of them, so that as many are forgotten as come.
const CALLS_BEFORE: u64 = 3_000;

fn policy() -> Policy {
    let file: PolicyFile = toml::from_str(include_str!("../../config/policy.toml")).expect("it is a policy");
    Policy::new(&file, "shipped").expect("without fault")
}

struct County {
    state: State,
    roster: Roster,
    policy: Policy,
    now: Timestamp,
    random: u64,
    calls: u64,
}

impl County {
    fn new(open: u64) -> Self {
        let mut county = Self {
            state: State::default(),
            roster: Roster::new(Size::of(RESPONDERS, &[])),
            policy: policy(),
            now: BEGIN,
            random: 7,
            calls: 0,
        };
        for responder in (0..RESPONDERS).map(ResponderId) {
            county.roster.enrol(responder, Member::default()).expect("there is room");
            let place = county.somewhere();
            county.roster.report(responder, place, BEGIN);
            county.settle(Command::SetDuty { responder, duty: Duty::OnDuty });
        }
        for elder in 0..open {
            let alert = county.alert(elder, Kind::DoorOpen);
            let incident = county.settle(alert).0.expect("an alert opens an incident");
            // Taken by an operator, so that no bell rings for it between two calls.
            let (operator, operation) = ("ann".to_owned(), Operation::Acknowledge);
            county.settle(Command::Operate { incident, operator, operation });
        }
        for _ in 0..CALLS_BEFORE {
            county.call();
        }
        county
    }

    fn somewhere(&mut self) -> Place {
        let city = Place::new(33.60, 119.02, CoordinateSystem::Wgs84).expect("on the globe");
        let [north, east] = [self.random(), self.random()];
        city.offset(north * CITY, east * CITY)
    }

    /// A number from 0 to 1, always the same ones (xorshift).
    fn random(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn alert(&mut self, elder: u64, kind: Kind) -> Command {
        self.calls += 1;
        let key = u128::from(self.calls).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        Command::RaiseAlert(Box::new(RaiseAlert {
            subject: Subject::Elder(ElderId(elder)),
            home: Some(self.somewhere()),
            org_unit: None,
            at_risk: false,
            key: Some(MessageKey(key.to_le_bytes())),
            device: Some(DeviceId::new("zb-kitchen-sos").expect("a good name")),
            kind,
            source_id: None,
            topic: "anhu/v1/zb-kitchen-sos/alert".to_owned(),
            device_time: None,
            received_at: self.now,
            place: None,
            detail: String::new(),
            raw: None,
            retained: false,
            exercise: false,
        }))
    }

    fn settle(&mut self, command: Command) -> (Option<IncidentId>, Vec<Event>) {
        let decision = decide(&self.state, &self.roster, &self.policy, self.now, command)
            .expect("nothing is refused here");
        for event in &decision.events {
            self.state.evolve(self.now, event);
            follow(&self.roster, &self.state, event);
        }
        (decision.incident, decision.events)
    }

    /// Does what is due, as the engine does after each batch.
    fn tick(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while self.state.next_deadline().is_some_and(|due| due <= self.now) {
            events.append(&mut self.settle(Command::Tick).1);
        }
        events
    }

    /// A call for help, the yes of the second who is asked, and the end. Returns how long the first two took.
    fn call(&mut self) -> [Duration; 2] {
        self.now = self.now + BETWEEN_CALLS;
        let alert = self.alert(1_000_000_000, Kind::Sos);
        self.tick();
        let start = Instant::now();
        let (incident, _) = self.settle(black_box(alert));
        let events = self.tick();
        let asked = start.elapsed();
        let incident = incident.expect("a call opens an incident");
        let (responder, offer) = second_of_three(&events);
        let start = Instant::now();
        let accepted_events = self.settle(black_box(Command::AcceptOffer { responder, offer }));
        let accepted = start.elapsed();
        black_box(accepted_events);
        let operator = "ann".to_owned();
        let resolve = Operation::Resolve { disposition: Disposition::Served, note: String::new() };
        self.settle(Command::Operate { incident, operator: operator.clone(), operation: resolve });
        self.settle(Command::Operate { incident, operator, operation: Operation::Close });
        [asked, accepted]
    }
}

fn second_of_three(events: &[Event]) -> (ResponderId, OfferId) {
    let wave = events.iter().find_map(|event| match event {
        Event::Incident { event: IncidentEvent::WaveSent(wave), .. } => Some(wave),
        Event::Incident { .. }
        | Event::DutyChanged { .. }
        | Event::DrillModeChanged { .. }
        | Event::PolicyReplaced { .. } => None,
    });
    let chosen = &wave.expect("a wave is sent").chosen;
    assert_eq!(chosen.len(), 3, "three are asked");
    (chosen[1].responder, chosen[1].offer)
}

fn dispatch(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("dispatch");
    for open in [1, 100_000] {
        let mut county = County::new(open);
        assert_eq!(county.state.incidents().count() as u64, open);
        for (name, part) in [("call, three are asked", 0), ("the first yes", 1)] {
            group.bench_function(BenchmarkId::new(name, format!("{open} open")), |bencher| {
                bencher.iter_custom(|times| (0..times).map(|_| county.call()[part]).sum());
            });
        }
    }
    group.sample_size(10);
    group.bench_function("power cut: 50,000 alerts for 1,000 responders, opened and searched", |bencher| {
        bencher.iter_custom(|times| (0..times).map(|_| Storm::new().breaks_loose()).sum());
    });
    group.bench_function(
        "power cut: one responder becomes free and is asked by whom it helps most",
        |bencher| {
            let mut storm = Storm::new();
            storm.breaks_loose();
            bencher.iter_custom(|times| (0..times).map(|_| storm.one_becomes_free()).sum());
        },
    );
    group.finish();
}

/// A power cut: 50,000 alerts in batches as the engine takes them, one in ten a call for help, and 1,000 responders.
struct Storm {
    county: County,
    alerts: Vec<Command>,
    free: Vec<(ResponderId, OfferId)>,
}

impl Storm {
    const ALERTS: u64 = 50_000;
    const RESPONDERS: u32 = 1_000;
    const BATCH: usize = 256;

    fn new() -> Self {
        let mut county = County::new(0);
        for responder in (Self::RESPONDERS..RESPONDERS).map(ResponderId) {
            county.settle(Command::SetDuty { responder, duty: Duty::OffDuty });
        }
        let kind = |elder: u64| if elder.is_multiple_of(10) { Kind::Sos } else { Kind::DeviceOffline };
        let alerts = (0..Self::ALERTS).map(|elder| county.alert(elder, kind(elder))).collect();
        Self { county, alerts, free: Vec::new() }
    }

    fn breaks_loose(&mut self) -> Duration {
        let alerts = std::mem::take(&mut self.alerts);
        let start = Instant::now();
        let mut rest = alerts.into_iter().peekable();
        let mut events = Vec::new();
        while rest.peek().is_some() {
            for alert in rest.by_ref().take(Self::BATCH) {
                self.county.settle(alert);
            }
            events.append(&mut self.county.tick());
        }
        let took = start.elapsed();
        self.free = asked(&events);
        let asked = self.free.len();
        assert!(asked >= Self::RESPONDERS as usize * 9 / 10, "only {asked} of them were asked");
        took
    }

    /// The next who was asked says no, and is asked by whoever waits for them.
    fn one_becomes_free(&mut self) -> Duration {
        let (responder, offer) = self.free.remove(0);
        self.county.settle(Command::DeclineOffer { responder, offer, reason: String::new() });
        self.county.tick();
        let start = Instant::now();
        let (_, events) = self.county.settle(black_box(Command::SearchWaiting { freed: vec![responder] }));
        let took = start.elapsed();
        self.free.extend(asked(&events));
        took
    }
}

fn asked(events: &[Event]) -> Vec<(ResponderId, OfferId)> {
    let waves = events.iter().filter_map(|event| match event {
        Event::Incident { event: IncidentEvent::WaveSent(wave), .. } => Some(wave),
        Event::Incident { .. }
        | Event::DutyChanged { .. }
        | Event::DrillModeChanged { .. }
        | Event::PolicyReplaced { .. } => None,
    });
    waves.flat_map(|wave| &wave.chosen).map(|chosen| (chosen.responder, chosen.offer)).collect()
}

criterion_group!(benches, dispatch);
criterion_main!(benches);
