//! Provider files: organisations and their stations.

use super::{
    cells::{Cells, LATITUDE, LONGITUDE, SYSTEM},
    table::Column,
};
use crate::NewProvider;

pub(crate) const COLUMNS: &[Column] = &[
    Column::required("external_id", &["external_id", "编号"]),
    Column::required("name", &["name", "名称"]),
    Column::required("org_unit", &["org_unit", "行政区划代码"]),
    Column::optional("phone", &["phone", "电话"]),
    Column::optional(LATITUDE, &["latitude", "纬度"]),
    Column::optional(LONGITUDE, &["longitude", "经度"]),
    Column::optional(SYSTEM, &["coordinate_system", "坐标系"]),
];

pub(crate) fn read(cells: &mut Cells<'_>) -> Option<NewProvider> {
    let (external_id, station) = (cells.external_id(), cells.place());
    let (name, phone) = (cells.text("name"), cells.text("phone"));
    Some(NewProvider { external_id, name, phone, org_unit: cells.org_unit("org_unit")?, station })
}
