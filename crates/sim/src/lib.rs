//! Sim: a seeded world around the pure crates, in which everything goes wrong and nothing may be lost.
//!
//! Devices lie, repeat themselves and come late; responders accept, decline, fall silent, change their minds and go home;
//! operators click at once; clocks jump; the server dies at any moment and loses what was not flushed. A seed decides all
//! of it, so that the same seed tells the same story to the byte, and whatever was found once can be found again.
//!
//! - [`short`] worlds are small and made to collide; there are a hundred thousand of them in every check of the tree.
//! - A [`day`] is a county from midnight to midnight, with its nights, its storms and a few hundred incidents.
//! - [`reference`] holds the domain's rules once more, naively, and [`scene`] compares after every step.
//! - [`compare`] measures what it is worth to assign a batch of incidents together.
//! - `defects/` holds mistakes somebody could make in the core; the short worlds must find each of them.

pub mod chance;
mod checks;
pub mod cli;
pub mod compare;
pub mod day;
pub mod many;
pub mod people;
mod record;
pub mod reference;
pub mod rules;
pub mod scene;
pub mod server;
pub mod short;
pub mod story;
