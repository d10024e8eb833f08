//! Many nodes: the distribution layer of fika.
//!
//! Users name the crate `fika`. Here a node gets its name, finds others by a port mapper,
//! connects to them, and its signals go to their processes: [`Distribution`] is the carrier that
//! the runtime knows as a trait.
#![forbid(unsafe_code)]

// The macros name the crate `fika`, of which the runtime has all that they need here.
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
/// What benchmarks and simulations reach. Not for use by hand: it changes as the protocol does.
#[doc(hidden)]
pub mod __private {
    pub use crate::dist::Tables;
    pub use crate::proto::Loopback;
}

pub use proto::epmd::{DEFAULT_PORT, Names, NodeInfo, NodeInfoError, PublishedType, ReplyError};
