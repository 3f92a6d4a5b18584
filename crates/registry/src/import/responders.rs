//! Responder files: people who can be sent, and whom they work for.

use model::OrgUnitCode;

use super::{
    cells::{Cells, LATITUDE, LONGITUDE, SYSTEM},
    table::Column,
};
use crate::{NewResponder, Private, RejectionKind, draft::Draft, responder};

/// A responder whose provider is named by its number elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ResponderRow {
    wish: NewResponder,
    provider: Private<Option<String>>,
}

impl ResponderRow {
    pub(crate) fn org_unit(&self) -> OrgUnitCode {
        self.wish.org_unit
    }
}

pub(crate) const COLUMNS: &[Column] = &[
    Column::required("external_id", &["external_id", "编号"]),
    Column::required("name", &["name", "姓名"]),
    Column::required("org_unit", &["org_unit", "行政区划代码"]),
    Column::optional("phone", &["phone", "电话"]),
    Column::optional("provider", &["provider", "服务商编号"]),
    Column::optional("skills", &["skills", "技能"]),
    Column::optional("travels", &["travels", "出行方式"]),
    Column::optional("certificates", &["certificates", "证书"]),
    Column::optional(LATITUDE, &["latitude", "纬度"]),
    Column::optional(LONGITUDE, &["longitude", "经度"]),
    Column::optional(SYSTEM, &["coordinate_system", "坐标系"]),
];

pub(crate) fn read(cells: &mut Cells<'_>) -> Option<ResponderRow> {
    let external_id = cells.external_id();
    let skills = cells.skills("skills").into_iter().collect();
    let base = cells.place().into();
    let travels = cells.travel_mode("travels");
    let certificates = cells.certificates("certificates");
    let wish = NewResponder {
        external_id,
        name: cells.text("name"),
        phone: cells.text("phone"),
        provider: None,
        org_unit: cells.org_unit("org_unit")?,
        skills,
        base,
        travels,
        certificates,
    };
    Some(ResponderRow { wish, provider: cells.reference("provider") })
}

pub(crate) fn create(draft: &mut Draft<'_>, row: ResponderRow) {
    let ResponderRow { mut wish, provider } = row;
    if let Some(external_id) = provider.as_deref() {
        wish.provider = draft.provider_known_as(external_id);
        if wish.provider.is_none() {
            let reason = "no provider has this number: import the providers first, or leave the cell empty";
            draft.refuse(RejectionKind::NotFound, "responder.provider", reason);
        }
    }
    responder::create(draft, wish);
}
