//! The timer service: actions after a time, once or repeatedly (OTP's `timer`).
//!
//! A timer that sends a message is a timer of the runtime. Any other timer is a process that waits
//! and then acts. So timers don't wait for each other, and there is no server that all of them
//! share. A timer outlives the process that started it, unless its documentation says otherwise.
//!
//! Run number `n` of an interval timer is due `n` intervals after the start, so a late run does not
//! delay the next one.
//!
//! ```
//! # use std::time::Duration;
//! # use fika_runtime::{Node, self_pid, timer};
//! # Node::builder().build().unwrap().block_on(async {
//! let ticks = timer::send_interval(Duration::from_millis(10), self_pid(), 7_u64)?;
//! let once = timer::apply_after(Duration::from_secs(5), async { println!("5 s are over") })?;
//! timer::cancel(once).await?;
//! timer::cancel(ticks).await?;
//! # Ok::<(), timer::TimerError>(())
//! # }).unwrap();
//! ```

use std::time::Duration;

use fika_macros::receive;

use crate::report;
use crate::{
    Dest, Down, Ended, ExitReason, Message, Outcome, Pid, Reference, SpawnOpts, SpawnReply, Time,
    TimerRef, cancel_timer, exit_process, monitor, self_node, self_pid, spawn, spawn_request,
    whereis,
};

pub use crate::sleep;

/// A timer of this module.
///
/// ```
/// # use std::time::Duration;
/// # use fika_runtime::{Node, self_pid, timer};
/// # Node::builder().build().unwrap().block_on(async {
/// let reminder: timer::TRef = timer::send_after(Duration::from_secs(60), self_pid(), 7_u64)?;
/// timer::cancel(reminder).await?;
/// # Ok::<(), timer::TimerError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TRef(Kind);

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Kind {
    Message(TimerRef),
    Process(Pid),
}

/// Why a timer could not be started or cancelled.
///
/// ```
/// # use std::time::Duration;
/// # use fika_runtime::{Node, self_pid, timer};
/// # Node::builder().build().unwrap().block_on(async {
/// let error = timer::send_interval(Duration::ZERO, self_pid(), 7_u64).unwrap_err();
/// println!("{error}");
/// # });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("badarg: {0}")]
pub struct TimerError(&'static str);

/// Sends a message after this time (`timer:send_after/3`).
///
/// A name is looked up when the time is over. If no process has the name then, the message is
/// dropped. If a pid is given, the timer ends with its process.
///
/// ```
/// # use std::time::Duration;
/// # use fika_runtime::{Node, self_pid, timer};
/// # Node::builder().build().unwrap().block_on(async {
/// let timer = timer::send_after(Duration::from_secs(60), self_pid(), 7_u64)?;
/// timer::cancel(timer);
/// # Ok::<(), timer::TimerError>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// If the destination is on another node, or the time is longer than 100 years.
///
/// # Panics
/// Outside of a process.
pub fn send_after<'a, M: Message>(
    time: Duration,
    dest: impl Into<Dest<'a>>,
    message: M,
) -> Result<TRef, TimerError> {
    let dest = dest.into();
    check_time(time)?;
    check_here(&dest)?;
    Ok(TRef(Kind::Message(crate::send_after(time, dest, message))))
}

/// Runs a future in a new process after this time (`timer:apply_after/2`).
///
/// # Errors
/// If the time is longer than 100 years.
///
/// # Panics
/// Outside of a process. If the node has no room for another process, the calling process ends with
/// `system_limit`.
pub fn apply_after<F>(time: Duration, future: F) -> Result<TRef, TimerError>
where
    F: IntoFuture<Output: Outcome> + Send + 'static,
    F::IntoFuture: Send + 'static,
{
    check_time(time)?;
    let due = now() + time;
    // Boxed, since the waiting process would otherwise hold a large future twice.
    let future = Box::pin(future.into_future());
    Ok(process(async move {
        until(due, None).await;
        spawn(future);
    }))
}

/// Sends an exit signal after this time (`timer:exit_after/3`). A name is looked up when the time
/// is over.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use std::time::Duration;
/// # use fika::{Down, ExitReason, Node, spawn_monitor, timer};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// // Whatever the guest does, it leaves soon.
/// let (guest, _) = spawn_monitor(std::future::pending::<()>());
/// timer::exit_after(Duration::from_millis(1), guest, ExitReason::Shutdown)?;
/// receive! { Down { reason, .. } => assert_eq!(reason, ExitReason::Shutdown) }
/// # Ok::<(), timer::TimerError>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// Fails as [`send_after`] does.
///
/// # Panics
/// Panics as [`apply_after`] does.
pub fn exit_after<'a>(
    time: Duration,
    dest: impl Into<Dest<'a>>,
    reason: ExitReason,
) -> Result<TRef, TimerError> {
    let dest = dest.into();
    check_time(time)?;
    check_here(&dest)?;
    let due = now() + time;
    Ok(match dest {
        Dest::Pid(pid) => process(async move {
            // If the process ends before, no signal is needed.
            if until(due, Some(monitor(pid))).await {
                exit_process(pid, reason);
            }
        }),
        Dest::Name(name) | Dest::NameAt(name, _) => {
            let name = name.into_owned();
            process(async move {
                until(due, None).await;
                if let Some(pid) = whereis(&name) {
                    exit_process(pid, reason);
                }
            })
        }
        Dest::Alias(alias) => process(async move {
            until(due, None).await;
            exit_process(alias, reason);
        }),
    })
}

/// Kills a process after this time (`timer:kill_after/2`).
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use std::time::Duration;
/// # use fika::{Down, ExitReason, Node, spawn_monitor, timer, trap_exit};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// let (guest, _) = spawn_monitor(async {
///     trap_exit(true); // This does not help against `Kill`.
///     std::future::pending::<()>().await
/// });
/// timer::kill_after(Duration::from_millis(1), guest)?;
/// receive! { Down { reason, .. } => assert_eq!(reason, ExitReason::Killed) }
/// # Ok::<(), timer::TimerError>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// Fails as [`send_after`] does.
///
/// # Panics
/// Panics as [`apply_after`] does.
pub fn kill_after<'a>(time: Duration, dest: impl Into<Dest<'a>>) -> Result<TRef, TimerError> {
    exit_after(time, dest, ExitReason::Kill)
}

/// Sends a message repeatedly, once per interval (`timer:send_interval/3`).
///
/// A name is looked up immediately. The timer sends to the process that has the name, and ends with
/// it.
///
/// # Errors
/// If there is no such process on this node, or the interval is zero or longer than 100 years.
///
/// # Panics
/// Panics as [`apply_after`] does.
pub fn send_interval<'a, M: Message + Clone>(
    interval: Duration,
    dest: impl Into<Dest<'a>>,
    message: M,
) -> Result<TRef, TimerError> {
    let dest = dest.into();
    check_interval(interval)?;
    check_here(&dest)?;
    let pid = match dest {
        Dest::Pid(pid) => pid,
        Dest::Name(name) | Dest::NameAt(name, _) => {
            whereis(&name).ok_or(TimerError("no process is registered under this name"))?
        }
        Dest::Alias(_) => {
            return Err(TimerError(
                "an interval timer can't send to an alias: give it a pid or a name",
            ));
        }
    };
    let mut due = now() + interval;
    Ok(process(async move {
        let target = monitor(pid);
        while until(due, Some(target)).await {
            crate::send(pid, message.clone());
            due = due + interval;
        }
    }))
}

/// Runs the futures that `function` makes, each in a new process, once per interval
/// (`timer:apply_interval/2`), whether or not the previous run has ended. The timer ends with the
/// process that starts it. If the node has no room for the process of a run, the run is skipped and
/// logged.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use std::time::Duration;
/// # use fika::{Node, self_pid, send, timer};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// let (me, mut n) = (self_pid(), 0_u64);
/// let ticks = timer::apply_interval(Duration::from_millis(1), move || {
///     n += 1;
///     async move { send(me, n) }
/// })?;
/// receive! { 3_u64 => timer::cancel(ticks).await? }
/// # Ok::<(), timer::TimerError>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// If the interval is zero or longer than 100 years.
///
/// # Panics
/// Panics as [`apply_after`] does.
pub fn apply_interval<F, R>(interval: Duration, mut function: F) -> Result<TRef, TimerError>
where
    F: FnMut() -> R + Send + 'static,
    R: Future<Output: Outcome> + Send + 'static,
{
    check_interval(interval)?;
    let (starter, mut due) = (self_pid(), now() + interval);
    Ok(process(async move {
        let starter = monitor(starter);
        while until(due, Some(starter)).await {
            let run = spawn_request(SpawnOpts::new(), function());
            has_begun(run).await;
            due = due + interval;
        }
    }))
}

/// Runs futures once per interval as [`apply_interval`] does, but begins a run only when the
/// previous one has ended (`timer:apply_repeatedly/2`). If a run takes longer than the interval,
/// the runs that were due meanwhile follow without a pause.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use std::time::Duration;
/// # use fika::{Node, self_pid, send, sleep, timer};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// let me = self_pid();
/// let polls = timer::apply_repeatedly(Duration::from_millis(1), move || async move {
///     // A slow run is not overtaken by the next one.
///     sleep(Duration::from_millis(2)).await;
///     send(me, "polled".to_owned());
/// })?;
/// receive! { "polled" => {} }
/// receive! { "polled" => timer::cancel(polls).await? }
/// # Ok::<(), timer::TimerError>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// Fails as [`apply_interval`] does.
///
/// # Panics
/// Panics as [`apply_after`] does.
pub fn apply_repeatedly<F, R>(interval: Duration, mut function: F) -> Result<TRef, TimerError>
where
    F: FnMut() -> R + Send + 'static,
    R: Future<Output: Outcome> + Send + 'static,
{
    check_interval(interval)?;
    let (starter, mut due) = (self_pid(), now() + interval);
    Ok(process(async move {
        let starter = monitor(starter);
        while until(due, Some(starter)).await {
            // A request and its monitor have the same reference.
            let run = spawn_request(SpawnOpts::new().monitor(), function());
            if has_begun(run).await {
                receive! {
                    Down { monitor, .. } if monitor == run => {}
                    Down { monitor, .. } if monitor == starter => return,
                }
            }
            due = due + interval;
        }
    }))
}

/// Cancels a timer (`timer:cancel/1`). When this returns, the timer does nothing any more, but a
/// run that has begun continues. Cancelling a timer that has fired is not an error, and its message
/// may already be in the mailbox. If the future is dropped before it is ready, the timer still ends
/// soon.
///
/// # Errors
/// If the timer belongs to another node.
///
/// # Panics
/// Outside of a process.
pub async fn cancel(timer: TRef) -> Result<(), TimerError> {
    match timer.0 {
        Kind::Message(timer) if timer.node() != self_node().id() => Err(OTHER_NODE),
        Kind::Process(pid) if pid.node() != self_node().id() => Err(OTHER_NODE),
        Kind::Message(timer) => {
            cancel_timer(timer);
            Ok(())
        }
        Kind::Process(pid) => {
            let ended = Ended::of(pid);
            exit_process(pid, ExitReason::Kill);
            ended.await;
            Ok(())
        }
    }
}

/// Runs a future in this process. Returns how long it took, and its value (`timer:tc/1`).
///
/// ```
/// # use std::time::Duration;
/// # use fika_runtime::{Node, sleep, timer};
/// # Node::builder().build().unwrap().block_on(async {
/// let (took, answer) = timer::tc(async {
///     sleep(Duration::from_millis(2)).await;
///     42
/// }).await;
/// assert!(took >= Duration::from_millis(2));
/// assert_eq!(answer, 42);
/// # });
/// ```
///
/// # Panics
/// Outside of a process, or if the future panics.
pub async fn tc<F: IntoFuture>(future: F) -> (Duration, F::Output) {
    let begun = now();
    let value = future.await;
    (now().since(begun), value)
}

const OTHER_NODE: TimerError = TimerError("the process is on another node: start the timer there");

fn check_time(time: Duration) -> Result<(), TimerError> {
    if time > TimerRef::TIME_MAX {
        Err(TimerError("the time is longer than 100 years"))
    } else {
        Ok(())
    }
}

fn check_interval(interval: Duration) -> Result<(), TimerError> {
    if interval.is_zero() {
        return Err(TimerError("the interval is zero"));
    }
    check_time(interval)
}

fn check_here(dest: &Dest<'_>) -> Result<(), TimerError> {
    let node = self_node();
    let here = match dest {
        Dest::Pid(pid) => pid.node() == node.id(),
        Dest::Alias(alias) => alias.node() == node.id(),
        Dest::Name(_) => true,
        Dest::NameAt(_, at) => node.name().as_str() == &**at,
    };
    if here { Ok(()) } else { Err(OTHER_NODE) }
}

fn now() -> Time {
    self_node().env().now()
}

/// Returns whether there was room for a run of an interval timer. If not, the run is skipped and
/// the timer continues.
async fn has_begun(run: Reference) -> bool {
    let result = receive! {
        SpawnReply { reference, result } if reference == run => result,
    };
    if let Err(error) = &result {
        let timer = self_pid();
        report!(error, %timer, %error, "a run of an interval timer was skipped");
    }
    result.is_ok()
}

fn process(waits: impl Future<Output = ()> + Send + 'static) -> TRef {
    TRef(Kind::Process(spawn(waits)))
}

/// Waits for the time. Returns false if the monitored process ends before.
async fn until(due: Time, ends: Option<Reference>) -> bool {
    let left = due.since(now());
    match ends {
        None => sleep(left).await,
        Some(ends) => receive! {
            Down { monitor, .. } if monitor == ends => return false,
            after left => {}
        },
    }
    true
}
