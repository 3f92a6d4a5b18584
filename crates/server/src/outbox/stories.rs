//! Stories of what is told outside, without any I/O: records in, deliveries and receipts out.

use dispatch::{
    Alert, Chosen, EscalationReason, EscalationStep, Event, IncidentEvent, OfferEnd, Opened, Service,
    Subject, Timer, Wave,
};
use model::{
    AlertId, DeviceId, IncidentId, Kind, Metres, Millis, OfferId, OrgUnitCode, Priority, ResponderId,
    Timestamp,
};
use views::{Board, Change};

use super::{
    delivery::{Delivery, Happened, Key, Subscription, deliveries},
    receipts::{Receipt, Receipts, State, receipts},
};

const INCIDENT: IncidentId = IncidentId(7);
const DAY: Millis = Millis::from_seconds(86_400);

/// A node's records and who listens.
struct Story {
    board: Board,
    subscriptions: Vec<Subscription>,
    sequence: u64,
}

impl Story {
    fn told(events: &[&str]) -> Self {
        let events = events.iter().map(|event| (*event).to_owned()).collect();
        let subscriptions = vec![Subscription { events, org_unit: None }];
        Self { board: Board::default(), subscriptions, sequence: 0 }
    }

    /// One record, decided at `second`: what is owed for it.
    fn record(&mut self, second: i64, events: Vec<IncidentEvent>) -> Vec<(usize, Delivery)> {
        let events = of_incident(events);
        self.sequence += 1;
        let (sequence, at) = (self.sequence, Timestamp(second * 1000));
        self.board.fold(Change { sequence, at, durable_at: Some(at), events: &events });
        self.owed(sequence, at, true, &events)
    }

    fn owed(&self, sequence: u64, at: Timestamp, durable: bool, events: &[Event]) -> Vec<(usize, Delivery)> {
        let incident = self.board.get(INCIDENT).expect("it was opened");
        let each = (0..).zip(events).flat_map(|(index, event)| {
            let happened = Happened { sequence, at, durable, index, event };
            deliveries(happened, &incident, &self.subscriptions, DAY)
        });
        each.collect()
    }

    /// Which of these still have a reason.
    fn standing(&self, owed: &[(usize, Delivery)]) -> Vec<&'static str> {
        let incident = self.board.get(INCIDENT).expect("it was opened");
        let standing = owed.iter().filter(|(_, delivery)| delivery.telling.stands(&incident));
        standing.map(|(_, delivery)| delivery.telling.event()).collect()
    }
}

fn of_incident(events: Vec<IncidentEvent>) -> Vec<Event> {
    events.into_iter().map(|event| Event::Incident { incident: INCIDENT, event }).collect()
}

fn names(owed: &[(usize, Delivery)]) -> Vec<&'static str> {
    owed.iter().map(|(_, delivery)| delivery.telling.event()).collect()
}

fn unit(code: &str) -> OrgUnitCode {
    OrgUnitCode::new(code).expect("a code")
}

fn opened() -> IncidentEvent {
    IncidentEvent::Opened(Opened {
        subject: Subject::Call("call".to_owned()),
        kind: Kind::Fall,
        priority: Priority::P1,
        place: None,
        org_unit: Some(unit("341181001002")),
        exercise: false,
        hold: None,
    })
}

fn drill() -> IncidentEvent {
    let IncidentEvent::Opened(opened) = opened() else { unreachable!() };
    IncidentEvent::Opened(Opened { exercise: true, ..opened })
}

fn alert(number: u64, device: &str) -> IncidentEvent {
    IncidentEvent::AlertRaised(Alert {
        alert: AlertId(number),
        key: None,
        device: Some(DeviceId::new(device).expect("an id")),
        kind: Kind::Fall,
        source_id: Some(format!("press-{number}")),
        topic: "t".to_owned(),
        occurred_at: Timestamp(0),
        device_time: None,
        received_at: Timestamp(0),
        place: None,
        detail: "王桂英 says it hurts".to_owned(),
        raw: None,
        retained: false,
        hold: None,
    })
}

fn wave(offers: &[u64]) -> IncidentEvent {
    let chosen = |offer: &u64| Chosen {
        offer: OfferId(*offer),
        responder: ResponderId(u32::try_from(*offer).expect("small")),
        distance: Metres(400),
        eta: Millis::from_seconds(60),
        from_station: false,
        uncovers: None,
    };
    IncidentEvent::WaveSent(Wave {
        wave: 1,
        reach: Metres(1000),
        considered: 9,
        left_out: Vec::new(),
        chosen: offers.iter().map(chosen).collect(),
        expires_at: Timestamp(20_000),
        operator: None,
        instead_of: None,
    })
}

fn escalated(step: EscalationStep, reason: EscalationReason) -> IncidentEvent {
    IncidentEvent::Escalated { step, reason }
}

fn accepted(offer: u64) -> IncidentEvent {
    let responder = ResponderId(u32::try_from(offer).expect("small"));
    IncidentEvent::OfferAccepted { offer: OfferId(offer), responder }
}

fn acknowledged() -> IncidentEvent {
    IncidentEvent::Acknowledged { operator: "li".to_owned() }
}

fn closed() -> IncidentEvent {
    IncidentEvent::Closed { operator: None }
}

#[test]
fn whoever_subscribed_is_told_of_each_event_in_the_order_of_the_journal() {
    let mut story = Story::told(&["*"]);
    let first = story.record(0, vec![opened(), alert(1, "wrist-1"), wave(&[1, 2])]);
    assert_eq!(names(&first), ["incident.opened", "incident.alert_raised", "offer.made", "offer.made"]);
    let keys: Vec<String> = first.iter().map(|(_, delivery)| delivery.key.text("push")).collect();
    assert_eq!(keys, ["push-1-0-0-0", "push-1-1-0-0", "push-1-2-0-0", "push-1-2-1-0"]);
    assert_eq!(Key::read("push-1-2-1-0", "push"), Some(first[3].1.key));
    let second = story.record(3, vec![accepted(2), closed()]);
    assert_eq!(names(&second), ["offer.accepted", "incident.closed"]);
    assert!(
        first.last().map(|(_, delivery)| delivery.key) < second.first().map(|(_, delivery)| delivery.key)
    );
}

#[test]
fn the_same_record_gives_the_same_keys_and_a_restored_journal_gives_others() {
    let mut story = Story::told(&["*"]);
    let first = story.record(5, vec![opened()]);
    let again = story.owed(1, Timestamp(5000), true, &of_incident(vec![opened()]));
    assert_eq!(first, again);
    let other = story.owed(1, Timestamp(6000), true, &of_incident(vec![opened()]));
    assert_ne!(first[0].1.key, other[0].1.key, "the number was given out a second time for something else");
}

#[test]
fn nobody_is_told_what_they_did_not_subscribe_to_or_of_other_units() {
    let mut story = Story::told(&["incident.opened"]);
    let of = |unit: OrgUnitCode| Subscription { events: vec!["*".to_owned()], org_unit: Some(unit) };
    story.subscriptions.extend([unit("341181"), unit("341181001"), unit("341182")].map(of));
    let owed = story.record(0, vec![opened(), alert(1, "wrist-1")]);
    let told: Vec<_> = owed.iter().map(|(target, delivery)| (*target, delivery.telling.event())).collect();
    let (opened, raised) = ("incident.opened", "incident.alert_raised");
    assert_eq!(told, [(0, opened), (1, opened), (2, opened), (1, raised), (2, raised)]);
}

#[test]
fn an_offer_is_not_pushed_any_more_once_it_is_over() {
    let mut story = Story::told(&["offer.made"]);
    let owed = story.record(0, vec![opened(), wave(&[1, 2, 3])]);
    assert_eq!(story.standing(&owed).len(), 3);
    let end = OfferEnd::Declined("my child is ill".to_owned());
    let (offer, responder) = (OfferId(1), ResponderId(1));
    story.record(2, vec![IncidentEvent::OfferEnded { offer, responder, end }]);
    assert_eq!(story.standing(&owed).len(), 2);
    story.record(4, vec![accepted(2), closed()]);
    assert_eq!(story.standing(&owed), [""; 0], "accepted, and the third is history with its incident");
}

#[test]
fn a_call_to_a_human_stops_when_nobody_needs_to_come_because_of_it() {
    use EscalationReason as Reason;
    use EscalationStep as Step;
    let calls = vec![
        opened(),
        wave(&[1]),
        escalated(Step::RingAll, Reason::NotAcknowledged),
        escalated(Step::Supervisor, Reason::NobodyAccepted),
        escalated(Step::Suggest120, Reason::NobodyAccepted),
        escalated(Step::Family, Reason::Opened),
    ];
    let open = || {
        let mut story = Story::told(&["incident.escalated"]);
        let owed = story.record(0, calls.clone());
        assert_eq!(story.standing(&owed).len(), 4);
        (story, owed)
    };
    let left = |event: IncidentEvent| {
        let (mut story, owed) = open();
        story.record(9, vec![event]);
        story.standing(&owed).len()
    };
    assert_eq!(left(acknowledged()), 3, "the console need not ring");
    assert_eq!(
        left(accepted(1)),
        2,
        "somebody goes: neither the supervisor nor 120 has to be called for that"
    );
    let ambulance = Service::Ambulance;
    let handed =
        IncidentEvent::HandedOver { operator: "li".to_owned(), service: ambulance, note: String::new() };
    assert_eq!(left(handed), 3, "120 is on the way");
    assert_eq!(left(closed()), 0);
}

#[test]
fn news_stays_true_after_the_end() {
    let mut story = Story::told(&["incident.opened", "offer.accepted", "incident.closed"]);
    let mut owed = story.record(0, vec![opened(), wave(&[1])]);
    owed.extend(story.record(5, vec![accepted(1)]));
    owed.extend(story.record(9, vec![closed()]));
    assert_eq!(story.standing(&owed), ["incident.opened", "offer.accepted", "incident.closed"]);
}

#[test]
fn operators_hear_in_time_that_a_call_does_not_get_through() {
    let mut story = Story::told(&["*"]);
    let rung =
        (Timer::Escalate(EscalationStep::Suggest120, EscalationReason::NobodyAccepted), Timestamp(90_000));
    let calls = vec![
        opened(),
        wave(&[1]),
        IncidentEvent::TimersArmed { timers: vec![rung] },
        escalated(EscalationStep::Supervisor, EscalationReason::NobodyAccepted),
        escalated(EscalationStep::RingAll, EscalationReason::NotAcknowledged),
    ];
    let owed = story.record(10, calls);
    let alarms: Vec<_> = owed.iter().map(|(_, delivery)| delivery.alarm_at.map(|at| at.0 / 1000)).collect();
    assert_eq!(
        alarms,
        [None, Some(15), Some(50), None],
        "half-way to the offer's end and to the next rung; a console rings by itself"
    );
    assert_eq!(owed[1].1.useful_until, Timestamp(20_000), "an offer is of no use after its end");
}

#[test]
fn a_drill_is_told_as_one_and_calls_no_public_service() {
    let mut story = Story::told(&["*"]);
    let owed = story.record(
        0,
        vec![
            drill(),
            escalated(EscalationStep::Supervisor, EscalationReason::NobodyAccepted),
            escalated(EscalationStep::Suggest120, EscalationReason::NobodyAccepted),
        ],
    );
    assert_eq!(names(&owed), ["incident.opened", "incident.escalated"]);
    assert!(owed.iter().all(|(_, delivery)| delivery.payload()["data"]["exercise"] == true));
}

#[test]
fn a_payload_says_what_and_where_to_ask_and_nothing_of_the_elder() {
    let mut story = Story::told(&["*"]);
    let owed = story.record(1, vec![opened(), alert(1, "wrist-1"), wave(&[3])]);
    let payloads: Vec<_> = owed.iter().map(|(_, delivery)| delivery.payload()).collect();
    let offer = serde_json::json!({
        "version": 1,
        "type": "offer.made",
        "timestamp": "1970-01-01T00:00:01Z",
        "data": {
            "incident": "incidents/7", "revision": 1, "kind": "fall", "priority": "P1", "org_unit": "341181001002",
            "exercise": false, "degraded": false, "offer_id": 3, "responder": "responders/3", "wave": 1,
            "expires_at": "1970-01-01T00:00:20Z",
        },
    });
    assert_eq!(payloads[2], offer);
    let all = format!("{payloads:?}");
    assert!(!all.contains("王桂英") && !all.contains("hurts"), "{all}");
}

#[test]
fn what_the_disk_refused_is_told_with_a_mark_and_never_receipted() {
    let mut story = Story::told(&["*"]);
    story.record(0, vec![opened(), alert(1, "wrist-1"), wave(&[1])]);
    let events = of_incident(vec![alert(2, "wrist-1"), accepted(1)]);
    let owed = story.owed(2, Timestamp(2000), false, &events);
    assert!(owed.iter().all(|(_, delivery)| delivery.payload()["data"]["degraded"] == true));
    let incident = story.board.get(INCIDENT).expect("it was opened");
    let heard: Vec<State> = events
        .iter()
        .flat_map(|event| receipts(event, false, &incident))
        .map(|(_, receipt)| receipt.state)
        .collect();
    assert_eq!(heard, [State::HelperOnTheWay], "help does come; that we have the alert, nobody can say");
}

/// What of each device a record makes, as `device state alert`.
fn heard(story: &Story, event: IncidentEvent) -> Vec<String> {
    let incident = story.board.get(INCIDENT).expect("it was opened");
    let event = Event::Incident { incident: INCIDENT, event };
    let told = receipts(&event, true, &incident).into_iter();
    told.map(|(device, Receipt { state, alert_id, .. })| format!("{device} {state:?} {alert_id}")).collect()
}

#[test]
fn who_pressed_just_now_hears_that_and_all_who_pressed_hear_what_follows() {
    let mut story = Story::told(&[]);
    story.record(0, vec![opened(), alert(1, "wrist-1"), alert(2, "wall-1"), alert(3, "wrist-1")]);
    assert_eq!(heard(&story, alert(3, "wrist-1")), ["wrist-1 Received press-3"]);
    let both = ["wrist-1 HelperOnTheWay press-3", "wall-1 HelperOnTheWay press-2"];
    assert_eq!(heard(&story, accepted(1)), both);
    assert_eq!(heard(&story, closed()), ["wrist-1 Closed press-3", "wall-1 Closed press-2"]);
}

fn receipt(incident: u64, alert_id: &str, state: State) -> Receipt {
    let incident = IncidentId(incident);
    Receipt { incident, alert_id: alert_id.to_owned(), state, linked: 0, degraded: false }
}

fn waiting(receipts: &mut Receipts, device: &str) -> Vec<(u64, State, String)> {
    let told = receipts.send(device).into_iter();
    told.map(|(_, receipt)| (receipt.incident.0, receipt.state, receipt.alert_id)).collect()
}

#[test]
fn a_device_that_was_away_hears_only_the_latest_of_each_incident() {
    let (mut kept, device) = (Receipts::default(), "wrist-1".into());
    for (incident, state) in [(1, State::Received), (1, State::HelperOnTheWay), (2, State::Received)] {
        kept.push(&device, receipt(incident, "a", state));
    }
    kept.push(&device, receipt(1, "b", State::Received));
    let told = [(2, State::Received, "a".to_owned()), (1, State::HelperOnTheWay, "b".to_owned())];
    assert_eq!(waiting(&mut kept, "wrist-1"), told, "pressing again does not take back that somebody comes");
    assert!(waiting(&mut kept, "wrist-1").is_empty(), "all of it is on its way");
}

#[test]
fn a_receipt_waits_until_the_device_has_it() {
    let (mut kept, device) = (Receipts::default(), "wrist-1".into());
    kept.push(&device, receipt(1, "a", State::Received));
    let number = kept.send("wrist-1")[0].0;
    kept.settle(number, false);
    assert_eq!(kept.send("wrist-1").len(), 1, "nobody was there");
    kept.settle(number, true);
    assert_eq!((kept.len(), kept.send("wrist-1").len()), (0, 0));
    kept.push(&device, receipt(1, "a", State::Received));
    let number = kept.send("wrist-1")[0].0;
    kept.push(&device, receipt(1, "a", State::Closed));
    kept.settle(number, true);
    assert_eq!(
        waiting(&mut kept, "wrist-1"),
        [(1, State::Closed, "a".to_owned())],
        "it has the older one only"
    );
}

#[test]
fn a_receipt_is_not_sent_when_it_is_not_so_any_more() {
    let mut story = Story::told(&[]);
    story.record(0, vec![opened(), alert(1, "wrist-1"), wave(&[1])]);
    let stands = |story: &Story, state: State, second: i64| {
        let incident = story.board.get(INCIDENT).expect("it was opened");
        receipt(7, "a", state).stands(&incident, Timestamp(second * 1000))
    };
    assert!(stands(&story, State::Received, 1) && !stands(&story, State::HelperOnTheWay, 1));
    story.record(2, vec![accepted(1)]);
    assert!(stands(&story, State::HelperOnTheWay, 3));
    let reason = "a flat tyre".to_owned();
    story.record(4, vec![IncidentEvent::AssignmentAborted { responder: ResponderId(1), reason }]);
    assert!(!stands(&story, State::HelperOnTheWay, 5), "nobody comes any more");
    story.record(6, vec![closed()]);
    assert!(stands(&story, State::Closed, 7) && !stands(&story, State::Received, 7));
    assert!(!stands(&story, State::Closed, 100_000), "old news");
}
