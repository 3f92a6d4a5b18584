//! Signing in: by password, by key, by what is forged, and being turned away at once.

use std::{process::Command, sync::Arc};

use tests::{
    anhu::Anhu,
    caller::{Caller, grant, program},
    wait::until,
};
use tokio_stream::StreamExt as _;
use tonic::Code;
use wire::v1::{self, Role};

const GOOD: &str = "梧桐 四十七 lantern-okra";
const BETTER: &str = "okra-lantern 四十八 银杏";

fn folder() -> Arc<tempfile::TempDir> {
    Arc::new(tempfile::tempdir().expect("a folder"))
}

/// What the first start has shown.
async fn first_password(anhu: &Anhu) -> String {
    until("a password is shown", async || {
        let log = anhu.log();
        let after = log.split("Sign in as admin with the password ").nth(1)?;
        Some(after.split_whitespace().next()?.chars().take_while(|c| *c != '\x1b').collect())
    })
    .await
}

fn with(login: &str, password: &str) -> v1::SignInRequest {
    v1::SignInRequest { login: login.to_owned(), password: password.to_owned() }
}

async fn sign_in(anhu: &Anhu, login: &str, password: &str) -> Result<v1::SignInResponse, tonic::Status> {
    let mut users = Caller::with_header(anhu, None).await.users();
    users.sign_in(with(login, password)).await.map(tonic::Response::into_inner)
}

/// An administrator who has chosen a password.
async fn administrator(anhu: &Anhu) -> Caller {
    let first = first_password(anhu).await;
    let session = sign_in(anhu, "admin", &first).await.expect("the first");
    assert!(session.must_change_password);
    let change = v1::ChangePasswordRequest { old_password: first, new_password: GOOD.to_owned() };
    let changed = Caller::with(anhu, &session.token).await.users().change_password(change).await;
    Caller::with(anhu, &changed.expect("chosen").into_inner().token).await
}

#[tokio::test]
async fn the_first_password_is_good_for_choosing_another() {
    let data = folder();
    let mut anhu = Anhu::start_closed("", Arc::clone(&data)).await;
    let first = first_password(&anhu).await;
    let session = sign_in(&anhu, "admin", &first).await.expect("the first");
    let caller = Caller::with(&anhu, &session.token).await;
    let listed = caller.users().list_users(v1::ListUsersRequest::default()).await;
    assert_eq!(listed.expect_err("not yet").code(), Code::FailedPrecondition);
    let who = caller.users().get_current_user(v1::GetCurrentUserRequest {}).await.expect("that").into_inner();
    assert!(who.must_change_password);
    let change = |old: &str, new: &str| v1::ChangePasswordRequest {
        old_password: old.to_owned(),
        new_password: new.to_owned(),
    };
    for weak in ["password123456", first.as_str()] {
        let refused = caller.users().change_password(change(&first, weak)).await.expect_err(weak);
        assert_eq!(refused.code(), Code::InvalidArgument, "{weak}");
    }
    let refused = caller.users().change_password(change("something", GOOD)).await.expect_err("not the old");
    assert_eq!(refused.code(), Code::Unauthenticated);
    let changed = caller.users().change_password(change(&first, GOOD)).await.expect("chosen").into_inner();
    assert_eq!(
        caller.knock("/anhu.v1.SystemService/GetVersion").await,
        Code::Unauthenticated,
        "the old session"
    );

    // It holds after a restart, which shows no other; and so does the session.
    anhu.kill();
    let anhu = Anhu::start_closed("", data).await;
    let caller = Caller::with(&anhu, &changed.token).await;
    caller.users().list_users(v1::ListUsersRequest::default()).await.expect("they may");
    sign_in(&anhu, "admin", GOOD).await.expect("the new one");
    assert_eq!(sign_in(&anhu, "admin", &first).await.expect_err("used up").code(), Code::Unauthenticated);
    assert!(!anhu.log().contains("Sign in as"), "{}", anhu.log());
    for secret in [GOOD, &first, &changed.token, &session.token] {
        assert!(!anhu.log().contains(secret));
        let found = Command::new("grep").args(["-rqaF", "--", secret]).arg(anhu.data()).status();
        assert_eq!(found.expect("grep runs").code(), Some(1), "no file holds it");
    }
}

#[tokio::test]
async fn who_guesses_is_slowed_down_and_who_knows_waits_for_nobody_else() {
    let anhu = Anhu::start_closed("", folder()).await;
    let administrator = administrator(&anhu).await;
    let user = v1::User { login: "wang".to_owned(), display_name: "王".to_owned(), ..Default::default() };
    let created = administrator.users().create_user(v1::CreateUserRequest { user: Some(user) }).await;
    let password = created.expect("a user").into_inner().one_time_password;
    let mut codes = Vec::new();
    for number in 0..8 {
        let guess = format!("guess-{number}");
        codes.push(sign_in(&anhu, "admin", &guess).await.expect_err("a guess").code());
    }
    assert!(codes.ends_with(&[Code::ResourceExhausted; 3]), "{codes:?}");
    let slowed = sign_in(&anhu, "admin", GOOD).await.expect_err("slowed down");
    assert!(slowed.message().contains("the next one is in"), "{}", slowed.message());
    sign_in(&anhu, "wang", &password).await.expect("somebody else");
    // Nobody learns who is known.
    let (known, unknown) =
        (sign_in(&anhu, "wang", "wrong").await, sign_in(&anhu, "nobody-here", "wrong").await);
    let told =
        |answer: Result<v1::SignInResponse, tonic::Status>| answer.expect_err("wrong").message().to_owned();
    assert_eq!(told(known), told(unknown));
}

#[tokio::test]
async fn who_is_turned_away_is_out_at_once_with_all_that_is_open() {
    let anhu = Anhu::start_closed("", folder()).await;
    let administrator = administrator(&anhu).await;
    let (program, name) = program(&anhu, "screen", &[grant(Role::Operator, "")]).await;
    let watch = || async {
        let mut incidents = program.incidents();
        incidents.watch_incidents(v1::WatchIncidentsRequest::default()).await
    };
    let mut users = administrator.users();
    let user = |etag: &str, disabled| v1::UpdateUserRequest {
        user: Some(v1::User { name: name.clone(), etag: etag.to_owned(), disabled, ..Default::default() }),
        update_mask: Some(prost_types::FieldMask { paths: vec!["disabled".to_owned()] }),
    };
    let mut stream = watch().await.expect("a stream").into_inner();
    let stale = users.update_user(user("7", true)).await.expect_err("not what it is now");
    assert_eq!(stale.code(), Code::Aborted);
    let changed = users.update_user(user("0", true)).await.expect("disabled").into_inner();
    let ended = async { while let Some(Ok(_)) = stream.next().await {} };
    tokio::time::timeout(std::time::Duration::from_secs(5), ended).await.expect("the stream has ended");
    assert_eq!(watch().await.expect_err("disabled").code(), Code::Unauthenticated);

    let again = changed.user.expect("a user").etag;
    users.update_user(user(&again, false)).await.expect("let in again");
    let mut stream = watch().await.expect("a stream").into_inner();
    let revoke = v1::RevokeApiKeyRequest { name: format!("{name}/apiKeys/0") };
    users.revoke_api_key(revoke).await.expect("revoked");
    let last = async {
        loop {
            match stream.next().await {
                Some(Ok(_)) => {}
                Some(Err(status)) => return status.code(),
                None => return Code::Ok,
            }
        }
    };
    let last = tokio::time::timeout(std::time::Duration::from_secs(5), last).await;
    assert_eq!(last.expect("the stream has ended"), Code::Unauthenticated);
    assert_eq!(watch().await.expect_err("no key").code(), Code::Unauthenticated);
}

#[tokio::test]
async fn nothing_forged_is_let_in() {
    let anhu = Anhu::start_closed("", folder()).await;
    let session = sign_in(&anhu, "admin", &first_password(&anhu).await).await.expect("the first").token;
    let host = std::fs::read_to_string(anhu.data().join("access-token")).expect("a token");
    let host = host.trim();
    // A token of the kind that says of itself that nobody signed it.
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJhZG1pbiIsInJvbGUiOiJhZG1pbmlzdHJhdG9yIn0.";
    let forged = [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        format!("Bearer {none}"),
        format!("Basic {host}"),
        format!("Bearer {}", &host[..63]),
        format!("Bearer {host}0"),
        format!("Bearer {}", host.to_uppercase()),
        format!("Bearer {}", session.replace("anhu_s_", "anhu_k_")),
        format!("Bearer {}", session.trim_start_matches("anhu_s_")),
        format!("Bearer {}", blake3::hash(host.as_bytes())),
        "Bearer anhu_s_".to_owned(),
        format!("Bearer {}", "x".repeat(8_000)),
    ];
    for header in forged {
        let caller = Caller::with_header(&anhu, Some(&header)).await;
        let answer = caller.knock("/anhu.v1.RegistryService/ListElders").await;
        assert_eq!(answer, Code::Unauthenticated, "{header:.40}");
    }
    let caller = Caller::with(&anhu, host).await;
    assert_eq!(caller.knock("/anhu.v1.RegistryService/ListElders").await, Code::Ok);
    // Other spellings of a method are no method.
    let nobody = Caller::with_header(&anhu, None).await;
    for path in [
        "//anhu.v1.RegistryService/ListElders",
        "/anhu.v1.RegistryService/ListElders/",
        "/anhu.v1.RegistryService//ListElders",
        "/anhu.v1.registryservice/listelders",
        "/anhu.v1.RegistryService/List%45lders",
        "/anhu.v1.AccessService/SignIn/../../anhu.v1.RegistryService/ListElders",
        "/anhu.v1.RegistryService/ListElders?x=/anhu.v1.AccessService/SignIn",
    ] {
        let answer = nobody.knock(path).await;
        assert!(!matches!(answer, Code::Ok), "{path}: {answer:?}");
    }
    // Browsers come in by the same gate.
    let url = format!("{}/anhu.v1.RegistryService/ListElders", anhu.http);
    let web = Command::new("curl")
        .args(["-s", "-i", "-X", "POST", "-H", "content-type: application/grpc-web+proto"])
        .args(["--data-binary", "@/dev/null", &url])
        .output()
        .expect("curl runs");
    assert!(String::from_utf8_lossy(&web.stdout).contains("grpc-status: 16"), "{web:?}");
}

#[tokio::test]
async fn who_must_sign_in_while_the_disk_is_full_can() {
    let anhu = Anhu::start_closed("", folder()).await;
    let _administrator = administrator(&anhu).await;
    anhu.fill_disk();
    let session = sign_in(&anhu, "admin", GOOD).await.expect("let in");
    let caller = Caller::with(&anhu, &session.token).await;
    caller.users().list_users(v1::ListUsersRequest::default()).await.expect("they may");
    let change = v1::ChangePasswordRequest { old_password: GOOD.to_owned(), new_password: BETTER.to_owned() };
    let told = caller.users().change_password(change).await.expect_err("it may be forgotten");
    assert_eq!(told.code(), Code::Unavailable);
}
