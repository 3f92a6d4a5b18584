//! Stories of `anhu export`: what comes out of a server goes into an empty one and is the same there.

#[path = "support/registry.rs"]
mod registry_of;
#[path = "support/server.rs"]
mod server;

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use registry::ImportKind;
use registry_of::{elders, folder, on_runtime};
use server::Server;
use wire::v1;

/// Rows that spreadsheets like to spoil, by kind in the order of import.
const ROWS: [&str; 5] = [
    "code,name\n990181,示例市\n990181001,\"镇, \"\"新\"\"\"\n990181001001,'=1+1村\n",
    "external_id,name,phone,org_unit,latitude,longitude,coordinate_system\n\
     007,\"演示家政 \"\"安心\"\", 有限公司\",+86 550-3012345,990181001,32.7012,118.9911,gcj02\n\
     008,=HYPERLINK(1),,990181,-33.5,-70.6,\n",
    "external_id,name,phone,provider,org_unit,skills,travels,certificates,latitude,longitude\n\
     0001,@甲,0550-1,007,990181001,lift;first_aid,car,lift:2036-06-30;first_aid:2036-12-31,32.7,119.0000001\n\
     0002,'乙,,,990181,nursing,,,,\n",
    "external_id,name,org_unit,resident_id,birth_date,gender,phone,address,categories,categories_since,\
     contact1_name,contact1_phone,contact1_relation,contact1_keyholder,contact2_name,contact2_phone,medical_notes\n\
     0042,样例奶奶,990181001001,,1941-03-05,女,013800000101,\"1 栋, 101 \"\"室\"\"\",高龄、独居,2022-01-01,女儿,+86120,女儿,是,\
     邻居,000120,\"高血压, \"\"重\"\"\n- 对青霉素过敏\r\n=没有\"\n\
     0043,-乙,990181,,,,,'-1+1,,,,,,,,,'''\n",
    "device,model,org_unit,elder\n000123,'+型号,990181001,0042\n12E5,,,\n",
];

#[test]
fn what_was_exported_is_the_same_in_an_empty_server_in_both_forms() {
    let data = folder();
    let server = Server::open(data.path());
    for (kind, rows) in ImportKind::ALL.into_iter().zip(ROWS) {
        let path = data.path().join(format!("{kind}.csv"));
        fs::write(&path, rows).expect("a file");
        import(&server, kind, &path);
    }
    let before = all(&server);
    assert_eq!(before.1[1].display_name, "=HYPERLINK(1)");
    assert_eq!(elders(&server)[1].medical_notes, "''");
    for (ending, lang) in [("csv", "en"), ("csv", "zh"), ("xlsx", "en"), ("xlsx", "zh")] {
        let folder = folder();
        let other = Server::open(&folder.path().join("data"));
        for kind in ImportKind::ALL {
            let path = folder.path().join(format!("{kind}.{ending}"));
            export(&server, kind, &path, lang);
            import(&other, kind, &path);
        }
        assert_eq!(all(&other), before, "{ending} {lang}");
        other.kill();
    }
}

#[test]
fn an_export_is_for_its_owner_only_has_the_headings_of_the_samples_and_starts_no_formula() {
    let folder = folder();
    let server = Server::open(folder.path());
    let units = folder.path().join("units.csv");
    fs::write(&units, ROWS[0]).expect("a file");
    import(&server, ImportKind::OrgUnits, &units);
    export(&server, ImportKind::OrgUnits, &units, "zh");
    let text = fs::read_to_string(&units).expect("the file");
    assert!(text.starts_with("\u{feff}行政区划代码,名称\n990181,示例市\n"), "{text}");
    assert!(text.contains(",'=1+1村\n"), "{text}");
    let mode = fs::metadata(&units).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let said = server.run(&["export", "elders", "elders.pdf"]);
    assert!(said.err.contains("name a file that ends in .xlsx or .csv"), "{}", said.err);
    let nowhere = folder.path().join("nowhere/elders.csv");
    let said = server.run(&["export", "elders", nowhere.to_str().expect("UTF-8")]);
    assert!(said.err.contains("cannot be written: check the folder"), "{}", said.err);
}

#[test]
fn what_a_file_cannot_hold_is_told() {
    let folder = folder();
    let server = Server::open(folder.path());
    let units = folder.path().join("units.csv");
    fs::write(&units, ROWS[0]).expect("a file");
    import(&server, ImportKind::OrgUnits, &units);
    let contact = |name: &str| v1::Contact {
        display_name: name.to_owned(),
        phone: "120".to_owned(),
        ..Default::default()
    };
    let elder = v1::Elder {
        display_name: "甲".to_owned(),
        org_unit: "990181".to_owned(),
        contacts: ["一", "二", "三", "四"].map(contact).into(),
        ..Default::default()
    };
    on_runtime(async {
        let request = v1::CreateElderRequest { elder: Some(elder) };
        server.registry().await.create_elder(request).await.expect("an elder")
    });
    let path = folder.path().join("elders.csv");
    let said = server.run(&["export", "elders", path.to_str().expect("UTF-8")]);
    assert_eq!(said.code, 0);
    assert!(said.err.contains("1 rows: have no external_id: give each one"), "{}", said.err);
    assert!(said.err.contains("1 rows: have more than three contacts"), "{}", said.err);
}

fn import(server: &Server, kind: ImportKind, path: &Path) {
    let said = server.run(&["import", kind.as_str(), path.to_str().expect("UTF-8")]);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", path.display());
}

fn export(server: &Server, kind: ImportKind, path: &Path, lang: &str) {
    let said = server.run(&["export", kind.as_str(), path.to_str().expect("UTF-8"), "--lang", lang]);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", path.display());
    assert!(said.out.contains("rows are in"), "{}", said.out);
}

/// Every record of a server.
type All = (Vec<v1::OrgUnit>, Vec<v1::Provider>, Vec<v1::Responder>, Vec<v1::Elder>, Vec<v1::Device>);

/// What the server holds. In which system a place was given is left out: a file has degrees of WGS-84.
fn all(server: &Server) -> All {
    let in_wgs84 = |place: &mut Option<v1::Place>| {
        if let Some(place) = place {
            place.system = v1::CoordinateSystem::Wgs84.into();
        }
    };
    let (units, mut providers, responders, devices) = on_runtime(async {
        let mut registry = server.registry().await;
        let units = registry.list_org_units(v1::ListOrgUnitsRequest::default()).await;
        let providers = registry.list_providers(v1::ListProvidersRequest::default()).await;
        let responders = registry.list_responders(v1::ListRespondersRequest::default()).await;
        let devices = registry.list_devices(v1::ListDevicesRequest::default()).await;
        (
            units.expect("org units").into_inner().org_units,
            providers.expect("providers").into_inner().providers,
            responders.expect("responders").into_inner().responders,
            devices.expect("devices").into_inner().devices,
        )
    });
    providers.iter_mut().for_each(|provider| in_wgs84(&mut provider.station));
    (units, providers, responders, elders(server), devices)
}
