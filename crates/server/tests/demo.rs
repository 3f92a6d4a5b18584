//! Story of `anhu demo`: what somebody sees who has just built it.

use std::{
    net::TcpListener,
    process::{Command, Output},
};

/// Runs a demo to its end and returns what it printed.
fn demo(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anhu"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ANHU_")) {
        command.env_remove(name);
    }
    command.env_remove("RUST_LOG").env("NO_COLOR", "1").env("LC_ALL", "C");
    let Output { status, stdout, stderr } =
        command.arg("demo").args(arguments).output().expect("the demo runs");
    let (said, faults) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{said}\n{faults}");
    said.into_owned()
}

#[test]
fn within_half_a_minute_somebody_is_on_the_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().to_str().expect("a path in UTF-8");
    let ports = ["--http-listen", "127.0.0.1:0", "--mqtt-listen", "127.0.0.1:0", "--data-dir", data];
    let size = ["--seconds", "25", "--elders", "500", "--responders", "60"];
    let said = demo(&[ports, size].concat());
    let words = [
        "INSECURE",
        "500 elders",
        data,
        "none needed",
        "-t anhu/v1/demo-000042/alert -m '{\"kind\":\"sos\"}'",
        "anhu.v1.IncidentService/WatchIncidents",
        "P1 sos",
        "helpers asked, nearest",
        " accepted after ",
        "acknowledged by operators/",
    ];
    for word in words {
        assert!(said.contains(word), "{word:?} is missing:\n{said}");
    }
    assert!(said.lines().any(|line| line.starts_with("lost ") && line.ends_with(" 0")), "{said}");
}

#[test]
fn a_port_that_is_taken_is_replaced_and_a_quiet_demo_tells_no_story() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let small = ["--elders", "20", "--responders", "5", "--seconds", "4", "--quiet"];
    let said = demo(&[&small[..], &["--http-listen", &address, "--mqtt-listen", "127.0.0.1:0"]].concat());
    assert!(said.starts_with(&format!("{address} is taken")), "{said}");
    assert!(!said.contains(&format!("http://{address}")), "{said}");
    assert!(said.contains("removed at the end"), "{said}");
    assert!(!said.contains("P1 sos"), "{said}");
}
