//! Timers that send a message: starting, reading and cancelling them.
//!
//! `deliver::timer_action` is what happens when they are due.

use std::time::Duration;

use crate::context;
use crate::dest::Dest;
use crate::env::Time;
use crate::exit_reason::ExitReason;
use crate::message::{Envelope, Message};
use crate::process::core::Running;
use crate::process::deliver::{Action, deliver_asked};
use crate::process::failure::refuse;
use crate::timers::{CancelTimer, ReadTimer, TIMER_MAX, Timeout, TimerRef};

/// Sends a message after this time (Erlang's `erlang:send_after/3`).
///
/// The timer is not cancelled when the calling process ends. A timer to a pid ends with the process
/// of this pid. A name is looked up when the time is over; if it is not registered then, the
/// message is dropped.
///
/// ```
/// # use std::time::Duration;
/// # use fika_runtime::{Node, cancel_timer, self_pid, send_after};
/// # Node::builder().build().unwrap().block_on(async {
/// let timer = send_after(Duration::from_secs(5), self_pid(), "it is time".to_owned());
/// let left = cancel_timer(timer);
/// assert!(left.is_some_and(|left| left > Duration::from_secs(4)));
/// # });
/// ```
///
/// # Panics
/// Outside of a process. A destination on another node, or a time of more than 100 years, ends
/// the calling process with `badarg`.
#[track_caller]
pub fn send_after<'a, M: Message>(
    time: Duration,
    dest: impl Into<Dest<'a>>,
    message: M,
) -> TimerRef {
    context::process("send_after", |me| {
        start_send(me, |_| time, dest.into(), |_| Envelope::new(message))
    })
}

/// Sends a message like [`send_after`], at this time of the node's own clock (Erlang's
/// `erlang:send_after/4` with `{abs, true}`). If the time has passed, it is sent immediately.
///
/// ```
/// # use std::time::Duration;
/// # use fika_runtime::{Node, self_node, self_pid, send_at};
/// # Node::builder().build().unwrap().block_on(async {
/// let at = self_node().env().now() + Duration::from_millis(100);
/// send_at(at, self_pid(), "it is time".to_string());
/// # });
/// ```
///
/// # Panics
/// Outside of a process. A destination on another node, or a time of more than 100 years, ends
/// the calling process with `badarg`.
#[track_caller]
pub fn send_at<'a, M: Message>(time: Time, dest: impl Into<Dest<'a>>, message: M) -> TimerRef {
    context::process("send_at", |me| {
        start_send(me, |now| time.since(now), dest.into(), |_| Envelope::new(message))
    })
}

/// Sends a [`Timeout`] with this message and the timer's reference after this time (Erlang's
/// `erlang:start_timer/3`). The reference tells a late timeout from a new one. Otherwise, this does
/// what [`send_after`] does.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use std::time::Duration;
/// # use fika::{Node, Timeout, self_pid, start_timer};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// let started = start_timer(Duration::from_millis(5), self_pid(), 7_u64);
/// receive! { Timeout::<u64> { timer, .. } => assert_eq!(timer, started) }
/// # });
/// ```
///
/// # Panics
/// Outside of a process. A destination on another node, or a time of more than 100 years, ends
/// the calling process with `badarg`.
#[track_caller]
pub fn start_timer<'a, M: Message>(
    time: Duration,
    dest: impl Into<Dest<'a>>,
    message: M,
) -> TimerRef {
    context::process("start_timer", |me| {
        let message = |timer| Envelope::new(Timeout { timer, message });
        start_send(me, |_| time, dest.into(), message)
    })
}

/// Sends a [`Timeout`] like [`start_timer`], at this time of the node's own clock (Erlang's
/// `erlang:start_timer/4` with `{abs, true}`). If the time has passed, it is sent immediately.
///
/// ```
/// # use std::time::Duration;
/// # use fika_runtime::{Node, self_node, self_pid, start_timer_at};
/// # Node::builder().build().unwrap().block_on(async {
/// let at = self_node().env().now() + Duration::from_millis(100);
/// let timer = start_timer_at(at, self_pid(), 7_u64);
/// # let _ = timer;
/// # });
/// ```
///
/// # Panics
/// Outside of a process. A destination on another node, or a time of more than 100 years, ends
/// the calling process with `badarg`.
#[track_caller]
pub fn start_timer_at<'a, M: Message>(
    time: Time,
    dest: impl Into<Dest<'a>>,
    message: M,
) -> TimerRef {
    context::process("start_timer_at", |me| {
        let message = |timer| Envelope::new(Timeout { timer, message });
        start_send(me, |now| time.since(now), dest.into(), message)
    })
}

/// Cancels a timer, and returns the time that it had left (Erlang's `erlang:cancel_timer/1`).
/// `None` if the timer had fired, was cancelled before, or belongs to another node. Its message may
/// be in the mailbox then.
///
/// ```
/// # use std::time::Duration;
/// # use fika_runtime::{Node, cancel_timer, self_pid, send_after};
/// # Node::builder().build().unwrap().block_on(async {
/// let timer = send_after(Duration::from_secs(60), self_pid(), 7_u64);
/// let left = cancel_timer(timer);
/// assert!(left.is_some_and(|left| left <= Duration::from_secs(60)));
/// // It is gone.
/// assert_eq!(cancel_timer(timer), None);
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn cancel_timer(timer: TimerRef) -> Option<Duration> {
    context::process("cancel_timer", |me| me.node.cancel_timer(timer))
}

/// Cancels a timer. The value that [`cancel_timer`] would return comes as a message [`CancelTimer`]
/// (Erlang's `erlang:cancel_timer/2` with `{async, true}`).
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use std::time::Duration;
/// # use fika::{CancelTimer, Node, cancel_timer_async, self_pid, send_after};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// let started = send_after(Duration::from_secs(60), self_pid(), 7_u64);
/// cancel_timer_async(started);
/// receive! { CancelTimer { timer, left } if timer == started => assert!(left.is_some()) }
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn cancel_timer_async(timer: TimerRef) {
    context::process("cancel_timer_async", |me| {
        let left = me.node.cancel_timer(timer);
        let message = Envelope::new(CancelTimer { timer, left });
        deliver_asked(me.node, me.pid(), message);
    });
}

/// Cancels a timer, without a result (Erlang's `erlang:cancel_timer/2` with `{info, false}`).
///
/// ```
/// # use std::time::Duration;
/// # use fika_runtime::{Node, cancel_timer_no_info, self_pid, send_after};
/// # Node::builder().build().unwrap().block_on(async {
/// let timer = send_after(Duration::from_secs(60), self_pid(), 7_u64);
/// cancel_timer_no_info(timer);
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn cancel_timer_no_info(timer: TimerRef) {
    context::process("cancel_timer_no_info", |me| {
        me.node.cancel_timer(timer);
    });
}

/// Returns the time that a timer has left (Erlang's `erlang:read_timer/1`). `None` if it has fired
/// or was cancelled.
///
/// ```
/// # use std::time::Duration;
/// # use fika_runtime::{Node, cancel_timer, read_timer, self_pid, send_after};
/// # Node::builder().build().unwrap().block_on(async {
/// let minute = Duration::from_secs(60);
/// let timer = send_after(minute, self_pid(), 1_u64);
/// assert!(read_timer(timer).is_some_and(|left| left <= minute));
/// cancel_timer(timer);
/// assert_eq!(read_timer(timer), None);
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn read_timer(timer: TimerRef) -> Option<Duration> {
    context::process("read_timer", |me| me.node.read_timer(timer))
}

/// Asks for the time that a timer has left. The answer, which [`read_timer`] would have returned,
/// comes as a message [`ReadTimer`] (Erlang's `erlang:read_timer/2` with `{async, true}`).
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use std::time::Duration;
/// # use fika::{Node, ReadTimer, read_timer_async, self_pid, start_timer};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// let timer = start_timer(Duration::from_secs(5), self_pid(), ());
/// read_timer_async(timer);
/// receive! {
///     ReadTimer { timer: asked, left } if asked == timer => println!("{left:?} are left"),
/// }
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn read_timer_async(timer: TimerRef) {
    context::process("read_timer_async", |me| {
        let left = me.node.read_timer(timer);
        deliver_asked(me.node, me.pid(), Envelope::new(ReadTimer { timer, left }));
    });
}

impl TimerRef {
    /// The longest time of a timer: 100 years.
    pub const TIME_MAX: Duration = TIMER_MAX;
}

fn start_send(
    me: Running<'_>,
    time: impl FnOnce(Time) -> Duration,
    dest: Dest<'_>,
    message: impl FnOnce(TimerRef) -> Envelope,
) -> TimerRef {
    let Some(me) = me.unless_ending() else { return me.node.timers.none() };
    let now = me.node.env.now();
    let time = time(now);
    if let Err(why) = check_timer(me, time, &dest) {
        refuse(why);
        return me.node.timers.none();
    }
    match dest {
        Dest::Pid(pid) => me.node.start_send(now, now + time, pid, message),
        dest => {
            let dest = Box::new(dest.into_owned());
            let action = |timer| Action::SendByName(dest, message(timer));
            me.node.start_timer_at(now, now + time, action)
        }
    }
}

fn check_timer(me: Running<'_>, time: Duration, dest: &Dest<'_>) -> Result<(), ExitReason> {
    let here = match dest {
        Dest::Pid(pid) => pid.node() == me.node.id,
        Dest::Alias(alias) => alias.node() == me.node.id,
        Dest::Name(_) => true,
        Dest::NameAt(_, node) => me.node.is_called(node),
    };
    if !here {
        return Err(ExitReason::badarg("a timer can send only to a process of its own node"));
    }
    if time > TIMER_MAX {
        return Err(ExitReason::badarg(format_args!(
            "a timer of {time:?} is over the limit, 100 years"
        )));
    }
    Ok(())
}
