//! How nodes find each other, and are found.
//!
//! - `mapper` keeps the node registered with port mappers; a `resolver` replaces them.
//! - `lookup` finds the addresses of another node and connects to one of them, in the order that
//!   `race` says.
//! - `reachable` checks where the node listens, and whether its name leads there.
//! - `site` is what all of these need to know of the node.
//! - `backoff` is the pause before a retry.

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
