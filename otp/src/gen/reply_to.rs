//! The way back to a caller: [`ReplyTo`], and the guard [`Caller`] that a handler gets.
//!
//! A reply to a caller on this node is an [`Answer`] and does not go through the mailbox. So a late
//! reply is dropped, and a waiting caller does not search its messages. For a caller on another
//! node, a process on the caller's node waits for the reply (see `request`).
//!
//! If a `ReplyTo` is dropped unused, the call fails at once: with the exit reason if the server
//! ends, and otherwise with a [`CallError`](crate::CallError) that says "no reply".

use std::fmt;
use std::mem;
use std::sync::Arc;

use fika_runtime::{
    Answer, ExitReason, LogRate, Message, Node, Pid, exit_reason, printable, report, self_node,
    self_pid, try_self_pid,
};

use super::behaviour::Behaviour;
use super::wire::Answered;

/// The result of a request, as the caller gets it.
pub(crate) type Outcome<A> = Result<A, Unanswered>;

/// Why a request was not answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Unanswered {
    /// The process that held the request has ended with this reason, or unwinds. `by` is that
    /// process, or `None` if it is not known.
    Ended { reason: ExitReason, by: Option<Pid> },
    /// The request was dropped without an answer, by a process that still runs.
    Dropped,
    /// The server has no handler for the request.
    Unknown,
    /// The reply came from another node, and does not decode.
    Unreadable,
}

/// The address of a caller that waits for an `A` (OTP's `From`).
///
/// Any process and thread may reply, at any time: a `ReplyTo` can be stored in the server's state, or
/// moved to another process of the node.
#[must_use = "dropped, it fails the call"]
pub struct ReplyTo<A: Message> {
    caller: Option<Pid>,
    to: To<A>,
    /// The server that has deferred the reply.
    deferred: Option<Arc<Behaviour>>,
}

enum To<A: Message> {
    /// A caller on this node whose request has not been taken by a server yet.
    Untaken(Answer<Outcome<A>>),
    Here(Answer<Outcome<A>>),
    /// The process that waits in place of the caller, on the caller's node.
    There(Node, Pid),
    Used,
}

impl<A: Message> ReplyTo<A> {
    pub(crate) fn here(caller: Option<Pid>, answer: Answer<Outcome<A>>) -> ReplyTo<A> {
        ReplyTo { caller, to: To::Untaken(answer), deferred: None }
    }

    /// Notes that a server has a handler for the request. A request that is dropped earlier counts
    /// as unknown to the server.
    pub(crate) fn taken(mut self) -> ReplyTo<A> {
        self.to = match mem::replace(&mut self.to, To::Used) {
            To::Untaken(answer) => To::Here(answer),
            to => to,
        };
        self
    }

    pub(crate) fn there(caller: Option<Pid>, proxy: Pid) -> ReplyTo<A> {
        // A peer can't claim to be a process of this node or of a third one.
        let is_there = |pid: &Pid| pid.node() == proxy.node() && pid.node() != self_pid().node();
        let caller = caller.filter(is_there);
        ReplyTo { caller, to: To::There(self_node(), proxy), deferred: None }
    }

    /// Returns the process that called. `None` for a caller that is not a process.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.caller
    }

    /// Sends the reply (OTP's `gen_server:reply/2`). If the caller no longer waits, the reply is
    /// dropped.
    pub fn reply(mut self, value: A) {
        self.settle(Ok(value));
    }

    pub(crate) fn refuse(mut self, why: Unanswered) {
        self.settle(Err(why));
    }

    /// Returns whether the caller no longer waits. Always `false` for a caller on another node, of
    /// which this is not known.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        match &self.to {
            To::Untaken(answer) | To::Here(answer) => answer.is_abandoned(),
            To::There(..) | To::Used => false,
        }
    }

    fn settle(&mut self, outcome: Outcome<A>) {
        if let (Some(server), Some(caller)) = (self.deferred.take(), self.caller) {
            server.undefer(caller);
        }
        match mem::replace(&mut self.to, To::Used) {
            To::Untaken(answer) | To::Here(answer) => answer.give(outcome),
            To::There(node, proxy) => {
                if let Err(error) = node.send(proxy, Answered(outcome)) {
                    let rate = node.extension_or_init(Unsent::default);
                    rate.0.line(node.env().now(), |left_out| {
                        let error = printable(&error);
                        report!(
                            warn, caller = %proxy, error = %error, left_out,
                            "a reply could not be sent"
                        );
                    });
                    let _ = node.send(proxy, Answered::<A>(Err(Unanswered::Dropped)));
                }
            }
            To::Used => {}
        }
    }
}

/// Limits the reports of replies that could not be sent.
#[derive(Default)]
struct Unsent(LogRate);

/// Tells the caller that there will be no reply. A caller on another node learns of the server's
/// end, and of the reason, by a monitor.
impl<A: Message> Drop for ReplyTo<A> {
    fn drop(&mut self) {
        let ended = || {
            let by = try_self_pid();
            exit_reason().map(|reason| Unanswered::Ended { reason, by })
        };
        let why = match &self.to {
            To::Used => return,
            To::Untaken(_) => ended().unwrap_or(Unanswered::Unknown),
            To::Here(_) => ended().unwrap_or(Unanswered::Dropped),
            To::There(..) => {
                // The holder may be another process than the server. The caller's monitor does not
                // see that process.
                let is_server =
                    self.deferred.as_ref().is_none_or(|server| Some(server.pid) == try_self_pid());
                if is_server && exit_reason().is_some() {
                    return;
                }
                Unanswered::Dropped
            }
        };
        self.settle(Err(why));
    }
}

impl<A: Message> fmt::Debug for ReplyTo<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyTo").field("caller", &self.caller).finish_non_exhaustive()
    }
}

/// The caller of the request that a handler works on.
///
/// The handler's return value is the reply, unless the handler takes the [`ReplyTo`] by
/// [`reply_later`](Caller::reply_later).
#[derive(Debug)]
pub struct Caller<'a, A: Message> {
    pub(crate) from: Option<ReplyTo<A>>,
    pub(crate) server: &'a Arc<Behaviour>,
}

impl<A: Message> Caller<'_, A> {
    /// Returns the process that called. `None` for a caller that is not a process, and after
    /// [`reply_later`](Caller::reply_later).
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.from.as_ref()?.pid()
    }

    /// Takes the address of the caller, so that the reply can be given later or by another process.
    /// The handler then returns [`Reply::later`](crate::gen_server::Reply::later).
    ///
    /// # Panics
    /// If the address was taken before.
    pub fn reply_later(&mut self) -> ReplyTo<A> {
        let mut from = self.from.take().expect("`reply_later` is called once for a request");
        if let Some(caller) = from.caller {
            self.server.defer(caller);
        }
        from.deferred = Some(self.server.clone());
        from
    }
}
