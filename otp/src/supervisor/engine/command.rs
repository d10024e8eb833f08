//! Requests to a supervisor about one child.

use super::child_error::ChildError;
use super::child_spec::{ChildId, ChildOpts};
use super::starter::{StartFn, Started};
use crate::r#gen::ReplyTo;

pub(super) type StartReply = Result<Started, ChildError>;
pub(super) type EndReply = Result<(), ChildError>;

/// A child to add.
pub(super) struct NewChild {
    pub(super) id: Option<ChildId>,
    pub(super) start: StartFn,
    pub(super) opts: ChildOpts,
}

/// A request about one child.
pub(super) enum Command {
    Start(Box<NewChild>, ReplyTo<StartReply>),
    Terminate(ReplyTo<EndReply>),
    Restart(ReplyTo<StartReply>),
    Delete(ReplyTo<EndReply>),
}

impl Command {
    pub(super) fn fail(self, error: ChildError) {
        match self {
            Command::Start(_, reply) | Command::Restart(reply) => reply.reply(Err(error)),
            Command::Terminate(reply) | Command::Delete(reply) => reply.reply(Err(error)),
        }
    }
}
