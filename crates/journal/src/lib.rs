//! The journal: what was decided, in order, on the disk before anybody is told.
//!
//! A journal is a directory of segment files. It knows nothing about alerts: it keeps opaque bytes and promises this
//! about them.
//!
//! - **Told means written.** A record is released as [`Outcome::Durable`] only after the disk said that its bytes are
//!   flushed. What was released survives kill -9 and power loss.
//! - **In order, once.** Records and barriers are released in the order they were appended, each exactly once.
//! - **After an error nothing is promised until it is told.** When a write or a flush fails, that group and everything
//!   after it is released at once as [`Outcome::NotDurable`], [`Journal::health`] says why, and the file is never written
//!   again: after a failed flush the kernel may have dropped the bytes and call the next one a success. The records wait
//!   in memory, up to a limit that is told when it is reached, and a new file is tried again and again. When it has taken
//!   all of them, [`Notice::Recovered`] says so, once, before anything later is released.
//! - **A full disk can restart.** A ballast is removed when there is no room, and [`Health::OnReserve`] says so.
//! - **Torn is not damaged.** The end of a journal may hold half a group that a power cut interrupted; nobody was
//!   told about it, so opening cuts it and says so. A bad record that a later one proves to have been flushed is
//!   damage: opening refuses, names the place and changes nothing.
//! - **Nothing is left out silently.** Every record carries a checksum, its sequence number and the hash of the
//!   record before it. A missing file, a gap or a changed byte is named, never skipped.
//! - **A checkpoint stands for what it says.** It is tied by a hash to the record up to which it goes: one of another
//!   journal is refused, and a damaged one is told and left for the one before it.
//! - **Packed is not changed.** An archive holds a segment as it was. It was read back and compared before the segment was
//!   removed, and only archives are ever trimmed, the oldest first and never the last.
//! - **One writer.** A second process that opens the same directory is refused.

mod archive;
mod backlog;
pub mod checkpoint;
mod committer;
mod copy;
mod desk;
mod disk;
mod fault;
mod format;
mod journal;
mod queue;
mod read;
mod recover;
mod reserve;
mod scan;
pub mod testing;
mod trouble;
mod upkeep;
mod verify;
mod writer;

pub use copy::{Copied, copy, copy_on, shared, shared_on};
pub use disk::{Disk, RealDisk, SegmentFile, is_in_use};
pub use fault::{AppendError, Failure, Fault, OpenError, ReadError};
pub use format::Hash;
pub use journal::{Health, Journal, Notice, Outcome, Released};
pub use read::{Records, hash_of, hash_of_on, read, read_after, read_after_on, read_on};
pub use recover::{OpenReport, ReplayError, Start};
pub use scan::Cut;
pub use upkeep::{Packed, Trimmed, UpkeepError, pack, pack_on, trim, trim_on};
pub use verify::{Verified, verify, verify_on};

use std::time::Duration;

/// The place of a record in its journal. The first record has 1; 0 means "before the first".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u64);

impl std::fmt::Display for Sequence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The limits of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Size of a segment file in bytes, allocated ahead; at least 4 KiB, at most 1 GiB (values outside are moved to
    /// the nearer end). A record that does not fit gets a segment of its own size.
    pub segment_bytes: u64,
    /// The longest payload in bytes; at most 512 MiB.
    pub max_record_bytes: usize,
    /// How many records and barriers may wait for the committer before [`Journal::append`] blocks.
    pub queue_records: usize,
    /// How many bytes may wait for the committer before [`Journal::append`] blocks. One record is always let in.
    pub queue_bytes: usize,
    /// How many bytes of records may wait in memory while the disk refuses; at most 512 MiB. When they would be more,
    /// they are given up, and nothing is written until the journal is opened anew.
    pub backlog_bytes: usize,
    /// How long a write or flush may take before whatever waits for it is released as not durable; found out at most a
    /// quarter later. It is not given up: when it comes back, everything goes on.
    pub patience: Duration,
    /// How long after a failure the disk is tried again; this doubles with each try, up to twenty times as long.
    pub retry_after: Duration,
    /// Size in bytes of the file that is removed when the disk is full, so that the journal can go on and be opened; 0
    /// for none. It should have room for a segment.
    pub ballast_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            segment_bytes: 16 << 20,
            max_record_bytes: 64 << 20,
            // Two groups of the largest load measured; more only adds waiting.
            queue_records: 4096,
            queue_bytes: 8 << 20,
            // Hours of alarms of a whole city, and a small part of a server's memory.
            backlog_bytes: 256 << 20,
            // Slower than any disk that works, and faster than an operator would be missed.
            patience: Duration::from_secs(2),
            retry_after: Duration::from_millis(500),
            // One segment, and something for the names and for what else is written at a start.
            ballast_bytes: 20 << 20,
        }
    }
}

impl Options {
    pub(crate) fn within_limits(mut self) -> Self {
        self.segment_bytes =
            self.segment_bytes.clamp(format::MIN_SEGMENT_BYTES, format::MAX_SEGMENT_BYTES) & !7;
        self.max_record_bytes = self.max_record_bytes.min(format::MAX_RECORD_BYTES);
        self.queue_records = self.queue_records.max(1);
        self.retry_after = self.retry_after.max(Duration::from_millis(1));
        self.patience = self.patience.max(Duration::from_millis(4));
        self.backlog_bytes = self.backlog_bytes.min(format::MAX_BACKLOG_BYTES);
        self
    }
}
