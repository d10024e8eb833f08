//! The identity of a process.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::message::node_codec;
use crate::node_id::NodeId;

/// The place of a process in its node's table: a slot, and which of the successive processes in the
/// slot it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct LocalId {
    /// The slot's index.
    pub slot: u32,
    /// The number of processes that the slot held before.
    pub generation: u32,
}

impl LocalId {
    /// The id of a process that never existed: no slot has this index.
    pub(crate) const NONE: LocalId = LocalId { slot: u32::MAX, generation: 0 };

    /// Returns both numbers in one word, for a comparison in one step.
    pub(crate) fn word(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.slot)
    }
}

/// Identifies one process in one life of a node, forever.
///
/// A pid is a plain value of 12 bytes. Any message can contain it, and it means the same process on
/// every node. After its process has ended, it never means another one.
///
/// A pid is printed as `<12.0@a@host>`: the place of the process in its node's table, how many
/// processes had this place before, and the node. A spawn that fails returns the pid of a process
/// that never existed, which is printed as `<nobody@a@host>`.
///
/// ```
/// # use fika_runtime::{Node, Pid, self_pid, send, spawn};
/// # Node::builder().build().unwrap().block_on(async {
/// let me: Pid = self_pid();
/// // A pid is `Copy`, and a message may contain it.
/// spawn(async move { send(me, (self_pid(), "I am here".to_string())) });
/// println!("{me} runs on {}", me.node().name());
/// # });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pid {
    node: NodeId,
    local: LocalId,
}

const _: () = assert!(size_of::<Pid>() == 12);

impl Pid {
    /// Makes the pid of a process of `node`. Only that node and the codec make pids.
    #[doc(hidden)]
    #[must_use]
    pub fn new(node: NodeId, local: LocalId) -> Pid {
        Pid { node, local }
    }

    /// Returns a pid of `node` that no process ever has.
    #[doc(hidden)]
    #[must_use]
    pub fn nobody(node: NodeId) -> Pid {
        Pid::new(node, LocalId::NONE)
    }

    /// Returns the node of the process.
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

impl fmt::Display for LocalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            LocalId::NONE => f.write_str("nobody"),
            LocalId { slot, generation } => write!(f, "{slot}.{generation}"),
        }
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}@{}>", self.local, self.node.name())
    }
}

impl fmt::Debug for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}@{:?}>", self.local, self.node)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_id::Creation;

    #[test]
    fn a_pid_is_printed_with_its_node() {
        let node = NodeId::of(&"printed@host".parse().unwrap(), Creation(7));
        let pid = Pid::new(node, LocalId { slot: 12, generation: 3 });
        assert_eq!(format!("{pid} {pid:?}"), "<12.3@printed@host> <12.3@printed@host#7>");
        let nobody = Pid::nobody(node);
        assert_eq!(format!("{nobody} {nobody:?}"), "<nobody@printed@host> <nobody@printed@host#7>");
    }
}
