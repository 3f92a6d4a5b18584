//! The two sides: Anhu with a whole county, and the floor.

use std::{
    env,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use benches::{
    county::{County, Process, connect, data_folder, devices, serve, watch_all},
    load::{self, Round},
};
use tokio::sync::mpsc;

/// Responders on duty.
const RESPONDERS: u32 = 2_000;
/// Open streams.
const STREAMS: u32 = 200;

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
    let (sender, mut offers) = mpsc::unbounded_channel();
    watch_all(&format!("http://{http}"), STREAMS, &sender, Duration::ZERO).await;
    let port = mqtt.parse().expect("a port");
    let collecting = load::collect(&mut offers, presses, Instant::now() + length);
    let (pressed, offers) = tokio::join!(load::press(port, rate, 0..presses), collecting);
    let device = |topic: &str| topic.split('/').nth(2).unwrap_or_default().to_owned();
    let device_of = offers.keys().map(|topic| (topic.clone(), device(topic))).collect();
    load::evaluate(&pressed, &offers, &device_of)
}

/// One round of Anhu: every press is of another elder, and every helper who is asked accepts and is done at once.
pub(crate) async fn anhu(rate: u32, length: Duration) -> Round {
    let folder = data_folder();
    let presses = rate * length.as_secs() as u32;
    let county = County { responders: RESPONDERS, near: STREAMS, devices: presses };
    let (process, http, mqtt) = serve(folder.path());
    county.import(&http, folder.path());
    let channel = connect(&http).await;
    county.on_duty(channel.clone()).await;
    let (sender, mut offers) = mpsc::unbounded_channel();
    watch_all(&http, STREAMS, &sender, Duration::ZERO).await;
    let collecting = load::collect(&mut offers, presses, Instant::now() + length);
    let (pressed, offers) = tokio::join!(load::press(mqtt, rate, 0..presses), collecting);
    let device_of = devices(channel, usize::MAX).await;
    drop(process);
    load::evaluate(&pressed, &offers, &device_of)
}
