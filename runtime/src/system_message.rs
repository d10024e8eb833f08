//! The messages that the runtime itself puts into a mailbox.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::dest::Dest;
use crate::exit_reason::ExitReason;
use crate::name::Name;
use crate::node_name::NodeName;
use crate::pid::Pid;
use crate::printable::Printable;
use crate::reference::Reference;
use crate::signal::SpawnError;

/// A monitored process has ended, or can no longer be observed (Erlang's `DOWN`).
///
/// The `object` is what was monitored. So for a monitor of a name it is the name and the node, and
/// not the pid of the process that had the name. Compare the `monitor` to find out which monitor a
/// `Down` belongs to.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Down, Node, Object, monitor, register, self_node, send, spawn};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// let worker = spawn(async { receive! { (): () => {} } });
/// register("worker", worker).unwrap();
/// let (by_pid, by_name) = (monitor(worker), monitor("worker"));
/// send(worker, ());
/// receive! {
///     Down { monitor, object, .. } if monitor == by_pid => assert_eq!(object, worker),
/// }
/// receive! {
///     Down { monitor, object, reason } if monitor == by_name => {
///         assert_eq!(object, Object::Name("worker".into(), self_node().name()));
///         println!("{object} has ended: {reason}");   // {worker,a@host} has ended: normal
///     }
/// }
/// # });
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Down {
    /// The monitor, as `monitor` returned it.
    pub monitor: Reference,
    /// The target of the monitor.
    pub object: Object,
    /// The exit reason.
    pub reason: ExitReason,
}

/// The target of a monitor.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Down, Node, Object, monitor, register, spawn};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// register("worker", spawn(async {})).unwrap();
/// monitor("worker");
/// receive! {
///     Down { object: Object::Name(name, node), .. } => println!("{name} on {node} has ended"),
///     Down { object: Object::Pid(pid), .. } => println!("{pid} has ended"),
/// }
/// # });
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Object {
    /// A process.
    Pid(Pid),
    /// The process that had this name on this node when the monitor was made.
    Name(Name, NodeName),
}

impl PartialEq<Pid> for Object {
    fn eq(&self, pid: &Pid) -> bool {
        matches!(self, Object::Pid(object) if object == pid)
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Object::Pid(pid) => write!(f, "{pid}"),
            Object::Name(name, node) => {
                write!(f, "{}", Dest::from((name.as_str(), node)))
            }
        }
    }
}

/// An exit signal that the process trapped (Erlang's `EXIT`).
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Exit, ExitReason, Node, spawn_link, trap_exit};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// trap_exit(true);
/// let child = spawn_link(async {});
/// receive! {
///     Exit { from, reason } if from == child => assert_eq!(reason, ExitReason::Normal),
/// }
/// # });
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Exit {
    /// The linked process that ended, or the process that called `exit_process`.
    pub from: Pid,
    /// The signal's reason.
    pub reason: ExitReason,
}

/// A node has been connected (Erlang's `nodeup`).
///
/// ```no_run
/// # extern crate fika_runtime as fika;
/// # use fika::{Node, NodeDown, NodeUp};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// // After `monitor_nodes(true)`:
/// receive! {
///     NodeUp { node, .. } => println!("{node} is connected"),
///     NodeDown { node, reason, .. } => println!("{node} is lost: {reason}"),
/// }
/// # });
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NodeUp {
    /// The node.
    pub node: NodeName,
    /// Whether the node is visible or hidden.
    pub node_type: NodeType,
    /// The number of the connection, which distinguishes it from the node's other connections.
    pub connection: u64,
}

/// The connection to a node was lost, or could not be made (Erlang's `nodedown`).
///
/// ```no_run
/// # extern crate fika_runtime as fika;
/// # use fika::{Node, NodeDown};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// // After `monitor_node("b@127.0.0.1", true)`:
/// receive! { NodeDown { node, .. } => println!("{node} is lost") }
/// # });
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NodeDown {
    /// The node.
    pub node: NodeName,
    /// Whether the node is visible or hidden.
    pub node_type: NodeType,
    /// The number of the lost connection. 0 if no connection could be made.
    pub connection: u64,
    /// Why the connection ended.
    pub reason: NodeDownReason,
}

/// Visible nodes form a full mesh. Hidden nodes connect only on request.
///
/// ```
/// use fika_runtime::{NodeType, NodeUp};
///
/// fn is_visible(up: &NodeUp) -> bool {
///     up.node_type == NodeType::Visible
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum NodeType {
    Visible,
    Hidden,
}

/// Why a connection ended.
///
/// ```
/// use fika_runtime::NodeDownReason;
///
/// fn is_worth_an_alarm(reason: &NodeDownReason) -> bool {
///     !matches!(reason, NodeDownReason::Disconnect)
/// }
/// # assert!(!is_worth_an_alarm(&NodeDownReason::Disconnect));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum NodeDownReason {
    /// The peer went away, or closed the connection.
    ConnectionClosed,
    /// This node closed the connection, on request.
    Disconnect,
    /// Nothing was heard from the peer for the whole ticktime.
    NetTickTimeout,
    /// The connection could not be made.
    ConnectionSetupFailed,
    /// Distribution was stopped on this node.
    NetKernelTerminated,
    /// This node no longer accepts connections, since its acceptor has ended. It has no name then.
    NoNetwork,
    /// A tick, which keeps the connection alive, could not be sent: the transport accepts nothing
    /// more.
    SendNetTickFailed,
    /// A user's own transport ended the connection for this reason.
    Other(String),
}

impl fmt::Display for NodeDownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NodeDownReason::ConnectionClosed => "connection_closed",
            NodeDownReason::Disconnect => "disconnect",
            NodeDownReason::NetTickTimeout => "net_tick_timeout",
            NodeDownReason::ConnectionSetupFailed => "connection_setup_failed",
            NodeDownReason::NetKernelTerminated => "net_kernel_terminated",
            NodeDownReason::NoNetwork => "no_network",
            NodeDownReason::SendNetTickFailed => "send_net_tick_failed",
            // The text may come from a peer.
            NodeDownReason::Other(reason) => return write!(f, "{}", Printable(reason)),
        })
    }
}

/// A process was suspended because it sent over a congested connection (Erlang's `{monitor, Pid,
/// busy_dist_port, Port}`). Sent to the process that [`system_monitor`](crate::system_monitor())
/// names.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use std::time::Duration;
/// # use fika::{BusyDist, Node, SystemMonitor, self_pid, system_monitor};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// system_monitor(SystemMonitor::new(self_pid()).busy_dist());
/// receive! {
///     BusyDist { pid, node, .. } => println!("{pid} waits until it can send to {node}"),
///     after Duration::ZERO => {}
/// }
/// # });
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BusyDist {
    /// The process.
    pub pid: Pid,
    /// The node at the other end.
    pub node: NodeName,
    /// The number of the connection, as in [`NodeUp`].
    pub connection: u64,
}

/// The answer to a request to spawn on another node.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Node, SpawnOpts, SpawnReply, spawn_request};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// let request = spawn_request(SpawnOpts::new(), async { /* ... */ });
/// receive! {
///     SpawnReply { reference, result } if reference == request => {
///         println!("the new process is {:?}", result);
///     }
/// }
/// # });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SpawnReply {
    /// The request, and the monitor if one was requested.
    pub reference: Reference,
    /// The new process, or the reason why it was not spawned.
    pub result: Result<Pid, SpawnError>,
}
