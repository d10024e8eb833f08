//! All processes of a node.

use crate::context;
use crate::node::Node;
use crate::pid::Pid;

/// Returns all processes of this node that live (Erlang's `processes/0`), including processes that
/// have never run, and suspended ones. A process that has received a fatal signal does not live. A
/// process that begins or ends during the call may be missing; all others are returned once.
///
/// ```
/// # use fika_runtime::{Node, processes, self_pid};
/// # Node::builder().build().unwrap().block_on(async {
/// assert!(processes().contains(&self_pid()));
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn processes() -> Vec<Pid> {
    context::process("processes", |me| Processes::of(me.node.handle()).collect())
}

/// Returns an iterator over the processes of this node, which makes no list of them all (Erlang's
/// `erlang:processes_iterator/0`). The iterator can be kept for any time. It returns once each
/// process that lives during the whole iteration. See [`processes`].
///
/// ```
/// # use fika_runtime::{Node, processes_iter};
/// # Node::builder().build().unwrap().block_on(async {
/// let first_ten: Vec<_> = processes_iter().take(10).collect();
/// assert!(!first_ten.is_empty());
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn processes_iter() -> Processes {
    context::process("processes_iter", |me| Processes::of(me.node.handle()))
}

/// The iterator of [`processes_iter`].
///
/// ```
/// # use fika_runtime::{Node, Processes, processes_iter, self_pid};
/// # Node::builder().build().unwrap().block_on(async {
/// let mut others: Processes = processes_iter();
/// assert!(others.any(|pid| pid == self_pid()));
/// # });
/// ```
#[derive(Debug, Clone)]
#[must_use = "it is an iterator, which does nothing by itself"]
pub struct Processes {
    node: Node,
    /// The slot to look at next.
    next: usize,
}

impl Processes {
    pub(crate) fn of(node: Node) -> Processes {
        Processes { node, next: 0 }
    }
}

impl Iterator for Processes {
    type Item = Pid;

    fn next(&mut self) -> Option<Pid> {
        let inner = self.node.inner();
        let (slot, id) = inner.table.next_live(self.next)?;
        self.next = slot + 1;
        Some(Pid::new(inner.id, id))
    }
}
