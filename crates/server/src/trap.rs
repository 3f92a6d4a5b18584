//! Trap: where shall this process die, for a test?
//!
//! Every place between a device's socket and the operator's screen has a number. A build for tests kills itself there, as
//! by `kill -9`, when `ANHU_DIE_AT` says so: `ANHU_DIE_AT=flush:3` is the third time that it would flush. In a release
//! build nothing of this is left.

use std::{
    io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, Ordering},
    },
};

use journal::{Disk, RealDisk, SegmentFile};

/// A place to die at, in the order in which an alert comes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// 1: read from the socket, not yet understood.
    Arrived,
    /// 2: understood, not yet in the engine's queue.
    Understood,
    /// 3: in the engine's hands, nothing decided.
    Taken,
    /// 4: decided, not yet handed to the journal.
    Decided,
    /// 5: handed to the journal, nothing written.
    Write,
    /// 6: written, not flushed.
    Flush,
    /// 7: flushed, nobody told.
    Flushed,
    /// 8: on the board, no stream told.
    Shown,
    /// 9: streams told, nobody answered.
    Told,
    /// 10: may be acknowledged, and the socket has nothing of it yet.
    Answered,
}

impl Place {
    const ALL: [Self; 10] = [
        Self::Arrived,
        Self::Understood,
        Self::Taken,
        Self::Decided,
        Self::Write,
        Self::Flush,
        Self::Flushed,
        Self::Shown,
        Self::Told,
        Self::Answered,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Arrived => "arrived",
            Self::Understood => "understood",
            Self::Taken => "taken",
            Self::Decided => "decided",
            Self::Write => "write",
            Self::Flush => "flush",
            Self::Flushed => "flushed",
            Self::Shown => "shown",
            Self::Told => "told",
            Self::Answered => "answered",
        }
    }
}

/// Where the trap is, and how often it is passed before it shuts.
struct Trap {
    place: Place,
    passes: AtomicI64,
}

/// Comes by `place`; dies there when it is the one.
pub(crate) fn at(place: Place) {
    if !cfg!(debug_assertions) {
        return;
    }
    static TRAP: OnceLock<Option<Trap>> = OnceLock::new();
    let trap = TRAP.get_or_init(|| std::env::var("ANHU_DIE_AT").ok().and_then(|text| read(&text)));
    let here = trap.as_ref().filter(|trap| trap.place == place);
    if here.is_some_and(|trap| trap.passes.fetch_sub(1, Ordering::Relaxed) == 1) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

fn read(text: &str) -> Option<Trap> {
    let (name, passes) = text.split_once(':')?;
    let place = Place::ALL.into_iter().find(|place| place.name() == name)?;
    Some(Trap { place, passes: passes.parse::<i64>().ok()?.into() })
}

/// The disk of the dispatch journal, with the places to die at that only it comes by.
pub(crate) fn disk(disk: RealDisk) -> Arc<dyn Disk> {
    if cfg!(debug_assertions) { Arc::new(Trapped(disk)) } else { Arc::new(disk) }
}

struct Trapped<T>(T);

impl Disk for Trapped<RealDisk> {
    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn SegmentFile>> {
        Ok(Box::new(Trapped(self.0.open(name)?)))
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Box<dyn SegmentFile>> {
        Ok(Box::new(Trapped(self.0.create(name, bytes)?)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.0.sync_directory()
    }

    fn place(&self, name: &str) -> String {
        self.0.place(name)
    }
}

impl SegmentFile for Trapped<Box<dyn SegmentFile>> {
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        at(Place::Write);
        self.0.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        at(Place::Flush);
        self.0.sync()
    }
}
