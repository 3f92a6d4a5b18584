//! Engine: how is sled opened, asked and flushed without trusting it?

use crate::StoreError;
use crate::ballast;
use crate::layout::{self, Body, DIGEST_KEY, Digest};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

const LOCK_FILE: &str = "store.lock";
/// sled's file of records, which its own flush hands to the kernel but not to the disk.
const DATA_FILE: &str = "db";
/// sled's directory of pages too long for that file.
const BLOB_DIRECTORY: &str = "blobs";
/// What sled keeps of the file in memory, in bytes.
const CACHE_BYTES: u64 = 64 << 20;
/// How long a close waits for sled's threads; they take milliseconds, but nothing here may wait without end.
const RELEASE_WAIT: Duration = Duration::from_secs(2);
const RELEASE_POLL: Duration = Duration::from_millis(1);

/// An open sled. No panic of it leaves this type.
pub(crate) struct Engine {
    directory: PathBuf,
    /// `None` only while it is being dropped.
    db: Option<sled::Db>,
    data: File,
    /// The names in the directory of blobs that are flushed.
    synced_blobs: Mutex<BTreeSet<OsString>>,
    /// A panic was caught: sled may never let go of its file.
    has_panicked: AtomicBool,
    _lock: Lock,
}

/// Keeps others out of a directory.
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone would not do: a process being started just now may hold a copy of the descriptor.
        let _ = self.0.unlock();
    }
}

/// What the check of a whole store found.
#[derive(Debug, Default)]
pub(crate) struct Census {
    pub(crate) digest: Digest,
    pub(crate) marks: BTreeMap<String, u64>,
    /// The highest generation of chunks in use or left over.
    pub(crate) last_generation: u64,
    /// Generations and numbers of chunks that a crash left without a value.
    pub(crate) orphans: Vec<(u64, u32)>,
}

impl Engine {
    /// Opens the store, makes one if there is none, and checks every entry. On a full disk, by giving up the ballast.
    pub(crate) fn open(directory: &Path) -> Result<(Engine, Census), StoreError> {
        let failed = |source| StoreError::io(directory, source);
        create_durably(&std::path::absolute(directory).map_err(failed)?).map_err(failed)?;
        let opened = match Engine::open_within(directory) {
            Err(StoreError::Io { source, .. })
                if source.kind() == ErrorKind::StorageFull && ballast::throw_overboard(directory) =>
            {
                Engine::open_within(directory)
            }
            opened => opened,
        };
        if opened.is_ok() {
            ballast::take_in(directory);
        }
        opened
    }

    fn open_within(directory: &Path) -> Result<(Engine, Census), StoreError> {
        let failed = |source| StoreError::io(directory, source);
        let lock = lock(directory)?;
        let config = sled::Config::new().path(directory).flush_every_ms(None).cache_capacity(CACHE_BYTES);
        let db = understand(directory, catch_unwind(AssertUnwindSafe(|| config.open())))?;
        let data = OpenOptions::new().write(true).open(directory.join(DATA_FILE)).map_err(failed);
        let data = match data {
            Ok(data) => data,
            Err(error) => {
                drop_quietly(db);
                return Err(error);
            }
        };
        let engine = Engine {
            directory: directory.to_path_buf(),
            db: Some(db),
            data,
            synced_blobs: Mutex::default(),
            has_panicked: AtomicBool::new(false),
            _lock: lock,
        };
        let census = engine.census()?;
        engine.flush()?;
        sync_files(directory).map_err(failed)?;
        Ok((engine, census))
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<sled::IVec>, StoreError> {
        self.ask(|db| db.get(key))
    }

    pub(crate) fn apply(&self, batch: sled::Batch) -> Result<(), StoreError> {
        self.ask(|db| db.apply_batch(batch))
    }

    pub(crate) fn scan_prefix(&self, prefix: &[u8]) -> Result<sled::Iter, StoreError> {
        self.ask(|db| Ok(db.scan_prefix(prefix)))
    }

    /// Returns the next entry of a scan. After an error the scan must not be used any more.
    pub(crate) fn next(&self, scan: &mut sled::Iter) -> Result<Option<(sled::IVec, sled::IVec)>, StoreError> {
        self.caught(|| scan.next().transpose())
    }

    /// Flushes what was applied to stable storage.
    pub(crate) fn flush(&self) -> Result<(), StoreError> {
        self.ask(|db| db.flush())?;
        self.sync_blobs().map_err(|source| StoreError::io(&self.directory, source))?;
        self.data.sync_data().map_err(|source| StoreError::io(&self.directory, source))
    }

    /// Flushes sled's files of long pages that were made since the last time; sled never does.
    fn sync_blobs(&self) -> io::Result<()> {
        let directory = self.directory.join(BLOB_DIRECTORY);
        let mut synced = self.synced_blobs.lock().unwrap_or_else(PoisonError::into_inner);
        let mut present = BTreeSet::new();
        for entry in std::fs::read_dir(&directory)? {
            let name = entry?.file_name();
            // A blob is written once, and sled may remove it at any time.
            let outcome = if synced.contains(&name) { Ok(()) } else { sync(&directory.join(&name)) };
            match outcome {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                outcome => outcome?,
            }
            present.insert(name);
        }
        if present != *synced {
            sync(&directory)?;
        }
        *synced = present;
        Ok(())
    }

    /// Ends a scan.
    pub(crate) fn end(&self, scan: sled::Iter) {
        let ended = self.caught(|| {
            drop(scan);
            Ok(())
        });
        // Its entries were read and checked before; what may be wrong now shows when the next is asked for.
        drop(ended);
    }

    pub(crate) fn damaged(&self, what: impl Into<String>) -> StoreError {
        StoreError::damaged(&self.directory, what)
    }

    fn ask<R>(&self, question: impl FnOnce(&sled::Db) -> sled::Result<R>) -> Result<R, StoreError> {
        let Some(db) = &self.db else { return Err(self.damaged("it is closed")) };
        self.caught(|| question(db))
    }

    fn caught<R>(&self, question: impl FnOnce() -> sled::Result<R>) -> Result<R, StoreError> {
        let answer = catch_unwind(AssertUnwindSafe(question));
        if answer.is_err() {
            self.has_panicked.store(true, Ordering::Relaxed);
        }
        understand(&self.directory, answer)
    }

    /// Reads and checks every entry, and the sum over them.
    fn census(&self) -> Result<Census, StoreError> {
        let mut census = Census::default();
        let (mut written_digest, mut entries) = (None, 0_u64);
        let mut found_chunks: BTreeMap<u64, u32> = BTreeMap::new();
        let mut used_chunks: BTreeMap<u64, u32> = BTreeMap::new();
        let mut scan = self.scan_prefix(&[])?;
        while let Some((key, value)) = self.next(&mut scan)? {
            let wrong = || self.damaged(format!("the entry {} has a wrong checksum", key.escape_ascii()));
            // A scan goes from leaf to leaf; only this goes the way that later reads will go.
            if self.get(&key)?.as_ref() != Some(&value) {
                return Err(self.damaged(format!("the entry {} is not found by its key", key.escape_ascii())));
            }
            match key.first() {
                Some(b'd') => written_digest = Some(Digest::read(&value).ok_or_else(wrong)?),
                Some(b'c') => {
                    layout::open(&key, &value).ok_or_else(wrong)?;
                    let (generation, _) = layout::chunk_place(&key).ok_or_else(wrong)?;
                    *found_chunks.entry(generation).or_default() += 1;
                }
                Some(b'a') => {
                    let applied = layout::read_mark(&key, &value).ok_or_else(wrong)?;
                    census.marks.insert(String::from_utf8_lossy(&key[1..]).into_owned(), applied);
                }
                Some(b'r' | b's') => match layout::read_body(&key, &value).ok_or_else(wrong)?.1 {
                    Body::Inline(_) => {}
                    Body::Chunked(large) => drop(used_chunks.insert(large.generation, large.chunks())),
                },
                Some(_) | None => return Err(wrong()),
            }
            if key != DIGEST_KEY && key.first() != Some(&b'c') {
                census.digest.add(&key, &value);
                entries += 1;
            }
        }
        if written_digest.unwrap_or_default() != census.digest {
            return Err(
                self.damaged(format!("the sum over its {entries} entries is wrong: some are lost or old"))
            );
        }
        for (generation, chunks) in &used_chunks {
            if found_chunks.remove(generation) != Some(*chunks) {
                return Err(self.damaged("a part of a large value is lost"));
            }
            census.last_generation = census.last_generation.max(*generation);
        }
        let left_over = found_chunks.last_key_value().map_or(0, |(generation, _)| *generation);
        census.last_generation = census.last_generation.max(left_over);
        census.orphans = found_chunks.into_iter().collect();
        Ok(census)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(db) = self.db.take() {
            let was_quiet = drop_quietly(db) && !self.has_panicked.load(Ordering::Relaxed);
            if was_quiet {
                wait_until_released(&self.data);
            }
        }
    }
}

/// Waits until sled's own threads let go of its file, which they do a moment after sled is dropped: then the store can
/// be opened again.
fn wait_until_released(data: &File) {
    let start = Instant::now();
    while matches!(data.try_lock(), Err(TryLockError::WouldBlock)) && start.elapsed() < RELEASE_WAIT {
        thread::sleep(RELEASE_POLL);
    }
}

/// sled flushes when it is dropped, and may panic at that: false then. What was not flushed before was not promised.
fn drop_quietly(db: sled::Db) -> bool {
    catch_unwind(AssertUnwindSafe(|| drop(db))).is_ok()
}

/// Turns sled's panics and errors into ours.
fn understand<R>(directory: &Path, answer: thread::Result<sled::Result<R>>) -> Result<R, StoreError> {
    match answer {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(sled::Error::Io(source))) => Err(StoreError::io(directory, source)),
        Ok(Err(
            error @ (sled::Error::CollectionNotFound(_)
            | sled::Error::Unsupported(_)
            | sled::Error::ReportableBug(_)
            | sled::Error::Corruption { .. }),
        )) => Err(StoreError::damaged(directory, format!("sled says: {error}"))),
        Err(panic) => {
            let words = panic.downcast_ref::<String>().map(String::as_str);
            let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            Err(StoreError::damaged(directory, format!("sled panicked: {words}")))
        }
    }
}

fn lock(directory: &Path) -> Result<Lock, StoreError> {
    let path = directory.join(LOCK_FILE);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path);
    let file = file.map_err(|source| StoreError::io(directory, source))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked(directory.to_path_buf())),
        Err(TryLockError::Error(source)) => Err(StoreError::io(directory, source)),
    }
}

/// Makes the directory and the missing ones above it, each with its name flushed.
fn create_durably(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let parent = directory.parent().unwrap_or(directory);
    create_durably(parent)?;
    match std::fs::create_dir(directory) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        outcome => outcome?,
    }
    File::open(parent)?.sync_all()
}

/// Flushes every file and their names: sled never flushes its `conf`, without which it does not open.
fn sync_files(directory: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_file() {
            sync(&path)?;
        }
    }
    sync(directory)
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Moves a damaged store aside and returns where to; `None` when there was none. Fails while it is in use.
pub(crate) fn set_aside(directory: &Path) -> Result<Option<PathBuf>, StoreError> {
    let failed = |source| StoreError::io(directory, source);
    let directory = std::path::absolute(directory).map_err(failed)?;
    if !directory.is_dir() {
        return Ok(None);
    }
    let _lock = lock(&directory)?;
    let mut number = 1;
    let aside = loop {
        let mut name = directory.clone().into_os_string();
        name.push(format!(".damaged-{number}"));
        let aside = PathBuf::from(name);
        if !aside.exists() {
            break aside;
        }
        number += 1;
    };
    std::fs::rename(&directory, &aside).map_err(failed)?;
    let parent = aside.parent().unwrap_or(&aside);
    File::open(parent).and_then(|names| names.sync_all()).map_err(failed)?;
    Ok(Some(aside))
}
