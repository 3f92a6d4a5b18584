//! Devices come in by keys of their own, and speak for themselves only.

use tests::{
    anhu::Anhu,
    caller::{Caller, grant, program},
    counties::{Counties, OURS, THEIRS},
    mqtt::Line,
};
use tonic::Code;
use wire::v1::{self, Role};

/// How an alert of a device is taken.
async fn alert(line: &mut Line, device: &str, id: u16) -> bool {
    let payload = format!(r#"{{"kind":"sos","id":"key-{id}"}}"#);
    let sent = line.publish(id, &format!("anhu/v1/{device}/alert"), &payload, false).await;
    sent.is_ok() && line.acknowledged().await.is_ok()
}

async fn line(anhu: &Anhu, client: &str, password: &str) -> Option<Line> {
    Line::open_with(anhu.mqtt_port, client, Some(password)).await.expect("an answer")
}

/// Whether a new line with this password may subscribe. New, because receipts come on one that may.
async fn may_subscribe(anhu: &Anhu, password: &str, filter: &str) -> bool {
    let mut ears = line(anhu, "ears", password).await.expect("let in");
    ears.subscribe(filter).await.expect("an answer")
}

async fn key(caller: &Caller, device: &str) -> Result<String, tonic::Status> {
    let request = v1::CreateDeviceKeyRequest { device: device.to_owned() };
    caller.users().create_device_key(request).await.map(|answer| answer.into_inner().secret)
}

/// Alerts that stand in the incidents of this device.
async fn alerts_of(host: &Caller, device: &str) -> usize {
    let listed = host.incidents().list_incidents(v1::ListIncidentsRequest::default()).await;
    let mut count = 0;
    for incident in listed.expect("a page").into_inner().incidents {
        let request = v1::GetIncidentRequest { name: incident.name };
        let whole = host.incidents().get_incident(request).await.expect("an incident").into_inner();
        let alerts = whole.incident.expect("an incident").alerts;
        count += alerts.iter().filter(|alert| alert.device == device).count();
    }
    count
}

#[tokio::test]
async fn a_device_speaks_for_itself_until_its_key_is_taken_back() {
    let Counties { anhu, names } = Counties::build().await;
    let host = Caller::host(&anhu).await;
    let (ours, theirs) = (&names[OURS][1], &names[THEIRS][1]);
    for wrong in ["", "wrong", "anhu_d_", &names[OURS][1]] {
        assert!(line(&anhu, "wrist-341181", wrong).await.is_none(), "{wrong}");
    }
    assert!(Line::open_with(anhu.mqtt_port, "wrist-341181", None).await.expect("an answer").is_none());

    let first = key(&host, ours).await.expect("a key");
    let mut own = line(&anhu, "wrist-341181", &first).await.expect("let in");
    assert!(alert(&mut own, "wrist-341181", 1).await);
    assert!(may_subscribe(&anhu, &first, "anhu/v1/wrist-341181/receipt").await);
    for filter in ["anhu/v1/wrist-341182/receipt", "anhu/v1/+/receipt", "#", "anhu/v1/wrist-341181/alert"] {
        assert!(!may_subscribe(&anhu, &first, filter).await, "{filter}");
    }
    // For another device it gets no acknowledgement, and its line ends.
    let before = alerts_of(&host, theirs).await;
    assert!(!alert(&mut own, "wrist-341182", 2).await);
    assert!(!alert(&mut own, "wrist-341181", 3).await, "the line has ended");
    assert_eq!(alerts_of(&host, theirs).await, before);
    // Nor is it let in to anything else.
    let caller = Caller::with(&anhu, &first).await;
    assert_eq!(caller.knock("/anhu.v1.IngestService/PublishSignals").await, Code::Unauthenticated);

    let mut old = line(&anhu, "wrist-341181", &first).await.expect("let in");
    let second = key(&host, ours).await.expect("another key");
    assert!(!alert(&mut old, "wrist-341181", 4).await, "the key before holds no more");
    assert!(line(&anhu, "wrist-341181", &first).await.is_none());
    let mut new = line(&anhu, "wrist-341181", &second).await.expect("let in");
    assert!(alert(&mut new, "wrist-341181", 5).await);
    let revoke = v1::RevokeDeviceKeyRequest { device: ours.clone() };
    host.users().revoke_device_key(revoke).await.expect("taken back");
    assert!(!alert(&mut new, "wrist-341181", 6).await);
    assert!(line(&anhu, "wrist-341181", &second).await.is_none());
}

#[tokio::test]
async fn a_gateway_speaks_for_the_devices_of_its_county() {
    let Counties { anhu, names } = Counties::build().await;
    let grants = [grant(Role::Integrator, "orgUnits/341181")];
    let (gateway, user) = program(&anhu, "gateway", &grants).await;
    let host = Caller::host(&anhu).await;
    let request = v1::CreateApiKeyRequest {
        parent: user.clone(),
        api_key: Some(v1::ApiKey { label: "mqtt".to_owned(), ..Default::default() }),
    };
    let secret = host.users().create_api_key(request).await.expect("a key").into_inner().secret;
    let mut open = line(&anhu, "gateway", &secret).await.expect("let in");
    assert!(alert(&mut open, "wrist-341181", 1).await);
    assert!(alert(&mut open, "wrist-of-nobody", 2).await, "one that nobody knows may be one of theirs");
    assert!(may_subscribe(&anhu, &secret, "anhu/v1/wrist-341181/receipt").await);
    assert!(!may_subscribe(&anhu, &secret, "anhu/v1/wrist-341182/receipt").await);
    assert!(!alert(&mut open, "wrist-341182", 3).await);

    // It gives keys to its devices and to no others.
    key(&gateway, &names[OURS][1]).await.expect("a key");
    assert_eq!(key(&gateway, &names[THEIRS][1]).await.expect_err("not theirs").code(), Code::NotFound);

    // Who may not publish does not come in; who is turned away is out.
    let (_, auditor) = program(&anhu, "auditor", &[grant(Role::Auditor, "")]).await;
    let request = v1::CreateApiKeyRequest {
        parent: auditor,
        api_key: Some(v1::ApiKey { label: "mqtt".to_owned(), ..Default::default() }),
    };
    let reads = host.users().create_api_key(request).await.expect("a key").into_inner().secret;
    assert!(line(&anhu, "auditor", &reads).await.is_none());
    let mut open = line(&anhu, "gateway", &secret).await.expect("let in");
    let user = v1::User { name: user, etag: "0".to_owned(), disabled: true, ..Default::default() };
    let update_mask = Some(prost_types::FieldMask { paths: vec!["disabled".to_owned()] });
    host.users()
        .update_user(v1::UpdateUserRequest { user: Some(user), update_mask })
        .await
        .expect("disabled");
    assert!(!alert(&mut open, "wrist-341181", 4).await);
}
