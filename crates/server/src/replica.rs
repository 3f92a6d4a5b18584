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

/// The version of a checkpoint's form. Raise it when what is in [`State`] changes: checkpoints of another one are left
/// aside, and older records are read instead.
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

    /// Before the first record.
    fn nothing() -> Self {
        let (state, board) = (State::default(), Arc::default());
        Self { state, board, applied: Sequence(0), latest: Timestamp(0) }
    }

    fn read(applied: Sequence, bytes: &[u8]) -> Option<Self> {
        // The version stands first, so that nothing of another form is read.
        let (version, _) = postcard::take_from_bytes::<u32>(bytes).ok()?;
        if version != VERSION {
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

fn put(part: &impl serde::Serialize, sink: &mut impl Write) -> io::Result<()> {
    postcard::to_io(part, sink).map(drop).map_err(io::Error::other)
}
