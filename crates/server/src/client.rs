//! Client: how does a command of ours reach a running server?

use std::time::Duration;

use anyhow::Context as _;
use registry::Private;
use tonic::{
    Code, Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{self, Endpoint},
};
use tonic_types::StatusExt as _;

/// How long a server may take to let us in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a quiet connection is tried, and how long the answer may take: a server that lost its power is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Faults of a request that are told; more than anybody mends at once.
const MAX_TOLD: usize = 10;

/// Which server, and what opens it.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Server {
    /// Where the server listens for gRPC
    #[arg(long = "server", value_name = "URL", env = "ANHU_SERVER", default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
    /// What `anhu token` prints on the server's machine; in ANHU_TOKEN other users do not see it
    #[arg(long, value_name = "TOKEN", env = "ANHU_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<Private<String>>,
}

/// A connection that shows the token with every request.
pub(crate) type Channel = InterceptedService<transport::Channel, Bearer>;

impl Server {
    /// Connects; a client is made of it with `SomeServiceClient::new(channel)`.
    pub(crate) async fn connect(&self) -> anyhow::Result<Channel> {
        let bearer = self.bearer()?;
        let endpoint = self.endpoint()?;
        let channel = endpoint.connect().await.map_err(|error| {
            let cause = root_cause(&error);
            anyhow::anyhow!(
                "no server answers at {} ({cause}): start one with `anhu serve`, or name another with --server URL",
                self.url
            )
        })?;
        Ok(InterceptedService::new(channel, bearer))
    }

    /// What a refusal means for whoever typed the command.
    pub(crate) fn explain(&self, status: &Status) -> anyhow::Error {
        let (url, code) = (&self.url, status.code());
        if code == Code::Unauthenticated {
            let what = if self.token.is_some() { "refuses this token" } else { "wants a token" };
            return anyhow::anyhow!(
                "the server at {url} {what}: pass --token with what `anhu token --data-dir …` prints for the server's \
                 data folder, or set ANHU_TOKEN"
            );
        }
        let mut told = format!("{url} answers {code:?}: {}", status.message());
        let faults = status.get_details_bad_request().map(|faults| faults.field_violations);
        for fault in faults.unwrap_or_default().iter().take(MAX_TOLD) {
            told.push_str(&format!("\n  {}: {}", fault.field, fault.description));
        }
        anyhow::anyhow!(told)
    }

    fn bearer(&self) -> anyhow::Result<Bearer> {
        let Some(token) = self.token.as_deref() else { return Ok(Bearer(None)) };
        let header = format!("Bearer {}", token.trim()).parse::<MetadataValue<Ascii>>();
        let mut header =
            header.ok().context("the token holds what no token holds: copy it again from `anhu token`")?;
        header.set_sensitive(true);
        Ok(Bearer(Some(header)))
    }

    fn endpoint(&self) -> anyhow::Result<Endpoint> {
        let url = &self.url;
        anyhow::ensure!(
            url.starts_with("http://"),
            "--server {url:?} is not an address to use: write it like http://127.0.0.1:8080"
        );
        let endpoint = Endpoint::from_shared(url.clone()).with_context(|| {
            format!("--server {url:?} is not an address: write it like http://127.0.0.1:8080")
        })?;
        Ok(endpoint
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE))
    }
}

/// Adds `authorization: Bearer …` to every request when there is a token.
#[derive(Clone)]
pub(crate) struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(header) = &self.0 {
            request.metadata_mut().insert("authorization", header.clone());
        }
        Ok(request)
    }
}

/// The innermost reason, which is the one that says something: `Connection refused`.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
