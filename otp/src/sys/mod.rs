//! System messages: looking at a behaviour process, and controlling it (OTP's `sys`).
//!
//! All behaviours obey these messages. A process that is written by hand obeys them if it uses
//! [`Control`]. They arrive even if the mailbox is full. Each function waits for at most five
//! seconds, and returns a [`CallError`] if it fails, such as [`is_noproc`](CallError::is_noproc) if
//! there is no such process. A process can't ask itself
//! ([`is_calling_self`](CallError::is_calling_self)). The functions panic outside of a process.
//!
//! The process may be on another node, except for functions with a closure, and for
//! [`get_state`]: these work with processes of the same node only.
//!
//! ```
//! use fika::gen_server::*;
//! use fika::prelude::*;
//! use fika::sys;
//!
//! #[derive(Clone, Debug, PartialEq)]
//! struct Total(u64);
//!
//! impl GenServer for Total {
//!     type Args = ();
//!     type Receives = (Cast<u64>,);
//!
//!     async fn init(_: ()) -> Init<Self> {
//!         Init::ok(Total(0))
//!     }
//!
//!     fn format_status(&self) -> String {
//!         format!("{self:?}")
//!     }
//! }
//!
//! impl HandleCast<u64> for Total {
//!     async fn handle_cast(&mut self, n: u64) -> Next {
//!         self.0 += n;
//!         Next::go_on()
//!     }
//! }
//!
//! #[fika::main]
//! async fn main() -> fika::Result {
//!     let total = fika::gen_server::start_link::<Total>(Start::new(), ()).await?;
//!     sys::log(&total, 10).await?;
//!     total.cast(7);
//!     let status = sys::get_status(&total).await?;
//!     assert_eq!(status.state, "Total(7)");
//!     for event in &status.log {
//!         println!("{event}"); // handle_cast of u64, state Total(7)
//!     }
//!     sys::replace_state(&total, |total: &Total| Total(total.0 + 1)).await?;
//!     assert_eq!(sys::get_state(&total).await?, Total(8));
//!     Ok(())
//! }
//! ```

mod ask;
mod control;
mod debug;
mod wire;

use std::any::Any;
use std::time::Duration;

use fika_runtime::{Answer, ExitReason, Pid, Waiting};

pub use self::control::{Control, Received};
pub(crate) use self::control::{Order, receive_suspended, refuse};
pub(crate) use self::control::{is_system, order};
pub use self::wire::{Event, Statistics, Status, Traced};

use self::ask::{Job, LIMIT, ask, ask_here};
use self::wire::{Install, OnState, OnStateDone, System, SystemReply, TraceTo};
use crate::r#gen::call_error::Why;
use crate::r#gen::contained::discard;
use crate::r#gen::{CallError, ServerRef};

async fn tell<S>(server: &ServerRef<S>, system: System) -> Result<(), CallError> {
    ask(server.address(), Job::Ask(system), LIMIT).await.map(drop)
}

/// Makes a behaviour process handle system messages only, until [`resume`] (OTP's `sys:suspend/1`).
/// Other messages wait in its mailbox, and calls of the process time out.
///
/// ```
/// # use fika::agent::Agent;
/// # use fika::prelude::*;
/// use fika::sys;
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let visits = Agent::start_link(Start::new(), || 0_u64).await?;
///
/// sys::suspend(visits.server()).await?;
/// visits.cast(|n| *n += 1);                   // waits in the mailbox
/// sys::resume(visits.server()).await?;
/// assert_eq!(visits.get(|n| *n).await?, 1);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If there is no such process, it does not answer within five seconds, or its node can't be
/// reached.
pub async fn suspend<S>(server: &ServerRef<S>) -> Result<(), CallError> {
    tell(server, System::Suspend).await
}

/// Resumes a suspended process (OTP's `sys:resume/1`). The messages that have come meanwhile are
/// handled in their order.
///
/// ```
/// # use fika::agent::Agent;
/// # use fika::prelude::*;
/// use fika::sys;
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let visits = Agent::start_link(Start::new(), || 0_u64).await?;
///
/// sys::suspend(visits.server()).await?;
/// assert!(sys::get_status(visits.server()).await?.suspended);
/// sys::resume(visits.server()).await?;
/// assert!(!sys::get_status(visits.server()).await?.suspended);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If there is no such process, it does not answer within five seconds, or its node can't be
/// reached.
pub async fn resume<S>(server: &ServerRef<S>) -> Result<(), CallError> {
    tell(server, System::Resume).await
}

/// Ends a behaviour process with this reason, by its `terminate` (OTP's `sys:terminate/2`), also if
/// it is suspended. Returns when the process has accepted the request; [`ServerRef::stop`] waits
/// for the end.
///
/// ```
/// # use fika::agent::Agent;
/// # use fika::prelude::*;
/// use fika::sys;
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let visits = Agent::start_link(Start::new(), || 0_u64).await?;
///
/// trap_exit(true);
/// let watch = monitor(visits.server().whereis().unwrap());
/// sys::terminate(visits.server(), ExitReason::Shutdown).await?;
/// receive! {
///     Down { monitor, .. } if monitor == watch => println!("the agent has ended"),
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If there is no such process, it does not answer within five seconds, or its node can't be
/// reached.
pub async fn terminate<S>(server: &ServerRef<S>, reason: ExitReason) -> Result<(), CallError> {
    tell(server, System::Terminate(reason)).await
}

/// Returns the status of a behaviour process (OTP's `sys:get_status/1`).
///
/// ```
/// # use fika::agent::Agent;
/// # use fika::prelude::*;
/// use fika::sys;
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let visits = Agent::start_link(Start::new(), || 0_u64).await?;
///
/// let status = sys::get_status(visits.server()).await?;
/// assert_eq!(status.parent, Some(self_pid()));
/// println!("{} in {}", status.state, status.module);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If there is no such process, it does not answer within five seconds, or its node can't be
/// reached.
pub async fn get_status<S>(server: &ServerRef<S>) -> Result<Status, CallError> {
    match ask(server.address(), Job::Ask(System::GetStatus), LIMIT).await? {
        SystemReply::Status(status) => Ok(status),
        _ => Err(server.fails("sys::get_status", Why::NoReply)),
    }
}

/// Returns a copy of the state of a process of this node (OTP's `sys:get_state/1`). The state of a
/// server is the server itself.
///
/// ```
/// # use fika::gen_server::{GenServer, Init};
/// # use fika::prelude::*;
/// use fika::sys;
///
/// #[derive(Clone)]
/// struct Total(u64);
/// # impl GenServer for Total {
/// #     type Args = u64;
/// #     type Receives = ();
/// #     async fn init(n: u64) -> Init<Self> { Init::ok(Total(n)) }
/// # }
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let total = fika::gen_server::start_link::<Total>(Start::new(), 7).await?;
/// let copy: Total = sys::get_state(&total).await?;
/// assert_eq!(copy.0, 7);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If there is no such process or it does not answer within five seconds; if the process is on
/// another node; or if its state is not an `S`.
pub async fn get_state<S: Clone + Send + 'static>(server: &ServerRef<S>) -> Result<S, CallError> {
    on_state(server, "sys::get_state", |state: &mut S| state.clone()).await
}

/// Calls a function with the state of a process of this node, and returns the result. The function
/// runs in that process, between two messages. It must not block. OTP has no equivalent: it copies
/// the state.
///
/// ```
/// # use fika::gen_server::{GenServer, Init};
/// # use fika::prelude::*;
/// use fika::sys;
///
/// #[derive(Clone)]
/// struct Total(u64);
/// # impl GenServer for Total {
/// #     type Args = u64;
/// #     type Receives = ();
/// #     async fn init(n: u64) -> Init<Self> { Init::ok(Total(n)) }
/// # }
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let total = fika::gen_server::start_link::<Total>(Start::new(), 7).await?;
/// let doubled = sys::with_state(&total, |total| 2 * total.0).await?;
/// assert_eq!(doubled, 14);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If there is no such process or it does not answer within five seconds; if the process is on
/// another node; if its state is not an `S`; or if the function panics. A panic does not end the
/// process.
pub async fn with_state<S, R>(
    server: &ServerRef<S>,
    function: impl FnOnce(&S) -> R + Send + 'static,
) -> Result<R, CallError>
where
    S: Send + 'static,
    R: Send + 'static,
{
    on_state(server, "sys::with_state", move |state: &mut S| function(state)).await
}

/// Replaces the state of a process of this node by what the function returns (OTP's
/// `sys:replace_state/2`). The function runs in that process, between two messages.
///
/// ```
/// # use fika::gen_server::{GenServer, Init};
/// # use fika::prelude::*;
/// use fika::sys;
///
/// #[derive(Clone)]
/// struct Total(u64);
/// # impl GenServer for Total {
/// #     type Args = u64;
/// #     type Receives = ();
/// #     async fn init(n: u64) -> Init<Self> { Init::ok(Total(n)) }
/// # }
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let total = fika::gen_server::start_link::<Total>(Start::new(), 7).await?;
/// sys::replace_state(&total, |old| Total(old.0 + 1)).await?;
/// assert_eq!(sys::get_state(&total).await?.0, 8);
///
/// let failed = sys::replace_state(&total, |_| panic!("no new state")).await;
/// assert!(failed.unwrap_err().function_failed().is_some());
/// assert_eq!(sys::get_state(&total).await?.0, 8);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If there is no such process or it does not answer within five seconds; if the process is on
/// another node; if its state is not an `S`; or if the function panics. The state does not change
/// then.
pub async fn replace_state<S: Send + 'static>(
    server: &ServerRef<S>,
    function: impl FnOnce(&S) -> S + Send + 'static,
) -> Result<(), CallError> {
    let replace = move |state: &mut S| {
        let new = function(state);
        // A panic in the destructor does not undo the replacement.
        discard(std::mem::replace(state, new));
    };
    on_state(server, "sys::replace_state", replace).await
}

async fn on_state<S: 'static, R: Send + 'static>(
    server: &ServerRef<S>,
    name: &'static str,
    function: impl FnOnce(&mut S) -> R + Send + 'static,
) -> Result<R, CallError> {
    let pid = server.here(name)?;
    let (answer, waiting): (Answer<R>, Waiting<R>) = Waiting::new();
    let work = OnState(Box::new(move |state: &mut dyn Any| {
        let Some(state) = state.downcast_mut::<S>() else { return false };
        answer.give(function(state));
        true
    }));
    match ask_here::<_, OnStateDone>(server.address(), pid, name, work, LIMIT).await?.0 {
        Ok(true) => match waiting.await {
            Some(result) => Ok(result),
            None => Err(server.fails(name, Why::NoReply)),
        },
        Ok(false) => {
            let why = format!("its state is not a `{}`", std::any::type_name::<S>());
            Err(server.fails(name, Why::NotSent(why)))
        }
        Err(reason) => Err(server.fails(name, Why::FunctionFailed(reason))),
    }
}

/// Starts or stops counting what a process does (OTP's `sys:statistics(Name, Flag)`). Starting
/// again begins from zero.
///
/// ```
/// # use fika::agent::Agent;
/// # use fika::prelude::*;
/// use fika::sys;
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let visits = Agent::start_link(Start::new(), || 0_u64).await?;
///
/// sys::statistics(visits.server(), true).await?;
/// visits.update(|n| *n += 1).await?;
/// let done = sys::get_statistics(visits.server()).await?.unwrap();
/// assert_eq!((done.messages_in, done.messages_out), (1, 1));
/// sys::statistics(visits.server(), false).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If there is no such process, it does not answer within five seconds, or its node can't be
/// reached.
pub async fn statistics<S>(server: &ServerRef<S>, on: bool) -> Result<(), CallError> {
    tell(server, System::Statistics(on.then_some(0))).await
}

/// Returns what a process has done since [`statistics`] was switched on (OTP's `sys:statistics(Name,
/// get)`). `None` if it is off.
///
/// ```
/// # use fika::agent::Agent;
/// # use fika::prelude::*;
/// use fika::sys;
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let visits = Agent::start_link(Start::new(), || 0_u64).await?;
///
/// assert_eq!(sys::get_statistics(visits.server()).await?, None);
/// sys::statistics(visits.server(), true).await?;
/// let done = sys::get_statistics(visits.server()).await?.unwrap();
/// println!("{} messages in {:?}", done.messages_in, done.time);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If there is no such process, it does not answer within five seconds, or its node can't be
/// reached.
pub async fn get_statistics<S>(server: &ServerRef<S>) -> Result<Option<Statistics>, CallError> {
    match ask(server.address(), Job::Ask(System::GetStatistics), LIMIT).await? {
        SystemReply::Statistics(statistics) => Ok(statistics),
        _ => Err(server.fails("sys::statistics", Why::NoReply)),
    }
}

/// Makes a process keep its last events (OTP's `sys:log/2`). With zero, it keeps none and drops its
/// old events.
///
/// ```
/// # use fika::agent::Agent;
/// # use fika::prelude::*;
/// use fika::sys;
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let visits = Agent::start_link(Start::new(), || 0_u64).await?;
///
/// sys::log(visits.server(), 10).await?;       // keep the last ten events
/// visits.update(|n| *n += 1).await?;
/// for event in sys::get_log(visits.server()).await? {
///     println!("{event}");
/// }
/// sys::log(visits.server(), 0).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If there is no such process, it does not answer within five seconds, or its node can't be
/// reached.
pub async fn log<S>(server: &ServerRef<S>, events: u32) -> Result<(), CallError> {
    tell(server, System::Log(events)).await
}

/// Returns the last events of a process, oldest first (OTP's `sys:log(Name, get)`). Empty if
/// [`log`] is off.
///
/// ```
/// # use fika::agent::Agent;
/// # use fika::prelude::*;
/// use fika::sys;
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let visits = Agent::start_link(Start::new(), || 0_u64).await?;
///
/// sys::log(visits.server(), 1).await?;
/// visits.update(|n| *n += 1).await?;
/// assert_eq!(sys::get_log(visits.server()).await?.len(), 1);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If there is no such process, it does not answer within five seconds, or its node can't be
/// reached.
pub async fn get_log<S>(server: &ServerRef<S>) -> Result<Vec<Event>, CallError> {
    match ask(server.address(), Job::Ask(System::GetLog), LIMIT).await? {
        SystemReply::Log(events) => Ok(events),
        _ => Err(server.fails("sys::log", Why::NoReply)),
    }
}

/// Starts or stops reporting the events of a process, on its node (OTP's `sys:trace/2`).
///
/// ```
/// # use fika::agent::Agent;
/// # use fika::prelude::*;
/// use fika::sys;
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let visits = Agent::start_link(Start::new(), || 0_u64).await?;
///
/// sys::trace(visits.server(), true).await?;
/// visits.update(|n| *n += 1).await?;          // three events in the log of the program
/// sys::trace(visits.server(), false).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If there is no such process, it does not answer within five seconds, or its node can't be
/// reached.
pub async fn trace<S>(server: &ServerRef<S>, on: bool) -> Result<(), CallError> {
    tell(server, System::Trace(if on { TraceTo::Report } else { TraceTo::Nowhere })).await
}

/// Sends the events of a process to another process, on any node, each in a [`Traced`], until
/// [`trace`] is called. In OTP, a function that was [installed](install) does this.
///
/// ```
/// # use fika::agent::Agent;
/// # use fika::prelude::*;
/// use fika::sys;
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let visits = Agent::start_link(Start::new(), || 0_u64).await?;
///
/// use fika::sys::Traced;
///
/// sys::trace_to(visits.server(), self_pid()).await?;
/// visits.cast(|n| *n += 1);
/// receive! { Traced { pid, event } => println!("{pid}: {event}") }
/// sys::trace(visits.server(), false).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If there is no such process, it does not answer within five seconds, or its node can't be
/// reached.
pub async fn trace_to<S>(server: &ServerRef<S>, tracer: Pid) -> Result<(), CallError> {
    tell(server, System::Trace(TraceTo::Process(tracer))).await
}

/// Makes a process of this node call a function for each of its events (OTP's `sys:install/2`), in
/// place of the function that was installed with the same name. The function is removed when it
/// returns false or panics, and by [`remove`]. It must not block.
///
/// ```
/// # use fika::agent::Agent;
/// # use fika::prelude::*;
/// use fika::sys;
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let visits = Agent::start_link(Start::new(), || 0_u64).await?;
///
/// use std::sync::mpsc::channel;
/// use fika::sys::Event;
///
/// let (states, seen) = channel();
/// sys::install(visits.server(), "watch", move |event| {
///     match event {
///         Event::State(state) => states.send(state.clone()).is_ok(),
///         _ => true,
///     }
/// })
/// .await?;
/// visits.update(|n| *n += 1).await?;
/// sys::remove(visits.server(), "watch").await?;
/// println!("{}", seen.recv()?);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If there is no such process, it does not answer within five seconds, or it is on another node.
pub async fn install<S>(
    server: &ServerRef<S>,
    name: &str,
    function: impl FnMut(&Event) -> bool + Send + 'static,
) -> Result<(), CallError> {
    let install = Install { id: name.to_owned(), hook: Some(Box::new(function)) };
    let pid = server.here("sys::install")?;
    ask_here(server.address(), pid, "sys::install", install, LIMIT).await
}

/// Removes the function that was [installed](install) with this name (OTP's `sys:remove/2`).
///
/// ```
/// # use fika::agent::Agent;
/// # use fika::prelude::*;
/// use fika::sys;
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let visits = Agent::start_link(Start::new(), || 0_u64).await?;
///
/// sys::install(visits.server(), "print", |event| { println!("{event}"); true }).await?;
/// sys::remove(visits.server(), "print").await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If there is no such process, it does not answer within five seconds, or it is on another node.
pub async fn remove<S>(server: &ServerRef<S>, name: &str) -> Result<(), CallError> {
    let remove = Install { id: name.to_owned(), hook: None };
    let pid = server.here("sys::remove")?;
    ask_here(server.address(), pid, "sys::remove", remove, LIMIT).await
}

/// Switches off statistics, the log and the trace, and removes all installed functions (OTP's
/// `sys:no_debug/1`).
///
/// ```
/// # use fika::agent::Agent;
/// # use fika::prelude::*;
/// use fika::sys;
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let visits = Agent::start_link(Start::new(), || 0_u64).await?;
///
/// sys::log(visits.server(), 10).await?;
/// sys::statistics(visits.server(), true).await?;
/// sys::no_debug(visits.server()).await?;
/// assert_eq!(sys::get_statistics(visits.server()).await?, None);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If there is no such process, it does not answer within five seconds, or its node can't be
/// reached.
pub async fn no_debug<S>(server: &ServerRef<S>) -> Result<(), CallError> {
    tell(server, System::NoDebug).await
}

impl<S> ServerRef<S> {
    /// Asks the server to end with `reason`, by its `terminate`, and waits for its end, at most for
    /// `limit` (OTP's `gen_server:stop/3`). `None` waits without a limit. The server's name is free
    /// when this returns.
    ///
    /// ```
    /// # use fika::gen_server::*;
    /// # use fika::prelude::*;
    /// # struct Idle;
    /// # impl GenServer for Idle {
    /// #     type Args = ();
    /// #     type Receives = ();
    /// #     async fn init(_: ()) -> Init<Self> { Init::ok(Idle) }
    /// # }
    /// # #[fika::main]
    /// # async fn main() {
    /// let idle = fika::gen_server::start::<Idle>(Start::name("idle"), ()).await.unwrap();
    /// idle.stop(ExitReason::Shutdown, secs(5)).await.unwrap();
    /// assert!(idle.stop(ExitReason::Shutdown, secs(5)).await.unwrap_err().is_noproc());
    /// # }
    /// ```
    ///
    /// # Errors
    /// - [`is_noproc`](CallError::is_noproc) if there is no such process;
    /// - [`is_timeout`](CallError::is_timeout) if the server takes too long: it still has the
    ///   request, and may end later;
    /// - [`exit_reason`](CallError::exit_reason) if the server ends with another reason;
    /// - [`is_nodedown`](CallError::is_nodedown) if its node can't be reached or is lost;
    /// - [`is_calling_self`](CallError::is_calling_self) if the server is the caller;
    /// - [`cycle`](CallError::cycle) if the server waits for the caller.
    ///
    /// # Panics
    /// Outside of a process.
    pub async fn stop(
        &self,
        reason: ExitReason,
        limit: impl Into<Option<Duration>>,
    ) -> Result<(), CallError> {
        ask(self.address(), Job::Stop(reason), limit.into()).await.map(drop)
    }

    fn fails(&self, request: &'static str, why: Why) -> CallError {
        CallError::new(self.address(), request, why)
    }

    /// Returns the process, which must be on this node.
    fn here(&self, request: &'static str) -> Result<Pid, CallError> {
        let why = match self.whereis() {
            Some(pid) if pid.node() == fika_runtime::self_pid().node() => return Ok(pid),
            None if self.address().is_here() => Why::Noproc,
            _ => Why::NotSent(
                "the process is on another node, which the function can't reach".into(),
            ),
        };
        Err(self.fails(request, why))
    }
}
