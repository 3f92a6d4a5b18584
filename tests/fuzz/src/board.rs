//! Target: a snapshot of what the hotline sees.

use views::{Board, Change};

use crate::{Target, policy};

pub(crate) const TARGET: Target = Target { name: "board", run, seeds, max_len: 4096, memory: 32 << 20 };

fn run(data: &[u8]) {
    let Some(board) = Board::restore(data) else { return };
    let bytes = written(&board);
    let again = Board::restore(&bytes).expect("what we wrote");
    assert_eq!(written(&again), bytes, "it reads back exactly");
    assert_eq!((again.open_count(), again.head()), (board.open_count(), board.head()));
    // Life goes on with it.
    for (sequence, (at, events)) in policy::decided().iter().enumerate().take(4) {
        board.fold(Change { sequence: sequence as u64, at: *at, durable_at: None, events });
    }
}

fn written(board: &Board) -> Vec<u8> {
    let mut bytes = Vec::new();
    board.snapshot().write(&mut bytes).expect("memory takes it");
    bytes
}

fn seeds() -> Vec<Vec<u8>> {
    let board = Board::default();
    for (sequence, (at, events)) in policy::decided().iter().enumerate().take(12) {
        board.fold(Change { sequence: sequence as u64, at: *at, durable_at: Some(*at), events });
    }
    vec![written(&board)]
}
