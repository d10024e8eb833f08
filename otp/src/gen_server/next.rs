//! The results of callbacks: [`Next`], [`Reply`] and [`Init`].

use std::time::Duration;

use fika_runtime::{Envelope, ExitReason, Message, Outcome, Time, self_node};

use super::handlers::ContinueMessage;

/// The result of a callback: what the server does next (OTP's `{noreply, ..}`, `{stop, ..}` and
/// actions). By default, the server takes its next message.
///
/// ```
/// use fika::gen_server::{Next, Timeout};
/// use fika::prelude::*;
///
/// struct Door {
///     open: bool,
/// }
///
/// #[message]
/// struct Close;
///
/// #[gen_server]
/// impl Door {
///     async fn init() -> Self {
///         Door { open: false }
///     }
///
///     /// Opens the door, and closes it when nothing happens for a while.
///     #[cast]
///     async fn open(&mut self) -> Next {
///         self.open = true;
///         Next::timeout_with(millis(10), Close)
///     }
///
///     #[info]
///     async fn close(&mut self, _: Close) -> Next {
///         self.open = false;
///         Next::timeout(millis(10))
///     }
///
///     /// Nobody comes any more.
///     #[info]
///     async fn on_timeout(&mut self, _: Timeout) -> Next {
///         if self.open { Next::go_on() } else { Next::stop(ExitReason::Normal) }
///     }
/// }
///
/// #[fika::main]
/// async fn main() -> fika::Result {
///     let (door, watch) = Door::start_monitor(Start::new()).await?;
///     door.open();
///     receive! {
///         Down { monitor, .. } if monitor == watch => println!("the door has ended"),
///     }
///     Ok(())
/// }
/// ```
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

    /// Runs `handle_continue` with this value before any message (OTP's `{continue, Term}`). The
    /// value must have the type that the handler takes: a value of another type is dropped, and
    /// reported.
    ///
    /// ```
    /// use fika::gen_server::{Init, Next};
    /// use fika::prelude::*;
    ///
    /// struct Cache(Vec<u64>);
    ///
    /// #[gen_server]
    /// impl Cache {
    ///     async fn init() -> Init<Self> {
    ///         Init::ok(Cache(Vec::new())).then(Next::proceed(1000_u64))
    ///     }
    ///
    ///     async fn handle_continue(&mut self, entries: u64) {
    ///         self.0 = (0..entries).collect();
    ///     }
    ///
    ///     #[call]
    ///     async fn len(&mut self) -> usize {
    ///         self.0.len()
    ///     }
    /// }
    ///
    /// # #[fika::main]
    /// # async fn main() -> fika::Result {
    /// let cache = Cache::start_link(Start::new()).await?;
    /// assert_eq!(cache.len().await?, 1000);
    /// # Ok(())
    /// # }
    /// ```
    pub fn proceed<M: Send + 'static>(value: M) -> Next {
        Next::action(Action::Continue(Envelope::new(ContinueMessage(value))))
    }

    /// Handles [`Timeout`](super::Timeout) as an info message if no message comes within this time
    /// (OTP's `{noreply, State, Time}`). Any message cancels this. After a system message, the time
    /// begins again. With zero, a message that waits already is handled instead.
    pub fn timeout(after: Duration) -> Next {
        Next::timeout_with(after, super::Timeout)
    }

    /// Handles `message` as an info message if no other message comes within this time (OTP's
    /// `{timeout, Time, Message}`). Any other message cancels this. After a system message, the
    /// time begins again.
    pub fn timeout_with<M: Message>(after: Duration, message: M) -> Next {
        Next::action(Action::After(after, Envelope::new(message)))
    }

    /// Handles `message` as an info message if no other message comes before `time`, on the clock
    /// of the node's [`Env`](fika_runtime::Env) (OTP's `{timeout, Time, Message}` with `{abs,
    /// true}`).
    ///
    /// ```
    /// use fika::gen_server::{Init, Next};
    /// use fika::prelude::*;
    /// use fika::node::Time;
    ///
    /// /// Tells a process when a time has come.
    /// struct Alarm(Pid);
    ///
    /// #[message]
    /// struct Ring;
    ///
    /// #[gen_server]
    /// impl Alarm {
    ///     async fn init(at: Time, wakes: Pid) -> Init<Self> {
    ///         Init::ok(Alarm(wakes)).then(Next::timeout_at(at, Ring))
    ///     }
    ///
    ///     #[info]
    ///     async fn ring(&mut self, _: Ring) {
    ///         send(self.0, Ring);
    ///     }
    /// }
    ///
    /// # #[fika::main]
    /// # async fn main() -> fika::Result {
    /// let soon = self_node().env().now() + millis(10);
    /// Alarm::start_link(Start::new(), soon, self_pid()).await?;
    /// receive! { _: Ring => {} }
    /// # Ok(())
    /// # }
    /// ```
    pub fn timeout_at<M: Message>(time: Time, message: M) -> Next {
        Next::action(Action::At(time, Envelope::new(message)))
    }

    /// Hibernates until the next message (OTP's `hibernate`): see [`fika_runtime::hibernate`].
    ///
    /// ```
    /// use fika::gen_server::{Init, Next};
    /// # use fika::prelude::*;
    ///
    /// /// A server that is rarely used.
    /// struct Archive;
    ///
    /// #[gen_server]
    /// impl Archive {
    ///     async fn init() -> Init<Self> {
    ///         Init::ok(Archive).then(Next::hibernate())
    ///     }
    ///
    ///     #[cast]
    ///     async fn store(&mut self, _: String) -> Next {
    ///         Next::hibernate()
    ///     }
    /// }
    /// # #[fika::main]
    /// # async fn main() -> fika::Result {
    /// # Archive::start_link(Start::new()).await?.store("a".into());
    /// # Ok(())
    /// # }
    /// ```
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

    /// Ends the server with this reason, after `terminate` (OTP's `{stop, Reason, State}`).
    pub fn stop(reason: ExitReason) -> Next {
        Next::action(Action::Stop(reason))
    }
}

/// A value that a callback may return in place of a [`Next`]: `()`, or a `Result`, whose error ends
/// the server like an error that a process returns.
///
/// ```
/// use fika::gen_server::{IntoNext, Next};
/// use fika::prelude::*;
///
/// struct Adder(u64);
///
/// #[gen_server]
/// impl Adder {
///     async fn init() -> Self {
///         Adder(0)
///     }
///
///     /// Invalid text ends the server.
///     #[cast]
///     async fn add(&mut self, text: String) -> Result<(), std::num::ParseIntError> {
///         self.0 += text.parse::<u64>()?;
///         Ok(())
///     }
/// }
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// let (adder, _) = Adder::start_monitor(Start::new()).await?;
/// adder.add("seven".into());
/// receive! { Down { reason, .. } => println!("{reason}") } // .. invalid digit found in string
///
/// // A function that is called by several handlers may return one, too.
/// let next: Next = Err::<(), _>(ExitReason::Shutdown).into_next();
/// # let _ = next;
/// # Ok(())
/// # }
/// ```
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

/// The result of a call's handler: the reply, and what the server does next (OTP's `{reply, ..}`).
///
/// ```
/// use fika::gen_server::{Caller, Next, Reply};
/// use fika::prelude::*;
///
/// /// A bank of a card game.
/// struct Bank(u64);
///
/// #[gen_server]
/// impl Bank {
///     async fn init(coins: u64) -> Self {
///         Bank(coins)
///     }
///
///     /// Pays out. Without coins, the game is over.
///     #[call]
///     async fn pay(&mut self, coins: u64) -> Reply<u64> {
///         if self.0 == 0 {
///             return Reply::stop(ExitReason::Shutdown);
///         }
///         let paid = coins.min(self.0);
///         self.0 -= paid;
///         Reply::now(paid).then(Next::hibernate())
///     }
///
///     /// Lets another process count the coins.
///     #[call]
///     async fn count(&mut self, caller: &mut Caller<'_, u64>) -> Reply<u64> {
///         let (caller, coins) = (caller.reply_later(), self.0);
///         spawn(async move { caller.reply(coins) });
///         Reply::later()
///     }
/// }
///
/// #[fika::main]
/// async fn main() -> fika::Result {
///     let bank = Bank::start(Start::new(), 10).await?;
///     assert_eq!(bank.count().await?, 10);
///     assert_eq!(bank.pay(12).await?, 10);
///     let error = bank.pay(12).await.unwrap_err();
///     assert_eq!(error.exit_reason(), Some(&ExitReason::Shutdown));
///     Ok(())
/// }
/// ```
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

    /// Ends the server with this reason, without a reply. The caller gets the exit reason (OTP's
    /// `{stop, Reason, State}`). To reply and then end, write
    /// `Reply::now(value).then(Next::stop(reason))`.
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
///
/// ```
/// use fika::gen_server::{Init, Next, StartError};
/// use fika::prelude::*;
///
/// struct Sensor;
///
/// #[gen_server]
/// impl Sensor {
///     async fn init(port: u16) -> Init<Self> {
///         match port {
///             0 => Init::ignore(),                        // there is no sensor
///             1..1024 => Init::error(ExitReason::badarg("the port is reserved")),
///             9999 => Init::stop(ExitReason::Noproc),     // and the failure is reported
///             _ => Init::ok(Sensor).then(Next::hibernate()),
///         }
///     }
/// }
///
/// #[fika::main]
/// async fn main() {
///     assert!(Sensor::start_link(Start::new(), 8000).await.is_ok());
///     let start = |port| Sensor::start_link(Start::new(), port);
///     assert_eq!(start(0).await.unwrap_err(), StartError::Ignored);
///     let reserved = StartError::Failed(ExitReason::badarg("the port is reserved"));
///     assert_eq!(start(80).await.unwrap_err(), reserved);
///     assert_eq!(start(9999).await.unwrap_err(), StartError::Failed(ExitReason::Noproc));
/// }
/// ```
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

    /// Does not start, without a failure (OTP's `ignore`): the starter gets
    /// [`StartError::Ignored`](crate::StartError::Ignored), and a supervisor goes on without the
    /// child.
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

/// A value that `init` may return in place of an [`Init`] in a block with `#[gen_server]`: the
/// state, or a `Result`, whose error is the reason of the failed start.
///
/// ```
/// use fika::gen_server::{Init, IntoInit};
/// use fika::prelude::*;
///
/// struct Limit(u64);
///
/// #[gen_server]
/// impl Limit {
///     async fn init(text: String) -> Result<Self, std::num::ParseIntError> {
///         Ok(Limit(text.parse()?))
///     }
/// }
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// assert!(Limit::start_link(Start::new(), "7".into()).await.is_ok());
/// assert!(Limit::start_link(Start::new(), "many".into()).await.is_err());
///
/// // What the attribute adds:
/// let init: Init<Limit> = Limit::init("7".into()).await.into_init();
/// # let _ = init;
/// # Ok(())
/// # }
/// ```
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
