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
use crate::r#gen::{Caller, ReplyTo, Unanswered, name};

/// Handles the requests of type `R`, each of which gets a reply (OTP's `handle_call/3`).
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no handler for the request `{R}`",
    note = "a server handles a request by `impl HandleCall<{R}>`, and lists `Call<{R}>` in its \
            `Receives`"
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
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no handler for the cast `{R}`",
    note = "a server handles a cast by `impl HandleCast<{R}>`, and lists `Cast<{R}>` in its \
            `Receives`"
)]
pub trait HandleCast<R: Message>: GenServer {
    /// Handles one request.
    fn handle_cast(&mut self, request: R) -> impl Future<Output = Next> + Send;
}

/// Handles the messages of type `M` that were sent without `call` and `cast`, such as a `Down` (OTP's
/// `handle_info/2`).
pub trait HandleInfo<M: Message>: GenServer {
    /// Handles one message.
    fn handle_info(&mut self, message: M) -> impl Future<Output = Next> + Send;
}

/// Does work that a callback has put off by [`Next::proceed`] (OTP's `handle_continue/2`).
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
#[derive(Debug)]
pub struct Continue<M>(PhantomData<fn() -> M>);

/// The list of the messages that a server receives: a tuple of [`Call`], [`Cast`], [`Info`] and
/// [`Continue`].
pub trait Receives<S>: Send + 'static {
    /// Returns whether the list has the message's type.
    #[doc(hidden)]
    fn takes(message: &Envelope) -> bool;

    /// Describes a message whose type is in the list.
    #[doc(hidden)]
    fn describe(message: &Envelope) -> Kind;

    /// Handles a message whose type is in the list.
    #[doc(hidden)]
    fn handle(
        server: &mut S,
        message: Envelope,
        behaviour: &Arc<Behaviour>,
    ) -> impl Future<Output = Handled> + Send;
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
    async fn handle(server: &mut S, message: Envelope, behaviour: &Arc<Behaviour>) -> Handled {
        let (from, request) = if message.is::<LocalCall<R, S::Reply>>() {
            let Some(call) = open::<LocalCall<R, S::Reply>>(message) else {
                return Next::go_on().into();
            };
            call.take()
        } else {
            let Some(RemoteCall::<R, S::Reply> { head, request, .. }) = open_remote(message) else {
                return Next::go_on().into();
            };
            (ReplyTo::there(head.caller, head.proxy), request)
        };
        behaviour.begins(const { &Work { callback: "handle_call", request: name::<R> } });
        let mut caller = Caller { from: Some(from), server: behaviour };
        let Reply { value, next } = server.handle_call(request, &mut caller).await;
        let mut handled = Handled::from(next);
        match (value, caller.from.take()) {
            (Some(value), Some(from)) => {
                from.reply(value);
                handled.replied = true;
            }
            // The caller gets the exit reason after the server has ended.
            (None, Some(from)) if handled.next.stops() => handled.unanswered = Some(Box::new(from)),
            (None, Some(from)) => from.refuse(Unanswered::Dropped),
            (_, None) => {}
        }
        handled
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
    async fn handle(server: &mut S, message: Envelope, behaviour: &Arc<Behaviour>) -> Handled {
        let Some(CastMessage(request)) = open(message) else { return Next::go_on().into() };
        behaviour.begins(const { &Work { callback: "handle_cast", request: name::<R> } });
        server.handle_cast(request).await.into()
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
    async fn handle(server: &mut S, message: Envelope, behaviour: &Arc<Behaviour>) -> Handled {
        let Some(message) = open::<M>(message) else { return Next::go_on().into() };
        behaviour.begins(const { &Work { callback: "handle_info", request: name::<M> } });
        server.handle_info(message).await.into()
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
    async fn handle(server: &mut S, message: Envelope, behaviour: &Arc<Behaviour>) -> Handled {
        let Some(ContinueMessage(value)) = open(message) else { return Next::go_on().into() };
        behaviour.begins(const { &Work { callback: "handle_continue", request: type_name::<M> } });
        server.handle_continue(value).await.into()
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
            async fn handle(_server: &mut S, message: Envelope, _behaviour: &Arc<Behaviour>) -> Handled {
                $(if $kind::takes(&message) {
                    return $kind::handle(_server, message, _behaviour).await;
                })*
                drop(message);
                Next::go_on().into()
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
