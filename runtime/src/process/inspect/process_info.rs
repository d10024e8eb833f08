//! Asking about processes: `process_info` and `is_process_alive`.
//!
//! The process that is asked answers the request itself, as it handles its signals. So the answer
//! is consistent, and includes the effect of all signals that the caller sent before.

use std::future::poll_fn;
use std::task::Poll;

use super::ask::{Asking, ask};
use crate::context;
use crate::exit_reason::ExitReason;
use crate::pid::Pid;
use crate::process::core::{Running, gives_way};
use crate::process::failure::refuse;
use crate::process::signals::info;
use crate::process_info::{InfoItem, Item};
use crate::request::Kind;

/// Returns information about a process of this node, in the order of `items` (Erlang's
/// `process_info/2`). All items describe the same moment. An item may be requested more than once.
/// Returns `None` if the process has ended, or is ending.
///
/// The process answers as soon as it waits or reaches a suspension point, even if it is suspended.
/// Its mailbox does not change. All signals that the caller sent to it before have taken effect. A
/// process may ask about itself. A process that computes without reaching a suspension point does
/// not answer: use [`timeout`](crate::timeout()) to limit the wait.
///
/// The functions of [`info`](crate::info) return a single item.
///
/// ```
/// # use fika_runtime::{InfoItem, Item, Node, Status, process_info, spawn};
/// # Node::builder().build().unwrap().block_on(async {
/// let pid = spawn(std::future::pending::<()>());
/// let told = process_info(pid, &[Item::TrapExit, Item::MessageQueueLen]).await;
/// let expected = vec![InfoItem::TrapExit(false), InfoItem::MessageQueueLen(0)];
/// assert_eq!(told, Some(expected));
/// # });
/// ```
///
/// # Panics
/// Outside of a process. A pid of another node ends the calling process with `badarg`.
pub async fn process_info(pid: Pid, items: &[Item]) -> Option<Vec<InfoItem>> {
    let asked = context::process("process_info", |me| {
        if pid == me.pid() {
            return Whom::Oneself;
        }
        // Does not wait for a process that is ending, since its destructors may take long.
        let ended = || me.node.table.is_known_alive(pid.local()) == Some(false);
        if !is_local(me, pid, "process_info") || ended() {
            return Whom::Nobody;
        }
        let seen_running = items.contains(&Item::Status) && me.node.is_running(pid);
        let items = items.into();
        Whom::Other(ask(me, pid, |answer| Kind::Info { items, seen_running, answer }))
    });
    match asked {
        Whom::Other(asked) => asked.answer().await,
        Whom::Oneself => Some(ask_oneself(|me| info(me, items, true)).await),
        Whom::Nobody => None,
    }
}

/// Returns whether a process of this node has ended. It answers at once: `false` also for a process
/// that is about to end, and for one of another node.
///
/// After the [`Exit`](crate::Exit) of a link or the [`Down`](crate::Down) of a monitor it is true. A
/// process can also send an exit signal by [`exit_process`](crate::exit_process), without ending.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Exit, Node, has_ended, self_pid, spawn_link, trap_exit};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// trap_exit(true);
/// let child = spawn_link(async {});
/// receive! { Exit { from, .. } if from == child => assert!(has_ended(child)) }
/// assert!(!has_ended(self_pid()));
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn has_ended(pid: Pid) -> bool {
    context::process("has_ended", |me| {
        pid.node() == me.node.id && me.node.table.is_known_alive(pid.local()) == Some(false)
    })
}

/// Returns whether a process of this node is alive (Erlang's `is_process_alive/1`). A process that
/// has received a fatal signal is not alive, even if its destructors still run. So after an
/// [`exit_process`](crate::exit_process) that ends the process, the result is false.
///
/// Waits only if the process has signals that it has not handled yet; then the process answers as
/// described for [`process_info`].
///
/// ```
/// # use fika_runtime::{Node, is_process_alive, self_pid};
/// # Node::builder().build().unwrap().block_on(async {
/// assert!(is_process_alive(self_pid()).await);
/// # });
/// ```
///
/// # Panics
/// Outside of a process. A pid of another node ends the calling process with `badarg`.
pub async fn is_process_alive(pid: Pid) -> bool {
    let asked = context::process("is_process_alive", |me| {
        if pid == me.pid() {
            return Ok(Whom::Oneself);
        }
        if !is_local(me, pid, "is_process_alive") {
            return Ok(Whom::Nobody);
        }
        match me.node.table.is_known_alive(pid.local()) {
            Some(alive) => Err(alive),
            None => Ok(Whom::Other(ask(me, pid, Kind::IsAlive))),
        }
    });
    match asked {
        Ok(Whom::Other(asked)) => asked.answer().await.is_some(),
        Ok(Whom::Oneself) => ask_oneself(|_| true).await,
        Ok(Whom::Nobody) => false,
        Err(known) => known,
    }
}

/// The process to ask.
enum Whom<T> {
    Other(Asking<T>),
    Oneself,
    /// The process has ended, or is ending. Or it is a process of another node, and the running
    /// process is in a destructor, where it can't raise `badarg`.
    Nobody,
}

/// Calls `ask` with the running process, after the process has handled the signals that it sent to
/// itself. Does not return if one of these signals is fatal.
async fn ask_oneself<T>(ask: impl Fn(Running<'_>) -> T) -> T {
    poll_fn(|context| {
        if gives_way(context) {
            return Poll::Pending;
        }
        context::process("process_info", |me| {
            me.take_signals_in_call();
            if me.control.stops() {
                me.control.wakes_with_signals(context);
                Poll::Pending
            } else {
                Poll::Ready(ask(me))
            }
        })
    })
    .await
}

/// Returns whether `pid` is a process of this node. If not, the running process ends with `badarg`.
fn is_local(me: Running<'_>, pid: Pid, function: &str) -> bool {
    let is_local = pid.node() == me.node.id;
    if !is_local {
        refuse(ExitReason::badarg(format_args!("{function}: {pid} belongs to another node")));
    }
    is_local
}
