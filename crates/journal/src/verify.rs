//! Verify: is every record of a journal what it was when it was written? Nothing is changed.

use crate::disk::{Disk, RealDisk};
use crate::format::SegmentHeader;
use crate::scan::{self, Chain, Cursor, Segment, Step};
use crate::{Cut, Hash, ReadError, Sequence};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// What a check of all records found.
#[derive(Debug)]
pub struct Verified {
    /// How many segment files there are.
    pub segments: usize,
    /// How many sound records were read, up to the first fault.
    pub records: u64,
    /// The sum of their payloads in bytes.
    pub payload_bytes: u64,
    /// The first record, 0 when there is none.
    pub first: Sequence,
    /// The last sound record before the first fault, 0 when there is none.
    pub head: Sequence,
    /// The hash of that record. Keep it with a backup: it stands for all records up to it.
    pub head_hash: Hash,
    /// The torn end that the next start will cut off.
    pub cut: Option<Cut>,
    /// The first fault; `None` means that the journal is sound.
    pub fault: Option<ReadError>,
    /// A server was writing meanwhile: a fault or a torn end may be a record on its way.
    pub in_use: bool,
}

/// Checks every record of the journal in `directory`, without changing anything.
pub fn verify(directory: &Path) -> Verified {
    let disk = RealDisk::read_only(directory);
    let in_use = disk.is_in_use();
    Verified { in_use, ..verify_on(Arc::new(disk)) }
}

/// Like [`verify`], on any disk; `in_use` is not looked at.
pub fn verify_on(disk: Arc<dyn Disk>) -> Verified {
    let mut reader = read_on(disk);
    let mut verified = Verified {
        segments: reader.firsts.len(),
        records: 0,
        payload_bytes: 0,
        first: Sequence(0),
        head: Sequence(0),
        head_hash: Hash::default(),
        cut: None,
        fault: None,
        in_use: false,
    };
    while let Some(found) = reader.step() {
        match found {
            Ok((sequence, payload)) => {
                verified.first = if verified.records == 0 { sequence } else { verified.first };
                verified.records += 1;
                verified.payload_bytes += payload.len() as u64;
            }
            Err(fault) => verified.fault = Some(fault),
        }
    }
    let chain = reader.reached();
    (verified.head, verified.head_hash) = (Sequence(chain.head), chain.hash);
    verified.cut = reader.cut;
    verified
}

/// Reads the records of the journal in `directory` in order, without changing anything.
pub fn read(directory: &Path) -> Records {
    read_on(Arc::new(RealDisk::read_only(directory)))
}

/// Like [`read`], on any disk.
pub fn read_on(disk: Arc<dyn Disk>) -> Records {
    let (firsts, failed) = match scan::segments(&*disk) {
        Ok(firsts) => (firsts, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    Records { disk, firsts, next: 0, place: Place::Start, cut: None, failed }
}

/// The records of a journal, in order: sequence number and payload. Ends at the torn end of a crash, which
/// [`cut`](Records::cut) then tells, or after the first fault.
pub struct Records {
    disk: Arc<dyn Disk>,
    firsts: Vec<u64>,
    /// The index in `firsts` of the segment to read next.
    next: usize,
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
    /// Returns the torn end, once all records are read.
    pub fn cut(&self) -> Option<&Cut> {
        self.cut.as_ref()
    }

    fn reached(&self) -> Chain {
        match &self.place {
            Place::Start => Chain::default(),
            Place::Inside(inside) => inside.1.chain,
            Place::Between(_, chain) => *chain,
        }
    }

    fn step(&mut self) -> Option<Result<(Sequence, &[u8]), ReadError>> {
        match self.advance() {
            Err(fault) => {
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

    fn advance(&mut self) -> Result<Option<(Sequence, Range<usize>)>, ReadError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        loop {
            if let Place::Inside(inside) = &mut self.place {
                let (segment, cursor) = &mut **inside;
                match cursor.next(segment)? {
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

    fn enter(&mut self, first: u64) -> Result<(), ReadError> {
        let segment = Segment::load(&*self.disk, first)?;
        let chain = match &self.place {
            Place::Between(before, chain) => {
                scan::check_neighbours(&*self.disk, before, &segment.header)?;
                *chain
            }
            Place::Start | Place::Inside(_) => Chain::before(&segment.header),
        };
        let cursor = Cursor::start(&segment, chain, self.firsts.get(self.next).copied())?;
        self.place = Place::Inside(Box::new((segment, cursor)));
        Ok(())
    }
}

impl Iterator for Records {
    type Item = Result<(Sequence, Vec<u8>), ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().map(|found| found.map(|(sequence, payload)| (sequence, payload.to_vec())))
    }
}
