//! Waiting for the end of a process, outside of the mailbox.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::context;
use crate::dest::Dest;
use crate::exit_reason::ExitReason;
use crate::outcome::Outcome;
use crate::pid::Pid;
use crate::process::core::NewProcess;
use crate::process::core::relations::Tag;
use crate::process::relations::{MonitorOpts, end_monitor, monitor_by};
use crate::process::spawn::{Service, SpawnOpts, Start, request, spawn_opt};
use crate::process::wait::Waiting;
use crate::reference::Reference;
use crate::remote::RemoteFn;
use crate::signal::SpawnError;

/// Waits for the end of a process, with a monitor whose `Down` does not go to the mailbox. Dropping
/// it in the process that made it removes the monitor. It resolves to the exit reason, as a [`Down`](crate::Down) has it.
///
/// It can be awaited beside a `receive!` of the process.
///
/// ```
/// # use fika_runtime::{Ended, ExitReason, Node};
/// # Node::builder().build().unwrap().block_on(async {
/// let (worker, ended) = Ended::spawn(async {});
/// assert_eq!(ended.await, ExitReason::Normal);
/// assert_eq!(Ended::of(worker).await, ExitReason::Noproc);
/// # });
/// ```
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Ended {
    monitor: Reference,
    reason: Waiting<ExitReason>,
}

impl Ended {
    /// Starts monitoring a process, by its pid or its name, like [`monitor`](crate::monitor).
    ///
    /// # Panics
    /// Outside of a process. An invalid name of a node ends the calling process with `badarg`.
    #[track_caller]
    pub fn of<'a>(dest: impl Into<Dest<'a>>) -> Ended {
        let (opts, reason) = Ended::opts();
        let monitor = context::process("Ended::of", |me| {
            let monitor = me.node.make_ref();
            monitor_by(me, monitor, dest.into(), opts);
            monitor
        });
        Ended { monitor, reason }
    }

    /// Spawns a process and monitors it from its start.
    ///
    /// # Panics
    /// Outside of a process. If the node has reached its process limit, the calling process ends
    /// with `system_limit`.
    #[track_caller]
    pub fn spawn<F>(future: F) -> (Pid, Ended)
    where
        F: IntoFuture<Output: Outcome>,
        F::IntoFuture: Send + 'static,
    {
        let (monitor, reason) = Ended::opts();
        let spawned = spawn_opt(SpawnOpts::new().monitor_with(monitor), future);
        (
            spawned.pid,
            Ended { monitor: spawned.monitor.expect("the options ask for a monitor"), reason },
        )
    }

    /// Spawns a process on a node and monitors it from its start. See
    /// [`spawn_on`](crate::spawn_on). If the node is lost, the reason is `noconnection`.
    ///
    /// ```
    /// # extern crate fika_runtime as fika;
    /// # use fika::{Ended, ExitReason, Node, SpawnError, exit};
    /// # use fika_macros::remote;
    /// #[remote]
    /// async fn fails() {
    ///     exit(ExitReason::Timeout);
    /// }
    ///
    /// # Node::builder().build().unwrap().block_on(async {
    /// # let node = fika::self_node().name();
    /// let (_pid, ended) = Ended::spawn_on(&node, fails()).await.unwrap();
    /// assert_eq!(ended.await, ExitReason::Timeout);
    ///
    /// let lost = Ended::spawn_on("gone@127.0.0.1", fails()).await;
    /// assert_eq!(lost.unwrap_err(), SpawnError::Noconnection);
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`SpawnError::Noconnection`] if the node can't be reached, or is lost before it answers.
    /// [`SpawnError::Notsup`] if it has no such function.
    ///
    /// # Panics
    /// Outside of a process. If `node` is not a node name, the calling process ends with `badarg`.
    #[track_caller]
    pub fn spawn_on<F: RemoteFn>(
        node: impl AsRef<str>,
        function: F,
    ) -> impl Future<Output = Result<(Pid, Ended), SpawnError>> {
        let site = Location::caller();
        async move {
            let (monitor, reason) = Ended::opts();
            let opts = SpawnOpts::new().monitor_with(monitor);
            let (monitor, pid, error) = request(node.as_ref(), site, opts, function, false).await;
            error.map_or(Ok((pid, Ended { monitor, reason })), Err)
        }
    }

    /// Spawns a service like [`spawn_service`](crate::spawn_service) that processes of this node
    /// can't end or link to either, and monitors it from its start.
    ///
    /// # Panics
    /// Outside of a process.
    #[doc(hidden)]
    #[track_caller]
    pub fn spawn_root_service<F>(future: F) -> Option<(Pid, Ended)>
    where
        F: IntoFuture<Output: Outcome>,
        F::IntoFuture: Send + 'static,
    {
        let (site, new) = (Location::caller(), NewProcess::of()(future));
        let (opts, reason) = Ended::opts();
        let (pid, monitor) = context::process("Ended::spawn_root_service", |me| {
            let start = Start { service: Some(Service::Root), ..Start::child(me, site) };
            me.start_monitored_with(start, new, opts.delivery)
        })?;
        Some((pid, Ended { monitor, reason }))
    }

    fn opts() -> (MonitorOpts, Waiting<ExitReason>) {
        let (answer, reason) = Waiting::new();
        let mut opts = MonitorOpts::new();
        opts.delivery.tag = Some(Tag::ended(answer));
        (opts, reason)
    }
}

impl Future for Ended {
    type Output = ExitReason;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<ExitReason> {
        let reason = Pin::new(&mut self.reason).poll(context);
        reason.map(|reason| reason.unwrap_or(ExitReason::Noproc))
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        context::try_process(|me| end_monitor(me, self.monitor));
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::{Node, exit};

    #[test]
    fn the_reason_of_the_end() {
        Node::builder().build().unwrap().block_on(async {
            let (pid, ended) = Ended::spawn(async { exit(ExitReason::Timeout) });
            assert_eq!(ended.await, ExitReason::Timeout);
            assert_eq!(Ended::of(pid).await, ExitReason::Noproc);
        });
    }
}
