//! Messages and exit signals that go ahead of the ordinary messages of their receiver.

use crate::context;
use crate::dest::Dest;
use crate::exit_reason::ExitReason;
use crate::message::Message;
use crate::pid::Pid;
use crate::process::life::refuse;
use crate::reference::Reference;
use crate::signal::{Alias, Signal};

/// Sends a message ahead of the ordinary ones (Erlang's `erlang:send/3` with `priority`).
///
/// The receiver must have allowed it: the destination is an active alias of it that was made
/// with [`AliasOpts::priority`](crate::AliasOpts::priority). The message is then put into the
/// mailbox before all ordinary messages and behind those of its own kind that are there.
/// To any other destination it is as [`send`](crate::send).
///
/// It is meant for the few messages that must be seen in spite of a long mailbox. Those that
/// are sent so overtake what the same sender has sent before.
///
/// ```
/// # use fika_runtime::{AliasOpts, Node, alias_with, send, send_priority, self_pid};
/// # Node::builder().build().unwrap().block_on(async {
/// let urgent = alias_with(AliasOpts::new().priority());
/// send(self_pid(), 1_u64);
/// send_priority(urgent, 2_u64);
/// // receive! { n: u64 => assert_eq!(n, 2) }
/// # });
/// ```
///
/// # Panics
/// As [`send`](crate::send).
#[track_caller]
pub fn send_priority<'a, M: Message>(dest: impl Into<Dest<'a>>, message: M) {
    context::process("send_priority", |me| {
        if me.control.ending.get() {
            return;
        }
        if let Err(error) = me.node.send_priority(dest.into(), message) {
            refuse(ExitReason::badarg(error));
        }
    });
}

/// Whom an exit signal is for: a process, by its pid or by an alias of it. Never a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExitDest {
    /// A process.
    Pid(Pid),
    /// The process that made this alias. If it is not active when the signal is received,
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

/// As [`exit_process`](crate::exit_process), ahead of the ordinary messages (Erlang's `exit/3`
/// with `priority`): a process that traps exits gets the [`Exit`](crate::Exit) before them, if
/// the destination is an active alias of it that was made with
/// [`AliasOpts::priority`](crate::AliasOpts::priority). To any other destination there is no
/// difference.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn exit_process_priority(dest: impl Into<ExitDest>, reason: ExitReason) {
    context::process("exit_process_priority", |me| me.exit_process(dest.into(), reason, true));
}

impl crate::process::Running<'_> {
    pub(in crate::process) fn exit_process(
        self,
        dest: ExitDest,
        reason: ExitReason,
        priority: bool,
    ) {
        if self.control.ending.get() {
            return;
        }
        let signal = Signal::Exit { from: self.pid(), reason, by_link: false };
        let to_self = match dest {
            ExitDest::Pid(pid) => {
                self.node.signal(pid, signal);
                pid == self.pid()
            }
            ExitDest::Alias(reference) => {
                self.node.signal_alias(Alias { reference, priority }, signal);
                reference.node() == self.node.id
                    && reference.owner() == Some(self.pid().local().slot)
            }
        };
        if to_self {
            self.take_signals_in_call();
        }
    }
}
