//! Does one slow, greedy or hostile device leave the others alone?

use std::time::Duration;

use frontdoor::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Desk, Habit, Raw, Running, bytes, connect, publish, soon, subscribe};

#[tokio::test]
async fn slow_strangers_are_cut_and_do_not_stop_a_device() {
    let desk = Desk::new(Habit::DurableAtOnce);
    let limits = Limits { connect_timeout: Duration::from_secs(1), ..Limits::default() };
    let running = Running::start(limits, &desk).await;
    let mut strangers: Vec<Raw> = Vec::new();
    for stranger in 0..300 {
        let mut raw = running.raw().await;
        raw.send(&connect(4, 2, 0, b"", "slow")[..stranger % 8]).await;
        strangers.push(raw);
    }
    let mut device = running.v311("d1").await;
    for packet_id in 1..=100u8 {
        device.send(&publish(0x32, "t", u16::from(packet_id), b"x")).await;
        device.expect(&[0x40, 2, 0, packet_id]).await;
    }
    for stranger in strangers {
        stranger.expect_end().await;
    }
    running.counted("timeouts", &running.door.counters().refused_timeout, 300).await;
    running.open(1).await;
    device.send(&[0xc0, 0]).await;
    device.expect(&[0xd0, 0]).await;
}

#[tokio::test]
async fn a_stranger_may_not_send_what_a_device_may() {
    let desk = Desk::new(Habit::DurableAtOnce);
    let running = Running::start(Limits::default(), &desk).await;
    let mut stranger = running.raw().await;
    // A CONNECT that says it has 5,000 bytes; it is cut before they come.
    stranger.send(&[0x10, 0x88, 0x27]).await;
    stranger.expect_end().await;
    running.counted("oversize", &running.door.counters().oversize, 1).await;
    let mut device = running.v311("d1").await;
    let long = vec![7; 200_000];
    device.send(&publish(0x32, "t", 1, &long)).await;
    device.expect(&[0x40, 2, 0, 1]).await;
    device.send(&publish(0x32, "t", 2, b"short again")).await;
    device.expect(&[0x40, 2, 0, 2]).await;
    assert!(desk.taken()[0].payload == long);
    device.send(&[0x32, 0xff, 0xff, 0xff, 0x7f]).await;
    device.expect_end().await;
    running.counted("oversize", &running.door.counters().oversize, 2).await;
}

#[tokio::test]
async fn a_device_too_many_is_closed_at_once() {
    let desk = Desk::new(Habit::DurableAtOnce);
    let running = Running::start(Limits { max_connections: 2, ..Limits::default() }, &desk).await;
    let mut first = running.v311("d1").await;
    let second = running.v311("d2").await;
    running.raw().await.expect_end().await;
    running.counted("full", &running.door.counters().refused_full, 1).await;
    drop(second);
    running.open(1).await;
    running.v311("d3").await;
    first.send(&[0xc0, 0]).await;
    first.expect(&[0xd0, 0]).await;
}

#[tokio::test]
async fn a_device_that_does_not_read_is_cut_and_costs_little() {
    let desk = Desk::new(Habit::DurableAtOnce);
    let limits = Limits { write_timeout: Duration::from_millis(500), outgoing_queue: 4, ..Limits::default() };
    let running = Running::start(limits, &desk).await;
    let mut deaf = running.v311("deaf").await;
    let mut good = running.v311("good").await;
    for device in [&mut deaf, &mut good] {
        device.send(&subscribe(4, &[("r/#", 0)])).await;
        device.expect(&[0x90, 3, 0, 9, 0]).await;
    }
    let payload = bytes(&"x".repeat(100_000));
    let mut read = vec![0; 100_009];
    soon("the deaf device to be cut", async {
        while running.door.publish("r/1", payload.clone()) == 2 {
            good.0.read_exact(&mut read).await.expect("connected");
        }
    })
    .await;
    running.counted("slow readers", &running.door.counters().slow_readers, 1).await;
    good.0.read_exact(&mut read).await.expect("connected");
    good.send(&[0xc0, 0]).await;
    good.expect(&[0xd0, 0]).await;
}

#[tokio::test]
async fn a_device_that_only_pings_and_never_reads_is_cut() {
    let desk = Desk::new(Habit::DurableAtOnce);
    let limits = Limits { write_timeout: Duration::from_millis(500), ..Limits::default() };
    let running = Running::start(limits, &desk).await;
    let device = running.v311("d1").await;
    let (_unread, mut writer) = device.0.into_split();
    let pings = [0xc0, 0].repeat(8192);
    soon("the device to be cut", async { while writer.write_all(&pings).await.is_ok() {} }).await;
    running.counted("slow readers", &running.door.counters().slow_readers, 1).await;
}

#[tokio::test]
async fn noise_in_many_connections_leaves_the_door_standing() {
    let desk = Desk::new(Habit::DurableAtOnce);
    let running = Running::start(Limits::default(), &desk).await;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..200 {
        let mut raw = running.raw().await;
        let mut noise = if round % 2 == 0 { connect(4, 2, 0, b"", "n") } else { connect(5, 2, 0, b"", "n") };
        for _ in 0..64 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            noise.extend(state.to_be_bytes());
        }
        // Cut in the middle of the noise; the door may have closed before.
        let _ = raw.0.write_all(&noise).await;
    }
    running.open(0).await;
    running.v311("d1").await;
}
