//! Atomics: which ones the roster is built of.
//!
//! The processor's own, or loom's when a test tries every interleaving of a few threads.

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
