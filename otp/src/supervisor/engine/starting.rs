//! Starts and restarts of children.

use fika_runtime::{ExitReason, Pid, SendOpts, Term, exit_process, link, send_with};

use super::agenda::Due;
use super::children::{Key, State};
use super::command::StartReply;
use super::decide::{self, AfterFailure, Fate, Occasion, Siblings};
use super::flights::{Landed, Launch};
use super::plan::{Deferred, End, Plan};
use super::report;
use super::{Engine, Retry};
use crate::r#gen::behaviour::{Verdict, Work};
use crate::r#gen::{ReplyTo, StartError};
use crate::supervisor::spec::child_error::ChildError;
use crate::supervisor::spec::child_error::FailedToStartChild;
use crate::supervisor::spec::child_spec::{ChildId, Restart};
use crate::supervisor::spec::flags::SupFlags;
use crate::supervisor::spec::starter::Started;

impl Engine {
    /// Begins to start a child that does not run.
    pub(super) fn launch(
        &mut self,
        key: Key,
        occasion: Occasion,
        reply: Option<ReplyTo<StartReply>>,
    ) {
        let Some(child) = self.children.get_mut(key) else { return };
        let Some(start) = child.start.take() else { return };
        let again = occasion == Occasion::Restart;
        child.restarts += u64::from(again);
        let future = start.into_inner().start(child.opts.restart != Restart::Temporary);
        self.children.set_state(key, State::Starting { again });
        self.flights.add(key, Launch { occasion, reply }, future);
    }

    /// Handles the result of a start.
    pub(super) fn landed(&mut self, landed: Landed) {
        let Landed { key, launch: Launch { occasion, reply }, start, outcome } = landed;
        if !matches!(self.children.state(key), Some(State::Starting { .. })) {
            // The supervisor is ending, and no longer waits for the start.
            if let Some(pid) = outcome.ok().and_then(|started| started.pid()) {
                exit_process(pid, ExitReason::Kill);
            }
            return;
        }
        if let Some(child) = self.children.get_mut(key) {
            child.start = start;
        }
        let outcome = match outcome {
            Err(StartError::Ignored) => Ok(Started::ignored()),
            Ok(started) if started.pid() == Some(self.me) => {
                let why =
                    "the start function returned the supervisor's own pid: return the child's";
                Err(StartError::Failed(ExitReason::Badarg(why.into())))
            }
            Ok(started) => {
                match started.pid().and_then(|pid| self.children.running(pid).zip(Some(pid))) {
                    Some((_, taken)) => Err(StartError::AlreadyStarted(taken)),
                    None => Ok(started),
                }
            }
            error => error,
        };
        let answer = match outcome {
            Ok(started) => {
                match started.pid() {
                    Some(pid) => self.runs(key, pid),
                    None => self.ignored(key),
                }
                Ok(started)
            }
            Err(error) => Err(self.start_failed(key, occasion, error)),
        };
        if let Some(reply) = reply {
            reply.reply(answer);
        }
        if self.flights.is_empty() {
            self.early.clear();
        }
        self.settle(key);
        self.proceed();
    }

    fn runs(&mut self, key: Key, pid: Pid) {
        link(pid);
        self.children.set_state(key, State::Running(pid));
        let now = self.now();
        if let Some(child) = self.children.get_mut(key)
            && let Some(failures) = &mut child.failures
        {
            failures.started(now);
        }
        if let Some(child) = self.children.get(key) {
            self.reporter().started(child, pid);
        }
        if let Some(reason) = self.early.remove(&pid) {
            self.child_exits(key, pid, reason);
        }
    }

    fn ignored(&mut self, key: Key) {
        let Some(child) = self.children.get(key) else { return };
        self.give_fate(key, decide::after_ignore(child.opts.restart, self.keyed));
    }

    fn start_failed(&mut self, key: Key, occasion: Occasion, error: StartError) -> ChildError {
        let id = self.children.get(key).and_then(|child| child.id.clone());
        match decide::after_failure(occasion) {
            AfterFailure::GiveUp => {
                self.report(key, None, &error, report::Event::StartError);
                self.children.set_state(key, State::Stopped);
                let failed = FailedToStartChild { id: id.clone(), error: error.clone() };
                self.plan_failed(|| {
                    StartError::Failed(ExitReason::ShutdownWith(Term::new(&failed)))
                });
            }
            AfterFailure::Forget => self.children.remove(key),
            AfterFailure::Keep => {
                self.children.set_state(key, State::Stopped);
            }
            AfterFailure::Retry => {
                self.report(key, None, &error, report::Event::StartError);
                if self.is_ending() {
                    self.children.set_state(key, State::Stopped);
                } else {
                    self.put_off(key);
                    self.plan_failed(|| StartError::Ignored);
                }
            }
        }
        ChildError::Failed { id, error }
    }

    pub(super) fn give_fate(&mut self, key: Key, fate: Fate) {
        match fate {
            Fate::Forget => self.children.remove(key),
            Fate::Keep | Fate::Restart => {
                self.children.set_state(key, State::Stopped);
            }
        }
    }

    /// Counts a restart and begins it, for the child and the siblings of its strategy.
    pub(super) fn restart(&mut self, key: Key) {
        let now = self.now();
        if self.intensity.exceeds(now) {
            self.report(key, None, &"shutdown", report::Event::ReachedMaxIntensity);
            self.give_verdict(Verdict::Failed(self.too_often(key)));
            return self.begin_end(End::Exit(ExitReason::Shutdown));
        }
        match decide::siblings(self.flags.strategy) {
            Siblings::None => self.launch(key, Occasion::Restart, None),
            Siblings::Later => {
                let later = self.children.keys(|other| key < other);
                self.absorb_ends(&later);
                self.begin_restart(Plan::restart(later, key));
            }
            Siblings::All => {
                let others = self.children.keys(|other| other != key);
                self.absorb_ends(&others);
                self.begin_restart(Plan::restart(others, 0));
            }
        }
    }

    /// Begins the restart of a group. Requests about children wait for its end, so a child that makes
    /// one in its `init` waits for itself. With other starts in progress, this is not certain.
    fn begin_restart(&mut self, plan: Plan) {
        if self.flights.is_empty() {
            let group = const { &Work { callback: "restart", request: || "a group of children" } };
            self.listed.behaviour.begins(group);
        }
        self.plan = Some(plan);
    }

    fn too_often(&self, key: Key) -> String {
        let SupFlags { intensity, period, .. } = self.flags;
        let child = words_for(self.children.get(key).and_then(|child| child.id.as_ref()));
        format!(
            "{child} failed, and a restart would exceed the intensity of {intensity} in {period:?}"
        )
    }

    /// Notes why the supervisor ends, unless it is ending already.
    pub(super) fn give_verdict(&self, verdict: Verdict) {
        if !self.is_ending() {
            self.listed.behaviour.ends(verdict);
        }
    }

    /// Puts off a restart until the waiting messages are handled, or for the child's pause.
    pub(super) fn put_off(&mut self, key: Key) {
        let (token, now) = (self.token(), self.now());
        self.children.set_state(key, State::Restarting { token });
        let Some(child) = self.children.get_mut(key) else { return };
        match &mut child.failures {
            Some(failures) => {
                let pause = failures.failed(now, self.node.env().random());
                self.agenda.add(now + pause, Due::Restart(key, token));
            }
            None => {
                let retry = Retry { key, token };
                // A message to itself: the process exists, and the mailbox has room for it.
                let _ = send_with(self.me, retry, SendOpts::new().beyond_limit());
            }
        }
    }

    /// Begins a restart that was put off, unless the child has been changed meanwhile.
    pub(super) fn retry(&mut self, key: Key, token: u64) {
        let waits =
            matches!(self.children.state(key), Some(State::Restarting { token: t }) if *t == token);
        match &self.plan {
            _ if !waits => {}
            Some(plan) if plan.ends() => {}
            Some(_) => self.deferred.push_back(Deferred::Retry(key, token)),
            None => self.restart(key),
        }
    }
}

/// Returns the words for a child in an error.
pub(super) fn words_for(id: Option<&ChildId>) -> String {
    id.map_or_else(|| "a child".to_owned(), |id| format!("the child {id}"))
}
