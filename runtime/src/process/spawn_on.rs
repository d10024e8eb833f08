//! Spawning on another node: the request, and waiting for its answer.

use std::panic::Location;

use super::answer::Waiting;
use super::control::NewProcess;
use super::exit::raise;
use super::spawn_opt::{SpawnOpts, Spawned};
use super::spawning::Spawning;
use super::tag::Tag;
use crate::context;
use crate::exit_reason::ExitReason;
use crate::node_id::{Creation, NodeId};
use crate::node_name::NodeName;
use crate::pid::Pid;
use crate::reference::Reference;
use crate::remote::RemoteFn;
use crate::signal::SpawnError;

/// Spawns a process on a node (Erlang's `spawn/2`).
///
/// The function must be marked `#[remote]`; its arguments travel. Connects first if need
/// be, which is why this has to be awaited: the pid that the new process will have is not
/// known before the node has answered. On the own node it is as [`spawn`](crate::spawn).
///
/// When the node can't be reached, or has no such function, the pid returned is one of a
/// process that never existed; to learn why, use [`try_spawn_on`].
///
/// # Panics
/// Outside of a process, and when `node` is no node name (`badarg`).
pub async fn spawn_on<F: RemoteFn>(node: impl AsRef<str>, function: F) -> Pid {
    spawn_opt_on(node, SpawnOpts::new(), function).await.pid
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
    let spawned = spawn_opt_on(node, SpawnOpts::new().monitor(), function).await;
    (spawned.pid, spawned.monitor.expect("it was asked for"))
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
    let monitored = opts.monitor.is_some();
    let (reference, pid, _) = request(node.as_ref(), opts, function, true).await;
    Spawned { pid, monitor: monitored.then_some(reference) }
}

/// Spawns a process on a node like [`spawn_on`], but returns an error if there is no process.
///
/// # Errors
/// [`SpawnError::Noconnection`] when the node can't be reached or is lost before it
/// answers, [`SpawnError::Notsup`] when it has no such function.
///
/// # Panics
/// As [`spawn_on`].
pub async fn try_spawn_on<F: RemoteFn>(
    node: impl AsRef<str>,
    function: F,
) -> Result<Pid, SpawnError> {
    let (_, pid, error) = request(node.as_ref(), SpawnOpts::new(), function, false).await;
    error.map_or(Ok(pid), Err)
}

/// Asks a node for a process, and waits for the answer. Where there is no process, the pid is
/// of one that never was; `as_ended`: links and monitors are told that it has ended.
async fn request<F: RemoteFn>(
    node: &str,
    opts: SpawnOpts,
    function: F,
    as_ended: bool,
) -> (Reference, Pid, Option<SpawnError>) {
    let (answer, waiting) = Waiting::new();
    let (reference, asked) = context::process("spawn_on", |me| {
        let monitored = opts.monitor.is_some();
        let reference = if monitored { me.spawn_reference(&opts) } else { me.node.make_ref() };
        let node = match node.parse::<NodeName>() {
            Ok(node) => node,
            Err(error) => raise(ExitReason::badarg(error)),
        };
        let never = Pid::nobody(NodeId::of(&node, Creation(0)));
        let (there, opts) = if me.node.is_called(node.as_str()) {
            let site = Location::caller();
            match me.spawn_with(reference, site, opts, NewProcess::of()(function), |_| ()) {
                Ok(child) => return (reference, Ok(child)),
                Err(failed) => (Err(failed.error), failed.opts),
            }
        } else {
            (Ok(function), opts)
        };
        let priority = opts.priority;
        let mut spawning = Spawning::new(opts.link, opts.monitor.map(|opts| opts.delivery));
        spawning.never = as_ended.then_some(never);
        spawning.reply_tag = Some(Tag::spawned(answer));
        match there {
            Ok(function) => me.request_there(&node, reference, spawning, priority, &function),
            Err(error) => me.spawn_answered(reference, spawning, Err(error)),
        }
        (reference, Err(never))
    });
    let never = match asked {
        Ok(child) => return (reference, child, None),
        Err(never) => never,
    };
    let mut pending = Pending(Some(reference));
    // A process that ends sends no request.
    let result = waiting.await.unwrap_or(Err(SpawnError::Noconnection));
    pending.0 = None;
    (reference, result.unwrap_or(never), result.err())
}

/// A request whose answer is awaited. Nobody waits any more when it is dropped.
struct Pending(Option<Reference>);

impl Drop for Pending {
    fn drop(&mut self) {
        let Some(request) = self.0 else { return };
        context::try_process(|me| {
            // SPAWN-7: a process that ends has a reason of its own for the child.
            if !std::thread::panicking() && !me.control.ending.get() {
                me.abandon(request);
            }
        });
    }
}
