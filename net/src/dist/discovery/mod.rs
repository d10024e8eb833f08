//! How nodes find each other.
//!
//! - `mapper` keeps the node registered with port mappers. A `resolver` replaces the port mappers.
//! - `lookup` finds the addresses of another node and connects to one of them. `race` tries several
//!   addresses in parallel.
//! - `reachable` opens the node's listeners, and checks whether the node's name leads to them.
//! - `site` has the facts about the node that all of these modules need.
//! - `backoff` computes the pause before a retry.

mod backoff;
mod lookup;
pub(crate) mod mapper;
mod race;
pub(crate) mod reachable;
mod resolver;
mod site;

pub(crate) use backoff::Backoff;
pub(crate) use lookup::NotReached;
pub use resolver::{
    FixedPort, NodeAddr, ResolveError, Resolver, Resolving, StaticNodes, StaticNodesError,
    resolver_fn,
};
pub(crate) use site::Site;
