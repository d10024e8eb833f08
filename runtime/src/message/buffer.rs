//! The bytes of a value that is being encoded. A large `Bytes` in the value is shared, not copied:
//! it stands between the bytes before and after it.

use bytes::Bytes;

/// A `Bytes` of at least this size is shared. Copying a smaller one costs no more than sharing it.
pub const SHARED_BYTES_MIN: usize = 4 << 10;

/// The buffer to which [`Message::encode`](super::Message::encode) appends.
///
/// ```
/// use fika_runtime::Bytes;
/// use fika_runtime::message::Buffer;
///
/// let mut out = Buffer::with_capacity(64);
/// assert!(out.is_empty());
/// out.put_u8(1);
/// out.put_slice(&[2, 3]);
/// assert_eq!(out.into_own().unwrap(), [1, 2, 3]);
///
/// // A large `Bytes` is shared, and stays a part of its own.
/// let picture = Bytes::from(vec![7; 100_000]);
/// let mut out = Buffer::new();
/// out.put_u8(1);
/// out.put_bytes(&picture);
/// assert_eq!(out.len(), 100_001);
/// assert!(!out.is_described());
/// let out = out.into_own().unwrap_err();
/// let parts = out.into_parts();
/// assert_eq!(parts[1].as_ptr(), picture.as_ptr());
/// ```
#[derive(Default, Debug)]
pub struct Buffer {
    /// The bytes that were copied or written here.
    own: Vec<u8>,
    /// The shared bytes. Each has the number of our own bytes that come before it.
    shared: Vec<(usize, Bytes)>,
    shared_bytes: usize,
    /// Equal values must have equal bytes. Nothing is shared in this case.
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
    /// Returns an empty buffer.
    #[must_use]
    pub fn new() -> Buffer {
        Buffer::default()
    }

    /// Returns an empty buffer with room for this many bytes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Buffer {
        Buffer { own: Vec::with_capacity(bytes), ..Buffer::default() }
    }

    /// Returns an empty buffer for a value that is compared by its bytes.
    pub(super) fn canonical() -> Buffer {
        Buffer { canonical: true, ..Buffer::default() }
    }

    /// Returns whether equal values must get equal bytes.
    #[inline]
    pub(super) fn is_canonical(&self) -> bool {
        self.canonical
    }

    /// Sorts the parts that begin at these positions by their bytes. Each part ends where the next
    /// begins. None of them contains shared bytes.
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

    /// Returns the number of bytes, including the shared ones.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.own.len() + self.shared_bytes
    }

    /// Returns whether nothing has been appended.
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

    /// Appends these bytes. They are shared if there are [many](SHARED_BYTES_MIN).
    pub fn put_bytes(&mut self, bytes: &Bytes) {
        if bytes.len() < SHARED_BYTES_MIN || self.canonical {
            return self.put_slice(bytes);
        }
        self.shared_bytes += bytes.len();
        self.shared.push((self.own.len(), bytes.clone()));
    }

    /// Appends what `put` writes, preceded by its length as 32 bits. Returns the length. A length
    /// that does not fit into 32 bits is not written.
    ///
    /// ```
    /// # use fika_runtime::message::Buffer;
    /// let mut buffer = Buffer::new();
    /// let put = buffer.put_with_length(|buffer| Ok::<(), ()>(buffer.put_slice(b"abc")));
    /// assert_eq!(put, Ok(3));
    /// assert_eq!(&buffer.into_bytes()[..], b"\0\0\0\x03abc");
    /// ```
    ///
    /// # Errors
    /// The error of `put`.
    pub fn put_with_length<E>(
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

    /// Returns all bytes in one piece. Copies them if they are in several pieces.
    ///
    /// ```
    /// use fika_runtime::message::Buffer;
    ///
    /// let mut out = Buffer::new();
    /// out.put_slice(b"fika");
    /// assert_eq!(out.into_bytes(), "fika");
    /// ```
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

    /// Returns the bytes if none of them are shared.
    ///
    /// # Errors
    /// Returns the buffer if it has shared bytes.
    pub fn into_own(self) -> Result<Vec<u8>, Buffer> {
        if self.shared.is_empty() { Ok(self.own) } else { Err(self) }
    }

    /// Returns all bytes in order, as parts. No part is empty.
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
    fn large_bytes_are_segments_of_their_own() {
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
    fn a_buffer_becomes_one_piece() {
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
    fn a_length_includes_shared_bytes() {
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
