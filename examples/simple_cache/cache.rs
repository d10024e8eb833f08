//! The cache: one process per node, registered as `cache`, that holds all keys.
//!
//! A change is made in the cache of one node, which sends it to the caches of all connected nodes.
//! A cache that accepts a change passes it on in the same way, once. When two nodes connect, each
//! sends the other all of its entries. These are the messages between caches, and between a cache
//! and its users:
//!
//! | message | from | effect |
//! |---|---|---|
//! | `Get`, `Put`, `Del` | any process, on any node | an `Answer` with the key's value, or its old value |
//! | `Watch` | any process | a [`Changed`] for each key, now and whenever its value changes |
//! | `Update` | another cache | if this entry is greater, the key gets it, and all nodes are sent it |
//! | `SendAll` | a cache that starts | an `Update` for each key |
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

use fika::message::{Dest, Reference};
use fika::net::monitor_nodes;
use fika::node::NodeName;
use fika::prelude::*;
use fika::process::demonitor_flush;
use serde::{Deserialize, Serialize};

/// The name under which the cache is registered on its node.
const NAME: &str = "cache";

#[derive(Message, Serialize, Deserialize)]
struct Get {
    from: Pid,
    reference: Reference,
    key: String,
}

#[derive(Message, Serialize, Deserialize)]
struct Put {
    from: Pid,
    reference: Reference,
    key: String,
    value: String,
}

#[derive(Message, Serialize, Deserialize)]
struct Del {
    from: Pid,
    reference: Reference,
    key: String,
}

/// The value of a key, or its value before it was put or deleted.
#[derive(Message, Serialize, Deserialize)]
struct Answer {
    reference: Reference,
    value: Option<String>,
}

#[derive(Message, Serialize, Deserialize)]
struct Watch {
    from: Pid,
}

/// The new value of a key; `None` if the key was deleted.
#[derive(Message, Serialize, Deserialize)]
pub(crate) struct Changed {
    pub(crate) key: String,
    pub(crate) value: Option<String>,
}

#[derive(Message, Serialize, Deserialize)]
struct Update {
    key: String,
    entry: Entry,
}

#[derive(Message, Serialize, Deserialize)]
struct SendAll {
    to: Pid,
}

/// The cache accepts requests, and is notified of nodes that come and go.
#[derive(Message, Serialize, Deserialize)]
struct Started;

/// The state of a key on a node. The order of the fields decides which of two entries is greater.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Entry {
    counter: u64,
    /// The node that made the change.
    node: NodeName,
    /// `None` if the key was deleted.
    value: Option<String>,
}

/// Starts the cache of this node, linked to the caller.
pub(crate) async fn start_link() -> Pid {
    let cache = spawn_link(run(self_pid()));
    receive! { Started => cache }
}

/// Returns the value of a key in the cache of this or another node.
pub(crate) async fn get(node: impl AsRef<str>, key: &str) -> Option<String> {
    call(node.as_ref(), |from, reference| Get { from, reference, key: key.into() }).await
}

/// Sets the value of a key, and returns its old value.
pub(crate) async fn put(node: impl AsRef<str>, key: &str, value: &str) -> Option<String> {
    let (key, value) = (key.into(), value.into());
    call(node.as_ref(), |from, reference| Put { from, reference, key, value }).await
}

/// Deletes a key, and returns its old value.
pub(crate) async fn del(node: impl AsRef<str>, key: &str) -> Option<String> {
    call(node.as_ref(), |from, reference| Del { from, reference, key: key.into() }).await
}

/// Sends the caller a [`Changed`] for each key in this node's cache, now and whenever the value of
/// a key changes.
pub(crate) fn watch() {
    send(NAME, Watch { from: self_pid() });
}

/// Sends a request and waits for its answer. The reference of the request is that of a monitor. If
/// the node or its cache does not exist, or is lost before it answers, the caller ends.
async fn call<M: Message>(node: &str, request: impl FnOnce(Pid, Reference) -> M) -> Option<String> {
    let asked = monitor((NAME, node));
    send((NAME, node), request(self_pid(), asked));
    receive! {
        Answer { reference, value } if reference == asked => {
            demonitor_flush(asked);
            value
        }
        Down { monitor, reason, .. } if monitor == asked => exit(reason),
    }
}

/// Runs the cache. It registers its name before it asks which nodes are connected, so it misses no
/// copy: it asks the nodes that are connected by then, and later nodes send their copies unasked.
async fn run(parent: Pid) {
    register(NAME, self_pid()).expect("a node has one cache");
    monitor_nodes(true);
    send(parent, Started);
    for node in nodes() {
        send((NAME, &node), SendAll { to: self_pid() });
    }
    let mut cache = Cache::default();
    loop {
        cache.next().await;
    }
}

#[derive(Default)]
struct Cache {
    entries: BTreeMap<String, Entry>,
    /// The highest counter of all entries.
    counter: u64,
    /// The processes that are notified of changes, by the monitors on them.
    watchers: BTreeMap<Reference, Pid>,
}

impl Cache {
    /// Handles the next message.
    async fn next(&mut self) {
        receive! {
            Get { from, reference, key } => {
                send(from, Answer { reference, value: self.value(&key) });
            }
            Put { from, reference, key, value } => {
                let old = self.change(key, Some(value));
                send(from, Answer { reference, value: old });
            }
            Del { from, reference, key } => {
                let old = self.value(&key);
                if old.is_some() {
                    self.change(key, None);
                }
                send(from, Answer { reference, value: old });
            }
            Update { key, entry } => self.merge(key, entry),
            SendAll { to } => self.send_all(to),
            NodeUp { node, .. } => self.send_all((NAME, &node)),
            Watch { from } => self.add_watcher(from),
            Down { monitor, .. } => {
                self.watchers.remove(&monitor);
            }
            // A `NodeDown` needs no action: the node's entries stay. Other messages are dropped, so
            // that they do not fill the mailbox.
            _ => {}
        }
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
            self.tell_watchers(&key, &entry.value);
        }
        for node in nodes() {
            send((NAME, &node), Update { key: key.clone(), entry: entry.clone() });
        }
        self.entries.insert(key, entry);
    }

    /// Sends a copy of the whole cache, with one small message per key.
    fn send_all<'a>(&self, to: impl Into<Dest<'a>>) {
        let to = to.into();
        for (key, entry) in &self.entries {
            send(to.clone(), Update { key: key.clone(), entry: entry.clone() });
        }
    }

    fn add_watcher(&mut self, watcher: Pid) {
        self.watchers.insert(monitor(watcher), watcher);
        for (key, Entry { value, .. }) in &self.entries {
            if value.is_some() {
                send(watcher, Changed { key: key.clone(), value: value.clone() });
            }
        }
    }

    fn tell_watchers(&self, key: &str, value: &Option<String>) {
        for watcher in self.watchers.values() {
            send(watcher, Changed { key: key.into(), value: value.clone() });
        }
    }
}
