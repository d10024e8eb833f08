//! Messages: what a type needs so that its values can be sent, and how they look on the wire.
//!
//! A message moves unchanged to a process on the same node. To send a message to another node, the
//! sender encodes it once. The receiver decodes it when it first looks at it. `form` describes the
//! two forms of an encoded message.

mod address;
mod args;
pub mod array;
mod buffer;
mod bytes;
mod canonical;
mod codec;
#[cfg(all(test, not(any(loom, shuttle))))]
mod codec_tests;
mod coverage;
mod decoder;
mod described;
mod encoder;
mod envelope;
mod fingerprint;
mod foreign;
mod form;
mod known;
mod limits;
mod local;
pub(crate) mod node_codec;
mod shared;
mod tagged;
mod tags;
mod term;

pub use args::Args;
pub use buffer::{Buffer, SHARED_BYTES_MIN};
pub use codec::{
    DecodeError, EncodeError, decode_postcard, decode_postcard_shared, encode_message,
    encode_postcard,
};
pub use envelope::{Envelope, Letter, MessageType};
pub use fingerprint::fingerprint_of;
pub use foreign::Part;
pub use known::{composed_fingerprint, generic_tag, generic_tag_hash};
pub use local::{Local, stays_here};
pub use node_codec::{NodeList, decode_with_nodes, encode_with_nodes};
pub use tagged::Tagged;
pub use tags::{TagClash, TagEntry, check_program as check_tags};
pub use term::Term;

pub(crate) use address::{Address, By, Stamp};
pub(crate) use envelope::{Chain, Header};

use std::any::Any;
use std::borrow::Cow;
use std::hash::{Hash, Hasher};
use std::panic::resume_unwind;
use std::sync::Arc;

use ::bytes::Bytes;

use self::node_codec::Does;
use crate::carrier::ConnectionId;
use crate::contain::{catch_payload, drop_payload};
use crate::printable::printable;

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
/// A message type has a *tag*, a name that stays the same when its module moves, and a
/// *fingerprint* of its shape. Both cross the wire, so a receiver whose type differs reports this
/// by name instead of reading garbage. To change a message that old nodes still send, add a new
/// type with a new tag and receive both.
///
/// Use [`Bytes`] for a large binary, anywhere in the message. A `Bytes` of 4 KiB or more is shared
/// and not copied on its way to another node, like a binary in Erlang. At the receiver it shares
/// the memory of the whole message if it is at least a quarter of the message;
/// [`Bytes::copy_from_slice`] gives it its own memory. A `Vec<u8>`, a `Box<[u8]>` and an
/// `Arc<[u8]>` are copied once on each node.
///
/// # Foreign types
/// All types of std that serde supports and that own their value are messages, including tuples of
/// up to 12 elements and arrays of any length. `Bytes` and the runtime's own types, such as
/// [`Pid`](crate::Pid), are messages, too. `Rc`, `Weak` and references are not, nor are types that
/// can be changed while shared: `Cell`, `RefCell`, `Mutex`, `RwLock` and the atomic types. An
/// `Arc`, a `Box` or a `Cow` is a message of its own type; another node receives its contents in a
/// new one. A `PathBuf` that is not UTF-8 and a `SystemTime` before 1970 can't be sent to another
/// node, and an `OsString` only to a node whose operating system is of the same family.
///
/// A field of a struct or an enum only needs serde's traits. This allows types of other crates. An
/// array of more than 32 elements needs `#[serde(with = "fika::message::array")]`; see [the module](mod@array).
///
/// # By hand
/// A type with an encoding of its own, such as one that other programs read, can implement the
/// trait without serde:
///
/// ```
/// use std::borrow::Cow;
/// use fika_runtime::message::Buffer;
/// use fika_runtime::{Bytes, DecodeError, EncodeError, Encoded, Message};
///
/// /// A colour, as three bytes.
/// #[derive(PartialEq, Debug)]
/// struct Rgb([u8; 3]);
///
/// impl Message for Rgb {
///     fn tag() -> Cow<'static, str> {
///         "paint::Rgb".into()
///     }
///
///     fn fingerprint() -> u64 {
///         1 // of the encoding; another number if it changes
///     }
///
///     fn encode(&self, out: &mut Buffer) -> Result<(), EncodeError> {
///         out.put_slice(&self.0);
///         Ok(())
///     }
///
///     fn decode(bytes: &Bytes) -> Result<Rgb, DecodeError> {
///         let malformed = |_| DecodeError::malformed::<Rgb>("a colour has three bytes");
///         bytes[..].try_into().map(Rgb).map_err(malformed)
///     }
/// }
///
/// let red = Encoded::new(&Rgb([255, 0, 0]))?;
/// assert_eq!(red.bytes.len(), 3);
/// assert_eq!(red.decode::<Rgb>()?, Rgb([255, 0, 0]));
///
/// // The other methods have defaults.
/// assert_eq!(red.wire_type.hash, Rgb::tag_hash());
/// assert!(Rgb::check_sendable().is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message",
    label = "this cannot be sent to a process",
    note = "write `#[fika::message]` on its type, or `#[fika::message(local)]` if it stays on this \
            node; wrap a value of another crate in `Local(..)`",
    note = "a message owns its data: send `String` for `&str`, `Vec<T>` for `&[T]`, `Arc<T>` for \
            `Rc<T>`, and what is in a `Cell`, a `RefCell` or a `Mutex`"
)]
pub trait Message: Sized + Send + 'static {
    /// Returns the stable name of the type: its crate and name, or the tag given to the derive.
    fn tag() -> Cow<'static, str>;

    /// Returns the hash of the tag, by [`hash_tag`].
    fn tag_hash() -> u64 {
        hash_tag(&Self::tag())
    }

    /// Returns a hash of the type's shape: the names and kinds of its fields, at any depth.
    fn fingerprint() -> u64;

    /// Returns the name of the type for errors and reports on this node: the path of the Rust type,
    /// unless the type has a more readable name.
    ///
    /// ```
    /// # use fika_runtime::Message;
    /// assert_eq!(u64::type_name(), "u64");
    /// ```
    #[must_use]
    fn type_name() -> &'static str {
        std::any::type_name::<Self>()
    }

    /// Checks that values of this type may leave the node.
    ///
    /// # Errors
    /// If values of this type stay on their node.
    fn check_sendable() -> Result<(), EncodeError> {
        Ok(())
    }

    /// Appends the encoded value to `out`.
    ///
    /// # Errors
    /// If the value can't leave this node.
    fn encode(&self, out: &mut Buffer) -> Result<(), EncodeError>;

    /// Reads a value that fills `bytes` to the last byte. The value may keep parts of `bytes`.
    ///
    /// # Errors
    /// If the bytes are not a valid value.
    fn decode(bytes: &Bytes) -> Result<Self, DecodeError>;
}

/// Returns the hash of a tag: 64-bit FNV-1a, equal on every machine.
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

/// Checks that no other known type has the tag of `M`.
#[inline(always)]
fn check_tag<M: Message>() -> Result<(), EncodeError> {
    // Types that stay on their node may share a tag.
    M::check_sendable()?;
    tags::check::<M>().map_err(clashes::<M>)
}

#[cold]
fn clashes<M>(clash: &TagClash) -> EncodeError {
    EncodeError::new::<M>(clash.to_string())
}

/// A message type as the wire knows it.
#[derive(Clone, Debug)]
pub struct WireType {
    /// The type's tag.
    pub tag: Arc<str>,
    /// The tag's hash.
    pub hash: u64,
    /// The fingerprint of the type's shape at the sender.
    pub fingerprint: u64,
    /// The connection over which a peer defined the type and sends its messages. `None` for a type
    /// of this node. Comparisons ignore it.
    ///
    /// It is stored here and not in each message, to save memory.
    pub connection: Option<ConnectionId>,
}

impl Default for WireType {
    fn default() -> WireType {
        WireType { tag: "".into(), hash: 0, fingerprint: 0, connection: None }
    }
}

impl PartialEq for WireType {
    fn eq(&self, other: &WireType) -> bool {
        (self.hash, self.fingerprint) == (other.hash, other.fingerprint) && self.tag == other.tag
    }
}

impl Eq for WireType {}

impl Hash for WireType {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.hash, self.fingerprint).hash(state);
    }
}

impl WireType {
    /// The difference between the fingerprints of the plain and the described form: an arbitrary
    /// number.
    const DESCRIBED: u64 = 0x5e1f_de5c_71b1_46ed;

    /// Returns the wire type of this message in the described form.
    #[must_use]
    pub fn described(&self) -> WireType {
        WireType { fingerprint: self.fingerprint ^ WireType::DESCRIBED, ..self.clone() }
    }

    /// Returns the wire type of `M` in this program.
    #[must_use]
    pub fn of<M: Message>() -> WireType {
        let (tag, hash, fingerprint) = (M::tag().into(), M::tag_hash(), M::fingerprint());
        WireType { tag, hash, fingerprint, connection: None }
    }
}

/// An encoded message.
///
/// ```
/// use fika_runtime::Encoded;
///
/// let encoded = Encoded::new(&vec![1_u64, 2, 3])?;
/// assert_eq!(encoded.decode::<Vec<u64>>().unwrap(), [1, 2, 3]);
/// # Ok::<(), fika_runtime::EncodeError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Encoded {
    /// The node that the message came from. `None` if it was encoded on this node.
    pub from: Option<crate::NodeId>,
    /// The process on that node that sent the message. `None` if it was sent from outside a
    /// process.
    pub sender: Option<crate::LocalId>,
    /// The message's type.
    pub wire_type: Arc<WireType>,
    /// The nodes that the pids and references in `bytes` name by index.
    pub nodes: NodeList,
    /// The encoded value.
    pub bytes: Bytes,
}

impl Encoded {
    /// Encodes a value.
    ///
    /// # Errors
    /// If the value can't leave this node.
    pub fn new<M: Message>(message: &M) -> Result<Encoded, EncodeError> {
        check_tag::<M>()?;
        Encoded::by(|buffer| message.encode(buffer), WireType::of::<M>)
    }

    fn by(
        encode: impl Fn(&mut Buffer) -> Result<(), EncodeError>,
        wire_type: impl FnOnce() -> WireType,
    ) -> Result<Encoded, EncodeError> {
        let (mut buffer, mut nodes) = (Buffer::new(), NodeList::new());
        encode_message(&mut buffer, &mut nodes, encode)?;
        let mut wire_type = wire_type();
        if buffer.is_described() {
            wire_type = wire_type.described();
        }
        let wire_type = Arc::new(wire_type);
        Ok(Encoded { from: None, sender: None, wire_type, nodes, bytes: buffer.into_bytes() })
    }

    /// Decodes the value, if it is an `M`.
    ///
    /// # Errors
    /// If the message is of another type, or of a type with the same tag and another shape. Also if
    /// the bytes are not a valid value, or if the type's own code refuses the value or panics.
    pub fn decode<M: Message>(&self) -> Result<M, DecodeError> {
        if self.wire_type.hash != M::tag_hash() {
            return Err(DecodeError::other_type(&self.wire_type, &WireType::of::<M>()));
        }
        tags::check::<M>().map_err(|clash| DecodeError::clash(&self.wire_type, clash))?;
        self.read_as(M::fingerprint(), M::decode)
    }

    /// Reads the value, if it has this type.
    fn read<T>(
        &self,
        wanted: &WireType,
        read: impl FnOnce(&Bytes) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        if self.wire_type.hash != wanted.hash {
            return Err(DecodeError::other_type(&self.wire_type, wanted));
        }
        self.read_as(wanted.fingerprint, read)
    }

    /// Reads the value, if it has this shape, in either form. A peer sent the value and the
    /// program's code reads it, so a panic of that code is caught.
    #[inline]
    fn read_as<T>(
        &self,
        fingerprint: u64,
        read: impl FnOnce(&Bytes) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let does = if self.wire_type.fingerprint == fingerprint {
            Does::Decodes
        } else if self.wire_type.fingerprint == fingerprint ^ WireType::DESCRIBED {
            Does::DecodesDescribed
        } else {
            return Err(DecodeError::other_shape(&self.wire_type));
        };
        let read = || node_codec::decode_as(does, &self.nodes, || read(&self.bytes));
        catch_payload(read).unwrap_or_else(|payload| panicked(payload))
    }
}

/// Handles a panic while a `T` was read. If the process ended itself there, it still ends.
#[cold]
fn panicked<T>(payload: Box<dyn Any + Send>) -> Result<T, DecodeError> {
    let payload = match payload.downcast::<crate::ExitReason>() {
        Ok(exit) => resume_unwind(exit),
        Err(payload) => payload,
    };
    let text = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text.as_str(),
        _ => "the payload is not a string",
    };
    let at = node_codec::panicked_at().unwrap_or_else(|| "an unknown place".into());
    let why = printable(format_args!("its `Deserialize` panicked at {at}: {text}"));
    let error = DecodeError::malformed::<T>(why);
    drop_payload(payload);
    Err(error)
}
