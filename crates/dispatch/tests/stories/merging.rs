//! Merging: two incidents that are one.

use dispatch::AssignmentState::Cleared;
use model::Kind;

use crate::story::*;

#[test]
fn a_strange_device_goes_up_in_the_incident_of_its_elder_and_reports_there_from_then_on() {
    check(
        &[
            (0, free(1, 100)),
            (0, alert(7, Kind::DoorOpen)),
            (1, of_unknown_device("x", sos(8))),
            (2, merges("ann", 2, 1)),
            (10, of_unknown_device("x", sos(8))),
            (11, accepts(1, 1)),
        ],
        "
        0 #1 opened for elder 7: P3 door_open
        0 #1 alert 1 door_open
        0 #1 wakes at 300 RingAll NotAcknowledged
        0 #1 calls Operators: OperatorDecides
        1 #2 opened for device x: P1 sos, held UnknownDevice, nowhere
        1 #2 alert 2 sos, held UnknownDevice
        1 #2 wakes at 16 RingAll NotAcknowledged, 61 Supervisor NotAcknowledged
        1 #2 calls Operators: UnknownDevice
        2 #2 goes up in #1, by ann
        2 #1 takes in #2, 1 alerts
        2 #1 now P1 sos
        2 #1 calls Family: Opened
        2 #1 wakes at 17 RingAll NotAcknowledged, 62 Supervisor NotAcknowledged
        2 #1 wakes at 32 Station NobodyAccepted, 62 Supervisor NobodyAccepted, 77 Family NobodyAccepted, 92 Suggest120 NobodyAccepted
        2 #1 wave 1 in 7200 m until 22: o1 r1 100 m
        10 #1 alert 3 sos, held UnknownDevice
        10 #1 calls Operators: UnknownDevice
        11 #1 o1 r1 accepts
        11 #1 wakes at 131 Moving r1, 331 Arrived r1
        ",
    );
}

#[test]
fn what_cannot_be_one_is_not_merged() {
    check(
        &[
            (0, free(1, 100)),
            (0, sos(7)),
            (0, accepts(1, 1)),
            (1, alert(8, Kind::DoorOpen)),
            (1, test(alert(9, Kind::DoorOpen))),
            (2, merges("ann", 1, 2)),
            (3, merges("ann", 2, 2)),
            (4, merges("ann", 3, 2)),
            (5, merges("ann", 2, 9)),
            (6, merges("ann", 2, 1)),
        ],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m
        0 #1 o1 r1 accepts
        0 #1 wakes at 120 Moving r1, 320 Arrived r1
        1 #2 opened for elder 8: P3 door_open
        1 #2 alert 2 door_open
        1 #2 wakes at 301 RingAll NotAcknowledged
        1 #2 calls Operators: OperatorDecides
        1 #3 opened for elder 9: P3 door_open, exercise
        1 #3 alert 3 door_open
        1 #3 wakes at 301 RingAll NotAcknowledged
        1 #3 calls Operators: OperatorDecides
        2 refused: NotMergeable { incident: IncidentId(1), into: IncidentId(2), remedy: \"somebody is on the way to it: merge the other one into it instead\" }
        3 refused: NotMergeable { incident: IncidentId(2), into: IncidentId(2), remedy: \"name another one\" }
        4 refused: NotMergeable { incident: IncidentId(3), into: IncidentId(2), remedy: \"one is a drill and the other is not\" }
        5 refused: NoIncident(IncidentId(9))
        6 #2 goes up in #1, by ann
        6 #1 takes in #2, 1 alerts
        ",
    );
}

#[test]
fn an_old_incident_that_goes_up_in_another_does_not_take_the_newer_one_with_it() {
    check(
        &[
            (0, alert(7, Kind::DoorOpen)),
            (0, takes("ann", 1)),
            (0, alert(8, Kind::DoorOpen)),
            (0, takes("ann", 2)),
            (1_900, alert(7, Kind::DoorOpen)),
            (1_900, takes("ann", 3)),
            (1_901, merges("ann", 1, 2)),
            (1_902, alert(7, Kind::DoorOpen)),
        ],
        "
        0 #1 opened for elder 7: P3 door_open
        0 #1 alert 1 door_open
        0 #1 wakes at 300 RingAll NotAcknowledged
        0 #1 calls Operators: OperatorDecides
        0 #1 taken by ann
        0 #2 opened for elder 8: P3 door_open
        0 #2 alert 2 door_open
        0 #2 wakes at 300 RingAll NotAcknowledged
        0 #2 calls Operators: OperatorDecides
        0 #2 taken by ann
        1900 #3 opened for elder 7: P3 door_open
        1900 #3 alert 3 door_open
        1900 #3 wakes at 2200 RingAll NotAcknowledged
        1900 #3 calls Operators: OperatorDecides
        1900 #3 taken by ann
        1901 #1 goes up in #2, by ann
        1901 #2 takes in #1, 1 alerts
        1902 #3 alert 4 door_open
        1902 #3 calls Operators: OperatorDecides
        ",
    );
}

#[test]
fn a_technical_task_that_took_in_a_call_for_help_takes_the_next_call_too() {
    check(
        &[
            (0, alert(7, Kind::LowBattery)),
            (0, takes("ann", 1)),
            (1, of_unknown_device("x", alert(8, Kind::DoorOpen))),
            (2, merges("ann", 2, 1)),
            (3, alert(7, Kind::DoorOpen)),
        ],
        "
        0 #1 opened for elder 7: P4 low_battery
        0 #1 alert 1 low_battery
        0 #1 wakes at 86400 Supervisor NotAcknowledged
        0 #1 taken by ann
        1 #2 opened for device x: P3 door_open, held UnknownDevice, nowhere
        1 #2 alert 2 door_open, held UnknownDevice
        1 #2 wakes at 301 RingAll NotAcknowledged
        1 #2 calls Operators: UnknownDevice
        2 #2 goes up in #1, by ann
        2 #1 takes in #2, 1 alerts
        2 #1 now P3 door_open
        2 #1 calls Operators: OperatorDecides
        3 #1 alert 3 door_open
        3 #1 calls Operators: OperatorDecides
        ",
    );
}

#[test]
fn who_was_helped_is_helped_again_when_another_call_goes_up_in_theirs() {
    check(
        &[
            (0, free(1, 100)),
            (0, sos(7)),
            (1, takes("ann", 1)),
            (2, accepts(1, 1)),
            (3, reaches(1, 1, Cleared)),
            (4, goes_home(1)),
            (5, sos(8)),
            (6, merges("ann", 2, 1)),
            (7, comes(1)),
        ],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m
        1 #1 taken by ann
        2 #1 o1 r1 accepts
        2 #1 wakes at 122 Moving r1, 322 Arrived r1
        3 #1 r1 Cleared
        4 r1 OffDuty
        5 #2 opened for elder 8: P1 sos
        5 #2 alert 2 sos
        5 #2 wakes at 20 RingAll NotAcknowledged, 65 Supervisor NotAcknowledged
        5 #2 calls Family: Opened
        5 #2 wakes at 35 Station NobodyAccepted, 65 Supervisor NobodyAccepted, 80 Family NobodyAccepted, 95 Suggest120 NobodyAccepted
        5 #2 finds nobody in 14400 m 1 off_duty
        5 #2 calls Operators: NoCandidate
        5 #2 wakes at 35 SearchAgain
        6 #2 goes up in #1, by ann
        6 #1 takes in #2, 1 alerts
        6 #1 wakes at 36 Station NobodyAccepted, 66 Supervisor NobodyAccepted, 81 Family NobodyAccepted, 96 Suggest120 NobodyAccepted
        6 #1 finds nobody in 14400 m 1 off_duty
        6 #1 calls Operators: NoCandidate
        6 #1 wakes at 36 SearchAgain
        7 r1 OnDuty
        7 #1 wave 2 in 7200 m until 27: o2 r1 100 m
        ",
    );
}

#[test]
fn merged_twice_the_first_one_reports_to_the_last() {
    check(
        &[
            (0, alert(7, Kind::DoorOpen)),
            (0, takes("ann", 1)),
            (1, alert(8, Kind::DoorOpen)),
            (1, takes("ann", 2)),
            (2, alert(9, Kind::DoorOpen)),
            (2, takes("ann", 3)),
            (3, merges("ann", 1, 2)),
            (4, merges("ann", 2, 3)),
            (5, alert(7, Kind::DoorOpen)),
            (6, resolves("ann", 3)),
            (7, closes("ann", 3)),
            (8, alert(7, Kind::DoorOpen)),
        ],
        "
        0 #1 opened for elder 7: P3 door_open
        0 #1 alert 1 door_open
        0 #1 wakes at 300 RingAll NotAcknowledged
        0 #1 calls Operators: OperatorDecides
        0 #1 taken by ann
        1 #2 opened for elder 8: P3 door_open
        1 #2 alert 2 door_open
        1 #2 wakes at 301 RingAll NotAcknowledged
        1 #2 calls Operators: OperatorDecides
        1 #2 taken by ann
        2 #3 opened for elder 9: P3 door_open
        2 #3 alert 3 door_open
        2 #3 wakes at 302 RingAll NotAcknowledged
        2 #3 calls Operators: OperatorDecides
        2 #3 taken by ann
        3 #1 goes up in #2, by ann
        3 #2 takes in #1, 1 alerts
        4 #2 goes up in #3, by ann
        4 #3 takes in #2, 2 alerts
        5 #3 alert 4 door_open
        5 #3 calls Operators: OperatorDecides
        6 #3 resolved by ann: Served
        6 #3 calls Family: Resolved
        6 #3 wakes at 606 Close
        7 #3 closed by ann
        8 #4 opened for elder 7: P3 door_open
        8 #4 alert 5 door_open
        8 #4 wakes at 308 RingAll NotAcknowledged
        8 #4 calls Operators: OperatorDecides
        ",
    );
}

#[test]
fn a_live_call_that_goes_up_in_a_held_one_still_sends_somebody() {
    check(
        &[
            (0, free(1, 100)),
            (0, retained(alert(7, Kind::Sos))),
            (1, living_at(90_000, sos(8))),
            (2, merges("ann", 2, 1)),
        ],
        "
        0 #1 opened for elder 7: P1 sos, held Retained
        0 #1 alert 1 sos, held Retained
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Operators: Retained
        1 #2 opened for elder 8: P1 sos
        1 #2 alert 2 sos
        1 #2 wakes at 16 RingAll NotAcknowledged, 61 Supervisor NotAcknowledged
        1 #2 calls Family: Opened
        1 #2 wakes at 31 Station NobodyAccepted, 61 Supervisor NobodyAccepted, 76 Family NobodyAccepted, 91 Suggest120 NobodyAccepted
        1 #2 finds nobody in 14400 m 1 elsewhere
        1 #2 calls Operators: NoCandidate
        1 #2 wakes at 31 SearchAgain
        2 #2 goes up in #1, by ann
        2 #1 takes in #2, 1 alerts
        2 #1 calls Family: Opened
        2 #1 wakes at 32 Station NobodyAccepted, 62 Supervisor NobodyAccepted, 77 Family NobodyAccepted, 92 Suggest120 NobodyAccepted
        2 #1 wave 1 in 7200 m until 22: o1 r1 100 m
        ",
    );
}

#[test]
fn an_elder_does_not_go_up_in_a_strange_device_nor_in_what_another_operator_has() {
    check(
        &[
            (0, of_unknown_device("x", sos(9))),
            (0, alert(7, Kind::DoorOpen)),
            (0, alert(8, Kind::DoorOpen)),
            (1, takes("bob", 3)),
            (2, merges("ann", 2, 1)),
            (3, merges("ann", 2, 3)),
        ],
        "
        0 #1 opened for device x: P1 sos, held UnknownDevice, nowhere
        0 #1 alert 1 sos, held UnknownDevice
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Operators: UnknownDevice
        0 #2 opened for elder 7: P3 door_open
        0 #2 alert 2 door_open
        0 #2 wakes at 300 RingAll NotAcknowledged
        0 #2 calls Operators: OperatorDecides
        0 #3 opened for elder 8: P3 door_open
        0 #3 alert 3 door_open
        0 #3 wakes at 300 RingAll NotAcknowledged
        0 #3 calls Operators: OperatorDecides
        1 #3 taken by bob
        2 refused: NotMergeable { incident: IncidentId(2), into: IncidentId(1), remedy: \"helpers must learn who it is: merge the other way round\" }
        3 refused: Taken { incident: IncidentId(3), operator: \"bob\" }
        ",
    );
}
