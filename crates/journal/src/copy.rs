//! Copy: how does a journal come into another folder, whole and proven, while it is written?

use crate::archive;
use crate::disk::{Disk, RealDisk};
use crate::read::{hash_of_on, read_after_on};
use crate::scan::{self, Chain, Cursor, Form, Found, Segment, Step};
use crate::upkeep::{UpkeepError, write_archive};
use crate::{Hash, ReadError, Sequence};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

/// How often the segments are listed before a missing one is an error: trimming is rare.
const LISTINGS: u32 = 3;

/// What a copy has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// How many segments of the journal are in the copy, so far.
    pub segments: usize,
    /// How many are left to be looked at.
    pub left: usize,
    /// How many of those in the copy were written now; the others were there.
    pub written: usize,
    /// What was written, in bytes.
    pub written_bytes: u64,
    /// The first record of the copy; older ones that the journal has trimmed stay in the copy. 0 when there is none.
    pub first: Sequence,
    /// The last record of the copy, 0 when there is none.
    pub head: Sequence,
    /// The hash of that record, zeros for 0.
    pub head_hash: Hash,
}

/// Copies the journal in `from` into the folder `to`, which may hold an earlier copy of it: every segment as an archive,
/// the last one up to its last sound record. Returns what the copy holds.
///
/// What is copied is checked record by record, packed, flushed, read back and compared. An archive that is there with
/// the same header and size stays; only the last one of an earlier copy is always written anew. It works while the journal
/// is written, packed and trimmed. After a crash in any step the copy is a journal again, perhaps a shorter one.
/// `progress` is called after each segment.
///
/// # Errors
///
/// [`UpkeepError`]; that of another journal is [`UpkeepError::Foreign`], and then nothing was changed.
pub fn copy(from: &Path, to: &Path, progress: impl FnMut(&Copied)) -> Result<Copied, UpkeepError> {
    copy_on(&RealDisk::read_only(from), &RealDisk::keep(to)?, progress)
}

/// Like [`copy`], on any disks; nobody else may write to the copy meanwhile.
///
/// # Errors
///
/// As [`copy`], without [`UpkeepError::Busy`].
pub fn copy_on(
    from: &dyn Disk,
    to: &dyn Disk,
    mut progress: impl FnMut(&Copied),
) -> Result<Copied, UpkeepError> {
    for _ in 1..LISTINGS {
        match copy_listed(from, to, &mut progress) {
            // The oldest were trimmed after they were listed; those in the copy stay, and the others are listed anew.
            Err(UpkeepError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
            outcome => return outcome,
        }
    }
    copy_listed(from, to, &mut progress)
}

/// Copies the segments that are there now.
fn copy_listed(
    from: &dyn Disk,
    to: &dyn Disk,
    progress: &mut dyn FnMut(&Copied),
) -> Result<Copied, UpkeepError> {
    let firsts = scan::segments(from)?;
    let there = scan::segments(to)?;
    scan::check_order(from, &firsts)?;
    check_not_foreign(from, &firsts, to, &there)?;
    let mut copied = Copied { left: firsts.len(), ..Copied::default() };
    let mut chain = None;
    for (index, first) in firsts.iter().enumerate() {
        let next_first = firsts.get(index + 1).copied();
        // The last one of an earlier copy may be shorter than the segment is now, and the last one now may grow.
        let may_stay = next_first.is_some() && there.last() > Some(first) && there.contains(first);
        if may_stay && is_the_same(from, to, *first)? {
            chain = None;
        } else {
            let (end, bytes) = copy_segment(from, to, *first, next_first, chain)?;
            chain = Some(end);
            copied.written += 1;
            copied.written_bytes += bytes;
            (copied.head, copied.head_hash) = (Sequence(end.head), end.hash);
        }
        copied.segments += 1;
        copied.left -= 1;
        progress(&copied);
    }
    let all = scan::segments(to)?;
    scan::check_order(to, &all)?;
    let first = all.first().copied().unwrap_or_default();
    copied.first = Sequence(if copied.head.0 >= first { first } else { 0 });
    Ok(copied)
}

/// Returns the last record that the journal in `from` and its copy in `to` both hold with the same hash, and that hash; or
/// nothing when the copy holds a record that the journal does not, so that going on would throw it away.
///
/// They need not end at the same one: a copy may hold records that were not flushed yet. When that flush fails, the journal
/// writes them into another segment, where the same records get other hashes, and the next copy holds those. Reads the
/// last segment of the copy.
///
/// # Errors
///
/// [`ReadError`] when either cannot be read.
pub fn shared(from: &Path, to: &Path) -> Result<Option<(Sequence, Hash)>, ReadError> {
    shared_on(&(Arc::new(RealDisk::read_only(from)) as _), &(Arc::new(RealDisk::read_only(to)) as _))
}

/// Like [`shared`], on any disks.
///
/// # Errors
///
/// As [`shared`].
pub fn shared_on(from: &Arc<dyn Disk>, to: &Arc<dyn Disk>) -> Result<Option<(Sequence, Hash)>, ReadError> {
    let last = scan::segments(&**to)?.last().copied().unwrap_or(1);
    let before = Sequence(last.saturating_sub(1));
    let (ours, theirs) = (hash_of_on(Arc::clone(from), before)?, hash_of_on(Arc::clone(to), before)?);
    let Some(hash) = ours.filter(|hash| theirs == Some(*hash)) else { return Ok(None) };
    let mut shared = (before, hash);
    let (mut ours, mut theirs) =
        (read_after_on(Arc::clone(from), before), read_after_on(Arc::clone(to), before));
    while let Some(copied) = theirs.next() {
        let copied = copied?;
        if ours.next().transpose()?.as_ref() != Some(&copied) {
            return Ok(None);
        }
        if ours.hash() == theirs.hash() {
            shared = (copied.0, ours.hash());
        }
    }
    Ok(Some(shared))
}

/// Refuses a folder with segments that are not older ones of this journal.
fn check_not_foreign(
    from: &dyn Disk,
    firsts: &[u64],
    to: &dyn Disk,
    there: &[u64],
) -> Result<(), UpkeepError> {
    let Some(last_there) = there.last() else { return Ok(()) };
    let Some(oldest) = firsts.first() else {
        return Err(UpkeepError::Foreign { place: Found::open(to, *last_there)?.place });
    };
    if last_there < oldest {
        let (before, next) = (Found::open(to, *last_there)?, scan::header(from, *oldest)?);
        if next.previous_first != before.header(*last_there)?.first {
            return Err(UpkeepError::Foreign { place: before.place });
        }
    }
    for first in there.iter().filter(|first| *first >= oldest) {
        let found = Found::open(to, *first)?;
        let foreign = || UpkeepError::Foreign { place: found.place.clone() };
        if !firsts.contains(first) {
            return Err(foreign());
        }
        let (ours, theirs) = (scan::header(from, *first)?, found.header(*first)?);
        let same = if first == last_there {
            // An empty last segment may have been replaced by another one at the same place.
            (ours.previous, ours.previous_first) == (theirs.previous, theirs.previous_first)
        } else {
            ours == theirs
        };
        if !same {
            return Err(foreign());
        }
    }
    Ok(())
}

/// Says whether the archive of a segment is in the copy, by its header and, if the journal has packed it, its size.
fn is_the_same(from: &dyn Disk, to: &dyn Disk, first: u64) -> Result<bool, UpkeepError> {
    let (ours, theirs) = (Found::open(from, first)?, Found::open(to, first)?);
    if theirs.form != Form::Packed || ours.header(first)? != theirs.header(first)? {
        return Ok(false);
    }
    let size = |found: &Found| {
        let size = found.file.size();
        size.map_err(|source| UpkeepError::Io { place: found.place.clone(), source })
    };
    Ok(ours.form == Form::Plain || size(&ours)? == size(&theirs)?)
}

/// Copies one segment and returns the chain at its end, and what was written.
fn copy_segment(
    from: &dyn Disk,
    to: &dyn Disk,
    first: u64,
    next_first: Option<u64>,
    chain: Option<Chain>,
) -> Result<(Chain, u64), UpkeepError> {
    let mut segment = Segment::load(from, first)?;
    let before = chain.unwrap_or_else(|| Chain::before(&segment.header));
    let mut cursor = Cursor::start(&segment, before, next_first)?;
    let end = loop {
        match cursor.next_alive(&mut segment, from)? {
            Step::Record { .. } => {}
            Step::End { offset, .. } => break offset as usize,
        }
    };
    let mut bytes = segment.bytes(0..segment.len()).to_vec();
    if next_first.is_none() {
        // What is half written, or not written in order yet, belongs to nobody.
        bytes[end..].fill(0);
    }
    let failed = |source| UpkeepError::Io { place: segment.place.clone(), source };
    let archive = match (segment.form, next_first) {
        // As it is, so that its size tells the next time that it is there, whatever version of zstd packed it.
        (Form::Packed, Some(_)) => Found::open(from, first)?.read().map_err(failed)?,
        (Form::Packed, None) | (Form::Plain, _) => archive::pack(&bytes).map_err(failed)?,
    };
    write_archive(to, &segment, &bytes, &archive)?;
    Ok((cursor.chain, archive.len() as u64))
}
