//! Performs the plans of a supervisor.

use std::time::Duration;

use super::Engine;
use super::agenda::Due;
use super::children::{Key, State};
use super::decide::Occasion;
use super::plan::{Deferred, End, Goal, Plan};
use crate::r#gen::StartError;
use crate::supervisor::spec::child_spec::Shutdown;

impl Engine {
    /// Ends all children, and then the supervisor. If the supervisor is already ending, the first
    /// reason stays.
    pub(super) fn begin_end(&mut self, end: End) {
        if self.is_ending() {
            return;
        }
        // It has to learn of the ends of its children.
        self.suspended = false;
        self.refuse_requests();
        let all = self.children.keys(|_| true);
        if !self.keyed {
            // SUP-23: all children end at the same time.
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

    /// Takes the next steps of the plan. After the plan, handles the requests and events that
    /// waited.
    pub(super) fn proceed(&mut self) {
        loop {
            self.advance();
            if self.plan.is_some() {
                return;
            }
            self.listed.behaviour.rests();
            match self.deferred.pop_front() {
                None => return,
                Some(Deferred::Start(child, reply)) => self.start_child(*child, reply),
                Some(Deferred::Command(target, command)) => self.command(target, command),
                Some(Deferred::Ended(key)) => {
                    if let Some(end) = self.take_end(key) {
                        let (pid, reason) = *end;
                        self.ended(key, pid, reason);
                    }
                }
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
                plan.start = self.children.keys(|key| from <= key).into();
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

    /// Handles the failed start of a child of the plan.
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

    /// Limits how long the end of the supervisor waits for a start that has not returned.
    fn limit_start(&mut self, key: Key) {
        let Some(child) = self.children.get(key) else { return };
        let limit = match child.opts.shutdown {
            Shutdown::BrutalKill => Duration::ZERO,
            Shutdown::Timeout(limit) => limit,
            Shutdown::Infinity => return,
        };
        let at = self.now() + limit;
        self.agenda.add(at, Due::LeaveStart(key));
    }
}
