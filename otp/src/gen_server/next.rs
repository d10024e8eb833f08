//! The results of callbacks: [`Next`], [`Reply`] and [`Init`].

use std::time::Duration;

use fika_runtime::{Envelope, ExitReason, Message, Outcome, Time, self_node};

use super::handlers::ContinueMessage;

/// The result of a callback: what the server does next. By default, it takes its next message.
#[derive(Debug, Default)]
#[must_use = "a callback returns it"]
pub struct Next(pub(super) Option<Box<Action>>);

#[derive(Debug)]
pub(super) enum Action {
    /// Handle this value at once, before any message.
    Continue(Envelope),
    /// Handle this message, unless another comes within the time.
    After(Duration, Envelope),
    At(Time, Envelope),
    Hibernate,
    Stop(ExitReason),
}

/// The event that a server waits for.
pub(super) enum Plan {
    /// Nothing: it continues at once.
    Now,
    /// A message that comes before then.
    At(Time),
    /// A message, while it hibernates.
    Hibernate,
    Receive,
}

impl Next {
    /// Takes the next message.
    pub fn go_on() -> Next {
        Next(None)
    }

    fn action(action: Action) -> Next {
        Next(Some(Box::new(action)))
    }

    /// Runs `handle_continue` with this value before any message (OTP's `{continue, Term}`).
    pub fn proceed<M: Send + 'static>(value: M) -> Next {
        Next::action(Action::Continue(Envelope::new(ContinueMessage(value))))
    }

    /// Handles [`Timeout`](super::Timeout) as an info message if no message comes within this time.
    /// With zero, a message that waits already is handled instead.
    pub fn timeout(after: Duration) -> Next {
        Next::timeout_with(after, super::Timeout)
    }

    /// Handles `message` as an info message if no other message comes within this time (OTP's
    /// `{timeout, Time, Message}`).
    pub fn timeout_with<M: Message>(after: Duration, message: M) -> Next {
        Next::action(Action::After(after, Envelope::new(message)))
    }

    /// Handles `message` as an info message if no other message comes before `time`.
    pub fn timeout_at<M: Message>(time: Time, message: M) -> Next {
        Next::action(Action::At(time, Envelope::new(message)))
    }

    /// Hibernates until the next message: see [`fika_runtime::hibernate`].
    pub fn hibernate() -> Next {
        Next::action(Action::Hibernate)
    }

    /// Returns the event that the server waits for.
    pub(super) fn plan(&self) -> Plan {
        match self.0.as_deref() {
            Some(Action::Continue(_) | Action::Stop(_)) => Plan::Now,
            Some(Action::After(after, _)) => Plan::At(self_node().env().now() + *after),
            Some(Action::At(at, _)) => Plan::At(*at),
            Some(Action::Hibernate) => Plan::Hibernate,
            None => Plan::Receive,
        }
    }

    /// Takes the message to handle now. Returns the exit reason if the server is to end.
    pub(super) fn take_now(&mut self) -> Result<Envelope, ExitReason> {
        match self.0.take().map(|action| *action) {
            Some(
                Action::Continue(message) | Action::After(_, message) | Action::At(_, message),
            ) => Ok(message),
            Some(Action::Stop(reason)) => Err(reason),
            Some(Action::Hibernate) | None => unreachable!("there is nothing to be handled"),
        }
    }

    /// Returns whether this ends the server.
    pub(super) fn stops(&self) -> bool {
        matches!(self.0.as_deref(), Some(Action::Stop(_)))
    }

    /// Ends the server with this reason, after `terminate`.
    pub fn stop(reason: ExitReason) -> Next {
        Next::action(Action::Stop(reason))
    }
}

/// A value that a callback may return in place of a [`Next`]: `()`, or a `Result`, whose error ends
/// the server like an error that a process returns.
#[diagnostic::on_unimplemented(
    message = "a callback of a server can't return a `{Self}`",
    note = "it returns `()`, a `Next`, or a `Result` of them whose error has a text"
)]
pub trait IntoNext {
    /// Converts it.
    fn into_next(self) -> Next;
}

impl IntoNext for Next {
    fn into_next(self) -> Next {
        self
    }
}

impl IntoNext for () {
    fn into_next(self) -> Next {
        Next::go_on()
    }
}

impl<N: IntoNext, E> IntoNext for Result<N, E>
where
    Result<(), E>: Outcome,
{
    fn into_next(self) -> Next {
        match self {
            Ok(next) => next.into_next(),
            Err(error) => Next::stop(reason_of(error)),
        }
    }
}

/// Returns the exit reason of a process that returns this error.
fn reason_of<E>(error: E) -> ExitReason
where
    Result<(), E>: Outcome,
{
    Outcome::into_result(Err::<(), E>(error)).err().unwrap_or(ExitReason::Normal)
}

/// The result of a call's handler: the reply, and what the server does next.
#[derive(Debug)]
#[must_use = "the handler of a call returns it"]
pub struct Reply<A> {
    pub(super) value: Option<A>,
    pub(super) next: Next,
}

impl<A> Reply<A> {
    /// Replies with this value.
    pub fn now(value: A) -> Reply<A> {
        Reply { value: Some(value), next: Next::go_on() }
    }

    /// Replies later, to the address that the handler has taken by
    /// [`Caller::reply_later`](crate::Caller::reply_later). The call fails if the handler has not
    /// taken it.
    pub fn later() -> Reply<A> {
        Reply { value: None, next: Next::go_on() }
    }

    /// Ends the server with this reason, without a reply. The caller gets the exit reason.
    pub fn stop(reason: ExitReason) -> Reply<A> {
        Reply { value: None, next: Next::stop(reason) }
    }

    /// Sets what the server does after the reply.
    pub fn then(mut self, next: Next) -> Reply<A> {
        self.next = next;
        self
    }
}

impl<A> From<A> for Reply<A> {
    fn from(value: A) -> Reply<A> {
        Reply::now(value)
    }
}

/// The result of `init`: the state and what the server does first, or the reason why it does not
/// start.
#[derive(Debug)]
#[must_use = "`init` returns it"]
pub struct Init<S>(pub(super) Result<(S, Next), NoStart>);

#[derive(Debug)]
pub(super) enum NoStart {
    Ignore,
    /// The reason, and whether it is reported as a crash.
    Stop(ExitReason, bool),
}

impl<S> Init<S> {
    /// Starts with this state.
    pub fn ok(state: S) -> Init<S> {
        Init(Ok((state, Next::go_on())))
    }

    /// Sets what the server does first.
    pub fn then(self, next: Next) -> Init<S> {
        Init(self.0.map(|(state, _)| (state, next)))
    }

    /// Does not start, without an error: the starter gets
    /// [`StartError::Ignored`](crate::StartError::Ignored).
    pub fn ignore() -> Init<S> {
        Init(Err(NoStart::Ignore))
    }

    /// Fails to start with this reason, which is reported (OTP's `{stop, Reason}`).
    pub fn stop(reason: ExitReason) -> Init<S> {
        Init(Err(NoStart::Stop(reason, true)))
    }

    /// Fails to start with this reason, without a report (OTP's `{error, Reason}`).
    pub fn error(reason: ExitReason) -> Init<S> {
        Init(Err(NoStart::Stop(reason, false)))
    }
}

/// A value that `init` may return in place of an [`Init`]: the state, or a `Result`.
#[diagnostic::on_unimplemented(
    message = "`init` can't return a `{Self}`",
    note = "it returns the server, an `Init` of it, or a `Result` of one of them"
)]
pub trait IntoInit<S> {
    /// Converts it.
    fn into_init(self) -> Init<S>;
}

impl<S> IntoInit<S> for Init<S> {
    fn into_init(self) -> Init<S> {
        self
    }
}

impl<S: super::GenServer> IntoInit<S> for S {
    fn into_init(self) -> Init<S> {
        Init::ok(self)
    }
}

impl<S, I: IntoInit<S>, E> IntoInit<S> for Result<I, E>
where
    Result<(), E>: Outcome,
{
    fn into_init(self) -> Init<S> {
        match self {
            Ok(init) => init.into_init(),
            Err(error) => Init::stop(reason_of(error)),
        }
    }
}
