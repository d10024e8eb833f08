//! The free functions: they act for the process that runs.

use crate::context;
use crate::dest::Dest;
use crate::exit_reason::ExitReason;
use crate::message::Message;
use crate::name::Name;
use crate::node::Node;
use crate::pid::Pid;
use crate::process::core::Running;
use crate::process::life::{leave, refuse};
use crate::process::send::ExitDest;
use crate::reference::Reference;
use crate::registry::RegisterError;

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
/// It never waits. A message to a process that has ended, to an alias that is not active, or to
/// a name that nobody has on the node named, is dropped. A message to another node connects
/// first if need be, and is lost only with the connection.
///
/// # Panics
/// Outside of a process. Ends the calling process with `badarg` if a plain name is not registered
/// on this node, if the name of a node is invalid, or if the value can't leave this node and is
/// sent to another one.
#[track_caller]
pub fn send<'a, M: Message>(dest: impl Into<Dest<'a>>, message: M) {
    context::process("send", |me| {
        if me.control.ending.get() {
            return;
        }
        if let Err(error) = me.node.send(dest.into(), message) {
            refuse(ExitReason::badarg(error));
        }
    });
}

impl Running<'_> {
    /// Takes in what a call may have sent to the caller itself; a fatal signal among it
    /// takes effect before the call returns.
    pub(in crate::process) fn take_signals_in_call(self) {
        self.take_signals_aside();
        // A destructor that runs while the process leaves can't leave again.
        if !std::thread::panicking() && self.control.ends() {
            // PROC-7.
            self.control.ending.set(true);
            // The reason has been noted, and it comes before this one.
            leave(ExitReason::Killed);
        }
    }
}

/// Ends the running process with this reason (Erlang's `exit/1`).
///
/// # Panics
/// Always, since this is how it leaves the process: it unwinds, and destructors run. Outside of a
/// process it panics with a message. As in any panic, if a destructor panics during the unwinding,
/// the OS process aborts.
///
/// In the `Serialize` or `Deserialize` of a message, it ends the process that sends or receives the
/// message. Where the runtime runs such code for itself, to try a value out or to copy a message for
/// [`process_info`](crate::process_info), the process goes on: the value is refused, or not copied.
///
/// `catch_unwind` does not keep the process alive: a process that catches the unwinding still ends
/// with this reason, at its next suspension point or when its future is ready.
#[track_caller]
pub fn exit(reason: ExitReason) -> ! {
    context::process("exit", |_| ());
    leave(reason)
}

/// Sends an exit signal to a process (Erlang's `exit/2`).
///
/// A process that traps exits gets it as the message [`Exit`](crate::Exit), with the caller as
/// sender; another one ends with the reason, unless that is `normal`. `kill` ends it in any
/// case, and its links and monitors see `killed`. A signal to a process that has ended, that can't
/// be reached, or that is one of the runtime's own on another node, such as `net_kernel`, has no
/// effect. To oneself it takes effect before the call returns.
///
/// The process is given by its pid, or by an alias of it, and never by a name.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn exit_process(dest: impl Into<ExitDest>, reason: ExitReason) {
    context::process("exit_process", |me| me.exit_process(dest.into(), reason, false));
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
    context::process("register", |me| match me.control.ending.get() {
        false => me.node.register(name.into(), pid),
        true => Err(RegisterError::Noproc),
    })
}

/// Unregisters a name, whichever process has it (Erlang's `unregister/1`).
///
/// # Errors
/// When nobody has the name.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn unregister(name: impl AsRef<str>) -> Result<(), RegisterError> {
    context::process("unregister", |me| match me.control.ending.get() {
        false => me.node.registry.unregister(name.as_ref()),
        true => Err(RegisterError::Unknown),
    })
}

/// Returns the process that has this name on this node (Erlang's `whereis/1`).
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn whereis(name: impl AsRef<str>) -> Option<Pid> {
    context::process("whereis", |me| me.node.registry.whereis(name.as_ref()))
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
