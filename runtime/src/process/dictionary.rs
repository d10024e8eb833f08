//! The dictionary of a process: values under names, for what would be a burden to hand through
//! every call, such as the number of the request that is served.
//!
//! A value is of any type that can be a message, so that others can be shown a copy of it; one
//! that can't be copied is wrapped in [`Local`](crate::Local). Only the process itself can
//! change its dictionary, which ends with it.
//!
//! Use it as Erlang's is to be used: seldom. What a function needs should be among its
//! arguments.

use std::collections::BTreeMap;

use super::control::Running;
use super::snapshot::snapshot;
use crate::context;
use crate::message::{Envelope, Message};
use crate::name::Name;
use crate::process_info::Snapshot;

/// Keys and values, in the order of the keys.
#[derive(Default)]
pub(super) struct Dictionary(BTreeMap<Name, Envelope>);

impl Dictionary {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn snapshots(&self) -> Vec<(Name, Snapshot)> {
        self.0.iter().map(|(key, value)| (key.clone(), snapshot(value))).collect()
    }

    pub(super) fn snapshot(&self, key: &Name) -> Option<Snapshot> {
        self.0.get(key).map(snapshot)
    }

    /// The bytes of the entries, about.
    pub(super) fn memory(&self) -> usize {
        let entry = size_of::<(Name, Envelope)>();
        self.0.values().map(|value| entry + value.memory()).sum()
    }
}

/// Puts a value into the running process's dictionary (Erlang's `put/2`); returns the one that
/// it replaces, if that is of the same type.
///
/// ```
/// # use fika_runtime::{Node, dictionary};
/// # Node::builder().build().unwrap().block_on(async {
/// dictionary::put("request", 17_u64);
/// assert_eq!(dictionary::get::<u64>("request"), Some(17));
/// assert_eq!(dictionary::erase::<u64>("request"), Some(17));
/// assert_eq!(dictionary::get::<u64>("request"), None);
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

/// A copy of a value of the running process's dictionary (Erlang's `get/1`); none if there is
/// nothing under this key, or something of another type.
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

/// Takes a value out of the running process's dictionary (Erlang's `erase/1`). None if there is
/// nothing under this key; what is there under another type stays.
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

/// The keys of the running process's dictionary, in their order (Erlang's `get_keys/0`).
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

impl Running<'_> {
    /// The process ends: takes its dictionary out, to be dropped while it is still there.
    pub(super) fn take_dictionary(self) -> impl Iterator<Item = Envelope> {
        let dictionary = self.control.extras_if_any().map(|extras| extras.dictionary.take());
        dictionary.into_iter().flat_map(|dictionary| dictionary.0.into_values())
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn its_memory_is_that_of_its_entries() {
        let mut dictionary = Dictionary::default();
        assert!(dictionary.is_empty());
        assert_eq!(dictionary.memory(), 0);
        dictionary.0.insert("key".into(), Envelope::new([0_u64; 100]));
        assert!(!dictionary.is_empty());
        assert!(dictionary.memory() >= 800);
    }
}
