//! The tree's own rules: who may depend on whom, what a pure crate may name, and where things lie.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Every crate, lowest first. A crate may depend only on crates before it.
const ORDER: [&str; 13] = [
    "model",
    "devices",
    "roster",
    "dispatch",
    "registry",
    "access",
    "journal",
    "store",
    "wire",
    "views",
    "frontdoor",
    "server",
    "sim",
];

/// Crates without a clock, randomness, a thread, a file, a socket or async: the same input, the same output.
const PURE: [&str; 6] = ["model", "devices", "roster", "dispatch", "registry", "access"];

/// What a pure crate must not depend on.
const IMPURE_CRATES: [&str; 10] =
    ["tokio", "tonic", "prost", "rand", "fastrand", "getrandom", "tracing", "metrics", "sled", "rumqttc"];

/// What a pure crate must not say.
const IMPURE_WORDS: [&str; 8] = [
    "Instant::now",
    "SystemTime",
    "Timestamp::now",
    "Zoned::now",
    "std::fs",
    "std::net",
    "std::thread",
    "std::env",
];

/// Longest source file, in lines: what one can read in one sitting, and some.
const MAX_LINES: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the tree is there")
}

fn manifest(folder: &Path) -> toml::Table {
    let text = fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
    text.parse().expect("a manifest is TOML")
}

/// Names of the dependencies in these tables of a manifest.
fn dependencies(manifest: &toml::Table, tables: &[&str]) -> Vec<String> {
    let named = tables.iter().filter_map(|table| manifest.get(*table)?.as_table());
    named.flat_map(|table| table.keys().cloned()).collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !matches!(name, "target" | "node_modules" | ".git") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The code of a file without comments and without its tests, which stand last.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a source file");
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_list_of_crates_is_complete() {
    let mut found: Vec<String> = fs::read_dir(root().join("crates"))
        .expect("the crates")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    found.sort();
    let mut listed = ORDER.map(str::to_owned).to_vec();
    listed.sort();
    assert_eq!(found, listed, "a new crate gets its place in ORDER");
}

#[test]
fn no_crate_depends_upward() {
    for (rank, name) in ORDER.iter().enumerate() {
        let manifest = manifest(&root().join("crates").join(name));
        for dependency in dependencies(&manifest, &["dependencies", "build-dependencies"]) {
            if let Some(other) = ORDER.iter().position(|other| *other == dependency) {
                assert!(other < rank, "{name} depends on {dependency}, which stands above it");
            }
        }
    }
}

#[test]
fn a_pure_crate_names_nothing_impure() {
    for name in PURE {
        let folder = root().join("crates").join(name);
        for dependency in dependencies(&manifest(&folder), &["dependencies"]) {
            assert!(
                !IMPURE_CRATES.contains(&dependency.as_str()),
                "{name} is pure and depends on {dependency}"
            );
        }
        let clippy = fs::read_to_string(folder.join("clippy.toml")).expect("a pure crate has a clippy.toml");
        assert!(clippy.contains("std::time::Instant::now"), "{name}/clippy.toml forbids the clock");
        let mut files = Vec::new();
        sources(&folder.join("src"), &mut files);
        for file in files {
            let code = code(&file);
            for word in IMPURE_WORDS {
                assert!(!code.contains(word), "{} is pure and says {word}", file.display());
            }
        }
    }
}

#[test]
fn only_one_crate_knows_sled_and_only_one_knows_rumqttc() {
    for (library, owner) in [("sled", "store"), ("rumqttc", "server"), ("mqtt-proto", "frontdoor")] {
        for name in ORDER.iter().filter(|name| **name != owner) {
            let manifest = manifest(&root().join("crates").join(name));
            let named = dependencies(&manifest, &["dependencies"]);
            assert!(!named.iter().any(|dependency| dependency == library), "{name} knows {library}");
        }
    }
}

#[test]
fn versions_and_lints_stand_in_one_place() {
    let members = ORDER.iter().map(|name| root().join("crates").join(name));
    for folder in members.chain(["tests", "tests/fuzz", "benches"].map(|folder| root().join(folder))) {
        let manifest = manifest(&folder);
        let lints =
            manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool);
        assert_eq!(lints, Some(true), "{} takes the workspace's lints", folder.display());
        for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(entries) = manifest.get(table).and_then(toml::Value::as_table) else { continue };
            for (name, entry) in entries {
                let inherited = entry.get("workspace").and_then(toml::Value::as_bool) == Some(true);
                assert!(inherited, "{}: {name} takes its version from the workspace", folder.display());
            }
        }
    }
}

#[test]
fn files_are_named_after_their_module_and_fit_one_sitting() {
    let mut files = Vec::new();
    for folder in ["crates", "tests", "benches"] {
        sources(&root().join(folder), &mut files);
    }
    assert!(files.len() > 50, "the walk finds the tree");
    for file in files {
        // Cargo takes every file in `tests/` for a test of its own, so what tests share may lie in a folder there.
        let shared_by_tests = file.components().rev().nth(2).is_some_and(|part| part.as_os_str() == "tests");
        let is_mod = file.file_name().is_some_and(|name| name == "mod.rs");
        assert!(!is_mod || shared_by_tests, "{}: name the file after its module", file.display());
        let lines = fs::read_to_string(&file).expect("a source file").lines().count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines: split it", file.display());
    }
}

#[test]
fn every_module_opens_by_saying_what_it_is() {
    let mut files = Vec::new();
    for folder in ["crates", "tests", "benches"] {
        sources(&root().join(folder), &mut files);
    }
    for file in files {
        let text = fs::read_to_string(&file).expect("a source file");
        assert!(text.starts_with("//!"), "{} opens with a sentence", file.display());
    }
}
