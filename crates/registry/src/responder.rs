//! Responders: who can be sent, and what can they do?

use model::{Certificates, OrgUnitCode, Place, ProviderId, ResponderId, Skill, Skills, TravelMode};
use serde::{Deserialize, Serialize};

use crate::{Event, Private, RejectionKind, check, draft::Draft};

/// A person who can be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Responder {
    /// Their number, which is also their slot in the roster.
    pub id: ResponderId,
    /// Their number elsewhere.
    pub external_id: Private<Option<String>>,
    /// Their name.
    pub name: Private<String>,
    /// Their phone; empty when not known.
    pub phone: Private<String>,
    /// Whom they work for; `None` for a volunteer or grid worker.
    pub provider: Option<ProviderId>,
    /// Where they belong.
    pub org_unit: OrgUnitCode,
    /// What they can do.
    pub skills: Skills,
    /// Where they start from, when that is not their provider's station; see
    /// [`State::base_of`](crate::State::base_of).
    pub base: Private<Option<Place>>,
    /// How they usually get to a job.
    pub travels: TravelMode,
    /// Until when they may use their skills.
    pub certificates: Certificates,
}

/// A responder to enter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewResponder {
    /// Their number elsewhere, up to [`MAX_EXTERNAL_ID_BYTES`](crate::MAX_EXTERNAL_ID_BYTES), not yet taken.
    pub external_id: Private<Option<String>>,
    /// Their name, up to [`MAX_NAME_CHARS`](crate::MAX_NAME_CHARS) characters.
    pub name: Private<String>,
    /// Their phone, or empty.
    pub phone: Private<String>,
    /// Whom they work for; must be known.
    pub provider: Option<ProviderId>,
    /// Where they belong; must be known.
    pub org_unit: OrgUnitCode,
    /// What they can do.
    pub skills: Skills,
    /// Where they start from, when that is not their provider's station.
    pub base: Private<Option<Place>>,
    /// How they usually get to a job.
    pub travels: TravelMode,
    /// Until when they may use their skills; only for skills they have.
    pub certificates: Certificates,
}

pub(crate) fn create(draft: &mut Draft<'_>, wish: NewResponder) {
    draft.require("responder.external_id", check::external_id(wish.external_id.as_deref()));
    draft.require("responder.name", check::name(&wish.name));
    draft.require("responder.phone", check::phone_if_given(&wish.phone));
    draft.require_org_unit("responder.org_unit", wish.org_unit);
    if let Some(provider) = wish.provider.filter(|provider| !draft.has_provider(*provider)) {
        let reason =
            format!("providers/{provider} is unknown: enter it first, or leave it out for a volunteer");
        draft.refuse(RejectionKind::NotFound, "responder.provider", reason);
    }
    let unknown_skills = wish.skills.bits() != wish.skills.iter().collect::<Skills>().bits();
    if unknown_skills {
        draft.refuse(RejectionKind::Invalid, "responder.skills", "holds a skill nobody knows: leave it out");
    }
    let without_skill = |skill: &Skill| {
        wish.certificates.expiry(*skill).is_some() && !wish.skills.covers(Skills::NONE.with(*skill))
    };
    if let Some(skill) = Skill::ALL.into_iter().find(without_skill) {
        let reason = format!("has one for {}, which is not among the skills: add the skill", skill.as_str());
        draft.refuse(RejectionKind::Invalid, "responder.certificates", reason);
    }
    if let Some(known) = wish.external_id.as_deref().and_then(|id| draft.responder_known_as(id)) {
        let in_state = draft.before().responder(known).is_some();
        return draft.refuse_known("responder.external_id", format_args!("responders/{known}"), in_state);
    }
    draft.make(Event::ResponderCreated(Responder {
        id: draft.next_responder(),
        external_id: wish.external_id,
        name: wish.name,
        phone: wish.phone,
        provider: wish.provider,
        org_unit: wish.org_unit,
        skills: wish.skills,
        base: wish.base,
        travels: wish.travels,
        certificates: wish.certificates,
    }));
}
