//! The processes of a node, all of them.

use crate::context;
use crate::node::Node;
use crate::pid::Pid;

/// All processes of this node that live (Erlang's `processes/0`): those that have never run and
/// suspended ones, too, and none that has received a fatal signal. A process that begins or
/// ends meanwhile may be among them or not; all others are, once each.
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn processes() -> Vec<Pid> {
    context::process("processes", |me| Processes::of(me.node.handle()).collect())
}

/// As [`processes`], one at a time and without a list of all (Erlang's
/// `erlang:processes_iterator/0`). It can be kept while other things are done, and gives each
/// process that lives from its begin to its end once, whichever come and go.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn processes_iter() -> Processes {
    context::process("processes_iter", |me| Processes::of(me.node.handle()))
}

/// The iterator of [`processes_iter`].
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
