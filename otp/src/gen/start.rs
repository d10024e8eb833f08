//! Starting a process that reports when it is ready (OTP's `proc_lib`).
//!
//! | step | by | what |
//! |---|---|---|
//! | 1 | the starter | spawns the child, linked if that is asked for |
//! | 2 | the child | lists itself (`behaviour`), registers its name, runs its `init` |
//! | 3 | the child | acknowledges; or unlinks the starter and ends |
//! | 4 | the starter | returns; after a failure only when the child has ended (PL-3), so that its name is free |
//!
//! If the start times out, the starter unlinks the child and kills it (PL-4). If the starter ends or
//! drops the future of the start, the child is killed, too.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use fika_macros::receive;
use fika_runtime::{
    Answer, Ended, Exit, ExitReason, MailboxLimit, Name, Node, Pid, Priority, RegisterError,
    SpawnOpts, Spawned, Waiting, demonitor_flush, exit_async, exit_process, exit_reason, register,
    self_node, self_pid, spawn_opt, timeout, try_self_pid, unlink, whereis,
};

use serde::{Deserialize, Serialize};

use super::behaviour::{Behaviour, Listed};
use super::server_ref::{Address, Via};

/// How a behaviour process is started: its name, its time limit and the options of its process
/// (OTP's `ServerName` and `Options` of `gen_server:start/4`).
///
/// ```
/// use fika::agent::Agent;
/// use fika::message::MailboxLimit;
/// use fika::prelude::*;
/// use fika::process::Priority;
///
/// #[fika::main]
/// async fn main() -> fika::Result {
///     let opts = Start::name("visits")
///         .timeout(secs(10))
///         .hibernate_after(secs(60))
///         .priority(Priority::High)
///         .mailbox_limit(MailboxLimit::messages(10_000));
///     Agent::start_link(opts, || 0_u64).await?;
///     assert!(whereis("visits").is_some());
///
///     let unnamed = Agent::start_link(Start::new(), || 0_u64).await?;
///     # let _ = unnamed;
///     Ok(())
/// }
/// ```
#[derive(Clone, Default)]
#[must_use = "options do nothing by themselves"]
pub struct Start {
    pub(crate) name: Option<StartName>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) hibernate_after: Option<Duration>,
    priority: Option<Priority>,
    mailbox_limit: Option<MailboxLimit>,
    /// Where the options were made, for reports.
    made_at: Option<&'static Location<'static>>,
}

#[derive(Clone)]
pub(crate) enum StartName {
    Local(Name),
    Via(Arc<dyn Via>),
}

impl Start {
    /// Returns the options of a process without a name.
    #[track_caller]
    pub fn new() -> Start {
        Start { made_at: Some(Location::caller()), ..Start::default() }
    }

    /// Returns the options of a process with this name on its node (OTP's `{local, Name}`). The
    /// name is registered before the process runs its `init`. If the name is taken, the start fails
    /// with [`StartError::AlreadyStarted`]; if it is invalid, with `badarg`.
    #[track_caller]
    pub fn name(name: impl Into<Name>) -> Start {
        Start { name: Some(StartName::Local(name.into())), ..Start::new() }
    }

    /// Returns the options of a process with a name in a registry (OTP's `{via, Module, Name}`).
    ///
    /// ```
    /// use fika::agent::Agent;
    /// use fika::prelude::*;
    /// use fika::registry::{Keys, Registry};
    ///
    /// # #[fika::main]
    /// # async fn main() -> fika::Result {
    /// let rooms = Registry::<u32>::new(Keys::Unique);
    /// rooms.start_link(Start::new()).await?;
    /// Agent::start_link(Start::via(rooms.via(101)), || "a room".to_owned()).await?;
    /// assert!(rooms.whereis(&101).is_some());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn via(name: Arc<dyn Via>) -> Start {
        Start { name: Some(StartName::Via(name)), ..Start::new() }
    }

    /// Sets how long the start may take. By default, it has no limit. A process that takes longer
    /// is killed, and its start fails with [`StartError::Timeout`] (OTP's option `timeout`).
    pub fn timeout(mut self, limit: Duration) -> Start {
        self.timeout = Some(limit);
        self
    }

    /// Makes the process [hibernate](fika_runtime::hibernate) after it has waited for a message for
    /// this time (OTP's option `hibernate_after`). By default, it does not hibernate. Servers and
    /// supervisors use this option; other processes ignore it.
    pub fn hibernate_after(mut self, idle: Duration) -> Start {
        self.hibernate_after = Some(idle);
        self
    }

    /// Gives the process this priority (OTP's `{spawn_opt, [{priority, _}]}`).
    pub fn priority(mut self, priority: Priority) -> Start {
        self.priority = Some(priority);
        self
    }

    /// Gives the process's mailbox this limit. A call to a process with a full mailbox waits for
    /// room; the time limit of the call includes this.
    pub fn mailbox_limit(mut self, limit: MailboxLimit) -> Start {
        self.mailbox_limit = Some(limit);
        self
    }

    fn spawn_opts(&self, bond: Bond) -> SpawnOpts {
        let mut opts = match bond {
            Bond::None => SpawnOpts::new(),
            Bond::Link => SpawnOpts::new().link(),
            Bond::Monitor => SpawnOpts::new().monitor(),
        };
        if let Some(place) = self.made_at {
            opts = opts.spawned_at(place);
        }
        if let Some(priority) = self.priority {
            opts = opts.priority(priority);
        }
        if let Some(limit) = self.mailbox_limit {
            opts = opts.mailbox_limit(limit);
        }
        opts
    }
}

/// Why a process did not start.
///
/// ```
/// use fika::agent::Agent;
/// use fika::gen_server::StartError;
/// use fika::prelude::*;
///
/// #[fika::main]
/// async fn main() -> fika::Result {
///     let start = || Agent::start_link(Start::name("visits"), || 0_u64);
///     start().await?;
///     let pid = whereis("visits").unwrap();
///     assert_eq!(start().await.unwrap_err(), StartError::AlreadyStarted(pid));
///     Ok(())
/// }
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum StartError {
    /// The name is taken by this process (OTP's `{already_started, Pid}`). Nothing was started.
    AlreadyStarted(Pid),
    /// The start was refused with `ignore`: the process is not needed now.
    Ignored,
    /// The process did not report in time, and was killed (OTP's `{error, timeout}`).
    Timeout,
    /// `init` failed with this reason, or the process ended with it before it reported.
    Failed(ExitReason),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::AlreadyStarted(pid) => write!(f, "already_started: {pid} has the name"),
            StartError::Ignored => f.write_str("ignore: the process is not wanted"),
            StartError::Timeout => f.write_str("timeout: the process did not start in time"),
            StartError::Failed(reason) => write!(f, "the process did not start: {reason}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<StartError> for ExitReason {
    fn from(error: StartError) -> ExitReason {
        match error {
            StartError::Failed(reason) => reason,
            StartError::Timeout => ExitReason::Timeout,
            other => ExitReason::Error(other.to_string().into()),
        }
    }
}

/// The connection between the starter and the new process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Bond {
    /// Nothing (`start`).
    None,
    /// A link (`start_link`).
    Link,
    /// A monitor of the starter (`start_monitor`).
    Monitor,
}

/// The child's end of a start: it acknowledges with a value, or refuses.
///
/// If the child ends without either, the start fails with its exit reason.
///
/// ```
/// use fika::prelude::*;
/// use fika::proc_lib::{self, InitAck, StartError};
///
/// async fn listener(ack: InitAck<u16>, port: u16) {
///     if port == 0 {
///         let error = StartError::Failed(ExitReason::badarg("the port is zero"));
///         return ack.fail(error, ExitReason::Normal).await;
///     }
///     // The starter is linked to this process, so this process belongs to it.
///     assert_eq!(ack.parent(), Some(ack.starter()));
///     ack.ok(port);
///     receive! { "close" => {} }
/// }
///
/// #[fika::main]
/// async fn main() -> fika::Result {
///     let (_, port) = proc_lib::start_link(Start::new(), |ack| listener(ack, 8000)).await?;
///     assert_eq!(port, 8000);
///     let failed = proc_lib::start_link(Start::new(), |ack| listener(ack, 0)).await;
///     assert!(matches!(failed, Err(StartError::Failed(ExitReason::Badarg(_)))));
///     Ok(())
/// }
/// ```
#[must_use = "the starter waits for it"]
pub struct InitAck<T> {
    answer: Option<Answer<Result<T, Failure>>>,
    pub(crate) starter: Pid,
    bond: Bond,
    /// The new process, once it runs.
    child: Option<Pid>,
}

enum Failure {
    Error(StartError),
    /// The process dropped the acknowledgement, and still runs.
    Dropped,
}

impl<T> InitAck<T> {
    /// Returns the process that starts this one.
    #[must_use]
    pub fn starter(&self) -> Pid {
        self.starter
    }

    /// Returns the process that this one belongs to: the starter, if the two are linked. An exit
    /// signal from it ends a process that traps exits, too.
    #[must_use]
    pub fn parent(&self) -> Option<Pid> {
        (self.bond == Bond::Link).then_some(self.starter)
    }

    /// Makes the starter return this value (OTP's `proc_lib:init_ack/1`). If the starter has ended
    /// or no longer waits, the value is dropped.
    pub fn ok(mut self, value: T) {
        if let Some(answer) = self.answer.take() {
            answer.give(Ok(value));
        }
    }

    /// Ends the process with `reason`. The starter returns the error when the process has ended
    /// (OTP's `proc_lib:init_fail/2`).
    pub async fn fail(mut self, error: StartError, reason: ExitReason) -> ! {
        if self.bond == Bond::Link {
            // PL-5: the starter gets the error, and no exit signal.
            unlink(self.starter);
        }
        if let Some(answer) = self.answer.take() {
            answer.give(Err(Failure::Error(error)));
        }
        exit_async(reason).await
    }
}

impl<T> Drop for InitAck<T> {
    fn drop(&mut self) {
        if let Some(answer) = self.answer.take() {
            let reason = exit_reason();
            if reason.is_some()
                && self.bond == Bond::Link
                && self.child.is_some_and(|child| Some(child) == try_self_pid())
            {
                // PL-5, as in `fail`. A process that an exit signal ends is past this.
                unlink(self.starter);
            }
            let ended = |reason| Failure::Error(StartError::Failed(reason));
            answer.give(Err(reason.map_or(Failure::Dropped, ended)));
        }
    }
}

/// Starts a process, and returns when it has acknowledged (PL-1). `child` makes its future.
///
/// After the acknowledgement, the child runs on its own.
///
/// # Errors
/// If the child refuses, ends before it acknowledges, or takes too long.
pub(crate) async fn start<T, F, Fut>(
    opts: &Start,
    bond: Bond,
    child: F,
) -> Result<(Pid, T), StartError>
where
    T: Send + 'static,
    F: FnOnce(InitAck<T>) -> Fut,
    Fut: Future<Output: fika_runtime::Outcome> + Send + 'static,
{
    start_spawned(opts, bond, child).await.map(|(spawned, value)| (spawned.pid, value))
}

/// Starts a process like [`start`]. Returns its monitor, too.
pub(crate) async fn start_spawned<T, F, Fut>(
    opts: &Start,
    bond: Bond,
    child: F,
) -> Result<(Spawned, T), StartError>
where
    T: Send + 'static,
    F: FnOnce(InitAck<T>) -> Fut,
    Fut: Future<Output: fika_runtime::Outcome> + Send + 'static,
{
    let (answer, waiting) = Waiting::new();
    let ack = InitAck { answer: Some(answer), starter: self_pid(), bond, child: None };
    let spawned = spawn_opt(opts.spawn_opts(bond), child(ack));
    let pid = spawned.pid;
    let mut unacknowledged = Unacknowledged { node: self_node(), pid, over: false };
    let acknowledged = match opts.timeout {
        Some(limit) => timeout(limit, waiting).await.ok(),
        None => Some(waiting.await),
    };
    let error = match acknowledged {
        Some(Some(Ok(value))) => {
            unacknowledged.over = true;
            return Ok((spawned, value));
        }
        Some(Some(Err(Failure::Error(error)))) => error,
        // The child did not acknowledge and no longer can, so the result is its end.
        Some(Some(Err(Failure::Dropped))) => {
            let ended = Ended::of(pid);
            let seen = match opts.timeout {
                Some(limit) => timeout(limit, ended).await.ok(),
                None => Some(ended.await),
            };
            match seen {
                Some(ExitReason::Noproc) => StartError::Failed(ExitReason::Normal),
                Some(reason) => StartError::Failed(reason),
                None => StartError::Timeout,
            }
        }
        Some(None) => StartError::Failed(ExitReason::Killed),
        None => StartError::Timeout,
    };
    if bond == Bond::Link {
        unlink(pid);
    }
    let ended = Ended::of(pid);
    if error == StartError::Timeout {
        exit_process(pid, ExitReason::Kill);
    }
    ended.await;
    unacknowledged.over = true;
    if bond == Bond::Link {
        flush_exit(pid).await;
    }
    if let Some(monitor) = spawned.monitor {
        demonitor_flush(monitor);
    }
    Err(error)
}

/// A process that has not acknowledged. It is killed if the starter gives the start up: nobody would
/// know of the process, and a link does not end one that traps exits in its `init`.
struct Unacknowledged {
    node: Node,
    pid: Pid,
    over: bool,
}

impl Drop for Unacknowledged {
    fn drop(&mut self) {
        if !self.over {
            self.node.exit_process(self.pid, ExitReason::Kill);
        }
    }
}

/// Removes the exit message of a child that has ended, if the starter traps exits.
async fn flush_exit(child: Pid) {
    receive! {
        Exit { from, .. } if from == child => {},
        after Duration::ZERO => {},
    }
}

/// Lists the running process, and registers its name. The process ends if the name is taken.
pub(crate) async fn settle<T>(
    mut ack: InitAck<T>,
    module: &'static str,
    name: Option<&StartName>,
) -> (InitAck<T>, Listed) {
    let node = self_node();
    ack.child = Some(self_pid());
    let behaviour = Behaviour::new(self_pid(), module, Some(ack.starter), &node);
    let listed = Listed::new(node, behaviour);
    let taken = match name {
        None => None,
        Some(StartName::Local(name)) => register_as(name).err(),
        Some(StartName::Via(via)) => {
            via.register(self_pid()).await.err().map(StartError::AlreadyStarted)
        }
    };
    match taken {
        None => (ack, listed),
        Some(error) => ack.fail(error, ExitReason::Normal).await,
    }
}

fn register_as(name: &Name) -> Result<(), StartError> {
    loop {
        match register(name.clone(), self_pid()) {
            Ok(()) => return Ok(()),
            Err(RegisterError::Taken) => {
                // The holder of the name may have ended meanwhile.
                if let Some(pid) = whereis(name) {
                    return Err(StartError::AlreadyStarted(pid));
                }
            }
            Err(error) => {
                return Err(StartError::Failed(ExitReason::Badarg(error.to_string().into())));
            }
        }
    }
}

/// Returns the address that a started process is known by.
pub(crate) fn address(name: Option<&StartName>, pid: Pid) -> Address {
    match name {
        None => Address::Pid(pid),
        Some(StartName::Local(name)) => Address::Name(name.clone()),
        Some(StartName::Via(via)) => Address::Via(via.clone()),
    }
}
