//! Sending with a time limit, to processes on this node and on others.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::offer::{Refused, offer, send_when_there_is_room};
use super::try_send::TrySendError;
use crate::carrier::Busy;
use crate::context;
use crate::dest::Dest;
use crate::env::Time;
use crate::message::{Envelope, Message};
use crate::node::Node;
use crate::process::core::{WaitsForRoom, gives_way, is_in_destructor, stops};
use crate::process::failure::drop_each;
use crate::process::wait::timeout;

/// Sends a message as soon as there is room for it, and gives up after this time.
///
/// For a receiver on another node, it waits for room in the connection. For a receiver on this
/// node, it waits for room in the receiver's mailbox, if that has a limit. Only this future waits:
/// the process is not suspended. It can receive in another branch of a `select!`, or send to other
/// nodes in another branch of a `join!`.
///
/// `Ok` means that the message was sent, as by [`send`](crate::send). An error means that it was
/// not sent, and returns the message. After the time limit, the error
/// [is busy](TrySendError::is_busy) if a connection had no room, and
/// [is full](TrySendError::is_full) if a mailbox had none. Dropping the future before it is ready
/// also means that the message was not sent. With a limit of zero this is
/// [`try_send`](crate::try_send).
///
/// In a process with [`async_dist`](crate::async_dist()), it does not wait for connections.
///
/// ```
/// # use std::time::Duration;
/// # use fika_runtime::{Node, send_timeout, spawn};
/// # Node::builder().build().unwrap().block_on(async {
/// # let replica = spawn(std::future::pending::<()>());
/// let sent = send_timeout(replica, vec![0_u8; 1 << 20], Duration::from_millis(100)).await;
/// if let Err(error) = sent {
///     println!("{replica} is left out: {error}");
///     let _update: Option<Vec<u8>> = error.into_message();
/// }
/// # });
/// ```
///
/// # Errors
/// If there was no room in time; otherwise as for [`try_send`](crate::try_send).
///
/// # Panics
/// Outside of a process.
pub async fn send_timeout<'a, M: Message>(
    dest: impl Into<Dest<'a>>,
    message: M,
    limit: Duration,
) -> Result<(), TrySendError<M>> {
    poll_fn(|context| if gives_way(context) { Poll::Pending } else { Poll::Ready(()) }).await;
    let node = context::process("send_timeout", |me| me.node.handle());
    let until = node.inner().env.now() + limit;
    let sent = send_until(&node, &dest.into(), Envelope::new(message), until).await;
    sent.map_err(Refused::into_error)
}

async fn send_until(
    node: &Node,
    dest: &Dest<'_>,
    mut message: Envelope,
    until: Time,
) -> Result<(), Refused> {
    loop {
        let offered = context::process("send_timeout", |me| {
            let Some(me) = me.unless_ending() else { return Ok(()) };
            offer(me.node, dest, message).map_err(|refused| (me.pid().local().slot, refused))
        });
        let left = until.since(node.inner().env.now());
        match offered {
            Ok(()) => return Ok(()),
            // A process that waits for room in its own mailbox would wait in vain.
            Err((own, Refused::Full(place, back))) if place.slot != own && !left.is_zero() => {
                return send_when_there_is_room(node, place, back, Some(left)).await;
            }
            Err((_, Refused::Busy(back, busy))) if !left.is_zero() => {
                if timeout(left, HasRoom { busy: &busy, key: None }).await.is_err() {
                    return Err(Refused::Busy(back, busy));
                }
                message = back;
            }
            Err((_, refused)) => return Err(refused),
        }
    }
}

/// A future that is ready when a connection may have room.
#[must_use = "futures do nothing unless you `.await` or poll them"]
struct HasRoom<'a> {
    busy: &'a Busy,
    /// The key of this future among those that wait, once it waits.
    key: Option<u64>,
}

impl Future for HasRoom<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // In a destructor, the time limit has passed.
        if is_in_destructor() {
            return Poll::Pending;
        }
        if stops(context) {
            return Poll::Pending;
        }
        // A waker may be of any executor, so it is neither cloned nor dropped while the waiting
        // tasks are borrowed.
        let mut task = context.waker().clone();
        context::process("send_timeout", |me| {
            let Busy { connection, congested } = self.busy;
            let mut waiting = me.control.extras().waits_for_room.borrow_mut();
            let Some(key) = self.key else {
                if !congested.wait(me.pid()) {
                    return Poll::Ready(());
                }
                let key = me.node.make_ref().serial();
                waiting.push(WaitsForRoom { key, connection: *connection, task });
                self.key = Some(key);
                return Poll::Pending;
            };
            match waiting.iter_mut().find(|waits| waits.key == key) {
                Some(waits) => {
                    std::mem::swap(&mut waits.task, &mut task);
                    Poll::Pending
                }
                None => Poll::Ready(()),
            }
        })
    }
}

impl Drop for HasRoom<'_> {
    fn drop(&mut self) {
        let Some(key) = self.key else { return };
        context::try_process(|me| {
            let Some(extras) = me.control.extras_if_any() else { return };
            let mut waiting = extras.waits_for_room.borrow_mut();
            let own: Vec<_> = waiting.extract_if(.., |waits| waits.key == key).collect();
            drop(waiting);
            drop_each(own);
        });
    }
}
