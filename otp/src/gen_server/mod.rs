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
//! use fika::gen_server::{self, Call, Caller, Cast, GenServer, HandleCall, HandleCast, HandleInfo};
//! use fika::gen_server::{Info, Init, Next, Reply};
//! use fika::prelude::*;
//!
//! #[message]
//! struct Add(i64);
//! #[message]
//! struct Reset;
//!
//! struct Counter(i64);
//!
//! impl GenServer for Counter {
//!     type Args = i64;
//!     type Receives = (Call<Add>, Cast<Reset>, Info<Down>);
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
//! impl HandleCast<Reset> for Counter {
//!     async fn handle_cast(&mut self, _: Reset) -> Next {
//!         self.0 = 0;
//!         Next::go_on()
//!     }
//! }
//!
//! impl HandleInfo<Down> for Counter {
//!     async fn handle_info(&mut self, down: Down) -> Next {
//!         Next::stop(down.reason)
//!     }
//! }
//!
//! #[fika::main]
//! async fn main() -> fika::Result {
//!     let counter = gen_server::start_link::<Counter>(Start::new(), 5).await?;
//!     assert_eq!(counter.call(Add(2)).await?, 7);
//!     counter.cast(Reset);
//!     assert_eq!(counter.call(Add(2)).await?, 2);
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

/// A server: its state, and its callbacks (OTP's behaviour `gen_server`).
/// [`#[gen_server]`](macro@crate::gen_server) on an `impl` block implements this trait, and makes a
/// client with a method for each request.
///
/// The server handles one message after another. A callback that panics, or that ends by
/// [`exit`](fika_runtime::exit), ends the server.
///
/// ```
/// use fika::gen_server::{self, Cast, GenServer, HandleCast, Init, Next};
/// use fika::prelude::*;
///
/// #[message]
/// struct Line(String);
///
/// struct Log {
///     lines: Vec<String>,
/// }
///
/// impl GenServer for Log {
///     type Args = usize;
///     type Receives = (Cast<Line>,);
///
///     async fn init(room: usize) -> Init<Self> {
///         Init::ok(Log { lines: Vec::with_capacity(room) })
///     }
///
///     async fn terminate(&mut self, reason: &ExitReason) {
///         println!("{} lines were not written, since the log ends: {reason}", self.lines.len());
///     }
///
///     fn format_status(&self) -> String {
///         format!("lines: {}", self.lines.len())
///     }
/// }
///
/// impl HandleCast<Line> for Log {
///     async fn handle_cast(&mut self, Line(line): Line) -> Next {
///         self.lines.push(line);
///         Next::go_on()
///     }
/// }
///
/// #[fika::main]
/// async fn main() -> fika::Result {
///     let log = gen_server::start_link::<Log>(Start::name("log"), 100).await?;
///     log.cast(Line("hello".into()));
///     assert_eq!(fika::sys::get_status(&log).await?.state, "lines: 1");
///     log.stop(ExitReason::Normal, secs(5)).await?;
///     Ok(())
/// }
/// ```
pub trait GenServer: Sized + Send + 'static {
    /// The arguments of [`init`](GenServer::init).
    type Args: Send + 'static;

    /// The messages that the server receives: a tuple of [`Call`], [`Cast`], [`Info`] and
    /// [`Continue`]. A call with a request that is not listed fails; every other unlisted message
    /// is reported and dropped.
    type Receives: Receives<Self>;

    /// Makes the state (OTP's `init/1`). The server's name is already registered, and the starter
    /// waits until this returns. A panic fails the start, and is reported.
    fn init(args: Self::Args) -> impl Future<Output = Init<Self>> + Send;

    /// Cleans up before the server ends by [`Next::stop`], by an error of a callback, by
    /// [`ServerRef::stop`], or because its parent ends while the server traps exits (OTP's
    /// `terminate/2`). It does not run if another exit signal ends the server. A panic in it
    /// replaces the exit reason.
    fn terminate(&mut self, reason: &ExitReason) -> impl Future<Output = ()> + Send {
        let _ = reason;
        async {}
    }

    /// Returns the state as reports and [`sys::get_status`](crate::sys::get_status) show it (OTP's
    /// `format_status/1`). By default, it is the name of the type; a server with `#[gen_server]` shows
    /// the beginning of its `Debug` text, if it has `Debug`. Leave secrets out. A panic in it does not
    /// end the server.
    fn format_status(&self) -> String {
        format!("a `{}`", std::any::type_name::<Self>())
    }
}

/// The info message of [`Next::timeout`] (OTP's `timeout`).
///
/// ```
/// use fika::gen_server::{Init, Next, Timeout};
/// use fika::prelude::*;
///
/// /// A session that ends when it is not used.
/// struct Session;
///
/// #[gen_server]
/// impl Session {
///     async fn init() -> Init<Self> {
///         Init::ok(Session).then(Next::timeout(millis(10)))
///     }
///
///     #[info]
///     async fn on_timeout(&mut self, _: Timeout) -> Next {
///         Next::stop(ExitReason::Normal)
///     }
/// }
///
/// #[fika::main]
/// async fn main() -> fika::Result {
///     let session = Session::start(Start::new()).await?;
///     let watch = monitor(session.whereis().unwrap());
///     receive! { Down { monitor, .. } if monitor == watch => println!("the session has ended") }
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, Message)]
#[message(tag = "fika_otp::gen_server::Timeout")]
pub struct Timeout;

/// Starts a server on this node that is not linked to the caller (OTP's `gen_server:start`). It
/// returns when the server's `init` has returned.
///
/// ```
/// use fika::gen_server;
/// use fika::prelude::*;
/// # use fika::gen_server::{GenServer, Init};
/// # struct Idle;
/// # impl GenServer for Idle {
/// #     type Args = ();
/// #     type Receives = ();
/// #     async fn init(_: ()) -> Init<Self> { Init::ok(Idle) }
/// # }
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// let idle = gen_server::start::<Idle>(Start::name("idle"), ()).await?;
/// assert_eq!(whereis("idle"), idle.whereis());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If the name is taken, or `init` fails or takes longer than the limit of `opts`. The server's
/// process has ended then, and its name is free.
///
/// # Panics
/// Outside of a process.
pub async fn start<S: GenServer>(opts: Start, args: S::Args) -> Result<ServerRef<S>, StartError> {
    run::start::<S>(opts, Bond::None, args).await
}

/// Starts a server on this node that is linked to the caller (OTP's `gen_server:start_link`). It
/// returns when the server's `init` has returned.
///
/// # Errors
/// If the name is taken, or `init` fails or takes longer than the limit of `opts`. The server's
/// process has ended then, and its name is free. The caller gets no exit signal for a failed start.
///
/// # Panics
/// Outside of a process.
pub async fn start_link<S: GenServer>(
    opts: Start,
    args: S::Args,
) -> Result<ServerRef<S>, StartError> {
    run::start::<S>(opts, Bond::Link, args).await
}

/// Starts a server on this node, and monitors it (OTP's `gen_server:start_monitor`). It returns
/// when the server's `init` has returned.
///
/// ```
/// use fika::gen_server;
/// use fika::prelude::*;
/// # use fika::gen_server::{GenServer, Init};
/// # struct Idle;
/// # impl GenServer for Idle {
/// #     type Args = ();
/// #     type Receives = ();
/// #     async fn init(_: ()) -> Init<Self> { Init::ok(Idle) }
/// # }
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// let (idle, watch) = gen_server::start_monitor::<Idle>(Start::new(), ()).await?;
/// idle.stop(ExitReason::Shutdown, secs(5)).await?;
/// receive! {
///     Down { monitor, .. } if monitor == watch => println!("it has ended"),
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If the name is taken, or `init` fails or takes longer than the limit of `opts`. The server's
/// process has ended then, and its name is free. The caller gets no `Down` for a failed start.
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
    /// A [`CallError`], when the request is awaited.
    ///
    /// # Panics
    /// Outside of a process, when the request is awaited. The caller ends with `badarg` if the
    /// server is a name on another node, and its own node has no name.
    pub fn call<R: Message>(&self, request: R) -> Request<'_, R, S::Reply>
    where
        S: HandleCall<R>,
    {
        Request::new(self.address(), request)
    }

    /// Sends a request without a reply (OTP's `gen_server:cast`). If there is no such server, or
    /// its node can't be reached, nothing happens.
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

    /// Sends a message that is handled by `handle_info`. In OTP, a plain send does this. If there
    /// is no such server, or its node can't be reached, nothing happens.
    ///
    /// ```
    /// use fika::gen_server::{self, GenServer, HandleInfo, Info, Init, Next};
    /// use fika::prelude::*;
    ///
    /// struct Thermometer(i64);
    ///
    /// impl GenServer for Thermometer {
    ///     type Args = ();
    ///     type Receives = (Info<i64>,);
    ///
    ///     async fn init((): ()) -> Init<Self> {
    ///         Init::ok(Thermometer(0))
    ///     }
    /// }
    ///
    /// impl HandleInfo<i64> for Thermometer {
    ///     async fn handle_info(&mut self, degrees: i64) -> Next {
    ///         self.0 = degrees;
    ///         Next::go_on()
    ///     }
    /// }
    ///
    /// # #[fika::main]
    /// # async fn main() -> fika::Result {
    /// let thermometer = gen_server::start_link::<Thermometer>(Start::new(), ()).await?;
    /// thermometer.info(21);
    /// send(thermometer.whereis().unwrap(), 22_i64);       // the same, by the pid
    /// assert_eq!(fika::sys::with_state(&thermometer, |it| it.0).await?, 22);
    /// # Ok(())
    /// # }
    /// ```
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
