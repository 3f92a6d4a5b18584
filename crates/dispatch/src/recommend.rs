//! Recommend: whom would policy send, and why not the others? For an operator who decides.

use model::{IncidentId, Kind, Metres, OrgUnitCode, Place, Priority, ResponderId, Timestamp};
use roster::{Availability, Candidate, Explained, Query, Roster};

use crate::{
    candidates::{Outlook, Ranked, Wanted},
    policy::Policy,
};

/// What an operator asks about: an incident as it stands.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which incident; whoever is bound to it is not called busy with another.
    pub incident: IncidentId,
    /// Where to go.
    pub at: Place,
    /// Where the elder belongs.
    pub org_unit: Option<OrgUnitCode>,
    /// What it is about.
    pub kind: Kind,
    /// How urgent.
    pub priority: Priority,
    /// Who is not asked again, having declined or given up.
    pub excluded: Vec<ResponderId>,
}

/// Whom policy would send.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recommendation {
    /// The best first.
    pub recommended: Vec<Recommended>,
    /// The nearest who cannot be asked, the nearest first.
    pub left_out: Vec<NotRecommended>,
}

/// Somebody who can be sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recommended {
    /// Who, how far and how soon.
    pub ranked: Ranked,
    /// The town that would have nobody free any more.
    pub uncovers: Option<OrgUnitCode>,
}

/// Somebody who cannot be sent, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotRecommended {
    /// Who.
    pub responder: ResponderId,
    /// How far away, when that is known.
    pub distance: Option<Metres>,
    /// One of the domain's reasons, such as `off_duty`.
    pub reason: &'static str,
}

/// Returns the best `limit` who can be sent and the nearest `limit` who cannot, by the rules by which incidents look for
/// somebody themselves, as far as they ever reach.
///
/// For people: goes through every responder, a few milliseconds for 100,000. Changes nothing, takes no lock, and may run
/// on any thread.
#[must_use]
pub fn recommend(
    roster: &Roster,
    policy: &Policy,
    request: &Request,
    now: Timestamp,
    limit: usize,
) -> Recommendation {
    let plan = policy.plan(request.kind, request.priority);
    let wanted = Wanted {
        at: request.at,
        org_unit: request.org_unit,
        skills: policy.skills_for(request.kind),
        plan,
        excluded: &request.excluded,
    };
    let reach = plan.furthest_reach();
    let outlook = Outlook { roster, policy, now };
    let ranking = outlook.rank(&wanted, reach, limit);
    let recommended = ranking.ranked.into_iter().map(|ranked| {
        let town = roster.member(ranked.responder).and_then(|member| member.org_unit?.town());
        Recommended { ranked, uncovers: town.filter(|town| roster.free_in(*town) <= 1) }
    });
    let query = Query {
        at: request.at,
        reach: policy.furthest(reach),
        skills: wanted.skills,
        limit: usize::MAX,
        excluded: &request.excluded,
    };
    let mut everybody = Vec::new();
    roster.explain(&query, &mut everybody);
    let why_not = |one: &Explained| {
        let reason = match (one.left_out, one.whereabouts) {
            (Some(roster::LeftOut::Busy), _) if is_asked_for(roster, one.responder, request.incident) => {
                "already_asked"
            }
            (Some(roster::LeftOut::Excluded), _) => "already_asked",
            (Some(left_out), _) => left_out.as_str(),
            (None, Some((distance, located))) => {
                let candidate = Candidate { distance, responder: one.responder, located };
                outlook.fit(&wanted, reach, &candidate).err()?.as_str()
            }
            (None, None) => return None,
        };
        let distance = one.whereabouts.map(|(distance, _)| distance);
        Some(NotRecommended { responder: one.responder, distance, reason })
    };
    let left_out = everybody.iter().filter_map(why_not).take(limit).collect();
    Recommendation { recommended: recommended.collect(), left_out }
}

fn is_asked_for(roster: &Roster, responder: ResponderId, incident: IncidentId) -> bool {
    roster.availability(responder) == Availability::Claimed(incident)
}
