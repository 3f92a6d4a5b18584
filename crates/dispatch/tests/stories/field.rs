//! The field: what responders answer and do.

use dispatch::AssignmentState::{Aborted, Assigned, Cleared, EnRoute, OnScene, Transporting};

use crate::story::*;

/// Three who are free, a press at 0 taken by an operator, and then.
fn three(mut then: Vec<(i64, Step)>) -> Vec<(i64, Step)> {
    let mut steps =
        vec![(0, free(1, 100)), (0, free(2, 200)), (0, free(3, 300)), (0, sos(7)), (0, takes("ann", 1))];
    steps.append(&mut then);
    steps
}

#[test]
fn the_first_to_accept_goes_and_all_others_are_free_again() {
    check(
        &three(vec![
            (3, accepts(2, 2)),
            (4, accepts(1, 1)),
            (5, accepts(2, 2)),
            (5, declines(2, 2)),
            (6, sos(8)),
            (200, wait()),
        ]),
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m, o2 r2 200 m, o3 r3 300 m
        0 #1 taken by ann
        3 #1 o2 r2 accepts
        3 #1 wakes at 123 Moving r2, 343 Arrived r2
        3 #1 o1 r1 Withdrawn(\"somebody else was first\")
        3 #1 o3 r3 Withdrawn(\"somebody else was first\")
        4 refused: OfferOver { offer: OfferId(1), state: Withdrawn }
        5 nothing
        5 refused: OfferOver { offer: OfferId(2), state: Accepted }
        6 #2 opened for elder 8: P1 sos
        6 #2 alert 2 sos
        6 #2 wakes at 21 RingAll NotAcknowledged, 66 Supervisor NotAcknowledged
        6 #2 calls Family: Opened
        6 #2 wakes at 36 Station NobodyAccepted, 66 Supervisor NobodyAccepted, 81 Family NobodyAccepted, 96 Suggest120 NobodyAccepted
        6 #2 wave 1 in 7200 m until 26: o4 r1 100 m, o5 r3 300 m
        21 #2 calls RingAll: NotAcknowledged
        26 #2 o4 r1 Expired
        26 #2 o5 r3 Expired
        26 #2 wave 2 in 7200 m until 46: o6 r1 100 m, o7 r3 300 m
        36 #2 calls Station: NobodyAccepted
        46 #2 o6 r1 Expired
        46 #2 o7 r3 Expired
        46 #2 wave 3 in 14400 m until 66: o8 r1 100 m, o9 r3 300 m
        66 #2 o8 r1 Expired
        66 #2 o9 r3 Expired
        66 #2 calls Supervisor: NotAcknowledged
        66 #2 wakes at 366 Supervisor NotAcknowledged
        66 #2 calls Supervisor: NobodyAccepted
        66 #2 finds nobody in 14400 m 2 already_asked 1 busy
        66 #2 calls Operators: NoCandidate
        66 #2 wakes at 96 SearchAgain
        81 #2 calls Family: NobodyAccepted
        96 #2 calls Suggest120: NobodyAccepted
        96 #2 wakes at 126 SearchAgain
        123 #1 r2 seems NotMoving
        123 #1 calls Operators: NotMoving
        123 #1 wakes at 153 Station NobodyAccepted, 183 Supervisor NobodyAccepted, 198 Family NobodyAccepted, 213 Suggest120 NobodyAccepted
        123 #1 wave 2 in 7200 m until 143: o10 r1 100 m, o11 r3 300 m
        126 #2 wakes at 156 SearchAgain
        143 #1 o10 r1 Expired
        143 #1 o11 r3 Expired
        143 #1 wave 3 in 7200 m until 163: o12 r1 100 m, o13 r3 300 m
        153 #1 calls Station: NobodyAccepted
        156 #2 wakes at 186 SearchAgain
        163 #1 o12 r1 Expired
        163 #1 o13 r3 Expired
        163 #1 wave 4 in 14400 m until 183: o14 r1 100 m, o15 r3 300 m
        183 #1 o14 r1 Expired
        183 #1 o15 r3 Expired
        183 #1 calls Supervisor: NobodyAccepted
        183 #1 finds nobody in 14400 m 2 already_asked 1 busy
        183 #1 calls Operators: NoCandidate
        183 #1 wakes at 213 SearchAgain
        186 #2 wakes at 216 SearchAgain
        198 #1 calls Family: NobodyAccepted
        ",
    );
}

#[test]
fn an_offer_is_answered_by_whom_it_was_made_to() {
    check(
        &three(vec![(3, accepts(2, 1)), (3, declines(3, 1)), (4, accepts(9, 1)), (5, accepts(1, 77))]),
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m, o2 r2 200 m, o3 r3 300 m
        0 #1 taken by ann
        3 refused: NotYourOffer { offer: OfferId(1), owner: ResponderId(1) }
        3 refused: NotYourOffer { offer: OfferId(1), owner: ResponderId(1) }
        4 refused: NotYourOffer { offer: OfferId(1), owner: ResponderId(1) }
        5 refused: NoOffer(OfferId(77))
        ",
    );
}

#[test]
fn an_offer_is_delivered_and_seen_once_and_late_news_changes_nothing() {
    check(
        &three(vec![
            (1, delivered(1)),
            (1, delivered(1)),
            (2, seen(1)),
            (2, delivered(1)),
            (3, seen(2)),
            (4, accepts(1, 1)),
            (5, seen(1)),
            (5, delivered(3)),
            (6, seen(99)),
        ]),
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m, o2 r2 200 m, o3 r3 300 m
        0 #1 taken by ann
        1 #1 o1 delivered
        1 nothing
        2 #1 o1 seen
        2 nothing
        3 #1 o2 seen
        4 #1 o1 r1 accepts
        4 #1 wakes at 124 Moving r1, 324 Arrived r1
        4 #1 o2 r2 Withdrawn(\"somebody else was first\")
        4 #1 o3 r3 Withdrawn(\"somebody else was first\")
        5 nothing
        5 nothing
        6 refused: NoOffer(OfferId(99))
        ",
    );
}

#[test]
fn a_yes_in_the_last_moment_counts() {
    check(
        &[(0, free(1, 100)), (0, sos(7)), (0, takes("ann", 1)), (20, accepts(1, 1))],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m
        0 #1 taken by ann
        20 #1 o1 r1 accepts
        20 #1 wakes at 140 Moving r1, 340 Arrived r1
        ",
    );
}

#[test]
fn a_yes_after_the_last_moment_does_not_count_and_they_are_asked_again() {
    check(
        &[(0, free(1, 100)), (0, sos(7)), (0, takes("ann", 1)), (21, accepts(1, 1))],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m
        0 #1 taken by ann
        20 #1 o1 r1 Expired
        20 #1 wave 2 in 7200 m until 40: o2 r1 100 m
        21 refused: OfferOver { offer: OfferId(1), state: Expired }
        ",
    );
}

#[test]
fn declining_twice_is_fine() {
    check(
        &three(vec![(3, declines(2, 2)), (4, declines(2, 2)), (5, accepts(2, 2))]),
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m, o2 r2 200 m, o3 r3 300 m
        0 #1 taken by ann
        3 #1 o2 r2 Declined(\"at lunch\")
        4 nothing
        5 refused: OfferOver { offer: OfferId(2), state: Declined }
        ",
    );
}

#[test]
fn steps_go_forward_only_and_the_last_one_frees() {
    check(
        &three(vec![
            (1, accepts(1, 1)),
            (2, reaches(1, 1, Assigned)),
            (3, reaches(1, 1, OnScene)),
            (4, reaches(1, 1, EnRoute)),
            (5, reaches(1, 1, OnScene)),
            (6, reaches(1, 1, Transporting)),
            (7, reaches(1, 1, Aborted)),
            (8, reaches(2, 1, EnRoute)),
            (8, reaches(1, 9, EnRoute)),
            (9, reaches(1, 1, Cleared)),
            (9, reaches(1, 1, Cleared)),
            (9, gives_up(1, 1)),
            (10, sos(8)),
        ]),
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m, o2 r2 200 m, o3 r3 300 m
        0 #1 taken by ann
        1 #1 o1 r1 accepts
        1 #1 wakes at 121 Moving r1, 321 Arrived r1
        1 #1 o2 r2 Withdrawn(\"somebody else was first\")
        1 #1 o3 r3 Withdrawn(\"somebody else was first\")
        2 nothing
        3 #1 r1 OnScene
        4 refused: StepBackwards { from: OnScene, to: EnRoute }
        5 nothing
        6 #1 r1 Transporting
        7 refused: StepBackwards { from: Transporting, to: Aborted }
        8 refused: NoAssignment { responder: ResponderId(2), incident: IncidentId(1) }
        8 refused: NoIncident(IncidentId(9))
        9 #1 r1 Cleared
        9 nothing
        9 refused: NoAssignment { responder: ResponderId(1), incident: IncidentId(1) }
        10 #2 opened for elder 8: P1 sos
        10 #2 alert 2 sos
        10 #2 wakes at 25 RingAll NotAcknowledged, 70 Supervisor NotAcknowledged
        10 #2 calls Family: Opened
        10 #2 wakes at 40 Station NobodyAccepted, 70 Supervisor NobodyAccepted, 85 Family NobodyAccepted, 100 Suggest120 NobodyAccepted
        10 #2 wave 1 in 7200 m until 30: o4 r1 100 m, o5 r2 200 m, o6 r3 300 m
        ",
    );
}

#[test]
fn who_gives_up_is_replaced_by_somebody_else_at_once() {
    check(
        &three(vec![
            (1, accepts(1, 1)),
            (2, reaches(1, 1, EnRoute)),
            (5, gives_up(1, 1)),
            (6, gives_up(1, 1)),
            (30, wait()),
        ]),
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m, o2 r2 200 m, o3 r3 300 m
        0 #1 taken by ann
        1 #1 o1 r1 accepts
        1 #1 wakes at 121 Moving r1, 321 Arrived r1
        1 #1 o2 r2 Withdrawn(\"somebody else was first\")
        1 #1 o3 r3 Withdrawn(\"somebody else was first\")
        2 #1 r1 EnRoute
        5 #1 r1 gives up: flat tyre
        5 #1 calls Operators: Aborted
        5 #1 wakes at 35 Station NobodyAccepted, 65 Supervisor NobodyAccepted, 80 Family NobodyAccepted, 95 Suggest120 NobodyAccepted
        5 #1 wave 2 in 7200 m until 25: o4 r2 200 m, o5 r3 300 m
        6 nothing
        25 #1 o4 r2 Expired
        25 #1 o5 r3 Expired
        25 #1 wave 3 in 7200 m until 45: o6 r2 200 m, o7 r3 300 m
        ",
    );
}

#[test]
fn while_another_helper_goes_nobody_replaces_the_one_who_gives_up() {
    check(
        &three(vec![
            (1, accepts(1, 1)),
            (2, sends("ann", 1, &[2])),
            (3, accepts(2, 4)),
            (5, gives_up(1, 1)),
            (60, wait()),
        ]),
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m, o2 r2 200 m, o3 r3 300 m
        0 #1 taken by ann
        1 #1 o1 r1 accepts
        1 #1 wakes at 121 Moving r1, 321 Arrived r1
        1 #1 o2 r2 Withdrawn(\"somebody else was first\")
        1 #1 o3 r3 Withdrawn(\"somebody else was first\")
        2 #1 wave 2 by ann in 200 m until 22: o4 r2 200 m
        3 #1 o4 r2 accepts
        3 #1 wakes at 123 Moving r2, 343 Arrived r2
        5 #1 r1 gives up: flat tyre
        5 #1 calls Operators: Aborted
        ",
    );
}

#[test]
fn who_leaves_with_an_open_offer_has_declined_it() {
    check(
        &three(vec![
            (1, goes_home(1)),
            (2, rests(2)),
            (3, goes_home(3)),
            (4, comes(1)),
            (4, comes(1)),
            (40, wait()),
        ]),
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m, o2 r2 200 m, o3 r3 300 m
        0 #1 taken by ann
        1 r1 OffDuty
        1 #1 o1 r1 Declined(\"went off duty\")
        2 r2 OnBreak
        2 #1 o2 r2 Declined(\"went off duty\")
        3 r3 OffDuty
        3 #1 o3 r3 Declined(\"went off duty\")
        3 #1 finds nobody in 14400 m 1 on_break 2 off_duty
        3 #1 calls Operators: NoCandidate
        3 #1 wakes at 33 SearchAgain
        4 r1 OnDuty
        4 nothing
        30 #1 calls Station: NobodyAccepted
        33 #1 wakes at 63 SearchAgain
        ",
    );
}

#[test]
fn who_goes_off_duty_on_the_way_still_goes_and_is_off_duty_when_done() {
    check(
        &three(vec![
            (1, accepts(1, 1)),
            (2, goes_home(1)),
            (3, restart()),
            (4, reaches(1, 1, Cleared)),
            (5, sos(8)),
        ]),
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m, o2 r2 200 m, o3 r3 300 m
        0 #1 taken by ann
        1 #1 o1 r1 accepts
        1 #1 wakes at 121 Moving r1, 321 Arrived r1
        1 #1 o2 r2 Withdrawn(\"somebody else was first\")
        1 #1 o3 r3 Withdrawn(\"somebody else was first\")
        2 r1 OffDuty
        4 #1 r1 Cleared
        5 #2 opened for elder 8: P1 sos
        5 #2 alert 2 sos
        5 #2 wakes at 20 RingAll NotAcknowledged, 65 Supervisor NotAcknowledged
        5 #2 calls Family: Opened
        5 #2 wakes at 35 Station NobodyAccepted, 65 Supervisor NobodyAccepted, 80 Family NobodyAccepted, 95 Suggest120 NobodyAccepted
        5 #2 wave 1 in 7200 m until 25: o4 r2 200 m, o5 r3 300 m
        ",
    );
}

#[test]
fn nobody_comes_on_duty_who_is_not_in_the_roster() {
    check(
        &[(0, comes(9)), (1, comes(4_000_000_000))],
        "
        0 refused: NoResponder(ResponderId(9))
        1 refused: NoResponder(ResponderId(4000000000))
        ",
    );
}
