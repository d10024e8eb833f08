//! The tags of monitors and of spawn requests: values of any type until they are needed. The
//! runtime has its own tags, for a `Down` or a `SpawnReply` that goes to a waiting function and not
//! to the mailbox.

use crate::exit_reason::ExitReason;
use crate::message::{Envelope, Message, Tagged};
use crate::oneshot::Answer;
use crate::pid::Pid;
use crate::process::failure::contain;
use crate::signal::SpawnError;
use crate::system_message::{Down, SpawnReply};

/// A value that accompanies a message of the runtime, or that consumes the message. A panic of the
/// value's destructor is contained.
pub(in crate::process) struct Tag(Option<Box<dyn AnyTag>>);

/// Makes the message for the mailbox. `None` if the message goes elsewhere.
trait AnyTag: Send {
    fn down(self: Box<Self>, message: Down) -> Option<Envelope>;
    fn spawn_reply(self: Box<Self>, message: SpawnReply) -> Option<Envelope>;
}

impl<T: Message> AnyTag for T {
    fn down(self: Box<Self>, message: Down) -> Option<Envelope> {
        Some(Envelope::new(Tagged { tag: *self, message }))
    }

    fn spawn_reply(self: Box<Self>, message: SpawnReply) -> Option<Envelope> {
        Some(Envelope::new(Tagged { tag: *self, message }))
    }
}

/// Gives the exit reason to a function that waits for the end of a process.
struct Ended(Answer<ExitReason>);

impl AnyTag for Ended {
    fn down(self: Box<Self>, message: Down) -> Option<Envelope> {
        self.0.give(message.reason);
        None
    }

    fn spawn_reply(self: Box<Self>, _: SpawnReply) -> Option<Envelope> {
        None
    }
}

/// Gives the result to a function that waits for a process to be spawned.
struct Spawned(Answer<Result<Pid, SpawnError>>);

impl AnyTag for Spawned {
    fn down(self: Box<Self>, _: Down) -> Option<Envelope> {
        None
    }

    fn spawn_reply(self: Box<Self>, message: SpawnReply) -> Option<Envelope> {
        self.0.give(message.result);
        None
    }
}

impl Tag {
    pub(in crate::process) fn new<T: Message>(tag: T) -> Tag {
        Tag(Some(Box::new(tag)))
    }

    /// Returns the tag of a monitor that a function waits for.
    pub(in crate::process) fn ended(answer: Answer<ExitReason>) -> Tag {
        Tag(Some(Box::new(Ended(answer))))
    }

    /// Returns the tag of a spawn request that a function waits for.
    pub(in crate::process) fn spawned(answer: Answer<Result<Pid, SpawnError>>) -> Tag {
        Tag(Some(Box::new(Spawned(answer))))
    }

    /// Makes the message of a monitor with this tag. `None` if nothing goes to the mailbox.
    pub(in crate::process) fn down(tag: Option<Tag>, message: Down) -> Option<Envelope> {
        match tag.and_then(Tag::into_inner) {
            Some(tag) => tag.down(message),
            None => Some(Envelope::new(message)),
        }
    }

    /// Makes the reply to a spawn request with this tag. `None` if nothing goes to the mailbox.
    pub(in crate::process) fn spawn_reply(
        tag: Option<Tag>,
        message: SpawnReply,
    ) -> Option<Envelope> {
        match tag.and_then(Tag::into_inner) {
            Some(tag) => tag.spawn_reply(message),
            None => Some(Envelope::new(message)),
        }
    }

    fn into_inner(mut self) -> Option<Box<dyn AnyTag>> {
        self.0.take()
    }
}

impl Drop for Tag {
    fn drop(&mut self) {
        if let Some(tag) = self.0.take() {
            contain(|| drop(tag));
        }
    }
}

impl std::fmt::Debug for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tag")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value of any type can be a tag, so the value itself can't be shown.
    #[test]
    fn a_tag_is_shown_without_its_value() {
        assert_eq!(format!("{:?}", Some(Tag::new(7_u8))), "Some(Tag)");
    }
}
