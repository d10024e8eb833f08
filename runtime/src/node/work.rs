//! The node as its scheduler sees it: the turns of its processes, and its upkeep between them.

use std::sync::Arc;
use std::time::Duration;

use super::Inner;
use crate::context;
use crate::env::Time;
use crate::pid::Pid;
use crate::priority::Priority;
use crate::process;
use crate::report;
use crate::scheduler::{Origin, Runner, Stuck, TaskId};

/// The node, as its scheduler sees it.
pub(crate) struct Work(pub(crate) Arc<Inner>);

impl Runner for Work {
    fn enter(&self, work: &dyn Fn()) {
        context::enter_node(&self.0, work);
    }

    fn run(&self, task: TaskId, origin: &Origin) -> Option<Priority> {
        process::run(&self.0, self.0.table.at(task), origin)
    }

    fn maintain(&self) {
        self.0.fire_timers();
    }

    fn before_sleep(&self) -> Option<Duration> {
        self.0.fire_timers();
        self.0.timers.sleep_until_next(self.0.env.now())
    }

    fn after_sleep(&self) {
        self.0.timers.awake();
        self.0.fire_timers();
    }

    fn turn_end(&self) {
        if let Some(carrier) = self.0.carrier.get() {
            carrier.flush();
        }
    }

    fn now(&self) -> Time {
        self.0.env.now()
    }

    fn report_stuck(&self, stuck: &Stuck) {
        let pid = Pid::new(self.0.id, self.0.table.at(stuck.task).id());
        let name = self.0.registry.name_of(pid).map(|name| name.as_str().to_owned());
        let spawned_at = stuck.origin.map(tracing::field::display);
        report!(
            warn, %pid, name, spawned_at,
            computed_ms = stuck.computed.as_millis(),
            blocked_ms = stuck.blocked.as_millis(),
            left_out = stuck.left_out,
            "a process has kept its worker to itself without reaching a suspension point; another \
             worker runs the other processes. Let long computations call `yield_now().await`, or \
             give them to `spawn_blocking`"
        );
    }
}
