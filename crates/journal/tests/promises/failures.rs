//! After a failed write or flush nothing is promised any more, and the file is left alone.

use crate::rig::{Rig, payload, small};
use journal::testing::{FaultyDisk, PowerCut};
use journal::{Health, Journal, Notice, Outcome, Sequence};
use std::sync::Arc;

/// Opens a journal with ten durable records, lets the disk fail as told, and asserts that of ten more none is
/// released as durable.
fn degrade(disk: &FaultyDisk, fail: impl FnOnce(&FaultyDisk)) -> Rig {
    let rig = Rig::open(Arc::new(disk.clone())).expect("opens");
    rig.write_durably(10);
    assert!(matches!(rig.journal.health(), Health::Durable));
    fail(disk);
    for _ in 0..10 {
        assert!(matches!(rig.write(), Outcome::NotDurable(_)));
    }
    rig.journal.barrier(0).expect("queued");
    assert!(matches!(rig.released.recv().expect("released").outcome, Outcome::NotDurable(_)));
    let Health::Degraded(failure) = rig.journal.health() else { panic!("the failure is hidden") };
    assert!(failure.given_up.is_none() && !failure.to_string().is_empty());
    assert_eq!(rig.journal.durable(), Sequence(10));
    rig
}

#[test]
fn after_a_failed_flush_nothing_is_durable_and_the_file_is_not_flushed_again() {
    let disk = FaultyDisk::new();
    let rig = degrade(&disk, |disk| disk.fail_sync_in(0));
    // The end of the journal tries once more, with a new file.
    assert_eq!(rig.journal.close().expect("recovered"), Sequence(20));
    assert_eq!(rig.recovered.iter().collect::<Vec<_>>(), [Sequence(20)]);
    assert_eq!(disk.syncs_after_failure(), 0);
    Rig::open(Arc::new(disk.after(PowerCut::LosesAll))).expect("opens").check_replayed(1, 20);
}

#[test]
fn after_a_failed_write_nothing_is_durable_and_the_file_is_not_flushed_again() {
    let disk = FaultyDisk::new();
    let rig = degrade(&disk, |disk| disk.fail_write_in(0));
    Rig::open(Arc::new(disk.after(PowerCut::LosesAll))).expect("opens").check_replayed(1, 10);
    rig.journal.close().expect("recovered");
    assert_eq!(disk.syncs_after_failure(), 0);
}

#[test]
fn on_a_full_disk_nothing_is_durable_and_with_space_the_journal_opens_with_all_that_was() {
    for left in [0, 1, 63, 200] {
        let disk = FaultyDisk::new();
        let rig = degrade(&disk, |disk| disk.limit_space(Some(left)));
        assert!(rig.journal.close().is_err());
        assert_eq!(disk.syncs_after_failure(), 0);
        disk.limit_space(None);
        let rig = Rig::open(Arc::new(disk)).expect("opens");
        // What did get onto the disk before it was full was not promised, but may be there.
        let head = rig.report.head.0;
        assert!((10..=12).contains(&head), "{head}");
        assert_eq!(rig.replayed[..10], (1..=10).map(|n| (Sequence(n), payload(n))).collect::<Vec<_>>());
    }
}

#[test]
fn without_space_for_the_next_segment_the_records_so_far_are_kept() {
    let disk = FaultyDisk::new();
    let rig = Rig::open(Arc::new(disk.clone())).expect("opens");
    rig.write_durably(1);
    disk.limit_space(Some(10_000));
    let durable = (0..200).take_while(|_| matches!(rig.write(), Outcome::Durable)).count() as u64;
    assert!(durable > 10);
    drop(rig);
    let rig = Rig::open(Arc::new(disk.after(PowerCut::LosesAll))).expect("opens");
    rig.check_replayed(1, durable + 1);
}

#[test]
fn what_is_replayed_after_a_failed_flush_is_written_again_before_it_counts() {
    let disk = FaultyDisk::new();
    let killed = degrade(&disk, |disk| disk.fail_sync_in(0));
    // The kernel still shows the bytes of the failed flush, calls them clean and would never write them.
    let rig = Rig::open(Arc::new(disk.clone())).expect("opens");
    rig.check_replayed(1, 11);
    let after_power_cut = disk.after(PowerCut::LosesAll);
    Rig::open(Arc::new(after_power_cut)).expect("opens").check_replayed(1, 11);
    // It was killed long ago, and so must not write at its end.
    disk.limit_space(Some(0));
    drop(killed);
}

#[test]
fn short_writes_are_continued() {
    let disk = FaultyDisk::new();
    disk.limit_writes(13);
    let rig = Rig::open(Arc::new(disk.clone())).expect("opens");
    rig.write_durably(40);
    rig.journal.close().expect("closes");
    Rig::open(Arc::new(disk.after(PowerCut::LosesAll))).expect("opens").check_replayed(1, 40);
}

#[test]
fn a_failure_in_the_middle_of_rotation_leaves_a_journal_that_opens() {
    // Each count lets another flush fail: of a record, of the header of a segment, of a segment made ahead.
    for flushes in 0..60 {
        let disk = FaultyDisk::new();
        let sink = |_: Notice<'_, ()>| {};
        let (journal, _) =
            Journal::open_on(Arc::new(disk.clone()), small(), Sequence(0), |_, _| Ok(()), sink)
                .expect("opens");
        disk.fail_sync_in(flushes);
        for sequence in 1..=100 {
            journal.append(&payload(sequence), ()).expect("appended");
        }
        // Which of the flushes failed is of no interest here.
        let _ = journal.close();
        let image = disk.after(PowerCut::LosesAll);
        let rig =
            Rig::open(Arc::new(image.clone())).unwrap_or_else(|error| panic!("flush {flushes}: {error}"));
        let head = rig.report.head.0;
        rig.check_replayed(1, head);
        // The last segment may be empty: a record that needs its own takes its place.
        rig.journal.append(&[7; 5000], 0).expect("appended");
        rig.journal.close().expect("closes");
        let verified = journal::verify_on(Arc::new(image.clone()));
        assert!(verified.fault.is_none() && verified.head == Sequence(head + 1), "flush {flushes}");
        Rig::open_after(Arc::new(image), head).expect("opens with its neighbours in order");
    }
}
