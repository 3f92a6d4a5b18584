//! What do the stories need: a server's side that can be slow, and a client that speaks bytes.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, atomic::AtomicU64, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use frontdoor::{Ack, FrontDoor, Inbound, Intake, Limits, Login, Refusal};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Semaphore, oneshot, watch},
    task::{JoinHandle, yield_now},
    time::timeout,
};

/// Nothing in these tests takes so long unless it is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    soon(what, async {
        while !condition() {
            yield_now().await;
        }
    })
    .await;
}

/// What the desk does with acks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    DurableAtOnce,
    Keep,
    Drop,
}

/// The server's side.
pub(crate) struct Desk {
    habit: Habit,
    room: Semaphore,
    messages: Mutex<Vec<Inbound>>,
    kept: Mutex<VecDeque<Ack>>,
    filters: Mutex<Vec<String>>,
    count: watch::Sender<usize>,
}

impl Desk {
    pub(crate) fn new(habit: Habit) -> Arc<Self> {
        Self::with_room(habit, Semaphore::MAX_PERMITS)
    }

    /// Takes so many messages, then waits for [`make_room`](Self::make_room).
    pub(crate) fn with_room(habit: Habit, room: usize) -> Arc<Self> {
        let (count, _) = watch::channel(0);
        let room = Semaphore::new(room);
        let (messages, kept, filters) = (Mutex::default(), Mutex::default(), Mutex::default());
        Arc::new(Self { habit, room, messages, kept, filters, count })
    }

    pub(crate) fn make_room(&self, messages: usize) {
        self.room.add_permits(messages);
    }

    /// Waits for so many messages in all.
    pub(crate) async fn messages(&self, count: usize) -> Vec<Inbound> {
        let mut counted = self.count.subscribe();
        soon("messages at the desk", counted.wait_for(|taken| *taken >= count)).await.expect("desk lives");
        self.messages.lock().expect("no panic").clone()
    }

    pub(crate) async fn payloads(&self, count: usize) -> Vec<String> {
        self.messages(count).await.iter().map(|m| String::from_utf8_lossy(&m.payload).into_owned()).collect()
    }

    pub(crate) fn taken(&self) -> Vec<Inbound> {
        self.messages.lock().expect("no panic").clone()
    }

    /// Who has subscribed to what so far.
    pub(crate) fn filters(&self) -> Vec<String> {
        self.filters.lock().expect("no panic").clone()
    }

    pub(crate) fn kept(&self) -> Vec<Ack> {
        self.kept.lock().expect("no panic").drain(..).collect()
    }
}

impl Intake for Desk {
    type Guest = ();

    fn admit(&self, login: Login<'_>) -> Result<(), Refusal> {
        match (login.client_id, login.password) {
            ("stranger", _) => Err(Refusal::NotAuthorized),
            ("unheard-of", _) => Err(Refusal::ClientId),
            (_, Some(b"wrong")) => Err(Refusal::Credentials),
            _ => Ok(()),
        }
    }

    fn may_publish(&self, (): &(), topic: &str) -> bool {
        !topic.starts_with("forbidden")
    }

    fn may_subscribe(&self, (): &(), filter: &str) -> bool {
        !filter.starts_with("forbidden")
    }

    fn subscribed(&self, client_id: &str, filter: &str) {
        self.filters.lock().expect("no panic").push(format!("{client_id} {filter}"));
    }

    async fn take(&self, (): &(), message: Inbound, ack: Ack) {
        self.room.acquire().await.expect("never closed").forget();
        self.messages.lock().expect("no panic").push(message);
        match self.habit {
            Habit::DurableAtOnce => ack.durable(),
            Habit::Keep => self.kept.lock().expect("no panic").push_back(ack),
            Habit::Drop => drop(ack),
        }
        self.count.send_modify(|count| *count += 1);
    }
}

/// A front door that runs.
pub(crate) struct Running {
    pub(crate) door: Arc<FrontDoor>,
    pub(crate) addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn start<I: Intake>(limits: Limits, intake: &Arc<I>) -> Self {
        let door = Arc::new(FrontDoor::bind("127.0.0.1:0", limits).await.expect("port 0 is free"));
        let (stop, stopped) = oneshot::channel::<()>();
        let (running, intake) = (Arc::clone(&door), Arc::clone(intake));
        let task = tokio::spawn(async move {
            running.run(intake, async move { drop(stopped.await) }).await;
        });
        Self { addr: door.local_addr(), door, stop: Some(stop), task }
    }

    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }

    pub(crate) async fn stopped(mut self) {
        self.stop();
        soon("the end", &mut self.task).await.expect("no panic");
    }

    pub(crate) async fn counted(&self, what: &str, counter: &AtomicU64, count: u64) {
        until(what, || counter.load(Ordering::Relaxed) >= count).await;
        assert_eq!(counter.load(Ordering::Relaxed), count, "{what}");
    }

    /// Waits until so many connections are open.
    pub(crate) async fn open(&self, connections: u64) {
        let now = &self.door.counters().connections_now;
        until("open connections", || now.load(Ordering::Relaxed) == connections).await;
    }

    pub(crate) async fn raw(&self) -> Raw {
        let stream = TcpStream::connect(self.addr).await.expect("listening");
        stream.set_nodelay(true).expect("a socket");
        Raw(stream)
    }

    /// A 3.1.1 client that is let in.
    pub(crate) async fn v311(&self, client_id: &str) -> Raw {
        let mut raw = self.raw().await;
        raw.send(&connect(4, 2, 0, b"", client_id)).await;
        raw.expect(&[0x20, 2, 0, 0]).await;
        raw
    }

    /// A v5 client that is let in.
    pub(crate) async fn v5(&self, client_id: &str) -> Raw {
        let mut raw = self.raw().await;
        raw.send(&connect(5, 2, 0, b"", client_id)).await;
        assert_eq!(raw.packet().await[..4], [0x20, raw_length(&WELCOME) + 3, 0, 0]);
        raw
    }
}

/// The properties of every v5 CONNACK under default limits, in the order they are sent.
pub(crate) const WELCOME: [u8; 19] =
    [0x21, 0, 64, 0x25, 1, 0x27, 0, 4, 0, 0, 0x22, 0, 0, 0x28, 1, 0x29, 0, 0x2a, 0];

fn raw_length(bytes: &[u8]) -> u8 {
    u8::try_from(bytes.len()).expect("short")
}

/// A client that speaks bytes.
pub(crate) struct Raw(pub(crate) TcpStream);

impl Raw {
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        soon("the door to read", self.0.write_all(bytes)).await.expect("connected");
    }

    #[track_caller]
    pub(crate) fn expect<'a>(&'a mut self, bytes: &'a [u8]) -> impl Future<Output = ()> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            let mut got = vec![0; bytes.len()];
            soon(&format!("{bytes:x?} at {caller}"), self.0.read_exact(&mut got)).await.expect("connected");
            assert_eq!(got, bytes, "at {caller}");
        }
    }

    /// The next packet whole.
    pub(crate) async fn packet(&mut self) -> Vec<u8> {
        soon("a packet", read_packet(&mut self.0)).await.expect("connected")
    }

    /// The other side closes and says nothing before.
    #[track_caller]
    pub(crate) fn expect_end(mut self) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let mut rest = Vec::new();
            // A reset is an end as well.
            let _ = soon("the end", self.0.read_to_end(&mut rest)).await;
            assert!(rest.is_empty(), "{rest:x?} at {caller}");
        }
    }
}

pub(crate) async fn read_packet(stream: &mut (impl AsyncReadExt + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut packet = vec![stream.read_u8().await?];
    let (mut length, mut shift) = (0, 0);
    loop {
        let byte = stream.read_u8().await?;
        packet.push(byte);
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let header = packet.len();
    packet.resize(header + length, 0);
    stream.read_exact(&mut packet[header..]).await?;
    Ok(packet)
}

fn text(text: &str) -> Vec<u8> {
    let mut bytes = u16::try_from(text.len()).expect("short").to_be_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes
}

pub(crate) fn framed(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut length = body.len();
    loop {
        let low = u8::try_from(length % 128).expect("7 bits");
        length /= 128;
        packet.push(if length > 0 { low | 0x80 } else { low });
        if length == 0 {
            break;
        }
    }
    packet.extend(body);
    packet
}

/// A CONNECT; `rest` are will, user name and password as `flags` announce them.
pub(crate) fn connect_with(
    level: u8,
    flags: u8,
    keep_alive_s: u16,
    properties: &[u8],
    client_id: &str,
    rest: &[&str],
) -> Vec<u8> {
    let mut body = [&text("MQTT")[..], &[level, flags], &keep_alive_s.to_be_bytes()].concat();
    if level == 5 {
        body.push(raw_length(properties));
        body.extend(properties);
    }
    body.extend(text(client_id));
    for (at, part) in rest.iter().enumerate() {
        if level == 5 && at == 0 && flags & 4 != 0 {
            body.push(0);
        }
        body.extend(text(part));
    }
    framed(0x10, &body)
}

pub(crate) fn connect(
    level: u8,
    flags: u8,
    keep_alive_s: u16,
    properties: &[u8],
    client_id: &str,
) -> Vec<u8> {
    connect_with(level, flags, keep_alive_s, properties, client_id, &[])
}

/// A 3.1.1 PUBLISH.
pub(crate) fn publish(first: u8, topic: &str, packet_id: u16, payload: &[u8]) -> Vec<u8> {
    let mut body = text(topic);
    if first & 6 != 0 {
        body.extend(packet_id.to_be_bytes());
    }
    body.extend(payload);
    framed(first, &body)
}

/// A v5 PUBLISH without properties.
pub(crate) fn publish5(first: u8, topic: &str, packet_id: u16, payload: &[u8]) -> Vec<u8> {
    let mut body = text(topic);
    if first & 6 != 0 {
        body.extend(packet_id.to_be_bytes());
    }
    body.push(0);
    body.extend(payload);
    framed(first, &body)
}

/// A SUBSCRIBE with packet id 9.
pub(crate) fn subscribe(level: u8, filters: &[(&str, u8)]) -> Vec<u8> {
    let mut body = vec![0, 9];
    if level == 5 {
        body.push(0);
    }
    for (filter, qos) in filters {
        body.extend(text(filter));
        body.push(*qos);
    }
    framed(0x82, &body)
}

pub(crate) fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}
