//! How a process begins.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;

use super::control::{Body, Control, Process, Running};
use super::exit::refuse;
use super::relations::{Delivery, LOCAL};
use crate::context;
use crate::exit_reason::ExitReason;
use crate::node::Inner;
use crate::pid::{LocalId, Pid};
use crate::priority::Priority;
use crate::reference::Reference;
use crate::scheduler::shard;

/// What a new process has besides its future.
pub(crate) struct Start {
    pub(crate) parent: Option<Pid>,
    pub(crate) site: &'static Location<'static>,
    /// A link to this process, which has its half already, or is given it.
    pub(crate) link: Option<Pid>,
    /// A monitor that this process holds.
    pub(crate) watcher: Option<(Reference, Pid)>,
    pub(crate) priority: Priority,
    /// Its own pid where there is none to inherit.
    pub(crate) group_leader: Option<Pid>,
}

impl Start {
    /// A process without anything.
    pub(crate) fn new(parent: Option<Pid>, site: &'static Location<'static>) -> Start {
        let (priority, group_leader) = (Priority::Normal, None);
        Start { parent, site, link: None, watcher: None, priority, group_leader }
    }

    /// A child of the running process. PROC-5: all that it inherits is the group leader.
    pub(crate) fn child(me: Running<'_>, site: &'static Location<'static>) -> Start {
        let group_leader = Some(me.control.slot.vitals.group_leader());
        Start { group_leader, ..Start::new(Some(me.pid()), site) }
    }
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
    slot.vitals.begin(start.priority, start.group_leader.unwrap_or(pid));
    if node.async_dist {
        slot.vitals.set_async_dist(true);
    }
    let control = Control::new(slot, pid, start.parent, start.site);
    if let Some(peer) = start.link {
        control.relations().linked(peer);
    }
    if let Some((reference, watcher)) = start.watcher {
        control.relations().add_watcher(reference, watcher);
    }
    let body: Pin<Box<dyn Body>> = Box::pin(Process::new(control, future));
    slot.set_body(body);
    if let Some(limit) = node.mailbox_limit.as_deref() {
        node.bound_new(pid, *limit);
    }
    before(pid);
    node.observed.tell(|observer| observer.started(pid, start.parent));
    slot.queue.open();
    slot.schedule(start.priority);
    Some(pid)
}

impl Running<'_> {
    /// Starts a child; none if there is no room, or if the process ends (PROC-7).
    #[track_caller]
    fn start_child<F>(self, start_: Start, future: F) -> Option<Pid>
    where
        F: Future + Send + 'static,
    {
        if self.control.ending.get() {
            return None;
        }
        let child = start(self.node, start_, future, |_| ());
        if child.is_none() {
            refuse(ExitReason::SystemLimit);
        }
        child
    }

    /// The pid of a child that could not be.
    pub(super) fn no_child(self) -> Pid {
        Pid::new(self.node.id, LocalId::NONE)
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
        let start = Start::child(me, site);
        me.start_child(start, future.into_future()).unwrap_or_else(|| me.no_child())
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
        let start = Start { link: Some(parent), ..Start::child(me, site) };
        let Some(child) = me.start_child(start, future.into_future()) else {
            return me.no_child();
        };
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
        let (parent, reference) = (me.pid(), me.make_ref());
        let watcher = Some((reference, parent));
        let start = Start { watcher, ..Start::child(me, site) };
        let Some(child) = me.start_child(start, future.into_future()) else {
            return (me.no_child(), reference);
        };
        me.control.relations().add_child_monitor(reference, child, LOCAL, Delivery::default());
        (child, reference)
    })
}
