//! A real Mosquitto, and its command-line clients.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use crate::wait::{free_port, until};

/// A broker of its own, killed when dropped.
#[derive(Debug)]
pub struct Mosquitto {
    child: Child,
    folder: tempfile::TempDir,
    /// Where it listens.
    pub port: u16,
}

impl Mosquitto {
    /// Starts a broker that keeps what it has on disk.
    ///
    /// # Panics
    /// When Debian's `mosquitto` is not installed.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let child = Self::spawn(folder.path(), port);
        let broker = Self { child, folder, port };
        broker.wait().await;
        broker
    }

    /// Kills it without a goodbye and starts it again on the same port and folder.
    pub async fn restart(&mut self) {
        self.kill();
        self.child = Self::spawn(self.folder.path(), self.port);
        self.wait().await;
    }

    /// Kills it and starts it again on the same port with nothing of what it knew.
    ///
    /// # Panics
    /// When its files cannot be removed.
    pub async fn restart_without_memory(&mut self) {
        self.kill();
        for file in fs::read_dir(self.folder.path()).expect("its folder").flatten() {
            fs::remove_file(file.path()).expect("removed");
        }
        self.child = Self::spawn(self.folder.path(), self.port);
        self.wait().await;
    }

    /// Asks it to end, so that it writes what it holds, and waits for that.
    pub fn stop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn spawn(folder: &Path, port: u16) -> Child {
        let config = folder.join("mosquitto.conf");
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {}/\n\
             autosave_interval 1\nmax_queued_messages 0\nmax_inflight_messages 100\nset_tcp_nodelay true\nuser root\n",
            folder.display()
        );
        fs::write(&config, text).expect("its configuration");
        // Debian keeps it in /usr/sbin, which is not on everybody's path.
        let program =
            if Path::new("/usr/sbin/mosquitto").exists() { "/usr/sbin/mosquitto" } else { "mosquitto" };
        Command::new(program)
            .arg("-c")
            .arg(config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto runs: apt-get install mosquitto mosquitto-clients")
    }

    async fn wait(&self) {
        until("mosquitto listens", async || {
            tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.ok()
        })
        .await;
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Publishes with `mosquitto_pub` and waits until it has its acknowledgement. `more` goes onto its command line.
///
/// # Panics
/// When Debian's `mosquitto-clients` is not installed.
#[must_use]
pub fn publish(port: u16, topic: &str, payload: &[u8], more: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("payload");
    fs::write(&file, payload).expect("the payload");
    Command::new("mosquitto_pub")
        .args(["-h", "127.0.0.1", "-q", "1", "-p", &port.to_string(), "-t", topic, "-f"])
        .arg(file)
        .args(more)
        .output()
        .expect("mosquitto_pub runs: apt-get install mosquitto-clients")
}

/// Listens to `topic` with `mosquitto_sub` from now on; it ends by itself after `count` messages, each a line, or when
/// nothing more comes for a long time.
///
/// # Panics
/// When Debian's `mosquitto-clients` is not installed.
#[must_use]
pub fn listen(port: u16, topic: &str, count: usize) -> Child {
    Command::new("mosquitto_sub")
        .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-q", "1", "-t", topic])
        .args(["-C", &count.to_string(), "-W", "50"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("mosquitto_sub runs: apt-get install mosquitto-clients")
}
