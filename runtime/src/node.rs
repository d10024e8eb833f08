//! A node: its processes, and all that they share. A node is a value, and one OS process may have
//! many.

mod build_error;
mod builder;
mod extensions;
mod logs;
mod services;
mod spawns;
mod threads;
mod work;

use std::fmt;
use std::panic::{Location, resume_unwind};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::RwLock;

use self::extensions::Extensions;
use self::logs::Logs;
use self::services::Services;
use crate::SendError;
use crate::carrier::{Carrier, ConnectionId, SpawnRequest};
use crate::context;
use crate::dest::Dest;
use crate::env::Env;
use crate::exit_reason::ExitReason;
use crate::mailbox_limit::MailboxLimit;
use crate::message::{Envelope, Message};
use crate::name::Name;
use crate::node_id::{Creation, NodeId};
use crate::node_name::NodeName;
use crate::observe::Observed;
use crate::outcome::Outcome;
use crate::pid::Pid;
use crate::process::{self, Action, Body, NewProcess, Orphans, Processes, Start, SystemMonitor};
use crate::reference::Reference;
use crate::registry::{RegisterError, Registry};
use crate::remote::Functions;
use crate::scheduler::{Scheduler, TaskId};
use crate::signal::{Signal, Target};
use crate::stop::{RunUntilStopped, Stop};
use crate::sync::{Mutex, Ordering};
use crate::table::{self, Table};
use crate::timers::Timers;
use crate::undecodable::Undecodable;

pub use self::build_error::BuildError;
pub use self::builder::NodeBuilder;
pub use self::services::{NodeService, StopService};
pub(crate) use self::services::{stop_services, stop_services_here};
pub(crate) use self::threads::{Threads, retry_threads, run_blocking, thread_is_missing};
pub(crate) use self::work::Work;

/// The state that all processes of a node share.
pub(crate) struct Inner {
    /// The id that the node's pids carry, whatever the node's name is.
    pub(crate) id: NodeId,
    /// The name that the node has now.
    name: RwLock<NodeName>,
    pub(crate) env: Arc<dyn Env>,
    pub(crate) settings: Settings,
    pub(crate) table: Table<dyn Body>,
    pub(crate) registry: Registry,
    pub(crate) timers: Timers<Action>,
    pub(crate) system_monitor: Mutex<Option<SystemMonitor>>,
    pub(crate) carrier: OnceLock<Arc<dyn Carrier>>,
    /// The threads of blocking calls.
    pub(crate) threads: Threads,
    /// The children that may still be spawned for processes that have ended.
    pub(crate) orphans: Orphans,
    pub(crate) scheduler: Arc<Scheduler>,
    pub(crate) observed: Observed,
    pub(crate) logs: Logs,
    /// Counts messages, arguments and exit reasons of other nodes that did not decode.
    pub(crate) undecodable: AtomicU64,
    functions: Functions,
    pub(crate) references: AtomicU64,
    /// The services that stop with the node.
    pub(crate) services: Services,
    /// The state of layers above the runtime.
    extensions: Extensions,
    pub(crate) stop: Stop,
    pub(crate) this: Weak<Inner>,
}

/// The settings that processes look at.
pub(crate) struct Settings {
    /// The mailbox limit of processes that are not given another one.
    pub(crate) mailbox_limit: MailboxLimit,
    /// The mailbox length at which a warning is logged.
    pub(crate) long_message_queue: usize,
    /// Whether new processes keep running if they send over a congested connection.
    pub(crate) async_dist: bool,
    /// Whether messages between processes of this node are encoded and decoded.
    pub(crate) encode_messages: bool,
    /// How long the processes that wait for the stop may take to end by themselves.
    pub(crate) shutdown_time: Duration,
}

/// A node. Cheap to clone; all clones are the same node.
#[derive(Clone)]
pub struct Node(Arc<Inner>);

impl Node {
    /// Returns the settings of a new node, with their defaults.
    pub fn builder() -> NodeBuilder {
        NodeBuilder::new()
    }

    /// Starts workers, and no monitor, in a model of a node at rest.
    #[cfg(all(test, loom))]
    pub(crate) fn start_workers(&self, count: usize) {
        self.0.scheduler.start_workers(count, &(Arc::new(Work(self.0.clone())) as _)).unwrap();
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    /// Returns the node's name and creation, as a number.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.0.id
    }

    /// Returns the node's name (Erlang's `node/0`), which is `nonode@nohost` if it was given none.
    #[must_use]
    pub fn name(&self) -> NodeName {
        self.0.name()
    }

    /// Returns the node's clock and random source.
    #[must_use]
    pub fn env(&self) -> &Arc<dyn Env> {
        &self.0.env
    }

    /// Runs a future as a process, and waits for its value on the calling thread.
    ///
    /// Inside a process, await the future instead. Do not use the `block_on` of another crate there
    /// either: a process takes turns and signals only when its own future returns. Under such a
    /// `block_on`, a `receive!` that has to wait, or that has used up its turn, never continues.
    /// Any other function that yields at the end of a turn is polled again immediately, in an
    /// endless loop.
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
    /// With the exit reason if the process ends before the future is ready.
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
    /// A process of this node sees itself as the sender, so `normal` ends it, too, unless it traps
    /// exits. A process of another node sees a process of this node that has ended as the sender.
    /// The node connects first if there is no connection; if that fails, the signal is lost.
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

    /// Gives a process of this node a name. See [`register`](crate::register).
    ///
    /// # Errors
    /// If the name is invalid or already taken, or if the process already has a name, has ended, or
    /// belongs to another node.
    pub fn register(&self, name: impl Into<Name>, pid: Pid) -> Result<(), RegisterError> {
        self.0.register(name.into(), pid)
    }

    /// Returns the process that has this name on this node. See [`whereis`](crate::whereis).
    #[must_use]
    pub fn whereis(&self, name: impl AsRef<str>) -> Option<Pid> {
        self.0.registry.whereis(name.as_ref())
    }

    /// Returns an iterator over the processes of this node. See
    /// [`processes_iter`](crate::processes_iter).
    pub fn processes(&self) -> Processes {
        Processes::of(self.clone())
    }

    /// Returns how many processes the node has.
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

    /// Returns how many timers the node has, including those of waiting receives.
    #[must_use]
    pub fn timer_count(&self) -> usize {
        self.0.timers.len()
    }

    /// Makes a reference that differs from every other.
    #[must_use]
    pub fn make_ref(&self) -> Reference {
        self.0.make_ref()
    }

    /// Stops the node, and waits until it has stopped. Returns true if all threads ended in time,
    /// and false if a process computes without ever waiting, since such a process can't be ended.
    ///
    /// Any thread and any process may call this, any number of times: the node stops once, and each
    /// caller waits for that. In three places it does not wait. It does what
    /// [`begin_stop`](Node::begin_stop) does, and returns false:
    ///
    /// - inside a process of the node;
    /// - in code that the node's threads call, such as a waker or a log subscriber, since that
    ///   thread has to end, too;
    /// - for a node in a simulation, which goes on only when the simulation does.
    ///
    /// Processes that wait in [`run_until_stopped`](Node::run_until_stopped) first have some time
    /// to end by themselves: 5 s, or the node's [`shutdown_time`](NodeBuilder::shutdown_time). Then
    /// the node's [services](crate::NodeService) are stopped, connections are closed, all processes
    /// are killed, and the threads end.
    pub fn stop(&self) -> bool {
        self.0.stop()
    }

    /// Begins to [`stop`](Node::stop) the node, without waiting for the end (Erlang's
    /// `init:stop/0`).
    ///
    /// If the operating system refuses a thread for this, an error is logged, and the processes are
    /// killed immediately. The node's threads then end when another thread calls `stop`.
    pub fn begin_stop(&self) {
        self.0.begin_stop();
    }

    /// Waits until the node is stopped, by [`stop`](Node::stop) or
    /// [`begin_stop`](Node::begin_stop).
    ///
    /// In a process of the node, the future is ready as soon as a stop is requested. A process that
    /// is waiting at that moment has up to 5 s, or the node's
    /// [`shutdown_time`](NodeBuilder::shutdown_time), to clean up and end before anything is
    /// killed. In a future of any other executor, it is ready when the node has stopped. A thread
    /// calls [`wait`](RunUntilStopped::wait) on it instead.
    pub fn run_until_stopped(&self) -> RunUntilStopped {
        RunUntilStopped::new(self.clone())
    }
}

/// A handle that does not keep the node alive, for values that the node itself holds.
#[doc(hidden)]
#[derive(Clone)]
pub struct WeakNode(Weak<Inner>);

impl WeakNode {
    /// Returns the node, if it still exists.
    #[must_use]
    pub fn upgrade(&self) -> Option<Node> {
        self.0.upgrade().map(Node)
    }
}

/// For the carrier, which takes signals to other nodes and brings signals from them.
#[doc(hidden)]
impl Node {
    /// Gives the node its carrier. Returns false if it has one already.
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

    /// Returns whether the node has stopped making processes.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.is_stopping()
    }

    /// Reports a value from another node, over this connection, that the network layer could not
    /// decode.
    pub fn undecodable(&self, from: NodeId, connection: ConnectionId, lost: &Undecodable) {
        process::undecodable(&self.0, Some(from), Some(connection), lost);
    }

    /// Returns whether a stop was requested. Processes may still have some time left.
    #[must_use]
    pub fn is_asked_to_stop(&self) -> bool {
        self.0.stop.is_asked()
    }

    /// Delivers a signal from another node, and returns its receiver.
    pub fn receive(&self, target: &Target, signal: Signal) -> Option<Pid> {
        self.0.receive(target, signal)
    }

    /// Delivers a message from another node to a process of this node.
    pub fn receive_message(&self, to: Pid, message: Envelope) {
        self.0.receive_message(to, message);
    }

    /// Handles a request to spawn from another node, and answers it. Returns the new process, if
    /// there is one.
    pub fn receive_spawn(&self, request: SpawnRequest) -> Option<Pid> {
        spawns::receive_spawn(&self.0, request)
    }

    /// Returns the observer of the node, if there is one.
    #[must_use]
    pub fn observed(&self) -> &Observed {
        &self.0.observed
    }

    /// Returns how many ended processes still expect an answer.
    #[must_use]
    pub fn orphan_count(&self) -> usize {
        self.0.orphans.count()
    }

    /// Returns a handle that does not keep the node alive.
    #[must_use]
    pub fn downgrade(&self) -> WeakNode {
        WeakNode(Arc::downgrade(&self.0))
    }

    /// Returns whether a process of this node has not ended.
    #[must_use]
    pub fn is_alive(&self, pid: Pid) -> bool {
        pid.node() == self.0.id && self.0.is_alive(pid)
    }

    /// Returns whether a process of this node has to be notified of a lost connection: it has not
    /// ended, or has ended before all its requests were answered.
    #[must_use]
    pub fn is_told_of_loss(&self, pid: Pid) -> bool {
        self.is_alive(pid) || self.0.is_owed(pid)
    }
}

impl Inner {
    /// The connection of signals that could not be sent at all.
    pub(crate) const NEVER_CONNECTED: ConnectionId = ConnectionId(u64::MAX);

    pub(crate) fn handle(&self) -> Node {
        self.try_handle().expect("`self` is borrowed from an `Arc`")
    }

    /// Returns a handle, unless the node is being dropped.
    pub(crate) fn try_handle(&self) -> Option<Node> {
        self.this.upgrade().map(Node)
    }

    pub(crate) fn name(&self) -> NodeName {
        self.name.read().clone()
    }

    pub(crate) fn functions(&self) -> &Functions {
        &self.functions
    }

    /// Returns whether this is the node's own name.
    pub(crate) fn is_called(&self, node: &str) -> bool {
        self.name.read().as_str() == node
    }

    pub(crate) fn make_ref(&self) -> Reference {
        Reference::new(self.id, self.references.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes a reference that leads to the process in this slot.
    pub(crate) fn make_alias_ref(&self, slot: u32) -> Reference {
        let serial = self.references.fetch_add(1, Ordering::Relaxed);
        Reference::owned(self.id, serial, Some(slot))
    }

    /// Returns whether the node has stopped making processes.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stop.ends()
    }

    /// Returns whether a worker runs this process now.
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

    /// Returns the process of this node that runs on this thread.
    pub(crate) fn own_process(&self) -> Option<Pid> {
        context::try_process(|me| std::ptr::eq(me.node, self).then(|| me.pid())).flatten()
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({:?})", self.0.id)
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::time::Duration;

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

    /// The whole life of a process, on real threads. It is small enough for an interpreter that
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
