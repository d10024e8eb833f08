//! The requests to a supervisor, and the commands about one child that some of them are.

use fika_macros::Message;
use serde::{Deserialize, Serialize};

use crate::r#gen::ReplyTo;
use crate::supervisor::spec::child_error::{ChildError, ChildRef};
use crate::supervisor::spec::child_spec::{ChildId, ChildOpts, ChildSpec};
use crate::supervisor::spec::starter::{StartFn, Started};

#[derive(Serialize, Deserialize, Message)]
#[message(tag = "fika_otp::supervisor::WhichChildren")]
pub(crate) struct WhichChildren;

#[derive(Serialize, Deserialize, Message)]
#[message(tag = "fika_otp::supervisor::CountChildren")]
pub(crate) struct CountChildren;

/// A specification contains functions, so this request can't leave its node.
#[derive(Message)]
#[message(local)]
pub(crate) struct StartChild(pub(crate) ChildSpec);

#[derive(Serialize, Deserialize, Message)]
#[message(tag = "fika_otp::supervisor::TerminateChild")]
pub(crate) struct TerminateChild(pub(crate) ChildRef);

#[derive(Serialize, Deserialize, Message)]
#[message(tag = "fika_otp::supervisor::RestartChild")]
pub(crate) struct RestartChild(pub(crate) ChildId);

#[derive(Serialize, Deserialize, Message)]
#[message(tag = "fika_otp::supervisor::DeleteChild")]
pub(crate) struct DeleteChild(pub(crate) ChildId);

pub(crate) type StartReply = Result<Started, ChildError>;
pub(crate) type EndReply = Result<(), ChildError>;

/// A child to add.
pub(crate) struct NewChild {
    pub(crate) id: Option<ChildId>,
    pub(crate) start: StartFn,
    pub(crate) opts: ChildOpts,
}

/// A request about one child.
pub(crate) enum Command {
    Start(Box<NewChild>, ReplyTo<StartReply>),
    Terminate(ReplyTo<EndReply>),
    Restart(ReplyTo<StartReply>),
    Delete(ReplyTo<EndReply>),
}

impl Command {
    pub(crate) fn fail(self, error: ChildError) {
        match self {
            Command::Start(_, reply) | Command::Restart(reply) => reply.reply(Err(error)),
            Command::Terminate(reply) | Command::Delete(reply) => reply.reply(Err(error)),
        }
    }
}
