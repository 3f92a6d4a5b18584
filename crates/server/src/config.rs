//! Configuration: flags over environment over file over defaults, and every fault told at once.

mod address;
mod rules;
mod watchdog;
mod webhooks;

use std::{
    fmt,
    net::{SocketAddr, ToSocketAddrs as _},
    path::{Path, PathBuf},
};

use devices::{Profile, Routes};
use dispatch::Policy;
use http::Uri;
use serde::Deserialize;

pub(crate) use self::{
    address::Address,
    watchdog::WatchdogConfig,
    webhooks::{NotificationsConfig, WebhookConfig},
};
use crate::{outside::Way, policies};

/// Most brokers of a node: a receipt remembers by a bit which of them have it.
const MAX_LINKS: usize = 64;

/// The file a site writes; `config/anhu.toml` documents every key.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) data_dir: PathBuf,
    pub(crate) http_listen: String,
    pub(crate) mqtt_listen: String,
    pub(crate) allow_remote: bool,
    pub(crate) policy_file: Option<PathBuf>,
    pub(crate) access_policy_file: Option<PathBuf>,
    pub(crate) max_responders: u32,
    pub(crate) position_fresh_s: u32,
    pub(crate) routes: Vec<RouteConfig>,
    pub(crate) links: Vec<LinkConfig>,
    pub(crate) webhooks: Vec<WebhookConfig>,
    pub(crate) notifications: NotificationsConfig,
    pub(crate) front_door: FrontDoorConfig,
    pub(crate) journal: JournalConfig,
    pub(crate) watchdog: WatchdogConfig,
    pub(crate) log: LogConfig,
}

/// Which profile reads which topics.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RouteConfig {
    pub(crate) filter: String,
    pub(crate) profile: String,
}

/// An existing broker to read.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkConfig {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) client_id: String,
    pub(crate) filters: Vec<String>,
    #[serde(default)]
    pub(crate) username: Option<String>,
    #[serde(default)]
    pub(crate) password_file: Option<PathBuf>,
}

/// The limits of the front door that a site may want to change.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FrontDoorConfig {
    pub(crate) max_connections: usize,
    pub(crate) max_packet_bytes: usize,
    pub(crate) connect_timeout_s: u64,
    pub(crate) ack_deadline_s: u64,
}

/// When a checkpoint is made, and how long records are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct JournalConfig {
    pub(crate) checkpoint_records: u64,
    pub(crate) checkpoint_s: u64,
    /// 0: for ever.
    pub(crate) keep_days: u32,
}

/// How the log is written.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LogConfig {
    pub(crate) format: LogFormat,
    pub(crate) level: String,
}

/// For a person or for a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("data"),
            http_listen: "127.0.0.1:8080".to_owned(),
            mqtt_listen: "127.0.0.1:1883".to_owned(),
            allow_remote: false,
            policy_file: None,
            access_policy_file: None,
            max_responders: 65_536,
            position_fresh_s: 1800,
            routes: default_routes(),
            links: Vec::new(),
            webhooks: Vec::new(),
            notifications: NotificationsConfig::default(),
            front_door: FrontDoorConfig::default(),
            journal: JournalConfig::default(),
            watchdog: WatchdogConfig::default(),
            log: LogConfig::default(),
        }
    }
}

impl Default for FrontDoorConfig {
    fn default() -> Self {
        let limits = frontdoor::Limits::default();
        Self {
            max_connections: limits.max_connections,
            max_packet_bytes: limits.max_packet_bytes,
            connect_timeout_s: limits.connect_timeout.as_secs(),
            ack_deadline_s: limits.ack_deadline.as_secs(),
        }
    }
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self { checkpoint_records: 50_000, checkpoint_s: 600, keep_days: 0 }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

/// Every profile: ours on the wire first, then the list.
pub(crate) fn profiles() -> Vec<Profile> {
    std::iter::once(wire::PROFILE).chain(devices::PROFILES.iter().copied()).collect()
}

fn default_routes() -> Vec<RouteConfig> {
    let filters = |profile: &'static Profile| {
        profile
            .default_filters
            .iter()
            .map(|filter| RouteConfig { filter: (*filter).to_owned(), profile: profile.name.to_owned() })
    };
    devices::PROFILES.iter().flat_map(filters).collect()
}

/// One thing wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The file, or where else it came from.
    pub(crate) source: String,
    /// The line, when it is in a file and can be told.
    pub(crate) line: Option<usize>,
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) remedy: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.source)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {} = {}: {}", self.key, self.value, self.remedy)
    }
}

/// Everything wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Faults(pub(crate) Vec<Fault>);

impl std::error::Error for Faults {}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        writeln!(f, "the configuration has {count} {}:", if count == 1 { "fault" } else { "faults" })?;
        for fault in &self.0 {
            writeln!(f, "  {fault}")?;
        }
        Ok(())
    }
}

/// What flags and environment say; each goes before the file.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Overrides {
    /// Configuration file; see config/anhu.toml for every key
    #[arg(long, env = "ANHU_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Folder for journal and state
    #[arg(long, env = "ANHU_DATA_DIR", value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Where gRPC, gRPC-Web, metrics and health are served
    #[arg(long, env = "ANHU_HTTP_LISTEN", value_name = "HOST:PORT")]
    pub(crate) http_listen: Option<String>,
    /// Where devices connect by MQTT
    #[arg(long, env = "ANHU_MQTT_LISTEN", value_name = "HOST:PORT")]
    pub(crate) mqtt_listen: Option<String>,
    /// Policy file; see config/policy.toml
    #[arg(long, env = "ANHU_POLICY_FILE", value_name = "FILE")]
    pub(crate) policy_file: Option<PathBuf>,
}

/// A configuration that was checked.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    pub(crate) config: Config,
    pub(crate) policy: Policy,
    pub(crate) access_policy: access::Policy,
    pub(crate) routes: Routes,
    pub(crate) http_listen: SocketAddr,
    pub(crate) mqtt_listen: SocketAddr,
}

/// Reads and checks the configuration.
///
/// # Errors
/// [`Faults`] lists everything that is wrong, each with its file, key, value and remedy.
pub(crate) fn load(overrides: &Overrides) -> Result<Checked, Faults> {
    read(overrides, |_, _| {})
}

/// As [`load`], and whether there is a way to each system outside. A server starts without.
///
/// # Errors
/// Every fault found.
pub(crate) fn check(overrides: &Overrides) -> Result<Checked, Faults> {
    read(overrides, Check::ways)
}

fn read(overrides: &Overrides, more: impl FnOnce(&mut Check, &Config)) -> Result<Checked, Faults> {
    let mut faults = Vec::new();
    let (source, text) = match &overrides.config {
        None => ("defaults".to_owned(), String::new()),
        Some(path) => (path.display().to_string(), read_file(path, "--config", &mut faults)),
    };
    let mut config: Config = parse(&source, &text, &mut faults);
    overrides.apply(&mut config);
    let mut check = Check { source, text, faults };
    let http_listen = check.listen("http_listen", &config.http_listen, config.allow_remote);
    let mqtt_listen = check.listen("mqtt_listen", &config.mqtt_listen, config.allow_remote);
    check.numbers(&config);
    check.links(&config.links);
    check.webhooks(&config.webhooks);
    check.notifications(&config.notifications);
    check.watchdog(&config.watchdog);
    more(&mut check, &config);
    let routes = check.routes(&config.routes);
    let policy =
        policies::read(config.policy_file.as_deref()).map_err(|faults| check.faults.extend(faults)).ok();
    let access_policy = check.access_policy(config.access_policy_file.as_deref());
    match (http_listen, mqtt_listen, routes, policy, access_policy) {
        (Some(http_listen), Some(mqtt_listen), Some(routes), Some(policy), Some(access_policy))
            if check.faults.is_empty() =>
        {
            Ok(Checked { config, policy, access_policy, routes, http_listen, mqtt_listen })
        }
        _ => Err(Faults(check.faults)),
    }
}

impl Overrides {
    fn apply(&self, config: &mut Config) {
        let Self { config: _, data_dir, http_listen, mqtt_listen, policy_file } = self.clone();
        config.data_dir = data_dir.unwrap_or_else(|| config.data_dir.clone());
        config.http_listen = http_listen.unwrap_or_else(|| config.http_listen.clone());
        config.mqtt_listen = mqtt_listen.unwrap_or_else(|| config.mqtt_listen.clone());
        config.policy_file = policy_file.or_else(|| config.policy_file.clone());
    }
}

impl LinkConfig {
    /// Host and port of the broker.
    pub(crate) fn address(&self) -> Result<(String, u16), String> {
        let rest = self.url.strip_prefix("mqtt://").unwrap_or("");
        let (host, port) = rest.rsplit_once(':').unwrap_or((rest, "1883"));
        match port.parse() {
            Ok(port) if !host.is_empty() => Ok((host.to_owned(), port)),
            Ok(_) | Err(_) => Err("write mqtt://host:port".to_owned()),
        }
    }

    /// The password, read when it is needed, so that it can be changed while the server runs.
    pub(crate) fn password(&self) -> Result<String, String> {
        let Some(path) = &self.password_file else { return Ok(String::new()) };
        std::fs::read_to_string(path)
            .map(|text| text.trim_end().to_owned())
            .map_err(|error| format!("the password file {} cannot be read ({error})", path.display()))
    }
}

/// Parses as much as can be parsed: a faulty key is told and taken out, and the rest is looked at again.
fn parse<T: Default + for<'de> Deserialize<'de>>(source: &str, text: &str, faults: &mut Vec<Fault>) -> T {
    let mut table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => {
            let line = error.span().map(|span| line_at(text, span.start));
            let (key, value) = ("the file".to_owned(), "no TOML".to_owned());
            let remedy = error.message().to_owned();
            faults.push(Fault { source: source.to_owned(), line, key, value, remedy });
            return T::default();
        }
    };
    // Each round takes out one key, so there are at most as many as there are keys.
    loop {
        let error = match serde_path_to_error::deserialize::<_, T>(table.clone()) {
            Ok(parsed) => return parsed,
            Err(error) => error,
        };
        let message = error.inner().message().to_owned();
        let mut path: Vec<String> = error.path().iter().map(ToString::to_string).collect();
        let unknown = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
        if let Some(unknown) = unknown.filter(|unknown| path.last().is_none_or(|last| last != unknown)) {
            path.push(unknown.to_owned());
        }
        let Some(value) = take_out(&mut table, &path) else {
            let (key, value) = (path.join("."), String::new());
            faults.push(Fault { source: source.to_owned(), line: None, key, value, remedy: message });
            return T::default();
        };
        let line = path.last().and_then(|key| line_of(text, key));
        let fault = Fault {
            source: source.to_owned(),
            line,
            key: path.join("."),
            value: shown(&value),
            remedy: message.lines().next().unwrap_or_default().to_owned(),
        };
        faults.push(fault);
    }
}

/// The value as the file spells it, unless there is an address in it, which may hold a key.
fn shown(value: &toml::Value) -> String {
    let text = value.to_string();
    if text.contains("://") { "(not shown)".to_owned() } else { text }
}

/// Takes the value at `path` out of the table; a whole list entry when it is in a list.
fn take_out(table: &mut toml::Table, path: &[String]) -> Option<toml::Value> {
    let (first, rest) = path.split_first()?;
    let Some(next) = rest.first() else { return table.remove(first) };
    let value = table.get_mut(first)?;
    if let Some(list) = value.as_array_mut() {
        let index: usize = next.parse().ok()?;
        return (index < list.len()).then(|| list.remove(index));
    }
    match value.as_table_mut() {
        Some(inner) => take_out(inner, rest),
        None => table.remove(first),
    }
}

pub(crate) fn line_at(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}

pub(crate) fn line_of(text: &str, key: &str) -> Option<usize> {
    let names = |line: &str| {
        let line = line.trim_start().trim_start_matches('[');
        line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(['=', ']', '.']))
    };
    text.lines().position(names).map(|index| index + 1)
}

pub(crate) fn read_file(path: &Path, key: &str, faults: &mut Vec<Fault>) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| {
        let (source, value) = (path.display().to_string(), path.display().to_string());
        let remedy = format!("it cannot be read ({error}): correct the name, or the rights of the file");
        faults.push(Fault { source, line: None, key: key.to_owned(), value, remedy });
        String::new()
    })
}

struct Check {
    source: String,
    text: String,
    faults: Vec<Fault>,
}

impl Check {
    fn fault(&mut self, key: &str, value: impl fmt::Display, remedy: impl Into<String>) {
        let line = key.rsplit('.').next().and_then(|last| line_of(&self.text, last));
        self.faults.push(Fault {
            source: self.source.clone(),
            line,
            key: key.to_owned(),
            value: value.to_string(),
            remedy: remedy.into(),
        });
    }

    /// Whether there is a way to each system outside; nobody is asked.
    fn ways(&mut self, config: &Config) {
        let remedy = |uri: &Uri| Some(format!("{}: install the system's root certificates", Way::to(uri).1?));
        for (index, webhook) in config.webhooks.iter().enumerate() {
            if let Some(remedy) = webhook.uri().ok().as_ref().and_then(remedy) {
                self.fault(&format!("webhooks.{index}.url"), format!("{:?}", webhook.url), remedy);
            }
        }
        let watchdog = &config.watchdog;
        if let Some(address) = &watchdog.ping_url
            && let Some(remedy) = watchdog.monitor().ok().flatten().as_ref().and_then(remedy)
        {
            self.fault("watchdog.ping_url", format!("{address:?}"), remedy);
        }
    }

    fn listen(&mut self, key: &str, value: &str, allow_remote: bool) -> Option<SocketAddr> {
        let found = value.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
        let Some(address) = found else {
            self.fault(key, format!("{value:?}"), "write host:port, such as 127.0.0.1:8080");
            return None;
        };
        if !address.ip().is_loopback() && !allow_remote {
            let remedy = "this listens beyond this machine without TLS: put a TLS proxy in front and keep 127.0.0.1, \
                          or write allow_remote = true";
            self.fault(key, format!("{value:?}"), remedy);
            return None;
        }
        Some(address)
    }

    fn numbers(&mut self, config: &Config) {
        let door = &config.front_door;
        if config.max_responders == 0 || config.max_responders > roster::Size::MAX_RESPONDERS {
            self.fault("max_responders", config.max_responders, "write 1 to 16777215");
        }
        if !(60..=86_400).contains(&config.position_fresh_s) {
            self.fault("position_fresh_s", config.position_fresh_s, "write seconds from 60 to 86400");
        }
        let journal = config.journal;
        if journal.checkpoint_records == 0 {
            self.fault("journal.checkpoint_records", 0, "write at least 1");
        }
        if journal.checkpoint_s == 0 {
            self.fault("journal.checkpoint_s", 0, "write seconds from 1");
        }
        if door.max_connections == 0 {
            self.fault("front_door.max_connections", 0, "write at least 1");
        }
        if !(4096..=256 * 1024 * 1024).contains(&door.max_packet_bytes) {
            self.fault("front_door.max_packet_bytes", door.max_packet_bytes, "write 4096 to 268435456");
        }
        if !(1..=3600).contains(&door.connect_timeout_s) {
            self.fault(
                "front_door.connect_timeout_s",
                door.connect_timeout_s,
                "write seconds from 1 to 3600",
            );
        }
        if !(1..=3600).contains(&door.ack_deadline_s) {
            self.fault("front_door.ack_deadline_s", door.ack_deadline_s, "write seconds from 1 to 3600");
        }
        if tracing_subscriber::EnvFilter::try_new(&config.log.level).is_err() {
            let level = format!("{:?}", config.log.level);
            self.fault("log.level", level, "write error, warn, info, debug or trace");
        }
    }

    fn links(&mut self, links: &[LinkConfig]) {
        if links.len() > MAX_LINKS {
            self.fault("links", format!("{} entries", links.len()), "write at most 64");
        }
        for (index, link) in links.iter().enumerate() {
            let key = |name: &str| format!("links.{index}.{name}");
            if let Err(remedy) = link.address() {
                self.fault(&key("url"), format!("{:?}", link.url), remedy);
            }
            if link.name.is_empty() || links[..index].iter().any(|other| other.name == link.name) {
                self.fault(&key("name"), format!("{:?}", link.name), "give each link a name of its own");
            }
            if link.client_id.is_empty()
                || links[..index].iter().any(|other| other.client_id == link.client_id)
            {
                let remedy = "give each link a client id of its own that never changes: the broker keeps messages under it";
                self.fault(&key("client_id"), format!("{:?}", link.client_id), remedy);
            }
            if link.filters.is_empty() || link.filters.len() > 32 {
                let remedy = "name 1 to 32 topic filters to read, such as zigbee2mqtt/#";
                self.fault(&key("filters"), link.filters.len(), remedy);
            }
            if let Err(remedy) = link.password() {
                let path = link.password_file.as_deref().unwrap_or(Path::new(""));
                self.fault(&key("password_file"), path.display(), remedy);
            }
        }
    }

    fn routes(&mut self, routes: &[RouteConfig]) -> Option<Routes> {
        let pairs = routes.iter().map(|route| (route.filter.as_str(), route.profile.as_str()));
        match Routes::new(pairs, &profiles()) {
            Ok(routes) => Some(routes),
            Err(errors) => {
                for error in errors.to_string().lines() {
                    self.fault("routes", format!("{} entries", routes.len()), error);
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_we_ship_says_the_defaults() {
        let text = include_str!("../../../config/anhu.toml");
        let mut faults = Vec::new();
        let config: Config = parse("config/anhu.toml", text, &mut faults);
        assert_eq!(faults, []);
        assert_eq!(config, Config::default());
    }

    #[test]
    fn all_faults_are_told_at_once_with_key_value_and_remedy() {
        let text = "http_listn = \"x\"\nmax_responders = \"many\"\n\n[log]\nformat = \"xml\"\n";
        let mut faults = Vec::new();
        let _: Config = parse("anhu.toml", text, &mut faults);
        let told: Vec<String> = faults.iter().map(Fault::to_string).collect();
        assert_eq!(told.len(), 3, "{told:#?}");
        assert!(told.iter().any(|fault| fault.starts_with("anhu.toml:1: http_listn = \"x\": unknown field")));
        assert!(told.iter().any(|fault| fault.starts_with("anhu.toml:2: max_responders = \"many\"")));
        assert!(told.iter().any(|fault| fault.starts_with("anhu.toml:5: log.format = \"xml\"")));
    }

    #[test]
    fn listening_beyond_this_machine_must_be_said() {
        let overrides = Overrides { http_listen: Some("0.0.0.0:8080".to_owned()), ..Overrides::default() };
        let faults = load(&overrides).expect_err("not allowed");
        assert!(faults.to_string().contains("allow_remote = true"), "{faults}");
    }
}
