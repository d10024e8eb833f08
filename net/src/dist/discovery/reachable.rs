//! Opens the listeners of a node, and checks whether other nodes can find it by the host in its
//! name.
//!
//! `[::]` stands for all addresses of both families, as in most programs. The network uses it for
//! IPv6 only, so the node opens two listeners on the same port.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use fika_runtime::{Pid, link, report, timeout};

use super::site::Site;
use crate::dist::start_error::StartError;
use crate::io::{Acceptor, Acceptors};

/// The maximum number of connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// The number of other ports to try if the port that the system chose for IPv6 is taken for IPv4.
const PORT_TRIES: u32 = 16;

/// Returns whether a node that listens at `listens` can be reached at `ip`.
pub(crate) fn covers(listens: IpAddr, ip: IpAddr) -> bool {
    listens == ip || (listens.is_unspecified() && (listens.is_ipv6() || ip.is_ipv4()))
}

/// Returns the addresses on which to listen if `listens` stands for all addresses. Returns an empty
/// list if `listens` is a single address.
pub(crate) fn everywhere(listens: IpAddr) -> Vec<IpAddr> {
    let (six, four) = (Ipv6Addr::UNSPECIFIED.into(), Ipv4Addr::UNSPECIFIED.into());
    match listens {
        ip if !ip.is_unspecified() => Vec::new(),
        IpAddr::V4(_) => vec![four],
        IpAddr::V6(_) => vec![six, four],
    }
}

/// Listens on one address, or on all addresses. If the host lacks one of the families, listens on
/// the other one.
pub(crate) fn listen(site: &Site, addr: SocketAddr) -> io::Result<Acceptors> {
    let on = |ip, port| Acceptor::listen(&*site.network, SocketAddr::new(ip, port), BACKLOG);
    let [six, four] = everywhere(addr.ip())[..] else {
        return Ok(vec![on(addr.ip(), addr.port())?].into());
    };
    let mut tries = 0;
    loop {
        let first = match on(six, addr.port()) {
            Ok(first) => first,
            Err(error) if is_taken(&error) => return Err(error),
            Err(_) => return Ok(vec![on(four, addr.port())?].into()),
        };
        match on(four, first.local_addr().port()) {
            Ok(second) => return Ok(vec![first, second].into()),
            Err(error) if is_taken(&error) && (addr.port() != 0 || tries == PORT_TRIES) => {
                return Err(error);
            }
            Err(error) if is_taken(&error) => tries += 1,
            Err(_) => return Ok(vec![first].into()),
        }
    }
}

fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}

/// Returns an error if no other node can find this node under its name. Logs a warning if other
/// nodes might not find it.
pub(crate) fn check(site: &Site, listens: SocketAddr) -> Result<(), StartError> {
    let Ok(host) = site.name.host().parse::<IpAddr>() else { return Ok(()) };
    let (node, own) = (&site.name, site.own_ips());
    let is_own = host.is_loopback() || own.as_ref().is_some_and(|own| own.contains(&host));
    if covers(listens.ip(), host) {
        if let Some(own) = own.filter(|_| !is_own) {
            report!(
                warn, %node, ?own,
                "this host does not have the address in the node's name: other nodes find it only \
                 if that address leads here"
            );
        }
    } else if listens.ip().is_loopback() && !host.is_loopback() {
        report!(
            warn, %node, listen = %listens,
            "the node listens on loopback only: set an address to listen on"
        );
    } else if is_own && site.resolver.is_none() {
        return Err(StartError::NotCovered { host, listens });
    } else {
        report!(
            warn, %node, listen = %listens,
            "the node does not listen on the address in its name: other nodes find it only if \
             that address leads to the one on which it listens"
        );
    }
    Ok(())
}

/// Looks up the host in the node's name on this host, and logs a warning if the result does not
/// lead to the node.
pub(crate) async fn check_host(site: Arc<Site>, net_kernel: Pid, listens: SocketAddr) {
    link(net_kernel);
    let (node, host) = (&site.name, site.name.host());
    let found = timeout(site.setup_time, site.network.host_ips(host)).await;
    let found = found.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let ips = match found {
        // Many systems resolve their own name to loopback; other hosts get another address.
        Ok(ips) if ips.iter().all(IpAddr::is_loopback) => return,
        Ok(ips) => ips,
        Err(error) => {
            report!(
                warn, %node, %error,
                "the host in the node's name can't be looked up here: other nodes find it only if \
                 they can look it up"
            );
            return;
        }
    };
    let own = site.own_ips();
    let is_here = |ip: &&IpAddr| own.as_ref().is_none_or(|own| own.contains(ip));
    if !ips.iter().filter(is_here).any(|ip| covers(listens.ip(), *ip)) {
        report!(
            warn, %node, listen = %listens, ?ips, ?own,
            "the host in the node's name has addresses on which the node does not listen: other \
             nodes find it only if these lead here"
        );
    }
}
