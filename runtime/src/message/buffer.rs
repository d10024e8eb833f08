//! The bytes of a value on its way out. A large `Bytes` of it is not copied among them, but
//! shared, and stands between those before and those after it.

use bytes::Bytes;

/// A `Bytes` of at least so many bytes is shared: to copy a smaller one costs no more than that.
pub const SHARED_BYTES_MIN: usize = 4 << 10;

/// What [`Message::encode`](super::Message::encode) appends to.
#[derive(Default, Debug)]
pub struct Buffer {
    /// Written here.
    own: Vec<u8>,
    /// What is shared, and how many of our own bytes come before it.
    shared: Vec<(usize, Bytes)>,
    shared_bytes: usize,
    /// Equal values get equal bytes. Nothing is shared then.
    canonical: bool,
    /// Values are written in the described form.
    described: bool,
}

/// A position in a [`Buffer`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    own: usize,
    shared: usize,
    shared_bytes: usize,
}

impl Buffer {
    /// An empty one.
    #[must_use]
    pub fn new() -> Buffer {
        Buffer::default()
    }

    /// An empty one, with room for so many bytes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Buffer {
        Buffer { own: Vec::with_capacity(bytes), ..Buffer::default() }
    }

    /// Makes an empty buffer for a value that is compared by its bytes.
    pub(super) fn canonical() -> Buffer {
        Buffer { canonical: true, ..Buffer::default() }
    }

    /// Returns whether equal values must get equal bytes.
    #[inline]
    pub(super) fn is_canonical(&self) -> bool {
        self.canonical
    }

    /// Sorts the parts that begin at these positions, each of which ends where the next begins, by
    /// their bytes. Nothing in them is shared.
    pub(super) fn sort(&mut self, starts: &[usize]) {
        let ends = starts.iter().skip(1).copied().chain([self.own.len()]);
        let mut parts: Vec<Vec<u8>> =
            starts.iter().zip(ends).map(|(start, end)| self.own[*start..end].to_vec()).collect();
        parts.sort_unstable();
        if let Some(start) = starts.first() {
            self.own.truncate(*start);
        }
        parts.iter().for_each(|part| self.own.extend_from_slice(part));
    }

    /// How many bytes it is, with those that are shared.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.own.len() + self.shared_bytes
    }

    /// Whether nothing has been appended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether the values in the buffer are in the described form. The fingerprint sent
    /// with the message says so to the receiver
    /// ([`WireType::described`](super::WireType::described)).
    #[must_use]
    #[inline]
    pub fn is_described(&self) -> bool {
        self.described
    }

    /// Removes everything that was appended, and switches to the described form.
    pub(super) fn describe(&mut self) {
        self.reset(Mark { own: 0, shared: 0, shared_bytes: 0 });
        self.described = true;
    }

    #[inline]
    pub(super) fn mark(&self) -> Mark {
        let shared_bytes = self.shared_bytes;
        Mark { own: self.own.len(), shared: self.shared.len(), shared_bytes }
    }

    /// Removes what was appended since the mark.
    pub(super) fn reset(&mut self, mark: Mark) {
        self.own.truncate(mark.own);
        self.shared.truncate(mark.shared);
        self.shared_bytes = mark.shared_bytes;
    }

    /// Appends a byte.
    #[inline]
    pub fn put_u8(&mut self, byte: u8) {
        self.own.push(byte);
    }

    /// Appends a copy of these bytes.
    #[inline]
    pub fn put_slice(&mut self, bytes: &[u8]) {
        self.own.extend_from_slice(bytes);
    }

    /// Appends these bytes: shared, if they are [many](SHARED_BYTES_MIN).
    pub fn put_bytes(&mut self, bytes: &Bytes) {
        if bytes.len() < SHARED_BYTES_MIN || self.canonical {
            return self.put_slice(bytes);
        }
        self.shared_bytes += bytes.len();
        self.shared.push((self.own.len(), bytes.clone()));
    }

    /// Lets `put` append something, and writes its length before it, with 32 bits. Returns
    /// the length, which was not written if it does not fit.
    pub(super) fn put_with_length<E>(
        &mut self,
        put: impl FnOnce(&mut Buffer) -> Result<(), E>,
    ) -> Result<usize, E> {
        let at = self.own.len();
        self.put_slice(&[0; 4]);
        let before = self.len();
        put(self)?;
        let length = self.len() - before;
        if let Ok(written) = u32::try_from(length) {
            self.own[at..at + 4].copy_from_slice(&written.to_be_bytes());
        }
        Ok(length)
    }

    /// All of it in one place, copied there if it is not.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        let length = self.len();
        match &self.shared[..] {
            [] => self.own.into(),
            [(_, only)] if only.len() == length => only.clone(),
            _ => {
                let mut all = Vec::with_capacity(length);
                self.into_parts().iter().for_each(|part| all.extend_from_slice(part));
                all.into()
            }
        }
    }

    /// The bytes that were written, if none is shared.
    ///
    /// # Errors
    /// Gives it back if some are.
    pub fn into_own(self) -> Result<Vec<u8>, Buffer> {
        if self.shared.is_empty() { Ok(self.own) } else { Err(self) }
    }

    /// All of it, in order. No part is empty.
    #[must_use]
    pub fn into_parts(self) -> Vec<Bytes> {
        let Buffer { own, shared, .. } = self;
        let (own, mut at) = (Bytes::from(own), 0);
        let mut parts = Vec::with_capacity(2 * shared.len() + 1);
        for (until, bytes) in shared {
            parts.extend([own.slice(at..until), bytes]);
            at = until;
        }
        parts.push(own.slice(at..));
        parts.retain(|part| !part.is_empty());
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn large(byte: u8) -> Bytes {
        vec![byte; SHARED_BYTES_MIN].into()
    }

    #[test]
    fn large_bytes_stand_between_the_others() {
        let (first, second) = (large(1), large(2));
        let mut buffer = Buffer::with_capacity(8);
        buffer.put_bytes(&first);
        buffer.put_slice(b"ab");
        buffer.put_bytes(&Bytes::from_static(b"c"));
        buffer.put_bytes(&second);
        buffer.put_u8(b'd');
        assert_eq!(buffer.len(), 2 * SHARED_BYTES_MIN + 4);
        let parts = buffer.into_parts();
        assert_eq!(parts, [&first, &b"abc"[..], &second, &b"d"[..]]);
        assert_eq!((parts[0].as_ptr(), parts[2].as_ptr()), (first.as_ptr(), second.as_ptr()));
    }

    #[test]
    fn it_comes_whole() {
        let bytes = large(1);
        let mut buffer = Buffer::new();
        assert!(buffer.is_empty());
        buffer.put_bytes(&bytes);
        assert!(!buffer.is_empty());
        assert_eq!(buffer.into_bytes().as_ptr(), bytes.as_ptr());

        let mut buffer = Buffer::new();
        buffer.put_u8(7);
        buffer.put_bytes(&bytes);
        assert!(buffer.into_bytes() == [&[7], &bytes[..]].concat());

        let mut buffer = Buffer::new();
        buffer.put_u8(7);
        assert_eq!(buffer.into_own().unwrap(), [7]);
    }

    #[test]
    fn a_length_counts_what_is_shared() {
        let mut buffer = Buffer::new();
        buffer.put_u8(0);
        let put = |buffer: &mut Buffer| {
            buffer.put_u8(1);
            buffer.put_bytes(&large(2));
            Ok::<_, ()>(())
        };
        assert_eq!(buffer.put_with_length(put), Ok(SHARED_BYTES_MIN + 1));
        let bytes = buffer.into_bytes();
        assert_eq!(&bytes[..7], [0, 0, 0, 0x10, 1, 1, 2]);
    }
}
