//! Real file systems on loop devices, for what only a kernel does: fill up, turn read-only, lose power.
//!
//! Everything lies in folders whose names hold the process id, is taken down when dropped (by a panic too), and what a
//! killed run has left is taken down by the next one. Nothing else is ever unmounted.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Once},
};

/// How our folders begin; the process id follows.
const PREFIX: &str = "anhu-disk-";
/// Set by `make power`: a machine that cannot do this fails.
const MUST: &str = "ANHU_DISKS_MUST";

/// Says whether this machine can mount file systems on loop devices, and by FUSE; if not, says so loudly.
///
/// # Panics
/// When it cannot and `ANHU_DISKS_MUST` is set.
#[must_use]
pub fn are_possible() -> bool {
    static CLEANED: Once = Once::new();
    let Some(missing) = missing() else {
        CLEANED.call_once(take_down_what_was_left);
        return true;
    };
    assert!(env::var_os(MUST).is_none(), "disks cannot be tested here: {missing}");
    eprintln!("\n!!! NOT TESTED: disks that fill up and lose power. {missing}\n");
    false
}

fn missing() -> Option<String> {
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if !is_root {
        return Some("Only root can mount.".to_owned());
    }
    for device in ["/dev/fuse", "/dev/loop-control"] {
        if let Err(error) = fs::OpenOptions::new().read(true).write(true).open(device) {
            return Some(format!("{device}: {error}."));
        }
    }
    let folder = folder();
    let made = make_ext4(&folder.path().join("try"), 8 << 20).and_then(|image| {
        let mounted = LoopDevice::of(&image)?.mount(folder.path().join("mounted"), "rw")?;
        fs::write(mounted.at().join("file"), "")
    });
    made.err().map(|error| format!("A small file system cannot be made and mounted: {error}."))
}

/// A folder of this process, removed when dropped.
///
/// # Panics
/// When the machine has no room.
#[must_use]
pub fn folder() -> Arc<tempfile::TempDir> {
    let prefix = format!("{PREFIX}{}-", std::process::id());
    Arc::new(tempfile::Builder::new().prefix(&prefix).tempdir().expect("a folder"))
}

/// The image of the file system on which a server in this folder keeps its data.
#[must_use]
pub fn image_in(folder: &Path) -> PathBuf {
    folder.join("disk.img")
}

/// Makes an empty file system of so many bytes, and mounts it as the data folder of a server in `folder`.
///
/// # Panics
/// When the system refuses; see [`are_possible`].
#[must_use]
pub fn new_data(folder: &Path, bytes: u64) -> Mounted {
    make_ext4(&image_in(folder), bytes).expect("a file system");
    mount_data(folder).expect("a mount")
}

/// Mounts the image that lies in `folder` as the data folder of a server there.
///
/// # Errors
/// What the system said.
pub fn mount_data(folder: &Path) -> io::Result<Mounted> {
    LoopDevice::of(&image_in(folder))?.mount(folder.join("data"), "rw")
}

/// Makes a file that holds an empty ext4 of so many bytes.
///
/// # Errors
/// What the system said.
pub fn make_ext4(image: &Path, bytes: u64) -> io::Result<PathBuf> {
    fs::File::create(image)?.set_len(bytes)?;
    run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0", "-E", "nodiscard"]).arg(image))?;
    Ok(image.to_owned())
}

/// A block device whose sectors are those of a file.
#[derive(Debug)]
pub struct LoopDevice(PathBuf);

impl LoopDevice {
    /// Sets one up.
    ///
    /// # Errors
    /// What the system said.
    pub fn of(image: &Path) -> io::Result<Self> {
        let device = run(Command::new("losetup").args(["--find", "--show"]).arg(image))?;
        Ok(Self(PathBuf::from(device.trim())))
    }

    /// Mounts the file system on it, and holds both.
    ///
    /// # Errors
    /// What the system said.
    pub fn mount(self, at: PathBuf, options: &str) -> io::Result<Mounted> {
        fs::create_dir_all(&at)?;
        run(Command::new("mount").args(["-t", "ext4", "-o", options]).arg(&self.0).arg(&at))?;
        Ok(Mounted { at, _device: self })
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        told("losetup", run(Command::new("losetup").arg("--detach").arg(&self.0)));
    }
}

/// A mounted file system.
#[derive(Debug)]
pub struct Mounted {
    at: PathBuf,
    _device: LoopDevice,
}

impl Mounted {
    /// Where.
    #[must_use]
    pub fn at(&self) -> &Path {
        &self.at
    }

    /// Changes how it is mounted.
    ///
    /// # Errors
    /// What the system said.
    pub fn remount(&self, options: &str) -> io::Result<()> {
        run(Command::new("mount").args(["-o", &format!("remount,{options}")]).arg(&self.at)).map(drop)
    }

    /// Unmounts it when nobody uses it any more, so that everything is in its image.
    ///
    /// # Errors
    /// What the system said.
    pub fn unmount(self) -> io::Result<()> {
        run(Command::new("umount").arg(&self.at)).map(drop)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if is_mounted(&self.at) {
            told("umount", run(Command::new("umount").arg("--lazy").arg(&self.at)));
        }
    }
}

fn is_mounted(at: &Path) -> bool {
    mounts().iter().any(|mounted| mounted == at)
}

fn mounts() -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    table.lines().filter_map(|line| line.split(' ').nth(1)).map(PathBuf::from).collect()
}

/// Takes down mounts and loop devices of processes that are gone. A name of ours says which process made it.
fn take_down_what_was_left() {
    let ours = env::temp_dir().join(PREFIX);
    let is_left = |path: &str| {
        let rest = path.strip_prefix(ours.to_str().unwrap_or("?"));
        let process = rest.and_then(|rest| rest.split('-').next()).and_then(|id| id.parse::<u32>().ok());
        process.is_some_and(is_gone)
    };
    for mounted in mounts().iter().rev().filter(|path| path.to_str().is_some_and(is_left)) {
        told("umount", run(Command::new("umount").arg("--lazy").arg(mounted)));
    }
    let devices = run(Command::new("losetup").args(["--list", "--noheadings", "--output", "NAME,BACK-FILE"]));
    for (device, file) in devices.unwrap_or_default().lines().filter_map(|line| line.split_once(' ')) {
        if is_left(file.trim()) {
            told("losetup", run(Command::new("losetup").arg("--detach").arg(device)));
        }
    }
    let folders = fs::read_dir(env::temp_dir()).into_iter().flatten().flatten().map(|entry| entry.path());
    for folder in folders.filter(|path| path.to_str().is_some_and(is_left)) {
        // What still cannot be removed is tried again by the next run.
        let _ = fs::remove_dir_all(folder);
    }
}

/// Whether a process has ended, be it that nobody has taken note of it yet.
fn is_gone(process: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status"));
    status.map_or(true, |status| status.lines().any(|line| line.starts_with("State:\tZ")))
}

/// Runs a program and returns what it printed.
pub(crate) fn run(command: &mut Command) -> io::Result<String> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(io::Error::other(format!("{command:?}: {said}")))
}

fn told(what: &str, outcome: io::Result<String>) {
    if let Err(error) = outcome {
        eprintln!("{what}: {error}");
    }
}
