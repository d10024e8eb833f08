//! An ordered map that is small while it has few entries: first a sorted vector, then a tree.
//!
//! Most processes with links or monitors have one or two of them, and a node of a tree has room for
//! eleven. The map only becomes a vector again when it is told to shrink.

use std::collections::{BTreeMap, btree_map};
use std::{mem, vec};

/// With more entries than this, a tree is faster than moving the entries after a new one.
const FEW: usize = 16;

/// A map in the order of its keys.
#[derive(Debug)]
pub(crate) enum FewMap<K, V> {
    Few(Vec<(K, V)>),
    Many(BTreeMap<K, V>),
}

impl<K, V> Default for FewMap<K, V> {
    fn default() -> Self {
        FewMap::Few(Vec::new())
    }
}

impl<K: Ord, V> FewMap<K, V> {
    pub(crate) fn len(&self) -> usize {
        match self {
            FewMap::Few(few) => few.len(),
            FewMap::Many(many) => many.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns roughly the number of bytes of the entries.
    pub(crate) fn memory(&self) -> usize {
        self.len() * size_of::<(K, V)>()
    }

    /// Frees memory that is not needed now.
    pub(crate) fn shrink(&mut self) {
        if let FewMap::Many(many) = self
            && many.len() <= FEW
        {
            *self = FewMap::Few(mem::take(many).into_iter().collect());
        }
        if let FewMap::Few(few) = self {
            few.shrink_to_fit();
        }
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        match self {
            FewMap::Few(few) => find(few, key).ok().map(|at| &few[at].1),
            FewMap::Many(many) => many.get(key),
        }
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        match self {
            FewMap::Few(few) => find(few, key).ok().map(|at| &mut few[at].1),
            FewMap::Many(many) => many.get_mut(key),
        }
    }

    fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// Inserts a value. Returns the previous value of the key.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self {
            FewMap::Few(few) => match find(few, &key) {
                Ok(at) => Some(mem::replace(&mut few[at].1, value)),
                Err(at) if few.len() < FEW => {
                    if few.is_empty() {
                        // By itself, a vector would begin with room for four.
                        few.reserve_exact(1);
                    }
                    few.insert(at, (key, value));
                    None
                }
                Err(_) => {
                    let mut many: BTreeMap<K, V> = mem::take(few).into_iter().collect();
                    many.insert(key, value);
                    *self = FewMap::Many(many);
                    None
                }
            },
            FewMap::Many(many) => many.insert(key, value),
        }
    }

    /// Inserts a value if the key has none.
    pub(crate) fn insert_if_absent(&mut self, key: K, value: V) {
        if !self.contains_key(&key) {
            self.insert(key, value);
        }
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        match self {
            FewMap::Few(few) => find(few, key).ok().map(|at| few.remove(at).1),
            FewMap::Many(many) => many.remove(key),
        }
    }

    /// Removes and returns the entries for which `taken` returns true, in order.
    pub(crate) fn take_if(&mut self, mut taken: impl FnMut(&K, &mut V) -> bool) -> Vec<(K, V)> {
        match self {
            FewMap::Few(few) => few.extract_if(.., |(key, value)| taken(key, value)).collect(),
            FewMap::Many(many) => many.extract_if(.., taken).collect(),
        }
    }

    pub(crate) fn iter(&self) -> Box<dyn Iterator<Item = (&K, &V)> + '_> {
        match self {
            FewMap::Few(few) => Box::new(few.iter().map(|(key, value)| (key, value))),
            FewMap::Many(many) => Box::new(many.iter()),
        }
    }

    pub(crate) fn values_mut(&mut self) -> Box<dyn Iterator<Item = &mut V> + '_> {
        match self {
            FewMap::Few(few) => Box::new(few.iter_mut().map(|(_, value)| value)),
            FewMap::Many(many) => Box::new(many.values_mut()),
        }
    }
}

fn find<K: Ord, V>(few: &[(K, V)], key: &K) -> Result<usize, usize> {
    few.binary_search_by(|(at, _)| at.cmp(key))
}

/// The entries of a map, in order.
pub(crate) enum IntoIter<K, V> {
    Few(vec::IntoIter<(K, V)>),
    Many(btree_map::IntoIter<K, V>),
}

impl<K, V> Iterator for IntoIter<K, V> {
    type Item = (K, V);

    fn next(&mut self) -> Option<(K, V)> {
        match self {
            IntoIter::Few(few) => few.next(),
            IntoIter::Many(many) => many.next(),
        }
    }
}

impl<K, V> IntoIterator for FewMap<K, V> {
    type Item = (K, V);
    type IntoIter = IntoIter<K, V>;

    fn into_iter(self) -> IntoIter<K, V> {
        match self {
            FewMap::Few(few) => IntoIter::Few(few.into_iter()),
            FewMap::Many(many) => IntoIter::Many(many.into_iter()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone)]
    enum Op {
        Insert(u8, u32),
        InsertIfAbsent(u8, u32),
        Remove(u8),
        TakeMultiples(u8),
        Shrink,
    }

    fn op() -> impl Strategy<Value = Op> {
        let key = || 0..40_u8;
        prop_oneof![
            4 => (key(), any::<u32>()).prop_map(|(k, v)| Op::Insert(k, v)),
            2 => (key(), any::<u32>()).prop_map(|(k, v)| Op::InsertIfAbsent(k, v)),
            2 => key().prop_map(Op::Remove),
            1 => (2..9_u8).prop_map(Op::TakeMultiples),
            1 => Just(Op::Shrink),
        ]
    }

    proptest! {
        #[test]
        fn like_a_tree(ops in proptest::collection::vec(op(), 0..120)) {
            let (mut map, mut model) = (FewMap::default(), BTreeMap::new());
            for op in ops {
                match op {
                    Op::Insert(k, v) => prop_assert_eq!(map.insert(k, v), model.insert(k, v)),
                    Op::InsertIfAbsent(k, v) => {
                        map.insert_if_absent(k, v);
                        model.entry(k).or_insert(v);
                    }
                    Op::Remove(k) => prop_assert_eq!(map.remove(&k), model.remove(&k)),
                    Op::Shrink => {
                        map.shrink();
                        prop_assert_eq!(matches!(map, FewMap::Few(_)), model.len() <= FEW);
                    }
                    Op::TakeMultiples(of) => {
                        let expected: Vec<_> = model.extract_if(.., |k, _| k % of == 0).collect();
                        prop_assert_eq!(map.take_if(|k, _| k % of == 0), expected);
                    }
                }
                prop_assert_eq!(map.len(), model.len());
                prop_assert!(map.iter().eq(model.iter()));
                prop_assert!(map.values_mut().eq(model.values_mut()));
                prop_assert!((0..40).all(|k| map.get(&k) == model.get(&k)));
            }
            prop_assert!(map.into_iter().eq(model));
        }
    }
}
