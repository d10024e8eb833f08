//! Supervisors: processes that start other processes, their children, and restart children that
//! fail (OTP's `supervisor`).
//!
//! ```
//! # extern crate fika_runtime as fika;
//! # use fika_otp::gen_server::{GenServer, Init};
//! # struct Cache;
//! # impl GenServer for Cache {
//! #     type Args = usize;
//! #     type Receives = ();
//! #     async fn init(_: usize) -> Init<Self> { Init::ok(Cache) }
//! # }
//! use fika::{Node, sleep, spawn_link};
//! use fika_otp::supervisor::{self, ChildSpec, Restart, SupFlags};
//! use fika_otp::Start;
//!
//! # Node::builder().build().unwrap().block_on(async {
//! let top = supervisor::start_link(
//!     Start::name("top"),
//!     SupFlags::one_for_one().intensity(3),
//!     [
//!         ChildSpec::server::<Cache>("cache", Start::name("cache"), 1000),
//!         ChildSpec::new("sweeper", || async { spawn_link(std::future::pending::<()>()) })
//!             .restart(Restart::Transient),
//!     ],
//! )
//! .await
//! .unwrap();
//!
//! assert_eq!(top.count_children().await.unwrap().active, 2);
//! println!("{}", supervisor::tree(&top).await.unwrap());
//! # });
//! ```

mod agenda;
mod backoff;
mod child_error;
mod child_spec;
mod children;
mod command;
mod commanding;
mod decide;
mod ending;
mod engine;
mod flags;
mod flights;
mod partitions;
mod plan;
mod planning;
mod report;
mod requests;
mod run;
mod starter;
mod starting;
mod supervisor_start;
mod top;
mod tree;

use std::marker::PhantomData;

pub use self::backoff::Backoff;
pub use self::child_error::{ChildError, ChildRef};
pub use self::child_spec::{
    ChildCount, ChildId, ChildInfo, ChildSpec, ChildState, ChildType, Restart, Shutdown, Template,
};
#[doc(hidden)]
pub use self::child_spec::{StartArgs, child_spec};
pub use self::flags::{AutoShutdown, SpecError, Strategy, SupFlags, check_childspecs};
pub use self::partitions::Partitions;
pub use self::starter::{IntoStarted, Started};
pub use self::supervisor_start::{
    FailedToStartChild, start_link, start_link_dynamic, start_link_simple, start_link_with,
};
pub use self::top::run_until_stopped;
pub use self::tree::{Tree, tree};

/// A supervisor whose children have ids and an order, in the type
/// [`ServerRef<Supervisor>`](crate::ServerRef). It is started by [`start_link`].
#[derive(Debug)]
pub enum Supervisor {}

/// A supervisor whose children are added by callers and have no ids, in the type
/// [`ServerRef<DynamicSupervisor>`](crate::ServerRef). It is started by [`start_link_dynamic`].
///
/// When it ends, it ends all children at the same time.
#[derive(Debug)]
pub enum DynamicSupervisor {}

/// A supervisor whose children are all started from one template, with arguments of the type `A`
/// (OTP's `simple_one_for_one`). It is started by [`start_link_simple`].
///
/// When it ends, it ends all children at the same time.
#[derive(Debug)]
pub struct SimpleSupervisor<A>(PhantomData<fn(A)>);

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Supervisor {}
    impl Sealed for super::DynamicSupervisor {}
    impl<A> Sealed for super::SimpleSupervisor<A> {}
}

/// The kinds of supervisors.
pub trait Supervises: sealed::Sealed {}

impl<S: sealed::Sealed> Supervises for S {}
