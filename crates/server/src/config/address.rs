//! Address: where may the node send something over HTTP?

use std::{fmt, net::IpAddr};

use http::Uri;
use serde::Deserialize;

/// What to write instead of something that is no address.
const FORM: &str = "write https://host/path";

/// Where a system outside listens. Many carry a key in the path, so it is never shown whole.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Address(pub(crate) String);

impl Address {
    /// The address to send to, over TLS unless it is on this machine or `allow_plain_http`.
    ///
    /// # Errors
    /// What to write instead.
    pub(crate) fn uri(&self, allow_plain_http: bool) -> Result<Uri, &'static str> {
        let uri: Uri = self.0.parse().map_err(|_| FORM)?;
        let host = uri.host().ok_or(FORM)?;
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err("a password in the address would be shown in logs of others: take it out");
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let here = bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        match uri.scheme_str() {
            Some("https") => Ok(uri),
            Some("http") if here || allow_plain_http => Ok(uri),
            Some("http") => Err(
                "everybody on the way could read it: write https, or allow_plain_http = true in a network you trust",
            ),
            Some(_) | None => Err(FORM),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let uri = self.0.parse::<Uri>().unwrap_or_default();
        write!(f, "{}://{}/…", uri.scheme_str().unwrap_or("?"), uri.host().unwrap_or("?"))
    }
}
