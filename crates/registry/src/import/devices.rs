//! Device files: devices, and the elders they belong to from now on.

use model::OrgUnitCode;

use super::{cells::Cells, table::Column};
use crate::{NewDevice, Private, RejectionKind, device, draft::Draft};

/// A device whose elder is named by the number elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DeviceRow {
    wish: NewDevice,
    elder: Private<Option<String>>,
}

impl DeviceRow {
    pub(crate) fn elder(&self) -> Option<&str> {
        self.elder.as_deref()
    }

    pub(crate) fn org_unit(&self) -> Option<OrgUnitCode> {
        self.wish.org_unit
    }
}

pub(crate) const COLUMNS: &[Column] = &[
    Column::required("id", &["device", "设备编号"]),
    Column::optional("model", &["model", "型号"]),
    Column::optional("org_unit", &["org_unit", "行政区划代码"]),
    Column::optional("elder", &["elder", "老年人编号"]),
];

pub(crate) fn read(cells: &mut Cells<'_>) -> Option<DeviceRow> {
    let org_unit = if cells.raw("org_unit").is_empty() { None } else { cells.org_unit("org_unit") };
    let wish = NewDevice { id: cells.device("id")?, model: cells.raw("model").to_owned(), org_unit };
    Some(DeviceRow { wish, elder: cells.reference("elder") })
}

pub(crate) fn create(draft: &mut Draft<'_>, row: DeviceRow) {
    let DeviceRow { wish, elder } = row;
    let id = wish.id.clone();
    let is_new = !draft.has_device(&id);
    device::create(draft, wish);
    let Some(external_id) = elder.as_deref() else { return };
    match draft.elder_known_as(external_id) {
        Some(elder) if is_new => device::bind(draft, id, elder, draft.now),
        Some(_) => {}
        None => {
            let reason = "no elder has this number: import the elders first, or leave the cell empty";
            draft.refuse(RejectionKind::NotFound, "device.elder", reason);
        }
    }
}
