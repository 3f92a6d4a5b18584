//! The clock: what time is it, in a way that never jumps?

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::{Timestamp as Instantaneous, civil::Date, tz::Offset};
use model::Timestamp;

/// Wall time at the start of the program, moved on by a clock that nobody can set. When the system's clock is set
/// while the program runs, waits keep their length; the new time is taken over at the next start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started_at: Timestamp,
    started: Instant,
}

/// China has one time zone, eight hours ahead of UTC, without daylight saving time.
const CHINA: Offset = Offset::constant(8);

impl Clock {
    /// Starts the clock at the system's time.
    pub(crate) fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let millis = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX);
        Self { started_at: Timestamp(millis), started: Instant::now() }
    }

    /// The time now.
    pub(crate) fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.started_at + model::Millis(elapsed)
    }

    /// When the program started.
    pub(crate) fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// The moment `time` on the clock that nobody can set; now when it has passed.
    pub(crate) fn instant(&self, time: Timestamp) -> Instant {
        let ahead = u64::try_from((time - self.started_at).0).unwrap_or(0);
        self.started + Duration::from_millis(ahead)
    }

    /// The day it is in China.
    pub(crate) fn today(&self) -> Date {
        let now = Instantaneous::from_millisecond(self.now().0).unwrap_or(Instantaneous::UNIX_EPOCH);
        CHINA.to_datetime(now).date()
    }
}
