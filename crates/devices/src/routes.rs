//! Which profile reads this topic? The one with the most specific filter.

use std::{collections::BTreeSet, fmt};

use model::Signal;

use crate::{Message, Profile, Reason, Refusal, text};

/// Longest topic filter in bytes, from MQTT.
const MAX_FILTER_BYTES: usize = 65_535;

/// Topic filters and the profile behind each.
///
/// When several filters match a topic, the most specific one wins: from left to right a word goes before `+`, and `+`
/// before `#`. The order of the configuration does not matter, so a catch-all never swallows an alert.
#[derive(Debug, Clone)]
pub struct Routes(Vec<Route>);

#[derive(Debug, Clone)]
struct Route {
    filter: Box<str>,
    profile: Profile,
}

/// Why a route cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// The filter is not one of MQTT.
    #[error("route {filter:?}: {cause}")]
    Filter {
        /// The filter as written.
        filter: String,
        /// What is wrong and what to write.
        cause: &'static str,
    },
    /// The profile is unknown.
    #[error("route {filter:?}: profile {profile:?} is unknown: use one of {known}")]
    Profile {
        /// The filter as written.
        filter: String,
        /// The profile as written.
        profile: String,
        /// The profiles there are.
        known: String,
    },
    /// The filter was given before.
    #[error("route {filter:?} is there twice: keep one of them")]
    Twice {
        /// The filter as written.
        filter: String,
    },
}

/// Every fault of a set of routes at once, one a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteErrors(pub Vec<RouteError>);

impl fmt::Display for RouteErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for RouteErrors {}

impl Routes {
    /// Returns the routes of `pairs`, each a topic filter and the name of a profile of `known`.
    ///
    /// `known` is usually [`crate::PROFILES`]; a profile from elsewhere is put before it, and the first of a name
    /// counts.
    ///
    /// # Errors
    /// [`RouteErrors`] with every filter that MQTT does not allow, every unknown profile and every repetition.
    pub fn new<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
        known: &[Profile],
    ) -> Result<Self, RouteErrors> {
        let (mut routes, mut errors, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (filter, name) in pairs {
            if let Err(cause) = check(filter) {
                errors.push(RouteError::Filter { filter: text::quote(filter), cause });
            } else if !seen.insert(filter) {
                errors.push(RouteError::Twice { filter: text::quote(filter) });
            }
            match known.iter().find(|profile| profile.name == name) {
                Some(profile) => routes.push(Route { filter: filter.into(), profile: *profile }),
                None => errors.push(RouteError::Profile {
                    filter: text::quote(filter),
                    profile: text::quote(name),
                    known: known.iter().map(|profile| profile.name).collect::<Vec<_>>().join(", "),
                }),
            }
        }
        if !errors.is_empty() {
            return Err(RouteErrors(errors));
        }
        routes.sort_by_cached_key(|route| (ranks(&route.filter), route.filter.clone()));
        Ok(Self(routes))
    }

    /// Returns the routes that the profiles of `known` are made for.
    ///
    /// # Errors
    /// [`RouteErrors`] when two of them claim the same filter, or one claims a filter that MQTT does not allow.
    pub fn by_default(known: &[Profile]) -> Result<Self, RouteErrors> {
        let pairs = known
            .iter()
            .flat_map(|profile| profile.default_filters.iter().map(|filter| (*filter, profile.name)));
        Self::new(pairs, known)
    }

    /// The filters, the most specific first; what a link has to subscribe to.
    pub fn filters(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|route| route.filter.as_ref())
    }

    /// Returns the profile that reads `topic`. Linear in the number of routes, of which there are a handful.
    #[must_use]
    pub fn profile(&self, topic: &str) -> Option<&Profile> {
        self.0.iter().find(|route| matches(&route.filter, topic)).map(|route| &route.profile)
    }

    /// Returns what `message` says, the most urgent first, or nothing when its profile says that silence is right.
    ///
    /// # Errors
    /// [`Refusal`] when no route matches or the profile cannot read the message. It is not to be dropped: it may
    /// have been a call for help.
    pub fn decode(&self, message: &Message<'_>) -> Result<Vec<Signal>, Refusal> {
        match self.profile(message.topic) {
            Some(profile) => (profile.decode)(message),
            None => {
                Err(Refusal { device: None, reason: Reason::NotRouted { topic: text::quote(message.topic) } })
            }
        }
    }
}

fn check(filter: &str) -> Result<(), &'static str> {
    if filter.is_empty() {
        return Err("the filter is empty: name the topics to read");
    }
    if filter.len() > MAX_FILTER_BYTES || filter.contains('\0') {
        return Err("the filter is longer than 65535 bytes or holds a NUL: shorten it");
    }
    if filter.starts_with("$share/") {
        return Err("a shared subscription is no filter: leave out $share and the group");
    }
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        if level.contains(['+', '#']) && level.len() > 1 {
            return Err("+ and # stand alone between slashes: write + or # for the whole level");
        }
        if level == "#" && levels.peek().is_some() {
            return Err("# is the last level: leave out what follows");
        }
    }
    Ok(())
}

/// How specific each level is; the smaller, the more specific.
fn ranks(filter: &str) -> Vec<u8> {
    filter
        .split('/')
        .map(|level| match level {
            "#" => 2,
            "+" => 1,
            _ => 0,
        })
        .collect()
}

fn matches(filter: &str, topic: &str) -> bool {
    // A broker's own topics are matched by name only (MQTT 4.7.2).
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        let level = match wanted {
            "#" => return true,
            _ => levels.next(),
        };
        if level.is_none() || (wanted != "+" && level != Some(wanted)) {
            return false;
        }
    }
    levels.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PROFILES;

    fn routes(pairs: &[(&str, &str)]) -> Routes {
        Routes::new(pairs.iter().copied(), PROFILES).expect("good routes")
    }

    #[test]
    fn filters_match_as_mqtt_says() {
        for (filter, topic) in [
            ("a/b", "a/b"),
            ("a/+", "a/"),
            ("+/+", "/a"),
            ("a/#", "a"),
            ("a/#", "a/b/c"),
            ("#", "a"),
            ("+/b/#", "a/b"),
            ("$SYS/#", "$SYS/x"),
        ] {
            assert!(matches(filter, topic), "{filter} {topic}");
        }
        for (filter, topic) in [
            ("a/b", "a"),
            ("a", "a/b"),
            ("a/+", "a"),
            ("a/+", "a/b/c"),
            ("#", "$SYS/x"),
            ("+/x", "$SYS/x"),
            ("A", "a"),
        ] {
            assert!(!matches(filter, topic), "{filter} {topic}");
        }
    }

    #[test]
    fn the_most_specific_filter_wins_whatever_the_order() {
        let pairs =
            [("#", "chirpstack"), ("a/#", "zigbee2mqtt"), ("+/b", "chirpstack"), ("a/b", "canonical")];
        for pairs in [pairs, {
            let mut turned = pairs;
            turned.reverse();
            turned
        }] {
            let routes = routes(&pairs);
            let name = |topic| routes.profile(topic).map(|profile| profile.name);
            assert_eq!(name("a/b"), Some("canonical"));
            assert_eq!(name("a/c"), Some("zigbee2mqtt"));
            assert_eq!(name("c/b"), Some("chirpstack"));
            assert_eq!(routes.filters().collect::<Vec<_>>(), ["a/b", "a/#", "+/b", "#"]);
        }
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let pairs = [
            ("a/b#", "canonical"),
            ("#/a", "zigbee"),
            ("", "canonical"),
            ("a", "canonical"),
            ("a", "canonical"),
        ];
        let errors = Routes::new(pairs, PROFILES).expect_err("all of them wrong");
        assert_eq!(errors.0.len(), 5, "{errors}");
        assert_eq!(errors.to_string().lines().count(), 5);
        assert!(
            errors
                .to_string()
                .contains("profile \"zigbee\" is unknown: use one of canonical, zigbee2mqtt, chirpstack")
        );
    }

    #[test]
    fn what_nobody_reads_is_refused() {
        let routes = Routes::by_default(PROFILES).expect("the defaults do not collide");
        let refusal = routes.decode(&Message { topic: "x/y", payload: b"sos" }).expect_err("no such route");
        assert_eq!(refusal.reason, Reason::NotRouted { topic: "x/y".to_owned() });
        assert!(
            refusal.to_string().starts_with("unknown device: no profile reads topic \"x/y\""),
            "{refusal}"
        );
    }
}
