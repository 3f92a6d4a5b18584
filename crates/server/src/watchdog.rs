//! Watchdog: does an alert still get from a device to a helper and onto the hotline's screen?
//!
//! Every minute the node sends itself one, the way everybody else does: it connects to its own front door as a device,
//! and to its own gRPC door as a console and as a helper's app. The alert is an exercise of nobody's, in the place of the
//! sea farthest from land, where nobody but the watchdog's own responder can be asked. Whatever on the way is stuck, is
//! refused or has run out, this notices it, and says which step it was. After a round that went well it tells a monitor
//! elsewhere, if there is one.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use model::{CoordinateSystem, DeviceId, Place, ResponderId, Timestamp};
use roster::{Member, Roster};
use rumqttc::{AsyncClient, Event, MqttOptions, NetworkOptions, Packet, QoS};
use tokio_stream::StreamExt as _;
use tonic::Streaming;
use wire::v1::{
    self, incident_service_client::IncidentServiceClient, responder_service_client::ResponderServiceClient,
    watch_incidents_response::Change as Shown, watch_offers_response::Change as Told,
};

use crate::{
    client::{Channel, Server},
    config::WatchdogConfig,
    metrics,
    monitor::Monitor,
    node::{Node, Part},
};

/// The device that the watchdog is at the front door.
pub(crate) const DEVICE: &str = "anhu-watchdog";
/// The name under which it acts as an operator.
const OPERATOR: &str = "anhu-watchdog";
/// Point Nemo, degrees north and east: 2,688 km from any land, so nobody's position is near it by chance or by error.
const POINT_NEMO: (f64, f64) = (-48.876_7, -123.393_3);
/// When the policy asks nobody by itself, the watchdog sends its responder by hand after this time.
const POLICY_ASKS_WITHIN: Duration = Duration::from_secs(1);
/// After a round that failed the next comes sooner, for a hiccup should not look like a breakdown for a minute.
const AFTER_A_FAILURE: Duration = Duration::from_secs(5);
/// How much later than planned a round may end before the watchdog itself counts as stuck.
const GRACE: Duration = Duration::from_secs(15);

/// Whether `device` is the watchdog itself.
pub(crate) fn is_own(device: &DeviceId) -> bool {
    device.as_str() == DEVICE
}

/// Where its alerts come from.
pub(crate) fn place() -> Option<Place> {
    Place::new(POINT_NEMO.0, POINT_NEMO.1, CoordinateSystem::Wgs84).ok()
}

/// How the last round went. Shared with whoever asks how the node is.
#[derive(Debug)]
pub(crate) struct Watchdog {
    config: WatchdogConfig,
    monitor: Option<Monitor>,
    started: Instant,
    last: Mutex<Option<(Instant, Round)>>,
}

/// One round.
#[derive(Debug, Clone)]
struct Round {
    at: Timestamp,
    outcome: Result<Duration, String>,
}

impl Watchdog {
    pub(crate) fn new(config: WatchdogConfig) -> anyhow::Result<Self> {
        let uri = config.monitor().map_err(|remedy| anyhow::anyhow!("watchdog.ping_url: {remedy}"))?;
        Ok(Self { config, monitor: uri.map(Monitor::new), started: Instant::now(), last: Mutex::default() })
    }

    /// How it is, for `/readyz`; `None` when the site does not want one.
    pub(crate) fn part(&self) -> Option<Part> {
        let every = self.every()?;
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let overdue = every + self.limit() + GRACE;
        let since = last.as_ref().map_or(self.started, |(ended, _)| *ended);
        let (healthy, detail) = match last {
            _ if since.elapsed() > overdue => {
                (false, format!("no alert of ours has gone round for {} s", since.elapsed().as_secs()))
            }
            None => (true, "its first round is under way".to_owned()),
            Some((_, Round { outcome: Ok(took), .. })) => {
                let took =
                    format!("from device to helper and screen in {:.1} ms", took.as_secs_f64() * 1000.0);
                // A monitor that cannot be reached calls somebody by itself, and alerts go round all the same.
                let told = self.monitor.as_ref().and_then(Monitor::state);
                (true, [took].into_iter().chain(told).collect::<Vec<_>>().join("; "))
            }
            Some((_, Round { outcome: Err(why), at })) => {
                (false, format!("the alert sent at {} got stuck: {why}", clock_time(at)))
            }
        };
        Some(Part { name: "watchdog".to_owned(), healthy, detail })
    }

    fn every(&self) -> Option<Duration> {
        (self.config.every_s > 0).then(|| Duration::from_secs(self.config.every_s))
    }

    fn limit(&self) -> Duration {
        Duration::from_secs(self.config.limit_s)
    }
}

/// Enrols the one who is sent in its rounds. Before the roster catches up with what was going on at the last stop.
pub(crate) fn enrol(roster: &Roster) {
    let member = Member { base: place(), ..Member::default() };
    if roster.enrol(ResponderId::WATCHDOG, member).is_err() {
        metrics::broken_invariant("every roster has a slot for the watchdog");
    }
}

/// Goes its rounds until it is dropped.
pub(crate) async fn run(node: Arc<Node>, token: Option<String>) {
    let watchdog = Arc::clone(&node.watchdog);
    let Some(every) = watchdog.every() else { return std::future::pending().await };
    let mut number = 0;
    loop {
        number += 1;
        let at = node.clock.now();
        let step = Mutex::new("connecting");
        let walk =
            Walk { node: &node, token: token.as_deref(), id: format!("{}-{number}", at.0), step: &step };
        let outcome = match tokio::time::timeout(watchdog.limit(), walk.go()).await {
            Ok(Ok(took)) => Ok(took),
            Ok(Err(error)) => Err(format!("{}: {error:#}", walk.reached())),
            Err(_) => Err(format!("{}: nothing within {} s", walk.reached(), watchdog.config.limit_s)),
        };
        metrics::watchdog_round(at, &outcome);
        let well = outcome.is_ok();
        let round = Round { at, outcome };
        *watchdog.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), round));
        let pause = tokio::time::sleep(if well { every } else { every.min(AFTER_A_FAILURE) });
        match &watchdog.monitor {
            Some(monitor) if well => drop(tokio::join!(pause, monitor.tell(every))),
            Some(_) | None => pause.await,
        }
    }
}

/// One alert on its way.
struct Walk<'a> {
    node: &'a Node,
    token: Option<&'a str>,
    /// The device's own id of the alert.
    id: String,
    /// What is being waited for.
    step: &'a Mutex<&'static str>,
}

impl Walk<'_> {
    async fn go(&self) -> anyhow::Result<Duration> {
        let channel = self.server().connect().await?;
        let left_over = self.node.board.own();
        let mut hotline = Hotline::watch(&channel, self.node.board.head()).await?;
        let mut helper = Helper::watch(&channel).await?;
        self.step("tidying up after the last round");
        for left in left_over.iter().filter(|incident| !is_over(incident)) {
            helper.clear(left).await?;
            hotline.resolve(&left.name).await?;
        }
        helper.go_on_duty().await?;
        self.node.roster.report(ResponderId::WATCHDOG, place().context("a place")?, self.node.clock.now());

        let begun = Instant::now();
        let reached = |step| metrics::watchdog_step(step, begun.elapsed());
        self.step("the front door's acknowledgement");
        self.publish().await?;
        reached("acknowledged");
        self.step("the hotline's stream");
        let incident =
            hotline.until(|incident| incident.alerts.iter().any(|alert| alert.source_id == self.id)).await?;
        reached("shown");
        self.step("an offer to the watchdog's responder");
        let offer = helper.offered(&incident, &mut hotline).await?;
        reached("offered");
        self.step("accepting the offer");
        helper.accept(offer).await?;
        let taken =
            hotline.until(|changed| changed.name == incident.name && !changed.assignments.is_empty()).await?;
        reached("accepted");
        let took = begun.elapsed();
        self.step("closing the incident");
        helper.clear(&taken).await?;
        hotline.resolve(&incident.name).await?;
        Ok(took)
    }

    fn step(&self, step: &'static str) {
        *self.step.lock().unwrap_or_else(PoisonError::into_inner) = step;
    }

    fn reached(&self) -> &'static str {
        *self.step.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn server(&self) -> Server {
        let url = format!("http://{}", this_machine(self.node.http_addr));
        Server { url, token: self.token.map(|token| token.to_owned().into()) }
    }

    /// Publishes the alert as a device does, and waits for its acknowledgement.
    async fn publish(&self) -> anyhow::Result<()> {
        let door = this_machine(self.node.door.local_addr());
        let mut options = MqttOptions::new(DEVICE, door.ip().to_string(), door.port());
        options.set_keep_alive(Duration::from_secs(30));
        if let Some(token) = self.token {
            options.set_credentials(DEVICE, token);
        }
        let (client, mut events) = AsyncClient::new(options, 1);
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        events.set_network_options(network);
        let payload = format!(r#"{{"kind":"sos","id":"{}"}}"#, self.id);
        client.try_publish(format!("anhu/v1/{DEVICE}/alert"), QoS::AtLeastOnce, false, payload)?;
        loop {
            match events.poll().await? {
                Event::Incoming(Packet::PubAck(_)) => break,
                Event::Incoming(_) | Event::Outgoing(_) => {}
            }
        }
        client.try_disconnect()?;
        while events.poll().await.is_ok() {}
        Ok(())
    }
}

/// The watchdog as an operator.
struct Hotline {
    client: IncidentServiceClient<Channel>,
    stream: Streaming<v1::WatchIncidentsResponse>,
}

impl Hotline {
    /// Watches what changes after `revision`: what is open may be a county's worst day.
    async fn watch(channel: &Channel, revision: u64) -> anyhow::Result<Self> {
        let mut client = IncidentServiceClient::new(channel.clone());
        let request =
            v1::WatchIncidentsRequest { resume_token: revision.to_string(), include_watchdog: true };
        let stream = client.watch_incidents(request).await?.into_inner();
        let mut hotline = Self { client, stream };
        while !matches!(hotline.next().await?, Shown::SnapshotEnd(_)) {}
        Ok(hotline)
    }

    async fn next(&mut self) -> anyhow::Result<Shown> {
        let message = self.stream.next().await.context("the hotline's stream has ended")??;
        message.change.context("an empty change")
    }

    /// Waits until an incident of its own is as `wanted`.
    async fn until(&mut self, wanted: impl Fn(&v1::Incident) -> bool) -> anyhow::Result<v1::Incident> {
        loop {
            if let Shown::Incident(incident) = self.next().await?
                && incident.watchdog
                && wanted(&incident)
            {
                return Ok(incident);
            }
        }
    }

    async fn dispatch(&mut self, incident: &str) -> anyhow::Result<()> {
        let request = v1::DispatchIncidentRequest {
            name: incident.to_owned(),
            operator: OPERATOR.to_owned(),
            responders: vec![responder()],
        };
        self.client.dispatch_incident(request).await?;
        Ok(())
    }

    async fn resolve(&mut self, incident: &str) -> anyhow::Result<()> {
        let request = v1::ResolveIncidentRequest {
            name: incident.to_owned(),
            operator: OPERATOR.to_owned(),
            disposition: v1::Disposition::Exercise.into(),
            note: String::new(),
        };
        self.client.resolve_incident(request).await?;
        Ok(())
    }
}

/// The watchdog as the one who is sent.
struct Helper {
    client: ResponderServiceClient<Channel>,
    stream: Streaming<v1::WatchOffersResponse>,
}

impl Helper {
    async fn watch(channel: &Channel) -> anyhow::Result<Self> {
        let mut client = ResponderServiceClient::new(channel.clone());
        let request = v1::WatchOffersRequest { responder: responder() };
        let stream = client.watch_offers(request).await?.into_inner();
        let mut helper = Self { client, stream };
        while !matches!(helper.next().await?, Told::SnapshotEnd(_)) {}
        Ok(helper)
    }

    async fn next(&mut self) -> anyhow::Result<Told> {
        let message = self.stream.next().await.context("the helper's stream has ended")??;
        message.change.context("an empty change")
    }

    async fn go_on_duty(&mut self) -> anyhow::Result<()> {
        let request = v1::SetDutyRequest { responder: responder(), duty: v1::Duty::OnDuty.into() };
        self.client.set_duty(request).await?;
        Ok(())
    }

    /// Waits for the offer, and has itself sent by hand when the policy leaves that to operators.
    async fn offered(&mut self, incident: &v1::Incident, hotline: &mut Hotline) -> anyhow::Result<u64> {
        match tokio::time::timeout(POLICY_ASKS_WITHIN, self.offer_for(&incident.name)).await {
            Ok(offer) => offer,
            Err(_) => {
                hotline.dispatch(&incident.name).await?;
                self.offer_for(&incident.name).await
            }
        }
    }

    async fn offer_for(&mut self, incident: &str) -> anyhow::Result<u64> {
        loop {
            if let Told::Offer(offer) = self.next().await?
                && offer.incident == incident
            {
                return Ok(offer.offer_id);
            }
        }
    }

    async fn accept(&mut self, offer_id: u64) -> anyhow::Result<()> {
        let request = v1::AcceptOfferRequest { responder: responder(), offer_id };
        self.client.accept_offer(request).await?;
        Ok(())
    }

    /// Ends what it has to do in an incident, if anything.
    async fn clear(&mut self, incident: &v1::Incident) -> anyhow::Result<()> {
        let going = incident.assignments.iter().any(|going| {
            !matches!(going.state(), v1::AssignmentState::Cleared | v1::AssignmentState::Aborted)
        });
        if !going {
            return Ok(());
        }
        let request = v1::UpdateAssignmentRequest {
            responder: responder(),
            incident: incident.name.clone(),
            state: v1::AssignmentState::Cleared.into(),
            reason: String::new(),
        };
        if let Err(status) = self.client.update_assignment(request).await {
            bail!("its own assignment cannot be cleared: {}", status.message());
        }
        Ok(())
    }
}

fn is_over(incident: &v1::Incident) -> bool {
    matches!(incident.state(), v1::IncidentState::Resolved | v1::IncidentState::Closed)
}

fn responder() -> String {
    wire::Name::Responder(ResponderId::WATCHDOG).to_string()
}

/// How this machine reaches itself at an address that may stand for all of its own.
fn this_machine(address: SocketAddr) -> SocketAddr {
    let unspecified = address.ip().is_unspecified();
    let ip = if unspecified { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { address.ip() };
    SocketAddr::new(ip, address.port())
}

/// `03:04:05Z`.
fn clock_time(at: Timestamp) -> String {
    let moment = jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    moment.strftime("%H:%M:%SZ").to_string()
}
