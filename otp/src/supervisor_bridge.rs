//! A place in a supervision tree for something that is not a behaviour: a plain process, a thread, or
//! a program of the operating system (OTP's `supervisor_bridge`).
//!
//! ```
//! use std::process::{ChildStdin, Command, Stdio};
//!
//! use fika::prelude::*;
//! use fika::process::{Ended, spawn_blocking};
//! use fika::supervisor::{self, ChildSpec, SupFlags};
//! use fika::supervisor_bridge::{self, Bridged, SupervisorBridge};
//!
//! /// A program of the operating system that ends when its input ends.
//! struct Program {
//!     input: Option<ChildStdin>,
//! }
//!
//! impl SupervisorBridge for Program {
//!     type Args = &'static str;
//!
//!     async fn init(name: &'static str) -> Bridged<Self> {
//!         match Command::new(name).stdin(Stdio::piped()).spawn() {
//!             Ok(mut child) => {
//!                 let program = Program { input: child.stdin.take() };
//!                 Bridged::resource(program, spawn_blocking(move || child.wait().map(drop)))
//!             }
//!             Err(error) => Bridged::error(ExitReason::Error(format!("{name}: {error}").into())),
//!         }
//!     }
//!
//!     async fn terminate(&mut self, process: Pid, _: &ExitReason) {
//!         let ended = Ended::of(process);
//!         self.input = None;
//!         ended.await;
//!     }
//! }
//!
//! #[fika::main]
//! async fn main() -> fika::Result {
//!     let program = || supervisor_bridge::start_link::<Program>(Start::name("program"), "cat");
//!     let children = [ChildSpec::new("program", program)];
//!     let top = supervisor::start_link(Start::new(), SupFlags::one_for_one(), children).await?;
//!     assert!(whereis("program").is_some());
//!     top.stop(ExitReason::Normal, secs(5)).await?;       // ends the program
//!     Ok(())
//! }
//! ```
//!
//! The bridge is a server that is linked to the process. It ends when the process ends, with the same
//! reason, and it ends the process when its supervisor shuts it down.

use std::future::Future;

use fika_runtime::{
    Ended, Exit, ExitReason, Outcome, Pid, exit_process, link, spawn_link, trap_exit,
};

use crate::r#gen::{ServerRef, Start, StartError};
use crate::gen_server::{self, GenServer, HandleInfo, Info, Init, Next};

/// Starts a process or another resource, and ends it (OTP's behaviour `supervisor_bridge`).
///
/// ```
/// use fika::prelude::*;
/// use fika::supervisor_bridge::{self, Bridged, SupervisorBridge};
///
/// /// A process that was written without behaviours.
/// struct Legacy;
///
/// impl SupervisorBridge for Legacy {
///     type Args = ();
///
///     async fn init((): ()) -> Bridged<Self> {
///         let process = spawn_link(async { receive! { n: u64 => println!("{n}") } });
///         Bridged::process(Legacy, process)
///     }
/// }
///
/// #[fika::main]
/// async fn main() -> fika::Result {
///     let bridge = supervisor_bridge::start_link::<Legacy>(Default::default(), ()).await?;
///     assert!(bridge.whereis().is_some());
///     Ok(())
/// }
/// ```
pub trait SupervisorBridge: Sized + Send + 'static {
    /// The arguments of [`init`](SupervisorBridge::init).
    type Args: Send + 'static;

    /// Starts the process or resource (OTP's `init/1`). A panic fails the start.
    fn init(args: Self::Args) -> impl Future<Output = Bridged<Self>> + Send;

    /// Ends the process or resource, or cleans up after it if it has ended already (OTP's
    /// `terminate/2`). By default, the process gets an exit signal `shutdown`, and the bridge waits
    /// for its end.
    fn terminate(&mut self, process: Pid, reason: &ExitReason) -> impl Future<Output = ()> + Send {
        let _ = reason;
        async move {
            let ended = Ended::of(process);
            exit_process(process, ExitReason::Shutdown);
            ended.await;
        }
    }
}

/// The result of [`init`](SupervisorBridge::init): the process or resource behind the bridge, or
/// the reason why the bridge does not start.
///
/// ```
/// use fika::prelude::*;
/// use fika::process::spawn_blocking;
/// use fika::supervisor_bridge::{Bridged, SupervisorBridge};
/// # async fn legacy() { std::future::pending().await }
///
/// enum Kind { Process, Thread, Unwanted, Broken }
///
/// struct Bridge;
///
/// impl SupervisorBridge for Bridge {
///     type Args = Kind;
///
///     async fn init(kind: Kind) -> Bridged<Self> {
///         match kind {
///             Kind::Process => Bridged::process(Bridge, spawn_link(legacy())),
///             Kind::Thread => Bridged::resource(Bridge, spawn_blocking(|| println!("a thread"))),
///             Kind::Unwanted => Bridged::ignore(),
///             Kind::Broken => Bridged::error(ExitReason::Noproc),
///         }
///     }
/// }
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # use fika::supervisor_bridge::start_link;
/// # trap_exit(true);
/// # for kind in [Kind::Process, Kind::Thread] { start_link::<Bridge>(Start::new(), kind).await?; }
/// # for kind in [Kind::Unwanted, Kind::Broken] {
/// #     assert!(start_link::<Bridge>(Start::new(), kind).await.is_err());
/// # }
/// # Ok(())
/// # }
/// ```
#[must_use = "`init` returns it"]
pub struct Bridged<B>(Result<(B, Pid), Init<Bridge<B>>>);

impl<B: SupervisorBridge> Bridged<B> {
    /// Returns a bridge to a process on this node or on another.
    pub fn process(bridge: B, process: Pid) -> Bridged<B> {
        Bridged(Ok((bridge, process)))
    }

    /// Returns a bridge to a resource such as a thread or a program. The future runs as a process,
    /// and resolves when the resource has ended. If it resolves to an error, the bridge ends with
    /// this error.
    pub fn resource<F>(bridge: B, ends: F) -> Bridged<B>
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        Bridged(Ok((bridge, spawn_link(ends))))
    }

    /// Starts no bridge: it is not needed now (OTP's `ignore`).
    pub fn ignore() -> Bridged<B> {
        Bridged(Err(Init::ignore()))
    }

    /// Fails the start with this reason: the process or resource could not be started (OTP's
    /// `{error, Reason}`).
    pub fn error(reason: ExitReason) -> Bridged<B> {
        Bridged(Err(Init::error(reason)))
    }
}

/// The server of a bridge.
#[doc(hidden)]
pub struct Bridge<B> {
    bridge: B,
    process: Pid,
}

/// Starts a bridge on this node that is linked to the caller (OTP's
/// `supervisor_bridge:start_link`). It returns when the bridge's `init` has returned.
///
/// # Errors
/// If the name is taken, or `init` fails.
///
/// # Panics
/// Outside of a process.
pub async fn start_link<B: SupervisorBridge>(
    opts: Start,
    args: B::Args,
) -> Result<ServerRef<Bridge<B>>, StartError> {
    gen_server::start_link(opts, args).await
}

impl<B: SupervisorBridge> GenServer for Bridge<B> {
    type Args = B::Args;
    type Receives = (Info<Exit>,);

    async fn init(args: B::Args) -> Init<Self> {
        trap_exit(true);
        match B::init(args).await {
            Bridged(Ok((bridge, process))) => {
                link(process);
                Init::ok(Bridge { bridge, process })
            }
            Bridged(Err(init)) => init,
        }
    }

    async fn terminate(&mut self, reason: &ExitReason) {
        self.bridge.terminate(self.process, reason).await;
    }
}

/// The process has ended.
impl<B: SupervisorBridge> HandleInfo<Exit> for Bridge<B> {
    async fn handle_info(&mut self, Exit { from, reason }: Exit) -> Next {
        if from == self.process { Next::stop(reason) } else { Next::go_on() }
    }
}
