//! The distribution layer of fika, which connects nodes.
//!
//! Programs use the crate `fika`. Here a node gets its name, finds other nodes with a port mapper,
//! and connects to them. [`Distribution`] implements the runtime's carrier trait, which sends
//! signals to processes on other nodes.
#![forbid(unsafe_code)]

// The macros refer to the crate `fika`. The runtime has all that they need here.
extern crate fika_runtime as fika;

mod cookie;
mod dist;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod io;
mod proto;

pub use cookie::{Cookie, CookieError};
pub use dist::{
    AutoConnect, Config, ConnectedNode, Distribution, FixedPort, MonitorNodeError, NodeAddr,
    NodeKind, Ping, ResolveError, Resolver, Resolving, StartError, StaticNodes, StaticNodesError,
    connect_node, connected_nodes, disconnect_node, is_alive, monitor_node, monitor_nodes,
    monitor_nodes_of, nodes, nodes_of, ping, resolver_fn, start_distribution, stop_distribution,
};
pub use dist::{
    BadCookie, Decision, NetHandler, NetTicktime, SentToName, SetTicktime, SettingError,
    SpawnAsked, allow, get_net_ticktime, getopts, set_cookie, set_cookie_for, set_net_ticktime,
    setopts, setopts_new,
};
#[cfg(unix)]
pub use io::UnixSockets;
pub use io::{
    EpmdBindError, EpmdClient, EpmdConfig, EpmdError, EpmdRegistration, EpmdServer, HostIps,
    Listener, Network, Poller, Socket, SocketHandler, SocketOptions,
};
/// Internals for benchmarks and simulations. Not for other use: they change together with the
/// protocol.
#[doc(hidden)]
pub mod __private {
    pub use crate::dist::Tables;
    pub use crate::proto::Loopback;
}

pub use proto::epmd::{DEFAULT_PORT, Names, NodeInfo, NodeInfoError, PublishedType, ReplyError};
