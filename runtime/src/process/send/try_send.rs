//! Sending to a receiver that may have no room: `try_send` returns an error, and `send_wait` waits
//! for room.

use std::fmt;
use std::future::poll_fn;
use std::task::Poll;

use super::offer::{Refused, offer, send_when_there_is_room};
use crate::context;
use crate::dest::Dest;
use crate::message::{Envelope, Message};
use crate::process::core::gives_way;
use crate::process::deliver::SendError;

/// Why a message was not sent, and the message.
///
/// ```
/// # use fika_runtime::{MailboxLimit, Node, mailbox_limit, self_pid, try_send};
/// # Node::builder().build().unwrap().block_on(async {
/// mailbox_limit(MailboxLimit::messages(1));
/// let mut spilled = Vec::new();
/// for n in [1_u64, 2] {
///     match try_send(self_pid(), n) {
///         Ok(()) => {}
///         // The mailbox or the connection is full: keep the message for later.
///         Err(error) if error.is_full() || error.is_busy() => spilled.extend(error.into_message()),
///         Err(error) => println!("not sent: {error}"),
///     }
/// }
/// assert_eq!(spilled, [2]);
///
/// let error = try_send("nobody", 3_u64).unwrap_err();
/// assert!(error.is_noproc() && !error.is_noconnect());
/// # });
/// ```
pub struct TrySendError<M> {
    why: Why,
    message: Option<M>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Why {
    Full,
    Noproc,
    Busy,
    Noconnect,
    Send(SendError),
}

impl<M> TrySendError<M> {
    /// Returns whether the receiver's mailbox is full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.why == Why::Full
    }

    /// Returns whether this node has no process with this pid or name.
    #[must_use]
    pub fn is_noproc(&self) -> bool {
        matches!(self.why, Why::Noproc | Why::Send(SendError::Unregistered(_)))
    }

    /// Returns whether the connection to the receiver's node is congested (Erlang's `nosuspend`).
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.why == Why::Busy
    }

    /// Returns whether there is no connection to the receiver's node (Erlang's `noconnect`).
    #[must_use]
    pub fn is_noconnect(&self) -> bool {
        self.why == Why::Noconnect
    }

    /// Returns the message. `None` if the message was for another node but contains something that
    /// can't leave this one.
    #[must_use]
    pub fn into_message(self) -> Option<M> {
        self.message
    }
}

impl<M> fmt::Debug for TrySendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TrySendError").field(&self.why).finish()
    }
}

impl<M> fmt::Display for TrySendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Why::Full => f.write_str("the receiver's mailbox is full"),
            Why::Noproc => f.write_str("noproc: there is no such process"),
            Why::Busy => f.write_str("nosuspend: the connection is congested"),
            Why::Noconnect => f.write_str("noconnect: there is no connection"),
            Why::Send(error) => error.fmt(f),
        }
    }
}

impl<M> std::error::Error for TrySendError<M> {}

/// Sends a message if the receiver has room for it.
///
/// If the mailbox of a process of this node is full (see [`MailboxLimit`](crate::MailboxLimit)), or
/// the process has ended, nothing is sent, and the error has the message. To a process without a
/// limit, and to an alias that is no longer active, this does what [`send`](crate::send) does.
///
/// To another node, the message is sent if the connection is not congested, so the caller is never
/// suspended (Erlang's `erlang:send_nosuspend/2`). When it arrives there, the receiver's mailbox
/// limit applies, and nothing is reported. For other conditions see
/// [`send_with`](crate::send_with).
///
/// ```
/// # use fika_runtime::{Node, spawn, try_send};
/// # Node::builder().build().unwrap().block_on(async {
/// # let worker = spawn(async {});
/// if let Err(error) = try_send(worker, 7_u64) {
///     assert!(error.is_noproc() || error.is_full());
///     println!("{:?} is left", error.into_message());
/// }
/// # });
/// ```
///
/// # Errors
/// If the mailbox is full, there is no such process, the connection is congested, the name of a
/// node is invalid, or the message can't leave this node.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn try_send<'a, M: Message>(
    dest: impl Into<Dest<'a>>,
    message: M,
) -> Result<(), TrySendError<M>> {
    context::process("try_send", |me| {
        let Some(me) = me.unless_ending() else { return Ok(()) };
        offer(me.node, &dest.into(), Envelope::new(message)).map_err(Refused::into_error)
    })
}

/// Sends a message as soon as the receiver has room for it. Senders get room in the order of their
/// calls.
///
/// It waits only for another process of this node whose mailbox has a limit (see
/// [`MailboxLimit`](crate::MailboxLimit)). Otherwise it does what [`try_send`] does, also for the
/// process itself, which could wait for itself forever. Two processes that wait for room in each
/// other's mailboxes do wait forever: put the call into a [`timeout`](crate::timeout), or let one
/// of them receive meanwhile. If the future is dropped before it is ready, the message was not
/// sent, and its place in the line is free.
///
/// ```
/// # use fika_runtime::{Node, send_wait, spawn};
/// # Node::builder().build().unwrap().block_on(async {
/// # let worker = spawn(async {});
/// if let Err(error) = send_wait(worker, 7_u64).await {
///     assert!(error.is_noproc());
/// }
/// # });
/// ```
///
/// # Errors
/// If there is no such process, it ends meanwhile, or its limit is zero messages (`is_full`). The
/// other errors are those of [`try_send`].
///
/// # Panics
/// Outside of a process.
pub async fn send_wait<'a, M: Message>(
    dest: impl Into<Dest<'a>>,
    message: M,
) -> Result<(), TrySendError<M>> {
    poll_fn(|context| if gives_way(context) { Poll::Pending } else { Poll::Ready(()) }).await;
    let offered = context::process("send_wait", |me| {
        let Some(me) = me.unless_ending() else { return Ok(()) };
        let offered = offer(me.node, &dest.into(), Envelope::new(message));
        offered.map_err(|refused| {
            let waits =
                matches!(&refused, Refused::Full(place, _) if place.slot != me.pid().local().slot);
            (waits.then(|| me.node.handle()), refused)
        })
    });
    match offered {
        Ok(()) => Ok(()),
        Err((Some(node), Refused::Full(place, message))) => {
            send_when_there_is_room(&node, place, message, None).await.map_err(Refused::into_error)
        }
        Err((_, refused)) => Err(refused.into_error()),
    }
}

impl Refused {
    pub(super) fn into_error<M: Message>(self) -> TrySendError<M> {
        let (why, message) = match self {
            Refused::Full(_, message) => (Why::Full, Some(message)),
            Refused::Noproc(message) => (Why::Noproc, Some(message)),
            Refused::Busy(message, _) => (Why::Busy, Some(message)),
            Refused::Noconnect(message) => (Why::Noconnect, Some(message)),
            Refused::Send(error, message) => (Why::Send(error), message),
        };
        let message = message.and_then(|message| message.downcast().ok());
        TrySendError { why, message: message.map(|node| node.body) }
    }
}
