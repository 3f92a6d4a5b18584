//! Target: a journal that is written while the disk fails and the power is cut, in any order.

use std::sync::{
    Arc,
    mpsc::{Receiver, Sender, channel},
};

use journal::{
    Disk as _, Journal, Notice, OpenError, Options, Outcome, Sequence,
    testing::{FaultyDisk, PowerCut},
};

use crate::{Target, bytes::Bytes};

pub(crate) const TARGET: Target =
    Target { name: "journal_story", run, seeds, max_len: 256, memory: 16 << 20 };

/// Most steps of a story.
const STEPS: usize = 40;

/// Each step is a byte that says what happens, and one or two that say how.
fn run(data: &[u8]) {
    let mut data = Bytes(data);
    let mut story = Story::new();
    for _ in 0..STEPS {
        if data.is_empty() {
            break;
        }
        match data.byte() % 10 {
            0..=3 => story.writes(usize::from(data.byte() % 5) + 1, data.byte()),
            4 => story.restarts(true),
            5 => story.restarts(false),
            6 => story.loses_power(PowerCut::LosesSome(u64::from(data.byte()))),
            7 => story.loses_power(if data.byte() % 2 == 0 {
                PowerCut::LosesAll
            } else {
                PowerCut::LosesNothing
            }),
            8 => story.fails(data.byte(), data.byte()),
            _ => {
                story.is_damaged(data.number(), data.byte(), data.byte());
                return;
            }
        }
    }
    story.loses_power(PowerCut::LosesAll);
}

/// What a record or a barrier of a story is for.
enum Token {
    Record,
    /// The committer waits here until the whole group is there, so that a story always goes the same way.
    Gate(Sender<()>, Receiver<()>),
}

struct Open {
    journal: Journal<Token>,
    released: Receiver<Outcome>,
}

/// A disk, the journal on it, and what must be and what may be in it.
struct Story {
    disk: FaultyDisk,
    open: Option<Open>,
    durable: Vec<Vec<u8>>,
    /// Behind those: written, and never said to be durable.
    doubtful: Vec<Vec<u8>>,
}

impl Story {
    fn new() -> Self {
        let mut story =
            Self { disk: FaultyDisk::new(), open: None, durable: Vec::new(), doubtful: Vec::new() };
        story.opens();
        story
    }

    fn opens(&mut self) {
        let (opened, replayed) = open(&self.disk);
        match opened {
            Ok(open) => {
                assert!(replayed.len() >= self.durable.len(), "{} of {}", replayed.len(), self.durable.len());
                let written = [self.durable.as_slice(), &self.doubtful].concat();
                assert!(written.starts_with(&replayed), "what is there was written, in this order");
                self.durable = replayed;
                self.doubtful.clear();
                self.open = Some(open);
            }
            // The disk of the story is full or fails once more: the next step may open it.
            Err(OpenError::Io { .. }) => self.open = None,
            Err(error) => panic!("{error}"),
        }
    }

    fn writes(&mut self, records: usize, length: u8) {
        let Some(open) = &self.open else { return };
        let base = self.durable.len() + self.doubtful.len();
        let ((is_there, wait), (go, may_go)) = (channel(), channel());
        open.journal.barrier(Token::Gate(is_there, may_go)).expect("it takes barriers");
        wait.recv().expect("the committer comes to the gate");
        for record in 0..records {
            let mut payload = vec![length; usize::from(length) * 4];
            payload.extend((base + record).to_le_bytes());
            open.journal.append(&payload, Token::Record).expect("it takes records");
            self.doubtful.push(payload);
        }
        go.send(()).expect("the committer waits");
        let outcomes: Vec<Outcome> = open.released.iter().take(records).collect();
        let failed = outcomes.iter().position(|outcome| matches!(outcome, Outcome::NotDurable(_)));
        let durable = failed.unwrap_or(outcomes.len());
        assert!(
            !outcomes[durable..].iter().any(|outcome| matches!(outcome, Outcome::Durable)),
            "out of order"
        );
        // Behind a record that failed nothing becomes durable, so those that did stand first.
        if durable > 0 {
            let before = self.doubtful.len() - records;
            assert_eq!(before, 0, "durable behind a record that is not");
            self.durable.extend(self.doubtful.drain(..durable));
        }
    }

    fn restarts(&mut self, gracefully: bool) {
        if let Some(open) = self.open.take()
            && gracefully
        {
            // It may have failed before; then this says so.
            let _ = open.journal.close();
        }
        self.opens();
    }

    /// The moment of the cut is one at which nothing is on its way; [`PowerCut`] says what was.
    fn loses_power(&mut self, cut: PowerCut) {
        let after = self.disk.after(cut);
        self.open = None;
        self.disk = after;
        self.opens();
        assert!(self.open.is_some(), "a disk without faults opens");
    }

    fn fails(&mut self, how: u8, when: u8) {
        match how % 4 {
            0 => self.disk.fail_sync_in(u64::from(when % 8)),
            1 => self.disk.fail_write_in(u64::from(when % 8)),
            2 => self.disk.limit_space(if when == 0 { None } else { Some(u64::from(when) * 64) }),
            _ => self.disk.limit_writes(usize::from(when) + 1),
        }
    }

    /// Somebody or something changes bytes: whatever opens then is right, and says so when it is less.
    fn is_damaged(&mut self, at: usize, how: u8, value: u8) {
        self.open = None;
        let disk = self.disk.after(PowerCut::LosesNothing);
        let mut names = disk.list().expect("listed");
        names.retain(|name| name.ends_with(".seg"));
        let name = names[usize::from(value) % names.len()].clone();
        let at = at % disk.bytes(&name).len();
        disk.tamper(&name, |bytes| match how % 4 {
            0 => bytes[at] ^= 1 << (value % 8),
            1 => bytes[at] = value,
            2 => bytes[at..].fill(0),
            _ => bytes.truncate(at),
        });
        let mut report = None;
        let (opened, replayed) = open_with(&disk, &mut report);
        match opened {
            Err(OpenError::Damaged(_)) => {}
            Err(error) => panic!("{error}"),
            Ok(_) => {
                let written = [self.durable.as_slice(), &self.doubtful].concat();
                assert!(written.starts_with(&replayed), "something else is there");
                let cut = report.and_then(|report: journal::OpenReport| report.cut);
                let zeroed = how % 4 == 2;
                let told = replayed.len() >= self.durable.len() || cut.is_some() || zeroed;
                assert!(told, "silently fewer: {} of {}", replayed.len(), self.durable.len());
            }
        }
    }
}

type Opened = (Result<Open, OpenError>, Vec<Vec<u8>>);

fn open(disk: &FaultyDisk) -> Opened {
    open_with(disk, &mut None)
}

fn open_with(disk: &FaultyDisk, report: &mut Option<journal::OpenReport>) -> Opened {
    let options = Options {
        segment_bytes: 4096,
        ballast_bytes: 0,
        queue_records: 16,
        queue_bytes: 16_384,
        ..Options::default()
    };
    let mut replayed = Vec::new();
    let (sender, released) = channel();
    let opened = Journal::open_on(
        Arc::new(disk.clone()),
        options,
        Sequence(0),
        |_, payload| {
            replayed.push(payload.to_vec());
            Ok(())
        },
        move |notice: Notice<'_, Token>| {
            let Notice::Released(group) = notice else { return };
            for one in group.drain(..) {
                match one.token {
                    Token::Record => drop(sender.send(one.outcome)),
                    Token::Gate(is_there, may_go) => drop((is_there.send(()), may_go.recv())),
                }
            }
        },
    );
    let opened = opened.map(|(journal, found)| {
        *report = Some(found);
        Open { journal, released }
    });
    (opened, replayed)
}

fn seeds() -> Vec<Vec<u8>> {
    let stories: [&[u8]; 8] = [
        &[0, 2, 30, 0, 1, 200, 4, 1, 1, 90, 6, 7, 0, 3, 50],
        &[0, 4, 250, 0, 4, 250, 0, 4, 250, 5, 0, 0, 250, 7, 0],
        &[0, 1, 9, 8, 0, 0, 0, 1, 9, 0, 1, 9, 5, 0, 2, 20, 6, 3],
        &[0, 1, 9, 8, 1, 1, 0, 1, 9, 0, 1, 9, 4, 0, 2, 20, 6, 3],
        &[8, 2, 200, 0, 4, 100, 0, 4, 100, 5, 8, 2, 0, 5, 0, 1, 7],
        &[8, 3, 40, 0, 4, 60, 6, 1, 0, 4, 60, 6, 2, 0, 4, 60, 6, 3],
        &[0, 4, 60, 0, 4, 60, 9, 200, 3, 0, 5],
        &[0, 0, 60, 0, 0, 60, 5, 9, 0, 1, 2, 7],
    ];
    stories.map(<[u8]>::to_vec).into()
}
