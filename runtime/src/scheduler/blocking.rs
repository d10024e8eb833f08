//! Threads for calls that block: as many as there are such calls, up to a bound.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use parking_lot::Mutex;

use crate::report;

/// As many blocking calls run at the same time; further ones wait. The number is
/// tokio's: enough for any disk, and not too many stacks.
const THREADS_MAX: usize = 512;

/// A thread without work ends after this time.
const LINGER: Duration = Duration::from_secs(10);

/// The name of the threads.
const THREAD_NAME: &str = "fika blocking";

/// Whether this is a thread of a pool.
pub(crate) fn is_blocking_thread() -> bool {
    std::thread::current().name() == Some(THREAD_NAME)
}

type Job = Box<dyn FnOnce() + Send>;

pub(crate) struct BlockingPool {
    /// None once the pool is stopped.
    jobs: Mutex<Option<Sender<Job>>>,
    queue: Receiver<Job>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    threads: AtomicUsize,
    /// Jobs that are queued or run.
    jobs: AtomicUsize,
}

impl Default for BlockingPool {
    fn default() -> Self {
        let (jobs, queue) = unbounded();
        BlockingPool { jobs: Mutex::new(Some(jobs)), queue, counts: Arc::default() }
    }
}

impl BlockingPool {
    /// Runs `job` on a thread of the pool. After `stop` it is dropped.
    pub(crate) fn run(&self, job: Job) {
        let jobs = self.jobs.lock();
        let Some(sender) = jobs.as_ref() else { return };
        let wanted = self.counts.jobs.fetch_add(1, Ordering::SeqCst) + 1;
        if sender.send(job).is_err() {
            return;
        }
        let is_short = self.counts.threads.load(Ordering::SeqCst) < wanted.min(THREADS_MAX);
        let started = if is_short { self.start_thread() } else { Ok(()) };
        // Not under the lock: the program's subscriber may want it.
        drop(jobs);
        if let Err(error) = started {
            report!(error, %error, "no thread can be started for a blocking call");
        }
    }

    #[allow(clippy::disallowed_methods, reason = "the threads of a node")]
    fn start_thread(&self) -> io::Result<()> {
        self.counts.threads.fetch_add(1, Ordering::SeqCst);
        let (queue, counts) = (self.queue.clone(), self.counts.clone());
        let started = std::thread::Builder::new().name(THREAD_NAME.into()).spawn(move || {
            loop {
                match queue.recv_timeout(LINGER) {
                    Ok(job) => {
                        job();
                        counts.jobs.fetch_sub(1, Ordering::SeqCst);
                    }
                    // A job that came in between finds a thread too few, and starts one;
                    // one that came before is still in the queue.
                    Err(RecvTimeoutError::Timeout) => {
                        counts.threads.fetch_sub(1, Ordering::SeqCst);
                        if queue.is_empty() {
                            return;
                        }
                        counts.threads.fetch_add(1, Ordering::SeqCst);
                    }
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        });
        if started.is_err() {
            self.counts.threads.fetch_sub(1, Ordering::SeqCst);
        }
        started.map(drop)
    }

    /// Ends the threads as soon as their present jobs are done.
    pub(crate) fn stop(&self) {
        self.jobs.lock().take();
    }
}
