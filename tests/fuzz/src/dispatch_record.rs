//! Target: a record of the dispatch journal, and what is built from it.

use dispatch::{Event, State};
use model::Timestamp;
use views::{Board, Change};

use crate::{Target, bytes};

/// One incident may name a number up to a million beyond the latest: 8 bytes each, and twice that while it grows.
pub(crate) const TARGET: Target =
    Target { name: "dispatch_record", run, seeds, max_len: 4096, memory: 64 << 20 };

fn run(data: &[u8]) {
    let Ok((at, events)) = wire::read_dispatch_record(data) else { return };
    let bytes = wire::dispatch_record(at, &events);
    assert_eq!(wire::read_dispatch_record(&bytes), Ok((at, events.clone())), "it reads back exactly");
    let mut state = State::default();
    let board = Board::default();
    for (sequence, half) in events.chunks(events.len().div_ceil(2).max(1)).enumerate() {
        half.iter().for_each(|event| state.evolve(at, event));
        board.fold(Change { sequence: sequence as u64, at, durable_at: Some(at), events: half });
    }
    let incidents = events.iter().filter(|event| matches!(event, Event::Incident { .. })).count();
    assert!(board.open_count() <= incidents && state.incidents().count() <= incidents);
    let _ = state.next_deadline();
}

/// What a server of the first form decided, and what one does now.
fn seeds() -> Vec<Vec<u8>> {
    let folder = "tests/fixtures/first_form/journal/dispatch";
    let mut seeds = records(folder);
    let duty = Event::DutyChanged { responder: model::ResponderId(3), duty: dispatch::Duty::OnBreak };
    let events =
        [duty, Event::DrillModeChanged { on: true }, Event::PolicyReplaced { version: "a".to_owned() }];
    seeds.push(wire::dispatch_record(Timestamp(1_790_000_000_000), &events));
    seeds.extend(crate::policy::decided().iter().map(|(at, events)| wire::dispatch_record(*at, events)));
    seeds
}

/// The records of a journal whose segments were cut behind the last one.
pub(crate) fn records(folder: &str) -> Vec<Vec<u8>> {
    use journal::Disk as _;
    let disk = journal::testing::FaultyDisk::new();
    for (path, bytes) in bytes::files(folder) {
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        let whole = bytes.get(32..40).and_then(|size| size.try_into().ok()).map_or(0, u64::from_le_bytes);
        drop(disk.create(&name, 0));
        disk.tamper(&name, |file| {
            file.clone_from(&bytes);
            file.resize(whole as usize, 0);
        });
    }
    journal::read_on(std::sync::Arc::new(disk)).map_while(Result::ok).map(|(_, payload)| payload).collect()
}
