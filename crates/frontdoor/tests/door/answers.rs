//! Does every acknowledgement leave after its message is durable, in order, or not at all?

use std::{
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use frontdoor::{Ack, Limits};

use crate::support::{Desk, Habit, Running, connect, connect_with, publish, publish5};

fn short(deadline_ms: u64) -> Limits {
    Limits { ack_deadline: Duration::from_millis(deadline_ms), ..Limits::default() }
}

#[tokio::test]
async fn nothing_is_acknowledged_before_it_is_durable() {
    let desk = Desk::new(Habit::Keep);
    let running = Running::start(Limits::default(), &desk).await;
    let mut device = running.v311("d1").await;
    device.send(&publish(0x32, "t", 1, b"x")).await;
    desk.messages(1).await;
    device.send(&[0xc0, 0]).await;
    device.expect(&[0xd0, 0]).await;
    desk.kept().into_iter().for_each(Ack::durable);
    device.expect(&[0x40, 2, 0, 1]).await;
}

#[tokio::test]
async fn acks_leave_in_order_whatever_order_they_come_in() {
    let desk = Desk::new(Habit::Keep);
    let running = Running::start(Limits::default(), &desk).await;
    let mut old = running.v311("old").await;
    let mut new = running.v5("new").await;
    for packet_id in 1..=60 {
        let first = if packet_id % 3 == 0 { 0x34 } else { 0x32 };
        old.send(&publish(first, "t", packet_id, b"x")).await;
        new.send(&publish5(first, "t", packet_id, b"x")).await;
    }
    desk.messages(120).await;
    let mut acks = desk.kept();
    // A committer thread that answers backwards, and one that answers every other.
    let second: Vec<Ack> = acks.drain(60..).collect();
    let (go, gone) = mpsc::channel::<()>();
    let first = thread::spawn(move || {
        gone.recv().expect("told to go");
        acks.into_iter().rev().for_each(Ack::durable);
    });
    let second = thread::spawn(move || {
        let (even, odd): (Vec<_>, Vec<_>) = second.into_iter().enumerate().partition(|(at, _)| at % 2 == 0);
        odd.into_iter().chain(even).for_each(|(_, ack)| ack.durable());
        go.send(()).expect("listening");
    });
    for packet_id in 1..=60 {
        let first = if packet_id % 3 == 0 { 0x50 } else { 0x40 };
        old.expect(&[first, 2, 0, packet_id]).await;
        new.expect(&[first, 2, 0, packet_id]).await;
    }
    first.join().expect("no panic");
    second.join().expect("no panic");
    running.counted("acks", &running.door.counters().acks, 120).await;
}

#[tokio::test]
async fn a_message_the_server_did_not_keep_closes_the_connection() {
    let desk = Desk::new(Habit::Drop);
    let running = Running::start(Limits::default(), &desk).await;
    let mut old = running.v311("old").await;
    old.send(&publish(0x32, "t", 1, b"x")).await;
    old.expect_end().await;
    let mut new = running.v5("new").await;
    new.send(&publish5(0x34, "t", 1, b"x")).await;
    new.expect(&[0xe0, 1, 0x80]).await;
    new.expect_end().await;
    running.counted("dropped acks", &running.door.counters().acks_dropped, 2).await;
}

#[tokio::test]
async fn what_was_durable_before_a_dropped_ack_is_still_acknowledged() {
    let desk = Desk::new(Habit::Keep);
    let running = Running::start(Limits::default(), &desk).await;
    let mut device = running.v311("d1").await;
    for packet_id in 1..=3 {
        device.send(&publish(0x32, "t", packet_id, b"x")).await;
    }
    desk.messages(3).await;
    let mut acks = desk.kept();
    acks.pop().expect("three").durable();
    drop(acks.pop());
    acks.pop().expect("one").durable();
    device.expect(&[0x40, 2, 0, 1]).await;
    device.expect_end().await;
}

#[tokio::test]
async fn an_ack_over_the_deadline_closes_the_connection() {
    let desk = Desk::new(Habit::Keep);
    let running = Running::start(short(200), &desk).await;
    let mut old = running.v311("old").await;
    let mut new = running.v5("new").await;
    let mut calm = running.v311("calm").await;
    old.send(&publish(0x32, "t", 1, b"x")).await;
    new.send(&publish5(0x32, "t", 1, b"x")).await;
    old.expect_end().await;
    new.expect(&[0xe0, 1, 0x89]).await;
    new.expect_end().await;
    running.counted("late acks", &running.door.counters().acks_late, 2).await;
    desk.kept().into_iter().for_each(Ack::durable);
    calm.send(&[0xc0, 0]).await;
    calm.expect(&[0xd0, 0]).await;
}

#[tokio::test]
async fn no_more_than_the_window_is_taken_before_it_is_durable() {
    let desk = Desk::new(Habit::Keep);
    let running = Running::start(Limits { in_flight: 2, ..Limits::default() }, &desk).await;
    let mut device = running.v311("d1").await;
    let burst: Vec<u8> = (1..=5).flat_map(|id| publish(0x32, "t", id, b"x")).collect();
    device.send(&burst).await;
    for taken in [2, 4] {
        desk.messages(taken).await;
        assert_eq!(desk.taken().len(), taken);
        desk.kept().into_iter().for_each(Ack::durable);
    }
    desk.messages(5).await;
    desk.kept().into_iter().for_each(Ack::durable);
    for packet_id in 1..=5 {
        device.expect(&[0x40, 2, 0, packet_id]).await;
    }
}

#[tokio::test]
async fn what_wants_no_answer_counts_as_under_way_and_its_loss_closes_nothing() {
    let desk = Desk::new(Habit::Keep);
    let running = Running::start(Limits { in_flight: 2, ..Limits::default() }, &desk).await;
    let mut device = running.v311("d1").await;
    let burst: Vec<u8> = (1..=4).flat_map(|_| publish(0x30, "t", 0, b"x")).collect();
    device.send(&[burst, publish(0x32, "t", 7, b"y")].concat()).await;
    for taken in [2, 4] {
        desk.messages(taken).await;
        assert_eq!(desk.taken().len(), taken);
        desk.kept().into_iter().for_each(drop);
    }
    desk.messages(5).await;
    desk.kept().into_iter().for_each(Ack::durable);
    device.expect(&[0x40, 2, 0, 7]).await;
}

#[tokio::test]
async fn a_full_server_is_not_read_from_and_loses_nothing() {
    let desk = Desk::with_room(Habit::Keep, 1);
    let running = Running::start(Limits::default(), &desk).await;
    let mut device = running.raw().await;
    // A keep-alive of 1 s: our own deafness must not be taken for its silence.
    device.send(&connect(4, 2, 1, b"", "d1")).await;
    device.expect(&[0x20, 2, 0, 0]).await;
    device
        .send(&[publish(0x32, "t", 1, b"one"), publish(0x32, "t", 2, b"two"), vec![0xc0, 0]].concat())
        .await;
    desk.messages(1).await;
    desk.kept().into_iter().for_each(Ack::durable);
    device.expect(&[0x40, 2, 0, 1]).await;
    // Another device is served meanwhile, and is sent away for its silence, which began later.
    let mut other = running.raw().await;
    other.send(&connect(5, 2, 1, b"", "other")).await;
    other.packet().await;
    other.send(&[0xc0, 0]).await;
    other.expect(&[0xd0, 0]).await;
    other.expect(&[0xe0, 1, 0x8d]).await;
    assert_eq!(desk.taken().len(), 1);
    desk.make_room(10);
    device.expect(&[0xd0, 0]).await;
    assert_eq!(desk.payloads(2).await, ["one", "two"]);
    desk.kept().into_iter().for_each(Ack::durable);
    device.expect(&[0x40, 2, 0, 2]).await;
}

#[tokio::test]
async fn a_graceful_end_waits_for_acks_but_takes_nothing_more() {
    let desk = Desk::new(Habit::Keep);
    let mut running = Running::start(Limits::default(), &desk).await;
    let mut old = running.raw().await;
    old.send(&connect_with(4, 0x06, 0, b"", "old", &["w", "will"])).await;
    old.expect(&[0x20, 2, 0, 0]).await;
    let mut new = running.v5("new").await;
    let mut idle = running.v5("idle").await;
    let early = running.raw().await;
    old.send(&publish(0x32, "t", 1, b"x")).await;
    new.send(&publish5(0x32, "t", 1, b"x")).await;
    desk.messages(2).await;
    running.stop();
    idle.expect(&[0xe0, 1, 0x8b]).await;
    idle.expect_end().await;
    early.expect_end().await;
    new.send(&publish5(0x32, "t", 2, b"too late")).await;
    desk.kept().into_iter().for_each(Ack::durable);
    old.expect(&[0x40, 2, 0, 1]).await;
    old.expect_end().await;
    new.expect(&[0x40, 2, 0, 1]).await;
    new.expect(&[0xe0, 1, 0x8b]).await;
    drop(new);
    let door = Arc::clone(&running.door);
    running.stopped().await;
    assert_eq!(desk.taken().len(), 2);
    assert_eq!(
        door.counters().all().iter().find(|(name, _)| *name == "connections_now"),
        Some(&("connections_now", 0))
    );
}

#[tokio::test]
async fn a_graceful_end_does_not_wait_for_ever() {
    let desk = Desk::new(Habit::Keep);
    let mut running = Running::start(short(300), &desk).await;
    let mut device = running.v5("d1").await;
    device.send(&publish5(0x32, "t", 1, b"x")).await;
    desk.messages(1).await;
    running.stop();
    let last = device.packet().await;
    assert!(last == [0xe0, 1, 0x89] || last == [0xe0, 1, 0x8b]);
    running.stopped().await;
}
