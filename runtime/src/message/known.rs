//! The facts that this program has learned about its message types.
//!
//! This depends only on the types, so it is stored for the whole program and not for a node. It is
//! a hash table that only grows, by one entry for each type, so reading takes no lock. Generic
//! types also store their tags here, since all instances of a generic function share one `static`.

use std::any::TypeId;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::coverage::Coverage;
use super::fingerprint::Shape;
use super::tags::TagClash;
use super::{Message, WireType, hash_tag};

/// The number of chains, which are selected by type id. A program has a few hundred message types.
const CHAINS: usize = 1024;

static TYPES: [OnceLock<&'static Known>; CHAINS] = [const { OnceLock::new() }; CHAINS];

/// The facts known about a type. Each part is computed when it is first needed. Two threads may
/// compute it at the same time, with the same result.
#[repr(C)]
pub(super) struct Known {
    // The fields that each message needs are in one cache line.
    type_id: TypeId,
    next: OnceLock<&'static Known>,
    /// The parts of values that can be read back, for each of the two forms.
    pub(super) plain: Covered,
    pub(super) described: Covered,
    pub(super) state: State,
    tag: OnceLock<Tag>,
    pub(super) shape: OnceLock<Shape>,
    fingerprint: OnceLock<u64>,
    wire_type: OnceLock<Arc<WireType>>,
    /// The type that has the same tag, if any. Set once this was checked.
    pub(super) clash: OnceLock<Option<TagClash>>,
}

/// A tag with its hash.
#[derive(Clone, Copy)]
struct Tag {
    text: &'static str,
    hash: u64,
}

/// A [`Coverage`] that grows.
#[derive(Default)]
pub(super) struct Covered(AtomicU64);

impl Covered {
    #[inline]
    pub(super) fn has(&self, coverage: Coverage) -> bool {
        coverage.is_within(Coverage(self.0.load(Ordering::Relaxed)))
    }

    pub(super) fn add(&self, coverage: Coverage) {
        self.0.fetch_or(coverage.0, Ordering::Relaxed);
    }
}

/// Flags that say how a type's values can be sent.
#[derive(Default)]
pub(super) struct State(AtomicU8);

impl State {
    /// The type was traced, so its coverage can be relied on.
    pub(super) const TRIED: u8 = 1;
    /// The type asks what comes next: none of its values can have the plain form.
    pub(super) const DESCRIBES: u8 = 2;
    /// A value could not be read back, or was read as another kind than it was written as. Each
    /// value is tried.
    pub(super) const DOUBTFUL: u8 = 4;
    /// No other type has this tag.
    pub(super) const UNIQUE: u8 = 8;

    #[inline]
    fn get(&self) -> u8 {
        self.0.load(Ordering::Acquire)
    }

    #[inline]
    pub(super) fn has(&self, flag: u8) -> bool {
        self.get() & flag != 0
    }

    /// Returns whether the type was traced and nothing speaks against the plain form.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.get() & (State::TRIED | State::DESCRIBES | State::DOUBTFUL) == State::TRIED
    }

    pub(super) fn add(&self, flag: u8) {
        self.0.fetch_or(flag, Ordering::AcqRel);
    }
}

/// Hashes a type's id, which is already as good as random.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = super::hash_bytes(self.0, bytes);
    }

    fn write_u64(&mut self, id: u64) {
        self.0 = id;
    }
}

/// Returns what is known about a type. Lifetimes in the type don't matter.
#[inline]
pub(super) fn of<T>() -> &'static Known {
    let type_id = typeid::of::<T>();
    let mut hasher = IdHasher::default();
    type_id.hash(&mut hasher);
    let mut place = &TYPES[hasher.finish() as usize % CHAINS];
    loop {
        let known = place.get_or_init(|| Known::new(type_id));
        if known.type_id == type_id {
            return known;
        }
        place = &known.next;
    }
}

impl Known {
    fn new(type_id: TypeId) -> &'static Known {
        Box::leak(Box::new(Known {
            type_id,
            tag: OnceLock::new(),
            shape: OnceLock::new(),
            fingerprint: OnceLock::new(),
            wire_type: OnceLock::new(),
            plain: Covered::default(),
            described: Covered::default(),
            state: State::default(),
            clash: OnceLock::new(),
            next: OnceLock::new(),
        }))
    }

    fn tag(&self, make: impl FnOnce() -> String) -> Tag {
        // Not `get_or_init`: `make` may look up other types, and this one.
        if self.tag.get().is_none() {
            let text: &'static str = make().leak();
            let _ = self.tag.set(Tag { text, hash: hash_tag(text) });
        }
        *self.tag.get().expect("it was just set")
    }
}

/// Returns the type of `M` on the wire. Runs the program's code the first time only.
pub(super) fn wire_type<M: Message>() -> Arc<WireType> {
    let known = of::<M>();
    if let Some(wire_type) = known.wire_type.get() {
        return wire_type.clone();
    }
    let made = WireType::of::<M>().into();
    known.wire_type.get_or_init(|| made).clone()
}

/// Returns the tag of a generic message. `make` computes it the first time.
#[doc(hidden)]
pub fn generic_tag<M: Message>(make: impl FnOnce() -> String) -> &'static str {
    of::<M>().tag(make).text
}

/// Returns the hash of the tag of a generic message. `make` computes the tag the first time.
#[doc(hidden)]
pub fn generic_tag_hash<M: Message>(make: impl FnOnce() -> String) -> u64 {
    of::<M>().tag(make).hash
}

/// Returns the fingerprint of a message that is composed of others. `make` computes it the first
/// time.
#[doc(hidden)]
pub fn composed_fingerprint<M: Message>(make: impl FnOnce() -> u64) -> u64 {
    let known = of::<M>();
    if let Some(fingerprint) = known.fingerprint.get() {
        return *fingerprint;
    }
    let made = make();
    *known.fingerprint.get_or_init(|| made)
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn a_tried_type_without_other_flags_is_plain() {
        let state = State::default();
        assert!(!state.is_plain());
        state.add(State::TRIED);
        assert!(state.is_plain());
        state.add(State::UNIQUE);
        assert!(state.is_plain());
        for flag in [State::DESCRIBES, State::DOUBTFUL] {
            let state = State::default();
            state.add(State::TRIED);
            state.add(flag);
            assert!(!state.is_plain());
        }
    }
}
