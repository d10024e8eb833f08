//! Waiting for one answer, outside of the mailbox.
//!
//! A function that asks for something waits for its own answer only. So the answer goes to
//! the function directly, and not by the mailbox: any number of such functions wait side by
//! side, and beside a `receive!`, and none of them looks at a message.
//!
//! The order of signals holds all the same. All that was sent to the process before the answer
//! is received before the answer is returned.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::budget::{is_dropped, stops};
use super::monitor::MonitorOpts;
use super::spawn_opt::{SpawnOpts, spawn_opt};
use super::tag::Tag;
use crate::context;
use crate::exit_reason::ExitReason;
use crate::oneshot::{Answer, Oneshot};
use crate::pid::Pid;
use crate::reference::Reference;

/// The answer that the running process waits for. `None` if it will never come.
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Waiting<T>(Oneshot<Option<T>>);

impl<T> Waiting<T> {
    /// Returns what gives the answer, and what waits for it.
    pub fn new() -> (Answer<T>, Waiting<T>) {
        let (answer, wait) = Answer::new();
        (answer, Waiting(wait))
    }
}

impl<T> Future for Waiting<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        if is_dropped() {
            return Poll::Ready(self.0.take().flatten());
        }
        if !self.0.is_set_or_wakes(context) {
            return Poll::Pending;
        }
        context::try_process(|me| me.take_signals_aside());
        if stops(context) {
            return Poll::Pending;
        }
        Poll::Ready(self.0.take().flatten())
    }
}

/// Waits for the end of a process, by a monitor whose `Down` is not a message. The monitor is
/// taken back when this is dropped.
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Ended {
    monitor: Reference,
    reason: Waiting<ExitReason>,
}

impl Ended {
    /// Begins to monitor a process.
    ///
    /// # Panics
    /// Outside of a process.
    #[track_caller]
    pub fn of(pid: Pid) -> Ended {
        let (opts, reason) = Ended::opts();
        let monitor = context::process("Ended::of", |me| {
            let monitor = me.node.make_ref();
            me.monitor_by(monitor, pid.into(), opts);
            monitor
        });
        Ended { monitor, reason }
    }

    /// Spawns a process, and monitors it from its beginning.
    ///
    /// # Panics
    /// As [`spawn`](crate::spawn).
    #[track_caller]
    pub fn spawn<F>(future: F) -> (Pid, Ended)
    where
        F: IntoFuture,
        F::IntoFuture: Send + 'static,
    {
        let (monitor, reason) = Ended::opts();
        let spawned = spawn_opt(SpawnOpts::new().monitor_with(monitor), future);
        (spawned.pid, Ended { monitor: spawned.monitor.expect("it was asked for"), reason })
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
        context::try_process(|me| me.demonitor(self.monitor));
    }
}
