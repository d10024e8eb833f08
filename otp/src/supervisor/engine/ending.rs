//! The ends of children, whether the supervisor has asked for them or not.

use fika_runtime::{Down, ExitReason, Pid, exit_process, has_ended, monitor};

use super::Engine;
use super::agenda::Due;
use super::children::{Ending, Key, State};
use super::decide::{self, Fate};
use super::plan::{Deferred, End};
use super::report;
use super::starting::words_for;
use crate::r#gen::behaviour::Verdict;
use crate::supervisor::spec::child_spec::Shutdown;

/// How many exit signals of unknown processes are kept while children are being started. A start
/// may last for any time, and any process may send such signals.
const EARLY_MAX: usize = 1024;

impl Engine {
    /// Asks a child to end (SUP-7), unless it was asked before.
    pub(super) fn stop(&mut self, key: Key) {
        let token = self.token();
        let Some(child) = self.children.get(key) else { return };
        let shutdown = child.opts.shutdown;
        let pid = match self.children.state(key) {
            Some(State::Running(pid)) => {
                let pid = *pid;
                let ending = Ending { monitor: monitor(pid), seen: None, asked: true, token };
                self.children.set_state(key, State::Ending(pid, Box::new(ending)));
                pid
            }
            Some(State::Ending(pid, ending)) if !ending.asked => {
                let pid = *pid;
                if let Some(ending) = self.children.ending_mut(key) {
                    (ending.asked, ending.token) = (true, token);
                }
                pid
            }
            _ => return,
        };
        match shutdown {
            Shutdown::BrutalKill => exit_process(pid, ExitReason::Kill),
            Shutdown::Infinity => exit_process(pid, ExitReason::Shutdown),
            Shutdown::Timeout(limit) => {
                exit_process(pid, ExitReason::Shutdown);
                self.agenda.add(self.now() + limit, Due::Kill(key, token));
                let children = &self.children;
                self.agenda.tidy(|due| due.is_stale(children));
            }
        }
    }

    /// Handles an exit signal.
    pub(super) fn exit_signal(&mut self, from: Pid, reason: ExitReason) {
        if from == self.parent {
            self.begin_end(End::Exit(reason));
        } else if let Some(key) = self.children.running(from) {
            self.child_exits(key, from, reason);
        } else if !self.flights.is_empty() {
            if self.early.len() == EARLY_MAX {
                self.early.clear();
            }
            self.early.insert(from, reason);
        }
        self.proceed();
    }

    pub(super) fn child_exits(&mut self, key: Key, pid: Pid, reason: ExitReason) {
        if let Some(ending) = self.children.ending_mut(key) {
            ending.seen.get_or_insert(reason);
        } else if !self.is_gone(pid, &reason) {
            let token = self.token();
            let monitor = monitor(pid);
            let ending = Ending { monitor, seen: Some(reason), asked: false, token };
            self.children.set_state(key, State::Ending(pid, Box::new(ending)));
        } else {
            self.children.set_state(key, State::Stopped);
            self.has_ended(key, pid, reason, false);
        }
    }

    /// Returns whether the process that this exit signal came from is known to have ended. Of a
    /// process on another node this is known only if the node is lost: a monitor would connect to
    /// it again.
    fn is_gone(&self, pid: Pid, reason: &ExitReason) -> bool {
        match pid.node() == self.me.node() {
            true => has_ended(pid),
            false => *reason == ExitReason::Noconnection,
        }
    }

    /// Handles the `Down` of a child.
    pub(super) fn down(&mut self, down: Down) {
        let Some(key) = self.children.by_monitor(down.monitor) else { return };
        let Some(State::Ending(pid, ending)) = self.children.set_state(key, State::Stopped) else {
            return;
        };
        let reason = match down.reason {
            ExitReason::Noproc => ending.seen.unwrap_or(ExitReason::Noproc),
            reason => reason,
        };
        self.has_ended(key, pid, reason, ending.asked);
        self.proceed();
    }

    fn has_ended(&mut self, key: Key, pid: Pid, reason: ExitReason, asked: bool) {
        if asked || self.plan.as_ref().is_some_and(|plan| plan.stops(key)) {
            self.has_stopped(key, pid, &reason);
        } else {
            self.ended(key, pid, reason);
        }
        self.settle(key);
    }

    /// Handles the end of a child that the supervisor has asked to end.
    fn has_stopped(&mut self, key: Key, pid: Pid, reason: &ExitReason) {
        let Some(child) = self.children.get(key) else { return };
        let opts = child.opts;
        if !decide::ends_as_asked(opts.shutdown, opts.restart, reason) {
            self.report(key, Some(pid), reason, report::Event::ShutdownError);
        }
        self.give_fate(key, decide::after_stop(opts.restart, self.keyed));
    }

    /// Handles the end of a child that was not asked to end.
    pub(super) fn ended(&mut self, key: Key, pid: Pid, reason: ExitReason) {
        if let Some(plan) = &self.plan {
            if !plan.ends()
                && let Some(child) = self.children.get_mut(key)
            {
                child.unhandled = Some(Box::new((pid, reason)));
                self.deferred.push_back(Deferred::Ended(key));
            }
            return;
        }
        let Some(child) = self.children.get(key) else { return };
        let (opts, pauses) = (child.opts, child.failures.is_some());
        let id = child.id.clone().filter(|_| opts.significant);
        if decide::is_reported(opts.restart, &reason) {
            self.report(key, Some(pid), &reason, report::Event::ChildTerminated);
        }
        match decide::after_end(opts.restart, &reason, self.keyed) {
            Fate::Restart if pauses => return self.put_off(key),
            Fate::Restart => return self.restart(key),
            fate => self.give_fate(key, fate),
        }
        let auto = self.flags.auto_shutdown;
        if decide::shuts_down(auto, opts.significant, self.children.significant()) {
            self.give_verdict(match reason.is_orderly() {
                true => Verdict::Done,
                false => {
                    let child = words_for(id.as_ref());
                    Verdict::Failed(format!("{child}, which is significant, ended: {reason}"))
                }
            });
            self.begin_end(End::Exit(ExitReason::Shutdown));
        }
    }

    /// Handles the ends of these children that wait for the end of a plan. A plan or a request ends
    /// the children now, so their own ends restart nothing. (In OTP, it takes their exit signals out
    /// of the mailbox.)
    pub(super) fn absorb_ends(&mut self, keys: &[Key]) {
        for key in keys {
            if let Some(end) = self.take_end(*key) {
                let (pid, reason) = *end;
                self.has_stopped(*key, pid, &reason);
            }
        }
    }

    /// Takes the end of a child that waits for the end of a plan.
    pub(super) fn take_end(&mut self, key: Key) -> Option<Box<(Pid, ExitReason)>> {
        self.children.get_mut(key)?.unhandled.take()
    }

    /// Returns the process of a child whose end waits for the end of a plan.
    pub(super) fn waiting_end(&self, key: Key) -> Option<Pid> {
        self.children.get(key)?.unhandled.as_ref().map(|end| end.0)
    }

    /// Takes the actions that are due.
    pub(super) fn due(&mut self) {
        let now = self.now();
        while let Some(due) = self.agenda.take(now) {
            match due {
                Due::Kill(key, token) => match self.children.state(key) {
                    Some(State::Ending(pid, ending)) if ending.token == token => {
                        exit_process(*pid, ExitReason::Kill);
                    }
                    _ => {}
                },
                Due::Restart(key, token) => self.retry(key, token),
                Due::LeaveStart(key) => {
                    if matches!(self.children.state(key), Some(State::Starting { .. })) {
                        self.children.set_state(key, State::Stopped);
                    }
                }
            }
        }
        self.proceed();
    }
}
