//! Blocking calls, on separate threads.

use std::future::{Future, poll_fn};
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::context;
use crate::exit_reason::ExitReason;
use crate::node::run_blocking;
use crate::oneshot::{Answer, Wait};
use crate::priority::Priority;
use crate::process::core::{Running, is_in_destructor, stops};
use crate::process::failure::{__rust_begin_short_backtrace, catch, contain, raise};
use crate::process::life::leave_destructor;
use crate::scheduler::Urgency;

/// The pool of threads that runs a blocking call.
#[derive(Clone, Copy)]
pub(crate) enum Blocking {
    /// The program's own calls.
    Program,
    /// Calls of the node's services. A call that no process waits for any more does not begin.
    Service(Urgency),
}

impl Blocking {
    /// Returns the pool for a call of this process.
    fn of(me: Running<'_>) -> Blocking {
        match me.control.slot.vitals.priority() {
            _ if !me.node.table.is_reserved(me.control.slot) => Blocking::Program,
            Priority::Low => Blocking::Service(Urgency::Patient),
            _ => Blocking::Service(Urgency::Prompt),
        }
    }
}

/// Runs a blocking call on a thread for such calls. A panic of the call continues in the process
/// that waits. In a destructor during a panic or an `exit`, the call is made in place.
///
/// At most 512 calls run at the same time; others wait. If the system refuses a thread, the call
/// waits until a thread can be started, which is tried ten times a second, or until another call
/// ends. If no other call is running, the process that waits ends with `system_limit`. When the node
/// stops, calls that have not begun are dropped.
///
/// Calls in the methods of a resolver run on other threads: see the `Resolver` trait.
///
/// ```
/// # use fika_runtime::{Node, spawn_blocking};
/// # Node::builder().build().unwrap().block_on(async {
/// let hosts = spawn_blocking(|| std::fs::read_to_string("/etc/hosts")).await;
/// println!("{hosts:?}");
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn spawn_blocking<T, F>(call: F) -> SpawnBlocking<T>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    context::process("spawn_blocking", |me| SpawnBlocking::begin(me, Blocking::of(me), call))
}

/// Runs a network look-up on a thread, separately from the program's own blocking calls.
///
/// # Errors
/// `system_limit` if the system refuses a thread. If the call panics, the panic as an exit reason.
///
/// # Panics
/// Outside of a process.
#[doc(hidden)]
pub async fn run_lookup<T, F>(call: F) -> Result<T, ExitReason>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let mut begun = context::process("run_lookup", |me| {
        let kind = match Blocking::of(me) {
            Blocking::Program => Blocking::Service(Urgency::Prompt),
            kind @ Blocking::Service(_) => kind,
        };
        SpawnBlocking::begin(me, kind, call)
    });
    poll_fn(|context| begun.poll_result(context)).await
}

/// The future of [`spawn_blocking`]. The call runs even if the future is not awaited.
///
/// ```
/// # use fika_runtime::{Node, SpawnBlocking, spawn_blocking};
/// # Node::builder().build().unwrap().block_on(async {
/// // Both calls run at the same time.
/// let sums: [SpawnBlocking<u64>; 2] = [10, 20].map(|n| spawn_blocking(move || (1..=n).sum()));
/// let [small, large] = sums;
/// assert_eq!((small.await, large.await), (55, 210));
/// # });
/// ```
#[derive(Debug)]
#[must_use = "await it for the result; `drop` it if the result does not matter"]
pub struct SpawnBlocking<T>(Wait<Result<T, ExitReason>>);

impl<T: Send + 'static> SpawnBlocking<T> {
    fn begin(
        me: Running<'_>,
        kind: Blocking,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> SpawnBlocking<T> {
        let (answer, mut result) = Answer::new(Some(me.asker()));
        let call = move || catch(|| __rust_begin_short_backtrace(call));
        if me.control.is_ending() {
            // PROC-7: no call is made.
        } else if std::thread::panicking() {
            // A destructor can neither wait for a thread nor be left.
            answer.give(call());
        } else {
            // The process may have ended by then, and then the value is dropped here.
            let is_optional = matches!(kind, Blocking::Service(_));
            let call = Box::new(move || {
                if is_optional && answer.is_abandoned() {
                    return contain(|| drop(call));
                }
                contain(move || answer.give(call()));
            });
            if run_blocking(me.node, kind, call).is_err() {
                let (refusal, refused) = Answer::new(None);
                refusal.give(Err(ExitReason::SystemLimit));
                result = refused;
            }
        }
        SpawnBlocking(result)
    }
}

impl<T> SpawnBlocking<T> {
    fn poll_result(&mut self, context: &mut Context<'_>) -> Poll<Result<T, ExitReason>> {
        if stops(context) {
            return Poll::Pending;
        }
        let given = self.0.is_given_or_wakes(context);
        match self.0.take() {
            Some((Some(result), _)) => Poll::Ready(result),
            // The call was not begun: the process ends (PROC-7), or the node stops.
            _ if given && is_in_destructor() => leave_destructor("spawn_blocking"),
            _ if !given && waits_in_vain() => leave_destructor("spawn_blocking"),
            _ => Poll::Pending,
        }
    }
}

/// Returns whether a destructor that waits for a call should be left: by unwinding if that is
/// possible, and if it is not, only in a simulation, whose calls are made between turns.
fn waits_in_vain() -> bool {
    let by_steps = || context::try_node(|node| node.scheduler.by_steps().is_some());
    is_in_destructor() && (!std::thread::panicking() || by_steps() == Some(true))
}

impl<T> Future for SpawnBlocking<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match self.poll_result(context) {
            Poll::Ready(Ok(value)) => Poll::Ready(value),
            // This is not the call's own error: a call can't end with an exit reason.
            Poll::Ready(Err(ExitReason::SystemLimit)) => raise(ExitReason::SystemLimit),
            Poll::Ready(Err(reason)) => resume_unwind(Box::new(reason)),
            Poll::Pending => Poll::Pending,
        }
    }
}
