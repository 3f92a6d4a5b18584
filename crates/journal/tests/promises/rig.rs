//! Rig: a journal whose records are known, and the check that they all came back.

use journal::testing::random;
use journal::{Disk, Journal, OpenError, OpenReport, Options, Outcome, Released, Sequence, Start};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

/// A journal, what it replayed when it was opened, and what it has released since.
pub(crate) struct Rig {
    pub(crate) journal: Journal<u64>,
    pub(crate) report: OpenReport,
    pub(crate) replayed: Vec<(Sequence, Vec<u8>)>,
    pub(crate) released: Receiver<Released<u64>>,
}

/// Segments of 4 KiB, so that a test sees many of them.
pub(crate) fn small() -> Options {
    Options { segment_bytes: 4096, ..Options::default() }
}

/// The payload of a record in these tests: up to 300 bytes, known from its number.
pub(crate) fn payload(sequence: u64) -> Vec<u8> {
    let mut state = sequence;
    let length = random(&mut state) % 300;
    (0..length).map(|_| random(&mut state) as u8).collect()
}

impl Rig {
    pub(crate) fn open(disk: Arc<dyn Disk>) -> Result<Rig, OpenError> {
        Rig::open_after(disk, 0)
    }

    pub(crate) fn open_after(disk: Arc<dyn Disk>, from: u64) -> Result<Rig, OpenError> {
        Rig::open_at(disk, Sequence(from))
    }

    pub(crate) fn open_at(disk: Arc<dyn Disk>, start: impl Into<Start>) -> Result<Rig, OpenError> {
        let (sender, released) = channel();
        let mut replayed = Vec::new();
        let (journal, report) = Journal::open_on(
            disk,
            small(),
            start,
            |sequence, payload| {
                replayed.push((sequence, payload.to_vec()));
                Ok(())
            },
            move |group: &mut Vec<Released<u64>>| {
                // The test may have seen enough and gone.
                group.drain(..).for_each(|one| drop(sender.send(one)));
            },
        )?;
        Ok(Rig { journal, report, replayed, released })
    }

    /// Appends one record, a group of its own, and returns what became of it.
    pub(crate) fn write(&self) -> Outcome {
        let next = payload(self.journal.durable().0 + 1);
        let sequence = self.journal.append(&next, 0).expect("appended");
        let released = self.released.recv().expect("released");
        assert_eq!(released.sequence, sequence);
        released.outcome
    }

    /// Appends records, each a group of its own, all of which must become durable.
    pub(crate) fn write_durably(&self, records: u64) {
        for _ in 0..records {
            assert!(matches!(self.write(), Outcome::Durable));
        }
    }

    /// Asserts that exactly the records `first` to `last` were replayed, each as it was written.
    pub(crate) fn check_replayed(&self, first: u64, last: u64) {
        let sequences: Vec<u64> = self.replayed.iter().map(|(sequence, _)| sequence.0).collect();
        assert_eq!(sequences, (first..=last).collect::<Vec<_>>());
        for (sequence, bytes) in &self.replayed {
            assert_eq!(*bytes, payload(sequence.0), "record {sequence}");
        }
    }
}
