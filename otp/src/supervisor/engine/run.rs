//! A supervisor's process: its start, its loop and its end.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use fika_macros::receive;
use fika_runtime::{
    Down, Envelope, Exit, ExitReason, Message, catch_exit, exit_async, hibernate, is_receiving,
    open_message, sleep, trap_exit, yield_now,
};

use super::command::{
    Command, CountChildren, DeleteChild, EndReply, NewChild, RestartChild, StartChild, StartReply,
    TerminateChild, WhichChildren,
};
use super::flights::Landed;
use super::plan::End;
use super::{Engine, Retry};
use crate::r#gen::behaviour::{Listed, Work};
use crate::r#gen::crash::report_crash;
use crate::r#gen::start::{StartName, settle};
use crate::r#gen::wire::{LocalCall, RemoteCall, open_remote};
use crate::r#gen::{InitAck, ReplyTo, StartError};
use crate::supervisor::Supervisor;
use crate::supervisor::spec::child_error::{ChildError, ChildRef};
use crate::supervisor::spec::child_spec::{ChildCount, ChildInfo, ChildOpts};
use crate::supervisor::spec::flags::SupFlags;
use crate::supervisor::spec::starter::{TemplateFn, Templated, start_fn};
use crate::sys::{self, Order, Status};

/// The flags and children that a supervisor starts with.
pub(crate) struct Setup {
    pub(crate) flags: SupFlags,
    pub(crate) children: Vec<NewChild>,
    pub(crate) keyed: bool,
    /// Decodes the start requests of a supervisor that starts its children from a template.
    pub(crate) opener: Option<Opener>,
}

/// Turns a request with arguments into a child to start. Returns any other message unchanged.
pub(crate) type Opener = Box<dyn Fn(Envelope) -> Result<Opened, Envelope> + Send>;

/// A child to start, and the caller to reply to. `None` for a request that did not decode.
pub(crate) type Opened = Option<(NewChild, ReplyTo<StartReply>)>;

/// Returns the opener for requests whose arguments have the type `A`.
pub(crate) fn opener<A: Message + Clone>(template: TemplateFn<A>, opts: ChildOpts) -> Opener {
    Box::new(move |message| {
        Ok(open::<A, StartReply>(message)?.map(|(args, reply)| {
            let start = start_fn(Templated { template: template.clone(), args });
            (NewChild { id: None, start, opts }, reply)
        }))
    })
}

pub(crate) async fn run(
    ack: InitAck<()>,
    name: Option<StartName>,
    idle: Option<Duration>,
    init: impl Future<Output = Result<Setup, StartError>>,
) {
    trap_exit(true);
    let module = std::any::type_name::<Supervisor>();
    let (ack, listed) = settle(ack, module, name.as_ref()).await;
    listed.behaviour.begins(const { &Work { callback: "init", request: || "supervisor" } });
    let setup = catch_exit(init).await.unwrap_or_else(|reason| Err(StartError::Failed(reason)));
    let setup = match setup {
        Ok(setup) => setup,
        Err(error) => return fail(ack, name.as_ref(), listed, error).await,
    };
    let local = match &name {
        Some(StartName::Local(name)) => Some(name.clone()),
        Some(StartName::Via(_)) | None => None,
    };
    let mut engine = Engine::new(listed, ack, local, setup.flags, setup.keyed, idle);
    for child in setup.children {
        engine.children.add(child.id, child.start, child.opts);
    }
    engine.proceed();
    match engine.serve(setup.opener).await {
        End::Exit(reason) => {
            report_end(&engine.listed, &reason, None).await;
            // Unanswered requests are dropped while the exit reason is set, so their callers get
            // it.
            let _kept = engine;
            exit_async(reason).await
        }
        End::NotStarted(error) => {
            let Engine { listed, ack, .. } = engine;
            if let Some(ack) = ack {
                fail(ack, name.as_ref(), listed, error).await;
            }
        }
    }
}

/// Ends a supervisor that has not started (SUP-28).
async fn fail(ack: InitAck<()>, name: Option<&StartName>, listed: Listed, error: StartError) {
    if let Some(StartName::Via(via)) = name {
        via.unregister().await;
    }
    let reason = match &error {
        StartError::Ignored => ExitReason::Normal,
        StartError::Failed(reason) => reason.clone(),
        _ => ExitReason::Shutdown,
    };
    report_end(&listed, &reason, listed.behaviour.now().0).await;
    drop(listed);
    ack.fail(error, reason).await
}

/// Reports the end of the supervisor if it ends by an error (PL-6).
async fn report_end(listed: &Listed, reason: &ExitReason, last: Option<&'static Work>) {
    if !reason.is_orderly() {
        report_crash(&listed.behaviour, reason, None, last).await;
    }
}

/// After this many starts, the supervisor yields to other processes.
const LANDINGS_MAX: u32 = 64;

/// The next event of a supervisor.
enum Event {
    Message(Envelope),
    Landed(Landed),
    /// The first entry of the agenda is due.
    Due,
    /// No message has come for so long that the process hibernates.
    Idle,
}

impl Engine {
    async fn serve(&mut self, opener: Option<Opener>) -> End {
        let mut landings = 0_u32;
        loop {
            if let Some(end) = self.end.take() {
                return end;
            }
            match self.next_event().await {
                Event::Message(message) => self.message(message, opener.as_ref()),
                Event::Landed(landed) => {
                    self.landed(landed);
                    // Starts that return at once do not suspend the process.
                    landings = (landings + 1) % LANDINGS_MAX;
                    if landings == 0 {
                        yield_now().await;
                    }
                }
                Event::Due => self.due(),
                Event::Idle => hibernate().await,
            }
        }
    }

    async fn next_event(&mut self) -> Event {
        if self.suspended {
            return self.next_while_suspended().await;
        }
        if !self.flights.is_empty() || self.agenda.next().is_some() {
            return poll_fn(|context| self.poll_event(context)).await;
        }
        match self.idle {
            None => receive! { message => Event::Message(message) },
            Some(idle) => {
                receive! { message => Event::Message(message), after idle => Event::Idle }
            }
        }
    }

    /// Polls the starts and the mailbox. While a start function itself receives messages, the
    /// supervisor waits for it, as in OTP.
    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        if let Poll::Ready(landed) = self.flights.poll_next(context) {
            return Poll::Ready(Event::Landed(landed));
        }
        if self.poll_alarm(context).is_ready() {
            return Poll::Ready(Event::Due);
        }
        if is_receiving() {
            return Poll::Pending;
        }
        let message = pin!(async {
            receive! { message => message }
        });
        message.poll(context).map(Event::Message)
    }

    fn poll_alarm(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.agenda.next() else { return Poll::Pending };
        if self.alarm.as_ref().is_none_or(|(set, _)| *set != at) {
            self.alarm = Some((at, Box::pin(sleep(at.since(self.now())))));
        }
        let Some((_, alarm)) = &mut self.alarm else { return Poll::Pending };
        let due = alarm.as_mut().poll(context);
        if due.is_ready() {
            self.alarm = None;
        }
        due
    }

    /// Waits for a system message, the end of the parent, or a start that returns (SYS-1).
    async fn next_while_suspended(&mut self) -> Event {
        let parent = self.parent;
        let is_ours = |message: &Envelope| {
            sys::is_system(message)
                || message.peek::<Exit>().is_some_and(|exit| exit.from == parent)
        };
        poll_fn(|context| {
            if let Poll::Ready(landed) = self.flights.poll_next(context) {
                return Poll::Ready(Event::Landed(landed));
            }
            if is_receiving() {
                return Poll::Pending;
            }
            let message = pin!(async {
                receive! { message if is_ours(&message) => message }
            });
            message.poll(context).map(Event::Message)
        })
        .await
    }

    fn message(&mut self, message: Envelope, opener: Option<&Opener>) {
        if let Err(message) = self.signal(message)
            && let Err(message) = self.request(message, opener)
        {
            let (parent, suspended) = (Some(self.parent), self.suspended);
            match sys::order(message, self, parent, suspended, status) {
                Order::Done => {}
                Order::Suspend(on) => self.suspended = on && !self.is_ending(),
                Order::Stop(reason) => {
                    self.begin_end(End::Exit(reason));
                    self.proceed();
                }
                Order::Unknown(message) => {
                    self.reporter().unexpected(&message);
                    sys::refuse(message);
                }
            }
        }
    }

    /// Handles a message from the runtime, or from the supervisor to itself. Such a message is never
    /// encoded, so an encoded one comes from another node and pretends to be one.
    fn signal(&mut self, message: Envelope) -> Result<(), Envelope> {
        if message.as_encoded().is_some() {
            return Err(message);
        }
        if message.is::<Exit>() {
            if let Some(Exit { from, reason }) = open_message(message) {
                self.exit_signal(from, reason);
            }
        } else if message.is::<Down>() {
            if let Some(down) = open_message(message) {
                self.down(down);
            }
        } else if message.is::<Retry>() {
            if let Some(Retry { key, token }) = open_message(message) {
                self.retry(key, token);
                self.proceed();
            }
        } else {
            return Err(message);
        }
        Ok(())
    }

    fn request(&mut self, message: Envelope, opener: Option<&Opener>) -> Result<(), Envelope> {
        let message = match opener {
            Some(opener) => match opener(message) {
                Ok(opened) => {
                    if let Some((child, reply)) = opened {
                        self.start_child(child, reply);
                    }
                    return Ok(());
                }
                Err(message) => message,
            },
            None => match self.start_request(message) {
                Ok(()) => return Ok(()),
                Err(message) => message,
            },
        };
        let message = match open::<WhichChildren, Vec<ChildInfo>>(message) {
            Ok(asked) => return answer(asked, |_| self.children.list()),
            Err(message) => message,
        };
        let message = match open::<CountChildren, ChildCount>(message) {
            Ok(asked) => return answer(asked, |_| self.children.count()),
            Err(message) => message,
        };
        let message = match open::<TerminateChild, EndReply>(message) {
            Ok(Some((TerminateChild(child), reply))) => {
                self.command(child, Command::Terminate(reply));
                return Ok(());
            }
            Ok(None) => return Ok(()),
            Err(message) => message,
        };
        let message = match open::<RestartChild, StartReply>(message) {
            Ok(Some((RestartChild(id), reply))) => {
                self.command(ChildRef::Id(id), Command::Restart(reply));
                return Ok(());
            }
            Ok(None) => return Ok(()),
            Err(message) => message,
        };
        if let Some((DeleteChild(id), reply)) = open::<DeleteChild, EndReply>(message)? {
            self.command(ChildRef::Id(id), Command::Delete(reply));
        }
        Ok(())
    }

    fn start_request(&mut self, message: Envelope) -> Result<(), Envelope> {
        if let Some((StartChild(spec), reply)) = open::<StartChild, StartReply>(message)? {
            match crate::supervisor::spec::flags::check_child(&self.flags, &spec) {
                Err(error) => reply.reply(Err(ChildError::Invalid(error))),
                Ok(()) => {
                    let id = self.keyed.then_some(spec.id);
                    let child = NewChild { id, start: spec.start, opts: spec.opts };
                    self.start_child(child, reply);
                }
            }
        }
        Ok(())
    }
}

/// Decodes a request. `Ok(None)` if it came from another node and did not decode.
fn open<R: Message, A: Message>(message: Envelope) -> Result<Option<(R, ReplyTo<A>)>, Envelope> {
    if message.is::<LocalCall<R, A>>() {
        let call = open_message::<LocalCall<R, A>>(message);
        Ok(call.map(LocalCall::take).map(|(from, request)| (request, from)))
    } else if message.is::<RemoteCall<R, A>>() {
        let call = open_remote::<R, A>(message);
        Ok(call.map(|call| (call.request, ReplyTo::there(call.head.caller, call.head.proxy))))
    } else {
        Err(message)
    }
}

fn answer<R, A: Message>(
    asked: Option<(R, ReplyTo<A>)>,
    with: impl FnOnce(R) -> A,
) -> Result<(), Envelope> {
    if let Some((request, reply)) = asked {
        reply.reply(with(request));
    }
    Ok(())
}

fn status(engine: &Engine, parent: Option<fika_runtime::Pid>, suspended: bool) -> Status {
    let ChildCount { specs, active, .. } = engine.children.count();
    let state = format!("{:?}, {specs} children, {active} of them run", engine.flags.strategy);
    let module = std::any::type_name::<Supervisor>().to_owned();
    Status { module, parent, suspended, state, log: Vec::new() }
}
