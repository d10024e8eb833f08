//! The requests to a server that `#[gen_server]` has made: the arguments of a handler, with the
//! request's name.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use fika_runtime::message::{
    self, Buffer, WireType, composed_fingerprint, generic_tag, generic_tag_hash,
};
use fika_runtime::{DecodeError, EncodeError, Message};

use crate::r#gen::wire::mix_fingerprints;

/// The name of a request. `#[gen_server]` makes a type with this trait for each request.
pub trait RequestName: 'static {
    /// The name for errors and reports, such as `Counter::add`.
    const NAME: &'static str;
    /// The stable name on the wire, such as `shop::Counter::add`.
    const TAG: &'static str;
}

/// A request to a server that [`#[gen_server]`](macro@crate::gen_server) has made: a tuple of the
/// handler's arguments, with the request's name `N`.
///
/// Each argument is encoded as a message. For a server on the same node, an argument may also be a
/// [`Local`](fika_runtime::Local).
pub struct Args<N, A> {
    args: A,
    name: PhantomData<fn() -> N>,
}

impl<N, A> Args<N, A> {
    /// Returns the request with these arguments.
    #[doc(hidden)]
    pub fn new(args: A) -> Args<N, A> {
        Args { args, name: PhantomData }
    }

    /// Returns the arguments.
    #[doc(hidden)]
    pub fn into_inner(self) -> A {
        self.args
    }
}

impl<N: RequestName, A: message::Args> Message for Args<N, A> {
    fn tag() -> Cow<'static, str> {
        let tag = || {
            let types = A::arg_types();
            let tags: Vec<&str> = types.iter().map(|arg: &WireType| &*arg.tag).collect();
            format!("{}({})", N::TAG, tags.join(","))
        };
        generic_tag::<Self>(tag).into()
    }

    fn tag_hash() -> u64 {
        generic_tag_hash::<Self>(|| Self::tag().into_owned())
    }

    fn fingerprint() -> u64 {
        composed_fingerprint::<Self>(|| {
            mix_fingerprints("args", A::arg_types().into_iter().map(|arg| arg.fingerprint))
        })
    }

    fn type_name() -> &'static str {
        N::NAME
    }

    fn check_sendable() -> Result<(), EncodeError> {
        A::check_args()
    }

    fn encode(&self, out: &mut Buffer) -> Result<(), EncodeError> {
        self.args.encode_args(out)
    }

    fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        A::decode_args(bytes).map(Args::new)
    }
}

impl<N: RequestName, A> fmt::Debug for Args<N, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(N::NAME)
    }
}
