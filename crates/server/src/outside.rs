//! Outside: how does the node ask something of a system elsewhere over HTTP, without waiting for ever?

use std::{error::Error, sync::OnceLock, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

/// What we say that we are.
pub(crate) const USER_AGENT: &str = concat!("anhu/", env!("CARGO_PKG_VERSION"));
/// Bytes read of an answer: it says nothing that we need, but a connection can be used again only after it was read.
const MAX_ANSWER: usize = 4096;
/// How long an unused connection is kept.
const IDLE: Duration = Duration::from_secs(60);

type HttpClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// The way to one system. Redirects are answers like any other: another address needs another secret.
pub(crate) struct Way {
    tls: bool,
    /// Made when it can be: the machine may get its root certificates while we run.
    client: OnceLock<HttpClient>,
}

impl Way {
    /// A way to the system at `uri`, and why it cannot be gone now, if so. Each try looks anew: alerts are served all the
    /// same.
    pub(crate) fn to(uri: &Uri) -> (Self, Option<String>) {
        let way = Self { tls: uri.scheme_str() == Some("https"), client: OnceLock::new() };
        let fault = way.client().err();
        (way, fault)
    }

    /// Asks once, for at most so long.
    ///
    /// # Errors
    /// Why there is no answer, in words that name no address, which may hold a key.
    pub(crate) async fn ask(
        &self,
        request: Request<Full<Bytes>>,
        limit: Duration,
    ) -> Result<(StatusCode, HeaderMap), String> {
        match tokio::time::timeout(limit, self.exchange(request)).await {
            Ok(answered) => answered,
            Err(_) => Err(format!("no answer within {} s", limit.as_secs())),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, HeaderMap), String> {
        match self.client()?.request(request).await {
            Ok(answer) => {
                let (head, body) = answer.into_parts();
                // A longer answer costs its connection and nothing else.
                let _ = Limited::new(body, MAX_ANSWER).collect().await;
                Ok((head.status, head.headers))
            }
            Err(error) => {
                let what =
                    if error.is_connect() { "it cannot be connected to" } else { "the connection broke" };
                Err(format!("{what} ({})", cause(&error)))
            }
        }
    }

    fn client(&self) -> Result<&HttpClient, String> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let connector = connector(self.tls)
            .map_err(|error| format!("there is no TLS without root certificates: {error}"))?;
        let client = Client::builder(TokioExecutor::new()).pool_idle_timeout(IDLE).build(connector);
        Ok(self.client.get_or_init(|| client))
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
