//! The timers of a node: wheels in shards, so that no lock is shared by all workers.
//!
//! This file does not know what a timer does when it is due. A timer holds a value, and the caller
//! of [`Timers::take_due`] gets it, while no wheel is locked.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::time::Duration;

use crate::env::Time;
use crate::message::{DecodeError, EncodeError, Message};
use crate::node_id::NodeId;
use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering};
use crate::time::{Key, Owners, TICKS_MAX, Wheel};

/// The length of a tick: 2^14 ns, about 16 µs. A timer is late by at most this, before other
/// delays. The system's own sleep is late by about three times as much, so it combines the ticks of
/// that time into one wake-up.
const TICK_BITS: u32 = 14;

/// Nothing is due.
const NEVER: u64 = u64::MAX;

/// The longest time of a timer: 100 years, which is less than what the wheel holds from the start
/// of the node's clock.
pub(crate) const TIMER_MAX: Duration = Duration::from_secs(100 * 366 * 86_400);
const _: () = assert!(TIMER_MAX.as_nanos() >> TICK_BITS < TICKS_MAX as u128 / 5 * 4);

/// A timer, as returned by `send_after` and `start_timer`. It is only valid on its node.
///
/// ```
/// # use std::time::Duration;
/// # use fika_runtime::{Node, TimerRef, cancel_timer, self_node, self_pid, send_after};
/// # Node::builder().build().unwrap().block_on(async {
/// let timer: TimerRef = send_after(Duration::from_secs(60), self_pid(), 1_u64);
/// assert_eq!(timer.node(), self_node().id());
/// assert!(cancel_timer(timer).is_some());
/// # });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TimerRef {
    node: NodeId,
    shard: u16,
    key: Key,
}

crate::outcome::ignored!(TimerRef, CancelTimer, ReadTimer);

impl TimerRef {
    /// Returns the timer's node.
    #[must_use]
    pub fn node(self) -> NodeId {
        self.node
    }
}

/// The message of a timer of `start_timer` (Erlang's `{timeout, Ref, Msg}`).
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use std::time::Duration;
/// # use fika::{Node, Timeout, self_pid, start_timer};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// let started = start_timer(Duration::from_millis(5), self_pid(), "tea".to_string());
/// receive! {
///     Timeout::<String> { timer, message } if timer == started => assert_eq!(message, "tea"),
/// }
/// # });
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Timeout<M> {
    /// The timer, as `start_timer` returned it.
    pub timer: TimerRef,
    /// The message given to `start_timer`.
    pub message: M,
}

/// The answer to `cancel_timer_async` (Erlang's `{cancel_timer, Ref, Left}`).
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use std::time::Duration;
/// # use fika::{CancelTimer, Node, cancel_timer_async, self_pid, send_after};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// let started = send_after(Duration::from_secs(60), self_pid(), 1_u64);
/// cancel_timer_async(started);
/// receive! {
///     CancelTimer { timer, left } if timer == started => println!("{left:?} were left"),
/// }
/// # });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CancelTimer {
    /// The timer.
    pub timer: TimerRef,
    /// The value that `cancel_timer` would have returned.
    pub left: Option<Duration>,
}

/// The answer to `read_timer_async` (Erlang's `{read_timer, Ref, Left}`).
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use std::time::Duration;
/// # use fika::{Node, ReadTimer, read_timer_async, self_pid, send_after};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// let started = send_after(Duration::from_secs(60), self_pid(), 1_u64);
/// read_timer_async(started);
/// receive! {
///     ReadTimer { timer, left } if timer == started => println!("{left:?} are left"),
/// }
/// # });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReadTimer {
    /// The timer.
    pub timer: TimerRef,
    /// The value that `read_timer` would have returned.
    pub left: Option<Duration>,
}

/// Timers belong to their node, so these messages never leave it.
macro_rules! stays_here {
    ([$($bound:tt)*] $type:ty = $tag:literal) => {
        impl<$($bound)*> Message for $type {
            fn tag() -> Cow<'static, str> {
                $tag.into()
            }

            fn fingerprint() -> u64 {
                0
            }

            fn check_sendable() -> Result<(), EncodeError> {
                Err(EncodeError::new::<Self>("a timer's reference is only valid on its node"))
            }

            fn encode(&self, _: &mut crate::message::Buffer) -> Result<(), EncodeError> {
                Self::check_sendable()
            }

            fn decode(_: &bytes::Bytes) -> Result<Self, DecodeError> {
                Err(DecodeError::malformed::<Self>("it never crosses the wire"))
            }
        }
    };
}

stays_here!([M: Message] Timeout<M> = "timeout");
stays_here!([] CancelTimer = "cancel_timer");
stays_here!([] ReadTimer = "read_timer");

pub(crate) struct Timers<A> {
    node: NodeId,
    shards: Box<[Mutex<Shard<A>>]>,
    /// The earliest tick at which a timer of any shard is due or moves down a level.
    next: AtomicU64,
    /// Held by the thread that takes out and performs due timers.
    firing: Mutex<()>,
    /// The latest time at which the worker that waits in the driver wakes up.
    asleep_until: AtomicU64,
}

struct Shard<A> {
    wheel: Wheel<A>,
    owners: Owners,
}

fn nanos(time: Time) -> u64 {
    u64::try_from(time.since_start().as_nanos()).unwrap_or(NEVER)
}

/// Returns a rank that orders the timers of one tick in different shards: the timer that was
/// started first has the greatest rank. The rank is the time from the start to the tick as a float,
/// whose bits have the order of the float. So two starts are distinguished if they are further
/// apart than a ten-millionth of that time.
fn rank(tick: u64, now: Time) -> u32 {
    #[expect(clippy::cast_precision_loss, reason = "a rounded number is enough")]
    let lead = (tick << TICK_BITS).saturating_sub(nanos(now)) as f32;
    lead.to_bits()
}

/// Returns the first tick that is not before `time`.
fn tick_from(time: Time) -> u64 {
    nanos(time).saturating_add((1 << TICK_BITS) - 1) >> TICK_BITS
}

/// Returns the last tick that has begun at `time`.
fn tick_at(time: Time) -> u64 {
    nanos(time) >> TICK_BITS
}

fn time_of(tick: u64) -> Time {
    Time::new(Duration::from_nanos(tick.saturating_mul(1 << TICK_BITS)))
}

impl<A> Timers<A> {
    pub(crate) fn new(node: NodeId, shards: usize) -> Self {
        let shard = || Mutex::new(Shard { wheel: Wheel::new(), owners: Owners::default() });
        let shards = (0..shards.max(1)).map(|_| shard()).collect();
        let (next, asleep_until) = (AtomicU64::new(NEVER), AtomicU64::new(0));
        Timers { node, shards, next, firing: Mutex::new(()), asleep_until }
    }

    /// Starts a timer at `now` that is due at `due`. `owner` is the process that it belongs to, if
    /// any. `action` receives the timer's reference and returns the timer's value. The returned
    /// flag says that the worker in the driver sleeps beyond `due`.
    pub(crate) fn start(
        &self,
        shard: usize,
        now: Time,
        due: Time,
        owner: Option<u32>,
        action: impl FnOnce(TimerRef) -> A,
    ) -> (TimerRef, bool) {
        let shard = shard % self.shards.len();
        let tick = tick_from(due);
        let mut locked = self.shards[shard].lock();
        let shard = u16::try_from(shard).expect("as many shards as workers");
        // The value needs the key of its own insertion, so the key is determined first.
        let timer = TimerRef { node: self.node, shard, key: locked.wheel.next_key() };
        let key = locked.wheel.insert(tick, rank(tick, now), action(timer));
        debug_assert_eq!(key, timer.key);
        if let Some(owner) = owner {
            locked.owners.add(key.index, owner);
        }
        drop(locked);
        // An earlier tick may stay: `take_due` resets it before it locks the shards. If it does so
        // after this look, it also finds the timer.
        if self.next.load(Ordering::SeqCst) > tick {
            self.next.fetch_min(tick, Ordering::SeqCst);
        }
        (timer, tick < self.asleep_until.load(Ordering::SeqCst))
    }

    /// Returns a timer that never existed.
    pub(crate) fn none(&self) -> TimerRef {
        TimerRef { node: self.node, shard: u16::MAX, key: Key { index: u32::MAX, serial: 0 } }
    }

    /// Cancels a timer. Returns the time that was left, if it had not fired.
    pub(crate) fn cancel(&self, timer: TimerRef, now: Time) -> Option<Duration> {
        let mut shard = self.shard(timer)?.lock();
        let (due, action) = shard.wheel.cancel(timer.key)?;
        shard.owners.remove(timer.key.index);
        // The action contains the program's value, which must not be dropped under the lock.
        drop(shard);
        drop(action);
        Some(time_of(due).since(now))
    }

    /// Cancels all timers of this owner. Returns their values.
    pub(crate) fn cancel_owned(&self, owner: u32) -> Vec<A> {
        let mut actions = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.lock();
            while let Some(index) = shard.owners.first(owner) {
                shard.owners.remove(index);
                actions.push(shard.wheel.take(index));
            }
        }
        actions
    }

    /// Cancels all timers. Returns their values.
    pub(crate) fn take_all(&self) -> Vec<A> {
        let take = |shard: &Mutex<Shard<A>>| {
            let Shard { wheel, owners } = &mut *shard.lock();
            *owners = Owners::default();
            wheel.take_all()
        };
        self.shards.iter().flat_map(take).collect()
    }

    /// Returns the time left of a timer that has not fired.
    pub(crate) fn read(&self, timer: TimerRef, now: Time) -> Option<Duration> {
        let due = self.shard(timer)?.lock().wheel.due(timer.key)?;
        Some(time_of(due).since(now))
    }

    fn shard(&self, timer: TimerRef) -> Option<&Mutex<Shard<A>>> {
        self.shards.get(usize::from(timer.shard)).filter(|_| timer.node == self.node)
    }

    /// Locks the taking out and performing of due timers. One thread at a time has the lock, so
    /// that no thread overtakes another that has taken out timers and not performed them yet
    /// (TIM-8). Returns `None` if nothing is due, or if another thread has the lock.
    ///
    /// No thread waits for the lock, so anything may be performed under it.
    pub(crate) fn firing_turn(&self, now: Time) -> Option<MutexGuard<'_, ()>> {
        if self.next.load(Ordering::SeqCst) > tick_at(now) {
            return None;
        }
        self.firing.try_lock()
    }

    /// Takes out the timers that are due at `now`, in order of the ticks. Timers of the same tick
    /// are in the order in which they were started. Returns true if the worker in the driver sleeps
    /// beyond the next timer.
    #[must_use]
    pub(crate) fn take_due(&self, now: Time, due: &mut Vec<A>) -> bool {
        let tick = tick_at(now);
        // Reset before the shards are read: a timer that is started meanwhile lowers it again, and
        // a timer that was started before is seen below.
        self.next.store(NEVER, Ordering::SeqCst);
        let mut next = NEVER;
        let mut fired = Vec::new();
        for shard in &self.shards {
            let Shard { wheel, owners } = &mut *shard.lock();
            wheel.advance(tick, |index, due, rank, action| {
                owners.remove(index);
                fired.push(((due, Reverse(rank)), action));
            });
            next = next.min(wheel.next_tick().unwrap_or(NEVER));
        }
        fired.sort_by_key(|(order, _)| *order);
        due.extend(fired.into_iter().map(|(_, action)| action));
        self.next.fetch_min(next, Ordering::SeqCst);
        // A worker that went to sleep between the two steps has seen no timer.
        next < self.asleep_until.load(Ordering::SeqCst)
    }

    /// Returns the time until the next due tick, if there is one. From now on, until the next call,
    /// `start` reports timers that are due before that.
    pub(crate) fn sleep_until_next(&self, now: Time) -> Option<Duration> {
        let next = self.next.load(Ordering::SeqCst);
        self.asleep_until.store(next, Ordering::SeqCst);
        // A timer may have been started between the two steps.
        let next = next.min(self.next.load(Ordering::SeqCst));
        (next != NEVER).then(|| time_of(next).since(now))
    }

    pub(crate) fn awake(&self) {
        self.asleep_until.store(0, Ordering::SeqCst);
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().wheel.len()).sum()
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    fn at_ms(ms: u64) -> Time {
        Time::new(Duration::from_millis(ms))
    }

    fn start(timers: &Timers<()>, due: Time) -> (TimerRef, bool) {
        timers.start(0, at_ms(0), due, None, |_| ())
    }

    /// TIM-8: never early.
    #[test]
    fn a_timer_is_due_when_its_time_has_come() {
        let timers = Timers::new(NodeId::nameless(), 2);
        let (timer, _) = start(&timers, at_ms(5));
        let mut due = Vec::new();
        let tick = tick_from(at_ms(5));
        assert!(timers.firing_turn(time_of(tick - 1)).is_none());
        assert!(timers.firing_turn(time_of(tick)).is_some(), "at the tick itself");
        assert!(timers.firing_turn(at_ms(4)).is_none());
        assert!(!timers.take_due(at_ms(4), &mut due), "nobody sleeps");
        assert!(due.is_empty() && timers.read(timer, at_ms(4)).is_some());
        let later = Time::new(Duration::from_micros(5_066));
        let turn = timers.firing_turn(later);
        assert!(turn.is_some() && timers.firing_turn(later).is_none());
        assert!(!timers.take_due(later, &mut due));
        assert_eq!(due.len(), 1);
        assert_eq!(timers.cancel(timer, at_ms(6)), None);
        assert_eq!(timers.len(), 0);
    }

    #[test]
    fn a_time_is_rounded_up_to_a_tick() {
        let just = Duration::from_nanos(1);
        assert_eq!(tick_from(time_of(7)), 7);
        assert_eq!(tick_from(time_of(7) + just), 8);
        assert_eq!(tick_from(Time::new(Duration::from_nanos(nanos(time_of(8)) - 1))), 8);
    }

    /// At the end of the node: timers of all shards, with and without an owner.
    #[test]
    fn take_all_returns_every_timer() {
        let timers = Timers::new(NodeId::nameless(), 2);
        for (shard, owner, n) in [(0, None, 1), (0, Some(3), 2), (1, None, 3), (1, Some(3), 4)] {
            timers.start(shard, at_ms(0), at_ms(n), owner, |_| n);
        }
        let mut all = timers.take_all();
        all.sort_unstable();
        assert_eq!(all, [1, 2, 3, 4]);
        assert_eq!((timers.len(), timers.take_all()), (0, vec![]));
        assert!(timers.cancel_owned(3).is_empty());
    }

    /// TIM-7: all timers of an owner that have not fired are cancelled together.
    #[test]
    fn the_timers_of_an_owner_are_cancelled_together() {
        let timers = Timers::new(NodeId::nameless(), 2);
        let start = |n: u64| {
            let owner = u32::try_from(n % 3).ok().filter(|owner| *owner > 0);
            timers.start(usize::try_from(n % 2).unwrap(), at_ms(0), at_ms(n), owner, |_| n).0
        };
        let started: Vec<_> = (0..30).map(start).collect();
        let mut due = Vec::new();
        assert!(!timers.take_due(at_ms(9), &mut due));
        assert!(timers.cancel(started[10], at_ms(9)).is_some());
        let mut cancelled = timers.cancel_owned(1);
        cancelled.sort_unstable();
        assert_eq!(cancelled, [13, 16, 19, 22, 25, 28]);
        assert_eq!((timers.cancel_owned(1), timers.cancel_owned(7)), (vec![], vec![]));
        assert!(!timers.take_due(at_ms(40), &mut due));
        let left = |n: &u64| *n < 9 || n % 3 != 1;
        assert_eq!(due, (0..30).filter(left).collect::<Vec<_>>());
    }

    /// TIM-8: in order over all shards.
    #[test]
    fn timers_of_different_shards_fire_in_order() {
        let timers = Timers::new(NodeId::nameless(), 3);
        for (shard, ms) in [(0, 5), (1, 3), (2, 4), (1, 6), (0, 2)] {
            timers.start(shard, at_ms(0), at_ms(ms), None, |_| ms);
        }
        let mut due = Vec::new();
        assert!(!timers.take_due(at_ms(10), &mut due));
        assert_eq!(due, [2, 3, 4, 5, 6]);
    }

    /// TIM-8: timers of one tick fire in the order in which they were started, at the same moment
    /// or by a process that moves from worker to worker.
    #[test]
    fn timers_of_one_tick_fire_in_the_order_of_their_starts() {
        let timers = Timers::new(NodeId::nameless(), 3);
        let at = |us: u64| Time::new(Duration::from_micros(us));
        // Shard, start time and due time. All are due in the same tick.
        let starts = [(2, 1, 9_010), (2, 1, 9_003), (0, 2, 9_009), (1, 3, 9_002), (0, 4, 9_001)];
        for (n, (shard, now, due)) in starts.into_iter().enumerate() {
            timers.start(shard, at(now), at(due), None, |_| n);
        }
        let mut due = Vec::new();
        assert!(!timers.take_due(at_ms(10), &mut due));
        assert_eq!(due, [0, 1, 2, 3, 4]);
    }

    /// A worker that falls asleep while the shards are read has seen no timer, so it is notified.
    #[test]
    fn a_sleeper_that_saw_no_timer_is_notified() {
        let timers = Timers::new(NodeId::nameless(), 1);
        timers.start(0, at_ms(0), at_ms(100), None, |_| ());
        timers.next.store(NEVER, Ordering::SeqCst);
        assert_eq!(timers.sleep_until_next(at_ms(0)), None);
        assert!(timers.take_due(at_ms(0), &mut Vec::new()));
        // The last timer has fired, so there is nothing to notify about.
        assert!(!timers.take_due(at_ms(101), &mut Vec::new()));
    }

    /// Workers with numbers beyond the number of shards share a shard.
    #[test]
    fn shards_are_shared() {
        let timers = Timers::new(NodeId::nameless(), 3);
        let shards =
            [0, 2, 3, 7].map(|n| timers.start(n, at_ms(0), at_ms(1), None, |_| ()).0.shard);
        assert_eq!(shards, [0, 2, 0, 1]);
        assert_eq!((timers.len(), timers.read(timers.none(), at_ms(0))), (4, None));
    }

    #[test]
    fn a_sleeper_is_notified_of_an_earlier_timer() {
        let timers = Timers::new(NodeId::nameless(), 1);
        assert!(!start(&timers, at_ms(100)).1, "nobody sleeps");
        let wait = timers.sleep_until_next(at_ms(0)).unwrap();
        assert!(wait <= Duration::from_millis(101) && wait > Duration::from_millis(90));
        assert!(!start(&timers, at_ms(200)).1);
        assert!(!start(&timers, at_ms(100)).1, "the sleeper wakes up for it");
        assert!(start(&timers, at_ms(50)).1);
        timers.awake();
        assert!(!start(&timers, at_ms(25)).1, "nobody sleeps any more");
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use std::sync::Arc;

    use loom::thread;

    use super::*;
    use crate::sync::model;

    fn at_ms(ms: u64) -> Time {
        Time::new(Duration::from_millis(ms))
    }

    fn timers() -> Arc<Timers<u8>> {
        Arc::new(Timers::new(NodeId::nameless(), 1))
    }

    /// TIM-3: a timer is cancelled or fires, never both.
    #[test]
    fn cancel_against_fire() {
        model(|| {
            let timers = timers();
            let (timer, _) = timers.start(0, at_ms(0), at_ms(5), Some(7), |_| 1);
            let firing = {
                let timers = timers.clone();
                thread::spawn(move || {
                    let mut due = Vec::new();
                    let _ = timers.take_due(at_ms(6), &mut due);
                    due.len()
                })
            };
            let ending = {
                let timers = timers.clone();
                thread::spawn(move || timers.cancel_owned(7).len())
            };
            let cancelled = usize::from(timers.cancel(timer, at_ms(5)).is_some());
            assert_eq!(cancelled + ending.join().unwrap() + firing.join().unwrap(), 1);
            assert_eq!(timers.len(), 0);
        });
    }

    /// A timer that is started while another thread takes out due timers is found later.
    #[test]
    fn start_against_take_due() {
        model(|| {
            let timers = timers();
            timers.start(0, at_ms(0), at_ms(1), None, |_| 1);
            let firing = {
                let timers = timers.clone();
                thread::spawn(move || {
                    let mut due = Vec::new();
                    let _ = timers.take_due(at_ms(2), &mut due);
                    due
                })
            };
            timers.start(0, at_ms(0), at_ms(5), None, |_| 2);
            assert_eq!(firing.join().unwrap(), [1]);
            assert!(timers.firing_turn(at_ms(6)).is_some(), "it is forgotten");
        });
    }

    /// A worker goes to sleep, a timer is started, and another thread takes out due timers. The
    /// worker sleeps until the timer at most, or is notified.
    #[test]
    fn start_and_take_due_against_sleep() {
        model(|| {
            let timers = timers();
            let sleeper = {
                let timers = timers.clone();
                thread::spawn(move || timers.sleep_until_next(at_ms(0)))
            };
            let firing = {
                let timers = timers.clone();
                thread::spawn(move || timers.take_due(at_ms(1), &mut Vec::new()))
            };
            let (_, told) = timers.start(0, at_ms(0), at_ms(5), None, |_| 1);
            let (sleep, told_too) = (sleeper.join().unwrap(), firing.join().unwrap());
            let enough = sleep.is_some_and(|sleep| sleep <= Duration::from_millis(6));
            assert!(enough || told || told_too, "it sleeps for {sleep:?}");
        });
    }
}
