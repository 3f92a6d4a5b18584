//! Fault: what can be wrong with a journal, where, and what to do about it?

use crate::{Hash, ReplayError, Sequence};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use thiserror::Error;

/// Damage to the files of a journal. Nothing was changed on the disk.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// A record that had been flushed is not readable any more.
    #[error(
        "{place}, byte {offset}: record {sequence} is damaged ({what}), though it had been flushed. Run `anhu \
         journal verify`, then restore the journal from a backup"
    )]
    Damaged {
        /// The file.
        place: String,
        /// Where the record starts, in bytes from the start of the file.
        offset: u64,
        /// The record that should be there.
        sequence: Sequence,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A sound record has another number than the one that is due.
    #[error(
        "{place}, byte {offset}: found record {found} where {expected} is due. Run `anhu journal verify`, then \
         restore the journal from a backup"
    )]
    Gap {
        /// The file.
        place: String,
        /// Where the record starts, in bytes from the start of the file.
        offset: u64,
        /// The number that is due.
        expected: Sequence,
        /// The number that is there.
        found: Sequence,
    },
    /// A record does not follow from the one before it: one of them was exchanged.
    #[error(
        "{place}, byte {offset}: {sequence} says that the record before it has the hash {says}, but it has {has}. \
         Somebody changed this journal, or files of two journals were mixed: restore it from a backup"
    )]
    BrokenChain {
        /// The file.
        place: String,
        /// Where the record or segment header starts, in bytes from the start of the file.
        offset: u64,
        /// The record, or the first of the segment.
        sequence: Sequence,
        /// The hash that is written down.
        says: Hash,
        /// The hash of the record before.
        has: Hash,
    },
    /// A segment between two others is gone.
    #[error(
        "{place} continues the segment that starts with record {expected}, but the file before it starts with \
         {found}. A file is missing: restore the journal from a backup"
    )]
    MissingSegment {
        /// The file after the gap.
        place: String,
        /// The first record of the segment that should stand before it.
        expected: Sequence,
        /// The first record of the segment that stands before it, 0 when there is none.
        found: Sequence,
    },
    /// The file has the name of a segment, but its first bytes are not those of one.
    #[error("{place} is not a sound segment ({what}). Restore the journal from a backup")]
    Header {
        /// The file.
        place: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The file has the name of an archive, but does not unpack to the segment it was made from.
    #[error("{place} is not a sound archive ({what}). Restore the journal from a backup")]
    Archive {
        /// The file.
        place: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The file has another size than the one it was made with.
    #[error("{place} has {found} bytes instead of {expected}. Restore the journal from a backup")]
    Size {
        /// The file.
        place: String,
        /// The size written in the file, in bytes.
        expected: u64,
        /// The size it has, in bytes.
        found: u64,
    },
    /// The file was written by a newer program.
    #[error("{place} has format version {found}; this program knows 1. Start the newer version of Anhu")]
    Version {
        /// The file.
        place: String,
        /// The version written in the file.
        found: u32,
    },
}

/// Why a journal was not opened. Nothing was lost by it.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another writer has the directory. Stop the other server, or give this one a directory of its own.
    #[error("{0} is in use by another process. Stop the other server, or choose another data directory")]
    Locked(PathBuf),
    /// The system refused something. See its message.
    #[error("{place}: {source}. Check that the disk is there, has space and belongs to this user")]
    Io {
        /// The file or directory.
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// The files are damaged.
    #[error(transparent)]
    Damaged(#[from] Fault),
    /// The caller has a state that is newer than the journal. Go on from an older one, or from record 1.
    #[error(
        "asked to replay after record {from}, but the journal ends at {head}: it is older than that state. Go on from \
         an older checkpoint or from record 1, or restore a newer backup of the journal"
    )]
    Ahead {
        /// The record the caller wants to go on from.
        from: Sequence,
        /// The last record of the journal.
        head: Sequence,
    },
    /// Records that the caller needs are no longer in the directory: they were trimmed, and the checkpoint that stood for
    /// them is gone or unreadable. Restore the journal with its checkpoints from a backup.
    #[error(
        "asked to replay after record {from}, but the oldest one is {oldest}, and no readable checkpoint stands for \
         those before. Restore the journal with its checkpoints from a backup"
    )]
    Behind {
        /// The record the caller wants to go on from.
        from: Sequence,
        /// The first record in the directory.
        oldest: Sequence,
    },
    /// The caller's state was built by another journal than this one. Go on from an older checkpoint, or from record 1.
    #[error(
        "the state to go on from stands for records up to {at} with the hash {says}, but here that record has the hash \
         {has}: the journal was restored from an older backup, or exchanged. Move that checkpoint away and start again: \
         the state is built anew from an older checkpoint or from the records"
    )]
    Foreign {
        /// The last record that the state stands for.
        at: Sequence,
        /// The hash that came with the state.
        says: Hash,
        /// The hash of that record here.
        has: Hash,
    },
    /// The caller could not use a record.
    #[error("record {sequence} cannot be replayed: {source}")]
    Replay {
        /// The record.
        sequence: Sequence,
        /// What the caller said.
        source: ReplayError,
    },
}

/// Why reading stopped.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The files are damaged.
    #[error(transparent)]
    Damaged(#[from] Fault),
    /// Records that the caller needs were trimmed. Begin with the oldest, or with a checkpoint.
    #[error("asked to read after record {from}, but the oldest one is {oldest}: those before were trimmed")]
    Behind {
        /// The record after which reading was to begin.
        from: Sequence,
        /// The first record in the directory.
        oldest: Sequence,
    },
    /// The system refused something. See its message.
    #[error("{place}: {source}")]
    Io {
        /// The file or directory.
        place: String,
        /// What the system said.
        source: io::Error,
    },
}

impl ReadError {
    /// Says whether there is no such file, or no longer.
    pub(crate) fn is_not_found(&self) -> bool {
        match self {
            ReadError::Io { source, .. } => source.kind() == io::ErrorKind::NotFound,
            ReadError::Damaged(_) | ReadError::Behind { .. } => false,
        }
    }
}

impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Damaged(fault) => OpenError::Damaged(fault),
            ReadError::Behind { from, oldest } => OpenError::Behind { from, oldest },
            ReadError::Io { place, source } => OpenError::Io { place, source },
        }
    }
}

/// Why a record was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AppendError {
    /// The payload is longer than [`Options::max_record_bytes`](crate::Options::max_record_bytes). Nothing was
    /// appended; split it or refuse it.
    #[error("a record of {bytes} bytes is longer than the limit of {limit}. Split it or refuse it")]
    TooLong {
        /// The length of the payload in bytes.
        bytes: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The committer is gone because the sink panicked. Nothing was appended; open the journal anew.
    #[error("the journal's thread has stopped. Restart the server")]
    Stopped,
}

/// The write or flush that failed and suspended the promise of durability.
#[derive(Clone, Debug, Error)]
#[error("{place}: {what} failed: {source}. {}", self.remedy())]
pub struct Failure {
    /// The file.
    pub place: String,
    /// What was tried.
    pub what: &'static str,
    /// What the system said.
    pub source: Arc<io::Error>,
    /// More than so many bytes would have had to wait in memory, so all were given up. `None` while they wait, and the
    /// disk is tried again and again.
    pub given_up: Option<usize>,
}

impl Failure {
    fn remedy(&self) -> String {
        match self.given_up {
            None => {
                "Free space or replace the disk: it is tried again, and what waits is written then".to_owned()
            }
            Some(bytes) => format!(
                "More than {bytes} bytes would have had to wait, so they were given up, and nothing is written any \
                 more: free space or replace the disk, then restart the server"
            ),
        }
    }
}

/// Names the file in an error of the system.
pub(crate) fn at(place: &str) -> impl FnOnce(io::Error) -> OpenError {
    let place = place.to_owned();
    move |source| OpenError::Io { place, source }
}
