//! Waves: who is asked when, and what happens when nobody answers.

use model::Kind;

use crate::story::*;

/// Ten responders: four near, four within a quarter of an hour, two within half an hour.
fn ten(mut then: Vec<(i64, Step)>) -> Vec<(i64, Step)> {
    let near = (1..=4).map(|responder| (responder, 100 * responder));
    let further = (5..=8).map(|responder| (responder, 4000 + responder));
    let far = (9..=10).map(|responder| (responder, 8000 + responder));
    let all = near.chain(further).chain(far);
    let mut steps: Vec<_> = all.map(|(responder, metres)| (0, free(responder, metres))).collect();
    steps.append(&mut then);
    steps
}

#[test]
fn three_are_asked_then_five_then_all_within_half_an_hour() {
    check(
        &ten(vec![(0, sos(7)), (0, takes("ann", 1)), (59, wait())]),
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m, o2 r2 200 m, o3 r3 300 m
        0 #1 taken by ann
        20 #1 o1 r1 Expired
        20 #1 o2 r2 Expired
        20 #1 o3 r3 Expired
        20 #1 wave 2 in 7200 m until 40: o4 r4 400 m, o5 r5 4005 m, o6 r6 4006 m, o7 r7 4007 m, o8 r8 4008 m
        30 #1 calls Station: NobodyAccepted
        40 #1 o4 r4 Expired
        40 #1 o5 r5 Expired
        40 #1 o6 r6 Expired
        40 #1 o7 r7 Expired
        40 #1 o8 r8 Expired
        40 #1 wave 3 in 14400 m until 60: o9 r9 8009 m, o10 r10 8010 m
        ",
    );
}

#[test]
fn the_next_are_asked_as_soon_as_all_have_declined() {
    check(
        &ten(vec![
            (0, sos(7)),
            (0, takes("ann", 1)),
            (3, declines(1, 1)),
            (4, declines(2, 2)),
            (5, declines(3, 3)),
        ]),
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m, o2 r2 200 m, o3 r3 300 m
        0 #1 taken by ann
        3 #1 o1 r1 Declined(\"at lunch\")
        4 #1 o2 r2 Declined(\"at lunch\")
        5 #1 o3 r3 Declined(\"at lunch\")
        5 #1 wave 2 in 7200 m until 25: o4 r4 400 m, o5 r5 4005 m, o6 r6 4006 m, o7 r7 4007 m, o8 r8 4008 m
        ",
    );
}

#[test]
fn a_wave_that_finds_nobody_reaches_further_at_once() {
    check(
        &[(0, free(1, 9000)), (0, free(2, 9001)), (0, sos(7))],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 14400 m until 20: o1 r1 9000 m
        ",
    );
}

#[test]
fn with_nobody_in_reach_operators_are_called_at_once_and_the_search_goes_on_every_half_minute() {
    check(
        &[(0, at_home(1, 500)), (0, sos(7)), (0, takes("ann", 1)), (59, comes(1)), (61, accepts(1, 1))],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 finds nobody in 14400 m
        0 #1 calls Operators: NoCandidate
        0 #1 wakes at 30 SearchAgain
        0 #1 taken by ann
        30 #1 calls Station: NobodyAccepted
        30 #1 wakes at 60 SearchAgain
        59 r1 OnDuty
        59 #1 wave 1 in 7200 m until 79: o1 r1 500 m
        60 #1 calls Supervisor: NobodyAccepted
        61 #1 o1 r1 accepts
        61 #1 wakes at 181 Moving r1, 461 Arrived r1
        ",
    );
}

#[test]
fn who_was_silent_is_asked_again_but_not_more_than_three_times() {
    check(
        &[(0, free(1, 500)), (0, sos(7)), (0, takes("ann", 1)), (200, wait())],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 500 m
        0 #1 taken by ann
        20 #1 o1 r1 Expired
        20 #1 wave 2 in 7200 m until 40: o2 r1 500 m
        30 #1 calls Station: NobodyAccepted
        40 #1 o2 r1 Expired
        40 #1 wave 3 in 14400 m until 60: o3 r1 500 m
        60 #1 o3 r1 Expired
        60 #1 calls Supervisor: NobodyAccepted
        60 #1 finds nobody in 14400 m 1 already_asked
        60 #1 calls Operators: NoCandidate
        60 #1 wakes at 90 SearchAgain
        75 #1 calls Family: NobodyAccepted
        90 #1 calls Suggest120: NobodyAccepted
        90 #1 wakes at 120 SearchAgain
        120 #1 wakes at 150 SearchAgain
        150 #1 wakes at 180 SearchAgain
        180 #1 wakes at 210 SearchAgain
        ",
    );
}

#[test]
fn a_welfare_alert_waits_for_the_call_back_and_then_asks_one_at_a_time() {
    check(
        &[
            (0, free(1, 500)),
            (0, free(2, 600)),
            (0, alert(7, Kind::Inactivity)),
            (75, declines(1, 1)),
            (80, accepts(2, 2)),
        ],
        "
        0 #1 opened for elder 7: P2 inactivity
        0 #1 alert 1 inactivity
        0 #1 wakes at 60 RingAll NotAcknowledged
        0 #1 wakes at 60 CallBack
        60 #1 wakes at 180 Station NobodyAccepted, 240 Supervisor NobodyAccepted
        60 #1 calls RingAll: NotAcknowledged
        60 #1 wakes at 360 RingAll NotAcknowledged
        60 #1 wave 1 in 14400 m until 90: o1 r1 500 m
        60 #1 calls Family: Dispatched
        75 #1 o1 r1 Declined(\"at lunch\")
        75 #1 wave 2 in 14400 m until 105: o2 r2 600 m
        80 #1 o2 r2 accepts
        80 #1 wakes at 380 Moving r2, 800 Arrived r2
        ",
    );
}

#[test]
fn an_operator_who_only_acknowledges_does_not_stop_the_call_back() {
    check(
        &[(0, free(1, 500)), (0, alert(7, Kind::Inactivity)), (5, takes("ann", 1)), (60, wait())],
        "
        0 #1 opened for elder 7: P2 inactivity
        0 #1 alert 1 inactivity
        0 #1 wakes at 60 RingAll NotAcknowledged
        0 #1 wakes at 60 CallBack
        5 #1 taken by ann
        60 #1 wakes at 180 Station NobodyAccepted, 240 Supervisor NobodyAccepted
        60 #1 wave 1 in 14400 m until 90: o1 r1 500 m
        60 #1 calls Family: Dispatched
        ",
    );
}

#[test]
fn an_operator_who_withdraws_stops_the_call_back() {
    check(
        &[
            (0, free(1, 500)),
            (0, alert(7, Kind::Inactivity)),
            (5, takes("ann", 1)),
            (6, withdraws("ann", 1)),
            (600, wait()),
        ],
        "
        0 #1 opened for elder 7: P2 inactivity
        0 #1 alert 1 inactivity
        0 #1 wakes at 60 RingAll NotAcknowledged
        0 #1 wakes at 60 CallBack
        5 #1 taken by ann
        6 #1 search stopped by ann
        ",
    );
}

#[test]
fn one_at_a_time_asks_nobody_again_before_all_others_were_asked_as_often() {
    check(
        &[
            (0, free(1, 500)),
            (0, free(2, 600)),
            (0, free(3, 700)),
            (0, alert(7, Kind::Inactivity)),
            (0, takes("ann", 1)),
            (239, wait()),
        ],
        "
        0 #1 opened for elder 7: P2 inactivity
        0 #1 alert 1 inactivity
        0 #1 wakes at 60 RingAll NotAcknowledged
        0 #1 wakes at 60 CallBack
        0 #1 taken by ann
        60 #1 wakes at 180 Station NobodyAccepted, 240 Supervisor NobodyAccepted
        60 #1 wave 1 in 14400 m until 90: o1 r1 500 m
        60 #1 calls Family: Dispatched
        90 #1 o1 r1 Expired
        90 #1 wave 2 in 14400 m until 120: o2 r2 600 m
        120 #1 o2 r2 Expired
        120 #1 wave 3 in 14400 m until 150: o3 r3 700 m
        150 #1 o3 r3 Expired
        150 #1 wave 4 in 14400 m until 180: o4 r1 500 m
        180 #1 o4 r1 Expired
        180 #1 calls Station: NobodyAccepted
        180 #1 wave 5 in 14400 m until 210: o5 r2 600 m
        210 #1 o5 r2 Expired
        210 #1 wave 6 in 14400 m until 240: o6 r3 700 m
        ",
    );
}

#[test]
fn a_call_back_for_a_place_nobody_knows_calls_the_operators_once() {
    check(
        &[(0, free(1, 500)), (0, nowhere(alert(7, Kind::Inactivity))), (0, takes("ann", 1)), (600, wait())],
        "
        0 #1 opened for elder 7: P2 inactivity, nowhere
        0 #1 alert 1 inactivity
        0 #1 wakes at 60 RingAll NotAcknowledged
        0 #1 wakes at 60 CallBack
        0 #1 taken by ann
        60 #1 wakes at 180 Station NobodyAccepted, 240 Supervisor NobodyAccepted
        60 #1 calls Operators: NoPlace
        180 #1 calls Station: NobodyAccepted
        240 #1 calls Supervisor: NobodyAccepted
        ",
    );
}

#[test]
fn a_call_from_nowhere_calls_the_operators_and_a_place_that_comes_later_starts_the_search() {
    check(
        &[
            (0, free(1, 500)),
            (0, of_caller("call-1", sos(0))),
            (5, of_caller("call-1", seen_at(100, sos(0)))),
        ],
        "
        0 #1 opened for call call-1: P1 sos, nowhere
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 calls Operators: NoPlace
        5 #1 alert 2 sos, 100 m away
        5 #1 wave 1 in 7200 m until 25: o1 r1 400 m
        ",
    );
}

#[test]
fn a_call_back_after_a_search_that_found_nobody_tells_so_again() {
    check(
        &[
            (0, alert(7, Kind::Inactivity)),
            (0, takes("ann", 1)),
            (61, withdraws("ann", 1)),
            (70, alert(7, Kind::Inactivity)),
            (170, wait()),
        ],
        "
        0 #1 opened for elder 7: P2 inactivity
        0 #1 alert 1 inactivity
        0 #1 wakes at 60 RingAll NotAcknowledged
        0 #1 wakes at 60 CallBack
        0 #1 taken by ann
        60 #1 wakes at 180 Station NobodyAccepted, 240 Supervisor NobodyAccepted
        60 #1 finds nobody in 14400 m
        60 #1 calls Operators: NoCandidate
        60 #1 wakes at 90 SearchAgain
        61 #1 search stopped by ann
        70 #1 alert 2 inactivity
        70 #1 wakes at 130 CallBack
        130 #1 wakes at 250 Station NobodyAccepted, 310 Supervisor NobodyAccepted
        130 #1 finds nobody in 14400 m
        130 #1 calls Operators: NoCandidate
        130 #1 wakes at 160 SearchAgain
        160 #1 wakes at 220 SearchAgain
        ",
    );
}

#[test]
fn the_third_priority_is_left_to_an_operator() {
    check(
        &[(0, free(1, 500)), (0, alert(7, Kind::WaterLeak)), (250, alert(7, Kind::WaterLeak)), (310, wait())],
        "
        0 #1 opened for elder 7: P3 water_leak
        0 #1 alert 1 water_leak
        0 #1 wakes at 300 RingAll NotAcknowledged
        0 #1 calls Operators: OperatorDecides
        250 #1 alert 2 water_leak
        250 #1 calls Operators: OperatorDecides
        300 #1 calls RingAll: NotAcknowledged
        300 #1 wakes at 600 RingAll NotAcknowledged
        ",
    );
}

#[test]
fn a_technical_task_calls_nobody_before_a_day_has_passed() {
    check(
        &[(0, free(1, 500)), (0, alert(7, Kind::LowBattery)), (86_400, wait())],
        "
        0 #1 opened for elder 7: P4 low_battery
        0 #1 alert 1 low_battery
        0 #1 wakes at 86400 Supervisor NotAcknowledged
        86400 #1 calls Supervisor: NotAcknowledged
        86400 #1 wakes at 86700 Supervisor NotAcknowledged
        ",
    );
}

#[test]
fn nobody_is_asked_for_two_people_at_once() {
    check(
        &[(0, free(1, 500)), (0, free(2, 600)), (0, sos(7)), (0, free(3, 700)), (0, sos(8))],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 500 m, o2 r2 600 m
        0 #2 opened for elder 8: P1 sos
        0 #2 alert 2 sos
        0 #2 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #2 calls Family: Opened
        0 #2 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #2 wave 1 in 7200 m until 20: o3 r3 700 m
        ",
    );
}

#[test]
fn who_becomes_free_is_asked_at_once_for_the_most_urgent_who_waits_and_then_for_the_oldest() {
    check(
        &[
            (0, free(1, 100)),
            (0, alert(5, Kind::DoorOpen)),
            (0, sends("ann", 1, &[1])),
            (1, alert(6, Kind::DoorOpen)),
            (1, sends("ann", 2, &[])),
            (2, sos(7)),
            (2, takes("ann", 3)),
            (3, declines(1, 1)),
            (4, declines(1, 2)),
        ],
        "
        0 #1 opened for elder 5: P3 door_open
        0 #1 alert 1 door_open
        0 #1 wakes at 300 RingAll NotAcknowledged
        0 #1 calls Operators: OperatorDecides
        0 #1 taken by ann
        0 #1 wakes at 300 Operators NobodyAccepted
        0 #1 wave 1 by ann in 100 m until 120: o1 r1 100 m
        1 #2 opened for elder 6: P3 door_open
        1 #2 alert 2 door_open
        1 #2 wakes at 301 RingAll NotAcknowledged
        1 #2 calls Operators: OperatorDecides
        1 #2 taken by ann
        1 #2 wakes at 301 Operators NobodyAccepted
        1 #2 finds nobody by ann in 28800 m 1 busy
        1 #2 calls Operators: NoCandidate
        1 #2 wakes at 31 SearchAgain
        2 #3 opened for elder 7: P1 sos
        2 #3 alert 3 sos
        2 #3 wakes at 17 RingAll NotAcknowledged, 62 Supervisor NotAcknowledged
        2 #3 calls Family: Opened
        2 #3 wakes at 32 Station NobodyAccepted, 62 Supervisor NobodyAccepted, 77 Family NobodyAccepted, 92 Suggest120 NobodyAccepted
        2 #3 finds nobody in 14400 m 1 busy
        2 #3 calls Operators: NoCandidate
        2 #3 wakes at 32 SearchAgain
        2 #3 taken by ann
        3 #1 o1 r1 Declined(\"at lunch\")
        3 #3 wave 1 in 7200 m until 23: o2 r1 100 m
        3 #1 finds nobody in 28800 m 1 busy
        3 #1 calls Operators: NoCandidate
        3 #1 wakes at 33 SearchAgain
        4 #3 o2 r1 Declined(\"at lunch\")
        4 #3 finds nobody in 14400 m 1 already_asked
        4 #3 calls Operators: NoCandidate
        4 #3 wakes at 34 SearchAgain
        4 #2 wave 1 in 28800 m until 124: o3 r1 100 m
        ",
    );
}

#[test]
fn a_place_that_comes_with_a_technical_alert_starts_the_search_that_lacked_it() {
    check(
        &[
            (0, free(1, 100)),
            (0, nowhere(sos(7))),
            (1, takes("ann", 1)),
            (5, seen_at(100, nowhere(alert(7, Kind::LowBattery)))),
        ],
        "
        0 #1 opened for elder 7: P1 sos, nowhere
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 calls Operators: NoPlace
        1 #1 taken by ann
        5 #1 alert 2 low_battery, 100 m away
        5 #1 wave 1 in 7200 m until 25: o1 r1 0 m
        ",
    );
}
