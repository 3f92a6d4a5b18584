//! A county that Anhu serves: its registry, its helpers' phones, and the process itself.

use std::{
    collections::HashMap,
    env, fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, oneshot};
use tokio_stream::StreamExt as _;
use tonic::{Code, Status, transport::Channel};
use wire::v1::{
    self, incident_service_client::IncidentServiceClient, responder_service_client::ResponderServiceClient,
    watch_offers_response::Change,
};

use crate::load;

/// Streams that share a connection; there must be room for their calls.
const STREAMS_A_CONNECTION: usize = 50;
/// Where the county lies.
const CENTRE: (f64, f64) = (32.7, 119.0);
/// Edge of the square in which elders and those who watch live, and of that of all others, in degrees.
const TOWN: f64 = 0.04;
const ELSEWHERE: f64 = 0.5;
/// How far north the others are: too far away to be asked.
const AWAY: f64 = 0.6;
/// A file of the registry has its limits.
const DEVICES_A_FILE: u32 = 100_000;
/// When a helper's phone says again what the server could not take.
const SAID_AGAIN: Duration = Duration::from_millis(200);
/// Duties that are said at the same time.
const DUTIES_AT_ONCE: usize = 500;

/// How large it is.
#[derive(Debug, Clone, Copy)]
pub struct County {
    /// Responders on duty.
    pub responders: u32,
    /// Those who live among the elders, and watch; the others make the choice a real one.
    pub near: u32,
    /// Elders, each with a device.
    pub devices: u32,
}

/// A process, killed when dropped.
#[derive(Debug)]
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder on a real disk: the one for temporary files may be memory.
///
/// # Panics
/// When the machine has no room.
#[must_use]
pub fn data_folder() -> tempfile::TempDir {
    let program = env::current_exe().expect("this program");
    tempfile::tempdir_in(program.parent().expect("a folder")).expect("a folder")
}

/// The server that was built before.
///
/// # Panics
/// When it was not: `cargo build --release -p server`.
#[must_use]
pub fn binary() -> PathBuf {
    let program = env::current_exe().expect("this program");
    let binary = program.ancestors().nth(2).expect("target/release").join("anhu");
    assert!(binary.exists(), "build the server first: cargo build --release -p server");
    binary
}

/// Serves what is in `folder` and returns the process, its URL, and the port of its front door. One helper is asked for each
/// press, so that the streams are enough for a storm.
///
/// # Panics
/// When it does not serve.
#[must_use]
pub fn serve(folder: &Path) -> (Process, String, u16) {
    let policy = include_str!("../../config/policy.toml").replace("size = 3,", "size = 1,");
    let policy_file = folder.join("policy.toml");
    fs::write(&policy_file, policy).expect("the policy");
    let config = folder.join("anhu.toml");
    fs::write(&config, "max_responders = 131072\n").expect("the configuration");
    let mut child = Command::new(binary())
        .args(["serve", "--insecure-dev", "--http-listen", "127.0.0.1:0", "--mqtt-listen", "127.0.0.1:0"])
        .arg("--config")
        .arg(config)
        .arg("--data-dir")
        .arg(folder.join("data"))
        .arg("--policy-file")
        .arg(policy_file)
        .stderr(Stdio::piped())
        .spawn()
        .expect("anhu runs");
    let mut log = BufReader::new(child.stderr.take().expect("its log")).lines();
    let process = Process(child);
    let line =
        log.by_ref().map_while(Result::ok).find(|line| line.contains("anhu serves")).expect("it serves");
    std::thread::spawn(move || log.for_each(drop));
    let value = |key: &str| line.split_once(key).and_then(|(_, rest)| rest.split_whitespace().next());
    let mqtt = value("mqtt=").and_then(|address| address.rsplit(':').next()?.parse().ok());
    (process, format!("http://{}", value("http=").expect("a port")), mqtt.expect("a port"))
}

impl County {
    /// Enters it by the door everybody uses.
    ///
    /// # Panics
    /// When a file is refused.
    pub fn import(self, http: &str, folder: &Path) {
        let file = |kind: &str, text: String| {
            let path = folder.join(format!("{kind}.csv"));
            fs::write(&path, text).expect("a file");
            let done =
                Command::new(binary()).args(["import", kind]).arg(path).args(["--server", http]).output();
            let done = done.expect("anhu runs");
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        };
        file("org_units", "code,name\n999901,County\n".to_owned());
        let mut responders = "external_id,name,org_unit,latitude,longitude\n".to_owned();
        for index in 0..self.responders {
            let (latitude, longitude) =
                if index < self.near { spot(index, 0.0, TOWN) } else { spot(index, AWAY, ELSEWHERE) };
            responders += &format!("R-{index},Helper {index},999901,{latitude},{longitude}\n");
        }
        file("responders", responders);
        for first in (0..self.devices).step_by(DEVICES_A_FILE as usize) {
            let (mut elders, mut devices) =
                ("external_id,name,org_unit,latitude,longitude\n".to_owned(), "device,elder\n".to_owned());
            for index in first..(first + DEVICES_A_FILE).min(self.devices) {
                let (latitude, longitude) = spot(index, 0.0, TOWN);
                elders += &format!("E-{index},Elder {index},999901,{latitude},{longitude}\n");
                devices += &format!("{},E-{index}\n", load::device(index));
            }
            file("elders", elders);
            file("devices", devices);
        }
    }

    /// Everybody comes to work.
    ///
    /// # Panics
    /// When somebody is refused.
    pub async fn on_duty(self, channel: Channel) {
        let all: Vec<u32> = (0..self.responders).collect();
        for some in all.chunks(DUTIES_AT_ONCE) {
            let mut coming = tokio::task::JoinSet::new();
            for responder in some {
                let mut client = ResponderServiceClient::new(channel.clone());
                let duty = v1::Duty::OnDuty.into();
                let request = v1::SetDutyRequest { responder: format!("responders/{responder}"), duty };
                coming.spawn(async move { client.set_duty(request).await.expect("on duty") });
            }
            coming.join_all().await;
        }
    }
}

/// Evenly spread, the same as in the schema of the peers.
fn spot(index: u32, away: f64, span: f64) -> (f64, f64) {
    let spread = |step: f64| span * ((f64::from(index) * step).fract() - 0.5);
    (CENTRE.0 + away + spread(0.618_033_988_7), CENTRE.1 + spread(0.754_877_666_2))
}

/// A connection to `url`, as soon as there is somebody.
///
/// # Panics
/// When it is no URL.
pub async fn connect(url: &str) -> Channel {
    let endpoint = Channel::from_shared(url.to_owned()).expect("a URL").tcp_nodelay(true);
    loop {
        match endpoint.connect().await {
            Ok(channel) => return channel,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Every helper's phone. An HTTP/2 connection carries 200 streams at most, so they share a few. Whoever is asked accepts at
/// once and is done after `served_in`.
///
/// # Panics
/// When a stream is refused.
pub async fn watch_all(
    url: &str,
    streams: u32,
    offers: &mpsc::UnboundedSender<(String, Instant)>,
    served_in: Duration,
) {
    for first in (0..streams).step_by(STREAMS_A_CONNECTION) {
        let channel = connect(url).await;
        for responder in first..(first + STREAMS_A_CONNECTION as u32).min(streams) {
            watch(channel.clone(), responder, offers.clone(), served_in).await;
        }
    }
}

/// One helper's phone: notes when an offer comes, then answers it. When its stream is cut it watches again.
async fn watch(
    channel: Channel,
    responder: u32,
    offers: mpsc::UnboundedSender<(String, Instant)>,
    served_in: Duration,
) {
    let mut client = ResponderServiceClient::new(channel);
    let responder = format!("responders/{responder}");
    let request = v1::WatchOffersRequest { responder: responder.clone() };
    let (ready, watching) = oneshot::channel();
    tokio::spawn(async move {
        let mut ready = Some(ready);
        // An error means that the server is gone, or stops.
        while let Ok(stream) = client.watch_offers(request.clone()).await {
            let mut stream = stream.into_inner();
            while let Some(Ok(message)) = stream.next().await {
                let at = Instant::now();
                let offer = match message.change {
                    Some(Change::Offer(offer)) if offer.state() == v1::OfferState::Sent => offer,
                    Some(Change::SnapshotEnd(_)) => {
                        let _ = ready.take().map(|ready| ready.send(()));
                        continue;
                    }
                    _ => continue,
                };
                if offers.send((offer.incident.clone(), at)).is_err() {
                    return;
                }
                let (client, responder) = (client.clone(), responder.clone());
                tokio::spawn(async move { answer(&client, responder, &offer, served_in).await });
            }
        }
    });
    watching.await.expect("a stream");
}

async fn answer(
    client: &ResponderServiceClient<Channel>,
    responder: String,
    offer: &v1::OfferNotice,
    served_in: Duration,
) {
    let accept = v1::AcceptOfferRequest { responder: responder.clone(), offer_id: offer.offer_id };
    let accepted = told(|| {
        let (mut client, accept) = (client.clone(), accept.clone());
        async move { client.accept_offer(accept).await }
    });
    if !accepted.await {
        return;
    }
    if !served_in.is_zero() {
        tokio::time::sleep(served_in).await;
    }
    let done = v1::UpdateAssignmentRequest {
        responder,
        incident: offer.incident.clone(),
        state: v1::AssignmentState::Cleared.into(),
        reason: String::new(),
    };
    told(|| {
        let (mut client, done) = (client.clone(), done.clone());
        async move { client.update_assignment(done).await }
    })
    .await;
}

/// Says something until the server has heard it, as an app does; whether it agreed.
async fn told<R, F: Future<Output = Result<R, Status>>>(say: impl Fn() -> F) -> bool {
    loop {
        match say().await {
            Ok(_) => return true,
            Err(status) if status.code() == Code::Unavailable => tokio::time::sleep(SAID_AGAIN).await,
            Err(_) => return false,
        }
    }
}

/// Which device each of the latest incidents is of, at least `latest` of them if there are so many.
///
/// # Panics
/// When a page is refused.
pub async fn devices(channel: Channel, latest: usize) -> HashMap<String, String> {
    let mut client = IncidentServiceClient::new(channel).max_decoding_message_size(64 << 20);
    let (mut devices, mut page_token) = (HashMap::new(), String::new());
    loop {
        let request = v1::ListIncidentsRequest { page_size: 1000, page_token, ..Default::default() };
        let page = client.list_incidents(request).await.expect("a page").into_inner();
        let named = page.incidents.into_iter().map(|incident| (incident.name, incident.device));
        devices.extend(named.map(|(name, device)| (name, device.trim_start_matches("devices/").to_owned())));
        page_token = page.next_page_token;
        if page_token.is_empty() || devices.len() >= latest {
            return devices;
        }
    }
}
