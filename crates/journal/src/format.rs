//! Format: what do the bytes of a segment mean?
//!
//! All numbers are little-endian. A segment starts with 128 bytes:
//!
//! | bytes | field |
//! |---|---|
//! | 0–7 | `ANHUJRNL` |
//! | 8–11 | format version, 1 |
//! | 12–15 | crc32c of the other 124 bytes |
//! | 16–23 | sequence of the first record |
//! | 24–31 | first sequence of the segment before this one, 0 when there is none |
//! | 32–39 | size of the file |
//! | 40–43 | tag: drawn at random for each segment |
//! | 44–47 | epoch of the writer that made it |
//! | 48–79 | hash of the last record before this segment, zeros when there is none |
//! | 80–127 | zeros |
//!
//! Records follow, each on a multiple of 8 bytes, with zeros between and after them:
//!
//! | bytes | field |
//! |---|---|
//! | 0–3 | `RECD` or `MARK`, xor the tag of the segment |
//! | 4–7 | length of the payload |
//! | 8–11 | crc32c of the other 60 header bytes and the payload |
//! | 12–15 | epoch: the writer's generation |
//! | 16–23 | sequence |
//! | 24–31 | durable: the highest sequence known to be flushed when this was written |
//! | 32–63 | hash (blake3) of the record before: its header and payload |
//! | 64– | payload |
//!
//! A *mark* has no payload and takes no sequence number: it repeats the sequence of the record before it as `durable`,
//! and so proves that this record had been flushed. One is written at a clean close and after a crash.
//!
//! The tag keeps bytes that a device sent, and that are payload here, from posing as a record when the tail is searched.

use std::fmt;

/// The longest payload this format is used for, in bytes.
pub(crate) const MAX_RECORD_BYTES: usize = 512 << 20;
pub(crate) const MIN_SEGMENT_BYTES: u64 = 4096;
/// The largest segment, in bytes: it is read as a whole.
pub(crate) const MAX_SEGMENT_BYTES: u64 = 1 << 30;
/// The most that may wait in memory, in bytes: it must fit into one segment.
pub(crate) const MAX_BACKLOG_BYTES: usize = 512 << 20;
/// The header of a segment, and of a checkpoint.
pub(crate) const HEADER_BYTES: usize = 128;
pub(crate) const SEGMENT_HEADER: usize = HEADER_BYTES;
pub(crate) const RECORD_HEADER: usize = 64;
pub(crate) const ALIGNMENT: usize = 8;
pub(crate) const VERSION: u32 = 1;

const SEGMENT_MAGIC: &[u8; 8] = b"ANHUJRNL";
const RECORD_MAGIC: u32 = u32::from_le_bytes(*b"RECD");
const MARK_MAGIC: u32 = u32::from_le_bytes(*b"MARK");

/// The blake3 hash of a record: of its header, which holds the hash of the record before, and its payload.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; 32]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) first: u64,
    pub(crate) previous_first: u64,
    pub(crate) bytes: u64,
    pub(crate) tag: u32,
    pub(crate) epoch: u32,
    pub(crate) previous: Hash,
}

/// Why the first bytes of a file are not a segment header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderFlaw {
    Magic,
    Version(u32),
    Checksum,
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER] {
        let mut bytes = [0; SEGMENT_HEADER];
        bytes[0..8].copy_from_slice(SEGMENT_MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.previous_first.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.bytes.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.tag.to_le_bytes());
        bytes[44..48].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[48..80].copy_from_slice(&self.previous.0);
        let crc = header_checksum(&bytes);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8; SEGMENT_HEADER]) -> Result<Self, HeaderFlaw> {
        if &bytes[..8] != SEGMENT_MAGIC {
            return Err(HeaderFlaw::Magic);
        }
        // The checksum comes first: a flipped bit in the version is damage, not a newer program.
        if u32_at(bytes, 12) != header_checksum(bytes) {
            return Err(HeaderFlaw::Checksum);
        }
        if u32_at(bytes, 8) != VERSION {
            return Err(HeaderFlaw::Version(u32_at(bytes, 8)));
        }
        Ok(SegmentHeader {
            first: u64_at(bytes, 16),
            previous_first: u64_at(bytes, 24),
            bytes: u64_at(bytes, 32),
            tag: u32_at(bytes, 40),
            epoch: u32_at(bytes, 44),
            previous: hash_at(bytes, 48),
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Record,
    Mark,
}

impl Kind {
    fn magic(self) -> u32 {
        match self {
            Kind::Record => RECORD_MAGIC,
            Kind::Mark => MARK_MAGIC,
        }
    }
}

/// The header of a record or a mark; the length is that of the payload beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordHeader {
    pub(crate) kind: Kind,
    pub(crate) epoch: u32,
    pub(crate) sequence: u64,
    pub(crate) durable: u64,
    pub(crate) previous: Hash,
}

/// What stands at a place where a record may start.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// Zeros where a header would be.
    Blank,
    /// A header and payload that agree with their checksum; `length` counts the payload's bytes.
    Sound {
        header: RecordHeader,
        length: usize,
        hash: Hash,
    },
    Flawed(&'static str),
}

/// The bytes a record with this payload takes in a segment.
pub(crate) fn slot_bytes(payload: usize) -> usize {
    RECORD_HEADER + payload.next_multiple_of(ALIGNMENT)
}

/// Writes the header in front of the payload (`slot` holds both, without the padding) and returns the hash.
pub(crate) fn seal(slot: &mut [u8], tag: u32, header: &RecordHeader) -> Hash {
    let (head, payload) = slot.split_at_mut(RECORD_HEADER);
    head[0..4].copy_from_slice(&(header.kind.magic() ^ tag).to_le_bytes());
    head[4..8].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    head[12..16].copy_from_slice(&header.epoch.to_le_bytes());
    head[16..24].copy_from_slice(&header.sequence.to_le_bytes());
    head[24..32].copy_from_slice(&header.durable.to_le_bytes());
    head[32..64].copy_from_slice(&header.previous.0);
    let crc = checksum(&head[..8], &head[12..]);
    let crc = crc32c::crc32c_append(crc, payload);
    head[8..12].copy_from_slice(&crc.to_le_bytes());
    Hash(*blake3::hash(slot).as_bytes())
}

/// Reads what stands at the start of `bytes`.
pub(crate) fn parse(bytes: &[u8], tag: u32) -> Slot {
    let Some(head) = bytes.get(..RECORD_HEADER) else {
        return if all_zero(bytes) { Slot::Blank } else { Slot::Flawed("cut off inside its header") };
    };
    let kind = match u32_at(head, 0) ^ tag {
        RECORD_MAGIC => Kind::Record,
        MARK_MAGIC => Kind::Mark,
        _ if all_zero(head) => return Slot::Blank,
        _ => return Slot::Flawed("no record starts here"),
    };
    let length = u32_at(head, 4) as usize;
    let Some(slot) = bytes.get(..RECORD_HEADER.saturating_add(length)) else {
        return Slot::Flawed("its length runs past the end of the file");
    };
    let crc = checksum(&head[..8], &head[12..]);
    if crc32c::crc32c_append(crc, &slot[RECORD_HEADER..]) != u32_at(head, 8) {
        return Slot::Flawed("its checksum is wrong");
    }
    let header = RecordHeader {
        kind,
        epoch: u32_at(head, 12),
        sequence: u64_at(head, 16),
        durable: u64_at(head, 24),
        previous: hash_at(head, 32),
    };
    Slot::Sound { header, length, hash: Hash(*blake3::hash(slot).as_bytes()) }
}

/// Says whether a sound record or mark in `bytes`, from `from` on, proves that `sequence` had been flushed.
pub(crate) fn proves_flushed(bytes: &[u8], from: usize, tag: u32, sequence: u64) -> bool {
    let starts = (from..bytes.len().saturating_sub(RECORD_HEADER - 1)).step_by(ALIGNMENT);
    let mut candidates = starts.map(|at| &bytes[at..]).filter(|slot| {
        let magic = u32_at(slot, 0) ^ tag;
        (magic == RECORD_MAGIC || magic == MARK_MAGIC) && u64_at(slot, 24) >= sequence
    });
    candidates.any(|slot| match parse(slot, tag) {
        Slot::Sound { .. } => true,
        Slot::Blank | Slot::Flawed(_) => false,
    })
}

pub(crate) fn all_zero(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    words.iter().all(|word| *word == [0; 8]) && rest.iter().all(|byte| *byte == 0)
}

/// The checksum of a file's header, which stands in its bytes 12 to 15.
pub(crate) fn header_checksum(header: &[u8]) -> u32 {
    checksum(&header[..12], &header[16..HEADER_BYTES])
}

fn checksum(before: &[u8], after: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(before), after)
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

pub(crate) fn hash_at(bytes: &[u8], at: usize) -> Hash {
    Hash(array_at(bytes, at))
}

/// Callers have checked that `bytes` is long enough.
pub(crate) fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: u32 = 0x1357_9bdf;

    fn header() -> RecordHeader {
        RecordHeader { kind: Kind::Record, epoch: 3, sequence: 7, durable: 6, previous: Hash([9; 32]) }
    }

    #[test]
    fn a_segment_header_reads_back_and_any_flipped_bit_is_seen() {
        let header = SegmentHeader {
            first: 7,
            previous_first: 1,
            bytes: 4096,
            tag: TAG,
            epoch: 3,
            previous: Hash([9; 32]),
        };
        let bytes = header.encode();
        assert_eq!(SegmentHeader::decode(&bytes), Ok(header));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHeader::decode(&flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_record_reads_back_and_any_flipped_bit_is_seen() {
        let mut slot = [vec![0; RECORD_HEADER], b"help".to_vec()].concat();
        let hash = seal(&mut slot, TAG, &header());
        assert_eq!(parse(&slot, TAG), Slot::Sound { header: header(), length: 4, hash });
        for bit in 0..slot.len() * 8 {
            let mut flipped = slot.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(parse(&flipped, TAG), Slot::Flawed(_)), "bit {bit}");
        }
    }

    #[test]
    fn a_payload_that_looks_like_a_record_of_another_segment_proves_nothing() {
        let mut forged = vec![0; RECORD_HEADER];
        seal(&mut forged, TAG + 1, &RecordHeader { durable: u64::MAX, ..header() });
        assert!(!proves_flushed(&forged, 0, TAG, 1));
        assert!(proves_flushed(&forged, 0, TAG + 1, 1));
    }
}
