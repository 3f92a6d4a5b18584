//! Promises: does the journal keep them, whatever happens to the disk and the process?

mod appending;
mod archives;
mod checkpoints;
mod copies;
mod crashes;
mod damage;
mod failures;
mod first_format;
mod hanging;
mod killed;
mod recovering;
mod reserve;
mod rig;
mod watched;
