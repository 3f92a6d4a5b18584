//! Replica: what is open, and what the board shows, as the dispatch journal tells it.
//!
//! A start builds one and goes on with it; the [keeper](crate::keeper) builds one now and then beside the server and keeps
//! it as a checkpoint, so that the next start has less to read. Both by the same steps, so a checkpoint can never say
//! anything else than the records before it.

use std::{
    io::{self, BufWriter, Write},
    path::Path,
    sync::Arc,
};

use anyhow::Context as _;
use dispatch::State;
use journal::{Hash, ReplayError, Sequence, Start, checkpoint};
use model::Timestamp;
use views::{Board, Change};

/// The version of a checkpoint's form. Raise it when what is in [`State`] changes, and keep a reader of the form before
/// beside the new one: where old records are removed (`keep_days`), a checkpoint is all that is left of them. The tests
/// below hold one of each form. Checkpoints that cannot be read are left aside, and older records are read instead.
const VERSION: u32 = 2;

/// The state and the board after some record.
#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) state: State,
    pub(crate) board: Arc<Board>,
    /// The last record that is in them.
    pub(crate) applied: Sequence,
    /// When the latest decision was taken.
    pub(crate) latest: Timestamp,
}

/// What a checkpoint holds.
#[derive(serde::Deserialize)]
struct Kept<'a> {
    _version: u32,
    at: Timestamp,
    state: State,
    board: &'a [u8],
}

impl Replica {
    /// From the newest checkpoint beside the journal in `folder` that can be read, or from nothing. Returns also where to
    /// go on reading.
    pub(crate) fn newest(folder: &Path) -> (Self, Start) {
        for found in checkpoint::newest(folder) {
            match found {
                Ok(kept) => match Self::read(kept.sequence, &kept.state) {
                    Some(replica) => return (replica, Start::from(&kept)),
                    None => {
                        let sequence = kept.sequence.0;
                        tracing::warn!(
                            sequence,
                            "the checkpoint is of another version; more of the journal is read instead"
                        );
                    }
                },
                Err(error) => {
                    tracing::error!(%error, "a checkpoint cannot be used; more of the journal is read instead");
                }
            }
        }
        (Self::nothing(), Start::default())
    }

    /// The newest checkpoint beside the journal in `folder` that is of a form which this program cannot read: up to which
    /// record it goes, and the version of its form.
    pub(crate) fn unknown(folder: &Path) -> Option<(Sequence, u32)> {
        let mut kept = checkpoint::newest(folder).filter_map(Result::ok);
        kept.find_map(|kept| {
            let version = version_of(&kept.state)?;
            (version != VERSION).then_some((kept.sequence, version))
        })
    }

    /// Before the first record.
    fn nothing() -> Self {
        let (state, board) = (State::default(), Arc::default());
        Self { state, board, applied: Sequence(0), latest: Timestamp(0) }
    }

    fn read(applied: Sequence, bytes: &[u8]) -> Option<Self> {
        if version_of(bytes)? != VERSION {
            return None;
        }
        let Kept { at, state, board, .. } = postcard::from_bytes(bytes).ok()?;
        let board = Arc::new(Board::restore(board)?);
        Some(Self { state, board, applied, latest: at })
    }

    /// Takes the next record in.
    ///
    /// # Errors
    /// When the record was written by a newer program, or not by ours.
    pub(crate) fn apply(&mut self, sequence: Sequence, record: &[u8]) -> Result<(), ReplayError> {
        let (at, events) = wire::read_dispatch_record(record)?;
        self.latest = self.latest.max(at);
        events.iter().for_each(|event| self.state.evolve(at, event));
        self.board.fold(Change { sequence: sequence.0, at, durable_at: Some(at), events: &events });
        self.applied = sequence;
        Ok(())
    }

    /// Keeps it as a checkpoint beside the journal in `folder`; `hash` is that of the last record in it.
    ///
    /// Never is all of it there twice: each part is dropped as soon as it is written.
    pub(crate) fn keep(self, folder: &Path, hash: Hash) -> anyhow::Result<()> {
        let Self { state, board, applied, latest } = self;
        let kept = checkpoint::write_pieces(folder, applied, hash, |sink| {
            let mut sink = BufWriter::new(sink);
            // As `Kept` is read.
            put(&(VERSION, latest), &mut sink)?;
            put(&state, &mut sink)?;
            drop(state);
            let snapshot = board.snapshot();
            drop(board);
            put(&snapshot.bytes(), &mut sink)?;
            snapshot.write(&mut sink)?;
            sink.flush()
        });
        kept.context("what is open cannot be written down")
    }
}

/// The version stands first, so that nothing of another form is read.
fn version_of(bytes: &[u8]) -> Option<u32> {
    postcard::take_from_bytes::<u32>(bytes).ok().map(|(version, _)| version)
}

fn put(part: &impl serde::Serialize, sink: &mut impl Write) -> io::Result<()> {
    postcard::to_io(part, sink).map(drop).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A checkpoint of every form that there was.
    const FORMS: &[&str] = &["checkpoint_form_2"];

    fn fixtures(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
    }

    fn written(board: &Board) -> Vec<u8> {
        let mut bytes = Vec::new();
        board.snapshot().write(&mut bytes).expect("memory takes it");
        bytes
    }

    /// What the records of the first form tell. Kept, it is the fixture of another form of the checkpoint.
    fn as_the_records_tell() -> (Replica, Hash) {
        let folder = tempfile::tempdir().expect("a folder");
        let (name, from) = ("00000000000000000001.seg", fixtures("first_form/journal/dispatch"));
        let segment = folder.path().join(name);
        std::fs::copy(from.join(name), &segment).expect("the segment");
        // It was cut behind the last record.
        let file = std::fs::OpenOptions::new().write(true).open(&segment).expect("the segment");
        file.set_len(16 << 20).expect("its whole length");
        let (mut replica, mut records) = (Replica::nothing(), journal::read(folder.path()));
        for record in records.by_ref() {
            let (sequence, bytes) = record.expect("sound");
            replica.apply(sequence, &bytes).expect("known");
        }
        (replica, records.hash())
    }

    #[test]
    fn a_checkpoint_of_each_form_so_far_says_what_the_records_before_it_say() {
        let (told, hash) = as_the_records_tell();
        for form in FORMS {
            let folder = fixtures(form);
            let (kept, start) = Replica::newest(&folder);
            assert_eq!((kept.applied, start.after), (told.applied, told.applied), "{form} is read");
            assert_eq!((start.hash, kept.latest), (Some(hash), told.latest), "{form}");
            assert_eq!(kept.state, told.state, "{form}");
            assert_eq!(written(&kept.board), written(&told.board), "{form}");
        }
    }

    #[test]
    fn what_this_program_keeps_it_reads_and_what_it_cannot_read_it_names() {
        let folder = tempfile::tempdir().expect("a folder");
        let (told, hash) = as_the_records_tell();
        let (state, applied) = (told.state.clone(), told.applied);
        told.keep(folder.path(), hash).expect("kept");
        assert_eq!(Replica::newest(folder.path()).0.state, state);
        assert_eq!(Replica::unknown(folder.path()), None);
        let mut other = postcard::to_stdvec(&(VERSION + 1)).expect("a form");
        other.extend([1, 2, 3]);
        checkpoint::write(folder.path(), Sequence(applied.0 + 1), hash, &other).expect("written");
        assert_eq!(Replica::newest(folder.path()).0.applied, applied, "the one before it");
        assert_eq!(Replica::unknown(folder.path()), Some((Sequence(applied.0 + 1), VERSION + 1)));
    }
}
