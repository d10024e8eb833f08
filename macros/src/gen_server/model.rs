//! The parsed form of a block.

use proc_macro2::{Ident, Span};
use syn::{Attribute, FnArg, Generics, Pat, Signature, Type, Visibility};

/// A server: the block's type and its functions.
pub(crate) struct Server {
    pub(crate) ty: Type,
    /// The last part of the type's name.
    pub(crate) name: Ident,
    pub(crate) generics: Generics,
    pub(crate) init: Init,
    pub(crate) handlers: Vec<Handler>,
    pub(crate) proceed: Option<Proceed>,
    pub(crate) terminate: Option<Span>,
    pub(crate) format_status: Option<Span>,
}

/// The function that makes the state.
pub(crate) struct Init {
    pub(crate) vis: Visibility,
    pub(crate) docs: Vec<Attribute>,
    pub(crate) args: Vec<Arg>,
    /// Where its return type is.
    pub(crate) output: Span,
}

/// The function `handle_continue`.
pub(crate) struct Proceed {
    pub(crate) arg: Type,
    pub(crate) output: Span,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Call,
    Cast,
    Info,
}

/// A function that handles one kind of message.
pub(crate) struct Handler {
    pub(crate) kind: Kind,
    pub(crate) name: Ident,
    pub(crate) vis: Visibility,
    /// The attributes that are copied to the client's method.
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) cfgs: Vec<Attribute>,
    /// The arguments after `self`, without the caller.
    pub(crate) args: Vec<Arg>,
    /// The argument that is the caller: its index after `self`, and the span of its type.
    pub(crate) caller: Option<(usize, Span)>,
    pub(crate) output: Output,
}

/// An argument of a handler or of `init`.
pub(crate) struct Arg {
    /// Its name in the client's method.
    pub(crate) name: Ident,
    /// Its type, without `Self`.
    pub(crate) ty: Type,
}

/// The type that a function returns.
pub(crate) struct Output {
    /// The type of the reply, without `Self`.
    pub(crate) reply: Type,
    /// Whether the function returns a `Reply` of this type, and not the type itself.
    pub(crate) is_reply: bool,
    pub(crate) span: Span,
}

impl Kind {
    pub(crate) const ALL: [(Kind, &'static str); 3] =
        [(Kind::Call, "call"), (Kind::Cast, "cast"), (Kind::Info, "info")];

    pub(crate) fn attr(self) -> &'static str {
        Kind::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }
}

/// Returns the arguments after `self`, as they are written.
pub(crate) fn typed(sig: &Signature) -> impl Iterator<Item = (&Pat, &Type)> {
    sig.inputs.iter().filter_map(|arg| match arg {
        FnArg::Typed(arg) => Some((&*arg.pat, &*arg.ty)),
        FnArg::Receiver(_) => None,
    })
}
