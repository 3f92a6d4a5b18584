//! Reserve: what lets a full disk take the next segment all the same?
//!
//! A file `ballast` of one segment and some more lies in the journal's directory. When the disk is full it is removed,
//! and what needed the room is tried again at once: so there is time to make room, and a full disk can always restart.

use crate::disk::{Disk, write_all};
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

const BALLAST: &str = "ballast";
/// It is made in pieces of this size, each flushed, so that no commit waits for it and it can be stopped.
const PIECE: usize = 1 << 18;

/// Keeps the ballast of one journal.
pub(crate) struct Reserve {
    disk: Arc<dyn Disk>,
    /// The size of the ballast in bytes; 0 for none.
    bytes: u64,
    /// There was no room for the ballast when it was last looked for.
    used: Arc<AtomicBool>,
    /// Whoever makes the ballast is to end.
    stop: AtomicBool,
    maker: Mutex<Option<JoinHandle<()>>>,
}

impl Reserve {
    pub(crate) fn new(disk: Arc<dyn Disk>, bytes: u64) -> Reserve {
        let (used, stop) = (Arc::default(), AtomicBool::new(false));
        Reserve { disk, bytes, used, stop, maker: Mutex::new(None) }
    }

    /// Says whether the ballast had to be given up, or there was no room for one.
    pub(crate) fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    /// Returns what [`is_used`](Reserve::is_used) looks at, for whoever must not keep the disk.
    pub(crate) fn used(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.used)
    }

    /// Says whether there is a ballast to give up, as far as is known.
    pub(crate) fn is_held(&self) -> bool {
        self.bytes > 0 && !self.is_used()
    }

    /// Has the ballast made in the background, unless it is there. As good as it goes: the journal works without.
    pub(crate) fn keep_up(self: &Arc<Self>) {
        let mut maker = self.maker.lock().unwrap_or_else(PoisonError::into_inner);
        let is_being_made = maker.as_ref().is_some_and(|maker| !maker.is_finished());
        if self.bytes == 0 || is_being_made {
            return;
        }
        self.stop.store(false, Ordering::Relaxed);
        let reserve = Arc::clone(self);
        *maker = thread::Builder::new().name("ballast".into()).spawn(move || reserve.make()).ok();
    }

    /// Ends the making.
    pub(crate) fn end(&self) {
        self.stop.store(true, Ordering::Relaxed);
        let maker = self.maker.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A panic there has been reported by its thread.
        let _ = maker.map(JoinHandle::join);
    }

    /// Does `attempt`; when the disk is too full for it, once more without the ballast.
    pub(crate) fn rescue<R>(&self, mut attempt: impl FnMut() -> io::Result<R>) -> io::Result<R> {
        match attempt() {
            Err(error) if is_full(&error) && self.give_up() => attempt(),
            outcome => outcome,
        }
    }

    /// Removes the ballast; false when there was none, or it cannot be removed.
    fn give_up(&self) -> bool {
        if self.bytes == 0 {
            return false;
        }
        // One that is half made has perhaps taken the very room that is missing.
        self.end();
        self.used.store(true, Ordering::Relaxed);
        self.disk.open(BALLAST).is_ok()
            && self.disk.remove(BALLAST).and_then(|()| self.disk.sync_directory()).is_ok()
    }

    fn make(&self) {
        let is_there =
            self.disk.open(BALLAST).and_then(|file| file.size()).is_ok_and(|size| size == self.bytes);
        match if is_there { Ok(true) } else { self.fill() } {
            Ok(true) => self.used.store(false, Ordering::Relaxed),
            // Told to stop, at the end or because room is needed: whoever said so removes what there is, or the next
            // start finds that it is too small.
            Ok(false) => {}
            Err(error) => {
                self.used.store(is_full(&error), Ordering::Relaxed);
                drop(self.disk.remove(BALLAST));
            }
        }
    }

    /// Fills the ballast; false when it was told to stop. Its bytes look random, so that no file system makes less of
    /// them than they are.
    fn fill(&self) -> io::Result<bool> {
        let file = self.disk.create(BALLAST, 0)?;
        let mut noise = blake3::Hasher::new().finalize_xof();
        let mut piece = vec![0; PIECE];
        for offset in (0..self.bytes).step_by(PIECE) {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            noise.fill(&mut piece);
            let wanted = (self.bytes - offset).min(PIECE as u64) as usize;
            write_all(&*file, &piece[..wanted], offset)?;
            file.sync()?;
        }
        self.disk.sync_directory()?;
        Ok(true)
    }
}

/// Says whether it failed for lack of room.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}
