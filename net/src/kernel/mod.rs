//! The nodes that this node is connected to: who they are, how they come and go.
//!
//! - [`Net`] is what distribution adds to a node, and the node's carrier.
//! - `table` knows the connections by node; `channel` is one of them, socket included.
//! - `net_kernel` is the registered process that decides about connections and tells of
//!   them; `setup` and `accept` make them, each in a process of its own, as `mapper` keeps
//!   the node known to the port mapper; a `resolver` stands in its place.
//! - `api` is what users call.

mod accept;
mod api;
mod ask;
mod channel;
mod config;
mod congestion;
mod framed;
mod mapper;
mod net;
mod net_kernel;
mod resolve;
mod resolver;
mod secret;
mod setup;
mod subscriptions;
mod table;

pub use api::{
    MonitorNodeError, NodeKind, Ping, connect_node, disconnect_node, monitor_node, monitor_nodes,
    monitor_nodes_of, nodes, nodes_of, ping,
};
pub use config::{AutoConnect, Config};
pub use net::{Net, StartError};
pub use resolver::{
    FixedPort, NodeAddr, ResolveError, Resolver, Resolving, StaticNodes, StaticNodesError,
    resolver_fn,
};
