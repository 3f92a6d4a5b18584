//! Monitor: who notices when this node is dead?
//!
//! Nobody on it. A monitor elsewhere expects to hear from the node again and again, and calls somebody when it does not: a
//! dead man's switch. It is told after each of the watchdog's rounds that went well, so it also notices a node that runs
//! and lets no alert through.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::Full;

use crate::{
    metrics,
    outside::{USER_AGENT, Way},
};

/// How long the monitor may take to answer.
const LIMIT: Duration = Duration::from_secs(10);

/// The way to the monitor, and how it went the last time.
pub(crate) struct Monitor {
    uri: Uri,
    way: Way,
    last: Mutex<Option<Result<(), String>>>,
}

impl Monitor {
    /// One that cannot be reached keeps no alert from being served, so that is no fault of the start.
    pub(crate) fn new(uri: Uri) -> Self {
        let (way, fault) = Way::to(&uri);
        if let Some(fault) = &fault {
            metrics::no_way("monitor", uri.host().unwrap_or_default(), fault);
        }
        Self { uri, way, last: Mutex::new(fault.map(Err)) }
    }

    /// Tells it that all is well, within `pause`: a monitor that hangs holds up no round. One that was not reached is told
    /// after the next round.
    pub(crate) async fn tell(&self, pause: Duration) {
        let outcome = match self.request() {
            Ok(request) => match self.way.ask(request, LIMIT.min(pause)).await {
                Ok((status, _)) if status.is_success() => Ok(()),
                Ok((status, _)) => Err(format!("it answered {}", status.as_u16())),
                Err(trouble) => Err(trouble),
            },
            Err(error) => Err(error.to_string()),
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let was_well = !matches!(*last, Some(Err(_)));
        metrics::watchdog_ping(self.host(), &outcome, was_well != outcome.is_ok());
        *last = Some(outcome);
    }

    /// Whether it was told the last time, in words; nothing before the first time.
    pub(crate) fn state(&self) -> Option<String> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let host = self.host();
        last.as_ref().map(|last| match last {
            Ok(()) => format!("{host} was told"),
            Err(trouble) => format!("{host} could not be told: {trouble}"),
        })
    }

    /// All that may be shown of where it is: the rest is its secret.
    fn host(&self) -> &str {
        self.uri.host().unwrap_or_default()
    }

    fn request(&self) -> Result<Request<Full<Bytes>>, http::Error> {
        Request::get(self.uri.clone()).header(header::USER_AGENT, USER_AGENT).body(Full::default())
    }
}

impl std::fmt::Debug for Monitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Monitor").field("host", &self.host()).finish_non_exhaustive()
    }
}
