//! Recommending: whom would policy send to this incident, and why not the others?

use dispatch::{NotRecommended, Recommended, Request, recommend};
use model::{IncidentId, Kind, Millis, OrgUnitCode, Priority, ResponderId};
use wire::{
    FromWire as _, Name, place_from_record, time_to_wire,
    v1::{self, AssignmentState, OfferState},
};

use super::App;

/// What to ask for an incident as the board shows it; `None` when nobody knows where it is.
pub(super) fn wanted(id: IncidentId, incident: &v1::Incident) -> Option<Request> {
    let declined = incident.offers.iter().filter(|offer| offer.state() == OfferState::Declined);
    let gave_up = incident.assignments.iter().filter(|going| going.state() == AssignmentState::Aborted);
    let names = declined.map(|offer| &offer.responder).chain(gave_up.map(|going| &going.responder));
    let excluded: Vec<ResponderId> =
        names.filter_map(|name| Name::responder("responder", name).ok()).collect();
    Some(Request {
        incident: id,
        at: incident.place.as_ref().and_then(place_from_record)?,
        org_unit: OrgUnitCode::new(&incident.org_unit).ok(),
        kind: Kind::read("kind", incident.kind).ok()?,
        priority: Priority::read("priority", incident.priority).ok()?,
        excluded,
    })
}

/// Looks through the whole roster: a few milliseconds for a hundred thousand, so not where a socket waits for it.
pub(super) fn response(app: &App, wanted: &Request, limit: usize) -> v1::RecommendRespondersResponse {
    let policy = app.policies.current();
    let found = recommend(&app.roster, &policy, wanted, app.clock.now(), limit);
    v1::RecommendRespondersResponse {
        responders: found.recommended.iter().map(recommended).collect(),
        left_out: found.left_out.iter().map(left_out).collect(),
        policy_version: policy.version().to_owned(),
    }
}

fn recommended(one: &Recommended) -> v1::RecommendedResponder {
    let ranked = one.ranked;
    v1::RecommendedResponder {
        responder: Name::Responder(ranked.responder).to_string(),
        distance_metres: ranked.distance.0,
        eta_seconds: seconds(ranked.eta),
        cost_seconds: seconds(ranked.cost),
        from_station: ranked.from_station,
        idle_since: ranked.idle_since.map(time_to_wire),
        uncovers: one.uncovers.map(|town| town.to_string()).unwrap_or_default(),
    }
}

fn left_out(one: &NotRecommended) -> v1::NotRecommendedResponder {
    v1::NotRecommendedResponder {
        responder: Name::Responder(one.responder).to_string(),
        distance_metres: one.distance.map(|distance| distance.0),
        reason: one.reason.to_owned(),
    }
}

fn seconds(time: Millis) -> u32 {
    u32::try_from(time.0 / 1000).unwrap_or(u32::MAX)
}
