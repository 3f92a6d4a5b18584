//! Watched: a disk that lets a test look at every moment at which a power cut would hurt.

use journal::testing::FaultyDisk;
use journal::{Disk, SegmentFile};
use std::io;
use std::sync::Arc;

/// Looks at a disk each time a file or the directory is about to be flushed, or a name changed: when most is at stake.
pub(crate) struct Watched<F> {
    disk: FaultyDisk,
    look: Arc<F>,
}

struct WatchedFile<F> {
    file: Box<dyn SegmentFile>,
    disk: FaultyDisk,
    look: Arc<F>,
}

impl<F: Fn(&FaultyDisk) + Send + Sync + 'static> Watched<F> {
    pub(crate) fn new(disk: FaultyDisk, look: F) -> Self {
        Watched { disk, look: Arc::new(look) }
    }

    fn watch(&self, file: Box<dyn SegmentFile>) -> Box<dyn SegmentFile> {
        Box::new(WatchedFile { file, disk: self.disk.clone(), look: Arc::clone(&self.look) })
    }
}

impl<F: Fn(&FaultyDisk) + Send + Sync + 'static> Disk for Watched<F> {
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn SegmentFile>> {
        Ok(self.watch(self.disk.open(name)?))
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Box<dyn SegmentFile>> {
        Ok(self.watch(self.disk.create(name, bytes)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        (self.look)(&self.disk);
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        (self.look)(&self.disk);
        self.disk.remove(name)
    }

    fn sync_directory(&self) -> io::Result<()> {
        (self.look)(&self.disk);
        self.disk.sync_directory()
    }

    fn place(&self, name: &str) -> String {
        name.to_owned()
    }
}

impl<F: Fn(&FaultyDisk) + Send + Sync> SegmentFile for WatchedFile<F> {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        (self.look)(&self.disk);
        self.file.sync()
    }
}
