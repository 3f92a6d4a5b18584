//! Stories of a start on what another version of Anhu left behind.

use std::{ops::ControlFlow, path::Path, process::Command};

use dispatch::Event;
use journal::{Journal, Notice, Options, Sequence, checkpoint};
use model::Timestamp;

/// A dispatch journal of which the old records were removed.
fn without_its_beginning(folder: &Path) {
    let options = Options { segment_bytes: 4096, ballast_bytes: 0, ..Options::default() };
    let sink = |_: Notice<'_, ()>| {};
    let journal = Journal::open(folder, options, Sequence(0), |_, _| Ok(()), sink).expect("opens").0;
    for number in 0..200 {
        let record = wire::dispatch_record(Timestamp(number), &[Event::DrillModeChanged { on: false }]);
        journal.append(&record, ()).expect("appended");
    }
    journal.close().expect("closes");
    journal::pack(folder, Sequence(200), |_| ControlFlow::Continue(())).expect("packed");
    assert!(journal::trim(folder, Sequence(100)).expect("trimmed").archives > 0);
}

/// Starts a server that must refuse to, and returns what it says.
fn refused(data: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anhu"));
    command.args(["serve", "--insecure-dev", "--http-listen", "127.0.0.1:0", "--mqtt-listen", "127.0.0.1:0"]);
    let output = command.arg("--data-dir").arg(data).output().expect("anhu runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

#[test]
fn a_checkpoint_of_an_unknown_form_with_old_records_removed_is_refused_with_what_to_do() {
    let data = tempfile::tempdir().expect("a folder");
    let folder = data.path().join("journal/dispatch");
    without_its_beginning(&folder);
    let said = refused(data.path());
    assert!(said.contains("restore a backup") && said.contains("keep_days"), "{said}");

    let hash = journal::hash_of(&folder, Sequence(150)).expect("sound").expect("there");
    // Form 77, and whatever that means.
    checkpoint::write(&folder, Sequence(150), hash, &[77, 1, 2, 3]).expect("written");
    let said = refused(data.path());
    for words in ["record 150 has form 77", "start the version that wrote it", "keep_days = 0"] {
        assert!(said.contains(words), "no {words:?} in: {said}");
    }
}
