//! Target: a snapshot of what is open.

use dispatch::State;

use crate::{Target, policy};

/// Numbers between the oldest and the newest incident take 8 bytes each.
pub(crate) const TARGET: Target = Target { name: "state", run, seeds, max_len: 4096, memory: 64 << 20 };

fn run(data: &[u8]) {
    let Ok(state) = postcard::from_bytes::<State>(data) else { return };
    let bytes = postcard::to_stdvec(&state).expect("a state becomes bytes");
    let again: State = postcard::from_bytes(&bytes).expect("what we wrote");
    assert!(again == state, "it reads back exactly");
    let _ = (state.next_deadline(), state.incidents().count(), state.duties().count(), state.bound().count());
}

fn seeds() -> Vec<Vec<u8>> {
    [State::default(), policy::state()].iter().flat_map(postcard::to_stdvec).collect()
}
