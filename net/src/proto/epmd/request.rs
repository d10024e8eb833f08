//! The requests that a client sends to the mapper.

use super::info::{Fields, NodeInfo, NodeInfoError, check_name};
use super::wire::{Reader, VERSION_OF_LARGE_CREATION, tag};

/// The longest request, without its length. It is the limit of Erlang's mapper.
pub(super) const REQUEST_BYTES_MAX: usize = 3057;

/// A request. Names are borrowed from the bytes that it was decoded from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Request<'a> {
    Register(NodeInfo),
    Lookup(&'a str),
    Names,
    Dump,
    Kill,
    /// The name as the client sent it. It is only compared.
    Stop(&'a [u8]),
}

/// Why a request fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RequestError {
    /// The request parses, but exceeds a limit. The registration is refused with a reply, in the
    /// form that the highest version requires. Connection stays open.
    Refused { large_creation: bool },
    /// The request does not parse, or is of a kind that gets no reply. Connection closed.
    Malformed,
}

impl<'a> Request<'a> {
    /// Encodes the request, preceded by its length.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0, 0];
        match self {
            Request::Register(info) => {
                bytes.push(tag::ALIVE2_REQ);
                info.encode(&mut bytes);
            }
            Request::Lookup(name) => {
                bytes.push(tag::PORT_PLEASE2_REQ);
                bytes.extend(name.as_bytes());
            }
            Request::Names => bytes.push(tag::NAMES_REQ),
            Request::Dump => bytes.push(tag::DUMP_REQ),
            Request::Kill => bytes.push(tag::KILL_REQ),
            Request::Stop(name) => {
                bytes.push(tag::STOP_REQ);
                bytes.extend(*name);
            }
        }
        // A name that is too long does not exist. Cut off, it still does not.
        bytes.truncate(2 + REQUEST_BYTES_MAX);
        let length = u16::try_from(bytes.len() - 2).expect("cut off at REQUEST_BYTES_MAX");
        bytes[..2].copy_from_slice(&length.to_be_bytes());
        bytes
    }

    /// Decodes the bytes after the length.
    pub(super) fn decode(request: &'a [u8]) -> Result<Request<'a>, RequestError> {
        let (tag, body) = request.split_first().ok_or(RequestError::Malformed)?;
        match *tag {
            tag::ALIVE2_REQ => decode_register(body),
            tag::PORT_PLEASE2_REQ => decode_lookup(body),
            tag::NAMES_REQ => Ok(Request::Names),
            tag::DUMP_REQ => Ok(Request::Dump),
            tag::KILL_REQ => Ok(Request::Kill),
            tag::STOP_REQ => decode_stop(body),
            _ => Err(RequestError::Malformed),
        }
    }
}

fn decode_register(body: &[u8]) -> Result<Request<'_>, RequestError> {
    let fields = Fields::read(&mut Reader(body)).ok_or(RequestError::Malformed)?;
    match fields.check() {
        Ok(info) => Ok(Request::Register(info)),
        Err(NodeInfoError::EmptyName | NodeInfoError::ZeroInName) => Err(RequestError::Malformed),
        Err(_) => {
            let large_creation = fields.highest_version >= VERSION_OF_LARGE_CREATION;
            Err(RequestError::Refused { large_creation })
        }
    }
}

fn decode_lookup(body: &[u8]) -> Result<Request<'_>, RequestError> {
    // Some clients send the zero byte that ends a C string.
    let name = body.strip_suffix(&[0]).unwrap_or(body);
    check_name(name).map(Request::Lookup).map_err(|_| RequestError::Malformed)
}

fn decode_stop(body: &[u8]) -> Result<Request<'_>, RequestError> {
    if body.is_empty() {
        return Err(RequestError::Malformed);
    }
    let name = body.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(Request::Stop(name))
}

#[cfg(test)]
mod tests {
    use super::super::info::PublishedType;
    use super::*;

    /// EPMD-1, EPMD-7, EPMD-8, EPMD-9, EPMD-10, EPMD-11: the bytes of each request.
    #[test]
    fn bytes_of_requests() {
        let info = NodeInfo::new("ab", 0x1234, PublishedType::NORMAL).unwrap();
        let hidden = NodeInfo::new("ö", 1, PublishedType::HIDDEN).unwrap();
        let cases: [(_, &[u8]); 7] = [
            (Request::Register(info), b"\0\x0fx\x12\x34\x4d\0\0\x06\0\x05\0\x02ab\0\0"),
            (Request::Register(hidden), b"\0\x0fx\0\x01\x48\0\0\x06\0\x05\0\x02\xc3\xb6\0\0"),
            (Request::Lookup("ab"), b"\0\x03zab"),
            (Request::Names, b"\0\x01n"),
            (Request::Dump, b"\0\x01d"),
            (Request::Kill, b"\0\x01k"),
            (Request::Stop(b"ab"), b"\0\x03sab"),
        ];
        for (request, bytes) in cases {
            assert_eq!(request.encode(), bytes);
            assert_eq!(Request::decode(&bytes[2..]), Ok(request));
        }
    }

    /// EPMD-1: fields that the mapper does not interpret, and bytes after Extra.
    #[test]
    fn an_unusual_registration() {
        let bytes = b"x\0\x63\x63\x09\0\x07\0\x06\0\x03hi7\0\x02\0\xffzzzz";
        let Ok(Request::Register(info)) = Request::decode(bytes) else { panic!() };
        assert_eq!((info.name(), info.port(), info.node_type()), ("hi7", 99, PublishedType(99)));
        assert_eq!((info.highest_version(), info.lowest_version()), (7, 6));
        assert_eq!((info.protocol, info.extra()), (9, &[0, 0xff][..]));
    }

    fn registration(highest: u16, name: &[u8], extra: &[u8]) -> Vec<u8> {
        let mut bytes = b"x\0\x01\x4d\0".to_vec();
        bytes.extend(highest.to_be_bytes());
        bytes.extend([0, 5]);
        for field in [name, extra] {
            bytes.extend((field.len() as u16).to_be_bytes());
            bytes.extend(field);
        }
        bytes
    }

    /// EPMD-6: registrations that get an error reply, and those that close the connection.
    #[test]
    fn refused_registrations() {
        let refused = |large_creation| Err(RequestError::Refused { large_creation });
        let malformed = Err(RequestError::Malformed);
        let cases: [(u16, &[u8], &[u8], _); 9] = [
            (6, b"a", &[0; 1020], Ok(())),
            (6, b"a", &[0; 1021], refused(true)),
            (5, b"a", &[0; 1021], refused(false)),
            (6, &[b'q'; 255], b"", Ok(())),
            (6, &[b'q'; 256], b"", refused(true)),
            (5, b"\xff", b"", refused(false)),
            (6, b"", b"", malformed),
            (6, b"a\0", b"", malformed),
            (6, b"\xff\0", b"", malformed),
        ];
        for (highest, name, extra, result) in cases {
            let bytes = registration(highest, name, extra);
            assert_eq!(Request::decode(&bytes).map(|_| ()), result, "{name:?} {}", extra.len());
        }
    }

    /// EPMD-13: a registration that ends before its last field does.
    #[test]
    fn a_registration_cut_off_anywhere() {
        let bytes = registration(6, b"abc", b"extra");
        assert!(Request::decode(&bytes).is_ok());
        for length in 0..bytes.len() {
            assert_eq!(Request::decode(&bytes[..length]), Err(RequestError::Malformed), "{length}");
        }
    }

    /// EPMD-7, EPMD-11, EPMD-13: an invalid or missing name makes a request malformed.
    #[test]
    fn names_in_requests() {
        let long = [b"z".as_slice(), &[b'q'; 256]].concat();
        let cases: [(&[u8], _); 13] = [
            (b"za\0", Some(Request::Lookup("a"))),
            (b"za\0\0", None),
            (b"za\0b", None),
            (b"z", None),
            (b"z\0", None),
            (b"z\xff", None),
            (&long, None),
            (b"njunk", Some(Request::Names)),
            (b"kjunk", Some(Request::Kill)),
            (b"sa\0b", Some(Request::Stop(b"a"))),
            (b"s\xff", Some(Request::Stop(b"\xff"))),
            (b"s", None),
            (b"q", None),
        ];
        for (bytes, result) in cases {
            let result = result.ok_or(RequestError::Malformed);
            assert_eq!(Request::decode(bytes), result, "{bytes:?}");
        }
    }

    #[test]
    fn a_name_that_is_too_long_still_makes_a_request() {
        assert_eq!(Request::Lookup(&"q".repeat(100_000)).encode().len(), 2 + REQUEST_BYTES_MAX);
    }
}
