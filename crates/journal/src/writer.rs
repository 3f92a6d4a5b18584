//! Writer: how does a group of records get onto the disk?

use crate::archive::UNPACKING;
use crate::backlog::{Backlog, Group};
use crate::disk::{Disk, SegmentFile, write_all};
use crate::fault::at;
use crate::format::{
    Kind, MAX_SEGMENT_BYTES, RECORD_HEADER, RecordHeader, SEGMENT_HEADER, SegmentHeader, seal, slot_bytes,
};
use crate::reserve::Reserve;
use crate::scan::{Chain, segment_name};
use crate::{Failure, Hash, OpenError, Options};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// A segment made ahead, of zeros, without a number yet.
const SPARE: &str = "spare";
/// A segment being made for one long record.
const OVERSIZED: &str = "oversized";
/// A segment being made after a failure, for all that waits.
const FRESH: &str = "fresh";

/// The segment that is written to, and the place behind its last record.
pub(crate) struct Tail {
    pub(crate) file: Box<dyn SegmentFile>,
    pub(crate) place: String,
    pub(crate) header: SegmentHeader,
    pub(crate) offset: u64,
    pub(crate) chain: Chain,
}

/// Writes groups of records. After an error it takes nothing more until it has [gone on](Writer::go_on) in a new file.
pub(crate) struct Writer {
    disk: Arc<dyn Disk>,
    segment_bytes: u64,
    tail: Tail,
    /// The chain up to the last record that is flushed.
    flushed: Chain,
    spare: Option<Spare>,
    reserve: Arc<Reserve>,
}

type Spare = JoinHandle<io::Result<Box<dyn SegmentFile>>>;

/// Removes segments that were made ahead, or not to the end, by an earlier run or before a failure.
pub(crate) fn remove_leftovers(disk: &dyn Disk) -> Result<(), OpenError> {
    [SPARE, OVERSIZED, FRESH, UNPACKING]
        .iter()
        .try_for_each(|name| disk.remove(name).map_err(at(&disk.place(name))))
}

impl Writer {
    /// Makes the first segment of an empty journal.
    pub(crate) fn create(
        disk: Arc<dyn Disk>,
        options: &Options,
        reserve: Arc<Reserve>,
    ) -> Result<Writer, OpenError> {
        let chain = Chain { head: 0, hash: Hash::default(), epoch: 1, proven: true };
        let place = disk.place(&segment_name(1));
        let made = reserve.rescue(|| {
            let file = disk.create(SPARE, options.segment_bytes)?;
            name_segment(&*disk, file, SPARE, 0, chain)
        });
        let tail = made.map_err(at(&place))?;
        Ok(Writer::behind(disk, options, reserve, tail))
    }

    /// Goes on behind the last record of `tail`, which is flushed.
    pub(crate) fn behind(
        disk: Arc<dyn Disk>,
        options: &Options,
        reserve: Arc<Reserve>,
        tail: Tail,
    ) -> Writer {
        let segment_bytes = options.segment_bytes;
        let flushed = tail.chain;
        let spare = make_spare(Arc::clone(&disk), segment_bytes);
        reserve.keep_up();
        Writer { disk, segment_bytes, tail, flushed, spare, reserve }
    }

    pub(crate) fn reserve(&self) -> &Arc<Reserve> {
        &self.reserve
    }

    /// Returns the file that is written to.
    pub(crate) fn place(&self) -> &str {
        &self.tail.place
    }

    /// Returns the chain up to the last record that is flushed.
    pub(crate) fn flushed(&self) -> Chain {
        self.flushed
    }

    /// Writes and flushes records whose payloads stand in `bytes`, each behind room for its header and padded.
    ///
    /// One write and one flush, unless the segment ends among them.
    ///
    /// # Errors
    ///
    /// Those records up to [`flushed`](Writer::flushed) are flushed; the others are for a [`FreshStart`].
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
            self.tail.seal(&mut bytes[end..end + RECORD_HEADER + length], Kind::Record, self.flushed.head);
            end += slot;
        }
        self.put(&bytes[written..end])
    }

    /// Writes and flushes groups in order; those that a failure keeps from it come back.
    pub(crate) fn commit_all(&mut self, backlog: Backlog) -> Result<(), (Failure, Backlog)> {
        let mut groups = backlog.into_groups();
        while let Some(mut group) = groups.next() {
            let before = self.flushed.head;
            if let Err(failure) = self.commit(&mut group.bytes, group.lengths.iter().copied()) {
                let mut rest = Backlog::default();
                rest.push(unflushed(&group.bytes, group.lengths.into_iter(), self.flushed.head - before));
                groups.for_each(|group| rest.push(group));
                return Err((failure, rest));
            }
        }
        Ok(())
    }

    /// Marks the last record as flushed, unless that is already written.
    pub(crate) fn mark(&mut self) -> io::Result<()> {
        self.tail.mark(self.flushed.head)
    }

    /// Behind every record there is room for a mark.
    fn has_room(&self, bytes: u64) -> bool {
        self.tail.offset + bytes + RECORD_HEADER as u64 <= self.tail.header.bytes
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if bytes.is_empty() {
            return Ok(());
        }
        write_all(&*self.tail.file, bytes, self.tail.offset)
            .map_err(|source| self.failure("write", source))?;
        self.tail.file.sync().map_err(|source| self.failure("flush", source))?;
        self.tail.offset += bytes.len() as u64;
        self.flushed = self.tail.chain;
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
        let before = previous_first(&self.tail.header, self.flushed);
        let named = file.and_then(|file| name_segment(&*self.disk, file, name, before, self.flushed));
        self.tail = named.map_err(|source| self.failure("next segment", source))?;
        self.flushed = self.tail.chain;
        self.provide();
        Ok(())
    }

    /// Has made ahead what the next rotation and a full disk will need.
    fn provide(&mut self) {
        if self.spare.is_none() {
            self.spare = make_spare(Arc::clone(&self.disk), self.segment_bytes);
        }
        if self.reserve.is_used() {
            self.reserve.keep_up();
        }
    }

    /// Returns the segment made ahead, or makes one if that failed: there may be space again.
    fn take_spare(&mut self) -> io::Result<Box<dyn SegmentFile>> {
        match self.spare.take().map(JoinHandle::join) {
            Some(Ok(Ok(file))) => Ok(file),
            Some(Ok(Err(_)) | Err(_)) | None => self.disk.create(SPARE, self.segment_bytes),
        }
    }

    fn failure(&self, what: &'static str, source: io::Error) -> Failure {
        Failure { place: self.tail.place.clone(), what, source: Arc::new(source), given_up: None }
    }

    /// Returns what it takes to go on in a new file after a failure. The old file is left as it is: after a failed flush
    /// the kernel may have dropped its bytes and call the next flush a success.
    pub(crate) fn fresh_start(&mut self) -> FreshStart {
        FreshStart {
            disk: Arc::clone(&self.disk),
            segment_bytes: self.segment_bytes,
            reserve: Arc::clone(&self.reserve),
            spare: self.spare.take(),
            behind: self.flushed,
            previous_first: previous_first(&self.tail.header, self.flushed),
        }
    }

    /// Goes on behind what a [`FreshStart`] has written.
    pub(crate) fn go_on(&mut self, tail: Tail) {
        self.tail = tail;
        self.flushed = self.tail.chain;
        self.provide();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Their threads must not write into a directory that somebody else may lock next.
        let _ = self.spare.take().map(JoinHandle::join);
        self.reserve.end();
    }
}

/// Returns what of a group is left to write when its first `flushed` records are flushed.
pub(crate) fn unflushed(bytes: &[u8], lengths: impl Iterator<Item = usize>, flushed: u64) -> Group {
    let mut start = 0;
    let mut left = Vec::new();
    for (index, length) in lengths.enumerate() {
        if (index as u64) < flushed {
            start += slot_bytes(length);
        } else {
            left.push(length);
        }
    }
    Group { bytes: bytes[start..].to_vec(), lengths: left }
}

/// What is needed to take the journal up again behind the last record that was flushed, on any thread.
pub(crate) struct FreshStart {
    disk: Arc<dyn Disk>,
    segment_bytes: u64,
    reserve: Arc<Reserve>,
    /// Made before the failure, and so not to be trusted.
    spare: Option<Spare>,
    behind: Chain,
    previous_first: u64,
}

impl FreshStart {
    /// Writes the whole backlog into a new segment, flushes it, and gives it its name. The old file keeps records after
    /// the last flushed one, perhaps; the new segment's number says that they do not count.
    ///
    /// # Errors
    ///
    /// The journal is as it was before, and this may be done again with a new start.
    pub(crate) fn write(mut self, backlog: &mut Backlog) -> Result<Tail, Failure> {
        // What it made is dropped, and its name removed, before anything else is made.
        let _ = self.spare.take().map(JoinHandle::join);
        self.reserve.rescue(|| self.attempt(backlog)).map_err(|source| {
            let place = self.disk.place(&segment_name(self.behind.head + 1));
            Failure { place, what: "new segment", source: Arc::new(source), given_up: None }
        })
    }

    fn attempt(&self, backlog: &mut Backlog) -> io::Result<Tail> {
        for name in [SPARE, OVERSIZED, FRESH] {
            self.disk.remove(name)?;
        }
        let needed = SEGMENT_HEADER as u64 + backlog.bytes() as u64 + RECORD_HEADER as u64;
        if needed > MAX_SEGMENT_BYTES {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let file = self.disk.create(FRESH, needed.max(self.segment_bytes))?;
        let mut tail = begin_segment(&*self.disk, file, self.previous_first, self.behind)?;
        for group in backlog.groups_mut() {
            let mut end = 0;
            for length in &group.lengths {
                let slot = &mut group.bytes[end..end + RECORD_HEADER + length];
                tail.seal(slot, Kind::Record, self.behind.head);
                end += slot_bytes(*length);
            }
            write_all(&*tail.file, &group.bytes, tail.offset)?;
            tail.offset += group.bytes.len() as u64;
        }
        // The file has no name before all of it is flushed, so the mark tells the truth whenever it can be read. Its
        // flush is that of the records, too.
        tail.chain.proven = false;
        tail.mark(tail.chain.head)?;
        publish(&*self.disk, &tail, FRESH)?;
        Ok(tail)
    }
}

impl Tail {
    /// Writes the header of the next record, of which `slot` holds the payload, or of a mark.
    fn seal(&mut self, slot: &mut [u8], kind: Kind, durable: u64) {
        let chain = &mut self.chain;
        let sequence = match kind {
            Kind::Record => chain.head + 1,
            Kind::Mark => chain.head,
        };
        let header = RecordHeader { kind, epoch: chain.epoch, sequence, durable, previous: chain.hash };
        let hash = seal(slot, self.header.tag, &header);
        match kind {
            Kind::Record => *chain = Chain { head: sequence, hash, proven: false, ..*chain },
            Kind::Mark => chain.proven = true,
        }
    }

    /// Marks the last record, which is `durable`, as flushed, unless that is already written.
    pub(crate) fn mark(&mut self, durable: u64) -> io::Result<()> {
        let has_room = self.offset + RECORD_HEADER as u64 <= self.header.bytes;
        if self.chain.proven || !has_room {
            return Ok(());
        }
        let mut slot = [0; RECORD_HEADER];
        self.seal(&mut slot, Kind::Mark, durable);
        write_all(&*self.file, &slot, self.offset)?;
        self.offset += slot.len() as u64;
        self.file.sync()
    }
}

/// Returns the first record of the segment before the next one. A segment without flushed records is replaced by the
/// next, which has the same number.
fn previous_first(header: &SegmentHeader, flushed: Chain) -> u64 {
    if header.first == flushed.head + 1 { header.previous_first } else { header.first }
}

/// Without a thread for it, the segment is made when it is needed.
fn make_spare(disk: Arc<dyn Disk>, bytes: u64) -> Option<Spare> {
    thread::Builder::new().name("journal spare".into()).spawn(move || disk.create(SPARE, bytes)).ok()
}

/// Turns a file of zeros into the segment behind `chain`.
fn name_segment(
    disk: &dyn Disk,
    file: Box<dyn SegmentFile>,
    made_as: &str,
    previous_first: u64,
    chain: Chain,
) -> io::Result<Tail> {
    let tail = begin_segment(disk, file, previous_first, chain)?;
    tail.file.sync()?;
    publish(disk, &tail, made_as)?;
    Ok(tail)
}

/// Writes the header of the segment behind `chain` into a file of zeros.
fn begin_segment(
    disk: &dyn Disk,
    file: Box<dyn SegmentFile>,
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
    let chain = Chain { proven: true, ..chain };
    let place = disk.place(&segment_name(header.first));
    Ok(Tail { place, file, header, offset: SEGMENT_HEADER as u64, chain })
}

/// Gives a flushed segment its name: a file with the name of a segment always has a sound header.
fn publish(disk: &dyn Disk, tail: &Tail, made_as: &str) -> io::Result<()> {
    disk.rename(made_as, &segment_name(tail.header.first))?;
    disk.sync_directory()
}
