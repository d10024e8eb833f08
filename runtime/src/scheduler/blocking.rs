//! Threads for calls that block: as many as there are such calls, up to a bound.
//!
//! A thread that the system refuses does no harm while the pool has another one: that takes the
//! call when it has ended its own, and asks for the missing thread again. Only where there is no
//! thread at all the call is given back.
//!
//! A job must not panic.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// A thread without work ends after this time.
const LINGER: Duration = Duration::from_secs(10);

pub(crate) type Job = Box<dyn FnOnce() + Send>;

pub(crate) struct BlockingPool(Arc<Shared>);

struct Shared {
    /// The name of the threads.
    name: &'static str,
    threads_max: usize,
    state: Mutex<State>,
    /// A job was queued, or the pool was stopped.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    threads: usize,
    /// Threads that wait for a job, those included that were woken for one and have not run yet.
    idle: usize,
    is_stopped: bool,
}

impl BlockingPool {
    /// A pool of at most `threads_max` threads; further jobs wait.
    pub(crate) fn new(name: &'static str, threads_max: usize) -> BlockingPool {
        let (state, changed) = (Mutex::default(), Condvar::new());
        BlockingPool(Arc::new(Shared { name, threads_max, state, changed }))
    }

    /// Runs `job` on a thread of the pool. After `stop` it is dropped.
    ///
    /// # Errors
    /// With the job if the pool has no thread and the system gives none.
    pub(crate) fn run(&self, job: Job) -> Result<(), Job> {
        let mut state = self.0.state.lock();
        if state.is_stopped {
            drop(state);
            drop(job);
            return Ok(());
        }
        state.queue.push_back(job);
        self.0.staff(&mut state);
        if state.threads > 0 {
            return Ok(());
        }
        Err(state.queue.pop_back().expect("it was queued above, under the same lock"))
    }

    /// Ends the threads as soon as their present jobs are done. Returns the jobs that have not
    /// begun, and never will.
    pub(crate) fn stop(&self) -> impl Iterator<Item = Job> + use<> {
        let mut state = self.0.state.lock();
        state.is_stopped = true;
        self.0.changed.notify_all();
        std::mem::take(&mut state.queue).into_iter()
    }
}

/// A pool that is forgotten has nobody who could stop its threads.
impl Drop for BlockingPool {
    fn drop(&mut self) {
        drop(self.stop());
    }
}

impl Shared {
    /// Sees to it that there is a thread for each queued job, as far as that is possible.
    fn staff(self: &Arc<Self>, state: &mut State) {
        if state.queue.is_empty() {
            return;
        }
        if state.queue.len() <= state.idle {
            self.changed.notify_one();
        } else if state.threads < self.threads_max {
            match self.start_thread() {
                Ok(()) => state.threads += 1,
                Err(error) => {
                    let Self { name, .. } = &**self;
                    tracing::debug!(%error, name, "no thread can be started for a blocking call");
                }
            }
        }
    }

    #[allow(clippy::disallowed_methods, reason = "the threads of a node")]
    fn start_thread(self: &Arc<Self>) -> std::io::Result<()> {
        let shared = self.clone();
        let thread = std::thread::Builder::new().name(self.name.into());
        thread.spawn(move || shared.work()).map(drop)
    }

    /// A thread's `main`.
    fn work(self: &Arc<Self>) {
        let mut state = self.state.lock();
        loop {
            while let Some(job) = state.queue.pop_front() {
                // Others may wait because they were refused a thread.
                self.staff(&mut state);
                drop(state);
                job();
                state = self.state.lock();
            }
            if state.is_stopped {
                break;
            }
            state.idle += 1;
            let is_over = self.changed.wait_for(&mut state, LINGER).timed_out();
            state.idle -= 1;
            if is_over && state.queue.is_empty() {
                break;
            }
        }
        state.threads -= 1;
    }
}
