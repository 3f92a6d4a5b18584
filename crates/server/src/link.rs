//! Links: an existing broker, read with a kept session and acknowledged after the flush.
//!
//! Hides rumqttc and its traps. Each connection has its own client, so that no acknowledgement of an old connection can
//! reach a new one, where the same packet number means another message. Acknowledgements are handed over by a task of
//! their own, in the order of the messages, because awaiting them where the connection is polled would deadlock.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use rumqttc::{
    AsyncClient, Event, EventLoop, MqttOptions, NetworkOptions, Packet, Publish, QoS, SubscribeReasonCode,
};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    config::LinkConfig,
    engine::{Done, Engine, Job, Work},
    ingest::{Arrival, Ingest},
    metrics,
};

/// Largest message read from a broker. A larger one would come again for ever, so brokers are told to refuse it first.
const MAX_PACKET: usize = 64 * 1024 * 1024;
/// Receipts that may wait for the broker; then the outbox keeps them and tries again.
const OUTGOING: usize = 256;
/// Requests between our tasks and the client's.
const REQUESTS: usize = 64;
/// First and longest pause before connecting again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));
/// The disk is given so long to recover before the broker is asked to send again what it refused.
const AFTER_A_REFUSAL: Duration = Duration::from_secs(2);

/// The way to the devices behind one broker.
#[derive(Clone)]
pub(crate) struct Link {
    name: Arc<str>,
    receipts: mpsc::Sender<(String, Bytes)>,
    up: Arc<std::sync::atomic::AtomicBool>,
}

impl Link {
    /// Publishes a receipt with QoS 1, if the broker is there and not too many wait, and says whether it did. From here
    /// on it is the broker's: what it keeps for a device that is away is a matter of its configuration.
    pub(crate) fn publish(&self, topic: &str, payload: Bytes) -> bool {
        if !self.is_up() {
            return false;
        }
        let taken = self.receipts.try_send((topic.to_owned(), payload)).is_ok();
        if !taken {
            metrics::link(&self.name, "receipt_delayed");
        }
        taken
    }

    /// What the configuration calls it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the broker is connected and subscribed.
    pub(crate) fn is_up(&self) -> bool {
        self.up.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// Starts reading a broker and returns the way to its devices. Ends when `stop` is cancelled.
pub(crate) fn start(
    config: LinkConfig,
    ingest: Arc<Ingest>,
    engine: Engine,
    stop: CancellationToken,
    tasks: &mut JoinSet<()>,
) -> Link {
    let (receipts, outgoing) = mpsc::channel(OUTGOING);
    let link = Link { name: config.name.as_str().into(), receipts, up: Arc::default() };
    let reader = Reader { config: config.clone(), link: link.clone(), ingest, engine };
    let out = write(config, outgoing, stop.clone());
    tasks.spawn(out);
    tasks.spawn(async move { reader.run(stop).await });
    link
}

struct Reader {
    config: LinkConfig,
    link: Link,
    ingest: Arc<Ingest>,
    engine: Engine,
}

impl Reader {
    async fn run(self, stop: CancellationToken) {
        let mut pause = Pause::default();
        loop {
            let ended = tokio::select! {
                () = stop.cancelled() => return,
                ended = self.connection(&mut pause) => ended,
            };
            self.link.up.store(false, std::sync::atomic::Ordering::Relaxed);
            let wait = pause.next();
            tracing::warn!(link = self.config.name, reason = %ended, again_in_ms = wait.as_millis() as u64,
                "the link to a broker is down");
            metrics::link(&self.config.name, "down");
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// One connection, until it ends. Everything unacknowledged comes again on the next one.
    async fn connection(&self, pause: &mut Pause) -> Ended {
        let options = match options(&self.config, "") {
            Ok(options) => options,
            Err(ended) => return ended,
        };
        let (client, mut events) = AsyncClient::new(options, REQUESTS);
        nodelay(&mut events);
        let (acks, settled) = mpsc::unbounded_channel();
        let acker = tokio::spawn(acknowledge(client.clone(), settled));
        let refused = Arc::new(Notify::new());
        let ended = tokio::select! {
            ended = self.poll(&client, &mut events, &acks, &refused, pause) => ended,
            // What was refused is not acknowledged, and nothing behind it can be: the broker sends all of it again on the
            // next connection.
            () = refused.notified() => {
                tokio::time::sleep(AFTER_A_REFUSAL).await;
                Ended("the disk refuses, and nothing is acknowledged".to_owned())
            }
        };
        acker.abort();
        ended
    }

    async fn poll(
        &self,
        client: &AsyncClient,
        events: &mut EventLoop,
        acks: &mpsc::UnboundedSender<Mark>,
        refused: &Arc<Notify>,
        pause: &mut Pause,
    ) -> Ended {
        let (mut number, mut subscribed) = (0, 0);
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(ack))) => {
                    pause.reset();
                    metrics::link(&self.config.name, "connected");
                    tracing::info!(
                        link = self.config.name,
                        kept_session = ack.session_present,
                        "linked to a broker"
                    );
                    for filter in &self.config.filters {
                        // The queue is empty and takes one request for each of at most 32 filters.
                        if client.try_subscribe(filter, QoS::AtLeastOnce).is_err() {
                            return Ended("too many filters".to_owned());
                        }
                    }
                }
                Ok(Event::Incoming(Packet::SubAck(ack))) => {
                    if ack.return_codes.contains(&SubscribeReasonCode::Failure) {
                        return Ended(
                            "the broker refuses one of the filters: check its access list".to_owned(),
                        );
                    }
                    subscribed += 1;
                    let all = subscribed == self.config.filters.len();
                    self.link.up.store(all, std::sync::atomic::Ordering::Relaxed);
                }
                Ok(Event::Incoming(Packet::Publish(publish))) => {
                    number += 1;
                    if self.take(publish, number, acks, refused).await.is_err() {
                        return Ended("the server is stopping".to_owned());
                    }
                }
                Ok(_) => {}
                Err(error) => return Ended(error.to_string()),
            }
        }
    }

    /// Waits while the engine's queue is full: then the broker keeps what it has.
    async fn take(
        &self,
        publish: Publish,
        number: u64,
        acks: &mpsc::UnboundedSender<Mark>,
        refused: &Arc<Notify>,
    ) -> Result<(), crate::engine::Stopped> {
        metrics::message("link");
        let arrival = Arrival {
            topic: &publish.topic,
            payload: &publish.payload,
            retained: publish.retain,
            replayed: publish.retain,
        };
        let commands = self.ingest.read(arrival, |_| true).unwrap_or_default();
        let needs_ack = publish.qos != QoS::AtMostOnce;
        if needs_ack {
            // An error means that the connection is ending, and the message will come again.
            let _ = acks.send(Mark::Came(number, publish));
        }
        let (acks, refused) = (acks.clone(), Arc::clone(refused));
        let done: Done = Box::new(move |answer| match (needs_ack, answer.durable) {
            (true, true) => {
                let _ = acks.send(Mark::Durable(number));
            }
            (true, false) => refused.notify_one(),
            (false, _) => {}
        });
        if commands.is_empty() {
            done(crate::engine::Answer { verdicts: Vec::new(), durable: true });
            return Ok(());
        }
        self.engine.post(Job { work: Work::Commands(commands), done }).await
    }
}

enum Mark {
    Came(u64, Publish),
    Durable(u64),
}

/// Acknowledges messages in the order they came, each once it is durable.
async fn acknowledge(client: AsyncClient, mut marks: mpsc::UnboundedReceiver<Mark>) {
    let mut waiting: VecDeque<(u64, Publish, bool)> = VecDeque::new();
    while let Some(mark) = marks.recv().await {
        match mark {
            Mark::Came(number, publish) => waiting.push_back((number, publish, false)),
            Mark::Durable(number) => {
                // The oldest is nearly always the one; the search is short.
                if let Some(entry) = waiting.iter_mut().find(|(waiting, ..)| *waiting == number) {
                    entry.2 = true;
                }
            }
        }
        while waiting.front().is_some_and(|(_, _, durable)| *durable) {
            let Some((_, publish, _)) = waiting.pop_front() else { break };
            if client.ack(&publish).await.is_err() {
                return;
            }
        }
    }
}

/// Publishes receipts on a connection of its own: an acknowledgement would wait behind a full window.
async fn write(config: LinkConfig, mut outgoing: mpsc::Receiver<(String, Bytes)>, stop: CancellationToken) {
    let Ok(mut options) = options(&config, "-receipts") else {
        // The reader tells what is wrong; without receipts the alarms still come in.
        return stop.cancelled().await;
    };
    options.set_clean_session(true);
    let (client, mut events) = AsyncClient::new(options, OUTGOING);
    nodelay(&mut events);
    let mut pause = Pause::default();
    let polling = async {
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => pause.reset(),
                Ok(_) => {}
                Err(_) => tokio::time::sleep(pause.next()).await,
            }
        }
    };
    let publishing = async {
        while let Some((topic, payload)) = outgoing.recv().await {
            if client.try_publish(topic, QoS::AtLeastOnce, false, payload).is_err() {
                metrics::link(&config.name, "receipt_dropped");
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = polling => {}
        () = publishing => {}
    }
}

fn options(config: &LinkConfig, suffix: &str) -> Result<MqttOptions, Ended> {
    let (host, port) = config.address().map_err(|error| Ended(error.to_string()))?;
    let mut options = MqttOptions::new(format!("{}{suffix}", config.client_id), host, port);
    options
        .set_keep_alive(Duration::from_secs(30))
        .set_clean_session(false)
        .set_manual_acks(true)
        .set_max_packet_size(MAX_PACKET, devices::MAX_PAYLOAD_BYTES);
    if let Some(username) = &config.username {
        let password = config.password().map_err(|error| Ended(error.to_string()))?;
        options.set_credentials(username, password);
    }
    Ok(options)
}

fn nodelay(events: &mut EventLoop) {
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    network.set_connection_timeout(5);
    events.set_network_options(network);
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Ended(String);

/// Pauses that double, with a random part so that many servers do not come back together.
#[derive(Default)]
struct Pause {
    tries: u32,
}

impl Pause {
    fn reset(&mut self) {
        self.tries = 0;
    }

    fn next(&mut self) -> Duration {
        let longest = PAUSE.0.saturating_mul(1 << self.tries.min(16)).min(PAUSE.1);
        self.tries = self.tries.saturating_add(1);
        let random = getrandom::u32().unwrap_or(u32::MAX / 2);
        longest / 2 + longest.mul_f64(f64::from(random) / f64::from(u32::MAX)) / 2
    }
}
