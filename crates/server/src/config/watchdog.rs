//! Watchdog: how often does the node try itself, and who is to notice when it does not any more?

use http::Uri;
use serde::Deserialize;

use super::{Address, Check};

/// How often the node tries itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WatchdogConfig {
    /// 0: never.
    pub(crate) every_s: u64,
    pub(crate) limit_s: u64,
    /// The monitor elsewhere that calls somebody when it hears nothing.
    pub(crate) ping_url: Option<Address>,
    pub(crate) allow_plain_http: bool,
}

impl Default for WatchdogConfig {
    fn default() -> Self {
        Self { every_s: 60, limit_s: 10, ping_url: None, allow_plain_http: false }
    }
}

impl WatchdogConfig {
    /// Where the monitor is, if there is one.
    ///
    /// # Errors
    /// What to write instead.
    pub(crate) fn monitor(&self) -> Result<Option<Uri>, &'static str> {
        self.ping_url.as_ref().map(|address| address.uri(self.allow_plain_http)).transpose()
    }
}

impl Check {
    pub(super) fn watchdog(&mut self, config: &WatchdogConfig) {
        if config.every_s > 3600 {
            self.fault("watchdog.every_s", config.every_s, "write seconds up to 3600, or 0 for never");
        }
        if !(1..=60).contains(&config.limit_s) {
            self.fault("watchdog.limit_s", config.limit_s, "write seconds from 1 to 60");
        }
        let Some(address) = &config.ping_url else { return };
        if let Err(remedy) = config.monitor() {
            self.fault("watchdog.ping_url", format!("{address:?}"), remedy);
        }
        if config.every_s == 0 {
            let remedy =
                "the monitor is told after each round, and there are none: set every_s, or take ping_url out";
            self.fault("watchdog.ping_url", format!("{address:?}"), remedy);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Overrides, load};

    fn faults_of(text: &str) -> Option<String> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        let overrides = Overrides { config: Some(file.path().to_owned()), ..Overrides::default() };
        load(&overrides).err().map(|faults| faults.to_string())
    }

    #[test]
    fn a_monitor_is_reached_over_tls_or_on_this_machine_or_in_a_trusted_network() {
        for address in ["https://hc.example/key-4711", "http://127.0.0.1:3001/api/push/key-4711?status=up"] {
            assert_eq!(faults_of(&format!("[watchdog]\nping_url = \"{address}\"\n")), None);
        }
        let plain = "[watchdog]\nping_url = \"http://monitor.example:3001/api/push/key-4711\"\n";
        let told = faults_of(plain).expect("a fault");
        assert!(told.contains("watchdog.ping_url = http://monitor.example/…"), "{told}");
        assert!(told.contains("allow_plain_http = true"), "{told}");
        assert_eq!(faults_of(&format!("{plain}allow_plain_http = true\n")), None);
    }

    #[test]
    fn what_cannot_be_pinged_is_a_fault_and_no_key_is_told() {
        for faulty in [
            "ping_url = \"hc.example/key-4711\"",
            "ping_url = \"ftp://hc.example/key-4711\"",
            "ping_url = \"https://me:key-4711@hc.example/\"",
            "ping_url = \"https://hc.example/key-4711\"\nevery_s = 0",
            "ping_ulr = \"https://hc.example/key-4711\"",
            "ping_url = [\"https://hc.example/key-4711\"]",
        ] {
            let told = faults_of(&format!("[watchdog]\n{faulty}\n")).expect("a fault");
            assert!(told.contains(":2: watchdog.ping_u"), "{told}");
            assert!(!told.contains("4711"), "{told}");
        }
    }
}
