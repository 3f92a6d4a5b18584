//! Which connections subscribed to this topic?
//!
//! A tree with one node for each level of the filters, `+` being a level like others and `#` a list at its node. Finding
//! the subscribers of a topic costs its levels (and the `+` beside them), not the number of connections.

use std::{
    cmp::Reverse,
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use crate::{Qos, clients::Seat};

/// Most levels of a filter: bounds the depth of the tree.
const MAX_LEVELS: usize = 64;

/// A connection that wants a topic.
#[derive(Clone)]
pub(crate) struct Subscriber {
    pub(crate) seat: Arc<Seat>,
    pub(crate) qos: Qos,
}

/// All subscriptions.
#[derive(Default)]
pub(crate) struct Subscriptions(RwLock<Node>);

#[derive(Default)]
struct Node {
    below: HashMap<Box<str>, Node>,
    /// Filters that end here.
    here: Vec<Subscriber>,
    /// Filters that end in `#` below here; they match this level as well.
    rest: Vec<Subscriber>,
}

/// Whether the filter is within what the tree holds.
pub(crate) fn is_shallow(filter: &str) -> bool {
    filter.split('/').count() <= MAX_LEVELS
}

impl Subscriptions {
    /// Adds a subscription, in the place of an equal one of the same connection.
    pub(crate) fn add(&self, filter: &str, subscriber: Subscriber) {
        let mut tree = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut node = &mut *tree;
        let mut list_rest = false;
        for level in filter.split('/') {
            if level == "#" {
                list_rest = true;
                break;
            }
            if !node.below.contains_key(level) {
                node.below.insert(level.into(), Node::default());
            }
            let Some(next) = node.below.get_mut(level) else { return };
            node = next;
        }
        let list = if list_rest { &mut node.rest } else { &mut node.here };
        list.retain(|other| other.seat.id != subscriber.seat.id);
        list.push(subscriber);
    }

    /// Removes a subscription, if there is one.
    pub(crate) fn remove(&self, filter: &str, seat: &Seat) {
        let mut tree = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut levels = filter.split('/');
        remove(&mut tree, &mut levels, seat.id);
    }

    /// The connections that want `topic`, each once, with the best QoS of its filters.
    pub(crate) fn matching(&self, topic: &str) -> Vec<Subscriber> {
        let mut found = Vec::new();
        {
            let tree = self.0.read().unwrap_or_else(PoisonError::into_inner);
            collect(&tree, topic.split('/'), topic.starts_with('$'), &mut found);
        }
        found.sort_by_key(|subscriber| (subscriber.seat.id, Reverse(subscriber.qos)));
        found.dedup_by_key(|subscriber| subscriber.seat.id);
        found
    }
}

/// The filters of one connection; all are given up when dropped.
pub(crate) struct Subscribed<'d> {
    all: &'d Subscriptions,
    seat: &'d Arc<Seat>,
    filters: Vec<Arc<str>>,
}

impl<'d> Subscribed<'d> {
    pub(crate) fn new(all: &'d Subscriptions, seat: &'d Arc<Seat>) -> Self {
        Self { all, seat, filters: Vec::new() }
    }

    /// Whether `filter` may be added: there is room, or it is there already.
    pub(crate) fn has_room(&self, filter: &Arc<str>, limit: usize) -> bool {
        self.filters.len() < limit || self.filters.contains(filter)
    }

    pub(crate) fn add(&mut self, filter: Arc<str>, qos: Qos) {
        self.all.add(&filter, Subscriber { seat: Arc::clone(self.seat), qos });
        if !self.filters.contains(&filter) {
            self.filters.push(filter);
        }
    }

    /// Returns whether it was there.
    pub(crate) fn remove(&mut self, filter: &Arc<str>) -> bool {
        let Some(at) = self.filters.iter().position(|own| own == filter) else { return false };
        self.filters.swap_remove(at);
        self.all.remove(filter, self.seat);
        true
    }
}

impl Drop for Subscribed<'_> {
    fn drop(&mut self) {
        for filter in &self.filters {
            self.all.remove(filter, self.seat);
        }
    }
}

/// `reserved`: the topic starts with `$`, which a wildcard on the first level does not match.
fn collect<'t>(
    node: &Node,
    mut levels: impl Iterator<Item = &'t str> + Clone,
    reserved: bool,
    found: &mut Vec<Subscriber>,
) {
    if !reserved {
        found.extend_from_slice(&node.rest);
    }
    let Some(level) = levels.next() else {
        found.extend_from_slice(&node.here);
        return;
    };
    if let Some(next) = node.below.get(level) {
        collect(next, levels.clone(), false, found);
    }
    if !reserved && let Some(next) = node.below.get("+") {
        collect(next, levels, false, found);
    }
}

/// Removes below `node` and returns whether the node is empty now.
fn remove<'f>(node: &mut Node, levels: &mut impl Iterator<Item = &'f str>, seat_id: u64) -> bool {
    match levels.next() {
        None => node.here.retain(|subscriber| subscriber.seat.id != seat_id),
        Some("#") => node.rest.retain(|subscriber| subscriber.seat.id != seat_id),
        Some(level) => {
            if let Some(next) = node.below.get_mut(level)
                && remove(next, levels, seat_id)
            {
                node.below.remove(level);
            }
        }
    }
    node.below.is_empty() && node.here.is_empty() && node.rest.is_empty()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::receipts::Outbox;

    fn seat(id: u64) -> Arc<Seat> {
        Arc::new(Seat::new(id, format!("client-{id}").into(), 1, Outbox::new(1)))
    }

    fn tree(filters: &[&str]) -> Subscriptions {
        let subscriptions = Subscriptions::default();
        for (id, filter) in filters.iter().enumerate() {
            subscriptions.add(filter, Subscriber { seat: seat(id as u64), qos: Qos::AtLeastOnce });
        }
        subscriptions
    }

    fn matched<'f>(filters: &[&'f str], topic: &str) -> Vec<&'f str> {
        let found = tree(filters).matching(topic);
        found.iter().map(|subscriber| filters[usize::try_from(subscriber.seat.id).expect("small")]).collect()
    }

    #[test]
    fn wildcards_match_as_the_standard_says() {
        let filters =
            ["a/b", "a/+", "+/b", "a/#", "#", "+/+", "a/b/#", "+", "a", "/a", "+/a", "$x/#", "a/+/c", "a//c"];
        assert_eq!(matched(&filters, "a/b"), ["a/b", "a/+", "+/b", "a/#", "#", "+/+", "a/b/#"]);
        assert_eq!(matched(&filters, "a"), ["a/#", "#", "+", "a"]);
        assert_eq!(matched(&filters, "/a"), ["#", "+/+", "/a", "+/a"]);
        assert_eq!(matched(&filters, "$x/y"), ["$x/#"]);
        assert_eq!(matched(&filters, "$x"), ["$x/#"]);
        assert_eq!(matched(&filters, "a//c"), ["a/#", "#", "a/+/c", "a//c"]);
    }

    #[test]
    fn a_connection_gets_a_message_once_with_its_best_qos() {
        let subscriptions = Subscriptions::default();
        let me = seat(1);
        for (filter, qos) in [("a/b", Qos::AtMostOnce), ("a/+", Qos::AtLeastOnce), ("#", Qos::AtMostOnce)] {
            subscriptions.add(filter, Subscriber { seat: Arc::clone(&me), qos });
        }
        let found = subscriptions.matching("a/b");
        assert_eq!(found.iter().map(|subscriber| subscriber.qos).collect::<Vec<_>>(), [Qos::AtLeastOnce]);
        for filter in ["a/b", "a/+", "#"] {
            subscriptions.remove(filter, &me);
        }
        assert!(subscriptions.0.read().expect("not poisoned").below.is_empty());
    }

    /// The standard's rule, level by level, to check the tree against.
    fn matches(filter: &[&str], topic: &[&str]) -> bool {
        match (filter, topic) {
            (["#"], _) | ([], []) => true,
            ([one, filter @ ..], [level, topic @ ..]) => {
                (*one == "+" || one == level) && matches(filter, topic)
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn the_tree_finds_what_comparing_finds(
            filters in prop::collection::vec(prop::collection::vec(prop::sample::select(vec!["a", "b", "", "+"]), 1..5), 1..20),
            open in prop::collection::vec(any::<bool>(), 20),
            topic in prop::collection::vec(prop::sample::select(vec!["a", "b", ""]), 1..5),
            gone in 0usize..20,
        ) {
            let filters: Vec<String> = filters.iter().zip(&open).map(|(levels, open)| {
                let path = levels.join("/");
                if *open { format!("{path}/#") } else { path }
            }).collect();
            let names: Vec<&str> = filters.iter().map(String::as_str).collect();
            let subscriptions = tree(&names);
            let gone = gone % names.len();
            subscriptions.remove(names[gone], &seat(gone as u64));
            let found: Vec<u64> = subscriptions.matching(&topic.join("/")).iter().map(|s| s.seat.id).collect();
            let expected: Vec<u64> = names.iter().enumerate()
                .filter(|(id, filter)| *id != gone && matches(&filter.split('/').collect::<Vec<_>>(), &topic))
                .map(|(id, _)| id as u64).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
