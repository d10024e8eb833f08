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
/// Any process and thread may reply, at any time: a `ReplyTo` can be stored in the server's state,
/// or moved to another process of the node. It can't be sent to another node. If it is dropped, the
/// call fails at once.
///
/// ```
/// use fika::gen_server::{Caller, Reply, ReplyTo};
/// use fika::prelude::*;
///
/// /// Lets its callers wait until it opens.
/// struct Gate {
///     waiting: Vec<ReplyTo<usize>>,
/// }
///
/// #[gen_server]
/// impl Gate {
///     async fn init() -> Self {
///         Gate { waiting: Vec::new() }
///     }
///
///     #[call]
///     async fn pass(&mut self, caller: &mut Caller<'_, usize>) -> Reply<usize> {
///         self.waiting.push(caller.reply_later());
///         Reply::later()
///     }
///
///     #[cast]
///     async fn open(&mut self) {
///         self.waiting.retain(|caller| !caller.is_abandoned());
///         for (n, caller) in self.waiting.drain(..).enumerate() {
///             println!("{:?} is number {n}", caller.pid());
///             caller.reply(n);
///         }
///     }
/// }
///
/// #[fika::main]
/// async fn main() -> fika::Result {
///     let gate = Gate::start_link(Start::new()).await?;
///     let passed = gate.pass().send();
///     gate.open();
///     assert_eq!(passed.receive_response(secs(5)).await?, 0);
///     Ok(())
/// }
/// ```
#[must_use = "dropped, it fails the call"]
pub struct ReplyTo<A: Message> {
    caller: Option<Pid>,
    /// Whether a server has taken the request.
    taken: bool,
    to: To<A>,
    /// The server that has deferred the reply.
    deferred: Option<Arc<Behaviour>>,
}

enum To<A: Message> {
    /// A caller on this node.
    Here(Answer<Outcome<A>>),
    /// The process that waits in place of the caller, on the caller's node.
    There(Node, Pid),
    Used,
}

impl<A: Message> ReplyTo<A> {
    pub(crate) fn here(caller: Option<Pid>, answer: Answer<Outcome<A>>) -> ReplyTo<A> {
        ReplyTo { caller, taken: false, to: To::Here(answer), deferred: None }
    }

    /// Notes that a server has a handler for the request. A request that is dropped earlier counts
    /// as unknown to the server.
    pub(crate) fn taken(mut self) -> ReplyTo<A> {
        self.taken = true;
        self
    }

    pub(crate) fn there(caller: Option<Pid>, proxy: Pid) -> ReplyTo<A> {
        // A peer can't claim to be a process of this node or of a third one.
        let is_there = |pid: &Pid| pid.node() == proxy.node() && pid.node() != self_pid().node();
        let caller = caller.filter(is_there);
        ReplyTo { caller, taken: true, to: To::There(self_node(), proxy), deferred: None }
    }

    /// Returns the process that called. `None` for a caller that is not a process.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.caller
    }

    /// Sends the reply (OTP's `gen_server:reply/2`). If the caller no longer waits, the reply is
    /// dropped. If the caller is on another node and the reply can't be encoded, this is reported,
    /// and the call fails.
    pub fn reply(mut self, value: A) {
        self.settle(Ok(value));
    }

    /// Returns whether the caller no longer waits. Always `false` for a caller on another node, of
    /// which this is not known.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        match &self.to {
            To::Here(answer) => answer.is_abandoned(),
            To::There(..) | To::Used => false,
        }
    }

    fn settle(&mut self, outcome: Outcome<A>) {
        if let (Some(server), Some(caller)) = (self.deferred.take(), self.caller) {
            server.answered(caller);
            server.undefer(caller);
        }
        match mem::replace(&mut self.to, To::Used) {
            To::Here(answer) => answer.give(outcome),
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
            To::Here(_) if self.taken => ended().unwrap_or(Unanswered::Dropped),
            To::Here(_) => ended().unwrap_or(Unanswered::Unknown),
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

/// The caller of the request that a handler works on (OTP's `From`).
///
/// The handler's return value is the reply, unless the handler takes the [`ReplyTo`] by
/// [`reply_later`](Caller::reply_later).
///
/// ```
/// use fika::gen_server::{Caller, Reply};
/// use fika::prelude::*;
///
/// struct Mill;
///
/// #[gen_server]
/// impl Mill {
///     async fn init() -> Self {
///         Mill
///     }
///
///     /// Lets another process do the work, and handles other requests meanwhile.
///     #[call]
///     async fn grind(&mut self, grains: u64, caller: &mut Caller<'_, u64>) -> Reply<u64> {
///         println!("{grains} grains from {:?}", caller.pid());
///         let caller = caller.reply_later();
///         spawn(async move { caller.reply(grains * 1000) });
///         Reply::later()
///     }
/// }
///
/// #[fika::main]
/// async fn main() -> fika::Result {
///     let mill = Mill::start_link(Start::new()).await?;
///     assert_eq!(mill.grind(7).await?, 7000);
///     Ok(())
/// }
/// ```
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
