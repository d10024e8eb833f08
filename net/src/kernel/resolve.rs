//! From a node's name to the address that it listens on.

use std::net::{IpAddr, SocketAddr};

use fika_runtime::NodeName;

use super::framed::Failure;
use super::net::Net;
use super::resolver::NodeAddr;
use crate::io::EpmdClient;

impl Net {
    /// Where a node listens.
    pub(super) async fn resolve(&self, node: &NodeName) -> Result<SocketAddr, Failure> {
        let Some(resolver) = &self.config.resolver else { return self.ask_mapper(node).await };
        match resolver.resolve(node).await {
            Ok(Some(NodeAddr::At(addr))) => Ok(addr),
            Ok(Some(NodeAddr::Port(port))) => {
                Ok(SocketAddr::new(self.host_ip(node.host()).await?, port))
            }
            Ok(None) => Err(Failure::Unreachable("the resolver knows no such node".into())),
            Err(error) => Err(Failure::Unreachable(format!("the resolver: {error}"))),
        }
    }

    async fn ask_mapper(&self, node: &NodeName) -> Result<SocketAddr, Failure> {
        let ip = self.host_ip(node.host()).await?;
        let mapper = SocketAddr::new(ip, self.config.epmd_port);
        let found = EpmdClient::new(self.network.clone(), mapper).lookup(node.alive()).await;
        let found = found.map_err(|error| Failure::Unreachable(error.to_string()))?;
        let none = || {
            let alive = node.alive();
            Failure::Unreachable(format!("the port mapper at {mapper} knows no node `{alive}`"))
        };
        found.map(|info| SocketAddr::new(ip, info.port())).ok_or_else(none)
    }

    async fn host_ip(&self, host: &str) -> Result<IpAddr, Failure> {
        if let Ok(ip) = host.parse() {
            return Ok(ip);
        }
        // The nodes of this host listen on loopback unless they were told otherwise.
        if host == self.name().host() {
            return Ok(self.config.listen.map_or(self.loopback(), |listen| reachable(listen.ip())));
        }
        let found = self.network.host_ip(host).await;
        found.map_err(|error| Failure::Unreachable(format!("the host `{host}`: {error}")))
    }
}

/// Where to reach somebody who listens on all addresses.
fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}
