//! Sending where there may be no room: with the answer at once, or when there is some.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::carrier::{Busy, Conditions, NotCarried, RemoteDest};
use crate::context;
use crate::dest::Dest;
use crate::message::{Address, Envelope, Message};
use crate::node::{Inner, Node};
use crate::process::core::SlotRef;
use crate::process::core::{gives_way, is_in_destructor, stops};
use crate::process::deliver::{Found, SendError};
use crate::process::wait::{Elapsed, timeout};
use crate::room::{NoWait, Room, Take};
use crate::signal::Alias;

/// What `try_send` asks of the way to another node.
const NOSUSPEND: Conditions = Conditions { nosuspend: true, noconnect: false };

/// Why a message was not sent, and the message.
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
    /// The receiver's mailbox is full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.why == Why::Full
    }

    /// There is no such process on this node, by this pid or name.
    #[must_use]
    pub fn is_noproc(&self) -> bool {
        matches!(self.why, Why::Noproc | Why::Send(SendError::Unregistered(_)))
    }

    /// The connection to the receiver's node is congested (Erlang's `nosuspend`).
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.why == Why::Busy
    }

    /// There is no connection to the receiver's node (Erlang's `noconnect`).
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
/// A process of this node whose mailbox is full (see [`MailboxLimit`](crate::MailboxLimit))
/// gets nothing, and neither does one that has ended; the error gives the message back. To a
/// process without a limit, and by an alias that is not active any more, it is as
/// [`send`](crate::send).
///
/// To another node it is sent if the connection is not congested, so that it never suspends
/// (Erlang's `erlang:send_nosuspend/2`). There the receiver's own policy decides when the
/// message arrives, and nothing is reported. For other conditions see
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
        // PROC-7.
        if me.control.ending.get() {
            return Ok(());
        }
        me.node.offer(&dest.into(), Envelope::new(message)).map_err(Refused::into_error)
    })
}

/// Sends a message as soon as the receiver has room for it. Room is given in the order in which
/// it was asked for.
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
/// When there is no such process, or it ends meanwhile; when its limit is no message at all
/// (`is_full`); otherwise as [`try_send`].
///
/// # Panics
/// Outside of a process.
pub async fn send_wait<'a, M: Message>(
    dest: impl Into<Dest<'a>>,
    message: M,
) -> Result<(), TrySendError<M>> {
    poll_fn(|context| if gives_way(context) { Poll::Pending } else { Poll::Ready(()) }).await;
    let offered = context::process("send_wait", |me| {
        if me.control.ending.get() {
            return Ok(());
        }
        let offered = me.node.offer(&dest.into(), Envelope::new(message));
        offered.map_err(|refused| {
            let waits =
                matches!(&refused, Refused::Full(place, _) if place.slot != me.pid().local().slot);
            (waits.then(|| me.node.handle()), refused)
        })
    });
    match offered {
        Ok(()) => Ok(()),
        Err((Some(node), Refused::Full(place, message))) => {
            node.send_when_there_is_room(place, message, None).await.map_err(Refused::into_error)
        }
        Err((_, refused)) => Err(refused.into_error()),
    }
}

/// Where a message goes on this node.
#[derive(Clone, Copy)]
pub(in crate::process) struct Place {
    pub(in crate::process) slot: u32,
    /// By its pid, or by an alias.
    address: Address,
}

/// A message that was not sent.
pub(in crate::process) enum Refused {
    Full(Place, Envelope),
    Noproc(Envelope),
    Busy(Envelope, Busy),
    Noconnect(Envelope),
    /// The message can't be sent, because of its destination or its contents.
    Send(SendError, Option<Envelope>),
}

impl Refused {
    pub(in crate::process) fn into_error<M: Message>(self) -> TrySendError<M> {
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

impl Inner {
    pub(in crate::process) fn offer(
        &self,
        dest: &Dest<'_>,
        message: Envelope,
    ) -> Result<(), Refused> {
        let found = match self.find(dest) {
            Ok(Found::Local(pid)) => {
                let address = Address::pid(pid.local().generation);
                self.table.get(pid.local()).map(|slot| (slot, address))
            }
            Ok(Found::Alias(alias)) if alias.node() == self.id => {
                let slot = alias.owner().and_then(|owner| self.table.get_any(owner));
                slot.zip(Address::alias(alias.serial(), false))
            }
            Ok(Found::Nobody) => None,
            Ok(Found::Alias(_) | Found::Remote(_)) => {
                return self.send_if(dest, message, NOSUSPEND);
            }
            Err(error) => return Err(Refused::Send(error, Some(message))),
        };
        match found {
            Some((slot, address)) => {
                let message = self.as_encoded(message);
                let message = message.map_err(|error| Refused::Send(error.into(), None))?;
                self.offer_local(slot, address, message)
            }
            None => Err(Refused::Noproc(message)),
        }
    }

    fn offer_local(
        &self,
        slot: SlotRef,
        address: Address,
        mut message: Envelope,
    ) -> Result<(), Refused> {
        message.set_word(address);
        if let Some(room) = slot.room().filter(|_| slot.is_bounded()) {
            match room.take(address.by()) {
                Take::Counted => {
                    message.count();
                }
                Take::Unlimited => {}
                Take::Full(_) => {
                    let place = Place { slot: slot.id().slot, address };
                    return Err(Refused::Full(place, message));
                }
            }
        }
        slot.queue.push(message).map(|wake| slot.wake(wake)).map_err(Refused::Noproc)
    }

    fn offer_remote(
        &self,
        to: RemoteDest,
        message: Envelope,
        conditions: Conditions,
    ) -> Result<(), Refused> {
        if let Err(error) = message.check_sendable() {
            return Err(Refused::Send(error.into(), Some(message)));
        }
        self.carry_if(to, message, conditions).map_err(|not_carried| match not_carried {
            NotCarried::Nosuspend(signal, by) => Refused::Busy(Envelope::signal(signal), by),
            NotCarried::Noconnect(signal) => Refused::Noconnect(Envelope::signal(signal)),
            NotCarried::Encode(error) => Refused::Send(error.into(), None),
        })
    }

    /// Sends a message on conditions.
    pub(in crate::process) fn send_if(
        &self,
        dest: &Dest<'_>,
        message: Envelope,
        conditions: Conditions,
    ) -> Result<(), Refused> {
        let to = match self.find(dest) {
            Ok(Found::Remote(to)) => to,
            Ok(Found::Alias(reference))
                if reference.node() != self.id && reference.owner().is_some() =>
            {
                RemoteDest::Alias(Alias { reference, priority: false })
            }
            Ok(_) => {
                let sent = self.send_envelope(dest, message);
                return sent.map_err(|error| Refused::Send(error, None));
            }
            Err(error) => return Err(Refused::Send(error, Some(message))),
        };
        self.offer_remote(to, message, conditions)
    }
}

impl Node {
    /// Waits for room, at most for the limit if there is one, and sends a message.
    pub(in crate::process) async fn send_when_there_is_room(
        &self,
        place: Place,
        mut message: Envelope,
        limit: Option<Duration>,
    ) -> Result<(), Refused> {
        if is_in_destructor() {
            return Err(Refused::Full(place, message));
        }
        let by = place.address.by();
        let ticket = match self.with_room(place.slot, |room| room.wait(by)) {
            Some(Ok(ticket)) => ticket,
            Some(Err(NoWait::Never)) => return Err(Refused::Full(place, message)),
            Some(Err(NoWait::Gone)) | None => return Err(Refused::Noproc(message)),
        };
        let in_line = InLine { node: self, slot: place.slot, ticket };
        let granted = match limit {
            None => in_line.await,
            // Room that is granted at the last moment is given back when the place in the line is
            // dropped.
            Some(limit) => match timeout(limit, in_line).await {
                Ok(granted) => granted,
                Err(Elapsed) => return Err(Refused::Full(place, message)),
            },
        };
        let slot = self.inner().table.get_any(place.slot).filter(|_| granted);
        let Some(slot) = slot else { return Err(Refused::Noproc(message)) };
        message.count();
        slot.queue.push(message).map(|wake| slot.wake(wake)).map_err(Refused::Noproc)
    }

    fn with_room<R>(&self, slot: u32, work: impl FnOnce(&Room) -> R) -> Option<R> {
        self.inner().table.get_any(slot)?.room().map(work)
    }
}

/// Ready when there is a place, which is then the caller's, or the receiver has ended (false).
#[must_use = "a future does nothing unless it is awaited"]
struct InLine<'a> {
    node: &'a Node,
    slot: u32,
    ticket: u64,
}

impl Future for InLine<'_> {
    type Output = bool;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        // What it is granted meanwhile is its own until it goes on, or ends.
        if stops(context) {
            return Poll::Pending;
        }
        if is_in_destructor() {
            return Poll::Ready(false);
        }
        let poll = |room: &Room| room.poll(self.ticket, context.waker());
        self.node.with_room(self.slot, poll).unwrap_or(Poll::Ready(false))
    }
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.node.with_room(self.slot, |room| room.leave(self.ticket));
    }
}
