//! Read: what does the journal say, from a record on? Nothing is changed.

use crate::disk::{Disk, RealDisk};
use crate::format::SegmentHeader;
use crate::scan::{self, Chain, Cursor, Form, Segment, Step};
use crate::{Cut, Hash, ReadError, Sequence};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Reads the records of the journal in `directory` in order, without changing anything. It begins with the oldest
/// there is. When the oldest segments are trimmed meanwhile, before they are read, it goes on with those that are left,
/// and their numbers say so.
pub fn read(directory: &Path) -> Records {
    read_on(Arc::new(RealDisk::read_only(directory)))
}

/// Like [`read`], on any disk.
pub fn read_on(disk: Arc<dyn Disk>) -> Records {
    Records::of(disk, None)
}

/// Reads the records after `from` in order, without changing anything. Segments that end before are not opened.
///
/// The first item is [`ReadError::Behind`] when the record after `from` has been trimmed: so nothing is left out
/// unnoticed. There is none when the journal ends at or before `from`. Records that are trimmed later, while older ones
/// are read, are missing among the numbers.
pub fn read_after(directory: &Path, from: Sequence) -> Records {
    read_after_on(Arc::new(RealDisk::read_only(directory)), from)
}

/// Like [`read_after`], on any disk.
pub fn read_after_on(disk: Arc<dyn Disk>, from: Sequence) -> Records {
    Records::of(disk, Some(from))
}

/// Returns the hash of record `sequence`, zeros for 0, or nothing when the journal does not hold that record. Reads at
/// most one segment.
///
/// A record that is not durable yet may come to have another one.
///
/// # Errors
///
/// [`ReadError`] when the segment cannot be read, or is damaged before that record.
pub fn hash_of(directory: &Path, sequence: Sequence) -> Result<Option<Hash>, ReadError> {
    hash_of_on(Arc::new(RealDisk::read_only(directory)), sequence)
}

/// Like [`hash_of`], on any disk.
///
/// # Errors
///
/// As [`hash_of`].
pub fn hash_of_on(disk: Arc<dyn Disk>, sequence: Sequence) -> Result<Option<Hash>, ReadError> {
    if sequence == Sequence(0) {
        return Ok(Some(Hash::default()));
    }
    let mut records = match Records::of(disk, Some(sequence)) {
        Records { failed: Some(ReadError::Behind { .. }), .. } => return Ok(None),
        Records { failed: Some(error), .. } => return Err(error),
        records => records,
    };
    // The reader enters the segment of the record after this one, passes this one there or finds its hash in the header.
    let read = records.advance();
    let passed = records.passed;
    if passed.head == sequence.0 { Ok(Some(passed.hash)) } else { read.map(|_| None) }
}

/// The records of a journal, in order: sequence number and payload. Ends at the torn end of a crash, which
/// [`cut`](Records::cut) then tells, or after the first fault.
pub struct Records {
    disk: Arc<dyn Disk>,
    firsts: Vec<u64>,
    /// The index in `firsts` of the segment to read next.
    next: usize,
    segments: usize,
    archives: usize,
    /// The record after which to begin, if the next one must be there.
    after: Option<Sequence>,
    /// Records up to this one are checked, but not handed out.
    from: u64,
    /// The chain at `from`, once it is passed.
    passed: Chain,
    place: Place,
    cut: Option<Cut>,
    failed: Option<ReadError>,
}

enum Place {
    Start,
    Inside(Box<(Segment, Cursor)>),
    Between(SegmentHeader, Chain),
}

impl Records {
    /// The records after `from`, or all there are.
    fn of(disk: Arc<dyn Disk>, after: Option<Sequence>) -> Records {
        let (firsts, mut failed) = match scan::segments(&*disk) {
            Ok(firsts) => (firsts, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let mut next = 0;
        if let (Some(after), Some(oldest)) = (after, firsts.first()) {
            next = scan::segment_after(&firsts, after);
            failed = behind(after, *oldest).or(failed);
        }
        let from = after.unwrap_or_default().0;
        let (passed, place) = (Chain::default(), Place::Start);
        Records {
            disk,
            firsts,
            next,
            segments: 0,
            archives: 0,
            after,
            from,
            passed,
            place,
            cut: None,
            failed,
        }
    }

    /// Returns the torn end, once all records are read.
    pub fn cut(&self) -> Option<&Cut> {
        self.cut.as_ref()
    }

    /// Returns the last record that was read; before the first item, nothing is known and this is 0.
    pub fn head(&self) -> Sequence {
        Sequence(self.reached().head)
    }

    /// Returns the hash of that record, zeros for 0: what a [`Checkpoint`](crate::checkpoint::Checkpoint) at it keeps.
    pub fn hash(&self) -> Hash {
        self.reached().hash
    }

    /// Returns how many segments were read, and how many of them were archives.
    pub(crate) fn segments(&self) -> (usize, usize) {
        (self.segments, self.archives)
    }

    fn reached(&self) -> Chain {
        match &self.place {
            Place::Start => Chain::default(),
            Place::Inside(inside) => inside.1.chain,
            Place::Between(_, chain) => *chain,
        }
    }

    /// Like [`next`](Iterator::next), without a copy of the payload.
    pub(crate) fn step(&mut self) -> Option<Result<(Sequence, &[u8]), ReadError>> {
        match self.advance() {
            Err(fault) => {
                let fault = self.missing_segment().unwrap_or(fault);
                self.next = self.firsts.len();
                self.place = Place::Between(SegmentHeader::default(), self.reached());
                Some(Err(fault))
            }
            Ok(None) => None,
            Ok(Some((sequence, payload))) => match &self.place {
                Place::Inside(inside) => Some(Ok((sequence, inside.0.bytes(payload)))),
                Place::Start | Place::Between(..) => None,
            },
        }
    }

    /// Says whether the file behind the one being read does not follow it: then records are not damaged, but missing.
    fn missing_segment(&self) -> Option<ReadError> {
        let Place::Inside(inside) = &self.place else { return None };
        let next = scan::header(&*self.disk, *self.firsts.get(self.next)?).ok()?;
        scan::check_neighbours(&*self.disk, &inside.0.header, &next).err().map(ReadError::from)
    }

    fn advance(&mut self) -> Result<Option<(Sequence, Range<usize>)>, ReadError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        loop {
            if let Place::Inside(inside) = &mut self.place {
                let (segment, cursor) = &mut **inside;
                if cursor.chain.head == self.from {
                    self.passed = cursor.chain;
                }
                match cursor.next_alive(segment, &*self.disk)? {
                    Step::Record { sequence, .. } if sequence.0 <= self.from => continue,
                    Step::Record { sequence, payload } => return Ok(Some((sequence, payload))),
                    Step::End { torn, .. } => {
                        self.cut = torn;
                        self.place = Place::Between(segment.header, cursor.chain);
                    }
                }
            }
            let Some(first) = self.firsts.get(self.next).copied() else { return Ok(None) };
            self.next += 1;
            self.enter(first)?;
        }
    }

    /// Goes on to the segment that starts with `first`, or to the oldest one when it was trimmed meanwhile.
    fn enter(&mut self, first: u64) -> Result<(), ReadError> {
        let segment = match Segment::load(&*self.disk, first) {
            Err(error) if error.is_not_found() => return self.go_on_after_trimming(first, error),
            outcome => outcome?,
        };
        let chain = match &self.place {
            Place::Between(before, chain) => {
                scan::check_neighbours(&*self.disk, before, &segment.header)?;
                *chain
            }
            Place::Start | Place::Inside(_) => Chain::before(&segment.header),
        };
        let cursor = Cursor::start(&segment, chain, self.firsts.get(self.next).copied())?;
        self.segments += 1;
        self.archives += usize::from(segment.form == Form::Packed);
        self.place = Place::Inside(Box::new((segment, cursor)));
        Ok(())
    }

    /// The oldest segments may be trimmed while they are read; then reading goes on at the oldest that is left. A segment
    /// that is missing behind an older one was not trimmed.
    fn go_on_after_trimming(&mut self, missing: u64, error: ReadError) -> Result<(), ReadError> {
        let firsts = scan::segments(&*self.disk)?;
        match firsts.first() {
            Some(oldest) if *oldest > missing => {
                let is_at_start = matches!(self.place, Place::Start);
                if let Some(error) =
                    self.after.filter(|_| is_at_start).and_then(|after| behind(after, *oldest))
                {
                    return Err(error);
                }
            }
            Some(_) | None => return Err(error),
        }
        self.place = Place::Start;
        self.firsts = firsts;
        self.next = 0;
        Ok(())
    }
}

/// Returns an error when the record after `from` has been trimmed.
fn behind(from: Sequence, oldest: u64) -> Option<ReadError> {
    let is_behind = from.0.saturating_add(1) < oldest;
    if is_behind { Some(ReadError::Behind { from, oldest: Sequence(oldest) }) } else { None }
}

impl Iterator for Records {
    type Item = Result<(Sequence, Vec<u8>), ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().map(|found| found.map(|(sequence, payload)| (sequence, payload.to_vec())))
    }
}
