//! A copy is a journal: whole, proven, and only ever longer.

use crate::rig::{Rig, check_read, eager, journal_of, payload};
use crate::watched::Watched;
use journal::testing::{FaultyDisk, PowerCut};
use journal::{Copied, Disk, Hash, Journal, Notice, Outcome, Sequence, UpkeepError};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

fn copy(from: &FaultyDisk, to: &FaultyDisk) -> Result<Copied, UpkeepError> {
    journal::copy_on(from, to, |_| {})
}

fn pack(disk: &FaultyDisk, upto: u64) {
    journal::pack_on(disk, Sequence(upto), |_| ControlFlow::Continue(())).expect("packed");
}

fn append(disk: &FaultyDisk, records: u64) {
    let head = journal::verify_on(Arc::new(disk.clone())).head.0;
    let rig = Rig::open_after(Arc::new(disk.clone()), head).expect("opens");
    rig.write_durably(records);
    rig.journal.close().expect("closes");
}

#[test]
fn a_copy_holds_archives_only_reads_like_the_journal_and_can_be_written_on() {
    for packed in [0, 50, 100] {
        let (disk, to) = (journal_of(100), FaultyDisk::new());
        pack(&disk, packed);
        let copied = copy(&disk, &to).expect("copied");
        let verified = journal::verify_on(Arc::new(disk.clone()));
        assert_eq!((copied.first, copied.head), (Sequence(1), Sequence(100)));
        assert_eq!((copied.head_hash, copied.segments), (verified.head_hash, verified.segments));
        check_read(&to, 1, 100);
        assert!(to.list().expect("listed").iter().all(|name| name.ends_with(".seg.zst")));
        append(&to, 30);
        check_read(&to, 1, 130);
        Rig::open(Arc::new(to)).expect("opens").check_replayed(1, 130);
    }
}

#[test]
fn a_second_copy_writes_only_what_is_new_and_keeps_what_was_trimmed() {
    let (disk, to) = (journal_of(100), FaultyDisk::new());
    let first = copy(&disk, &to).expect("copied");
    assert_eq!(first.written, first.segments);
    assert_eq!(copy(&disk, &to).expect("copied").written, 1, "the last one may have grown");
    append(&disk, 60);
    pack(&disk, 120);
    let second = copy(&disk, &to).expect("copied");
    assert_eq!(second.written, second.segments - first.segments + 1);
    assert_eq!(second.head, Sequence(160));
    check_read(&to, 1, 160);
    journal::trim_on(&disk, Sequence(80)).expect("trimmed");
    append(&disk, 1);
    let third = copy(&disk, &to).expect("copied");
    assert_eq!((third.first, third.head), (Sequence(1), Sequence(161)));
    check_read(&to, 1, 161);
}

#[test]
fn segments_that_are_trimmed_while_others_are_copied_stay_in_the_copy() {
    let (disk, to) = (journal_of(100), FaultyDisk::new());
    copy(&disk, &to).expect("copied");
    append(&disk, 60);
    pack(&disk, 160);
    let mut trimmed = 0;
    let copied = journal::copy_on(&disk, &to, |copied| {
        if copied.segments == 1 {
            trimmed += journal::trim_on(&disk, Sequence(90)).expect("trimmed").archives;
        }
    });
    assert!(trimmed > 2);
    assert_eq!(copied.expect("copied").first, Sequence(1));
    check_read(&to, 1, 160);
}

#[test]
fn a_copy_of_another_journal_or_of_a_later_time_is_refused_and_not_touched() {
    let (disk, to) = (journal_of(100), FaultyDisk::new());
    copy(&disk, &to).expect("copied");
    let before = to.list().expect("listed");
    for other in [journal_of(100), journal_of(40), FaultyDisk::new()] {
        let refused = copy(&other, &to).expect_err("refused");
        assert!(matches!(refused, UpkeepError::Foreign { .. }), "{refused}");
        assert_eq!(to.list().expect("listed"), before);
        check_read(&to, 1, 100);
    }
    // What came after the copy is trimmed already, so there would be a gap.
    append(&disk, 200);
    pack(&disk, 300);
    journal::trim_on(&disk, Sequence(280)).expect("trimmed");
    let refused = copy(&disk, &to).expect_err("refused");
    assert!(matches!(refused, UpkeepError::Foreign { .. }), "{refused}");
}

#[test]
fn a_copy_taken_before_a_failed_flush_was_mended_is_gone_on_with() {
    for durable in [0, 3, 40] {
        let (disk, to) = (FaultyDisk::new(), FaultyDisk::new());
        let shared = || {
            journal::shared_on(&(Arc::new(disk.clone()) as _), &(Arc::new(to.clone()) as _)).expect("sound")
        };
        let rig = Rig::open(Arc::new(disk.clone())).expect("opens");
        rig.write_durably(durable);
        disk.fail_sync_in(0);
        assert!(matches!(rig.write(), Outcome::NotDurable(_)));
        let first = copy(&disk, &to).expect("copied");
        assert_eq!(first.head, Sequence(durable + 1), "it lies in the old file, unflushed");
        assert_eq!(shared(), Some((first.head, first.head_hash)));
        // The disk is tried once more, and takes it, in another segment.
        rig.journal.close().expect("closes");
        let (last, hash) = shared().expect("the journal holds all of the copy");
        assert_eq!((last, hash == first.head_hash), (Sequence(durable), false));
        append(&disk, 20);
        let second = copy(&disk, &to).expect("copied");
        assert_eq!(second.head, Sequence(durable + 21));
        assert_eq!(shared(), Some((second.head, second.head_hash)));
        check_read(&to, 1, durable + 21);
    }
}

#[test]
fn a_copy_that_holds_a_record_which_the_journal_does_not_shares_nothing_with_it() {
    let (disk, to) = (journal_of(100), FaultyDisk::new());
    let shared = |disk: &FaultyDisk| {
        journal::shared_on(&(Arc::new(disk.clone()) as _), &(Arc::new(to.clone()) as _)).expect("sound")
    };
    assert_eq!(shared(&disk), Some((Sequence(0), Hash::default())), "an empty copy");
    let older = disk.after(PowerCut::LosesNothing);
    append(&disk, 1);
    let copied = copy(&disk, &to).expect("copied");
    assert_eq!(shared(&disk), Some((copied.head, copied.head_hash)));
    assert_eq!(shared(&older), None, "it ends before");
    let rig = Rig::open(Arc::new(older.clone())).expect("opens");
    rig.journal.append(b"something else", 0).expect("appended");
    rig.journal.close().expect("closes");
    assert_eq!(shared(&older), None, "another record at the same place");
    assert_eq!(shared(&journal_of(200)), None, "another journal");
    assert_eq!(shared(&FaultyDisk::new()), None);
}

#[test]
fn a_torn_end_is_not_copied_and_damage_is_told() {
    let (disk, to) = (journal_of(10), FaultyDisk::new());
    let name = disk.list().expect("listed").into_iter().find(|name| name.ends_with(".seg")).expect("one");
    let torn = disk.after(PowerCut::LosesNothing);
    torn.tamper(&name, |bytes| bytes[3900..3950].fill(7));
    assert_eq!(copy(&torn, &to).expect("copied").head, Sequence(10));
    check_read(&to, 1, 10);
    let damaged = disk.after(PowerCut::LosesNothing);
    damaged.tamper(&name, |bytes| bytes[250] ^= 1);
    let refused = copy(&damaged, &FaultyDisk::new()).expect_err("refused");
    assert!(matches!(refused, UpkeepError::Damaged(_)), "{refused}");
}

#[test]
fn a_power_cut_in_any_step_leaves_an_older_or_shorter_copy_that_can_be_gone_on_with() {
    let (disk, to) = (journal_of(60), FaultyDisk::new());
    copy(&disk, &to).expect("copied");
    append(&disk, 60);
    let cuts = Arc::new(AtomicU64::new(0));
    let (seeds, from) = (Arc::clone(&cuts), disk.clone());
    let look = move |to: &FaultyDisk| {
        for _ in 0..10 {
            let image = to.after(PowerCut::LosesSome(seeds.fetch_add(1, Ordering::SeqCst)));
            let head = journal::verify_on(Arc::new(image.clone())).head.0;
            assert!(head >= 60);
            check_read(&image, 1, head);
            copy(&from, &image).expect("copied");
            check_read(&image, 1, 120);
        }
    };
    journal::copy_on(&disk, &Watched::new(to.clone(), look), |_| {}).expect("copied");
    assert!(cuts.load(Ordering::SeqCst) > 100);
    check_read(&to, 1, 120);
}

#[test]
fn a_journal_is_copied_again_and_again_while_it_is_written_and_packed() {
    let (from, to) = (tempfile::tempdir().expect("made"), tempfile::tempdir().expect("made"));
    let (from, to) = (from.path(), to.path().join("copy"));
    let sink = |_: Notice<'_, ()>| {};
    let (journal, _) = Journal::open(from, eager(), Sequence(0), |_, _| Ok(()), sink).expect("opens");
    thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for sequence in 1..=2000 {
                journal.append(&payload(sequence), ()).expect("appended");
                if sequence % 200 == 0 {
                    journal::pack(from, journal.durable(), |_| ControlFlow::Continue(())).expect("packed");
                }
            }
        });
        let mut before = Sequence(0);
        while !writing.is_finished() {
            let copied = journal::copy(from, &to, |_| {}).expect("copied");
            let verified = journal::verify(&to);
            assert!(verified.fault.is_none() && verified.cut.is_none());
            assert_eq!((verified.head, verified.head_hash), (copied.head, copied.head_hash));
            assert!(copied.head >= before);
            before = copied.head;
        }
    });
    journal.close().expect("closes");
    assert_eq!(journal::copy(from, &to, |_| {}).expect("copied").head, Sequence(2000));
    let read: Vec<_> = journal::read(&to).map(|record| record.expect("sound")).collect();
    assert_eq!(read, (1..=2000).map(|n| (Sequence(n), payload(n))).collect::<Vec<_>>());
}
