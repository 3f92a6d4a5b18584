//! Stories of `anhu backup` and `anhu restore`: what an administrator sees, and what is there afterwards.

#[path = "support/server.rs"]
mod server;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use journal::{Disk as _, Journal, Notice, Options, Sequence, checkpoint, testing::FaultyDisk};
use server::{Said, Server, anhu, run};
use tempfile::TempDir;
use wire::v1;

/// A folder with a data folder, a backup and a restored data folder in it.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, words: &[&str], flag: &str, folder: &str, data: &str) -> Said {
        run(anhu().args(words).arg(flag).arg(self.path(folder)).arg("--data-dir").arg(self.path(data)))
    }

    fn back_up(&self) -> Said {
        self.command(&["backup"], "--to", "backup", "data")
    }

    fn restore(&self, words: &[&str]) -> Said {
        self.command(&[&["restore"], words].concat(), "--from", "backup", "restored")
    }

    fn dispatch(&self, name: &str) -> PathBuf {
        self.path(name).join("journal/dispatch")
    }
}

fn ok(said: Said) -> String {
    assert_eq!(said.code, 0, "{}", said.err);
    said.out
}

/// Runs a command that must be refused, and asserts that it says these words.
fn refused(said: &Said, words: &[&str]) {
    assert_eq!(said.code, 1, "{}", said.out);
    for word in words {
        assert!(said.err.contains(word), "no {word:?} in: {}", said.err);
    }
}

fn payload(sequence: u64) -> Vec<u8> {
    format!("record {sequence} {}", "x".repeat(sequence as usize % 200)).into_bytes()
}

fn open(folder: &Path) -> Journal<()> {
    let options = Options { segment_bytes: 4096, ballast_bytes: 0, ..Options::default() };
    let head = journal::verify(folder).head;
    let sink = |_: Notice<'_, ()>| {};
    Journal::open(folder, options, head, |_, _| Ok(()), sink).expect("opens").0
}

/// Writes records to both journals of the data folder, with a checkpoint in one of them.
fn write(place: &Place, records: u64) {
    for stream in ["dispatch", "registry"] {
        let folder = place.path("data").join("journal").join(stream);
        let journal = open(&folder);
        let head = journal.durable().0;
        for sequence in head + 1..=head + records {
            journal.append(&payload(sequence), ()).expect("appended");
        }
        let head = journal.close().expect("closes");
        let hash = journal::hash_of(&folder, head).expect("sound").expect("there");
        checkpoint::write(&folder, head, hash, b"a state").expect("written");
    }
}

#[test]
fn a_server_that_lost_its_disk_comes_back_from_a_backup_that_was_taken_while_it_ran() {
    let place = Place::new();
    let server = Server::open(&place.path("data"));
    for kind in ["org_units", "providers", "responders"] {
        let file = place.path(kind);
        fs::write(&file, ok(run(anhu().args(["import", "--sample", kind])))).expect("a file");
        ok(server.run(&["import", kind, &file.display().to_string()]));
    }
    let said = ok(place.back_up());
    assert_eq!(said.lines().count(), 1);
    let line = said.trim();
    assert!(line.contains("dispatch 1 ") && line.contains("registry 3 "), "{line}");
    server.kill();

    let verified = ok(run(anhu().args(["journal", "verify", "--data-dir"]).arg(place.path("backup"))));
    let hashes: Vec<_> = verified.lines().map(|line| line.rsplit(' ').next().unwrap_or_default()).collect();
    assert!(hashes.len() == 3 && hashes.iter().all(|hash| line.contains(hash)), "{verified}{line}");
    let said = ok(place.restore(&[]));
    assert!(said.contains("anhu serve --data-dir"), "{said}");
    let server = Server::open(&place.path("restored"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let responders = runtime.block_on(async {
        let mut registry = server.registry().await;
        registry.list_responders(v1::ListRespondersRequest::default()).await.expect("responders")
    });
    assert_eq!(responders.into_inner().responders.len(), 3);
}

/// Puts what is on this disk into a folder.
fn lay_out(disk: &FaultyDisk, folder: &Path) {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).expect("a folder");
    for name in disk.list().expect("listed") {
        fs::write(folder.join(&name), disk.bytes(&name)).expect("written");
    }
}

#[test]
fn a_backup_taken_while_the_disk_refused_is_gone_on_with_once_it_has_recovered() {
    let place = Place::new();
    write(&place, 20);
    let disk = FaultyDisk::new();
    // It is tried again only when it is closed.
    let retry_after = Duration::from_secs(3600);
    let options = Options { segment_bytes: 4096, ballast_bytes: 0, retry_after, ..Options::default() };
    let (tell, told) = std::sync::mpsc::channel();
    let sink = move |_: Notice<'_, ()>| {
        // The test hears no more at the end.
        let _ = tell.send(());
    };
    let opened = Journal::open_on(Arc::new(disk.clone()), options, Sequence(0), |_, _| Ok(()), sink);
    let journal = opened.expect("opens").0;
    for sequence in 1..=7 {
        // The last one is refused.
        if sequence == 7 {
            disk.fail_sync_in(0);
        }
        journal.append(&payload(sequence), ()).expect("appended");
        told.recv().expect("released");
    }
    lay_out(&disk, &place.dispatch("data"));
    assert!(ok(place.back_up()).contains("dispatch 7 "));
    ok(place.restore(&[]));
    fs::remove_dir_all(place.path("restored")).expect("removed");

    journal.append(&payload(8), ()).expect("appended");
    journal.close().expect("the disk takes everything");
    lay_out(&disk, &place.dispatch("data"));
    let said = place.back_up();
    assert!(said.err.contains("1 records of the dispatch journal after 6"), "{}", said.err);
    assert!(ok(said).contains("dispatch 8 "));
    ok(place.restore(&[]));
    let restored = journal::verify(&place.dispatch("restored"));
    assert!(restored.fault.is_none() && restored.head == Sequence(8), "{restored:?}");
}

#[test]
fn backups_taken_while_records_are_written_restore_without_a_gap_up_to_the_recorded_head() {
    let place = Place::new();
    write(&place, 50);
    let journal = open(&place.dispatch("data"));
    let (backups, mut said) = (AtomicUsize::new(0), Vec::new());
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for sequence in 51..=4000 {
                journal.append(&payload(sequence), ()).expect("appended");
                if sequence % 500 == 0 {
                    let upto = journal.durable();
                    journal::pack(&place.dispatch("data"), upto, |_| std::ops::ControlFlow::Continue(()))
                        .expect("packed");
                    // However slow backups are, several are made meanwhile.
                    while (backups.load(Ordering::Relaxed) as u64) < sequence / 1500 {
                        std::thread::sleep(Duration::from_millis(10));
                    }
                }
            }
        });
        while !writing.is_finished() {
            said.push(place.back_up());
            backups.fetch_add(1, Ordering::Relaxed);
        }
    });
    assert!(said.len() > 1);
    said.into_iter().for_each(|said| drop(ok(said)));
    journal.close().expect("closes");
    let recorded = ok(place.back_up());
    assert!(recorded.contains("dispatch 4000 "), "{recorded}");
    ok(place.restore(&[]));
    let read: Vec<_> =
        journal::read(&place.dispatch("restored")).map(|record| record.expect("sound")).collect();
    assert_eq!(read, (1..=4000).map(|n| (Sequence(n), payload(n))).collect::<Vec<_>>());
    let verified = journal::verify(&place.dispatch("restored"));
    assert!(recorded.contains(&verified.head_hash.to_string()));
    let checkpoints = checkpoint::newest(&place.dispatch("restored")).map(|found| found.expect("sound"));
    assert_eq!(checkpoints.map(|found| found.sequence.0).collect::<Vec<_>>(), [50]);
    // And it goes on.
    assert_eq!(open(&place.dispatch("restored")).append(b"next", ()), Ok(Sequence(4001)));
}

#[test]
fn a_second_backup_copies_only_what_is_new() {
    let place = Place::new();
    write(&place, 300);
    ok(place.back_up());
    let archive = |name: &str| {
        fs::metadata(place.dispatch("backup").join(name)).and_then(|file| file.modified()).expect("there")
    };
    let first = archive("00000000000000000001.seg.zst");
    write(&place, 100);
    ok(place.back_up());
    assert_eq!(archive("00000000000000000001.seg.zst"), first);
    let manifest = fs::read_to_string(place.path("backup/backup.toml")).expect("a manifest");
    assert!(manifest.contains("head = 400"), "{manifest}");
}

#[test]
fn a_folder_that_is_not_a_whole_backup_is_refused_and_nothing_is_changed() {
    let place = Place::new();
    write(&place, 300);
    ok(place.back_up());
    let damaged = |what: &str, change: &dyn Fn(&Path), words: &[&str]| {
        let folder = place.path(what);
        let copied =
            std::process::Command::new("cp").arg("-r").arg(place.path("backup")).arg(&folder).status();
        assert!(copied.expect("cp runs").success());
        change(&folder);
        let said = place.command(&["restore"], "--from", what, "restored");
        refused(&said, words);
        assert!(!place.path("restored").exists(), "{what}");
    };
    let second = |folder: &Path| {
        let mut names: Vec<_> = fs::read_dir(folder.join("journal/dispatch"))
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "zst"))
            .collect();
        names.sort();
        names
    };
    damaged(
        "no-manifest",
        &|folder| fs::remove_file(folder.join("backup.toml")).expect("removed"),
        &["backup.toml"],
    );
    damaged("gap", &|folder| fs::remove_file(&second(folder)[1]).expect("removed"), &["A file is missing"]);
    damaged(
        "short",
        &|folder| fs::remove_file(second(folder).last().expect("one")).expect("removed"),
        &["files are missing"],
    );
    damaged(
        "flipped",
        &|folder| {
            let path = &second(folder)[1];
            let mut bytes = fs::read(path).expect("its bytes");
            bytes[500] ^= 4;
            fs::write(path, bytes).expect("written");
        },
        &["not a sound archive"],
    );
    damaged(
        "exchanged",
        &|folder| {
            let path = folder.join("backup.toml");
            let text = fs::read_to_string(&path).expect("a manifest");
            let hash = text.split('"').find(|word| word.len() == 64).expect("a hash").to_owned();
            fs::write(&path, text.replace(&hash, &"0".repeat(64))).expect("written");
        },
        &["were exchanged"],
    );
}

#[test]
fn a_folder_that_is_not_empty_is_moved_aside_only_when_told_to_and_never_under_a_server() {
    let place = Place::new();
    write(&place, 20);
    ok(place.back_up());
    let journal = open(&place.path("restored/journal/dispatch"));
    refused(&place.restore(&[]), &["is not empty", "--force"]);
    refused(&place.restore(&["--force"]), &["a server runs"]);
    journal.close().expect("closes");
    let said = ok(place.restore(&["--force"]));
    assert!(said.contains(".before-"), "{said}");
    let aside = fs::read_dir(place.0.path()).expect("a folder").filter_map(Result::ok);
    assert_eq!(aside.filter(|entry| entry.file_name().to_string_lossy().contains(".before-")).count(), 1);
    assert_eq!(journal::verify(&place.dispatch("restored")).head, Sequence(20));
}

#[test]
fn a_backup_is_not_overwritten_by_a_journal_that_lacks_its_records() {
    let place = Place::new();
    write(&place, 100);
    let early = place.path("early");
    let copied = std::process::Command::new("cp").arg("-r").arg(place.path("data")).arg(&early).status();
    assert!(copied.expect("cp runs").success());
    write(&place, 100);
    ok(place.back_up());
    let said = place.command(&["backup"], "--to", "backup", "early");
    refused(&said, &["does not hold", "Choose another folder"]);
    assert_eq!(journal::verify(&place.dispatch("backup")).head, Sequence(200));
    refused(&place.command(&["backup"], "--to", "data/inside", "data"), &["lies in the data folder"]);
    fs::create_dir(place.path("other"))
        .and_then(|()| fs::write(place.path("other/file"), b"x"))
        .expect("made");
    refused(&place.command(&["backup"], "--to", "other", "data"), &["holds something else"]);
}

#[test]
fn an_interrupted_backup_is_gone_on_with_and_what_was_there_before_stays_good() {
    let place = Place::new();
    write(&place, 100);
    ok(place.back_up());
    write(&place, 100);
    // Interrupted between the copy of the journals and the manifest.
    journal::copy(&place.dispatch("data"), &place.dispatch("backup"), |_| {}).expect("copied");
    let said = ok(place.restore(&[]));
    assert!(said.contains("100 records are sound"), "{said}");
    assert_eq!(journal::verify(&place.dispatch("restored")).head, Sequence(200));
    assert!(ok(place.back_up()).contains("dispatch 200 "));
}

#[test]
fn a_dump_says_what_it_leaves_out() {
    let place = Place::new();
    drop(Server::open(&place.path("data")));
    let dump = |words: &[&str]| {
        let said = run(anhu().args(["journal", "dump", "--data-dir"]).arg(place.path("data")).args(words));
        assert_eq!(said.code, 0, "{}", said.err);
        (said.out.lines().count(), said.err)
    };
    assert_eq!(dump(&[]), (1, String::new()));
    assert_eq!(dump(&["--from", "1", "--to", "9"]).0, 1);
    let (lines, told) = dump(&["--from", "2"]);
    assert!(lines == 0 && told.contains("no record"), "{told}");
    let (lines, told) = dump(&["--to", "0"]);
    assert!(lines == 0 && told.contains("skipped"), "{told}");
}

#[test]
fn a_backup_is_never_written_into_the_data_folder_of_a_server() {
    let place = Place::new();
    drop(Server::open(&place.path("data")));
    drop(Server::open(&place.path("backup")));
    let before = journal::verify(&place.dispatch("backup")).head_hash;
    refused(&place.back_up(), &["data folder of a server", "nothing was copied"]);
    assert_eq!(journal::verify(&place.dispatch("backup")).head_hash, before);
    drop(Server::open(&place.path("backup")));
}
