//! A start reads what was decided since the last checkpoint, and comes to the same as from the very beginning.

use std::{fs, path::PathBuf};

use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use tests::{
    anhu::{Anhu, folder},
    clock::shifted_by,
    wait, world,
};
use wire::v1;

const OFTEN: &str = "[journal]\ncheckpoint_records = 50\n";

/// Raises so many alerts of two devices, one after the other, so that each is a record of its own.
async fn press(anhu: &Anhu, first: usize, count: usize) {
    let mut options = MqttOptions::new("presser", "127.0.0.1", anhu.mqtt_port);
    options.set_keep_alive(std::time::Duration::from_secs(30)).set_inflight(1);
    let (client, mut events) = AsyncClient::new(options, count);
    for number in first..first + count {
        let payload = format!(r#"{{"kind":"sos","id":"a-{number}"}}"#);
        let topic = format!("anhu/v1/wrist-{}/alert", number % 40);
        client.try_publish(topic, QoS::AtLeastOnce, false, payload).expect("there is room");
    }
    let mut acked = 0;
    while acked < count {
        if let Event::Incoming(Packet::PubAck(_)) = events.poll().await.expect("a connection") {
            acked += 1;
        }
    }
}

fn checkpoints(anhu: &Anhu) -> Vec<PathBuf> {
    let files = fs::read_dir(anhu.data().join("journal/dispatch")).expect("the journal's folder");
    let files = files.map(|file| file.expect("a file").path());
    let is_one = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("checkpoint-"))
    };
    let mut found: Vec<PathBuf> = files.filter(is_one).collect();
    found.sort();
    found
}

async fn everything(anhu: &Anhu) -> Vec<v1::Incident> {
    let mut all = Vec::new();
    for incident in anhu.all_incidents().await {
        all.push(anhu.incident(&incident.name).await);
    }
    all
}

fn replayed(anhu: &Anhu) -> u64 {
    let log = anhu.log();
    let line =
        log.lines().find(|line| line.contains("journal read") && line.contains("journal=\"dispatch\""));
    let (_, rest) = line.and_then(|line| line.split_once("replayed=")).expect("it says so");
    rest.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

/// What must not depend on where the reading began: everything but what happens by the clock meanwhile.
fn essence(incidents: &[v1::Incident]) -> Vec<(String, Vec<v1::Alert>, u32, Vec<u64>)> {
    let of = |incident: &v1::Incident| {
        let offers = incident.offers.iter().take(1).map(|offer| offer.offer_id).collect();
        (incident.name.clone(), incident.alerts.clone(), incident.alert_count, offers)
    };
    incidents.iter().map(of).collect()
}

#[tokio::test]
async fn a_start_after_a_kill_reads_on_from_the_last_checkpoint_and_knows_the_same() {
    let mut anhu = Anhu::start_with(OFTEN, folder()).await;
    world::build(&anhu, &["wrist-1", "wrist-2", "wrist-3"], 3).await;
    press(&anhu, 0, 100).await;
    wait::until("a checkpoint", async || (checkpoints(&anhu).len() == 1).then_some(())).await;
    press(&anhu, 100, 100).await;
    wait::until("another", async || (checkpoints(&anhu).len() == 2).then_some(())).await;
    press(&anhu, 200, 30).await;
    let before = everything(&anhu).await;
    anhu = anhu.kill_and_restart(OFTEN).await;
    let tail = replayed(&anhu);
    assert!(tail < 200, "{tail} records were read");
    assert_eq!(essence(&everything(&anhu).await), essence(&before), "from the newest checkpoint");

    anhu.kill();
    let newest = checkpoints(&anhu).pop().expect("the newest");
    let mut bytes = fs::read(&newest).expect("its bytes");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&newest, bytes).expect("damaged");
    anhu = anhu.kill_and_restart(OFTEN).await;
    assert!(anhu.log().contains("a checkpoint cannot be used"), "{}", anhu.log());
    assert_eq!(essence(&everything(&anhu).await), essence(&before), "from the one before it");

    anhu.kill();
    checkpoints(&anhu).iter().for_each(|path| fs::remove_file(path).expect("removed"));
    anhu = anhu.kill_and_restart(OFTEN).await;
    assert!(replayed(&anhu) > tail);
    assert_eq!(essence(&everything(&anhu).await), essence(&before), "from the first record");
}

#[tokio::test]
async fn a_checkpoint_of_another_journal_is_refused_with_what_to_do() {
    let mut stranger = Anhu::start_with(OFTEN, folder()).await;
    press(&stranger, 0, 60).await;
    assert!(stranger.stop(), "{}", stranger.log());
    let mut anhu = Anhu::start_with(OFTEN, folder()).await;
    press(&anhu, 0, 60).await;
    assert!(anhu.stop(), "{}", anhu.log());
    let theirs = checkpoints(&stranger).pop().expect("theirs");
    let ours = checkpoints(&anhu).pop().expect("ours");
    if theirs.file_name() != ours.file_name() {
        fs::remove_file(&ours).expect("removed");
    }
    let name = theirs.file_name().expect("a name");
    fs::copy(&theirs, anhu.data().join("journal/dispatch").join(name)).expect("copied");

    let output = std::process::Command::new(tests::anhu::binary())
        .args(["serve", "--insecure-dev", "--http-listen", "127.0.0.1:0", "--mqtt-listen", "127.0.0.1:0"])
        .env("ANHU_DATA_DIR", anhu.data())
        .output()
        .expect("anhu runs");
    assert!(!output.status.success());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("checkpoint") && told.contains("restored from an older backup"), "{told}");
}

/// Messages that nobody can read and that are long: so many fill a segment of the journal.
async fn fill_a_segment(anhu: &Anhu, round: usize) {
    let mut options = MqttOptions::new("filler", "127.0.0.1", anhu.mqtt_port);
    options.set_keep_alive(std::time::Duration::from_secs(30)).set_inflight(20);
    options.set_max_packet_size(1 << 20, 1 << 20);
    let (client, mut events) = AsyncClient::new(options, LONG_ONES);
    for number in 0..LONG_ONES {
        let payload = format!("{round} {number} ").repeat(6000);
        client.try_publish("anhu/v1/wrist-1/alert", QoS::AtLeastOnce, false, payload).expect("there is room");
    }
    let mut acked = 0;
    while acked < LONG_ONES {
        if let Event::Incoming(Packet::PubAck(_)) = events.poll().await.expect("a connection") {
            acked += 1;
        }
    }
}

/// About 40 KiB each, so more than the 16 MiB of a segment.
const LONG_ONES: usize = 500;

fn segments(anhu: &Anhu) -> (usize, usize) {
    let files = fs::read_dir(anhu.data().join("journal/dispatch")).expect("the journal's folder");
    let names: Vec<String> =
        files.map(|file| file.expect("a file").file_name().to_string_lossy().into_owned()).collect();
    let of = |ending: &str| names.iter().filter(|name| name.ends_with(ending)).count();
    (of(".seg"), of(".seg.zst"))
}

fn verified(anhu: &Anhu) -> String {
    let folder = anhu.data();
    let output = std::process::Command::new(tests::anhu::binary())
        .args(["journal", "verify", "--data-dir"])
        .arg(folder)
        .output();
    let output = output.expect("anhu runs");
    let told =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}");
    told
}

#[tokio::test]
async fn old_segments_are_packed_and_in_the_end_removed_and_everything_open_is_still_known() {
    let folder = folder();
    let clock = folder.path().join("clock");
    fs::write(&clock, "+0").expect("a clock");
    let config = format!("{OFTEN}keep_days = 365\n");
    let mut anhu = Anhu::start_under(&shifted_by(&clock), &config, std::sync::Arc::clone(&folder)).await;
    press(&anhu, 0, 60).await;
    fill_a_segment(&anhu, 1).await;
    wait::until("the first segment is packed", async || (segments(&anhu).1 >= 1).then_some(())).await;
    let before = everything(&anhu).await;
    anhu.kill();
    assert!(verified(&anhu).contains("1 of them packed; first 1,"), "{}", verified(&anhu));

    fs::write(&clock, "+400d").expect("a clock more than a year later");
    anhu = Anhu::start_under(&shifted_by(&clock), &config, std::sync::Arc::clone(&folder)).await;
    let names = |incidents: &[v1::Incident]| {
        incidents.iter().map(|incident| incident.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&everything(&anhu).await), names(&before), "nobody has closed them");
    // A clock that was set ahead by mistake must not cost what is kept, so it is believed from the second start on.
    press(&anhu, 1000, 60).await;
    wait::until("a checkpoint", async || anhu.log().contains("a checkpoint was kept").then_some(())).await;
    anhu.kill();
    assert!(verified(&anhu).contains("first 1,"), "nothing is removed yet");
    anhu = Anhu::start_under(&shifted_by(&clock), &config, std::sync::Arc::clone(&folder)).await;
    for round in 0..3 {
        press(&anhu, 2000 + 60 * round, 60).await;
        wait::until("a checkpoint", async || {
            (anhu.log().matches("a checkpoint was kept").count() > round).then_some(())
        })
        .await;
    }
    wait::until("the old segment is removed", async || anhu.log().contains("were removed").then_some(()))
        .await;
    anhu.kill();
    let told = verified(&anhu);
    assert!(!told.contains("first 1,"), "{told}");
    let anhu = Anhu::start_under(&shifted_by(&clock), &config, folder).await;
    let after = names(&everything(&anhu).await);
    assert!(
        names(&before).iter().all(|name| after.contains(name)),
        "what was open a year ago is still known"
    );
}
