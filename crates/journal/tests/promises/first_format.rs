//! Journals of the first format open for ever.

use crate::rig::payload;
use journal::{Journal, Notice, Sequence, checkpoint};
use std::path::{Path, PathBuf};

/// Copies a committed journal, so that the test may write to it.
fn fixture(name: &str) -> (tempfile::TempDir, PathBuf) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1").join(name);
    let directory = tempfile::tempdir().expect("made");
    for entry in std::fs::read_dir(from).expect("listed") {
        let entry = entry.expect("listed");
        std::fs::copy(entry.path(), directory.path().join(entry.file_name())).expect("copied");
    }
    let path = directory.path().to_path_buf();
    (directory, path)
}

#[test]
fn a_journal_of_the_first_format_that_was_closed_cleanly_opens() {
    let (_directory, path) = fixture("closed");
    let verified = journal::verify(&path);
    assert_eq!((verified.records, verified.head, verified.cut), (40, Sequence(40), None));
    assert!(verified.fault.is_none() && verified.segments > 1);
    assert_eq!(
        verified.head_hash.to_string(),
        include_str!("../fixtures/v1/closed.hash").trim(),
        "the hash that a backup of that time kept"
    );
    for record in journal::read(&path) {
        let (sequence, bytes) = record.expect("sound");
        assert_eq!(bytes, payload(sequence.0));
    }
}

#[test]
fn a_journal_of_the_first_format_with_a_torn_end_opens_and_goes_on() {
    let (_directory, path) = fixture("torn");
    let sink = |_: Notice<'_, ()>| {};
    let open = || Journal::open(&path, crate::rig::small(), Sequence(0), |_, _| Ok(()), sink);
    let (journal, report) = open().expect("opens");
    assert_eq!((report.head, report.cut.map(|cut| cut.bytes)), (Sequence(9), Some(100)));
    journal.append(b"goes on", ()).expect("appended");
    journal.close().expect("closes");
    assert_eq!(open().expect("opens").1.head, Sequence(10));
}

#[test]
fn a_journal_that_was_packed_and_trimmed_in_the_first_format_opens_at_its_checkpoints() {
    let (_directory, path) = fixture("packed");
    let verified = journal::verify(&path);
    assert!(verified.fault.is_none() && verified.cut.is_none());
    assert_eq!((verified.first, verified.head), (Sequence(22), Sequence(60)));
    assert!(verified.archives > 1 && verified.segments == verified.archives + 1);
    assert_eq!(verified.head_hash.to_string(), include_str!("../fixtures/v1/packed.hash").trim());
    for record in journal::read(&path) {
        let (sequence, bytes) = record.expect("sound");
        assert_eq!(bytes, payload(sequence.0));
    }
    let checkpoints: Vec<_> = checkpoint::newest(&path).map(|found| found.expect("sound")).collect();
    assert_eq!(checkpoints.iter().map(|found| found.sequence.0).collect::<Vec<_>>(), [50, 30]);
    for found in checkpoints {
        assert_eq!(found.state, payload(found.sequence.0).repeat(3));
        let sink = |_: Notice<'_, ()>| {};
        let opened = Journal::open(&path, crate::rig::small(), &found, |_, _| Ok(()), sink);
        assert_eq!(opened.expect("opens").1.replayed, 60 - found.sequence.0);
    }
}
