//! Compare: what it is worth to assign a batch of incidents together rather than one by one in order of coming.
//!
//! The same worlds both ways: so many people of a town press at the same moment, so many responders are free. Together is
//! what the core does with a batch; one by one, each alert is decided and its search done before the next is heard. Each
//! incident asks one responder, so that what is compared is who is given to whom.

use std::fmt::Write as _;

use dispatch::{Command, Duty, Event, IncidentEvent, Policy, PolicyFile, State, WaveSize, decide, follow};
use model::{
    CoordinateSystem, ElderId, IncidentId, Kind, Metres, Place, Priority, ResponderId, Timestamp, TravelMode,
};
use roster::{Member, Roster, Size};

use crate::{
    chance::Chance,
    people::{Elder, FIRST_DAY, People},
    rules::rules,
};

/// People who press at the same moment.
const BATCHES: [u64; 3] = [5, 20, 100];
/// Responders who are free.
const FREE: [u32; 3] = [30, 100, 300];
/// Worlds for each pair.
const WORLDS: u64 = 200;
/// From the middle of the town to its edge.
const TOWN_METRES: i64 = 3_000;

/// What one way came to in one world.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Result {
    /// How many got somebody.
    pub helped: u64,
    /// Seconds until they were there, all added.
    pub seconds: u64,
}

/// The whole comparison, for people.
#[must_use]
pub fn table() -> String {
    let mut table = format!(
        "Seconds until help arrives, {WORLDS} worlds each; all press at the same moment in a town of {} km.\n\n\
         {:>24}{:^30}{:^30}\n\
         {:>8}{:>8}{:>8}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>7}\n",
        2 * TOWN_METRES / 1000,
        "",
        "one by one",
        "together",
        "pressed",
        "free",
        "",
        "helped",
        "sum",
        "mean",
        "helped",
        "sum",
        "mean",
        "gain",
    );
    for batch in BATCHES {
        for free in FREE {
            let (mut one_by_one, mut together) = (Result::default(), Result::default());
            for seed in 1..=WORLDS {
                one_by_one.add(world(seed, batch, free, false));
                together.add(world(seed, batch, free, true));
            }
            let gain = 100.0 - 100.0 * together.mean() / one_by_one.mean();
            let way = |way: &Result| {
                let each = |sum: u64| sum as f64 / WORLDS as f64;
                format!("{:>10.1}{:>10.0}{:>10.1}", each(way.helped), each(way.seconds), way.mean())
            };
            let (one_by_one, together) = (way(&one_by_one), way(&together));
            let _ = writeln!(table, "{batch:>8}{free:>8}{:>8}{one_by_one}{together}{gain:>6.1}%", "");
        }
    }
    table
}

impl Result {
    fn add(&mut self, other: Self) {
        self.helped += other.helped;
        self.seconds += other.seconds;
    }

    fn mean(&self) -> f64 {
        self.seconds as f64 / self.helped.max(1) as f64
    }
}

/// The policy that is shipped, but that each P1 incident asks one responder within an hour.
fn policy() -> Policy {
    let mut file: PolicyFile = rules(0).file.clone();
    if let Some(urgent) = file.priorities.get_mut(&Priority::P1) {
        urgent.waves = vec![WaveSize { size: Some(1), reach_min: 60 }];
    }
    Policy::new(&file, "one each").expect("the shipped policy with another wave has no fault")
}

/// One town: `batch` people press at the same moment while `free` responders are free.
#[must_use]
pub fn world(seed: u64, batch: u64, free: u32, together: bool) -> Result {
    let mut chance = Chance::new(seed);
    let policy = policy();
    let centre = Place::new(32.78, 117.95, CoordinateSystem::Wgs84).expect("on the globe");
    let mut somewhere = || {
        let mut metres = || chance.between(-TOWN_METRES, TOWN_METRES) as f64;
        centre.offset(metres(), metres())
    };
    let roster = Roster::new(Size { responders: free, cell: Metres(512) });
    let mut town = Town { state: State::default(), roster, policy, helped: Vec::new() };
    for who in (0..free).map(ResponderId) {
        let member = Member { travels: TravelMode::EBike, ..Member::default() };
        // The roster has a slot for each of them.
        let _ = town.roster.enrol(who, member);
        town.roster.report(who, somewhere(), FIRST_DAY);
        town.decide(Command::SetDuty { responder: who, duty: Duty::OnDuty });
    }
    for id in 1..=batch {
        let elder = Elder { id: ElderId(id), home: Some(somewhere()), org_unit: None, at_risk: false };
        let raised = People::alert(&elder, Kind::Sos, FIRST_DAY);
        town.decide(Command::RaiseAlert(Box::new(raised)));
        if !together {
            town.search();
        }
    }
    town.search();
    let helped = town.helped.len() as u64;
    Result { helped, seconds: town.helped.iter().map(|(_, seconds)| seconds).sum() }
}

struct Town {
    state: State,
    roster: Roster,
    policy: Policy,
    helped: Vec<(IncidentId, u64)>,
}

impl Town {
    fn search(&mut self) {
        while self.state.next_deadline().is_some_and(|due: Timestamp| due <= FIRST_DAY) {
            self.decide(Command::Tick);
        }
    }

    fn decide(&mut self, command: Command) {
        // Nothing here is refused.
        let Ok(decision) = decide(&self.state, &self.roster, &self.policy, FIRST_DAY, command) else {
            return;
        };
        for event in decision.events {
            self.state.evolve(FIRST_DAY, &event);
            follow(&self.roster, &self.state, &event);
            if let Event::Incident { incident, event: IncidentEvent::WaveSent(wave) } = event {
                let eta = |chosen: &dispatch::Chosen| (incident, chosen.eta.0.unsigned_abs() / 1000);
                self.helped.extend(wave.chosen.iter().map(eta));
            }
        }
    }
}
