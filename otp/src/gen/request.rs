//! Calling a server: [`Request`], which is sent when it is awaited.
//!
//! 1. The request is sent with an [`Answer`] to a server of this node. The caller waits for the
//!    answer, outside of its mailbox. This is all that most calls do.
//! 2. After [`PATIENCE`], the call is entered into the table that finds circles (`waits`), and the
//!    work of the server is noted for the error.
//! 3. If the server ends, the caller waits until its process is gone before it returns, so that the
//!    server's name is free again.
//!
//! For a call to a server of another node, a process of this node waits for the reply in place of
//! the caller. The caller itself monitors the server and sends the request, so the request arrives
//! after the caller's earlier messages (GS-9). The waiting process ends with the call, so a late
//! reply is dropped (GS-5).

use std::future::{Future, IntoFuture, poll_fn};
use std::marker::PhantomData;
use std::pin::{Pin as StdPin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use fika_macros::{Message, receive};
use fika_runtime::{
    Answer, Dest, Elapsed, Ended, ExitReason, Message, Node, Pid, Waiting, Within, info,
    is_process_alive, open_message, self_node, self_pid, send_wait, sleep, spawn, timeout,
    try_self_pid, try_send,
};

use super::call_error::{CallError, Late, Why};
use super::reply_to::{Outcome, ReplyTo, Unanswered};
use super::server_ref::Address;
use super::wire::{Answered, Head, LocalCall, Refused, RemoteCall};
use super::{behaviour, waits};

/// The time limit of a call, unless the caller sets one: five seconds, as in OTP.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a call waits before it looks for a circle.
pub(crate) const PATIENCE: Duration = Duration::from_millis(250);

/// How long a call that timed out waits to learn the length of the server's mailbox.
const COUNT_LIMIT: Duration = Duration::from_millis(20);

/// A request that is sent when it is awaited, and resolves to the reply. Made by
/// [`ServerRef::call`](crate::ServerRef::call) and by the methods of a typed client.
///
/// ```
/// # use fika::prelude::*;
/// # struct Counter(u64);
/// # #[gen_server]
/// # impl Counter {
/// #     async fn init(n: u64) -> Self { Counter(n) }
/// #     #[call]
/// #     async fn add(&mut self, n: u64) -> u64 { self.0 += n; self.0 }
/// # }
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let counter = Counter::start_link(Start::new(), 0).await?;
/// // Waits for at most five seconds, for a second, and without a limit.
/// assert_eq!(counter.add(2).await?, 2);
/// assert_eq!(counter.add(2).timeout(secs(1)).await?, 4);
/// assert_eq!(counter.add(2).no_timeout().await?, 6);
///
/// // Does something else before it waits.
/// let request = counter.add(2).send();
/// println!("sent");
/// assert_eq!(request.receive_response(secs(5)).await?, 8);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// A [`CallError`], when the request is awaited.
///
/// # Panics
/// When it is awaited outside of a process. A thread that is not a process awaits it inside
/// `Node::block_on`, and a task of another executor inside `Node::run_process`.
#[must_use = "a request is sent when it is awaited"]
pub struct Request<'a, R, A> {
    to: &'a Address,
    request: R,
    limit: Option<Duration>,
    wants: PhantomData<fn() -> A>,
}

impl<'a, R: Message, A: Message> Request<'a, R, A> {
    #[inline]
    pub(crate) fn new(to: &'a Address, request: R) -> Request<'a, R, A> {
        Request { to, request, limit: Some(CALL_TIMEOUT), wants: PhantomData }
    }

    /// Sets how long to wait for the reply, in place of five seconds. The time includes waiting for
    /// room in a full mailbox, and for a connection to another node.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Waits for the reply without a limit (OTP's `infinity`).
    pub fn no_timeout(mut self) -> Self {
        self.limit = None;
        self
    }

    /// Sends the request now, and returns a handle for its reply (OTP's
    /// `gen_server:send_request/2`). A time limit of the request is not used: the functions of
    /// [`RequestId`](super::RequestId) take one. If the request can't be sent, they return the
    /// error.
    ///
    /// # Panics
    /// Outside of a process.
    pub fn send(self) -> super::RequestId<A> {
        super::RequestId::new(self.to.clone(), name::<R>(), send(self.to, self.request))
    }
}

impl<'a, R: Message, A: Message> IntoFuture for Request<'a, R, A> {
    type Output = Result<A, CallError>;
    type IntoFuture = Calling<'a, R, A>;

    #[inline]
    fn into_future(self) -> Calling<'a, R, A> {
        let Request { to, request, limit, .. } = self;
        Calling { to, limit, state: State::Begin(request) }
    }
}

/// The future of a [`Request`], for functions that take a future.
///
/// ```
/// use fika::gen_server::Calling;
/// # use fika::prelude::*;
/// # struct Counter(u64);
/// # #[gen_server]
/// # impl Counter {
/// #     async fn init(n: u64) -> Self { Counter(n) }
/// #     #[call]
/// #     async fn add(&mut self, n: u64) -> u64 { self.0 += n; self.0 }
/// # }
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let counter = Counter::start_link(Start::new(), 0).await?;
///
/// let calling: Calling<'_, _, u64> = counter.add(1).no_timeout().into_future();
/// // Nothing is sent before the future is polled.
/// assert_eq!(timeout(secs(5), calling).await??, 1);
/// # Ok(())
/// # }
/// ```
#[must_use = "a request is sent when it is awaited"]
pub struct Calling<'a, R, A> {
    to: &'a Address,
    limit: Option<Duration>,
    state: State<'a, R, A>,
}

enum State<'a, R, A> {
    Begin(R),
    /// Waits for this server of this node.
    Waits(Pid, Within<Outcome<A>>),
    /// The slow path, for the calls that the other states don't cover.
    Slow(StdPin<Box<dyn Future<Output = Result<A, CallError>> + Send + 'a>>),
    Over,
}

/// No field is pinned in place: the slow future is in a box.
impl<R, A> Unpin for Calling<'_, R, A> {}

impl<R: Message, A: Message> Future for Calling<'_, R, A> {
    type Output = Result<A, CallError>;

    fn poll(mut self: StdPin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let State::Begin(_) = &self.state
            && let Err(why) = self.begin()
        {
            return Poll::Ready(Err(CallError::new(self.to, name::<R>(), why)));
        }
        let limit = self.limit;
        if let State::Waits(pid, waiting) = &mut self.state {
            let pid = *pid;
            match std::task::ready!(StdPin::new(&mut *waiting).poll(context)) {
                Ok(Some(Ok(value))) => {
                    self.state = State::Over;
                    return Poll::Ready(Ok(value));
                }
                Ok(failed) => {
                    let used = patience(limit).saturating_sub(waiting.left());
                    self.ends(pid, failed.and_then(Result::err), used);
                }
                Err(Elapsed) => self.wait_on(),
            }
        }
        match &mut self.state {
            State::Slow(future) => future.as_mut().poll(context),
            _ => panic!("a call is polled after its end"),
        }
    }
}

impl<R: Message, A: Message> Calling<'_, R, A> {
    /// Sends the request if that is possible without waiting.
    fn begin(&mut self) -> Result<(), Why> {
        let State::Begin(request) = std::mem::replace(&mut self.state, State::Over) else {
            return Ok(());
        };
        let (to, limit, me) = (self.to, self.limit, client());
        let pid = match to.whereis() {
            Some(pid) if pid == me => return Err(Why::CallingSelf),
            Some(pid) if pid.node() == me.node() => pid,
            None if !matches!(to, Address::NameAt(..)) => return Err(Why::Noproc),
            _ => {
                self.state = State::Slow(Box::pin(call_remote(to, request, limit)));
                return Ok(());
            }
        };
        let (answer, waiting) = Waiting::new();
        let call = LocalCall { from: ReplyTo::here(Some(me), answer), request };
        match try_send(pid, call) {
            Ok(()) => {
                self.state = State::Waits(pid, waiting.within(patience(limit)));
                Ok(())
            }
            Err(error) if error.is_full() => {
                let call = error.into_message().expect("nothing was sent");
                self.state = State::Slow(Box::pin(call_bounded(to, pid, call, waiting, limit)));
                Ok(())
            }
            Err(error) if error.is_noproc() => Err(Why::Noproc),
            Err(error) => Err(Why::NotSent(error.to_string())),
        }
    }

    /// Explains why the server has not answered. `used` is the part of the limit that has passed.
    #[cold]
    fn ends(&mut self, pid: Pid, failed: Option<Unanswered>, used: Duration) {
        let (to, limit, failed) = (self.to, self.limit, failed.unwrap_or(Unanswered::Dropped));
        self.state = State::Slow(Box::pin(async move {
            let why = after_end(pid, failed, limit, used).await;
            Err(CallError::new(to, name::<R>(), why))
        }));
    }

    /// Continues to wait after [`PATIENCE`].
    #[cold]
    fn wait_on(&mut self) {
        if let State::Waits(pid, waiting) = std::mem::replace(&mut self.state, State::Over) {
            let waiting = waiting.into_inner();
            let waits = patient(self.to, pid, name::<R>(), waiting, self.limit, PATIENCE);
            self.state = State::Slow(Box::pin(waits));
        }
    }
}

/// Returns how long a call with this limit waits at first.
fn patience(limit: Option<Duration>) -> Duration {
    limit.map_or(PATIENCE, |limit| limit.min(PATIENCE))
}

/// Returns the running process, which makes a request.
#[track_caller]
fn client() -> Pid {
    try_self_pid().unwrap_or_else(|| {
        panic!(
            "a process makes a request, and no process runs here: on a thread, call the server \
             inside `Node::block_on`, and in a task of another executor inside `Node::run_process`"
        )
    })
}

/// Calls a server whose mailbox was full: the limit includes waiting for room.
async fn call_bounded<R: Message, A: Message>(
    to: &Address,
    pid: Pid,
    call: LocalCall<R, A>,
    waiting: Waiting<Outcome<A>>,
    limit: Option<Duration>,
) -> Result<A, CallError> {
    let (node, began) = (self_node(), self_node().env().now());
    let fails = |why| CallError::new(to, name::<R>(), why);
    // A circle is broken even if a member only waits for room.
    let (entered, circle) = waits::enter(&node, self_pid(), pid, name::<R>());
    let (mut circle, mut open) = (pin!(circle), true);
    let mut sent = pin!(async {
        match limit {
            Some(limit) => timeout(limit, send_wait(pid, call)).await.ok(),
            None => Some(send_wait(pid, call).await),
        }
    });
    let sent = poll_fn(|context| {
        if open && let Poll::Ready(found) = circle.as_mut().poll(context) {
            open = false;
            if let Some(hops) = found {
                return Poll::Ready(Err(hops));
            }
        }
        sent.as_mut().poll(context).map(Ok)
    });
    let sent = match sent.await {
        Ok(sent) => sent,
        Err(hops) => return Err(fails(Why::Cycle(hops))),
    };
    drop(entered);
    match sent {
        Some(Ok(())) => {
            let used = self_node().env().now().since(began);
            patient(to, pid, name::<R>(), waiting, limit, used).await
        }
        Some(Err(error)) if error.is_noproc() => Err(fails(Why::Noproc)),
        Some(Err(error)) => Err(fails(Why::NotSent(error.to_string()))),
        None => {
            let late = Late { after: limit.unwrap_or_default(), ..late_of(pid, None).await };
            Err(fails(Why::Timeout(late)))
        }
    }
}

/// Continues to wait. `used` is the part of the limit that has passed.
pub(crate) async fn patient<A: Message>(
    to: &Address,
    pid: Pid,
    request: &'static str,
    waiting: Waiting<Outcome<A>>,
    limit: Option<Duration>,
    used: Duration,
) -> Result<A, CallError> {
    let node = self_node();
    let began = node.env().now();
    let before = behaviour::of(&node, pid).map(|server| server.now());
    let (entered, circle) = waits::enter(&node, self_pid(), pid, request);
    let (mut waiting, mut circle) = (pin!(waiting), pin!(circle));
    let rest = limit.map(|limit| limit.saturating_sub(used));
    let mut late = pin!(async {
        match rest {
            Some(rest) => sleep(rest).await,
            None => std::future::pending().await,
        }
    });
    enum Came<A> {
        Answer(Option<Outcome<A>>),
        Circle(Vec<super::Hop>),
        Late,
    }
    let mut open = true;
    let came = poll_fn(|context| {
        // The circle is first: when it breaks, the members reply to each other.
        if open && let Poll::Ready(hops) = circle.as_mut().poll(context) {
            open = false;
            if let Some(hops) = hops {
                return Poll::Ready(Came::Circle(hops));
            }
        }
        if let Poll::Ready(answer) = waiting.as_mut().poll(context) {
            return Poll::Ready(Came::Answer(answer));
        }
        late.as_mut().poll(context).map(|()| Came::Late)
    });
    let mut came = came.await;
    // A circle may have been found, and another member may have failed and then replied first.
    if !matches!(came, Came::Circle(_))
        && entered.is_in_circle()
        && let Some(hops) = circle.await
    {
        came = Came::Circle(hops);
    }
    drop(entered);
    let why = match came {
        Came::Answer(Some(Ok(value))) => return Ok(value),
        Came::Answer(failed) => {
            let failed = failed.and_then(Result::err).unwrap_or(Unanswered::Dropped);
            after_end(pid, failed, limit, used + node.env().now().since(began)).await
        }
        Came::Circle(hops) => Why::Cycle(hops),
        Came::Late => {
            let before = before.map(|now| (now, rest.unwrap_or_default()));
            Why::Timeout(Late { after: limit.unwrap_or_default(), ..late_of(pid, before).await })
        }
    };
    Err(CallError::new(to, request, why))
}

/// Describes a server that did not reply in time. `before` is what the server did at an earlier
/// time, and how long ago that was.
async fn late_of(
    pid: Pid,
    before: Option<((Option<&'static behaviour::Work>, u64), Duration)>,
) -> Late {
    let (work, begun) = behaviour::of(&self_node(), pid).map_or((None, 0), |server| server.now());
    let held = match before {
        Some(((_, was), held)) if was == begun => held,
        _ => Duration::ZERO,
    };
    let work = work.map(|work| (format!("`{}` of `{}`", work.callback, (work.request)()), held));
    let messages = timeout(COUNT_LIMIT, info::message_queue_len(pid)).await.ok().flatten();
    Late { after: Duration::ZERO, work, messages }
}

/// Waits for the end of the server, if it is about to end. A server that catches a panic goes on.
/// `used` is the part of the limit that has passed.
async fn after_end(pid: Pid, failed: Unanswered, limit: Option<Duration>, used: Duration) -> Why {
    let reason = match failed {
        Unanswered::Ended { reason, by } if by == Some(pid) => reason,
        other => return why_of(other, pid),
    };
    let node = self_node();
    let work = || behaviour::of(&node, pid).map(|server| server.now());
    let (mut ended, began, before) = (Ended::of(pid), node.env().now(), work());
    let rest = || {
        let used = used + node.env().now().since(began);
        limit.map_or(Duration::MAX, |limit| limit.saturating_sub(used))
    };
    loop {
        match timeout(rest().min(PATIENCE), &mut ended).await {
            Ok(ExitReason::Noproc) => return Why::Ended(reason),
            Ok(seen) => return Why::Ended(seen),
            Err(Elapsed) => {}
        }
        // A server that runs no callback, or a later one, has gone on.
        let goes_on = match (before, work()) {
            (_, Some((None, _))) => true,
            (Some((_, before)), Some((Some(work), now))) => {
                now != before && work.callback != "terminate"
            }
            _ => false,
        };
        if goes_on && timeout(COUNT_LIMIT, is_process_alive(pid)).await == Ok(true) {
            return Why::NoReply;
        }
        if rest().is_zero() {
            let late = late_of(pid, None).await;
            return Why::Timeout(Late { after: limit.unwrap_or_default(), ..late });
        }
    }
}

/// Sends a request without waiting, for a reply that is asked for later.
pub(crate) fn send<R: Message, A: Message>(to: &Address, request: R) -> Sent<A> {
    let me = client();
    let found = to.whereis();
    if let Some(pid) = found.filter(|pid| pid.node() == me.node()) {
        let (answer, waiting) = Waiting::new();
        let call = LocalCall { from: ReplyTo::here(Some(me), answer), request };
        let server = match try_send(pid, call) {
            Ok(()) => Ok(pid),
            Err(error) if error.is_noproc() => Err(Why::Noproc),
            Err(error) => Err(Why::NotSent(error.to_string())),
        };
        return Sent { waiting, server, far: None };
    }
    if found.is_none() && !matches!(to, Address::NameAt(..)) {
        return Sent { waiting: Waiting::new().1, server: Err(Why::Noproc), far: None };
    }
    send_remote(to, found, me, request)
}

/// A request that was sent.
#[must_use = "dropped, it gives the request up"]
pub(crate) struct Sent<A> {
    waiting: Waiting<Outcome<A>>,
    pub(crate) server: Result<Pid, Why>,
    /// The monitor and the waiting process of a request to another node.
    far: Option<Far>,
}

struct Far {
    /// The end of the server, until it is seen.
    ended: Option<Ended>,
    /// The process that waits for the reply.
    proxy: Helper,
}

impl<A> Future for Sent<A> {
    type Output = Outcome<A>;

    fn poll(mut self: StdPin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome<A>> {
        if let Poll::Ready(outcome) = StdPin::new(&mut self.waiting).poll(context) {
            return Poll::Ready(outcome.unwrap_or(Err(Unanswered::Dropped)));
        }
        if let Some(far) = &mut self.far
            && let Some(ended) = &mut far.ended
            && let Poll::Ready(reason) = StdPin::new(ended).poll(context)
        {
            // A reply that came before the end is already in the proxy's mailbox, and is handled
            // first.
            far.ended = None;
            fika_runtime::send(far.proxy.1, Gone(reason));
        }
        Poll::Pending
    }
}

/// Tells the process that waits for a reply that the server has ended.
#[derive(Message)]
#[message(local)]
struct Gone(ExitReason);

/// A process that is killed when this value is dropped, also by a process that ends and by a
/// thread.
pub(crate) struct Helper(Node, Pid);

impl Helper {
    /// Spawns the process.
    pub(crate) fn spawn<F>(future: F) -> Helper
    where
        F: Future<Output: fika_runtime::Outcome> + Send + 'static,
    {
        Helper(self_node(), spawn(future))
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.0.exit_process(self.1, ExitReason::Kill);
    }
}

fn send_remote<R: Message, A: Message>(
    to: &Address,
    found: Option<Pid>,
    me: Pid,
    request: R,
) -> Sent<A> {
    let (answer, waiting) = Waiting::new();
    let dest: Dest<'static> = match (to, found) {
        (_, Some(pid)) => Dest::Pid(pid),
        (Address::NameAt(name, node), None) => Dest::from((name.clone(), node.clone())),
        _ => unreachable!("it has no process"),
    };
    let ended = Some(Ended::of(&dest));
    let proxy = Helper::spawn(wait_in_place(answer));
    let head = Head { caller: Some(me), proxy: proxy.1 };
    let call = RemoteCall::<R, A> { head, request, wants: PhantomData };
    let sent = match try_send(&dest, call) {
        Err(error) if error.is_busy() => {
            // The connection is congested: the caller is suspended at its next await.
            let call = error.into_message().expect("nothing was sent");
            fika_runtime::send(dest, call);
            Ok(())
        }
        sent => sent.map_err(|error| Why::NotSent(error.to_string())),
    };
    let server = sent.map(|()| found.unwrap_or(proxy.1));
    Sent { waiting, server, far: Some(Far { ended, proxy }) }
}

/// Waits for the reply of another node in place of the caller.
async fn wait_in_place<A: Message>(answer: Answer<Outcome<A>>) {
    loop {
        let message = receive! { message => message };
        let outcome = if message.is::<Answered<A>>() {
            let answered = open_message::<Answered<A>>(message);
            answered.map_or(Err(Unanswered::Unreadable), |Answered(outcome)| outcome)
        } else if message.is::<Refused>() {
            Err(Unanswered::Unknown)
        } else if message.is::<Gone>() {
            let Some(Gone(reason)) = open_message(message) else { continue };
            Err(Unanswered::Ended { reason, by: None })
        } else {
            continue;
        };
        return answer.give(outcome);
    }
}

async fn call_remote<R: Message, A: Message>(
    to: &Address,
    request: R,
    limit: Option<Duration>,
) -> Result<A, CallError> {
    let fails = |why| CallError::new(to, name::<R>(), why);
    let mut sent = send_remote(to, to.whereis(), self_pid(), request);
    if let Err(why) = &sent.server {
        return Err(fails(why.clone()));
    }
    let answered = match limit {
        Some(limit) => timeout(limit, &mut sent).await.ok(),
        None => Some((&mut sent).await),
    };
    match answered {
        None => {
            Err(fails(Why::Timeout(Late { after: limit.unwrap_or_default(), ..Late::default() })))
        }
        Some(answered) => {
            let server = sent.server.clone().unwrap_or_else(|_| self_pid());
            answered.map_err(|failed| fails(why_of(failed, server)))
        }
    }
}

/// Explains the failure of a request to this server. A request whose holder was another process
/// that has ended counts as dropped.
pub(crate) fn why_of(failed: Unanswered, server: Pid) -> Why {
    match failed {
        Unanswered::Ended { by: Some(by), .. } if by != server => Why::NoReply,
        Unanswered::Ended { reason: ExitReason::Noproc, .. } => Why::Noproc,
        Unanswered::Ended { reason: ExitReason::Noconnection, .. } => Why::Noconnection,
        Unanswered::Ended { reason, .. } => Why::Ended(reason),
        Unanswered::Dropped => Why::NoReply,
        Unanswered::Unknown => Why::Unknown,
        Unanswered::Unreadable => Why::NotSent(
            "its reply does not decode: the server may have another version of the type".into(),
        ),
    }
}

/// Returns the name of a request for errors and reports.
pub(crate) fn name<R: Message>() -> &'static str {
    R::type_name()
}
