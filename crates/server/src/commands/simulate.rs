//! `anhu simulate`: how does a running server bear a county full of people and alarms?

use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};

use super::serve::{runtime, told_to_stop};
use crate::{
    client::Server,
    county::{County, Size},
    simulate::{
        Doors, Play, Tempo,
        load::Load,
        register,
        report::{Language, Summary, table},
    },
};

/// How often the bar moves.
const SHOW_EVERY: Duration = Duration::from_millis(200);

/// Play a county against a running server: devices raise alarms, people answer, and a table says how it did
///
/// An invented county is entered first (whatever is not there yet: every number begins with DEMO-). Responders come on
/// duty, report positions and answer offers; an operator takes and resolves; devices publish an SOS each by MQTT. An
/// alert that was acknowledged and is never seen is lost: then the exit code is 1, as when one is entered twice.
/// Never use it on a server that serves real people: its helpers would be asked to go.
///
/// Example: anhu simulate --alerts-per-second 2 --seconds 30
/// Example: anhu simulate --at-once --alerts-per-second 200 --seconds 60 --responders 1000
/// Example: anhu simulate --server http://10.0.0.5:8080 --mqtt 10.0.0.5:1883 --token "$ANHU_TOKEN" --lang zh
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    server: Server,
    /// Where the server's front door is
    #[arg(long, value_name = "HOST:PORT", env = "ANHU_MQTT", default_value = "127.0.0.1:1883")]
    mqtt: String,
    /// Elders in the county, each with a device
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=500_000))]
    elders: u32,
    /// Responders on duty, each with an app that watches
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    responders: u32,
    /// How many alerts are raised each second, 0.01 to 10000
    #[arg(long, value_name = "RATE", default_value_t = 2.0)]
    alerts_per_second: f64,
    /// For how long
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// How many times faster than in life people are, 1 to 1000
    #[arg(long, default_value_t = 20.0)]
    pace: f64,
    /// People answer and finish at once, and nobody declines: for load
    #[arg(long, conflicts_with = "pace")]
    at_once: bool,
    /// The same seed gives the same county and the same order of alarms
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Language of the table; that of the environment when left out
    #[arg(long, value_enum)]
    lang: Option<Language>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let rate = arguments.alerts_per_second;
    anyhow::ensure!((0.01..=10_000.0).contains(&rate), "--alerts-per-second {rate}: write 0.01 to 10000");
    let pace = arguments.pace;
    anyhow::ensure!((1.0..=1000.0).contains(&pace), "--pace {pace}: write 1 to 1000, or use --at-once");
    let doors = Doors { server: arguments.server.clone(), mqtt: address(&arguments.mqtt)? };
    let size = Size {
        seed: arguments.seed,
        elders: arguments.elders as usize,
        responders: arguments.responders as usize,
    };
    let tempo = if arguments.at_once { Tempo::AT_ONCE } else { Tempo { answers: pace, field: pace } };
    let load = Load {
        alerts_per_second: rate,
        length: Duration::from_secs(u64::from(arguments.seconds)),
        devices: size.elders,
        seed: arguments.seed,
    };
    let (summary, trouble) = runtime()?.block_on(play(&doors, size, tempo, load))?;
    let language = arguments.lang.unwrap_or_else(Language::of_environment);
    print!("{}", table(&summary, language));
    if let Some(trouble) = trouble {
        eprintln!("anhu: the front door broke a connection: {trouble}");
    }
    let Summary { lost, duplicates, .. } = summary;
    anyhow::ensure!(
        lost == 0,
        "{lost} alerts were acknowledged and never seen: look for their ids in the journal"
    );
    anyhow::ensure!(duplicates == 0, "{duplicates} alerts were entered twice");
    Ok(())
}

async fn play(
    doors: &Doors,
    size: Size,
    tempo: Tempo,
    load: Load,
) -> anyhow::Result<(Summary, Option<String>)> {
    let county = County::new(size);
    let bar = bar();
    register(&doors.server, &county, &bar).await?;
    bar.reset();
    let play = Play::begin(doors, &county, tempo, &bar).await?;
    tokio::select! {
        () = load.run(&play.fleet) => {}
        () = show(&play, &bar, load.length) => {}
        signal = told_to_stop() => {
            signal?;
        }
    }
    bar.set_message("waiting for what is under way");
    play.settle().await;
    bar.finish_and_clear();
    let trouble = play.trouble();
    Ok((play.end().await, trouble))
}

/// Moves the bar. Never ends.
async fn show(play: &Play, bar: &ProgressBar, length: Duration) {
    bar.reset();
    bar.set_length(length.as_secs());
    let begun = Instant::now();
    loop {
        let (sent, acked, received) = play.ledger.counts();
        bar.set_position(begun.elapsed().as_secs());
        bar.set_message(format!("{sent} sent, {acked} acked, {received} received"));
        tokio::time::sleep(SHOW_EVERY).await;
    }
}

/// A bar that is seen on a terminal only.
pub(super) fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn address(text: &str) -> anyhow::Result<(String, u16)> {
    let split = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = split.filter(|(host, _)| !host.is_empty()).with_context(|| {
        format!("--mqtt {text:?} is not an address: write host:port, like 127.0.0.1:1883")
    })?;
    Ok((host.to_owned(), port))
}
