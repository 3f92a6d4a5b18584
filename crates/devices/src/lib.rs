//! What did this device say? Hostile bytes in, [`Signal`]s out.
//!
//! What a nurse may rely on:
//!
//! - **Every message is answered**, with signals or with a [`Refusal`] that says why and, whenever the topic tells,
//!   which device it was. No bytes make this crate panic, loop or use much memory.
//! - **Silence is a decision.** A message without any signal is one whose profile says that silence is right, such as
//!   the idle report that follows a press. What merely looks odd is refused, so that an operator sees it.
//! - **A small fault does not cost an alert.** When the device and the kind can be read, the alert goes out; whatever
//!   else could not be read is named at the end of its detail, as in `(unreadable: battery)`.
//! - **Nothing is calmed by a guess.** Only what plainly says so becomes a restore or a test.
//!
//! Whether a message was retained by a broker is not in its bytes: the caller knows, and must not take the alerts of
//! a retained message as live ones.
//!
//! A new profile is one file, one line in [`PROFILES`], and recorded frames in `frames/<profile>/`.

pub mod canonical;
pub mod chirpstack;
mod fields;
mod json;
mod place;
mod refusal;
mod routes;
pub mod sound;
mod text;
mod words;
pub mod zigbee2mqtt;

use model::Signal;

pub use refusal::{Reason, Refusal};
pub use routes::{RouteError, RouteErrors, Routes};

/// Longest payload looked at, in bytes. A device's report has a few hundred; more is a mistake or an attack.
pub const MAX_PAYLOAD_BYTES: usize = 256 * 1024;

/// Most readings kept of one message. Telemetry may be shed, so the rest is left out rather than refused.
pub const MAX_READINGS: usize = 64;

/// One message as it came from a broker or from the front door.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// Where it was published.
    pub topic: &'a str,
    /// What was published, untouched.
    pub payload: &'a [u8],
}

/// How one maker's topics and payloads are read.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    /// The word for this profile in configuration.
    pub name: &'static str,
    /// What it reads, in one line.
    pub about: &'static str,
    /// The topic filters it is made for.
    pub default_filters: &'static [&'static str],
    /// Reads one message; several signals when the message says several things, the most urgent first.
    pub decode: fn(&Message<'_>) -> Result<Vec<Signal>, Refusal>,
}

/// Every profile this crate knows.
pub const PROFILES: &[Profile] = &[
    canonical::PROFILE,
    zigbee2mqtt::PROFILE,
    chirpstack::PROFILE,
    // one line per profile
];

/// Returns the profile called `name`.
#[must_use]
pub fn profile(name: &str) -> Option<&'static Profile> {
    PROFILES.iter().find(|profile| profile.name == name)
}
