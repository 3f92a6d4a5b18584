//! What the roster promises, one story each.
#![cfg(not(loom))]

use model::{CoordinateSystem, IncidentId, Metres, Place, ResponderId, Skill, Skills, Timestamp};
use roster::{
    Availability, Candidate, Duty, Explained, LeftOut, Located, Member, Query, Reported, Roster, RosterFull,
    Size,
};

const ANYBODY: Member = Member { skills: Skills::NONE, base: None };
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
    on_duty(&roster, 1, Member { skills: lift, base });
    on_duty(&roster, 2, Member { skills: both, base });
    assert_eq!(found(&roster, &Query { skills: both, ..around(5) }), [(2, 0)]);
    assert_eq!(found(&roster, &Query { skills: lift, ..around(5) }), [(1, 0), (2, 0)]);
    roster.enrol(ResponderId(1), Member { skills: both, base }).expect("enrolled before");
    roster.enrol(ResponderId(2), Member { skills: lift, base }).expect("enrolled before");
    assert_eq!(found(&roster, &Query { skills: both, ..around(5) }), [(1, 0)]);
}

#[test]
fn the_tally_says_what_was_looked_at() {
    let roster = roster();
    on_duty(&roster, 1, Member { skills: Skills::NONE.with(Skill::Lift), base: Some(here()) });
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
    let member = |skills| Member { skills, base };
    let lift = Skills::NONE.with(Skill::Lift);
    roster.enrol(ResponderId(0), member(lift)).expect("there is room");
    on_duty(&roster, 1, member(lift));
    roster.set_duty(ResponderId(1), Duty::OnBreak);
    on_duty(&roster, 2, member(lift));
    roster.claim(ResponderId(2), IncidentId(9)).expect("free");
    on_duty(&roster, 3, member(lift));
    on_duty(&roster, 4, member(Skills::NONE));
    on_duty(&roster, 5, Member { skills: lift, base: None });
    on_duty(&roster, 6, Member { skills: lift, base: None });
    roster.report(ResponderId(6), here(), NOW);
    roster.sweep(Timestamp(NOW.0 + 1));
    on_duty(&roster, 7, Member { skills: lift, base: Some(here().offset(9_000.0, 0.0)) });
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

#[test]
fn ten_thousand_on_one_spot_are_all_found_and_the_crowd_leaves_no_trace() {
    let roster = Roster::new(Size { responders: 10_000, cell: Size::DEFAULT_CELL });
    for responder in 0..10_000 {
        on_duty(&roster, responder, Member { base: Some(here()), ..ANYBODY });
    }
    let all = Query { limit: usize::MAX, ..around(0) };
    assert!(found(&roster, &all).into_iter().eq((0..10_000).map(|responder| (responder, 0))));
    for responder in 0..10_000 {
        if responder % 500 == 0 {
            assert_eq!(found(&roster, &around(1)), [(responder, 0)]);
        }
        roster.claim(ResponderId(responder), IncidentId(1)).expect("free");
    }
    let mut candidates = Vec::new();
    assert_eq!(roster.nearest(&all, &mut candidates).considered, 0);
    for responder in 0..10_000 {
        assert!(roster.release(ResponderId(responder), IncidentId(1)));
        assert_eq!(roster.report(ResponderId(responder), here().offset(4_000.0, 0.0), NOW), Reported::Newest);
    }
    assert_eq!(found(&roster, &all).len(), 10_000);
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
