//! What holds whatever happens.

use std::collections::BTreeSet;

use jiff::civil::date;
use model::{Certificates, DeviceId, ElderId, OrgUnitCode, ProviderId, Skills, Timestamp, TravelMode};
use proptest::{collection::vec, option, prelude::*, sample::select};
use registry::{
    Command, Event, Gender, ImportKind, NewDevice, NewElder, NewOrgUnit, NewProvider, NewResponder, State,
    decide, read_csv,
};

const CODES: [&str; 5] = ["990181", "990181001", "990181001001", "990182", "990182001"];
const NOW: Timestamp = Timestamp(1_795_320_000_000);

proptest! {
    #[test]
    fn indexes_agree_numbers_are_dense_and_replay_is_the_same(commands in vec(command(), 0..60)) {
        let (mut state, mut journal) = (State::default(), Vec::new());
        for command in commands {
            let before = state.clone();
            match decide(&state, NOW, command) {
                Ok(events) => {
                    events.iter().for_each(|event| state.evolve(event));
                    journal.extend(events);
                }
                Err(rejection) => {
                    prop_assert!(rejection.total > 0 && !rejection.violations.is_empty());
                    prop_assert!(state == before);
                }
            }
        }
        holds(&state)?;

        let bytes = postcard::to_stdvec(&journal).expect("encodes");
        let mut replayed = State::default();
        postcard::from_bytes::<Vec<Event>>(&bytes).expect("decodes").iter().for_each(|event| replayed.evolve(event));
        prop_assert!(replayed == state);
        let snapshot = postcard::to_stdvec(&state).expect("encodes");
        prop_assert!(postcard::from_bytes::<State>(&snapshot).expect("decodes") == state);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(kind in kind(), bytes in vec(any::<u8>(), 0..400)) {
        decide_file(kind, &bytes);
    }

    #[test]
    fn no_rows_below_good_headings_make_the_reader_panic(
        kind in kind(),
        rows in vec(vec(cell(), 1..26), 0..20),
    ) {
        let headings = kind.sample().lines().next().unwrap_or_default();
        let rows: Vec<_> = rows.iter().map(|cells| cells.join(",")).collect();
        decide_file(kind, format!("{headings}\n{}", rows.join("\n")).as_bytes());
    }

    #[test]
    fn a_refused_row_is_named_by_the_line_it_begins_on(
        before in vec(select(vec!["", ",", "sos-X,好", "sos-X,\"一\n\n二\"", "\"sos-X\",\"一\r二\""]), 0..12),
        line_break in select(vec!["\n", "\r\n", "\r"]),
        mark in select(vec!["", "\u{feff}"]),
    ) {
        // Each row gets its own device, so that only the last, with its forbidden character, is refused.
        let rows: String = before.iter().enumerate()
            .map(|(index, row)| row.replace('X', &index.to_string()) + line_break)
            .collect();
        let above = format!("device,model{line_break}{rows}");
        let file = format!("{mark}{above}bad#id,{line_break}");
        let expected = 1 + above.replace("\r\n", "\n").replace('\r', "\n").matches('\n').count() as u64;
        let import = read_csv(ImportKind::Devices, file.as_bytes(), &mut |_, _| {});
        let lines: Vec<_> = import.violations().iter().map(|violation| violation.line).collect();
        prop_assert_eq!(lines, [Some(expected)]);
    }
}

/// The invariants of the crate, seen from outside.
fn holds(state: &State) -> Result<(), TestCaseError> {
    let counts = state.counts();
    prop_assert!(state.elders(None).map(|elder| elder.id.0).eq(0..counts.elders as u64));
    prop_assert!(state.providers(None).map(|provider| provider.id.0).eq(0..counts.providers as u32));
    prop_assert!(state.responders(None).map(|responder| responder.id.0).eq(0..counts.responders as u32));
    for unit in state.org_units(None) {
        prop_assert!(unit.code.parent().is_none_or(|parent| state.org_unit(parent).is_some()));
    }
    for elder in state.elders(None) {
        prop_assert!(state.org_unit(elder.org_unit).is_some());
        if let Some(external_id) = elder.external_id.as_deref() {
            prop_assert_eq!(state.elder_by_external_id(external_id), Some(elder));
        }
        for device in state.devices_of(elder.id) {
            prop_assert_eq!(state.elder_of(&device.id), Some(elder));
        }
    }
    for provider in state.providers(None) {
        if let Some(external_id) = provider.external_id.as_deref() {
            prop_assert_eq!(state.provider_by_external_id(external_id), Some(provider));
        }
    }
    for responder in state.responders(None) {
        prop_assert!(responder.provider.is_none_or(|provider| state.provider(provider).is_some()));
        if let Some(external_id) = responder.external_id.as_deref() {
            prop_assert_eq!(state.responder_by_external_id(external_id), Some(responder));
        }
    }
    for device in state.devices(None) {
        let bindings = state.bindings(&device.id);
        prop_assert!(bindings.iter().rev().skip(1).all(|binding| binding.until.is_some()));
        prop_assert!(bindings.windows(2).all(|pair| pair[0].until <= Some(pair[1].from)));
        if let Some(elder) = state.elder_of(&device.id) {
            let devices: BTreeSet<_> = state.devices_of(elder.id).map(|device| &device.id).collect();
            prop_assert!(devices.contains(&device.id));
        }
    }
    Ok(())
}

fn decide_file(kind: ImportKind, bytes: &[u8]) {
    let import = read_csv(kind, bytes, &mut |_, _| {});
    let faults = import.violations().len();
    let decided = decide(&State::default(), NOW, Command::Import(import));
    assert!(faults == 0 || decided.is_err(), "a file with faults was taken");
}

fn kind() -> impl Strategy<Value = ImportKind> {
    select(ImportKind::ALL.to_vec())
}

fn cell() -> impl Strategy<Value = String> {
    let words =
        ["", "990181", "120", "1941-3-5", "女", "是", "独居、失能", "lift", "32.7", "\"", "NaN", "wgs84"];
    prop_oneof![select(words.to_vec()).prop_map(str::to_owned), any::<String>()]
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        4 => code().prop_map(|code| Command::CreateOrgUnit(NewOrgUnit { code, name: "示例".into() })),
        2 => (code(), external_id()).prop_map(|(org_unit, external_id)| Command::CreateProvider(NewProvider {
            external_id: external_id.into(),
            name: "示例".into(),
            phone: "".into(),
            org_unit,
            station: None,
        })),
        2 => (code(), external_id(), option::of(0..3_u32)).prop_map(|(org_unit, external_id, provider)| {
            Command::CreateResponder(NewResponder {
                external_id: external_id.into(),
                name: "示例".into(),
                phone: "".into(),
                provider: provider.map(ProviderId),
                org_unit,
                skills: Skills::NONE,
                travels: TravelMode::OnFoot,
                certificates: Certificates::NONE,
                base: None.into(),
            })
        }),
        3 => (code(), external_id()).prop_map(|(code, external_id)| Command::CreateElder(elder(code, external_id))),
        3 => (device(), option::of(code())).prop_map(|(id, org_unit)| {
            Command::CreateDevice(NewDevice { id, model: String::new(), org_unit })
        }),
        4 => (device(), 0..4_u64, 0..100_i64).prop_map(|(device, elder, from)| Command::BindDevice {
            device,
            elder: ElderId(elder),
            from: Timestamp(from),
        }),
        3 => (device(), 0..100_i64)
            .prop_map(|(device, until)| Command::UnbindDevice { device, until: Timestamp(until) }),
        2 => kind().prop_map(|kind| {
            Command::Import(read_csv(kind, kind.sample().as_bytes(), &mut |_, _| {}))
        }),
    ]
}

fn code() -> impl Strategy<Value = OrgUnitCode> {
    select(CODES.to_vec()).prop_map(|code| OrgUnitCode::new(code).expect("a code"))
}

fn external_id() -> impl Strategy<Value = Option<String>> {
    option::of((0..4).prop_map(|number| format!("DEMO-E{number}")))
}

fn device() -> impl Strategy<Value = DeviceId> {
    select(vec!["demo-sos-1", "demo-watch-1", "sos-3"]).prop_map(|id| DeviceId::new(id).expect("a device id"))
}

fn elder(org_unit: OrgUnitCode, external_id: Option<String>) -> NewElder {
    NewElder {
        external_id: external_id.into(),
        name: "示例".into(),
        resident_id: None.into(),
        birth_date: Some(date(1941, 3, 5)).into(),
        gender: Gender::Unknown,
        phone: "".into(),
        address: "".into(),
        place: None.into(),
        org_unit,
        categories: Vec::new(),
        contacts: Vec::new(),
        medical_notes: "".into(),
        entry_notes: "".into(),
    }
}
