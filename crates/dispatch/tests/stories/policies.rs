//! Policies: what can be told otherwise without changing code, and while everything runs.

use dispatch::{Instead, Mode, PolicyFile};
use model::{Kind, Priority};

use crate::story::*;

#[test]
fn a_new_policy_leaves_running_timers_and_offers_alone_and_counts_from_the_next_decision() {
    check(
        &[
            (0, free(1, 100)),
            (0, free(2, 200)),
            (0, sos(7)),
            (0, takes("ann", 1)),
            (
                5,
                policy(|file| {
                    let p1 = file.priorities.get_mut(&Priority::P1).expect("there");
                    p1.offer_lives_s = 45;
                    p1.escalation.retain(|rung| rung.when == dispatch::When::NotAcknowledged);
                }),
            ),
            (21, wait()),
            (31, restart()),
            (66, wait()),
        ],
        "
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m, o2 r2 200 m
        0 #1 taken by ann
        5 policy ++
        20 #1 o1 r1 Expired
        20 #1 o2 r2 Expired
        20 #1 wave 2 in 7200 m until 65: o3 r1 100 m, o4 r2 200 m
        31 #1 calls Station: NobodyAccepted
        60 #1 calls Supervisor: NobodyAccepted
        65 #1 o3 r1 Expired
        65 #1 o4 r2 Expired
        65 #1 wave 3 in 14400 m until 110: o5 r1 100 m, o6 r2 200 m
        ",
    );
}

#[test]
fn a_broadcast_asks_everybody_in_reach_and_the_first_goes() {
    fn smoke_is_broadcast(file: &mut PolicyFile) {
        let instead: Instead =
            toml::from_str("mode = 'broadcast'\nwaves = [{ reach_min = 10 }]").expect("what is different");
        file.kinds.get_mut(&Kind::Smoke).expect("there").at.insert(Priority::P1, instead);
    }
    let mut steps = vec![(0, policy(smoke_is_broadcast))];
    steps.extend((1..=6).map(|responder| (0, free(responder, 100 * responder))));
    steps.extend([(0, alert(7, Kind::Smoke)), (0, takes("ann", 1)), (3, accepts(5, 5))]);
    check(
        &steps,
        "
        0 policy ++
        0 #1 opened for elder 7: P1 smoke
        0 #1 alert 1 smoke
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest119 NobodyAccepted
        0 #1 wave 1 in 4800 m until 20: o1 r1 100 m, o2 r2 200 m, o3 r3 300 m, o4 r4 400 m, o5 r5 500 m, o6 r6 600 m
        0 #1 taken by ann
        3 #1 o5 r5 accepts
        3 #1 wakes at 123 Moving r5, 403 Arrived r5
        3 #1 o1 r1 Withdrawn(\"somebody else was first\")
        3 #1 o2 r2 Withdrawn(\"somebody else was first\")
        3 #1 o3 r3 Withdrawn(\"somebody else was first\")
        3 #1 o4 r4 Withdrawn(\"somebody else was first\")
        3 #1 o6 r6 Withdrawn(\"somebody else was first\")
        ",
    );
}

#[test]
fn one_at_a_time_can_be_had_for_the_most_urgent_too() {
    fn one_at_a_time(file: &mut PolicyFile) {
        let p1 = file.priorities.get_mut(&Priority::P1).expect("there");
        p1.mode = Mode::OneAtATime;
        p1.waves.iter_mut().for_each(|wave| wave.size = None);
    }
    check(
        &[
            (0, policy(one_at_a_time)),
            (0, free(1, 100)),
            (0, free(2, 200)),
            (0, sos(7)),
            (0, takes("ann", 1)),
            (3, declines(1, 1)),
        ],
        "
        0 policy ++
        0 #1 opened for elder 7: P1 sos
        0 #1 alert 1 sos
        0 #1 wakes at 15 RingAll NotAcknowledged, 60 Supervisor NotAcknowledged
        0 #1 calls Family: Opened
        0 #1 wakes at 30 Station NobodyAccepted, 60 Supervisor NobodyAccepted, 75 Family NobodyAccepted, 90 Suggest120 NobodyAccepted
        0 #1 wave 1 in 7200 m until 20: o1 r1 100 m
        0 #1 taken by ann
        3 #1 o1 r1 Declined(\"at lunch\")
        3 #1 wave 2 in 7200 m until 23: o2 r2 200 m
        ",
    );
}
