//! Size: does a workbook unpack to more than a county's file needs?
//!
//! What an archive says about its own sizes is not believed: each part is unpacked once and counted.

use std::io::{Cursor, Read as _};

use anyhow::Context as _;
use indicatif::HumanBytes;
use memchr::memmem;
use zip::{ZipArchive, read::ZipFile};

/// Most parts of a workbook: sheets, pictures, styles.
const MAX_PARTS: usize = 10_000;
/// Most bytes of all parts together, unpacked: half a million rows with every column filled.
const MAX_UNPACKED_BYTES: u64 = 1024 * 1024 * 1024;
/// Most bytes of a part that is held in memory as a whole, which is every one but the sheets.
const MAX_HELD_BYTES: u64 = 256 * 1024 * 1024;
/// The part with the texts of all cells.
const TEXTS: &str = "sharedstrings.xml";

/// Checks that every part of the workbook keeps the limits.
///
/// # Errors
/// Says which limit it does not keep, or that it is no archive, and what to do.
pub(super) fn check(file: &[u8]) -> anyhow::Result<()> {
    within(file, MAX_UNPACKED_BYTES, MAX_HELD_BYTES)
}

fn within(file: &[u8], max_unpacked: u64, max_held: u64) -> anyhow::Result<()> {
    let mut archive = ZipArchive::new(Cursor::new(file)).context(super::read::BROKEN)?;
    let parts = archive.len();
    anyhow::ensure!(parts <= MAX_PARTS, "holds {parts} parts, {MAX_PARTS} at most: {SMALLER}");
    let mut left = max_unpacked;
    for index in 0..parts {
        let part = archive.by_index(index).context(super::read::BROKEN)?;
        let name = part.name().context(super::read::BROKEN)?.to_ascii_lowercase();
        let holds_texts = name.ends_with(TEXTS);
        let is_sheet = name.contains("worksheets/") && !holds_texts;
        let most = if is_sheet { left } else { left.min(max_held) };
        let bytes = if holds_texts { texts(part, most) } else { measure(part, most) }?;
        anyhow::ensure!(
            bytes <= most,
            "unpacks to more than {}: {SMALLER}",
            HumanBytes(if most == left { max_unpacked } else { max_held })
        );
        left -= bytes;
    }
    Ok(())
}

const SMALLER: &str = "copy the rows into a new workbook, several if they are many";

/// How many bytes the part has, counted up to one more than `most`.
fn measure(part: ZipFile<'_, Cursor<&[u8]>>, most: u64) -> anyhow::Result<u64> {
    std::io::copy(&mut part.take(most + 1), &mut std::io::sink()).context(super::read::BROKEN)
}

/// As [`measure`], and checks how many texts the part says it holds, because room is made for them at once.
fn texts(part: ZipFile<'_, Cursor<&[u8]>>, most: u64) -> anyhow::Result<u64> {
    let mut text = Vec::new();
    part.take(most + 1).read_to_end(&mut text).context(super::read::BROKEN)?;
    for at in memmem::find_iter(&text, b"uniqueCount") {
        let said = text[at..].iter().skip_while(|byte| !byte.is_ascii_digit());
        let digits: String =
            said.take_while(|byte| byte.is_ascii_digit()).map(|byte| *byte as char).collect();
        let fits = digits.parse::<u64>().is_ok_and(|count| count <= text.len() as u64);
        anyhow::ensure!(fits, "says that it holds more texts than it has room for: {}", super::read::BROKEN);
    }
    Ok(text.len() as u64)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    #[test]
    fn what_unpacks_to_more_than_the_limit_is_refused_whatever_the_archive_says() {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        for part in ["xl/worksheets/sheet1.xml", "xl/styles.xml"] {
            archive.start_file(part, SimpleFileOptions::default()).expect("a part");
            archive.write_all(&[b' '; 100_000]).expect("its bytes");
        }
        let honest = archive.finish().expect("an archive").into_inner();
        assert!(within(&honest, 200_000, 100_000).is_ok());
        let told =
            |file: &[u8], unpacked, held| within(file, unpacked, held).map_err(|told| told.to_string());
        assert!(told(&honest, 200_000, 99_999).is_err_and(|told| told.contains("unpacks to more than")));
        assert!(told(&honest, 199_999, 100_000).is_err());
        let mut lying = honest.clone();
        let size = 100_000_u32.to_le_bytes();
        for at in memmem::find_iter(&honest, &size) {
            lying[at..at + 4].copy_from_slice(&7_u32.to_le_bytes());
        }
        assert!(told(&lying, 1000, 1000).is_err());
    }
}
