//! Prints a line for each event: its time, its node, and what happened.

use std::fmt::Display;

use fika::node::Time;
use fika::prelude::*;

/// Prints events as they arrive. The time is when the demo learns of an event, in milliseconds
/// since the demo's start.
#[derive(Default)]
pub(crate) struct Timeline {
    /// If set, each line also shows the time since this moment.
    measured_from: Option<Time>,
}

impl Timeline {
    /// Prints the titles of the columns.
    pub(crate) fn title(&self) {
        println!("{:>9}  {:<5} what happened", "ms", "node");
    }

    pub(crate) fn say(&self, node: &str, what: impl Display) {
        let now = now();
        let alive = node.split('@').next().unwrap_or(node);
        let since =
            self.measured_from.map(|from| format!("  ({:.2} ms later)", ms(now.since(from))));
        let since = since.unwrap_or_default();
        println!("{:>9.2}  {alive:<5} {what}{since}", ms(now.since_start()));
    }

    pub(crate) fn measure_from_now(&mut self) {
        self.measured_from = Some(now());
    }

    pub(crate) fn measure_no_more(&mut self) {
        self.measured_from = None;
    }
}

fn now() -> Time {
    self_node().env().now()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
