//! Steps that a supervisor takes one after the other: ending children in reverse order, then
//! starting some in order. While they go on, it answers questions; what would change its children
//! waits, and is done in its order afterwards.

use std::collections::VecDeque;

use fika_runtime::{ExitReason, Pid};

use super::child_error::ChildRef;
use super::child_spec::Shutdown;
use super::children::{Key, State};
use super::decide::Occasion;
use super::engine::{Command, End, Engine, NewChild, StartReply};
use crate::r#gen::{ReplyTo, StartError};

/// Children to end, and then children to start.
pub(super) struct Plan {
    goal: Goal,
    /// The children to end, in order: the last one first.
    stop: Vec<Key>,
    /// When all have ended, the children from this one on are started.
    from: Option<Key>,
    start: VecDeque<Key>,
    /// The child whose start is waited for.
    waiting: Option<Key>,
}

/// What a plan is for.
pub(super) enum Goal {
    /// The first start of all children (SUP-3).
    Boot,
    /// The restart of a group (SUP-10).
    Restart,
    /// The end of the supervisor.
    End(End),
}

/// What waits for the end of a plan.
pub(super) enum Deferred {
    Start(Box<NewChild>, ReplyTo<StartReply>),
    Command(ChildRef, Command),
    Ended(Key, Pid, ExitReason),
    Retry(Key, u64),
}

impl Plan {
    fn new(goal: Goal, stop: Vec<Key>, from: Option<Key>) -> Plan {
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
}

impl Engine {
    /// Ends all children, and then the supervisor. If it already ends, the first reason stays.
    pub(super) fn begin_end(&mut self, end: End) {
        if self.is_ending() {
            return;
        }
        let all: Vec<Key> = self.children.keys(..).collect();
        if !self.keyed {
            // SUP-23: all at the same time.
            for key in &all {
                match self.children.state(*key) {
                    Some(State::Starting { .. }) => self.limit_start(*key),
                    _ => self.stop(*key),
                }
            }
        }
        self.plan = Some(Plan::new(Goal::End(end), all, None));
    }

    pub(super) fn is_ending(&self) -> bool {
        self.plan.as_ref().is_some_and(Plan::ends)
    }

    /// Takes the next steps of the plan, and what waits for its end.
    pub(super) fn proceed(&mut self) {
        loop {
            self.advance();
            if self.plan.is_some() {
                return;
            }
            match self.deferred.pop_front() {
                None => return,
                Some(Deferred::Start(child, reply)) => self.start_child(*child, reply),
                Some(Deferred::Command(target, command)) => self.command(target, command),
                Some(Deferred::Ended(key, pid, reason)) => self.ended(key, pid, reason),
                Some(Deferred::Retry(key, token)) => self.retry(key, token),
            }
        }
    }

    fn advance(&mut self) {
        loop {
            let Some(plan) = &mut self.plan else { return };
            if let Some(key) = plan.stop.last().copied() {
                match self.children.state(key) {
                    Some(State::Running(_)) => return self.stop(key),
                    Some(State::Ending(..)) => return self.stop(key),
                    Some(State::Starting { .. }) => {
                        let first = plan.waiting.replace(key) != Some(key);
                        if first && plan.ends() && self.keyed {
                            self.limit_start(key);
                        }
                        return;
                    }
                    Some(State::Restarting { .. }) => {
                        self.children.set_state(key, State::Stopped);
                    }
                    Some(State::Stopped) | None => {}
                }
                plan.stop.pop();
                continue;
            }
            if let Some(key) = plan.waiting.take()
                && matches!(self.children.state(key), Some(State::Starting { .. }))
            {
                plan.waiting = Some(key);
                return;
            }
            if let Some(from) = plan.from.take() {
                plan.start = self.children.keys(from..).collect();
            }
            if let Some(key) = plan.start.pop_front() {
                plan.waiting = Some(key);
                let boots = matches!(plan.goal, Goal::Boot);
                self.launch(key, if boots { Occasion::Boot } else { Occasion::Restart }, None);
                continue;
            }
            return self.finish_plan();
        }
    }

    fn finish_plan(&mut self) {
        match self.plan.take().map(|plan| plan.goal) {
            Some(Goal::Boot) => self.booted(),
            Some(Goal::End(end)) => {
                self.plan = Some(Plan::new(Goal::End(end.clone()), Vec::new(), None));
                self.end = Some(end);
            }
            Some(Goal::Restart) | None => {}
        }
    }

    /// Reacts to a child of the plan that did not start.
    pub(super) fn plan_failed(&mut self, error: impl FnOnce() -> StartError) {
        match self.plan.as_ref().map(|plan| &plan.goal) {
            Some(Goal::Boot) => {
                self.plan = None;
                self.begin_end(End::NotStarted(error()));
            }
            Some(Goal::Restart) => self.plan = None,
            Some(Goal::End(_)) | None => {}
        }
    }

    /// Limits how long the end of the supervisor waits for a start that is under way.
    fn limit_start(&mut self, key: Key) {
        let Some(child) = self.children.get(key) else { return };
        let limit = match child.opts.shutdown {
            Shutdown::BrutalKill => std::time::Duration::ZERO,
            Shutdown::Timeout(limit) => limit,
            Shutdown::Infinity => return,
        };
        let at = self.now() + limit;
        self.agenda.add(at, super::agenda::Due::LeaveStart(key));
    }
}
