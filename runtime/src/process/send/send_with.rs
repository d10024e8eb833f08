//! Sending a message on conditions.

use super::offer::{Refused, send_beyond_limit, send_if};
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
    beyond_limit: bool,
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

    /// Sends to a process of this node even if its mailbox is full. The message takes no room in
    /// the mailbox. If the process has ended, the error [is noproc](TrySendError::is_noproc). Has no
    /// effect on an alias, and on a process of another node.
    ///
    /// It is meant for the few messages that control a process, such as a request to end: a process
    /// with a full mailbox must not become unreachable.
    ///
    /// ```
    /// # use fika_runtime::{MailboxLimit, Node, SendOpts, SpawnOpts, send_with, spawn_opt, try_send};
    /// # Node::builder().build().unwrap().block_on(async {
    /// let limit = SpawnOpts::new().mailbox_limit(MailboxLimit::messages(0));
    /// let worker = spawn_opt(limit, std::future::pending::<()>()).pid;
    /// assert!(try_send(worker, 7_u64).unwrap_err().is_full());
    /// assert!(send_with(worker, 7_u64, SendOpts::new().beyond_limit()).is_ok());
    /// # });
    /// ```
    pub fn beyond_limit(mut self) -> Self {
        self.beyond_limit = true;
        self
    }
}

/// Sends a message on conditions (Erlang's `erlang:send/3`). The conditions concern the connection
/// to another node. A message to a process of this node is sent as by [`send`](crate::send), unless
/// it goes [beyond the limit](SendOpts::beyond_limit) of the mailbox.
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
        let send = if opts.beyond_limit { send_beyond_limit } else { send_if };
        let sent = send(me.node, &dest.into(), Envelope::new(message), opts.conditions);
        if let Err(Refused::Send(error, _)) = sent {
            refuse(ExitReason::badarg(error));
            return Ok(());
        }
        sent.map_err(Refused::into_error)
    })
}
