//! Which addresses count as one when something is limited per address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Returns the address that stands for the source of a connection: the address itself; the first
/// one of its /64 network for IPv6, as a host commonly has all of that; 127.0.0.1 for any loopback
/// address, since a program may choose among these.
pub(crate) fn source_of(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        ip if ip.is_loopback() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
        ip => ip,
    }
}
