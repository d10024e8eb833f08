//! The owners of a wheel's entries, so that the entries of one owner can be found without looking
//! at the others.
//!
//! The entries of an owner form a linked list. The lists store the indices of the entries in the
//! wheel, outside the wheel itself. So a wheel whose entries have no owners pays nothing.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::chunks::Chunks;

/// No entry, or no owner.
const NIL: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Link {
    owner: u32,
    prev: u32,
    next: u32,
}

const FREE: Link = Link { owner: NIL, prev: NIL, next: NIL };

/// The entries of each owner.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    /// The first entry of each owner that has any.
    heads: HashMap<u32, u32, BuildHasherDefault<Spread>>,
    /// The links, by the index of the entry.
    links: Chunks<Link>,
}

impl Owners {
    /// Gives an entry without an owner to `owner`.
    #[inline(always)]
    pub(crate) fn add(&mut self, index: u32, owner: u32) {
        while self.links.len() <= index {
            self.links.push(FREE);
        }
        let next = self.heads.insert(owner, index).unwrap_or(NIL);
        self.links[index] = Link { owner, prev: NIL, next };
        if let Some(next) = self.links.get_mut(next) {
            next.prev = index;
        }
    }

    /// Removes an entry that is gone, if it had an owner.
    #[inline(always)]
    pub(crate) fn remove(&mut self, index: u32) {
        let Some(link) = self.links.get_mut(index) else { return };
        let Link { owner, prev, next } = std::mem::replace(link, FREE);
        if owner == NIL {
            return;
        }
        match self.links.get_mut(prev) {
            Some(prev) => prev.next = next,
            None if next == NIL => drop(self.heads.remove(&owner)),
            None => drop(self.heads.insert(owner, next)),
        }
        if let Some(next) = self.links.get_mut(next) {
            next.prev = prev;
        }
    }

    /// Returns an entry of this owner.
    pub(crate) fn first(&self, owner: u32) -> Option<u32> {
        self.heads.get(&owner).copied()
    }
}

/// Spreads small numbers over a hash table (D. E. Knuth, "The Art of Computer Programming", volume
/// 3, 6.4). No attacker chooses these numbers.
#[derive(Debug, Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32(u32::from(*byte)));
    }

    fn write_u32(&mut self, n: u32) {
        self.0 = (self.0 ^ u64::from(n)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::hash::BuildHasher;

    use proptest::prelude::*;

    use super::*;

    /// Removes and returns all entries of an owner.
    fn take_all(owners: &mut Owners, owner: u32) -> Vec<u32> {
        let mut all = Vec::new();
        while let Some(index) = owners.first(owner) {
            owners.remove(index);
            all.push(index);
        }
        all.sort_unstable();
        all
    }

    /// A hash table uses the lowest and the highest bits.
    #[test]
    fn hashes_of_small_numbers_use_high_and_low_bits() {
        let hash = |n: u32| BuildHasherDefault::<Spread>::default().hash_one(n);
        for bits in [|hash: u64| hash & 127, |hash: u64| hash >> 57] {
            let places: BTreeSet<u64> = (0..128).map(|n| bits(hash(n))).collect();
            assert!(places.len() > 64, "{} of 128", places.len());
        }
        let hash = |bytes: &[u8]| {
            let mut hasher = Spread::default();
            hasher.write(bytes);
            hasher.finish()
        };
        assert!(hash(b"a") != hash(b"b") && hash(b"ab") != hash(b"ba"));
    }

    proptest! {
        /// TIM-7: behaves as a map does.
        #[test]
        fn like_a_map(ops in proptest::collection::vec((0..20_u32, 0..6_u32), 0..80)) {
            let (mut owners, mut model) = (Owners::default(), BTreeMap::new());
            for (index, owner) in ops {
                // A used index becomes free, and a free one becomes used. Owner 0 stands for no
                // owner.
                if model.remove(&index).is_some() {
                    owners.remove(index);
                } else {
                    model.insert(index, owner);
                    if owner > 0 {
                        owners.add(index, owner);
                    }
                }
            }
            for owner in 1..6 {
                let expected: Vec<_> =
                    model.iter().filter(|(_, of)| **of == owner).map(|(index, _)| *index).collect();
                prop_assert_eq!(take_all(&mut owners, owner), expected);
            }
            prop_assert!(owners.heads.is_empty());
        }
    }
}
