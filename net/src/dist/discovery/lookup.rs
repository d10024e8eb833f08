//! Connects to a node by its name: looks up the addresses of its host, and tries them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};

use fika_runtime::{NodeName, timeout};

use super::race;
use super::resolver::NodeAddr;
use super::site::Site;
use crate::io::{EpmdClient, Stream};

/// The reason why a node was not reached.
#[derive(Debug)]
pub(crate) enum NotReached {
    /// The text says why.
    Unreachable(String),
    /// The host in the node's name has no address.
    UnknownHost(io::Error),
    /// The attempt took longer than the setup time.
    TooSlow,
}

/// A way in which a node may be reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// Connect to this address, on the port that the port mapper there returns.
    Mapper(IpAddr),
    /// Connect to this address.
    Addr(SocketAddr),
}

impl Way {
    fn is_ipv4(&self) -> bool {
        match self {
            Way::Mapper(ip) => ip.is_ipv4(),
            Way::Addr(addr) => addr.is_ipv4(),
        }
    }
}

impl Site {
    /// Finds the ways in which a node may be reached, in the order in which to try them.
    pub(crate) async fn ways(&self, node: &NodeName) -> Result<Vec<Way>, NotReached> {
        let ways: Vec<Way> = match &self.resolver {
            None => self.host_ips(node.host()).await?.into_iter().map(Way::Mapper).collect(),
            Some(resolver) => match resolver.resolve(node).await {
                Ok(Some(NodeAddr::At(addr))) => vec![Way::Addr(addr)],
                Ok(Some(NodeAddr::OneOf(addrs))) => addrs.into_iter().map(Way::Addr).collect(),
                Ok(Some(NodeAddr::Port(port))) => {
                    let ips = self.host_ips(node.host()).await?.into_iter();
                    ips.map(|ip| Way::Addr(SocketAddr::new(ip, port))).collect()
                }
                Ok(None) => Vec::new(),
                Err(error) => {
                    return Err(NotReached::Unreachable(format!("the resolver failed: {error}")));
                }
            },
        };
        if ways.is_empty() {
            return Err(NotReached::Unreachable("the resolver does not know the node".into()));
        }
        // The addresses of this host are in order already: the most likely one is first.
        if self.is_here(node.host()) {
            return Ok(ways);
        }
        Ok(race::interleave(ways, Way::is_ipv4))
    }

    /// Connects to a node in one of these ways. The look-up and the connection may each take the
    /// setup time (HS-12).
    pub(crate) async fn reach(
        &self,
        node: &NodeName,
        ways: Vec<Way>,
    ) -> Result<Stream, NotReached> {
        let time = self.setup_time;
        let is_found = AtomicBool::new(false);
        let attempts = ways.into_iter().map(|way| self.attempt(node, way, &is_found));
        let mut race = pin!(race::first(attempts));
        let mut result = timeout(time, race.as_mut()).await;
        if result.is_err() && is_found.load(Ordering::Relaxed) {
            result = timeout(time, race).await;
        }
        let result = result.map_err(|_| NotReached::TooSlow)?;
        result.map_err(|errors| NotReached::Unreachable(errors.join("; ")))
    }

    async fn attempt(
        &self,
        node: &NodeName,
        way: Way,
        is_found: &AtomicBool,
    ) -> Result<Stream, String> {
        let addr = match way {
            Way::Addr(addr) => addr,
            Way::Mapper(ip) => {
                let addr = self.ask_mapper(node, ip).await?;
                is_found.store(true, Ordering::Relaxed);
                addr
            }
        };
        let stream = Stream::connect(&*self.network, addr).await;
        stream.map_err(|error| {
            format!("can't connect to {addr}, where the node is registered: {error}")
        })
    }

    async fn ask_mapper(&self, node: &NodeName, ip: IpAddr) -> Result<SocketAddr, String> {
        let mapper = SocketAddr::new(ip, self.epmd_port);
        let found = EpmdClient::new(self.network.clone(), mapper).lookup(node.alive()).await;
        let Some(info) = found.map_err(|error| error.to_string())? else {
            return Err(format!("the port mapper at {mapper} knows no node `{}`", node.alive()));
        };
        // The mapper of this host has all nodes of this host, whatever address they listen on. So
        // the address in the registration counts, if there is one.
        let listens = info.mark().map(|mark| mark.listens).filter(|ip| !ip.is_unspecified());
        let ip = listens.filter(|_| self.is_here(node.host())).unwrap_or(ip);
        Ok(SocketAddr::new(ip, info.port()))
    }

    /// Returns whether `host` is the host in this node's own name.
    fn is_here(&self, host: &str) -> bool {
        host == self.name.host()
    }

    async fn host_ips(&self, host: &str) -> Result<Vec<IpAddr>, NotReached> {
        let literal: Option<IpAddr> = host.parse().ok();
        if self.is_here(host) {
            return Ok(self.ips_here(literal));
        }
        if let Some(ip) = literal {
            return Ok(vec![ip]);
        }
        self.network.host_ips(host).await.map_err(NotReached::UnknownHost)
    }

    /// Returns the addresses at which nodes of this host may listen: the address in their names,
    /// the address on which this node listens, and loopback, which is the default.
    fn ips_here(&self, literal: Option<IpAddr>) -> Vec<IpAddr> {
        let listens = self.listen.map(|listen| reachable(listen.ip()));
        let loopback = self.loopback();
        // A host may lack the loopback address of IPv4.
        let six = Some(Ipv6Addr::LOCALHOST.into()).filter(|_| literal != Some(loopback));
        let mut ips = Vec::new();
        for ip in [literal, listens, Some(loopback), six].into_iter().flatten() {
            if !ips.contains(&ip) {
                ips.push(ip);
            }
        }
        ips
    }
}

/// Returns the address at which to reach a node that listens on all addresses.
fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}
