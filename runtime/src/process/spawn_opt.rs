//! Spawning with options.

use std::future::Future;
use std::panic::Location;

use super::control::Running;
use super::exit::leave;
use super::relations::LOCAL;
use super::spawn::{Start, start};
use crate::context;
use crate::exit_reason::ExitReason;
use crate::pid::Pid;
use crate::reference::Reference;
use crate::signal::SpawnError;

/// What a new process is to have, for [`spawn_opt`] and [`spawn_opt_on`](crate::spawn_opt_on).
#[derive(Debug, Default)]
#[must_use = "options do nothing by themselves"]
pub struct SpawnOpts {
    pub(super) link: bool,
    pub(super) monitor: bool,
}

/// What [`spawn_opt`] has made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spawned {
    /// The new process.
    pub pid: Pid,
    /// The running process's monitor of it, if one was asked for.
    pub monitor: Option<Reference>,
}

impl SpawnOpts {
    /// A process without anything.
    pub fn new() -> SpawnOpts {
        SpawnOpts::default()
    }

    /// It is linked to the process that spawns it.
    pub fn link(mut self) -> Self {
        self.link = true;
        self
    }

    /// The process that spawns it monitors it.
    pub fn monitor(mut self) -> Self {
        self.monitor = true;
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
    F: IntoFuture,
    F::IntoFuture: Send + 'static,
{
    let site = Location::caller();
    context::process("spawn_opt", |me| {
        let reference = if opts.monitor { me.make_ref() } else { me.node.make_ref() };
        match me.spawn_with(reference, site, &opts, future.into_future()) {
            Ok(pid) => Spawned { pid, monitor: opts.monitor.then_some(reference) },
            Err(_) => leave(ExitReason::SystemLimit),
        }
    })
}

impl Running<'_> {
    /// Spawns a process here. `reference` is the monitor's, if there is to be one.
    pub(super) fn spawn_with(
        self,
        reference: Reference,
        site: &'static Location<'static>,
        opts: &SpawnOpts,
        future: impl Future + Send + 'static,
    ) -> Result<Pid, SpawnError> {
        let parent = self.pid();
        let start_ = Start {
            link: opts.link.then_some(parent),
            watcher: opts.monitor.then_some((reference, parent)),
            ..Start::new(Some(parent), site)
        };
        let child = start(self.node, start_, future, |_| ()).ok_or(SpawnError::SystemLimit)?;
        if opts.link {
            self.control.relations().linked(child);
        }
        if opts.monitor {
            self.control.relations().add_child_monitor(reference, child, LOCAL);
        }
        Ok(child)
    }
}
