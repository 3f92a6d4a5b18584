//! Explain: why was this one asked, and why not that one?
//!
//! For people who look back at a choice. It goes through every responder, so it is not for the path of an alert.

use model::{Metres, ResponderId};

use crate::{Availability, Located, Query, Roster, point::Aim};

/// Why somebody cannot be asked. When several hold, the first in this order is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeftOut {
    /// Not at work.
    OffDuty,
    /// At work and resting.
    OnBreak,
    /// Claimed for an incident, be it this one.
    Busy,
    /// Excluded by the query.
    Excluded,
    /// Without a skill that is needed.
    LacksSkill,
    /// Never had a fix, and has no base.
    NoFix,
    /// The fix is too old, and there is no base.
    StaleFix,
    /// Beyond the reach.
    TooFar,
}

impl LeftOut {
    /// The word for this on the wire and in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OffDuty => "off_duty",
            Self::OnBreak => "on_break",
            Self::Busy => "busy",
            Self::Excluded => "excluded",
            Self::LacksSkill => "lacks_skill",
            Self::NoFix => "no_fix",
            Self::StaleFix => "stale_fix",
            Self::TooFar => "too_far",
        }
    }
}

/// One responder in the light of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Explained {
    /// Who.
    pub responder: ResponderId,
    /// How far away, by [`model::Place::distance`], and how that is known; `None` when it is not.
    pub whereabouts: Option<(Metres, Located)>,
    /// Why not, or `None` for a candidate.
    pub left_out: Option<LeftOut>,
}

/// Puts everybody in the light of `query` into `explained`, see [`Roster::explain`].
pub(crate) fn explain(roster: &Roster, query: &Query<'_>, explained: &mut Vec<Explained>) {
    explained.clear();
    let aim = Aim::new(query.at);
    for responder in (0..roster.capacity()).map(ResponderId) {
        explained.extend(explain_one(roster, query, &aim, responder));
    }
    let nearness =
        |one: &Explained| (one.whereabouts.map_or(u64::MAX, |(metres, _)| metres.0.into()), one.responder);
    if explained.len() > query.limit {
        if query.limit > 0 {
            explained.select_nth_unstable_by_key(query.limit - 1, nearness);
        }
        explained.truncate(query.limit);
    }
    explained.sort_unstable_by_key(nearness);
}

/// `None` for somebody who is not enrolled.
pub(crate) fn explain_one(
    roster: &Roster,
    query: &Query<'_>,
    aim: &Aim,
    responder: ResponderId,
) -> Option<Explained> {
    let slot = roster.slot(responder)?;
    let located = slot.located(roster.stale_before());
    let whereabouts = located.map(|(point, located)| (aim.metres(aim.squared(point), point), located));
    let unlocated = || if slot.fix.at().is_some() { LeftOut::StaleFix } else { LeftOut::NoFix };
    let left_out = match slot.word().availability() {
        Availability::Unknown => return None,
        Availability::OffDuty => Some(LeftOut::OffDuty),
        Availability::OnBreak => Some(LeftOut::OnBreak),
        Availability::Claimed(_) => Some(LeftOut::Busy),
        Availability::Available if query.excluded.contains(&responder) => Some(LeftOut::Excluded),
        Availability::Available if !slot.skills().covers(query.skills) => Some(LeftOut::LacksSkill),
        Availability::Available => match whereabouts {
            None => Some(unlocated()),
            Some((distance, _)) => (distance > query.reach).then_some(LeftOut::TooFar),
        },
    };
    Some(Explained { responder, whereabouts, left_out })
}
