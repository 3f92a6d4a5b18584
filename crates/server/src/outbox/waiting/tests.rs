//! Stories of trying, failing and trying again, with a clock of their own.

use super::*;
use crate::outbox::telling::Telling;

const PACE: Pace = Pace { first_retry: Millis(1000), longest_retry: Millis(8000) };

fn key(sequence: u64) -> Key {
    Key { sequence, index: 0, place: 0, at: Timestamp(0) }
}

fn delivery(sequence: u64, incident: u64) -> Delivery {
    Delivery {
        key: key(sequence),
        incident: IncidentId(incident),
        telling: Telling::Opened,
        kind: None,
        priority: None,
        org_unit: None,
        exercise: false,
        degraded: false,
        useful_until: Timestamp(1_000_000),
        alarm_at: None,
    }
}

fn waiting(deliveries: &[(u64, u64)]) -> Waiting {
    let mut waiting = Waiting::new(PACE);
    for (sequence, incident) in deliveries {
        assert!(waiting.push(delivery(*sequence, *incident)).is_none());
    }
    waiting
}

/// Everything that may be tried at this moment.
fn tried(waiting: &mut Waiting, now: i64) -> Vec<u64> {
    std::iter::from_fn(|| waiting.next(Timestamp(now))).map(|delivery| delivery.key.sequence).collect()
}

fn failed() -> Outcome {
    Outcome::Failed("it answered 500".to_owned(), None)
}

fn refused() -> Outcome {
    Outcome::Refused("it answered 404".to_owned())
}

/// Settles with the longest random part.
fn settle(waiting: &mut Waiting, sequence: u64, outcome: &Outcome, now: i64) -> bool {
    waiting.settle(&key(sequence), outcome, Timestamp(now), 1.0).is_some()
}

#[test]
fn one_incident_goes_in_order_and_others_do_not_wait_for_it() {
    let mut waiting = waiting(&[(1, 7), (2, 7), (3, 8), (4, 7)]);
    assert_eq!(tried(&mut waiting, 0), [1, 3]);
    assert!(settle(&mut waiting, 1, &Outcome::Taken, 0));
    assert_eq!(tried(&mut waiting, 0), [2]);
    assert!(!settle(&mut waiting, 2, &failed(), 0));
    assert!(tried(&mut waiting, 999).is_empty(), "the fourth waits for the second");
    assert_eq!(tried(&mut waiting, 1000), [2]);
    settle(&mut waiting, 2, &Outcome::Taken, 1000);
    assert_eq!(tried(&mut waiting, 1000), [4]);
    settle(&mut waiting, 3, &Outcome::Taken, 1000);
    settle(&mut waiting, 4, &Outcome::Taken, 1000);
    assert_eq!((waiting.len(), waiting.lanes.len(), waiting.due.len(), waiting.flights.len()), (0, 0, 0, 0));
}

#[test]
fn what_was_found_out_afterwards_goes_after_what_is_new_and_keeps_the_order_of_its_incident() {
    let mut waiting = waiting(&[(1, 1), (2, 2), (3, 3), (9, 9), (10, 3)]);
    for sequence in 1..=3 {
        waiting.let_new_ones_first(&key(sequence), Timestamp(5));
    }
    assert_eq!(tried(&mut waiting, 5), [3, 9, 1, 2], "the third has a new one behind it");
}

#[test]
fn pauses_double_up_to_the_longest_and_a_receiver_may_ask_for_a_longer_one() {
    let one = || waiting(&[(1, 7)]);
    let (mut waiting, mut now) = (one(), 0);
    for pause in [1000, 2000, 4000, 8000, 8000] {
        assert_eq!(tried(&mut waiting, now), [1]);
        settle(&mut waiting, 1, &failed(), now);
        assert!(tried(&mut waiting, now + pause - 1).is_empty(), "{pause}");
        now += pause;
    }
    assert_eq!(waiting.failing_since(), Some(Timestamp(0)));
    let mut waiting = one();
    assert_eq!(tried(&mut waiting, 0), [1]);
    let busy = |seconds| Outcome::Failed(String::new(), Some(Duration::from_secs(seconds)));
    settle(&mut waiting, 1, &busy(5), 0);
    assert!(tried(&mut waiting, 4999).is_empty());
    assert_eq!(tried(&mut waiting, 5000), [1]);
    settle(&mut waiting, 1, &busy(1_000_000_000), 5000);
    assert_eq!(
        tried(&mut waiting, 13_000),
        [1],
        "nobody makes us wait for longer than our own longest pause"
    );
    let least = pause(PACE, 1, 0.0);
    assert_eq!(least, Millis(500), "half of a pause is random");
}

#[test]
fn what_a_well_receiver_refuses_holds_up_nothing() {
    let mut waiting = waiting(&[(1, 7), (2, 7)]);
    assert_eq!(tried(&mut waiting, 0), [1]);
    assert!(!settle(&mut waiting, 1, &refused(), 0));
    assert_eq!(tried(&mut waiting, 0), [2]);
    settle(&mut waiting, 2, &Outcome::Taken, 0);
    assert_eq!(tried(&mut waiting, 1000), [1], "and is tried again by itself");
    settle(&mut waiting, 1, &refused(), 1000);
    assert!(tried(&mut waiting, 2999).is_empty());
    assert_eq!(tried(&mut waiting, 3000), [1]);
    assert!(settle(&mut waiting, 1, &Outcome::Taken, 3000));
    assert_eq!((waiting.lanes.len(), waiting.due.len()), (0, 0));
}

#[test]
fn what_only_one_delivery_runs_into_holds_up_nothing_after_a_few_tries() {
    let mut waiting = waiting(&[(1, 7), (2, 7), (3, 8), (4, 8), (5, 8)]);
    for (now, well) in [(0, 3), (1000, 4), (3000, 5)] {
        let mut together = tried(&mut waiting, now);
        together.sort_unstable();
        assert_eq!(together, [1, well]);
        settle(&mut waiting, 1, &failed(), now);
        settle(&mut waiting, well, &Outcome::Taken, now);
    }
    assert_eq!(tried(&mut waiting, 3000), [2]);
    settle(&mut waiting, 2, &Outcome::Taken, 3000);
    assert_eq!(tried(&mut waiting, 7000), [1]);
}

#[test]
fn a_target_that_is_down_is_tried_with_one_and_gets_all_when_it_is_back() {
    let all: Vec<(u64, u64)> = (1..=20).map(|number| (number, number)).collect();
    let mut waiting = waiting(&all);
    assert_eq!(tried(&mut waiting, 0).len(), AT_ONCE);
    for number in 1..=8 {
        settle(&mut waiting, number, &failed(), 0);
    }
    assert!(waiting.is_down());
    assert_eq!(tried(&mut waiting, 0), [9]);
    assert!(settle(&mut waiting, 9, &Outcome::Taken, 10));
    assert_eq!(waiting.failing_since(), None);
    assert_eq!(
        tried(&mut waiting, 10),
        [1, 2, 3, 4, 5, 6, 7, 8],
        "the oldest first, without the rest of their pause"
    );
    for number in 1..=8 {
        settle(&mut waiting, number, &Outcome::Taken, 10);
    }
    assert_eq!(tried(&mut waiting, 10), [10, 11, 12, 13, 14, 15, 16, 17]);
}

#[test]
fn what_is_stopped_is_not_tried_and_lets_the_next_go() {
    let mut waiting = waiting(&[(1, 7), (2, 7), (3, 7), (4, 8)]);
    assert_eq!(tried(&mut waiting, 0), [1, 4]);
    let stopped = waiting.stop(IncidentId(7), |delivery| delivery.key == key(3));
    assert_eq!(stopped.len(), 2, "one of them is on its way, and arrives or not");
    assert!(tried(&mut waiting, 0).is_empty());
    assert!(!settle(&mut waiting, 1, &failed(), 0), "it is over with already");
    assert_eq!(tried(&mut waiting, 0), [3]);
    waiting.withdraw(&key(3));
    settle(&mut waiting, 4, &Outcome::Taken, 0);
    assert_eq!((waiting.len(), waiting.lanes.len(), waiting.due.len(), waiting.flights.len()), (0, 0, 0, 0));
}

#[test]
fn what_is_of_no_use_any_more_is_given_up_but_not_while_it_is_on_its_way() {
    let mut waiting = Waiting::new(PACE);
    for (sequence, until) in [(1, 5000), (2, 5000), (3, 9000)] {
        waiting.push(Delivery { useful_until: Timestamp(until), ..delivery(sequence, 7) });
    }
    assert_eq!(tried(&mut waiting, 0), [1]);
    let expired = waiting.expire(Timestamp(5000));
    assert_eq!(expired.iter().map(|entry| entry.delivery.key.sequence).collect::<Vec<_>>(), [2]);
    settle(&mut waiting, 1, &failed(), 5000);
    assert_eq!(waiting.expire(Timestamp(5000)).len(), 1);
    assert_eq!(tried(&mut waiting, 6000), [3], "after the pause");
}

#[test]
fn an_alarm_rings_once_and_only_for_what_still_waits() {
    let mut waiting = Waiting::new(PACE);
    for sequence in [1, 2] {
        let alarm_at = Some(Timestamp(3000));
        waiting.push(Delivery { alarm_at, ..delivery(sequence, sequence) });
    }
    assert_eq!(tried(&mut waiting, 0), [1, 2]);
    assert!(settle(&mut waiting, 1, &Outcome::Taken, 0));
    assert!(waiting.alarms(Timestamp(2999)).is_empty());
    assert_eq!(waiting.alarms(Timestamp(3000)).len(), 1);
    assert!(waiting.alarms(Timestamp(3000)).is_empty());
}

#[test]
fn the_same_delivery_waits_once_and_the_oldest_goes_when_there_is_no_room() {
    let mut waiting = waiting(&[(1, 7), (1, 7)]);
    assert_eq!(waiting.len(), 1);
    for sequence in 2..=MOST_WAITING as u64 {
        assert!(waiting.push(delivery(sequence, sequence)).is_none());
    }
    let oldest = waiting.push(delivery(1_000_000, 1)).expect("no room");
    assert_eq!((oldest.delivery.key, waiting.len()), (key(1), MOST_WAITING));
}

#[test]
fn what_was_told_from_memory_is_kept_when_the_disk_has_recovered() {
    let mut waiting = Waiting::new(PACE);
    waiting.push(Delivery { degraded: true, ..delivery(1, 7) });
    assert!(waiting.push(delivery(1, 7)).is_none(), "the same, now durable");
    assert!(!waiting.next(Timestamp(0)).expect("it waits").degraded);
    assert_eq!(waiting.len(), 1);
}
