//! Values that stay on their node: those in a `Local`, and those of `#[message(local)]` types.

use std::borrow::Cow;

use bytes::Bytes;

use super::{Buffer, DecodeError, EncodeError, Message};

/// Wraps a value that can't leave the node, such as a socket or a channel, so that it can be sent
/// to processes of this node. Sending it to another node returns an error.
///
/// ```
/// # use fika_runtime::{Local, Node, self_pid, send};
/// # Node::builder().build().unwrap().block_on(async {
/// let (sender, receiver) = std::sync::mpsc::channel::<u64>();
/// send(self_pid(), Local(sender));
/// # });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Local<T>(pub T);

impl<T: Send + 'static> Message for Local<T> {
    fn tag() -> Cow<'static, str> {
        "fika::Local".into()
    }

    fn fingerprint() -> u64 {
        0
    }

    fn check_sendable() -> Result<(), EncodeError> {
        Err(EncodeError::new::<T>("it was wrapped in `Local`, for processes of this node only"))
    }

    fn encode(&self, _: &mut Buffer) -> Result<(), EncodeError> {
        Self::check_sendable()
    }

    fn decode(_: &Bytes) -> Result<Self, DecodeError> {
        Err(DecodeError::malformed::<T>("`Local` values never cross the wire"))
    }
}

/// Returns the error for sending a message of a `#[message(local)]` type to another node.
#[doc(hidden)]
#[must_use]
pub fn stays_here<M>() -> EncodeError {
    EncodeError::new::<M>("it is `#[message(local)]`, for processes of this node only")
}
