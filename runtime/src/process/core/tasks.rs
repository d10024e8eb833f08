//! Tasks inside a process's future that wait for signals.

use std::task::{Context, Waker};

use super::control::Control;
use crate::contain::wake;

impl Control {
    /// Wakes the task that is being polled when a signal arrives. The process itself is polled then
    /// anyway. But if the process's future polls several tasks, as a `FuturesUnordered` does, it
    /// has to learn which task to poll.
    #[inline]
    pub(in crate::process) fn wakes_with_signals(&self, context: &Context<'_>) {
        if !self.is_own_waker(context.waker()) {
            self.adds_task(context);
        }
    }

    /// Returns whether this waker is the process's own, and not that of a task inside its future.
    #[inline]
    pub(in crate::process) fn is_own_waker(&self, waker: &Waker) -> bool {
        // `will_wake` would compare the tables of functions as well, of which the compiler may make
        // several copies.
        waker.data() == self.slot.waker().data()
    }

    #[cold]
    fn adds_task(&self, context: &Context<'_>) {
        let waker = context.waker().clone();
        let tasks = &mut *self.extras().tasks.borrow_mut();
        if !tasks.iter().any(|task| task.will_wake(context.waker())) {
            tasks.push(waker);
        }
        self.has_tasks.set(true);
    }

    /// Wakes the tasks that wait for signals, before the process is polled.
    #[cold]
    pub(in crate::process) fn wake_tasks(&self) {
        self.has_tasks.set(false);
        let tasks = self.extras().tasks.take();
        tasks.into_iter().for_each(wake);
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Wake;

    use super::*;
    use crate::node::Node;
    use crate::process::{hibernate, self_pid, send, yield_now};

    struct Task(AtomicBool);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_task_that_waits_for_signals_is_woken() {
        let node = Node::builder().workers(1).build().unwrap();
        node.block_on(async {
            let task = Arc::new(Task(AtomicBool::new(false)));
            let waker = Waker::from(task.clone());
            let mut wait = pin!(hibernate());
            assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            assert!(!task.0.load(Ordering::SeqCst));
            send(self_pid(), 1_u64);
            yield_now().await;
            assert!(task.0.load(Ordering::SeqCst));
            assert!(wait.poll(&mut Context::from_waker(&waker)).is_ready());
        });
        node.stop();
    }
}
