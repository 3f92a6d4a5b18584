//! Archive: how does an old segment lie on the disk in less room, and as sound as before?
//!
//! `<first>.seg.zst` holds the bytes of `<first>.seg` as they were, so the checksums and hashes of its records stay. Any
//! tool that knows zstd unpacks it. In front stands a frame that such tools skip, with a copy of the segment's header:
//!
//! | bytes | field |
//! |---|---|
//! | 0–3 | `50 2A 4D 18`: a frame to skip |
//! | 4–7 | its length, 128 |
//! | 8–135 | the header of the segment |
//! | 136– | the segment as one zstd frame with a checksum |

use crate::disk::{Disk, SegmentFile, write_gently};
use crate::format::{HEADER_BYTES, MAX_SEGMENT_BYTES, SegmentHeader};
use crate::scan::{Segment, archive_name, segment_name};
use std::io::{self, Read};

/// Where the copy of the segment's header stands.
pub(crate) const HEADER_AT: usize = 8;
/// A segment being made from the archive that was the last of a restored journal.
pub(crate) const UNPACKING: &str = "unpacking";
const PREAMBLE: [u8; HEADER_AT] = [0x50, 0x2A, 0x4D, 0x18, HEADER_BYTES as u8, 0, 0, 0];
const FRAME_AT: usize = HEADER_AT + HEADER_BYTES;
/// Quick: it shares two cores with alarms, and higher levels save a tenth at ten times the cost.
const LEVEL: i32 = 3;
/// The most that unpacking looks back, as a power of two in bytes, whatever the file demands.
const MAX_WINDOW_LOG: u32 = 27;

/// Returns the bytes of the archive of a segment with these bytes.
pub(crate) fn pack(segment: &[u8]) -> io::Result<Vec<u8>> {
    let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
    compressor.include_checksum(true)?;
    let frame = compressor.compress(segment)?;
    let mut bytes = Vec::with_capacity(FRAME_AT + frame.len());
    bytes.extend_from_slice(&PREAMBLE);
    bytes.extend_from_slice(&segment[..HEADER_BYTES]);
    bytes.extend_from_slice(&frame);
    Ok(bytes)
}

/// Says whether an archive begins with these bytes.
pub(crate) fn is_preamble(bytes: &[u8]) -> bool {
    bytes == PREAMBLE
}

/// Returns the largest size an archive of a segment of this size can have, in bytes.
fn largest(segment_bytes: u64) -> u64 {
    FRAME_AT as u64 + zstd::zstd_safe::compress_bound(segment_bytes as usize) as u64
}

/// Returns the bytes of the segment with this header from its archive, or why it is none.
///
/// # Errors
///
/// Those of the disk; the inner error says what is wrong with the bytes.
pub(crate) fn unpack(
    file: &dyn SegmentFile,
    header: &SegmentHeader,
) -> io::Result<Result<Vec<u8>, &'static str>> {
    let size = file.size()?;
    if header.bytes > MAX_SEGMENT_BYTES || size > largest(header.bytes) {
        return Ok(Err("it is larger than any archive of such a segment"));
    }
    let mut packed = vec![0; size as usize];
    file.read_exact_at(&mut packed, 0)?;
    Ok(unpack_bytes(&packed, header.bytes))
}

/// Returns the `length` bytes of a segment from those of its archive.
pub(crate) fn unpack_bytes(packed: &[u8], length: u64) -> Result<Vec<u8>, &'static str> {
    let frame = packed.get(FRAME_AT..).ok_or("it is cut off")?;
    let mut segment = vec![0; length as usize];
    let mut read = || -> io::Result<bool> {
        let mut unpacked = zstd::stream::read::Decoder::with_buffer(frame)?;
        unpacked.window_log_max(MAX_WINDOW_LOG)?;
        unpacked.read_exact(&mut segment)?;
        // What stands behind the last byte is the checksum.
        Ok(unpacked.read(&mut [0])? == 0)
    };
    match read() {
        Err(_) => Err("it cannot be unpacked"),
        Ok(false) => Err("it holds more than its header says"),
        Ok(true) if segment[..HEADER_BYTES] != packed[HEADER_AT..FRAME_AT] => {
            Err("it holds another segment than its header says")
        }
        Ok(true) => Ok(segment),
    }
}

/// Turns the archive of `segment`, of which these are the bytes, into a segment that can be written to.
pub(crate) fn restore(disk: &dyn Disk, segment: &Segment) -> io::Result<()> {
    let file = disk.create(UNPACKING, 0)?;
    write_gently(&*file, segment.bytes(0..segment.len()))?;
    disk.rename(UNPACKING, &segment_name(segment.header.first))?;
    disk.sync_directory()?;
    // From here on the segment goes before the archive, whether that is there or not.
    disk.remove(&archive_name(segment.header.first))?;
    disk.sync_directory()
}
