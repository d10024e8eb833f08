//! The cache: one process a node, registered as `cache`, that holds all keys.
//!
//! A change is made in the cache of one node, which sends it to those of all nodes that are
//! connected. Whoever takes it in passes it on in the same way, once. When two nodes connect,
//! each sends the other all that it has. What the caches say to each other and to their users:
//!
//! | message | from | what follows |
//! |---|---|---|
//! | `Get`, `Put`, `Del` | anybody, on any node | an `Answer`: the value that the key has, or had |
//! | `Watch` | anybody | a [`Changed`] for each key, now and whenever its value changes |
//! | `Update` | another cache | the key gets this entry, if that is the greater one, and all are sent it |
//! | `SendAll` | a cache that starts | an `Update` for each key |
//!
//! # Which entry is the greater one
//! The one with the higher counter; then the one of the node whose name comes later in the
//! alphabet; then the one with the greater value. A node counts on from the highest counter
//! that it has seen (a Lamport clock), so a change is greater than all that its node knew
//! of. A key that is deleted keeps an entry without a value: it wins over older values that
//! are still on their way. The greatest of a set does not depend on the order in which it
//! is looked at, so all nodes that have seen the same entries have the same cache, also
//! after they were cut off from each other and changed the same key.
//!
//! # Why all copies are the same in the end
//! Of two nodes that are connected, either has sent the other what it had when they connected
//! and all that it has taken in since. So neither lacks what the other has, however it came
//! there: copies agree as soon as all nodes are connected and nothing is under way any more.
//! It would be cheaper if nodes did not pass on what they are sent: a change would be one
//! message a node, and not one from each to each. But a node may die when one of the others
//! has its last change and the next has not, and those two, who are connected all the time,
//! would differ for good.
//!
//! # What it does not do
//! - A `put` is answered before the other nodes have it, and the last writer wins: one of two
//!   changes that were made at the same time is lost. So are changes that a node made just
//!   before it died. It is a cache, not a database.
//! - Nothing is written to a disk, nothing expires, deleted keys are never forgotten, and
//!   there is no limit to the size.
//! - Hidden nodes are not told of changes: the cache of one is its own.

use std::collections::BTreeMap;

use fika::message::{Dest, Reference};
use fika::net::monitor_nodes;
use fika::node::NodeName;
use fika::prelude::*;
use fika::process::demonitor_flush;

/// The name that the cache is registered under on its node.
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

/// The value that a key has, or had before it was put or deleted.
#[derive(Message, Serialize, Deserialize)]
struct Answer {
    reference: Reference,
    value: Option<String>,
}

#[derive(Message, Serialize, Deserialize)]
struct Watch {
    from: Pid,
}

/// The value of a key has changed; none if it was deleted.
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

/// The cache takes requests, and hears of nodes.
#[derive(Message, Serialize, Deserialize)]
struct Started;

/// What a node knows of a key. The order of the fields is what decides between two entries.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Entry {
    counter: u64,
    /// Where the change was made.
    node: NodeName,
    /// None if the key was deleted.
    value: Option<String>,
}

/// Starts the cache of this node, linked to the caller.
pub(crate) async fn start_link() -> Pid {
    let cache = spawn_link(run(self_pid()));
    receive! { Started => cache }
}

/// The value of a key, in the cache of this or another node.
pub(crate) async fn get(node: impl AsRef<str>, key: &str) -> Option<String> {
    call(node.as_ref(), |from, reference| Get { from, reference, key: key.into() }).await
}

/// Gives a key a value, and returns the one that it had.
pub(crate) async fn put(node: impl AsRef<str>, key: &str, value: &str) -> Option<String> {
    let (key, value) = (key.into(), value.into());
    call(node.as_ref(), |from, reference| Put { from, reference, key, value }).await
}

/// Deletes a key, and returns the value that it had.
pub(crate) async fn del(node: impl AsRef<str>, key: &str) -> Option<String> {
    call(node.as_ref(), |from, reference| Del { from, reference, key: key.into() }).await
}

/// Sends the caller a [`Changed`] for each key that this node's cache has, and then whenever
/// the value of a key changes.
pub(crate) fn watch() {
    send(NAME, Watch { from: self_pid() });
}

/// Sends a request and waits for its answer. The reference of the request is that of a
/// monitor: if there is no cache, or no such node, or it is lost meanwhile, the caller ends.
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

/// The process. It has its name before it asks who is connected, so no copy is missed: a
/// node that is connected by then is asked for its own, and a later one sends it unasked.
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
    /// Who is told of changes, by the monitor that tells of his end.
    watchers: BTreeMap<Reference, Pid>,
}

impl Cache {
    /// Takes the next message.
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
            // What a lost node had put stays; and nobody else is to fill the mailbox.
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

    /// Takes an entry in, if it is greater than the one that is there, and passes it on.
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

    /// Sends a copy of the whole cache: one small message a key, however large it is.
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
