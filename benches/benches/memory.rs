//! How much memory does a county take?
//!
//! Builds a million elders in the registry and a hundred thousand open incidents in dispatch, and prints what the process
//! holds more than before, divided by their number. Resident memory as the kernel counts it, so spare room of the
//! allocator is in it. An elder without an incident takes nothing in dispatch: it knows nobody by name.

use dispatch::{Command, Policy, PolicyFile, RaiseAlert, State, Subject, decide, follow};
use model::{CoordinateSystem, DeviceId, ElderId, Kind, OrgUnitCode, Place, Timestamp};
use registry::{Elder, Gender, Private};
use roster::Roster;

const ELDERS: u64 = 1_000_000;
const OPEN: u64 = 100_000;
const NOW: Timestamp = Timestamp(1_790_000_000_000);

fn main() {
    let (registry, elders) = held_by(elders);
    assert_eq!(registry.counts().elders as u64, ELDERS);
    println!("an idle elder takes {} bytes in the registry, 0 in dispatch", elders / ELDERS as usize);
    let (state, incidents) = held_by(incidents);
    assert_eq!(state.incidents().count() as u64, OPEN);
    println!("an open incident takes {} bytes in dispatch", incidents / OPEN as usize);
}

/// What `build` gives, and how many bytes more the process holds with it.
fn held_by<T>(build: impl FnOnce() -> T) -> (T, usize) {
    let before = resident_bytes();
    let built = build();
    let held = resident_bytes().saturating_sub(before);
    (built, held)
}

fn somewhere(number: u64) -> Place {
    let corner = Place::new(33.3, 118.7, CoordinateSystem::Wgs84).expect("on the globe");
    corner.offset((number % 1_000) as f64 * 60.0, (number / 1_000) as f64 * 60.0)
}

/// A name, a phone, an address and a place each; no notes and no contacts.
fn elders() -> registry::State {
    let mut state = registry::State::default();
    for number in 0..ELDERS {
        state.evolve(&registry::Event::ElderCreated(Elder {
            id: ElderId(number),
            external_id: Private::from(None),
            name: Private::from("陈桂英".to_owned()),
            resident_id: None.into(),
            birth_date: Private::from(None),
            gender: Gender::Female,
            phone: Private::from("13800000000".to_owned()),
            address: Private::from("永福东路三十六号院二栋一单元".to_owned()),
            place: Private::from(Some(somewhere(number))),
            org_unit: OrgUnitCode::new("341181001002").expect("a village"),
            categories: Vec::new(),
            contacts: Vec::new(),
            medical_notes: Private::from(String::new()),
            entry_notes: Private::from(String::new()),
        }));
    }
    state
}

/// One alert each, which an operator must decide about.
fn incidents() -> State {
    let text = include_str!("../../config/policy.toml");
    let file: PolicyFile = toml::from_str(text).expect("it is a policy");
    let policy = Policy::new(&file, "shipped").expect("without fault");
    let roster = Roster::new(roster::Size::of(1, &[]));
    let mut state = State::default();
    for elder in 0..OPEN {
        let alert = RaiseAlert {
            subject: Subject::Elder(ElderId(elder)),
            home: Some(somewhere(elder)),
            org_unit: OrgUnitCode::new("341181001002").ok(),
            at_risk: false,
            key: None,
            device: Some(DeviceId::new("zb-kitchen-door").expect("a good name")),
            kind: Kind::DoorOpen,
            source_id: None,
            topic: "anhu/v1/zb-kitchen-door/alert".to_owned(),
            device_time: None,
            received_at: NOW,
            place: None,
            detail: String::new(),
            raw: None,
            retained: false,
            exercise: false,
        };
        let command = Command::RaiseAlert(Box::new(alert));
        let decision = decide(&state, &roster, &policy, NOW, command).expect("an alert is never refused");
        for event in &decision.events {
            state.evolve(NOW, event);
            follow(&roster, &state, event);
        }
    }
    state
}

/// What the process holds in memory, as the kernel counts it, in pages of 4 KiB.
fn resident_bytes() -> usize {
    let counts = std::fs::read_to_string("/proc/self/statm").expect("Linux says what a process holds");
    let pages = counts.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("the second number is the resident pages") * 4096
}
