//! Servers: processes that handle requests one after another and keep a state (OTP's `gen_server`).
//!
//! ```
//! use fika::gen_server::Next;
//! use fika::prelude::*;
//!
//! struct Account {
//!     cents: u64,
//! }
//!
//! #[gen_server]
//! impl Account {
//!     pub async fn init(cents: u64) -> Self {
//!         Account { cents }
//!     }
//!
//!     /// Pays into the account.
//!     #[cast]
//!     pub async fn pay_in(&mut self, cents: u64) {
//!         self.cents += cents;
//!     }
//!
//!     /// Takes money out of the account, and returns what is left.
//!     #[call]
//!     pub async fn pay_out(&mut self, cents: u64) -> Result<u64, String> {
//!         let left = self.cents.checked_sub(cents);
//!         self.cents = left.ok_or_else(|| format!("there are only {} cents", self.cents))?;
//!         Ok(self.cents)
//!     }
//!
//!     /// Ends the server when a process that it monitors has ended.
//!     #[info]
//!     async fn on_down(&mut self, down: Down) -> Next {
//!         Next::stop(down.reason)
//!     }
//! }
//!
//! #[fika::main]
//! async fn main() -> fika::Result {
//!     let account = Account::start_link(Start::name("account"), 100).await?;
//!     account.pay_in(50);
//!     assert_eq!(account.pay_out(30).await?, Ok(120));
//!     assert!(Account::at("account").pay_out(1000).timeout(secs(1)).await?.is_err());
//!     Ok(())
//! }
//! ```
//!
//! The attribute [`#[gen_server]`](macro@crate::gen_server) on an `impl` block makes the server and
//! its client. Its documentation lists the functions that the block may have.
//!
//! # Requests
//!
//! A request is a method of the client. The method of a `#[call]` returns a [`Request`], which is sent
//! when it is awaited. It waits for the reply for five seconds, or for as long as
//! [`timeout`](Request::timeout) says. [`send`](Request::send) sends it and returns a [`RequestId`], to
//! ask for the reply later; [`RequestIds`] is a collection of them. The method of a `#[cast]` sends the
//! request and returns at once.
//!
//! A call that fails returns a [`CallError`], which says why: there is no such process, it ended,
//! its node was lost, or it did not reply in time. After a timeout, the error also says what a
//! server of the same node was doing. If processes call each other in a circle, all of these calls fail, and the
//! error shows the circle. A reply that comes too late is dropped, and never gets into the mailbox.
//!
//! # What a handler returns
//!
//! The handler of a `#[call]` returns the reply. With [`Reply`] it can also say what the server
//! does next, or reply later by the [`ReplyTo`] of its [`Caller`]. All other handlers return
//! nothing or a [`Next`]: work to do next, a time limit for the next message, or the end of the
//! server. A handler that panics, or returns an `Err` in place of a `Next`, ends the server. The
//! callers that wait for a reply get the exit reason.
//!
//! # On another node
//!
//! `Account::at(("account", "b@127.0.0.1"))` is the client of a server on another node. It works
//! like the client of a local server. A client is a message, and can be sent to other processes and
//! nodes.
//!
//! # Without the attribute
//!
//! The attribute implements [`GenServer`] and a trait for each handler. A program can also
//! implement them by hand, and choose the type of each request:
//!
//! ```
//! use fika::gen_server::{self, Call, Caller, GenServer, HandleCall, Init, Reply};
//! use fika::prelude::*;
//!
//! #[message]
//! struct Add(i64);
//!
//! struct Counter(i64);
//!
//! impl GenServer for Counter {
//!     type Args = i64;
//!     type Receives = (Call<Add>,);
//!
//!     async fn init(start: i64) -> Init<Self> {
//!         Init::ok(Counter(start))
//!     }
//! }
//!
//! impl HandleCall<Add> for Counter {
//!     type Reply = i64;
//!
//!     async fn handle_call(&mut self, Add(by): Add, _: &mut Caller<'_, i64>) -> Reply<i64> {
//!         self.0 += by;
//!         Reply::now(self.0)
//!     }
//! }
//!
//! #[fika::main]
//! async fn main() -> fika::Result {
//!     let counter = gen_server::start_link::<Counter>(Start::new(), 5).await?;
//!     assert_eq!(counter.call(Add(2)).await?, 7);
//!     Ok(())
//! }
//! ```

mod args;
mod handlers;
mod multi;
mod next;
mod run;
mod state;

use std::future::Future;

use fika_macros::Message;
use fika_runtime::{ExitReason, Message, Pid, Reference, send};
use serde::{Deserialize, Serialize};

pub use crate::r#gen::{
    CALL_TIMEOUT, CallError, Caller, Calling, Hop, ReplyTo, Request, RequestId, RequestIds,
    ServerRef, Start, StartError, Via,
};

pub use fika_macros::{call, cast, info};

pub use self::args::{Args, RequestName};
pub use self::handlers::{
    Call, Cast, Continue, HandleCall, HandleCast, HandleContinue, HandleInfo, Info, Receives,
};
#[doc(hidden)]
pub use self::handlers::{Handled, Kind};
pub use self::multi::{MultiCall, abcast, multi_call};
pub use self::next::{Init, IntoInit, IntoNext, Next, Reply};
pub use self::run::enter_loop;
#[doc(hidden)]
pub use self::state::{NoDebug, State};
use crate::r#gen::Bond;
use crate::r#gen::wire::CastMessage;
use crate::sys::Status;

/// A server. [`#[gen_server]`](macro@crate::gen_server) on an `impl` block implements this trait,
/// and makes a client with a method for each request.
pub trait GenServer: Sized + Send + 'static {
    /// The arguments of [`init`](GenServer::init).
    type Args: Send + 'static;

    /// The messages that the server receives: a tuple of [`Call`], [`Cast`], [`Info`] and
    /// [`Continue`]. A call with a request that is not listed fails; every other unlisted message
    /// is reported and dropped.
    type Receives: Receives<Self>;

    /// Makes the state. The server's name is already registered, and the starter waits until this
    /// returns.
    fn init(args: Self::Args) -> impl Future<Output = Init<Self>> + Send;

    /// Cleans up before the server ends by [`Next::stop`], by an error of a callback, by
    /// [`ServerRef::stop`], or because its parent ends while the server traps exits. It does not
    /// run if another exit signal ends the server.
    fn terminate(&mut self, reason: &ExitReason) -> impl Future<Output = ()> + Send {
        let _ = reason;
        async {}
    }

    /// Returns the state as reports and [`sys::get_status`](crate::sys::get_status) show it. By
    /// default, that is the name of the type; a server with `#[gen_server]` shows the beginning of its
    /// `Debug` text, if it has `Debug`. Leave secrets out.
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
/// If the name is taken, or `init` fails or takes longer than the limit of `opts`. The caller gets
/// no exit signal for a failed start.
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
/// If the name is taken, or `init` fails or takes longer than the limit of `opts`. The caller gets
/// no `Down` for a failed start.
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
    /// Returns a request. Await it to send it and to get the reply (OTP's `gen_server:call`).
    ///
    /// The reply must come within five seconds, unless [`Request::timeout`] says otherwise. A
    /// process can wait for any number of calls, and for a `receive!`, at the same time.
    ///
    /// # Errors
    /// A [`CallError`](crate::CallError), when the request is awaited.
    ///
    /// # Panics
    /// Outside of a process, when the request is awaited.
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
    /// Outside of a process. The caller ends with `badarg` if the message can't leave this node and
    /// the server is on another one.
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
