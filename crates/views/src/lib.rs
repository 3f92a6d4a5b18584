//! Read models: what people look at, folded from events, off the path of an alert's decision.
//!
//! - The [`Board`] shows every incident as operators see it. It is a function of the dispatch journal alone.
//! - The [`Directory`] answers in one look-up whose device this is and where they live. It is a function of the
//!   registry journal alone.
//! - The [`Finder`] finds an elder by whatever somebody on the phone says. It is a function of the registry journal alone.
//!
//! Nothing here decides anything. Each can be thrown away and folded again.

mod board;
mod directory;
mod finder;
mod notice;
mod snapshot;
mod story;

pub use board::{Board, Change};
pub use directory::{Directory, Home};
pub use finder::{Finder, MAX_FOUND, MAX_QUESTION_CHARS};
pub use notice::{Notice, assignment_notice, live_notices, notices};
pub use snapshot::Snapshot;
