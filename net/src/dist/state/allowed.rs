//! The list of nodes that may be connected.

use std::collections::BTreeSet;

use fika_runtime::NodeName;

/// The nodes that may be connected, in both directions (HS-13). If there is no entry, all nodes may
/// be connected.
#[derive(Clone, Default, Debug)]
pub(crate) struct Allowed(BTreeSet<String>);

impl Allowed {
    /// Adds entries. An entry is a node's name, a host, or the part of a name before the `@`.
    pub(crate) fn add(&mut self, entries: impl IntoIterator<Item = String>) {
        self.0.extend(entries);
    }

    pub(crate) fn permits(&self, node: &NodeName) -> bool {
        let names = [node.as_str(), node.host(), node.alive()];
        self.0.is_empty() || names.iter().any(|name| self.0.contains(*name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// HS-13: an entry is a node name, a host, or the alive part of a name. An empty list allows
    /// all nodes.
    #[test]
    fn names_hosts_and_name_parts_are_allowed() {
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
