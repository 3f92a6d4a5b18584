//! Whatever happens in whatever order, the roster answers as a list that is searched from end to end.
//!
//! Fewer cases under Miri, see `threads.rs` for the command.
#![cfg(not(loom))]

use model::{CoordinateSystem, IncidentId, Metres, Place, ResponderId, Skills, Timestamp};
use proptest::prelude::*;
use roster::{Availability, Candidate, Duty, Located, Member, Query, Reported, Roster, Size};

const RESPONDERS: u32 = 24;
const CASES: u32 = if cfg!(miri) { 2 } else { 400 };
const STEPS: usize = if cfg!(miri) { 60 } else { 250 };
/// Those of a crowd that is taken one by one.
const CROWD: u32 = if cfg!(miri) { 40 } else { 250 };

#[derive(Debug, Clone, Copy)]
enum Step {
    Enrol(ResponderId, Member),
    SetDuty(ResponderId, Duty),
    Report(ResponderId, Place, Timestamp),
    Sweep(Timestamp),
    Claim(ResponderId, IncidentId),
    Release(ResponderId, IncidentId),
    Nearest { at: Place, reach: Metres, skills: Skills, limit: usize, excluded: Option<ResponderId> },
}

fn wgs84(latitude_e7: i32, longitude_e7: i32) -> Place {
    Place::from_e7(latitude_e7, longitude_e7, CoordinateSystem::Wgs84).expect("on the globe")
}

/// Mostly one town, on a lattice so that places are often equal; else a few metres of it, where every border of the
/// smallest cells is met to the centimetre, the poles, the date line, or anywhere.
fn place() -> impl Strategy<Value = Place> {
    let town = (-12..=12, -12..=12).prop_map(|(north, east)| {
        wgs84(336_000_000, 1_190_200_000).offset(f64::from(north) * 211.0, f64::from(east) * 211.0)
    });
    let yard =
        (-400..=400, -400..=400).prop_map(|(north, east)| wgs84(336_000_000 + north, 1_190_200_000 + east));
    let date_line = (-3..=3, -20_000..=20_000, any::<bool>()).prop_map(|(north, near, west)| {
        let east = 1_800_000_000 - i32::abs(near);
        wgs84(100_000_000 + north * 10_000, if west { -east } else { east })
    });
    let poles =
        (0..=40_000, -1_800_000_000..=1_800_000_000, any::<bool>()).prop_map(|(near, longitude, south)| {
            wgs84(if south { near - 900_000_000 } else { 900_000_000 - near }, longitude)
        });
    let anywhere =
        (-900_000_000..=900_000_000, -1_800_000_000..=1_800_000_000).prop_map(|(a, b)| wgs84(a, b));
    prop_oneof![12 => town, 3 => yard, 2 => date_line, 1 => poles, 1 => anywhere]
}

fn reach() -> impl Strategy<Value = Metres> {
    prop_oneof![8 => 0_u32..6_000, 2 => 0_u32..500_000, 1 => 0_u32..25_000_000, 1 => Just(u32::MAX)]
        .prop_map(Metres)
}

fn step() -> impl Strategy<Value = Step> {
    let responder = || (0..RESPONDERS + 1).prop_map(ResponderId);
    let skills = || (0_u16..8).prop_map(Skills::from_bits);
    let time = || (1_i64..60).prop_map(Timestamp);
    let incident = || (1_u64..4).prop_map(IncidentId);
    let duty = prop_oneof![1 => Just(Duty::OffDuty), 1 => Just(Duty::OnBreak), 6 => Just(Duty::OnDuty)];
    let member = (skills(), prop::option::of(place())).prop_map(|(skills, base)| Member {
        skills,
        base,
        ..Member::default()
    });
    let query = (
        place(),
        reach(),
        0_u16..3,
        prop_oneof![0_usize..6, Just(usize::MAX)],
        prop::option::of(responder()),
    );
    prop_oneof![
        3 => (responder(), member).prop_map(|(responder, member)| Step::Enrol(responder, member)),
        6 => (responder(), duty).prop_map(|(responder, duty)| Step::SetDuty(responder, duty)),
        8 => (responder(), place(), time()).prop_map(|(responder, place, at)| Step::Report(responder, place, at)),
        1 => time().prop_map(Step::Sweep),
        3 => (responder(), incident()).prop_map(|(responder, incident)| Step::Claim(responder, incident)),
        2 => (responder(), incident()).prop_map(|(responder, incident)| Step::Release(responder, incident)),
        6 => query.prop_map(|(at, reach, skills, limit, excluded)| Step::Nearest {
            at, reach, skills: Skills::from_bits(skills), limit, excluded,
        }),
    ]
}

#[derive(Debug, Clone, Copy)]
struct Person {
    member: Member,
    duty: Duty,
    claim: Option<IncidentId>,
    fix: Option<(Place, Timestamp)>,
}

impl Person {
    fn availability(&self) -> Availability {
        match (self.claim, self.duty) {
            (Some(incident), _) => Availability::Claimed(incident),
            (None, Duty::OffDuty) => Availability::OffDuty,
            (None, Duty::OnBreak) => Availability::OnBreak,
            (None, Duty::OnDuty) => Availability::Available,
        }
    }
}

/// The list.
struct List {
    people: Vec<Option<Person>>,
    stale_before: Timestamp,
}

impl List {
    fn availability(&self, responder: ResponderId) -> Availability {
        self.person(responder).map_or(Availability::Unknown, Person::availability)
    }

    fn person(&self, responder: ResponderId) -> Option<&Person> {
        self.people.get(responder.0 as usize)?.as_ref()
    }

    fn person_mut(&mut self, responder: ResponderId) -> Option<&mut Person> {
        self.people.get_mut(responder.0 as usize)?.as_mut()
    }

    fn nearest(&self, query: &Query<'_>) -> Vec<Candidate> {
        let mut all: Vec<Candidate> = (0..)
            .map(ResponderId)
            .zip(&self.people)
            .filter_map(|(responder, person)| Some((responder, person.as_ref()?)))
            .filter(|(responder, person)| {
                person.availability() == Availability::Available
                    && person.member.skills.covers(query.skills)
                    && !query.excluded.contains(responder)
            })
            .filter_map(|(responder, person)| {
                let fresh = person.fix.filter(|(_, at)| *at >= self.stale_before);
                let fix = fresh.map(|(place, at)| (place, Located::Fix(at)));
                let (place, located) = fix.or(person.member.base.map(|base| (base, Located::Base)))?;
                Some(Candidate { distance: place.distance(query.at), responder, located })
            })
            .filter(|candidate| candidate.distance <= query.reach)
            .collect();
        all.sort_unstable();
        all.truncate(query.limit);
        all
    }
}

fn check(roster: &Roster, list: &mut List, step: Step) -> Result<(), TestCaseError> {
    match step {
        Step::Enrol(responder, member) => {
            let room = responder.0 < RESPONDERS;
            prop_assert_eq!(roster.enrol(responder, member).is_ok(), room);
            match list.person_mut(responder) {
                Some(person) => person.member = member,
                None if room => {
                    let person = Person { member, duty: Duty::OffDuty, claim: None, fix: None };
                    list.people[responder.0 as usize] = Some(person);
                }
                None => {}
            }
        }
        Step::SetDuty(responder, duty) => {
            if let Some(person) = list.person_mut(responder) {
                person.duty = duty;
            }
            prop_assert_eq!(roster.set_duty(responder, duty), list.availability(responder));
        }
        Step::Report(responder, place, at) => {
            let expected = match list.person_mut(responder) {
                None => Reported::Unknown,
                Some(Person { fix: Some((_, newest)), .. }) if *newest >= at => Reported::Outdated(*newest),
                Some(person) => {
                    person.fix = Some((place, at));
                    Reported::Newest
                }
            };
            prop_assert_eq!(roster.report(responder, place, at), expected);
        }
        Step::Sweep(stale_before) => {
            roster.sweep(stale_before);
            list.stale_before = list.stale_before.max(stale_before);
        }
        Step::Claim(responder, incident) => {
            let before = list.availability(responder);
            let granted = before == Availability::Available || before == Availability::Claimed(incident);
            let expected = if granted { Ok(()) } else { Err(before) };
            prop_assert_eq!(roster.claim(responder, incident), expected);
            if let (Ok(()), Some(person)) = (expected, list.person_mut(responder)) {
                person.claim = Some(incident);
            }
        }
        Step::Release(responder, incident) => {
            let expected = list.availability(responder) == Availability::Claimed(incident);
            prop_assert_eq!(roster.release(responder, incident), expected);
            if let (true, Some(person)) = (expected, list.person_mut(responder)) {
                person.claim = None;
            }
        }
        Step::Nearest { at, reach, skills, limit, excluded } => {
            let query = Query { at, reach, skills, limit, excluded: excluded.as_slice() };
            let mut candidates = Vec::new();
            let tally = roster.nearest(&query, &mut candidates);
            prop_assert_eq!(&candidates, &list.nearest(&query));
            prop_assert!(tally.considered <= RESPONDERS && tally.slipped_away == 0, "{:?}", tally);
            explanation_agrees(roster, &query, &list.nearest(&Query { limit: usize::MAX, ..query }))?;
        }
    }
    Ok(())
}

/// Those whom `explain` leaves in are those `nearest` may give.
fn explanation_agrees(
    roster: &Roster,
    query: &Query<'_>,
    eligible: &[Candidate],
) -> Result<(), TestCaseError> {
    let mut explained = Vec::new();
    roster.explain(&Query { limit: usize::MAX, ..*query }, &mut explained);
    let left_in: Vec<Candidate> = explained
        .iter()
        .filter(|one| one.left_out.is_none())
        .filter_map(|one| {
            let (distance, located) = one.whereabouts?;
            Some(Candidate { distance, responder: one.responder, located })
        })
        .collect();
    prop_assert_eq!(&left_in, eligible);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) })]

    #[test]
    fn the_roster_answers_as_a_list_that_is_searched_from_end_to_end(
        cell in prop_oneof![Just(1), Just(64), Just(512), Just(20_000), Just(3_000_000)],
        steps in prop::collection::vec(step(), 1..STEPS),
    ) {
        let roster = Roster::new(Size { responders: RESPONDERS, cell: Metres(cell) });
        let mut list = List { people: vec![None; RESPONDERS as usize], stale_before: Timestamp(i64::MIN) };
        for step in steps {
            check(&roster, &mut list, step)?;
        }
    }
    #[test]
    fn a_crowd_is_taken_from_the_nearest_to_the_farthest_whatever_the_cells(
        cell in prop_oneof![Just(1), Just(30), Just(200), Just(2_000)],
        skills in 0_u16..4,
        places in prop::collection::vec((place(), 0_u16..4), CROWD as usize),
        at in place(),
    ) {
        let roster = Roster::new(Size { responders: CROWD, cell: Metres(cell) });
        for (responder, (place, skills)) in (0..).map(ResponderId).zip(&places) {
            let skills = Skills::from_bits(*skills);
            let member = Member { skills, base: Some(*place), ..Member::default() };
            roster.enrol(responder, member).expect("there is room");
            roster.set_duty(responder, Duty::OnDuty);
        }
        let skills = Skills::from_bits(skills);
        let query = Query { at, reach: Metres(30_000), skills, limit: 1, excluded: &[] };
        let mut expected: Vec<(Metres, ResponderId)> = (0..)
            .map(ResponderId)
            .zip(&places)
            .filter(|(_, (_, learned))| Skills::from_bits(*learned).covers(skills))
            .map(|(responder, (place, _))| (place.distance(at), responder))
            .filter(|(distance, _)| *distance <= query.reach)
            .collect();
        expected.sort_unstable();
        let mut candidates = Vec::new();
        for next in expected {
            roster.nearest(&query, &mut candidates);
            prop_assert_eq!(candidates.first().map(|one| (one.distance, one.responder)), Some(next));
            prop_assert_eq!(roster.claim(next.1, IncidentId(1)), Ok(()));
        }
        roster.nearest(&query, &mut candidates);
        prop_assert_eq!(candidates, []);
    }
}
