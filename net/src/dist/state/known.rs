//! The nodes that this node has heard of, and a limit on how many more its peers may add.
//!
//! The id and the name of a node are never freed: a pid is a plain value, so the runtime can't know
//! whether a pid with the id still exists. A peer can name any number of nodes. It can also connect
//! again and again, each time under another name. So each new life of a node is charged to the
//! address from which this node heard of it, at the price of its memory. A life that is known
//! already costs nothing. The charge is not refunded when the connection ends.
//!
//! Each source has two purses, so that a peer that names many nodes does not keep the other nodes
//! of its host from connecting. The purses refill slowly. This is enough for a cluster whose nodes
//! restart all the time to run for years. A source is defined as for the [limits of
//! connections](crate::dist::setup).
//!
//! The charge includes everything else that a peer can make permanent: an entry in the list of
//! [`nodes_of`](crate::nodes_of), and an entry in the list of nodes that are not connected again.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use fika_runtime::{Creation, NodeId, NodeName, Time};
use parking_lot::Mutex;

use crate::io::source_of;

/// The maximum memory of one life of a node in all tables, in bytes, without its name.
const LIFE_BYTES: u64 = 256;

/// The purse for nodes that connect from one source: a burst of some thousand starts, and about one
/// a second.
const PEERS: Income = Income { at_once: 1 << 20, per_second: 256 };

/// The purse for nodes that peers at one source name: a burst of some 60,000, and 10,000 a day.
const MENTIONED: Income = Income { at_once: 16 << 20, per_second: 32 };

/// Above this number of sources, sources with full purses are forgotten. The other sources have
/// paid for more memory than their purses take.
const SOURCES_KEPT: usize = 256;

/// The capacity of a purse in bytes, and its refill rate.
struct Income {
    at_once: u64,
    per_second: u64,
}

/// The way in which this node has heard of a life of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Heard {
    /// The node has proved itself.
    Itself,
    /// A peer has named it.
    Mentioned,
}

#[derive(Default)]
pub(crate) struct Known(Mutex<State>);

#[derive(Default)]
struct State {
    names: BTreeSet<NodeName>,
    /// The lives that were paid for. Other lives may have ids, too, since other nodes of this
    /// program have their own peers.
    lives: HashSet<NodeId>,
    sources: BTreeMap<IpAddr, Source>,
}

struct Source {
    peers: Purse,
    mentioned: Purse,
}

struct Purse {
    bytes: u64,
    /// The time up to which the income of the purse is counted.
    at: Time,
}

impl Purse {
    fn new(income: &Income, now: Time) -> Purse {
        Purse { bytes: income.at_once, at: now }
    }

    fn fill(&mut self, income: &Income, now: Time) {
        let seconds = now.since(self.at).as_secs();
        self.at = self.at + Duration::from_secs(seconds);
        let due = seconds.saturating_mul(income.per_second);
        self.bytes = self.bytes.saturating_add(due).min(income.at_once);
    }

    fn pay(&mut self, bytes: u64) -> bool {
        let left = self.bytes.checked_sub(bytes);
        self.bytes = left.unwrap_or(self.bytes);
        left.is_some()
    }
}

impl Source {
    fn fill(&mut self, now: Time) {
        self.peers.fill(&PEERS, now);
        self.mentioned.fill(&MENTIONED, now);
    }

    fn is_full(&self) -> bool {
        self.peers.bytes == PEERS.at_once && self.mentioned.bytes == MENTIONED.at_once
    }
}

impl State {
    fn source(&mut self, from: IpAddr, now: Time) -> &mut Source {
        let from = source_of(from);
        if self.sources.len() >= SOURCES_KEPT && !self.sources.contains_key(&from) {
            self.sources.retain(|_, source| {
                source.fill(now);
                !source.is_full()
            });
        }
        let source = self.sources.entry(from).or_insert_with(|| Source {
            peers: Purse::new(&PEERS, now),
            mentioned: Purse::new(&MENTIONED, now),
        });
        source.fill(now);
        source
    }
}

impl Known {
    /// Returns the id of a life of a node. `None` if it is new, and too many were heard of from
    /// this address.
    pub(crate) fn meet(
        &self,
        (name, creation): (&NodeName, Creation),
        heard: Heard,
        from: IpAddr,
        now: Time,
    ) -> Option<NodeId> {
        let mut state = self.0.lock();
        let known = NodeId::find(name, creation).filter(|life| state.lives.contains(life));
        if known.is_some() {
            return known;
        }
        let source = state.source(from, now);
        let purse = match heard {
            Heard::Itself => &mut source.peers,
            Heard::Mentioned => &mut source.mentioned,
        };
        if !purse.pay(LIFE_BYTES + name.as_str().len() as u64) {
            return None;
        }
        let life = NodeId::of(name, creation);
        state.lives.insert(life);
        // Stores the name of the id, which is in memory already.
        state.names.insert(life.name());
        Some(life)
    }

    /// Returns the names of all nodes that this node has heard of.
    pub(crate) fn names(&self) -> BTreeSet<NodeName> {
        self.0.lock().names.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::new(Duration::from_secs(seconds))
    }

    fn ip(n: u32) -> IpAddr {
        IpAddr::from((0x0a00_0000 + n).to_be_bytes())
    }

    /// Returns how many of `lives` new lives are accepted. The names have 15 bytes, and no other
    /// test uses them.
    fn met(known: &Known, of: &str, heard: Heard, from: IpAddr, now: Time, lives: u32) -> usize {
        let name: NodeName = format!("{of:0>9}@known").parse().unwrap();
        let met = |life: &u32| known.meet((&name, Creation(*life)), heard, from, now).is_some();
        (0..lives).filter(met).count()
    }

    const EACH: u64 = LIFE_BYTES + 15;

    /// Checks each purse at its limit and one above it, after some time, and for several sources.
    #[test]
    fn new_lives_are_charged_once() {
        let known = Known::default();
        let all = usize::try_from(MENTIONED.at_once / EACH).unwrap();
        let many = 100_000;
        assert_eq!(met(&known, "a", Heard::Mentioned, ip(1), at(0), many), all);
        assert_eq!(met(&known, "a", Heard::Mentioned, ip(1), at(0), many), all, "these are known");
        assert_eq!(met(&known, "b", Heard::Mentioned, ip(1), at(0), 10), 0);
        assert_eq!(met(&known, "b", Heard::Mentioned, ip(2), at(0), 10), 10);
        assert_eq!(met(&known, "b", Heard::Mentioned, ip(1), at(0), 10), 10, "no new lives");
        let own = usize::try_from(PEERS.at_once / EACH).unwrap();
        assert_eq!(met(&known, "c", Heard::Itself, ip(1), at(0), many), own);
        assert_eq!(met(&known, "d", Heard::Itself, ip(1), at(0), 10), 0);
        // In an hour.
        let due = |income: &Income| usize::try_from(3600 * income.per_second / EACH).unwrap();
        let left = |known: &Known, of, heard| met(known, of, heard, ip(1), at(3600), many);
        let mentioned = left(&known, "e", Heard::Mentioned);
        assert!(mentioned.abs_diff(due(&MENTIONED)) <= 1, "{mentioned}");
        let own = left(&known, "f", Heard::Itself);
        assert!(own.abs_diff(due(&PEERS)) <= 1, "{own}");
        assert_eq!(known.names().len(), 6 - 1, "`d` was never known");
    }

    /// Each node pays for itself, even if another node of this program knows the lives already.
    #[test]
    fn each_node_has_its_own_purses() {
        let (one, other) = (Known::default(), Known::default());
        assert_eq!(met(&one, "g", Heard::Mentioned, ip(1), at(0), 100), 100);
        let before = other.0.lock().source(ip(1), at(0)).mentioned.bytes;
        assert_eq!(met(&other, "g", Heard::Mentioned, ip(1), at(0), 100), 100);
        let after = other.0.lock().source(ip(1), at(0)).mentioned.bytes;
        assert_eq!(before - after, 100 * EACH);
    }

    #[test]
    fn sources_with_full_purses_are_forgotten() {
        let known = Known::default();
        let name: NodeName = "h@known".parse().unwrap();
        for n in 0..2000 {
            // One minute of income pays for the life that each source adds.
            let now = at(60 * u64::from(n));
            assert!(known.meet((&name, Creation(n)), Heard::Itself, ip(n), now).is_some());
            assert!(known.0.lock().sources.len() <= SOURCES_KEPT);
        }
    }
}
