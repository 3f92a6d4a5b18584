//! A disk that fills up, and one that turns read-only, under a running server.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write as _,
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use tests::{
    anhu::{Anhu, Watch},
    disk::{self, Mounted, are_possible},
    presses::{Judgement, is_acknowledged, judge, press, shown},
    wait::PATIENCE,
    world,
};
use tokio_stream::StreamExt as _;
use wire::v1::{self, watch_incidents_response::Change, watch_offers_response::Change as Notice};

const DISK_BYTES: u64 = 144 << 20;
/// A message that nobody can read is kept as it came, so these fill a journal soon.
const LARGE: usize = 200_000;
/// Most of them until a journal without a disk behind it must have failed: two segments of it are full then.
const ENOUGH: usize = 250;
/// How long the server may take to notice that there is space again.
const NOTICES_WITHIN: Duration = Duration::from_secs(30);

/// A file system of its own, mounted as the data folder.
struct Rig {
    mounted: Mounted,
    folder: Arc<tempfile::TempDir>,
}

impl Rig {
    fn new() -> Self {
        let folder = disk::folder();
        Self { mounted: disk::new_data(folder.path(), DISK_BYTES), folder }
    }

    async fn serve(&self) -> Anhu {
        Anhu::start_with("", Arc::clone(&self.folder)).await
    }

    /// Another process takes all the space there is.
    fn fill(&self) {
        let filler = format!("of={}", self.filler().display());
        let mut dd = Command::new("dd");
        let dd = dd.stderr(std::process::Stdio::null());
        let filled =
            dd.args(["if=/dev/zero", "bs=64K", "status=none", "oflag=append", "conv=notrunc"]).arg(filler);
        assert!(!filled.status().expect("dd runs").success(), "the disk ends");
        let mut last = File::options().append(true).open(self.filler()).expect("the file");
        while last.write(&[1; 512]).is_ok() {}
    }

    fn free(&self) {
        fs::remove_file(self.filler()).expect("removed");
    }

    fn filler(&self) -> std::path::PathBuf {
        self.mounted.at().join("filler")
    }
}

/// Sends large messages until one is not acknowledged, and returns how many were.
async fn press_until_refused(anhu: &Anhu) -> usize {
    for number in 0..ENOUGH {
        if !is_acknowledged(anhu.mqtt_port, &format!("bulk-{number}"), vec![b'x'; LARGE]).await {
            return number;
        }
    }
    panic!("{ENOUGH} messages were acknowledged, and there was no room for them");
}

/// What must be so while the disk refuses: an SOS is shown and dispatched, is not acknowledged, and everybody is told.
async fn is_degraded_and_dispatches(anhu: &Anhu) {
    let (status, page) = anhu.get("/readyz");
    assert!(status == 503 && page.contains("RED"), "{status} {page}");
    let pressed = is_acknowledged(anhu.mqtt_port, "wrist-1", br#"{"kind":"sos","id":"degraded"}"#.to_vec());
    assert!(!pressed.await, "what is not flushed is never acknowledged");
    let dispatched =
        |incident: &v1::Incident| incident.device == "devices/wrist-1" && incident.first_offer_at.is_some();
    let shown = anhu.wait_for_incident("it is shown and dispatched all the same", dispatched).await;
    assert!(shown.degraded, "it is marked");
}

/// Waits until heartbeats tell a console, and a helper's app, whether the disk refuses, however much else happens.
async fn are_told(
    anhu: &Anhu,
    console: &mut Watch,
    app: &mut tonic::Streaming<v1::WatchOffersResponse>,
    refuses: bool,
) {
    let told = async {
        while !is_beat(&console.next().await, refuses) {}
        loop {
            let notice = app.next().await.expect("the stream goes on").expect("no error");
            if matches!(notice.change, Some(Notice::Heartbeat(beat)) if beat.degraded == refuses) {
                return;
            }
        }
    };
    let busy = async {
        for number in 0.. {
            let press = format!(r#"{{"kind":"sos","id":"busy-{refuses}-{number}"}}"#);
            is_acknowledged(anhu.mqtt_port, "wrist-1", press.into_bytes()).await;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::select! {
        told = tokio::time::timeout(PATIENCE, told) => told.expect("a heartbeat says so"),
        () = busy => {}
    }
}

fn is_beat(change: &Change, refuses: bool) -> bool {
    matches!(change, Change::Heartbeat(beat) if beat.degraded == refuses)
}

async fn recovers(anhu: &Anhu) -> bool {
    let began = Instant::now();
    while began.elapsed() < NOTICES_WITHIN {
        if anhu.get("/readyz").0 == 200 {
            return is_acknowledged(anhu.mqtt_port, "wrist-1", br#"{"kind":"sos","id":"well"}"#.to_vec())
                .await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    false
}

/// Everything acknowledged is there after a restart, and the next press is acknowledged.
async fn nothing_is_lost(anhu: &Anhu, acked: &BTreeSet<String>, bulk: usize) {
    let found = shown(anhu).await;
    assert_eq!(judge(acked, &found).lost, BTreeSet::new());
    let unreadable =
        anhu.all_incidents().await.iter().filter(|one| one.kind() == v1::Kind::Unreadable).count();
    assert!(unreadable >= bulk, "{bulk} large messages were acknowledged, {unreadable} are there");
    assert!(is_acknowledged(anhu.mqtt_port, "after", br#"{"kind":"sos","id":"after"}"#.to_vec()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_costs_no_alert_and_what_was_acknowledged_stays() {
    if !are_possible() {
        return;
    }
    let rig = Rig::new();
    let mut anhu = rig.serve().await;
    let world = world::build(&anhu, &["wrist-1"], 3).await;
    let (mut console, mut app) = (anhu.watch().await, anhu.watch_offers(&world.responders[0]).await);
    let acked = press(anhu.mqtt_port, 0, 50).await;
    assert_eq!(acked.len(), 50);
    rig.fill();
    let bulk = press_until_refused(&anhu).await;
    is_degraded_and_dispatches(&anhu).await;
    are_told(&anhu, &mut console, &mut app, true).await;

    rig.free();
    assert!(recovers(&anhu).await, "it goes on by itself when there is space again:\n{}", anhu.log());
    let marked = anhu.all_incidents().await.into_iter().filter(|incident| incident.degraded).count();
    assert_eq!(marked, 0, "and the marks are gone");
    are_told(&anhu, &mut console, &mut app, false).await;
    anhu.kill();
    let anhu = rig.serve().await;
    nothing_is_lost(&anhu, &acked, bulk).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_starts_on_a_full_disk_and_takes_alerts() {
    if !are_possible() {
        return;
    }
    let rig = Rig::new();
    let mut anhu = rig.serve().await;
    let acked = press(anhu.mqtt_port, 0, 50).await;
    anhu.kill();
    rig.fill();
    let mut anhu = rig.serve().await;
    nothing_is_lost(&anhu, &acked, 0).await;
    anhu.kill();
    let anhu = rig.serve().await;
    nothing_is_lost(&anhu, &acked, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_turns_read_only_costs_no_alert() {
    if !are_possible() {
        return;
    }
    let rig = Rig::new();
    let mut anhu = rig.serve().await;
    world::build(&anhu, &["wrist-1"], 3).await;
    let acked = press(anhu.mqtt_port, 0, 50).await;
    assert_eq!(acked.len(), 50);
    // What the kernel does by itself when the device fails; by hand it refuses while files are open for writing.
    assert!(rig.mounted.remount("ro").is_err());
    rig.mounted.remount("abort").expect("it turns read-only");
    is_read_only(rig.mounted.at());
    assert!(!is_acknowledged(anhu.mqtt_port, "first", br#"{"kind":"sos","id":"first"}"#.to_vec()).await);
    is_degraded_and_dispatches(&anhu).await;
    anhu.kill();

    // A technician checks the disk and mounts it again.
    let Rig { mounted, folder } = rig;
    mounted.unmount().expect("it unmounts");
    let image = disk::image_in(folder.path());
    let checked = Command::new("e2fsck").args(["-p", "-f"]).arg(&image).output().expect("e2fsck runs");
    assert!(
        checked.status.code().is_some_and(|code| code < 4),
        "{}",
        String::from_utf8_lossy(&checked.stdout)
    );
    let rig = Rig { mounted: disk::mount_data(folder.path()).expect("a mount"), folder };
    let anhu = rig.serve().await;
    nothing_is_lost(&anhu, &acked, 0).await;
    assert_eq!(judge(&acked, &shown(&anhu).await), Judgement::default());
}

fn is_read_only(at: &Path) {
    assert!(fs::write(at.join("try"), "").is_err(), "nothing can be written");
}
