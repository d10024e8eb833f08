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

/// The times that can be set: at least one tick of the timers, and far below the longest time of a
/// timer, since some are multiplied.
pub(crate) const TIMES: RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(365 * 24 * 60 * 60);

/// When a node connects to another one without an explicit
/// [`connect_node`](crate::connect_node) (OTP's `dist_auto_connect`).
///
/// Everything else that needs a connection, such as a send, a link, a monitor, a spawn, a
/// [`ping`](crate::ping), or a mesh that the node's peers are in, makes it only as far as this
/// setting allows, and otherwise goes on as if the other node could not be reached. A connection
/// that exists is used by all. Peers may connect to this node in any case.
///
/// ```
/// use fika_net::AutoConnect;
///
/// assert_eq!(AutoConnect::default(), AutoConnect::Always);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum AutoConnect {
    /// On the first use of another node.
    #[default]
    Always,
    /// On the first use of another node, until that connection is lost. After that, an explicit
    /// `connect_node`, or a connection that the peer makes, starts this again.
    Once,
    /// Only by an explicit `connect_node`.
    Never,
}

/// The settings of a node's distribution.
#[derive(Clone, Debug)]
pub struct Config {
    /// The secret of the cluster.
    pub cookie: Cookie,
    /// The cookies for single peers, in both directions.
    pub cookies: BTreeMap<NodeName, Cookie>,
    /// The nodes that may be connected, by name, host, or the part before the `@`; all if empty.
    pub allow: Vec<String>,
    /// The cluster of the node; nodes of different clusters do not connect, even with the same
    /// cookie. It is not secret.
    pub cluster_id: String,
    /// A hidden node connects only when asked, and is not in the `nodes()` of its peers.
    pub hidden: bool,
    /// Where to listen; the loopback address of the node's host, and any port, if not set.
    pub listen: Option<SocketAddr>,
    /// The ports of which one is listened on, where `listen` names none.
    pub listen_ports: Option<RangeInclusive<u16>>,
    /// Whether it listens at all. A node that does not is hidden, and is known to no port mapper.
    pub listens: bool,
    /// Whether the node starts a port mapper if none answers.
    pub start_epmd: bool,
    /// The options of the sockets of connections.
    pub socket_options: SocketOptions,
    /// A handler that takes part in decisions of net_kernel.
    pub handler: Option<Arc<dyn NetHandler>>,
    /// The port of the port mapper, on this host and on others. It is 0, which is refused, if
    /// `ERL_EPMD_PORT` is invalid and no port was set.
    pub epmd_port: u16,
    /// How nodes find each other; by the port mapper if not set.
    pub resolver: Option<Arc<dyn Resolver>>,
    /// Whether visible nodes connect to all nodes that their peers know.
    pub connect_all: bool,
    /// When connections are made automatically.
    pub auto_connect: AutoConnect,
    /// How long a peer may be silent before its connection is closed (OTP's `net_ticktime`).
    pub ticktime: Duration,
    /// How often the peer is checked in this time, from 4 to 1000.
    pub intensity: u32,
    /// The largest message, in bytes; the same on all nodes.
    pub message_bytes_max: usize,
    /// Processes that send to a node are suspended while more bytes than this wait to go there.
    pub output_high_bytes: usize,
    /// Suspended processes go on when at most this many bytes wait.
    pub output_low_bytes: usize,
    /// The longest time for each step of making a connection: finding the node, reaching it, and
    /// each of its two answers (OTP's `net_setuptime`).
    pub setup_time: Duration,
    /// The longest time for a peer's handshake, from the connection to its proof.
    pub handshake_time: Duration,
}

impl Config {
    pub(crate) fn limits(&self) -> Limits {
        Limits { message_bytes_max: self.message_bytes_max }
    }

    /// OTP's defaults.
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
            ticktime: Duration::from_secs(60),
            intensity: 4,
            message_bytes_max: Limits::MESSAGE_BYTES_MAX,
            output_high_bytes: OUTPUT_HIGH_BYTES,
            output_low_bytes: OUTPUT_LOW_BYTES,
            setup_time: Duration::from_secs(7),
            handshake_time: Duration::from_secs(5),
        }
    }

    /// Refuses settings that are out of range.
    pub(crate) fn check(&self) -> Result<(), StartError> {
        let (low, high) = (self.output_low_bytes, self.output_high_bytes);
        let ports = self.listen_ports.as_ref();
        let rules = [
            ((4..=1000).contains(&self.intensity), "`net_tickintensity` must be in 4..=1000"),
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

    /// What follows from the others, and from the name: a node that does not listen is hidden,
    /// and one whose first peer names it is the client of that.
    pub(crate) fn for_name(self, name: &NodeName) -> Config {
        if name.is_undefined() {
            let auto_connect = AutoConnect::Never;
            return Config { hidden: true, listens: false, auto_connect, ..self };
        }
        Config { hidden: self.hidden || !self.listens, ..self }
    }
}

/// The port mapper's usual port, or the one that the environment names.
fn named_epmd_port() -> Result<u16, StartError> {
    let name = "ERL_EPMD_PORT";
    let Some(value) = std::env::var_os(name) else { return Ok(crate::proto::epmd::DEFAULT_PORT) };
    let value = value.to_string_lossy();
    let port = value.parse().ok().filter(|port| *port != 0);
    let why = "write a port from 1 to 65535, or unset the variable";
    port.ok_or_else(|| StartError::Environment { name, value: value.into_owned(), why })
}
