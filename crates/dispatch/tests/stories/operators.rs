//! Operators: what the hotline does to an incident.

use dispatch::AssignmentState::{EnRoute, OnScene};
use model::Kind;

use crate::story::*;

#[test]
fn taking_it_stops_the_ring_and_a_second_operator_is_told_who_has_it() {
    check(
        &[
            (0, alert(7, Kind::DoorOpen)),
            (9, takes("ann", 1)),
            (10, takes("bob", 1)),
            (11, takes("ann", 1)),
            (9000, wait()),
        ],
        "
        0 #1 opened for elder 7: P3 door_open
        0 #1 alert 1 door_open
        0 #1 wakes at 300 RingAll NotAcknowledged
        0 #1 calls Operators: OperatorDecides
        9 #1 taken by ann
        10 refused: Taken { incident: IncidentId(1), operator: \"ann\" }
        11 nothing
        ",
    );
}

#[test]
fn an_operator_names_whom_to_send_and_who_is_busy_is_skipped() {
    check(
        &[
            (0, free(1, 100)),
            (0, sos(8)),
            (0, free(2, 50_000)),
            (0, at_home(3, 10)),
            (1, alert(7, Kind::DoorOpen)),
            (2, sends("ann", 2, &[1, 2, 3])),
        ],
        "
        0 #1 opened for elder 8: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m
        1 #2 opened for elder 7: P3 door_open
        1 #2 alert 2 door_open
        1 #2 wakes at 301 RingAll NotAcknowledged
        1 #2 calls Operators: OperatorDecides
        2 #2 taken by ann
        2 #2 wakes at 302 Operators NobodyAccepted
        2 #2 wave 1 by ann in 50000 m until 122: o2 r2 50000 m
        ",
    );
}

#[test]
fn when_one_of_the_named_is_unknown_nobody_is_asked() {
    check(
        &[
            (0, free(1, 100)),
            (1, alert(7, Kind::DoorOpen)),
            (2, sends("ann", 1, &[1, 99])),
            (3, nowhere(alert(8, Kind::DoorOpen))),
            (4, sends("ann", 2, &[1, 99])),
            (5, sends("ann", 2, &[1])),
        ],
        "
        1 #1 opened for elder 7: P3 door_open
        1 #1 alert 1 door_open
        1 #1 wakes at 301 RingAll NotAcknowledged
        1 #1 calls Operators: OperatorDecides
        2 refused: NoResponder(ResponderId(99))
        3 #2 opened for elder 8: P3 door_open, nowhere
        3 #2 alert 2 door_open
        3 #2 wakes at 303 RingAll NotAcknowledged
        3 #2 calls Operators: OperatorDecides
        4 refused: NoResponder(ResponderId(99))
        5 #2 taken by ann
        5 #2 wakes at 305 Operators NobodyAccepted
        5 #2 wave 1 by ann in 0 m until 125: o1 r1 0 m
        ",
    );
}

#[test]
fn when_none_of_the_named_is_free_the_operator_is_told() {
    check(
        &[(0, free(1, 100)), (0, sos(8)), (1, alert(7, Kind::DoorOpen)), (2, sends("ann", 2, &[1]))],
        "
        0 #1 opened for elder 8: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m
        1 #2 opened for elder 7: P3 door_open
        1 #2 alert 2 door_open
        1 #2 wakes at 301 RingAll NotAcknowledged
        1 #2 calls Operators: OperatorDecides
        2 refused: NobodyFree
        ",
    );
}

#[test]
fn nobody_gets_two_offers_for_one_incident() {
    check(
        &[
            (0, free(1, 100)),
            (0, alert(7, Kind::DoorOpen)),
            (2, sends("ann", 1, &[1, 1])),
            (3, sends("ann", 1, &[1])),
            (4, accepts(1, 1)),
            (5, sends("ann", 1, &[1])),
            (6, sos(8)),
        ],
        "
        0 #1 opened for elder 7: P3 door_open
        0 #1 alert 1 door_open
        0 #1 wakes at 300 RingAll NotAcknowledged
        0 #1 calls Operators: OperatorDecides
        2 #1 taken by ann
        2 #1 wakes at 302 Operators NobodyAccepted
        2 #1 wave 1 by ann in 100 m until 122: o1 r1 100 m
        3 refused: NobodyFree
        4 #1 o1 r1 accepts
        4 #1 wakes at 1824 Arrived r1
        5 refused: NobodyFree
        6 #2 opened for elder 8: P1 sos
        6 #2 alert 2 sos
        6 #2 wakes at 21 RingAll NotAcknowledged, 66 Supervisor NotAcknowledged
        6 #2 calls Family: Opened
        6 #2 wakes at 36 Station NobodyAccepted, 66 Supervisor NobodyAccepted, 81 Family NobodyAccepted, 96 Suggest120 NobodyAccepted
        6 #2 finds nobody in 14400 m 1 busy
        6 #2 calls Operators: NoCandidate
        6 #2 wakes at 36 SearchAgain
        ",
    );
}

#[test]
fn an_operator_names_sixty_four_at_most_and_nobody_else_is_claimed() {
    let mut steps: Vec<_> = (0..70).map(|responder| (0, free(responder, 100))).collect();
    let all: Vec<u32> = (0..70).collect();
    steps.extend([(0, alert(7, Kind::DoorOpen)), (1, sends("ann", 1, &all)), (2, resolves("ann", 1))]);
    let mut world = World::new();
    for (second, step) in steps {
        world.play(at(second), &step);
    }
    let offers = world.told().iter().filter(|line| line.ends_with("resolved\")")).count();
    assert_eq!(offers, 64, "{:#?}", world.told());
}

#[test]
fn an_operator_lets_policy_choose() {
    check(
        &[
            (0, free(1, 100)),
            (0, free(2, 200)),
            (0, alert(7, Kind::DoorOpen)),
            (2, sends("ann", 1, &[])),
            (3, accepts(1, 1)),
            (4, sends("ann", 1, &[])),
        ],
        "
        0 #1 opened for elder 7: P3 door_open
        0 #1 alert 1 door_open
        0 #1 wakes at 300 RingAll NotAcknowledged
        0 #1 calls Operators: OperatorDecides
        2 #1 taken by ann
        2 #1 wakes at 302 Operators NobodyAccepted
        2 #1 wave 1 by ann in 28800 m until 122: o1 r1 100 m
        3 #1 o1 r1 accepts
        3 #1 wakes at 1823 Arrived r1
        4 refused: AlreadyAssigned(IncidentId(1))
        ",
    );
}

#[test]
fn an_operator_who_searches_in_vain_is_told_every_time() {
    check(
        &[(0, alert(7, Kind::DoorOpen)), (2, sends("ann", 1, &[])), (3, sends("ann", 1, &[]))],
        "
        0 #1 opened for elder 7: P3 door_open
        0 #1 alert 1 door_open
        0 #1 wakes at 300 RingAll NotAcknowledged
        0 #1 calls Operators: OperatorDecides
        2 #1 taken by ann
        2 #1 wakes at 302 Operators NobodyAccepted
        2 #1 finds nobody by ann in 28800 m
        2 #1 calls Operators: NoCandidate
        2 #1 wakes at 32 SearchAgain
        3 #1 finds nobody by ann in 28800 m
        3 #1 calls Operators: NoCandidate
        3 #1 wakes at 63 SearchAgain
        ",
    );
}

#[test]
fn policy_needs_a_place_and_an_operator_who_names_somebody_does_not() {
    check(
        &[
            (0, free(1, 100)),
            (0, nowhere(sos(7))),
            (2, sends("ann", 1, &[])),
            (3, sends("ann", 1, &[1])),
            (23, wait()),
        ],
        "
        0 #1 opened for elder 7: P1 sos, nowhere
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 calls Operators: NoPlace
        2 refused: NoPlace(IncidentId(1))
        3 #1 taken by ann
        3 #1 wave 1 by ann in 0 m until 23: o1 r1 0 m
        23 #1 o1 r1 Expired
        23 #1 calls Operators: NoPlace
        ",
    );
}

#[test]
fn an_additional_helper_who_does_not_answer_is_not_searched_for() {
    check(
        &[
            (0, free(1, 100)),
            (0, sos(7)),
            (1, accepts(1, 1)),
            (2, free(2, 200)),
            (2, free(3, 300)),
            (3, sends("ann", 1, &[2])),
            (400, wait()),
        ],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m
        1 #1 o1 r1 accepts
        1 #1 wakes at 121 Moving r1, 321 Arrived r1
        3 #1 taken by ann
        3 #1 wave 2 by ann in 200 m until 23: o2 r2 200 m
        23 #1 o2 r2 Expired
        121 #1 r1 seems NotMoving
        121 #1 calls Operators: NotMoving
        121 #1 wakes at 151 Station NobodyAccepted, 181 Supervisor NobodyAccepted, 196 Family NobodyAccepted, 211 Suggest120 NobodyAccepted
        121 #1 wave 3 in 7200 m until 141: o3 r3 300 m
        141 #1 o3 r3 Expired
        141 #1 wave 4 in 14400 m until 161: o4 r2 200 m, o5 r3 300 m
        151 #1 calls Station: NobodyAccepted
        161 #1 o4 r2 Expired
        161 #1 o5 r3 Expired
        161 #1 wave 5 in 14400 m until 181: o6 r2 200 m, o7 r3 300 m
        181 #1 o6 r2 Expired
        181 #1 o7 r3 Expired
        181 #1 calls Supervisor: NobodyAccepted
        181 #1 finds nobody in 14400 m 2 already_asked 1 busy
        181 #1 calls Operators: NoCandidate
        181 #1 wakes at 211 SearchAgain
        196 #1 calls Family: NobodyAccepted
        211 #1 calls Suggest120: NobodyAccepted
        211 #1 wakes at 241 SearchAgain
        241 #1 wakes at 271 SearchAgain
        271 #1 wakes at 301 SearchAgain
        301 #1 wakes at 331 SearchAgain
        321 #1 r1 seems Overdue
        321 #1 calls Operators: Overdue
        331 #1 wakes at 361 SearchAgain
        361 #1 wakes at 391 SearchAgain
        391 #1 wakes at 421 SearchAgain
        ",
    );
}

#[test]
fn withdrawing_frees_all_and_a_press_afterwards_asks_again() {
    check(
        &[(0, free(1, 100)), (0, sos(7)), (3, withdraws("ann", 1)), (10, takes("ann", 1)), (200, sos(7))],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m
        3 #1 taken by ann
        3 #1 o1 r1 Withdrawn(\"all is well\")
        3 #1 search stopped by ann
        10 nothing
        200 #1 alert 2 sos
        200 #1 wakes at 230 Station NobodyAccepted, 260 Supervisor NobodyAccepted, 275 Family NobodyAccepted, 290 Suggest120 NobodyAccepted
        200 #1 wave 2 in 7200 m until 220: o2 r1 100 m
        ",
    );
}

#[test]
fn resolving_frees_everybody_whatever_they_do() {
    check(
        &[
            (0, free(1, 100)),
            (0, free(2, 200)),
            (0, free(3, 300)),
            (0, free(4, 400)),
            (0, sos(7)),
            (1, accepts(1, 1)),
            (2, reaches(1, 1, OnScene)),
            (3, sends("ann", 1, &[2])),
            (4, accepts(2, 4)),
            (5, reaches(2, 1, EnRoute)),
            (6, sends("ann", 1, &[3])),
            (7, resolves("ann", 1)),
            (8, accepts(3, 5)),
            (9, reaches(2, 1, OnScene)),
            (10, sos(8)),
        ],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m, o2 r2 200 m, o3 r3 300 m
        1 #1 o1 r1 accepts
        1 #1 wakes at 121 Moving r1, 321 Arrived r1
        1 #1 o2 r2 Withdrawn(\"somebody else was first\")
        1 #1 o3 r3 Withdrawn(\"somebody else was first\")
        2 #1 r1 OnScene
        3 #1 taken by ann
        3 #1 wave 2 by ann in 200 m until 23: o4 r2 200 m
        4 #1 o4 r2 accepts
        4 #1 wakes at 124 Moving r2, 344 Arrived r2
        5 #1 r2 EnRoute
        6 #1 wave 3 by ann in 300 m until 26: o5 r3 300 m
        7 #1 o5 r3 Withdrawn(\"the incident is resolved\")
        7 #1 r1 Cleared
        7 #1 r2 gives up: the incident is resolved
        7 #1 resolved by ann: Served
        7 #1 wakes at 607 Close
        8 refused: OfferOver { offer: OfferId(5), state: Withdrawn }
        9 refused: NoAssignment { responder: ResponderId(2), incident: IncidentId(1) }
        10 #2 opened for elder 8: P1 sos
        10 #2 alert 2 sos
        10 #2 wakes at 25 RingAll NotAcknowledged, 70 Supervisor NotAcknowledged
        10 #2 calls Family: Opened
        10 #2 wakes at 40 Station NobodyAccepted, 70 Supervisor NobodyAccepted, 85 Family NobodyAccepted, 100 Suggest120 NobodyAccepted
        10 #2 wave 1 in 7200 m until 30: o6 r1 100 m, o7 r2 200 m, o8 r3 300 m
        ",
    );
}

#[test]
fn what_is_resolved_closes_by_itself_after_ten_minutes() {
    check(
        &[
            (0, alert(7, Kind::DoorOpen)),
            (5, resolves("ann", 1)),
            (604, notes("ann", 1)),
            (606, notes("ann", 1)),
        ],
        "
        0 #1 opened for elder 7: P3 door_open
        0 #1 alert 1 door_open
        0 #1 wakes at 300 RingAll NotAcknowledged
        0 #1 calls Operators: OperatorDecides
        5 #1 taken by ann
        5 #1 resolved by ann: Served
        5 #1 calls Family: Resolved
        5 #1 wakes at 605 Close
        604 #1 noted by ann: speaks Hakka
        605 #1 closed by itself
        606 refused: NoIncident(IncidentId(1))
        ",
    );
}

#[test]
fn closing_needs_an_end_and_what_is_over_cannot_be_worked_on() {
    check(
        &[
            (0, free(1, 100)),
            (0, alert(7, Kind::DoorOpen)),
            (1, closes("ann", 1)),
            (2, resolves("ann", 1)),
            (3, resolves("bob", 1)),
            (3, takes("bob", 1)),
            (3, withdraws("bob", 1)),
            (3, sends("bob", 1, &[1])),
            (4, closes("ann", 1)),
            (5, closes("ann", 1)),
        ],
        "
        0 #1 opened for elder 7: P3 door_open
        0 #1 alert 1 door_open
        0 #1 wakes at 300 RingAll NotAcknowledged
        0 #1 calls Operators: OperatorDecides
        1 refused: WrongState { incident: IncidentId(1), state: New, remedy: \"say how it ended first (ResolveIncident)\" }
        2 #1 taken by ann
        2 #1 resolved by ann: Served
        2 #1 calls Family: Resolved
        2 #1 wakes at 602 Close
        3 refused: WrongState { incident: IncidentId(1), state: Resolved, remedy: \"it is over already; add a note instead\" }
        3 refused: WrongState { incident: IncidentId(1), state: Resolved, remedy: \"it needs nobody any more\" }
        3 refused: WrongState { incident: IncidentId(1), state: Resolved, remedy: \"reopen it first\" }
        3 refused: WrongState { incident: IncidentId(1), state: Resolved, remedy: \"open a new incident to send somebody\" }
        4 #1 closed by ann
        5 refused: NoIncident(IncidentId(1))
        ",
    );
}

#[test]
fn an_operator_who_finds_nobody_else_does_not_put_off_the_next_wave() {
    check(
        &[(0, free(1, 100)), (0, sos(7)), (10, sends("ann", 1, &[])), (15, free(2, 200)), (20, wait())],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m
        10 #1 taken by ann
        10 #1 finds nobody by ann in 14400 m 1 busy
        10 #1 calls Operators: NoCandidate
        10 #1 wakes at 40 SearchAgain
        20 #1 o1 r1 Expired
        20 #1 wave 2 in 7200 m until 40: o2 r2 200 m
        ",
    );
}
