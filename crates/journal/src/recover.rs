//! Recover: what does the journal hold after the last run, whatever ended it?

use crate::archive;
use crate::checkpoint::Checkpoint;
use crate::disk::{Disk, write_all};
use crate::fault::at;
use crate::reserve::Reserve;
use crate::scan::{self, Chain, Cursor, Form, Segment, Step};
use crate::writer::{self, Tail, Writer};
use crate::{Cut, Hash, OpenError, Options, Sequence};
use std::io;
use std::sync::Arc;

/// What a caller's replay may fail with.
pub type ReplayError = Box<dyn std::error::Error + Send + Sync>;

/// Where a replay begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// The last record that the caller's state has already, 0 for none.
    pub after: Sequence,
    /// The hash of that record, if the caller kept it: then a state of another journal is refused.
    pub hash: Option<Hash>,
}

impl From<Sequence> for Start {
    fn from(after: Sequence) -> Self {
        Start { after, hash: None }
    }
}

impl From<&Checkpoint> for Start {
    fn from(checkpoint: &Checkpoint) -> Self {
        Start { after: checkpoint.sequence, hash: Some(checkpoint.hash) }
    }
}

impl Start {
    /// Refuses when `chain` has come to the record of this start and that record is another one.
    fn check(&self, chain: &Chain) -> Result<(), OpenError> {
        match self.hash {
            Some(says) if chain.head == self.after.0 && chain.hash != says => {
                Err(OpenError::Foreign { at: self.after, says, has: chain.hash })
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// What was found when a journal was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenReport {
    /// The generation of this writer: 1 for the first. One that wrote nothing leaves its number to the next.
    pub epoch: u32,
    /// The last record, 0 in an empty journal.
    pub head: Sequence,
    /// The hash of that record, zeros in an empty journal.
    pub head_hash: Hash,
    /// How many records were handed to the replay.
    pub replayed: u64,
    /// How many segment files there are.
    pub segments: usize,
    /// The torn end that was cut off, if the last run ended in a crash.
    pub cut: Option<Cut>,
}

/// Receives the records of a journal.
pub(crate) type Replay<'a> = &'a mut dyn FnMut(Sequence, &[u8]) -> Result<(), ReplayError>;

/// Replays the records after `start` and returns a writer that goes on behind the last one.
///
/// Segments that end before it are not read, only their headers are; so the cost is that of the records after it.
pub(crate) fn recover(
    disk: Arc<dyn Disk>,
    options: &Options,
    start: Start,
    replay: Replay<'_>,
) -> Result<(Writer, OpenReport), OpenError> {
    let from = start.after;
    let reserve = Arc::new(Reserve::new(Arc::clone(&disk), options.ballast_bytes));
    let firsts = scan::segments(&*disk)?;
    let Some((last, earlier)) = firsts.split_last() else {
        check_not_ahead(from, 0)?;
        start.check(&Chain::default())?;
        writer::remove_leftovers(&*disk)?;
        let writer = Writer::create(disk, options, reserve)?;
        let report = report(&writer, 0, 1, None);
        return Ok((writer, report));
    };
    check_not_behind(from, firsts[0])?;
    scan::check_order(&*disk, &firsts)?;
    let needed = scan::segment_after(&firsts, from);
    let mut chain = Chain::before(&scan::header(&*disk, firsts[needed])?);
    start.check(&chain)?;
    let mut replayed = 0;
    for (index, first) in earlier.iter().enumerate().skip(needed) {
        let segment = Segment::load(&*disk, *first)?;
        let mut cursor = Cursor::start(&segment, chain, Some(firsts[index + 1]))?;
        replay_segment(&segment, &mut cursor, start, &mut replayed, replay)?;
        chain = cursor.chain;
    }
    let segment = Segment::load(&*disk, *last)?;
    let mut cursor = Cursor::start(&segment, chain, None)?;
    let (offset, cut) = replay_segment(&segment, &mut cursor, start, &mut replayed, replay)?;
    check_not_ahead(from, cursor.chain.head)?;
    writer::remove_leftovers(&*disk)?;

    let end = End { segment: &segment, cursor: &cursor, offset, cut: cut.as_ref() };
    let tail = reserve.rescue(|| end.settle(&*disk)).map_err(at(&segment.place))?;
    let writer = Writer::behind(disk, options, reserve, tail);
    let report = report(&writer, replayed, firsts.len(), cut);
    Ok((writer, report))
}

fn report(writer: &Writer, replayed: u64, segments: usize, cut: Option<Cut>) -> OpenReport {
    let chain = writer.flushed();
    let (epoch, head, head_hash) = (chain.epoch, Sequence(chain.head), chain.hash);
    OpenReport { epoch, head, head_hash, replayed, segments, cut }
}

fn replay_segment(
    segment: &Segment,
    cursor: &mut Cursor,
    start: Start,
    replayed: &mut u64,
    replay: Replay<'_>,
) -> Result<(u64, Option<Cut>), OpenError> {
    loop {
        match cursor.next(segment)? {
            Step::End { offset, torn } => return Ok((offset, torn)),
            Step::Record { sequence, payload } if sequence > start.after => {
                replay(sequence, segment.bytes(payload))
                    .map_err(|source| OpenError::Replay { sequence, source })?;
                *replayed += 1;
            }
            Step::Record { .. } => start.check(&cursor.chain)?,
        }
    }
}

/// The end of the journal as it was read.
struct End<'a> {
    segment: &'a Segment,
    cursor: &'a Cursor,
    offset: u64,
    cut: Option<&'a Cut>,
}

impl End<'_> {
    /// Makes what was read what the disk holds: cuts the torn end, writes the last group again, and marks it as flushed
    /// if nothing says so yet.
    ///
    /// The last group may be in the kernel's memory only: after a failed flush the kernel calls its pages clean, and no
    /// later flush would write them. Its records were just replayed, so from now on they must be as safe as any other. The
    /// same is true of the mark behind them: without it, what is written next would stand behind a hole.
    fn settle(&self, disk: &dyn Disk) -> io::Result<Tail> {
        let End { segment, cursor, offset, cut } = *self;
        if segment.form == Form::Packed {
            archive::restore(disk, segment)?;
        }
        let file = disk.open(&scan::segment_name(segment.header.first))?;
        if let Some(cut) = cut {
            write_all(&*file, &vec![0; cut.bytes as usize], cut.offset)?;
        }
        let group = cursor.last_group();
        write_all(&*file, segment.bytes(group..offset as usize), group as u64)?;
        file.sync()?;
        let chain = Chain { epoch: cursor.chain.epoch.saturating_add(1), ..cursor.chain };
        let place = segment.place.clone();
        let mut tail = Tail { file, place, header: segment.header, offset, chain };
        tail.mark(chain.head)?;
        Ok(tail)
    }
}

fn check_not_behind(from: Sequence, oldest: u64) -> Result<(), OpenError> {
    if from.0.saturating_add(1) < oldest {
        return Err(OpenError::Behind { from, oldest: Sequence(oldest) });
    }
    Ok(())
}

fn check_not_ahead(from: Sequence, head: u64) -> Result<(), OpenError> {
    if from.0 > head {
        return Err(OpenError::Ahead { from, head: Sequence(head) });
    }
    Ok(())
}
