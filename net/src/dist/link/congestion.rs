//! Decides when a connection is congested, and keeps the processes that wait until it is not.
//!
//! A connection becomes congested when its waiting bytes rise above the high mark, and stays
//! congested until they have fallen to the low mark. A process that sends in this time learns that
//! the connection is congested, and may ask for a signal when the congestion ends. All waiting
//! processes get the signal at the same time. Each of them was suspended with at most one turn's
//! output, and the connection may become congested again when they send.
//!
//! Small messages go out between the pieces of large ones. So a process that sends only small
//! messages is not suspended by the large messages of other processes. For this process, only the
//! output that goes out ahead of large messages counts.
//!
//! This module has no channels or locks: a channel passes the numbers of waiting bytes.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use fika_runtime::Pid;

/// The default high mark. Senders are suspended above this: about 8 ms on a link of 1 Gbit/s.
pub(crate) const OUTPUT_HIGH_BYTES: usize = 1 << 20;

/// The default low mark. Suspended senders continue at this mark: half of the high mark keeps the
/// link busy until they send again.
pub(crate) const OUTPUT_LOW_BYTES: usize = OUTPUT_HIGH_BYTES / 2;

/// The valid high marks: from one piece of a large message to the memory that a node may spend on
/// one peer that does not read.
pub(crate) const OUTPUT_BYTES: RangeInclusive<usize> = 64 << 10..=1 << 30;

/// The part of the output that a sender waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// The output that goes out ahead of large messages. Counts for a process that has no large
    /// messages in the output.
    Small,
    /// All output. Counts for a process that has large messages in it.
    Large,
}

#[derive(Debug)]
pub(crate) struct Congestion {
    small: Mark,
    all: Mark,
}

impl Congestion {
    pub(crate) fn new(high_bytes: usize, low_bytes: usize) -> Congestion {
        let mark = || Mark { high_bytes, low_bytes, reached: false, waiting: BTreeSet::new() };
        Congestion { small: mark(), all: mark() }
    }

    fn of(&mut self, way: Way) -> &mut Mark {
        match way {
            Way::Small => &mut self.small,
            Way::Large => &mut self.all,
        }
    }

    /// Returns whether a way is congested with this much output.
    pub(crate) fn is_congested(&mut self, way: Way, output: OutputBytes) -> bool {
        self.small.rises(output.small);
        self.all.rises(output.all);
        self.of(way).reached
    }

    /// Returns whether more may be put into the output.
    pub(crate) fn has_room(&self, output: OutputBytes) -> bool {
        output.small <= self.small.high_bytes
    }

    /// Adds a process that waits. Returns false if the way is not congested, so the process need
    /// not wait.
    pub(crate) fn wait(&mut self, way: Way, pid: Pid) -> bool {
        let mark = self.of(way);
        if mark.reached {
            mark.waiting.insert(pid);
        }
        mark.reached
    }

    /// Returns the processes that may continue after some of the output was written.
    #[must_use]
    pub(crate) fn written(&mut self, output: OutputBytes) -> BTreeSet<Pid> {
        let mut on = self.small.sinks(output.small);
        on.append(&mut self.all.sinks(output.all));
        on
    }

    /// Returns all processes that wait. Called when the connection has ended.
    #[must_use]
    pub(crate) fn end(&mut self) -> BTreeSet<Pid> {
        self.written(OutputBytes::default())
    }
}

/// The number of bytes that wait to be written.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct OutputBytes {
    /// The number of waiting bytes, without large messages and the signals that wait behind them.
    pub(crate) small: usize,
    pub(crate) all: usize,
}

/// Whether the high mark was reached, and the processes that wait for the low one.
#[derive(Debug)]
struct Mark {
    high_bytes: usize,
    low_bytes: usize,
    reached: bool,
    waiting: BTreeSet<Pid>,
}

impl Mark {
    fn rises(&mut self, bytes: usize) {
        self.reached |= bytes > self.high_bytes;
    }

    fn sinks(&mut self, bytes: usize) -> BTreeSet<Pid> {
        if !self.reached || bytes > self.low_bytes {
            return BTreeSet::new();
        }
        self.reached = false;
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

    fn small(bytes: usize) -> OutputBytes {
        OutputBytes { small: bytes, all: bytes }
    }

    fn large(bytes: usize) -> OutputBytes {
        OutputBytes { small: 0, all: bytes }
    }

    #[test]
    fn between_the_marks_the_state_is_kept() {
        let steps = [(50, false), (100, false), (101, true), (100, true), (51, true), (50, false)];
        for (way, bytes_of) in [(Way::Small, small as fn(_) -> _), (Way::Large, large)] {
            let mut of = Congestion::new(100, 50);
            for (bytes, congested) in steps {
                assert!(of.written(bytes_of(bytes)).is_empty(), "nobody waits");
                assert_eq!(of.is_congested(way, bytes_of(bytes)), congested, "{bytes}");
            }
        }
    }

    #[test]
    fn a_waiting_process_resumes_once() {
        let mut of = Congestion::new(100, 50);
        assert!(!of.wait(Way::Small, pid(1)), "there is room");
        assert!(of.is_congested(Way::Small, small(200)));
        for slot in [2, 3, 2] {
            assert!(of.wait(Way::Small, pid(slot)));
        }
        assert!(of.written(small(51)).is_empty());
        assert_eq!(of.written(small(50)), BTreeSet::from([pid(2), pid(3)]));
        assert!(!of.wait(Way::Small, pid(4)));
        assert!(of.is_congested(Way::Small, small(101)) && of.wait(Way::Small, pid(4)));
        assert_eq!(of.end(), BTreeSet::from([pid(4)]));
        assert!(!of.wait(Way::Small, pid(5)), "the connection has ended");
    }

    #[test]
    fn large_messages_suspend_only_their_senders() {
        let mut of = Congestion::new(100, 50);
        assert!(!of.is_congested(Way::Small, large(200)) && !of.wait(Way::Small, pid(1)));
        assert!(of.is_congested(Way::Large, large(200)) && of.wait(Way::Large, pid(2)));
        assert!(of.is_congested(Way::Small, small(200)) && of.wait(Way::Small, pid(3)));
        assert_eq!(of.written(large(200)), BTreeSet::from([pid(3)]));
        assert!(of.written(large(51)).is_empty());
        assert_eq!(of.written(large(50)), BTreeSet::from([pid(2)]));
    }
}
