//! Whoever watches a node from outside, for a simulator's log and checks.
//!
//! With the feature `observe` only: without it, all of this is nothing.

use crate::exit_reason::ExitReason;
use crate::pid::Pid;
use crate::signal::Signal;

/// Is told of what happens on a node, on the thread where it happens.
pub trait Observer: Send + Sync + 'static {
    /// A process has begun.
    fn started(&self, pid: Pid);
    /// A message of this type, by its Rust name or its tag, goes into the queue of a process,
    /// which may have ended.
    fn message(&self, to: Pid, type_name: &str);
    /// Any other signal goes into the queue of a process, which may have ended.
    fn signal(&self, to: Pid, signal: &Signal);
    /// A process has been given a name.
    fn registered(&self, pid: Pid, name: &str);
    /// A process has ended.
    fn ended(&self, pid: Pid, reason: &ExitReason);
}

/// The observer of a node, if it has one.
#[derive(Clone, Default)]
pub(crate) struct Observed(#[cfg(feature = "observe")] Option<std::sync::Arc<dyn Observer>>);

impl Observed {
    #[cfg(feature = "observe")]
    pub(crate) fn by(observer: std::sync::Arc<dyn Observer>) -> Observed {
        Observed(Some(observer))
    }

    /// Tells the observer.
    #[inline]
    pub(crate) fn tell(&self, tell: impl FnOnce(&dyn Observer)) {
        #[cfg(feature = "observe")]
        if let Some(observer) = &self.0 {
            tell(&**observer);
        }
        #[cfg(not(feature = "observe"))]
        let _ = tell;
    }
}
