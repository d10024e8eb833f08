//! The trees of a scenario: their shapes, which the seed decides, and their processes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use fika::gen_server::{
    self, Call, Caller, GenServer, HandleCall, HandleInfo, Info, Init, Next, Reply, ServerRef,
    Start, StartError,
};
use fika::prelude::*;
use fika::process::{Ended, SpawnOpts, spawn_opt_on};
use fika::supervisor::{
    self, AutoShutdown, Backoff, ChildSpec, IntoStarted, Restart, Shutdown, Started, Strategy,
    SupFlags, Template,
};

use super::events::{Event, Life, Limits, Path, Record, Sup, SupKind, Why};

/// A child of a tree.
#[derive(Clone)]
pub(super) struct Branch {
    pub(super) path: Path,
    pub(super) kind: Kind,
    pub(super) restart: Restart,
    shutdown: Shutdown,
    has_backoff: bool,
    significant: bool,
}

#[derive(Clone)]
pub(super) enum Kind {
    Plain(Manner),
    /// A server, whose name is its path.
    Server(Manner),
    /// A process on another node.
    There(String),
    Supervisor(Group),
    Dynamic(Limits),
    Simple(Limits),
}

/// How a process ends when its supervisor asks it to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Manner {
    AtOnce,
    Slowly,
    Never,
}

#[derive(Clone)]
pub(super) struct Group {
    flags: SupFlags,
    limits: Limits,
    pub(super) children: Vec<Branch>,
}

/// Random choices for the shape of a tree.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(0x9e37_79b9);
        (self.0 >> 33) as usize % n
    }

    pub(super) fn one_of<T: Copy>(&mut self, these: &[T]) -> T {
        these[self.below(these.len())]
    }

    fn limits(&mut self, is_group: bool) -> Limits {
        let period = match is_group {
            // The scenario sees the effects of a decision, but not its time. So the period is long,
            // and all restarts count.
            true => secs(1_000_000),
            false => self.one_of(&[millis(300), secs(1), secs(5), secs(1_000_000)]),
        };
        let intensity = self.one_of(&[0, 1, 2, 3, 10]);
        Limits { intensity, period, is_group, is_automatic: false }
    }

    /// Returns the tree of a node.
    pub(super) fn tree(&mut self, node: usize, count: usize) -> Branch {
        let path = format!("n{node}").into();
        let others = (0..count).filter(|other| *other != node);
        let others: Vec<String> = others.map(|n| format!("n{n}@host{n}")).collect();
        let group = self.group(&path, &others, 0);
        Branch { kind: Kind::Supervisor(group), ..self.worker(path) }
    }

    fn group(&mut self, path: &Path, others: &[String], depth: usize) -> Group {
        use Strategy::{OneForAll, OneForOne, RestForOne};
        let strategy = self.one_of(&[OneForOne, OneForOne, OneForAll, RestForOne]);
        let mut limits = self.limits(strategy != OneForOne);
        // Only the supervisor sees when a child on another node ends. So all restarts count here,
        // too.
        let elsewhere = others.len() * self.below(2);
        if elsewhere > 0 {
            limits.period = secs(1_000_000);
        }
        limits.is_automatic = depth > 0 && self.below(5) == 0;
        let children = (0..2 + self.below(3)).map(|n| {
            let mut child = self.worker(format!("{path}/{n}").into());
            match self.below(8) {
                0 if elsewhere > 0 => {
                    child.kind = Kind::There(others[self.below(others.len())].clone());
                    child.shutdown = Shutdown::Timeout(secs(1));
                }
                1 | 2 if depth < 2 => {
                    child.kind = Kind::Supervisor(self.group(&child.path, others, depth + 1));
                }
                3 if depth < 2 => child.kind = Kind::Dynamic(self.limits(false)),
                4 if depth < 2 => child.kind = Kind::Simple(self.limits(false)),
                _ => {}
            }
            if matches!(child.kind, Kind::Supervisor(_) | Kind::Dynamic(_) | Kind::Simple(_)) {
                child.shutdown = Shutdown::Infinity;
            }
            child.significant = limits.is_automatic && child.restart != Restart::Permanent;
            child
        });
        let children = children.collect();
        Group { flags: flags(strategy, limits), limits, children }
    }

    pub(super) fn worker(&mut self, path: Path) -> Branch {
        use Restart::{Permanent, Temporary, Transient};
        let manner = self.one_of(&[Manner::AtOnce, Manner::AtOnce, Manner::Slowly, Manner::Never]);
        let limit = self.one_of(&[millis(20), millis(300), secs(1)]);
        let shutdown = match self.below(4) {
            0 => Shutdown::BrutalKill,
            1 if manner != Manner::Never => Shutdown::Infinity,
            _ => Shutdown::Timeout(limit),
        };
        let kind = if self.below(2) == 0 { Kind::Server(manner) } else { Kind::Plain(manner) };
        let restart = self.one_of(&[Permanent, Permanent, Permanent, Transient, Temporary]);
        let has_backoff = self.below(6) == 0;
        Branch { path, kind, restart, shutdown, has_backoff, significant: false }
    }
}

fn flags(strategy: Strategy, limits: Limits) -> SupFlags {
    let auto = match limits.is_automatic {
        true => AutoShutdown::AnySignificant,
        false => AutoShutdown::Never,
    };
    let intensity = u32::try_from(limits.intensity).expect("it is small");
    SupFlags::new(strategy).intensity(intensity).period(limits.period).auto_shutdown(auto)
}

impl Branch {
    /// Adds the names of the servers that this branch has from the start.
    pub(super) fn servers(&self, names: &mut Vec<Path>) {
        match &self.kind {
            Kind::Server(_) => names.push(self.path.clone()),
            Kind::Supervisor(group) => {
                group.children.iter().for_each(|child| child.servers(names));
            }
            _ => {}
        }
    }

    /// Returns the specification of this child.
    pub(super) fn spec(&self, record: &Record, sup_life: Option<Arc<Life>>) -> ChildSpec {
        if sup_life.is_some() {
            // A child without `sup_life` is added to a running supervisor, which may refuse it. So
            // it is not noted here.
            record.now().restarts.insert(self.path.clone(), self.restart);
        }
        let (record, branch, mut times) = (record.clone(), self.clone(), 0_u32);
        let start = move || {
            let _until_the_end = &sup_life;
            times += 1;
            branch.starting(&record, times == 1)
        };
        let spec = match self.kind {
            Kind::Supervisor(_) | Kind::Dynamic(_) | Kind::Simple(_) => {
                ChildSpec::supervisor(self.path.to_string(), start)
            }
            _ => ChildSpec::new(self.path.to_string(), start),
        };
        let spec = spec.restart(self.restart).shutdown(self.shutdown);
        let spec = spec.significant(self.significant);
        match self.has_backoff {
            true => spec.backoff(Backoff::exponential(millis(20), secs(1))),
            false => spec,
        }
    }

    /// Starts the child, on behalf of its supervisor.
    fn starting(&self, record: &Record, is_first: bool) -> Starting {
        let (record, branch, sup) = (record.clone(), self.clone(), self_pid());
        let by_hand = record.now().by_hand.get(&self.path).is_some_and(|calls| *calls > 0);
        let why = match (is_first, by_hand) {
            (true, _) => Why::First,
            (false, true) => Why::Perhaps,
            (false, false) => Why::Restart,
        };
        record.add(Event::Starts { sup, child: self.path.clone(), why });
        Box::pin(async move {
            let failed = || Event::NotStarted { sup, child: branch.path.clone() };
            let chance = if record.now().is_calm { 99 } else { random(24) };
            match chance {
                0 => {
                    record.add(failed());
                    return Err(StartError::Failed(ExitReason::Timeout));
                }
                1 => {
                    record.add(failed());
                    exit(ExitReason::Error("a start fails as asked".into()));
                }
                2 if branch.restart == Restart::Transient => return Err(StartError::Ignored),
                3 | 4 => sleep(millis(100)).await,
                _ => {}
            }
            let started = branch.start(&record, sup).await;
            match &started {
                Ok(started) => match started.pid() {
                    Some(pid) => record.add(Event::Started { pid }),
                    None => record.add(failed()),
                },
                Err(_) => record.add(failed()),
            }
            started
        })
    }

    async fn start(&self, record: &Record, sup: Pid) -> Result<Started, StartError> {
        let (record, path) = (record.clone(), self.path.clone());
        match &self.kind {
            Kind::Plain(manner) => {
                let manner = *manner;
                spawn_link(async move { plain(record.begins(&path, sup), manner).await })
                    .into_started()
            }
            Kind::Server(manner) => {
                let args = Args { record, path: path.clone(), sup, manner: *manner };
                gen_server::start_link::<Worker>(Start::name(&*path), args).await.into_started()
            }
            Kind::There(node) => {
                let child = there(path.to_string(), sup);
                spawn_opt_on(node, SpawnOpts::new().link(), child).await.pid.into_started()
            }
            Kind::Supervisor(_) => self.supervisor(&record).await.into_started(),
            Kind::Dynamic(limits) => {
                let flags = flags(Strategy::OneForOne, *limits);
                let top = supervisor::start_link_dynamic(Start::new(), flags).await?;
                watch(record, top.whereis(), path, sup, *limits, SupKind::Dynamic);
                top.into_started()
            }
            Kind::Simple(limits) => {
                let flags = flags(Strategy::OneForOne, *limits);
                let (of, record_of) = (path.clone(), record.clone());
                let template = Template::new(move |serial: u64| {
                    let child = Dice(serial).worker(format!("{of}/{serial}").into());
                    let is_first = record_of
                        .now()
                        .restarts
                        .insert(child.path.clone(), child.restart)
                        .is_none();
                    child.starting(&record_of, is_first)
                });
                let top = supervisor::start_link_simple(Start::new(), flags, template).await?;
                watch(record, top.whereis(), path, sup, *limits, SupKind::Simple);
                top.into_started()
            }
        }
    }

    /// Starts a supervisor with its children, linked to the running process.
    pub(super) async fn supervisor(
        &self,
        record: &Record,
    ) -> Result<ServerRef<supervisor::Supervisor>, StartError> {
        let Kind::Supervisor(group) = self.kind.clone() else { return Err(StartError::Ignored) };
        let (record, path, parent) = (record.clone(), self.path.clone(), self_pid());
        let init = move || async move {
            let ids = group.children.iter().map(|child| child.path.clone()).collect();
            record.sup_begins(&path, parent, group.limits, SupKind::Keyed(ids));
            let life = Arc::new(record.lives(true));
            let mut specs = vec![keeper(life.clone())];
            let children = group.children.iter();
            specs.extend(children.map(|child| child.spec(&record, Some(life.clone()))));
            Ok((group.flags, specs))
        };
        supervisor::start_link_with(Start::new(), init).await
    }
}

type Starting = Pin<Box<dyn Future<Output = Result<Started, StartError>> + Send>>;

/// Specifies a child without a process, whose specification stays until the supervisor ends.
fn keeper(life: Arc<Life>) -> ChildSpec {
    ChildSpec::new("keeper", move || {
        let _until_the_end = &life;
        async { Err::<Pid, _>(StartError::Ignored) }
    })
}

/// Records a supervisor that has no specifications of its own, and its end.
fn watch(record: Record, sup: Option<Pid>, path: Path, parent: Pid, limits: Limits, kind: SupKind) {
    let Some(sup) = sup else { return };
    record.now().sups.insert(sup, Sup { path: path.clone(), kind });
    record.add(Event::SupBegins { sup, path, parent, limits });
    spawn(async move {
        let reason = Some(Ended::of(sup).await);
        record.add(Event::SupEnds { sup, reason });
    });
}

/// Returns a random number below `n`.
pub(super) fn random(n: u64) -> u64 {
    (self_node().env().random() >> 16) % n
}

/// Ends its receiver.
#[message]
pub(super) struct Stop(pub(super) ExitReason);

async fn plain(_life: Life, manner: Manner) {
    trap_exit(manner != Manner::AtOnce);
    loop {
        receive! {
            Stop(reason) => exit(reason),
            // Only the request of the supervisor is ignored: a supervisor that is killed does not
            // kill this process later.
            Exit { reason: ExitReason::Shutdown, .. } if manner == Manner::Never => {},
            Exit { reason, .. } => {
                sleep(millis(50)).await;
                exit(reason);
            }
        }
    }
}

/// A child on another node than its supervisor.
#[remote(name = "sim_supervised")]
async fn there(path: String, sup: Pid) {
    // A node whose program has not begun has no record.
    let Some(record) = fika_runtime::self_node().extension::<Record>().cloned() else { return };
    plain(record.begins(&path.into(), sup), Manner::AtOnce).await;
}

/// The arguments of a server.
pub(super) struct Args {
    record: Record,
    path: Path,
    sup: Pid,
    manner: Manner,
}

/// A server that handles requests in several ways, some of which fail.
pub(super) struct Worker {
    record: Record,
    _life: Life,
    manner: Manner,
}

impl GenServer for Worker {
    type Args = Args;
    type Receives = (Call<Work>, Info<Stop>);

    async fn init(Args { record, path, sup, manner }: Args) -> Init<Self> {
        let life = record.begins(&path, sup);
        trap_exit(manner != Manner::AtOnce);
        let chance = if record.now().is_calm { 99 } else { random(24) };
        match chance {
            0 => return Init::stop(ExitReason::Timeout),
            1 => exit(ExitReason::Error("an init fails as asked".into())),
            2 | 3 => sleep(millis(50)).await,
            _ => {}
        }
        Init::ok(Worker { record, _life: life, manner })
    }

    async fn terminate(&mut self, _: &ExitReason) {
        match self.manner {
            Manner::AtOnce => {}
            Manner::Slowly => sleep(millis(50)).await,
            Manner::Never => sleep(secs(2)).await,
        }
    }
}

/// A request: the number of its call, and the way to handle it.
#[message]
pub(super) struct Work {
    pub(super) call: u64,
    pub(super) way: u64,
}

/// The number of ways in which a request is handled.
pub(super) const WAYS: u64 = 16;

impl HandleCall<Work> for Worker {
    type Reply = u64;

    async fn handle_call(&mut self, work: Work, caller: &mut Caller<'_, u64>) -> Reply<u64> {
        let Work { call, way } = work;
        self.record.add(Event::Handled { call });
        match way {
            0 => Reply::stop(ExitReason::Timeout),
            1 => exit(ExitReason::Error("a call fails as asked".into())),
            2 => Reply::later(),
            3 | 4 => {
                let to = caller.reply_later();
                spawn_link(async move {
                    sleep(millis(100)).await;
                    to.reply(call);
                });
                Reply::later()
            }
            5 => {
                sleep(millis(100)).await;
                call.into()
            }
            _ => call.into(),
        }
    }
}

impl HandleInfo<Stop> for Worker {
    async fn handle_info(&mut self, Stop(reason): Stop) -> Next {
        Next::stop(reason)
    }
}
