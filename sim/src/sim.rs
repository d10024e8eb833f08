//! The simulation: its parts, its nodes, and its state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use fika_net::{Config, NodeKind};
use fika_runtime::{Dest, Message, Node, NodeName, Outcome, Pid};

use crate::blocked::Blocking;
use crate::checks::Checks;
use crate::env::{Clock, Wrong};
use crate::events::Events;
use crate::log::Log;
use crate::missed::Missed;
use crate::network::{Network, Wires};
use crate::node::Member;
use crate::random::Random;

/// The cookie of all nodes, unless a scenario sets another.
const COOKIE: &str = "the cookie of a simulated cluster";

/// A simulated cluster.
///
/// Everything runs on the calling thread, inside the methods that let time pass. A seed and a
/// sequence of calls always give the same run, down to the last signal.
///
/// ```
/// # use std::time::Duration;
/// # use fika_runtime::info;
/// use fika_sim::Sim;
///
/// let mut sim = Sim::new(1);
/// let a = sim.node("a@host1", std::future::pending::<()>);
/// assert_eq!(sim.name(a).as_str(), "a@host1");
/// assert!(sim.is_up(a));
///
/// // The scenario acts on a node from outside ..
/// let idle = sim.spawn(a, std::future::pending::<()>()).expect("the node is up");
/// sim.send(a, idle, "hello".to_owned());
/// // .. or in a process there.
/// let waiting = sim.run_on(a, Duration::from_secs(1), info::message_queue_len(idle))?;
/// assert_eq!(waiting, Some(1));
/// assert!(sim.runtime(a).is_some_and(|node| node.is_alive(idle)));
/// # Ok::<(), fika_sim::Failure>(())
/// ```
pub struct Sim {
    pub(crate) seed: u64,
    pub(crate) random: Random,
    pub(crate) clock: Arc<Clock>,
    pub(crate) wires: Arc<Wires>,
    pub(crate) log: Arc<Log>,
    pub(crate) events: Arc<Events>,
    pub(crate) checks: Checks,
    pub(crate) members: Vec<Member>,
    pub(crate) by_name: BTreeMap<NodeName, usize>,
    /// The nodes that have something to run, in no particular order.
    pub(crate) ready: Vec<usize>,
    /// The due times of timers, of all nodes that have timers and are not paused.
    pub(crate) dues: BTreeSet<(u64, usize)>,
    /// The nodes that may have gathered output for other nodes.
    pub(crate) gathered: BTreeSet<usize>,
    /// The nodes with socket events that they have not handled yet.
    pub(crate) busy: BTreeSet<usize>,
    pub(crate) blocking: Blocking,
    /// How far the clocks of new nodes may be ahead.
    skew: Duration,
    /// How many parts per million they may be fast or slow.
    drift_ppm: u32,
    pub(crate) options: String,
    pub(crate) cookie: String,
    configure: Vec<crate::node::Configure>,
    pub(crate) encode_messages: bool,
    /// The trace hash at the last failure.
    pub(crate) told: AtomicU64,
}

/// A node of a simulation, in all of its lives.
///
/// ```
/// # use fika_sim::{Sim, SimNode};
/// let mut sim = Sim::new(1);
/// let names = ["a@host1", "b@host1", "c@host2"];
/// let nodes: [SimNode; 3] = names.map(|name| sim.node(name, std::future::pending::<()>));
/// assert!(sim.nodes().eq(nodes));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SimNode(pub(crate) usize);

impl Sim {
    /// Creates a simulation with a good network, and no faults except those that the scenario
    /// causes. The log is kept if `FIKA_SIM_SEED` is set.
    #[must_use]
    pub fn new(seed: u64) -> Sim {
        Sim::on(seed, Network::default())
    }

    /// Creates a simulation with a network of any quality, and with clocks that may differ. The
    /// seed decides, and the report of a failure includes the choice.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fika_sim::{Sim, seeds};
    /// // Each seed has another network.
    /// seeds(0..3, |seed| {
    ///     let mut sim = Sim::on_any_network(seed);
    ///     let a = sim.node("a@host1", std::future::pending::<()>);
    ///     sim.run_until(|sim| sim.is_up(a), Duration::from_secs(1))?;
    ///     sim.finish()
    /// });
    /// ```
    #[must_use]
    pub fn on_any_network(seed: u64) -> Sim {
        let mut random = Random::new(seed).fork();
        let mut sim = Sim::on(seed, Network::any(&mut random));
        let secs = Duration::from_secs;
        sim.set_clock_skew(random.one_of(&[Duration::ZERO, secs(1), secs(3600)]));
        sim.set_clock_drift(random.one_of(&[0, 0, 100, 1000]));
        let clocks = format!("clocks ahead by up to {:?}, drift {} ppm", sim.skew, sim.drift_ppm);
        sim.add_options(&clocks);
        sim
    }

    fn on(seed: u64, network: Network) -> Sim {
        let mut random = Random::new(seed);
        let clock = Arc::new(Clock::default());
        let options = format!("{network:?}");
        let log = Arc::new(Log::new(clock.clone(), std::env::var_os("FIKA_SIM_SEED").is_some()));
        let wires = Wires::new(clock.clone(), log.clone(), random.fork(), network);
        let checks = Checks::new(clock.clone(), log.clone());
        Sim {
            seed,
            random,
            clock,
            wires,
            events: Arc::new(Events::new(log.clone())),
            log,
            checks,
            members: Vec::new(),
            by_name: BTreeMap::new(),
            ready: Vec::new(),
            dues: BTreeSet::new(),
            gathered: BTreeSet::new(),
            busy: BTreeSet::new(),
            blocking: Blocking::default(),
            skew: Duration::ZERO,
            drift_ppm: 0,
            options,
            cookie: COOKIE.to_owned(),
            configure: Vec::new(),
            encode_messages: true,
            told: AtomicU64::new(0),
        }
    }

    /// Returns the seed.
    ///
    /// ```
    /// # use fika_sim::Sim;
    /// assert_eq!(Sim::new(17).seed(), 17);
    /// ```
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns the time since the simulation began.
    #[must_use]
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.clock.now())
    }

    /// Returns a hash of everything that has happened. Two runs with the same hash were the same.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fika_sim::Sim;
    /// let run = |seed| {
    ///     let mut sim = Sim::new(seed);
    ///     sim.node("a@host1", std::future::pending::<()>);
    ///     sim.run_for(Duration::from_secs(10));
    ///     sim.trace_hash()
    /// };
    /// assert_eq!(run(17), run(17));
    /// ```
    #[must_use]
    pub fn trace_hash(&self) -> u64 {
        self.log.hash()
    }

    /// Returns the log, one event per line: time, node, process, event. Empty unless the log is
    /// kept.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Keeps the log from now on.
    ///
    /// ```
    /// # use fika_sim::Sim;
    /// let mut sim = Sim::new(1);
    /// sim.keep_log();
    /// sim.node("a@host1", std::future::pending::<()>);
    /// assert!(sim.log().contains("a@host1 starts"));
    /// ```
    pub fn keep_log(&mut self) {
        self.log.keep();
    }

    /// Sets how nodes that are added from now on are configured.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fika_sim::Sim;
    /// let mut sim = Sim::new(1);
    /// sim.configure(|config| config.ticktime = Duration::from_secs(8));
    /// // This node finds silent peers sooner.
    /// sim.node("a@host1", std::future::pending::<()>);
    /// ```
    pub fn configure(&mut self, configure: impl Fn(&mut Config) + Send + Sync + 'static) {
        self.configure.push(Arc::new(configure));
    }

    /// Sets whether messages between processes of one node are encoded and decoded, too, for nodes
    /// that start or restart from now on. The default is true. Then a message that could not be
    /// sent to another node is an error at its sender.
    ///
    /// ```
    /// # use fika_sim::Sim;
    /// let mut sim = Sim::new(1);
    /// // As in production, where a message within a node is moved.
    /// sim.set_encode_messages(false);
    /// sim.node("a@host1", std::future::pending::<()>);
    /// ```
    pub fn set_encode_messages(&mut self, on: bool) {
        self.encode_messages = on;
    }

    /// Puts the clocks of nodes that are added from now on ahead of the simulation's clock. The
    /// seed chooses a time up to `up_to` for each node, which stays the same in all of the node's
    /// lives.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fika_sim::Sim;
    /// let mut sim = Sim::new(1);
    /// sim.set_clock_skew(Duration::from_secs(3600));
    /// let [a, b] = ["a@host1", "b@host2"].map(|name| sim.node(name, std::future::pending::<()>));
    /// let wall = |node| sim.runtime(node).expect("the node is up").env().wall();
    /// assert_ne!(wall(a), wall(b));
    /// ```
    pub fn set_clock_skew(&mut self, up_to: Duration) {
        self.skew = up_to;
    }

    /// Makes the clocks of nodes that are added from now on too fast or too slow, by up to
    /// `up_to_ppm` parts per million (most machines stay below 100). The seed chooses the drift of
    /// each node, which stays the same in all of the node's lives.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fika_sim::Sim;
    /// let mut sim = Sim::new(1);
    /// sim.set_clock_drift(100);
    /// let a = sim.node("a@host1", std::future::pending::<()>);
    /// sim.run_for(Duration::from_secs(1000));
    /// let now = sim.runtime(a).expect("the node is up").env().now().since_start();
    /// let wrong = now.abs_diff(sim.now());
    /// assert!(wrong <= Duration::from_millis(100), "{wrong:?}");
    /// ```
    ///
    /// # Panics
    /// If `up_to_ppm` is above 500,000.
    pub fn set_clock_drift(&mut self, up_to_ppm: u32) {
        assert!(up_to_ppm <= 500_000, "a clock drifts by 500,000 ppm at most");
        self.drift_ppm = up_to_ppm;
    }

    fn wrong_clocks(&mut self) -> Wrong {
        let mut wrong = Wrong::default();
        if self.skew > Duration::ZERO {
            wrong.ahead = self.random.within(&(Duration::ZERO..=self.skew));
        }
        if self.drift_ppm > 0 {
            let any = self.random.below(2 * self.drift_ppm as usize + 1);
            wrong.drift_ppm = any as i32 - self.drift_ppm as i32;
        }
        wrong
    }

    /// Adds a node and starts it. `app` is its first process, which runs when the distribution has
    /// started, and runs again each time the node is restarted. An `Err` that it returns is the
    /// process's exit reason; see [`main_end`](Sim::main_end).
    ///
    /// # Panics
    /// If the name is invalid or already taken.
    pub fn node<F>(
        &mut self,
        name: impl AsRef<str>,
        app: impl Fn() -> F + Send + Sync + 'static,
    ) -> SimNode
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        let name = name.as_ref();
        let name: NodeName = name.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
        let number = self.members.len();
        let taken = self.by_name.insert(name.clone(), number);
        assert!(taken.is_none(), "the name {name} is already taken");
        let wrong = self.wrong_clocks();
        let host = self.wires.lock().hosts.named(name.host());
        self.members.push(Member {
            name,
            host,
            app: Arc::new(move || {
                let app = app();
                Box::pin(async move { app.await.into_result().map(drop) })
            }),
            configure: self.configure.clone(),
            lives: 0,
            life: None,
            is_paused: false,
            missed: Missed::default(),
            failure: None,
            wrong,
            is_listed: false,
            due: None,
        });
        let node = SimNode(number);
        self.restart(node);
        node
    }

    /// Returns all nodes.
    ///
    /// ```
    /// # use fika_sim::Sim;
    /// let mut sim = Sim::new(1);
    /// for name in ["a@host1", "b@host2"] {
    ///     sim.node(name, std::future::pending::<()>);
    /// }
    /// for node in sim.nodes() {
    ///     sim.crash(node);
    /// }
    /// ```
    pub fn nodes(&self) -> impl Iterator<Item = SimNode> + use<> {
        (0..self.members.len()).map(SimNode)
    }

    /// Returns the node's name.
    #[must_use]
    pub fn name(&self, node: SimNode) -> &NodeName {
        &self.members[node.0].name
    }

    /// Returns the node itself, for calls from outside of its processes; `None` while the node is
    /// down.
    #[must_use]
    pub fn runtime(&self, node: SimNode) -> Option<&Node> {
        self.members[node.0].life.as_ref().map(|life| &life.node)
    }

    /// Returns whether the node is up.
    #[must_use]
    pub fn is_up(&self, node: SimNode) -> bool {
        self.members[node.0].life.is_some()
    }

    /// Returns the visible nodes that the node is connected to (its `nodes()`), in order. Empty
    /// while the node is down.
    #[must_use]
    pub fn nodes_of(&self, node: SimNode) -> Vec<SimNode> {
        let Some(life) = &self.members[node.0].life else { return Vec::new() };
        let names = life.net.nodes_of(NodeKind::Visible);
        let known = names.iter().filter_map(|name| self.by_name.get(name));
        let mut nodes: Vec<_> = known.map(|number| SimNode(*number)).collect();
        nodes.sort_unstable();
        nodes
    }

    /// Spawns a process on a node; `None` while the node is down.
    pub fn spawn<F>(&mut self, node: SimNode, future: F) -> Option<Pid>
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        let pid = self.runtime(node)?.spawn(future);
        self.touch(node.0);
        pid
    }

    /// Sends a message to a process of a node, from outside. Does nothing while the node is down.
    pub fn send<'a, M: Message>(&mut self, node: SimNode, to: impl Into<Dest<'a>>, message: M) {
        if let Some(runtime) = self.runtime(node) {
            let _ = runtime.send(to, message);
            self.touch(node.0);
        }
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.tell_of_panic();
        self.tell_trace();
        for number in 0..self.members.len() {
            if let Some(life) = self.members[number].life.take() {
                life.end(&self.wires);
            }
        }
    }
}
