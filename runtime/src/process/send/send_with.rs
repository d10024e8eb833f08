//! Sending a message on conditions.

use super::offer::{Refused, send_if};
use super::try_send::TrySendError;
use crate::carrier::Conditions;
use crate::context;
use crate::dest::Dest;
use crate::exit_reason::ExitReason;
use crate::message::{Envelope, Message};
use crate::process::failure::refuse;

/// The conditions on which [`send_with`] sends (the options of Erlang's `erlang:send/3`).
///
/// ```
/// # use fika_runtime::{Node, SendOpts, self_pid, send_with};
/// # Node::builder().build().unwrap().block_on(async {
/// // Neither waits for a congested connection nor makes one.
/// let sent = send_with(self_pid(), 1_u64, SendOpts::new().nosuspend().noconnect());
/// assert!(sent.is_ok());
/// # });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[must_use = "options do nothing by themselves"]
pub struct SendOpts {
    conditions: Conditions,
}

impl SendOpts {
    /// Returns options without a condition.
    pub fn new() -> SendOpts {
        SendOpts::default()
    }

    /// Does not send if the connection is congested, so that the running process would be
    /// suspended. The error [is busy](TrySendError::is_busy). Has no effect in a process with
    /// [`async_dist`](crate::async_dist()).
    pub fn nosuspend(mut self) -> Self {
        self.conditions.nosuspend = true;
        self
    }

    /// Does not send if there is no connection, not even one that is being made, and makes no
    /// connection. The error [is noconnect](TrySendError::is_noconnect).
    pub fn noconnect(mut self) -> Self {
        self.conditions.noconnect = true;
        self
    }
}

/// Sends a message on conditions (Erlang's `erlang:send/3`). The conditions concern the connection
/// to another node. A message to a process of this node is sent as by [`send`](crate::send).
///
/// See also [`try_send`](crate::try_send), which also checks whether a mailbox of this node has
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
/// If a condition does not hold. The error has the message.
///
/// # Panics
/// Outside of a process. The calling process ends with `badarg` if a plain name is not registered
/// on this node, or if the name of a node is invalid. It ends with `badarg`, too, if a value that
/// can't leave this node is sent to another one.
#[track_caller]
pub fn send_with<'a, M: Message>(
    dest: impl Into<Dest<'a>>,
    message: M,
    opts: SendOpts,
) -> Result<(), TrySendError<M>> {
    context::process("send_with", |me| {
        let Some(me) = me.unless_ending() else { return Ok(()) };
        let sent = send_if(me.node, &dest.into(), Envelope::new(message), opts.conditions);
        if let Err(Refused::Send(error, _)) = sent {
            refuse(ExitReason::badarg(error));
            return Ok(());
        }
        sent.map_err(Refused::into_error)
    })
}
