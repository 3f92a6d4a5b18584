//! Org units: which county, town and village is a record of?

use model::OrgUnitCode;
use serde::{Deserialize, Serialize};

use crate::{Event, check, draft::Draft};

/// A county, a town or a village. The code says which, and what lies above it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrgUnit {
    /// Its code of GB/T 2260, which is also its id.
    pub code: OrgUnitCode,
    /// Its name, such as 天长市.
    pub name: String,
}

/// An org unit to enter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrgUnit {
    /// Its code; the unit above it must be known.
    pub code: OrgUnitCode,
    /// Its name, up to [`MAX_NAME_CHARS`](crate::MAX_NAME_CHARS) characters.
    pub name: String,
}

pub(crate) fn create(draft: &mut Draft<'_>, wish: NewOrgUnit) {
    let NewOrgUnit { code, name } = wish;
    draft.require("org_unit.name", check::name(&name));
    if let Some(parent) = code.parent() {
        draft.require_org_unit("org_unit.code", parent);
    }
    if draft.has_org_unit(code) {
        let in_state = draft.before().org_unit(code).is_some();
        return draft.refuse_known("org_unit.code", format_args!("orgUnits/{code}"), in_state);
    }
    draft.make(Event::OrgUnitCreated(OrgUnit { code, name }));
}
