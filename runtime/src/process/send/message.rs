//! Sending a message: behind the messages that are there, or ahead of them.

use crate::context;
use crate::dest::Dest;
use crate::exit_reason::ExitReason;
use crate::message::Message;
use crate::process::failure::refuse;

/// Sends a message (Erlang's `!`).
///
/// `send` never waits. It drops a message to a process that has ended, or to an alias that is not
/// active. A message to a name on another node is dropped if the name is not registered there. A
/// message to another node connects first if there is no connection, and is lost only with the
/// connection.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Node, self_pid, send};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// send(self_pid(), 7_u64);
/// receive! { n: u64 => assert_eq!(n, 7) }
/// // The process that is registered as `counter` on another node. If there is none, the message is
/// // dropped.
/// send(("counter", "b@127.0.0.1"), 1_u64);
/// # });
/// ```
///
/// # Panics
/// Outside of a process. The calling process ends with `badarg` if a plain name is not registered
/// on this node, or if the name of a node is invalid. It ends with `badarg`, too, if a value that
/// can't leave this node is sent to another one.
#[track_caller]
pub fn send<'a, M: Message>(dest: impl Into<Dest<'a>>, message: M) {
    context::process("send", |me| {
        let Some(me) = me.unless_ending() else { return };
        if let Err(error) = me.node.send(dest.into(), message) {
            refuse(ExitReason::badarg(error));
        }
    });
}

/// Sends a message ahead of the ordinary ones (Erlang's `erlang:send/3` with `priority`).
///
/// The receiver must have allowed it: the destination is one of its active aliases that was made
/// with [`AliasOpts::priority`](crate::AliasOpts::priority). The message goes before all ordinary
/// messages in the mailbox, and behind earlier messages with priority. To any other destination,
/// this does what [`send`](crate::send) does.
///
/// It is meant for the few messages that must be seen in spite of a long mailbox. Such a message
/// overtakes messages that the same sender has sent before.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{AliasOpts, Node, alias_with, send, send_priority, self_pid};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// let urgent = alias_with(AliasOpts::new().priority());
/// send(self_pid(), 1_u64);
/// send_priority(urgent, 2_u64);
/// receive! { n: u64 => assert_eq!(n, 2) }
/// # });
/// ```
///
/// # Panics
/// Outside of a process. The calling process ends with `badarg` if a plain name is not registered
/// on this node, or if the name of a node is invalid. It ends with `badarg`, too, if a value that
/// can't leave this node is sent to another one.
#[track_caller]
pub fn send_priority<'a, M: Message>(dest: impl Into<Dest<'a>>, message: M) {
    context::process("send_priority", |me| {
        let Some(me) = me.unless_ending() else { return };
        if let Err(error) = me.node.send_priority(dest.into(), message) {
            refuse(ExitReason::badarg(error));
        }
    });
}
