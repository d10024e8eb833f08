//! How a process begins.

use std::panic::Location;

use crate::context;
use crate::exit_reason::ExitReason;
use crate::node::{Inner, Node};
use crate::outcome::Outcome;
use crate::pid::Pid;
use crate::priority::Priority;
use crate::process::core::relations::{Delivery, LOCAL};
use crate::process::core::{NewProcess, Running, Site};
use crate::process::deliver::bound_new;
use crate::process::failure::{contain, refuse};
use crate::process::receive::make_marked_ref;
use crate::reference::Reference;
use crate::scheduler::shard;
use crate::table;

/// The properties of a new process, besides its future.
pub(crate) struct Start {
    pub(crate) parent: Option<Pid>,
    pub(crate) site: Site,
    /// A link to this process, which has its half already, or is given it.
    pub(crate) link: Option<Pid>,
    /// A monitor that this process holds.
    pub(crate) watcher: Option<(Reference, Pid)>,
    pub(crate) priority: Priority,
    /// The process's own pid is used if there is none to inherit.
    pub(crate) group_leader: Option<Pid>,
    /// The process is a service of the node, and does not count towards the process limit.
    pub(crate) service: Option<Service>,
}

/// A service of the node. Processes of other nodes can monitor it. They can neither link to it nor
/// end it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Service {
    /// It takes no messages from other nodes.
    Deaf,
    /// It takes messages from other nodes.
    Open,
    /// It takes no messages from other nodes, and processes of its own node can't end it.
    Root,
}

impl Service {
    fn marks(self) -> u8 {
        match self {
            Service::Deaf => table::SERVICE | table::DEAF,
            Service::Open => table::SERVICE,
            Service::Root => table::SERVICE | table::DEAF | table::ROOT,
        }
    }
}

impl Start {
    /// Returns the properties of a process without links and monitors.
    pub(crate) fn new(parent: Option<Pid>, site: &'static Location<'static>) -> Start {
        let (priority, group_leader) = (Priority::Normal, None);
        let (link, watcher, service) = (None, None, None);
        Start { parent, site, link, watcher, priority, group_leader, service }
    }

    /// A service of the node that no process of the node can end.
    pub(crate) fn root_service(parent: Option<Pid>, site: &'static Location<'static>) -> Start {
        Start { service: Some(Service::Root), ..Start::new(parent, site) }
    }

    /// A child of the running process. PROC-5: it inherits only the group leader.
    pub(crate) fn child(me: Running<'_>, site: &'static Location<'static>) -> Start {
        let group_leader = Some(me.control.slot.vitals.group_leader());
        Start { group_leader, ..Start::new(Some(me.pid()), site) }
    }
}

/// Makes a process and queues it. `None` if the node has no room.
///
/// `before` is called with the new pid before the process can run.
pub(crate) fn start(
    node: &Inner,
    start: Start,
    new: NewProcess,
    before: impl FnOnce(Pid),
) -> Option<Pid> {
    let slot = match start.service {
        None => node.table.allocate(shard()),
        Some(_) => node.table.allocate_for_service(shard()),
    };
    let slot = slot.filter(|slot| {
        // Checked while this thread holds the slot: a stop that begins later waits for the process.
        let is_stopping = node.is_stopping();
        if is_stopping {
            node.table.release(*slot, shard());
            node.stop.process_ended();
        }
        !is_stopping
    });
    let Some(slot) = slot else {
        // The future is the program's code, and this thread may be one that reads from a
        // connection.
        contain(|| drop(new));
        return None;
    };
    let pid = Pid::new(node.id, slot.id());
    slot.vitals.begin(start.priority, start.group_leader.unwrap_or(pid));
    if node.settings.async_dist {
        slot.vitals.set_async_dist(true);
    }
    let mut body = new.begin(slot, node.id, start.parent, start.site);
    if let Some(peer) = start.link {
        body.as_mut().control().relations().linked(peer);
    }
    if let Some((reference, watcher)) = start.watcher {
        body.as_mut().control().relations().add_watcher(reference, watcher);
    }
    slot.set_body(body);
    if let Some(service) = start.service {
        slot.mark(service.marks());
    }
    // The node's default mailbox limit is only for the program's processes.
    let limit = node.settings.mailbox_limit;
    if !limit.is_none() && start.service.is_none() {
        bound_new(node, pid, limit);
    }
    before(pid);
    node.observed.tell(|observer| observer.started(pid, start.parent));
    slot.queue.open();
    slot.schedule(start.priority);
    Some(pid)
}

impl Node {
    /// Spawns a service of the node from outside a process. It does not count towards the process
    /// limit, and no process can end it, link to it, or send it messages from another node. `None` if
    /// the node has no room even for this, or stops. Observers see `parent` as the parent.
    #[doc(hidden)]
    #[track_caller]
    pub fn spawn_root_service<F>(&self, parent: Option<Pid>, future: F) -> Option<Pid>
    where
        F: IntoFuture<Output: Outcome>,
        F::IntoFuture: Send + 'static,
    {
        let begin = Start::root_service(parent, Location::caller());
        start(self.inner(), begin, NewProcess::of()(future), |_| ())
    }

    /// Runs `work` as the handler of a socket runs: on this node, and outside of the process that
    /// calls it.
    #[doc(hidden)]
    pub fn outside_process<R>(&self, work: impl FnOnce() -> R) -> R {
        context::enter_node(self.inner(), work)
    }
}

impl Running<'_> {
    /// Starts a child. `None` if the node has no room, or the process ends (PROC-7).
    fn start_child(self, start_: Start, new: NewProcess) -> Option<Pid> {
        if self.control.is_ending() {
            return None;
        }
        start(self.node, start_, new, |_| ())
    }

    /// Starts a child and monitors it. `None` as for [`start_child`](Self::start_child).
    pub(crate) fn start_monitored(self, start: Start, new: NewProcess) -> Option<(Pid, Reference)> {
        self.start_monitored_with(start, new, Delivery::default())
    }

    /// Starts a child and monitors it. `delivery` says how the `Down` arrives.
    pub(in crate::process) fn start_monitored_with(
        self,
        start_: Start,
        new: NewProcess,
        delivery: Delivery,
    ) -> Option<(Pid, Reference)> {
        let (parent, reference) = (self.pid(), make_marked_ref(self));
        let child =
            self.start_child(Start { watcher: Some((reference, parent)), ..start_ }, new)?;
        self.control.relations().add_child_monitor(reference, child, LOCAL, delivery);
        Some((child, reference))
    }

    /// Ends the process with `system_limit`, unless it already ends.
    pub(super) fn no_room(self) -> Pid {
        if !self.control.is_ending() {
            refuse(ExitReason::SystemLimit);
        }
        self.no_child()
    }

    /// Returns the pid that stands for a child that could not be spawned.
    pub(super) fn no_child(self) -> Pid {
        Pid::nobody(self.node.id)
    }
}

/// Spawns a process on this node (Erlang's `spawn/1`).
///
/// `future` is any future, or a `#[remote]` function with its arguments. The process ends when the
/// future is ready. If the future returned an `Err`, the error becomes the exit reason
/// ([`ExitReason::Error`]) and is logged; otherwise the process ends with `normal`. See [`Outcome`]
/// for the values that a future may return.
///
/// ```
/// # use fika_runtime::{Node, spawn};
/// # Node::builder().build().unwrap().block_on(async {
/// let pid = spawn(async { /* receive, send, ... */ });
/// # });
/// ```
///
/// # Panics
/// Outside of a process. If the node has reached its process limit, the calling process ends with
/// `system_limit`.
#[track_caller]
pub fn spawn<F>(future: F) -> Pid
where
    F: IntoFuture<Output: Outcome>,
    F::IntoFuture: Send + 'static,
{
    let (site, new) = (Location::caller(), NewProcess::of()(future));
    context::process("spawn", |me| {
        me.start_child(Start::child(me, site), new).unwrap_or_else(|| me.no_room())
    })
}

/// Spawns a process that does not count towards the process limit, and that other nodes can
/// neither end, link to, nor send messages to. `None` if the node has no room even for this, or if
/// the running process ends.
#[doc(hidden)]
#[track_caller]
pub fn spawn_service<F>(future: F) -> Option<Pid>
where
    F: IntoFuture<Output: Outcome>,
    F::IntoFuture: Send + 'static,
{
    let (site, new) = (Location::caller(), NewProcess::of()(future));
    context::process("spawn", |me| {
        me.start_child(Start { service: Some(Service::Deaf), ..Start::child(me, site) }, new)
    })
}

/// Spawns a process like [`spawn_service`] that takes messages from other nodes.
#[doc(hidden)]
#[track_caller]
pub fn spawn_open_service<F>(future: F) -> Option<Pid>
where
    F: IntoFuture<Output: Outcome>,
    F::IntoFuture: Send + 'static,
{
    let (site, new) = (Location::caller(), NewProcess::of()(future));
    context::process("spawn", |me| {
        me.start_child(Start { service: Some(Service::Open), ..Start::child(me, site) }, new)
    })
}

/// Spawns a process like [`spawn_open_service`], and monitors it.
#[doc(hidden)]
#[track_caller]
pub fn spawn_open_service_monitor<F>(future: F) -> Option<(Pid, Reference)>
where
    F: IntoFuture<Output: Outcome>,
    F::IntoFuture: Send + 'static,
{
    let (site, new) = (Location::caller(), NewProcess::of()(future));
    context::process("spawn_monitor", |me| {
        me.start_monitored(Start { service: Some(Service::Open), ..Start::child(me, site) }, new)
    })
}

/// Spawns a process that is linked to the running one (Erlang's `spawn_link/1`). The running
/// process never misses the end of the child, however early it is.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Exit, Node, spawn_link, trap_exit};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// trap_exit(true);
/// let child = spawn_link(async { panic!("a mistake") });
/// receive! { Exit { from, reason } => println!("{from} has ended: {reason}") }
/// # });
/// ```
///
/// # Panics
/// Outside of a process. If the node has reached its process limit, the calling process ends with
/// `system_limit`.
#[track_caller]
pub fn spawn_link<F>(future: F) -> Pid
where
    F: IntoFuture<Output: Outcome>,
    F::IntoFuture: Send + 'static,
{
    let (site, new) = (Location::caller(), NewProcess::of()(future));
    context::process("spawn_link", |me| {
        let parent = me.pid();
        let start = Start { link: Some(parent), ..Start::child(me, site) };
        let Some(child) = me.start_child(start, new) else { return me.no_room() };
        me.control.relations().linked(child);
        child
    })
}

/// Spawns a process that the running one monitors (Erlang's `spawn_monitor/1`). The child's
/// true reason is always reported.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Down, ExitReason, Node, spawn_monitor};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// let (child, watch) = spawn_monitor(async { /* ... */ });
/// receive! {
///     Down { monitor, object, reason } if monitor == watch => {
///         assert_eq!(object, child);
///         assert_eq!(reason, ExitReason::Normal);
///     }
/// }
/// # });
/// ```
///
/// # Panics
/// Outside of a process. If the node has reached its process limit, the calling process ends with
/// `system_limit`.
#[track_caller]
pub fn spawn_monitor<F>(future: F) -> (Pid, Reference)
where
    F: IntoFuture<Output: Outcome>,
    F::IntoFuture: Send + 'static,
{
    let (site, new) = (Location::caller(), NewProcess::of()(future));
    context::process("spawn_monitor", |me| {
        let started = me.start_monitored(Start::child(me, site), new);
        started.unwrap_or_else(|| (me.no_room(), make_marked_ref(me)))
    })
}
