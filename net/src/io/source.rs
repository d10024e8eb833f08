//! The address by which connections are counted for limits per address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Returns the address that stands for the source of a connection. An IPv4 address stands for
/// itself. An IPv6 address is represented by the first address of its /64 network, since a host
/// commonly has all of that network. Any loopback address is represented by 127.0.0.1, since a
/// program may choose among them.
pub(crate) fn source_of(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        ip if ip.is_loopback() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
        ip => ip,
    }
}
