//! Numbers for values that are mentioned repeatedly: nodes, names and message types. Each direction
//! of a connection has its own tables.
//!
//! The sender assigns a number and defines it before its first use. The receiver keeps the
//! definitions. A table is bounded: when all numbers are assigned, the one assigned longest ago is
//! defined again. This is safe because of the order of the stream: everything written before the
//! new definition is also read before it.
//!
//! # Invariants
//! - **C1** Once everything that was committed has been read, the receiver has the same value under
//!   each number that the sender's table holds. A number whose definition was given up is not in
//!   the sender's table.
//! - **C2** A number that the current frame uses is not reassigned before the frame ends, since all
//!   of a frame's definitions come before it.
//! - **C3** Numbers are first assigned in order, so the receiver's table never has a gap, and is
//!   never larger than what was defined.
//! - **C4** The first numbers may be fixed: both sides know them from the handshake, and they are
//!   never defined.
//!
//! Prior art: the distribution header's atom cache of the BEAM, which chooses a slot by a hash.
//! Here a slot is chosen by age, so two names never compete for it.

use std::any::TypeId;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use fika_runtime::WireType;

use super::error::PeerMisbehaved;

/// The number of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Number {
    /// The receiver knows the number.
    Known(u32),
    /// The number must be defined before the frame that uses it.
    New(u32),
}

/// The sender's table.
pub(super) struct SendCache<K> {
    numbers: HashMap<K, u32>,
    /// The entries, by number.
    slots: Vec<Slot<K>>,
    fixed: usize,
    capacity: usize,
    /// The number to reassign next, when all are assigned.
    oldest: usize,
    /// Counts the frames, for C2.
    frame: u64,
    /// The numbers that the current frame has defined.
    defined: Vec<u32>,
    /// The values of `slots.len()` and `oldest` when the frame was begun.
    before: (usize, usize),
    /// Counts the definitions, to distinguish them.
    definitions: u64,
    /// The number that was returned last: most frames use the same one again.
    last: usize,
}

struct Slot<K> {
    /// `None` if the definition was given up.
    key: Option<K>,
    /// The last frame that used the number.
    used: u64,
    definition: u64,
}

impl<K: Clone + Eq + Hash> SendCache<K> {
    pub(super) fn new<const N: usize>(fixed: [K; N], capacity: usize) -> SendCache<K> {
        let mut cache = SendCache {
            numbers: HashMap::new(),
            slots: Vec::new(),
            fixed: N,
            capacity,
            oldest: N,
            frame: 0,
            defined: Vec::new(),
            before: (N, N),
            definitions: 0,
            last: 0,
        };
        for key in fixed {
            cache.define(cache.slots.len(), key);
        }
        cache.begin();
        cache
    }

    /// Begins a new frame. The definitions of the previous one become permanent.
    #[inline]
    pub(super) fn begin(&mut self) {
        self.frame += 1;
        self.defined.clear();
        self.before = (self.slots.len(), self.oldest);
    }

    /// Gives up the current frame, with its definitions (C1).
    pub(super) fn roll_back(&mut self) {
        let (length, oldest) = self.before;
        for number in self.defined.drain(..) {
            if let Some(key) = self.slots[number as usize].key.take() {
                self.numbers.remove(&key);
            }
        }
        self.slots.truncate(length);
        self.oldest = oldest;
    }

    /// Returns the number of `key` in the current frame. A frame may use at most `capacity - fixed`
    /// different keys.
    #[inline]
    pub(super) fn number(&mut self, key: &K) -> Number {
        if let Some(slot) = self.slots.get_mut(self.last)
            && slot.key.as_ref() == Some(key)
        {
            slot.used = self.frame;
            return Number::Known(self.last as u32);
        }
        if let Some(&number) = self.numbers.get(key) {
            self.last = number as usize;
            self.slots[self.last].used = self.frame;
            return Number::Known(number);
        }
        let slot = self.free_slot();
        self.define(slot, key.clone());
        self.defined.push(slot as u32);
        Number::New(slot as u32)
    }

    fn definition(&self, number: u32) -> u64 {
        self.slots[number as usize].definition
    }

    /// Returns whether a number still has this definition. If so, the frame uses it.
    #[inline]
    fn still(&mut self, number: u32, definition: u64) -> bool {
        let slot = self.slots.get_mut(number as usize);
        match slot.filter(|slot| slot.definition == definition && slot.key.is_some()) {
            Some(slot) => {
                slot.used = self.frame;
                true
            }
            None => false,
        }
    }

    fn free_slot(&mut self) -> usize {
        if self.slots.len() < self.capacity {
            return self.slots.len();
        }
        loop {
            let slot = self.oldest;
            self.oldest = if slot + 1 < self.capacity { slot + 1 } else { self.fixed };
            if self.slots[slot].used != self.frame {
                return slot;
            }
        }
    }

    fn define(&mut self, slot: usize, key: K) {
        self.definitions += 1;
        self.numbers.insert(key.clone(), slot as u32);
        let entry = Slot { key: Some(key), used: self.frame, definition: self.definitions };
        match self.slots.get_mut(slot) {
            Some(place) => {
                if let Some(old) = std::mem::replace(place, entry).key {
                    self.numbers.remove(&old);
                }
            }
            None => self.slots.push(entry),
        }
    }
}

/// The sender's table of message types. It is first looked up by Rust type, which reads no text. It
/// has at most as many entries as the program has types.
pub(super) struct TypeCache {
    cache: SendCache<Arc<WireType>>,
    /// The number of each Rust type, and the definition of that number that was for the type.
    by_rust_type: HashMap<TypeId, (u32, u64)>,
    /// The last result from `by_rust_type`: most messages have the type of the previous one.
    last: Option<(TypeId, (u32, u64))>,
}

impl TypeCache {
    pub(super) fn new(capacity: usize) -> TypeCache {
        let cache = SendCache::new([], capacity);
        TypeCache { cache, by_rust_type: HashMap::new(), last: None }
    }

    pub(super) fn begin(&mut self) {
        self.cache.begin();
    }

    pub(super) fn roll_back(&mut self) {
        self.cache.roll_back();
    }

    pub(super) fn number(&mut self, wire_type: &Arc<WireType>) -> Number {
        self.cache.number(wire_type)
    }

    /// Returns the number of a Rust type, if the receiver knows it.
    #[inline]
    pub(super) fn known(&mut self, rust_type: TypeId) -> Option<u32> {
        let (number, definition) = match self.last {
            Some((last, told)) if last == rust_type => told,
            _ => {
                let told = *self.by_rust_type.get(&rust_type)?;
                self.last = Some((rust_type, told));
                told
            }
        };
        self.cache.still(number, definition).then_some(number)
    }

    /// Records the number of a Rust type.
    pub(super) fn note(&mut self, rust_type: TypeId, number: u32) {
        self.last = None;
        self.by_rust_type.insert(rust_type, (number, self.cache.definition(number)));
    }
}

/// The receiver's table.
pub(super) struct ReceiveCache<V> {
    /// The entries, by number.
    entries: Vec<V>,
    fixed: usize,
    capacity: usize,
    /// The kind of the entries, for errors.
    what: &'static str,
}

impl<V> ReceiveCache<V> {
    pub(super) fn new<const N: usize>(
        what: &'static str,
        fixed: [V; N],
        capacity: usize,
    ) -> ReceiveCache<V> {
        ReceiveCache { entries: fixed.into(), fixed: N, capacity, what }
    }

    pub(super) fn define(&mut self, number: u32, value: V) -> Result<(), PeerMisbehaved> {
        let slot = number as usize;
        let next = self.entries.len();
        if slot < self.fixed || slot > next || slot >= self.capacity {
            return Err(PeerMisbehaved::BadDefinition { what: self.what, number });
        }
        match self.entries.get_mut(slot) {
            Some(entry) => *entry = value,
            None => self.entries.push(value),
        }
        Ok(())
    }

    pub(super) fn get(&self, number: u32) -> Result<&V, PeerMisbehaved> {
        let undefined = PeerMisbehaved::Undefined { what: self.what, number };
        self.entries.get(number as usize).ok_or(undefined)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_assigned_in_order_and_reused() {
        let mut cache = SendCache::new(["us"], 3);
        let mut ask = |key| {
            cache.begin();
            cache.number(&key)
        };
        assert_eq!(ask("us"), Number::Known(0));
        assert_eq!(ask("a"), Number::New(1));
        assert_eq!(ask("b"), Number::New(2));
        assert_eq!(ask("a"), Number::Known(1));
        assert_eq!(ask("c"), Number::New(1), "a is the oldest");
        assert_eq!(ask("b"), Number::Known(2));
        assert_eq!(ask("a"), Number::New(2), "b is the oldest");
        assert_eq!(ask("us"), Number::Known(0), "fixed");
    }

    /// C2.
    #[test]
    fn the_numbers_of_one_frame_are_not_reused() {
        let mut cache = SendCache::new([], 3);
        cache.begin();
        for key in ["a", "b", "c"] {
            cache.number(&key);
        }
        cache.begin();
        assert_eq!(cache.number(&"a"), Number::Known(0));
        assert_eq!(cache.number(&"d"), Number::New(1));
        assert_eq!(cache.number(&"e"), Number::New(2));
        assert_eq!(cache.number(&"a"), Number::Known(0));
    }

    #[test]
    fn rust_types_follow_their_definitions() {
        let mut cache = TypeCache::new(1);
        let id = TypeId::of::<u64>();
        let wire_type = |tag: &str| Arc::new(WireType { tag: tag.into(), ..WireType::default() });
        cache.begin();
        assert_eq!((cache.known(id), cache.number(&wire_type("u64"))), (None, Number::New(0)));
        cache.note(id, 0);
        assert_eq!(cache.known(id), Some(0));
        cache.roll_back();
        assert_eq!(cache.known(id), None, "it was given up");
        cache.begin();
        cache.number(&wire_type("u64"));
        cache.note(id, 0);
        cache.begin();
        assert_eq!(cache.known(id), Some(0));
        cache.begin();
        cache.number(&wire_type("u32"));
        assert_eq!(cache.known(id), None, "the number is another type's now");
    }

    #[test]
    fn a_peers_definitions_are_checked() {
        let mut cache = ReceiveCache::new("name", ["us"], 3);
        let bad = |number| Err(PeerMisbehaved::BadDefinition { what: "name", number });
        assert_eq!(cache.define(0, "fixed"), bad(0));
        assert_eq!(cache.define(2, "a gap"), bad(2));
        assert_eq!(cache.define(1, "a"), Ok(()));
        assert_eq!(cache.define(2, "b"), Ok(()));
        assert_eq!(cache.define(3, "too many"), bad(3));
        assert_eq!(cache.define(u32::MAX, "too many"), bad(u32::MAX));
        assert_eq!(cache.define(1, "c"), Ok(()));
        assert_eq!((cache.get(0), cache.get(1), cache.get(2)), (Ok(&"us"), Ok(&"c"), Ok(&"b")));
        assert_eq!(cache.get(3), Err(PeerMisbehaved::Undefined { what: "name", number: 3 }));
    }

    proptest! {
        /// C1 and C3, for any sequence of frames that are sent or rolled back.
        #[test]
        fn both_tables_agree(frames in proptest::collection::vec(
            (proptest::collection::vec(0..20_u8, 1..6), any::<bool>()), 0..200,
        )) {
            let mut sender = SendCache::new([200, 201], 8);
            let mut receiver = ReceiveCache::new("key", [200, 201], 8);
            for (keys, committed) in frames {
                sender.begin();
                let numbers: Vec<_> = keys.iter().map(|key| (*key, sender.number(key))).collect();
                if !committed {
                    sender.roll_back();
                    continue;
                }
                for (key, number) in &numbers {
                    if let Number::New(number) = number {
                        prop_assert_eq!(receiver.define(*number, *key), Ok(()));
                    }
                }
                for (key, number) in numbers {
                    let (Number::Known(number) | Number::New(number)) = number;
                    prop_assert_eq!(receiver.get(number), Ok(&key));
                }
            }
        }
    }
}
