//! Upkeep: how do old segments take less room, and in the end none, while records are written and read?

use crate::archive;
use crate::disk::{Disk, RealDisk, write_gently};
use crate::scan::{self, Chain, Cursor, Form, Found, Segment, Step, archive_name, segment_name};
use crate::{Fault, ReadError, Sequence};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// An archive that is not compared with its segment yet.
const PACKING: &str = "packing";

/// Why segments were not packed or trimmed. Those before were; nothing is lost by it.
#[derive(Debug, Error)]
pub enum UpkeepError {
    /// Somebody else packs or trims this journal now. Let them end.
    #[error("{0} is being packed or trimmed by another process: let that end, then try again")]
    Busy(PathBuf),
    /// The system refused something. See its message.
    #[error("{place}: {source}. Check that the disk is there, has space and belongs to this user")]
    Io {
        /// The file or directory.
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// A segment is damaged. It was left as it is.
    #[error(transparent)]
    Damaged(#[from] Fault),
    /// The folder of a copy holds something that is not an older copy of this journal. Choose another folder.
    #[error(
        "{place} does not go on to this journal: it is of another one, of a later time of this one, or so old that what \
         came after it is trimmed. Choose another folder"
    )]
    Foreign {
        /// The file.
        place: String,
    },
    /// An archive did not read back as it was written. It was thrown away, and the segment left as it is.
    #[error("{place} did not read back as it was written, and was thrown away: replace the disk")]
    NotTheSame {
        /// The segment that was to be packed.
        place: String,
    },
}

impl From<ReadError> for UpkeepError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Damaged(fault) => UpkeepError::Damaged(fault),
            ReadError::Io { place, source } => UpkeepError::Io { place, source },
            ReadError::Behind { from, oldest } => UpkeepError::Io {
                place: format!("records {from} to {oldest}"),
                source: io::ErrorKind::NotFound.into(),
            },
        }
    }
}

/// What packing has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    /// How many segments were turned into archives.
    pub segments: usize,
    /// How many are left of those that were to be.
    pub left: usize,
    /// What they took on the disk, in bytes.
    pub bytes: u64,
    /// What their archives take, in bytes.
    pub archive_bytes: u64,
}

/// What trimming has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// How many archives were removed.
    pub archives: usize,
    /// The last record that was removed, 0 when none was.
    pub upto: Sequence,
}

/// Turns the segments of which all records are at most `upto` into archives, the oldest first; never the last one.
///
/// Each segment is checked record by record, packed, flushed, read back and compared before it is removed. `progress`
/// is called after each and may end it. It works beside a writer and readers, of this process or others. After a crash in
/// any step every record is there, and packing again clears up.
///
/// # Errors
///
/// [`UpkeepError`]; what is packed stays packed.
pub fn pack(
    directory: &Path,
    upto: Sequence,
    progress: impl FnMut(&Packed) -> ControlFlow<()>,
) -> Result<Packed, UpkeepError> {
    pack_on(&RealDisk::upkeep(directory)?, upto, progress)
}

/// Like [`pack`], on any disk; nobody else may pack or trim meanwhile.
///
/// # Errors
///
/// As [`pack`], without [`UpkeepError::Busy`].
pub fn pack_on(
    disk: &dyn Disk,
    upto: Sequence,
    mut progress: impl FnMut(&Packed) -> ControlFlow<()>,
) -> Result<Packed, UpkeepError> {
    let mut wanted = Vec::new();
    for ended in ended_segments(disk, upto)? {
        if Found::open(disk, ended.first)?.form == Form::Plain {
            wanted.push(ended);
        }
    }
    let mut packed = Packed { left: wanted.len(), ..Packed::default() };
    for ended in wanted {
        let (bytes, archive_bytes) = pack_segment(disk, ended)?;
        packed.segments += 1;
        packed.left -= 1;
        packed.bytes += bytes;
        packed.archive_bytes += archive_bytes;
        if progress(&packed).is_break() {
            break;
        }
    }
    Ok(packed)
}

/// Removes the archives of which all records are at most `upto`, the oldest first. It ends before the first segment
/// that is not packed, and never removes the last one.
///
/// Records up to `upto` should be so old that nobody may ask for them, and a checkpoint must stand for them: keep the
/// older of the two [newest](crate::checkpoint::newest) in mind. It works beside a writer and readers.
///
/// # Errors
///
/// [`UpkeepError`]; what is removed is removed.
pub fn trim(directory: &Path, upto: Sequence) -> Result<Trimmed, UpkeepError> {
    trim_on(&RealDisk::upkeep(directory)?, upto)
}

/// Like [`trim`], on any disk; nobody else may pack or trim meanwhile.
///
/// # Errors
///
/// As [`trim`], without [`UpkeepError::Busy`].
pub fn trim_on(disk: &dyn Disk, upto: Sequence) -> Result<Trimmed, UpkeepError> {
    let mut trimmed = Trimmed::default();
    for ended in ended_segments(disk, upto)? {
        if Found::open(disk, ended.first)?.form == Form::Plain {
            break;
        }
        let name = archive_name(ended.first);
        // One after the other, each for good: were a later one gone and an earlier one back after a crash, that would
        // look like a missing file.
        let removed = disk.remove(&name).and_then(|()| disk.sync_directory());
        removed.map_err(|source| UpkeepError::Io { place: disk.place(&name), source })?;
        trimmed.archives += 1;
        trimmed.upto = Sequence(ended.next_first - 1);
    }
    Ok(trimmed)
}

/// A segment that another one follows.
#[derive(Clone, Copy)]
struct Ended {
    first: u64,
    next_first: u64,
}

/// Returns the segments that others follow and that hold no record after `upto`, the oldest first.
fn ended_segments(disk: &dyn Disk, upto: Sequence) -> Result<Vec<Ended>, UpkeepError> {
    let firsts = scan::segments(disk)?;
    let pairs = firsts.windows(2).map(|pair| Ended { first: pair[0], next_first: pair[1] });
    Ok(pairs.take_while(|ended| ended.next_first - 1 <= upto.0).collect())
}

/// Packs one segment, and returns the sizes before and after.
fn pack_segment(disk: &dyn Disk, ended: Ended) -> Result<(u64, u64), UpkeepError> {
    let Ended { first, next_first } = ended;
    let segment = Segment::load(disk, first)?;
    check(disk, &segment, next_first)?;
    let bytes = segment.bytes(0..segment.len());
    let packed = archive::pack(bytes);
    let archive = packed.map_err(|source| UpkeepError::Io { place: segment.place.clone(), source })?;
    write_archive(disk, &segment, bytes, &archive)?;
    let name = segment_name(first);
    let removed = disk.remove(&name).and_then(|()| disk.sync_directory());
    removed.map_err(|source| UpkeepError::Io { place: disk.place(&name), source })?;
    Ok((bytes.len() as u64, archive.len() as u64))
}

/// Writes `archive`, which holds `bytes` of `segment`. It gets its name after it was flushed, read back and compared.
pub(crate) fn write_archive(
    disk: &dyn Disk,
    segment: &Segment,
    bytes: &[u8],
    archive: &[u8],
) -> Result<(), UpkeepError> {
    let name = archive_name(segment.header.first);
    let write = || {
        write_gently(&*disk.create(PACKING, 0)?, archive)?;
        let is_the_same = archive::unpack(&*disk.open(PACKING)?, &segment.header)?.as_deref() == Ok(bytes);
        if is_the_same {
            disk.rename(PACKING, &name)?;
            disk.sync_directory()?;
        }
        Ok(is_the_same)
    };
    let written = write();
    if !matches!(written, Ok(true)) {
        // On a full disk it would only take room. It may have its name already; then there is nothing to remove.
        let _ = disk.remove(PACKING);
    }
    match written {
        Ok(true) => Ok(()),
        Ok(false) => Err(UpkeepError::NotTheSame { place: segment.place.clone() }),
        Err(source) => Err(UpkeepError::Io { place: disk.place(&name), source }),
    }
}

/// Checks every record of a segment, and that the next one goes on behind them.
fn check(disk: &dyn Disk, segment: &Segment, next_first: u64) -> Result<(), UpkeepError> {
    let next = scan::header(disk, next_first)?;
    scan::check_neighbours(disk, &segment.header, &next)?;
    let mut cursor = Cursor::start(segment, Chain::before(&segment.header), Some(next_first))?;
    while let Step::Record { .. } = cursor.next(segment)? {}
    Ok(scan::check_previous(disk, &next, &cursor.chain)?)
}
