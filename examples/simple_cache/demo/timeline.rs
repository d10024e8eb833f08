//! What is printed: a line for each event, with its time, its node, and what happened.

use std::fmt::Display;

use fika::node::Time;
use fika::prelude::*;

/// Prints events as they come. The time is that at which the demo hears of them, in
/// milliseconds since its start.
#[derive(Default)]
pub(crate) struct Timeline {
    /// The time passed since this point is added to each line.
    measured_from: Option<Time>,
}

impl Timeline {
    /// Prints what the columns are.
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
