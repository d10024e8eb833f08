//! Messages: what a value needs to be sent, and how it looks on the wire.
//!
//! A message moves to a process of the same node as it is. For another node it is
//! encoded once, by its sender, and decoded when its receiver first looks at it.

mod address;
mod buffer;
mod bytes;
mod codec;
#[cfg(all(test, not(any(loom, shuttle))))]
mod codec_tests;
mod decoder;
mod encoder;
mod envelope;
mod fingerprint;
mod foreign;
mod limits;
mod local;
pub(crate) mod node_codec;
mod shared;
mod tagged;
mod term;

pub use buffer::{Buffer, SHARED_BYTES_MIN};
pub use codec::{
    DecodeError, EncodeError, decode_postcard, decode_postcard_shared, encode_postcard,
};
pub use envelope::{Envelope, Node};
pub use fingerprint::fingerprint_of;
pub use foreign::Part;
pub use local::Local;
pub use node_codec::{NodeList, decode_with_nodes, encode_with_nodes};
pub use tagged::Tagged;
pub use term::Term;

pub(crate) use address::{Address, By, Stamp};
pub(crate) use envelope::{Chain, Header};

use std::borrow::Cow;
use std::sync::Arc;

use ::bytes::Bytes;

/// A value that can be sent to a process, on this node or on another.
///
/// Derive it, next to serde's two traits:
///
/// ```
/// # use fika_runtime as fika;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Ping(u64);
/// # impl fika::Message for Ping {
/// #     fn tag() -> std::borrow::Cow<'static, str> { "doc::Ping".into() }
/// #     fn fingerprint() -> u64 { fika::message::fingerprint_of::<Self>() }
/// #     fn encode(&self, out: &mut fika::message::Buffer) -> Result<(), fika::EncodeError> {
/// #         fika::message::encode_postcard(self, out)
/// #     }
/// #     fn decode(bytes: &bytes::Bytes) -> Result<Self, fika::DecodeError> {
/// #         fika::message::decode_postcard_shared(bytes)
/// #     }
/// # }
/// ```
///
/// A message type has a *tag*, a name that stays the same when its module is moved, and
/// a *fingerprint* of its shape. Both cross the wire, so that a receiver whose type
/// differs reports it by name instead of reading garbage. To change a message that old
/// nodes still send, make a new type with a new tag beside it, and receive both.
///
/// A large binary is best a [`Bytes`], wherever in the message: one of 4 KiB or more is shared and
/// not copied on its way to another node, like a binary of Erlang's. There it shares the memory of
/// the whole message, if it is a fourth of that or more; [`Bytes::copy_from_slice`] gives it memory
/// of its own. A `Vec<u8>` goes byte by byte.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message",
    label = "this cannot be sent to a process",
    note = "write `#[derive(Message, Serialize, Deserialize)]` on it, or wrap it in `Local(..)` \
            to send it to processes of this node only",
    note = "a message owns its data: send a `String` for a `&str`, a `Vec<T>` for a `&[T]`"
)]
pub trait Message: Sized + Send + 'static {
    /// The stable name of the type: crate and type, or one given.
    fn tag() -> Cow<'static, str>;

    /// A hash of the tag, by [`hash_tag`].
    fn tag_hash() -> u64 {
        hash_tag(&Self::tag())
    }

    /// A hash of the type's shape: of the names and kinds of its fields, at any depth.
    fn fingerprint() -> u64;

    /// Whether values of this type may leave the node at all.
    ///
    /// # Errors
    /// For types that stay on their node.
    fn check_sendable() -> Result<(), EncodeError> {
        Ok(())
    }

    /// Appends the encoded value to `out`.
    ///
    /// # Errors
    /// When the value can't leave this node.
    fn encode(&self, out: &mut Buffer) -> Result<(), EncodeError>;

    /// Reads a value that fills `bytes` to the last byte, and may keep some of them.
    ///
    /// # Errors
    /// When the bytes are no such value.
    fn decode(bytes: &Bytes) -> Result<Self, DecodeError>;
}

/// The hash of a type's tag: FNV-1a with 64 bits, the same on every machine.
#[must_use]
pub const fn hash_tag(tag: &str) -> u64 {
    hash_bytes(0xcbf2_9ce4_8422_2325, tag.as_bytes())
}

pub(crate) const fn hash_bytes(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        i += 1;
    }
    hash
}

/// How a message type is known on the wire.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct WireType {
    /// The type's tag.
    pub tag: Arc<str>,
    /// The tag's hash.
    pub hash: u64,
    /// The fingerprint of its shape at the sender.
    pub fingerprint: u64,
}

impl WireType {
    /// The wire type of `M` as this program knows it.
    #[must_use]
    pub fn of<M: Message>() -> WireType {
        WireType { tag: M::tag().into(), hash: M::tag_hash(), fingerprint: M::fingerprint() }
    }
}

/// An encoded message, as it came from another node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Encoded {
    /// The node that it came from; none if it was made here.
    pub from: Option<crate::NodeId>,
    /// Its type.
    pub wire_type: Arc<WireType>,
    /// The nodes that the pids and references in `bytes` name by their index here.
    pub nodes: NodeList,
    /// The value.
    pub bytes: Bytes,
}

impl Encoded {
    /// Encodes a value.
    ///
    /// # Errors
    /// When the value can't leave this node.
    pub fn new<M: Message>(message: &M) -> Result<Encoded, EncodeError> {
        let (mut buffer, mut nodes) = (Buffer::new(), NodeList::new());
        encode_with_nodes(&mut nodes, || message.encode(&mut buffer))?;
        let wire_type = Arc::new(WireType::of::<M>());
        Ok(Encoded { from: None, wire_type, nodes, bytes: buffer.into_bytes() })
    }

    /// Decodes the value, if it is an `M`.
    ///
    /// # Errors
    /// When it is another type, one of the same tag with another shape, or no value.
    pub fn decode<M: Message>(&self) -> Result<M, DecodeError> {
        if self.wire_type.hash != M::tag_hash() {
            return Err(DecodeError::other_type::<M>(&self.wire_type));
        }
        if self.wire_type.fingerprint != M::fingerprint() {
            return Err(DecodeError::other_shape(&self.wire_type));
        }
        decode_with_nodes(&self.nodes, || M::decode(&self.bytes))
    }
}
