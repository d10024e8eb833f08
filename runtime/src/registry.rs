//! The names of a node's processes.
//!
//! Most processes have no name, so an ending process should not have to take a lock here. To
//! register a process, a thread first marks the process and then checks that it is alive. An ending
//! process first closes its queue and then checks the mark. So at least one of the two sees the
//! other, and no dead process keeps a name.

use std::collections::BTreeMap;

use crate::name::Name;
use crate::pid::Pid;
use crate::sync::RwLock;

/// Why a name could not be registered or unregistered.
///
/// ```
/// # use fika_runtime::{Node, RegisterError, register, self_pid, spawn};
/// # Node::builder().build().unwrap().block_on(async {
/// register("counter", self_pid()).unwrap();
/// let other = spawn(std::future::pending::<()>());
/// assert_eq!(register("counter", other), Err(RegisterError::Taken));
/// # });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// Another process has the name.
    #[error("badarg: another process has the name: unregister it first, or choose another name")]
    Taken,
    /// The process already has a name.
    #[error("badarg: the process already has a name: unregister that name first")]
    Named,
    /// The process has ended, or belongs to another node.
    #[error("badarg: the process has ended, or belongs to another node")]
    Noproc,
    /// The name is empty, too long, or `undefined`.
    #[error("badarg: a name has 1 to {max} bytes, and is not `undefined`", max = Name::BYTES_MAX)]
    BadName,
    /// No process has the name.
    #[error("badarg: no process is registered under this name")]
    Unknown,
}

#[derive(Default)]
pub(crate) struct Registry(RwLock<Names>);

#[derive(Default)]
struct Names {
    pids: BTreeMap<Name, Pid>,
    names: BTreeMap<Pid, Name>,
}

impl Registry {
    /// Registers `pid` under a name. `mark` marks the process as named, and returns false if it has
    /// ended.
    pub(crate) fn register(
        &self,
        name: Name,
        pid: Pid,
        mark: impl FnOnce() -> bool,
    ) -> Result<(), RegisterError> {
        let text = name.as_str();
        if text.is_empty() || text.len() > Name::BYTES_MAX || text == "undefined" {
            return Err(RegisterError::BadName);
        }
        let mut names = self.0.write();
        if !mark() {
            return Err(RegisterError::Noproc);
        }
        if names.pids.contains_key(&name) {
            return Err(RegisterError::Taken);
        }
        if names.names.contains_key(&pid) {
            return Err(RegisterError::Named);
        }
        names.names.insert(pid, name.clone());
        names.pids.insert(name, pid);
        Ok(())
    }

    pub(crate) fn unregister(&self, name: &str) -> Result<(), RegisterError> {
        let mut names = self.0.write();
        let pid = names.pids.remove(name).ok_or(RegisterError::Unknown)?;
        names.names.remove(&pid);
        Ok(())
    }

    /// Removes the name of a process that has ended.
    pub(crate) fn process_ended(&self, pid: Pid) {
        let mut names = self.0.write();
        if let Some(name) = names.names.remove(&pid) {
            names.pids.remove(&name);
        }
    }

    pub(crate) fn whereis(&self, name: &str) -> Option<Pid> {
        self.0.read().pids.get(name).copied()
    }

    pub(crate) fn name_of(&self, pid: Pid) -> Option<Name> {
        self.0.read().names.get(&pid).cloned()
    }

    pub(crate) fn names(&self) -> Vec<Name> {
        self.0.read().pids.keys().cloned().collect()
    }
}
