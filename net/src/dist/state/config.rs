//! The settings of a node's distribution.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use fika_runtime::NodeName;

use super::handler::NetHandler;
use crate::cookie::Cookie;
use crate::dist::discovery::Resolver;
use crate::dist::link::{OUTPUT_BYTES, OUTPUT_HIGH_BYTES, OUTPUT_LOW_BYTES};
use crate::dist::start_error::StartError;
use crate::io::SocketOptions;
use crate::proto::limits::Limits;

/// The valid times for settings. The minimum is one tick of the timers. The maximum is far below
/// the longest time of a timer, since some times are multiplied.
pub(crate) const TIMES: RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(365 * 24 * 60 * 60);

/// The default ticktime and tick intensity, as in OTP.
pub(crate) const TICKS: (Duration, u32) = (Duration::from_secs(60), 4);

/// The valid tick intensities.
pub(crate) const INTENSITIES: RangeInclusive<u32> = 4..=1000;

/// Decides when a node connects to another node without an explicit
/// [`connect_node`](crate::connect_node) (OTP's `dist_auto_connect`).
///
/// The setting applies to everything else that needs a connection: a send, a link, a monitor, a
/// spawn, a [`ping`](crate::ping), or a node that a peer knows. If the setting does not allow the
/// connection, these behave as if the other node could not be reached. An existing connection is
/// always used. Peers may connect to this node under all settings.
///
/// ```
/// use fika_net::AutoConnect;
///
/// assert_eq!(AutoConnect::default(), AutoConnect::Always);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum AutoConnect {
    /// Connect on the first use of another node.
    #[default]
    Always,
    /// Connect on the first use of another node. After that connection is lost, only an explicit
    /// `connect_node` or the peer itself connects the two nodes again.
    Once,
    /// Connect only on an explicit `connect_node`.
    Never,
}

/// The settings of a node's distribution.
#[derive(Clone, Debug)]
pub struct Config {
    /// The secret of the cluster.
    pub cookie: Cookie,
    /// The cookies for single peers, in both directions.
    pub cookies: BTreeMap<NodeName, Cookie>,
    /// The nodes that may be connected, by name, host, or the part before the `@`. If the list is
    /// empty, all nodes may be connected.
    pub allow: Vec<String>,
    /// The id of the node's cluster. Nodes of different clusters do not connect, even if they have
    /// the same cookie. The id is not secret.
    pub cluster_id: String,
    /// A hidden node connects only when asked, and is not in the `nodes()` of its peers.
    pub hidden: bool,
    /// The address on which to listen. If not set, the node listens on the loopback address of its
    /// host, on any port.
    pub listen: Option<SocketAddr>,
    /// The ports to try if `listen` names no port. The node listens on the first free one.
    pub listen_ports: Option<RangeInclusive<u16>>,
    /// Whether the node listens. A node that does not listen is hidden, and is not registered with
    /// port mappers.
    pub listens: bool,
    /// Whether the node starts a port mapper if none answers.
    pub start_epmd: bool,
    /// The options of the sockets of connections.
    pub socket_options: SocketOptions,
    /// The handler that may change or refuse decisions of net_kernel.
    pub handler: Option<Arc<dyn NetHandler>>,
    /// The port of the port mapper, on this host and on others. If no port was set and
    /// `ERL_EPMD_PORT` is invalid, the port is 0, and the distribution does not start.
    pub epmd_port: u16,
    /// The resolver that finds other nodes. If not set, the port mapper finds them.
    pub resolver: Option<Arc<dyn Resolver>>,
    /// Whether visible nodes connect to all nodes that their peers know.
    pub connect_all: bool,
    /// Whether connections are made automatically.
    pub auto_connect: AutoConnect,
    /// The time after which the connection to a silent peer is closed (OTP's `net_ticktime`).
    pub ticktime: Duration,
    /// The number of checks of the peer in the ticktime, from 4 to 1000 (OTP's
    /// `net_tickintensity`).
    pub intensity: u32,
    /// The maximum size of a message, in bytes. Must be the same on all nodes.
    pub message_bytes_max: usize,
    /// Processes that send to a node are suspended if more bytes than this wait to be sent to that
    /// node.
    pub output_high_bytes: usize,
    /// Suspended processes continue when at most this many bytes wait to be sent.
    pub output_low_bytes: usize,
    /// The maximum time for each step of making a connection: looking the node up, connecting to
    /// it, and each of its two answers (OTP's `net_setuptime`).
    pub setup_time: Duration,
    /// The maximum time for the handshake of a peer that connects to this node, from the connection
    /// to its proof.
    pub handshake_time: Duration,
}

impl Config {
    pub(crate) fn limits(&self) -> Limits {
        Limits { message_bytes_max: self.message_bytes_max }
    }

    /// Returns the default settings, with this cookie. The defaults are those of OTP.
    #[must_use]
    pub fn new(cookie: Cookie) -> Config {
        Config {
            cookie,
            cookies: BTreeMap::new(),
            allow: Vec::new(),
            cluster_id: String::new(),
            hidden: false,
            listen: None,
            listen_ports: None,
            listens: true,
            start_epmd: true,
            socket_options: SocketOptions::default(),
            handler: None,
            epmd_port: named_epmd_port().unwrap_or(0),
            resolver: None,
            connect_all: true,
            auto_connect: AutoConnect::Always,
            ticktime: TICKS.0,
            intensity: TICKS.1,
            message_bytes_max: Limits::MESSAGE_BYTES_MAX,
            output_high_bytes: OUTPUT_HIGH_BYTES,
            output_low_bytes: OUTPUT_LOW_BYTES,
            setup_time: Duration::from_secs(7),
            handshake_time: Duration::from_secs(5),
        }
    }

    /// Returns an error if a setting is out of range.
    ///
    /// # Errors
    /// [`StartError::Setting`], or [`StartError::Environment`] if no port of the port mapper was
    /// set and `ERL_EPMD_PORT` is invalid.
    pub fn check(&self) -> Result<(), StartError> {
        let (low, high) = (self.output_low_bytes, self.output_high_bytes);
        let ports = self.listen_ports.as_ref();
        let rules = [
            (INTENSITIES.contains(&self.intensity), "`net_tickintensity` must be in 4..=1000"),
            (TIMES.contains(&self.ticktime), "`net_ticktime` must be from 1 ms to 365 days"),
            (TIMES.contains(&self.setup_time), "`net_setuptime` must be from 1 ms to 365 days"),
            (
                TIMES.contains(&self.handshake_time),
                "`handshake_time` must be from 1 ms to 365 days",
            ),
            (
                Limits::MESSAGE_BYTES.contains(&self.message_bytes_max),
                "`message_bytes_max` must be from 4 KiB to 2 GiB",
            ),
            (
                OUTPUT_BYTES.contains(&high) && low <= high,
                "`output_bytes`: the high mark must be from 64 KiB to 1 GiB, and the low mark not \
                 above it",
            ),
            (
                ports.is_none_or(|ports| !ports.is_empty() && *ports.start() != 0),
                "`listen_ports` must not be empty, and must not begin with 0",
            ),
        ];
        if let Some((_, why)) = rules.into_iter().find(|(is_kept, _)| !is_kept) {
            return Err(StartError::Setting(why));
        }
        if self.epmd_port == 0 {
            named_epmd_port()?;
            return Err(StartError::Setting("`epmd_port` must not be 0"));
        }
        Ok(())
    }

    /// Adjusts settings that depend on others and on the name. A node that does not listen is
    /// hidden. A node that gets its name from its first peer is hidden, does not listen, and does
    /// not connect automatically.
    pub(crate) fn for_name(self, name: &NodeName) -> Config {
        if name.is_undefined() {
            let auto_connect = AutoConnect::Never;
            return Config { hidden: true, listens: false, auto_connect, ..self };
        }
        Config { hidden: self.hidden || !self.listens, ..self }
    }
}

/// Returns the port of the port mapper: the one in `ERL_EPMD_PORT`, or the default port.
fn named_epmd_port() -> Result<u16, StartError> {
    let name = "ERL_EPMD_PORT";
    let Some(value) = std::env::var_os(name) else { return Ok(crate::proto::epmd::DEFAULT_PORT) };
    let value = value.to_string_lossy();
    let port = value.parse().ok().filter(|port| *port != 0);
    let why = "write a port from 1 to 65535, or unset the variable";
    port.ok_or_else(|| StartError::Environment { name, value: value.into_owned(), why })
}
