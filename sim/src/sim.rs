//! The simulation: whose turn it is, and what time it is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use fika_net::{Config, NodeKind};
use fika_runtime::{Dest, Message, Node, NodeName, Pid};
use parking_lot::Mutex;

use crate::blocked::{Blocked, Blocking};
use crate::checks::Checks;
use crate::env::Clock;
use crate::failure::{Failure, write};
use crate::log::Log;
use crate::network::{HostId, Network, Wires};
use crate::node::{Member, World};
use crate::random::Random;

/// How long a turn of a process takes, in nanoseconds: up to this.
const TURN_NS: usize = 4_000;

/// What nodes call their secret, unless told otherwise.
const COOKIE: &str = "the cookie of a simulated cluster";

/// A cluster in a box.
///
/// All of it happens on the calling thread, when one of the methods that let time pass is
/// called. The same seed and the same calls give the same run, to the last signal.
pub struct Sim {
    seed: u64,
    pub(crate) random: Random,
    clock: Arc<Clock>,
    pub(crate) wires: Arc<Wires>,
    pub(crate) log: Arc<Log>,
    pub(crate) checks: Checks,
    pub(crate) members: Vec<Member>,
    by_name: BTreeMap<NodeName, usize>,
    /// Numbers of those that have something to run, in no order.
    ready: Vec<usize>,
    /// When the timers of those are due that have any and are not paused.
    dues: BTreeSet<(u64, usize)>,
    /// Those that may have gathered something for other nodes.
    gathered: BTreeSet<usize>,
    pub(crate) blocking: Blocking,
    /// How far the clocks of new nodes may be ahead.
    skew: Duration,
    options: String,
    cookie: String,
    configure: Vec<crate::node::Configure>,
}

/// A node of a simulation, in whichever of its lives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SimNode(pub(crate) usize);

impl Sim {
    /// A simulation with a good network and no faults but those that it is told of. The log is
    /// kept if `FIKA_SIM_SEED` is set.
    #[must_use]
    pub fn new(seed: u64) -> Sim {
        Sim::on(seed, Network::default())
    }

    /// The same on a network of any quality, which the seed decides.
    #[must_use]
    pub fn on_any_network(seed: u64) -> Sim {
        Sim::on(seed, Network::any(&mut Random::new(seed).fork()))
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
            log,
            checks,
            members: Vec::new(),
            by_name: BTreeMap::new(),
            ready: Vec::new(),
            dues: BTreeSet::new(),
            gathered: BTreeSet::new(),
            blocking: Blocking::default(),
            skew: Duration::ZERO,
            options,
            cookie: COOKIE.to_owned(),
            configure: Vec::new(),
        }
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The time since the simulation began.
    #[must_use]
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.clock.now())
    }

    /// A hash of all that has happened: two runs with the same hash were the same.
    #[must_use]
    pub fn trace_hash(&self) -> u64 {
        self.log.hash()
    }

    /// All that has happened, a line each: time, node, process, what. Empty unless the log is
    /// kept.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// From now on the log is kept.
    pub fn keep_log(&mut self) {
        self.log.keep();
    }

    /// Sets how the nodes that are made from now on are configured.
    pub fn configure(&mut self, configure: impl Fn(&mut Config) + Send + Sync + 'static) {
        self.configure.push(Arc::new(configure));
    }

    /// From now on, the clock of a node that is made is ahead of the simulation's by any time up
    /// to this, which the seed decides, and stays so through all of its lives.
    pub fn set_clock_skew(&mut self, up_to: Duration) {
        self.skew = up_to;
    }

    /// Starts a node, whose distribution has begun when `app` runs as its first process. It
    /// runs again each time the node is restarted.
    ///
    /// # Panics
    /// When the name is none, or is taken.
    pub fn node<F>(&mut self, name: &str, app: impl Fn() -> F + Send + Sync + 'static) -> SimNode
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let name: NodeName = name.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
        let number = self.members.len();
        let taken = self.by_name.insert(name.clone(), number);
        assert!(taken.is_none(), "there is a node {name}");
        let ahead = match self.skew {
            Duration::ZERO => Duration::ZERO,
            skew => self.random.within(&(Duration::ZERO..=skew)),
        };
        let host = self.wires.lock().hosts.named(name.host());
        self.members.push(Member {
            name,
            host,
            app: Arc::new(move || Box::pin(app())),
            configure: self.configure.clone(),
            lives: 0,
            life: None,
            is_paused: false,
            missed: Vec::new(),
            failure: None,
            ahead,
            is_listed: false,
            due: None,
        });
        let node = SimNode(number);
        self.restart(node);
        node
    }

    /// All nodes.
    pub fn nodes(&self) -> impl Iterator<Item = SimNode> + use<> {
        (0..self.members.len()).map(SimNode)
    }

    /// The node's name.
    #[must_use]
    pub fn name(&self, node: SimNode) -> &NodeName {
        &self.members[node.0].name
    }

    /// The node itself, for what can be asked of it from outside; none while it is down.
    #[must_use]
    pub fn runtime(&self, node: SimNode) -> Option<&Node> {
        self.members[node.0].life.as_ref().map(|life| &life.node)
    }

    /// Whether it has not crashed.
    #[must_use]
    pub fn is_up(&self, node: SimNode) -> bool {
        self.members[node.0].life.is_some()
    }

    /// The visible nodes that it is connected to (its `nodes()`), in order; none while it is
    /// down.
    #[must_use]
    pub fn nodes_of(&self, node: SimNode) -> Vec<SimNode> {
        let Some(life) = &self.members[node.0].life else { return Vec::new() };
        let names = life.net.nodes_of(NodeKind::Visible);
        let known = names.iter().filter_map(|name| self.by_name.get(name));
        let mut nodes: Vec<_> = known.map(|number| SimNode(*number)).collect();
        nodes.sort_unstable();
        nodes
    }

    /// Spawns a process; none while the node is down.
    pub fn spawn<F>(&mut self, node: SimNode, future: F) -> Option<Pid>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let pid = self.runtime(node)?.spawn(future);
        self.touch(node.0);
        pid
    }

    /// Sends a message to a process of a node, from outside; does nothing while it is down.
    pub fn send<'a, M: Message>(&mut self, node: SimNode, to: impl Into<Dest<'a>>, message: M) {
        if let Some(runtime) = self.runtime(node) {
            let _ = runtime.send(to, message);
            self.touch(node.0);
        }
    }

    /// Runs a future as a process of a node, and lets time pass until it is ready.
    ///
    /// # Errors
    /// When it is not ready in time, the node is down, or the process ended.
    pub fn run_on<F>(
        &mut self,
        node: SimNode,
        limit: Duration,
        future: F,
    ) -> Result<F::Output, Failure>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let value = Arc::new(Mutex::new(None));
        let to = value.clone();
        let pid = self.spawn(node, async move {
            let ready = future.await;
            *to.lock() = Some(ready);
        });
        let done = |sim: &Sim| {
            let ends = |runtime: &Node| pid.is_none_or(|pid| !runtime.is_alive(pid));
            value.lock().is_some() || sim.runtime(node).is_none_or(ends)
        };
        self.run_until(done, limit)?;
        let ready = value.lock().take();
        ready.ok_or_else(|| self.failure("the process of `run_on` ended"))
    }
}

/// Letting time pass.
impl Sim {
    /// Lets this much time pass.
    pub fn run_for(&mut self, time: Duration) {
        let until = self.clock.now() + time.as_nanos() as u64;
        while self.advance(until) {}
        self.clock.advance_to(until);
    }

    /// Lets so many single things happen, each a turn of a process or a move of the clock, to
    /// stop between any two of them. Fewer if nothing would ever happen again.
    pub fn run_steps(&mut self, count: usize) {
        for _ in 0..count {
            if !self.advance(u64::MAX) {
                return;
            }
        }
    }

    /// Lets time pass until this is so.
    ///
    /// # Errors
    /// When it is not so in time, or something was violated; see [`Checks`].
    pub fn run_until(
        &mut self,
        mut is_so: impl FnMut(&Sim) -> bool,
        limit: Duration,
    ) -> Result<(), Failure> {
        let is_so = self.eventually(limit, |sim| sim.checks.is_violated() || is_so(sim));
        self.verdict()?;
        if is_so {
            return Ok(());
        }
        Err(self.failure(&format!("what was waited for was not so within {limit:?}")))
    }

    /// Lets time pass until this is so, or that much has passed; whether it is so.
    pub fn eventually(&mut self, limit: Duration, mut is_so: impl FnMut(&Sim) -> bool) -> bool {
        let until = self.clock.now() + limit.as_nanos() as u64;
        loop {
            if is_so(self) {
                return true;
            }
            if !self.advance(until) {
                self.clock.advance_to(until);
                return is_so(self);
            }
        }
    }

    /// A failure of this simulation, now.
    #[must_use]
    pub fn failure(&self, why: &str) -> Failure {
        let failed = |member: &Member| {
            let error = member.failure.as_ref()?;
            Some(format!("; {} could not start: {error}", member.name))
        };
        let also: String = self.members.iter().filter_map(failed).collect();
        let blocked = self.blocking.all().iter().map(|blocked| format!("; {blocked}"));
        let also: String = blocked.fold(also, |also, blocked| also + &blocked);
        let violation = self.checks.first();
        let at = violation.as_ref().map_or(self.now(), |violation| violation.at);
        let log = violation.map_or_else(|| self.log.tail(), |violation| violation.log);
        let file = if self.log.is_kept() { write(&self.log.text(), self.seed) } else { None };
        let (seed, options) = (self.seed, self.options.clone());
        Failure { seed, at, why: format!("{why}{also}"), options, log, file }
    }

    /// An error unless this is so.
    ///
    /// # Errors
    /// When it is not.
    pub fn check(&self, is_so: bool, otherwise: &str) -> Result<(), Failure> {
        if is_so { Ok(()) } else { Err(self.failure(otherwise)) }
    }

    /// Does the next thing, if it happens before that time; false if nothing does.
    fn advance(&mut self, until: u64) -> bool {
        self.wires.arrive();
        self.tell();
        self.fire_timers();
        if self.step() {
            return self.clock.now() < until;
        }
        if self.flush_all() {
            return true;
        }
        match self.next_due() {
            Some(due) if due < until => {
                self.clock.advance_to(due);
                true
            }
            _ => false,
        }
    }

    fn next_due(&self) -> Option<u64> {
        let timers = self.dues.first().map(|(time, _)| *time);
        timers.into_iter().chain(self.wires.next_due()).min()
    }

    /// Tells the handlers of what has happened to their sockets.
    fn tell(&mut self) {
        let mut told: VecDeque<_> = self.wires.take_told();
        while let Some(tell) = told.pop_front() {
            let number = tell.life.node;
            let member = &mut self.members[number];
            let Some(life) = member.life.as_mut().filter(|life| life.id == tell.life) else {
                continue;
            };
            if member.is_paused {
                member.missed.push(tell);
            } else {
                life.tell(&tell);
                drop(tell);
                self.gathered.insert(number);
                self.touch(number);
            }
        }
    }

    fn fire_timers(&mut self) {
        let now = self.clock.now();
        let is_due = |(time, _): &&(u64, usize)| *time <= now;
        let due: Vec<_> = self.dues.iter().take_while(is_due).map(|(_, number)| *number).collect();
        for number in due {
            self.touch(number);
        }
    }

    /// One node runs one thing, if any has any.
    fn step(&mut self) -> bool {
        while !self.ready.is_empty() {
            let place = self.random.below(self.ready.len());
            let number = self.ready[place];
            let member = &mut self.members[number];
            let life = member.life.as_mut().filter(|life| !member.is_paused && life.is_ready());
            let Some(life) = life else {
                member.is_listed = false;
                self.ready.swap_remove(place);
                continue;
            };
            let clock = RealClock::start();
            let pid = life.step(&mut self.random);
            let took = clock.elapsed();
            if self.random.in_1000(300) {
                life.flush();
                self.gathered.remove(&number);
            } else {
                self.gathered.insert(number);
            }
            if took > self.blocking.limit {
                let process = pid.map(|pid| life.called(pid));
                self.has_blocked(SimNode(number), process, took);
            }
            self.touch(number);
            let time = self.clock.now() + self.random.below(TURN_NS) as u64;
            self.clock.advance_to(time);
            return true;
        }
        false
    }

    fn has_blocked(&mut self, node: SimNode, process: Option<String>, took: Duration) {
        let name = self.members[node.0].name.as_str().to_owned();
        let blocked = Blocked { node, name, process, took };
        tracing::warn!("{blocked}");
        self.log.remark(&blocked.to_string());
        self.blocking.add(blocked);
    }

    /// What was gathered goes out; whether there was any that may have woken somebody.
    fn flush_all(&mut self) -> bool {
        let gathered = std::mem::take(&mut self.gathered);
        let mut any = false;
        for number in gathered {
            let member = &mut self.members[number];
            if member.is_paused {
                self.gathered.insert(number);
            } else if let Some(life) = &mut member.life {
                life.flush();
                self.touch(number);
                any = true;
            }
        }
        any
    }

    /// Something was done with a node: what it has to do next may have changed.
    pub(crate) fn touch(&mut self, number: usize) {
        let now = self.clock.now();
        let member = &mut self.members[number];
        let life = member.life.as_mut().filter(|_| !member.is_paused);
        let due = life.and_then(|life| life.fire_timers(now));
        if due != member.due {
            let old = std::mem::replace(&mut member.due, due);
            old.map(|time| self.dues.remove(&(time, number)));
            self.dues.extend(due.map(|time| (time, number)));
        }
        let Some(life) = member.life.as_mut().filter(|_| !member.is_paused) else { return };
        if let Some(error) = life.take_failure() {
            self.log.note(&format!("{} could not start: {error}", member.name));
            member.failure = Some(error);
        }
        if life.is_ready() && !std::mem::replace(&mut member.is_listed, true) {
            self.ready.push(number);
        }
    }
}

/// What is done to the cluster.
impl Sim {
    /// Kills a node, as `kill -9` does: its host closes its connections. Does nothing while it
    /// is down.
    pub fn crash(&mut self, node: SimNode) {
        if let Some(life) = self.take_life(node, "crashes") {
            life.end(&self.wires);
        }
    }

    /// The node's host loses its power: nobody is told, and all nodes on it are gone.
    pub fn lose_power(&mut self, node: SimNode) {
        let host = self.members[node.0].host;
        self.wires.lock().lose_power(host);
        for number in 0..self.members.len() {
            if self.members[number].host == host
                && let Some(life) = self.take_life(SimNode(number), "loses power")
            {
                life.end(&self.wires);
            }
        }
    }

    fn take_life(&mut self, node: SimNode, what: &str) -> Option<crate::node::Life> {
        let member = &mut self.members[node.0];
        let life = member.life.take()?;
        member.is_paused = false;
        member.missed.clear();
        self.log.note(&format!("{} {what}", member.name));
        self.gathered.remove(&node.0);
        self.touch(node.0);
        Some(life)
    }

    /// Starts a node that is down, with a new creation.
    ///
    /// # Panics
    /// When a `#[remote]` function is there twice.
    pub fn restart(&mut self, node: SimNode) {
        let member = &mut self.members[node.0];
        if member.life.is_some() {
            return;
        }
        member.failure = None;
        self.log.note(&format!("{} starts", member.name));
        let mut state = self.wires.lock();
        state.hosts.set_off(member.host, false);
        state.send_held();
        drop(state);
        let world = World {
            clock: &self.clock,
            wires: &self.wires,
            log: &self.log,
            cookie: &self.cookie,
            checks: &self.checks,
        };
        member.start(node.0, &world, self.random.fork()).unwrap_or_else(|e| panic!("{e}"));
        self.touch(node.0);
    }

    /// The node does nothing any more, and its host keeps its connections, as after `SIGSTOP`.
    /// Its clock goes on.
    pub fn pause(&mut self, node: SimNode) {
        self.log.note(&format!("{} is paused", self.members[node.0].name));
        self.members[node.0].is_paused = self.is_up(node);
        self.touch(node.0);
    }

    /// A paused node goes on.
    pub fn resume(&mut self, node: SimNode) {
        let member = &mut self.members[node.0];
        if !std::mem::take(&mut member.is_paused) {
            return;
        }
        self.log.note(&format!("{} goes on", member.name));
        let missed = std::mem::take(&mut member.missed);
        if let Some(life) = &mut member.life {
            missed.iter().for_each(|tell| life.tell(tell));
        }
        self.touch(node.0);
    }

    /// The node's clock jumps ahead, as after a sleep of its machine.
    pub fn jump_clock(&mut self, node: SimNode, by: Duration) {
        let member = &mut self.members[node.0];
        self.log.note(&format!("the clock of {} jumps by {by:?}", member.name));
        member.ahead += by;
        if let Some(life) = &member.life {
            life.env.jump(by);
        }
        self.touch(node.0);
    }

    /// Nothing gets from the hosts of these nodes to the hosts of those, nor back. Nobody is
    /// told; what is on its way waits.
    pub fn partition(
        &mut self,
        these: impl IntoIterator<Item = SimNode>,
        those: impl IntoIterator<Item = SimNode>,
    ) {
        let those: Vec<_> = those.into_iter().collect();
        for this in these {
            for that in &those {
                self.cut(this, *that);
                self.cut(*that, this);
            }
        }
    }

    /// Nothing gets from the one node's host to the other's; the way back is open.
    pub fn cut(&mut self, from: SimNode, to: SimNode) {
        let [a, b] = [from, to].map(|node| &self.members[node.0]);
        self.log.note(&format!("cut from {} to {}", a.name, b.name));
        self.wires.lock().hosts.cut(a.host, b.host);
    }

    /// Things get from the one node's host to the other's again, and stalled connections between
    /// them go on.
    pub fn mend(&mut self, from: SimNode, to: SimNode) {
        let [a, b] = [from, to].map(|node| &self.members[node.0]);
        self.log.note(&format!("mended from {} to {}", a.name, b.name));
        let mut state = self.wires.lock();
        state.hosts.mend(a.host, b.host);
        state.unstall(Some([a.host, b.host]));
        state.send_held();
    }

    /// All ways are open again, stalled connections go on, and backlogs have room.
    pub fn heal(&mut self) {
        self.log.note("all is mended");
        let mut state = self.wires.lock();
        state.hosts.mend_all();
        state.unstall(None);
        state.send_held();
    }

    /// Breaks the connections between two nodes' hosts; both ends see a reset.
    pub fn reset(&mut self, a: SimNode, b: SimNode) {
        let [a, b] = [a, b].map(|node| &self.members[node.0]);
        self.log.note(&format!("reset between {} and {}", a.name, b.name));
        self.wires.lock().reset_between(a.host, b.host);
    }

    /// Changes what the network is like.
    pub fn change_network(&mut self, change: impl FnOnce(&mut Network)) {
        let mut state = self.wires.lock();
        change(&mut state.options);
        let note = format!("{:?}", state.options);
        drop(state);
        self.log.note(&note);
    }

    /// How many connections there are.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.wires.lock().connection_count()
    }

    pub(crate) fn host(&self, node: SimNode) -> HostId {
        self.members[node.0].host
    }

    pub(crate) fn add_options(&mut self, more: &str) {
        self.options.push_str("\n  ");
        self.options.push_str(more);
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        for number in 0..self.members.len() {
            if let Some(life) = self.members[number].life.take() {
                life.end(&self.wires);
            }
        }
    }
}

/// The real clock, for what waits on it by mistake.
struct RealClock(std::time::Instant);

#[allow(clippy::disallowed_methods, reason = "what is looked for is real time that passes")]
impl RealClock {
    fn start() -> RealClock {
        RealClock(std::time::Instant::now())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
