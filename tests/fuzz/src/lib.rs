//! What must hold for any bytes, be they from an enemy, a broken device or an old version of ourselves?
//!
//! Each decoder has a [`Target`]: a function that is given bytes and panics when something does not hold. `make fuzz`
//! lets libFuzzer look for such bytes; the tests of this crate, which CI runs, replay what it kept (`corpus/`), what it
//! found wrong (`found/`, by name), and a few thousand mutations of both.
//!
//! A new target is one file, one line in [`TARGETS`], and what `make fuzz` then keeps in `corpus/<target>/`.

mod board;
mod bytes;
mod devices;
mod dispatch_record;
mod import;
mod ingest;
mod journal_files;
mod journal_story;
mod mqtt_connection;
mod mqtt_packets;
pub mod mutation;
mod policy;
mod registry_record;
mod signals;
mod state;

/// A decoder, and what must hold for it.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name of its folders.
    pub name: &'static str,
    /// Panics when something does not hold.
    pub run: fn(&[u8]),
    /// Inputs that reach deep, to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Longest input worth trying, in bytes.
    pub max_len: usize,
    /// Bytes that reading an input may take at most at any moment, beyond a fair multiple of its length.
    pub memory: usize,
}

/// Everything that reads bytes we did not just write ourselves.
pub const TARGETS: &[Target] = &[
    devices::TARGET,
    ingest::TARGET,
    mqtt_packets::TARGET,
    mqtt_connection::TARGET,
    dispatch_record::TARGET,
    registry_record::TARGET,
    journal_files::TARGET,
    journal_story::TARGET,
    state::TARGET,
    board::TARGET,
    import::TARGET,
    policy::TARGET,
    // one line per target
];

/// Returns the target called `name`.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
