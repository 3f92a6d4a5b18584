//! `anhu demo`: what does it look like when it runs?

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    time::Duration,
};

use anyhow::Context as _;
use console::style;
use registry::{Command, ImportKind, read_csv};

use super::{
    serve::{runtime, start_log, told_to_stop},
    simulate::bar,
};
use crate::{
    client::Server,
    config::{self, Checked, Overrides},
    county::{County, Known, Size},
    gate::Mode,
    node::Node,
    serve::{self, Running},
    simulate::{
        Doors, Play, Tempo, device_name, life,
        narrator::{AddressBook, Narrator},
        report::{Language, table},
    },
};

/// People answer as slowly as in life and go about the rest ten times as fast, so that one sees how it ends.
const TEMPO: Tempo = Tempo { answers: 1.0, field: 10.0 };
/// The device of the command that is printed for copying.
const EXAMPLE_DEVICE: usize = 42;

/// Show everything on this machine: an invented county, its people, and alarms, with nothing to install
///
/// One process with its own data folder, listening on this machine only. Within some seconds an SOS is raised and the
/// nearest helpers are asked; then one comes every ten seconds or so. Raise your own with the command it prints.
/// Without --data-dir everything is gone at the end. Stop it with Ctrl-C.
///
/// Example: anhu demo
/// Example: anhu demo --elders 50000 --responders 2000 --quiet
/// Example: anhu demo --data-dir /var/tmp/anhu-demo --seconds 60
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    overrides: Overrides,
    /// Elders in the county, each with a device
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=500_000))]
    elders: u32,
    /// Responders on duty
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    responders: u32,
    /// The same seed gives the same county
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// End by itself after this many seconds of alarms
    #[arg(long)]
    seconds: Option<u64>,
    /// Do not tell what happens
    #[arg(long)]
    quiet: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let folder = Folder::choose(arguments.overrides.data_dir.clone())?;
    let checked = prepare(&arguments.overrides, &folder)?;
    start_log(&checked);
    runtime()?.block_on(async {
        let mut running = serve::start(checked, Mode::Open).await?;
        let played = play(arguments, &mut running, &folder).await;
        running.stop().await?;
        played
    })
}

/// Where the data lies.
enum Folder {
    Kept(PathBuf),
    /// Removed at the end.
    Fresh(tempfile::TempDir),
}

impl Folder {
    fn choose(wanted: Option<PathBuf>) -> anyhow::Result<Self> {
        match wanted {
            Some(path) => Ok(Self::Kept(path)),
            None => {
                let made = tempfile::Builder::new().prefix("anhu-demo-").tempdir();
                Ok(Self::Fresh(made.context("no temporary folder can be made: name one with --data-dir")?))
            }
        }
    }

    fn path(&self) -> PathBuf {
        match self {
            Self::Kept(path) => path.clone(),
            Self::Fresh(folder) => folder.path().to_owned(),
        }
    }
}

/// The configuration of a demo: this machine only, free ports, and a log that leaves the screen to the story.
fn prepare(overrides: &Overrides, folder: &Folder) -> anyhow::Result<Checked> {
    let overrides = Overrides { data_dir: Some(folder.path()), ..overrides.clone() };
    let mut checked = config::load(&overrides)?;
    for address in [checked.http_listen, checked.mqtt_listen] {
        anyhow::ensure!(
            address.ip().is_loopback(),
            "a demo lets everybody in, so it listens on this machine only, and {address} is reached from elsewhere"
        );
    }
    for address in [&mut checked.http_listen, &mut checked.mqtt_listen] {
        free_port(address);
    }
    checked.config.log.level = "warn".to_owned();
    Ok(checked)
}

/// Leaves the choice of the port to the system when somebody else has it.
fn free_port(address: &mut SocketAddr) {
    if TcpListener::bind(*address).is_err() {
        println!("{address} is taken: another port is used, see below");
        address.set_port(0);
    }
}

async fn play(arguments: &Arguments, running: &mut Running, folder: &Folder) -> anyhow::Result<()> {
    let (elders, responders) = (arguments.elders as usize, arguments.responders as usize);
    let county = County::new(Size { seed: arguments.seed, elders, responders });
    let (http, mqtt) = (running.node.http_addr, running.mqtt_addr);
    let doors = Doors {
        server: Server { url: format!("http://{http}"), token: None },
        mqtt: (mqtt.ip().to_string(), mqtt.port()),
    };
    let progress = bar();
    enter(&running.node, &county, &progress).await?;
    progress.reset();
    let play = Play::begin(&doors, &county, TEMPO, &progress).await?;
    progress.finish_and_clear();
    let last_device = county.homes.len().saturating_sub(1).min(EXAMPLE_DEVICE);
    println!("{}", welcome(http, mqtt, folder, &county, last_device));

    let narrator = Narrator::new(AddressBook::of(&running.node.registrar.records()));
    let channel = doors.server.connect().await?;
    let quiet = arguments.quiet;
    let tell = async {
        if quiet {
            std::future::pending::<()>().await;
        }
        narrator.run(channel, |line| println!("{line}")).await;
    };
    let failed = tokio::select! {
        () = life::run(&play.fleet, &county, arguments.seed) => false,
        () = tell => false,
        () = time_is_up(arguments.seconds) => false,
        () = running.ended() => true,
        signal = told_to_stop() => {
            println!("\n{}: stopping", signal?);
            false
        }
    };
    let summary = play.end().await;
    println!("\n{}", table(&summary, Language::of_environment()));
    anyhow::ensure!(!failed, "a part of the server has ended; see the log");
    Ok(())
}

/// Writes whatever of the county is not there yet straight into the registry.
async fn enter(node: &Node, county: &County, progress: &indicatif::ProgressBar) -> anyhow::Result<()> {
    let files = county.files(&Known::of(&node.registrar.records()));
    progress.set_length(files.iter().map(|file| file.rows as u64).sum());
    for file in files {
        progress.set_message(words(file.kind));
        let import = read_csv(file.kind, file.csv.as_slice(), &mut |_, _| {});
        node.registrar.ask(Command::Import(import)).await.context("the county could not be entered")?;
        progress.inc(file.rows as u64);
    }
    Ok(())
}

fn words(kind: ImportKind) -> &'static str {
    match kind {
        ImportKind::OrgUnits => "towns and villages",
        ImportKind::Providers => "stations",
        ImportKind::Responders => "responders",
        ImportKind::Elders => "elders",
        ImportKind::Devices => "devices",
    }
}

async fn time_is_up(seconds: Option<u64>) {
    match seconds {
        Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
        None => std::future::pending().await,
    }
}

/// What somebody needs who has never seen it.
fn welcome(http: SocketAddr, mqtt: SocketAddr, folder: &Folder, county: &County, device: usize) -> String {
    let data = match folder {
        Folder::Kept(path) => format!("{} (kept)", path.display()),
        Folder::Fresh(folder) => {
            format!("{} (removed at the end; keep it with --data-dir)", folder.path().display())
        }
    };
    let (elders, responders) = (county.homes.len(), county.helpers.len());
    let place = county.org_units.first().map(|unit| unit.name.as_str()).unwrap_or_default();
    let insecure = "INSECURE: nobody needs a token, and any device id is accepted. For looking at only.";
    let (mqtt_host, mqtt_port) = (mqtt.ip(), mqtt.port());
    let device = device_name(device);
    format!(
        "\
{title}  {place}: {elders} elders with a device each, {responders} responders on duty, all invented
{insecure}

  data      {data}
  gRPC      http://{http}
  MQTT      {mqtt}
  metrics   http://{http}/metrics
  health    http://{http}/healthz  http://{http}/readyz
  token     none needed

{heading}
  mosquitto_pub -h {mqtt_host} -p {mqtt_port} -V mqttv5 -q 1 -t anhu/v1/{device}/alert -m '{{\"kind\":\"sos\"}}'
  grpcurl -plaintext {http} anhu.v1.IncidentService/WatchIncidents
  grpcurl -plaintext {http} anhu.v1.IncidentService/ListIncidents

Ctrl-C ends it.
",
        title = style(format!("Anhu 安护 {}", env!("CARGO_PKG_VERSION"))).bold(),
        insecure = style(insecure).red().bold(),
        heading = style("Raise an SOS, watch incidents, list them:").bold(),
    )
}
