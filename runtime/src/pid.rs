//! The identity of a process.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::message::node_codec;
use crate::node_id::NodeId;

/// Where a process lives in its node's table: a slot, and which of the slot's
/// successive processes is meant.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct LocalId {
    /// The slot's index.
    pub slot: u32,
    /// Counts the processes that the slot has held.
    pub generation: u32,
}

impl LocalId {
    /// Of a process that never was: no slot has this index.
    pub(crate) const NONE: LocalId = LocalId { slot: u32::MAX, generation: 0 };

    /// Both numbers in one word, which is compared in one step.
    pub(crate) fn word(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.slot)
    }
}

/// Identifies one process of one life of one node, for ever.
///
/// A pid is a plain value of 16 bytes: it can be put into any message, and means the
/// same process on every node. Once its process has ended it never means another one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pid {
    node: NodeId,
    local: LocalId,
}

impl Pid {
    /// The pid of a process of `node`. Only that node, and the codec, make pids.
    #[doc(hidden)]
    #[must_use]
    pub fn new(node: NodeId, local: LocalId) -> Pid {
        Pid { node, local }
    }

    /// A pid of `node` that no process ever has.
    #[doc(hidden)]
    #[must_use]
    pub fn nobody(node: NodeId) -> Pid {
        Pid::new(node, LocalId::NONE)
    }

    /// The node that the process lives on.
    #[must_use]
    pub fn node(self) -> NodeId {
        self.node
    }

    #[doc(hidden)]
    #[must_use]
    pub fn local(self) -> LocalId {
        self.local
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}.{}@{}>", self.local.slot, self.local.generation, self.node.name())
    }
}

impl fmt::Debug for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}.{}@{:?}>", self.local.slot, self.local.generation, self.node)
    }
}

impl Serialize for Pid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let node = node_codec::Encoded::of(self.node);
        (node, self.local.slot, self.local.generation).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Pid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (node, slot, generation) =
            <(node_codec::Encoded, u32, u32)>::deserialize(deserializer)?;
        Ok(Pid::new(node.into_id()?, LocalId { slot, generation }))
    }
}
