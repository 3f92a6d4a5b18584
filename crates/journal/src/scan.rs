//! Scan: which records does a directory hold, and is its end torn or damaged?

use crate::archive;
use crate::disk::{Disk, SegmentFile};
use crate::format::{
    self, HeaderFlaw, Kind, RECORD_HEADER, RecordHeader, SEGMENT_HEADER, SegmentHeader, Slot, all_zero,
    slot_bytes,
};
use crate::{Fault, Hash, ReadError, Sequence};
use std::io;
use std::ops::Range;

const SUFFIX: &str = ".seg";
const ARCHIVE_SUFFIX: &str = ".seg.zst";
const DIGITS: usize = 20;

/// The end of a journal that a crash left half written. No record in it was ever released as durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The file.
    pub place: String,
    /// Where the torn part starts, in bytes from the start of the file.
    pub offset: u64,
    /// How many bytes it has, up to the last one that is not zero.
    pub bytes: u64,
}

/// What follows from the records read so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chain {
    pub(crate) head: u64,
    pub(crate) hash: Hash,
    pub(crate) epoch: u32,
    /// A mark, or the header of a segment, stands behind the last record and proves that it was flushed.
    pub(crate) proven: bool,
}

impl Chain {
    /// Where a segment takes up the chain.
    pub(crate) fn before(header: &SegmentHeader) -> Chain {
        Chain {
            head: header.first.saturating_sub(1),
            hash: header.previous,
            epoch: header.epoch,
            proven: true,
        }
    }
}

/// A segment in memory.
pub(crate) struct Segment {
    pub(crate) place: String,
    pub(crate) header: SegmentHeader,
    pub(crate) form: Form,
    bytes: Vec<u8>,
}

/// How a segment lies on the disk. When it lies there in both forms, the plain one goes before: the archive may be half
/// made, or older.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Plain,
    Packed,
}

/// What a [`Cursor`] finds next.
pub(crate) enum Step {
    Record {
        sequence: Sequence,
        payload: Range<usize>,
    },
    /// The records end at `offset`; behind it are zeros or, if `torn`, half a group.
    End {
        offset: u64,
        torn: Option<Cut>,
    },
}

/// A place in a segment, and the chain up to it.
pub(crate) struct Cursor {
    pub(crate) chain: Chain,
    offset: usize,
    /// The `durable` of the last record, and where the records with this value start: they were one group.
    last_group: (u64, usize),
    /// The first record of the following segment. When there is one, this segment was complete and flushed.
    next_first: Option<u64>,
}

pub(crate) fn segment_name(first: u64) -> String {
    format!("{first:0DIGITS$}{SUFFIX}")
}

pub(crate) fn archive_name(first: u64) -> String {
    format!("{first:0DIGITS$}{ARCHIVE_SUFFIX}")
}

/// Returns the first sequence of each segment in the directory, in order.
pub(crate) fn segments(disk: &dyn Disk) -> Result<Vec<u64>, ReadError> {
    let names = disk.list().map_err(|source| ReadError::Io { place: disk.place(""), source })?;
    let mut firsts: Vec<u64> = names.iter().filter_map(|name| segment_first(name)).collect();
    firsts.sort_unstable();
    firsts.dedup();
    Ok(firsts)
}

/// Returns the index of the segment in which the record after `from` stands, or would: the last one that starts at or
/// before it.
pub(crate) fn segment_after(firsts: &[u64], from: Sequence) -> usize {
    firsts.partition_point(|first| *first <= from.0.saturating_add(1)).saturating_sub(1)
}

fn segment_first(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX).or_else(|| name.strip_suffix(ARCHIVE_SUFFIX))?;
    let all_digits = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    if all_digits { digits.parse().ok() } else { None }
}

/// A segment's file, in whichever form it lies there.
pub(crate) struct Found {
    pub(crate) place: String,
    pub(crate) form: Form,
    pub(crate) file: Box<dyn SegmentFile>,
}

impl Found {
    pub(crate) fn open(disk: &dyn Disk, first: u64) -> Result<Found, ReadError> {
        let open = |form| {
            let name = match form {
                Form::Plain => segment_name(first),
                Form::Packed => archive_name(first),
            };
            let place = disk.place(&name);
            match disk.open(&name) {
                Ok(file) => Ok(Found { place, form, file }),
                Err(source) => Err(ReadError::Io { place, source }),
            }
        };
        // Between two looks one form may have become the other, either way.
        for form in [Form::Plain, Form::Packed] {
            match open(form) {
                Err(error) if error.is_not_found() => {}
                outcome => return outcome,
            }
        }
        open(Form::Plain)
    }

    /// Reads the file as it is.
    pub(crate) fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.file.size()? as usize];
        self.file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    /// Reads and checks the header, and the size of the file as far as the header tells it.
    pub(crate) fn header(&self, first: u64) -> Result<SegmentHeader, ReadError> {
        let place = &self.place;
        let failed = |source| ReadError::Io { place: place.clone(), source };
        let flaw = |what| ReadError::from(Fault::Header { place: place.clone(), what });
        let size = self.file.size().map_err(failed)?;
        let start = match self.form {
            Form::Plain => 0,
            Form::Packed => archive::HEADER_AT,
        };
        if size < (start + SEGMENT_HEADER) as u64 {
            return Err(flaw("it is shorter than a header"));
        }
        let mut bytes = [0; archive::HEADER_AT + SEGMENT_HEADER];
        let bytes = &mut bytes[..start + SEGMENT_HEADER];
        self.file.read_exact_at(bytes, 0).map_err(failed)?;
        if self.form == Form::Packed && !archive::is_preamble(&bytes[..start]) {
            return Err(flaw("it does not start as an archive"));
        }
        let header = SegmentHeader::decode(&format::array_at(bytes, start));
        let header = header.map_err(|header_flaw| match header_flaw {
            HeaderFlaw::Magic => flaw("it does not start with ANHUJRNL"),
            HeaderFlaw::Checksum => flaw("the checksum of its header is wrong"),
            HeaderFlaw::Version(found) => Fault::Version { place: place.clone(), found }.into(),
        })?;
        if header.first != first || first == 0 {
            return Err(flaw("its name is not the number of its first record"));
        }
        if self.form == Form::Plain && header.bytes != size {
            return Err(Fault::Size { place: place.clone(), expected: header.bytes, found: size }.into());
        }
        if header.bytes > format::MAX_SEGMENT_BYTES || header.bytes < SEGMENT_HEADER as u64 {
            return Err(flaw("it has a size that no segment has"));
        }
        Ok(header)
    }
}

/// Reads and checks the header of a segment.
pub(crate) fn header(disk: &dyn Disk, first: u64) -> Result<SegmentHeader, ReadError> {
    Found::open(disk, first)?.header(first)
}

/// Checks that `next` is the segment made after `before`, as far as their headers tell.
pub(crate) fn check_neighbours(
    disk: &dyn Disk,
    before: &SegmentHeader,
    next: &SegmentHeader,
) -> Result<(), Fault> {
    if next.previous_first == before.first {
        return Ok(());
    }
    let place = disk.place(&segment_name(next.first));
    Err(Fault::MissingSegment {
        place,
        expected: Sequence(next.previous_first),
        found: Sequence(before.first),
    })
}

/// Checks that each segment was made after the one before it, as far as their headers tell.
pub(crate) fn check_order(disk: &dyn Disk, firsts: &[u64]) -> Result<(), ReadError> {
    let mut before = None;
    for first in firsts {
        let header = header(disk, *first)?;
        if let Some(before) = before {
            check_neighbours(disk, &before, &header)?;
        }
        before = Some(header);
    }
    Ok(())
}

/// Checks that the segment with the header `next` goes on with the hash at which `chain` has come to its start.
pub(crate) fn check_previous(disk: &dyn Disk, next: &SegmentHeader, chain: &Chain) -> Result<(), Fault> {
    if next.previous == chain.hash {
        return Ok(());
    }
    let (says, has) = (next.previous, chain.hash);
    let place = disk.place(&segment_name(next.first));
    Err(Fault::BrokenChain { place, offset: 0, sequence: Sequence(next.first), says, has })
}

impl Segment {
    /// Reads a whole segment.
    pub(crate) fn load(disk: &dyn Disk, first: u64) -> Result<Segment, ReadError> {
        let found = Found::open(disk, first)?;
        let header = found.header(first)?;
        let Found { place, form, file } = found;
        let failed = |source| ReadError::Io { place: place.clone(), source };
        let bytes = match form {
            Form::Plain => {
                let mut bytes = vec![0; header.bytes as usize];
                file.read_exact_at(&mut bytes, 0).map_err(failed)?;
                bytes
            }
            Form::Packed => archive::unpack(&*file, &header)
                .map_err(failed)?
                .map_err(|what| Fault::Archive { place: place.clone(), what })?,
        };
        Ok(Segment { place, header, form, bytes })
    }

    /// Returns the size of the segment in bytes, unpacked.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns the bytes of the segment in `range`.
    pub(crate) fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }
}

impl Cursor {
    /// Starts at the first record of `segment`, which follows from `chain`.
    pub(crate) fn start(segment: &Segment, chain: Chain, next_first: Option<u64>) -> Result<Cursor, Fault> {
        let header = &segment.header;
        if header.first != chain.head + 1 {
            return Err(Fault::Gap {
                place: segment.place.clone(),
                offset: 0,
                expected: Sequence(chain.head + 1),
                found: Sequence(header.first),
            });
        }
        check_link(segment, 0, header.first, header.previous, chain.hash)?;
        Ok(Cursor {
            chain: Chain { epoch: chain.epoch.max(header.epoch), proven: true, ..chain },
            offset: SEGMENT_HEADER,
            last_group: (0, SEGMENT_HEADER),
            next_first,
        })
    }

    /// Returns the next record of `segment`, or its end.
    pub(crate) fn next(&mut self, segment: &Segment) -> Result<Step, Fault> {
        loop {
            let due = self.chain.head + 1;
            if self.next_first == Some(due) {
                return Ok(Step::End { offset: self.offset as u64, torn: None });
            }
            let rest = segment.bytes.get(self.offset..).unwrap_or_default();
            match format::parse(rest, segment.header.tag) {
                Slot::Sound { header, length, hash } => {
                    let payload = self.accept(segment, &header, length, hash)?;
                    match header.kind {
                        Kind::Record => return Ok(Step::Record { sequence: Sequence(due), payload }),
                        Kind::Mark => {}
                    }
                }
                Slot::Blank if all_zero(rest) && self.next_first.is_none() => {
                    return Ok(Step::End { offset: self.offset as u64, torn: None });
                }
                Slot::Blank => return self.end(segment, "zeros instead of a record"),
                Slot::Flawed(what) => return self.end(segment, what),
            }
        }
    }

    /// Like [`next`](Cursor::next), of a journal that may be written meanwhile. The end of its last segment is read piece by
    /// piece while records come in, so a later one may be seen without an earlier one: what is wrong there is looked at
    /// once more, and what is damaged stays damaged.
    pub(crate) fn next_alive(&mut self, segment: &mut Segment, disk: &dyn Disk) -> Result<Step, ReadError> {
        match self.next(segment) {
            Err(_) if self.next_first.is_none() => {
                *segment = Segment::load(disk, segment.header.first)?;
                Ok(self.next(segment)?)
            }
            outcome => Ok(outcome?),
        }
    }

    /// Where the group of the last record starts.
    pub(crate) fn last_group(&self) -> usize {
        self.last_group.1
    }

    /// Takes a sound record or mark into the chain and moves behind it.
    fn accept(
        &mut self,
        segment: &Segment,
        header: &RecordHeader,
        length: usize,
        hash: Hash,
    ) -> Result<Range<usize>, Fault> {
        let expected = match header.kind {
            Kind::Record => self.chain.head + 1,
            Kind::Mark => self.chain.head,
        };
        if header.sequence != expected {
            return Err(Fault::Gap {
                place: segment.place.clone(),
                offset: self.offset as u64,
                expected: Sequence(expected),
                found: Sequence(header.sequence),
            });
        }
        check_link(segment, self.offset, header.sequence, header.previous, self.chain.hash)?;
        self.chain.epoch = self.chain.epoch.max(header.epoch);
        match header.kind {
            Kind::Record => {
                self.chain = Chain { head: expected, hash, proven: false, ..self.chain };
                if header.durable != self.last_group.0 || self.offset == SEGMENT_HEADER {
                    self.last_group = (header.durable, self.offset);
                }
            }
            Kind::Mark => self.chain.proven = true,
        }
        let start = self.offset + RECORD_HEADER;
        self.offset += slot_bytes(length);
        Ok(start..start + length)
    }

    /// Decides whether what is no record here is the torn end or damage.
    fn end(&self, segment: &Segment, what: &'static str) -> Result<Step, Fault> {
        let due = self.chain.head + 1;
        let behind = self.offset + format::ALIGNMENT;
        if self.next_first.is_some()
            || format::proves_flushed(&segment.bytes, behind, segment.header.tag, due)
        {
            return Err(Fault::Damaged {
                place: segment.place.clone(),
                offset: self.offset as u64,
                sequence: Sequence(due),
                what,
            });
        }
        let rest = segment.bytes.get(self.offset..).unwrap_or_default();
        let bytes = rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
        let offset = self.offset as u64;
        Ok(Step::End { offset, torn: Some(Cut { place: segment.place.clone(), offset, bytes }) })
    }
}

fn check_link(segment: &Segment, offset: usize, sequence: u64, says: Hash, has: Hash) -> Result<(), Fault> {
    if says == has {
        return Ok(());
    }
    Err(Fault::BrokenChain {
        place: segment.place.clone(),
        offset: offset as u64,
        sequence: Sequence(sequence),
        says,
        has,
    })
}
