//! A value that is made once and never again.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::message::node_codec;
use crate::node_id::NodeId;

/// A value that differs from every other, on all nodes (Erlang's `make_ref/0`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    node: NodeId,
    serial: u64,
}

impl Reference {
    /// The reference number `serial` of `node`. Only that node, and the codec, make
    /// references.
    #[doc(hidden)]
    #[must_use]
    pub fn new(node: NodeId, serial: u64) -> Reference {
        Reference { node, serial }
    }

    /// The node that made it.
    #[must_use]
    pub fn node(self) -> NodeId {
        self.node
    }

    #[doc(hidden)]
    #[must_use]
    pub fn serial(self) -> u64 {
        self.serial
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
        (node_codec::Encoded::of(self.node), self.serial).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (node, serial) = <(node_codec::Encoded, u64)>::deserialize(deserializer)?;
        Ok(Reference::new(node.into_id()?, serial))
    }
}
