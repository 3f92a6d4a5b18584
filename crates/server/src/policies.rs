//! Policies: which one is in force, and how does another one come into force while the server runs?
//!
//! A policy is known by a digest of its text. Replacing it goes through the engine's queue like everything else, so that the
//! journal says by which policy each decision was taken; a file with a fault never gets that far.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use dispatch::{Policy, PolicyFile};

use crate::{
    config::{Fault, Faults, line_at, line_of, read_file},
    engine::{Engine, Stopped},
};

/// The policy this program carries.
const BUILT_IN: &str = include_str!("../../../config/policy.toml");
/// Digits of the digest by which a policy is known: enough that no two of a site are the same.
const VERSION_DIGITS: usize = 12;

/// The policy in force and where it comes from.
#[derive(Clone)]
pub(crate) struct Policies {
    file: Option<PathBuf>,
    in_force: Arc<ArcSwap<Policy>>,
}

/// Why the policy was not replaced.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotReplaced {
    /// Nothing has changed.
    #[error(transparent)]
    Faulty(#[from] Faults),
    /// It is in force, and a restart may not know of it.
    #[error(
        "the disk refused to keep that another policy is in force: it is, until the next start; see /readyz"
    )]
    NotDurable,
    /// The server is stopping.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// What became of a wish to read the policy anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reloaded {
    pub(crate) version: String,
    pub(crate) replaced: bool,
}

impl Policies {
    /// `policy`, read from `file`, is in force.
    pub(crate) fn new(policy: Policy, file: Option<PathBuf>) -> Self {
        Self { file, in_force: Arc::new(ArcSwap::from_pointee(policy)) }
    }

    /// Where the engine reads it and puts another one.
    pub(crate) fn in_force(&self) -> Arc<ArcSwap<Policy>> {
        Arc::clone(&self.in_force)
    }

    /// The policy in force.
    pub(crate) fn current(&self) -> Arc<Policy> {
        self.in_force.load_full()
    }

    /// Where it comes from, in words.
    pub(crate) fn source(&self) -> String {
        source(self.file.as_deref())
    }

    /// Reads the file anew and puts what it says in force.
    ///
    /// # Errors
    /// [`NotReplaced`]; a file with faults changes nothing.
    pub(crate) async fn reload(&self, engine: &Engine) -> Result<Reloaded, NotReplaced> {
        let policy = read(self.file.as_deref()).map_err(|faults| {
            let faults = Faults(faults);
            tracing::warn!(%faults, "the policy stays as it was");
            faults
        })?;
        let version = policy.version().to_owned();
        let replaced = self.current().version() != version;
        let answer = engine.replace_policy(Arc::new(policy)).await?;
        if answer.durable { Ok(Reloaded { version, replaced }) } else { Err(NotReplaced::NotDurable) }
    }
}

/// Reads a policy: the file, or the one that is built in.
///
/// # Errors
/// Every fault at once, with its line where it can be told.
pub(crate) fn read(path: Option<&Path>) -> Result<Policy, Vec<Fault>> {
    let mut faults = Vec::new();
    let text = match path {
        None => BUILT_IN.to_owned(),
        Some(path) => read_file(path, "policy_file", &mut faults),
    };
    if !faults.is_empty() {
        return Err(faults);
    }
    parse(&source(path), &text)
}

fn parse(source: &str, text: &str) -> Result<Policy, Vec<Fault>> {
    let file: PolicyFile = toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| line_at(text, span.start));
        let value = error.span().and_then(|span| text.get(span)).unwrap_or_default();
        let value = value.lines().next().unwrap_or_default().to_owned();
        let (key, remedy) = ("policy".to_owned(), error.message().to_owned());
        vec![Fault { source: source.to_owned(), line, key, value, remedy }]
    })?;
    let digest = blake3::hash(text.as_bytes()).to_hex();
    Policy::new(&file, &digest[..VERSION_DIGITS]).map_err(|faults| {
        let told = faults.into_iter().map(|fault| Fault {
            source: source.to_owned(),
            line: fault.key.rsplit('.').next().and_then(|last| line_of(text, last)),
            key: fault.key,
            value: fault.value,
            remedy: fault.remedy.to_owned(),
        });
        told.collect()
    })
}

fn source(path: Option<&Path>) -> String {
    path.map_or_else(|| "config/policy.toml (built in)".to_owned(), |path| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_we_ship_is_sound_and_is_known_by_its_text() {
        let shipped = read(None).expect("without fault");
        assert_eq!(shipped.version().len(), VERSION_DIGITS);
        let longer = parse("x", &format!("{BUILT_IN}\n# Another word.\n")).expect("without fault");
        assert_ne!(longer.version(), shipped.version());
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let text = BUILT_IN.replace("search_again_s = 30", "search_again_s = 0");
        let text = text.replace("asks_per_responder = 3", "asks_per_responder = 99");
        let faults = parse("policy.toml", &text).expect_err("two faults");
        let keys: Vec<_> = faults.iter().map(|fault| fault.key.as_str()).collect();
        assert_eq!(keys, ["search_again_s", "asks_per_responder"]);
        assert!(faults.iter().all(|fault| fault.line.is_some()), "{faults:?}");
        let faults = parse("policy.toml", "search_again_s = ").expect_err("no TOML");
        assert_eq!(faults[0].line, Some(1));
    }
}
