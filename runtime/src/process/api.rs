//! The free functions: they act for the process that runs.

use std::time::Duration;

use super::control::Running;
use super::exit::leave;
use super::relations::{LOCAL, Monitor, Unlink};
use super::route::Found;
use super::timers::Action;
use crate::carrier::RemoteDest;
use crate::context;
use crate::dest::Dest;
use crate::exit_reason::ExitReason;
use crate::message::{Envelope, Message};
use crate::name::Name;
use crate::node::Node;
use crate::pid::Pid;
use crate::reference::Reference;
use crate::registry::RegisterError;
use crate::signal::Signal;
use crate::system_message::{Down, Object};
use crate::timer::{Timeout, TimerRef};

/// The running process's own pid (Erlang's `self/0`).
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn self_pid() -> Pid {
    context::process("self_pid", |me| me.pid())
}

/// The node that the running process is on, as a handle (for its name, Erlang's `node/0`,
/// use [`Node::name`]).
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn self_node() -> Node {
    context::process("self_node", |me| me.node.handle())
}

/// The node for which a function of another crate acts; its name is for the panic outside of
/// a process.
#[doc(hidden)]
#[must_use]
#[track_caller]
pub fn acting_node(function: &str) -> Node {
    context::process(function, |me| me.node.handle())
}

/// Makes a reference that differs from every other (Erlang's `make_ref/0`).
///
/// A `receive!` that begins with `for reference,` looks only at what came after this.
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn make_ref() -> Reference {
    context::process("make_ref", |me| me.make_ref())
}

/// Sends a message (Erlang's `!`).
///
/// It never waits. A message to a process that has ended, or to a name that nobody has on
/// the node named, is dropped. A message to another node connects first if need be, and is
/// lost only with the connection.
///
/// # Panics
/// Outside of a process. Sending to a plain name that nobody has on this node, to a node
/// whose name is none, or a value that can't leave this node to another one, ends the
/// calling process with `badarg`.
#[track_caller]
pub fn send<'a, M: Message>(dest: impl Into<Dest<'a>>, message: M) {
    context::process("send", |me| {
        if me.control.ending.get() {
            return;
        }
        if let Err(error) = me.node.send(dest.into(), message) {
            if std::thread::panicking() {
                // A destructor, on the way out already: to leave again would be an abort.
                return tracing::error!(%error, "a message of a destructor was not sent");
            }
            leave(ExitReason::badarg(error));
        }
    });
}

/// Links the running process and `peer`: the end of either signals the other (Erlang's
/// `link/1`). Linking twice, or to oneself, does nothing.
///
/// A link to a process of this node that has ended ends the calling process with `noproc`,
/// or gives it the message [`Exit`](crate::Exit) if it traps exits. On another node the
/// same comes as an exit signal; if the node can't be reached, with `noconnection`.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn link(peer: Pid) {
    context::process("link", |me| {
        if peer == me.pid() || me.control.ending.get() {
            return;
        }
        if !me.control.relations().link(peer) {
            return;
        }
        let connection = me.node.signal(peer, Signal::Link { from: me.pid() });
        me.control.relations().linked_over(peer, connection);
        // A dead process of this node answers at once, and its answer takes effect here.
        me.take_signals_in_call();
    });
}

/// Removes the link to `peer`, if there is one (Erlang's `unlink/1`). From then on no exit
/// signal by that link has an effect; an [`Exit`](crate::Exit) that is in the mailbox stays.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn unlink(peer: Pid) {
    context::process("unlink", |me| {
        let unlink = me.control.relations().unlink(peer);
        if let Some(Unlink(id)) = unlink {
            me.node.signal(peer, Signal::Unlink { from: me.pid(), id });
        }
    });
}

/// Monitors a process: its end gives one message [`Down`] (Erlang's `monitor/2`).
///
/// The target is a pid, a name on this node, or a name on another node. If there is no such
/// process the `Down` comes at once with `noproc`, and if its node can't be reached, or is
/// lost, with `noconnection`.
///
/// # Panics
/// Outside of a process. A node's name that is none ends the calling process with `badarg`, and
/// so does a name on another node where the own node has no name.
#[track_caller]
pub fn monitor<'a>(target: impl Into<Dest<'a>>) -> Reference {
    context::process("monitor", |me| me.monitor(&target.into()))
}

/// Takes a monitor back: no `Down` for it is added to the mailbox any more (Erlang's
/// `demonitor/1`). True if the monitor was active. One that has fired may have left its
/// `Down` in the mailbox.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn demonitor(monitor: Reference) -> bool {
    context::process("demonitor", |me| me.demonitor(monitor))
}

/// As [`demonitor`], and takes a `Down` of this monitor out of the mailbox (Erlang's
/// `demonitor(Ref, [flush, info])`).
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn demonitor_flush(monitor: Reference) -> bool {
    context::process("demonitor_flush", |me| {
        let active = me.demonitor(monitor);
        if !active {
            me.take_signals_aside();
            let is_meant = |message: &Envelope| {
                message.peek::<Down>().is_some_and(|down| down.monitor == monitor)
            };
            // In a statement of its own: what it holds is not dropped under the borrow.
            let down = me.control.mailbox.borrow_mut().remove_since(monitor, is_meant);
            drop(down);
        }
        active
    })
}

impl Running<'_> {
    fn monitor(self, target: &Dest<'_>) -> Reference {
        let reference = self.make_ref();
        let found = self.node.find(target).or_else(|error| match (error, target) {
            // MON-6: a name that nobody has is no error for a monitor.
            (super::route::SendError::Unregistered(name), _) => Ok(Found::Nobody(name.into())),
            (error, _) => Err(error),
        });
        let name = match target {
            Dest::Pid(_) => None,
            Dest::Name(name) | Dest::NameAt(name, _) => Some(Name::from(&**name)),
        };
        let here = self.node.name();
        let (pid, to, at) = match found {
            Err(error) => leave(ExitReason::badarg(error)),
            Ok(Found::Local(pid)) => (Some(pid), None, here),
            Ok(Found::Nobody(_)) => (None, None, here),
            Ok(Found::Remote(RemoteDest::Pid(pid))) => {
                (Some(pid), Some(RemoteDest::Pid(pid)), here)
            }
            // MON-17.
            Ok(Found::Remote(RemoteDest::Name(..))) if self.node.carrier.get().is_none() => {
                leave(ExitReason::badarg("a name on another node, and this node has none"))
            }
            Ok(Found::Remote(RemoteDest::Name(name, at))) => {
                (None, Some(RemoteDest::Name(name, at.clone())), at)
            }
        };
        let object = match (name, pid) {
            (Some(name), _) => Object::Name(name, at),
            (None, Some(pid)) if pid == self.pid() => return reference,
            (None, Some(pid)) => Object::Pid(pid),
            (None, None) => return reference,
        };
        let monitor = Monitor { object, target: pid, connection: LOCAL };
        self.control.relations().add_monitor(reference, monitor);
        let signal = Signal::Monitor { from: self.pid(), reference };
        match (to, pid) {
            (Some(to), _) => {
                let connection = self.node.carry(to, signal);
                self.control.relations().monitored_over(reference, connection);
            }
            (None, Some(pid)) => self.node.deliver(pid, signal),
            (None, None) => self.node.nobody(signal),
        }
        reference
    }

    fn demonitor(self, reference: Reference) -> bool {
        let held = self.control.relations().take_monitor(reference);
        let Some(held) = held else { return false };
        let signal = Signal::Demonitor { from: self.pid(), reference };
        match (held.target, held.object) {
            (Some(target), _) => drop(self.node.signal(target, signal)),
            (None, Object::Name(name, at)) => {
                self.node.carry(RemoteDest::Name(name, at), signal);
            }
            (None, Object::Pid(_)) => {}
        }
        true
    }

    /// Takes in what a call may have sent to the caller itself; a fatal signal among it
    /// takes effect before the call returns.
    fn take_signals_in_call(self) {
        self.take_signals_aside();
        let doom = self.control.doom.borrow().clone();
        // A destructor that runs while the process leaves can't leave again.
        if let Some(reason) = doom
            && !std::thread::panicking()
        {
            leave(reason);
        }
    }
}

/// Ends the running process with this reason (Erlang's `exit/1`).
///
/// # Panics
/// This is how it leaves the process; outside of one it is a panic with a message.
#[track_caller]
pub fn exit(reason: ExitReason) -> ! {
    context::process("exit", |_| ());
    leave(reason)
}

/// Sends an exit signal to a process (Erlang's `exit/2`).
///
/// A process that traps exits gets it as the message [`Exit`](crate::Exit), with the caller as
/// sender; another one ends with the reason, unless that is `normal`. `kill` ends it in any
/// case, and its links and monitors see `killed`. A signal to a process that has ended, or
/// that can't be reached, has no effect. To oneself it takes effect before the call returns.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn exit_process(pid: Pid, reason: ExitReason) {
    context::process("exit_process", |me| {
        if me.control.ending.get() {
            return;
        }
        let signal = Signal::Exit { from: me.pid(), reason, by_link: false };
        me.node.signal(pid, signal);
        if pid == me.pid() {
            me.take_signals_in_call();
        }
    });
}

/// Says whether the running process gets exit signals as messages; returns what was so
/// before (Erlang's `process_flag(trap_exit, Flag)`).
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn trap_exit(trap: bool) -> bool {
    context::process("trap_exit", |me| me.control.trap_exit.replace(trap))
}

/// Gives a process of this node a name (Erlang's `register/2`).
///
/// # Errors
/// When the name is taken or can't be one, when the process has a name or has ended, or is
/// of another node.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn register(name: impl Into<Name>, pid: Pid) -> Result<(), RegisterError> {
    context::process("register", |me| me.node.register(name.into(), pid))
}

/// Takes a name away, whoever has it (Erlang's `unregister/1`).
///
/// # Errors
/// When nobody has the name.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn unregister(name: &str) -> Result<(), RegisterError> {
    context::process("unregister", |me| me.node.registry.unregister(name))
}

/// Who has this name on this node (Erlang's `whereis/1`).
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn whereis(name: &str) -> Option<Pid> {
    context::process("whereis", |me| me.node.registry.whereis(name))
}

/// All names of this node (Erlang's `registered/0`).
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn registered() -> Vec<Name> {
    context::process("registered", |me| me.node.registry.names())
}

/// How many processes this node has.
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn process_count() -> usize {
    context::process("process_count", |me| me.node.table.len())
}

/// Sends a message after this time (Erlang's `erlang:send_after/3`). It goes on when the
/// calling process ends.
///
/// # Panics
/// Outside of a process. A destination on another node ends the calling process with
/// `badarg`.
#[track_caller]
pub fn send_after<'a, M: Message>(
    time: Duration,
    dest: impl Into<Dest<'a>>,
    message: M,
) -> TimerRef {
    context::process("send_after", |me| {
        let dest = me.timer_dest(dest.into());
        me.node.start_timer_in(time, |_| Action::Send(dest, Envelope::new(message)))
    })
}

/// Sends the message [`Timeout`] with the timer's own reference after this time (Erlang's
/// `erlang:start_timer/3`).
///
/// # Panics
/// As [`send_after`].
#[track_caller]
pub fn start_timer<'a, M: Message>(
    time: Duration,
    dest: impl Into<Dest<'a>>,
    message: M,
) -> TimerRef {
    context::process("start_timer", |me| {
        let dest = me.timer_dest(dest.into());
        me.node.start_timer_in(time, |timer| {
            Action::Send(dest, Envelope::new(Timeout { timer, message }))
        })
    })
}

/// Takes a timer back (Erlang's `erlang:cancel_timer/1`). The time that was left, or none
/// if it had fired, was cancelled, or is not of this node; its message may be in the
/// mailbox then.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn cancel_timer(timer: TimerRef) -> Option<Duration> {
    context::process("cancel_timer", |me| me.node.cancel_timer(timer))
}

/// The time that a timer has left; none if it has fired or was cancelled (Erlang's
/// `erlang:read_timer/1`).
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn read_timer(timer: TimerRef) -> Option<Duration> {
    context::process("read_timer", |me| me.node.read_timer(timer))
}

impl Running<'_> {
    fn timer_dest(self, dest: Dest<'_>) -> Dest<'static> {
        let here = match &dest {
            Dest::Pid(pid) => pid.node() == self.node.id,
            Dest::Name(_) => true,
            Dest::NameAt(_, node) => self.node.is_called(node),
        };
        if !here {
            leave(ExitReason::badarg("a timer sends to a process of its own node only"));
        }
        dest.into_owned()
    }
}
