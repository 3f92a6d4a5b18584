//! Does a 3.1.1 client get the bytes the standard promises?

use frontdoor::{Limits, Qos};

use crate::support::{Desk, Habit, Running, bytes, connect, connect_with, publish, subscribe};

#[tokio::test]
async fn a_device_connects_pings_and_leaves_without_a_will() {
    let desk = Desk::new(Habit::DurableAtOnce);
    let running = Running::start(Limits::default(), &desk).await;
    let mut device = running.raw().await;
    device.send(&connect_with(4, 0xc6, 60, b"", "d1", &["w", "gone", "user", "secret"])).await;
    device.expect(&[0x20, 2, 0, 0]).await;
    device.send(&[0xc0, 0]).await;
    device.expect(&[0xd0, 0]).await;
    device.send(&[0xe0, 0]).await;
    device.expect_end().await;
    let mut next = running.v311("d2").await;
    next.send(&publish(0x30, "t", 0, b"after")).await;
    assert_eq!(desk.payloads(1).await, ["after"]);
}

#[tokio::test]
async fn logins_are_refused_with_the_right_codes() {
    let desk = Desk::new(Habit::DurableAtOnce);
    let running = Running::start(Limits::default(), &desk).await;
    let cases: [(Vec<u8>, u8); 6] = [
        (connect(3, 2, 0, b"", "d"), 1),
        (connect(9, 2, 0, b"", "d"), 1),
        (connect(4, 0, 0, b"", ""), 2),
        (connect(4, 2, 0, b"", "unheard-of"), 2),
        (connect_with(4, 0xc2, 0, b"", "d", &["user", "wrong"]), 4),
        (connect(4, 2, 0, b"", "stranger"), 5),
    ];
    for (packet, code) in cases {
        let mut device = running.raw().await;
        device.send(&packet).await;
        device.expect(&[0x20, 2, 0, code]).await;
        device.expect_end().await;
    }
    let mut forbidden_will = running.raw().await;
    forbidden_will.send(&connect_with(4, 0x06, 0, b"", "d", &["forbidden/w", "x"])).await;
    forbidden_will.expect(&[0x20, 2, 0, 5]).await;
    let mut nameless = running.raw().await;
    nameless.send(&connect(4, 2, 0, b"", "")).await;
    nameless.expect(&[0x20, 2, 0, 0]).await;
    nameless.send(&publish(0x30, "t", 0, b"x")).await;
    assert!(desk.messages(1).await[0].client_id.starts_with("anhu-"));
    running.counted("versions", &running.door.counters().refused_version, 2).await;
    running.counted("client ids", &running.door.counters().refused_client_id, 2).await;
    running.counted("credentials", &running.door.counters().refused_credentials, 1).await;
    running.counted("not authorized", &running.door.counters().refused_not_authorized, 2).await;
}

#[tokio::test]
async fn a_publish_is_handed_over_as_it_came() {
    let desk = Desk::new(Habit::DurableAtOnce);
    let running = Running::start(Limits::default(), &desk).await;
    let mut device = running.v311("d1").await;
    device.send(&publish(0x3b, "a/b", 7, b"hi")).await;
    device.expect(&[0x40, 2, 0, 7]).await;
    device.send(&publish(0x30, "c", 0, b"")).await;
    let messages = desk.messages(2).await;
    let first = &messages[0];
    assert_eq!((&*first.client_id, &*first.topic, &first.payload[..]), ("d1", "a/b", &b"hi"[..]));
    assert_eq!((first.qos, first.retain, first.dup, first.will), (Qos::AtLeastOnce, true, true, false));
    assert_eq!((messages[1].qos, messages[1].retain, messages[1].dup), (Qos::AtMostOnce, false, false));
}

#[tokio::test]
async fn qos_2_is_taken_once_until_it_is_released() {
    let desk = Desk::new(Habit::Keep);
    let running = Running::start(Limits::default(), &desk).await;
    let mut device = running.v311("d1").await;
    device.send(&publish(0x34, "t", 5, b"one")).await;
    desk.messages(1).await;
    device.send(&publish(0x3c, "t", 5, b"one")).await;
    device.send(&[0xc0, 0]).await;
    device.expect(&[0xd0, 0]).await;
    for ack in desk.kept() {
        ack.durable();
    }
    device.expect(&[0x50, 2, 0, 5]).await;
    device.send(&publish(0x3c, "t", 5, b"one")).await;
    device.expect(&[0x50, 2, 0, 5]).await;
    device.send(&[0x62, 2, 0, 5]).await;
    device.expect(&[0x70, 2, 0, 5]).await;
    device.send(&[0x62, 2, 0, 5]).await;
    device.expect(&[0x70, 2, 0, 5]).await;
    device.send(&publish(0x34, "t", 5, b"two")).await;
    assert_eq!(desk.payloads(2).await, ["one", "two"]);
    running.counted("duplicates", &running.door.counters().duplicates, 2).await;
}

#[tokio::test]
async fn releasing_what_is_not_durable_is_not_answered() {
    let desk = Desk::new(Habit::Keep);
    let running = Running::start(Limits::default(), &desk).await;
    let mut device = running.v311("d1").await;
    device.send(&publish(0x34, "t", 5, b"one")).await;
    device.send(&[0x62, 2, 0, 5]).await;
    device.expect_end().await;
}

#[tokio::test]
async fn a_subscriber_gets_receipts_until_it_unsubscribes() {
    let desk = Desk::new(Habit::DurableAtOnce);
    let running = Running::start(Limits { max_subscriptions: 3, ..Limits::default() }, &desk).await;
    let mut device = running.v311("d1").await;
    device
        .send(&subscribe(4, &[("d1/receipt", 1), ("forbidden/#", 1), ("x/+/y", 2), ("$share/g/x", 0)]))
        .await;
    device.expect(&[0x90, 6, 0, 9, 1, 0x80, 1, 0x80]).await;
    assert_eq!(running.door.publish("d1/receipt", bytes("ok")), 1);
    device.expect(&publish(0x32, "d1/receipt", 1, b"ok")).await;
    device.send(&[0x40, 2, 0, 1]).await;
    running.counted("acked receipts", &running.door.counters().receipts_acked, 1).await;
    assert_eq!(running.door.publish("x/1/y", bytes("again")), 1);
    device.expect(&publish(0x32, "x/1/y", 2, b"again")).await;
    assert_eq!(running.door.publish("d2/receipt", bytes("not mine")), 0);
    assert_eq!(running.door.publish("d1/#", bytes("not a topic")), 0);
    device.send(&subscribe(4, &[("d1/receipt", 0), ("third", 0), ("fourth", 0)])).await;
    device.expect(&[0x90, 5, 0, 9, 0, 0, 0x80]).await;
    assert_eq!(running.door.publish("d1/receipt", bytes("once")), 1);
    device.expect(&publish(0x30, "d1/receipt", 0, b"once")).await;
    device.send(b"\xa2\x0e\x00\x0a\x00\x0ad1/receipt").await;
    device.expect(&[0xb0, 2, 0, 10]).await;
    assert_eq!(running.door.publish("d1/receipt", bytes("late")), 0);
    drop(device);
    running.open(0).await;
    assert_eq!(running.door.publish("third", bytes("gone")), 0);
}

#[tokio::test]
async fn the_server_hears_whether_a_device_has_its_receipt() {
    let desk = Desk::new(Habit::DurableAtOnce);
    let running = Running::start(Limits::default(), &desk).await;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let send = |text| {
        let tell = tell.clone();
        running.door.publish_tracked("d1/receipt", bytes(text), move |heard| {
            tell.send((text, heard)).expect("the test listens");
        })
    };
    assert_eq!(send("away"), 0);
    assert_eq!(told.recv().await, Some(("away", false)), "nobody is there");

    let mut device = running.v311("d1").await;
    device.send(&subscribe(4, &[("d1/receipt", 1), ("forbidden/#", 1)])).await;
    device.expect(&[0x90, 4, 0, 9, 1, 0x80]).await;
    assert_eq!(
        desk.filters(),
        ["d1 d1/receipt"],
        "the server hears who listens, and nothing of what it refused"
    );
    assert_eq!((send("first"), send("second"), send("third")), (1, 1, 1));
    for (packet_id, text) in [(1, b"first".as_slice()), (2, b"second"), (3, b"third")] {
        device.expect(&publish(0x32, "d1/receipt", packet_id, text)).await;
    }
    device.send(&[0x40, 2, 0, 2]).await;
    assert_eq!(told.recv().await, Some(("second", true)), "it has this one");
    drop(device);
    assert_eq!(told.recv().await, Some(("first", false)), "it went without a word about these");
    assert_eq!(told.recv().await, Some(("third", false)));

    let mut careless = running.v311("d1").await;
    careless.send(&subscribe(4, &[("d1/receipt", 0)])).await;
    careless.expect(&[0x90, 3, 0, 9, 0]).await;
    assert_eq!(send("once"), 1);
    assert_eq!(told.recv().await, Some(("once", true)), "it wants to give no acknowledgement");
}

#[tokio::test]
async fn a_lost_device_leaves_its_will() {
    let desk = Desk::new(Habit::DurableAtOnce);
    let running = Running::start(Limits::default(), &desk).await;
    let mut device = running.raw().await;
    device.send(&connect_with(4, 0x2e, 60, b"", "d1", &["d1/status", "offline"])).await;
    device.expect(&[0x20, 2, 0, 0]).await;
    drop(device);
    let will = &desk.messages(1).await[0];
    assert_eq!((&*will.topic, &will.payload[..], will.qos), ("d1/status", &b"offline"[..], Qos::AtLeastOnce));
    assert!(will.will && will.retain);
    running.counted("wills", &running.door.counters().wills, 1).await;
}

#[tokio::test]
async fn what_is_not_mqtt_closes_the_connection_and_is_counted() {
    let desk = Desk::new(Habit::DurableAtOnce);
    let running = Running::start(Limits::default(), &desk).await;
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x16\x03\x01\x02\x00\x01", b"\xc0\x00"] {
        let mut stranger = running.raw().await;
        stranger.send(garbage).await;
        stranger.expect_end().await;
    }
    running.counted("no CONNECT", &running.door.counters().protocol_errors, 3).await;
    // Reserved flags, packet id 0, QoS 3, a trailing byte, an endless length, a topic that is not UTF-8.
    let malformed: [&[u8]; 6] = [
        b"\x80\x06\x00\x01\x00\x01a\x00",
        b"\x32\x05\x00\x01t\x00\x00",
        b"\x36\x05\x00\x01t\x00\x01",
        b"\xc0\x01\x00",
        b"\x30\xff\xff\xff\xff\x01",
        b"\x30\x03\x00\x01\xff",
    ];
    for packet in malformed {
        let mut device = running.v311("d1").await;
        device.send(packet).await;
        device.expect_end().await;
    }
    running.counted("malformed", &running.door.counters().malformed, 6).await;
    // Empty, with wildcard, with NUL, too long; then a bad filter.
    let long = "t".repeat(257);
    for topic in ["", "a/+", "a\0", &long] {
        let mut device = running.v311("d1").await;
        device.send(&publish(0x32, topic, 1, b"x")).await;
        device.expect_end().await;
    }
    let mut device = running.v311("d1").await;
    device.send(&subscribe(4, &[("a/#/b", 0)])).await;
    device.expect_end().await;
    running.counted("invalid topics", &running.door.counters().invalid_topics, 5).await;
    for packet in [connect(4, 2, 0, b"", "d1"), b"\x20\x02\x00\x00".to_vec(), b"\xa2\x02\x00\x01".to_vec()] {
        let mut device = running.v311("d1").await;
        device.send(&packet).await;
        device.expect_end().await;
    }
    running.counted("protocol errors", &running.door.counters().protocol_errors, 6).await;
    let mut device = running.v311("d1").await;
    device.send(&publish(0x32, "forbidden", 1, b"x")).await;
    device.expect_end().await;
    running.counted("refused publishes", &running.door.counters().publishes_refused, 1).await;
    assert!(desk.taken().is_empty());
}
