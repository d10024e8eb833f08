//! The methods that let time pass.

use std::sync::Arc;
use std::time::Duration;

use fika_runtime::Node;
use parking_lot::Mutex;

use crate::failure::Failure;
use crate::sim::{Sim, SimNode};

impl Sim {
    /// Lets this much time pass.
    pub fn run_for(&mut self, time: Duration) {
        let until = self.clock.now() + time.as_nanos() as u64;
        while self.advance(until) {}
        self.clock.advance_to(until);
    }

    /// Runs `count` steps. Each step is one turn of a process or one move of the clock, so a
    /// scenario can stop between any two of them. Runs fewer steps if nothing is left to happen.
    ///
    /// ```
    /// # use fika_sim::{Sim, seeds};
    /// // Crashes the node at another moment of its start with each seed.
    /// seeds(0..20, |seed| {
    ///     let mut sim = Sim::new(seed);
    ///     let a = sim.node("a@host1", std::future::pending::<()>);
    ///     sim.run_steps(seed as usize);
    ///     sim.crash(a);
    ///     sim.restart(a);
    ///     sim.finish()
    /// });
    /// ```
    pub fn run_steps(&mut self, count: usize) {
        for _ in 0..count {
            if !self.advance(u64::MAX) {
                return;
            }
        }
    }

    /// Lets time pass until the condition holds.
    ///
    /// # Errors
    /// If the time limit passes first, or a check fails; see [`Checks`](crate::Checks).
    #[track_caller]
    pub fn run_until(
        &mut self,
        mut is_so: impl FnMut(&Sim) -> bool,
        limit: Duration,
    ) -> Result<(), Failure> {
        let is_so = self.eventually(limit, |sim| sim.checks.is_violated() || is_so(sim));
        self.verdict()?;
        if is_so {
            return Ok(());
        }
        let states = self.states();
        Err(self.failure(&format!("the condition was not met within {limit:?}{states}")))
    }

    /// Lets time pass until the condition holds or the time limit passes; returns whether it holds.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fika_sim::Sim;
    /// let mut sim = Sim::new(1);
    /// let a = sim.node("a@host1", std::future::pending::<()>);
    /// // The main process never ends.
    /// assert!(!sim.eventually(Duration::from_secs(60), |sim| sim.main_end(a).is_some()));
    /// ```
    #[must_use]
    pub fn eventually(&mut self, limit: Duration, mut is_so: impl FnMut(&Sim) -> bool) -> bool {
        let until = self.clock.now() + limit.as_nanos() as u64;
        loop {
            if is_so(self) {
                return true;
            }
            if !self.advance(until) {
                self.clock.advance_to(until);
                return is_so(self);
            }
        }
    }

    /// Runs a future as a process of a node, and lets time pass until the future is ready.
    ///
    /// # Errors
    /// If the future is not ready in time, the node is down, or the process ends.
    #[track_caller]
    pub fn run_on<F>(
        &mut self,
        node: SimNode,
        limit: Duration,
        future: F,
    ) -> Result<F::Output, Failure>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let value = Arc::new(Mutex::new(None));
        let to = value.clone();
        let pid = self.spawn(node, async move {
            let ready = future.await;
            *to.lock() = Some(ready);
        });
        let done = |sim: &Sim| {
            let ends = |runtime: &Node| pid.is_none_or(|pid| !runtime.is_alive(pid));
            value.lock().is_some() || sim.runtime(node).is_none_or(ends)
        };
        self.run_until(done, limit)?;
        let ready = value.lock().take();
        match ready {
            Some(ready) => Ok(ready),
            None => Err(self.failure("the process of `run_on` ended")),
        }
    }
}
