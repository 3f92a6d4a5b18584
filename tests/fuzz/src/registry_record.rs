//! Target: a record of the registry journal, and what is built from it.

use registry::State;
use views::Directory;

use crate::{Target, dispatch_record::records, import};

pub(crate) const TARGET: Target =
    Target { name: "registry_record", run, seeds, max_len: 4096, memory: 8 << 20 };

fn run(data: &[u8]) {
    let Ok((at, events)) = wire::read_registry_record(data) else { return };
    let bytes = wire::registry_record(at, &events);
    let again = wire::read_registry_record(&bytes).expect("what we wrote");
    assert!(again == (at, events.clone()), "it reads back exactly");
    let mut state = State::default();
    let directory = Directory::default();
    for event in &events {
        state.evolve(event);
        directory.fold(event);
    }
}

/// What a server of the first form kept, and what the sample files enter.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = records("tests/fixtures/first_form/journal/registry");
    seeds.extend(import::sample_records());
    seeds
}
