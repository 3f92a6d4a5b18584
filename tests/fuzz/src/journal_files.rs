//! Target: hostile segment files: opening, verifying and reading must say the same, and leave out nothing silently.
//!
//! What is there is told by [`sound`], which reads the format by its description and shares no code with the journal.

use std::sync::Arc;

use journal::{
    Disk as _, Fault, Journal, Notice, OpenError, Options, Outcome, Sequence, testing::FaultyDisk,
};

use crate::{Target, bytes::Bytes};

pub(crate) const TARGET: Target =
    Target { name: "journal_files", run, seeds, max_len: 8192, memory: 4 << 20 };

const SEGMENT_HEADER: usize = 128;
const RECORD_HEADER: usize = 64;
/// Sizes a file is filled up to with zeros.
const SIZES: [usize; 4] = [0, 4096, 8192, 65_536];

/// Up to four files, each with a byte that says what is mended in it, the length of its bytes, and these.
fn run(data: &[u8]) {
    let mut data = Bytes(data);
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    let mut before = Link::default();
    while !data.is_empty() && files.len() < 4 {
        let wishes = data.byte();
        let length = data.number();
        let mut file = data.take(length).to_vec();
        file.resize(file.len().max(SIZES[usize::from(wishes >> 6)]), 0);
        before = mend(&mut file, wishes, before);
        let first = file.get(16..24).map_or(0, number);
        files.push((format!("{first:020}.seg"), file));
    }
    check(&files);
}

/// Opens, verifies and reads the files, and compares.
fn check(files: &[(String, Vec<u8>)]) {
    let disk = FaultyDisk::new();
    for (name, bytes) in files {
        drop(disk.create(name, 0));
        disk.tamper(name, |file| file.clone_from(bytes));
    }
    disk.sync_directory().expect("memory does not fail");
    let verified = journal::verify_on(Arc::new(disk.clone()));
    let mut reader = journal::read_on(Arc::new(disk.clone()));
    let read: Vec<_> = reader.by_ref().map_while(Result::ok).collect();
    assert_eq!(reader.cut(), verified.cut.as_ref());
    assert_eq!(read.len() as u64, verified.records);
    assert_eq!(read.last().map_or(verified.head.0, |(last, _)| last.0), verified.head.0);
    let names = disk.list().expect("listed");
    let mut stored: Vec<Vec<u8>> = names.iter().map(|name| disk.bytes(name)).collect();
    stored.retain(|bytes| !bytes.is_empty());
    let there = sound(&stored);
    assert!(
        there.starts_with(&read.iter().map(|(_, payload)| payload.clone()).collect::<Vec<_>>()),
        "invented"
    );
    let is_told = verified.fault.is_some() || verified.cut.is_some();
    assert!(read.len() == there.len() || is_told, "silently fewer: {} of {}", read.len(), there.len());
    match open(&disk, 0) {
        Err(OpenError::Damaged(_)) => assert!(verified.fault.is_some(), "refused, and verified as sound"),
        Err(OpenError::Behind { .. }) => assert!(names[0] > format!("{:020}.seg", 1)),
        Err(
            other @ (OpenError::Locked(_)
            | OpenError::Io { .. }
            | OpenError::Ahead { .. }
            | OpenError::Foreign { .. }
            | OpenError::Replay { .. }),
        ) => {
            panic!("{other}")
        }
        Ok((report, replayed)) => {
            assert!(verified.fault.is_none(), "opened, and verified as damaged: {:?}", verified.fault);
            assert!(replayed == read, "other records are replayed than are read");
            assert_eq!((report.head, report.head_hash), (verified.head, verified.head_hash));
            assert_eq!(report.cut, verified.cut);
            goes_on(&disk, &read);
        }
    }
}

/// A journal that was opened, and got one more record, opens again with the same records and that one.
fn goes_on(disk: &FaultyDisk, read: &[(Sequence, Vec<u8>)]) {
    let (report, replayed) = match open(disk, 0) {
        // No writer fills a segment so that the mark has no room; who finds one like that writes the mark behind its end.
        Err(OpenError::Damaged(Fault::Size { expected, found, .. })) if found > expected => return,
        opened => opened.expect("what was opened once opens again"),
    };
    let Some(((_, last), rest)) = replayed.split_last() else { panic!("the new record is lost") };
    // A segment whose tag makes zeros look like the beginning of a record is said to be cut by no bytes, each time.
    let is_whole = report.cut.as_ref().is_none_or(|cut| cut.bytes == 0);
    assert!(rest == read && last == NEW && is_whole, "after it was opened: {report:?}");
    let half = read.first().map_or(0, |(first, _)| first.0 - 1) + read.len() as u64 / 2;
    let (_, later) = open(disk, half).expect("it opens from the middle");
    assert_eq!(later.first().map(|(first, _)| first.0), Some(half + 1));
}

type Records = Vec<(Sequence, Vec<u8>)>;
const NEW: &[u8] = b"new";

/// Opens the journal, adds a record, and closes it.
fn open(disk: &FaultyDisk, from: u64) -> Result<(journal::OpenReport, Records), OpenError> {
    let options = Options {
        segment_bytes: 4096,
        ballast_bytes: 0,
        queue_records: 4,
        queue_bytes: 4096,
        ..Options::default()
    };
    let mut replayed = Vec::new();
    let (sender, released) = std::sync::mpsc::channel();
    let (journal, report) = Journal::open_on(
        Arc::new(disk.clone()),
        options,
        Sequence(from),
        |sequence, payload| {
            replayed.push((sequence, payload.to_vec()));
            Ok(())
        },
        move |notice: Notice<'_, ()>| {
            let Notice::Released(group) = notice else { return };
            group.drain(..).for_each(|one| drop(sender.send(one.outcome)));
        },
    )?;
    journal.append(NEW, ()).expect("it takes records");
    assert!(matches!(released.recv(), Ok(Outcome::Durable)), "memory does not fail");
    journal.close().expect("it closes");
    Ok((report, replayed))
}

/// What a segment takes up from the one before it.
#[derive(Clone, Copy, Default)]
struct Link {
    first: u64,
    head: u64,
    hash: [u8; 32],
}

/// Makes checksums right where `wishes` says so, for nobody finds them by trying: 1 of the header, 2 of the records,
/// 4 the links between files, 8 those between records.
fn mend(file: &mut [u8], wishes: u8, before: Link) -> Link {
    let size = file.len() as u64;
    let Some(header) = file.get_mut(..SEGMENT_HEADER) else { return before };
    if wishes & 1 != 0 {
        header[..8].copy_from_slice(b"ANHUJRNL");
        header[8..12].copy_from_slice(&1_u32.to_le_bytes());
        header[32..40].copy_from_slice(&size.to_le_bytes());
    }
    if wishes & 4 != 0 {
        header[16..24].copy_from_slice(&before.head.wrapping_add(1).to_le_bytes());
        header[24..32].copy_from_slice(&before.first.to_le_bytes());
        header[48..80].copy_from_slice(&before.hash);
    }
    if wishes & 1 != 0 {
        let crc = crc32c::crc32c_append(crc32c::crc32c(&header[..12]), &header[16..]);
        header[12..16].copy_from_slice(&crc.to_le_bytes());
    }
    let first = number(&header[16..24]);
    let tag: [u8; 4] = header[40..44].try_into().unwrap_or_default();
    let mut link =
        Link { first, head: first.wrapping_sub(1), hash: header[48..80].try_into().unwrap_or_default() };
    let mut at = SEGMENT_HEADER;
    while let Some((kind, length)) = slot(file, at, tag) {
        let record = &mut file[at..at + RECORD_HEADER + length];
        let due = link.head.wrapping_add(u64::from(kind == b'R'));
        if wishes & 8 != 0 {
            record[16..24].copy_from_slice(&due.to_le_bytes());
            record[32..64].copy_from_slice(&link.hash);
        }
        if wishes & 2 != 0 {
            let crc = crc(record);
            record[8..12].copy_from_slice(&crc.to_le_bytes());
        }
        if kind == b'R' {
            link = Link { head: due, hash: *blake3::hash(record).as_bytes(), ..link };
        }
        at += RECORD_HEADER + length.next_multiple_of(8);
    }
    link
}

/// The kind and the payload's length of what says that it is a record here.
fn slot(file: &[u8], at: usize, tag: [u8; 4]) -> Option<(u8, usize)> {
    let header = file.get(at..at + RECORD_HEADER)?;
    let magic: Vec<u8> = header[..4].iter().zip(tag).map(|(byte, tag)| byte ^ tag).collect();
    let length = u32::from_le_bytes(header[4..8].try_into().ok()?) as usize;
    let fits = file.len() - at - RECORD_HEADER >= length;
    ((magic == b"RECD" || magic == b"MARK") && fits).then_some((magic[0], length))
}

fn crc(record: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&record[..8]), &record[12..])
}

fn number(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_le_bytes)
}

/// The payloads of the records that follow from each other, from the first file on, up to the first that does not.
fn sound(files: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    let mut chain: Option<(u64, [u8; 32])> = None;
    for file in files {
        let Some(header) = file.get(..SEGMENT_HEADER) else { break };
        let first = number(&header[16..24]);
        let previous: [u8; 32] = header[48..80].try_into().unwrap_or_default();
        let (mut head, mut hash) = chain.unwrap_or((first.wrapping_sub(1), previous));
        if (head.wrapping_add(1), hash) != (first, previous) {
            break;
        }
        let tag: [u8; 4] = header[40..44].try_into().unwrap_or_default();
        let mut at = SEGMENT_HEADER;
        while let Some((kind, length)) = slot(file, at, tag) {
            let record = &file[at..at + RECORD_HEADER + length];
            let due = head.wrapping_add(u64::from(kind == b'R'));
            let follows = number(&record[16..24]) == due && record[32..64] == hash;
            if !follows || crc(record).to_le_bytes() != record[8..12] {
                break;
            }
            if kind == b'R' {
                (head, hash) = (due, *blake3::hash(record).as_bytes());
                payloads.push(record[RECORD_HEADER..].to_vec());
            }
            at += RECORD_HEADER + length.next_multiple_of(8);
        }
        chain = Some((head, hash));
    }
    payloads
}

/// Journals of several segments and of one, closed and cut off, with and without their checksums being mended.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (records, closed) in [(0, true), (3, false), (12, true), (60, true)] {
        let disk = FaultyDisk::new();
        write(&disk, records, closed);
        let names = disk.list().expect("listed");
        let files: Vec<Vec<u8>> =
            names.iter().filter(|name| name.ends_with(".seg")).map(|name| disk.bytes(name)).collect();
        for wishes in [0x40, 0x4b, 0x4f] {
            seeds.push(files.iter().take(3).flat_map(|file| packed(file, wishes)).collect());
        }
    }
    seeds.retain(|seed: &Vec<u8>| seed.len() <= TARGET.max_len);
    seeds
}

fn packed(file: &[u8], wishes: u8) -> Vec<u8> {
    let end = file.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    [&[wishes], &(end as u16).to_le_bytes()[..], &file[..end]].concat()
}

fn write(disk: &FaultyDisk, records: usize, closed: bool) {
    let options = Options { segment_bytes: 4096, ballast_bytes: 0, ..Options::default() };
    let (sender, released) = std::sync::mpsc::channel();
    let opened = Journal::open_on(
        Arc::new(disk.clone()),
        options,
        Sequence(0),
        |_, _| Ok(()),
        move |notice: Notice<'_, ()>| {
            let Notice::Released(group) = notice else { return };
            group.drain(..).for_each(|_| sender.send(()).expect("a listener"));
        },
    );
    let (journal, _) = opened.expect("it opens");
    for record in 0..records {
        journal.append(&vec![record as u8; record % 40], ()).expect("appended");
        released.recv().expect("released");
    }
    if closed {
        journal.close().expect("it closes");
    }
}
