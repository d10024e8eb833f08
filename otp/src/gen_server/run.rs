//! The loop of a server.
//!
//! A message is handled in this order of checks: an exit signal of the parent ends the server; a
//! message that the server lists goes to its handler; a system message goes to `sys`; an unknown
//! request is refused; everything else is reported and dropped.
//!
//! The server ends in these steps:
//!
//! 1. `terminate` runs. An error in it replaces the reason.
//! 2. An end by an error is reported, with the state and the last message.
//! 3. The process ends. Its state, and requests without a reply, are dropped with the reason known,
//!    so their callers get it.

use std::any::type_name;
use std::time::Duration;

use fika_macros::receive;
use fika_runtime::{
    Envelope, Exit, ExitReason, LogRate, Pid, Time, catch_exit, exit_async, hibernate, info,
    report, self_node, self_pid,
};

use super::next::{Action, Init, Next, NoStart};
use super::{GenServer, Receives, status};
use crate::r#gen::behaviour::{Listed, Work};
use crate::r#gen::start::{InitAck, Start, StartName, address, settle, start as start_process};
use crate::r#gen::{Bond, ServerRef, StartError};
use crate::sys::{self, Order};

pub(super) async fn start<S: GenServer>(
    opts: Start,
    bond: Bond,
    args: S::Args,
) -> Result<ServerRef<S>, StartError> {
    start_with_pid(opts, bond, args).await.map(|(server, _)| server)
}

pub(super) async fn start_with_pid<S: GenServer>(
    opts: Start,
    bond: Bond,
    args: S::Args,
) -> Result<(ServerRef<S>, Pid), StartError> {
    let name = opts.name.clone();
    let idle = opts.hibernate_after;
    let child_name = name.clone();
    let (pid, ()) =
        start_process(&opts, bond, move |ack| run::<S>(ack, child_name, idle, args)).await?;
    Ok((ServerRef::from_address(address(name.as_ref(), pid)), pid))
}

async fn run<S: GenServer>(
    ack: InitAck<()>,
    name_: Option<StartName>,
    idle: Option<Duration>,
    args: S::Args,
) {
    let starter = ack.starter;
    let (ack, listed) = settle(ack, type_name::<S>(), name_.as_ref()).await;
    listed.behaviour.begins(const { &Work { callback: "init", request: type_name::<S> } });
    let init = catch_exit(S::init(args)).await.unwrap_or_else(Init::stop);
    let (state, next) = match init {
        Init(Ok(started)) => started,
        Init(Err(why)) => {
            if let Some(StartName::Via(via)) = &name_ {
                via.unregister().await;
            }
            let (error, reason) = match why {
                NoStart::Ignore => (StartError::Ignored, ExitReason::Normal),
                NoStart::Stop(reason, crash) => {
                    if crash {
                        report_crash(&listed, &reason, "it did not start", None).await;
                    }
                    (StartError::Failed(reason.clone()), reason)
                }
            };
            drop(listed);
            ack.fail(error, reason).await
        }
    };
    ack.ok(());
    Server { state, parent: Some(starter), listed, idle, suspended: false }.serve(next).await;
}

/// Turns the running process into a server with this state (OTP's `gen_server:enter_loop`). The
/// process was started by [`proc_lib`](crate::proc_lib).
///
/// It returns only if the process was not started so.
pub async fn enter_loop<S: GenServer>(state: S, opts: Start) {
    let node = self_node();
    let Some(behaviour) = crate::r#gen::behaviour::of(&node, self_pid()) else {
        let reason = ExitReason::Badarg("the process was not started by `proc_lib`".into());
        exit_async(reason).await;
    };
    let parent = behaviour.parent.as_ref().map(|parent| parent.pid).or(behaviour.starter);
    let listed = Listed::new(node, behaviour);
    let server = Server { state, parent, listed, idle: opts.hibernate_after, suspended: false };
    server.serve(Next::go_on()).await;
}

struct Server<S> {
    state: S,
    parent: Option<Pid>,
    listed: Listed,
    idle: Option<Duration>,
    suspended: bool,
}

/// What comes next: a message, or that none came in time.
enum Event {
    Message(Envelope),
    /// The message that was set for this time.
    Due(Envelope),
    Idle,
}

impl<S: GenServer> Server<S> {
    async fn serve(mut self, mut next: Next) {
        let mut unanswered = None;
        let reason = loop {
            let message = match next.0.take().map(|action| *action) {
                None => self.receive(None).await,
                Some(Action::Continue(work)) => work,
                Some(Action::Stop(reason)) => break reason,
                Some(Action::Hibernate) => {
                    hibernate().await;
                    self.receive(None).await
                }
                Some(Action::After(after, message)) => {
                    let at = self_node().env().now() + after;
                    self.receive(Some((Some(after), at, message))).await
                }
                Some(Action::At(at, message)) => self.receive(Some((None, at, message))).await,
            };
            if message.is::<Exit>()
                && message.peek::<Exit>().is_some_and(|exit| Some(exit.from) == self.parent)
            {
                let exit = message.downcast::<Exit>().expect("it is one");
                break exit.body.reason;
            }
            if !S::Receives::takes(&message) {
                match sys::order(message, &mut self.state, self.parent, self.suspended, status) {
                    Order::Done => {}
                    Order::Suspend(on) => self.suspended = on,
                    Order::Stop(reason) => break reason,
                    Order::Unknown(message) => report_unexpected(&message),
                }
                continue;
            }
            let handled = S::Receives::handle(&mut self.state, message, &self.listed.behaviour);
            match catch_exit(handled).await {
                Ok(handled) => {
                    self.listed.behaviour.rests();
                    next = handled.next;
                    if handled.unanswered.is_some() {
                        unanswered = handled.unanswered;
                    }
                }
                Err(reason) => break reason,
            }
        };
        let reason = self.terminate(reason).await;
        // The state and the request are dropped with the reason.
        let _kept = (self, unanswered);
        exit_async(reason).await
    }

    /// Takes the next message, or the one that is set for a time if none comes before.
    async fn receive(&mut self, timeout: Option<(Option<Duration>, Time, Envelope)>) -> Envelope {
        if timeout.is_none() && self.idle.is_none() && !self.suspended {
            return receive! { message => message };
        }
        match self.next_event(timeout).await {
            Event::Message(message) | Event::Due(message) => message,
            Event::Idle => {
                hibernate().await;
                receive! { message => message }
            }
        }
    }

    async fn next_event(&mut self, timeout: Option<(Option<Duration>, Time, Envelope)>) -> Event {
        if self.suspended {
            let parent = self.parent;
            let is_ours = |message: &Envelope| {
                sys::is_system(message)
                    || message.peek::<Exit>().is_some_and(|exit| Some(exit.from) == parent)
            };
            return receive! { message if is_ours(&message) => Event::Message(message) };
        }
        if let Some((_, at, due)) = timeout {
            let left = at.since(self_node().env().now());
            return receive! { message => Event::Message(message), after left => Event::Due(due) };
        }
        match self.idle {
            Some(idle) => {
                receive! { message => Event::Message(message), after idle => Event::Idle }
            }
            None => receive! { message => Event::Message(message) },
        }
    }

    async fn terminate(&mut self, reason: ExitReason) -> ExitReason {
        let behaviour = &self.listed.behaviour;
        let last = behaviour.now().0;
        behaviour.begins(const { &Work { callback: "terminate", request: type_name::<S> } });
        let reason = match catch_exit(self.state.terminate(&reason)).await {
            Ok(()) => reason,
            Err(instead) => instead,
        };
        if !reason.is_orderly() {
            let state = format_state(&self.state);
            report_crash(&self.listed, &reason, &state, last).await;
        }
        reason
    }
}

/// Returns the state for reports. A panic in the program's hook is contained (GS-24).
pub(super) fn format_state<S: GenServer>(state: &S) -> String {
    let formatted =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| state.format_status()));
    formatted.unwrap_or_else(|payload| {
        std::mem::forget(payload);
        format!("a `{}`, whose `format_status` panicked", std::any::type_name::<S>())
    })
}

/// Reports the end of a server by an error (PL-6).
async fn report_crash(
    listed: &Listed,
    reason: &ExitReason,
    state: &str,
    last: Option<&'static Work>,
) {
    let (node, pid) = (self_node(), self_pid());
    let links = info::links(pid).await.unwrap_or_default();
    let name_ = info::registered_name(pid).await.flatten();
    let label = info::label(pid).await.flatten();
    let rate = node.extension_or_init(Crashes::default);
    rate.0.line(node.env().now(), |left_out| {
        let behaviour = &listed.behaviour;
        let (module, ancestors) = (behaviour.module, behaviour.ancestors());
        let name_ = name_.as_ref().map(|name| tracing::field::display(name.as_str()));
        let label = label.as_deref().map(tracing::field::display);
        let last = last.map(|work| format!("{} of {}", work.callback, (work.request)()));
        let last = last.as_deref().unwrap_or("none");
        report!(
            error, %pid, name = name_, label, module, reason = %reason, last, state = %state,
            ancestors = %List(&ancestors), links = %List(&links), left_out, "a server ended by an error"
        );
    });
}

/// Limits the crash reports of a node's servers.
#[derive(Default)]
struct Crashes(LogRate);

struct List<'a>(&'a [Pid]);

impl std::fmt::Display for List<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[")?;
        for (at, pid) in self.0.iter().enumerate() {
            write!(f, "{}{pid}", if at == 0 { "" } else { ", " })?;
        }
        f.write_str("]")
    }
}

fn report_unexpected(message: &Envelope) {
    let (pid, message) = (self_pid(), fika_runtime::printable(message.type_name()));
    report!(warn, %pid, message = %message, "a server dropped a message that it does not list");
}
