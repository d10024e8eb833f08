//! Spawning with options.

use std::panic::Location;

use super::start::{Start, start};
use crate::context;
use crate::exit_reason::ExitReason;
use crate::mailbox_limit::MailboxLimit;
use crate::outcome::Outcome;
use crate::pid::Pid;
use crate::priority::Priority;
use crate::process::core::relations::LOCAL;
use crate::process::core::{NewProcess, Running};
use crate::process::life::refuse;
use crate::process::relations::LinkOpts;
use crate::process::relations::MonitorOpts;
use crate::reference::Reference;
use crate::signal::SpawnError;

/// What a new process is to have, for [`spawn_opt`], [`spawn_request`](crate::spawn_request)
/// and the same on other nodes.
#[derive(Debug, Default)]
#[must_use = "options do nothing by themselves"]
pub struct SpawnOpts {
    pub(in crate::process) link: Option<LinkOpts>,
    pub(in crate::process) monitor: Option<MonitorOpts>,
    pub(in crate::process) priority: Priority,
    pub(in crate::process) mailbox_limit: Option<MailboxLimit>,
    pub(in crate::process) async_dist: Option<bool>,
}

/// What [`spawn_opt`] has made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spawned {
    /// The new process.
    pub pid: Pid,
    /// The running process's monitor of it, if one was asked for.
    pub monitor: Option<Reference>,
}

crate::outcome::ignored!(Spawned);

impl SpawnOpts {
    /// A process without anything.
    pub fn new() -> SpawnOpts {
        SpawnOpts::default()
    }

    /// It is linked to the process that spawns it.
    pub fn link(self) -> Self {
        self.link_with(LinkOpts::new())
    }

    /// Links it to the process that spawns it, with options.
    pub fn link_with(mut self, opts: LinkOpts) -> Self {
        self.link = Some(opts);
        self
    }

    /// The process that spawns it monitors it.
    pub fn monitor(self) -> Self {
        self.monitor_with(MonitorOpts::new())
    }

    /// Monitors it from the process that spawns it, with options.
    pub fn monitor_with(mut self, opts: MonitorOpts) -> Self {
        self.monitor = Some(opts);
        self
    }

    /// It has this priority, in place of the normal one.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Its mailbox has this limit, in place of the node's. A process on another node has that
    /// node's.
    pub fn mailbox_limit(mut self, limit: MailboxLimit) -> Self {
        self.mailbox_limit = Some(limit);
        self
    }

    /// Whether it goes on where its sends find a connection congested, in place of what the
    /// node has set; see [`async_dist`](crate::async_dist()). A process on another node has what
    /// that node has set.
    pub fn async_dist(mut self, async_dist: bool) -> Self {
        self.async_dist = Some(async_dist);
        self
    }
}

/// Spawns a process with options (Erlang's `spawn_opt/2`). Links and monitors are made
/// together with the process: no end of it, however early, is missed.
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
/// Outside of a process. When the node has as many processes as it may have, the calling
/// process ends with `system_limit`.
#[track_caller]
pub fn spawn_opt<F>(opts: SpawnOpts, future: F) -> Spawned
where
    F: IntoFuture<Output: Outcome>,
    F::IntoFuture: Send + 'static,
{
    let (site, new) = (Location::caller(), NewProcess::of()(future));
    context::process("spawn_opt", |me| {
        let monitor = opts.monitor.as_ref().map(|monitor| me.monitor_reference(monitor.alias));
        let reference = monitor.unwrap_or_else(|| me.node.make_ref());
        let pid = me.spawn_with(reference, site, opts, new, |_| ());
        let pid = pid.unwrap_or_else(|_| {
            if !me.control.ending.get() {
                refuse(ExitReason::SystemLimit);
            }
            me.no_child()
        });
        Spawned { pid, monitor }
    })
}

/// There is no process.
pub(in crate::process) struct Failed {
    pub(in crate::process) error: SpawnError,
    pub(in crate::process) opts: SpawnOpts,
}

impl Running<'_> {
    /// A reference for a process to be: the request's, and the monitor's if there is to be one.
    pub(in crate::process) fn spawn_reference(self, opts: &SpawnOpts) -> Reference {
        self.monitor_reference(opts.monitor.as_ref().and_then(|monitor| monitor.alias))
    }

    /// Spawns a process here. `before` is called with its pid before it can run.
    pub(in crate::process) fn spawn_with(
        self,
        reference: Reference,
        site: &'static Location<'static>,
        opts: SpawnOpts,
        new: NewProcess,
        before: impl FnOnce(Pid),
    ) -> Result<Pid, Failed> {
        let parent = self.pid();
        let start_ = Start {
            link: opts.link.map(|_| parent),
            watcher: opts.monitor.as_ref().map(|_| (reference, parent)),
            priority: opts.priority,
            ..Start::child(self, site)
        };
        // PROC-7.
        let room = !self.control.ending.get();
        let before = |pid: Pid| {
            if let Some(limit) = opts.mailbox_limit {
                self.node.bound_new(pid, limit);
            }
            if let (Some(on), Some(slot)) = (opts.async_dist, self.node.table.get(pid.local())) {
                slot.vitals.set_async_dist(on);
            }
            before(pid);
        };
        let child = room.then(|| start(self.node, start_, new, before)).flatten();
        let Some(child) = child else {
            // An alias is useless if its process was never spawned, whatever was to deactivate it.
            self.control.relations().aliases.remove(reference.serial());
            return Err(Failed { error: SpawnError::SystemLimit, opts });
        };
        if let Some(link) = opts.link {
            self.control.relations().linked_child(child, LOCAL, link.priority);
        }
        if let Some(monitor) = opts.monitor {
            let mut relations = self.control.relations();
            relations.add_child_monitor(reference, child, LOCAL, monitor.delivery);
        }
        Ok(child)
    }
}
