//! Writer: how do queued commits become few, atomic changes of the engine?

use crate::StoreError;
use crate::engine::{Census, Engine};
use crate::large;
use crate::layout::{self, Body, CHUNK_BYTES, DIGEST_KEY, Digest};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, OnceLock};

/// How many queued jobs are merged into one change.
const COALESCED: usize = 256;
/// How many entries are written in one batch. sled keeps what a longer one has touched in memory for as long as it is
/// open: 6 KB a record were seen with a batch of 100,000, and 0.1 KB with this.
const PART: usize = 500;
/// How many changed entries may wait for a flush that nobody asked for: so many are replayed at most after a crash.
const UNFLUSHED: usize = 10_000;

/// What the writer is asked to do.
pub(crate) enum Job {
    /// Entries to set or to remove, by key, together.
    Change(Vec<(Vec<u8>, Option<Entry>)>),
    Flush(SyncSender<Result<(), StoreError>>),
}

/// What an entry is set to.
pub(crate) enum Entry {
    Mark(u64),
    Value { applied: u64, bytes: Vec<u8> },
}

/// The only one who changes the engine.
pub(crate) struct Writer {
    engine: Arc<Engine>,
    failure: Arc<OnceLock<StoreError>>,
    digest: Digest,
    last_generation: u64,
    orphans: Vec<(u64, u32)>,
    unflushed: usize,
}

impl Writer {
    pub(crate) fn new(engine: Arc<Engine>, failure: Arc<OnceLock<StoreError>>, census: Census) -> Writer {
        let Census { digest, last_generation, orphans, marks: _ } = census;
        Writer { engine, failure, digest, last_generation, orphans, unflushed: 0 }
    }

    /// Works until all senders are gone, then flushes. After a failure it only answers with it.
    pub(crate) fn run(mut self, jobs: &Receiver<Job>) {
        let cleaned = self.remove_orphans();
        self.note(cleaned);
        while let Ok(first) = jobs.recv() {
            let mut changes = BTreeMap::new();
            let mut flushes = Vec::new();
            for job in std::iter::once(first).chain(jobs.try_iter().take(COALESCED - 1)) {
                match job {
                    Job::Change(entries) => changes.extend(entries),
                    Job::Flush(answer) => flushes.push(answer),
                }
            }
            let outcome = self.unless_failed(|writer| writer.apply_parts(changes));
            let outcome = outcome.and_then(|()| {
                let due = !flushes.is_empty() || self.unflushed >= UNFLUSHED;
                if due { self.unless_failed(Writer::flush) } else { Ok(()) }
            });
            for answer in flushes {
                // Whoever does not wait any more need not be told.
                let _ = answer.send(outcome.clone());
            }
        }
        let _ = self.unless_failed(Writer::flush);
    }

    fn unless_failed(
        &mut self,
        work: impl FnOnce(&mut Writer) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if let Some(failure) = self.failure.get() {
            return Err(failure.clone());
        }
        let outcome = work(self);
        self.note(outcome.clone());
        outcome
    }

    fn note(&self, outcome: Result<(), StoreError>) {
        if let Err(failure) = outcome {
            // Only the first failure counts; those after it follow from it.
            let _ = self.failure.set(failure);
        }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.unflushed = 0;
        self.engine.flush()
    }

    /// Applies changes in as many batches as it takes; marks come with the last.
    fn apply_parts(&mut self, mut changes: BTreeMap<Vec<u8>, Option<Entry>>) -> Result<(), StoreError> {
        let mut marks = changes.split_off(layout::MARKS_START);
        changes.append(&mut marks.split_off(layout::MARKS_END));
        let mut records = changes.into_iter();
        while records.len() > PART {
            self.apply(records.by_ref().take(PART))?;
            if self.unflushed >= UNFLUSHED {
                self.flush()?;
            }
        }
        self.apply(records.chain(marks))
    }

    /// Applies changes in one batch. Chunks of large values are written before it and those replaced removed after it.
    fn apply(&mut self, changes: impl Iterator<Item = (Vec<u8>, Option<Entry>)>) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        let mut replaced = Vec::new();
        let mut count = 0;
        for (key, entry) in changes {
            count += 1;
            if let Some(old) = self.engine.get(&key)? {
                self.digest.remove(&key, &old);
                replaced.extend(chunks_of(&key, &old));
            }
            let Some(entry) = entry else {
                batch.remove(key);
                continue;
            };
            let value = self.value(&key, entry)?;
            self.digest.add(&key, &value);
            batch.insert(key, value);
        }
        if count == 0 {
            return Ok(());
        }
        self.unflushed += count;
        batch.insert(DIGEST_KEY, self.digest.value());
        self.engine.apply(batch)?;
        replaced
            .into_iter()
            .try_for_each(|(generation, chunks)| large::remove(&self.engine, generation, chunks))
    }

    fn value(&mut self, key: &[u8], entry: Entry) -> Result<Vec<u8>, StoreError> {
        match entry {
            Entry::Mark(applied) => Ok(layout::mark_value(key, applied)),
            Entry::Value { applied, bytes } if bytes.len() <= CHUNK_BYTES => {
                Ok(layout::body_value(key, applied, &Body::Inline(bytes)))
            }
            Entry::Value { applied, bytes } => {
                self.last_generation += 1;
                let large = large::write(&self.engine, self.last_generation, &bytes)?;
                Ok(layout::body_value(key, applied, &Body::Chunked(large)))
            }
        }
    }

    fn remove_orphans(&mut self) -> Result<(), StoreError> {
        for (generation, _) in std::mem::take(&mut self.orphans) {
            // A crash may have left any part of them.
            let prefix = &layout::chunk_key(generation, 0)[..9];
            let mut scan = self.engine.scan_prefix(prefix)?;
            let mut batch = sled::Batch::default();
            while let Some((key, _)) = self.engine.next(&mut scan)? {
                batch.remove(key);
            }
            self.engine.apply(batch)?;
        }
        Ok(())
    }
}

/// The generation and number of the chunks that a record or snapshot has.
fn chunks_of(key: &[u8], sealed: &[u8]) -> Option<(u64, u32)> {
    if !matches!(key.first(), Some(b'r' | b's')) {
        return None;
    }
    match layout::read_body(key, sealed)?.1 {
        Body::Inline(_) => None,
        Body::Chunked(large) => Some((large.generation, large.chunks())),
    }
}
