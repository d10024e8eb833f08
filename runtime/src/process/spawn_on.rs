//! Spawning on another node: the request, and waiting for its answer.

use std::panic::Location;

use super::exit::leave;
use super::receive::Receive;
use super::relations::{LOCAL, Spawning};
use super::spawn_opt::{SpawnOpts, Spawned};
use crate::carrier::SpawnRequest;
use crate::context;
use crate::exit_reason::ExitReason;
use crate::node_name::NodeName;
use crate::pid::{LocalId, Pid};
use crate::reference::Reference;
use crate::remote::RemoteFn;
use crate::signal::{Signal, SpawnError};

/// Spawns a process on a node (Erlang's `spawn/2`).
///
/// The function must be marked `#[remote]`; its arguments travel. Connects first if need
/// be, which is why this has to be awaited: the pid that the new process will have is not
/// known before the node has answered. On the own node it is as [`spawn`].
///
/// When the node can't be reached, or has no such function, the pid returned is one of a
/// process that never existed; to learn why, use [`spawn_on_with`].
///
/// # Panics
/// Outside of a process, and when `node` is no node name (`badarg`).
pub async fn spawn_on<F: RemoteFn>(node: impl AsRef<str>, function: F) -> Pid {
    let node = node_name(node.as_ref());
    let (_, result) = request(&node, function, &SpawnOpts::new()).await;
    result.unwrap_or_else(|_| no_process(&node))
}

/// As [`spawn_on`], with a link (Erlang's `spawn_link/2`). When there is no such process
/// the running one gets an exit signal: `noconnection`, or the reason of the
/// [`SpawnError`].
///
/// # Panics
/// As [`spawn_on`].
pub async fn spawn_link_on<F: RemoteFn>(node: impl AsRef<str>, function: F) -> Pid {
    spawn_opt_on(node, SpawnOpts::new().link(), function).await.pid
}

/// As [`spawn_on`], with a monitor (Erlang's `spawn_monitor/2`). When there is no such
/// process a `Down` says why.
///
/// # Panics
/// As [`spawn_on`].
pub async fn spawn_monitor_on<F: RemoteFn>(node: impl AsRef<str>, function: F) -> (Pid, Reference) {
    let node = node_name(node.as_ref());
    let (reference, pid) = request_or_none(&node, function, SpawnOpts::new().monitor()).await;
    (pid, reference)
}

/// As [`spawn_on`], with options (Erlang's `spawn_opt/3`). When there is no such process a
/// link gives an exit signal, and a monitor a `Down`.
///
/// # Panics
/// As [`spawn_on`].
pub async fn spawn_opt_on<F: RemoteFn>(
    node: impl AsRef<str>,
    opts: SpawnOpts,
    function: F,
) -> Spawned {
    let node = node_name(node.as_ref());
    let monitor = opts.monitor;
    let (reference, pid) = request_or_none(&node, function, opts).await;
    Spawned { pid, monitor: monitor.then_some(reference) }
}

/// As [`spawn_on`], and says why when there is no process.
///
/// # Errors
/// [`SpawnError::Noconnection`] when the node can't be reached or is lost before it
/// answers, [`SpawnError::Notsup`] when it has no such function.
///
/// # Panics
/// As [`spawn_on`].
pub async fn spawn_on_with<F: RemoteFn>(
    node: impl AsRef<str>,
    function: F,
) -> Result<Pid, SpawnError> {
    let node = node_name(node.as_ref());
    request(&node, function, &SpawnOpts::new()).await.1
}

fn node_name(name: &str) -> NodeName {
    name.parse().unwrap_or_else(|error| leave(ExitReason::badarg(error)))
}

/// A pid of that node that no process ever has.
fn no_process(node: &NodeName) -> Pid {
    let node = crate::NodeId::of(node, crate::Creation(0));
    Pid::new(node, LocalId { slot: u32::MAX, generation: 0 })
}

fn reason_of(error: SpawnError) -> ExitReason {
    match error {
        SpawnError::Noconnection => ExitReason::Noconnection,
        SpawnError::SystemLimit => ExitReason::SystemLimit,
        SpawnError::Notsup => ExitReason::Notsup,
    }
}

/// As [`request`]. Where there is no process, one that never was is said to have ended.
async fn request_or_none<F: RemoteFn>(
    node: &NodeName,
    function: F,
    opts: SpawnOpts,
) -> (Reference, Pid) {
    let (reference, result) = request(node, function, &opts).await;
    let pid = result.unwrap_or_else(|error| {
        let none = no_process(node);
        context::process("spawn_opt_on", |me| {
            if opts.monitor {
                me.control.relations().add_child_monitor(reference, none, LOCAL);
                let (from, reason) = (Some(none), reason_of(error));
                me.node.deliver(me.pid(), Signal::Down { from, reference, reason });
            }
            if opts.link {
                me.exit_signal(none, reason_of(error), true);
            }
        });
        none
    });
    (reference, pid)
}

/// Asks a node for a process, and waits for the answer.
async fn request<F: RemoteFn>(
    node: &NodeName,
    function: F,
    opts: &SpawnOpts,
) -> (Reference, Result<Pid, SpawnError>) {
    let asked = context::process("spawn_on", |me| {
        let reference = me.make_ref();
        if me.node.is_called(node.as_str()) {
            let site = Location::caller();
            return Err((reference, me.spawn_with(reference, site, opts, function.into_future())));
        }
        let Some(carrier) = me.node.carrier.get() else {
            return Err((reference, Err(SpawnError::Noconnection)));
        };
        let args = function.args().unwrap_or_else(|error| leave(ExitReason::badarg(error)));
        let function = function.name().into();
        let (from, link, monitor) = (me.pid(), opts.link, opts.monitor);
        let connection =
            carrier.spawn(node, SpawnRequest { reference, from, function, args, link, monitor });
        let spawning = Spawning { connection, link, monitor };
        me.control.relations().add_spawn(reference, spawning);
        Ok(reference)
    });
    match asked {
        Ok(reference) => (reference, Receive::spawn_reply(reference).await),
        Err(answered) => answered,
    }
}
