//! Fault: why does the store not give an answer, and what is to be done?

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// Why the store does not do what it was asked for.
#[derive(Clone, Debug, Error)]
pub enum StoreError {
    /// Another store has this directory. Stop the other server, or give this one a directory of its own.
    #[error("{0} is in use by another process. Stop the other server, or choose another data directory")]
    Locked(PathBuf),
    /// What is on the disk is not what was written. Rebuild the store from the journal.
    #[error("{place} is damaged: {what}. Rebuild it from the journal")]
    Damaged {
        /// The directory.
        place: String,
        /// What was found.
        what: String,
    },
    /// The system refused something. See its message; commits after this one are not taken.
    #[error("{place}: {source}. Check that the disk is there, has space and belongs to this user")]
    Io {
        /// The directory.
        place: String,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// A commit says less of its stream is applied than an earlier one said. Commit in the order of the journal.
    #[error("stream {stream}: {applied} after {before} is a step back. Commit in the order of the journal")]
    Backwards {
        /// The stream.
        stream: String,
        /// The mark of the refused commit.
        applied: u64,
        /// The mark of the commit before.
        before: u64,
    },
    /// A name of a table or stream is longer than 255 bytes. Choose a shorter one.
    #[error("the name {0:?} is longer than 255 bytes. Choose a shorter one")]
    Name(String),
}

impl StoreError {
    pub(crate) fn io(place: &Path, source: io::Error) -> StoreError {
        StoreError::Io { place: place.display().to_string(), source: Arc::new(source) }
    }

    pub(crate) fn damaged(place: &Path, what: impl Into<String>) -> StoreError {
        StoreError::Damaged { place: place.display().to_string(), what: what.into() }
    }
}
