//! Drills: the whole chain runs and is marked.

use dispatch::AssignmentState;
use model::Kind;

use crate::story::*;

#[test]
fn in_drill_mode_every_alert_is_an_exercise_and_the_whole_chain_runs() {
    check(
        &[
            (0, free(1, 500)),
            (0, drill(true)),
            (0, drill(true)),
            (1, sos(7)),
            (2, accepts(1, 1)),
            (3, drill(false)),
            (4, sos(8)),
        ],
        "
        0 drill true
        0 nothing
        1 #1 opened for elder 7: P1 sos, exercise
        1 #1 alert 1 sos
        1 #1 wakes at 16 RingAll NotAcknowledged, 61 Supervisor NotAcknowledged
        1 #1 wakes at 31 Station NobodyAccepted, 61 Supervisor NobodyAccepted, 91 Suggest120 NobodyAccepted
        1 #1 wave 1 in 7200 m until 21: o1 r1 500 m
        2 #1 o1 r1 accepts
        2 #1 wakes at 122 Moving r1, 402 Arrived r1
        3 drill false
        4 #2 opened for elder 8: P1 sos
        4 #2 alert 2 sos
        4 #2 wakes at 19 RingAll NotAcknowledged, 64 Supervisor NotAcknowledged
        4 #2 calls Family: Opened
        4 #2 wakes at 34 Station NobodyAccepted, 64 Supervisor NobodyAccepted, 79 Family NobodyAccepted, 94 Suggest120 NobodyAccepted
        4 #2 finds nobody in 14400 m 1 busy
        4 #2 calls Operators: NoCandidate
        4 #2 wakes at 34 SearchAgain
        ",
    );
}

#[test]
fn an_exercise_never_joins_a_real_incident_nor_the_other_way_round() {
    check(
        &[
            (0, alert(7, Kind::DoorOpen)),
            (1, test(sos(7))),
            (2, sos(7)),
            (3, test(alert(7, Kind::LowBattery))),
        ],
        "
        0 #1 opened for elder 7: P3 door_open
        0 #1 alert 1 door_open
        0 #1 wakes at 300 RingAll NotAcknowledged
        0 #1 calls Operators: OperatorDecides
        1 #2 opened for elder 7: P1 sos, exercise
        1 #2 alert 2 sos
        1 #2 wakes at 16 RingAll NotAcknowledged, 61 Supervisor NotAcknowledged
        1 #2 wakes at 31 Station NobodyAccepted, 61 Supervisor NobodyAccepted, 91 Suggest120 NobodyAccepted
        1 #2 finds nobody in 14400 m
        1 #2 calls Operators: NoCandidate
        1 #2 wakes at 31 SearchAgain
        2 #1 alert 3 sos
        2 #1 now P1 sos
        2 #1 calls Family: Opened
        2 #1 wakes at 17 RingAll NotAcknowledged, 62 Supervisor NotAcknowledged
        2 #1 wakes at 32 Station NobodyAccepted, 62 Supervisor NobodyAccepted, 77 Family NobodyAccepted, 92 Suggest120 NobodyAccepted
        2 #1 finds nobody in 14400 m
        2 #1 calls Operators: NoCandidate
        2 #1 wakes at 32 SearchAgain
        3 #2 alert 4 low_battery
        ",
    );
}

/// The watchdog's own responder stands with the others here, so that nothing but who it is can make the difference.
#[test]
fn who_answers_the_servers_own_alerts_needs_no_rest_and_counts_nowhere() {
    let own = model::ResponderId::WATCHDOG.0;
    check(
        &[
            (0, free(own, 100)),
            (1, test(of_watchdog(sos(7)))),
            (2, accepts(own, 1)),
            (3, reaches(own, 1, AssignmentState::Cleared)),
            (4, resolves("anhu", 1)),
            (5, test(of_watchdog(sos(7)))),
            (6, accepts(own, 2)),
            (7, sos(8)),
        ],
        "
        1 #1 opened for the watchdog: P1 sos, exercise
        1 #1 alert 1 sos
        1 #1 wakes at 16 RingAll NotAcknowledged, 61 Supervisor NotAcknowledged
        1 #1 wakes at 31 Station NobodyAccepted, 61 Supervisor NobodyAccepted, 91 Suggest120 NobodyAccepted
        1 #1 wave 1 in 7200 m until 21: o1 r16777215 100 m
        2 #1 o1 r16777215 accepts
        2 #1 wakes at 122 Moving r16777215, 322 Arrived r16777215
        3 #1 r16777215 Cleared
        4 #1 taken by anhu
        4 #1 resolved by anhu: Served
        4 #1 wakes at 604 Close
        5 #2 opened for the watchdog: P1 sos, exercise
        5 #2 alert 2 sos
        5 #2 wakes at 20 RingAll NotAcknowledged, 65 Supervisor NotAcknowledged
        5 #2 wakes at 35 Station NobodyAccepted, 65 Supervisor NobodyAccepted, 95 Suggest120 NobodyAccepted
        5 #2 wave 1 in 7200 m until 25: o2 r16777215 100 m
        6 #2 o2 r16777215 accepts
        6 #2 wakes at 126 Moving r16777215, 326 Arrived r16777215
        7 #3 opened for elder 8: P1 sos
        7 #3 alert 3 sos
        7 #3 wakes at 22 RingAll NotAcknowledged, 67 Supervisor NotAcknowledged
        7 #3 calls Family: Opened
        7 #3 wakes at 37 Station NobodyAccepted, 67 Supervisor NobodyAccepted, 82 Family NobodyAccepted, 97 Suggest120 NobodyAccepted
        7 #3 finds nobody in 14400 m
        7 #3 calls Operators: NoCandidate
        7 #3 wakes at 37 SearchAgain
        ",
    );
}
