//! Decides which of two connections survives when two nodes connect to each other at the same time.

use fika_runtime::NodeName;

/// The decision of a node about a peer's attempt while its own attempt to that peer is pending.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Ours survives: when the peer has proved itself, refuse its attempt. The peer then waits for
    /// ours.
    KeepOurs,
    /// The peer's survives: give up ours, and continue with the peer's.
    TakeTheirs,
}

/// Decides between our pending attempt to `peer` and the attempt that just came from `peer`: the
/// connection opened by the node with the greater name survives (HS-5).
///
/// No other place decides this. Both nodes call it, each for the attempt that it received. Both
/// know which name is greater, so they agree, in whatever order the attempts arrive. Names are
/// compared byte by byte.
pub(crate) fn simultaneous(own: &NodeName, peer: &NodeName) -> Verdict {
    if own > peer { Verdict::KeepOurs } else { Verdict::TakeTheirs }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_agree() {
        for (less, greater) in [("a@h", "b@h"), ("a@h", "a@i"), ("a@h", "ö@h"), ("A@h", "a@h")] {
            let (less, greater) = (less.parse().unwrap(), greater.parse().unwrap());
            assert_eq!(simultaneous(&less, &greater), Verdict::TakeTheirs);
            assert_eq!(simultaneous(&greater, &less), Verdict::KeepOurs);
        }
    }
}
