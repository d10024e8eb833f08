//! A node without threads, whose owner decides what runs next: the seam for simulators.
//!
//! The node only works in calls of its [`Stepper`], on the caller's thread. The stepper does not
//! know other nodes, and does not advance the clock.

use std::sync::Arc;
use std::time::Duration;

use crate::context;
use crate::node::{Inner, Work};
use crate::pid::Pid;
use crate::process::drop_each;
use crate::scheduler::{Origin, Ready, Runner as _, TaskId};

/// Runs a node that was made by [`build_stepped`](crate::NodeBuilder::build_stepped).
///
/// Dropping it ends the node at once, like a lost machine: no process runs again, but the
/// processes' values are dropped. Their destructors may still send to other nodes; the owner must
/// discard these signals.
pub struct Stepper(Arc<Inner>);

/// The result of a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// A process had a turn.
    Turn(Pid),
    /// A call of `spawn_blocking` ran.
    Blocking,
}

impl Stepper {
    pub(crate) fn new(node: Arc<Inner>) -> Stepper {
        Stepper(node)
    }

    /// Returns how many things are ready to run.
    #[must_use]
    pub fn ready(&self) -> usize {
        self.0.scheduler.by_steps().map_or(0, |stepped| stepped.len())
    }

    /// Returns the process whose turn this would be. `None` if it is not the turn of a process.
    #[must_use]
    pub fn next(&self, place: usize) -> Option<Pid> {
        Some(self.pid(self.0.scheduler.by_steps()?.task_at(place)?))
    }

    /// Runs one of the ready things, at any place below [`ready`](Stepper::ready), up to its next
    /// suspension point. Returns `None` if the place is not below `ready`.
    ///
    /// Output to other nodes is gathered until [`flush`](Stepper::flush).
    pub fn step(&self, place: usize) -> Option<Step> {
        Some(match self.0.scheduler.by_steps()?.take(place)? {
            Ready::Task(task) => {
                let pid = self.pid(task);
                self.enter(|| {
                    if let Some(priority) = Work(self.0.clone()).run(task, &Origin::default()) {
                        self.0.scheduler.inject(task, priority);
                    }
                });
                Step::Turn(pid)
            }
            Ready::Call(call) => {
                self.enter(call);
                Step::Blocking
            }
        })
    }

    fn pid(&self, task: TaskId) -> Pid {
        Pid::new(self.0.id, self.0.table.at(task).id())
    }

    /// Runs `work` as one of the node's workers would, for example the handler of a socket.
    pub fn enter(&self, work: impl FnOnce()) {
        context::enter_node(&self.0, work);
    }

    /// Fires the timers that are due. Returns the time until the next ones are due.
    pub fn fire_timers(&self) -> Option<Duration> {
        let mut left = None;
        self.enter(|| left = Work(self.0.clone()).before_sleep());
        left
    }

    /// Sends the gathered output to other nodes.
    pub fn flush(&self) {
        self.enter(|| Work(self.0.clone()).turn_end());
    }

    /// Ends the node at once, as dropping it does.
    pub fn crash(self) {}
}

impl Drop for Stepper {
    fn drop(&mut self) {
        self.enter(|| {
            // No more steps are made, so no process is being polled.
            self.0.stop_now();
            // Drops the blocking calls that did not run.
            if let Some(stepped) = self.0.scheduler.by_steps() {
                drop_each(std::iter::from_fn(|| stepped.take(0)));
            }
        });
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
pub(crate) mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::SystemTime;

    use super::*;
    use crate::{Env, Node, Time, self_pid, send, sleep, spawn, spawn_blocking};
    use fika_macros::receive;

    /// A clock that the test moves.
    #[derive(Default)]
    pub(crate) struct Clock(AtomicU64);

    impl Clock {
        pub(crate) fn forward(&self, time: Duration) {
            self.0.fetch_add(u64::try_from(time.as_nanos()).unwrap(), Ordering::Relaxed);
        }
    }

    impl Env for Clock {
        fn now(&self) -> Time {
            Time::new(Duration::from_nanos(self.0.load(Ordering::Relaxed)))
        }

        fn wall(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH + self.now().since_start()
        }

        fn random(&self) -> u64 {
            7
        }

        fn secure_random(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    fn node() -> (Node, Stepper, Arc<Clock>) {
        let clock = Arc::new(Clock::default());
        let (node, stepper) = Node::builder().env(clock.clone()).build_stepped().unwrap();
        (node, stepper, clock)
    }

    #[test]
    fn a_stepped_node_runs_only_by_steps() {
        let (node, stepper, clock) = node();
        let seen = Arc::new(AtomicU64::new(0));
        let sees = seen.clone();
        let pid = node.spawn(async move {
            let me = self_pid();
            spawn(async move { send(me, 1_u64) });
            receive! { n: u64 => drop(sees.fetch_add(n, Ordering::Relaxed)) }
            sleep(Duration::from_secs(60)).await;
            let n = spawn_blocking(|| 10_u64).await;
            sees.fetch_add(n, Ordering::Relaxed);
        });
        assert_eq!((stepper.ready(), stepper.step(1)), (1, None));
        assert_eq!((stepper.next(0), stepper.next(1)), (pid, None));
        assert_eq!(stepper.step(0), pid.map(Step::Turn));
        assert_eq!(seen.load(Ordering::Relaxed), 0);
        // Runs the child, and what it has woken.
        while stepper.ready() > 0 {
            stepper.step(0);
        }
        assert_eq!(seen.load(Ordering::Relaxed), 1);
        let left = stepper.fire_timers().unwrap();
        assert!(left >= Duration::from_secs(60) && stepper.ready() == 0);
        clock.0.fetch_add(u64::try_from(left.as_nanos()).unwrap(), Ordering::Relaxed);
        assert_eq!((stepper.fire_timers(), stepper.ready()), (None, 1));
        assert_eq!(stepper.step(0), pid.map(Step::Turn));
        assert_eq!((stepper.step(0), seen.load(Ordering::Relaxed)), (Some(Step::Blocking), 1));
        assert_eq!(stepper.step(0), pid.map(Step::Turn));
        assert_eq!((seen.load(Ordering::Relaxed), node.process_count()), (11, 0));
    }

    #[test]
    fn a_crash_drops_all_processes() {
        struct Held(Arc<AtomicU64>);
        impl Drop for Held {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let (node, stepper, _) = node();
        let dropped = Arc::new(AtomicU64::new(0));
        for _ in 0..10 {
            let held = Held(dropped.clone());
            node.spawn(async move {
                let _held = held;
                std::future::pending::<()>().await;
            });
        }
        stepper.step(3);
        stepper.crash();
        assert_eq!((dropped.load(Ordering::Relaxed), node.process_count()), (10, 0));
        assert_eq!(node.spawn(async {}), None);
    }

    /// A process that uses its memory at every poll.
    async fn uses_memory() {
        let mut memory = Box::new([0_u8; 8]);
        loop {
            memory.iter_mut().for_each(|byte| *byte = byte.wrapping_add(1));
            crate::yield_now().await;
        }
    }

    /// For miri: the stop does not touch a process that is being polled.
    #[test]
    #[allow(clippy::disallowed_methods, reason = "threads beside the node")]
    fn threads_stop_a_node_during_a_step() {
        let (node, stepper, _) = node();
        let pids: Vec<_> = (0..3).map(|_| node.spawn(uses_memory()).unwrap()).collect();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let node = node.clone();
                scope.spawn(move || (0..3).for_each(|_| assert!(!node.stop())));
            }
            // At a changing place, since a new process is the last one.
            for turn in 0_usize.. {
                if !pids.iter().any(|pid| node.is_alive(*pid)) {
                    break;
                }
                stepper.step(turn % stepper.ready().max(1));
            }
        });
        while stepper.ready() > 0 {
            stepper.step(0);
        }
        assert_eq!((node.process_count(), node.spawn(async {})), (0, None));
        drop(stepper);
        node.run_until_stopped().wait();
    }

    /// For miri: neither does it if the node's process drives another node, whose process requests
    /// the stop.
    #[test]
    fn a_process_of_an_inner_node_stops_the_outer_one() {
        let (outer, outer_steps, _) = node();
        let stops = outer.clone();
        let pid = outer.spawn(async move {
            let mut memory = Box::new([0_u8; 8]);
            let (inner, steps, _) = node();
            let me = self_pid();
            inner.spawn(async move {
                assert!(!stops.stop());
                assert_ne!(self_pid(), me);
            });
            steps.enter(|| assert!(context::try_process(|_| ()).is_none()));
            while steps.ready() > 0 {
                steps.step(0);
            }
            assert_eq!(inner.process_count(), 0);
            assert_eq!(self_pid(), me);
            memory.iter_mut().for_each(|byte| *byte += 1);
            std::future::pending::<()>().await;
        });
        while outer_steps.ready() > 0 {
            outer_steps.step(0);
        }
        assert!(!outer.is_alive(pid.unwrap()));
    }

    /// After a panic, the thread is no longer in the node.
    #[test]
    fn a_panic_resets_the_threads_current_node() {
        let (node, stepper, _) = node();
        let left = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            stepper.enter(|| std::panic::resume_unwind(Box::new("x")));
        }));
        assert!(left.is_err());
        drop((node, stepper));
        assert!(context::try_node(|_| ()).is_none());
    }

    /// A node that was never stopped drops its processes one at a time.
    #[test]
    fn dropping_the_stepper_ends_the_node() {
        struct Loud(Arc<AtomicU64>);
        impl Drop for Loud {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::Relaxed);
                std::panic::resume_unwind(Box::new("a destructor"));
            }
        }
        let (node, stepper, _) = node();
        let dropped = Arc::new(AtomicU64::new(0));
        for _ in 0..3 {
            let (held, call) = (Loud(dropped.clone()), Loud(dropped.clone()));
            node.spawn(async move {
                let _held = held;
                drop(spawn_blocking(move || drop(call)));
                std::future::pending::<()>().await;
            });
        }
        let next = || (0..stepper.ready()).find(|place| stepper.next(*place).is_some());
        while let Some(place) = next() {
            stepper.step(place);
        }
        drop(stepper);
        assert_eq!((dropped.load(Ordering::Relaxed), node.process_count()), (6, 0));
    }
}
