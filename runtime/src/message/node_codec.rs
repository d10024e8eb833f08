//! Writes and reads the nodes that an encoded value names.
//!
//! A pid or a reference in a message names its node by an index into a short list next to the
//! bytes. The connection writes that list with its cache of names. So a pid costs a few bytes, and
//! the bytes of a message mean the same on every connection. With serde, an inner value can't reach
//! the encoder that writes it, so the list is in a thread-local variable during the call.
//!
//! Outside such a call, for example when a pid is written to a log as JSON, a node is written in
//! full.

use std::cell::{Cell, RefCell};
use std::panic::Location;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::SmallVec;

use crate::contain::catch_payload;
use crate::node_id::{Creation, NodeId};
use crate::node_name::NodeName;

/// The nodes that a value names. Most values name one or two.
pub type NodeList = SmallVec<[NodeId; 4]>;

/// The work that this thread currently does with values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    Nothing,
    Encodes,
    Decodes,
    /// The thread decodes a value in the described form.
    DecodesDescribed,
}

impl Does {
    fn decodes(self) -> bool {
        matches!(self, Does::Decodes | Does::DecodesDescribed)
    }
}

#[derive(Clone, Copy)]
struct Scope {
    does: Does,
    /// Where the value's nodes begin among those of this thread. A value may encode another one
    /// inside it.
    from: usize,
}

thread_local! {
    /// The innermost scope. It has no destructor, so a thread can still use it while it ends.
    static NOW: Cell<Scope> = const { Cell::new(Scope { does: Does::Nothing, from: 0 }) };
    /// The nodes of the value that this thread encodes or decodes, after those of the enclosing
    /// values.
    static NODES: RefCell<Vec<NodeId>> = const { RefCell::new(Vec::new()) };
    /// Where the program's code last panicked while this thread decoded a value.
    static PANICKED_AT: RefCell<Option<String>> = const { RefCell::new(None) };
    /// The thread checks whether a value can be read; a panic means that it can't.
    static TRIES: Cell<bool> = const { Cell::new(false) };
}

/// A scope that ends with the inner call, even if it panics.
struct Inside<'a> {
    nodes: &'a RefCell<Vec<NodeId>>,
    from: usize,
    outer: Scope,
}

impl<'a> Inside<'a> {
    #[inline]
    fn enter(does: Does, all: &'a RefCell<Vec<NodeId>>, nodes: &[NodeId]) -> Inside<'a> {
        let mut list = all.borrow_mut();
        let from = list.len();
        list.extend_from_slice(nodes);
        Inside { nodes: all, from, outer: NOW.replace(Scope { does, from }) }
    }
}

impl Drop for Inside<'_> {
    #[inline]
    fn drop(&mut self) {
        NOW.set(self.outer);
        self.nodes.borrow_mut().truncate(self.from);
    }
}

/// Runs `encode`, and appends the nodes that it writes to `nodes`.
pub fn encode_with_nodes<R>(nodes: &mut NodeList, encode: impl FnOnce() -> R) -> R {
    NODES.with(|all| {
        let inside = Inside::enter(Does::Encodes, all, nodes);
        let result = encode();
        let written = inside.from + nodes.len();
        nodes.extend_from_slice(&all.borrow()[written..]);
        result
    })
}

/// Runs `decode`, which reads nodes by their index in `nodes`.
pub fn decode_with_nodes<R>(nodes: &[NodeId], decode: impl FnOnce() -> R) -> R {
    decode_as(Does::Decodes, nodes, decode)
}

/// Decodes a value in the form that `does` says, with the nodes that it names.
#[inline]
pub(super) fn decode_as<R>(does: Does, nodes: &[NodeId], decode: impl FnOnce() -> R) -> R {
    NODES.with(|all| {
        let _inside = Inside::enter(does, all, nodes);
        decode()
    })
}

/// Records where this thread panics while it decodes a value. Returns false if the thread does not
/// decode a value. The decoder reports the panic: a peer can cause it at will, so it is not printed
/// each time.
pub(crate) fn note_panic(at: Option<&Location<'_>>) -> bool {
    let decodes = NOW.get().does.decodes();
    if decodes {
        // A thread that is ending has dropped this variable.
        let _ = PANICKED_AT.try_with(|place| place.replace(at.map(ToString::to_string)));
    }
    decodes
}

/// Returns where the last panic happened, and forgets it.
pub(super) fn panicked_at() -> Option<String> {
    PANICKED_AT.take()
}

/// Returns whether the value being decoded is in the described form.
#[inline]
pub(super) fn is_described() -> bool {
    NOW.get().does == Does::DecodesDescribed
}

/// Runs code of the program that encodes or decodes a value for the runtime, not for the running
/// process. Returns the payload if the code panics, without reporting the panic. If the code calls
/// `exit`, the payload is an exit reason, and the process continues.
pub(crate) fn try_out<R>(work: impl FnOnce() -> R) -> std::thread::Result<R> {
    let outer = TRIES.replace(true);
    let result = catch_payload(work);
    TRIES.set(outer);
    result
}

/// Returns whether [`try_out`] would catch a panic of this thread.
pub(crate) fn tries_out() -> bool {
    TRIES.get()
}

/// Runs `decode` on invented values, as if inside a message, whatever the caller is encoding or
/// decoding.
pub(super) fn decode_invented<R>(decode: impl FnOnce() -> R) -> R {
    let node = |name: &str| name.parse().ok().map(|name| NodeId::of(&name, Creation(1)));
    let nodes: NodeList = ["invented@a", "invented@b"].into_iter().filter_map(node).collect();
    decode_with_nodes(&nodes, decode)
}

/// A node as it is written inside a value.
pub(crate) enum Encoded {
    Index(u32),
    Whole(NodeId),
}

impl Encoded {
    #[inline]
    pub(crate) fn of(node: NodeId) -> Encoded {
        let Scope { does: Does::Encodes, from } = NOW.get() else { return Encoded::Whole(node) };
        NODES.with_borrow_mut(|nodes| {
            let index = nodes[from..].iter().position(|n| *n == node).unwrap_or_else(|| {
                nodes.push(node);
                nodes.len() - 1 - from
            });
            Encoded::Index(u32::try_from(index).unwrap_or(u32::MAX))
        })
    }

    #[inline]
    pub(crate) fn into_id<E: serde::de::Error>(self) -> Result<NodeId, E> {
        let index = match self {
            Encoded::Whole(id) => return Ok(id),
            Encoded::Index(index) => index as usize,
        };
        let Scope { does, from } = NOW.get();
        if !does.decodes() {
            return Err(E::custom("a node's index is used outside a message"));
        }
        let node = NODES.with_borrow(|nodes| nodes[from..].get(index).copied());
        node.ok_or_else(|| E::custom("the message does not list the node"))
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
        if NOW.get().does.decodes() {
            return u32::deserialize(deserializer).map(Encoded::Index);
        }
        let (name, creation) = <(NodeName, u32)>::deserialize(deserializer)
            .map_err(|error| D::Error::custom(format!("invalid node: {error}")))?;
        Ok(Encoded::Whole(NodeId::of(&name, Creation(creation))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Buffer, decode_postcard, encode_postcard};
    use crate::pid::{LocalId, Pid};

    fn pid(node: &str) -> Pid {
        let node = NodeId::of(&node.parse().unwrap(), Creation(7));
        Pid::new(node, LocalId { slot: 3, generation: 9 })
    }

    #[test]
    fn pids_refer_to_a_shared_node_list() {
        let pids = vec![pid("x@h"), pid("y@h"), pid("x@h")];
        let (mut nodes, mut bytes) = (NodeList::new(), Buffer::new());
        encode_with_nodes(&mut nodes, || encode_postcard(&pids, &mut bytes)).unwrap();
        assert_eq!(nodes.as_slice(), [pids[0].node(), pids[1].node()]);
        let bytes = bytes.into_bytes();
        assert_eq!(bytes.len(), 10, "a count, and three bytes per pid");
        let back: Vec<Pid> = decode_with_nodes(&nodes, || decode_postcard(&bytes)).unwrap();
        assert_eq!(back, pids);
        assert!(decode_with_nodes(&nodes[..1], || decode_postcard::<Vec<Pid>>(&bytes)).is_err());
    }

    /// A value that encodes another value inside it, with its own nodes.
    #[test]
    fn a_nested_message_has_its_own_nodes() {
        let [x, y] = ["x@h", "y@h"].map(pid);
        let encode = |value: &Pid| {
            let (mut nodes, mut bytes) = (NodeList::new(), Buffer::new());
            encode_with_nodes(&mut nodes, || encode_postcard(value, &mut bytes)).unwrap();
            (nodes, bytes.into_bytes())
        };
        let (mut nodes, mut bytes) = (NodeList::new(), Buffer::new());
        let inner = encode_with_nodes(&mut nodes, || {
            encode_postcard(&x, &mut bytes).unwrap();
            let inner = encode(&y);
            encode_postcard(&[x, y], &mut bytes).unwrap();
            inner
        });
        let bytes = bytes.into_bytes();
        assert_eq!((&nodes[..], &inner.0[..]), (&[x.node(), y.node()][..], &[y.node()][..]));
        let decoded = decode_with_nodes(&nodes, || {
            let decode = || decode_postcard::<Pid>(&inner.1);
            let unwound = std::panic::catch_unwind(|| {
                decode_with_nodes(&inner.0, || std::panic::resume_unwind(Box::new(())))
            });
            assert!(unwound.is_err());
            assert_eq!(decode_with_nodes(&inner.0, decode).unwrap(), y);
            decode_postcard::<(Pid, [Pid; 2])>(&bytes).unwrap()
        });
        assert_eq!(decoded, (x, [x, y]));
    }

    #[test]
    fn a_pid_outside_a_message_contains_its_node() {
        let mut bytes = Buffer::new();
        encode_postcard(&pid("x@h"), &mut bytes).unwrap();
        assert_eq!(decode_postcard::<Pid>(&bytes.into_bytes()).unwrap(), pid("x@h"));
    }
}
