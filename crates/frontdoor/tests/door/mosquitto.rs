//! Do Mosquitto's command line clients get along with the front door? (Debian's `mosquitto-clients`.)

use std::process::Stdio;

use frontdoor::{Limits, Qos};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use crate::support::{Desk, Habit, Running, bytes, soon, until};

const VERSIONS: [&str; 2] = ["mqttv311", "mqttv5"];

fn client(program: &str, version: &str, running: &Running) -> Command {
    let mut command = Command::new(program);
    command.args([
        "-h",
        "127.0.0.1",
        "-p",
        &running.addr.port().to_string(),
        "-V",
        version,
        "-u",
        "user",
        "-P",
        "secret",
    ]);
    command.kill_on_drop(true).stdin(Stdio::null());
    command
}

#[tokio::test]
async fn mosquitto_pub_delivers_with_every_qos() {
    for version in VERSIONS {
        let desk = Desk::new(Habit::DurableAtOnce);
        let running = Running::start(Limits::default(), &desk).await;
        for qos in ["0", "1", "2"] {
            let mut publish = client("mosquitto_pub", version, &running);
            publish.args(["-q", qos, "-t", "a/b", "-m", qos, "-r", "--repeat", "50", "-i", "d1"]);
            let status =
                soon("mosquitto_pub", publish.status()).await.expect("mosquitto-clients is installed");
            assert!(status.success(), "{version} {qos}");
        }
        let messages = desk.messages(150).await;
        for (at, qos) in [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce].into_iter().enumerate() {
            let of_qos = &messages[at * 50..(at + 1) * 50];
            assert!(
                of_qos
                    .iter()
                    .all(|message| message.qos == qos && message.retain && &*message.client_id == "d1")
            );
        }
        assert_eq!(desk.taken().len(), 150);
        running.counted("malformed", &running.door.counters().malformed, 0).await;
        running.counted("wills", &running.door.counters().wills, 0).await;
    }
}

#[tokio::test]
async fn mosquitto_sub_gets_receipts_and_leaves_its_will_when_it_is_killed() {
    for version in VERSIONS {
        for qos in ["0", "1", "2"] {
            let desk = Desk::new(Habit::DurableAtOnce);
            let running = Running::start(Limits::default(), &desk).await;
            let mut subscribe = client("mosquitto_sub", version, &running);
            subscribe.args([
                "-q",
                qos,
                "-t",
                "anhu/v1/d1/receipt",
                "-t",
                "other/#",
                "-i",
                "d1",
                "-F",
                "%t %q %p",
            ]);
            subscribe.args([
                "--will-topic",
                "d1/status",
                "--will-payload",
                "offline",
                "--will-qos",
                "1",
                "--will-retain",
            ]);
            let mut child = subscribe.stdout(Stdio::piped()).spawn().expect("mosquitto-clients is installed");
            let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
            until("the subscription", || running.door.publish("anhu/v1/d1/receipt", bytes("received")) == 1)
                .await;
            let line = soon("the receipt", lines.next_line()).await.expect("text");
            let granted = if qos == "2" { "1" } else { qos };
            assert_eq!(line, Some(format!("anhu/v1/d1/receipt {granted} received")), "{version}");
            child.start_kill().expect("it runs");
            let will = &desk.messages(1).await[0];
            assert_eq!((&*will.topic, &will.payload[..]), ("d1/status", &b"offline"[..]));
            assert!(will.will && will.retain);
            soon("the child", child.wait()).await.expect("killed");
        }
    }
}

#[tokio::test]
async fn mosquitto_pub_is_told_that_it_may_not_come_in() {
    for (version, code) in VERSIONS.into_iter().zip(["5", "135"]) {
        let running = Running::start(Limits::default(), &Desk::new(Habit::DurableAtOnce)).await;
        let mut publish = client("mosquitto_pub", version, &running);
        publish.args(["-q", "1", "-t", "t", "-m", "x", "-i", "stranger"]);
        let status = soon("mosquitto_pub", publish.status()).await.expect("mosquitto-clients is installed");
        assert_eq!(status.code().map(|code| code.to_string()).as_deref(), Some(code), "{version}");
    }
}
