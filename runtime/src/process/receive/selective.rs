//! Selective receive: what `receive!` expands to.
//!
//! A receive looks at the mailbox from its oldest message on, each message once, and
//! waits when it has seen all. A message leaves the mailbox only in the step in which it
//! is taken, so a receive that is dropped while it waits loses nothing.
//!
//! The macro asks for candidates by type, opens them, tries its patterns, and puts back messages
//! that no pattern takes.

use std::future::poll_fn;
use std::panic::Location;
use std::task::Poll;
use std::time::Duration;

use crate::context;
use crate::env::Time;
use crate::message::{DecodeError, Encoded, Envelope, Letter, Message};
use crate::pid::Pid;
use crate::printable::printable;
use crate::process::core::Running;
use crate::process::deliver::{Action, undecodable};
use crate::process::life::{check_growth, leave_destructor};
use crate::reference::Reference;
use crate::timers::TimerRef;
use crate::undecodable::{Undecodable, UndecodablePart};

/// A receive in progress.
#[derive(Debug)]
#[must_use = "a receive takes nothing unless it is asked for the next message"]
pub struct Receive {
    /// The process whose mailbox it looks at ([`LocalId::word`](crate::LocalId::word)). It must be
    /// polled in that process.
    owner: u64,
    after: After,
}

#[derive(Debug)]
enum After {
    Never,
    At(Time),
    Started(TimerRef, Time),
}

/// The result of looking for the next message.
#[derive(Debug)]
pub enum Next {
    /// A message that may be wanted. If it is not, [`Receive::keep`] puts it back.
    Message(Envelope),
    /// The time limit has passed.
    Timeout,
}

/// A message, opened as one of type `M`.
#[derive(Debug)]
pub enum Opened<M> {
    /// The message is an `M`.
    Is(Box<Letter<M>>),
    /// The message has another type.
    Other(Envelope),
    /// It came from another node with the tag of `M`, but did not decode. That was reported, and
    /// the message is gone.
    Gone,
}

impl Receive {
    /// Begins a receive without a time limit.
    ///
    /// # Panics
    /// Outside of a process, and when another receive of the process is in progress.
    #[track_caller]
    pub fn begin() -> Receive {
        Receive::start(After::Never)
    }

    /// Begins a receive with a time limit. With zero it looks at the mailbox once.
    ///
    /// # Panics
    /// Outside of a process, and when another receive of the process is in progress.
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
            // In a destructor, the other receive is about to be dropped.
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

    /// Looks only at messages that came after this reference was made (RECV-9).
    ///
    /// # Panics
    /// Outside of the process.
    pub fn since(self, reference: Reference) -> Receive {
        context::process("receive!", |me| me.control.seek(reference));
        self
    }

    /// Waits for the next message that `wanted` selects, oldest first.
    pub async fn next(&mut self, wanted: impl Fn(&Envelope) -> bool) -> Next {
        poll_fn(|context| {
            context::process("receive!", |me| {
                let next = self.poll_next(me, &wanted);
                if next.is_pending() {
                    me.control.wakes_with_signals(context);
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
                // The turn's budget is used up: other processes have their turns first.
                me.control.return_to_cursor(message);
                let _ = me.control.slot.queue.notify();
                return Poll::Pending;
            }
            // A fatal signal ends the process as soon as this poll is over; a suspended process
            // continues from here.
            let more = me.take_signals();
            if me.control.stops() {
                return Poll::Pending;
            }
            if !more && me.control.is_in_destructor() {
                return self.end_in_destructor();
            }
            if !more {
                check_growth(me, true);
                return self.poll_timeout(me);
            }
        }
    }

    /// Ends a receive in a destructor, which can't wait: signals are only taken between turns.
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
            Ok(value) => Opened::Is(Letter::message(value, message.word().stamp())),
            Err(error) => {
                context::process("receive!", |me| lose(me, encoded, &error));
                Opened::Gone
            }
        }
    }

    /// Puts back a message that no pattern takes. The receive continues after it.
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

/// Returns whether the running process is in a `receive!`, in another branch of its future. A
/// process has one mailbox, so a second `receive!` would panic.
///
/// A library that polls futures of a program beside a `receive!` of its own lets theirs go first.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Node, is_receiving};
/// # Node::builder().build().unwrap().block_on(async {
/// assert!(!is_receiving());
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn is_receiving() -> bool {
    context::process("is_receiving", |me| me.control.receiving.get().is_some())
}

/// Opens a message that a `receive!` took without naming its type. `None` if the message is not an
/// `M`, or came from another node and does not decode, which is reported.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Node, open_message, self_pid, send};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// send(self_pid(), 7_u64);
/// receive! {
///     message => {
///         assert!(message.is::<u64>());
///         assert_eq!(open_message::<u64>(message), Some(7));
///     }
/// }
/// # });
/// ```
///
/// # Panics
/// Outside of a process, if the message came from another node and does not decode.
#[must_use]
#[inline]
pub fn open_message<M: Message>(message: Envelope) -> Option<M> {
    match message.downcast::<M>() {
        Ok(letter) => Some(letter.body),
        Err(message) => open_encoded(&message),
    }
}

#[cold]
fn open_encoded<M: Message>(message: &Envelope) -> Option<M> {
    let encoded = message.as_encoded().filter(|_| message.is::<M>())?;
    let decoded = encoded.decode::<M>();
    decoded.map_err(|error| context::process("open_message", |me| lose(me, encoded, &error))).ok()
}

/// Returns how many messages of its mailbox the running process has looked at, counting every look.
///
/// # Panics
/// Outside of a process.
#[cfg(feature = "observe")]
#[must_use]
#[track_caller]
pub fn messages_looked_at() -> u64 {
    context::process("messages_looked_at", |me| me.control.looked_at())
}

/// Counts and reports a message of another node that did not decode and was dropped.
fn lose(me: Running<'_>, encoded: &Encoded, error: &DecodeError) {
    let count = &me.control.extras().undecodable;
    count.set(count.get() + 1);
    let Encoded { from, sender, wire_type, .. } = encoded;
    undecodable(
        me.node,
        *from,
        wire_type.connection,
        &Undecodable {
            part: UndecodablePart::Message,
            sender: from.zip(*sender).map(|(node, local)| Pid::new(node, local)),
            receiver: Some(me.pid()),
            tag: wire_type.tag.clone(),
            why: printable(error),
        },
    );
}
