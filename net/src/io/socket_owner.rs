//! Finds the user who owns the other end of a TCP connection within this host, from the table in
//! `/proc/net` of Linux. On other systems the user is not known.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Returns whether the socket at `peer`, which is connected to `here`, is on this host and belongs
/// to the user of this program or to root.
///
/// This reads the table up to that socket, so it takes longer the more connections the host has.
pub(super) fn is_this_user(peer: SocketAddr, here: SocketAddr) -> bool {
    let us = rustix::process::geteuid().as_raw();
    let owner = ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .find_map(|table| owner_in_table(BufReader::new(File::open(table).ok()?), peer, here));
    owner.is_some_and(|owner| owner == us || owner == 0)
}

/// Returns the owner of the socket at `local` that is connected to `remote`. Only one line of the
/// table is in memory at a time.
fn owner_in_table(mut table: impl BufRead, local: SocketAddr, remote: SocketAddr) -> Option<u32> {
    let mut line = String::new();
    while table.read_line(&mut line).ok()? > 0 {
        if let Some(owner) = owner_in(&line, local, remote) {
            return Some(owner);
        }
        line.clear();
    }
    None
}

/// Returns the owner of the socket at `local` that is connected to `remote`, if this line of the
/// table is about it.
fn owner_in(line: &str, local: SocketAddr, remote: SocketAddr) -> Option<u32> {
    let mut fields = line.split_ascii_whitespace();
    let at = |text: &str, addr: SocketAddr| {
        socket_addr(text).is_some_and(|found| {
            (found.ip().to_canonical(), found.port()) == (addr.ip().to_canonical(), addr.port())
        })
    };
    let found = at(fields.nth(1)?, local) && at(fields.next()?, remote);
    // After the addresses come state, queues, timer, retransmits, and then the user.
    if found { fields.nth(4)?.parse().ok() } else { None }
}

/// Parses an address of the table: 32-bit words in the machine's byte order, and a port.
fn socket_addr(text: &str) -> Option<SocketAddr> {
    let (words, port) = text.split_once(':')?;
    let word = |at: usize| {
        let digits = words.get(at * 8..at * 8 + 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    let ip: IpAddr = match words.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            Ipv6Addr::from(bytes).into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn the_owner_is_read_from_a_line_of_the_table() {
        let line = "  1: 0100007F:9C40 0201007F:1111 01 00000000:00000000 00:00000000 00000000 \
                    1000        0 4711 1";
        let addr = |text: &str| text.parse::<SocketAddr>().unwrap();
        let (local, remote) = (addr("127.0.0.1:40000"), addr("127.0.1.2:4369"));
        assert_eq!(owner_in(line, local, remote), Some(1000));
        assert_eq!(owner_in(line, remote, local), None);
        assert_eq!(owner_in(line, addr("127.0.0.1:40001"), remote), None);
        let mapped = "0: 0000000000000000FFFF00000100007F:9C40 0000000000000000FFFF00000201007F:1111 \
                      01 0:0 00:0 0 7 0 4711";
        assert_eq!(owner_in(mapped, local, remote), Some(7));
        for broken in ["", "  sl  local_address rem_address", "1: 01:2 3", "1: 0100007F:9C40"] {
            assert_eq!(owner_in(broken, local, remote), None, "{broken}");
        }
    }

    /// The socket is the last one in a table of 15 MB.
    #[test]
    #[cfg(target_endian = "little")]
    fn a_connection_at_the_end_of_a_large_table() {
        use std::io::Read;
        let rest =
            "01 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0000000000000000";
        let other =
            format!("   1: 0100007F:9C41 0201007F:1111 {rest} 20 4 30 10 -1                 \n");
        let ours = format!("   1: 0100007F:9C40 0201007F:1111 {rest}\n");
        let others = other.repeat(1000);
        let mut table: Box<dyn Read> = Box::new(ours.as_bytes());
        for _ in 0..100 {
            table = Box::new(others.as_bytes().chain(table));
        }
        let (local, remote) =
            ("127.0.0.1:40000".parse().unwrap(), "127.0.1.2:4369".parse().unwrap());
        assert_eq!(owner_in_table(BufReader::new(table), local, remote), Some(1000));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_connection_of_this_user() {
        for ip in ["127.0.0.1", "[::1]"] {
            let listener = TcpListener::bind(format!("{ip}:0")).unwrap();
            let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (peer, here) = (peer.local_addr().unwrap(), listener.local_addr().unwrap());
            assert!(is_this_user(peer, here));
            assert!(!is_this_user(here, "192.0.2.1:1".parse().unwrap()));
        }
    }
}
