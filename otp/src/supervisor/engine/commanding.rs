//! Requests that change the children.

use std::collections::VecDeque;

use super::Engine;
use super::children::{Key, State};
use super::command::{Command, NewChild, StartReply};
use super::decide::{self, Occasion};
use super::plan::Deferred;
use crate::r#gen::ReplyTo;
use crate::supervisor::spec::child_error::{ChildError, ChildRef};

impl Engine {
    /// Adds a child and starts it (SUP-16).
    pub(super) fn start_child(&mut self, child: NewChild, reply: ReplyTo<StartReply>) {
        if self.is_ending() {
            // Its child may wait for the answer in its `terminate`.
            return reply.reply(Err(ChildError::Ending));
        }
        if self.plan.is_some() {
            return self.deferred.push_back(Deferred::Start(Box::new(child), reply));
        }
        if let Some(id) = &child.id
            && let Some(key) = self.children.by_id(id)
        {
            let target = ChildRef::Id(id.clone());
            return self.act(key, target, Command::Start(Box::new(child), reply));
        }
        let key = self.children.add(child.id, child.start, child.opts);
        self.launch(key, Occasion::First, Some(reply));
    }

    /// Handles a request about a child.
    pub(super) fn command(&mut self, target: ChildRef, command: Command) {
        if self.is_ending() {
            return command.fail(ChildError::Ending);
        }
        if self.plan.is_some() {
            return self.deferred.push_back(Deferred::Command(target, command));
        }
        let found = match &target {
            ChildRef::Id(_) if !self.keyed => return command.fail(ChildError::Refused),
            ChildRef::Id(id) => self.children.by_id(id),
            ChildRef::Pid(pid) => self.children.by_pid(*pid),
        };
        match found {
            Some(key) => self.act(key, target, command),
            None => command.fail(ChildError::NotFound { child: target }),
        }
    }

    /// Performs a request about a child, or keeps it until the child has started or ended.
    fn act(&mut self, key: Key, target: ChildRef, command: Command) {
        let restart = self.children.get(key).map(|child| child.opts.restart);
        if let Some(pid) = self.waiting_end(key) {
            // As in OTP, the child counts as running until the supervisor handles its end.
            return match command {
                Command::Terminate(reply) => {
                    self.absorb_ends(&[key]);
                    reply.reply(Ok(()));
                }
                Command::Start(_, reply) => {
                    reply.reply(Err(ChildError::AlreadyStarted { child: target, pid }));
                }
                command => command.fail(ChildError::Running { child: target, pid }),
            };
        }
        match (self.children.state(key), command) {
            (Some(State::Starting { .. } | State::Ending(..)), command) => {
                self.queues.entry(key).or_default().push_back((target, command));
            }
            (Some(State::Running(_)), command @ Command::Terminate(_)) => {
                self.queues.entry(key).or_default().push_front((target, command));
                self.stop(key);
            }
            (Some(State::Running(pid)), Command::Start(_, reply)) => {
                reply.reply(Err(ChildError::AlreadyStarted { child: target, pid: *pid }));
            }
            (Some(State::Running(pid)), command) => {
                let pid = *pid;
                command.fail(ChildError::Running { child: target, pid });
            }
            (Some(State::Restarting { .. }), Command::Terminate(reply)) => {
                let fate = decide::after_stop(restart.unwrap_or_default(), self.keyed);
                self.give_fate(key, fate);
                reply.reply(Ok(()));
            }
            (Some(State::Restarting { .. } | State::Stopped), Command::Start(_, reply)) => {
                reply.reply(Err(ChildError::AlreadyPresent { child: target }));
            }
            (Some(State::Restarting { .. }), command) => {
                command.fail(ChildError::Restarting { child: target });
            }
            (Some(State::Stopped), Command::Restart(reply)) => {
                self.launch(key, Occasion::Again, Some(reply));
            }
            (Some(State::Stopped), Command::Delete(reply)) => {
                self.children.remove(key);
                reply.reply(Ok(()));
            }
            (Some(State::Stopped) | None, Command::Terminate(reply)) => reply.reply(Ok(())),
            (None, Command::Start(child, reply)) => self.start_child(*child, reply),
            (None, command) => command.fail(ChildError::NotFound { child: target }),
        }
    }

    /// Performs the requests that were kept while the child started or ended. During a plan, they
    /// wait for its end, except for a request to end a child that has ended for good.
    pub(super) fn settle(&mut self, key: Key) {
        while !matches!(self.children.state(key), Some(State::Starting { .. } | State::Ending(..)))
        {
            let state = self.children.state(key);
            let stopped = matches!(state, Some(State::Stopped) | None);
            let starts = state.is_some() && self.plan.as_ref().is_some_and(|plan| plan.starts(key));
            if !stopped && self.is_ending() {
                return;
            }
            let for_good = stopped && !starts && self.waiting_end(key).is_none();
            let Some(queue) = self.queues.get_mut(&key) else { return };
            let Some((target, command)) = queue.pop_front() else {
                self.queues.remove(&key);
                return;
            };
            match command {
                command if self.plan.is_none() => self.act(key, target, command),
                Command::Terminate(reply) if for_good => reply.reply(Ok(())),
                command => {
                    queue.push_front((target, command));
                    return self.defer_all(key);
                }
            }
        }
    }

    /// Puts off the requests about a child until the plan is over.
    fn defer_all(&mut self, key: Key) {
        let queue = self.queues.remove(&key).unwrap_or_default();
        self.deferred.extend(queue.into_iter().map(|(target, command)| match command {
            Command::Start(child, reply) => Deferred::Start(child, reply),
            command => Deferred::Command(target, command),
        }));
    }

    /// Fails the requests that a supervisor that ends can't perform. It still ends children.
    pub(super) fn refuse_requests(&mut self) {
        for deferred in std::mem::take(&mut self.deferred) {
            match deferred {
                Deferred::Start(_, reply) => reply.reply(Err(ChildError::Ending)),
                Deferred::Command(_, command) => command.fail(ChildError::Ending),
                Deferred::Ended(..) | Deferred::Retry(..) => {}
            }
        }
        for queue in self.queues.values_mut() {
            let (ends, other): (VecDeque<_>, VecDeque<_>) =
                queue.drain(..).partition(|(_, command)| matches!(command, Command::Terminate(_)));
            *queue = ends;
            other.into_iter().for_each(|(_, command)| command.fail(ChildError::Ending));
        }
    }
}
