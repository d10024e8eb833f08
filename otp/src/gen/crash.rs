//! Reports of processes that end by an error, with their ancestors, links and last message (PL-6).

use std::fmt;
use std::time::Duration;

use fika_runtime::{
    ExitReason, LogRate, Pid, info, printable, report, self_node, self_pid, timeout,
};

use super::behaviour::{self, Behaviour, Work};

/// How many of its links a process asks for their names, and how long it waits for all of them.
const NEIGHBOURS: usize = 8;
const NEIGHBOURS_LIMIT: Duration = Duration::from_millis(20);

/// Limits the crash reports of a node's behaviours.
#[derive(Default)]
struct Crashes(LogRate);

/// Reports the end of the running process by an error.
pub(crate) async fn report_crash(
    behaviour: &Behaviour,
    reason: &ExitReason,
    state: Option<&str>,
    last: Option<&'static Work>,
) {
    let (node, pid) = (self_node(), self_pid());
    let links = info::links(pid).await.unwrap_or_default();
    let neighbours = neighbours(&links).await;
    let name = info::registered_name(pid).await.flatten();
    let label = info::label(pid).await.flatten();
    let rate = node.extension_or_init(Crashes::default);
    rate.0.line(node.env().now(), |left_out| {
        let (module, ancestors) = (behaviour.module, behaviour.ancestors());
        let name = name.as_ref().map(|name| tracing::field::display(name.as_str()));
        let label = label.as_deref().map(tracing::field::display);
        let last = last.map(|work| format!("{} of {}", work.callback, (work.request)()));
        let (last, state) = (last.as_deref().map(tracing::field::display), state.map(printable));
        let state = state.as_deref().map(tracing::field::display);
        report!(
            error, %pid, name, label, module, reason = %reason, last, state,
            ancestors = %List(&ancestors), links = %List(&links), neighbours = %List(&neighbours),
            left_out, "a process ended by an error"
        );
    });
}

/// A linked process. It also ends, unless it traps exits.
struct Neighbour {
    pid: Pid,
    name: Option<String>,
}

async fn neighbours(links: &[Pid]) -> Vec<Neighbour> {
    let node = self_node();
    let mut found = Vec::new();
    let own = self_pid().node();
    let here: Vec<Pid> = links.iter().copied().filter(|pid| pid.node() == own).collect();
    let here = here.into_iter().take(NEIGHBOURS);
    let asks = async {
        for pid in here {
            if info::trap_exit(pid).await != Some(false) {
                continue;
            }
            let name = match info::registered_name(pid).await.flatten() {
                Some(name) => Some(name.as_str().to_owned()),
                None => behaviour::of(&node, pid).map(|behaviour| behaviour.module.to_owned()),
            };
            found.push(Neighbour { pid, name });
        }
    };
    let _ = timeout(NEIGHBOURS_LIMIT, asks).await;
    found
}

impl fmt::Display for Neighbour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{} ({name})", self.pid),
            None => self.pid.fmt(f),
        }
    }
}

struct List<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (at, item) in self.0.iter().enumerate() {
            write!(f, "{}{item}", if at == 0 { "" } else { ", " })?;
        }
        f.write_str("]")
    }
}
