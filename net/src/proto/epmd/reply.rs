//! The mapper's replies.
//!
//! The decoders get the bytes that have arrived so far, in pieces of any size, and return `None` if
//! they need more. Bytes after a reply are ignored: the mapper closes, or sends nothing more.

use fika_runtime::Creation;

use super::info::{FIELD_BYTES_MAX, Fields, NodeInfo, NodeInfoError};
use super::wire::{
    CREATION_OF_ERROR, RESULT_ERROR, RESULT_OK, Reader, VERSION_OF_LARGE_CREATION, tag,
};

/// The longest reply to a look-up: fields of a fixed size, name and extra.
const FOUND_BYTES_MAX: usize = 2 + 12 + 2 * FIELD_BYTES_MAX;

/// The longest list of names that a client accepts: more than 50,000 nodes with ordinary names, or
/// 4,000 with the longest ones.
pub(crate) const NAMES_BYTES_MAX: usize = 4 << 20;

/// The mapper's answer to a registration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Registered {
    Ok(Creation),
    /// The name is taken, or the mapper refuses it.
    Refused,
}

/// Why a mapper's reply is invalid. Connection closed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// The reply ended too early.
    #[error("the reply ends before its {0}")]
    Missing(&'static str),
    /// The reply begins with the wrong byte for this request.
    #[error("the reply begins with {0}, which answers another request")]
    UnknownTag(u8),
    /// The reply is longer than any valid reply.
    #[error("the reply is too long")]
    TooLong,
    /// The reply describes an invalid node.
    #[error("the reply describes an invalid node: {0}")]
    Node(#[from] NodeInfoError),
}

/// Encodes the reply to a registration. The highest version that the client gave decides the size
/// of its creation.
pub(super) fn encode_registered(large_creation: bool, creation: Option<u32>) -> Vec<u8> {
    let result = if creation.is_some() { RESULT_OK } else { RESULT_ERROR };
    let creation = creation.unwrap_or(u32::from(CREATION_OF_ERROR)).to_be_bytes();
    if large_creation {
        [&[tag::ALIVE2_X_RESP, result], &creation[..]].concat()
    } else {
        [&[tag::ALIVE2_RESP, result], &creation[2..]].concat()
    }
}

/// Decodes the reply to a registration. `None` if more bytes are needed.
pub(crate) fn decode_registered(bytes: &[u8]) -> Result<Option<Registered>, ReplyError> {
    let mut reader = Reader(bytes);
    let Some(tag) = reader.u8() else { return Ok(None) };
    if !matches!(tag, tag::ALIVE2_X_RESP | tag::ALIVE2_RESP) {
        return Err(ReplyError::UnknownTag(tag));
    }
    let Some(result) = reader.u8() else { return Ok(None) };
    let creation = match tag {
        tag::ALIVE2_X_RESP => reader.u32(),
        _ => reader.u16().map(u32::from),
    };
    Ok(creation.map(|creation| match result {
        RESULT_OK => Registered::Ok(Creation(creation)),
        _ => Registered::Refused,
    }))
}

/// Encodes the reply to a look-up.
pub(super) fn encode_found(info: Option<&NodeInfo>) -> Vec<u8> {
    let Some(info) = info else { return vec![tag::PORT2_RESP, RESULT_ERROR] };
    let mut bytes = vec![tag::PORT2_RESP, RESULT_OK];
    info.encode(&mut bytes);
    bytes
}

/// Decodes the reply to a look-up. The outer `None`: more bytes are needed. The inner one: there is
/// no such node.
pub(crate) fn decode_found(bytes: &[u8]) -> Result<Option<Option<NodeInfo>>, ReplyError> {
    let mut reader = Reader(bytes);
    match reader.u8() {
        Some(tag::PORT2_RESP) => {}
        Some(tag) => return Err(ReplyError::UnknownTag(tag)),
        None => return Ok(None),
    }
    match reader.u8() {
        Some(RESULT_OK) => {}
        Some(_) => return Ok(Some(None)),
        None => return Ok(None),
    }
    match Fields::read(&mut reader) {
        Some(fields) => Ok(Some(Some(fields.check()?))),
        None if bytes.len() >= FOUND_BYTES_MAX => Err(ReplyError::TooLong),
        None => Ok(None),
    }
}

/// The reply to a request for all names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Names {
    port: u32,
    text: String,
}

impl Names {
    /// Decodes the whole reply, which ends with the connection.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Names, ReplyError> {
        let mut reader = Reader(bytes);
        let port = reader.u32().ok_or(ReplyError::Missing("port"))?;
        Ok(Names { port, text: String::from_utf8_lossy(reader.0).into_owned() })
    }

    /// Returns the port on which the mapper says it listens.
    #[must_use]
    pub fn port(&self) -> u32 {
        self.port
    }

    /// Returns the mapper's text: a line for each name, newest first.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the name and port of each node, newest first. Skips lines of any other form.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u16)> {
        self.text.lines().filter_map(|line| {
            let (name, port) = line.strip_prefix("name ")?.rsplit_once(" at port ")?;
            Some((name, port.parse().ok()?))
        })
    }
}

/// Returns whether the reply to a registration with this highest version has a 32-bit creation.
pub(super) fn has_large_creation(highest_version: u16) -> bool {
    highest_version >= VERSION_OF_LARGE_CREATION
}

#[cfg(test)]
mod tests {
    use super::super::info::PublishedType;
    use super::*;

    /// EPMD-2: the reply to a registration has a 32-bit creation for new nodes, and a 16-bit one
    /// for old nodes.
    #[test]
    fn replies_to_a_registration() {
        let cases: [(_, _, &[u8]); 4] = [
            (true, Some(0x0102_0304), b"v\0\x01\x02\x03\x04"),
            (false, Some(3), b"y\0\0\x03"),
            (true, None, b"v\x01\0\0\0\x63"),
            (false, None, b"y\x01\0\x63"),
        ];
        for (large, creation, bytes) in cases {
            assert_eq!(encode_registered(large, creation), bytes);
            for length in 0..bytes.len() {
                assert_eq!(decode_registered(&bytes[..length]), Ok(None), "{length}");
            }
            let creation = creation.map_or(Registered::Refused, |c| Registered::Ok(Creation(c)));
            assert_eq!(decode_registered(bytes), Ok(Some(creation)));
        }
        assert_eq!(decode_registered(b"w\0"), Err(ReplyError::UnknownTag(b'w')));
    }

    /// EPMD-7, EPMD-18: the reply in pieces of any size.
    #[test]
    fn replies_to_a_lookup() {
        let mut info = NodeInfo::new("ab", 0x1234, PublishedType::HIDDEN).unwrap();
        let empty_extra = b"w\0\x12\x34\x48\0\0\x06\0\x05\0\x02ab\0\0";
        assert_eq!(encode_found(Some(&info)), empty_extra);
        assert_eq!(encode_found(None), b"w\x01");
        info.extra = Box::new([0; FIELD_BYTES_MAX]);
        for info in [None, Some(info)] {
            let mut bytes = encode_found(info.as_ref());
            for length in 0..bytes.len() {
                assert_eq!(decode_found(&bytes[..length]), Ok(None), "{length}");
            }
            bytes.push(7);
            assert_eq!(decode_found(&bytes), Ok(Some(info)));
        }
    }

    #[test]
    fn the_longest_replies() {
        let name = "𝄞".repeat(FIELD_BYTES_MAX / 4);
        let mut info = NodeInfo::new(&name, 1, PublishedType::NORMAL).unwrap();
        info.extra = Box::new([0; FIELD_BYTES_MAX]);
        let bytes = encode_found(Some(&info));
        assert_eq!(bytes.len(), FOUND_BYTES_MAX);
        assert_eq!(decode_found(&bytes), Ok(Some(Some(info))));
        let line = |name: &str| format!("name {name} at port 65535\n").len();
        let lists = [50_000 * line("a_name_that_is_quite_an_ordinary_one"), 4_000 * line(&name)];
        assert!(lists.iter().all(|bytes| *bytes < NAMES_BYTES_MAX), "{lists:?}");
    }

    #[test]
    fn bad_replies_to_a_lookup() {
        let nameless = b"w\0\0\x01\x4d\0\0\x06\0\x05\0\0\0\0";
        assert_eq!(decode_found(nameless), Err(NodeInfoError::EmptyName.into()));
        assert_eq!(decode_found(b"v\0"), Err(ReplyError::UnknownTag(b'v')));
        // A length that is only claimed does not make the client wait for that many bytes.
        let mut endless = b"w\0\0\x01\x4d\0\0\x06\0\x05\xff\xff".to_vec();
        endless.resize(FOUND_BYTES_MAX - 1, b'q');
        assert_eq!(decode_found(&endless), Ok(None));
        endless.push(b'q');
        assert_eq!(decode_found(&endless), Err(ReplyError::TooLong));
    }

    /// EPMD-8: a list has the mapper's port and a line for each name. Other lines are ignored.
    #[test]
    fn a_list_of_names() {
        let text = "name b c at port 2\nname a at port 1\njunk\nname x at port 70000\n";
        let names = Names::decode(&[b"\0\0\x11\x11", text.as_bytes()].concat()).unwrap();
        assert_eq!((names.port(), names.text()), (4369, text));
        assert_eq!(names.iter().collect::<Vec<_>>(), [("b c", 2), ("a", 1)]);
        assert_eq!(Names::decode(b"\0\0\x11"), Err(ReplyError::Missing("port")));
    }
}
