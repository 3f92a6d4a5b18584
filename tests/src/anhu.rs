//! A real server in a process of its own, and clients for its doors.

use std::{
    env,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

use tokio_stream::StreamExt as _;
use tonic::transport::Channel;
use wire::v1::{
    self, incident_service_client::IncidentServiceClient, ingest_service_client::IngestServiceClient,
    notification_service_client::NotificationServiceClient, registry_service_client::RegistryServiceClient,
    responder_service_client::ResponderServiceClient, system_service_client::SystemServiceClient,
    watch_incidents_response, watch_offers_response,
};

use crate::wait::{PATIENCE, until};

/// A server, killed when dropped.
#[derive(Debug)]
pub struct Anhu {
    child: Child,
    folder: Arc<tempfile::TempDir>,
    log: Arc<Mutex<Vec<String>>>,
    /// Where gRPC and HTTP are.
    pub http: String,
    /// Where devices connect.
    pub mqtt_port: u16,
}

/// The binary that was built with these tests.
///
/// # Panics
/// When it was not built: run `cargo build -p server` first, in the same profile.
#[must_use]
pub fn binary() -> PathBuf {
    let test = env::current_exe().expect("the test's own path");
    // target/<profile>/deps/<test>, or target/<profile>/<program>.
    let folders = test.ancestors().skip(1).take(2);
    let binary = folders.map(|folder| folder.join("anhu")).find(|binary| binary.exists());
    let binary = binary.unwrap_or_else(|| test.with_file_name("anhu"));
    assert!(binary.exists(), "{} is not built: run `cargo build -p server` first", binary.display());
    binary
}

impl Anhu {
    /// Starts a development server on free ports and an empty data folder.
    pub async fn start() -> Self {
        Self::start_with("", tempfile::tempdir().expect("a folder").into()).await
    }

    /// Starts a development server with more lines of configuration, on this data folder.
    ///
    /// # Panics
    /// When it does not serve in time; then the panic shows its log.
    pub async fn start_with(config: &str, folder: Arc<tempfile::TempDir>) -> Self {
        Self::start_under(&[], config, folder).await
    }

    /// As [`Anhu::start_with`], with these variables in its environment.
    ///
    /// # Panics
    /// As [`Anhu::start_with`].
    pub async fn start_under(
        environment: &[(&str, String)],
        config: &str,
        folder: Arc<tempfile::TempDir>,
    ) -> Self {
        Self::launch(environment, config, folder)
            .await
            .unwrap_or_else(|log| panic!("anhu does not serve:\n{log}"))
    }

    /// As [`Anhu::start_under`].
    ///
    /// # Errors
    /// Its log, when it ends before it says that it serves, or does not say so in time.
    ///
    /// # Panics
    /// When it cannot be started at all.
    pub async fn launch(
        environment: &[(&str, String)],
        config: &str,
        folder: Arc<tempfile::TempDir>,
    ) -> Result<Self, String> {
        Self::run(&["serve", "--insecure-dev"], environment, config, folder)
    }

    /// Starts a server that lets nobody in who shows nothing, as a site runs it.
    ///
    /// # Panics
    /// As [`Anhu::start_with`].
    pub async fn start_closed(config: &str, folder: Arc<tempfile::TempDir>) -> Self {
        Self::run(&["serve"], &[], config, folder).unwrap_or_else(|log| panic!("anhu does not serve:\n{log}"))
    }

    fn run(
        command: &[&str],
        environment: &[(&str, String)],
        config: &str,
        folder: Arc<tempfile::TempDir>,
    ) -> Result<Self, String> {
        let file = folder.path().join("anhu.toml");
        // Its own alerts would stand among those of the test.
        let quiet = if config.contains("[watchdog]") { "" } else { "\n[watchdog]\nevery_s = 0\n" };
        std::fs::write(&file, format!("{config}{quiet}")).expect("the configuration");
        // The signal that comes with a file that may not grow would end it; a full disk sends none.
        let mut child = Command::new("sh")
            .args(["-c", r#"trap '' XFSZ; exec "$0" "$@""#])
            .arg(binary())
            .args(command)
            .arg("--config")
            .arg(&file)
            .env("ANHU_DATA_DIR", folder.path().join("data"))
            .env("ANHU_HTTP_LISTEN", "127.0.0.1:0")
            .env("ANHU_MQTT_LISTEN", "127.0.0.1:0")
            .env("NO_COLOR", "1")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("anhu runs");
        let log = Arc::new(Mutex::new(Vec::new()));
        let (found, ports) = mpsc::channel();
        let lines = BufReader::new(child.stderr.take().expect("its log")).lines();
        let kept = Arc::clone(&log);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some(ports) = ports_in(&line) {
                    let _ = found.send(ports);
                }
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        let Ok((http, mqtt_port)) = ports.recv_timeout(PATIENCE) else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(log.lock().unwrap_or_else(PoisonError::into_inner).join("\n"));
        };
        Ok(Self { child, folder, log, http: format!("http://{http}"), mqtt_port })
    }

    /// Kills it as a power cut would, and starts it again on the same data.
    pub async fn kill_and_restart(mut self, config: &str) -> Self {
        self.kill();
        let folder = Arc::clone(&self.folder);
        drop(self);
        Self::start_with(config, folder).await
    }

    /// Kills it as a power cut would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Tells it to stop, waits for that, and says whether it ended well.
    pub fn stop(&mut self) -> bool {
        let told = Command::new("kill").arg(self.child.id().to_string()).status();
        told.is_ok_and(|status| status.success()) && self.child.wait().is_ok_and(|status| status.success())
    }

    /// Tells it to read its policy anew, as an administrator does by SIGHUP.
    ///
    /// # Panics
    /// When it does not run.
    pub fn hang_up(&self) {
        let told = Command::new("kill").args(["-HUP", &self.child.id().to_string()]).status();
        assert!(told.is_ok_and(|status| status.success()), "it runs");
    }

    /// From now on its disk refuses every write.
    ///
    /// # Panics
    /// When it does not run.
    pub fn fill_disk(&self) {
        let told =
            Command::new("prlimit").args(["--pid", &self.child.id().to_string(), "--fsize=0"]).status();
        assert!(told.is_ok_and(|status| status.success()), "it runs");
    }

    /// Memory it holds, in MiB.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn resident_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it holds memory");
        line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).expect("a number") / 1024
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The folder that holds the data folder; keep it to start again on the same data.
    #[must_use]
    pub fn folder(&self) -> Arc<tempfile::TempDir> {
        Arc::clone(&self.folder)
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    /// Operators.
    pub async fn incidents(&self) -> IncidentServiceClient<Channel> {
        IncidentServiceClient::new(self.channel().await)
    }

    /// Caregivers' apps.
    pub async fn responders(&self) -> ResponderServiceClient<Channel> {
        ResponderServiceClient::new(self.channel().await)
    }

    /// Integrators.
    pub async fn ingest(&self) -> IngestServiceClient<Channel> {
        IngestServiceClient::new(self.channel().await)
    }

    /// Administrators.
    pub async fn registry(&self) -> RegistryServiceClient<Channel> {
        RegistryServiceClient::new(self.channel().await)
    }

    /// Those who look after what is told to others.
    pub async fn notifications(&self) -> NotificationServiceClient<Channel> {
        NotificationServiceClient::new(self.channel().await)
    }

    /// Those who run it.
    pub async fn system(&self) -> SystemServiceClient<Channel> {
        SystemServiceClient::new(self.channel().await)
    }

    /// A connection to its gRPC door.
    pub async fn channel(&self) -> Channel {
        let endpoint = Channel::from_shared(self.http.clone()).expect("a URL");
        until("anhu takes connections", async || endpoint.connect().await.ok()).await
    }

    /// Every incident, with its story, newest first.
    pub async fn all_incidents(&self) -> Vec<v1::Incident> {
        let mut client = self.incidents().await;
        let (mut all, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = v1::ListIncidentsRequest { page_size: 1000, page_token, ..Default::default() };
            let page = client.list_incidents(request).await.expect("a page").into_inner();
            all.extend(page.incidents);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return all;
            }
        }
    }

    /// One incident with its whole story.
    pub async fn incident(&self, name: &str) -> v1::Incident {
        let request = v1::GetIncidentRequest { name: name.to_owned() };
        let answer = self.incidents().await.get_incident(request).await.expect("the incident");
        answer.into_inner().incident.expect("an incident")
    }

    /// Waits until there is an incident that `wanted` wants.
    pub async fn wait_for_incident(
        &self,
        what: &str,
        wanted: impl Fn(&v1::Incident) -> bool,
    ) -> v1::Incident {
        let found = until(what, async || self.all_incidents().await.into_iter().find(|found| wanted(found)));
        let name = found.await.name;
        self.incident(&name).await
    }

    /// Watches the hotline's stream from now on; returns when the snapshot has been sent.
    pub async fn watch(&self) -> Watch {
        let request = v1::WatchIncidentsRequest::default();
        let stream = self.incidents().await.watch_incidents(request).await.expect("a stream").into_inner();
        let mut watch = Watch::of(stream);
        while !matches!(watch.next().await, watch_incidents_response::Change::SnapshotEnd(_)) {}
        watch
    }

    /// Watches one responder's stream from now on; returns when the snapshot has been sent.
    pub async fn watch_offers(&self, responder: &str) -> tonic::Streaming<v1::WatchOffersResponse> {
        let request = v1::WatchOffersRequest { responder: responder.to_owned() };
        let mut stream = self.responders().await.watch_offers(request).await.expect("a stream").into_inner();
        while let Some(Ok(message)) = stream.next().await {
            if let Some(watch_offers_response::Change::SnapshotEnd(_)) = message.change {
                break;
            }
        }
        stream
    }

    /// A page of plain HTTP: status and body.
    ///
    /// # Panics
    /// When there is no answer.
    #[must_use]
    pub fn get(&self, path: &str) -> (u16, String) {
        let output = Command::new("curl")
            .args(["-s", "-w", "\n%{http_code}", &format!("{}{path}", self.http)])
            .output()
            .expect("curl runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (body, code) = text.rsplit_once('\n').expect("a body and a status");
        (code.parse().expect("a status"), body.to_owned())
    }
}

impl Drop for Anhu {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The hotline's stream.
#[derive(Debug)]
pub struct Watch {
    stream: tonic::Streaming<v1::WatchIncidentsResponse>,
    /// Where to go on after a break.
    pub resume_token: String,
}

impl Watch {
    /// A stream of which nothing has been read.
    #[must_use]
    pub fn of(stream: tonic::Streaming<v1::WatchIncidentsResponse>) -> Self {
        Self { stream, resume_token: String::new() }
    }

    /// The next change.
    ///
    /// # Panics
    /// When the stream ends or nothing comes in time.
    pub async fn next(&mut self) -> watch_incidents_response::Change {
        let message = tokio::time::timeout(PATIENCE, self.stream.next()).await.expect("a change in time");
        let message = message.expect("the stream goes on").expect("no error");
        self.resume_token = message.resume_token;
        message.change.expect("a change")
    }

    /// Waits until an incident is as `wanted` wants it.
    ///
    /// # Panics
    /// As [`Watch::next`].
    pub async fn until(&mut self, wanted: impl Fn(&v1::Incident) -> bool) -> v1::Incident {
        loop {
            if let watch_incidents_response::Change::Incident(incident) = self.next().await
                && wanted(&incident)
            {
                return incident;
            }
        }
    }
}

/// Waits for the next offer or assignment of a responder.
///
/// # Panics
/// When the stream ends or nothing comes in time.
pub async fn next_notice(
    stream: &mut tonic::Streaming<v1::WatchOffersResponse>,
) -> watch_offers_response::Change {
    loop {
        let message = tokio::time::timeout(PATIENCE, stream.next()).await.expect("a notice in time");
        let change = message.expect("the stream goes on").expect("no error").change.expect("a change");
        if !matches!(change, watch_offers_response::Change::Heartbeat(_)) {
            return change;
        }
    }
}

/// The ports in the line that says that the server serves.
fn ports_in(line: &str) -> Option<(String, u16)> {
    let value = |key: &str| line.split_once(key).and_then(|(_, rest)| rest.split_whitespace().next());
    line.contains("anhu serves").then_some(())?;
    let mqtt = value("mqtt=")?.rsplit(':').next()?.parse().ok()?;
    Some((value("http=")?.to_owned(), mqtt))
}

/// A folder for data that outlives one server.
///
/// # Panics
/// When the machine has no room.
#[must_use]
pub fn folder() -> Arc<tempfile::TempDir> {
    Arc::new(tempfile::tempdir().expect("a folder"))
}

/// Where a file of this tree lies.
#[must_use]
pub fn in_tree(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}
