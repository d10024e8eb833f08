//! Making a node: its settings.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::RwLock;

use super::build_error::BuildError;
use super::extensions::Extensions;
use super::logs::Logs;
use super::services::{NodeService, Services};
use super::threads::Threads;
use super::work::Work;
use super::{Inner, Node, Settings};
use crate::env::{Env, SystemEnv};
use crate::mailbox_limit::MailboxLimit;
use crate::node_id::NodeId;
use crate::observe::Observed;
use crate::process::{self, Orphans};
use crate::registry::Registry;
use crate::remote::Functions;
use crate::scheduler::{Driver, Scheduler, ThreadDriver};
use crate::stepper::Stepper;
use crate::stop::Stop;
use crate::sync::Mutex;
use crate::table::{self, Table};
use crate::timers::Timers;

/// The default process limit, as in OTP 28.
const PROCESS_LIMIT: usize = 1 << 20;

/// The default mailbox length for the warning. It is above the bursts that a process handles in a
/// moment.
const LONG_MESSAGE_QUEUE: usize = 10_000;

/// The default time for processes to end when the node stops. OTP's supervisors give their workers
/// as much.
const SHUTDOWN_TIME: Duration = Duration::from_secs(5);

/// The longest such time.
const SHUTDOWN_TIME_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The largest number of workers. OTP has the same limit for its schedulers.
const WORKERS_MAX: usize = 1024;

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
    shutdown_time: Duration,
    env: Option<Arc<dyn Env>>,
    driver: Option<Arc<dyn Driver>>,
    observed: Observed,
    services: Vec<Arc<dyn NodeService>>,
}

impl NodeBuilder {
    pub(super) fn new() -> NodeBuilder {
        NodeBuilder {
            id: None,
            workers: None,
            process_limit: PROCESS_LIMIT,
            mailbox_limit: MailboxLimit::NONE,
            long_message_queue: LONG_MESSAGE_QUEUE,
            async_dist: false,
            encode_messages: false,
            shutdown_time: SHUTDOWN_TIME,
            env: None,
            driver: None,
            observed: Observed::default(),
            services: Vec::new(),
        }
    }

    /// Sets the observer of the node.
    #[doc(hidden)]
    #[cfg(feature = "observe")]
    pub fn observer(mut self, observer: Arc<dyn crate::observe::Observer>) -> Self {
        self.observed = Observed::by(observer);
        self
    }

    /// Sets the node's name and creation. By default the node is `nonode@nohost`.
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

    /// Sets the mailbox limit of all processes that are not given their own. By default there is no
    /// limit. This takes the place of Erlang's `+hmax`.
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

    /// Sets what [`async_dist`](crate::async_dist()) is in new processes. The default is false
    /// (Erlang's `+pad`).
    pub fn async_dist(mut self, on: bool) -> Self {
        self.async_dist = on;
        self
    }

    /// Sets whether messages between processes of this node are encoded and decoded. The default is
    /// false. If set, a message that can't be sent to another node is an error at its sender also
    /// on this node. Messages that can't leave the node, such as a [`Local`](crate::Local), and the
    /// messages of timers are passed unchanged.
    pub fn encode_messages(mut self, on: bool) -> Self {
        self.encode_messages = on;
        self
    }

    /// Sets how long the processes that wait in
    /// [`run_until_stopped`](Node::run_until_stopped) have to end when the node stops, up to 365
    /// days. The default is 5 s (OTP's `-shutdown_time`).
    pub fn shutdown_time(mut self, time: Duration) -> Self {
        self.shutdown_time = time;
        self
    }

    /// Sets the clock and the random source. The default is the operating system's.
    pub fn env(mut self, env: Arc<dyn Env>) -> Self {
        self.env = Some(env);
        self
    }

    /// Sets where idle workers wait.
    pub fn driver(mut self, driver: Arc<dyn Driver>) -> Self {
        self.driver = Some(driver);
        self
    }

    /// Adds a service that starts and stops with the node. Services start in the order in which they
    /// are added, before [`build`](NodeBuilder::build) returns. See [`NodeService`].
    pub fn service(mut self, service: impl NodeService) -> Self {
        self.services.push(Arc::new(service));
        self
    }

    /// Returns an error if a setting is out of its range.
    ///
    /// # Errors
    /// [`BuildError::Setting`].
    #[doc(hidden)]
    pub fn check(&self) -> Result<(), BuildError> {
        if self.workers.is_some_and(|workers| !(1..=WORKERS_MAX).contains(&workers)) {
            return Err(BuildError::Setting("`workers` must be in 1..=1024"));
        }
        if !(1..=table::LIMIT_MAX).contains(&self.process_limit) {
            return Err(BuildError::Setting("`process_limit` must be in 1..=134217727"));
        }
        if self.shutdown_time > SHUTDOWN_TIME_MAX {
            return Err(BuildError::Setting("`shutdown_time` must be at most 365 days"));
        }
        Ok(())
    }

    /// Starts the node, and then its services.
    ///
    /// # Errors
    /// If a setting is out of its range, two remote functions have the same name, the system
    /// refuses a thread, or a service does not start. A node that has a name or encodes its
    /// messages also does not start if two message types have the same tag.
    pub fn build(mut self) -> Result<Node, BuildError> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let workers = self.workers.unwrap_or_else(|| cores().min(WORKERS_MAX));
        let driver = self.driver.take().unwrap_or_else(|| Arc::<ThreadDriver>::default());
        let services = std::mem::take(&mut self.services);
        let inner = self.make(workers, |name| Scheduler::new(name, driver))?;
        if let Err(error) = inner.scheduler.start(workers, Arc::new(Work(inner.clone()))) {
            // The threads started so far keep the node alive.
            inner.stop();
            return Err(error.into());
        }
        Node(inner).with_services(services)
    }

    /// Makes a node without threads, which does its work in the calls of its [`Stepper`]. The number
    /// of workers and the driver don't matter.
    ///
    /// # Errors
    /// If a setting is out of its range, two remote functions have the same name, or a service does
    /// not start.
    #[doc(hidden)]
    pub fn build_stepped(mut self) -> Result<(Node, Stepper), BuildError> {
        let services = std::mem::take(&mut self.services);
        let inner = self.make(1, Scheduler::stepped)?;
        let stepper = Stepper::new(inner.clone());
        Ok((Node(inner).with_services(services)?, stepper))
    }

    /// Makes a node without threads: the threads of a model are its workers.
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
        self.check()?;
        // The hook looks at thread-locals, which are not there when a model fails.
        if !cfg!(any(loom, shuttle)) {
            process::install_panic_hook();
        }
        // Messages are recognized by their tags only if they are encoded.
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
            settings: Settings {
                mailbox_limit: self.mailbox_limit,
                long_message_queue: self.long_message_queue.max(1),
                async_dist: self.async_dist,
                encode_messages: self.encode_messages,
                shutdown_time: self.shutdown_time,
            },
            logs: Logs::default(),
            system_monitor: Mutex::default(),
            carrier: OnceLock::new(),
            threads: Threads::new(),
            extensions: Extensions::default(),
            services: Services::default(),
            orphans: Orphans::default(),
            scheduler,
            observed: self.observed,
            undecodable: AtomicU64::new(0),
            functions,
            references: AtomicU64::new(1),
            stop: Stop::default(),
            this: this.clone(),
        }))
    }
}
