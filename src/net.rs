//! Other nodes: connecting to them, and watching them come and go.
//!
//! A node with a name, `alive@host`, can connect to other nodes that have the same cookie. A
//! connection is made when a process first sends to the other node, links to or monitors one of its
//! processes, or calls [`connect_node`]. Nodes that are connected tell each other of the nodes that
//! they know, so that all of them form a full mesh.
//!
//! ```no_run
//! use fika::prelude::*;
//!
//! #[fika::main(name = "a@127.0.0.1")]
//! async fn main() {
//!     fika::net::monitor_nodes(true);
//!     if connect_node("b@127.0.0.1").await != Some(true) {
//!         println!("b does not answer");
//!     }
//!     loop {
//!         receive! {
//!             NodeUp { node, .. } => println!("{node} is connected: {:?}", nodes()),
//!             NodeDown { node, reason, .. } => println!("{node} is gone: {reason:?}"),
//!         }
//!     }
//! }
//! ```
//!
//! Two nodes on one machine find each other without any configuration: the first one starts a port
//! mapper if none answers. A node listens on the loopback address unless
//! [`listen`](crate::node::NodeBuilder::listen) names another one.
//!
//! - [`discovery`] has the ways to find nodes without a port mapper.
//! - [`transport`] has the traits of what carries bytes between nodes, for transports other than
//!   TCP and Unix sockets.
//!
//! # When a connection is lost
//!
//! Monitors of the node's processes and links to them report
//! [`Noconnection`](crate::ExitReason::Noconnection), and [`monitor_node`] and [`monitor_nodes`]
//! send a [`NodeDown`]. A peer that is silent for the *tick time*, 60 s by default, counts as lost.
//! Messages that were on their way are lost; all earlier ones have arrived.
//!
//! # Congested connections
//!
//! A process that sends to a node faster than the connection can carry is suspended.
//! [`system_monitor`](fn@system_monitor) reports this, [`async_dist`](fn@async_dist) turns it off
//! for a process, and the chapter [`back_pressure`](crate::guide::back_pressure) has the
//! alternatives.

pub use fika_net::{
    AutoConnect, BadCookie, ConnectedNode, Cookie, CookieError, Decision, MonitorNodeError,
    NetHandler, NetTicktime, NodeKind, Ping, SentToName, SetTicktime, SettingError, SocketOptions,
    SpawnAsked, StartError, allow, connect_node, connected_nodes, disconnect_node,
    get_net_ticktime, getopts, is_alive, monitor_node, monitor_nodes, monitor_nodes_of, nodes,
    nodes_of, ping, set_cookie, set_cookie_for, set_net_ticktime, setopts, setopts_new,
    start_distribution, stop_distribution,
};
pub use fika_runtime::{
    BusyDist, NodeDown, NodeDownReason, NodeType, NodeUp, SystemMonitor, async_dist, system_monitor,
};

/// How nodes find each other without a port mapper.
///
/// A [`Resolver`](discovery::Resolver) says where a node can be reached. With one, a node neither
/// uses nor starts a port mapper. All nodes of a cluster need resolvers that agree.
///
/// ```no_run
/// use fika::net::discovery::StaticNodes;
/// use fika::prelude::*;
///
/// let nodes = StaticNodes::new(["a@10.0.0.1:4001", "b@10.0.0.2:4001"])?;
/// let node = Node::builder().name("a@10.0.0.1").listen("10.0.0.1:4001".parse()?).resolver(nodes);
/// let node = node.build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub mod discovery {
    pub use fika_net::{
        FixedPort, NodeAddr, ResolveError, Resolver, Resolving, StaticNodes, StaticNodesError,
        resolver_fn,
    };
}

/// The traits of a transport, which carries the bytes between nodes. Implement them for a transport
/// other than TCP and Unix sockets.
///
/// [`NodeBuilder::network`](crate::node::NodeBuilder::network) sets the transport of a node.
///
/// ```
/// use std::io;
/// use std::net::{IpAddr, SocketAddr};
/// use fika::net::transport::{HostIps, Listener, Network, Poller, Socket};
/// use fika::prelude::*;
///
/// /// TCP within one subnet: connections to other hosts are refused.
/// struct Subnet {
///     tcp: Poller,
///     prefix: [u8; 3],
/// }
///
/// impl Network for Subnet {
///     fn connect(&self, to: SocketAddr) -> io::Result<Box<dyn Socket>> {
///         match to.ip() {
///             IpAddr::V4(ip) if ip.octets()[..3] == self.prefix => self.tcp.connect(to),
///             _ => Err(io::ErrorKind::HostUnreachable.into()),
///         }
///     }
///
///     fn listen(&self, on: SocketAddr, backlog: u32) -> io::Result<Box<dyn Listener>> {
///         self.tcp.listen(on, backlog)
///     }
///
///     fn host_ips<'a>(&'a self, host: &'a str) -> HostIps<'a> {
///         self.tcp.host_ips(host)
///     }
///
///     fn own_ips(&self) -> io::Result<Vec<IpAddr>> {
///         self.tcp.own_ips()
///     }
///
///     fn descriptors_max(&self) -> Option<usize> {
///         self.tcp.descriptors_max()
///     }
/// }
///
/// let subnet = |tcp| Ok(Subnet { tcp, prefix: [127, 0, 0] });
/// let node = Node::builder().network(subnet).build()?;
/// # node.stop();
/// # Ok::<(), fika::node::NodeError>(())
/// ```
///
/// The documentation of [`Socket`](transport::Socket) and [`Listener`](transport::Listener) has
/// examples that see what is read, written and accepted.
pub mod transport {
    #[cfg(unix)]
    pub use fika_net::UnixSockets;
    pub use fika_net::{HostIps, Listener, Network, Poller, Socket, SocketHandler};
}
