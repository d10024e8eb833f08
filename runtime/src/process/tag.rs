//! The tags of monitors and of requests to spawn: values of any type, until they are needed.

use crate::message::{Envelope, Message, Tagged};
use crate::system_message::{Down, SpawnReply};

/// A value that is to stand beside a message of the runtime.
pub(super) struct Tag(Box<dyn AnyTag>);

trait AnyTag: Send {
    fn down(self: Box<Self>, message: Down) -> Envelope;
    fn spawn_reply(self: Box<Self>, message: SpawnReply) -> Envelope;
}

impl<T: Message> AnyTag for T {
    fn down(self: Box<Self>, message: Down) -> Envelope {
        Envelope::new(Tagged { tag: *self, message })
    }

    fn spawn_reply(self: Box<Self>, message: SpawnReply) -> Envelope {
        Envelope::new(Tagged { tag: *self, message })
    }
}

impl Tag {
    pub(super) fn new<T: Message>(tag: T) -> Tag {
        Tag(Box::new(tag))
    }

    /// The message of a monitor that has this tag, if any.
    pub(super) fn down(tag: Option<Tag>, message: Down) -> Envelope {
        match tag {
            Some(tag) => tag.0.down(message),
            None => Envelope::new(message),
        }
    }

    /// The answer to a request that has this tag, if any.
    pub(super) fn spawn_reply(tag: Option<Tag>, message: SpawnReply) -> Envelope {
        match tag {
            Some(tag) => tag.0.spawn_reply(message),
            None => Envelope::new(message),
        }
    }
}

impl std::fmt::Debug for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tag")
    }
}
