//! The handlers of a server, one trait for each kind of message, and the list of the messages that
//! the server receives.
//!
//! The list is a tuple of [`Call`], [`Cast`], [`Info`] and [`Continue`]; a tuple may contain
//! tuples. Each kind finds its messages by their type and calls its handler.

use std::any::type_name;
use std::borrow::Cow;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use fika_runtime::message::Buffer;
use fika_runtime::{DecodeError, EncodeError, Envelope, Message, Pid, open_message as open};

use super::GenServer;
use super::next::{Next, Reply};
use crate::r#gen::behaviour::{Behaviour, Work};
use crate::r#gen::wire::{CastMessage, LocalCall, RemoteCall, head_of, open_remote};
use crate::r#gen::{Caller, ReplyTo, name};

/// Handles the requests of type `R`, each of which gets a reply (OTP's `handle_call/3`).
///
/// ```
/// use fika::gen_server::{self, Call, Caller, GenServer, HandleCall, Init, Next, Reply};
/// use fika::prelude::*;
///
/// #[message]
/// struct Take(u64);
///
/// struct Stock(u64);
///
/// impl GenServer for Stock {
///     type Args = u64;
///     type Receives = (Call<Take>,);
///
///     async fn init(pieces: u64) -> Init<Self> {
///         Init::ok(Stock(pieces))
///     }
/// }
///
/// /// Returns how many pieces there were to take. An empty stock ends.
/// impl HandleCall<Take> for Stock {
///     type Reply = u64;
///
///     async fn handle_call(&mut self, Take(n): Take, _: &mut Caller<'_, u64>) -> Reply<u64> {
///         let taken = n.min(self.0);
///         self.0 -= taken;
///         let next = if self.0 == 0 { Next::stop(ExitReason::Normal) } else { Next::go_on() };
///         Reply::now(taken).then(next)
///     }
/// }
///
/// #[fika::main]
/// async fn main() -> fika::Result {
///     let stock = gen_server::start::<Stock>(Start::new(), 10).await?;
///     assert_eq!(stock.call(Take(7)).await?, 7);
///     assert_eq!(stock.call(Take(7)).await?, 3);
///     Ok(())
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no handler for the request `{R}`",
    note = "a server handles a request by a function with `#[call]` in its block with \
            `#[gen_server]`, which the client calls by its name; or by `impl HandleCall<{R}>`, and \
            `Call<{R}>` in its `Receives`"
)]
pub trait HandleCall<R: Message>: GenServer {
    /// The type of the reply.
    type Reply: Message;

    /// Handles one request. The future must be `Send`, so write `async fn` in the `impl`.
    fn handle_call(
        &mut self,
        request: R,
        caller: &mut Caller<'_, Self::Reply>,
    ) -> impl Future<Output = Reply<Self::Reply>> + Send;
}

/// Handles the requests of type `R` that get no reply (OTP's `handle_cast/2`).
///
/// ```
/// use fika::gen_server::{HandleCast, Next};
/// # use fika::gen_server::{Cast, GenServer, Init};
/// use fika::prelude::*;
///
/// #[message]
/// struct Set(u64);
///
/// struct Cell(u64);
/// # impl GenServer for Cell {
/// #     type Args = ();
/// #     type Receives = (Cast<Set>,);
/// #     async fn init(_: ()) -> Init<Self> { Init::ok(Cell(0)) }
/// # }
///
/// impl HandleCast<Set> for Cell {
///     async fn handle_cast(&mut self, Set(value): Set) -> Next {
///         self.0 = value;
///         Next::go_on()
///     }
/// }
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let cell = fika::gen_server::start_link::<Cell>(Start::new(), ()).await?;
/// # cell.cast(Set(7));
/// # assert_eq!(fika::sys::with_state(&cell, |cell| cell.0).await?, 7);
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no handler for the cast `{R}`",
    note = "a server handles a cast by a function with `#[cast]` in its block with \
            `#[gen_server]`, which the client calls by its name; or by `impl HandleCast<{R}>`, and \
            `Cast<{R}>` in its `Receives`"
)]
pub trait HandleCast<R: Message>: GenServer {
    /// Handles one request.
    fn handle_cast(&mut self, request: R) -> impl Future<Output = Next> + Send;
}

/// Handles the messages of type `M` that were sent without `call` and `cast`, such as a `Down`, an
/// `Exit` or a `NodeDown` (OTP's `handle_info/2`).
///
/// ```
/// use fika::gen_server::{HandleInfo, Next};
/// # use fika::gen_server::{GenServer, Info, Init};
/// use fika::prelude::*;
///
/// /// Ends with the process that it watches.
/// struct Watcher;
/// # impl GenServer for Watcher {
/// #     type Args = Pid;
/// #     type Receives = (Info<Down>,);
/// #     async fn init(pid: Pid) -> Init<Self> { monitor(pid); Init::ok(Watcher) }
/// # }
///
/// impl HandleInfo<Down> for Watcher {
///     async fn handle_info(&mut self, down: Down) -> Next {
///         Next::stop(down.reason)
///     }
/// }
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let pid = spawn(std::future::pending::<()>());
/// # let (watcher, _) = fika::gen_server::start_monitor::<Watcher>(Start::new(), pid).await?;
/// # exit_process(pid, ExitReason::Shutdown);
/// # receive! { Down { reason, .. } => assert_eq!(reason, ExitReason::Shutdown) }
/// # drop(watcher);
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no handler for the message `{M}`",
    note = "a server handles a message by a function with `#[info]` in its block with \
            `#[gen_server]`; or by `impl HandleInfo<{M}>`, and `Info<{M}>` in its `Receives`"
)]
pub trait HandleInfo<M: Message>: GenServer {
    /// Handles one message.
    fn handle_info(&mut self, message: M) -> impl Future<Output = Next> + Send;
}

/// Does work that a callback has put off by [`Next::proceed`] (OTP's `handle_continue/2`).
///
/// ```
/// use fika::gen_server::{self, Continue, GenServer, HandleContinue, Init, Next};
/// use fika::prelude::*;
///
/// struct Cache(Vec<u64>);
///
/// /// The work of filling the cache, which takes its time.
/// struct Fill;
///
/// impl GenServer for Cache {
///     type Args = ();
///     type Receives = (Continue<Fill>,);
///
///     // The start does not wait for the work. No request is handled before it.
///     async fn init((): ()) -> Init<Self> {
///         Init::ok(Cache(Vec::new())).then(Next::proceed(Fill))
///     }
/// }
///
/// impl HandleContinue<Fill> for Cache {
///     async fn handle_continue(&mut self, Fill: Fill) -> Next {
///         self.0 = (0..1000).collect();
///         Next::go_on()
///     }
/// }
///
/// #[fika::main]
/// async fn main() -> fika::Result {
///     let cache = gen_server::start_link::<Cache>(Start::new(), ()).await?;
///     assert_eq!(fika::sys::with_state(&cache, |cache| cache.0.len()).await?, 1000);
///     Ok(())
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no `handle_continue` for a `{M}`",
    note = "write it in the block with `#[gen_server]`; or write `impl HandleContinue<{M}>`, and \
            `Continue<{M}>` in the server's `Receives`"
)]
pub trait HandleContinue<M: Send + 'static>: GenServer {
    /// Does the work.
    fn handle_continue(&mut self, value: M) -> impl Future<Output = Next> + Send;
}

/// In a server's list: requests of type `R`, by [`HandleCall`].
#[derive(Debug)]
pub struct Call<R>(PhantomData<fn() -> R>);

/// In a server's list: requests of type `R` without a reply, by [`HandleCast`].
#[derive(Debug)]
pub struct Cast<R>(PhantomData<fn() -> R>);

/// In a server's list: messages of type `M`, by [`HandleInfo`].
#[derive(Debug)]
pub struct Info<M>(PhantomData<fn() -> M>);

/// In a server's list: values of type `M` of [`Next::proceed`], by [`HandleContinue`].
///
/// ```
/// use fika::gen_server::{Continue, Next};
/// # use fika::gen_server::{GenServer, HandleContinue, Init};
/// # struct Cache;
/// struct Fill;
///
/// impl GenServer for Cache {
///     type Args = ();
///     type Receives = (Continue<Fill>,);
///
///     async fn init((): ()) -> Init<Self> {
///         Init::ok(Cache).then(Next::proceed(Fill))
///     }
/// }
/// # impl HandleContinue<Fill> for Cache {
/// #     async fn handle_continue(&mut self, Fill: Fill) -> Next { Next::go_on() }
/// # }
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # fika::gen_server::start_link::<Cache>(Default::default(), ()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Continue<M>(PhantomData<fn() -> M>);

/// The list of the messages that a server receives: a tuple of up to 16 of [`Call`], [`Cast`],
/// [`Info`] and [`Continue`]. A longer list is a tuple of tuples.
pub trait Receives<S>: Send + 'static {
    /// Returns whether the list has the message's type.
    #[doc(hidden)]
    fn takes(message: &Envelope) -> bool;

    /// Describes a message whose type is in the list.
    #[doc(hidden)]
    fn describe(message: &Envelope) -> Kind;

    /// Handles a message. Returns a message whose type is not in the list.
    #[doc(hidden)]
    fn handle(
        server: &mut S,
        message: Envelope,
        behaviour: &Arc<Behaviour>,
    ) -> impl Future<Output = Result<Handled, Envelope>> + Send;
}

/// The result of a handler: what the server does next, whether it has replied, and a request that
/// is answered by the server's end.
#[doc(hidden)]
pub struct Handled {
    pub(super) next: Next,
    pub(super) replied: bool,
    pub(super) unanswered: Option<Box<dyn Send>>,
}

impl From<Next> for Handled {
    fn from(next: Next) -> Handled {
        Handled { next, replied: false, unanswered: None }
    }
}

impl Handled {
    /// Of a message that was dropped since it did not decode.
    fn gone() -> Handled {
        Next::go_on().into()
    }
}

/// A message that a server handles, for reports.
#[doc(hidden)]
pub struct Kind {
    pub(super) callback: &'static str,
    pub(super) request: &'static str,
    /// The type of the reply.
    pub(super) reply: &'static str,
    /// The process that called.
    pub(super) caller: Option<Pid>,
}

/// The kind of a message that is not handled.
impl Default for Kind {
    fn default() -> Kind {
        Kind::new("none", "none")
    }
}

impl Kind {
    fn new(callback: &'static str, request: &'static str) -> Kind {
        Kind { callback, request, reply: "", caller: None }
    }
}

impl<S: HandleCall<R>, R: Message> Receives<S> for Call<R> {
    #[inline]
    fn takes(message: &Envelope) -> bool {
        message.is::<LocalCall<R, S::Reply>>() || message.is::<RemoteCall<R, S::Reply>>()
    }

    fn describe(message: &Envelope) -> Kind {
        let caller = match message.peek::<LocalCall<R, S::Reply>>() {
            Some(call) => call.from.pid(),
            None => head_of(message).and_then(|head| head.caller),
        };
        Kind { reply: name::<S::Reply>(), caller, ..Kind::new("handle_call", name::<R>()) }
    }

    #[inline]
    async fn handle(
        server: &mut S,
        message: Envelope,
        behaviour: &Arc<Behaviour>,
    ) -> Result<Handled, Envelope> {
        let (from, request) = match message.downcast::<LocalCall<R, S::Reply>>() {
            Ok(call) => call.body.take(),
            Err(message) if message.is::<RemoteCall<R, S::Reply>>() => {
                let Some(RemoteCall::<R, S::Reply> { head, request, .. }) = open_remote(message)
                else {
                    return Ok(Handled::gone());
                };
                (ReplyTo::there(head.caller, head.proxy), request)
            }
            Err(message) => return Err(message),
        };
        behaviour.begins(const { &Work { callback: "handle_call", request: name::<R> } });
        let mut caller = Caller { from: Some(from), server: behaviour };
        let Reply { value, next } = server.handle_call(request, &mut caller).await;
        let mut handled = Handled::from(next);
        match (value, caller.from.take()) {
            (Some(value), Some(from)) => {
                let caller = from.pid();
                from.reply(value);
                if let Some(caller) = caller {
                    behaviour.answered(caller);
                }
                handled.replied = true;
            }
            // The caller gets the exit reason after the server has ended.
            (None, Some(from)) if handled.next.stops() => handled.unanswered = Some(Box::new(from)),
            // The drop tells the caller that there is no reply.
            (None, Some(from)) => drop(from),
            (_, None) => {}
        }
        Ok(handled)
    }
}

impl<S: HandleCast<R>, R: Message> Receives<S> for Cast<R> {
    #[inline]
    fn takes(message: &Envelope) -> bool {
        message.is::<CastMessage<R>>()
    }

    fn describe(_: &Envelope) -> Kind {
        Kind::new("handle_cast", name::<R>())
    }

    #[inline]
    async fn handle(
        server: &mut S,
        message: Envelope,
        behaviour: &Arc<Behaviour>,
    ) -> Result<Handled, Envelope> {
        if !message.is::<CastMessage<R>>() {
            return Err(message);
        }
        let Some(CastMessage(request)) = open(message) else { return Ok(Handled::gone()) };
        behaviour.begins(const { &Work { callback: "handle_cast", request: name::<R> } });
        Ok(server.handle_cast(request).await.into())
    }
}

impl<S: HandleInfo<M>, M: Message> Receives<S> for Info<M> {
    #[inline]
    fn takes(message: &Envelope) -> bool {
        message.is::<M>()
    }

    fn describe(_: &Envelope) -> Kind {
        Kind::new("handle_info", name::<M>())
    }

    #[inline]
    async fn handle(
        server: &mut S,
        message: Envelope,
        behaviour: &Arc<Behaviour>,
    ) -> Result<Handled, Envelope> {
        if !message.is::<M>() {
            return Err(message);
        }
        let Some(message) = open::<M>(message) else { return Ok(Handled::gone()) };
        behaviour.begins(const { &Work { callback: "handle_info", request: name::<M> } });
        Ok(server.handle_info(message).await.into())
    }
}

impl<S: HandleContinue<M>, M: Send + 'static> Receives<S> for Continue<M> {
    #[inline]
    fn takes(message: &Envelope) -> bool {
        message.is::<ContinueMessage<M>>()
    }

    fn describe(_: &Envelope) -> Kind {
        Kind::new("handle_continue", type_name::<M>())
    }

    #[inline]
    async fn handle(
        server: &mut S,
        message: Envelope,
        behaviour: &Arc<Behaviour>,
    ) -> Result<Handled, Envelope> {
        if !message.is::<ContinueMessage<M>>() {
            return Err(message);
        }
        let Some(ContinueMessage(value)) = open(message) else { return Ok(Handled::gone()) };
        behaviour.begins(const { &Work { callback: "handle_continue", request: type_name::<M> } });
        Ok(server.handle_continue(value).await.into())
    }
}

/// The value of a [`Next::proceed`], on its way to its handler.
pub(super) struct ContinueMessage<M>(pub(super) M);

impl<M: Send + 'static> Message for ContinueMessage<M> {
    fn tag() -> Cow<'static, str> {
        "fika_otp::ContinueMessage".into()
    }

    fn fingerprint() -> u64 {
        0
    }

    fn check_sendable() -> Result<(), EncodeError> {
        Err(EncodeError::refused(type_name::<M>(), "it is work that a server has put off"))
    }

    fn encode(&self, _: &mut Buffer) -> Result<(), EncodeError> {
        Self::check_sendable()
    }

    fn decode(_: &Bytes) -> Result<Self, DecodeError> {
        Err(DecodeError::malformed::<M>("it never crosses the wire"))
    }
}

macro_rules! lists {
    ($($($kind:ident)*;)*) => {$(
        impl<S: GenServer, $($kind: Receives<S>),*> Receives<S> for ($($kind,)*) {
            #[inline]
            fn takes(_message: &Envelope) -> bool {
                false $(|| $kind::takes(_message))*
            }

            fn describe(_message: &Envelope) -> Kind {
                $(if $kind::takes(_message) {
                    return $kind::describe(_message);
                })*
                Kind::default()
            }

            #[inline]
            async fn handle(
                _server: &mut S,
                message: Envelope,
                _behaviour: &Arc<Behaviour>,
            ) -> Result<Handled, Envelope> {
                $(if $kind::takes(&message) {
                    return $kind::handle(_server, message, _behaviour).await;
                })*
                Err(message)
            }
        }
    )*};
}

lists! {
    ;
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
    A B C D E F G H I;
    A B C D E F G H I J;
    A B C D E F G H I J K;
    A B C D E F G H I J K L;
    A B C D E F G H I J K L M;
    A B C D E F G H I J K L M N;
    A B C D E F G H I J K L M N O;
    A B C D E F G H I J K L M N O P;
}
