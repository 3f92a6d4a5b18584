//! Sender: one try to tell one system outside, signed as Standard Webhooks asks.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Uri, header};
use http_body_util::Full;
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};

use super::{delivery::Delivery, waiting::Outcome};
use crate::{
    config::WebhookConfig,
    metrics,
    outside::{USER_AGENT, Way},
};

/// The way to one webhook.
pub(crate) struct Sender {
    name: String,
    uri: Uri,
    signer: Webhook,
    timeout: Duration,
    way: Way,
}

impl Sender {
    /// Reads the secret.
    pub(crate) fn new(config: &WebhookConfig) -> anyhow::Result<Self> {
        let faulty = |remedy: String| anyhow::anyhow!("webhook {}: {remedy}", config.name);
        let uri = config.uri().map_err(|remedy| faulty(remedy.to_owned()))?;
        let signer = config.signer().map_err(faulty)?;
        let (way, fault) = Way::to(&uri);
        if let Some(fault) = fault {
            metrics::no_way("webhook", &config.name, &fault);
        }
        Ok(Self { name: config.name.clone(), uri, signer, timeout: config.timeout(), way })
    }

    /// Tries once.
    pub(crate) async fn send(&self, delivery: &Delivery) -> Outcome {
        let request = match self.request(delivery) {
            Ok(request) => request,
            Err(why) => return Outcome::Refused(why),
        };
        match self.way.ask(request, self.timeout).await {
            Ok((status, headers)) => judge(status, &headers),
            Err(trouble) => Outcome::Failed(trouble, None),
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
            .header(header::USER_AGENT, USER_AGENT)
            .header(HEADER_WEBHOOK_ID, key)
            .header(HEADER_WEBHOOK_TIMESTAMP, seconds)
            .header(HEADER_WEBHOOK_SIGNATURE, signature)
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| error.to_string())
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
