//! Offering a message to a receiver that may have no room for it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::carrier::{Busy, Conditions, NotCarried, RemoteDest};
use crate::dest::Dest;
use crate::message::{Address, Envelope};
use crate::node::{Inner, Node};
use crate::process::core::{SlotRef, is_in_destructor, stops};
use crate::process::deliver::{Found, SendError};
use crate::process::wait::{Elapsed, timeout};
use crate::room::{NoWait, Room, Take};
use crate::signal::Alias;

/// The conditions of `try_send` for a connection to another node.
const NOSUSPEND: Conditions = Conditions { nosuspend: true, noconnect: false };

/// The place of a receiver on this node.
#[derive(Clone, Copy)]
pub(in crate::process) struct Place {
    pub(in crate::process) slot: u32,
    /// The address by its pid, or by an alias.
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

/// Sends a message if its receiver has room for it.
pub(super) fn offer(node: &Inner, dest: &Dest<'_>, message: Envelope) -> Result<(), Refused> {
    let found = match node.find(dest) {
        Ok(Found::Local(pid)) => {
            let address = Address::pid(pid.local().generation);
            node.table.get(pid.local()).map(|slot| (slot, address))
        }
        Ok(Found::Alias(alias)) if alias.node() == node.id => {
            let slot = alias.owner().and_then(|owner| node.table.get_any(owner));
            slot.zip(Address::alias(alias.serial(), false))
        }
        Ok(Found::Nobody) => None,
        Ok(Found::Alias(_) | Found::Remote(_)) => {
            return send_if(node, dest, message, NOSUSPEND);
        }
        Err(error) => return Err(Refused::Send(error, Some(message))),
    };
    match found {
        Some((slot, address)) => {
            let message = node.as_encoded(message);
            let message = message.map_err(|error| Refused::Send(error.into(), None))?;
            offer_local(node, slot, address, message)
        }
        None => Err(Refused::Noproc(message)),
    }
}

fn offer_local(
    node: &Inner,
    slot: SlotRef,
    address: Address,
    mut message: Envelope,
) -> Result<(), Refused> {
    message.set_word(address);
    if slot.is_bounded()
        && let Some(room) = slot.room()
    {
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
    node.enqueue(slot, message).map_err(Refused::Noproc)
}

fn offer_remote(
    node: &Inner,
    to: RemoteDest,
    message: Envelope,
    conditions: Conditions,
) -> Result<(), Refused> {
    if let Err(error) = message.check_sendable() {
        return Err(Refused::Send(error.into(), Some(message)));
    }
    node.carry_if(to, message, conditions).map_err(|not_carried| match not_carried {
        NotCarried::Nosuspend(signal, by) => Refused::Busy(Envelope::signal(signal), by),
        NotCarried::Noconnect(signal) => Refused::Noconnect(Envelope::signal(signal)),
        NotCarried::Encode(error) => Refused::Send(error.into(), None),
    })
}

/// Sends a message on conditions.
pub(in crate::process) fn send_if(
    node: &Inner,
    dest: &Dest<'_>,
    message: Envelope,
    conditions: Conditions,
) -> Result<(), Refused> {
    let to = match node.find(dest) {
        Ok(Found::Remote(to)) => to,
        Ok(Found::Alias(reference))
            if reference.node() != node.id && reference.owner().is_some() =>
        {
            RemoteDest::Alias(Alias { reference, priority: false })
        }
        Ok(_) => {
            let sent = node.send_envelope(dest, message);
            return sent.map_err(|error| Refused::Send(error, None));
        }
        Err(error) => return Err(Refused::Send(error, Some(message))),
    };
    offer_remote(node, to, message, conditions)
}

/// Sends a message on conditions. A process of this node gets it even if its mailbox is full.
pub(super) fn send_beyond_limit(
    node: &Inner,
    dest: &Dest<'_>,
    message: Envelope,
    conditions: Conditions,
) -> Result<(), Refused> {
    let Ok(Found::Local(pid)) = node.find(dest) else {
        return send_if(node, dest, message, conditions);
    };
    let message = node.as_encoded(message);
    let mut message = message.map_err(|error| Refused::Send(error.into(), None))?;
    let Some(slot) = node.table.get(pid.local()) else { return Err(Refused::Noproc(message)) };
    message.set_word(Address::pid(pid.local().generation));
    node.enqueue(slot, message).map_err(Refused::Noproc)
}

/// Waits for room, at most for the limit if there is one, and sends a message.
pub(super) async fn send_when_there_is_room(
    node: &Node,
    place: Place,
    mut message: Envelope,
    limit: Option<Duration>,
) -> Result<(), Refused> {
    if is_in_destructor() {
        return Err(Refused::Full(place, message));
    }
    let by = place.address.by();
    let ticket = match with_room(node, place.slot, |room| room.wait(by)) {
        Some(Ok(ticket)) => ticket,
        Some(Err(NoWait::Never)) => return Err(Refused::Full(place, message)),
        Some(Err(NoWait::Gone)) | None => return Err(Refused::Noproc(message)),
    };
    let in_line = InLine { node, slot: place.slot, ticket };
    let granted = match limit {
        None => in_line.await,
        // Room that is granted at the last moment is given back when the place in the line is
        // dropped.
        Some(limit) => match timeout(limit, in_line).await {
            Ok(granted) => granted,
            Err(Elapsed) => return Err(Refused::Full(place, message)),
        },
    };
    let slot = node.inner().table.get_any(place.slot).filter(|_| granted);
    let Some(slot) = slot else { return Err(Refused::Noproc(message)) };
    message.count();
    node.inner().enqueue(slot, message).map_err(Refused::Noproc)
}

fn with_room<R>(node: &Node, slot: u32, work: impl FnOnce(&Room) -> R) -> Option<R> {
    node.inner().table.get_any(slot)?.room().map(work)
}

/// A future that returns true when room is granted to the caller, and false when the receiver has
/// ended.
#[must_use = "a future does nothing unless it is awaited"]
struct InLine<'a> {
    node: &'a Node,
    slot: u32,
    ticket: u64,
}

impl Future for InLine<'_> {
    type Output = bool;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        // Room that is granted meanwhile is kept until the process continues or ends.
        if stops(context) {
            return Poll::Pending;
        }
        if is_in_destructor() {
            return Poll::Ready(false);
        }
        let poll = |room: &Room| room.poll(self.ticket, context.waker());
        with_room(self.node, self.slot, poll).unwrap_or(Poll::Ready(false))
    }
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        with_room(self.node, self.slot, |room| room.leave(self.ticket));
    }
}
