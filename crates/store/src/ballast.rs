//! Ballast: room kept for the start on a full disk.
//!
//! sled cannot be opened without writing. A file of zeros is thrown overboard when the disk is full, and taken in again
//! when there is room.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

const NAME: &str = "ballast";
/// What an open of sled takes at most, several times over, in bytes; and less, where there is no room for all of it.
const SIZES: [usize; 4] = [8 << 20, 4 << 20, 2 << 20, 1 << 20];

/// Takes in as much as there is room for; no error when that is nothing, for then there is nothing to be done.
pub(crate) fn take_in(directory: &Path) {
    let path = directory.join(NAME);
    if path.exists() {
        return;
    }
    let made = SIZES.iter().any(|bytes| make(&path, *bytes).is_ok());
    if !made {
        let _ = fs::remove_file(&path);
    }
}

fn make(path: &Path, bytes: usize) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(&vec![0; bytes])?;
    // Blocks are only given when they are flushed.
    file.sync_all()
}

/// Makes room, and says whether there was something to throw overboard.
pub(crate) fn throw_overboard(directory: &Path) -> bool {
    fs::remove_file(directory.join(NAME)).and_then(|()| File::open(directory)?.sync_all()).is_ok()
}
