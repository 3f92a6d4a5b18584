//! Waiting for something to be so, without guessing how long it takes.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

/// How long anything may take on a machine that is busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How long between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// Looks until `found` finds something, and returns it.
///
/// # Panics
/// When it is not found within [`PATIENCE`].
pub async fn until<T>(what: &str, mut found: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(value) = found().await {
            return value;
        }
        assert!(began.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain: {what}");
        tokio::time::sleep(LOOK).await;
    }
}

/// A port that is free at the moment.
///
/// # Panics
/// When the machine has none.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its number").port()
}
