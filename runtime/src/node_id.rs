//! A small number for a node's name together with its creation, which distinguishes its lives.
//!
//! Pids and references contain this number. So they are small and `Copy`, and comparing them
//! reads no name. The table of these numbers belongs to the OS process, like a symbol table. It
//! holds names, and no state of any node. An entry lives as long as the OS process. Entries are
//! only made for our own nodes, for peers that have proved that they know the cookie, and for nodes
//! that such a peer mentioned. The network layer limits their number.
//!
//! Prior art: the node table (`erl_node_tables`) and atom table of the BEAM.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::LazyLock;

use parking_lot::RwLock;

use crate::node_name::NodeName;

/// Distinguishes the lives of a node: it changes each time the node starts.
///
/// ```
/// use fika_runtime::{Creation, NodeId, NodeName};
///
/// let name: NodeName = "cache@127.0.0.1".parse()?;
/// let (first, second) = (NodeId::of(&name, Creation(1)), NodeId::of(&name, Creation(2)));
/// // The same node, in two of its lives.
/// assert_eq!(first.name(), second.name());
/// assert_ne!(first, second);
/// # Ok::<(), fika_runtime::NodeNameError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Creation(pub u32);

/// A number for a node's name and [`Creation`].
///
/// Two ids are equal if they mean the same life of the same node. The number has no meaning outside
/// this OS process. On the wire, a node is its name and creation.
///
/// ```
/// # use fika_runtime::{Node, self_pid};
/// # Node::builder().build().unwrap().block_on(async {
/// let node = self_pid().node();
/// println!("{} in life {:?}", node.name(), node.creation());
/// # });
/// ```
///
/// Each life of a node has an id. A node without a name has one, too:
///
/// ```
/// # use fika_runtime::{Creation, NodeId, NodeName};
/// let name: NodeName = "a@127.0.0.1".parse()?;
/// assert_eq!(NodeId::find(&name, Creation(7)), None);
/// let id = NodeId::of(&name, Creation(7));
/// assert_eq!(NodeId::find(&name, Creation(7)), Some(id));
/// println!("{name} has the number {} here", id.number());
///
/// // Two nodes without a name are different nodes.
/// assert_ne!(NodeId::nameless(), NodeId::nameless());
/// # Ok::<(), fika_runtime::NodeNameError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeId(NonZeroU32);

#[derive(Default)]
struct Table {
    /// The entry of id `n` is at index `n - 1`.
    entries: Vec<Entry>,
    ids: HashMap<(NodeName, Creation), NodeId>,
}

struct Entry {
    /// The name and creation that the id was made for. Ids are ordered by it, so it never changes.
    origin: (NodeName, Creation),
    /// The current name of a node that was made without one.
    called: Option<(NodeName, Creation)>,
}

static TABLE: LazyLock<RwLock<Table>> = LazyLock::new(RwLock::default);

impl NodeId {
    /// Returns the number, for places that only store numbers.
    pub(crate) fn to_bits(self) -> u32 {
        self.0.get()
    }

    /// Returns the id with this number. `None` for 0.
    pub(crate) fn from_bits(bits: u32) -> Option<NodeId> {
        NonZeroU32::new(bits).map(NodeId)
    }

    /// Returns the id of this life of this node. Equal arguments give equal ids.
    #[must_use]
    pub fn of(name: &NodeName, creation: Creation) -> NodeId {
        let key = (name.clone(), creation);
        if let Some(id) = TABLE.read().ids.get(&key) {
            return *id;
        }
        let mut table = TABLE.write();
        if let Some(id) = table.ids.get(&key) {
            return *id;
        }
        let id = table.push(key.clone());
        table.ids.insert(key, id);
        id
    }

    /// Returns the id of this life of this node, if it has one.
    #[must_use]
    pub fn find(name: &NodeName, creation: Creation) -> Option<NodeId> {
        TABLE.read().ids.get(&(name.clone(), creation)).copied()
    }

    /// Returns a new id for a node without a name. It differs from all others, so the pids of two
    /// nameless nodes in one OS process never match.
    #[must_use]
    pub fn nameless() -> NodeId {
        TABLE.write().push((NodeName::nonode(), Creation(0)))
    }

    /// Returns the node's name.
    #[must_use]
    pub fn name(self) -> NodeName {
        self.called().0
    }

    /// Returns the node's creation, which says which life of the node this is.
    #[must_use]
    pub fn creation(self) -> Creation {
        self.called().1
    }

    /// Gives a name to a node that was made without one, or takes it away. The id and the node's
    /// pids stay as they are. Other nodes refer to this node by the id of its new name, and a
    /// connection translates between the two ids.
    ///
    /// Does nothing to an id that was made for a name: other nodes in this OS process may use that
    /// id for that life of the node, and it must keep this meaning.
    pub(crate) fn call(self, name: &NodeName, creation: Creation) {
        let mut table = TABLE.write();
        let entry = &mut table.entries[self.0.get() as usize - 1];
        if entry.origin == (NodeName::nonode(), Creation(0)) {
            entry.called = Some((name.clone(), creation));
        }
    }

    /// Returns the number itself, for hashing and display.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0.get()
    }

    #[cold]
    fn cmp_other(self, other: NodeId) -> Ordering {
        let table = TABLE.read();
        let origin = |id: NodeId| &table.entries[id.0.get() as usize - 1].origin;
        origin(self).cmp(origin(other)).then(self.0.cmp(&other.0))
    }

    fn called(self) -> (NodeName, Creation) {
        let table = TABLE.read();
        let entry = &table.entries[self.0.get() as usize - 1];
        entry.called.as_ref().unwrap_or(&entry.origin).clone()
    }
}

/// Compares name and creation, not the number: an order that decides something must be equal in
/// another OS process, and when a simulated run is repeated.
impl Ord for NodeId {
    #[inline]
    fn cmp(&self, other: &NodeId) -> Ordering {
        // Nearly all comparisons are within one node.
        if self.0 == other.0 { Ordering::Equal } else { self.cmp_other(*other) }
    }
}

impl PartialOrd for NodeId {
    fn partial_cmp(&self, other: &NodeId) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Table {
    fn push(&mut self, origin: (NodeName, Creation)) -> NodeId {
        self.entries.push(Entry { origin, called: None });
        let number = u32::try_from(self.entries.len()).expect("fewer than 2^32 lives of nodes");
        NodeId(NonZeroU32::new(number).expect("one entry was just pushed"))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, creation) = self.called();
        write!(f, "{name}#{}", creation.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROC-2: a pid of an earlier life never matches one of a later life.
    #[test]
    fn creations_distinguish_node_ids() {
        let name: NodeName = "lives@host".parse().unwrap();
        let first = NodeId::of(&name, Creation(1));
        assert_eq!(first, NodeId::of(&name, Creation(1)));
        assert_ne!(first, NodeId::of(&name, Creation(2)));
        assert_eq!((first.name(), first.creation()), (name, Creation(1)));
        assert_ne!(NodeId::nameless(), NodeId::nameless());
    }

    /// DIST-1: a node's pids stay its own when it gets a name, and keep their order.
    #[test]
    fn a_rename_keeps_the_pids_of_a_node() {
        let (node, other) = (NodeId::nameless(), NodeId::nameless());
        let name: NodeName = "called@host".parse().unwrap();
        node.call(&name, Creation(7));
        assert_eq!((node.name(), node.creation()), (name.clone(), Creation(7)));
        assert_ne!(node, NodeId::of(&name, Creation(7)), "other nodes use the id of the name");
        assert!(node < other, "as before");
        node.call(&NodeName::nonode(), Creation(0));
        assert_eq!(node.name(), NodeName::nonode());
        let named = NodeId::of(&name, Creation(7));
        named.call(&NodeName::nonode(), Creation(0));
        assert_eq!(named.name(), name, "the id of a name keeps its name");
    }

    #[test]
    fn node_ids_are_ordered_by_name() {
        let id = |name: &str, creation| NodeId::of(&name.parse().unwrap(), Creation(creation));
        // In the order of their numbers.
        let [c, b2, b1, a] =
            [id("c@order", 1), id("b@order", 2), id("b@order", 1), id("a@order", 3)];
        let mut ids = [c, a, b2, b1];
        ids.sort();
        assert_eq!(ids, [a, b1, b2, c]);
        assert_eq!(a.cmp(&a), Ordering::Equal);
        let nameless = [NodeId::nameless(), NodeId::nameless()];
        assert!(nameless.is_sorted(), "they differ");
    }
}
