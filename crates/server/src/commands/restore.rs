//! `anhu restore`: how does a server come back from its backup?

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::{
    backup::{Held, Manifest, copy_with_bar, keep_checkpoints},
    journal::Stream,
};
use crate::{config::Overrides, opening::Folders};

/// Where the journals are put together before they get their name, so that no server starts with half of them.
const UNFINISHED: &str = "restoring";

/// Bring the journals of a backup into an empty data folder, after checking every record
///
/// The whole backup is checked against what was written down when it was made, before anything is
/// changed. Nothing is ever deleted: with --force, the data folder that is there is moved aside.
/// The access token is not part of a backup; a new one is made at the start.
///
/// Example: anhu restore --from /mnt/backup/anhu --data-dir /var/lib/anhu
/// Example: anhu restore --from /mnt/backup/anhu --data-dir /var/lib/anhu --force
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    overrides: Overrides,
    /// The folder of the backup
    #[arg(long, value_name = "FOLDER")]
    from: PathBuf,
    /// Move a data folder that is not empty aside
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let from = &arguments.from;
    let data_dir = crate::config::load(&arguments.overrides)?.config.data_dir;
    let Some(manifest) = Manifest::read(from)? else {
        anyhow::bail!(
            "{} holds no backup.toml, so it is not a backup, or one that was interrupted: choose another folder",
            from.display()
        );
    };
    let backup = Folders::new(from);
    for stream in streams(&manifest) {
        check(stream, &backup, &manifest)?;
    }
    let aside = make_room(&data_dir, arguments.force)?;
    let unfinished = data_dir.join(UNFINISHED);
    fill(&backup, &unfinished, &manifest)?;
    // The state store is not restored: it is built again from the journals, and one from another time would not fit them.
    std::fs::rename(unfinished.join("journal"), data_dir.join("journal"))
        .and_then(|()| std::fs::remove_dir(&unfinished))
        .and_then(|()| File::open(&data_dir)?.sync_all())
        .with_context(|| format!("the journals cannot be moved to their place in {}", data_dir.display()))?;
    if let Some(aside) = aside {
        println!("what was in {} is in {} now", data_dir.display(), aside.display());
    }
    println!(
        "restored the backup of {} to {}; start with: anhu serve --data-dir {}",
        manifest.made_at,
        data_dir.display(),
        data_dir.display()
    );
    Ok(())
}

/// The journals of a backup: before there were users, there was no journal of them.
fn streams(manifest: &Manifest) -> impl Iterator<Item = Stream> {
    let is_there = |stream: &Stream| *stream != Stream::Access || manifest.held(*stream).is_some();
    Stream::ALL.into_iter().filter(is_there)
}

/// Checks every record of a journal in the backup, and that it ends as the manifest says.
fn check(stream: Stream, backup: &Folders, manifest: &Manifest) -> anyhow::Result<()> {
    let folder = stream.folder(backup);
    let (name, place) = (stream.name(), folder.display());
    let held = expected(stream, manifest)?;
    let found = journal::verify(&folder);
    if let Some(fault) = found.fault {
        return Err(
            anyhow::Error::from(fault).context(format!("the backup of the {name} journal is damaged"))
        );
    }
    anyhow::ensure!(
        found.cut.is_none() && found.head.0 >= held.head,
        "the {name} journal in {place} ends at record {}, and the backup went up to {}: files are missing; use another \
         backup",
        found.head,
        held.head
    );
    let hash = journal::hash_of(&folder, journal::Sequence(held.head))?.unwrap_or_default();
    anyhow::ensure!(
        hash.to_string() == held.head_hash,
        "record {} of the {name} journal in {place} has the hash {hash}, and {} is written down: files were exchanged; use \
         another backup",
        held.head,
        held.head_hash
    );
    let more = found.head.0 - held.head;
    if more > 0 {
        println!("{name}: a later backup was interrupted; its {more} records are sound and are restored too");
    }
    Ok(())
}

fn expected(stream: Stream, manifest: &Manifest) -> anyhow::Result<&Held> {
    manifest.held(stream).with_context(|| format!("the backup holds no {} journal", stream.name()))
}

/// Sees to it that the data folder is there and empty, and says where what was in it is now.
fn make_room(data_dir: &Path, force: bool) -> anyhow::Result<Option<PathBuf>> {
    let shown = data_dir.display();
    let is_empty = match std::fs::read_dir(data_dir) {
        // What an interrupted restore has brought so far is gone on with.
        Ok(mut entries) => entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == UNFINISHED)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => return Err(error).with_context(|| format!("{shown} cannot be read")),
    };
    let mut aside = None;
    if !is_empty {
        anyhow::ensure!(
            force,
            "{shown} is not empty: name an empty folder, or use --force, which moves what is there aside"
        );
        let folders = Folders::new(data_dir);
        let in_use = Stream::ALL.iter().any(|stream| journal::is_in_use(&stream.folder(&folders)));
        anyhow::ensure!(!in_use, "a server runs on {shown}: stop it first");
        let to = beside(data_dir)?;
        std::fs::rename(data_dir, &to).with_context(|| {
            format!("{shown} cannot be moved to {}: move it by hand, then restore again", to.display())
        })?;
        aside = Some(to);
    }
    let made = std::fs::create_dir_all(data_dir).and_then(|()| {
        let absolute = std::path::absolute(data_dir)?;
        absolute.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
    });
    made.with_context(|| format!("{shown} cannot be made"))?;
    Ok(aside)
}

/// A name beside the data folder that says when it was moved.
fn beside(data_dir: &Path) -> anyhow::Result<PathBuf> {
    let data_dir = std::path::absolute(data_dir)?;
    let name = data_dir.file_name().context("the data folder has no name: name another one")?;
    let mut name = name.to_os_string();
    name.push(format!(".before-{}", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ")));
    Ok(data_dir.with_file_name(name))
}

/// Copies the journals, each checked once more on the way.
fn fill(backup: &Folders, unfinished: &Path, manifest: &Manifest) -> anyhow::Result<()> {
    let target = Folders::new(unfinished);
    for stream in streams(manifest) {
        let (source, to) = (stream.folder(backup), stream.folder(&target));
        let copied = copy_with_bar(stream, &source, &to).with_context(|| {
            format!("the {} journal cannot be brought to {}", stream.name(), to.display())
        })?;
        let held = expected(stream, manifest)?;
        anyhow::ensure!(
            copied.head.0 >= held.head,
            "the {} journal in {} changed while it was restored: restore again",
            stream.name(),
            source.display()
        );
        keep_checkpoints(stream, backup, &target)?;
        println!("{}: records {} to {}, hash {}", stream.name(), copied.first, copied.head, copied.head_hash);
    }
    File::open(unfinished)?.sync_all()?;
    Ok(())
}
