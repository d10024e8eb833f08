//! The hosts, their addresses, and the paths between them that are cut.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A host, by its index in the list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct HostId(pub(crate) usize);

/// The first port that a host gives to connections.
const FIRST_PORT: u16 = 32_768;

#[derive(Debug)]
struct Host {
    name: String,
    /// Its addresses, in the order in which a look-up of its name returns them.
    ips: Vec<IpAddr>,
    next_port: u16,
    /// Whether the host has no power.
    is_off: bool,
    /// Whether its listeners accept no connections from other hosts.
    is_full: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Hosts {
    all: Vec<Host>,
    /// Pairs of hosts: packets from the first to the second do not arrive.
    cut: BTreeSet<(HostId, HostId)>,
    /// Addresses at which nothing arrives.
    dark: BTreeSet<IpAddr>,
}

impl Hosts {
    /// Returns the host with this name. Adds the host if it does not exist.
    pub(crate) fn named(&mut self, name: &str) -> HostId {
        if let Some(found) = self.find(name) {
            return found;
        }
        let id = HostId(self.all.len());
        self.all.push(Host {
            name: name.to_owned(),
            ips: vec![first_ip(id)],
            next_port: FIRST_PORT,
            is_off: false,
            is_full: false,
        });
        id
    }

    pub(crate) fn set_ips(&mut self, host: HostId, ips: Vec<IpAddr>) {
        assert!(!ips.is_empty(), "a host needs at least one address");
        for ip in &ips {
            let has = self.all.iter().position(|host| host.ips.contains(ip));
            assert!(has.is_none_or(|has| has == host.0), "another host has the address {ip}");
        }
        self.all[host.0].ips = ips;
    }

    pub(crate) fn find(&self, name: &str) -> Option<HostId> {
        self.all.iter().position(|host| host.name == name).map(HostId)
    }

    pub(crate) fn name(&self, id: HostId) -> &str {
        &self.all[id.0].name
    }

    pub(crate) fn ips(&self, id: HostId) -> &[IpAddr] {
        &self.all[id.0].ips
    }

    /// Returns the address from which a host connects to another address; `None` if it has no
    /// address of that family.
    pub(super) fn source(&self, from: HostId, to: IpAddr) -> Option<IpAddr> {
        if to.is_loopback() || self.ips(from).contains(&to) {
            return Some(to);
        }
        self.ips(from).iter().find(|ip| ip.is_ipv4() == to.is_ipv4()).copied()
    }

    /// Returns the host that has this address, as seen from `from`.
    pub(super) fn of_ip(&self, from: HostId, ip: IpAddr) -> Option<HostId> {
        if ip.is_loopback() {
            return Some(from);
        }
        self.all.iter().position(|host| host.ips.contains(&ip)).map(HostId)
    }

    /// Returns whether everything that is sent to this address is lost.
    pub(super) fn is_dark(&self, addr: SocketAddr) -> bool {
        self.dark.contains(&addr.ip())
    }

    pub(crate) fn darken(&mut self, ip: IpAddr) {
        self.dark.insert(ip);
    }

    /// Returns a port for a connection, or for a listener that asks for any port.
    pub(crate) fn next_port(&mut self, host: HostId) -> u16 {
        let next = &mut self.all[host.0].next_port;
        let port = *next;
        *next = next.checked_add(1).unwrap_or(FIRST_PORT);
        port
    }

    pub(crate) fn set_off(&mut self, host: HostId, is_off: bool) {
        self.all[host.0].is_off = is_off;
    }

    pub(crate) fn is_off(&self, host: HostId) -> bool {
        self.all[host.0].is_off
    }

    pub(crate) fn set_full(&mut self, host: HostId, is_full: bool) {
        self.all[host.0].is_full = is_full;
    }

    pub(crate) fn is_full(&self, host: HostId) -> bool {
        self.all[host.0].is_full
    }

    /// Cuts the path from one host to another.
    pub(crate) fn cut(&mut self, from: HostId, to: HostId) {
        if from != to {
            self.cut.insert((from, to));
        }
    }

    pub(crate) fn mend(&mut self, from: HostId, to: HostId) {
        self.cut.remove(&(from, to));
    }

    pub(crate) fn mend_all(&mut self) {
        self.cut.clear();
        self.dark.clear();
        self.all.iter_mut().for_each(|host| host.is_full = false);
    }

    pub(crate) fn is_cut(&self, from: HostId, to: HostId) -> bool {
        self.cut.contains(&(from, to))
    }
}

/// Returns the address of a host for which no addresses were set.
fn first_ip(id: HostId) -> IpAddr {
    let n = u32::try_from(id.0 + 1).expect("fewer than 2^24 hosts");
    let [_, a, b, c] = n.to_be_bytes();
    Ipv4Addr::new(10, a, b, c).into()
}
