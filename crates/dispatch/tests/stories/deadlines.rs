//! Deadlines: what happens when nobody did anything in time, and after a stop.

use model::Kind;

use dispatch::AssignmentState::OnScene;

use crate::story::*;

#[test]
fn what_no_operator_takes_rings_everywhere_then_the_supervisor_and_never_falls_silent() {
    check(
        &[
            (0, free(1, 100)),
            (0, sos(7)),
            (1, accepts(1, 1)),
            (2, reaches(1, 1, OnScene)),
            (1000, wait()),
            (1001, takes("ann", 1)),
            (9000, wait()),
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
        2 #1 r1 OnScene
        15 #1 calls RingAll: NotAcknowledged
        60 #1 calls Supervisor: NotAcknowledged
        60 #1 wakes at 360 Supervisor NotAcknowledged
        360 #1 calls Supervisor: NotAcknowledged
        360 #1 wakes at 660 Supervisor NotAcknowledged
        660 #1 calls Supervisor: NotAcknowledged
        660 #1 wakes at 960 Supervisor NotAcknowledged
        960 #1 calls Supervisor: NotAcknowledged
        960 #1 wakes at 1260 Supervisor NotAcknowledged
        1001 #1 taken by ann
        ",
    );
}

#[test]
fn when_nobody_accepts_the_supervisor_is_called_and_then_120_suggested() {
    check(
        &[(0, sos(7)), (0, takes("ann", 1)), (300, wait())],
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
        60 #1 calls Supervisor: NobodyAccepted
        60 #1 wakes at 90 SearchAgain
        75 #1 calls Family: NobodyAccepted
        90 #1 calls Suggest120: NobodyAccepted
        90 #1 wakes at 120 SearchAgain
        120 #1 wakes at 150 SearchAgain
        150 #1 wakes at 180 SearchAgain
        180 #1 wakes at 210 SearchAgain
        210 #1 wakes at 240 SearchAgain
        240 #1 wakes at 270 SearchAgain
        270 #1 wakes at 300 SearchAgain
        300 #1 wakes at 330 SearchAgain
        ",
    );
}

#[test]
fn both_stop_when_somebody_accepts_and_begin_anew_when_they_give_up() {
    check(
        &[
            (0, free(1, 100)),
            (0, sos(7)),
            (0, takes("ann", 1)),
            (10, accepts(1, 1)),
            (100, gives_up(1, 1)),
            (200, wait()),
        ],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m
        0 #1 taken by ann
        10 #1 o1 r1 accepts
        10 #1 wakes at 130 Moving r1, 330 Arrived r1
        100 #1 r1 gives up: flat tyre
        100 #1 calls Operators: Aborted
        100 #1 wakes at 130 Station NobodyAccepted, 160 Supervisor NobodyAccepted, 175 Family NobodyAccepted, 190 Suggest120 NobodyAccepted
        100 #1 finds nobody in 14400 m 1 already_asked
        100 #1 calls Operators: NoCandidate
        100 #1 wakes at 130 SearchAgain
        130 #1 calls Station: NobodyAccepted
        130 #1 wakes at 160 SearchAgain
        160 #1 calls Supervisor: NobodyAccepted
        160 #1 wakes at 190 SearchAgain
        175 #1 calls Family: NobodyAccepted
        190 #1 calls Suggest120: NobodyAccepted
        190 #1 wakes at 220 SearchAgain
        ",
    );
}

#[test]
fn after_a_stop_of_ten_minutes_everything_due_comes_at_once_in_the_order_it_was_due() {
    check(
        &[
            (0, free(1, 100)),
            (0, free(2, 200)),
            (0, free(3, 300)),
            (0, free(4, 400)),
            (0, sos(7)),
            (10, sos(8)),
            (600, restart()),
            (620, wait()),
        ],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m, o2 r2 200 m, o3 r3 300 m
        10 #2 opened for elder 8: P1 sos
        10 #2 alert 2 sos
        10 #2 wakes at 25 RingAll NotAcknowledged, 70 Supervisor NotAcknowledged
        10 #2 calls Family: Opened
        10 #2 wakes at 40 Station NobodyAccepted, 70 Supervisor NobodyAccepted, 85 Family NobodyAccepted, 100 Suggest120 NobodyAccepted
        10 #2 wave 1 in 7200 m until 30: o4 r4 400 m
        600 #1 calls RingAll: NotAcknowledged
        600 #1 o1 r1 Expired
        600 #1 o2 r2 Expired
        600 #1 o3 r3 Expired
        600 #1 wave 2 in 7200 m until 620: o5 r1 100 m, o6 r2 200 m, o7 r3 300 m
        600 #2 calls RingAll: NotAcknowledged
        600 #1 calls Station: NobodyAccepted
        600 #2 o4 r4 Expired
        600 #2 wave 2 in 7200 m until 620: o8 r4 400 m
        600 #2 calls Station: NobodyAccepted
        600 #1 calls Supervisor: NotAcknowledged
        600 #1 wakes at 900 Supervisor NotAcknowledged
        600 #1 calls Supervisor: NobodyAccepted
        600 #2 calls Supervisor: NotAcknowledged
        600 #2 wakes at 900 Supervisor NotAcknowledged
        600 #2 calls Supervisor: NobodyAccepted
        600 #1 calls Family: NobodyAccepted
        600 #2 calls Family: NobodyAccepted
        600 #1 calls Suggest120: NobodyAccepted
        600 #2 calls Suggest120: NobodyAccepted
        620 #1 o5 r1 Expired
        620 #1 o6 r2 Expired
        620 #1 o7 r3 Expired
        620 #1 wave 3 in 14400 m until 640: o9 r1 100 m, o10 r2 200 m, o11 r3 300 m
        620 #2 o8 r4 Expired
        620 #2 wave 3 in 14400 m until 640: o12 r4 400 m
        ",
    );
}

#[test]
fn nothing_happens_by_itself_after_the_end() {
    check(
        &[
            (0, free(1, 100)),
            (0, sos(7)),
            (1, alert(8, Kind::BedExit)),
            (5, resolves("ann", 1)),
            (6, resolves("ann", 2)),
            (9000, wait()),
        ],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m
        1 #2 opened for elder 8: P2 bed_exit
        1 #2 alert 2 bed_exit
        1 #2 wakes at 61 RingAll NotAcknowledged
        1 #2 wakes at 61 CallBack
        5 #1 taken by ann
        5 #1 o1 r1 Withdrawn(\"the incident is resolved\")
        5 #1 resolved by ann: Served
        5 #1 wakes at 605 Close
        6 #2 taken by ann
        6 #2 resolved by ann: Served
        6 #2 wakes at 606 Close
        605 #1 closed by itself
        606 #2 closed by itself
        ",
    );
}
