//! The mark that our nodes add to their registrations, in the field `extra`, which a mapper stores
//! and returns as it is.
//!
//! | bytes | |
//! |---|---|
//! | 4 | `fika` |
//! | 8 | a random number, by which a node recognizes its own registration |
//! | 4 or 16 | the address on which the node listens |
//!
//! A node registers at several addresses of its host, and the same mapper may answer at some of
//! them. A node whose name is taken recognizes from the mark that it has taken the name itself. A
//! mapper also knows nodes of its host that listen at other addresses. From the mark, nodes of the
//! same host learn where to connect.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::info::NodeInfo;

const TAG: &[u8; 4] = b"fika";

/// The mark of a registration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Mark {
    /// A random number, by which a node recognizes its own registration. It does not prove an
    /// identity.
    pub(crate) id: u64,
    /// The address on which the node listens. It may be unspecified.
    pub(crate) listens: IpAddr,
}

impl NodeInfo {
    /// Returns the registration with a mark.
    pub(crate) fn with_mark(self, mark: Mark) -> NodeInfo {
        let ip = match mark.listens {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        NodeInfo { extra: [&TAG[..], &mark.id.to_be_bytes(), &ip].concat().into(), ..self }
    }

    /// Returns the mark. `None` if there is none, as for an Erlang node.
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
    fn marks_round_trip() {
        let info = NodeInfo::new("a", 7, PublishedType::NORMAL).unwrap();
        assert_eq!(info.mark(), None);
        for ip in ["127.0.0.1", "0.0.0.0", "::", "fd00::1"] {
            let mark = Mark { id: u64::MAX - 7, listens: ip.parse().unwrap() };
            let marked = info.clone().with_mark(mark);
            assert_eq!(marked.mark(), Some(mark));
            // Other programs may use the field for bytes of any length.
            for length in 0..marked.extra.len() {
                let cut = NodeInfo { extra: marked.extra[..length].into(), ..info.clone() };
                assert!(cut.mark().is_none_or(|cut| cut != mark), "{length}");
            }
            let longer = [&marked.extra[..], &[0]].concat();
            assert_eq!(NodeInfo { extra: longer.into(), ..info.clone() }.mark(), None);
        }
    }
}
