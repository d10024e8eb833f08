//! A message or another signal of any type, behind one thin pointer.
//!
//! One allocation holds a header and the value. The header has room for a link to the next
//! envelope, so an envelope can stand in a signal queue and in a mailbox without a further
//! allocation. This file does not know how the queues work.
//!
//! # Invariants
//! - **E1** A `NonNull<Header>` of an [`Envelope`] or of a [`Chain`] came from `Box::into_raw` of a
//!   `Box<Letter<T>>`. Only that object owns it, and its `vtable` is `VTable::of::<T>()`.
//! - **E2** `Letter<T>` is `repr(C)` with the header first, so a pointer to either is a pointer to
//!   the other.
//! - **E3** `T: Send`, so an envelope may be moved to another thread.
//! - **E4** The letters of a [`Chain`] are linked by `next`, which is null in the last one.
//! - **E5** `Letter<T>` is invariant in `T`. Otherwise it could be coerced to a supertype, with the
//!   vtable of the first type, and a value of the supertype could then replace the original.
#![allow(unsafe_code)]

use std::any::TypeId;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use super::address::{Stamp, Word};
use super::{Buffer, DecodeError, EncodeError, Encoded, Message, WireType, known, node_codec};
use crate::contain::contained;
use crate::printable::Printable;
use crate::signal::Signal;

/// The part of an envelope before the value.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Header {
    vtable: &'static VTable,
    pub(crate) next: *mut Header,
    /// How the signal was sent and, once it is in a mailbox, what it is there.
    pub(crate) word: Word,
}

/// A value with the header that makes it an envelope.
///
/// ```
/// use fika_runtime::{Envelope, message::Letter};
///
/// let letter: Box<Letter<u64>> = Envelope::new(7_u64).downcast().unwrap();
/// assert_eq!(letter.body, 7);
/// ```
#[derive(Debug)]
#[repr(C)]
pub struct Letter<T> {
    header: Header,
    /// E5. Without it `Box<Letter<fn(&str)>>` would coerce to `Box<Letter<fn(&'static str)>>`.
    invariant: PhantomData<fn(T) -> T>,
    /// The value.
    pub body: T,
}

// SAFETY: E3; the header's pointer is null, or owned by the chain that the letter is in.
unsafe impl<T: Send> Send for Letter<T> {}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// A message that a local process sent.
    Message,
    /// A message that came from another node.
    Encoded,
    /// Any other signal.
    Signal,
}

#[derive(Debug)]
struct VTable {
    kind: Kind,
    type_id: TypeId,
    type_name: fn() -> &'static str,
    /// The size of the whole letter, in bytes.
    size: usize,
    /// Drops the whole letter.
    drop: unsafe fn(NonNull<Header>),
    /// Encodes the value.
    encode: unsafe fn(NonNull<Header>, &mut Buffer) -> Result<(), EncodeError>,
    /// Encodes the value and decodes it again.
    through_codec: unsafe fn(NonNull<Header>) -> Result<Envelope, EncodeError>,
    /// Runs the program's code, unless a message of the type was encoded before.
    wire_type: fn() -> Arc<WireType>,
    check_sendable: fn() -> Result<(), EncodeError>,
}

/// Drops the letter, which holds a `T`.
///
/// # Safety
/// E1 holds for `header` with this `T`, and the pointer is not used again.
unsafe fn drop_node<T>(header: NonNull<Header>) {
    // SAFETY: E1 and E2.
    drop(unsafe { Box::from_raw(header.cast::<Letter<T>>().as_ptr()) });
}

/// Encodes the value, which is an `M`.
///
/// # Safety
/// E1 holds for `header` with this `M`.
unsafe fn encode_node<M: Message>(
    header: NonNull<Header>,
    out: &mut Buffer,
) -> Result<(), EncodeError> {
    super::check_tag::<M>()?;
    // SAFETY: E1 and E2; the caller's borrow of the envelope covers ours.
    unsafe { header.cast::<Letter<M>>().as_ref() }.body.encode(out)
}

/// Encodes the value, which is an `M`, and decodes the result.
///
/// # Safety
/// E1 holds for `header` with this `M`.
unsafe fn node_through_codec<M: Message>(header: NonNull<Header>) -> Result<Envelope, EncodeError> {
    // SAFETY: E1 and E2; the caller's borrow of the envelope covers ours.
    let encoded = Encoded::new(&unsafe { header.cast::<Letter<M>>().as_ref() }.body)?;
    // The receiver would decode the value, so an `exit` in its `Deserialize` does not end the
    // sender.
    let exits = || DecodeError::malformed::<M>("its `Deserialize` calls `exit` at this value");
    let again = node_codec::try_out(|| encoded.decode::<M>()).unwrap_or_else(|_| Err(exits()));
    again.map(Envelope::new).map_err(|error| EncodeError::new::<M>(error.to_string()))
}

/// Returns the error of [`encode_none`].
unsafe fn none_through_codec(_: NonNull<Header>) -> Result<Envelope, EncodeError> {
    Err(EncodeError::new::<Signal>("it is not a message"))
}

/// Returns an error. Never called: a signal is taken apart before it is sent to another node, and
/// an encoded message already has its bytes.
unsafe fn encode_none(_: NonNull<Header>, _: &mut Buffer) -> Result<(), EncodeError> {
    Err(EncodeError::new::<Signal>("it is not a message"))
}

trait HasVTable {
    const VTABLE: &'static VTable;
}

impl<M: Message> HasVTable for Typed<M> {
    const VTABLE: &'static VTable = &VTable {
        kind: Kind::Message,
        type_id: TypeId::of::<M>(),
        type_name: M::type_name,
        size: size_of::<Letter<M>>(),
        drop: drop_node::<M>,
        encode: encode_node::<M>,
        through_codec: node_through_codec::<M>,
        wire_type: known::wire_type::<M>,
        check_sendable: M::check_sendable,
    };
}

/// Names the vtable of a message type. It is a type of its own, since `Signal` and `Encoded` have
/// vtables that are not those of messages.
struct Typed<M>(M);

static SIGNAL: VTable = VTable {
    kind: Kind::Signal,
    type_id: TypeId::of::<Signal>(),
    type_name: std::any::type_name::<Signal>,
    size: size_of::<Letter<Signal>>(),
    drop: drop_node::<Signal>,
    encode: encode_none,
    through_codec: none_through_codec,
    wire_type: Arc::default,
    check_sendable: || Ok(()),
};

static ENCODED: VTable = VTable {
    kind: Kind::Encoded,
    type_id: TypeId::of::<Encoded>(),
    type_name: std::any::type_name::<Encoded>,
    size: size_of::<Letter<Encoded>>(),
    drop: drop_node::<Encoded>,
    encode: encode_none,
    through_codec: none_through_codec,
    wire_type: Arc::default,
    check_sendable: || Ok(()),
};

impl<T> Letter<T> {
    #[inline]
    fn boxed(body: T, vtable: &'static VTable) -> Box<Letter<T>> {
        let header = Header { vtable, next: ptr::null_mut(), word: Word::default() };
        Box::new(Letter { header, invariant: PhantomData, body })
    }
}

impl<M: Message> Letter<M> {
    /// Makes a letter from a message and its stamp.
    #[inline]
    pub(crate) fn message(message: M, stamp: Stamp) -> Box<Letter<M>> {
        let mut node = Letter::boxed(message, Typed::<M>::VTABLE);
        node.header.word = stamp.into();
        node
    }
}

/// The type of a message, without its value.
#[derive(Clone, Debug)]
pub struct MessageType {
    vtable: &'static VTable,
    /// The type of a message that came from another node.
    encoded: Option<Arc<WireType>>,
}

impl MessageType {
    /// Returns the type's Rust name, or its tag if the message came from another node.
    #[must_use]
    pub fn name(&self) -> &str {
        self.encoded.as_ref().map_or_else(|| (self.vtable.type_name)(), |encoded| &encoded.tag)
    }

    /// Returns the Rust type. `None` if the message came from another node.
    #[must_use]
    #[inline]
    pub fn rust_type(&self) -> Option<TypeId> {
        self.encoded.is_none().then_some(self.vtable.type_id)
    }

    /// Returns the type's tag, hash and fingerprint on the wire. Runs no code of the program if a
    /// message of the type was encoded before.
    #[must_use]
    pub fn wire_type(&self) -> Arc<WireType> {
        self.encoded.clone().unwrap_or_else(self.vtable.wire_type)
    }
}

/// A message of any type, or another signal, in one allocation.
///
/// ```
/// use fika_runtime::Envelope;
///
/// let envelope = Envelope::new("hello".to_string());
/// assert!(envelope.is::<String>());
/// assert_eq!(envelope.peek::<String>().map(String::as_str), Some("hello"));
/// assert_eq!(envelope.downcast::<String>().unwrap().body, "hello");
/// ```
///
/// An envelope can be encoded without knowing the type of its message:
///
/// ```
/// use fika_runtime::Envelope;
/// use fika_runtime::message::Buffer;
///
/// let envelope = Envelope::new("hello".to_string());
/// assert_eq!(envelope.type_name(), "alloc::string::String");
/// assert_eq!(envelope.message_type().name(), "alloc::string::String");
///
/// // As another node receives it.
/// let received = Envelope::encoded(envelope.to_encoded()?);
/// assert!(received.is::<String>());
/// assert!(received.as_encoded().is_some());
/// assert_eq!(received.wire_type(), envelope.wire_type());
///
/// // Only the value.
/// let mut out = Buffer::new();
/// envelope.encode(&mut out)?;
/// assert_eq!(out.len(), 6);
/// # Ok::<(), fika_runtime::EncodeError>(())
/// ```
pub struct Envelope(NonNull<Header>);

// SAFETY: E3: the value inside is `Send`, and only the envelope owns it.
unsafe impl Send for Envelope {}

impl Envelope {
    /// Puts a message into an envelope.
    pub fn new<M: Message>(message: M) -> Envelope {
        Letter::boxed(message, Typed::<M>::VTABLE).into()
    }

    /// Puts a message from another node into an envelope, still encoded.
    #[must_use]
    #[inline]
    pub fn encoded(encoded: Encoded) -> Envelope {
        Letter::boxed(encoded, &ENCODED).into()
    }

    /// Puts a message from another node into an envelope. `fill` completes it there.
    ///
    /// # Errors
    /// If `fill` fails.
    #[doc(hidden)]
    #[inline]
    pub fn encoded_with<E>(
        encoded: Encoded,
        fill: impl FnOnce(&mut Encoded) -> Result<(), E>,
    ) -> Result<Envelope, E> {
        let mut node = Letter::boxed(encoded, &ENCODED);
        fill(&mut node.body)?;
        Ok(node.into())
    }

    #[inline]
    pub(crate) fn signal(signal: Signal) -> Envelope {
        match signal {
            Signal::Message(envelope) => envelope,
            other => Letter::boxed(other, &SIGNAL).into(),
        }
    }

    /// Returns whether the envelope holds a message and not another signal.
    pub(crate) fn is_message(&self) -> bool {
        self.vtable().kind != Kind::Signal
    }

    pub(crate) fn into_signal(self) -> Signal {
        if self.vtable().kind != Kind::Signal {
            return Signal::Message(self);
        }
        // SAFETY: the kind says that E1 holds with `Signal`.
        unsafe { self.into_letter::<Signal>() }.body
    }

    /// Returns whether the message is an `M`, or came from another node with the tag of `M`. A
    /// message from another node never has a type that can't leave its node, whatever its tag is.
    #[must_use]
    pub fn is<M: Message>(&self) -> bool {
        let vtable = self.vtable();
        match vtable.kind {
            Kind::Message => vtable.type_id == TypeId::of::<M>(),
            Kind::Encoded => {
                let has_tag = |e: &Encoded| e.wire_type.hash == M::tag_hash();
                self.as_encoded().is_some_and(has_tag) && M::check_sendable().is_ok()
            }
            Kind::Signal => false,
        }
    }

    /// Returns the letter that holds the message, if it is an `M` of this node.
    ///
    /// # Errors
    /// Returns the envelope if it holds something else.
    pub fn downcast<M: Message>(self) -> Result<Box<Letter<M>>, Envelope> {
        let vtable = self.vtable();
        if vtable.kind == Kind::Message && vtable.type_id == TypeId::of::<M>() {
            // SAFETY: the type's identity says that E1 holds with `M`.
            Ok(unsafe { self.into_letter::<M>() })
        } else {
            Err(self)
        }
    }

    /// Returns the encoded message, if it came from another node and was not decoded yet.
    #[must_use]
    pub fn as_encoded(&self) -> Option<&Encoded> {
        // SAFETY: the kind says that E1 holds with `Encoded`.
        (self.vtable().kind == Kind::Encoded)
            .then(|| unsafe { &self.0.cast::<Letter<Encoded>>().as_ref().body })
    }

    /// Returns the encoded message so that it can be completed, if it came from another node and
    /// was not decoded yet.
    #[doc(hidden)]
    #[inline]
    pub fn as_encoded_mut(&mut self) -> Option<&mut Encoded> {
        // SAFETY: the kind says that E1 holds with `Encoded`, and `&mut`.
        (self.vtable().kind == Kind::Encoded)
            .then(|| unsafe { &mut self.0.cast::<Letter<Encoded>>().as_mut().body })
    }

    /// Returns the Rust name of the message's type, or its tag if the message is still encoded.
    #[must_use]
    pub fn type_name(&self) -> &str {
        self.as_encoded().map_or_else(|| (self.vtable().type_name)(), |e| &e.wire_type.tag)
    }

    /// Returns the memory of the envelope, in bytes, including those of an encoded message.
    pub(crate) fn memory(&self) -> usize {
        self.vtable().size + self.as_encoded().map_or(0, |encoded| encoded.bytes.len())
    }

    /// Returns the tag, hash and fingerprint of the message's type on the wire.
    #[must_use]
    pub fn wire_type(&self) -> Arc<WireType> {
        self.message_type().wire_type()
    }

    /// Returns the type of the message.
    #[must_use]
    #[inline]
    pub fn message_type(&self) -> MessageType {
        let encoded = self.as_encoded().map(|encoded| encoded.wire_type.clone());
        MessageType { vtable: self.vtable(), encoded }
    }

    /// Appends the encoded value to `out`, for [`encode_message`](super::encode_message).
    ///
    /// # Errors
    /// If the value can't leave this node.
    pub fn encode(&self, out: &mut Buffer) -> Result<(), EncodeError> {
        // SAFETY: E1.
        unsafe { (self.vtable().encode)(self.0, out) }
    }

    /// Returns the message as another node would receive it.
    ///
    /// # Errors
    /// If the message can't leave this node.
    pub fn to_encoded(&self) -> Result<Encoded, EncodeError> {
        if let Some(encoded) = self.as_encoded() {
            return Ok(encoded.clone());
        }
        Encoded::by(|buffer| self.encode(buffer), || WireType::clone(&self.wire_type()))
    }

    /// Returns the message as it would arrive on another node. A message that can't leave this
    /// node, or that came from another node, is returned unchanged.
    ///
    /// # Errors
    /// If the message can't be encoded, or can't be decoded again.
    pub(crate) fn through_codec(self) -> Result<Envelope, EncodeError> {
        if self.vtable().kind != Kind::Message || self.check_sendable().is_err() {
            return Ok(self);
        }
        // SAFETY: E1.
        unsafe { (self.vtable().through_codec)(self.0) }
    }

    /// Checks that the message's type may be sent to another node.
    pub(crate) fn check_sendable(&self) -> Result<(), EncodeError> {
        (self.vtable().check_sendable)()
    }

    fn vtable(&self) -> &'static VTable {
        // SAFETY: E1.
        unsafe { self.0.as_ref().vtable }
    }

    /// Takes the letter out of the envelope.
    ///
    /// # Safety
    /// E1 holds with this `T`.
    unsafe fn into_letter<T>(self) -> Box<Letter<T>> {
        // SAFETY: E1 and E2.
        unsafe { Box::from_raw(self.into_raw().cast::<Letter<T>>().as_ptr()) }
    }

    /// Returns how the signal was sent, while it is in flight, or what it is, once it is in a
    /// mailbox.
    pub(crate) fn word(&self) -> Word {
        // SAFETY: E1.
        unsafe { self.0.as_ref() }.word
    }

    pub(crate) fn set_word(&mut self, word: impl Into<Word>) {
        // SAFETY: E1, and `&mut`.
        unsafe { self.0.as_mut() }.word = word.into();
    }

    /// Counts the message in a bounded mailbox. Returns false if it was counted before or is never
    /// counted.
    pub(crate) fn count(&mut self) -> bool {
        // SAFETY: E1, and `&mut`.
        unsafe { self.0.as_mut() }.word.count()
    }

    /// Returns the address of the envelope, for comparisons.
    pub(crate) fn address(&self) -> *mut Header {
        self.0.as_ptr()
    }

    /// Returns the message, if it is an `M` of this node.
    #[must_use]
    pub fn peek<M: Message>(&self) -> Option<&M> {
        let vtable = self.vtable();
        let is = vtable.kind == Kind::Message && vtable.type_id == TypeId::of::<M>();
        // SAFETY: the type's identity says that E1 holds with `M`.
        is.then(|| unsafe { &self.0.cast::<Letter<M>>().as_ref().body })
    }

    /// Passes the ownership to the holder of the returned pointer.
    pub(crate) fn into_raw(self) -> NonNull<Header> {
        let header = self.0;
        std::mem::forget(self);
        header
    }

    /// Takes the ownership back.
    ///
    /// # Safety
    /// The pointer came from [`into_raw`](Envelope::into_raw), and its owner gives it up.
    pub(crate) unsafe fn from_raw(header: NonNull<Header>) -> Envelope {
        Envelope(header)
    }
}

impl<T> From<Box<Letter<T>>> for Envelope {
    fn from(node: Box<Letter<T>>) -> Envelope {
        // E1: the letter has the vtable of `T`, since only `Letter::boxed` makes letters, and E5 prevents
        // a change of `T`.
        Envelope(NonNull::from(Box::leak(node)).cast())
    }
}

impl Drop for Envelope {
    fn drop(&mut self) {
        // SAFETY: E1; this is the last use.
        unsafe { (self.vtable().drop)(self.0) }
    }
}

impl std::fmt::Debug for Envelope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Envelope({})", Printable(self.type_name()))
    }
}

/// Envelopes that are linked by `next`, from first to last.
pub(crate) struct Chain(*mut Header);

// SAFETY: E3.
unsafe impl Send for Chain {}

impl Chain {
    /// Makes a chain of linked nodes.
    ///
    /// # Safety
    /// E1 and E4 hold for `head` and for all nodes that follow it, and their owner gives them up.
    pub(crate) unsafe fn from_raw(head: *mut Header) -> Chain {
        Chain(head)
    }

    /// Makes a chain of a stack of letters, given by their addresses. `top` is the letter that was
    /// pushed last. It becomes the last node of the chain.
    ///
    /// # Safety
    /// E1 and E4 hold for the nodes at `top` and at the addresses in the `next` fields from there
    /// on. Their owner gives them up, and the provenance of each was exposed.
    pub(crate) unsafe fn from_stack(top: usize) -> Chain {
        let mut from: *mut Header = ptr::with_exposed_provenance_mut(top);
        let mut to = ptr::null_mut();
        while !from.is_null() {
            // SAFETY: the caller promises that we own the letter. The pointer keeps the provenance of
            // the whole letter; one made from a reference to its header would not.
            let next = unsafe { ptr::replace(&raw mut (*from).next, to) };
            to = from;
            from = ptr::with_exposed_provenance_mut(next.addr());
        }
        Chain(to)
    }
}

impl Iterator for Chain {
    type Item = Envelope;

    fn next(&mut self) -> Option<Envelope> {
        let mut header = NonNull::new(self.0)?;
        // SAFETY: E1 and E4: we own the letter. Once unlinked, it is an envelope of its own.
        unsafe {
            self.0 = std::mem::replace(&mut header.as_mut().next, ptr::null_mut());
            Some(Envelope::from_raw(header))
        }
    }
}

impl Drop for Chain {
    #[inline]
    fn drop(&mut self) {
        if !self.0.is_null() {
            self.drop_all();
        }
    }
}

impl Chain {
    #[cold]
    fn drop_all(&mut self) {
        // If one destructor panics, the others still run.
        for envelope in self {
            contained(|| drop(envelope));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_downcasts_only_to_its_type() {
        let envelope = Envelope::new(String::from("text"));
        assert!(envelope.is::<String>() && !envelope.is::<u64>());
        let envelope = envelope.downcast::<u64>().unwrap_err();
        assert_eq!(envelope.downcast::<String>().unwrap().body, "text");
        assert!(Envelope::new(()).downcast::<()>().is_ok());
    }

    #[test]
    fn an_encoded_message_is_identified_by_its_tag() {
        let envelope = Envelope::encoded(Encoded::new(&7_u64).unwrap());
        assert!(envelope.is::<u64>() && !envelope.is::<u32>());
        assert_eq!(envelope.as_encoded().unwrap().decode::<u64>(), Ok(7));
        assert!(envelope.downcast::<u64>().is_err());
    }

    #[test]
    fn an_encoded_message_is_decoded_in_place() {
        let encoded = || Encoded::new(&7_u64).unwrap();
        let empty = || Encoded { bytes: bytes::Bytes::new(), ..encoded() };
        let filled = Envelope::encoded_with(empty(), |here| {
            here.bytes = encoded().bytes;
            Ok::<_, ()>(())
        });
        assert_eq!(filled.unwrap().as_encoded().unwrap().decode::<u64>(), Ok(7));
        assert_eq!(Envelope::encoded_with(empty(), |_| Err(5)).err(), Some(5));
        let mut envelope = Envelope::encoded(empty());
        envelope.as_encoded_mut().unwrap().bytes = encoded().bytes;
        assert_eq!(envelope.as_encoded().unwrap().decode::<u64>(), Ok(7));
        assert!(Envelope::new(7_u64).as_encoded_mut().is_none());
    }

    #[test]
    fn a_chain_drops_its_rest() {
        let value = std::sync::Arc::new(());
        let raws: Vec<_> =
            (0..3).map(|_| Envelope::new(crate::Local(value.clone())).into_raw()).collect();
        for pair in raws.windows(2) {
            // SAFETY: the test owns the nodes.
            unsafe { (*pair[0].as_ptr()).next = pair[1].as_ptr() };
        }
        // SAFETY: E1 and E4 were just made to hold.
        let mut chain = unsafe { Chain::from_raw(raws[0].as_ptr()) };
        assert!(chain.next().unwrap().is::<crate::Local<std::sync::Arc<()>>>());
        assert_eq!(std::sync::Arc::strong_count(&value), 3);
        drop(chain);
        assert_eq!(std::sync::Arc::strong_count(&value), 1);
    }

    #[test]
    fn a_chain_drops_all_even_if_some_panic() {
        use std::panic::{AssertUnwindSafe, catch_unwind};
        struct Loud {
            _value: std::sync::Arc<()>,
        }
        impl Drop for Loud {
            fn drop(&mut self) {
                std::panic::resume_unwind(Box::new("loud"));
            }
        }
        let value = std::sync::Arc::new(());
        let mailbox_of = |count: usize| {
            let mut mailbox = crate::mailbox::Mailbox::new();
            (0..count).for_each(|_| {
                mailbox.push(Envelope::new(crate::Local(Loud { _value: value.clone() })))
            });
            mailbox
        };
        drop(mailbox_of(3));
        assert_eq!(std::sync::Arc::strong_count(&value), 1);
        let mailbox = mailbox_of(3);
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let _mailbox = mailbox;
            std::panic::resume_unwind(Box::new("outer"));
        }));
        assert!(unwound.is_err());
        assert_eq!(std::sync::Arc::strong_count(&value), 1);
    }
}
