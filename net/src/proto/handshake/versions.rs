//! The version of the protocol that two nodes speak: the highest that both know.

use crate::proto::error::PeerIncompatible;

/// The versions that a node speaks, including both ends of the range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Versions {
    pub(super) lowest: u16,
    pub(super) highest: u16,
}

impl Versions {
    /// The versions that this program speaks. A new version is needed if the frames after the
    /// handshake change in a way that flags can't express. The handshake's own frames keep their
    /// layout in all versions.
    pub(super) const OURS: Versions = Versions { lowest: 1, highest: 1 };

    pub(super) fn contains(self, version: u16) -> bool {
        (self.lowest..=self.highest).contains(&version)
    }

    /// Returns the highest version in both ranges.
    pub(super) fn agree(self, peer: Versions) -> Result<u16, PeerIncompatible> {
        let version = self.highest.min(peer.highest);
        if self.contains(version) && peer.contains(version) {
            return Ok(version);
        }
        Err(PeerIncompatible::NoCommonVersion {
            lowest: peer.lowest,
            highest: peer.highest,
            our_lowest: self.lowest,
            our_highest: self.highest,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_common_version_wins() {
        let cases = [
            ((1, 1), (1, 1), Some(1)),
            ((1, 3), (2, 5), Some(3)),
            ((2, 5), (1, 3), Some(3)),
            ((1, 9), (4, 4), Some(4)),
            ((1, 2), (3, 4), None),
            ((3, 4), (1, 2), None),
            ((1, 1), (2, 1), None),
        ];
        for (ours, theirs, version) in cases {
            let range = |(lowest, highest)| Versions { lowest, highest };
            assert_eq!(range(ours).agree(range(theirs)).ok(), version, "{ours:?} {theirs:?}");
        }
    }
}
