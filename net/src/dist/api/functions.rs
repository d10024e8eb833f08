//! What users call about nodes: the free functions act for the node of the running process.

use std::sync::Arc;

use fika_runtime::{ExitReason, Ignored, NodeName, Pid, acting_node, exit, self_pid};

use super::nodes::NodeKind;
use crate::dist::control::{Command, Request};
use crate::dist::start_error::StartError;
use crate::dist::state::{Distribution, Net, Wanted};

/// The answer to a [`ping`].
///
/// ```
/// # use fika_net::{Ping, ping};
/// # async fn example() {
/// match ping("b@127.0.0.1").await {
///     Ping::Pong => println!("b is connected"),
///     Ping::Pang => println!("b can't be reached"),
/// }
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Ping {
    /// The node is connected.
    Pong,
    /// The node is not connected: it was not reached, it has another cookie, or
    /// [`AutoConnect`](crate::AutoConnect) bars the connection.
    Pang,
}

impl Ignored for Ping {}

/// The distribution of the running process's node, while it has a name.
#[track_caller]
pub(crate) fn net(function: &str) -> Option<Arc<Net>> {
    Distribution::of(&acting_node(function))?.current()
}

/// Gives the running process's node a name, under which other nodes reach it from now on
/// (Erlang's `net_kernel:start/2`). The settings are those of the node's builder; without a
/// cookie there, the cookie file is read again.
///
/// The node's processes, their pids and registered names stay as they are. Subscribers of
/// [`monitor_nodes`] get a `NodeUp` of the own name.
///
/// # A name from the first peer
/// With `undefined@host` the node becomes the client of another node for some time, and needs no
/// name of its own (Erlang's `net_kernel:start(undefined, ..)`). It is `nonode@nohost` until its
/// first [`connect_node`], which gives it a name that no other node has, at this host; so the host
/// decides whether it is a short or a long one. When this first connection is lost, so is the name,
/// together with all other connections; the next `connect_node` gets another one. Such a node does
/// not listen, is hidden, and connects only when asked. The peer needs no settings for it.
///
/// ```
/// # use fika_net::{connect_node, nodes_of, start_distribution, NodeKind};
/// # async fn example() -> Result<(), fika_net::StartError> {
/// start_distribution("undefined@10.0.0.9").await?;
/// if connect_node("server@10.0.0.1").await == Some(true) {
///     println!("{} are connected", nodes_of(NodeKind::Hidden).len());
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If the node has a name already ([`StartError::AlreadyStarted`]), if the name is invalid or
/// another node has it, and for all other reasons for which a node can't be built.
///
/// # Panics
/// Outside of a process. There, `Node::start_distribution` does the same.
pub async fn start_distribution(name: impl AsRef<str>) -> Result<(), StartError> {
    let name: NodeName = name.as_ref().parse()?;
    let distribution = Distribution::of(&acting_node("start_distribution"));
    distribution.ok_or(StartError::NoNetwork)?.start(name).await
}

/// Takes the name of the running process's node away: it is `nonode@nohost` again, and may be
/// given another name, or the same (Erlang's `net_kernel:stop/0`). False if it has none.
///
/// All connections are closed. Links, monitors, and requests over them end with `noconnection`;
/// subscribers of [`monitor_nodes`] get a `NodeDown` of each node and of the own name, with reason
/// `net_kernel_terminated`. Pids that other nodes have of this one are stale, also when it gets the
/// same name again. The node's own pids go on to reach their processes; of a node that was built
/// with a name, they also go on to say that name when they are printed.
///
/// ```
/// # use fika_net::{is_alive, stop_distribution};
/// # async fn example() {
/// stop_distribution().await;
/// assert!(!is_alive());
/// # }
/// ```
///
/// # Panics
/// Outside of a process. There, `Node::stop_distribution` does the same.
pub async fn stop_distribution() -> bool {
    match Distribution::of(&acting_node("stop_distribution")) {
        Some(distribution) => distribution.stop().await,
        None => false,
    }
}

/// Whether the running process's node has a name, or gets one from the first node that it
/// connects to, and so can be connected (Erlang's `is_alive/0`).
///
/// ```
/// # use fika_net::is_alive;
/// # async fn example() {
/// if !is_alive() {
///     eprintln!("this node has no name: other nodes can't reach it");
/// }
/// # }
/// ```
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn is_alive() -> bool {
    Distribution::of(&acting_node("is_alive")).is_some_and(|it| it.is_started())
}

/// Returns whether a node is connected, after connecting to it as a send would (Erlang's
/// `net_adm:ping/1`). A node is always connected to itself.
///
/// Under [`AutoConnect::Never`](crate::AutoConnect::Never), and after a lost connection under
/// [`AutoConnect::Once`](crate::AutoConnect::Once), a ping makes no connection and answers
/// [`Ping::Pang`]. Use [`connect_node`] to connect there.
///
/// ```
/// # use fika_net::{Ping, ping};
/// # async fn example() {
/// if ping("b@127.0.0.1").await == Ping::Pang {
///     eprintln!("b can't be reached");
/// }
/// # }
/// ```
///
/// # Panics
/// Outside of a process.
pub async fn ping(node: impl AsRef<str>) -> Ping {
    match connected(net("ping"), node.as_ref(), Request::Automatic).await {
        Some(true) => Ping::Pong,
        Some(false) | None => Ping::Pang,
    }
}

/// Connects to a node, and returns whether it is connected then (Erlang's
/// `net_kernel:connect_node/1`). `None` if this node is not distributed, and false for an invalid
/// node name. This is the one function that connects whatever
/// [`AutoConnect`](crate::AutoConnect) says.
///
/// ```
/// # use fika_net::connect_node;
/// # async fn example() {
/// match connect_node("b@127.0.0.1").await {
///     Some(true) => println!("connected"),
///     Some(false) => eprintln!("b can't be reached"),
///     None => eprintln!("this node has no name"),
/// }
/// # }
/// ```
///
/// # Panics
/// Outside of a process.
pub async fn connect_node(node: impl AsRef<str>) -> Option<bool> {
    connected(net("connect_node"), node.as_ref(), Request::Explicit).await
}

/// Returns whether a node is connected, after the attempt to connect to it that was asked for.
async fn connected(net: Option<Arc<Net>>, node: &str, request: Request) -> Option<bool> {
    let net = net?;
    let Ok(node) = node.parse::<NodeName>() else { return Some(false) };
    if node == *net.name() {
        return Some(true);
    }
    net.ask(|caller| Command::ConnectNode { node: node.clone(), request, caller }).await
}

/// Closes the connection to a node, and says whether there was one; none if this node is
/// not distributed (Erlang's `disconnect_node/1`).
///
/// ```
/// # use fika_net::disconnect_node;
/// # async fn example() {
/// let was_connected = disconnect_node("b@127.0.0.1").await == Some(true);
/// # let _ = was_connected;
/// # }
/// ```
///
/// # Panics
/// Outside of a process.
pub async fn disconnect_node(node: impl AsRef<str>) -> Option<bool> {
    let net = net("disconnect_node")?;
    let Ok(node) = node.as_ref().parse::<NodeName>() else { return Some(false) };
    net.ask(|caller| Command::DisconnectNode { node: node.clone(), caller }).await
}

/// Watches a node: one [`NodeDown`](fika_runtime::NodeDown) for each call with `true` comes
/// when its connection is lost, or at once if there is none and none can be made; `false`
/// takes one such call back (Erlang's `monitor_node/2`). Watching the own node does nothing.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::NodeDown;
/// # use fika_macros::receive;
/// # use fika_net::{MonitorNodeError, monitor_node};
/// # async fn example() -> Result<(), MonitorNodeError> {
/// monitor_node("b@127.0.0.1", true)?;
/// receive! { NodeDown { node, reason, .. } => println!("{node} is lost: {reason}") }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When this node is not distributed, or the text is no node name.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn monitor_node(node: impl AsRef<str>, on: bool) -> Result<(), MonitorNodeError> {
    let node: NodeName = node.as_ref().parse()?;
    let net = net("monitor_node").ok_or(MonitorNodeError::NotAlive)?;
    if node != *net.name() {
        watch(&net, self_pid(), node, on);
    }
    Ok(())
}

fn watch(net: &Net, pid: Pid, node: NodeName, on: bool) {
    if on {
        net.base.subscriptions.lock().ask(pid, &node);
    }
    net.tell_net_kernel(Command::MonitorNode { pid, node: node.clone(), on });
    // net_kernel may end before it hears of this.
    if let Some(reason) = net.ended().filter(|_| on) {
        net.base.tell_node_watchers(node, reason);
    }
}

/// Why a node can't be watched.
///
/// ```
/// # use fika_net::{MonitorNodeError, monitor_node};
/// # fn example() {
/// match monitor_node("b@127.0.0.1", true) {
///     Ok(()) => {}
///     Err(MonitorNodeError::NotAlive) => eprintln!("this node has no name"),
///     Err(error) => eprintln!("{error}"),
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MonitorNodeError {
    /// This node has no name, and so no connections.
    #[error("notalive: this node is not distributed: give it a name first")]
    NotAlive,
    /// The text is no node name.
    #[error(transparent)]
    NodeName(#[from] fika_runtime::NodeNameError),
}

/// Subscribes the running process to [`NodeUp`](fika_runtime::NodeUp) and
/// [`NodeDown`](fika_runtime::NodeDown) of visible nodes, or ends all its subscriptions to
/// them (Erlang's `net_kernel:monitor_nodes/1`). Subscriptions add up: two of them give two
/// messages.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{NodeDown, NodeUp};
/// # use fika_macros::receive;
/// # use fika_net::monitor_nodes;
/// # async fn example() {
/// monitor_nodes(true);
/// loop {
///     receive! {
///         NodeUp { node, .. } => println!("{node} is connected"),
///         NodeDown { node, reason, .. } => println!("{node} is lost: {reason}"),
///     }
/// }
/// # }
/// ```
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn monitor_nodes(on: bool) {
    monitor_nodes_of(NodeKind::Visible, on);
}

/// Subscribes the running process to [`NodeUp`](fika_runtime::NodeUp) and
/// [`NodeDown`](fika_runtime::NodeDown) of nodes of this kind, or ends its subscriptions to them
/// (Erlang's `net_kernel:monitor_nodes/2` with the option `node_type`). The kind is
/// [`NodeKind::Visible`], [`NodeKind::Hidden`], or [`NodeKind::Connected`] for both.
///
/// Erlang's other options, `connection_id` and `nodedown_reason`, and the choice between a list and
/// a map, have no counterpart. They exist since a third element makes another message of a tuple,
/// which receivers that were written before do not match. The messages here are structs that
/// always carry all of it: the node's type, the connection, and the reason of its end. A pattern
/// names the fields that it needs, as in `NodeUp { node, .. }`, and a further field costs nothing.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{NodeDown, NodeUp};
/// # use fika_macros::receive;
/// # use fika_net::{monitor_nodes_of, NodeKind};
/// # async fn example() {
/// monitor_nodes_of(NodeKind::Connected, true);
/// receive! {
///     NodeUp { node, .. } => println!("{node} is up"),
///     NodeDown { node, reason, .. } => println!("{node} is down: {reason}"),
/// }
/// # }
/// ```
///
/// # Panics
/// Outside of a process. The calling process ends with `badarg` for other kinds.
#[track_caller]
pub fn monitor_nodes_of(kind: NodeKind, on: bool) {
    let wanted = match kind {
        NodeKind::Visible => Wanted::Visible,
        NodeKind::Hidden => Wanted::Hidden,
        NodeKind::Connected => Wanted::All,
        NodeKind::This | NodeKind::Known => {
            exit(ExitReason::badarg("`monitor_nodes_of` takes `Visible`, `Hidden` or `Connected`"));
        }
    };
    let Some(distribution) = Distribution::of(&acting_node("monitor_nodes")) else { return };
    let pid = self_pid();
    if on {
        // At once: whatever is not in `nodes()` after this call is told.
        subscribe(&distribution, pid, wanted);
    } else {
        distribution.base.subscriptions.lock().unsubscribe(pid, wanted);
    }
}

fn subscribe(distribution: &Distribution, pid: Pid, wanted: Wanted) {
    let base = &distribution.base;
    base.subscriptions.lock().subscribe(pid, wanted);
    match (distribution.current(), base.node()) {
        (Some(net), _) => net.tell_net_kernel(Command::Subscribed(pid)),
        (None, Some(node)) => base.subscriptions.lock().prune(|pid| node.is_alive(pid)),
        (None, None) => {}
    }
}
