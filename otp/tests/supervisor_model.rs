//! Random requests, ends and failing starts, against a small model of a supervisor.

extern crate fika_runtime as fika;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fika::{Exit, ExitReason, Node, Pid, exit, monitor, send, spawn_link, trap_exit};
use fika_macros::{Message, receive};
use fika_otp::supervisor::{
    self, ChildError, ChildSpec, ChildState, Restart, Strategy, SupFlags, Supervisor,
};
use fika_otp::{ServerRef, Start, StartError};
use proptest::prelude::{Just, ProptestConfig, any, prop_oneof, proptest};
use proptest::strategy::Strategy as Strategy_;

const LIMIT: Duration = Duration::from_secs(20);

#[derive(Message)]
#[message(local)]
struct Stop(ExitReason);

/// The behaviour of one child, and the counts that the test checks.
#[derive(Default)]
struct Probe {
    /// How many of the next starts fail.
    failures: AtomicU32,
    /// The processes of the child that live.
    alive: AtomicU32,
    /// How often a start began while an earlier process lived.
    overlaps: AtomicU32,
}

/// Counts a process until its future has been dropped.
struct Alive(Arc<Probe>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

fn spec(id: u8, restart: Restart, probe: &Arc<Probe>) -> ChildSpec {
    let probe = probe.clone();
    let start = move || {
        let probe = probe.clone();
        async move {
            if probe.alive.load(Ordering::SeqCst) > 0 {
                probe.overlaps.fetch_add(1, Ordering::SeqCst);
            }
            let fails = |left: u32| left.checked_sub(1);
            if probe.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails).is_ok() {
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
    ChildSpec::new(u32::from(id), start).restart(restart)
}

#[derive(Clone, Debug)]
enum Step {
    End(u8, bool),
    Start(u8, Restart),
    Terminate(u8),
    RestartChild(u8),
    Delete(u8),
    /// The next starts of the child fail.
    Break(u8, u8),
}

fn steps() -> impl Strategy_<Value = Vec<Step>> {
    let id = || 0..6_u8;
    let restart = prop_oneof![
        3 => Just(Restart::Permanent),
        2 => Just(Restart::Transient),
        1 => Just(Restart::Temporary),
    ];
    let step = prop_oneof![
        4 => (id(), any::<bool>()).prop_map(|(id, orderly)| Step::End(id, orderly)),
        4 => (id(), restart).prop_map(|(id, restart)| Step::Start(id, restart)),
        1 => id().prop_map(Step::Terminate),
        2 => id().prop_map(Step::RestartChild),
        1 => id().prop_map(Step::Delete),
        2 => (id(), 1..3_u8).prop_map(|(id, times)| Step::Break(id, times)),
    ];
    proptest::collection::vec(step, 1..40)
}

/// A supervisor as a list.
struct Model {
    strategy: Strategy,
    restarts_left: u32,
    children: Vec<(u8, Restart, bool)>,
    failures: HashMap<u8, u32>,
    ended: bool,
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

impl Model {
    fn at(&self, id: u8) -> Option<usize> {
        self.children.iter().position(|child| child.0 == id)
    }

    /// Starts a child. `false` if that fails.
    fn start(&mut self, id: u8) -> bool {
        match self.failures.get_mut(&id) {
            Some(left) if *left > 0 => {
                *left -= 1;
                false
            }
            _ => true,
        }
    }

    fn end(&mut self, at: usize, orderly: bool) {
        match self.children[at].1 {
            Restart::Temporary => {
                self.children.remove(at);
            }
            Restart::Transient if orderly => self.children[at].2 = false,
            _ => {
                let id = self.children[at].0;
                self.children[at].2 = false;
                self.restart(id);
            }
        }
    }

    fn restart(&mut self, mut id: u8) {
        'again: loop {
            if self.restarts_left == 0 {
                self.ended = true;
                return;
            }
            self.restarts_left -= 1;
            let at = self.at(id).expect("it is not temporary");
            let from = if self.strategy == Strategy::OneForAll { 0 } else { at };
            let group: Vec<u8> = match self.strategy {
                Strategy::OneForOne => vec![id],
                _ => self.children[from..].iter().map(|child| child.0).collect(),
            };
            self.children.retain(|(other, restart, _)| {
                *other == id || *restart != Restart::Temporary || !group.contains(other)
            });
            let group: Vec<u8> = group.into_iter().filter(|id| self.at(*id).is_some()).collect();
            for member in &group {
                let at = self.at(*member).expect("it was kept");
                self.children[at].2 = false;
            }
            for member in group {
                if !self.start(member) {
                    id = member;
                    continue 'again;
                }
                let at = self.at(member).expect("it was kept");
                self.children[at].2 = true;
            }
            return;
        }
    }

    fn step(&mut self, step: &Step) -> Option<Reply> {
        let at = |id: &u8| self.at(*id);
        let reply = match step {
            Step::Break(id, times) => {
                self.failures.insert(*id, u32::from(*times));
                return None;
            }
            Step::End(id, orderly) => {
                if let Some(at) = at(id).filter(|at| self.children[*at].2) {
                    self.end(at, *orderly);
                }
                return None;
            }
            Step::Start(id, restart) => match at(id) {
                Some(at) if self.children[at].2 => Reply::AlreadyStarted,
                Some(_) => Reply::AlreadyPresent,
                None if self.start(*id) => {
                    self.children.push((*id, *restart, true));
                    Reply::Ok
                }
                None => Reply::Failed,
            },
            Step::Terminate(id) => match at(id) {
                None => Reply::NotFound,
                Some(at) => {
                    self.children[at].2 = false;
                    if self.children[at].1 == Restart::Temporary {
                        self.children.remove(at);
                    }
                    Reply::Ok
                }
            },
            Step::RestartChild(id) => match at(id) {
                None => Reply::NotFound,
                Some(at) if self.children[at].2 => Reply::Running,
                Some(at) => {
                    let started = self.start(*id);
                    self.children[at].2 = started;
                    if started { Reply::Ok } else { Reply::Failed }
                }
            },
            Step::Delete(id) => match at(id) {
                None => Reply::NotFound,
                Some(at) if self.children[at].2 => Reply::Running,
                Some(at) => {
                    self.children.remove(at);
                    Reply::Ok
                }
            },
        };
        Some(reply)
    }
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

async fn perform(top: &ServerRef<Supervisor>, step: &Step, probes: &[Arc<Probe>]) -> Option<Reply> {
    let id = |id: &u8| u32::from(*id);
    match step {
        Step::Break(id, times) => {
            probes[usize::from(*id)].failures.store(u32::from(*times), Ordering::SeqCst);
            None
        }
        Step::End(child, orderly) => {
            let children = top.which_children().await.unwrap();
            let id = child.to_string();
            let child = children.iter().find(|child| child.id.as_ref().unwrap() == &*id);
            if let Some(pid) = child.and_then(|child| child.pid()) {
                end(pid, *orderly).await;
            }
            None
        }
        Step::Start(child, restart) => {
            let spec = spec(*child, *restart, &probes[usize::from(*child)]);
            Some(reply_of(top.start_child(spec).await))
        }
        Step::Terminate(child) => Some(reply_of(top.terminate_child(id(child)).await)),
        Step::RestartChild(child) => Some(reply_of(top.restart_child(id(child)).await)),
        Step::Delete(child) => Some(reply_of(top.delete_child(id(child)).await)),
    }
}

async fn end(pid: Pid, orderly: bool) {
    let watch = monitor(pid);
    let reason = if orderly { ExitReason::Shutdown } else { ExitReason::Timeout };
    send(pid, Stop(reason));
    receive! {
        fika::Down { monitor, .. } if monitor == watch => {},
        after LIMIT => panic!("the child does not end"),
    }
}

/// Returns the children after all starts and ends are over.
async fn settled(top: &ServerRef<Supervisor>) -> Vec<(u8, bool)> {
    loop {
        // A request that changes children waits for a restart of a group.
        let _ = top.delete_child("nobody").await;
        let children = top.which_children().await.unwrap();
        let is_settled =
            |child: &ChildState| matches!(child, ChildState::Running(_) | ChildState::Stopped);
        if children.iter().all(|child| is_settled(&child.child)) {
            let children = children.into_iter().rev();
            return children
                .map(|child| {
                    (child.id.as_ref().unwrap().as_str().parse().unwrap(), child.pid().is_some())
                })
                .collect();
        }
    }
}

async fn run(strategy: Strategy, intensity: u32, steps: Vec<Step>) {
    trap_exit(true);
    let probes: Vec<Arc<Probe>> = (0..6).map(|_| Arc::default()).collect();
    let flags = SupFlags::new(strategy).intensity(intensity).period(Duration::from_secs(100_000));
    let specs = [0, 1, 2].map(|id| spec(id, Restart::Permanent, &probes[usize::from(id)]));
    let top = supervisor::start_link(Start::new(), flags, specs).await.unwrap();
    let pid = top.whereis().unwrap();
    let mut model = Model {
        strategy,
        restarts_left: intensity,
        children: [0, 1, 2].map(|id| (id, Restart::Permanent, true)).into(),
        failures: HashMap::new(),
        ended: false,
    };
    for step in &steps {
        let (expected, seen) = (model.step(step), perform(&top, step, &probes).await);
        assert_eq!(seen, expected, "{step:?}");
        if model.ended {
            break;
        }
        let expected: Vec<(u8, bool)> =
            model.children.iter().map(|(id, _, runs)| (*id, *runs)).collect();
        assert_eq!(settled(&top).await, expected, "after {step:?}");
        for (id, runs) in expected {
            let alive = probes[usize::from(id)].alive.load(Ordering::SeqCst);
            assert_eq!(alive, u32::from(runs), "processes of {id} after {step:?}");
        }
    }
    if !model.ended {
        fika::exit_process(pid, ExitReason::Shutdown);
    }
    receive! {
        Exit { from, reason } if from == pid => assert_eq!(reason, ExitReason::Shutdown),
        after LIMIT => panic!("the supervisor does not end"),
    }
    for (id, probe) in probes.iter().enumerate() {
        assert_eq!(probe.overlaps.load(Ordering::SeqCst), 0, "two incarnations of {id}");
        assert_eq!(probe.alive.load(Ordering::SeqCst), 0, "an orphan of {id}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    /// SUP-9 to SUP-19: the children are those of the model, the intensity is exact, a child never
    /// has two processes at once, and no process is left at the end.
    #[test]
    fn a_supervisor_is_like_its_model(
        strategy in prop_oneof![
            Just(Strategy::OneForOne), Just(Strategy::OneForAll), Just(Strategy::RestForOne),
        ],
        intensity in prop_oneof![0..5_u32, Just(1000)],
        steps in steps(),
    ) {
        let node = Node::builder().build().unwrap();
        node.block_on(run(strategy, intensity, steps));
        node.stop();
    }
}
