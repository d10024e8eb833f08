//! Where a message goes: a process, an alias of one, or a name on this node or another.

use std::borrow::Cow;
use std::fmt;

use crate::name::Name;
use crate::node_name::NodeName;
use crate::pid::Pid;
use crate::reference::Reference;

/// The destination of a message, and the target of a monitor.
///
/// Made from a [`Pid`], from a name (`"counter"`), from a name and a node
/// (`("counter", "b@127.0.0.1")`), or from a [`Reference`] that is an alias.
#[derive(Clone, PartialEq, Eq)]
pub enum Dest<'a> {
    /// A process, here or elsewhere.
    Pid(Pid),
    /// The process that made this alias, here or elsewhere. No target of a monitor.
    Alias(Reference),
    /// Whoever has this name on this node.
    Name(Cow<'a, str>),
    /// Whoever has this name on that node when the message arrives there.
    NameAt(Cow<'a, str>, Cow<'a, str>),
}

impl Dest<'_> {
    pub(crate) fn into_owned(self) -> Dest<'static> {
        match self {
            Dest::Pid(pid) => Dest::Pid(pid),
            Dest::Alias(alias) => Dest::Alias(alias),
            Dest::Name(name) => Dest::Name(name.into_owned().into()),
            Dest::NameAt(name, node) => {
                Dest::NameAt(name.into_owned().into(), node.into_owned().into())
            }
        }
    }
}

impl From<Pid> for Dest<'_> {
    fn from(pid: Pid) -> Self {
        Dest::Pid(pid)
    }
}

impl From<&Pid> for Dest<'_> {
    fn from(pid: &Pid) -> Self {
        Dest::Pid(*pid)
    }
}

impl From<Reference> for Dest<'_> {
    fn from(alias: Reference) -> Self {
        Dest::Alias(alias)
    }
}

impl From<&Reference> for Dest<'_> {
    fn from(alias: &Reference) -> Self {
        Dest::Alias(*alias)
    }
}

impl<'a> From<&'a str> for Dest<'a> {
    fn from(name: &'a str) -> Self {
        Dest::Name(name.into())
    }
}

impl<'a> From<&'a String> for Dest<'a> {
    fn from(name: &'a String) -> Self {
        Dest::Name(name.as_str().into())
    }
}

impl<'a> From<&'a Name> for Dest<'a> {
    fn from(name: &'a Name) -> Self {
        Dest::Name(name.as_str().into())
    }
}

impl<'a> From<(&'a str, &'a str)> for Dest<'a> {
    fn from((name, node): (&'a str, &'a str)) -> Self {
        Dest::NameAt(name.into(), node.into())
    }
}

impl<'a> From<(&'a str, &'a NodeName)> for Dest<'a> {
    fn from((name, node): (&'a str, &'a NodeName)) -> Self {
        Dest::NameAt(name.into(), node.as_str().into())
    }
}

impl fmt::Display for Dest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dest::Pid(pid) => write!(f, "{pid}"),
            Dest::Alias(alias) => write!(f, "{alias}"),
            Dest::Name(name) => write!(f, "{name}"),
            Dest::NameAt(name, node) => write!(f, "{{{name},{node}}}"),
        }
    }
}

impl fmt::Debug for Dest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
