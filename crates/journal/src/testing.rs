//! Testing: a disk in memory that lies, fails and loses power the way real ones do.
//!
//! For tests of this crate and of those above it. What was flushed and what was only written are kept apart, in
//! sectors of 512 bytes.

use crate::disk::{Disk, SegmentFile};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a disk writes as a whole, as far as anybody promises, in bytes.
const SECTOR: usize = 512;
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// A directory in memory. A clone is the same directory.
#[derive(Clone, Debug, Default)]
pub struct FaultyDisk(Arc<Mutex<Contents>>);

/// What a power cut leaves of the sectors and names that were not flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerCut {
    /// None of them.
    LosesAll,
    /// All of them.
    LosesNothing,
    /// Each by chance, some half written; the same seed leaves the same.
    LosesSome(u64),
}

#[derive(Clone, Debug, Default)]
struct Contents {
    files: Vec<Bytes>,
    /// Indices into `files`, as programs see the names now.
    names: BTreeMap<String, usize>,
    /// The names that are flushed.
    flushed_names: BTreeMap<String, usize>,
    faults: Faults,
    syncs: u64,
    syncs_after_failure: u64,
}

#[derive(Clone, Debug, Default)]
struct Bytes {
    now: Vec<u8>,
    flushed: Vec<u8>,
    dirty: BTreeSet<usize>,
    has_failed: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Faults {
    /// Count down to the flush that fails.
    sync_in: Option<u64>,
    /// Count down to the write that fails.
    write_in: Option<u64>,
    /// Bytes that can still be written or created.
    space: Option<u64>,
    /// The most that one write takes.
    longest_write: Option<usize>,
    /// The most that all files with a name may hold together, in bytes.
    capacity: Option<usize>,
    chance: Option<Failing>,
}

/// Lets one operation in so many fail, by chance.
#[derive(Clone, Copy, Debug)]
struct Failing {
    state: u64,
    one_in: u64,
}

impl FaultyDisk {
    /// Makes an empty directory on a disk without faults.
    pub fn new() -> Self {
        FaultyDisk::default()
    }

    /// Lets one flush of a file fail with EIO: the next one for 0. As on Linux, the bytes are then lost though they
    /// still read back, and the next flush of that file reports success.
    pub fn fail_sync_in(&self, flushes: u64) {
        self.contents().faults.sync_in = Some(flushes);
    }

    /// Lets one write fail with EIO: the next one for 0.
    pub fn fail_write_in(&self, writes: u64) {
        self.contents().faults.write_in = Some(writes);
    }

    /// Lets writes and new files fail with ENOSPC after so many more bytes; `None` means endless space. A write that
    /// fails has filled the rest.
    pub fn limit_space(&self, bytes: Option<u64>) {
        self.contents().faults.space = bytes;
    }

    /// Lets new and growing files fail with ENOSPC once all files together hold so many bytes; `None` means endless
    /// space. Unlike with [`limit_space`](FaultyDisk::limit_space) removing a file makes room, and writing into what is
    /// allocated needs none.
    pub fn limit_capacity(&self, bytes: Option<usize>) {
        self.contents().faults.capacity = bytes;
    }

    /// Returns how many bytes all files together hold.
    pub fn held(&self) -> usize {
        self.contents().held()
    }

    /// Lets one in so many operations that change something fail with EIO, chosen by the seed; `None` for none.
    pub fn fail_by_chance(&self, failing: Option<(u64, u64)>) {
        self.contents().faults.chance = failing.map(|(state, one_in)| Failing { state, one_in });
    }

    /// Lets each write take at most so many bytes.
    pub fn limit_writes(&self, bytes: usize) {
        self.contents().faults.longest_write = Some(bytes);
    }

    /// Returns how many flushes of files were asked for.
    pub fn syncs(&self) -> u64 {
        self.contents().syncs
    }

    /// Returns how many flushes were asked for on a file after one of its flushes or writes had failed.
    pub fn syncs_after_failure(&self) -> u64 {
        self.contents().syncs_after_failure
    }

    /// Returns what is found after a power cut at this moment. This disk itself goes on.
    pub fn after(&self, cut: PowerCut) -> FaultyDisk {
        let contents = self.contents().clone();
        let mut chance = Chance::of(cut);
        let mut names = contents.flushed_names.clone();
        for name in contents.names.keys().chain(contents.flushed_names.keys()) {
            if contents.names.get(name) != contents.flushed_names.get(name) && chance.keeps() {
                match contents.names.get(name) {
                    Some(index) => names.insert(name.clone(), *index),
                    None => names.remove(name),
                };
            }
        }
        let files = contents.files.iter().map(|file| file.after(&mut chance)).collect();
        let flushed_names = names.clone();
        FaultyDisk(Arc::new(Mutex::new(Contents { files, names, flushed_names, ..Contents::default() })))
    }

    /// Changes the bytes of a file behind everybody's back, in what is flushed too.
    ///
    /// # Panics
    ///
    /// When there is no such file.
    pub fn tamper(&self, name: &str, change: impl Fn(&mut Vec<u8>)) {
        let mut contents = self.contents();
        let index = contents.names[name];
        let file = &mut contents.files[index];
        change(&mut file.now);
        change(&mut file.flushed);
    }

    /// Returns the bytes of a file as programs read them.
    ///
    /// # Panics
    ///
    /// When there is no such file.
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        let contents = self.contents();
        contents.files[contents.names[name]].now.clone()
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, index: usize) -> Box<dyn SegmentFile> {
        Box::new(FaultyFile { disk: self.clone(), index })
    }
}

impl Bytes {
    fn after(&self, chance: &mut Chance) -> Bytes {
        let mut left = self.flushed.clone();
        for sector in &self.dirty {
            let range = sector * SECTOR..self.now.len().min((sector + 1) * SECTOR);
            let kept = chance.kept_bytes(range.len());
            left.resize(left.len().max(range.end), 0);
            left[range.start..range.start + kept].copy_from_slice(&self.now[range.start..range.start + kept]);
        }
        Bytes { now: left.clone(), flushed: left, ..Bytes::default() }
    }

    fn flush(&mut self) {
        self.flushed.resize(self.now.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            let range = sector * SECTOR..self.now.len().min((sector + 1) * SECTOR);
            self.flushed[range.clone()].copy_from_slice(&self.now[range]);
        }
    }
}

/// Decides about each unflushed thing.
struct Chance {
    cut: PowerCut,
    state: u64,
}

impl Chance {
    fn of(cut: PowerCut) -> Chance {
        let state = match cut {
            PowerCut::LosesAll | PowerCut::LosesNothing => 0,
            PowerCut::LosesSome(seed) => seed,
        };
        Chance { cut, state }
    }

    fn keeps(&mut self) -> bool {
        self.kept_bytes(2) > 0
    }

    fn kept_bytes(&mut self, of: usize) -> usize {
        match self.cut {
            PowerCut::LosesAll => 0,
            PowerCut::LosesNothing => of,
            PowerCut::LosesSome(_) => {
                let drawn = random(&mut self.state) as usize;
                match drawn % 8 {
                    0..=3 => of,
                    4..=6 => 0,
                    _ => (drawn / 8) % (of + 1),
                }
            }
        }
    }
}

/// Returns the next number of a sequence that looks random (splitmix64); the same state gives the same sequence.
pub fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Disk for FaultyDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.contents().names.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn SegmentFile>> {
        let index = self.contents().names.get(name).copied().ok_or(ErrorKind::NotFound)?;
        Ok(self.file(index))
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Box<dyn SegmentFile>> {
        let mut contents = self.contents();
        contents.draw()?;
        let replaced = contents.names.get(name).map_or(0, |index| contents.files[*index].now.len());
        if contents.take_space(bytes as usize) < bytes as usize
            || contents.room().saturating_add(replaced) < bytes as usize
        {
            return Err(io::Error::from_raw_os_error(ENOSPC));
        }
        let zeros = vec![0; bytes as usize];
        let index = contents.files.len();
        contents.files.push(Bytes { now: zeros.clone(), flushed: zeros, ..Bytes::default() });
        contents.names.insert(name.to_owned(), index);
        drop(contents);
        Ok(self.file(index))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut contents = self.contents();
        contents.draw()?;
        let index = contents.names.remove(from).ok_or(ErrorKind::NotFound)?;
        contents.names.insert(to.to_owned(), index);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut contents = self.contents();
        contents.draw()?;
        contents.names.remove(name);
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut contents = self.contents();
        contents.draw()?;
        contents.flushed_names = contents.names.clone();
        Ok(())
    }

    fn place(&self, name: &str) -> String {
        name.to_owned()
    }
}

impl Contents {
    /// Fails by chance, if it is to.
    fn draw(&mut self) -> io::Result<()> {
        let Some(failing) = &mut self.faults.chance else { return Ok(()) };
        if random(&mut failing.state).is_multiple_of(failing.one_in) {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        Ok(())
    }

    fn held(&self) -> usize {
        self.names.values().map(|index| self.files[*index].now.len()).sum()
    }

    /// Bytes by which files may still grow.
    fn room(&self) -> usize {
        self.faults.capacity.map_or(usize::MAX, |capacity| capacity.saturating_sub(self.held()))
    }

    fn take_space(&mut self, bytes: usize) -> usize {
        let Some(space) = &mut self.faults.space else { return bytes };
        let taken = bytes.min(*space as usize);
        *space -= taken as u64;
        taken
    }
}

struct FaultyFile {
    disk: FaultyDisk,
    index: usize,
}

impl SegmentFile for FaultyFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.contents().files[self.index].now.len() as u64)
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let contents = self.disk.contents();
        let range = offset as usize..offset as usize + bytes.len();
        bytes.copy_from_slice(contents.files[self.index].now.get(range).ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut contents = self.disk.contents();
        if strikes(&mut contents.faults.write_in) || contents.draw().is_err() {
            contents.files[self.index].has_failed = true;
            return Err(io::Error::from_raw_os_error(EIO));
        }
        let wanted = bytes.len().min(contents.faults.longest_write.unwrap_or(usize::MAX));
        let allocated = contents.files[self.index].now.len().saturating_sub(offset as usize);
        let wanted_more = wanted.saturating_sub(allocated);
        let fits = wanted - wanted_more + wanted_more.min(contents.room());
        let taken = contents.take_space(fits);
        let file = &mut contents.files[self.index];
        if taken == 0 && wanted > 0 {
            file.has_failed = true;
            return Err(io::Error::from_raw_os_error(ENOSPC));
        }
        let range = offset as usize..offset as usize + taken;
        file.now.resize(file.now.len().max(range.end), 0);
        file.now[range.clone()].copy_from_slice(&bytes[..taken]);
        file.dirty.extend(range.start / SECTOR..range.end.div_ceil(SECTOR));
        Ok(taken)
    }

    fn sync(&self) -> io::Result<()> {
        let mut contents = self.disk.contents();
        contents.syncs += 1;
        contents.syncs_after_failure += u64::from(contents.files[self.index].has_failed);
        let fails = strikes(&mut contents.faults.sync_in) || contents.draw().is_err();
        let file = &mut contents.files[self.index];
        if fails {
            file.has_failed = true;
            file.dirty.clear();
            return Err(io::Error::from_raw_os_error(EIO));
        }
        file.flush();
        Ok(())
    }
}

fn strikes(countdown: &mut Option<u64>) -> bool {
    let now = *countdown == Some(0);
    *countdown = if now { None } else { countdown.map(|left| left - 1) };
    now
}
