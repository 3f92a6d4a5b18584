//! Does everything that was ever found still hold, and a little more?

use std::{fs, panic::catch_unwind, path::Path, sync::Mutex, time::Instant};

use fuzz::{TARGETS, Target, mutation::mutated};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// One at a time, so that memory is counted for each.
static TURN: Mutex<()> = Mutex::new(());

/// Inputs made for each target, beyond those in the folders.
const MUTATIONS: u64 = 3_000;
/// What a byte of an input may take while it is read: a copy or two, a field of a record, a row of a table.
const MEMORY_A_BYTE: usize = 1024;

/// The inputs that `make fuzz` kept for a target and those that were wrong once, with where they lie.
fn kept(target: &Target) -> Vec<(String, Vec<u8>)> {
    let folders = ["corpus", "found"]
        .map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(target.name));
    let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    files.into_iter().map(|file| (file.display().to_string(), fs::read(&file).expect("its bytes"))).collect()
}

/// Runs one input; when something does not hold, puts it where `make fuzz` can be pointed at it and says where.
fn fails(target: &Target, name: &str, input: &[u8]) -> Option<String> {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let ran = catch_unwind(|| (target.run)(input));
    let taken = MEMORY.peak_usage().saturating_sub(before);
    let is_too_much = taken > target.memory + MEMORY_A_BYTE * input.len();
    let what = match ran {
        Ok(()) if is_too_much => format!("its {} bytes take {taken} bytes of memory", input.len()),
        Ok(()) => return None,
        Err(_) => "it panics".to_owned(),
    };
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{}", target.name, input.len()));
    fs::write(&path, input).expect("a file");
    Some(format!("{}, {name}: {what}; see {}", target.name, path.display()))
}

#[test]
fn what_was_kept_and_what_was_found_holds() {
    let _turn = TURN.lock();
    let (mut all, mut failures) = (0, Vec::new());
    for target in TARGETS {
        let inputs = kept(target);
        assert!(!inputs.is_empty(), "target {} has no corpus: run `make fuzz`", target.name);
        failures.extend(inputs.iter().find_map(|(name, input)| fails(target, name, input)));
        println!("{:>16}: {} inputs replayed", target.name, inputs.len());
        all += inputs.len();
    }
    println!("{all} inputs of {} targets replayed", TARGETS.len());
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn seeded_mutations_hold() {
    let _turn = TURN.lock();
    let mut failures = Vec::new();
    for target in TARGETS {
        let began = Instant::now();
        let seeds = (target.seeds)();
        failures.extend(seeds.iter().find_map(|seed| fails(target, "a seed", seed)));
        let inputs: Vec<Vec<u8>> =
            seeds.into_iter().chain(kept(target).into_iter().map(|(_, input)| input)).collect();
        failures.extend((0..MUTATIONS).find_map(|seed| {
            fails(target, &format!("mutation {seed}"), &mutated(&inputs, target.max_len, seed))
        }));
        println!("{:>16}: {MUTATIONS} mutations in {:?}", target.name, began.elapsed());
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn the_seeds_reach_deep() {
    let _turn = TURN.lock();
    for target in TARGETS {
        let seeds = (target.seeds)();
        assert!(
            !seeds.is_empty() && seeds.iter().all(|seed| seed.len() <= target.max_len),
            "{}",
            target.name
        );
    }
}
