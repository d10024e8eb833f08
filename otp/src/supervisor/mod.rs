//! Supervisors: processes that start other processes, their children, and restart children that
//! fail (OTP's `supervisor`).
//!
//! ```
//! use fika::prelude::*;
//! use fika::supervisor::{self, ChildSpec, Restart, SupFlags};
//!
//! /// A server that counts.
//! struct Counter(u64);
//!
//! #[gen_server]
//! impl Counter {
//!     pub async fn init(start: u64) -> Self {
//!         Counter(start)
//!     }
//!
//!     #[call]
//!     pub async fn next(&mut self) -> u64 {
//!         self.0 += 1;
//!         self.0
//!     }
//! }
//!
//! /// A plain process.
//! async fn sweep() {
//!     loop {
//!         sleep(secs(60)).await;
//!     }
//! }
//!
//! #[fika::main]
//! async fn main() -> fika::Result {
//!     let top = supervisor::start_link(
//!         Start::name("top"),
//!         SupFlags::one_for_one().intensity(3).period(secs(10)),
//!         [
//!             ChildSpec::server::<Counter>("counter", Start::name("counter"), (100,)),
//!             ChildSpec::new("sweeper", || async { spawn_link(sweep()) })
//!                 .restart(Restart::Transient),
//!         ],
//!     )
//!     .await?;
//!     assert_eq!(Counter::at("counter").next().await?, 101);
//!
//!     // A counter that fails is started again, under the same name.
//!     let failed = whereis("counter").unwrap();
//!     exit_process(failed, ExitReason::Kill);
//!     while whereis("counter").is_none_or(|pid| pid == failed) {
//!         sleep(millis(1)).await;
//!     }
//!     assert_eq!(Counter::at("counter").next().await?, 101);
//!
//!     // top <0.5.0>
//!     //   counter <0.8.0>, restarted once
//!     //   sweeper <0.7.0>
//!     println!("{}", supervisor::tree(&top).await?);
//!     Ok(())
//! }
//! ```
//!
//! # Children
//!
//! A [`ChildSpec`] says how a child is started, when it is restarted ([`Restart`]), and how it is
//! ended ([`Shutdown`]). [`start_link`] starts the children one after the other. When the
//! supervisor ends, it ends them in the reverse order, and waits for the end of each before the
//! next. The [`SupFlags`] say which other children are restarted with the one that has failed
//! ([`Strategy`]), and how many restarts may happen within which time. After more restarts than
//! that, the supervisor ends all children and itself, with the reason `shutdown`.
//!
//! | supervisor | its children | started by |
//! |---|---|---|
//! | [`Supervisor`] | have ids and an order | [`start_link`], [`start_link_with`] |
//! | [`DynamicSupervisor`] | are added by callers, and have no ids | [`start_link_dynamic`] |
//! | [`SimpleSupervisor`] | are started from one template | [`start_link_simple`] |
//! | [`Partitions`] | are spread over several dynamic supervisors by a key | [`Partitions::start_link`] |
//!
//! A child that is a supervisor makes a tree: [`ChildSpec::supervisor`]. [`tree()`] returns the
//! tree as data and as text. [`run_until_stopped`] ends the tree with the program.
//!
//! # Requests
//!
//! The functions for children are methods of the supervisor's [`ServerRef`](crate::ServerRef), such
//! as [`start_child`](crate::ServerRef::<Supervisor>::start_child) and
//! [`which_children`](crate::ServerRef::which_children). They have no time limit, as in OTP, and
//! panic outside of a process. The supervisor may be on another node, unless the function's
//! documentation says otherwise. A child may run on another node, too: its start function then
//! spawns it there.

mod engine;
mod partitions;
mod requests;
mod spec;
mod supervisor_start;
mod top;
mod tree;

use std::marker::PhantomData;

pub use self::partitions::Partitions;
pub use self::spec::backoff::Backoff;
pub use self::spec::child_error::{ChildError, ChildRef, FailedToStartChild};
pub use self::spec::child_spec::{
    ChildCount, ChildId, ChildInfo, ChildSpec, ChildState, ChildType, Restart, Shutdown, Template,
};
#[doc(hidden)]
pub use self::spec::child_spec::{StartArgs, child_spec};
pub use self::spec::flags::{AutoShutdown, SpecError, Strategy, SupFlags, check_childspecs};
pub use self::spec::starter::{IntoStarted, Started};
pub use self::supervisor_start::{
    start_link, start_link_dynamic, start_link_simple, start_link_with,
};
pub use self::top::{MainValue, SupervisorEnded, run_until_stopped};
pub use self::tree::{Tree, tree};

/// A supervisor whose children have ids and an order, in the type
/// [`ServerRef<Supervisor>`](crate::ServerRef). It is started by [`start_link`].
///
/// ```
/// use fika::gen_server::ServerRef;
/// use fika::supervisor::{ChildSpec, Supervisor};
/// # use fika::prelude::*;
/// # use fika::supervisor::SupFlags;
/// # async fn serve() { std::future::pending().await }
///
/// /// Adds a child to the supervisor of this name.
/// async fn add(id: &str) -> fika::Result<Pid> {
///     let top = ServerRef::<Supervisor>::at("top");
///     let started = top.start_child(ChildSpec::new(id, || async { spawn_link(serve()) })).await?;
///     Ok(started.pid().unwrap())
/// }
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # fika::supervisor::start_link(Start::name("top"), SupFlags::one_for_one(), []).await?;
/// # add("a").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub enum Supervisor {}

/// A supervisor whose children are added by callers and have no ids, in the type
/// [`ServerRef<DynamicSupervisor>`](crate::ServerRef). It is started by [`start_link_dynamic`].
///
/// When it ends, it ends all children at the same time. In Elixir, this is a `DynamicSupervisor`.
///
/// ```
/// use fika::gen_server::ServerRef;
/// use fika::supervisor::{self, ChildSpec, DynamicSupervisor, SupFlags};
/// # use fika::prelude::*;
/// # async fn serve() { std::future::pending().await }
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// supervisor::start_link_dynamic(Start::name("sessions"), SupFlags::one_for_one()).await?;
///
/// let sessions = ServerRef::<DynamicSupervisor>::at("sessions");
/// let session = ChildSpec::new("session", || async { spawn_link(serve()) });
/// let pid = sessions.start_child(session).await?.pid().unwrap();
/// sessions.terminate_child(pid).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub enum DynamicSupervisor {}

/// A supervisor whose children are all started from one template, with arguments of the type `A`
/// (OTP's `simple_one_for_one`). It is started by [`start_link_simple`].
///
/// When it ends, it ends all children at the same time.
///
/// ```
/// use fika::gen_server::ServerRef;
/// use fika::supervisor::{self, SimpleSupervisor, SupFlags, Template};
/// # use fika::prelude::*;
///
/// async fn greet(name: String) {
///     println!("hello {name}");
/// }
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// let greeter = Template::new(|name: String| async { spawn_link(greet(name)) });
/// supervisor::start_link_simple(Start::name("greeters"), SupFlags::one_for_one(), greeter).await?;
///
/// let greeters = ServerRef::<SimpleSupervisor<String>>::at("greeters");
/// greeters.start_child("Ada".to_owned()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SimpleSupervisor<A>(PhantomData<fn(A)>);

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Supervisor {}
    impl Sealed for super::DynamicSupervisor {}
    impl<A> Sealed for super::SimpleSupervisor<A> {}
}

/// The kinds of supervisors, for functions that work with all of them: [`Supervisor`],
/// [`DynamicSupervisor`] and [`SimpleSupervisor`].
///
/// ```
/// use fika::gen_server::{CallError, ServerRef};
/// use fika::supervisor::Supervises;
/// # use fika::prelude::*;
/// # use fika::supervisor::{self, SupFlags};
///
/// async fn is_idle<S: Supervises>(supervisor: &ServerRef<S>) -> Result<bool, CallError> {
///     Ok(supervisor.count_children().await?.active == 0)
/// }
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let top = supervisor::start_link(Start::new(), SupFlags::one_for_one(), []).await?;
/// # assert!(is_idle(&top).await?);
/// # Ok(())
/// # }
/// ```
pub trait Supervises: sealed::Sealed {}

impl<S: sealed::Sealed> Supervises for S {}
