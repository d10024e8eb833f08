//! Nodes and their connections. Each folder may use only the folders below it in this table:
//!
//! | folder | contents |
//! |---|---|
//! | `api` | the functions that users call |
//! | `control` | the processes that decide about connections |
//! | `setup` | making connections, up to the end of the handshake |
//! | `state` | the state that all of these folders share |
//! | `discovery` | how nodes find each other |
//! | `link` | one connection: reading, writing, congestion |

mod api;
mod control;
mod discovery;
mod link;
mod setup;
mod start_error;
mod state;

pub use api::{
    ConnectedNode, MonitorNodeError, NodeKind, Ping, SettingError, Tables, allow, connect_node,
    connected_nodes, disconnect_node, get_net_ticktime, getopts, is_alive, monitor_node,
    monitor_nodes, monitor_nodes_of, nodes, nodes_of, ping, set_cookie, set_cookie_for,
    set_net_ticktime, setopts, setopts_new, start_distribution, stop_distribution,
};
pub use control::{NetTicktime, SetTicktime};
pub use discovery::{
    FixedPort, NodeAddr, ResolveError, Resolver, Resolving, StaticNodes, StaticNodesError,
    resolver_fn,
};
pub use start_error::StartError;
pub use state::{
    AutoConnect, BadCookie, Config, Decision, Distribution, NetHandler, SentToName, SpawnAsked,
};
