//! The facts about this node that discovery needs.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use fika_runtime::{Env, NodeName};
use parking_lot::Mutex;

use super::resolver::Resolver;
use crate::io::{EpmdRegistration, Network};

/// This node's name, settings, network and registrations.
pub(crate) struct Site {
    pub(crate) network: Arc<dyn Network>,
    pub(crate) env: Arc<dyn Env>,
    /// The name with which the node was started. If a peer will give the node its name, only the
    /// host is known.
    pub(crate) name: NodeName,
    pub(crate) hidden: bool,
    /// The address in the settings on which the node listens.
    pub(crate) listen: Option<SocketAddr>,
    /// The port of the port mapper, on this host and on others.
    pub(crate) epmd_port: u16,
    /// Whether the node starts a port mapper if none answers.
    pub(crate) start_epmd: bool,
    /// The resolver that replaces the port mapper, if the program has set one.
    pub(crate) resolver: Option<Arc<dyn Resolver>>,
    /// The longest time for each step of making a connection.
    pub(crate) setup_time: Duration,
    /// The current registrations with the port mappers of this host.
    pub(crate) registrations: Mutex<Vec<Arc<EpmdRegistration>>>,
}

impl Site {
    /// Returns the loopback address of this host, on which nodes listen by default. This is the
    /// address in the node's name if that is a loopback address.
    pub(crate) fn loopback(&self) -> IpAddr {
        let own = self.name.host().parse().ok().filter(IpAddr::is_loopback);
        own.unwrap_or(Ipv4Addr::LOCALHOST.into())
    }

    /// Returns the addresses of this host without loopback, or `None` if they are not known.
    pub(crate) fn own_ips(&self) -> Option<Vec<IpAddr>> {
        match self.network.own_ips() {
            Ok(ips) => Some(ips).filter(|ips| !ips.is_empty()),
            Err(error) => {
                tracing::debug!(%error, "the addresses of this host are not known");
                None
            }
        }
    }
}
