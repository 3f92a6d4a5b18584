//! What is appended comes back, in order, once, and is released only when it is flushed.

use crate::rig::{Rig, payload, small};
use journal::testing::{FaultyDisk, PowerCut};
use journal::{Journal, Notice, OpenError, Options, Outcome, Released, Sequence};
use std::collections::BTreeMap;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;

#[test]
fn records_come_back_after_a_clean_close() {
    let disk = FaultyDisk::new();
    let rig = Rig::open(Arc::new(disk.clone())).expect("opens");
    assert_eq!((rig.report.epoch, rig.report.head), (1, Sequence(0)));
    rig.write_durably(50);
    rig.journal.close().expect("closes");

    let rig = Rig::open(Arc::new(disk)).expect("opens again");
    rig.check_replayed(1, 50);
    assert_eq!((rig.report.epoch, rig.report.head, &rig.report.cut), (2, Sequence(50), &None));
    assert!(rig.report.segments > 1, "the journal has rotated");
}

#[test]
fn a_journal_goes_on_where_the_last_run_ended() {
    let disk = FaultyDisk::new();
    for run in 0..20 {
        let rig = Rig::open(Arc::new(disk.clone())).expect("opens");
        rig.check_replayed(1, run * 3);
        rig.write_durably(3);
        rig.journal.close().expect("closes");
    }
}

#[test]
fn only_the_records_after_the_given_one_are_replayed() {
    let disk = FaultyDisk::new();
    let rig = Rig::open(Arc::new(disk.clone())).expect("opens");
    rig.write_durably(100);
    rig.journal.close().expect("closes");
    for from in 0..=100 {
        let rig = Rig::open_after(Arc::new(disk.clone()), from).expect("opens");
        rig.check_replayed(from + 1, 100);
    }
    let ahead = Rig::open_after(Arc::new(disk), 101).err().expect("refused");
    assert!(matches!(ahead, OpenError::Ahead { from: Sequence(101), head: Sequence(100) }));
}

#[test]
fn records_of_many_threads_are_released_once_in_order_and_only_after_the_flush() {
    let disk = FaultyDisk::new();
    let watched = disk.clone();
    let (sender, receiver) = channel();
    let sink = move |notice: Notice<'_, (u64, u64)>| {
        let Notice::Released(group) = notice else { return };
        let flushed = watched.after(PowerCut::LosesAll);
        let on_disk: BTreeMap<Sequence, Vec<u8>> =
            journal::read_on(Arc::new(flushed)).map(|record| record.expect("sound")).collect();
        for released in group.drain(..) {
            let (thread, count) = released.token;
            assert_eq!(on_disk[&released.sequence], format!("{thread}:{count}").into_bytes());
            drop(sender.send(released));
        }
    };
    let (journal, _) =
        Journal::open_on(Arc::new(disk), small(), Sequence(0), |_, _| Ok(()), sink).expect("opens");
    thread::scope(|scope| {
        for name in 0..8 {
            let journal = &journal;
            scope.spawn(move || {
                for count in 0..40 {
                    journal.append(format!("{name}:{count}").as_bytes(), (name, count)).expect("appended");
                }
            });
        }
    });
    journal.close().expect("closes");

    let released: Vec<Released<(u64, u64)>> = receiver.iter().collect();
    let sequences: Vec<u64> = released.iter().map(|one| one.sequence.0).collect();
    assert_eq!(sequences, (1..=320).collect::<Vec<_>>());
    let mut counts = [0; 8];
    for one in released {
        assert_eq!(counts[one.token.0 as usize], one.token.1, "each thread's records keep their order");
        counts[one.token.0 as usize] += 1;
    }
}

#[test]
fn a_group_is_written_and_flushed_once() {
    let disk = FaultyDisk::new();
    let (go, gate) = channel::<()>();
    let (sender, receiver) = channel();
    let sink = move |notice: Notice<'_, ()>| {
        let Notice::Released(group) = notice else { return };
        gate.recv().expect("let go");
        sender.send(group.len()).expect("received");
    };
    let options = Options { segment_bytes: 1 << 20, ..small() };
    let (journal, _) =
        Journal::open_on(Arc::new(disk.clone()), options, Sequence(0), |_, _| Ok(()), sink).expect("opens");
    journal.append(b"first", ()).expect("appended");
    go.send(()).expect("sent");
    assert_eq!(receiver.recv(), Ok(1));
    // The committer is held in the release of the second record while a hundred more are queued.
    journal.append(b"second", ()).expect("appended");
    while journal.durable() < Sequence(2) {
        thread::yield_now();
    }
    let before = disk.syncs();
    for _ in 0..100 {
        journal.append(b"more", ()).expect("appended");
    }
    go.send(()).expect("sent");
    go.send(()).expect("sent");
    assert_eq!((receiver.recv(), receiver.recv()), (Ok(1), Ok(100)));
    assert_eq!(disk.syncs() - before, 1);
}

#[test]
fn a_barrier_is_released_after_what_was_appended_before_it_and_leaves_no_record() {
    let disk = FaultyDisk::new();
    let rig = Rig::open(Arc::new(disk.clone())).expect("opens");
    assert_eq!(rig.journal.barrier(1), Ok(Sequence(0)));
    rig.journal.append(&payload(1), 2).expect("appended");
    rig.journal.append(&payload(2), 3).expect("appended");
    assert_eq!(rig.journal.barrier(4), Ok(Sequence(2)));
    rig.journal.append(&payload(3), 5).expect("appended");
    rig.journal.close().expect("closes");
    let order: Vec<(u64, u64)> = rig.released.iter().map(|one| (one.sequence.0, one.token)).collect();
    assert_eq!(order, [(0, 1), (1, 2), (2, 3), (2, 4), (3, 5)]);
    Rig::open(Arc::new(disk)).expect("opens again").check_replayed(1, 3);
}

#[test]
fn a_record_larger_than_a_segment_gets_its_own_and_one_beyond_the_limit_is_refused() {
    let disk = FaultyDisk::new();
    let options = Options { max_record_bytes: 20_000, ..small() };
    let lengths = [20_000, 5, 9_999, 20_000, 20_000, 4096, 3, 0];
    let write = |disk: &FaultyDisk| {
        let (sender, released) = channel();
        let sink = move |notice: Notice<'_, u64>| {
            let Notice::Released(group) = notice else { return };
            group.drain(..).for_each(|one| drop(sender.send(one)));
        };
        let (journal, _) =
            Journal::open_on(Arc::new(disk.clone()), options.clone(), Sequence(0), |_, _| Ok(()), sink)
                .expect("opens");
        for length in lengths {
            journal.append(&vec![7; length], 0).expect("appended");
        }
        assert!(journal.append(&[7; 20_001], 0).is_err());
        journal.close().expect("closes");
        assert!(released.iter().all(|one| matches!(one.outcome, Outcome::Durable)));
    };
    write(&disk);
    write(&disk);
    let read: Vec<usize> =
        journal::read_on(Arc::new(disk)).map(|record| record.expect("sound").1.len()).collect();
    assert_eq!(read, [lengths, lengths].concat());
}

#[test]
fn appending_waits_while_the_queue_is_full_and_goes_on_when_there_is_room() {
    let (go, gate) = channel::<()>();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let seen_by_sink = Arc::clone(&seen);
    let sink = move |notice: Notice<'_, u64>| {
        let Notice::Released(group) = notice else { return };
        gate.recv().expect("let go");
        seen_by_sink.lock().expect("sound").push(group.len());
    };
    let options = Options { queue_records: 4, ..small() };
    let (journal, _) =
        Journal::open_on(Arc::new(FaultyDisk::new()), options, Sequence(0), |_, _| Ok(()), sink)
            .expect("opens");
    thread::scope(|scope| {
        scope.spawn(|| (0..40).all(|_| journal.append(b"x", 0).is_ok()));
        for _ in 0..40 {
            // A send for each record is more than enough: there are at most as many groups.
            go.send(()).expect("sent");
        }
    });
    journal.close().expect("closes");
    let groups = seen.lock().expect("sound");
    assert_eq!(groups.iter().sum::<usize>(), 40);
    assert!(groups.iter().all(|group| *group <= 4), "{groups:?}");
}

#[test]
fn a_second_writer_of_the_same_directory_is_refused_until_the_first_closes() {
    let directory = tempfile::tempdir().expect("made");
    let path = directory.path().join("a/b");
    let open = || {
        let sink = |_: Notice<'_, ()>| {};
        Journal::<()>::open(&path, small(), Sequence(0), |_, _| Ok(()), sink)
    };
    let (journal, _) = open().expect("opens");
    journal.append(b"one", ()).expect("appended");
    let refused = open().expect_err("locked");
    assert!(matches!(refused, OpenError::Locked(_)), "{refused}");
    assert!(journal::verify(&path).in_use);
    journal.close().expect("closes");
    let (journal, report) = open().expect("opens again");
    assert_eq!(report.head, Sequence(1));
    drop(journal);
    let verified = journal::verify(&path);
    assert_eq!((verified.records, verified.in_use), (1, false));
    assert!(verified.fault.is_none());
}

#[test]
fn a_sink_that_panics_stops_the_journal_instead_of_letting_anybody_wait() {
    let disk = Arc::new(FaultyDisk::new());
    let sink = |_: Notice<'_, ()>| panic!("this panic belongs to the test");
    let options = Options { queue_records: 1, ..small() };
    let (journal, _) = Journal::open_on(disk, options, Sequence(0), |_, _| Ok(()), sink).expect("opens");
    while journal.append(b"x", ()).is_ok() {}
}
