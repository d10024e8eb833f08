//! Tests the links, monitors, aliases and exit signals of a few processes against a model without
//! signals. The model computes at once what each step does to all processes.
//!
//! The steps are made one after the other. After each step, all processes are asked until its
//! effects are complete. Then each process must have received the messages of the model.
#![deny(warnings)]

use crate::wait;

use std::collections::{BTreeMap, BTreeSet};

use fika::message::{AliasOpts, Local, Reference, alias_with, unalias};
use fika::prelude::*;
use fika::process::{MonitorAlias, MonitorOpts, SpawnOpts, monitor_with, spawn_opt, unlink};
use proptest::prelude::*;

use wait::LIMIT;

/// The number of simultaneous processes.
const PLACES: usize = 5;

/// A step. Places and numbers of references are taken modulo what exists.
#[derive(Clone, Debug)]
enum Step {
    /// A process spawns another in a free place, with or without a link and a monitor.
    Spawn {
        by: usize,
        at: usize,
        link: bool,
        monitor: bool,
    },
    Trap {
        by: usize,
        on: bool,
    },
    Link {
        by: usize,
        to: usize,
    },
    Unlink {
        by: usize,
        to: usize,
    },
    Monitor {
        by: usize,
        of: usize,
        alias: Option<Alias>,
    },
    Demonitor {
        by: usize,
        number: usize,
    },
    Alias {
        by: usize,
        once: bool,
    },
    Unalias {
        by: usize,
        number: usize,
    },
    /// Sends by an existing or former alias, of any process.
    Send {
        by: usize,
        number: usize,
    },
    ExitByAlias {
        by: usize,
        number: usize,
        reason: Reason,
    },
    Exit {
        by: usize,
        to: usize,
        reason: Reason,
    },
    End {
        by: usize,
        reason: Reason,
    },
}

/// Whether the alias survives its messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Alias {
    Explicit,
    Once,
    WithMonitor,
    WithMonitorOrReply,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Reason {
    Normal,
    Shutdown,
    Kill,
    Killed,
    Noproc,
    Term(u64),
}

impl From<Reason> for ExitReason {
    fn from(reason: Reason) -> ExitReason {
        match reason {
            Reason::Normal => ExitReason::Normal,
            Reason::Shutdown => ExitReason::Shutdown,
            Reason::Kill => ExitReason::Kill,
            Reason::Killed => ExitReason::Killed,
            Reason::Noproc => ExitReason::Noproc,
            Reason::Term(n) => ExitReason::term(n),
        }
    }
}

impl From<ExitReason> for Reason {
    fn from(reason: ExitReason) -> Reason {
        match reason {
            ExitReason::Normal => Reason::Normal,
            ExitReason::Shutdown => Reason::Shutdown,
            ExitReason::Kill => Reason::Kill,
            ExitReason::Killed => Reason::Killed,
            ExitReason::Noproc => Reason::Noproc,
            other => Reason::Term(other.get().expect("no other reason is used here")),
        }
    }
}

fn reason() -> impl Strategy<Value = Reason> {
    prop_oneof![
        2 => Just(Reason::Normal),
        1 => Just(Reason::Shutdown),
        2 => Just(Reason::Kill),
        3 => (0..5_u64).prop_map(Reason::Term),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let place = || 0..PLACES;
    let number = || 0..1000_usize;
    let alias = prop_oneof![
        Just(None),
        Just(Some(Alias::Explicit)),
        Just(Some(Alias::WithMonitor)),
        Just(Some(Alias::WithMonitorOrReply)),
    ];
    prop_oneof![
        4 => (place(), place(), any::<bool>(), any::<bool>())
            .prop_map(|(by, at, link, monitor)| Step::Spawn { by, at, link, monitor }),
        2 => (place(), any::<bool>()).prop_map(|(by, on)| Step::Trap { by, on }),
        4 => (place(), place()).prop_map(|(by, to)| Step::Link { by, to }),
        2 => (place(), place()).prop_map(|(by, to)| Step::Unlink { by, to }),
        4 => (place(), place(), alias).prop_map(|(by, of, alias)| Step::Monitor { by, of, alias }),
        2 => (place(), number()).prop_map(|(by, number)| Step::Demonitor { by, number }),
        2 => (place(), any::<bool>()).prop_map(|(by, once)| Step::Alias { by, once }),
        2 => (place(), number()).prop_map(|(by, number)| Step::Unalias { by, number }),
        4 => (place(), number()).prop_map(|(by, number)| Step::Send { by, number }),
        1 => (place(), number(), reason())
            .prop_map(|(by, number, reason)| Step::ExitByAlias { by, number, reason }),
        3 => (place(), place(), reason())
            .prop_map(|(by, to, reason)| Step::Exit { by, to, reason }),
        2 => (place(), reason()).prop_map(|(by, reason)| Step::End { by, reason }),
    ]
}

/// The number of a process. A place has one process after another.
type Id = usize;

/// The number of a reference.
type Ref = usize;

/// A message that a process receives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Received {
    Exit(Id, Reason),
    Down(Ref, Reason),
    /// A message by this alias.
    Message(Ref),
}

/// The result of a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    /// The process has ended.
    Ended,
    Nothing,
    Was(bool),
    /// The step made a reference.
    Made,
    /// The step made a process, and a reference if there is a monitor.
    Spawned {
        monitor: bool,
    },
}

#[derive(Default)]
struct ModelProcess {
    ended: Option<Reason>,
    traps: bool,
    links: BTreeSet<Id>,
    monitors: BTreeMap<Ref, Id>,
    aliases: BTreeMap<Ref, Alias>,
    received: Vec<Received>,
}

/// All processes so far, and which one made each reference.
#[derive(Default)]
struct Model {
    processes: Vec<ModelProcess>,
    places: Vec<Id>,
    references: Vec<Id>,
}

impl Model {
    fn new() -> Model {
        let processes = (0..PLACES).map(|_| ModelProcess::default()).collect();
        Model { processes, places: (0..PLACES).collect(), references: Vec::new() }
    }

    fn is_alive(&self, id: Id) -> bool {
        self.processes[id].ended.is_none()
    }

    fn reference(&mut self, by: Id) -> Ref {
        self.references.push(by);
        self.references.len() - 1
    }

    /// Makes a step. Returns `None` if it can't be made.
    fn step(&mut self, step: &Step) -> Option<Outcome> {
        let by = self.places[step.by()];
        if !self.is_alive(by) {
            return None;
        }
        let outcome = match *step {
            Step::Spawn { at, link, monitor, .. } => self.spawn(by, at, link, monitor)?,
            Step::Trap { on, .. } => {
                self.processes[by].traps = on;
                Outcome::Nothing
            }
            Step::Link { to, .. } => self.link(by, self.places[to]),
            Step::Unlink { to, .. } => {
                let to = self.places[to];
                self.processes[by].links.remove(&to);
                self.processes[to].links.remove(&by);
                Outcome::Nothing
            }
            Step::Monitor { of, alias, .. } => self.monitor(by, self.places[of], alias),
            Step::Demonitor { number, .. } => {
                let reference = self.pick(number)?;
                let was = self.processes[by].monitors.remove(&reference).is_some();
                if was {
                    self.monitor_ended(by, reference);
                }
                Outcome::Was(was)
            }
            Step::Alias { once, .. } => {
                let reference = self.reference(by);
                let alias = if once { Alias::Once } else { Alias::Explicit };
                self.processes[by].aliases.insert(reference, alias);
                Outcome::Made
            }
            Step::Unalias { number, .. } => {
                let reference = self.pick(number)?;
                Outcome::Was(self.processes[by].aliases.remove(&reference).is_some())
            }
            Step::Send { number, .. } => {
                let reference = self.pick(number)?;
                self.send(reference);
                Outcome::Nothing
            }
            Step::ExitByAlias { number, reason, .. } => {
                let reference = self.pick(number)?;
                let owner = self.references[reference];
                if self.processes[owner].aliases.contains_key(&reference) {
                    self.exit_signal(owner, by, reason, false);
                }
                Outcome::Nothing
            }
            Step::Exit { to, reason, .. } => {
                self.exit_signal(self.places[to], by, reason, false);
                Outcome::Nothing
            }
            Step::End { reason, .. } => {
                self.end(by, reason);
                Outcome::Nothing
            }
        };
        Some(if self.is_alive(by) { outcome } else { Outcome::Ended })
    }

    fn pick(&self, number: usize) -> Option<Ref> {
        number.checked_rem(self.references.len())
    }

    fn spawn(&mut self, by: Id, at: usize, link: bool, monitor: bool) -> Option<Outcome> {
        if self.is_alive(self.places[at]) {
            return None;
        }
        let child = self.processes.len();
        self.processes.push(ModelProcess::default());
        self.places[at] = child;
        if link {
            self.processes[by].links.insert(child);
            self.processes[child].links.insert(by);
        }
        if monitor {
            let reference = self.reference(by);
            self.processes[by].monitors.insert(reference, child);
        }
        Some(Outcome::Spawned { monitor })
    }

    fn link(&mut self, by: Id, to: Id) -> Outcome {
        if by == to {
            return Outcome::Nothing;
        }
        if self.is_alive(to) {
            self.processes[by].links.insert(to);
            self.processes[to].links.insert(by);
        } else {
            self.exit_signal(by, to, Reason::Noproc, true);
        }
        Outcome::Nothing
    }

    fn monitor(&mut self, by: Id, of: Id, alias: Option<Alias>) -> Outcome {
        let reference = self.reference(by);
        let alive = self.is_alive(of);
        let process = &mut self.processes[by];
        process.aliases.extend(alias.map(|alias| (reference, alias)));
        if !alive {
            process.received.push(Received::Down(reference, Reason::Noproc));
            self.monitor_ended(by, reference);
        } else if by != of {
            process.monitors.insert(reference, of);
        }
        Outcome::Made
    }

    fn monitor_ended(&mut self, by: Id, reference: Ref) {
        let aliases = &mut self.processes[by].aliases;
        let ends = [Alias::WithMonitor, Alias::WithMonitorOrReply];
        if aliases.get(&reference).is_some_and(|alias| ends.contains(alias)) {
            aliases.remove(&reference);
        }
    }

    fn send(&mut self, reference: Ref) {
        let owner = &mut self.processes[self.references[reference]];
        let Some(alias) = owner.aliases.get(&reference).copied() else { return };
        owner.received.push(Received::Message(reference));
        if alias == Alias::WithMonitorOrReply {
            owner.monitors.remove(&reference);
        }
        if [Alias::Once, Alias::WithMonitorOrReply].contains(&alias) {
            owner.aliases.remove(&reference);
        }
    }

    fn exit_signal(&mut self, to: Id, from: Id, reason: Reason, by_link: bool) {
        if !self.is_alive(to) {
            return;
        }
        if reason == Reason::Kill && !by_link {
            self.end(to, Reason::Killed);
        } else if self.processes[to].traps {
            self.processes[to].received.push(Received::Exit(from, reason));
        } else if reason != Reason::Normal || (from == to && !by_link) {
            self.end(to, reason);
        }
    }

    fn end(&mut self, id: Id, reason: Reason) {
        let process = &mut self.processes[id];
        let links = std::mem::take(&mut process.links);
        *process = ModelProcess { ended: Some(reason), ..ModelProcess::default() };
        for peer in links {
            self.processes[peer].links.remove(&id);
            self.exit_signal(peer, id, reason, true);
        }
        for watcher in 0..self.processes.len() {
            let fired: Vec<_> =
                self.processes[watcher].monitors.extract_if(.., |_, of| *of == id).collect();
            for (reference, _) in fired {
                self.processes[watcher].received.push(Received::Down(reference, reason));
                self.monitor_ended(watcher, reference);
            }
        }
    }
}

impl Step {
    fn by(&self) -> usize {
        match *self {
            Step::Spawn { by, .. }
            | Step::Trap { by, .. }
            | Step::Link { by, .. }
            | Step::Unlink { by, .. }
            | Step::Monitor { by, .. }
            | Step::Demonitor { by, .. }
            | Step::Alias { by, .. }
            | Step::Unalias { by, .. }
            | Step::Send { by, .. }
            | Step::ExitByAlias { by, .. }
            | Step::Exit { by, .. }
            | Step::End { by, .. } => by,
        }
    }
}

/// A command for a process.
enum Order {
    Spawn(SpawnOpts),
    Trap(bool),
    Link(Pid),
    Unlink(Pid),
    Monitor(Pid, MonitorOpts),
    Demonitor(Reference),
    Alias(AliasOpts),
    Unalias(Reference),
    Send(Reference),
    ExitByAlias(Reference, ExitReason),
    Exit(Pid, ExitReason),
    End(ExitReason),
    /// Report what was received since the last report.
    Report,
}

/// The report of a process that has executed a command.
enum Done {
    Nothing,
    Was(bool),
    Made(Reference),
    Spawned(Pid, Option<Reference>),
    Report(Vec<Raw>),
}

/// A message as a process receives it.
enum Raw {
    Exit(Exit),
    Down(Down),
    Message(Reference),
}

/// A process of the test.
async fn puppet(driver: Pid) {
    let mut received = Vec::new();
    loop {
        receive! {
            Local(order): Local<Order> => {
                let done = obey(order, driver, &mut received);
                send(driver, Local(done));
            }
            exit: Exit => received.push(Raw::Exit(exit)),
            down: Down => received.push(Raw::Down(down)),
            alias: Reference => received.push(Raw::Message(alias)),
        }
    }
}

fn obey(order: Order, driver: Pid, received: &mut Vec<Raw>) -> Done {
    match order {
        Order::Spawn(opts) => {
            let child = spawn_opt(opts, puppet(driver));
            return Done::Spawned(child.pid, child.monitor);
        }
        Order::Monitor(of, opts) => return Done::Made(monitor_with(of, opts)),
        Order::Alias(opts) => return Done::Made(alias_with(opts)),
        Order::Demonitor(monitor) => return Done::Was(demonitor(monitor)),
        Order::Unalias(alias) => return Done::Was(unalias(alias)),
        Order::Report => return Done::Report(std::mem::take(received)),
        Order::Trap(on) => {
            trap_exit(on);
        }
        Order::Link(to) => link(to),
        Order::Unlink(to) => unlink(to),
        Order::Send(alias) => send(alias, alias),
        Order::ExitByAlias(alias, reason) => exit_process(alias, reason),
        Order::Exit(to, reason) => exit_process(to, reason),
        Order::End(reason) => exit(reason),
    }
    Done::Nothing
}

/// The real processes.
struct Real {
    pids: Vec<Pid>,
    /// The test's process, which sees each end.
    watches: Vec<Reference>,
    ended: Vec<Option<Reason>>,
    references: Vec<Reference>,
}

impl Real {
    fn new() -> Real {
        let mut real = Real { pids: vec![], watches: vec![], ended: vec![], references: vec![] };
        let me = self_pid();
        (0..PLACES).for_each(|_| real.add(spawn(puppet(me))));
        real
    }

    fn add(&mut self, pid: Pid) {
        self.pids.push(pid);
        self.watches.push(monitor(pid));
        self.ended.push(None);
    }

    /// Makes a process execute a command. Returns `None` if it has ended.
    async fn order(&mut self, id: Id, order: Order) -> Option<Done> {
        send(self.pids[id], Local(order));
        let watch = self.watches[id];
        receive! {
            Local(done): Local<Done> => Some(done),
            Down { monitor, reason, .. } if monitor == watch => {
                self.ended[id] = Some(reason.into());
                None
            }
            after LIMIT => panic!("{id} neither answers nor ends"),
        }
    }

    /// Makes a step, with the places as they were before it.
    async fn step(&mut self, places: &[Id], step: &Step) -> Outcome {
        let pid = |place: usize| self.pids[places[place]];
        let reference = |number: usize| self.references[number % self.references.len()];
        let order = match *step {
            Step::Spawn { link, monitor, .. } => {
                let opts = if link { SpawnOpts::new().link() } else { SpawnOpts::new() };
                Order::Spawn(if monitor { opts.monitor() } else { opts })
            }
            Step::Trap { on, .. } => Order::Trap(on),
            Step::Link { to, .. } => Order::Link(pid(to)),
            Step::Unlink { to, .. } => Order::Unlink(pid(to)),
            Step::Monitor { of, alias, .. } => Order::Monitor(pid(of), monitor_opts(alias)),
            Step::Demonitor { number, .. } => Order::Demonitor(reference(number)),
            Step::Alias { once: true, .. } => Order::Alias(AliasOpts::new().reply()),
            Step::Alias { once: false, .. } => Order::Alias(AliasOpts::new()),
            Step::Unalias { number, .. } => Order::Unalias(reference(number)),
            Step::Send { number, .. } => Order::Send(reference(number)),
            Step::ExitByAlias { number, reason, .. } => {
                Order::ExitByAlias(reference(number), reason.into())
            }
            Step::Exit { to, reason, .. } => Order::Exit(pid(to), reason.into()),
            Step::End { reason, .. } => Order::End(reason.into()),
        };
        match self.order(places[step.by()], order).await {
            None => Outcome::Ended,
            Some(Done::Nothing | Done::Report(_)) => Outcome::Nothing,
            Some(Done::Was(was)) => Outcome::Was(was),
            Some(Done::Made(reference)) => {
                self.references.push(reference);
                Outcome::Made
            }
            Some(Done::Spawned(child, monitor)) => {
                self.add(child);
                self.references.extend(monitor);
                Outcome::Spawned { monitor: monitor.is_some() }
            }
        }
    }

    /// Returns what each live process has received, when nothing more is in flight. An exit signal
    /// crosses at most as many links as there are processes.
    async fn settle(&mut self) -> BTreeMap<Id, Vec<Received>> {
        let mut received: BTreeMap<Id, Vec<Received>> = BTreeMap::new();
        for _ in 0..=PLACES {
            for id in 0..self.pids.len() {
                if self.ended[id].is_some() {
                    continue;
                }
                match self.order(id, Order::Report).await {
                    Some(Done::Report(raw)) => {
                        let raw = raw.into_iter().map(|raw| self.known(raw));
                        received.entry(id).or_default().extend(raw);
                    }
                    Some(_) => panic!("it was asked for a report"),
                    None => drop(received.remove(&id)),
                }
            }
        }
        received.values_mut().for_each(|received| received.sort_unstable());
        received
    }

    fn known(&self, raw: Raw) -> Received {
        let find = |reference| self.references.iter().position(|known| *known == reference);
        let number = |reference| find(reference).expect("one that was made here");
        match raw {
            Raw::Exit(Exit { from, reason }) => {
                let from = self.pids.iter().position(|pid| *pid == from);
                Received::Exit(from.expect("one of the processes"), reason.into())
            }
            Raw::Down(Down { monitor, reason, .. }) => {
                Received::Down(number(monitor), reason.into())
            }
            Raw::Message(alias) => Received::Message(number(alias)),
        }
    }
}

fn monitor_opts(alias: Option<Alias>) -> MonitorOpts {
    match alias {
        None => MonitorOpts::new(),
        Some(Alias::WithMonitor) => MonitorOpts::new().alias(MonitorAlias::Demonitor),
        Some(Alias::WithMonitorOrReply) => MonitorOpts::new().alias(MonitorAlias::ReplyDemonitor),
        Some(Alias::Explicit | Alias::Once) => {
            MonitorOpts::new().alias(MonitorAlias::ExplicitUnalias)
        }
    }
}

/// Makes the steps. Returns what differs from the model, if anything does.
async fn run(steps: Vec<Step>) -> Result<(), String> {
    let (mut model, mut real) = (Model::new(), Real::new());
    for (n, step) in steps.iter().enumerate() {
        let places = model.places.clone();
        let Some(expected) = model.step(step) else { continue };
        let outcome = real.step(&places, step).await;
        let received = real.settle().await;
        let at = format!("step {n}, {step:?}");
        // A process that does not end at once first reports that it has executed the command.
        if outcome != expected && expected != Outcome::Ended {
            return Err(format!("{at}: {outcome:?} instead of {expected:?}"));
        }
        for (id, process) in model.processes.iter_mut().enumerate() {
            if real.ended[id] != process.ended {
                let (real, model) = (real.ended[id], process.ended);
                return Err(format!("{at}: {id} has ended by {real:?} instead of {model:?}"));
            }
            process.received.sort_unstable();
            let received = received.get(&id).cloned().unwrap_or_default();
            if received != process.received {
                let expected = &process.received;
                return Err(format!("{at}: {id} got {received:?} instead of {expected:?}"));
            }
            process.received.clear();
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// After any steps, each process has received the messages of the model.
    ///
    /// Rules: LINK-1, LINK-2, LINK-3, LINK-4, LINK-8, LINK-9, LINK-10, MON-1, MON-2, MON-3, MON-4,
    /// MON-8, MON-9, MON-11, MON-12, ALIAS-1, ALIAS-3, ALIAS-4, ALIAS-5, ALIAS-6, ALIAS-7, ALIAS-8,
    /// EXIT-1, EXIT-2, EXIT-3, EXIT-4, EXIT-5, EXIT-7, EXIT-8, EXIT-9, EXIT-10, EXIT-11, EXIT-14.
    #[test]
    fn relations_behave_like_the_model(steps in proptest::collection::vec(step(), 1..60)) {
        let node = Node::builder().workers(2).build().unwrap();
        let result = node.block_on(run(steps));
        node.stop();
        prop_assert_eq!(result, Ok(()));
    }
}
