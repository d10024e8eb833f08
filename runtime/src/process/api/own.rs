//! Functions about the running process: its pid, its node, and its exit.

use crate::context;
use crate::exit_reason::ExitReason;
use crate::node::{Inner, Node};
use crate::pid::Pid;
use crate::process::failure::leave;
use crate::process::receive::make_marked_ref;
use crate::reference::Reference;

/// Returns the running process's own pid (Erlang's `self/0`).
///
/// ```
/// # use fika_runtime::{Node, self_pid, send, spawn};
/// # Node::builder().build().unwrap().block_on(async {
/// let parent = self_pid();
/// spawn(async move { send(parent, (self_pid(), "started".to_string())) });
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn self_pid() -> Pid {
    context::process("self_pid", |me| me.pid())
}

/// Returns the pid of the running process. `None` outside of a process. Destructors use it, which may
/// run anywhere.
///
/// ```
/// # use fika_runtime::{Node, self_pid, try_self_pid};
/// assert_eq!(try_self_pid(), None);
/// # Node::builder().build().unwrap().block_on(async {
/// assert_eq!(try_self_pid(), Some(self_pid()));
/// # });
/// ```
#[must_use]
pub fn try_self_pid() -> Option<Pid> {
    context::try_process(|me| me.pid())
}

/// Returns the node of the running process. [`Node::name`] is its name (Erlang's `node/0`).
///
/// ```
/// # use fika_runtime::{Node, self_node};
/// # Node::builder().build().unwrap().block_on(async {
/// let node = self_node();
/// // Outside a process, the node's own methods do what the free functions do.
/// std::thread::spawn(move || node.send("logger", "hello".to_string()));
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn self_node() -> Node {
    context::process("self_node", |me| me.node.handle())
}

/// Returns the node that this thread works for: that of the running process, or the one whose timer
/// or destructor runs. `None` on every other thread, where [`self_node`] panics.
///
/// ```
/// # use fika_runtime::{Node, current_node, self_node};
/// assert!(current_node().is_none());
/// # Node::builder().build().unwrap().block_on(async {
/// let node = current_node().expect("a process runs");
/// assert_eq!(node.name(), self_node().name());
/// # });
/// ```
#[must_use]
pub fn current_node() -> Option<Node> {
    context::try_node(Inner::try_handle).flatten()
}

/// Returns the node of the running process, for `function` of another crate. Outside of a process,
/// panics with a message that names `function`.
#[doc(hidden)]
#[must_use]
#[track_caller]
pub fn acting_node(function: &str) -> Node {
    context::process(function, |me| me.node.handle())
}

/// Returns a unique reference (Erlang's `make_ref/0`).
///
/// A `receive!` that begins with `for reference,` looks only at messages that arrived after this
/// call.
///
/// ```
/// # use fika_runtime::{Node, make_ref};
/// # Node::builder().build().unwrap().block_on(async {
/// let (first, second) = (make_ref(), make_ref());
/// assert_ne!(first, second);
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn make_ref() -> Reference {
    context::process("make_ref", make_marked_ref)
}

/// Ends the running process with this reason (Erlang's `exit/1`).
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Down, ExitReason, Node, exit, spawn_monitor};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// spawn_monitor(async { exit(ExitReason::Shutdown) });
/// receive! { Down { reason, .. } => assert_eq!(reason, ExitReason::Shutdown) }
/// # });
/// ```
///
/// # Panics
/// Always: the process ends by unwinding, so destructors run. As with any panic, the OS process
/// aborts if a destructor panics during the unwinding. Outside of a process, this is an ordinary
/// panic.
///
/// In the `Serialize` or `Deserialize` of a message, this ends the process that sends or receives
/// the message. The runtime also calls that code itself, to test a value or to copy a message for
/// [`process_info`](crate::process_info). Then the process does not end: the value is refused, or
/// not copied.
///
/// `catch_unwind` does not keep the process alive: it still ends with this reason, at its next
/// suspension point or when its future is ready.
#[track_caller]
pub fn exit(reason: ExitReason) -> ! {
    context::process("exit", |_| ());
    leave(reason)
}

/// Ends the running process with this reason, at this suspension point: its future is dropped, and
/// nothing unwinds.
///
/// Destructors of the future's values see the reason by [`exit_reason`](crate::exit_reason). Unlike
/// [`exit`], it also works in a program that is built with `panic = "abort"`.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Down, ExitReason, Node, exit_async, spawn_monitor};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// spawn_monitor(async { exit_async(ExitReason::Shutdown).await });
/// receive! { Down { reason, .. } => assert_eq!(reason, ExitReason::Shutdown) }
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
pub async fn exit_async(reason: ExitReason) -> ! {
    context::process("exit_async", |me| me.control.leave(reason));
    std::future::pending().await
}

/// Sets whether the running process receives exit signals as messages instead of ending, and
/// returns the previous value (Erlang's `process_flag(trap_exit, Flag)`).
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Exit, ExitReason, Node, exit, spawn_link, trap_exit};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// trap_exit(true);
/// let child = spawn_link(async { exit(ExitReason::Timeout) });
/// receive! {
///     Exit { from, reason } => {
///         assert_eq!(from, child);
///         assert_eq!(reason, ExitReason::Timeout);
///     }
/// }
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn trap_exit(trap: bool) -> bool {
    context::process("trap_exit", |me| me.control.trap_exit.replace(trap))
}

/// Returns the number of processes of this node, including the node's own services.
///
/// ```
/// # use fika_runtime::{Node, process_count, spawn};
/// # Node::builder().build().unwrap().block_on(async {
/// let before = process_count();
/// spawn(std::future::pending::<()>());
/// assert_eq!(process_count(), before + 1);
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn process_count() -> usize {
    context::process("process_count", |me| me.node.table.len())
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_has_a_pid() {
        assert_eq!(try_self_pid(), None);
        let node = Node::builder().workers(1).build().unwrap();
        node.block_on(async { assert_eq!(try_self_pid(), Some(self_pid())) });
        node.stop();
    }
}
