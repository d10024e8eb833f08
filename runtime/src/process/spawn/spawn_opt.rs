//! Spawning with options.

use std::panic::Location;

use super::start::{Start, start};
use crate::context;
use crate::mailbox_limit::MailboxLimit;
use crate::outcome::Outcome;
use crate::pid::Pid;
use crate::priority::Priority;
use crate::process::core::relations::{LOCAL, LinkOpts};
use crate::process::core::{NewProcess, Running};
use crate::process::deliver::bound_new;
use crate::process::relations::{MonitorOpts, monitor_reference};
use crate::reference::Reference;
use crate::signal::SpawnError;

/// The options of a new process, for [`spawn_opt`], [`spawn_request`](crate::spawn_request) and
/// their counterparts for other nodes.
///
/// ```
/// # use fika_runtime::{Node, Priority, SpawnOpts, spawn_opt};
/// # Node::builder().build().unwrap().block_on(async {
/// let opts = SpawnOpts::new().link().monitor().priority(Priority::High);
/// spawn_opt(opts, async { /* ... */ });
/// # });
/// ```
///
/// Links and monitors have options of their own:
///
/// ```
/// # use fika_runtime::{LinkOpts, MailboxLimit, MonitorOpts, Node, SpawnOpts, spawn_opt};
/// # Node::builder().build().unwrap().block_on(async {
/// let opts = SpawnOpts::new()
///     .link_with(LinkOpts::new().priority())
///     .monitor_with(MonitorOpts::new().tag("feed 7".to_owned()))
///     .mailbox_limit(MailboxLimit::messages(1000))
///     .async_dist(true);
/// spawn_opt(opts, async { /* ... */ });
/// # });
/// ```
#[derive(Debug, Default)]
#[must_use = "options do nothing by themselves"]
pub struct SpawnOpts {
    pub(in crate::process) link: Option<LinkOpts>,
    pub(in crate::process) monitor: Option<MonitorOpts>,
    pub(in crate::process) priority: Priority,
    pub(in crate::process) mailbox_limit: Option<MailboxLimit>,
    pub(in crate::process) async_dist: Option<bool>,
    site: Option<&'static Location<'static>>,
}

/// A process that [`spawn_opt`] has spawned, and the monitor on it.
///
/// ```
/// # use fika_runtime::{Node, SpawnOpts, Spawned, spawn_opt};
/// # Node::builder().build().unwrap().block_on(async {
/// let Spawned { pid, monitor } = spawn_opt(SpawnOpts::new().monitor(), async { /* ... */ });
/// assert!(monitor.is_some());
/// # let _ = pid;
/// # });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spawned {
    /// The new process.
    pub pid: Pid,
    /// The monitor that the running process holds on it, if the options ask for one.
    pub monitor: Option<Reference>,
}

crate::outcome::ignored!(Spawned);

impl SpawnOpts {
    /// Returns the options of a process without links and monitors.
    pub fn new() -> SpawnOpts {
        SpawnOpts::default()
    }

    /// Links the new process to the process that spawns it.
    pub fn link(self) -> Self {
        self.link_with(LinkOpts::new())
    }

    /// Links the new process to the process that spawns it, with these link options.
    pub fn link_with(mut self, opts: LinkOpts) -> Self {
        self.link = Some(opts);
        self
    }

    /// Makes the process that spawns the new process monitor it.
    pub fn monitor(self) -> Self {
        self.monitor_with(MonitorOpts::new())
    }

    /// Makes the process that spawns the new process monitor it, with these monitor options.
    pub fn monitor_with(mut self, opts: MonitorOpts) -> Self {
        self.monitor = Some(opts);
        self
    }

    /// Sets the priority of the new process. The default is [`Priority::Normal`].
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Sets the limit of the new process's mailbox. The default is the node's limit. Does not apply
    /// to a process on another node, which always has that node's limit.
    pub fn mailbox_limit(mut self, limit: MailboxLimit) -> Self {
        self.mailbox_limit = Some(limit);
        self
    }

    /// Sets whether the new process keeps running when it sends over a congested connection; see
    /// [`async_dist`](crate::async_dist()). The default is the node's setting. Does not apply to a
    /// process on another node, which always has that node's setting.
    pub fn async_dist(mut self, async_dist: bool) -> Self {
        self.async_dist = Some(async_dist);
        self
    }

    /// Sets the place in the source that reports give as the place where the process was spawned. By
    /// default, that is where [`spawn_opt`] is called. For functions that spawn a process on behalf of
    /// their caller. Does not apply to a process on another node.
    ///
    /// ```
    /// # use fika_runtime::{Node, Outcome, Pid, SpawnOpts, spawn_opt};
    /// use std::panic::Location;
    ///
    /// #[track_caller]
    /// fn start(work: impl Future<Output: Outcome> + Send + 'static) -> Pid {
    ///     spawn_opt(SpawnOpts::new().link().spawned_at(Location::caller()), work).pid
    /// }
    /// # Node::builder().build().unwrap().block_on(async { start(async {}); });
    /// ```
    pub fn spawned_at(mut self, place: &'static Location<'static>) -> Self {
        self.site = Some(place);
        self
    }
}

/// Spawns a process with options (Erlang's `spawn_opt/2`). The link and the monitor are set up
/// together with the process, so its end is never missed.
///
/// ```
/// # use fika_runtime::{Node, SpawnOpts, spawn_opt};
/// # Node::builder().build().unwrap().block_on(async {
/// let child = spawn_opt(SpawnOpts::new().link().monitor(), async { /* ... */ });
/// println!("{} is watched by {:?}", child.pid, child.monitor);
/// # });
/// ```
///
/// # Panics
/// Outside of a process. If the node has reached its process limit, the calling process ends with
/// `system_limit`.
#[track_caller]
pub fn spawn_opt<F>(opts: SpawnOpts, future: F) -> Spawned
where
    F: IntoFuture<Output: Outcome>,
    F::IntoFuture: Send + 'static,
{
    let (site, new) = (Location::caller(), NewProcess::of()(future));
    context::process("spawn_opt", |me| {
        let monitor = opts.monitor.as_ref().map(|monitor| monitor_reference(me, monitor.alias));
        let reference = monitor.unwrap_or_else(|| me.node.make_ref());
        let pid = spawn_with(me, reference, site, opts, new, |_| ());
        let pid = pid.unwrap_or_else(|_| me.no_room());
        Spawned { pid, monitor }
    })
}

/// The options of a process that could not be spawned, and why.
pub(super) struct Failed {
    pub(in crate::process) error: SpawnError,
    pub(in crate::process) opts: SpawnOpts,
}

/// Makes the reference of a request to spawn, which is also the reference of its monitor.
pub(super) fn spawn_reference(me: Running<'_>, opts: &SpawnOpts) -> Reference {
    monitor_reference(me, opts.monitor.as_ref().and_then(|monitor| monitor.alias))
}

/// Spawns a process on this node. Calls `before` with its pid before the process can run.
pub(super) fn spawn_with(
    me: Running<'_>,
    reference: Reference,
    site: &'static Location<'static>,
    opts: SpawnOpts,
    new: NewProcess,
    before: impl FnOnce(Pid),
) -> Result<Pid, Failed> {
    let parent = me.pid();
    let start_ = Start {
        link: opts.link.map(|_| parent),
        watcher: opts.monitor.as_ref().map(|_| (reference, parent)),
        priority: opts.priority,
        ..Start::child(me, opts.site.unwrap_or(site))
    };
    let before = |pid: Pid| {
        if let Some(limit) = opts.mailbox_limit {
            bound_new(me.node, pid, limit);
        }
        if let (Some(on), Some(slot)) = (opts.async_dist, me.node.table.get(pid.local())) {
            slot.vitals.set_async_dist(on);
        }
        before(pid);
    };
    let child = me.unless_ending().and_then(|me| start(me.node, start_, new, before));
    let Some(child) = child else {
        // The process was not spawned, so the alias of its monitor ends here.
        me.control.relations().aliases.remove(reference.serial());
        return Err(Failed { error: SpawnError::SystemLimit, opts });
    };
    if let Some(link) = opts.link {
        me.control.relations().linked_child(child, LOCAL, link.priority);
    }
    if let Some(monitor) = opts.monitor {
        let mut relations = me.control.relations();
        relations.add_child_monitor(reference, child, LOCAL, monitor.delivery);
    }
    Ok(child)
}
