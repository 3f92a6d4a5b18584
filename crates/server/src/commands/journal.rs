//! `anhu journal`: is it whole, and what does it say?

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use journal::{ReadError, Records, Sequence, checkpoint};
use prost_reflect::{DescriptorPool, DynamicMessage};

use crate::{config::Overrides, opening::Folders};

/// Look into the journals of a server, or of a backup
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Check every record, and name the first that is damaged
    ///
    /// While a server writes to them, the last record may look unfinished.
    ///
    /// Example: anhu journal verify --data-dir /var/lib/anhu
    /// Example: anhu journal verify --data-dir /mnt/backup/anhu
    #[command(verbatim_doc_comment)]
    Verify(Where),
    /// Print records as one JSON object a line
    ///
    /// It holds personal data. What is left out is said on the standard error output.
    ///
    /// Example: anhu journal dump --data-dir /var/lib/anhu --stream dispatch | jq .
    /// Example: anhu journal dump --from 1200 --to 1300
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
    /// The first record to print; the oldest there is when left out
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    from: Option<u64>,
    /// The last record to print; the newest there is when left out
    #[arg(long, value_name = "NUMBER")]
    to: Option<u64>,
}

/// The journals there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Stream {
    Dispatch,
    Registry,
    /// Users, their keys and their sessions
    Access,
}

impl Stream {
    /// In the order in which they are copied: what dispatch refers to was entered before, so it is in what is copied after.
    pub(super) const ALL: [Self; 3] = [Self::Dispatch, Self::Registry, Self::Access];

    /// Those that are there: before there were users, there was no journal of them.
    pub(super) fn all_in(folders: &Folders) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|stream| *stream != Self::Access || stream.folder(folders).is_dir())
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Dispatch => "dispatch",
            Self::Registry => "registry",
            Self::Access => "access",
        }
    }

    pub(super) fn folder(self, folders: &Folders) -> PathBuf {
        match self {
            Self::Dispatch => folders.dispatch_journal(),
            Self::Registry => folders.registry_journal(),
            Self::Access => folders.access_journal(),
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::Dispatch => "anhu.v1.DispatchRecord",
            Self::Registry => "anhu.v1.RegistryRecord",
            Self::Access => "anhu.v1.AccessRecord",
        }
    }
}

pub(crate) fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Verify(arguments) => verify(&folders(&arguments.overrides)?),
        Command::Dump(arguments) => dump(&folders(&arguments.overrides)?, arguments),
    }
}

/// The folders of a server or a backup that is there.
pub(super) fn folders(overrides: &Overrides) -> anyhow::Result<Folders> {
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
    for stream in Stream::all_in(folders) {
        let found = journal::verify(&stream.folder(folders));
        println!(
            "{}: {} records in {} segments, {} of them packed; first {}, head {}, hash {}",
            stream.name(),
            found.records,
            found.segments,
            found.archives,
            found.first,
            found.head,
            found.head_hash
        );
        if found.in_use {
            println!("  a server writes to it now: what is wrong at its end may only be on its way");
        }
        if let Some(cut) = &found.cut {
            println!("  unfinished end of {} bytes in {} at byte {}", cut.bytes, cut.place, cut.offset);
        }
        if let Some(fault) = &found.fault {
            damaged += 1;
            println!("  DAMAGED: {fault}");
        }
        for unreadable in checkpoint::newest(&stream.folder(folders)).filter_map(Result::err) {
            println!("  {unreadable}");
        }
    }
    anyhow::ensure!(damaged == 0, "{damaged} of the journals are damaged: restore them from a backup");
    Ok(())
}

fn dump(folders: &Folders, arguments: &Dump) -> anyhow::Result<()> {
    let Dump { stream, from, to, .. } = arguments;
    let pool = DescriptorPool::decode(wire::DESCRIPTORS)?;
    let message =
        pool.get_message_by_name(stream.message()).context("the descriptors lack the journal's message")?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut last = None;
    for record in records(&stream.folder(folders), *from) {
        let (sequence, payload) = record?;
        if to.is_some_and(|to| sequence.0 > to) {
            eprintln!("skipped: the records after {}", last.or(*to).unwrap_or_default());
            break;
        }
        if last.is_none() && sequence.0 > 1 {
            eprintln!("skipped: the records before {sequence}");
        }
        let decoded = DynamicMessage::decode(message.clone(), payload.as_slice())
            .with_context(|| format!("record {sequence} was written by a newer program"))?;
        let line = serde_json::json!({ "sequence": sequence.0, "record": decoded });
        writeln!(out, "{line}")?;
        last = Some(sequence.0);
    }
    if last.is_none() {
        eprintln!("no record of this journal was asked for");
    }
    Ok(out.flush()?)
}

/// The records from `from` on, or from the oldest on when those before were trimmed.
fn records(folder: &Path, from: Option<u64>) -> Records {
    let Some(from) = from else { return journal::read(folder) };
    let after = Sequence(from - 1);
    match journal::read_after(folder, after).next() {
        Some(Err(ReadError::Behind { .. })) => journal::read(folder),
        Some(_) | None => journal::read_after(folder, after),
    }
}
