//! Stories of single records: what was, what is wished, what happens or why not.

use jiff::civil::{Date, date};
use model::{
    Certificates, CoordinateSystem, DeviceId, ElderId, ExpiryDay, OrgUnitCode, Place, ProviderId,
    ResponderId, Skill, Skills, Timestamp, TravelMode,
};
use registry::{
    Binding, Category, Command, Contact, Device, Elder, Event, Gender, NewCategory, NewDevice, NewElder,
    NewOrgUnit, NewProvider, NewResponder, OrgUnit, Provider, RejectionKind, ResidentId, Responder, State,
    decide,
};

/// 2026-11-22 in China.
const NOW: Timestamp = Timestamp(1_795_320_000_000);
const TODAY: Date = date(2026, 11, 22);

/// Replays `given`, decides `when`, compares; then replays all of it again, through the journal's encoding.
fn check(given: &[Event], when: Command, then: &[Event]) -> State {
    let mut state = replay(given);
    let events = decide(&state, NOW, when).expect("granted");
    assert_eq!(events, then);
    events.iter().for_each(|event| state.evolve(event));
    let journal = postcard::to_stdvec(&[given, then].concat()).expect("encodes");
    let replayed = replay(&postcard::from_bytes::<Vec<Event>>(&journal).expect("decodes"));
    assert!(state == replayed, "replay differs");
    state
}

/// As [`check`], for a wish that is refused for exactly these fields and reasons.
fn refused(given: &[Event], when: Command, kind: RejectionKind, then: &[(&str, &str)]) {
    let rejection = decide(&replay(given), NOW, when).expect_err("refused");
    let reasons: Vec<_> =
        rejection.violations.iter().map(|v| (v.field.as_str(), v.reason.as_str())).collect();
    assert_eq!(reasons, then);
    assert_eq!((rejection.kind, rejection.total), (kind, then.len()));
}

#[test]
fn a_county_then_its_town_then_an_elder_in_it() {
    check(
        &[],
        Command::CreateOrgUnit(NewOrgUnit { code: county(), name: "示例市".into() }),
        &[county_created()],
    );
    check(
        &[county_created()],
        Command::CreateOrgUnit(NewOrgUnit { code: town(), name: "示例镇".into() }),
        &[town_created()],
    );
    let state = check(
        &[county_created(), town_created()],
        Command::CreateElder(new_elder("E1")),
        &[Event::ElderCreated(elder(0, "E1"))],
    );
    assert_eq!(state.elder_by_external_id("E1").map(|elder| elder.id), Some(ElderId(0)));
    assert_eq!(state.counts().elders, 1);
}

#[test]
fn a_town_needs_its_county() {
    refused(
        &[],
        Command::CreateOrgUnit(NewOrgUnit { code: town(), name: "示例镇".into() }),
        RejectionKind::NotFound,
        &[("org_unit.code", "org unit 990181 is unknown: enter it first, or correct the code")],
    );
}

#[test]
fn numbers_count_up_from_zero_and_nobody_is_entered_twice() {
    let given = [county_created(), town_created(), Event::ElderCreated(elder(0, "E1"))];
    check(&given, Command::CreateElder(new_elder("E2")), &[Event::ElderCreated(elder(1, "E2"))]);
    refused(
        &given,
        Command::CreateElder(new_elder("E1")),
        RejectionKind::AlreadyExists,
        &[("elder.external_id", "already known as elders/0: leave it out")],
    );
    refused(
        &given,
        Command::CreateOrgUnit(NewOrgUnit { code: county(), name: "示例市".into() }),
        RejectionKind::AlreadyExists,
        &[("org_unit.code", "already known as orgUnits/990181: leave it out")],
    );
}

#[test]
fn a_resident_id_fills_in_what_it_says_must_not_contradict_and_is_nobody_elses() {
    let id = ResidentId::new("11010519491231002X").expect("an id");
    let wish = |external_id: &str| NewElder {
        resident_id: Some(id).into(),
        birth_date: None.into(),
        gender: Gender::Unknown,
        org_unit: county(),
        ..new_elder(external_id)
    };
    let known = [county_created()];
    let events = decide(&replay(&known), NOW, Command::CreateElder(wish("E1"))).expect("granted");
    let [Event::ElderCreated(elder)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((*elder.birth_date, elder.gender), (Some(date(1949, 12, 31)), Gender::Female));
    let contradicting = NewElder { birth_date: Some(date(1949, 12, 30)).into(), ..wish("E2") };
    refused(
        &known,
        Command::CreateElder(contradicting),
        RejectionKind::Invalid,
        &[("elder.birth_date", "is another day than the resident id holds: correct one of the two")],
    );
    refused(
        &[&known[..], &events].concat(),
        Command::CreateElder(wish("E2")),
        RejectionKind::AlreadyExists,
        &[("elder.resident_id", "already known as elders/0: leave it out")],
    );
}

#[test]
fn every_fault_of_an_elder_is_named_at_once() {
    let wish = NewElder {
        external_id: Some(" E1".to_owned()).into(),
        name: "".into(),
        birth_date: Some(date(2026, 11, 23)).into(),
        phone: "none".into(),
        address: "1\n2".into(),
        org_unit: county(),
        categories: vec![
            NewCategory { category: Category::LivesAlone, since: Some(date(1899, 1, 1)), until: None },
            NewCategory { category: Category::LivesAlone, since: None, until: Some(date(2020, 1, 1)) },
            NewCategory { category: Category::LivesAlone, since: None, until: None },
        ],
        contacts: vec![Contact {
            name: "样例女儿".into(),
            phone: "".into(),
            relation: "女儿".into(),
            keyholder: true,
        }],
        medical_notes: "长".repeat(2_001).into(),
        ..new_elder("E1")
    };
    refused(
        &[],
        Command::CreateElder(wish),
        RejectionKind::Invalid,
        &[
            ("elder.external_id", "starts or ends with a blank: remove it"),
            ("elder.name", "is empty: fill it in"),
            ("elder.birth_date", "is in the future: correct the date"),
            ("elder.phone", "is not a phone number: write digits, with + in front and - or blanks between"),
            ("elder.address", "holds a line break or another control character: write it on one line"),
            ("elder.org_unit", "org unit 990181 is unknown: enter it first, or correct the code"),
            ("elder.categories[0].since", "is before 1900: correct the year"),
            ("elder.categories[1].until", "is before the first day: correct one of the two"),
            ("elder.categories[2]", "lives_alone is given twice for the same days: keep one"),
            ("elder.contacts[0].phone", "is empty: give a number that can be called"),
            ("elder.medical_notes", "has 2001 characters: shorten it to 2000 at most"),
        ],
    );
}

#[test]
fn who_lives_alone_is_disabled_or_is_eighty_is_at_risk() {
    let young = Elder { birth_date: Some(date(1960, 1, 1)).into(), categories: vec![], ..elder(0, "E1") };
    let with = |category, until| {
        let record = registry::CategoryRecord { category, since: date(2020, 1, 1), until };
        Elder { categories: vec![record], ..young.clone() }
    };
    assert!(!young.at_risk(TODAY));
    assert!(young.at_risk(date(2040, 1, 1)));
    assert!(with(Category::LivesAlone, None).at_risk(TODAY));
    assert!(with(Category::Disabled, Some(TODAY)).at_risk(TODAY));
    assert!(!with(Category::Disabled, Some(date(2026, 11, 21))).at_risk(TODAY));
    assert!(!with(Category::MinimumAllowance, None).at_risk(TODAY));
}

#[test]
fn a_responder_starts_from_their_own_base_or_else_from_the_station() {
    let given = [county_created(), provider_created()];
    let state = check(&given, Command::CreateResponder(new_responder(None)), &[responder_created(None)]);
    assert_eq!(state.base_of(ResponderId(0)), Some(station()));

    let home = station().offset(500.0, 0.0);
    let state =
        check(&given, Command::CreateResponder(new_responder(Some(home))), &[responder_created(Some(home))]);
    assert_eq!(state.base_of(ResponderId(0)), Some(home));
}

#[test]
fn a_provider_is_entered_and_a_responder_of_nobody_is_refused() {
    let wish = NewProvider {
        external_id: Some("P1".to_owned()).into(),
        name: "示例养老服务中心".into(),
        phone: "".into(),
        org_unit: county(),
        station: Some(station()),
    };
    check(&[county_created()], Command::CreateProvider(wish), &[provider_created()]);
    refused(
        &[county_created()],
        Command::CreateResponder(NewResponder { skills: Skills::from_bits(1 << 15), ..new_responder(None) }),
        RejectionKind::Invalid,
        &[
            ("responder.provider", "providers/0 is unknown: enter it first, or leave it out for a volunteer"),
            ("responder.skills", "holds a skill nobody knows: leave it out"),
        ],
    );
}

#[test]
fn a_certificate_is_for_a_skill_that_somebody_has() {
    let certificates = Certificates::NONE.with(Skill::Lift, ExpiryDay(21_000));
    let given = [county_created(), provider_created()];
    let wish = NewResponder { certificates, travels: TravelMode::Car, ..new_responder(None) };
    let Event::ResponderCreated(plain) = responder_created(None) else { panic!("a responder") };
    let entered = Event::ResponderCreated(Responder { certificates, travels: TravelMode::Car, ..plain });
    check(&given, Command::CreateResponder(wish.clone()), &[entered]);
    let wish = NewResponder { certificates: certificates.with(Skill::Nursing, ExpiryDay(21_000)), ..wish };
    let reason = "has one for nursing, which is not among the skills: add the skill";
    let refusal = [("responder.certificates", reason)];
    refused(&given, Command::CreateResponder(wish), RejectionKind::Invalid, &refusal);
}

#[test]
fn a_device_belongs_to_one_elder_until_it_is_taken_back() {
    let mut given = vec![
        county_created(),
        town_created(),
        Event::ElderCreated(elder(0, "E1")),
        Event::ElderCreated(elder(1, "E2")),
    ];
    let created = Event::DeviceCreated(Device { id: sos(), model: "按钮".into(), org_unit: Some(town()) });
    let wish = NewDevice { id: sos(), model: "按钮".into(), org_unit: Some(town()) };
    check(&given, Command::CreateDevice(wish), std::slice::from_ref(&created));
    given.push(created);

    let state = check(&given, bind(0, 1_000), &[bound(0, 1_000)]);
    assert_eq!(state.elder_of(&sos()).map(|elder| elder.id), Some(ElderId(0)));
    given.push(bound(0, 1_000));
    let reason = "the device belongs to elders/0: unbind it there first";
    refused(&given, bind(1, 2_000), RejectionKind::AlreadyExists, &[("binding.device", reason)]);
    let reason = "is before the device was bound: give a later time";
    refused(&given, unbind(999), RejectionKind::Invalid, &[("binding.until", reason)]);

    let unbound = Event::DeviceUnbound { device: sos(), elder: ElderId(0), until: Timestamp(5_000) };
    let state = check(&given, unbind(5_000), std::slice::from_ref(&unbound));
    assert_eq!(state.binding_of(&sos()), None);
    given.push(unbound);
    let reason = "the device belonged to elders/0 then: give a time after it was unbound";
    refused(&given, bind(1, 4_999), RejectionKind::Invalid, &[("binding.from", reason)]);

    let state = check(&given, bind(1, 5_000), &[bound(1, 5_000)]);
    assert_eq!(state.devices_of(ElderId(0)).count(), 0);
    assert_eq!(state.devices_of(ElderId(1)).map(|device| &device.id).collect::<Vec<_>>(), [&sos()]);
    let owners: Vec<_> = state.bindings(&sos()).iter().map(|binding| binding.elder.0).collect();
    assert_eq!(owners, [0, 1]);
}

#[test]
fn an_unknown_device_cannot_be_given_to_an_unknown_elder_tomorrow() {
    refused(
        &[],
        bind(7, NOW.0 + 1),
        RejectionKind::Invalid,
        &[
            ("binding.from", "is in the future: give a time up to now"),
            ("binding.device", "devices/demo-sos is unknown: enter the device first, or correct its id"),
            ("binding.elder", "elders/7 is unknown: enter the elder first, or correct the number"),
        ],
    );
    refused(
        &[],
        unbind(0),
        RejectionKind::NotFound,
        &[
            ("binding.device", "devices/demo-sos is unknown: enter the device first, or correct its id"),
            ("binding.device", "the device belongs to nobody: there is nothing to unbind"),
        ],
    );
}

#[test]
fn a_page_begins_after_the_last_of_the_page_before() {
    let mut given = vec![county_created(), town_created()];
    given.extend((0..5).map(|id| Event::ElderCreated(elder(id, &format!("E{id}")))));
    let state = replay(&given);
    let page = |after| state.elders(after).take(2).map(|elder| elder.id.0).collect::<Vec<_>>();
    assert_eq!(page(None), [0, 1]);
    assert_eq!(page(Some(ElderId(1))), [2, 3]);
    assert_eq!(page(Some(ElderId(3))), [4]);
    assert_eq!(state.org_units(Some(county())).map(|unit| unit.code).collect::<Vec<_>>(), [town()]);
    assert_eq!(state.devices(Some(sos())).count(), 0);
}

#[test]
fn no_personal_data_shows_in_a_log() {
    let shown = format!("{:?} {:?}", Command::CreateElder(new_elder("E1")), elder(0, "E1"));
    for secret in ["样例奶奶", "000-0000101", "样板社区", "青霉素", "1941", "3268", "样例女儿", "E1"]
    {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

fn replay(events: &[Event]) -> State {
    let mut state = State::default();
    events.iter().for_each(|event| state.evolve(event));
    state
}

fn county() -> OrgUnitCode {
    OrgUnitCode::new("990181").expect("six digits")
}

fn town() -> OrgUnitCode {
    OrgUnitCode::new("990181001").expect("nine digits")
}

fn sos() -> DeviceId {
    DeviceId::new("demo-sos").expect("a device id")
}

fn station() -> Place {
    Place::new(32.6891, 119.0052, CoordinateSystem::Wgs84).expect("on the globe")
}

fn county_created() -> Event {
    Event::OrgUnitCreated(OrgUnit { code: county(), name: "示例市".into() })
}

fn town_created() -> Event {
    Event::OrgUnitCreated(OrgUnit { code: town(), name: "示例镇".into() })
}

fn provider_created() -> Event {
    Event::ProviderCreated(Provider {
        id: ProviderId(0),
        external_id: Some("P1".to_owned()).into(),
        name: "示例养老服务中心".into(),
        phone: "".into(),
        org_unit: county(),
        station: Some(station()),
    })
}

fn new_responder(base: Option<Place>) -> NewResponder {
    NewResponder {
        external_id: None.into(),
        name: "护理员甲".into(),
        phone: "000-0000011".into(),
        provider: Some(ProviderId(0)),
        org_unit: county(),
        skills: Skills::NONE.with(Skill::Lift),
        base: base.into(),
        travels: TravelMode::EBike,
        certificates: Certificates::NONE,
    }
}

fn responder_created(base: Option<Place>) -> Event {
    Event::ResponderCreated(Responder {
        id: ResponderId(0),
        external_id: None.into(),
        name: "护理员甲".into(),
        phone: "000-0000011".into(),
        provider: Some(ProviderId(0)),
        org_unit: county(),
        skills: Skills::NONE.with(Skill::Lift),
        base: base.into(),
        travels: TravelMode::EBike,
        certificates: Certificates::NONE,
    })
}

fn new_elder(external_id: &str) -> NewElder {
    let elder = elder(0, external_id);
    NewElder {
        external_id: elder.external_id,
        resident_id: elder.resident_id,
        name: elder.name,
        birth_date: elder.birth_date,
        gender: elder.gender,
        phone: elder.phone,
        address: elder.address,
        place: elder.place,
        org_unit: elder.org_unit,
        categories: vec![NewCategory { category: Category::LivesAlone, since: None, until: None }],
        contacts: elder.contacts,
        medical_notes: elder.medical_notes,
        entry_notes: elder.entry_notes,
    }
}

fn elder(id: u64, external_id: &str) -> Elder {
    Elder {
        id: ElderId(id),
        external_id: Some(external_id.to_owned()).into(),
        name: "样例奶奶".into(),
        resident_id: None.into(),
        birth_date: Some(date(1941, 3, 5)).into(),
        gender: Gender::Female,
        phone: "000-0000101".into(),
        address: "示例镇样板社区 1 栋 101 室".into(),
        place: Some(station()).into(),
        org_unit: town(),
        categories: vec![registry::CategoryRecord {
            category: Category::LivesAlone,
            since: TODAY,
            until: None,
        }],
        contacts: vec![Contact {
            name: "样例女儿".into(),
            phone: "+86 138-0000-0000".into(),
            relation: "女儿".into(),
            keyholder: true,
        }],
        medical_notes: "对青霉素过敏".into(),
        entry_notes: "".into(),
    }
}

fn bind(elder: u64, from: i64) -> Command {
    Command::BindDevice { device: sos(), elder: ElderId(elder), from: Timestamp(from) }
}

fn bound(elder: u64, from: i64) -> Event {
    Event::DeviceBound(Binding { device: sos(), elder: ElderId(elder), from: Timestamp(from), until: None })
}

fn unbind(until: i64) -> Command {
    Command::UnbindDevice { device: sos(), until: Timestamp(until) }
}
