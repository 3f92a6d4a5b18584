//! Gadgets: how do the devices of the county speak to the front door?
//!
//! MQTT 3.1.1, at least once: what was not acknowledged when a connection broke is sent again on the next one, as a
//! device does. Several devices share a connection, like those behind a gateway.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, NetworkOptions, Outgoing, Packet, QoS};
use tokio::{net::TcpStream, sync::mpsc, task::JoinSet};

use super::{AGAIN, Doors, Ledger, device_name, wall_clock_ms};

/// Devices behind one connection.
const DEVICES_PER_CONNECTION: usize = 200;
/// Messages that may wait for one connection; then whoever sends waits.
const QUEUE: usize = 1024;
/// How often a quiet connection is tried.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// What a device says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// The number of the device in the county.
    pub(crate) device: usize,
    /// The last level of the topic.
    pub(crate) channel: &'static str,
    pub(crate) payload: String,
    /// The alert it is, if the ledger shall know.
    pub(crate) alert: Option<String>,
}

/// Every device.
pub(crate) struct Fleet {
    connections: Vec<mpsc::Sender<Message>>,
    ledger: Arc<Ledger>,
    trouble: Arc<Mutex<Option<String>>>,
    /// Ends with the fleet.
    _tasks: JoinSet<()>,
}

impl Fleet {
    /// Connects `devices` devices.
    pub(super) async fn connect(doors: &Doors, devices: usize, ledger: &Arc<Ledger>) -> anyhow::Result<Self> {
        let (host, port) = &doors.mqtt;
        TcpStream::connect((host.as_str(), *port)).await.with_context(|| {
            format!("no front door answers at {host}:{port}: name another with --mqtt HOST:PORT")
        })?;
        let trouble = Arc::default();
        let (mut connections, mut tasks) = (Vec::new(), JoinSet::new());
        let run = wall_clock_ms();
        for number in 0..devices.div_ceil(DEVICES_PER_CONNECTION).max(1) {
            let (sender, incoming) = mpsc::channel(QUEUE);
            let mut options = MqttOptions::new(format!("anhu-play-{run}-{number}"), host, *port);
            options.set_keep_alive(KEEP_ALIVE);
            if let Some(token) = &doors.server.token {
                options.set_credentials("anhu", token.trim());
            }
            let connection = Connection {
                options,
                incoming,
                unacked: BTreeMap::new(),
                taken: 0,
                ledger: Arc::clone(ledger),
                trouble: Arc::clone(&trouble),
            };
            tasks.spawn(connection.run());
            connections.push(sender);
        }
        Ok(Self { connections, ledger: Arc::clone(ledger), trouble, _tasks: tasks })
    }

    /// Lets a device say something.
    pub(super) async fn send(&self, message: Message) {
        if let Some(alert) = &message.alert {
            self.ledger.sent(alert);
        }
        let connection = &self.connections[message.device / DEVICES_PER_CONNECTION % self.connections.len()];
        // The connection's task lives as long as the fleet.
        let _ = connection.send(message).await;
    }

    /// What broke a connection last.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One connection, again and again.
struct Connection {
    options: MqttOptions,
    incoming: mpsc::Receiver<Message>,
    /// In the order they came.
    unacked: BTreeMap<u64, Message>,
    taken: u64,
    ledger: Arc<Ledger>,
    trouble: Arc<Mutex<Option<String>>>,
}

/// What is under way on one connection.
struct UnderWay<'a> {
    unacked: &'a mut BTreeMap<u64, Message>,
    /// Given to the client and not yet sent, oldest first.
    waiting: VecDeque<u64>,
    /// Sent, by packet number.
    sent: HashMap<u16, u64>,
}

impl Connection {
    async fn run(mut self) {
        while let Some(error) = self.until_it_breaks().await {
            *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// One connection; `None` when nobody sends any more.
    async fn until_it_breaks(&mut self) -> Option<String> {
        let Self { options, incoming, unacked, taken, ledger, .. } = self;
        // A client of its own, because rumqttc forgets what waits when the server has not kept the session.
        let (client, mut events) = AsyncClient::new(options.clone(), QUEUE);
        nodelay(&mut events);
        let again: Vec<_> = unacked.iter().map(|(number, message)| (*number, message.clone())).collect();
        let under_way = Mutex::new(UnderWay { unacked, waiting: VecDeque::new(), sent: HashMap::new() });
        let feed = async {
            for (number, message) in again {
                locked(&under_way).waiting.push_back(number);
                publish(&client, message).await;
            }
            while let Some(message) = incoming.recv().await {
                *taken += 1;
                {
                    let mut under_way = locked(&under_way);
                    under_way.unacked.insert(*taken, message.clone());
                    under_way.waiting.push_back(*taken);
                }
                publish(&client, message).await;
            }
        };
        let poll = async {
            loop {
                match events.poll().await {
                    Ok(Event::Outgoing(Outgoing::Publish(packet))) => locked(&under_way).sent(packet),
                    Ok(Event::Incoming(Packet::PubAck(ack))) => {
                        if let Some(alert) = locked(&under_way).acked(ack.pkid) {
                            ledger.acked(&alert);
                        }
                    }
                    Ok(_) => {}
                    Err(error) => return error.to_string(),
                }
            }
        };
        tokio::select! {
            () = feed => None,
            error = poll => Some(error),
        }
    }
}

impl UnderWay<'_> {
    /// The client sends in the order in which it was given.
    fn sent(&mut self, packet: u16) {
        if let Some(number) = self.waiting.pop_front() {
            self.sent.insert(packet, number);
        }
    }

    /// The alert that was acknowledged, if it was one.
    fn acked(&mut self, packet: u16) -> Option<String> {
        let number = self.sent.remove(&packet)?;
        self.unacked.remove(&number)?.alert
    }
}

fn locked<'a, 'b>(under_way: &'a Mutex<UnderWay<'b>>) -> MutexGuard<'a, UnderWay<'b>> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn publish(client: &AsyncClient, message: Message) {
    let topic = format!("anhu/v1/{}/{}", device_name(message.device), message.channel);
    // An error means that the connection is over, and the message is sent again on the next.
    let _ = client.publish(topic, QoS::AtLeastOnce, false, message.payload).await;
}

/// Without this, small packets wait up to 40 ms for an acknowledgement of the one before.
fn nodelay(events: &mut EventLoop) {
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    events.set_network_options(network);
}
