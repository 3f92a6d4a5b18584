//! Sender: one try to tell one system outside, signed as Standard Webhooks asks.

use std::{error::Error, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};

use super::{delivery::Delivery, waiting::Outcome};
use crate::config::WebhookConfig;

/// Bytes read of an answer: it says nothing that we need, but a connection can be used again only after it was read.
const MAX_ANSWER: usize = 4096;
/// How long an unused connection is kept.
const IDLE: Duration = Duration::from_secs(60);

/// The way to one webhook.
pub(crate) struct Sender {
    name: String,
    uri: Uri,
    signer: Webhook,
    timeout: Duration,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Sender {
    /// Reads the secret.
    pub(crate) fn new(config: &WebhookConfig) -> anyhow::Result<Self> {
        let faulty = |remedy: String| anyhow::anyhow!("webhook {}: {remedy}", config.name);
        let uri = config.uri().map_err(|remedy| faulty(remedy.to_owned()))?;
        let signer = config.signer().map_err(faulty)?;
        let connector = connector(uri.scheme_str() == Some("https"))?;
        let client = Client::builder(TokioExecutor::new()).pool_idle_timeout(IDLE).build(connector);
        Ok(Self { name: config.name.clone(), uri, signer, timeout: config.timeout(), client })
    }

    /// Tries once.
    pub(crate) async fn send(&self, delivery: &Delivery) -> Outcome {
        let request = match self.request(delivery) {
            Ok(request) => request,
            Err(why) => return Outcome::Refused(why),
        };
        match tokio::time::timeout(self.timeout, self.exchange(request)).await {
            Ok(outcome) => outcome,
            Err(_) => Outcome::Failed(format!("no answer within {} s", self.timeout.as_secs()), None),
        }
    }

    fn request(&self, delivery: &Delivery) -> Result<Request<Full<Bytes>>, String> {
        let (key, body) = (delivery.key.text(&self.name), delivery.payload().to_string());
        // The receiver compares it with its own clock; ours may have been put forward.
        let seconds = jiff::Timestamp::now().as_second();
        let signature =
            self.signer.sign(&key, seconds, body.as_bytes()).map_err(|error| error.to_string())?;
        Request::post(self.uri.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("anhu/", env!("CARGO_PKG_VERSION")))
            .header(HEADER_WEBHOOK_ID, key)
            .header(HEADER_WEBHOOK_TIMESTAMP, seconds)
            .header(HEADER_WEBHOOK_SIGNATURE, signature)
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| error.to_string())
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Outcome {
        match self.client.request(request).await {
            Ok(answer) => {
                let outcome = judge(answer.status(), answer.headers());
                // A longer answer costs its connection and nothing else.
                let _ = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
                outcome
            }
            Err(error) => {
                let what =
                    if error.is_connect() { "it cannot be connected to" } else { "the connection broke" };
                Outcome::Failed(format!("{what} ({})", cause(&error)), None)
            }
        }
    }
}

/// What an answer means. Everything but success and 410 is tried again until the delivery is of no use any more: a
/// receiver that says 404 because its new version is not there yet must not cost an escalation. What is refused while
/// the receiver is well holds up nothing else. Redirects are refused, not followed: another address needs another secret.
fn judge(status: StatusCode, headers: &HeaderMap) -> Outcome {
    let said = || format!("it answered {}", status.as_u16());
    let trouble = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    if status.is_success() {
        Outcome::Taken
    } else if status == StatusCode::GONE {
        Outcome::Gone
    } else if status.is_server_error() || trouble.contains(&status) {
        let after = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        Outcome::Failed(said(), after.map(Duration::from_secs))
    } else {
        Outcome::Refused(said())
    }
}

/// The innermost cause, such as a certificate nobody knows. It names no address, which may hold a key.
fn cause(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

fn connector(tls: bool) -> anyhow::Result<HttpsConnector<HttpConnector>> {
    let provider = rustls::crypto::ring::default_provider();
    let builder = HttpsConnectorBuilder::new();
    let builder = if tls {
        builder.with_provider_and_native_roots(provider)?
    } else {
        // A machine without certificates can still reach what runs on it.
        let config = rustls::ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        builder.with_tls_config(config)
    };
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    Ok(builder.https_or_http().enable_http1().wrap_connector(http))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, retry_after: &str) -> Outcome {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, retry_after.parse().expect("a header"));
        judge(StatusCode::from_u16(status).expect("a status"), &headers)
    }

    #[test]
    fn only_success_and_gone_are_final() {
        assert_eq!((judged(200, ""), judged(204, "")), (Outcome::Taken, Outcome::Taken));
        assert_eq!(judged(410, ""), Outcome::Gone);
        for refused in [301, 307, 400, 401, 404, 413, 422] {
            assert!(matches!(judged(refused, ""), Outcome::Refused(_)), "{refused}");
        }
        for failed in [408, 425, 429, 500, 502, 503, 504] {
            assert!(matches!(judged(failed, ""), Outcome::Failed(_, None)), "{failed}");
        }
        let asked = judged(503, "7");
        assert_eq!(asked, Outcome::Failed("it answered 503".to_owned(), Some(Duration::from_secs(7))));
    }
}
