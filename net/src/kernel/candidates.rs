//! Nodes that peers told of, and to which there is no connection yet.
//!
//! Each visible node connects to all nodes that its peers know (DIST-11). Nobody waits for such a
//! connection, so these attempts are patient: [`AT_A_TIME`] of them run at the same time, in a
//! random order, so that not all nodes begin with the same one; one that fails is made again
//! after a pause that grows, and given up after [`TRIES_MAX`]. What else peers tell of a node
//! makes its attempt neither sooner nor more frequent. When a large cluster finds itself again, or
//! starts on a host that is too small for it, its load stays bounded.
//!
//! A node that a process sends to, or asks for, is connected at once, and is none of these.

use std::collections::BTreeMap;
use std::time::Duration;

use fika_runtime::{Env, NodeName, Time};

use super::backoff::Backoff;

/// Attempts at the same time. With a few of them a slow host does not hold up the others; many
/// would only compete, since all nodes of a cluster may be connecting at that moment.
const AT_A_TIME: usize = 8;

/// What peers tell of further nodes is ignored, as a member gone mad could name millions. Those
/// nodes are connected when somebody wants them.
const NODES_MAX: usize = 1024;

/// After so many failures, which take some minutes, a node is given up. It may still connect to
/// this one, and peers that connect later may tell of it again.
const TRIES_MAX: u32 = 10;

const BACKOFF: Backoff =
    Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(120) };

#[derive(Default)]
pub(super) struct Candidates(BTreeMap<NodeName, Candidate>);

struct Candidate {
    /// Attempts that have failed.
    failures: u32,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// There is an attempt. It ends with `forget` or `failed`.
    UnderWay,
    /// The next attempt is made at this time or later.
    Due(Time),
}

impl Candidates {
    /// Adds a node that a peer told of, unless it is known already or there is no room.
    pub(super) fn add(&mut self, node: NodeName, now: Time) {
        if !self.is_full() && !self.0.contains_key(&node) {
            self.0.insert(node, Candidate { failures: 0, stage: Stage::Due(now) });
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= NODES_MAX
    }

    /// Removes a node: it is connected, or no further attempt is wanted.
    pub(super) fn forget(&mut self, node: &NodeName) {
        self.0.remove(node);
    }

    /// The attempt to connect to a node has failed. Does nothing unless it was one of these.
    pub(super) fn failed(&mut self, node: &NodeName, env: &dyn Env) {
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

    /// The next node to connect to, if one is due and there is room for an attempt. The attempt is
    /// under way from now on.
    pub(super) fn next(&mut self, env: &dyn Env) -> Option<NodeName> {
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

    /// When [`next`](Candidates::next) has something to give, if nothing else happens.
    pub(super) fn next_due(&self) -> Option<Time> {
        let dues = self.0.values().filter_map(|it| match it.stage {
            Stage::Due(at) => Some(at),
            Stage::UnderWay => None,
        });
        dues.min().filter(|_| self.may_try())
    }

    fn may_try(&self) -> bool {
        self.0.values().filter(|it| it.stage == Stage::UnderWay).count() < AT_A_TIME
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::SystemTime;

    use super::*;

    /// A clock that is set by hand, and a sequence.
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
    fn a_few_at_a_time_in_any_order() {
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

    /// One that fails is tried less and less often, whatever peers say, and given up.
    #[test]
    fn failures() {
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
        // Told of again, it is new.
        candidates.add(node(0), env.now());
        assert_eq!(all_next(&mut candidates, &env), [node(0)]);
    }

    /// The failure of an attempt that somebody has asked for is no failure of these.
    #[test]
    fn the_attempt_of_somebody_else() {
        let env = TestEnv::default();
        let mut candidates = of(1, &env);
        candidates.failed(&node(0), &env);
        assert_eq!(candidates.next(&env), Some(node(0)));
        candidates.failed(&node(7), &env);
        candidates.forget(&node(7));
        assert_eq!(candidates.len(), 1);
    }

    #[test]
    fn many() {
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
