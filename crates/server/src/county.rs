//! County: who lives in the invented county that `anhu demo` and `anhu simulate` play with?
//!
//! The same seed and size always give the same county. Nobody in it exists: the division code is one that the state
//! does not give out, the telephone numbers belong to no country, and every number from elsewhere begins with `DEMO-`.

mod files;
mod words;

use fastrand::Rng;
use jiff::civil::Date;
use model::{Certificates, CoordinateSystem, DeviceId, Kind, OrgUnitCode, Place, Skill, Skills, TravelMode};
use registry::{
    Category, Contact, Gender, NewCategory, NewDevice, NewElder, NewOrgUnit, NewProvider, NewResponder,
};

pub(crate) use files::{File, Known};

/// What the ids of the county's devices begin with.
pub(crate) const DEVICE_PREFIX: &str = "demo-";
/// The county itself. 99 is no province.
const COUNTY: (&str, &str) = ("999901", "安护示范县");
/// The middle of the county, in degrees of WGS-84.
const MIDDLE: (f64, f64) = (32.7, 119.0);
/// Villages of each town, the first of which is the community in its middle.
const VILLAGES: usize = 6;
/// How far homes lie from the middle of their village, in metres; most lie much nearer.
const VILLAGE_RADIUS: f64 = 600.0;
/// How far a responder's first position lies from the middle of a village, in metres.
const ROUND_RADIUS: f64 = 900.0;
/// Who turns 80 in the year this was written, and everybody older, is of advanced age.
const BORN_80_YEARS_AGO: i16 = 1946;
/// Birth years, the first and the last.
const BIRTH_YEARS: (i16, i16) = (1930, 1966);

/// How large a county, and which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) seed: u64,
    pub(crate) elders: usize,
    pub(crate) responders: usize,
}

/// Everybody and everything in it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct County {
    /// The county, then its towns, then their villages.
    pub(crate) org_units: Vec<NewOrgUnit>,
    pub(crate) providers: Vec<NewProvider>,
    pub(crate) helpers: Vec<Helper>,
    pub(crate) homes: Vec<Home>,
}

/// A responder, and where they are on their round when the play begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Helper {
    pub(crate) responder: NewResponder,
    /// The provider's number elsewhere; the responder's base is its station.
    pub(crate) provider: String,
    pub(crate) start: Place,
}

/// An elder and the device in their home.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Home {
    pub(crate) elder: NewElder,
    pub(crate) device: NewDevice,
    pub(crate) gadget: Gadget,
}

/// What the device of a home is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gadget {
    SosButton,
    SmokeSensor,
    FallSensor,
}

impl Gadget {
    /// What it raises.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::SosButton => Kind::Sos,
            Self::SmokeSensor => Kind::Smoke,
            Self::FallSensor => Kind::Fall,
        }
    }

    fn model(self) -> &'static str {
        match self {
            Self::SosButton => "演示紧急按钮",
            Self::SmokeSensor => "演示烟雾报警器",
            Self::FallSensor => "演示跌倒雷达",
        }
    }
}

/// A village as the generator needs it.
struct Village {
    code: OrgUnitCode,
    /// Town and village, as an address begins.
    name: String,
    middle: Place,
    is_community: bool,
}

impl County {
    /// Makes the county of this size.
    pub(crate) fn new(size: Size) -> Self {
        let mut rng = Rng::with_seed(size.seed);
        let mut county = Self {
            org_units: vec![NewOrgUnit { code: code(COUNTY.0), name: COUNTY.1.to_owned() }],
            providers: Vec::new(),
            helpers: Vec::new(),
            homes: Vec::new(),
        };
        let villages = county.settle(&mut rng);
        for index in 0..size.responders {
            county.helpers.push(helper(&mut rng, index, &county.providers, &villages));
        }
        for index in 0..size.elders {
            county.homes.push(home(&mut rng, index, &villages));
        }
        county
    }

    /// Enters towns, villages and the station of each town, and returns the villages.
    fn settle(&mut self, rng: &mut Rng) -> Vec<Village> {
        let middle =
            Place::new(MIDDLE.0, MIDDLE.1, CoordinateSystem::Wgs84).expect("the middle is on the globe");
        let mut names = words::VILLAGES.to_vec();
        rng.shuffle(&mut names);
        let mut names = names.into_iter();
        let mut villages = Vec::new();
        for (index, (town, north_km, east_km)) in words::TOWNS.into_iter().enumerate() {
            let near = middle.offset(north_km * 1000.0, east_km * 1000.0);
            let centre = scatter(rng, near, 800.0);
            let town_code = code(&format!("{}{}", COUNTY.0, 100 + index));
            self.org_units.push(NewOrgUnit { code: town_code, name: format!("{town}镇") });
            self.providers.push(NewProvider {
                external_id: Some(format!("DEMO-P{index:02}")).into(),
                name: format!("{town}镇养老服务中心").into(),
                phone: phone(4, index),
                org_unit: town_code,
                station: Some(scatter(rng, centre, 300.0)),
            });
            villages.push(Village {
                code: code(&format!("{town_code}001")),
                name: format!("{town}镇{town}社区"),
                middle: centre,
                is_community: true,
            });
            for number in 1..VILLAGES {
                let angle = (number as f64 + 0.6 * rng.f64()) / (VILLAGES - 1) as f64 * std::f64::consts::TAU;
                let away = 1_600.0 + 2_600.0 * rng.f64();
                villages.push(Village {
                    code: code(&format!("{town_code}{}", 199 + number)),
                    name: format!("{town}镇{}村", names.next().expect("there are names for all villages")),
                    middle: centre.offset(away * angle.cos(), away * angle.sin()),
                    is_community: false,
                });
            }
        }
        self.org_units.extend(villages.iter().map(|village| {
            let name = village.name.split_once('镇').map_or("", |(_, name)| name).to_owned();
            NewOrgUnit { code: village.code, name }
        }));
        villages
    }
}

fn helper(rng: &mut Rng, index: usize, providers: &[NewProvider], villages: &[Village]) -> Helper {
    let town = index % providers.len();
    let provider = &providers[town];
    let village = &villages[town * VILLAGES + rng.usize(..VILLAGES)];
    let gender = if rng.f64() < 0.6 { Gender::Female } else { Gender::Male };
    let learned = [
        (Skill::Lift, 0.5),
        (Skill::Nursing, 0.3),
        (Skill::FireSafety, 0.25),
        (Skill::HomeRepair, 0.2),
        (Skill::DementiaCare, 0.25),
    ];
    let learned = learned.into_iter().filter(|(_, share)| rng.f64() < *share).map(|(skill, _)| skill);
    let skills: Skills = [Skill::FirstAid].into_iter().chain(learned).collect();
    let responder = NewResponder {
        external_id: Some(format!("DEMO-R{index:05}")).into(),
        name: name(rng, gender, &words::YOUNGER).into(),
        phone: phone(3, index),
        provider: None,
        org_unit: provider.org_unit,
        skills,
        base: None.into(),
        travels: TravelMode::EBike,
        certificates: Certificates::NONE,
    };
    let provider = provider.external_id.as_deref().unwrap_or_default().to_owned();
    Helper { responder, provider, start: scatter(rng, village.middle, ROUND_RADIUS) }
}

fn home(rng: &mut Rng, index: usize, villages: &[Village]) -> Home {
    // Twice as many live in a community as in a village.
    let pick = rng.usize(..villages.len() + villages.len() / VILLAGES);
    let village = villages.get(pick).unwrap_or_else(|| &villages[(pick - villages.len()) * VILLAGES]);
    let gender = if rng.f64() < 0.55 { Gender::Female } else { Gender::Male };
    let born = birth_date(rng);
    let address = if village.is_community {
        let (house, stair, flat) =
            (rng.usize(1..30), rng.usize(1..4), 100 * rng.usize(1..7) + rng.usize(1..4));
        format!("{} {house} 栋 {stair} 单元 {flat} 室", village.name)
    } else {
        format!("{} {} 组 {} 号", village.name, rng.usize(1..15), rng.usize(1..80))
    };
    let elder = NewElder {
        external_id: Some(format!("DEMO-E{index:06}")).into(),
        name: name(rng, gender, &words::OLDER).into(),
        resident_id: None.into(),
        birth_date: Some(born).into(),
        gender,
        phone: phone(1, index),
        address: address.into(),
        place: Some(scatter(rng, village.middle, VILLAGE_RADIUS)).into(),
        org_unit: village.code,
        categories: categories(rng, born),
        contacts: contacts(rng, index),
        medical_notes: some_of(rng, 0.45, &words::MEDICAL_NOTES).into(),
        entry_notes: some_of(rng, 0.25, &words::ENTRY_NOTES).into(),
    };
    let gadget = match rng.usize(..10) {
        0 => Gadget::SmokeSensor,
        1 => Gadget::FallSensor,
        _ => Gadget::SosButton,
    };
    let id = DeviceId::new(&format!("{DEVICE_PREFIX}{index:06}")).expect("letters and digits");
    let device = NewDevice { id, model: gadget.model().to_owned(), org_unit: Some(village.code) };
    Home { elder, device, gadget }
}

/// The younger are many, the very old few.
fn birth_date(rng: &mut Rng) -> Date {
    let (first, last) = BIRTH_YEARS;
    let years = f64::from(last - first) * rng.f64() * rng.f64();
    let year = last - years as i16;
    Date::new(year, rng.i8(1..=12), rng.i8(1..=28)).expect("every month has 28 days")
}

fn categories(rng: &mut Rng, born: Date) -> Vec<NewCategory> {
    let since = Date::new(2024, 1, 1).ok();
    let advanced = born.year() <= BORN_80_YEARS_AGO;
    let alone = rng.f64() < 0.22;
    let shares = [
        (Category::AdvancedAge, if advanced { 1.0 } else { 0.0 }),
        (Category::LivesAlone, if alone { 1.0 } else { 0.0 }),
        (Category::EmptyNest, if alone { 0.0 } else { 0.3 }),
        (Category::Disabled, if advanced { 0.2 } else { 0.05 }),
        (Category::Dementia, if advanced { 0.1 } else { 0.02 }),
        (Category::MinimumAllowance, 0.06),
        (Category::Destitute, 0.02),
    ];
    let held = shares.into_iter().filter(|(_, share)| rng.f64() < *share);
    held.map(|(category, _)| NewCategory { category, since, until: None }).collect()
}

fn contacts(rng: &mut Rng, index: usize) -> Vec<Contact> {
    let count = rng.usize(1..=2);
    (0..count)
        .map(|number| {
            let (relation, gender) = words::RELATIONS[rng.usize(..words::RELATIONS.len())];
            Contact {
                name: name(rng, gender, &words::YOUNGER).into(),
                phone: phone(2, 2 * index + number),
                relation: relation.to_owned(),
                keyholder: number == 0 && rng.bool(),
            }
        })
        .collect()
}

fn name(rng: &mut Rng, gender: Gender, given: &words::GivenNames) -> String {
    // Squared, so that the first of the list, the commonest, come most often.
    let common = rng.f64() * rng.f64() * words::SURNAMES.len() as f64;
    let surname = words::SURNAMES[common as usize];
    let given = match gender {
        Gender::Female => given.female,
        Gender::Male | Gender::Unknown => given.male,
    };
    format!("{surname}{}", given[rng.usize(..given.len())])
}

fn some_of(rng: &mut Rng, share: f64, notes: &[&str]) -> String {
    if rng.f64() < share { notes[rng.usize(..notes.len())].to_owned() } else { String::new() }
}

/// A number that cannot be called: +999 is the code of no country.
fn phone<T: From<String>>(sort: usize, index: usize) -> T {
    format!("+999 {sort}{index:07}").into()
}

/// A point near `middle`, more often near than far, at most `radius` metres to each side.
fn scatter(rng: &mut Rng, middle: Place, radius: f64) -> Place {
    let mut side = || radius * (rng.f64() + rng.f64() + rng.f64() - 1.5) / 1.5;
    let (north, east) = (side(), side());
    middle.offset(north, east)
}

fn code(digits: &str) -> OrgUnitCode {
    OrgUnitCode::new(digits).expect("6, 9 or 12 digits")
}

#[cfg(test)]
mod tests {
    use model::{Metres, Timestamp};
    use registry::{Command, State, decide, read_csv};

    use super::*;

    /// 2026-11-22 in China.
    const NOW: Timestamp = Timestamp(1_795_320_000_000);
    const SMALL: Size = Size { seed: 7, elders: 700, responders: 40 };

    fn enter(state: &mut State, county: &County) -> usize {
        let files = county.files(&Known::of(state));
        for file in &files {
            let import = read_csv(file.kind, file.csv.as_slice(), &mut |_, _| {});
            assert_eq!(import.rows(), file.rows);
            let events = decide(state, NOW, Command::Import(import)).expect("every row is accepted");
            events.iter().for_each(|event| state.evolve(event));
        }
        files.iter().map(|file| file.rows).sum()
    }

    #[test]
    fn the_same_seed_gives_the_same_county_and_another_seed_another() {
        assert_eq!(County::new(SMALL), County::new(SMALL));
        assert_ne!(County::new(SMALL), County::new(Size { seed: 8, ..SMALL }));
    }

    #[test]
    fn the_registry_accepts_every_record_and_reads_back_what_was_made() {
        let (county, mut state) = (County::new(SMALL), State::default());
        enter(&mut state, &county);
        let counts = state.counts();
        assert_eq!((counts.org_units, counts.providers), (71, 10));
        assert_eq!((counts.responders, counts.elders, counts.devices), (40, 700, 700));
        for home in &county.homes {
            let elder = state.elder_of(&home.device.id).expect("every device belongs to somebody");
            assert_eq!(elder.name, home.elder.name);
            assert_eq!(elder.place, home.elder.place);
            assert_eq!(elder.contacts, home.elder.contacts);
            assert_eq!(elder.categories.len(), home.elder.categories.len());
            assert_eq!(elder.medical_notes, home.elder.medical_notes);
        }
        for responder in state.responders(None) {
            assert!(state.base_of(responder.id).is_some(), "everybody starts from a station");
        }
    }

    #[test]
    fn what_is_known_already_is_left_out() {
        let mut state = State::default();
        assert!(enter(&mut state, &County::new(SMALL)) > 1400);
        assert_eq!(enter(&mut state, &County::new(SMALL)), 0);
        assert_eq!(
            enter(&mut state, &County::new(Size { elders: 703, ..SMALL })),
            6,
            "3 elders and their devices"
        );
    }

    #[test]
    fn everybody_lives_within_the_county() {
        let county = County::new(SMALL);
        let middle = Place::new(MIDDLE.0, MIDDLE.1, CoordinateSystem::Wgs84).expect("on the globe");
        let homes = county.homes.iter().filter_map(|home| *home.elder.place);
        for place in homes.chain(county.helpers.iter().map(|helper| helper.start)) {
            assert!(place.distance(middle) < Metres(30_000), "{place:?}");
        }
    }
}
