//! World: a state, a roster and a journal, kept as the engine keeps them, and watched at every step.

use std::collections::BTreeSet;

use dispatch::{
    Command, Decision, Duty, Event, Policy, PolicyFile, Rejection, State, catch_up, decide, follow,
};
use model::{CoordinateSystem, Place, ResponderId, Timestamp};
use roster::{Availability, Member, Roster, Size};

use super::{
    Step, invariants,
    promises::{self, Promises},
    tell,
};

/// When every story begins.
pub(crate) const BEGIN: Timestamp = Timestamp(1_790_000_000_000);
/// Most deadlines that may fire in one moment of a story; more is a deadline that fires and changes nothing.
const DEADLINES_AT_ONCE: usize = 500;
const RESPONDERS: u32 = 128;

/// Where every elder lives.
pub(crate) fn home() -> Place {
    Place::new(33.60, 119.02, CoordinateSystem::Wgs84).expect("on the globe")
}

/// The policy that is shipped, with a difference, and the version after `before`.
fn policy(change: fn(&mut PolicyFile), before: &str) -> Policy {
    let mut file: PolicyFile =
        toml::from_str(include_str!("../../../../../config/policy.toml")).expect("it is a policy");
    change(&mut file);
    Policy::new(&file, &format!("{before}+")).expect("without fault")
}

/// Everything a story happens in.
pub(crate) struct World {
    pub(crate) state: State,
    roster: Roster,
    /// The one of a restart.
    spare: Roster,
    policy: Policy,
    now: Timestamp,
    members: BTreeSet<ResponderId>,
    /// What one could read on the disk.
    journal: Vec<(Timestamp, Event)>,
    told: Vec<String>,
    promises: Promises,
    /// Who became free since somebody was last looked for.
    freed: Vec<ResponderId>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            state: State::default(),
            roster: empty_roster(),
            spare: empty_roster(),
            policy: policy(|_| {}, ""),
            now: BEGIN,
            members: BTreeSet::new(),
            journal: Vec::new(),
            told: Vec::new(),
            promises: Promises::default(),
            freed: Vec::new(),
        }
    }

    /// What has happened so far.
    pub(crate) fn told(&self) -> &[String] {
        &self.told
    }

    fn members(&self) -> impl Iterator<Item = ResponderId> {
        self.members.iter().copied()
    }

    /// Plays one step at `at`: first what is due before, then the step, then what is due at that very moment. The
    /// engine does the same: commands go before deadlines.
    pub(crate) fn play(&mut self, at: Timestamp, step: &Step) {
        match step {
            Step::Restart => {
                self.now = at;
                self.state = self.replayed();
                self.freed.clear();
                self.rebuild();
                std::mem::swap(&mut self.roster, &mut self.spare);
            }
            Step::Enrol { .. }
            | Step::Seen { .. }
            | Step::Policy(_)
            | Step::Alert { .. }
            | Step::Wish(_)
            | Step::Batch(_)
            | Step::Wait => {
                self.pass_until(Timestamp(at.0 - 1));
                self.now = at;
            }
        }
        self.act(at, step);
        self.watch();
        self.search_for_freed();
        self.pass_until(at);
        self.watch_restart();
    }

    fn act(&mut self, at: Timestamp, step: &Step) {
        match step {
            Step::Enrol { responder, metres, comes, fresh, member } => {
                self.enrol(ResponderId(*responder), *metres, *fresh, **member);
                if *comes {
                    self.comes(ResponderId(*responder));
                }
            }
            Step::Seen { responder, metres } => {
                let place = home().offset(f64::from(*metres), 0.0);
                for roster in [&self.roster, &self.spare] {
                    roster.report(ResponderId(*responder), place, at);
                }
            }
            Step::Policy(change) => {
                self.policy = policy(*change, self.policy.version());
                self.wish(Command::ReplacePolicy);
            }
            Step::Alert { raised, clock } => {
                let mut raised = raised.clone();
                raised.received_at = at;
                raised.device_time = clock.map(|clock| at + clock);
                self.wish(Command::RaiseAlert(raised));
            }
            Step::Wish(command) => self.wish(command.clone()),
            Step::Batch(steps) => {
                for step in steps {
                    self.act(at, step);
                }
            }
            Step::Wait | Step::Restart => {}
        }
    }

    /// Looks again for those who wait, now that somebody is free. The engine does it after each batch.
    fn search_for_freed(&mut self) {
        while !self.freed.is_empty() {
            let freed = std::mem::take(&mut self.freed);
            self.decide(self.now, Command::SearchWaiting { freed }).expect("a search is never refused");
            self.watch();
        }
    }

    /// Decides `command` at `now`, which may lie anywhere; only time may go wrong then.
    pub(crate) fn try_at(&mut self, now: Timestamp, command: Command) {
        let told = format!("{} {command:?}", tell::second(now));
        let decided = self.decide(now, command);
        self.told.push(format!("{told} -> {}", decided.map_or("refused", |_| "decided")));
        self.watch();
        self.watch_restart();
    }

    /// Decides `command` at `now` whatever else is due, and writes down what follows.
    fn decide(&mut self, now: Timestamp, command: Command) -> Result<Decision, Rejection> {
        self.now = now;
        let alerts = usize::from(matches!(command, Command::RaiseAlert(_)));
        let decision = decide(&self.state, &self.roster, &self.policy, now, command)?;
        for event in &decision.events {
            if let Err(broken) = self.promises.notice(&self.state, event) {
                self.fail(&format!("{broken} by {event:?}"));
            }
            self.state.evolve(now, event);
            follow(&self.roster, &self.state, event);
            self.freed.extend(event.frees());
            self.told.extend(tell::event(now, event));
            self.journal.push((now, event.clone()));
        }
        if let Err(broken) = promises::of_decision(&self.state, alerts, &decision) {
            self.fail(&broken);
        }
        Ok(decision)
    }

    /// Fires every deadline up to `until`, each when it is due or at once.
    fn pass_until(&mut self, until: Timestamp) {
        let mut at_once = 0;
        while let Some(due) = self.state.next_deadline().filter(|due| *due <= until) {
            at_once = if due > self.now { 0 } else { at_once + 1 };
            if at_once > DEADLINES_AT_ONCE {
                self.fail("a deadline fires for ever");
            }
            let decision = self.decide(self.now.max(due), Command::Tick).expect("a tick is never refused");
            if decision.events.is_empty() {
                self.fail("a deadline was due and nothing was decided");
            }
            self.watch();
            self.search_for_freed();
        }
    }

    /// Panics unless every invariant holds.
    fn watch(&self) {
        let faults = invariants::faults(&self.state, &self.roster, self.members());
        if !faults.is_empty() {
            self.fail(&faults.join("; "));
        }
    }

    /// Panics unless a restart would change nothing: the replayed state and the rebuilt roster are the live ones.
    fn watch_restart(&self) {
        if self.replayed() != self.state {
            self.fail("the state replayed from the journal is another");
        }
        self.rebuild();
        for responder in self.members() {
            let (live, again) = (self.roster.availability(responder), self.spare.availability(responder));
            if live != again {
                self.fail(&format!("r{responder} is {live:?}, and after a restart {again:?}"));
            }
            if self.roster.idle(responder) != self.spare.idle(responder) {
                self.fail(&format!("after a restart r{responder} has been idle since another time"));
            }
        }
    }

    /// The state that the journal gives.
    fn replayed(&self) -> State {
        let mut state = State::default();
        for (at, event) in &self.journal {
            state.evolve(*at, event);
        }
        state
    }

    /// Makes the spare roster what it is after a restart. A new one would do the same and take longer.
    fn rebuild(&self) {
        for responder in self.members() {
            if let Availability::Claimed(incident) = self.spare.availability(responder) {
                self.spare.release(responder, incident);
            }
            self.spare.set_duty(responder, Duty::OffDuty);
        }
        catch_up(&self.spare, &self.state);
    }

    fn fail(&self, what: &str) -> ! {
        panic!("at {}: {what}. What happened so far:\n{}", tell::second(self.now), self.told.join("\n"))
    }

    fn enrol(&mut self, responder: ResponderId, metres: u32, fresh: bool, mut member: Member) {
        let place = home().offset(f64::from(metres), 0.0);
        member.base = (!fresh).then_some(place);
        self.members.insert(responder);
        for roster in [&self.roster, &self.spare] {
            roster.enrol(responder, member).expect("there is room");
            if fresh {
                roster.report(responder, place, BEGIN);
            }
        }
    }

    /// Comes on duty. The step says it already, so it is not told.
    fn comes(&mut self, responder: ResponderId) {
        let known = self.told.len();
        let on_duty = Command::SetDuty { responder, duty: Duty::OnDuty };
        self.decide(self.now, on_duty).expect("is enrolled");
        self.told.truncate(known);
    }

    fn wish(&mut self, command: Command) {
        let second = tell::second(self.now);
        match self.decide(self.now, command) {
            Ok(Decision { duplicate: true, incident, events }) => {
                assert_eq!(events, [], "a message heard before changes nothing");
                let incident = incident.map_or_else(String::new, |incident| format!(" in #{incident}"));
                self.told.push(format!("{second} heard before{incident}"));
            }
            Ok(decision) if decision.events.is_empty() => self.told.push(format!("{second} nothing")),
            Ok(_) => {}
            Err(rejection) => self.told.push(format!("{second} refused: {rejection:?}")),
        }
    }
}

fn empty_roster() -> Roster {
    Roster::new(Size::of(RESPONDERS, &[]))
}
