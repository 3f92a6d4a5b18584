//! The reference sees what is wrong: decisions that no core should make, and the rule each breaks.

use dispatch::{Chosen, Opened, RaiseAlert};
use model::{AlertId, Metres, OfferId};

use super::*;
use crate::{chance::Chance, people::FIRST_DAY, story};

const ONE: IncidentId = IncidentId(1);
const HELPER: ResponderId = ResponderId(0);

struct World {
    people: People,
    reference: Reference,
}

/// Everybody can do everything, is on duty, and stands at the door of the first elder.
fn world() -> World {
    let mut people = People::few(&mut Chance::new(3));
    let home =
        people.responders.iter().find_map(|responder| responder.member.base).expect("somebody has a station");
    people.elders[0].home = Some(home);
    people.elders[0].at_risk = false;
    for responder in &mut people.responders {
        responder.member.base = Some(home);
        responder.known_fix = None;
        responder.member.certificates = model::Certificates::NONE;
        responder.member.org_unit = None;
    }
    let mut reference = Reference::new(0);
    for responder in &people.responders {
        reference.duty.insert(responder.id, Duty::OnDuty);
    }
    World { people, reference }
}

impl World {
    fn press(&self, kind: Kind) -> RaiseAlert {
        let mut raised = People::alert(&self.people.elders[0], kind, FIRST_DAY);
        raised.key = Some(story::key(1));
        raised
    }

    /// What the core should say to the first alert.
    fn opened(&self, raised: &RaiseAlert, priority: Priority, hold: Option<Hold>) -> Vec<IncidentEvent> {
        let opened = Opened {
            subject: raised.subject.clone(),
            kind: raised.kind,
            priority,
            place: raised.home,
            org_unit: None,
            exercise: false,
            hold,
        };
        let alert = Alert {
            alert: AlertId(1),
            key: raised.key,
            device: raised.device.clone(),
            kind: raised.kind,
            source_id: None,
            topic: String::new(),
            occurred_at: FIRST_DAY,
            device_time: None,
            received_at: FIRST_DAY,
            place: None,
            detail: String::new(),
            raw: None,
            retained: false,
            hold,
        };
        vec![IncidentEvent::Opened(opened), IncidentEvent::AlertRaised(alert)]
    }

    fn notice(&mut self, command: &Command, events: Vec<IncidentEvent>) -> Checked {
        let events = events.into_iter().map(|event| Event::Incident { incident: ONE, event }).collect();
        let decision = Decision { events, incident: Some(ONE), duplicate: false };
        self.reference.notice(FIRST_DAY, &self.people, command, &Ok(decision))
    }

    fn raise(&mut self, raised: &RaiseAlert, priority: Priority, hold: Option<Hold>) -> Checked {
        let events = self.opened(raised, priority, hold);
        self.notice(&Command::RaiseAlert(Box::new(raised.clone())), events)
    }

    fn ask(&mut self, offer: u64, who: ResponderId) -> Checked {
        let chosen = Chosen {
            offer: OfferId(offer),
            responder: who,
            distance: Metres(0),
            eta: Millis(0),
            from_station: true,
            uncovers: None,
        };
        let wave = Wave {
            wave: 1,
            reach: Metres(0),
            considered: 1,
            left_out: Vec::new(),
            chosen: vec![chosen],
            expires_at: FIRST_DAY + Millis(20_000),
            operator: None,
            instead_of: None,
        };
        self.notice(&Command::Tick, vec![IncidentEvent::WaveSent(wave)])
    }

    fn accept(&mut self, offer: u64, who: ResponderId) -> Checked {
        let command = Command::AcceptOffer { responder: who, offer: OfferId(offer) };
        self.notice(&command, vec![IncidentEvent::OfferAccepted { offer: OfferId(offer), responder: who }])
    }
}

fn says(checked: Checked, words: &str) {
    let broken = checked.expect_err("a rule is broken");
    assert!(broken.contains(words), "{broken:?} should say {words:?}");
}

#[test]
fn what_the_rules_ask_for_breaks_none() {
    let mut world = world();
    let raised = world.press(Kind::Sos);
    assert_eq!(world.raise(&raised, Priority::P1, None), Ok(()));
    assert_eq!(world.ask(1, HELPER), Ok(()));
    assert_eq!(world.accept(1, HELPER), Ok(()));
    assert_eq!(world.reference.nothing_is_overdue(FIRST_DAY, false), Ok(()));
}

#[test]
fn an_alert_that_is_swallowed_or_counted_twice_is_seen() {
    let mut world = world();
    let raised = world.press(Kind::Sos);
    says(world.notice(&Command::RaiseAlert(Box::new(raised.clone())), Vec::new()), "was not counted once");
    let mut world = self::world();
    assert_eq!(world.raise(&raised, Priority::P1, None), Ok(()));
    let again = vec![world.opened(&raised, Priority::P1, None).remove(1)];
    says(world.notice(&Command::RaiseAlert(Box::new(raised)), again), "used twice");
}

#[test]
fn a_wrong_priority_or_a_forgotten_hold_is_seen() {
    let raised = world().press(Kind::Sos);
    says(world().raise(&raised, Priority::P2, None), "should be P1");
    let late = RaiseAlert { device_time: Some(FIRST_DAY + Millis(-601_000)), ..raised.clone() };
    says(world().raise(&late, Priority::P1, None), "not Some(Late)");
    let mut world = world();
    assert_eq!(world.raise(&late, Priority::P1, Some(Hold::Late)), Ok(()));
    says(world.ask(1, HELPER), "waits for an operator");
}

#[test]
fn nobody_is_asked_twice_or_off_duty_and_the_second_yes_is_too_many() {
    let mut world = world();
    let raised = world.press(Kind::Sos);
    assert_eq!(world.raise(&raised, Priority::P1, None), Ok(()));
    assert_eq!((world.ask(1, HELPER), world.ask(2, ResponderId(1))), (Ok(()), Ok(())));
    says(world.ask(3, HELPER), "while bound");
    says(world.accept(1, HELPER), "others are still asked");
    says(world.accept(2, ResponderId(1)), "although enough go");
    let mut world = self::world();
    assert_eq!(world.raise(&raised, Priority::P1, None), Ok(()));
    world.reference.duty.insert(HELPER, Duty::OnBreak);
    says(world.ask(1, HELPER), "not on duty");
}

#[test]
fn what_is_not_done_in_time_is_seen() {
    let mut world = world();
    let raised = world.press(Kind::Sos);
    assert_eq!(world.raise(&raised, Priority::P1, None), Ok(()));
    says(world.reference.nothing_is_overdue(FIRST_DAY, false), "should have been asked");
    assert_eq!(world.ask(1, HELPER), Ok(()));
    assert_eq!(world.reference.nothing_is_overdue(FIRST_DAY + Millis(14_999), false), Ok(()));
    says(world.reference.nothing_is_overdue(FIRST_DAY + Millis(15_000), false), "no human was called");
    let step = EscalationStep::RingAll;
    let rings = IncidentEvent::Escalated { step, reason: EscalationReason::NotAcknowledged };
    assert_eq!(world.notice(&Command::Tick, vec![rings]), Ok(()));
    assert_eq!(world.reference.nothing_is_overdue(FIRST_DAY + Millis(59_999), false), Ok(()));
}

#[test]
fn a_wish_that_must_be_refused_is_not_granted() {
    let mut world = world();
    says(world.accept(1, HELPER), "must be refused");
}
