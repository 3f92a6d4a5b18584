//! Stories of `anhu import`: what a person with a spreadsheet sees, and what the server holds afterwards.

#[path = "support/server.rs"]
mod server;

use std::{fs, net::TcpListener, path::Path};

use registry::ImportKind;
use server::{Said, Server, anhu, run};
use tempfile::TempDir;
use wire::v1;

/// The heading of a file of elders.
const ELDERS: &str = "external_id,name,org_unit,birth_date,phone\n";

#[test]
fn the_five_sample_files_import_in_their_order_and_are_listed() {
    let folder = folder();
    let server = Server::open(folder.path());
    import_samples(&server, folder.path());
    assert_eq!(counts(&server), [5, 2, 3, 3, 3]);
    let devices = on_runtime(async {
        let mut registry = server.registry().await;
        registry.list_devices(v1::ListDevicesRequest::default()).await.expect("devices").into_inner().devices
    });
    let bound: Vec<_> =
        devices.iter().map(|device| (device.device_id.as_str(), device.elder.as_str())).collect();
    assert_eq!(
        bound,
        [("demo-smoke-1", ""), ("demo-sos-1", "elders/0"), ("demo-watch-1", "elders/1")],
        "devices belong to the elders their rows name"
    );
}

#[test]
fn a_file_with_three_faulty_rows_enters_nothing_and_names_line_field_and_reason() {
    let folder = folder();
    let server = Server::open(folder.path());
    import_sample(&server, folder.path(), ImportKind::OrgUnits);
    let rows = "E1,甲,990181001,1941-03-05,\n\
                E2,,990181001,1942-01-01,\n\
                E3,丙,990189,1943-01-01,\n\
                E4,丁,990181002,,\n\
                E5,戊,990181002,1944-13-01,\n";
    let said = import(&server, folder.path(), "elders", format!("{ELDERS}{rows}"), &[]);
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    let lines: Vec<_> = said.err.lines().collect();
    assert_eq!(
        lines[..4],
        [
            "line  field       reason",
            "   3  name        is empty: fill it in",
            "   4  org_unit    org unit 990189 is unknown: enter it first, or correct the code",
            "   6  birth_date  is not a date: write it like 1941-03-05",
        ]
    );
    assert!(lines[4].contains("3 of 5 rows are refused, so nothing of"), "{}", lines[4]);
    assert_eq!(counts(&server), [5, 0, 0, 0, 0]);
}

#[test]
fn a_second_import_of_the_same_file_enters_nothing_and_says_that_the_rows_are_known() {
    let folder = folder();
    let server = Server::open(folder.path());
    import_samples(&server, folder.path());
    let said = import(&server, folder.path(), "elders", ImportKind::Elders.sample(), &[]);
    assert_eq!(said.code, 1);
    for known in [
        "   2  编号   already known as elders/0: leave it out",
        "   5  编号   already known as elders/2: leave it out",
    ] {
        assert!(said.err.contains(known), "{}", said.err);
    }
    assert_eq!(counts(&server), [5, 2, 3, 3, 3]);
}

#[test]
fn a_dry_run_tells_the_same_and_enters_nothing() {
    let folder = folder();
    let server = Server::open(folder.path());
    let sample = ImportKind::OrgUnits.sample();
    let said = import(&server, folder.path(), "org_units", sample, &["--dry-run"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert!(said.out.contains("5 rows of") && said.out.contains("would be entered"), "{}", said.out);
    assert_eq!(counts(&server), [0; 5]);

    let said = import(&server, folder.path(), "elders", ImportKind::Elders.sample(), &["--dry-run"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("org unit 990181001001 is unknown"), "{}", said.err);
}

#[test]
fn what_was_imported_survives_a_kill() {
    let folder = folder();
    let server = Server::open(folder.path());
    import_samples(&server, folder.path());
    server.kill();
    let server = Server::open(folder.path());
    assert_eq!(counts(&server), [5, 2, 3, 3, 3]);
    let said = import(&server, folder.path(), "devices", ImportKind::Devices.sample(), &[]);
    assert!(said.err.contains("already known as devices/demo-sos-1"), "{}", said.err);
}

#[test]
fn a_wrong_token_is_refused_with_a_remedy() {
    let folder = folder();
    let server = Server::start(folder.path(), &[]);
    let sample = ImportKind::OrgUnits.sample();
    for flags in [&["--token", "guessed"][..], &[]] {
        let said = import(&server, folder.path(), "org_units", sample, flags);
        assert_eq!(said.code, 1);
        assert!(said.err.contains("anhu token --data-dir"), "{}", said.err);
        assert!(!said.err.contains("guessed"), "a token is not repeated: {}", said.err);
    }
    let token = run(anhu().arg("token").arg("--data-dir").arg(folder.path())).out;
    let said = import(&server, folder.path(), "org_units", sample, &["--token", token.trim()]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
}

#[test]
fn a_file_that_is_not_in_utf_8_is_refused_with_the_line_and_the_remedy() {
    let folder = folder();
    let server = Server::open(folder.path());
    let said = import(&server, folder.path(), "org_units", b"code,name\n990181,\xc4\xea\n", &[]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("   2  file   is not in UTF-8 from this line on"), "{}", said.err);
    assert!(said.err.contains("the file is refused"), "{}", said.err);
}

#[test]
fn a_missing_file_and_a_missing_server_are_told_with_a_remedy() {
    let folder = folder();
    let missing = folder.path().join("missing.csv");
    let said = run(anhu().args(["import", "elders"]).arg(&missing));
    assert_eq!(said.code, 1);
    assert!(said.err.contains("missing.csv cannot be opened: check the path"), "{}", said.err);

    let file = folder.path().join("elders.csv");
    fs::write(&file, ImportKind::Elders.sample()).expect("a file");
    // A port that was free a moment ago.
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a port");
    let said = run(anhu().args(["import", "elders", "--server", &format!("http://{nobody}")]).arg(&file));
    assert_eq!(said.code, 1);
    assert!(said.err.contains("start one with `anhu serve`"), "{}", said.err);
}

#[test]
fn every_kind_has_a_sample_to_fill_in() {
    for kind in ImportKind::ALL {
        let said = run(anhu().args(["import", "--sample", kind.as_str()]));
        assert_eq!((said.code, said.out.as_str()), (0, kind.sample()));
    }
}

#[test]
fn a_file_too_large_for_one_journal_record_is_to_be_split_and_enters_nothing() {
    let folder = folder();
    let server = Server::open(folder.path());
    import_sample(&server, folder.path(), ImportKind::OrgUnits);
    let notes = "记".repeat(registry::MAX_NOTES_CHARS);
    let mut file = "external_id,name,org_unit,medical_notes,entry_notes\n".to_owned();
    for row in 0..6000 {
        file.push_str(&format!("E{row},甲,990181001,{notes},{notes}\n"));
    }
    for flags in [&["--dry-run"][..], &[]] {
        let said = import(&server, folder.path(), "elders", &file, flags);
        assert_eq!(said.code, 1);
        assert!(said.err.contains("nothing was entered; split the file"), "{}", said.err);
    }
    assert_eq!(counts(&server), [5, 0, 0, 0, 0]);
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Writes `file` into `folder` and imports it.
fn import(server: &Server, folder: &Path, kind: &str, file: impl AsRef<[u8]>, flags: &[&str]) -> Said {
    let path = folder.join(format!("{kind}.csv"));
    fs::write(&path, file).expect("a file");
    let path = path.to_str().expect("a path of UTF-8");
    server.run(&[&["import", kind, path], flags].concat())
}

fn import_sample(server: &Server, folder: &Path, kind: ImportKind) {
    let said = import(server, folder, kind.as_str(), kind.sample(), &[]);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{kind}");
    assert!(said.out.contains("entered"), "{kind}: {}", said.out);
}

fn import_samples(server: &Server, folder: &Path) {
    for kind in ImportKind::ALL {
        import_sample(server, folder, kind);
    }
}

/// How many org units, providers, responders, elders and devices the server lists.
fn counts(server: &Server) -> [usize; 5] {
    on_runtime(async {
        let mut registry = server.registry().await;
        let org_units = registry.list_org_units(v1::ListOrgUnitsRequest::default()).await;
        let providers = registry.list_providers(v1::ListProvidersRequest::default()).await;
        let responders = registry.list_responders(v1::ListRespondersRequest::default()).await;
        let elders = registry.list_elders(v1::ListEldersRequest::default()).await;
        let devices = registry.list_devices(v1::ListDevicesRequest::default()).await;
        [
            org_units.expect("org units").into_inner().org_units.len(),
            providers.expect("providers").into_inner().providers.len(),
            responders.expect("responders").into_inner().responders.len(),
            elders.expect("elders").into_inner().elders.len(),
            devices.expect("devices").into_inner().devices.len(),
        ]
    })
}

fn on_runtime<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(future)
}
