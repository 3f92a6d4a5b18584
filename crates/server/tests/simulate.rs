//! Story of `anhu simulate`: a county plays against a running server, and nothing is lost.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

/// A running server, killed when the test lets go of it.
struct Server {
    process: Child,
    http: String,
    mqtt: String,
}

impl Server {
    /// Starts a server on ports nobody chose and waits until it serves.
    fn start(data: &Path) -> Self {
        let mut command = anhu(&["serve", "--insecure-dev", "--http-listen", "127.0.0.1:0"]);
        command.args(["--mqtt-listen", "127.0.0.1:0", "--data-dir"]).arg(data).stderr(Stdio::piped());
        let mut process = command.spawn().expect("the server starts");
        let mut log = BufReader::new(process.stderr.take().expect("its log")).lines().map_while(Result::ok);
        let serves = log.by_ref().find(|line| line.contains("anhu serves")).expect("it serves");
        // Read to its end, so that the server never waits for room in the pipe.
        std::thread::spawn(move || log.for_each(drop));
        let address = |name: &str| {
            let found = serves.split_whitespace().find_map(|word| word.strip_prefix(name)).map(str::to_owned);
            found.expect("the log names the address")
        };
        Self { process, http: address("http="), mqtt: address("mqtt=") }
    }

    /// Runs `anhu simulate` to its end and returns what it printed.
    fn simulate(&self, arguments: &[&str]) -> String {
        let url = format!("http://{}", self.http);
        let mut command = anhu(&["simulate", "--server", &url, "--mqtt", &self.mqtt]);
        let size = ["--elders", "300", "--responders", "80", "--lang", "en"];
        let output = command.args(size).args(arguments).output().expect("it runs");
        let Output { status, stdout, stderr } = output;
        let (said, faults) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(status.success(), "{said}\n{faults}");
        said.into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn anhu(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anhu"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ANHU_")) {
        command.env_remove(name);
    }
    command.env_remove("RUST_LOG").env("NO_COLOR", "1").args(arguments);
    command
}

/// The figure in the line that begins with `name`.
fn figure(table: &str, name: &str) -> u64 {
    let line =
        table.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}:\n{table}"));
    let figure = line.split_whitespace().last().and_then(|figure| figure.parse().ok());
    figure.unwrap_or_else(|| panic!("no figure: {line}"))
}

#[test]
fn every_alert_of_a_county_is_seen_once_and_a_second_run_finds_the_county_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path());
    let table = server.simulate(&["--alerts-per-second", "8", "--seconds", "4", "--seed", "3"]);
    for (name, expected) in
        [("alerts sent", 32), ("acked", 32), ("received", 32), ("duplicates", 0), ("lost", 0)]
    {
        assert_eq!(figure(&table, name), expected, "{name}:\n{table}");
    }
    assert!(figure(&table, "accepted") > 0, "{table}");

    let table = server.simulate(&["--alerts-per-second", "30", "--seconds", "4", "--seed", "4", "--at-once"]);
    for (name, expected) in
        [("alerts sent", 120), ("repeated", 2), ("acked", 120), ("duplicates", 0), ("lost", 0)]
    {
        assert_eq!(figure(&table, name), expected, "{name}:\n{table}");
    }
}

#[test]
fn without_a_server_it_says_how_to_start_one() {
    let free =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a free port");
    let output = anhu(&["simulate", "--server", &format!("http://{free}")]).output().expect("it runs");
    let faults = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && faults.contains("anhu serve"), "{faults}");
}
