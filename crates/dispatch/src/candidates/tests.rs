//! Ranking against sorting everybody.

use model::{Certificates, CoordinateSystem, ExpiryDay, Kind, Priority, Skill, TravelMode};
use proptest::{prelude::*, sample::select};
use roster::{Duty, Idle, Member, Size};

use super::*;
use crate::policy::PolicyFile;

const NOW: Timestamp = Timestamp(1_790_000_000_000);
const VILLAGE: &str = "341181001002";

/// Somebody somewhere, as drawn.
#[derive(Debug, Clone, Copy)]
struct Somebody {
    north: f64,
    east: f64,
    travels: TravelMode,
    unit: &'static str,
    expires_in: Option<i32>,
    job_ended_s_ago: Option<i64>,
    on_duty: bool,
}

fn somebody() -> impl Strategy<Value = Somebody> {
    let units = vec!["", "341181", "341181001", VILLAGE, "341181001003", "341181002001", "341182001001"];
    let far = prop_oneof![3 => Just(1_500.0), 1 => Just(20_000.0)];
    let place = far.prop_flat_map(|far: f64| (-far..far, -far..far));
    (
        place,
        select(TravelMode::ALL.to_vec()),
        select(units),
        prop::option::weighted(0.2, -2..3),
        prop::option::weighted(0.3, 0..700_i64),
        prop::bool::weighted(0.8),
    )
        .prop_map(|((north, east), travels, unit, expires_in, job_ended_s_ago, on_duty)| Somebody {
            north,
            east,
            travels,
            unit,
            expires_in,
            job_ended_s_ago,
            on_duty,
        })
}

fn elder_at() -> Place {
    Place::new(33.60, 119.02, CoordinateSystem::Wgs84).expect("on the globe")
}

fn roster_of(people: &[Somebody]) -> Roster {
    let roster = Roster::new(Size::of(256, &[]));
    for (id, one) in (0..).map(ResponderId).zip(people) {
        let today = NOW.0 / 86_400_000;
        let expires = |days: i32| ExpiryDay((today + i64::from(days)) as u16);
        let certificates = one.expires_in.map(|days| Certificates::NONE.with(Skill::Lift, expires(days)));
        let member = Member {
            skills: Skills::NONE.with(Skill::Lift),
            base: None,
            org_unit: OrgUnitCode::new(one.unit).ok(),
            travels: one.travels,
            certificates: certificates.unwrap_or_default(),
        };
        roster.enrol(id, member).expect("there is room");
        roster.report(id, elder_at().offset(one.north, one.east), NOW);
        let ended = one.job_ended_s_ago.map(|ago| Timestamp(NOW.0 - ago * 1000));
        roster.set_idle(id, Idle { since: ended, job_ended_at: ended });
        roster.set_duty(id, if one.on_duty { Duty::OnDuty } else { Duty::OffDuty });
    }
    roster
}

#[test]
fn a_certificate_ends_by_the_calendar_also_while_the_time_of_decisions_is_ahead_of_it() {
    let file: PolicyFile = toml::from_str(include_str!("../../../../config/policy.toml")).expect("a policy");
    let policy = Policy::new(&file, "").expect("without fault");
    let one = |expires_in| Somebody {
        north: 100.0,
        east: 0.0,
        travels: TravelMode::ALL[0],
        unit: VILLAGE,
        expires_in: Some(expires_in),
        job_ended_s_ago: None,
        on_duty: true,
    };
    let roster = roster_of(&[one(1), one(-1)]);
    let plan = policy.plan(Kind::Fall, Priority::P1);
    let skills = Skills::NONE.with(Skill::Lift);
    let wanted = Wanted { at: elder_at(), org_unit: None, skills, plan, excluded: &[] };
    let year = Millis::from_seconds(400 * 86_400);
    let asked = |now| {
        let outlook = Outlook { roster: &roster, policy: &policy, now };
        let ranked = outlook.rank(&wanted, Millis::from_seconds(3600), 5).ranked;
        ranked.iter().map(|ranked| ranked.responder).collect::<Vec<_>>()
    };
    assert_eq!(asked(NOW), [ResponderId(0)]);
    assert_eq!(asked(NOW + year), []);
    roster.set_ahead(year);
    assert_eq!(asked(NOW + year), [ResponderId(0)], "a clock that was wrong takes nobody's certificate");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_best_are_those_that_sorting_everybody_gives(
        people in prop::collection::vec(somebody(), 0..200),
        priority in select(vec![Priority::P1, Priority::P2, Priority::P3]),
        number in 1..6_usize,
        reach_min in 1..70_i64,
    ) {
        let file: PolicyFile = toml::from_str(include_str!("../../../../config/policy.toml")).expect("a policy");
        let policy = Policy::new(&file, "").expect("without fault");
        let roster = roster_of(&people);
        let excluded = [ResponderId(1), ResponderId(4)];
        let wanted = Wanted {
            at: elder_at(),
            org_unit: OrgUnitCode::new(VILLAGE).ok(),
            skills: Skills::NONE.with(Skill::Lift),
            plan: policy.plan(Kind::Fall, priority),
            excluded: &excluded,
        };
        let reach = Millis::from_seconds(reach_min * 60);
        let outlook = Outlook { roster: &roster, policy: &policy, now: NOW };
        let ranking = outlook.rank(&wanted, reach, number);

        let mut all: Vec<Ranked> = Vec::new();
        for id in (0..people.len() as u32).map(ResponderId) {
            let free = roster.availability(id) == roster::Availability::Available && !excluded.contains(&id);
            let candidate = outlook.candidate(id, elder_at()).expect("all have been seen");
            if free {
                all.extend(outlook.fit(&wanted, reach, &candidate).ok());
            }
        }
        all.sort_by_key(|one| (one.cost, one.idle_since, one.responder));
        all.truncate(number);
        prop_assert_eq!(ranking.ranked, all);
    }
}
