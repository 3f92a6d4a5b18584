//! Stories of files: what is taken whole, and what is refused line by line.

use jiff::civil::date;
use model::{CoordinateSystem, DeviceId, ElderId, Place, ResponderId, Skill, Timestamp, TravelMode};
use registry::{
    Category, Command, Event, ImportKind, MAX_VIOLATIONS, Rejection, RejectionKind, State, decide, last_day,
    read_csv,
};

/// 2026-11-22 in China.
const NOW: Timestamp = Timestamp(1_795_320_000_000);

fn import(state: &State, kind: ImportKind, file: impl AsRef<[u8]>) -> Result<Vec<Event>, Rejection> {
    decide(state, NOW, Command::Import(read_csv(kind, file.as_ref(), &mut |_, _| {})))
}

/// Imports a file that must pass.
fn taken(state: &mut State, kind: ImportKind, file: impl AsRef<[u8]>) {
    let events = import(state, kind, file).expect("taken");
    events.iter().for_each(|event| state.evolve(event));
}

/// Compares what is refused of a file: line, heading, reason.
fn check(state: &State, kind: ImportKind, file: impl AsRef<[u8]>, then: &[(u64, &str, &str)]) {
    let rejection = import(state, kind, file).expect_err("refused");
    let found: Vec<_> = rejection
        .violations
        .iter()
        .map(|v| (v.line.unwrap_or_default(), v.field.as_str(), v.reason.as_str()))
        .collect();
    assert_eq!(found, then);
    assert_eq!(rejection.total, then.len());
}

/// The state after the sample files, in their order.
fn samples() -> State {
    let mut state = State::default();
    for kind in ImportKind::ALL {
        taken(&mut state, kind, kind.sample());
    }
    state
}

/// The sample org units.
fn org_units() -> State {
    let mut state = State::default();
    taken(&mut state, ImportKind::OrgUnits, ImportKind::OrgUnits.sample());
    state
}

#[test]
fn the_samples_are_taken_one_after_the_other() {
    let state = samples();
    let counts = state.counts();
    let counts = (counts.org_units, counts.providers, counts.responders, counts.elders, counts.devices);
    assert_eq!(counts, (5, 2, 3, 3, 3));

    let elder = state.elder(ElderId(0)).expect("the first");
    assert_eq!(*elder.name, "样例奶奶");
    assert_eq!(*elder.medical_notes, "高血压\n对青霉素过敏");
    assert_eq!(
        elder.categories.iter().map(|record| record.category).collect::<Vec<_>>(),
        [Category::AdvancedAge, Category::LivesAlone]
    );
    assert_eq!(elder.contacts.iter().map(|contact| contact.keyholder).collect::<Vec<_>>(), [true, false]);
    let second = state.elder_by_external_id("DEMO-E2").expect("the second");
    assert_eq!(second.place.map(Place::source), Some(CoordinateSystem::Gcj02));

    let watch = DeviceId::new("demo-watch-1").expect("a device id");
    assert_eq!(state.elder_of(&watch), Some(second));
    assert_eq!(state.binding_of(&watch).map(|binding| binding.from), Some(NOW));
    let nurse = state.responder_by_external_id("DEMO-R1").expect("a responder");
    assert_eq!(nurse.skills.iter().collect::<Vec<_>>(), [Skill::FirstAid, Skill::Nursing]);
    let valid_until = nurse.certificates.expiry(Skill::Nursing).map(last_day);
    assert_eq!((nurse.travels, valid_until), (TravelMode::EBike, Some(date(2036, 12, 31))));
    let driver = state.responder_by_external_id("DEMO-R2").expect("a responder");
    let valid_until = driver.certificates.expiry(Skill::FirstAid).map(last_day);
    assert_eq!((driver.travels, valid_until), (TravelMode::Car, Some(date(2036, 12, 31))));
    assert_eq!(
        state.base_of(ResponderId(0)),
        state.provider_by_external_id("DEMO-P1").and_then(|p| p.station)
    );
}

#[test]
fn the_same_file_a_second_time_is_refused_row_by_row() {
    let state = samples();
    check(
        &state,
        ImportKind::Elders,
        ImportKind::Elders.sample(),
        &[
            (2, "编号", "already known as elders/0: leave it out"),
            (4, "编号", "already known as elders/1: leave it out"),
            (5, "编号", "already known as elders/2: leave it out"),
        ],
    );
    for kind in ImportKind::ALL {
        let rejection = import(&state, kind, kind.sample()).expect_err("known");
        assert_eq!(rejection.kind, RejectionKind::AlreadyExists, "{kind}: {rejection}");
    }
}

#[test]
fn one_bad_row_keeps_the_whole_file_out() {
    let file = "code,name\n990181,示例市\n990181001,\n990181001001,样板社区\n";
    check(&State::default(), ImportKind::OrgUnits, file, &[(3, "name", "is empty: fill it in")]);
}

#[test]
fn every_fault_of_a_file_is_told_with_the_line_an_editor_shows() {
    let file = "\u{feff}\r\nName,行政区划代码,external_id,birth_date,Latitude,longitude,categories,contact1_name,\
                categories_since,medical_notes\r\n\
                \r\n\
                样例甲,990181001,E1,1941-13-01,119.0,32.0,独居 独行,,,\r\n\
                ,,,,,,,,,\r\n\
                样例乙,990181001,E2,,,,,,,\"第一行\r\n\r\n第三行\"\r\n\
                样例丙,990181001,E2,2199-01-01,,32.0,低保,样例丁,2199-01-01,\r\n\
                样例戊,99,,,,,,,,\r\n\
                样例己,990181009,E6\r\n";
    check(
        &org_units(),
        ImportKind::Elders,
        file,
        &[
            (4, "birth_date", "is not a date: write it like 1941-03-05"),
            (4, "latitude", "is not within ±90°: perhaps it is swapped with the longitude"),
            (
                4,
                "categories",
                "holds an unknown word: use advanced_age (高龄), lives_alone (独居), empty_nest (空巢), left_behind (留守), \
             disabled (失能), dementia (失智), minimum_allowance (低保), destitute (特困), only_child_lost (计生特殊), \
             severely_impaired (重残)",
            ),
            (9, "birth_date", "is in the future: correct the date"),
            (9, "categories_since", "is in the future: correct the date"),
            (9, "contact1_phone", "is empty: give a number that can be called"),
            (9, "external_id", "an earlier row of this file has the same: keep one of the two"),
            (9, "latitude", "is empty: fill it in, or empty the longitude as well"),
            (
                10,
                "external_id",
                "is empty: give the row a number of its own, so that it is not entered twice",
            ),
            (
                10,
                "行政区划代码",
                "is not 6, 9 or 12 digits: use the GB/T 2260 code of the county, town or village",
            ),
            (11, "row", "has 3 cells under 10 headings: look for a missing comma or an unclosed quote"),
        ],
    );
}

#[test]
fn a_refused_cell_is_shown_to_the_caller_but_not_to_the_log() {
    let file = "external_id,name,org_unit\nE1,样例甲,样例乙\n";
    let rejection = import(&org_units(), ImportKind::Elders, file).expect_err("no code");
    let violation = rejection.violations.first().expect("one");
    assert_eq!(violation.value.as_ref().map(|value| value.as_str()), Some("样例乙"));
    assert!(!format!("{rejection:?} {rejection}").contains("样例"), "{rejection:?}");
}

#[test]
fn wrong_headings_are_named_once_with_those_expected() {
    let all = "external_id (编号), name (名称), org_unit (行政区划代码), phone (电话), latitude (纬度), longitude (经度), \
               coordinate_system (坐标系)";
    let reason = format!(
        "missing: org_unit (行政区划代码); given twice: 名称; unknown: 1 of 4; use these, in any order: {all}"
    );
    let file = "编号,name,名称,备注\nP1,甲,乙,丙\nP2,甲,乙,丙\n";
    check(&org_units(), ImportKind::Providers, file, &[(1, "headings", &reason)]);
}

#[test]
fn a_file_in_another_encoding_says_what_to_do() {
    let gb18030 = b"code,name\n990181,\xca\xbe\xc0\xfd\xca\xd0\n";
    let rejection = import(&State::default(), ImportKind::OrgUnits, gb18030).expect_err("not UTF-8");
    assert!(
        rejection
            .to_string()
            .starts_with("line 2, file: is not in UTF-8 from this line on, most likely GB18030"),
        "{rejection}"
    );
}

#[test]
fn an_empty_file_and_one_of_headings_only_are_refused() {
    let empty = "is empty: begin with the headings code (行政区划代码), name (名称)";
    check(&State::default(), ImportKind::OrgUnits, "\u{feff}\n\n", &[(0, "file", empty)]);
    let reason = "holds no row below its headings: nothing to import";
    check(&State::default(), ImportKind::OrgUnits, "code,name\n,\n", &[(0, "file", reason)]);
}

#[test]
fn a_file_full_of_faults_is_reported_up_to_the_limit_and_counted_to_the_end() {
    let rows: String = (0..2_500).map(|row| format!("E{row},,99\n")).collect();
    let rejection = import(&State::default(), ImportKind::Elders, format!("编号,姓名,行政区划代码\n{rows}"))
        .expect_err("bad");
    assert_eq!((rejection.total, rejection.violations.len()), (2_500, MAX_VIOLATIONS));
    assert_eq!(rejection.violations.last().and_then(|violation| violation.line), Some(1_001));
    assert!(rejection.to_string().ends_with("(and 2499 more)"), "{rejection}");
}

#[test]
fn references_to_what_is_not_there_name_the_file_to_import_first() {
    check(
        &org_units(),
        ImportKind::Responders,
        "编号,姓名,行政区划代码,服务商编号\nR1,护理员甲,990181001,P9\n",
        &[(
            2,
            "服务商编号",
            "no provider has this number: import the providers first, or leave the cell empty",
        )],
    );
    check(
        &org_units(),
        ImportKind::Devices,
        "device,elder\nsos-1,E9\nsos-1,\n",
        &[
            (2, "elder", "no elder has this number: import the elders first, or leave the cell empty"),
            (3, "device", "an earlier row of this file has the same: keep one of the two"),
        ],
    );
}

#[test]
fn how_somebody_travels_and_until_when_they_may_are_told_in_words_or_refused() {
    let file = "编号,姓名,行政区划代码,技能,出行方式,证书\n\
                R1,护理员甲,990181,护理,骑马,\n\
                R2,护理员乙,990181,护理,步行,护理\n\
                R3,护理员丙,990181,护理,,搬抬：2030-01-01\n";
    let travels = "is unknown: use on_foot (步行), bicycle (自行车), e_bike (电动车), car (汽车) or nothing";
    let certificate = "is not a skill and the last day of its certificate: write nursing:2027-03-31, several separated by ;";
    let without = "has one for lift, which is not among the skills: add the skill";
    let refused = [(2, "出行方式", travels), (3, "证书", certificate), (4, "证书", without)];
    check(&org_units(), ImportKind::Responders, file, &refused);
}

#[test]
fn contacts_stand_without_a_gap() {
    let file = "编号,姓名,行政区划代码,联系人1姓名,联系人2姓名,联系人2电话\nE1,甲,990181,,乙,120\n";
    let reason = "is filled although the contact before is empty: move it up";
    check(&org_units(), ImportKind::Elders, file, &[(2, "联系人2姓名", reason)]);
}

#[test]
fn a_source_that_breaks_off_is_refused() {
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("cable pulled"))
        }
    }
    let import = read_csv(ImportKind::Elders, Broken, &mut |_, _| {});
    let reasons: Vec<_> = import.violations().iter().map(|violation| violation.reason.as_str()).collect();
    assert_eq!(reasons, ["cannot be read (cable pulled): try again, or copy the file first"]);
    assert!(decide(&State::default(), NOW, Command::Import(import)).is_err());
}

#[test]
fn progress_ends_with_all_bytes_and_rows() {
    let rows: String = (0..2_100).map(|row| format!("sos-{row}\n")).collect();
    let file = format!("device\n{rows}");
    let mut calls = Vec::new();
    let import = read_csv(ImportKind::Devices, file.as_bytes(), &mut |bytes, rows| calls.push((bytes, rows)));
    assert_eq!(import.rows(), 2_100);
    assert_eq!(calls.iter().map(|(_, rows)| *rows).collect::<Vec<_>>(), [1_000, 2_000, 2_100]);
    assert_eq!(calls.last(), Some(&(file.len() as u64, 2_100)));
}

#[test]
fn the_manual_names_every_heading_of_the_samples() {
    let manual = include_str!("../samples/README.md");
    for kind in ImportKind::ALL {
        for heading in kind.sample().lines().next().unwrap_or_default().split(',') {
            let first_of_three = heading.replace('2', "1");
            assert!(manual.contains(&first_of_three), "{kind}: {heading}");
        }
    }
}
