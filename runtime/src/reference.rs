//! A unique value, which may lead to the process that made it.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::message::node_codec;
use crate::node_id::NodeId;

/// A value that differs from every other, on all nodes (Erlang's `make_ref/0`).
///
/// A reference made by [`alias`](crate::alias), or a monitor with an alias, is also a destination:
/// a message to it, from any node, reaches the process that made it while the alias is active. A
/// message to any other reference is dropped.
///
/// A reference is a plain value of 16 bytes. Any message can contain it, and it is equal on every
/// node.
///
/// ```
/// # use fika_runtime::{Node, make_ref};
/// # Node::builder().build().unwrap().block_on(async {
/// let request = make_ref();
/// assert_ne!(request, make_ref());
/// # });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    node: NodeId,
    serial: u64,
    /// The slot of the process that made the alias. The serial number says which of the slot's
    /// processes it is: the others don't know the serial number.
    owner: u32,
}

/// An index that no slot has.
const NOBODY: u32 = u32::MAX;

impl Reference {
    /// Makes reference number `serial` of `node`, which is not an alias. Only that node and the
    /// codec make references.
    #[doc(hidden)]
    #[must_use]
    pub fn new(node: NodeId, serial: u64) -> Reference {
        Reference { node, serial, owner: NOBODY }
    }

    /// Makes a reference that leads to a process in this slot.
    #[doc(hidden)]
    #[must_use]
    pub fn owned(node: NodeId, serial: u64, owner: Option<u32>) -> Reference {
        Reference { node, serial, owner: owner.unwrap_or(NOBODY) }
    }

    /// Returns the node that made it.
    ///
    /// ```
    /// # use fika_runtime::{Node, make_ref, self_node};
    /// # Node::builder().build().unwrap().block_on(async {
    /// assert_eq!(make_ref().node(), self_node().id());
    /// # });
    /// ```
    #[must_use]
    pub fn node(self) -> NodeId {
        self.node
    }

    #[doc(hidden)]
    #[must_use]
    pub fn serial(self) -> u64 {
        self.serial
    }

    /// Returns the slot of the process that it leads to.
    #[doc(hidden)]
    #[must_use]
    pub fn owner(self) -> Option<u32> {
        (self.owner != NOBODY).then_some(self.owner)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#Ref<{}@{}>", self.serial, self.node.name())
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#Ref<{}@{:?}>", self.serial, self.node)
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Incremented, so that a reference without an owner takes one byte for it.
        let owner = self.owner.wrapping_add(1);
        (node_codec::Encoded::of(self.node), self.serial, owner).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (node, serial, owner) = <(node_codec::Encoded, u64, u32)>::deserialize(deserializer)?;
        Ok(Reference { node: node.into_id()?, serial, owner: owner.wrapping_sub(1) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_takes_16_bytes() {
        assert_eq!(size_of::<Reference>(), 16);
    }
}
