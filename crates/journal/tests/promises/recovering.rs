//! A disk that failed and works again gets everything, in order and once, and never through the file that failed.

use crate::rig::{Rig, eager, payload, small};
use journal::testing::{FaultyDisk, PowerCut, random};
use journal::{Health, Journal, Notice, Options, Outcome, Sequence};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

fn open(disk: &FaultyDisk) -> Rig {
    Rig::open_with(Arc::new(disk.clone()), eager(), Sequence(0)).expect("opens")
}

/// Asserts that a power cut that loses whatever is not flushed leaves exactly the records up to `last`.
pub(crate) fn check_flushed(disk: &FaultyDisk, last: u64) {
    let image = disk.after(PowerCut::LosesAll);
    let verified = journal::verify_on(Arc::new(image.clone()));
    assert!(verified.fault.is_none(), "{:?}", verified.fault);
    assert_eq!((verified.records, verified.head, verified.cut), (last, Sequence(last), None));
    let read: Vec<_> =
        journal::read_on(Arc::new(image.clone())).map(|record| record.expect("sound")).collect();
    assert_eq!(read, (1..=last).map(|n| (Sequence(n), payload(n))).collect::<Vec<_>>());
    Rig::open(Arc::new(image)).expect("opens").check_replayed(1, last);
}

#[test]
fn a_disk_that_fails_once_is_told_and_everything_is_durable_again_by_itself() {
    let disk = FaultyDisk::new();
    let rig = open(&disk);
    rig.write_durably(10);
    disk.fail_sync_in(0);
    assert!(matches!(rig.write(), Outcome::NotDurable(_)));
    // Nothing more is appended; whoever waits is told all the same.
    assert_eq!(rig.recovered.recv(), Ok(Sequence(11)));
    assert_eq!(rig.journal.durable(), Sequence(11));
    assert!(matches!(rig.journal.health(), Health::Durable));
    check_flushed(&disk, 11);
    rig.write_durably(40);
    assert_eq!(disk.syncs_after_failure(), 0);
    check_flushed(&disk, 51);
    rig.journal.close().expect("closes");
    assert!(rig.recovered.recv().is_err(), "told once");
}

#[test]
fn whichever_write_or_flush_fails_every_record_is_released_once_and_flushed_in_the_end() {
    let faults: [fn(&FaultyDisk, u64); 2] = [FaultyDisk::fail_sync_in, FaultyDisk::fail_write_in];
    for (index, fail) in faults.into_iter().enumerate() {
        for operations in 0..60 {
            let disk = FaultyDisk::new();
            let rig = open(&disk);
            fail(&disk, operations);
            for sequence in 1..=100 {
                rig.journal.append(&payload(sequence), sequence).expect("appended");
            }
            rig.journal.close().unwrap_or_else(|error| panic!("fault {index} in {operations}: {error}"));
            let released: Vec<u64> = rig.released.iter().map(|one| one.sequence.0).collect();
            assert_eq!(released, (1..=100).collect::<Vec<_>>());
            assert_eq!(disk.syncs_after_failure(), 0);
            check_flushed(&disk, 100);
        }
    }
}

#[test]
fn what_lies_unflushed_in_the_old_file_is_neither_read_again_nor_taken_for_damage() {
    for durable in [0, 3] {
        let disk = FaultyDisk::new();
        let (go, gate) = channel::<()>();
        let (tell, told) = channel();
        let sink = move |notice: Notice<'_, ()>| match notice {
            Notice::Released(group) => {
                tell.send(group.last().map(|one| one.sequence)).expect("heard");
                gate.recv().expect("let go");
            }
            Notice::Recovered { head } => tell.send(Some(head)).expect("heard"),
        };
        let opened = Journal::open_on(Arc::new(disk.clone()), eager(), Sequence(0), |_, _| Ok(()), sink);
        let journal = opened.expect("opens").0;
        for sequence in 1..=durable {
            journal.append(&payload(sequence), ()).expect("appended");
            told.recv().expect("released");
            go.send(()).expect("sent");
        }
        // The committer is held in the release of a barrier while five records become one group.
        journal.barrier(()).expect("queued");
        told.recv().expect("released");
        for sequence in durable + 1..=durable + 5 {
            journal.append(&payload(sequence), ()).expect("appended");
        }
        disk.fail_sync_in(0);
        go.send(()).expect("sent");
        told.recv().expect("refused");
        // Programs still read the five in the old file.
        assert_eq!(journal::verify_on(Arc::new(disk.clone())).head, Sequence(durable + 5));
        let old = disk.after(PowerCut::LosesNothing);
        go.send(()).expect("sent");
        assert_eq!(told.recv(), Ok(Some(Sequence(durable + 5))), "recovered");
        check_flushed(&disk, durable + 5);
        let first = "00000000000000000001.seg";
        if durable > 0 {
            // Whatever of the old group did reach the disk stands behind the last record that counts.
            for image in [disk.after(PowerCut::LosesAll), disk.after(PowerCut::LosesNothing)] {
                let whole = disk.bytes(first);
                image.tamper(first, |bytes| bytes.copy_from_slice(&whole));
                check_flushed(&image, durable + 5);
            }
        } else {
            assert_ne!(old.bytes(first), disk.bytes(first), "a file without a flushed record is replaced");
        }
        drop(journal);
    }
}

#[test]
fn the_sink_hears_of_the_recovery_after_what_was_refused_and_before_what_comes_later() {
    let disk = FaultyDisk::new();
    let (tell, told) = channel();
    let sink = move |notice: Notice<'_, u64>| {
        let line = match notice {
            Notice::Released(group) => {
                group.drain(..).map(|one| (one.sequence.0, matches!(one.outcome, Outcome::Durable))).collect()
            }
            Notice::Recovered { head } => vec![(head.0, false), (head.0, true)],
        };
        tell.send(line).expect("heard");
    };
    let (journal, _) =
        Journal::open_on(Arc::new(disk.clone()), eager(), Sequence(0), |_, _| Ok(()), sink).expect("opens");
    let mut random_state = 5;
    for sequence in 1..=400 {
        if random(&mut random_state).is_multiple_of(40) {
            disk.fail_sync_in(0);
        }
        journal.append(&payload(sequence), sequence).expect("appended");
        if random(&mut random_state).is_multiple_of(8) {
            thread::yield_now();
        }
    }
    // A fault may be left for the next try; the one after it goes well.
    while journal.durable() < Sequence(400) {
        thread::yield_now();
    }
    journal.close().expect("closes");
    let (mut last, mut refused, mut recoveries) = (0, None, 0);
    for line in told {
        match line[..] {
            [(head, false), (again, true)] if head == again => {
                assert_eq!(head, last, "everything that was released so far");
                assert!(refused.take().is_some(), "there was something to recover from");
                recoveries += 1;
            }
            _ => {
                for (sequence, durable) in line {
                    assert_eq!(sequence, last + 1);
                    last = sequence;
                    assert!(!durable || refused.is_none(), "durable again without a word");
                    refused = if durable { refused } else { Some(sequence) };
                }
            }
        }
    }
    assert_eq!((last, refused), (400, None));
    assert!(recoveries > 0);
    check_flushed(&disk, 400);
}

#[test]
fn beyond_the_limit_what_waits_is_given_up_and_the_journal_says_so() {
    let disk = FaultyDisk::new();
    let options = Options { backlog_bytes: 2000, ..eager() };
    let rig = Rig::open_with(Arc::new(disk.clone()), options, Sequence(0)).expect("opens");
    rig.write_durably(10);
    disk.limit_space(Some(0));
    for _ in 0..30 {
        assert!(matches!(rig.write(), Outcome::NotDurable(_)));
    }
    let Health::Degraded(failure) = rig.journal.health() else { panic!("the failure is hidden") };
    assert_eq!(failure.given_up, Some(2000));
    assert!(failure.to_string().contains("given up") && failure.to_string().contains("restart"));
    disk.limit_space(None);
    assert!(matches!(rig.write(), Outcome::NotDurable(_)), "there would be a gap");
    assert_eq!(rig.journal.append(&payload(42), 0), Ok(Sequence(42)), "numbers go on");
    assert!(rig.journal.close().is_err());
    assert!(rig.recovered.recv().is_err());
    let rig = Rig::open(Arc::new(disk)).expect("opens");
    rig.check_replayed(1, rig.report.head.0);
    assert!(rig.report.head >= Sequence(10));
}

/// One run of a journal on a disk that fails by chance and loses power at the end.
fn run(disk: &FaultyDisk, seed: u64, written: &mut BTreeMap<u64, Vec<u8>>) -> FaultyDisk {
    let mut state = seed;
    let opened = Rig::open_with(Arc::new(disk.clone()), eager(), Sequence(0));
    let rig = opened.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    let head = rig.report.head.0;
    for (sequence, bytes) in &rig.replayed {
        assert_eq!(Some(bytes), written.get(&sequence.0), "seed {seed}: record {sequence}");
    }
    written.split_off(&(head + 1));
    let one_in = 2 + random(&mut state) % 30;
    let appends = 20 + random(&mut state) % 80;
    let (from, to) = (random(&mut state) % appends, random(&mut state) % appends);
    let mut claimed = head;
    for count in 0..appends {
        if count == from {
            disk.fail_by_chance(Some((random(&mut state), one_in)));
        }
        if count == to {
            disk.fail_by_chance(None);
        }
        let bytes = payload(random(&mut state));
        let sequence = rig.journal.append(&bytes, 0).expect("appended").0;
        assert_eq!(sequence, head + 1 + count);
        written.insert(sequence, bytes);
        // Now and then the committer gets the time to do something about it.
        if random(&mut state).is_multiple_of(4) {
            claimed = claimed.max(rig.released.recv().map_or(0, |one| match one.outcome {
                Outcome::Durable => one.sequence.0,
                Outcome::NotDurable(_) => 0,
            }));
        }
    }
    if random(&mut state).is_multiple_of(2) {
        disk.fail_by_chance(None);
        let reached = |rig: &Rig| rig.journal.durable().0 == head + appends;
        while !reached(&rig) {
            thread::yield_now();
        }
    }
    // What was claimed by now must be in whatever the power cut leaves.
    claimed = claimed.max(rig.recovered.try_iter().last().map_or(0, |head| head.0));
    claimed = claimed.max(rig.journal.durable().0);
    let image = disk.after(PowerCut::LosesSome(random(&mut state)));
    let read = journal::verify_on(Arc::new(image.clone()));
    assert!(read.fault.is_none(), "seed {seed}: {:?}", read.fault);
    assert!(read.head.0 >= claimed, "seed {seed}: {claimed} were durable, {} are left", read.head);
    // The power is gone for this journal, so what it does at its end changes another disk.
    disk.fail_by_chance(None);
    drop(rig);
    image
}

#[test]
fn whatever_fails_and_whenever_the_power_goes_what_was_durable_is_read_without_gap_or_double() {
    for seed in 0..150 {
        let mut disk = FaultyDisk::new();
        let mut written = BTreeMap::new();
        for life in 0..6 {
            disk = run(&disk, seed * 1000 + life, &mut written);
        }
        Rig::open_with(Arc::new(disk), small(), Sequence(0)).expect("opens");
    }
}
