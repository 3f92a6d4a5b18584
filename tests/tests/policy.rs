//! Another policy while the server runs: what runs keeps its timers, what comes follows the new one, faults change nothing.

use std::{path::PathBuf, process::Command};

use tests::{
    anhu::{Anhu, folder, in_tree},
    wait,
    world::{self, HOME, place},
};
use tonic_types::StatusExt as _;
use wire::v1;

fn shipped() -> String {
    std::fs::read_to_string(in_tree("config/policy.toml")).expect("the policy")
}

/// A server with a policy file of its own.
async fn with_a_policy_file() -> (Anhu, PathBuf) {
    let folder = folder();
    let file = folder.path().join("policy.toml");
    std::fs::write(&file, shipped()).expect("a policy");
    let anhu = Anhu::start_with(&format!("policy_file = {:?}", file.display()), folder).await;
    (anhu, file)
}

async fn version(anhu: &Anhu) -> String {
    let answer = anhu.system().await.get_version(v1::GetVersionRequest {}).await.expect("a version");
    answer.into_inner().policy_version
}

async fn sos(anhu: &Anhu, id: &str) -> v1::Incident {
    let call = v1::OpenIncidentRequest {
        request_id: id.to_owned(),
        kind: v1::Kind::Sos.into(),
        place: Some(place(HOME.0, HOME.1)),
        operator: "li".to_owned(),
        ..v1::OpenIncidentRequest::default()
    };
    let opened = anhu.incidents().await.open_incident(call).await.expect("opened");
    opened.into_inner().incident.expect("it")
}

/// How long an offer lives, in seconds.
fn lives(incident: &v1::Incident) -> i64 {
    let offer = &incident.offers[0];
    offer.expires_at.expect("an end").seconds - offer.sent_at.expect("a beginning").seconds
}

#[tokio::test]
async fn a_new_policy_is_read_on_sighup_and_what_runs_keeps_its_timers() {
    let (mut anhu, file) = with_a_policy_file().await;
    world::build(&anhu, &[], 6).await;
    let before = version(&anhu).await;
    let running = sos(&anhu, "c-1").await;
    assert_eq!((running.offers.len(), lives(&running)), (3, 20));

    let patient = shipped().replace("offer_lives_s = 20", "offer_lives_s = 3600");
    std::fs::write(&file, patient).expect("another policy");
    anhu.hang_up();
    wait::until("it is in force", async || (version(&anhu).await != before).then_some(())).await;
    let after = version(&anhu).await;
    assert!(anhu.get("/readyz").1.contains(&after), "{}", anhu.get("/readyz").1);
    let still = anhu.incident(&running.name).await;
    assert_eq!(still.offers[0].expires_at, running.offers[0].expires_at);
    assert_eq!(lives(&sos(&anhu, "c-2").await), 3600);

    std::fs::write(&file, shipped().replace("remind_every_s = 300", "remind_every_s = 0")).expect("a fault");
    anhu.hang_up();
    wait::until("it says so", async || anhu.log().contains("the policy stays as it was").then_some(())).await;
    assert_eq!(version(&anhu).await, after);

    assert!(anhu.stop(), "it ends well:\n{}", anhu.log());
    let dump = Command::new(tests::anhu::binary())
        .args(["journal", "dump", "--data-dir"])
        .arg(anhu.data())
        .output()
        .expect("anhu runs");
    let dump = String::from_utf8(dump.stdout).expect("text");
    let at = |version: &str| dump.find(&format!("\"policyReplaced\":{{\"version\":\"{version}\"}}"));
    assert!(at(&before).expect("the first") < at(&after).expect("the second"), "{dump}");
    assert_eq!(dump.matches("policyReplaced").count(), 2);
}

#[tokio::test]
async fn a_file_with_faults_changes_nothing_and_every_fault_comes_back() {
    let (anhu, file) = with_a_policy_file().await;
    let before = version(&anhu).await;
    let faulty = shipped().replace("remind_every_s = 300", "remind_every_s = 0");
    let faulty = faulty.replace("asks_per_responder = 3", "asks_per_responder = 99");
    std::fs::write(&file, &faulty).expect("two faults");
    let mut system = anhu.system().await;
    let refused = system.reload_policy(v1::ReloadPolicyRequest {}).await.expect_err("faults");
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition);
    let faults = refused.get_details_bad_request().expect("a BadRequest").field_violations;
    let fields: Vec<_> = faults.iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!(fields, ["remind_every_s", "asks_per_responder"]);
    assert_eq!(version(&anhu).await, before);

    std::fs::write(&file, shipped()).expect("the same");
    let same = system.reload_policy(v1::ReloadPolicyRequest {}).await.expect("sound").into_inner();
    assert_eq!((same.policy_version.as_str(), same.replaced), (before.as_str(), false));
    std::fs::write(&file, shipped() + "\n# Written anew.\n").expect("another text");
    let other = system.reload_policy(v1::ReloadPolicyRequest {}).await.expect("sound").into_inner();
    assert!(other.replaced && other.policy_version != before);
    assert_eq!(version(&anhu).await, other.policy_version);
}
