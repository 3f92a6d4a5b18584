//! A power cut loses nothing that was released, and never makes a journal that does not open.

use crate::rig::{Rig, payload, small};
use crate::watched::Watched;
use journal::testing::{FaultyDisk, PowerCut};
use journal::{Journal, Notice, Sequence};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread;

const FIRST: &str = "00000000000000000001.seg";

/// Opens what a power cut leaves and asserts that the first `released` records are there, and no wrong ones.
fn check_survivors(image: FaultyDisk, released: u64, seed: u64) {
    let rig = Rig::open(Arc::new(image.clone())).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    let survived = rig.report.head.0;
    assert!(survived >= released, "seed {seed}: {released} were released, {survived} survived");
    rig.check_replayed(1, survived);
    rig.write_durably(1);
    drop(rig);
    let rig = Rig::open(Arc::new(image)).expect("opens after the crash was dealt with");
    rig.check_replayed(1, survived + 1);
    assert_eq!(rig.report.cut, None);
}

#[test]
fn every_released_record_survives_a_power_cut_that_reorders_sectors() {
    let released = Arc::new(AtomicU64::new(0));
    let cuts = Arc::new(AtomicU64::new(0));
    let torn = Arc::new(AtomicU64::new(0));
    let look = {
        let (released, cuts, torn) = (Arc::clone(&released), Arc::clone(&cuts), Arc::clone(&torn));
        move |disk: &FaultyDisk| {
            for _ in 0..12 {
                let released = released.load(Ordering::SeqCst);
                let seed = cuts.fetch_add(1, Ordering::SeqCst);
                let image = disk.after(PowerCut::LosesSome(seed));
                let is_torn = journal::verify_on(Arc::new(image.clone())).cut.is_some();
                torn.fetch_add(u64::from(is_torn), Ordering::SeqCst);
                check_survivors(image, released, seed);
            }
        }
    };
    let disk = Watched::new(FaultyDisk::new(), look);
    let rig = Rig::open(Arc::new(disk)).expect("opens");
    let mut appended = 0;
    for group in 1..=60 {
        for _ in 0..group % 17 {
            appended += 1;
            rig.journal.append(&payload(appended), appended).expect("appended");
        }
        while released.load(Ordering::SeqCst) + 40 < appended {
            let one = rig.released.recv().expect("released");
            released.store(one.sequence.0, Ordering::SeqCst);
        }
    }
    rig.journal.close().expect("closes");
    assert!(cuts.load(Ordering::SeqCst) > 300 && torn.load(Ordering::SeqCst) > 50);
}

/// A journal of one record of 256 bytes, and behind it one unflushed group: an empty record of which the start did not
/// land, and a whole one. Cutting that group writes a mark where the empty record was, at the very end of a sector;
/// the whole record starts the next sector, where a record is then expected.
fn torn_behind_one() -> FaultyDisk {
    let disk = FaultyDisk::new();
    let (go, gate) = channel::<()>();
    let sink = move |_: Notice<'_, ()>| gate.recv().expect("let go");
    let (journal, _) =
        Journal::open_on(Arc::new(disk.clone()), small(), Sequence(0), |_, _| Ok(()), sink).expect("opens");
    let wait_for = |sequence| {
        while journal.durable() < Sequence(sequence) {
            thread::yield_now();
        }
    };
    journal.append(&[1; 256], ()).expect("appended");
    wait_for(1);
    // The committer is held in the release of that record, so the next two are one group.
    journal.append(b"", ()).expect("appended");
    journal.append(&[7; 900], ()).expect("appended");
    go.send(()).expect("sent");
    wait_for(3);
    let image = disk.after(PowerCut::LosesAll);
    go.send(()).expect("sent");
    image.tamper(FIRST, |bytes| bytes[448..456].fill(0));
    image
}

#[test]
fn a_power_cut_while_a_torn_end_is_being_cut_loses_nothing_either() {
    let image = torn_behind_one();
    for seed in 0..100 {
        let look = move |disk: &FaultyDisk| {
            let rig = Rig::open(Arc::new(disk.after(PowerCut::LosesSome(seed))));
            let rig = rig.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert_eq!(rig.replayed, [(Sequence(1), vec![1; 256])]);
        };
        let again = image.after(PowerCut::LosesNothing);
        let rig = Rig::open(Arc::new(Watched::new(again, look))).expect("opens");
        let cut = rig.report.cut.expect("reported");
        assert_eq!((cut.offset, cut.bytes), (448, 64 + 64 + 900));
    }
}
