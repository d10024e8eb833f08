//! The specification of a child: [`ChildSpec`].

use std::fmt;
use std::future::{Future, IntoFuture};
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use fika_macros::Message;
use fika_runtime::{Outcome, Pid, Printable, SpawnOpts, spawn_opt};
use serde::{Deserialize, Serialize};

use super::backoff::Backoff;
use super::starter::{IntoStarted, Repeat, Starter};
use crate::r#gen::Start;
use crate::gen_server::{self, GenServer};

/// The id of a child among the children of its supervisor.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ChildId(Arc<str>);

impl ChildId {
    /// Returns the id as a string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for ChildId {
    fn from(id: &str) -> ChildId {
        ChildId(id.into())
    }
}

impl From<String> for ChildId {
    fn from(id: String) -> ChildId {
        ChildId(id.into())
    }
}

impl From<&ChildId> for ChildId {
    fn from(id: &ChildId) -> ChildId {
        id.clone()
    }
}

macro_rules! from_numbers {
    ($($number:ty),+) => {$(
        impl From<$number> for ChildId {
            fn from(id: $number) -> ChildId {
                ChildId(id.to_string().into())
            }
        }
    )+};
}

from_numbers!(u32, u64, usize, i32);

impl PartialEq<str> for ChildId {
    fn eq(&self, id: &str) -> bool {
        *self.0 == *id
    }
}

impl PartialEq<&str> for ChildId {
    fn eq(&self, id: &&str) -> bool {
        *self.0 == **id
    }
}

impl fmt::Display for ChildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", Printable(&self.0))
    }
}

impl fmt::Debug for ChildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// When a child that has ended is restarted (OTP's `restart`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Restart {
    /// Always.
    #[default]
    Permanent,
    /// Unless it ended with `normal`, `shutdown` or `{shutdown, _}`.
    Transient,
    /// Never. Its specification is removed when it ends.
    Temporary,
}

/// How a supervisor ends a child (OTP's `shutdown`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Shutdown {
    /// It is killed.
    BrutalKill,
    /// It gets the exit signal `shutdown`, and is killed if it has not ended after this time.
    Timeout(Duration),
    /// It gets the exit signal `shutdown`, and the supervisor waits without a limit.
    Infinity,
}

/// Whether a child is a supervisor (OTP's `type`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum ChildType {
    /// It is a worker.
    #[default]
    Worker,
    /// It is a supervisor.
    Supervisor,
}

/// How long a worker has to end, unless its specification says otherwise.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// The part of a specification that is not the start function.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChildOpts {
    pub(super) restart: Restart,
    pub(super) shutdown: Shutdown,
    pub(super) significant: bool,
    pub(super) kind: ChildType,
    pub(super) backoff: Option<Backoff>,
}

impl ChildOpts {
    pub(super) fn worker() -> ChildOpts {
        ChildOpts {
            restart: Restart::Permanent,
            shutdown: Shutdown::Timeout(SHUTDOWN_TIMEOUT),
            significant: false,
            kind: ChildType::Worker,
            backoff: None,
        }
    }

    pub(super) fn supervisor() -> ChildOpts {
        ChildOpts {
            shutdown: Shutdown::Infinity,
            kind: ChildType::Supervisor,
            ..ChildOpts::worker()
        }
    }
}

/// How a child is started, restarted and ended (OTP's `child_spec()`).
///
/// The supervisor calls the start function in its own process, and polls the future beside its
/// other work. The function returns a pid, a [`ServerRef`](crate::ServerRef) or a client, alone or in a
/// pair with extra information, or a `Result` of them. The error
/// [`StartError::Ignored`](crate::StartError::Ignored) is not a failure: it says that the child is
/// not needed now. The supervisor links to the process if the function has not linked it.
///
/// ```
/// # extern crate fika_runtime as fika;
/// use fika_otp::supervisor::{ChildSpec, Restart, Shutdown};
///
/// async fn sweep() { /* .. */ }
///
/// let spec = ChildSpec::process("sweeper", sweep)
///     .restart(Restart::Transient)
///     .shutdown(Shutdown::BrutalKill);
/// # let _ = spec;
/// ```
#[must_use = "a specification starts nothing by itself"]
pub struct ChildSpec {
    pub(super) id: ChildId,
    pub(super) start: Box<dyn Starter>,
    pub(super) opts: ChildOpts,
}

impl ChildSpec {
    /// Specifies a worker that is started by this function: permanent, with 5 seconds to end.
    pub fn new<F, Fut>(id: impl Into<ChildId>, start: F) -> ChildSpec
    where
        F: FnMut() -> Fut + Send + 'static,
        Fut: Future<Output: IntoStarted> + Send + 'static,
    {
        ChildSpec { id: id.into(), start: Box::new(Repeat(start)), opts: ChildOpts::worker() }
    }

    /// Specifies a process that runs a future: permanent, with 5 seconds to end. The function makes the
    /// future for each start. It is an `async fn` without arguments, or a closure:
    ///
    /// ```
    /// use fika::prelude::*;
    /// use fika::supervisor::{self, ChildSpec, Restart, SupFlags};
    ///
    /// async fn clean() -> fika::Result { /* .. */ Ok(()) }
    /// async fn report(every: Duration) { loop { sleep(every).await } }
    ///
    /// #[fika::main]
    /// async fn main() -> fika::Result {
    ///     let children = [
    ///         ChildSpec::process("cleaner", clean).restart(Restart::Transient),
    ///         ChildSpec::process("reporter", || report(secs(60))),
    ///     ];
    ///     supervisor::start_link(Start::new(), SupFlags::one_for_one(), children).await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// A process whose future is ready has ended, and a permanent child is started again then. Work that
    /// comes to an end is [`Transient`](Restart::Transient) or [`Temporary`](Restart::Temporary).
    #[track_caller]
    pub fn process<F, Fut>(id: impl Into<ChildId>, mut work: F) -> ChildSpec
    where
        F: FnMut() -> Fut + Send + 'static,
        Fut: IntoFuture<Output: Outcome, IntoFuture: Send + 'static> + Send + 'static,
    {
        let here = Location::caller();
        ChildSpec::new(id, move || {
            let work = work();
            async move { spawn_opt(SpawnOpts::new().link().spawned_at(here), work).pid }
        })
    }

    /// Specifies a supervisor that is started by this function: permanent, with no limit to the time
    /// in which it ends.
    pub fn supervisor<F, Fut>(id: impl Into<ChildId>, start: F) -> ChildSpec
    where
        F: FnMut() -> Fut + Send + 'static,
        Fut: Future<Output: IntoStarted> + Send + 'static,
    {
        ChildSpec { opts: ChildOpts::supervisor(), ..ChildSpec::new(id, start) }
    }

    /// Specifies a server with these options and arguments. A server with `#[gen_server]` has a function
    /// [`child_spec`](macro@crate::gen_server#the-client) for this; its arguments here are a tuple.
    ///
    /// ```
    /// # extern crate fika_runtime as fika;
    /// # use fika_otp::gen_server::{GenServer, Init, Start};
    /// # struct Cache;
    /// # impl GenServer for Cache {
    /// #     type Args = usize;
    /// #     type Receives = ();
    /// #     async fn init(_: usize) -> Init<Self> { Init::ok(Cache) }
    /// # }
    /// use fika_otp::supervisor::ChildSpec;
    ///
    /// let spec = ChildSpec::server::<Cache>("cache", Start::name("cache"), 1000);
    /// # let _ = spec;
    /// ```
    pub fn server<S>(id: impl Into<ChildId>, opts: Start, args: S::Args) -> ChildSpec
    where
        S: GenServer<Args: Clone>,
    {
        ChildSpec::new(id, move || gen_server::start_link::<S>(opts.clone(), args.clone()))
    }

    /// Sets when the child is restarted.
    pub fn restart(mut self, restart: Restart) -> ChildSpec {
        self.opts.restart = restart;
        self
    }

    /// Sets how the child is ended.
    pub fn shutdown(mut self, shutdown: Shutdown) -> ChildSpec {
        self.opts.shutdown = shutdown;
        self
    }

    /// Sets whether the child's end may end the supervisor; see
    /// [`AutoShutdown`](super::AutoShutdown).
    pub fn significant(mut self, significant: bool) -> ChildSpec {
        self.opts.significant = significant;
        self
    }

    /// Sets pauses before the restarts of the child, which grow while the child keeps failing.
    pub fn backoff(mut self, backoff: Backoff) -> ChildSpec {
        self.opts.backoff = Some(backoff);
        self
    }
}

/// The arguments of a server that may be started again. `X` is any type: a bound without a type
/// parameter would be an error where the function with the bound is defined.
#[diagnostic::on_unimplemented(
    message = "a supervisor can't start this server again, since its arguments are not `Clone`",
    note = "`{Self}` is the tuple of the arguments of `init`: derive `Clone` for the types in it, or make \
            them anew in `ChildSpec::new(id, || Server::start_link(Start::new(), ..))`"
)]
pub trait StartArgs<X>: Clone + Send + 'static {}

impl<A: Clone + Send + 'static, X> StartArgs<X> for A {}

/// Specifies a server that `#[gen_server]` has made.
pub fn child_spec<S, I>(id: I, opts: Start, args: S::Args) -> ChildSpec
where
    S: GenServer<Args: StartArgs<I>>,
    I: Into<ChildId>,
{
    ChildSpec::new(id, move || gen_server::start_link::<S>(opts.clone(), args.clone()))
}

impl fmt::Debug for ChildSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildSpec").field("id", &self.id).field("opts", &self.opts).finish()
    }
}

/// The template of the children of a [`SimpleSupervisor`](super::SimpleSupervisor), whose arguments
/// have the type `A`.
#[must_use = "a template starts nothing by itself"]
pub struct Template<A> {
    pub(super) start: super::starter::TemplateFn<A>,
    pub(super) opts: ChildOpts,
}

impl<A: Send + 'static> Template<A> {
    /// Specifies workers that are started by this function: permanent, with 5 seconds to end.
    pub fn new<F, Fut>(start: F) -> Template<A>
    where
        F: Fn(A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoStarted> + Send + 'static,
    {
        Template { start: super::starter::template(start), opts: ChildOpts::worker() }
    }

    /// Specifies supervisors that are started by this function.
    pub fn supervisor<F, Fut>(start: F) -> Template<A>
    where
        F: Fn(A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoStarted> + Send + 'static,
    {
        Template { opts: ChildOpts::supervisor(), ..Template::new(start) }
    }

    /// Sets when the children are restarted.
    pub fn restart(mut self, restart: Restart) -> Template<A> {
        self.opts.restart = restart;
        self
    }

    /// Sets how the children are ended.
    pub fn shutdown(mut self, shutdown: Shutdown) -> Template<A> {
        self.opts.shutdown = shutdown;
        self
    }

    /// Sets pauses before the restarts of each child, which grow while the child keeps failing.
    pub fn backoff(mut self, backoff: Backoff) -> Template<A> {
        self.opts.backoff = Some(backoff);
        self
    }
}

impl<A> fmt::Debug for Template<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").field("opts", &self.opts).finish_non_exhaustive()
    }
}

/// A child as its supervisor lists it (OTP's `which_children/1`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, Message)]
#[message(tag = "fika_otp::supervisor::ChildInfo")]
pub struct ChildInfo {
    /// Its id. `None` under a dynamic supervisor.
    pub id: Option<ChildId>,
    /// Its process.
    pub child: ChildState,
    /// Whether it is a supervisor.
    pub kind: ChildType,
    /// How often it was restarted.
    pub restarts: u64,
}

/// The process of a child.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ChildState {
    /// The child runs, or is about to end.
    Running(Pid),
    /// The child is being started: for the first time, or by `restart_child`.
    Starting,
    /// The child has ended, and is being restarted or will be.
    Restarting,
    /// The child does not run (OTP's `undefined`).
    Stopped,
}

impl ChildInfo {
    /// Returns the child's process, if it runs.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        match self.child {
            ChildState::Running(pid) => Some(pid),
            _ => None,
        }
    }
}

/// How many children a supervisor has (OTP's `count_children/1`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, Message)]
#[message(tag = "fika_otp::supervisor::ChildCount")]
pub struct ChildCount {
    /// All children, running or not.
    pub specs: usize,
    /// The children that run.
    pub active: usize,
    /// The children that are supervisors, running or not.
    pub supervisors: usize,
    /// The children that are workers, running or not.
    pub workers: usize,
}
