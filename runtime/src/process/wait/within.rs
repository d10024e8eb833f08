//! Waiting for an answer with a time limit that costs nearly nothing while answers come soon.
//!
//! Reading the clock, starting a timer and cancelling it take longer than a whole request between
//! two processes. So a process has one *tick* for all its waits: a timer that is started when the
//! process begins to wait and none runs, and that is never cancelled. A wait that sees the end of a
//! tick has lasted for at most one tick, and then starts a timer for its own limit. So a limit may be
//! exceeded by one tick, and only waits that outlive a tick cost a timer of their own.
//!
//! A short limit, and a wait in a task inside the process's future or outside of a process, has a
//! timer of its own from the start.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::sleep::{Elapsed, Sleep};
use super::waiting::Waiting;
use crate::context;
use crate::process::core::{Round, Running, Tick};
use crate::process::deliver::Action;

/// The length of a tick.
const TICK: Duration = Duration::from_millis(10);

/// Shorter limits are kept exactly.
const EXACT_BELOW: Duration = Duration::from_millis(200);

/// The future of [`Waiting::within`].
///
/// ```
/// # use std::time::Duration;
/// # use fika_runtime::{Node, Waiting, Within, spawn};
/// # Node::builder().build().unwrap().block_on(async {
/// let (answer, waiting) = Waiting::new();
/// spawn(async move { answer.give(7) });
/// let mut within: Within<u64> = waiting.within(Duration::from_secs(1));
/// if (&mut within).await.is_err() {
///     // Nothing has come within a second. This goes on without a limit.
///     within.into_inner().await;
/// }
/// # });
/// ```
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Within<T> {
    waiting: Waiting<T>,
    limit: Duration,
    timer: Timer,
}

#[derive(Debug)]
enum Timer {
    /// It was not polled yet.
    New,
    /// The tick ran when the wait began, in this round.
    Tick(Round),
    /// In a box, since few waits have one, and each wait is moved.
    Own(Box<Sleep>),
}

impl<T> Waiting<T> {
    /// Waits for at most this time. A limit of 200 ms and more may be exceeded by 10 ms, which makes
    /// it cost little.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fika_runtime::{Elapsed, Node, Waiting};
    /// # Node::builder().build().unwrap().block_on(async {
    /// let (answer, waiting) = Waiting::<u64>::new();
    /// assert_eq!(waiting.within(Duration::from_millis(5)).await, Err(Elapsed));
    /// # drop(answer);
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Elapsed`] if the time is over first.
    ///
    /// # Panics
    /// Outside of a process, when it is polled.
    pub fn within(self, limit: Duration) -> Within<T> {
        Within { waiting: self, limit, timer: Timer::New }
    }
}

impl<T> Within<T> {
    /// Returns the answer's other end, to wait on without this limit.
    pub fn into_inner(self) -> Waiting<T> {
        self.waiting
    }

    /// Returns how much of the limit is left, or up to 10 ms more.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fika_runtime::{Elapsed, Node, Waiting};
    /// # Node::builder().build().unwrap().block_on(async {
    /// let limit = Duration::from_millis(5);
    /// let (answer, waiting) = Waiting::<u64>::new();
    /// let mut within = waiting.within(limit);
    /// assert_eq!(within.left(), limit);
    /// assert_eq!((&mut within).await, Err(Elapsed));
    /// assert_eq!(within.left(), Duration::ZERO);
    /// # drop(answer);
    /// # });
    /// ```
    #[must_use]
    pub fn left(&self) -> Duration {
        match &self.timer {
            // The tick has run for less than 10 ms.
            Timer::New | Timer::Tick(_) => self.limit,
            Timer::Own(sleep) => sleep.left(),
        }
    }

    fn begin(&self, context: &Context<'_>) -> Timer {
        let round = context::process("Waiting::within", |me| {
            let ticks = self.limit >= EXACT_BELOW && me.control.is_own_waker(context.waker());
            ticks.then(|| me.tick())
        });
        round.map_or_else(|| self.own_timer(), Timer::Tick)
    }

    fn own_timer(&self) -> Timer {
        let node = context::process("Waiting::within", |me| me.node.handle());
        Timer::Own(Box::new(node.sleep(self.limit)))
    }
}

impl<T> Future for Within<T> {
    type Output = Result<Option<T>, Elapsed>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Poll::Ready(answer) = Pin::new(&mut this.waiting).poll(context) {
            return Poll::Ready(Ok(answer));
        }
        match &this.timer {
            Timer::New => this.timer = this.begin(context),
            // It has lasted for at most one tick, or is polled in a task now, which no tick wakes.
            Timer::Tick(round)
                if context::process("Waiting::within", |me| {
                    me.round() != *round || !me.control.is_own_waker(context.waker())
                }) =>
            {
                this.timer = this.own_timer();
            }
            Timer::Tick(_) | Timer::Own(_) => {}
        }
        match &mut this.timer {
            Timer::Own(sleep) => Pin::new(&mut **sleep).poll(context).map(|()| Err(Elapsed)),
            Timer::New | Timer::Tick(_) => Poll::Pending,
        }
    }
}

impl Running<'_> {
    fn shared_tick(&self) -> &Arc<Tick> {
        let new = || Arc::new(Tick::new(Waker::clone(&self.control.slot.waker())));
        self.control.extras().tick.get_or_init(new)
    }

    /// Returns the round of the process's tick.
    fn round(self) -> Round {
        self.shared_tick().round()
    }

    /// Starts the process's tick, unless it runs. Returns its round.
    fn tick(self) -> Round {
        let tick = self.shared_tick();
        let round = tick.round();
        if !tick.runs() {
            tick.start();
            let now = self.node.env.now();
            self.node.start_timer_at(now, now + TICK, |_| Action::WakeTask(tick.clone().into()));
        }
        round
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Wake;

    use super::*;
    use crate::node::Node;
    use crate::process::timeout;

    #[test]
    fn a_limit_ends_the_wait() {
        let node = Node::builder().workers(1).build().unwrap();
        node.block_on(async {
            for limit in [Duration::from_millis(1), EXACT_BELOW] {
                let (answer, waiting) = Waiting::new();
                let mut within = waiting.within(limit);
                let ended = timeout(Duration::from_secs(20), &mut within).await;
                assert_eq!(ended, Ok(Err(Elapsed)), "{limit:?}");
                // The answer may still come.
                answer.give(7);
                assert_eq!(within.into_inner().await, Some(7));
            }
        });
        node.stop();
    }

    /// A task inside of a process's future.
    struct Task {
        woken: AtomicBool,
        process: Waker,
    }

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.woken.store(true, Ordering::SeqCst);
            self.process.wake_by_ref();
        }
    }

    /// A wait that a task takes over is polled by the task when the limit is over.
    #[test]
    fn a_task_takes_a_wait_over() {
        let node = Node::builder().workers(1).build().unwrap();
        node.block_on(async {
            let (_answer, waiting) = Waiting::<u64>::new();
            let mut within = waiting.within(EXACT_BELOW);
            poll_fn(|context| {
                assert!(Pin::new(&mut within).poll(context).is_pending());
                Poll::Ready(())
            })
            .await;
            let mut task = None;
            let ends = poll_fn(|context| {
                let (woken, process) = (AtomicBool::new(true), context.waker().clone());
                let task: &mut Arc<Task> =
                    task.get_or_insert_with(|| Arc::new(Task { woken, process }));
                if !task.woken.swap(false, Ordering::SeqCst) {
                    return Poll::Pending;
                }
                let waker = task.clone().into();
                Pin::new(&mut within).poll(&mut Context::from_waker(&waker))
            });
            assert_eq!(timeout(Duration::from_secs(20), ends).await, Ok(Err(Elapsed)));
        });
        node.stop();
    }
}
