//! State: does the store give back what was put in, or say that it cannot?

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;
use store::{Change, Store, StoreError};
use tempfile::TempDir;

const STREAM: &str = "dispatch";
const CHILD: &str = "ANHU_STORE_TEST_CHILD";
const LONG_CHILD: &str = "ANHU_STORE_TEST_LONG_CHILD";

type Records = BTreeMap<(String, Vec<u8>), Vec<u8>>;

fn directory() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("made");
    let path = directory.path().join("state");
    (directory, path)
}

fn set(table: &str, key: &str, value: &[u8]) -> Change {
    Change { table: table.into(), key: key.into(), value: Some(value.to_vec()) }
}

fn remove(table: &str, key: &str) -> Change {
    Change { table: table.into(), key: key.into(), value: None }
}

/// Returns the next number of a sequence that looks random.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// The changes of commit `number`: three records, now and then one of 40 KB, and a removal.
fn changes(number: u64) -> Vec<Change> {
    let mut state = number;
    let mut changes: Vec<Change> = (0..3)
        .map(|_| {
            let table = ["elders", "devices"][random(&mut state) as usize % 2];
            let key = format!("{:03}", random(&mut state) % 50);
            let length =
                if random(&mut state).is_multiple_of(20) { 40_000 } else { random(&mut state) % 200 };
            let value: Vec<u8> = (0..length).map(|_| random(&mut state) as u8).collect();
            set(table, &key, &value)
        })
        .collect();
    changes.push(remove("elders", &format!("{:03}", random(&mut state) % 50)));
    changes
}

/// What the store holds after the commits 1 to `number`.
fn expected(number: u64) -> Records {
    let mut records = Records::new();
    for change in (1..=number).flat_map(changes) {
        let key = (change.table, change.key);
        match change.value {
            Some(value) => drop(records.insert(key, value)),
            None => drop(records.remove(&key)),
        }
    }
    records
}

fn all_records(store: &Store) -> Result<Records, StoreError> {
    let mut records = Records::new();
    for table in ["elders", "devices"] {
        for record in store.table(table).scan()? {
            let (key, value) = record?;
            assert_eq!(store.table(table).get(&key)?.as_ref(), Some(&value));
            records.insert((table.to_owned(), key), value);
        }
    }
    Ok(records)
}

#[test]
fn records_marks_and_snapshots_come_back() {
    let (_keep, path) = directory();
    let store = Store::open(&path).expect("opens");
    assert_eq!((store.applied(STREAM).expect("read"), store.snapshot(STREAM).expect("read")), (0, None));
    for number in 1..=100 {
        store.commit(STREAM, number, changes(number)).expect("queued");
    }
    store.commit("registry", 7, vec![]).expect("queued");
    store.put_snapshot(STREAM, 60, b"state".to_vec()).expect("queued");
    store.flush().expect("flushed");
    assert_eq!(all_records(&store).expect("read"), expected(100));
    store.close().expect("closed");

    let store = Store::open(&path).expect("opens again");
    assert_eq!(all_records(&store).expect("read"), expected(100));
    assert_eq!(store.applied(STREAM).expect("read"), 100);
    assert_eq!(store.applied("registry").expect("read"), 7);
    assert_eq!(store.snapshot(STREAM).expect("read"), Some((60, b"state".to_vec())));
    assert_eq!(store.table("elders").get(b"nobody").expect("read"), None);
}

#[test]
fn tables_are_apart_and_scanned_in_the_order_of_keys() {
    let (_keep, path) = directory();
    let store = Store::open(&path).expect("opens");
    let changes =
        vec![set("b", "2", b"y"), set("b", "1", b"x"), set("ba", "0", b"other"), set("a", "9", b"z")];
    store.commit(STREAM, 1, changes).expect("queued");
    store.flush().expect("flushed");
    let scanned: Result<Vec<_>, StoreError> = store.table("b").scan().expect("starts").collect();
    assert_eq!(scanned.expect("read"), [(b"1".to_vec(), b"x".to_vec()), (b"2".to_vec(), b"y".to_vec())]);
}

#[test]
fn a_mark_that_steps_back_and_a_name_too_long_are_refused() {
    let (_keep, path) = directory();
    let store = Store::open(&path).expect("opens");
    store.commit(STREAM, 5, vec![]).expect("queued");
    store.commit(STREAM, 5, vec![set("elders", "1", b"x")]).expect("the same record may have more to say");
    let refused = store.commit(STREAM, 4, vec![]).expect_err("a step back");
    assert!(matches!(refused, StoreError::Backwards { applied: 4, before: 5, .. }));
    assert!(matches!(store.commit(&"x".repeat(256), 1, vec![]), Err(StoreError::Name(_))));
    store.close().expect("closed");
    let store = Store::open(&path).expect("opens again");
    assert!(matches!(store.commit(STREAM, 4, vec![]), Err(StoreError::Backwards { .. })));
}

#[test]
fn snapshots_of_several_megabytes_replace_one_another() {
    let (_keep, path) = directory();
    let mut state = 3;
    let snapshots: Vec<Vec<u8>> =
        (0..4).map(|part| (0..5_000_000 + part).map(|_| random(&mut state) as u8).collect()).collect();
    let store = Store::open(&path).expect("opens");
    for (applied, bytes) in (1..).zip(&snapshots) {
        store.put_snapshot(STREAM, applied, bytes.clone()).expect("queued");
        store.flush().expect("flushed");
        assert!(store.snapshot(STREAM).expect("read") == Some((applied, bytes.clone())));
    }
    store.put_snapshot(STREAM, 5, vec![]).expect("queued");
    store.close().expect("closed");
    let store = Store::open(&path).expect("opens again");
    assert_eq!(store.snapshot(STREAM).expect("read"), Some((5, vec![])));
}

#[test]
fn a_reader_never_sees_half_a_snapshot() {
    let (_keep, path) = directory();
    let store = Store::open(&path).expect("opens");
    store.put_snapshot(STREAM, 1, vec![1; 100_000]).expect("queued");
    store.flush().expect("flushed");
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for applied in 2..=60_u8 {
                store.put_snapshot(STREAM, applied.into(), vec![applied; 100_000]).expect("queued");
                store.flush().expect("flushed");
            }
        });
        while !writer.is_finished() {
            let (applied, bytes) = store.snapshot(STREAM).expect("read").expect("there is one");
            assert!(bytes.len() == 100_000 && bytes.iter().all(|byte| u64::from(*byte) == applied));
        }
    });
}

#[test]
fn a_second_store_in_the_same_directory_is_refused() {
    let (_keep, path) = directory();
    let store = Store::open(&path).expect("opens");
    assert!(matches!(Store::open(&path), Err(StoreError::Locked(_))));
    assert!(matches!(Store::rebuild(&path), Err(StoreError::Locked(_))));
    drop(store);
    Store::open(&path).expect("opens again");
}

#[test]
fn a_damaged_store_is_set_aside_and_an_empty_one_takes_its_place() {
    let (_keep, path) = directory();
    let store = Store::open(&path).expect("opens");
    store.commit(STREAM, 1, changes(1)).expect("queued");
    store.close().expect("closed");
    for number in 1..=2 {
        fs::write(path.join("conf"), b"this is no configuration of sled").expect("written");
        let error = Store::open(&path).expect_err("damaged");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        let (store, rebuilt) = Store::rebuild(&path).expect("rebuilt");
        let aside = path.with_file_name(format!("state.damaged-{number}"));
        assert_eq!(rebuilt.moved_to.as_ref(), Some(&aside));
        assert!(aside.join("db").exists());
        assert_eq!(store.applied(STREAM).expect("read"), 0);
        assert_eq!(all_records(&store).expect("read"), Records::new());
        store.commit(STREAM, 1, changes(1)).expect("queued");
        store.close().expect("closed");
    }
    let (_other, nowhere) = directory();
    assert_eq!(Store::rebuild(&nowhere).expect("made").1.moved_to, None);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("listed") {
        let entry = entry.expect("listed");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// Asserts that the store says an error or holds exactly what its own mark says. Returns the mark if it was sound.
fn is_right_or_refused(path: &Path, what: &str) -> Option<u64> {
    let look = || {
        let store = Store::open(path)?;
        let applied = store.applied(STREAM)?;
        let records = all_records(&store)?;
        assert!(records == expected(applied), "{what}: wrong records at mark {applied}");
        if let Some((applied, bytes)) = store.snapshot("registry")? {
            assert!(applied == 1 && bytes == vec![9; 300_000], "{what}: a wrong snapshot");
        }
        store.commit(STREAM, applied + 1, changes(applied + 1))?;
        store.close()?;
        Ok::<u64, StoreError>(applied)
    };
    look().ok()
}

#[test]
fn a_flipped_bit_or_a_cut_off_file_gives_the_right_value_or_an_error() {
    let (_keep, path) = directory();
    let store = Store::open(&path).expect("opens");
    for number in 1..=200 {
        store.commit(STREAM, number, changes(number)).expect("queued");
        if number % 20 == 0 {
            store.put_snapshot("registry", 1, vec![9; 300_000]).expect("queued");
            store.flush().expect("flushed");
        }
    }
    store.close().expect("closed");
    let bytes = fs::read(path.join("db")).expect("read");
    // Most of the file is room for later: aim at what is used.
    let used: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
    let (mut state, mut sound) = (11, 0);
    for round in 0..150_u32 {
        // A place of its own each time: a thread of sled that panicked may still be at work in the last one.
        let (_trial, trial) = directory();
        copy(&path, &trial);
        let at = used[random(&mut state) as usize % used.len()];
        let mut changed = bytes.clone();
        if round % 6 == 0 {
            changed.truncate(at);
        } else {
            changed[at] ^= 1 << (random(&mut state) % 8);
        }
        fs::write(trial.join("db"), changed).expect("written");
        sound += u32::from(is_right_or_refused(&trial, &format!("round {round}, byte {at}")).is_some());
    }
    assert!(sound < 150, "no change of {} used bytes mattered: the test has no power", used.len());
    let (_trial, trial) = directory();
    copy(&path, &trial);
    assert_eq!(is_right_or_refused(&trial, "nothing changed"), Some(200));
}

/// Not a test of its own: what the killed process runs.
#[test]
fn child() {
    let Ok(path) = std::env::var(CHILD) else { return };
    let store = Store::open(Path::new(&path)).expect("opens");
    for number in store.applied(STREAM).expect("read") + 1.. {
        store.commit(STREAM, number, changes(number)).expect("queued");
        if number % 5 == 0 {
            store.flush().expect("flushed");
            println!("flushed {number}");
        }
    }
}

/// The changes of commit `number`, more than are written at once: it sets the same records as every other.
fn long_changes(number: u64) -> Vec<Change> {
    let value = number.to_be_bytes().repeat(250);
    (0..2_000).map(|key| set("elders", &format!("{key:04}"), &value)).collect()
}

/// Not a test of its own: what the killed process runs.
#[test]
fn long_child() {
    let Ok(path) = std::env::var(LONG_CHILD) else { return };
    let store = Store::open(Path::new(&path)).expect("opens");
    for number in store.applied(STREAM).expect("read") + 1.. {
        store.commit(STREAM, number, long_changes(number)).expect("queued");
        println!("queued {number}");
        store.flush().expect("flushed");
    }
}

/// Starts this program with one of its children, and kills it so long after it has said `lines` lines.
fn run_and_kill(child: &str, path: &Path, variable: &str, lines: usize, later: Duration) -> Vec<String> {
    use std::io::{BufRead, BufReader};
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args([child, "--exact", "--nocapture"])
        .env(variable, path)
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let output = BufReader::new(child.stdout.take().expect("piped"));
    let mut said = Vec::new();
    for line in output.lines() {
        said.push(line.expect("read"));
        if said.len() == lines {
            thread::sleep(later);
            child.kill().expect("killed");
        }
    }
    child.wait().expect("ended");
    said
}

#[test]
fn after_a_kill_records_and_mark_agree_and_nothing_flushed_is_lost() {
    let (_keep, path) = directory();
    for round in 1..=8 {
        let said = run_and_kill("child", &path, CHILD, round * 3 + 1, Duration::ZERO);
        let flushed = said.iter().filter_map(|line| line.strip_prefix("flushed ")).next_back();
        let flushed: u64 = flushed.expect("some").parse().expect("a number");
        let store = Store::open(&path).expect("opens after the kill");
        let applied = store.applied(STREAM).expect("read");
        assert!(applied >= flushed && flushed > 0, "round {round}: {flushed} flushed, {applied} found");
        assert!(all_records(&store).expect("read") == expected(applied), "round {round}");
    }
}

#[test]
fn after_a_kill_in_a_long_commit_the_mark_is_behind_and_the_commit_can_be_made_again() {
    let (_keep, path) = directory();
    let mut in_part = 0;
    for round in 1..=8 {
        run_and_kill("long_child", &path, LONG_CHILD, 6, Duration::from_millis(4 * round));
        let store = Store::open(&path).expect("opens after the kill");
        let applied = store.applied(STREAM).expect("read");
        for (key, value) in all_records(&store).expect("read") {
            let set_by = u64::from_be_bytes(value[..8].try_into().expect("a number"));
            assert!(set_by == applied || set_by == applied + 1, "round {round}: {key:?} of {set_by}");
            in_part += usize::from(set_by > applied);
        }
        store.commit(STREAM, applied + 1, long_changes(applied + 1)).expect("queued");
        store.flush().expect("flushed");
        assert_eq!(store.applied(STREAM).expect("read"), applied + 1);
        let next = (applied + 1).to_be_bytes().repeat(250);
        assert!(all_records(&store).expect("read").values().all(|value| *value == next), "round {round}");
    }
    println!("{in_part} records were found of commits that were cut short");
}
