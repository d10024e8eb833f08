//! Timers that send: to start, to ask, to take back.
//!
//! What they do when they fall due is in `timer_action`.

use std::time::Duration;

use crate::context;
use crate::dest::Dest;
use crate::env::Time;
use crate::exit_reason::ExitReason;
use crate::message::{Envelope, Message};
use crate::process::core::Running;
use crate::process::deliver::Action;
use crate::process::life::refuse;
use crate::timers::{CancelTimer, ReadTimer, TIMER_MAX, Timeout, TimerRef};

/// Sends a message after this time (Erlang's `erlang:send_after/3`).
///
/// The timer goes on when the calling process ends, and ends with the process whose pid is the
/// destination. A name is looked up when the time is over; if nobody has it then, the message
/// is dropped.
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
        me.start_send(|_| time, dest.into(), |_| Envelope::new(message))
    })
}

/// As [`send_after`], at this time of the node's own clock (Erlang's `erlang:send_after/4` with
/// `{abs, true}`). A time that is past is now.
///
/// # Panics
/// As [`send_after`].
#[track_caller]
pub fn send_at<'a, M: Message>(time: Time, dest: impl Into<Dest<'a>>, message: M) -> TimerRef {
    context::process("send_at", |me| {
        me.start_send(|now| time.since(now), dest.into(), |_| Envelope::new(message))
    })
}

/// As [`send_after`], and the message is a [`Timeout`] with the timer's own reference, which
/// tells a late one from a new one (Erlang's `erlang:start_timer/3`).
///
/// # Panics
/// As [`send_after`].
#[track_caller]
pub fn start_timer<'a, M: Message>(
    time: Duration,
    dest: impl Into<Dest<'a>>,
    message: M,
) -> TimerRef {
    context::process("start_timer", |me| {
        let message = |timer| Envelope::new(Timeout { timer, message });
        me.start_send(|_| time, dest.into(), message)
    })
}

/// As [`start_timer`], at this time of the node's own clock (Erlang's `erlang:start_timer/4`
/// with `{abs, true}`). A time that is past is now.
///
/// # Panics
/// As [`send_after`].
#[track_caller]
pub fn start_timer_at<'a, M: Message>(
    time: Time,
    dest: impl Into<Dest<'a>>,
    message: M,
) -> TimerRef {
    context::process("start_timer_at", |me| {
        let message = |timer| Envelope::new(Timeout { timer, message });
        me.start_send(|now| time.since(now), dest.into(), message)
    })
}

/// Takes a timer back (Erlang's `erlang:cancel_timer/1`). The time that was left, or none
/// if it had fired, was cancelled, or is not of this node; its message may be in the
/// mailbox then.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn cancel_timer(timer: TimerRef) -> Option<Duration> {
    context::process("cancel_timer", |me| me.node.cancel_timer(timer))
}

/// Takes a timer back; what [`cancel_timer`] would return comes as a message [`CancelTimer`]
/// (Erlang's `erlang:cancel_timer/2` with `{async, true}`).
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn cancel_timer_async(timer: TimerRef) {
    context::process("cancel_timer_async", |me| {
        let left = me.node.cancel_timer(timer);
        let message = Envelope::new(CancelTimer { timer, left });
        me.node.deliver_asked(me.pid(), message);
    });
}

/// Takes a timer back, and tells nothing of it (Erlang's `erlang:cancel_timer/2` with
/// `{info, false}`).
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
/// # use std::time::Duration;
/// # use fika_runtime::{Node, read_timer_async, self_pid, start_timer};
/// # Node::builder().build().unwrap().block_on(async {
/// let timer = start_timer(Duration::from_secs(5), self_pid(), ());
/// read_timer_async(timer);
/// // receive! {
/// //     ReadTimer { timer: asked, left } if asked == timer => println!("{left:?} are left"),
/// // }
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn read_timer_async(timer: TimerRef) {
    context::process("read_timer_async", |me| {
        let left = me.node.read_timer(timer);
        me.node.deliver_asked(me.pid(), Envelope::new(ReadTimer { timer, left }));
    });
}

impl Running<'_> {
    fn start_send(
        self,
        time: impl FnOnce(Time) -> Duration,
        dest: Dest<'_>,
        message: impl FnOnce(TimerRef) -> Envelope,
    ) -> TimerRef {
        // A process that ends starts none (PROC-7).
        if self.control.ending.get() {
            return self.node.timers.none();
        }
        let now = self.node.env.now();
        let time = time(now);
        if let Err(why) = self.check_timer(time, &dest) {
            refuse(why);
            return self.node.timers.none();
        }
        match dest {
            Dest::Pid(pid) => self.node.start_send(now, now + time, pid, message),
            dest => {
                let dest = Box::new(dest.into_owned());
                let action = |timer| Action::SendByName(dest, message(timer));
                self.node.start_timer_at(now, now + time, action)
            }
        }
    }

    fn check_timer(self, time: Duration, dest: &Dest<'_>) -> Result<(), ExitReason> {
        let here = match dest {
            Dest::Pid(pid) => pid.node() == self.node.id,
            Dest::Alias(alias) => alias.node() == self.node.id,
            Dest::Name(_) => true,
            Dest::NameAt(_, node) => self.node.is_called(node),
        };
        if !here {
            return Err(ExitReason::badarg("a timer sends to a process of its own node only"));
        }
        if time > TIMER_MAX {
            return Err(ExitReason::badarg(format_args!("a timer of {time:?}: over 100 years")));
        }
        Ok(())
    }
}
