//! Alerts that wait: what is late, replayed, unreadable or of nobody we know is an operator's to decide.

use model::Kind;

use crate::story::*;

#[test]
fn what_a_broker_replayed_sends_nobody() {
    check(
        &[(0, free(1, 500)), (0, retained(sos(7))), (100, wait())],
        "
        0 #1 opened for elder 7: P1 sos, held Retained
        0 #1 alert 1 sos, held Retained
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Operators: Retained
        15 #1 calls RingAll: NotAcknowledged
        60 #1 calls Supervisor: NotAcknowledged
        60 #1 wakes at 360 Supervisor NotAcknowledged
        ",
    );
}

#[test]
fn what_happened_over_ten_minutes_ago_sends_nobody() {
    check(
        &[(0, free(1, 500)), (0, clock_ahead(-601, sos(7))), (0, clock_ahead(-600, sos(8)))],
        "
        0 #1 opened for elder 7: P1 sos, held Late
        0 #1 alert 1 sos, held Late, occurred at -601, by the device -601
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Operators: Late
        0 #2 opened for elder 8: P1 sos
        0 #2 alert 2 sos, occurred at -600, by the device -600
        0 #2 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #2 calls Family: Opened
        0 #2 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #2 wave 1 in 7200 m until 20: o1 r1 500 m
        ",
    );
}

#[test]
fn an_unknown_device_and_an_unreadable_message_send_nobody() {
    check(
        &[
            (0, free(1, 500)),
            (0, of_unknown_device("x", seen_at(100, sos(0)))),
            (0, alert(7, Kind::Unreadable)),
            (5, of_unknown_device("x", sos(0))),
            (6, of_unknown_device("y", sos(0))),
        ],
        "
        0 #1 opened for device x: P1 sos, held UnknownDevice
        0 #1 alert 1 sos, held UnknownDevice, 100 m away
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Operators: UnknownDevice
        0 #2 opened for elder 7: P2 unreadable, held Unreadable
        0 #2 alert 2 unreadable, held Unreadable
        0 #2 wakes at 60 RingAll NotAcknowledged
        0 #2 calls Operators: Unreadable
        5 #1 alert 3 sos, held UnknownDevice
        5 #1 calls Operators: UnknownDevice
        6 #3 opened for device y: P1 sos, held UnknownDevice, nowhere
        6 #3 alert 4 sos, held UnknownDevice
        6 #3 wakes at 21 RingAll NotAcknowledged, 66 Supervisor NotAcknowledged
        6 #3 calls Operators: UnknownDevice
        ",
    );
}

#[test]
fn a_live_alert_lifts_the_hold() {
    check(
        &[(0, free(1, 500)), (0, retained(sos(7))), (5, alert(7, Kind::Fall))],
        "
        0 #1 opened for elder 7: P1 sos, held Retained
        0 #1 alert 1 sos, held Retained
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Operators: Retained
        5 #1 alert 2 fall
        5 #1 calls Suggest120: Corroborated
        5 #1 calls Family: Opened
        5 #1 wakes at 35 Station NobodyAccepted, 65 Supervisor NobodyAccepted, 80 Family NobodyAccepted, 95 Suggest120 NobodyAccepted
        5 #1 wave 1 in 7200 m until 25: o1 r1 500 m
        ",
    );
}

#[test]
fn a_live_low_battery_says_nothing_about_a_late_call_for_help() {
    check(
        &[(0, free(1, 500)), (0, clock_ahead(-900, sos(7))), (5, alert(7, Kind::LowBattery))],
        "
        0 #1 opened for elder 7: P1 sos, held Late
        0 #1 alert 1 sos, held Late, occurred at -900, by the device -900
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Operators: Late
        5 #1 alert 2 low_battery
        ",
    );
}

#[test]
fn a_late_alert_that_joins_raises_the_priority_and_calls_an_operator_but_sends_nobody() {
    check(
        &[(0, free(1, 500)), (0, alert(7, Kind::DoorOpen)), (5, clock_ahead(-900, sos(7)))],
        "
        0 #1 opened for elder 7: P3 door_open
        0 #1 alert 1 door_open
        0 #1 wakes at 300 RingAll NotAcknowledged
        0 #1 calls Operators: OperatorDecides
        5 #1 alert 2 sos, held Late, occurred at -895, by the device -895
        5 #1 now P1 sos
        5 #1 wakes at 20 RingAll NotAcknowledged, 65 Supervisor NotAcknowledged
        5 #1 calls Operators: Late
        ",
    );
}

#[test]
fn a_late_alert_does_not_send_again_after_the_search_was_stopped() {
    check(
        &[
            (0, free(1, 500)),
            (0, sos(7)),
            (2, takes("ann", 1)),
            (2, withdraws("ann", 1)),
            (5, retained(sos(7))),
        ],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 500 m
        2 #1 taken by ann
        2 #1 o1 r1 Withdrawn(\"all is well\")
        2 #1 search stopped by ann
        5 #1 alert 2 sos, held Retained
        5 #1 calls Operators: Retained
        ",
    );
}

#[test]
fn an_old_place_does_not_move_the_incident() {
    check(
        &[
            (0, free(1, 500)),
            (0, nowhere(seen_at(0, alert(7, Kind::BedExit)))),
            (5, retained(seen_at(50_000, sos(7)))),
            (60, wait()),
        ],
        "
        0 #1 opened for elder 7: P2 bed_exit
        0 #1 alert 1 bed_exit, 0 m away
        0 #1 wakes at 60 RingAll NotAcknowledged
        0 #1 wakes at 60 CallBack
        5 #1 alert 2 sos, held Retained, 50000 m away
        5 #1 now P1 sos
        5 #1 wakes at 20 RingAll NotAcknowledged, 65 Supervisor NotAcknowledged
        5 #1 calls Operators: Retained
        20 #1 calls RingAll: NotAcknowledged
        60 #1 wakes at 90 Station NobodyAccepted, 120 Supervisor NobodyAccepted, 135 Family NobodyAccepted, 150 Suggest120 NobodyAccepted
        60 #1 wave 1 in 7200 m until 80: o1 r1 500 m
        ",
    );
}

#[test]
fn a_device_clock_that_is_ahead_is_replaced_and_both_times_are_kept() {
    check(
        &[
            (0, free(1, 500)),
            (0, clock_ahead(121, sos(7))),
            (0, clock_ahead(120, sos(8))),
            (0, clock_ahead(-5, sos(9))),
        ],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos, occurred at 0, by the device 121
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 500 m
        0 #2 opened for elder 8: P1 sos
        0 #2 alert 2 sos, occurred at 120, by the device 120
        0 #2 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #2 calls Family: Opened
        0 #2 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #2 finds nobody in 14400 m 1 busy
        0 #2 calls Operators: NoCandidate
        0 #2 wakes at 30 SearchAgain
        0 #3 opened for elder 9: P1 sos
        0 #3 alert 3 sos, occurred at -5, by the device -5
        0 #3 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #3 calls Family: Opened
        0 #3 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #3 finds nobody in 14400 m 1 busy
        0 #3 calls Operators: NoCandidate
        0 #3 wakes at 30 SearchAgain
        ",
    );
}

#[test]
fn an_operator_may_send_somebody_to_what_was_held() {
    check(
        &[(0, free(1, 500)), (0, clock_ahead(-900, sos(7))), (5, sends("ann", 1, &[]))],
        "
        0 #1 opened for elder 7: P1 sos, held Late
        0 #1 alert 1 sos, held Late, occurred at -900, by the device -900
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Operators: Late
        5 #1 taken by ann
        5 #1 wakes at 35 Station NobodyAccepted, 65 Supervisor NobodyAccepted, 80 Family NobodyAccepted, 95 Suggest120 NobodyAccepted
        5 #1 wave 1 by ann in 7200 m until 25: o1 r1 500 m
        ",
    );
}

#[test]
fn a_late_alert_that_makes_a_search_more_urgent_ends_its_pause() {
    check(
        &[
            (0, alert(7, Kind::Inactivity)),
            (0, takes("ann", 1)),
            (160, clock_ahead(-700, sos(7))),
            (185, wait()),
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
        90 #1 wakes at 150 SearchAgain
        150 #1 wakes at 270 SearchAgain
        160 #1 alert 2 sos, held Late, occurred at -540, by the device -540
        160 #1 now P1 sos
        160 #1 calls Operators: Late
        160 #1 finds nobody in 14400 m
        160 #1 calls Operators: NoCandidate
        160 #1 wakes at 190 SearchAgain
        180 #1 calls Station: NobodyAccepted
        ",
    );
}

#[test]
fn a_live_alert_does_not_wait_for_a_call_back_that_a_late_one_has_outdone() {
    check(
        &[
            (0, free(1, 100)),
            (0, alert(7, Kind::Inactivity)),
            (0, takes("ann", 1)),
            (10, clock_ahead(-700, sos(7))),
            (20, sos(7)),
        ],
        "
        0 #1 opened for elder 7: P2 inactivity
        0 #1 alert 1 inactivity
        0 #1 wakes at 60 RingAll NotAcknowledged
        0 #1 wakes at 60 CallBack
        0 #1 taken by ann
        10 #1 alert 2 sos, held Late, occurred at -690, by the device -690
        10 #1 now P1 sos
        10 #1 calls Operators: Late
        20 #1 alert 3 sos
        20 #1 calls Family: Opened
        20 #1 wakes at 50 Station NobodyAccepted, 80 Supervisor NobodyAccepted, 95 Family NobodyAccepted, 110 Suggest120 NobodyAccepted
        20 #1 wave 1 in 7200 m until 40: o1 r1 100 m
        ",
    );
}
