//! Verify: is every record of a journal what it was when it was written? Nothing is changed.

use crate::disk::{Disk, RealDisk};
use crate::read::read_on;
use crate::{Cut, Hash, ReadError, Sequence};
use std::path::Path;
use std::sync::Arc;

/// What a check of all records found.
#[derive(Debug)]
pub struct Verified {
    /// How many segments were read, up to the first fault.
    pub segments: usize,
    /// How many of them were archives.
    pub archives: usize,
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
        segments: 0,
        archives: 0,
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
    (verified.segments, verified.archives) = reader.segments();
    (verified.head, verified.head_hash) = (reader.head(), reader.hash());
    verified.cut = reader.cut().cloned();
    verified
}
