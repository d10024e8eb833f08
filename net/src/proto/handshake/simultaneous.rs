//! Which of two connections survives when two nodes connect to each other at once.

use fika_runtime::NodeName;

/// What a node does with a peer's attempt while its own attempt to that peer is pending.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Ours survives: refuse the peer's, which then waits for ours, when it has proved itself.
    KeepOurs,
    /// The peer's survives: give up ours, and go on with the peer's.
    TakeTheirs,
}

/// Decides between our pending attempt to `peer` and the attempt that just came from it:
/// the connection that the node with the greater name opened survives (HS-5).
///
/// This is the one place that decides. Both nodes ask it, each for the attempt that it
/// received, and since a name is greater on both sides or on none they agree, whatever
/// the order in which the attempts arrive. Names are compared byte by byte.
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
