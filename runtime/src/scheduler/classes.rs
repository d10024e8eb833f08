//! The tasks of other than normal priority, in queues that all workers share.
//!
//! - *max* and *high* tasks run before all normal tasks.
//! - *low* tasks run when there is no other task, and at every [`LOW_EVERY`]th turn.
//! - While an urgent task waits for something that only a task of lower priority can do, the
//!   priorities take turns. So the lower task runs however busy the others are. All queues are
//!   helped, not the one task, since a queue can't be searched for it.
//!
//! In a program with normal tasks only, all of this costs one look at a word that never changes.
//!
//! Prior art: the run queues and `RESCHEDULE_LOW` of `erl_process.c`.

use super::{TaskId, retry};
use crate::priority::Priority;
use crate::sync::{AtomicU64, Injector, Ordering};

/// A low task has every 8th turn, as on the BEAM.
const LOW_EVERY: u32 = 8;

/// One request for help, in the upper half of `load`.
const HELPED: u64 = 1 << 32;

#[derive(Default)]
pub(super) struct Classes {
    /// The number of tasks in the queues and, in the upper half, the number of requests for help.
    load: AtomicU64,
    max: Injector<TaskId>,
    high: Injector<TaskId>,
    low: Injector<TaskId>,
}

impl Classes {
    fn queue(&self, priority: Priority) -> Option<&Injector<TaskId>> {
        match priority {
            Priority::Max => Some(&self.max),
            Priority::High => Some(&self.high),
            Priority::Normal => None,
            Priority::Low => Some(&self.low),
        }
    }

    /// Returns whether no task is queued here. Sequentially consistent with `push`, as `idle`
    /// requires.
    pub(super) fn is_empty(&self) -> bool {
        self.load.load(Ordering::SeqCst) as u32 == 0
    }

    /// Queues a task of other than normal priority. Returns whether it is the only one here.
    pub(super) fn push(&self, task: TaskId, priority: Priority) -> bool {
        // Counted before the task is queued: a worker that sees a count of zero does not look.
        let before = self.load.fetch_add(1, Ordering::SeqCst) as u32;
        self.queue(priority).expect("normal tasks have no queue here").push(task);
        before == 0
    }

    /// Returns the task that runs before the normal ones at this turn of a worker.
    pub(super) fn before_normal(&self, turn: u32) -> Option<TaskId> {
        let load = self.load.load(Ordering::Relaxed);
        if load as u32 == 0 {
            return None;
        }
        self.take(before_normal(turn, load >= HELPED))
    }

    /// Returns a task of any priority, for a worker that has no normal one.
    pub(super) fn any(&self) -> Option<TaskId> {
        if self.is_empty() {
            None
        } else {
            self.take(&[Priority::Max, Priority::High, Priority::Low])
        }
    }

    fn take(&self, order: &[Priority]) -> Option<TaskId> {
        let mut queues = order.iter().filter_map(|priority| self.queue(*priority));
        let task = queues.find_map(|queue| retry(|| queue.steal()))?;
        self.load.fetch_sub(1, Ordering::Relaxed);
        Some(task)
    }

    pub(super) fn begin_help(&self) {
        self.load.fetch_add(HELPED, Ordering::Relaxed);
    }

    pub(super) fn end_help(&self) {
        self.load.fetch_sub(HELPED, Ordering::Relaxed);
    }
}

/// Returns the queues that go before the normal tasks at this turn.
fn before_normal(turn: u32, helped: bool) -> &'static [Priority] {
    use Priority::{High, Low, Max};
    match (helped, turn % 4) {
        (true, 1) => &[],
        (true, 2) => &[Low],
        (true, 3) => &[High],
        _ if turn.is_multiple_of(LOW_EVERY) => &[Max, High, Low],
        _ => &[Max, High],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the order in which tasks of these priorities run, one each turn. Normal tasks are 0.
    fn order(classes: &Classes, tasks: &[(u32, Priority)], turns: u32) -> Vec<u32> {
        for (task, priority) in tasks {
            classes.push(TaskId::of(*task), *priority);
        }
        let index = |task: Option<TaskId>| task.map_or(0, TaskId::index);
        (1..=turns).map(|turn| index(classes.before_normal(turn))).collect()
    }

    #[test]
    fn urgent_tasks_go_first_and_low_tasks_every_eighth_turn() {
        use Priority::{High, Low, Max};
        let classes = Classes::default();
        assert!(classes.push(TaskId::of(9), High));
        assert!(!classes.is_empty());
        assert_eq!(classes.any().map(TaskId::index), Some(9));
        assert!(classes.is_empty() && classes.any().is_none());
        let tasks = [(1, Low), (2, Low), (3, High), (4, Max), (5, High), (6, Max)];
        let order = order(&classes, &tasks, 17);
        assert_eq!(order, [4, 6, 3, 5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0]);
        assert!(classes.is_empty());
    }

    #[test]
    fn during_help_all_priorities_have_turns() {
        use Priority::{High, Low, Max};
        let classes = Classes::default();
        classes.begin_help();
        let many = |from: u32, priority| (from..from + 4).map(move |task| (task, priority));
        let tasks: Vec<_> = many(10, Max).chain(many(20, High)).chain(many(30, Low)).collect();
        // At the last turn no high task is left, so the normal ones have that turn too.
        assert_eq!(order(&classes, &tasks, 8), [0, 30, 20, 10, 0, 31, 21, 11]);
        classes.end_help();
        assert_eq!(order(&classes, &[], 4), [12, 13, 22, 23]);
    }
}
