//! A node: the processes, and all that they share. A value, of which there may be many in
//! one OS process.
//!
//! Stopping a node:
//!
//! 1. No process is made any more.
//! 2. All processes are killed, until none is left or the time is over.
//! 3. The threads end. One that is in a process that never comes back is left behind.
//! 4. What processes there still are, are taken apart here.

use std::fmt;
use std::panic::{Location, resume_unwind};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::RwLock;

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
use crate::oneshot::Oneshot;
use crate::pid::Pid;
use crate::priority::Priority;
use crate::process::{self, Action, Body, Orphans, Processes, SlotRef, Start, SystemMonitor};
use crate::reference::Reference;
use crate::registry::{RegisterError, Registry};
use crate::remote::Functions;
use crate::scheduler::{
    BlockingPool, Driver, Origin, Ready, Runner, Scheduler, Stuck, TaskId, ThreadDriver,
    is_worker_of,
};
use crate::signal::{Signal, SpawnError, Target};
use crate::stepper::Stepper;
use crate::sync::{AtomicBool, Condvar, Mutex, Ordering};
use crate::system_message::Down;
use crate::table::{self, Table};
use crate::timers::Timers;
use crate::{Next, Opened, Receive, SendError};

/// As many processes as OTP 28 has by default.
const PROCESS_LIMIT: usize = 1 << 20;

/// How long killed processes may take to end when a node stops.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// How long no process has ended when a node that stops looks for others to kill.
const KILL_AGAIN: Duration = Duration::from_millis(50);

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
    /// Whether new processes go on where a connection is congested.
    pub(crate) async_dist: bool,
    pub(crate) system_monitor: Mutex<Option<SystemMonitor>>,
    pub(crate) carrier: OnceLock<Arc<dyn Carrier>>,
    pub(crate) blocking: BlockingPool,
    /// Children that may come to processes that have ended.
    pub(crate) orphans: Orphans,
    pub(crate) scheduler: Arc<Scheduler>,
    pub(crate) observed: Observed,
    /// For requests of other nodes to spawn that this one can't fulfil.
    spawns_refused: LogRate,
    /// For messages of other nodes that don't decode.
    pub(crate) messages_refused: LogRate,
    functions: Functions,
    pub(crate) references: AtomicU64,
    stopping: AtomicBool,
    /// Told, while the node stops, that a process has ended.
    process_ended: (Mutex<()>, Condvar),
    this: Weak<Inner>,
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
    /// Two functions have the same name.
    #[error(
        "two #[remote] functions are called `{0}`; give one of them another name, with \
         #[remote(name = \"..\")]"
    )]
    RemoteFunction(&'static str),
    /// A setting is out of its range.
    #[error("{0}")]
    Setting(&'static str),
}

/// The settings of a node.
#[derive(Clone)]
pub struct NodeBuilder {
    id: Option<NodeId>,
    workers: Option<usize>,
    process_limit: usize,
    mailbox_limit: MailboxLimit,
    async_dist: bool,
    env: Option<Arc<dyn Env>>,
    driver: Option<Arc<dyn Driver>>,
    observed: Observed,
}

impl NodeBuilder {
    /// Has somebody watch the node.
    #[doc(hidden)]
    #[cfg(feature = "observe")]
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn crate::observe::Observer>) -> Self {
        self.observed = Observed::by(observer);
        self
    }

    /// The node's name and creation. Without one the node is `nonode@nohost`.
    #[must_use]
    pub fn id(mut self, id: NodeId) -> Self {
        self.id = Some(id);
        self
    }

    /// How many threads run processes; as many as there are cores if not set.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// How many processes there may be at the same time; 1,048,576 if not set.
    #[must_use]
    pub fn process_limit(mut self, limit: usize) -> Self {
        self.process_limit = limit;
        self
    }

    /// The limit of the mailboxes of all processes that are given no other; none if not set
    /// (the place of Erlang's `+hmax`).
    #[must_use]
    pub fn mailbox_limit(mut self, limit: MailboxLimit) -> Self {
        self.mailbox_limit = limit;
        self
    }

    /// What [`async_dist`](crate::async_dist()) is in new processes; false if not set (Erlang's
    /// `+pad`).
    #[must_use]
    pub fn async_dist(mut self, on: bool) -> Self {
        self.async_dist = on;
        self
    }

    /// The clock and the random source; the operating system's if not set.
    #[must_use]
    pub fn env(mut self, env: Arc<dyn Env>) -> Self {
        self.env = Some(env);
        self
    }

    /// Where idle workers wait.
    #[must_use]
    pub fn driver(mut self, driver: Arc<dyn Driver>) -> Self {
        self.driver = Some(driver);
        self
    }

    /// Starts the node.
    ///
    /// # Errors
    /// When a setting is out of its range, two remote functions have one name, or no thread
    /// can be started.
    pub fn build(mut self) -> Result<Node, BuildError> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let workers = self.workers.unwrap_or_else(cores);
        if workers == 0 {
            return Err(BuildError::Setting("a node needs at least one worker"));
        }
        let driver = self.driver.take().unwrap_or_else(|| Arc::<ThreadDriver>::default());
        let inner = self.make(workers, |name| Scheduler::new(name, driver))?;
        inner.scheduler.start(workers, Arc::new(Work(inner.clone())))?;
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
        if self.process_limit == 0 || u32::try_from(self.process_limit).is_err() {
            return Err(BuildError::Setting("the process limit must be in 1..=4294967295"));
        }
        // It looks at thread-locals, which are not there when a model fails.
        if !cfg!(any(loom, shuttle)) {
            process::install_panic_hook();
        }
        let functions = Functions::of_program().map_err(BuildError::RemoteFunction)?;
        let id = self.id.unwrap_or_else(NodeId::nameless);
        let scheduler = scheduler(id.name().alive());
        Ok(Arc::new_cyclic(|this| Inner {
            id,
            name: RwLock::new(id.name()),
            env: self.env.unwrap_or_else(|| Arc::new(SystemEnv::new())),
            table: Table::new(scheduler.clone(), self.process_limit, workers),
            registry: Registry::default(),
            timers: Timers::new(id, workers + 1),
            mailbox_limit: Some(self.mailbox_limit).filter(|limit| !limit.is_none()).map(Box::new),
            async_dist: self.async_dist,
            system_monitor: Mutex::default(),
            carrier: OnceLock::new(),
            blocking: BlockingPool::default(),
            orphans: Orphans::default(),
            scheduler,
            observed: self.observed,
            spawns_refused: LogRate::default(),
            messages_refused: LogRate::default(),
            functions,
            references: AtomicU64::new(1),
            stopping: AtomicBool::new(false),
            process_ended: Default::default(),
            this: this.clone(),
        }))
    }
}

impl Node {
    /// The settings of a node to be.
    #[must_use]
    pub fn builder() -> NodeBuilder {
        NodeBuilder {
            id: None,
            workers: None,
            process_limit: PROCESS_LIMIT,
            mailbox_limit: MailboxLimit::NONE,
            async_dist: false,
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
        match self.try_block_on(future) {
            Ok(value) => value,
            Err(ExitReason::Panic(panic)) => {
                // The hook has not printed it, as it was in a process.
                let at = panic.location.as_deref().unwrap_or("an unknown place");
                eprintln!("the process of `block_on` panicked at {at}:\n{}", panic.message);
                resume_unwind(Box::new(panic.message.clone()))
            }
            Err(reason) => panic!("the process of `block_on` ended with reason {reason}"),
        }
    }

    /// As [`block_on`](Node::block_on), and gives the exit reason if the process ends
    /// before the future is ready.
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
        assert!(
            context::try_process(|_| ()).is_none(),
            "`block_on` inside a process would block its worker: await the future instead"
        );
        let (sender, receiver) = crossbeam_channel::bounded(1);
        let value = Oneshot::default();
        let future = future.into_future();
        let to = value.clone();
        let started = self.spawn(async move {
            let (_, monitor) = process::spawn_monitor(async move { to.set(future.await) });
            let reason = down(monitor).await;
            let _ = sender.send(reason);
        });
        if started.is_none() {
            return Err(ExitReason::SystemLimit);
        }
        let reason = receiver.recv().unwrap_or(ExitReason::Killed);
        value.take().ok_or(reason)
    }

    /// Spawns a process from outside of any (Erlang's `spawn/1`); none if the node has no
    /// room, or stops.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> Option<Pid>
    where
        F: IntoFuture,
        F::IntoFuture: Send + 'static,
    {
        let start = Start::new(None, Location::caller());
        process::start(&self.0, start, future.into_future(), |_| ())
    }

    /// Sends a message from outside of any process.
    ///
    /// # Errors
    /// When a plain name is not registered, a node's name is none, or the message can't leave
    /// this node.
    pub fn send<'a, M: Message>(
        &self,
        dest: impl Into<Dest<'a>>,
        message: M,
    ) -> Result<(), SendError> {
        self.0.send(dest.into(), message)
    }

    /// Sends an exit signal from outside of any process; the sender is the process itself.
    pub fn exit_process(&self, pid: Pid, reason: ExitReason) {
        self.0.signal_out(pid, Signal::Exit { from: pid, reason, by_link: false });
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
    pub fn whereis(&self, name: &str) -> Option<Pid> {
        self.0.registry.whereis(name)
    }

    /// As [`processes_iter`](crate::processes_iter).
    #[must_use]
    pub fn processes(&self) -> Processes {
        Processes::of(self.clone())
    }

    /// How many processes there are.
    #[must_use]
    pub fn process_count(&self) -> usize {
        self.0.table.len()
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

    /// Stops the node: kills its processes and ends its threads. True if all of them ended
    /// in time; a process that computes and never waits can't be ended.
    ///
    /// # Panics
    /// Inside a process of the node.
    pub fn stop(&self) -> bool {
        assert!(
            !is_worker_of(&self.0.scheduler),
            "a node can't be stopped from a process of its own, which would wait for itself"
        );
        self.0.stop()
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

    /// Takes in a signal of another node; says which process it is for.
    pub fn receive(&self, target: &Target, signal: Signal) -> Option<Pid> {
        self.0.receive(target, signal)
    }

    /// Takes in a message of another node to a process of this one.
    pub fn receive_message(&self, to: Pid, message: Envelope) {
        self.0.deliver_envelope(to, message);
    }

    /// Takes in a request to spawn, and answers it; the new process, if there is one.
    pub fn receive_spawn(&self, request: SpawnRequest) -> Option<Pid> {
        self.0.receive_spawn(request)
    }

    /// Who watches the node, if anybody does.
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

/// Waits for the `Down` of this monitor.
async fn down(monitor: Reference) -> ExitReason {
    let mut receive = Receive::begin();
    loop {
        if let Next::Message(message) = receive.next(Envelope::is::<Down>).await {
            match receive.open::<Down>(message) {
                Opened::Is(down) if down.body.monitor == monitor => return down.body.reason,
                Opened::Is(other) => receive.keep(other.into()),
                Opened::Other(other) => receive.keep(other),
                Opened::Gone => {}
            }
        }
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

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
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
                tracing::warn!(
                    %function, %from, left_out,
                    "asked to spawn a function that this node has not"
                );
            });
            reply(Err(SpawnError::Notsup));
            return None;
        };
        // The arguments' types are the user's, and so is what reads them.
        let made = process::catch(|| make(&args).map_err(|error| error.to_string()));
        let future = match made.unwrap_or_else(|panic| Err(panic.to_string())) {
            Ok(future) => future,
            Err(error) => {
                self.spawns_refused.line(self.env.now(), |left_out| {
                    tracing::warn!(
                        %function, %from, %error, left_out,
                        "asked to spawn with other arguments"
                    );
                });
                reply(Err(SpawnError::Notsup));
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
        let started = process::start(self, start, future, |pid| reply(Ok(pid)));
        if started.is_none() {
            reply(Err(SpawnError::SystemLimit));
        }
        started
    }

    /// Runs a call that blocks, outside of all processes.
    pub(crate) fn run_blocking(&self, call: Box<dyn FnOnce() + Send>) {
        match self.scheduler.by_steps() {
            Some(stepped) => stepped.push(Ready::Call(call)),
            None => self.blocking.run(call),
        }
    }

    /// A process has ended, and its slot is free.
    pub(crate) fn process_ended(&self) {
        if self.is_stopping() {
            drop(self.process_ended.0.lock());
            self.process_ended.1.notify_all();
        }
    }

    pub(crate) fn stop(&self) -> bool {
        // 1.
        self.stopping.store(true, Ordering::SeqCst);
        // 2.
        let mut guard = self.process_ended.0.lock();
        let kill = |slot: SlotRef| {
            let pid = Pid::new(self.id, slot.id());
            let reason = ExitReason::Kill;
            self.deliver(pid, Signal::Exit { from: pid, reason, by_link: false });
        };
        self.table.live().for_each(kill);
        let deadline = self.env.now() + STOP_WAIT;
        // Without threads, there is nobody to wait for.
        let has_threads = self.scheduler.by_steps().is_none();
        while has_threads && self.table.len() > 0 && self.env.now() < deadline {
            // A process that was being made at the first look is there at the next.
            if self.process_ended.1.wait_for(&mut guard, KILL_AGAIN).timed_out() {
                self.table.live().for_each(kill);
            }
        }
        drop(guard);
        // 3.
        self.blocking.stop();
        let ended = self.scheduler.stop(false);
        // 4. Only if no worker is left: one that is may be in any of them.
        if ended {
            context::enter_node(self, || {
                for slot in self.table.live() {
                    process::end(self, slot, false);
                }
            });
        }
        ended
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
        let entry = || {
            tracing::warn!(
                %pid, name, spawned_at,
                computed_ms = stuck.computed.as_millis(),
                blocked_ms = stuck.blocked.as_millis(),
                left_out = stuck.left_out,
                "a process has kept its worker without coming to a suspension point; others go on \
                 without it. Let long computations call `yield_now().await`, or give them to \
                 `spawn_blocking`"
            )
        };
        process::report(entry);
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
    use crate::{self_pid, send, sleep, spawn, spawn_link, spawn_monitor, trap_exit};

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
}
