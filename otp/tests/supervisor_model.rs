//! Random nested trees with random requests, ends and failing starts, against a small model of a
//! supervisor.

extern crate fika_runtime as fika;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fika::{
    Exit, ExitReason, Node, exit, monitor, self_node, send, spawn_link, trap_exit, yield_now,
};
use fika_macros::{Message, receive};
use fika_otp::supervisor::{
    self, AutoShutdown, ChildError, ChildSpec, ChildState, Restart, Strategy, SupFlags, Supervisor,
};
use fika_otp::{CallError, ServerRef, Start, StartError};
use parking_lot::Mutex;
use proptest::prelude::{Just, ProptestConfig, any, prop_oneof, proptest};
use proptest::strategy::Strategy as Strategy_;

const LIMIT: Duration = Duration::from_secs(20);

/// The restarts are counted over this time, which no case takes.
const PERIOD: Duration = Duration::from_secs(100_000);

#[derive(Message)]
#[message(local)]
struct Stop(ExitReason);

/// The ids of a child and of the supervisors above it, the top one first.
type Path = Vec<u8>;

/// A child as it is specified.
#[derive(Clone, Debug)]
struct Spec {
    id: u8,
    restart: Restart,
    significant: bool,
    /// `None` for a worker.
    group: Option<Group>,
}

/// A supervisor as it is specified.
#[derive(Clone, Debug)]
struct Group {
    strategy: Strategy,
    intensity: u32,
    auto: AutoShutdown,
    children: Vec<Spec>,
}

/// The behaviour of the workers with one path, and the counts that the test checks.
#[derive(Default)]
struct Probe {
    /// How many of the next starts fail.
    failures: AtomicU32,
    /// The processes that live.
    alive: AtomicU32,
    /// How often a start began while an earlier process lived.
    overlaps: AtomicU32,
}

#[derive(Clone, Default)]
struct Probes(Arc<Mutex<BTreeMap<Path, Arc<Probe>>>>);

impl Probes {
    fn of(&self, path: &Path) -> Arc<Probe> {
        self.0.lock().entry(path.clone()).or_default().clone()
    }
}

/// Counts a process until its future has been dropped.
struct Alive(Arc<Probe>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

fn join(path: &Path, id: u8) -> Path {
    path.iter().copied().chain([id]).collect()
}

/// Returns the specification of a child of the supervisor with this path.
fn spec(above: &Path, spec: &Spec, probes: &Probes) -> ChildSpec {
    let path = join(above, spec.id);
    let child = match spec.group.clone() {
        Some(group) => {
            let probes = probes.clone();
            let start = move || start_group(path.clone(), group.clone(), probes.clone());
            ChildSpec::supervisor(u32::from(spec.id), start)
        }
        None => {
            let probe = probes.of(&path);
            let start = move || {
                let probe = probe.clone();
                async move {
                    if probe.alive.load(Ordering::SeqCst) > 0 {
                        probe.overlaps.fetch_add(1, Ordering::SeqCst);
                    }
                    let fails = |left: u32| left.checked_sub(1);
                    if probe
                        .failures
                        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails)
                        .is_ok()
                    {
                        return Err(StartError::Timeout);
                    }
                    probe.alive.fetch_add(1, Ordering::SeqCst);
                    let alive = Alive(probe);
                    Ok(spawn_link(async move {
                        let _alive = alive;
                        receive! { Stop(reason) => exit(reason) }
                    }))
                }
            };
            ChildSpec::new(u32::from(spec.id), start)
        }
    };
    child.restart(spec.restart).significant(spec.significant)
}

type Starting = Pin<Box<dyn Future<Output = Result<ServerRef<Supervisor>, StartError>> + Send>>;

/// Starts a supervisor. The future contains itself, so it is boxed.
fn start_group(path: Path, group: Group, probes: Probes) -> Starting {
    Box::pin(async move {
        let flags = SupFlags::new(group.strategy).intensity(group.intensity).period(PERIOD);
        let specs: Vec<_> =
            group.children.iter().map(|child| spec(&path, child, &probes)).collect();
        supervisor::start_link(Start::new(), flags.auto_shutdown(group.auto), specs).await
    })
}

/// A step of a case. A number chooses one of the workers or supervisors that run, by its remainder.
#[derive(Clone, Debug)]
enum Step {
    /// A worker ends with an error, or orderly.
    End(u8, bool),
    /// A supervisor below the top is told to end with an error, or orderly.
    Stop(u8, bool),
    /// The next starts of a worker fail.
    Break(u8, u8),
    /// A request to a supervisor.
    Ask(u8, Ask),
}

#[derive(Clone, Debug)]
enum Ask {
    Start(Spec),
    Terminate(u8),
    Restart(u8),
    Delete(u8),
}

fn restarts() -> impl Strategy_<Value = Restart> {
    prop_oneof![
        3 => Just(Restart::Permanent),
        2 => Just(Restart::Transient),
        1 => Just(Restart::Temporary),
    ]
}

fn group(children: impl Strategy_<Value = Vec<Spec>>) -> impl Strategy_<Value = Group> {
    let strategy = prop_oneof![
        Just(Strategy::OneForOne),
        Just(Strategy::OneForAll),
        Just(Strategy::RestForOne),
    ];
    let auto = prop_oneof![
        3 => Just(AutoShutdown::Never),
        1 => Just(AutoShutdown::AnySignificant),
        1 => Just(AutoShutdown::AllSignificant),
    ];
    let intensity = prop_oneof![0..5_u32, Just(1000)];
    (strategy, intensity, auto, children).prop_map(|(strategy, intensity, auto, mut children)| {
        for (id, child) in (0..).zip(&mut children) {
            child.id = id;
            // Anything else is refused.
            child.significant &= auto != AutoShutdown::Never && child.restart != Restart::Permanent;
        }
        Group { strategy, intensity, auto, children }
    })
}

fn worker() -> impl Strategy_<Value = Spec> {
    let of = |(restart, significant)| Spec { id: 0, restart, significant, group: None };
    (restarts(), any::<bool>()).prop_map(of)
}

/// Returns children, which may be supervisors down to this depth.
fn children(depth: usize) -> proptest::strategy::BoxedStrategy<Vec<Spec>> {
    if depth == 0 {
        return proptest::collection::vec(worker(), 0..4).boxed();
    }
    let nested = (worker(), group(children(depth - 1)))
        .prop_map(|(spec, group)| Spec { group: Some(group), ..spec });
    let child = prop_oneof![2 => worker(), 1 => nested];
    proptest::collection::vec(child, 1..4).boxed()
}

fn steps() -> impl Strategy_<Value = Vec<Step>> {
    let (id, which) = (|| 0..6_u8, any::<u8>);
    let child = prop_oneof![
        3 => worker(),
        1 => (worker(), group(children(0)))
            .prop_map(|(spec, group)| Spec { group: Some(group), ..spec }),
    ];
    let start =
        (id(), child).prop_map(|(id, child)| Ask::Start(Spec { id, significant: false, ..child }));
    let ask = prop_oneof![
        3 => start,
        1 => id().prop_map(Ask::Terminate),
        2 => id().prop_map(Ask::Restart),
        1 => id().prop_map(Ask::Delete),
    ];
    let step = prop_oneof![
        5 => (which(), any::<bool>()).prop_map(|(which, orderly)| Step::End(which, orderly)),
        1 => (which(), any::<bool>()).prop_map(|(which, orderly)| Step::Stop(which, orderly)),
        2 => (which(), 1..4_u8).prop_map(|(which, times)| Step::Break(which, times)),
        5 => (which(), ask).prop_map(|(which, ask)| Step::Ask(which, ask)),
    ];
    proptest::collection::vec(step, 1..40)
}

/// How many of the next starts of each worker fail.
type Failures = BTreeMap<Path, u32>;

/// A child of the model.
#[derive(Clone)]
struct Child {
    spec: Spec,
    restarts: u64,
    runs: Runs,
}

#[derive(Clone)]
enum Runs {
    No,
    Worker,
    Supervisor(Model),
}

/// A supervisor as a list.
#[derive(Clone)]
struct Model {
    path: Path,
    strategy: Strategy,
    auto: AutoShutdown,
    restarts_left: u32,
    children: Vec<Child>,
    has_ended: bool,
}

/// The result of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reply {
    Ok,
    AlreadyStarted,
    AlreadyPresent,
    Running,
    NotFound,
    Failed,
}

/// Starts a child. `None` if that fails.
fn start(above: &Path, spec: &Spec, failures: &mut Failures) -> Option<Runs> {
    let path = join(above, spec.id);
    if let Some(group) = &spec.group {
        return Model::start(path, group, failures).map(Runs::Supervisor);
    }
    match failures.get_mut(&path) {
        Some(left) if *left > 0 => {
            *left -= 1;
            None
        }
        _ => Some(Runs::Worker),
    }
}

impl Child {
    fn runs(&self) -> bool {
        !matches!(self.runs, Runs::No)
    }
}

impl Model {
    fn start(path: Path, group: &Group, failures: &mut Failures) -> Option<Model> {
        let Group { strategy, intensity, auto, .. } = *group;
        let mut children = Vec::new();
        for spec in &group.children {
            let runs = start(&path, spec, failures)?;
            children.push(Child { spec: spec.clone(), restarts: 0, runs });
        }
        Some(Model { path, strategy, auto, restarts_left: intensity, children, has_ended: false })
    }

    fn at(&self, id: u8) -> Option<usize> {
        self.children.iter().position(|child| child.spec.id == id)
    }

    /// Handles the end of a child on its own.
    fn end(&mut self, at: usize, orderly: bool, failures: &mut Failures) {
        let significant = self.children[at].spec.significant;
        match self.children[at].spec.restart {
            Restart::Temporary => {
                self.children.remove(at);
            }
            Restart::Transient if orderly => self.children[at].runs = Runs::No,
            _ => {
                self.children[at].runs = Runs::No;
                return self.restart(self.children[at].spec.id, failures);
            }
        }
        let others = self.children.iter().filter(|child| child.spec.significant && child.runs());
        self.has_ended = significant
            && match self.auto {
                AutoShutdown::Never => false,
                AutoShutdown::AnySignificant => true,
                AutoShutdown::AllSignificant => others.count() == 0,
            };
    }

    fn restart(&mut self, mut id: u8, failures: &mut Failures) {
        'again: loop {
            if self.restarts_left == 0 {
                self.has_ended = true;
                return;
            }
            self.restarts_left -= 1;
            let at = self.at(id).expect("it is not temporary");
            let group = match self.strategy {
                Strategy::OneForOne => at..at + 1,
                Strategy::OneForAll => 0..self.children.len(),
                Strategy::RestForOne => at..self.children.len(),
            };
            let group: Vec<u8> = self.children[group].iter().map(|child| child.spec.id).collect();
            self.children.retain(|Child { spec, .. }| {
                spec.id == id || spec.restart != Restart::Temporary || !group.contains(&spec.id)
            });
            let members = self.children.iter_mut().filter(|child| group.contains(&child.spec.id));
            members.for_each(|child| child.runs = Runs::No);
            for at in 0..self.children.len() {
                let child = &mut self.children[at];
                if !group.contains(&child.spec.id) {
                    continue;
                }
                child.restarts += 1;
                match start(&self.path, &child.spec, failures) {
                    Some(runs) => child.runs = runs,
                    None => {
                        id = child.spec.id;
                        continue 'again;
                    }
                }
            }
            return;
        }
    }

    /// Does this to the supervisor with this path below this one, and handles its end if it ends.
    fn below<T>(
        &mut self,
        path: &[u8],
        failures: &mut Failures,
        act: impl FnOnce(&mut Model, &mut Failures) -> T,
    ) -> T {
        let [first, rest @ ..] = path else { return act(self, failures) };
        let at = self.at(*first).expect("it runs");
        let Runs::Supervisor(model) = &mut self.children[at].runs else { panic!("it is a worker") };
        let result = model.below(rest, failures, act);
        if model.has_ended {
            // It ends with `shutdown`.
            self.end(at, true, failures);
        }
        result
    }

    fn ask(&mut self, ask: &Ask, failures: &mut Failures) -> Reply {
        let (Ask::Start(Spec { id, .. }) | Ask::Terminate(id) | Ask::Restart(id) | Ask::Delete(id)) =
            ask;
        let at = self.at(*id);
        let runs = at.is_some_and(|at| self.children[at].runs());
        match (ask, at) {
            (Ask::Start(_), Some(_)) if runs => Reply::AlreadyStarted,
            (Ask::Start(_), Some(_)) => Reply::AlreadyPresent,
            (Ask::Start(spec), None) => match start(&self.path, spec, failures) {
                Some(runs) => {
                    self.children.push(Child { spec: spec.clone(), restarts: 0, runs });
                    Reply::Ok
                }
                None => Reply::Failed,
            },
            (_, None) => Reply::NotFound,
            (Ask::Terminate(_), Some(at)) => {
                self.children[at].runs = Runs::No;
                if self.children[at].spec.restart == Restart::Temporary {
                    self.children.remove(at);
                }
                Reply::Ok
            }
            (_, Some(_)) if runs => Reply::Running,
            (Ask::Restart(_), Some(at)) => {
                let started = start(&self.path, &self.children[at].spec, failures);
                match started {
                    Some(runs) => {
                        self.children[at].runs = runs;
                        Reply::Ok
                    }
                    None => Reply::Failed,
                }
            }
            (Ask::Delete(_), Some(at)) => {
                self.children.remove(at);
                Reply::Ok
            }
        }
    }

    /// Adds the paths of the supervisors, or of the workers, that run.
    fn running(&self, supervisors: bool, paths: &mut Vec<Path>) {
        for child in &self.children {
            match &child.runs {
                Runs::No => {}
                Runs::Worker if supervisors => {}
                Runs::Worker => paths.push(join(&self.path, child.spec.id)),
                Runs::Supervisor(model) => {
                    if supervisors {
                        paths.push(model.path.clone());
                    }
                    model.running(supervisors, paths);
                }
            }
        }
    }

    fn view(&self, views: &mut Vec<View>) {
        for child in &self.children {
            let path = join(&self.path, child.spec.id);
            views.push(View { path, runs: child.runs(), restarts: child.restarts });
            if let Runs::Supervisor(model) = &child.runs {
                model.view(views);
            }
        }
    }
}

/// A child as the test compares it.
#[derive(PartialEq, Eq, Debug)]
struct View {
    path: Path,
    runs: bool,
    restarts: u64,
}

fn reply_of<T>(result: Result<T, ChildError>) -> Reply {
    match result {
        Ok(_) => Reply::Ok,
        Err(ChildError::AlreadyStarted { .. }) => Reply::AlreadyStarted,
        Err(ChildError::AlreadyPresent { .. }) => Reply::AlreadyPresent,
        Err(ChildError::Running { .. }) => Reply::Running,
        Err(ChildError::NotFound { .. }) => Reply::NotFound,
        Err(ChildError::Failed { .. }) => Reply::Failed,
        Err(other) => panic!("{other}"),
    }
}

async fn ask(top: &ServerRef<Supervisor>, path: &Path, ask: &Ask, probes: &Probes) -> Reply {
    let id = |id: &u8| u32::from(*id);
    match ask {
        Ask::Start(child) => reply_of(top.start_child(spec(path, child, probes)).await),
        Ask::Terminate(child) => reply_of(top.terminate_child(id(child)).await),
        Ask::Restart(child) => reply_of(top.restart_child(id(child)).await),
        Ask::Delete(child) => reply_of(top.delete_child(id(child)).await),
    }
}

/// Returns the process of a child that runs.
async fn process(top: &ServerRef<Supervisor>, path: &[u8]) -> ServerRef<Supervisor> {
    let mut process = top.clone();
    for id in path {
        let children = process.which_children().await.unwrap();
        let id = id.to_string();
        let child = children.iter().find(|child| child.id.as_ref().unwrap() == &*id);
        process = ServerRef::pid(child.and_then(|child| child.pid()).expect("it runs"));
    }
    process
}

/// Lists the children of a supervisor and of those below it. `None` while some of them are being
/// started or ended.
fn views(
    top: ServerRef<Supervisor>,
    path: Path,
) -> Pin<Box<dyn Future<Output = Result<Option<Vec<View>>, CallError>> + Send>> {
    Box::pin(async move {
        // A request that changes children waits for a restart of a group.
        if let Err(ChildError::Call(ended)) = top.delete_child("nobody").await {
            return Err(ended);
        }
        let mut all = Vec::new();
        for child in top.which_children().await?.into_iter().rev() {
            let path = join(&path, child.id.as_ref().unwrap().as_str().parse().unwrap());
            let runs = match child.child {
                ChildState::Running(_) => true,
                ChildState::Stopped => false,
                _ => return Ok(None),
            };
            all.push(View { path: path.clone(), runs, restarts: child.restarts });
            if child.kind == supervisor::ChildType::Supervisor
                && let Some(pid) = child.pid()
            {
                let Some(below) = views(ServerRef::pid(pid), path).await? else { return Ok(None) };
                all.extend(below);
            }
        }
        Ok(Some(all))
    })
}

/// Waits until the children are those of the model.
async fn settle(top: &ServerRef<Supervisor>, expected: &[View], after: &Step) {
    let began = self_node().env().now();
    loop {
        let seen = views(top.clone(), Vec::new()).await;
        if matches!(&seen, Ok(Some(seen)) if *seen == expected) {
            return;
        }
        let waited = self_node().env().now().since(began);
        assert!(waited < LIMIT, "after {after:?}: {seen:?} instead of {expected:?}");
        yield_now().await;
    }
}

fn reason(orderly: bool) -> ExitReason {
    if orderly { ExitReason::Shutdown } else { ExitReason::Timeout }
}

/// The model and the real tree, which each step is done to.
struct Case {
    model: Model,
    failures: Failures,
    top: ServerRef<Supervisor>,
    probes: Probes,
}

impl Case {
    fn pick(&self, which: u8, supervisors: bool) -> Option<Path> {
        let mut paths = Vec::new();
        self.model.running(supervisors, &mut paths);
        (!paths.is_empty()).then(|| paths.swap_remove(usize::from(which) % paths.len()))
    }

    async fn step(&mut self, step: &Step) {
        let Case { model, failures, top, probes } = self;
        match step {
            Step::End(which, orderly) => {
                let Some(path) = self.pick(*which, false) else { return };
                let pid = process(&self.top, &path).await.whereis().unwrap();
                let watch = monitor(pid);
                send(pid, Stop(reason(*orderly)));
                receive! {
                    fika::Down { monitor, .. } if monitor == watch => {},
                    after LIMIT => panic!("the child does not end"),
                }
                self.ends(&path, *orderly);
            }
            Step::Stop(which, orderly) => {
                let Some(path) = self.pick(*which, true) else { return };
                let sup = process(&self.top, &path).await;
                sup.stop(reason(*orderly), Some(LIMIT)).await.unwrap();
                self.ends(&path, *orderly);
            }
            Step::Break(which, times) => {
                let Some(path) = self.pick(*which, false) else { return };
                self.probes.of(&path).failures.store(u32::from(*times), Ordering::SeqCst);
                self.failures.insert(path, u32::from(*times));
            }
            Step::Ask(which, request) => {
                let mut paths = vec![Path::new()];
                model.running(true, &mut paths);
                let path = paths.swap_remove(usize::from(*which) % paths.len());
                let expected =
                    model.below(&path, failures, |sup, failures| sup.ask(request, failures));
                let sup = process(top, &path).await;
                assert_eq!(ask(&sup, &path, request, probes).await, expected, "{path:?} {step:?}");
            }
        }
    }

    fn ends(&mut self, path: &Path, orderly: bool) {
        let (id, above) = path.split_last().expect("it is not the top");
        self.model.below(above, &mut self.failures, |sup, failures| {
            let at = sup.at(*id).expect("it runs");
            sup.end(at, orderly, failures);
        });
    }
}

async fn run(group: Group, steps: Vec<Step>) {
    trap_exit(true);
    let (probes, mut failures) = (Probes::default(), Failures::new());
    let top = start_group(Path::new(), group.clone(), probes.clone()).await.unwrap();
    let pid = top.whereis().unwrap();
    let model = Model::start(Path::new(), &group, &mut failures).expect("nothing fails yet");
    let mut case = Case { model, failures, top, probes };
    for step in &steps {
        case.step(step).await;
        if case.model.has_ended {
            break;
        }
        let mut expected = Vec::new();
        case.model.view(&mut expected);
        settle(&case.top, &expected, step).await;
        let mut workers = Vec::new();
        case.model.running(false, &mut workers);
        for (path, probe) in &*case.probes.0.lock() {
            let alive = probe.alive.load(Ordering::SeqCst);
            assert_eq!(alive, u32::from(workers.contains(path)), "{path:?} after {step:?}");
        }
    }
    if !case.model.has_ended {
        fika::exit_process(pid, ExitReason::Shutdown);
    }
    receive! {
        Exit { from, reason } if from == pid => assert_eq!(reason, ExitReason::Shutdown),
        after LIMIT => panic!("the supervisor does not end"),
    }
    for (path, probe) in &*case.probes.0.lock() {
        assert_eq!(probe.overlaps.load(Ordering::SeqCst), 0, "two incarnations of {path:?}");
        assert_eq!(probe.alive.load(Ordering::SeqCst), 0, "an orphan of {path:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// SUP-9 to SUP-19, SUP-24, SUP-26: the children are those of the model on each level, the
    /// intensity is exact, a child never has two processes at once, and no process is left at the
    /// end.
    #[test]
    fn a_tree_is_like_its_model(group in group(children(2)), steps in steps()) {
        let node = Node::builder().build().unwrap();
        node.block_on(run(group, steps));
        node.stop();
    }
}
