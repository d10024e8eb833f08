//! One node of the simulation, through all of its lives.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::Ipv6Addr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use fika_net::{Config, Distribution, StartError};
use fika_runtime::{
    BuildError, ExitReason, Name, Node, NodeId, NodeName, Pid, Reference, Stepper, processes,
    registered, self_pid,
};
use parking_lot::Mutex;

use crate::checks::Checks;
use crate::env::{Clock, NodeEnv, Wrong};
use crate::events::Events;
use crate::log::Log;
use crate::missed::Missed;
use crate::network::{HostId, LifeId, LifeNetwork, Tell, Wires};
use crate::random::Random;
use crate::watch::Watch;

/// Makes the future of a node's main process.
pub(crate) type App = Arc<dyn Fn() -> Main + Send + Sync>;
type Main = Pin<Box<dyn Future<Output = Result<(), ExitReason>> + Send>>;
pub(crate) type Configure = Arc<dyn Fn(&mut Config) + Send + Sync>;

/// The most bytes that the processes of a node send in one turn each without checking whether the
/// connection has room.
const TURNS_BYTES_MAX: usize = 1 << 20;

/// A node, whether it is up or down.
pub(crate) struct Member {
    pub(crate) name: NodeName,
    pub(crate) host: HostId,
    pub(crate) app: App,
    pub(crate) configure: Vec<Configure>,
    pub(crate) lives: u32,
    pub(crate) life: Option<Life>,
    pub(crate) is_paused: bool,
    /// Socket events that the node has not handled yet, since it was paused or is busy.
    pub(crate) missed: Missed,
    /// Why its last life never began.
    pub(crate) failure: Option<StartError>,
    /// The errors of its clocks, in this life and the next ones.
    pub(crate) wrong: Wrong,
    /// Whether the simulation's list of nodes with something to run contains it.
    pub(crate) is_listed: bool,
    /// When its next timers are due, on the simulation's clock.
    pub(crate) due: Option<u64>,
}

/// The state of a node that is up.
pub(crate) struct Life {
    pub(crate) id: LifeId,
    pub(crate) node: Node,
    pub(crate) net: Arc<Distribution>,
    pub(crate) env: Arc<NodeEnv>,
    watch: Arc<Watch>,
    events: Arc<Events>,
    stepper: Stepper,
    /// Fika's own processes and timers, before `app` began.
    own: Arc<OnceLock<Own>>,
    /// Why its distribution did not start.
    failure: Arc<Mutex<Option<StartError>>>,
    /// Whether it may have gathered output for other nodes.
    has_gathered: bool,
}

/// The processes, timers and names that belong to a node itself.
pub(crate) struct Own {
    pub(crate) processes: BTreeSet<Pid>,
    pub(crate) names: Vec<Name>,
    pub(crate) timers: usize,
}

impl Own {
    /// Counts on behalf of the running process, and leaves that process out.
    fn count(node: &Node) -> Own {
        let mut names = registered();
        names.sort_unstable();
        let processes = processes().into_iter().filter(|pid| *pid != self_pid()).collect();
        Own { processes, names, timers: node.timer_count() }
    }
}

/// The parts of the simulation that all lives of all nodes use.
pub(crate) struct World<'a> {
    pub(crate) clock: &'a Arc<Clock>,
    pub(crate) wires: &'a Arc<Wires>,
    pub(crate) log: &'a Arc<Log>,
    pub(crate) events: &'a Arc<Events>,
    pub(crate) cookie: &'a str,
    pub(crate) checks: &'a Checks,
    pub(crate) encode_messages: bool,
}

impl Member {
    /// Starts the next life of the node.
    pub(crate) fn start(
        &mut self,
        number: usize,
        world: &World<'_>,
        mut random: Random,
    ) -> Result<(), BuildError> {
        self.lives += 1;
        let id = LifeId { node: number, life: self.lives };
        let env = Arc::new(NodeEnv::new(world.clock.clone(), self.wrong, random.fork()));
        world.log.make_room_for(self.name.as_str());
        let node_id = NodeId::of(&self.name, Distribution::fresh_creation(&*env));
        let watch = Arc::new(Watch::new(world.log.clone(), world.checks.clone(), number, node_id));
        let builder = Node::builder().id(node_id).env(env.clone()).observer(watch.clone());
        let builder = builder.encode_messages(world.encode_messages);
        let (node, stepper) = builder.build_stepped()?;
        let wires = world.wires.clone();
        let network = Arc::new(LifeNetwork { wires, life: id, host: self.host });
        let cookie =
            fika_net::Cookie::new(world.cookie).expect("the cookie of simulations is valid");
        let (configure, bounds) = (self.configure.clone(), watch.clone());
        let listen = match *world.wires.lock().hosts.ips(self.host) {
            [ip] => ip,
            _ => Ipv6Addr::UNSPECIFIED.into(),
        };
        let net = Distribution::new(&node, network, move || {
            let mut config = Config::new(cookie.clone());
            // The environment of this machine must not matter.
            config.epmd_port = fika_net::DEFAULT_PORT;
            config.listen = Some((listen, 0).into());
            configure.iter().for_each(|configure| configure(&mut config));
            // A message is accepted whole, and each process may have a turn before it learns that
            // the connection is busy.
            let high = config.output_high_bytes + config.message_bytes_max;
            bounds.set_queued_bytes_max(high + TURNS_BYTES_MAX);
            Ok(config)
        });
        let failure = Arc::<Mutex<Option<StartError>>>::default();
        let (app, starts, fails) = (self.app.clone(), net.clone(), failure.clone());
        let own = Arc::<OnceLock<Own>>::default();
        let (owns, weak, begins) = (own.clone(), node.downgrade(), watch.clone());
        let name = self.name.clone();
        let main = node.spawn(async move {
            match starts.start(name).await {
                Ok(()) => {
                    let _ = weak.upgrade().map(|node| owns.set(Own::count(&node)));
                    begins.program_begins();
                    app().await
                }
                Err(error) => {
                    *fails.lock() = Some(error);
                    Ok(())
                }
            }
        });
        watch.set_main(main);
        self.life = Some(Life {
            id,
            node,
            net,
            env,
            watch,
            events: world.events.clone(),
            stepper,
            own,
            failure,
            has_gathered: false,
        });
        Ok(())
    }
}

impl Life {
    /// Runs one ready process or task at random; returns the process, if it was one.
    pub(crate) fn step(&mut self, random: &mut Random) -> Option<Pid> {
        let place = random.below(self.stepper.ready().max(1));
        let next = self.stepper.next(place);
        self.events.come_from(&self.watch, next);
        if let Some(pid) = next {
            self.watch.turn(pid);
        }
        self.stepper.step(place);
        self.has_gathered = true;
        next
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.stepper.ready() > 0
    }

    pub(crate) fn tell(&mut self, tell: &Tell) {
        self.events.come_from(&self.watch, None);
        self.stepper.enter(|| tell.handler.ready(tell.readable, tell.writable));
        self.has_gathered = true;
    }

    /// Fires the timers that are due; returns when the next ones are.
    pub(crate) fn fire_timers(&mut self, now: u64) -> Option<u64> {
        self.events.come_from(&self.watch, None);
        self.stepper.fire_timers().map(|left| now + self.env.until(left))
    }

    /// Returns how the main process has ended, if it has.
    pub(crate) fn main_end(&self) -> Option<ExitReason> {
        self.watch.main_end()
    }

    /// Returns the name of a process for the log.
    pub(crate) fn called(&self, pid: Pid) -> String {
        self.watch.called(pid)
    }

    /// Returns the names of its processes.
    pub(crate) fn names(&self) -> Vec<String> {
        self.watch.names()
    }

    pub(crate) fn flush(&mut self) {
        if std::mem::take(&mut self.has_gathered) {
            self.events.come_from(&self.watch, None);
            self.stepper.flush();
        }
    }

    pub(crate) fn has_started(&self) -> bool {
        self.own().is_some()
    }

    /// Returns what the node had before `app` began; `None` if `app` has not begun.
    pub(crate) fn own(&self) -> Option<&Own> {
        self.own.get()
    }

    /// Returns the monitors that each process must have.
    pub(crate) fn monitors(&self) -> BTreeMap<Pid, HashSet<Reference>> {
        self.watch.monitors()
    }

    pub(crate) fn take_failure(&self) -> Option<StartError> {
        self.failure.lock().take()
    }

    /// Ends the node, as `kill -9` does.
    pub(crate) fn end(self, wires: &Wires) {
        let handlers = wires.lock().kill(self.id);
        drop(handlers);
        self.stepper.crash();
    }
}
