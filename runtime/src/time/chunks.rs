//! A vector that grows by chunks of equal size. Growing it copies nothing, so no push takes long,
//! and it holds no more memory than it has used.

use std::ops::{Index, IndexMut};

const BITS: u32 = 10;
const CHUNK: usize = 1 << BITS;

#[derive(Debug)]
pub(super) struct Chunks<T>(Vec<Vec<T>>);

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Chunks(Vec::new())
    }
}

impl<T> Chunks<T> {
    pub(super) fn len(&self) -> u32 {
        let Some(last) = self.0.last() else { return 0 };
        let len = (self.0.len() - 1) * CHUNK + last.len();
        u32::try_from(len).expect("fewer than 2^32")
    }

    pub(super) fn push(&mut self, value: T) {
        match self.0.last_mut() {
            Some(last) if last.len() < CHUNK => last.push(value),
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(value);
                self.0.push(chunk);
            }
        }
    }

    pub(super) fn get(&self, index: u32) -> Option<&T> {
        let (chunk, at) = place(index);
        self.0.get(chunk)?.get(at)
    }

    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        let (chunk, at) = place(index);
        self.0.get_mut(chunk)?.get_mut(at)
    }
}

impl<T> Index<u32> for Chunks<T> {
    type Output = T;

    fn index(&self, index: u32) -> &T {
        let (chunk, at) = place(index);
        &self.0[chunk][at]
    }
}

impl<T> IndexMut<u32> for Chunks<T> {
    fn index_mut(&mut self, index: u32) -> &mut T {
        let (chunk, at) = place(index);
        &mut self.0[chunk][at]
    }
}

fn place(index: u32) -> (usize, usize) {
    let index = index as usize;
    (index >> BITS, index & (CHUNK - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_a_vector() {
        let mut chunks = Chunks::default();
        for n in 0..5000_u32 {
            assert_eq!((chunks.len(), chunks.get(n)), (n, None));
            chunks.push(n);
        }
        chunks[1024] = 7;
        *chunks.get_mut(4999).unwrap() += 1;
        assert_eq!((chunks[1023], chunks[1024], chunks[4999]), (1023, 7, 5000));
        assert_eq!((chunks.len(), chunks.get(5000), chunks.get(u32::MAX)), (5000, None, None));
    }
}
