//! Exit signals that a process sends to another one, or to itself.

use crate::context;
use crate::exit_reason::ExitReason;
use crate::pid::Pid;
use crate::process::core::Running;
use crate::reference::Reference;
use crate::signal::{Alias, Signal};

/// The receiver of an exit signal: a process, by its pid or by one of its aliases. Never a name.
///
/// ```
/// # use fika_runtime::{ExitReason, Node, alias, exit_process, spawn};
/// # Node::builder().build().unwrap().block_on(async {
/// let worker = spawn(std::future::pending::<()>());
/// exit_process(worker, ExitReason::Shutdown);
/// // An alias works, too, while it is active.
/// # let address = alias();
/// # fika_runtime::unalias(address);
/// exit_process(address, ExitReason::Shutdown);
/// # });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExitDest {
    /// A process.
    Pid(Pid),
    /// The process that made this alias. If the alias is not active when the signal is received,
    /// the signal is dropped.
    Alias(Reference),
}

impl From<Pid> for ExitDest {
    fn from(pid: Pid) -> Self {
        ExitDest::Pid(pid)
    }
}

impl From<Reference> for ExitDest {
    fn from(alias: Reference) -> Self {
        ExitDest::Alias(alias)
    }
}

impl From<&Pid> for ExitDest {
    fn from(pid: &Pid) -> Self {
        ExitDest::Pid(*pid)
    }
}

impl From<&Reference> for ExitDest {
    fn from(alias: &Reference) -> Self {
        ExitDest::Alias(*alias)
    }
}

/// Sends an exit signal to a process (Erlang's `exit/2`).
///
/// A process that traps exits gets the message [`Exit`](crate::Exit), with the caller as sender.
/// Any other process ends with the reason, unless that is `normal`. The reason `kill` ends the
/// process in any case, and its links and monitors see `killed`. The signal has no effect if the
/// process has ended or can't be reached, or if it is a process of the runtime on another node,
/// such as `net_kernel`. A signal to the calling process takes effect before the call returns.
///
/// The process is named by its pid or by one of its aliases, never by a registered name.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Down, ExitReason, Node, exit_process, spawn_monitor};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// let (worker, _) = spawn_monitor(std::future::pending::<()>());
/// exit_process(worker, ExitReason::Kill);
/// receive! { Down { reason, .. } => assert_eq!(reason, ExitReason::Killed) }
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn exit_process(dest: impl Into<ExitDest>, reason: ExitReason) {
    context::process("exit_process", |me| exit_as(me, dest.into(), reason, false));
}

/// Sends an exit signal like [`exit_process`](crate::exit_process), ahead of the ordinary messages
/// (Erlang's `exit/3` with `priority`). A process that traps exits gets the [`Exit`](crate::Exit)
/// before them, if the destination is one of its active aliases that was made with
/// [`AliasOpts::priority`](crate::AliasOpts::priority). To any other destination, this does what
/// `exit_process` does.
///
/// ```
/// # use fika_runtime::{ExitReason, Node, exit_process_priority, spawn};
/// # Node::builder().build().unwrap().block_on(async {
/// let worker = spawn(std::future::pending::<()>());
/// exit_process_priority(worker, ExitReason::Shutdown);
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn exit_process_priority(dest: impl Into<ExitDest>, reason: ExitReason) {
    context::process("exit_process_priority", |me| exit_as(me, dest.into(), reason, true));
}

fn exit_as(me: Running<'_>, dest: ExitDest, reason: ExitReason, priority: bool) {
    let Some(me) = me.unless_ending() else { return };
    let signal = Signal::Exit { from: me.pid(), reason, by_link: false };
    let to_self = match dest {
        ExitDest::Pid(pid) => {
            me.node.signal(pid, signal);
            pid == me.pid()
        }
        ExitDest::Alias(reference) => {
            me.node.signal_alias(Alias { reference, priority }, signal);
            reference.node() == me.node.id && reference.owner() == Some(me.pid().local().slot)
        }
    };
    if to_self {
        me.take_signals_in_call();
    }
}
