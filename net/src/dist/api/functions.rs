//! Free functions about nodes and connections. They act for the node of the running process.

use std::sync::Arc;

use fika_runtime::{
    ExitReason, Ignored, NodeName, Pid, acting_node, exit, printable, report, self_pid,
};

use super::nodes::NodeKind;
use crate::dist::control::{Command, Request};
use crate::dist::start_error::StartError;
use crate::dist::state::{Distribution, Net, Wanted};

/// The result of a [`ping`].
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
    /// The node is not connected. It was not reached, it has another cookie, or
    /// [`AutoConnect`](crate::AutoConnect) does not allow the connection.
    Pang,
}

impl Ignored for Ping {}

/// Returns the distribution of the running process's node, or `None` if the node is not
/// distributed.
#[track_caller]
pub(crate) fn net(function: &str) -> Option<Arc<Net>> {
    Distribution::of(&acting_node(function))?.current()
}

/// Gives the running process's node a name, under which other nodes can reach it (Erlang's
/// `net_kernel:start/2`). The settings are those of the node's builder. If the builder has no
/// cookie, the cookie file is read again.
///
/// The node's processes, their pids and registered names do not change. Subscribers of
/// [`monitor_nodes`] get a `NodeUp` with this node's own name.
///
/// # A name from the first peer
/// With `undefined@host` the node gets its name from the first node to which it connects (Erlang's
/// `net_kernel:start(undefined, ..)`). Until its first [`connect_node`] it is `nonode@nohost`. The
/// peer then gives it a unique name at this host. So the host decides whether the name is short or
/// long. When this first connection is lost, the node loses the name and all other connections. The
/// next `connect_node` gives it another name.
///
/// Such a node does not listen, is hidden, and connects only when asked. The peer needs no settings
/// for it.
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
/// If the node has a name already ([`StartError::AlreadyStarted`]), if the name is invalid, or if
/// another node has it. [`StartError`] lists all other reasons.
///
/// # Panics
/// Outside of a process. There, `Node::start_distribution` does the same.
pub async fn start_distribution(name: impl AsRef<str>) -> Result<(), StartError> {
    let name: NodeName = name.as_ref().parse()?;
    let distribution = Distribution::of(&acting_node("start_distribution"));
    distribution.ok_or(StartError::NoNetwork)?.start(name).await
}

/// Takes the name of the running process's node away (Erlang's `net_kernel:stop/0`). The node is
/// `nonode@nohost` again, and can be started again under any name. Returns false if the node has no
/// name.
///
/// All connections are closed. Links, monitors and requests over them end with `noconnection`.
/// Subscribers of [`monitor_nodes`] get a `NodeDown` for each node and for this node's own name,
/// with the reason `net_kernel_terminated`.
///
/// Pids of this node that other nodes hold become stale, even if the node gets the same name again.
/// On this node, pids still reach their processes. If the node was built with a name, its pids are
/// still printed with that name.
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

/// Returns whether the running process's node is distributed (Erlang's `is_alive/0`). A node is
/// distributed if it has a name, or if the first node to which it connects will give it one.
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

/// Connects to a node as a send would, and returns whether it is connected then (Erlang's
/// `net_adm:ping/1`). A node is always connected to itself.
///
/// Under [`AutoConnect::Never`](crate::AutoConnect::Never), and after a lost connection under
/// [`AutoConnect::Once`](crate::AutoConnect::Once), a ping makes no connection and returns
/// [`Ping::Pang`]. Use [`connect_node`] to connect there.
///
/// If this node has no name, or the other node's name is invalid or its host is unknown, the answer
/// is `Ping::Pang`, and a warning is logged.
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
    match connected("ping", node.as_ref(), Request::Automatic).await {
        Some(true) => Ping::Pong,
        Some(false) | None => Ping::Pang,
    }
}

/// Connects to a node, and returns whether it is connected then (Erlang's
/// `net_kernel:connect_node/1`). Returns `None` if this node is not distributed, and `Some(false)`
/// for an invalid node name. This is the only function that connects under all settings of
/// [`AutoConnect`](crate::AutoConnect).
///
/// A warning is logged if this node has no name, or if the other node's name is invalid or its host
/// is unknown. Nothing is logged if no node of that name runs there, or it does not answer.
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
    connected("connect_node", node.as_ref(), Request::Explicit).await
}

/// Returns the distribution of the running process's node, and the name of another node from the
/// text `node`. If the node is not distributed or the name is invalid, returns the result of the
/// calling function as an error: `None` or `Some(false)`. Logs a warning, too, unless the node has
/// no network.
fn net_and_name(function: &str, node: &str) -> Result<(Arc<Net>, NodeName), Option<bool>> {
    let distribution = Distribution::of(&acting_node(function)).ok_or(None)?;
    let Some(net) = distribution.current() else {
        distribution.base.report_nameless(&printable(node));
        return Err(None);
    };
    let name = node.parse::<NodeName>().map_err(|error| {
        let base = &distribution.base;
        base.mistakes.line(base.env.now(), |left_out| {
            report!(warn, function, %error, left_out, "not connected: the node's name is invalid");
        });
        Some(false)
    })?;
    Ok((net, name))
}

/// Connects to a node if the request allows it, and returns whether the node is connected then.
async fn connected(function: &str, node: &str, request: Request) -> Option<bool> {
    let (net, node) = match net_and_name(function, node) {
        Ok(both) => both,
        Err(answer) => return answer,
    };
    if node == *net.name() {
        return Some(true);
    }
    net.ask(|caller| Command::ConnectNode { node: node.clone(), request, caller }).await
}

/// Closes the connection to a node (Erlang's `disconnect_node/1`). Returns whether the node was
/// connected, or `None` if this node is not distributed.
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
    let (net, node) = match net_and_name("disconnect_node", node.as_ref()) {
        Ok(both) => both,
        Err(answer) => return answer,
    };
    net.ask(|caller| Command::DisconnectNode { node: node.clone(), caller }).await
}

/// Watches a node, or stops watching it (Erlang's `monitor_node/2`).
///
/// For each call with `true`, the running process gets one [`NodeDown`](fika_runtime::NodeDown)
/// when the connection to the node is lost. If the node is not connected and can't be connected,
/// the `NodeDown` comes as soon as this is known. A call with `false` undoes one call with `true`.
/// Watching this node itself does nothing.
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
/// If this node is not distributed, or the node name is invalid.
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
    // net_kernel may end before it gets the message.
    if let Some(reason) = net.ended().filter(|_| on) {
        net.base.tell_node_watchers(node, reason);
    }
}

/// The error of [`monitor_node`].
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
    /// This node has no name, so it has no connections.
    #[error("notalive: this node is not distributed: give it a name first")]
    NotAlive,
    /// The node name is invalid.
    #[error(transparent)]
    NodeName(#[from] fika_runtime::NodeNameError),
}

/// Subscribes the running process to the [`NodeUp`](fika_runtime::NodeUp) and
/// [`NodeDown`](fika_runtime::NodeDown) messages of visible nodes, or ends all its subscriptions to
/// them (Erlang's `net_kernel:monitor_nodes/1`). Subscriptions add up: a process with two
/// subscriptions gets each message twice.
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

/// Subscribes the running process to the [`NodeUp`](fika_runtime::NodeUp) and
/// [`NodeDown`](fika_runtime::NodeDown) messages of nodes of this kind, or ends its subscriptions
/// to them (Erlang's `net_kernel:monitor_nodes/2` with the option `node_type`). The kind is
/// [`NodeKind::Visible`], [`NodeKind::Hidden`], or [`NodeKind::Connected`] for both.
///
/// Erlang's other options, `connection_id` and `nodedown_reason`, and the choice between a list and
/// a map, have no counterpart. In Erlang, the messages are tuples, and existing receivers would not
/// match a tuple with a further element. The messages here are structs that always have all fields:
/// the node's type, the connection, and the reason for its end. A pattern names only the fields
/// that it needs, as in `NodeUp { node, .. }`.
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
/// Outside of a process. With any other kind, the calling process ends with `badarg`.
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
        // Subscribed at once, so that the process gets a `NodeUp` for every node that comes up
        // after this call.
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
