//! The threads that a node has besides its workers, for blocking calls, and what happens when the
//! system refuses one.

use std::time::Duration;

use super::Inner;
use crate::process::{Action, Blocking};
use crate::scheduler::{BLOCKING, BlockingPool, Job, LOOKUP, Ready, Urgency};
use crate::sync::{AtomicBool, Ordering};

/// The largest number of calls of `spawn_blocking` that run at the same time; further calls wait.
/// tokio has the same limit: enough for any disk, and not too many stacks.
const BLOCKING_MAX: usize = 512;

/// The largest number of blocking calls of the node's own services that run at the same time. These
/// are look-ups of hosts, and calls of a resolver. A peer can cause them by naming nodes. A look-up
/// that gets no answer occupies a thread until the system gives up.
const LOOKUPS_MAX: usize = 16;

/// How long to wait before trying again to start a thread that the system has refused.
const THREAD_RETRY: Duration = Duration::from_millis(100);

/// The pools of a node.
pub(crate) struct Threads {
    /// Calls of the program.
    program: BlockingPool,
    /// Calls of the node's services. Their pool is separate, so that they and the program's calls
    /// do not delay each other.
    services: BlockingPool,
    /// Whether the timer that retries to start threads is running.
    retries: AtomicBool,
}

impl Threads {
    pub(super) fn new() -> Threads {
        Threads {
            program: BlockingPool::new(BLOCKING, BLOCKING_MAX),
            services: BlockingPool::new(LOOKUP, LOOKUPS_MAX),
            retries: AtomicBool::new(false),
        }
    }

    /// Stops both pools. Returns the calls that have not begun.
    pub(crate) fn stop(&self) -> impl Iterator<Item = Job> {
        self.program.stop().chain(self.services.stop())
    }
}

/// Runs a blocking call, outside of all processes.
///
/// # Errors
/// Returns the call if the system refuses a thread for it.
pub(crate) fn run_blocking(node: &Inner, kind: Blocking, call: Job) -> Result<(), Job> {
    let lacks_thread = match (node.scheduler.by_steps(), kind) {
        (Some(stepped), _) => {
            stepped.push(Ready::Call(call));
            return Ok(());
        }
        (None, Blocking::Program) => node.threads.program.run(call, Urgency::Prompt),
        (None, Blocking::Service(urgency)) => node.threads.services.run(call, urgency),
    };
    if lacks_thread? {
        thread_is_missing(node);
    }
    Ok(())
}

/// Retries after a moment to start a thread that the system has refused.
pub(crate) fn thread_is_missing(node: &Inner) {
    if !node.threads.retries.swap(true, Ordering::SeqCst) {
        let now = node.env.now();
        node.start_timer_at(now, now + THREAD_RETRY, |_| Action::RetryThreads);
    }
}

/// Retries to start the threads that the system has refused.
pub(crate) fn retry_threads(node: &Inner) {
    // Cleared before the pools are asked: if a thread is missing after this, the timer is started
    // again.
    node.threads.retries.store(false, Ordering::SeqCst);
    let Threads { program, services, .. } = &node.threads;
    let missing = [program.retry(), services.retry(), node.retry_stop()];
    if missing.contains(&true) {
        thread_is_missing(node);
    }
}
