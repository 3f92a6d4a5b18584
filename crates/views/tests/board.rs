//! The board and the notices, folded from what the real dispatch decides.

use dispatch::{
    AssignmentState, AssignmentStep, Command, Disposition, Duty, Event, IncidentEvent, Opened, Operation,
    Policy, RaiseAlert, State, Subject, decide, follow,
};
use model::{
    CoordinateSystem, DeviceId, ElderId, IncidentId, Kind, Metres, OfferId, OrgUnitCode, Place, Priority,
    ResponderId, Timestamp,
};
use registry::{Elder, Gender};
use roster::{Member, Roster, Size};
use views::{Board, Change, Directory};
use wire::v1::{self, watch_offers_response};

/// A county of one elder and two responders, and everything folded from it.
struct County {
    state: State,
    roster: Roster,
    policy: Policy,
    board: Board,
    directory: Directory,
    sequence: u64,
    now: i64,
}

fn home() -> Place {
    Place::new(32.7, 119.0, CoordinateSystem::Wgs84).expect("on the globe")
}

impl County {
    fn new() -> Self {
        let roster = Roster::new(Size { responders: 8, cell: Metres(512) });
        let directory = Directory::default();
        directory.fold(&registry::Event::ElderCreated(Elder {
            id: ElderId(7),
            external_id: None.into(),
            name: "王桂英".into(),
            birth_date: None.into(),
            gender: Gender::Female,
            phone: "0550-7000001".into(),
            address: "幸福路 1 号".into(),
            place: Some(home()).into(),
            org_unit: OrgUnitCode::new("999901").expect("a code"),
            categories: Vec::new(),
            contacts: Vec::new(),
            medical_notes: "高血压".into(),
            entry_notes: "".into(),
        }));
        let policy = toml::from_str(include_str!("../../../config/policy.toml")).expect("a policy");
        let mut county = Self {
            state: State::default(),
            roster,
            policy,
            board: Board::default(),
            directory,
            sequence: 0,
            now: 0,
        };
        for number in 0..2 {
            let responder = ResponderId(number);
            let base = Some(home().offset(500.0 * f64::from(number + 1), 0.0));
            let member = Member { skills: model::Skills::NONE, base };
            county.roster.enrol(responder, member).expect("room");
            county.does(Command::SetDuty { responder, duty: Duty::OnDuty });
        }
        county
    }

    fn does(&mut self, command: Command) -> Vec<Event> {
        self.now += 1000;
        let now = Timestamp(self.now);
        let decision = decide(&self.state, &self.roster, &self.policy, now, command).expect("granted");
        for event in &decision.events {
            self.state.evolve(now, event);
            follow(&self.roster, event);
        }
        self.sequence += 1;
        let events = &decision.events;
        self.board.fold(Change { sequence: self.sequence, at: now, durable_at: Some(now), events });
        decision.events
    }

    fn presses(&mut self, id: &str) -> Vec<Event> {
        self.does(Command::RaiseAlert(Box::new(RaiseAlert {
            subject: Subject::Elder(ElderId(7)),
            home: Some(home()),
            org_unit: None,
            at_risk: false,
            key: None,
            device: DeviceId::new("wrist-1").ok(),
            kind: Kind::Sos,
            source_id: Some(id.to_owned()),
            topic: "anhu/v1/wrist-1/alert".to_owned(),
            device_time: None,
            received_at: Timestamp(self.now),
            place: None,
            detail: String::new(),
            raw: Some(vec![1; 64]),
            retained: false,
            exercise: false,
        })))
    }

    fn incident(&self) -> v1::Incident {
        v1::Incident::clone(&self.board.get(IncidentId(1)).expect("the incident"))
    }
}

#[test]
fn an_offer_hides_the_person_and_an_assignment_shows_them_until_cleared() {
    let mut county = County::new();
    let (incident, responder) = (IncidentId(1), ResponderId(0));
    let events = county.presses("a");
    let notices = views::notices(&county.board, &county.directory, &events);
    assert_eq!(notices.len(), 2);
    let offer = format!("{:?}", notices[0].change);
    assert!(!offer.contains("王桂英") && !offer.contains("幸福路") && !offer.contains("elders/7"), "{offer}");

    let events = county.does(Command::AcceptOffer { responder, offer: OfferId(1) });
    let notices = views::notices(&county.board, &county.directory, &events);
    let shown = notices.iter().find_map(|notice| {
        let watch_offers_response::Change::Assignment(shown) = &notice.change else { return None };
        Some(shown.clone())
    });
    let shown = shown.expect("an assignment");
    assert_eq!((shown.elder_name.as_str(), shown.address.as_str()), ("王桂英", "幸福路 1 号"));
    let loser = notices.iter().find(|notice| notice.responder == ResponderId(1)).expect("the loser is told");
    let watch_offers_response::Change::Offer(lost) = &loser.change else { panic!("an offer: {loser:?}") };
    assert_eq!(lost.state(), v1::OfferState::Withdrawn);

    let step = AssignmentStep::Reach(AssignmentState::Cleared);
    county.does(Command::UpdateAssignment { responder, incident, step });
    let after = views::assignment_notice(&county.incident(), responder, &county.directory).expect("it was");
    assert!(after.elder_name.is_empty() && after.address.is_empty() && after.place.is_none());
    assert!(views::live_notices(&county.incident(), responder, &county.directory).is_empty());
}

#[test]
fn a_button_that_is_stuck_does_not_fill_the_memory() {
    let mut county = County::new();
    for press in 0..500 {
        county.presses(&press.to_string());
    }
    let incident = county.incident();
    assert_eq!(incident.alert_count, 500);
    assert!(incident.alerts.len() <= 50 && incident.timeline.len() <= 300);
    assert_eq!(incident.alerts[0].source_id, "0", "how it began stays visible");
    assert_eq!(incident.alerts.last().expect("an alert").source_id, "499");
    assert_eq!(incident.alerts.iter().filter(|alert| !alert.raw.is_empty()).count(), 4);
}

#[test]
fn a_restored_board_shows_the_same() {
    let mut county = County::new();
    county.presses("a");
    let restored = Board::restore(&county.board.snapshot()).expect("a snapshot");
    assert_eq!(restored.get(IncidentId(1)), county.board.get(IncidentId(1)));
    assert_eq!(restored.open_count(), 1);
    assert!(restored.incident_of(ResponderId(0)).is_some(), "who was asked is still found");
    assert!(Board::restore(b"\xff\xff").is_none());
}

#[test]
fn pages_go_from_the_newest_to_the_oldest_and_closing_takes_an_incident_off_the_open_ones() {
    let mut county = County::new();
    county.presses("a");
    let operate =
        |operation| Command::Operate { incident: IncidentId(1), operator: "li".to_owned(), operation };
    let disposition = Disposition::Served;
    county.does(operate(Operation::Resolve { disposition, note: String::new() }));
    county.presses("b");
    let names = |page: Vec<std::sync::Arc<v1::Incident>>| {
        page.iter().map(|incident| incident.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(county.board.page(None, 10, |_| true)), ["incidents/2", "incidents/1"]);
    assert_eq!(names(county.board.page(Some(IncidentId(2)), 10, |_| true)), ["incidents/1"]);
    county.does(operate(Operation::Close));
    assert_eq!(county.board.open_count(), 1);
    assert_eq!(names(county.board.open()), ["incidents/2"]);
    assert_eq!(county.incident().state(), v1::IncidentState::Closed);
    assert!(county.incident().next_deadline.is_none());
}

#[test]
fn what_the_disk_refused_is_shown_and_marked() {
    let mut county = County::new();
    let events = county.presses("a");
    let at = Timestamp(county.now);
    let board = Board::default();
    board.fold(Change { sequence: 1, at, durable_at: None, events: &events });
    let incident = board.get(IncidentId(1)).expect("it is shown");
    assert!(incident.degraded && incident.durable_at.is_none());
}

#[test]
fn a_case_that_was_open_for_weeks_is_still_shown_when_it_closes() {
    let board = Board::default();
    let mut sequence = 0;
    let mut fold = |incident: u64, event: IncidentEvent| {
        sequence += 1;
        let events = [Event::Incident { incident: IncidentId(incident), event }];
        let at = Timestamp(sequence);
        board.fold(Change { sequence: sequence as u64, at, durable_at: Some(at), events: &events })
    };
    let opened = IncidentEvent::Opened(Opened {
        subject: Subject::Topic("t".to_owned()),
        kind: Kind::LowBattery,
        priority: Priority::P4,
        place: None,
        org_unit: None,
        exercise: false,
        hold: None,
    });
    let closed = IncidentEvent::Closed { operator: None };
    fold(1, opened.clone());
    for incident in 2..=20_001 {
        fold(incident, opened.clone());
        fold(incident, closed.clone());
    }
    let told = fold(1, closed);
    assert_eq!(told.len(), 1, "the consoles hear that it is closed");
    assert_eq!(told[0].state(), v1::IncidentState::Closed);
    assert!(board.get(IncidentId(2)).is_none(), "the first that closed goes first");
}
