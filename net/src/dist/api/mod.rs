//! The public functions of the distribution. They act for the node of the running process.

mod counts;
mod functions;
mod nodes;
mod settings;

pub use counts::Tables;
pub use functions::{
    MonitorNodeError, Ping, connect_node, disconnect_node, is_alive, monitor_node, monitor_nodes,
    monitor_nodes_of, ping, start_distribution, stop_distribution,
};
pub use nodes::{ConnectedNode, NodeKind, connected_nodes, nodes, nodes_of};
pub use settings::{
    SettingError, allow, get_net_ticktime, getopts, set_cookie, set_cookie_for, set_net_ticktime,
    setopts, setopts_new,
};
