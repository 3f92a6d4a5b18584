//! Opening and joining: which alerts are one case, and how urgent it is.

use dispatch::AssignmentState::{Cleared, OnScene};
use model::Kind;

use crate::story::*;

#[test]
fn a_press_opens_an_incident_and_asks_the_three_nearest_at_once() {
    check(
        &[(0, free(1, 900)), (0, free(2, 500)), (0, free(3, 4500)), (0, free(4, 4501)), (5, sos(7))],
        "
        5 #1 opened for elder 7: P1 sos
        5 #1 alert 1 sos
        5 #1 wakes at 20 RingAll NotAcknowledged, 65 Supervisor NotAcknowledged
        5 #1 calls Family: Opened
        5 #1 wakes at 35 Station NobodyAccepted, 65 Supervisor NobodyAccepted, 80 Family NobodyAccepted, 95 Suggest120 NobodyAccepted
        5 #1 wave 1 in 7200 m until 25: o1 r2 500 m, o2 r1 900 m, o3 r3 4500 m
        ",
    );
}

#[test]
fn a_repeat_press_joins_and_counts_and_never_puts_back_the_call_for_a_human() {
    check(
        &[(0, free(1, 500)), (0, sos(7)), (6, accepts(1, 1)), (10, sos(7)), (14, sos(7)), (29, wait())],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 500 m
        6 #1 o1 r1 accepts
        6 #1 wakes at 126 Moving r1, 406 Arrived r1
        10 #1 alert 2 sos
        14 #1 alert 3 sos
        15 #1 calls RingAll: NotAcknowledged
        ",
    );
}

#[test]
fn alerts_within_half_an_hour_join_and_a_later_one_opens_anew() {
    check(
        &[
            (0, alert(7, Kind::DoorOpen)),
            (0, takes("ann", 1)),
            (1800, alert(7, Kind::DoorOpen)),
            (3600, alert(7, Kind::DoorOpen)),
            (5401, alert(7, Kind::DoorOpen)),
            (5402, resolves("ann", 2)),
            (5403, alert(7, Kind::DoorOpen)),
        ],
        "
        0 #1 opened for elder 7: P3 door_open
        0 #1 alert 1 door_open
        0 #1 wakes at 300 RingAll NotAcknowledged
        0 #1 calls Operators: OperatorDecides
        0 #1 taken by ann
        1800 #1 alert 2 door_open
        1800 #1 calls Operators: OperatorDecides
        3600 #1 alert 3 door_open
        3600 #1 calls Operators: OperatorDecides
        5401 #2 opened for elder 7: P3 door_open
        5401 #2 alert 4 door_open
        5401 #2 wakes at 5701 RingAll NotAcknowledged
        5401 #2 calls Operators: OperatorDecides
        5402 #2 taken by ann
        5402 #2 resolved by ann: Served
        5402 #2 calls Family: Resolved
        5402 #2 wakes at 6002 Close
        5403 #3 opened for elder 7: P3 door_open
        5403 #3 alert 5 door_open
        5403 #3 wakes at 5703 RingAll NotAcknowledged
        5403 #3 calls Operators: OperatorDecides
        ",
    );
}

#[test]
fn each_elder_has_an_incident_of_their_own() {
    check(
        &[(0, free(1, 500)), (0, sos(7)), (0, sos(8))],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 500 m
        0 #2 opened for elder 8: P1 sos
        0 #2 alert 2 sos
        0 #2 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #2 calls Family: Opened
        0 #2 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #2 finds nobody in 14400 m 1 busy
        0 #2 calls Operators: NoCandidate
        0 #2 wakes at 30 SearchAgain
        ",
    );
}

#[test]
fn a_press_after_the_end_opens_a_new_incident() {
    check(
        &[
            (0, alert(7, Kind::DoorOpen)),
            (9, resolves("ann", 1)),
            (10, sos(7)),
            (11, closes("ann", 1)),
            (12, sos(7)),
        ],
        "
        0 #1 opened for elder 7: P3 door_open
        0 #1 alert 1 door_open
        0 #1 wakes at 300 RingAll NotAcknowledged
        0 #1 calls Operators: OperatorDecides
        9 #1 taken by ann
        9 #1 resolved by ann: Served
        9 #1 calls Family: Resolved
        9 #1 wakes at 609 Close
        10 #2 opened for elder 7: P1 sos
        10 #2 alert 2 sos
        10 #2 wakes at 25 RingAll NotAcknowledged, 70 Supervisor NotAcknowledged
        10 #2 calls Family: Opened
        10 #2 wakes at 40 Station NobodyAccepted, 70 Supervisor NobodyAccepted, 85 Family NobodyAccepted, 100 Suggest120 NobodyAccepted
        10 #2 finds nobody in 14400 m
        10 #2 calls Operators: NoCandidate
        10 #2 wakes at 40 SearchAgain
        11 #1 closed by ann
        12 #2 alert 3 sos
        ",
    );
}

#[test]
fn a_more_urgent_alert_raises_the_priority_and_starts_its_dispatch_at_once() {
    check(
        &[
            (0, free(1, 500)),
            (0, alert(7, Kind::BedExit)),
            (20, sos(7)),
            (21, alert(7, Kind::DoorOpen)),
            (22, accepts(1, 1)),
            (100, wait()),
        ],
        "
        0 #1 opened for elder 7: P2 bed_exit
        0 #1 alert 1 bed_exit
        0 #1 wakes at 60 RingAll NotAcknowledged
        0 #1 wakes at 60 CallBack
        20 #1 alert 2 sos
        20 #1 now P1 sos
        20 #1 calls Family: Opened
        20 #1 wakes at 35 RingAll NotAcknowledged, 80 Supervisor NotAcknowledged
        20 #1 wakes at 50 Station NobodyAccepted, 80 Supervisor NobodyAccepted, 95 Family NobodyAccepted, 110 Suggest120 NobodyAccepted
        20 #1 wave 1 in 7200 m until 40: o1 r1 500 m
        21 #1 alert 3 door_open
        22 #1 o1 r1 accepts
        22 #1 wakes at 142 Moving r1, 422 Arrived r1
        35 #1 calls RingAll: NotAcknowledged
        80 #1 calls Supervisor: NotAcknowledged
        80 #1 wakes at 380 Supervisor NotAcknowledged
        ",
    );
}

#[test]
fn a_more_urgent_alert_begins_with_its_own_first_wave_and_does_not_wait_for_offers_of_before() {
    check(
        &[
            (0, free(1, 500)),
            (0, alert(7, Kind::DoorOpen)),
            (1, sends("ann", 1, &[1])),
            (2, free(2, 600)),
            (2, free(3, 700)),
            (2, free(4, 800)),
            (2, free(5, 900)),
            (5, sos(7)),
            (25, wait()),
        ],
        "
        0 #1 opened for elder 7: P3 door_open
        0 #1 alert 1 door_open
        0 #1 wakes at 300 RingAll NotAcknowledged
        0 #1 calls Operators: OperatorDecides
        1 #1 taken by ann
        1 #1 wakes at 301 Operators NobodyAccepted
        1 #1 wave 1 by ann in 500 m until 121: o1 r1 500 m
        5 #1 alert 2 sos
        5 #1 now P1 sos
        5 #1 calls Family: Opened
        5 #1 wakes at 35 Station NobodyAccepted, 65 Supervisor NobodyAccepted, 80 Family NobodyAccepted, 95 Suggest120 NobodyAccepted
        5 #1 wave 2 in 7200 m until 25: o2 r2 600 m, o3 r3 700 m, o4 r4 800 m
        25 #1 o2 r2 Expired
        25 #1 o3 r3 Expired
        25 #1 o4 r4 Expired
        25 #1 wave 3 in 7200 m until 45: o5 r5 900 m
        ",
    );
}

#[test]
fn an_alert_that_becomes_welfare_while_an_operator_searches_goes_on_and_calls_humans_sooner() {
    check(
        &[
            (0, alert(7, Kind::DoorOpen)),
            (1, sends("ann", 1, &[])),
            (5, alert(7, Kind::BedExit)),
            (200, wait()),
        ],
        "
        0 #1 opened for elder 7: P3 door_open
        0 #1 alert 1 door_open
        0 #1 wakes at 300 RingAll NotAcknowledged
        0 #1 calls Operators: OperatorDecides
        1 #1 taken by ann
        1 #1 wakes at 301 Operators NobodyAccepted
        1 #1 finds nobody by ann in 28800 m
        1 #1 calls Operators: NoCandidate
        1 #1 wakes at 31 SearchAgain
        5 #1 alert 2 bed_exit
        5 #1 now P2 bed_exit
        5 #1 wakes at 125 Station NobodyAccepted, 185 Supervisor NobodyAccepted
        31 #1 finds nobody in 14400 m
        31 #1 calls Operators: NoCandidate
        31 #1 wakes at 61 SearchAgain
        61 #1 wakes at 121 SearchAgain
        121 #1 wakes at 241 SearchAgain
        125 #1 calls Station: NobodyAccepted
        185 #1 calls Supervisor: NobodyAccepted
        ",
    );
}

#[test]
fn somebody_at_risk_raises_a_welfare_alert_by_one_step_and_nothing_else() {
    check(
        &[
            (0, at_risk(alert(1, Kind::WaterLeak))),
            (0, at_risk(alert(2, Kind::Inactivity))),
            (0, at_risk(alert(3, Kind::LowBattery))),
            (0, at_risk(sos(4))),
        ],
        "
        0 #1 opened for elder 1: P2 water_leak
        0 #1 alert 1 water_leak
        0 #1 wakes at 60 RingAll NotAcknowledged
        0 #1 wakes at 60 CallBack
        0 #2 opened for elder 2: P1 inactivity
        0 #2 alert 2 inactivity
        0 #2 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #2 calls Family: Opened
        0 #2 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #2 finds nobody in 14400 m
        0 #2 calls Operators: NoCandidate
        0 #2 wakes at 30 SearchAgain
        0 #3 opened for elder 3: P4 low_battery
        0 #3 alert 3 low_battery
        0 #3 wakes at 86400 Supervisor NotAcknowledged
        0 #4 opened for elder 4: P1 sos
        0 #4 alert 4 sos
        0 #4 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #4 calls Family: Opened
        0 #4 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #4 finds nobody in 14400 m
        0 #4 calls Operators: NoCandidate
        0 #4 wakes at 30 SearchAgain
        ",
    );
}

#[test]
fn the_same_message_twice_is_one_alert_also_after_a_restart_and_during_a_drill() {
    check(
        &[
            (0, free(1, 500)),
            (0, message(1, sos(7))),
            (1, message(1, sos(7))),
            (2, drill(true)),
            (3, message(1, sos(7))),
            (4, restart()),
            (5, message(1, sos(7))),
            (6, drill(false)),
            (7, message(2, sos(7))),
            (8, resolves("ann", 1)),
            (9, closes("ann", 1)),
            (10, message(1, sos(7))),
        ],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 500 m
        1 heard before in #1
        2 drill true
        3 heard before in #1
        5 heard before in #1
        6 drill false
        7 #1 alert 2 sos
        8 #1 taken by ann
        8 #1 o1 r1 Withdrawn(\"the incident is resolved\")
        8 #1 resolved by ann: Served
        8 #1 wakes at 608 Close
        9 #1 closed by ann
        10 heard before in #1
        ",
    );
}

#[test]
fn a_technical_alert_joins_the_open_case_of_the_person_and_sends_nobody() {
    check(
        &[(0, alert(7, Kind::DoorOpen)), (5, alert(7, Kind::LowBattery))],
        "
        0 #1 opened for elder 7: P3 door_open
        0 #1 alert 1 door_open
        0 #1 wakes at 300 RingAll NotAcknowledged
        0 #1 calls Operators: OperatorDecides
        5 #1 alert 2 low_battery
        ",
    );
}

#[test]
fn a_call_for_help_never_joins_a_technical_task() {
    check(
        &[
            (0, free(1, 500)),
            (0, alert(7, Kind::LowBattery)),
            (5, sos(7)),
            (6, resolves("ann", 2)),
            (7000, alert(7, Kind::DeviceOffline)),
        ],
        "
        0 #1 opened for elder 7: P4 low_battery
        0 #1 alert 1 low_battery
        0 #1 wakes at 86400 Supervisor NotAcknowledged
        5 #2 opened for elder 7: P1 sos
        5 #2 alert 2 sos
        5 #2 wakes at 20 RingAll NotAcknowledged, 65 Supervisor NotAcknowledged
        5 #2 calls Family: Opened
        5 #2 wakes at 35 Station NobodyAccepted, 65 Supervisor NobodyAccepted, 80 Family NobodyAccepted, 95 Suggest120 NobodyAccepted
        5 #2 wave 1 in 7200 m until 25: o1 r1 500 m
        6 #2 taken by ann
        6 #2 o1 r1 Withdrawn(\"the incident is resolved\")
        6 #2 resolved by ann: Served
        6 #2 wakes at 606 Close
        606 #2 closed by itself
        7000 #1 alert 3 device_offline
        ",
    );
}

#[test]
fn a_restore_is_written_into_the_open_case_and_closes_nothing() {
    check(
        &[
            (0, over(7, Kind::Smoke)),
            (0, alert(7, Kind::Smoke)),
            (5, over(7, Kind::Smoke)),
            (6, alert(7, Kind::LowBattery)),
            (7, over(7, Kind::LowBattery)),
            (8, over(8, Kind::Smoke)),
            (9, resolves("ann", 1)),
            (10, over(7, Kind::Smoke)),
        ],
        "
        0 nothing
        0 #1 opened for elder 7: P1 smoke
        0 #1 alert 1 smoke
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest119 NobodyAccepted
        0 #1 finds nobody in 14400 m
        0 #1 calls Operators: NoCandidate
        0 #1 wakes at 30 SearchAgain
        5 #1 smoke is over, says button
        6 #1 alert 2 low_battery
        7 #1 low_battery is over, says button
        8 nothing
        9 #1 taken by ann
        9 #1 resolved by ann: Served
        9 #1 wakes at 609 Close
        10 nothing
        ",
    );
}

#[test]
fn a_press_after_the_helper_has_left_sends_somebody_again_even_the_same_one() {
    check(
        &[
            (0, free(1, 500)),
            (0, sos(7)),
            (1, accepts(1, 1)),
            (2, takes("ann", 1)),
            (3, reaches(1, 1, OnScene)),
            (4, reaches(1, 1, Cleared)),
            (60, sos(7)),
            (61, accepts(1, 2)),
        ],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 500 m
        1 #1 o1 r1 accepts
        1 #1 wakes at 121 Moving r1, 401 Arrived r1
        2 #1 taken by ann
        3 #1 r1 OnScene
        4 #1 r1 Cleared
        60 #1 alert 2 sos
        60 #1 wakes at 90 Station NobodyAccepted, 120 Supervisor NobodyAccepted, 135 Family NobodyAccepted, 150 Suggest120 NobodyAccepted
        60 #1 wave 2 in 7200 m until 80: o2 r1 500 m
        61 #1 o2 r1 accepts
        61 #1 wakes at 181 Moving r1, 461 Arrived r1
        ",
    );
}

#[test]
fn a_press_while_somebody_is_on_the_way_is_shown_and_sends_nobody_else() {
    check(
        &[
            (0, free(1, 500)),
            (0, sos(7)),
            (1, accepts(1, 1)),
            (2, takes("ann", 1)),
            (3, free(2, 600)),
            (9, sos(7)),
        ],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 500 m
        1 #1 o1 r1 accepts
        1 #1 wakes at 121 Moving r1, 401 Arrived r1
        2 #1 taken by ann
        9 #1 alert 2 sos
        ",
    );
}

#[test]
fn the_device_says_where_and_a_later_alert_moves_the_incident() {
    check(
        &[
            (0, free(1, 500)),
            (0, free(2, 20_500)),
            (0, seen_at(20_000, alert(7, Kind::BedExit))),
            (5, seen_at(1_000, sos(7))),
        ],
        "
        0 #1 opened for elder 7: P2 bed_exit
        0 #1 alert 1 bed_exit, 20000 m away
        0 #1 wakes at 60 RingAll NotAcknowledged
        0 #1 wakes at 60 CallBack
        5 #1 alert 2 sos, 1000 m away
        5 #1 now P1 sos
        5 #1 calls Family: Opened
        5 #1 wakes at 20 RingAll NotAcknowledged, 65 Supervisor NotAcknowledged
        5 #1 wakes at 35 Station NobodyAccepted, 65 Supervisor NobodyAccepted, 80 Family NobodyAccepted, 95 Suggest120 NobodyAccepted
        5 #1 wave 1 in 7200 m until 25: o1 r1 500 m
        ",
    );
}

#[test]
fn numbers_are_never_used_again() {
    check(
        &[
            (0, free(1, 500)),
            (0, sos(7)),
            (1, resolves("ann", 1)),
            (2, closes("ann", 1)),
            (3, restart()),
            (4, sos(7)),
        ],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 500 m
        1 #1 taken by ann
        1 #1 o1 r1 Withdrawn(\"the incident is resolved\")
        1 #1 resolved by ann: Served
        1 #1 wakes at 601 Close
        2 #1 closed by ann
        4 #2 opened for elder 7: P1 sos
        4 #2 alert 2 sos
        4 #2 wakes at 19 RingAll NotAcknowledged, 64 Supervisor NotAcknowledged
        4 #2 calls Family: Opened
        4 #2 wakes at 34 Station NobodyAccepted, 64 Supervisor NobodyAccepted, 79 Family NobodyAccepted, 94 Suggest120 NobodyAccepted
        4 #2 wave 1 in 7200 m until 24: o2 r1 500 m
        ",
    );
}

#[test]
fn smoke_and_a_call_for_help_are_no_mistake_and_both_services_are_suggested_at_once() {
    check(
        &[
            (0, free(1, 100)),
            (0, alert(7, Kind::Smoke)),
            (1, accepts(1, 1)),
            (2, takes("ann", 1)),
            (3, sos(7)),
            (4, sos(7)),
        ],
        "
        0 #1 opened for elder 7: P1 smoke
        0 #1 alert 1 smoke
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest119 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m
        1 #1 o1 r1 accepts
        1 #1 wakes at 121 Moving r1, 321 Arrived r1
        2 #1 taken by ann
        3 #1 alert 2 sos
        3 #1 calls Suggest119: Corroborated
        3 #1 calls Suggest120: Corroborated
        4 #1 alert 3 sos
        ",
    );
}

#[test]
fn the_same_press_over_two_gateways_is_one_alert() {
    check(
        &[
            (0, alert(7, Kind::DoorOpen)),
            (0, takes("ann", 1)),
            (1, message(1, alert(7, Kind::DoorOpen))),
            (1, message(1, alert(7, Kind::DoorOpen))),
        ],
        "
        0 #1 opened for elder 7: P3 door_open
        0 #1 alert 1 door_open
        0 #1 wakes at 300 RingAll NotAcknowledged
        0 #1 calls Operators: OperatorDecides
        0 #1 taken by ann
        1 #1 alert 2 door_open
        1 #1 calls Operators: OperatorDecides
        1 heard before in #1
        ",
    );
}
