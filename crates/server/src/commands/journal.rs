//! `anhu journal`: is it whole, and what does it say?

use std::{
    io::{self, Write as _},
    path::PathBuf,
};

use anyhow::Context as _;
use prost_reflect::{DescriptorPool, DynamicMessage};

use crate::{config::Overrides, serve::Folders};

/// Look into the journals of a stopped server
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Check every record, and name the first that is damaged
    ///
    /// Example: anhu journal verify --data-dir /var/lib/anhu
    #[command(verbatim_doc_comment)]
    Verify(Where),
    /// Print every record as one JSON object a line
    ///
    /// It holds personal data. Example: anhu journal dump --data-dir /var/lib/anhu --stream dispatch | jq .
    #[command(verbatim_doc_comment)]
    Dump(Dump),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Where {
    #[command(flatten)]
    overrides: Overrides,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Dump {
    #[command(flatten)]
    overrides: Overrides,
    /// Which journal
    #[arg(long, value_enum, default_value_t = Stream::Dispatch)]
    stream: Stream,
}

/// The journals there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Stream {
    Dispatch,
    Registry,
}

impl Stream {
    fn folder(self, folders: &Folders) -> PathBuf {
        match self {
            Self::Dispatch => folders.dispatch_journal(),
            Self::Registry => folders.registry_journal(),
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::Dispatch => "anhu.v1.DispatchRecord",
            Self::Registry => "anhu.v1.RegistryRecord",
        }
    }
}

pub(crate) fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Verify(arguments) => verify(&folders(&arguments.overrides)?),
        Command::Dump(arguments) => dump(&folders(&arguments.overrides)?, arguments.stream),
    }
}

fn folders(overrides: &Overrides) -> anyhow::Result<Folders> {
    let data_dir = crate::config::load(overrides)?.config.data_dir;
    let folders = Folders::new(&data_dir);
    anyhow::ensure!(
        folders.dispatch_journal().is_dir(),
        "there is no journal in {}: name the server's data folder with --data-dir",
        data_dir.display()
    );
    Ok(folders)
}

fn verify(folders: &Folders) -> anyhow::Result<()> {
    let mut damaged = 0;
    for (name, stream) in [("dispatch", Stream::Dispatch), ("registry", Stream::Registry)] {
        let found = journal::verify(&stream.folder(folders));
        println!("{name}: {} records in {} segments, head {}", found.records, found.segments, found.head);
        if let Some(cut) = &found.cut {
            println!("  unfinished end of {} bytes in {} at byte {}", cut.bytes, cut.place, cut.offset);
        }
        if let Some(fault) = &found.fault {
            damaged += 1;
            println!("  DAMAGED: {fault}");
        }
    }
    anyhow::ensure!(damaged == 0, "{damaged} of 2 journals are damaged: restore them from a backup");
    Ok(())
}

fn dump(folders: &Folders, stream: Stream) -> anyhow::Result<()> {
    let pool = DescriptorPool::decode(wire::DESCRIPTORS)?;
    let message =
        pool.get_message_by_name(stream.message()).context("the descriptors lack the journal's message")?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    for record in journal::read(&stream.folder(folders)) {
        let (sequence, payload) = record?;
        let decoded = DynamicMessage::decode(message.clone(), payload.as_slice())
            .with_context(|| format!("record {sequence} was written by a newer program"))?;
        let line = serde_json::json!({ "sequence": sequence.0, "record": decoded });
        writeln!(out, "{line}")?;
    }
    Ok(out.flush()?)
}
