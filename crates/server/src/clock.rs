//! The clock: what time is it, in a way that never jumps?
//!
//! Decisions and waits go by one clock that never runs backwards, across restarts too: so it may be ahead of the machine's,
//! when that was set back, or was ahead in an earlier run. Devices and apps know nothing of it. What their clocks say is
//! put on ours by as much as ours is ahead, or a press of this moment would look old, and nobody would be sent.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use jiff::{Timestamp as Instantaneous, civil::Date, tz::Offset};
use model::{Millis, Timestamp};

/// Wall time at the start of the program, moved on by a clock that nobody can set. When the system's clock is set
/// while the program runs, waits keep their length; the new time is taken over at the next start. Clones are one clock.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    started: Instant,
    /// In milliseconds since 1970.
    started_at: Arc<AtomicI64>,
    /// The latest time known when it started, in milliseconds since 1970.
    known: Arc<AtomicI64>,
}

/// China has one time zone, eight hours ahead of UTC, without daylight saving time.
const CHINA: Offset = Offset::constant(8);
/// Two clocks of which nobody has set one never come so far apart.
const APART: Millis = Millis::from_seconds(1);
/// How far it may be ahead of the machine's clock before somebody is told.
const FAR_AHEAD: Millis = Millis::from_seconds(120);

/// What the machine's clock says; somebody may set it at any time.
pub(crate) fn machine_time() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

impl Clock {
    /// Starts the clock at the system's time.
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), started_at: Arc::new(machine_time().0.into()), known: Arc::default() }
    }

    /// Puts the clock forward so that it is not before `latest`, and says by how much. For the start, before anything is
    /// timed by it.
    ///
    /// Somebody may have set the system's clock back since `latest` was read from it. If time ran backwards, every
    /// deadline would wait for as long as the clock was set back.
    pub(crate) fn not_before(&self, latest: Timestamp) -> Millis {
        self.known.store(latest.0, Ordering::Relaxed);
        let behind = Millis((latest - self.now()).0.max(0));
        // Relaxed: whoever reads it was started after this or is told of it by the one who was.
        self.started_at.fetch_add(behind.0, Ordering::Relaxed);
        behind
    }

    /// The earliest that it can be, whatever the system's clock said at the start: the latest time known then, and how long
    /// it has run since.
    pub(crate) fn at_least(&self) -> Timestamp {
        let elapsed = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        Timestamp(self.known.load(Ordering::Relaxed)) + Millis(elapsed)
    }

    /// By how much it is ahead of what the machine's clock says now; 0 when it is not.
    pub(crate) fn ahead(&self) -> Millis {
        Millis((self.now() - machine_time()).0.max(0))
    }

    /// The moment on this clock that another one, which goes as the machine's does, calls `theirs`.
    ///
    /// When the machine's clock is ahead of this one nothing is added: `theirs` then looks later than it was, never older.
    pub(crate) fn on_ours(&self, theirs: Timestamp) -> Timestamp {
        let ahead = self.ahead();
        if ahead < APART { theirs } else { theirs + ahead }
    }

    /// What is wrong and what to do, while it is far ahead of the machine's clock.
    pub(crate) fn trouble(&self) -> Option<String> {
        let ahead = self.ahead();
        (ahead > FAR_AHEAD).then(|| {
            format!(
                "{} s ahead of this machine's clock, which was set back, or was ahead in an earlier run. If the \
                 machine's clock is wrong now, set it, then start again. If it is right, nothing has to be done: devices \
                 and apps are judged by it, timers keep their length, and only the times shown stay ahead",
                ahead.0 / 1000
            )
        })
    }

    /// The time now.
    pub(crate) fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.started_at() + Millis(elapsed)
    }

    /// When the program started.
    pub(crate) fn started_at(&self) -> Timestamp {
        Timestamp(self.started_at.load(Ordering::Relaxed))
    }

    /// The moment `time` on the clock that nobody can set; now when it has passed.
    pub(crate) fn instant(&self, time: Timestamp) -> Instant {
        let ahead = u64::try_from((time - self.started_at()).0).unwrap_or(0);
        self.started + Duration::from_millis(ahead)
    }

    /// The day it is in China.
    pub(crate) fn today(&self) -> Date {
        let now = Instantaneous::from_millisecond(self.now().0).unwrap_or(Instantaneous::UNIX_EPOCH);
        CHINA.to_datetime(now).date()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_back_goes_on_from_the_latest_time_known() {
        let clock = Clock::start();
        let (copy, before) = (clock.clone(), clock.now());
        assert_eq!(clock.not_before(before), Millis(0));
        let hour = Millis::from_seconds(3600);
        let moved = clock.not_before(before + hour);
        assert!(moved.0 > hour.0 - 60_000 && moved.0 <= hour.0, "{moved:?}");
        assert!((copy.ahead().0 - moved.0).abs() < 60_000, "{:?}", copy.ahead());
        assert!(copy.now() >= before + hour);
        let soon = copy.now() + Millis(50);
        let wait = clock.instant(soon) - Instant::now();
        assert!(wait <= Duration::from_millis(50), "waits keep their length");
    }

    #[test]
    fn what_a_right_clock_says_now_is_now_on_ours_however_far_it_is_ahead() {
        let clock = Clock::start();
        assert_eq!(clock.trouble(), None);
        for days in [0, 1, 400] {
            clock.not_before(machine_time() + Millis::from_seconds(86_400 * days));
            let off = (clock.now() - clock.on_ours(machine_time())).0.abs();
            assert!(off < 60_000, "{days} days ahead it is off by {off} ms");
        }
        let told = clock.trouble().expect("it is told");
        assert!(told.contains("nothing has to be done") && told.contains("set it"), "{told}");
        let lie = clock.on_ours(Timestamp(i64::MAX));
        assert_eq!(lie, Timestamp(i64::MAX));
    }
}
