//! Does a v5 client get the bytes and reasons the standard promises?

use std::time::Duration;

use frontdoor::Limits;

use crate::support::{
    Desk, Habit, Running, WELCOME, bytes, connect, connect_with, framed, publish5, subscribe,
};

#[tokio::test]
async fn a_device_is_told_our_limits() {
    let desk = Desk::new(Habit::DurableAtOnce);
    let running = Running::start(Limits::default(), &desk).await;
    let mut device = running.raw().await;
    device.send(&connect(5, 2, 30, b"", "d1")).await;
    device.expect(&[&[0x20, 22, 0, 0, 19][..], &WELCOME].concat()).await;
    device.send(&[0xc0, 0]).await;
    device.expect(&[0xd0, 0]).await;
    device.send(&[0xe0, 0]).await;
    device.expect_end().await;

    let mut nameless = running.raw().await;
    nameless.send(&connect(5, 0, 30, &[0x11, 0, 0, 1, 0], "")).await;
    let welcome = nameless.packet().await;
    assert_eq!(welcome[5..10], [0x11, 0, 0, 0, 0], "the session ends with the connection");
    assert!(String::from_utf8_lossy(&welcome).contains("anhu-"), "an assigned client id");
}

#[tokio::test]
async fn logins_are_refused_with_the_right_codes() {
    let desk = Desk::new(Habit::DurableAtOnce);
    let running = Running::start(Limits::default(), &desk).await;
    let cases: [(Vec<u8>, u8); 8] = [
        (connect(5, 2, 0, b"", "unheard-of"), 0x85),
        (connect_with(5, 0xc2, 0, b"", "d", &["user", "wrong"]), 0x86),
        (connect(5, 2, 0, b"", "stranger"), 0x87),
        (connect_with(5, 0x06, 0, b"", "d", &["forbidden/w", "x"]), 0x87),
        (connect_with(5, 0x06, 0, b"", "d", &["", "x"]), 0x90),
        (connect(5, 2, 0, b"\x15\x00\x01x", "d"), 0x8c),
        (connect(5, 2, 0, b"\x21\x00\x00", "d"), 0x81),
        (connect(5, 3, 0, b"", "d"), 0x81),
    ];
    for (packet, code) in cases {
        let mut device = running.raw().await;
        device.send(&packet).await;
        device.expect(&[0x20, 3, 0, code, 0]).await;
        device.expect_end().await;
    }
}

#[tokio::test]
async fn publishes_are_answered() {
    let desk = Desk::new(Habit::DurableAtOnce);
    let running = Running::start(Limits::default(), &desk).await;
    let mut device = running.v5("d1").await;
    device.send(&publish5(0x33, "t", 3, b"one")).await;
    device.expect(&[0x40, 2, 0, 3]).await;
    device.send(&publish5(0x34, "t", 4, b"two")).await;
    device.expect(&[0x50, 2, 0, 4]).await;
    device.send(&[0x62, 2, 0, 4]).await;
    device.expect(&[0x70, 2, 0, 4]).await;
    device.send(&[0x62, 3, 0, 4, 0]).await;
    device.expect(&[0x70, 3, 0, 4, 0x92]).await;
    assert_eq!(desk.payloads(2).await, ["one", "two"]);
}

#[tokio::test]
async fn subscriptions_are_answered_one_by_one() {
    let desk = Desk::new(Habit::DurableAtOnce);
    let running = Running::start(Limits { max_subscriptions: 2, ..Limits::default() }, &desk).await;
    let mut device = running.v5("d1").await;
    let deep = "a/".repeat(70);
    let filters = [("r/+", 2), ("forbidden", 0), ("$share/g/x", 1), (&*deep, 1), ("s", 0), ("third", 0)];
    device.send(&subscribe(5, &filters)).await;
    device.expect(&[0x90, 9, 0, 9, 0, 1, 0x87, 0x9e, 0x8f, 0, 0x97]).await;
    device.send(b"\xa2\x09\x00\x0a\x00\x00\x01s\x00\x01u").await;
    device.expect(&[0xb0, 5, 0, 10, 0, 0, 0x11]).await;
    assert_eq!(running.door.publish("r/1", bytes("ok")), 1);
    device.expect(&publish5(0x32, "r/1", 1, b"ok")).await;
    device.send(&[0x40, 3, 0, 1, 0x10]).await;
    running.counted("acked receipts", &running.door.counters().receipts_acked, 1).await;
}

#[tokio::test]
async fn receipts_keep_to_what_the_device_can_take() {
    let desk = Desk::new(Habit::DurableAtOnce);
    let running = Running::start(Limits { outgoing_queue: 2, ..Limits::default() }, &desk).await;
    let mut device = running.raw().await;
    // Receive maximum 1, packets of at most 40 bytes.
    device.send(&connect(5, 2, 0, &[0x21, 0, 1, 0x27, 0, 0, 0, 40], "d1")).await;
    device.packet().await;
    device.send(&subscribe(5, &[("r", 1)])).await;
    device.expect(&[0x90, 4, 0, 9, 0, 1]).await;
    running.door.publish("r", bytes("first"));
    device.expect(&publish5(0x32, "r", 1, b"first")).await;
    for text in ["dropped", "second", "third"] {
        running.door.publish("r", bytes(text));
    }
    device.send(&[0xc0, 0]).await;
    device.expect(&[0xd0, 0]).await;
    running.counted("dropped receipts", &running.door.counters().receipts_dropped, 1).await;
    device.send(&[0x40, 2, 0, 1]).await;
    device.expect(&publish5(0x32, "r", 2, b"second")).await;
    device.send(&[0x40, 2, 0, 2]).await;
    device.expect(&publish5(0x32, "r", 3, b"third")).await;
    device.send(&[0x40, 2, 0, 3]).await;
    running.door.publish("r", bytes(&"long".repeat(10)));
    running.counted("dropped receipts", &running.door.counters().receipts_dropped, 2).await;
    running.door.publish("r", bytes("fourth"));
    device.expect(&publish5(0x32, "r", 4, b"fourth")).await;
}

#[tokio::test]
async fn a_device_is_told_why_it_is_disconnected() {
    let desk = Desk::new(Habit::DurableAtOnce);
    let running = Running::start(Limits { max_packet_bytes: 300, ..Limits::default() }, &desk).await;
    let cases: [(Vec<u8>, u8); 14] = [
        (b"\x32\x05\x00\x01t\x00\x01".to_vec(), 0x81),
        (b"\x32\x06\x00\x01t\x00\x00\x00".to_vec(), 0x81),
        (b"\x32\x0a\x00\x01t\x00\x01\x09\x02\x00\x00\x00".to_vec(), 0x81),
        (b"\x32\x0a\x00\x01t\x00\x01\x04\x01\x00\x01\x00".to_vec(), 0x82),
        (publish5(0x32, "forbidden", 1, b"x"), 0x87),
        (subscribe(5, &[("a/#/b", 0)]), 0x8f),
        (publish5(0x32, "a/+", 1, b"x"), 0x90),
        (publish5(0x32, "", 1, b"x"), 0x90),
        (b"\x32\x09\x00\x01t\x00\x01\x03\x23\x00\x01".to_vec(), 0x94),
        (publish5(0x32, "t", 1, &[0; 400]), 0x95),
        (b"\x82\x09\x00\x01\x02\x0b\x01\x00\x01a\x00".to_vec(), 0xa1),
        (connect(5, 2, 0, b"", "d1"), 0x82),
        (framed(0xf0, &[0x18, 0]), 0x82),
        (b"\xb0\x03\x00\x01\x00".to_vec(), 0x82),
    ];
    for (packet, reason) in cases {
        let mut device = running.raw().await;
        device.send(&connect(5, 2, 0, b"", "d1")).await;
        device.packet().await;
        device.send(&packet).await;
        assert_eq!(device.packet().await, [0xe0, 1, reason], "{packet:x?}");
        device.expect_end().await;
    }
    running.counted("oversize", &running.door.counters().oversize, 1).await;
    assert!(desk.taken().is_empty());
}

#[tokio::test]
async fn a_goodbye_may_ask_for_the_will() {
    let desk = Desk::new(Habit::DurableAtOnce);
    let running = Running::start(Limits::default(), &desk).await;
    for (goodbye, client_id) in [(&[0xe0, 1, 0][..], "silent"), (&[0xe0, 1, 4], "spoken")] {
        let mut device = running.raw().await;
        device.send(&connect_with(5, 0x06, 0, b"", client_id, &["w", client_id])).await;
        device.packet().await;
        device.send(goodbye).await;
        device.expect_end().await;
    }
    assert_eq!(desk.payloads(1).await, ["spoken"]);
}

#[tokio::test]
async fn a_newer_connection_takes_over_after_the_older_ones_will() {
    let desk = Desk::new(Habit::DurableAtOnce);
    let running = Running::start(Limits::default(), &desk).await;
    let mut older = running.raw().await;
    older.send(&connect_with(5, 0x06, 0, b"", "d1", &["status", "offline"])).await;
    older.packet().await;
    older.send(&subscribe(5, &[("r", 1)])).await;
    older.packet().await;
    let mut newer = running.raw().await;
    // In one write, so that "online" is at hand before "offline" can be.
    newer.send(&[connect(5, 2, 0, b"", "d1"), publish5(0x32, "status", 1, b"online")].concat()).await;
    newer.packet().await;
    newer.expect(&[0x40, 2, 0, 1]).await;
    assert_eq!(older.packet().await, [0xe0, 1, 0x8e]);
    older.expect_end().await;
    assert_eq!(desk.payloads(2).await, ["offline", "online"]);
    running.counted("taken over", &running.door.counters().taken_over, 1).await;
    assert_eq!(running.door.publish("r", bytes("nobody")), 0);
    newer.send(&[0xc0, 0]).await;
    newer.expect(&[0xd0, 0]).await;
}

#[tokio::test]
async fn a_silent_device_is_disconnected_and_a_pinging_one_is_not() {
    let desk = Desk::new(Habit::DurableAtOnce);
    let running = Running::start(Limits::default(), &desk).await;
    let begun = tokio::time::Instant::now();
    let mut silent = running.raw().await;
    silent.send(&connect_with(5, 0x06, 1, b"", "silent", &["w", "silent"])).await;
    silent.packet().await;
    let mut pinging = running.raw().await;
    pinging.send(&connect(5, 2, 1, b"", "pinging")).await;
    pinging.packet().await;
    let mut pace = tokio::time::interval(Duration::from_millis(250));
    loop {
        tokio::select! {
            _ = pace.tick() => {
                pinging.send(&[0xc0, 0]).await;
                pinging.expect(&[0xd0, 0]).await;
            }
            reason = silent.packet() => {
                assert_eq!(reason, [0xe0, 1, 0x8d]);
                break;
            }
        }
    }
    assert!(begun.elapsed() >= Duration::from_millis(1500));
    assert_eq!(desk.payloads(1).await, ["silent"]);
    pinging.send(&[0xc0, 0]).await;
    pinging.expect(&[0xd0, 0]).await;
    running.counted("keep-alive", &running.door.counters().keep_alive_timeouts, 1).await;
}
