//! On a full disk the ballast makes room: the journal goes on, and it opens.

use crate::rig::{Rig, eager};
use journal::testing::{FaultyDisk, PowerCut};
use journal::{Disk, Health, Options, Outcome, Sequence};
use std::sync::Arc;
use std::thread;

const BALLAST: &str = "ballast";
const BALLAST_BYTES: usize = 12 << 10;

fn open(disk: &FaultyDisk) -> Rig {
    let options = Options { ballast_bytes: BALLAST_BYTES as u64, ..eager() };
    Rig::open_with(Arc::new(disk.clone()), options, Sequence(0)).expect("opens")
}

fn has_ballast(disk: &FaultyDisk) -> bool {
    disk.open(BALLAST).and_then(|file| file.size()).is_ok_and(|size| size == BALLAST_BYTES as u64)
}

fn wait_until(what: impl Fn() -> bool) {
    while !what() {
        thread::yield_now();
    }
}

/// A journal with its ballast, on a disk on which somebody else has taken all that was left.
fn on_full_disk() -> (FaultyDisk, Rig) {
    let disk = FaultyDisk::new();
    let rig = open(&disk);
    rig.write_durably(5);
    wait_until(|| has_ballast(&disk) && disk.open("spare").is_ok());
    disk.limit_capacity(Some(disk.held()));
    (disk, rig)
}

#[test]
fn a_full_disk_takes_the_next_segments_from_the_ballast_and_nobody_is_refused() {
    let (disk, rig) = on_full_disk();
    assert!(matches!(rig.journal.health(), Health::Durable));
    // The segment made ahead, and those for which the ballast makes room.
    while has_ballast(&disk) {
        rig.write_durably(1);
    }
    assert!(matches!(rig.journal.health(), Health::OnReserve));
    rig.write_durably(10);
    let refused = (0..200).any(|_| matches!(rig.write(), Outcome::NotDurable(_)));
    assert!(refused, "in the end there is no room");
    assert!(matches!(rig.journal.health(), Health::Degraded(_)));
    // Somebody makes room: all is well by itself, and the ballast comes back with the next segment.
    disk.limit_capacity(None);
    rig.recovered.recv().expect("recovered");
    wait_until(|| has_ballast(&disk) && matches!(rig.journal.health(), Health::Durable));
    let head = rig.journal.close().expect("closes").0;
    Rig::open(Arc::new(disk.after(PowerCut::LosesAll))).expect("opens").check_replayed(1, head);
}

#[test]
fn a_journal_on_a_full_disk_opens_and_goes_on() {
    let (disk, rig) = on_full_disk();
    rig.journal.close().expect("closes");
    let rig = open(&disk);
    rig.check_replayed(1, 5);
    while has_ballast(&disk) {
        rig.write_durably(1);
    }
    assert!(matches!(rig.journal.health(), Health::OnReserve));
}

#[test]
fn even_its_first_segment_is_made_from_the_ballast() {
    let (disk, rig) = on_full_disk();
    drop(rig);
    for name in disk.list().expect("listed") {
        if name != BALLAST {
            disk.remove(&name).expect("removed");
        }
    }
    disk.limit_capacity(Some(disk.held()));
    let rig = open(&disk);
    assert!(matches!(rig.journal.health(), Health::OnReserve));
    rig.write_durably(1);
}

#[test]
fn a_disk_without_room_for_a_ballast_is_told_and_serves() {
    let disk = FaultyDisk::new();
    disk.limit_capacity(Some(3 * 4096));
    let rig = open(&disk);
    rig.write_durably(1);
    wait_until(|| matches!(rig.journal.health(), Health::OnReserve));
    rig.write_durably(3);
    assert!(disk.open(BALLAST).is_err(), "half a ballast would only take room");
}

#[test]
fn a_ballast_of_another_size_is_made_anew() {
    let disk = FaultyDisk::new();
    drop(disk.create(BALLAST, 100).expect("made"));
    let rig = open(&disk);
    wait_until(|| has_ballast(&disk));
    rig.write_durably(1);
}
