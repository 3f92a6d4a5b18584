//! What goes on in a city all day: readings, positions, and consoles with somebody before them.

use std::{
    collections::HashSet,
    time::{Duration, Instant, SystemTime},
};

use benches::{county::connect, load};
use rumqttc::{AsyncClient, MqttOptions, QoS};
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use wire::v1::{
    self, incident_service_client::IncidentServiceClient, responder_service_client::ResponderServiceClient,
    watch_incidents_response::Change,
};

/// Consoles that follow the board, beside the one that acts and the one that reads nothing.
const CONSOLES: usize = 48;
/// Connections that share the readings: gateways.
const GATEWAYS: u32 = 50;
/// Streams that share the positions.
const TRACKERS: u32 = 20;
const OPERATOR: &str = "soak";

/// What happens beside the presses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) homes: u32,
    /// A second.
    pub(crate) readings: u32,
    /// A second.
    pub(crate) positions: u32,
    pub(crate) responders: u32,
}

/// An incident on the operator's screen for the first time.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) incident: String,
    pub(crate) press: u32,
    pub(crate) at: Instant,
}

/// All consoles. What the first one sees comes back; its operator takes each incident, and closes it when it is served.
pub(crate) async fn consoles(http: &str) -> mpsc::UnboundedReceiver<Seen> {
    for _ in 0..CONSOLES {
        let mut stream = watch(http).await;
        tokio::spawn(async move { while stream.next().await.is_some_and(|change| change.is_ok()) {} });
    }
    let dead = watch(http).await;
    tokio::spawn(async move {
        let _kept = dead;
        std::future::pending::<()>().await;
    });
    let (sender, seen) = mpsc::unbounded_channel();
    let mut stream = watch(http).await;
    let client = client(http).await;
    tokio::spawn(async move {
        let mut known = HashSet::new();
        while let Some(Ok(message)) = stream.next().await {
            let at = Instant::now();
            let Some(Change::Incident(incident)) = message.change else { continue };
            let Some(press) = incident.device.rsplit('-').next().and_then(|number| number.parse().ok())
            else {
                continue;
            };
            if known.insert(incident.name.clone()) {
                let _ = sender.send(Seen { incident: incident.name.clone(), press, at });
            }
            tokio::spawn(act(client.clone(), incident));
        }
    });
    seen
}

async fn watch(http: &str) -> tonic::Streaming<v1::WatchIncidentsResponse> {
    let mut client = client(http).await;
    client.watch_incidents(v1::WatchIncidentsRequest::default()).await.expect("a stream").into_inner()
}

async fn client(http: &str) -> IncidentServiceClient<tonic::transport::Channel> {
    IncidentServiceClient::new(connect(http).await)
}

async fn act(mut client: IncidentServiceClient<tonic::transport::Channel>, incident: v1::Incident) {
    let (name, operator) = (incident.name.clone(), OPERATOR.to_owned());
    match incident.state() {
        v1::IncidentState::New => {
            let _ = client.acknowledge_incident(v1::AcknowledgeIncidentRequest { name, operator }).await;
        }
        v1::IncidentState::Resolved => {
            let _ = client.close_incident(v1::CloseIncidentRequest { name, operator }).await;
        }
        v1::IncidentState::Unspecified
        | v1::IncidentState::Acknowledged
        | v1::IncidentState::Closed
        | v1::IncidentState::Cancelled => {}
    }
}

/// Readings and positions, until this program ends.
pub(crate) async fn live(http: &str, mqtt: u16, load: Load) {
    for gateway in 0..GATEWAYS {
        tokio::spawn(readings(mqtt, gateway, load));
    }
    for tracker in 0..TRACKERS {
        tokio::spawn(positions(http.to_owned(), tracker, load));
    }
    // Everybody is connected before anything is measured.
    tokio::time::sleep(Duration::from_secs(1)).await;
}

async fn readings(port: u16, gateway: u32, load: Load) {
    let (client, mut events) =
        AsyncClient::new(MqttOptions::new(format!("gateway-{gateway}"), "127.0.0.1", port), 100);
    tokio::spawn(async move { while events.poll().await.is_ok() {} });
    let mut ticks =
        tokio::time::interval(Duration::from_secs_f64(f64::from(GATEWAYS) / f64::from(load.readings)));
    for number in (gateway..).step_by(GATEWAYS as usize) {
        ticks.tick().await;
        let device = load::device(number.wrapping_mul(7919) % load.homes);
        let reading = format!(
            r#"{{"readings":[{{"name":"heart_rate","value":{},"unit":"bpm"}},{{"name":"battery","value":{},"unit":"%"}}]}}"#,
            60 + number % 40,
            number % 100
        );
        let topic = format!("anhu/v1/{device}/telemetry");
        if client.publish(topic, QoS::AtMostOnce, false, reading).await.is_err() {
            return;
        }
    }
}

async fn positions(http: String, tracker: u32, load: Load) {
    let mut client = ResponderServiceClient::new(connect(&http).await);
    let (sender, fixes) = mpsc::channel(10);
    tokio::spawn(
        async move { client.report_positions(tokio_stream::wrappers::ReceiverStream::new(fixes)).await },
    );
    let pace = f64::from(TRACKERS) / f64::from(load.positions);
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(pace));
    for number in (tracker..).step_by(TRACKERS as usize) {
        ticks.tick().await;
        // Those who are far away drive around there, so that who is asked stays the same.
        let responder = load.responders / 2 + number % (load.responders / 2);
        let spread = |step: f64| 0.5 * ((f64::from(number) * step).fract() - 0.5);
        let place = v1::Place {
            latitude: 33.3 + spread(0.618),
            longitude: 119.0 + spread(0.754),
            system: v1::CoordinateSystem::Wgs84.into(),
        };
        let fix = v1::ReportPositionsRequest {
            responder: format!("responders/{responder}"),
            place: Some(place),
            fix_at: Some(SystemTime::now().into()),
        };
        if sender.send(fix).await.is_err() {
            return;
        }
    }
}
