//! Runs futures in a test, on the calling thread and with only a poller.

use std::mem;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use fika_runtime::Driver;
use parking_lot::Mutex;

use crate::io::Poller;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The tasks that run beside the future of `block_on`.
#[derive(Clone, Default)]
pub(crate) struct Tasks(Arc<Mutex<Vec<Task>>>);

impl Tasks {
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.lock().push(Box::pin(task));
    }

    fn poll_all(&self, cx: &mut Context<'_>) {
        // A task may spawn others, which are polled in the same turn.
        let mut tasks = mem::take(&mut *self.0.lock());
        let mut waiting = Vec::new();
        while let Some(mut task) = tasks.pop() {
            if task.as_mut().poll(cx).is_pending() {
                waiting.push(task);
            }
            tasks.append(&mut self.0.lock());
        }
        self.0.lock().append(&mut waiting);
    }
}

struct Unpark(Poller);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Parks in the poller until the future is done.
pub(crate) fn block_on<F: Future>(poller: &Poller, future: F) -> F::Output {
    block_on_beside(poller, &Tasks::default(), future)
}

/// Runs a future as [`block_on`] does, with tasks beside it.
pub(crate) fn block_on_beside<F: Future>(poller: &Poller, tasks: &Tasks, future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(poller.clone())));
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        tasks.poll_all(&mut cx);
        poller.park(None);
    }
}

/// Repeats something while programs are started, which have a copy of all descriptors for a moment.
/// Returns the first error, if there is one.
#[cfg(unix)]
pub(crate) fn while_programs_start<T>(
    times: usize,
    mut what: impl FnMut() -> std::io::Result<T>,
) -> Option<(usize, std::io::Error)> {
    use std::sync::atomic::{AtomicBool, Ordering};
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                std::process::Command::new("true").status().expect("it is a program");
            }
        });
        let failed = (0..times).find_map(|n| what().err().map(|error| (n, error)));
        stop.store(true, Ordering::Relaxed);
        failed
    })
}
