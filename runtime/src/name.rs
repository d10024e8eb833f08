//! A name under which a process is registered on its node.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::printable::Printable;

/// A registered name. Any string of 1 to [`BYTES_MAX`](Name::BYTES_MAX) bytes can be registered,
/// except `undefined`.
///
/// ```
/// # use fika_runtime::{Name, Node, register, registered, self_pid};
/// let name = Name::from("counter");
/// assert_eq!(name.as_str(), "counter");
/// # Node::builder().build().unwrap().block_on(async {
/// register(&Name::from("counter"), self_pid()).unwrap();
/// assert_eq!(registered(), [Name::from("counter")]);
/// # });
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Name(Arc<str>);

impl Name {
    /// The longest name in bytes: 255 characters of UTF-8, as for an Erlang atom.
    pub const BYTES_MAX: usize = 1020;

    /// Returns the name as a string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Converts from every type that a [`Dest`](crate::Dest) accepts as the name of a process.
macro_rules! from_texts {
    ($($type:ty),+) => {$(
        impl From<$type> for Name {
            fn from(name: $type) -> Name {
                let name: &str = &name;
                Name(name.into())
            }
        }
    )+};
}

from_texts!(&&str, &String, Cow<'_, str>, &Cow<'_, str>, &Box<str>, &Arc<str>);

impl From<&str> for Name {
    fn from(name: &str) -> Name {
        Name(name.into())
    }
}

impl From<String> for Name {
    fn from(name: String) -> Name {
        Name(name.into())
    }
}

impl From<Box<str>> for Name {
    fn from(name: Box<str>) -> Name {
        Name(name.into())
    }
}

impl From<Arc<str>> for Name {
    fn from(name: Arc<str>) -> Name {
        Name(name)
    }
}

impl From<&Name> for Name {
    fn from(name: &Name) -> Name {
        name.clone()
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Displays control characters as escapes, since the name may come from another node.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Printable(&self.0), f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}
