//! A disk that can lose its power.
//!
//! A file system in this process serves one file, the image of a disk. A loop device on it turns every flush of the
//! block layer into an fsync of that file, so what was flushed is known exactly. What was only written is lost at the
//! cut, or each sector of it by chance, as on a disk with a cache.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs, io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, UNIX_EPOCH},
};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyOpen,
    ReplyWrite, Request, WriteFlags,
};

/// What a disk writes as a whole, as far as anybody promises, in bytes.
const SECTOR: usize = 512;
/// Nothing of this file system changes behind the kernel's back.
const FOR_EVER: Duration = Duration::from_secs(3600);
const NAME: &str = "disk.img";
const FILE: INodeNo = INodeNo(2);

/// What a cut leaves of the sectors that were written and not flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaves {
    /// None.
    Nothing,
    /// Each by chance; the same seed decides the same.
    Some(u64),
}

/// The disk; taken down when dropped.
#[derive(Debug)]
pub struct PowerLossDisk {
    // First, so that the kernel lets go of the file before its folder is removed.
    _session: BackgroundSession,
    folder: Arc<tempfile::TempDir>,
    sectors: Arc<Mutex<Sectors>>,
}

#[derive(Debug)]
struct Sectors {
    now: Vec<u8>,
    flushed: Vec<u8>,
    /// The numbers of the sectors that differ.
    unflushed: BTreeSet<usize>,
    flushes: u64,
    is_dark: bool,
}

impl PowerLossDisk {
    /// A disk with these bytes on it, all of them flushed.
    ///
    /// # Errors
    /// What the system said.
    pub fn with(image: Vec<u8>) -> io::Result<Self> {
        let folder = crate::disk::folder();
        let flushed = image.clone();
        let sectors = Sectors { now: image, flushed, unflushed: BTreeSet::new(), flushes: 0, is_dark: false };
        let sectors = Arc::new(Mutex::new(sectors));
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("anhu-power".to_owned())];
        let session = fuser::spawn_mount(OneFile(Arc::clone(&sectors)), folder.path(), &config)?;
        Ok(Self { _session: session, folder, sectors })
    }

    /// The file to put a loop device on.
    #[must_use]
    pub fn image(&self) -> PathBuf {
        self.folder.path().join(NAME)
    }

    /// How often it was told to flush.
    #[must_use]
    pub fn flushes(&self) -> u64 {
        self.sectors().flushes
    }

    /// The bytes at `offset` as the kernel has written them, flushed or not.
    #[must_use]
    pub fn written(&self, range: std::ops::Range<usize>) -> Vec<u8> {
        self.sectors().now[range].to_vec()
    }

    /// Cuts the power in one moment and returns what is then on the disk. From now on every flush and write fails.
    #[must_use]
    pub fn cut(&self, leaves: Leaves) -> Vec<u8> {
        let mut sectors = self.sectors();
        sectors.is_dark = true;
        let mut image = sectors.flushed.clone();
        for number in &sectors.unflushed {
            if leaves.keep(*number) {
                let range = number * SECTOR..(number + 1) * SECTOR;
                image[range.clone()].copy_from_slice(&sectors.now[range]);
            }
        }
        image
    }

    fn sectors(&self) -> MutexGuard<'_, Sectors> {
        self.sectors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leaves {
    /// Whether this sector is kept. Of each four seeds one decides by blocks of 4 KiB, as a disk with such sectors.
    fn keep(self, number: usize) -> bool {
        match self {
            Leaves::Nothing => false,
            Leaves::Some(seed) => {
                let unit = if seed % 4 == 0 { number / 8 } else { number };
                let mixed = (unit as u64 ^ seed.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 63 == 0
            }
        }
    }
}

/// Writes an image into a file without its zeros, for there are many.
///
/// # Errors
/// What the system said.
pub fn write_sparse(path: &Path, image: &[u8]) -> io::Result<()> {
    let file = fs::File::create(path)?;
    file.set_len(image.len() as u64)?;
    let zeros = vec![0; 1 << 16];
    for (number, block) in image.chunks(zeros.len()).enumerate() {
        if *block != zeros[..block.len()] {
            file.write_all_at(block, (number << 16) as u64)?;
        }
    }
    Ok(())
}

struct OneFile(Arc<Mutex<Sectors>>);

impl OneFile {
    fn sectors(&self) -> MutexGuard<'_, Sectors> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn attributes(&self, node: INodeNo) -> FileAttr {
        let size = if node == FILE { self.sectors().now.len() as u64 } else { 0 };
        let (kind, perm) =
            if node == FILE { (FileType::RegularFile, 0o600) } else { (FileType::Directory, 0o700) };
        FileAttr {
            ino: node,
            size,
            blocks: size / SECTOR as u64,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            flags: 0,
            blksize: 4096,
        }
    }
}

impl Filesystem for OneFile {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if name == NAME {
            reply.entry(&FOR_EVER, &self.attributes(FILE), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, node: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&FOR_EVER, &self.attributes(node));
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::empty());
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let sectors = self.sectors();
        let start = (offset as usize).min(sectors.now.len());
        let end = (start + size as usize).min(sectors.now.len());
        reply.data(&sectors.now[start..end]);
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut sectors = self.sectors();
        let range = offset as usize..offset as usize + data.len();
        if sectors.is_dark || range.end > sectors.now.len() {
            return reply.error(Errno::EIO);
        }
        sectors.now[range.clone()].copy_from_slice(data);
        sectors.unflushed.extend(range.start / SECTOR..range.end.div_ceil(SECTOR));
        reply.written(data.len() as u32);
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        let mut sectors = self.sectors();
        if sectors.is_dark {
            return reply.error(Errno::EIO);
        }
        let Sectors { now, flushed, unflushed, flushes, .. } = &mut *sectors;
        for number in std::mem::take(unflushed) {
            let range = number * SECTOR..(number + 1) * SECTOR;
            flushed[range.clone()].copy_from_slice(&now[range]);
        }
        *flushes += 1;
        reply.ok();
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        // Closing a file flushes nothing.
        reply.ok();
    }
}
