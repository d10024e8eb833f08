//! What this program has found out about its message types.
//!
//! All of it depends on the types alone, so it is kept for the program and not for a node. It is a
//! hash table that only grows, by one entry a type: reading it takes no lock. A `static` in a
//! generic function would be one for all types, so generic types keep their tags here as well.

use std::any::TypeId;
use std::hash::{Hash, Hasher};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use super::coverage::Coverage;
use super::fingerprint::Shape;
use super::tags::Clash;
use super::{Message, hash_tag};

/// Chains of types, by their ids. A program has a few hundred message types.
const CHAINS: usize = 1024;

static TYPES: [OnceLock<&'static Known>; CHAINS] = [const { OnceLock::new() }; CHAINS];

/// What is known of a type. Each part is found out when it is first needed; by two threads at the
/// same time if need be, with the same result.
pub(super) struct Known {
    type_id: TypeId,
    tag: OnceLock<Tag>,
    pub(super) shape: OnceLock<Shape>,
    fingerprint: OnceLock<u64>,
    /// What values had that can be read back, by the form that they were sent in.
    pub(super) plain: Covered,
    pub(super) described: Covered,
    pub(super) state: State,
    /// Whether another type has its tag, once that was looked up.
    pub(super) clash: OnceLock<Option<Clash>>,
    next: OnceLock<&'static Known>,
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

/// What is known of how a type's values can be sent.
#[derive(Default)]
pub(super) struct State(AtomicU8);

impl State {
    /// Values have been tried, so what the type's values had can be trusted.
    pub(super) const TRIED: u8 = 1;
    /// The type asks what comes next: no value goes in the plain form.
    pub(super) const DESCRIBES: u8 = 2;
    /// A value could not be read back, or was read by another kind than it was written by. Each
    /// value is tried.
    pub(super) const DOUBTFUL: u8 = 4;

    #[inline]
    pub(super) fn get(&self) -> u8 {
        self.0.load(Ordering::Acquire)
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.get() & flag != 0
    }

    pub(super) fn add(&self, flag: u8) {
        self.0.fetch_or(flag, Ordering::AcqRel);
    }
}

/// Takes a type's id, which is as good as random.
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

/// What is known of a type, which may have lifetimes: they don't matter here.
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
            plain: Covered::default(),
            described: Covered::default(),
            state: State::default(),
            clash: OnceLock::new(),
            next: OnceLock::new(),
        }))
    }

    fn tag(&self, make: impl FnOnce() -> String) -> Tag {
        // Not by `get_or_init`: what makes it may look at other types, and at this one.
        if self.tag.get().is_none() {
            let text: &'static str = make().leak();
            let _ = self.tag.set(Tag { text, hash: hash_tag(text) });
        }
        *self.tag.get().expect("it was just set")
    }
}

/// The tag of a generic message. `make` is called once.
#[doc(hidden)]
pub fn generic_tag<M: Message>(make: impl FnOnce() -> String) -> &'static str {
    of::<M>().tag(make).text
}

/// The hash of the tag of a generic message.
#[doc(hidden)]
pub fn generic_tag_hash<M: Message>(make: impl FnOnce() -> String) -> u64 {
    of::<M>().tag(make).hash
}

/// The fingerprint of a message that is composed of others. `make` is called once.
#[doc(hidden)]
pub fn composed_fingerprint<M: Message>(make: impl FnOnce() -> u64) -> u64 {
    let known = of::<M>();
    if let Some(fingerprint) = known.fingerprint.get() {
        return *fingerprint;
    }
    let made = make();
    *known.fingerprint.get_or_init(|| made)
}
