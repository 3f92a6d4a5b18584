//! Cancelling: the elder says that it is nothing.

use model::Kind;

use crate::story::*;

#[test]
fn during_the_call_back_the_elder_can_cancel_and_nobody_is_sent() {
    check(
        &[(0, free(1, 100)), (0, alert(7, Kind::Inactivity)), (20, cancels(7, None)), (700, wait())],
        "
        0 #1 opened for elder 7: P2 inactivity
        0 #1 alert 1 inactivity
        0 #1 wakes at 60 RingAll NotAcknowledged
        0 #1 wakes at 60 CallBack
        20 #1 cancelled, says button
        20 #1 wakes at 620 Close
        620 #1 closed by itself
        ",
    );
}

#[test]
fn once_somebody_is_asked_a_human_decides() {
    check(
        &[
            (0, free(1, 100)),
            (0, alert(7, Kind::Inactivity)),
            (0, takes("ann", 1)),
            (61, cancels(7, None)),
            (62, accepts(1, 1)),
        ],
        "
        0 #1 opened for elder 7: P2 inactivity
        0 #1 alert 1 inactivity
        0 #1 wakes at 60 RingAll NotAcknowledged
        0 #1 wakes at 60 CallBack
        0 #1 taken by ann
        60 #1 wakes at 180 Station NobodyAccepted, 240 Supervisor NobodyAccepted
        60 #1 wave 1 in 14400 m until 90: o1 r1 100 m
        60 #1 calls Family: Dispatched
        61 #1 all is well, says button
        61 #1 calls Operators: SaidToBeWell
        62 #1 o1 r1 accepts
        62 #1 wakes at 362 Moving r1, 682 Arrived r1
        ",
    );
}

#[test]
fn an_sos_is_never_cancelled_by_a_key_somebody_else_may_press() {
    check(
        &[(0, free(1, 100)), (0, sos(7)), (1, cancels(7, None)), (2, cancels(8, None))],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m
        1 #1 all is well, says button
        1 #1 calls Operators: SaidToBeWell
        2 nothing
        ",
    );
}

#[test]
fn a_cancel_that_is_older_than_the_alert_is_about_an_earlier_one() {
    check(
        &[(0, free(1, 100)), (10, alert(7, Kind::Inactivity)), (11, cancels(7, Some(9)))],
        "
        10 #1 opened for elder 7: P2 inactivity
        10 #1 alert 1 inactivity
        10 #1 wakes at 70 RingAll NotAcknowledged
        10 #1 wakes at 70 CallBack
        11 #1 cancelled, says button
        11 #1 wakes at 611 Close
        ",
    );
}

#[test]
fn what_was_cancelled_can_be_reopened_and_a_new_alert_opens_another() {
    check(
        &[
            (0, alert(7, Kind::Inactivity)),
            (5, cancels(7, Some(5))),
            (6, alert(7, Kind::BedExit)),
            (7, reopens("ann", 1, "she sounded odd")),
            (8, resolves("ann", 1)),
        ],
        "
        0 #1 opened for elder 7: P2 inactivity
        0 #1 alert 1 inactivity
        0 #1 wakes at 60 RingAll NotAcknowledged
        0 #1 wakes at 60 CallBack
        5 #1 cancelled, says button
        5 #1 wakes at 605 Close
        6 #2 opened for elder 7: P2 bed_exit
        6 #2 alert 2 bed_exit
        6 #2 wakes at 66 RingAll NotAcknowledged
        6 #2 wakes at 66 CallBack
        7 #1 reopened by ann: she sounded odd
        8 #1 resolved by ann: Served
        8 #1 wakes at 608 Close
        ",
    );
}

#[test]
fn a_cancel_that_comes_twice_is_heard_once() {
    check(
        &[(0, sos(7)), (1, cancels(7, None)), (2, cancels(7, None))],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 finds nobody in 14400 m
        0 #1 calls Operators: NoCandidate
        0 #1 wakes at 30 SearchAgain
        1 #1 all is well, says button
        1 #1 calls Operators: SaidToBeWell
        2 heard before in #1
        ",
    );
}

#[test]
fn a_slow_clock_that_raised_the_alarm_may_also_cancel_it() {
    check(
        &[(1_000, clock_ahead(-300, alert(7, Kind::Inactivity))), (1_010, cancels(7, Some(710)))],
        "
        1000 #1 opened for elder 7: P2 inactivity
        1000 #1 alert 1 inactivity, occurred at 700, by the device 700
        1000 #1 wakes at 1060 RingAll NotAcknowledged
        1000 #1 wakes at 1060 CallBack
        1010 #1 cancelled, says button
        1010 #1 wakes at 1610 Close
        ",
    );
}

#[test]
fn a_case_that_is_also_somebody_elses_is_not_cancelled_by_one_of_them() {
    check(
        &[
            (0, alert(7, Kind::Inactivity)),
            (0, alert(8, Kind::DoorOpen)),
            (1, merges("ann", 2, 1)),
            (2, cancels(8, None)),
        ],
        "
        0 #1 opened for elder 7: P2 inactivity
        0 #1 alert 1 inactivity
        0 #1 wakes at 60 RingAll NotAcknowledged
        0 #1 wakes at 60 CallBack
        0 #2 opened for elder 8: P3 door_open
        0 #2 alert 2 door_open
        0 #2 wakes at 300 RingAll NotAcknowledged
        0 #2 calls Operators: OperatorDecides
        1 #2 goes up in #1, by ann
        1 #1 takes in #2, 1 alerts
        2 #1 all is well, says button
        2 #1 calls Operators: SaidToBeWell
        ",
    );
}

#[test]
fn a_cancel_is_no_answer_to_an_alert_made_after_it_though_an_older_alert_comes_last() {
    check(
        &[
            (100, clock_ahead(0, alert(7, Kind::Inactivity))),
            (101, clock_ahead(-11, alert(7, Kind::Inactivity))),
            (102, cancels(7, Some(95))),
        ],
        "
        100 #1 opened for elder 7: P2 inactivity
        100 #1 alert 1 inactivity, occurred at 100, by the device 100
        100 #1 wakes at 160 RingAll NotAcknowledged
        100 #1 wakes at 160 CallBack
        101 #1 alert 2 inactivity, occurred at 90, by the device 90
        102 #1 all is well, says button
        102 #1 calls Operators: SaidToBeWell
        ",
    );
}

#[test]
fn a_delayed_alert_is_no_last_word_though_another_device_spoke_in_between() {
    check(
        &[
            (1_000, clock_ahead(0, alert(7, Kind::Inactivity))),
            (1_001, by_device("bed", alert(7, Kind::BedExit))),
            (1_002, clock_ahead(-302, alert(7, Kind::Inactivity))),
            (1_003, cancels(7, Some(800))),
        ],
        "
        1000 #1 opened for elder 7: P2 inactivity
        1000 #1 alert 1 inactivity, occurred at 1000, by the device 1000
        1000 #1 wakes at 1060 RingAll NotAcknowledged
        1000 #1 wakes at 1060 CallBack
        1001 #1 alert 2 bed_exit
        1002 #1 alert 3 inactivity, occurred at 700, by the device 700
        1003 #1 all is well, says button
        1003 #1 calls Operators: SaidToBeWell
        ",
    );
}

#[test]
fn what_a_device_says_after_another_spoke_is_its_last_word() {
    let told = |late: i64, alert: Step| clock_ahead(-late, alert);
    check(
        &[
            (1_000, told(0, by_device("bed", alert(7, Kind::BedExit)))),
            (1_001, told(0, alert(7, Kind::Inactivity))),
            (1_002, told(0, by_device("bed", alert(7, Kind::BedExit)))),
            (1_003, told(1, alert(7, Kind::Inactivity))),
            (1_004, cancels(7, Some(1_003))),
        ],
        "
        1000 #1 opened for elder 7: P2 bed_exit
        1000 #1 alert 1 bed_exit, occurred at 1000, by the device 1000
        1000 #1 wakes at 1060 RingAll NotAcknowledged
        1000 #1 wakes at 1060 CallBack
        1001 #1 alert 2 inactivity, occurred at 1001, by the device 1001
        1002 #1 alert 3 bed_exit, occurred at 1002, by the device 1002
        1003 #1 alert 4 inactivity, occurred at 1002, by the device 1002
        1004 #1 cancelled, says button
        1004 #1 wakes at 1604 Close
        ",
    );
}

#[test]
fn a_delayed_alert_of_one_device_does_not_end_what_another_said_later() {
    check(
        &[
            (1_000, clock_ahead(0, by_device("bed", alert(7, Kind::BedExit)))),
            (1_001, clock_ahead(-11, alert(7, Kind::Inactivity))),
            (1_002, cancels(7, Some(995))),
        ],
        "
        1000 #1 opened for elder 7: P2 bed_exit
        1000 #1 alert 1 bed_exit, occurred at 1000, by the device 1000
        1000 #1 wakes at 1060 RingAll NotAcknowledged
        1000 #1 wakes at 1060 CallBack
        1001 #1 alert 2 inactivity, occurred at 990, by the device 990
        1002 #1 all is well, says button
        1002 #1 calls Operators: SaidToBeWell
        ",
    );
}
