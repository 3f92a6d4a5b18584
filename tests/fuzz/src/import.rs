//! Target: a CSV file of the registry, from its bytes to the records it enters.

use model::Timestamp;
use registry::{Command, ImportKind, State, decide, read_csv};

use crate::{Target, bytes::Bytes};

/// Each row becomes a record, and a record of four bytes takes some hundred.
pub(crate) const TARGET: Target = Target { name: "import", run, seeds, max_len: 8192, memory: 32 << 20 };

const NOW: Timestamp = Timestamp(1_790_000_000_000);

/// The first byte says what the rows are.
fn run(data: &[u8]) {
    let mut data = Bytes(data);
    let kind = ImportKind::ALL[usize::from(data.byte()) % ImportKind::ALL.len()];
    let file = data.0;
    let mut told = (0, 0);
    let import = read_csv(kind, file, &mut |bytes, rows| told = (bytes, rows));
    assert!(told.0 <= file.len() as u64 && told.1 <= file.len() as u64 + 1, "{told:?}");
    assert!(import.rows() <= file.len() && import.violations().len() <= registry::MAX_VIOLATIONS + 1);
    let broken = !import.violations().is_empty();
    let mut state = with_samples(kind);
    match decide(&state, NOW, Command::Import(import)) {
        Err(rejection) => assert!(!rejection.violations.is_empty(), "a refusal says what to mend"),
        Ok(events) => {
            assert!(!broken, "a file with a fault enters nothing");
            assert!(!events.is_empty() && events.len() <= 4 * file.len(), "each row is entered once");
            let bytes = wire::registry_record(NOW, &events);
            let again =
                wire::read_registry_record(&bytes).expect("what was entered can be read after a restart");
            assert!(again == (NOW, events.clone()), "it reads back exactly");
            events.iter().for_each(|event| state.evolve(event));
        }
    }
}

/// A registry in which everything is that a file of this kind may refer to.
fn with_samples(until: ImportKind) -> State {
    let mut state = State::default();
    for kind in ImportKind::ALL.into_iter().take_while(|kind| *kind != until) {
        let import = read_csv(kind, kind.sample().as_bytes(), &mut |_, _| {});
        let events = decide(&state, NOW, Command::Import(import)).expect("a sample is sound");
        events.iter().for_each(|event| state.evolve(event));
    }
    state
}

/// The record that each sample file becomes.
pub(crate) fn sample_records() -> Vec<Vec<u8>> {
    let record = |kind: &ImportKind| {
        let import = read_csv(*kind, kind.sample().as_bytes(), &mut |_, _| {});
        let events = decide(&with_samples(*kind), NOW, Command::Import(import)).expect("a sample is sound");
        wire::registry_record(NOW, &events)
    };
    ImportKind::ALL.iter().map(record).collect()
}

fn seeds() -> Vec<Vec<u8>> {
    let kinds = ImportKind::ALL.iter().enumerate();
    kinds.map(|(index, kind)| [&[index as u8], kind.sample().as_bytes()].concat()).collect()
}
