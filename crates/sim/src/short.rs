//! Short: a tiny world in which everything collides, some tens of steps long.
//!
//! Two to four responders, two or three elders, three operators. Each step is a batch of wishes at one moment; between two
//! steps passes as much time as something in the policy takes, or a little less or more.

use dispatch::{
    AssignmentState, AssignmentStep, Command, Disposition, Duty, EscalationStep, Incident, Operation,
    RaiseAlert, Service, Subject,
};
use model::{IncidentId, Kind, Millis, OfferId, Priority, ResponderId, Timestamp};

use crate::{
    chance::Chance,
    people::{self, DAY_MS, FIRST_DAY, People},
    rules::POLICIES,
    scene::{Outcome, Scene},
    story::{self, Story},
};

/// Steps of a world when nobody says otherwise.
pub const STEPS: u64 = 40;

/// Steps after which the journal is held against the state, besides at each crash and at the end.
const REPLAY_EVERY: u64 = 25;

/// Seconds that mean something to a policy, and those around them.
const GAPS: [i64; 20] = [0, 0, 0, 0, 1, 1, 2, 5, 9, 10, 14, 15, 16, 19, 20, 21, 30, 31, 60, 61];

/// Longer ones, drawn less often.
const LONG_GAPS: [i64; 8] = [90, 120, 121, 300, 301, 601, 1_799, 1_801];

/// Kinds, the urgent more often.
const KINDS: [Kind; 14] = [
    Kind::Sos,
    Kind::Sos,
    Kind::Sos,
    Kind::Fall,
    Kind::Fall,
    Kind::Smoke,
    Kind::VitalCritical,
    Kind::VitalAbnormal,
    Kind::BedExit,
    Kind::Inactivity,
    Kind::DoorOpen,
    Kind::LowBattery,
    Kind::Tamper,
    Kind::Unreadable,
];

const OPERATORS: [&str; 3] = ["ann", "bo", "cai"];

/// Plays the world of `seed` for `steps` steps.
///
/// # Errors
/// The rule that is broken; `story.step` says when.
pub fn play(seed: u64, steps: u64, story: &mut Story) -> Result<Outcome, String> {
    let mut chance = Chance::new(seed);
    let people = People::few(&mut chance);
    let policy = if chance.one_in(2) { 0 } else { chance.below(POLICIES as u64) as usize };
    // Half an hour before midnight or noon: certificates end at midnight.
    let begin = FIRST_DAY + Millis(chance.pick(&[DAY_MS / 2, DAY_MS - 60_000, DAY_MS - 1_800_000]));
    let scene = Scene::new(people, begin, policy, true, story);
    let mut world = Short { scene, chance, messages: 0, crash_in: None };
    world.open()?;
    for step in 1..=steps {
        world.scene.story.step = step;
        world.step()?;
        if step.is_multiple_of(REPLAY_EVERY) {
            world.scene.the_journal_says_so()?;
        }
    }
    world.end(begin)
}

struct Short<'a> {
    scene: Scene<'a>,
    chance: Chance,
    messages: u64,
    /// Batches until the server dies without a flush.
    crash_in: Option<u64>,
}

type Checked = Result<(), String>;

impl Short<'_> {
    /// Most people come to work.
    fn open(&mut self) -> Checked {
        for who in 0..self.scene.people.responders.len() as u32 {
            if !self.chance.one_in(4) {
                self.duty(ResponderId(who), Duty::OnDuty)?;
            }
        }
        self.scene.settle()
    }

    fn step(&mut self) -> Checked {
        let gap = if self.chance.one_in(8) { self.chance.pick(&LONG_GAPS) } else { self.chance.pick(&GAPS) };
        let gap = Millis::from_seconds(gap);
        let mut until = self.scene.now + gap + Millis(self.chance.pick(&[0, 0, 0, -1, 1]));
        until = until.max(self.scene.now);
        match self.chance.below(60) {
            0 => self.jump(),
            // The server was stopped for a while: everything that was due is late.
            1 | 2 => self.scene.it_is(until),
            _ => self.scene.pass_until(until)?,
        }
        for _ in 0..=self.chance.weighted(&[60, 20, 10, 10]) {
            self.act()?;
        }
        self.scene.settle()?;
        self.after_batch()
    }

    fn after_batch(&mut self) -> Checked {
        match self.crash_in {
            Some(0) => {
                self.crash_in = None;
                let kept = self.chance.below(self.scene.server.unflushed() as u64 + 1);
                let from_snapshot = self.chance.one_in(2);
                if self.chance.one_in(3) {
                    let down = Millis::from_seconds(self.chance.pick(&GAPS));
                    self.scene.it_is(self.scene.now + down);
                }
                self.scene.crash(kept as usize, from_snapshot)?;
                if self.chance.one_in(2) {
                    self.everybody_reports();
                }
                if self.chance.one_in(2) {
                    self.scene.redeliver()?;
                    self.scene.settle()?;
                }
            }
            Some(left) => self.crash_in = Some(left - 1),
            None if self.chance.one_in(20) => {
                self.scene.expect_crash();
                self.crash_in = Some(self.chance.below(3));
            }
            None => {
                if !self.chance.one_in(3) {
                    self.scene.flush();
                }
                if self.chance.one_in(10) {
                    self.scene.server.keep_snapshot();
                }
            }
        }
        Ok(())
    }

    /// The clock is set.
    fn jump(&mut self) {
        let by = self.chance.pick(&[-3_600, -600, -30, 30, 600, 3_600]);
        self.scene.story.add(|| format!("the clock jumps by {by} s"));
        self.scene.it_is(self.scene.now + Millis::from_seconds(by));
    }

    fn act(&mut self) -> Checked {
        match self.chance.weighted(&[34, 6, 3, 3, 2, 40, 22, 12, 8, 24, 2, 2, 3, 2]) {
            0 => self.press(),
            1 => match self.scene.message(self.chance.number()) {
                Some(raised) => self.scene.send(raised),
                None => Ok(()),
            },
            2 => self.over(),
            3 => self.cancel(),
            4 => (0..self.chance.between(4, 9)).try_for_each(|_| self.press()),
            5 => self.answer(),
            6 => self.proceed(),
            7 => self.changes_duty(),
            8 => {
                self.move_somebody();
                Ok(())
            }
            9 => self.operate(),
            10 => {
                let on = self.chance.one_in(2);
                self.wish(&Command::SetDrillMode { on })
            }
            11 => {
                let number = self.chance.below(POLICIES as u64) as usize;
                self.scene.replace_policy(number)
            }
            12 => {
                self.scene.sweep();
                Ok(())
            }
            _ => {
                self.learns();
                Ok(())
            }
        }
    }

    fn wish(&mut self, command: &Command) -> Checked {
        self.scene.command(command).map(drop)
    }

    fn duty(&mut self, responder: ResponderId, duty: Duty) -> Checked {
        self.wish(&Command::SetDuty { responder, duty })
    }

    /// A device raises an alert, and lies about it in one of many ways.
    fn press(&mut self) -> Checked {
        let elder = self.chance.below(self.scene.people.elders.len() as u64) as usize;
        let kind = self.chance.pick(&KINDS);
        let mut raised = People::alert(&self.scene.people.elders[elder], kind, self.scene.now);
        self.messages += 1;
        raised.key = (!self.chance.one_in(20)).then(|| story::key(self.messages));
        self.lie(&mut raised);
        self.scene.send(raised)
    }

    fn lie(&mut self, raised: &mut RaiseAlert) {
        let now = self.scene.now;
        let by = |seconds: i64| Some(now + Millis::from_seconds(seconds));
        match self.chance.below(24) {
            0 => raised.device_time = by(self.chance.pick(&[-599, -600, -601, -3_000, -100_000_000])),
            1 => raised.device_time = by(self.chance.pick(&[119, 120, 121, 5_000, 100_000_000])),
            2 => raised.device_time = None,
            3 => raised.retained = true,
            4 => raised.exercise = true,
            5 => {
                let device = people::device(900 + self.chance.below(2));
                (raised.subject, raised.device, raised.home) =
                    (Subject::Device(device.clone()), Some(device), None);
            }
            6 => {
                raised.subject = Subject::Topic("x/y".to_owned());
                (raised.device, raised.home, raised.kind) = (None, None, Kind::Unreadable);
                raised.raw = Some(vec![0xff, 0x00]);
            }
            7 => {
                raised.subject = Subject::Call(format!("call {}", self.messages));
                (raised.device, raised.device_time) = (None, None);
            }
            8 | 9 => raised.place = raised.home.map(|home| home.offset(self.metres(), self.metres())),
            10 => raised.home = None,
            11 => raised.device_time = Some(Timestamp(self.chance.pick(&[i64::MIN, i64::MAX, 0]))),
            _ => {}
        }
    }

    fn metres(&mut self) -> f64 {
        self.chance.between(-4_000, 4_000) as f64
    }

    fn elder(&mut self) -> Subject {
        let elder = self.chance.below(self.scene.people.elders.len() as u64) as usize;
        Subject::Elder(self.scene.people.elders[elder].id)
    }

    fn over(&mut self) -> Checked {
        let (subject, kind) = (self.elder(), self.chance.pick(&KINDS));
        self.wish(&Command::Restore { subject, device: people::device(1), kind })
    }

    fn cancel(&mut self) -> Checked {
        let subject = self.elder();
        let device = people::device(1);
        let late = self.chance.pick(&[0, 0, -5_000, -700_000]);
        let occurred_at = self.chance.one_in(2).then(|| self.scene.now + Millis(late));
        self.wish(&Command::Cancel { subject, device, key: None, occurred_at })
    }

    /// Somebody answers an offer: their own, an old one, somebody else's, or one that never was.
    fn answer(&mut self) -> Checked {
        let live =
            self.offers(|incident| incident.live_offers().map(|(id, offer)| (offer.responder, id)).collect());
        let any = self
            .offers(|incident| incident.offers.iter().map(|(id, offer)| (offer.responder, *id)).collect());
        let found = if self.chance.one_in(10) { self.chance.any(&any) } else { self.chance.any(&live) };
        let Some((mut responder, mut offer)) = found else { return Ok(()) };
        if self.chance.one_in(30) {
            responder = ResponderId(self.chance.below(6) as u32);
        }
        if self.chance.one_in(40) {
            offer = OfferId(self.chance.below(offer.0 + 3));
        }
        match self.chance.weighted(&[2, 2, 6, 3]) {
            0 => self.wish(&Command::OfferDelivered { offer }),
            1 => self.wish(&Command::OfferSeen { offer }),
            2 => {
                self.wish(&Command::AcceptOffer { responder, offer })?;
                // Two at once for one incident.
                match self.chance.any(&live).filter(|_| self.chance.one_in(4)) {
                    Some((responder, offer)) => self.wish(&Command::AcceptOffer { responder, offer }),
                    None => Ok(()),
                }
            }
            _ => self.wish(&Command::DeclineOffer { responder, offer, reason: "at lunch".to_owned() }),
        }
    }

    fn offers(&self, of: impl Fn(&Incident) -> Vec<(ResponderId, OfferId)>) -> Vec<(ResponderId, OfferId)> {
        self.scene.server.state.incidents().flat_map(of).collect()
    }

    /// Somebody who accepted does the next thing, or one that makes no sense.
    fn proceed(&mut self) -> Checked {
        let live = |incident: &Incident| -> Vec<_> {
            incident.live_assignments().map(|going| (going.responder, incident.id, going.state)).collect()
        };
        let going: Vec<_> = self.scene.server.state.incidents().flat_map(live).collect();
        let Some((responder, incident, state)) = self.chance.any(&going) else { return Ok(()) };
        use AssignmentState::{Aborted, Assigned, Cleared, EnRoute, OnScene, Transporting};
        let next = match state {
            Assigned => EnRoute,
            EnRoute => OnScene,
            OnScene | Transporting | Cleared | Aborted => Cleared,
        };
        let step = match self.chance.weighted(&[10, 3, 2]) {
            0 => AssignmentStep::Reach(next),
            1 => AssignmentStep::Abort { reason: "flat tyre".to_owned() },
            _ => {
                let any = [Assigned, EnRoute, OnScene, Transporting, Cleared, Aborted];
                AssignmentStep::Reach(self.chance.pick(&any))
            }
        };
        self.wish(&Command::UpdateAssignment { responder, incident, step })
    }

    fn somebody(&mut self) -> ResponderId {
        ResponderId(self.chance.below(self.scene.people.responders.len() as u64) as u32)
    }

    fn changes_duty(&mut self) -> Checked {
        let responder = if self.chance.one_in(30) { ResponderId(77) } else { self.somebody() };
        let duty =
            self.chance.pick(&[Duty::OnDuty, Duty::OnDuty, Duty::OnDuty, Duty::OnBreak, Duty::OffDuty]);
        self.duty(responder, duty)
    }

    fn move_somebody(&mut self) {
        let (who, north, east) = (self.somebody(), self.metres(), self.metres());
        let elder = self.chance.below(self.scene.people.elders.len() as u64) as usize;
        if let Some(home) = self.scene.people.elders[elder].home {
            self.scene.moves(who, home.offset(north, east));
        }
    }

    fn everybody_reports(&mut self) {
        for who in 0..self.scene.people.responders.len() as u32 {
            let (north, east) = (self.metres(), self.metres());
            if let Some(base) = self.scene.people.responders[who as usize].member.base {
                self.scene.moves(ResponderId(who), base.offset(north, east));
            }
        }
    }

    /// Somebody learns or loses a skill, or a certificate.
    fn learns(&mut self) {
        let others = People::few(&mut self.chance);
        let who = self.somebody();
        let Some(mut member) = self.scene.people.responder(who).map(|responder| responder.member) else {
            return;
        };
        let other = others.responders[0].member;
        (member.skills, member.certificates) = (other.skills, other.certificates);
        self.scene.enrol_again(who, member);
    }

    fn operate(&mut self) -> Checked {
        let open: Vec<IncidentId> = self.scene.server.state.incidents().map(|incident| incident.id).collect();
        let Some(mut incident) = self.chance.any(&open) else { return Ok(()) };
        if self.chance.one_in(30) {
            incident = IncidentId(self.chance.below(incident.0 + 2));
        }
        // Mostly whoever has it, sometimes somebody else, who is refused.
        let taker = self.scene.server.state.incident(incident).and_then(|known| known.operator.clone());
        let operator = match taker {
            Some(taker) if !self.chance.one_in(5) => taker,
            Some(_) | None => self.chance.pick(&OPERATORS).to_owned(),
        };
        let operation = self.operation(&open);
        self.wish(&Command::Operate { incident, operator, operation })
    }

    fn operation(&mut self, open: &[IncidentId]) -> Operation {
        let reason = if self.chance.one_in(12) { " " } else { "a reason" }.to_owned();
        match self.chance.weighted(&[10, 8, 6, 3, 2, 8, 4, 3, 5, 2, 2, 5, 5]) {
            0 => Operation::Acknowledge,
            1 => Operation::Dispatch { responders: Vec::new() },
            2 => {
                let mut responders = vec![self.somebody(), self.somebody()];
                responders.truncate(self.chance.between(1, 2) as usize);
                if self.chance.one_in(20) {
                    responders.push(ResponderId(77));
                }
                Operation::Dispatch { responders }
            }
            3 => Operation::Withdraw { reason },
            4 => Operation::AddNote { text: reason },
            5 => {
                let disposition = self.chance.pick(&[Disposition::Served, Disposition::FalseAlarmDevice]);
                Operation::Resolve { disposition, note: reason }
            }
            6 => Operation::Close,
            7 => Operation::TakeOver { reason },
            8 => Operation::Triage {
                priority: self.chance.pick(&Priority::ALL),
                kind: self.chance.one_in(3).then(|| self.chance.pick(&KINDS)),
                responders: self.chance.one_in(3).then(|| self.chance.pick(&[1, 1, 2, 3, 0, 17])),
                reason,
            },
            9 => {
                let service = self.chance.pick(&[Service::Ambulance, Service::FireBrigade, Service::Police]);
                Operation::HandOver { service, note: reason }
            }
            10 => Operation::Escalate { step: EscalationStep::Supervisor, note: reason },
            11 => Operation::Merge { into: self.chance.pick(open), reason },
            _ => Operation::Reopen { reason },
        }
    }

    /// Everything is sent again that nobody acknowledged, operators finish what is open, and nothing may be left.
    fn end(mut self, begin: Timestamp) -> Result<Outcome, String> {
        self.scene.story.add(|| "the end: what is open is finished".to_owned());
        self.scene.redeliver()?;
        self.scene.settle()?;
        self.scene.flush();
        let open: Vec<IncidentId> = self.scene.server.state.incidents().map(|incident| incident.id).collect();
        for incident in open {
            let operator = "ann".to_owned();
            let reason = "the end".to_owned();
            let operation = Operation::TakeOver { reason: reason.clone() };
            self.wish(&Command::Operate { incident, operator: operator.clone(), operation })?;
            let operation = Operation::Resolve { disposition: Disposition::Served, note: reason };
            self.wish(&Command::Operate { incident, operator, operation })?;
        }
        self.scene.settle()?;
        self.scene.pass_until(self.scene.now + Millis::from_seconds(100_000))?;
        self.scene.flush();
        self.scene.nothing_is_left()?;
        self.scene.the_journal_says_so()?;
        Ok(self.scene.outcome(begin))
    }
}
