//! Scene: a server, the people around it and the reference that watches, all at one moment of simulated time.

use std::{collections::BTreeMap, fmt};

use dispatch::{Command, Decision, Event, IncidentEvent, MessageKey, RaiseAlert};
use model::{Millis, Place, ResponderId, Timestamp};

use crate::{
    checks,
    people::People,
    reference::Reference,
    rules::rules,
    server::{self, Server},
    story::{self, Story},
};

/// Decisions the server may need to have nothing left to do at one moment; more is a deadline that fires for ever.
const DECISIONS_AT_ONCE: usize = 5_000;

/// Moments of which one is looked at, in a world too large to look at each.
const SELDOM: u64 = 64;

/// Everything at one moment.
pub struct Scene<'a> {
    /// What time it is.
    pub now: Timestamp,
    /// Who there is.
    pub people: People,
    /// The server.
    pub server: Server,
    /// What it should do.
    pub reference: Reference,
    /// What happened.
    pub story: &'a mut Story,
    /// Every message a device has sent, and whether it was told that we have it.
    sent: BTreeMap<MessageKey, Sent>,
    /// What the server has heard and not acknowledged yet.
    in_flight: Vec<MessageKey>,
    /// After each record that is not flushed, what the reference knew; kept only when a crash is to come.
    history: Option<Vec<Reference>>,
    /// What happened since somebody asked last; kept only for who listens.
    news: Option<Vec<Event>>,
    /// The clock was put back, so waits may be longer than they should.
    put_back: bool,
    /// Whether everything is compared after every moment, or only now and then.
    thorough: bool,
    moments: u64,
    /// Decisions with events.
    pub decisions: u64,
    /// Crashes.
    pub crashes: u64,
}

/// What one world came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Of the journal.
    pub digest: String,
    /// Decisions with events.
    pub decisions: u64,
    /// Incidents that were opened.
    pub incidents: u64,
    /// Crashes.
    pub crashes: u64,
    /// Simulated time.
    pub lasted: Millis,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { digest, decisions, incidents, crashes, lasted } = self;
        let hours = lasted.0 / 3_600_000;
        let minutes = lasted.0 / 60_000 % 60;
        write!(
            f,
            "{decisions} decisions, {incidents} incidents, {crashes} crashes in {hours} h {minutes} min, "
        )?;
        write!(f, "journal {digest}")
    }
}

#[derive(Debug, Clone)]
struct Sent {
    raised: RaiseAlert,
    acknowledged: bool,
}

type Checked = Result<(), String>;

impl<'a> Scene<'a> {
    /// Everybody is there, off duty, and nothing has happened.
    pub fn new(people: People, now: Timestamp, policy: usize, thorough: bool, story: &'a mut Story) -> Self {
        let server = Server::new(&people.responders, policy);
        story.at(now);
        Self {
            now,
            people,
            server,
            reference: Reference::new(policy),
            story,
            sent: BTreeMap::new(),
            in_flight: Vec::new(),
            history: None,
            news: None,
            put_back: false,
            thorough,
            moments: 0,
            decisions: 0,
            crashes: 0,
        }
    }

    /// Gives the server one command at this moment; `None` when it was refused.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn command(&mut self, command: &Command) -> Result<Option<Decision>, String> {
        let told = if self.story.told { story::wish(command) } else { String::new() };
        let outcome = self.server.decide(self.now, command.clone());
        self.story.command(&told, &outcome);
        self.reference.notice(self.now, &self.people, command, &outcome)?;
        if let Ok(decision) = &outcome
            && !decision.events.is_empty()
        {
            self.decisions += 1;
            if let Some(history) = &mut self.history {
                history.push(self.reference.clone());
            }
            if let Some(news) = &mut self.news {
                news.extend(decision.events.iter().cloned());
            }
        }
        Ok(outcome.ok())
    }

    /// A device sends a message; the server acknowledges it with the next flush.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn send(&mut self, mut raised: RaiseAlert) -> Checked {
        raised.received_at = self.now;
        if let Some(key) = raised.key {
            self.sent.entry(key).or_insert_with(|| Sent { raised: raised.clone(), acknowledged: false });
            self.in_flight.push(key);
        }
        self.command(&Command::RaiseAlert(Box::new(raised))).map(drop)
    }

    /// The messages so far, those no device was told about first.
    #[must_use]
    pub fn message(&self, nth: u64) -> Option<RaiseAlert> {
        let nth = nth as usize % self.sent.len().max(1);
        let open = self.sent.values().filter(|sent| !sent.acknowledged);
        open.chain(self.sent.values().filter(|sent| sent.acknowledged))
            .nth(nth)
            .map(|sent| sent.raised.clone())
    }

    /// The server does what is left to do at this moment: it looks for those who wait, and fires what is due.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn settle(&mut self) -> Checked {
        for _ in 0..DECISIONS_AT_ONCE {
            let freed = self.server.take_freed();
            if !freed.is_empty() {
                self.command(&Command::SearchWaiting { freed })?;
            } else if self.server.state.next_deadline().is_some_and(|due| due <= self.now) {
                self.command(&Command::Tick)?;
            } else {
                return self.check();
            }
        }
        Err("a deadline fires for ever".to_owned())
    }

    fn check(&mut self) -> Checked {
        self.moments += 1;
        if !self.thorough && !self.moments.is_multiple_of(SELDOM) {
            self.reference.forget_who_became_free();
            return Ok(());
        }
        self.reference.nothing_is_overdue(self.now, self.put_back)?;
        checks::agree(&self.server, &self.reference, &self.people)?;
        if self.put_back {
            return Ok(());
        }
        self.reference.nobody_starves(self.now, &self.people)
    }

    /// Time passes until `until`, and what is due on the way happens when it is due.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn pass_until(&mut self, until: Timestamp) -> Checked {
        while let Some(due) = self.server.state.next_deadline().filter(|due| *due <= until) {
            self.it_is(self.now.max(due));
            self.settle()?;
        }
        self.it_is(self.now.max(until));
        Ok(())
    }

    /// The clock shows `now`, whatever it showed before.
    pub fn it_is(&mut self, now: Timestamp) {
        self.put_back |= now < self.now;
        self.now = now;
        self.story.at(now);
    }

    /// The disk has everything, and everybody is told so.
    pub fn flush(&mut self) {
        self.server.flush();
        for key in self.in_flight.drain(..) {
            if let Some(sent) = self.sent.get_mut(&key) {
                sent.acknowledged = true;
            }
        }
        if let Some(history) = &mut self.history {
            *history = vec![self.reference.clone()];
        }
    }

    /// Like [`Scene::flush`], unless the server is about to die.
    pub fn flush_unless_doomed(&mut self) {
        if self.history.is_none() {
            self.flush();
        }
    }

    /// From now on everything that happens is kept for [`Scene::take_news`].
    pub fn listen(&mut self) {
        self.news = Some(Vec::new());
    }

    /// What happened since the last time.
    pub fn take_news(&mut self) -> Vec<Event> {
        self.news.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The state takes no more than so many bytes.
    ///
    /// # Errors
    /// How many it takes.
    pub fn state_is_no_larger_than(&self, most: usize) -> Checked {
        let bytes = postcard::to_stdvec(&self.server.state).map_err(|error| error.to_string())?.len();
        if bytes <= most { Ok(()) } else { Err(format!("the state takes {bytes} bytes, more than {most}")) }
    }

    /// From now on, until the next crash, what is decided is remembered step by step.
    pub fn expect_crash(&mut self) {
        self.flush();
        self.history = Some(vec![self.reference.clone()]);
    }

    /// The server dies. Of the records that are not flushed the first `kept` are on the disk. It starts again at once.
    ///
    /// # Errors
    /// The rule that is broken, such as a state that is not what the journal says.
    pub fn crash(&mut self, kept: usize, from_snapshot: bool) -> Checked {
        self.the_journal_says_so()?;
        let kept = kept.min(self.server.unflushed());
        let history = self.history.take().ok_or("a crash comes unexpected")?;
        self.reference = history.into_iter().nth(kept).ok_or("the reference forgot what was decided")?;
        self.story.add(|| format!("crash; of the records not flushed {kept} are left"));
        self.in_flight.clear();
        for responder in &mut self.people.responders {
            responder.known_fix = None;
        }
        self.people.stale_before = Timestamp(i64::MIN);
        let events = self.server.crash(kept, &self.people.responders, from_snapshot)?;
        self.everything_acknowledged_is_in(&events)?;
        self.reference.starts_again(self.server.policy);
        self.crashes += 1;
        self.command(&Command::ReplacePolicy)?;
        checks::agree(&self.server, &self.reference, &self.people)?;
        self.settle()
    }

    /// What the journal says is what is so: the state it gives is the state there is, every message a device was told we
    /// have is in it, and no message is there twice.
    ///
    /// # Errors
    /// What is not.
    pub fn the_journal_says_so(&self) -> Checked {
        let events = self.server.read()?;
        if server::replay(&events) != self.server.state {
            return Err("the state replayed from the journal is another".to_owned());
        }
        self.everything_acknowledged_is_in(&events)
    }

    fn everything_acknowledged_is_in(&self, events: &[(Timestamp, Event)]) -> Checked {
        let mut counted: BTreeMap<MessageKey, u32> = BTreeMap::new();
        for (_, event) in events {
            if let Event::Incident { event: IncidentEvent::AlertRaised(alert), .. } = event
                && let Some(key) = alert.key
            {
                *counted.entry(key).or_default() += 1;
            }
        }
        if let Some((key, times)) = counted.iter().find(|(_, times)| **times > 1) {
            return Err(format!("message {} is counted {times} times", story::number(*key)));
        }
        let acknowledged = self.sent.iter().filter(|(_, sent)| sent.acknowledged);
        match acknowledged.map(|(key, _)| key).find(|key| !counted.contains_key(key)) {
            Some(key) => Err(format!("message {} was acknowledged and is lost", story::number(*key))),
            None => Ok(()),
        }
    }

    /// What it came to since `begin`.
    #[must_use]
    pub fn outcome(&self, begin: Timestamp) -> Outcome {
        Outcome {
            digest: self.server.digest(),
            decisions: self.decisions,
            incidents: self.reference.opened(),
            crashes: self.crashes,
            lasted: self.now - begin,
        }
    }

    /// Everything is closed, nobody is bound, and nothing is due.
    ///
    /// # Errors
    /// What is left.
    pub fn nothing_is_left(&self) -> Checked {
        let state = &self.server.state;
        let left = (state.incidents().count(), state.bound().count(), state.waiting());
        if left == (0, 0, 0) && state.next_deadline().is_none() {
            Ok(())
        } else {
            Err(format!("incidents, bound and waiting at the end: {left:?}, due {:?}", state.next_deadline()))
        }
    }

    /// Every device that was not told that we have its message sends it again.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn redeliver(&mut self) -> Checked {
        let open: Vec<RaiseAlert> =
            self.sent.values().filter(|sent| !sent.acknowledged).map(|sent| sent.raised.clone()).collect();
        open.into_iter().try_for_each(|raised| self.send(raised))
    }

    /// A responder's phone says where it is.
    pub fn moves(&mut self, who: ResponderId, place: Place) {
        let Some(responder) = self.people.responders.get_mut(who.0 as usize) else { return };
        let newer = responder.known_fix.is_none_or(|(_, at)| at < self.now);
        if newer {
            responder.known_fix = Some((place, self.now));
            self.server.roster.report(who, place, self.now);
            self.story.add(|| format!("r{who} is at {place:?}"));
        }
    }

    /// Fixes older than half an hour do not count any more.
    pub fn sweep(&mut self) {
        let before = Timestamp(self.now.0 - 30 * 60 * 1000).max(self.people.stale_before);
        self.people.stale_before = before;
        self.server.roster.sweep(before);
    }

    /// The registry says something new about a responder.
    pub fn enrol_again(&mut self, who: ResponderId, member: roster::Member) {
        let Some(responder) = self.people.responders.get_mut(who.0 as usize) else { return };
        responder.member = member;
        let _ = self.server.roster.enrol(who, member);
        self.story.add(|| format!("the registry says of r{who}: {member:?}"));
    }

    /// Another policy is in force.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn replace_policy(&mut self, number: usize) -> Checked {
        self.story.add(|| format!("policy {} from now on", rules(number).policy.version()));
        (self.server.policy, self.reference.policy) = (number, number);
        self.command(&Command::ReplacePolicy).map(drop)
    }
}
