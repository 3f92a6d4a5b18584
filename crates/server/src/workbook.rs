//! Workbooks: how does a sheet of Excel become the CSV that a server reads, and how do rows become a sheet?
//!
//! A workbook comes from anybody, and its small file may unpack to anything. So its parts are measured before the
//! library reads them, rows are taken one after the other, and what is beyond a limit ends the reading with a reason.

mod cells;
mod read;
mod size;
mod write;

pub(crate) use read::{Sheet, read};
pub(crate) use write::{Table, is_table};

/// The first bytes of an `.xlsx` file, which is a ZIP archive.
const ZIP: &[u8] = b"PK\x03\x04";
/// The first bytes of an `.xls` file, and of an `.xlsx` file with a password.
const OLD: &[u8] = b"\xD0\xCF\x11\xE0";

/// Whether this file is a workbook, by its first bytes: whatever its name is.
pub(crate) fn is_workbook(file: &[u8]) -> bool {
    file.starts_with(ZIP)
}

/// Whether this file is a workbook of an old form or one with a password, neither of which can be read.
pub(crate) fn is_closed(file: &[u8]) -> bool {
    file.starts_with(OLD)
}
