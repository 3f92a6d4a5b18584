//! Journal: what does it add to a bare flush, and how many records a second does one flush after another carry?

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use journal::{Journal, Notice, Options, Sequence};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

const PAYLOAD: [u8; 256] = [0x5A; 256];
/// A record with its header, in bytes: what the bare write beside the journal writes.
const SLOT: [u8; 320] = [0x5A; 320];
const SEGMENT_BYTES: u64 = 16 << 20;

/// A journal that counts what it has released and wakes the one who waits for it. The token is the time of appending.
struct Counted {
    journal: Journal<Instant>,
    released: Arc<AtomicU64>,
    /// Nanoseconds from appending to the release of the last record, as the sink sees them.
    last_release: Arc<AtomicU64>,
}

impl Counted {
    fn open(name: &str, waiter: Thread) -> Counted {
        let released = Arc::new(AtomicU64::new(0));
        let last_release = Arc::new(AtomicU64::new(0));
        let (count, last) = (Arc::clone(&released), Arc::clone(&last_release));
        let sink = move |notice: Notice<'_, Instant>| {
            let Notice::Released(group) = notice else { return };
            let spent = group.last().map_or(Duration::ZERO, |one| one.token.elapsed());
            last.store(spent.as_nanos() as u64, Ordering::Relaxed);
            count.fetch_add(group.len() as u64, Ordering::Release);
            waiter.unpark();
        };
        let opened = Journal::open(&fresh(name), Options::default(), Sequence(0), |_, _| Ok(()), sink);
        Counted { journal: opened.expect("opens").0, released, last_release }
    }

    fn append(&self) {
        self.journal.append(&PAYLOAD, Instant::now()).expect("appended");
    }

    fn wait_for(&self, records: u64) {
        while self.released.load(Ordering::Acquire) < records {
            thread::park();
        }
    }
}

/// A preallocated file, written and flushed in place.
struct Bare {
    file: File,
    offset: u64,
}

impl Bare {
    fn open() -> Bare {
        let path = fresh("bare").join("file");
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(path).expect("made");
        file.write_all_at(&vec![0; SEGMENT_BYTES as usize], 0).expect("allocated");
        file.sync_all().expect("flushed");
        Bare { file, offset: 0 }
    }

    fn write(&mut self) {
        self.file.write_all_at(&SLOT, self.offset).expect("written");
        self.file.sync_data().expect("flushed");
        self.offset = (self.offset + SLOT.len() as u64) % (SEGMENT_BYTES - SLOT.len() as u64);
    }
}

/// An empty directory beside the build, so on a real disk.
fn fresh(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("journal").join(name);
    // There is none the first time.
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).expect("made");
    path
}

/// What each turn of [`one_record`] took.
#[derive(Default)]
struct Times {
    bare: Vec<Duration>,
    /// Until the journal released the record.
    released: Vec<Duration>,
    /// Until the thread that had appended it ran again: one more wake-up.
    answered: Vec<Duration>,
}

/// One record at a time, each beside a bare write and flush, in turns.
fn one_record(criterion: &mut Criterion) {
    let counted = Counted::open("one", thread::current());
    let mut bare = Bare::open();
    let mut times = Times::default();
    let mut turns = |count: u64| {
        for _ in 0..count {
            let start = Instant::now();
            bare.write();
            times.bare.push(start.elapsed());
            let start = Instant::now();
            counted.append();
            counted.wait_for(times.bare.len() as u64);
            times.answered.push(start.elapsed());
            times.released.push(Duration::from_nanos(counted.last_release.load(Ordering::Relaxed)));
        }
        let last = times.bare.len() - count as usize;
        (times.bare[last..].iter().sum(), times.released[last..].iter().sum())
    };
    let mut group = criterion.benchmark_group("one_record");
    group.bench_function("bare_pwrite_fdatasync", |bench| bench.iter_custom(|count| turns(count).0));
    group.bench_function("append_release", |bench| bench.iter_custom(|count| turns(count).1));
    group.finish();
    for percent in [50, 99] {
        let [bare, released, answered] =
            [&mut times.bare, &mut times.released, &mut times.answered].map(|times| {
                times.sort_unstable();
                times[times.len() * percent / 100].as_secs_f64()
            });
        let micros = [bare, released, answered].map(|seconds| (seconds * 1e6).round());
        let ratios = [released / bare, answered / bare];
        println!(
            "one_record p{percent}: bare, released, answered {micros:?} µs; ratios to bare {ratios:.2?}"
        );
    }
}

/// One thread appends, and waits while so many are not yet released.
fn in_flight(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("in_flight");
    group.throughput(Throughput::Elements(1));
    for limit in [16, 128, 1024] {
        let counted = Counted::open(&limit.to_string(), thread::current());
        let mut appended = 0;
        group.bench_function(BenchmarkId::from_parameter(limit), |bench| {
            bench.iter_custom(|count| {
                let start = Instant::now();
                for _ in 0..count {
                    counted.wait_for((appended + 1_u64).saturating_sub(limit));
                    counted.append();
                    appended += 1;
                }
                counted.wait_for(appended);
                start.elapsed()
            });
        });
    }
    group.finish();
    let _ = std::fs::remove_dir_all(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("journal"));
}

criterion_group!(benches, one_record, in_flight);
criterion_main!(benches);
