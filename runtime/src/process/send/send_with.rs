//! Sending on conditions.

use super::try_send::{Refused, TrySendError};
use crate::carrier::Conditions;
use crate::context;
use crate::dest::Dest;
use crate::exit_reason::ExitReason;
use crate::message::{Envelope, Message};
use crate::process::life::refuse;

/// On what conditions [`send_with`] sends (the options of Erlang's `erlang:send/3`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[must_use = "options do nothing by themselves"]
pub struct SendOpts {
    conditions: Conditions,
}

impl SendOpts {
    /// None: as [`send`](crate::send).
    pub fn new() -> SendOpts {
        SendOpts::default()
    }

    /// Not where the running process would be suspended, since the connection is congested. The
    /// message is not sent then, and the error [is busy](TrySendError::is_busy). Has no effect in
    /// a process with [`async_dist`](crate::async_dist()).
    pub fn nosuspend(mut self) -> Self {
        self.conditions.nosuspend = true;
        self
    }

    /// Not where there is neither a connection nor one under way. The message is not sent then,
    /// none is made, and the error [says so](TrySendError::is_noconnect).
    pub fn noconnect(mut self) -> Self {
        self.conditions.noconnect = true;
        self
    }
}

/// Sends a message on conditions (Erlang's `erlang:send/3`). They are about the way to another
/// node: a message to a process of this one is sent as by [`send`](crate::send).
///
/// See also [`try_send`](crate::try_send), which asks as well whether a mailbox of this node has
/// room.
///
/// ```
/// # use fika_runtime::{Node, SendOpts, self_pid, send_with};
/// # Node::builder().build().unwrap().block_on(async {
/// let sent = send_with(self_pid(), 7_u64, SendOpts::new().nosuspend().noconnect());
/// assert!(sent.is_ok());
/// # });
/// ```
///
/// # Errors
/// When a condition does not hold; the error gives the message back.
///
/// # Panics
/// As [`send`](crate::send).
#[track_caller]
pub fn send_with<'a, M: Message>(
    dest: impl Into<Dest<'a>>,
    message: M,
    opts: SendOpts,
) -> Result<(), TrySendError<M>> {
    context::process("send_with", |me| {
        if me.control.ending.get() {
            return Ok(());
        }
        let sent = me.node.send_if(&dest.into(), Envelope::new(message), opts.conditions);
        if let Err(Refused::Send(error, _)) = sent {
            refuse(ExitReason::badarg(error));
            return Ok(());
        }
        sent.map_err(Refused::into_error)
    })
}
