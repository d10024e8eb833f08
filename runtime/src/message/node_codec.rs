//! How the nodes inside an encoded value are written.
//!
//! A pid or a reference in a message names its node by an index into a short list that
//! travels beside the bytes, and the connection writes that list with its cache of
//! names. So a pid costs a few bytes, and the bytes of a message mean the same on
//! every connection. serde gives an inner value no way to the encoder that it is
//! written by; the list is therefore in a thread-local for the length of one call.
//!
//! Outside such a call (a pid written to a log as JSON, say) a node is written in full.

use std::cell::RefCell;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::SmallVec;

use crate::node_id::{Creation, NodeId};
use crate::node_name::NodeName;

/// The nodes that are named in a value: most name one or two.
pub type NodeList = SmallVec<[NodeId; 4]>;

enum Scope {
    None,
    Encoding(NodeList),
    Decoding(NodeList),
}

thread_local! {
    static SCOPE: RefCell<Scope> = const { RefCell::new(Scope::None) };
}

/// Restores the outer scope, also when the inner call panics.
struct Restore(Option<Scope>);

impl Restore {
    fn enter(scope: Scope) -> Restore {
        Restore(Some(SCOPE.replace(scope)))
    }

    fn leave(mut self) -> Scope {
        SCOPE.replace(self.0.take().expect("left once, here"))
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        if let Some(outer) = self.0.take() {
            SCOPE.set(outer);
        }
    }
}

/// Runs `encode`, and appends to `nodes` the nodes that were written in it.
pub fn encode_with_nodes<R>(nodes: &mut NodeList, encode: impl FnOnce() -> R) -> R {
    let scope = Restore::enter(Scope::Encoding(std::mem::take(nodes)));
    let result = encode();
    if let Scope::Encoding(written) = scope.leave() {
        *nodes = written;
    }
    result
}

/// Runs `decode`, which reads nodes by their index in `nodes`.
pub fn decode_with_nodes<R>(nodes: &[NodeId], decode: impl FnOnce() -> R) -> R {
    let scope = Restore::enter(Scope::Decoding(NodeList::from_slice(nodes)));
    let result = decode();
    scope.leave();
    result
}

/// A node as it is written inside a value.
pub(crate) enum Encoded {
    Index(u32),
    Whole(NodeId),
}

impl Encoded {
    pub(crate) fn of(node: NodeId) -> Encoded {
        SCOPE.with_borrow_mut(|scope| match scope {
            Scope::Encoding(nodes) => {
                let index = nodes.iter().position(|n| *n == node).unwrap_or_else(|| {
                    nodes.push(node);
                    nodes.len() - 1
                });
                Encoded::Index(u32::try_from(index).unwrap_or(u32::MAX))
            }
            Scope::Decoding(_) | Scope::None => Encoded::Whole(node),
        })
    }

    pub(crate) fn into_id<E: serde::de::Error>(self) -> Result<NodeId, E> {
        match self {
            Encoded::Whole(id) => Ok(id),
            Encoded::Index(index) => SCOPE.with_borrow(|scope| match scope {
                Scope::Decoding(nodes) => nodes
                    .get(index as usize)
                    .copied()
                    .ok_or_else(|| E::custom("a node that the message does not list")),
                _ => Err(E::custom("a node's index outside a message")),
            }),
        }
    }
}

impl Serialize for Encoded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Encoded::Index(index) => index.serialize(serializer),
            Encoded::Whole(id) => (id.name(), id.creation().0).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Encoded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let by_index = SCOPE.with_borrow(|scope| matches!(scope, Scope::Decoding(_)));
        if by_index {
            return u32::deserialize(deserializer).map(Encoded::Index);
        }
        let (name, creation) = <(NodeName, u32)>::deserialize(deserializer)
            .map_err(|error| D::Error::custom(format!("no node: {error}")))?;
        Ok(Encoded::Whole(NodeId::of(&name, Creation(creation))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{decode_postcard, encode_postcard};
    use crate::pid::{LocalId, Pid};

    fn pid(node: &str) -> Pid {
        let node = NodeId::of(&node.parse().unwrap(), Creation(7));
        Pid::new(node, LocalId { slot: 3, generation: 9 })
    }

    #[test]
    fn pids_share_their_nodes() {
        let pids = vec![pid("x@h"), pid("y@h"), pid("x@h")];
        let (mut nodes, mut bytes) = (NodeList::new(), Vec::new());
        encode_with_nodes(&mut nodes, || encode_postcard(&pids, &mut bytes)).unwrap();
        assert_eq!(nodes.as_slice(), [pids[0].node(), pids[1].node()]);
        assert_eq!(bytes.len(), 10, "a count, and three bytes a pid");
        let back: Vec<Pid> = decode_with_nodes(&nodes, || decode_postcard(&bytes)).unwrap();
        assert_eq!(back, pids);
        assert!(decode_with_nodes(&nodes[..1], || decode_postcard::<Vec<Pid>>(&bytes)).is_err());
    }

    #[test]
    fn a_pid_outside_a_message_is_whole() {
        let mut bytes = Vec::new();
        encode_postcard(&pid("x@h"), &mut bytes).unwrap();
        assert_eq!(decode_postcard::<Pid>(&bytes).unwrap(), pid("x@h"));
    }
}
