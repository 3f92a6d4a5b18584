//! Store: what do the servers above ask of it?

use crate::StoreError;
use crate::engine::{self, Engine};
use crate::large;
use crate::layout;
use crate::writer::{Entry, Job, Writer};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};

/// How many commits and snapshots may wait for the writer before [`Store::commit`] blocks.
const QUEUED_JOBS: usize = 1024;
/// The longest name of a table or stream, in bytes.
const NAME_BYTES: usize = 255;

/// One record to set, or to remove when `value` is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The table, at most 255 bytes.
    pub table: String,
    /// The key; records are scanned in the order of their keys' bytes.
    pub key: Vec<u8>,
    /// The new value, of any length.
    pub value: Option<Vec<u8>>,
}

/// What [`Store::rebuild`] did with the old store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// Where the old one is now, for whoever wants to look into it; `None` when there was none.
    pub moved_to: Option<PathBuf>,
}

/// An open store. Commits are queued and written by a thread of its own; reads see what is written, so a commit may
/// take a moment to be seen. Dropping it is like [`close`](Store::close).
pub struct Store {
    engine: Arc<Engine>,
    failure: Arc<OnceLock<StoreError>>,
    /// The mark of the last commit of each stream, queued or written.
    marks: Mutex<BTreeMap<String, u64>>,
    jobs: Option<SyncSender<Job>>,
    writer: Option<JoinHandle<()>>,
}

impl Store {
    /// Opens the store in `directory`, makes one if there is none, and checks every entry: that takes some
    /// seconds for each million of them.
    ///
    /// # Errors
    ///
    /// - [`StoreError::Damaged`]: something on the disk is not what was written. Call [`Store::rebuild`].
    /// - [`StoreError::Locked`]: another store has this directory.
    /// - [`StoreError::Io`]: the system refused something.
    pub fn open(directory: &Path) -> Result<Store, StoreError> {
        let (engine, census) = Engine::open(directory)?;
        let (engine, failure) = (Arc::new(engine), Arc::new(OnceLock::new()));
        let marks = Mutex::new(census.marks.clone());
        let (jobs, queue) = sync_channel(QUEUED_JOBS);
        let writer = Writer::new(Arc::clone(&engine), Arc::clone(&failure), census);
        let spawned = thread::Builder::new().name("store".into()).spawn(move || writer.run(&queue));
        let writer = Some(spawned.map_err(|source| StoreError::io(directory, source))?);
        Ok(Store { engine, failure, marks, jobs: Some(jobs), writer })
    }

    /// Moves what is in `directory` aside, to `<directory>.damaged-<n>`, and opens an empty store. The caller fills it
    /// from the journal and tells somebody.
    ///
    /// # Errors
    ///
    /// - [`StoreError::Locked`]: another store has this directory.
    /// - [`StoreError::Io`]: the system refused something.
    pub fn rebuild(directory: &Path) -> Result<(Store, Rebuilt), StoreError> {
        let moved_to = engine::set_aside(directory)?;
        Ok((Store::open(directory)?, Rebuilt { moved_to }))
    }

    /// Returns a table. Every name is one; without records it is empty.
    pub fn table<'s>(&'s self, name: &'s str) -> Table<'s> {
        Table { engine: &self.engine, name }
    }

    /// Returns the mark of the last commit of `stream` that is written, 0 when there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`], [`StoreError::Io`].
    pub fn applied(&self, stream: &str) -> Result<u64, StoreError> {
        let key = layout::mark_key(stream);
        let Some(value) = self.engine.get(&key)? else { return Ok(0) };
        layout::read_mark(&key, &value)
            .ok_or_else(|| self.engine.damaged(format!("the mark of {stream} has a wrong checksum")))
    }

    /// Queues changes that bring `stream` to the record `applied` of the journal; blocks while the queue is full.
    ///
    /// The changes and the mark are written soon, up to 500 of them together, the mark with the last; they are durable after
    /// the next [`flush`](Store::flush).
    ///
    /// # Errors
    ///
    /// - [`StoreError::Backwards`], [`StoreError::Name`]: this commit is not taken.
    /// - The failure of an earlier commit or flush: no commit is taken any more.
    pub fn commit(&self, stream: &str, applied: u64, changes: Vec<Change>) -> Result<(), StoreError> {
        check_name(stream)?;
        let mut entries = Vec::with_capacity(changes.len() + 1);
        for Change { table, key, value } in changes {
            check_name(&table)?;
            let key = [layout::table_prefix(&table), key].concat();
            entries.push((key, value.map(|bytes| Entry::Value { applied: 0, bytes })));
        }
        entries.push((layout::mark_key(stream), Some(Entry::Mark(applied))));
        // Held until the commit is queued: marks are queued in the order in which they were checked.
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        let before = marks.get(stream).copied().unwrap_or(0);
        if applied < before {
            return Err(StoreError::Backwards { stream: stream.to_owned(), applied, before });
        }
        self.send(Job::Change(entries))?;
        marks.insert(stream.to_owned(), applied);
        Ok(())
    }

    /// Queues a snapshot of `stream` as of the record `applied` of the journal. It replaces the one before as a whole,
    /// soon; it is durable after the next [`flush`](Store::flush). Blocks while the queue is full.
    ///
    /// # Errors
    ///
    /// As [`commit`](Store::commit), without [`StoreError::Backwards`].
    pub fn put_snapshot(&self, stream: &str, applied: u64, bytes: Vec<u8>) -> Result<(), StoreError> {
        check_name(stream)?;
        let entry = Entry::Value { applied, bytes };
        self.send(Job::Change(vec![(layout::snapshot_key(stream), Some(entry))]))
    }

    /// Returns the last snapshot of `stream` that is written, and the record of the journal it stands at.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`], [`StoreError::Io`].
    pub fn snapshot(&self, stream: &str) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        large::read(&self.engine, &layout::snapshot_key(stream))
    }

    /// Waits until everything queued before is on stable storage.
    ///
    /// # Errors
    ///
    /// The failure of this flush or of an earlier commit: what was queued since the last good flush may be lost.
    pub fn flush(&self) -> Result<(), StoreError> {
        let (answer, outcome) = sync_channel(1);
        self.send(Job::Flush(answer))?;
        outcome.recv().unwrap_or_else(|_| Err(self.engine.damaged("the writer has stopped")))
    }

    /// Flushes and closes.
    ///
    /// # Errors
    ///
    /// As [`flush`](Store::flush).
    pub fn close(mut self) -> Result<(), StoreError> {
        let outcome = self.flush();
        self.end();
        outcome
    }

    fn send(&self, job: Job) -> Result<(), StoreError> {
        if let Some(failure) = self.failure.get() {
            return Err(failure.clone());
        }
        let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        if sent { Ok(()) } else { Err(self.engine.damaged("the writer has stopped")) }
    }

    fn end(&mut self) {
        self.jobs = None;
        // sled's panics are caught before they reach the writer; any other was reported by its thread.
        let _ = self.writer.take().map(JoinHandle::join);
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.end();
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("failure", &self.failure.get()).finish_non_exhaustive()
    }
}

/// The records of one table.
#[derive(Clone, Copy)]
pub struct Table<'s> {
    engine: &'s Engine,
    name: &'s str,
}

impl<'s> Table<'s> {
    /// Returns the value of a record, or `None` when there is no such record.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`], [`StoreError::Io`], [`StoreError::Name`].
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        check_name(self.name)?;
        let key = [&layout::table_prefix(self.name), key].concat();
        Ok(large::read(self.engine, &key)?.map(|(_, bytes)| bytes))
    }

    /// Returns the records in the order of their keys. Commits that are written meanwhile may be seen or not. Ends
    /// after the first error.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`], [`StoreError::Io`], [`StoreError::Name`].
    pub fn scan(&self) -> Result<Scan<'s>, StoreError> {
        check_name(self.name)?;
        let prefix = layout::table_prefix(self.name);
        Ok(Scan { engine: self.engine, iter: Some(self.engine.scan_prefix(&prefix)?), prefix: prefix.len() })
    }
}

/// The records of a table, in order: key and value.
pub struct Scan<'s> {
    engine: &'s Engine,
    /// `None` after the end or an error.
    iter: Option<sled::Iter>,
    prefix: usize,
}

/// A key and its value.
type Record = (Vec<u8>, Vec<u8>);

impl Scan<'_> {
    fn step(&mut self) -> Result<Option<Record>, StoreError> {
        let Some(iter) = &mut self.iter else { return Ok(None) };
        while let Some((key, _)) = self.engine.next(iter)? {
            // Read again, for the value may have been replaced, and be large. `None`: removed meanwhile.
            if let Some((_, value)) = large::read(self.engine, &key)? {
                return Ok(Some((key[self.prefix..].to_vec(), value)));
            }
        }
        Ok(None)
    }

    fn end(&mut self) {
        if let Some(iter) = self.iter.take() {
            self.engine.end(iter);
        }
    }
}

impl Iterator for Scan<'_> {
    type Item = Result<Record, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if !matches!(step, Ok(Some(_))) {
            self.end();
        }
        step.transpose()
    }
}

impl Drop for Scan<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

fn check_name(name: &str) -> Result<(), StoreError> {
    if name.len() > NAME_BYTES { Err(StoreError::Name(name.to_owned())) } else { Ok(()) }
}
