//! The two sides: Anhu with a whole county, and the floor.

use std::{
    collections::HashMap,
    env, fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tonic::transport::Channel;
use wire::v1::{
    self, incident_service_client::IncidentServiceClient, responder_service_client::ResponderServiceClient,
    watch_offers_response::Change,
};

use crate::load::{self, Round};

/// Responders on duty, of whom the first ones watch; the others make the choice a real one.
const RESPONDERS: u32 = 2_000;
/// Open streams.
const STREAMS: u32 = 200;
/// Streams that share a connection; there must be room for their calls.
const STREAMS_A_CONNECTION: usize = 50;
/// Where the county lies.
const CENTRE: (f64, f64) = (32.7, 119.0);

/// A process that ends with its side.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One round of the floor.
pub(crate) async fn floor(rate: u32, length: Duration) -> Round {
    let folder = data_folder();
    let mut child = Command::new(env::current_exe().expect("this program"))
        .arg("floor")
        .arg(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the floor runs");
    let mut line = String::new();
    let out = child.stdout.take().expect("its output");
    let _process = Process(child);
    BufReader::new(out).read_line(&mut line).expect("its ports");
    let (http, mqtt) = line.trim().split_once(' ').expect("two ports");
    let presses = rate * length.as_secs() as u32;
    let (sender, offers) = mpsc::unbounded_channel();
    watch_all(&format!("http://{http}"), &sender, false).await;
    let collecting = tokio::spawn(load::collect(offers, presses, Instant::now() + length));
    let due = load::press(mqtt.parse().expect("a port"), rate, presses).await;
    let offers = collecting.await.expect("offers");
    let device = |topic: &str| topic.split('/').nth(2).unwrap_or_default().to_owned();
    let device_of = offers.keys().map(|topic| (topic.clone(), device(topic))).collect();
    load::evaluate(&due, &offers, &device_of)
}

/// One round of Anhu: every press is of another elder, and every helper who is asked accepts and is done at once.
pub(crate) async fn anhu(rate: u32, length: Duration) -> Round {
    let folder = data_folder();
    let presses = rate * length.as_secs() as u32;
    let (process, http, mqtt) = serve(folder.path());
    import(&http, folder.path(), presses);
    let channel = connect(&http).await;
    on_duty(channel.clone()).await;
    let (sender, offers) = mpsc::unbounded_channel();
    watch_all(&http, &sender, true).await;
    let collecting = tokio::spawn(load::collect(offers, presses, Instant::now() + length));
    let due = load::press(mqtt, rate, presses).await;
    let offers = collecting.await.expect("offers");
    let device_of = devices(channel).await;
    drop(process);
    load::evaluate(&due, &offers, &device_of)
}

/// On a real disk: the folder for temporary files may be memory.
fn data_folder() -> tempfile::TempDir {
    let program = env::current_exe().expect("this program");
    tempfile::tempdir_in(program.parent().expect("a folder")).expect("a folder")
}

fn binary() -> PathBuf {
    let program = env::current_exe().expect("this program");
    let binary = program.ancestors().nth(2).expect("target/release").join("anhu");
    assert!(binary.exists(), "build the server first: cargo build --release -p server");
    binary
}

/// One helper is asked for each press, so that two hundred streams are enough for a storm.
fn serve(folder: &Path) -> (Process, String, u16) {
    let policy = include_str!("../../../config/policy.toml").replace("size = 3,", "size = 1,");
    let policy_file = folder.join("policy.toml");
    fs::write(&policy_file, policy).expect("the policy");
    let mut child = Command::new(binary())
        .args(["serve", "--insecure-dev", "--http-listen", "127.0.0.1:0", "--mqtt-listen", "127.0.0.1:0"])
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

/// Enters the county by the door everybody uses.
fn import(http: &str, folder: &Path, presses: u32) {
    let file = |kind: &str, text: String| {
        let path = folder.join(format!("{kind}.csv"));
        fs::write(&path, text).expect("a file");
        let done = Command::new(binary()).args(["import", kind]).arg(path).args(["--server", http]).output();
        let done = done.expect("anhu runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let near = |index: u32| {
        let (row, column) = (f64::from(index / 100 % 100), f64::from(index % 100));
        (CENTRE.0 + (row - 50.0) * 0.000_4, CENTRE.1 + (column - 50.0) * 0.000_4)
    };
    file("org_units", "code,name\n999901,County\n".to_owned());
    let mut responders = "external_id,name,org_unit,latitude,longitude\n".to_owned();
    for index in 0..RESPONDERS {
        // Those who watch live where the elders do; the others are on duty too, and too far away to be asked.
        let (latitude, longitude) = near(index * 50);
        let away = if index < STREAMS { 0.0 } else { 0.3 };
        responders += &format!("R-{index},Helper {index},999901,{},{longitude}\n", latitude + away);
    }
    file("responders", responders);
    let (mut elders, mut devices) =
        ("external_id,name,org_unit,latitude,longitude\n".to_owned(), "device,elder\n".to_owned());
    for index in 0..presses {
        let (latitude, longitude) = near(index);
        elders += &format!("E-{index},Elder {index},999901,{latitude},{longitude}\n");
        devices += &format!("{},E-{index}\n", load::device(index));
    }
    file("elders", elders);
    file("devices", devices);
}

async fn on_duty(channel: Channel) {
    let mut coming = tokio::task::JoinSet::new();
    for responder in 0..RESPONDERS {
        let mut client = ResponderServiceClient::new(channel.clone());
        let duty = v1::Duty::OnDuty.into();
        let request = v1::SetDutyRequest { responder: format!("responders/{responder}"), duty };
        coming.spawn(async move { client.set_duty(request).await.expect("on duty") });
    }
    coming.join_all().await;
}

async fn connect(url: &str) -> Channel {
    let endpoint = Channel::from_shared(url.to_owned()).expect("a URL").tcp_nodelay(true);
    loop {
        match endpoint.connect().await {
            Ok(channel) => return channel,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Every helper's phone. An HTTP/2 connection carries 200 streams at most, so they share a few.
async fn watch_all(url: &str, offers: &mpsc::UnboundedSender<(v1::OfferNotice, Instant)>, answers: bool) {
    for first in (0..STREAMS).step_by(STREAMS_A_CONNECTION) {
        let channel = connect(url).await;
        for responder in first..(first + STREAMS_A_CONNECTION as u32).min(STREAMS) {
            watch(channel.clone(), responder, offers.clone(), answers).await;
        }
    }
}

/// One helper's phone: notes when an offer comes, then accepts and is done at once if `answers`.
async fn watch(
    channel: Channel,
    responder: u32,
    offers: mpsc::UnboundedSender<(v1::OfferNotice, Instant)>,
    answers: bool,
) {
    let mut client = ResponderServiceClient::new(channel);
    let responder = format!("responders/{responder}");
    let request = v1::WatchOffersRequest { responder: responder.clone() };
    let mut stream = client.watch_offers(request).await.expect("a stream").into_inner();
    while let Some(Ok(message)) = stream.next().await {
        if let Some(Change::SnapshotEnd(_)) = message.change {
            break;
        }
    }
    tokio::spawn(async move {
        while let Some(Ok(message)) = stream.next().await {
            let at = Instant::now();
            let Some(Change::Offer(offer)) = message.change else { continue };
            let fresh = !answers || offer.state() == v1::OfferState::Sent;
            if !fresh || offers.send((offer.clone(), at)).is_err() {
                continue;
            }
            if answers {
                let mut client = client.clone();
                let responder = responder.clone();
                tokio::spawn(async move { answer(&mut client, responder, &offer).await });
            }
        }
    });
}

async fn answer(client: &mut ResponderServiceClient<Channel>, responder: String, offer: &v1::OfferNotice) {
    let accept = v1::AcceptOfferRequest { responder: responder.clone(), offer_id: offer.offer_id };
    if client.accept_offer(accept).await.is_err() {
        return;
    }
    let done = v1::UpdateAssignmentRequest {
        responder,
        incident: offer.incident.clone(),
        state: v1::AssignmentState::Cleared.into(),
        reason: String::new(),
    };
    let _ = client.update_assignment(done).await;
}

/// Which device each incident is of.
async fn devices(channel: Channel) -> HashMap<String, String> {
    let mut client = IncidentServiceClient::new(channel).max_decoding_message_size(64 << 20);
    let (mut devices, mut page_token) = (HashMap::new(), String::new());
    loop {
        let request = v1::ListIncidentsRequest { page_size: 1000, page_token, ..Default::default() };
        let page = client.list_incidents(request).await.expect("a page").into_inner();
        let named = page.incidents.into_iter().map(|incident| (incident.name, incident.device));
        devices.extend(named.map(|(name, device)| (name, device.trim_start_matches("devices/").to_owned())));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return devices;
        }
    }
}
