//! What the roster promises, one story each.
//!
//! Smaller crowds under Miri, see `threads.rs` for the command.
#![cfg(not(loom))]

use model::{
    Certificates, CoordinateSystem, ExpiryDay, IncidentId, Metres, OrgUnitCode, Place, ResponderId, Skill,
    Skills, Timestamp, TravelMode,
};
use roster::{
    Availability, Candidate, Duty, Explained, Idle, LeftOut, Located, Member, Query, Reported, Roster,
    RosterFull, Size,
};

const ANYBODY: Member = Member {
    skills: Skills::NONE,
    base: None,
    org_unit: None,
    travels: TravelMode::EBike,
    certificates: Certificates::NONE,
};
const NOW: Timestamp = Timestamp(1_790_000_000_000);

fn here() -> Place {
    Place::new(33.60, 119.02, CoordinateSystem::Wgs84).expect("on the globe")
}

fn roster() -> Roster {
    Roster::new(Size { responders: 100, cell: Size::DEFAULT_CELL })
}

fn on_duty(roster: &Roster, responder: u32, member: Member) -> ResponderId {
    let responder = ResponderId(responder);
    roster.enrol(responder, member).expect("there is room");
    roster.set_duty(responder, Duty::OnDuty);
    responder
}

/// Somebody on duty `north` metres from here.
fn standing(roster: &Roster, responder: u32, north: f64) -> ResponderId {
    let responder = on_duty(roster, responder, ANYBODY);
    assert_eq!(roster.report(responder, here().offset(north, 0.0), NOW), Reported::Newest);
    responder
}

fn around(limit: usize) -> Query<'static> {
    Query { at: here(), reach: Metres(5_000), skills: Skills::NONE, limit, excluded: &[] }
}

/// Who is found, as (id, metres).
fn found(roster: &Roster, query: &Query<'_>) -> Vec<(u32, u32)> {
    let mut candidates = Vec::new();
    roster.nearest(query, &mut candidates);
    candidates.iter().map(|one| (one.responder.0, one.distance.0)).collect()
}

#[test]
fn the_nearest_come_first_and_equal_distances_by_id() {
    let roster = roster();
    for (responder, north) in [(4, 300.0), (9, -300.0), (2, 900.0), (7, 40.0)] {
        standing(&roster, responder, north);
    }
    assert_eq!(found(&roster, &around(10)), [(7, 40), (4, 300), (9, 300), (2, 900)]);
    assert_eq!(found(&roster, &around(2)), [(7, 40), (4, 300)]);
    assert_eq!(found(&roster, &around(0)), []);
}

#[test]
fn the_reach_is_inclusive() {
    let roster = roster();
    standing(&roster, 1, 1_000.0);
    let within = |reach| found(&roster, &Query { reach: Metres(reach), ..around(1) });
    assert_eq!(within(999), []);
    assert_eq!(within(1_000), [(1, 1_000)]);
}

#[test]
fn whoever_is_claimed_is_not_found_until_released() {
    let roster = roster();
    let (near, far) = (standing(&roster, 1, 10.0), standing(&roster, 2, 20.0));
    assert_eq!(roster.claim(near, IncidentId(5)), Ok(()));
    assert_eq!(roster.claim(near, IncidentId(5)), Ok(()), "the same incident again");
    assert_eq!(roster.claim(near, IncidentId(6)), Err(Availability::Claimed(IncidentId(5))));
    assert_eq!(found(&roster, &around(5)), [(2, 20)]);
    assert!(!roster.release(near, IncidentId(6)), "another incident's claim");
    assert!(roster.release(near, IncidentId(5)));
    assert!(!roster.release(near, IncidentId(5)), "twice");
    assert_eq!(found(&roster, &around(5)), [(1, 10), (2, 20)]);
    assert_eq!(roster.availability(far), Availability::Available);
}

#[test]
fn a_duty_set_during_a_claim_counts_on_release() {
    let roster = roster();
    let responder = standing(&roster, 1, 10.0);
    assert_eq!(roster.claim(responder, IncidentId(5)), Ok(()));
    assert_eq!(roster.set_duty(responder, Duty::OffDuty), Availability::Claimed(IncidentId(5)));
    assert!(roster.release(responder, IncidentId(5)));
    assert_eq!(roster.availability(responder), Availability::OffDuty);
    assert_eq!(roster.claim(responder, IncidentId(6)), Err(Availability::OffDuty));
    assert_eq!(roster.set_duty(responder, Duty::OnBreak), Availability::OnBreak);
    assert_eq!(found(&roster, &around(1)), []);
    assert_eq!(roster.set_duty(responder, Duty::OnDuty), Availability::Available);
    assert_eq!(found(&roster, &around(1)), [(1, 10)], "where the last fix was");
}

#[test]
fn a_claimed_responder_who_moves_is_found_at_the_new_place_after_release() {
    let roster = roster();
    let responder = standing(&roster, 1, 10.0);
    assert_eq!(roster.claim(responder, IncidentId(5)), Ok(()));
    assert_eq!(roster.report(responder, here().offset(3_000.0, 0.0), Timestamp(NOW.0 + 1)), Reported::Newest);
    assert!(roster.release(responder, IncidentId(5)));
    assert_eq!(found(&roster, &around(1)), [(1, 3_000)]);
}

#[test]
fn an_older_fix_is_ignored_and_said_to_be() {
    let roster = roster();
    let responder = standing(&roster, 1, 10.0);
    for older in [NOW, Timestamp(NOW.0 - 1)] {
        assert_eq!(roster.report(responder, here(), older), Reported::Outdated(NOW));
    }
    assert_eq!(found(&roster, &around(1)), [(1, 10)]);
}

#[test]
fn a_stale_fix_gives_way_to_the_base_and_a_fresh_one_brings_them_back() {
    let roster = roster();
    let base = Some(here().offset(2_000.0, 0.0));
    let with_base = on_duty(&roster, 1, Member { base, ..ANYBODY });
    let without = standing(&roster, 2, 50.0);
    assert_eq!(found(&roster, &around(5)), [(2, 50), (1, 2_000)], "no fix yet: at the base");
    roster.report(with_base, here(), NOW);
    assert_eq!(found(&roster, &around(5)), [(1, 0), (2, 50)]);

    roster.sweep(NOW);
    assert_eq!(found(&roster, &around(5)), [(1, 0), (2, 50)], "not older than that");
    let later = Timestamp(NOW.0 + 1);
    roster.sweep(later);
    let mut candidates = Vec::new();
    roster.nearest(&around(5), &mut candidates);
    assert_eq!(
        candidates,
        [Candidate { distance: Metres(2_000), responder: with_base, located: Located::Base }]
    );
    roster.sweep(Timestamp(0));
    assert_eq!(found(&roster, &around(5)), [(1, 2_000)], "an earlier limit changes nothing");

    roster.report(without, here().offset(70.0, 0.0), later);
    roster.nearest(&around(1), &mut candidates);
    assert_eq!(
        candidates,
        [Candidate { distance: Metres(70), responder: without, located: Located::Fix(later) }]
    );
}

#[test]
fn only_those_with_every_skill_are_found_and_a_new_skill_counts_at_once() {
    let roster = roster();
    let both: Skills = [Skill::Lift, Skill::Nursing].into_iter().collect();
    let lift = Skills::NONE.with(Skill::Lift);
    let base = Some(here());
    on_duty(&roster, 1, Member { skills: lift, base, ..ANYBODY });
    on_duty(&roster, 2, Member { skills: both, base, ..ANYBODY });
    assert_eq!(found(&roster, &Query { skills: both, ..around(5) }), [(2, 0)]);
    assert_eq!(found(&roster, &Query { skills: lift, ..around(5) }), [(1, 0), (2, 0)]);
    roster.enrol(ResponderId(1), Member { skills: both, base, ..ANYBODY }).expect("enrolled before");
    roster.enrol(ResponderId(2), Member { skills: lift, base, ..ANYBODY }).expect("enrolled before");
    assert_eq!(found(&roster, &Query { skills: both, ..around(5) }), [(1, 0)]);
}

#[test]
fn the_tally_says_what_was_looked_at() {
    let roster = roster();
    on_duty(&roster, 1, Member { skills: Skills::NONE.with(Skill::Lift), base: Some(here()), ..ANYBODY });
    standing(&roster, 2, 10.0);
    standing(&roster, 3, 20.0);
    let query = Query { excluded: &[ResponderId(2)], reach: Metres(15), ..around(5) };
    let mut candidates = Vec::new();
    let tally = roster.nearest(&query, &mut candidates);
    assert_eq!((tally.considered, tally.excluded, tally.too_far, tally.lacks_skill), (3, 1, 1, 0));
    assert_eq!(candidates.len(), 1);
    let tally = roster.nearest(&Query { skills: Skills::NONE.with(Skill::Lift), ..query }, &mut candidates);
    assert_eq!((tally.considered, tally.lacks_skill, tally.slipped_away), (3, 2, 0));
}

#[test]
fn everybody_left_out_is_explained() {
    let roster = roster();
    let base = Some(here());
    let member = |skills| Member { skills, base, ..ANYBODY };
    let lift = Skills::NONE.with(Skill::Lift);
    roster.enrol(ResponderId(0), member(lift)).expect("there is room");
    on_duty(&roster, 1, member(lift));
    roster.set_duty(ResponderId(1), Duty::OnBreak);
    on_duty(&roster, 2, member(lift));
    roster.claim(ResponderId(2), IncidentId(9)).expect("free");
    on_duty(&roster, 3, member(lift));
    on_duty(&roster, 4, member(Skills::NONE));
    on_duty(&roster, 5, Member { skills: lift, ..ANYBODY });
    on_duty(&roster, 6, Member { skills: lift, ..ANYBODY });
    roster.report(ResponderId(6), here(), NOW);
    roster.sweep(Timestamp(NOW.0 + 1));
    on_duty(&roster, 7, Member { skills: lift, base: Some(here().offset(9_000.0, 0.0)), ..ANYBODY });
    on_duty(&roster, 8, member(lift));

    let query = Query { skills: lift, excluded: &[ResponderId(3)], ..around(20) };
    let mut explained = Vec::new();
    roster.explain(&query, &mut explained);
    let reasons: Vec<_> = explained.iter().map(|one| (one.responder.0, one.left_out)).collect();
    assert_eq!(
        reasons,
        [
            (0, Some(LeftOut::OffDuty)),
            (1, Some(LeftOut::OnBreak)),
            (2, Some(LeftOut::Busy)),
            (3, Some(LeftOut::Excluded)),
            (4, Some(LeftOut::LacksSkill)),
            (8, None),
            (7, Some(LeftOut::TooFar)),
            (5, Some(LeftOut::NoFix)),
            (6, Some(LeftOut::StaleFix)),
        ]
    );
    roster.explain(&Query { limit: 1, ..query }, &mut explained);
    let whereabouts = Some((Metres(0), Located::Base));
    assert_eq!(
        explained,
        [Explained { responder: ResponderId(0), whereabouts, left_out: Some(LeftOut::OffDuty) }]
    );
}

#[test]
fn strangers_are_unknown_and_the_roster_says_when_it_is_full() {
    let roster = roster();
    for responder in [ResponderId(5), ResponderId(100), ResponderId(u32::MAX)] {
        assert_eq!(roster.availability(responder), Availability::Unknown);
        assert_eq!(roster.set_duty(responder, Duty::OnDuty), Availability::Unknown);
        assert_eq!(roster.report(responder, here(), NOW), Reported::Unknown);
        assert_eq!(roster.claim(responder, IncidentId(1)), Err(Availability::Unknown));
        assert!(!roster.release(responder, IncidentId(1)));
    }
    let full = RosterFull { responder: ResponderId(100), responders: 100 };
    assert_eq!(roster.enrol(ResponderId(100), ANYBODY), Err(full));
    assert_eq!(full.to_string(), "responder 100 does not fit into a roster of 100: start with a larger one");
}

/// Enough that one cell is not nearly enough, and few enough that everybody may come and go.
const CROWD: u32 = if cfg!(miri) { 100 } else { 10_000 };

#[test]
fn ten_thousand_on_one_spot_are_all_found_and_the_crowd_leaves_no_trace() {
    let roster = Roster::new(Size { responders: CROWD, cell: Size::DEFAULT_CELL });
    for responder in 0..CROWD {
        on_duty(&roster, responder, Member { base: Some(here()), ..ANYBODY });
    }
    let all = Query { limit: usize::MAX, ..around(0) };
    assert!(found(&roster, &all).into_iter().eq((0..CROWD).map(|responder| (responder, 0))));
    for responder in 0..CROWD {
        if responder % 500 == 0 {
            assert_eq!(found(&roster, &around(1)), [(responder, 0)]);
        }
        roster.claim(ResponderId(responder), IncidentId(1)).expect("free");
    }
    let mut candidates = Vec::new();
    assert_eq!(roster.nearest(&all, &mut candidates).considered, 0);
    for responder in 0..CROWD {
        assert!(roster.release(ResponderId(responder), IncidentId(1)));
        assert_eq!(roster.report(ResponderId(responder), here().offset(4_000.0, 0.0), NOW), Reported::Newest);
    }
    assert_eq!(found(&roster, &all).len(), CROWD as usize);
}

#[test]
fn a_hundred_thousand_on_one_spot_do_not_hide_the_one_beside_it() {
    let crowd = if cfg!(miri) { 100 } else { 100_000 };
    let roster = Roster::new(Size::of(crowd + 1, &[]));
    let lift = Skills::NONE.with(Skill::Lift);
    for responder in 0..crowd {
        let skills = if responder + 8 >= crowd { lift } else { Skills::NONE };
        on_duty(&roster, responder, Member { skills, base: Some(here()), ..ANYBODY });
    }
    let beside = on_duty(&roster, crowd, Member { base: Some(here().offset(3.0, 0.0)), ..ANYBODY });
    assert_eq!(roster.free(), crowd + 1);
    assert_eq!(found(&roster, &around(3)), [(0, 0), (1, 0), (2, 0)]);
    let able: Vec<_> = (crowd - 8..crowd).map(|responder| (responder, 0)).collect();
    assert_eq!(found(&roster, &Query { skills: lift, ..around(100) }), able);
    let at = here().offset(9.0, 0.0);
    assert_eq!(found(&roster, &Query { at, ..around(2) }), [(beside.0, 6), (0, 9)]);
    assert_eq!(found(&roster, &Query { limit: usize::MAX, ..around(1) }).len(), crowd as usize + 1);
}

#[test]
fn whoever_stands_half_way_round_the_grid_is_found_whichever_way_is_shorter() {
    // 64 by 64 cells of 384 m: half-way is 32 cells, or 12.3 km.
    let roster = Roster::new(Size { responders: 1, cell: Metres(384) });
    let responder = on_duty(&roster, 0, ANYBODY);
    let mut time = 0;
    let starts = if cfg!(miri) { 2 } else { 40 };
    for (north, east) in [(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)] {
        for (start, away) in
            (0..starts).flat_map(|start| (0..8).map(move |step| (start, 12_000.0 + f64::from(step) * 96.0)))
        {
            let at = here().offset(f64::from(start) * 96.0 * north, f64::from(start) * 96.0 * east);
            let place = at.offset(away * north, away * east);
            time += 1;
            assert_eq!(roster.report(responder, place, Timestamp(time)), Reported::Newest);
            let distance = place.distance(at);
            assert_eq!(found(&roster, &Query { at, reach: distance, ..around(1) }), [(0, distance.0)]);
        }
    }
}

#[test]
fn a_lone_responder_is_found_however_far_the_reach() {
    let roster = roster();
    let responder = on_duty(&roster, 1, ANYBODY);
    let places =
        [(89.999, 10.0), (-90.0, 0.0), (33.6, -60.98), (0.1, 179.999_999_9), (0.1, -180.0), (64.2, 100.0)];
    for (time, (latitude, longitude)) in (1..).zip(places) {
        let place = Place::new(latitude, longitude, CoordinateSystem::Wgs84).expect("on the globe");
        assert_eq!(roster.report(responder, place, Timestamp(time)), Reported::Newest);
        let distance = place.distance(here());
        assert_eq!(found(&roster, &Query { reach: distance, ..around(3) }), [(1, distance.0)]);
        assert_eq!(found(&roster, &Query { reach: Metres(u32::MAX), ..around(3) }), [(1, distance.0)]);
        assert_eq!(found(&roster, &Query { reach: Metres(distance.0 - 1), ..around(3) }), []);
        assert_eq!(found(&roster, &Query { at: place, reach: Metres(0), ..around(3) }), [(1, 0)]);
    }
}

#[test]
fn what_somebody_was_enrolled_with_can_be_read_again() {
    let roster = roster();
    let responder = ResponderId(3);
    assert_eq!(roster.member(responder), None);
    for (system, travels) in [
        (CoordinateSystem::Wgs84, TravelMode::OnFoot),
        (CoordinateSystem::Gcj02, TravelMode::Car),
        (CoordinateSystem::Bd09, TravelMode::Bicycle),
    ] {
        let member = Member {
            skills: Skills::NONE.with(Skill::Nursing).with(Skill::DementiaCare),
            base: Some(Place::new(33.6, 119.02, system).expect("on the globe")),
            org_unit: Some(unit("341181001002")),
            travels,
            certificates: Certificates::NONE
                .with(Skill::FirstAid, ExpiryDay(0))
                .with(Skill::DementiaCare, ExpiryDay(u16::MAX)),
        };
        roster.enrol(responder, member).expect("there is room");
        assert_eq!(roster.member(responder), Some(member));
    }
    roster.enrol(responder, Member::default()).expect("there is room");
    assert_eq!(roster.member(responder), Some(Member::default()));
    assert_eq!((roster.member(ResponderId(4)), roster.member(ResponderId(100))), (None, None));
}

#[test]
fn what_is_known_of_the_work_so_far_is_kept() {
    let roster = roster();
    let responder = standing(&roster, 1, 10.0);
    assert_eq!(roster.idle(responder), Idle::default());
    let idle = Idle { since: Some(NOW), job_ended_at: Some(Timestamp(NOW.0 - 60_000)) };
    roster.set_idle(responder, idle);
    assert_eq!(roster.idle(responder), idle);
    let first_job = Idle { since: None, job_ended_at: None };
    roster.set_idle(responder, first_job);
    assert_eq!(roster.idle(responder), first_job);
    roster.set_idle(ResponderId(100), idle);
    assert_eq!(roster.idle(ResponderId(100)), Idle::default());
}

#[test]
fn whereabouts_are_the_newest_fix_or_else_the_base_also_of_those_who_are_claimed() {
    let roster = roster();
    let base = here().offset(2_000.0, 0.0);
    let responder = ResponderId(1);
    assert_eq!(roster.whereabouts(responder), None);
    roster.enrol(responder, ANYBODY).expect("there is room");
    assert_eq!(roster.whereabouts(responder), None);
    on_duty(&roster, 1, Member { base: Some(base), ..ANYBODY });
    assert_eq!(roster.whereabouts(responder), Some((base, Located::Base)));
    roster.claim(responder, IncidentId(1)).expect("free");
    roster.report(responder, here(), NOW);
    assert_eq!(roster.whereabouts(responder), Some((here(), Located::Fix(NOW))));
    roster.sweep(Timestamp(NOW.0 + 1));
    assert_eq!(roster.whereabouts(responder), Some((base, Located::Base)));
}

fn unit(digits: &str) -> OrgUnitCode {
    OrgUnitCode::new(digits).expect("6, 9 or 12 digits")
}

#[test]
fn those_who_are_free_are_counted_in_all_and_by_town() {
    let roster = roster();
    let (town, village) = (unit("341181001"), unit("341181001002"));
    let elsewhere = unit("341181002");
    let count = || (roster.free(), roster.free_in(town), roster.free_in(elsewhere));
    assert_eq!(count(), (0, 0, 0));
    let first = on_duty(&roster, 1, Member { org_unit: Some(village), ..ANYBODY });
    let second = on_duty(&roster, 2, Member { org_unit: Some(town), ..ANYBODY });
    on_duty(&roster, 3, Member { org_unit: Some(unit("341181")), ..ANYBODY });
    on_duty(&roster, 4, ANYBODY);
    assert_eq!(count(), (4, 2, 0), "with or without a place");
    assert_eq!((roster.free_in(village), roster.free_in(unit("341181"))), (2, 0));

    roster.claim(first, IncidentId(1)).expect("free");
    assert_eq!(count(), (3, 1, 0));
    roster.enrol(first, Member { org_unit: Some(elsewhere), ..ANYBODY }).expect("there is room");
    assert_eq!(count(), (3, 1, 0));
    assert!(roster.release(first, IncidentId(1)));
    assert_eq!(count(), (4, 1, 1));
    roster.enrol(second, Member { org_unit: Some(elsewhere), ..ANYBODY }).expect("there is room");
    assert_eq!(count(), (4, 0, 2));
    roster.set_duty(second, Duty::OnBreak);
    roster.set_duty(first, Duty::OffDuty);
    assert_eq!(count(), (2, 0, 0));
}

#[test]
fn the_cell_is_chosen_by_how_close_people_stand() {
    if cfg!(miri) {
        return; // Millions of steps of one thread's arithmetic, in which there is nothing for Miri to find.
    }
    let cell = |responders: u32, metres: f64| {
        // A square lattice, a little askew so that it does not run along the borders of cells.
        let edge = f64::from(responders).sqrt() as u32;
        let place = |n: u32| {
            let (north, east) = (f64::from(n / edge), f64::from(n % edge));
            here().offset((north + east / 100.0) * metres, (east - north / 100.0) * metres)
        };
        let places: Vec<Place> = (0..responders).map(place).collect();
        Size::of(responders, &places).cell.0
    };
    // About sixteen to a cell, whether they stand in a town, a city or a province, and however many they are.
    for (responders, metres, least, most) in [
        (10_000, 30.0, 90, 128),
        (2_500, 30.0, 90, 128),
        (10_000, 100.0, 362, 512),
        (10_000, 2_000.0, 5_793, 8_192),
    ] {
        let cell = cell(responders, metres);
        assert!((least..=most).contains(&cell), "{responders} every {metres} m: {cell}");
    }
    // Twenty stations five kilometres apart, whose 20,000 are out in the streets between them.
    let station = |n: u32| here().offset(f64::from(n % 4) * 5_000.0, f64::from(n / 4 % 5) * 5_000.0);
    let stations: Vec<Place> = (0..20_000).map(station).collect();
    let between = Size::of(20_000, &stations).cell.0;
    assert!((400..1_000).contains(&between), "{between}");
    let of_a_city = [10_000, 100_000, 1_000_000].map(|responders| Size::of(responders, &[]).cell.0);
    assert_eq!(of_a_city, [1_214, 384, 121]);
    assert_eq!(Size::of(100_000, &[here(); 50]).cell, Size::DEFAULT_CELL, "one spot says nothing");
    assert!(Size::of(0, &[]).cell > Metres(0));
}

#[test]
fn a_roster_says_which_cells_would_fit_where_people_are_now() {
    let roster = Roster::new(Size::of(64, &[]));
    for responder in 0..64 {
        let (north, east) = (f64::from(responder / 8) * 50.0, f64::from(responder % 8) * 50.0);
        on_duty(&roster, responder, ANYBODY);
        roster.report(ResponderId(responder), here().offset(north, east), NOW);
    }
    let fitting = roster.fitting_size();
    assert_eq!(fitting.responders, 64);
    assert!((150..=350).contains(&fitting.cell.0), "{fitting:?}");
}
