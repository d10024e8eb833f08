//! The timer service: things that happen after a time, or again and again (OTP's `timer`).
//!
//! A message after a time is a timer of the runtime's own. Anything else is a process of its
//! own that waits, and does at the time what it is for; so timers do not wait for each other,
//! and there is no server that all of them go through. None of them depends on the process
//! that started it, unless it says so.
//!
//! Interval timers aim at their start and a multiple of the interval: that one run was late
//! does not make the next one late.
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
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TRef(Kind);

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Kind {
    Message(TimerRef),
    Process(Pid),
}

/// Why there is no such timer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("badarg: {0}")]
pub struct TimerError(&'static str);

/// Sends a message after this time (`timer:send_after/3`).
///
/// A name is looked up when the time is over; if nobody has it then, the message is dropped.
/// The timer ends with the process whose pid is given.
///
/// # Errors
/// When the destination is on another node, or the time is more than 100 years.
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
/// When the time is more than 100 years.
///
/// # Panics
/// Outside of a process. When the node has as many processes as it may have, the calling
/// process ends with `system_limit`.
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

/// Sends an exit signal after this time (`timer:exit_after/3`). A name is looked up when the
/// time is over.
///
/// # Errors
/// As [`send_after`].
///
/// # Panics
/// As [`apply_after`].
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
            // There is nobody left to be told once it has ended.
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
/// # Errors
/// As [`send_after`].
///
/// # Panics
/// As [`apply_after`].
pub fn kill_after<'a>(time: Duration, dest: impl Into<Dest<'a>>) -> Result<TRef, TimerError> {
    exit_after(time, dest, ExitReason::Kill)
}

/// Sends a message again and again, each time after this interval (`timer:send_interval/3`).
///
/// A name is looked up now: the timer is for the process that has it, and ends with that
/// process.
///
/// # Errors
/// When there is no such process on this node, or the interval is zero or more than 100 years.
///
/// # Panics
/// As [`apply_after`].
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

/// Runs what the function makes in a new process, again and again, each time after this interval
/// (`timer:apply_interval/2`), whether or not the previous run has ended. The timer ends with the
/// process that starts it. A run is skipped, and logged, if the node has no room for its process.
///
/// # Errors
/// When the interval is zero or more than 100 years.
///
/// # Panics
/// As [`apply_after`].
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

/// As [`apply_interval`], and a run begins only when the one before has ended
/// (`timer:apply_repeatedly/2`). If one takes longer than the interval, those that should have
/// been meanwhile follow it without a pause.
///
/// # Errors
/// As [`apply_interval`].
///
/// # Panics
/// As [`apply_after`].
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

/// Takes a timer back (`timer:cancel/1`). When this is ready nothing comes of it any more;
/// what a run has begun goes on. That it has fired already is no error, and what it has sent
/// may be in the mailbox. When this is dropped before it is ready, the timer still ends soon.
///
/// # Errors
/// When it is a timer of another node.
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

/// How long a future takes in this process, and its value (`timer:tc/1`).
///
/// # Panics
/// Outside of a process, and with the future's own panic.
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
/// the timer goes on.
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

/// Waits for the time; false if what is monitored ends before.
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
