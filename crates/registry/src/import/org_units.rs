//! Org unit files: a code and a name, counties before their towns, towns before their villages.

use super::{cells::Cells, table::Column};
use crate::NewOrgUnit;

pub(crate) const COLUMNS: &[Column] =
    &[Column::required("code", &["code", "行政区划代码"]), Column::required("name", &["name", "名称"])];

pub(crate) fn read(cells: &mut Cells<'_>) -> Option<NewOrgUnit> {
    Some(NewOrgUnit { code: cells.org_unit("code")?, name: cells.raw("name").to_owned() })
}
