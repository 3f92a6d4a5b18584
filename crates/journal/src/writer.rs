//! Writer: how does a group of records get onto the disk?

use crate::disk::{Disk, SegmentFile, write_all};
use crate::fault::at;
use crate::format::{Kind, RECORD_HEADER, RecordHeader, SEGMENT_HEADER, SegmentHeader, seal, slot_bytes};
use crate::scan::{Chain, segment_name};
use crate::{Failure, Hash, OpenError, Options};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// A segment made ahead, of zeros, without a number yet.
const SPARE: &str = "spare";
/// A segment being made for one long record.
const OVERSIZED: &str = "oversized";

/// The segment that is written to, and the place behind its last record.
pub(crate) struct Tail {
    pub(crate) file: Box<dyn SegmentFile>,
    pub(crate) place: String,
    pub(crate) header: SegmentHeader,
    pub(crate) offset: u64,
    pub(crate) chain: Chain,
}

/// Writes groups of records; after the first error it must not be used any more.
pub(crate) struct Writer {
    disk: Arc<dyn Disk>,
    segment_bytes: u64,
    tail: Tail,
    /// The highest sequence that is flushed.
    durable: u64,
    spare: Option<JoinHandle<io::Result<Box<dyn SegmentFile>>>>,
}

/// Removes segments that were made ahead by an earlier run.
pub(crate) fn remove_leftovers(disk: &dyn Disk) -> Result<(), OpenError> {
    [SPARE, OVERSIZED].iter().try_for_each(|name| disk.remove(name).map_err(at(&disk.place(name))))
}

impl Writer {
    /// Makes the first segment of an empty journal.
    pub(crate) fn create(disk: Arc<dyn Disk>, options: &Options) -> Result<Writer, OpenError> {
        let chain = Chain { head: 0, hash: Hash::default(), epoch: 1, proven: true };
        let place = disk.place(&segment_name(1));
        let made = disk.create(SPARE, options.segment_bytes);
        let made = made.and_then(|file| name_segment(&*disk, file, SPARE, 0, chain));
        Ok(Writer::behind(disk, options, made.map_err(at(&place))?))
    }

    /// Goes on behind the last record, and marks it as flushed if nothing says so yet.
    pub(crate) fn resume(disk: Arc<dyn Disk>, options: &Options, tail: Tail) -> Result<Writer, OpenError> {
        let place = tail.place.clone();
        let mut writer = Writer::behind(disk, options, tail);
        writer.mark().map_err(at(&place))?;
        Ok(writer)
    }

    fn behind(disk: Arc<dyn Disk>, options: &Options, tail: Tail) -> Writer {
        let segment_bytes = options.segment_bytes;
        let durable = tail.chain.head;
        let spare = Some(make_spare(Arc::clone(&disk), segment_bytes));
        Writer { disk, segment_bytes, tail, durable, spare }
    }

    pub(crate) fn chain(&self) -> Chain {
        self.tail.chain
    }

    /// Writes and flushes records whose payloads stand in `bytes`, each behind room for its header and padded.
    ///
    /// One write and one flush, unless the segment ends among them.
    pub(crate) fn commit(
        &mut self,
        bytes: &mut [u8],
        lengths: impl Iterator<Item = usize>,
    ) -> Result<(), Failure> {
        let (mut written, mut end) = (0, 0);
        for length in lengths {
            let slot = slot_bytes(length);
            if !self.has_room((end - written + slot) as u64) {
                self.put(&bytes[written..end])?;
                written = end;
                self.rotate(slot as u64)?;
            }
            self.seal_next(&mut bytes[end..end + RECORD_HEADER + length], Kind::Record);
            end += slot;
        }
        self.put(&bytes[written..end])
    }

    /// Marks the last record as flushed, unless that is already written.
    pub(crate) fn mark(&mut self) -> io::Result<()> {
        if self.tail.chain.proven {
            return Ok(());
        }
        let mut slot = [0; RECORD_HEADER];
        self.seal_next(&mut slot, Kind::Mark);
        write_all(&*self.tail.file, &slot, self.tail.offset)?;
        self.tail.offset += slot.len() as u64;
        self.tail.file.sync()
    }

    /// Behind every record there is room for a mark.
    fn has_room(&self, bytes: u64) -> bool {
        self.tail.offset + bytes + RECORD_HEADER as u64 <= self.tail.header.bytes
    }

    fn seal_next(&mut self, slot: &mut [u8], kind: Kind) {
        let chain = &mut self.tail.chain;
        let sequence = match kind {
            Kind::Record => chain.head + 1,
            Kind::Mark => chain.head,
        };
        let header =
            RecordHeader { kind, epoch: chain.epoch, sequence, durable: self.durable, previous: chain.hash };
        let hash = seal(slot, self.tail.header.tag, &header);
        match kind {
            Kind::Record => *chain = Chain { head: sequence, hash, proven: false, ..*chain },
            Kind::Mark => chain.proven = true,
        }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if bytes.is_empty() {
            return Ok(());
        }
        write_all(&*self.tail.file, bytes, self.tail.offset)
            .map_err(|source| self.failure("write", source))?;
        self.tail.file.sync().map_err(|source| self.failure("flush", source))?;
        self.tail.offset += bytes.len() as u64;
        self.durable = self.tail.chain.head;
        Ok(())
    }

    /// Goes on in the next segment, which has room for at least `slot` bytes.
    fn rotate(&mut self, slot: u64) -> Result<(), Failure> {
        let bytes = SEGMENT_HEADER as u64 + slot + RECORD_HEADER as u64;
        let (file, name) = if bytes > self.segment_bytes {
            (self.disk.create(OVERSIZED, bytes), OVERSIZED)
        } else {
            (self.take_spare(), SPARE)
        };
        // A segment without records is replaced by the new one, which has the same number.
        let is_empty = self.tail.header.first == self.tail.chain.head + 1;
        let before = if is_empty { self.tail.header.previous_first } else { self.tail.header.first };
        let named = file.and_then(|file| name_segment(&*self.disk, file, name, before, self.tail.chain));
        self.tail = named.map_err(|source| self.failure("next segment", source))?;
        if self.spare.is_none() {
            self.spare = Some(make_spare(Arc::clone(&self.disk), self.segment_bytes));
        }
        Ok(())
    }

    /// Returns the segment made ahead, or makes one if that failed: there may be space again.
    fn take_spare(&mut self) -> io::Result<Box<dyn SegmentFile>> {
        match self.spare.take().map(JoinHandle::join) {
            Some(Ok(Ok(file))) => Ok(file),
            Some(Ok(Err(_)) | Err(_)) | None => self.disk.create(SPARE, self.segment_bytes),
        }
    }

    fn failure(&self, what: &'static str, source: io::Error) -> Failure {
        Failure { place: self.tail.place.clone(), what, source: Arc::new(source) }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Its thread must not write into a directory that somebody else may lock next.
        let _ = self.spare.take().map(JoinHandle::join);
    }
}

fn make_spare(disk: Arc<dyn Disk>, bytes: u64) -> JoinHandle<io::Result<Box<dyn SegmentFile>>> {
    thread::spawn(move || disk.create(SPARE, bytes))
}

/// Turns a file of zeros into the segment behind `chain`.
///
/// The header is flushed before the file gets its name: a file with the name of a segment always has a sound header.
fn name_segment(
    disk: &dyn Disk,
    file: Box<dyn SegmentFile>,
    made_as: &str,
    previous_first: u64,
    chain: Chain,
) -> io::Result<Tail> {
    let header = SegmentHeader {
        first: chain.head + 1,
        previous_first,
        bytes: file.size()?,
        tag: RandomState::new().hash_one(chain.head) as u32,
        epoch: chain.epoch,
        previous: chain.hash,
    };
    write_all(&*file, &header.encode(), 0)?;
    file.sync()?;
    let name = segment_name(header.first);
    disk.rename(made_as, &name)?;
    disk.sync_directory()?;
    let chain = Chain { proven: true, ..chain };
    Ok(Tail { place: disk.place(&name), file, header, offset: SEGMENT_HEADER as u64, chain })
}
