//! When a connection has more output than is good, and who waits until there is less.
//!
//! Above the high mark it is congested, until what waits has sunk to the low one. Whoever
//! sends meanwhile is told so, and may ask to be told when it is over. All who wait are told
//! at once: each of them was held up with one turn's output at most, and whoever sends next
//! finds it congested again.
//!
//! It knows neither channels nor locks: whoever has one asks, with the bytes that wait.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use fika_runtime::Pid;

/// Senders are held up above this: about 8 ms of a link of 1 Gbit/s.
pub(super) const OUTPUT_HIGH_BYTES: usize = 1 << 20;

/// They go on below this: half of it keeps the link busy while they get going.
pub(super) const OUTPUT_LOW_BYTES: usize = OUTPUT_HIGH_BYTES / 2;

/// What can be set: from one piece of a large message to what a node may spend on one peer
/// that does not read.
pub(super) const OUTPUT_BYTES: RangeInclusive<usize> = 64 << 10..=1 << 30;

#[derive(Debug)]
pub(super) struct Congestion {
    high_bytes: usize,
    low_bytes: usize,
    congested: bool,
    waiting: BTreeSet<Pid>,
}

impl Congestion {
    pub(super) fn new(high_bytes: usize, low_bytes: usize) -> Congestion {
        Congestion { high_bytes, low_bytes, congested: false, waiting: BTreeSet::new() }
    }

    /// After something was put into the output, or before it is.
    pub(super) fn is_congested(&mut self, output_bytes: usize) -> bool {
        self.congested |= output_bytes > self.high_bytes;
        self.congested
    }

    /// Whether more may be put into the output before it is too much.
    pub(super) fn has_room(&self, output_bytes: usize) -> bool {
        output_bytes <= self.high_bytes
    }

    /// A process waits; false if it need not.
    pub(super) fn wait(&mut self, pid: Pid) -> bool {
        if self.congested {
            self.waiting.insert(pid);
        }
        self.congested
    }

    /// After some of the output has been written: who goes on.
    #[must_use]
    pub(super) fn written(&mut self, output_bytes: usize) -> BTreeSet<Pid> {
        if self.congested && output_bytes <= self.low_bytes {
            return self.end();
        }
        BTreeSet::new()
    }

    /// The connection is no more: all go on.
    #[must_use]
    pub(super) fn end(&mut self) -> BTreeSet<Pid> {
        self.congested = false;
        std::mem::take(&mut self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use fika_runtime::{LocalId, NodeId};

    use super::*;

    fn pid(slot: u32) -> Pid {
        let node = NodeId::of(&"a@h".parse().unwrap(), fika_runtime::Creation(1));
        Pid::new(node, LocalId { slot, generation: 0 })
    }

    #[test]
    fn between_the_marks_it_stays_as_it_is() {
        let mut of = Congestion::new(100, 50);
        let steps = [(50, false), (100, false), (101, true), (100, true), (51, true), (50, false)];
        for (bytes, congested) in steps {
            assert!(of.written(bytes).is_empty(), "nobody waits");
            assert_eq!(of.is_congested(bytes), congested, "{bytes}");
        }
    }

    #[test]
    fn who_waits_goes_on_once() {
        let mut of = Congestion::new(100, 50);
        assert!(!of.wait(pid(1)), "there is room");
        assert!(of.is_congested(200));
        for slot in [2, 3, 2] {
            assert!(of.wait(pid(slot)));
        }
        assert!(of.written(51).is_empty());
        assert_eq!(of.written(50), BTreeSet::from([pid(2), pid(3)]));
        assert!(!of.wait(pid(4)));
        assert!(of.is_congested(101) && of.wait(pid(4)));
        assert_eq!(of.end(), BTreeSet::from([pid(4)]));
        assert!(!of.wait(pid(5)), "nobody waits for one that is no more");
    }
}
