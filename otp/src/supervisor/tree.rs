//! A supervision tree as data, and as text: [`tree`].

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::time::Duration;

use fika_runtime::{Name, Pid, info, self_pid, timeout};

use super::spec::child_spec::{ChildId, ChildInfo, ChildState, ChildType};
use super::{Supervises, Supervisor};
use crate::r#gen::{CallError, ServerRef};

/// How long to wait for one supervisor of the tree.
const LIMIT: Duration = Duration::from_secs(1);

/// How many levels of a tree are shown.
const DEPTH_MAX: usize = 256;

/// A supervision tree. The parts are read one after another, so they may differ in age. It prints
/// as indented text.
///
/// ```
/// use fika::prelude::*;
/// use fika::supervisor::{self, ChildSpec, SupFlags, Tree};
/// # async fn serve() { std::future::pending().await }
///
/// /// Returns the number of processes that were restarted.
/// fn restarted(tree: &Tree) -> usize {
///     let below = tree.children.iter().flatten().map(restarted).sum::<usize>();
///     below + usize::from(tree.restarts > 0)
/// }
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let child = ChildSpec::new("a", || async { spawn_link(serve()) });
/// # let top = supervisor::start_link(Start::new(), SupFlags::one_for_one(), [child]).await?;
/// assert_eq!(restarted(&supervisor::tree(&top).await?), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tree {
    /// The id of the child. `None` for the root, and under a dynamic supervisor.
    pub id: Option<ChildId>,
    /// The registered name of its process, if the process is on this node.
    pub name: Option<Name>,
    /// The state of its process.
    pub state: ChildState,
    /// Whether it is a supervisor.
    pub kind: ChildType,
    /// How often it was restarted.
    pub restarts: u64,
    /// Its children, the oldest first. `None` for a worker, and for a supervisor that did not answer
    /// within a second, is shown elsewhere in the tree, or is 256 levels below the root.
    pub children: Option<Vec<Tree>>,
}

/// Returns the tree below a supervisor, by asking each supervisor in it. In OTP, `observer` shows
/// the tree. The root and the children may be on other nodes; registered names are known for
/// processes of this node only.
///
/// ```
/// use fika::prelude::*;
/// use fika::supervisor::{self, ChildSpec, SupFlags};
/// # async fn serve() { std::future::pending().await }
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// let worker = ChildSpec::new("worker", || async { spawn_link(serve()) });
/// let top = supervisor::start_link(Start::name("top"), SupFlags::one_for_one(), [worker]).await?;
///
/// let tree = supervisor::tree(&top).await?;
/// assert_eq!(tree.children.as_ref().unwrap()[0].id.as_ref().unwrap(), &"worker");
/// // top <0.5.0>
/// //   worker <0.6.0>
/// println!("{tree}");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If there is no such root, it ends before it answers, or its node can't be reached. The root has
/// no time limit; each other supervisor has a second.
///
/// # Panics
/// Outside of a process.
pub async fn tree<S: Supervises>(root: &ServerRef<S>) -> Result<Tree, CallError> {
    let children = root.which_children().await?;
    let pid = root.whereis();
    let tree = Tree {
        id: None,
        name: name_of(pid).await,
        state: pid.map_or(ChildState::Stopped, ChildState::Running),
        kind: ChildType::Supervisor,
        restarts: 0,
        children: Some(Vec::new()),
    };
    let mut flat = vec![Part { tree, above: 0, depth: 0 }];
    let mut seen: HashSet<Pid> = pid.into_iter().collect();
    let mut open = VecDeque::from([(0, children)]);
    // Without recursion, since a tree may have any depth, and what another node says of its children
    // may have no end.
    while let Some((above, children)) = open.pop_front() {
        let depth = flat[above].depth + 1;
        for child in children.into_iter().rev() {
            let supervisor = child.pid().filter(|_| child.kind == ChildType::Supervisor);
            let mut tree = subtree(child).await;
            if let Some(pid) = supervisor
                && depth < DEPTH_MAX
                && seen.insert(pid)
            {
                let asked = ServerRef::<Supervisor>::pid(pid);
                if let Ok(Ok(below)) = timeout(LIMIT, asked.which_children()).await {
                    tree.children = Some(Vec::new());
                    open.push_back((flat.len(), below));
                }
            }
            flat.push(Part { tree, above, depth });
        }
    }
    Ok(assemble(flat))
}

/// A part of a tree, whose children are not in it yet.
struct Part {
    tree: Tree,
    /// The place of the part above it. The root is its own.
    above: usize,
    depth: usize,
}

/// Puts the parts together. Each part comes after the part above it.
fn assemble(mut flat: Vec<Part>) -> Tree {
    while flat.len() > 1
        && let Some(Part { mut tree, above, .. }) = flat.pop()
    {
        tree.children.iter_mut().for_each(|children| children.reverse());
        flat[above].tree.children.get_or_insert_default().push(tree);
    }
    let mut root = flat.swap_remove(0).tree;
    root.children.iter_mut().for_each(|children| children.reverse());
    root
}

async fn subtree(child: ChildInfo) -> Tree {
    let name = name_of(child.pid()).await;
    let ChildInfo { id, child: state, kind, restarts } = child;
    Tree { id, name, state, kind, restarts, children: None }
}

async fn name_of(pid: Option<Pid>) -> Option<Name> {
    let pid = pid.filter(|pid| pid.node() == self_pid().node())?;
    timeout(LIMIT, info::registered_name(pid)).await.ok()??
}

impl Tree {
    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        if depth > 0 {
            writeln!(f)?;
        }
        write!(f, "{:1$}", "", 2 * depth)?;
        let mut gap = "";
        if let Some(id) = &self.id {
            write!(f, "{}", fika_runtime::Printable(id.as_str()))?;
            gap = " ";
        }
        if let Some(name) = &self.name
            && self.id.as_ref().is_none_or(|id| id.as_str() != name.as_str())
        {
            write!(f, "{gap}{name}")?;
            gap = " ";
        }
        match self.state {
            ChildState::Running(pid) => write!(f, "{gap}{pid}")?,
            ChildState::Starting => write!(f, "{gap}starting")?,
            ChildState::Restarting => write!(f, "{gap}restarting")?,
            ChildState::Stopped => write!(f, "{gap}stopped")?,
        }
        match self.restarts {
            0 => {}
            1 => f.write_str(", restarted once")?,
            times => write!(f, ", restarted {times} times")?,
        }
        let Some(children) = &self.children else {
            let silent =
                self.kind == ChildType::Supervisor && matches!(self.state, ChildState::Running(_));
            return f.write_str(if silent { ", its children are not known" } else { "" });
        };
        children.iter().try_for_each(|child| child.write(f, depth + 1))
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_prints_as_indented_text() {
        let child = |id: &str, state, kind, restarts, children| Tree {
            id: Some(id.into()),
            name: None,
            state,
            kind,
            restarts,
            children,
        };
        let (worker, supervisor) = (ChildType::Worker, ChildType::Supervisor);
        let pool = vec![child("w\n1", ChildState::Restarting, worker, 2, None)];
        let tree = Tree {
            id: None,
            name: Some("top".into()),
            state: ChildState::Stopped,
            kind: supervisor,
            restarts: 0,
            children: Some(vec![
                child("cache", ChildState::Stopped, worker, 1, None),
                child("pool", ChildState::Starting, supervisor, 0, Some(pool)),
            ]),
        };
        let expected = "top stopped\n  cache stopped, restarted once\n  pool starting\n    \
                        w\\n1 restarting, restarted 2 times";
        assert_eq!(tree.to_string(), expected);
    }
}
