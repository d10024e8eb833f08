//! The features of a node, as a set of bits that the handshake exchanges.
//!
//! Unknown bits are ignored. Both nodes must set the bits in [`Flags::MANDATORY`] (HS-10).

use std::fmt;
use std::ops::BitOr;

/// A set of flags.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Flags(u64);

impl Flags {
    pub(crate) const NONE: Flags = Flags(0);

    /// The node takes no part in the mesh or the global name space. Unlike the other flags, it
    /// applies to a connection if either side sets it.
    pub(crate) const HIDDEN: Flags = Flags(1 << 0);

    /// The node accepts spawn requests.
    pub(crate) const SPAWN: Flags = Flags(1 << 1);

    /// The node supports priority messages (SIG-14).
    pub(crate) const PRIORITY: Flags = Flags(1 << 2);

    /// The node has no name, and asks the responder for one. The name in its hello only contains
    /// its host.
    pub(crate) const NAME_ME: Flags = Flags(1 << 3);

    /// The features that every node of this version has and relies on.
    pub(crate) const MANDATORY: Flags = Flags::SPAWN;

    const NAMES: [(Flags, &str); 4] = [
        (Flags::HIDDEN, "hidden"),
        (Flags::SPAWN, "spawn"),
        (Flags::PRIORITY, "priority"),
        (Flags::NAME_ME, "name_me"),
    ];

    pub(crate) fn from_bits(bits: u64) -> Flags {
        Flags(bits)
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    pub(crate) fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns the flags of a connection between nodes with the flags `self` and `peer` (HS-11).
    pub(crate) fn agree(self, peer: Flags) -> Flags {
        let hidden = (self.0 | peer.0) & Flags::HIDDEN.0;
        Flags(self.0 & peer.0 | hidden)
    }

    /// Returns the flags in `wanted` that are not in `self`, if any.
    pub(crate) fn lacks(self, wanted: Flags) -> Option<Flags> {
        let missing = wanted.0 & !self.0;
        (missing != 0).then_some(Flags(missing))
    }
}

impl BitOr for Flags {
    type Output = Flags;

    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        let mut separator = "";
        for (flag, name) in Flags::NAMES {
            if self.contains(flag) {
                write!(f, "{separator}{name}")?;
                separator = "+";
                rest &= !flag.0;
            }
        }
        if rest != 0 || separator.is_empty() { write!(f, "{separator}{rest:#x}") } else { Ok(()) }
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// HS-10, HS-11: unknown bits are dropped. A connection is hidden if either side is.
    #[test]
    fn flags_are_agreed_on() {
        let unknown = Flags::from_bits(1 << 63);
        let cases = [
            (Flags::SPAWN, Flags::SPAWN, Flags::SPAWN),
            (Flags::SPAWN, Flags::SPAWN | unknown, Flags::SPAWN),
            (Flags::SPAWN | Flags::HIDDEN, Flags::SPAWN, Flags::SPAWN | Flags::HIDDEN),
            (Flags::SPAWN, Flags::HIDDEN, Flags::HIDDEN),
            (Flags::HIDDEN, Flags::HIDDEN, Flags::HIDDEN),
            (Flags::SPAWN, Flags::NONE, Flags::NONE),
        ];
        for (ours, theirs, agreed) in cases {
            assert_eq!((ours.agree(theirs), theirs.agree(ours)), (agreed, agreed));
        }
        assert_eq!(Flags::HIDDEN.lacks(Flags::MANDATORY), Some(Flags::SPAWN));
        assert_eq!(Flags::SPAWN.lacks(Flags::MANDATORY), None);
        assert_eq!(Flags::SPAWN | Flags::SPAWN, Flags::SPAWN);
    }

    #[test]
    fn flags_are_printed_by_name() {
        let all = Flags::HIDDEN | Flags::SPAWN | Flags::from_bits(1 << 63);
        assert_eq!(all.to_string(), "hidden+spawn+0x8000000000000000");
        assert_eq!(format!("{all:?}"), all.to_string());
        assert_eq!(Flags::NONE.to_string(), "0x0");
    }
}
