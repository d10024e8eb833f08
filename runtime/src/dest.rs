//! The destination of a message: a process, an alias, or a name on this node or another.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::name::Name;
use crate::node_name::NodeName;
use crate::pid::Pid;
use crate::reference::Reference;

/// The destination of a message, and the target of a monitor.
///
/// Made from a [`Pid`], from a name (`"counter"`), from a name and a node
/// (`("counter", "b@127.0.0.1")`), or from a [`Reference`] that is an alias. The name can be any
/// [`ProcessText`], such as a `String` or a [`Name`], and the node any [`NodeText`], such as a
/// `&str` or a [`NodeName`].
///
/// ```
/// # use fika_runtime::{Dest, Node, alias, register, self_pid, send};
/// # Node::builder().build().unwrap().block_on(async {
/// register("counter", self_pid()).unwrap();
/// send(self_pid(), 1_u64);
/// send("counter", 1_u64);
/// send(("counter", "b@127.0.0.1"), 1_u64);
/// send(alias(), 1_u64);
///
/// // A function that sends takes what `send` takes.
/// fn count<'a>(counter: impl Into<Dest<'a>>) {
///     send(counter, 1_u64);
/// }
/// count("counter");
/// # });
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum Dest<'a> {
    /// A process on any node.
    Pid(Pid),
    /// The process on any node that made this alias. Not allowed as the target of a monitor.
    Alias(Reference),
    /// The process with this name on this node.
    Name(Cow<'a, str>),
    /// The process that has this name on that node when the message arrives.
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

#[diagnostic::do_not_recommend]
impl From<&Reference> for Dest<'_> {
    fn from(alias: &Reference) -> Self {
        Dest::Alias(*alias)
    }
}

#[diagnostic::do_not_recommend]
impl<'a> From<&'a Dest<'_>> for Dest<'a> {
    fn from(dest: &'a Dest<'_>) -> Self {
        match dest {
            Dest::Pid(pid) => Dest::Pid(*pid),
            Dest::Alias(alias) => Dest::Alias(*alias),
            Dest::Name(name) => Dest::Name(Cow::Borrowed(name)),
            Dest::NameAt(name, node) => Dest::NameAt(Cow::Borrowed(name), Cow::Borrowed(node)),
        }
    }
}

/// A string that names a process: `&str`, `String`, `Cow<str>`, `Box<str>`, `Arc<str>`, a [`Name`],
/// or a reference to one of them.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Node, ProcessText, register, self_node, self_pid, send};
/// # use fika_macros::receive;
/// /// Sends a line to a service of this node.
/// fn say<'a>(service: impl ProcessText<'a>, line: &str) {
///     send((service, self_node().name()), line.to_owned());
/// }
///
/// # Node::builder().build().unwrap().block_on(async {
/// register("log", self_pid())?;
/// say("log", "one");
/// say(format!("l{}", "og"), "two");
/// receive! { "one" => {} }
/// receive! { "two" => {} }
/// # Ok::<(), fika::RegisterError>(())
/// # }).unwrap();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the name of a process",
    label = "expected a string or a `Name`",
    note = "a destination is a `Pid`, a name such as `\"counter\"`, a name and a node such as \
            `(\"counter\", \"b@127.0.0.1\")`, or a `Reference` that is an alias"
)]
pub trait ProcessText<'a>: sealed::Text<'a> {}

/// A string that names a node: `&str`, `String`, `Cow<str>`, `Box<str>`, `Arc<str>`, a
/// [`NodeName`], or a reference to one of them.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Node, NodeText, register, self_node, self_pid, send};
/// # use fika_macros::receive;
/// /// Sends a line to the service `log` of each node.
/// fn say_to_all<'a, N: NodeText<'a>>(nodes: impl IntoIterator<Item = N>, line: &str) {
///     for node in nodes {
///         send(("log", node), line.to_owned());
///     }
/// }
///
/// # Node::builder().build().unwrap().block_on(async {
/// register("log", self_pid())?;
/// say_to_all([self_node().name()], "hello");
/// say_to_all(["nonode@nohost"], "hello again");
/// receive! { "hello again" => {} }
/// # Ok::<(), fika::RegisterError>(())
/// # }).unwrap();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the name of a node",
    label = "expected a string or a `NodeName`",
    note = "in a destination the name of the process comes first, and then its node: \
            `(\"counter\", \"b@127.0.0.1\")`"
)]
pub trait NodeText<'a>: sealed::Text<'a> {}

mod sealed {
    use std::borrow::Cow;

    pub trait Text<'a> {
        fn text(self) -> Cow<'a, str>;
    }
}

use sealed::Text as _;

/// Types that are rarely used have an attribute that hides them from compiler messages, which list
/// only a few types.
macro_rules! texts {
    ($kind:ident: $($(#[$attr:meta])* $type:ty = $self:ident => $text:expr;)+) => {$(
        impl<'a> sealed::Text<'a> for $type {
            fn text($self) -> Cow<'a, str> {
                $text
            }
        }

        texts!(@ $kind $(#[$attr])* $type);
    )+};
    (@ Process $(#[$attr:meta])* $type:ty) => {
        $(#[$attr])*
        impl<'a> ProcessText<'a> for $type {}

        $(#[$attr])*
        impl<'a> From<$type> for Dest<'a> {
            fn from(name: $type) -> Self {
                Dest::Name(name.text())
            }
        }
    };
    (@ Node $(#[$attr:meta])* $type:ty) => {
        $(#[$attr])*
        impl<'a> NodeText<'a> for $type {}
    };
    (@ Both $(#[$attr:meta])* $type:ty) => {
        texts!(@ Process $(#[$attr])* $type);
        texts!(@ Node $(#[$attr])* $type);
    };
}

texts! { Both:
    &'a str = self => Cow::Borrowed(self);
    #[diagnostic::do_not_recommend]
    &'a &str = self => Cow::Borrowed(*self);
    String = self => Cow::Owned(self);
    &'a String = self => Cow::Borrowed(self);
    #[diagnostic::do_not_recommend]
    Cow<'a, str> = self => self;
    #[diagnostic::do_not_recommend]
    &'a Cow<'_, str> = self => Cow::Borrowed(self);
    #[diagnostic::do_not_recommend]
    Box<str> = self => Cow::Owned(self.into());
    #[diagnostic::do_not_recommend]
    &'a Box<str> = self => Cow::Borrowed(self);
    #[diagnostic::do_not_recommend]
    Arc<str> = self => Cow::Owned((*self).into());
    #[diagnostic::do_not_recommend]
    &'a Arc<str> = self => Cow::Borrowed(self);
}

texts! { Process:
    Name = self => Cow::Owned(self.as_str().into());
    #[diagnostic::do_not_recommend]
    &'a Name = self => Cow::Borrowed(self.as_str());
}

texts! { Node:
    NodeName = self => Cow::Owned(self.into());
    &'a NodeName = self => Cow::Borrowed(self.as_str());
}

impl<'a, P: ProcessText<'a>, N: NodeText<'a>> From<(P, N)> for Dest<'a> {
    fn from((name, node): (P, N)) -> Self {
        Dest::NameAt(name.text(), node.text())
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
