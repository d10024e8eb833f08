//! Nodes: starting them, their settings, and what a thread outside a process can do.
//!
//! A [`Node`] runs processes, and connects to other nodes if it has a name. A program may have any
//! number of nodes. [`#[fika::main]`](macro@crate::main) and [`#[fika::test]`](macro@crate::test)
//! start one by themselves; otherwise [`Node::builder`] does:
//!
//! ```
//! use fika::prelude::*;
//!
//! let node = Node::builder().workers(2).build()?;
//! let sum = node.block_on(async {
//!     let me = self_pid();
//!     for n in 1..=3_u64 {
//!         spawn(async move { send(me, n * n) });
//!     }
//!     let mut sum = 0;
//!     for _ in 0..3 {
//!         receive! { square: u64 => sum += square }
//!     }
//!     sum
//! });
//! assert_eq!(sum, 14);
//! node.stop();
//! # Ok::<(), fika::node::NodeError>(())
//! ```
//!
//! Processes of different nodes share nothing, even if the nodes are in one program. Inside a
//! process, [`self_node`] returns its node.

use std::fmt;
use std::io;
use std::sync::Arc;

use fika_net::{CookieError, Distribution, NodeKind, StartError};
use fika_runtime::{
    Dest, ExitReason, Message, Name, Outcome, Pid, Processes, Reference, RegisterError, SendError,
};

#[cfg(feature = "clap")]
pub use crate::args::NodeArgs;
pub use crate::builder::NodeBuilder;
pub use crate::config::Config;
#[cfg(feature = "toml")]
pub use crate::config::ConfigError;
pub use fika_runtime::{
    BuildError, Creation, Env, NodeId, NodeName, NodeNameError, RunProcess, RunUntilStopped,
    SystemEnv, Time,
};

/// A node: processes, and their connections to other nodes. A program may have many nodes. A `Node`
/// is cheap to clone, and all clones are the same node.
///
/// ```
/// use fika::prelude::*;
///
/// let node = Node::builder().workers(2).build()?;
/// let answer = node.block_on(async {
///     let me = self_pid();
///     spawn(async move { send(me, 42_u64) });
///     receive! { n: u64 => n }
/// });
/// assert_eq!(answer, 42);
/// node.stop();
/// # Ok::<(), fika::node::NodeError>(())
/// ```
///
/// # Threads
/// A node has one worker thread for each core, or as many as [`workers`](NodeBuilder::workers)
/// says, and one thread that watches the workers. Calls of
/// [`spawn_blocking`](crate::process::spawn_blocking) run on further threads, up to 512 at a time,
/// which end after 10 s without work.
///
/// # Its end
/// A node runs until `stop` is called, by any thread or process, or until the last handle to the
/// node is dropped. Handles that [`self_node`] returns inside the node's processes do not count.
/// Dropping a handle does not wait for the stop; to wait, call `stop`.
///
/// ```
/// use fika::prelude::*;
///
/// let node = Node::builder().workers(1).build()?;
/// node.spawn(async {
///     // Ready when a stop is requested, before any process is killed.
///     self_node().run_until_stopped().await;
///     println!("up to 5 s to put things in order");
/// });
/// node.spawn(async {
///     sleep(millis(10)).await;
///     // Inside of a process this only begins the stop.
///     self_node().stop();
/// });
/// // Outside, this returns when the node has stopped.
/// node.run_until_stopped().wait();
/// # Ok::<(), fika::node::NodeError>(())
/// ```
/// # Inside and outside a process
/// The functions of [`process`](crate::process), [`message`](mod@crate::message),
/// [`net`](crate::net) and the other modules act for the process that calls them. These methods
/// work on any thread, inside a process or not, unless their documentation says otherwise:
///
/// | to | call |
/// |---|---|
/// | run a future as a process and wait for its value | [`block_on`](Node::block_on), [`try_block_on`](Node::try_block_on) |
/// | start a process | [`spawn`](Node::spawn) |
/// | send a message or an exit signal | [`send`](Node::send), [`exit_process`](Node::exit_process) |
/// | register a name, or look one up | [`register`](Node::register), [`whereis`](Node::whereis) |
/// | look at the node | [`name`](Node::name), [`nodes`](Node::nodes), [`processes`](Node::processes), .. |
/// | start and stop the distribution | [`start_distribution`](Node::start_distribution), [`stop_distribution`](Node::stop_distribution) |
/// | stop the node | [`stop`](Node::stop), [`begin_stop`](Node::begin_stop), [`run_until_stopped`](Node::run_until_stopped) |
///
/// For everything else, run a process: `node.block_on(async { connect_node("b@127.0.0.1").await
/// })`.
#[derive(Clone)]
pub struct Node {
    /// Private, since a handle of the runtime does not keep the node running, and has no
    /// distribution.
    node: fika_runtime::Node,
    /// `None` in handles of the node's own processes.
    _owner: Option<Arc<Owner>>,
}

/// Shared by the handles that keep the node running.
struct Owner(fika_runtime::Node);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.begin_stop();
    }
}

impl Node {
    pub(crate) fn owned(node: fika_runtime::Node) -> Node {
        Node { _owner: Some(Arc::new(Owner(node.clone()))), node }
    }

    /// Returns a builder with the default settings.
    ///
    /// ```
    /// let node = fika::Node::builder().workers(1).process_limit(1000).build()?;
    /// # node.stop();
    /// # Ok::<(), fika::node::NodeError>(())
    /// ```
    pub fn builder() -> NodeBuilder {
        NodeBuilder::default()
    }

    /// Returns the name of the node (Erlang's `node/0`); `nonode@nohost` if it has none.
    ///
    /// ```
    /// let node = fika::Node::builder().workers(1).build()?;
    /// assert_eq!(node.name().as_str(), "nonode@nohost");
    /// # node.stop();
    /// # Ok::<(), fika::node::NodeError>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> NodeName {
        self.node.name()
    }

    /// Returns the id that the pids of the node carry. It stays the same when the node gets or
    /// loses its name.
    ///
    /// ```
    /// use fika::prelude::*;
    ///
    /// let node = Node::builder().workers(1).build()?;
    /// let id = node.block_on(async { self_pid().node() });
    /// assert_eq!(id, node.id());
    /// # node.stop();
    /// # Ok::<(), fika::node::NodeError>(())
    /// ```
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.node.id()
    }

    /// Returns the clock and the random source of the node.
    ///
    /// ```
    /// let node = fika::Node::builder().workers(1).build()?;
    /// let start = node.env().now();
    /// assert!(node.env().now() >= start);
    /// # node.stop();
    /// # Ok::<(), fika::node::NodeError>(())
    /// ```
    #[must_use]
    pub fn env(&self) -> &Arc<dyn Env> {
        self.node.env()
    }

    /// Runs a future as a process, and waits for its value on the calling thread.
    ///
    /// Inside a process, await the future instead. Do not use the `block_on` of another crate there
    /// either: it would block the worker, and a `receive!` that waits under it would never
    /// continue.
    ///
    /// ```
    /// use fika::prelude::*;
    ///
    /// let node = Node::builder().workers(1).build()?;
    /// assert_eq!(node.block_on(async { 6 * 7 }), 42);
    /// # node.stop();
    /// # Ok::<(), fika::node::NodeError>(())
    /// ```
    ///
    /// # Panics
    /// If the process panics, with the same panic. If the process ends otherwise before the future
    /// is ready, with its exit reason. If this is called inside a process.
    #[track_caller]
    pub fn block_on<F>(&self, future: F) -> F::Output
    where
        F: IntoFuture,
        F::IntoFuture: Send + 'static,
        F::Output: Send + 'static,
    {
        self.node.block_on(future)
    }

    /// Runs a future as a process like [`block_on`](Node::block_on), but returns the exit reason of
    /// the process if it ends before the future is ready.
    ///
    /// ```
    /// use fika::prelude::*;
    ///
    /// let node = Node::builder().workers(1).build()?;
    /// let ended: Result<(), ExitReason> = node.try_block_on(async { exit(ExitReason::Shutdown) });
    /// assert_eq!(ended, Err(ExitReason::Shutdown));
    /// # node.stop();
    /// # Ok::<(), fika::node::NodeError>(())
    /// ```
    ///
    /// # Errors
    /// The exit reason of the process.
    ///
    /// # Panics
    /// Inside a process.
    #[track_caller]
    pub fn try_block_on<F>(&self, future: F) -> Result<F::Output, ExitReason>
    where
        F: IntoFuture,
        F::IntoFuture: Send + 'static,
        F::Output: Send + 'static,
    {
        self.node.try_block_on(future)
    }

    /// Runs a future as a process of this node, and returns its value to a task of any executor. So
    /// a thread or a task of another runtime can do what only processes can, such as calling a
    /// server. The process starts at once. Dropping the returned future kills the process, and
    /// leaves nothing behind.
    ///
    /// ```
    /// use fika::prelude::*;
    ///
    /// struct Counter { n: i64 }
    ///
    /// #[gen_server]
    /// impl Counter {
    ///     async fn init(n: i64) -> Self {
    ///         Counter { n }
    ///     }
    ///
    ///     #[call]
    ///     async fn add(&mut self, by: i64) -> i64 {
    ///         self.n += by;
    ///         self.n
    ///     }
    /// }
    ///
    /// /// Runs in a task of any executor.
    /// async fn handler(node: Node, counter: CounterClient) -> fika::Result<i64> {
    ///     Ok(node.run_process(async move { counter.add(2).await }).await??)
    /// }
    ///
    /// let node = Node::builder().workers(1).build()?;
    /// let counter = node.block_on(Counter::start(Start::new(), 5))?;
    /// # use futures_lite::future;
    /// assert_eq!(future::block_on(handler(node.clone(), counter))?, 7);
    /// # node.stop();
    /// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    ///
    /// # Errors
    /// The exit reason of the process, if it ends before the future is ready. `system_limit` if the
    /// node has no room for the process, or has stopped.
    #[track_caller]
    pub fn run_process<F>(&self, future: F) -> RunProcess<F::Output>
    where
        F: IntoFuture,
        F::IntoFuture: Send + 'static,
        F::Output: Send + 'static,
    {
        self.node.run_process(future)
    }

    /// Starts a process (Erlang's `spawn/1`). Returns `None` if the node has no room for another
    /// process, or is stopping.
    ///
    /// ```
    /// use fika::prelude::*;
    ///
    /// let node = Node::builder().workers(1).build()?;
    /// let pid = node.spawn(async { sleep(secs(60)).await });
    /// assert!(pid.is_some());
    /// # node.stop();
    /// # Ok::<(), fika::node::NodeError>(())
    /// ```
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> Option<Pid>
    where
        F: IntoFuture<Output: Outcome>,
        F::IntoFuture: Send + 'static,
    {
        self.node.spawn(future)
    }

    /// Sends a message (Erlang's `!`). Messages that one thread sends to one process arrive in the
    /// order in which they were sent. Never waits: a connection to another node is made in the
    /// background.
    ///
    /// ```
    /// use fika::prelude::*;
    ///
    /// let node = Node::builder().workers(1).build()?;
    /// let (told, ask) = std::sync::mpsc::channel();
    /// let pid = node.spawn(async move {
    ///     receive! { n: u64 => told.send(n).unwrap() }
    /// });
    /// node.send(pid.expect("there is room"), 7_u64)?;
    /// assert_eq!(ask.recv(), Ok(7));
    /// # node.stop();
    /// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    ///
    /// # Errors
    /// If the destination is a name that is not registered on this node, the name of a node is
    /// invalid, or the message can't leave this node.
    pub fn send<'a, M: Message>(
        &self,
        dest: impl Into<Dest<'a>>,
        message: M,
    ) -> Result<(), SendError> {
        self.node.send(dest, message)
    }

    /// Sends an exit signal (Erlang's `exit/2`).
    ///
    /// To a process of this node, the signal seems to come from the process itself, so the reason
    /// `Normal` ends it, too, unless it traps exits. To a process of another node, the signal seems
    /// to come from a process of this node that has ended. The node connects to the other one if
    /// necessary; if that fails, the signal is lost.
    ///
    /// ```
    /// use fika::prelude::*;
    ///
    /// let node = Node::builder().workers(1).build()?;
    /// let pid = node.spawn(std::future::pending::<()>()).expect("there is room");
    /// node.exit_process(pid, ExitReason::Shutdown);
    /// # node.stop();
    /// # Ok::<(), fika::node::NodeError>(())
    /// ```
    pub fn exit_process(&self, pid: Pid, reason: ExitReason) {
        self.node.exit_process(pid, reason);
    }

    /// Registers a process of this node under a name (Erlang's `register/2`).
    ///
    /// ```
    /// use fika::prelude::*;
    ///
    /// let node = Node::builder().workers(1).build()?;
    /// let pid = node.spawn(std::future::pending::<()>()).expect("there is room");
    /// node.register("idle", pid)?;
    /// assert_eq!(node.whereis("idle"), Some(pid));
    /// # node.stop();
    /// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    ///
    /// # Errors
    /// If the name is taken, the process has a name already or has ended, or it belongs to another
    /// node.
    pub fn register(&self, name: impl Into<Name>, pid: Pid) -> Result<(), RegisterError> {
        self.node.register(name, pid)
    }

    /// Returns the process of this node that is registered under the name (Erlang's `whereis/1`).
    ///
    /// ```
    /// let node = fika::Node::builder().workers(1).build()?;
    /// assert_eq!(node.whereis("nobody"), None);
    /// # node.stop();
    /// # Ok::<(), fika::node::NodeError>(())
    /// ```
    #[must_use]
    pub fn whereis(&self, name: impl AsRef<str>) -> Option<Pid> {
        self.node.whereis(name)
    }

    /// Returns whether a process of this node has not ended yet (Erlang's `is_process_alive/1`).
    /// False for a process of another node.
    ///
    /// ```
    /// let node = fika::Node::builder().workers(1).build()?;
    /// let pid = node.spawn(std::future::pending::<()>()).expect("there is room");
    /// assert!(node.is_process_alive(pid));
    /// # node.stop();
    /// # Ok::<(), fika::node::NodeError>(())
    /// ```
    #[must_use]
    pub fn is_process_alive(&self, pid: Pid) -> bool {
        self.node.is_alive(pid)
    }

    /// Returns an iterator over the processes of the node (Erlang's `processes_iterator/0`).
    ///
    /// ```
    /// let node = fika::Node::builder().workers(1).build()?;
    /// let pid = node.spawn(std::future::pending::<()>()).expect("there is room");
    /// assert!(node.processes().any(|other| other == pid));
    /// # node.stop();
    /// # Ok::<(), fika::node::NodeError>(())
    /// ```
    pub fn processes(&self) -> Processes {
        self.node.processes()
    }

    /// Returns the number of processes on the node, including its own services.
    ///
    /// ```
    /// let node = fika::Node::builder().workers(1).build()?;
    /// let before = node.process_count();
    /// node.spawn(std::future::pending::<()>());
    /// assert_eq!(node.process_count(), before + 1);
    /// # node.stop();
    /// # Ok::<(), fika::node::NodeError>(())
    /// ```
    #[must_use]
    pub fn process_count(&self) -> usize {
        self.node.process_count()
    }

    /// Returns how many messages, exit reasons and arguments of `#[remote]` functions from other
    /// nodes did not decode. [`InfoItem::Undecodable`](crate::inspect::InfoItem::Undecodable) has
    /// the number of one process, and [`connected_nodes`](crate::net::connected_nodes) that of one
    /// connection.
    ///
    /// ```
    /// let node = fika::Node::builder().workers(1).build()?;
    /// assert_eq!(node.undecodable_count(), 0);
    /// # node.stop();
    /// # Ok::<(), fika::node::NodeError>(())
    /// ```
    #[must_use]
    pub fn undecodable_count(&self) -> u64 {
        self.node.undecodable_count()
    }

    /// Returns the number of timers, including those of `receive!`s that wait with an `after`.
    ///
    /// ```
    /// let node = fika::Node::builder().workers(1).build()?;
    /// println!("{} timers", node.timer_count());
    /// # node.stop();
    /// # Ok::<(), fika::node::NodeError>(())
    /// ```
    #[must_use]
    pub fn timer_count(&self) -> usize {
        self.node.timer_count()
    }

    /// Returns a new reference, which differs from all others (Erlang's `make_ref/0`).
    ///
    /// ```
    /// let node = fika::Node::builder().workers(1).build()?;
    /// assert_ne!(node.make_ref(), node.make_ref());
    /// # node.stop();
    /// # Ok::<(), fika::node::NodeError>(())
    /// ```
    #[must_use]
    pub fn make_ref(&self) -> Reference {
        self.node.make_ref()
    }

    /// Stops the node, and waits until it has stopped. Returns true if all threads have ended in
    /// time, and false if a process computes without ever waiting, since such a process can't be
    /// ended.
    ///
    /// Processes that wait in [`run_until_stopped`](Node::run_until_stopped) first have up to 5 s, or
    /// the node's [`shutdown_time`](NodeBuilder::shutdown_time), to end by themselves. Then the
    /// connections are closed, all processes are killed, and the threads end.
    ///
    /// Any thread and any process may call this, any number of times: the node stops once, and each
    /// caller waits for that. In three places `stop` does not wait. It does what
    /// [`begin_stop`](Node::begin_stop) does, and returns false:
    ///
    /// - inside a process of the node;
    /// - in code that the node's threads call, such as a waker or a log subscriber;
    /// - for a node in a simulation.
    ///
    /// ```
    /// let node = fika::Node::builder().workers(1).build()?;
    /// assert!(node.stop());
    /// # Ok::<(), fika::node::NodeError>(())
    /// ```
    pub fn stop(&self) -> bool {
        self.node.stop()
    }

    /// Begins to [`stop`](Node::stop) the node, without waiting for the end (Erlang's
    /// `init:stop/0`).
    ///
    /// If the operating system refuses a thread for this, the node logs an error and kills its
    /// processes immediately. Its threads then end when another thread calls `stop`.
    ///
    /// ```
    /// let node = fika::Node::builder().workers(1).build()?;
    /// node.begin_stop();
    /// node.run_until_stopped().wait();
    /// # Ok::<(), fika::node::NodeError>(())
    /// ```
    pub fn begin_stop(&self) {
        self.node.begin_stop();
    }

    /// Waits until the node is stopped, by [`stop`](Node::stop) or
    /// [`begin_stop`](Node::begin_stop).
    ///
    /// In a process of the node, the future is ready as soon as a stop is requested; the process
    /// then has up to 5 s, or the node's [`shutdown_time`](NodeBuilder::shutdown_time), to clean up
    /// and end. In a future of any other executor, it is ready when the node has stopped. A thread
    /// calls [`wait`](RunUntilStopped::wait) on it instead.
    ///
    /// ```
    /// use fika::prelude::*;
    ///
    /// #[fika::main]
    /// async fn main() {
    ///     spawn(async { self_node().stop() });
    ///     self_node().run_until_stopped().await;
    ///     println!("cleaning up");
    /// }
    /// ```
    pub fn run_until_stopped(&self) -> RunUntilStopped {
        self.node.run_until_stopped()
    }

    /// Returns the visible nodes that are connected (Erlang's `nodes/0`).
    ///
    /// ```
    /// let node = fika::Node::builder().workers(1).build()?;
    /// assert!(node.nodes().is_empty());
    /// # node.stop();
    /// # Ok::<(), fika::node::NodeError>(())
    /// ```
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeName> {
        self.distribution().map(|it| it.nodes_of(NodeKind::Visible)).unwrap_or_default()
    }

    /// Returns whether the node has a name, and so can be connected (Erlang's `is_alive/0`).
    ///
    /// ```
    /// let node = fika::Node::builder().workers(1).build()?;
    /// assert!(!node.is_distributed());
    /// # node.stop();
    /// # Ok::<(), fika::node::NodeError>(())
    /// ```
    #[must_use]
    pub fn is_distributed(&self) -> bool {
        self.distribution().is_some_and(|it| it.is_started())
    }

    /// Gives the node a name, as [`start_distribution`](crate::net::start_distribution) does inside
    /// of a process.
    ///
    /// ```standalone_crate
    /// use fika::prelude::*;
    ///
    /// # let ip = format!("127.1.{}.9", std::process::id() % 250);
    /// let node = Node::builder().cookie("a long and secret cookie").epmd_port(14_399).build()?;
    /// assert_eq!(node.name().as_str(), "nonode@nohost");
    /// # let name = format!("late@{ip}");
    /// # stringify! {
    /// let name = "late@127.0.0.1";
    /// # };
    /// node.start_distribution(&name)?;
    /// assert_eq!(node.name().as_str(), name);
    /// assert!(node.stop_distribution());
    /// assert!(!node.is_distributed());
    /// # node.stop();
    /// # Ok::<(), fika::node::NodeError>(())
    /// ```
    ///
    /// # Errors
    /// See [`start_distribution`](crate::net::start_distribution).
    ///
    /// # Panics
    /// Inside a process.
    pub fn start_distribution(&self, name: impl AsRef<str>) -> Result<(), NodeError> {
        let name = name.as_ref().parse()?;
        let Some(distribution) = self.distribution() else {
            return Err(StartError::NoNetwork.into());
        };
        match self.node.try_block_on_service(async move { distribution.start(name).await }) {
            Ok(started) => started.map_err(NodeError::from),
            Err(reason) => Err(NodeError::Ended(reason)),
        }
    }

    /// Removes the node's name, as [`stop_distribution`](crate::net::stop_distribution) does inside
    /// of a process. Returns false if the node has no name.
    ///
    /// ```
    /// let node = fika::Node::builder().workers(1).build()?;
    /// assert!(!node.stop_distribution());
    /// # node.stop();
    /// # Ok::<(), fika::node::NodeError>(())
    /// ```
    ///
    /// # Panics
    /// Inside a process.
    pub fn stop_distribution(&self) -> bool {
        let Some(distribution) = self.distribution() else { return false };
        self.node.try_block_on_service(async move { distribution.stop().await }).unwrap_or(false)
    }

    /// The runtime's node. Not for programs: it may change at any time, and has no distribution.
    #[doc(hidden)]
    #[must_use]
    pub fn __runtime(&self) -> &fika_runtime::Node {
        &self.node
    }

    fn distribution(&self) -> Option<Arc<Distribution>> {
        Distribution::of(&self.node)
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.node.fmt(f)
    }
}

/// Returns a handle to the node of the running process (for its name, Erlang's `node/0`, use
/// `self_node().name()`). The handle does not keep the node running.
///
/// ```
/// use fika::prelude::*;
///
/// #[fika::main]
/// async fn main() {
///     assert_eq!(self_node().id(), self_pid().node());
/// }
/// ```
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn self_node() -> Node {
    Node { node: fika_runtime::self_node(), _owner: None }
}

/// Why a node could not be started.
///
/// ```
/// use fika::node::{Node, NodeError};
///
/// let error = Node::builder().name("no-host").build().unwrap_err();
/// assert!(matches!(error, NodeError::Name(_)), "{error}");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The name is invalid.
    #[error(transparent)]
    Name(#[from] NodeNameError),
    /// There is no valid cookie.
    #[error(transparent)]
    Cookie(#[from] CookieError),
    /// The node's processes can't run.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The poller or the network could not be made.
    #[error("no sockets can be made: {0}")]
    Poller(io::Error),
    /// The distribution can't start.
    #[error(transparent)]
    Start(StartError),
    /// The process that starts the distribution has ended too early.
    #[error("the distribution could not be started: {0}")]
    Ended(ExitReason),
}

/// Errors of the name and of the cookie are always reported as `Name` and `Cookie`.
impl From<StartError> for NodeError {
    fn from(error: StartError) -> NodeError {
        match error {
            StartError::Name(error) => NodeError::Name(error),
            StartError::Cookie(error) => NodeError::Cookie(error),
            error => NodeError::Start(error),
        }
    }
}
