//! Selective receive: what `receive!` expands to.
//!
//! A receive looks at the mailbox from its oldest message on, each message once, and
//! waits when it has seen all. A message leaves the mailbox only in the step in which it
//! is taken, so a receive that is dropped while it waits loses nothing.
//!
//! The macro asks for candidates by type, opens them, tries its patterns, and keeps what
//! no pattern takes.

use std::future::poll_fn;
use std::panic::Location;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::budget::leave_destructor;
use super::control::{Control, Running};
use super::timer_action::Action;
use crate::context;
use crate::env::Time;
use crate::exit_reason::ExitReason;
use crate::message::{Envelope, Message, Node};
use crate::pid::Pid;
use crate::reference::Reference;
use crate::timers::TimerRef;

/// A receive that is under way.
#[derive(Debug)]
pub struct Receive {
    /// Whose mailbox it looks at ([`LocalId::word`](crate::LocalId::word)): it must be polled
    /// in that process.
    owner: u64,
    after: After,
}

#[derive(Debug)]
enum After {
    Never,
    At(Time),
    Started(TimerRef, Time),
}

/// What a receive comes back with.
#[derive(Debug)]
pub enum Next {
    /// A message that may be wanted. It goes back by [`Receive::keep`] if it is not.
    Message(Envelope),
    /// The time is over.
    Timeout,
}

/// A message, opened as one of type `M`.
#[derive(Debug)]
pub enum Opened<M> {
    /// It is one.
    Is(Box<Node<M>>),
    /// It is something else.
    Other(Envelope),
    /// It came from another node as an `M` and is none. That was reported, and the message
    /// is gone.
    Gone,
}

impl Receive {
    /// Begins a receive without a time limit.
    ///
    /// # Panics
    /// Outside of a process, and when another receive of the process is under way.
    #[must_use]
    #[track_caller]
    pub fn begin() -> Receive {
        Receive::start(After::Never)
    }

    /// Begins a receive that gives up after this time. With zero it looks at the mailbox
    /// once.
    ///
    /// # Panics
    /// As [`begin`](Receive::begin).
    #[must_use]
    #[track_caller]
    pub fn begin_after(time: Duration) -> Receive {
        let now = context::process("receive!", |me| me.node.env.now());
        Receive::start(After::At(now + time))
    }

    #[track_caller]
    fn start(after: After) -> Receive {
        let place = Location::caller();
        let (owner, other) = context::process("receive!", |me| {
            let other = me.control.receiving.replace(Some(place));
            me.control.rewind();
            // In a destructor the other one is about to be dropped.
            (me.pid().local().word(), other.filter(|_| !me.control.is_in_destructor()))
        });
        if let Some(other) = other {
            panic!(
                "two receives of one process at the same time, at {other} and at {place}: a process \
                 has one mailbox, so let one `receive!` take the messages of both"
            );
        }
        Receive { owner, after }
    }

    /// Looks at those messages only that came after this reference was made (RECV-9).
    ///
    /// # Panics
    /// Outside of the process.
    #[must_use]
    pub fn since(self, reference: Reference) -> Receive {
        context::process("receive!", |me| me.control.seek(reference));
        self
    }

    /// The next message that `wanted` says may be wanted, oldest first.
    pub async fn next(&mut self, wanted: impl Fn(&Envelope) -> bool) -> Next {
        poll_fn(|context| {
            context::process("receive!", |me| {
                let next = self.poll_next(me, &wanted);
                if next.is_pending() {
                    me.wakes_with_signals(context);
                }
                next
            })
        })
        .await
    }

    fn poll_next(&mut self, me: Running<'_>, wanted: &impl Fn(&Envelope) -> bool) -> Poll<Next> {
        assert!(
            me.pid().local().word() == self.owner,
            "a receive of another process is polled by {}: a receive belongs to the process that \
             began it",
            me.pid()
        );
        loop {
            if let Some(message) = me.control.take_next(wanted) {
                if !me.control.gives_way() {
                    me.took(&message);
                    return Poll::Ready(Next::Message(message));
                }
                // The turn's budget is used up: others have theirs first.
                me.control.return_to_cursor(message);
                let _ = me.control.slot.queue.notify();
                return Poll::Pending;
            }
            // A fatal signal ends the process as soon as this poll is over; a suspended one
            // goes on from here.
            let more = me.take_signals();
            if me.control.stops() {
                return Poll::Pending;
            }
            if !more && me.control.is_in_destructor() {
                return self.end_in_destructor();
            }
            if !more {
                return self.poll_timeout(me);
            }
        }
    }

    /// A destructor can't wait for a message: signals are taken between the turns of a process.
    #[cold]
    fn end_in_destructor(&self) -> Poll<Next> {
        match self.after {
            After::Never => leave_destructor("receive!"),
            After::At(_) | After::Started(..) => Poll::Ready(Next::Timeout),
        }
    }

    fn poll_timeout(&mut self, me: Running<'_>) -> Poll<Next> {
        let at = match self.after {
            After::Never => return Poll::Pending,
            After::At(at) | After::Started(_, at) => at,
        };
        let now = me.node.env.now();
        if now >= at {
            if me.control.gives_way() {
                let _ = me.control.slot.queue.notify();
                return Poll::Pending;
            }
            self.stop_timer(me);
            return Poll::Ready(Next::Timeout);
        }
        if let After::At(at) = self.after {
            let slot = me.control.slot;
            let timer = me.node.start_timer_at(now, at, |_| Action::Wake(slot));
            self.after = After::Started(timer, at);
        }
        Poll::Pending
    }

    /// Opens a message as an `M`, and decodes it if it came from another node.
    pub fn open<M: Message>(&mut self, message: Envelope) -> Opened<M> {
        if !message.is::<M>() {
            return Opened::Other(message);
        }
        let Some(encoded) = message.as_encoded() else {
            return match message.downcast() {
                Ok(node) => Opened::Is(node),
                Err(message) => Opened::Other(message),
            };
        };
        match encoded.decode::<M>() {
            Ok(value) => Opened::Is(Node::message(value, message.word().stamp())),
            Err(error) => {
                context::process("receive!", |me| me.node.undecodable(me.pid(), encoded, &error));
                Opened::Gone
            }
        }
    }

    /// Puts back a message that nobody wanted; the receive goes on behind it.
    pub fn keep(&mut self, message: Envelope) {
        context::process("receive!", |me| {
            me.keeps(&message);
            me.control.put_back(message);
        });
    }

    fn stop_timer(&mut self, me: Running<'_>) {
        if let After::Started(timer, at) = self.after {
            me.node.timers.cancel(timer, me.node.env.now());
            self.after = After::At(at);
        }
    }
}

impl Drop for Receive {
    fn drop(&mut self) {
        context::try_process(|me| {
            if me.pid().local().word() == self.owner {
                me.control.receiving.set(None);
                me.settle();
                self.stop_timer(me);
            }
        });
    }
}

impl Running<'_> {
    /// The task that is polled waits for a signal to this process. The process itself is polled
    /// when one comes; if this task is one of several that the process's future has, as in a
    /// `FuturesUnordered`, that future has to be told which of them to poll.
    pub(super) fn wakes_with_signals(self, context: &Context<'_>) {
        if context.waker().will_wake(&self.control.slot.waker()) {
            return;
        }
        let tasks = &mut *self.control.extras().tasks.borrow_mut();
        if !tasks.iter().any(|task| task.will_wake(context.waker())) {
            tasks.push(context.waker().clone());
        }
        self.control.has_tasks.set(true);
    }
}

/// How many messages of its mailbox the running process has looked at, each time that it has.
///
/// # Panics
/// Outside of a process.
#[cfg(feature = "observe")]
#[must_use]
#[track_caller]
pub fn messages_looked_at() -> u64 {
    context::process("messages_looked_at", |me| me.control.looked_at())
}

impl Control {
    /// The process is about to be polled.
    #[cold]
    pub(super) fn wake_tasks(&self) {
        self.has_tasks.set(false);
        let tasks = self.extras().tasks.take();
        tasks.into_iter().for_each(Waker::wake);
    }
}

impl Running<'_> {
    /// Makes a reference, and marks its place in the mailbox: a receive that waits for it
    /// need not look at what is there already.
    pub(super) fn make_ref(self) -> Reference {
        let reference = self.node.make_ref();
        self.mark(reference);
        reference
    }

    /// The same, for a reference that leads to this process.
    pub(super) fn make_alias_ref(self) -> Reference {
        let reference = self.node.make_alias_ref(self.pid().local().slot);
        self.mark(reference);
        reference
    }

    fn mark(self, reference: Reference) {
        if !self.control.ending.get() {
            self.take_signals_aside();
        }
        self.control.mark(reference);
    }
}

impl crate::node::Inner {
    /// A message of another node did not decode.
    fn undecodable(&self, pid: Pid, encoded: &crate::Encoded, error: &crate::DecodeError) {
        let tag = &*encoded.wire_type.tag;
        self.messages_refused.line(self.env.now(), |left_out| {
            tracing::error!(
                %pid, %tag, %error, left_out,
                "a message from another node was dropped"
            );
        });
        if error.is_malformed()
            && let (Some(carrier), Some(from)) = (self.carrier.get(), encoded.from)
        {
            carrier.undecodable(from, &ExitReason::badarg(error).to_string());
        }
    }
}
