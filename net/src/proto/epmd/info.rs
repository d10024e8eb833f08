//! The information that a node registers with the mapper, and its limits.

use core::net::IpAddr;

use super::wire::Reader;

/// The longest name in characters. A character has at most four bytes.
const NAME_CHARS_MAX: usize = 255;

/// The longest name, and the longest extra field, in bytes. It limits what a mapper keeps for a
/// registration.
pub(super) const FIELD_BYTES_MAX: usize = 4 * NAME_CHARS_MAX;

/// The distribution versions that we publish: that of OTP 23 and later, and the one before it, as
/// Erlang's own nodes do.
const HIGHEST_VERSION: u16 = 6;
const LOWEST_VERSION: u16 = 5;

/// TCP over IPv4 or IPv6, the only protocol that has a number.
const PROTOCOL_TCP: u8 = 0;

/// A node as it is registered: its name (the part before the `@`) and its port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeInfo {
    pub(super) port: u16,
    pub(super) node_type: PublishedType,
    pub(super) protocol: u8,
    pub(super) highest_version: u16,
    pub(super) lowest_version: u16,
    /// 1 to 255 characters, none of them zero.
    pub(super) name: Box<str>,
    /// At most `FIELD_BYTES_MAX` bytes.
    pub(super) extra: Box<[u8]>,
}

/// The kind of a node. A mapper passes on any number, known or not.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PublishedType(pub u8);

impl PublishedType {
    /// A node that joins the full mesh.
    pub const NORMAL: PublishedType = PublishedType(77);
    /// A node that does not join the full mesh.
    pub const HIDDEN: PublishedType = PublishedType(72);
}

/// Why a node can't be registered under a name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeInfoError {
    /// The name is empty.
    #[error("the name is empty")]
    EmptyName,
    /// The name contains the character zero.
    #[error("the name contains a zero byte")]
    ZeroInName,
    /// The name contains a control character, such as a line break, which could forge a line in the
    /// mapper's list.
    #[error("the name contains a control character")]
    ControlInName,
    /// The name has more than 255 characters.
    #[error("the name is longer than {NAME_CHARS_MAX} characters")]
    NameTooLong,
    /// The name is not UTF-8.
    #[error("the name is not UTF-8")]
    NameNotUtf8,
    /// The extra field has more than 1020 bytes.
    #[error("the extra field is longer than {FIELD_BYTES_MAX} bytes")]
    ExtraTooLong,
}

impl NodeInfo {
    /// Makes the information of a node with this name that listens on this port.
    pub fn new(alive: &str, port: u16, node_type: PublishedType) -> Result<Self, NodeInfoError> {
        Ok(NodeInfo {
            port,
            node_type,
            protocol: PROTOCOL_TCP,
            highest_version: HIGHEST_VERSION,
            lowest_version: LOWEST_VERSION,
            name: check_name(alive.as_bytes())?.into(),
            extra: Box::default(),
        })
    }

    /// Returns the part of the node's name before the `@`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the port on which the node listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the kind of the node.
    #[must_use]
    pub fn node_type(&self) -> PublishedType {
        self.node_type
    }

    /// Returns the highest version of Erlang's distribution that the node speaks.
    #[must_use]
    pub fn highest_version(&self) -> u16 {
        self.highest_version
    }

    /// Returns the lowest version of Erlang's distribution that the node speaks.
    #[must_use]
    pub fn lowest_version(&self) -> u16 {
        self.lowest_version
    }

    /// Returns the further bytes with which it was registered.
    #[must_use]
    pub fn extra(&self) -> &[u8] {
        &self.extra
    }

    /// Appends the fields, which have the same order in the request that registers a node and in
    /// the reply to a look-up.
    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.port.to_be_bytes());
        bytes.extend([self.node_type.0, self.protocol]);
        bytes.extend(self.highest_version.to_be_bytes());
        bytes.extend(self.lowest_version.to_be_bytes());
        for field in [self.name.as_bytes(), &self.extra] {
            let length = u16::try_from(field.len()).expect("fields are checked when they are made");
            bytes.extend(length.to_be_bytes());
            bytes.extend(field);
        }
    }
}

/// The fields of a node as they are in a message, before they are checked.
pub(super) struct Fields<'a> {
    port: u16,
    node_type: u8,
    protocol: u8,
    pub(super) highest_version: u16,
    lowest_version: u16,
    name: &'a [u8],
    extra: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Reads the fields. `None` if the message ends before them.
    pub(super) fn read(reader: &mut Reader<'a>) -> Option<Fields<'a>> {
        Some(Fields {
            port: reader.u16()?,
            node_type: reader.u8()?,
            protocol: reader.u8()?,
            highest_version: reader.u16()?,
            lowest_version: reader.u16()?,
            name: reader.field()?,
            extra: reader.field()?,
        })
    }

    pub(super) fn check(&self) -> Result<NodeInfo, NodeInfoError> {
        let name = check_name(self.name)?;
        if self.extra.len() > FIELD_BYTES_MAX {
            return Err(NodeInfoError::ExtraTooLong);
        }
        Ok(NodeInfo {
            port: self.port,
            node_type: PublishedType(self.node_type),
            protocol: self.protocol,
            highest_version: self.highest_version,
            lowest_version: self.lowest_version,
            name: name.into(),
            extra: self.extra.into(),
        })
    }
}

/// Checks a name. The zero byte comes first, since a mapper then closes without a reply, whatever
/// else is wrong with the name.
pub(super) fn check_name(name: &[u8]) -> Result<&str, NodeInfoError> {
    if name.is_empty() {
        return Err(NodeInfoError::EmptyName);
    }
    if name.contains(&0) {
        return Err(NodeInfoError::ZeroInName);
    }
    let name = std::str::from_utf8(name).map_err(|_| NodeInfoError::NameNotUtf8)?;
    if name.chars().count() > NAME_CHARS_MAX {
        return Err(NodeInfoError::NameTooLong);
    }
    if name.chars().any(char::is_control) {
        return Err(NodeInfoError::ControlInName);
    }
    Ok(name)
}

/// Returns whether a peer is on this host: its address is a loopback address, or the address that
/// it connected to.
pub(crate) fn is_local(peer: IpAddr, own: IpAddr) -> bool {
    let (peer, own) = (peer.to_canonical(), own.to_canonical());
    peer.is_loopback() || peer == own
}

#[cfg(test)]
mod tests {
    use super::*;

    /// EPMD-6: a name has 1 to 255 characters, is UTF-8, and contains no zero byte.
    #[test]
    fn limits_of_a_name() {
        use NodeInfoError as E;
        let (wide, wider) = ("𝄞".repeat(255), "𝄞".repeat(256));
        let (long, longer) = ("q".repeat(255), "q".repeat(256));
        let cases: [(&[u8], _); 13] = [
            (b"a", Ok(())),
            (long.as_bytes(), Ok(())),
            (wide.as_bytes(), Ok(())),
            (b"", Err(E::EmptyName)),
            (b"\0", Err(E::ZeroInName)),
            (b"a\0b", Err(E::ZeroInName)),
            (b"\xff\0", Err(E::ZeroInName)),
            (b"a\nname b at port 1", Err(E::ControlInName)),
            ("a\u{9b}31m".as_bytes(), Err(E::ControlInName)),
            (longer.as_bytes(), Err(E::NameTooLong)),
            (wider.as_bytes(), Err(E::NameTooLong)),
            (b"ab\xff", Err(E::NameNotUtf8)),
            (b"\xc0\xaf", Err(E::NameNotUtf8)),
        ];
        for (name, result) in cases {
            assert_eq!(check_name(name).map(|_| ()), result, "{name:?}");
        }
    }

    /// EPMD-12: a client is on this host if its address is a loopback address or equals the address
    /// that it connected to.
    #[test]
    fn addresses_of_this_host_are_local() {
        let cases = [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.1.2.3", "10.0.0.1", true),
            ("::1", "::1", true),
            ("::ffff:127.0.0.1", "::ffff:127.0.0.1", true),
            ("10.0.0.1", "10.0.0.1", true),
            ("::ffff:10.0.0.1", "10.0.0.1", true),
            ("fe80::1", "fe80::1", true),
            ("10.0.0.2", "10.0.0.1", false),
            ("::ffff:10.0.0.2", "::ffff:10.0.0.1", false),
            ("fe80::2", "fe80::1", false),
            ("128.0.0.1", "127.0.0.1", false),
        ];
        for (peer, own, local) in cases {
            assert_eq!(is_local(peer.parse().unwrap(), own.parse().unwrap()), local, "{peer}");
        }
    }
}
