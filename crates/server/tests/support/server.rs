//! A server of the real binary, on ports nobody chose, killed when the test lets go of it.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use tonic::transport::Channel;
use wire::v1::registry_service_client::RegistryServiceClient;

/// How long a server may take to serve, on a machine that does other things as well.
const START: Duration = Duration::from_secs(60);

/// A running server.
pub(crate) struct Server {
    process: Child,
    /// Where it serves gRPC.
    pub(crate) http: SocketAddr,
}

impl Server {
    /// Starts `anhu serve --insecure-dev` on `data` and waits until it serves.
    pub(crate) fn open(data: &Path) -> Self {
        Self::start(data, &["--insecure-dev"])
    }

    /// Starts `anhu serve` with `flags` on `data` and waits until it serves.
    pub(crate) fn start(data: &Path, flags: &[&str]) -> Self {
        let mut command = anhu();
        command.arg("serve").arg("--config").arg(without_watchdog());
        command.args(["--http-listen", "127.0.0.1:0", "--mqtt-listen", "127.0.0.1:0", "--data-dir"]);
        let mut process =
            command.arg(data).args(flags).stderr(Stdio::piped()).spawn().expect("the server starts");
        let log = BufReader::new(process.stderr.take().expect("its log"));
        let (told, serves) = mpsc::channel();
        // Reads the log to its end, so that the server never waits for room in the pipe.
        thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                // After the first, nobody listens any more.
                let _ = told.send(line);
            }
        });
        let mut log = Vec::new();
        let http = loop {
            let line = serves.recv_timeout(START).unwrap_or_else(|_| panic!("it does not serve: {log:#?}"));
            let address = line.split_whitespace().find_map(|word| word.strip_prefix("http="));
            match address.filter(|_| line.contains("anhu serves")) {
                Some(address) => break address.parse().expect("an address"),
                None => log.push(line),
            }
        };
        Self { process, http }
    }

    /// What a person would pass as `--server`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.http)
    }

    /// Kills it as a power cut would: nothing is told, nothing is tidied up.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    /// Runs `anhu` with these arguments against this server.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        run(anhu().env("ANHU_SERVER", self.url()).args(arguments))
    }

    /// A client of its registry, without a token.
    pub(crate) async fn registry(&self) -> RegistryServiceClient<Channel> {
        RegistryServiceClient::connect(self.url()).await.expect("it serves")
    }

    fn end(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    /// The exit code.
    pub(crate) code: i32,
    /// What it printed.
    pub(crate) out: String,
    /// What it printed about faults.
    pub(crate) err: String,
}

/// A configuration under which a server sends itself no alerts: they would stand among those of a test.
fn without_watchdog() -> std::path::PathBuf {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("without_watchdog.toml");
    if !file.exists() {
        // Written aside and renamed, because other tests read it at the same time.
        let draft = file.with_extension(std::process::id().to_string());
        std::fs::write(&draft, "[watchdog]\nevery_s = 0\n").expect("a file");
        std::fs::rename(draft, &file).expect("its name");
    }
    file
}

/// The binary under test, without anything the machine is configured with.
pub(crate) fn anhu() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anhu"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ANHU_")) {
        command.env_remove(name);
    }
    command.env_remove("RUST_LOG").env("NO_COLOR", "1");
    command
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Said {
    let Output { status, stdout, stderr } = command.output().expect("the command runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Said { code: status.code().expect("it ends by itself"), out: text(stdout), err: text(stderr) }
}
