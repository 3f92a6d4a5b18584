//! Day: a county from midnight to midnight, with its night, its shifts, its storms and a few hundred incidents.
//!
//! Whoever is there reacts to what happens: a phone that shows an offer is answered or not, a helper who accepted sets out
//! or forgets to say so, an operator takes a case when there is time. Everything anybody will do stands in an agenda.

use std::collections::BTreeMap;

use dispatch::{
    AssignmentState, AssignmentStep, Command, Disposition, Duty, Event, Incident, IncidentEvent,
    IncidentState, Operation, Service,
};
use model::{IncidentId, Kind, Millis, OfferId, Priority, ResponderId, Timestamp};

use crate::{
    chance::Chance,
    people::{DAY_MS, FIRST_DAY, People},
    scene::{Outcome, Scene},
    story::{self, Story},
};

/// Responders of the county.
const RESPONDERS: u32 = 50;
/// Elders of the county.
const ELDERS: u64 = 2_000;
/// Seconds between two alerts on average, by day.
const ALERT_EVERY_S: i64 = 240;
/// How often positions are reported.
const REPORT_EVERY: Millis = Millis::from_seconds(600);
/// How often an operator looks at a case again.
const REVIEW_EVERY_S: i64 = 900;
/// Bytes a closed day may leave behind for each message, so that a repeat is known.
const BYTES_PER_MESSAGE: usize = 64;
/// Bytes a closed day may leave behind for each responder.
const BYTES_PER_RESPONDER: usize = 64;

/// What somebody is going to do.
#[derive(Debug, Clone, Copy)]
enum Act {
    Press,
    Storm,
    Shift(ResponderId, Duty),
    Report,
    Answer(ResponderId, OfferId),
    Step(ResponderId, IncidentId),
    Take(IncidentId),
    Review(IncidentId),
    Drill(bool),
    Policy(usize),
    Crash,
}

struct Day<'a> {
    scene: Scene<'a>,
    chance: Chance,
    agenda: BTreeMap<(Timestamp, u64), Act>,
    entries: u64,
    messages: u64,
    end: Timestamp,
}

type Checked = Result<(), String>;

/// Plays the day of `seed`.
///
/// # Errors
/// The rule that is broken; `story.step` counts what people did.
pub fn play(seed: u64, story: &mut Story) -> Result<Outcome, String> {
    let mut chance = Chance::new(seed);
    let people = People::county(&mut chance, RESPONDERS, ELDERS);
    let mut scene = Scene::new(people, FIRST_DAY, 0, false, story);
    scene.listen();
    let end = FIRST_DAY + Millis(DAY_MS);
    let mut day = Day { scene, chance, agenda: BTreeMap::new(), entries: 0, messages: 0, end };
    day.plan();
    while let Some(entry) = day.agenda.first_entry() {
        let at = entry.key().0;
        let due = day.scene.server.state.next_deadline().filter(|due| *due <= at);
        if let Some(due) = due {
            day.scene.pass_until(due)?;
        } else {
            let act = entry.remove();
            day.scene.pass_until(at)?;
            day.scene.story.step += 1;
            day.act(act)?;
            day.scene.settle()?;
            day.scene.flush_unless_doomed();
        }
        day.react();
    }
    day.close()
}

impl Day<'_> {
    fn later(&mut self, ms: i64, act: Act) {
        self.at(self.scene.now + Millis(ms), act);
    }

    fn at(&mut self, at: Timestamp, act: Act) {
        self.entries += 1;
        self.agenda.insert((at, self.entries), act);
    }

    fn seconds(&mut self, first: i64, last: i64) -> i64 {
        self.chance.between(first * 1000, last * 1000)
    }

    /// What is known in the morning: who works when, when it storms, when there is a drill, when the server dies.
    fn plan(&mut self) {
        let hour = |hour: i64| FIRST_DAY + Millis::from_seconds(hour * 3600);
        self.at(FIRST_DAY, Act::Report);
        for who in 0..RESPONDERS {
            let who = ResponderId(who);
            let (from, to) =
                if self.chance.one_in(4) { (0, 8) } else { self.chance.pick(&[(7, 15), (8, 18), (14, 23)]) };
            let late = Millis(self.seconds(0, 1_200));
            self.at(hour(from) + late, Act::Shift(who, Duty::OnDuty));
            self.at(hour((from + to) / 2) + late, Act::Shift(who, Duty::OnBreak));
            self.at(
                hour((from + to) / 2) + late + Millis::from_seconds(1_800),
                Act::Shift(who, Duty::OnDuty),
            );
            self.at(hour(to) + late, Act::Shift(who, Duty::OffDuty));
        }
        self.at(FIRST_DAY, Act::Press);
        for _ in 0..self.chance.between(1, 3) {
            let at = FIRST_DAY + Millis(self.chance.between(0, DAY_MS));
            self.at(at, Act::Storm);
        }
        for _ in 0..self.chance.between(1, 3) {
            let at = FIRST_DAY + Millis(self.chance.between(0, DAY_MS));
            self.at(at, Act::Crash);
        }
        if self.chance.one_in(2) {
            self.at(hour(10), Act::Drill(true));
            self.at(hour(10) + Millis::from_seconds(900), Act::Drill(false));
        }
        if self.chance.one_in(3) {
            self.at(hour(16), Act::Policy(1));
        }
    }

    /// What people will do about what has just happened.
    fn react(&mut self) {
        for event in self.scene.take_news() {
            let Event::Incident { incident, event } = event else { continue };
            if let IncidentEvent::Opened(_) = event {
                let night = (self.scene.now - FIRST_DAY).0 < 6 * 3_600_000;
                let wait = if night { self.seconds(10, 240) } else { self.seconds(3, 60) };
                self.later(wait, Act::Take(incident));
            } else if let IncidentEvent::WaveSent(wave) = event {
                for chosen in wave.chosen {
                    // One in eight does not hear the phone.
                    if !self.chance.one_in(8) {
                        let wait = self.seconds(2, 28);
                        self.later(wait, Act::Answer(chosen.responder, chosen.offer));
                    }
                }
            } else if let IncidentEvent::OfferAccepted { responder, .. } = event {
                let wait = self.seconds(10, 150);
                self.later(wait, Act::Step(responder, incident));
            }
        }
    }

    fn act(&mut self, act: Act) -> Checked {
        match act {
            Act::Press => {
                self.press()?;
                let hour = (self.scene.now - FIRST_DAY).0 / 3_600_000;
                let mean = if (6..22).contains(&hour) { ALERT_EVERY_S } else { 3 * ALERT_EVERY_S };
                let next = self.scene.now + Millis(self.chance.wait_ms(mean));
                if next < self.end {
                    self.at(next, Act::Press);
                }
                Ok(())
            }
            Act::Storm => (0..self.chance.between(20, 60)).try_for_each(|_| self.press()),
            Act::Shift(responder, duty) => self.wish(&Command::SetDuty { responder, duty }),
            Act::Report => {
                self.report();
                Ok(())
            }
            Act::Answer(responder, offer) => self.answer(responder, offer),
            Act::Step(responder, incident) => self.step(responder, incident),
            Act::Take(incident) => self.take(incident),
            Act::Review(incident) => self.review(incident),
            Act::Drill(on) => self.wish(&Command::SetDrillMode { on }),
            Act::Policy(number) => self.scene.replace_policy(number),
            Act::Crash => self.crash(),
        }
    }

    fn wish(&mut self, command: &Command) -> Checked {
        self.scene.command(command).map(drop)
    }

    /// Somebody's device; one in twenty messages comes twice, late, from a clock that is wrong or from an empty battery.
    fn press(&mut self) -> Checked {
        let elder = self.chance.below(ELDERS) as usize;
        let kinds = [
            Kind::Sos,
            Kind::Sos,
            Kind::Fall,
            Kind::BedExit,
            Kind::Inactivity,
            Kind::DoorOpen,
            Kind::LowBattery,
        ];
        let kind =
            if self.chance.one_in(6) { self.chance.pick(&Kind::ALL) } else { self.chance.pick(&kinds) };
        let mut raised = People::alert(&self.scene.people.elders[elder], kind, self.scene.now);
        self.messages += 1;
        raised.key = Some(story::key(self.messages));
        match self.chance.below(20) {
            0 => {
                let wrong = Millis::from_seconds(self.chance.between(-4_000, 400));
                raised.device_time = Some(self.scene.now + wrong);
            }
            1 => raised.retained = self.chance.one_in(2),
            2 => raised.exercise = self.chance.one_in(2),
            _ => {}
        }
        self.scene.send(raised.clone())?;
        if self.chance.one_in(20) { self.scene.send(raised) } else { Ok(()) }
    }

    /// Everybody's phone tells where it is; some are switched off.
    fn report(&mut self) {
        for who in 0..RESPONDERS {
            let responder = &self.scene.people.responders[who as usize];
            let from = responder.known_fix.map(|(place, _)| place).or(responder.member.base);
            let (north, east) = (self.chance.between(-800, 800), self.chance.between(-800, 800));
            if let (Some(from), false) = (from, self.chance.one_in(5)) {
                self.scene.moves(ResponderId(who), from.offset(north as f64, east as f64));
            }
        }
        self.scene.sweep();
        if self.scene.now < self.end {
            self.later(REPORT_EVERY.0, Act::Report);
        }
    }

    fn answer(&mut self, responder: ResponderId, offer: OfferId) -> Checked {
        if self.chance.one_in(3) {
            self.wish(&Command::OfferSeen { offer })?;
        }
        let command = if self.chance.one_in(4) {
            Command::DeclineOffer { responder, offer, reason: "busy".to_owned() }
        } else {
            Command::AcceptOffer { responder, offer }
        };
        self.wish(&command)
    }

    /// A helper does the next thing; one in ten forgets to say so, one in twenty gives up.
    fn step(&mut self, responder: ResponderId, incident: IncidentId) -> Checked {
        let state = self.scene.server.state.incident(incident).and_then(|known| {
            known.live_assignments().find(|going| going.responder == responder).map(|going| going.state)
        });
        let Some(state) = state else { return Ok(()) };
        let (next, wait) = match state {
            AssignmentState::Assigned if self.chance.one_in(10) => (None, self.seconds(400, 900)),
            AssignmentState::Assigned => (Some(AssignmentState::EnRoute), self.seconds(120, 900)),
            AssignmentState::EnRoute => (Some(AssignmentState::OnScene), self.seconds(300, 2_400)),
            AssignmentState::OnScene
            | AssignmentState::Transporting
            | AssignmentState::Cleared
            | AssignmentState::Aborted => (Some(AssignmentState::Cleared), 0),
        };
        if next != Some(AssignmentState::Cleared) {
            self.later(wait, Act::Step(responder, incident));
        }
        let Some(next) = next else { return Ok(()) };
        let step = if self.chance.one_in(20) {
            AssignmentStep::Abort { reason: "flat tyre".to_owned() }
        } else {
            AssignmentStep::Reach(next)
        };
        self.wish(&Command::UpdateAssignment { responder, incident, step })
    }

    fn operate(&mut self, incident: IncidentId, operation: Operation) -> Checked {
        let known = self.scene.server.state.incident(incident);
        let operator = known.and_then(|known| known.operator.clone()).unwrap_or_else(|| "ann".to_owned());
        self.wish(&Command::Operate { incident, operator, operation })
    }

    /// An operator takes a case, and decides about what waits for a decision.
    fn take(&mut self, incident: IncidentId) -> Checked {
        self.operate(incident, Operation::Acknowledge)?;
        let Some(known) = self.scene.server.state.incident(incident) else { return Ok(()) };
        let (held, undecided) = (known.hold.is_some(), known.priority > Priority::P2);
        let reason = "after a call".to_owned();
        if held && self.chance.one_in(3) {
            let (priority, kind, responders) = (self.chance.pick(&[Priority::P1, Priority::P2]), None, None);
            self.operate(incident, Operation::Triage { priority, kind, responders, reason })?;
        } else if undecided && self.chance.one_in(2) {
            self.operate(incident, Operation::Dispatch { responders: Vec::new() })?;
        }
        if self.chance.one_in(12) {
            self.operate(incident, Operation::HandOver { service: Service::Ambulance, note: String::new() })?;
        }
        let wait = self.seconds(REVIEW_EVERY_S / 2, REVIEW_EVERY_S);
        self.later(wait, Act::Review(incident));
        Ok(())
    }

    /// An operator looks whether a case is over: when nobody goes any more, or when it has taken too long.
    fn review(&mut self, incident: IncidentId) -> Checked {
        let Some(known) = self.scene.server.state.incident(incident) else { return Ok(()) };
        if !known.state.is_open() {
            return Ok(());
        }
        let nobody_goes = known.live_assignments().next().is_none();
        if (nobody_goes && self.chance.one_in(2)) || self.chance.one_in(10) {
            let operation = Operation::Resolve { disposition: Disposition::Served, note: String::new() };
            self.operate(incident, operation)?;
            if self.chance.one_in(20) {
                self.operate(incident, Operation::Reopen { reason: "again".to_owned() })?;
            } else {
                return Ok(());
            }
        }
        self.later(REVIEW_EVERY_S * 1000, Act::Review(incident));
        Ok(())
    }

    /// The server dies in the middle of what comes next.
    fn crash(&mut self) -> Checked {
        self.scene.expect_crash();
        for _ in 0..self.chance.between(1, 8) {
            self.press()?;
        }
        self.scene.settle()?;
        let kept = self.chance.below(self.scene.server.unflushed() as u64 + 1);
        self.scene.crash(kept as usize, true)?;
        self.report();
        self.scene.redeliver()
    }

    /// Whatever is still open is resolved, and everything must be let go.
    fn close(mut self) -> Result<Outcome, String> {
        let open =
            |incident: &&Incident| matches!(incident.state, IncidentState::New | IncidentState::Acknowledged);
        let open: Vec<IncidentId> =
            self.scene.server.state.incidents().filter(open).map(|incident| incident.id).collect();
        for incident in open {
            let operation = Operation::Resolve { disposition: Disposition::Served, note: String::new() };
            self.operate(incident, operation)?;
        }
        self.scene.settle()?;
        self.scene.pass_until(self.scene.now + Millis::from_seconds(3_600))?;
        self.scene.flush();
        self.scene.nothing_is_left()?;
        self.scene.the_journal_says_so()?;
        let most =
            BYTES_PER_MESSAGE * self.messages as usize + BYTES_PER_RESPONDER * RESPONDERS as usize + 256;
        self.scene.state_is_no_larger_than(most)?;
        Ok(self.scene.outcome(FIRST_DAY))
    }
}
