//! `anhu backup`: where is a second copy, and is it whole?

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use indicatif::HumanBytes;
use journal::{Copied, Hash, Sequence, checkpoint};
use serde::{Deserialize, Serialize};

use super::{
    journal::{Stream, folders},
    simulate::bar,
};
use crate::{config::Overrides, opening::Folders};

/// The file that makes a folder a backup. It is written last.
const MANIFEST: &str = "backup.toml";
/// The form of the manifest; a newer one is refused.
const VERSION: u32 = 1;
/// Checkpoints that a backup keeps of each journal, as the journal itself does.
const CHECKPOINTS: usize = 2;

/// Copy the journals into a folder, checked record by record, while the server runs or not
///
/// The first time everything is copied, later only what is new. An interrupted backup is taken up
/// again, and what was in the folder before stays good. Keep the folder on another disk, better in
/// another place. The access token is not copied. The last line tells the heads and their hashes.
///
/// Example: anhu backup --data-dir /var/lib/anhu --to /mnt/backup/anhu
/// Example: anhu journal verify --data-dir /mnt/backup/anhu
/// Example, every hour by cron: 5 * * * * anhu backup --config /etc/anhu.toml --to /mnt/backup
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    overrides: Overrides,
    /// The folder of the backup: a new one, or that of an earlier backup of the same server
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
}

/// What a backup holds.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    version: u32,
    /// The version of Anhu that wrote it.
    anhu: String,
    /// When it was finished, in UTC.
    pub(super) made_at: String,
    pub(super) journals: Vec<Held>,
}

/// What a backup holds of one journal.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Held {
    name: String,
    /// The first record, 0 when there is none.
    first: u64,
    /// The last record, 0 when there is none.
    pub(super) head: u64,
    /// The hash of that record: it stands for all records up to it.
    pub(super) head_hash: String,
    /// What the journal takes in the backup.
    pub(super) bytes: u64,
}

impl Manifest {
    /// Reads the manifest of a backup, or nothing when there is none.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Option<Self>> {
        let path = folder.join(MANIFEST);
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            outcome => outcome.with_context(|| format!("{} cannot be read", path.display()))?,
        };
        let manifest: Self = toml::from_str(&text)
            .with_context(|| format!("{} is damaged: take another backup", path.display()))?;
        anyhow::ensure!(
            manifest.version == VERSION,
            "{} has version {}, and this program knows {VERSION}: use the newer version of Anhu",
            path.display(),
            manifest.version
        );
        Ok(Some(manifest))
    }

    pub(super) fn held(&self, stream: Stream) -> Option<&Held> {
        self.journals.iter().find(|held| held.name == stream.name())
    }

    fn held_mut(&mut self, stream: Stream) -> Option<&mut Held> {
        self.journals.iter_mut().find(|held| held.name == stream.name())
    }

    /// Writes it such that there is always a whole one.
    fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let (path, unfinished) = (folder.join(MANIFEST), folder.join("backup.toml.new"));
        let text = format!(
            "# Made by `anhu backup`. Without this file the folder is no backup.\n{}",
            toml::to_string(self)?
        );
        let written = File::create(&unfinished)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
            .and_then(|()| std::fs::rename(&unfinished, &path))
            .and_then(|()| File::open(folder)?.sync_all());
        written.with_context(|| format!("{} cannot be written", path.display()))
    }
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let to = &arguments.to;
    let data_dir = crate::config::load(&arguments.overrides)?.config.data_dir;
    let source = folders(&arguments.overrides)?;
    check_place(to, &data_dir)?;
    let target = Folders::new(to);
    if let Some(mut earlier) = Manifest::read(to)? {
        check_goes_on(&mut earlier, (&source, &target), to)?;
    }
    let mut journals = Vec::new();
    let mut written = 0;
    for stream in Stream::all_in(&source) {
        let copied = copy(stream, &source, &target)?;
        written += copied.written_bytes;
        keep_checkpoints(stream, &source, &target)?;
        journals.push(Held {
            name: stream.name().to_owned(),
            first: copied.first.0,
            head: copied.head.0,
            head_hash: copied.head_hash.to_string(),
            bytes: size(&stream.folder(&target))?,
        });
    }
    let made_at = jiff::Timestamp::now().to_string();
    let manifest =
        Manifest { version: VERSION, anhu: env!("CARGO_PKG_VERSION").to_owned(), made_at, journals };
    manifest.write(to)?;
    let heads =
        manifest.journals.iter().map(|held| format!("{} {} {}", held.name, held.head, held.head_hash));
    let heads: Vec<_> = heads.collect();
    println!("{} written to {}: {}", HumanBytes(written), to.display(), heads.join(", "));
    Ok(())
}

/// Refuses a folder that is part of what is copied, or that holds something else.
fn check_place(to: &Path, data_dir: &Path) -> anyhow::Result<()> {
    let absolute = std::path::absolute(to)?;
    let there = absolute.ancestors().find(|folder| folder.exists()).unwrap_or(&absolute);
    let inside = there.canonicalize()?.starts_with(data_dir.canonicalize()?);
    anyhow::ensure!(!inside, "{} lies in the data folder: choose a place on another disk", to.display());
    std::fs::create_dir_all(to).with_context(|| format!("the folder {} cannot be made", to.display()))?;
    let mut entries = std::fs::read_dir(to)?;
    let is_ours = entries.next().is_none() || to.join(MANIFEST).exists() || to.join("journal").is_dir();
    anyhow::ensure!(is_ours, "{} holds something else: choose an empty folder", to.display());
    for stream in Stream::ALL {
        let folder = stream.folder(&Folders::new(to));
        let served = folder.join("lock").exists();
        anyhow::ensure!(
            !served,
            "{} is the data folder of a server, and nothing was copied: choose an empty folder for the backup",
            to.display()
        );
    }
    Ok(())
}

/// Refuses when the earlier backup holds records that the journals do not: they may be the only copy.
fn check_goes_on(
    earlier: &mut Manifest,
    (source, target): (&Folders, &Folders),
    to: &Path,
) -> anyhow::Result<()> {
    let made_at = earlier.made_at.clone();
    let mut shortened = false;
    for stream in Stream::ALL {
        let Some(held) = earlier.held_mut(stream) else { continue };
        let folder = stream.folder(source);
        let cannot = || format!("record {} of {} cannot be read", held.head, folder.display());
        let hash = journal::hash_of(&folder, Sequence(held.head)).with_context(cannot)?;
        if hash.unwrap_or_default().to_string() == held.head_hash {
            continue;
        }
        let shared = journal::shared(&folder, &stream.folder(target)).with_context(cannot)?;
        let (head, hash) = shared.with_context(|| {
            format!(
                "the backup of {made_at} in {} ends with record {}, which {} does not hold: it is of another server, or \
                 the server was restored from an older backup. Choose another folder, and keep this one",
                to.display(),
                held.head,
                folder.display()
            )
        })?;
        eprintln!(
            "the {} records of the {} journal after {head} were not flushed yet when they were copied: they are copied anew",
            held.head.saturating_sub(head.0),
            stream.name()
        );
        (held.head, held.head_hash, shortened) = (head.0, hash.to_string(), true);
    }
    // Before anything is copied: an interrupted backup must not promise what is being replaced.
    if shortened { earlier.write(to) } else { Ok(()) }
}

fn copy(stream: Stream, source: &Folders, target: &Folders) -> anyhow::Result<Copied> {
    let (from, to) = (stream.folder(source), stream.folder(target));
    copy_with_bar(stream, &from, &to)
        .with_context(|| format!("the {} journal cannot be copied from {}", stream.name(), from.display()))
}

/// Copies a journal and shows how far it is.
pub(super) fn copy_with_bar(stream: Stream, from: &Path, to: &Path) -> Result<Copied, journal::UpkeepError> {
    let bar = bar();
    bar.set_message(stream.name());
    let copied = journal::copy(from, to, |copied| {
        bar.set_length((copied.segments + copied.left) as u64);
        bar.set_position(copied.segments as u64);
        bar.set_message(format!(
            "segments of {}, {} written",
            stream.name(),
            HumanBytes(copied.written_bytes)
        ));
    });
    bar.finish_and_clear();
    copied
}

/// Copies the newest checkpoints that can be read and that stand for records in the copy; the others are told.
pub(super) fn keep_checkpoints(stream: Stream, source: &Folders, target: &Folders) -> anyhow::Result<()> {
    let (from, to) = (stream.folder(source), stream.folder(target));
    let mut sound = Vec::new();
    for found in checkpoint::newest(&from) {
        match found {
            Ok(found) if holds(&to, found.sequence, found.hash) => sound.push(found),
            Ok(found) => {
                eprintln!(
                    "the {} checkpoint {} is not of this journal: left out",
                    stream.name(),
                    found.sequence
                );
            }
            Err(error) => eprintln!("left out: {error}"),
        }
        if sound.len() == CHECKPOINTS {
            break;
        }
    }
    // The oldest first: writing one removes all but the newest up to it.
    for found in sound.iter().rev() {
        checkpoint::write(&to, found.sequence, found.hash, &found.state)?;
    }
    Ok(())
}

fn holds(folder: &Path, sequence: Sequence, hash: Hash) -> bool {
    journal::hash_of(folder, sequence).is_ok_and(|found| found == Some(hash))
}

/// What the files of a folder take, in bytes.
fn size(folder: &Path) -> anyhow::Result<u64> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    entries.map(|entry| Ok(entry?.metadata()?.len())).sum()
}
