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
use super::starter::{IntoStarted, Repeat, StartFn, start_fn};
use crate::r#gen::Start;
use crate::gen_server::{self, GenServer};

/// The id of a child among the children of its supervisor: a text. Numbers are converted.
///
/// ```
/// use fika::supervisor::ChildId;
///
/// let id = ChildId::from("cache");
/// assert_eq!(id.as_str(), "cache");
/// assert_eq!(ChildId::from(7_u32), "7");
/// ```
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
///
/// ```
/// use fika::supervisor::{ChildSpec, Restart};
/// # use fika::prelude::*;
/// # async fn import() {}
///
/// // A job: it is done when it ends in an orderly way.
/// let job = ChildSpec::new("import", || async { spawn_link(import()) });
/// let job = job.restart(Restart::Transient);
/// # let _ = job;
/// ```
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
///
/// ```
/// use fika::supervisor::{ChildSpec, Shutdown};
/// # use fika::prelude::*;
/// # async fn writer() {}
///
/// // It may take its time to write what it has.
/// let writer = ChildSpec::new("writer", || async { spawn_link(writer()) })
///     .shutdown(Shutdown::Timeout(secs(60)));
/// # let _ = writer;
/// ```
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
///
/// ```
/// use fika::supervisor::{self, ChildSpec, ChildType, SupFlags};
/// # use fika::prelude::*;
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// let pool = ChildSpec::supervisor("pool", || {
///     supervisor::start_link_dynamic(Start::new(), SupFlags::one_for_one())
/// });
/// let top = supervisor::start_link(Start::new(), SupFlags::one_for_one(), [pool]).await?;
/// assert_eq!(top.which_children().await?[0].kind, ChildType::Supervisor);
/// # Ok(())
/// # }
/// ```
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
pub(crate) struct ChildOpts {
    pub(crate) restart: Restart,
    pub(crate) shutdown: Shutdown,
    pub(crate) significant: bool,
    pub(crate) kind: ChildType,
    pub(crate) backoff: Option<Backoff>,
}

impl ChildOpts {
    pub(crate) fn worker() -> ChildOpts {
        ChildOpts {
            restart: Restart::Permanent,
            shutdown: Shutdown::Timeout(SHUTDOWN_TIMEOUT),
            significant: false,
            kind: ChildType::Worker,
            backoff: None,
        }
    }

    pub(crate) fn supervisor() -> ChildOpts {
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
/// use fika::prelude::*;
/// use fika::supervisor::{self, AutoShutdown, Backoff, ChildSpec, Restart, Shutdown, SupFlags};
///
/// async fn sweep() {
///     loop {
///         sleep(secs(60)).await;
///     }
/// }
///
/// #[fika::main]
/// async fn main() -> fika::Result {
///     let sweeper = ChildSpec::process("sweeper", sweep)
///         .restart(Restart::Transient)
///         .shutdown(Shutdown::BrutalKill)
///         .significant(true)
///         .backoff(Backoff::exponential(millis(100), secs(10)));
///     let pool = ChildSpec::supervisor("pool", || {
///         supervisor::start_link_dynamic(Start::name("pool"), SupFlags::one_for_one())
///     });
///     let flags = SupFlags::one_for_one().auto_shutdown(AutoShutdown::AnySignificant);
///     supervisor::start_link(Start::new(), flags, [sweeper, pool]).await?;
///     Ok(())
/// }
/// ```
#[must_use = "a specification starts nothing by itself"]
pub struct ChildSpec {
    pub(crate) id: ChildId,
    pub(crate) start: StartFn,
    pub(crate) opts: ChildOpts,
}

impl ChildSpec {
    /// Specifies a worker that is started by this function: permanent, with five seconds to end, as
    /// in OTP. The function is called again for each restart.
    pub fn new<F, Fut>(id: impl Into<ChildId>, start: F) -> ChildSpec
    where
        F: FnMut() -> Fut + Send + 'static,
        Fut: Future<Output: IntoStarted> + Send + 'static,
    {
        ChildSpec { id: id.into(), start: start_fn(Repeat(start)), opts: ChildOpts::worker() }
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
    /// in which it ends, as in OTP.
    pub fn supervisor<F, Fut>(id: impl Into<ChildId>, start: F) -> ChildSpec
    where
        F: FnMut() -> Fut + Send + 'static,
        Fut: Future<Output: IntoStarted> + Send + 'static,
    {
        ChildSpec { opts: ChildOpts::supervisor(), ..ChildSpec::new(id, start) }
    }

    /// Specifies a [server](crate::GenServer) with these options and arguments: a permanent worker,
    /// with five seconds to end. A server with `#[gen_server]` has a function
    /// [`child_spec`](macro@crate::gen_server#the-client) for this; its arguments here are a tuple.
    ///
    /// ```
    /// use fika::prelude::*;
    /// use fika::supervisor::{self, ChildSpec, SupFlags};
    ///
    /// struct Cache(Vec<u64>);
    ///
    /// #[gen_server]
    /// impl Cache {
    ///     async fn init(room: usize) -> Self {
    ///         Cache(Vec::with_capacity(room))
    ///     }
    /// }
    ///
    /// # #[fika::main]
    /// # async fn main() -> fika::Result {
    /// let cache = ChildSpec::server::<Cache>("cache", Start::name("cache"), (1000,));
    /// supervisor::start_link(Start::new(), SupFlags::one_for_one(), [cache]).await?;
    /// assert!(whereis("cache").is_some());
    /// # Ok(())
    /// # }
    /// ```
    pub fn server<S>(id: impl Into<ChildId>, opts: Start, args: S::Args) -> ChildSpec
    where
        S: GenServer<Args: Clone>,
    {
        ChildSpec::new(id, move || gen_server::start_link::<S>(opts.clone(), args.clone()))
    }

    /// Sets when the child is restarted. By default, always.
    pub fn restart(mut self, restart: Restart) -> ChildSpec {
        self.opts.restart = restart;
        self
    }

    /// Sets how the child is ended.
    pub fn shutdown(mut self, shutdown: Shutdown) -> ChildSpec {
        self.opts.shutdown = shutdown;
        self
    }

    /// Sets whether the child's end may end the supervisor (OTP's `significant`); see
    /// [`AutoShutdown`](crate::supervisor::AutoShutdown). A significant child must be transient or temporary.
    pub fn significant(mut self, significant: bool) -> ChildSpec {
        self.opts.significant = significant;
        self
    }

    /// Sets pauses before the restarts of the child, which grow while the child keeps failing. By
    /// default, a child is restarted at once. OTP has no equivalent.
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

/// The template of the children of a [`SimpleSupervisor`](crate::supervisor::SimpleSupervisor), whose arguments
/// have the type `A`. A restarted child gets a clone of its arguments.
///
/// ```
/// use fika::prelude::*;
/// use fika::supervisor::{self, Backoff, Restart, Shutdown, SupFlags, Template};
///
/// async fn session(user: String) {
///     println!("hello {user}");
/// }
///
/// #[fika::main]
/// async fn main() -> fika::Result {
///     let template = Template::new(|user: String| async { spawn_link(session(user)) })
///         .restart(Restart::Transient)
///         .shutdown(Shutdown::Timeout(secs(1)))
///         .backoff(Backoff::exponential(millis(100), secs(10)));
///     let flags = SupFlags::one_for_one();
///     let sessions = supervisor::start_link_simple(Start::new(), flags, template).await?;
///     sessions.start_child("Ada".to_owned()).await?;
///
///     // The children of this one are supervisors.
///     let team = move |name: String| supervisor::start_link_dynamic(Start::name(name), flags);
///     let template = Template::supervisor(team);
///     let teams = supervisor::start_link_simple(Start::new(), flags, template).await?;
///     teams.start_child("red".to_owned()).await?;
///     assert!(whereis("red").is_some());
///     Ok(())
/// }
/// ```
#[must_use = "a template starts nothing by itself"]
pub struct Template<A> {
    pub(crate) start: super::starter::TemplateFn<A>,
    pub(crate) opts: ChildOpts,
}

impl<A: Send + 'static> Template<A> {
    /// Specifies workers that are started by this function: permanent, with five seconds to end.
    pub fn new<F, Fut>(start: F) -> Template<A>
    where
        F: Fn(A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoStarted> + Send + 'static,
    {
        Template { start: super::starter::template(start), opts: ChildOpts::worker() }
    }

    /// Specifies supervisors that are started by this function: permanent, with no limit to the
    /// time in which they end.
    pub fn supervisor<F, Fut>(start: F) -> Template<A>
    where
        F: Fn(A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoStarted> + Send + 'static,
    {
        Template { opts: ChildOpts::supervisor(), ..Template::new(start) }
    }

    /// Sets when the children are restarted. By default, always.
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
///
/// ```
/// use fika::supervisor::{ChildInfo, ChildState};
/// # use fika::prelude::*;
/// # use fika::supervisor::{self, ChildSpec, SupFlags};
///
/// fn line(child: &ChildInfo) -> String {
///     let id = child.id.as_ref().map_or("", |id| id.as_str());
///     match child.child {
///         ChildState::Running(pid) => format!("{id} {pid}, restarts: {}", child.restarts),
///         ChildState::Starting | ChildState::Restarting => format!("{id} soon"),
///         ChildState::Stopped => format!("{id} does not run"),
///     }
/// }
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let worker = ChildSpec::new("a", || async { spawn_link(std::future::pending::<()>()) });
/// # let top = supervisor::start_link(Start::new(), SupFlags::one_for_one(), [worker]).await?;
/// let children = top.which_children().await?;
/// children.iter().for_each(|child| println!("{}", line(child)));
/// let pids: Vec<Pid> = children.iter().filter_map(ChildInfo::pid).collect();
/// # assert_eq!(pids.len(), 1);
/// # Ok(())
/// # }
/// ```
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
///
/// ```
/// use fika::supervisor::ChildState;
/// # use fika::prelude::*;
/// # use fika::supervisor::{self, ChildSpec, SupFlags};
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let worker = ChildSpec::new("a", || async { spawn_link(std::future::pending::<()>()) });
/// # let top = supervisor::start_link(Start::new(), SupFlags::one_for_one(), [worker]).await?;
/// top.terminate_child("a").await?;
/// assert_eq!(top.which_children().await?[0].child, ChildState::Stopped);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ChildState {
    /// The child runs, or is about to end.
    Running(Pid),
    /// The child is being started: for the first time, or by `restart_child`.
    Starting,
    /// The child has ended, and is being restarted or will be.
    Restarting,
    /// The child does not run, and is not about to be started (OTP's `undefined`).
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
///
/// ```
/// use fika::supervisor::ChildCount;
/// # use fika::prelude::*;
/// # use fika::supervisor::{self, ChildSpec, SupFlags};
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let worker = ChildSpec::new("a", || async { spawn_link(std::future::pending::<()>()) });
/// # let top = supervisor::start_link(Start::new(), SupFlags::one_for_one(), [worker]).await?;
/// top.terminate_child("a").await?;
/// let count = ChildCount { specs: 1, active: 0, supervisors: 0, workers: 1 };
/// assert_eq!(top.count_children().await?, count);
/// # Ok(())
/// # }
/// ```
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_equals_its_text() {
        let id = ChildId::from("a");
        assert!(id == "a" && id != "b");
        assert!(id == *"a" && id != *"b");
        assert_eq!(format!("{id} {id:?} {}", id.as_str()), "\"a\" \"a\" a");
    }

    #[test]
    fn a_template_shows_its_options() {
        let template = Template::new(|(): ()| async { Err::<Pid, _>(crate::StartError::Ignored) });
        let shown = format!("{:?}", template.restart(Restart::Transient));
        assert!(shown.contains("restart: Transient"), "{shown}");
    }
}
