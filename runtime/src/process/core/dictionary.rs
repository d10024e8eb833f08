//! The dictionary of a process: values under names. It is for values that would be a burden to pass
//! through every call, such as the number of the request that is served.
//!
//! A value can have any message type, so that `process_info` can show a copy of it. Wrap a value
//! that can't be copied in [`Local`](crate::Local). Only the process itself can change its
//! dictionary, which ends with the process.
//!
//! Use it seldom, like Erlang's: a function should get what it needs as arguments.
//!
//! ```
//! # use fika_runtime::{Node, dictionary};
//! # Node::builder().build().unwrap().block_on(async {
//! dictionary::put("request", 17_u64);
//! assert_eq!(dictionary::get::<u64>("request"), Some(17));
//! assert_eq!(dictionary::keys()[0].as_str(), "request");
//! assert_eq!(dictionary::erase::<u64>("request"), Some(17));
//! assert_eq!(dictionary::get::<u64>("request"), None);
//! # });
//! ```

use std::collections::BTreeMap;

use crate::context;
use crate::message::{Envelope, Message};
use crate::name::Name;
use crate::process_info::Snapshot;

/// Keys and values, in the order of the keys.
#[derive(Default)]
pub(in crate::process) struct Dictionary(BTreeMap<Name, Envelope>);

impl Dictionary {
    pub(in crate::process) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in crate::process) fn snapshots(&self) -> Vec<(Name, Snapshot)> {
        self.0.iter().map(|(key, value)| (key.clone(), Snapshot::of(value))).collect()
    }

    pub(in crate::process) fn snapshot(&self, key: &Name) -> Option<Snapshot> {
        self.0.get(key).map(Snapshot::of)
    }

    pub(super) fn into_values(self) -> impl Iterator<Item = Envelope> {
        self.0.into_values()
    }

    /// Returns about how many bytes the entries take.
    pub(in crate::process) fn memory(&self) -> usize {
        let entry = size_of::<(Name, Envelope)>();
        self.0.values().map(|value| entry + value.memory()).sum()
    }
}

/// Puts a value into the running process's dictionary (Erlang's `put/2`). Returns the value that it
/// replaces, if that has the same type.
///
/// ```
/// # use fika_runtime::{Node, dictionary};
/// # Node::builder().build().unwrap().block_on(async {
/// assert_eq!(dictionary::put("request", 17_u64), None);
/// assert_eq!(dictionary::put("request", 18_u64), Some(17));
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn put<T: Message>(key: impl Into<Name>, value: T) -> Option<T> {
    let key = key.into();
    context::process("dictionary::put", |me| {
        let old = me.control.extras().dictionary.borrow_mut().0.insert(key, Envelope::new(value));
        old.and_then(value_of)
    })
}

/// Returns a copy of a value of the running process's dictionary (Erlang's `get/1`). `None` if the
/// key has no value, or a value of another type.
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn get<T: Message + Clone>(key: &str) -> Option<T> {
    context::process("dictionary::get", |me| {
        let dictionary = me.control.extras_if_any()?.dictionary.borrow();
        dictionary.0.get(key)?.peek::<T>().cloned()
    })
}

/// Takes a value out of the running process's dictionary (Erlang's `erase/1`). `None` if the key
/// has no value. A value of another type stays, and the result is `None`.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn erase<T: Message>(key: &str) -> Option<T> {
    context::process("dictionary::erase", |me| {
        let mut dictionary = me.control.extras_if_any()?.dictionary.borrow_mut();
        dictionary.0.get(key)?.peek::<T>()?;
        let value = dictionary.0.remove(key);
        drop(dictionary);
        value.and_then(value_of)
    })
}

/// Returns the keys of the running process's dictionary, in order (Erlang's `get_keys/0`).
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn keys() -> Vec<Name> {
    context::process("dictionary::keys", |me| {
        let extras = me.control.extras_if_any();
        extras
            .map_or_else(Vec::new, |extras| extras.dictionary.borrow().0.keys().cloned().collect())
    })
}

fn value_of<T: Message>(value: Envelope) -> Option<T> {
    value.downcast::<T>().ok().map(|node| node.body)
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn its_memory_includes_its_entries() {
        let mut dictionary = Dictionary::default();
        assert!(dictionary.is_empty());
        assert_eq!(dictionary.memory(), 0);
        dictionary.0.insert("key".into(), Envelope::new([0_u64; 100]));
        assert!(!dictionary.is_empty());
        assert!(dictionary.memory() >= 800);
    }

    #[test]
    fn a_value_comes_back_when_it_is_replaced_or_erased() {
        let node = crate::node::Node::builder().workers(1).build().unwrap();
        node.block_on(async {
            assert_eq!(put("key", 1_u64), None);
            assert_eq!(put("key", 2_u64), Some(1));
            assert_eq!(erase::<String>("key"), None, "a value of another type stays");
            assert_eq!(erase::<u64>("key"), Some(2));
            assert_eq!(erase::<u64>("key"), None);
            assert_eq!(put("key", 3_u64), None);
            assert_eq!(put("key", "text".to_owned()), None, "it replaces another type");
            assert_eq!(get::<String>("key").as_deref(), Some("text"));
        });
        node.stop();
    }
}
