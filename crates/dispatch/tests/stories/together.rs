//! Together: several who wait at once, and responders who become free one by one.

use model::{Kind, Skill};

use crate::story::*;

#[test]
fn two_calls_of_one_moment_are_served_such_that_both_together_wait_least() {
    // One after the other the first would get r1, 400 m away, and the second r2, 2,000 m away.
    let calls = vec![living_at(1_000, sos(7)), living_at(2_000, sos(8))];
    check(
        &[(0, policy(one_at_a_time)), (0, free(1, 1_400)), (0, free(2, 0)), (1, at_once(calls))],
        "
        0 policy ++
        1 #1 opened for elder 7: P1 sos
        1 #1 alert 1 sos
        1 #1 wakes at 16 RingAll NotAcknowledged, 61 Supervisor NotAcknowledged
        1 #1 calls Family: Opened
        1 #1 wakes at 31 Station NobodyAccepted, 61 Supervisor NobodyAccepted, 76 Family NobodyAccepted, 91 Suggest120 NobodyAccepted
        1 #2 opened for elder 8: P1 sos
        1 #2 alert 2 sos
        1 #2 wakes at 16 RingAll NotAcknowledged, 61 Supervisor NotAcknowledged
        1 #2 calls Family: Opened
        1 #2 wakes at 31 Station NobodyAccepted, 61 Supervisor NobodyAccepted, 76 Family NobodyAccepted, 91 Suggest120 NobodyAccepted
        1 #1 wave 1 in 7200 m until 21: o1 r2 1000 m
        1 #2 wave 1 in 7200 m until 21: o2 r1 600 m
        ",
    );
}

fn one_at_a_time(file: &mut dispatch::PolicyFile) {
    let p1 = file.priorities.get_mut(&model::Priority::P1).expect("there");
    p1.mode = dispatch::Mode::OneAtATime;
    p1.waves.iter_mut().for_each(|wave| wave.size = None);
}

#[test]
fn of_one_moment_the_most_urgent_is_served_first_whenever_it_came() {
    check(
        &[(0, free(1, 100)), (1, alert(7, Kind::Inactivity)), (1, takes("ann", 1)), (61, sos(8))],
        "
        1 #1 opened for elder 7: P2 inactivity
        1 #1 alert 1 inactivity
        1 #1 wakes at 61 RingAll NotAcknowledged
        1 #1 wakes at 61 CallBack
        1 #1 taken by ann
        61 #2 opened for elder 8: P1 sos
        61 #2 alert 2 sos
        61 #2 wakes at 76 RingAll NotAcknowledged, 121 Supervisor NotAcknowledged
        61 #2 calls Family: Opened
        61 #2 wakes at 91 Station NobodyAccepted, 121 Supervisor NobodyAccepted, 136 Family NobodyAccepted, 151 Suggest120 NobodyAccepted
        61 #1 wakes at 181 Station NobodyAccepted, 241 Supervisor NobodyAccepted
        61 #2 wave 1 in 7200 m until 81: o1 r1 100 m
        61 #1 finds nobody in 14400 m 1 busy
        61 #1 calls Operators: NoCandidate
        61 #1 wakes at 91 SearchAgain
        ",
    );
}

#[test]
fn when_there_are_few_everybody_gets_one_before_anybody_gets_three() {
    let calls = (7..=9).map(sos).collect();
    let responders = (1..=4).map(|responder| (0, free(responder, 100 * responder)));
    check(
        &responders.chain([(1, at_once(calls))]).collect::<Vec<_>>(),
        "
        1 #1 opened for elder 7: P1 sos
        1 #1 alert 1 sos
        1 #1 wakes at 16 RingAll NotAcknowledged, 61 Supervisor NotAcknowledged
        1 #1 calls Family: Opened
        1 #1 wakes at 31 Station NobodyAccepted, 61 Supervisor NobodyAccepted, 76 Family NobodyAccepted, 91 Suggest120 NobodyAccepted
        1 #2 opened for elder 8: P1 sos
        1 #2 alert 2 sos
        1 #2 wakes at 16 RingAll NotAcknowledged, 61 Supervisor NotAcknowledged
        1 #2 calls Family: Opened
        1 #2 wakes at 31 Station NobodyAccepted, 61 Supervisor NobodyAccepted, 76 Family NobodyAccepted, 91 Suggest120 NobodyAccepted
        1 #3 opened for elder 9: P1 sos
        1 #3 alert 3 sos
        1 #3 wakes at 16 RingAll NotAcknowledged, 61 Supervisor NotAcknowledged
        1 #3 calls Family: Opened
        1 #3 wakes at 31 Station NobodyAccepted, 61 Supervisor NobodyAccepted, 76 Family NobodyAccepted, 91 Suggest120 NobodyAccepted
        1 #1 wave 1 in 7200 m until 21: o1 r1 100 m, o4 r4 400 m
        1 #2 wave 1 in 7200 m until 21: o2 r2 200 m
        1 #3 wave 1 in 7200 m until 21: o3 r3 300 m
        ",
    );
}

#[test]
fn whoever_becomes_free_goes_to_the_most_urgent_they_can_help() {
    fn a_fall_needs_nursing(file: &mut dispatch::PolicyFile) {
        file.kinds.get_mut(&Kind::Fall).expect("there").skills = vec![Skill::Nursing];
    }
    check(
        &[
            (0, policy(a_fall_needs_nursing)),
            (1, alert(6, Kind::Inactivity)),
            (1, takes("ann", 1)),
            (62, alert(7, Kind::Fall)),
            (62, takes("ann", 2)),
            (63, living_at(60_000, sos(8))),
            (63, takes("ann", 3)),
            (64, sos(9)),
            (64, takes("ann", 4)),
            (65, free(1, 100)),
            (66, able(&[Skill::Nursing], free(2, 100))),
            (67, free(3, 100)),
            (68, free(4, 100)),
        ],
        "
        0 policy ++
        1 #1 opened for elder 6: P2 inactivity
        1 #1 alert 1 inactivity
        1 #1 wakes at 61 RingAll NotAcknowledged
        1 #1 wakes at 61 CallBack
        1 #1 taken by ann
        61 #1 wakes at 181 Station NobodyAccepted, 241 Supervisor NobodyAccepted
        61 #1 finds nobody in 14400 m
        61 #1 calls Operators: NoCandidate
        61 #1 wakes at 91 SearchAgain
        62 #2 opened for elder 7: P1 fall
        62 #2 alert 2 fall
        62 #2 wakes at 77 RingAll NotAcknowledged, 122 Supervisor NotAcknowledged
        62 #2 calls Family: Opened
        62 #2 wakes at 92 Station NobodyAccepted, 122 Supervisor NobodyAccepted, 137 Family NobodyAccepted, 152 Suggest120 NobodyAccepted
        62 #2 finds nobody in 14400 m
        62 #2 calls Operators: NoCandidate
        62 #2 wakes at 92 SearchAgain
        62 #2 taken by ann
        63 #3 opened for elder 8: P1 sos
        63 #3 alert 3 sos
        63 #3 wakes at 78 RingAll NotAcknowledged, 123 Supervisor NotAcknowledged
        63 #3 calls Family: Opened
        63 #3 wakes at 93 Station NobodyAccepted, 123 Supervisor NobodyAccepted, 138 Family NobodyAccepted, 153 Suggest120 NobodyAccepted
        63 #3 finds nobody in 14400 m
        63 #3 calls Operators: NoCandidate
        63 #3 wakes at 93 SearchAgain
        63 #3 taken by ann
        64 #4 opened for elder 9: P1 sos
        64 #4 alert 4 sos
        64 #4 wakes at 79 RingAll NotAcknowledged, 124 Supervisor NotAcknowledged
        64 #4 calls Family: Opened
        64 #4 wakes at 94 Station NobodyAccepted, 124 Supervisor NobodyAccepted, 139 Family NobodyAccepted, 154 Suggest120 NobodyAccepted
        64 #4 finds nobody in 14400 m
        64 #4 calls Operators: NoCandidate
        64 #4 wakes at 94 SearchAgain
        64 #4 taken by ann
        65 #4 wave 1 in 7200 m until 85: o1 r1 100 m
        66 #2 wave 1 in 7200 m until 86: o2 r2 100 m
        67 #1 wave 1 in 14400 m until 97: o3 r3 100 m
        67 #1 calls Family: Dispatched
        ",
    );
}
