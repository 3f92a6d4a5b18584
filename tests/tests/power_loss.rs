//! The power is cut under a running server, on a real file system. What a device was told is there, is there.
//!
//! `CUTS=200 make power` cuts as often as told.

use std::{
    collections::BTreeSet,
    env, fs, io,
    os::unix::fs::FileExt as _,
    path::Path,
    process::Command,
    sync::{Arc, LazyLock},
};

use tests::{
    anhu::{Anhu, binary},
    disk::{self, LoopDevice, Mounted, are_possible},
    power::{Leaves, PowerLossDisk, write_sparse},
    presses::{judge, press, shown},
    wait,
};

/// Two journals with a spare segment each, the small one of users, and the state store.
const DISK_BYTES: u64 = 120 << 20;
/// Cuts that a check of a change has time for.
const CUTS: u64 = 4;
/// Most presses between two cuts.
const PRESSES: usize = 150;
/// Cuts after which the disk begins anew, so that a check does not grow with all cuts before it.
const CUTS_A_DISK: u64 = 8;

fn cuts() -> u64 {
    env::var("CUTS").ok().and_then(|cuts| cuts.parse().ok()).unwrap_or(CUTS)
}

/// A disk on which a server has run once and was stopped.
static BEGINNING: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = disk::folder();
    let mounted = disk::new_data(folder.path(), DISK_BYTES);
    let data = Arc::clone(&folder);
    let run = async move { assert!(Anhu::start_with("", data).await.stop(), "it stops well") };
    // A runtime of its own: whoever asks first is on another one.
    let thread = std::thread::spawn(|| tokio::runtime::Runtime::new().expect("a runtime").block_on(run));
    thread.join().expect("it ran");
    mounted.unmount().expect("it unmounts");
    fs::read(disk::image_in(folder.path())).expect("its bytes")
});

/// A server on a disk that can lose its power.
struct Rig {
    // In the order in which they must end.
    anhu: Option<Anhu>,
    mounted: Mounted,
    disk: PowerLossDisk,
    folder: Arc<tempfile::TempDir>,
}

impl Rig {
    async fn start(image: Vec<u8>, options: &str) -> Self {
        let (disk, mounted, folder) = powered(image, options).expect("a disk");
        let anhu = Some(Anhu::start_with("", Arc::clone(&folder)).await);
        Self { anhu, mounted, disk, folder }
    }

    fn anhu(&self) -> &Anhu {
        self.anhu.as_ref().expect("it runs")
    }

    /// Presses, cuts the power after some acknowledgements, and returns what was acknowledged and what is on the disk.
    async fn press_and_cut(
        mut self,
        first: usize,
        leaves: Leaves,
        after: usize,
    ) -> (BTreeSet<String>, Vec<u8>) {
        let pressing = tokio::spawn(press(self.anhu().mqtt_port, first, PRESSES));
        wait::until("enough have arrived", async || (alerts(self.anhu()) >= after).then_some(())).await;
        let image = self.disk.cut(leaves);
        self.anhu.take().expect("it runs").kill();
        let acked = pressing.await.expect("the devices");
        drop(self.mounted);
        drop(self.folder);
        (acked, image)
    }
}

fn alerts(anhu: &Anhu) -> usize {
    let metrics = anhu.get("/metrics").1;
    let line = metrics.lines().find(|line| line.starts_with("anhu_alerts_total{kind=\"sos\"}"));
    line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).unwrap_or_default() as usize
}

/// The disk, its file system, and the folder in which that is mounted as `data`.
fn powered(image: Vec<u8>, options: &str) -> io::Result<(PowerLossDisk, Mounted, Arc<tempfile::TempDir>)> {
    let disk = PowerLossDisk::with(image)?;
    let folder = disk::folder();
    let mounted = LoopDevice::of(&disk.image())?.mount(folder.path().join("data"), options)?;
    Ok((disk, mounted, folder))
}

/// What is found on an image after the power is back: the verdict of `anhu journal verify`, and the server that runs.
async fn recovered(image: &[u8]) -> (Anhu, Mounted, Arc<tempfile::TempDir>) {
    let folder = disk::folder();
    write_sparse(&disk::image_in(folder.path()), image).expect("an image");
    let mounted = disk::mount_data(folder.path()).expect("ext4 recovers");
    let verified = Command::new(binary())
        .args(["journal", "verify", "--data-dir"])
        .arg(mounted.at())
        .output()
        .expect("anhu runs");
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    (Anhu::start_with("", Arc::clone(&folder)).await, mounted, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_the_power_was_cut_is_shown_once() {
    if !are_possible() {
        return;
    }
    let (mut image, mut acked, mut pressed) = (BEGINNING.clone(), BTreeSet::new(), 0);
    let (mut all, mut unacked_kept) = (0, 0);
    for cut in 0..cuts() {
        if cut % CUTS_A_DISK == 0 {
            (image, acked, pressed) = (BEGINNING.clone(), BTreeSet::new(), 0);
        }
        let leaves = if cut % 3 == 0 { Leaves::Nothing } else { Leaves::Some(cut) };
        let after = 1 + (cut as usize * 97) % (PRESSES - 20);
        let rig = Rig::start(image, "rw").await;
        let (told, left) = rig.press_and_cut(pressed, leaves, after).await;
        all += told.len();
        acked.extend(told);
        pressed += PRESSES;

        let (mut anhu, mounted, folder) = recovered(&left).await;
        let found = shown(&anhu).await;
        let judgement = judge(&acked, &found);
        assert_eq!(judgement, judge(&BTreeSet::new(), &Default::default()), "cut {cut}, {leaves:?}");
        unacked_kept += found.len() - acked.len();
        let again = press(anhu.mqtt_port, pressed - PRESSES, PRESSES).await;
        assert_eq!(again.len(), PRESSES, "cut {cut}: all are acknowledged when they are sent again");
        acked.extend(again);
        let found = shown(&anhu).await;
        assert_eq!(
            judge(&acked, &found),
            judge(&BTreeSet::new(), &Default::default()),
            "cut {cut}, sent again"
        );
        assert_eq!(found.len(), pressed, "cut {cut}: all that were pressed are shown, and nothing else");
        assert!(anhu.stop(), "it stops well");
        mounted.unmount().expect("it unmounts");
        image = fs::read(folder.path().join("disk.img")).expect("its bytes");
    }
    println!("{} cuts, {all} acknowledged before them, 0 lost; {unacked_kept} more were kept", cuts());
}

/// The rig finds what it is made to find: the same server is caught when its flushes do not reach the disk.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_system_that_does_not_flush_is_found_out() {
    if !are_possible() {
        return;
    }
    let rig = Rig::start(BEGINNING.clone(), "rw,barrier=0").await;
    let (acked, image) = rig.press_and_cut(0, Leaves::Nothing, 100).await;
    assert!(!acked.is_empty());
    let (anhu, _mounted, _folder) = recovered(&image).await;
    let judgement = judge(&acked, &shown(&anhu).await);
    assert!(!judgement.lost.is_empty(), "acknowledged without a flush, and nothing is lost");
}

/// The same with nothing but a file: lines are appended and acknowledged, first with a flush and then without.
#[test]
fn a_file_that_is_flushed_is_there_and_one_that_is_not_is_lost() {
    if !are_possible() {
        return;
    }
    let folder = disk::folder();
    let image = disk::make_ext4(&folder.path().join("disk.img"), 8 << 20).expect("a file system");
    let (disk, mounted, _folder) =
        powered(fs::read(image).expect("its bytes"), "rw,commit=300").expect("a disk");
    let path = mounted.at().join("file");
    // Room that is there already, so that only the lines themselves are at stake.
    fs::write(&path, vec![0; 8192]).expect("written");
    let file = fs::OpenOptions::new().write(true).open(&path).expect("the file");
    file.sync_all().expect("flushed");
    fs::File::open(mounted.at()).and_then(|folder| folder.sync_all()).expect("flushed");

    let acked = |word: &str| (0..20).map(|line| format!("{word}-{line}")).collect::<BTreeSet<_>>();
    write_directly(folder.path(), &path, &acked("flushed"), 0);
    file.sync_data().expect("flushed");
    let flushes = disk.flushes();
    write_directly(folder.path(), &path, &acked("unflushed"), 1);
    let found = |image: &[u8], word: &str| {
        let lines = image.split(|byte| matches!(byte, b'\n' | 0));
        let lines = lines.filter(|line| line.starts_with(word.as_bytes()));
        lines.map(|line| (String::from_utf8_lossy(line).into_owned(), 1)).collect()
    };
    let written = disk.written(0..8 << 20);
    assert!(
        judge(&acked("unflushed"), &found(&written, "unflushed-")).lost.is_empty(),
        "the disk has been given all"
    );
    assert_eq!(disk.flushes(), flushes, "and was not told to flush");
    let image = disk.cut(Leaves::Nothing);
    drop((file, mounted));
    assert!(judge(&acked("flushed"), &found(&image, "flushed-")).lost.is_empty());
    assert_eq!(judge(&acked("unflushed"), &found(&image, "unflushed-")).lost, acked("unflushed"));
}

/// Writes lines into a block of a file, past the kernel's cache and without a flush.
fn write_directly(folder: &Path, path: &Path, lines: &BTreeSet<String>, block: usize) {
    let mut text = lines.iter().fold(String::new(), |text, line| text + line + "\n").into_bytes();
    text.resize(4096, 0);
    let source = folder.join("lines");
    fs::write(&source, text).expect("written");
    let mut dd = Command::new("dd");
    dd.args(["bs=4096", "count=1", "conv=notrunc", "oflag=direct", "status=none", &format!("seek={block}")]);
    let done = dd.arg(format!("if={}", source.display())).arg(format!("of={}", path.display())).status();
    assert!(done.expect("dd runs").success());
}

#[test]
fn chance_keeps_about_half_and_the_same_again() {
    if !are_possible() {
        return;
    }
    let disk = PowerLossDisk::with(vec![0; 4 << 20]).expect("a disk");
    let file = fs::OpenOptions::new().write(true).open(disk.image()).expect("the image");
    file.write_all_at(&vec![1; 4 << 20], 0).expect("written");
    for seed in [4, 5] {
        let kept = disk.cut(Leaves::Some(seed)).iter().filter(|byte| **byte == 1).count() as f64;
        assert!((0.4..0.6).contains(&(kept / f64::from(4 << 20))), "seed {seed} keeps {kept}");
        assert_eq!(disk.cut(Leaves::Some(seed)), disk.cut(Leaves::Some(seed)));
    }
    assert!(file.sync_all().is_err(), "without power nothing is flushed");
}
