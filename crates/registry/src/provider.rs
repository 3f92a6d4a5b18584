//! Providers: which organisations send people, and from where?

use model::{OrgUnitCode, Place, ProviderId};
use serde::{Deserialize, Serialize};

use crate::{Event, Private, check, draft::Draft};

/// An organisation that provides care.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// Its number.
    pub id: ProviderId,
    /// Its number elsewhere.
    pub external_id: Private<Option<String>>,
    /// Its name.
    pub name: Private<String>,
    /// Its phone; empty when not known.
    pub phone: Private<String>,
    /// Where it belongs.
    pub org_unit: OrgUnitCode,
    /// The station its people start from.
    pub station: Option<Place>,
}

/// A provider to enter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewProvider {
    /// Its number elsewhere, up to [`MAX_EXTERNAL_ID_BYTES`](crate::MAX_EXTERNAL_ID_BYTES), not yet taken.
    pub external_id: Private<Option<String>>,
    /// Its name, up to [`MAX_NAME_CHARS`](crate::MAX_NAME_CHARS) characters.
    pub name: Private<String>,
    /// Its phone, or empty.
    pub phone: Private<String>,
    /// Where it belongs; must be known.
    pub org_unit: OrgUnitCode,
    /// The station its people start from.
    pub station: Option<Place>,
}

pub(crate) fn create(draft: &mut Draft<'_>, wish: NewProvider) {
    draft.require("provider.external_id", check::external_id(wish.external_id.as_deref()));
    draft.require("provider.name", check::name(&wish.name));
    draft.require("provider.phone", check::phone_if_given(&wish.phone));
    draft.require_org_unit("provider.org_unit", wish.org_unit);
    if let Some(known) = wish.external_id.as_deref().and_then(|id| draft.provider_known_as(id)) {
        let in_state = draft.before().provider(known).is_some();
        return draft.refuse_known("provider.external_id", format_args!("providers/{known}"), in_state);
    }
    draft.make(Event::ProviderCreated(Provider {
        id: draft.next_provider(),
        external_id: wish.external_id,
        name: wish.name,
        phone: wish.phone,
        org_unit: wish.org_unit,
        station: wish.station,
    }));
}
