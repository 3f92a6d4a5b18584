//! The store: state that is kept for a quick start and can always be built again from the journal.
//!
//! It holds *records* (a table name, a key, a value) and *snapshots* (one lump of bytes for a stream), each with the
//! mark `applied`: the last record of the journal that is in them. It promises this.
//!
//! - **A right value or an error.** Everything that is read is checked. What was changed, lost or brought back behind
//!   the store's back is an error, never a wrong value, and never a panic.
//! - **The mark comes last.** A commit of up to 500 records appears with its mark all at once, also after a crash; a longer
//!   one in parts, and its mark with the last of them. A snapshot replaces the one before it as a whole.
//! - **Maybe older.** After a crash the store may be some commits behind; its mark says how many, and the caller replays
//!   the journal from there: what a record says must be the same when it is applied twice. After [`Store::flush`] it is
//!   not behind.
//! - **Never the truth.** A store that does not open is set aside by [`Store::rebuild`], which says so, and filled again
//!   from the journal.
//!
//! It is built on sled, which nothing else in Anhu knows. sled hides some damage and panics at other, and its flush
//! stops short of the disk; so every value has a checksum, a sum over all records is checked at the start, panics are
//! caught, and the file is flushed here.

mod ballast;
mod engine;
mod fault;
mod large;
mod layout;
mod store;
mod writer;

pub use fault::StoreError;
pub use store::{Change, Rebuilt, Scan, Store, Table};
