//! Free functions that read and change the settings of the distribution while it runs. They act for
//! the node of the running process.

use std::io;
use std::time::Duration;

use fika_runtime::{NodeName, NodeNameError};

use super::functions::net;
use crate::cookie::{Cookie, CookieError};
use crate::dist::control::{Command, NetTicktime, SetTicktime};
use crate::dist::link::Channel;
use crate::dist::state::TIMES;
use crate::io::SocketOptions;

/// The error of a function that reads or changes a setting.
///
/// ```
/// # use fika_net::{SettingError, set_cookie};
/// # fn example() {
/// match set_cookie("a much better secret, of many bytes") {
///     Ok(()) => {}
///     Err(SettingError::NotAlive) => eprintln!("this node has no name"),
///     Err(error) => eprintln!("{error}"),
/// }
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingError {
    /// This node has no name, so it has no connections.
    #[error("notalive: this node is not distributed: give it a name first")]
    NotAlive,
    /// The node name is invalid.
    #[error(transparent)]
    NodeName(#[from] NodeNameError),
    /// The cookie is invalid.
    #[error(transparent)]
    Cookie(#[from] CookieError),
    /// The node with this name is not connected.
    #[error("noconnection: there is no connection to `{0}`")]
    NotConnected(NodeName),
    /// The value is out of range.
    #[error("{0}")]
    Range(&'static str),
    /// The operating system refused the option, or the network has no such option.
    #[error("can't get or set the socket's options: {0}")]
    Socket(io::Error),
}

/// Sets the cookie of this node for all peers that have no cookie of their own (Erlang's
/// `erlang:set_cookie/1`). Existing connections stay open; new handshakes use the new cookie. The
/// change lasts until the distribution stops.
///
/// ```
/// # use fika_net::{SettingError, set_cookie};
/// # fn example() -> Result<(), SettingError> {
/// set_cookie("a much better secret, of many bytes")?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If this node is not distributed, or the cookie is empty or easy to guess.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn set_cookie(cookie: impl AsRef<str>) -> Result<(), SettingError> {
    let net = net("set_cookie").ok_or(SettingError::NotAlive)?;
    // The caller's code runs before the lock is taken.
    let cookie = Cookie::new(cookie.as_ref())?;
    net.cookies.write().set(cookie);
    Ok(())
}

/// Sets the cookie for one peer, in both directions (Erlang's `erlang:set_cookie/2`): this node
/// proves itself to that peer with this cookie, and the peer must prove itself with it. With this
/// node's own name, does what [`set_cookie`] does.
///
/// ```no_run
/// # use fika_net::{SettingError, set_cookie_for};
/// # fn example() -> Result<(), SettingError> {
/// // A node of another cluster. Only this node knows the cookie of that cluster.
/// set_cookie_for("gateway@10.0.0.7", "the cookie of the other cluster")?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If this node is not distributed, the node name is invalid, or the cookie is empty or easy to
/// guess.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn set_cookie_for(node: impl AsRef<str>, cookie: impl AsRef<str>) -> Result<(), SettingError> {
    let net = net("set_cookie_for").ok_or(SettingError::NotAlive)?;
    let node: NodeName = node.as_ref().parse()?;
    let cookie = Cookie::new(cookie.as_ref())?;
    let mut cookies = net.cookies.write();
    if node == *net.name() {
        cookies.set(cookie)
    } else {
        cookies.set_for(node, cookie)
    }
    Ok(())
}

/// Adds nodes to the list of allowed nodes (Erlang's `net_kernel:allow/1`). This node connects only
/// to allowed nodes, and accepts connections only from them. While the list is empty, all nodes are
/// allowed. An entry is a node's name, a host, or the part of a name before the `@`. Existing
/// connections stay open.
///
/// ```
/// # use fika_net::{SettingError, allow};
/// # fn example() -> Result<(), SettingError> {
/// // From now on, only these nodes may connect.
/// allow(["a@127.0.0.1", "b@127.0.0.1"])?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If this node is not distributed.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn allow<T: AsRef<str>>(nodes: impl IntoIterator<Item = T>) -> Result<(), SettingError> {
    let net = net("allow").ok_or(SettingError::NotAlive)?;
    // The caller's code runs before the lock is taken.
    let nodes: Vec<_> = nodes.into_iter().map(|node| node.as_ref().to_owned()).collect();
    net.allowed.write().add(nodes);
    Ok(())
}

/// Changes the time after which the connection to a silent peer is closed (Erlang's
/// `net_kernel:set_net_ticktime/2`). The time is rounded up to a whole number of milliseconds that
/// is a multiple of the tick intensity.
///
/// All nodes of a cluster must have the same time. During the transition, this node sends ticks at
/// the faster of the two rates. So no connection is lost if the time is changed on all nodes within
/// the transition. OTP's default for the transition is 60 s.
///
/// ```
/// # use std::time::Duration;
/// # use fika_net::{SettingError, set_net_ticktime};
/// # async fn example() -> Result<(), SettingError> {
/// // Change the ticktime of all other nodes within this transition, too.
/// set_net_ticktime(Duration::from_secs(20), Duration::from_secs(60)).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If this node is not distributed, if the time is not from 1 ms to 365 days, or if the transition
/// is longer than 365 days.
///
/// # Panics
/// Outside of a process.
pub async fn set_net_ticktime(
    time: Duration,
    transition: Duration,
) -> Result<SetTicktime, SettingError> {
    let net = net("set_net_ticktime").ok_or(SettingError::NotAlive)?;
    if !TIMES.contains(&time) {
        return Err(SettingError::Range("the ticktime must be from 1 ms to 365 days"));
    }
    if transition > *TIMES.end() {
        return Err(SettingError::Range("the transition must not be longer than 365 days"));
    }
    let set = |caller| Command::SetTicktime { time, transition, caller };
    net.ask(set).await.ok_or(SettingError::NotAlive)
}

/// Returns the time after which the connection to a silent peer is closed (Erlang's
/// `net_kernel:get_net_ticktime/0`).
///
/// ```
/// # use fika_net::{NetTicktime, get_net_ticktime};
/// # async fn example() -> Result<(), fika_net::SettingError> {
/// match get_net_ticktime().await? {
///     NetTicktime::Is(time) => println!("{time:?}"),
///     NetTicktime::OngoingChangeTo(time) => println!("changing to {time:?}"),
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If this node is not distributed.
///
/// # Panics
/// Outside of a process.
pub async fn get_net_ticktime() -> Result<NetTicktime, SettingError> {
    let net = net("get_net_ticktime").ok_or(SettingError::NotAlive)?;
    net.ask(|caller| Command::Ticktime { caller }).await.ok_or(SettingError::NotAlive)
}

/// Sets options on the socket of a live connection (Erlang's `net_kernel:setopts/2`).
///
/// ```
/// # use fika_net::{SocketOptions, setopts};
/// # fn example() -> Result<(), fika_net::SettingError> {
/// setopts("b@127.0.0.1", SocketOptions { nodelay: Some(true), ..SocketOptions::default() })?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If this node is not distributed, the node name is invalid, the other node is not connected, or
/// an option is refused. In the last case, the options before the refused option have been set.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn setopts(node: impl AsRef<str>, options: SocketOptions) -> Result<(), SettingError> {
    with_connection("setopts", node.as_ref(), |channel| channel.set_options(&options))
}

/// Returns the options of the socket of a live connection (Erlang's `net_kernel:getopts/2`).
///
/// ```
/// # use fika_net::getopts;
/// # fn example() -> Result<(), fika_net::SettingError> {
/// println!("{:?} bytes are buffered to send", getopts("b@127.0.0.1")?.send_buffer);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If this node is not distributed, the node name is invalid, the other node is not connected, or
/// the network has no such options.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn getopts(node: impl AsRef<str>) -> Result<SocketOptions, SettingError> {
    with_connection("getopts", node.as_ref(), Channel::options)
}

/// Sets the options of the sockets of new connections, made or accepted (Erlang's
/// `net_kernel:setopts/2` for `new`). These options replace all options from earlier calls and from
/// the node's builder.
///
/// ```
/// # use fika_net::{SocketOptions, setopts_new};
/// # fn example() -> Result<(), fika_net::SettingError> {
/// // For the connections to come.
/// setopts_new(SocketOptions { keepalive: Some(true), ..SocketOptions::default() })?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If this node is not distributed.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn setopts_new(options: SocketOptions) -> Result<(), SettingError> {
    let net = net("setopts_new").ok_or(SettingError::NotAlive)?;
    *net.socket_options.write() = options;
    Ok(())
}

#[track_caller]
fn with_connection<T>(
    function: &str,
    node: &str,
    work: impl FnOnce(&Channel) -> Option<io::Result<T>>,
) -> Result<T, SettingError> {
    let net = net(function).ok_or(SettingError::NotAlive)?;
    let node: NodeName = node.parse()?;
    let done = net.told.channel(&node).and_then(|channel| work(&channel));
    done.ok_or(SettingError::NotConnected(node))?.map_err(SettingError::Socket)
}
