//! Candidates: who could go, who would be there first, and why not the others?
//!
//! The roster finds those who are free, have the skills and are near along the straight line. Here they are ranked by what
//! counts: the estimated time of arrival by their own way of travelling, and what it costs to take them from where they
//! belong. Nobody who is not looked at could be ranked higher, because nobody travels faster than the fastest.

use model::{Metres, Millis, OrgUnitCode, Place, ResponderId, Skills, Timestamp};
use roster::{Candidate, Located, Query, Roster, Tally};

use crate::{event::LeftOut, incident::Incident, plan::Plan, policy::Policy};

/// Most candidates looked at for one search. In a crowd denser than that, those within a few seconds of each other may be
/// ranked by their distance alone.
const MOST_LOOKED_AT: usize = 1024;

/// Everybody there is, by the rules of the moment.
#[derive(Clone, Copy)]
pub(crate) struct Outlook<'a> {
    pub(crate) roster: &'a Roster,
    pub(crate) policy: &'a Policy,
    pub(crate) now: Timestamp,
}

/// What an incident looks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) at: Place,
    pub(crate) org_unit: Option<OrgUnitCode>,
    pub(crate) skills: Skills,
    pub(crate) plan: &'a Plan,
    /// Nobody of these.
    pub(crate) excluded: &'a [ResponderId],
}

/// Somebody who can go, as ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ranked {
    /// Who.
    pub responder: ResponderId,
    /// How far along the straight line.
    pub distance: Metres,
    /// Estimated time of arrival.
    pub eta: Millis,
    /// What they are ranked by: the time of arrival and what it costs to take them from where they belong.
    pub cost: Millis,
    /// Ranked from the station's place, because no fresh position is known.
    pub from_station: bool,
    /// Without a job since.
    pub idle_since: Option<Timestamp>,
}

/// Those who can go, and how many cannot.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Ranking {
    /// The best first.
    pub(crate) ranked: Vec<Ranked>,
    pub(crate) looked_at: LookedAt,
}

/// How many were looked at, and left out for which reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LookedAt {
    pub(crate) considered: u32,
    lacks_skill: u32,
    too_far: u32,
    already_asked: u32,
    certificate_expired: u32,
    resting: u32,
    out_of_area: u32,
    /// Free, and not looked at: further away than the reach, without the skills, or nobody knows where.
    elsewhere: u32,
    /// When the first of those who rest has rested.
    rested_at: Option<Timestamp>,
}

/// Why somebody the roster holds for a candidate is none for this incident. In the order in which it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    CertificateExpired,
    Resting {
        until: Timestamp,
    },
    OutOfArea,
    TooFar,
    /// The registry does not know them any more.
    Unknown,
}

impl Unfit {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::CertificateExpired => "certificate_expired",
            Self::Resting { .. } => "resting",
            Self::OutOfArea => "out_of_area",
            Self::TooFar => "too_far",
            Self::Unknown => "unknown",
        }
    }
}

impl<'a> Outlook<'a> {
    /// What `incident` looks for; `None` when nobody knows where.
    pub(crate) fn wanted_by(self, incident: &Incident, excluded: &'a [ResponderId]) -> Option<Wanted<'a>> {
        let plan = self.policy.plan(incident.kind, incident.priority);
        let skills = self.policy.skills_for(incident.kind);
        incident.place.map(|at| Wanted { at, org_unit: incident.org_unit, skills, plan, excluded })
    }

    /// Returns the best `number` of those who can be there within `reach`, ranked by cost, then by longest idle, then by
    /// id.
    pub(crate) fn rank(self, wanted: &Wanted<'_>, reach: Millis, number: usize) -> Ranking {
        let mut near = Vec::new();
        let mut limit = (2 * number + 6).min(MOST_LOOKED_AT);
        loop {
            let query = Query {
                at: wanted.at,
                reach: self.policy.furthest(reach),
                skills: wanted.skills,
                limit,
                excluded: wanted.excluded,
            };
            let tally = self.roster.nearest(&query, &mut near);
            let mut ranking = self.judge(wanted, reach, &near, tally);
            ranking.ranked.sort_unstable_by_key(|one| (one.cost, one.idle_since, one.responder));
            let nobody_beyond = near.len() < limit || limit == MOST_LOOKED_AT;
            // Whoever was not looked at is no nearer than the last one who was.
            let soonest_beyond = near.last().map_or(Millis(0), |last| self.policy.fastest_eta(last.distance));
            let enough = number.checked_sub(1).and_then(|last| ranking.ranked.get(last));
            if nobody_beyond || enough.is_some_and(|last| last.cost < soonest_beyond) {
                ranking.ranked.truncate(number);
                return ranking;
            }
            limit = (limit * 4).min(MOST_LOOKED_AT);
        }
    }

    fn judge(self, wanted: &Wanted<'_>, reach: Millis, near: &[Candidate], tally: Tally) -> Ranking {
        let mut looked_at = LookedAt {
            considered: tally.considered,
            lacks_skill: tally.lacks_skill,
            too_far: tally.too_far,
            already_asked: tally.excluded,
            ..LookedAt::default()
        };
        let mut ranked = Vec::with_capacity(near.len());
        for candidate in near {
            match self.fit(wanted, reach, candidate) {
                Ok(fit) => ranked.push(fit),
                Err(unfit) => looked_at.leave_out(unfit),
            }
        }
        Ranking { ranked, looked_at }
    }

    /// Whether one of those the roster found can go, and how they rank.
    pub(crate) fn fit(
        self,
        wanted: &Wanted<'_>,
        reach: Millis,
        candidate: &Candidate,
    ) -> Result<Ranked, Unfit> {
        let plan = wanted.plan;
        let member = self.roster.member(candidate.responder).ok_or(Unfit::Unknown)?;
        let today = self.roster.calendar(self.now);
        if member.certificates.expired(wanted.skills, today) != Skills::NONE {
            return Err(Unfit::CertificateExpired);
        }
        let idle = self.roster.idle(candidate.responder);
        if let Some(ended) = idle.job_ended_at {
            let until = ended + plan.rest_after_job;
            if self.now < until {
                return Err(Unfit::Resting { until });
            }
        }
        let area = plan.area_cost(wanted.org_unit, member.org_unit).ok_or(Unfit::OutOfArea)?;
        let eta = self.policy.eta(member.travels, candidate.distance);
        if eta > reach {
            return Err(Unfit::TooFar);
        }
        let town = member.org_unit.and_then(OrgUnitCode::town);
        let is_last = |town| self.roster.free_in(town) <= 1;
        let spares_last = plan.last_of_town_cost > Millis(0);
        let coverage =
            if spares_last && town.is_some_and(is_last) { plan.last_of_town_cost } else { Millis(0) };
        Ok(Ranked {
            responder: candidate.responder,
            distance: candidate.distance,
            eta,
            cost: Millis(eta.0 + area.0 + coverage.0),
            from_station: candidate.located == Located::Base,
            idle_since: idle.since,
        })
    }

    /// Somebody as a candidate for a place, wherever they are; `None` when that is not known.
    pub(crate) fn candidate(self, responder: ResponderId, at: Place) -> Option<Candidate> {
        let (place, located) = self.roster.whereabouts(responder)?;
        Some(Candidate { distance: place.distance(at), responder, located })
    }

    /// The town that has nobody free any more, now that `responder` has been claimed.
    pub(crate) fn uncovered_without(self, responder: ResponderId) -> Option<OrgUnitCode> {
        let town = self.roster.member(responder)?.org_unit?.town()?;
        (self.roster.free_in(town) == 0).then_some(town)
    }
}

impl LookedAt {
    fn leave_out(&mut self, unfit: Unfit) {
        match unfit {
            Unfit::CertificateExpired => self.certificate_expired += 1,
            Unfit::Resting { until } => {
                self.resting += 1;
                self.rested_at = Some(self.rested_at.map_or(until, |first| first.min(until)));
            }
            Unfit::OutOfArea => self.out_of_area += 1,
            Unfit::TooFar => self.too_far += 1,
            Unfit::Unknown => {}
        }
    }

    /// With all others of those who are `free`.
    pub(crate) fn and_elsewhere(self, free: u32) -> Self {
        Self { elsewhere: free.saturating_sub(self.considered), ..self }
    }

    /// When the first of those who rest has rested.
    pub(crate) fn rested_at(&self) -> Option<Timestamp> {
        self.rested_at
    }

    /// The reasons and how many each, without those that left out nobody.
    pub(crate) fn left_out(&self) -> Vec<LeftOut> {
        reasons(&[
            ("lacks_skill", self.lacks_skill),
            ("certificate_expired", self.certificate_expired),
            ("already_asked", self.already_asked),
            ("resting", self.resting),
            ("out_of_area", self.out_of_area),
            ("too_far", self.too_far),
            ("elsewhere", self.elsewhere),
        ])
    }
}

/// Those reasons that left out anybody.
pub(crate) fn reasons(counts: &[(&str, u32)]) -> Vec<LeftOut> {
    let some = counts.iter().filter(|(_, count)| *count > 0);
    some.map(|(reason, count)| LeftOut { reason: (*reason).to_owned(), count: *count }).collect()
}

#[cfg(test)]
mod tests;
