//! A message of the runtime with a tag that the receiver chose.

use std::borrow::Cow;

use bytes::Bytes;

use super::{Buffer, DecodeError, EncodeError, Message, hash_bytes, hash_tag};

/// A message of the runtime together with a tag, a value that the receiver chose: a
/// [`Down`](crate::Down) for a monitor with a tag, or a [`SpawnReply`](crate::SpawnReply) for a
/// request with a tag. It arrives in place of the message without a tag (Erlang's `{tag, Tag}` and
/// `{reply_tag, Tag}`).
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Down, MonitorOpts, Node, Tagged, monitor_with, spawn};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// let worker = spawn(async {});
/// monitor_with(worker, MonitorOpts::new().tag(7_u64));
/// receive! {
///     Tagged::<u64, Down> { tag: worker, message: Down { reason, .. } } => {
///         println!("worker {worker} has ended: {reason}");
///     }
/// }
/// # });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tagged<T, M> {
    /// The tag that was given to the monitor or the request.
    pub tag: T,
    /// The message.
    pub message: M,
}

/// On the wire: the length of the tag (32 bits), the tag, and the message.
impl<T: Message, M: Message> Message for Tagged<T, M> {
    fn tag() -> Cow<'static, str> {
        format!("tagged<{},{}>", T::tag(), M::tag()).into()
    }

    fn fingerprint() -> u64 {
        let parts = [T::fingerprint(), M::fingerprint()];
        parts.iter().fold(hash_tag("tagged"), |hash, part| hash_bytes(hash, &part.to_le_bytes()))
    }

    fn check_sendable() -> Result<(), EncodeError> {
        T::check_sendable()?;
        M::check_sendable()
    }

    fn encode(&self, out: &mut Buffer) -> Result<(), EncodeError> {
        let length = out.put_with_length(|out| self.tag.encode(out))?;
        if u32::try_from(length).is_err() {
            return Err(EncodeError::new::<Self>("the tag is too large for a message"));
        }
        self.message.encode(out)
    }

    fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        let parts = bytes.split_first_chunk().and_then(|(length, rest)| {
            rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
        });
        let (tag, message) =
            parts.ok_or_else(|| DecodeError::malformed::<Self>("it is cut off"))?;
        let [tag, message] = [tag, message].map(|part| bytes.slice_ref(part));
        Ok(Tagged { tag: T::decode(&tag)?, message: M::decode(&message)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Encoded, ExitReason, Local, NodeId, Object, Pid, Reference};

    #[test]
    fn a_tagged_message_is_sent_with_all_its_nodes() {
        let node = NodeId::nameless();
        let pid = Pid::new(NodeId::nameless(), crate::LocalId { slot: 1, generation: 2 });
        let down = crate::Down {
            monitor: Reference::owned(node, 9, Some(4)),
            object: Object::Pid(pid),
            reason: ExitReason::Killed,
        };
        let tagged = Tagged { tag: (pid, "tag".to_owned()), message: down };
        let encoded = Encoded::new(&tagged).unwrap();
        assert_eq!(encoded.decode::<Tagged<(Pid, String), crate::Down>>(), Ok(tagged));
        assert!(encoded.decode::<Tagged<(Pid, u64), crate::Down>>().is_err());
    }

    #[test]
    fn a_message_with_a_local_tag_can_not_be_sent() {
        assert!(Encoded::new(&Tagged { tag: Local(()), message: 1_u64 }).is_err());
        assert!(Tagged::<u64, Local<()>>::check_sendable().is_err());
    }

    #[test]
    fn malformed_bytes_are_refused() {
        let mut buffer = Buffer::new();
        Tagged { tag: 300_u64, message: 5_u64 }.encode(&mut buffer).unwrap();
        let bytes = buffer.into_bytes();
        for length in 0..bytes.len() {
            assert!(Tagged::<u64, u64>::decode(&bytes.slice(..length)).is_err(), "{length}");
        }
        let mut longer = bytes.to_vec();
        longer[3] += 1;
        assert!(Tagged::<u64, u64>::decode(&longer.into()).is_err());
        assert!(Tagged::<u64, u64>::decode(&Bytes::from_static(&[255; 20])).is_err());
    }
}
