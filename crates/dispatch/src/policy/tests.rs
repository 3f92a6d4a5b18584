//! What a policy may say, and what is told about one that may not.

use super::*;

const DEFAULT: &str = include_str!("../../../../config/policy.toml");

fn shipped() -> PolicyFile {
    toml::from_str(DEFAULT).expect("it is a policy")
}

fn policy(file: &PolicyFile) -> Policy {
    Policy::new(file, "v1").expect("it has no fault")
}

fn keys(file: &PolicyFile) -> Vec<String> {
    file.faults().into_iter().map(|fault| fault.key).collect()
}

#[test]
fn the_policy_we_ship_has_no_fault() {
    let policy = policy(&shipped());
    assert_eq!(policy.priority_of(Kind::Sos, false), Priority::P1);
    assert_eq!(policy.priority_of(Kind::Inactivity, false), Priority::P2);
    assert_eq!(policy.priority_of(Kind::Inactivity, true), Priority::P1);
    assert_eq!(policy.priority_of(Kind::LowBattery, true), Priority::P4);
}

#[test]
fn all_faults_are_told_at_once() {
    let mut file = shipped();
    file.kinds.remove(&Kind::Gas);
    file.travel_m_per_s.insert(TravelMode::Car, f64::NAN);
    file.asks_per_responder = 11;
    let p1 = file.priorities.get_mut(&Priority::P1).expect("P1 is there");
    p1.offer_lives_s = 0;
    p1.waves[0].size = Some(1000);
    p1.area_cost_s.elsewhere = None;
    p1.escalation.clear();
    let p2 = file.priorities.get_mut(&Priority::P2).expect("P2 is there");
    p2.waves[0].size = Some(2);
    p2.escalation.push(p2.escalation[0]);
    assert_eq!(
        keys(&file),
        [
            "asks_per_responder",
            "travel_m_per_s.car",
            "priorities.P1.offer_lives_s",
            "priorities.P1.area_cost_s",
            "priorities.P1.waves[0].size",
            "priorities.P1.escalation",
            "priorities.P2.waves[0].size",
            "priorities.P2.escalation[3].step",
            "kinds.gas",
        ]
    );
}

#[test]
fn a_kind_may_say_otherwise_than_its_priority_and_is_checked_too() {
    let mut file = shipped();
    let smoke = file.kinds.get_mut(&Kind::Smoke).expect("smoke is there");
    smoke.at.insert(
        Priority::P1,
        Instead { mode: Some(Mode::Broadcast), offer_lives_s: Some(0), ..Instead::default() },
    );
    smoke.responders = 17;
    // The waves of the priority have sizes, which a broadcast has not.
    assert_eq!(
        keys(&file),
        [
            "kinds.smoke.responders",
            "kinds.smoke.at.P1.offer_lives_s",
            "kinds.smoke.at.P1.waves[0].size",
            "kinds.smoke.at.P1.waves[1].size",
            "kinds.smoke.at.P1.waves[2].size",
        ]
    );
    let smoke = file.kinds.get_mut(&Kind::Smoke).expect("smoke is there");
    smoke.responders = 2;
    let all = vec![WaveSize { size: None, reach_min: 10 }];
    smoke.at.insert(
        Priority::P1,
        Instead { mode: Some(Mode::Broadcast), waves: Some(all), ..Instead::default() },
    );
    let policy = policy(&file);
    assert_eq!(policy.responders_for(Kind::Smoke), 2);
    assert_eq!(policy.plan(Kind::Smoke, Priority::P1).waves[0].size, MAX_WAVE);
    assert_eq!(policy.plan(Kind::Sos, Priority::P1).waves[0].size, 3);
}

#[test]
fn smoke_suggests_the_fire_brigade_and_a_fall_the_ambulance() {
    let policy = policy(&shipped());
    let suggests =
        |kind, step| policy.plan(kind, Priority::P1).escalation.iter().any(|rung| rung.step == step);
    assert!(suggests(Kind::Smoke, EscalationStep::Suggest119));
    assert!(suggests(Kind::Fall, EscalationStep::Suggest120));
}

#[test]
fn nobody_arrives_before_the_fastest_and_who_is_too_far_for_them_is_too_far_for_all() {
    let policy = policy(&shipped());
    let far = Metres(4_321);
    for mode in TravelMode::ALL {
        let eta = policy.eta(mode, far);
        assert!(eta >= policy.fastest_eta(far));
        assert!(policy.furthest(eta) >= far);
    }
    assert_eq!(policy.eta(TravelMode::EBike, Metres(1001)), Millis::from_seconds(201));
}
