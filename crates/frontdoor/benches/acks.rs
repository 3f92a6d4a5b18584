//! How many durable acknowledgements a second, how late, and what does an idle device cost?
//!
//! `cargo bench -p frontdoor`, with `-- DEVICES IN_FLIGHT MESSAGES IDLE_DEVICES` to change the figures. Acks are cheap:
//! another thread releases them in bunches, as a journal does after a flush. Devices run in the same process and share
//! its cores, so the figures are a lower bound.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use frontdoor::{Ack, FrontDoor, Inbound, Intake, Limits, Login, Refusal};

struct Committer(mpsc::Sender<Ack>);

impl Intake for Committer {
    type Guest = ();

    fn admit(&self, _login: Login<'_>) -> Result<(), Refusal> {
        Ok(())
    }

    fn may_publish(&self, (): &(), _topic: &str) -> bool {
        true
    }

    fn may_subscribe(&self, (): &(), _filter: &str) -> bool {
        true
    }

    async fn take(&self, (): &(), _message: Inbound, ack: Ack) {
        // The committer ends with the process.
        let _ = self.0.send(ack);
    }
}

fn main() -> std::io::Result<()> {
    let figures: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let figure = |at: usize, default: usize| figures.get(at).copied().unwrap_or(default);
    let (devices, in_flight, messages) = (figure(0, 16), figure(1, 32), figure(2, 1_000_000));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let door = Arc::new(runtime.block_on(FrontDoor::bind("127.0.0.1:0", Limits::default()))?);
    let (sender, acks) = mpsc::channel::<Ack>();
    thread::spawn(move || {
        while let Ok(first) = acks.recv() {
            first.durable();
            acks.try_iter().for_each(Ack::durable);
        }
    });
    let running = Arc::clone(&door);
    runtime.spawn(async move { running.run(Arc::new(Committer(sender)), std::future::pending()).await });

    let (rate, _) = load(door.local_addr(), devices, in_flight, messages / devices)?;
    println!("{devices} devices with {in_flight} in flight: {rate:.0} durable acks/s");
    let (rate, mut waits) = load(door.local_addr(), 1, 1, 20_000)?;
    waits.sort_unstable();
    let percentile = |share: usize| waits[waits.len() * share / 1000];
    println!("1 device with 1 in flight: {rate:.0}/s, p50 {:?}, p99 {:?}", percentile(500), percentile(990));
    idle(door.local_addr(), figure(3, 5_000))
}

/// Publishes from so many devices at once; returns acks per second and each device's waits.
fn load(
    addr: SocketAddr,
    devices: usize,
    in_flight: usize,
    each: usize,
) -> std::io::Result<(f64, Vec<Duration>)> {
    let begun = Instant::now();
    let threads: Vec<_> =
        (0..devices).map(|device| thread::spawn(move || publish(addr, device, in_flight, each))).collect();
    let mut waits = Vec::new();
    for thread in threads {
        waits.extend(thread.join().map_err(|_| std::io::Error::other("a device panicked"))??);
    }
    Ok(((devices * each) as f64 / begun.elapsed().as_secs_f64(), waits))
}

fn publish(addr: SocketAddr, device: usize, in_flight: usize, each: usize) -> std::io::Result<Vec<Duration>> {
    let mut stream = connect(addr, &format!("device-{device}"))?;
    let mut packet = b"\x32\xc2\x01\x00\x1aanhu/v1/device-0001/alert-\x00\x01".to_vec();
    packet.resize(3 + 0xc2, b'x');
    let window = packet.repeat(in_flight);
    let mut answers = vec![0; 4 * in_flight];
    let mut waits = Vec::with_capacity(each / in_flight);
    for _ in 0..each / in_flight {
        let sent = Instant::now();
        stream.write_all(&window)?;
        stream.read_exact(&mut answers)?;
        waits.push(sent.elapsed());
    }
    Ok(waits)
}

fn connect(addr: SocketAddr, client_id: &str) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_nodelay(true)?;
    let length = u8::try_from(client_id.len()).map_err(std::io::Error::other)?;
    let mut packet = vec![0x10, 12 + length];
    packet.extend(b"\x00\x04MQTT\x04\x02\x00\x3c\x00");
    packet.push(length);
    packet.extend(client_id.as_bytes());
    stream.write_all(&packet)?;
    stream.read_exact(&mut [0; 4])?;
    Ok(stream)
}

/// Memory of devices that are connected and silent, as far as this system tells.
fn idle(addr: SocketAddr, devices: usize) -> std::io::Result<()> {
    let before = resident_kib();
    let open: Vec<_> =
        (0..devices).map(|device| connect(addr, &format!("idle-{device}"))).collect::<Result<_, _>>()?;
    if let (Some(before), Some(after)) = (before, resident_kib()) {
        println!("{} idle devices: {:.1} KiB each", open.len(), (after - before) as f64 / open.len() as f64);
    }
    Ok(())
}

fn resident_kib() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix(" kB")?.parse().ok()
}
