//! A checkpoint is there as a whole or not at all, stands for this journal only, and is never read wrong.

use crate::rig::{Rig, journal_of, payload};
use crate::watched::Watched;
use journal::checkpoint::{self, Checkpoint, CheckpointError};
use journal::testing::{FaultyDisk, PowerCut, random};
use journal::{Disk, Hash, OpenError, ReadError, Sequence};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A state that is known from its sequence, and does not shrink to nothing when packed.
fn state(sequence: u64) -> Vec<u8> {
    (1..=sequence).flat_map(payload).collect()
}

fn hash(disk: &FaultyDisk, sequence: u64) -> Hash {
    let hash = journal::hash_of_on(Arc::new(disk.clone()), Sequence(sequence));
    hash.expect("sound").expect("the journal holds it")
}

fn write(disk: &FaultyDisk, sequence: u64) {
    let hash = hash(disk, sequence);
    checkpoint::write_on(disk, Sequence(sequence), hash, &state(sequence)).expect("written");
}

fn newest(disk: &FaultyDisk) -> Vec<Result<Checkpoint, CheckpointError>> {
    checkpoint::newest_on(Arc::new(disk.clone())).collect()
}

fn files(disk: &FaultyDisk) -> Vec<String> {
    disk.list().expect("listed").into_iter().filter(|name| name.starts_with("checkpoint")).collect()
}

#[test]
fn the_newest_two_checkpoints_are_kept_and_read_back() {
    let disk = journal_of(60);
    assert!(newest(&disk).is_empty());
    for sequence in [0, 7, 60, 31] {
        write(&disk, sequence);
    }
    let found: Vec<Checkpoint> = newest(&disk).into_iter().map(|found| found.expect("sound")).collect();
    // One beyond that just written belongs to another journal than the one whose 31 records were read.
    let sequences: Vec<u64> = found.iter().map(|checkpoint| checkpoint.sequence.0).collect();
    assert_eq!(sequences, [60, 31, 7]);
    for checkpoint in found {
        let sequence = checkpoint.sequence.0;
        assert_eq!((checkpoint.hash, checkpoint.state), (hash(&disk, sequence), state(sequence)));
    }
}

#[test]
fn the_hash_of_each_record_is_found_without_reading_all() {
    let disk = journal_of(60);
    let mut reader = journal::read_on(Arc::new(disk.clone()));
    while let Some(record) = reader.next() {
        let (sequence, _) = record.expect("sound");
        assert_eq!((reader.head(), reader.hash()), (sequence, hash(&disk, sequence.0)));
    }
    let absent = journal::hash_of_on(Arc::new(disk.clone()), Sequence(61)).expect("sound");
    assert_eq!((absent, hash(&disk, 0)), (None, Hash::default()));
}

#[test]
fn reading_after_a_record_begins_with_the_next() {
    let disk = journal_of(60);
    for from in 0..=62 {
        let read = journal::read_after_on(Arc::new(disk.clone()), Sequence(from));
        let sequences: Vec<u64> = read.map(|record| record.expect("sound").0.0).collect();
        assert_eq!(sequences, (from + 1..=60).collect::<Vec<_>>());
    }
}

#[test]
fn a_journal_opens_at_its_checkpoint_and_replays_only_what_follows() {
    let disk = journal_of(60);
    for sequence in 0..=60 {
        write(&disk, sequence);
        let checkpoint = newest(&disk).remove(0).expect("sound");
        assert_eq!(checkpoint.sequence, Sequence(sequence));
        let rig = Rig::open_at(Arc::new(disk.clone()), &checkpoint).expect("opens");
        rig.check_replayed(sequence + 1, 60);
    }
}

#[test]
fn a_checkpoint_of_another_journal_is_refused_and_nothing_is_replayed() {
    let (ours, theirs) = (journal_of(60), FaultyDisk::new());
    let rig = Rig::open(Arc::new(theirs.clone())).expect("opens");
    rig.journal.append(b"another beginning", 0).expect("appended");
    rig.released.recv().expect("released");
    rig.write_durably(59);
    rig.journal.close().expect("closes");
    for sequence in 1..=60 {
        write(&theirs, sequence);
        let checkpoint = newest(&theirs).remove(0).expect("sound");
        let mut replayed = 0;
        let opened = journal::Journal::<()>::open_on(
            Arc::new(ours.clone()),
            crate::rig::small(),
            &checkpoint,
            |_, _| {
                replayed += 1;
                Ok(())
            },
            |_| {},
        );
        let error = opened.expect_err("refused");
        assert!(matches!(error, OpenError::Foreign { at, .. } if at.0 == sequence), "{error}");
        assert_eq!(replayed, 0);
    }
    write(&theirs, 60);
    let checkpoint = newest(&theirs).remove(0).expect("sound");
    let error = Rig::open_at(Arc::new(journal_of(20)), &checkpoint).err().expect("refused");
    assert!(matches!(error, OpenError::Ahead { .. }), "{error}");
    let error = Rig::open_at(Arc::new(FaultyDisk::new()), &checkpoint).err().expect("refused");
    assert!(matches!(error, OpenError::Ahead { .. }), "{error}");
}

#[test]
fn without_the_trimmed_records_and_without_a_checkpoint_the_remedy_is_a_backup() {
    let disk = journal_of(60);
    let oldest = disk.list().expect("listed").remove(0);
    disk.remove(&oldest).expect("removed");
    let error = Rig::open(Arc::new(disk.clone())).err().expect("refused");
    assert!(matches!(error, OpenError::Behind { .. }) && error.to_string().contains("backup"), "{error}");
    let mut read = journal::read_after_on(Arc::new(disk.clone()), Sequence(0));
    assert!(matches!(read.next(), Some(Err(ReadError::Behind { from: Sequence(0), .. }))));
    assert!(read.next().is_none());
    let first = journal::verify_on(Arc::new(disk.clone())).first;
    assert!(first > Sequence(1));
    // The header of the oldest segment knows the hash of the last record that was trimmed.
    let known = journal::hash_of_on(Arc::new(disk.clone()), Sequence(first.0 - 1)).expect("sound");
    assert!(known.is_some());
    assert_eq!(journal::hash_of_on(Arc::new(disk), Sequence(first.0 - 2)).expect("sound"), None);
}

#[test]
fn every_cut_and_ten_thousand_flipped_bits_of_a_checkpoint_are_seen_and_the_one_before_is_used() {
    let disk = journal_of(60);
    write(&disk, 20);
    write(&disk, 60);
    let name = files(&disk).pop().expect("written");
    let whole = disk.bytes(&name);
    let check = |damage: &dyn Fn(&mut Vec<u8>), what: &str| {
        let damaged = disk.after(PowerCut::LosesNothing);
        damaged.tamper(&name, damage);
        let found = newest(&damaged);
        let fallback = found.get(1).and_then(|found| found.as_ref().ok()).expect("the one before");
        assert_eq!((fallback.sequence, &fallback.state), (Sequence(20), &state(20)));
        match &found[0] {
            // Some bits of a packed state mean nothing: it must be right all the same.
            Ok(checkpoint) => assert_eq!((checkpoint.hash, &checkpoint.state), (hash(&disk, 60), &state(60))),
            Err(error) => assert!(error.to_string().contains(&name), "{what}: {error}"),
        }
        found[0].is_ok()
    };
    for length in 0..whole.len() {
        assert!(!check(&|bytes| bytes.truncate(length), "cut"), "cut to {length} bytes");
    }
    assert!(!check(&|bytes| bytes.push(0), "longer"));
    let mut bits = 3;
    let mut harmless = 0;
    for _ in 0..10_000 {
        let bit = random(&mut bits) as usize % (whole.len() * 8);
        harmless += u32::from(check(&|bytes| bytes[bit / 8] ^= 1 << (bit % 8), &format!("bit {bit}")));
    }
    assert!(harmless < 100, "{harmless} flipped bits were not seen");
}

#[test]
fn a_power_cut_in_any_step_leaves_the_checkpoints_before_or_the_new_one() {
    let plain = journal_of(60);
    let cuts = Arc::new(AtomicU64::new(0));
    let written = Arc::new(AtomicU64::new(0));
    let look = {
        let (cuts, written) = (Arc::clone(&cuts), Arc::clone(&written));
        move |disk: &FaultyDisk| {
            for _ in 0..40 {
                let image = disk.after(PowerCut::LosesSome(cuts.fetch_add(1, Ordering::SeqCst)));
                let before = written.load(Ordering::SeqCst);
                let found = newest(&image);
                let best = found.first().map(|found| found.as_ref().expect("whole"));
                let best = best.map_or(0, |checkpoint| {
                    assert_eq!(checkpoint.state, state(checkpoint.sequence.0));
                    checkpoint.sequence.0
                });
                assert!(best >= before, "{before} was written, {best} is left");
            }
        }
    };
    let disk = Watched::new(plain.clone(), look);
    for sequence in [5, 20, 21, 40, 60] {
        checkpoint::write_on(&disk, Sequence(sequence), hash(&plain, sequence), &state(sequence))
            .expect("written");
        written.store(sequence, Ordering::SeqCst);
    }
    assert!(cuts.load(Ordering::SeqCst) > 500);
    assert_eq!(files(&plain).len(), 2, "nothing unfinished is left");
}

#[test]
fn a_checkpoint_that_cannot_be_written_leaves_those_before() {
    let disk = journal_of(60);
    write(&disk, 20);
    for fail in [|disk: &FaultyDisk| disk.fail_write_in(0), |disk: &FaultyDisk| disk.fail_sync_in(0)] {
        fail(&disk);
        let refused = checkpoint::write_on(&disk, Sequence(40), hash(&disk, 40), &state(40));
        assert!(matches!(refused, Err(CheckpointError::Io { .. })));
        assert_eq!(newest(&disk).remove(0).expect("sound").sequence, Sequence(20));
    }
    write(&disk, 41);
    assert_eq!(newest(&disk).len(), 2);
}
