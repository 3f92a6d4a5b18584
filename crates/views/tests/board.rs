//! The board and the notices, folded from what the real dispatch decides.

use dispatch::{
    AssignmentState, AssignmentStep, Command, Disposition, Doubt, Duty, Event, IncidentEvent, Opened,
    Operation, Policy, PolicyFile, RaiseAlert, Service, State, Subject, decide, follow,
};
use model::{
    CoordinateSystem, DeviceId, ElderId, IncidentId, Kind, OfferId, OrgUnitCode, Place, Priority,
    ResponderId, Timestamp,
};
use prost::Message as _;
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
        let roster = Roster::new(Size::of(8, &[]));
        let directory = Directory::default();
        directory.fold(&registry::Event::ElderCreated(Elder {
            id: ElderId(7),
            external_id: None.into(),
            name: "王桂英".into(),
            resident_id: None.into(),
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
        let file: PolicyFile = toml::from_str(include_str!("../../../config/policy.toml")).expect("a policy");
        let policy = Policy::new(&file, "shipped").expect("without fault");
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
            let org_unit = OrgUnitCode::new("999901001").ok();
            let member = Member { base, org_unit, ..Member::default() };
            county.roster.enrol(responder, member).expect("room");
            county.does(Command::SetDuty { responder, duty: Duty::OnDuty });
        }
        county
    }

    fn does(&mut self, command: Command) -> Vec<Event> {
        self.now += 1000;
        self.does_by(self.now, command)
    }

    /// Lets `seconds` pass, with everything that falls due meanwhile.
    fn waits(&mut self, seconds: i64) -> Vec<Event> {
        self.now += seconds * 1000;
        let mut events = Vec::new();
        while let Some(due) = self.state.next_deadline().filter(|due| due.0 <= self.now) {
            events.append(&mut self.does_by(due.0, Command::Tick));
        }
        events
    }

    /// Does `command` and all that is due then, as one record.
    fn does_by(&mut self, now: i64, command: Command) -> Vec<Event> {
        let now = Timestamp(now);
        let mut events = Vec::new();
        let mut next = Some(command);
        while let Some(command) = next {
            let decision = decide(&self.state, &self.roster, &self.policy, now, command).expect("granted");
            for event in &decision.events {
                self.state.evolve(now, event);
                follow(&self.roster, &self.state, event);
            }
            events.extend(decision.events);
            let due = self.state.next_deadline().is_some_and(|due| due <= now);
            next = due.then_some(Command::Tick);
        }
        self.sequence += 1;
        let change = Change { sequence: self.sequence, at: now, durable_at: Some(now), events: &events };
        self.board.fold(change);
        events
    }

    fn operates(&mut self, incident: u64, operator: &str, operation: Operation) -> Vec<Event> {
        let (incident, operator) = (IncidentId(incident), operator.to_owned());
        self.does(Command::Operate { incident, operator, operation })
    }

    /// The timeline of an incident as actions and what they say.
    fn story(&self, incident: u64) -> Vec<(v1::TimelineAction, String)> {
        let incident = self.board.get(IncidentId(incident)).expect("the incident");
        incident
            .timeline
            .iter()
            .map(|step| (step.action(), format!("{}: {}", step.actor, step.detail)))
            .collect()
    }

    fn raises(&mut self, kind: Kind, elder: u64) -> Vec<Event> {
        let received_at = Timestamp(self.now);
        let subject = Subject::Elder(ElderId(elder));
        let alert = RaiseAlert { subject, kind, received_at, ..press("") };
        self.does(Command::RaiseAlert(Box::new(alert)))
    }

    fn presses(&mut self, id: &str) -> Vec<Event> {
        let received_at = Timestamp(self.now);
        self.does(Command::RaiseAlert(Box::new(RaiseAlert { received_at, ..press(id) })))
    }

    fn incident(&self) -> v1::Incident {
        v1::Incident::clone(&self.board.get(IncidentId(1)).expect("the incident"))
    }
}

fn press(id: &str) -> RaiseAlert {
    RaiseAlert {
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
        received_at: Timestamp(0),
        place: None,
        detail: String::new(),
        raw: Some(vec![1; 64]),
        retained: false,
        exercise: false,
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

/// A board as it is written down.
fn written(board: &Board) -> Vec<u8> {
    let (snapshot, mut bytes) = (board.snapshot(), Vec::new());
    let promised = snapshot.bytes();
    snapshot.write(&mut bytes).expect("there is room");
    assert_eq!(bytes.len(), promised);
    bytes
}

#[test]
fn a_board_is_written_down_as_one_message_so_that_others_read_it_and_older_ones_are_read() {
    let mut county = County::new();
    county.presses("a");
    let incidents: Vec<v1::Incident> =
        county.board.open().iter().map(|one| v1::Incident::clone(one)).collect();
    let message = v1::ListIncidentsResponse { incidents, next_page_token: county.board.head().to_string() };
    assert_eq!(written(&county.board), message.encode_to_vec());
    let first_form = v1::ListIncidentsResponse { next_page_token: String::new(), ..message }.encode_to_vec();
    assert_eq!(Board::restore(&first_form).expect("a snapshot").head(), county.incident().revision);
    assert!((1..first_form.len()).all(|end| Board::restore(&first_form[..end]).is_none()), "it was cut");
}

#[test]
fn a_restored_board_shows_the_same() {
    let mut county = County::new();
    county.presses("a");
    let restored = Board::restore(&written(&county.board)).expect("a snapshot");
    assert_eq!(restored.get(IncidentId(1)), county.board.get(IncidentId(1)));
    assert_eq!(restored.open_count(), 1);
    assert!(restored.incident_of(ResponderId(0)).is_some(), "who was asked is still found");
    assert!(Board::restore(b"\xff\xff").is_none());
}

#[test]
fn a_restored_board_knows_the_latest_change_though_it_was_of_no_incident() {
    let county = County::new();
    let events = [Event::DrillModeChanged { on: true }];
    let at = Timestamp(1_790_000_000_000);
    county.board.fold(Change { sequence: 77, at, durable_at: None, events: &events });
    let restored = Board::restore(&written(&county.board)).expect("a snapshot");
    assert_eq!(restored.head(), 77, "who watched until then goes on from there");
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

#[test]
fn every_decision_explains_itself() {
    use v1::TimelineAction::{NobodyFound, OfferSent};
    let mut county = County::new();
    county.presses("a");
    let incident = county.incident();
    let decision = &incident.decisions[0];
    assert_eq!((decision.wave, decision.considered, decision.left_out.len()), (1, 2, 0));
    let chosen: Vec<_> =
        decision.chosen.iter().map(|one| (one.responder.as_str(), one.uncovers.as_str())).collect();
    assert_eq!(chosen, [("responders/0", ""), ("responders/1", "999901001")]);
    assert!(decision.chosen.iter().all(|one| one.from_station && one.eta_seconds > 0));
    let sent: Vec<_> = county.story(1).into_iter().filter(|(action, _)| *action == OfferSent).collect();
    assert!(sent[0].1.ends_with("s, from the station"), "{sent:?}");
    assert!(sent[1].1.ends_with("from the station, the last one free of 999901001"), "{sent:?}");

    county.raises(Kind::Fall, 8);
    let second = county.board.get(IncidentId(2)).expect("the second");
    let left_out: Vec<_> =
        second.decisions[0].left_out.iter().map(|left| (left.reason.as_str(), left.count)).collect();
    assert_eq!(left_out, [("busy", 2)]);
    let nobody = county.story(2).into_iter().find(|(action, _)| *action == NobodyFound).expect("it is told");
    assert!(nobody.1.contains("2 busy"), "{nobody:?}");
}

#[test]
fn who_does_not_come_is_asked_again_and_shown_as_doubted_until_they_do() {
    let mut county = County::new();
    let (incident, responder) = (IncidentId(1), ResponderId(0));
    county.presses("a");
    county.does(Command::AcceptOffer { responder, offer: OfferId(1) });
    let events = county.waits(121);
    let notices = views::notices(&county.board, &county.directory, &events);
    let reminder = notices.iter().find_map(|notice| {
        let watch_offers_response::Change::Reminder(reminder) = &notice.change else { return None };
        Some((notice.responder, reminder.clone()))
    });
    let (asked, reminder) = reminder.expect("a reminder");
    assert_eq!((asked, reminder.doubt()), (responder, v1::Doubt::NotMoving));
    assert_eq!(reminder.assignment.expect("of what").address, "幸福路 1 号");
    assert_eq!(county.incident().assignments[0].doubt(), v1::Doubt::from(Doubt::NotMoving));
    let live = views::live_notices(&county.incident(), responder, &county.directory);
    assert!(matches!(live.last(), Some(watch_offers_response::Change::Reminder(_))), "{live:?}");

    let step = AssignmentStep::Reach(AssignmentState::EnRoute);
    county.does(Command::UpdateAssignment { responder, incident, step });
    assert_eq!(county.incident().assignments[0].doubt(), v1::Doubt::Unspecified);
    let live = views::live_notices(&county.incident(), responder, &county.directory);
    assert!(!live.iter().any(|one| matches!(one, watch_offers_response::Change::Reminder(_))), "{live:?}");
}

#[test]
fn what_operators_do_is_shown_and_told() {
    use v1::TimelineAction as Action;
    let mut county = County::new();
    county.presses("a");
    county.operates(1, "li", Operation::Acknowledge);
    county.operates(1, "zhao", Operation::TakeOver { reason: "接班".to_owned() });
    let (priority, kind, responders) = (Priority::P1, Some(Kind::Fall), Some(2));
    county.operates(1, "zhao", Operation::Triage { priority, kind, responders, reason: "摔倒".to_owned() });
    let handed = Operation::HandOver { service: Service::Ambulance, note: "No 7".to_owned() };
    county.operates(1, "zhao", handed);
    let incident = county.incident();
    assert_eq!((incident.operator.as_str(), incident.responders_needed), ("zhao", 2));
    assert_eq!(incident.kind(), v1::Kind::Fall);
    assert_eq!(incident.handed_over[0].service(), v1::PublicService::Ambulance);
    let told = county.story(1);
    for expected in [
        (Action::TakenOver, "operators/zhao: from operators/li: 接班"),
        (Action::Triaged, "operators/zhao: P1 fall: 摔倒"),
        (Action::RespondersNeeded, "anhu: 2 must go"),
        (Action::HandedOver, "operators/zhao: 120 No 7"),
    ] {
        assert!(told.contains(&(expected.0, expected.1.to_owned())), "{expected:?} in {told:#?}");
    }

    let resolve = Operation::Resolve { disposition: Disposition::Served, note: String::new() };
    county.operates(1, "zhao", resolve);
    county.operates(1, "li", Operation::Reopen { reason: "又来电".to_owned() });
    let incident = county.incident();
    assert_eq!((incident.state(), incident.operator.as_str()), (v1::IncidentState::Acknowledged, "li"));
    assert_eq!(incident.disposition(), v1::Disposition::Unspecified);
    assert!(incident.resolved_at.is_none());
    assert_eq!(county.story(1).last(), Some(&(Action::Reopened, "operators/li: 又来电".to_owned())));
}

#[test]
fn what_was_merged_is_history_and_the_other_one_shows_its_alerts() {
    let mut county = County::new();
    county.raises(Kind::DoorOpen, 8);
    county.raises(Kind::DoorOpen, 9);
    let merge = Operation::Merge { into: IncidentId(2), reason: "同一户".to_owned() };
    county.operates(1, "li", merge);
    let merged = county.incident();
    assert_eq!(merged.state(), v1::IncidentState::Closed);
    assert_eq!(merged.disposition(), v1::Disposition::Duplicate);
    assert_eq!(merged.merged_into, "incidents/2");
    assert!(merged.closed_at.is_some() && county.board.open_count() == 1);
    let other = county.board.get(IncidentId(2)).expect("the other");
    assert_eq!((other.alert_count, other.alerts.len()), (2, 2));
    assert_eq!(other.absorbed, ["incidents/1"]);
    county.raises(Kind::DoorOpen, 8);
    assert_eq!(county.board.get(IncidentId(2)).expect("the other").alert_count, 3, "what follows joins it");
}

#[test]
fn an_elder_who_says_that_all_is_well_cancels_in_the_call_back_and_is_heard_after_it() {
    let mut county = County::new();
    let device = DeviceId::new("wrist-1").expect("a good name");
    let cancel = |elder| {
        let (subject, device) = (Subject::Elder(ElderId(elder)), device.clone());
        Command::Cancel { subject, device, key: None, occurred_at: None }
    };
    county.raises(Kind::BedExit, 8);
    county.does(cancel(8));
    let cancelled = county.incident();
    assert_eq!(cancelled.state(), v1::IncidentState::Cancelled);
    assert_eq!(cancelled.disposition(), v1::Disposition::CancelledByElder);
    assert!(cancelled.cancelled_at.is_some() && cancelled.closed_at.is_none());
    county.raises(Kind::Sos, 9);
    county.does(cancel(9));
    let open = county.board.get(IncidentId(2)).expect("the second");
    assert_eq!(open.state(), v1::IncidentState::New, "too urgent for that");
    let told =
        (v1::TimelineAction::SaidToBeWell, "devices/wrist-1: the elder says that all is well".to_owned());
    assert!(county.story(2).contains(&told), "{:#?}", county.story(2));
}
