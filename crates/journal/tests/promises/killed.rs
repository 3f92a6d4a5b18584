//! A server that is killed at any moment has lost nothing that it acknowledged.

use journal::testing::random;
use journal::{Journal, Notice, Options, Outcome, Sequence};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

const CHILD: &str = "ANHU_JOURNAL_TEST_CHILD";
const ROUNDS: u64 = 20;
const THREADS: u64 = 4;

fn options() -> Options {
    Options { segment_bytes: 64 << 10, ballast_bytes: 1 << 20, queue_records: 32, ..Options::default() }
}

/// Not a test of its own: what the killed process runs.
#[test]
fn child() {
    let Ok(directory) = std::env::var(CHILD) else { return };
    let acknowledge = |notice: Notice<'_, String>| {
        let Notice::Released(group) = notice else { return };
        let mut lines = String::new();
        for one in group.drain(..) {
            assert!(matches!(one.outcome, Outcome::Durable));
            lines += &format!("acked {} {}\n", one.sequence, one.token);
        }
        let mut out = std::io::stdout().lock();
        out.write_all(lines.as_bytes()).and_then(|()| out.flush()).expect("said");
    };
    let opened = Journal::open(Path::new(&directory), options(), Sequence(0), |_, _| Ok(()), acknowledge);
    let (journal, report) = opened.expect("opens");
    thread::scope(|scope| {
        for name in 0..THREADS {
            let (journal, epoch) = (&journal, report.epoch);
            scope.spawn(move || {
                for count in 0_u64.. {
                    let payload = format!("{epoch}-{name}-{count}-{}", "x".repeat(count as usize % 500));
                    journal.append(payload.as_bytes(), payload.clone()).expect("appended");
                }
            });
        }
    });
}

#[test]
fn what_a_killed_process_acknowledged_is_in_the_journal() {
    let directory = tempfile::tempdir().expect("made");
    let mut acknowledged = BTreeMap::new();
    let mut state = 7;
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["killed::child", "--exact", "--nocapture"])
            .env(CHILD, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let enough = random(&mut state) % 3000 + 1;
        let mut line = String::new();
        let mut lines = 0;
        while output.read_line(&mut line).expect("read") > 0 {
            // The last line may be cut off by the kill: then nobody was told.
            if let Some((sequence, payload)) = parse(&line) {
                acknowledged.insert(sequence, payload.to_owned());
                lines += 1;
            }
            if lines == enough {
                child.kill().expect("killed");
            }
            line.clear();
        }
        child.wait().expect("ended");
        assert!(lines >= enough, "round {round}: the child ended by itself");
        check(directory.path(), &acknowledged);
    }
}

fn parse(line: &str) -> Option<(Sequence, &str)> {
    let (sequence, payload) = line.strip_suffix('\n')?.strip_prefix("acked ")?.split_once(' ')?;
    Some((Sequence(sequence.parse().ok()?), payload))
}

fn check(directory: &Path, acknowledged: &BTreeMap<Sequence, String>) {
    let mut found = BTreeMap::new();
    for record in journal::read(directory) {
        let (sequence, payload) = record.expect("sound");
        found.insert(sequence, payload);
    }
    for (sequence, payload) in acknowledged {
        assert_eq!(found.get(sequence).map(Vec::as_slice), Some(payload.as_bytes()), "record {sequence}");
    }
}
