//! Delivery: what is owed to whom, under which key, and what does it say?

use dispatch::Event;
use model::{IncidentId, Kind, Millis, OrgUnitCode, Priority, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wire::{FromWire as _, Name, time_from_wire, v1};

use super::telling::{Telling, tellings};

/// The version of the payload: it rises when a receiver would have to be changed.
const PAYLOAD_VERSION: u32 = 1;
/// How long an escalation has, when no next rung is known.
const RUNG: Millis = Millis::from_seconds(60);

/// By which a receiver knows the same notification when it comes again: the same record of the journal and place within
/// it always gives the same key, also after a crash. The time of the decision is part of it, because a journal that was
/// restored from a backup gives out its numbers again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(crate) sequence: u64,
    /// Which event of the record, and which of the offers it makes.
    pub(crate) index: u32,
    pub(crate) place: u32,
    pub(crate) at: Timestamp,
}

impl Key {
    /// After every other.
    pub(crate) const LAST: Self =
        Self { sequence: u64::MAX, index: u32::MAX, place: u32::MAX, at: Timestamp(i64::MAX) };

    /// As it is shown and sent, for one target.
    pub(crate) fn text(&self, target: &str) -> String {
        let Self { sequence, index, place, at } = self;
        format!("{target}-{sequence}-{index}-{place}-{}", at.0)
    }

    /// Reads what [`Key::text`] wrote.
    pub(crate) fn read(text: &str, target: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(target)?.strip_prefix('-')?.split('-');
        let mut next = || parts.next();
        let key = Self {
            sequence: next()?.parse().ok()?,
            index: next()?.parse().ok()?,
            place: next()?.parse().ok()?,
            at: Timestamp(next()?.parse().ok()?),
        };
        next().is_none().then_some(key)
    }
}

/// One thing to tell one system outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Delivery {
    pub(crate) key: Key,
    pub(crate) incident: IncidentId,
    pub(crate) telling: Telling,
    pub(crate) kind: Option<Kind>,
    pub(crate) priority: Option<Priority>,
    pub(crate) org_unit: Option<OrgUnitCode>,
    pub(crate) exercise: bool,
    /// The disk refused the event: it is told all the same, from memory, and may be told under another key after a
    /// restart, or never have happened.
    pub(crate) degraded: bool,
    /// After that it is of no use to anybody.
    pub(crate) useful_until: Timestamp,
    /// When it has not got through by then, the operators are told, so that they phone while there is time.
    pub(crate) alarm_at: Option<Timestamp>,
}

/// Who wants to be told of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscription {
    /// The names of events, or `*`.
    pub(crate) events: Vec<String>,
    /// Only incidents of this unit and those below it.
    pub(crate) org_unit: Option<OrgUnitCode>,
}

impl Subscription {
    fn wants(&self, telling: &Telling, unit: Option<OrgUnitCode>) -> bool {
        let event = telling.event();
        let inside = self.org_unit.is_none_or(|wanted| {
            std::iter::successors(unit, |unit| unit.parent()).any(|above| above == wanted)
        });
        inside && self.events.iter().any(|name| name == "*" || name == event)
    }
}

/// An event of a record, on its way out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Happened<'a> {
    pub(crate) sequence: u64,
    /// When it was decided.
    pub(crate) at: Timestamp,
    pub(crate) durable: bool,
    /// Which event of the record.
    pub(crate) index: u32,
    pub(crate) event: &'a Event,
}

/// What an event means for each subscription, by its place in the list. `incident` is how its incident is now.
pub(crate) fn deliveries(
    happened: Happened<'_>,
    incident: &v1::Incident,
    subscriptions: &[Subscription],
    give_up_after: Millis,
) -> Vec<(usize, Delivery)> {
    let Happened { sequence, at, durable, index, event } = happened;
    let (Some(id), tellings) = tellings(event) else { return Vec::new() };
    let org_unit = OrgUnitCode::new(&incident.org_unit).ok();
    let mut deliveries = Vec::new();
    for (place, telling) in (0..).zip(tellings) {
        if incident.exercise && !telling.suits_drills() {
            continue;
        }
        for (target, _) in
            subscriptions.iter().enumerate().filter(|(_, wishes)| wishes.wants(&telling, org_unit))
        {
            let (useful_until, alarm_at) = times(&telling, at, incident, give_up_after);
            let delivery = Delivery {
                key: Key { sequence, index, place, at },
                incident: id,
                telling: telling.clone(),
                kind: Kind::from_wire(incident.kind()),
                priority: Priority::from_wire(incident.priority()),
                org_unit,
                exercise: incident.exercise,
                degraded: !durable,
                useful_until,
                alarm_at,
            };
            deliveries.push((target, delivery));
        }
    }
    deliveries
}

/// Until when it is of use, and when the operators are to be told that it did not get through: half-way to the moment at
/// which nobody would come because of it.
fn times(
    telling: &Telling,
    at: Timestamp,
    incident: &v1::Incident,
    give_up_after: Millis,
) -> (Timestamp, Option<Timestamp>) {
    let half_way = |deadline: Timestamp| at + Millis((deadline - at).0 / 2);
    if let Telling::OfferMade { expires_at, .. } = telling {
        return (*expires_at, Some(half_way(*expires_at)));
    }
    let next_rung = incident.next_deadline.as_ref().map(time_from_wire).filter(|next| *next > at);
    let alarm_at = half_way(next_rung.unwrap_or(at + RUNG));
    (at + give_up_after, telling.calls().is_some().then_some(alarm_at))
}

impl Delivery {
    /// What is sent, as JSON. The key and the signature are in the headers.
    pub(crate) fn payload(&self) -> Value {
        let mut data = json!({
            "incident": Name::Incident(self.incident).to_string(),
            "revision": self.key.sequence,
            "kind": self.kind,
            "priority": self.priority,
            "org_unit": self.org_unit.map(|unit| unit.to_string()).unwrap_or_default(),
            "exercise": self.exercise,
            "degraded": self.degraded,
        });
        if let (Some(data), Value::Object(more)) = (data.as_object_mut(), self.details()) {
            data.extend(more);
        }
        json!({
            "version": PAYLOAD_VERSION,
            "type": self.telling.event(),
            "timestamp": written(self.key.at),
            "data": data,
        })
    }

    fn details(&self) -> Value {
        let responder = |id| Name::Responder(id).to_string();
        match &self.telling {
            Telling::AlertRaised { alert } => json!({ "alert_id": alert.0 }),
            Telling::Escalated { step, reason } => json!({ "step": step, "reason": reason }),
            Telling::HandedOver { service } => json!({ "service": service }),
            Telling::Merged { into } => json!({ "into": Name::Incident(*into).to_string() }),
            Telling::OfferMade { offer, responder: who, wave, expires_at } => json!({
                "offer_id": offer.0, "responder": responder(*who), "wave": wave, "expires_at": written(*expires_at),
            }),
            Telling::OfferAccepted { offer, responder: who } => {
                json!({ "offer_id": offer.0, "responder": responder(*who) })
            }
            Telling::OfferEnded { offer, responder: who, how } => {
                json!({ "offer_id": offer.0, "responder": responder(*who), "how": how.as_str() })
            }
            Telling::AssignmentAdvanced { responder: who, state } => {
                json!({ "responder": responder(*who), "state": word_of(*state) })
            }
            Telling::AssignmentAborted { responder: who } => json!({ "responder": responder(*who) }),
            Telling::AssignmentDoubted { responder: who, doubt } => {
                let doubt = match doubt {
                    dispatch::Doubt::NotMoving => "not_moving",
                    dispatch::Doubt::Overdue => "overdue",
                };
                json!({ "responder": responder(*who), "doubt": doubt })
            }
            Telling::Opened
            | Telling::PriorityRaised
            | Telling::Acknowledged
            | Telling::TakenOver
            | Telling::Triaged
            | Telling::Reopened
            | Telling::Cancelled
            | Telling::SaidToBeWell
            | Telling::Resolved
            | Telling::Closed => json!({}),
        }
    }
}

fn word_of(state: dispatch::AssignmentState) -> &'static str {
    match state {
        dispatch::AssignmentState::Assigned => "assigned",
        dispatch::AssignmentState::EnRoute => "en_route",
        dispatch::AssignmentState::OnScene => "on_scene",
        dispatch::AssignmentState::Transporting => "transporting",
        dispatch::AssignmentState::Cleared => "cleared",
        dispatch::AssignmentState::Aborted => "aborted",
    }
}

/// A time as RFC 3339 writes it.
fn written(time: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(time.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}
