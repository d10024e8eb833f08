//! The state of a supervisor, and what it does when something happens to a child.
//!
//! Nothing here waits. A start is a future that is polled beside the mailbox (`flights`); the end of
//! a child is the `Down` of a monitor; a time limit is an entry of the agenda. So the supervisor
//! answers while a child takes its time. A child is always in one [`State`]:
//!
//! | state | by | next |
//! |---|---|---|
//! | `Starting` | `launch` | `Running`, `Stopped`, or `Restarting` if a restart has failed |
//! | `Running` | `landed` | `Ending`, or `Stopped` when it has ended |
//! | `Ending` | `stop`, or an exit signal of a child that lives | `Stopped`, when the `Down` has come |
//! | `Restarting` | `put_off` | `Starting` |
//! | `Stopped` | | `Starting` |
//!
//! The exit signal of a link says that a child has ended, but a process can also send one while it
//! lives. So a child counts as ended only when its process is gone: its next `init` never overlaps
//! with it. The link stays until then, so no child is left behind if the supervisor is killed
//! meanwhile. (OTP removes the link first.)

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::time::Duration;

use fika_macros::Message;
use fika_runtime::{
    Down, Env as _, ExitReason, Node, Pid, Sleep, Term, Time, exit_process, has_ended, link,
    monitor, send,
};

use super::agenda::{Agenda, Due};
use super::child_error::{ChildError, ChildRef};
use super::child_spec::{ChildId, ChildOpts, Restart, Shutdown};
use super::children::{Children, Ending, Key, State};
use super::decide::{self, AfterFailure, Fate, Intensity, Occasion, Siblings};
use super::flags::SupFlags;
use super::flights::{Flights, Landed};
use super::plan::{Deferred, Plan};
use super::report;
use super::starter::{Started, Starter};
use super::supervisor_start::FailedToStartChild;
use crate::r#gen::behaviour::Listed;
use crate::r#gen::{InitAck, ReplyTo, StartError};

pub(super) type StartReply = Result<Started, ChildError>;
pub(super) type EndReply = Result<(), ChildError>;

/// A child to add.
pub(super) struct NewChild {
    pub(super) id: Option<ChildId>,
    pub(super) start: Box<dyn Starter>,
    pub(super) opts: ChildOpts,
}

/// A request about one child.
pub(super) enum Command {
    Start(Box<NewChild>, ReplyTo<StartReply>),
    Terminate(ReplyTo<EndReply>),
    Restart(ReplyTo<StartReply>),
    Delete(ReplyTo<EndReply>),
}

/// Try a restart again, after the messages that have come meanwhile (SUP-13).
#[derive(Message)]
#[message(local)]
pub(super) struct Retry {
    pub(super) key: Key,
    pub(super) token: u64,
}

/// How a supervisor ends, when its children have ended.
#[derive(Clone)]
pub(super) enum End {
    /// With this reason.
    Exit(ExitReason),
    /// It has not started.
    NotStarted(StartError),
}

/// Why a start is under way, and who waits for it.
struct Launch {
    occasion: Occasion,
    reply: Option<ReplyTo<StartReply>>,
}

pub(super) struct Engine {
    pub(super) node: Node,
    pub(super) me: Pid,
    pub(super) parent: Pid,
    pub(super) flags: SupFlags,
    /// Whether children have ids. Otherwise, the supervisor is a simple or a dynamic one.
    pub(super) keyed: bool,
    pub(super) listed: Listed,
    /// Acknowledges when all children have started.
    pub(super) ack: Option<InitAck<()>>,
    pub(super) children: Children,
    pub(super) flights: Flights,
    launches: HashMap<Key, Launch>,
    /// Exit signals of unknown processes while starts are under way: a child may end before its
    /// start function returns.
    early: HashMap<Pid, ExitReason>,
    pub(super) agenda: Agenda,
    /// Wakes the supervisor when the agenda's first entry is due.
    pub(super) alarm: Option<(Time, Pin<Box<Sleep>>)>,
    intensity: Intensity,
    pub(super) plan: Option<Plan>,
    pub(super) deferred: VecDeque<Deferred>,
    /// Requests about a child that starts or ends just now.
    queues: HashMap<Key, VecDeque<(ChildRef, Command)>>,
    tokens: u64,
    pub(super) end: Option<End>,
    pub(super) idle: Option<Duration>,
    pub(super) suspended: bool,
}

impl Engine {
    pub(super) fn new(
        listed: Listed,
        ack: InitAck<()>,
        flags: SupFlags,
        keyed: bool,
        idle: Option<Duration>,
    ) -> Engine {
        Engine {
            node: fika_runtime::self_node(),
            me: fika_runtime::self_pid(),
            parent: ack.starter,
            flags,
            keyed,
            listed,
            ack: Some(ack),
            children: Children::default(),
            flights: Flights::default(),
            launches: HashMap::new(),
            early: HashMap::new(),
            agenda: Agenda::default(),
            alarm: None,
            intensity: Intensity::new(flags.intensity, flags.period),
            plan: Some(Plan::boot()),
            deferred: VecDeque::new(),
            queues: HashMap::new(),
            tokens: 0,
            end: None,
            idle,
            suspended: false,
        }
    }

    pub(super) fn now(&self) -> Time {
        self.node.env().now()
    }

    fn token(&mut self) -> u64 {
        self.tokens += 1;
        self.tokens
    }

    pub(super) fn booted(&mut self) {
        self.listed.behaviour.rests();
        if let Some(ack) = self.ack.take() {
            ack.ok(());
        }
    }

    // Starting.

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
        let future = start.start(child.opts.restart != Restart::Temporary);
        self.children.set_state(key, State::Starting { again });
        self.launches.insert(key, Launch { occasion, reply });
        self.flights.add(key, future);
    }

    /// Takes the result of a start.
    pub(super) fn landed(&mut self, landed: Landed) {
        let Landed { key, start, outcome } = landed;
        let Some(Launch { occasion, reply }) = self.launches.remove(&key) else { return };
        if !matches!(self.children.state(key), Some(State::Starting { .. })) {
            // The supervisor ends, and no longer waited for the start.
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
            Ok(started) => {
                match started.pid().and_then(|pid| self.children.by_pid(pid).zip(Some(pid))) {
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
        if let Some(child) = self.children.get_mut(key) {
            if let Some(failures) = &mut child.failures {
                failures.started(now);
            }
            report::started(self.me, child, pid);
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

    fn give_fate(&mut self, key: Key, fate: Fate) {
        match fate {
            Fate::Forget => self.children.remove(key),
            Fate::Keep | Fate::Restart => {
                self.children.set_state(key, State::Stopped);
            }
        }
    }

    // Restarting.

    /// Counts a restart and begins it, for the child and the siblings of its strategy.
    fn restart(&mut self, key: Key) {
        let now = self.now();
        if self.intensity.exceeds(now) {
            self.report(key, None, &"shutdown", report::Event::ReachedMaxIntensity);
            return self.begin_end(End::Exit(ExitReason::Shutdown));
        }
        match decide::siblings(self.flags.strategy) {
            Siblings::None => self.launch(key, Occasion::Restart, None),
            Siblings::Later => {
                let later = self.children.keys_after(key).collect();
                self.plan = Some(Plan::restart(later, key));
            }
            Siblings::All => {
                let others = self.children.keys(..).filter(|other| *other != key).collect();
                self.plan = Some(Plan::restart(others, 0));
            }
        }
    }

    /// Puts a restart off until after the messages that wait, or for the child's pause.
    fn put_off(&mut self, key: Key) {
        let (token, now) = (self.token(), self.now());
        self.children.set_state(key, State::Restarting { token });
        let Some(child) = self.children.get_mut(key) else { return };
        match &mut child.failures {
            Some(failures) => {
                let pause = failures.failed(now, self.node.env().random());
                self.agenda.add(now + pause, Due::Restart(key, token));
            }
            None => send(self.me, Retry { key, token }),
        }
    }

    /// Begins a restart that was put off, unless something else has happened to the child.
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

    // Ending.

    /// Asks a child to end (SUP-7), unless that was done.
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
            }
        }
    }

    /// Takes an exit signal.
    pub(super) fn exit_signal(&mut self, from: Pid, reason: ExitReason) {
        if from == self.parent {
            self.begin_end(End::Exit(reason));
        } else if let Some(key) = self.children.by_pid(from) {
            self.child_exits(key, from, reason);
        } else if !self.flights.is_empty() {
            self.early.insert(from, reason);
        }
        self.proceed();
    }

    fn child_exits(&mut self, key: Key, pid: Pid, reason: ExitReason) {
        if let Some(ending) = self.children.ending_mut(key) {
            ending.seen.get_or_insert(reason);
        } else if pid.node() == self.me.node() && !has_ended(pid) {
            let token = self.token();
            let monitor = monitor(pid);
            let ending = Ending { monitor, seen: Some(reason), asked: false, token };
            self.children.set_state(key, State::Ending(pid, Box::new(ending)));
        } else {
            // If it is on another node, that may be gone: a monitor would have to connect to it.
            self.children.set_state(key, State::Stopped);
            self.has_ended(key, pid, reason, false);
        }
    }

    /// Takes the end of a child.
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

    /// Takes the end of a child that the supervisor has ended.
    fn has_stopped(&mut self, key: Key, pid: Pid, reason: &ExitReason) {
        let Some(child) = self.children.get(key) else { return };
        let opts = child.opts;
        if !decide::ends_as_asked(opts.shutdown, opts.restart, reason) {
            self.report(key, Some(pid), reason, report::Event::ShutdownError);
        }
        self.give_fate(key, decide::after_stop(opts.restart, self.keyed));
    }

    /// Takes the end of a child on its own.
    pub(super) fn ended(&mut self, key: Key, pid: Pid, reason: ExitReason) {
        if let Some(plan) = &self.plan {
            if !plan.ends() {
                self.deferred.push_back(Deferred::Ended(key, pid, reason));
            }
            return;
        }
        let Some(child) = self.children.get(key) else { return };
        let (opts, pauses) = (child.opts, child.failures.is_some());
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
            self.begin_end(End::Exit(ExitReason::Shutdown));
        }
    }

    /// Does what is due.
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

    fn report(
        &self,
        key: Key,
        pid: Option<Pid>,
        reason: &dyn std::fmt::Display,
        event: report::Event,
    ) {
        if let Some(child) = self.children.get(key) {
            report::child(&self.node, self.me, child, pid, reason, event);
        }
    }

    // Requests.

    /// Adds a child and starts it (SUP-16).
    pub(super) fn start_child(&mut self, child: NewChild, reply: ReplyTo<StartReply>) {
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

    /// Takes a request about a child.
    pub(super) fn command(&mut self, target: ChildRef, command: Command) {
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

    /// Does what was asked about a child, or keeps it until the child's start or end is over.
    fn act(&mut self, key: Key, target: ChildRef, command: Command) {
        let restart = self.children.get(key).map(|child| child.opts.restart);
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

    /// Does what was asked about a child while it started or ended.
    fn settle(&mut self, key: Key) {
        while !matches!(self.children.state(key), Some(State::Starting { .. } | State::Ending(..)))
        {
            match self.queues.get_mut(&key).map(VecDeque::pop_front) {
                None => return,
                Some(None) => {
                    self.queues.remove(&key);
                    return;
                }
                Some(Some((target, command))) => self.act(key, target, command),
            }
        }
    }
}

impl Command {
    fn fail(self, error: ChildError) {
        match self {
            Command::Start(_, reply) | Command::Restart(reply) => reply.reply(Err(error)),
            Command::Terminate(reply) | Command::Delete(reply) => reply.reply(Err(error)),
        }
    }
}
