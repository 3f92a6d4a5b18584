//! Rules: the policies that are in force in simulated worlds, as written and as the core reads them.

use std::sync::OnceLock;

use dispatch::{Policy, PolicyFile};
use model::{Kind, Priority, Skill};

/// One policy.
#[derive(Debug)]
pub struct Rules {
    /// As written, for the reference model.
    pub file: PolicyFile,
    /// As the core works with it.
    pub policy: Policy,
}

/// How many policies there are; a world may go from any to any other while it runs.
pub const POLICIES: usize = 3;

/// The policy of this number: 0 is the one that is shipped.
///
/// # Panics
/// When the policy that is shipped has a fault, which its own tests find first.
#[must_use]
pub fn rules(number: usize) -> &'static Rules {
    static ALL: OnceLock<Vec<Rules>> = OnceLock::new();
    &ALL.get_or_init(|| vec![made("shipped", |_| {}), made("skills", skills), made("hasty", hasty)])[number]
}

fn made(version: &str, change: impl FnOnce(&mut PolicyFile)) -> Rules {
    let mut file: PolicyFile =
        toml::from_str(include_str!("../../../config/policy.toml")).expect("the shipped policy is one");
    change(&mut file);
    let policy = Policy::new(&file, version).expect("a policy of the simulation has no fault");
    Rules { file, policy }
}

/// Kinds ask for skills and for two responders.
fn skills(file: &mut PolicyFile) {
    for (kind, skills, responders) in [
        (Kind::Fall, vec![Skill::Lift], 2),
        (Kind::Smoke, vec![Skill::FireSafety], 1),
        (Kind::VitalCritical, vec![Skill::Nursing, Skill::FirstAid], 1),
        (Kind::BedExit, vec![Skill::Nursing], 1),
        (Kind::VitalAbnormal, vec![], 2),
    ] {
        if let Some(kind) = file.kinds.get_mut(&kind) {
            (kind.skills, kind.responders) = (skills, responders);
        }
    }
}

/// Other times, other priorities.
fn hasty(file: &mut PolicyFile) {
    file.join_window_s = 600;
    file.search_again_s = 10;
    file.close_after_s = 120;
    file.asks_per_responder = 1;
    for (kind, priority) in
        [(Kind::Fall, Priority::P2), (Kind::DoorOpen, Priority::P1), (Kind::Tamper, Priority::P2)]
    {
        if let Some(kind) = file.kinds.get_mut(&kind) {
            kind.priority = priority;
        }
    }
    if let Some(urgent) = file.priorities.get_mut(&Priority::P1) {
        urgent.waves.truncate(1);
        urgent.not_moving_after_s = 0;
    }
    if let Some(welfare) = file.priorities.get_mut(&Priority::P2) {
        welfare.call_back_s = 15;
        welfare.last_of_town_cost_s = 0;
    }
}
