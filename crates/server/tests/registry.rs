//! Stories of `RegistryService`: records come back as entered, pages follow each other, refusals name fields.

#[path = "support/server.rs"]
#[allow(dead_code, reason = "each story uses its part of the support")]
mod server;

use std::time::{Duration, Instant};

use server::Server;
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt as _;
use wire::v1::{self, import_records_response::Step, registry_service_client::RegistryServiceClient};

type Client = RegistryServiceClient<Channel>;

#[tokio::test(flavor = "multi_thread")]
async fn records_come_back_as_they_were_entered() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::open(folder.path());
    let mut registry = server.registry().await;
    county(&mut registry).await;

    let provider =
        v1::Provider {
            display_name: "安心".to_owned(), org_unit: "341181".to_owned(), ..Default::default()
        };
    let request = v1::CreateProviderRequest { provider: Some(provider.clone()) };
    let entered = registry.create_provider(request).await.expect("entered").into_inner().provider;
    assert_eq!(entered, Some(v1::Provider { name: "providers/0".to_owned(), ..provider }));
    let request = v1::GetProviderRequest { name: "providers/0".to_owned() };
    assert_eq!(registry.get_provider(request).await.expect("there").into_inner().provider, entered);

    let responder = v1::Responder {
        display_name: "甲".to_owned(),
        org_unit: "341181".to_owned(),
        provider: "providers/0".to_owned(),
        skills: vec![v1::Skill::Lift.into()],
        travels: v1::TravelMode::Car.into(),
        certificates: vec![v1::Certificate {
            skill: v1::Skill::Lift.into(),
            valid_until: "2027-03-31".to_owned(),
        }],
        ..Default::default()
    };
    let request = v1::CreateResponderRequest { responder: Some(responder.clone()) };
    let entered = registry.create_responder(request).await.expect("entered").into_inner().responder;
    assert_eq!(entered, Some(v1::Responder { name: "responders/0".to_owned(), ..responder }));
    let request = v1::GetResponderRequest { name: "responders/0".to_owned() };
    assert_eq!(registry.get_responder(request).await.expect("there").into_inner().responder, entered);

    let entered = elder(&mut registry, "乙").await;
    assert_eq!((entered.name.as_str(), entered.display_name.as_str()), ("elders/0", "乙"));
    let request = v1::GetElderRequest { name: "elders/0".to_owned() };
    assert_eq!(registry.get_elder(request).await.expect("there").into_inner().elder, Some(entered));
    let request = v1::GetElderRequest { name: "elders/1".to_owned() };
    let status = registry.get_elder(request).await.expect_err("nobody");
    assert_eq!((status.code(), status.message()), (Code::NotFound, "elders/1 does not exist"));
    let request = v1::GetOrgUnitRequest { name: "orgUnits/341181".to_owned() };
    let unit = registry.get_org_unit(request).await.expect("there").into_inner().org_unit;
    assert_eq!(unit.map(|unit| unit.display_name), Some("天长市".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_each_other_and_the_last_one_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::open(folder.path());
    let mut registry = server.registry().await;
    county(&mut registry).await;
    for name in ["甲", "乙", "丙", "丁"] {
        elder(&mut registry, name).await;
    }
    let (mut pages, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = v1::ListEldersRequest { page_size: 2, page_token };
        let page = registry.list_elders(request).await.expect("a page").into_inner();
        pages.push(page.elders.into_iter().map(|elder| elder.display_name).collect::<Vec<_>>());
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(pages, [["甲", "乙"], ["丙", "丁"]]);
    let request = v1::ListEldersRequest { page_size: 2, page_token: "yesterday".to_owned() };
    let status = registry.list_elders(request).await.expect_err("no token");
    assert_eq!((status.code(), fields(&status)), (Code::InvalidArgument, vec!["page_token".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_every_field_as_the_request_spells_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::open(folder.path());
    let mut registry = server.registry().await;
    county(&mut registry).await;

    let contacts = vec![v1::Contact::default()];
    let faulty =
        v1::Elder { org_unit: "341182".to_owned(), phone: "x".to_owned(), contacts, ..Default::default() };
    let status =
        registry.create_elder(v1::CreateElderRequest { elder: Some(faulty) }).await.expect_err("refused");
    assert_eq!(status.code(), Code::InvalidArgument);
    let mut named = fields(&status);
    named.sort();
    assert_eq!(
        named,
        [
            "elder.contacts[0].display_name",
            "elder.contacts[0].phone",
            "elder.display_name",
            "elder.org_unit",
            "elder.phone"
        ]
    );

    let stranger =
        v1::Elder { display_name: "甲".to_owned(), org_unit: "341182".to_owned(), ..Default::default() };
    let status =
        registry.create_elder(v1::CreateElderRequest { elder: Some(stranger) }).await.expect_err("refused");
    assert_eq!(
        (status.code(), fields(&status)),
        (Code::FailedPrecondition, vec!["elder.org_unit".to_owned()])
    );

    let twice = v1::OrgUnit { code: "341181".to_owned(), display_name: "天长市".to_owned() };
    let request = v1::CreateOrgUnitRequest { org_unit: Some(twice) };
    let status = registry.create_org_unit(request).await.expect_err("refused");
    assert_eq!((status.code(), fields(&status)), (Code::AlreadyExists, vec!["org_unit.code".to_owned()]));

    let status = registry.create_elder(v1::CreateElderRequest { elder: None }).await.expect_err("refused");
    assert_eq!((status.code(), fields(&status)), (Code::InvalidArgument, vec!["elder".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_shows_whose_it_is_until_it_is_taken_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::open(folder.path());
    let mut registry = server.registry().await;
    county(&mut registry).await;
    elder(&mut registry, "甲").await;
    let device = v1::Device { device_id: "zb-1".to_owned(), ..Default::default() };
    let request = v1::CreateDeviceRequest { device: Some(device) };
    let entered =
        registry.create_device(request).await.expect("entered").into_inner().device.expect("a device");
    assert_eq!((entered.name.as_str(), entered.online, entered.last_seen_at), ("devices/zb-1", false, None));

    let bind = |device: &str, elder: &str| v1::BindDeviceRequest {
        device: device.to_owned(),
        elder: elder.to_owned(),
        from: None,
    };
    let bound =
        registry.bind_device(bind("devices/zb-1", "elders/0")).await.expect("bound").into_inner().binding;
    assert_eq!(bound.map(|bound| (bound.elder, bound.until)), Some(("elders/0".to_owned(), None)));
    assert_eq!(whose(&mut registry).await, "elders/0");
    let again = registry.bind_device(bind("devices/zb-1", "elders/0")).await.expect_err("refused");
    assert_eq!((again.code(), fields(&again)), (Code::AlreadyExists, vec!["device".to_owned()]));
    let unknown = registry.bind_device(bind("devices/zb-2", "elders/0")).await.expect_err("refused");
    assert_eq!(unknown.code(), Code::NotFound);

    let unbind = v1::UnbindDeviceRequest { device: "devices/zb-1".to_owned(), until: None };
    let ended =
        registry.unbind_device(unbind.clone()).await.expect("ended").into_inner().binding.expect("a binding");
    assert_eq!(ended.elder, "elders/0");
    assert!(ended.until.is_some());
    assert_eq!(whose(&mut registry).await, "");
    let again = registry.unbind_device(unbind).await.expect_err("refused");
    assert_eq!((again.code(), fields(&again)), (Code::FailedPrecondition, vec!["device".to_owned()]));
}

#[test]
fn a_caller_whose_connection_breaks_enters_nothing_and_frees_the_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::open(folder.path());
    // Files nobody ended: dropping one of these would say that it is whole.
    let mut open = Vec::new();
    // More than there are places for at once, one after the other.
    for _ in 0..5 {
        let (pieces, sent) = tokio::sync::mpsc::channel(1);
        let caller = runtime();
        let _steps = caller.block_on(async {
            pieces.send(piece("code,name\n341181,天长市\n")).await.expect("room");
            let mut registry = server.registry().await;
            registry.import_records(tokio_stream::wrappers::ReceiverStream::new(sent)).await.expect("begun")
        });
        caller.shutdown_background();
        open.push(pieces);
    }
    runtime().block_on(async {
        let mut registry = server.registry().await;
        // The places are freed when the server notices, which takes a moment.
        let deadline = Instant::now() + Duration::from_secs(20);
        let report = loop {
            match import(&mut registry, piece("code,name\n341182,全椒县\n")).await {
                Err(status) if status.code() == Code::ResourceExhausted => assert!(Instant::now() < deadline),
                imported => break imported.expect("entered"),
            }
        };
        assert_eq!((report.rows_read, report.rows_entered, report.rows_refused), (1, 1, 0));
        assert_eq!(list(&mut registry).await, ["341182"]);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_piece_over_one_mebibyte_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::open(folder.path());
    let mut registry = server.registry().await;
    let status = import(&mut registry, piece(&"x".repeat(1024 * 1024 + 1))).await.expect_err("refused");
    assert_eq!((status.code(), fields(&status)), (Code::InvalidArgument, vec!["chunk".to_owned()]));
    let nothing = v1::ImportRecordsRequest::default();
    let status = import(&mut registry, nothing).await.expect_err("refused");
    assert_eq!((status.code(), fields(&status)), (Code::InvalidArgument, vec!["kind".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_sender_gave_up_half_way_is_not_entered() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::open(folder.path());
    let mut registry = server.registry().await;
    let half = v1::ImportRecordsRequest { file_bytes: 1000, ..piece("code,name\n341181,天长市\n") };
    let status = import(&mut registry, half).await.expect_err("refused");
    assert_eq!((status.code(), fields(&status)), (Code::InvalidArgument, vec!["file_bytes".to_owned()]));
    assert!(list(&mut registry).await.is_empty());
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

async fn county(registry: &mut Client) {
    let county = v1::OrgUnit { code: "341181".to_owned(), display_name: "天长市".to_owned() };
    let request = v1::CreateOrgUnitRequest { org_unit: Some(county.clone()) };
    let entered = registry.create_org_unit(request).await.expect("entered").into_inner().org_unit;
    assert_eq!(entered, Some(county));
}

async fn elder(registry: &mut Client, name: &str) -> v1::Elder {
    let elder =
        v1::Elder { display_name: name.to_owned(), org_unit: "341181".to_owned(), ..Default::default() };
    let request = v1::CreateElderRequest { elder: Some(elder) };
    registry.create_elder(request).await.expect("entered").into_inner().elder.expect("an elder")
}

/// Whose the device zb-1 is, as both ways to read it say.
async fn whose(registry: &mut Client) -> String {
    let request = v1::GetDeviceRequest { name: "devices/zb-1".to_owned() };
    let device = registry.get_device(request).await.expect("there").into_inner().device.expect("a device");
    let listed = registry.list_devices(v1::ListDevicesRequest::default()).await.expect("a page").into_inner();
    assert_eq!(listed.devices, std::slice::from_ref(&device));
    device.elder
}

async fn list(registry: &mut Client) -> Vec<String> {
    let page =
        registry.list_org_units(v1::ListOrgUnitsRequest::default()).await.expect("a page").into_inner();
    page.org_units.into_iter().map(|unit| unit.code).collect()
}

fn piece(text: &str) -> v1::ImportRecordsRequest {
    v1::ImportRecordsRequest {
        kind: v1::ImportKind::OrgUnits.into(),
        chunk: text.as_bytes().to_vec(),
        dry_run: false,
        file_bytes: text.len() as u64,
    }
}

/// Imports a file of one piece.
async fn import(registry: &mut Client, piece: v1::ImportRecordsRequest) -> Result<v1::ImportReport, Status> {
    let mut steps = registry.import_records(tokio_stream::once(piece)).await?.into_inner();
    while let Some(response) = steps.message().await? {
        if let Some(Step::Report(report)) = response.step {
            return Ok(report);
        }
    }
    panic!("no report")
}

/// The fields a refusal names.
fn fields(status: &Status) -> Vec<String> {
    let faults = status.get_details_bad_request().expect("the fields are named");
    faults.field_violations.into_iter().map(|fault| fault.field).collect()
}
