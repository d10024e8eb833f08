//! A node: the processes, and all that they share. A value, of which there may be many in
//! one OS process.

use std::fmt;
use std::panic::{Location, resume_unwind};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::RwLock;

use crate::SendError;
use crate::carrier::{Carrier, ConnectionId, SpawnRequest};
use crate::context;
use crate::dest::Dest;
use crate::env::{Env, SystemEnv, Time};
use crate::exit_reason::ExitReason;
use crate::log_rate::LogRate;
use crate::mailbox_limit::MailboxLimit;
use crate::message::{Envelope, Message};
use crate::name::Name;
use crate::node_id::{Creation, NodeId};
use crate::node_name::NodeName;
use crate::observe::Observed;
use crate::outcome::Outcome;
use crate::pid::Pid;
use crate::printable::printable;
use crate::priority::Priority;
use crate::process::{
    self, Action, Blocking, Body, NewProcess, Orphans, Processes, Start, SystemMonitor,
};
use crate::reference::Reference;
use crate::registry::{RegisterError, Registry};
use crate::remote::Functions;
use crate::report;
use crate::scheduler::{
    BLOCKING, BlockingPool, Driver, Job, LOOKUP, Origin, Ready, Runner, Scheduler, Stuck, TaskId,
    ThreadDriver, Urgency,
};
use crate::signal::{Signal, SpawnError, Target};
use crate::stepper::Stepper;
use crate::stop::{RunUntilStopped, Stop};
use crate::sync::{AtomicBool, Mutex, Ordering};
use crate::table::{self, Table};
use crate::timers::Timers;
use crate::undecodable::{Undecodable, UndecodablePart};

/// As many processes as OTP 28 has by default.
const PROCESS_LIMIT: usize = 1 << 20;

/// More messages than the bursts that a process handles in a moment.
const LONG_MESSAGE_QUEUE: usize = 10_000;

/// The most calls of `spawn_blocking` that run at the same time; further calls wait. tokio has the
/// same limit: enough for any disk, and not too many stacks.
const BLOCKING_MAX: usize = 512;

/// The most blocking calls of the node's own services that run at the same time: of look-ups of
/// hosts, and of a resolver. A peer can cause them, by naming nodes. One that gets no answer
/// occupies a thread until the system gives up.
const LOOKUPS_MAX: usize = 16;

/// How long to wait before trying again to start a thread that the system has refused.
const THREAD_RETRY: Duration = Duration::from_millis(100);

/// The largest number of workers. OTP has the same limit for its schedulers.
const WORKERS_MAX: usize = 1024;

/// What all processes of a node share.
pub(crate) struct Inner {
    /// What the node's own pids carry, whatever its name is.
    pub(crate) id: NodeId,
    /// Its name now.
    name: RwLock<NodeName>,
    pub(crate) env: Arc<dyn Env>,
    pub(crate) table: Table<dyn Body>,
    pub(crate) registry: Registry,
    pub(crate) timers: Timers<Action>,
    /// The limit of the mailboxes of processes that are given none of their own. Behind a
    /// pointer, since few nodes have one.
    pub(crate) mailbox_limit: Option<Box<MailboxLimit>>,
    /// The mailbox length at which a warning is logged.
    pub(crate) long_message_queue: usize,
    /// Limits the log lines about mailboxes that only grow.
    pub(crate) long_queues: LogRate,
    /// Whether new processes go on where a connection is congested.
    pub(crate) async_dist: bool,
    /// Whether messages between processes of this node are encoded and decoded as well.
    pub(crate) encode_messages: bool,
    pub(crate) system_monitor: Mutex<Option<SystemMonitor>>,
    pub(crate) carrier: OnceLock<Arc<dyn Carrier>>,
    pub(crate) blocking: BlockingPool,
    /// Those of the node's services. Separate, so that neither these nor the program's calls hold up
    /// the others.
    pub(crate) lookups: BlockingPool,
    /// The timer runs that tries again to start threads.
    retries_threads: AtomicBool,
    /// Children that may come to processes that have ended.
    pub(crate) orphans: Orphans,
    pub(crate) scheduler: Arc<Scheduler>,
    pub(crate) observed: Observed,
    /// Limits the log lines about requests to spawn, from other nodes, that this node can't fulfil.
    spawns_refused: LogRate,
    /// Limits the log lines about messages of other nodes that don't decode.
    pub(crate) messages_refused: LogRate,
    /// Counts messages, arguments and exit reasons of other nodes that did not decode.
    pub(crate) undecodable: AtomicU64,
    /// Limits the log lines about processes that are suspended by congestion.
    pub(crate) held_ups: LogRate,
    /// Limits the log lines about processes that end with an error of their own.
    pub(crate) crashes: LogRate,
    /// Limits the log lines about signals to other nodes that can't be encoded.
    pub(crate) signals_refused: LogRate,
    /// Limits the log lines about the program's destructors and wakers that panic, and about calls
    /// that a destructor may not make.
    pub(crate) panics: LogRate,
    /// Other nodes may not do something to a process of the runtime.
    pub(crate) guarded: LogRate,
    functions: Functions,
    pub(crate) references: AtomicU64,
    pub(crate) stop: Stop,
    pub(crate) this: Weak<Inner>,
}

/// A node. Cheap to clone; all clones are the same node.
#[derive(Clone)]
pub struct Node(Arc<Inner>);

/// Why a node could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The operating system gave no thread.
    #[error("no thread can be started: {0}")]
    Thread(#[from] std::io::Error),
    /// The operating system gives no random bytes, without which no handshake is safe.
    #[error("the operating system gives no random bytes: {0}")]
    Random(std::io::Error),
    /// Two functions have the same name.
    #[error(
        "two #[remote] functions are called `{0}`; give one of them another name, with \
         #[remote(name = \"..\")]"
    )]
    RemoteFunction(&'static str),
    /// Two message types have the same tag.
    #[error(transparent)]
    MessageTag(#[from] crate::message::TagClash),
    /// A setting is out of its range.
    #[error("{0}")]
    Setting(&'static str),
}

/// The settings of a node.
#[derive(Clone)]
#[must_use = "a node starts with `build`"]
pub struct NodeBuilder {
    id: Option<NodeId>,
    workers: Option<usize>,
    process_limit: usize,
    mailbox_limit: MailboxLimit,
    long_message_queue: usize,
    async_dist: bool,
    encode_messages: bool,
    env: Option<Arc<dyn Env>>,
    driver: Option<Arc<dyn Driver>>,
    observed: Observed,
}

impl NodeBuilder {
    /// Has somebody watch the node.
    #[doc(hidden)]
    #[cfg(feature = "observe")]
    pub fn observer(mut self, observer: Arc<dyn crate::observe::Observer>) -> Self {
        self.observed = Observed::by(observer);
        self
    }

    /// The node's name and creation. Without one the node is `nonode@nohost`.
    pub fn id(mut self, id: NodeId) -> Self {
        self.id = Some(id);
        self
    }

    /// Sets the number of threads that run processes, from 1 to 1024. The default is the number of
    /// cores.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// Sets how many processes the program may have at the same time, from 1 to 134,217,727. The
    /// default is 1,048,576. The node's own services don't count.
    pub fn process_limit(mut self, limit: usize) -> Self {
        self.process_limit = limit;
        self
    }

    /// Sets the mailbox limit of all processes that are not given their own. There is none by
    /// default (the place of Erlang's `+hmax`).
    pub fn mailbox_limit(mut self, limit: MailboxLimit) -> Self {
        self.mailbox_limit = limit;
        self
    }

    /// Sets the mailbox length at which a warning is logged, if the mailbox only grows. The default
    /// is 10,000; `usize::MAX` turns the warning off. It corresponds to Erlang's system monitor of
    /// `long_message_queue`.
    ///
    /// The warning names the process and the most frequent message type in the mailbox, which is
    /// usually a type that no `receive!` takes. It is repeated each time the length has doubled.
    pub fn long_message_queue(mut self, messages: usize) -> Self {
        self.long_message_queue = messages;
        self
    }

    /// What [`async_dist`](crate::async_dist()) is in new processes; false if not set (Erlang's
    /// `+pad`).
    pub fn async_dist(mut self, on: bool) -> Self {
        self.async_dist = on;
        self
    }

    /// Sets whether messages between processes of this node are encoded and decoded. The default is
    /// false. If set, a message that can't be sent to another node is an error at its sender also
    /// on this node. Messages that may not leave the node, such as a [`Local`](crate::Local), and
    /// the messages of timers are passed unchanged.
    pub fn encode_messages(mut self, on: bool) -> Self {
        self.encode_messages = on;
        self
    }

    /// The clock and the random source; the operating system's if not set.
    pub fn env(mut self, env: Arc<dyn Env>) -> Self {
        self.env = Some(env);
        self
    }

    /// Where idle workers wait.
    pub fn driver(mut self, driver: Arc<dyn Driver>) -> Self {
        self.driver = Some(driver);
        self
    }

    /// Starts the node.
    ///
    /// # Errors
    /// If a setting is out of its range, two remote functions have the same name, or the system
    /// refuses a thread; and, if the node has a name or encodes its messages, if two message types
    /// have the same tag.
    pub fn build(mut self) -> Result<Node, BuildError> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let workers = self.workers.unwrap_or_else(|| cores().min(WORKERS_MAX));
        if !(1..=WORKERS_MAX).contains(&workers) {
            return Err(BuildError::Setting("`workers` must be in 1..=1024"));
        }
        let driver = self.driver.take().unwrap_or_else(|| Arc::<ThreadDriver>::default());
        let inner = self.make(workers, |name| Scheduler::new(name, driver))?;
        if let Err(error) = inner.scheduler.start(workers, Arc::new(Work(inner.clone()))) {
            // The threads started so far keep the node alive.
            inner.stop();
            return Err(error.into());
        }
        Ok(Node(inner))
    }

    /// Makes a node that has no threads, and does its work when its [`Stepper`] is told to. Its
    /// number of workers and its driver don't matter.
    ///
    /// # Errors
    /// As [`build`](NodeBuilder::build).
    #[doc(hidden)]
    pub fn build_stepped(self) -> Result<(Node, Stepper), BuildError> {
        let inner = self.make(1, Scheduler::stepped)?;
        Ok((Node(inner.clone()), Stepper::new(inner)))
    }

    /// A node without threads: those of a model are its workers.
    #[cfg(all(test, loom))]
    pub(crate) fn build_at_rest(self) -> Result<Node, BuildError> {
        let driver = Arc::<ThreadDriver>::default();
        self.make(1, |name| Scheduler::new(name, driver)).map(Node)
    }

    fn make(
        self,
        workers: usize,
        scheduler: impl FnOnce(&str) -> Arc<Scheduler>,
    ) -> Result<Arc<Inner>, BuildError> {
        if !(1..=table::LIMIT_MAX).contains(&self.process_limit) {
            return Err(BuildError::Setting("`process_limit` must be in 1..=134217727"));
        }
        // It looks at thread-locals, which are not there when a model fails.
        if !cfg!(any(loom, shuttle)) {
            process::install_panic_hook();
        }
        // A message is only told by its tag if it is encoded.
        if self.id.is_some() || self.encode_messages {
            crate::message::check_tags()?;
        }
        let functions = Functions::of_program().map_err(BuildError::RemoteFunction)?;
        let id = self.id.unwrap_or_else(NodeId::nameless);
        let env = match self.env {
            Some(env) => env,
            None => Arc::new(SystemEnv::try_new().map_err(BuildError::Random)?),
        };
        let scheduler = scheduler(id.name().alive());
        Ok(Arc::new_cyclic(|this| Inner {
            id,
            name: RwLock::new(id.name()),
            env,
            table: Table::new(scheduler.clone(), self.process_limit, workers),
            registry: Registry::default(),
            timers: Timers::new(id, workers + 1),
            mailbox_limit: Some(self.mailbox_limit).filter(|limit| !limit.is_none()).map(Box::new),
            long_message_queue: self.long_message_queue.max(1),
            long_queues: LogRate::default(),
            async_dist: self.async_dist,
            encode_messages: self.encode_messages,
            system_monitor: Mutex::default(),
            carrier: OnceLock::new(),
            blocking: BlockingPool::new(BLOCKING, BLOCKING_MAX),
            lookups: BlockingPool::new(LOOKUP, LOOKUPS_MAX),
            retries_threads: AtomicBool::new(false),
            orphans: Orphans::default(),
            scheduler,
            observed: self.observed,
            spawns_refused: LogRate::default(),
            messages_refused: LogRate::default(),
            undecodable: AtomicU64::new(0),
            held_ups: LogRate::default(),
            crashes: LogRate::default(),
            signals_refused: LogRate::default(),
            panics: LogRate::default(),
            guarded: LogRate::default(),
            functions,
            references: AtomicU64::new(1),
            stop: Stop::default(),
            this: this.clone(),
        }))
    }
}

impl Node {
    /// The settings of a node to be.
    pub fn builder() -> NodeBuilder {
        NodeBuilder {
            id: None,
            workers: None,
            process_limit: PROCESS_LIMIT,
            mailbox_limit: MailboxLimit::NONE,
            long_message_queue: LONG_MESSAGE_QUEUE,
            async_dist: false,
            encode_messages: false,
            env: None,
            driver: None,
            observed: Observed::default(),
        }
    }

    /// Starts workers, and no monitor, in a model of a node at rest.
    #[cfg(all(test, loom))]
    pub(crate) fn start_workers(&self, count: usize) {
        self.0.scheduler.start_workers(count, &(Arc::new(Work(self.0.clone())) as _)).unwrap();
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    /// The node's name and creation, as a number.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.0.id
    }

    /// The node's name (Erlang's `node/0`); `nonode@nohost` if it has none.
    #[must_use]
    pub fn name(&self) -> NodeName {
        self.0.name()
    }

    /// The node's clock and random source.
    #[must_use]
    pub fn env(&self) -> &Arc<dyn Env> {
        &self.0.env
    }

    /// Runs a future as a process, and waits for its value on the calling thread.
    ///
    /// Inside a process, await the future instead, also in place of the `block_on` of another crate.
    /// A process takes turns and signals only when its own future returns. So under such a `block_on`
    /// a `receive!` that has to wait, or has used up its turn, never goes on, and any other function
    /// that gives way at the end of a turn is polled again at once, in a loop without an end.
    ///
    /// # Panics
    /// With the process's own panic if it ends by one, and with its exit reason if it ends
    /// otherwise before the future is ready. When it is called inside a process.
    #[track_caller]
    pub fn block_on<F>(&self, future: F) -> F::Output
    where
        F: IntoFuture,
        F::IntoFuture: Send + 'static,
        F::Output: Send + 'static,
    {
        // Boxed before it is passed on: in a debug build each further call would hold the whole
        // future in its stack frame.
        match self.wait_for(Box::pin(future.into_future()), false) {
            Ok(value) => value,
            // The panic was already printed when the process panicked.
            Err(ExitReason::Panic(panic)) => resume_unwind(Box::new(panic.message.clone())),
            Err(reason) => panic!("the process of `block_on` ended with reason {reason}"),
        }
    }

    /// Runs a future like [`block_on`](Node::block_on), but returns the exit reason if the process
    /// ends before the future is ready.
    ///
    /// # Errors
    /// With the reason.
    ///
    /// # Panics
    /// When it is called inside a process.
    #[track_caller]
    pub fn try_block_on<F>(&self, future: F) -> Result<F::Output, ExitReason>
    where
        F: IntoFuture,
        F::IntoFuture: Send + 'static,
        F::Output: Send + 'static,
    {
        self.wait_for(Box::pin(future.into_future()), false)
    }

    /// Runs a future like [`try_block_on`](Node::try_block_on), in a process that does not count
    /// towards the process limit.
    ///
    /// # Errors
    /// With the exit reason if the process ends before the future is ready.
    ///
    /// # Panics
    /// When it is called inside a process.
    #[doc(hidden)]
    #[track_caller]
    pub fn try_block_on_service<F>(&self, future: F) -> Result<F::Output, ExitReason>
    where
        F: IntoFuture,
        F::IntoFuture: Send + 'static,
        F::Output: Send + 'static,
    {
        self.wait_for(Box::pin(future.into_future()), true)
    }

    /// Spawns a process from outside a process (Erlang's `spawn/1`). `None` if the node has no room
    /// for it, or stops.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> Option<Pid>
    where
        F: IntoFuture<Output: Outcome>,
        F::IntoFuture: Send + 'static,
    {
        let start = Start::new(None, Location::caller());
        process::start(&self.0, start, NewProcess::of()(future), |_| ())
    }

    /// Sends a message from outside of any process.
    ///
    /// # Errors
    /// If a plain name is not registered, the name of a node is invalid, or the message can't leave
    /// this node.
    pub fn send<'a, M: Message>(
        &self,
        dest: impl Into<Dest<'a>>,
        message: M,
    ) -> Result<(), SendError> {
        self.0.send(dest.into(), message)
    }

    /// Sends an exit signal from outside of any process (Erlang's `exit/2`).
    ///
    /// For a process of this node, the sender is the process itself: `normal` ends it, too, unless
    /// it traps exits. A process of another node gets the signal as from a process of this node
    /// that has ended; the node connects if need be, and the signal is lost if that fails.
    ///
    /// ```
    /// # use fika_runtime::{ExitReason, Node};
    /// # let node = Node::builder().build().unwrap();
    /// let pid = node.spawn(std::future::pending::<()>()).unwrap();
    /// node.exit_process(pid, ExitReason::Shutdown);
    /// # node.stop();
    /// ```
    pub fn exit_process(&self, pid: Pid, reason: ExitReason) {
        let is_here = pid.node() == self.0.id;
        let from = if is_here { pid } else { Pid::nobody(self.0.id) };
        self.0.signal_out(pid, Signal::Exit { from, reason, by_link: false });
    }

    /// As [`register`](crate::register).
    ///
    /// # Errors
    /// As there.
    pub fn register(&self, name: impl Into<Name>, pid: Pid) -> Result<(), RegisterError> {
        self.0.register(name.into(), pid)
    }

    /// As [`whereis`](crate::whereis).
    #[must_use]
    pub fn whereis(&self, name: impl AsRef<str>) -> Option<Pid> {
        self.0.registry.whereis(name.as_ref())
    }

    /// As [`processes_iter`](crate::processes_iter).
    pub fn processes(&self) -> Processes {
        Processes::of(self.clone())
    }

    /// How many processes there are.
    #[must_use]
    pub fn process_count(&self) -> usize {
        self.0.table.len()
    }

    /// Returns how many messages, exit reasons and arguments of `#[remote]` functions from other
    /// nodes did not decode. [`InfoItem::Undecodable`](crate::InfoItem::Undecodable) counts those
    /// of one process, and `connected_nodes` those of one connection.
    #[must_use]
    pub fn undecodable_count(&self) -> u64 {
        self.0.undecodable.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// How many timers there are, those of waiting receives included.
    #[must_use]
    pub fn timer_count(&self) -> usize {
        self.0.timers.len()
    }

    /// Makes a reference that differs from every other.
    #[must_use]
    pub fn make_ref(&self) -> Reference {
        self.0.make_ref()
    }

    /// Stops the node, and waits until it has stopped. Returns true if all threads ended in time.
    /// Returns false if a process computes without ever waiting, since such a process can't be
    /// ended.
    ///
    /// Any thread and any process may call this, any number of times: the node stops once, and each
    /// caller waits for that. Inside a process of the node, and in code that the node's threads
    /// call, such as a waker or a log subscriber, `stop` does not wait, since that thread has to end
    /// too: it does what [`begin_stop`](Node::begin_stop) does, and returns false. So it does for a
    /// node in a simulation, which goes on only when the simulation does.
    ///
    /// Processes that wait in [`run_until_stopped`](Node::run_until_stopped) first have up to 5 s
    /// to end by themselves. Then connections are closed, all processes are killed, and the threads
    /// end.
    pub fn stop(&self) -> bool {
        self.0.stop()
    }

    /// Begins to [`stop`](Node::stop) the node, without waiting for the end (Erlang's
    /// `init:stop/0`).
    ///
    /// If the operating system refuses a thread for this, an error is logged, and the processes are
    /// killed at once. The node's threads then end when another thread calls `stop`.
    pub fn begin_stop(&self) {
        self.0.begin_stop();
    }

    /// Waits until the node is stopped, by [`stop`](Node::stop) or
    /// [`begin_stop`](Node::begin_stop).
    ///
    /// In a process of the node, the future is ready as soon as a stop is requested. A process that
    /// is waiting at that moment has up to 5 s to clean up and end before anything is killed. In a
    /// future of any other executor, it is ready when the node has stopped. A thread calls
    /// [`wait`](RunUntilStopped::wait) on it instead.
    pub fn run_until_stopped(&self) -> RunUntilStopped {
        RunUntilStopped::new(self.clone())
    }
}

/// A handle to a node that does not keep it, for what the node itself keeps.
#[doc(hidden)]
#[derive(Clone)]
pub struct WeakNode(Weak<Inner>);

impl WeakNode {
    /// The node, if it is still there.
    #[must_use]
    pub fn upgrade(&self) -> Option<Node> {
        self.0.upgrade().map(Node)
    }
}

/// What carries signals to other nodes uses these.
#[doc(hidden)]
impl Node {
    /// Gives the node its carrier; false if it has one.
    pub fn set_carrier(&self, carrier: Arc<dyn Carrier>) -> bool {
        self.0.carrier.set(carrier).is_ok()
    }

    #[must_use]
    pub fn carrier(&self) -> Option<&Arc<dyn Carrier>> {
        self.0.carrier.get()
    }

    /// Gives the node another name, while it runs. Its pids stay as they are.
    pub fn set_name(&self, name: &NodeName, creation: Creation) {
        self.0.id.call(name, creation);
        *self.0.name.write() = name.clone();
    }

    /// Whether the node itself has begun to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.is_stopping()
    }

    /// Reports something from another node, over this connection, that the network layer could not
    /// decode.
    pub fn undecodable(&self, from: NodeId, connection: ConnectionId, lost: &Undecodable) {
        self.0.undecodable(Some(from), Some(connection), lost);
    }

    /// Returns whether a stop was requested. Processes may still have some time left.
    #[must_use]
    pub fn is_asked_to_stop(&self) -> bool {
        self.0.stop.is_asked()
    }

    /// Takes in a signal of another node; says which process it is for.
    pub fn receive(&self, target: &Target, signal: Signal) -> Option<Pid> {
        self.0.receive(target, signal)
    }

    /// Takes in a message of another node to a process of this one.
    pub fn receive_message(&self, to: Pid, message: Envelope) {
        self.0.receive_message(to, message);
    }

    /// Takes in a request to spawn, and answers it; the new process, if there is one.
    pub fn receive_spawn(&self, request: SpawnRequest) -> Option<Pid> {
        self.0.receive_spawn(request)
    }

    /// Returns the observer of the node, if there is one.
    #[must_use]
    pub fn observed(&self) -> &Observed {
        &self.0.observed
    }

    /// How many processes have ended and are still owed an answer.
    #[must_use]
    pub fn orphan_count(&self) -> usize {
        self.0.orphans.count()
    }

    /// A handle that does not keep the node.
    #[must_use]
    pub fn downgrade(&self) -> WeakNode {
        WeakNode(Arc::downgrade(&self.0))
    }

    /// Whether a process of this node has not ended.
    #[must_use]
    pub fn is_alive(&self, pid: Pid) -> bool {
        pid.node() == self.0.id && self.0.is_alive(pid)
    }

    /// Whether a process of this node is to be told of a connection that is lost: it has not
    /// ended, or is owed an answer although it has.
    #[must_use]
    pub fn is_told_of_loss(&self, pid: Pid) -> bool {
        self.is_alive(pid) || self.0.is_owed(pid)
    }
}

impl Inner {
    /// The connection of what could not be sent at all.
    pub(crate) const NEVER_CONNECTED: ConnectionId = ConnectionId(u64::MAX);

    pub(crate) fn handle(&self) -> Node {
        Node(self.this.upgrade().expect("a process runs, so its node is there"))
    }

    pub(crate) fn name(&self) -> NodeName {
        self.name.read().clone()
    }

    /// Whether this is the node's own name.
    pub(crate) fn is_called(&self, node: &str) -> bool {
        self.name.read().as_str() == node
    }

    pub(crate) fn make_ref(&self) -> Reference {
        Reference::new(self.id, self.references.fetch_add(1, Ordering::Relaxed))
    }

    /// A reference that leads to the process in this slot.
    pub(crate) fn make_alias_ref(&self, slot: u32) -> Reference {
        let serial = self.references.fetch_add(1, Ordering::Relaxed);
        Reference::owned(self.id, serial, Some(slot))
    }

    /// Returns whether the node has stopped making processes.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stop.ends()
    }

    /// Whether a worker runs the process in this slot.
    pub(crate) fn is_running(&self, pid: Pid) -> bool {
        self.scheduler.is_running(TaskId::of(pid.local().slot))
    }

    pub(crate) fn is_alive(&self, pid: Pid) -> bool {
        self.table.get(pid.local()).is_some_and(|slot| !slot.queue.is_closed())
    }

    pub(crate) fn register(&self, name: Name, pid: Pid) -> Result<(), RegisterError> {
        if pid.node() != self.id {
            return Err(RegisterError::Noproc);
        }
        let id = pid.local();
        let mark = || {
            self.table.get(id).is_some_and(|slot| {
                slot.mark(table::NAMED);
                slot.is_open_for(id.generation)
            })
        };
        self.registry.register(name, pid, mark)?;
        self.observed.tell(|observer| {
            if let Some(name) = self.registry.name_of(pid) {
                observer.registered(pid, name.as_str());
            }
        });
        Ok(())
    }

    fn receive_spawn(&self, request: SpawnRequest) -> Option<Pid> {
        let SpawnRequest { reference, from, group_leader, function, args, .. } = request;
        let reply = |result| {
            self.signal_out(from, Signal::SpawnReply { reference, result });
        };
        let Some(make) = self.functions.get(function.as_str()) else {
            self.spawns_refused.line(self.env.now(), |left_out| {
                report!(
                    warn, function = printable(&function), %from, left_out,
                    "asked to spawn a function that this node has not"
                );
            });
            reply(Err(SpawnError::Notsup));
            return None;
        };
        // The arguments' types are the user's, and so is what reads them. It runs for no process:
        // the one that runs here may be net_kernel, which an `exit` in it must not end.
        let made = context::enter_node(self, || {
            process::catch(|| {
                make(&args).map_err(|error| match error.is_malformed() {
                    true => (SpawnError::Badarg, printable(error)),
                    false => (SpawnError::Notsup, printable(error)),
                })
            })
        });
        let future = match made.unwrap_or_else(|panic| Err((SpawnError::Badarg, printable(panic))))
        {
            Ok(future) => future,
            Err((answer, why)) => {
                let (part, tag) = (UndecodablePart::Arguments, function.as_str().into());
                let lost = Undecodable { part, sender: Some(from), receiver: None, tag, why };
                self.undecodable(Some(from.node()), args.wire_type.connection, &lost);
                reply(Err(answer));
                return None;
            }
        };
        let start = Start {
            link: request.link.then_some(from),
            watcher: request.monitor.then_some((reference, from)),
            priority: request.priority,
            group_leader: Some(group_leader),
            ..Start::new(Some(from), Location::caller())
        };
        // SPAWN-6: the answer goes out before the child can send anything.
        let started = process::start(self, start, NewProcess::of()(future), |pid| reply(Ok(pid)));
        if started.is_none() {
            reply(Err(SpawnError::SystemLimit));
        }
        started
    }

    /// Runs a call that blocks, outside of all processes.
    ///
    /// # Errors
    /// Returns the call if the system refuses a thread for it.
    pub(crate) fn run_blocking(&self, kind: Blocking, call: Job) -> Result<(), Job> {
        let run = match (self.scheduler.by_steps(), kind) {
            (Some(stepped), _) => {
                stepped.push(Ready::Call(call));
                return Ok(());
            }
            (None, Blocking::OfProgram) => self.blocking.run(call, Urgency::Prompt),
            (None, Blocking::OfService(urgency)) => self.lookups.run(call, urgency),
        };
        if run? {
            self.thread_is_missing();
        }
        Ok(())
    }

    /// The system has refused a thread that is needed: the node tries again after a moment.
    pub(crate) fn thread_is_missing(&self) {
        if !self.retries_threads.swap(true, Ordering::SeqCst) {
            let now = self.env.now();
            self.start_timer_at(now, now + THREAD_RETRY, |_| Action::RetryThreads);
        }
    }

    /// Tries again to start the threads that the system has refused.
    pub(crate) fn retry_threads(&self) {
        // Before it looks: what is missing from now on starts the timer itself.
        self.retries_threads.store(false, Ordering::SeqCst);
        let missing = [self.blocking.retry(), self.lookups.retry(), self.retry_stop()];
        if missing.contains(&true) {
            self.thread_is_missing();
        }
    }

    /// Returns the process of this node that runs on this thread.
    pub(crate) fn own_process(&self) -> Option<Pid> {
        context::try_process(|me| std::ptr::eq(me.node, self).then(|| me.pid())).flatten()
    }
}

/// What the scheduler runs.
pub(crate) struct Work(pub(crate) Arc<Inner>);

impl Runner for Work {
    fn enter(&self, work: &dyn Fn()) {
        context::enter_node(&self.0, work);
    }

    fn run(&self, task: TaskId, origin: &Origin) -> Option<Priority> {
        process::run(&self.0, self.0.table.at(task), origin)
    }

    fn maintain(&self) {
        self.0.fire_timers();
    }

    fn before_sleep(&self) -> Option<Duration> {
        self.0.fire_timers();
        self.0.timers.sleep_until_next(self.0.env.now())
    }

    fn after_sleep(&self) {
        self.0.timers.awake();
        self.0.fire_timers();
    }

    fn turn_end(&self) {
        if let Some(carrier) = self.0.carrier.get() {
            carrier.flush();
        }
    }

    fn now(&self) -> Time {
        self.0.env.now()
    }

    fn report_stuck(&self, stuck: &Stuck) {
        let pid = Pid::new(self.0.id, self.0.table.at(stuck.task).id());
        let name = self.0.registry.name_of(pid).map(|name| name.as_str().to_owned());
        let spawned_at = stuck.origin.map(tracing::field::display);
        report!(
            warn, %pid, name, spawned_at,
            computed_ms = stuck.computed.as_millis(),
            blocked_ms = stuck.blocked.as_millis(),
            left_out = stuck.left_out,
            "a process has kept its worker without coming to a suspension point; others go on \
             without it. Let long computations call `yield_now().await`, or give them to \
             `spawn_blocking`"
        );
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({:?})", self.0.id)
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::{
        Down, Next, Opened, Receive, self_pid, send, sleep, spawn, spawn_link, spawn_monitor,
        trap_exit, yield_now,
    };

    async fn receive<M: Message>() -> M {
        let mut receive = Receive::begin();
        loop {
            if let Next::Message(message) = receive.next(Envelope::is::<M>).await {
                match receive.open::<M>(message) {
                    Opened::Is(node) => return node.body,
                    Opened::Other(other) => receive.keep(other),
                    Opened::Gone => {}
                }
            }
        }
    }

    /// All of a process's life, on real threads, small enough for an interpreter that
    /// checks each memory access.
    #[test]
    fn a_small_node() {
        let node = Node::builder().workers(2).process_limit(300).build().unwrap();
        node.block_on(async {
            let me = self_pid();
            let echo = spawn(async {
                loop {
                    let (from, n): (Pid, u64) = receive().await;
                    send(from, n + 1);
                }
            });
            for n in 0..20 {
                send(echo, (me, n));
                assert_eq!(receive::<u64>().await, n + 1);
            }
            let children = (0..20_u64).map(|n| spawn(async move { send(me, n) }));
            assert_eq!(children.count(), 20);
            let mut sum = 0;
            for _ in 0..20 {
                sum += receive::<u64>().await;
            }
            assert_eq!(sum, 190);
            trap_exit(true);
            let child = spawn_link(async { crate::exit(ExitReason::Shutdown) });
            assert_eq!(receive::<crate::Exit>().await.from, child);
            let (_, monitor) = spawn_monitor(async { sleep(Duration::from_millis(1)).await });
            assert_eq!(receive::<Down>().await.monitor, monitor);
        });
        assert!(node.stop());
        assert_eq!(node.process_count(), 0);
    }

    /// For miri: several threads and a process stop a node that has processes, while another thread
    /// makes more of them.
    #[test]
    #[allow(clippy::disallowed_methods, reason = "threads beside the node")]
    fn all_stop_a_small_node() {
        let node = Node::builder().workers(2).process_limit(40).build().unwrap();
        let stops = node.clone();
        node.spawn(async move {
            yield_now().await;
            assert!(!stops.stop());
        });
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| assert!(node.stop()));
            }
            while node.spawn(sleep_forever()).is_some() {}
        });
        assert!(node.stop());
        assert_eq!(node.process_count(), 0);
    }

    async fn sleep_forever() {
        let mut times = vec![Duration::from_secs(1000)];
        while let Some(time) = times.pop() {
            sleep(time).await;
        }
    }
}
