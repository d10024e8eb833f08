//! Nodes that peers know and this node is not connected to yet.
//!
//! Each visible node connects to all nodes that its peers know (DIST-11). No process waits for
//! these connections, so they are made slowly: at most [`AT_A_TIME`] attempts run at the same time.
//! The order is random, so that not all nodes begin with the same one. A failed attempt is retried
//! after a growing pause, at most [`TRIES_MAX`] times in all. Nothing changes if a peer names a
//! node that is in the list already. So the load stays bounded when a large cluster heals, or
//! starts on a host that is too small for it.
//!
//! A node that a process sends to, or asks for, is connected at once and is not in this list. If an
//! attempt for this list is in flight, the process waits for that attempt.

use std::collections::BTreeMap;
use std::time::Duration;

use fika_runtime::{Env, NodeName, Time};

use crate::dist::discovery::Backoff;

/// The number of concurrent attempts. With several, a slow host does not hold up the others; many
/// would only compete, since all nodes of a cluster may be connecting at that moment.
const AT_A_TIME: usize = 8;

/// The maximum number of nodes in the list, since a faulty member could name millions. Further
/// nodes are ignored; they are connected when a process needs them.
const NODES_MAX: usize = 1024;

/// A node is removed from the list after this many failures, which take some minutes. It may still
/// connect to this node, and peers that connect later may name it again.
const TRIES_MAX: u32 = 10;

const BACKOFF: Backoff =
    Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(120) };

#[derive(Default)]
pub(crate) struct Candidates(BTreeMap<NodeName, Candidate>);

struct Candidate {
    /// The number of failed attempts.
    failures: u32,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// An attempt is in flight. It ends with `forget` or `failed`.
    UnderWay,
    /// The next attempt is made at this time or later.
    Due(Time),
}

impl Candidates {
    /// Adds a node that a peer knows, unless it is in the list already or the list is full.
    pub(crate) fn add(&mut self, node: NodeName, now: Time) {
        if !self.is_full() && !self.0.contains_key(&node) {
            self.0.insert(node, Candidate { failures: 0, stage: Stage::Due(now) });
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= NODES_MAX
    }

    /// Returns whether an attempt to connect to this node is in flight for this list.
    pub(crate) fn is_under_way(&self, node: &NodeName) -> bool {
        self.0.get(node).is_some_and(|it| it.stage == Stage::UnderWay)
    }

    /// Makes attempts due again if they ended without a call of `forget` or `failed`. These are the
    /// attempts to nodes for which `under_way` returns false.
    pub(crate) fn lost_sight(&mut self, now: Time, under_way: impl Fn(&NodeName) -> bool) {
        for (node, candidate) in &mut self.0 {
            if candidate.stage == Stage::UnderWay && !under_way(node) {
                candidate.stage = Stage::Due(now);
            }
        }
    }

    /// Removes a node that is connected, or to which no further attempt is wanted.
    pub(crate) fn forget(&mut self, node: &NodeName) {
        self.0.remove(node);
    }

    /// Notes that an attempt to connect has failed. Does nothing if the attempt was not made for
    /// this list.
    pub(crate) fn failed(&mut self, node: &NodeName, env: &dyn Env) {
        let Some(candidate) = self.0.get_mut(node) else { return };
        if candidate.stage != Stage::UnderWay {
            return;
        }
        candidate.failures += 1;
        if candidate.failures >= TRIES_MAX {
            self.0.remove(node);
            return;
        }
        candidate.stage = Stage::Due(env.now() + BACKOFF.pause(candidate.failures, env.random()));
    }

    /// Returns the next node to connect to, if one is due and another attempt is allowed. The
    /// caller makes the attempt.
    pub(crate) fn next(&mut self, env: &dyn Env) -> Option<NodeName> {
        if !self.may_try() {
            return None;
        }
        let now = env.now();
        let is_due = |it: &Candidate| matches!(it.stage, Stage::Due(at) if at <= now);
        let count = self.0.values().filter(|it| is_due(it)).count();
        let choice = (env.random() as usize).checked_rem(count)?;
        let (node, candidate) = self.0.iter_mut().filter(|(_, it)| is_due(it)).nth(choice)?;
        candidate.stage = Stage::UnderWay;
        Some(node.clone())
    }

    /// Returns when [`next`](Candidates::next) will return a node, if nothing else happens.
    pub(crate) fn next_due(&self) -> Option<Time> {
        let dues = self.0.values().filter_map(|it| match it.stage {
            Stage::Due(at) => Some(at),
            Stage::UnderWay => None,
        });
        dues.min().filter(|_| self.may_try())
    }

    fn may_try(&self) -> bool {
        self.0.values().filter(|it| it.stage == Stage::UnderWay).count() < AT_A_TIME
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::SystemTime;

    use super::*;

    /// An environment with a clock that the test sets, and a fixed sequence of random numbers.
    #[derive(Default)]
    struct TestEnv {
        millis: AtomicU64,
        random: AtomicU64,
    }

    impl TestEnv {
        fn go_on(&self, time: Duration) {
            self.millis.fetch_add(time.as_millis() as u64, Ordering::Relaxed);
        }
    }

    impl Env for TestEnv {
        fn now(&self) -> Time {
            Time::new(Duration::from_millis(self.millis.load(Ordering::Relaxed)))
        }

        fn wall(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH
        }

        fn random(&self) -> u64 {
            // Multiples of the golden ratio: evenly spread.
            let n = self.random.fetch_add(1, Ordering::Relaxed) + 1;
            n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        }

        fn secure_random(&self, _: &mut [u8]) {}
    }

    fn node(n: usize) -> NodeName {
        format!("n{n}@h").parse().unwrap()
    }

    fn of(count: usize, env: &TestEnv) -> Candidates {
        let mut candidates = Candidates::default();
        (0..count).for_each(|n| candidates.add(node(n), env.now()));
        candidates
    }

    fn all_next(candidates: &mut Candidates, env: &TestEnv) -> Vec<NodeName> {
        std::iter::from_fn(|| candidates.next(env)).collect()
    }

    #[test]
    fn a_few_attempts_at_a_time_in_random_order() {
        let env = TestEnv::default();
        let mut candidates = of(100, &env);
        let first = all_next(&mut candidates, &env);
        assert_eq!(first.len(), AT_A_TIME);
        assert!(!first.is_sorted(), "{first:?}");
        assert_eq!(candidates.next_due(), None, "there is no room for another");
        candidates.forget(&first[0]);
        assert_eq!(candidates.next_due(), Some(env.now()));
        assert_eq!(all_next(&mut candidates, &env).len(), 1);
        let mut seen = AT_A_TIME + 1;
        candidates.forget(&first[1]);
        while let Some(node) = candidates.next(&env) {
            candidates.forget(&node);
            seen += 1;
        }
        assert_eq!(seen, 100);
    }

    /// A node that fails is tried less and less often, even if peers name it again, and is then
    /// removed.
    #[test]
    fn failed_nodes_are_tried_less_often() {
        let env = TestEnv::default();
        let mut candidates = of(1, &env);
        let (mut tries, mut times) = (0, Vec::new());
        while candidates.len() > 0 {
            env.go_on(Duration::from_millis(100));
            candidates.add(node(0), env.now());
            for node in all_next(&mut candidates, &env) {
                tries += 1;
                times.push(env.now().since_start());
                candidates.failed(&node, &env);
            }
        }
        assert_eq!(tries, TRIES_MAX);
        let minutes = times.last().unwrap().as_secs_f64() / 60.0;
        assert!((1.0..7.0).contains(&minutes), "{times:?}");
        // If a peer names the node again, it is a new candidate.
        candidates.add(node(0), env.now());
        assert_eq!(all_next(&mut candidates, &env), [node(0)]);
    }

    /// The failure of an attempt that was not made for this list does not count here.
    #[test]
    fn an_attempt_made_by_others_does_not_count() {
        let env = TestEnv::default();
        let mut candidates = of(1, &env);
        candidates.failed(&node(0), &env);
        assert_eq!(candidates.next(&env), Some(node(0)));
        candidates.failed(&node(7), &env);
        candidates.forget(&node(7));
        assert_eq!(candidates.len(), 1);
    }

    #[test]
    fn the_number_of_candidates_is_limited() {
        let env = TestEnv::default();
        let mut candidates = of(NODES_MAX - 1, &env);
        assert!(!candidates.is_full());
        candidates.add(node(5000), env.now());
        assert!(candidates.is_full());
        candidates.add(node(5001), env.now());
        assert_eq!(candidates.len(), NODES_MAX);
        candidates.forget(&node(0));
        assert!(!candidates.is_full());
    }
}
