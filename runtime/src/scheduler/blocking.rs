//! Threads for calls that block: as many as there are such calls, up to a bound.
//!
//! If the system refuses a thread, nothing is lost while the pool has another one: that thread
//! takes the call when it has finished its own, and tries again to start the missing thread. Only
//! if the pool has no thread at all is the call given back.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::contain::contained;

/// A thread without work ends after this time.
const LINGER: Duration = Duration::from_secs(10);

/// The name of the threads that run the program's blocking calls.
pub(crate) const BLOCKING: &str = "fika blocking";
pub(crate) const LOOKUP: &str = "fika lookup";

/// Returns whether the calling thread belongs to a pool.
pub(crate) fn is_blocking_thread() -> bool {
    matches!(std::thread::current().name(), Some(BLOCKING | LOOKUP))
}

pub(crate) type Job = Box<dyn FnOnce() + Send>;

pub(crate) struct BlockingPool(Arc<Shared>);

struct Shared {
    name: &'static str,
    threads_max: usize,
    state: Mutex<State>,
    /// Signalled when a job is queued or the pool is stopped.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    threads: usize,
    /// Threads that wait for a job, including those that were woken for one but have not run yet.
    idle: usize,
    is_stopped: bool,
}

impl BlockingPool {
    /// Makes a pool of at most `threads_max` threads; further jobs wait.
    pub(crate) fn new(name: &'static str, threads_max: usize) -> BlockingPool {
        let (state, changed) = (Mutex::default(), Condvar::new());
        BlockingPool(Arc::new(Shared { name, threads_max, state, changed }))
    }

    /// Runs `job` on a thread of the pool. After `stop` the job is dropped.
    ///
    /// # Errors
    /// Returns the job if the pool has no thread and the system refuses one.
    pub(crate) fn run(&self, job: Job) -> Result<(), Job> {
        let mut state = self.0.state.lock();
        if state.is_stopped {
            drop(state);
            drop(job);
            return Ok(());
        }
        state.queue.push_back(job);
        let refused = self.0.staff(&mut state);
        let job = match state.threads {
            0 => state.queue.pop_back(),
            _ => None,
        };
        drop(state);
        self.0.report(refused);
        job.map_or(Ok(()), Err)
    }

    /// Ends the threads when their current jobs are done. Returns the jobs that have not begun;
    /// they will not run.
    pub(crate) fn stop(&self) -> impl Iterator<Item = Job> + use<> {
        let mut state = self.0.state.lock();
        state.is_stopped = true;
        self.0.changed.notify_all();
        std::mem::take(&mut state.queue).into_iter()
    }
}

/// Dropping a pool stops its threads.
impl Drop for BlockingPool {
    fn drop(&mut self) {
        for job in self.stop() {
            // What the job holds is the program's.
            contained(|| drop(job));
        }
    }
}

impl Shared {
    /// Provides a thread for each queued job, as far as possible.
    /// Returns the error of a thread that the system refuses.
    #[must_use]
    fn staff(self: &Arc<Self>, state: &mut State) -> Option<io::Error> {
        if state.queue.is_empty() {
            return None;
        }
        if state.queue.len() <= state.idle {
            self.changed.notify_one();
        } else if state.threads < self.threads_max {
            match self.start_thread() {
                Ok(()) => state.threads += 1,
                Err(error) => return Some(error),
            }
        }
        None
    }

    /// Reports a thread that the system refused. Not under the lock, since the subscriber may use
    /// the pool.
    fn report(&self, refused: Option<io::Error>) {
        if let Some(error) = refused {
            let name = self.name;
            // The thread of the pool would end in a panic of the subscriber.
            contained(|| {
                tracing::debug!(%error, name, "no thread can be started for a blocking call");
            });
        }
    }

    #[allow(clippy::disallowed_methods, reason = "the threads of a node")]
    fn start_thread(self: &Arc<Self>) -> io::Result<()> {
        let shared = self.clone();
        let thread = std::thread::Builder::new().name(self.name.into());
        thread.spawn(move || shared.work()).map(drop)
    }

    fn work(self: &Arc<Self>) {
        let mut state = self.state.lock();
        loop {
            while let Some(job) = state.queue.pop_front() {
                // More jobs may be queued because the system refused threads for them.
                let refused = self.staff(&mut state);
                drop(state);
                self.report(refused);
                contained(job);
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
