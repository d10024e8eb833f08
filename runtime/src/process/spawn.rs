//! How a process begins, here or on another node.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;

use super::control::{Body, Control, Process};
use super::exit::leave;
use super::receive::Receive;
use super::relations::{LOCAL, Monitor, Spawning};
use crate::carrier::SpawnRequest;
use crate::context;
use crate::exit_reason::ExitReason;
use crate::node::Inner;
use crate::node_name::NodeName;
use crate::pid::{LocalId, Pid};
use crate::reference::Reference;
use crate::remote::RemoteFn;
use crate::scheduler::shard;
use crate::signal::SpawnError;
use crate::system_message::Object;

/// What a new process has besides its future.
pub(crate) struct Start {
    pub(crate) parent: Option<Pid>,
    pub(crate) site: &'static Location<'static>,
    /// A link to this process, which has its half already, or is given it.
    pub(crate) link: Option<Pid>,
    /// A monitor that this process holds.
    pub(crate) watcher: Option<(Reference, Pid)>,
}

/// Makes a process and queues it. None when the node has no room.
///
/// `before` is called with the new pid before the process can run.
pub(crate) fn start<F>(
    node: &Inner,
    start: Start,
    future: F,
    before: impl FnOnce(Pid),
) -> Option<Pid>
where
    F: Future + Send + 'static,
{
    if node.is_stopping() {
        return None;
    }
    let slot = node.table.allocate(shard())?;
    let pid = Pid::new(node.id, slot.id());
    let control = Control::new(slot, pid, start.parent, start.site);
    if let Some(peer) = start.link {
        control.relations().linked(peer);
    }
    if let Some((reference, watcher)) = start.watcher {
        control.relations().add_watcher(reference, watcher);
    }
    let body: Pin<Box<dyn Body>> = Box::pin(Process::new(control, future));
    slot.set_body(body);
    before(pid);
    slot.queue.open();
    slot.schedule();
    Some(pid)
}

impl Inner {
    #[track_caller]
    fn start_child<F>(&self, start_: Start, future: F) -> Pid
    where
        F: Future + Send + 'static,
    {
        start(self, start_, future, |_| ()).unwrap_or_else(|| leave(ExitReason::SystemLimit))
    }
}

/// Spawns a process on this node (Erlang's `spawn/1`).
///
/// `future` is any future, or a `#[remote]` function with its arguments. The process ends
/// with reason `normal` when the future is ready, whatever its value.
///
/// ```
/// # use fika_runtime::{Node, spawn};
/// # Node::builder().build().unwrap().block_on(async {
/// let pid = spawn(async { /* receive, send, ... */ });
/// # });
/// ```
///
/// # Panics
/// Outside of a process. When the node has as many processes as it may have, the calling
/// process ends with `system_limit`.
#[track_caller]
pub fn spawn<F>(future: F) -> Pid
where
    F: IntoFuture,
    F::IntoFuture: Send + 'static,
{
    let site = Location::caller();
    context::process("spawn", |me| {
        let start = Start { parent: Some(me.pid()), site, link: None, watcher: None };
        me.node.start_child(start, future.into_future())
    })
}

/// Spawns a process that is linked to the running one (Erlang's `spawn_link/1`). No end of
/// the child, however early, is missed.
///
/// # Panics
/// As [`spawn`].
#[track_caller]
pub fn spawn_link<F>(future: F) -> Pid
where
    F: IntoFuture,
    F::IntoFuture: Send + 'static,
{
    let site = Location::caller();
    context::process("spawn_link", |me| {
        let parent = me.pid();
        let start = Start { parent: Some(parent), site, link: Some(parent), watcher: None };
        let child = me.node.start_child(start, future.into_future());
        me.control.relations().linked(child);
        child
    })
}

/// Spawns a process that the running one monitors (Erlang's `spawn_monitor/1`). The child's
/// true reason is always reported.
///
/// # Panics
/// As [`spawn`].
#[track_caller]
pub fn spawn_monitor<F>(future: F) -> (Pid, Reference)
where
    F: IntoFuture,
    F::IntoFuture: Send + 'static,
{
    let site = Location::caller();
    context::process("spawn_monitor", |me| {
        let (parent, reference) = (me.pid(), me.node.make_ref());
        let watcher = Some((reference, parent));
        let start = Start { parent: Some(parent), site, link: None, watcher };
        let child = me.node.start_child(start, future.into_future());
        let monitor =
            Monitor { object: Object::Pid(child), target: Some(child), connection: LOCAL };
        me.control.relations().add_monitor(reference, monitor);
        (child, reference)
    })
}

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
    let (_, result) = request(&node, function, false, false).await;
    result.unwrap_or_else(|_| no_process(&node))
}

/// As [`spawn_on`], with a link (Erlang's `spawn_link/2`). When there is no such process
/// the running one gets an exit signal: `noconnection`, or the reason of the
/// [`SpawnError`].
///
/// # Panics
/// As [`spawn_on`].
pub async fn spawn_link_on<F: RemoteFn>(node: impl AsRef<str>, function: F) -> Pid {
    let node = node_name(node.as_ref());
    let (_, result) = request(&node, function, true, false).await;
    result.unwrap_or_else(|error| {
        let from = no_process(&node);
        context::process("spawn_link_on", |me| me.exit_signal(from, reason_of(error), true));
        from
    })
}

/// As [`spawn_on`], with a monitor (Erlang's `spawn_monitor/2`). When there is no such
/// process a `Down` says why.
///
/// # Panics
/// As [`spawn_on`].
pub async fn spawn_monitor_on<F: RemoteFn>(node: impl AsRef<str>, function: F) -> (Pid, Reference) {
    let node = node_name(node.as_ref());
    let (reference, result) = request(&node, function, false, true).await;
    let pid = result.unwrap_or_else(|error| {
        let none = no_process(&node);
        context::process("spawn_monitor_on", |me| {
            me.control.relations().add_child_monitor(reference, none, LOCAL);
            let (from, reason) = (Some(none), reason_of(error));
            me.node.deliver(me.pid(), crate::Signal::Down { from, reference, reason });
        });
        none
    });
    (pid, reference)
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
    request(&node, function, false, false).await.1
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

/// Asks a node for a process, and waits for the answer.
async fn request<F: RemoteFn>(
    node: &NodeName,
    function: F,
    link: bool,
    monitor: bool,
) -> (Reference, Result<Pid, SpawnError>) {
    let asked = context::process("spawn_on", |me| {
        let reference = me.node.make_ref();
        if me.node.is_called(node.as_str()) {
            return Err((reference, me.spawn_here(reference, function, link, monitor)));
        }
        let Some(carrier) = me.node.carrier.get() else {
            return Err((reference, Err(SpawnError::Noconnection)));
        };
        let args = function.args().unwrap_or_else(|error| leave(ExitReason::badarg(error)));
        let function = function.name().into();
        let from = me.pid();
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

impl super::Running<'_> {
    fn spawn_here<F: RemoteFn>(
        self,
        reference: Reference,
        function: F,
        link: bool,
        monitor: bool,
    ) -> Result<Pid, SpawnError> {
        let parent = self.pid();
        let start_ = Start {
            parent: Some(parent),
            site: Location::caller(),
            link: link.then_some(parent),
            watcher: monitor.then_some((reference, parent)),
        };
        let child = start(self.node, start_, function.into_future(), |_| ())
            .ok_or(SpawnError::SystemLimit)?;
        let mut relations = self.control.relations();
        if link {
            relations.linked(child);
        }
        if monitor {
            relations.add_child_monitor(reference, child, LOCAL);
        }
        Ok(child)
    }
}
