//! Checkpoint: which state stands for all records up to one of them, so that a start need not read them all?
//!
//! A checkpoint is a file `checkpoint-<sequence>` beside the segments. It holds opaque bytes, and the hash of the last
//! record they stand for: so a checkpoint of another journal is told from one of this. All numbers are little-endian:
//!
//! | bytes | field |
//! |---|---|
//! | 0–7 | `ANHUCKPT` |
//! | 8–11 | format version, 1 |
//! | 12–15 | crc32c of the other 124 bytes of this header |
//! | 16–23 | sequence of the last record it stands for |
//! | 24–55 | hash of that record, zeros for 0 |
//! | 56–63 | length of the state |
//! | 64–71 | length of the packed state, which follows the header |
//! | 72–103 | blake3 of the state |
//! | 104–127 | zeros |
//! | 128– | the state, packed by zstd |

use crate::disk::{Disk, RealDisk, write_gently};
use crate::format::{HEADER_BYTES, array_at, hash_at, header_checksum, u32_at, u64_at};
use crate::{Hash, Sequence};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use thiserror::Error;

const MAGIC: &[u8; 8] = b"ANHUCKPT";
const VERSION: u32 = 1;
const PREFIX: &str = "checkpoint-";
const DIGITS: usize = 20;
/// A checkpoint on its way; one that a crash left is replaced by the next.
const UNFINISHED: &str = "checkpoint.new";
/// How many are kept: should the newest be damaged, the one before it is there.
const KEPT: usize = 2;
/// The longest state in bytes: what a county of millions would need, and no more than a start can hold.
const MAX_STATE_BYTES: u64 = 4 << 30;
/// Fast, and a state shrinks to a third.
const LEVEL: i32 = 3;

/// A state that stands for all records up to `sequence`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The last record it stands for, 0 for none.
    pub sequence: Sequence,
    /// The hash of that record, zeros for 0.
    pub hash: Hash,
    /// What the caller gave.
    pub state: Vec<u8>,
}

/// Why a checkpoint was not written, or cannot be used.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// The system refused something. See its message.
    #[error("{place}: {source}")]
    Io {
        /// The file or directory.
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what was written. An older checkpoint or the records themselves give the same state.
    #[error("{place} is damaged ({what}): an older checkpoint, or the records, must be used instead")]
    Damaged {
        /// The file.
        place: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The file was written by a newer program. Start that, or let an older checkpoint or the records be used.
    #[error("{place} has format version {found}; this program knows {VERSION}")]
    Version {
        /// The file.
        place: String,
        /// The version written in the file.
        found: u32,
    },
    /// The state is longer than a checkpoint may be. Nothing was written.
    #[error("{place}: a state of {bytes} bytes is longer than the limit of {MAX_STATE_BYTES}")]
    TooLong {
        /// The directory.
        place: String,
        /// The length of the state in bytes.
        bytes: u64,
    },
}

/// Keeps `state`, which stands for all records up to `sequence`, beside the journal in `directory`, and removes all
/// but the newest two up to that record.
///
/// `hash` is that of the record, as [`Records::hash`](crate::Records::hash) or [`hash_of`](crate::hash_of) tells it. The
/// record must be durable: one that is not may yet be written with another hash. When this returns, the checkpoint is on
/// stable storage; after an error or a crash it is there as a whole or not at all. It may run beside the writer, in
/// one thread at a time.
///
/// # Errors
///
/// [`CheckpointError::Io`], [`CheckpointError::TooLong`].
pub fn write(directory: &Path, sequence: Sequence, hash: Hash, state: &[u8]) -> Result<(), CheckpointError> {
    write_on(&RealDisk::unlocked(directory), sequence, hash, state)
}

/// Like [`write`], on any disk.
///
/// # Errors
///
/// As [`write`].
pub fn write_on(
    disk: &dyn Disk,
    sequence: Sequence,
    hash: Hash,
    state: &[u8],
) -> Result<(), CheckpointError> {
    write_pieces_on(disk, sequence, hash, |sink| sink.write_all(state))
}

/// Like [`write`], of a state that `tell` writes piece by piece: only the packed state is held in memory, and whatever `tell`
/// owns is gone before the first byte goes to the disk.
///
/// # Errors
///
/// As [`write`], and [`CheckpointError::Io`] when `tell` fails.
pub fn write_pieces(
    directory: &Path,
    sequence: Sequence,
    hash: Hash,
    tell: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), CheckpointError> {
    write_pieces_on(&RealDisk::unlocked(directory), sequence, hash, tell)
}

fn write_pieces_on(
    disk: &dyn Disk,
    sequence: Sequence,
    hash: Hash,
    tell: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), CheckpointError> {
    let name = checkpoint_name(sequence.0);
    let failed = |source| CheckpointError::Io { place: disk.place(&name), source };
    let mut packing = Packing::new().map_err(failed)?;
    let told = tell(&mut packing);
    if packing.bytes > MAX_STATE_BYTES {
        return Err(CheckpointError::TooLong { place: disk.place(""), bytes: packing.bytes });
    }
    let written = told.and_then(|()| packing.finish(sequence, hash)).and_then(|bytes| {
        let file = disk.create(UNFINISHED, 0)?;
        write_gently(&*file, &bytes)?;
        disk.rename(UNFINISHED, &name)?;
        disk.sync_directory()
    });
    if let Err(source) = written {
        // On a full disk it would only take room.
        let _ = disk.remove(UNFINISHED);
        return Err(failed(source));
    }
    // The checkpoint stands whether or not older ones could be removed; the next one tries again.
    let _ = remove_older(disk, sequence.0);
    Ok(())
}

/// Removes all checkpoints up to `newest` but the last [`KEPT`]. Later ones belong to another journal: they are refused
/// by their hash, and whoever put them there may want them back.
fn remove_older(disk: &dyn Disk, newest: u64) -> io::Result<()> {
    let mut sequences = sequences(disk)?;
    sequences.retain(|sequence| *sequence <= newest);
    let removed = sequences.len().saturating_sub(KEPT);
    for sequence in &sequences[..removed] {
        disk.remove(&checkpoint_name(*sequence))?;
    }
    if removed > 0 { disk.sync_directory() } else { Ok(()) }
}

/// Returns the checkpoints in `directory`, the newest first: each as it was written, or why it cannot be used. Each is
/// read when it is asked for.
pub fn newest(directory: &Path) -> Checkpoints {
    newest_on(Arc::new(RealDisk::unlocked(directory)))
}

/// Like [`newest`], on any disk.
pub fn newest_on(disk: Arc<dyn Disk>) -> Checkpoints {
    let (sequences, failed) = match sequences(&*disk) {
        Ok(sequences) => (sequences, None),
        // Where there is no journal yet, there is no checkpoint either.
        Err(error) if error.kind() == io::ErrorKind::NotFound => (Vec::new(), None),
        Err(source) => (Vec::new(), Some(CheckpointError::Io { place: disk.place(""), source })),
    };
    Checkpoints { disk, sequences, failed }
}

/// The checkpoints of a journal, the newest first.
pub struct Checkpoints {
    disk: Arc<dyn Disk>,
    /// Those not yet read, the oldest first.
    sequences: Vec<u64>,
    failed: Option<CheckpointError>,
}

impl Iterator for Checkpoints {
    type Item = Result<Checkpoint, CheckpointError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.failed.take() {
            return Some(Err(error));
        }
        self.sequences.pop().map(|sequence| read(&*self.disk, sequence))
    }
}

/// Returns the sequences of all checkpoints, in order.
fn sequences(disk: &dyn Disk) -> io::Result<Vec<u64>> {
    let mut sequences: Vec<u64> = disk.list()?.iter().filter_map(|name| checkpoint_sequence(name)).collect();
    sequences.sort_unstable();
    Ok(sequences)
}

fn checkpoint_name(sequence: u64) -> String {
    format!("{PREFIX}{sequence:0DIGITS$}")
}

fn checkpoint_sequence(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX)?;
    let all_digits = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    if all_digits { digits.parse().ok() } else { None }
}

/// A checkpoint in the making: its header's place, and the packed state so far.
struct Packing {
    encoder: zstd::stream::write::Encoder<'static, Vec<u8>>,
    hasher: blake3::Hasher,
    /// Of the state so far.
    bytes: u64,
}

impl Packing {
    fn new() -> io::Result<Self> {
        let encoder = zstd::stream::write::Encoder::new(vec![0; HEADER_BYTES], LEVEL)?;
        Ok(Self { encoder, hasher: blake3::Hasher::new(), bytes: 0 })
    }

    /// The whole file.
    fn finish(self, sequence: Sequence, hash: Hash) -> io::Result<Vec<u8>> {
        let mut file = self.encoder.finish()?;
        let (header, packed) = file.split_at_mut(HEADER_BYTES);
        header[0..8].copy_from_slice(MAGIC);
        header[8..12].copy_from_slice(&VERSION.to_le_bytes());
        header[16..24].copy_from_slice(&sequence.0.to_le_bytes());
        header[24..56].copy_from_slice(&hash.0);
        header[56..64].copy_from_slice(&self.bytes.to_le_bytes());
        header[64..72].copy_from_slice(&(packed.len() as u64).to_le_bytes());
        header[72..104].copy_from_slice(self.hasher.finalize().as_bytes());
        let crc = header_checksum(header);
        header[12..16].copy_from_slice(&crc.to_le_bytes());
        Ok(file)
    }
}

impl Write for Packing {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.bytes += piece.len() as u64;
        if self.bytes > MAX_STATE_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.hasher.update(piece);
        self.encoder.write_all(piece)?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn read(disk: &dyn Disk, sequence: u64) -> Result<Checkpoint, CheckpointError> {
    let name = checkpoint_name(sequence);
    let place = disk.place(&name);
    let failed = |source| CheckpointError::Io { place: place.clone(), source };
    let damaged = |what| CheckpointError::Damaged { place: place.clone(), what };
    let file = disk.open(&name).map_err(failed)?;
    let size = file.size().map_err(failed)?;
    if size < HEADER_BYTES as u64 {
        return Err(damaged("it is shorter than its header"));
    }
    let mut header = [0; HEADER_BYTES];
    file.read_exact_at(&mut header, 0).map_err(failed)?;
    if &header[..8] != MAGIC {
        return Err(damaged("it does not start with ANHUCKPT"));
    }
    // The checksum comes first: a flipped bit in the version is damage, not a newer program.
    if u32_at(&header, 12) != header_checksum(&header) {
        return Err(damaged("the checksum of its header is wrong"));
    }
    let found = u32_at(&header, 8);
    if found != VERSION {
        return Err(CheckpointError::Version { place, found });
    }
    if u64_at(&header, 16) != sequence {
        return Err(damaged("its name is not the number of its record"));
    }
    let (length, packed_length) = (u64_at(&header, 56), u64_at(&header, 64));
    if size - HEADER_BYTES as u64 != packed_length || length > MAX_STATE_BYTES {
        return Err(damaged("it has another length than the one written in it"));
    }
    let mut packed = vec![0; packed_length as usize];
    file.read_exact_at(&mut packed, HEADER_BYTES as u64).map_err(failed)?;
    let state = unpack(&packed, length).ok_or_else(|| damaged("its state cannot be unpacked"))?;
    if *blake3::hash(&state).as_bytes() != array_at::<32>(&header, 72) {
        return Err(damaged("its state has another hash than the one written in it"));
    }
    Ok(Checkpoint { sequence: Sequence(sequence), hash: hash_at(&header, 24), state })
}

/// Unpacks a state of `length` bytes, or nothing when it is not that.
fn unpack(packed: &[u8], length: u64) -> Option<Vec<u8>> {
    let mut state = Vec::new();
    let unpacked = zstd::stream::read::Decoder::with_buffer(packed).ok()?;
    unpacked.take(length + 1).read_to_end(&mut state).ok()?;
    if state.len() as u64 == length { Some(state) } else { None }
}
