//! Elder files: people cared for, their homes, and whom to call.

use super::{
    cells::{Cells, LATITUDE, LONGITUDE, SYSTEM},
    table::Column,
};
use crate::{Contact, NewCategory, NewElder};

pub(crate) const COLUMNS: &[Column] = &[
    Column::required("external_id", &["external_id", "编号"]),
    Column::required("name", &["name", "姓名"]),
    Column::required("org_unit", &["org_unit", "行政区划代码"]),
    Column::optional("resident_id", &["resident_id", "身份证号"]),
    Column::optional("birth_date", &["birth_date", "出生日期"]),
    Column::optional("gender", &["gender", "性别"]),
    Column::optional("phone", &["phone", "电话"]),
    Column::optional("address", &["address", "住址"]),
    Column::optional(LATITUDE, &["latitude", "纬度"]),
    Column::optional(LONGITUDE, &["longitude", "经度"]),
    Column::optional(SYSTEM, &["coordinate_system", "坐标系"]),
    Column::optional("categories", &["categories", "对象类别"]),
    Column::optional(CATEGORIES_SINCE, &["categories_since", "类别起始日期"]),
    Column::optional(CONTACTS[0].name, &["contact1_name", "联系人1姓名"]),
    Column::optional(CONTACTS[0].phone, &["contact1_phone", "联系人1电话"]),
    Column::optional(CONTACTS[0].relation, &["contact1_relation", "联系人1关系"]),
    Column::optional(CONTACTS[0].keyholder, &["contact1_keyholder", "联系人1有钥匙"]),
    Column::optional(CONTACTS[1].name, &["contact2_name", "联系人2姓名"]),
    Column::optional(CONTACTS[1].phone, &["contact2_phone", "联系人2电话"]),
    Column::optional(CONTACTS[1].relation, &["contact2_relation", "联系人2关系"]),
    Column::optional(CONTACTS[1].keyholder, &["contact2_keyholder", "联系人2有钥匙"]),
    Column::optional(CONTACTS[2].name, &["contact3_name", "联系人3姓名"]),
    Column::optional(CONTACTS[2].phone, &["contact3_phone", "联系人3电话"]),
    Column::optional(CONTACTS[2].relation, &["contact3_relation", "联系人3关系"]),
    Column::optional(CONTACTS[2].keyholder, &["contact3_keyholder", "联系人3有钥匙"]),
    Column::optional("medical_notes", &["medical_notes", "健康备注"]),
    Column::optional("entry_notes", &["entry_notes", "入户备注"]),
];

/// The fields of one contact of a row, named as a violation of the record names them.
struct ContactFields {
    name: &'static str,
    phone: &'static str,
    relation: &'static str,
    keyholder: &'static str,
}

const CONTACTS: [ContactFields; 3] = [
    ContactFields {
        name: "contacts[0].name",
        phone: "contacts[0].phone",
        relation: "contacts[0].relation",
        keyholder: "contacts[0].keyholder",
    },
    ContactFields {
        name: "contacts[1].name",
        phone: "contacts[1].phone",
        relation: "contacts[1].relation",
        keyholder: "contacts[1].keyholder",
    },
    ContactFields {
        name: "contacts[2].name",
        phone: "contacts[2].phone",
        relation: "contacts[2].relation",
        keyholder: "contacts[2].keyholder",
    },
];

/// One day for all categories of the row; without it, the day of the import.
const CATEGORIES_SINCE: &str = "categories.since";

pub(crate) fn read(cells: &mut Cells<'_>) -> Option<NewElder> {
    let external_id = cells.external_id();
    let resident_id = cells.resident_id("resident_id").into();
    let birth_date = cells.date("birth_date").into();
    let gender = cells.gender("gender");
    let place = cells.place().into();
    let since = cells.date(CATEGORIES_SINCE);
    let categories = cells.categories("categories").into_iter();
    let categories = categories.map(|category| NewCategory { category, since, until: None }).collect();
    let contacts = contacts(cells);
    Some(NewElder {
        external_id,
        resident_id,
        name: cells.text("name"),
        birth_date,
        gender,
        phone: cells.text("phone"),
        address: cells.text("address"),
        place,
        org_unit: cells.org_unit("org_unit")?,
        categories,
        contacts,
        medical_notes: cells.text("medical_notes"),
        entry_notes: cells.text("entry_notes"),
    })
}

fn contacts(cells: &mut Cells<'_>) -> Vec<Contact> {
    let mut contacts = Vec::new();
    for (index, fields) in CONTACTS.iter().enumerate() {
        let keyholder = cells.yes(fields.keyholder);
        let texts = [fields.name, fields.phone, fields.relation];
        if !keyholder && texts.iter().all(|field| cells.raw(field).is_empty()) {
            continue;
        }
        if contacts.len() < index {
            cells.refuse(fields.name, "is filled although the contact before is empty: move it up");
            break;
        }
        contacts.push(Contact {
            name: cells.text(fields.name),
            phone: cells.text(fields.phone),
            relation: cells.raw(fields.relation).to_owned(),
            keyholder,
        });
    }
    contacts
}
