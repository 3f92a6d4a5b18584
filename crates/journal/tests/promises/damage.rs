//! A torn end is cut and reported; damage to what was flushed is refused; nothing is ever left out silently.

use crate::rig::{Rig, journal_of, payload};
use journal::testing::{FaultyDisk, PowerCut, random};
use journal::{Disk, Fault, OpenError, ReadError, Sequence};
use std::sync::Arc;

const FIRST: &str = "00000000000000000001.seg";
const RECORD_HEADER: usize = 64;

/// A journal of `records`, each flushed alone, as a crash right after the last one leaves it.
fn crashed(records: u64) -> FaultyDisk {
    let disk = FaultyDisk::new();
    let rig = Rig::open(Arc::new(disk.clone())).expect("opens");
    rig.write_durably(records);
    disk.after(PowerCut::LosesAll)
}

fn closed(records: u64) -> FaultyDisk {
    journal_of(records).after(PowerCut::LosesAll)
}

/// Where record `sequence` starts in the first segment.
fn start_of(sequence: u64) -> usize {
    let slots = (1..sequence).map(|before| RECORD_HEADER + payload(before).len().next_multiple_of(8));
    128 + slots.sum::<usize>()
}

fn segments(disk: &FaultyDisk) -> Vec<String> {
    disk.list().expect("listed").into_iter().filter(|name| name.ends_with(".seg")).collect()
}

fn fault(error: OpenError) -> Fault {
    match error {
        OpenError::Damaged(fault) => fault,
        OpenError::Locked(_)
        | OpenError::Io { .. }
        | OpenError::Ahead { .. }
        | OpenError::Behind { .. }
        | OpenError::Foreign { .. }
        | OpenError::Replay { .. } => panic!("{error}"),
    }
}

#[test]
fn an_end_torn_at_any_byte_of_the_last_two_records_is_right_or_cut_and_reported() {
    let image = crashed(6);
    let [fifth, sixth, end] = [start_of(5), start_of(6), start_of(7)];
    for from in fifth..=end {
        let torn = image.after(PowerCut::LosesNothing);
        torn.tamper(FIRST, |bytes| bytes[from..].fill(0));
        let left = torn.bytes(FIRST);
        let rig = Rig::open(Arc::new(torn.clone())).unwrap_or_else(|error| panic!("byte {from}: {error}"));
        let head = rig.report.head.0;
        rig.check_replayed(1, head);
        let whole = if from >= sixth { 5 } else { 4 };
        // The last bytes of a record may be zeros anyway, or padding.
        let is_whole = torn_nothing(&image, from, start_of(head + 1));
        assert!(head == whole || is_whole, "byte {from}: {head} records");
        let is_clean = left[start_of(head + 1)..].iter().all(|byte| *byte == 0);
        assert_eq!(rig.report.cut.is_none(), is_clean, "byte {from}");
        rig.write_durably(1);
        drop(rig);
        Rig::open(Arc::new(torn)).expect("opens again").check_replayed(1, head + 1);
    }
}

fn torn_nothing(image: &FaultyDisk, from: usize, end: usize) -> bool {
    from >= end || image.bytes(FIRST)[from..end].iter().all(|byte| *byte == 0)
}

#[test]
fn a_hole_of_any_size_in_a_record_that_was_flushed_is_refused_with_its_place() {
    let image = crashed(6);
    let (fifth, sixth) = (start_of(5), start_of(6));
    for from in fifth..fifth + RECORD_HEADER + payload(5).len() {
        if torn_nothing(&image, from, sixth) {
            continue;
        }
        let holed = image.after(PowerCut::LosesNothing);
        holed.tamper(FIRST, |bytes| bytes[from..sixth].fill(0));
        let error = Rig::open(Arc::new(holed.clone())).err().expect("refused");
        let Fault::Damaged { place, offset, sequence, .. } = fault(error) else { panic!("byte {from}") };
        assert_eq!((place.as_str(), offset, sequence), (FIRST, fifth as u64, Sequence(5)));
        let unchanged = holed.bytes(FIRST);
        assert_eq!(unchanged[sixth..], image.bytes(FIRST)[sixth..], "a refused journal is left as it is");
        let verified = journal::verify_on(Arc::new(holed));
        assert_eq!((verified.records, verified.head), (4, Sequence(4)));
        assert!(matches!(verified.fault, Some(ReadError::Damaged(Fault::Damaged { .. }))));
    }
}

#[test]
fn a_cut_off_file_is_refused_at_every_length() {
    let image = crashed(3);
    for length in (0..4096).step_by(7) {
        let short = image.after(PowerCut::LosesNothing);
        short.tamper(FIRST, |bytes| bytes.truncate(length));
        let error = Rig::open(Arc::new(short)).err().expect("refused");
        assert!(matches!(fault(error), Fault::Size { .. } | Fault::Header { .. }), "length {length}");
    }
}

#[test]
fn ten_thousand_flipped_bits_are_seen_or_harmless() {
    let mut state = 1;
    let (mut right, mut refused, mut cut) = (0, 0, 0);
    for (image, proven) in [(crashed(40), 39), (closed(40), 40)] {
        let names = segments(&image);
        for _ in 0..5_000 {
            let flipped = image.after(PowerCut::LosesNothing);
            let name = &names[random(&mut state) as usize % names.len()];
            let bit = random(&mut state) as usize % (4096 * 8);
            flipped.tamper(name, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
            let verified = journal::verify_on(Arc::new(flipped.clone()));
            match Rig::open(Arc::new(flipped)) {
                Err(error) => {
                    fault(error);
                    assert!(verified.fault.is_some(), "{name}, bit {bit}");
                    refused += 1;
                }
                Ok(rig) => {
                    let head = rig.report.head.0;
                    rig.check_replayed(1, head);
                    assert!(head >= proven, "{name}, bit {bit}: {head} records");
                    assert!(head == 40 || rig.report.cut.is_some(), "{name}, bit {bit}: silently fewer");
                    assert_eq!(verified.head.0, head);
                    cut += u32::from(head < 40);
                    right += u32::from(head == 40);
                }
            }
        }
    }
    assert!(right > 100 && refused > 5_000 && cut > 10, "{right} right, {refused} refused, {cut} cut");
}

#[test]
fn a_missing_segment_is_refused_even_when_its_records_are_not_asked_for() {
    let image = closed(60);
    let names = segments(&image);
    assert!(names.len() > 3);
    for missing in &names[1..names.len() - 1] {
        for from in [0, 60] {
            let holed = image.after(PowerCut::LosesNothing);
            holed.remove(missing).expect("removed");
            let error = Rig::open_after(Arc::new(holed), from).err().expect("refused");
            assert!(matches!(fault(error), Fault::MissingSegment { .. }));
        }
    }
    image.remove(&names[0]).expect("removed");
    let error = Rig::open(Arc::new(image.clone())).err().expect("refused");
    assert!(matches!(error, OpenError::Behind { .. }), "{error}");
    Rig::open_after(Arc::new(image), 59).expect("older segments may be archived").check_replayed(60, 60);
}

#[test]
fn a_segment_of_another_journal_is_refused() {
    let (ours, theirs) = (closed(60), crashed(60));
    // Same records, so the same hashes, until one of them differs.
    let other = FaultyDisk::new();
    let rig = Rig::open(Arc::new(other.clone())).expect("opens");
    rig.journal.append(&[1; 100], 0).expect("appended");
    rig.released.recv().expect("released");
    rig.write_durably(59);
    rig.journal.close().expect("closes");
    assert_eq!(segments(&ours), segments(&theirs));
    let name = &segments(&other)[1];
    let mixed = ours.after(PowerCut::LosesNothing);
    if segments(&ours).contains(name) {
        mixed.tamper(name, |bytes| *bytes = other.bytes(name));
        let error = Rig::open(Arc::new(mixed)).err().expect("refused");
        assert!(matches!(fault(error), Fault::BrokenChain { .. }));
    } else {
        panic!(
            "the first segments of both journals should hold the same number of records: choose other lengths"
        );
    }
}

#[test]
fn a_record_that_was_taken_out_is_missed() {
    let image = crashed(6);
    let (fifth, sixth, end) = (start_of(5), start_of(6), start_of(7));
    image.tamper(FIRST, |bytes| bytes.copy_within(sixth..end, fifth));
    let error = Rig::open(Arc::new(image)).err().expect("refused");
    let Fault::Gap { offset, expected, found, .. } = fault(error) else { panic!("another fault") };
    assert_eq!((offset, expected, found), (fifth as u64, Sequence(5), Sequence(6)));
}

#[test]
fn a_newer_format_is_refused_as_such() {
    let image = closed(3);
    image.tamper(FIRST, |bytes| {
        bytes[8] = 2;
        let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..128]);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    });
    let error = Rig::open(Arc::new(image)).err().expect("refused");
    assert!(matches!(fault(error), Fault::Version { found: 2, .. }));
}

#[test]
fn a_replay_that_fails_names_the_record() {
    let image = closed(5);
    let outcome = journal::Journal::<()>::open_on(
        Arc::new(image),
        crate::rig::small(),
        Sequence(0),
        |sequence, _| if sequence.0 == 3 { Err("unknown event".into()) } else { Ok(()) },
        |_| {},
    );
    let error = outcome.expect_err("refused");
    assert_eq!(error.to_string(), "record 3 cannot be replayed: unknown event");
}
