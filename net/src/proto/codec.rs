//! The protocol's primitive values: fixed-width integers (big endian), varints, and strings
//! preceded by their length.
//!
//! This file does not know frames and messages. Reading borrows from the received bytes. A length
//! that a peer claims is compared with the bytes that are left, and is never used to allocate. Each
//! error names the value that was being read.
//!
//! A varint has seven bits a byte, lowest first. The top bit is set in all bytes but the last. Only
//! the shortest form of a number is accepted, so equal values have equal bytes.

use super::error::InvalidMessage;

/// Reads values from the front of the bytes that a peer sent.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// Returns how many bytes have not been read yet.
    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Reads the next `count` bytes.
    pub(crate) fn take(
        &mut self,
        what: &'static str,
        count: usize,
    ) -> Result<&'a [u8], InvalidMessage> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(InvalidMessage::MissingData(what));
        };
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(
        &mut self,
        what: &'static str,
    ) -> Result<[u8; N], InvalidMessage> {
        let Some((taken, rest)) = self.rest.split_first_chunk() else {
            return Err(InvalidMessage::MissingData(what));
        };
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self, what: &'static str) -> Result<u8, InvalidMessage> {
        self.array(what).map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self, what: &'static str) -> Result<u16, InvalidMessage> {
        self.array(what).map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, InvalidMessage> {
        self.array(what).map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self, what: &'static str) -> Result<u64, InvalidMessage> {
        self.array(what).map(u64::from_be_bytes)
    }

    /// Reads a byte that is 0 or 1.
    pub(crate) fn bool(&mut self, what: &'static str) -> Result<bool, InvalidMessage> {
        match self.u8(what)? {
            0 => Ok(false),
            1 => Ok(true),
            value => Err(InvalidMessage::UnknownValue { what, value }),
        }
    }

    #[inline]
    pub(crate) fn var_u64(&mut self, what: &'static str) -> Result<u64, InvalidMessage> {
        match self.rest {
            // Most numbers are small.
            [byte @ 0..0x80, rest @ ..] => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_var_u64(what),
        }
    }

    fn long_var_u64(&mut self, what: &'static str) -> Result<u64, InvalidMessage> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.u8(what)?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits || (byte == 0 && shift > 0) {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(InvalidMessage::BadVarint(what))
    }

    #[inline]
    pub(crate) fn var_u32(&mut self, what: &'static str) -> Result<u32, InvalidMessage> {
        let value = self.var_u64(what)?;
        u32::try_from(value).map_err(|_| InvalidMessage::BadVarint(what))
    }

    /// Reads bytes that are preceded by a varint length of at most `bytes_max`.
    pub(crate) fn bytes(
        &mut self,
        what: &'static str,
        bytes_max: usize,
    ) -> Result<&'a [u8], InvalidMessage> {
        let claimed = self.var_u64(what)?;
        match usize::try_from(claimed) {
            Ok(count) if count <= bytes_max => self.take(what, count),
            _ => Err(InvalidMessage::TooLong { what, length: claimed, max: bytes_max }),
        }
    }

    /// Reads UTF-8 that is preceded by a varint length of at most `bytes_max`.
    pub(crate) fn text(
        &mut self,
        what: &'static str,
        bytes_max: usize,
    ) -> Result<&'a str, InvalidMessage> {
        let bytes = self.bytes(what, bytes_max)?;
        std::str::from_utf8(bytes).map_err(|_| InvalidMessage::NotUtf8(what))
    }

    /// Ends the reading. Returns an error if bytes are left.
    pub(crate) fn finish(self, what: &'static str) -> Result<(), InvalidMessage> {
        match self.rest.len() {
            0 => Ok(()),
            bytes => Err(InvalidMessage::TrailingData { what, bytes }),
        }
    }
}

/// Appends values to an outgoing buffer.
pub(crate) trait Put {
    fn put_u8(&mut self, value: u8);
    fn put_u16(&mut self, value: u16);
    fn put_u32(&mut self, value: u32);
    fn put_u64(&mut self, value: u64);
    fn put_var(&mut self, value: impl Into<u64>);
    /// Appends a varint length and the bytes.
    fn put_bytes(&mut self, bytes: &[u8]);
}

impl Put for Vec<u8> {
    #[inline]
    fn put_u8(&mut self, value: u8) {
        self.push(value);
    }

    fn put_u16(&mut self, value: u16) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    #[inline]
    fn put_u32(&mut self, value: u32) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn put_u64(&mut self, value: u64) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    #[inline]
    fn put_var(&mut self, value: impl Into<u64>) {
        let mut value = value.into();
        while value >= 0x80 {
            self.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.push(value as u8);
    }

    fn put_bytes(&mut self, bytes: &[u8]) {
        self.put_var(bytes.len() as u64);
        self.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn varints_at_their_bounds() {
        let cases: [(u64, &[u8]); 6] = [
            (0, &[0]),
            (0x7f, &[0x7f]),
            (0x80, &[0x80, 1]),
            (0x3fff, &[0xff, 0x7f]),
            (u64::from(u32::MAX), &[0xff, 0xff, 0xff, 0xff, 0x0f]),
            (u64::MAX, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ];
        for (value, bytes) in cases {
            let mut out = Vec::new();
            out.put_var(value);
            assert_eq!(out, bytes);
            let mut reader = Reader::new(bytes);
            assert_eq!(reader.var_u64("it"), Ok(value));
            assert_eq!(reader.finish("it"), Ok(()));
            let wanted = u32::try_from(value).map_err(|_| InvalidMessage::BadVarint("it"));
            assert_eq!(Reader::new(bytes).var_u32("it"), wanted);
        }
    }

    #[test]
    fn malformed_varints_are_refused() {
        let cases: [(&[u8], InvalidMessage); 5] = [
            (&[], InvalidMessage::MissingData("it")),
            (&[0x80], InvalidMessage::MissingData("it")),
            (&[0x80, 0], InvalidMessage::BadVarint("it")),
            (&[0xff; 10], InvalidMessage::BadVarint("it")),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2], {
                InvalidMessage::BadVarint("it")
            }),
        ];
        for (bytes, error) in cases {
            assert_eq!(Reader::new(bytes).var_u64("it"), Err(error), "{bytes:x?}");
        }
    }

    #[test]
    fn texts_and_their_limits() {
        let mut out = Vec::new();
        out.put_bytes("höst".as_bytes());
        assert_eq!(Reader::new(&out).text("a name", 5), Ok("höst"));
        let too_long = InvalidMessage::TooLong { what: "a name", length: 5, max: 4 };
        assert_eq!(Reader::new(&out).text("a name", 4), Err(too_long));
        assert_eq!(
            Reader::new(&out[..4]).text("a name", 5),
            Err(InvalidMessage::MissingData("a name"))
        );
        assert_eq!(
            Reader::new(&[1, 0xff]).text("a name", 5),
            Err(InvalidMessage::NotUtf8("a name"))
        );
    }

    #[test]
    fn left_over_bytes_are_refused() {
        let mut reader = Reader::new(&[1, 2, 3]);
        assert_eq!(reader.bool("it"), Ok(true));
        assert_eq!(reader.bool("it"), Err(InvalidMessage::UnknownValue { what: "it", value: 2 }));
        let trailing = InvalidMessage::TrailingData { what: "all", bytes: 1 };
        assert_eq!(reader.finish("all"), Err(trailing));
    }

    proptest! {
        #[test]
        fn any_number_round_trips(value: u64) {
            let mut out = Vec::new();
            out.put_var(value);
            prop_assert!(out.len() <= 10);
            prop_assert_eq!(Reader::new(&out).var_u64("it"), Ok(value));
        }

        /// A value is only accepted in one form.
        #[test]
        fn any_bytes_are_canonical_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            let mut reader = Reader::new(&bytes);
            if let Ok(value) = reader.var_u64("it") {
                let mut again = Vec::new();
                again.put_var(value);
                prop_assert_eq!(&bytes[..bytes.len() - reader.remaining()], &again[..]);
            }
        }
    }
}
