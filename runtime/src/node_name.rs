//! The name of a node, `alive@host`, which is checked when it is made.
//!
//! The net crate registers the name, and compares short and long names before it connects.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::printable::Printable;

/// The longest name in characters, including the host. A port mapper accepts this length for the
/// part before the `@`.
const NAME_CHARS_MAX: usize = 255;

/// A node's name, `alive@host`.
///
/// ```
/// use fika_runtime::NodeName;
///
/// let name: NodeName = "cache@127.0.0.1".parse()?;
/// assert_eq!((name.alive(), name.host()), ("cache", "127.0.0.1"));
/// assert_eq!(name.as_str(), "cache@127.0.0.1");
/// assert!(name.is_long() && !name.is_undefined());
/// assert!("no-host".parse::<NodeName>().is_err());
/// assert_eq!(NodeName::nonode().as_str(), "nonode@nohost");
/// # Ok::<(), fika_runtime::NodeNameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeName(Arc<str>);

/// Why a string is not a valid node name.
///
/// ```
/// use fika_runtime::NodeName;
///
/// let error = "no-host".parse::<NodeName>().unwrap_err();
/// assert!(error.to_string().starts_with("`no-host` is not a node name"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a node name: {why}", Printable(name))]
pub struct NodeNameError {
    name: String,
    why: &'static str,
}

impl NodeName {
    /// Returns the name of a node without a name: `nonode@nohost`.
    #[must_use]
    pub fn nonode() -> NodeName {
        NodeName("nonode@nohost".into())
    }

    /// Returns the part before the `@`.
    #[must_use]
    pub fn alive(&self) -> &str {
        self.parts().0
    }

    /// Returns the part after the `@`.
    #[must_use]
    pub fn host(&self) -> &str {
        self.parts().1
    }

    /// Returns the whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether another node is to choose the name: `undefined@host` (as for `erl -sname
    /// undefined`).
    #[must_use]
    pub fn is_undefined(&self) -> bool {
        self.alive() == "undefined"
    }

    /// Returns whether this is a long name: its host contains a dot or is an IPv6 address. Nodes
    /// with long names and nodes with short names never connect to each other.
    #[must_use]
    pub fn is_long(&self) -> bool {
        self.host().contains(['.', ':'])
    }

    fn parts(&self) -> (&str, &str) {
        self.0.split_once('@').expect("checked when the name was made")
    }
}

fn check(name: &str) -> Result<(), &'static str> {
    let Some((alive, host)) = name.split_once('@') else {
        return Err("it has no `@`; write alive@host, like cache@127.0.0.1");
    };
    if alive.is_empty() {
        return Err("the part before the `@` is empty");
    }
    if host.is_empty() {
        return Err("the part after the `@` is empty");
    }
    if host.contains('@') {
        return Err("it has more than one `@`");
    }
    if !alive.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_') {
        return Err("only letters, digits, `-` and `_` are allowed before the `@`");
    }
    if !host.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':')) {
        return Err("the part after the `@` is not a host name or an address");
    }
    if name.chars().count() > NAME_CHARS_MAX {
        return Err("it is longer than 255 characters");
    }
    Ok(())
}

impl FromStr for NodeName {
    type Err = NodeNameError;

    fn from_str(name: &str) -> Result<Self, NodeNameError> {
        match check(name) {
            Ok(()) => Ok(NodeName(name.into())),
            Err(why) => Err(NodeNameError { name: name.chars().take(300).collect(), why }),
        }
    }
}

impl TryFrom<&str> for NodeName {
    type Error = NodeNameError;

    fn try_from(name: &str) -> Result<Self, NodeNameError> {
        name.parse()
    }
}

impl TryFrom<String> for NodeName {
    type Error = NodeNameError;

    fn try_from(name: String) -> Result<Self, NodeNameError> {
        name.parse()
    }
}

impl From<NodeName> for String {
    fn from(name: NodeName) -> String {
        name.0.as_ref().into()
    }
}

impl From<&NodeName> for String {
    fn from(name: &NodeName) -> String {
        name.0.as_ref().into()
    }
}

impl AsRef<str> for NodeName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// DIST-2: valid and invalid names.
    #[test]
    fn valid_and_invalid_names() {
        for good in ["a@b", "a-b_1@127.0.0.1", "ö@höst.example", "a@::1"] {
            assert!(good.parse::<NodeName>().is_ok(), "{good}");
        }
        for bad in ["", "a", "@", "a@", "@b", "a@b@c", "a b@c", "a.b@c", "a@b c", "a\0@b"] {
            assert!(bad.parse::<NodeName>().is_err(), "{bad}");
        }
        assert!(format!("{}@b", "a".repeat(254)).parse::<NodeName>().is_err());
    }

    #[test]
    fn an_error_escapes_control_characters() {
        let error = "a\n\u{1b}[31m@b".parse::<NodeName>().unwrap_err().to_string();
        assert!(error.starts_with("`a\\n\\u{1b}[31m@b` is not a node name"), "{error}");
    }

    #[test]
    fn long_and_short_names() {
        assert!("a@127.0.0.1".parse::<NodeName>().unwrap().is_long());
        assert!(!"a@localhost".parse::<NodeName>().unwrap().is_long());
    }
}
