//! The cache: one server per node, registered as `cache`, that holds all keys.
//!
//! A change is made in the cache of one node, which sends it to the caches of all connected nodes.
//! A cache that accepts a change passes it on in the same way, once. When two nodes connect, each
//! sends the other all of its entries. These are the requests to a cache:
//!
//! | request | from | effect |
//! |---|---|---|
//! | `get`, `put`, `del` | any process, on any node | returns the key's value, or its old value |
//! | `watch` | any process | a [`Changed`] for each key, now and whenever its value changes |
//! | `update` | another cache | if this entry is greater, the key gets it, and all nodes are sent it |
//! | `send_all` | a cache that starts | an `update` for each key |
//!
//! # Which entry is greater
//! An entry with a higher counter is greater. If the counters are equal, the node name that is
//! later in the alphabet decides, and then the greater value. A node continues from the highest
//! counter that it has seen (a Lamport clock). So a change is greater than everything that its node
//! knew of. A deleted key keeps an entry without a value, which wins over older values that are
//! still in flight. The greatest entry does not depend on the order of arrival. So all nodes that
//! have seen the same entries have the same cache, even if they changed the same key while they
//! were cut off from each other.
//!
//! # Why all copies become equal
//! Two connected nodes have sent each other everything that they had when they connected, and
//! everything that they have accepted since. So neither lacks an entry of the other, whatever its
//! origin: the copies are equal as soon as all nodes are connected and no message is in flight.
//!
//! If nodes did not pass on what they receive, a change would cost one message per node, instead of
//! one from each node to each other. But a node may die after one of the others has received its
//! last change, and before the next one has. These two nodes stay connected, and would differ
//! forever.
//!
//! # What it does not do
//! - A `put` is answered before the other nodes have it, and the last writer wins. If two changes
//!   are made at the same time, one of them is lost. Changes that a node makes just before it dies
//!   may be lost, too. It is a cache, not a database.
//! - It writes nothing to disk, never expires or forgets a key, and has no size limit.
//! - Hidden nodes are not told of changes: each has a cache of its own.

use std::collections::BTreeMap;

use fika::message::Reference;
use fika::net::monitor_nodes;
use fika::node::NodeName;
use fika::prelude::*;
use serde::{Deserialize, Serialize};

/// The name under which the cache is registered on its node.
const NAME: &str = "cache";

/// The new value of a key; `None` if the key was deleted.
#[derive(Message, Serialize, Deserialize)]
pub(crate) struct Changed {
    pub(crate) key: String,
    pub(crate) value: Option<String>,
}

/// The state of a key on a node. The order of the fields decides which of two entries is greater.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Message, Serialize, Deserialize)]
#[message(tag = "simple_cache::Entry")]
struct Entry {
    counter: u64,
    /// The node that made the change.
    node: NodeName,
    /// `None` if the key was deleted.
    value: Option<String>,
}

/// Starts the cache of this node, linked to the caller.
pub(crate) async fn start_link() {
    Cache::start_link(Start::name(NAME)).await.expect("a node has one cache");
}

/// Returns the value of a key in the cache of this or another node. If the node or its cache does
/// not exist, or is lost before it answers, the caller ends.
pub(crate) async fn get(node: impl AsRef<str>, key: &str) -> Option<String> {
    let value = Cache::at((NAME, node.as_ref())).get(key.into()).no_timeout().await;
    value.unwrap_or_else(|error| exit(error.into()))
}

/// Sets the value of a key, and returns its old value.
pub(crate) async fn put(node: impl AsRef<str>, key: &str, value: &str) -> Option<String> {
    let cache = Cache::at((NAME, node.as_ref()));
    let old = cache.put(key.into(), value.into()).no_timeout().await;
    old.unwrap_or_else(|error| exit(error.into()))
}

/// Deletes a key, and returns its old value.
pub(crate) async fn del(node: impl AsRef<str>, key: &str) -> Option<String> {
    let old = Cache::at((NAME, node.as_ref())).del(key.into()).no_timeout().await;
    old.unwrap_or_else(|error| exit(error.into()))
}

/// Sends the caller a [`Changed`] for each key in this node's cache, now and whenever the value of
/// a key changes.
pub(crate) fn watch() {
    Cache::at(NAME).watch(self_pid());
}

struct Cache {
    entries: BTreeMap<String, Entry>,
    /// The highest counter of all entries.
    counter: u64,
    /// The processes that are notified of changes, by the monitors on them.
    watchers: BTreeMap<Reference, Pid>,
}

#[gen_server(tag = "simple_cache::Cache")]
impl Cache {
    /// The cache has its name before it asks which nodes are connected, so it misses no copy: it
    /// asks the nodes that are connected by then, and later nodes send their copies unasked.
    async fn init() -> Self {
        monitor_nodes(true);
        for node in nodes() {
            Cache::at((NAME, &node)).send_all(Cache::at(self_pid()));
        }
        Cache { entries: BTreeMap::new(), counter: 0, watchers: BTreeMap::new() }
    }

    #[call]
    async fn get(&mut self, key: String) -> Option<String> {
        self.value(&key)
    }

    #[call]
    async fn put(&mut self, key: String, value: String) -> Option<String> {
        self.change(key, Some(value))
    }

    #[call]
    async fn del(&mut self, key: String) -> Option<String> {
        let old = self.value(&key);
        if old.is_some() {
            self.change(key, None);
        }
        old
    }

    #[cast]
    async fn update(&mut self, key: String, entry: Entry) {
        self.merge(key, entry);
    }

    /// Sends a copy of the whole cache, with one small message per key.
    #[cast]
    async fn send_all(&mut self, to: CacheClient) {
        for (key, entry) in &self.entries {
            to.update(key.clone(), entry.clone());
        }
    }

    #[info]
    async fn on_node_up(&mut self, up: NodeUp) {
        self.send_all(Cache::at((NAME, &up.node))).await;
    }

    /// The entries of the node stay.
    #[info]
    async fn on_node_down(&mut self, _: NodeDown) {}

    #[cast]
    async fn watch(&mut self, watcher: Pid) {
        self.watchers.insert(monitor(watcher), watcher);
        for (key, Entry { value, .. }) in &self.entries {
            if value.is_some() {
                send(watcher, Changed { key: key.clone(), value: value.clone() });
            }
        }
    }

    #[info]
    async fn on_down(&mut self, down: Down) {
        self.watchers.remove(&down.monitor);
    }

    fn value(&self, key: &str) -> Option<String> {
        self.entries.get(key)?.value.clone()
    }

    /// Makes a change. Returns the old value.
    fn change(&mut self, key: String, value: Option<String>) -> Option<String> {
        let old = self.value(&key);
        let entry = Entry { counter: self.counter + 1, node: self_node().name(), value };
        self.merge(key, entry);
        old
    }

    /// Accepts an entry if it is greater than the current one, and passes it on.
    fn merge(&mut self, key: String, entry: Entry) {
        self.counter = self.counter.max(entry.counter);
        let known = self.entries.get(&key);
        if known.is_some_and(|known| *known >= entry) {
            return;
        }
        if known.and_then(|known| known.value.as_ref()) != entry.value.as_ref() {
            for watcher in self.watchers.values() {
                send(watcher, Changed { key: key.clone(), value: entry.value.clone() });
            }
        }
        for node in nodes() {
            Cache::at((NAME, &node)).update(key.clone(), entry.clone());
        }
        self.entries.insert(key, entry);
    }
}
