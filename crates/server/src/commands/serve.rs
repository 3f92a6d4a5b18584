//! `anhu serve`: run the server.

use std::{io::IsTerminal as _, sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::{
    config::{self, Checked, LogFormat, Overrides},
    gate::{Gate, Mode},
    serve, token,
};

/// The login of the first user.
const FIRST: &str = "admin";
/// How long what nobody waits for may take to end after the server has stopped.
const FAREWELL: Duration = Duration::from_secs(1);

/// Run the server
///
/// Example: anhu serve --config /etc/anhu/anhu.toml
/// Example: anhu serve --insecure-dev --data-dir /var/tmp/anhu
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    overrides: Overrides,
    /// For development: nobody needs the token, and only this machine is listened to
    #[arg(long)]
    insecure_dev: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let checked = config::load(&arguments.overrides)?;
    start_log(&checked);
    let mode = if arguments.insecure_dev { open(&checked)? } else { closed(&checked)? };
    let runtime = runtime()?;
    let done = runtime.block_on(async {
        let mut running = serve::start(checked, mode).await?;
        let (http, mqtt) = (running.node.http_addr, running.mqtt_addr);
        tracing::info!(version = env!("CARGO_PKG_VERSION"), %http, %mqtt, "anhu serves");
        if !arguments.insecure_dev {
            let_in_the_first(&running.node.gate).await;
        }
        let failed = tokio::select! {
            () = running.ended() => true,
            signal = told_to_stop() => {
                tracing::info!(signal = signal?, "stopping");
                false
            }
        };
        running.stop().await?;
        anyhow::ensure!(!failed, "a part of the server has ended; see the log");
        Ok(())
    });
    // The name of a system outside that is being looked up cannot be called off.
    runtime.shutdown_timeout(FAREWELL);
    done
}

/// The threads that serve sockets.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no threads can be started")
}

/// Waits for a signal to stop, and names it.
pub(crate) async fn told_to_stop() -> anyhow::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}

/// Nobody needs the token, which is bearable only where nobody else can connect.
pub(crate) fn open(checked: &Checked) -> anyhow::Result<Mode> {
    for address in [checked.http_listen, checked.mqtt_listen] {
        anyhow::ensure!(
            address.ip().is_loopback(),
            "--insecure-dev listens on this machine only, and {address} is reached from elsewhere: leave out the flag"
        );
    }
    let (red, plain) = if std::io::stderr().is_terminal() { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
    eprintln!(
        "{red}INSECURE: nobody needs a token, and any device id is accepted. For development only.{plain}"
    );
    Ok(Mode::Open)
}

fn closed(checked: &Checked) -> anyhow::Result<Mode> {
    let folder = &checked.config.data_dir;
    let own =
        token::token(folder).with_context(|| format!("no token can be kept in {}", folder.display()))?;
    Ok(Mode::Closed(blake3::hash(own.as_bytes())))
}

/// Lets in whoever lets in the others, at the first start of all.
async fn let_in_the_first(gate: &Arc<Gate>) {
    let password = match gate.first_administrator(FIRST).await {
        Ok(Some(password)) => password,
        Ok(None) => return,
        // Alerts are dispatched all the same, and the host's own token opens every door.
        Err(refused) => {
            tracing::warn!(%refused, "nobody could be let in yet; start again when the disk takes records");
            return;
        }
    };
    let (bold, plain) = if std::io::stderr().is_terminal() { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    // Not by the log, which others read and which is kept.
    eprintln!(
        "\n{bold}Sign in as {FIRST} with the password {password}{plain}\n\
         It is good for one thing, choosing another, and is shown this once.\n\
         If it is lost: anhu users reset-password {FIRST}\n"
    );
}

/// Starts the log as configured; `RUST_LOG` goes before the file.
pub(crate) fn start_log(checked: &Checked) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(&checked.config.log.level));
    let coloured = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(coloured)
        .with_target(false);
    // An error means that a log was started already.
    let _ = match checked.config.log.format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().try_init(),
    };
}
