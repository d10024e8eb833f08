//! Registered names.

use crate::context;
use crate::name::Name;
use crate::pid::Pid;
use crate::registry::RegisterError;

/// Gives a process of this node a name (Erlang's `register/2`).
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Node, register, self_pid, send};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// register("logger", self_pid())?;
/// send("logger", "hello".to_string());
/// receive! { "hello" => {} }
/// # Ok::<(), fika::RegisterError>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// If the name is invalid or already taken, or if the process already has a name, has ended, or
/// belongs to another node.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn register(name: impl Into<Name>, pid: Pid) -> Result<(), RegisterError> {
    context::process("register", |me| match me.unless_ending() {
        Some(me) => me.node.register(name.into(), pid),
        None => Err(RegisterError::Noproc),
    })
}

/// Unregisters a name, whichever process has it (Erlang's `unregister/1`).
///
/// ```
/// # use fika_runtime::{Node, register, self_pid, unregister, whereis};
/// # Node::builder().build().unwrap().block_on(async {
/// register("logger", self_pid())?;
/// unregister("logger")?;
/// assert_eq!(whereis("logger"), None);
/// # Ok::<(), fika_runtime::RegisterError>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// If no process has the name.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn unregister(name: impl AsRef<str>) -> Result<(), RegisterError> {
    context::process("unregister", |me| match me.unless_ending() {
        Some(me) => me.node.registry.unregister(name.as_ref()),
        None => Err(RegisterError::Unknown),
    })
}

/// Returns the process that has this name on this node (Erlang's `whereis/1`).
///
/// ```
/// # use fika_runtime::{Node, register, self_pid, whereis};
/// # Node::builder().build().unwrap().block_on(async {
/// assert_eq!(whereis("logger"), None);
/// register("logger", self_pid())?;
/// assert_eq!(whereis("logger"), Some(self_pid()));
/// # Ok::<(), fika_runtime::RegisterError>(())
/// # }).unwrap();
/// ```
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn whereis(name: impl AsRef<str>) -> Option<Pid> {
    context::process("whereis", |me| me.node.registry.whereis(name.as_ref()))
}

/// Returns all names of this node (Erlang's `registered/0`).
///
/// ```
/// # use fika_runtime::{Node, register, registered, self_pid};
/// # Node::builder().build().unwrap().block_on(async {
/// register("logger", self_pid())?;
/// assert!(registered().iter().any(|name| name.as_str() == "logger"));
/// # Ok::<(), fika_runtime::RegisterError>(())
/// # }).unwrap();
/// ```
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn registered() -> Vec<Name> {
    context::process("registered", |me| me.node.registry.names())
}
