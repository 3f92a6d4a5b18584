//! What users would otherwise build: Mosquitto, a script, PostgreSQL. Each a process of its own, on data that survives.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::{TcpListener, TcpStream},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use benches::county::County;
use rumqttc::{AsyncClient, Event, MqttOptions, NetworkOptions, Packet, QoS};
use tokio::sync::{mpsc, oneshot};

const POSTGRES: &str = "/usr/lib/postgresql/15/bin";
/// As much as a careful administrator changes. Every commit is flushed.
const POSTGRES_SETTINGS: [&str; 8] = [
    "listen_addresses=",
    "synchronous_commit=on",
    "shared_buffers=512MB",
    "wal_buffers=16MB",
    "max_wal_size=4GB",
    "checkpoint_timeout=15min",
    "random_page_cost=1.1",
    "jit=off",
];
/// Everything queued is kept, nothing waits for a full packet, and the store is written every second.
const MOSQUITTO_SETTINGS: &str = "allow_anonymous true\npersistence true\nautosave_interval 1\nmax_queued_messages 0\n\
                                  max_inflight_messages 100\nset_tcp_nodelay true\nlog_dest none\n";
/// Connections to PostgreSQL, and alerts worked on at the same time, by the tuned script.
const LANES: &str = "16";
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// Which script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    Node,
    Python,
}

/// The three parts; killed when dropped.
pub(crate) struct Stack {
    folder: tempfile::TempDir,
    script: Script,
    /// Where devices publish.
    pub(crate) port: u16,
    running: Vec<Child>,
}

impl Stack {
    /// Makes the database and starts everything.
    pub(crate) fn new(script: Script, county: County) -> Self {
        // Not below the home of root: PostgreSQL does not run as root.
        let folder = tempfile::tempdir_in("/var/tmp").expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("its rights");
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let mut stack = Self { folder, script, port, running: Vec::new() };
        let data = stack.path("pg");
        fs::create_dir(&data).expect("a folder");
        let mut made = unprivileged("initdb", &[&data, stack.folder.path()]);
        made.args(["-U", "peer", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8", "-D"]).arg(&data);
        assert!(made.stdout(Stdio::null()).status().expect("initdb runs").success());
        stack.start_postgres();
        stack.psql(&[
            format!("--set=responders={}", county.responders),
            format!("--set=near={}", county.near),
            format!("--set=devices={}", county.devices),
            format!("--file={}", of_peers("schema.sql").display()),
        ]);
        stack.start_broker_and_script();
        stack
    }

    /// Ends all parts at the same moment.
    pub(crate) fn kill(&mut self) {
        let mut all: Vec<u32> = self.running.iter().map(Child::id).collect();
        // PostgreSQL's other processes are children of its first one, and would go on for a moment.
        for id in all.clone() {
            let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
            all.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
        let mut kill = Command::new("kill");
        // One of them may have ended by itself meanwhile.
        let _ = kill.arg("-9").args(all.iter().map(u32::to_string)).stderr(Stdio::null()).status();
        for mut child in self.running.drain(..) {
            let _ = child.wait();
        }
    }

    /// Starts all parts again on what they have on the disk.
    pub(crate) fn restart(&mut self) {
        self.start_postgres();
        self.start_broker_and_script();
    }

    /// The devices whose alerts are in the database.
    pub(crate) fn devices(&self) -> Vec<String> {
        let arguments = ["--tuples-only", "--no-align", "--command=SELECT device FROM alerts"];
        self.psql(&arguments.map(str::to_owned)).lines().map(str::to_owned).collect()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start_postgres(&mut self) {
        let mut postgres = unprivileged("postgres", &[]);
        postgres.arg("-D").arg(self.path("pg"));
        for setting in POSTGRES_SETTINGS {
            postgres.args(["-c", setting]);
        }
        postgres.arg("-c").arg(format!("unix_socket_directories={}", self.folder.path().display()));
        let postgres = postgres.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.running.push(postgres.expect("postgres runs"));
        let began = Instant::now();
        let is_ready = || {
            let mut asked = Command::new(format!("{POSTGRES}/pg_isready"));
            asked.arg("-q").arg("-h").arg(self.folder.path()).status().is_ok_and(|status| status.success())
        };
        while !is_ready() {
            assert!(began.elapsed() < STARTS_WITHIN, "postgres does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn start_broker_and_script(&mut self) {
        let (config, store) = (self.path("mosquitto.conf"), self.path("broker"));
        fs::create_dir_all(&store).expect("a folder");
        let user = if is_root() { "user root\n" } else { "" };
        let place =
            format!("listener {} 127.0.0.1\npersistence_location {}/\n{user}", self.port, store.display());
        fs::write(&config, place + MOSQUITTO_SETTINGS).expect("its configuration");
        let program =
            if Path::new("/usr/sbin/mosquitto").exists() { "/usr/sbin/mosquitto" } else { "mosquitto" };
        self.running.push(
            Command::new(program)
                .arg("-c")
                .arg(config)
                .stderr(Stdio::null())
                .spawn()
                .expect("mosquitto runs"),
        );
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        let mut script = self.script_command().stdout(Stdio::piped()).spawn().expect("the script runs");
        let (mut ready, out) = (String::new(), script.stdout.take().expect("its output"));
        self.running.push(script);
        BufReader::new(out).read_line(&mut ready).expect("it says that it is ready");
        assert_eq!(ready.trim(), "ready", "{:?} does not start", self.script);
    }

    fn script_command(&self) -> Command {
        match self.script {
            Script::Node => {
                let mut node = Command::new("node");
                node.arg(of_peers("node/dispatch.js")).arg(format!("mqtt://127.0.0.1:{}", self.port));
                node.arg(self.folder.path()).arg(LANES);
                node
            }
            Script::Python => {
                let mut python = Command::new(of_peers("python/venv/bin/python"));
                python.arg(of_peers("python/dispatch.py")).arg(self.port.to_string()).arg(self.folder.path());
                python
            }
        }
    }

    fn psql(&self, arguments: &[String]) -> String {
        let mut psql = Command::new("psql");
        psql.args(["-q", "-v", "ON_ERROR_STOP=1", "-U", "peer", "-d", "postgres", "-h"])
            .arg(self.folder.path());
        let output = psql.args(arguments).output().expect("psql runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Every helper's phone: notes when an offer comes and to which device it belongs, then is done at once.
pub(crate) async fn watch_all(port: u16, offers: &mpsc::UnboundedSender<(String, Instant)>) {
    let mut options = MqttOptions::new("phones", "127.0.0.1", port);
    options.set_inflight(1000);
    let (client, mut events) = AsyncClient::new(options, 10_000);
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    events.set_network_options(network);
    client.subscribe("offers/+", QoS::AtMostOnce).await.expect("a connection");
    let offers = offers.clone();
    let (subscribed, waiting) = oneshot::channel();
    tokio::spawn(async move {
        let mut subscribed = Some(subscribed);
        while let Ok(event) = events.poll().await {
            let at = Instant::now();
            if let Event::Incoming(Packet::SubAck(_)) = event {
                // Whoever waited may have given up.
                let _ = subscribed.take().map(|told| told.send(()));
            } else if let Event::Incoming(Packet::Publish(offer)) = event {
                let device = String::from_utf8_lossy(&offer.payload).into_owned();
                let responder = offer.topic.trim_start_matches("offers/");
                // Never waits, for this task also reads. Without room a responder stays busy; there are many.
                let _ = client.try_publish(format!("done/{responder}"), QoS::AtLeastOnce, false, "");
                if offers.send((device, at)).is_err() {
                    return;
                }
            }
        }
    });
    waiting.await.expect("it subscribes");
}

/// A program of PostgreSQL, as a user that is not root and is given these folders.
fn unprivileged(program: &str, folders: &[&Path]) -> Command {
    let program = format!("{POSTGRES}/{program}");
    if !is_root() {
        return Command::new(program);
    }
    let id = |flag: &str| {
        let output = Command::new("id").args([flag, "postgres"]).output().expect("id runs").stdout;
        String::from_utf8_lossy(&output).trim().parse().expect("the user that comes with PostgreSQL")
    };
    let (user, group) = (id("-u"), id("-g"));
    for folder in folders {
        chown(folder, Some(user), Some(group)).expect("root may");
    }
    let mut command = Command::new("setpriv");
    command.arg(format!("--reuid={user}")).arg(format!("--regid={group}")).args([
        "--clear-groups",
        "--",
        &program,
    ]);
    command.current_dir("/");
    command
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn of_peers(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(path)
}
