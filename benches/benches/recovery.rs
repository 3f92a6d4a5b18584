//! How long is a hotline dark after a crash, when it has served for years, and what do checkpoints cost it in memory?
//!
//! Writes the journal of a million incidents that were opened, served and closed, and of some that are open, as the dispatch
//! thread would, and starts the server on it after a `kill -9`: once with nothing but the journal, and once with the last
//! checkpoint. The second one makes another checkpoint, and its memory is read meanwhile.
//!
//! `cargo build --release -p server && cargo bench -p benches --bench recovery -- --incidents 1000000 --open 10000`

use std::{
    env,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command as Program, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use benches::{county, usage};
use dispatch::{
    AssignmentState, AssignmentStep, Command, Disposition, Duty, Event, IncidentEvent, MessageKey, Operation,
    Policy, PolicyFile, RaiseAlert, State, Subject, decide, follow,
};
use journal::{Journal, Notice, Options, Sequence};
use model::{
    CoordinateSystem, DeviceId, ElderId, IncidentId, Kind, Millis, OfferId, Place, ResponderId, Timestamp,
};
use roster::{Member, Roster, Size};
use wire::DispatchRecord;

const INCIDENTS: u64 = 1_000_000;
const OPEN: u64 = 10_000;
/// Alerts of each that is open.
const ALERTS: u64 = 10;
/// After that time nothing is left to do for a checkpoint.
const SETTLED: Duration = Duration::from_secs(3);
const RESPONDERS: u32 = 1_000;
const BEGIN: Timestamp = Timestamp(1_700_000_000_000);
/// So that what is resolved closes, and messages are forgotten, as in a county with 8,640 calls a day.
const BETWEEN_CALLS: Millis = Millis::from_seconds(10);

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let number = |name: &str, default| {
        let wanted = arguments.iter().position(|argument| argument == name);
        wanted.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(default)
    };
    let (incidents, open) = (number("--incidents", INCIDENTS), number("--open", OPEN));
    let folder = county::data_folder();
    let data = folder.path().join("data");
    let begun = Instant::now();
    let (records, bytes) = write(&data.join("journal/dispatch"), incidents, open);
    println!(
        "{incidents} incidents opened, served and closed, {open} open: {records} records, {:.0} MiB, written in {:.1} s",
        bytes as f64 / f64::from(1 << 20),
        begun.elapsed().as_secs_f64()
    );
    let (mut server, whole) = start(folder.path(), &data, "");
    println!("from the journal alone: serving after {:.2} s", whole.as_secs_f64());
    server.kill();
    let (mut server, _) = start(folder.path(), &data, "[journal]\ncheckpoint_records = 1\n");
    let made = Instant::now();
    server.wait_for("a checkpoint was kept");
    println!("a checkpoint of it took {:.2} s beside the server", made.elapsed().as_secs_f64());
    server.kill();
    let (mut server, tail) = start(folder.path(), &data, "");
    println!("from the last checkpoint: serving after {:.2} s", tail.as_secs_f64());
    server.kill();
    // Another policy is a record, and the checkpoint is not made before it serves.
    let policy = include_str!("../../config/policy.toml").replace("size = 3,", "size = 1,");
    let policy_file = folder.path().join("policy.toml");
    std::fs::write(&policy_file, policy).expect("a policy");
    let config = format!("policy_file = {policy_file:?}\n[journal]\ncheckpoint_s = 10\n");
    let (mut server, _) = start(folder.path(), &data, &config);
    let (before, most, after) = server.memory_around("a checkpoint was kept");
    println!("memory: {before} MiB before a checkpoint, {most} at most, {after} after it");
    server.kill();
}

/// A server and its log.
struct Server {
    child: Child,
    log: mpsc::Receiver<String>,
}

impl Server {
    fn wait_for(&mut self, what: &str) {
        while !self.log.recv_timeout(Duration::from_secs(600)).expect("it goes on").contains(what) {}
    }

    /// Memory in MiB now, at most until `what` is told, and a while after.
    fn memory_around(&mut self, what: &str) -> (u64, u64, u64) {
        let now = || usage::resident_mib(self.child.id());
        let before = now();
        let mut most = before;
        loop {
            most = most.max(now());
            match self.log.recv_timeout(Duration::from_millis(5)) {
                Ok(line) if line.contains(what) => break,
                Ok(_) | Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => panic!("the server has ended"),
            }
        }
        std::thread::sleep(SETTLED);
        (before, most, now())
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(folder: &Path, data: &Path, config: &str) -> (Server, Duration) {
    let file = folder.join("anhu.toml");
    std::fs::write(&file, format!("{config}\n[watchdog]\nevery_s = 0\n")).expect("a configuration");
    let begun = Instant::now();
    let mut child = Program::new(county::binary())
        .args(["serve", "--insecure-dev", "--http-listen", "127.0.0.1:0", "--mqtt-listen", "127.0.0.1:0"])
        .arg("--config")
        .arg(file)
        .arg("--data-dir")
        .arg(data)
        .stderr(Stdio::piped())
        .spawn()
        .expect("anhu runs");
    let (told, log) = mpsc::channel();
    let lines = BufReader::new(child.stderr.take().expect("its log")).lines();
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(told.send(line))));
    let mut server = Server { child, log };
    server.wait_for("anhu serves");
    (server, begun.elapsed())
}

/// Writes the journal and returns how many records it has, and their bytes.
fn write(folder: &Path, incidents: u64, open: u64) -> (u64, u64) {
    let sink = |_: Notice<'_, ()>| {};
    let (journal, _) =
        Journal::open(folder, Options::default(), Sequence(0), |_, _| Ok(()), sink).expect("a journal");
    let mut county = County::new();
    let (mut records, mut bytes) = (0, 0);
    let mut keep = |record: DispatchRecord| {
        records += 1;
        bytes += record.bytes().len() as u64;
        journal.append(record.bytes(), ()).expect("appended");
    };
    keep(std::mem::replace(&mut county.record, DispatchRecord::new(BEGIN)));
    for call in 0..incidents {
        county.call(call, &mut keep);
    }
    for case in 0..open {
        county.open(incidents + case, &mut keep);
    }
    journal.close().expect("flushed");
    (records, bytes)
}

/// A county whose calls are all served, and what it has decided since the last record.
struct County {
    state: State,
    roster: Roster,
    policy: Policy,
    now: Timestamp,
    record: DispatchRecord,
}

impl County {
    fn new() -> Self {
        let policy: PolicyFile = toml::from_str(include_str!("../../config/policy.toml")).expect("a policy");
        let mut county = Self {
            state: State::default(),
            roster: Roster::new(Size::of(RESPONDERS, &[])),
            policy: Policy::new(&policy, "shipped").expect("without fault"),
            now: BEGIN,
            record: DispatchRecord::new(BEGIN),
        };
        for responder in (0..RESPONDERS).map(ResponderId) {
            let member = Member { base: Some(somewhere(u64::from(responder.0) * 7)), ..Member::default() };
            county.roster.enrol(responder, member).expect("there is room");
            county.decide(Command::SetDuty { responder, duty: Duty::OnDuty });
        }
        county
    }

    fn decide(&mut self, command: Command) -> Vec<Event> {
        let decision =
            decide(&self.state, &self.roster, &self.policy, self.now, command).expect("nothing is refused");
        for event in &decision.events {
            self.state.evolve(self.now, event);
            follow(&self.roster, &self.state, event);
            self.record.push(event);
        }
        decision.events
    }

    /// What is due, as the engine does after each command, and then the record.
    fn settle(&mut self, command: Command, keep: &mut impl FnMut(DispatchRecord)) -> Vec<Event> {
        let mut events = self.decide(command);
        while self.state.next_deadline().is_some_and(|due| due <= self.now) {
            events.append(&mut self.decide(Command::Tick));
        }
        keep(std::mem::replace(&mut self.record, DispatchRecord::new(self.now)));
        events
    }

    /// A call for help, the yes of the first who is asked, the job, and the end.
    fn call(&mut self, call: u64, keep: &mut impl FnMut(DispatchRecord)) {
        self.now = self.now + BETWEEN_CALLS;
        self.record = DispatchRecord::new(self.now);
        let events = self.settle(alert(call, self.now), keep);
        let (incident, responder, offer) = first_asked(&events);
        self.settle(Command::AcceptOffer { responder, offer }, keep);
        for state in [AssignmentState::EnRoute, AssignmentState::OnScene, AssignmentState::Cleared] {
            self.settle(
                Command::UpdateAssignment { responder, incident, step: AssignmentStep::Reach(state) },
                keep,
            );
        }
        let (operator, note) = ("ann".to_owned(), String::new());
        let operation = Operation::Resolve { disposition: Disposition::Served, note };
        self.settle(Command::Operate { incident, operator, operation }, keep);
    }

    /// A case of several alerts that an operator must decide about.
    fn open(&mut self, case: u64, keep: &mut impl FnMut(DispatchRecord)) {
        self.record = DispatchRecord::new(self.now);
        for again in 0..ALERTS {
            let Command::RaiseAlert(alert) = alert(case, self.now) else { unreachable!("it is an alert") };
            let key = Some(MessageKey(u128::from(case * ALERTS + again).to_le_bytes()));
            self.decide(Command::RaiseAlert(Box::new(RaiseAlert { key, kind: Kind::DoorOpen, ..*alert })));
        }
        keep(std::mem::replace(&mut self.record, DispatchRecord::new(self.now)));
    }
}

fn somewhere(number: u64) -> Place {
    let corner = Place::new(33.60, 119.02, CoordinateSystem::Wgs84).expect("on the globe");
    corner.offset((number % 100) as f64 * 200.0, (number / 100 % 100) as f64 * 200.0)
}

fn alert(call: u64, now: Timestamp) -> Command {
    let key = u128::from(call + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    Command::RaiseAlert(Box::new(RaiseAlert {
        subject: Subject::Elder(ElderId(call % 100_000)),
        home: Some(somewhere(call * 31)),
        org_unit: None,
        at_risk: false,
        key: Some(MessageKey(key.to_le_bytes())),
        device: Some(DeviceId::new(&format!("wrist-{}", call % 100_000)).expect("a good name")),
        kind: Kind::Sos,
        source_id: Some(format!("{call}")),
        topic: format!("anhu/v1/wrist-{}/alert", call % 100_000),
        device_time: None,
        received_at: now,
        place: None,
        detail: String::new(),
        raw: None,
        retained: false,
        exercise: false,
    }))
}

fn first_asked(events: &[Event]) -> (IncidentId, ResponderId, OfferId) {
    let asked = events.iter().find_map(|event| match event {
        Event::Incident { incident, event: IncidentEvent::WaveSent(wave) } => {
            let chosen = wave.chosen.first().expect("somebody is free");
            Some((*incident, chosen.responder, chosen.offer))
        }
        Event::Incident { .. }
        | Event::DutyChanged { .. }
        | Event::DrillModeChanged { .. }
        | Event::PolicyReplaced { .. } => None,
    });
    asked.expect("somebody is asked")
}
