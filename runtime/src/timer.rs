//! The timers of a node: wheels in shards, so that no lock is everybody's.
//!
//! What a timer does when it falls due is not known here: it holds a value, which whoever
//! calls [`Timers::take_due`] gets then, with no wheel locked.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use crate::env::Time;
use crate::message::{DecodeError, EncodeError, Message};
use crate::node_id::NodeId;
use crate::time::{Key, Wheel};

/// The length of a tick: 2^16 ns, about 66 µs. A timer is late by that much at the most
/// before anything else delays it.
const TICK_BITS: u32 = 16;

/// Nothing is due.
const NEVER: u64 = u64::MAX;

/// A timer, as `send_after` and `start_timer` return it. It is valid on its node only.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TimerRef {
    node: NodeId,
    shard: u16,
    key: Key,
}

/// What a timer of `start_timer` delivers (Erlang's `{timeout, Ref, Msg}`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Timeout<M> {
    /// The timer, as `start_timer` returned it.
    pub timer: TimerRef,
    /// The message given to `start_timer`.
    pub message: M,
}

/// Timers deliver on their own node only, so this message never leaves it.
impl<M: Message> Message for Timeout<M> {
    fn tag() -> Cow<'static, str> {
        "timeout".into()
    }

    fn fingerprint() -> u64 {
        0
    }

    fn check_sendable() -> Result<(), EncodeError> {
        Err(EncodeError::new::<Self>("a timer's reference means nothing elsewhere"))
    }

    fn encode(&self, _: &mut Vec<u8>) -> Result<(), EncodeError> {
        Self::check_sendable()
    }

    fn decode(_: &[u8]) -> Result<Self, DecodeError> {
        Err(DecodeError::malformed::<Self>("it never crosses the wire"))
    }
}

pub(crate) struct Timers<A> {
    node: NodeId,
    shards: Box<[Mutex<Wheel<A>>]>,
    /// The earliest tick at which something has to be done, over all shards.
    next: AtomicU64,
    /// Held by the thread that takes out what is due and performs it.
    firing: Mutex<()>,
    /// Until when the worker that waits in the driver sleeps at the longest.
    asleep_until: AtomicU64,
}

/// The first tick that is not before `time`.
fn tick_from(time: Time) -> u64 {
    let nanos = u64::try_from(time.since_start().as_nanos()).unwrap_or(NEVER);
    nanos.saturating_add((1 << TICK_BITS) - 1) >> TICK_BITS
}

/// The last tick that has begun at `time`.
fn tick_at(time: Time) -> u64 {
    u64::try_from(time.since_start().as_nanos()).unwrap_or(NEVER) >> TICK_BITS
}

fn time_of(tick: u64) -> Time {
    Time::new(Duration::from_nanos(tick.saturating_mul(1 << TICK_BITS)))
}

impl<A> Timers<A> {
    pub(crate) fn new(node: NodeId, shards: usize) -> Self {
        let shards = (0..shards.max(1)).map(|_| Mutex::new(Wheel::new())).collect();
        let (next, asleep_until) = (AtomicU64::new(NEVER), AtomicU64::new(0));
        Timers { node, shards, next, firing: Mutex::new(()), asleep_until }
    }

    /// Starts a timer that is due at `due`. The action is made with the timer's
    /// reference. The flag says that the worker in the driver sleeps longer than that.
    pub(crate) fn start(
        &self,
        shard: usize,
        due: Time,
        action: impl FnOnce(TimerRef) -> A,
    ) -> (TimerRef, bool) {
        let shard = shard % self.shards.len();
        let tick = tick_from(due);
        let mut wheel = self.shards[shard].lock();
        let shard = u16::try_from(shard).expect("as many shards as workers");
        // The action needs the key that its own insertion gives: reserve it first.
        let timer = TimerRef { node: self.node, shard, key: wheel.next_key() };
        let key = wheel.insert(tick, action(timer));
        debug_assert_eq!(key, timer.key);
        drop(wheel);
        self.next.fetch_min(tick, Ordering::SeqCst);
        (timer, tick < self.asleep_until.load(Ordering::SeqCst))
    }

    /// A timer that never was.
    pub(crate) fn none(&self) -> TimerRef {
        TimerRef { node: self.node, shard: u16::MAX, key: Key { index: u32::MAX, serial: 0 } }
    }

    /// Takes a timer back: the time that was left, if it had not fired.
    pub(crate) fn cancel(&self, timer: TimerRef, now: Time) -> Option<Duration> {
        let (due, action) = self.shard(timer)?.lock().cancel(timer.key)?;
        drop(action);
        Some(time_of(due).since(now))
    }

    /// The time left of a timer that has not fired, and what `look` makes of its action.
    pub(crate) fn read<R>(
        &self,
        timer: TimerRef,
        now: Time,
        look: impl FnOnce(&A) -> R,
    ) -> Option<(Duration, R)> {
        let wheel = self.shard(timer)?.lock();
        let (due, action) = wheel.due(timer.key)?;
        Some((time_of(due).since(now), look(action)))
    }

    fn shard(&self, timer: TimerRef) -> Option<&Mutex<Wheel<A>>> {
        self.shards.get(usize::from(timer.shard)).filter(|_| timer.node == self.node)
    }

    /// The turn to take out what is due and to perform it: one thread at a time has it, so
    /// that nobody overtakes a thread that has taken timers out and not yet performed them
    /// (TIM-8). None if nothing is due, or another thread has the turn.
    ///
    /// Nobody waits for it, so what is performed in it may be anything.
    pub(crate) fn firing_turn(&self, now: Time) -> Option<MutexGuard<'_, ()>> {
        if self.next.load(Ordering::SeqCst) > tick_at(now) {
            return None;
        }
        self.firing.try_lock()
    }

    /// Takes out what is due at `now`, in the order of the ticks. True if the worker in the
    /// driver sleeps longer than until what comes next.
    #[must_use]
    pub(crate) fn take_due(&self, now: Time, due: &mut Vec<A>) -> bool {
        let tick = tick_at(now);
        // Set before the shards are read: a timer that is started meanwhile lowers it
        // again, and one that was started before is seen below.
        self.next.store(NEVER, Ordering::SeqCst);
        let mut next = NEVER;
        let mut fired = Vec::new();
        for shard in &self.shards {
            let mut wheel = shard.lock();
            wheel.advance(tick, |due, action| fired.push((due, action)));
            next = next.min(wheel.next_tick().unwrap_or(NEVER));
        }
        fired.sort_by_key(|(due, _)| *due);
        due.extend(fired.into_iter().map(|(_, action)| action));
        self.next.fetch_min(next, Ordering::SeqCst);
        // Whoever went to sleep between the two steps has seen no timer at all.
        next < self.asleep_until.load(Ordering::SeqCst)
    }

    /// The time until something has to be done; none if nothing has. From now on, until
    /// the next call, `start` reports timers that are due before that.
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

    /// How many timers there are.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_ms(ms: u64) -> Time {
        Time::new(Duration::from_millis(ms))
    }

    fn start(timers: &Timers<()>, due: Time) -> (TimerRef, bool) {
        timers.start(0, due, |_| ())
    }

    /// TIM-8: never early.
    #[test]
    fn a_timer_is_due_when_its_time_has_come() {
        let timers = Timers::new(NodeId::nameless(), 2);
        let (timer, _) = start(&timers, at_ms(5));
        let mut due = Vec::new();
        assert!(timers.firing_turn(at_ms(4)).is_none());
        assert!(!timers.take_due(at_ms(4), &mut due), "nobody sleeps");
        assert!(due.is_empty() && timers.read(timer, at_ms(4), |()| ()).is_some());
        let later = Time::new(Duration::from_micros(5_066));
        let turn = timers.firing_turn(later);
        assert!(turn.is_some() && timers.firing_turn(later).is_none());
        assert!(!timers.take_due(later, &mut due));
        assert_eq!(due.len(), 1);
        assert_eq!(timers.cancel(timer, at_ms(6)), None);
        assert_eq!(timers.len(), 0);
    }

    /// TIM-8: in order over all shards.
    #[test]
    fn timers_of_different_shards_fire_in_order() {
        let timers = Timers::new(NodeId::nameless(), 3);
        for (shard, ms) in [(0, 5), (1, 3), (2, 4), (1, 6), (0, 2)] {
            timers.start(shard, at_ms(ms), |_| ms);
        }
        let mut due = Vec::new();
        assert!(!timers.take_due(at_ms(10), &mut due));
        assert_eq!(due, [2, 3, 4, 5, 6]);
    }

    /// One that falls asleep while the shards are read has seen no timer: it is told.
    #[test]
    fn a_sleeper_that_saw_no_timer_is_told() {
        let timers = Timers::new(NodeId::nameless(), 1);
        timers.start(0, at_ms(100), |_| ());
        timers.next.store(NEVER, Ordering::SeqCst);
        assert_eq!(timers.sleep_until_next(at_ms(0)), None);
        assert!(timers.take_due(at_ms(0), &mut Vec::new()));
    }

    #[test]
    fn a_sleeper_is_told_of_an_earlier_timer() {
        let timers = Timers::new(NodeId::nameless(), 1);
        assert!(!start(&timers, at_ms(100)).1, "nobody sleeps");
        let wait = timers.sleep_until_next(at_ms(0)).unwrap();
        assert!(wait <= Duration::from_millis(101) && wait > Duration::from_millis(90));
        assert!(!start(&timers, at_ms(200)).1);
        assert!(start(&timers, at_ms(50)).1);
    }
}
