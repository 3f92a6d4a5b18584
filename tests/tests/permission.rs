//! Who may do what: every method, every role, inside and outside their county.

use std::sync::Arc;

use access::Need;
use tests::{
    anhu::{Anhu, Watch},
    caller::{Caller, grant, program},
    counties::{Counties, OURS, THEIRS, sos},
    world::place,
};
use tonic::Code;
use tonic_types::StatusExt as _;
use wire::v1::{self, Role};

/// What each role may do with at least one record, written down apart from the policy. `signed_in` is left out.
const PERMITTED: [(Role, &str, &[&str]); 8] = [
    (Role::Administrator, "", &["*"]),
    (
        Role::Administrator,
        "orgUnits/341181",
        &[
            "org_units.read",
            "org_units.write",
            "providers.read",
            "providers.write",
            "responders.read",
            "responders.write",
            "elders.read",
            "elders.write",
            "devices.read",
            "devices.write",
            "records.import",
            "incidents.read",
            "incidents.act",
            "duty.set",
            "positions.report",
            "offers.answer",
            "signals.publish",
            "system.read",
            "users.read",
            "users.write",
        ],
    ),
    (
        Role::Supervisor,
        "orgUnits/341181",
        &[
            "org_units.read",
            "providers.read",
            "responders.read",
            "responders.write",
            "elders.read",
            "elders.write",
            "devices.read",
            "devices.write",
            "incidents.read",
            "incidents.act",
            "duty.set",
            "signals.publish",
            "system.read",
            "users.read",
        ],
    ),
    (
        Role::Operator,
        "orgUnits/341181",
        &[
            "org_units.read",
            "providers.read",
            "responders.read",
            "elders.read",
            "devices.read",
            "incidents.read",
            "incidents.act",
            "duty.set",
            "system.read",
        ],
    ),
    (
        Role::ProviderManager,
        "providers/0",
        &["org_units.read", "providers.read", "responders.read", "responders.write", "duty.set"],
    ),
    (
        Role::Responder,
        "responders/0",
        &["org_units.read", "responders.read", "duty.set", "positions.report", "offers.answer"],
    ),
    (
        Role::Integrator,
        "orgUnits/341181",
        &[
            "org_units.read",
            "org_units.write",
            "providers.read",
            "providers.write",
            "responders.read",
            "responders.write",
            "elders.read",
            "elders.write",
            "devices.read",
            "devices.write",
            "records.import",
            "signals.publish",
            "positions.report",
            "duty.set",
        ],
    ),
    (
        Role::Auditor,
        "orgUnits/341181",
        &[
            "org_units.read",
            "providers.read",
            "responders.read",
            "elders.read",
            "devices.read",
            "incidents.read",
            "system.read",
            "users.read",
        ],
    ),
];

async fn closed() -> Anhu {
    Anhu::start_closed("", Arc::new(tempfile::tempdir().expect("a folder"))).await
}

#[tokio::test]
async fn every_method_is_open_to_the_roles_that_need_it_and_to_no_other() {
    let anhu = closed().await;
    let nobody = Caller::with_header(&anhu, None).await;
    let methods = wire::methods();
    for method in &methods {
        let answer = nobody.knock(&method.path).await;
        // Signing in with nothing is refused by the same word.
        assert_eq!(answer, Code::Unauthenticated, "{}", method.path);
    }
    let mut wrong = Vec::new();
    for (number, (role, scope, permitted)) in PERMITTED.into_iter().enumerate() {
        let (caller, _) = program(&anhu, &format!("program-{number}"), &[grant(role, scope)]).await;
        for method in &methods {
            let may = match method.need {
                Some(Need::Permission(need)) => permitted.contains(&"*") || permitted.contains(&need.name()),
                Some(Need::Nothing | Need::SignedIn) => continue,
                None => false,
            };
            let answer = caller.knock(&method.path).await;
            let is_let_in = !matches!(answer, Code::PermissionDenied | Code::Unauthenticated);
            if is_let_in != may {
                wrong.push(format!("{role:?} {}: {answer:?}", method.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn an_operator_meets_their_own_county_only() {
    let Counties { anhu, names } = Counties::build().await;
    let [elder, device, responder, incident] = &names[OURS];
    let [other_elder, other_device, other_responder, other_incident] = &names[THEIRS];
    let (operator, _) = program(&anhu, "wang", &[grant(Role::Operator, "orgUnits/341181")]).await;
    let (mut registry, mut incidents) = (operator.registry(), operator.incidents());

    let elders = registry.list_elders(v1::ListEldersRequest::default()).await.expect("a page").into_inner();
    assert_eq!(elders.elders.iter().map(|elder| &elder.name).collect::<Vec<_>>(), [elder]);
    let found = v1::SearchEldersRequest { query: "桂英".to_owned(), ..Default::default() };
    let found = registry.search_elders(found).await.expect("a page").into_inner();
    assert_eq!(found.elders.iter().map(|elder| &elder.name).collect::<Vec<_>>(), [elder]);
    let devices =
        registry.list_devices(v1::ListDevicesRequest::default()).await.expect("a page").into_inner();
    let ids = devices.devices.iter().map(|device| format!("devices/{}", device.device_id));
    assert_eq!(ids.collect::<Vec<_>>(), std::slice::from_ref(device));
    let helpers = v1::ListRespondersRequest::default();
    let helpers = registry.list_responders(helpers).await.expect("a page").into_inner();
    assert_eq!(helpers.responders.iter().map(|one| &one.name).collect::<Vec<_>>(), [responder]);
    let open = incidents.list_incidents(v1::ListIncidentsRequest::default()).await.expect("a page");
    assert_eq!(open.into_inner().incidents.iter().map(|one| &one.name).collect::<Vec<_>>(), [incident]);

    // What others have does not exist.
    let refused = [
        registry.get_elder(v1::GetElderRequest { name: other_elder.clone() }).await.map(drop),
        registry.get_device(v1::GetDeviceRequest { name: other_device.clone() }).await.map(drop),
        registry.get_responder(v1::GetResponderRequest { name: other_responder.clone() }).await.map(drop),
        incidents.get_incident(v1::GetIncidentRequest { name: other_incident.clone() }).await.map(drop),
        incidents
            .acknowledge_incident(v1::AcknowledgeIncidentRequest {
                name: other_incident.clone(),
                operator: String::new(),
            })
            .await
            .map(drop),
        operator
            .responders()
            .set_duty(v1::SetDutyRequest {
                responder: other_responder.clone(),
                duty: v1::Duty::OnDuty.into(),
            })
            .await
            .map(drop),
    ];
    for (place, answer) in refused.into_iter().enumerate() {
        assert_eq!(answer.expect_err("not theirs").code(), Code::NotFound, "{place}");
    }

    // What no role of theirs permits for any record is refused before it is looked at, and says what is missing.
    let refused = registry.create_elder(v1::CreateElderRequest::default()).await.expect_err("no clerk");
    let details = refused.get_details_error_info().expect("an ErrorInfo");
    assert_eq!(details.metadata.get("permission").map(String::as_str), Some("elders.write"));

    // What they do is theirs by their login, whatever they say.
    let taken = v1::AcknowledgeIncidentRequest { name: incident.clone(), operator: "somebody".to_owned() };
    let answer = incidents.acknowledge_incident(taken).await.expect_err("another name");
    assert_eq!(answer.code(), Code::PermissionDenied);
    let taken = v1::AcknowledgeIncidentRequest { name: incident.clone(), operator: String::new() };
    let taken = incidents.acknowledge_incident(taken).await.expect("theirs").into_inner();
    assert_eq!(taken.incident.expect("an incident").operator, "wang");

    // Their stream carries theirs, and what nobody knows; and what is entered in a file is theirs.
    let stream = incidents.watch_incidents(v1::WatchIncidentsRequest::default()).await.expect("a stream");
    let mut watch = Watch::of(stream.into_inner());
    let host = Caller::host(&anhu).await;
    host.ingest().publish_signals(sos("wrist-of-nobody")).await.expect("taken");
    let mut seen = Vec::new();
    while seen.len() < 2 {
        if let v1::watch_incidents_response::Change::Incident(incident) = watch.next().await {
            seen.push(incident.name);
        }
    }
    assert!(seen.contains(incident) && !seen.contains(other_incident), "{seen:?}");
}

#[tokio::test]
async fn an_integrator_speaks_for_devices_of_their_county_only() {
    let Counties { anhu, names } = Counties::build().await;
    let (integrator, _) = program(&anhu, "gateway", &[grant(Role::Integrator, "orgUnits/341181")]).await;
    let mut ingest = integrator.ingest();
    let mut results = Vec::new();
    for device in ["wrist-341181", "wrist-341182", "wrist-of-nobody"] {
        let answer = ingest.publish_signals(sos(device)).await.expect("an answer").into_inner();
        results.push(answer.results[0].error.clone());
    }
    assert_eq!((results[0].as_str(), results[2].as_str()), ("", ""));
    assert!(results[1].contains("not permitted"), "{}", results[1]);

    let mut registry = integrator.registry();
    let elder = |code: &str| v1::CreateElderRequest {
        elder: Some(v1::Elder {
            display_name: "李".to_owned(),
            birth_date: "1940-05-01".to_owned(),
            org_unit: code.to_owned(),
            ..Default::default()
        }),
    };
    registry.create_elder(elder(OURS)).await.expect("theirs");
    let refused = registry.create_elder(elder(THEIRS)).await.expect_err("not theirs");
    assert_eq!(refused.code(), Code::PermissionDenied);
    let steal =
        v1::BindDeviceRequest { device: names[THEIRS][1].clone(), elder: names[OURS][0].clone(), from: None };
    assert_eq!(registry.bind_device(steal).await.expect_err("not theirs").code(), Code::NotFound);

    let file = "external_id,name,org_unit\nN-1,新一,341181\nN-2,新二,341182\n";
    let piece = v1::ImportRecordsRequest {
        kind: v1::ImportKind::Elders.into(),
        file_bytes: file.len() as u64,
        chunk: file.as_bytes().to_vec(),
        ..Default::default()
    };
    let mut steps = registry.import_records(tokio_stream::iter([piece])).await.expect("steps").into_inner();
    let mut report = None;
    while let Some(step) = steps.message().await.expect("a step") {
        if let Some(v1::import_records_response::Step::Report(last)) = step.step {
            report = Some(last);
        }
    }
    let report = report.expect("a report");
    assert_eq!((report.rows_entered, report.refused.len()), (0, 1), "{report:?}");
    assert_eq!((report.refused[0].line, report.refused[0].field.as_str()), (3, "org_unit"));
}

#[tokio::test]
async fn a_helper_speaks_for_themselves_and_a_manager_leads_their_own() {
    let Counties { anhu, names } = Counties::build().await;
    let (ours, theirs) = (names[OURS][2].clone(), names[THEIRS][2].clone());
    let (helper, _) = program(&anhu, "helper", &[grant(Role::Responder, &ours)]).await;
    let (manager, _) = program(&anhu, "manager", &[grant(Role::ProviderManager, "providers/0")]).await;
    let duty = |responder: &str| v1::SetDutyRequest {
        responder: responder.to_owned(),
        duty: v1::Duty::OnDuty.into(),
    };
    for caller in [&helper, &manager] {
        let mut client = caller.responders();
        client.set_duty(duty(&ours)).await.expect("theirs");
        let refused = client.set_duty(duty(&theirs)).await.expect_err("not theirs");
        assert_eq!(refused.code(), Code::NotFound);
    }
    let watch = |responder: &str| v1::WatchOffersRequest { responder: responder.to_owned() };
    helper.responders().watch_offers(watch(&ours)).await.expect("a stream");
    let refused = helper.responders().watch_offers(watch(&theirs)).await.expect_err("not theirs");
    assert_eq!(refused.code(), Code::NotFound);
    let refused = manager.responders().watch_offers(watch(&ours)).await.expect_err("no manager answers");
    assert_eq!(refused.code(), Code::PermissionDenied);

    let position = |responder: &str| v1::ReportPositionsRequest {
        responder: responder.to_owned(),
        place: Some(place(32.7, 119.0)),
        ..Default::default()
    };
    let sent = tokio_stream::iter([position(&ours), position(&theirs)]);
    let counted = helper.responders().report_positions(sent).await.expect("counted").into_inner();
    assert_eq!((counted.accepted, counted.ignored), (1, 1));
}

#[tokio::test]
async fn nobody_gives_what_they_have_not() {
    let Counties { anhu, names } = Counties::build().await;
    let (administrator, _) =
        program(&anhu, "county-admin", &[grant(Role::Administrator, "orgUnits/341181")]).await;
    let (_, chief) = program(&anhu, "chief", &[grant(Role::Administrator, "")]).await;
    let mut users = administrator.users();
    let wish = |login: &str, role, scope: &str| v1::CreateUserRequest {
        user: Some(v1::User {
            login: login.to_owned(),
            display_name: login.to_owned(),
            grants: vec![grant(role, scope)],
            ..Default::default()
        }),
    };
    for (login, role, scope) in [
        ("op", Role::Operator, "orgUnits/341181"),
        ("town", Role::Administrator, "orgUnits/341181001"),
        ("their-helper", Role::Responder, names[OURS][2].as_str()),
    ] {
        users.create_user(wish(login, role, scope)).await.expect(login);
    }
    for (login, role, scope) in [
        ("a", Role::Administrator, ""),
        ("b", Role::Operator, "orgUnits/341182"),
        ("c", Role::Responder, names[THEIRS][2].as_str()),
        ("d", Role::Responder, "responders/999"),
    ] {
        let refused = users.create_user(wish(login, role, scope)).await.expect_err(login);
        assert_eq!(refused.code(), Code::PermissionDenied, "{login}");
    }
    // And takes no way round: the key, the password or the sessions of somebody who may do more.
    let key = v1::ApiKey { label: "mine".to_owned(), ..Default::default() };
    let refused = [
        users.get_user(v1::GetUserRequest { name: chief.clone() }).await.map(drop),
        users.reset_password(v1::ResetPasswordRequest { name: chief.clone() }).await.map(drop),
        users.end_sessions(v1::EndSessionsRequest { name: chief.clone() }).await.map(drop),
        users
            .create_api_key(v1::CreateApiKeyRequest { parent: chief.clone(), api_key: Some(key) })
            .await
            .map(drop),
        users.revoke_api_key(v1::RevokeApiKeyRequest { name: format!("{chief}/apiKeys/0") }).await.map(drop),
    ];
    for (place, answer) in refused.into_iter().enumerate() {
        assert_eq!(answer.expect_err("not theirs").code(), Code::NotFound, "{place}");
    }
    // Somebody who is theirs in part they see, and lead only whole; somebody without a role is for whoever has everything.
    let roles = [grant(Role::Operator, "orgUnits/341181"), grant(Role::Operator, "orgUnits/341182")];
    let (_, both) = program(&anhu, "both", &roles).await;
    let (_, none) = program(&anhu, "none", &[]).await;
    let key = v1::ApiKey { label: "mine".to_owned(), ..Default::default() };
    users.get_user(v1::GetUserRequest { name: both.clone() }).await.expect("seen");
    let refused = [
        users.reset_password(v1::ResetPasswordRequest { name: both.clone() }).await.map(drop),
        users.end_sessions(v1::EndSessionsRequest { name: both.clone() }).await.map(drop),
        users.create_api_key(v1::CreateApiKeyRequest { parent: both, api_key: Some(key) }).await.map(drop),
        users.create_user(wish_without_role()).await.map(drop),
    ];
    for (place, answer) in refused.into_iter().enumerate() {
        assert_eq!(answer.expect_err("not theirs").code(), Code::PermissionDenied, "{place}");
    }
    let hidden = users.get_user(v1::GetUserRequest { name: none }).await.expect_err("not theirs");
    assert_eq!(hidden.code(), Code::NotFound);
    // Nor do they make more of somebody than they may.
    let listed = users.list_users(v1::ListUsersRequest::default()).await.expect("a page").into_inner();
    let mut op = listed.users.into_iter().find(|user| user.login == "op").expect("theirs");
    op.grants.push(grant(Role::Operator, "orgUnits/341182"));
    let update_mask = Some(prost_types::FieldMask { paths: vec!["grants".to_owned()] });
    let wider = v1::UpdateUserRequest { user: Some(op), update_mask };
    assert_eq!(users.update_user(wider).await.expect_err("wider").code(), Code::PermissionDenied);

    let listed = users.list_users(v1::ListUsersRequest::default()).await.expect("a page").into_inner();
    let logins: Vec<_> = listed.users.iter().map(|user| user.login.as_str()).collect();
    assert_eq!(logins, ["county-admin", "op", "town", "their-helper", "both"]);
}

fn wish_without_role() -> v1::CreateUserRequest {
    let user = v1::User { login: "bare".to_owned(), display_name: "bare".to_owned(), ..Default::default() };
    v1::CreateUserRequest { user: Some(user) }
}

#[tokio::test]
async fn a_slip_in_a_scope_is_no_role_for_everything() {
    let anhu = closed().await;
    let mut users = Caller::host(&anhu).await.users();
    for scope in ["/orgUnits/341181", "/", "orgUnits/", "orgunits/341181", "341181", " "] {
        let user = v1::User {
            login: "slip".to_owned(),
            display_name: "slip".to_owned(),
            grants: vec![grant(Role::Operator, scope)],
            ..Default::default()
        };
        let refused = users.create_user(v1::CreateUserRequest { user: Some(user) }).await.expect_err(scope);
        assert_eq!(refused.code(), Code::InvalidArgument, "{scope:?}");
    }
}

#[tokio::test]
async fn two_consoles_that_count_alike_open_two_incidents() {
    let anhu = closed().await;
    let mut names = Vec::new();
    for login in ["wang", "li"] {
        let (caller, _) = program(&anhu, login, &[grant(Role::Operator, "orgUnits/341181")]).await;
        let call = v1::OpenIncidentRequest {
            request_id: "call-1".to_owned(),
            kind: v1::Kind::Sos.into(),
            ..Default::default()
        };
        let first = caller.incidents().open_incident(call.clone()).await.expect("opened").into_inner();
        let again = caller.incidents().open_incident(call).await.expect("the same").into_inner();
        assert_eq!(
            first.incident.as_ref().map(|one| &one.name),
            again.incident.as_ref().map(|one| &one.name)
        );
        names.push(first.incident.expect("an incident").name);
    }
    assert_ne!(names[0], names[1]);
}

#[tokio::test]
async fn a_manager_enters_helpers_where_their_provider_works() {
    let Counties { anhu, .. } = Counties::build().await;
    let (manager, _) = program(&anhu, "manager", &[grant(Role::ProviderManager, "providers/0")]).await;
    let wish = |provider: &str, unit: &str| v1::CreateResponderRequest {
        responder: Some(v1::Responder {
            display_name: "新人".to_owned(),
            provider: provider.to_owned(),
            org_unit: unit.to_owned(),
            ..Default::default()
        }),
    };
    let mut registry = manager.registry();
    registry.create_responder(wish("providers/0", OURS)).await.expect("theirs");
    for (provider, unit, code) in [
        ("providers/0", THEIRS, Code::PermissionDenied),
        ("providers/1", OURS, Code::NotFound),
        ("", OURS, Code::PermissionDenied),
    ] {
        let refused = registry.create_responder(wish(provider, unit)).await.expect_err(unit);
        assert_eq!(refused.code(), code, "{provider} {unit}");
    }
    // Nor does whoever enters helpers of a county enter them for a provider of another.
    let (integrator, _) = program(&anhu, "gateway", &[grant(Role::Integrator, "orgUnits/341181")]).await;
    let refused = integrator.registry().create_responder(wish("providers/1", OURS)).await;
    assert_eq!(refused.expect_err("not theirs").code(), Code::NotFound);
}
