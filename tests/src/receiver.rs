//! A system outside that is told things by HTTP.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use serde_json::Value;
use standardwebhooks::Webhook;

/// What signs for the receiver of these tests.
pub const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
/// A key that some systems want in the address; nobody should read it in a log.
pub const KEY_IN_ADDRESS: &str = "key-4711";

/// What the receiver does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// This status.
    Status(u16),
    /// Takes the call and never answers.
    Never,
}

/// One call.
#[derive(Debug, Clone)]
pub struct Call {
    /// By which a repetition is known.
    pub id: String,
    /// The body.
    pub body: Value,
    /// What was answered.
    pub answer: Answer,
    /// When it came.
    pub at: Instant,
}

impl Call {
    /// What happened.
    #[must_use]
    pub fn event(&self) -> String {
        self.body["type"].as_str().unwrap_or_default().to_owned()
    }

    /// To which incident.
    #[must_use]
    pub fn incident(&self) -> String {
        self.body["data"]["incident"].as_str().unwrap_or_default().to_owned()
    }
}

type Rule = Box<dyn Fn(&[Call], &Value) -> Answer + Send>;

#[derive(Clone)]
struct Shared {
    calls: Arc<Mutex<Vec<Call>>>,
    rule: Arc<Mutex<Rule>>,
}

/// A receiver that runs until it is dropped.
pub struct Receiver {
    shared: Shared,
    task: tokio::task::JoinHandle<()>,
    /// Where it listens.
    pub port: u16,
}

impl Receiver {
    /// Starts one on a free port that takes everything.
    pub async fn start() -> Self {
        Self::start_on(0).await
    }

    /// Starts one on this port, where there was none.
    ///
    /// # Panics
    /// When the port is taken.
    pub async fn start_on(port: u16) -> Self {
        let taken = |_: &[Call], _: &Value| Answer::Status(204);
        let shared = Shared { calls: Arc::default(), rule: Arc::new(Mutex::new(Box::new(taken))) };
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let listener = tokio::net::TcpListener::bind(address).await.expect("a free port");
        let port = listener.local_addr().expect("its number").port();
        let path = format!("/hooks/{KEY_IN_ADDRESS}");
        let ping = format!("/ping/{KEY_IN_ADDRESS}");
        let router =
            Router::new().route(&path, post(take)).route(&ping, get(pinged)).with_state(shared.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { shared, task, port }
    }

    /// From now on it answers as `rule` says, which is shown the calls so far and the body of the new one.
    pub fn answer(&self, rule: impl Fn(&[Call], &Value) -> Answer + Send + 'static) {
        *self.shared.rule.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(rule);
    }

    /// Every call so far.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.shared.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The calls it took, each once, in the order they came first.
    #[must_use]
    pub fn taken(&self) -> Vec<Call> {
        let mut known = BTreeSet::new();
        let mut calls = self.calls();
        calls.retain(|call| call.answer == Answer::Status(204) && known.insert(call.id.clone()));
        calls
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let verified = Webhook::new(SECRET).expect("a secret").verify(&body, &headers);
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    shared.answer(id, body, verified.is_ok()).await
}

async fn pinged(State(shared): State<Shared>) -> StatusCode {
    shared.answer(String::new(), Value::Null, true).await
}

impl Shared {
    async fn answer(&self, id: String, body: Value, verified: bool) -> StatusCode {
        let answer = {
            let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
            let rule = self.rule.lock().unwrap_or_else(PoisonError::into_inner);
            let answer = if verified { rule(&calls, &body) } else { Answer::Status(401) };
            calls.push(Call { id, body, answer, at: Instant::now() });
            answer
        };
        match answer {
            Answer::Status(status) => StatusCode::from_u16(status).expect("a status"),
            Answer::Never => std::future::pending().await,
        }
    }
}

/// Where a receiver on this port is told by a plain GET that all is well.
#[must_use]
pub fn ping_url(port: u16) -> String {
    format!("http://127.0.0.1:{port}/ping/{KEY_IN_ADDRESS}")
}

/// Lines of configuration that tell a receiver on this port of these events. Write [`SECRET`] into `secret` first, with
/// [`secret_in`].
#[must_use]
pub fn webhook(name: &str, port: u16, events: &[&str], secret: &std::path::Path) -> String {
    format!(
        "[[webhooks]]\nname = \"{name}\"\nurl = \"http://127.0.0.1:{port}/hooks/{KEY_IN_ADDRESS}\"\n\
         secret_file = \"{}\"\nevents = {events:?}\n",
        secret.display()
    )
}

/// A file with the secret in it.
///
/// # Panics
/// When the machine has no room.
#[must_use]
pub fn secret_in(folder: &std::path::Path) -> std::path::PathBuf {
    let path = folder.join("webhook-secret");
    std::fs::write(&path, SECRET).expect("the secret");
    path
}
