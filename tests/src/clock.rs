//! A clock that can be set, without setting that of the machine.

use std::{path::Path, process::Command};

/// The variables under which a program sees the system's clock shifted by what `file` says, such as `+1h`. Clocks that
/// only measure how long something takes are left alone, as setting the real one leaves them.
///
/// # Panics
/// When the package that does it is not installed.
#[must_use]
pub fn shifted_by(file: &Path) -> Vec<(&'static str, String)> {
    let listed = Command::new("dpkg").args(["-L", "libfaketime"]).output().expect("Debian's package manager");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let library = listed.lines().find(|line| line.ends_with("/libfaketimeMT.so.1"));
    vec![
        ("LD_PRELOAD", library.expect("the package faketime: run `make tools`").to_owned()),
        ("FAKETIME_TIMESTAMP_FILE", file.display().to_string()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ]
}
