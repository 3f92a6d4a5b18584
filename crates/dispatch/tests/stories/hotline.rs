//! The hotline: two at one incident, triage, other services, and opening again.

use dispatch::{AssignmentState::Cleared, EscalationStep, Service};
use model::{Kind, Priority};

use crate::story::*;

#[test]
fn what_somebody_has_taken_another_must_take_over_with_a_reason() {
    check(
        &[
            (0, free(1, 100)),
            (0, alert(7, Kind::DoorOpen)),
            (1, takes("ann", 1)),
            (2, sends("bob", 1, &[1])),
            (3, resolves("bob", 1)),
            (4, takes_over("bob", 1, " ")),
            (5, takes_over("bob", 1, "ann is on the phone")),
            (6, takes("ann", 1)),
            (7, sends("bob", 1, &[1])),
            (8, notes("ann", 1)),
        ],
        "
        0 #1 opened for elder 7: P3 door_open
        0 #1 alert 1 door_open
        0 #1 wakes at 300 RingAll NotAcknowledged
        0 #1 calls Operators: OperatorDecides
        1 #1 taken by ann
        2 refused: Taken { incident: IncidentId(1), operator: \"ann\" }
        3 refused: Taken { incident: IncidentId(1), operator: \"ann\" }
        4 refused: NoReason(\"taking it over\")
        5 #1 taken over by bob from ann: ann is on the phone
        6 refused: Taken { incident: IncidentId(1), operator: \"bob\" }
        7 #1 wakes at 307 Operators NobodyAccepted
        7 #1 wave 1 by bob in 100 m until 127: o1 r1 100 m
        8 #1 noted by ann: speaks Hakka
        ",
    );
}

#[test]
fn whoever_acts_first_has_taken_it() {
    check(
        &[
            (0, alert(7, Kind::DoorOpen)),
            (1, hands_over("ann", 1, Service::Police)),
            (2, resolves("bob", 1)),
            (3, hands_over("ann", 1, Service::Police)),
        ],
        "
        0 #1 opened for elder 7: P3 door_open
        0 #1 alert 1 door_open
        0 #1 wakes at 300 RingAll NotAcknowledged
        0 #1 calls Operators: OperatorDecides
        1 #1 taken by ann
        1 #1 handed to 110 by ann
        2 refused: Taken { incident: IncidentId(1), operator: \"ann\" }
        3 nothing
        ",
    );
}

#[test]
fn triage_to_the_most_urgent_sends_at_once_and_lifts_a_hold() {
    check(
        &[
            (0, free(1, 100)),
            (0, retained(alert(7, Kind::DoorOpen))),
            (5, triages("ann", 1, Priority::P1, None)),
            (6, triages("bob", 1, Priority::P3, None)),
        ],
        "
        0 #1 opened for elder 7: P3 door_open, held Retained
        0 #1 alert 1 door_open, held Retained
        0 #1 wakes at 300 RingAll NotAcknowledged
        0 #1 calls Operators: Retained
        5 #1 taken by ann
        5 #1 triaged by ann: P1 door_open, she fell
        5 #1 calls Family: Opened
        5 #1 wakes at 35 Station NobodyAccepted, 65 Supervisor NobodyAccepted, 80 Family NobodyAccepted, 95 Suggest110 NobodyAccepted
        5 #1 wave 1 in 7200 m until 25: o1 r1 100 m
        6 refused: Taken { incident: IncidentId(1), operator: \"ann\" }
        ",
    );
}

#[test]
fn triage_to_less_urgent_leaves_those_who_were_asked_and_calls_humans_later() {
    check(
        &[(0, free(1, 100)), (0, sos(7)), (5, triages("ann", 1, Priority::P2, None)), (26, wait())],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m
        5 #1 taken by ann
        5 #1 triaged by ann: P2 sos, she fell
        5 #1 wakes at 125 Station NobodyAccepted, 185 Supervisor NobodyAccepted
        20 #1 o1 r1 Expired
        20 #1 wave 2 in 14400 m until 50: o2 r1 100 m
        ",
    );
}

#[test]
fn a_service_that_was_called_is_not_suggested_again() {
    check(
        &[(0, alert(7, Kind::Smoke)), (10, hands_over("ann", 1, Service::FireBrigade)), (100, wait())],
        "
        0 #1 opened for elder 7: P1 smoke
        0 #1 alert 1 smoke
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest119 NobodyAccepted
        0 #1 finds nobody in 14400 m
        0 #1 calls Operators: NoCandidate
        0 #1 wakes at 30 SearchAgain
        10 #1 taken by ann
        10 #1 handed to 119 by ann
        30 #1 calls Station: NobodyAccepted
        30 #1 wakes at 60 SearchAgain
        60 #1 calls Supervisor: NobodyAccepted
        60 #1 wakes at 90 SearchAgain
        75 #1 calls Family: NobodyAccepted
        90 #1 wakes at 120 SearchAgain
        ",
    );
}

#[test]
fn an_operator_calls_the_family_and_says_what_to_tell_them() {
    check(
        &[
            (0, alert(7, Kind::DoorOpen)),
            (1, escalates("ann", 1, EscalationStep::Family, "bring the key")),
            (2, escalates("bob", 1, EscalationStep::Supervisor, "")),
        ],
        "
        0 #1 opened for elder 7: P3 door_open
        0 #1 alert 1 door_open
        0 #1 wakes at 300 RingAll NotAcknowledged
        0 #1 calls Operators: OperatorDecides
        1 #1 taken by ann
        1 #1 calls Family: OperatorAsks
        1 #1 noted by ann: bring the key
        2 refused: Taken { incident: IncidentId(1), operator: \"ann\" }
        ",
    );
}

#[test]
fn what_was_resolved_too_soon_is_reopened_with_a_reason() {
    check(
        &[
            (0, alert(7, Kind::DoorOpen)),
            (1, resolves("ann", 1)),
            (2, reopens("bob", 1, "")),
            (3, reopens("bob", 1, "she called again")),
            (4, reopens("bob", 1, "she called again")),
            (5, alert(7, Kind::WaterLeak)),
            (900, wait()),
        ],
        "
        0 #1 opened for elder 7: P3 door_open
        0 #1 alert 1 door_open
        0 #1 wakes at 300 RingAll NotAcknowledged
        0 #1 calls Operators: OperatorDecides
        1 #1 taken by ann
        1 #1 resolved by ann: Served
        1 #1 calls Family: Resolved
        1 #1 wakes at 601 Close
        2 refused: NoReason(\"reopening\")
        3 #1 reopened by bob: she called again
        4 refused: WrongState { incident: IncidentId(1), state: Acknowledged, remedy: \"it is open\" }
        5 #1 alert 2 water_leak
        5 #1 calls Operators: OperatorDecides
        ",
    );
}

#[test]
fn whom_policy_would_have_sent_is_written_down_when_an_operator_sends_another() {
    check(
        &[(0, free(1, 100)), (0, free(2, 900)), (0, alert(7, Kind::DoorOpen)), (1, sends("ann", 1, &[2]))],
        "
        0 #1 opened for elder 7: P3 door_open
        0 #1 alert 1 door_open
        0 #1 wakes at 300 RingAll NotAcknowledged
        0 #1 calls Operators: OperatorDecides
        1 #1 taken by ann
        1 #1 wakes at 301 Operators NobodyAccepted
        1 #1 wave 1 by ann instead of r1 in 900 m until 121: o1 r2 900 m
        ",
    );
}

#[test]
fn what_was_reopened_takes_alerts_although_a_newer_one_is_closed_already() {
    check(
        &[
            (0, alert(7, Kind::DoorOpen)),
            (1, resolves("ann", 1)),
            (2, alert(7, Kind::DoorOpen)),
            (3, resolves("ann", 2)),
            (4, closes("ann", 2)),
            (5, reopens("ann", 1, "too soon")),
            (6, alert(7, Kind::DoorOpen)),
        ],
        "
        0 #1 opened for elder 7: P3 door_open
        0 #1 alert 1 door_open
        0 #1 wakes at 300 RingAll NotAcknowledged
        0 #1 calls Operators: OperatorDecides
        1 #1 taken by ann
        1 #1 resolved by ann: Served
        1 #1 calls Family: Resolved
        1 #1 wakes at 601 Close
        2 #2 opened for elder 7: P3 door_open
        2 #2 alert 2 door_open
        2 #2 wakes at 302 RingAll NotAcknowledged
        2 #2 calls Operators: OperatorDecides
        3 #2 taken by ann
        3 #2 resolved by ann: Served
        3 #2 calls Family: Resolved
        3 #2 wakes at 603 Close
        4 #2 closed by ann
        5 #1 reopened by ann: too soon
        6 #1 alert 3 door_open
        6 #1 calls Operators: OperatorDecides
        ",
    );
}

#[test]
fn the_nearest_can_be_sent_once_more_after_the_first_is_done() {
    check(
        &[
            (0, free(1, 100)),
            (0, sos(7)),
            (1, takes("ann", 1)),
            (2, accepts(1, 1)),
            (3, reaches(1, 1, Cleared)),
            (4, sends("ann", 1, &[])),
            (30, wait()),
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
        4 #1 wakes at 34 Station NobodyAccepted, 64 Supervisor NobodyAccepted, 79 Family NobodyAccepted, 94 Suggest120 NobodyAccepted
        4 #1 wave 2 by ann in 7200 m until 24: o2 r1 100 m
        24 #1 o2 r1 Expired
        24 #1 wave 3 in 7200 m until 44: o3 r1 100 m
        ",
    );
}

#[test]
fn a_search_that_begins_anew_says_again_that_nobody_is_there() {
    check(
        &[
            (0, sos(7)),
            (1, resolves("ann", 1)),
            (2, reopens("ann", 1, "too soon")),
            (3, sends("ann", 1, &[])),
        ],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 finds nobody in 14400 m
        0 #1 calls Operators: NoCandidate
        0 #1 wakes at 30 SearchAgain
        1 #1 taken by ann
        1 #1 resolved by ann: Served
        1 #1 wakes at 601 Close
        2 #1 reopened by ann: too soon
        3 #1 wakes at 33 Station NobodyAccepted, 63 Supervisor NobodyAccepted, 78 Family NobodyAccepted, 93 Suggest120 NobodyAccepted
        3 #1 finds nobody by ann in 14400 m
        3 #1 calls Operators: NoCandidate
        3 #1 wakes at 33 SearchAgain
        ",
    );
}

#[test]
fn triage_that_makes_it_more_urgent_does_not_wait_for_an_answer_that_is_out() {
    check(
        &[
            (0, free(1, 100)),
            (0, free(2, 200)),
            (0, alert(7, Kind::DoorOpen)),
            (1, sends("ann", 1, &[1])),
            (5, triages("ann", 1, Priority::P1, None)),
        ],
        "
        0 #1 opened for elder 7: P3 door_open
        0 #1 alert 1 door_open
        0 #1 wakes at 300 RingAll NotAcknowledged
        0 #1 calls Operators: OperatorDecides
        1 #1 taken by ann
        1 #1 wakes at 301 Operators NobodyAccepted
        1 #1 wave 1 by ann in 100 m until 121: o1 r1 100 m
        5 #1 triaged by ann: P1 door_open, she fell
        5 #1 calls Family: Opened
        5 #1 wakes at 35 Station NobodyAccepted, 65 Supervisor NobodyAccepted, 80 Family NobodyAccepted, 95 Suggest110 NobodyAccepted
        5 #1 wave 2 in 7200 m until 25: o2 r2 200 m
        ",
    );
}

#[test]
fn triage_in_the_call_back_sends_somebody_and_so_does_saying_that_two_must_go() {
    check(
        &[
            (0, free(1, 100)),
            (0, alert(7, Kind::Inactivity)),
            (5, triages("ann", 1, Priority::P2, None)),
            (6, accepts(1, 1)),
            (7, free(2, 200)),
            (8, triages("ann", 1, Priority::P2, Some(2))),
        ],
        "
        0 #1 opened for elder 7: P2 inactivity
        0 #1 alert 1 inactivity
        0 #1 wakes at 60 RingAll NotAcknowledged
        0 #1 wakes at 60 CallBack
        5 #1 taken by ann
        5 #1 triaged by ann: P2 inactivity, she fell
        5 #1 wakes at 125 Station NobodyAccepted, 185 Supervisor NobodyAccepted
        5 #1 wave 1 in 14400 m until 35: o1 r1 100 m
        5 #1 calls Family: Dispatched
        6 #1 o1 r1 accepts
        6 #1 wakes at 306 Moving r1, 626 Arrived r1
        8 #1 triaged by ann: P2 inactivity, she fell
        8 #1 needs 2
        8 #1 wakes at 128 Station NobodyAccepted, 188 Supervisor NobodyAccepted
        8 #1 wave 2 in 14400 m until 38: o2 r2 200 m
        ",
    );
}

#[test]
fn after_the_helpers_are_done_the_one_sent_next_is_waited_for_by_the_supervisor_too() {
    check(
        &[
            (0, free(1, 100)),
            (0, sos(7)),
            (1, takes("ann", 1)),
            (2, accepts(1, 1)),
            (3, reaches(1, 1, Cleared)),
            (4, sends("ann", 1, &[1])),
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
        4 #1 wakes at 34 Station NobodyAccepted, 64 Supervisor NobodyAccepted, 79 Family NobodyAccepted, 94 Suggest120 NobodyAccepted
        4 #1 wave 2 by ann in 100 m until 24: o2 r1 100 m
        ",
    );
}
