//! Processes that report when they are ready, and whose ancestors are recorded for reports and
//! tools (OTP's `proc_lib`).
//!
//! [`start_link`] returns when the new process has acknowledged its start, so the caller can rely
//! on it from then on. Behaviours such as [`gen_server`](mod@crate::gen_server) are started in this
//! way. A process that is written by hand should be, too, if it belongs in a supervision tree.
//!
//! ```
//! use fika::prelude::*;
//! use fika::proc_lib::{self, InitAck, Start};
//!
//! async fn worker(ack: InitAck<u64>) {
//!     let first = 7; // whatever takes its time
//!     ack.ok(first);
//!     receive! { n: u64 => assert_eq!(n, first) }
//! }
//!
//! #[fika::main]
//! async fn main() -> fika::Result {
//!     let (pid, first) = proc_lib::start_link(Start::name("worker"), worker).await?;
//!     assert_eq!(whereis("worker"), Some(pid));
//!     send(pid, first);
//!     Ok(())
//! }
//! ```
//!
//! If such a process ends by an error, the report names it, its label, the function that it was
//! started with, its ancestors, its links, and the names of linked processes that end with it.

use std::future::Future;
use std::time::Duration;

use fika_runtime::{
    Dest, ExitReason, Outcome, Pid, Reference, catch_exit, exit_async, self_node, self_pid,
};

use crate::ServerRef;
use crate::r#gen::behaviour;
use crate::r#gen::crash::report_crash;
use crate::r#gen::start::{settle, start_spawned};
use crate::r#gen::{Bond, CallError};
pub use crate::r#gen::{InitAck, Start, StartError};

/// Starts a process on this node that is not linked to the caller, and returns when it has
/// acknowledged (OTP's `proc_lib:start`). Returns its pid and the acknowledged value. If the caller
/// ends or drops the future before that, the process is killed.
///
/// ```
/// use fika::prelude::*;
/// use fika::proc_lib;
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// let (pid, ready) = proc_lib::start(Start::new().timeout(secs(5)), |ack| async {
///     ack.ok("ready");
///     receive! { n: u64 => println!("{n}") }
/// })
/// .await?;
/// assert_eq!(ready, "ready");
/// send(pid, 7_u64);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If the name is taken, or if the process refuses, ends before it acknowledges, or takes longer than
/// the limit of `opts`. The process has ended then, and its name is free.
///
/// # Panics
/// Outside of a process.
pub async fn start<T, F, Fut>(opts: Start, child: F) -> Result<(Pid, T), StartError>
where
    T: Send + 'static,
    F: FnOnce(InitAck<T>) -> Fut + Send + 'static,
    Fut: Future<Output: Outcome> + Send + 'static,
{
    let (spawned, value) = launch(opts, Bond::None, child).await?;
    Ok((spawned.pid, value))
}

/// Starts a process on this node that is linked to the caller, and returns when it has acknowledged
/// (OTP's `proc_lib:start_link`). Returns its pid and the acknowledged value.
///
/// # Errors
/// If the name is taken, or if the process refuses, ends before it acknowledges, or takes longer
/// than the limit of `opts`. The caller gets no exit signal for a failed start.
///
/// # Panics
/// Outside of a process.
pub async fn start_link<T, F, Fut>(opts: Start, child: F) -> Result<(Pid, T), StartError>
where
    T: Send + 'static,
    F: FnOnce(InitAck<T>) -> Fut + Send + 'static,
    Fut: Future<Output: Outcome> + Send + 'static,
{
    let (spawned, value) = launch(opts, Bond::Link, child).await?;
    Ok((spawned.pid, value))
}

/// Starts a process on this node that the caller monitors, and returns when it has acknowledged
/// (OTP's `proc_lib:start_monitor`). Returns its pid, the acknowledged value and the monitor.
///
/// ```
/// use fika::prelude::*;
/// use fika::proc_lib;
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// let worker = proc_lib::start_monitor(Start::new(), |ack| async { ack.ok(()) });
/// let (pid, (), watch) = worker.await?;
/// receive! {
///     Down { monitor, reason, .. } if monitor == watch => println!("{pid} has ended: {reason}"),
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If the name is taken, or if the process refuses, ends before it acknowledges, or takes longer
/// than the limit of `opts`. The caller gets no `Down` for a failed start.
///
/// # Panics
/// Outside of a process.
pub async fn start_monitor<T, F, Fut>(
    opts: Start,
    child: F,
) -> Result<(Pid, T, Reference), StartError>
where
    T: Send + 'static,
    F: FnOnce(InitAck<T>) -> Fut + Send + 'static,
    Fut: Future<Output: Outcome> + Send + 'static,
{
    let (spawned, value) = launch(opts, Bond::Monitor, child).await?;
    Ok((spawned.pid, value, spawned.monitor.expect("it was asked for")))
}

async fn launch<T, F, Fut>(
    opts: Start,
    bond: Bond,
    child: F,
) -> Result<(fika_runtime::Spawned, T), StartError>
where
    T: Send + 'static,
    F: FnOnce(InitAck<T>) -> Fut + Send + 'static,
    Fut: Future<Output: Outcome> + Send + 'static,
{
    let own_name = opts.name.clone();
    let body = move |ack| async move {
        let (ack, listed) = settle(ack, std::any::type_name::<F>(), own_name.as_ref()).await;
        let ran = catch_exit(async move { child(ack).await.into_result() }).await;
        if let Err(reason) = ran.and_then(|output| output.map(drop)) {
            if !reason.is_orderly() {
                report_crash(&listed.behaviour, &reason, None, None).await;
            }
            exit_async(reason).await;
        }
    };
    start_spawned(&opts, bond, body).await
}

/// Ends the running process with `reason`, before it has acknowledged. The starter returns `error`
/// after the process has ended, so its name is free then (OTP's `proc_lib:init_fail/2`). If
/// `reason` is an error, the end is reported; [`InitAck::fail`] does not report it.
///
/// ```
/// use fika::prelude::*;
/// use fika::proc_lib::{self, InitAck, StartError};
///
/// async fn reader(ack: InitAck<()>, path: &'static str) {
///     match std::fs::read(path) {
///         Ok(_) => ack.ok(()),
///         Err(error) => {
///             let reason = ExitReason::Error(format!("{path}: {error}").into());
///             let failed = StartError::Failed(reason.clone());
///             proc_lib::init_fail(ack, failed, reason).await;
///         }
///     }
/// }
///
/// # #[fika::main]
/// # async fn main() {
/// let failed = proc_lib::start_link(Start::new(), |ack| reader(ack, "/no such file")).await;
/// assert!(matches!(failed, Err(StartError::Failed(ExitReason::Error(_)))));
/// # }
/// ```
pub async fn init_fail<T>(ack: InitAck<T>, error: StartError, reason: ExitReason) -> ! {
    let behaviour = behaviour::of(&self_node(), self_pid());
    if let Some(behaviour) = behaviour.filter(|_| !reason.is_orderly()) {
        report_crash(&behaviour, &reason, None, None).await;
    }
    ack.fail(error, reason).await
}

/// Asks a process that obeys [system messages](crate::sys) to end with `reason`, and waits for its
/// end, at most for `limit` (OTP's `proc_lib:stop/3`). `None` waits without a limit. The process
/// may be on another node. See also [`ServerRef::stop`].
///
/// ```
/// use fika::agent::Agent;
/// use fika::prelude::*;
/// use fika::proc_lib;
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// Agent::start_link(Start::name("visits"), || 0_u64).await?;
/// proc_lib::stop("visits", ExitReason::Normal, secs(5)).await?;
/// assert_eq!(whereis("visits"), None);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If there is no such process, it does not end within `limit`, it ends with another reason, its
/// node can't be reached or is lost, or it is the caller.
///
/// # Panics
/// Outside of a process, or if the name of a process or node is invalid.
pub async fn stop<'a>(
    dest: impl Into<Dest<'a>>,
    reason: ExitReason,
    limit: impl Into<Option<Duration>>,
) -> Result<(), CallError> {
    ServerRef::<()>::at(dest).stop(reason, limit).await
}

/// Returns the ancestors of a process: the process that started it, the process that started that
/// one, and so on (OTP's `'$ancestors'`). The last ancestor is the first one that is not a
/// behaviour and was not started by this module. `None` if the process has ended, is on another
/// node, or was itself started in another way.
///
/// ```
/// use fika::agent::Agent;
/// use fika::prelude::*;
/// use fika::proc_lib;
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// let visits = Agent::start_link(Start::new(), || 0_u64).await?;
/// let pid = visits.server().whereis().unwrap();
/// assert_eq!(proc_lib::ancestors(pid), Some(vec![self_pid()]));
/// # Ok(())
/// # }
/// ```
///
/// # Panics
/// Outside of a process.
#[must_use]
pub fn ancestors(pid: Pid) -> Option<Vec<Pid>> {
    behaviour::of(&self_node(), pid).map(|behaviour| behaviour.ancestors())
}

/// Returns the name of the function that the process was started with, or of the behaviour's type
/// (OTP's `proc_lib:translate_initial_call/1`). `None` if the process has ended, is on another
/// node, or was started in another way.
///
/// ```
/// use fika::prelude::*;
/// use fika::proc_lib::{self, InitAck};
///
/// async fn worker(ack: InitAck<()>) {
///     ack.ok(());
///     receive! { () => {} }
/// }
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// let (pid, ()) = proc_lib::start_link(Start::new(), worker).await?;
/// assert!(proc_lib::initial_call(pid).unwrap().ends_with("::worker"));
/// # Ok(())
/// # }
/// ```
///
/// # Panics
/// Outside of a process.
#[must_use]
pub fn initial_call(pid: Pid) -> Option<&'static str> {
    behaviour::of(&self_node(), pid).map(|behaviour| behaviour.module)
}
