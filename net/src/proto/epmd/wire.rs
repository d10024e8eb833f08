//! The numbers of the protocol, and a reader that can't read past the end.

/// The first byte of a request. The names are those of the protocol's description.
pub(super) mod tag {
    pub(crate) const ALIVE2_REQ: u8 = 120;
    pub(crate) const PORT_PLEASE2_REQ: u8 = 122;
    pub(crate) const NAMES_REQ: u8 = 110;
    pub(crate) const DUMP_REQ: u8 = 100;
    pub(crate) const KILL_REQ: u8 = 107;
    pub(crate) const STOP_REQ: u8 = 115;

    /// The reply to a registration whose highest version is below 6, with a 16-bit creation.
    pub(crate) const ALIVE2_RESP: u8 = 121;
    /// The reply to a registration from version 6 on, with a 32-bit creation.
    pub(crate) const ALIVE2_X_RESP: u8 = 118;
    pub(crate) const PORT2_RESP: u8 = 119;
}

/// The result byte of a reply.
pub(super) const RESULT_OK: u8 = 0;
pub(super) const RESULT_ERROR: u8 = 1;

/// The creation in the reply to a registration that failed.
pub(super) const CREATION_OF_ERROR: u8 = 99;

/// The first version of the distribution protocol with 32-bit creations.
pub(super) const VERSION_OF_LARGE_CREATION: u16 = 6;

/// The rest of a message.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// Reads a field that is preceded by its length in two bytes.
    pub(super) fn field(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(length)?;
        self.0 = tail;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk()?;
        self.0 = tail;
        Some(*head)
    }
}
