//! System messages, and their answers.

use std::any::Any;
use std::time::Duration;

use fika_macros::Message;
use fika_runtime::{ExitReason, Pid};
use serde::{Deserialize, Serialize};

use super::debug::Hook;

/// A system message that any node may send.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(tag = "fika_otp::sys::System")]
pub(crate) enum System {
    Suspend,
    Resume,
    GetStatus,
    Terminate(ExitReason),
    /// Starts or stops counting. The number is the process's reductions until now.
    Statistics(Option<u64>),
    GetStatistics,
    /// Keeps this many events.
    Log(u32),
    GetLog,
    Trace(TraceTo),
    /// Switches off all of the above.
    NoDebug,
}

/// The destination of a process's events.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum TraceTo {
    Nowhere,
    Report,
    Process(Pid),
}

/// The answer to a [`System`] message.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(tag = "fika_otp::sys::SystemReply")]
pub(crate) enum SystemReply {
    Done,
    Status(Status),
    Statistics(Option<Statistics>),
    Log(Vec<Event>),
}

/// The status of a behaviour process, as [`get_status`](super::get_status) returns it.
///
/// ```
/// use fika::sys::Status;
///
/// fn line(status: &Status) -> String {
///     let mode = if status.suspended { "suspended" } else { "running" };
///     format!("{} ({mode}): {}, {} events", status.module, status.state, status.log.len())
/// }
/// # let (parent, log) = (None, Vec::new());
/// # line(&Status { module: "m".into(), parent, suspended: false, state: "s".into(), log });
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Status {
    /// The name of the Rust type that has the callbacks.
    pub module: String,
    /// The parent: the process that started this one and is linked to it.
    pub parent: Option<Pid>,
    /// Whether it handles system messages only.
    pub suspended: bool,
    /// The state, as `format_status` shows it.
    pub state: String,
    /// The last events, oldest first, if [`log`](super::log) is on.
    pub log: Vec<Event>,
}

/// The counts of a behaviour process since [`statistics`](super::statistics) was switched on.
///
/// ```
/// use fika::sys::Statistics;
///
/// /// Returns the messages that the process handles in a second.
/// fn rate(counts: &Statistics) -> f64 {
///     counts.messages_in as f64 / counts.time.as_secs_f64()
/// }
/// # let time = std::time::Duration::from_secs(2);
/// # let counts = Statistics { time, reductions: 0, messages_in: 10, messages_out: 0 };
/// # assert_eq!(rate(&counts), 5.0);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Statistics {
    /// The time since counting began, on the clock of the process's node.
    pub time: Duration,
    /// The reductions; see [`reductions`](fika_runtime::info::reductions).
    pub reductions: u64,
    /// The messages that callbacks have handled.
    pub messages_in: u64,
    /// The replies that callbacks have returned.
    pub messages_out: u64,
}

/// An event of a behaviour process (OTP's `system_event()`). It prints as a line of text.
///
/// ```
/// use fika::sys::Event;
///
/// fn is_call(event: &Event) -> bool {
///     matches!(event, Event::In { callback, from: Some(_), .. } if callback == "handle_call")
/// }
///
/// let event = Event::State("Total(7)".into());
/// assert!(!is_call(&event));
/// assert_eq!(event.to_string(), "state Total(7)");
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Event {
    /// A callback handles a message.
    In {
        /// The name of the callback.
        callback: String,
        /// The name of the message's type.
        message: String,
        /// The process that called, if it is a call.
        from: Option<Pid>,
    },
    /// A callback has returned a reply.
    Out {
        /// The name of the reply's type.
        message: String,
        /// The process that called.
        to: Option<Pid>,
    },
    /// The state after a callback, as `format_status` shows it.
    State(String),
}

/// An event of a process, as [`trace_to`](super::trace_to) sends it.
///
/// ```
/// # use fika::agent::Agent;
/// use fika::prelude::*;
/// use fika::sys::{self, Traced};
///
/// /// Prints the events of the processes that it traces.
/// async fn tracer() {
///     loop {
///         receive! { Traced { pid, event } => println!("{pid}: {event}") }
///     }
/// }
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let visits = Agent::start_link(Start::new(), || 0_u64).await?;
/// sys::trace_to(visits.server(), spawn(tracer())).await?;
/// # visits.update(|n| *n += 1).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, Message)]
#[message(tag = "fika_otp::sys::Traced")]
pub struct Traced {
    /// The process that is traced.
    pub pid: Pid,
    /// The event.
    pub event: Event,
}

/// Work on the state of a process of this node. It returns false if the state has another type.
#[derive(Message)]
#[message(local)]
pub(crate) struct OnState(pub(crate) Work);

type Work = Box<dyn FnOnce(&mut dyn Any) -> bool + Send>;

/// The result of [`OnState`]: whether the state had the expected type, or why the work failed.
#[derive(Message)]
#[message(local)]
pub(crate) struct OnStateDone(pub(crate) Result<bool, ExitReason>);

/// Installs a function that sees the events of a process of this node, or removes it.
#[derive(Message)]
#[message(local)]
pub(crate) struct Install {
    pub(crate) id: String,
    pub(crate) hook: Option<Hook>,
}
