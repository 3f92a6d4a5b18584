//! A disk that neither takes nor refuses: every write hangs, as with storage behind a network that is away.

use std::{
    collections::BTreeSet,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use tests::{
    anhu::Anhu,
    disk::{self, are_possible},
    mosquitto::Mosquitto,
    presses::{is_acknowledged, judge, press, shown},
    world,
};
use wire::v1;

const DISK_BYTES: u64 = 144 << 20;
/// Presses while it hangs: many times what a broker lets be under way.
const PRESSES: usize = 1_000;
/// How long the server may take to notice that the disk is back.
const NOTICES_WITHIN: Duration = Duration::from_secs(30);

/// A file system on which every write hangs until this is dropped.
struct Frozen(std::path::PathBuf);

impl Frozen {
    fn freeze(at: &std::path::Path) -> Self {
        let frozen = Command::new("fsfreeze").arg("--freeze").arg(at).status().expect("fsfreeze runs");
        assert!(frozen.success());
        Self(at.to_owned())
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = Command::new("fsfreeze").arg("--unfreeze").arg(&self.0).status();
    }
}

fn sos(id: &str) -> Vec<u8> {
    format!(r#"{{"kind":"sos","id":"{id}"}}"#).into_bytes()
}

/// Waits until `/readyz` says this.
async fn turns(anhu: &Anhu, status: u16) -> String {
    let began = Instant::now();
    loop {
        let (found, page) = anhu.get("/readyz");
        if found == status {
            return page;
        }
        assert!(began.elapsed() < NOTICES_WITHIN, "{found} {page}\n{}", anhu.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_hangs_costs_no_alert_and_holds_nobody_up() {
    if !are_possible() {
        return;
    }
    let folder = disk::folder();
    let mounted = disk::new_data(folder.path(), DISK_BYTES);
    let mut anhu = Anhu::start_with("", Arc::clone(&folder)).await;
    world::build(&anhu, &["wrist-1"], 3).await;
    let mut acked = press(anhu.mqtt_port, 0, 50).await;
    assert_eq!(acked.len(), 50);

    let frozen = Frozen::freeze(mounted.at());
    for (device, has_a_home) in [("wrist-1", true), ("stranger", false)] {
        let pressed = is_acknowledged(anhu.mqtt_port, device, sos(device));
        assert!(!pressed.await, "what is not flushed is never acknowledged");
        let name = format!("devices/{device}");
        let dispatched =
            |one: &v1::Incident| one.device == name && one.first_offer_at.is_some() == has_a_home;
        let shown = anhu.wait_for_incident("it is shown and dispatched all the same", dispatched).await;
        assert!(shown.degraded, "it is marked");
    }
    let page = turns(&anhu, 503).await;
    assert!(page.contains("RED") && page.contains("come back"), "{page}");

    drop(frozen);
    turns(&anhu, 200).await;
    let marked = anhu.all_incidents().await.into_iter().filter(|incident| incident.degraded).count();
    assert_eq!(marked, 0, "the marks are gone");
    assert!(is_acknowledged(anhu.mqtt_port, "wrist-1", sos("wrist-1")).await);
    acked.insert("wrist-1".to_owned());
    anhu.kill();
    let anhu = Anhu::start_with("", Arc::clone(&folder)).await;
    let judged = judge(&acked, &shown(&anhu).await);
    assert!(judged.lost.is_empty() && judged.doubled.is_empty(), "{judged:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_broker_delivers_while_the_disk_hangs_all_arrives_once() {
    if !are_possible() {
        return;
    }
    let folder = disk::folder();
    let mounted = disk::new_data(folder.path(), DISK_BYTES);
    let broker = Mosquitto::start().await;
    let link = format!(
        "[[links]]\nname = \"town\"\nurl = \"mqtt://127.0.0.1:{}\"\nclient_id = \"anhu\"\n\
         filters = [\"anhu/v1/+/alert\"]\n",
        broker.port
    );
    let anhu = Anhu::start_with(&link, Arc::clone(&folder)).await;
    turns(&anhu, 200).await;
    let mut published = BTreeSet::new();
    for round in 0..2 {
        let frozen = Frozen::freeze(mounted.at());
        published.extend(press(broker.port, round * PRESSES, PRESSES).await);
        turns(&anhu, 503).await;
        drop(frozen);
        turns(&anhu, 200).await;
    }
    let began = Instant::now();
    loop {
        let judged = judge(&published, &shown(&anhu).await);
        if judged.lost.is_empty() {
            assert!(judged.doubled.is_empty(), "{judged:?}");
            break;
        }
        assert!(began.elapsed() < NOTICES_WITHIN, "{} are missing\n{}", judged.lost.len(), anhu.log());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
