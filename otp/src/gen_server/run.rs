//! The loop of a server.
//!
//! The loop checks each message in this order: an exit signal of the parent ends the server; a
//! message that the server lists goes to its handler; a system message goes to `sys`. An unknown
//! request is refused. Every other message is reported and dropped. A system message does not
//! change the server's next action, so a time limit begins again (GS-10). Any other message cancels
//! that action.
//!
//! The server ends in these steps:
//!
//! 1. `terminate` runs. An error in it replaces the reason.
//! 2. An end by an error is reported, with the state and the last message.
//! 3. The process ends. Its state, and requests without a reply, are dropped while the exit reason
//!    is set, so the callers get the reason.

use std::any::type_name;
use std::pin::pin;
use std::time::Duration;

use fika_macros::receive;
use fika_runtime::{
    Envelope, ExitReason, LogRate, Pid, Spawned, catch_exit, exit_async, hibernate, report,
    self_node, self_pid, whereis,
};

use super::handlers::Kind;
use super::next::{Init, Next, NoStart, Plan};
use super::{GenServer, Receives, status};
use crate::r#gen::behaviour::{self, Listed, Work};
use crate::r#gen::contained::contained;
use crate::r#gen::crash::report_crash;
use crate::r#gen::start::{
    InitAck, Start, StartName, address, settle, start_spawned as spawn_started,
};
use crate::r#gen::{Bond, ServerRef, StartError};
use crate::sys::{Control, Event, Order, receive_suspended, refuse};

pub(super) async fn start<S: GenServer>(
    opts: Start,
    bond: Bond,
    args: S::Args,
) -> Result<ServerRef<S>, StartError> {
    start_spawned(opts, bond, args).await.map(|(server, _)| server)
}

pub(super) async fn start_spawned<S: GenServer>(
    opts: Start,
    bond: Bond,
    args: S::Args,
) -> Result<(ServerRef<S>, Spawned), StartError> {
    let name = opts.name.clone();
    let idle = opts.hibernate_after;
    let child_name = name.clone();
    let (spawned, ()) =
        spawn_started(&opts, bond, move |ack| run::<S>(ack, child_name, idle, args)).await?;
    Ok((ServerRef::from_address(address(name.as_ref(), spawned.pid)), spawned))
}

async fn run<S: GenServer>(
    ack: InitAck<()>,
    name_: Option<StartName>,
    idle: Option<Duration>,
    args: S::Args,
) {
    let (ack, listed) = settle(ack, type_name::<S>(), name_.as_ref()).await;
    listed.behaviour.begins(const { &Work { callback: "init", request: type_name::<S> } });
    let init = catch_exit(async { S::init(args).await }).await.unwrap_or_else(Init::stop);
    let (state, next) = match init {
        Init(Ok(started)) => started,
        Init(Err(why)) => {
            if let Some(StartName::Via(via)) = &name_ {
                via.unregister().await;
            }
            let (error, reason) = match why {
                NoStart::Ignore => (StartError::Ignored, ExitReason::Normal),
                NoStart::Stop(reason, crash) => {
                    if crash && !reason.is_orderly() {
                        let last = listed.behaviour.now().0;
                        report_crash(&listed.behaviour, &reason, None, last).await;
                    }
                    (StartError::Failed(reason.clone()), reason)
                }
            };
            drop(listed);
            ack.fail(error, reason).await
        }
    };
    listed.behaviour.rests();
    let control = Control::of(ack.parent());
    ack.ok(());
    Server { state, listed, idle, control }.serve(next).await;
}

/// Turns the running process into a server with this state (OTP's `gen_server:enter_loop`). The
/// process was started by [`proc_lib`](crate::proc_lib), and has acknowledged. Only the name and
/// `hibernate_after` of `opts` are used.
///
/// This function never returns. The process ends with [`Badarg`](ExitReason::Badarg) if it was not
/// started by `proc_lib`, or if `opts` has a name that the process does not have.
///
/// ```
/// use fika::gen_server::{GenServer, Init, ServerRef, Start, enter_loop};
/// use fika::prelude::*;
/// use fika::proc_lib::{self, InitAck};
///
/// struct Idle;
///
/// impl GenServer for Idle {
///     type Args = ();
///     type Receives = ();
///
///     async fn init(_: ()) -> Init<Self> {
///         Init::ok(Idle)
///     }
/// }
///
/// #[fika::main]
/// async fn main() {
///     let child = |ack: InitAck<()>| async move {
///         let parent = ack.parent();
///         ack.ok(());
///         enter_loop(Idle, Start::new(), parent).await
///     };
///     let (pid, ()) = proc_lib::start_link(Start::new(), child).await.unwrap();
///     ServerRef::<Idle>::pid(pid).stop(ExitReason::Normal, None).await.unwrap();
/// }
/// ```
///
/// # Panics
/// Outside of a process.
pub async fn enter_loop<S: GenServer>(state: S, opts: Start, parent: Option<Pid>) {
    let node = self_node();
    let Some(own) = behaviour::of(&node, self_pid()) else {
        let why = "the process was not started by `proc_lib`";
        exit_async(ExitReason::Badarg(why.into())).await;
    };
    let named = match &opts.name {
        None => Some(self_pid()),
        Some(StartName::Local(name)) => whereis(name),
        Some(StartName::Via(via)) => via.whereis(),
    };
    if named != Some(self_pid()) {
        let why = "the process does not have the name that it enters the loop with";
        exit_async(ExitReason::Badarg(why.into())).await;
    }
    let listed = Listed::new(node, own.becomes(type_name::<S>()));
    let (control, idle) = (Control::of(parent), opts.hibernate_after);
    Server { state, listed, idle, control }.serve(Next::go_on()).await;
}

struct Server<S> {
    state: S,
    listed: Listed,
    idle: Option<Duration>,
    control: Control,
}

impl<S: GenServer> Server<S> {
    async fn serve(mut self, mut next: Next) {
        let mut unanswered = None;
        let reason = loop {
            let message = if next.0.is_none() && self.idle.is_none() && !self.control.suspended {
                receive! { message => message }
            } else {
                match self.take(&mut next).await {
                    Ok(message) => message,
                    Err(reason) => break reason,
                }
            };
            let message = match self.control.parent_exit(message) {
                Ok(reason) => break reason,
                Err(message) => message,
            };
            let seen = if self.control.is_watched() { self.see(&message) } else { None };
            let handled = {
                let (state, behaviour) = (&mut self.state, &self.listed.behaviour);
                // Pinned here, since `catch_exit` would move it.
                catch_exit(pin!(S::Receives::handle(state, message, behaviour))).await
            };
            match handled {
                Ok(Ok(handled)) => {
                    // The report of the server's end shows its last message.
                    if !handled.next.stops() {
                        self.listed.behaviour.rests();
                    }
                    if let Some(seen) = seen {
                        self.handled(seen, handled.replied);
                    }
                    next = handled.next;
                    if handled.unanswered.is_some() {
                        unanswered = handled.unanswered;
                    }
                }
                Ok(Err(message)) => match self.control.order(message, &mut self.state, status) {
                    Order::Done => {}
                    Order::Suspend(on) => self.control.suspended = on,
                    Order::Stop(reason) => break reason,
                    Order::Unknown(message) => {
                        report_unexpected(&message);
                        refuse(message);
                        next = Next::go_on();
                    }
                },
                Err(reason) => break reason,
            }
        };
        let reason = self.terminate(reason).await;
        // The state and the request are dropped while the exit reason is set.
        let _kept = (self, unanswered);
        exit_async(reason).await
    }

    /// Takes the next message, or the work that a callback has put off. `next` stays unchanged
    /// until its time has come.
    async fn take(&mut self, next: &mut Next) -> Result<Envelope, ExitReason> {
        let plan = next.plan();
        if let Plan::Now = plan {
            return next.take_now();
        }
        if self.control.suspended {
            return Ok(receive_suspended(self.control.parent()).await);
        }
        match plan {
            Plan::At(at) => {
                let left = at.since(self_node().env().now());
                receive! {
                    message => Ok(message),
                    after left => next.take_now(),
                }
            }
            Plan::Hibernate => {
                hibernate().await;
                Ok(receive! { message => message })
            }
            Plan::Now | Plan::Receive => Ok(self.receive_idle().await),
        }
    }

    /// Takes the next message, and hibernates if none comes soon.
    async fn receive_idle(&mut self) -> Envelope {
        if let Some(idle) = self.idle {
            receive! {
                message => return message,
                after idle => hibernate().await,
            }
        }
        receive! { message => message }
    }

    /// Notes that a message is handled, if the server lists it.
    #[cold]
    fn see(&mut self, message: &Envelope) -> Option<Kind> {
        if !S::Receives::takes(message) {
            return None;
        }
        let kind = S::Receives::describe(message);
        self.control.event(|| Event::In {
            callback: kind.callback.to_owned(),
            message: kind.request.to_owned(),
            from: kind.caller,
        });
        Some(kind)
    }

    /// Notes what a callback has done.
    #[cold]
    fn handled(&mut self, seen: Kind, replied: bool) {
        if replied {
            let Kind { reply, caller, .. } = seen;
            self.control.event(|| Event::Out { message: reply.to_owned(), to: caller });
        }
        let state = &self.state;
        self.control.state(|| format_state(state));
    }

    async fn terminate(&mut self, reason: ExitReason) -> ExitReason {
        let behaviour = &self.listed.behaviour;
        let last = behaviour.now().0;
        behaviour.begins(const { &Work { callback: "terminate", request: type_name::<S> } });
        let state = &mut self.state;
        let reason = match catch_exit(async { state.terminate(&reason).await }).await {
            Ok(()) => reason,
            Err(instead) => instead,
        };
        if !reason.is_orderly() {
            let state = format_state(&self.state);
            report_crash(&self.listed.behaviour, &reason, Some(&state), last).await;
        }
        reason
    }
}

/// Returns the state for reports. A panic in the program's hook is contained (GS-24).
pub(super) fn format_state<S: GenServer>(state: &S) -> String {
    contained(|| state.format_status()).unwrap_or_else(|_| {
        format!("a `{}`, whose `format_status` panicked", std::any::type_name::<S>())
    })
}

/// Limits the reports of unexpected messages of a node's servers.
#[derive(Default)]
struct Unexpected(LogRate);

fn report_unexpected(message: &Envelope) {
    let (node, pid) = (self_node(), self_pid());
    let rate = node.extension_or_init(Unexpected::default);
    rate.0.line(node.env().now(), |left_out| {
        let message = fika_runtime::printable(message.type_name());
        report!(
            warn, %pid, message_type = %message, left_out,
            "a server dropped a message for which it has no handler"
        );
    });
}
