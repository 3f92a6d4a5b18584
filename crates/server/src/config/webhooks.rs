//! Webhooks: which systems outside are told what, and how patiently.

use std::{path::PathBuf, time::Duration};

use http::Uri;
use model::OrgUnitCode;
use serde::Deserialize;
use standardwebhooks::Webhook;

use super::{Address, Check};
use crate::outbox::telling;

/// Most webhooks of a node: each may have 50,000 notifications waiting.
const MAX_WEBHOOKS: usize = 16;
/// Longest name of a webhook, in bytes: it is part of every idempotency key.
const MAX_NAME_BYTES: usize = 32;
/// Shortest secret in bytes, as Standard Webhooks asks for.
const MIN_SECRET_BYTES: usize = 24;

/// A system that is told by HTTP.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookConfig {
    pub(crate) name: String,
    pub(crate) url: Address,
    #[serde(default)]
    pub(crate) secret_env: Option<String>,
    #[serde(default)]
    pub(crate) secret_file: Option<PathBuf>,
    pub(crate) events: Vec<String>,
    #[serde(default)]
    pub(crate) org_unit: Option<String>,
    #[serde(default = "ten_seconds")]
    pub(crate) timeout_s: u64,
    #[serde(default)]
    pub(crate) allow_plain_http: bool,
}

fn ten_seconds() -> u64 {
    10
}

/// How patiently systems outside are told.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NotificationsConfig {
    pub(crate) first_retry_ms: u64,
    pub(crate) longest_retry_s: u64,
    pub(crate) give_up_after_s: u64,
}

impl Default for NotificationsConfig {
    fn default() -> Self {
        Self { first_retry_ms: 1000, longest_retry_s: 300, give_up_after_s: 86_400 }
    }
}

impl WebhookConfig {
    /// The address to send to.
    ///
    /// # Errors
    /// What to write instead.
    pub(crate) fn uri(&self) -> Result<Uri, &'static str> {
        self.url.uri(self.allow_plain_http)
    }

    /// What signs its notifications. Read at the start.
    ///
    /// # Errors
    /// What to do; the secret itself is never in it.
    pub(crate) fn signer(&self) -> Result<Webhook, String> {
        let text = match (&self.secret_env, &self.secret_file) {
            (Some(name), None) => {
                std::env::var(name).map_err(|_| format!("the environment variable {name} is not set"))?
            }
            (None, Some(path)) => std::fs::read_to_string(path)
                .map_err(|error| format!("the file {} cannot be read ({error})", path.display()))?,
            (None, None) | (Some(_), Some(_)) => {
                return Err("name either secret_env or secret_file, where the secret is".to_owned());
            }
        };
        let weak = || {
            "a secret is whsec_ and at least 24 bytes in base64: make one with `openssl rand -base64 32`"
                .to_owned()
        };
        let secret = text.trim();
        // Base64 spells three bytes with four letters.
        let letters = secret.trim_start_matches("whsec_").trim_end_matches('=').len();
        if letters * 3 / 4 < MIN_SECRET_BYTES {
            return Err(weak());
        }
        Webhook::new(secret).map_err(|_| weak())
    }

    /// Only incidents of this unit and those below it are told.
    ///
    /// # Errors
    /// What to write instead.
    pub(crate) fn unit(&self) -> Result<Option<OrgUnitCode>, String> {
        self.org_unit
            .as_deref()
            .map(|code| OrgUnitCode::new(code).map_err(|error| error.to_string()))
            .transpose()
    }

    /// How long one try may take.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_s)
    }
}

impl Check {
    pub(super) fn webhooks(&mut self, webhooks: &[WebhookConfig]) {
        if webhooks.len() > MAX_WEBHOOKS {
            self.fault("webhooks", format!("{} entries", webhooks.len()), "write at most 16");
        }
        for (index, webhook) in webhooks.iter().enumerate() {
            self.webhook(index, webhook, &webhooks[..index]);
        }
    }

    fn webhook(&mut self, index: usize, webhook: &WebhookConfig, before: &[WebhookConfig]) {
        let key = |name: &str| format!("webhooks.{index}.{name}");
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let name = &webhook.name;
        if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.bytes().all(plain) {
            let remedy =
                "write up to 32 small letters, digits and hyphens: it is part of the idempotency key";
            self.fault(&key("name"), format!("{name:?}"), remedy);
        }
        if before.iter().any(|other| other.name == *name) || name == crate::outbox::DEVICES {
            self.fault(&key("name"), format!("{name:?}"), "give each webhook a name of its own");
        }
        if let Err(remedy) = webhook.uri() {
            self.fault(&key("url"), format!("{:?}", webhook.url), remedy);
        }
        if let Err(remedy) = webhook.signer() {
            let named = webhook.secret_env.is_some();
            self.fault(&key(if named { "secret_env" } else { "secret_file" }), "(not shown)", remedy);
        }
        for event in webhook.events.iter().filter(|event| *event != "*" && !telling::is_event(event)) {
            let remedy = format!("no such event: write \"*\" or some of {}", telling::EVENTS.join(", "));
            self.fault(&key("events"), format!("{event:?}"), remedy);
        }
        if webhook.events.is_empty() {
            self.fault(&key("events"), "[]", "name the events to tell, or \"*\" for all");
        }
        if let Err(remedy) = webhook.unit() {
            self.fault(&key("org_unit"), format!("{:?}", webhook.org_unit), remedy);
        }
        if !(1..=60).contains(&webhook.timeout_s) {
            self.fault(&key("timeout_s"), webhook.timeout_s, "write seconds from 1 to 60");
        }
    }

    pub(super) fn notifications(&mut self, config: &NotificationsConfig) {
        if !(10..=60_000).contains(&config.first_retry_ms) {
            let remedy = "write milliseconds from 10 to 60000";
            self.fault("notifications.first_retry_ms", config.first_retry_ms, remedy);
        }
        if !(1..=3600).contains(&config.longest_retry_s) {
            let remedy = "write seconds from 1 to 3600";
            self.fault("notifications.longest_retry_s", config.longest_retry_s, remedy);
        }
        if !(1..=604_800).contains(&config.give_up_after_s) {
            let remedy = "write seconds from 1 to 604800, a week";
            self.fault("notifications.give_up_after_s", config.give_up_after_s, remedy);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Overrides, load};

    fn faults_of(text: &str) -> String {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        let overrides = Overrides { config: Some(file.path().to_owned()), ..Overrides::default() };
        load(&overrides).expect_err("faulty").to_string()
    }

    #[test]
    fn every_fault_of_a_webhook_is_told_at_once_and_no_secret_is() {
        let secret = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(secret.path(), "whsec_dG9vLXNob3J0").expect("written");
        let told = faults_of(&format!(
            "[[webhooks]]\nname = \"Push Gateway\"\nurl = \"http://push.example/key-4711\"\nsecret_file = \"{}\"\n\
             events = [\"incident.opened\", \"incident.gone\"]\norg_unit = \"34\"\ntimeout_s = 0\n\
             [notifications]\ngive_up_after_s = 0\n",
            secret.path().display()
        ));
        assert!(told.contains("8 faults") || told.contains("7 faults"), "{told}");
        for word in
            ["name", "allow_plain_http", "24 bytes", "incident.gone", "org_unit", "timeout_s", "give_up"]
        {
            assert!(told.contains(word), "{word}: {told}");
        }
        assert!(!told.contains("4711") && !told.contains("dG9v"), "{told}");
    }

    #[test]
    fn a_webhook_on_this_machine_may_go_without_tls() {
        let secret = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(secret.path(), "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n")
            .expect("written");
        for host in ["127.0.0.1:9", "localhost:9", "[::1]:9"] {
            let text = format!(
                "[[webhooks]]\nname = \"a\"\nurl = \"http://{host}/\"\nsecret_file = \"{}\"\nevents = [\"*\"]\n",
                secret.path().display()
            );
            let file = tempfile::NamedTempFile::new().expect("a file");
            std::fs::write(file.path(), text).expect("written");
            let overrides = Overrides { config: Some(file.path().to_owned()), ..Overrides::default() };
            load(&overrides).expect("sound");
        }
    }
}
