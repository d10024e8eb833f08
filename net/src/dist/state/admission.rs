//! With whom this node may be connected, and with whom it connects by itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use fika_runtime::NodeName;

use super::config::AutoConnect;
use super::net::Net;
use crate::dist::link::Channel;

/// The nodes that may be connected, in both directions (HS-13); all, if there is no entry.
#[derive(Clone, Default, Debug)]
pub(crate) struct Allowed(BTreeSet<String>);

impl Allowed {
    /// An entry is a node's name, a host, or the part of a name before the `@`.
    pub(crate) fn add(&mut self, entries: impl IntoIterator<Item = String>) {
        self.0.extend(entries);
    }

    pub(crate) fn permits(&self, node: &NodeName) -> bool {
        let names = [node.as_str(), node.host(), node.alive()];
        self.0.is_empty() || names.iter().any(|name| self.0.contains(*name))
    }
}

impl Net {
    pub(crate) fn permits(&self, node: &NodeName) -> bool {
        self.allowed.read().permits(node)
    }

    /// Returns the channel to a node, and makes it if a connection may be made automatically.
    pub(crate) fn auto_connect(&self, peer: &NodeName) -> Option<Arc<Channel>> {
        if self.is_stopping() {
            return None;
        }
        if self.config.auto_connect == AutoConnect::Always {
            return Some(self.connect(peer));
        }
        // In this order: a node is barred before its lost channel leaves the table.
        let channel = self.table.get(peer);
        channel.or_else(|| self.may_auto_connect(peer).then(|| self.connect(peer)))
    }

    /// Returns whether a connection to a node may be made without an explicit request (DIST-6).
    pub(crate) fn may_auto_connect(&self, peer: &NodeName) -> bool {
        match self.config.auto_connect {
            AutoConnect::Always => true,
            AutoConnect::Never => false,
            AutoConnect::Once => !self.barred.lock().contains(peer),
        }
    }

    /// A node that was connected is not connected by itself a second time.
    pub(crate) fn bar(&self, peer: &NodeName) {
        if self.config.auto_connect == AutoConnect::Once {
            self.barred.lock().insert(peer.clone());
        }
    }

    /// It has been connected on request, or by itself.
    pub(crate) fn unbar(&self, peer: &NodeName) {
        if self.config.auto_connect == AutoConnect::Once {
            self.barred.lock().remove(peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// HS-13.
    #[test]
    fn who_is_allowed() {
        let name = |name: &str| name.parse::<NodeName>().unwrap();
        let mut allowed = Allowed::default();
        assert!(allowed.permits(&name("anybody@anywhere")));
        allowed.add(["a@h".to_owned(), "10.0.0.1".to_owned(), "cache".to_owned()]);
        for yes in ["a@h", "x@10.0.0.1", "cache@z", "cache@h"] {
            assert!(allowed.permits(&name(yes)), "{yes}");
        }
        for no in ["b@h", "a@g", "x@10.0.0.2", "h@a", "caches@z"] {
            assert!(!allowed.permits(&name(no)), "{no}");
        }
        allowed.add(["h".to_owned()]);
        assert!(allowed.permits(&name("b@h")) && allowed.permits(&name("a@h")), "it adds");
    }
}
