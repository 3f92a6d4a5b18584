//! A disk that does not come back holds nobody up: what waits is told, kept, and durable when it comes back.

use crate::recovering::check_flushed;
use crate::rig::{Rig, eager, payload};
use journal::testing::{FaultyDisk, PowerCut, random};
use journal::{Disk, Health, Journal, Notice, Options, Outcome, SegmentFile, Sequence};
use std::io;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// What a stuck disk does not do until it is let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stuck {
    Nothing,
    Creating,
    Writing,
    Flushing,
}

/// Where everybody waits for a stuck disk.
#[derive(Clone)]
struct Gate(Arc<(Mutex<Stuck>, Condvar)>);

impl Gate {
    fn set(&self, stuck: Stuck) {
        *self.0.0.lock().expect("sound") = stuck;
        self.0.1.notify_all();
    }

    fn pass(&self, doing: Stuck) {
        let mut stuck = self.0.0.lock().expect("sound");
        while *stuck == doing {
            stuck = self.0.1.wait(stuck).expect("sound");
        }
    }
}

struct StuckDisk {
    disk: FaultyDisk,
    gate: Gate,
}

struct StuckFile {
    file: Box<dyn SegmentFile>,
    gate: Gate,
}

impl Disk for StuckDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn SegmentFile>> {
        Ok(Box::new(StuckFile { file: self.disk.open(name)?, gate: self.gate.clone() }))
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Box<dyn SegmentFile>> {
        self.gate.pass(Stuck::Creating);
        Ok(Box::new(StuckFile { file: self.disk.create(name, bytes)?, gate: self.gate.clone() }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.disk.sync_directory()
    }

    fn place(&self, name: &str) -> String {
        self.disk.place(name)
    }
}

impl SegmentFile for StuckFile {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.gate.pass(Stuck::Writing);
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.gate.pass(Stuck::Flushing);
        self.file.sync()
    }
}

fn impatient() -> Options {
    Options { patience: Duration::from_millis(20), ..eager() }
}

fn stuck_disk() -> (FaultyDisk, Gate) {
    (FaultyDisk::new(), Gate(Arc::new((Mutex::new(Stuck::Nothing), Condvar::new()))))
}

fn open(options: Options) -> (Rig, FaultyDisk, Gate) {
    let (disk, gate) = stuck_disk();
    let stuck = StuckDisk { disk: disk.clone(), gate: gate.clone() };
    let rig = Rig::open_with(Arc::new(stuck), options, Sequence(0)).expect("opens");
    (rig, disk, gate)
}

#[test]
fn a_write_or_flush_that_does_not_come_back_is_told_and_everything_is_durable_when_it_does() {
    for stuck in [Stuck::Writing, Stuck::Flushing] {
        for later in [0, 1, 50] {
            let (rig, disk, gate) = open(impatient());
            rig.write_durably(10);
            gate.set(stuck);
            for _ in 0..=later {
                let Outcome::NotDurable(failure) = rig.write() else {
                    panic!("{stuck:?}: the disk is stuck")
                };
                assert_eq!(failure.source.kind(), io::ErrorKind::TimedOut, "{failure}");
                assert!(matches!(rig.journal.health(), Health::Degraded(_)));
            }
            gate.set(Stuck::Nothing);
            assert_eq!(rig.recovered.recv(), Ok(Sequence(11 + later)), "{stuck:?}, {later} more");
            assert!(matches!(rig.journal.health(), Health::Durable));
            rig.write_durably(40);
            check_flushed(&disk, 51 + later);
            rig.journal.close().expect("closes");
            assert!(rig.recovered.recv().is_err(), "told once");
        }
    }
}

#[test]
fn what_comes_back_with_an_error_is_written_again_before_what_came_later() {
    let (rig, disk, gate) = open(impatient());
    rig.write_durably(10);
    disk.fail_sync_in(0);
    gate.set(Stuck::Flushing);
    for _ in 0..5 {
        assert!(matches!(rig.write(), Outcome::NotDurable(_)));
    }
    gate.set(Stuck::Nothing);
    assert_eq!(rig.recovered.recv(), Ok(Sequence(15)));
    assert_eq!(disk.syncs_after_failure(), 0);
    check_flushed(&disk, 15);
}

#[test]
fn a_try_that_takes_long_holds_nobody_up() {
    let (rig, disk, gate) = open(impatient());
    rig.write_durably(10);
    gate.set(Stuck::Creating);
    disk.fail_sync_in(0);
    for _ in 0..100 {
        assert!(matches!(rig.write(), Outcome::NotDurable(_)));
        thread::yield_now();
    }
    gate.set(Stuck::Nothing);
    assert_eq!(rig.recovered.recv(), Ok(Sequence(110)));
    check_flushed(&disk, 110);
}

#[test]
fn what_does_not_fit_into_memory_meanwhile_is_given_up_and_told() {
    let (rig, disk, gate) = open(Options { backlog_bytes: 2_000, ..impatient() });
    rig.write_durably(10);
    gate.set(Stuck::Flushing);
    let mut given_up = None;
    while given_up.is_none() {
        let Outcome::NotDurable(failure) = rig.write() else { panic!("the disk is stuck") };
        given_up = failure.given_up;
    }
    assert_eq!(given_up, Some(2_000));
    gate.set(Stuck::Nothing);
    let failure = rig.journal.close().expect_err("records were given up");
    assert_eq!(failure.given_up, Some(2_000));
    // What was on its way when the disk got stuck has come through.
    check_flushed(&disk, 11);
}

/// Says when it is dropped by a panic.
struct Alarm(Sender<bool>);

impl Drop for Alarm {
    fn drop(&mut self) {
        let _ = self.0.send(thread::panicking());
    }
}

#[test]
fn a_sink_that_panics_while_the_disk_is_stuck_ends_the_journal_and_is_told_at_once() {
    let (disk, gate) = stuck_disk();
    let stuck = StuckDisk { disk: disk.clone(), gate: gate.clone() };
    let ((tell, told), (ring, rung)) = (channel(), channel());
    let alarm = Alarm(ring);
    let sink = move |notice: Notice<'_, ()>| {
        let _kept = &alarm;
        let Notice::Released(group) = notice else { return };
        for one in group.drain(..) {
            tell.send((one.sequence.0, matches!(one.outcome, Outcome::Durable))).expect("heard");
            assert!(one.sequence.0 < 3, "planted");
        }
    };
    let opened = Journal::open_on(Arc::new(stuck), impatient(), Sequence(0), |_, _| Ok(()), sink);
    let (journal, _) = opened.expect("opens");
    journal.append(b"one", ()).expect("appended");
    assert_eq!(told.recv(), Ok((1, true)));
    gate.set(Stuck::Flushing);
    journal.append(b"two", ()).expect("appended");
    assert_eq!(told.recv(), Ok((2, false)));
    for _ in 0..3 {
        // The last ones may come when it has ended.
        let _ = journal.append(b"more", ());
    }
    assert_eq!(rung.recv(), Ok(true), "before the disk is back");
    gate.set(Stuck::Nothing);
    while journal.append(b"later", ()).is_ok() {
        thread::yield_now();
    }
    drop(journal);
    assert!(told.iter().all(|(sequence, durable)| sequence == 3 && !durable), "it is not called again");
    let image = disk.after(PowerCut::LosesNothing);
    let read: Vec<_> = journal::read_on(Arc::new(image)).map(|record| record.expect("sound")).collect();
    assert_eq!(read, [(Sequence(1), b"one".to_vec()), (Sequence(2), b"two".to_vec())]);
}

#[test]
fn what_came_meanwhile_is_written_with_few_flushes() {
    let (rig, disk, gate) = open(impatient());
    rig.write_durably(10);
    gate.set(Stuck::Creating);
    disk.fail_sync_in(0);
    for _ in 0..1_000 {
        assert!(matches!(rig.write(), Outcome::NotDurable(_)));
    }
    let before = disk.syncs();
    gate.set(Stuck::Nothing);
    assert_eq!(rig.recovered.recv(), Ok(Sequence(1_010)));
    // Segments are small here, and each that is filled costs two.
    assert!(disk.syncs() - before < 300, "{} flushes", disk.syncs() - before);
    check_flushed(&disk, 1_010);
}

#[test]
fn a_disk_that_gets_stuck_again_and_again_keeps_everything_in_order() {
    for seed in 0..20 {
        let (rig, disk, gate) = open(Options { patience: Duration::from_millis(4), ..impatient() });
        let mut state = seed;
        let kinds = [Stuck::Nothing, Stuck::Creating, Stuck::Writing, Stuck::Flushing];
        for sequence in 1..=400 {
            if random(&mut state).is_multiple_of(10) {
                gate.set(kinds[random(&mut state) as usize % kinds.len()]);
                if random(&mut state).is_multiple_of(3) {
                    disk.fail_sync_in(random(&mut state) % 5);
                }
            }
            rig.journal.append(&payload(sequence), sequence).expect("appended");
            if random(&mut state).is_multiple_of(8) {
                thread::sleep(Duration::from_millis(random(&mut state) % 10));
            }
        }
        gate.set(Stuck::Nothing);
        while rig.journal.durable() < Sequence(400) {
            thread::yield_now();
        }
        rig.journal.close().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let mut not_durable = 0;
        let released: Vec<u64> = rig
            .released
            .iter()
            .map(|one| {
                not_durable += u64::from(matches!(one.outcome, Outcome::NotDurable(_)));
                one.sequence.0
            })
            .collect();
        let recovered = rig.recovered.iter().count();
        assert_eq!(released, (1..=400).collect::<Vec<_>>(), "seed {seed}: each is released once, in order");
        assert_eq!(
            not_durable > 0,
            recovered > 0,
            "seed {seed}: {not_durable} not durable, {recovered} recovered"
        );
        assert_eq!(disk.syncs_after_failure(), 0, "seed {seed}");
        check_flushed(&disk, 400);
    }
}
