//! Arrivals: who accepted and does not come, and incidents that need more than one.

use dispatch::AssignmentState::{Cleared, EnRoute, OnScene};
use model::Kind;

use crate::story::*;

#[test]
fn who_accepted_and_does_not_move_is_asked_again_and_the_next_are_asked_too() {
    check(
        &[
            (0, free(1, 3_000)),
            (0, sos(7)),
            (0, takes("ann", 1)),
            (1, accepts(1, 1)),
            (100, free(2, 4_000)),
            (125, accepts(2, 2)),
        ],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 3000 m
        0 #1 taken by ann
        1 #1 o1 r1 accepts
        1 #1 wakes at 121 Moving r1, 901 Arrived r1
        121 #1 r1 seems NotMoving
        121 #1 calls Operators: NotMoving
        121 #1 wakes at 151 Station NobodyAccepted, 181 Supervisor NobodyAccepted, 196 Family NobodyAccepted, 211 Suggest120 NobodyAccepted
        121 #1 wave 2 in 7200 m until 141: o2 r2 4000 m
        125 #1 o2 r2 accepts
        125 #1 wakes at 245 Moving r2, 1225 Arrived r2
        ",
    );
}

#[test]
fn who_comes_after_all_calls_the_search_off() {
    check(
        &[
            (0, free(1, 3_000)),
            (0, sos(7)),
            (0, takes("ann", 1)),
            (1, accepts(1, 1)),
            (100, free(2, 4_000)),
            (125, reaches(1, 1, EnRoute)),
            (900, reaches(1, 1, OnScene)),
            (5_000, wait()),
        ],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 3000 m
        0 #1 taken by ann
        1 #1 o1 r1 accepts
        1 #1 wakes at 121 Moving r1, 901 Arrived r1
        121 #1 r1 seems NotMoving
        121 #1 calls Operators: NotMoving
        121 #1 wakes at 151 Station NobodyAccepted, 181 Supervisor NobodyAccepted, 196 Family NobodyAccepted, 211 Suggest120 NobodyAccepted
        121 #1 wave 2 in 7200 m until 141: o2 r2 4000 m
        125 #1 r1 EnRoute
        125 #1 wakes at 1025 Arrived r1
        125 #1 o2 r2 Withdrawn(\"the first helper comes after all\")
        900 #1 r1 OnScene
        ",
    );
}

#[test]
fn who_has_come_nearer_is_moving_whatever_the_app_says() {
    check(
        &[
            (0, free(1, 3_000)),
            (0, sos(7)),
            (0, takes("ann", 1)),
            (1, accepts(1, 1)),
            (110, is_seen(1, 2_900)),
            (240, reaches(1, 1, OnScene)),
            (5_000, wait()),
        ],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 3000 m
        0 #1 taken by ann
        1 #1 o1 r1 accepts
        1 #1 wakes at 121 Moving r1, 901 Arrived r1
        121 #1 wakes at 241 Moving r1
        240 #1 r1 OnScene
        ",
    );
}

#[test]
fn who_should_have_arrived_long_ago_is_asked_again() {
    check(
        &[
            (0, free(1, 3_000)),
            (0, sos(7)),
            (0, takes("ann", 1)),
            (1, accepts(1, 1)),
            (2, reaches(1, 1, EnRoute)),
            (902, reaches(1, 1, OnScene)),
        ],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 3000 m
        0 #1 taken by ann
        1 #1 o1 r1 accepts
        1 #1 wakes at 121 Moving r1, 901 Arrived r1
        2 #1 r1 EnRoute
        901 #1 r1 seems Overdue
        901 #1 calls Operators: Overdue
        901 #1 wakes at 931 Station NobodyAccepted, 961 Supervisor NobodyAccepted, 976 Family NobodyAccepted, 991 Suggest120 NobodyAccepted
        901 #1 finds nobody in 14400 m 1 busy
        901 #1 calls Operators: NoCandidate
        901 #1 wakes at 931 SearchAgain
        902 #1 r1 OnScene
        ",
    );
}

fn a_fall_needs_two() -> (i64, Step) {
    let change =
        |file: &mut dispatch::PolicyFile| file.kinds.get_mut(&Kind::Fall).expect("there").responders = 2;
    (0, policy(change))
}

#[test]
fn when_two_are_needed_the_third_is_told_when_the_second_has_accepted() {
    check(
        &[
            a_fall_needs_two(),
            (0, free(1, 100)),
            (0, free(2, 200)),
            (0, free(3, 300)),
            (0, alert(7, Kind::Fall)),
            (0, takes("ann", 1)),
            (5, accepts(2, 2)),
            (6, accepts(3, 3)),
            (7, reaches(2, 1, OnScene)),
            (8, reaches(3, 1, OnScene)),
            (9, reaches(2, 1, Cleared)),
        ],
        "
        0 policy ++
        0 #1 opened for elder 7: P1 fall
        0 #1 alert 1 fall
        0 #1 needs 2
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m, o2 r2 200 m, o3 r3 300 m
        0 #1 taken by ann
        5 #1 o2 r2 accepts
        5 #1 wakes at 125 Moving r2, 345 Arrived r2
        6 #1 o3 r3 accepts
        6 #1 wakes at 126 Moving r3, 366 Arrived r3
        6 #1 o1 r1 Withdrawn(\"somebody else was first\")
        7 #1 r2 OnScene
        8 #1 r3 OnScene
        9 #1 r2 Cleared
        ",
    );
}

#[test]
fn when_two_are_needed_and_one_is_found_the_search_goes_on() {
    check(
        &[
            a_fall_needs_two(),
            (0, free(1, 100)),
            (0, alert(7, Kind::Fall)),
            (0, takes("ann", 1)),
            (5, accepts(1, 1)),
            (6, reaches(1, 1, OnScene)),
            (8, free(2, 4_000)),
            (9, accepts(2, 2)),
            (10, reaches(2, 1, OnScene)),
        ],
        "
        0 policy ++
        0 #1 opened for elder 7: P1 fall
        0 #1 alert 1 fall
        0 #1 needs 2
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m
        0 #1 taken by ann
        5 #1 o1 r1 accepts
        5 #1 wakes at 125 Moving r1, 325 Arrived r1
        5 #1 finds nobody in 14400 m 1 busy
        5 #1 calls Operators: NoCandidate
        5 #1 wakes at 35 SearchAgain
        6 #1 r1 OnScene
        8 #1 wave 2 in 7200 m until 28: o2 r2 4000 m
        9 #1 o2 r2 accepts
        9 #1 wakes at 129 Moving r2, 1109 Arrived r2
        10 #1 r2 OnScene
        ",
    );
}

#[test]
fn an_operator_can_say_that_more_are_needed() {
    check(
        &[
            (0, free(1, 100)),
            (0, sos(7)),
            (0, free(2, 200)),
            (1, accepts(1, 1)),
            (2, triages("ann", 1, model::Priority::P1, Some(2))),
            (3, accepts(2, 2)),
            (4, triages("ann", 1, model::Priority::P1, Some(17))),
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
        2 #1 taken by ann
        2 #1 triaged by ann: P1 sos, she fell
        2 #1 needs 2
        2 #1 wakes at 32 Station NobodyAccepted, 62 Supervisor NobodyAccepted, 77 Family NobodyAccepted, 92 Suggest120 NobodyAccepted
        2 #1 wave 2 in 7200 m until 22: o2 r2 200 m
        3 #1 o2 r2 accepts
        3 #1 wakes at 123 Moving r2, 343 Arrived r2
        4 refused: Needed(17)
        ",
    );
}

#[test]
fn when_the_first_gives_up_and_the_additional_one_does_not_answer_somebody_else_is_looked_for() {
    check(
        &[
            (0, free(1, 100)),
            (0, free(2, 40_000)),
            (0, sos(7)),
            (1, accepts(1, 1)),
            (2, sends("ann", 1, &[2])),
            (5, gives_up(1, 1)),
            (6, free(3, 200)),
            (22, wait()),
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
        2 #1 taken by ann
        2 #1 wave 2 by ann in 40000 m until 22: o2 r2 40000 m
        5 #1 r1 gives up: flat tyre
        5 #1 calls Operators: Aborted
        5 #1 wakes at 35 Station NobodyAccepted, 65 Supervisor NobodyAccepted, 80 Family NobodyAccepted, 95 Suggest120 NobodyAccepted
        5 #1 finds nobody in 14400 m 1 already_asked 1 busy
        5 #1 calls Operators: NoCandidate
        5 #1 wakes at 35 SearchAgain
        22 #1 o2 r2 Expired
        22 #1 wave 3 in 7200 m until 42: o3 r3 200 m
        ",
    );
}

#[test]
fn who_says_again_that_they_are_on_the_way_is_believed_once_more_and_watched() {
    check(
        &[
            (0, free(1, 3_000)),
            (0, sos(7)),
            (0, takes("ann", 1)),
            (1, accepts(1, 1)),
            (2, reaches(1, 1, EnRoute)),
            (890, free(2, 4_000)),
            (910, reaches(1, 1, EnRoute)),
            (1_810, reaches(1, 1, OnScene)),
        ],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 3000 m
        0 #1 taken by ann
        1 #1 o1 r1 accepts
        1 #1 wakes at 121 Moving r1, 901 Arrived r1
        2 #1 r1 EnRoute
        901 #1 r1 seems Overdue
        901 #1 calls Operators: Overdue
        901 #1 wakes at 931 Station NobodyAccepted, 961 Supervisor NobodyAccepted, 976 Family NobodyAccepted, 991 Suggest120 NobodyAccepted
        901 #1 wave 2 in 7200 m until 921: o2 r2 4000 m
        910 #1 r1 EnRoute
        910 #1 wakes at 1810 Arrived r1
        910 #1 o2 r2 Withdrawn(\"the first helper comes after all\")
        1810 #1 r1 OnScene
        ",
    );
}
