//! Threads for blocking calls: one for each call, up to a limit.
//!
//! If the system refuses a thread while the pool has others, no call is lost. A thread of the pool
//! takes the call when it has finished its own, and retries to start the missing thread. The node
//! retries too, after some time ([`BlockingPool::retry`]), since the other call may never end. The
//! call is only returned to its caller if the pool has no thread at all.
//!
//! Jobs that can wait ([`Urgency::Patient`]) get at most half of the threads. So they don't delay
//! the others, even if none of them ever ends.

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

/// Whether a job may use all threads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Urgency {
    Prompt,
    Patient,
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
    /// The queued patient jobs.
    patient: VecDeque<Job>,
    /// The number of running patient jobs.
    patient_running: usize,
    threads: usize,
    /// Threads that wait for a job, including those that were woken for one but have not run yet.
    idle: usize,
    is_stopped: bool,
}

impl BlockingPool {
    /// Makes a pool of at most `threads_max` threads. Further jobs wait.
    pub(crate) fn new(name: &'static str, threads_max: usize) -> BlockingPool {
        let (state, changed) = (Mutex::default(), Condvar::new());
        BlockingPool(Arc::new(Shared { name, threads_max, state, changed }))
    }

    /// Runs `job` on a thread of the pool. Returns whether a thread is missing. If so, the caller
    /// calls `retry` later. After `stop` the job is dropped.
    ///
    /// # Errors
    /// Returns the job if the pool has no thread and the system refuses one.
    pub(crate) fn run(&self, job: Job, urgency: Urgency) -> Result<bool, Job> {
        let mut state = self.0.state.lock();
        if state.is_stopped {
            drop(state);
            drop(job);
            return Ok(false);
        }
        state.queue_of(urgency).push_back(job);
        let refused = self.0.staff(&mut state);
        let job = match state.threads {
            0 => state.queue_of(urgency).pop_back(),
            _ => None,
        };
        drop(state);
        let is_missing = refused.is_some();
        self.0.report(refused);
        job.map_or(Ok(is_missing), Err)
    }

    /// Retries to start a missing thread, which then tries to start the next one. Returns whether
    /// the system refuses it again.
    pub(crate) fn retry(&self) -> bool {
        let refused = self.0.staff(&mut self.0.state.lock());
        let is_missing = refused.is_some();
        self.0.report(refused);
        is_missing
    }

    /// Ends the threads when their current jobs are done. Returns the jobs that have not begun;
    /// they will not run.
    pub(crate) fn stop(&self) -> impl Iterator<Item = Job> + use<> {
        let mut state = self.0.state.lock();
        state.is_stopped = true;
        self.0.changed.notify_all();
        let patient = std::mem::take(&mut state.patient);
        std::mem::take(&mut state.queue).into_iter().chain(patient)
    }
}

/// Dropping a pool stops its threads.
impl Drop for BlockingPool {
    fn drop(&mut self) {
        for job in self.stop() {
            // The program's code runs when the job is dropped.
            contained(|| drop(job));
        }
    }
}

impl State {
    fn queue_of(&mut self, urgency: Urgency) -> &mut VecDeque<Job> {
        match urgency {
            Urgency::Prompt => &mut self.queue,
            Urgency::Patient => &mut self.patient,
        }
    }
}

impl Shared {
    /// Returns how many more patient jobs may run.
    fn patient_free(&self, state: &State) -> usize {
        (self.threads_max / 2).saturating_sub(state.patient_running)
    }

    fn next(&self, state: &mut State) -> Option<(Job, Urgency)> {
        if let Some(job) = state.queue.pop_front() {
            return Some((job, Urgency::Prompt));
        }
        if self.patient_free(state) == 0 {
            return None;
        }
        let job = state.patient.pop_front()?;
        state.patient_running += 1;
        Some((job, Urgency::Patient))
    }

    /// Starts a thread for each queued job, as far as possible. Returns the error if the system
    /// refuses a thread.
    #[must_use]
    fn staff(self: &Arc<Self>, state: &mut State) -> Option<io::Error> {
        let jobs = state.queue.len() + state.patient.len().min(self.patient_free(state));
        if jobs == 0 {
            return None;
        }
        if jobs <= state.idle {
            self.changed.notify_one();
        } else if state.threads < self.threads_max {
            match self.start_thread() {
                Ok(()) => state.threads += 1,
                Err(error) => return Some(error),
            }
        }
        None
    }

    /// Reports a thread that the system refused. Called without the lock, since the subscriber may
    /// use the pool.
    fn report(&self, refused: Option<io::Error>) {
        if let Some(error) = refused {
            let name = self.name;
            // A panic of the subscriber must not end the pool's thread.
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
            while let Some((job, urgency)) = self.next(&mut state) {
                // More jobs may be queued because the system refused threads for them.
                let refused = self.staff(&mut state);
                drop(state);
                self.report(refused);
                contained(job);
                state = self.state.lock();
                if urgency == Urgency::Patient {
                    state.patient_running -= 1;
                }
            }
            if state.is_stopped {
                break;
            }
            state.idle += 1;
            let is_over = self.changed.wait_for(&mut state, LINGER).timed_out();
            state.idle -= 1;
            if is_over && state.queue.is_empty() && state.patient.is_empty() {
                break;
            }
        }
        state.threads -= 1;
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    /// Runs a job that reports when it begins, and ends when the returned sender is dropped.
    fn run(pool: &BlockingPool, n: usize, urgency: Urgency, began: &Sender<usize>) -> Sender<()> {
        let (go, waits) = channel::<()>();
        let began = began.clone();
        let job = Box::new(move || {
            began.send(n).unwrap();
            let _ = waits.recv();
        });
        assert!(pool.run(job, urgency).is_ok());
        go
    }

    fn next(begins: &Receiver<usize>) -> usize {
        begins.recv_timeout(LIMIT).expect("it begins")
    }

    /// Patient jobs use half of the threads, and the next one begins when one of them ends.
    #[test]
    fn patient_jobs_use_half_of_the_threads() {
        let pool = BlockingPool::new("test", 4);
        let (began, begins) = channel();
        let mut patient: Vec<_> =
            (0..6).map(|n| Some(run(&pool, n, Urgency::Patient, &began))).collect();
        let mut first = [next(&begins), next(&begins)];
        first.sort_unstable();
        assert_eq!(first, [0, 1]);
        let prompt: Vec<_> = (10..12).map(|n| run(&pool, n, Urgency::Prompt, &began)).collect();
        let mut others = [next(&begins), next(&begins)];
        others.sort_unstable();
        assert_eq!(others, [10, 11], "no patient job begins meanwhile");
        for (n, after) in [(0, 2), (1, 3), (2, 4)] {
            patient[n].take();
            assert_eq!(next(&begins), after, "the next patient job takes its place");
        }
        drop(prompt);
        assert!(begins.try_recv().is_err(), "the other threads stay free");
        assert_eq!(pool.stop().count(), 1);
    }
}
