//! A packed segment says what it said, packing and trimming lose nothing at any moment, and damage is never read.

use crate::rig::{Rig, check_read, eager, journal_of, payload, small};
use crate::watched::Watched;
use journal::testing::{FaultyDisk, PowerCut, random};
use journal::{
    Disk, Fault, Journal, Notice, OpenError, Packed, ReadError, Sequence, UpkeepError, checkpoint,
};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

const ALL: Sequence = Sequence(u64::MAX);

fn go_on(_: &Packed) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn names(disk: &FaultyDisk, suffix: &str) -> Vec<String> {
    disk.list().expect("listed").into_iter().filter(|name| name.ends_with(suffix)).collect()
}

fn first_of(name: &str) -> u64 {
    name.split('.').next().and_then(|digits| digits.parse().ok()).expect("a segment's name")
}

fn packed(records: u64) -> FaultyDisk {
    let disk = journal_of(records);
    journal::pack_on(&disk, ALL, go_on).expect("packed");
    disk
}

#[test]
fn a_packed_journal_says_what_it_said_takes_less_room_and_goes_on() {
    let disk = journal_of(100);
    let before = journal::verify_on(Arc::new(disk.clone()));
    let segments = names(&disk, ".seg").len();
    let done = journal::pack_on(&disk, ALL, go_on).expect("packed");
    assert_eq!((done.segments, done.left), (segments - 1, 0));
    assert!(done.archive_bytes < done.bytes);
    assert_eq!((names(&disk, ".seg").len(), names(&disk, ".seg.zst").len()), (1, segments - 1));
    check_read(&disk, 1, 100);
    let after = journal::verify_on(Arc::new(disk.clone()));
    assert_eq!((after.head_hash, after.segments, after.archives), (before.head_hash, segments, segments - 1));
    for from in [0, 1, 50, 99, 100] {
        Rig::open_after(Arc::new(disk.clone()), from).expect("opens").check_replayed(from + 1, 100);
        let read = journal::read_after_on(Arc::new(disk.clone()), Sequence(from));
        assert_eq!(read.count() as u64, 100 - from);
    }
    let rig = Rig::open(Arc::new(disk.clone())).expect("opens");
    rig.write_durably(40);
    rig.journal.close().expect("closes");
    check_read(&disk, 1, 140);
    assert_eq!(journal::pack_on(&disk, Sequence(0), go_on).expect("nothing to do"), Packed::default());
}

#[test]
fn only_ended_segments_up_to_the_given_record_are_packed_and_whoever_asked_may_end_it() {
    for upto in 0..=100 {
        let disk = journal_of(100);
        let segments = names(&disk, ".seg");
        journal::pack_on(&disk, Sequence(upto), go_on).expect("packed");
        let expected = segments.windows(2).filter(|pair| first_of(&pair[1]) - 1 <= upto).count();
        assert_eq!(names(&disk, ".seg.zst").len(), expected, "up to {upto}");
        check_read(&disk, 1, 100);
    }
    let disk = journal_of(100);
    let one = journal::pack_on(&disk, ALL, |_| ControlFlow::Break(())).expect("packed");
    assert!(one.segments == 1 && one.left > 1);
    let rest = journal::pack_on(&disk, ALL, go_on).expect("packed");
    assert_eq!((rest.segments, rest.left), (one.left, 0));
    check_read(&disk, 1, 100);
}

#[test]
fn trimming_removes_whole_archives_from_the_oldest_on_and_what_is_left_is_a_journal() {
    for upto in 0..=100 {
        let disk = packed(100);
        let segments = names(&disk, ".seg.zst").into_iter().chain(names(&disk, ".seg")).collect::<Vec<_>>();
        let trimmed = journal::trim_on(&disk, Sequence(upto)).expect("trimmed");
        let removed = segments.windows(2).filter(|pair| first_of(&pair[1]) - 1 <= upto).count();
        let first = first_of(&segments[removed]);
        assert_eq!(
            (trimmed.archives, trimmed.upto),
            (removed, Sequence(if removed > 0 { first - 1 } else { 0 }))
        );
        check_read(&disk, first, 100);
        let rig = Rig::open_after(Arc::new(disk.clone()), first - 1).expect("opens");
        rig.check_replayed(first, 100);
        rig.write_durably(1);
        drop(rig);
        check_read(&disk, first, 101);
    }
    let disk = journal_of(100);
    journal::trim_on(&disk, ALL).expect("nothing is packed, so nothing is trimmed");
    check_read(&disk, 1, 100);
}

#[test]
fn a_trimmed_journal_opens_at_its_checkpoint_and_without_one_asks_for_a_backup() {
    let disk = packed(100);
    let hash = journal::hash_of_on(Arc::new(disk.clone()), Sequence(90)).expect("sound").expect("there");
    checkpoint::write_on(&disk, Sequence(90), hash, b"state").expect("written");
    assert!(journal::trim_on(&disk, Sequence(90)).expect("trimmed").upto > Sequence(50));
    let newest = checkpoint::newest_on(Arc::new(disk.clone())).next().expect("one").expect("sound");
    Rig::open_at(Arc::new(disk.clone()), &newest).expect("opens").check_replayed(91, 100);
    let refused = Rig::open(Arc::new(disk)).err().expect("refused");
    assert!(matches!(refused, OpenError::Behind { .. }) && refused.to_string().contains("backup"));
}

/// Packs or trims while the power may go at every step, and asserts that `check` holds for what is left each time.
fn with_power_cuts(
    disk: &FaultyDisk,
    keep: impl FnOnce(&dyn Disk),
    check: impl Fn(&FaultyDisk) + Send + Sync + 'static,
) -> u64 {
    let cuts = Arc::new(AtomicU64::new(0));
    let seeds = Arc::clone(&cuts);
    let look = move |disk: &FaultyDisk| {
        for _ in 0..8 {
            let seed = seeds.fetch_add(1, Ordering::SeqCst);
            check(&disk.after(PowerCut::LosesSome(seed)));
        }
        check(&disk.after(PowerCut::LosesAll));
        check(&disk.after(PowerCut::LosesNothing));
    };
    keep(&Watched::new(disk.clone(), look));
    cuts.load(Ordering::SeqCst)
}

#[test]
fn a_power_cut_in_any_step_of_packing_loses_nothing_and_packing_again_clears_up() {
    let disk = journal_of(60);
    // Both forms of one segment, as a crash leaves them: the archive is an old one that says something else.
    let names = names(&disk, ".seg");
    let stale = format!("{}.zst", names[0]);
    drop(disk.create(&stale, 0).expect("made"));
    disk.tamper(&stale, |bytes| *bytes = b"an archive that was never finished".to_vec());
    check_read(&disk, 1, 60);
    let cuts = with_power_cuts(
        &disk,
        |watched| {
            journal::pack_on(watched, ALL, go_on).expect("packed");
        },
        move |image| {
            check_read(image, 1, 60);
            let again = image.after(PowerCut::LosesNothing);
            journal::pack_on(&again, ALL, go_on).expect("packed");
            check_read(&again, 1, 60);
            let left = again.list().expect("listed");
            assert_eq!(left.iter().filter(|name| name.contains(".seg")).count(), names.len());
            Rig::open(Arc::new(again)).expect("opens").check_replayed(1, 60);
        },
    );
    assert!(cuts > 100);
}

#[test]
fn a_power_cut_in_any_step_of_trimming_leaves_the_newer_records_without_a_gap() {
    let disk = packed(60);
    let cuts = with_power_cuts(
        &disk,
        |watched| {
            journal::trim_on(watched, Sequence(50)).expect("trimmed");
        },
        |image| {
            let first = journal::verify_on(Arc::new(image.clone())).first.0;
            assert!(first <= 51);
            check_read(image, first, 60);
            Rig::open_after(Arc::new(image.clone()), first - 1).expect("opens").check_replayed(first, 60);
        },
    );
    assert!(cuts > 20);
}

/// Asserts that the journal reads as it was written or is refused as damaged; returns whether it is refused.
fn is_refused(disk: &FaultyDisk, last: u64) -> bool {
    let verified = journal::verify_on(Arc::new(disk.clone()));
    match (verified.fault, Rig::open(Arc::new(disk.clone()))) {
        (None, Ok(rig)) => {
            assert_eq!(verified.head, Sequence(last), "silently fewer");
            rig.check_replayed(1, last);
            false
        }
        (Some(ReadError::Damaged(_)), Err(OpenError::Damaged(_))) => true,
        (fault, opened) => panic!("{fault:?}, {:?}", opened.err()),
    }
}

#[test]
fn an_archive_that_is_cut_anywhere_is_refused() {
    let disk = packed(30);
    let name = names(&disk, ".zst").remove(0);
    let whole = disk.bytes(&name);
    for length in 0..whole.len() {
        let cut = disk.after(PowerCut::LosesNothing);
        cut.tamper(&name, |bytes| bytes.truncate(length));
        assert!(is_refused(&cut, 30), "cut to {length} bytes");
        let blank = disk.after(PowerCut::LosesNothing);
        blank.tamper(&name, |bytes| bytes[length..].fill(0));
        assert!(
            is_refused(&blank, 30) || whole[length..].iter().all(|byte| *byte == 0),
            "blank from {length}"
        );
    }
}

#[test]
fn ten_thousand_flipped_bits_of_archives_are_seen_or_harmless() {
    let disk = packed(60);
    let archives = names(&disk, ".zst");
    let (mut state, mut refused) = (11, 0);
    for _ in 0..10_000 {
        let name = &archives[random(&mut state) as usize % archives.len()];
        let bit = random(&mut state) as usize % (disk.bytes(name).len() * 8);
        let flipped = disk.after(PowerCut::LosesNothing);
        flipped.tamper(name, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        refused += u32::from(is_refused(&flipped, 60));
    }
    assert!(refused > 9_900, "{refused} refused");
}

#[test]
fn an_archive_that_unpacks_to_more_than_its_header_says_is_refused() {
    let disk = packed(30);
    let name = names(&disk, ".zst").remove(0);
    let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 19).expect("packed");
    assert!(bomb.len() < 10_000);
    disk.tamper(&name, |bytes| {
        bytes.truncate(136);
        bytes.extend_from_slice(&bomb);
    });
    let fault = journal::verify_on(Arc::new(disk)).fault.expect("refused");
    assert!(matches!(fault, ReadError::Damaged(Fault::Archive { .. })), "{fault}");
}

#[test]
fn a_damaged_segment_and_a_disk_that_writes_something_else_are_found_before_anything_is_removed() {
    let disk = journal_of(60);
    let segment = names(&disk, ".seg").remove(1);
    let damaged = disk.after(PowerCut::LosesNothing);
    damaged.tamper(&segment, |bytes| bytes[300] ^= 1);
    let refused = journal::pack_on(&damaged, ALL, go_on).expect_err("refused");
    assert!(matches!(refused, UpkeepError::Damaged(_)), "{refused}");
    assert_eq!((names(&damaged, ".zst").len(), names(&damaged, ".seg").contains(&segment)), (1, true));

    let liar = Watched::new(disk.clone(), |disk: &FaultyDisk| {
        if disk.open("packing").is_ok() {
            disk.tamper("packing", |bytes| bytes.iter_mut().skip(150).take(1).for_each(|byte| *byte ^= 1));
        }
    });
    let refused = journal::pack_on(&liar, ALL, go_on).expect_err("refused");
    assert!(matches!(refused, UpkeepError::NotTheSame { .. }), "{refused}");
    check_read(&disk, 1, 60);
    assert!(names(&disk, ".zst").is_empty() && names(&disk, "packing").is_empty());
}

#[test]
fn whatever_fails_while_packing_nothing_is_lost() {
    for seed in 0..100 {
        let disk = journal_of(60);
        disk.fail_by_chance(Some((seed, 12)));
        let outcome = journal::pack_on(&disk, ALL, go_on);
        disk.fail_by_chance(None);
        assert!(matches!(outcome, Ok(_) | Err(UpkeepError::Io { .. })), "seed {seed}");
        check_read(&disk.after(PowerCut::LosesSome(seed)), 1, 60);
        journal::pack_on(&disk, ALL, go_on).expect("packed");
        check_read(&disk, 1, 60);
        assert_eq!(names(&disk, ".seg").len(), 1);
    }
}

/// Reads again and again and asserts that nothing is found wrong, until `done`.
fn keep_reading(path: &Path, done: &AtomicBool) {
    while !done.load(Ordering::Relaxed) {
        let mut last = None;
        for record in journal::read(path) {
            let (sequence, bytes) = record.expect("sound");
            assert_eq!(bytes, payload(sequence.0));
            assert!(last.is_none_or(|last| last < sequence));
            last = Some(sequence);
        }
        if let Some(last) = last {
            let hash = journal::hash_of(path, last).expect("sound");
            assert!(hash.is_some());
        }
    }
}

#[test]
fn a_record_that_came_in_while_its_file_was_read_is_not_taken_for_damage() {
    let disk = journal_of(6);
    let name = names(&disk, ".seg").remove(0);
    let whole = disk.bytes(&name);
    let fifth = whole.windows(payload(5).len()).position(|bytes| bytes == payload(5)).expect("there");
    // The reader has read where the fifth record will be before it came, and what is behind it after it came.
    disk.tamper(&name, |bytes| bytes[fifth - 64..fifth + payload(5).len()].fill(0));
    let mut reader = journal::read_on(Arc::new(disk.clone()));
    assert_eq!(reader.by_ref().take(4).filter(Result::is_ok).count(), 4);
    disk.tamper(&name, |bytes| bytes.copy_from_slice(&whole));
    assert_eq!(reader.map(|record| record.expect("sound").0.0).collect::<Vec<_>>(), [5, 6]);
}

#[test]
fn readers_see_no_fault_while_records_are_written_packed_and_trimmed() {
    let directory = tempfile::tempdir().expect("made");
    let path = directory.path();
    let sink = |_: Notice<'_, ()>| {};
    let (journal, _) = Journal::open(path, eager(), Sequence(0), |_, _| Ok(()), sink).expect("opens");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| keep_reading(path, &done));
        }
        for sequence in 1..=3000 {
            journal.append(&payload(sequence), ()).expect("appended");
            if sequence % 100 == 0 {
                while journal.durable() < Sequence(sequence) {
                    thread::yield_now();
                }
                journal::pack(path, journal.durable(), go_on).expect("packed");
                journal::trim(path, Sequence(journal.durable().0.saturating_sub(200))).expect("trimmed");
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    journal.close().expect("closes");
    let verified = journal::verify(path);
    assert!(verified.fault.is_none() && verified.head == Sequence(3000));
    assert!(verified.first > Sequence(2000), "{}", verified.first);
    let opened = Journal::open(path, small(), verified.head, |_, _| Ok(()), sink).expect("opens");
    assert_eq!(opened.1.head_hash, verified.head_hash);
}
