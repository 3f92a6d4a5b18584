//! Candidates: who is asked first, and who is not asked at all.

use model::{Certificates, ExpiryDay, Kind, Skill, TravelMode};

use crate::story::*;

const VILLAGE: &str = "341181001002";

/// A fall needs somebody who can lift.
fn a_fall_needs_lifting() -> (i64, Step) {
    let change = |file: &mut dispatch::PolicyFile| {
        file.kinds.get_mut(&Kind::Fall).expect("there").skills = vec![Skill::Lift];
    };
    (0, policy(change))
}

/// The day of the stories' beginning, counted from 1970.
const TODAY: u16 = 20_717;

#[test]
fn who_lacks_the_skill_or_whose_certificate_has_expired_is_passed_over() {
    let certified = |expires, step| {
        with(able(&[Skill::Lift], step), |member| {
            member.certificates = Certificates::NONE.with(Skill::Lift, ExpiryDay(expires));
        })
    };
    check(
        &[
            a_fall_needs_lifting(),
            (0, free(1, 100)),
            (0, certified(TODAY, free(2, 200))),
            (0, certified(TODAY + 1, free(3, 300))),
            (0, able(&[Skill::Lift], free(4, 400))),
            (1, alert(7, Kind::Fall)),
            (2, takes("ann", 1)),
        ],
        "
        0 policy ++
        1 #1 opened for elder 7: P1 fall
        1 #1 alert 1 fall
        1 #1 wakes at 16 RingAll NotAcknowledged, 61 Supervisor NotAcknowledged
        1 #1 calls Family: Opened
        1 #1 wakes at 31 Station NobodyAccepted, 61 Supervisor NobodyAccepted, 76 Family NobodyAccepted, 91 Suggest120 NobodyAccepted
        1 #1 wave 1 in 7200 m until 21: o1 r3 300 m, o2 r4 400 m
        2 #1 taken by ann
        ",
    );
}

#[test]
fn when_nobody_can_be_asked_it_says_why() {
    check(
        &[
            a_fall_needs_lifting(),
            (0, free(1, 100)),
            (0, able(&[Skill::Lift], free(2, 90_000))),
            (0, able(&[Skill::Lift], free(3, 200))),
            (0, free(4, 300)),
            (0, able(&[Skill::Lift], free(5, 300))),
            (1, rests(3)),
            (1, goes_home(5)),
            (1, goes_home(4)),
            (2, alert(7, Kind::Fall)),
        ],
        "
        0 policy ++
        1 r3 OnBreak
        1 r5 OffDuty
        1 r4 OffDuty
        2 #1 opened for elder 7: P1 fall
        2 #1 alert 1 fall
        2 #1 wakes at 17 RingAll NotAcknowledged, 62 Supervisor NotAcknowledged
        2 #1 calls Family: Opened
        2 #1 wakes at 32 Station NobodyAccepted, 62 Supervisor NobodyAccepted, 77 Family NobodyAccepted, 92 Suggest120 NobodyAccepted
        2 #1 finds nobody in 14400 m 1 lacks_skill 1 elsewhere 1 on_break 2 off_duty
        2 #1 calls Operators: NoCandidate
        2 #1 wakes at 32 SearchAgain
        ",
    );
}

#[test]
fn a_car_from_further_away_is_there_before_somebody_on_foot() {
    check(
        &[
            (0, travels(TravelMode::OnFoot, free(1, 300))),
            (0, travels(TravelMode::Car, free(2, 2_000))),
            (0, free(3, 1_400)),
            (0, alert(7, Kind::Inactivity)),
            (0, takes("ann", 1)),
            (60, wait()),
            (61, declines(2, 1)),
            (62, declines(3, 2)),
        ],
        "
        0 #1 opened for elder 7: P2 inactivity
        0 #1 alert 1 inactivity
        0 #1 wakes at 60 RingAll NotAcknowledged
        0 #1 wakes at 60 CallBack
        0 #1 taken by ann
        60 #1 wakes at 180 Station NobodyAccepted, 240 Supervisor NobodyAccepted
        60 #1 wave 1 in 14400 m until 90: o1 r2 2000 m
        60 #1 calls Family: Dispatched
        61 #1 o1 r2 Declined(\"at lunch\")
        61 #1 wave 2 in 14400 m until 91: o2 r3 1400 m
        62 #1 o2 r3 Declined(\"at lunch\")
        62 #1 wave 3 in 14400 m until 92: o3 r1 300 m
        ",
    );
}

#[test]
fn the_own_village_goes_before_somebody_a_little_nearer_from_elsewhere() {
    check(
        &[
            (0, of_unit("341182001001", free(1, 400))),
            (0, of_unit("341181002001", free(2, 450))),
            (0, of_unit("341181001003", free(3, 500))),
            (0, of_unit(VILLAGE, free(4, 550))),
            (0, in_unit(VILLAGE, sos(7))),
            (1, accepts(4, 1)),
        ],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r4 550 m, o2 r3 500 m leaves 341181001 alone, o3 r2 450 m leaves 341181002 alone
        1 #1 o1 r4 accepts
        1 #1 wakes at 121 Moving r4, 411 Arrived r4
        1 #1 o2 r3 Withdrawn(\"somebody else was first\")
        1 #1 o3 r2 Withdrawn(\"somebody else was first\")
        ",
    );
}

#[test]
fn for_what_is_less_urgent_another_county_is_not_asked_but_for_an_sos_it_is() {
    check(
        &[
            (0, of_unit("341182001001", free(1, 400))),
            (0, in_unit(VILLAGE, alert(7, Kind::DoorOpen))),
            (1, sends("ann", 1, &[])),
            (2, in_unit(VILLAGE, sos(8))),
        ],
        "
        0 #1 opened for elder 7: P3 door_open
        0 #1 alert 1 door_open
        0 #1 wakes at 300 RingAll NotAcknowledged
        0 #1 calls Operators: OperatorDecides
        1 #1 taken by ann
        1 #1 wakes at 301 Operators NobodyAccepted
        1 #1 finds nobody by ann in 28800 m 1 out_of_area
        1 #1 calls Operators: NoCandidate
        1 #1 wakes at 31 SearchAgain
        2 #2 opened for elder 8: P1 sos
        2 #2 alert 2 sos
        2 #2 wakes at 17 RingAll NotAcknowledged, 62 Supervisor NotAcknowledged
        2 #2 calls Family: Opened
        2 #2 wakes at 32 Station NobodyAccepted, 62 Supervisor NobodyAccepted, 77 Family NobodyAccepted, 92 Suggest120 NobodyAccepted
        2 #2 wave 1 in 7200 m until 22: o1 r1 400 m leaves 341182001 alone
        ",
    );
}

#[test]
fn who_has_just_done_a_job_rests_but_not_when_a_life_is_at_stake() {
    use dispatch::AssignmentState::Cleared;
    check(
        &[
            (0, free(1, 100)),
            (0, sos(7)),
            (0, takes("ann", 1)),
            (1, accepts(1, 1)),
            (5, alert(8, Kind::Inactivity)),
            (5, takes("ann", 2)),
            (70, reaches(1, 1, Cleared)),
            (369, wait()),
            (371, declines(1, 2)),
            (372, sos(9)),
        ],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m
        0 #1 taken by ann
        1 #1 o1 r1 accepts
        1 #1 wakes at 121 Moving r1, 321 Arrived r1
        5 #2 opened for elder 8: P2 inactivity
        5 #2 alert 2 inactivity
        5 #2 wakes at 65 RingAll NotAcknowledged
        5 #2 wakes at 65 CallBack
        5 #2 taken by ann
        65 #2 wakes at 185 Station NobodyAccepted, 245 Supervisor NobodyAccepted
        65 #2 finds nobody in 14400 m 1 busy
        65 #2 calls Operators: NoCandidate
        65 #2 wakes at 95 SearchAgain
        70 #1 r1 Cleared
        95 #2 wakes at 155 SearchAgain
        155 #2 wakes at 275 SearchAgain
        185 #2 calls Station: NobodyAccepted
        245 #2 calls Supervisor: NobodyAccepted
        275 #2 wakes at 370 SearchAgain
        370 #2 wave 1 in 14400 m until 400: o2 r1 100 m
        370 #2 calls Family: Dispatched
        371 #2 o2 r1 Declined(\"at lunch\")
        371 #2 finds nobody in 14400 m 1 already_asked
        371 #2 calls Operators: NoCandidate
        371 #2 wakes at 401 SearchAgain
        372 #3 opened for elder 9: P1 sos
        372 #3 alert 3 sos
        372 #3 wakes at 387 RingAll NotAcknowledged, 432 Supervisor NotAcknowledged
        372 #3 calls Family: Opened
        372 #3 wakes at 402 Station NobodyAccepted, 432 Supervisor NobodyAccepted, 447 Family NobodyAccepted, 462 Suggest120 NobodyAccepted
        372 #3 wave 1 in 7200 m until 392: o3 r1 100 m
        ",
    );
}

#[test]
fn of_two_who_are_as_near_the_one_goes_who_has_been_idle_longer() {
    use dispatch::AssignmentState::{Cleared, OnScene};
    check(
        &[
            (0, free(1, 100)),
            (9, free(2, 100)),
            (10, sos(7)),
            (10, takes("ann", 1)),
            (11, accepts(1, 1)),
            (12, reaches(1, 1, OnScene)),
            (600, reaches(1, 1, Cleared)),
            (1_000, alert(8, Kind::Inactivity)),
            (1_000, takes("ann", 2)),
            (1_060, wait()),
        ],
        "
        10 #1 opened for elder 7: P1 sos
        10 #1 alert 1 sos
        10 #1 wakes at 25 RingAll NotAcknowledged, 70 Supervisor NotAcknowledged
        10 #1 calls Family: Opened
        10 #1 wakes at 40 Station NobodyAccepted, 70 Supervisor NobodyAccepted, 85 Family NobodyAccepted, 100 Suggest120 NobodyAccepted
        10 #1 wave 1 in 7200 m until 30: o1 r1 100 m, o2 r2 100 m
        10 #1 taken by ann
        11 #1 o1 r1 accepts
        11 #1 wakes at 131 Moving r1, 331 Arrived r1
        11 #1 o2 r2 Withdrawn(\"somebody else was first\")
        12 #1 r1 OnScene
        600 #1 r1 Cleared
        1000 #2 opened for elder 8: P2 inactivity
        1000 #2 alert 2 inactivity
        1000 #2 wakes at 1060 RingAll NotAcknowledged
        1000 #2 wakes at 1060 CallBack
        1000 #2 taken by ann
        1060 #2 wakes at 1180 Station NobodyAccepted, 1240 Supervisor NobodyAccepted
        1060 #2 wave 1 in 14400 m until 1090: o3 r2 100 m
        1060 #2 calls Family: Dispatched
        ",
    );
}

#[test]
fn without_a_fresh_position_the_station_counts_and_it_is_said() {
    check(
        &[(0, at_station(free(1, 100))), (0, free(2, 200)), (0, sos(7))],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m, o2 r2 200 m
        ",
    );
}

#[test]
fn taking_the_last_of_a_town_is_said_and_for_what_is_less_urgent_avoided() {
    check(
        &[
            (0, of_unit("341181001", free(1, 100))),
            (0, of_unit("341181002", free(2, 200))),
            (0, of_unit("341181002", free(3, 250))),
            (0, in_unit("341181", alert(7, Kind::Inactivity))),
            (0, takes("ann", 1)),
            (60, wait()),
            (61, in_unit("341181", sos(8))),
        ],
        "
        0 #1 opened for elder 7: P2 inactivity
        0 #1 alert 1 inactivity
        0 #1 wakes at 60 RingAll NotAcknowledged
        0 #1 wakes at 60 CallBack
        0 #1 taken by ann
        60 #1 wakes at 180 Station NobodyAccepted, 240 Supervisor NobodyAccepted
        60 #1 wave 1 in 14400 m until 90: o1 r2 200 m
        60 #1 calls Family: Dispatched
        61 #2 opened for elder 8: P1 sos
        61 #2 alert 2 sos
        61 #2 wakes at 76 RingAll NotAcknowledged, 121 Supervisor NotAcknowledged
        61 #2 calls Family: Opened
        61 #2 wakes at 91 Station NobodyAccepted, 121 Supervisor NobodyAccepted, 136 Family NobodyAccepted, 151 Suggest120 NobodyAccepted
        61 #2 wave 1 in 7200 m until 81: o2 r1 100 m leaves 341181001 alone, o3 r3 250 m leaves 341181002 alone
        ",
    );
}
