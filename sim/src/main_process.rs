//! The main process of a node, and its result.

use std::sync::Arc;
use std::time::Duration;

use fika_runtime::ExitReason;
use parking_lot::Mutex;

use crate::failure::Failure;
use crate::sim::{Sim, SimNode};

impl Sim {
    /// Returns how the node's main process, which runs its `app`, has ended in this life; `None`
    /// while it runs or the node is down.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fika_runtime::{ExitReason, exit};
    /// # use fika_sim::Sim;
    /// let mut sim = Sim::new(1);
    /// let a = sim.node("a@host1", || async { exit(ExitReason::Shutdown); });
    /// sim.run_until(|sim| sim.main_end(a).is_some(), Duration::from_secs(1))?;
    /// assert_eq!(sim.main_end(a), Some(ExitReason::Shutdown));
    /// # Ok::<(), fika_sim::Failure>(())
    /// ```
    #[must_use]
    pub fn main_end(&self, node: SimNode) -> Option<ExitReason> {
        self.members[node.0].life.as_ref()?.main_end()
    }

    /// Starts a node, lets time pass until its main process has returned, and returns its value.
    ///
    /// ```
    /// use std::time::Duration;
    /// use fika_runtime::sleep;
    /// use fika_sim::{Failure, Sim};
    ///
    /// # fn main() -> Result<(), Failure> {
    /// let hour = Duration::from_secs(3600);
    /// let mut sim = Sim::new(1);
    /// let n = sim.run_main("a@host1", hour * 2, move || async move {
    ///     sleep(hour).await;
    ///     7
    /// })?;
    /// assert_eq!((n, sim.now() >= hour), (7, true));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the main process does not return in time, panics, or is made to exit, or if the node
    /// can't start.
    ///
    /// # Panics
    /// If the name is invalid or already taken.
    #[track_caller]
    pub fn run_main<F>(
        &mut self,
        name: impl AsRef<str>,
        limit: Duration,
        main: impl Fn() -> F + Send + Sync + 'static,
    ) -> Result<F::Output, Failure>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let name = name.as_ref();
        let value = Arc::new(Mutex::new(None));
        let to = value.clone();
        let node = self.node(name, move || {
            // Boxed, or this future would contain it twice.
            let (main, to) = (Box::pin(main()), to.clone());
            async move {
                let ready = main.await;
                *to.lock() = Some(ready);
            }
        });
        let is_over = |sim: &Sim| sim.main_end(node).is_some();
        if !self.eventually(limit, is_over) {
            return Err(self.failure(&format!("{name} has not ended within {limit:?}")));
        }
        let ready = value.lock().take();
        if let Some(ready) = ready {
            return Ok(ready);
        }
        Err(match self.main_end(node) {
            Some(reason) => {
                let failure = self.failure(&format!("{name} has ended: {reason}"));
                let panic = match &reason {
                    ExitReason::Panic(panic) => panic.location.as_deref().map(Box::from),
                    _ => None,
                };
                Failure { location: panic.unwrap_or(failure.location), ..failure }
            }
            None => self.failure(&format!("{name} has crashed")),
        })
    }
}
