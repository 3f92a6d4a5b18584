//! The API as an integrator meets it: a public client, reflection, health, error details, gRPC-Web, resuming a stream.

use std::process::Command;

use tests::{
    anhu::{Anhu, in_tree},
    mosquitto, world,
};
use tonic_types::StatusExt as _;
use wire::v1::{self, watch_incidents_response::Change};

fn buf(arguments: &[&str]) -> (bool, String, String) {
    let program = in_tree("tests/tools/node_modules/@bufbuild/buf-linux-x64/bin/buf");
    assert!(program.exists(), "buf is not installed: run `make tools`");
    let output = Command::new(program).args(arguments).output().expect("buf runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

/// Calls a method with a public client that knows the API by reflection alone.
fn buf_curl(anhu: &Anhu, method: &str, request: &str) -> (bool, String, String) {
    let url = format!("{}/{method}", anhu.http);
    buf(&["curl", "--protocol", "grpc", "--http2-prior-knowledge", "--reflect", "-d", request, &url])
}

#[test]
fn the_api_passes_the_linter() {
    let proto = in_tree("proto");
    let (passed, out, err) = buf(&["lint", proto.to_str().expect("a path")]);
    assert!(passed, "{out}{err}");
}

#[tokio::test]
async fn a_public_client_finds_its_way_by_reflection() {
    let anhu = Anhu::start().await;
    let (passed, out, err) = buf_curl(&anhu, "anhu.v1.SystemService/GetVersion", "{}");
    assert!(passed && out.contains(env!("CARGO_PKG_VERSION")), "{out}{err}");
    let (passed, out, err) = buf_curl(&anhu, "grpc.health.v1.Health/Check", "{}");
    assert!(passed && out.contains("SERVING"), "{out}{err}");
    for protocol in ["grpc-v1", "grpc-v1alpha"] {
        let url = &anhu.http;
        let (passed, out, err) = buf(&[
            "curl",
            "--protocol",
            "grpc",
            "--http2-prior-knowledge",
            "--reflect",
            "--reflect-protocol",
            protocol,
            "--list-services",
            url,
        ]);
        assert!(passed && out.contains("anhu.v1.IncidentService"), "{protocol}: {out}{err}");
    }
}

#[tokio::test]
async fn an_error_says_what_where_and_what_to_do() {
    let anhu = Anhu::start().await;
    let mut desk = anhu.incidents().await;
    let wrong = v1::GetIncidentRequest { name: "incident-7".to_owned() };
    let status = desk.get_incident(wrong).await.expect_err("no such name");
    let details = status.get_details_bad_request().expect("a BadRequest");
    assert_eq!(details.field_violations[0].field, "name");
    let missing = v1::GetIncidentRequest { name: "incidents/7".to_owned() };
    let status = desk.get_incident(missing).await.expect_err("no such incident");
    assert_eq!(status.code(), tonic::Code::NotFound);
    assert_eq!(status.get_details_resource_info().expect("a ResourceInfo").resource_name, "incidents/7");
    let close = v1::CloseIncidentRequest { name: "incidents/7".to_owned(), operator: "li".to_owned() };
    let status = desk.close_incident(close).await.expect_err("no such incident");
    assert_eq!(status.get_details_error_info().expect("an ErrorInfo").reason, "NO_INCIDENT");
}

#[tokio::test]
async fn an_unknown_method_is_unimplemented_and_an_unknown_page_is_not_found() {
    let anhu = Anhu::start().await;
    let output = Command::new("curl")
        .args([
            "-s",
            "-D",
            "-",
            "--http2-prior-knowledge",
            "-X",
            "POST",
            "-H",
            "content-type: application/grpc",
        ])
        .arg(format!("{}/anhu.v1.Nothing/Here", anhu.http))
        .output()
        .expect("curl runs");
    let head = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(head.contains("grpc-status: 12"), "{head}");
    assert_eq!(anhu.get("/nothing").0, 404);
    assert_eq!(anhu.get("/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(anhu.get("/readyz").0, 200);
}

#[tokio::test]
async fn a_browser_calls_by_grpc_web_on_the_same_port() {
    let anhu = Anhu::start().await;
    let body = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(body.path(), [0, 0, 0, 0, 0]).expect("an empty request");
    let output = Command::new("curl")
        .args(["-s", "-D", "-", "-X", "POST", "-H", "content-type: application/grpc-web+proto"])
        .args(["-H", "origin: http://localhost:5173", "--output", "-", "--data-binary"])
        .arg(format!("@{}", body.path().display()))
        .arg(format!("{}/anhu.v1.SystemService/GetVersion", anhu.http))
        .output()
        .expect("curl runs");
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(answer.contains("application/grpc-web+proto"), "{answer}");
    assert!(answer.contains("access-control-allow-origin: http://localhost:5173"), "{answer}");
    assert!(answer.contains("grpc-status:0") || answer.contains("grpc-status: 0"), "{answer}");
}

#[tokio::test]
async fn a_broken_watch_goes_on_where_it_was() {
    let anhu = Anhu::start().await;
    world::build(&anhu, &["wrist-1", "wrist-2"], 1).await;
    let mut watch = anhu.watch().await;
    let press = |device: &str| {
        let topic = format!("anhu/v1/{device}/alert");
        assert!(mosquitto::publish(anhu.mqtt_port, &topic, br#"{"kind":"sos"}"#, &[]).status.success());
    };
    press("wrist-1");
    let seen = watch.until(|incident| !incident.offers.is_empty()).await;
    let resume_token = watch.resume_token.clone();
    drop(watch);
    press("wrist-2");
    anhu.wait_for_incident("the second press", |incident| incident.alert_count == 2).await;

    let request = v1::WatchIncidentsRequest { resume_token, include_watchdog: false };
    let mut stream = anhu.incidents().await.watch_incidents(request).await.expect("a stream").into_inner();
    let first = stream.message().await.expect("no error").expect("a change").change;
    let Some(Change::Incident(missed)) = first else { panic!("what was missed comes first: {first:?}") };
    assert_eq!(missed.name, seen.name);
    assert_eq!(missed.alert_count, 2);
    assert!(missed.revision > seen.revision);
}

#[tokio::test]
async fn an_integrator_without_mqtt_gets_the_same_rules() {
    let anhu = Anhu::start().await;
    let world = world::build(&anhu, &["wrist-1"], 1).await;
    let alert = |id: &str| v1::DeviceSignal {
        device_id: "wrist-1".to_owned(),
        content: Some(v1::device_signal::Content::Alert(v1::DeviceAlert {
            kind: v1::Kind::Fall.into(),
            id: id.to_owned(),
            ..v1::DeviceAlert::default()
        })),
    };
    let unreadable = v1::DeviceSignal { device_id: "wrist-1".to_owned(), content: None };
    let signals = vec![alert("f-1"), alert("f-1"), unreadable];
    let request = v1::PublishSignalsRequest { signals };
    let results = anhu.ingest().await.publish_signals(request).await.expect("taken").into_inner().results;
    assert!(!results[0].duplicate && results[1].duplicate, "{results:?}");
    assert!(results[2].error.contains("content") && !results[2].incident.is_empty(), "{results:?}");
    let incident = anhu.incident(&results[0].incident).await;
    assert_eq!(incident.elder, world.elder);
    assert_eq!(incident.alert_count, 2, "the fall, and what could not be read");
}

#[tokio::test]
async fn a_call_opens_an_incident_once_and_an_operator_can_send_somebody_by_name() {
    let anhu = Anhu::start().await;
    let world = world::build(&anhu, &[], 2).await;
    let mut desk = anhu.incidents().await;
    let call = v1::OpenIncidentRequest {
        request_id: "call-1".to_owned(),
        kind: v1::Kind::WaterLeak.into(),
        elder: world.elder.clone(),
        detail: "厨房漏水".to_owned(),
        operator: "li".to_owned(),
        ..v1::OpenIncidentRequest::default()
    };
    let opened = desk.open_incident(call.clone()).await.expect("opened").into_inner().incident.expect("it");
    let again = desk.open_incident(call).await.expect("opened").into_inner().incident.expect("it");
    assert_eq!(opened.name, again.name);
    assert_eq!(again.alert_count, 1);
    assert!(opened.offers.is_empty(), "an operator decides about P3");
    let named = v1::DispatchIncidentRequest {
        name: opened.name.clone(),
        operator: "li".to_owned(),
        responders: vec![world.responders[1].clone()],
    };
    let sent = desk.dispatch_incident(named).await.expect("sent").into_inner().incident.expect("it");
    assert_eq!(sent.offers[0].responder, world.responders[1]);
    assert_eq!(sent.operator, "li");
}

#[tokio::test]
async fn without_development_mode_nobody_comes_in_without_the_token() {
    let data = tempfile::tempdir().expect("a folder");
    let token = Command::new(tests::anhu::binary())
        .args(["token", "--data-dir"])
        .arg(data.path())
        .output()
        .expect("anhu runs");
    let token = String::from_utf8(token.stdout).expect("text").trim().to_owned();
    let (http, mqtt) = (tests::wait::free_port(), tests::wait::free_port());
    let mut child = Command::new(tests::anhu::binary())
        .args([
            "serve",
            "--http-listen",
            &format!("127.0.0.1:{http}"),
            "--mqtt-listen",
            &format!("127.0.0.1:{mqtt}"),
        ])
        .arg("--data-dir")
        .arg(data.path())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("anhu runs");
    let url = format!("http://127.0.0.1:{http}");
    let endpoint = tonic::transport::Channel::from_shared(url).expect("a URL");
    let channel = tests::wait::until("it serves", async || endpoint.connect().await.ok()).await;
    let mut system = v1::system_service_client::SystemServiceClient::new(channel);
    let refused = system.get_version(v1::GetVersionRequest {}).await.expect_err("no token");
    assert_eq!(refused.code(), tonic::Code::Unauthenticated, "{refused:?}");
    let mut request = tonic::Request::new(v1::GetVersionRequest {});
    let header = format!("Bearer {token}").parse().expect("a header");
    request.metadata_mut().insert("authorization", header);
    system.get_version(request).await.expect("the token opens the door");
    let topic = "anhu/v1/wrist-1/alert";
    let without = mosquitto::publish(mqtt, topic, br#"{"kind":"sos"}"#, &[]);
    let with = mosquitto::publish(mqtt, topic, br#"{"kind":"sos"}"#, &["-u", "wrist-1", "-P", &token]);
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    assert!(!without.status.success() && with.status.success(), "{without:?} {with:?}");
}
