//! Rig: a journal whose records are known, and the check that they all came back.

use journal::testing::{FaultyDisk, random};
use journal::{Disk, Journal, Notice, OpenError, OpenReport, Options, Outcome, Released, Sequence, Start};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A journal, what it replayed when it was opened, and what it has released since.
pub(crate) struct Rig {
    pub(crate) journal: Journal<u64>,
    pub(crate) report: OpenReport,
    pub(crate) replayed: Vec<(Sequence, Vec<u8>)>,
    pub(crate) released: Receiver<Released<u64>>,
    /// Up to where everything is durable after all.
    pub(crate) recovered: Receiver<Sequence>,
}

/// Segments of 4 KiB, so that a test sees many of them; no ballast, and a failed disk is not tried again but at the end.
pub(crate) fn small() -> Options {
    let retry_after = Duration::from_secs(3600);
    Options { segment_bytes: 4096, ballast_bytes: 0, retry_after, ..Options::default() }
}

/// A failed disk is tried again at once.
pub(crate) fn eager() -> Options {
    Options { retry_after: Duration::from_millis(1), ..small() }
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
        Rig::open_with(disk, small(), start)
    }

    pub(crate) fn open_with(
        disk: Arc<dyn Disk>,
        options: Options,
        start: impl Into<Start>,
    ) -> Result<Rig, OpenError> {
        let (sender, released) = channel();
        let (tell, recovered) = channel();
        let mut replayed = Vec::new();
        let (journal, report) = Journal::open_on(
            disk,
            options,
            start,
            |sequence, payload| {
                replayed.push((sequence, payload.to_vec()));
                Ok(())
            },
            // The test may have seen enough and gone.
            move |notice: Notice<'_, u64>| match notice {
                Notice::Released(group) => group.drain(..).for_each(|one| drop(sender.send(one))),
                Notice::Recovered { head } => drop(tell.send(head)),
            },
        )?;
        Ok(Rig { journal, report, replayed, released, recovered })
    }

    /// Appends one record, a group of its own, and returns what became of it.
    pub(crate) fn write(&self) -> Outcome {
        let next = self.journal.barrier(0).expect("queued").0 + 1;
        self.released.recv().expect("released");
        let sequence = self.journal.append(&payload(next), 0).expect("appended");
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

/// A journal of so many records that was closed, each record flushed alone.
pub(crate) fn journal_of(records: u64) -> FaultyDisk {
    let disk = FaultyDisk::new();
    let rig = Rig::open(Arc::new(disk.clone())).expect("opens");
    rig.write_durably(records);
    rig.journal.close().expect("closes");
    disk
}

/// Asserts that the journal on this disk holds exactly the records `first` to `last`, each as it was written.
pub(crate) fn check_read(disk: &FaultyDisk, first: u64, last: u64) {
    let read: Vec<_> =
        journal::read_on(Arc::new(disk.clone())).map(|record| record.expect("sound")).collect();
    assert_eq!(read, (first..=last).map(|n| (Sequence(n), payload(n))).collect::<Vec<_>>());
    let verified = journal::verify_on(Arc::new(disk.clone()));
    assert!(verified.fault.is_none() && verified.cut.is_none());
    assert_eq!((verified.first, verified.head), (Sequence(first), Sequence(last)));
}
