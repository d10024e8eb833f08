//! Servers: processes that handle requests one after another and keep a state (OTP's `gen_server`).

mod handlers;
mod multi;
mod next;
mod run;

use std::future::Future;

use fika_macros::Message;
use fika_runtime::{ExitReason, Message, Pid, Reference, send};
use serde::{Deserialize, Serialize};

pub use crate::r#gen::{
    CALL_TIMEOUT, CallError, Caller, Calling, Hop, ReplyTo, Request, RequestId, RequestIds,
    ServerRef, Start, StartError, Via,
};

pub use self::handlers::{
    Call, Cast, Continue, HandleCall, HandleCast, HandleContinue, HandleInfo, Info, Receives,
};
pub use self::multi::{MultiCall, abcast, multi_call};
pub use self::next::{Init, IntoInit, IntoNext, Next, Reply};
pub use self::run::enter_loop;
use crate::r#gen::Bond;
use crate::r#gen::wire::CastMessage;
use crate::sys::Status;

/// A server, written out. [`#[gen_server]`](macro@crate::gen_server) on an `impl` block does this,
/// and makes a client with a method for each request.
pub trait GenServer: Sized + Send + 'static {
    /// The arguments of [`init`](GenServer::init).
    type Args: Send + 'static;

    /// What the server receives: a tuple of [`Call`], [`Cast`], [`Info`] and [`Continue`]. A request
    /// that is not listed fails at the caller; another message is reported and dropped.
    type Receives: Receives<Self>;

    /// Makes the state. The starter waits for it, and the server's name is registered already.
    fn init(args: Self::Args) -> impl Future<Output = Init<Self>> + Send;

    /// Cleans up, before the server ends by [`Next::stop`], by an error of a callback, by
    /// [`ServerRef::stop`], or because its parent ends while it traps exits. It does not run if
    /// another exit signal ends the server.
    fn terminate(&mut self, reason: &ExitReason) -> impl Future<Output = ()> + Send {
        let _ = reason;
        async {}
    }

    /// Returns the state as reports and [`sys::get_status`](crate::sys::get_status) show it.
    fn format_status(&self) -> String {
        format!("a `{}`", std::any::type_name::<Self>())
    }
}

/// The info message of [`Next::timeout`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, Message)]
#[message(tag = "fika_otp::gen_server::Timeout")]
pub struct Timeout;

/// Starts a server that is not linked to the caller (OTP's `gen_server:start`).
///
/// # Errors
/// If the name is taken, or `init` fails or takes longer than the limit of `opts`.
///
/// # Panics
/// Outside of a process.
pub async fn start<S: GenServer>(opts: Start, args: S::Args) -> Result<ServerRef<S>, StartError> {
    run::start::<S>(opts, Bond::None, args).await
}

/// Starts a server that is linked to the caller (OTP's `gen_server:start_link`).
///
/// # Errors
/// As [`start`]. The caller gets no exit signal for a failed start.
///
/// # Panics
/// Outside of a process.
pub async fn start_link<S: GenServer>(
    opts: Start,
    args: S::Args,
) -> Result<ServerRef<S>, StartError> {
    run::start::<S>(opts, Bond::Link, args).await
}

/// Starts a server, and monitors it (OTP's `gen_server:start_monitor`).
///
/// # Errors
/// As [`start`]. There is no `Down` for a failed start.
///
/// # Panics
/// Outside of a process.
pub async fn start_monitor<S: GenServer>(
    opts: Start,
    args: S::Args,
) -> Result<(ServerRef<S>, Reference), StartError> {
    let (server, spawned) = run::start_spawned::<S>(opts, Bond::Monitor, args).await?;
    Ok((server, spawned.monitor.expect("it was asked for")))
}

impl<S: GenServer> ServerRef<S> {
    /// Makes a request; await it for the reply (OTP's `gen_server:call`).
    ///
    /// The reply must come within five seconds, unless [`Request::timeout`] says otherwise. Any
    /// number of calls can wait side by side, and beside a `receive!`.
    ///
    /// # Errors
    /// When it is awaited: see [`CallError`](crate::CallError).
    ///
    /// # Panics
    /// Outside of a process, when it is awaited.
    pub fn call<R: Message>(&self, request: R) -> Request<'_, R, S::Reply>
    where
        S: HandleCall<R>,
    {
        Request::new(self.address(), request)
    }

    /// Sends a request without a reply (OTP's `gen_server:cast`). If there is no such server, nothing
    /// happens.
    ///
    /// # Panics
    /// Outside of a process. The caller ends with `badarg` if the request can't leave this node and
    /// the server is on another one.
    pub fn cast<R: Message>(&self, request: R)
    where
        S: HandleCast<R>,
    {
        self.send_message(CastMessage(request));
    }

    /// Sends a message that is handled by `handle_info`.
    ///
    /// # Panics
    /// As [`cast`](ServerRef::cast).
    pub fn info<M: Message>(&self, message: M)
    where
        S: HandleInfo<M>,
    {
        self.send_message(message);
    }
}

impl<S> ServerRef<S> {
    fn send_message<M: Message>(&self, message: M) {
        match self.address().dest() {
            Some(dest) => send(dest, message),
            None => drop(message),
        }
    }
}

/// Returns a server's status; see [`sys::get_status`](crate::sys::get_status).
pub(crate) fn status<S: GenServer>(server: &S, parent: Option<Pid>, suspended: bool) -> Status {
    Status {
        module: std::any::type_name::<S>().to_owned(),
        parent,
        suspended,
        state: run::format_state(server),
        log: Vec::new(),
    }
}
