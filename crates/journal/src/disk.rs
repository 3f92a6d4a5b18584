//! Disk: the few things a journal asks of a directory, so that a test can let each of them fail.

use crate::{OpenError, UpkeepError};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The file that the one writer of a directory keeps locked.
const LOCK_FILE: &str = "lock";
/// The file that whoever packs or trims keeps locked.
const UPKEEP_LOCK_FILE: &str = "upkeep.lock";
/// Zeros are written in pieces of this size, each flushed, so that a commit never waits behind a whole segment.
static ZEROS: [u8; 1 << 18] = [0; 1 << 18];

/// The directory of one journal.
pub trait Disk: Send + Sync {
    /// The names of all files.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Opens an existing file for reading and, when this disk may write, for writing.
    fn open(&self, name: &str) -> io::Result<Box<dyn SegmentFile>>;
    /// Makes a file of `bytes` zeros and flushes it, so that a later flush of data changes no metadata. A file of
    /// that name is replaced. The name itself is durable after [`sync_directory`](Disk::sync_directory). After an error no
    /// part of the file remains.
    fn create(&self, name: &str, bytes: u64) -> io::Result<Box<dyn SegmentFile>>;
    /// Renames a file; one that already has the new name is replaced.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file; no error when there is none.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Flushes the names.
    fn sync_directory(&self) -> io::Result<()>;
    /// Where a file is, for messages.
    fn place(&self, name: &str) -> String;
}

/// One segment of a journal.
pub trait SegmentFile: Send {
    /// The size in bytes.
    fn size(&self) -> io::Result<u64>;
    /// Fills `bytes` from `offset`; an error when the file ends before.
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes some of `bytes` at `offset` and says how many.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Flushes the data to stable storage.
    fn sync(&self) -> io::Result<()>;
}

/// Writes all of `bytes` at `offset`.
pub(crate) fn write_all(file: &dyn SegmentFile, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(bytes, offset) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = &bytes[written..];
                offset += written as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes a new file in pieces, each flushed, so that no commit waits behind the whole of it.
pub(crate) fn write_gently(file: &dyn SegmentFile, bytes: &[u8]) -> io::Result<()> {
    let mut offset = 0;
    for piece in bytes.chunks(ZEROS.len()) {
        write_all(file, piece, offset)?;
        file.sync()?;
        offset += piece.len() as u64;
    }
    Ok(())
}

/// A directory of the file system.
#[derive(Debug)]
pub struct RealDisk {
    directory: PathBuf,
    /// Held for the writer's life; `None` when this disk only reads.
    lock: Option<File>,
}

impl RealDisk {
    /// Makes the directory if it is missing and locks it for writing until this value is dropped.
    ///
    /// # Errors
    ///
    /// [`OpenError::Locked`] when another process, or another journal of this one, has it; [`OpenError::Io`].
    pub fn lock(directory: &Path) -> Result<RealDisk, OpenError> {
        let failed = |source| OpenError::Io { place: directory.display().to_string(), source };
        let directory = std::path::absolute(directory).map_err(failed)?;
        create_durably(&directory).map_err(failed)?;
        match try_lock(&directory.join(LOCK_FILE)).map_err(failed)? {
            Some(lock) => Ok(RealDisk { directory, lock: Some(lock) }),
            None => Err(OpenError::Locked(directory)),
        }
    }

    /// Locks a directory against others that pack or trim, until this value is dropped. The writer is not kept out.
    pub(crate) fn upkeep(directory: &Path) -> Result<RealDisk, UpkeepError> {
        let failed = |source| UpkeepError::Io { place: directory.display().to_string(), source };
        let directory = std::path::absolute(directory).map_err(failed)?;
        match try_lock(&directory.join(UPKEEP_LOCK_FILE)).map_err(failed)? {
            Some(lock) => Ok(RealDisk { directory, lock: Some(lock) }),
            None => Err(UpkeepError::Busy(directory)),
        }
    }

    /// Makes a directory for a copy if it is missing, and locks it like one to be packed.
    pub(crate) fn keep(directory: &Path) -> Result<RealDisk, UpkeepError> {
        let made = std::path::absolute(directory).and_then(|directory| create_durably(&directory));
        made.map_err(|source| UpkeepError::Io { place: directory.display().to_string(), source })?;
        RealDisk::upkeep(directory)
    }

    /// Looks at a directory without writing or locking anything.
    pub fn read_only(directory: &Path) -> RealDisk {
        RealDisk { directory: directory.to_path_buf(), lock: None }
    }

    /// A directory in which files beside the segments may be made, whoever writes the segments.
    pub(crate) fn unlocked(directory: &Path) -> RealDisk {
        RealDisk { directory: directory.to_path_buf(), lock: None }
    }

    /// Says whether a writer has the directory now.
    pub(crate) fn is_in_use(&self) -> bool {
        // The lock is given back at once: a server that starts meanwhile must not be refused because of a reader.
        File::open(self.directory.join(LOCK_FILE)).is_ok_and(|file| file.try_lock_shared().is_err())
    }
}

impl Drop for RealDisk {
    fn drop(&mut self) {
        // Closing alone would not do: a process being started just now may hold a copy of the descriptor.
        let _ = self.lock.as_ref().map(File::unlock);
    }
}

impl Disk for RealDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        let entries = std::fs::read_dir(&self.directory)?;
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn SegmentFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(self.lock.is_some());
        Ok(Box::new(options.open(self.directory.join(name))?))
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Box<dyn SegmentFile>> {
        let path = self.directory.join(name);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
        if let Err(error) = fill_with_zeros(&file, bytes) {
            // What there was room for must not stay behind and fill the disk.
            let _ = std::fs::remove_file(path);
            return Err(error);
        }
        Ok(Box::new(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.directory.join(from), self.directory.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match std::fs::remove_file(self.directory.join(name)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        }
    }

    fn sync_directory(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }

    fn place(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }
}

impl SegmentFile for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        FileExt::write_at(self, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Says whether a writer has the journal in `directory` open now, in this process or another.
pub fn is_in_use(directory: &Path) -> bool {
    RealDisk::read_only(directory).is_in_use()
}

/// Locks a file, which is made if it is missing; nothing when somebody else has it locked.
fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(source),
    }
}

fn fill_with_zeros(file: &File, bytes: u64) -> io::Result<()> {
    for offset in (0..bytes).step_by(ZEROS.len()) {
        let piece = (bytes - offset).min(ZEROS.len() as u64);
        FileExt::write_all_at(file, &ZEROS[..piece as usize], offset)?;
        file.sync_data()?;
    }
    file.sync_all()
}

/// Makes the directory and the missing ones above it, each with its name flushed.
fn create_durably(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let parent = directory.parent().unwrap_or(directory);
    create_durably(parent)?;
    match std::fs::create_dir(directory) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        outcome => outcome?,
    }
    File::open(parent)?.sync_all()
}
