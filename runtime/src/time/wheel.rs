//! A hierarchical timing wheel.
//!
//! Time is counted in ticks. Level 0 has a slot for each of the next 64 ticks, level 1 one for each
//! of the next 64 spans of 64 ticks, and so on. A timer is at the level of the highest digit, in
//! base 64, in which its due tick differs from the current one. It moves down a level each time the
//! current tick reaches its span. Starting and cancelling a timer touch one list. The lists are
//! made of indices into the entries.
//!
//! Timers of the same tick fire in the order in which they were started. This holds because lists
//! grow at their end, and a timer only enters a list directly when all older timers of its tick are
//! already in that list.
//!
//! Prior art: Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", 1987.

use super::chunks::Chunks;

const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;
const LEVELS: usize = 8;

/// No entry.
const NIL: u32 = u32::MAX;

/// The farthest due tick from now. A later one could fall into the current slot of the highest
/// level, and the wheel would search for it tick by tick.
pub(crate) const TICKS_MAX: u64 = (SLOTS as u64 - 1) << (BITS * (LEVELS as u32 - 1));

/// Identifies a timer of one wheel, even after it has fired.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct Key {
    pub(crate) index: u32,
    pub(crate) serial: u32,
}

#[derive(Debug)]
struct Entry<T> {
    /// `None` in a free entry, whose `next` is the next free one.
    value: Option<T>,
    due: u64,
    /// Distinguishes the timers that have had this index.
    serial: u32,
    prev: u32,
    next: u32,
    /// Returned with the value.
    rank: u32,
}

/// The list of one slot.
#[derive(Clone, Copy, Debug)]
struct List {
    first: u32,
    last: u32,
}

/// The position of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Place {
    level: usize,
    slot: usize,
}

/// Timers by due tick.
#[derive(Debug)]
pub(crate) struct Wheel<T> {
    /// All ticks before this one have been passed.
    now: u64,
    entries: Chunks<Entry<T>>,
    /// The first free entry.
    free: u32,
    len: usize,
    lists: [[List; SLOTS]; LEVELS],
    /// A bit for each slot that is not empty.
    occupied: [u64; LEVELS],
    serial: u32,
}

impl<T> Wheel<T> {
    pub(crate) fn new() -> Wheel<T> {
        Wheel {
            now: 0,
            entries: Chunks::default(),
            free: NIL,
            len: 0,
            lists: [[List { first: NIL, last: NIL }; SLOTS]; LEVELS],
            occupied: [0; LEVELS],
            serial: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns the key that the next timer will have.
    pub(crate) fn next_key(&self) -> Key {
        let index = if self.free == NIL { self.entries.len() } else { self.free };
        Key { index, serial: self.serial.wrapping_add(1) }
    }

    /// Starts a timer. A timer that is due before the next tick fires with the next tick. The wheel
    /// itself does not use the rank.
    pub(crate) fn insert(&mut self, due: u64, rank: u32, value: T) -> Key {
        let key = self.next_key();
        self.serial = key.serial;
        let due = due.clamp(self.now, self.now.saturating_add(TICKS_MAX));
        let serial = key.serial;
        let entry = Entry { value: Some(value), due, serial, prev: NIL, next: NIL, rank };
        match self.entries.get_mut(key.index) {
            None => self.entries.push(entry),
            Some(free) => self.free = std::mem::replace(free, entry).next,
        }
        self.len += 1;
        self.link(key.index);
        key
    }

    /// Returns the due tick of a timer that has not fired.
    pub(crate) fn due(&self, key: Key) -> Option<u64> {
        let entry = self.entries.get(key.index)?;
        (entry.serial == key.serial && entry.value.is_some()).then_some(entry.due)
    }

    /// Cancels a timer. Returns its due tick and its value, if it has not fired.
    pub(crate) fn cancel(&mut self, key: Key) -> Option<(u64, T)> {
        let due = self.due(key)?;
        Some((due, self.take(key.index)))
    }

    /// Removes and returns the timer at this index. There must be one.
    #[inline(always)]
    pub(crate) fn take(&mut self, index: u32) -> T {
        self.unlink(index);
        let entry = &mut self.entries[index];
        entry.next = std::mem::replace(&mut self.free, index);
        self.len -= 1;
        entry.value.take().expect("the entry at this index is in use")
    }

    pub(crate) fn take_all(&mut self) -> Vec<T> {
        let has_timer = |index: &u32| self.entries[*index].value.is_some();
        let indices: Vec<u32> = (0..self.entries.len()).filter(has_timer).collect();
        indices.into_iter().map(|index| self.take(index)).collect()
    }

    /// Returns the tick before which nothing is due: the tick of the next timer, or one at which
    /// timers move down a level.
    pub(crate) fn next_tick(&self) -> Option<u64> {
        (0..LEVELS).find(|level| self.occupied[*level] != 0).map(|level| {
            let shift = BITS * level as u32;
            let digit = (self.now >> shift) & (SLOTS as u64 - 1);
            // At level 0 the current slot itself may be due. At the levels above, only later slots
            // may be.
            let ahead = self.occupied[level].rotate_right(digit as u32).trailing_zeros();
            let base = (self.now >> shift) + u64::from(ahead);
            (base << shift).max(self.now)
        })
    }

    /// Advances over all ticks up to and including `now`. Calls `fire` with the index, the tick,
    /// the rank and the value of each timer that falls due, in order of the ticks. Timers of the
    /// same tick fire in the order in which they were started.
    pub(crate) fn advance(&mut self, now: u64, mut fire: impl FnMut(u32, u64, u32, T)) {
        while let Some(tick) = self.next_tick().filter(|tick| *tick <= now) {
            self.now = tick;
            for level in (1..LEVELS).rev() {
                self.move_down(level);
            }
            let slot = (tick as usize) & (SLOTS - 1);
            while self.lists[0][slot].first != NIL {
                let index = self.lists[0][slot].first;
                let rank = self.entries[index].rank;
                fire(index, tick, rank, self.take(index));
            }
        }
        self.now = self.now.max(now.saturating_add(1));
        for level in (1..LEVELS).rev() {
            self.move_down(level);
        }
    }

    /// Moves the timers of a level's current slot down.
    fn move_down(&mut self, level: usize) {
        let slot = ((self.now >> (BITS * level as u32)) as usize) & (SLOTS - 1);
        let mut index = self.lists[level][slot].first;
        while index != NIL {
            let next = self.entries[index].next;
            let place = self.place(self.entries[index].due);
            if place != (Place { level, slot }) {
                self.unlink_from(index, Place { level, slot });
                self.link(index);
            }
            index = next;
        }
    }

    fn place(&self, due: u64) -> Place {
        let differs = (due ^ self.now) | 1;
        let level = ((63 - differs.leading_zeros()) / BITS).min(LEVELS as u32 - 1) as usize;
        Place { level, slot: ((due >> (BITS * level as u32)) as usize) & (SLOTS - 1) }
    }

    fn link(&mut self, index: u32) {
        let Place { level, slot } = self.place(self.entries[index].due);
        let list = &mut self.lists[level][slot];
        let last = std::mem::replace(&mut list.last, index);
        match last {
            NIL => list.first = index,
            _ => self.entries[last].next = index,
        }
        self.occupied[level] |= 1 << slot;
        let entry = &mut self.entries[index];
        (entry.prev, entry.next) = (last, NIL);
    }

    fn unlink(&mut self, index: u32) {
        // The entry was placed when the current tick had the same higher digits, and it is moved
        // whenever they change. So its place can be computed again.
        let place = self.place(self.entries[index].due);
        self.unlink_from(index, place);
    }

    fn unlink_from(&mut self, index: u32, Place { level, slot }: Place) {
        let Entry { prev, next, .. } = self.entries[index];
        match prev {
            NIL => self.lists[level][slot].first = next,
            _ => self.entries[prev].next = next,
        }
        match next {
            NIL => self.lists[level][slot].last = prev,
            _ => self.entries[next].prev = prev,
        }
        if self.lists[level][slot].first == NIL {
            self.occupied[level] &= !(1 << slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone)]
    enum Op {
        Insert(u64),
        Cancel(usize),
        Advance(u64),
    }

    fn delay() -> impl Strategy<Value = u64> {
        // A few values repeat, for ticks with several timers.
        let few = prop_oneof![Just(0), Just(5), Just(64), Just(130), Just(4_096), Just(5_000)];
        prop_oneof![
            2 => few,
            1 => 0..70_u64,
            1 => 0..5_000_u64,
            1 => 0..300_000_u64,
            1 => 0..(1_u64 << 40),
            1 => 0..(1_u64 << 47),
        ]
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            4 => delay().prop_map(Op::Insert),
            1 => any::<usize>().prop_map(Op::Cancel),
            3 => delay().prop_map(Op::Advance),
        ]
    }

    proptest! {
        /// TIM-2, TIM-8: behaves as a sorted list does.
        #[test]
        fn like_a_sorted_list(ops in proptest::collection::vec(op(), 1..80)) {
            let mut wheel = Wheel::new();
            let mut model: Vec<(u64, u64, Key)> = Vec::new();
            let (mut now, mut name) = (0_u64, 0_u64);
            for op in ops {
                match op {
                    Op::Insert(delay) => {
                        name += 1;
                        let key = wheel.insert(now + delay, 0, name);
                        model.push((now + delay, name, key));
                    }
                    Op::Cancel(which) if !model.is_empty() => {
                        let (due, name, key) = model.remove(which % model.len());
                        prop_assert_eq!(wheel.cancel(key), Some((due, name)));
                        prop_assert_eq!(wheel.cancel(key), None);
                    }
                    Op::Cancel(_) => {}
                    Op::Advance(by) => {
                        now += by;
                        if let Some(next) = wheel.next_tick() {
                            let first = model.iter().map(|(due, ..)| *due).min().unwrap();
                            prop_assert!(next <= first);
                        }
                        let mut fired = Vec::new();
                        wheel.advance(now, |_, _, _, name| fired.push(name));
                        let mut due: Vec<_> =
                            model.extract_if(.., |(due, ..)| *due <= now).collect();
                        // By tick, then in the order of starting.
                        due.sort_unstable();
                        let due: Vec<u64> = due.into_iter().map(|(_, name, _)| name).collect();
                        prop_assert_eq!(fired, due);
                        now += 1;
                    }
                }
                prop_assert_eq!(wheel.len(), model.len());
            }
        }
    }

    /// A timer that is due too late is due as late as possible, and is found in few steps.
    #[test]
    fn the_latest_possible_tick() {
        const FARTHEST: u64 = 63 << 42;
        for now in [0, 1, 77_777_777, 1 << 42, (1 << 48) - 2] {
            let mut wheel = Wheel::new();
            wheel.advance(now, |_, _, _, ()| ());
            let last = now + 1 + FARTHEST;
            for due in [last, last + 1, u64::MAX] {
                let key = wheel.insert(due, 0, ());
                assert_eq!(wheel.due(key), Some(last), "{due} after {now}");
            }
            wheel.advance(last - 1, |_, tick, _, ()| panic!("{tick} is too early"));
            let mut fired = Vec::new();
            wheel.advance(last, |_, tick, _, ()| fired.push(tick));
            assert_eq!(fired, [last; 3]);
        }
    }

    #[test]
    fn the_next_tick_comes_before_the_first_timer() {
        let mut wheel = Wheel::new();
        assert_eq!(wheel.next_tick(), None);
        wheel.insert(70, 0, ());
        wheel.insert(1_000_000, 0, ());
        assert_eq!(wheel.next_tick(), Some(64));
        let mut fired = 0;
        wheel.advance(69, |_, _, _, ()| fired += 1);
        assert_eq!((fired, wheel.next_tick()), (0, Some(70)));
        wheel.advance(70, |_, _, _, ()| fired += 1);
        assert_eq!(fired, 1);
    }
}
