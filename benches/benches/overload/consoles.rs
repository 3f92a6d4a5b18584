//! Consoles with somebody before them, and consoles and apps that read slowly or not at all.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use benches::county::connect;
use hdrhistogram::Histogram;
use tokio::{sync::mpsc, task::JoinSet};
use tokio_stream::StreamExt as _;
use tonic::{Streaming, transport::Channel};
use wire::v1::{
    self, incident_service_client::IncidentServiceClient, responder_service_client::ResponderServiceClient,
    watch_incidents_response::Change,
};

/// Consoles that read whatever comes.
pub(crate) const HEALTHY: usize = 50;
/// Consoles that read nothing, and as many apps of the helpers who are asked.
pub(crate) const DEAD: usize = 50;
/// Consoles that read one message in each of these.
pub(crate) const SLOW: usize = 50;
const SLOWNESS: Duration = Duration::from_millis(100);
/// What the dead and the slow take from the wire before anybody reads it, in bytes.
const WINDOW: u32 = 16 * 1024;
/// How long the last change may take to a screen.
const PATIENCE: Duration = Duration::from_secs(10);

/// Fifty screens, closed when this is dropped.
pub(crate) struct Screens {
    seen: mpsc::UnboundedReceiver<(String, Instant)>,
    _watching: JoinSet<()>,
}

impl Screens {
    /// Opens them, and waits until each shows everything there was before.
    pub(crate) async fn open(http: &str) -> Self {
        let (sender, seen) = mpsc::unbounded_channel();
        let (ready, mut all_ready) = mpsc::channel(HEALTHY);
        let mut watching = JoinSet::new();
        for _ in 0..HEALTHY {
            let stream = watch(connect(http).await).await;
            watching.spawn(screen(stream, sender.clone(), ready.clone()));
        }
        for _ in 0..HEALTHY {
            all_ready.recv().await.expect("a screen");
        }
        Self { seen, _watching: watching }
    }

    /// How long these presses took to each screen, in microseconds; `due` says when each should have left.
    pub(crate) async fn latencies(&mut self, due: &HashMap<String, Instant>) -> Histogram<u64> {
        let mut latencies = Histogram::new(3).expect("three digits");
        let all = (due.len() * HEALTHY) as u64;
        while latencies.len() < all {
            let Ok(Some((device, at))) = tokio::time::timeout(PATIENCE, self.seen.recv()).await else {
                break;
            };
            if let Some(due) = due.get(&device) {
                let micros = at.saturating_duration_since(*due).as_micros();
                latencies.record(u64::try_from(micros).unwrap_or(u64::MAX)).expect("within range");
            }
        }
        assert_eq!(latencies.len(), all, "every press is on every screen");
        latencies
    }
}

/// Says when the snapshot is there, and which device's incident is shown for the first time, and when.
async fn screen(
    mut stream: Streaming<v1::WatchIncidentsResponse>,
    seen: mpsc::UnboundedSender<(String, Instant)>,
    ready: mpsc::Sender<()>,
) {
    let mut known = HashSet::new();
    while let Some(Ok(message)) = stream.next().await {
        let at = Instant::now();
        match message.change {
            Some(Change::Incident(incident)) if known.insert(incident.name.clone()) => {
                let device = incident.device.trim_start_matches("devices/").to_owned();
                let _ = seen.send((device, at));
            }
            Some(Change::SnapshotEnd(_)) => drop(ready.send(()).await),
            Some(Change::Incident(_) | Change::Heartbeat(_)) | None => {}
        }
    }
}

/// Those who do not keep up; they are gone when this is dropped.
pub(crate) struct Neglected {
    _consoles: Vec<Streaming<v1::WatchIncidentsResponse>>,
    _apps: Vec<Streaming<v1::WatchOffersResponse>>,
    _slow: JoinSet<()>,
}

impl Neglected {
    /// Opens them, each on a connection of its own.
    pub(crate) async fn open(http: &str) -> Self {
        let (mut consoles, mut apps, mut slow) = (Vec::new(), Vec::new(), JoinSet::new());
        for number in 0..DEAD {
            consoles.push(watch(narrow(http).await).await);
            let request = v1::WatchOffersRequest { responder: format!("responders/{number}") };
            let app = ResponderServiceClient::new(narrow(http).await).watch_offers(request).await;
            apps.push(app.expect("a stream").into_inner());
        }
        for _ in 0..SLOW {
            let mut stream = watch(narrow(http).await).await;
            slow.spawn(async move {
                while let Some(Ok(_)) = stream.next().await {
                    tokio::time::sleep(SLOWNESS).await;
                }
            });
        }
        Self { _consoles: consoles, _apps: apps, _slow: slow }
    }
}

async fn narrow(http: &str) -> Channel {
    let endpoint = Channel::from_shared(http.to_owned()).expect("a URL").initial_stream_window_size(WINDOW);
    endpoint.connect().await.expect("a connection")
}

async fn watch(channel: Channel) -> Streaming<v1::WatchIncidentsResponse> {
    let mut client = IncidentServiceClient::new(channel);
    client.watch_incidents(v1::WatchIncidentsRequest::default()).await.expect("a stream").into_inner()
}
