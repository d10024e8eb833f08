//! The messages between clients and servers. Their types carry the request's type, so a request is
//! checked by the compiler and travels like any other message.
//!
//! | message | from | to |
//! |---|---|---|
//! | [`LocalCall`] | a client | a server of its node |
//! | [`RemoteCall`] | a client | a server of another node |
//! | [`CastMessage`] | a client | a server |
//! | [`Answered`] | a server | the process that waits in place of a client of another node |
//! | [`Refused`] | a server that has no handler for a request | that waiting process |

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use fika_macros::Message;
use fika_runtime::message::{
    Buffer, composed_fingerprint, generic_tag, generic_tag_hash, hash_tag,
};
use fika_runtime::{
    DecodeError, EncodeError, Encoded, Envelope, Message, Pid, WireType, open_message, send,
};
use serde::{Deserialize, Serialize};

use super::reply_to::{Outcome, ReplyTo, Unanswered};

/// A request with the address for its reply, which stays on its node.
pub(crate) struct LocalCall<R, A: Message> {
    pub(crate) from: ReplyTo<A>,
    pub(crate) request: R,
}

impl<R: Message, A: Message> LocalCall<R, A> {
    /// Returns the parts of the call, in a server that has a handler for the request.
    pub(crate) fn take(self) -> (ReplyTo<A>, R) {
        (self.from.taken(), self.request)
    }
}

impl<R: Message, A: Message> Message for LocalCall<R, A> {
    fn tag() -> Cow<'static, str> {
        "fika_otp::LocalCall".into()
    }

    fn fingerprint() -> u64 {
        0
    }

    fn type_name() -> &'static str {
        R::type_name()
    }

    fn check_sendable() -> Result<(), EncodeError> {
        let why = "it is a call within a node: a server forwards its requests by calls of its own";
        Err(EncodeError::refused(R::type_name(), why))
    }

    fn encode(&self, _: &mut Buffer) -> Result<(), EncodeError> {
        Self::check_sendable()
    }

    fn decode(_: &Bytes) -> Result<Self, DecodeError> {
        Err(DecodeError::malformed::<Self>("it never crosses the wire"))
    }
}

/// Encodes two messages: the length of the first (32 bits), the first, and the second.
pub(crate) fn encode_pair<A: Message, B: Message>(
    a: &A,
    b: &B,
    out: &mut Buffer,
) -> Result<(), EncodeError> {
    let length = out.put_with_length(|out| a.encode(out))?;
    if u32::try_from(length).is_err() {
        return Err(EncodeError::refused(
            std::any::type_name::<A>(),
            "it is too large for a message",
        ));
    }
    b.encode(out)
}

pub(crate) fn decode_pair<A: Message, B: Message>(bytes: &Bytes) -> Result<(A, B), DecodeError> {
    let parts = bytes.split_first_chunk().and_then(|(length, rest)| {
        rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
    });
    let (a, b) = parts.ok_or_else(|| DecodeError::malformed::<B>("it is cut off"))?;
    Ok((A::decode(&bytes.slice_ref(a))?, B::decode(&bytes.slice_ref(b))?))
}

/// Returns the fingerprint of a message type that is composed of others.
pub(crate) fn mix_fingerprints(kind: &str, parts: impl IntoIterator<Item = u64>) -> u64 {
    /// An odd number with many set bits: 2^64 divided by the golden ratio.
    const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, part: u64| (hash.rotate_left(5) ^ part).wrapping_mul(MIX);
    parts.into_iter().fold(hash_tag(kind), mix)
}

/// Implements the names of a message type that is composed of others.
macro_rules! composed {
    ($kind:literal: $($part:ident),+) => {
        fn tag() -> Cow<'static, str> {
            let tag = || [$kind, "<", &[$($part::tag()),+].join(","), ">"].concat();
            generic_tag::<Self>(tag).into()
        }

        fn tag_hash() -> u64 {
            generic_tag_hash::<Self>(|| Self::tag().into_owned())
        }

        fn fingerprint() -> u64 {
            composed_fingerprint::<Self>(|| mix_fingerprints($kind, [$($part::fingerprint()),+]))
        }

        fn check_sendable() -> Result<(), EncodeError> {
            $($part::check_sendable()?;)+
            Ok(())
        }
    };
}
/// The addresses in a request that came from another node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) caller: Option<Pid>,
    pub(crate) proxy: Pid,
}

impl Head {
    /// Tells the process that waits in place of the caller that the request is refused.
    pub(crate) fn refuse(self) {
        send(self.proxy, Refused);
    }
}

/// A request from another node, whose reply is an `A`.
pub(crate) struct RemoteCall<R, A> {
    pub(crate) head: Head,
    pub(crate) request: R,
    pub(crate) wants: PhantomData<fn() -> A>,
}

impl<R: Message, A: Message> Message for RemoteCall<R, A> {
    composed!("call": R, A);

    fn type_name() -> &'static str {
        R::type_name()
    }

    fn encode(&self, out: &mut Buffer) -> Result<(), EncodeError> {
        encode_pair(&(self.head.caller, self.head.proxy), &self.request, out)
    }

    fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        let ((caller, proxy), request) = decode_pair(bytes)?;
        Ok(RemoteCall { head: Head { caller, proxy }, request, wants: PhantomData })
    }
}

/// The addresses of a [`RemoteCall`] of any type, which may be unknown to this program.
struct AnyCall(Head);

impl Message for AnyCall {
    fn tag() -> Cow<'static, str> {
        "fika_otp::AnyCall".into()
    }

    fn fingerprint() -> u64 {
        0
    }

    fn encode(&self, _: &mut Buffer) -> Result<(), EncodeError> {
        Err(EncodeError::refused("a call", "it is only read"))
    }

    fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        let ((caller, proxy), _) = decode_pair::<_, Skipped>(bytes)?;
        Ok(AnyCall(Head { caller, proxy }))
    }
}

/// A value that is not decoded.
struct Skipped;

impl Message for Skipped {
    fn tag() -> Cow<'static, str> {
        "fika_otp::Skipped".into()
    }

    fn fingerprint() -> u64 {
        0
    }

    fn encode(&self, _: &mut Buffer) -> Result<(), EncodeError> {
        Ok(())
    }

    fn decode(_: &Bytes) -> Result<Self, DecodeError> {
        Ok(Skipped)
    }
}

/// Returns the addresses of a [`RemoteCall`] of any type. `None` for every other message.
pub(crate) fn head_of(message: &Envelope) -> Option<Head> {
    let encoded = message.as_encoded().filter(|call| call.wire_type.tag.starts_with("call<"))?;
    let of = WireType::of::<AnyCall>();
    // The form is part of the fingerprint, which is not known for a type of another program.
    let forms = [of.described(), of].map(Arc::new);
    forms.into_iter().find_map(|wire_type| {
        let call = Encoded { wire_type, ..encoded.clone() };
        call.decode::<AnyCall>().ok().map(|AnyCall(head)| head)
    })
}

/// Opens a request from another node. If it does not decode, it is refused.
pub(crate) fn open_remote<R: Message, A: Message>(message: Envelope) -> Option<RemoteCall<R, A>> {
    let head = head_of(&message);
    let call = open_message(message);
    if let (None, Some(head)) = (&call, head) {
        head.refuse();
    }
    call
}

/// Tells the process that waits in place of a client that the server has no handler for the request.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(tag = "fika_otp::Refused")]
pub(crate) struct Refused;

/// A request without a reply.
pub(crate) struct CastMessage<R>(pub(crate) R);

impl<R: Message> Message for CastMessage<R> {
    composed!("cast": R);

    fn type_name() -> &'static str {
        R::type_name()
    }

    fn encode(&self, out: &mut Buffer) -> Result<(), EncodeError> {
        self.0.encode(out)
    }

    fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        R::decode(bytes).map(CastMessage)
    }
}

/// The outcome of a request, on its way to another node.
pub(crate) struct Answered<A>(pub(crate) Outcome<A>);

/// On the wire: a byte that says which of the two it is, and the value.
impl<A: Message> Message for Answered<A> {
    composed!("answered": A);

    fn encode(&self, out: &mut Buffer) -> Result<(), EncodeError> {
        match &self.0 {
            Ok(value) => {
                out.put_u8(0);
                value.encode(out)
            }
            Err(Unanswered::Ended { reason, .. }) => {
                out.put_u8(1);
                reason.encode(out)
            }
            Err(Unanswered::Dropped | Unanswered::Unreadable) => {
                out.put_u8(2);
                Ok(())
            }
            Err(Unanswered::Unknown) => {
                out.put_u8(3);
                Ok(())
            }
        }
    }

    fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        let rest = |bytes: &Bytes| bytes.slice(1..);
        Ok(Answered(match bytes.first() {
            Some(0) => Ok(A::decode(&rest(bytes))?),
            Some(1) => {
                let reason = Message::decode(&rest(bytes))?;
                Err(Unanswered::Ended { reason, by: None })
            }
            Some(2) if bytes.len() == 1 => Err(Unanswered::Dropped),
            Some(3) if bytes.len() == 1 => Err(Unanswered::Unknown),
            _ => return Err(DecodeError::malformed::<A>("it is not an answer")),
        }))
    }
}

impl<R: Message, A: Message> fmt::Debug for LocalCall<R, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalCall<{}>", R::type_name())
    }
}
