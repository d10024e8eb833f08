//! Handles system messages in a process: [`Control`].

use std::any::Any;
use std::fmt;

use fika_macros::receive;
use fika_runtime::{Envelope, Exit, ExitReason, Pid, open_message, self_node, self_pid};

use super::debug::Debug;
use super::wire::{Event, Install, OnState, OnStateDone, Status, System, SystemReply};
use crate::r#gen::behaviour;
use crate::r#gen::contained::{contained, discard};
use crate::r#gen::wire::{LocalCall, head_of};

/// The action that a system message asks of the process's loop.
pub(crate) enum Order {
    Done,
    Suspend(bool),
    Stop(ExitReason),
    /// The message is not a system message.
    Unknown(Envelope),
}

/// Returns whether this is a system message.
pub(crate) fn is_system(message: &Envelope) -> bool {
    message.is::<LocalCall<System, SystemReply>>()
        || message.is::<LocalCall<OnState, OnStateDone>>()
        || message.is::<LocalCall<Install, ()>>()
}

/// Handles a system message, in a process that keeps no [`Control`].
pub(crate) fn order<S: 'static>(
    message: Envelope,
    state: &mut S,
    parent: Option<Pid>,
    suspended: bool,
    status: impl FnOnce(&S, Option<Pid>, bool) -> Status,
) -> Order {
    Control { parent, suspended, debug: None }.order(message, state, status)
}

/// Drops a message that the process does not know. A call from another node gets the reply that it
/// is refused; the drop alone refuses a call from this node.
pub(crate) fn refuse(message: Envelope) {
    if let Some(head) = head_of(&message) {
        head.refuse();
    }
    discard(message);
}

/// Handles system messages in a process that is written by hand (OTP's `sys:handle_system_msg/6`).
/// All functions of [`sys`](super) then work with the process, and it can be part of a supervision
/// tree.
///
/// The process takes its messages by [`next`](Control::next), which handles system messages and
/// suspends the process as they ask.
///
/// ```
/// use fika::prelude::*;
/// use fika::proc_lib::{self, InitAck, Start};
/// use fika::sys::{self, Control, Received};
/// use fika::gen_server::ServerRef;
///
/// async fn counter(ack: InitAck<()>) {
///     let mut control = Control::new(&ack);
///     ack.ok(());
///     let mut count = 0_u64;
///     loop {
///         match control.next(&mut count).await {
///             Received::Message(message) if message.is::<u64>() => count += 1,
///             Received::Message(_) => {}
///             Received::Stop(reason) => exit(reason),
///         }
///     }
/// }
///
/// #[fika::main]
/// async fn main() -> fika::Result {
///     let (pid, ()) = proc_lib::start_link(Start::new(), counter).await?;
///     send(pid, 5_u64);
///     let counter = ServerRef::<u64>::pid(pid);
///     assert_eq!(sys::get_state(&counter).await?, 1);
///     counter.stop(ExitReason::Normal, None).await?;
///     Ok(())
/// }
/// ```
#[derive(Default)]
pub struct Control {
    parent: Option<Pid>,
    pub(crate) suspended: bool,
    debug: Option<Box<Debug>>,
}

/// The result of [`Control::next`].
///
/// ```
/// use fika::prelude::*;
/// use fika::proc_lib::InitAck;
/// use fika::sys::{Control, Received};
///
/// async fn printer(ack: InitAck<()>) {
///     let mut control = Control::new(&ack);
///     ack.ok(());
///     loop {
///         match control.next(&mut ()).await {
///             Received::Message(message) => match message.downcast::<String>() {
///                 Ok(text) => println!("{}", text.body),
///                 Err(other) => println!("a message of the type {}", other.type_name()),
///             },
///             Received::Stop(reason) => exit(reason),
///         }
///     }
/// }
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let (pid, ()) = fika::proc_lib::start_link(Start::new(), printer).await?;
/// # send(pid, "hello".to_owned());
/// # send(pid, 7_u64);
/// # fika::proc_lib::stop(pid, ExitReason::Normal, secs(5)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub enum Received {
    /// A message that is not a system message.
    Message(Envelope),
    /// The process is to clean up, and to end with this reason: by [`terminate`](super::terminate),
    /// by [`ServerRef::stop`](crate::ServerRef::stop), or because its parent has ended.
    Stop(ExitReason),
}

impl Control {
    /// Returns the control of a process that is being started by [`proc_lib`](crate::proc_lib). Its
    /// parent is the process that starts it, if the two are linked.
    #[must_use]
    pub fn new<T>(ack: &crate::InitAck<T>) -> Control {
        Control::of(ack.parent())
    }

    pub(crate) fn of(parent: Option<Pid>) -> Control {
        Control { parent, ..Control::default() }
    }

    /// Returns the process that this one belongs to. When the parent ends, [`next`](Control::next)
    /// returns [`Received::Stop`] with its reason, if this process traps exits.
    ///
    /// ```
    /// use fika::prelude::*;
    /// use fika::proc_lib::{self, InitAck};
    /// use fika::sys::Control;
    ///
    /// async fn child(ack: InitAck<Option<Pid>>) {
    ///     let control = Control::new(&ack);
    ///     ack.ok(control.parent());
    /// }
    ///
    /// # #[fika::main]
    /// # async fn main() -> fika::Result {
    /// let (_, parent) = proc_lib::start_link(Start::new(), child).await?;
    /// assert_eq!(parent, Some(self_pid()));
    /// let (_, parent) = proc_lib::start(Start::new(), child).await?;
    /// assert_eq!(parent, None);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn parent(&self) -> Option<Pid> {
        self.parent
    }

    /// Waits for the next message that is not a system message, and obeys system messages
    /// meanwhile. [`get_state`](super::get_state) and [`replace_state`](super::replace_state) work
    /// on `state`.
    ///
    /// No message is lost if the future is dropped before it is ready.
    ///
    /// # Panics
    /// Outside of a process.
    pub async fn next<S: fmt::Debug + 'static>(&mut self, state: &mut S) -> Received {
        loop {
            let message = if self.suspended {
                receive_suspended(self.parent).await
            } else {
                receive! { message => message }
            };
            let message = match self.parent_exit(message) {
                Ok(reason) => return Received::Stop(reason),
                Err(message) => message,
            };
            match self.order(message, state, describe) {
                Order::Done => {}
                Order::Suspend(on) => self.suspended = on,
                Order::Stop(reason) => return Received::Stop(reason),
                Order::Unknown(message) => return Received::Message(message),
            }
        }
    }

    /// Returns the exit reason of the parent, if this is its exit message.
    pub(crate) fn parent_exit(&self, message: Envelope) -> Result<ExitReason, Envelope> {
        if !is_exit_of(&message, self.parent) {
            return Err(message);
        }
        message.downcast::<Exit>().map(|exit| exit.body.reason)
    }

    /// Notes an event, for the log, the trace, the counts and the functions of
    /// [`sys::install`](super::install) (OTP's `sys:handle_debug/4`). `event` is called only if one
    /// of them is switched on.
    ///
    /// ```
    /// use fika::prelude::*;
    /// use fika::proc_lib::{self, InitAck};
    /// use fika::sys::{self, Control, Event, Received};
    /// # use fika::gen_server::ServerRef;
    ///
    /// async fn counter(ack: InitAck<()>) {
    ///     let mut control = Control::new(&ack);
    ///     ack.ok(());
    ///     let mut count = 0_u64;
    ///     loop {
    ///         match control.next(&mut count).await {
    ///             Received::Message(_) => count += 1,
    ///             Received::Stop(reason) => exit(reason),
    ///         }
    ///         if control.is_watched() {
    ///             println!("somebody is looking");
    ///         }
    ///         control.event(|| Event::State(count.to_string()));
    ///     }
    /// }
    ///
    /// # #[fika::main]
    /// # async fn main() -> fika::Result {
    /// let (pid, ()) = proc_lib::start_link(Start::new(), counter).await?;
    /// let counter = ServerRef::<u64>::pid(pid);
    /// sys::log(&counter, 10).await?;
    /// send(pid, "a message".to_owned());
    /// assert_eq!(sys::get_log(&counter).await?, [Event::State("1".into())]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn event(&mut self, event: impl FnOnce() -> Event) {
        if let Some(debug) = &mut self.debug {
            debug.event(event());
        }
    }

    /// Returns whether statistics, a log, a trace or a function is switched on.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.debug.is_some()
    }

    /// Notes the state after a callback.
    pub(crate) fn state(&mut self, state: impl FnOnce() -> String) {
        if let Some(debug) = self.debug.as_mut().filter(|debug| debug.wants_states()) {
            debug.event(Event::State(state()));
        }
    }

    /// Handles a system message.
    pub(crate) fn order<S: 'static>(
        &mut self,
        message: Envelope,
        state: &mut S,
        status: impl FnOnce(&S, Option<Pid>, bool) -> Status,
    ) -> Order {
        if message.is::<LocalCall<System, SystemReply>>() {
            let call = open_message::<LocalCall<System, SystemReply>>(message);
            let Some((from, request)) = call.map(LocalCall::take) else { return Order::Done };
            let (reply, order) = self.obey(request, state, status);
            from.reply(reply);
            return order;
        }
        if message.is::<LocalCall<OnState, OnStateDone>>() {
            let call = open_message::<LocalCall<OnState, OnStateDone>>(message);
            if let Some((from, OnState(work))) = call.map(LocalCall::take) {
                from.reply(OnStateDone(contained(|| work(state as &mut dyn Any))));
            }
            return Order::Done;
        }
        if message.is::<LocalCall<Install, ()>>() {
            let call = open_message::<LocalCall<Install, ()>>(message);
            if let Some((from, Install { id, hook })) = call.map(LocalCall::take) {
                self.change(|debug| debug.install(id, hook));
                from.reply(());
            }
            return Order::Done;
        }
        Order::Unknown(message)
    }

    fn obey<S>(
        &mut self,
        request: System,
        state: &S,
        status: impl FnOnce(&S, Option<Pid>, bool) -> Status,
    ) -> (SystemReply, Order) {
        let mut order = Order::Done;
        let mut reply = SystemReply::Done;
        match request {
            System::Suspend => order = Order::Suspend(true),
            System::Resume => order = Order::Suspend(false),
            System::Terminate(reason) => order = Order::Stop(reason),
            System::GetStatus => {
                let mut status = status(state, self.parent, self.suspended);
                status.log = self.log();
                reply = SystemReply::Status(status);
            }
            System::Statistics(reductions) => self.change(|debug| debug.count(reductions)),
            System::GetStatistics => {
                let debug = self.debug.as_ref();
                reply = SystemReply::Statistics(debug.and_then(|debug| debug.statistics()));
            }
            System::Log(events) => {
                self.change(|debug| debug.keep(events.try_into().unwrap_or(usize::MAX)));
            }
            System::GetLog => reply = SystemReply::Log(self.log()),
            System::Trace(to) => self.change(|debug| debug.trace(to)),
            System::NoDebug => self.debug = None,
        }
        (reply, order)
    }

    fn log(&self) -> Vec<Event> {
        self.debug.as_ref().map(|debug| debug.log()).unwrap_or_default()
    }

    /// Changes the debug settings of the process. Without any, nothing is stored.
    fn change(&mut self, change: impl FnOnce(&mut Debug)) {
        let mut debug = self.debug.take().unwrap_or_default();
        change(&mut debug);
        self.debug = (!debug.is_off()).then_some(debug);
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let watched = self.is_watched();
        f.debug_struct("Control")
            .field("parent", &self.parent)
            .field("suspended", &self.suspended)
            .field("watched", &watched)
            .finish()
    }
}

/// Takes the next message that a suspended process with this parent handles.
pub(crate) async fn receive_suspended(parent: Option<Pid>) -> Envelope {
    let is_ours = |message: &Envelope| is_system(message) || is_exit_of(message, parent);
    receive! { message if is_ours(&message) => message }
}

fn is_exit_of(message: &Envelope, parent: Option<Pid>) -> bool {
    parent.is_some()
        && message.is::<Exit>()
        && message.peek::<Exit>().is_some_and(|exit| Some(exit.from) == parent)
}

/// Returns the status of a process that is written by hand.
fn describe<S: fmt::Debug>(state: &S, parent: Option<Pid>, suspended: bool) -> Status {
    let own = behaviour::of(&self_node(), self_pid());
    let formatted = contained(|| format!("{state:?}"));
    Status {
        module: own.map_or("", |own| own.module).to_owned(),
        parent,
        suspended,
        state: formatted.unwrap_or_else(|_| "a state whose `Debug` panicked".to_owned()),
        log: Vec::new(),
    }
}
