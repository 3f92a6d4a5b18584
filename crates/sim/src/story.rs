//! Story: what happened, line by line, told only when somebody wants to read it.

use dispatch::{Command, Decision, Event, IncidentEvent, MessageKey, Rejection};
use model::Timestamp;

use crate::people::{DAY_MS, FIRST_DAY};

/// What happened so far.
#[derive(Debug, Default)]
pub struct Story {
    /// Whether lines are kept; without, a world runs faster.
    pub told: bool,
    /// One line for each thing that happened.
    pub lines: Vec<String>,
    /// The step that is being played.
    pub step: u64,
    now: Option<Timestamp>,
}

impl Story {
    /// A story that keeps its lines.
    #[must_use]
    pub fn told() -> Self {
        Self { told: true, ..Self::default() }
    }

    /// It is `now`.
    pub(crate) fn at(&mut self, now: Timestamp) {
        self.now = Some(now);
    }

    /// Adds what `line` gives.
    pub(crate) fn add(&mut self, line: impl FnOnce() -> String) {
        if self.told {
            let at = self.now.map_or_else(String::new, clock);
            self.lines.push(format!("{:>4} {at} {}", self.step, line()));
        }
    }

    /// Adds a wish and what came of it.
    pub(crate) fn command(&mut self, command: &str, outcome: &Result<Decision, Rejection>) {
        match outcome {
            Err(rejection) => self.add(|| format!("{command}: refused, {rejection}")),
            Ok(decision) if decision.duplicate => self.add(|| format!("{command}: heard before")),
            Ok(decision) if decision.events.is_empty() => self.add(|| format!("{command}: nothing")),
            Ok(decision) => {
                self.add(|| command.to_owned());
                for event in &decision.events {
                    self.add(|| format!("    {}", line_of(event)));
                }
            }
        }
    }
}

/// A wish in one line.
pub(crate) fn wish(command: &Command) -> String {
    match command {
        Command::RaiseAlert(raised) => {
            let key = raised.key.map_or_else(String::new, |key| format!(" message {}", number(key)));
            let clock = raised.device_time.map_or(0, |time| (time - raised.received_at).0 / 1000);
            let words =
                [("retained", raised.retained), ("test", raised.exercise), ("at risk", raised.at_risk)];
            let words: Vec<&str> = words.iter().filter(|(_, so)| *so).map(|(word, _)| *word).collect();
            format!("{:?} {}{key}, device clock {clock:+} s {}", raised.subject, raised.kind, words.join(" "))
        }
        other @ (Command::Restore { .. }
        | Command::Cancel { .. }
        | Command::ReplacePolicy
        | Command::SetDuty { .. }
        | Command::SetDrillMode { .. }
        | Command::OfferDelivered { .. }
        | Command::OfferSeen { .. }
        | Command::AcceptOffer { .. }
        | Command::DeclineOffer { .. }
        | Command::UpdateAssignment { .. }
        | Command::Operate { .. }
        | Command::SearchWaiting { .. }
        | Command::Tick) => format!("{other:?}"),
    }
}

/// The number of a message of the simulation.
pub(crate) fn number(key: MessageKey) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|place| key.0[place]))
}

/// The key of the message of this number.
pub(crate) fn key(number: u64) -> MessageKey {
    let bytes = number.to_le_bytes();
    MessageKey(std::array::from_fn(|place| bytes.get(place).copied().unwrap_or(0)))
}

fn line_of(event: &Event) -> String {
    let Event::Incident { incident, event } = event else { return format!("{event:?}") };
    if let IncidentEvent::AlertRaised(alert) = event {
        return format!("#{incident} alert {} {} hold {:?}", alert.alert, alert.kind, alert.hold);
    }
    if let IncidentEvent::TimersArmed { timers } = event {
        let timers: Vec<String> =
            timers.iter().map(|(timer, due)| format!("{timer:?} at {}", clock(*due))).collect();
        return format!("#{incident} timers {}", timers.join(", "));
    }
    if let IncidentEvent::WaveSent(wave) = event {
        let asked: Vec<String> = wave
            .chosen
            .iter()
            .map(|chosen| format!("o{} r{} {}", chosen.offer, chosen.responder, chosen.distance))
            .collect();
        let by = wave.operator.as_deref().unwrap_or("policy");
        return format!("#{incident} wave {} by {by}: [{}]", wave.wave, asked.join(", "));
    }
    format!("#{incident} {event:?}")
}

/// Day, hour, minute, second.
fn clock(at: Timestamp) -> String {
    let ms = at.0.saturating_sub(FIRST_DAY.0);
    let (day, ms) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    let seconds = ms / 1000;
    format!("{day}d{:02}:{:02}:{:02}.{:03}", seconds / 3600, seconds / 60 % 60, seconds % 60, ms % 1000)
}
