//! When must a connection look at its deadlines next?

use std::{pin::Pin, time::Duration};

use tokio::time::{Instant, Sleep, sleep_until};

/// So far away that it never comes.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// One timer that is moved only when a deadline comes nearer: deadlines move with every packet, the timer seldom.
#[derive(Debug)]
pub(crate) struct Timer {
    sleep: Pin<Box<Sleep>>,
}

impl Timer {
    pub(crate) fn new() -> Self {
        Self { sleep: Box::pin(sleep_until(Instant::now() + NEVER)) }
    }

    /// Rings at `deadline` at the latest.
    pub(crate) fn at_latest(&mut self, deadline: Option<Instant>) {
        if let Some(deadline) = deadline
            && deadline < self.sleep.deadline()
        {
            self.sleep.as_mut().reset(deadline);
        }
    }

    /// Waits until it rings; then it is set to never.
    pub(crate) async fn ring(&mut self) {
        self.sleep.as_mut().await;
        self.sleep.as_mut().reset(Instant::now() + NEVER);
    }
}
