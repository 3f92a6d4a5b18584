//! Recommend: what an operator is told who asks whom to send.

use dispatch::{Duty, Policy, PolicyFile, Recommendation, Request, recommend};
use model::{
    CoordinateSystem, IncidentId, Kind, OrgUnitCode, Place, Priority, ResponderId, Skill, Skills, Timestamp,
};
use roster::{Idle, Member, Roster, Size};

const NOW: Timestamp = Timestamp(1_790_000_000_000);
const INCIDENT: IncidentId = IncidentId(5);

fn home() -> Place {
    Place::new(33.60, 119.02, CoordinateSystem::Wgs84).expect("on the globe")
}

fn policy() -> Policy {
    let text = include_str!("../../../config/policy.toml");
    let mut file: PolicyFile = toml::from_str(text).expect("a policy");
    file.kinds.get_mut(&Kind::Fall).expect("there").skills = vec![Skill::Lift];
    Policy::new(&file, "").expect("without fault")
}

/// Responder `id` on duty, so many metres away, who can lift.
fn comes(roster: &Roster, id: u32, metres: f64, change: impl FnOnce(&mut Member)) {
    let mut member = Member { skills: Skills::NONE.with(Skill::Lift), ..Member::default() };
    change(&mut member);
    roster.enrol(ResponderId(id), member).expect("there is room");
    roster.report(ResponderId(id), home().offset(metres, 0.0), NOW);
    roster.set_duty(ResponderId(id), Duty::OnDuty);
}

fn request(priority: Priority) -> Request {
    Request {
        incident: INCIDENT,
        at: home(),
        org_unit: OrgUnitCode::new("341181001").ok(),
        kind: Kind::Fall,
        priority,
        excluded: vec![ResponderId(3)],
    }
}

/// Who is recommended and how far away, and who is not and why.
type Told = (Vec<(u32, u32)>, Vec<(u32, &'static str)>);

fn told(recommendation: &Recommendation) -> Told {
    let recommended = recommendation.recommended.iter().map(|one| one.ranked);
    let left_out = recommendation.left_out.iter().map(|one| (one.responder.0, one.reason));
    (recommended.map(|one| (one.responder.0, one.distance.0)).collect(), left_out.collect())
}

#[test]
fn the_best_are_named_and_for_everybody_else_a_reason() {
    let roster = Roster::new(Size::of(64, &[]));
    comes(&roster, 1, 700.0, |_| {});
    comes(&roster, 2, 100.0, |member| member.skills = Skills::NONE);
    comes(&roster, 3, 200.0, |_| {});
    comes(&roster, 4, 300.0, |_| {});
    roster.set_duty(ResponderId(4), Duty::OffDuty);
    comes(&roster, 5, 400.0, |_| {});
    roster.claim(ResponderId(5), IncidentId(9)).expect("free");
    comes(&roster, 6, 500.0, |_| {});
    roster.claim(ResponderId(6), INCIDENT).expect("free");
    comes(&roster, 7, 600.0, |_| {});
    roster.set_idle(ResponderId(7), Idle { since: Some(NOW), job_ended_at: Some(NOW) });
    comes(&roster, 8, 300_000.0, |_| {});
    comes(&roster, 9, 650.0, |member| member.org_unit = OrgUnitCode::new("341182001").ok());

    let recommendation = recommend(&roster, &policy(), &request(Priority::P3), NOW, 10);
    let (recommended, left_out) = told(&recommendation);
    assert_eq!(recommended, [(1, 700)]);
    let reasons = [
        (2, "lacks_skill"),
        (3, "already_asked"),
        (4, "off_duty"),
        (5, "busy"),
        (6, "already_asked"),
        (7, "resting"),
        (9, "out_of_area"),
        (8, "too_far"),
    ];
    assert_eq!(left_out, reasons);

    // When a life is at stake nobody rests, and no border holds anybody back.
    let recommendation = recommend(&roster, &policy(), &request(Priority::P1), NOW, 10);
    assert_eq!(told(&recommendation).0, [(7, 600), (1, 700), (9, 650)]);
    assert_eq!(recommendation.recommended[2].uncovers, OrgUnitCode::new("341182001").ok());
    assert_eq!(recommendation.recommended[0].uncovers, None);
}
