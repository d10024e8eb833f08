//! What our nodes add to their registrations, in the field `extra`, which a mapper stores and
//! tells without looking at it.
//!
//! | bytes | |
//! |---|---|
//! | 4 | `fika` |
//! | 8 | a number of the node's own: by it a node recognises its own registration |
//! | 4 or 16 | the address on which the node listens |
//!
//! A node registers at several addresses of its host, at some of which the same mapper may answer:
//! then the name is taken, by the node itself. And a mapper tells of all nodes of its host,
//! wherever they listen: nodes of the same host learn from the mark where to connect.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::info::NodeInfo;

const TAG: &[u8; 4] = b"fika";

/// What a node adds to its registration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Mark {
    /// A random number, by which a node recognises its own registration. It proves nothing.
    pub(crate) id: u64,
    /// The address on which the node listens, which may be an unspecified one.
    pub(crate) listens: IpAddr,
}

impl NodeInfo {
    /// Adds a mark.
    pub(crate) fn with_mark(self, mark: Mark) -> NodeInfo {
        let ip = match mark.listens {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        NodeInfo { extra: [&TAG[..], &mark.id.to_be_bytes(), &ip].concat().into(), ..self }
    }

    /// Returns the mark; `None` if there is none, as with an Erlang node.
    pub(crate) fn mark(&self) -> Option<Mark> {
        let (id, ip) = self.extra.strip_prefix(TAG)?.split_first_chunk::<8>()?;
        let four = <[u8; 4]>::try_from(ip).map(|ip| IpAddr::from(Ipv4Addr::from(ip)));
        let six = || <[u8; 16]>::try_from(ip).map(|ip| IpAddr::from(Ipv6Addr::from(ip)));
        Some(Mark { id: u64::from_be_bytes(*id), listens: four.or_else(|_| six()).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::epmd::PublishedType;

    #[test]
    fn marks() {
        let info = NodeInfo::new("a", 7, PublishedType::NORMAL).unwrap();
        assert_eq!(info.mark(), None);
        for ip in ["127.0.0.1", "0.0.0.0", "::", "fd00::1"] {
            let mark = Mark { id: u64::MAX - 7, listens: ip.parse().unwrap() };
            let marked = info.clone().with_mark(mark);
            assert_eq!(marked.mark(), Some(mark));
            // Another's bytes, of any length.
            for length in 0..marked.extra.len() {
                let cut = NodeInfo { extra: marked.extra[..length].into(), ..info.clone() };
                assert!(cut.mark().is_none_or(|cut| cut != mark), "{length}");
            }
            let longer = [&marked.extra[..], &[0]].concat();
            assert_eq!(NodeInfo { extra: longer.into(), ..info.clone() }.mark(), None);
        }
    }
}
