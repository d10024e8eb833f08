//! Links: made and removed by one of the two processes.

use crate::context;
use crate::pid::Pid;
use crate::process::core::Running;
use crate::process::core::relations::{LinkOpts, Unlink};
use crate::signal::Signal;

/// Links the running process and `peer`: when one of them ends, the other gets an exit signal
/// (Erlang's `link/1`). A second link to the same process, or a link to the process itself, does
/// nothing.
///
/// If `peer` is a process of this node that has ended, the calling process ends with `noproc`, or
/// gets the message [`Exit`](crate::Exit) if it traps exits. If `peer` was on another node, the
/// exit signal comes from there, with `noconnection` if the node can't be reached. A process of the
/// runtime or of the distribution, such as `net_kernel`, answers other nodes with `noproc`.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Exit, Node, link, spawn, trap_exit};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// trap_exit(true);
/// let worker = spawn(async {});
/// link(worker);
/// receive! { Exit { from, .. } => assert_eq!(from, worker) }
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn link(peer: Pid) {
    context::process("link", |me| link_as(me, peer, LinkOpts::new()));
}

/// Links the running process and `peer` with options (Erlang's `link/2`). If they are linked
/// already, the options of the link are replaced. See [`link`].
///
/// ```
/// # use fika_runtime::{LinkOpts, Node, link_with, spawn};
/// # Node::builder().build().unwrap().block_on(async {
/// let worker = spawn(std::future::pending::<()>());
/// link_with(worker, LinkOpts::new().priority());
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn link_with(peer: Pid, opts: LinkOpts) {
    context::process("link_with", |me| link_as(me, peer, opts));
}

/// Removes the link to `peer`, if there is one (Erlang's `unlink/1`). Exit signals by that link
/// have no effect from then on. An [`Exit`](crate::Exit) that is in the mailbox stays.
///
/// ```
/// # use fika_runtime::{Node, spawn_link, unlink};
/// # Node::builder().build().unwrap().block_on(async {
/// let worker = spawn_link(std::future::pending::<()>());
/// // The two no longer end together.
/// unlink(worker);
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn unlink(peer: Pid) {
    context::process("unlink", |me| {
        let Some(me) = me.unless_ending() else { return };
        let unlink = me.control.relations_if_any().and_then(|mut of| of.unlink(peer));
        if let Some(Unlink(id)) = unlink {
            me.node.signal(peer, Signal::Unlink { from: me.pid(), id });
        }
    });
}

fn link_as(me: Running<'_>, peer: Pid, opts: LinkOpts) {
    let Some(me) = me.unless_ending().filter(|me| peer != me.pid()) else { return };
    if !me.control.relations().link(peer, opts.priority) {
        return;
    }
    let connection = me.node.signal(peer, Signal::Link { from: me.pid() });
    me.control.relations().linked_over(peer, connection);
    // A dead process of this node answers at once, and its answer takes effect here.
    me.take_signals_in_call();
}
