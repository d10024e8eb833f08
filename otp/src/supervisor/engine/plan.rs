//! Steps that a supervisor takes one after the other: it ends children in reverse order, then
//! starts some in order. During these steps it answers requests for information. Requests and
//! events that would change its children wait, and are handled in their order afterwards.

use std::collections::VecDeque;

use fika_runtime::ExitReason;

use super::children::Key;
use super::command::{Command, NewChild, StartReply};
use crate::r#gen::{ReplyTo, StartError};
use crate::supervisor::spec::child_error::ChildRef;

/// The way a supervisor ends after its children have ended.
#[derive(Clone)]
pub(super) enum End {
    /// With this reason.
    Exit(ExitReason),
    /// It has not started.
    NotStarted(StartError),
}

/// Children to end, and then children to start.
pub(super) struct Plan {
    pub(super) goal: Goal,
    /// The children to end, in order: the last one first.
    pub(super) stop: Vec<Key>,
    /// After all have ended, the children from this one on are started.
    pub(super) from: Option<Key>,
    pub(super) start: VecDeque<Key>,
    /// The child whose start the plan waits for.
    pub(super) waiting: Option<Key>,
}

/// The purpose of a plan.
pub(super) enum Goal {
    /// The first start of all children (SUP-3).
    Boot,
    /// The restart of a group (SUP-10).
    Restart,
    /// The end of the supervisor.
    End(End),
}

/// A request or an event that waits for the end of a plan.
pub(super) enum Deferred {
    Start(Box<NewChild>, ReplyTo<StartReply>),
    Command(ChildRef, Command),
    /// The end of a child, which keeps the reason. It is void if the child was stopped or started
    /// meanwhile.
    Ended(Key),
    Retry(Key, u64),
}

impl Plan {
    pub(super) fn new(goal: Goal, stop: Vec<Key>, from: Option<Key>) -> Plan {
        Plan { goal, stop, from, start: VecDeque::new(), waiting: None }
    }

    pub(super) fn boot() -> Plan {
        Plan::new(Goal::Boot, Vec::new(), Some(0))
    }

    pub(super) fn restart(stop: Vec<Key>, from: Key) -> Plan {
        Plan::new(Goal::Restart, stop, Some(from))
    }

    pub(super) fn ends(&self) -> bool {
        matches!(self.goal, Goal::End(_))
    }

    /// Returns whether this child is to end.
    pub(super) fn stops(&self, key: Key) -> bool {
        self.stop.binary_search(&key).is_ok()
    }

    /// Returns whether this child, which does not run, is to start.
    pub(super) fn starts(&self, key: Key) -> bool {
        self.from.is_some_and(|from| from <= key) || self.start.contains(&key)
    }
}
