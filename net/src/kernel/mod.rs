//! The nodes that this node is connected to: who they are, how they come and go.
//!
//! - [`Distribution`] is what a node has for being one of many, and its carrier; `net` is one
//!   period of it, from a start to a stop, which `net_sup` makes.
//! - `table` knows the connections by node; `channel` is one of them, socket included.
//! - `net_kernel` is the registered process that decides about connections and tells of them
//!   (`told`, to the `subscriptions`); `setup` and `accept` make them, each in a process of its
//!   own. `mapper` keeps the node registered with port mappers, `reachable` checks where it
//!   listens, and `resolve` finds other nodes and tries their addresses (`race`); a `resolver`
//!   replaces the mapper.
//! - `known` are the nodes that it has heard of, and what peers may add to them.
//! - `candidates` decides when to connect to nodes that peers know, with the pauses of `backoff`.
//! - `api` is what users call.

mod accept;
mod accept_rate;
mod admission;
mod api;
mod ask;
mod backoff;
mod candidates;
mod channel;
mod config;
mod congestion;
mod distribution;
mod framed;
mod handler;
mod known;
mod logs;
mod mapper;
mod net;
mod net_kernel;
mod net_sup;
mod nodes;
mod race;
mod reachable;
mod reading;
mod resolve;
mod resolver;
mod secret;
mod settings;
mod setup;
mod subscriptions;
mod table;
mod tables;
mod ticktime;
mod told;
mod undecoded;
mod writing;

pub use api::{
    MonitorNodeError, Ping, connect_node, disconnect_node, is_alive, monitor_node, monitor_nodes,
    monitor_nodes_of, ping, start_distribution, stop_distribution,
};
pub use config::{AutoConnect, Config};
pub use distribution::Distribution;
pub use handler::{BadCookie, Decision, NetHandler, SentToName, SpawnAsked};
pub use net_sup::StartError;
pub use nodes::{ConnectedNode, NodeKind, connected_nodes, nodes, nodes_of};
pub use resolver::{
    FixedPort, NodeAddr, ResolveError, Resolver, Resolving, StaticNodes, StaticNodesError,
    resolver_fn,
};
pub use settings::{
    SettingError, allow, get_net_ticktime, getopts, set_cookie, set_cookie_for, set_net_ticktime,
    setopts, setopts_new,
};
pub use tables::Tables;
pub use ticktime::{NetTicktime, SetTicktime};
